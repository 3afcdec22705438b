//! Faults on purpose: frames that are lost, damaged, doubled or late.
//!
//! The model: each frame is judged once, by a generator of the injector's own, in this order. It is dropped; or some of its
//! bits are flipped, which the receiver's CRC-32 detects; or it is delivered. A frame that is delivered may come twice, and
//! each copy may be late, by which frames overtake one another. What is late waits here, in order of the instant when it is due.

use crate::id::UniqueId;
use crate::protocol::{Group, Port, PortError, PortLimits, Received, Transmit};
use crate::route::Route;
use crate::time::Time;
use crate::wire::{Packet, frame};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often faults happen to the frames of one direction: probabilities from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Frames that vanish.
    pub drop: f64,
    /// Frames of which one byte is changed.
    pub corrupt: f64,
    /// Frames that arrive twice.
    pub duplicate: f64,
    /// Frames that are late.
    pub delay: f64,
    /// How late a late frame is at most.
    pub max_delay: Duration,
}

/// How often each fault has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Frames dropped.
    pub dropped: u64,
    /// Frames damaged.
    pub corrupted: u64,
    /// Frames doubled.
    pub duplicated: u64,
    /// Frames, or copies, delayed.
    pub delayed: u64,
}

/// What happens to one frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Dropped,
    Corrupted,
    /// Delivered once or twice, each after a delay.
    Delivered(Duration, Option<Duration>),
}

/// A port with faults.
pub struct FaultInjector<P> {
    port: P,
    sending: Faults,
    receiving: Faults,
    rng: fastrand::Rng,
    counts: FaultCounts,
    /// Numbers what is held, so that frames due at one instant keep their order.
    held_count: u64,
    held_sends: BTreeMap<(Time, u64), Transmit>,
    held_receives: BTreeMap<(Time, u64), Packet>,
}

impl<P: Port> FaultInjector<P> {
    /// Puts faults on what `port` sends and receives; the same seed and the same frames give the same faults.
    pub fn new(port: P, sending: Faults, receiving: Faults, seed: u64) -> FaultInjector<P> {
        FaultInjector {
            port,
            sending,
            receiving,
            rng: fastrand::Rng::with_seed(seed),
            counts: FaultCounts::default(),
            held_count: 0,
            held_sends: BTreeMap::new(),
            held_receives: BTreeMap::new(),
        }
    }

    /// How often each fault has happened, in both directions.
    pub fn counts(&self) -> FaultCounts {
        self.counts
    }

    /// The port within; frames that are held are lost.
    pub fn into_inner(self) -> P {
        self.port
    }

    fn judge(&mut self, faults: Faults) -> Fate {
        if self.chance(faults.drop) {
            self.counts.dropped += 1;
            return Fate::Dropped;
        }
        if self.chance(faults.corrupt) {
            self.counts.corrupted += 1;
            return Fate::Corrupted;
        }
        let twice = self.chance(faults.duplicate);
        self.counts.duplicated += u64::from(twice);
        let first = self.lateness(faults);
        Fate::Delivered(first, twice.then(|| self.lateness(faults)))
    }

    fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.f64() < probability
    }

    fn lateness(&mut self, faults: Faults) -> Duration {
        if !self.chance(faults.delay) {
            return Duration::ZERO;
        }
        self.counts.delayed += 1;
        faults.max_delay.mul_f64(self.rng.f64())
    }

    fn due(&mut self, delay: Duration) -> (Time, u64) {
        self.held_count += 1;
        (self.port.now() + delay, self.held_count)
    }

    /// Sends what is due, as far as the port has room.
    fn release_sends(&mut self) -> Result<(), PortError> {
        while let Some(entry) = self.held_sends.first_entry()
            && entry.key().0 <= self.port.now()
            && self.port.can_send()
        {
            self.port.send(entry.remove())?;
        }
        Ok(())
    }

    fn release_receive(&mut self) -> Option<Packet> {
        let entry = self.held_receives.first_entry()?;
        (entry.key().0 <= self.port.now()).then(|| entry.remove())
    }

    /// Flips bits of one byte of a packet's frame, and reads it as a host does.
    fn damage(&mut self, packet: &Packet) -> Received {
        let mut bytes = frame::encode(&Route::EMPTY, packet);
        let at = self.rng.usize(0..bytes.len());
        bytes[at] ^= self.rng.u8(1..);
        match frame::parse(&bytes.into()) {
            Ok(packet) => Received::Packet(packet),
            Err(error) => Received::Rejected(error),
        }
    }
}

impl<P: Port> Port for FaultInjector<P> {
    fn unique_id(&self) -> UniqueId {
        self.port.unique_id()
    }

    fn limits(&self) -> PortLimits {
        self.port.limits()
    }

    fn now(&self) -> Time {
        self.port.now()
    }

    fn can_send(&self) -> bool {
        self.port.can_send()
    }

    /// A frame that is damaged on its way out is lost: the port at the other end would reject it.
    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        self.release_sends()?;
        let Fate::Delivered(first, second) = self.judge(self.sending) else { return Ok(()) };
        if let Some(delay) = second {
            let due = self.due(delay);
            self.held_sends.insert(due, transmit.clone());
        }
        if first.is_zero() {
            self.port.send(transmit)?;
        } else {
            let due = self.due(first);
            self.held_sends.insert(due, transmit);
        }
        self.release_sends()
    }

    fn flush(&mut self) -> Result<(), PortError> {
        self.release_sends()?;
        self.port.flush()
    }

    fn join(&mut self, group: Group) -> Result<(), PortError> {
        self.port.join(group)
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        self.release_sends()?;
        loop {
            if let Some(packet) = self.release_receive() {
                return Ok(Some(Received::Packet(packet)));
            }
            let packet = match self.port.recv()? {
                Some(Received::Packet(packet)) => packet,
                other => return Ok(other),
            };
            match self.judge(self.receiving) {
                Fate::Dropped => {}
                Fate::Corrupted => return Ok(Some(self.damage(&packet))),
                Fate::Delivered(first, second) => {
                    for delay in [Some(first), second].into_iter().flatten() {
                        let due = self.due(delay);
                        self.held_receives.insert(due, packet.clone());
                    }
                }
            }
        }
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        self.release_sends()?;
        let now = self.port.now();
        // What is overdue waits for room, and the port's own wait ends when that comes back.
        let send = self.held_sends.range((now, u64::MAX)..).next().map(|(&(due, _), _)| due);
        let receive = self.held_receives.keys().next().map(|&(due, _)| due);
        let first = [Some(deadline), send, receive].into_iter().flatten().min().unwrap_or(deadline);
        if receive.is_none_or(|due| due > now) {
            self.port.wait(first)?;
        }
        self.release_sends()
    }
}
