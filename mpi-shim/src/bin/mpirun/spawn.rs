//! Starting the ranks.

use crate::args::{Plan, Program};
use crate::sys;
use mpi_abi::launch::PART;
use mpi_abi::launch::board::Board;
use mpi_abi::launch::signals::SignalSet;
use mpi_abi::launch::ticket::{Holder, Ticket, VARIABLE};
use mpi_abi::report;
use rustix::thread::CpuSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Numbers of descriptors that scripts use by hand end below this one.
const FIRST_DESCRIPTOR: i32 = 100;

/// Variables by which other launchers speak to their processes: a job inside of such a process is ours alone.
const FOREIGN: [&str; 6] = ["PMI_FD", "PMI_PORT", "PMI_ID", "PMIX_NAMESPACE", "PMIX_RANK", "PMIX_SERVER_URI"];

/// The memory of a job, which every process inherits.
pub(crate) struct Memory {
    pub(crate) board: Board,
    holder: Holder,
    _file: OwnedFd,
}

impl Memory {
    /// Makes the memory for so many ranks.
    pub(crate) fn create(ranks: u32) -> io::Result<Memory> {
        let (board, file) = Board::create(ranks)?;
        let (inherited, holder) = inherited(&file)?;
        Ok(Memory { board, holder, _file: inherited })
    }
}

/// A copy of a file that all ranks inherit, and how they find it.
pub(crate) fn inherited(file: &OwnedFd) -> io::Result<(OwnedFd, Holder)> {
    let copy = duplicate(file)?;
    let inode = rustix::fs::fstat(&copy)?.st_ino;
    let holder = Holder { process: std::process::id(), descriptor: copy.as_raw_fd(), inode };
    Ok((copy, holder))
}

/// A copy that is not closed when a program is started.
fn duplicate(file: &OwnedFd) -> io::Result<OwnedFd> {
    let copy = rustix::io::fcntl_dupfd_cloexec(file, FIRST_DESCRIPTOR)?;
    rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty())?;
    Ok(copy)
}

/// Where the ranks run, in turn.
pub(crate) struct Places {
    cpus: Vec<usize>,
}

impl Places {
    /// The processors that we may use, if ranks are to be bound.
    pub(crate) fn new(bind: bool) -> io::Result<Places> {
        let mut cpus = Vec::new();
        if bind {
            let allowed = rustix::thread::sched_getaffinity(None)?;
            cpus.extend((0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)));
        }
        Ok(Places { cpus })
    }

    fn of(&self, rank: u32) -> Option<CpuSet> {
        let cpu = *self.cpus.get(rank as usize % self.cpus.len().max(1))?;
        let mut set = CpuSet::new();
        set.set(cpu);
        Some(set)
    }
}

/// Starts a rank, as the leader of a process group.
pub(crate) fn start(
    plan: &Plan,
    program: &Program,
    (rank, appnum): (u32, u32),
    (memory, report): (&Memory, Option<Holder>),
    places: &Places,
    blocked: SignalSet,
) -> io::Result<Child> {
    let ticket = Ticket { rank, size: plan.ranks(), appnum, holder: memory.holder };
    let mut command = Command::new(&program.command[0]);
    command.args(&program.command[1..]);
    for name in FOREIGN {
        command.env_remove(name);
    }
    command.env(VARIABLE, ticket.to_string());
    match plan.hosts.size() {
        Some(_) => command.env(PART, "1"),
        None => command.env_remove(PART),
    };
    match report {
        Some(holder) => command.env(report::VARIABLE, holder.to_string()),
        None => command.env_remove(report::VARIABLE),
    };
    command.env("PMI_RANK", rank.to_string()).env("PMI_SIZE", ticket.size.to_string());
    command.envs(program.environment.iter().map(|(name, value)| (name, value)));
    if let Some(directory) = &program.directory {
        command.current_dir(directory);
    }
    command.stdin(input(rank)?).process_group(0);
    if plan.label {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    sys::prepare(&mut command, blocked, places.of(rank));
    command.spawn()
}

/// Rank 0 reads what we read. A terminal can be read only by its foreground process group, which is ours: then we read
/// it and hand it on.
fn input(rank: u32) -> io::Result<Stdio> {
    match rank {
        0 if rustix::termios::isatty(io::stdin()) => Ok(Stdio::piped()),
        0 => Ok(Stdio::inherit()),
        _ => File::open("/dev/null").map(Stdio::from),
    }
}
