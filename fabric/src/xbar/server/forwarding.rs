//! Moving frames: from the hosts' rings through the crossbars into the hosts' queues.

use super::super::framing::Content;
use super::super::socket;
use super::super::switches::{Arrival, DropCause};
use super::hosts::{Attached, Broken, Inbound, Taken};
use super::{Server, now};
use crate::topology::{HostId, PortId};
use rustix::event::epoll;
use std::time::Instant;

/// Frames that are taken from one host before the next one's turn.
const BATCH: usize = 64;
/// Rounds without a frame after which a host is not looked at any more until it asks for it.
const IDLE_ROUNDS: u32 = 64;

impl Server {
    /// Gives each active host its turn; true if a frame moved.
    pub(super) fn round(&mut self) -> bool {
        let mut moved = false;
        let mut index = 0;
        while let Some(&host) = self.active.get(index) {
            let (taken, stays) = self.turn(host);
            moved |= taken;
            if stays {
                index += 1;
            } else {
                self.active.swap_remove(index);
            }
        }
        moved
    }

    /// One host's turn: did a frame move, and does it stay active?
    fn turn(&mut self, host: HostId) -> (bool, bool) {
        match self.take_frames(host, BATCH) {
            Ok(moved) => {
                let stays = self.stays_active(host, moved);
                (moved, stays)
            }
            Err(broken) => {
                self.break_off(host, &broken);
                (false, false)
            }
        }
    }

    /// Takes a host's frames and forwards them, until there is none, one is held, or it was `most`.
    fn take_frames(&mut self, from: HostId, most: usize) -> Result<bool, Broken> {
        let max_frame = self.max_frame();
        let mut frame = std::mem::take(&mut self.frame);
        let mut taken = 0;
        while taken < most && self.release(from) {
            let Some(attached) = &mut self.hosts[from.0 as usize] else { break };
            let content = match attached.inbound.pop(&mut frame, max_frame) {
                Ok(Taken::Datagram(content)) => content,
                Ok(Taken::Nothing) => break,
                Err(broken) => {
                    self.frame = frame;
                    return Err(broken);
                }
            };
            taken += 1;
            if content == Content::Foreign {
                self.switches.count_drop(PortId::new(from, 0), DropCause::Foreign);
            } else if content == Content::Malformed || frame.is_empty() || frame.len() > max_frame {
                self.switches.count_drop(PortId::new(from, 0), DropCause::Malformed);
            } else if let Some(arrival) = self.switches.forward(from, &frame)
                && !self.deliver(arrival, &frame[arrival.hops..], None)
            {
                self.hold(from, arrival, &frame[arrival.hops..]);
            }
        }
        self.frame = frame;
        if taken > 0
            && let Some(attached) = self.hosts[from.0 as usize].as_deref_mut()
            && attached.inbound.publish()
        {
            let connection = attached.connection;
            self.wake(connection);
        }
        for host in std::mem::take(&mut self.touched) {
            self.let_have(host);
        }
        Ok(taken > 0)
    }

    /// Puts a frame, which has waited since some instant or not at all, into the queue of its host, or drops it; false if it is to wait for
    /// room.
    fn deliver(&mut self, arrival: Arrival, frame: &[u8], waits_since: Option<Instant>) -> bool {
        let Some(attached) = &mut self.hosts[arrival.host.0 as usize] else {
            self.switches.count_drop(arrival.by, DropCause::NoHost);
            return true;
        };
        if let Some(since) = waits_since {
            attached.credit.spend(since, now());
        }
        match attached.outbound.has_room(frame.len()) {
            Ok(true) => {
                attached.credit.earn();
                attached.outbound.push(frame);
                if !std::mem::replace(&mut attached.unpublished, true) {
                    self.touched.push(arrival.host);
                }
                true
            }
            Ok(false) if attached.credit.is_spent() => {
                self.switches.count_drop(arrival.by, DropCause::QueueFull);
                true
            }
            Ok(false) => false,
            Err(broken) => {
                self.switches.count_drop(arrival.by, DropCause::NoHost);
                self.break_off(arrival.host, &broken);
                true
            }
        }
    }

    /// Keeps a frame, and with it all that its sender sends after it, until its destination has room.
    fn hold(&mut self, from: HostId, arrival: Arrival, frame: &[u8]) {
        if let Some(attached) = self.hosts[from.0 as usize].as_deref_mut() {
            attached.held = Some((arrival, now()));
            attached.held_frame.clear();
            attached.held_frame.extend_from_slice(frame);
        }
        if let Some(attached) = self.attached(arrival.host) {
            attached.outbound.ask_for_room();
        }
    }

    /// Tries the frame of `from` that is held, if there is one; false if it still is.
    fn release(&mut self, from: HostId) -> bool {
        let Some(attached) = self.hosts[from.0 as usize].as_deref_mut() else { return false };
        let Some((arrival, since)) = attached.held.take() else { return true };
        let frame = std::mem::take(&mut attached.held_frame);
        let gone = self.deliver(arrival, &frame, Some(since));
        if !gone && let Some(attached) = self.hosts[from.0 as usize].as_deref_mut() {
            (attached.held, attached.held_frame) = (Some((arrival, since)), frame);
        }
        gone
    }

    /// Lets a host have the frames that were put into its queue.
    pub(super) fn let_have(&mut self, host: HostId) {
        let Some(attached) = self.hosts[host.0 as usize].as_deref_mut() else { return };
        attached.unpublished = false;
        match attached.outbound.publish() {
            Ok(wake) => {
                let connection = attached.connection;
                self.watch(host);
                if wake {
                    self.wake(connection);
                }
            }
            Err(broken) => self.break_off(host, &broken),
        }
    }

    /// Watches a host's socket for room exactly while frames wait for it.
    fn watch(&mut self, host: HostId) {
        let Some(Attached { inbound: Inbound::Socket { socket, .. }, outbound, watched, .. }) =
            self.hosts[host.0 as usize].as_deref_mut()
        else {
            return;
        };
        let waiting = outbound.is_waiting();
        if std::mem::replace(watched, waiting) != waiting {
            let flags = if waiting { epoll::EventFlags::IN | epoll::EventFlags::OUT } else { epoll::EventFlags::IN };
            let modified = epoll::modify(&self.epoll, &**socket, super::Source::Datagrams(host).data(), flags);
            debug_assert!(modified.is_ok(), "the socket is watched already");
        }
    }

    fn stays_active(&mut self, host: HostId, moved: bool) -> bool {
        let Some(attached) = self.hosts[host.0 as usize].as_deref_mut() else { return false };
        attached.idle_rounds = if moved || attached.held.is_some() { 0 } else { attached.idle_rounds + 1 };
        if attached.idle_rounds < IDLE_ROUNDS {
            return true;
        }
        self.puts_to_rest(host)
    }

    /// Lets a host ask for attention from now on; true if it is to stay active all the same.
    fn puts_to_rest(&mut self, host: HostId) -> bool {
        let Some(attached) = self.hosts[host.0 as usize].as_deref_mut() else { return false };
        match attached.inbound.sleep() {
            Ok(asleep) => {
                attached.active = !asleep;
                attached.idle_rounds = 0;
                !asleep
            }
            Err(broken) => {
                self.break_off(host, &broken);
                false
            }
        }
    }

    /// Lets all active hosts ask for attention, but those with a held frame; false if there is something to do after all.
    pub(super) fn prepare_to_sleep(&mut self) -> bool {
        let mut stay = Vec::new();
        let mut quiet = true;
        for host in std::mem::take(&mut self.active) {
            let Some(attached) = self.attached(host) else { continue };
            if let Some((arrival, _)) = attached.held {
                stay.push(host);
                if let Some(full) = self.attached(arrival.host) {
                    full.outbound.ask_for_room();
                    quiet &= !full.outbound.has_room(attached.held_frame.len()).unwrap_or(true);
                }
            } else if self.puts_to_rest(host) {
                stay.push(host);
                quiet = false;
            }
        }
        self.active = stay;
        quiet
    }

    /// Looks at a host in each round from now on.
    pub(super) fn activate(&mut self, host: HostId) {
        if let Some(attached) = self.hosts[host.0 as usize].as_deref_mut()
            && !std::mem::replace(&mut attached.active, true)
        {
            attached.idle_rounds = 0;
            self.active.push(host);
        }
    }

    /// Takes out what a host had handed in before it ended; frames for which there is no room are lost.
    pub(super) fn take_the_last_frames(&mut self, host: HostId) {
        loop {
            let held = self.hosts[host.0 as usize].as_deref_mut().and_then(|attached| attached.held.take());
            if let Some((arrival, _)) = held {
                self.switches.count_drop(arrival.by, DropCause::QueueFull);
            }
            if !matches!(self.take_frames(host, BATCH), Ok(true)) {
                return;
            }
        }
    }

    fn wake(&mut self, connection: usize) {
        if let Some(connection) = self.connections.get(&connection) {
            // If the other side has ended, its connection says so by itself.
            let _ = socket::ring(connection.socket());
        }
    }
}
