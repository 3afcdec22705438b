//! The node's side of route loading.

use super::RouteTable;
use super::decode::decode;
use super::message::{Message, Refusal};
use crate::id::NodeNumber;
use crate::route::Route;

/// What a node keeps in NVRAM: how to reach the front end after a power cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterRecord {
    /// The epoch that the routes come from.
    pub epoch: u32,
    /// The number of the node's location.
    pub node: NodeNumber,
    /// The preferred route to the front end.
    pub primary: Route,
    /// Further routes, each sharing as few cables as possible with those before it.
    pub alternates: Vec<Route>,
}

/// Something that the program around a [`RouteAgent`] should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// A table has come whole and waits for its commit.
    Loaded {
        /// Its epoch.
        epoch: u32,
    },
    /// The table of this epoch is in use.
    Committed {
        /// Its epoch.
        epoch: u32,
    },
    /// The table that waited was dropped.
    Aborted {
        /// Its epoch.
        epoch: u32,
    },
}

/// Keeps a node's routes: the ones in use, and those of the next epoch until they are committed.
///
/// It is handed the messages that the front end sends, and answers each with at most one. A program that
/// writes the [`MasterRecord`] does so between [`RouteAgent::handle_message`] and sending the answer: then `Committed` says
/// that the record is written.
#[derive(Clone, Debug)]
pub struct RouteAgent {
    number: Option<NodeNumber>,
    current: RouteTable,
    next: Option<RouteTable>,
}

impl Default for RouteAgent {
    fn default() -> RouteAgent {
        RouteAgent::new()
    }
}

impl RouteAgent {
    /// An agent without routes, which takes the number that the front end gives it.
    pub fn new() -> RouteAgent {
        RouteAgent { number: None, current: RouteTable::default(), next: None }
    }

    /// An agent whose routes another program of this node has taken before.
    pub fn with_table(table: RouteTable) -> RouteAgent {
        RouteAgent { number: Some(table.own()), current: table, next: None }
    }

    /// The routes in use; of epoch 0 and empty before the first commit.
    pub fn table(&self) -> &RouteTable {
        &self.current
    }

    /// The routes that wait for their commit.
    pub fn next_table(&self) -> Option<&RouteTable> {
        self.next.as_ref()
    }

    /// The node's number, once routes are in use.
    pub fn number(&self) -> Option<NodeNumber> {
        self.number
    }

    /// A message came from the front end. Returns the answer to send, and what has happened.
    ///
    /// A message is answered in the same way if it comes again. One that is the node's own kind is ignored.
    pub fn handle_message(&mut self, message: &Message) -> (Option<Message>, Option<AgentEvent>) {
        match *message {
            Message::Load { epoch, node, ref table } => match self.load(epoch, node, table) {
                Ok(event) => (Some(Message::Loaded { epoch, node }), event),
                Err(reason) => (Some(Message::Refused { epoch, node, reason }), None),
            },
            Message::Commit { epoch, node } => match self.commit(epoch, node) {
                Ok(event) => (Some(Message::Committed { epoch, node }), event),
                Err(reason) => (Some(Message::Refused { epoch, node, reason }), None),
            },
            Message::Abort { epoch, .. } => (None, self.abort(epoch)),
            Message::Loaded { .. } | Message::Committed { .. } | Message::Refused { .. } => (None, None),
        }
    }

    /// A table that waits is replaced by whatever comes next: a front end that starts anew knows nothing of it.
    fn load(&mut self, epoch: u32, node: NodeNumber, bytes: &[u8]) -> Result<Option<AgentEvent>, Refusal> {
        let in_use = self.current.epoch();
        if epoch < in_use || epoch == 0 {
            return Err(Refusal::EpochBackwards);
        }
        if self.number.is_some_and(|own| own != node) {
            return Err(Refusal::OtherNode);
        }
        let table = decode(epoch, bytes).map_err(|error| {
            tracing::warn!(epoch, node = node.0, %error, "a route table that cannot be read");
            Refusal::BadTable
        })?;
        if table.own() != node {
            return Err(Refusal::OtherNode);
        }
        if node != NodeNumber::FRONT_END && table.routes_to(NodeNumber::FRONT_END).next().is_none() {
            return Err(Refusal::NoRouteToFrontEnd);
        }
        if epoch == in_use {
            return if self.current == table { Ok(None) } else { Err(Refusal::EpochInUse) };
        }
        if self.next.as_ref() == Some(&table) {
            return Ok(None);
        }
        self.next = Some(table);
        Ok(Some(AgentEvent::Loaded { epoch }))
    }

    fn commit(&mut self, epoch: u32, node: NodeNumber) -> Result<Option<AgentEvent>, Refusal> {
        if let Some(next) = self.next.take_if(|next| next.epoch() == epoch && next.own() == node) {
            self.number = Some(node);
            self.current = next;
            return Ok(Some(AgentEvent::Committed { epoch }));
        }
        if self.current.epoch() == epoch && self.number == Some(node) {
            return Ok(None);
        }
        Err(Refusal::NotLoaded)
    }

    fn abort(&mut self, epoch: u32) -> Option<AgentEvent> {
        self.next.take_if(|next| next.epoch() == epoch).map(|_| AgentEvent::Aborted { epoch })
    }

    /// What to keep in NVRAM, with up to `alternates` further routes; `None` before routes are in use.
    pub fn master_record(&self, alternates: usize) -> Option<MasterRecord> {
        let node = self.number?;
        let mut candidates: Vec<Route> = self.current.routes_to(NodeNumber::FRONT_END).collect();
        if candidates.is_empty() {
            return None;
        }
        let primary = candidates.remove(0);
        let mut chosen = vec![primary];
        while chosen.len() <= alternates && !candidates.is_empty() {
            let next = most_disjoint(&chosen, &candidates);
            chosen.push(candidates.remove(next));
        }
        chosen.remove(0);
        Some(MasterRecord { epoch: self.current.epoch(), node, primary, alternates: chosen })
    }
}

/// The index of the candidate that shares the fewest cables with any one of `chosen`; the first of these.
fn most_disjoint(chosen: &[Route], candidates: &[Route]) -> usize {
    let shared = |route: &Route| {
        let with_each = chosen.iter().map(|other| shared_cables(route, other));
        (with_each.clone().max(), with_each.sum::<usize>(), route.len())
    };
    (0..candidates.len()).min_by_key(|&index| shared(&candidates[index])).unwrap_or(0)
}

/// How many cables two routes between the same hosts have in common, as far as their hops show it: they go the same way
/// for as long as they begin, and from where on they end, with the same hops.
fn shared_cables(a: &Route, b: &Route) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a == b {
        return a.len() + 1;
    }
    let start = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    // The hosts' own cables are common to all routes and counted for none.
    start + end
}
