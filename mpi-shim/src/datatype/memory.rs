//! Copies between a user's buffer and packed bytes.
//!
//! A layout is walked from any packed position on, so that a message can be packed and unpacked in pieces. The inner loops know the
//! lengths of common elements at compile time.
#![allow(unsafe_code)]

use super::Datatype;
use super::layout::{Layout, Run};
use crate::copy;

/// Which way the bytes go.
trait Direction {
    /// Moves `len` bytes between the user's buffer and the packed bytes.
    ///
    /// # Safety
    /// The source is readable, the destination writable, and they do not overlap.
    unsafe fn copy(user: *mut u8, packed: *mut u8, len: usize);
}

struct Pack;
struct Unpack;

impl Direction for Pack {
    #[inline(always)]
    unsafe fn copy(user: *mut u8, packed: *mut u8, len: usize) {
        // SAFETY: the trait's promise.
        unsafe { copy::copy(user, packed, len) }
    }
}

impl Direction for Unpack {
    #[inline(always)]
    unsafe fn copy(user: *mut u8, packed: *mut u8, len: usize) {
        // SAFETY: the trait's promise.
        unsafe { copy::copy(packed, user, len) }
    }
}

impl Datatype {
    /// Packs from position `position` of the data of `count` elements at `base` into `out`; how many bytes.
    ///
    /// # Safety
    /// `count` elements of this type at `base` must be readable.
    pub unsafe fn pack(&self, base: *const u8, count: usize, position: usize, out: &mut [u8]) -> usize {
        // SAFETY: the caller's promise; packing only reads from `base`.
        unsafe { self.walk::<Pack>(base.cast_mut(), count, position, out.as_mut_ptr(), out.len()) }
    }

    /// Unpacks `input` to position `position` of the data of `count` elements at `base`; how many bytes.
    ///
    /// # Safety
    /// `count` elements of this type at `base` must be writable.
    pub unsafe fn unpack(&self, base: *mut u8, count: usize, position: usize, input: &[u8]) -> usize {
        // SAFETY: the caller's promise; unpacking only reads from `input`.
        unsafe { self.walk::<Unpack>(base, count, position, input.as_ptr().cast_mut(), input.len()) }
    }

    /// # Safety
    /// As for `pack` and `unpack`; `packed` has `room` bytes.
    unsafe fn walk<D: Direction>(
        &self,
        base: *mut u8,
        count: usize,
        position: usize,
        packed: *mut u8,
        room: usize,
    ) -> usize {
        let len = (self.size() * count).saturating_sub(position).min(room);
        if len == 0 {
            return 0;
        }
        if let Some((offset, _)) = self.contiguous_run(count) {
            // SAFETY: the run holds all the data, and position + len is within it.
            unsafe { D::copy(base.wrapping_offset(offset + position as isize), packed, len) };
        } else {
            // SAFETY: the caller's promise; position + len is within the data of `count` elements.
            unsafe { repeat::<D>(self.layout(), base, self.extent(), position, len, packed) };
        }
        len
    }
}

/// Copies `take` packed bytes from position `skip` on of copies of `layout` that lie `stride` bytes apart from `user` on.
///
/// # Safety
/// The bytes of these copies are valid in the user's buffer, and `take` bytes at `packed`.
unsafe fn repeat<D: Direction>(
    layout: &Layout,
    user: *mut u8,
    stride: isize,
    skip: usize,
    mut take: usize,
    mut packed: *mut u8,
) {
    let size = layout.size();
    let mut user = user.wrapping_offset(stride.wrapping_mul((skip / size) as isize));
    let within = skip % size;
    if within != 0 {
        let len = take.min(size - within);
        // SAFETY: `within + len` is within one copy; the rest is the caller's promise.
        unsafe { part::<D>(layout, user, within, len, packed) };
        user = user.wrapping_offset(stride);
        packed = packed.wrapping_add(len);
        take -= len;
    }
    let whole = take / size;
    let rest = take % size;
    if whole > 0 {
        // SAFETY: `whole` copies lie within what the caller promised.
        unsafe { many::<D>(layout, user, stride, whole, packed) };
    }
    if rest > 0 {
        let user = user.wrapping_offset(stride.wrapping_mul(whole as isize));
        // SAFETY: `rest` bytes are within the copy that follows the whole ones.
        unsafe { part::<D>(layout, user, 0, rest, packed.wrapping_add(whole * size)) };
    }
}

/// Copies `take` packed bytes of one layout, from position `skip` on.
///
/// # Safety
/// As for [`repeat`]; `skip + take` is at most the layout's size.
unsafe fn part<D: Direction>(layout: &Layout, user: *mut u8, skip: usize, take: usize, packed: *mut u8) {
    if skip == 0 && take == layout.size() {
        // SAFETY: the caller's promise.
        return unsafe { many::<D>(layout, user, 0, 1, packed) };
    }
    // SAFETY (all arms): each layout's bytes are valid by the caller's promise, and the ranges are within it.
    match layout {
        Layout::Empty => {}
        Layout::Run { offset, .. } => {
            // SAFETY: above.
            unsafe { D::copy(user.wrapping_offset(offset + skip as isize), packed, take) }
        }
        Layout::Strided { offset, stride, len, .. } => {
            let run = Layout::Run { offset: 0, len: *len };
            // SAFETY: above.
            unsafe { repeat::<D>(&run, user.wrapping_offset(*offset), *stride, skip, take, packed) }
        }
        Layout::Repeat { offset, stride, inner, .. } => {
            // SAFETY: above.
            unsafe { repeat::<D>(inner, user.wrapping_offset(*offset), *stride, skip, take, packed) }
        }
        Layout::Scattered { offset, runs, .. } => {
            let first = runs.partition_point(|run| run.start + run.len <= skip);
            // SAFETY: above.
            unsafe { some_runs::<D>(&runs[first..], user.wrapping_offset(*offset), skip, take, packed) }
        }
        Layout::Sequence { offset, parts, .. } => {
            let user = user.wrapping_offset(*offset);
            let first = parts.partition_point(|part| part.start + part.layout.size() <= skip);
            for next in &parts[first..] {
                let begin = skip.max(next.start);
                let end = (skip + take).min(next.start + next.layout.size());
                if begin >= end {
                    break;
                }
                let packed = packed.wrapping_add(begin - skip);
                // SAFETY: above.
                unsafe { part::<D>(&next.layout, user, begin - next.start, end - begin, packed) }
            }
        }
    }
}

/// Copies the packed bytes `skip .. skip + take` of those of the runs that have a share in them.
///
/// # Safety
/// As for [`repeat`].
unsafe fn some_runs<D: Direction>(runs: &[Run], user: *mut u8, skip: usize, take: usize, packed: *mut u8) {
    for run in runs {
        let begin = skip.max(run.start);
        let end = (skip + take).min(run.start + run.len);
        if begin >= end {
            break;
        }
        let at = user.wrapping_offset(run.offset + (begin - run.start) as isize);
        // SAFETY: begin .. end is within the run and within what was asked for.
        unsafe { D::copy(at, packed.wrapping_add(begin - skip), end - begin) };
    }
}

/// Calls a loop that has the length of its copies as a constant where that is a common one.
macro_rules! for_length {
    ($len:expr, $loop:ident::<$direction:ident>($($argument:expr),*)) => {
        match $len {
            1 => $loop::<$direction, 1>($($argument),*, 1),
            2 => $loop::<$direction, 2>($($argument),*, 2),
            4 => $loop::<$direction, 4>($($argument),*, 4),
            8 => $loop::<$direction, 8>($($argument),*, 8),
            12 => $loop::<$direction, 12>($($argument),*, 12),
            16 => $loop::<$direction, 16>($($argument),*, 16),
            24 => $loop::<$direction, 24>($($argument),*, 24),
            32 => $loop::<$direction, 32>($($argument),*, 32),
            64 => $loop::<$direction, 64>($($argument),*, 64),
            len => $loop::<$direction, 0>($($argument),*, len),
        }
    };
}

/// Copies `count` whole layouts that lie `stride` bytes apart.
///
/// # Safety
/// As for [`repeat`].
unsafe fn many<D: Direction>(layout: &Layout, user: *mut u8, stride: isize, count: usize, packed: *mut u8) {
    // SAFETY (all arms): each layout's bytes are valid by the caller's promise.
    match layout {
        Layout::Empty => {}
        Layout::Run { offset, len } => {
            // SAFETY: above.
            unsafe { strided::<D>(user.wrapping_offset(*offset), stride, count, *len, packed) }
        }
        Layout::Strided { offset, stride: step, count: times, len } if step.wrapping_mul(*times as isize) == stride => {
            // SAFETY: above; the copies follow one another at the same step.
            unsafe { strided::<D>(user.wrapping_offset(*offset), *step, count * times, *len, packed) }
        }
        Layout::Strided { offset, stride: step, count: times, len } => {
            let user = user.wrapping_offset(*offset);
            // SAFETY: above.
            unsafe { for_length!(*len, nested_loop::<D>(user, (stride, count), (*step, *times), packed)) }
        }
        _ => {
            let size = layout.size();
            for index in 0..count {
                let user = user.wrapping_offset(stride.wrapping_mul(index as isize));
                // SAFETY: above.
                unsafe { whole::<D>(layout, user, packed.wrapping_add(index * size)) };
            }
        }
    }
}

/// Copies one whole layout.
///
/// # Safety
/// As for [`repeat`].
unsafe fn whole<D: Direction>(layout: &Layout, user: *mut u8, packed: *mut u8) {
    // SAFETY (all arms): the layout's bytes are valid by the caller's promise.
    match layout {
        Layout::Empty => {}
        Layout::Run { offset, len } => {
            // SAFETY: above.
            unsafe { D::copy(user.wrapping_offset(*offset), packed, *len) }
        }
        Layout::Strided { offset, stride, count, len } => {
            // SAFETY: above.
            unsafe { strided::<D>(user.wrapping_offset(*offset), *stride, *count, *len, packed) }
        }
        Layout::Repeat { offset, stride, count, inner, .. } => {
            // SAFETY: above.
            unsafe { many::<D>(inner, user.wrapping_offset(*offset), *stride, *count, packed) }
        }
        Layout::Scattered { offset, len, runs, .. } => {
            // SAFETY: above.
            unsafe { scattered::<D>(user.wrapping_offset(*offset), *len, runs, packed) }
        }
        Layout::Sequence { offset, parts, .. } => {
            let user = user.wrapping_offset(*offset);
            for part in &parts[..] {
                // SAFETY: above.
                unsafe { whole::<D>(&part.layout, user, packed.wrapping_add(part.start)) };
            }
        }
    }
}

/// Copies `count` runs of `len` bytes that lie `stride` bytes apart.
///
/// # Safety
/// As for [`repeat`].
unsafe fn strided<D: Direction>(user: *mut u8, stride: isize, count: usize, len: usize, packed: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe { for_length!(len, strided_loop::<D>(user, stride, count, packed)) }
}

/// # Safety
/// As for [`repeat`]; `N` is `len`, or 0 where that is not known at compile time.
#[inline(always)]
unsafe fn strided_loop<D: Direction, const N: usize>(
    mut user: *mut u8,
    stride: isize,
    count: usize,
    mut packed: *mut u8,
    len: usize,
) {
    let len = if N == 0 { len } else { N };
    for _ in 0..count {
        // SAFETY: the caller's promise.
        unsafe { D::copy(user, packed, len) };
        user = user.wrapping_offset(stride);
        packed = packed.wrapping_add(len);
    }
}

/// Copies outer loops of inner loops of runs of `len` bytes; the loops are given by their strides and counts.
///
/// # Safety
/// As for [`repeat`]; `N` is `len`, or 0 where that is not known at compile time.
unsafe fn nested_loop<D: Direction, const N: usize>(
    mut user: *mut u8,
    outer: (isize, usize),
    inner: (isize, usize),
    mut packed: *mut u8,
    len: usize,
) {
    for _ in 0..outer.1 {
        // SAFETY: the caller's promise.
        unsafe { strided_loop::<D, N>(user, inner.0, inner.1, packed, len) };
        user = user.wrapping_offset(outer.0);
        packed = packed.wrapping_add(inner.1 * len);
    }
}

/// Copies runs, all of `len` bytes unless that is 0.
///
/// # Safety
/// As for [`repeat`].
unsafe fn scattered<D: Direction>(user: *mut u8, len: usize, runs: &[Run], packed: *mut u8) {
    if len == 0 {
        for run in runs {
            // SAFETY: the caller's promise.
            unsafe { short::<D>(user.wrapping_offset(run.offset), packed.wrapping_add(run.start), run.len) };
        }
        return;
    }
    // SAFETY: the caller's promise.
    unsafe { for_length!(len, scattered_loop::<D>(user, runs, packed)) }
}

/// # Safety
/// As for [`repeat`]; `N` is `len`, or 0 where that is not known at compile time.
unsafe fn scattered_loop<D: Direction, const N: usize>(user: *mut u8, runs: &[Run], mut packed: *mut u8, len: usize) {
    let len = if N == 0 { len } else { N };
    for run in runs {
        // SAFETY: the caller's promise.
        unsafe { D::copy(user.wrapping_offset(run.offset), packed, len) };
        packed = packed.wrapping_add(len);
    }
}

/// One copy whose length is often that of one element: without a call of `memcpy` for these.
///
/// # Safety
/// As for [`Direction::copy`].
#[inline]
unsafe fn short<D: Direction>(user: *mut u8, packed: *mut u8, len: usize) {
    // SAFETY (all arms): the caller's promise.
    match len {
        // SAFETY: above.
        1 => unsafe { D::copy(user, packed, 1) },
        // SAFETY: above.
        2 => unsafe { D::copy(user, packed, 2) },
        // SAFETY: above.
        4 => unsafe { D::copy(user, packed, 4) },
        // SAFETY: above.
        8 => unsafe { D::copy(user, packed, 8) },
        // SAFETY: above.
        16 => unsafe { D::copy(user, packed, 16) },
        // SAFETY: above.
        _ => unsafe { D::copy(user, packed, len) },
    }
}

#[cfg(test)]
impl Datatype {
    /// [`Datatype::pack`] from a slice, where the elements begin at index `base`.
    pub(super) fn pack_slice(&self, from: &[u8], base: usize, count: usize, position: usize, out: &mut [u8]) -> usize {
        self.assert_within(from.len(), base, count);
        // SAFETY: the elements are within the slice.
        unsafe { self.pack(from.as_ptr().add(base), count, position, out) }
    }

    /// [`Datatype::unpack`] to a slice, where the elements begin at index `base`.
    pub(super) fn unpack_slice(
        &self,
        to: &mut [u8],
        base: usize,
        count: usize,
        position: usize,
        input: &[u8],
    ) -> usize {
        self.assert_within(to.len(), base, count);
        // SAFETY: the elements are within the slice.
        unsafe { self.unpack(to.as_mut_ptr().add(base), count, position, input) }
    }

    fn assert_within(&self, len: usize, base: usize, count: usize) {
        let (offset, bytes) = self.footprint(count);
        let first = base.checked_add_signed(offset).expect("the data begins in the slice");
        assert!(base <= len && first + bytes <= len, "the data ends in the slice");
    }
}
