//! The process that owns the crossbars.
//!
//! One thread moves all frames. It looks at the rings of the hosts that were busy lately, round after round; a host that
//! was not asks for attention by a message, and when no host is busy the thread sleeps. Whatever a host does, or does not
//! do, costs the others no more than a bounded time: a frame whose destination has no room is held while that destination has
//! credit, during which its sender's next frames wait behind it; then it is dropped, and so are further ones. All of the credit is
//! [`ServerConfig::patience`], and it comes back with the frames for which the destination has room ([`credit`]).

mod commands;
mod connections;
mod credit;
mod forwarding;
mod hosts;
mod listener;

pub use listener::ServeError;

use super::max_frame;
use super::switches::{Arrival, Switches};
use crate::topology::{HostId, Topology};
use connections::Connection;
use hosts::Attached;
use rustix::event::epoll;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Rounds without any frame after which the thread sleeps: some microseconds. It does not yield instead, since a busy
/// neighbour that is yielded to keeps the processor for milliseconds, and a thread that is woken gets it at once.
const ROUNDS_BEFORE_SLEEP: u32 = 200;
/// After so many rounds the sockets are looked at all the same.
const ROUNDS_BETWEEN_POLLS: u32 = 32;
/// The longest sleep: how soon a stop is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// How the server goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// The largest payload, in bytes.
    pub max_payload: usize,
    /// How long frames wait at most, all together, for room in a destination's queue, until it has had room for 128 frames.
    pub patience: Duration,
}

impl Default for ServerConfig {
    fn default() -> ServerConfig {
        ServerConfig { max_payload: crate::wire::DEFAULT_MAX_PAYLOAD, patience: Duration::from_millis(5) }
    }
}

/// What woke the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Listener,
    Connection(usize),
    Datagrams(HostId),
}

impl Source {
    fn data(self) -> epoll::EventData {
        epoll::EventData::new_u64(match self {
            Source::Listener => 0,
            Source::Connection(index) => 1 << 32 | index as u64,
            Source::Datagrams(host) => 2 << 32 | u64::from(host.0),
        })
    }

    fn of(data: epoll::EventData) -> Source {
        let low = data.u64() as u32;
        match data.u64() >> 32 {
            0 => Source::Listener,
            1 => Source::Connection(low as usize),
            _ => Source::Datagrams(HostId(low)),
        }
    }
}

/// The crossbars of a topology, and a socket at which hosts attach.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    listener: OwnedFd,
    epoll: OwnedFd,
    topology: Topology,
    switches: Switches,
    config: ServerConfig,
    connections: HashMap<usize, Connection>,
    next_connection: usize,
    hosts: Vec<Option<Box<Attached>>>,
    /// The hosts that are looked at in each round.
    active: Vec<HostId>,
    /// The hosts that got frames in this round.
    touched: Vec<HostId>,
    frame: Vec<u8>,
}

impl Server {
    /// Listens at `path`. A socket that a dead server has left there is replaced.
    pub fn bind(path: &Path, topology: Topology, config: ServerConfig) -> Result<Server, ServeError> {
        let listener = listener::listen(path)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(ServeError::System)?;
        epoll::add(&epoll, &listener, Source::Listener.data(), epoll::EventFlags::IN).map_err(ServeError::System)?;
        Ok(Server {
            path: path.to_owned(),
            listener,
            epoll,
            switches: Switches::new(&topology),
            hosts: topology.host_ids().map(|_| None).collect(),
            topology,
            config,
            connections: HashMap::new(),
            next_connection: 0,
            active: Vec::new(),
            touched: Vec::new(),
            frame: Vec::new(),
        })
    }

    /// The topology.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Moves frames until `stop`, which is asked at least every tenth of a second.
    pub fn run(&mut self, mut stop: impl FnMut() -> bool) -> Result<(), ServeError> {
        let (mut idle, mut since_poll) = (0, 0);
        while !stop() {
            let moved = self.round();
            idle = if moved { 0 } else { idle + 1 };
            since_poll += 1;
            let busy = !self.active.is_empty() && idle < ROUNDS_BEFORE_SLEEP;
            if busy && since_poll < ROUNDS_BETWEEN_POLLS {
                std::hint::spin_loop();
                continue;
            }
            since_poll = 0;
            let sleeps = !busy && self.prepare_to_sleep();
            self.poll(if sleeps { self.longest_sleep() } else { Duration::ZERO })?;
        }
        Ok(())
    }

    /// Handles what has happened at the sockets, after waiting for it.
    fn poll(&mut self, longest: Duration) -> Result<(), ServeError> {
        let timeout = rustix::event::Timespec { tv_sec: 0, tv_nsec: longest.as_nanos() as _ };
        let mut events: Vec<epoll::Event> = Vec::with_capacity(256);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(ServeError::System(error)),
        }
        for event in events {
            match Source::of(event.data) {
                Source::Listener => self.accept(),
                Source::Connection(index) => self.hear(index),
                Source::Datagrams(host) => {
                    let flags = event.flags;
                    if flags.contains(epoll::EventFlags::OUT) {
                        self.let_have(host);
                    }
                    self.activate(host);
                }
            }
        }
        Ok(())
    }

    /// How long the thread may sleep: while frames are held, until the first one's time is over.
    fn longest_sleep(&self) -> Duration {
        let end = |&host: &HostId| {
            let (arrival, since) = self.attached(host)?.held?;
            Some(self.attached(arrival.host)?.credit.end(since))
        };
        let first = self.active.iter().filter_map(end).min();
        first.map_or(LONGEST_SLEEP, |until| until.saturating_duration_since(now()).min(LONGEST_SLEEP))
    }

    fn attached(&self, host: HostId) -> Option<&Attached> {
        self.hosts[host.0 as usize].as_deref()
    }

    fn max_frame(&self) -> usize {
        max_frame(self.config.max_payload)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody can attach from now on; those that are attached see their connections end.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[expect(clippy::disallowed_methods, reason = "the crossbars run in real time")]
fn now() -> Instant {
    Instant::now()
}
