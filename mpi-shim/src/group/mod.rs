//! Groups: ordered sets of processes.

/// An ordered set of processes, by their numbers in the job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    members: Box<[u32]>,
}

impl Group {
    /// The group of these processes, in this order; none twice.
    pub fn new(members: impl Into<Box<[u32]>>) -> Group {
        Group { members: members.into() }
    }

    /// The processes, by rank.
    #[inline]
    pub fn members(&self) -> &[u32] {
        &self.members
    }

    /// How many.
    #[inline]
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// The rank of a process.
    #[inline]
    pub fn rank_of(&self, process: u32) -> Option<usize> {
        // Most groups are the world's first processes in order.
        if self.members.get(process as usize) == Some(&process) {
            return Some(process as usize);
        }
        self.members.iter().position(|&member| member == process)
    }
}
