//! Where everything stands.

use crate::engine::grid_places;
use crate::levels;
use crate::output::groups::{Group, groups};
use twowire_fabric::topology::{CrossbarId, HostId, NodeId, Topology};

pub(super) const MARGIN: f64 = 20.0;
/// Room for the caption and the legend.
pub(super) const HEAD: f64 = 70.0;
/// Room for the names of the levels.
const SIDE: f64 = 60.0;
/// Room for a crossbar whose name is written upwards.
const NARROW: f64 = 18.0;
/// Room for one whose name is written as usual, with its hosts' names below it.
const WIDE: f64 = 96.0;
/// From one level to the next.
const RISE: f64 = 210.0;
/// Between subtrees.
const GAP: f64 = 12.0;
/// From one crossbar of a grid to the next.
const CELL: f64 = 110.0;
/// Side of a host's square, with its gap.
pub(super) const HOST: f64 = 8.0;
pub(super) const HOSTS_IN_A_COLUMN: usize = 8;

/// A crossbar's box.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Box {
    pub middle: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Box {
    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// True if a name fits in as usual.
    pub(super) fn is_wide(&self) -> bool {
        self.width > self.height
    }
}

/// Where everything stands.
pub(super) struct Layout {
    pub boxes: Vec<Box>,
    /// The names of the rows, with their middles from above.
    pub rows: Vec<(String, f64)>,
    /// The subtrees, from left to right: where each begins and ends.
    pub bands: Vec<(f64, f64)>,
    /// True if hosts stand below the boxes, with their names; otherwise they are squares.
    pub named_hosts: bool,
    /// True on a grid, where hosts are inside of their crossbars' boxes.
    pub is_grid: bool,
    pub width: f64,
    pub height: f64,
}

/// The hosts at a crossbar, in the order of its ports.
pub(super) fn hosts_at(topology: &Topology, crossbar: CrossbarId) -> impl Iterator<Item = HostId> + '_ {
    topology.peers(crossbar.into()).iter().flatten().filter_map(|peer| match peer.node {
        NodeId::Host(host) => Some(host),
        NodeId::Crossbar(_) => None,
    })
}

impl Layout {
    pub(super) fn of(topology: &Topology) -> Layout {
        let levels = levels::of_crossbars(topology);
        let highest = levels.iter().copied().max().unwrap_or(1);
        if highest == 1 && levels.len() > 1 { Layout::grid(topology) } else { Layout::tree(topology, &levels, highest) }
    }

    /// Levels as rows. Subtrees stand side by side, each level of one above the other.
    fn tree(topology: &Topology, levels: &[u32], highest: u32) -> Layout {
        let subtrees = subtrees(topology, highest);
        let members: Vec<Vec<CrossbarId>> = subtrees.iter().map(all_crossbars).collect();
        let in_row = |all: &[CrossbarId], level: u32| all.iter().filter(|x| levels[x.0 as usize] == level).count();
        let most =
            |all: &Vec<CrossbarId>| (1..highest.max(2)).map(|level| in_row(all, level)).max().unwrap_or(0).max(1);
        let top = levels.iter().filter(|&&level| level == highest).count();
        let columns = members.iter().map(most).sum::<usize>().max(top).max(1);
        let most_hosts = topology.crossbar_ids().map(|x| hosts_at(topology, x).count()).max().unwrap_or(0);
        let pitch = (1300.0 / columns as f64).clamp(
            NARROW.max(most_hosts.div_ceil(HOSTS_IN_A_COLUMN) as f64 * HOST + 4.0),
            WIDE.max(14.0 * most_hosts as f64),
        );
        let size = if pitch >= 60.0 { (54.0, 26.0) } else { (pitch.min(24.0) - 4.0, 46.0) };
        let box_top = |level: u32| MARGIN + HEAD + f64::from(highest - level) * RISE;
        let mut layout = Layout {
            boxes: vec![Box::default(); levels.len()],
            rows: (1..=highest).map(|level| (format!("level {level}"), box_top(level) + size.1 / 2.0)).collect(),
            bands: Vec::new(),
            named_hosts: pitch >= 14.0 * most_hosts as f64,
            is_grid: false,
            width: 0.0,
            height: box_top(1)
                + size.1
                + 12.0
                + if pitch >= 14.0 * most_hosts as f64 {
                    90.0
                } else {
                    HOST * most_hosts.min(HOSTS_IN_A_COLUMN) as f64 + 84.0
                },
        };
        let below: usize = members.iter().map(most).sum();
        // Under a wide highest level the subtrees stand apart.
        let stretch = (top as f64 / below.max(1) as f64).max(1.0);
        let mut left = MARGIN + SIDE;
        for all in &members {
            let width = most(all) as f64 * pitch * stretch;
            for level in 1..highest.max(2) {
                layout.spread(all, levels, level, (left, width), (box_top(level), size));
            }
            layout.bands.push((left, left + width));
            left += width + GAP;
        }
        let all: Vec<CrossbarId> = topology.crossbar_ids().collect();
        let inner = (left - GAP - MARGIN - SIDE).max(top as f64 * pitch);
        if highest > 1 {
            layout.spread(&all, levels, highest, (MARGIN + SIDE, inner), (box_top(highest), size));
        }
        layout.width = (MARGIN + SIDE + inner + MARGIN).max(480.0);
        layout
    }

    /// Spreads the crossbars of a level over a width.
    fn spread(
        &mut self,
        all: &[CrossbarId],
        levels: &[u32],
        level: u32,
        (left, width): (f64, f64),
        (top, size): (f64, (f64, f64)),
    ) {
        let row: Vec<CrossbarId> = all.iter().copied().filter(|x| levels[x.0 as usize] == level).collect();
        for (index, x) in row.iter().enumerate() {
            let middle = left + width * (index as f64 + 0.5) / row.len() as f64;
            self.boxes[x.0 as usize] = Box { middle, top, width: size.0, height: size.1 };
        }
    }

    /// All crossbars have hosts: those of a torus, a mesh or a hypercube stand at their places, others in a square.
    fn grid(topology: &Topology) -> Layout {
        let crossbars = topology.crossbars().len();
        let side = (crossbars as f64).sqrt().ceil() as u32;
        let in_square = || (0..crossbars as u32).map(|i| vec![i / side, i % side]).collect();
        let places =
            grid_places(topology).filter(|places| places.iter().all(|p| !p.is_empty())).unwrap_or_else(in_square);
        let most = |dimension: usize| places.iter().map(|place| place[dimension] as usize + 1).max().unwrap_or(1);
        let lengths: Vec<usize> = (0..places[0].len()).map(most).collect();
        let (columns, rows) = (lengths[lengths.len() - 1], lengths.iter().rev().nth(1).copied().unwrap_or(1));
        let panels: usize = lengths.iter().rev().skip(2).product();
        let across = ((panels * rows) as f64 / columns as f64).sqrt().ceil().max(1.0) as usize;
        let size = (columns as f64 * CELL + 40.0, rows as f64 * CELL + 40.0);
        let at = |place: &Vec<u32>| {
            let outer = place[..place.len().saturating_sub(2)].iter().zip(&lengths);
            let panel = outer.fold(0, |panel, (&p, &length)| panel * length + p as usize);
            let (column, row) = (place[place.len() - 1], place.iter().rev().nth(1).copied().unwrap_or(0));
            let (x, y) = ((panel % across) as f64 * size.0, (panel / across) as f64 * size.1);
            let (x, y) = (x + (f64::from(column) + 0.5) * CELL, y + f64::from(row) * CELL + 40.0);
            Box { middle: MARGIN + x, top: MARGIN + HEAD + y, width: 56.0, height: 40.0 }
        };
        Layout {
            boxes: places.iter().map(at).collect(),
            rows: Vec::new(),
            bands: Vec::new(),
            named_hosts: false,
            is_grid: true,
            width: (2.0 * MARGIN + size.0 * across.min(panels.max(1)) as f64).max(480.0),
            height: 2.0 * MARGIN + HEAD + size.1 * panels.max(1).div_ceil(across) as f64,
        }
    }
}

/// The parts below the highest level, left to right; all as one where there are two levels.
fn subtrees(topology: &Topology, highest: u32) -> Vec<Group> {
    let whole = groups(topology);
    if highest < 3 {
        whole
    } else {
        whole.into_iter().flat_map(|group| if group.parts.is_empty() { vec![group] } else { group.parts }).collect()
    }
}

fn all_crossbars(group: &Group) -> Vec<CrossbarId> {
    group.parts.iter().flat_map(all_crossbars).chain(group.crossbars.iter().copied()).collect()
}
