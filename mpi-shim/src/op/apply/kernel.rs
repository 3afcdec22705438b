//! The loops of the predefined operations over each type of element.

use crate::datatype::{Basic, Float, Width};
use crate::op::Kind;
use crate::op::number::{Complex, Extended, Half, Number, Quad};
use std::mem::MaybeUninit;

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
    /// True if the result is one of the two. Written over that one, the compiler makes stores under a mask of it, which
    /// take four times as long; so such results are written elsewhere first.
    const SELECTS: bool;

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
    ($($name:ident: $bound:ident, $selects:literal, |$left:ident, $right:ident| $result:expr;)*) => {$(
        struct $name;

        impl<T: $bound> Operator<T> for $name {
            const SELECTS: bool = $selects;

            #[inline(always)]
            fn combine($left: T, $right: T) -> T {
                $result
            }
        }
    )*};
}

operators! {
    Sum: Number, false, |left, right| left.plus(right);
    Product: Number, false, |left, right| left.times(right);
    Minimum: Number, true, |left, right| if left.less(right) { left } else { right };
    Maximum: Number, true, |left, right| if right.less(left) { left } else { right };
    BitAnd: Bits, false, |left, right| left & right;
    BitOr: Bits, false, |left, right| left | right;
    BitXor: Bits, false, |left, right| left ^ right;
    And: Bits, false, |left, right| T::truth(left.is_true() & right.is_true());
    Or: Bits, false, |left, right| T::truth(left.is_true() | right.is_true());
    Xor: Bits, false, |left, right| T::truth(left.is_true() ^ right.is_true());
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
    let over = std::ptr::eq(out, right) || std::ptr::eq(out, left);
    // SAFETY (all arms): the caller's promise; an alias of `out` has the elements of the operand that it replaces.
    if O::SELECTS && over {
        // SAFETY: above.
        unsafe { staged::<T, O>(left, right, out, count) }
    } else if std::ptr::eq(out, right) {
        // SAFETY: above.
        unsafe { each::<T, O>(left, out, out, count) }
    } else if over {
        // SAFETY: above.
        unsafe { each::<T, O>(out, right, out, count) }
    } else {
        // SAFETY: above.
        unsafe { each::<T, O>(left, right, out, count) }
    }
}

/// # Safety
/// As for [`run`].
#[inline(always)]
unsafe fn each<T: Number, O: Operator<T>>(left: *const T, right: *const T, out: *mut T, count: usize) {
    for index in 0..count {
        // SAFETY: the index is below `count`; the rest is the caller's promise.
        unsafe {
            let result = O::combine(left.add(index).read_unaligned(), right.add(index).read_unaligned());
            out.add(index).write_unaligned(result);
        }
    }
}

/// The loop by way of a place in the cache.
///
/// # Safety
/// As for [`run`].
#[inline(always)]
unsafe fn staged<T: Number, O: Operator<T>>(left: *const T, right: *const T, out: *mut T, count: usize) {
    let mut stage = MaybeUninit::<[u64; 256]>::uninit();
    let room = size_of_val(&stage) / size_of::<T>();
    let mut done = 0;
    while done < count {
        let now = (count - done).min(room);
        // SAFETY: `now` elements from `done` on are within `count`, and within the stage, where they are written
        // before they are copied.
        unsafe {
            each::<T, O>(left.add(done), right.add(done), stage.as_mut_ptr().cast(), now);
            let to = out.add(done).cast::<u8>();
            std::ptr::copy_nonoverlapping(stage.as_ptr().cast::<u8>(), to, now * size_of::<T>());
        }
        done += now;
    }
}
