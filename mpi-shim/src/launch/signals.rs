//! Signals that a launcher reads from a descriptor in place of being interrupted by them.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

/// A set of signals.
#[derive(Clone, Copy)]
pub struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// These signals.
    pub fn new(signals: &[i32]) -> SignalSet {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set; sigaddset ignores a number that is no signal.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            for &signal in signals {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            SignalSet(set.assume_init())
        }
    }

    /// Lets this process, or the one that it becomes, hear these signals again. It is async-signal-safe.
    pub fn unblock(&self) -> io::Result<()> {
        self.change(libc::SIG_UNBLOCK)
    }

    fn change(&self, how: i32) -> io::Result<()> {
        // SAFETY: the set is initialised, and the old mask is not asked for. It is async-signal-safe.
        match unsafe { libc::sigprocmask(how, &raw const self.0, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Keeps these signals from their usual effect, and opens a descriptor from which they are read.
pub fn open(set: &SignalSet) -> io::Result<OwnedFd> {
    set.change(libc::SIG_BLOCK)?;
    // SAFETY: the set is initialised.
    let descriptor = unsafe { libc::signalfd(-1, &raw const set.0, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made it, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The next signal on such a descriptor.
pub fn next(descriptor: &OwnedFd) -> Option<i32> {
    let mut bytes = [0_u8; size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(descriptor, &mut bytes) {
        // The number is the first field.
        Ok(length) if length == bytes.len() => Some(i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
        _ => None,
    }
}

impl std::fmt::Debug for SignalSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignalSet")
    }
}
