//! The plug of a network card that another process emulates, as the card of a virtual machine.

use super::handshake::{Handshake, attach};
use super::{AttachError, AttachOptions, Attachment};
use crate::id::UniqueId;
use rustix::io::{FdFlags, fcntl_setfd};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

/// A port of the crossbars that is plugged into whatever card has these descriptors. It is free again when nobody has them any more.
#[derive(Debug)]
pub struct Plug {
    control: OwnedFd,
    frames: OwnedFd,
    id: UniqueId,
    name: String,
    max_payload: usize,
}

impl Plug {
    /// Plugs a card in as this host of the server at `path`; without a name as the host `master`, else the first.
    pub fn new(path: &Path, host: Option<&str>) -> Result<Plug, AttachError> {
        let host = host.map(str::to_owned);
        let options = AttachOptions { host, attachment: Attachment::Card, ..AttachOptions::default() };
        let Handshake { control, fd, id, name, max_payload, .. } = attach(path, &options)?;
        Ok(Plug { control, frames: fd, id, name, max_payload })
    }

    /// The host's name in the topology.
    pub fn host_name(&self) -> &str {
        &self.name
    }

    /// The unique id that the topology has for the host.
    pub fn unique_id(&self) -> UniqueId {
        self.id
    }

    /// The largest payload of the fabric's frames.
    pub fn max_payload(&self) -> usize {
        self.max_payload
    }

    /// The socket of the card's frames, of Ethernet.
    pub fn frames(&self) -> BorrowedFd<'_> {
        self.frames.as_fd()
    }

    /// Lets the program that this process becomes, or starts, inherit the descriptors. Returns the one that carries frames, for the
    /// emulator's command line; the other keeps the port.
    pub fn bequeath(&self) -> io::Result<RawFd> {
        for fd in [&self.control, &self.frames] {
            fcntl_setfd(fd, FdFlags::empty())?;
        }
        Ok(self.frames.as_raw_fd())
    }
}
