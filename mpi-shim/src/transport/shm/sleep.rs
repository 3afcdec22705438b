//! Sleeping until a process of this node is sent something.
//!
//! A sleeper says so in its line, looks once more for messages, and sleeps in the kernel on that word. A writer looks at the word after it has
//! published. For the two looks not to miss one another, one side has to order its write before its read: the sleeper does it for
//! both, by `membarrier`, so that writers pay nothing; where the kernel does not offer that, writers have a fence.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::time::Duration;

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

static FENCED: AtomicBool = AtomicBool::new(true);

fn membarrier(command: libc::c_int) -> bool {
    // SAFETY: the call takes no pointers.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
}

/// Makes this process one whose writes a sleeper can order; to be called before any message is sent.
pub(super) fn prepare() {
    // `all_can` is decided by the kernel that all processes of the node share, so they all decide alike.
    FENCED.store(!membarrier(libc::MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED), Ordering::Relaxed);
}

/// Wakes the process whose word this is, if it sleeps. After a message was published.
#[inline]
pub(super) fn wake(word: &AtomicU32) {
    if FENCED.load(Ordering::Relaxed) {
        fence(Ordering::SeqCst);
    }
    if word.load(Ordering::Relaxed) == ASLEEP {
        wake_up(word);
    }
}

#[cold]
fn wake_up(word: &AtomicU32) {
    if word.swap(AWAKE, Ordering::Relaxed) == ASLEEP {
        // SAFETY: the word is in memory shared by the processes, valid as long as the reference.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
    }
}

/// Sleeps until woken, or for `limit`. Does not when `look` finds something after the sleep was announced.
pub(super) fn sleep(word: &AtomicU32, limit: Duration, look: impl FnOnce() -> bool) {
    word.store(ASLEEP, Ordering::SeqCst);
    if FENCED.load(Ordering::Relaxed) {
        fence(Ordering::SeqCst);
    } else {
        membarrier(libc::MEMBARRIER_CMD_GLOBAL_EXPEDITED);
    }
    if !look() {
        let timeout = libc::timespec { tv_sec: limit.as_secs() as i64, tv_nsec: limit.subsec_nanos().into() };
        // SAFETY: the word and the timeout live until the call returns.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, ASLEEP, &raw const timeout) };
    }
    word.store(AWAKE, Ordering::Relaxed);
}
