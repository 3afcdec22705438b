//! What happens to the nodes, and what is done about it.

use super::node::{FailureReason, Stage};
use super::{Distributor, LoadPhase, Progress, TableSource};
use crate::endpoint::{Event, MessageId, ReliableEndpoint, SendError};
use crate::id::UniqueId;
use crate::routes::Message;
use crate::time::Time;
use bytes::Bytes;

impl<S: TableSource> Distributor<S> {
    /// An event of the endpoint. True if it was a message of route loading, which is nobody else's.
    pub fn handle_event(&mut self, now: Time, event: &Event, endpoint: &mut ReliableEndpoint) -> bool {
        if self.phase == LoadPhase::Aborted {
            return matches!(event, Event::Message { message, .. } if Message::is_one(message));
        }
        let mut ours = false;
        match event {
            Event::Connected { peer } => self.on_connected(now, *peer),
            Event::PeerRestarted { peer } => self.on_restarted(now, *peer),
            Event::Disconnected { peer } => self.on_disconnected(now, *peer, endpoint),
            Event::Delivered { peer, id } => self.on_delivered(now, *peer, *id),
            Event::Writable { peer } => self.say(now, *peer, endpoint),
            Event::PeerUnreachable { peer, reason } => self.fail(*peer, FailureReason::Unreachable(*reason)),
            Event::Message { peer, message } if Message::is_one(message) => {
                ours = true;
                self.on_message(now, *peer, message);
            }
            _ => {}
        }
        self.pump(now, endpoint);
        ours
    }

    /// Gives nodes up whose time is over, and asks again those that have not answered.
    pub fn handle_timeout(&mut self, now: Time, endpoint: &mut ReliableEndpoint) {
        while let Some(&(at, id)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            let Some(node) = self.nodes.get_mut(&id) else { continue };
            node.look_at = None;
            if node.give_up_at <= now {
                self.fail(id, FailureReason::NoAnswer(self.config.patience));
                endpoint.disconnect(id);
                continue;
            }
            if node.asked.is_some_and(|(_, delivered)| delivered) {
                node.asked = None;
            }
            self.say(now, id, endpoint);
            self.look_again(now, id);
        }
        self.pump(now, endpoint);
    }

    /// When [`Distributor::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.first().map(|&(at, _)| at)
    }

    fn stage_of(&self, id: UniqueId) -> Option<Stage> {
        self.nodes.get(&id).map(|node| node.stage)
    }

    fn on_connected(&mut self, now: Time, id: UniqueId) {
        if self.stage_of(id) == Some(Stage::Connecting) {
            self.enter(now, id, Stage::Queued);
        }
    }

    /// The node has lost whatever it had, even a table that it had committed.
    fn on_restarted(&mut self, now: Time, id: UniqueId) {
        if self.stage_of(id).is_some_and(|stage| stage != Stage::Failed) {
            self.enter(now, id, Stage::Queued);
        }
    }

    /// The node is the same as before, but what was under way to it is lost.
    fn on_disconnected(&mut self, now: Time, id: UniqueId, endpoint: &mut ReliableEndpoint) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.asked = None;
            self.say(now, id, endpoint);
        }
    }

    /// That the endpoint holds the question is progress, once. That it holds the same question again is none.
    fn on_delivered(&mut self, now: Time, id: UniqueId, message: MessageId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.asked == Some((message, false)) {
            node.asked = Some((message, true));
            if node.times_asked == 1 {
                self.set_timer(now, id);
            }
        }
    }

    fn on_message(&mut self, now: Time, id: UniqueId, bytes: &Bytes) {
        let Some(node) = self.nodes.get(&id) else { return };
        let asked = (self.epoch, node.number);
        match (Message::parse(bytes), node.stage) {
            (Ok(Message::Loaded { epoch, node }), Stage::Loading) if (epoch, node) == asked => {
                self.enter(now, id, Stage::Loaded);
            }
            (Ok(Message::Committed { epoch, node }), Stage::Committing) if (epoch, node) == asked => {
                self.enter(now, id, Stage::Committed);
                self.committed_at = Some(now);
            }
            (Ok(Message::Refused { epoch, node, reason }), _) if (epoch, node) == asked => {
                self.fail(id, FailureReason::Refused(reason));
            }
            // An answer to a question that was asked twice, or in an earlier epoch.
            (Ok(_), _) => {}
            (Err(error), _) => self.fail(id, FailureReason::Message(error)),
        }
    }

    /// Starts what can be started: tables while few enough are under way, and commits once no more tables are to come.
    pub(super) fn pump(&mut self, now: Time, endpoint: &mut ReliableEndpoint) {
        while self.tables_under_way < self.config.tables_at_once
            && let Some(id) = self.queue.pop_front()
        {
            if self.stage_of(id) == Some(Stage::Queued) {
                self.enter(now, id, Stage::Loading);
                self.say(now, id, endpoint);
            }
        }
        let Progress { nodes, loaded, failed, .. } = self.progress;
        let may_lack = failed == 0 || !self.config.all_or_none;
        if self.phase == LoadPhase::Loading && loaded > 0 && loaded + failed == nodes && may_lack {
            self.phase = LoadPhase::Committing;
            self.loaded_at = Some(now);
        }
        if self.phase == LoadPhase::Committing {
            for id in std::mem::take(&mut self.to_commit) {
                if self.stage_of(id) == Some(Stage::Loaded) {
                    self.enter(now, id, Stage::Committing);
                    self.say(now, id, endpoint);
                }
            }
        }
    }

    /// Asks a node what its stage is about, unless it has been asked.
    fn say(&mut self, now: Time, id: UniqueId, endpoint: &mut ReliableEndpoint) {
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.asked.is_none()) else { return };
        let (epoch, number) = (self.epoch, node.number);
        let (message, table_bytes) = match node.stage {
            Stage::Loading => match self.source.encoded_table(number) {
                Ok(table) => (Message::Load { epoch, node: number, table: table.clone() }, table.len()),
                Err(error) => return self.fail(id, FailureReason::Table(error)),
            },
            Stage::Committing => (Message::Commit { epoch, node: number }, 0),
            _ => return,
        };
        match endpoint.send(now, id, message.encode()) {
            Ok(sent) => {
                node.asked = Some((sent, false));
                node.times_asked += 1;
                self.progress.table_bytes += table_bytes as u64;
            }
            // It is tried again when there is room.
            Err(SendError::WouldBlock { .. }) => {}
            Err(error) => self.fail(id, FailureReason::Send(error)),
        }
    }

    pub(super) fn enter(&mut self, now: Time, id: UniqueId, stage: Stage) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let before = std::mem::replace(&mut node.stage, stage);
        (node.asked, node.times_asked) = (None, 0);
        self.count(before, -1);
        self.count(stage, 1);
        match stage {
            Stage::Queued => self.queue.push_back(id),
            Stage::Loaded => self.to_commit.push(id),
            _ => {}
        }
        self.set_timer(now, id);
    }

    fn fail(&mut self, id: UniqueId, reason: FailureReason) {
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.stage != Stage::Failed) else { return };
        let stage = std::mem::replace(&mut node.stage, Stage::Failed);
        tracing::debug!(node = %node.number, %stage, %reason, "a node was given up");
        node.failure = Some((stage, reason));
        if let Some(at) = node.look_at.take() {
            self.timers.remove(&(at, id));
        }
        self.count(stage, -1);
        self.count(Stage::Failed, 1);
    }

    pub(super) fn count(&mut self, stage: Stage, by: isize) {
        let add = |counter: &mut usize, when: bool| *counter = counter.saturating_add_signed(if when { by } else { 0 });
        add(&mut self.tables_under_way, stage == Stage::Loading);
        add(&mut self.progress.loaded, matches!(stage, Stage::Loaded | Stage::Committing | Stage::Committed));
        add(&mut self.progress.committed, stage == Stage::Committed);
        add(&mut self.progress.failed, stage == Stage::Failed);
    }

    /// The node made progress: its time begins anew, if it owes an answer.
    fn set_timer(&mut self, now: Time, id: UniqueId) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.give_up_at = now + self.config.patience;
        if let Some(at) = node.look_at.take() {
            self.timers.remove(&(at, id));
        }
        if node.owes() {
            self.look_again(now, id);
        }
    }

    fn look_again(&mut self, now: Time, id: UniqueId) {
        let Some(node) = self.nodes.get_mut(&id).filter(|node| node.owes()) else { return };
        let at = (now + self.config.ask_again).min(node.give_up_at);
        node.look_at = Some(at);
        self.timers.insert((at, id));
    }
}
