//! `MPI_MINLOC` and `MPI_MAXLOC`: the extreme value, and the lowest index that has it.

use crate::datatype::{Basic, Float, Width};
use crate::op::number::{Extended, Number, Quad};
use std::mem::offset_of;

/// Takes which is looked for (the largest value, rather than the smallest), and two arrays to combine into a third one.
type Kernel = unsafe fn(bool, *const u8, *const u8, *mut u8, usize);

/// A pair as a C compiler lays it out.
#[derive(Clone, Copy)]
#[repr(C)]
struct Pair<V, I> {
    value: V,
    index: I,
}

/// The loop over pairs of these types.
pub(super) fn kernel(value: Basic, index: Basic) -> Option<Kernel> {
    const INT: Basic = Basic::Signed(Width::W4);
    Some(match (value, index) {
        (Basic::Signed(Width::W2), INT) => locate::<i16, i32>,
        (INT, INT) => locate::<i32, i32>,
        (Basic::Long, INT) => locate::<i64, i32>,
        (Basic::Real(Float::Single), INT) => locate::<f32, i32>,
        (Basic::Real(Float::Double), INT) => locate::<f64, i32>,
        (Basic::Real(Float::Extended), INT) => locate::<Extended, i32>,
        (Basic::Real(Float::Quad), INT) => locate::<Quad, i32>,
        (Basic::Real(Float::Single), Basic::Real(Float::Single)) => locate::<f32, f32>,
        (Basic::Real(Float::Double), Basic::Real(Float::Double)) => locate::<f64, f64>,
        _ => return None,
    })
}

/// # Safety
/// `count` pairs at `left` and `right` are readable, and at `out` writable; `out` may be either of the others.
unsafe fn locate<V: Number, I: Number>(largest: bool, left: *const u8, right: *const u8, out: *mut u8, count: usize) {
    for step in 0..count {
        let at = step * size_of::<Pair<V, I>>();
        // SAFETY: the caller's promise; `at` is the place of one of the pairs.
        unsafe {
            let (a, b) = (read::<V, I>(left.add(at)), read::<V, I>(right.add(at)));
            let (less, greater) = (a.value.less(b.value), b.value.less(a.value));
            let first = if less || greater { greater == largest } else { a.index.less(b.index) };
            let chosen = if first { a } else { b };
            out.add(at).cast::<V>().write_unaligned(chosen.value);
            out.add(at + offset_of!(Pair<V, I>, index)).cast::<I>().write_unaligned(chosen.index);
        }
    }
}

/// # Safety
/// Value and index at `place` are readable; what is between them is not looked at.
unsafe fn read<V: Number, I: Number>(place: *const u8) -> Pair<V, I> {
    // SAFETY: the caller's promise.
    unsafe {
        let value = place.cast::<V>().read_unaligned();
        let index = place.add(offset_of!(Pair<V, I>, index)).cast::<I>().read_unaligned();
        Pair { value, index }
    }
}
