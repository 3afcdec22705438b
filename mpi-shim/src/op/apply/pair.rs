//! `MPI_MINLOC` and `MPI_MAXLOC`: the extreme value, and the lowest index that has it.

use crate::datatype::{Basic, Float, Width};
use crate::op::number::{Extended, Half, Number, Quad};

/// How pairs lie in memory, and which is looked for.
#[derive(Clone, Copy)]
pub(super) struct PairLayout {
    pub(super) value: Basic,
    pub(super) index: Basic,
    /// Bytes from one pair to the next.
    pub(super) stride: isize,
    /// The largest value, rather than the smallest.
    pub(super) largest: bool,
}

type Kernel = unsafe fn(PairLayout, *const u8, *const u8, *mut u8, usize);

impl PairLayout {
    /// The loop for values of this type, if they have an order.
    pub(super) fn kernel(self) -> Option<Kernel> {
        Some(match self.value {
            Basic::Signed(Width::W1) => locate::<i8>,
            Basic::Signed(Width::W2) => locate::<i16>,
            Basic::Signed(Width::W4) => locate::<i32>,
            Basic::Signed(Width::W8) | Basic::Long => locate::<i64>,
            Basic::Signed(Width::W16) => locate::<i128>,
            Basic::Unsigned(Width::W1) => locate::<u8>,
            Basic::Unsigned(Width::W2) => locate::<u16>,
            Basic::Unsigned(Width::W4) => locate::<u32>,
            Basic::Unsigned(Width::W8) | Basic::UnsignedLong => locate::<u64>,
            Basic::Unsigned(Width::W16) => locate::<u128>,
            Basic::Real(Float::Half) => locate::<Half>,
            Basic::Real(Float::Single) => locate::<f32>,
            Basic::Real(Float::Double) => locate::<f64>,
            Basic::Real(Float::Extended) => locate::<Extended>,
            Basic::Real(Float::Quad) => locate::<Quad>,
            _ => return None,
        })
    }

    /// Where the index is in a pair, as a C compiler lays it out.
    fn index_offset(self) -> usize {
        self.value.size().next_multiple_of(self.index.alignment())
    }
}

/// # Safety
/// `count` pairs at `left` and `right` are readable, and at `out` writable; `out` may be either of the others.
unsafe fn locate<V: Number>(pairs: PairLayout, left: *const u8, right: *const u8, out: *mut u8, count: usize) {
    let index = pairs.index_offset();
    for step in 0..count as isize {
        let at = step * pairs.stride;
        let (left, right, out) = (left.wrapping_offset(at), right.wrapping_offset(at), out.wrapping_offset(at));
        // SAFETY: the caller's promise.
        let (a, b) = unsafe { (left.cast::<V>().read_unaligned(), right.cast::<V>().read_unaligned()) };
        let first = if a.less(b) {
            !pairs.largest
        } else if b.less(a) {
            pairs.largest
        } else {
            // SAFETY: an index follows each value.
            unsafe { index_less(pairs.index, left.wrapping_add(index), right.wrapping_add(index)) }
        };
        let chosen = if first { left } else { right };
        // SAFETY: the caller's promise; `out` may be where the chosen pair is.
        unsafe {
            std::ptr::copy(chosen, out, pairs.value.size());
            std::ptr::copy(chosen.wrapping_add(index), out.wrapping_add(index), pairs.index.size());
        }
    }
}

/// True if the index at `left` is less than the one at `right`.
///
/// # Safety
/// Both can be read.
unsafe fn index_less(index: Basic, left: *const u8, right: *const u8) -> bool {
    /// # Safety
    /// Both can be read.
    unsafe fn less<T: Number>(left: *const u8, right: *const u8) -> bool {
        // SAFETY: the caller's promise.
        unsafe { left.cast::<T>().read_unaligned().less(right.cast::<T>().read_unaligned()) }
    }
    let less = match index {
        Basic::Signed(Width::W1) => less::<i8>,
        Basic::Signed(Width::W2) => less::<i16>,
        Basic::Signed(Width::W4) => less::<i32>,
        Basic::Signed(Width::W16) => less::<i128>,
        Basic::Unsigned(Width::W1) => less::<u8>,
        Basic::Unsigned(Width::W2) => less::<u16>,
        Basic::Unsigned(Width::W4) => less::<u32>,
        Basic::Unsigned(Width::W8) | Basic::UnsignedLong => less::<u64>,
        Basic::Unsigned(Width::W16) => less::<u128>,
        Basic::Real(Float::Single) => less::<f32>,
        Basic::Real(Float::Double) => less::<f64>,
        _ => less::<i64>,
    };
    // SAFETY: the caller's promise.
    unsafe { less(left, right) }
}
