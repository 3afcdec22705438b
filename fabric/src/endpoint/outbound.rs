//! One path to a peer: what was sent on it, what of that is lost, how full it may be, whether it works.
//!
//! Loss is judged on each path by itself, since frames on one path stay in order and frames on two do not: a
//! transmission is lost when a later one on the same path has arrived and it was followed by enough others, or is old
//! enough (the rules of RFC 9002, section 6.1, on RFC 8985's idea). Silence proves no loss: it makes a ping.

use super::config::EndpointConfig;
use super::congestion::Congestion;
use super::rtt::RoundTrip;
use super::sender::{Sender, Transmission};
use super::sequence::expand;
use super::sounding::Sounding;
use crate::protocol::Path;
use crate::time::Time;
use crate::wire::endpoint::Echo;
use std::collections::VecDeque;
use std::time::Duration;

/// Later transmissions that must have arrived before one is lost, until reordering is seen: RFC 9002's packet threshold.
const REORDER_FRAMES: u64 = 3;
const MAX_REORDER_FRAMES: u64 = 192;
/// Pings that a path may leave unanswered before it is down, if another one answers.
const SILENT_PINGS: u32 = 3;

/// What is known of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathState {
    /// Nothing: no frame has ever been known to arrive by it.
    Unproven,
    /// It works.
    Up,
    /// It is silent while others answer.
    Down,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Time,
    /// The data frame; `None` for a ping.
    sequence: Option<u64>,
}

/// A path to a peer.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) id: u8,
    pub(super) path: Path,
    pub(super) state: PathState,
    pub(super) ping_due: bool,
    /// Whether it carries long frames; `None` if that is of no interest.
    pub(super) sounding: Option<Sounding>,
    /// The largest payload that every path carries, and that this one may.
    payloads: (usize, usize),
    in_flight: u32,
    rtt: RoundTrip,
    congestion: Congestion,
    /// Transmissions from number `first` on.
    sent: VecDeque<Sent>,
    first: u64,
    /// One more than the highest transmit number that has arrived.
    arrived: u64,
    arrived_at: Time,
    asked_at: Time,
    unanswered: u32,
    /// Frames known to have arrived since the last round trip was measured, and whether the window was full.
    acked: u32,
    filled: bool,
    reorder_frames: u64,
    loss_at: Option<Time>,
}

impl Outbound {
    pub(super) fn new(id: u8, path: Path, config: &EndpointConfig) -> Outbound {
        Outbound {
            id,
            path,
            state: PathState::Unproven,
            ping_due: false,
            sounding: (config.long_payload > config.max_payload).then(Sounding::new),
            payloads: (config.max_payload, config.long_payload),
            in_flight: 0,
            rtt: RoundTrip::default(),
            congestion: Congestion::new(config),
            sent: VecDeque::new(),
            first: 0,
            arrived: 0,
            arrived_at: Time::ZERO,
            asked_at: Time::ZERO,
            unanswered: 0,
            acked: 0,
            filled: false,
            reorder_frames: REORDER_FRAMES,
            loss_at: None,
        }
    }

    /// A new connection begins: nothing has been sent, but what is known of the path's speed stays.
    pub(super) fn start(&mut self) {
        self.sent.clear();
        (self.first, self.arrived, self.in_flight, self.unanswered) = (0, 0, 0, 0);
        (self.ping_due, self.loss_at, self.state) = (false, None, PathState::Unproven);
        self.sounding.iter_mut().for_each(Sounding::start);
    }

    /// The number of the next transmission.
    pub(super) fn next_transmission(&self) -> Transmission {
        Transmission { path: self.id, number: self.first + self.sent.len() as u64 }
    }

    /// The next transmission is made now, of a data frame or of a ping.
    pub(super) fn transmitted(&mut self, now: Time, sequence: Option<u64>) {
        if sequence.is_some() {
            self.in_flight += 1;
            self.filled |= !self.congestion.has_room(self.in_flight);
        }
        self.sent.push_back(Sent { at: now, sequence });
    }

    /// The largest payload to send by this path.
    pub(super) fn payload(&self) -> usize {
        if self.sounding.is_some_and(|sounding| sounding.carries()) { self.payloads.1 } else { self.payloads.0 }
    }

    /// True if it should be asked whether long frames get through.
    pub(super) fn wants_sounding(&self) -> bool {
        self.state == PathState::Up && self.sounding.is_some_and(|sounding| sounding.is_due())
    }

    /// What of the soundings concerns a frame with a payload of this length.
    fn of_long(&mut self, len: usize) -> Option<&mut Sounding> {
        self.sounding.as_mut().filter(|_| len > self.payloads.0)
    }

    /// True if the congestion window has room for a data frame.
    pub(super) fn has_room(&self) -> bool {
        self.congestion.has_room(self.in_flight)
    }

    /// The smoothed round trip, if one was measured.
    pub(super) fn smoothed_rtt(&self) -> Option<Duration> {
        self.rtt.smoothed()
    }

    /// True if a ping waits for its answer.
    pub(super) fn is_suspect(&self) -> bool {
        self.unanswered > 0
    }

    /// True if the path has left so much unanswered that it is down if another one has answered since.
    pub(super) fn is_silent(&self) -> bool {
        self.unanswered >= SILENT_PINGS
    }

    /// When something last arrived by this path.
    pub(super) fn arrived_at(&self) -> Time {
        self.arrived_at
    }

    /// Since when the oldest transmission that nothing is known of is under way.
    pub(super) fn waiting_since(&self) -> Option<Time> {
        let index = self.arrived.saturating_sub(self.first) as usize;
        self.sent.get(index).map(|s| s.at)
    }

    /// A data frame with `len` bytes of payload whose latest transmission went by this path has arrived, by this or an earlier one.
    pub(super) fn left_flight(&mut self, len: usize) {
        self.of_long(len).into_iter().for_each(Sounding::arrived);
        self.in_flight -= 1;
        self.acked += 1;
    }

    /// Transmission `number` has arrived for certain. True if no later one had before.
    pub(super) fn arrived(&mut self, now: Time, number: u64) -> bool {
        let next = self.first + self.sent.len() as u64;
        if number < self.arrived || number >= next {
            return false;
        }
        self.arrived = number + 1;
        self.arrived_at = now;
        self.unanswered = 0;
        true
    }

    /// True if it is not excluded that transmission `number` has arrived: a later one, or itself, has.
    pub(super) fn has_arrived(&self, number: u64) -> bool {
        number < self.arrived
    }

    /// The path is down: it is probed after a while.
    pub(super) fn rest(&mut self, now: Time) {
        self.state = PathState::Down;
        self.asked_at = now;
        self.ping_due = false;
    }

    /// The peer says what arrived on this path last.
    pub(super) fn echoed(&mut self, now: Time, echo: Echo) -> bool {
        let Some(number) = expand(self.first + self.sent.len() as u64, echo.transmit) else { return false };
        let sent = number.checked_sub(self.first).and_then(|i| self.sent.get(i as usize)).copied();
        if !self.arrived(now, number) {
            return false;
        }
        if let Some(sent) = sent
            && echo.age_ns != u32::MAX
        {
            let rtt = (now - sent.at).saturating_sub(Duration::from_nanos(echo.age_ns.into()));
            self.rtt.sample(rtt);
            self.congestion.on_round_trip(now, rtt, self.rtt.smallest(), self.acked, self.filled);
            (self.acked, self.filled) = (0, false);
        }
        true
    }

    /// A transmission that had been taken for lost was only late.
    pub(super) fn was_late(&mut self) {
        self.reorder_frames = (self.reorder_frames * 2).min(MAX_REORDER_FRAMES);
    }

    /// Finds the transmissions that are lost, and tells the sender; returns how many there were.
    pub(super) fn detect_losses(&mut self, now: Time, sender: &mut Sender) -> u32 {
        let delay = self.loss_delay();
        self.loss_at = None;
        let mut lost = 0;
        while let Some(&sent) = self.sent.front() {
            let transmission = Transmission { path: self.id, number: self.first };
            let open = match sent.sequence {
                Some(sequence) => sender.is_in_flight(sequence, transmission),
                None => self.first >= self.arrived,
            };
            if open && self.first >= self.arrived {
                break;
            }
            if open {
                let overtaken = self.arrived - 1 - self.first >= self.reorder_frames;
                if !overtaken && now < sent.at + delay {
                    self.loss_at = Some(sent.at + delay);
                    break;
                }
                if let Some(sequence) = sent.sequence {
                    let len = sender.lose(sequence);
                    self.of_long(len).into_iter().for_each(Sounding::lost);
                }
                self.in_flight -= 1;
                lost += 1;
            }
            self.sent.pop_front();
            self.first += 1;
        }
        lost
    }

    /// How long an overtaken transmission may still be under way: a round trip, and some for reordering.
    fn loss_delay(&self) -> Duration {
        let upper = self.rtt.upper();
        let settle = self.rtt.smallest() / 4 * (self.reorder_frames / REORDER_FRAMES) as u32;
        upper + settle.min(upper).max(Duration::from_micros(1))
    }

    /// Everything in flight is lost: the path is down, or no longer used.
    pub(super) fn abandon(&mut self, sender: &mut Sender) -> u32 {
        let mut lost = 0;
        for (i, sent) in self.sent.iter().enumerate() {
            let transmission = Transmission { path: self.id, number: self.first + i as u64 };
            if let Some(sequence) = sent.sequence
                && sender.is_in_flight(sequence, transmission)
            {
                sender.lose(sequence);
                lost += 1;
            }
        }
        self.first += self.sent.len() as u64;
        self.arrived = self.arrived.max(self.first);
        self.sent.clear();
        self.in_flight = 0;
        self.loss_at = None;
        self.congestion.on_silence();
        lost
    }

    fn ping_interval(&self, config: &EndpointConfig) -> Duration {
        let (first, doublings) = match self.state {
            PathState::Down => (config.probe_interval, self.unanswered.saturating_sub(SILENT_PINGS + 1)),
            _ => (self.rtt.ping_timeout(config), self.unanswered.saturating_sub(SILENT_PINGS)),
        };
        first.saturating_mul(1 << doublings.min(16)).min(config.max_ping_interval.max(first))
    }

    /// When this path wants a ping.
    pub(super) fn ping_at(&self, config: &EndpointConfig) -> Option<Time> {
        let since = match self.state {
            PathState::Down => self.asked_at,
            _ => self.waiting_since()?.max(self.arrived_at).max(self.asked_at),
        };
        (!self.ping_due).then(|| since + self.ping_interval(config))
    }

    /// When an overtaken transmission is lost.
    pub(super) fn loss_at(&self) -> Option<Time> {
        self.loss_at
    }

    /// Makes a ping due if it is time. True if it was.
    pub(super) fn on_timeout(&mut self, now: Time, config: &EndpointConfig) -> bool {
        let due = self.ping_at(config).is_some_and(|t| t <= now);
        if due {
            self.ping_due = true;
            self.asked_at = now;
            self.unanswered += 1;
            if self.unanswered == SILENT_PINGS + 2 {
                self.congestion.on_silence();
            }
        }
        due
    }
}
