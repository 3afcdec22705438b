//! The buffers of buffered sends: the user's promise of how much may be under way.
//!
//! The data is kept in memory of the library's own; an attached buffer only says how much of it there may be.
use super::completion::is_complete;
use crate::abi::{MPI_BSEND_OVERHEAD, MPI_Comm, MPI_ERR_BUFFER, MPI_Request, MPI_Session};
use crate::error::{Error, Result};
use crate::state::State;

/// What a buffer is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The process: for all that has none of its own.
    Process,
    /// A communicator.
    Comm(MPI_Comm),
    /// A session.
    Session(MPI_Session),
}

/// An attached buffer.
#[derive(Debug)]
pub struct Attached {
    owner: Owner,
    /// Its address, given back when it is detached.
    pub address: usize,
    /// Its bytes; without limit if the library was asked to see to that.
    pub size: Option<usize>,
    /// Sends under way, and their data.
    sends: Vec<(MPI_Request, Box<[u8]>)>,
}

/// All attached buffers.
#[derive(Debug, Default)]
pub struct AttachedBuffers(Vec<Attached>);

impl AttachedBuffers {
    /// Attaches a buffer.
    pub fn attach(&mut self, owner: Owner, address: usize, size: Option<usize>) -> Result<()> {
        if self.0.iter().any(|attached| attached.owner == owner) {
            return Err(Error::new(MPI_ERR_BUFFER, "a buffer is attached already: detach it first"));
        }
        self.0.push(Attached { owner, address, size, sends: Vec::new() });
        Ok(())
    }

    /// Detaches a buffer.
    pub fn detach(&mut self, owner: Owner) -> Option<Attached> {
        let place = self.0.iter().position(|attached| attached.owner == owner)?;
        Some(self.0.swap_remove(place))
    }

    /// The buffer for a communicator's messages: its own, else the process's.
    fn of(&mut self, owner: Owner) -> Option<&mut Attached> {
        let own = self.0.iter().position(|attached| attached.owner == owner);
        let place = own.or_else(|| self.0.iter().position(|attached| attached.owner == Owner::Process))?;
        self.0.get_mut(place)
    }

    /// An error if there is no room for another message of `len` bytes.
    pub fn check(&mut self, owner: Owner, len: usize) -> Result<()> {
        let Some(attached) = self.of(owner) else {
            return Err(Error::new(
                MPI_ERR_BUFFER,
                "a buffered send needs a buffer: attach one with MPI_Buffer_attach",
            ));
        };
        let overhead = MPI_BSEND_OVERHEAD as usize;
        let used: usize = attached.sends.iter().map(|(_, data)| data.len() + overhead).sum();
        match attached.size {
            Some(size) if used + len + overhead > size => Err(Error::new(
                MPI_ERR_BUFFER,
                format!(
                    "a buffered send of {len} bytes and {overhead} more finds {used} of the attached {size} in use: attach a \
                     larger buffer with MPI_Buffer_attach"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Keeps a message until it is sent.
    pub fn hold(&mut self, owner: Owner, request: MPI_Request, data: Box<[u8]>) {
        if let Some(attached) = self.of(owner) {
            attached.sends.push((request, data));
        }
    }
}

/// Forgets the messages of all buffers that are sent; true if none is left.
pub(super) fn release_all_sent(state: &mut State) -> bool {
    let owners: Vec<Owner> = state.attached.0.iter().map(|attached| attached.owner).collect();
    owners.into_iter().filter(|&owner| !release_sent(state, owner)).count() == 0
}

/// Forgets the messages of a buffer that are sent; true if that is all of them.
pub fn release_sent(state: &mut State, owner: Owner) -> bool {
    let Some(attached) = state.attached.0.iter_mut().find(|attached| attached.owner == owner) else { return true };
    let sends = std::mem::take(&mut attached.sends);
    let (done, left): (Vec<_>, Vec<_>) =
        sends.into_iter().partition(|(request, _)| is_complete(state, *request).unwrap_or(true));
    for (request, _) in done {
        let _ = state.requests.discard(request);
    }
    let all = left.is_empty();
    if let Some(attached) = state.attached.0.iter_mut().find(|attached| attached.owner == owner) {
        attached.sends = left;
    }
    all
}
