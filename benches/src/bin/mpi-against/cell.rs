//! What is measured, and how much better than the best of the others it should be.

use clap::ValueEnum;
use std::fmt;

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(super) enum What {
    /// Half a ping-pong, in microseconds
    Latency,
    /// One way, in MB/s
    Bandwidth,
    /// Both ways, in MB/s
    Bibandwidth,
    /// In microseconds, like all that follow
    Barrier,
    /// From rank 0
    Bcast,
    /// Sums to rank 0
    Reduce,
    /// Sums to all
    Allreduce,
    /// A part to each
    Alltoall,
    /// All parts to all
    Allgather,
    /// A program that starts and ends, in milliseconds
    Nothing,
}

const MESSAGES: &[usize] = &[0, 8, 64, 256, 1 << 10, 4 << 10, 8 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20];
const COLLECTIVES: &[usize] = &[8, 1 << 10, 64 << 10, 1 << 20];
const STARTS: &[usize] = &[16, 64];

impl What {
    /// As the C program calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            What::Latency => "latency",
            What::Bandwidth => "bandwidth",
            What::Bibandwidth => "bibandwidth",
            What::Barrier => "barrier",
            What::Bcast => "bcast",
            What::Reduce => "reduce",
            What::Allreduce => "allreduce",
            What::Alltoall => "alltoall",
            What::Allgather => "allgather",
            What::Nothing => "nothing",
        }
    }

    /// True where more is better.
    pub(super) fn is_rate(self) -> bool {
        matches!(self, What::Bandwidth | What::Bibandwidth)
    }

    fn is_between_two(self) -> bool {
        matches!(self, What::Latency | What::Bandwidth | What::Bibandwidth)
    }

    fn sizes(self) -> &'static [usize] {
        match self {
            What::Latency => MESSAGES,
            What::Bandwidth | What::Bibandwidth => &MESSAGES[1..],
            What::Barrier | What::Nothing => &[0],
            _ => COLLECTIVES,
        }
    }
}

/// An operation with a size and a number of ranks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) what: What,
    pub(super) bytes: usize,
    pub(super) ranks: usize,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Cell { what, bytes, ranks } = self;
        match what {
            What::Barrier | What::Nothing => write!(f, "{} on {ranks} ranks", what.name()),
            _ => write!(f, "{} of {bytes} B on {ranks} ranks", what.name()),
        }
    }
}

impl Cell {
    /// Our figure over the best other one: at most that for times, at least that for rates.
    pub(super) fn goal(self) -> f64 {
        match (self.what, self.bytes) {
            (What::Latency, 0..=64) => 0.7,
            (What::Latency, 65..=1024) => 0.85,
            (What::Latency, 1025..=8192) => 0.9,
            (What::Latency, _) => 1.0,
            (What::Bandwidth, 0..=8) => 1.5,
            (What::Bandwidth | What::Bibandwidth, 0..=8192) => 1.1,
            (What::Bandwidth | What::Bibandwidth, _) => 1.0,
            (What::Nothing, _) => 1.0 / 3.0,
            _ if self.ranks == 2 => 0.9,
            _ => 0.8,
        }
    }
}

/// The cells of these operations, sizes and numbers of ranks; none named means all that are usual.
pub(super) fn chosen(what: &[What], bytes: &[usize], ranks: &[usize]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &what in if what.is_empty() { What::value_variants() } else { what } {
        let ranks = match what {
            What::Nothing => STARTS,
            _ if what.is_between_two() => &[2],
            _ => ranks,
        };
        let sizes =
            if bytes.is_empty() || matches!(what, What::Barrier | What::Nothing) { what.sizes() } else { bytes };
        for &ranks in ranks {
            cells.extend(sizes.iter().map(|&bytes| Cell { what, bytes, ranks }));
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_sizes_are_taken_where_none_is_named() {
        let all = chosen(&[], &[], &[2, 4]);
        assert_eq!(all.iter().filter(|cell| cell.what == What::Latency).count(), MESSAGES.len());
        assert_eq!(all.iter().filter(|cell| cell.what == What::Barrier).count(), 2);
        assert_eq!(all.iter().filter(|cell| cell.what == What::Alltoall).count(), 2 * COLLECTIVES.len());
        let some = chosen(&[What::Bandwidth, What::Nothing], &[8], &[4]);
        assert_eq!(some.iter().map(|cell| (cell.bytes, cell.ranks)).collect::<Vec<_>>(), [(8, 2), (0, 16), (0, 64)]);
    }
}
