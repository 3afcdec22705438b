//! What the compiler cannot check about starting processes.
#![allow(unsafe_code)]

use mpi_abi::launch::signals::SignalSet;
use rustix::process::Signal;
use rustix::thread::CpuSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Makes the process that `command` starts die with this one, hear the signals of `unblocked` again, and run on `cpu`.
pub(crate) fn prepare(command: &mut Command, unblocked: SignalSet, cpu: Option<CpuSet>) {
    let parent = rustix::process::getpid();
    let between = move || {
        unblocked.unblock()?;
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
