//! The system calls that no safe crate offers: mapping a device's memory, and what MTD devices know.

use rustix::ioctl::{self, Getter, IoctlOutput, Opcode, Setter, opcode};
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags, mmap, msync, munmap};
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ptr::NonNull;

/// Shared mapped bytes of a file or device.
#[derive(Debug)]
pub(super) struct Mapping {
    /// The start of the page that the bytes start in.
    base: NonNull<u8>,
    /// Where in the mapping the bytes start.
    skip: usize,
    len: usize,
    writable: bool,
}

// SAFETY: the mapping is owned, and no thread's state is attached to it.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `len` bytes from `offset` on.
    pub(super) fn new(file: &File, offset: u64, len: usize, writable: bool) -> io::Result<Mapping> {
        let page = rustix::param::page_size() as u64;
        let skip = (offset % page) as usize;
        let protection = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: the kernel chooses the address, so no memory that is in use is replaced.
        let base = unsafe {
            mmap(std::ptr::null_mut(), skip + len, protection, MapFlags::SHARED, file, offset - skip as u64)?
        };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Mapping { base, skip, len, writable })
    }

    /// Bytes that are mapped.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Fills `buffer` from `offset` on.
    pub(super) fn read(&self, offset: usize, buffer: &mut [u8]) {
        assert!(offset + buffer.len() <= self.len, "inside the mapping");
        for (i, byte) in buffer.iter_mut().enumerate() {
            // SAFETY: inside the mapping, by the assertion; volatile, since others may write to these bytes.
            *byte = unsafe { self.base.as_ptr().add(self.skip + offset + i).read_volatile() };
        }
    }

    /// Writes `bytes` from `offset` on.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        assert!(self.writable && offset + bytes.len() <= self.len, "inside a mapping that can be written");
        for (i, byte) in bytes.iter().enumerate() {
            // SAFETY: inside the mapping and writable, by the assertion; volatile, so that every byte is stored.
            unsafe { self.base.as_ptr().add(self.skip + offset + i).write_volatile(*byte) };
        }
    }

    /// Returns when what was written is kept. A device's memory has nothing to wait for.
    pub(super) fn sync(&self) -> io::Result<()> {
        // SAFETY: the address and the length are those of the mapping.
        match unsafe { msync(self.base.as_ptr().cast(), self.skip + self.len, MsyncFlags::SYNC) } {
            Err(rustix::io::Errno::INVAL) => Ok(()),
            result => Ok(result?),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nothing refers to the mapping any more. Unmapping what was mapped cannot fail.
        let _ = unsafe { munmap(self.base.as_ptr().cast(), self.skip + self.len) };
    }
}

/// `struct mtd_info_user`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct MtdInfo {
    _kind: u8,
    _flags: u32,
    pub(super) size: u32,
    pub(super) erase_size: u32,
    pub(super) write_size: u32,
    _oob_size: u32,
    _padding: u64,
}
const _: () = assert!(size_of::<MtdInfo>() == 32);

/// `struct erase_info_user`.
#[repr(C)]
struct MtdErase {
    start: u32,
    len: u32,
}
const _: () = assert!(size_of::<MtdErase>() == 8);

const MEMGETINFO: Opcode = opcode::read::<MtdInfo>(b'M', 1);
const MEMERASE: Opcode = opcode::write::<MtdErase>(b'M', 2);
const MEMGETBADBLOCK: Opcode = opcode::write::<i64>(b'M', 11);

/// What an MTD device looks like; fails on anything else.
pub(super) fn mtd_info(file: &File) -> io::Result<MtdInfo> {
    // SAFETY: MEMGETINFO fills a `struct mtd_info_user`, which is all numbers.
    Ok(unsafe { ioctl::ioctl(file, Getter::<MEMGETINFO, MtdInfo>::new())? })
}

/// Erases the block at `offset`.
pub(super) fn mtd_erase(file: &File, offset: u64, len: usize) -> io::Result<()> {
    let start = u32::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    let block = MtdErase { start, len: len as u32 };
    // SAFETY: MEMERASE reads a `struct erase_info_user`.
    unsafe { ioctl::ioctl(file, Setter::<MEMERASE, MtdErase>::new(block))? };
    Ok(())
}

/// True if the block at `offset` is marked bad. Chips that have no bad blocks say that they do not know the question.
pub(super) fn mtd_is_bad(file: &File, offset: u64) -> io::Result<bool> {
    // SAFETY: MEMGETBADBLOCK reads an `loff_t`.
    match unsafe { ioctl::ioctl(file, BadBlock(offset as i64)) } {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOTTY) => Ok(false),
        answer => Ok(answer?),
    }
}

/// MEMGETBADBLOCK answers by its return value.
struct BadBlock(i64);

// SAFETY: the opcode, the argument and the answer are those of MEMGETBADBLOCK; the argument is not written to.
unsafe impl ioctl::Ioctl for BadBlock {
    type Output = bool;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        MEMGETBADBLOCK
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut self.0).cast()
    }

    unsafe fn output_from_ptr(answer: IoctlOutput, _: *mut c_void) -> rustix::io::Result<bool> {
        Ok(answer > 0)
    }
}
