//! Fat trees: Pink, and any other folded Clos network.

use super::{GenerateError, add_crossbar, add_host, connect, nodes, radix};
use crate::topology::{CrossbarId, PortId, Topology};

/// Pink: 1,024 hosts, 320 16-port crossbars, 3,072 cables; XGFT(3; 8,8,16; 1,8,8).
pub fn pink() -> Topology {
    let mut topology = xgft(&[8, 8, 16], &[1, 8, 8]).expect("Pink's parameters");
    topology.name = "pink".into();
    topology
}

/// A folded Clos network by what one buys: so many hosts, crossbars of so many ports, in so many levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Clos {
    /// Number of hosts; the places of a last, partly filled subtree stay empty.
    pub hosts: u64,
    /// The ports that a crossbar may use.
    pub radix: u8,
    /// Levels of crossbars.
    pub levels: u8,
    /// Ports down for each port up at the lowest level, 1 or more; at the other levels it is 1.
    pub oversubscription: f64,
}

impl Clos {
    /// The XGFT whose lower levels are full; the highest has as many subtrees as the hosts need.
    pub fn build(&self) -> Result<Topology, GenerateError> {
        let (children, parents) = self.shape()?;
        let mut topology = fat_tree(&children, &parents, self.hosts)?;
        topology.name = format!("clos-{}-{}-{}", self.hosts, self.radix, self.levels);
        Ok(topology)
    }

    /// Children and parents for each level of the XGFT.
    pub(super) fn shape(&self) -> Result<(Vec<u64>, Vec<u64>), GenerateError> {
        if self.hosts == 0 {
            return Err(GenerateError::parameter("hosts", 0, "1 or more"));
        }
        if !(2..=super::MAX_RADIX).contains(&self.radix) {
            return Err(GenerateError::parameter("radix", self.radix, "2 to 128"));
        }
        if !(1..=10).contains(&self.levels) {
            return Err(GenerateError::parameter("levels", self.levels, "1 to 10"));
        }
        let most = f64::from(self.radix - 1);
        if !(1.0..=most).contains(&self.oversubscription) {
            let expected = format!("1 to {most} with {} ports", self.radix);
            return Err(GenerateError::parameter("oversubscription", self.oversubscription, expected));
        }
        let levels = usize::from(self.levels);
        let up = (f64::from(self.radix) / (1.0 + self.oversubscription)).floor().max(1.0);
        let down = (up * self.oversubscription).floor() as u64;
        let half = u64::from(self.radix / 2);
        let mut children = vec![half; levels];
        let mut parents = vec![half; levels];
        parents[0] = 1;
        if levels > 1 {
            (children[0], parents[1]) = (down, up as u64);
        }
        let subtree = nodes(children[..levels - 1].iter().copied())?;
        children[levels - 1] = self.hosts.div_ceil(subtree);
        if children[levels - 1] > u64::from(self.radix) {
            let most = subtree * u64::from(self.radix);
            let expected = format!("at most {most} with {levels} levels of {} ports", self.radix);
            return Err(GenerateError::parameter("hosts", self.hosts, expected));
        }
        Ok((children, parents))
    }
}

/// The extended generalised fat tree XGFT(h; children; parents), after Öhring et al. (IPPS 1995).
///
/// A node of level `l` (hosts are level 0) has `children[l - 1]` children at its ports from 0 and then `parents[l]` parents.
/// It is numbered by mixed-radix digits, the first the least significant: digit `i < l` says by which of `parents[i]`
/// it is reached from below, digit `i >= l` in which of `children[i]` subtrees it lies. Hosts have a port for each parent.
pub fn xgft(children: &[u64], parents: &[u64]) -> Result<Topology, GenerateError> {
    let hosts = nodes(children.iter().copied())?;
    let mut topology = fat_tree(children, parents, hosts)?;
    let list = |digits: &[u64]| digits.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    topology.name = format!("xgft-{}-{}", list(children), list(parents));
    Ok(topology)
}

/// The XGFT with only its first hosts.
fn fat_tree(children: &[u64], parents: &[u64], hosts: u64) -> Result<Topology, GenerateError> {
    let height = children.len();
    if height == 0 || parents.len() != height {
        return Err(GenerateError::parameter("parents", parents.len(), "as many levels as of children, 1 or more"));
    }
    if children.iter().chain(parents).any(|&n| n == 0) {
        return Err(GenerateError::parameter("children or parents", 0, "1 or more at each level"));
    }
    let level_size = |level: usize| nodes(parents[..level].iter().copied().chain(children[level..].iter().copied()));
    let mut topology = Topology::default();
    let mut first_of_level = vec![0; height + 1];
    for level in 1..=height {
        first_of_level[level] = topology.crossbars().len() as u64;
        let ports = radix(children[level - 1] + parents.get(level).copied().unwrap_or(0))?;
        for index in 0..level_size(level)? {
            add_crossbar(&mut topology, format!("x{level}.{index}"), ports);
        }
    }
    let rails = radix(parents[0])?;
    for _ in 0..hosts {
        add_host(&mut topology, rails);
    }
    for level in 0..height {
        let below = parents[..level].iter().product::<u64>();
        let size = if level == 0 { hosts } else { level_size(level)? };
        for index in 0..size {
            let (low, rest) = (index % below, index / below);
            let (child, high) = (rest % children[level], rest / children[level]);
            for parent in 0..parents[level] {
                let above = low + below * (parent + parents[level] * high);
                let up = PortId::new(CrossbarId((first_of_level[level + 1] + above) as u32), child as u8);
                let own = match level {
                    0 => PortId::new(super::HostId(index as u32), parent as u8),
                    _ => PortId::new(
                        CrossbarId((first_of_level[level] + index) as u32),
                        (children[level - 1] + parent) as u8,
                    ),
                };
                connect(&mut topology, own, up);
            }
        }
    }
    Ok(topology)
}
