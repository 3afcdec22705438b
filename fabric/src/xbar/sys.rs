//! Memory that two processes share: the only unsafe code of the provider.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create};
use rustix::io;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// A mapping that another process may write to at any time.
///
/// Bytes come out of it by copies and numbers by atomic loads; no reference to its bytes is ever made. What is read
/// may be anything, so whoever reads checks it before use.
#[derive(Debug)]
pub(super) struct SharedMemory {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone until it is dropped, and a thread that uses it does nothing that
// another process could not do at the same time.
unsafe impl Send for SharedMemory {}
// SAFETY: as above: every access is an atomic one or a copy through raw pointers.
unsafe impl Sync for SharedMemory {}

/// Makes memory of `len` bytes to share, all zero. Its size is sealed, so that no one can make an access to it fail.
pub(super) fn create(len: usize) -> io::Result<OwnedFd> {
    let fd = memfd_create("twowire-xbar", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    ftruncate(&fd, len as u64)?;
    fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(fd)
}

impl SharedMemory {
    /// Maps the first `len` bytes of memory that was made by [`create`], here or in another process.
    pub(super) fn map(fd: impl AsFd, len: usize) -> io::Result<SharedMemory> {
        let sealed = fcntl_get_seals(&fd)?.contains(SealFlags::SHRINK);
        if len == 0 || !sealed || usize::try_from(fstat(&fd)?.st_size).is_ok_and(|size| size < len) {
            return Err(io::Errno::INVAL);
        }
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of this process.
        let base = unsafe { mmap(std::ptr::null_mut(), len, protection, flags, &fd, 0)? };
        Ok(SharedMemory { base: NonNull::new(base.cast()).ok_or(io::Errno::NOMEM)?, len })
    }

    /// The 64-bit number at `offset`.
    pub(super) fn number(&self, offset: usize) -> &AtomicU64 {
        assert!(offset.is_multiple_of(8) && offset + 8 <= self.len, "a number within the mapping");
        // SAFETY: in bounds and aligned, since a mapping starts at a page; the memory lives as long as `self`, is never
        // accessed here but atomically or by raw copies, and every bit pattern is a number.
        unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(offset).cast()) }
    }

    /// The 32-bit number at `offset`.
    pub(super) fn flag(&self, offset: usize) -> &AtomicU32 {
        assert!(offset.is_multiple_of(4) && offset + 4 <= self.len, "a flag within the mapping");
        // SAFETY: as for `number`.
        unsafe { AtomicU32::from_ptr(self.base.as_ptr().add(offset).cast()) }
    }

    /// Copies bytes out.
    pub(super) fn read(&self, offset: usize, out: &mut [u8]) {
        assert!(offset <= self.len && out.len() <= self.len - offset, "bytes within the mapping");
        // SAFETY: both ranges are in bounds and cannot overlap. Another process may write meanwhile: then the copy holds
        // some mixture, which is as good as any other bytes that a hostile one could have written.
        unsafe { std::ptr::copy_nonoverlapping(self.base.as_ptr().add(offset), out.as_mut_ptr(), out.len()) }
    }

    /// Copies bytes out, to the end of `out`.
    pub(super) fn append(&self, offset: usize, len: usize, out: &mut Vec<u8>) {
        assert!(offset <= self.len && len <= self.len - offset, "bytes within the mapping");
        out.reserve(len);
        // SAFETY: as for `read`; there is room for `len` bytes behind those of `out`, and they are written before they
        // become part of it.
        unsafe {
            std::ptr::copy_nonoverlapping(self.base.as_ptr().add(offset), out.as_mut_ptr().add(out.len()), len);
            out.set_len(out.len() + len);
        }
    }

    /// Copies bytes in.
    pub(super) fn write(&self, offset: usize, bytes: &[u8]) {
        assert!(offset <= self.len && bytes.len() <= self.len - offset, "bytes within the mapping");
        // SAFETY: as for `read`.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.as_ptr().add(offset), bytes.len()) }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `map` with this length, and nothing refers to it any more.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "a mapping can be undone");
    }
}
