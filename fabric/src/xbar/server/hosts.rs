//! The hosts' attachments: where their frames come from, and the queues of what goes to them.

use super::super::Attachment;
use super::super::framing::{Content, Framing};
use super::super::ring::{Consumer, Producer, RingError};
use super::credit::Credit;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What was taken out of a host's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Nothing,
    /// What is in it may be too long for a frame, or of no bytes.
    Datagram(Content),
}

/// Frames that wait for a host with a datagram socket, besides those in the socket.
const QUEUE_FRAMES: usize = 256;

/// Why an attachment is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Ring(#[from] RingError),
    #[error("its socket: {0}")]
    Socket(Errno),
}

/// Where a host's frames come from.
#[derive(Debug)]
pub(super) enum Inbound {
    Ring(Consumer),
    Socket { socket: Arc<OwnedFd>, framing: Framing },
}

impl Inbound {
    /// Takes the next frame out.
    pub(super) fn pop(&mut self, frame: &mut Vec<u8>, max_frame: usize) -> Result<Taken, Broken> {
        match self {
            Inbound::Ring(ring) => Ok(if ring.pop(frame)? { Taken::Datagram(Content::Frame) } else { Taken::Nothing }),
            Inbound::Socket { socket, framing } => {
                // A datagram of one byte more than a frame may have is cut to it, and dropped as malformed.
                frame.resize(framing.envelope() + max_frame + 1, 0);
                match recv(&**socket, &mut frame[..], RecvFlags::DONTWAIT) {
                    Ok((len, _)) => {
                        frame.truncate(len);
                        Ok(Taken::Datagram(framing.unwrap(frame)))
                    }
                    Err(Errno::AGAIN | Errno::INTR) => Ok(Taken::Nothing),
                    Err(error) => Err(Broken::Socket(error)),
                }
            }
        }
    }

    /// How the host is attached.
    pub(super) fn attachment(&self) -> Attachment {
        match self {
            Inbound::Ring(_) => Attachment::Rings,
            Inbound::Socket { framing: Framing::Plain, .. } => Attachment::Datagrams,
            Inbound::Socket { framing: Framing::Ethernet, .. } => Attachment::Card,
        }
    }

    /// Gives the room of what was taken out back; true if the host waits for it and is to be woken.
    pub(super) fn publish(&mut self) -> bool {
        match self {
            Inbound::Ring(ring) => ring.publish(),
            Inbound::Socket { .. } => false,
        }
    }

    /// From now on the host rings when it hands a frame in; false if one is there already.
    pub(super) fn sleep(&mut self) -> Result<bool, Broken> {
        match self {
            Inbound::Ring(ring) => {
                ring.ask_for_frames();
                Ok(!ring.has_frame()?)
            }
            // The kernel tells by itself.
            Inbound::Socket { .. } => Ok(true),
        }
    }
}

/// Where a host's frames go.
#[derive(Debug)]
pub(super) enum Outbound {
    Ring(Producer),
    Socket { socket: Arc<OwnedFd>, framing: Framing, queue: VecDeque<Vec<u8>> },
}

impl Outbound {
    pub(super) fn has_room(&self, len: usize) -> Result<bool, Broken> {
        match self {
            Outbound::Ring(ring) => Ok(ring.has_room(len)?),
            Outbound::Socket { queue, .. } => Ok(queue.len() < QUEUE_FRAMES),
        }
    }

    /// Takes a frame, for which there is room.
    pub(super) fn push(&mut self, frame: &[u8]) {
        match self {
            Outbound::Ring(ring) => ring.push(&[frame]),
            Outbound::Socket { queue, framing, .. } => queue.push_back(framing.wrap(frame)),
        }
    }

    /// Lets the host have what was pushed; true if it is to be woken.
    pub(super) fn publish(&mut self) -> Result<bool, Broken> {
        match self {
            Outbound::Ring(ring) => Ok(ring.publish()),
            Outbound::Socket { socket, queue, .. } => {
                while let Some(frame) = queue.front() {
                    match send(&**socket, frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                        Ok(_) => queue.pop_front(),
                        Err(Errno::AGAIN | Errno::NOBUFS) => break,
                        Err(Errno::INTR) => continue,
                        Err(error) => return Err(Broken::Socket(error)),
                    };
                }
                Ok(false)
            }
        }
    }

    /// True if frames wait until the host's socket takes more.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self, Outbound::Socket { queue, .. } if !queue.is_empty())
    }

    /// Asks to be woken when room comes back.
    pub(super) fn ask_for_room(&self) {
        if let Outbound::Ring(ring) = self {
            ring.ask_for_room();
        }
    }
}

/// One host's attachment.
#[derive(Debug)]
pub(super) struct Attached {
    /// Its control connection.
    pub(super) connection: usize,
    pub(super) inbound: Inbound,
    pub(super) outbound: Outbound,
    /// A frame that came in, and waits since this instant for room in the queue of its destination.
    pub(super) held: Option<(super::Arrival, Instant)>,
    pub(super) held_frame: Vec<u8>,
    /// How long others may wait for room in its queue.
    pub(super) credit: Credit,
    /// It is among those that are looked at in each round, since so many rounds without a frame.
    pub(super) active: bool,
    pub(super) idle_rounds: u32,
    /// Frames were pushed that it has not been let have.
    pub(super) unpublished: bool,
    /// Its socket is watched for room.
    pub(super) watched: bool,
}

impl Attached {
    pub(super) fn new(connection: usize, inbound: Inbound, outbound: Outbound, patience: Duration) -> Attached {
        Attached {
            connection,
            inbound,
            outbound,
            held: None,
            held_frame: Vec::new(),
            credit: Credit::new(patience),
            active: false,
            idle_rounds: 0,
            unpublished: false,
            watched: false,
        }
    }
}
