//! Requests: operations under way, and those that can be started again.
use super::buffer::Buffer;
use super::engine::Requests;
use super::matching::Key;
use crate::abi::{MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_Request, MPI_Status};
use crate::error::{Error, Result};
use crate::group::Group;
use std::fmt;
use std::sync::Arc;

/// An operation under way, or complete and not yet looked at.
#[derive(Debug)]
pub struct Request {
    /// What came, once it is complete; until then a receive has its sender's rank here, if it is known.
    pub status: MPI_Status,
    /// Why it failed.
    error: Option<Error>,
    complete: bool,
    /// Nobody holds its handle any longer: it goes when it is complete.
    pub detached: bool,
    /// What it is.
    pub kind: Kind,
}

/// Requests are made and looked at for every message: they should not grow beyond two cache lines.
const _: () = assert!(size_of::<Request>() <= 112);

/// What a request is.
#[derive(Debug)]
pub enum Kind {
    /// A message that is sent.
    Send {
        /// The process that it goes to.
        to: u32,
        /// Its key.
        key: Key,
        /// The data.
        buffer: Buffer,
        /// The same in one piece, for the other process to read.
        packed: Option<Box<[u8]>>,
    },
    /// A message that is received.
    Receive {
        /// Where to.
        buffer: Buffer,
        /// Which.
        asked: Key,
        /// Where the sender's rank is looked up, if the receive takes messages of any.
        peers: Option<Arc<Group>>,
        /// Bytes that came of a message that comes in pieces.
        received: usize,
    },
    /// Something that the library does in steps (a collective): its steps are among the activities.
    Activity,
    /// Kept by the user, to be started again and again.
    Persistent {
        /// How it is started.
        recipe: Arc<dyn Recipe>,
        /// The operation that a start began.
        active: Option<MPI_Request>,
    },
    /// The user's own, complete when `MPI_Grequest_complete` says so.
    Generalized(Arc<dyn Generalized>),
}

/// How the sender of a message is named: by its rank among a communicator's peers.
#[derive(Clone, Debug)]
pub enum Naming {
    /// It is known.
    Rank(i32),
    /// The rank is looked up in this group.
    Group(Arc<Group>),
}

impl Naming {
    /// The rank of process `process`.
    #[inline]
    pub fn rank(&self, process: i32) -> i32 {
        match self {
            Naming::Rank(rank) => *rank,
            Naming::Group(group) => rank_of(group, process),
        }
    }
}

/// Starts a persistent request.
pub trait Recipe {
    /// Begins the operation; called without a guard.
    fn start(&self) -> Result<MPI_Request>;
}

/// The user's functions of a generalized request; all are called without a guard.
pub trait Generalized {
    /// Fills the status.
    fn query(&self, status: &mut MPI_Status) -> Result<()>;
    /// The request goes.
    fn free(&self) -> Result<()>;
    /// It should end.
    fn cancel(&self, complete: bool) -> Result<()>;
}

impl fmt::Debug for dyn Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipe")
    }
}

impl fmt::Debug for dyn Generalized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generalized")
    }
}

/// Something that goes on in steps, such as the schedule of a non-blocking collective.
pub trait Activity {
    /// Does what can be done now; called from the progress loop, without a guard. True when all is done.
    fn advance(&mut self) -> Result<bool>;

    /// The requests that must be complete before it can go on.
    fn awaits(&self) -> &[MPI_Request] {
        &[]
    }

    /// What it is called.
    fn name(&self) -> &'static str;

    /// The status of the request, once all is done.
    fn status(&self) -> MPI_Status {
        MPI_Status::EMPTY
    }
}

impl Request {
    /// A new operation, not complete.
    #[inline(always)]
    pub fn new(kind: Kind) -> Request {
        Request { status: MPI_Status::EMPTY, error: None, complete: false, detached: false, kind }
    }

    /// A new receive.
    #[inline(always)]
    pub(super) fn receive(buffer: Buffer, asked: Key, naming: Naming) -> Request {
        let (rank, peers) = match naming {
            Naming::Rank(rank) => (rank, None),
            Naming::Group(group) => (MPI_ANY_SOURCE, Some(group)),
        };
        let status = MPI_Status::message(rank, MPI_ANY_TAG, 0);
        Request { status, ..Request::new(Kind::Receive { buffer, asked, peers, received: 0 }) }
    }

    /// Makes a new receive of one that [`Request::strip`] has left.
    #[inline(always)]
    pub(super) fn renew(&mut self, buffer: Buffer, asked: Key, naming: Naming) {
        let (rank, peers) = match naming {
            Naming::Rank(rank) => (rank, None),
            Naming::Group(group) => (MPI_ANY_SOURCE, Some(group)),
        };
        self.status.set_message(rank, MPI_ANY_TAG, 0);
        self.complete = false;
        self.detached = false;
        if let Kind::Receive { buffer: place, asked: key, peers: group, received } = &mut self.kind {
            *place = buffer;
            *key = asked;
            *group = peers;
            *received = 0;
        }
    }

    /// Lets go of what a receive holds, so that it can be made a new one; false if it is something else.
    #[inline(always)]
    fn strip(&mut self) -> bool {
        let Kind::Receive { buffer, peers, .. } = &mut self.kind else { return false };
        buffer.release_layout();
        *peers = None;
        self.error = None;
        true
    }

    /// True once it is done, well or not.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// True for a message that was sent or has come, with nothing to be told but its status.
    #[inline]
    pub(super) fn is_done_message(&self) -> bool {
        self.complete && self.error.is_none() && matches!(self.kind, Kind::Send { .. } | Kind::Receive { .. })
    }

    /// How it went, once it is complete.
    #[inline]
    pub fn result(&mut self) -> Result<()> {
        self.error.take().map_or(Ok(()), Err)
    }

    /// It is done; what its status says stays.
    #[inline]
    pub fn complete(&mut self) {
        self.complete = true;
    }

    fn fail(&mut self, error: Error) {
        self.status.MPI_ERROR = error.code;
        self.error = Some(error);
        self.complete = true;
    }

    /// A receive knows what comes: `bytes` with this key.
    #[inline]
    fn meet(&mut self, key: &Key, bytes: usize) {
        let Kind::Receive { peers, .. } = &self.kind else { return };
        let rank = peers.as_ref().map_or(self.status.MPI_SOURCE, |peers| rank_of(peers, key.source));
        self.status.set_message(rank, key.tag, bytes as u64);
    }

    /// A receive has all that it gets.
    #[inline]
    fn end_receive(&mut self, room: usize) {
        if self.status.bytes() > room as u64 {
            return self.fail(truncated(self.status.bytes() as usize, self.status.MPI_TAG, room));
        }
        self.complete = true;
    }
}

fn rank_of(peers: &Group, process: i32) -> i32 {
    peers.rank_of(process as u32).map_or(MPI_ANY_SOURCE, |rank| rank as i32)
}

/// Takes an operation out of the table: its handle is bad from now on.
#[inline(always)]
pub(super) fn remove(requests: &mut Requests, request: MPI_Request) -> Result<()> {
    requests.leave(request, Request::strip)
}

/// Lets go of a complete operation whose handle nobody holds.
#[inline]
fn settle(requests: &mut Requests, request: MPI_Request, detached: bool) {
    if detached {
        let _ = remove(requests, request);
    }
}

/// Completes an operation.
#[inline]
pub(super) fn complete(requests: &mut Requests, request: MPI_Request, status: MPI_Status) {
    let Ok(found) = requests.get_mut(request) else { return };
    found.status = status;
    found.complete();
    let detached = found.detached;
    settle(requests, request, detached);
}

/// Completes an operation with an error; what its status says stays.
#[cold]
pub(super) fn fail(requests: &mut Requests, request: MPI_Request, error: Error) {
    let Ok(found) = requests.get_mut(request) else { return };
    found.fail(error);
    let detached = found.detached;
    settle(requests, request, detached);
}

/// The data of a send.
pub(super) fn send_buffer(requests: &Requests, request: MPI_Request) -> Option<Buffer> {
    match &requests.get(request).ok()?.kind {
        Kind::Send { buffer, .. } => Some(buffer.clone()),
        _ => None,
    }
}

/// The place of a receive.
pub(super) fn receive_buffer(requests: &Requests, request: MPI_Request) -> Option<Buffer> {
    match &requests.get(request).ok()?.kind {
        Kind::Receive { buffer, .. } => Some(buffer.clone()),
        _ => None,
    }
}

/// Gives a receive its message, in one or two pieces.
#[inline]
pub(super) fn deliver(requests: &mut Requests, request: MPI_Request, key: &Key, first: &[u8], second: &[u8]) {
    receive_with(requests, request, key, first.len() + second.len(), |buffer| {
        buffer.write(0, first);
        if !second.is_empty() {
            buffer.write(first.len(), second);
        }
    });
}

/// A receive has its message, of `len` bytes.
pub(super) fn finish(requests: &mut Requests, request: MPI_Request, key: &Key, len: usize) {
    receive_with(requests, request, key, len, |_| {});
}

/// A receive gets its message, of `len` bytes, by `fill`.
#[inline]
pub(super) fn receive_with(
    requests: &mut Requests,
    request: MPI_Request,
    key: &Key,
    len: usize,
    fill: impl FnOnce(&Buffer),
) {
    let Ok(found) = requests.get_mut(request) else { return };
    let Kind::Receive { buffer, .. } = &found.kind else { return };
    fill(buffer);
    let room = buffer.len();
    found.meet(key, len);
    found.end_receive(room);
    let detached = found.detached;
    settle(requests, request, detached);
}

/// A receive's message, of so many bytes, will come in pieces, as far as there is room for it.
pub(super) fn expect(requests: &mut Requests, request: MPI_Request, key: &Key, bytes: usize) {
    let Ok(found) = requests.get_mut(request) else { return };
    found.meet(key, bytes);
}

/// The next piece.
pub(super) fn append(requests: &mut Requests, request: MPI_Request, data: &[u8]) {
    let Ok(found) = requests.get_mut(request) else { return };
    let Kind::Receive { buffer, received, .. } = &mut found.kind else { return };
    buffer.write(*received, data);
    *received += data.len();
    let room = buffer.len();
    if (*received as u64) < found.status.bytes().min(room as u64) || found.complete {
        return;
    }
    found.end_receive(room);
    let detached = found.detached;
    settle(requests, request, detached);
}

/// A message that is longer than the buffer that receives it.
#[cold]
pub(super) fn truncated(len: usize, tag: i32, room: usize) -> Error {
    let text = format!("a message of {len} bytes with tag {tag} does not fit into the {room} of the receive");
    Error::new(crate::abi::MPI_ERR_TRUNCATE, text)
}
