//! Requests: operations under way, and those that can be started again.
use super::buffer::Buffer;
use super::engine::Requests;
use super::matching::Key;
use crate::abi::{MPI_Request, MPI_Status};
use crate::error::{Error, Result};
use crate::group::Group;
use std::fmt;
use std::sync::Arc;

/// An operation under way, or complete and not yet looked at.
#[derive(Debug)]
pub struct Request {
    /// Set when it is complete.
    pub outcome: Option<Result<(), Box<Error>>>,
    /// What came, once it is complete.
    pub status: MPI_Status,
    /// Nobody holds its handle any longer: it goes when it is complete.
    pub detached: bool,
    /// What it is.
    pub kind: Kind,
}

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
        /// How the sender is named in the status.
        naming: Naming,
        /// Bytes that came of a message that comes in pieces,
        received: usize,
        /// and that are to come.
        total: usize,
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
            Naming::Group(group) => {
                group.rank_of(process as u32).map_or(crate::abi::MPI_ANY_SOURCE, |rank| rank as i32)
            }
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
    #[inline]
    pub fn new(kind: Kind) -> Request {
        Request { outcome: None, status: MPI_Status::EMPTY, detached: false, kind }
    }

    /// How it went.
    #[inline]
    pub fn result(self) -> Result<()> {
        match self.outcome {
            None | Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(*error),
        }
    }
}

/// Completes an operation.
#[inline]
pub(super) fn complete(requests: &mut Requests, request: MPI_Request, status: MPI_Status) {
    let Ok(found) = requests.get_mut(request) else { return };
    found.status = status;
    found.outcome = Some(Ok(()));
    if found.detached {
        let _ = requests.remove(request);
    }
}

/// Completes an operation with an error; what its status says stays.
#[cold]
pub(super) fn fail(requests: &mut Requests, request: MPI_Request, error: Error) {
    let Ok(found) = requests.get_mut(request) else { return };
    found.status.MPI_ERROR = error.code;
    found.outcome = Some(Err(Box::new(error)));
    if found.detached {
        let _ = requests.remove(request);
    }
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
    let Ok(Request { kind: Kind::Receive { buffer, .. }, .. }) = requests.get(request) else { return };
    buffer.write(0, first);
    if !second.is_empty() {
        buffer.write(first.len(), second);
    }
    finish(requests, request, key, first.len() + second.len());
}

/// A receive has its message, of `len` bytes.
#[inline]
pub(super) fn finish(requests: &mut Requests, request: MPI_Request, key: &Key, len: usize) {
    let Ok(found) = requests.get_mut(request) else { return };
    let Kind::Receive { buffer, naming, .. } = &found.kind else { return };
    let room = buffer.len();
    found.status = MPI_Status::message(naming.rank(key.source), key.tag, len as u64);
    if len > room {
        return fail(requests, request, truncated(len, key.tag, room));
    }
    found.outcome = Some(Ok(()));
    if found.detached {
        let _ = requests.remove(request);
    }
}

/// A receive's message will come in pieces: `len` bytes of `bytes`.
pub(super) fn expect(requests: &mut Requests, request: MPI_Request, key: &Key, len: usize, bytes: usize) {
    let Ok(found) = requests.get_mut(request) else { return };
    if let Kind::Receive { naming, received, total, .. } = &mut found.kind {
        (*received, *total) = (0, len);
        found.status = MPI_Status::message(naming.rank(key.source), key.tag, bytes as u64);
    }
}

/// The next piece.
pub(super) fn append(requests: &mut Requests, request: MPI_Request, data: &[u8]) {
    let Ok(found) = requests.get_mut(request) else { return };
    let Kind::Receive { buffer, received, total, .. } = &mut found.kind else { return };
    buffer.write(*received, data);
    *received += data.len();
    if *received < *total || found.outcome.is_some() {
        return;
    }
    let (status, room) = (found.status, buffer.len());
    if status.bytes() > room as u64 {
        return fail(requests, request, truncated(status.bytes() as usize, status.MPI_TAG, room));
    }
    complete(requests, request, status);
}

/// A message that is longer than the buffer that receives it.
#[cold]
pub(super) fn truncated(len: usize, tag: i32, room: usize) -> Error {
    let text = format!("a message of {len} bytes with tag {tag} does not fit into the {room} of the receive");
    Error::new(crate::abi::MPI_ERR_TRUNCATE, text)
}
