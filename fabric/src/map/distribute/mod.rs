//! The front end's side of route loading: every node gets its table over the fabric, and then all use theirs.
//!
//! Two phases (`docs/route-loading.md`): each node is sent its table and says that it is whole and valid, while all go on with
//! the routes that they have; when no more answers are to come, those that answered are told to commit. A node that
//! cannot be reached costs the others nothing: it is reported, with the stage that it reached and the reason.
//!
//! [`Distributor`] is sans-IO. It is handed the events of a [`ReliableEndpoint`] and sends by it; it makes no frames itself.
//! Tables are encoded when their turn comes, a few at a time, so that never more than these are in memory.

mod events;
mod loader;
mod node;
mod tables;

pub use loader::RouteLoader;
pub use node::{Failure, FailureReason, LoadTarget, Stage};
pub use tables::MapTables;

use crate::endpoint::ReliableEndpoint;
use crate::id::{NodeNumber, UniqueId};
use crate::routes::Message;
use crate::routes::encode::EncodeError;
use crate::time::Time;
use bytes::Bytes;
use node::Node;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// Gives the encoded table of a node, when its turn to be loaded comes. Any such closure is one.
pub trait TableSource {
    /// The table of `node`, as [`TableEncoder`](crate::routes::encode::TableEncoder) writes it. It is
    /// asked for again if the node restarts.
    fn encoded_table(&mut self, node: NodeNumber) -> Result<Bytes, EncodeError>;
}

impl<F: FnMut(NodeNumber) -> Result<Bytes, EncodeError>> TableSource for F {
    fn encoded_table(&mut self, node: NodeNumber) -> Result<Bytes, EncodeError> {
        self(node)
    }
}

/// How a distributor goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistributorConfig {
    /// Most tables that are under way at once.
    pub tables_at_once: usize,
    /// How long a node may make no progress before it is given up. A node that restarts has to be back within this time.
    pub patience: Duration,
    /// How long after a message was delivered it is sent again, if the node has not answered it.
    pub ask_again: Duration,
    /// True if no node is to use its table unless every one holds its own: after a failure nothing goes on before
    /// [`Distributor::abort`].
    pub all_or_none: bool,
}

impl Default for DistributorConfig {
    fn default() -> DistributorConfig {
        DistributorConfig {
            tables_at_once: 64,
            patience: Duration::from_millis(500),
            ask_again: Duration::from_millis(50),
            all_or_none: false,
        }
    }
}

/// How far the loading is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Nodes to load.
    pub nodes: usize,
    /// Nodes that hold their table, committed or not.
    pub loaded: usize,
    /// Nodes that use their table.
    pub committed: usize,
    /// Nodes that were given up.
    pub failed: usize,
    /// Bytes of the tables that have been sent, again for nodes that restarted.
    pub table_bytes: u64,
}

/// What all nodes are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadPhase {
    /// Tables are on their way.
    Loading,
    /// The nodes that hold their table are told to use it.
    Committing,
    /// The epoch was given up, and the nodes are told to forget it.
    Aborted,
}

/// Loads the tables of one epoch into the nodes.
pub struct Distributor<S> {
    config: DistributorConfig,
    epoch: u32,
    source: S,
    phase: LoadPhase,
    nodes: BTreeMap<UniqueId, Node>,
    by_number: BTreeMap<NodeNumber, UniqueId>,
    /// Connected nodes that wait for their turn.
    queue: VecDeque<UniqueId>,
    /// Nodes that hold their table and have not been told to use it.
    to_commit: Vec<UniqueId>,
    tables_under_way: usize,
    /// When each node that owes something is looked at next.
    timers: BTreeSet<(Time, UniqueId)>,
    progress: Progress,
    loaded_at: Option<Time>,
    committed_at: Option<Time>,
}

impl<S: TableSource> Distributor<S> {
    /// A distributor of `epoch`, without nodes so far.
    pub fn new(config: DistributorConfig, epoch: u32, source: S) -> Distributor<S> {
        Distributor {
            config,
            epoch,
            source,
            phase: LoadPhase::Loading,
            nodes: BTreeMap::new(),
            by_number: BTreeMap::new(),
            queue: VecDeque::new(),
            to_commit: Vec::new(),
            tables_under_way: 0,
            timers: BTreeSet::new(),
            progress: Progress::default(),
            loaded_at: None,
            committed_at: None,
        }
    }

    /// Adds nodes, connects to them, and loads them as they answer.
    pub fn load_all(
        &mut self,
        now: Time,
        targets: impl IntoIterator<Item = LoadTarget>,
        endpoint: &mut ReliableEndpoint,
    ) {
        for target in targets {
            self.add(now, target, endpoint);
        }
        self.pump(now, endpoint);
    }

    /// Loads one node, at any time: one that failed, or came late, or whose card was replaced. It takes the place of the
    /// node of the same number, if there is one, and once the others have been told to commit it commits by itself.
    pub fn load_one(&mut self, now: Time, target: LoadTarget, endpoint: &mut ReliableEndpoint) {
        self.load_all(now, [target], endpoint);
    }

    fn add(&mut self, now: Time, target: LoadTarget, endpoint: &mut ReliableEndpoint) {
        if let Some(&former) = self.by_number.get(&target.node) {
            self.forget(former);
            if former != target.id {
                endpoint.disconnect(former);
            }
        }
        // A card that was seen elsewhere before has been moved.
        self.forget(target.id);
        let connected = endpoint.is_connected(target.id);
        endpoint.connect(now, target.id, target.paths);
        self.by_number.insert(target.node, target.id);
        self.nodes.insert(target.id, Node::new(target.node));
        self.progress.nodes += 1;
        self.enter(now, target.id, if connected { Stage::Queued } else { Stage::Connecting });
    }

    fn forget(&mut self, id: UniqueId) {
        let Some(node) = self.nodes.remove(&id) else { return };
        self.by_number.remove(&node.number);
        node.look_at.map(|at| self.timers.remove(&(at, id)));
        self.count(node.stage, -1);
        self.progress.nodes -= 1;
    }

    /// Gives the epoch up: every node that may hold its table is told to forget it. Once nodes have been told to commit it is
    /// too late, and the answer false.
    pub fn abort(&mut self, now: Time, endpoint: &mut ReliableEndpoint) -> bool {
        if self.phase != LoadPhase::Loading {
            return false;
        }
        self.phase = LoadPhase::Aborted;
        self.timers.clear();
        self.queue.clear();
        for (&id, node) in &self.nodes {
            if matches!(node.stage, Stage::Loading | Stage::Loaded) {
                let message = Message::Abort { epoch: self.epoch, node: node.number };
                // A node that cannot be told forgets the table when the next one is loaded.
                let _ = endpoint.send(now, id, message.encode());
            }
        }
        true
    }

    /// The epoch that is loaded.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Where the tables come from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// What all nodes are doing.
    pub fn phase(&self) -> LoadPhase {
        self.phase
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// True when every node uses its table or was given up.
    pub fn is_done(&self) -> bool {
        self.progress.committed + self.progress.failed == self.progress.nodes || self.phase == LoadPhase::Aborted
    }

    /// When the last table was loaded, and the commits were sent.
    pub fn loaded_at(&self) -> Option<Time> {
        self.loaded_at
    }

    /// When the last node committed.
    pub fn committed_at(&self) -> Option<Time> {
        self.committed_at
    }

    /// What a node is at.
    pub fn stage(&self, node: NodeNumber) -> Option<Stage> {
        self.by_number.get(&node).and_then(|id| self.nodes.get(id)).map(|node| node.stage)
    }

    /// The nodes that were given up, by their numbers.
    pub fn failures(&self) -> impl Iterator<Item = Failure> + '_ {
        self.by_number.iter().filter_map(|(&number, id)| {
            let (stage, reason) = self.nodes[id].failure.clone()?;
            Some(Failure { node: number, id: *id, stage, reason })
        })
    }
}
