//! How a node behaves, how far it is, and what it has counted.

use super::progress::refusal;
use super::timing::Timing;
use crate::image::CHUNK;
use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;
use twowire_fabric::wire::boot::{Answer, TREES};

/// How a node behaves.
#[derive(Clone, Copy, Debug)]
pub struct NodeConfig {
    /// The protocol's timers.
    pub timing: Timing,
    /// The oldest version of an image that it boots, whatever its record says.
    pub oldest_version: u64,
    /// It boots images that are older than its record says.
    pub allow_older: bool,
    /// The rate of the node's link, in bits a second, where it is known: it spaces what it forwards evenly.
    pub rate_bits_per_s: Option<u64>,
    /// How long it takes from the end of phase 1 until phase 2 runs; `None` if the driver says so, by
    /// [`BootClient::handed_over`](super::BootClient::handed_over).
    pub hand_over: Option<Duration>,
}

impl Default for NodeConfig {
    fn default() -> NodeConfig {
        let (timing, hand_over) = (Timing::default(), Some(Duration::from_millis(20)));
        NodeConfig { timing, oldest_version: 0, allow_older: false, rate_bits_per_s: None, hand_over }
    }
}

impl NodeConfig {
    /// From one frame to a child to the next: a child gets half of a link's rate, evenly, and a little less. Zero where the
    /// rate is not known.
    pub(crate) fn even_interval(&self) -> Duration {
        let Some(rate) = self.rate_bits_per_s else { return Duration::ZERO };
        let two_frames = Duration::from_nanos(TREES as u64 * FRAME_BYTES * 8 * 1_000_000_000 / rate.max(1));
        two_frames + two_frames / SPARE
    }
}

/// Bytes of a frame with a chunk, without its hops.
const FRAME_BYTES: u64 = 20 + CHUNK as u64 + 4;

/// One part in so many of a link is left for receipts, and for queues to get shorter again.
const SPARE: u32 = 400;

/// How far a node is, as it sees it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It holds no routes, and waits for them.
    NoRoutes,
    /// It asks for an offer.
    Asking,
    /// The front end has no image for it.
    NoImage,
    /// It has refused the offer, and stays in phase 1.
    Refused(Answer),
    /// It has accepted an offer and has nothing yet.
    Joined,
    /// It has a part of the image.
    Receiving {
        /// How much of it.
        percent: u8,
    },
    /// It has the image, and the hash of what it received is the signed one.
    Verified,
    /// It starts the image.
    HandingOver,
    /// The image runs: phase 2.
    Ready,
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NodeState::NoRoutes => f.write_str("waits for routes"),
            NodeState::Asking => f.write_str("asks for an offer"),
            NodeState::NoImage => f.write_str("the front end has no image for this node"),
            NodeState::Refused(answer) => write!(f, "refused: {}", refusal(*answer)),
            NodeState::Joined => f.write_str("joined"),
            NodeState::Receiving { percent } => write!(f, "receiving ({percent} %)"),
            NodeState::Verified => f.write_str("verified"),
            NodeState::HandingOver => f.write_str("handing over"),
            NodeState::Ready => f.write_str("ready"),
        }
    }
}

/// What a node has counted since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounters {
    /// Lists and chunks that came although they were here already.
    pub duplicates: u64,
    /// Frames that failed verification.
    pub rejected: u64,
    /// Frames that were lost on the way here.
    pub lost: u64,
    /// Frames sent to others.
    pub forwarded: u64,
    /// Offers that were refused or ignored.
    pub refused_offers: u64,
}

impl AddAssign for NodeCounters {
    fn add_assign(&mut self, more: NodeCounters) {
        let NodeCounters { duplicates, rejected, lost, forwarded, refused_offers } = more;
        self.duplicates += duplicates;
        self.rejected += rejected;
        self.lost += lost;
        self.forwarded += forwarded;
        self.refused_offers += refused_offers;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a sender's link carries in a turn: a frame to each of two children, each with as many hops as a route in a tree of three levels.
    #[test]
    fn a_turn_has_room_for_two_frames_with_their_hops_and_is_known_only_where_the_rate_is() {
        const HOPS: u64 = 5;
        let of = |rate| NodeConfig { rate_bits_per_s: rate, ..NodeConfig::default() }.even_interval();
        for rate in [1_000_000_000, 2_000_000_000, 10_000_000_000] {
            let two_frames = Duration::from_nanos(TREES as u64 * (FRAME_BYTES + HOPS) * 8 * 1_000_000_000 / rate);
            assert!(of(Some(rate)) >= two_frames, "{rate}");
            assert!(of(Some(rate)) < two_frames.mul_f64(1.01), "{rate}");
        }
        assert_eq!(of(None), Duration::ZERO);
    }
}
