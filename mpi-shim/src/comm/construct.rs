//! New communicators from old ones and from groups.
use super::exchange::{Circle, swap};
use super::{Comm, CommEntry, context};
use crate::abi::{MPI_COMM_SELF, MPI_COMM_WORLD, MPI_Comm, MPI_ERR_COMM, MPI_ERR_GROUP, MPI_ERR_INTERN};
use crate::attribute::{self, Object};
use crate::errhandler::Errhandler;
use crate::error::{Error, Result};
use crate::group::Group;
use crate::info::Info;
use crate::state::{self, State};
use crate::topology::{DistGraph, Edge, Topology};
use std::ffi::CStr;
use std::sync::Arc;

/// A communicator about to be made from another: what all members of the old one agree on.
pub(super) struct Birth {
    /// The old one.
    pub(super) parent: Arc<Comm>,
    /// How many were made from it before.
    pub(super) number: u64,
    errhandler: Errhandler,
}

impl Birth {
    /// Every member of the old communicator calls this once for each call that makes new ones from it.
    pub(super) fn of(state: &mut State, parent: MPI_Comm) -> Result<Birth> {
        state.comm(parent)?;
        let entry = state.comms.get_mut(parent)?;
        let number = entry.children;
        entry.children += 1;
        Ok(Birth { parent: entry.comm.clone(), number, errhandler: entry.errhandler.clone() })
    }

    /// The context of the new communicator that this process leads, or whose first process this is.
    pub(super) fn context(&self, first: u32) -> u64 {
        context::of_words([self.parent.context, self.number, first.into()])
    }

    /// The new intra-communicator of these processes, if this one is among them.
    pub(super) fn intra(self, group: Arc<Group>, topology: Option<Topology>) -> Result<Option<MPI_Comm>> {
        let Some(rank) = group.rank_of(self.parent.me()) else { return Ok(None) };
        let context = self.context(group.members()[0]);
        self.install(Comm { topology, ..Comm::intra(context, rank, group) }).map(Some)
    }

    /// The new inter-communicator of two groups, if this process is in the local one and none is empty.
    pub(super) fn inter(self, group: Arc<Group>, remote: Arc<Group>) -> Result<Option<MPI_Comm>> {
        let Some(rank) = group.rank_of(self.parent.me()).filter(|_| remote.size() > 0) else { return Ok(None) };
        let context = self.context(group.members()[0].min(remote.members()[0]));
        self.install(Comm::inter(context, rank, group, remote)).map(Some)
    }

    /// Enters a new communicator, with the old one's error handler.
    pub(super) fn install(self, comm: Comm) -> Result<MPI_Comm> {
        install(&mut state::enter(), comm, self.errhandler)
    }
}

/// Enters a new communicator into the table.
pub(super) fn install(state: &mut State, comm: Comm, errhandler: Errhandler) -> Result<MPI_Comm> {
    if state.comms.iter().any(|(_, entry)| entry.comm.context == comm.context) {
        let text = format!("two communicators with the context {:#x}; freeing the older one helps", comm.context);
        return Err(Error::new(MPI_ERR_INTERN, text));
    }
    Ok(state.comms.insert(CommEntry { errhandler, ..CommEntry::new(comm) }))
}

/// Duplicates a communicator with its attributes and its topology; its hints are not duplicated, but `hints` are set.
pub fn duplicate(parent: MPI_Comm, hints: Option<Info>) -> Result<MPI_Comm> {
    let birth = Birth::of(&mut state::enter(), parent)?;
    let old = birth.parent.clone();
    let (rank, group) = (old.rank, old.group.clone());
    let first = group.members()[0];
    let made = match &old.remote {
        Some(remote) => Comm::inter(birth.context(first.min(remote.members()[0])), rank, group, remote.clone()),
        None => Comm { topology: old.topology.clone(), ..Comm::intra(birth.context(first), rank, group) },
    };
    let made = birth.install(made)?;
    if let Some(hints) = hints {
        state::enter().comms.get_mut(made)?.info = hints;
    }
    if let Err(error) = attribute::copy_all(Object::Comm(parent), Object::Comm(made)) {
        free(made)?;
        return Err(error);
    }
    Ok(made)
}

/// The communicator of a part of another one's processes. All of that call this, those in the part with the same group.
pub fn create(parent: MPI_Comm, group: Arc<Group>) -> Result<Option<MPI_Comm>> {
    let birth = Birth::of(&mut state::enter(), parent)?;
    let parent = birth.parent.clone();
    require_within(&parent, &group)?;
    let Some(local) = &parent.local else { return birth.intra(group, None) };
    let mut theirs = Vec::new();
    if parent.rank == 0 {
        theirs = swap(&parent, 0, (birth.number & 0x3fff_ffff) as i32, &members_to_bytes(&group))?;
    }
    Circle::new(local, birth.number).broadcast(0, &mut theirs)?;
    birth.inter(group, Arc::new(members_from_bytes(&theirs)))
}

/// The communicator of a part of another one's processes, of which only those in the part call this.
pub fn create_group(parent: MPI_Comm, group: Arc<Group>, tag: i32) -> Result<Option<MPI_Comm>> {
    let mut state = state::enter();
    let entry = state.comm(parent)?;
    let (comm, errhandler) = (entry.comm.clone(), entry.errhandler.clone());
    comm.require_intra()?;
    require_within(&comm, &group)?;
    let Some(rank) = group.rank_of(comm.me()) else { return Ok(None) };
    let context = repeated_context(&mut state, [comm.context, tag as u64], &group);
    install(&mut state, Comm::intra(context, rank, group), errhandler).map(Some)
}

/// The communicator of a group, without another one to start from.
pub fn create_from_group(group: Arc<Group>, tag: &CStr, errhandler: Errhandler) -> Result<Option<MPI_Comm>> {
    let mut state = state::enter();
    let me = state.running()?.rank;
    let Some(rank) = group.rank_of(me) else { return Ok(None) };
    let context = repeated_context(&mut state, text_to_words(tag), &group);
    install(&mut state, Comm::intra(context, rank, group), errhandler).map(Some)
}

/// The first of another communicator's processes, with a topology. The others get none.
pub fn with_topology(parent: MPI_Comm, size: usize, topology: Topology) -> Result<Option<MPI_Comm>> {
    let birth = Birth::of(&mut state::enter(), parent)?;
    birth.parent.require_intra()?;
    let members = birth.parent.group.members();
    let group = if size == members.len() { birth.parent.group.clone() } else { Arc::new(Group::new(&members[..size])) };
    birth.intra(group, Some(topology))
}

/// All of another communicator's processes, with the graph of all edges that any of them names.
pub fn with_named_edges(parent: MPI_Comm, edges: &[Edge], weighted: bool) -> Result<MPI_Comm> {
    let birth = Birth::of(&mut state::enter(), parent)?;
    let comm = birth.parent.clone();
    let named: Vec<u8> = edges.iter().flat_map(|edge| edge.to_bytes()).collect();
    let all = Circle::new(&comm, birth.number).all(&named)?;
    let all = all.iter().flat_map(|bytes| bytes.as_chunks().0.iter().map(Edge::from_bytes));
    let graph = DistGraph::of_rank(comm.rank as i32, all, weighted);
    let made = birth.intra(comm.group.clone(), Some(Topology::DistGraph(graph)))?;
    made.ok_or_else(|| Error::new(MPI_ERR_COMM, "a process outside of its own communicator"))
}

/// Frees a communicator after all its processes have come to this point.
pub fn disconnect(comm: MPI_Comm) -> Result<()> {
    let birth = Birth::of(&mut state::enter(), comm)?;
    let parent = &birth.parent;
    let local = parent.local.as_deref().unwrap_or(parent);
    Circle::new(local, birth.number).all(&[])?;
    if parent.remote.is_some() {
        if parent.rank == 0 {
            swap(parent, 0, (birth.number & 0x3fff_ffff) as i32, &[])?;
        }
        Circle::new(local, birth.number).broadcast(0, &mut Vec::new())?;
    }
    free(comm)
}

/// Takes a communicator's handle away; what is under way on it goes on.
pub fn free(comm: MPI_Comm) -> Result<()> {
    if comm == MPI_COMM_WORLD || comm == MPI_COMM_SELF {
        return Err(Error::new(MPI_ERR_COMM, "a predefined communicator cannot be freed"));
    }
    state::enter().comm(comm)?;
    attribute::delete_all(Object::Comm(comm))?;
    state::enter().comms.remove(comm).map(|_| ())
}

/// A context for a group whose members make it with nothing between them but what they call: the same words, the same
/// group, and the same number of calls with these before.
pub(super) fn repeated_context(state: &mut State, words: impl IntoIterator<Item = u64>, group: &Group) -> u64 {
    let members = group.members().iter().map(|&process| process.into());
    let family = context::of_words(words.into_iter().chain(members));
    let count = state.repeated.entry(family).or_insert(0);
    *count += 1;
    context::of_words([family, *count])
}

/// A text as words that no other text has.
pub(super) fn text_to_words(text: &CStr) -> impl Iterator<Item = u64> {
    let word = |chunk: &[u8]| chunk.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    std::iter::once(text.count_bytes() as u64).chain(text.to_bytes().chunks(8).map(word))
}

pub(super) fn members_to_bytes(group: &Group) -> Vec<u8> {
    group.members().iter().flat_map(|process| process.to_le_bytes()).collect()
}

pub(super) fn members_from_bytes(bytes: &[u8]) -> Group {
    let (words, _) = bytes.as_chunks();
    Group::new(words.iter().map(|word| u32::from_le_bytes(*word)).collect::<Vec<u32>>())
}

fn require_within(comm: &Comm, group: &Group) -> Result<()> {
    match group.members().iter().find(|&&process| !comm.group.contains(process)) {
        None => Ok(()),
        Some(process) => {
            let text = format!("a group with process {process}, which is not in the communicator");
            Err(Error::new(MPI_ERR_GROUP, text))
        }
    }
}
