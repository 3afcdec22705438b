//! What moves the image, behind the session that decides who takes part.
//!
//! The session (`root`, `node`) offers, admits, watches, and ends; it reaches a node by its [`Path`]s and knows nothing of
//! how the bytes travel. A mover carries them: the trees (`trees`) where frames follow the hops of a route.
//!
//! [`Path`]: twowire_fabric::protocol::Path

use super::assembly::Assembly;
use super::node::Location;
use super::node_state::NodeCounters;
use super::root::control::Control;
use super::timing::Timing;
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
    /// A member says that what feeds it in this tree is silent.
    Orphaned {
        /// Which.
        index: usize,
        /// In which tree.
        tree: usize,
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

/// What a node's mover works on.
pub(crate) struct Context<'a> {
    pub(crate) now: Time,
    pub(crate) timing: &'a Timing,
    pub(crate) location: &'a Location,
    pub(crate) assembly: &'a mut Assembly,
    pub(crate) counters: &'a mut NodeCounters,
    /// The node hands over: it feeds nobody any more.
    pub(crate) is_leaving: bool,
}

/// A node's side of what moves the image.
///
/// It puts what comes into the [`Assembly`]. The session looks there, and at the questions below, after each call.
pub(crate) trait NodeMover: Send {
    /// The root says who feeds the node: an assignment newer than the last one.
    fn on_assign(&mut self, context: &mut Context<'_>, assign: &Assign);

    /// A packet of this session came that the session itself has no use for.
    fn handle_packet(&mut self, context: &mut Context<'_>, packet: &Packet);

    /// The instant of [`NodeMover::next_timeout`] may have come.
    fn handle_timeout(&mut self, context: &mut Context<'_>);

    /// The next frame, if there is one.
    fn poll_transmit(&mut self, context: &mut Context<'_>) -> Option<Transmit>;

    /// When it wants to be called next; [`Time::MAX`] for never.
    fn next_timeout(&self) -> Time;

    /// Others depend on this node: it must not hand over yet.
    fn is_feeding(&self) -> bool;

    /// In which trees the one that feeds the node is silent on every path.
    fn orphaned(&self, timing: &Timing) -> [bool; TREES];

    /// Frames that were lost on the way here, as far as known.
    fn lost(&self) -> u32;

    /// Frames with a part of the image that it has sent.
    fn forwarded(&self) -> u64;
}
