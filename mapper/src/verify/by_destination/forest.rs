//! The trees along which the frames of one alternate come to one destination.

use super::Step;
use crate::verify::network::Network;
use crate::verify::tally::Tally;
use twowire_fabric::map::{NO_PORT, Tables};
use twowire_fabric::route::MAX_HOPS;
use twowire_fabric::topology::HostId;

/// How far a state is from the destination: a number of hops, or one of the constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Depth(u8);

impl Depth {
    /// Not looked at yet.
    const UNKNOWN: Depth = Depth(0);
    /// On the way that is being followed: to come by again is to go round in a circle.
    const HERE: Depth = Depth(u8::MAX - 2);
    /// No route is read out of the tables.
    const NO_ROUTE: Depth = Depth(u8::MAX - 1);
    /// The routes must be walked.
    pub(super) const WALK: Depth = Depth(u8::MAX);

    fn hops(self) -> Option<u32> {
        (1..=MAX_HOPS as u8).contains(&self.0).then_some(self.0.into())
    }

    /// The depth of the state before one of this depth.
    fn before(self) -> Depth {
        match self {
            Depth::HERE => Depth::NO_ROUTE,
            Depth::NO_ROUTE | Depth::WALK => self,
            Depth(hops) if usize::from(hops) < MAX_HOPS => Depth(hops + 1),
            // From here the readout gives up; it did not from where there were fewer hops to go.
            Depth(_) => Depth::WALK,
        }
    }
}

/// Instead of a state: frames end there.
const END: u32 = u32::MAX;

/// A state of a frame is the crossbar where it is, and whether it has gone down: those that have are numbered behind
/// those that have not.
#[derive(Clone, Copy, Debug)]
struct Visit {
    state: u32,
    /// The channel by which frames leave.
    channel: u32,
    /// Their next state, or [`END`].
    next: u32,
    /// The port where they arrive.
    arrival: u32,
}

/// What becomes of a frame at a state.
enum Then {
    Goes(u32),
    Ends(Depth),
}

impl Visit {
    /// What the tables do with a frame.
    #[inline]
    fn at(
        state: u32,
        rows: [&[u8]; 2],
        network: &Network,
        steps: &[Step],
        allowed: &impl Fn(Step) -> bool,
    ) -> (Visit, Then) {
        let crossbars = network.crossbars() as u32;
        let (crossbar, has_gone_down) = if state < crossbars { (state, false) } else { (state - crossbars, true) };
        let out = rows[usize::from(has_gone_down)][crossbar as usize];
        let ports = network.ports_of(crossbar);
        let channel = ports.start + u32::from(out);
        let visit = Visit { state, channel, next: END, arrival: 0 };
        if out == NO_PORT {
            return (visit, Then::Ends(Depth::NO_ROUTE));
        }
        if channel >= ports.end || !allowed(steps[channel as usize]) {
            return (visit, Then::Ends(Depth::WALK));
        }
        let Step::Crossbar { crossbar, arrival, down, present } = steps[channel as usize] else {
            return (visit, Then::Ends(Depth(1)));
        };
        let next = if down || has_gone_down { crossbar + crossbars } else { crossbar };
        (if present { Visit { next, arrival, ..visit } } else { visit }, Then::Goes(next))
    }
}

/// The trees.
#[derive(Clone, Debug, Default)]
pub(super) struct Forest {
    depth: Vec<Depth>,
    /// The states on routes, each behind the one that it leads to.
    order: Vec<Visit>,
    /// The way that is being followed.
    way: Vec<Visit>,
    /// How many frames come through each state.
    frames: Vec<u32>,
}

impl Forest {
    pub(super) fn new(states: usize) -> Forest {
        Forest { depth: vec![Depth::UNKNOWN; states], frames: vec![0; states], ..Forest::default() }
    }

    pub(super) fn clear(&mut self) {
        self.depth.fill(Depth::UNKNOWN);
        self.order.clear();
    }

    /// Follows the tables from a crossbar, up to where it is known how they go on.
    pub(super) fn follow(
        &mut self,
        crossbar: u32,
        rows: [&[u8]; 2],
        network: &Network,
        steps: &[Step],
        allowed: &impl Fn(Step) -> bool,
    ) -> Depth {
        let start = crossbar as usize;
        if self.depth[start] != Depth::UNKNOWN {
            return self.depth[start];
        }
        let mut state = crossbar;
        let mut depth = loop {
            let (visit, then) = Visit::at(state, rows, network, steps, allowed);
            let depth = match then {
                Then::Goes(next) if self.depth[next as usize] == Depth::UNKNOWN => {
                    self.depth[state as usize] = Depth::HERE;
                    self.way.push(visit);
                    state = next;
                    continue;
                }
                Then::Goes(next) => self.depth[next as usize].before(),
                Then::Ends(depth) => depth,
            };
            self.settle(visit, depth);
            break depth;
        };
        while let Some(visit) = self.way.pop() {
            depth = depth.before();
            self.settle(visit, depth);
        }
        self.depth[start]
    }

    fn settle(&mut self, visit: Visit, depth: Depth) {
        self.depth[visit.state as usize] = depth;
        if depth.hops().is_some() {
            self.order.push(visit);
        }
    }

    /// The hops of a route from a crossbar; none if there is no route.
    pub(super) fn hops(&self, crossbar: u32) -> Option<u32> {
        self.depth[crossbar as usize].hops()
    }

    /// Takes all frames away.
    pub(super) fn start(&mut self) {
        self.frames.fill(0);
    }

    /// Sends frames from a crossbar, if it has a route.
    pub(super) fn send(&mut self, crossbar: u32, frames: u32) {
        if self.hops(crossbar).is_some() {
            self.frames[crossbar as usize] = frames;
        }
    }

    /// Lets the frames go all the way, and adds what they wait for; and, if they are `counted`, to the loads.
    pub(super) fn pass(&mut self, rows: [&[u8]; 2], tally: &mut Tally, counted: bool) {
        let crossbars = rows[0].len() as u32;
        for visit in self.order.iter().rev() {
            let frames = self.frames[visit.state as usize];
            if frames == 0 || visit.next == END {
                continue;
            }
            self.frames[visit.next as usize] += frames;
            if counted {
                tally.load[visit.channel as usize] += u64::from(frames);
            }
            let out = if visit.next < crossbars {
                rows[0][visit.next as usize]
            } else {
                rows[1][(visit.next - crossbars) as usize]
            };
            tally.dependencies[visit.arrival as usize] |= 1 << out;
        }
    }
}

/// For each state, the alternates before one that go on from there as it does: a bit for each.
pub(super) struct Repeats(Vec<[u64; 4]>);

impl Repeats {
    pub(super) fn new(states: usize) -> Repeats {
        Repeats(vec![[0; 4]; states])
    }

    /// Compares an alternate with those before it.
    pub(super) fn find(&mut self, tables: &Tables, layer: usize, to: HostId, forest: &Forest) {
        if layer == 0 {
            return;
        }
        let crossbars = tables.crossbars();
        let rows: Vec<[&[u8]; 2]> = tables.layers()[..=layer].iter().map(|layer| layer.rows(crossbars, to)).collect();
        let mut earlier = [0; 4];
        (0..layer).for_each(|i| earlier[i / 64] |= 1 << (i % 64));
        for visit in &forest.order {
            let mut same = if visit.next == END { earlier } else { self.0[visit.next as usize] };
            let state = visit.state as usize;
            let (phase, crossbar) = (state / crossbars, state % crossbars);
            for (word, first) in same.iter_mut().zip((0..).step_by(64)) {
                let mut left = *word;
                while left != 0 {
                    let bit = left.trailing_zeros() as usize;
                    left &= left - 1;
                    if rows[first + bit][phase][crossbar] != rows[layer][phase][crossbar] {
                        *word &= !(1 << bit);
                    }
                }
            }
            self.0[state] = same;
        }
    }

    /// True if an earlier alternate's route from a crossbar is the same.
    pub(super) fn is_repeat(&self, crossbar: u32) -> bool {
        self.0[crossbar as usize] != [0; 4]
    }
}
