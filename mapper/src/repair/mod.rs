//! Proved routes that are kept right while the fabric changes.
//!
//! | the routes | are repaired by |
//! |---|---|
//! | `clos` | the same engine, where the change touches them |
//! | `updown` | shortest ways in the order that the tables have; what is still one stays |
//! | `torus`, `hypercube` | computing them anew, and what comes out as before stays; where that does not go together with the routes in use, by leading round what is broken |
//!
//! Each repair is proved, together with the epoch before. Where none is possible, or none holds, the routes are computed as a
//! whole, by any engine that the fabric suits, and proved as a whole: [`Update::whole`] says why. Routes that hold, but not together with
//! those in use, come with an epoch that goes before them: [`Update::between`].

mod between;
#[cfg(test)]
mod tests;

use crate::change::Change;
use crate::engine::clos::{Again, Unfit};
use crate::engine::{self, EngineError, Request, TopologyKind, mend, updown};
use crate::verify::standing::{Changed, NotStanding, Patch, Refusal, Standing};
use crate::verify::{Refused, Verified, check, verify};
use std::num::NonZeroU8;
use twowire_fabric::map::{Attachment, Entry, RouteSet, Tables};
use twowire_fabric::topology::{HostId, NodeId, Topology, TopologyError};

/// A fabric with proved routes, of one epoch after the other.
pub struct Routing {
    kind: TopologyKind,
    routes_per_pair: NonZeroU8,
    standing: Standing,
    again: Option<Again>,
    /// The epoch before, if the present one was proved as a whole and is pending.
    before: Option<Standing>,
    /// What goes between to the pending epoch.
    between: Option<RouteSet>,
    /// What went between to an epoch that was rolled back: nodes may use it still.
    lingering: Option<RouteSet>,
    /// The last epoch that was proved; one that was rolled back is not given again.
    epoch: u32,
}

/// A new epoch. It is pending until [`Routing::retire`] or [`Routing::roll_back`].
#[derive(Clone, Debug)]
pub struct Update {
    /// What it changes.
    pub changed: Changed,
    /// The hosts whose routes it changes, in ascending order.
    pub nodes: Vec<HostId>,
    /// Why the routes were computed as a whole, if they were.
    pub whole: Option<String>,
    /// The routes that all nodes must use before any uses the new ones, where the new ones and those in use could deadlock together:
    /// what both have in common.
    pub between: Option<RouteSet>,
}

/// Why there are no routes. The fabric has changed all the same, and the routes are those of before.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// No engine has any.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// They do not hold, or not together with those in use.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The change contradicts the topology.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// The fabric is of a sort that cannot be kept.
    #[error("the routes cannot be kept while the fabric changes: {0}")]
    NotStanding(#[from] NotStanding),
}

/// Why a repair alone does not do.
#[derive(Debug, thiserror::Error)]
enum NotLocal {
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error(transparent)]
    Refusal(#[from] Refusal),
}

impl Routing {
    /// Computes and proves the first routes.
    ///
    /// # Errors
    /// There are none, or the fabric has hosts of several cables.
    pub fn new(topology: Topology, kind: TopologyKind, request: Request) -> Result<Routing, RepairError> {
        let routes = verify(&topology, engine::compute(&topology, kind, request)?, None)?;
        Routing::of(topology, kind, request.routes_per_pair, routes)
    }

    /// Keeps routes that an engine has made of this topology.
    pub fn of(
        topology: Topology,
        kind: TopologyKind,
        routes_per_pair: NonZeroU8,
        routes: Verified<RouteSet>,
    ) -> Result<Routing, RepairError> {
        let epoch = routes.epoch();
        let again = again(&topology, &routes);
        let standing = Standing::new(topology, routes)?;
        Ok(Routing { kind, routes_per_pair, standing, again, before: None, between: None, lingering: None, epoch })
    }

    /// The fabric and its routes.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Sets the card that a host has.
    pub fn set_unique_id(&mut self, host: HostId, id: twowire_fabric::id::UniqueId) {
        self.standing.set_unique_id(host, id);
    }

    /// Bytes of what is kept beside the topology and its tables.
    pub fn memory(&self) -> usize {
        self.standing.memory() + self.again.as_ref().map_or(0, Again::memory)
    }

    /// Takes in a change of the fabric, and repairs the routes.
    ///
    /// # Errors
    /// There are none that hold.
    ///
    /// # Panics
    /// If an epoch is pending.
    pub fn change(&mut self, change: &Change) -> Result<Update, RepairError> {
        assert!(self.before.is_none(), "the epoch before is neither retired nor rolled back");
        let update = self.follow(change)?;
        self.between = update.between.clone();
        if let Some(lingering) = &self.lingering {
            let next = update.between.as_ref().unwrap_or(self.standing.routes());
            let report = check(self.standing.topology(), next, Some(lingering));
            if !report.deadlock_free {
                // It was never in use; what lingers still is.
                self.between = None;
                self.roll_back();
                return Err(Refused(Box::new(report)).into());
            }
        }
        Ok(update)
    }

    /// Takes in a change, and proves what comes out together with the epoch before.
    fn follow(&mut self, change: &Change) -> Result<Update, RepairError> {
        if let Err(why) = self.standing.change(change) {
            let mut topology = self.standing.topology().clone();
            change.make(&mut topology)?;
            return self.replace(topology, change, &why);
        }
        match self.repair(change) {
            Ok(changed) => Ok(self.update(changed)),
            Err(why) => self.replace(self.standing.topology().clone(), change, &why),
        }
    }

    /// The epoch before is not in use any more.
    pub fn retire(&mut self) {
        (self.before, self.between, self.lingering) = (None, None, None);
        self.standing.retire();
    }

    /// The last epoch is not used after all. The routes are those of before, on the fabric as it is now.
    pub fn roll_back(&mut self) {
        self.lingering = self.between.take().or(self.lingering.take());
        match self.before.take() {
            Some(before) => {
                self.standing = before;
                self.again = None;
            }
            None => self.standing.roll_back(),
        }
        self.again.iter_mut().for_each(Again::differs);
    }

    fn update(&self, changed: Changed) -> Update {
        Update { nodes: changed.nodes(self.standing.topology()), changed, whole: None, between: None }
    }

    fn next_epoch(&mut self) -> u32 {
        self.epoch += 1;
        self.epoch
    }

    /// Repairs where the change touches the routes.
    fn repair(&mut self, change: &Change) -> Result<Changed, NotLocal> {
        let epoch = self.next_epoch();
        let is_oriented = tables(&self.standing).has_two_phases();
        if self.again.is_none()
            && !is_oriented
            && let Ok(changed) = self.redo(epoch)
        {
            return Ok(changed);
        }
        let (topology, tables) = (self.standing.topology(), tables(&self.standing));
        let patches = match &mut self.again {
            Some(again) => again.patches(topology, tables, change)?,
            None if is_oriented => updown::patches(topology, tables),
            None => mend::patches(topology, tables).ok_or(Unfit::NoTurns)?,
        };
        Ok(self.standing.prove(epoch, &patches)?)
    }

    /// Computes routes anew, and changes what comes out otherwise.
    fn redo(&mut self, epoch: u32) -> Result<Changed, NotLocal> {
        let request = Request { routes_per_pair: self.routes_per_pair, epoch };
        let same = |routes: &RouteSet| routes.engine() == self.standing.routes().engine();
        let routes =
            engine::compute(self.standing.topology(), self.kind, request).ok().filter(same).ok_or(Unfit::New)?;
        let new = routes.tables().ok_or(Unfit::New)?;
        let patches = differences(tables(&self.standing), new);
        Ok(self.standing.prove(epoch, &patches)?)
    }

    /// Computes and proves routes as a whole, on the fabric as it is now; those in use will do again if what broke them is back.
    fn replace(
        &mut self,
        topology: Topology,
        change: &Change,
        why: &dyn std::error::Error,
    ) -> Result<Update, RepairError> {
        let as_before = self.as_before(&topology, change);
        let is_as_before = as_before.is_some();
        let (routes, between) = match as_before {
            Some(routes) => (routes, None),
            None => self.anew(&topology)?,
        };
        let epoch = routes.epoch();
        let all = || routes.tables().map_or(0, |tables| tables.layers().iter().map(|layer| layer.up.len()).sum());
        let entries = if is_as_before { 0 } else { all() };
        let again = again(&topology, &routes);
        let standing = Standing::new(topology, routes)?;
        self.before = Some(std::mem::replace(&mut self.standing, standing));
        self.again = again;
        let nodes = self.standing.topology().host_ids().filter(|_| !is_as_before).collect();
        let changed = Changed { epoch, entries, ..Changed::default() };
        Ok(Update { changed, nodes, whole: Some(why.to_string()), between })
    }

    /// The routes in use as another epoch, if they hold on the fabric as it is now.
    fn as_before(&mut self, topology: &Topology, change: &Change) -> Option<Verified<RouteSet>> {
        let epoch = self.next_epoch();
        let in_use = self.standing.routes();
        fits(in_use, topology, change).then(|| verify(topology, in_use.clone().with_epoch(epoch), None).ok()).flatten()
    }

    /// New routes, and what goes before them if they do not go together with those in use.
    fn anew(&mut self, topology: &Topology) -> Result<(Verified<RouteSet>, Option<RouteSet>), RepairError> {
        let first = self.next_epoch();
        let kinds = if self.kind == TopologyKind::Any { vec![self.kind] } else { vec![self.kind, TopologyKind::Any] };
        let in_use = self.standing.routes();
        let compute =
            |kind, epoch| engine::compute(topology, kind, Request { routes_per_pair: self.routes_per_pair, epoch });
        let mut error = None;
        for &kind in &kinds {
            match compute(kind, first).map_err(RepairError::from).map(|new| verify(topology, new, Some(in_use))) {
                Ok(Ok(routes)) => return Ok((routes, None)),
                Ok(Err(refused)) => error = error.or(Some(refused.into())),
                Err(none) => error = error.or(Some(none)),
            }
        }
        let second = first + 1;
        let alone = kinds.iter().find_map(|&kind| verify(topology, compute(kind, second).ok()?, None).ok());
        let Some(routes) = alone else { return Err(error.expect("some kind was tried")) };
        let (routes, between) = match between::between(topology, in_use, &routes, first) {
            Ok(between) => (routes, between),
            Err(refused) => {
                let request = Request { routes_per_pair: self.routes_per_pair, epoch: second };
                between::along_a_tree(topology, in_use, request, first).ok_or(refused)?
            }
        };
        self.epoch = second;
        Ok((routes, Some(between)))
    }
}

fn tables(standing: &Standing) -> &Tables {
    standing.routes().tables().expect("routes that stand are tables")
}

/// True if tables know of all that has come.
fn fits(routes: &RouteSet, topology: &Topology, change: &Change) -> bool {
    let Some(tables) = routes.tables().filter(|_| change.crossbars.is_empty() && change.hosts.is_empty()) else {
        return false;
    };
    change.come.iter().flat_map(|&(a, b)| [(a, b), (b, a)]).all(|(end, peer)| match (end.node, peer.node) {
        (NodeId::Crossbar(x), NodeId::Crossbar(y)) => {
            let link = tables.link(x.0 as usize, end.port);
            (link.crossbar, link.port) == (y.0, peer.port)
        }
        (NodeId::Host(host), _) => tables.attachment(host) == Attachment::of(topology, host),
        _ => true,
    })
}

/// What the Clos engine needs to go on from routes that it has made.
fn again(topology: &Topology, routes: &RouteSet) -> Option<Again> {
    routes.tables().filter(|_| routes.engine() == "clos").and_then(|tables| Again::of(topology, tables))
}

/// All entries of new tables, of as many alternates, that differ from those of old ones.
fn differences(old: &Tables, new: &Tables) -> Vec<Patch> {
    let crossbars = old.crossbars() as u32;
    let hosts = old.layers().first().map_or(0, |layer| layer.up.len() / old.crossbars().max(1));
    let mut patches = Vec::new();
    for layer in 0..old.layers().len() as u8 {
        for to in (0..hosts as u32).map(HostId) {
            let entries = (0..crossbars).map(|crossbar| Entry { layer, to, after_down: false, crossbar });
            let others = entries.filter(|&entry| new.holds(entry) && old.port(entry) != new.port(entry));
            patches.extend(others.map(|entry| Patch { entry, port: new.port(entry) }));
        }
    }
    patches
}
