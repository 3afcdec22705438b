//! How members wait for one another, and wake one another.

use crate::p2p;
use crate::transport::shm::Segment;
use std::hint::spin_loop;
use std::sync::Arc;
use std::time::Duration;

/// Looks between two looks for messages, while there is a core for everybody.
const LOOKS: u32 = 64;
/// Rounds of looks before the core is offered to others.
const ROUNDS: u32 = 500;
/// Offers of the core before the process sleeps.
const YIELDS: u32 = 400;
/// The longest sleep: against whatever may be lost, such as a process that died.
const SLEEP: Duration = Duration::from_millis(50);

/// Waits for members of a communicator, and wakes them.
#[derive(Debug)]
pub(super) struct Waiter {
    segment: Arc<Segment>,
    /// The other members' places on the node.
    others: Box<[usize]>,
    /// Whether there are more processes than cores.
    crowded: bool,
}

impl Waiter {
    pub(super) fn new(segment: Arc<Segment>, others: Box<[usize]>, crowded: bool) -> Waiter {
        Waiter { segment, others, crowded }
    }

    /// Whether there are more processes than cores.
    #[inline]
    pub(super) fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Wakes the members that sleep. After something was published.
    #[inline]
    pub(super) fn wake_all(&self) {
        for &place in &self.others {
            self.segment.wake(place);
        }
    }

    /// Waits until `ready`, making progress with messages meanwhile.
    #[inline]
    pub(super) fn until(&self, ready: impl Fn() -> bool) {
        if !ready() {
            self.wait(&ready);
        }
    }

    #[inline(never)]
    fn wait(&self, ready: &dyn Fn() -> bool) {
        if !self.crowded {
            for _ in 0..ROUNDS {
                for _ in 0..LOOKS {
                    spin_loop();
                    if ready() {
                        return;
                    }
                }
                progress();
            }
        }
        for _ in 0..YIELDS {
            progress();
            if ready() {
                return;
            }
            std::thread::yield_now();
            if ready() {
                return;
            }
        }
        while !ready() {
            self.segment.sleep(SLEEP, || ready() || p2p::has_work());
            progress();
        }
    }
}

/// Progress with messages. If the fabric fails, the next call that waits for a message says so.
fn progress() {
    let _ = p2p::advance();
}
