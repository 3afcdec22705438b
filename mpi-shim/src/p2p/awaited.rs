//! What a wait waits for, in words and as the processes that have to act: for whoever asks why a job stands still.
//!
//! A wait that sleeps for the second time, and has found nothing for a while, says on the board what it waits for (`launch/waits.rs`),
//! and takes that back when it ends. Nothing of this happens before a process sleeps.

use super::matching::{ANY, Key};
use super::request::Kind;
use super::{Plane, completion};
use crate::abi::{MPI_COMM_SELF, MPI_COMM_WORLD, MPI_Comm, MPI_Request, MPI_THREAD_MULTIPLE};
use crate::calls;
use crate::comm::{Comm, CommEntry};
use crate::group::Group;
use crate::launch::ranks::in_words;
use crate::launch::waits::{Form, Reason, Wait, now_ms};
use crate::state::{self, State};

/// A wait that has been without work for so long says what it waits for, and again after as long.
const QUIET_MS: u64 = 40;
/// A communicator without a name is called by its members if that takes no more bytes.
const LONGEST_MEMBERS: usize = 40;
/// What is waited for is said of so many requests.
const SAID: usize = 2;

/// What a wait waits for.
#[derive(Clone, Copy, Debug)]
pub enum Awaited<'a> {
    /// All of these requests. Those that are not in the table any more are done.
    All(&'a [MPI_Request]),
    /// One of them.
    Any(&'a [MPI_Request]),
    /// A message that a probe looks for.
    Message {
        /// Its source, or `MPI_ANY_SOURCE`.
        source: i32,
        /// Its tag, or `MPI_ANY_TAG`.
        tag: i32,
        /// Its communicator.
        comm: MPI_Comm,
    },
    /// All messages that were sent and that no call waits for.
    Departure,
}

/// One thing that is waited for.
struct Item {
    form: Form,
    reason: Reason,
    peers: Vec<u32>,
    text: String,
}

impl Awaited<'_> {
    fn describe(self, state: &State) -> Wait {
        let mut items = Vec::new();
        match self {
            Awaited::All(requests) | Awaited::Any(requests) => {
                requests.iter().for_each(|&request| add_request(state, request, &mut items));
            }
            Awaited::Message { source, tag, comm } => {
                let asked = state.comm(comm).and_then(|entry| super::asking(&entry.comm, Plane::User, source, tag));
                items.extend(asked.map(|(asked, _)| of_receive(state, &asked)));
            }
            Awaited::Departure => {
                let sends = state.requests.iter().filter(|(_, request)| matches!(request.kind, Kind::Send { .. }));
                sends.for_each(|(handle, _)| add_request(state, MPI_Request(handle), &mut items));
            }
        }
        let mut wait = if matches!(self, Awaited::Any(_)) { any(&items) } else { all(&items) };
        if self.leaves_out_an_activity(state) {
            wait.form = Form::Unknown;
        }
        wait.text = in_sentence(&items, matches!(self, Awaited::Any(_)));
        wait
    }

    /// Whether something goes on in steps that this wait is not for: others may wait for that, and not for what this process waits for.
    fn leaves_out_an_activity(self, state: &State) -> bool {
        let awaited: Vec<MPI_Request> = match self {
            Awaited::All(requests) | Awaited::Any(requests) => requests.iter().map(|&one| active(state, one)).collect(),
            Awaited::Message { .. } | Awaited::Departure => Vec::new(),
        };
        state.activities.iter().any(|(handle, _)| !awaited.contains(handle))
    }
}

/// The operation under way behind a request: for a persistent one that which a start began.
fn active(state: &State, request: MPI_Request) -> MPI_Request {
    match state.requests.get(request).map(|found| &found.kind) {
        Ok(Kind::Persistent { active: Some(active), .. }) => *active,
        _ => request,
    }
}

fn add_request(state: &State, request: MPI_Request, items: &mut Vec<Item>) {
    let Ok(found) = state.requests.get(request) else { return };
    if found.is_complete() {
        return;
    }
    match &found.kind {
        Kind::Receive { asked, .. } => items.push(of_receive(state, asked)),
        Kind::Send { to, key, buffer, .. } => items.push(of_send(state, *to, key, buffer.len())),
        Kind::Persistent { .. } => {
            let active = active(state, request);
            if active != request {
                add_request(state, active, items);
            }
        }
        Kind::Activity => add_activity(state, request, items),
        Kind::Generalized(_) => items.push(Item {
            form: Form::Unknown,
            reason: Reason::Several,
            peers: Vec::new(),
            text: "a generalized request of the program".to_owned(),
        }),
    }
}

fn add_activity(state: &State, request: MPI_Request, items: &mut Vec<Item>) {
    let Some((_, activity)) = state.activities.iter().find(|(handle, _)| *handle == request) else { return };
    let first = items.len();
    for &step in activity.awaits() {
        if completion::is_complete(state, step) == Ok(false) {
            add_request(state, step, items);
        }
    }
    for item in &mut items[first..] {
        item.text = format!("{}: {}", activity.name(), item.text);
    }
}

/// What a receive asks for.
fn of_receive(state: &State, asked: &Key) -> Item {
    let place = Place::of(state, asked);
    if asked.source == ANY {
        let peers = place.others();
        let form = if peers.is_empty() { Form::Anybody } else { Form::Any };
        let text = format!("a message from any rank{} on {}", with_tag(asked.tag), place.name);
        return Item { form, reason: Reason::Message, peers, text };
    }
    let process = asked.source.cast_unsigned();
    let who = place.rank(process);
    let (reason, text) = match place.collective {
        true => (Reason::Collective, format!("{who} in a collective on {}", place.name)),
        false => (Reason::Message, format!("a message from {who}{} on {}", with_tag(asked.tag), place.name)),
    };
    Item { form: Form::All, reason, peers: vec![process], text }
}

fn of_send(state: &State, to: u32, key: &Key, len: usize) -> Item {
    let place = Place::of(state, key);
    let (who, what) =
        (place.rank(to), if place.collective { " in a collective".to_owned() } else { with_tag(key.tag) });
    let text = format!("{who} to receive a message of {len} bytes{what} on {}", place.name);
    Item { form: Form::All, reason: Reason::Receive, peers: vec![to], text }
}

fn with_tag(tag: i32) -> String {
    if tag == ANY { " with any tag".to_owned() } else { format!(" with tag {tag}") }
}

/// The communicator of a context, as far as it is known.
struct Place<'a> {
    comm: Option<&'a Comm>,
    name: String,
    collective: bool,
}

impl Place<'_> {
    /// The communicator that a key's context belongs to.
    fn of<'a>(state: &'a State, key: &Key) -> Place<'a> {
        let collective = key.plane() == Plane::Collective;
        let entry = entry(state, key.context >> 1);
        let name = entry.map_or_else(|| "a communicator without a handle".to_owned(), comm_name);
        Place { comm: entry.map(|entry| &*entry.comm), name, collective }
    }

    /// A process by its rank among the communicator's peers.
    fn rank(&self, process: u32) -> String {
        match self.comm.and_then(|comm| comm.peers().rank_of(process)) {
            Some(rank) if rank != process as usize => format!("rank {rank} (rank {process} of the job)"),
            _ => format!("rank {process}"),
        }
    }

    /// All processes that could send here but this one, if the communicator is known.
    fn others(&self) -> Vec<u32> {
        let Some(comm) = self.comm else { return Vec::new() };
        comm.peers().members().iter().copied().filter(|&process| process != comm.me()).collect()
    }
}

/// The communicator of a context.
fn entry(state: &State, context: u64) -> Option<&CommEntry> {
    let predefined = [MPI_COMM_WORLD, MPI_COMM_SELF].into_iter().filter_map(|comm| state.comms.get(comm).ok());
    let mut all = predefined.chain(state.comms.iter().map(|(_, entry)| entry));
    all.find(|entry| {
        let local = entry.comm.local.as_ref();
        entry.comm.context == context || local.is_some_and(|local| local.context == context)
    })
}

/// What a communicator is called: by its name or by its members.
fn comm_name(entry: &CommEntry) -> String {
    if !entry.name.is_empty() {
        return entry.name.to_string_lossy().into_owned();
    }
    let members = members_in_words(&entry.comm.group);
    match members.len() <= LONGEST_MEMBERS {
        true => format!("a communicator of {members}"),
        false => format!("a communicator of {} ranks", entry.comm.group.size()),
    }
}

fn members_in_words(group: &Group) -> String {
    let mut members = group.members().to_vec();
    members.sort_unstable();
    in_words(&members)
}

/// All items have to come.
fn all(items: &[Item]) -> Wait {
    let certain: Vec<&Item> = items.iter().filter(|item| item.form == Form::All).collect();
    if certain.is_empty() {
        let first = items.first();
        let form = first.map_or(Form::Unknown, |item| item.form);
        let reason = first.map_or(Reason::Several, |item| item.reason);
        return Wait { form, reason, peers: first.map_or_else(Vec::new, |item| item.peers.clone()), ..Wait::default() };
    }
    Wait { form: Form::All, reason: reason(&certain), peers: union(&certain), ..Wait::default() }
}

/// One item is enough.
fn any(items: &[Item]) -> Wait {
    let every: Vec<&Item> = items.iter().collect();
    let has = |form| items.iter().any(|item| item.form == form);
    let form = match items {
        [one] => one.form,
        _ if items.is_empty() || has(Form::Unknown) => Form::Unknown,
        _ if has(Form::Anybody) => Form::Anybody,
        _ => Form::Any,
    };
    Wait { form, reason: reason(&every), peers: union(&every), ..Wait::default() }
}

fn reason(items: &[&Item]) -> Reason {
    match items {
        [first, rest @ ..] if rest.iter().all(|item| item.reason == first.reason) => first.reason,
        _ => Reason::Several,
    }
}

fn union(items: &[&Item]) -> Vec<u32> {
    let mut peers: Vec<u32> = items.iter().flat_map(|item| item.peers.iter().copied()).collect();
    peers.sort_unstable();
    peers.dedup();
    peers
}

fn in_sentence(items: &[Item], any: bool) -> String {
    let call = calls::current();
    let said: Vec<&str> = items.iter().take(SAID).map(|item| item.text.as_str()).collect();
    let join = if any { " or for " } else { " and for " };
    match items.len() {
        0 => format!("{call} waits"),
        len if len > SAID => format!("{call} waits for {}{join}{} more", said.join(join), len - SAID),
        _ => format!("{call} waits for {}", said.join(join)),
    }
}

/// The wait of a collective in shared memory for those of `comm`'s group that have not come.
pub(crate) fn of_members(state: &State, context: u64, absent: &[usize]) -> Wait {
    let entry = entry(state, context);
    let name = entry.map_or_else(|| "a communicator without a handle".to_owned(), comm_name);
    let ranks: Vec<u32> = absent.iter().map(|&rank| rank as u32).collect();
    let have = if ranks.len() == 1 { "has" } else { "have" };
    let who = in_words(&ranks);
    let text = format!("{} waits for {who} of {name}, which {have} not come", calls::current());
    let group = entry.map(|entry| entry.comm.group.members());
    let peers = absent.iter().filter_map(|&rank| group?.get(rank).copied()).collect();
    let form = if state.activities.is_empty() { Form::All } else { Form::Unknown };
    Wait { form, reason: Reason::Collective, peers, text, ..Wait::default() }
}

/// How long a wait has slept without work, and whether the board says so.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    since_ms: u64,
    quiet_since_ms: u64,
    said_ms: u64,
}

impl Stall {
    /// The wait is about to sleep; `anew` if it has found something to do since it slept last.
    #[cold]
    pub(crate) fn sleeps(&mut self, anew: bool, describe: impl FnOnce(&State) -> Wait) {
        let now = now_ms();
        if self.since_ms == 0 {
            self.since_ms = now;
        }
        if anew || self.quiet_since_ms == 0 {
            self.quiet_since_ms = now;
        }
        if now - self.quiet_since_ms.max(self.said_ms) < QUIET_MS {
            return;
        }
        self.said_ms = now;
        let state = state::enter();
        let Some(job) = &state.job else { return };
        let mut wait = describe(&state);
        if state.thread_level == MPI_THREAD_MULTIPLE || state.engine.as_ref().is_some_and(|engine| engine.uses_fabric())
        {
            // Another thread may go on; and a fabric may hold a message for longer than shared memory does.
            wait.form = Form::Unknown;
        }
        wait.since_ms = self.since_ms;
        wait.quiet_since_ms = self.quiet_since_ms;
        job.note_wait(Some(&wait));
    }

    /// The same for a wait of messages.
    pub(super) fn sleeps_for(&mut self, anew: bool, awaited: Awaited<'_>) {
        self.sleeps(anew, |state| awaited.describe(state));
    }

    #[cold]
    fn take_back(&self) {
        if let Some(job) = &state::enter().job {
            job.note_wait(None);
        }
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        if self.said_ms != 0 {
            self.take_back();
        }
    }
}
