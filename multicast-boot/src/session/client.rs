//! What a program sees of a node, whatever moves its image.

use super::held::HeldImage;
use super::node_state::NodeState;
use super::ready::Ticket;
use std::sync::Arc;
use twowire_fabric::protocol::Protocol;
use twowire_fabric::routes::RouteTable;
use twowire_fabric::time::Time;

/// A node's side of a transfer, for the program that runs it.
pub trait BootClient: Protocol {
    /// How far it is.
    fn state(&self) -> NodeState;

    /// The image, once the node has verified all of it.
    fn image(&self) -> Option<HeldImage<'_>>;

    /// Phase 2 runs: the node reports that it is ready. Only for a node that is handing over.
    fn handed_over(&mut self, now: Time);

    /// What phase 2 must know to report that it runs, where another program does so: once the node hands over.
    fn ticket(&self) -> Option<Ticket>;

    /// The node's routes to all others, which phase 2 has from here; `None` where cards find one another.
    fn routes(&self) -> Option<Arc<RouteTable>>;

    /// Phase 2 was seen not to become ready: that is written down. Only for a node that is handing over.
    fn phase2_failed(&mut self, now: Time);

    /// True if what it boots is the fallback.
    fn boots_fallback(&self) -> bool;

    /// True if the front end knows the stage that the node is at.
    fn is_heard(&self) -> bool;
}
