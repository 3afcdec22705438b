//! Progress and waiting. These functions enter the state themselves: call them without a guard.
//!
//! Who waits looks for messages, for a while without leaving the core, then letting others have it, then asleep until
//! somebody sends. Where there are more processes than cores the first part is left out: whoever is awaited may need this core.
//! It also ends early where another process of the job is on the same core: the system puts two there while something else keeps the
//! other cores busy, or just after they began, and looking would only keep the other one from answering.
use super::awaited::{Awaited, Stall};
use super::request::{self, Activity, Kind, Request};
use super::{Buffer, Mode, Plane, Requests, irecv, is_complete, send, test};
use crate::abi::{MPI_Request, MPI_Status};
use crate::comm::Comm;
use crate::error::Result;
use crate::state::{self, State};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Looks before the core is offered to others, while there is a core for everybody.
const SPINS: u32 = 20_000;
/// Who waits for at least so many short messages lets some of them come before it looks again: who looks at a line that is being written takes it
/// from the writer, and then each message waits for the one before it to cross twice between the caches.
const BURST: usize = 4;
/// The longest message of a burst: longer ones are written past the caches.
const SHORT: usize = 2 << 10;
/// A pause in a burst, in looks: about as long as it takes two cores far from each other to exchange a line.
const LET_COME: u32 = 20;
/// Pauses in a row, when nothing comes.
const PAUSES: u32 = 8;
/// Looks between two questions whether another process of the job is on the same core.
const ASK: u32 = 256;
/// Offers of the core between two of them.
const ASK_AGAIN: u32 = 32;
/// Offers of the core before the process sleeps.
const YIELDS: u32 = 300;
/// Others that keep the core for longer are not of the job, or calculate. Who is woken comes before them, while who only offered the core
/// waits for its turn.
const LONG: Duration = Duration::from_millis(1);
/// The longest sleep: against whatever may be lost, such as a process that died.
const SLEEP: Duration = Duration::from_millis(50);
/// The same where another thread may have been woken in this one's place.
const SHARED_SLEEP: Duration = Duration::from_millis(1);

/// The same where messages may come over a fabric while this process sleeps for those of its node, or the other way round.
const MIXED_SLEEP: Duration = Duration::from_micros(100);

static CROWDED: AtomicBool = AtomicBool::new(false);

/// Says whether this node has more processes of the job than cores.
pub(super) fn set_crowded(crowded: bool) {
    CROWDED.store(crowded, Ordering::Relaxed);
}

/// Whether this node has more processes of the job than cores.
pub fn is_crowded() -> bool {
    CROWDED.load(Ordering::Relaxed)
}

/// Whether something has come that nobody has looked at.
pub fn has_work() -> bool {
    state::enter().engine.as_ref().is_some_and(|engine| engine.has_work())
}

/// How long a wait has found nothing.
#[derive(Debug)]
pub(super) struct Idle {
    looks: u32,
    spins: u32,
    stall: Stall,
}

impl Idle {
    /// The beginning of a wait.
    pub(super) fn new() -> Idle {
        Idle { looks: 0, spins: if CROWDED.load(Ordering::Relaxed) { 1 } else { SPINS }, stall: Stall::default() }
    }

    /// After a look that found nothing.
    #[inline]
    pub(super) fn pause(&mut self, awaited: Awaited<'_>) {
        self.looks += 1;
        if self.looks > self.spins {
            return self.give_way(awaited);
        }
        if self.looks.is_multiple_of(ASK) && shares_core() {
            self.spins = self.looks;
        }
        spin_loop();
    }

    #[cold]
    fn give_way(&mut self, awaited: Awaited<'_>) {
        let offers = self.looks - self.spins;
        if offers > YIELDS {
            self.stall.sleeps_for(offers == YIELDS + 1, awaited);
            return sleep();
        }
        if offer_core() {
            self.looks = self.spins + YIELDS;
            return;
        }
        // Whoever was on this core may have been moved.
        if offers.is_multiple_of(ASK_AGAIN) && self.spins < SPINS && !is_crowded() && !shares_core() {
            *self = Idle::new();
        }
    }

    /// Lets some messages of a burst come, before this process looks again.
    #[inline]
    fn let_come(&self) {
        if self.looks < PAUSES.min(self.spins) {
            (0..LET_COME).for_each(|_| spin_loop());
        }
    }

    /// After a look that found something.
    #[inline]
    pub(super) fn found(&mut self) {
        self.looks = 0;
    }
}

impl Default for Idle {
    fn default() -> Self {
        Idle::new()
    }
}

/// Offers the core to others; whether they kept it for long.
#[allow(clippy::disallowed_methods)] // How long a wait took is what is asked.
pub fn offer_core() -> bool {
    let begin = Instant::now();
    std::thread::yield_now();
    begin.elapsed() > LONG
}

/// Whether another process of the job was seen last on this core.
#[cold]
fn shares_core() -> bool {
    let state = state::enter();
    state.engine.as_ref().and_then(|engine| engine.segment()).is_some_and(|segment| segment.shares_core())
}

/// Sleeps until this process is sent something.
fn sleep() {
    let limit = if state::is_shared_by_threads() { SHARED_SLEEP } else { SLEEP };
    let segment = {
        let mut state = state::enter();
        let Some(engine) = &mut state.engine else { return };
        let segment = engine.segment().cloned();
        // Who has both sleeps where it can be woken sooner by the other: not long.
        let limit = if segment.is_some() { MIXED_SLEEP } else { limit };
        if engine.wait_remote(limit) {
            return;
        }
        segment
    };
    let Some(segment) = segment else { return std::thread::yield_now() };
    segment.sleep(limit, has_work);
}

/// What a wait sees when it looks.
enum Seen<T> {
    /// All that it waits for.
    Here(T),
    /// Something is missing; whether it is a burst of short messages.
    Missing { burst: bool },
}

/// Makes progress until `ready` gives something, which is when `awaited` has come.
#[inline]
pub fn wait_until<T>(awaited: Awaited<'_>, mut ready: impl FnMut(&mut State) -> Result<Option<T>>) -> Result<T> {
    wait_for(awaited, |state| Ok(ready(state)?.map_or(Seen::Missing { burst: false }, Seen::Here)))
}

/// Makes progress until all requests are complete; they stay in the table.
pub fn wait_all(requests: &[MPI_Request]) -> Result<()> {
    let mut left = requests;
    wait_for(Awaited::All(requests), |state| {
        while let [first, rest @ ..] = left {
            if !is_complete(state, *first)? {
                return Ok(Seen::Missing { burst: is_burst(&state.requests, left) });
            }
            left = rest;
        }
        Ok(Seen::Here(()))
    })
}

/// Whether requests that are left, of which the first one is not complete, wait for a burst of short messages.
#[inline]
fn is_burst(requests: &Requests, left: &[MPI_Request]) -> bool {
    let is_short = |request: &Request| matches!(&request.kind, Kind::Receive { buffer, .. } if buffer.len() <= SHORT);
    left.len() >= BURST && requests.get(left[0]).is_ok_and(is_short)
}

#[inline]
fn wait_for<T>(awaited: Awaited<'_>, mut look: impl FnMut(&mut State) -> Result<Seen<T>>) -> Result<T> {
    let mut idle = Idle::new();
    loop {
        let (any, active, burst) = {
            let mut state = state::enter();
            let burst = match look(&mut state)? {
                Seen::Here(value) => return Ok(value),
                Seen::Missing { burst } => burst,
            };
            (poll(&mut state)?, !state.activities.is_empty(), burst)
        };
        if active {
            run_activities();
        }
        if any {
            idle.found();
            continue;
        }
        if burst {
            idle.let_come();
        }
        idle.pause(awaited);
    }
}

/// Makes some progress.
pub fn advance() -> Result<()> {
    let active = {
        let mut state = state::enter();
        poll(&mut state)?;
        !state.activities.is_empty()
    };
    if active {
        run_activities();
    }
    Ok(())
}

#[inline]
fn poll(state: &mut State) -> Result<bool> {
    match &mut state.engine {
        Some(engine) => engine.poll(&mut state.requests),
        None => Ok(false),
    }
}

/// Lets each activity do what it can, without a guard: it may call the user's functions, which may call MPI.
fn run_activities() {
    let running = std::mem::take(&mut state::enter().activities);
    let mut left = Vec::with_capacity(running.len());
    for (request, mut activity) in running {
        match activity.advance() {
            Ok(false) => left.push((request, activity)),
            Ok(true) => {
                let status = activity.status();
                request::complete(&mut state::enter().requests, request, status);
            }
            Err(error) => request::fail(&mut state::enter().requests, request, error),
        }
    }
    let mut state = state::enter();
    // What began meanwhile goes behind.
    left.append(&mut state.activities);
    state.activities = left;
}

/// Begins something that goes on in steps; the request that completes with it.
pub fn start_activity(mut activity: Box<dyn Activity>) -> Result<MPI_Request> {
    let done = activity.advance()?;
    let mut state = state::enter();
    let request: MPI_Request = state.requests.insert(Request::new(Kind::Activity));
    if done {
        request::complete(&mut state.requests, request, activity.status());
    } else {
        state.activities.push((request, activity));
    }
    Ok(request)
}

/// Waits for a request, and takes it out of the table.
#[inline]
pub fn wait(request: MPI_Request) -> Result<MPI_Status> {
    wait_until(Awaited::All(&[request]), |state| test(state, request))
}

/// Sends bytes within the library.
pub fn send_bytes(comm: &Comm, plane: Plane, dest: i32, tag: i32, bytes: &[u8]) -> Result<()> {
    let request = send(&mut state::enter(), comm, plane, dest, tag, Buffer::lent(bytes), Mode::Standard)?;
    request.map_or(Ok(()), |request| wait(request).map(|_| ()))
}

/// Receives bytes within the library; how many came.
pub fn recv_bytes(comm: &Comm, plane: Plane, source: i32, tag: i32, bytes: &mut [u8]) -> Result<usize> {
    let request = irecv(&mut state::enter(), comm, plane, source, tag, Buffer::lent_mut(bytes))?;
    Ok(wait(request)?.bytes() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::MPI_ERR_REQUEST;
    use crate::handles::{self, Table};
    use crate::p2p::matching::Key;
    use crate::p2p::request::Naming;

    const KEY: Key = Key { context: 0, source: 0, tag: 0 };

    #[test]
    fn a_burst_is_several_receives_of_short_messages() {
        let kind = handles::Kind { number: 5, class: MPI_ERR_REQUEST, name: "request" };
        let mut requests: Requests = Table::new(kind, 0x180, vec![]);
        let mut memory = vec![0; SHORT + 1];
        let mut receive = |len: usize| -> MPI_Request {
            requests.insert(Request::receive(Buffer::lent_mut(&mut memory[..len]), KEY, Naming::Rank(0)))
        };
        let (short, long) = (receive(SHORT), receive(SHORT + 1));
        let buffer = Buffer::lent(&[]);
        let send: MPI_Request = requests.insert(Request::new(Kind::Send { to: 0, key: KEY, buffer, packed: None }));
        assert!(is_burst(&requests, &[short; BURST]));
        assert!(!is_burst(&requests, &[short; BURST - 1]), "few");
        assert!(!is_burst(&requests, &[long; BURST]), "long");
        assert!(!is_burst(&requests, &[send; BURST]), "sends");
    }
}
