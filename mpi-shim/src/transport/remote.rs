//! Processes that share no memory with this one: messages over a fabric, by the reliable endpoint.
//!
//! ```text
//! byte  0      1          2..4       4..8   8..16     16..16+8*numbers   then
//!       kind   numbers    sequence   tag    context   numbers            payload       all little-endian
//! ```
//! A connection may be lost and stand again; what was not known to have arrived is then sent again, and by its sequence number, which counts the
//! messages to a process, the receiver finds out what it has already. A process that ends says `BYE` to all that it knows.

use super::pool::Pool;
use crate::abi::{MPI_ERR_OTHER, MPI_ERR_PROC_ABORTED};
use crate::error::{Error, Result};
use crate::launch::seats::Seat;
use arrayvec::ArrayVec;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;
use twowire_fabric::endpoint::{
    Endpoint, EndpointConfig, Event, MessageId, PortEndpoint, SendError, UnreachableReason,
};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Port, PortError, PortLimits};
use twowire_fabric::provider;

use peer::Peer;

const HEADER: usize = 16;
/// The kind of the last message to a process.
const BYE: u8 = 0xff;
/// How long a process that ends waits for the others to hear of it.
const FAREWELL: Duration = Duration::from_secs(3);
/// Most numbers of a message.
const NUMBERS: usize = 3;
/// Bytes of the longest header.
const MAX_HEADER: usize = HEADER + 8 * NUMBERS;
/// Bytes that may be under way from one process to another, about.
const UNDER_WAY: usize = 4 << 20;
/// Bytes of messages that are handed to the endpoint and not delivered, about: as many as keep the way busy, and few enough to stay in the cache.
const SEND_MEMORY: usize = 1 << 20;
/// Frames that may be under way however long they are.
const LEAST_WINDOW: usize = 16;
/// Over a fabric of short frames, the longest piece of a message whose data was asked for.
const PIECE: usize = 32 << 10;
/// From so long payloads of frames on a piece is what fits one: then the receiver need not put it together.
const LONG_FRAME: usize = 8 << 10;

/// The way to the processes that share no memory with this one.
pub struct Remote {
    endpoint: PortEndpoint<Box<dyn Port>>,
    pool: Pool,
    peers: Vec<Peer>,
    process_of: FxHashMap<UniqueId, u32>,
    /// This process leaves: who cannot be reached any longer has left before.
    leaving: bool,
}

/// A message's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteHeader {
    /// What it is.
    pub kind: u8,
    /// The message's tag.
    pub tag: i32,
    /// Its context.
    pub context: u64,
    /// The protocol's own numbers, and how many of them there are.
    pub numbers: ([u64; NUMBERS], usize),
}

/// A message that came.
#[derive(Debug)]
pub struct Incoming {
    /// From which process.
    pub process: u32,
    /// Its header.
    pub header: RemoteHeader,
    /// Its payload.
    pub payload: Bytes,
}

impl Remote {
    /// Takes the seat of a rank on a fabric.
    pub fn open(seat: &Seat, rank: u32) -> Result<Remote> {
        let port = provider::open_for_messages(&seat.fabric, seat.host.as_deref(), seat.lane(rank));
        let port = port.map_err(|error| Error::new(MPI_ERR_OTHER, format!("{}: {error}", seat.fabric)))?;
        let limits = port.limits();
        // Every start of a process is an incarnation of its own.
        let incarnation = RandomState::new().build_hasher().finish();
        let endpoint = PortEndpoint::new(port, config(&limits), incarnation);
        let peers: Vec<Peer> = seat.peers.iter().map(Peer::new).collect();
        let process_of = peers.iter().enumerate().map(|(process, peer)| (peer.card, process as u32)).collect();
        Ok(Remote { endpoint, pool: Pool::default(), peers, process_of, leaving: false })
    }

    /// The longest piece that a long message to a process should be cut into.
    pub fn longest_piece(&self, process: u32) -> usize {
        let frame = self.endpoint.machine().payload(self.peers[process as usize].card);
        if frame >= LONG_FRAME { frame - MAX_HEADER } else { PIECE }
    }

    /// Sends a message of `len` bytes of payload, which `fill` writes; false if too much is under way to that process.
    pub fn send(
        &mut self,
        process: u32,
        header: RemoteHeader,
        len: usize,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<bool> {
        let peer = &mut self.peers[process as usize];
        if peer.gone {
            // Nobody reads it.
            return Ok(true);
        }
        if !peer.outgoing.has_room() {
            return Ok(false);
        }
        let head = header.to_bytes(peer.take_sequence());
        let message = self.pool.message(head.len() + len, |message| {
            let (first, payload) = message.split_at_mut(head.len());
            first.copy_from_slice(&head);
            fill(payload);
        });
        peer.outgoing.push(message);
        self.hand_over(process)?;
        // It leaves now: nobody knows when this process will call again.
        self.endpoint.transmit().map_err(|error| port_failed(&error))?;
        Ok(true)
    }

    /// Hands what waits for a process to the endpoint, as far as that has room. The endpoint leaves it to us what becomes of a connection's
    /// messages when it is lost, so they stay here until they are delivered.
    fn hand_over(&mut self, process: u32) -> Result<()> {
        let peer = &mut self.peers[process as usize];
        if !peer.connected {
            peer.connected = true;
            self.endpoint.connect(peer.card, peer.paths.clone());
        }
        while let Some(message) = peer.outgoing.next() {
            match self.endpoint.send(peer.card, message.clone()) {
                Ok(id) => peer.outgoing.handed_over(id),
                Err(SendError::WouldBlock { .. }) => break,
                Err(error) => {
                    return Err(Error::new(MPI_ERR_OTHER, format!("a message to process {process}: {error}")));
                }
            }
        }
        Ok(())
    }

    /// The connection to a peer was lost: what may not have arrived is sent again.
    fn send_again(&mut self, card: UniqueId) -> Result<()> {
        let Some(&process) = self.process_of.get(&card) else { return Ok(()) };
        let peer = &mut self.peers[process as usize];
        peer.connected = false;
        if peer.gone {
            peer.outgoing.clear();
        }
        peer.outgoing.begin_again();
        if peer.outgoing.is_empty() { Ok(()) } else { self.hand_over(process) }
    }

    /// The next message that came, if there is one.
    pub fn poll(&mut self) -> Result<Option<Incoming>> {
        loop {
            let event = self.endpoint.poll().map_err(|error| port_failed(&error))?;
            let Some(event) = event else { return Ok(None) };
            if let Some(incoming) = self.happened(event)? {
                return Ok(Some(incoming));
            }
        }
    }

    /// The same without a look at the fabric: of what had come at the last one.
    pub fn poll_ready(&mut self) -> Result<Option<Incoming>> {
        while let Some(event) = self.endpoint.poll_ready() {
            if let Some(incoming) = self.happened(event)? {
                return Ok(Some(incoming));
            }
        }
        Ok(None)
    }

    fn happened(&mut self, event: Event) -> Result<Option<Incoming>> {
        match event {
            Event::Message { peer, message, .. } => return Ok(self.incoming(peer, message)),
            // A message that was sent again has another number: what is said of its first transmission counts no more.
            Event::Delivered { peer, id } => self.delivered(peer, id)?,
            Event::Disconnected { peer } => self.send_again(peer)?,
            Event::PeerUnreachable { peer, reason } => self.unreachable(peer, reason)?,
            _ => {}
        }
        Ok(None)
    }

    /// A message of a process of the job that was not there before; others are dropped.
    fn incoming(&mut self, peer: UniqueId, message: Bytes) -> Option<Incoming> {
        let &process = self.process_of.get(&peer)?;
        let (header, sequence, len) = RemoteHeader::parse(&message)?;
        let peer = &mut self.peers[process as usize];
        if sequence != peer.next.1 {
            return None;
        }
        peer.next.1 = sequence.wrapping_add(1);
        if header.kind == BYE {
            // It reads nothing any more.
            peer.gone = true;
            peer.outgoing.clear();
            return None;
        }
        Some(Incoming { process, header, payload: message.slice(len..) })
    }

    fn delivered(&mut self, card: UniqueId, id: MessageId) -> Result<()> {
        let Some(&process) = self.process_of.get(&card) else { return Ok(()) };
        let outgoing = &mut self.peers[process as usize].outgoing;
        outgoing.delivered(id);
        if outgoing.next().is_some() { self.hand_over(process) } else { Ok(()) }
    }

    /// A peer that has ended, or from which this process takes leave, need not be reached.
    fn unreachable(&mut self, card: UniqueId, reason: UnreachableReason) -> Result<()> {
        let leaving = self.leaving;
        let Some(&process) = self.process_of.get(&card) else { return Ok(()) };
        let peer = &mut self.peers[process as usize];
        peer.connected = false;
        peer.outgoing.clear();
        if peer.gone || leaving {
            return Ok(());
        }
        let text = format!("process {process} cannot be reached: {reason}");
        Err(Error::new(MPI_ERR_PROC_ABORTED, text))
    }

    /// True once everything that was sent has arrived.
    pub fn is_settled(&self) -> bool {
        self.peers.iter().all(|peer| peer.outgoing.is_empty())
    }

    /// From now on peers that cannot be reached are no failure.
    pub fn prepare_to_leave(&mut self) {
        self.leaving = true;
    }

    /// Takes leave of all peers: none of them waits for this process any longer.
    pub fn leave(&mut self) -> Result<()> {
        self.say_bye()?;
        let until = self.endpoint.now() + FAREWELL;
        while !self.is_settled() && self.endpoint.now() < until {
            while self.poll()?.is_some() {}
            self.wait(Duration::from_millis(1))?;
        }
        // Who leaves at the same time waits for the receipt of its last message.
        let until = self.endpoint.now() + 2 * self.endpoint.machine().config().max_ack_delay;
        while self.endpoint.now() < until {
            while self.poll()?.is_some() {}
            self.endpoint.wait(until).map_err(|error| port_failed(&error))?;
        }
        let known: Vec<UniqueId> = self.endpoint.machine().peers().collect();
        for card in known {
            self.endpoint.disconnect(card);
        }
        self.leaving = false;
        self.wait(Duration::ZERO)
    }

    /// Tells all known peers that this process ends, but for those that have ended.
    fn say_bye(&mut self) -> Result<()> {
        let known: Vec<UniqueId> = self.endpoint.machine().peers().collect();
        let bye = RemoteHeader { kind: BYE, tag: 0, context: 0, numbers: ([0; NUMBERS], 0) };
        for card in known {
            if let Some(&process) = self.process_of.get(&card)
                && !self.peers[process as usize].gone
            {
                self.send(process, bye, 0, |_| {})?;
            }
        }
        Ok(())
    }

    /// Waits for something to come, at most for `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<()> {
        let until = self.endpoint.now() + limit;
        self.endpoint.wait(until).map_err(|error| port_failed(&error))
    }
}

/// Frames as long as the port's, and not more bytes of them under way than its buffers hold.
fn config(limits: &PortLimits) -> EndpointConfig {
    let (max_payload, long_payload) = (limits.max_payload, limits.long_payload);
    let standard = EndpointConfig::default();
    let window = (UNDER_WAY / long_payload.max(1)).clamp(LEAST_WINDOW, standard.window.into()) as u16;
    let max_path_window = standard.max_path_window.min(window.into());
    let send_memory = SEND_MEMORY;
    EndpointConfig { max_payload, long_payload, send_memory, window, max_path_window, ..standard }
}

fn port_failed(error: &PortError) -> Error {
    Error::new(MPI_ERR_OTHER, format!("the fabric: {error}"))
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("peers", &self.peers.len()).finish_non_exhaustive()
    }
}

impl RemoteHeader {
    /// The header's bytes.
    fn to_bytes(self, sequence: u16) -> ArrayVec<u8, MAX_HEADER> {
        let (numbers, count) = self.numbers;
        let mut bytes = ArrayVec::new();
        bytes.extend([self.kind, count as u8]);
        bytes.extend(sequence.to_le_bytes());
        bytes.extend(self.tag.to_le_bytes());
        bytes.extend(self.context.to_le_bytes());
        for number in &numbers[..count] {
            bytes.extend(number.to_le_bytes());
        }
        bytes
    }

    /// The header of a message, its sequence number, and where its payload begins.
    fn parse(message: &[u8]) -> Option<(RemoteHeader, u16, usize)> {
        let (&[kind, count, low, high], rest) = message.split_first_chunk::<4>()?;
        let (tag, rest) = rest.split_first_chunk::<4>()?;
        let (context, mut rest) = rest.split_first_chunk::<8>()?;
        let count = usize::from(count);
        let mut numbers = [0; NUMBERS];
        for number in numbers.get_mut(..count)? {
            let (bytes, after) = rest.split_first_chunk::<8>()?;
            *number = u64::from_le_bytes(*bytes);
            rest = after;
        }
        let (tag, context) = (i32::from_le_bytes(*tag), u64::from_le_bytes(*context));
        let header = RemoteHeader { kind, tag, context, numbers: (numbers, count) };
        Some((header, u16::from_le_bytes([low, high]), HEADER + 8 * count))
    }
}

mod peer;

#[cfg(test)]
mod tests;
