//! How a host attaches: one message, and one answer with a file descriptor.

use super::message::Message;
use super::{AttachError, AttachOptions, socket};
use crate::id::UniqueId;
use rustix::net::RecvFlags;
use std::os::fd::OwnedFd;
use std::path::Path;

/// What a host is given.
#[derive(Debug)]
pub(super) struct Handshake {
    /// The connection: the host is attached for as long as it is open.
    pub(super) control: OwnedFd,
    /// The rings' memory, or the socket of datagrams.
    pub(super) fd: OwnedFd,
    pub(super) ring_bytes: usize,
    pub(super) max_payload: usize,
    pub(super) id: UniqueId,
    pub(super) name: String,
}

/// Attaches to the server at `path`.
pub(super) fn attach(path: &Path, options: &AttachOptions) -> Result<Handshake, AttachError> {
    let wrong = |reason: String| AttachError::Protocol { path: path.to_owned(), reason };
    let control = socket::connect_to(path).map_err(|reason| AttachError::Connect { path: path.to_owned(), reason })?;
    let name = options.host.clone().unwrap_or_default();
    let ask = Message::Attach { attachment: options.attachment, ring_bytes: options.ring_bytes, name };
    socket::send(&control, &ask, None).map_err(|error| wrong(error.to_string()))?;
    match socket::receive(&control, RecvFlags::empty()) {
        Ok((Message::Attached { attachment, ring_bytes, max_payload, id, name }, Some(fd)))
            if attachment == options.attachment && max_payload <= u32::from(u16::MAX) =>
        {
            let (ring_bytes, max_payload) = (ring_bytes as usize, max_payload as usize);
            Ok(Handshake { control, fd, ring_bytes, max_payload, id, name })
        }
        Ok((Message::Refused(reason), _)) => Err(AttachError::Refused { path: path.to_owned(), reason }),
        Ok((other, _)) => Err(wrong(format!("an answer that makes no sense: {other:?}"))),
        Err(error) => Err(wrong(error.to_string())),
    }
}
