//! The hosts' attachments: where their frames come from, and the queues of what goes to them.

use super::super::ring::{Consumer, Producer, RingError};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

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
    Socket(Arc<OwnedFd>),
}

impl Inbound {
    /// Takes the next frame out; false if there is none.
    pub(super) fn pop(&mut self, frame: &mut Vec<u8>, max_frame: usize) -> Result<bool, Broken> {
        match self {
            Inbound::Ring(ring) => Ok(ring.pop(frame)?),
            Inbound::Socket(socket) => {
                // A datagram of one byte more than a frame may have is cut to it, and dropped as malformed.
                frame.resize(max_frame + 1, 0);
                match recv(&**socket, &mut frame[..], RecvFlags::DONTWAIT) {
                    Ok((len, _)) => {
                        frame.truncate(len);
                        Ok(true)
                    }
                    Err(Errno::AGAIN | Errno::INTR) => Ok(false),
                    Err(error) => Err(Broken::Socket(error)),
                }
            }
        }
    }

    /// Gives the room of what was taken out back; true if the host waits for it and is to be woken.
    pub(super) fn publish(&mut self) -> bool {
        match self {
            Inbound::Ring(ring) => ring.publish(),
            Inbound::Socket(_) => false,
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
            Inbound::Socket(_) => Ok(true),
        }
    }
}

/// Where a host's frames go.
#[derive(Debug)]
pub(super) enum Outbound {
    Ring(Producer),
    Socket { socket: Arc<OwnedFd>, queue: VecDeque<Vec<u8>> },
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
            Outbound::Socket { queue, .. } => queue.push_back(frame.to_vec()),
        }
    }

    /// Lets the host have what was pushed; true if it is to be woken.
    pub(super) fn publish(&mut self) -> Result<bool, Broken> {
        match self {
            Outbound::Ring(ring) => Ok(ring.publish()),
            Outbound::Socket { socket, queue } => {
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
    /// A frame that came in, and waits for room in the queue of its destination until this instant.
    pub(super) held: Option<(super::Arrival, Instant)>,
    pub(super) held_frame: Vec<u8>,
    /// Its queue was full for so long that a frame was dropped, and nothing was taken out since.
    pub(super) stuck: bool,
    /// It is among those that are looked at in each round, since so many rounds without a frame.
    pub(super) active: bool,
    pub(super) idle_rounds: u32,
    /// Frames were pushed that it has not been let have.
    pub(super) unpublished: bool,
    /// Its socket is watched for room.
    pub(super) watched: bool,
}

impl Attached {
    pub(super) fn new(connection: usize, inbound: Inbound, outbound: Outbound) -> Attached {
        Attached {
            connection,
            inbound,
            outbound,
            held: None,
            held_frame: Vec::new(),
            stuck: false,
            active: false,
            idle_rounds: 0,
            unpublished: false,
            watched: false,
        }
    }
}
