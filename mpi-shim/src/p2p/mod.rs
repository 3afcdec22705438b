//! Point-to-point messages: matching, eager and rendezvous, requests, waiting.
mod buffer;
mod progress;
mod request;

pub use buffer::Buffer;
/// The highest tag of a user.
pub const TAG_UB: i32 = (1 << 30) - 1;

pub use progress::{recv_bytes, send_bytes, wait, wait_until};
pub use request::{Activity, Kind as RequestKind, Recipe, Request};

use crate::abi::{MPI_Request, MPI_Status};
use crate::comm::Comm;
use crate::error::{Error, Result};
use crate::launch::Job;
use crate::state::State;

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
    /// As standard; the receive is posted already.
    Ready,
    /// At once: the message is in the attached buffer.
    Buffered,
}

/// Messages of this process.
#[derive(Debug)]
pub struct Engine {}

impl Engine {
    /// The engine of a process of `job`.
    pub fn new(_job: &Job) -> Result<Engine> {
        Ok(Engine {})
    }
}

/// Begins to send to `dest` of the communicator's peers (not `MPI_PROC_NULL`). The rank is checked, nothing else.
pub fn isend(
    _state: &mut State,
    _comm: &Comm,
    _plane: Plane,
    _dest: i32,
    _tag: i32,
    _buffer: Buffer,
    _mode: Mode,
) -> Result<MPI_Request> {
    Err(Error::unsupported("point-to-point messages"))
}

/// Begins to receive from `source`, a rank or `MPI_ANY_SOURCE`, with `tag`, a tag or `MPI_ANY_TAG`.
pub fn irecv(
    _state: &mut State,
    _comm: &Comm,
    _plane: Plane,
    _source: i32,
    _tag: i32,
    _buffer: Buffer,
) -> Result<MPI_Request> {
    Err(Error::unsupported("point-to-point messages"))
}

/// If the request is complete, takes it out of the table (a persistent one stays, inactive).
pub fn test(_state: &mut State, _request: MPI_Request) -> Result<Option<MPI_Status>> {
    Err(Error::unsupported("point-to-point messages"))
}
