//! Leads what a damage has broken round it, by turns that together with all turns in use can close no cycle.
//!
//! For tables of one phase, whatever engine they are from. To each destination the crossbars that still lead there are kept; the others
//! are hung up behind them one by one, the nearest first, wherever the turn that this needs is possible. What this finds is longer than
//! what an engine would find, but it never contradicts the routes that are in use.

use super::cabling::Cabling;
use super::grid::{NONE, Neighbours};
use super::turns::Turns;
use crate::verify::standing::Patch;
use std::collections::VecDeque;
use twowire_fabric::map::{Entry, NO_PORT, Tables};
use twowire_fabric::topology::{HostId, Topology};

/// The entries that must be others on a topology as it is now; none if the routes in use leave no room.
pub(crate) fn patches(topology: &Topology, tables: &Tables) -> Option<Vec<Patch>> {
    let cabling = Cabling::of(topology);
    let neighbours = Neighbours::of(&cabling);
    let mut mender = Mender { turns: Turns::none(&neighbours), cabling: &cabling, neighbours: &neighbours, tables };
    let mut leaf_of = vec![None; topology.hosts().len()];
    for leaf in cabling.leaves() {
        cabling.hosts_at[leaf as usize].iter().for_each(|&(host, port)| leaf_of[host as usize] = Some((leaf, port)));
    }
    let layers = 0..tables.layers().len() as u8;
    let trees = |to: HostId| layers.clone().map(move |layer| (layer, to));
    for (layer, to) in topology.host_ids().flat_map(trees) {
        if let Some((leaf, _)) = leaf_of[to.0 as usize]
            && !mender.take_what_is_used(layer, to, leaf)
        {
            return None;
        }
    }
    let mut patches = Vec::new();
    for (layer, to) in topology.host_ids().flat_map(trees) {
        let row = match leaf_of[to.0 as usize] {
            Some(at) => mender.mended(layer, to, at),
            None => vec![NO_PORT; cabling.crossbars()],
        };
        let entries = (0..)
            .zip(row)
            .map(|(crossbar, port)| Patch { entry: Entry { layer, to, after_down: false, crossbar }, port });
        patches.extend(entries.filter(|patch| tables.port(patch.entry) != patch.port));
    }
    Some(patches)
}

struct Mender<'a> {
    cabling: &'a Cabling,
    neighbours: &'a Neighbours,
    tables: &'a Tables,
    turns: Turns,
}

impl Mender<'_> {
    fn row(&self, layer: u8, to: HostId) -> &[u8] {
        self.tables.layers()[usize::from(layer)].rows(self.tables.crossbars(), to)[0]
    }

    /// Over which edge a crossbar sends frames on, if the cable is still there.
    fn edge(&self, row: &[u8], x: u32) -> u32 {
        let port = row[x as usize];
        let link = self.cabling.links(x).iter().find(|link| link.port == port);
        link.and_then(|link| self.neighbours.edge(x, link.to)).unwrap_or(NONE)
    }

    /// Takes the turns of one tree; false if they close a cycle, parallel cables taken for one.
    fn take_what_is_used(&mut self, layer: u8, to: HostId, leaf: u32) -> bool {
        let row = self.row(layer, to);
        let edges: Vec<u32> =
            (0..self.neighbours.crossbars()).map(|x| if x == leaf { NONE } else { self.edge(row, x) }).collect();
        let mut seen = vec![false; edges.len()];
        for source in self.cabling.leaves() {
            let mut at = source;
            while !std::mem::replace(&mut seen[at as usize], true) && edges[at as usize] != NONE {
                let edge = edges[at as usize];
                at = self.neighbours.to[edge as usize];
                if edges[at as usize] != NONE && !self.turns.take(self.neighbours, edge, edges[at as usize]) {
                    return false;
                }
            }
        }
        true
    }

    /// The entries for a host, whose cable is at `leaf`.
    fn mended(&mut self, layer: u8, to: HostId, (leaf, port): (u32, u8)) -> Vec<u8> {
        let mut row = self.row(layer, to).to_vec();
        let mut edges: Vec<u32> = (0..self.neighbours.crossbars()).map(|x| self.edge(&row, x)).collect();
        row[leaf as usize] = port;
        edges[leaf as usize] = NONE;
        // From the destination backwards: first what leads there as it is.
        let mut leads = vec![false; row.len()];
        leads[leaf as usize] = true;
        let mut queue = VecDeque::from([leaf]);
        let mut nearest_first = Vec::new();
        while let Some(x) = queue.pop_front() {
            nearest_first.push(x);
            for edge in self.neighbours.edges(x).map(|edge| self.neighbours.back(edge)) {
                let before = self.neighbours.from[edge as usize];
                if edges[before as usize] == edge && !leads[before as usize] {
                    leads[before as usize] = true;
                    queue.push_back(before);
                }
            }
        }
        for x in (0..row.len()).filter(|&x| !leads[x]) {
            (row[x], edges[x]) = (NO_PORT, NONE);
        }
        let mut queue = VecDeque::from(nearest_first);
        while let Some(x) = queue.pop_front() {
            for edge in self.neighbours.edges(x).map(|edge| self.neighbours.back(edge)) {
                let before = self.neighbours.from[edge as usize] as usize;
                let onward = edges[x as usize];
                if leads[before] || onward != NONE && !self.turns.take(self.neighbours, edge, onward) {
                    continue;
                }
                let ports = &self.neighbours.ports[edge as usize];
                (leads[before], edges[before]) = (true, edge);
                row[before] = ports[to.0 as usize % ports.len()];
                queue.push_back(before as u32);
            }
        }
        row
    }
}
