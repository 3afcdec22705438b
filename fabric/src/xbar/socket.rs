//! The control socket: messages with boundaries, and file descriptors with them.

use super::message::{MAX_MESSAGE, Message, MessageError};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, recvmsg, sendmsg, socket_with,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

fn open(flags: SocketFlags) -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags | SocketFlags::CLOEXEC, None)
}

/// Listens at a path where there is nothing.
pub(super) fn listen_at(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = open(SocketFlags::NONBLOCK)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Connects to a server. Its messages are waited for, until the caller makes it otherwise.
pub(super) fn connect_to(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = open(SocketFlags::empty())?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Sends a message, with a file descriptor if there is one.
pub(super) fn send(socket: impl AsFd, message: &Message, fd: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
    let bytes = message.encode();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds: Vec<BorrowedFd<'_>> = fd.into_iter().collect();
    if !fds.is_empty() {
        let pushed = control.push(SendAncillaryMessage::ScmRights(&fds));
        debug_assert!(pushed, "there is space for one descriptor");
    }
    loop {
        match sendmsg(&socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Wakes the other side. If its queue of messages is full, it has been woken, and has not come to it.
pub(super) fn ring(socket: impl AsFd) -> Result<(), Errno> {
    let bytes = Message::Doorbell.encode();
    match rustix::net::send(&socket, &bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
        Ok(_) | Err(Errno::AGAIN | Errno::INTR) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReceiveError {
    /// The other side has closed the connection, or died.
    #[error("the other side has ended")]
    Closed,
    /// There is none now.
    #[error("there is no message")]
    WouldBlock,
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error(transparent)]
    Io(Errno),
}

/// Receives a message, and the file descriptor that came with it.
pub(super) fn receive(socket: impl AsFd, flags: RecvFlags) -> Result<(Message, Option<OwnedFd>), ReceiveError> {
    let mut bytes = [0; MAX_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let received = loop {
        match recvmsg(&socket, &mut parts, &mut control, flags | RecvFlags::CMSG_CLOEXEC) {
            Ok(received) => break received,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(ReceiveError::WouldBlock),
            Err(Errno::CONNRESET) => return Err(ReceiveError::Closed),
            Err(error) => return Err(ReceiveError::Io(error)),
        }
    };
    let mut fd = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            fd = fds.last();
        }
    }
    if received.bytes == 0 {
        return Err(ReceiveError::Closed);
    }
    Ok((Message::parse(&bytes[..received.bytes])?, fd))
}
