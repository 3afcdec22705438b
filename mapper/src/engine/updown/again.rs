//! Up*/down* routes of a network that changes: by the order that the tables have, and as they are wherever that is still a shortest way.

use super::{Distances, Order, Phase, UNREACHABLE};
use crate::engine::cabling::{Cabling, Link};
use crate::verify::standing::Patch;
use twowire_fabric::map::{Entry, NO_PORT, Tables};
use twowire_fabric::topology::{HostId, Topology};

/// The entries that must be others on a topology as it is now.
pub(crate) fn patches(topology: &Topology, tables: &Tables) -> Vec<Patch> {
    let cabling = Cabling::of(topology);
    let order = Order::kept(&cabling, tables);
    let mut distances = Distances::new(cabling.crossbars());
    let mut patches = Vec::new();
    let mut attached = vec![false; topology.hosts().len()];
    for leaf in cabling.leaves() {
        distances.towards(&cabling, &order, leaf);
        let again = Again { cabling: &cabling, order: &order, tables, distances: &distances };
        for &(host, port) in &cabling.hosts_at[leaf as usize] {
            attached[host as usize] = true;
            again.patch(HostId(host), (leaf, port), &mut patches);
        }
    }
    let gone = topology.host_ids().filter(|host| !attached[host.0 as usize]);
    patches.extend(gone.flat_map(|to| entries(tables, to)).map(|entry| Patch { entry, port: NO_PORT }));
    patches.retain(|patch| tables.port(patch.entry) != patch.port);
    patches
}

/// All entries for a host.
fn entries(tables: &Tables, to: HostId) -> impl Iterator<Item = Entry> + '_ {
    let layers = 0..tables.layers().len() as u8;
    let crossbars = move |layer, after_down| {
        (0..tables.crossbars() as u32).map(move |crossbar| Entry { layer, to, after_down, crossbar })
    };
    layers.flat_map(move |layer| [false, true].into_iter().flat_map(move |after_down| crossbars(layer, after_down)))
}

impl Order {
    /// The order that tables were made by.
    fn kept(cabling: &Cabling, tables: &Tables) -> Order {
        let down = |x: u32| cabling.links(x).iter().filter(move |link| tables.link(x as usize, link.port).down);
        let mut above = vec![0; cabling.crossbars()];
        (0..cabling.crossbars() as u32).for_each(|x| down(x).for_each(|link| above[link.to as usize] += 1));
        let mut sequence: Vec<u32> = (0..cabling.crossbars() as u32).filter(|&x| above[x as usize] == 0).collect();
        let mut at = 0;
        while let Some(&x) = sequence.get(at) {
            at += 1;
            for link in down(x) {
                above[link.to as usize] -= 1;
                if above[link.to as usize] == 0 {
                    sequence.push(link.to);
                }
            }
        }
        let mut rank = vec![0; cabling.crossbars()];
        sequence.iter().zip(0..).for_each(|(&x, place)| rank[x as usize] = place);
        Order { sequence, rank }
    }
}

/// The routes to one leaf.
struct Again<'a> {
    cabling: &'a Cabling,
    order: &'a Order,
    tables: &'a Tables,
    distances: &'a Distances,
}

impl Again<'_> {
    /// Adds what the entries for a host must be.
    fn patch(&self, to: HostId, (leaf, port): (u32, u8), patches: &mut Vec<Patch>) {
        for entry in entries(self.tables, to) {
            let phase = if entry.after_down { Phase::Down } else { Phase::Up };
            let port = if entry.crossbar == leaf { port } else { self.port(entry, phase) };
            patches.push(Patch { entry, port });
        }
    }

    /// The port of an entry: as it was, if that is on a shortest way still.
    fn port(&self, entry: Entry, phase: Phase) -> u8 {
        let x = entry.crossbar;
        let remaining = self.distances.of(phase, x);
        if remaining == UNREACHABLE {
            return NO_PORT;
        }
        let leads = |link: &&Link| {
            let after = if self.order.is_down(x, link) { Phase::Down } else { Phase::Up };
            (phase == Phase::Up || after == Phase::Down) && self.distances.of(after, link.to) == remaining - 1
        };
        let ports: Vec<u8> = self.cabling.links(x).iter().filter(leads).map(|link| link.port).collect();
        let before = self.tables.port(entry);
        // Destinations are spread over the cables, and alternates start one further.
        let place = entry.to.0 as usize + usize::from(entry.layer);
        if ports.contains(&before) { before } else { ports[place % ports.len()] }
    }
}
