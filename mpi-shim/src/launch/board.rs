//! The board: the first pages of the memory that a node's processes share, where they and their launcher see one another.
//!
//! ```text
//! page 0      word 0  magic          word 2  rank that ended the job, plus 1
//!             word 1  ranks
//!             words 16…  one for each rank: process id << 2 | how far it has come
//! pages 1…63  a quarter of a kilobyte for each rank: what it waits for (`waits.rs`)
//! ```
//! What follows these pages is the transport's. Memory is taken only by pages that somebody has written.

use super::sys::SharedWords;
use super::waits::{SLOT_WORDS, Slot, Wait};
use rustix::fs::MemfdFlags;
use rustix::io::Errno;
use rustix::thread::futex;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};

const MAGIC: u32 = 0x7477_6d32;
const RANKS: usize = 1;
const ABORTED: usize = 2;
const SLOTS: usize = 16;
/// Words of the first page.
const PAGE_WORDS: usize = 1024;
/// Words of all pages.
const WORDS: usize = PAGE_WORDS + Board::MOST_RANKS as usize * SLOT_WORDS;
const BYTES: usize = WORDS * size_of::<u32>();
const _: () = assert!(BYTES == Board::BYTES);

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
    /// The most ranks that have room on a board.
    pub const MOST_RANKS: u32 = (PAGE_WORDS - SLOTS) as u32;
    /// Bytes of a board, whole pages; then comes the transport's part of the memory.
    pub const BYTES: usize = 64 * 4096;

    /// Makes the memory of a node, as yet without the transport's part, and its board. The memory has no name, so that
    /// nothing is left of it when the last process is gone.
    pub fn create(ranks: u32) -> io::Result<(Board, OwnedFd)> {
        if ranks > Board::MOST_RANKS {
            return Err(io::Error::other(format!("{ranks} ranks; a host takes {} of a job", Board::MOST_RANKS)));
        }
        let file = rustix::fs::memfd_create("twowire-job", MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&file, BYTES as u64)?;
        let board = Board { memory: SharedWords::map(&file, WORDS)? };
        board.word(RANKS).store(ranks, Release);
        board.word(0).store(MAGIC, Release);
        Ok((board, file))
    }

    /// Maps the board of a memory that somebody else made for a job of so many ranks.
    pub fn open(file: impl AsFd, ranks: u32) -> io::Result<Board> {
        let length = rustix::fs::fstat(&file)?.st_size;
        if u64::try_from(length).is_ok_and(|length| length < BYTES as u64) {
            return Err(io::Error::other(format!("the job's memory has {length} bytes; {BYTES} were expected")));
        }
        let board = Board { memory: SharedWords::map(&file, WORDS)? };
        let (magic, found) = (board.word(0).load(Acquire), board.word(RANKS).load(Acquire));
        match (magic, found) {
            (MAGIC, found) if found == ranks && ranks <= Board::MOST_RANKS => Ok(board),
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

    /// Wakes who waits in [`await_claims`](Board::await_claims) for this rank.
    pub fn announce_claim(&self, rank: u32) {
        // Nobody may wait; an error would mean a kernel without futexes.
        let _ = futex::wake(self.slot(rank), futex::Flags::empty(), u32::MAX);
    }

    /// Waits until all these ranks are claimed and [announced](Board::announce_claim).
    pub fn await_claims(&self, ranks: &[u32]) -> io::Result<()> {
        for slot in ranks.iter().map(|&rank| self.slot(rank)) {
            while slot.load(Acquire) == 0 {
                match futex::wait(slot, futex::Flags::empty(), 0, None) {
                    Ok(()) | Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Says how far a rank has come that was claimed.
    pub fn set(&self, rank: u32, process: u32, progress: Progress) {
        self.slot(rank).store(pack(process, progress), Release);
    }

    /// The process of a rank (0 until it initialised MPI) and how far it has come.
    pub fn get(&self, rank: u32) -> (u32, Progress) {
        unpack(self.slot(rank).load(Acquire))
    }

    /// Where a rank says what it waits for.
    fn wait_slot(&self, rank: u32) -> Slot<'_> {
        let begin = PAGE_WORDS + rank as usize * SLOT_WORDS;
        Slot::new(&self.memory.words()[begin..begin + SLOT_WORDS])
    }

    /// Says what a rank waits for; nothing any longer with `None`.
    pub fn note_wait(&self, rank: u32, wait: Option<&Wait>) {
        self.wait_slot(rank).write(wait);
    }

    /// What a rank said that it waits for: nothing, if it does not wait or has not waited for long.
    pub fn waits_for(&self, rank: u32) -> Option<Wait> {
        self.wait_slot(rank).read()
    }

    /// Notes that a rank ends the job, and has said why; the first that does so counts: true for that one.
    pub fn abort(&self, rank: u32) -> bool {
        let first = self.word(ABORTED).compare_exchange(0, rank + 1, AcqRel, Acquire);
        first.map_or_else(|before| before == rank + 1, |_| true)
    }

    /// The rank that ended the job.
    pub fn aborted(&self) -> Option<u32> {
        self.word(ABORTED).load(Acquire).checked_sub(1)
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
        let (made, file) = Board::create(1008).unwrap();
        let opened = Board::open(&file, 1008).unwrap();
        assert_eq!(opened.get(1007), (0, Progress::Absent));
        opened.claim(1007, 4_194_303).unwrap();
        assert_eq!(made.get(1007), (4_194_303, Progress::Running));
        assert_eq!(made.claim(1007, 5), Err((4_194_303, Progress::Running)));
        opened.set(1007, 4_194_303, Progress::Finalized);
        assert_eq!(made.get(1007), (4_194_303, Progress::Finalized));
        assert_eq!(made.get(1006), (0, Progress::Absent));
    }

    #[test]
    fn who_waits_for_claims_wakes_when_all_are_there() {
        let (made, file) = Board::create(3).unwrap();
        made.claim(0, 10).unwrap();
        let others = std::thread::spawn(move || {
            let board = Board::open(&file, 3).unwrap();
            for rank in [2, 1] {
                std::thread::yield_now();
                board.claim(rank, 11).unwrap();
                board.announce_claim(rank);
            }
        });
        made.await_claims(&[0, 1, 2]).unwrap();
        assert!((0..3).all(|rank| made.get(rank).1 == Progress::Running));
        others.join().unwrap();
    }

    #[test]
    fn the_first_abort_counts() {
        let (board, _file) = Board::create(2).unwrap();
        assert_eq!(board.aborted(), None);
        board.abort(0);
        board.abort(1);
        assert_eq!(board.aborted(), Some(0));
    }

    #[test]
    fn more_ranks_than_there_is_room_for_are_refused() {
        assert!(Board::create(1009).unwrap_err().to_string().contains("1009 ranks; a host takes 1008"));
    }

    #[test]
    fn another_jobs_memory_is_refused() {
        let (_board, file) = Board::create(3).unwrap();
        let error = Board::open(&file, 4).unwrap_err().to_string();
        assert!(error.contains("of 3 ranks, not 4"), "{error}");
        let empty = rustix::fs::memfd_create("empty", MemfdFlags::CLOEXEC).unwrap();
        assert!(Board::open(&empty, 1).unwrap_err().to_string().contains("0 bytes"));
        rustix::fs::ftruncate(&empty, BYTES as u64).unwrap();
        assert!(Board::open(&empty, 1).unwrap_err().to_string().contains("another version"));
    }
}
