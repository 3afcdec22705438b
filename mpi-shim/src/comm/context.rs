//! Contexts: the numbers that keep the messages of communicators apart.
//!
//! A process takes part in the messages of a context only through one communicator, so a context must be new to every
//! member of the new group, and the same for all of them. Nobody needs to be asked for one:
//!
//! ```text
//! bit 62       61..0
//! 0            process << 28 | counter        given out by one process, and told to the others
//! 1            hash of (parent's context, how many children it had, the first process of the new group)
//! ```
//! What the hash is made of is known to all members and never the same twice, so the members of the new group agree
//! without a message: duplicating a communicator costs none, and `MPI_Comm_idup` is complete at once. With a million
//! communicators alive in one process, two of them fall on the same hash with a probability of 1 in 10^7; the process
//! that is in both sees it when it makes the second, and says so instead of mixing their messages.
use crate::state::State;

/// The context of `MPI_COMM_WORLD`.
pub const WORLD: u64 = 0;
/// Contexts have 63 bits: a message carries one more beside its context, for its plane.
const HASHED: u64 = 1 << 62;
/// Counters below it are taken: 0 by the world, 1 by each process's `MPI_COMM_SELF`.
const FIRST_COUNT: u64 = 2;

/// The context of a process's `MPI_COMM_SELF`.
pub fn own(process: u32) -> u64 {
    u64::from(process) << 28 | 1
}

/// A context that this process gives out.
pub(super) fn fresh(state: &mut State, process: u32) -> u64 {
    state.contexts += 1;
    u64::from(process) << 28 | (state.contexts - 1 + FIRST_COUNT)
}

/// The context that the words stand for.
pub(super) fn of_words(words: impl IntoIterator<Item = u64>) -> u64 {
    words.into_iter().fold(0, |hash, word| mix(hash ^ mix(word.wrapping_add(GOLDEN)).wrapping_add(GOLDEN)))
        & (HASHED - 1)
        | HASHED
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of SplitMix64: every bit of the input changes half of the output's.
fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn families_of_communicators_share_no_context() {
        let mut seen = BTreeSet::from([WORLD]);
        let mut parents = vec![WORLD, own(0), own(1)];
        seen.extend(&parents);
        for _ in 0..4 {
            let children = |parent: &u64| (0..30).map(|child| of_words([*parent, child, 0])).collect::<Vec<_>>();
            parents = parents.iter().flat_map(children).take(20_000).collect();
            for &context in &parents {
                assert!(seen.insert(context), "{context:#x} twice");
            }
        }
    }

    #[test]
    fn every_word_and_its_place_count() {
        let words = [[1, 2, 3], [1, 3, 2], [2, 1, 3], [1, 2, 4], [0, 2, 3], [1, 2, 0]];
        let contexts: BTreeSet<u64> = words.into_iter().map(of_words).collect();
        assert_eq!(contexts.len(), words.len());
        assert_ne!(of_words([0]), of_words([0, 0]));
    }
}
