//! The board: the first pages of the memory that a node's processes share, where they and their launcher see one another.
//!
//! ```text
//! word 0  magic          word 3  rank that aborted, plus 1
//! word 1  ranks          word 4  the code of its abort
//! word 2  pages          words 16…  one for each rank: process id << 2 | how far it has come
//! ```
//! What follows the board, from [`Board::bytes`] on, is the transport's.

use super::sys::SharedWords;
use rustix::fs::MemfdFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

const MAGIC: u32 = 0x7477_6d31;
const RANKS: usize = 1;
const PAGES: usize = 2;
const ABORTED: usize = 3;
const ABORT_CODE: usize = 4;
const SLOTS: usize = 16;
const PAGE: usize = 4096;
const WORD: usize = size_of::<u32>();

/// How far a rank has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It did not initialise MPI.
    Absent,
    /// It did.
    Running,
    /// It finalised it.
    Finalized,
}

/// The board of a node.
#[derive(Debug)]
pub struct Board {
    memory: SharedWords,
}

impl Board {
    /// Bytes that the board of so many ranks takes: whole pages.
    pub fn bytes(ranks: u32) -> usize {
        ((SLOTS + ranks as usize) * WORD).next_multiple_of(PAGE)
    }

    /// Makes the memory of a node, as yet without the transport's part, and its board. The memory has no name, so that
    /// nothing is left of it when the last process is gone.
    pub fn create(ranks: u32) -> io::Result<(Board, OwnedFd)> {
        let file = rustix::fs::memfd_create("twowire-job", MemfdFlags::CLOEXEC)?;
        let bytes = Board::bytes(ranks);
        rustix::fs::ftruncate(&file, bytes as u64)?;
        let board = Board { memory: SharedWords::map(&file, bytes / WORD)? };
        board.word(RANKS).store(ranks, Release);
        board.word(PAGES).store((bytes / PAGE) as u32, Release);
        board.word(0).store(MAGIC, Release);
        Ok((board, file))
    }

    /// Maps the board of a memory that somebody else made for a job of so many ranks.
    pub fn open(file: impl AsFd, ranks: u32) -> io::Result<Board> {
        let bytes = Board::bytes(ranks);
        let length = rustix::fs::fstat(&file)?.st_size;
        if u64::try_from(length).is_ok_and(|length| length < bytes as u64) {
            return Err(io::Error::other(format!("the job's memory has {length} bytes; {bytes} were expected")));
        }
        let board = Board { memory: SharedWords::map(&file, bytes / WORD)? };
        let (magic, found) = (board.word(0).load(Acquire), board.word(RANKS).load(Acquire));
        match (magic, found) {
            (MAGIC, found) if found == ranks => Ok(board),
            (MAGIC, found) => Err(io::Error::other(format!("the job's memory is of {found} ranks, not {ranks}"))),
            _ => Err(io::Error::other("the job's memory was made by another version of the library")),
        }
    }

    fn word(&self, index: usize) -> &AtomicU32 {
        &self.memory.words()[index]
    }

    fn slot(&self, rank: u32) -> &AtomicU32 {
        self.word(SLOTS + rank as usize)
    }

    /// Takes a rank for this process; what was there before if it is taken.
    pub fn claim(&self, rank: u32, process: u32) -> Result<(), (u32, Progress)> {
        let mine = pack(process, Progress::Running);
        self.slot(rank).compare_exchange(0, mine, AcqRel, Acquire).map(|_| ()).map_err(unpack)
    }

    /// Says how far a rank has come that was claimed.
    pub fn set(&self, rank: u32, process: u32, progress: Progress) {
        self.slot(rank).store(pack(process, progress), Release);
    }

    /// The process of a rank (0 until it initialised MPI) and how far it has come.
    pub fn get(&self, rank: u32) -> (u32, Progress) {
        unpack(self.slot(rank).load(Acquire))
    }

    /// Notes that a rank ends the job with a code; the first that does so counts.
    pub fn abort(&self, rank: u32, code: i32) {
        if self.word(ABORTED).compare_exchange(0, rank + 1, AcqRel, Acquire).is_ok() {
            self.word(ABORT_CODE).store(code.cast_unsigned(), Release);
        }
    }

    /// The rank that ended the job, and its code.
    pub fn aborted(&self) -> Option<(u32, i32)> {
        let rank = self.word(ABORTED).load(Acquire).checked_sub(1)?;
        Some((rank, self.word(ABORT_CODE).load(Acquire).cast_signed()))
    }
}

// Linux gives process ids up to 2^22.
fn pack(process: u32, progress: Progress) -> u32 {
    process << 2 | progress as u32
}

fn unpack(word: u32) -> (u32, Progress) {
    let progress = match word & 3 {
        0 => Progress::Absent,
        1 => Progress::Running,
        _ => Progress::Finalized,
    };
    (word >> 2, progress)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_see_one_board() {
        let (made, file) = Board::create(1500).unwrap();
        let opened = Board::open(&file, 1500).unwrap();
        assert_eq!(opened.get(1499), (0, Progress::Absent));
        opened.claim(1499, 4_194_303).unwrap();
        assert_eq!(made.get(1499), (4_194_303, Progress::Running));
        assert_eq!(made.claim(1499, 5), Err((4_194_303, Progress::Running)));
        opened.set(1499, 4_194_303, Progress::Finalized);
        assert_eq!(made.get(1499), (4_194_303, Progress::Finalized));
        assert_eq!(made.get(1498), (0, Progress::Absent));
    }

    #[test]
    fn the_first_abort_counts() {
        let (board, _file) = Board::create(2).unwrap();
        assert_eq!(board.aborted(), None);
        board.abort(0, -7);
        board.abort(1, 3);
        assert_eq!(board.aborted(), Some((0, -7)));
    }

    #[test]
    fn another_jobs_memory_is_refused() {
        let (_board, file) = Board::create(3).unwrap();
        let error = Board::open(&file, 4).unwrap_err().to_string();
        assert!(error.contains("of 3 ranks, not 4"), "{error}");
        let empty = rustix::fs::memfd_create("empty", MemfdFlags::CLOEXEC).unwrap();
        assert!(Board::open(&empty, 1).unwrap_err().to_string().contains("0 bytes"));
        rustix::fs::ftruncate(&empty, 8192).unwrap();
        assert!(Board::open(&empty, 1).unwrap_err().to_string().contains("another version"));
    }
}
