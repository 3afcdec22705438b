//! Runs a schedule over the messages of a communicator.

use std::sync::Arc;

use crate::abi::MPI_Request;
use crate::coll::memory::Program;
use crate::coll::schedule::Step;
use crate::comm::Comm;
use crate::error::Result;
use crate::p2p::{self, Activity, Awaited, Mode, Plane, Recipe};
use crate::state::{self, State};

/// One run of a program.
#[derive(Debug)]
pub struct Run {
    program: Arc<Program>,
    comm: Arc<Comm>,
    tag: i32,
    next: usize,
    pending: Vec<MPI_Request>,
}

impl Run {
    /// A run that has not begun. Messages with the same tag on the same communicator belong to the same collective.
    pub fn new(program: Arc<Program>, comm: Arc<Comm>, tag: i32) -> Run {
        Run { program, comm, tag, next: 0, pending: Vec::new() }
    }

    /// Runs to the end.
    pub fn finish(mut self) -> Result<()> {
        while !self.step_on()? {
            let mut left = self.pending.len();
            p2p::wait_until(Awaited::All(&self.pending), |state| {
                left = unsettled(state, &self.pending[..left])?;
                Ok((left == 0).then_some(()))
            })?;
            self.pending.clear();
        }
        Ok(())
    }

    /// Does all that can be done without waiting; true at the end. What is pending may have ended unnoticed.
    fn step_on(&mut self) -> Result<bool> {
        while let Some(step) = self.program.steps().get(self.next) {
            match step {
                Step::Wait if !self.pending.is_empty() => return Ok(false),
                Step::Wait => {}
                Step::Copy { .. } | Step::Reduce { .. } => self.program.work(self.next)?,
                Step::Send { .. } | Step::Receive { .. } => self.start(self.next)?,
            }
            self.next += 1;
        }
        Ok(self.pending.is_empty())
    }

    fn start(&mut self, index: usize) -> Result<()> {
        let Some(buffer) = self.program.buffer(index) else { return Ok(()) };
        let mut state = state::enter();
        let (comm, plane) = (&self.comm, Plane::Collective);
        let request = match self.program.steps()[index] {
            Step::Send { to, .. } => p2p::send(&mut state, comm, plane, to as i32, self.tag, buffer, Mode::Standard)?,
            Step::Receive { from, .. } => Some(p2p::irecv(&mut state, comm, plane, from as i32, self.tag, buffer)?),
            _ => None,
        };
        self.pending.extend(request);
        Ok(())
    }
}

/// How many of these requests are left when those from the end on that are complete are taken out of the table.
fn unsettled(state: &mut State, mut pending: &[MPI_Request]) -> Result<usize> {
    while let [rest @ .., last] = pending {
        if p2p::test(state, *last)?.is_none() {
            break;
        }
        pending = rest;
    }
    Ok(pending.len())
}

impl Activity for Run {
    fn advance(&mut self) -> Result<bool> {
        loop {
            if self.step_on()? {
                return Ok(true);
            }
            let left = unsettled(&mut state::enter(), &self.pending)?;
            self.pending.truncate(left);
            if left > 0 {
                return Ok(false);
            }
        }
    }

    fn awaits(&self) -> &[MPI_Request] {
        &self.pending
    }

    fn name(&self) -> &'static str {
        self.program.name()
    }
}

/// What a persistent request starts.
#[derive(Debug)]
pub struct Persistent {
    program: Arc<Program>,
    comm: Arc<Comm>,
    tag: i32,
}

impl Persistent {
    /// The tag is taken when the request is made, so that starts may come in any order.
    pub fn new(program: Arc<Program>, comm: Arc<Comm>, tag: i32) -> Persistent {
        Persistent { program, comm, tag }
    }
}

impl Recipe for Persistent {
    fn start(&self) -> Result<MPI_Request> {
        p2p::start_activity(Box::new(Run::new(Arc::clone(&self.program), Arc::clone(&self.comm), self.tag)))
    }
}
