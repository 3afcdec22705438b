//! What the compiler cannot check about starting processes.
#![allow(unsafe_code)]

use mpi_abi::launch::signals::SignalSet;
use rustix::thread::CpuSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use twowire_fabric::parent::die_with;

/// Makes the process that `command` starts die with this one, hear the signals of `unblocked` again, and run on `cpu`.
pub(crate) fn prepare(command: &mut Command, unblocked: SignalSet, cpu: Option<CpuSet>) {
    let parent = rustix::process::getpid();
    let between = move || {
        unblocked.unblock()?;
        if !die_with(parent)? {
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
