//! New groups from old ones (MPI 5.0, section 7.3.2): sets that keep an order.
use super::Group;
use crate::abi::{MPI_ERR_ARG, MPI_ERR_RANK, MPI_PROC_NULL, MPI_UNDEFINED};
use crate::error::{Error, Result};
use std::ffi::c_int;

/// How two groups relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The same processes in the same order.
    Identical,
    /// The same processes in another order.
    Similar,
    /// Different processes.
    Unequal,
}

/// The ranks `first`, `first + stride`, ... up to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Range {
    /// The first rank.
    pub first: c_int,
    /// No rank lies beyond it.
    pub last: c_int,
    /// From one rank to the next: negative to go down.
    pub stride: c_int,
}

impl Range {
    fn ranks(self) -> Result<impl Iterator<Item = i64>> {
        let Range { first, last, stride } = self;
        if stride == 0 || (first < last && stride < 0) || (first > last && stride > 0) {
            let text = format!("a stride of {stride} does not lead from rank {first} to rank {last}");
            return Err(Error::new(MPI_ERR_ARG, text));
        }
        let (first, stride) = (i64::from(first), i64::from(stride));
        let steps = (i64::from(last) - first) / stride;
        Ok((0..=steps).map(move |step| first + step * stride))
    }
}

impl Group {
    /// How this group relates to another.
    pub fn compare(&self, other: &Group) -> Comparison {
        if self.members == other.members {
            Comparison::Identical
        } else if self.size() == other.size() && self.members.iter().all(|&process| other.contains(process)) {
            Comparison::Similar
        } else {
            Comparison::Unequal
        }
    }

    /// The members of this group, and then those of the other that are not in this.
    pub fn union(&self, other: &Group) -> Group {
        let added = other.members.iter().filter(|&&process| !self.contains(process));
        Group::new(self.members.iter().chain(added).copied().collect::<Box<[u32]>>())
    }

    /// The members of this group that are in the other too, in this group's order.
    pub fn intersection(&self, other: &Group) -> Group {
        self.filtered(|process| other.contains(process))
    }

    /// The members of this group that are not in the other.
    pub fn difference(&self, other: &Group) -> Group {
        self.filtered(|process| !other.contains(process))
    }

    /// The members with these ranks, in the order of the ranks.
    pub fn include(&self, ranks: &[c_int]) -> Result<Group> {
        let ranks = self.different(ranks.iter().map(|&rank| i64::from(rank)))?;
        Ok(Group::new(ranks.iter().map(|&rank| self.members[rank]).collect::<Box<[u32]>>()))
    }

    /// The members without those of these ranks.
    pub fn exclude(&self, ranks: &[c_int]) -> Result<Group> {
        Ok(self.without(&self.different(ranks.iter().map(|&rank| i64::from(rank)))?))
    }

    /// The members with the ranks of these ranges.
    pub fn include_ranges(&self, ranges: &[Range]) -> Result<Group> {
        let ranks = self.expand(ranges)?;
        Ok(Group::new(ranks.iter().map(|&rank| self.members[rank]).collect::<Box<[u32]>>()))
    }

    /// The members without those in these ranges.
    pub fn exclude_ranges(&self, ranges: &[Range]) -> Result<Group> {
        Ok(self.without(&self.expand(ranges)?))
    }

    /// The rank in another group of the process with a rank in this one: `MPI_UNDEFINED` if it is not a member there.
    pub fn translate(&self, rank: c_int, other: &Group) -> Result<c_int> {
        if rank == MPI_PROC_NULL {
            return Ok(MPI_PROC_NULL);
        }
        let process = self.members[self.checked(rank.into())?];
        Ok(other.rank_of(process).map_or(MPI_UNDEFINED, |rank| rank as c_int))
    }

    fn filtered(&self, keep: impl Fn(u32) -> bool) -> Group {
        Group::new(self.members.iter().copied().filter(|&process| keep(process)).collect::<Box<[u32]>>())
    }

    fn without(&self, ranks: &[usize]) -> Group {
        let mut gone = vec![false; self.size()];
        ranks.iter().for_each(|&rank| gone[rank] = true);
        let kept = self.members.iter().zip(gone).filter(|&(_, gone)| !gone);
        Group::new(kept.map(|(&process, _)| process).collect::<Box<[u32]>>())
    }

    fn expand(&self, ranges: &[Range]) -> Result<Vec<usize>> {
        let mut ranks = Vec::new();
        for range in ranges {
            for rank in range.ranks()? {
                self.checked(rank)?; // here, lest a range that leaves the group is walked to its end
                ranks.push(rank);
            }
        }
        self.different(ranks.into_iter())
    }

    fn different(&self, ranks: impl Iterator<Item = i64>) -> Result<Vec<usize>> {
        let mut seen = vec![false; self.size()];
        let mut checked = Vec::new();
        for rank in ranks {
            let rank = self.checked(rank)?;
            if std::mem::replace(&mut seen[rank], true) {
                return Err(Error::new(MPI_ERR_RANK, format!("rank {rank} is named twice")));
            }
            checked.push(rank);
        }
        Ok(checked)
    }

    fn checked(&self, rank: i64) -> Result<usize> {
        usize::try_from(rank)
            .ok()
            .filter(|&rank| rank < self.size())
            .ok_or_else(|| Error::new(MPI_ERR_RANK, format!("rank {rank} is outside of a group of {}", self.size())))
    }
}
