//! The predefined datatypes of the ABI: handle, name and what they are made of.

use super::basic::Basic::{
    self, Byte, Character, Complex, Logical, Long, Real, Signed, Unsigned, UnsignedLong, WideCharacter,
};
use super::basic::Float::{self, Double, Half, Quad, Single};
use super::basic::Width::{W1, W2, W4, W8, W16};
use std::ffi::{CStr, c_char};

/// The family of a predefined type, by which the standard says what operations take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// C integers.
    CInteger,
    /// Fortran integers.
    FortranInteger,
    /// Floating-point numbers of both languages.
    Floating,
    /// Truth values of all languages.
    Logical,
    /// Complex numbers of all languages.
    Complex,
    /// `MPI_BYTE`.
    Byte,
    /// `MPI_AINT`, `MPI_OFFSET`, `MPI_COUNT`.
    MultiLanguage,
    /// A value and an index.
    Pair,
    /// Moved only: characters, `MPI_PACKED`.
    Opaque,
}

/// What a predefined type is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One element.
    One(Basic),
    /// A value followed by an index, as a C compiler lays out the structure of the two.
    Pair(Basic, Basic),
}

/// One row of the table of predefined types.
#[derive(Clone, Copy, Debug)]
pub(super) struct Predefined {
    /// The handle's value.
    pub handle: usize,
    /// The constant's name, which is also the type's initial name.
    pub name: &'static CStr,
    /// Its family.
    pub family: Family,
    /// What it is made of.
    pub shape: Shape,
}

const fn one(handle: usize, name: &'static CStr, family: Family, basic: Basic) -> Predefined {
    Predefined { handle, name, family, shape: Shape::One(basic) }
}

const fn pair(handle: usize, name: &'static CStr, value: Basic, index: Basic) -> Predefined {
    Predefined { handle, name, family: Family::Pair, shape: Shape::Pair(value, index) }
}

const C_INT: Basic = Signed(W4);
const C_CHAR: Basic = if c_char::MIN < 0 { Signed(W1) } else { Unsigned(W1) };

/// All predefined types, in the order of their handles.
pub(super) static PREDEFINED: [Predefined; 70] = [
    one(0x201, c"MPI_AINT", Family::MultiLanguage, Signed(W8)),
    one(0x202, c"MPI_COUNT", Family::MultiLanguage, Signed(W8)),
    one(0x203, c"MPI_OFFSET", Family::MultiLanguage, Signed(W8)),
    one(0x207, c"MPI_PACKED", Family::Opaque, Byte),
    one(0x208, c"MPI_SHORT", Family::CInteger, Signed(W2)),
    one(0x209, c"MPI_INT", Family::CInteger, Signed(W4)),
    one(0x20a, c"MPI_LONG", Family::CInteger, Long),
    one(0x20b, c"MPI_LONG_LONG", Family::CInteger, Signed(W8)),
    one(0x20c, c"MPI_UNSIGNED_SHORT", Family::CInteger, Unsigned(W2)),
    one(0x20d, c"MPI_UNSIGNED", Family::CInteger, Unsigned(W4)),
    one(0x20e, c"MPI_UNSIGNED_LONG", Family::CInteger, UnsignedLong),
    one(0x20f, c"MPI_UNSIGNED_LONG_LONG", Family::CInteger, Unsigned(W8)),
    one(0x210, c"MPI_FLOAT", Family::Floating, Real(Single)),
    one(0x212, c"MPI_C_FLOAT_COMPLEX", Family::Complex, Complex(Single)),
    one(0x213, c"MPI_CXX_FLOAT_COMPLEX", Family::Complex, Complex(Single)),
    one(0x214, c"MPI_DOUBLE", Family::Floating, Real(Double)),
    one(0x216, c"MPI_C_DOUBLE_COMPLEX", Family::Complex, Complex(Double)),
    one(0x217, c"MPI_CXX_DOUBLE_COMPLEX", Family::Complex, Complex(Double)),
    one(0x218, c"MPI_LOGICAL", Family::Logical, Logical(W4)),
    one(0x219, c"MPI_INTEGER", Family::FortranInteger, Signed(W4)),
    one(0x21a, c"MPI_REAL", Family::Floating, Real(Single)),
    one(0x21b, c"MPI_COMPLEX", Family::Complex, Complex(Single)),
    one(0x21c, c"MPI_DOUBLE_PRECISION", Family::Floating, Real(Double)),
    one(0x21d, c"MPI_DOUBLE_COMPLEX", Family::Complex, Complex(Double)),
    one(0x21e, c"MPI_CHARACTER", Family::Opaque, Character),
    one(0x220, c"MPI_LONG_DOUBLE", Family::Floating, Real(Float::LONG_DOUBLE)),
    one(0x224, c"MPI_C_LONG_DOUBLE_COMPLEX", Family::Complex, Complex(Float::LONG_DOUBLE)),
    one(0x225, c"MPI_CXX_LONG_DOUBLE_COMPLEX", Family::Complex, Complex(Float::LONG_DOUBLE)),
    pair(0x228, c"MPI_FLOAT_INT", Real(Single), C_INT),
    pair(0x229, c"MPI_DOUBLE_INT", Real(Double), C_INT),
    pair(0x22a, c"MPI_LONG_INT", Long, C_INT),
    pair(0x22b, c"MPI_2INT", C_INT, C_INT),
    pair(0x22c, c"MPI_SHORT_INT", Signed(W2), C_INT),
    pair(0x22d, c"MPI_LONG_DOUBLE_INT", Real(Float::LONG_DOUBLE), C_INT),
    pair(0x230, c"MPI_2REAL", Real(Single), Real(Single)),
    pair(0x231, c"MPI_2DOUBLE_PRECISION", Real(Double), Real(Double)),
    pair(0x232, c"MPI_2INTEGER", C_INT, C_INT),
    one(0x238, c"MPI_C_BOOL", Family::Logical, Logical(W1)),
    one(0x239, c"MPI_CXX_BOOL", Family::Logical, Logical(W1)),
    one(0x23c, c"MPI_WCHAR", Family::Opaque, WideCharacter),
    one(0x240, c"MPI_INT8_T", Family::CInteger, Signed(W1)),
    one(0x241, c"MPI_UINT8_T", Family::CInteger, Unsigned(W1)),
    // The standard leaves it out of reductions; MPICH and Open MPI take it as an integer, and programs count on that.
    one(0x243, c"MPI_CHAR", Family::CInteger, C_CHAR),
    one(0x244, c"MPI_SIGNED_CHAR", Family::CInteger, Signed(W1)),
    one(0x245, c"MPI_UNSIGNED_CHAR", Family::CInteger, Unsigned(W1)),
    one(0x247, c"MPI_BYTE", Family::Byte, Byte),
    one(0x248, c"MPI_INT16_T", Family::CInteger, Signed(W2)),
    one(0x249, c"MPI_UINT16_T", Family::CInteger, Unsigned(W2)),
    one(0x250, c"MPI_INT32_T", Family::CInteger, Signed(W4)),
    one(0x251, c"MPI_UINT32_T", Family::CInteger, Unsigned(W4)),
    one(0x258, c"MPI_INT64_T", Family::CInteger, Signed(W8)),
    one(0x259, c"MPI_UINT64_T", Family::CInteger, Unsigned(W8)),
    one(0x2c0, c"MPI_LOGICAL1", Family::Logical, Logical(W1)),
    one(0x2c1, c"MPI_INTEGER1", Family::FortranInteger, Signed(W1)),
    one(0x2c8, c"MPI_LOGICAL2", Family::Logical, Logical(W2)),
    one(0x2c9, c"MPI_INTEGER2", Family::FortranInteger, Signed(W2)),
    one(0x2ca, c"MPI_REAL2", Family::Floating, Real(Half)),
    one(0x2d0, c"MPI_LOGICAL4", Family::Logical, Logical(W4)),
    one(0x2d1, c"MPI_INTEGER4", Family::FortranInteger, Signed(W4)),
    one(0x2d2, c"MPI_REAL4", Family::Floating, Real(Single)),
    one(0x2d3, c"MPI_COMPLEX4", Family::Complex, Complex(Half)),
    one(0x2d8, c"MPI_LOGICAL8", Family::Logical, Logical(W8)),
    one(0x2d9, c"MPI_INTEGER8", Family::FortranInteger, Signed(W8)),
    one(0x2da, c"MPI_REAL8", Family::Floating, Real(Double)),
    one(0x2db, c"MPI_COMPLEX8", Family::Complex, Complex(Single)),
    one(0x2e0, c"MPI_LOGICAL16", Family::Logical, Logical(W16)),
    one(0x2e1, c"MPI_INTEGER16", Family::FortranInteger, Signed(W16)),
    one(0x2e2, c"MPI_REAL16", Family::Floating, Real(Quad)),
    one(0x2e3, c"MPI_COMPLEX16", Family::Complex, Complex(Double)),
    one(0x2eb, c"MPI_COMPLEX32", Family::Complex, Complex(Quad)),
];
