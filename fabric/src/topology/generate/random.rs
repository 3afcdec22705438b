//! Irregular networks, as one gets by adding what is at hand.

use super::{GenerateError, add_crossbar, add_host, connect, nodes};
use crate::topology::{CrossbarId, MAX_RADIX, PortId, Topology};

/// A connected network without any regularity; the same parameters give the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random {
    /// Number of crossbars.
    pub crossbars: u32,
    /// Ports of each.
    pub radix: u8,
    /// Number of hosts, each at a random crossbar.
    pub hosts: u32,
    /// The seed of all choices.
    pub seed: u64,
}

impl Random {
    /// A random tree of the crossbars, then the hosts, then cables between random crossbars until too few ports are free.
    pub fn build(&self) -> Result<Topology, GenerateError> {
        self.check()?;
        let mut grower = Grower {
            topology: Topology::new(format!("random-{}-{}-{}-{}", self.crossbars, self.radix, self.hosts, self.seed)),
            free: vec![self.radix; self.crossbars as usize],
            rng: fastrand::Rng::with_seed(self.seed),
        };
        for index in 0..self.crossbars {
            add_crossbar(&mut grower.topology, format!("x{index}"), self.radix);
        }
        grower.tree();
        grower.hosts(self.hosts);
        grower.shortcuts();
        Ok(grower.topology)
    }

    fn check(&self) -> Result<(), GenerateError> {
        nodes([self.crossbars.into()])?;
        nodes([self.hosts.into()])?;
        if self.crossbars == 0 {
            return Err(GenerateError::parameter("crossbars", 0, "1 or more"));
        }
        if !(4..=MAX_RADIX).contains(&self.radix) {
            return Err(GenerateError::parameter("radix", self.radix, "4 to 128"));
        }
        let room = u64::from(self.crossbars) * u64::from(self.radix) - 2 * (u64::from(self.crossbars) - 1);
        if self.hosts == 0 || u64::from(self.hosts) > room {
            return Err(GenerateError::parameter("hosts", self.hosts, format!("1 to {room}, the free ports")));
        }
        Ok(())
    }
}

struct Grower {
    topology: Topology,
    /// How many ports of each crossbar are free; they are taken from the highest down.
    free: Vec<u8>,
    rng: fastrand::Rng,
}

impl Grower {
    /// The crossbars below `end` that have more than `spare` free ports.
    fn open(&self, end: usize, spare: u8) -> Vec<usize> {
        (0..end).filter(|&x| self.free[x] > spare).collect()
    }

    fn take(&mut self, crossbar: usize) -> PortId {
        self.free[crossbar] -= 1;
        PortId::new(CrossbarId(crossbar as u32), self.free[crossbar])
    }

    /// Picks one of `open`, and takes it out of the list if the port it is about to lose leaves it at `spare`.
    fn pick(&mut self, open: &mut Vec<usize>, spare: u8) -> usize {
        let slot = self.rng.usize(..open.len());
        let crossbar = open[slot];
        if self.free[crossbar] <= spare + 1 {
            open.swap_remove(slot);
        }
        crossbar
    }

    fn tree(&mut self) {
        let mut open = vec![0];
        for new in 1..self.free.len() {
            let old = self.pick(&mut open, 2);
            let (a, b) = (self.take(new), self.take(old));
            connect(&mut self.topology, a, b);
            open.push(new);
        }
    }

    fn hosts(&mut self, count: u32) {
        let mut open = self.open(self.free.len(), 0);
        for _ in 0..count {
            let crossbar = self.pick(&mut open, 0);
            let host = add_host(&mut self.topology, 1);
            let port = self.take(crossbar);
            connect(&mut self.topology, PortId::new(host, 0), port);
        }
    }

    fn shortcuts(&mut self) {
        let mut open = self.open(self.free.len(), 4);
        while open.len() >= 2 {
            let first = self.rng.usize(..open.len());
            let second = (first + self.rng.usize(1..open.len())) % open.len();
            let (a, b) = (self.take(open[first]), self.take(open[second]));
            connect(&mut self.topology, a, b);
            open.retain(|&x| self.free[x] > 4);
        }
    }
}
