//! The processes of a job.

use super::JobError;
use mpi_abi::launch::board::Board;
use mpi_abi::launch::seats;
use mpi_abi::launch::ticket::{self, Holder, Ticket};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use twowire_fabric::program::interrupt::interrupted;

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_millis(2);

/// Starts a rank for each node and waits for all; what rank 0 printed. When one fails, or Ctrl-C comes, the others are ended.
#[expect(clippy::disallowed_methods, reason = "the job's limit is on the clock on the wall")]
pub(super) fn run(
    program: &Path,
    arguments: &[&str],
    nodes: &[String],
    seats: &Path,
    limit: Duration,
) -> Result<String, JobError> {
    let size = nodes.len() as u32;
    let (_board, memory) = Board::create(size)?;
    let inode = rustix::fs::fstat(&memory).map_err(io::Error::from)?.st_ino;
    // The ranks open the memory through us: it stays open until they have ended.
    let holder = Holder { process: std::process::id(), descriptor: memory.as_raw_fd(), inode };
    let mut job = Job(Vec::new());
    for rank in 0..size {
        let ticket = Ticket { rank, size, appnum: 0, holder };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        job.0.push(command.env(ticket::VARIABLE, ticket.to_string()).env(seats::VARIABLE, seats).spawn()?);
    }
    let until = Instant::now() + limit;
    let mut ended: Vec<Option<ExitStatus>> = vec![None; nodes.len()];
    while ended.iter().any(Option::is_none) {
        for (rank, child) in job.0.iter_mut().enumerate() {
            if ended[rank].is_none() {
                ended[rank] = child.try_wait()?;
            }
            if ended[rank].is_some_and(|status| !status.success()) {
                return Err(failed(rank, nodes, child));
            }
        }
        if interrupted() || Instant::now() > until {
            let what = if interrupted() { "interrupted".to_owned() } else { format!("not at its end after {limit:?}") };
            return Err(JobError::Io(io::Error::other(what)));
        }
        thread::sleep(LOOK);
    }
    let mut said = String::new();
    if let Some(out) = &mut job.0[0].stdout {
        out.read_to_string(&mut said)?;
    }
    Ok(said)
}

fn failed(rank: usize, nodes: &[String], child: &mut Child) -> JobError {
    let mut said = String::new();
    if let Some(err) = &mut child.stderr {
        let _ = err.read_to_string(&mut said);
    }
    let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
    JobError::Rank { rank, node: nodes[rank].clone(), what: format!("{status}: {}", said.trim()) }
}

/// The processes, which do not outlive this.
struct Job(Vec<Child>);

impl Drop for Job {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // An error says that it has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
