//! The memory that an operation reads from or writes to.
#![allow(unsafe_code)]

use crate::copy::{self, copy_overlapping, copy_past_caches};
use crate::datatype::Datatype;
use crate::transport::shm::{CopyError, Segment, read_from};
use std::sync::Arc;

/// What does not lie in one piece is copied through memory of our own, that much at a time.
const SCRATCH: usize = 128 << 10;

/// A user's buffer, or the library's own: it outlives the operation that it is given to.
#[derive(Clone, Debug)]
pub struct Buffer {
    address: *mut u8,
    bytes: usize,
    /// The type of the elements, where the data is not one run of bytes from `address` on.
    layout: Option<Arc<Datatype>>,
}

impl Buffer {
    /// `count` elements of a type at `address`.
    ///
    /// # Safety
    /// They must be readable (to send), writable (to receive), until the operation is complete.
    #[inline]
    pub unsafe fn new(address: *mut u8, count: usize, datatype: &Arc<Datatype>) -> Buffer {
        match datatype.contiguous_run(count) {
            Some((offset, bytes)) => Buffer { address: address.wrapping_offset(offset), bytes, layout: None },
            None => Buffer { address, bytes: datatype.size() * count, layout: Some(datatype.clone()) },
        }
    }

    /// `len` bytes at `address`.
    ///
    /// # Safety
    /// As for [`Buffer::new`].
    #[inline]
    pub unsafe fn of_bytes(address: *mut u8, len: usize) -> Buffer {
        Buffer { address, bytes: len, layout: None }
    }

    /// Bytes to send, within a call that waits for the send.
    pub(super) fn lent(bytes: &[u8]) -> Buffer {
        Buffer { address: bytes.as_ptr().cast_mut(), bytes: bytes.len(), layout: None }
    }

    /// Room to receive, within a call that waits for the message.
    pub(super) fn lent_mut(bytes: &mut [u8]) -> Buffer {
        Buffer { address: bytes.as_mut_ptr(), bytes: bytes.len(), layout: None }
    }

    /// Lets go of the datatype: nothing is read or written here any more.
    #[inline]
    pub(super) fn release_layout(&mut self) {
        self.layout = None;
    }

    /// Bytes of data.
    #[inline]
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// True without data.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The address of the data, where it is one run of bytes.
    #[inline]
    pub fn run(&self) -> Option<*mut u8> {
        self.layout.is_none().then_some(self.address)
    }

    /// Copies the data from `position` on into `out`; how many bytes.
    #[inline]
    pub fn read(&self, position: usize, out: &mut [u8]) -> usize {
        if let Some(datatype) = &self.layout {
            // SAFETY: whoever made the buffer promised that these elements can be read.
            return unsafe { datatype.pack(self.address, self.count(datatype), position, out) };
        }
        let len = self.bytes.saturating_sub(position).min(out.len());
        // SAFETY: as above; `len` is within both.
        unsafe { copy(self.address.add(position), out.as_mut_ptr(), len) };
        len
    }

    /// The same, past the caches where the data is one run: for memory that the other process has in its cache.
    #[inline]
    pub(super) fn read_past_caches(&self, position: usize, out: &mut [u8]) {
        let Some(address) = self.run() else {
            self.read(position, out);
            return;
        };
        let len = self.bytes.saturating_sub(position).min(out.len());
        // SAFETY: as above.
        unsafe { copy_past_caches(address.add(position), out.as_mut_ptr(), len) };
    }

    /// Copies `input` to the data's place from `position` on; how many bytes.
    #[inline]
    pub fn write(&self, position: usize, input: &[u8]) -> usize {
        if let Some(datatype) = &self.layout {
            // SAFETY: whoever made the buffer promised that these elements can be written.
            return unsafe { datatype.unpack(self.address, self.count(datatype), position, input) };
        }
        let len = self.bytes.saturating_sub(position).min(input.len());
        // SAFETY: as above; `len` is within both.
        unsafe { copy(input.as_ptr(), self.address.add(position), len) };
        len
    }

    /// The elements that the data is.
    fn count(&self, datatype: &Datatype) -> usize {
        self.bytes.checked_div(datatype.size()).unwrap_or(0)
    }

    /// All the data, packed.
    pub fn to_bytes(&self) -> Box<[u8]> {
        let mut bytes = vec![0; self.bytes];
        self.read(0, &mut bytes);
        bytes.into()
    }

    /// Copies the first `len` bytes to another buffer of this process.
    pub fn copy_to(&self, to: &Buffer, len: usize) {
        if len == 0 {
            return; // an empty buffer may be at a null address
        }
        if let (Some(from), Some(into)) = (self.run(), to.run()) {
            // SAFETY: whoever made the buffers promised that their bytes can be read and written. A program that receives into what it
            // sends is wrong, and is not made worse by a copy that allows it.
            return unsafe { copy_overlapping(from.cast_const(), into, len) };
        }
        if let Some(address) = self.run() {
            // SAFETY: whoever made the buffer promised that its bytes can be read.
            to.write(0, unsafe { std::slice::from_raw_parts(address.cast_const(), len) });
            return;
        }
        let mut scratch = vec![0; len.min(SCRATCH)];
        let mut position = 0;
        while position < len {
            let piece = &mut scratch[..(len - position).min(SCRATCH)];
            self.read(position, piece);
            to.write(position, piece);
            position += piece.len();
        }
    }

    /// Copies `len` bytes at an address in process `pid`, the node's number `other`, here, together with that process if it waits.
    pub(super) fn read_with_process(
        &self,
        segment: &Segment,
        other: usize,
        pid: u32,
        address: u64,
        len: usize,
    ) -> Result<(), CopyError> {
        match self.run() {
            // SAFETY: whoever made the buffer promised that its bytes can be written; `len` is within.
            Some(here) => unsafe { segment.copy_together(other, pid, address, here, len.min(self.bytes)) },
            None => self.read_from_process(pid, address, len),
        }
    }

    /// Copies `len` bytes at an address in process `pid` here.
    pub fn read_from_process(&self, pid: u32, address: u64, len: usize) -> Result<(), CopyError> {
        if let Some(here) = self.run() {
            // SAFETY: whoever made the buffer promised that its bytes can be written; `len` is within.
            return unsafe { read_from(pid, address, here, len.min(self.bytes)) };
        }
        let mut scratch = vec![0; len.min(SCRATCH)];
        let mut position = 0;
        while position < len {
            let piece = (len - position).min(SCRATCH);
            // SAFETY: the scratch memory is that long.
            unsafe { read_from(pid, address + position as u64, scratch.as_mut_ptr(), piece)? };
            self.write(position, &scratch[..piece]);
            position += piece;
        }
        Ok(())
    }
}

/// Copies `len` bytes. The shortest messages are a word or two: those are not worth a call.
///
/// # Safety
/// They can be read at `from` and written at `to`, and do not overlap.
#[inline]
unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise; of two words the second ends where the data ends.
    unsafe {
        if let 8..=16 = len {
            let (first, last) = (from.cast::<u64>().read_unaligned(), from.add(len - 8).cast::<u64>().read_unaligned());
            to.cast::<u64>().write_unaligned(first);
            to.add(len - 8).cast::<u64>().write_unaligned(last);
        } else {
            copy::copy(from, to, len);
        }
    }
}
