//! A host's card.

use super::frames::NONE;
use crate::id::UniqueId;

/// Frames that a card holds while they wait for the link. Two keep it busy; more would only be decided too early.
const SEND_QUEUE: usize = 2;

#[derive(Clone, Debug)]
pub(super) struct Nic {
    pub(super) id: UniqueId,
    /// The channel that it sends on.
    pub(super) tx: u32,
    /// The channel that it receives from; [`NONE`] without a cable.
    pub(super) rx: u32,
    /// When it has prepared the last frame for sending, and handed over the last one received.
    tx_free: u64,
    rx_free: u64,
    /// When each place of its send queue is free, the oldest first; [`u64::MAX`] while that is not known.
    places: [u64; SEND_QUEUE],
    /// The earliest event that is pending for the host's timer.
    timer_at: u64,
    /// Switched on.
    pub(super) up: bool,
}

impl Nic {
    pub(super) fn new(id: UniqueId, tx: u32) -> Nic {
        Nic { id, tx, rx: NONE, tx_free: 0, rx_free: 0, places: [0; SEND_QUEUE], timer_at: u64::MAX, up: true }
    }

    /// True if it takes a frame.
    pub(super) fn has_room(&self, now: u64) -> bool {
        self.places[0] <= now
    }

    /// Takes a frame in; says when it is ready to leave.
    pub(super) fn prepare(&mut self, now: u64, cost: u64) -> u64 {
        self.places.rotate_left(1);
        self.places[SEND_QUEUE - 1] = u64::MAX;
        self.tx_free = self.tx_free.max(now) + cost;
        self.tx_free
    }

    /// The oldest frame whose end was not known leaves at `at`.
    pub(super) fn sent(&mut self, at: u64) {
        if let Some(place) = self.places.iter_mut().find(|p| **p == u64::MAX) {
            *place = at;
        }
    }

    /// A frame comes in whose tail is there at `tail`; says when it is handed to the host.
    pub(super) fn receive(&mut self, tail: u64, cost: u64) -> u64 {
        self.rx_free = self.rx_free.max(tail) + cost;
        self.rx_free
    }

    /// Its memory is empty, as after power-on.
    pub(super) fn reset(&mut self, now: u64) {
        self.places = [now; SEND_QUEUE];
        self.tx_free = now;
    }

    /// True if an event must be made for the host's timer at `at`.
    pub(super) fn arm(&mut self, at: u64) -> bool {
        let sooner = at < self.timer_at;
        if sooner {
            self.timer_at = at;
        }
        sooner
    }

    /// An event for the host at `now`: is it the one for its timer?
    pub(super) fn disarm(&mut self, now: u64) {
        if self.timer_at <= now {
            self.timer_at = u64::MAX;
        }
    }
}
