//! Copies between a user's buffer and packed bytes.
#![allow(unsafe_code)]

use super::Datatype;
use std::ptr;

impl Datatype {
    /// Packs from position `position` of the data of `count` elements at `base` into `out`; how many bytes.
    ///
    /// # Safety
    /// `count` elements of this type at `base` must be readable.
    pub unsafe fn pack(&self, base: *const u8, count: usize, position: usize, out: &mut [u8]) -> usize {
        let len = (self.size * count).saturating_sub(position).min(out.len());
        // SAFETY: the caller's promise; `len` is within both.
        unsafe { ptr::copy_nonoverlapping(base.add(position), out.as_mut_ptr(), len) };
        len
    }

    /// Unpacks `input` to position `position` of the data of `count` elements at `base`; how many bytes.
    ///
    /// # Safety
    /// `count` elements of this type at `base` must be writable.
    pub unsafe fn unpack(&self, base: *mut u8, count: usize, position: usize, input: &[u8]) -> usize {
        let len = (self.size * count).saturating_sub(position).min(input.len());
        // SAFETY: the caller's promise; `len` is within both.
        unsafe { ptr::copy_nonoverlapping(input.as_ptr(), base.add(position), len) };
        len
    }
}
