//! Frames of a standing connection, as they come in.

use super::super::event::{Event, Violation};
use super::super::outbound::PathState;
use super::super::receiver::Arrived;
use super::super::sender::Arrival;
use super::super::shared::Shared;
use super::Peer;
use crate::protocol::Transmit;
use crate::time::Time;
use crate::wire::Packet;
use crate::wire::endpoint::{Ack, Data, Ping, Sounded, Sounding};
use bytes::Bytes;

impl Peer {
    pub(in super::super) fn on_data(
        &mut self,
        now: Time,
        data: &Data,
        payload: &Bytes,
        shared: &mut Shared,
    ) -> Result<(), Violation> {
        self.last_heard = now;
        self.inbound.heard(now, data.path, data.transmit);
        self.on_progress(now, data.ack, &[], data.window, shared)?;
        let had_gap = self.receiver.has_gap();
        let arrived = self.receiver.accept(data.sequence, data.remaining, payload, &shared.config)?;
        while let Some(completed) = self.receiver.pop_completed() {
            shared.message(self.id, completed.message, self.number, completed.end);
        }
        self.stats.duplicates += u64::from(arrived == Arrived::Duplicate);
        self.owe_ack(now, arrived, had_gap, data.ack_now, shared);
        Ok(())
    }

    /// An acknowledgement is sent at once when the peer waits for it or could learn of a loss from it, and otherwise once
    /// for several frames.
    fn owe_ack(&mut self, now: Time, arrived: Arrived, had_gap: bool, asked: bool, shared: &Shared) {
        let gap = self.receiver.has_gap();
        let config = &shared.config;
        self.acks.frames += 1;
        let news = !matches!(arrived, Arrived::InOrder | Arrived::Early) || gap != had_gap;
        let enough = self.acks.frames >= if gap { 2 } else { config.ack_every };
        self.acks.now |= asked || news || enough;
        if !self.acks.now && self.acks.at.is_none() {
            self.acks.at = Some(now + config.max_ack_delay);
        }
    }

    pub(in super::super) fn on_ack(
        &mut self,
        now: Time,
        ack: &Ack,
        payload: &Bytes,
        shared: &mut Shared,
    ) -> Result<(), Violation> {
        self.last_heard = now;
        let Ok((echoes, bitmap)) = ack.split(payload) else { return Err(Violation::Acknowledgement) };
        for echo in echoes {
            let answered = self.path_mut(echo.path).is_some_and(|p| p.echoed(now, echo));
            if answered {
                self.path_answered(echo.path, shared);
            }
        }
        self.on_progress(now, ack.ack, bitmap, ack.window, shared)
    }

    /// Frames of ours have arrived, and the window of the peer may have moved.
    fn on_progress(
        &mut self,
        now: Time,
        ack: u32,
        bitmap: &[u8],
        window: u16,
        shared: &mut Shared,
    ) -> Result<(), Violation> {
        let mut arrivals: Vec<Arrival> = Vec::new();
        self.sender.acknowledge(ack, bitmap, |arrival| arrivals.push(arrival))?;
        for arrival in arrivals {
            self.on_arrival(now, &arrival, shared);
        }
        self.sender.open_window(ack, window);
        if !self.sender.is_shut_out() {
            self.shut_pings = 0;
        }
        for path in &mut self.paths {
            path.detect_losses(now, &mut self.sender);
        }
        self.deliver(shared);
        self.judge_paths(now, shared);
        Ok(())
    }

    fn on_arrival(&mut self, now: Time, arrival: &Arrival, shared: &mut Shared) {
        let latest = arrival.latest;
        let mut latest_may_have_arrived = false;
        if let Some(path) = self.path_mut(latest.path) {
            if arrival.was_in_flight {
                path.left_flight(arrival.len);
            }
            if arrival.sent_once && arrival.was_in_flight && path.arrived(now, latest.number) {
                self.path_answered(latest.path, shared);
                return;
            }
            latest_may_have_arrived = path.has_arrived(latest.number);
        }
        if let Some(earlier) = arrival.earlier
            && !(arrival.was_in_flight && latest_may_have_arrived)
        {
            self.stats.late += 1;
            if let Some(path) = self.path_mut(earlier.path)
                && path.state == PathState::Up
            {
                path.was_late();
            }
        }
    }

    /// Something that went by path `id` has arrived.
    fn path_answered(&mut self, id: u8, shared: &mut Shared) {
        let peer = self.id;
        if let Some(path) = self.path_mut(id) {
            if path.state == PathState::Down {
                shared.event(Event::PathUp { peer, path: path.path });
            }
            path.state = PathState::Up;
        }
    }

    /// A silent path is down if another one has answered meanwhile: so the peer is there, and the path is at fault.
    pub(in super::super) fn judge_paths(&mut self, now: Time, shared: &mut Shared) {
        if !self.paths.iter().any(|p| p.is_silent() && p.state != PathState::Down) {
            return;
        }
        let answered = |p: &&super::Outbound| p.state == PathState::Up && !p.is_suspect();
        let Some(answered_at) = self.paths.iter().filter(answered).map(|p| p.arrived_at()).max() else { return };
        for path in &mut self.paths {
            let settle = shared.config.min_ping_timeout;
            let silent_while_others_answer = path.is_silent()
                && path.state != PathState::Down
                && path.waiting_since().is_some_and(|since| answered_at > since + settle);
            if silent_while_others_answer {
                path.abandon(&mut self.sender);
                path.rest(now);
                shared.event(Event::PathDown { peer: self.id, path: path.path });
            }
        }
    }

    /// A long frame has come by a path of the peer's: it is told so.
    pub(in super::super) fn on_sounding(&mut self, now: Time, sounding: &Sounding, len: usize, shared: &mut Shared) {
        self.last_heard = now;
        if let Some(back) = self.way_back() {
            let (connection, length) = (self.remote, u16::try_from(len).unwrap_or(u16::MAX));
            shared.reply(Transmit::new(back, Packet::new(Sounded { connection, path: sounding.path, length })));
        }
    }

    pub(in super::super) fn on_sounded(&mut self, now: Time, sounded: &Sounded, shared: &Shared) {
        self.last_heard = now;
        let as_asked = usize::from(sounded.length) == shared.config.long_payload;
        if let Some(sounding) = self.path_mut(sounded.path).and_then(|path| path.sounding.as_mut())
            && as_asked
        {
            sounding.arrived();
        }
    }

    pub(in super::super) fn on_ping(&mut self, now: Time, ping: &Ping, payload: &Bytes, shared: &Shared) {
        self.last_heard = now;
        self.inbound.heard(now, ping.label.path, ping.transmit);
        if let Some(back) = self.inbound.announced(now, ping.label, payload)
            && !self.wanted
        {
            self.learn_path(back, &shared.config);
        }
        self.acks.now = true;
    }
}
