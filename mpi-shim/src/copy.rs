//! Copies of bytes that this process may read and write.
#![allow(unsafe_code)]

use std::ptr;

/// Bytes of a line of the caches.
const LINE: usize = 64;
/// From so many bytes on, a loop of vectors is faster than `memcpy`: on processors that say they copy strings fast, glibc leaves these to
/// an instruction of theirs, `rep movsb`, that a Zen 4 does at three quarters of the loop's pace. For shorter ones, which go through rings to
/// another core, the instruction is as good.
const LONG: usize = 16 << 10;

/// Copies `len` bytes at `from` to `to`.
///
/// # Safety
/// `len` bytes must be readable at `from` and writable at `to`, and not overlap.
#[inline]
pub unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    #[cfg(target_arch = "x86_64")]
    if len >= LONG && is_x86_feature_detected!("avx") {
        // SAFETY: the machine has AVX; the rest is the caller's promise.
        return unsafe { copy_by_vectors(from, to, len) };
    }
    // SAFETY: the caller's promise.
    unsafe { ptr::copy_nonoverlapping(from, to, len) }
}

/// The same where the two may overlap.
///
/// # Safety
/// `len` bytes must be readable at `from` and writable at `to`.
pub unsafe fn copy_overlapping(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY (both arms): the caller's promise.
    match from.addr().abs_diff(to.addr()) >= len {
        // SAFETY: above.
        true => unsafe { copy(from, to, len) },
        // SAFETY: above.
        false => unsafe { ptr::copy(from, to, len) },
    }
}

/// The loop: two lines at a time, the written ones aligned.
///
/// # Safety
/// As for [`copy`], with at least two lines, and the machine has AVX.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn copy_by_vectors(from: *const u8, to: *mut u8, len: usize) {
    use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_store_si256};
    const VECTOR: usize = size_of::<__m256i>();
    let head = to.align_offset(LINE).min(len);
    let whole = (len - head) / (2 * LINE) * (2 * LINE);
    // SAFETY: the caller's promise; the lines written are aligned.
    unsafe {
        ptr::copy_nonoverlapping(from, to, head);
        for at in (head..head + whole).step_by(2 * LINE) {
            let (from, to) = (from.add(at).cast::<__m256i>(), to.add(at).cast::<__m256i>());
            let lines: [__m256i; 2 * LINE / VECTOR] = [0, 1, 2, 3].map(|index| _mm256_loadu_si256(from.add(index)));
            for (index, vector) in lines.into_iter().enumerate() {
                _mm256_store_si256(to.add(index), vector);
            }
        }
        let done = head + whole;
        ptr::copy_nonoverlapping(from.add(done), to.add(done), len - done);
    }
}

/// Copies bytes past the caches: what is published afterwards is seen after them.
///
/// # Safety
/// `len` bytes must be readable at `from` and writable at `to`, and not overlap.
#[cfg(target_arch = "x86_64")]
pub unsafe fn copy_past_caches(from: *const u8, to: *mut u8, len: usize) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_sfence, _mm_stream_si128};
    let head = to.align_offset(LINE).min(len);
    let whole = (len - head) / LINE * LINE;
    // SAFETY: the caller's promise; the lines written are aligned.
    unsafe {
        ptr::copy_nonoverlapping(from, to, head);
        for at in (head..head + whole).step_by(LINE) {
            let (from, to) = (from.add(at).cast::<__m128i>(), to.add(at).cast::<__m128i>());
            let line = [0, 1, 2, 3].map(|index| _mm_loadu_si128(from.add(index)));
            for (index, quarter) in line.into_iter().enumerate() {
                _mm_stream_si128(to.add(index), quarter);
            }
        }
        // Before anybody is told of it.
        _mm_sfence();
        ptr::copy_nonoverlapping(from.add(head + whole), to.add(head + whole), len - head - whole);
    }
}

/// Copies bytes.
///
/// # Safety
/// `len` bytes must be readable at `from` and writable at `to`, and not overlap.
#[cfg(not(target_arch = "x86_64"))]
pub unsafe fn copy_past_caches(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe { ptr::copy_nonoverlapping(from, to, len) };
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: usize = LONG + 8 * LINE;
    /// What lies around the copied bytes.
    const UNTOUCHED: u8 = 0xee;

    /// Copies `len` bytes between these places of two buffers, and looks at all bytes of the second one.
    fn check(copy: unsafe fn(*const u8, *mut u8, usize), from: usize, to: usize, len: usize) {
        let source: Vec<u8> = (0..ROOM).map(|index| (index * 7 + index / 251) as u8).collect();
        let mut target = vec![UNTOUCHED; ROOM];
        // SAFETY: within the two buffers.
        unsafe { copy(source.as_ptr().add(from), target.as_mut_ptr().add(to), len) };
        assert_eq!(target[to..to + len], source[from..from + len], "{len} bytes from {from} to {to}");
        let around = target[..to].iter().chain(&target[to + len..]);
        assert!(around.copied().all(|byte| byte == UNTOUCHED), "{len} bytes from {from} to {to}: more was written");
    }

    #[test]
    fn runs_that_overlap_are_moved() {
        for (from, to) in [(0, 1), (1, 0), (0, LONG), (LONG / 2, 0), (0, 3)] {
            let mut bytes: Vec<u8> = (0..2 * ROOM).map(|index| (index * 7 + index / 251) as u8).collect();
            let want = bytes[from..from + LONG].to_vec();
            let base = bytes.as_mut_ptr();
            // SAFETY: within the buffer.
            unsafe { copy_overlapping(base.add(from), base.add(to), LONG) };
            assert_eq!(bytes[to..to + LONG], want, "from {from} to {to}");
        }
    }

    #[test]
    fn every_byte_arrives_and_no_other_is_written() {
        for (from, to) in [(0, 0), (1, 0), (0, 1), (63, 17), (64, 65), (32, 127)] {
            for len in [0, 1, 63, 64, 128, 4096, LONG - 1, LONG, LONG + 1, LONG + 63, LONG + 64, LONG + 255] {
                check(copy, from, to, len);
                check(copy_past_caches, from, to, len);
            }
        }
    }
}
