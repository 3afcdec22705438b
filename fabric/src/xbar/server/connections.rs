//! The control connections: hosts that attach and end, and commands.

use super::super::framing::Framing;
use super::super::message::Message;
use super::super::ring::{self, Consumer, Producer, Ring};
use super::super::socket::{self, ReceiveError};
use super::super::sys::{self, SharedMemory};
use super::super::{Attachment, max_frame};
use super::hosts::{Attached, Broken, Inbound, Outbound};
use super::{Server, Source};
use crate::spec;
use crate::topology::HostId;
use rustix::event::epoll;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SocketFlags, SocketType, accept_with, socketpair,
    sockopt::{set_socket_send_buffer_size, set_socket_send_buffer_size_force, socket_peercred},
};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// The largest ring that a host gets, in bytes.
const MAX_RING: usize = 16 << 20;
/// Bytes that a datagram socket holds in one direction; without `CAP_NET_ADMIN` no more than `net.core.wmem_max`.
const SOCKET_BUFFER: usize = 1 << 20;
/// Messages that are taken from one connection before the next one's turn.
const MESSAGES: usize = 16;

/// One connection to the control socket.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    /// The process at the other end.
    pub(super) pid: i32,
    /// The host that it is.
    host: Option<HostId>,
}

impl Connection {
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Server {
    pub(super) fn accept(&mut self) {
        while let Ok(socket) = accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            let index = self.next_connection;
            self.next_connection = (index + 1) & u32::MAX as usize;
            let pid = socket_peercred(&socket).map_or(0, |peer| peer.pid.as_raw_nonzero().get());
            if epoll::add(&self.epoll, &socket, Source::Connection(index).data(), epoll::EventFlags::IN).is_ok() {
                self.connections.insert(index, Connection { socket, pid, host: None });
            }
        }
    }

    /// Takes the messages of a connection.
    pub(super) fn hear(&mut self, index: usize) {
        for _ in 0..MESSAGES {
            let Some(connection) = self.connections.get(&index) else { return };
            let host = connection.host;
            match socket::receive(&connection.socket, RecvFlags::DONTWAIT) {
                Ok((Message::Doorbell, _)) => {
                    if let Some(host) = host {
                        self.activate(host);
                    }
                }
                Ok((Message::Attach { attachment, ring_bytes, name }, _)) => {
                    let answer = self.attach(index, attachment, ring_bytes as usize, &name);
                    self.answer(index, answer);
                }
                Ok((Message::Command(text), _)) => {
                    let answer = self.command(&text).map(|file| (Message::Done, file));
                    self.answer(index, answer);
                }
                Ok(_) => self.answer(index, Err("this is a message to a host, not from one".to_owned())),
                Err(ReceiveError::WouldBlock) => return,
                Err(ReceiveError::Message(error)) => {
                    self.answer(index, Err(error.to_string()));
                    return self.close(index);
                }
                Err(ReceiveError::Closed | ReceiveError::Io(_)) => return self.close(index),
            }
        }
    }

    fn answer(&mut self, index: usize, answer: Result<(Message, Option<OwnedFd>), String>) {
        let Some(connection) = self.connections.get(&index) else { return };
        let (message, fd) = answer.unwrap_or_else(|reason| (Message::Refused(reason), None));
        if socket::send(&connection.socket, &message, fd.as_ref().map(AsFd::as_fd)).is_err() {
            // It does not read its answers, or has ended.
            self.close(index);
        }
    }

    fn attach(
        &mut self,
        index: usize,
        attachment: Attachment,
        ring_bytes: usize,
        name: &str,
    ) -> Result<(Message, Option<OwnedFd>), String> {
        let host = spec::front_end(&self.topology, (!name.is_empty()).then_some(name)).map_err(|e| e.to_string())?;
        let found = self.topology.host(host).clone();
        if self.connections.get(&index).is_some_and(|connection| connection.host.is_some()) {
            return Err("this connection is a host already: attach another one by another connection".to_owned());
        }
        if let Some(attached) = self.attached(host) {
            let pid = self.connections.get(&attached.connection).map_or(0, |connection| connection.pid);
            return Err(format!("host `{}` is attached already, by process {pid}", found.name));
        }
        let refused = |error: Errno| format!("the operating system refused: {error}");
        let (inbound, outbound, ring_bytes, fd) = match attachment {
            Attachment::Rings => self.make_rings(ring_bytes).map_err(refused)?,
            Attachment::Datagrams => self.make_datagrams(host, Framing::Plain).map_err(refused)?,
            Attachment::Card => self.make_datagrams(host, Framing::Ethernet).map_err(refused)?,
        };
        let attached = Attached::new(index, inbound, outbound, self.config.patience);
        self.hosts[host.0 as usize] = Some(Box::new(attached));
        if let Some(connection) = self.connections.get_mut(&index) {
            connection.host = Some(host);
        }
        self.activate(host);
        let max_payload = self.config.max_payload as u32;
        let message = Message::Attached { attachment, ring_bytes, max_payload, id: found.id, name: found.name };
        Ok((message, Some(fd)))
    }

    fn make_rings(&self, wanted: usize) -> Result<(Inbound, Outbound, u32, OwnedFd), Errno> {
        let max_frame = max_frame(self.config.max_payload);
        let capacity = wanted.clamp(ring::least_capacity(max_frame), MAX_RING).next_power_of_two();
        let len = ring::mapping_len(capacity);
        let fd = sys::create(len)?;
        let (from_host, to_host) = Ring::both(SharedMemory::map(&fd, len)?, capacity, max_frame);
        let (inbound, outbound) = (Consumer::new(from_host), Producer::new(to_host));
        Ok((Inbound::Ring(inbound), Outbound::Ring(outbound), capacity as u32, fd))
    }

    fn make_datagrams(&self, host: HostId, framing: Framing) -> Result<(Inbound, Outbound, u32, OwnedFd), Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        for end in [&ours, &theirs] {
            set_socket_send_buffer_size_force(end, SOCKET_BUFFER)
                .or_else(|_| set_socket_send_buffer_size(end, SOCKET_BUFFER))?;
        }
        epoll::add(&self.epoll, &ours, Source::Datagrams(host).data(), epoll::EventFlags::IN)?;
        let socket = Arc::new(ours);
        let outbound = Outbound::Socket { socket: Arc::clone(&socket), framing, queue: Default::default() };
        Ok((Inbound::Socket { socket, framing }, outbound, 0, theirs))
    }

    /// The other side has ended.
    fn close(&mut self, index: usize) {
        let Some(host) = self.connections.get(&index).map(|connection| connection.host) else { return };
        if let Some(host) = host {
            self.take_the_last_frames(host);
            self.hosts[host.0 as usize] = None;
        }
        self.connections.remove(&index);
    }

    /// Ends the attachment of a host that breaks the rules.
    pub(super) fn break_off(&mut self, host: HostId, why: &Broken) {
        let Some(attached) = self.hosts[host.0 as usize].take() else { return };
        let name = &self.topology.host(host).name;
        if let Some(connection) = self.connections.remove(&attached.connection) {
            tracing::warn!(host = name, pid = connection.pid, %why, "a host was cut off");
            let _ = socket::send(&connection.socket, &Message::Refused(format!("you were cut off: {why}")), None);
        }
    }
}
