//! The graph as the engines walk it: only crossbars that have cables to each other, in flat arrays.

use twowire_fabric::map::Attachment;
use twowire_fabric::topology::{NodeId, Topology};

/// A cable from a crossbar to another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// The port by which it leaves.
    pub port: u8,
    /// The other crossbar.
    pub to: u32,
    /// The port where it arrives.
    pub to_port: u8,
}

/// Where hosts are attached, and which crossbars are neighbours. Cables from a crossbar to itself lead nowhere and are
/// left out.
pub(super) struct Cabling {
    /// The hosts at each crossbar, each with the crossbar's port, in the order of the ports.
    pub hosts_at: Vec<Vec<(u32, u8)>>,
    first: Vec<u32>,
    links: Vec<Link>,
}

impl Cabling {
    pub(super) fn of(topology: &Topology) -> Cabling {
        let mut hosts_at = vec![Vec::new(); topology.crossbars().len()];
        for host in topology.host_ids() {
            if let Attachment::Crossbar { crossbar, port, .. } = Attachment::of(topology, host) {
                hosts_at[crossbar as usize].push((host.0, port));
            }
        }
        hosts_at.iter_mut().for_each(|hosts: &mut Vec<(u32, u8)>| hosts.sort_by_key(|&(_, port)| port));
        let (mut first, mut links) = (vec![0], Vec::with_capacity(2 * topology.cables().len()));
        for x in topology.crossbar_ids() {
            for (port, peer) in topology.peers(x.into()).iter().enumerate() {
                match peer.map(|p| (p.node, p.port)) {
                    Some((NodeId::Crossbar(y), to_port)) if y != x => {
                        links.push(Link { port: port as u8, to: y.0, to_port });
                    }
                    _ => {}
                }
            }
            first.push(links.len() as u32);
        }
        Cabling { hosts_at, first, links }
    }

    /// The number of crossbars.
    pub(super) fn crossbars(&self) -> usize {
        self.hosts_at.len()
    }

    /// The cables of a crossbar to others, in the order of its ports.
    pub(super) fn links(&self, crossbar: u32) -> &[Link] {
        let x = crossbar as usize;
        &self.links[self.first[x] as usize..self.first[x + 1] as usize]
    }

    /// The crossbars that have hosts.
    pub(super) fn leaves(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.crossbars() as u32).filter(|&x| !self.hosts_at[x as usize].is_empty())
    }

    /// How many cables each crossbar is from the nearest of `sources`; `u32::MAX` if it cannot be reached.
    pub(super) fn distances(&self, sources: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut distance = vec![u32::MAX; self.crossbars()];
        let mut queue: Vec<u32> = sources.collect();
        queue.iter().for_each(|&x| distance[x as usize] = 0);
        let mut next = 0;
        while let Some(&x) = queue.get(next) {
            next += 1;
            for link in self.links(x) {
                if distance[link.to as usize] == u32::MAX {
                    distance[link.to as usize] = distance[x as usize] + 1;
                    queue.push(link.to);
                }
            }
        }
        distance
    }
}
