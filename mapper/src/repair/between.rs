//! The epoch between two that do not go together.
//!
//! Routes that are free of cycles alone can close one together with those that are in use. What both have in common closes none
//! with either: nodes that first take only that can go on to the new routes. In between the pairs whose routes are others have none.
//!
//! A node takes no routes without one to the front end, so the new ones to there come with it, and with them a proof is needed. Where even
//! these contradict those in use, a tree to the front end is looked for that goes together with both sets; and where there is none, one that goes
//! together with those in use, and new routes that go together with it.

use crate::engine::{Request, beside, updown};
use crate::verify::{Refused, Verified, check, verify};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::map::{Attachment, Entry, NO_PORT, RouteSet, Tables};
use twowire_fabric::topology::{HostId, Topology};

/// The routes that two sets have in common, and to the front end the new ones or those of a tree: proved to close no cycle with either set.
pub(super) fn between(topology: &Topology, in_use: &RouteSet, new: &RouteSet, epoch: u32) -> Result<RouteSet, Refused> {
    let front_end = front_end(topology);
    let common = in_common(new, in_use, front_end).with_epoch(epoch);
    prove(topology, common.clone(), in_use, new).or_else(|refused| {
        let tree = beside::tree(topology, front_end, &[in_use, new]).ok_or(refused)?;
        prove(topology, over_tree(common, front_end, &tree), in_use, new)
    })
}

/// New routes that go together with a tree to the front end, which goes together with those in use, and the epoch between that has it.
/// They need not be short.
pub(super) fn along_a_tree(
    topology: &Topology,
    in_use: &RouteSet,
    request: Request,
    epoch: u32,
) -> Option<(Verified<RouteSet>, RouteSet)> {
    let front_end = front_end(topology);
    let Attachment::Crossbar { crossbar: root, .. } = Attachment::of(topology, front_end) else { return None };
    let tree = beside::tree(topology, front_end, &[in_use])?;
    let new = verify(topology, updown::along(topology, request, root, &tree), None).ok()?;
    let common = in_common(&new, in_use, front_end).with_epoch(epoch);
    let between = prove(topology, over_tree(common, front_end, &tree), in_use, &new).ok()?;
    Some((new, between))
}

fn front_end(topology: &Topology) -> HostId {
    let named = topology.host_ids().find(|&host| topology.host(host).name == NodeNumber::FRONT_END.to_string());
    named.unwrap_or(HostId(0))
}

/// Proves that routes close no cycle with either of two sets.
fn prove(topology: &Topology, routes: RouteSet, in_use: &RouteSet, new: &RouteSet) -> Result<RouteSet, Refused> {
    let mut reports = [in_use, new].into_iter().map(|beside| check(topology, &routes, Some(beside)));
    match reports.find(|report| report.wrong > 0 || !report.deadlock_free) {
        Some(report) => Err(Refused(Box::new(report))),
        None => Ok(routes),
    }
}

/// The new routes as far as every crossbar on their way does with them what it does by those in use, and all of those to one host.
fn in_common(new: &RouteSet, in_use: &RouteSet, to_all: HostId) -> RouteSet {
    let mut common = new.clone();
    let hosts = new.hosts() as u32;
    let Some((entries, _)) = common.tables_mut() else { return common };
    let old = in_use.tables().filter(|old| are_alike(old, entries));
    let stays =
        |entries: &Tables, entry| old.is_some_and(|old| old.holds(entry) && old.port(entry) == entries.port(entry));
    for to in (0..hosts).map(HostId).filter(|&to| to != to_all) {
        for entry in row(entries, to) {
            if !stays(entries, entry) {
                entries.set_port(entry, NO_PORT);
            }
        }
    }
    common
}

/// The same routes but for those to one host, which are along a tree: for each crossbar the port by which it sends there.
fn over_tree(mut routes: RouteSet, to: HostId, tree: &[u8]) -> RouteSet {
    let Some((entries, _)) = routes.tables_mut() else { return routes };
    for entry in row(entries, to) {
        let port = if entry.layer == 0 { tree[entry.crossbar as usize] } else { NO_PORT };
        entries.set_port(entry, port);
    }
    routes
}

/// The entries for one destination.
fn row(tables: &Tables, to: HostId) -> Vec<Entry> {
    let phases: &[bool] = if tables.has_two_phases() { &[false, true] } else { &[false] };
    let layers = 0..tables.layers().len() as u8;
    let crossbars = 0..tables.crossbars() as u32;
    let entries = layers.flat_map(|layer| phases.iter().map(move |&after_down| (layer, after_down)));
    entries
        .flat_map(|(layer, after_down)| {
            crossbars.clone().map(move |crossbar| Entry { layer, to, after_down, crossbar })
        })
        .collect()
}

/// True if the same entries mean the same routes.
fn are_alike(old: &Tables, new: &Tables) -> bool {
    let are_links_alike = |crossbar| (0..NO_PORT).all(|port| old.link(crossbar, port) == new.link(crossbar, port));
    old.crossbars() == new.crossbars()
        && old.has_two_phases() == new.has_two_phases()
        && (!new.has_two_phases() || (0..new.crossbars()).all(are_links_alike))
}
