//! The hand-over of a real node: its kernel starts the image's.
//!
//! `kexec_file_load(2)` takes the kernel and the initramfs by file descriptors: files in memory, made of the verified bytes.

#[allow(unsafe_code)]
mod sys;

use rustix::fs::{MemfdFlags, memfd_create};
use std::ffi::{CString, NulError};
use std::fs::File;
use std::io::{self, Write};

/// Why phase 2 cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum KexecError {
    /// An image without a kernel.
    #[error("the image has no kernel, so there is nothing to start; pack one with --kernel, or use --root")]
    NoKernel,
    /// A command line with a zero byte.
    #[error("the image's command line holds a zero byte")]
    Cmdline(#[from] NulError),
    /// No memory for the parts.
    #[error("no memory for the image's {part}: {source}")]
    Memory {
        /// Which part.
        part: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The kernel refused.
    #[error("the kernel does not load the image's kernel: {source}{remedy}", remedy = remedy(source, *cmdline_len))]
    Load {
        /// Why not.
        source: io::Error,
        /// Bytes of the command line.
        cmdline_len: usize,
    },
    /// The loaded kernel was not started.
    #[error("the loaded kernel was not started: {0}")]
    Start(io::Error),
}

fn remedy(error: &io::Error, cmdline_len: usize) -> String {
    let remedy = match rustix::io::Errno::from_io_error(error) {
        Some(rustix::io::Errno::INVAL) => {
            return format!(
                " (is a command line of {cmdline_len} bytes too long for it? Pack the image with a shorter one)"
            );
        }
        Some(rustix::io::Errno::PERM) => " (it takes root, and a kernel that is not locked down)",
        Some(rustix::io::Errno::NOEXEC) => " (it is no kernel that this machine can start)",
        Some(rustix::io::Errno::NOSYS) => " (this kernel has no kexec: build it with CONFIG_KEXEC_FILE)",
        Some(rustix::io::Errno::BUSY) => " (another kernel is being loaded)",
        _ => "",
    };
    remedy.to_owned()
}

/// Loads a kernel with its command line and an initramfs in pieces, which may be none; [`start`] hands over to it.
pub fn load(kernel: Option<&[u8]>, initramfs: &[&[u8]], cmdline: &str) -> Result<(), KexecError> {
    let kernel = in_memory("kernel", &[kernel.ok_or(KexecError::NoKernel)?])?;
    let initramfs = (!initramfs.is_empty()).then(|| in_memory("initramfs", initramfs)).transpose()?;
    let loaded = sys::kexec_file_load(&kernel, initramfs.as_ref(), &CString::new(cmdline)?);
    loaded.map_err(|source| KexecError::Load { source, cmdline_len: cmdline.len() })
}

/// Starts the kernel that was loaded. Does not return if it succeeds.
pub fn start() -> Result<std::convert::Infallible, KexecError> {
    rustix::fs::sync();
    match rustix::system::reboot(rustix::system::RebootCommand::Kexec) {
        Err(error) => Err(KexecError::Start(error.into())),
        Ok(()) => Err(KexecError::Start(io::ErrorKind::Other.into())),
    }
}

fn in_memory(part: &'static str, pieces: &[&[u8]]) -> Result<File, KexecError> {
    let make = || {
        let mut file = File::from(memfd_create(part, MemfdFlags::CLOEXEC)?);
        pieces.iter().try_for_each(|bytes| file.write_all(bytes))?;
        Ok(file)
    };
    make().map_err(|source| KexecError::Memory { part, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_kernel_is_refused_with_a_reason() {
        assert!(matches!(load(None, &[], ""), Err(KexecError::NoKernel)));
        assert!(matches!(load(Some(b"x"), &[], "a\0b"), Err(KexecError::Cmdline(_))));
        let error = load(Some(b"this is no kernel"), &[b"nor this an initramfs"], "quiet").unwrap_err();
        assert!(matches!(error, KexecError::Load { .. }), "{error}");
        assert!(error.to_string().contains('('), "a remedy: {error}");
        let too_long = KexecError::Load { source: rustix::io::Errno::INVAL.into(), cmdline_len: 2047 };
        assert!(
            too_long.to_string().ends_with("2047 bytes too long for it? Pack the image with a shorter one)"),
            "{too_long}"
        );
    }
}
