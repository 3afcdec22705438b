//! Frames to a peer, made when the port can take them.

use super::super::config::EndpointConfig;
use super::super::outbound::PathState;
use super::super::shared::Shared;
use super::handshake::open_interval;
use super::{AckDebt, Peer, Phase, address};
use crate::protocol::{Path, Transmit};
use crate::time::Time;
use crate::wire::Packet;
use crate::wire::endpoint::{Accept, Ack, Data, Open, PathLabel, Ping, Sounding, check};
use bytes::Bytes;

impl Peer {
    /// True if there is anything but data to send.
    pub(in super::super) fn has_control(&self) -> bool {
        let accept = self.candidates.iter().any(|c| c.accept_due);
        match self.phase {
            Phase::Opening { due, .. } => accept || (due && !self.paths.is_empty()),
            Phase::Asked { .. } => accept,
            Phase::Connected => accept || self.acks.now || self.paths.iter().any(|p| p.ping_due || p.wants_sounding()),
        }
    }

    /// True if there is data to send, and room for it at the peer and on a path.
    pub(in super::super) fn has_data(&self, config: &EndpointConfig) -> bool {
        self.is_connected() && self.sender.has_frame() && self.pick_path(config).is_some()
    }

    pub(in super::super) fn next_control(&mut self, now: Time, shared: &mut Shared) -> Option<Transmit> {
        if self.candidates.iter().any(|c| c.accept_due) {
            return self.accept(shared);
        }
        match self.phase {
            Phase::Opening { due: true, .. } => self.open(now, shared),
            Phase::Connected => {
                self.sound(now, shared).or_else(|| self.ping(now, shared)).or_else(|| self.ack(now, shared))
            }
            _ => None,
        }
    }

    fn accept(&mut self, shared: &Shared) -> Option<Transmit> {
        let candidate = self.candidates.iter_mut().find(|c| c.accept_due)?;
        candidate.accept_due = false;
        let back = candidate.inbound.back()?;
        let own = self.paths.iter().find(|p| p.path == back);
        let (form, payload) = address::encode(&back, shared.id);
        let accept = Accept {
            connection: candidate.remote,
            source: shared.id,
            incarnation: shared.incarnation,
            number: candidate.number,
            window: shared.config.window,
            label: PathLabel { path: own.map_or(self.next_path_id, |p| p.id), form },
            check: check(&payload),
        };
        Some(Transmit::new(back, Packet::with_payload(accept, payload)))
    }

    fn open(&mut self, now: Time, shared: &Shared) -> Option<Transmit> {
        let Phase::Opening { tries, due, next, path, .. } = &mut self.phase else { return None };
        *due = false;
        *next = now + open_interval(*tries, &shared.config);
        *tries += 1;
        let own = self.paths.get((*tries as usize - 1) % self.paths.len().max(1))?;
        *path = Some(own.id);
        let (form, payload) = address::encode(&own.path, shared.id);
        let open = Open {
            source: shared.id,
            target: self.id,
            incarnation: shared.incarnation,
            number: self.number,
            window: shared.config.window,
            label: PathLabel { path: own.id, form },
            check: check(&payload),
        };
        Some(Transmit::new(own.path, Packet::with_payload(open, payload)))
    }

    fn ping(&mut self, now: Time, shared: &Shared) -> Option<Transmit> {
        let (connection, number) = (self.remote, self.number);
        let path = self.paths.iter_mut().find(|p| p.ping_due)?;
        path.ping_due = false;
        let (form, payload) = address::encode(&path.path, shared.id);
        let transmit = path.next_transmission().number as u32;
        path.transmitted(now, None);
        self.stats.pings += 1;
        let label = PathLabel { path: path.id, form };
        let ping = Ping { connection, number, target: self.id, transmit, label, check: check(&payload) };
        Some(Transmit::new(path.path, Packet::with_payload(ping, payload)))
    }

    /// Asks whether long frames get through, and with a ping whether the peer answers anything.
    fn sound(&mut self, now: Time, shared: &Shared) -> Option<Transmit> {
        let connection = self.remote;
        let path = self.paths.iter_mut().find(|p| p.wants_sounding())?;
        path.sounding.as_mut()?.asked(now);
        path.ping_due = true;
        let payload = Bytes::from(vec![0; shared.config.long_payload]);
        let sounding = Sounding { connection, path: path.id, check: check(&payload) };
        Some(Transmit::new(path.path, Packet::with_payload(sounding, payload)))
    }

    fn ack(&mut self, now: Time, shared: &Shared) -> Option<Transmit> {
        if !self.acks.now {
            return None;
        }
        self.acks = AckDebt::default();
        let back = self.way_back()?;
        let echoes = self.inbound.echoes(now);
        let payload = Ack::payload(&echoes, &self.receiver.bitmap());
        let ack = Ack {
            connection: self.remote,
            ack: self.receiver.ack(),
            window: self.receiver.offer(shared.config.window, shared.is_tight()),
            echoes: echoes.len() as u8,
            check: check(&payload),
        };
        self.stats.acks += 1;
        Some(Transmit::new(back, Packet::with_payload(ack, payload)))
    }

    /// An acknowledgement goes back the way that the latest frame came by: so a path is up or down as a round trip.
    pub(super) fn way_back(&self) -> Option<Path> {
        let own = || self.paths.iter().find(|p| p.state == PathState::Up).or(self.paths.first()).map(|p| p.path);
        self.inbound.back().or_else(own)
    }

    /// The path for the next data frame. Little data keeps to the first path that works, and so in order; much is dealt
    /// out to all of them in turn.
    fn pick_path(&self, config: &EndpointConfig) -> Option<usize> {
        let sound = self.paths.iter().any(|p| p.state == PathState::Up && !p.is_suspect());
        let usable = |i: &usize| {
            let path = &self.paths[*i];
            path.state == PathState::Up && (!sound || !path.is_suspect())
        };
        let count = self.paths.len();
        if self.is_spreading(config) {
            let mut turns = (0..count).map(|i| (self.turn + i) % count).filter(usable);
            turns.find(|&i| self.paths[i].has_room())
        } else {
            (0..count).find(usable).filter(|&i| self.paths[i].has_room())
        }
    }

    pub(in super::super) fn next_data(&mut self, now: Time, shared: &Shared) -> Option<Transmit> {
        let index = self.pick_path(&shared.config)?;
        let path = &mut self.paths[index];
        let transmission = path.next_transmission();
        let fragment = self.sender.take_frame(path.payload(), transmission)?;
        path.transmitted(now, Some(fragment.sequence));
        let (to, id) = (path.path, path.id);
        self.turn = index + 1;
        let (again, backlog) = (fragment.again, self.sender.has_backlog());
        self.stats.data_frames += 1;
        self.stats.retransmitted += u64::from(again);
        let window = self.receiver.offer(shared.config.window, shared.is_tight());
        if !self.receiver.has_gap() && !self.acks.now {
            self.acks = AckDebt::default();
        }
        let data = Data {
            connection: self.remote,
            sequence: fragment.sequence as u32,
            transmit: transmission.number as u32,
            remaining: fragment.remaining,
            ack: self.receiver.ack(),
            window,
            path: id,
            ack_now: backlog && !self.has_data(&shared.config),
            check: check(&fragment.payload),
        };
        Some(Transmit::new(to, Packet::with_payload(data, fragment.payload)))
    }
}
