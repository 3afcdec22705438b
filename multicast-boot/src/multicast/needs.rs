//! What receivers lack, put together over all of them.

use super::geometry::all_symbols;
use std::collections::BTreeMap;
use twowire_fabric::wire::boot::Lack;

/// What is lacking of one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// A bit for each source symbol that somebody misses.
    pub(crate) missing: u64,
    /// The most symbols that one receiver lacks.
    pub(crate) most: u16,
    /// A bit for each source symbol that more than one receiver misses.
    shared: u64,
    /// What each of the receivers misses, the first few of them.
    each: Vec<(usize, u64)>,
}

/// So many receivers are remembered for each block: with more of them few symbols are missed by one alone.
const REMEMBERED: usize = 16;

impl Need {
    fn add(&mut self, receiver: usize, missing: u64, count: u16) {
        self.most = self.most.max(count);
        match self.each.iter_mut().find(|(known, _)| *known == receiver) {
            // It asks again.
            Some((_, its)) => {
                self.missing |= missing;
                *its |= missing;
            }
            None => {
                self.shared |= self.missing & missing;
                self.missing |= missing;
                match self.each.len() < REMEMBERED {
                    true => self.each.push((receiver, missing)),
                    false => self.shared |= missing,
                }
            }
        }
    }

    /// A bit for each source symbol that several receivers miss: these are sent to the group.
    pub(crate) fn shared(&self) -> u64 {
        self.shared
    }

    /// The source symbols that one receiver alone misses, with that receiver.
    pub(crate) fn of_one(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        self.each.iter().map(|&(receiver, missing)| (receiver, missing & !self.shared)).filter(|&(_, own)| own != 0)
    }
}

/// What is lacking, by block.
#[derive(Default)]
pub(crate) struct Needs {
    blocks: BTreeMap<u32, Need>,
}

impl Needs {
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Adds what a receiver says of a block of so many source symbols.
    pub(crate) fn add(&mut self, receiver: usize, block: u32, symbols: u16, lack: &Lack) {
        let all = all_symbols(symbols);
        let missing = if lack.blocks > 1 { all } else { lack.missing & all };
        if missing == 0 {
            return;
        }
        let most = if lack.blocks > 1 { symbols } else { lack.count.clamp(1, missing.count_ones() as u16) };
        self.blocks.entry(block).or_default().add(receiver, missing, most);
    }

    /// Takes out the first block that `is_ready`.
    pub(crate) fn take(&mut self, is_ready: impl Fn(u32) -> bool) -> Option<(u32, Need)> {
        let block = self.blocks.keys().copied().find(|&block| is_ready(block))?;
        self.blocks.remove(&block).map(|need| (block, need))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lack(missing: u64) -> Lack {
        Lack { block: 5, blocks: 1, count: missing.count_ones() as u16, missing }
    }

    #[test]
    fn what_one_receiver_misses_is_told_from_what_several_do() {
        let mut needs = Needs::default();
        for (receiver, missing) in [(3, 0b0011), (7, 0b0110), (3, 0b0001), (9, 0b1000)] {
            needs.add(receiver, 5, 64, &lack(missing));
        }
        let (block, need) = needs.take(|_| true).unwrap();
        assert_eq!((block, need.missing, need.most, need.shared()), (5, 0b1111, 2, 0b0010));
        assert_eq!(need.of_one().collect::<Vec<_>>(), [(3, 0b0001), (7, 0b0100), (9, 0b1000)]);
        assert!(needs.is_empty());
    }

    #[test]
    fn nobody_is_forgotten_where_there_are_many() {
        let mut needs = Needs::default();
        (0..64).for_each(|receiver| needs.add(receiver, 5, 64, &lack(1 << receiver)));
        let (_, need) = needs.take(|_| true).unwrap();
        let own = need.of_one().fold(0, |all, (_, own)| all | own);
        assert_eq!((need.shared() | own, need.shared() & own, need.missing), (u64::MAX, 0, u64::MAX));
    }
}
