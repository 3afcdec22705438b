//! What the processes of a communicator tell one another while they make a new one.
//!
//! These messages use negative tags on the collective plane, where collectives count upwards from 0.
use super::Comm;
use crate::error::Result;
use crate::p2p::{self, Plane};

/// The processes of an intra-communicator, exchanging records of bytes along a binomial tree.
pub struct Circle<'a> {
    comm: &'a Comm,
    tag: i32,
}

impl<'a> Circle<'a> {
    /// An exchange of all members, told apart from others on the same communicator by `number`.
    pub fn new(comm: &'a Comm, number: u64) -> Circle<'a> {
        Circle { comm, tag: i32::MIN | (number & 0x3fff_ffff) as i32 }
    }

    /// Everybody's record, by rank.
    pub fn all(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut joined = self.gather(own)?;
        self.broadcast(0, &mut joined)?;
        let mut records = vec![Vec::new(); self.comm.group.size()];
        let mut rest = &joined[..];
        while let Some((rank, record, after)) = split_record(rest) {
            records[rank as usize] = record.to_vec();
            rest = after;
        }
        Ok(records)
    }

    /// Replaces everybody's `bytes` by those of `root`.
    pub fn broadcast(&self, root: usize, bytes: &mut Vec<u8>) -> Result<()> {
        let size = self.comm.group.size();
        let place = (self.comm.rank + size - root) % size;
        let rank = |place: usize| ((place + root) % size) as i32;
        let parent_distance = if place == 0 { size.next_power_of_two() } else { place & place.wrapping_neg() };
        if place != 0 {
            *bytes = receive(self.comm, rank(place - parent_distance), self.tag)?;
        }
        for distance in halves(parent_distance).filter(|distance| place + distance < size) {
            send(self.comm, rank(place + distance), self.tag, bytes)?;
        }
        Ok(())
    }

    /// At rank 0, everybody's record behind a head of its rank and its length; elsewhere those of the subtree.
    fn gather(&self, own: &[u8]) -> Result<Vec<u8>> {
        let (size, rank) = (self.comm.group.size(), self.comm.rank);
        let mut joined = (rank as u32).to_le_bytes().to_vec();
        joined.extend((own.len() as u32).to_le_bytes());
        joined.extend(own);
        let mut distance = 1;
        while distance < size {
            if rank & distance != 0 {
                send(self.comm, (rank - distance) as i32, self.tag, &joined)?;
                break;
            }
            if rank + distance < size {
                joined.extend(receive(self.comm, (rank + distance) as i32, self.tag)?);
            }
            distance *= 2;
        }
        Ok(joined)
    }
}

fn halves(from: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(from / 2), |distance| Some(distance / 2)).take_while(|&distance| distance > 0)
}

fn split_record(bytes: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let (rank, rest) = bytes.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
    Some((u32::from_le_bytes(*rank), record, rest))
}

/// Exchanges bytes with one peer, which calls this too. The one with the lower process number speaks first.
pub(super) fn swap(comm: &Comm, peer: i32, tag: i32, own: &[u8]) -> Result<Vec<u8>> {
    let tag = i32::MIN | 0x4000_0000 | tag;
    if comm.me() < comm.process(peer)? {
        send(comm, peer, tag, own)?;
        return receive(comm, peer, tag);
    }
    let theirs = receive(comm, peer, tag)?;
    send(comm, peer, tag, own)?;
    Ok(theirs)
}

fn send(comm: &Comm, peer: i32, tag: i32, bytes: &[u8]) -> Result<()> {
    p2p::send_bytes(comm, Plane::Collective, peer, tag, &(bytes.len() as u64).to_le_bytes())?;
    p2p::send_bytes(comm, Plane::Collective, peer, tag, bytes)
}

fn receive(comm: &Comm, peer: i32, tag: i32) -> Result<Vec<u8>> {
    let mut len = [0; 8];
    p2p::recv_bytes(comm, Plane::Collective, peer, tag, &mut len)?;
    let mut bytes = vec![0; u64::from_le_bytes(len) as usize];
    p2p::recv_bytes(comm, Plane::Collective, peer, tag, &mut bytes)?;
    Ok(bytes)
}
