//! Copies from where data is, and to where it goes.

use super::area::{read_part, write_part};
use crate::coll::memory;
use crate::coll::schedule::Data;
use crate::copy::copy_past_caches;
use std::ptr;

/// From so many bytes on, read and written by all members of a call, writing past the caches is faster: what is written there displaces
/// what is still to be read, and is read before it is overwritten.
const LARGE: usize = 16 << 20;

/// How values get from a caller's buffer or to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Through the caches.
    Cached,
    /// Past them, where the buffer is one run.
    Streamed,
}

impl Way {
    /// That for a call in which all members together use so many bytes of their buffers.
    pub(super) fn for_bytes(bytes: usize) -> Way {
        if bytes >= LARGE { Way::Streamed } else { Way::Cached }
    }

    /// Copies `len` bytes at `from` to the values of `data`, from byte `position` of them on.
    ///
    /// # Safety
    /// `data` must be writable and `len` bytes at `from` readable.
    #[inline]
    pub(super) unsafe fn write_part(self, data: &Data, position: usize, from: *const u8, len: usize) {
        match data.as_run().filter(|_| self == Way::Streamed) {
            Some(run) => {
                let to = ptr::with_exposed_provenance_mut(run.address + position);
                // SAFETY: the caller's promise; the run has all the values' bytes.
                unsafe { copy_past_caches(from, to, len.min(run.count.saturating_sub(position))) };
            }
            // SAFETY: the caller's promise.
            None => unsafe { write_part(data, position, from, len) },
        }
    }

    /// Copies `len` bytes of the values of `data`, from byte `position` of them on, to `to`.
    ///
    /// # Safety
    /// `data` must be readable and `len` bytes at `to` writable.
    #[inline]
    pub(super) unsafe fn read_part(self, data: &Data, position: usize, to: *mut u8, len: usize) {
        match data.as_run().filter(|_| self == Way::Streamed) {
            Some(run) => {
                let from = ptr::with_exposed_provenance(run.address + position);
                // SAFETY: the caller's promise; the run has all the values' bytes.
                unsafe { copy_past_caches(from, to, len.min(run.count.saturating_sub(position))) };
            }
            // SAFETY: the caller's promise.
            None => unsafe { read_part(data, position, to, len) },
        }
    }

    /// Copies values from one buffer of the caller to another one; within the promise of who calls a collective.
    pub(super) fn copy(self, from: &Data, to: &Data) {
        match from.as_run().filter(|_| self == Way::Streamed) {
            // SAFETY: the caller's buffers.
            Some(run) => unsafe { self.write_part(to, 0, ptr::with_exposed_provenance(run.address), run.count) },
            None => memory::copy(from, to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coll::schedule::run;

    #[test]
    fn streamed_bytes_arrive_wherever_they_begin_and_end() {
        let from: Vec<u8> = (0..600).map(|index| index as u8).collect();
        for (offset, begin, len) in
            [(0, 0, 600), (1, 3, 63), (5, 0, 64), (17, 1, 128), (63, 7, 401), (0, 0, 0), (2, 0, 1)]
        {
            let mut room = vec![0xee; 800];
            let address = room.as_mut_ptr().expose_provenance() + offset;
            // SAFETY: both are within their vectors.
            unsafe { Way::Streamed.write_part(&run(address, begin + len), begin, from.as_ptr(), len) };
            let (before, rest) = room.split_at(offset + begin);
            assert!(before.iter().chain(&rest[len..]).all(|&byte| byte == 0xee), "{offset} {begin} {len}");
            assert_eq!(rest[..len], from[..len]);
        }
    }

    #[test]
    fn streamed_bytes_are_those_that_were_asked_for() {
        let mut from: Vec<u8> = (0..600).map(|index| index as u8).collect();
        let data = run(from.as_mut_ptr().expose_provenance(), from.len());
        for (begin, len, got) in [(0, 600, 600), (63, 401, 401), (1, 0, 0), (500, 200, 100)] {
            let mut room = vec![0xee; 700];
            // SAFETY: both are within their vectors, but for what lies behind the data, which is not read.
            unsafe { Way::Streamed.read_part(&data, begin, room.as_mut_ptr(), len) };
            assert_eq!(room[..got], from[begin..begin + got]);
            assert!(room[got..].iter().all(|&byte| byte == 0xee), "{begin} {len}");
        }
    }

    #[test]
    fn no_more_than_the_buffer_holds_is_written() {
        let mut room = [0_u8; 128];
        let data = run(room.as_mut_ptr().expose_provenance(), 100);
        // SAFETY: the source is longer than what is written.
        unsafe { Way::Streamed.write_part(&data, 36, [7; 128].as_ptr(), 128) };
        assert_eq!(room.iter().filter(|&&byte| byte == 7).count(), 64);
        assert_eq!(Way::for_bytes(LARGE - 1), Way::Cached);
    }
}
