//! Copies out of another process's memory, and into it, in one system call and one copy.

use std::io;

/// Why nothing was copied.
#[derive(Debug)]
pub enum CopyError {
    /// The kernel does not let us read that process's memory: the data has to come through the ring.
    Refused,
    /// The process or its memory is gone.
    Failed(io::Error),
}

/// Lets every process of this user read our memory, where the kernel's Yama would allow only parents.
pub(super) fn permit() {
    // SAFETY: no pointers. An error (no Yama) means that nothing has to be allowed.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY, 0, 0, 0) };
}

/// The number of this process's namespace of process ids: only within one does an id name the same process for both.
pub(super) fn namespace() -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |metadata| metadata.ino())
}

/// Copies `len` bytes at `address` in process `pid` to `to`.
///
/// # Safety
/// `len` bytes at `to` must be writable.
pub unsafe fn read_from(pid: u32, address: u64, to: *mut u8, len: usize) -> Result<(), CopyError> {
    let mut done = 0;
    while done < len {
        let local = libc::iovec { iov_base: to.wrapping_add(done).cast(), iov_len: len - done };
        let remote = libc::iovec { iov_base: (address as usize + done) as *mut libc::c_void, iov_len: len - done };
        // SAFETY: the local vector is writable by the caller's promise; the kernel checks the remote one.
        let got = unsafe { libc::process_vm_readv(pid as libc::pid_t, &local, 1, &remote, 1, 0) };
        match usize::try_from(got) {
            Ok(got) if got > 0 => done += got,
            Ok(_) => return Err(CopyError::Failed(io::ErrorKind::UnexpectedEof.into())),
            Err(_) => return Err(refusal(io::Error::last_os_error(), done)),
        }
    }
    Ok(())
}

/// Whether the kernel lets this process read that one's memory.
pub fn probe(pid: u32) -> io::Result<()> {
    let mut byte = 0_u8;
    // SAFETY: the byte is writable.
    match unsafe { read_from(pid, 0, &raw mut byte, 1) } {
        // Nothing lies at address 0; who must not read at all is told so before that is found.
        Err(CopyError::Failed(error)) if error.raw_os_error() == Some(libc::EFAULT) => Ok(()),
        Err(CopyError::Failed(error)) => Err(error),
        Err(CopyError::Refused) => Err(io::ErrorKind::PermissionDenied.into()),
        Ok(()) => Ok(()),
    }
}

fn refusal(error: io::Error, done: usize) -> CopyError {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::ENOSYS | libc::EACCES) if done == 0 => CopyError::Refused,
        _ => CopyError::Failed(error),
    }
}

/// Copies `len` bytes at `from` to `address` in process `pid`.
///
/// # Safety
/// `len` bytes at `from` must be readable, and the other process must expect the write.
pub unsafe fn write_to(pid: u32, from: *const u8, address: u64, len: usize) -> Result<(), CopyError> {
    let mut done = 0;
    while done < len {
        let local = libc::iovec { iov_base: from.wrapping_add(done).cast_mut().cast(), iov_len: len - done };
        let remote = libc::iovec { iov_base: (address as usize + done) as *mut libc::c_void, iov_len: len - done };
        // SAFETY: the local vector is readable by the caller's promise; the kernel checks the remote one.
        let got = unsafe { libc::process_vm_writev(pid as libc::pid_t, &local, 1, &remote, 1, 0) };
        match usize::try_from(got) {
            Ok(got) if got > 0 => done += got,
            Ok(_) => return Err(CopyError::Failed(io::ErrorKind::UnexpectedEof.into())),
            Err(_) => return Err(refusal(io::Error::last_os_error(), done)),
        }
    }
    Ok(())
}

/// Tells valgrind, under which programs in the making run, that another process has written to these bytes of ours: it sees only what
/// this process does. Costs five instructions elsewhere.
pub fn note_written(address: usize, len: usize) {
    /// Memcheck's request to regard memory as initialised.
    const MAKE_MEM_DEFINED: u64 = (b'M' as u64) << 24 | (b'C' as u64) << 16 | 2;
    #[cfg(target_arch = "x86_64")]
    {
        let request = [MAKE_MEM_DEFINED, address as u64, len as u64, 0, 0, 0];
        // SAFETY: a processor turns `rdi` round once and exchanges a register with itself. Valgrind knows the sequence, and reads the
        // six words; it gives an answer in `rdx`.
        unsafe {
            std::arch::asm!(
                "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
                in("rax") request.as_ptr(), inout("rdx") 0_u64 => _, options(nostack)
            );
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (MAKE_MEM_DEFINED, address, len);
}
