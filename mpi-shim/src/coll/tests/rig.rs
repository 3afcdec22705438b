//! What the tests of schedules have in common: sizes, operations, memory of known contents.

use super::play::Combine;
use crate::coll::memory::address;
use crate::coll::schedule::{Blocks, Builder, Data, Schedule, run};

pub(super) const SIZES: std::ops::RangeInclusive<usize> = 1..=17;
pub(super) const COUNTS: [usize; 5] = [0, 1, 3, 16, 37];

/// Affine maps modulo 13, one after the other: associative, and the order matters. `16 a + b` stands for z ↦ a z + b.
pub(super) fn compose(left: u8, right: u8) -> u8 {
    let (a, b, c, d) = (left / 16 % 13, left % 16 % 13, right / 16 % 13, right % 16 % 13);
    (a as u32 * c as u32 % 13) as u8 * 16 + ((a as u32 * d as u32 + b as u32) % 13) as u8
}

pub(super) fn add(left: u8, right: u8) -> u8 {
    left.wrapping_add(right)
}

pub(super) fn unused(_: u8, _: u8) -> u8 {
    unreachable!("no reductions in this collective")
}

/// A buffer of a rank, with values that tell rank and place apart.
pub(super) struct Memory(pub(super) Vec<u8>);

impl Memory {
    pub(super) fn filled(len: usize, rank: usize) -> Memory {
        Memory((0..len).map(|index| value(rank, index)).collect())
    }

    pub(super) fn empty(len: usize) -> Memory {
        Memory(vec![0xee; len])
    }

    pub(super) fn data(&mut self) -> Data {
        let len = self.0.len();
        run(address(self.0.as_mut_ptr()), len)
    }

    pub(super) fn blocks(&mut self, count: usize) -> Blocks {
        Blocks::new(self.data().elements(0, count))
    }
}

pub(super) fn value(rank: usize, index: usize) -> u8 {
    let mixed = ((rank * 31 + index * 7 + 5) as u32).wrapping_mul(2_654_435_761) as usize >> 9;
    ((mixed % 12 + 1) * 16 + mixed / 12 % 13) as u8
}

pub(super) fn values(rank: usize, len: usize) -> Vec<u8> {
    Memory::filled(len, rank).0
}

pub(super) fn schedules(size: usize, mut write: impl FnMut(&mut Builder)) -> Vec<Schedule> {
    let build = |rank| {
        let mut builder = Builder::new(rank, size, None);
        write(&mut builder);
        builder.finish()
    };
    (0..size).map(build).collect()
}

/// What `data` of all ranks folds to, in the order of ranks.
pub(super) fn fold(ranks: std::ops::Range<usize>, len: usize, combine: Combine) -> Vec<u8> {
    let all = ranks.map(|rank| values(rank, len));
    all.reduce(|left, right| left.iter().zip(&right).map(|(&left, &right)| combine(left, right)).collect())
        .unwrap_or_default()
}

pub(super) fn for_roots(check: impl Fn(usize, usize, usize)) {
    for size in SIZES {
        for root in 0..size {
            COUNTS.iter().for_each(|&count| check(size, root, count));
        }
    }
}
