//! How a process learns which part of which job it is.
#![allow(unsafe_code)]

use crate::abi::MPI_ERR_OTHER;
use crate::error::{Error, Result};
use std::os::fd::{FromRawFd, OwnedFd};

/// The job, as this process sees it.
#[derive(Debug)]
pub struct Job {
    /// This process's number.
    pub rank: u32,
    /// Processes of the job.
    pub size: u32,
    /// The processes on this node, in rising order; this one is among them.
    pub local: Vec<u32>,
    /// Memory that the processes of this node share, zero at first; none in a job of one. Its first page is the
    /// launcher's; the transport sizes it (all ranks to the same length) and uses what follows.
    pub memory: Option<OwnedFd>,
}

/// Finds out from the environment.
pub fn discover() -> Result<Job> {
    let Ok(text) = std::env::var("TWOWIRE_JOB") else {
        return Ok(Job { rank: 0, size: 1, local: vec![0], memory: None });
    };
    let bad = || Error::new(MPI_ERR_OTHER, format!("TWOWIRE_JOB={text}: expected RANK,SIZE,DESCRIPTOR"));
    let numbers: Vec<u32> = text.split(',').map_while(|number| number.parse().ok()).collect();
    let [rank, size, descriptor] = numbers[..] else { return Err(bad()) };
    // SAFETY: the launcher left this descriptor open for us, and nobody else takes it.
    let memory = unsafe { OwnedFd::from_raw_fd(descriptor as i32) };
    Ok(Job { rank, size, local: (0..size).collect(), memory: Some(memory) })
}
