//! The epoch between two that do not go together.
//!
//! Routes that are free of cycles alone can close one together with those that are in use. What both have in common closes none
//! with either: nodes that first take only that can go on to the new routes. In between the pairs whose routes are others have none.
//!
//! A node takes no routes without one to the front end, so the new ones to there come with it, and with them a proof is needed.

use crate::verify::{Refused, check};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::map::{Entry, NO_PORT, RouteSet, Tables};
use twowire_fabric::topology::{HostId, Topology};

/// The routes that two sets have in common and the new ones to the front end, or these alone: proved to close no cycle with either set.
pub(super) fn between(topology: &Topology, in_use: &RouteSet, new: &RouteSet, epoch: u32) -> Result<RouteSet, Refused> {
    let front_end = topology.host_ids().find(|&host| topology.host(host).name == NodeNumber::FRONT_END.to_string());
    let front_end = front_end.unwrap_or(HostId(0));
    let with = |old| {
        let common = in_common(new, old, front_end).with_epoch(epoch);
        let report = check(topology, &common, Some(in_use));
        if report.wrong == 0 && report.deadlock_free { Ok(common) } else { Err(Refused(Box::new(report))) }
    };
    with(in_use.tables()).or_else(|refused| with(None).map_err(|_| refused))
}

/// The new routes as far as every crossbar on their way does with them what it does by old tables, and all of those to one host.
fn in_common(new: &RouteSet, old: Option<&Tables>, to_all: HostId) -> RouteSet {
    let mut common = new.clone();
    let hosts = new.hosts() as u32;
    let Some((entries, _)) = common.tables_mut() else { return common };
    let old = old.filter(|old| are_alike(old, entries));
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
