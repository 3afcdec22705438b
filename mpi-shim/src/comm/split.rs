//! Communicators split into parts.
use super::Comm;
use super::construct::Birth;
use super::exchange::{Circle, swap};
use crate::abi::{MPI_Comm, MPI_ERR_ARG, MPI_UNDEFINED};
use crate::error::{Error, Result};
use crate::group::Group;
use crate::state;
use crate::topology::{Cart, Topology};
use std::ffi::c_int;
use std::sync::Arc;

/// What processes must share to be in one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Memory: they are on one node.
    Node,
    /// The next level below the communicator's own: a part that is as large as the whole is none.
    NextBelow,
    /// Something that this library does not know: no process is in any part.
    Unknown,
}

/// What each process says: whose part it wants to be in, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wish {
    color: c_int,
    key: c_int,
}

impl Wish {
    fn to_bytes(self) -> [u8; 8] {
        let Wish { color, key } = self;
        (u64::from(color as u32) | u64::from(key as u32) << 32).to_le_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Wish {
        let word = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Wish { color: word as u32 as c_int, key: (word >> 32) as u32 as c_int }
    }
}

/// The part of all processes with the same color, ordered by key and then by rank.
pub fn split(parent: MPI_Comm, color: c_int, key: c_int) -> Result<Option<MPI_Comm>> {
    if color < 0 && color != MPI_UNDEFINED {
        return Err(Error::new(MPI_ERR_ARG, format!("the color {color}; it must be 0 or more, or MPI_UNDEFINED")));
    }
    split_if(parent, Wish { color, key }, |_| true)
}

/// The part of all processes that share something. `level` is none for a process that wants no part.
pub fn split_by_level(parent: MPI_Comm, level: Option<Level>, key: c_int) -> Result<Option<MPI_Comm>> {
    let node = state::enter().running()?.local.first().copied().unwrap_or(0);
    let color = match level {
        Some(Level::Node | Level::NextBelow) => node as c_int,
        Some(Level::Unknown) | None => MPI_UNDEFINED,
    };
    let whole = state::enter().comm(parent)?.comm.group.size();
    split_if(parent, Wish { color, key }, |part| level != Some(Level::NextBelow) || part.size() < whole)
}

/// The part of a grid in which some dimensions remain.
pub fn split_grid(parent: MPI_Comm, remain: &[bool]) -> Result<MPI_Comm> {
    let birth = Birth::of(&mut state::enter(), parent)?;
    let grid = Topology::cart(birth.parent.topology.as_ref())?.clone();
    let (color, _) = grid.place_in_sub(birth.parent.rank as c_int, remain)?;
    let part = part_of_grid(&birth.parent, &grid, remain, color)?;
    let made = birth.intra(Arc::new(part), Some(Topology::Cart(grid.sub(remain))))?;
    made.ok_or_else(|| Error::new(MPI_ERR_ARG, "a process outside of its own part of the grid"))
}

fn part_of_grid(comm: &Comm, grid: &Cart, remain: &[bool], color: c_int) -> Result<Group> {
    let mut members = Vec::new();
    for (rank, &process) in comm.group.members().iter().enumerate() {
        let (other, key) = grid.place_in_sub(rank as c_int, remain)?;
        if other == color {
            members.push((key, process));
        }
    }
    members.sort_unstable();
    Ok(Group::new(members.into_iter().map(|(_, process)| process).collect::<Vec<u32>>()))
}

fn split_if(parent: MPI_Comm, wish: Wish, accept: impl Fn(&Group) -> bool) -> Result<Option<MPI_Comm>> {
    let birth = Birth::of(&mut state::enter(), parent)?;
    let comm = birth.parent.clone();
    let local = comm.local.as_deref().unwrap_or(&comm);
    let ours = Circle::new(local, birth.number).all(&wish.to_bytes())?;
    let ours: Vec<Wish> = ours.iter().map(|bytes| Wish::from_bytes(bytes)).collect();
    let theirs = match &comm.remote {
        Some(_) => Some(swap_wishes(&comm, local, birth.number, &ours)?),
        None => None,
    };
    if wish.color == MPI_UNDEFINED {
        return Ok(None);
    }
    let part = part(&comm.group, &ours, wish.color);
    if !accept(&part) {
        return Ok(None);
    }
    match (theirs, &comm.remote) {
        (Some(theirs), Some(remote)) => birth.inter(Arc::new(part), Arc::new(self::part(remote, &theirs, wish.color))),
        _ => birth.intra(Arc::new(part), None),
    }
}

/// The wishes of the other side of an inter-communicator.
fn swap_wishes(comm: &Comm, local: &Comm, number: u64, ours: &[Wish]) -> Result<Vec<Wish>> {
    let mut theirs = Vec::new();
    if comm.rank == 0 {
        let ours: Vec<u8> = ours.iter().flat_map(|wish| wish.to_bytes()).collect();
        theirs = swap(comm, 0, (number & 0x3fff_ffff) as i32, &ours)?;
    }
    Circle::new(local, number).broadcast(0, &mut theirs)?;
    Ok(theirs.chunks_exact(8).map(Wish::from_bytes).collect())
}

fn part(group: &Group, wishes: &[Wish], color: c_int) -> Group {
    let same = group.members().iter().zip(wishes).enumerate().filter(|(_, (_, wish))| wish.color == color);
    let mut members: Vec<(c_int, usize, u32)> =
        same.map(|(rank, (&process, wish))| (wish.key, rank, process)).collect();
    members.sort_unstable();
    Group::new(members.into_iter().map(|(_, _, process)| process).collect::<Vec<u32>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_ordered_by_key_and_then_by_rank() {
        let group = Group::new(vec![10, 11, 12, 13, 14]);
        let wishes = [(1, 5), (2, 0), (1, -7), (1, 5), (MPI_UNDEFINED, 0)].map(|(color, key)| Wish { color, key });
        assert_eq!(part(&group, &wishes, 1).members(), [12, 10, 13]);
        assert_eq!(part(&group, &wishes, 2).members(), [11]);
        assert!(part(&group, &wishes, 3).members().is_empty());
    }

    #[test]
    fn wishes_survive_their_bytes() {
        for wish in [Wish { color: MPI_UNDEFINED, key: -1 }, Wish { color: c_int::MAX, key: c_int::MIN }] {
            assert_eq!(Wish::from_bytes(&wish.to_bytes()), wish);
        }
    }
}
