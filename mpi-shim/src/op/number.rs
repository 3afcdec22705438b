//! The numbers that operations calculate with.

use super::soft::{Binary80, Binary128};
use std::hint::select_unpredictable;

/// A number with sums, products and an order.
pub(super) trait Number: Copy {
    /// True if loops over it gain from wider vectors.
    const VECTOR: bool;

    fn plus(self, other: Self) -> Self;
    fn times(self, other: Self) -> Self;
    /// False with a NaN.
    fn less(self, other: Self) -> bool;
}

/// A number that complex numbers are made of.
pub(super) trait Component: Number {
    fn negated(self) -> Self;
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Number for $type {
            const VECTOR: bool = size_of::<$type>() <= 8;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }

            #[inline(always)]
            fn less(self, other: Self) -> bool {
                self < other
            }
        }
    )*};
}
integers!(i8 i16 i32 i64 i128 u8 u16 u32 u64 u128);

macro_rules! floats {
    ($($type:ty)*) => {$(
        impl Number for $type {
            const VECTOR: bool = true;

            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self + other
            }

            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self * other
            }

            #[inline(always)]
            fn less(self, other: Self) -> bool {
                self < other
            }
        }

        impl Component for $type {
            #[inline(always)]
            fn negated(self) -> Self {
                -self
            }
        }
    )*};
}
floats!(f32 f64);

/// IEEE binary128, by software.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Quad(pub(super) u128);

/// The x87's 80 bits in 16 bytes, by software: the same results as the machine's, on any machine.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(super) struct Extended(pub(super) u128);

macro_rules! soft_floats {
    ($($type:ident $soft:ident)*) => {$(
        impl Number for $type {
            const VECTOR: bool = false;

            fn plus(self, other: Self) -> Self {
                Self($soft::from_bits(self.0).plus($soft::from_bits(other.0)).to_bits())
            }

            fn times(self, other: Self) -> Self {
                Self($soft::from_bits(self.0).times($soft::from_bits(other.0)).to_bits())
            }

            fn less(self, other: Self) -> bool {
                $soft::from_bits(self.0).less($soft::from_bits(other.0))
            }
        }

        impl Component for $type {
            fn negated(self) -> Self {
                Self($soft::from_bits(self.0).negated().to_bits())
            }
        }
    )*};
}
soft_floats!(Quad Binary128 Extended Binary80);

/// IEEE binary16. Sums and products are calculated in binary32 and rounded: it has more than twice the significant
/// bits, so that rounding twice is the same as rounding once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Half(pub(super) u16);

impl Half {
    /// The same number, wider. All cases are calculated and one is selected, so that loops can be vectorised.
    #[inline(always)]
    pub(super) fn widen(self) -> f32 {
        let sign = u32::from(self.0 >> 15) << 31;
        let magnitude = u32::from(self.0 & 0x7fff);
        // 2^-24 is the unit of subnormal numbers.
        let subnormal = (magnitude as i32 as f32 * f32::from_bits(103 << 23)).to_bits();
        let rebias = select_unpredictable(magnitude < 0x7c00, 112 << 23, 224 << 23);
        let normal = (magnitude << 13) + rebias;
        f32::from_bits(sign | select_unpredictable(magnitude < 0x400, subnormal, normal))
    }

    /// The nearest number, ties to even.
    #[inline(always)]
    pub(super) fn narrow(value: f32) -> Self {
        let bits = value.to_bits();
        let sign = bits >> 16 & 0x8000;
        let magnitude = bits & 0x7fff_ffff;
        // Adding 0.5 leaves a subnormal number's fraction, in units of 2^-24, rounded in the last bits of the sum.
        let subnormal = (f32::from_bits(magnitude) + 0.5).to_bits().wrapping_sub(0.5_f32.to_bits());
        let rounded = magnitude.wrapping_sub(112 << 23).wrapping_add(0xfff + (magnitude >> 13 & 1));
        let normal = (rounded >> 13).min(0x7c00);
        let finite = select_unpredictable(magnitude < 113 << 23, subnormal, normal);
        Self((sign | select_unpredictable(magnitude > 0xff << 23, 0x7e00, finite)) as u16)
    }
}

impl Number for Half {
    const VECTOR: bool = true;

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self::narrow(self.widen() + other.widen())
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        Self::narrow(self.widen() * other.widen())
    }

    #[inline(always)]
    fn less(self, other: Self) -> bool {
        self.widen() < other.widen()
    }
}

impl Component for Half {
    #[inline(always)]
    fn negated(self) -> Self {
        Self(self.0 ^ 0x8000)
    }
}

/// A complex number: real part, imaginary part.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Complex<T>(T, T);

impl<T: Component> Number for Complex<T> {
    const VECTOR: bool = T::VECTOR;

    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        Self(self.0.plus(other.0), self.1.plus(other.1))
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        let real = self.0.times(other.0).plus(self.1.times(other.1).negated());
        Self(real, self.0.times(other.1).plus(self.1.times(other.0)))
    }

    /// Complex numbers have no order; no operation that needs one takes them.
    fn less(self, _: Self) -> bool {
        false
    }
}
