//! The loops of the predefined operations over each type of element.

use crate::datatype::{Basic, Float, Width};
use crate::op::Kind;
use crate::op::number::{Complex, Extended, Half, Number, Quad};

/// Combines two arrays into a third one, which may be either of them.
pub(super) type Kernel = unsafe fn(*const u8, *const u8, *mut u8, usize);

/// The loop of an operation over a type, if it is defined.
pub(super) fn of(kind: Kind, basic: Basic) -> Option<Kernel> {
    match kind {
        Kind::Sum => arithmetic::<Sum>(basic),
        Kind::Prod => arithmetic::<Product>(basic),
        Kind::Min => ordered::<Minimum>(basic),
        Kind::Max => ordered::<Maximum>(basic),
        Kind::Band => Some(run::<u8, BitAnd>),
        Kind::Bor => Some(run::<u8, BitOr>),
        Kind::Bxor => Some(run::<u8, BitXor>),
        Kind::Land => logical::<And>(basic),
        Kind::Lor => logical::<Or>(basic),
        Kind::Lxor => logical::<Xor>(basic),
        Kind::Minloc | Kind::Maxloc | Kind::Replace | Kind::NoOp => None,
    }
}

/// Sums and products: two's complement makes them the same for signed and unsigned integers.
fn arithmetic<O: ForNumbers>(basic: Basic) -> Option<Kernel> {
    Some(match basic {
        Basic::Signed(width) | Basic::Unsigned(width) => match width {
            Width::W1 => run::<u8, O>,
            Width::W2 => run::<u16, O>,
            Width::W4 => run::<u32, O>,
            Width::W8 => run::<u64, O>,
            Width::W16 => run::<u128, O>,
        },
        Basic::Long | Basic::UnsignedLong => run::<u64, O>,
        Basic::Real(float) => real::<O>(float),
        Basic::Complex(float) => match float {
            Float::Half => run::<Complex<Half>, O>,
            Float::Single => run::<Complex<f32>, O>,
            Float::Double => run::<Complex<f64>, O>,
            Float::Extended => run::<Complex<Extended>, O>,
            Float::Quad => run::<Complex<Quad>, O>,
        },
        _ => return None,
    })
}

fn real<O: ForNumbers>(float: Float) -> Kernel {
    match float {
        Float::Half => run::<Half, O>,
        Float::Single => run::<f32, O>,
        Float::Double => run::<f64, O>,
        Float::Extended => run::<Extended, O>,
        Float::Quad => run::<Quad, O>,
    }
}

fn ordered<O: ForNumbers>(basic: Basic) -> Option<Kernel> {
    Some(match basic {
        Basic::Signed(width) => match width {
            Width::W1 => run::<i8, O>,
            Width::W2 => run::<i16, O>,
            Width::W4 => run::<i32, O>,
            Width::W8 => run::<i64, O>,
            Width::W16 => run::<i128, O>,
        },
        Basic::Long => run::<i64, O>,
        Basic::Real(float) => real::<O>(float),
        Basic::Unsigned(_) | Basic::UnsignedLong => return arithmetic::<O>(basic),
        _ => return None,
    })
}

fn logical<O>(basic: Basic) -> Option<Kernel>
where
    O: Operator<u8> + Operator<u16> + Operator<u32> + Operator<u64> + Operator<u128>,
{
    let width = match basic {
        Basic::Signed(width) | Basic::Unsigned(width) | Basic::Logical(width) => width,
        Basic::Long | Basic::UnsignedLong => Width::W8,
        _ => return None,
    };
    Some(match width {
        Width::W1 => run::<u8, O>,
        Width::W2 => run::<u16, O>,
        Width::W4 => run::<u32, O>,
        Width::W8 => run::<u64, O>,
        Width::W16 => run::<u128, O>,
    })
}

/// What is done to two elements.
trait Operator<T> {
    fn combine(left: T, right: T) -> T;
}

/// An operator for every type of number.
trait ForNumbers:
    Operator<u8>
    + Operator<u16>
    + Operator<u32>
    + Operator<u64>
    + Operator<u128>
    + Operator<i8>
    + Operator<i16>
    + Operator<i32>
    + Operator<i64>
    + Operator<i128>
    + Operator<Half>
    + Operator<f32>
    + Operator<f64>
    + Operator<Extended>
    + Operator<Quad>
    + Operator<Complex<Half>>
    + Operator<Complex<f32>>
    + Operator<Complex<f64>>
    + Operator<Complex<Extended>>
    + Operator<Complex<Quad>>
{
}

macro_rules! operators {
    ($($name:ident: $bound:ident, |$left:ident, $right:ident| $result:expr;)*) => {$(
        struct $name;

        impl<T: $bound> Operator<T> for $name {
            #[inline(always)]
            fn combine($left: T, $right: T) -> T {
                $result
            }
        }
    )*};
}

operators! {
    Sum: Number, |left, right| left.plus(right);
    Product: Number, |left, right| left.times(right);
    Minimum: Number, |left, right| if left.less(right) { left } else { right };
    Maximum: Number, |left, right| if right.less(left) { left } else { right };
    BitAnd: Bits, |left, right| left & right;
    BitOr: Bits, |left, right| left | right;
    BitXor: Bits, |left, right| left ^ right;
    And: Bits, |left, right| T::truth(left.is_true() & right.is_true());
    Or: Bits, |left, right| T::truth(left.is_true() | right.is_true());
    Xor: Bits, |left, right| T::truth(left.is_true() ^ right.is_true());
}

impl ForNumbers for Sum {}
impl ForNumbers for Product {}
impl ForNumbers for Minimum {}
impl ForNumbers for Maximum {}

/// Unsigned integers as bits and as truth values.
trait Bits:
    Number + std::ops::BitAnd<Output = Self> + std::ops::BitOr<Output = Self> + std::ops::BitXor<Output = Self>
{
    fn is_true(self) -> bool;
    fn truth(value: bool) -> Self;
}

macro_rules! bits {
    ($($type:ty)*) => {$(
        impl Bits for $type {
            #[inline(always)]
            fn is_true(self) -> bool {
                self != 0
            }

            #[inline(always)]
            fn truth(value: bool) -> Self {
                value.into()
            }
        }
    )*};
}
bits!(u8 u16 u32 u64 u128);

/// Runs a loop with the widest vectors that the machine has.
///
/// # Safety
/// `count` elements at `left` and `right` are readable, and at `out` writable; `out` may be either of the others.
unsafe fn run<T: Number, O: Operator<T>>(left: *const u8, right: *const u8, out: *mut u8, count: usize) {
    #[cfg(target_arch = "x86_64")]
    if T::VECTOR && count * size_of::<T>() > 64 && is_x86_feature_detected!("avx2") {
        // SAFETY: the machine has AVX2; the rest is the caller's promise.
        return unsafe { run_avx2::<T, O>(left.cast(), right.cast(), out.cast(), count) };
    }
    // SAFETY: the caller's promise.
    unsafe { body::<T, O>(left.cast(), right.cast(), out.cast(), count) }
}

/// The loop for machines with AVX2.
///
/// # Safety
/// As for [`run`], and the machine has AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn run_avx2<T: Number, O: Operator<T>>(left: *const T, right: *const T, out: *mut T, count: usize) {
    // SAFETY: the caller's promise.
    unsafe { body::<T, O>(left, right, out, count) }
}

/// The loop, in a form for each way in which `out` may be one of the others: then at most one check for overlap is left for
/// the compiler to make before it uses vectors.
///
/// # Safety
/// As for [`run`].
#[inline(always)]
unsafe fn body<T: Number, O: Operator<T>>(left: *const T, right: *const T, out: *mut T, count: usize) {
    // SAFETY (all loops): the indices are below `count`; the rest is the caller's promise.
    if std::ptr::eq(out, right) {
        for index in 0..count {
            // SAFETY: above.
            unsafe {
                let result = O::combine(left.add(index).read_unaligned(), out.add(index).read_unaligned());
                out.add(index).write_unaligned(result);
            }
        }
    } else if std::ptr::eq(out, left) {
        for index in 0..count {
            // SAFETY: above.
            unsafe {
                let result = O::combine(out.add(index).read_unaligned(), right.add(index).read_unaligned());
                out.add(index).write_unaligned(result);
            }
        }
    } else {
        for index in 0..count {
            // SAFETY: above.
            unsafe {
                let result = O::combine(left.add(index).read_unaligned(), right.add(index).read_unaligned());
                out.add(index).write_unaligned(result);
            }
        }
    }
}
