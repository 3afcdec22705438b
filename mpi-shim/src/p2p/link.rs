//! The way to a process: its ring or the fabric, and what waits for room.
use super::buffer::Buffer;
use super::matching::Key;
use super::message::Kind;
use super::progress::is_crowded;
use super::traffic::Traffic;
use crate::abi::MPI_Request;
use crate::error::Result;
use crate::transport::remote::{Remote, RemoteHeader};
use crate::transport::shm::{Cells, LONG, Pace, Producer, Word};
use std::collections::VecDeque;
use std::ops::Range;

/// From this many bytes on a message goes in a cell, if there is one.
const PARCEL: usize = 128;

/// The longest piece of what a receiver asked for, in a ring: it copies one piece out while the next one is copied in.
const PIECE: usize = 32 << 10;

/// The way to a process.
#[derive(Debug)]
pub(super) struct Link {
    way: Way,
    eager: usize,
    pace: Pace,
    /// What was sent.
    pub(super) traffic: Traffic,
    /// What waits, in order.
    pub(super) queue: VecDeque<Outgoing>,
}

#[derive(Debug)]
enum Way {
    /// A ring to the process at this place of the node, and the cells shared with it.
    Ring { ring: Producer, place: usize, cells: Cells },
    /// The fabric, to this process, which may have asked for announcements in place of data.
    Fabric { process: u32, throttled: bool },
}

/// How much of something was written.
pub(super) enum Pushed {
    /// All.
    All,
    /// Some; this is left.
    Some(Outgoing),
    /// Nothing: there is no room.
    None,
}

/// Something to be written.
#[derive(Clone, Debug)]
pub(super) enum Outgoing {
    /// A message with its data.
    Eager {
        /// Its key; the source is not sent.
        key: Key,
        /// Its data.
        buffer: Buffer,
        /// The send.
        request: MPI_Request,
        /// Complete when it is matched, not when it is sent.
        synchronous: bool,
    },
    /// A kind and its numbers.
    Control {
        /// What it is.
        kind: Kind,
        /// The message that it is about.
        key: Key,
        /// The prefix.
        numbers: [u64; 3],
        /// How many of them there are.
        count: usize,
    },
    /// The data that a receiver asked for.
    Stream {
        /// The message's key.
        key: Key,
        /// The data,
        buffer: Buffer,
        /// sent up to here,
        position: usize,
        /// to be sent up to here.
        len: usize,
        /// The receiver's request.
        receive: u64,
        /// The send.
        request: MPI_Request,
    },
}

impl Outgoing {
    /// A control message.
    pub(super) fn control(kind: Kind, key: Key, prefix: &[u64]) -> Outgoing {
        let mut numbers = [0; 3];
        numbers[..prefix.len()].copy_from_slice(prefix);
        Outgoing::Control { kind, key, numbers, count: prefix.len() }
    }

    /// The send that is complete when this is written.
    pub(super) fn completes(&self) -> Option<MPI_Request> {
        match self {
            Outgoing::Eager { request, synchronous: false, .. } | Outgoing::Stream { request, .. } => Some(*request),
            _ => None,
        }
    }
}

impl Link {
    /// The way by a ring to the process at `place`; messages of up to `eager` bytes go at once, if the ring takes them.
    pub(super) fn by_ring(ring: Producer, place: usize, cells: Cells, eager: usize) -> Link {
        Link {
            eager: eager.min(ring.max_payload()),
            way: Way::Ring { ring, place, cells },
            pace: Pace::default(),
            traffic: Traffic::default(),
            queue: VecDeque::new(),
        }
    }

    /// The way over the fabric.
    pub(super) fn by_fabric(process: u32, eager: usize) -> Link {
        Link {
            eager,
            way: Way::Fabric { process, throttled: false },
            pace: Pace::default(),
            traffic: Traffic::default(),
            queue: VecDeque::new(),
        }
    }

    /// The place of the process, if it is on this node.
    #[inline]
    pub(super) fn place(&self) -> Option<usize> {
        match self.way {
            Way::Ring { place, .. } => Some(place),
            Way::Fabric { .. } => None,
        }
    }

    /// The longest message that is sent before anybody has asked for it, without a cell.
    #[inline]
    pub(super) fn eager_limit(&self) -> usize {
        self.eager
    }

    /// True if data may be sent at once.
    #[inline]
    pub(super) fn is_free(&self) -> bool {
        self.queue.is_empty() && !self.is_throttled()
    }

    /// True if the receiver wants announcements in place of data.
    #[inline]
    pub(super) fn is_throttled(&self) -> bool {
        match &self.way {
            Way::Ring { ring, .. } => ring.throttled(),
            Way::Fabric { throttled, .. } => *throttled,
        }
    }

    /// A receiver of another node says what it wants.
    pub(super) fn set_throttled(&mut self, on: bool) {
        if let Way::Fabric { throttled, .. } = &mut self.way {
            *throttled = on;
        }
    }

    /// The cells shared with the process, if it is on this node.
    #[inline]
    pub(super) fn cells(&mut self) -> Option<&mut Cells> {
        match &mut self.way {
            Way::Ring { cells, .. } => Some(cells),
            Way::Fabric { .. } => None,
        }
    }

    /// Writes a whole message, if it may go before anybody has asked for it, and there is room. The key comes by reference: read as a whole
    /// just after its parts were written, it would make the processor wait for all earlier writes, those to the ring among them.
    #[inline(always)]
    pub(super) fn push_eager(&mut self, remote: &mut Option<Remote>, key: &Key, buffer: &Buffer) -> Result<bool> {
        if let (Way::Ring { ring, .. }, 0..PARCEL) = (&mut self.way, buffer.len()) {
            let word = Word { kind: Kind::Eager as u8, prefix: 0, payload: buffer.len() as u16, tag: key.tag };
            return Ok(ring.push(word, key.context, &[], |first, second| fill(buffer, 0, first, second)));
        }
        if buffer.len() >= PARCEL && self.push_parcel(key, buffer) {
            return Ok(true);
        }
        if buffer.len() > self.eager {
            return Ok(false);
        }
        self.push_data(remote, Kind::Eager, *key, &[], buffer, 0..buffer.len())
    }

    /// Writes as much of something as there is room for.
    pub(super) fn push(&mut self, remote: &mut Option<Remote>, outgoing: &Outgoing) -> Result<Pushed> {
        let pushed = match outgoing {
            Outgoing::Eager { key, buffer, synchronous: false, .. } => self.push_eager(remote, key, buffer)?,
            Outgoing::Eager { key, buffer, request, .. } => {
                let numbers = [usize::from(*request) as u64];
                self.push_data(remote, Kind::Synchronous, *key, &numbers, buffer, 0..buffer.len())?
            }
            Outgoing::Control { kind, key, numbers, count } => {
                self.write(remote, *kind, *key, &numbers[..*count], 0, |_, _| {})?
            }
            Outgoing::Stream { key, buffer, position, len, receive, request } => {
                let piece = (len - position).min(self.longest_piece(remote.as_ref()));
                if !self.push_data(remote, Kind::Data, *key, &[*receive], buffer, *position..position + piece)? {
                    return Ok(Pushed::None);
                }
                let position = position + piece;
                if position < *len {
                    let (key, buffer, len, receive, request) = (*key, buffer.clone(), *len, *receive, *request);
                    return Ok(Pushed::Some(Outgoing::Stream { key, buffer, position, len, receive, request }));
                }
                true
            }
        };
        Ok(if pushed { Pushed::All } else { Pushed::None })
    }

    /// Writes a whole message into a cell, and its number into the ring; false if there is no cell or no room.
    fn push_parcel(&mut self, key: &Key, buffer: &Buffer) -> bool {
        let Way::Ring { ring, cells, .. } = &mut self.way else { return false };
        let Some(parcel) = cells.take(buffer.len()) else { return false };
        let write = |position, place: &mut [u8]| {
            buffer.read(position, place);
        };
        let word = Word { kind: Kind::Parcel as u8, prefix: 8, payload: 0, tag: key.tag };
        let early = !is_crowded();
        let pushed = ring.push(word, key.context, &[parcel.number()], |_, _| cells.begin(&parcel, early, write));
        if pushed {
            cells.finish(&parcel, write);
        } else {
            cells.give(parcel);
        }
        pushed
    }

    fn longest_piece(&self, remote: Option<&Remote>) -> usize {
        match (&self.way, remote) {
            (Way::Ring { ring, .. }, _) => ring.max_payload().min(PIECE),
            (Way::Fabric { process, .. }, remote) => remote.map_or(usize::MAX, |remote| remote.longest_piece(*process)),
        }
    }

    #[inline]
    fn push_data(
        &mut self,
        remote: &mut Option<Remote>,
        kind: Kind,
        key: Key,
        numbers: &[u64],
        buffer: &Buffer,
        range: Range<usize>,
    ) -> Result<bool> {
        let paced = range.len() >= LONG && matches!(self.way, Way::Ring { .. });
        let mut pace = self.pace;
        let pushed = self.write(remote, kind, key, numbers, range.len(), |first, second| {
            let mut copy = |past_caches: bool| match past_caches {
                true => {
                    buffer.read_past_caches(range.start, first);
                    buffer.read_past_caches(range.start + first.len(), second);
                }
                false => fill(buffer, range.start, first, second),
            };
            if paced { pace.write(range.len(), copy) } else { copy(false) }
        });
        self.pace = pace;
        pushed
    }

    /// Writes a message of `len` bytes of payload, which come in one or two pieces from `fill`; false if there is no room.
    #[inline]
    fn write(
        &mut self,
        remote: &mut Option<Remote>,
        kind: Kind,
        key: Key,
        numbers: &[u64],
        len: usize,
        fill: impl FnOnce(&mut [u8], &mut [u8]),
    ) -> Result<bool> {
        match &mut self.way {
            Way::Ring { ring, .. } => {
                let prefix = 8 * numbers.len() as u8;
                let word = Word { kind: kind as u8, prefix, payload: len as u16, tag: key.tag };
                Ok(ring.push(word, key.context, numbers, fill))
            }
            Way::Fabric { process, .. } => {
                let Some(remote) = remote else { return Ok(false) };
                let mut all = [0; 3];
                all[..numbers.len()].copy_from_slice(numbers);
                let numbers = (all, numbers.len());
                let header = RemoteHeader { kind: kind as u8, tag: key.tag, context: key.context, numbers };
                remote.send(*process, header, len, |payload| fill(payload, &mut []))
            }
        }
    }
}

/// Reads a buffer from `position` on into the two pieces of a payload's place.
#[inline(always)]
fn fill(buffer: &Buffer, position: usize, first: &mut [u8], second: &mut [u8]) {
    buffer.read(position, first);
    if !second.is_empty() {
        buffer.read(position + first.len(), second);
    }
}
