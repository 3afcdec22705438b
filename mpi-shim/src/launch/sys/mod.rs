//! The few things of launching that the compiler cannot check: memory that other processes write, descriptors whose
//! numbers come from the environment, and a library of somebody else.
#![allow(unsafe_code)]

pub(super) mod pmix;

use rustix::mm::{MapFlags, ProtFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

/// The beginning of a file, mapped for reading and writing by all who have it open, as 32-bit words.
#[derive(Debug)]
pub(super) struct SharedWords {
    address: NonNull<AtomicU32>,
    words: usize,
}

// SAFETY: what is mapped is atomics, and the mapping belongs to the whole process.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Maps so many words; the file must be long enough.
    pub(super) fn map(file: impl AsFd, words: usize) -> io::Result<SharedWords> {
        let bytes = words * size_of::<AtomicU32>();
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: the kernel chooses an address that is free.
        let address = unsafe { rustix::mm::mmap(std::ptr::null_mut(), bytes, protection, flags, file, 0)? };
        let address = NonNull::new(address.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(SharedWords { address, words })
    }

    /// The words.
    pub(super) fn words(&self) -> &[AtomicU32] {
        // SAFETY: the mapping is as long as this value lives, aligned to a page, and initialised by the kernel; others
        // write it too, which atomics allow.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), self.words) }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: nobody borrows the words any more. A failure would leave the mapping, which harms nobody.
        let _ = unsafe { rustix::mm::munmap(self.address.as_ptr().cast(), self.words * size_of::<AtomicU32>()) };
    }
}

/// True if this number is an open descriptor of the file with this inode number.
pub(super) fn is_file(descriptor: RawFd, inode: u64) -> bool {
    if descriptor < 0 {
        return false;
    }
    // SAFETY: it is used for one call, which fails if the descriptor is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    rustix::fs::fstat(borrowed).is_ok_and(|stat| stat.st_ino == inode)
}

/// Takes over a descriptor that a launcher left open for this process; programs that this one starts do not get it.
pub(super) fn adopt(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: it is used for one call, which fails if the descriptor is not open.
    rustix::io::fcntl_setfd(unsafe { BorrowedFd::borrow_raw(descriptor) }, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: it is open, as the call before showed; it was opened for us, and we take it once a process.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
