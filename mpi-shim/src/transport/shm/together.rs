//! Long messages that the receiver and the sender copy together.
//!
//! One processor copies out of another process's memory at some 12 GB/s on two cores of a Zen 4, two at once at 26. So while a sender waits for its
//! receivers, who reads a long message out of its memory asks it to write the second half.
//!
//! The receiver writes into its slot what is to be copied, opens it, and says so in the sender's word. Who looks there claims the half and
//! writes it; if nobody has when the receiver is done with the first half, it claims the second itself. So nothing depends on the
//! sender: it may calculate, sleep, or have its hands full. A slot's turn tells a question that was left behind from the present one.

use super::copy::{CopyError, read_from, write_to};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{hint, thread};

/// A page: the halves meet at the beginning of one.
const PAGE: usize = 4096;
/// Looks at a half that the other process copies, before the core is offered to others.
const LOOKS: u32 = 100_000;
/// Bits of a place in a question.
const PLACE: u32 = 16;

/// How far a slot's second half is: the lowest bits of its state, below the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
enum Half {
    Open = 0,
    Claimed = 1,
    Done = 2,
    /// The sender may not write here.
    Refused = 3,
}

fn state(turn: u64, half: Half) -> u64 {
    turn << 2 | half as u64
}

/// What a process shares with those that it copies with. All zeros at first.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(super) struct Desk {
    /// A receiver's question, its turn and its place counted from 1; 0 if there is none.
    asked: AtomicU64,
    /// The process waits for others.
    waits: AtomicBool,
    slot: Slot,
}

/// The second half of what a process is receiving, on a line of its own.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Slot {
    state: AtomicU64,
    /// Addresses in the sender and in the receiver, and bytes.
    from: AtomicU64,
    to: AtomicU64,
    len: AtomicU64,
}

/// One process as it copies out of another's memory.
pub(super) struct Receiver<'a> {
    /// Its place among the node's.
    pub(super) place: usize,
    pub(super) desk: &'a Desk,
    pub(super) sender: &'a Desk,
    pub(super) sender_pid: u32,
}

impl Receiver<'_> {
    /// Copies `len` bytes at `from` in the sender to `to`; `wake` wakes the sender if it sleeps.
    ///
    /// # Safety
    /// `len` bytes at `to` must be writable, and nobody may use them meanwhile.
    pub(super) unsafe fn copy(&self, from: u64, to: *mut u8, len: usize, wake: impl FnOnce()) -> Result<(), CopyError> {
        let first = (len / 2).next_multiple_of(PAGE).min(len);
        let (second, rest) = (to.wrapping_add(first), len - first);
        let asked = self.ask(from + first as u64, second as u64, rest);
        if let Some(question) = asked {
            wake();
            // SAFETY: the caller's promise.
            let copied = unsafe { read_from(self.sender_pid, from, to, first) };
            let is_done = self.finish(question);
            copied?;
            if is_done {
                super::note_written(second as usize, rest);
                return Ok(());
            }
            // SAFETY: the caller's promise; nobody else copies there any more.
            return unsafe { read_from(self.sender_pid, from + first as u64, second, rest) };
        }
        // SAFETY: the caller's promise.
        unsafe { read_from(self.sender_pid, from, to, len) }
    }

    /// Asks the sender for the second half, if it waits and nobody else asks it: the question.
    fn ask(&self, from: u64, to: u64, len: usize) -> Option<u64> {
        if len == 0 || !self.sender.waits.load(Ordering::Relaxed) {
            return None;
        }
        let slot = &self.desk.slot;
        let turn = (slot.state.load(Ordering::Relaxed) >> 2) + 1;
        slot.from.store(from, Ordering::Relaxed);
        slot.to.store(to, Ordering::Relaxed);
        slot.len.store(len as u64, Ordering::Relaxed);
        slot.state.store(state(turn, Half::Open), Ordering::Release);
        let question = turn << PLACE | (self.place as u64 + 1);
        let is_heard = self.sender.asked.compare_exchange(0, question, Ordering::Release, Ordering::Relaxed).is_ok();
        is_heard.then_some(question)
    }

    /// Waits for the second half if the sender is at it, else takes the question back. True if the sender has copied it.
    fn finish(&self, question: u64) -> bool {
        let (slot, turn) = (&self.desk.slot, question >> PLACE);
        let claim = (state(turn, Half::Open), state(turn, Half::Claimed));
        if slot.state.compare_exchange(claim.0, claim.1, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            // The sender may have taken it by now: then it finds the slot claimed.
            let _ = self.sender.asked.compare_exchange(question, 0, Ordering::Relaxed, Ordering::Relaxed);
            return false;
        }
        let mut looks = 0;
        loop {
            match slot.state.load(Ordering::Acquire) & 3 {
                half if half == Half::Done as u64 => return true,
                half if half == Half::Refused as u64 => return false,
                _ => {}
            }
            looks += 1;
            if looks < LOOKS { hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

impl Desk {
    /// Says whether the process waits for others, so that it can be asked.
    pub(super) fn set_waits(&self, waits: bool) {
        self.waits.store(waits, Ordering::Relaxed);
    }

    /// True if this process is asked for help.
    #[inline]
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) != 0
    }

    /// Helps the receiver that asks, whose desk and process id `receiver` gives by its place. False if it needs no help any more.
    #[cold]
    pub(super) fn help<'a>(&self, receiver: impl FnOnce(usize) -> Option<(&'a Desk, u32)>) -> bool {
        let question = self.asked.swap(0, Ordering::Acquire);
        let (turn, place) = (question >> PLACE, question & ((1 << PLACE) - 1));
        let Some((desk, pid)) = place.checked_sub(1).and_then(|place| receiver(place as usize)) else { return false };
        let slot = &desk.slot;
        let claim = (state(turn, Half::Open), state(turn, Half::Claimed));
        if slot.state.compare_exchange(claim.0, claim.1, Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        // Only now they are sure to be of this turn: the receiver waits.
        let [from, to, len] = [&slot.from, &slot.to, &slot.len].map(|word| word.load(Ordering::Relaxed));
        // SAFETY: what this process has announced can be read until the receiver is done; a wrong address is an error of the call's.
        let written = unsafe { write_to(pid, from as *const u8, to, len as usize) };
        let half = if written.is_ok() { Half::Done } else { Half::Refused };
        slot.state.store(state(turn, half), Ordering::Release);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    const LEN: usize = 300_001;

    fn receiver<'a>(desk: &'a Desk, sender: &'a Desk) -> Receiver<'a> {
        Receiver { place: 3, desk, sender, sender_pid: std::process::id() }
    }

    fn copy(receiver: &Receiver<'_>, from: &[u8], wake: impl FnOnce()) -> Vec<u8> {
        let mut to = vec![0; from.len()];
        // SAFETY: the memory is ours, and that long.
        unsafe { receiver.copy(from.as_ptr() as u64, to.as_mut_ptr(), to.len(), wake).unwrap() };
        to
    }

    #[test]
    fn a_sender_that_does_not_wait_is_not_asked() {
        let (desk, sender, from) = (Desk::default(), Desk::default(), vec![7; LEN]);
        assert_eq!(copy(&receiver(&desk, &sender), &from, || panic!("it is asked")), from);
    }

    #[test]
    fn the_receiver_does_what_the_sender_does_not_come_to() {
        let (desk, sender, from) = (Desk::default(), Desk::default(), vec![7; LEN]);
        sender.set_waits(true);
        let asked = AtomicUsize::new(0);
        assert_eq!(copy(&receiver(&desk, &sender), &from, || asked.store(1, Ordering::Relaxed)), from);
        assert!(asked.into_inner() == 1 && !sender.is_asked(), "the question is taken back");
    }

    #[test]
    fn a_question_that_was_left_behind_is_not_answered() {
        let (desk, sender) = (Desk::default(), Desk::default());
        let (pid, from) = (std::process::id(), vec![7; LEN]);
        sender.set_waits(true);
        let receiver = receiver(&desk, &sender);
        let mut to = vec![0; LEN];
        let old = receiver.ask(from.as_ptr() as u64, to.as_mut_ptr() as u64, LEN).unwrap();
        assert!(!receiver.finish(old));
        receiver.ask(from.as_ptr() as u64, to.as_mut_ptr() as u64, LEN).unwrap();
        sender.asked.store(old, Ordering::Relaxed);
        assert!(!sender.help(|_| Some((&desk, pid))));
        assert!(to.iter().all(|&byte| byte == 0));
    }

    #[test]
    fn a_sender_that_may_not_write_leaves_its_half_to_the_receiver() {
        let (desk, sender, from) = (Desk::default(), Desk::default(), vec![7; LEN]);
        sender.set_waits(true);
        // No process has this id.
        let help = || assert!(sender.help(|_| Some((&desk, i32::MAX as u32))));
        assert_eq!(copy(&receiver(&desk, &sender), &from, help), from);
    }

    #[test]
    fn both_together_copy_each_byte_of_each_message() {
        /// Says, also when a check fails, that the receiver is done.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }

        let (desk, sender, is_over) = (Desk::default(), Desk::default(), AtomicBool::new(false));
        sender.set_waits(true);
        let (pid, helped) = (std::process::id(), AtomicUsize::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    if sender.is_asked() && sender.help(|place| (place == 3).then_some((&desk, pid))) {
                        helped.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::yield_now();
                }
            });
            let _over = Over(&is_over);
            let mut rng = fastrand::Rng::with_seed(1);
            while helped.load(Ordering::Relaxed) < 100 {
                let mut from = vec![0; rng.usize(0..LEN)];
                rng.fill(&mut from);
                assert_eq!(copy(&receiver(&desk, &sender), &from, || {}), from);
            }
        });
    }
}
