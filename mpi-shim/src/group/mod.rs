//! Groups: ordered sets of processes. A process's rank is its place.
mod sets;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

pub use sets::{Comparison, Range};

/// Different processes in an order. Processes go by their numbers in the world.
#[derive(Debug, Default)]
pub struct Group {
    members: Box<[u32]>,
    order: Order,
}

/// How a process's rank is found.
#[derive(Debug, Default)]
enum Order {
    /// Consecutive numbers: by subtraction.
    #[default]
    Run,
    /// Ascending numbers: by search.
    Ascending,
    /// Any other order: by search in the ranks sorted by process, which are made when they are first needed.
    Any(OnceLock<Box<[u32]>>),
}

impl Group {
    /// The group of these processes, which are different from one another.
    pub fn new(members: impl Into<Box<[u32]>>) -> Group {
        let members = members.into();
        let order = if members.windows(2).all(|pair| pair[0].checked_add(1) == Some(pair[1])) {
            Order::Run
        } else if members.is_sorted() {
            Order::Ascending
        } else {
            Order::Any(OnceLock::new())
        };
        Group { members, order }
    }

    /// The number of members.
    #[inline]
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// The members' numbers in the world, by rank.
    #[inline]
    pub fn members(&self) -> &[u32] {
        &self.members
    }

    /// The rank of a process, if it is a member.
    pub fn rank_of(&self, process: u32) -> Option<usize> {
        match &self.order {
            Order::Run => {
                let rank = process.checked_sub(*self.members.first()?)? as usize;
                (rank < self.members.len()).then_some(rank)
            }
            Order::Ascending => self.members.binary_search(&process).ok(),
            Order::Any(sorted) => {
                let sorted = sorted.get_or_init(|| self.ranks_by_process());
                let place = sorted.binary_search_by_key(&process, |&rank| self.members[rank as usize]).ok()?;
                Some(sorted[place] as usize)
            }
        }
    }

    /// True if the process is a member.
    pub fn contains(&self, process: u32) -> bool {
        self.rank_of(process).is_some()
    }

    fn ranks_by_process(&self) -> Box<[u32]> {
        let mut ranks: Box<[u32]> = (0..self.members.len() as u32).collect();
        ranks.sort_unstable_by_key(|&rank| self.members[rank as usize]);
        ranks
    }
}
