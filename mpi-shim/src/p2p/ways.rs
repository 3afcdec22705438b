//! The ways to other processes: a ring to each of this node, the fabric to the rest, and what waits for room.

use super::buffer::Buffer;
use super::engine::Requests;
use super::link::{Link, Outgoing, Pushed};
use super::matching::Key;
use super::progress::is_crowded;
use super::request;
use super::traffic::{Traffic, Way};
use crate::abi::{MPI_ERR_OTHER, MPI_ERR_RANK, MPI_Request, MPI_Status};
use crate::error::{Error, Result};
use crate::launch::Job;
use crate::transport::remote::Remote;
use crate::transport::shm::{Cells, CopyError, Segment};
use std::sync::Arc;
use std::time::Duration;

/// Up to this many bytes a message is sent before anybody has asked for it, if the ring takes it,
pub(super) const EAGER: usize = 32 << 10;
/// and over a fabric, where asking costs a round trip.
pub(super) const EAGER_REMOTE: usize = 64 << 10;
/// From so many bytes on a message is copied by both sides, if the sender waits for that.
const TOGETHER: usize = 24 << 10;
/// A process of another node, in the table of places.
const ELSEWHERE: u32 = u32::MAX;

/// The ways to other processes.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) segment: Option<Arc<Segment>>,
    /// Each process's place among the node's.
    places: Vec<u32>,
    /// The links to processes, made when first used.
    links: Vec<Option<Box<Link>>>,
    pub(super) remote: Option<Remote>,
    /// Outgoing messages and controls that found no room.
    queued: usize,
    /// False once the kernel refused to read another process's memory.
    may_copy: bool,
    /// The others of the node can see that this process waits.
    waits: bool,
}

impl Ways {
    /// The ways of a process of `job`.
    pub(super) fn new(job: &Job) -> Result<Ways> {
        let me = job.local.iter().position(|&process| process == job.rank).unwrap_or(0);
        let segment = match &job.memory {
            Some(memory) if job.local.len() > 1 => {
                let memory = memory.try_clone().map_err(|error| Error::new(MPI_ERR_OTHER, error.to_string()))?;
                Some(Arc::new(Segment::map(memory, me, job.local.len())?))
            }
            _ => None,
        };
        let mut places = vec![ELSEWHERE; job.size as usize];
        for (place, &process) in job.local.iter().enumerate() {
            places[process as usize] = place as u32;
        }
        let remote = job.seat.as_ref().map(|seat| Remote::open(seat, job.rank)).transpose()?;
        let links = (0..job.size).map(|_| None).collect();
        Ok(Ways { segment, places, links, remote, queued: 0, may_copy: true, waits: false })
    }

    /// A process's place among the node's; none if it is on another.
    pub(super) fn place(&self, process: u32) -> Option<usize> {
        let place = self.places[process as usize];
        (place != ELSEWHERE).then_some(place as usize)
    }

    /// True if all that was sent has left; what went over a fabric also has to have arrived.
    pub(super) fn is_flushed(&self) -> bool {
        self.queued == 0 && self.remote.as_ref().is_none_or(Remote::is_settled)
    }

    /// The link to a process.
    #[inline]
    fn link(&mut self, to: u32) -> Result<&mut Link> {
        if self.links[to as usize].is_none() {
            self.links[to as usize] = Some(self.make_link(to)?);
        }
        match &mut self.links[to as usize] {
            Some(link) => Ok(link),
            None => Err(no_way(to)),
        }
    }

    #[cold]
    fn make_link(&self, to: u32) -> Result<Box<Link>> {
        match (self.place(to), &self.segment, &self.remote) {
            (Some(place), Some(segment), _) => {
                Ok(Box::new(Link::by_ring(segment.producer(place), place, segment.cells(place), EAGER)))
            }
            (None, _, Some(_)) => Ok(Box::new(Link::by_fabric(to, EAGER_REMOTE))),
            _ => Err(no_way(to)),
        }
    }

    /// Sends a message at once, if it is short and there is room; false if not.
    #[inline(always)]
    pub(super) fn send_now(&mut self, to: u32, key: &Key, buffer: &Buffer) -> Result<bool> {
        if self.links[to as usize].is_none() {
            self.link(to)?;
        }
        let Some(link) = &mut self.links[to as usize] else { return Ok(false) };
        if !link.is_free() || !link.push_eager(&mut self.remote, key, buffer)? {
            return Ok(false);
        }
        link.traffic.add(key.plane(), Way::Eager, buffer.len());
        if let (Some(place), Some(segment)) = (link.place(), &self.segment) {
            segment.wake(place);
        }
        Ok(true)
    }

    /// The cells shared with a process; none if it is on another node.
    #[inline]
    pub(super) fn cells(&mut self, process: u32) -> Result<Option<&mut Cells>> {
        Ok(self.link(process)?.cells())
    }

    /// True if a message to that process has to be announced: it is long, or the receiver holds enough.
    pub(super) fn must_announce(&mut self, to: u32, len: usize) -> Result<bool> {
        let link = self.link(to)?;
        Ok(len > link.eager_limit() || link.is_throttled())
    }

    /// Counts a message that waits for room or for its receiver.
    pub(super) fn count(&mut self, to: u32, key: &Key, way: Way, len: usize) -> Result<()> {
        self.link(to)?.traffic.add(key.plane(), way, len);
        Ok(())
    }

    /// What was sent to each process of those that anything was sent to.
    pub(super) fn traffic(&self) -> Vec<(u32, Traffic)> {
        let links = self.links.iter().zip(0..);
        links.filter_map(|(link, to)| Some((to, link.as_ref()?.traffic.clone()))).collect()
    }

    /// The process asks for announcements in place of data, or no longer.
    pub(super) fn throttled(&mut self, to: u32, on: bool) -> Result<()> {
        self.link(to)?.set_throttled(on);
        Ok(())
    }

    /// Puts something behind all else that goes to a process.
    pub(super) fn post(&mut self, requests: &mut Requests, to: u32, outgoing: Outgoing) -> Result<()> {
        self.link(to)?.queue.push_back(outgoing);
        self.queued += 1;
        self.flush(requests, to)
    }

    fn flush(&mut self, requests: &mut Requests, to: u32) -> Result<()> {
        let Some(link) = &mut self.links[to as usize] else { return Ok(()) };
        let mut sent = false;
        while let Some(outgoing) = link.queue.pop_front() {
            match link.push(&mut self.remote, &outgoing)? {
                Pushed::All => {
                    self.queued -= 1;
                    if let Some(request) = outgoing.completes() {
                        request::complete(requests, request, MPI_Status::EMPTY);
                    }
                }
                Pushed::Some(rest) => link.queue.push_front(rest),
                Pushed::None => {
                    link.queue.push_front(outgoing);
                    break;
                }
            }
            sent = true;
        }
        if let (true, Some(place), Some(segment)) = (sent, link.place(), &self.segment) {
            segment.wake(place);
        }
        Ok(())
    }

    /// Sends what waited, as far as there is room; true if anything left.
    #[inline]
    pub(super) fn flush_all(&mut self, requests: &mut Requests) -> Result<bool> {
        if self.queued == 0 {
            return Ok(false);
        }
        let before = self.queued;
        for to in 0..self.links.len() {
            if self.links[to].as_ref().is_some_and(|link| !link.queue.is_empty()) {
                self.flush(requests, to as u32)?;
            }
        }
        Ok(self.queued != before)
    }

    /// True if something waits for room.
    pub(super) fn is_waiting(&self) -> bool {
        self.queued > 0
    }

    /// Copies `len` bytes at an address in another process.
    pub(super) fn copy(&mut self, from: u32, address: u64, to: &Buffer, len: usize) -> Result<(), CopyError> {
        // Who copies helps nobody.
        self.set_waits(false);
        let place = self.place(from);
        let pid = match (&self.segment, place) {
            (Some(segment), Some(place)) if self.may_copy && address != 0 => segment.pid(place),
            _ => None,
        };
        let copied = match (pid, place, &self.segment) {
            (Some(pid), Some(place), Some(segment)) if len >= TOGETHER && !is_crowded() => {
                to.read_with_process(segment, place, pid, address, len)
            }
            (Some(pid), ..) => to.read_from_process(pid, address, len),
            (None, ..) => Err(CopyError::Refused),
        };
        if pid.is_some() && matches!(copied, Err(CopyError::Refused)) {
            self.may_copy = false;
        }
        copied
    }

    /// Says whether this process waits: then others of the node ask it to help them copy what it has announced.
    #[inline]
    pub(super) fn set_waits(&mut self, waits: bool) {
        if let (true, Some(segment)) = (self.waits != waits, &self.segment) {
            segment.set_waits(waits);
            self.waits = waits;
        }
    }

    /// Waits for something to come over the fabric; false if there is none.
    pub(super) fn wait_remote(&mut self, limit: Duration) -> bool {
        self.remote.as_mut().is_some_and(|remote| remote.wait(limit).is_ok())
    }
}

#[cold]
fn no_way(to: u32) -> Error {
    let text = format!("there is no way to process {to}: it shares no memory with this one, and the job has no fabric");
    Error::new(MPI_ERR_RANK, text)
}

/// A request, as a number in a message.
pub(super) fn number(request: MPI_Request) -> u64 {
    usize::from(request) as u64
}
