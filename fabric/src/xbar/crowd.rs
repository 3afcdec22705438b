//! Many hosts in one process, by one event loop.

use super::XbarPort;
use crate::protocol::{Port, PortError, Protocol, Received};
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The longest sleep: how soon a stop is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);
/// Frames that one host takes before the next one's turn.
const BATCH: usize = 64;

/// Hosts of one fabric, each with a state machine, that are run by one thread.
pub struct Crowd<P> {
    epoll: OwnedFd,
    members: Vec<Member<P>>,
    /// When each member's timer is due.
    timers: BTreeSet<(Instant, usize)>,
}

struct Member<P> {
    port: XbarPort,
    machine: P,
    due: Option<Instant>,
}

impl<P: Protocol> Crowd<P> {
    /// A crowd of these ports and what runs on them.
    pub fn new(members: impl IntoIterator<Item = (XbarPort, P)>) -> Result<Crowd<P>, PortError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io)?;
        let member = |(port, machine)| Member { port, machine, due: None };
        let members: Vec<_> = members.into_iter().map(member).collect();
        for (index, member) in members.iter().enumerate() {
            let data = epoll::EventData::new_u64(index as u64);
            for fd in member.port.watched() {
                epoll::add(&epoll, fd, data, epoll::EventFlags::IN).map_err(io)?;
            }
        }
        Ok(Crowd { epoll, members, timers: BTreeSet::new() })
    }

    /// The state machines.
    pub fn machines(&self) -> impl Iterator<Item = &P> {
        self.members.iter().map(|member| &member.machine)
    }

    /// Runs until `stop`, which is asked at least every tenth of a second. An error is that of the server: it has ended.
    pub fn run(&mut self, mut stop: impl FnMut() -> bool) -> Result<(), PortError> {
        let mut to_serve: Vec<usize> = (0..self.members.len()).collect();
        while !stop() {
            let mut again = Vec::new();
            for index in to_serve.drain(..) {
                if self.serve(index)? {
                    again.push(index);
                }
            }
            let longest = if again.is_empty() { self.until_timer() } else { Duration::ZERO };
            to_serve = again;
            self.sleep(longest, &mut to_serve)?;
            let now = now();
            while let Some(&(due, index)) = self.timers.first()
                && due <= now
            {
                self.timers.pop_first();
                self.members[index].due = None;
                to_serve.push(index);
            }
        }
        Ok(())
    }

    fn until_timer(&self) -> Duration {
        let first = self.timers.first().map(|&(due, _)| due.saturating_duration_since(now()));
        first.map_or(LONGEST_SLEEP, |left| left.min(LONGEST_SLEEP))
    }

    /// Waits until members have something to do, and adds them.
    fn sleep(&mut self, longest: Duration, to_serve: &mut Vec<usize>) -> Result<(), PortError> {
        let timeout = Timespec { tv_sec: 0, tv_nsec: longest.as_nanos() as _ };
        let mut events: Vec<epoll::Event> = Vec::with_capacity(256);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(io(error)),
        }
        for event in events {
            let index = event.data.u64() as usize;
            self.members[index].port.woken()?;
            to_serve.push(index);
        }
        Ok(())
    }

    /// One member's turn; true if it has more to do.
    fn serve(&mut self, index: usize) -> Result<bool, PortError> {
        let Member { port, machine, due } = &mut self.members[index];
        for _ in 0..BATCH {
            match port.recv()? {
                Some(Received::Packet(packet)) => machine.handle_packet(port.now(), &packet),
                Some(Received::Rejected(_)) => {}
                None => break,
            }
        }
        if machine.poll_timeout().is_some_and(|at| at <= port.now()) {
            machine.handle_timeout(port.now());
        }
        while port.can_send() {
            let Some(transmit) = machine.poll_transmit(port.now()) else { break };
            port.send(transmit)?;
        }
        let wanted = machine.poll_timeout().map(|at| now() + (at - port.now()));
        if let Some(was) = due.take() {
            self.timers.remove(&(was, index));
        }
        if let Some(at) = wanted {
            self.timers.insert((at, index));
        }
        *due = wanted;
        Ok(!port.prepare_to_sleep()?)
    }
}

fn io(error: Errno) -> PortError {
    PortError::Io(error.into())
}

#[expect(clippy::disallowed_methods, reason = "the hosts run in real time")]
fn now() -> Instant {
    Instant::now()
}
