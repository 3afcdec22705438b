//! The routes of one alternate to one destination, as a tree.
//!
//! A state of a frame is the crossbar where it is, and whether it has gone down. The tables lead from each state to one other,
//! so those that frames come through are a tree, as long as none lead round in a circle: and those never get into a [`Tree`] that counts.

use super::turns::Turn;
use crate::verify::network::{End, Network};
use twowire_fabric::map::{Entry, NO_PORT, Tables};
use twowire_fabric::route::MAX_HOPS;
use twowire_fabric::topology::HostId;

/// Where a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) crossbar: u32,
    pub(super) after_down: bool,
}

/// What the tables do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// They have no entry.
    NoRoute,
    /// The cable is not there any more.
    Broken,
    /// It is at its destination.
    Arrives,
    /// It comes to another host, or to a port that is not there.
    Astray,
    /// It goes on, and arrives at a port.
    On { state: State, arrival: u32 },
}

/// Where frames are sent from.
pub(super) struct Senders {
    /// For each crossbar, the hosts that send from there.
    pub(super) at: Vec<u32>,
    /// For each host that sends, its crossbar.
    pub(super) leaf_of: Vec<Option<u32>>,
}

/// The tables of one alternate, for one destination.
pub(super) struct Tree<'a> {
    tables: &'a Tables,
    network: &'a Network,
    senders: &'a Senders,
    rows: [&'a [u8]; 2],
    two_phases: bool,
    layer: u8,
    to: HostId,
}

impl<'a> Tree<'a> {
    pub(super) fn of(
        tables: &'a Tables,
        network: &'a Network,
        senders: &'a Senders,
        layer: u8,
        to: HostId,
    ) -> Tree<'a> {
        let of_layer = &tables.layers()[usize::from(layer)];
        let rows = of_layer.rows(tables.crossbars(), to);
        Tree { tables, network, senders, rows, two_phases: !of_layer.down.is_empty(), layer, to }
    }

    fn out(&self, state: State) -> u8 {
        self.rows[usize::from(state.after_down)][state.crossbar as usize]
    }

    /// The state's place in the tables.
    pub(super) fn entry(&self, state: State) -> Entry {
        Entry { layer: self.layer, to: self.to, after_down: state.after_down, crossbar: state.crossbar }
    }

    /// All states of a crossbar.
    pub(super) fn states(&self, crossbar: u32) -> impl Iterator<Item = State> + use<> {
        let phases: &[bool] = if self.two_phases { &[false, true] } else { &[false] };
        phases.iter().map(move |&after_down| State { crossbar, after_down })
    }

    /// What becomes of a frame.
    #[inline]
    pub(super) fn next(&self, at: State) -> Next {
        let out = self.out(at);
        let ports = self.network.ports_of(at.crossbar);
        let channel = ports.start + u32::from(out);
        if out == NO_PORT {
            return Next::NoRoute;
        }
        if channel >= ports.end {
            return Next::Astray;
        }
        match self.network.end(channel) {
            End::Nothing => Next::Broken,
            End::Host(host) if host == self.to.0 => Next::Arrives,
            End::Host(_) => Next::Astray,
            End::Crossbar { first, port } => Next::On {
                state: State { crossbar: self.network.crossbar_of(first), after_down: self.goes_down(at, out) },
                arrival: first + u32::from(port),
            },
        }
    }

    /// True if a frame has gone down once it has left a state by a port.
    fn goes_down(&self, at: State, out: u8) -> bool {
        self.two_phases && (at.after_down || self.tables.link(at.crossbar as usize, out).down)
    }

    /// The hops from a state to the destination; none if frames do not arrive, or by more than a route may have.
    pub(super) fn hops(&self, mut at: State) -> Option<usize> {
        for hops in 1..=MAX_HOPS {
            match self.next(at) {
                Next::Arrives => return Some(hops),
                Next::On { state, .. } => at = state,
                _ => return None,
            }
        }
        None
    }

    /// True if `is_it` says so of a state that leads to one; it is also given the port where frames arrive from there.
    #[inline]
    fn any_child(&self, at: State, mut is_it: impl FnMut(State, u32) -> bool) -> bool {
        for arrival in self.network.ports_of(at.crossbar) {
            let Some((crossbar, port)) = self.network.across(arrival) else { continue };
            for after_down in [false, true].into_iter().take(1 + usize::from(self.two_phases)) {
                let child = State { crossbar, after_down };
                if self.out(child) == port && self.goes_down(child, port) == at.after_down && is_it(child, arrival) {
                    return true;
                }
            }
        }
        false
    }

    /// How many hosts send from a crossbar, without the destination itself.
    pub(super) fn senders(&self, crossbar: u32) -> u32 {
        let own = self.senders.leaf_of[self.to.0 as usize] == Some(crossbar);
        self.senders.at[crossbar as usize].saturating_sub(u32::from(own))
    }

    fn sends(&self, at: State) -> bool {
        !at.after_down && self.senders(at.crossbar) > 0
    }

    /// True if frames come to a state.
    pub(super) fn is_reached(&self, at: State) -> bool {
        self.sends(at) || self.is_passed(at, None)
    }

    /// True if frames come to a state over a cable, but not from `except`.
    pub(super) fn is_passed(&self, at: State, except: Option<State>) -> bool {
        self.any_child(at, |child, _| Some(child) != except && self.is_reached(child))
    }

    /// The turn from a port at a state, if it leads to a crossbar.
    pub(super) fn turn(&self, arrival: u32, at: State) -> Option<Turn> {
        matches!(self.next(at), Next::On { .. }).then(|| Turn { arrival, out: self.out(at) })
    }

    /// Calls `visit` with the turns that are made only because frames are sent on from a state.
    pub(super) fn turns_with(&self, at: State, visit: &mut impl FnMut(Turn)) {
        if !matches!(self.next(at), Next::On { .. }) || !self.is_reached(at) {
            return;
        }
        self.any_child(at, |child, arrival| {
            if self.is_reached(child) {
                self.turn(arrival, at).into_iter().for_each(&mut *visit);
            }
            false
        });
        self.turns_behind(at, visit);
    }

    /// As [`Tree::turns_with`], but without those at the state itself.
    pub(super) fn turns_behind(&self, mut at: State, visit: &mut impl FnMut(Turn)) {
        while let Next::On { state, arrival } = self.next(at) {
            self.turn(arrival, state).into_iter().for_each(&mut *visit);
            if self.sends(state) || self.is_passed(state, Some(at)) {
                return;
            }
            at = state;
        }
    }

    /// Calls `visit` with every crossbar whose hosts' frames come to a state, and with how many cables further away it is.
    pub(super) fn sources(&self, at: State, cables: usize, visit: &mut impl FnMut(u32, usize)) {
        if self.sends(at) {
            visit(at.crossbar, cables);
        }
        self.any_child(at, |child, _| {
            self.sources(child, cables + 1, visit);
            false
        });
    }
}
