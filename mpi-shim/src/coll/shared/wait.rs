//! How members wait for one another, and wake one another.

use super::signature::CORE;
use crate::p2p::{self, Stall, of_members};
use crate::transport::shm::Segment;
use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Looks between two looks for messages, while there is a core for everybody.
const LOOKS: u32 = 64;
/// Rounds of looks before the core is offered to others.
const ROUNDS: u32 = 500;
/// Rounds between two questions whether another process of the job is on the same core.
const ASK: u32 = 4;
/// Looks before the core is offered, while who is awaited runs on another one: about as long as a switch takes.
const LOOKS_AWAY: u32 = 60;
/// The same where nobody on this core is awaited, so that offering it helps nobody of the job.
const LOOKS_ALONE: u32 = 500;
/// Offers of the core before the process sleeps.
const YIELDS: u32 = 400;
/// The longest sleep: against whatever may be lost, such as a process that died.
const SLEEP: Duration = Duration::from_millis(50);

/// Who is awaited.
#[derive(Clone, Copy, Debug)]
pub(super) enum Awaited<'a> {
    /// A member whose head says where it was seen last.
    On(&'a AtomicU64),
    /// One on another core, while nobody on this one is awaited any more.
    LastOne,
    /// Nobody knows where.
    Somewhere,
}

/// Waits for members of a communicator, and wakes them.
#[derive(Debug)]
pub(super) struct Waiter {
    segment: Arc<Segment>,
    /// The communicator's context.
    context: u64,
    /// The other members' places on the node.
    others: Box<[usize]>,
    /// Whether there are more processes than cores.
    crowded: bool,
    /// Where this process was seen last, counted from 1.
    core: AtomicU64,
}

impl Waiter {
    pub(super) fn new(segment: Arc<Segment>, context: u64, others: Box<[usize]>, crowded: bool) -> Waiter {
        Waiter { segment, context, others, crowded, core: AtomicU64::new(0) }
    }

    /// Whether there are more processes than cores.
    #[inline]
    pub(super) fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Finds out on which core this process runs, counted from 1.
    #[inline]
    pub(super) fn note_core(&self) -> u64 {
        // SAFETY: the call takes no arguments.
        let core = unsafe { libc::sched_getcpu() } as u64 + 1;
        self.core.store(core, Ordering::Relaxed);
        core
    }

    /// Whether a member was seen last on the core of this process, or nowhere yet.
    #[inline]
    pub(super) fn is_nearby(&self, origin: &AtomicU64) -> bool {
        let core = origin.load(Ordering::Relaxed) & CORE;
        core == 0 || core == self.core.load(Ordering::Relaxed) & CORE
    }

    /// Wakes the members that sleep. After something was published.
    #[inline]
    pub(super) fn wake_all(&self) {
        for &place in &self.others {
            self.segment.wake(place);
        }
    }

    /// Waits until `ready`, making progress with messages meanwhile; `absent` are the members that have not come.
    #[inline]
    pub(super) fn until(&self, awaited: Awaited<'_>, ready: impl Fn() -> bool, absent: impl Fn() -> Vec<usize>) {
        if !ready() {
            self.wait(awaited, &ready, &absent);
        }
    }

    #[inline(never)]
    fn wait(&self, awaited: Awaited<'_>, ready: &dyn Fn() -> bool, absent: &dyn Fn() -> Vec<usize>) {
        let found = if self.crowded { self.look_away(awaited, ready) } else { self.look(ready) };
        if found || self.give_way(awaited, ready) {
            return;
        }
        let mut stall = Stall::default();
        while !ready() {
            stall.sleeps(false, |state| of_members(state, self.context, &absent()));
            self.segment.sleep(SLEEP, || ready() || p2p::has_work());
            progress();
        }
    }

    /// Looks for a while, and for messages now and then; whether it was worth it. Not long where another process of the job is on this core.
    fn look(&self, ready: &dyn Fn() -> bool) -> bool {
        for round in 1..=ROUNDS {
            for _ in 0..LOOKS {
                spin_loop();
                if ready() {
                    return true;
                }
            }
            progress();
            if round % ASK == 0 && self.segment.shares_core() {
                return false;
            }
        }
        false
    }

    /// Looks for a while if that is not in the way of who is awaited; whether it was worth it.
    fn look_away(&self, awaited: Awaited<'_>, ready: &dyn Fn() -> bool) -> bool {
        let looks = match awaited {
            Awaited::LastOne => LOOKS_ALONE,
            Awaited::On(core) if !self.is_nearby(core) => LOOKS_AWAY,
            Awaited::On(_) | Awaited::Somewhere => return false,
        };
        (0..looks).any(|_| {
            spin_loop();
            ready()
        })
    }

    /// Offers the core to others, again and again; whether what was awaited came.
    fn give_way(&self, awaited: Awaited<'_>, ready: &dyn Fn() -> bool) -> bool {
        for _ in 0..YIELDS {
            progress();
            if ready() {
                return true;
            }
            let long = p2p::offer_core();
            if ready() || (self.crowded && self.look_away(awaited, ready)) {
                return true;
            }
            if long {
                return false;
            }
        }
        false
    }
}

/// Progress with messages. If the fabric fails, the next call that waits for a message says so.
fn progress() {
    let _ = p2p::advance();
}
