//! A host's side of an attachment.

use super::framing::Framing;
use super::handshake::{Handshake, attach};
use super::message::Message;
use super::ring::{self, Consumer, Producer, Ring, RingError};
use super::socket::{self, ReceiveError};
use super::sys::SharedMemory;
use super::{Attachment, max_frame};
use crate::id::UniqueId;
use crate::protocol::{Addressing, Port, PortError, PortLimits, Received, Transmit};
use crate::raw::{CROSSBARS, Mac};
use crate::time::Time;
use crate::wire::frame;
use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path as FilePath, PathBuf};
use std::time::{Duration, Instant};

/// Frames are gathered until they have so many bytes, or the caller has no more for now.
const GATHERED: u64 = 16 << 10;

/// How to attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachOptions {
    /// The host to be, by its name in the topology; without one the host `master`, else the first.
    pub host: Option<String>,
    /// How frames come and go.
    pub attachment: Attachment,
    /// Bytes of each ring; the server rounds them up to a power of two that holds a few frames.
    pub ring_bytes: u32,
    /// How long [`Port::wait`] looks by itself before it sleeps. Longer than nothing pays where there are more cores than busy processes.
    pub spin: Duration,
}

impl Default for AttachOptions {
    fn default() -> AttachOptions {
        AttachOptions {
            host: None,
            attachment: Attachment::Rings,
            ring_bytes: 512 << 10,
            spin: Duration::from_micros(5),
        }
    }
}

/// Why a host is not attached.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// Nothing serves there.
    #[error("no xbar runs at {path} ({reason}); start one with `xbar serve --topo FABRIC --at {path}`", path = .path.display())]
    Connect {
        /// The path.
        path: PathBuf,
        /// Why not.
        reason: Errno,
    },
    /// The server refused.
    #[error("xbar at {path}: {reason}", path = .path.display())]
    Refused {
        /// The path.
        path: PathBuf,
        /// What it says.
        reason: String,
    },
    /// The server's answer makes no sense, or none came.
    #[error("xbar at {path}: {reason}", path = .path.display())]
    Protocol {
        /// The path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Debug)]
enum Link {
    Rings {
        out: Producer,
        into: Consumer,
    },
    /// `room` is true if the socket was seen to have room, and nothing was sent since.
    Datagrams {
        socket: OwnedFd,
        framing: Framing,
        room: Cell<bool>,
    },
}

impl Link {
    fn datagrams(socket: OwnedFd, framing: Framing) -> Link {
        Link::Datagrams { socket, framing, room: Cell::new(false) }
    }
}

/// A host of an `xbar` fabric.
#[derive(Debug)]
pub struct XbarPort {
    path: PathBuf,
    socket: OwnedFd,
    link: Link,
    id: UniqueId,
    name: String,
    max_payload: usize,
    start: Instant,
    spin: Duration,
    frame: Vec<u8>,
    rejected: u64,
    /// Who sends was told that there is no room, and has not been told or woken since.
    denied: Cell<bool>,
}

impl XbarPort {
    /// Attaches as a host to the server at `path`.
    pub fn attach(path: &FilePath, options: &AttachOptions) -> Result<XbarPort, AttachError> {
        let Handshake { control: socket, fd, ring_bytes, max_payload, id, name } = attach(path, options)?;
        let wrong = |reason: String| AttachError::Protocol { path: path.to_owned(), reason };
        let link = match options.attachment {
            Attachment::Datagrams => Link::datagrams(fd, Framing::Plain),
            Attachment::Card => Link::datagrams(fd, Framing::Ethernet),
            Attachment::Rings => {
                let max_frame = max_frame(max_payload);
                if !ring_bytes.is_power_of_two() || ring_bytes < ring::least_capacity(max_frame) {
                    return Err(wrong(format!("rings of {ring_bytes} bytes cannot be")));
                }
                let memory = SharedMemory::map(fd, ring::mapping_len(ring_bytes));
                let memory = memory.map_err(|error| wrong(format!("the rings cannot be mapped: {error}")))?;
                let (from_host, to_host) = Ring::both(memory, ring_bytes, max_frame);
                Link::Rings { out: Producer::new(from_host), into: Consumer::new(to_host) }
            }
        };
        let (path, start, spin) = (path.to_owned(), now(), options.spin);
        Ok(XbarPort {
            path,
            socket,
            link,
            id,
            name,
            max_payload,
            start,
            spin,
            frame: Vec::new(),
            rejected: 0,
            denied: Cell::new(false),
        })
    }

    /// The host's name in the server's topology.
    pub fn host_name(&self) -> &str {
        &self.name
    }

    /// Frames that were handed over as [`Received::Rejected`].
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// What an event loop watches for input, in place of [`Port::wait`]. See [`XbarPort::prepare_to_sleep`].
    pub fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let datagrams = match &self.link {
            Link::Rings { .. } => None,
            Link::Datagrams { socket, .. } => Some(socket.as_fd()),
        };
        [Some(self.socket.as_fd()), datagrams].into_iter().flatten()
    }

    /// Lets [`XbarPort::watched`] become readable when a frame comes in, or room where there is none; false if it is there
    /// already. An event loop calls it before it sleeps, and [`XbarPort::woken`] after.
    pub fn prepare_to_sleep(&mut self) -> Result<bool, PortError> {
        self.hand_over()?;
        self.ask_to_be_woken();
        Ok(!self.is_ready()?)
    }

    fn ask_to_be_woken(&self) {
        if let Link::Rings { out, into } = &self.link {
            into.ask_for_frames();
            if self.denied.get() {
                out.ask_for_room();
            }
        }
    }

    /// Takes the messages that have woken an event loop.
    pub fn woken(&mut self) -> Result<(), PortError> {
        loop {
            match socket::receive(&self.socket, RecvFlags::DONTWAIT) {
                Ok((Message::Refused(reason), _)) => return Err(down(&self.path, reason)),
                Ok(_) => {}
                Err(ReceiveError::WouldBlock) => return Ok(()),
                Err(error) => return Err(down(&self.path, error)),
            }
        }
    }

    /// Hands bytes in as a frame, with its hops, for which there is room.
    pub(super) fn push(&mut self, parts: &[&[u8]]) -> Result<(), PortError> {
        match &mut self.link {
            Link::Rings { out, .. } => {
                out.push(parts);
                if out.untold() >= GATHERED {
                    self.hand_over()?;
                }
            }
            Link::Datagrams { socket, framing, room } => {
                room.set(false);
                self.frame.clear();
                let (card, length) = (Mac::of_card(self.id), parts.iter().map(|part| part.len()).sum());
                framing.open(card.unwrap_or(CROSSBARS), length, &mut self.frame);
                parts.iter().for_each(|part| self.frame.extend_from_slice(part));
                match send(&*socket, &self.frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                    Ok(_) | Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => {}
                    Err(error) => return Err(down(&self.path, error)),
                }
            }
        }
        Ok(())
    }

    /// Lets the server see all that was pushed.
    fn hand_over(&mut self) -> Result<(), PortError> {
        if let Link::Rings { out, .. } = &mut self.link
            && out.untold() > 0
            && out.publish()
        {
            socket::ring(&self.socket).map_err(|error| down(&self.path, error))?;
        }
        Ok(())
    }

    fn room(&self) -> Result<bool, RingError> {
        match &self.link {
            Link::Rings { out, .. } => out.has_room_for_any(),
            Link::Datagrams { room, .. } if room.get() => Ok(true),
            Link::Datagrams { socket, room, .. } => {
                let mut fds = [PollFd::new(socket, PollFlags::OUT)];
                let polled = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
                room.set(polled.is_ok() && fds[0].revents().contains(PollFlags::OUT));
                Ok(room.get())
            }
        }
    }

    /// Takes the next frame's bytes; `None` if there is none.
    fn pop(&mut self) -> Result<Option<Bytes>, PortError> {
        self.hand_over()?;
        let mut frame = Vec::new();
        match &mut self.link {
            Link::Rings { into, .. } => {
                if !into.pop(&mut frame).map_err(|error| down(&self.path, error))? {
                    return Ok(None);
                }
                if into.publish_by_and_by() {
                    socket::ring(&self.socket).map_err(|error| down(&self.path, error))?;
                }
            }
            Link::Datagrams { socket, framing, .. } => {
                self.frame.resize(framing.envelope() + max_frame(self.max_payload), 0);
                match recv(&*socket, &mut self.frame[..], RecvFlags::DONTWAIT) {
                    Ok((len, _)) => {
                        frame.extend_from_slice(&self.frame[..len]);
                        // The server sends what is a frame; whoever reads it looks at its bytes.
                        framing.unwrap(&mut frame);
                    }
                    Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
                    Err(error) => return Err(down(&self.path, error)),
                }
            }
        }
        Ok(Some(frame.into()))
    }

    /// True if there is something to wake up for: a frame, or room where who sends was told that there is none. It may have come back since then,
    /// and is waited for all the same.
    fn is_ready(&mut self) -> Result<bool, PortError> {
        let room = self.denied.get() && self.room().map_err(|error| down(&self.path, error))?;
        if room {
            self.denied.set(false);
        }
        Ok(room
            || match &mut self.link {
                Link::Rings { into, .. } => into.has_frame().map_err(|error| down(&self.path, error))?,
                Link::Datagrams { socket, .. } => {
                    let mut fds = [PollFd::new(socket, PollFlags::IN)];
                    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
                }
            })
    }

    /// Sleeps until a message comes, or the socket can be used again.
    fn sleep(&mut self, deadline: Time) -> Result<(), PortError> {
        self.ask_to_be_woken();
        let left = deadline - self.now();
        let timeout = Timespec { tv_sec: left.as_secs().min(3600) as _, tv_nsec: left.subsec_nanos().into() };
        let mut fds = vec![PollFd::new(&self.socket, PollFlags::IN)];
        if let Link::Datagrams { socket, .. } = &self.link {
            let flags = if self.denied.get() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
            fds.push(PollFd::new(socket, flags));
        }
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(PortError::Io(error.into())),
        }
        if !fds[0].revents().is_empty() {
            drop(fds);
            self.woken()?;
        }
        Ok(())
    }
}

impl Drop for XbarPort {
    fn drop(&mut self) {
        // A server that has ended takes nothing more.
        let _ = self.hand_over();
    }
}

fn down(path: &FilePath, reason: impl std::fmt::Display) -> PortError {
    PortError::Down(format!("xbar at {}: {reason}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "a port in real time has the machine's clock")]
fn now() -> Instant {
    Instant::now()
}

impl Port for XbarPort {
    fn unique_id(&self) -> UniqueId {
        self.id
    }

    fn limits(&self) -> PortLimits {
        let max_payload = self.max_payload;
        PortLimits { addressing: Addressing::Hops, max_payload, long_payload: max_payload, rate_bits_per_s: None }
    }

    /// Time since the host was attached.
    fn now(&self) -> Time {
        Time::ZERO + now().duration_since(self.start)
    }

    fn can_send(&self) -> bool {
        // What is wrong with a broken ring is said by the next call that can fail.
        let room = self.room().unwrap_or(false);
        self.denied.set(!room);
        room
    }

    fn send(&mut self, transmit: Transmit) -> Result<(), PortError> {
        let Transmit { path, packet } = &transmit;
        let (route, lane) = frame::route_and_lane(path).ok_or(PortError::Path(*path))?;
        let (len, max) = (packet.payload.len(), self.max_payload);
        if len > max {
            return Err(PortError::TooLarge { len, max });
        }
        if !self.room().map_err(|error| down(&self.path, error))? {
            return Ok(());
        }
        let header = packet.header.encode(len as u16);
        let crc = frame::crc(&header, &packet.payload).to_le_bytes();
        self.push(&[route.as_bytes(), &lane, &header, &packet.payload, &crc])
    }

    fn flush(&mut self) -> Result<(), PortError> {
        self.hand_over()
    }

    fn recv(&mut self) -> Result<Option<Received>, PortError> {
        let Some(frame) = self.pop()? else { return Ok(None) };
        Ok(Some(match frame::parse(&frame) {
            Ok(packet) => Received::Packet(packet),
            Err(error) => {
                self.rejected += 1;
                Received::Rejected(error)
            }
        }))
    }

    fn wait(&mut self, deadline: Time) -> Result<(), PortError> {
        self.hand_over()?;
        let spin_until = self.now() + self.spin;
        while !self.is_ready()? {
            let now = self.now();
            if now >= deadline {
                return Ok(());
            }
            if now < spin_until {
                std::hint::spin_loop();
                continue;
            }
            // Who is to be woken looks once more after having said so.
            self.ask_to_be_woken();
            if self.is_ready()? {
                return Ok(());
            }
            self.sleep(deadline)?;
        }
        Ok(())
    }
}
