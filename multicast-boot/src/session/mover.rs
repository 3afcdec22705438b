//! What moves the image, behind the session that decides who takes part.
//!
//! The session (`root`, `node`) offers, admits, watches, and ends; it reaches a node by its [`Path`]s and knows nothing of
//! how the bytes travel. A mover carries them: the trees (`trees`) where frames follow the hops of a route, the group
//! (`group`, and `multicast` at the nodes) where the fabric replicates frames.
//!
//! [`Path`]: twowire_fabric::protocol::Path

use super::assembly::Assembly;
use super::held::HeldImage;
use super::node::Location;
use super::node_state::NodeCounters;
use super::root::control::Control;
use super::store::ChunkStore;
use super::timing::Timing;
use super::trees::TreeNode;
use crate::image::Manifest;
use crate::image::reuse::OldImage;
use crate::multicast::{Geometry, GroupNode, Receiver};
use std::time::Duration;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::protocol::Transmit;
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::boot::{Assign, TREES};

/// Something that the session tells the root's mover. Members are named by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Those that have joined are to get the image now.
    Begin,
    /// A member takes part from now on: it came late, or came back.
    Joined(usize),
    /// A member has failed, or has lost all it had.
    Left(usize),
    /// A member has verified all of the image.
    Verified(usize),
    /// A member says in which trees what feeds it is silent; perhaps in none, or in none any more.
    Orphaned {
        /// Which.
        index: usize,
        /// In which trees.
        trees: [bool; TREES],
    },
    /// A member that was asked whether it lives does.
    Alive(usize),
}

/// Frames with a part of the image that the root has sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) frames: u64,
    /// Those of them that had been sent before.
    pub(crate) repeats: u64,
    /// Bytes of the image, its lists and its parity in them.
    pub(crate) bytes: u64,
}

/// The root's side of what moves the image.
pub(crate) trait RootMover: Send {
    /// The session has something to tell.
    fn on_change(&mut self, now: Time, control: &mut Control, change: Change);

    /// A packet of this session came that the session itself has no use for.
    fn handle_packet(&mut self, now: Time, control: &mut Control, packet: &Packet);

    /// The instant of [`RootMover::next_timeout`] has come.
    fn handle_timeout(&mut self, now: Time);

    /// The next frame with a part of the image.
    fn poll_transmit(&mut self, now: Time) -> Option<Transmit>;

    /// When it wants to be called next; [`Time::MAX`] for never.
    fn next_timeout(&self) -> Time;

    /// Who feeds a member in each tree, and along which of that one's routes: the content of its assignment. Asked for
    /// members to which the mover has assigned something ([`Control::assign_anew`]).
    fn parents(&self, index: usize) -> [Option<(NodeNumber, u8)>; TREES];

    /// What it has sent.
    fn sent(&self) -> Sent;
}

/// How the bytes of a session come to a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Carriage {
    /// Along two trees. The node sends a frame to a child each `interval`; zero for as fast as possible.
    Trees { interval: Duration },
    /// To all nodes at once, cut in this way. The node's port carries payloads of at most `max_payload`.
    Group { geometry: Geometry, max_payload: usize },
}

impl Carriage {
    /// What brings the image of this manifest into an empty store, or goes on with what an earlier start has left there. What
    /// it has in common with the image that an earlier session has brought, or that the store has from before, is not fetched.
    pub(crate) fn mover(
        self,
        session: u32,
        manifest: Manifest,
        store: Box<dyn ChunkStore>,
        earlier: Option<OldImage>,
        seed: u64,
    ) -> Box<dyn NodeMover> {
        let old = store.old_image().or(earlier);
        match self {
            Carriage::Trees { interval } => {
                Box::new(TreeNode::new(session, interval, Assembly::new(manifest, store, old), seed))
            }
            Carriage::Group { geometry, max_payload } => {
                let receiver = Receiver::new(session, NodeNumber::FRONT_END, manifest, geometry, store, old);
                Box::new(GroupNode::new(receiver, max_payload))
            }
        }
    }
}

/// What a node's mover may need to know.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) timing: &'a Timing,
    pub(crate) location: &'a Location,
    /// The node hands over: it feeds nobody any more.
    pub(crate) is_leaving: bool,
}

/// A node's side of what moves the image: it holds the image while it grows, all of it verified.
///
/// The session looks at the questions below after each call.
pub(crate) trait NodeMover: Send {
    /// Goes on in another session of the same image with all that is here, and counts anew. `None` if that session
    /// carries the image in a way that this mover does not know.
    fn resume(self: Box<Self>, session: u32, carriage: Carriage, seed: u64) -> Option<Box<dyn NodeMover>>;

    /// The root says who feeds the node: an assignment newer than the last one. Where all are sent to at once nobody is
    /// assigned to anybody.
    fn on_assign(&mut self, _context: &mut Context<'_>, _assign: &Assign) {}

    /// A packet came that the session itself has no use for. Says whether the root of this session has sent it.
    fn handle_packet(&mut self, context: &mut Context<'_>, packet: &Packet) -> bool;

    /// The instant of [`NodeMover::next_timeout`] may have come.
    fn handle_timeout(&mut self, _context: &mut Context<'_>) {}

    /// The next frame, if there is one.
    fn poll_transmit(&mut self, context: &mut Context<'_>) -> Option<Transmit>;

    /// When it wants to be called next; [`Time::MAX`] for never.
    fn next_timeout(&self) -> Time {
        Time::MAX
    }

    /// Others depend on this node: it must not hand over yet.
    fn is_feeding(&self) -> bool {
        false
    }

    /// In which trees the one that feeds the node is silent on every path.
    fn orphaned(&self, _timing: &Timing) -> [bool; TREES] {
        [false; TREES]
    }

    /// As [`Host::prefetch`](twowire_fabric::sim::Host::prefetch), behind the mover itself.
    fn prefetch(&self, _depth: usize) {}

    /// What it has counted in this session.
    fn counters(&self) -> NodeCounters;

    /// The signed manifest's content.
    fn manifest(&self) -> &Manifest;

    /// True if nothing is here, not even something that waits to be verified.
    fn is_empty(&self) -> bool;

    /// How much of the image is here and verified, in percent; 100 only if it is all.
    fn percent(&self) -> u8;

    /// True if all is here and the hash folded from it is the one in the signed manifest.
    fn is_verified(&self) -> bool;

    /// What is here of the image, for a session of another one.
    fn into_old_image(self: Box<Self>) -> OldImage;

    /// The image, once all of it is here.
    fn image(&self) -> Option<HeldImage<'_>>;
}
