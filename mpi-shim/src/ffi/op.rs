//! Operations: made by programs, asked, and applied without communication.
use super::argument::value;
use super::integer::{Integer, count, forms};
use super::{mpi, set};
use crate::abi::{MPI_Datatype, MPI_ERR_ARG, MPI_ERR_BUFFER, MPI_OP_NULL, MPI_Op};
use crate::error::{Error, Result};
use crate::op::{self, Op, UserFunction, UserFunctionLarge};
use crate::state;
use std::ffi::{c_int, c_void};
use std::sync::Arc;

fn keep(place: *mut MPI_Op, made: Option<Op>) -> Result<()> {
    let made =
        made.ok_or_else(|| Error::new(MPI_ERR_ARG, "a null pointer where the operation's function is expected"))?;
    let handle = state::enter().ops.insert(Arc::new(made));
    set(place, handle)
}

fn reduce_local(
    from: *const c_void,
    into: *mut c_void,
    elements: impl Integer,
    datatype: MPI_Datatype,
    op: MPI_Op,
) -> Result<()> {
    let elements = count(elements)?;
    // The operation may be the program's, which may call MPI: the state is left before it runs.
    let (op, datatype) = {
        let state = state::enter();
        (state.op(op)?.clone(), state.datatype(datatype)?.clone())
    };
    op::check(&op, &datatype)?;
    if elements > 0 && datatype.size() > 0 && std::ptr::eq(from, into) {
        return Err(Error::new(MPI_ERR_BUFFER, "both buffers are the same"));
    }
    // SAFETY: the standard requires of the caller that the buffers hold so many elements, and do not overlap.
    unsafe { op::apply(&op, &datatype, from.cast(), into.cast(), elements) }
}

forms! {
    /// Applies an operation to two buffers; the result is in the second one.
    fn MPI_Reduce_local, PMPI_Reduce_local / MPI_Reduce_local_c, PMPI_Reduce_local_c(
        inbuf: *const c_void, inoutbuf: *mut c_void, elements: Count, datatype: MPI_Datatype, op: MPI_Op
    ) on (), { reduce_local(inbuf, inoutbuf, elements, datatype, op) }
}

mpi! {
    /// Makes an operation.
    fn MPI_Op_create, PMPI_Op_create(function: Option<UserFunction>, commute: c_int, op: *mut MPI_Op) on (), {
        keep(op, function.map(|function| Op::user(function, commute != 0)))
    }

    /// Makes an operation that takes large counts.
    fn MPI_Op_create_c, PMPI_Op_create_c(
        function: Option<UserFunctionLarge>, commute: c_int, op: *mut MPI_Op
    ) on (), { keep(op, function.map(|function| Op::user_large(function, commute != 0))) }

    /// Gives an operation up. Reductions that are under way keep it.
    fn MPI_Op_free, PMPI_Op_free(op: *mut MPI_Op) on (), {
        state::enter().ops.remove(value(op)?)?;
        set(op, MPI_OP_NULL)
    }

    /// Whether the order of an operation's arguments is free.
    fn MPI_Op_commutative, PMPI_Op_commutative(op: MPI_Op, commute: *mut c_int) on (), {
        set(commute, state::enter().op(op)?.commutative.into())
    }
}
