//! The job that a process is part of.

use super::Manager;
use super::board::{Board, Progress};
use super::seats::Seat;
use super::waits::Wait;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

/// The job, as this process sees it.
#[derive(Debug)]
pub struct Job {
    /// This process's number.
    pub rank: u32,
    /// Processes of the job.
    pub size: u32,
    /// Which of the programs that the job was started with this is, where the launcher says so.
    pub appnum: Option<u32>,
    /// The processes on this node, in rising order; this one is among them.
    pub local: Vec<u32>,
    /// Memory that the processes of this node share, zero at first; none in a job of one. Its first page is
    /// the launcher's; the transport sizes it (all ranks to the same length) and uses what follows.
    pub memory: Option<OwnedFd>,
    /// This process's seat on a fabric, where the job has one.
    pub seat: Option<Seat>,
    pub(super) board: Option<Board>,
    /// Who is told of the end, until it is; nobody where somebody watches the board.
    pub(super) manager: Mutex<Option<Box<dyn Manager>>>,
}

impl Job {
    /// A job of one process.
    pub(super) fn alone() -> Job {
        Job {
            rank: 0,
            size: 1,
            appnum: None,
            local: vec![0],
            memory: None,
            seat: None,
            board: None,
            manager: Mutex::new(None),
        }
    }

    /// Says that this process uses MPI again, after [`leave`](Job::leave): a session after another.
    pub fn rejoin(&self) {
        self.note(Progress::Running);
    }

    /// Says that this process has finalised MPI; before that its end is a failure of the job.
    pub fn leave(&self) {
        self.note(Progress::Finalized);
        let manager = self.manager.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(manager) = manager {
            // A launcher that is gone cannot be told.
            let _ = manager.finalize();
        }
    }

    fn note(&self, progress: Progress) {
        if let Some(board) = &self.board {
            board.set(self.rank, std::process::id(), progress);
        }
    }

    /// Whether a launcher of this host watches this process.
    pub fn has_board(&self) -> bool {
        self.board.is_some()
    }

    /// Says what this process waits for; nothing any longer with `None`.
    pub fn note_wait(&self, wait: Option<&Wait>) {
        if let Some(board) = &self.board {
            board.note_wait(self.rank, wait);
        }
    }

    /// Says that this process will end the job; true if it is the first that does, which has to say why.
    pub fn announce_abort(&self) -> bool {
        self.board.as_ref().is_none_or(|board| board.abort(self.rank))
    }

    /// Ends the whole job with an exit code. Whoever calls this has said why.
    pub fn abort(&self, code: i32) -> ! {
        self.announce_abort();
        // Nobody waits for the lock: another thread that aborts as well has told the manager.
        if let Ok(mut manager) = self.manager.try_lock()
            && let Some(manager) = &mut *manager
        {
            manager.abort(code);
        }
        // 256 would look like success to whoever waits.
        std::process::exit(if code != 0 && code & 0xff == 0 { 1 } else { code })
    }
}
