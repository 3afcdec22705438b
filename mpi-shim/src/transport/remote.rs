//! Processes that share no memory with this one: messages over a fabric, by the reliable endpoint.
//!
//! ```text
//! byte  0      1          2..4    4..8   8..16     16..16+8*numbers   then
//!       kind   numbers    zero    tag    context   numbers            payload       all little-endian
//! ```

use crate::abi::{MPI_ERR_OTHER, MPI_ERR_PROC_ABORTED};
use crate::error::{Error, Result};
use crate::launch::seats::Seat;
use bytes::Bytes;
use rustc_hash::FxHashMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;
use twowire_fabric::endpoint::{Endpoint, EndpointConfig, Event, PortEndpoint, SendError};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::{Path, Port, PortError};
use twowire_fabric::provider;

const HEADER: usize = 16;
/// Most numbers of a message.
const NUMBERS: usize = 3;

/// The way to the processes that share no memory with this one.
pub struct Remote {
    endpoint: PortEndpoint<Box<dyn Port>>,
    peers: Vec<Peer>,
    process_of: FxHashMap<UniqueId, u32>,
    /// This process leaves: who cannot be reached any longer has left before.
    leaving: bool,
}

struct Peer {
    card: UniqueId,
    paths: Vec<Path>,
    connected: bool,
    /// Messages that are not yet known to have arrived.
    undelivered: usize,
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
    /// Takes a seat on a fabric.
    pub fn open(seat: &Seat) -> Result<Remote> {
        let port = provider::open(&seat.fabric, seat.host.as_deref());
        let port = port.map_err(|error| Error::new(MPI_ERR_OTHER, format!("{}: {error}", seat.fabric)))?;
        // Every start of a process is an incarnation of its own.
        let incarnation = RandomState::new().build_hasher().finish();
        let endpoint = PortEndpoint::new(port, EndpointConfig::default(), incarnation);
        let peer = |peer: &crate::launch::seats::Peer| Peer {
            card: peer.card,
            paths: peer.paths.clone(),
            connected: false,
            undelivered: 0,
        };
        let peers: Vec<Peer> = seat.peers.iter().map(peer).collect();
        let process_of = peers.iter().enumerate().map(|(process, peer)| (peer.card, process as u32)).collect();
        Ok(Remote { endpoint, peers, process_of, leaving: false })
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
        if !peer.connected {
            peer.connected = true;
            self.endpoint.connect(peer.card, peer.paths.clone());
        }
        let mut message = header.to_bytes(len);
        let start = message.len() - len;
        fill(&mut message[start..]);
        match self.endpoint.send(peer.card, message.into()) {
            Ok(_) => {
                peer.undelivered += 1;
                Ok(true)
            }
            Err(SendError::WouldBlock { .. }) => Ok(false),
            Err(error) => Err(Error::new(MPI_ERR_OTHER, format!("a message to process {process}: {error}"))),
        }
    }

    /// The next message that came, if there is one.
    pub fn poll(&mut self) -> Result<Option<Incoming>> {
        loop {
            let event = self.endpoint.poll().map_err(|error| port_failed(&error))?;
            let Some(event) = event else { return Ok(None) };
            match event {
                Event::Message { peer, message, .. } => {
                    if let Some(incoming) = self.incoming(peer, message) {
                        return Ok(Some(incoming));
                    }
                }
                Event::Delivered { peer, .. } => {
                    if let Some(peer) = self.peer(peer) {
                        peer.undelivered = peer.undelivered.saturating_sub(1);
                    }
                }
                // It has left, with all that it wanted of this process.
                Event::Disconnected { peer } => self.forget(peer),
                Event::PeerUnreachable { peer, .. } if self.leaving => self.forget(peer),
                Event::PeerUnreachable { peer, reason } => {
                    let who =
                        self.process_of.get(&peer).map_or("a stranger".into(), |process| format!("process {process}"));
                    return Err(Error::new(MPI_ERR_PROC_ABORTED, format!("{who} cannot be reached: {reason}")));
                }
                _ => {}
            }
        }
    }

    /// A message of a process of the job; others' are dropped.
    fn incoming(&self, peer: UniqueId, message: Bytes) -> Option<Incoming> {
        let &process = self.process_of.get(&peer)?;
        let (header, len) = RemoteHeader::parse(&message)?;
        Some(Incoming { process, header, payload: message.slice(len..) })
    }

    fn peer(&mut self, card: UniqueId) -> Option<&mut Peer> {
        self.process_of.get(&card).map(|&process| &mut self.peers[process as usize])
    }

    /// A peer is gone; another message to it would connect again.
    fn forget(&mut self, card: UniqueId) {
        if let Some(peer) = self.peer(card) {
            (peer.connected, peer.undelivered) = (false, 0);
        }
    }

    /// True once everything that was sent has arrived.
    pub fn is_settled(&self) -> bool {
        self.peers.iter().all(|peer| peer.undelivered == 0)
    }

    /// From now on peers that cannot be reached are no failure.
    pub fn prepare_to_leave(&mut self) {
        self.leaving = true;
    }

    /// Takes leave of all peers: none of them waits for this process any longer.
    pub fn leave(&mut self) -> Result<()> {
        let known: Vec<UniqueId> = self.endpoint.machine().peers().collect();
        for card in known {
            self.endpoint.disconnect(card);
            self.forget(card);
        }
        self.leaving = false;
        self.wait(Duration::ZERO)
    }

    /// Waits for something to come, at most for `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<()> {
        let until = self.endpoint.now() + limit;
        self.endpoint.wait(until).map_err(|error| port_failed(&error))
    }
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
    /// The header, and room for a payload of `len` bytes.
    fn to_bytes(self, len: usize) -> Vec<u8> {
        let (numbers, count) = self.numbers;
        let mut bytes = Vec::with_capacity(HEADER + 8 * count + len);
        bytes.extend_from_slice(&[self.kind, count as u8, 0, 0]);
        bytes.extend_from_slice(&self.tag.to_le_bytes());
        bytes.extend_from_slice(&self.context.to_le_bytes());
        for number in &numbers[..count] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.resize(bytes.len() + len, 0);
        bytes
    }

    /// The header of a message, and where its payload begins.
    fn parse(message: &[u8]) -> Option<(RemoteHeader, usize)> {
        let (&[kind, count, 0, 0], rest) = message.split_first_chunk::<4>()? else { return None };
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
        Some((RemoteHeader { kind, tag, context, numbers: (numbers, count) }, HEADER + 8 * count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_is_read_as_it_was_written(kind: u8, tag: i32, context: u64, all: [u64; NUMBERS], count in 0..=NUMBERS, len in 0..100usize) {
            let mut numbers = [0; NUMBERS];
            numbers[..count].copy_from_slice(&all[..count]);
            let header = RemoteHeader { kind, tag, context, numbers: (numbers, count) };
            let bytes = header.to_bytes(len);
            prop_assert_eq!(RemoteHeader::parse(&bytes), Some((header, bytes.len() - len)));
        }

        #[test]
        fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some((_, len)) = RemoteHeader::parse(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }
    }
}
