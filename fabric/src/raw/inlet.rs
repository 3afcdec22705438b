//! Where frames come in: a socket, and what has been taken out of it.

use super::inbox::Inbox;
use super::ring::{Front, Ring};
use super::sys::Socket;
use bytes::Bytes;
use std::io;

/// A socket that frames come from.
pub(super) struct Inlet {
    socket: Socket,
    /// Shows what has come without a call, where each frame is waited for.
    ring: Option<Ring>,
    inbox: Inbox,
    lost: u64,
}

impl Inlet {
    /// The frames of a socket, of at most so many bytes each.
    pub(super) fn new(socket: Socket, ring: Option<Ring>, largest: usize) -> Inlet {
        Inlet { socket, ring, inbox: Inbox::new(largest), lost: 0 }
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Frames for which there was no room.
    pub(super) fn lost(&mut self) -> io::Result<u64> {
        self.lost += u64::from(self.socket.drops()?);
        Ok(self.lost)
    }

    fn fill(&mut self) -> io::Result<bool> {
        self.inbox.fill(|places, lens| self.socket.receive(places, lens)).map(|bytes| bytes > 0)
    }

    /// True if a frame is here.
    pub(super) fn is_ready(&mut self) -> io::Result<bool> {
        match &self.ring {
            Some(ring) => Ok(ring.front().is_some()),
            None => self.fill(),
        }
    }

    /// The next frame that has come.
    pub(super) fn take(&mut self) -> io::Result<Option<Bytes>> {
        if self.ring.is_some() {
            return self.take_by_ring();
        }
        let frame = self.inbox.pop();
        if frame.is_none() && !self.inbox.end_of_all() && self.fill()? {
            return Ok(self.inbox.pop());
        }
        Ok(frame)
    }

    fn take_by_ring(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let Some(ring) = &mut self.ring else { return Ok(None) };
            let frame = match ring.front() {
                None => return Ok(None),
                Some(Front::Whole(bytes)) => Some(Bytes::copy_from_slice(bytes)),
                Some(Front::Queued) => match self.inbox.pop() {
                    None => {
                        self.inbox.fill(|places, lens| self.socket.receive(places, lens))?;
                        self.inbox.pop()
                    }
                    some => some,
                },
                Some(Front::Lost) => None,
            };
            ring.release();
            if frame.is_some() {
                return Ok(frame);
            }
            self.lost += 1;
        }
    }
}
