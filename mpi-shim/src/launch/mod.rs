//! How a process learns which part of which job it is.
//!
//! | who started it | what it sees |
//! |---|---|
//! | our `mpirun` | `TWOWIRE_JOB`: the [`ticket`], and a descriptor of the job's memory that it inherits |
//! | Hydra, Slurm | `PMI_FD`: a socket on which PMI is spoken (`pmi`); the node's first rank makes the memory |
//! | Open MPI, PRRTE, Slurm | `PMIX_NAMESPACE`: the library `libpmix.so.2`, if it is there; the same |
//! | nobody | a job of one |
//!
//! `mpirun` and the processes see one another on the [`board`], on the first page of the memory: who has come, who has
//! finalised, who aborts. No message is exchanged at start, so nothing grows with the job but a word for each rank.

pub mod board;
mod job;
mod pmi;
pub mod ranks;
pub mod seats;
pub mod signals;
mod sys;
pub mod ticket;
pub mod waits;

pub use job::Job;

use crate::abi::MPI_ERR_OTHER;
use crate::error::{Error, Result};
use board::{Board, Progress};
use std::fmt::Debug;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Mutex;
use sys::pmix::Pmix;
use ticket::{Holder, Ticket, VARIABLE};

/// The name of the environment variable that `mpirun` sets where it starts one host's part of a job: its memory is the host's.
pub const PART: &str = "TWOWIRE_PART";

/// Finds out from the environment.
///
/// Our `mpirun` removes the variables of other launchers, so where both are found, the other launcher is the inner one.
pub fn discover() -> Result<Job> {
    let mut job = by_environment()?;
    if let Some(path) = std::env::var_os(seats::VARIABLE)
        && job.size > 1
    {
        let failed = |error: String| Error::new(MPI_ERR_OTHER, format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| failed(error.to_string()))?;
        let seat = seats::parse(&text, job.rank, job.size).map_err(failed)?;
        // The memory of a job that was started as a whole is not that of one host.
        job.local = if std::env::var_os(PART).is_some() { seat.neighbours(job.rank) } else { vec![job.rank] };
        job.seat = Some(seat);
    }
    Ok(job)
}

fn by_environment() -> Result<Job> {
    if std::env::var_os("PMIX_NAMESPACE").is_some() {
        return by_pmix();
    }
    if std::env::var_os("PMI_FD").is_some() {
        return by_pmi();
    }
    match std::env::var(VARIABLE) {
        Ok(text) => by_ticket(text.parse().map_err(|text| Error::new(MPI_ERR_OTHER, text))?),
        Err(_) => Ok(Job::alone()),
    }
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::new(MPI_ERR_OTHER, format!("{what}: {error}"))
}

/// Under our `mpirun`.
fn by_ticket(Ticket { rank, size, appnum, holder }: Ticket) -> Result<Job> {
    let memory = open(&holder).map_err(failed("the memory of the job, which mpirun made"))?;
    let board = Board::open(&memory, size).map_err(failed("the memory of the job, which mpirun made"))?;
    match board.claim(rank, std::process::id()) {
        Ok(()) => {}
        // A program that a rank started, with the rank's environment.
        Err((_, Progress::Running)) => return Ok(Job::alone()),
        Err((process, _)) => {
            let text = format!(
                "rank {rank} of this job was process {process}, which has finalised MPI: a rank runs one MPI program; \
                 start the other with its own mpirun"
            );
            return Err(Error::new(MPI_ERR_OTHER, text));
        }
    }
    // Ranks die with mpirun; those that it did not start itself die with what stands in between.
    let parent = rustix::process::getppid().map_or(0, |parent| parent.as_raw_pid());
    if parent.cast_unsigned() != holder.process {
        let set = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        set.map_err(|error| failed("dying with the parent")(error.into()))?;
    }
    Ok(Job {
        rank,
        size,
        appnum: Some(appnum),
        local: (0..size).collect(),
        memory: Some(memory),
        seat: None,
        board: Some(board),
        manager: Mutex::new(None),
    })
}

/// Under a process manager that speaks PMI.
fn by_pmi() -> Result<Job> {
    let lost = failed("the launcher, by PMI");
    let pmi::Connection { rank, size, manager } = pmi::connect().map_err(&lost)?;
    by_manager(rank, size, manager, &lost)
}

/// Under a process manager that speaks PMIx.
fn by_pmix() -> Result<Job> {
    let lost = failed("the launcher, by PMIx");
    let (pmix, rank) = Pmix::connect().map_err(&lost)?;
    let size = pmix.job_size().map_err(&lost)?;
    by_manager(rank, size, Box::new(pmix), &lost)
}

/// A job whose processes another launcher started.
fn by_manager(rank: u32, size: u32, mut manager: Box<dyn Manager>, lost: &impl Fn(io::Error) -> Error) -> Result<Job> {
    let mut local = manager.local_ranks(rank, size).map_err(lost)?;
    local.sort_unstable();
    if rank >= size || !local.contains(&rank) || local.last().is_some_and(|&last| last >= size) {
        let text = format!("the launcher says that this is rank {rank} of {size}, and {local:?} are on this host");
        return Err(Error::new(MPI_ERR_OTHER, text));
    }
    let elsewhere = size as usize - local.len();
    if elsewhere > 0 {
        let text =
            format!("{elsewhere} of the job's {size} ranks are on other hosts, which this library cannot reach yet");
        return Err(Error::unsupported(text));
    }
    let (memory, board) = meet(&mut *manager, rank, size, &local).map_err(lost)?;
    if let Err((process, _)) = board.claim(rank, std::process::id()) {
        return Err(Error::new(MPI_ERR_OTHER, format!("rank {rank} of this job is process {process} already")));
    }
    board.announce_claim(rank);
    if rank == local[0] {
        // Who made the memory must not end before all have opened it.
        board.await_claims(&local).map_err(lost)?;
    }
    Ok(Job {
        rank,
        size,
        appnum: manager.appnum(),
        local,
        memory: Some(memory),
        seat: None,
        board: Some(board),
        manager: Mutex::new(Some(manager)),
    })
}

/// A process manager: whom the processes of a job ask about it, and what it keeps for them.
trait Manager: Debug + Send {
    /// Publishes a value for all; they see it after the next fence.
    fn put(&mut self, key: &str, value: &str) -> io::Result<()>;
    /// A value that this rank published.
    fn get(&mut self, rank: u32, key: &str) -> io::Result<String>;
    /// Comes between what the processes publish and what they ask for. It need not wait for all of them: whoever asks too early waits then.
    fn fence(&mut self) -> io::Result<()>;
    /// Which of the programs of the job this is, where the launcher says so.
    fn appnum(&mut self) -> Option<u32>;
    /// The ranks on the node of `rank` in a job of `size`.
    fn local_ranks(&mut self, rank: u32, size: u32) -> io::Result<Vec<u32>>;
    /// Says that this process will not be heard of again.
    fn finalize(self: Box<Self>) -> io::Result<()>;
    /// Asks for the end of the job, with this code. No answer comes, and a failure changes nothing: this process ends as well.
    fn abort(&mut self, code: i32);
}

/// The node's first rank makes the memory and publishes where it is; the others open it.
fn meet(manager: &mut dyn Manager, rank: u32, size: u32, local: &[u32]) -> io::Result<(OwnedFd, Board)> {
    let leader = local.first().copied().unwrap_or(rank);
    let key = format!("twowire-memory-{leader}");
    let made = if rank == leader {
        let (board, memory) = Board::create(size)?;
        let inode = rustix::fs::fstat(memory.as_fd())?.st_ino;
        let holder = Holder { process: std::process::id(), descriptor: memory.as_raw_fd(), inode };
        manager.put(&key, &holder.to_string())?;
        Some((memory, board))
    } else {
        None
    };
    manager.fence()?;
    if let Some(made) = made {
        return Ok(made);
    }
    let memory = open(&manager.get(leader, &key)?.parse().map_err(io::Error::other)?)?;
    let board = Board::open(&memory, size)?;
    Ok((memory, board))
}

/// Opens a file of the job: by inheritance, or through the process that has it open, where a program in between closed the
/// descriptor, as Python's `subprocess` does.
pub(crate) fn open(holder: &Holder) -> io::Result<OwnedFd> {
    if sys::is_file(holder.descriptor, holder.inode) {
        return sys::adopt(holder.descriptor);
    }
    let path = format!("/proc/{}/fd/{}", holder.process, holder.descriptor);
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    match rustix::fs::fstat(&file)?.st_ino == holder.inode {
        true => Ok(file.into()),
        false => Err(io::Error::other(format!("process {} holds another file", holder.process))),
    }
}
