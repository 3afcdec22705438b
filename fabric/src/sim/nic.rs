//! A host's card.

use super::frames::NONE;

/// Frames that a card holds while they wait for the link. Two keep it busy; more would only be decided too early.
const SEND_QUEUE: usize = 2;
const UNKNOWN: u64 = u64::MAX;

#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(super) struct Nic {
    /// When it has prepared the last frame for sending, and handed over the last one received.
    tx_free: u64,
    rx_free: u64,
    /// When each place of its send queue is free, the oldest first; [`UNKNOWN`] while a frame waits for room.
    places: [u64; SEND_QUEUE],
    /// The latest event that was made for a place.
    place_event: u64,
    /// The earliest event that is pending for the host's timer.
    timer_event: u64,
    /// The channel that it receives from; [`NONE`] without a cable.
    pub(super) rx: u32,
    /// Switched on.
    pub(super) up: bool,
}

impl Nic {
    pub(super) fn new() -> Nic {
        Nic {
            tx_free: 0,
            rx_free: 0,
            places: [0; SEND_QUEUE],
            place_event: UNKNOWN,
            timer_event: UNKNOWN,
            rx: NONE,
            up: true,
        }
    }

    /// True if it takes a frame.
    pub(super) fn has_room(&self, now: u64) -> bool {
        self.places[0] <= now
    }

    /// Takes a frame in; says when it is ready to leave.
    pub(super) fn prepare(&mut self, now: u64, cost: u64) -> u64 {
        self.places.rotate_left(1);
        self.places[SEND_QUEUE - 1] = UNKNOWN;
        self.tx_free = self.tx_free.max(now) + cost;
        self.tx_free
    }

    /// The oldest frame whose end was not known leaves at `at`.
    pub(super) fn sent(&mut self, at: u64) {
        if let Some(place) = self.places.iter_mut().find(|p| **p == UNKNOWN) {
            *place = at;
        }
    }

    /// When the host must be asked for the next frame, if that is known and no event has been made for it.
    pub(super) fn ask_at(&mut self, now: u64) -> Option<u64> {
        let next = self.places[0];
        let wanted = next >= now && next != UNKNOWN && next != self.place_event;
        wanted.then(|| {
            self.place_event = next;
            next
        })
    }

    /// A frame comes in whose tail is there at `tail`; says when it is handed to the host.
    pub(super) fn receive(&mut self, tail: u64, cost: u64) -> u64 {
        self.rx_free = self.rx_free.max(tail) + cost;
        self.rx_free
    }

    /// Its send queue is empty, as after power-on.
    pub(super) fn reset(&mut self, now: u64) {
        self.places = [now; SEND_QUEUE];
        self.place_event = UNKNOWN;
        self.tx_free = now;
    }

    /// True if an event must be made for the host's timer at `at`.
    pub(super) fn arm(&mut self, at: u64) -> bool {
        let sooner = at < self.timer_event;
        if sooner {
            self.timer_event = at;
        }
        sooner
    }

    /// An event for the host has come: if it is the one for its timer, there is none any more.
    pub(super) fn disarm(&mut self, now: u64) {
        if self.timer_event <= now {
            self.timer_event = UNKNOWN;
        }
    }
}
