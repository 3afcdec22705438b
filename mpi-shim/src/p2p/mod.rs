//! Point-to-point messages: matching, eager and rendezvous, requests, waiting.
//!
//! | module | what it is |
//! |---|---|
//! | `matching` | which receive takes which message |
//! | `message` | what goes through a ring |
//! | `link`, `ways`, `source` | the ways to other processes, and from them |
//! | `explain` | by which way which process is reached, for `TWOWIRE_DEBUG` |
//! | `engine` | all of them together |
//! | `traffic` | how much was sent to whom |
//! | `request`, `buffer` | operations under way, and their memory |
//! | `completion` | what becomes of complete ones |
//! | `progress` | waiting: spinning, yielding, sleeping |
//! | `awaited` | what a wait waits for, for whoever asks why a job stands still |
//! | `attached` | the buffer of buffered sends |
mod attached;
mod awaited;
mod buffer;
mod completion;
mod engine;
mod explain;
mod incoming;
mod link;
mod matching;
mod message;
mod progress;
mod request;
mod source;
mod traffic;
mod ways;

pub use attached::{Attached, AttachedBuffers, Owner, release_sent};
pub use awaited::Awaited;
pub(crate) use awaited::{Stall, of_members};
pub use buffer::Buffer;
pub use completion::{
    COMPLETE, Concluded, FROM_NOBODY, cancel, complete_generalized, conclude, free, is_active, is_complete, is_settled,
    status, take_message, test, wait_with_status,
};
pub use engine::{Engine, Requests};
pub use message::Message;
pub use progress::{
    advance, has_work, is_crowded, offer_core, recv_bytes, send_bytes, start_activity, wait, wait_all, wait_until,
};
pub use request::{Activity, Generalized, Kind, Naming, Recipe, Request};
pub use traffic::{Traffic, Way};

use crate::abi::{MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_Request, MPI_Status};
use crate::comm::Comm;
use crate::error::Result;
use crate::state::State;
use matching::{ANY, Key};

/// The highest tag of a user.
pub const TAG_UB: i32 = (1 << 30) - 1;

/// What a message belongs to: the two never match one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// The user's own messages.
    User,
    /// Messages of collectives and of the library itself.
    Collective,
}

/// When a send is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// When its buffer can be used again.
    Standard,
    /// When it is matched by a receive.
    Synchronous,
}

/// A message that a matched probe took.
#[derive(Debug)]
pub struct Taken {
    key: Key,
    message: Message,
    /// What the probe said of it.
    pub status: MPI_Status,
}

/// Sends to `dest` of the communicator's peers (not `MPI_PROC_NULL`); the request to wait for, or none if it is done.
/// The rank is checked, nothing else.
#[inline]
pub fn send(
    state: &mut State,
    comm: &Comm,
    plane: Plane,
    dest: i32,
    tag: i32,
    buffer: Buffer,
    mode: Mode,
) -> Result<Option<MPI_Request>> {
    let to = comm.process(dest)?;
    let (engine, requests) = state.messages()?;
    let key = Engine::key(comm, plane, engine.me() as i32, tag);
    engine.send(requests, to, &key, &buffer, mode)
}

/// Begins to receive from `source`, a rank or `MPI_ANY_SOURCE`, with `tag`, a tag or `MPI_ANY_TAG`.
#[inline]
pub fn irecv(
    state: &mut State,
    comm: &Comm,
    plane: Plane,
    source: i32,
    tag: i32,
    buffer: Buffer,
) -> Result<MPI_Request> {
    let (asked, naming) = asking(comm, plane, source, tag)?;
    let (engine, requests) = state.messages()?;
    engine.receive(requests, asked, buffer, naming)
}

/// What a user's receive from one rank asks for.
#[inline]
pub(crate) fn asked(comm: &Comm, source: i32, tag: i32) -> Result<Key> {
    let tag = if tag == MPI_ANY_TAG { ANY } else { tag };
    Ok(Engine::key(comm, Plane::User, comm.process(source)? as i32, tag))
}

/// What a receive or a probe asks for, and how the sender is named then.
#[inline(always)]
pub(crate) fn asking(comm: &Comm, plane: Plane, source: i32, tag: i32) -> Result<(Key, Naming)> {
    let tag = if tag == MPI_ANY_TAG { ANY } else { tag };
    if source == MPI_ANY_SOURCE {
        let group = comm.remote.as_ref().unwrap_or(&comm.group).clone();
        return Ok((Engine::key(comm, plane, ANY, tag), Naming::Group(group)));
    }
    Ok((Engine::key(comm, plane, comm.process(source)? as i32, tag), Naming::Rank(source)))
}

/// The status of the earliest message that a receive would take.
pub fn probe(state: &mut State, comm: &Comm, plane: Plane, source: i32, tag: i32) -> Result<Option<MPI_Status>> {
    let (asked, naming) = asking(comm, plane, source, tag)?;
    let found = state.messages()?.0.probe(&asked);
    Ok(found.map(|(key, bytes)| MPI_Status::message(naming.rank(key.source), key.tag, bytes)))
}

/// Takes that message: only `receive_taken` can receive it.
pub fn take(state: &mut State, comm: &Comm, source: i32, tag: i32) -> Result<Option<Taken>> {
    let (asked, naming) = asking(comm, Plane::User, source, tag)?;
    let found = state.messages()?.0.take(&asked);
    Ok(found.map(|(key, message)| {
        let status = MPI_Status::message(naming.rank(key.source), key.tag, message.bytes());
        Taken { key, message, status }
    }))
}

/// Receives a message that was taken.
pub fn receive_taken(state: &mut State, taken: Taken, buffer: Buffer) -> Result<MPI_Request> {
    let naming = Naming::Rank(taken.status.MPI_SOURCE);
    let (engine, requests) = state.messages()?;
    engine.receive_taken(requests, taken.key, taken.message, buffer, naming)
}
