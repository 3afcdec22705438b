//! Groups.
use super::argument::{list, places, text, value};
use super::{mpi, set};
use crate::abi::{
    MPI_GROUP_EMPTY, MPI_GROUP_NULL, MPI_Group, MPI_IDENT, MPI_SIMILAR, MPI_Session, MPI_UNDEFINED, MPI_UNEQUAL,
};
use crate::error::Result;
use crate::group::{Comparison, Group, Range};
use crate::session;
use crate::state;
use std::ffi::{c_char, c_int};
use std::sync::Arc;

/// Writes a new handle of a group: the predefined one of an empty group.
pub(super) fn set_group(place: *mut MPI_Group, group: Arc<Group>) -> Result<()> {
    if place.is_null() || group.size() == 0 {
        return set(place, MPI_GROUP_EMPTY);
    }
    set(place, state::enter().groups.insert(group))
}

pub(super) fn group_of(handle: MPI_Group) -> Result<Arc<Group>> {
    state::enter().group(handle).cloned()
}

pub(super) fn comparison(result: Comparison, equal: c_int) -> c_int {
    match result {
        Comparison::Identical => equal,
        Comparison::Similar => MPI_SIMILAR,
        Comparison::Unequal => MPI_UNEQUAL,
    }
}

mpi! {
    /// How many members a group has.
    fn MPI_Group_size, PMPI_Group_size(group: MPI_Group, size: *mut c_int) on (), {
        set(size, state::enter().group(group)?.size() as c_int)
    }

    /// This process's rank in a group.
    fn MPI_Group_rank, PMPI_Group_rank(group: MPI_Group, rank: *mut c_int) on (), {
        let found = {
            let state = state::enter();
            state.group(group)?.rank_of(state.running()?.rank)
        };
        set(rank, found.map_or(MPI_UNDEFINED, |rank| rank as c_int))
    }

    /// The ranks in one group of processes given by their ranks in another.
    fn MPI_Group_translate_ranks, PMPI_Group_translate_ranks(
        group1: MPI_Group, n: c_int, ranks1: *const c_int, group2: MPI_Group, ranks2: *mut c_int
    ) on (), {
        let (from, to) = (group_of(group1)?, group_of(group2)?);
        for (place, &rank) in places(ranks2, n)?.iter_mut().zip(list(ranks1, n)?) {
            *place = from.translate(rank, &to)?;
        }
        Ok(())
    }

    /// How two groups relate.
    fn MPI_Group_compare, PMPI_Group_compare(group1: MPI_Group, group2: MPI_Group, result: *mut c_int) on (), {
        let relation = group_of(group1)?.compare(&*group_of(group2)?);
        set(result, comparison(relation, MPI_IDENT))
    }

    /// The members of either group.
    fn MPI_Group_union, PMPI_Group_union(group1: MPI_Group, group2: MPI_Group, newgroup: *mut MPI_Group) on (), {
        set_group(newgroup, Arc::new(group_of(group1)?.union(&*group_of(group2)?)))
    }

    /// The members of both groups.
    fn MPI_Group_intersection, PMPI_Group_intersection(
        group1: MPI_Group, group2: MPI_Group, newgroup: *mut MPI_Group
    ) on (), {
        set_group(newgroup, Arc::new(group_of(group1)?.intersection(&*group_of(group2)?)))
    }

    /// The members of the first group that are not in the second.
    fn MPI_Group_difference, PMPI_Group_difference(
        group1: MPI_Group, group2: MPI_Group, newgroup: *mut MPI_Group
    ) on (), {
        set_group(newgroup, Arc::new(group_of(group1)?.difference(&*group_of(group2)?)))
    }

    /// The members with some ranks.
    fn MPI_Group_incl, PMPI_Group_incl(
        group: MPI_Group, n: c_int, ranks: *const c_int, newgroup: *mut MPI_Group
    ) on (), {
        set_group(newgroup, Arc::new(group_of(group)?.include(list(ranks, n)?)?))
    }

    /// The members without those with some ranks.
    fn MPI_Group_excl, PMPI_Group_excl(
        group: MPI_Group, n: c_int, ranks: *const c_int, newgroup: *mut MPI_Group
    ) on (), {
        set_group(newgroup, Arc::new(group_of(group)?.exclude(list(ranks, n)?)?))
    }

    /// The members with the ranks of some ranges.
    fn MPI_Group_range_incl, PMPI_Group_range_incl(
        group: MPI_Group, n: c_int, ranges: *mut Range, newgroup: *mut MPI_Group
    ) on (), {
        set_group(newgroup, Arc::new(group_of(group)?.include_ranges(list(ranges, n)?)?))
    }

    /// The members without those in some ranges.
    fn MPI_Group_range_excl, PMPI_Group_range_excl(
        group: MPI_Group, n: c_int, ranges: *mut Range, newgroup: *mut MPI_Group
    ) on (), {
        set_group(newgroup, Arc::new(group_of(group)?.exclude_ranges(list(ranges, n)?)?))
    }

    /// The members of a process set.
    fn MPI_Group_from_session_pset, PMPI_Group_from_session_pset(
        session: MPI_Session, pset_name: *const c_char, newgroup: *mut MPI_Group
    ) on session, {
        let name = text(pset_name)?;
        let members = {
            let state = state::enter();
            state.sessions.get(session)?;
            session::set_members(&state, name)?
        };
        set_group(newgroup, Arc::new(members))
    }

    /// Frees a handle.
    fn MPI_Group_free, PMPI_Group_free(group: *mut MPI_Group) on (), {
        let handle = value(group)?;
        // What the set operations give for an empty result can be freed like any other group.
        if handle != MPI_GROUP_EMPTY {
            state::enter().groups.remove(handle)?;
        }
        set(group, MPI_GROUP_NULL)
    }
}
