//! Tables that are changed entry by entry, as a repair does.

use super::{Attachment, Link, NO_PORT, Tables};
use crate::topology::{HostId, NodeId, PortId, Topology};

/// The place of one entry: where a crossbar sends the frames for a destination on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Which alternate.
    pub layer: u8,
    /// The destination.
    pub to: HostId,
    /// Of frames that have gone down already; never set where one table is right for all frames.
    pub after_down: bool,
    /// The crossbar's index.
    pub crossbar: u32,
}

impl Tables {
    /// True if frames that have gone down have tables of their own.
    pub fn has_two_phases(&self) -> bool {
        self.layers.iter().any(|layer| !layer.down.is_empty())
    }

    /// True if there is such an entry.
    pub fn holds(&self, entry: Entry) -> bool {
        let two_phases = self.layers.get(usize::from(entry.layer)).is_some_and(|layer| !layer.down.is_empty());
        usize::from(entry.layer) < self.layers.len()
            && (entry.to.0 as usize) < self.hosts
            && (entry.crossbar as usize) < self.crossbars
            && (two_phases || !entry.after_down)
    }

    /// The port of an entry, or [`NO_PORT`].
    #[inline]
    pub fn port(&self, entry: Entry) -> u8 {
        let layer = &self.layers[usize::from(entry.layer)];
        let index = entry.to.0 as usize * self.crossbars + entry.crossbar as usize;
        if entry.after_down { layer.down[index] } else { layer.up[index] }
    }

    /// All entries by which a crossbar sends frames to one of its ports.
    pub fn entries_to(&self, crossbar: u32, port: u8) -> Vec<Entry> {
        let mut found = Vec::new();
        for (layer, tables) in (0..).zip(&self.layers) {
            for (after_down, table) in [(false, &tables.up), (true, &tables.down)] {
                // The entries of a crossbar lie far apart, so this waits for memory and for nothing else.
                let column = table.iter().skip(crossbar as usize).step_by(self.crossbars.max(1));
                let hosts = (0..).map(HostId).zip(column).filter(|&(_, &out)| out == port);
                found.extend(hosts.map(|(to, _)| Entry { layer, to, after_down, crossbar }));
            }
        }
        found
    }

    /// Changes an entry.
    #[inline]
    pub fn set_port(&mut self, entry: Entry, port: u8) {
        let layer = &mut self.layers[usize::from(entry.layer)];
        let index = entry.to.0 as usize * self.crossbars + entry.crossbar as usize;
        if entry.after_down {
            layer.down[index] = port;
        } else {
            layer.up[index] = port;
        }
    }

    /// Takes over where a port of a crossbar leads now. Whether it leads down stays as it was.
    pub fn relink(&mut self, topology: &Topology, end: PortId) {
        let NodeId::Crossbar(x) = end.node else { return };
        let link = &mut self.links[x.0 as usize * self.stride + usize::from(end.port)];
        *link = match topology.peer(end) {
            Some(PortId { node: NodeId::Crossbar(y), port }) => Link { crossbar: y.0, port, down: link.down },
            _ => Link { crossbar: Link::EDGE, port: 0, down: link.down },
        };
    }

    /// Takes over where a host is attached now; one that is new gets entries, all of them [`NO_PORT`].
    pub fn reattach(&mut self, topology: &Topology, host: HostId) {
        while self.hosts <= host.0 as usize {
            self.hosts += 1;
            self.attachments.push(Attachment::None);
            for layer in &mut self.layers {
                layer.up.resize(layer.up.len() + self.crossbars, NO_PORT);
                if !layer.down.is_empty() {
                    layer.down.resize(layer.down.len() + self.crossbars, NO_PORT);
                }
            }
        }
        self.attachments[host.0 as usize] = Attachment::of(topology, host);
    }
}
