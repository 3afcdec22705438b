//! The one system call that no library wraps.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// `KEXEC_FILE_NO_INITRAMFS` of `linux/kexec.h`.
const NO_INITRAMFS: libc::c_ulong = 4;

/// See `kexec_file_load(2)`.
pub(super) fn kexec_file_load(kernel: &File, initramfs: Option<&File>, cmdline: &CStr) -> io::Result<()> {
    let (initramfs, flags) = initramfs.map_or((-1, NO_INITRAMFS), |file| (file.as_raw_fd(), 0));
    let cmdline = cmdline.to_bytes_with_nul();
    // SAFETY: both descriptors are open for the whole call, and the kernel reads `cmdline.len()` bytes at its pointer,
    // which end with the zero byte that it asks for.
    let result = unsafe {
        libc::syscall(
            libc::SYS_kexec_file_load,
            kernel.as_raw_fd(),
            initramfs,
            cmdline.len() as libc::c_ulong,
            cmdline.as_ptr(),
            flags,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
