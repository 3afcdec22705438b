//! Types that are found by what they hold: Fortran's kinds, sizes, and pairs of a value and an index.

use super::basic::{Basic, Float, Width};
use super::contents::Contents;
use super::predefined::{Family, PREDEFINED, Shape};
use super::typemap::TypeMap;
use super::{Core, Datatype, Role};
use crate::abi::{
    MPI_COMBINER_F90_COMPLEX, MPI_COMBINER_F90_INTEGER, MPI_COMBINER_F90_REAL, MPI_Datatype, MPI_ERR_ARG,
    MPI_TYPECLASS_COMPLEX, MPI_TYPECLASS_INTEGER, MPI_TYPECLASS_REAL, MPI_UNDEFINED, MPIX_TYPECLASS_LOGICAL,
};
use crate::error::{Error, Result};
use std::ffi::c_int;

/// A request for one of Fortran's kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum F90 {
    /// `selected_real_kind(precision, range)`.
    Real(c_int, c_int),
    /// The complex type of the same.
    Complex(c_int, c_int),
    /// `selected_int_kind(range)`.
    Integer(c_int),
}

impl F90 {
    /// The basic type with the least size that is enough.
    fn basic(self) -> Result<Basic> {
        match self {
            Self::Real(precision, range) => Ok(Basic::Real(float_for(precision, range)?)),
            Self::Complex(precision, range) => Ok(Basic::Complex(float_for(precision, range)?)),
            Self::Integer(range) => {
                let widths = [(Width::W1, 2), (Width::W2, 4), (Width::W4, 9), (Width::W8, 18), (Width::W16, 38)];
                let found = widths.iter().find(|&&(_, digits)| range <= digits);
                let none =
                    || Error::new(MPI_ERR_ARG, format!("no integer type has {range} decimal digits: 38 at most"));
                Ok(Basic::Signed(found.ok_or_else(none)?.0))
            }
        }
    }
}

/// Decimal digits and exponent range of Fortran's real kinds.
fn float_for(precision: c_int, range: c_int) -> Result<Float> {
    if precision == MPI_UNDEFINED && range == MPI_UNDEFINED {
        return Err(Error::new(MPI_ERR_ARG, "precision and range are both MPI_UNDEFINED"));
    }
    let kinds = [(Float::Single, 6, 37), (Float::Double, 15, 307), (Float::Quad, 33, 4931)];
    let found = kinds.iter().find(|&&(_, digits, exponent)| precision <= digits && range <= exponent);
    let none = || {
        let text = format!("no real type has {precision} digits and exponents to {range}: 33 and 4931 at most");
        Error::new(MPI_ERR_ARG, text)
    };
    Ok(found.ok_or_else(none)?.0)
}

impl Datatype {
    /// The predefined type without a name that `MPI_Type_create_f90_real` and its like give. The caller keeps one for
    /// each request, and makes it permanent.
    pub fn f90(request: F90) -> Result<Self> {
        let basic = request.basic()?;
        let (combiner, arguments, family) = match request {
            F90::Real(precision, range) => (MPI_COMBINER_F90_REAL, vec![precision, range], Family::Floating),
            F90::Complex(precision, range) => (MPI_COMBINER_F90_COMPLEX, vec![precision, range], Family::Complex),
            F90::Integer(range) => (MPI_COMBINER_F90_INTEGER, vec![range], Family::FortranInteger),
        };
        let role = Role { family, shape: Shape::One(basic) };
        let contents = Contents::new(combiner).integers(&arguments);
        Ok(Self::of_core(Core::new(TypeMap::of_shape(role.shape)?, contents, Some(role))?))
    }
}

/// The named type of pairs of these two, where the standard has one.
pub fn named_pair(value: MPI_Datatype, index: MPI_Datatype) -> Option<MPI_Datatype> {
    use crate::abi::*;
    let pairs = [
        (MPI_FLOAT, MPI_INT, MPI_FLOAT_INT),
        (MPI_DOUBLE, MPI_INT, MPI_DOUBLE_INT),
        (MPI_LONG, MPI_INT, MPI_LONG_INT),
        (MPI_INT, MPI_INT, MPI_2INT),
        (MPI_SHORT, MPI_INT, MPI_SHORT_INT),
        (MPI_LONG_DOUBLE, MPI_INT, MPI_LONG_DOUBLE_INT),
        (MPI_REAL, MPI_REAL, MPI_2REAL),
        (MPI_DOUBLE_PRECISION, MPI_DOUBLE_PRECISION, MPI_2DOUBLE_PRECISION),
        (MPI_INTEGER, MPI_INTEGER, MPI_2INTEGER),
    ];
    pairs.iter().find(|row| (row.0, row.1) == (value, index)).map(|row| row.2)
}

/// The named type of a class with this size in bytes (`MPI_Type_match_size`).
pub fn match_size(class: c_int, size: c_int) -> Result<MPI_Datatype> {
    let prefix = match class {
        MPIX_TYPECLASS_LOGICAL => "MPI_LOGICAL",
        MPI_TYPECLASS_INTEGER => "MPI_INTEGER",
        MPI_TYPECLASS_REAL => "MPI_REAL",
        MPI_TYPECLASS_COMPLEX => "MPI_COMPLEX",
        _ => {
            let text = format!("{class} is not a type class: MPI_TYPECLASS_REAL, _INTEGER or _COMPLEX");
            return Err(Error::new(MPI_ERR_ARG, text));
        }
    };
    let name = format!("{prefix}{size}");
    let row = PREDEFINED.iter().find(|row| row.name.to_bytes() == name.as_bytes());
    let none = || Error::new(MPI_ERR_ARG, format!("no type {name}: {size} bytes are not a size of that class"));
    row.map(|row| MPI_Datatype(row.handle)).ok_or_else(none)
}
