//! What the compiler cannot check about starting processes and hearing of their ends.
#![allow(unsafe_code)]

use rustix::process::Signal;
use rustix::thread::CpuSet;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A set of signals.
#[derive(Clone, Copy)]
pub(crate) struct SignalSet(libc::sigset_t);

impl SignalSet {
    /// These signals.
    pub(crate) fn new(signals: &[i32]) -> SignalSet {
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

    fn change(&self, how: i32) -> io::Result<()> {
        // SAFETY: the set is initialised, and the old mask is not asked for. It is async-signal-safe.
        match unsafe { libc::sigprocmask(how, &raw const self.0, std::ptr::null_mut()) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Keeps these signals from their usual effect, and opens a descriptor from which they are read.
pub(crate) fn signals(set: &SignalSet) -> io::Result<OwnedFd> {
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
pub(crate) fn next_signal(descriptor: &OwnedFd) -> Option<i32> {
    let mut bytes = [0_u8; size_of::<libc::signalfd_siginfo>()];
    match rustix::io::read(descriptor, &mut bytes) {
        // The number is the first field.
        Ok(length) if length == bytes.len() => Some(i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
        _ => None,
    }
}

/// Makes the process that `command` starts die with this one, hear the signals of `unblocked` again, and run on `cpu`.
pub(crate) fn prepare(command: &mut Command, unblocked: SignalSet, cpu: Option<CpuSet>) {
    let parent = rustix::process::getpid();
    let between = move || {
        unblocked.change(libc::SIG_UNBLOCK)?;
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        if rustix::process::getppid() != Some(parent) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if let Some(cpu) = &cpu {
            rustix::thread::sched_setaffinity(None, cpu)?;
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls only: it neither allocates nor takes a lock.
    unsafe { command.pre_exec(between) };
}
