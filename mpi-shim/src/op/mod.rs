//! Operations of reductions: the standard's, and those that programs make.

mod apply;
mod number;
mod soft;

pub use apply::{apply, combine};

use crate::abi::{
    MPI_BAND, MPI_BOR, MPI_BXOR, MPI_Count, MPI_Datatype, MPI_ERR_OP, MPI_LAND, MPI_LOR, MPI_LXOR, MPI_MAX, MPI_MAXLOC,
    MPI_MIN, MPI_MINLOC, MPI_NO_OP, MPI_OP_NULL, MPI_Op, MPI_PROD, MPI_REPLACE, MPI_SUM,
};
use crate::datatype::{Datatype, Family};
use crate::error::{Error, Result};
use std::ffi::{c_int, c_void};
use std::sync::Arc;

/// A user's function with `int` counts.
pub type UserFunction = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_int, *mut MPI_Datatype);
/// A user's function with large counts.
pub type UserFunctionLarge = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut MPI_Count, *mut MPI_Datatype);

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// Whether the order of its arguments is free.
    pub commutative: bool,
    function: Function,
}

/// What an operation does.
#[derive(Clone, Copy, Debug)]
enum Function {
    Predefined(Kind),
    User(UserFunction),
    UserLarge(UserFunctionLarge),
}

/// A predefined operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sum,
    Min,
    Max,
    Prod,
    Band,
    Bor,
    Bxor,
    Land,
    Lor,
    Lxor,
    Minloc,
    Maxloc,
    Replace,
    NoOp,
}

/// Handle, name and meaning of the predefined operations, in the order of their handles.
const PREDEFINED: [(MPI_Op, &str, Kind); 14] = [
    (MPI_SUM, "MPI_SUM", Kind::Sum),
    (MPI_MIN, "MPI_MIN", Kind::Min),
    (MPI_MAX, "MPI_MAX", Kind::Max),
    (MPI_PROD, "MPI_PROD", Kind::Prod),
    (MPI_BAND, "MPI_BAND", Kind::Band),
    (MPI_BOR, "MPI_BOR", Kind::Bor),
    (MPI_BXOR, "MPI_BXOR", Kind::Bxor),
    (MPI_LAND, "MPI_LAND", Kind::Land),
    (MPI_LOR, "MPI_LOR", Kind::Lor),
    (MPI_LXOR, "MPI_LXOR", Kind::Lxor),
    (MPI_MINLOC, "MPI_MINLOC", Kind::Minloc),
    (MPI_MAXLOC, "MPI_MAXLOC", Kind::Maxloc),
    (MPI_REPLACE, "MPI_REPLACE", Kind::Replace),
    (MPI_NO_OP, "MPI_NO_OP", Kind::NoOp),
];

impl Op {
    /// A program's operation.
    pub fn user(function: UserFunction, commutative: bool) -> Self {
        Self { commutative, function: Function::User(function) }
    }

    /// A program's operation that takes large counts.
    pub fn user_large(function: UserFunctionLarge, commutative: bool) -> Self {
        Self { commutative, function: Function::UserLarge(function) }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        PREDEFINED.iter().find(|row| row.2 == self).map_or("the operation", |row| row.1)
    }

    fn is_bitwise(self) -> bool {
        matches!(self, Self::Band | Self::Bor | Self::Bxor)
    }

    /// Whether the standard defines it for a family of types (MPI 5.0, section 6.9.2 and following).
    fn takes(self, family: Family) -> bool {
        use Family::{Byte, CInteger, Complex, Floating, FortranInteger, Logical, MultiLanguage, Pair};
        match self {
            Self::Min | Self::Max => matches!(family, CInteger | FortranInteger | Floating | MultiLanguage),
            Self::Sum | Self::Prod => matches!(family, CInteger | FortranInteger | Floating | Complex | MultiLanguage),
            Self::Land | Self::Lor | Self::Lxor => matches!(family, CInteger | Logical),
            Self::Band | Self::Bor | Self::Bxor => matches!(family, CInteger | FortranInteger | Byte | MultiLanguage),
            Self::Minloc | Self::Maxloc => family == Pair,
            // For one-sided communication only.
            Self::Replace | Self::NoOp => false,
        }
    }
}

/// Whether an operation can be applied to a type.
pub fn check(op: &Op, datatype: &Datatype) -> Result<()> {
    match op.function {
        Function::Predefined(kind) if !datatype.role().is_some_and(|role| kind.takes(role.family)) => {
            Err(undefined(kind, datatype))
        }
        _ => Ok(()),
    }
}

#[cold]
fn undefined(kind: Kind, datatype: &Datatype) -> Error {
    let name = datatype.name();
    let of = if name.is_empty() { "a derived datatype".into() } else { name.to_string_lossy() };
    let text = match kind {
        Kind::Replace | Kind::NoOp => format!("{} is for one-sided communication only", kind.name()),
        _ => format!("{} is not defined for {of}; make an operation with MPI_Op_create", kind.name()),
    };
    Error::new(MPI_ERR_OP, text)
}

/// The predefined operations, from `MPI_OP_NULL` on.
pub fn predefined() -> Vec<Option<Arc<Op>>> {
    let mut all = Vec::new();
    for (handle, _, kind) in PREDEFINED {
        all.resize_with(handle.0 - MPI_OP_NULL.0 + 1, || None);
        let commutative = !matches!(kind, Kind::Replace | Kind::NoOp);
        all[handle.0 - MPI_OP_NULL.0] = Some(Arc::new(Op { commutative, function: Function::Predefined(kind) }));
    }
    all
}
