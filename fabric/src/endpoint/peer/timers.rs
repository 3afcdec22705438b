//! What is due when.

use super::super::config::EndpointConfig;
use super::super::event::UnreachableReason;
use super::super::outbound::{Outbound, PathState};
use super::super::shared::Shared;
use super::super::sounding::Verdict;
use super::{Peer, Phase};
use crate::time::Time;
use std::time::Duration;

/// The timers of a peer.
enum Timer {
    /// Repeat the open.
    Open,
    /// Our opens were never answered, or the peer's open was never confirmed.
    HandshakeOver,
    /// Whether long frames get through was asked, and not answered.
    Sound,
    /// An acknowledgement was held back for long enough.
    Ack,
    /// A path has been silent for long enough to be asked, or is down and may have come back.
    Ping,
    /// A transmission that was overtaken is now lost.
    Loss,
    /// The peer's window is shut, or it has not been heard for long: ask.
    Ask,
    /// The peer owes an answer and has been silent for too long.
    Silence,
}

impl Peer {
    /// Calls `visit` for each timer that runs.
    fn timers(&self, config: &EndpointConfig, mut visit: impl FnMut(Timer, Time)) {
        match self.phase {
            Phase::Opening { since, next, due, .. } => {
                if !due {
                    visit(Timer::Open, next);
                }
                visit(Timer::HandshakeOver, since + config.peer_timeout);
            }
            Phase::Asked { until } => visit(Timer::HandshakeOver, until),
            Phase::Connected => {
                if let Some(at) = self.acks.at.filter(|_| !self.acks.now) {
                    visit(Timer::Ack, at);
                }
                for path in &self.paths {
                    path.ping_at(config).into_iter().for_each(|at| visit(Timer::Ping, at));
                    path.loss_at().into_iter().for_each(|at| visit(Timer::Loss, at));
                    let sounding = path.sounding.and_then(|sounding| sounding.deadline(config));
                    sounding.into_iter().for_each(|at| visit(Timer::Sound, at));
                }
                self.ask_at(config).into_iter().for_each(|at| visit(Timer::Ask, at));
                self.silence_at(config).into_iter().for_each(|at| visit(Timer::Silence, at));
            }
        }
    }

    /// The earliest timer.
    pub(in super::super) fn deadline(&self, config: &EndpointConfig) -> Option<Time> {
        let mut earliest: Option<Time> = None;
        self.timers(config, |_, at| earliest = Some(earliest.map_or(at, |e| e.min(at))));
        earliest
    }

    /// Since when an answer is owed by a path that is not known to be down.
    fn owed_since(&self) -> Option<Time> {
        self.paths.iter().filter(|p| p.state != PathState::Down).filter_map(Outbound::waiting_since).min()
    }

    fn silence_at(&self, config: &EndpointConfig) -> Option<Time> {
        self.owed_since().map(|since| since.max(self.last_heard) + config.peer_timeout)
    }

    fn ask_at(&self, config: &EndpointConfig) -> Option<Time> {
        if self.owed_since().is_some() || self.paths.is_empty() || self.paths.iter().any(|p| p.ping_due) {
            return None;
        }
        let shut = config.initial_timeout.saturating_mul(1 << self.shut_pings.min(16)).min(config.max_ping_interval);
        let wait = if self.sender.is_shut_out() { Some(shut) } else { config.keepalive };
        wait.map(|wait| self.last_heard + wait)
    }

    /// A timer rings so `late` that this side was away itself: it was stopped, or had other things to do. Who was silent meanwhile gets
    /// its time again, once until it is heard.
    pub(in super::super) fn excuse(&mut self, now: Time, late: Duration, config: &EndpointConfig) {
        if late < config.peer_timeout / 4 || self.excused == Some(self.last_heard) {
            return;
        }
        (self.last_heard, self.excused) = (now, Some(now));
        if let Phase::Opening { since, .. } = &mut self.phase {
            *since = now;
        }
    }

    /// Does what is due. An error is the end of this peer, or of a stranger's attempt.
    pub(in super::super) fn on_timeout(&mut self, now: Time, shared: &mut Shared) -> Result<(), UnreachableReason> {
        let mut due = [false; 8];
        self.timers(&shared.config, |timer, at| due[timer as usize] |= at <= now);
        let is_due = |timer: Timer| due[timer as usize];
        if is_due(Timer::Silence) {
            return Err(UnreachableReason::Silent(now - self.last_heard));
        }
        if is_due(Timer::HandshakeOver) {
            return Err(UnreachableReason::NoAnswer(shared.config.peer_timeout));
        }
        if is_due(Timer::Open)
            && let Phase::Opening { due, .. } = &mut self.phase
        {
            *due = true;
        }
        self.acks.now |= is_due(Timer::Ack);
        if is_due(Timer::Loss) {
            for path in &mut self.paths {
                path.detect_losses(now, &mut self.sender);
            }
        }
        if is_due(Timer::Sound) {
            self.judge_soundings(now, &shared.config);
        }
        if is_due(Timer::Ping) {
            self.ping_silent_paths(now, shared);
        }
        if is_due(Timer::Ask) {
            self.shut_pings += u32::from(self.sender.is_shut_out());
            let up = self.paths.iter().position(|p| p.state == PathState::Up).unwrap_or(0);
            self.paths.get_mut(up).into_iter().for_each(|p| p.ping_due = true);
        }
        Ok(())
    }

    /// Soundings have waited for long enough.
    fn judge_soundings(&mut self, now: Time, config: &EndpointConfig) {
        for path in &mut self.paths {
            if let Some(sounding) = &mut path.sounding
                && sounding.deadline(config).is_some_and(|at| at <= now)
            {
                self.stuck |= sounding.on_timeout(now, self.last_heard) == Verdict::Stuck;
            }
        }
    }

    /// Asks each path that is silent, and with it the others: is it the path, or the peer?
    fn ping_silent_paths(&mut self, now: Time, shared: &mut Shared) {
        let mut suspicion = false;
        for path in &mut self.paths {
            suspicion |= path.on_timeout(now, &shared.config) && path.state != PathState::Down;
        }
        if suspicion {
            for path in &mut self.paths {
                path.ping_due |= path.state == PathState::Down || path.waiting_since().is_none();
            }
            if self.paths.iter().all(|p| p.is_silent() || p.state == PathState::Down)
                && let Some(back) = self.inbound.back()
            {
                self.learn_path(back, &shared.config);
                self.prove_paths();
            }
        }
        self.judge_paths(now, shared);
    }
}
