//! When nodes came how far, on the clock on the wall.

use std::collections::BTreeMap;
use std::time::Instant;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::Stage;
use twowire_multicast_boot::session::StageTimes;

/// What the front end has heard from nodes, and when.
#[derive(Clone, Debug)]
pub struct BootTimes {
    nodes: BTreeMap<NodeNumber, StageTimes>,
    /// One moment on both clocks.
    fabric: Time,
    wall: Instant,
}

impl BootTimes {
    /// Of these nodes; it is `now` on the fabric's clock.
    #[expect(clippy::disallowed_methods, reason = "people compare by the clock on the wall")]
    pub(crate) fn new(nodes: BTreeMap<NodeNumber, StageTimes>, now: Time) -> BootTimes {
        BootTimes { nodes, fabric: now, wall: Instant::now() }
    }

    /// When a node was so far; `None` if it never was, or was at a time that this machine's clock cannot say. On a simulated fabric this says
    /// nothing: its time is another one.
    pub fn at(&self, node: NodeNumber, stage: Stage) -> Option<Instant> {
        let at = self.nodes.get(&node)?.at(stage)?;
        self.wall.checked_sub(self.fabric.saturating_since(at))
    }
}
