//! How a job ends: by itself, by a signal, by the limit of time, or because a host fails.

use super::super::wire::Message;
use super::{FrontEnd, State};
use std::time::{Duration, Instant};
use twowire_fabric::id::UniqueId;
use twowire_fabric::protocol::Port;

/// From the first to the second word that the others shall end, and until they are given up.
const PATIENCE: Duration = Duration::from_millis(600);
const GIVEN_UP: Duration = Duration::from_secs(7);
/// The exit code after the limit of time.
const TIMED_OUT: i32 = 124;

/// Signals that are passed on; the first of them end the job.
const ENDING: [i32; 4] = [1, 2, 3, 15];
const PASSED_ON: [i32; 4] = [10, 12, 18, 28];
/// Ctrl-Z: who stops cannot say that it is still there, so it is ignored.
const IGNORED: i32 = 20;

/// The signals that mean something.
pub(super) fn heard() -> Vec<i32> {
    ENDING.into_iter().chain(PASSED_ON).chain([IGNORED]).collect()
}

impl<P: Port> FrontEnd<P> {
    pub(super) fn signal(&mut self, signal: i32) {
        if ENDING.contains(&signal) {
            self.code = if self.code == 0 { 128 + signal } else { self.code };
            self.tell_all(signal);
            // Nothing runs yet: nobody will say that it has ended.
            let waiting = self.members.iter_mut().filter(|member| !matches!(member.state, State::Running));
            waiting.for_each(|member| member.state = State::Ended);
        } else if PASSED_ON.contains(&signal) {
            self.tell_all(signal);
        }
    }

    fn tell_all(&mut self, signal: i32) {
        for member in self.members.iter_mut().filter(|member| matches!(member.state, State::Running)) {
            match (&mut member.link, &mut member.here) {
                (Some(link), _) => link.send(&mut self.endpoint, &Message::Signal(signal)),
                (None, Some(part)) => part.signal(signal),
                (None, None) => {}
            }
        }
    }

    /// A host's part has ended; the first that failed ends the others.
    pub(super) fn ended(&mut self, index: usize, code: i32) {
        self.members[index].state = State::Ended;
        if code != 0 {
            self.end_all(code);
        }
    }

    pub(super) fn lost(&mut self, peer: UniqueId, why: &str) {
        let Some(index) = self.members.iter().position(|member| member.agent == peer) else { return };
        let text = match self.members[index].state {
            State::Ended => return,
            State::Greeted(_) => match &self.job.here {
                Some(device) => format!(
                    "its agent cannot be reached ({why}): is `noded serve raw:DEVICE` running there, on the network of {device}?"
                ),
                None => format!("its agent cannot be reached ({why}): has the node booted an image with `noded`?"),
            },
            _ => format!("it is lost: {why}"),
        };
        self.fail(index, &text);
    }

    /// A host cannot take part, or not any longer.
    pub(super) fn fail(&mut self, index: usize, why: &str) {
        let member = &mut self.members[index];
        member.state = State::Ended;
        if self.ended_at.is_none() {
            eprintln!("mpirun: host {}: {why}; the job is ended", member.name);
        }
        self.end_all(1);
    }

    #[expect(clippy::disallowed_methods, reason = "a job runs in real time")]
    fn end_all(&mut self, code: i32) {
        if self.code == 0 {
            self.code = code;
        }
        if self.ended_at.is_none() {
            self.ended_at = Some(Instant::now());
            self.tell_all(15);
            let waiting = self.members.iter_mut().filter(|member| !matches!(member.state, State::Running));
            waiting.for_each(|member| member.state = State::Ended);
        }
    }

    pub(super) fn check_time(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            eprintln!("mpirun: the time limit is over; the job is ended");
            self.end_all(TIMED_OUT);
        }
        let Some(since) = self.ended_at.map(|at| now - at) else { return };
        if since > PATIENCE && !self.told_again {
            self.told_again = true;
            self.tell_all(15);
        }
        if since > GIVEN_UP {
            self.members.iter_mut().for_each(|member| member.state = State::Ended);
        }
    }
}
