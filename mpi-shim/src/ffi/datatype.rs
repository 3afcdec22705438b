//! The constructors of datatypes (MPI 5.0, chapter 5), and their life: commit, duplicate, free.
use super::argument::{list, value};
use super::integer::{Integer, forms, numbers};
use super::{mpi, set};
use crate::abi::{MPI_DATATYPE_NULL, MPI_Datatype, MPI_ERR_TYPE};
use crate::attribute::{self, Object};
use crate::datatype::{self, Darray, Datatype, Distribution, F90, Subarray};
use crate::error::{Error, Result};
use crate::state::{self, State};
use std::ffi::c_int;
use std::sync::Arc;

/// Gives a datatype a handle.
pub(super) fn keep(state: &mut State, datatype: Datatype) -> MPI_Datatype {
    let datatype = Arc::new(datatype);
    let handle = state.datatypes.insert(datatype.clone());
    datatype.set_handle(handle);
    handle
}

/// Makes a type of another one.
fn derive(old: MPI_Datatype, new: *mut MPI_Datatype, make: impl FnOnce(&Datatype) -> Result<Datatype>) -> Result<()> {
    let mut state = state::enter();
    let made = make(state.datatype(old)?)?;
    set(new, keep(&mut state, made))
}

/// The predefined type without a name of one of Fortran's kinds; always the same one.
fn set_f90(new: *mut MPI_Datatype, request: F90) -> Result<()> {
    let mut state = state::enter();
    if let Some(&known) = state.kinds.get(&request) {
        return set(new, known);
    }
    let made = Datatype::f90(request)?;
    let handle = keep(&mut state, made);
    state.datatype(handle)?.make_permanent(handle);
    state.kinds.insert(request, handle);
    set(new, handle)
}

/// The type of pairs of two types where the standard names one, or `MPI_DATATYPE_NULL`.
fn value_index(value: MPI_Datatype, index: MPI_Datatype) -> Result<MPI_Datatype> {
    let state = state::enter();
    state.datatype(value)?;
    state.datatype(index)?;
    Ok(datatype::named_pair(value, index).unwrap_or(MPI_DATATYPE_NULL))
}

/// The dimensions of a distributed array.
fn distributions(
    sizes: &[i64],
    kinds: *const c_int,
    blocks: *const c_int,
    processes: *const c_int,
) -> Result<Vec<Distribution>> {
    let entries = sizes.len() as c_int;
    let (kinds, blocks, processes) = (list(kinds, entries)?, list(blocks, entries)?, list(processes, entries)?);
    let dimension = |index: usize| Distribution {
        size: sizes[index],
        kind: kinds[index],
        block: blocks[index],
        processes: processes[index],
    };
    Ok((0..sizes.len()).map(dimension).collect())
}

fn structure(
    form: datatype::Form,
    lengths: &[i64],
    displacements: &[i64],
    types: *const MPI_Datatype,
    new: *mut MPI_Datatype,
) -> Result<()> {
    let mut state = state::enter();
    let types = list(types, lengths.len() as c_int)?;
    let types = types.iter().map(|&each| state.datatype(each).cloned()).collect::<Result<Vec<_>>>()?;
    let made = Datatype::structure(form, lengths, displacements, &types)?;
    set(new, keep(&mut state, made))
}

forms! {
    /// Elements side by side.
    fn MPI_Type_contiguous, PMPI_Type_contiguous / MPI_Type_contiguous_c, PMPI_Type_contiguous_c(
        count: Count, oldtype: MPI_Datatype, newtype: *mut MPI_Datatype
    ) on (), { derive(oldtype, newtype, |old| old.contiguous(FORM, count.value())) }

    /// Blocks at equal distances, in extents.
    fn MPI_Type_vector, PMPI_Type_vector / MPI_Type_vector_c, PMPI_Type_vector_c(
        count: Count, blocklength: Count, stride: Count, oldtype: MPI_Datatype, newtype: *mut MPI_Datatype
    ) on (), { derive(oldtype, newtype, |old| old.vector(FORM, count.value(), blocklength.value(), stride.value())) }

    /// Blocks at equal distances, in bytes.
    fn MPI_Type_create_hvector, PMPI_Type_create_hvector / MPI_Type_create_hvector_c, PMPI_Type_create_hvector_c(
        count: Count, blocklength: Count, stride: Bytes, oldtype: MPI_Datatype, newtype: *mut MPI_Datatype
    ) on (), { derive(oldtype, newtype, |old| old.hvector(FORM, count.value(), blocklength.value(), stride.value())) }

    /// Blocks at any displacements, in extents.
    fn MPI_Type_indexed, PMPI_Type_indexed / MPI_Type_indexed_c, PMPI_Type_indexed_c(
        count: Count, lengths: *const Count, displacements: *const Count, oldtype: MPI_Datatype,
        newtype: *mut MPI_Datatype
    ) on (), {
        let (lengths, displacements) = (numbers(lengths, count)?, numbers(displacements, count)?);
        derive(oldtype, newtype, |old| old.indexed(FORM, &lengths, &displacements))
    }

    /// Blocks at any displacements, in bytes.
    fn MPI_Type_create_hindexed, PMPI_Type_create_hindexed
        / MPI_Type_create_hindexed_c, PMPI_Type_create_hindexed_c(
        count: Count, lengths: *const Count, displacements: *const Bytes, oldtype: MPI_Datatype,
        newtype: *mut MPI_Datatype
    ) on (), {
        let (lengths, displacements) = (numbers(lengths, count)?, numbers(displacements, count)?);
        derive(oldtype, newtype, |old| old.hindexed(FORM, &lengths, &displacements))
    }

    /// Blocks of one length at any displacements, in extents.
    fn MPI_Type_create_indexed_block, PMPI_Type_create_indexed_block
        / MPI_Type_create_indexed_block_c, PMPI_Type_create_indexed_block_c(
        count: Count, blocklength: Count, displacements: *const Count, oldtype: MPI_Datatype,
        newtype: *mut MPI_Datatype
    ) on (), {
        let displacements = numbers(displacements, count)?;
        derive(oldtype, newtype, |old| old.indexed_block(FORM, blocklength.value(), &displacements))
    }

    /// Blocks of one length at any displacements, in bytes.
    fn MPI_Type_create_hindexed_block, PMPI_Type_create_hindexed_block
        / MPI_Type_create_hindexed_block_c, PMPI_Type_create_hindexed_block_c(
        count: Count, blocklength: Count, displacements: *const Bytes, oldtype: MPI_Datatype,
        newtype: *mut MPI_Datatype
    ) on (), {
        let displacements = numbers(displacements, count)?;
        derive(oldtype, newtype, |old| old.hindexed_block(FORM, blocklength.value(), &displacements))
    }

    /// Blocks of several types at any displacements, in bytes.
    fn MPI_Type_create_struct, PMPI_Type_create_struct / MPI_Type_create_struct_c, PMPI_Type_create_struct_c(
        count: Count, lengths: *const Count, displacements: *const Bytes, types: *const MPI_Datatype,
        newtype: *mut MPI_Datatype
    ) on (), { structure(FORM, &numbers(lengths, count)?, &numbers(displacements, count)?, types, newtype) }

    /// A block of an array.
    fn MPI_Type_create_subarray, PMPI_Type_create_subarray
        / MPI_Type_create_subarray_c, PMPI_Type_create_subarray_c(
        ndims: c_int, sizes: *const Count, subsizes: *const Count, starts: *const Count, order: c_int,
        oldtype: MPI_Datatype, newtype: *mut MPI_Datatype
    ) on (), {
        let (sizes, subsizes, starts) = (numbers(sizes, ndims)?, numbers(subsizes, ndims)?, numbers(starts, ndims)?);
        let array = Subarray { sizes: &sizes, subsizes: &subsizes, starts: &starts, order };
        derive(oldtype, newtype, |old| old.subarray(FORM, array))
    }

    /// A process's share of an array.
    fn MPI_Type_create_darray, PMPI_Type_create_darray / MPI_Type_create_darray_c, PMPI_Type_create_darray_c(
        size: c_int, rank: c_int, ndims: c_int, gsizes: *const Count, distribs: *const c_int, dargs: *const c_int,
        psizes: *const c_int, order: c_int, oldtype: MPI_Datatype, newtype: *mut MPI_Datatype
    ) on (), {
        let dimensions = distributions(&numbers(gsizes, ndims)?, distribs, dargs, psizes)?;
        let array = Darray { size, rank, dimensions: &dimensions, order };
        derive(oldtype, newtype, |old| old.darray(FORM, array))
    }

    /// The same data with other bounds.
    fn MPI_Type_create_resized, PMPI_Type_create_resized / MPI_Type_create_resized_c, PMPI_Type_create_resized_c(
        oldtype: MPI_Datatype, lb: Bytes, extent: Bytes, newtype: *mut MPI_Datatype
    ) on (), { derive(oldtype, newtype, |old| old.resized(FORM, lb.value(), extent.value())) }
}

mpi! {
    /// The same type again, with the attributes that their keys' functions want copied.
    fn MPI_Type_dup, PMPI_Type_dup(oldtype: MPI_Datatype, newtype: *mut MPI_Datatype) on (), {
        let made = {
            let mut state = state::enter();
            let made = state.datatype(oldtype)?.duplicate()?;
            keep(&mut state, made)
        };
        if let Err(error) = attribute::copy_all(Object::Type(oldtype), Object::Type(made)) {
            attribute::delete_all(Object::Type(made))?;
            state::enter().datatypes.remove(made)?;
            return Err(error);
        }
        set(newtype, made)
    }

    /// Allows a type's use in communication.
    fn MPI_Type_commit, PMPI_Type_commit(datatype: *mut MPI_Datatype) on (), {
        state::enter().datatype(value(datatype)?)?.commit();
        Ok(())
    }

    /// Gives a handle up. Communication that is under way keeps the type.
    fn MPI_Type_free, PMPI_Type_free(datatype: *mut MPI_Datatype) on (), {
        let handle = value(datatype)?;
        if state::enter().datatype(handle)?.is_predefined() {
            return Err(Error::new(MPI_ERR_TYPE, "a predefined datatype cannot be freed"));
        }
        attribute::delete_all(Object::Type(handle))?;
        state::enter().datatypes.remove(handle)?;
        set(datatype, MPI_DATATYPE_NULL)
    }

    /// The real type with a precision and a range.
    fn MPI_Type_create_f90_real, PMPI_Type_create_f90_real(
        precision: c_int, range: c_int, newtype: *mut MPI_Datatype
    ) on (), { set_f90(newtype, F90::Real(precision, range)) }

    /// The complex type with a precision and a range.
    fn MPI_Type_create_f90_complex, PMPI_Type_create_f90_complex(
        precision: c_int, range: c_int, newtype: *mut MPI_Datatype
    ) on (), { set_f90(newtype, F90::Complex(precision, range)) }

    /// The integer type with a range.
    fn MPI_Type_create_f90_integer, PMPI_Type_create_f90_integer(range: c_int, newtype: *mut MPI_Datatype) on (), {
        set_f90(newtype, F90::Integer(range))
    }

    /// The named type of a class with a size.
    fn MPI_Type_match_size, PMPI_Type_match_size(
        typeclass: c_int, size: c_int, datatype: *mut MPI_Datatype
    ) on (), { set(datatype, datatype::match_size(typeclass, size)?) }

    /// The type of pairs of a value and an index.
    fn MPI_Type_get_value_index, PMPI_Type_get_value_index(
        value_type: MPI_Datatype, index_type: MPI_Datatype, pair_type: *mut MPI_Datatype
    ) on (), { set(pair_type, value_index(value_type, index_type)?) }
}
