//! A set of positions of one tree's stream.

use bytes::Bytes;
use twowire_fabric::prefetch::prefetch;
use twowire_fabric::wire::DEFAULT_MAX_PAYLOAD;
use twowire_fabric::wire::boot::{Span, parse_spans, put_span};

/// Bytes of a [`Span`] on the wire.
const SPAN_LEN: usize = 8;

/// A set of the numbers from 0 up to a fixed length, one bit each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Positions {
    bits: Vec<u64>,
    len: u32,
    count: u32,
}

impl Positions {
    /// No number of `len`.
    pub(crate) fn none(len: u32) -> Positions {
        Positions { bits: vec![0; len.div_ceil(u64::BITS) as usize], len, count: 0 }
    }

    /// All numbers of `len`.
    pub(crate) fn all(len: u32) -> Positions {
        let mut positions = Positions::none(len);
        positions.insert_spans([Span { start: 0, end: len }].into_iter());
        positions
    }

    /// The numbers in these spans.
    pub(crate) fn from_payload(len: u32, payload: &[u8]) -> Positions {
        let mut positions = Positions::none(len);
        positions.insert_spans(parse_spans(payload));
        positions
    }

    fn insert_spans(&mut self, spans: impl Iterator<Item = Span>) {
        for span in spans {
            (span.start..span.end.min(self.len)).for_each(|n| _ = self.insert(n));
        }
    }

    /// The spans of the numbers in the set, as many as fit a frame. Where there are more, the last span reaches up to the
    /// end, over numbers that are not in the set. Says whether it does.
    pub(crate) fn to_payload(&self) -> (Bytes, bool) {
        let (mut payload, mut last) = (Vec::new(), None);
        let mut at = 0;
        while let Some(start) = self.next(at, true) {
            if payload.len() + 2 * SPAN_LEN > DEFAULT_MAX_PAYLOAD {
                let up_to = |span: Span| Span { end: self.len, ..span };
                last.map(up_to).iter().for_each(|&span| put_span(&mut payload, span));
                return (payload.into(), true);
            }
            last.iter().for_each(|&span| put_span(&mut payload, span));
            let end = self.next(start, false).unwrap_or(self.len);
            last = Some(Span { start, end });
            at = end;
        }
        last.iter().for_each(|&span| put_span(&mut payload, span));
        (payload.into(), false)
    }

    /// True if every number is in one of the two sets.
    pub(crate) fn fills(&self, other: &Positions) -> bool {
        let words = std::iter::zip(&self.bits, &other.bits);
        let in_either: u32 = words.map(|(a, b)| (a | b).count_ones()).sum();
        in_either == self.len
    }

    /// The first number from `from` on that is (or is not) in the set.
    fn next(&self, from: u32, present: bool) -> Option<u32> {
        let flip = if present { 0 } else { u64::MAX };
        let mut mask = u64::MAX << (from % u64::BITS);
        for word in from / u64::BITS..self.bits.len() as u32 {
            let found = (self.bits[word as usize] ^ flip) & mask;
            if found != 0 {
                return Some(word * u64::BITS + found.trailing_zeros()).filter(|&n| n < self.len);
            }
            mask = u64::MAX;
        }
        None
    }

    /// True if it is in the set.
    pub(crate) fn contains(&self, n: u32) -> bool {
        self.bits.get((n / u64::BITS) as usize).is_some_and(|word| word >> (n % u64::BITS) & 1 == 1)
    }

    /// Prefetches what a question about a number reads.
    pub(crate) fn prefetch(&self, n: u32) {
        self.bits.get((n / u64::BITS) as usize).into_iter().for_each(prefetch);
    }

    /// Adds a number below the length; says whether it is new.
    pub(crate) fn insert(&mut self, n: u32) -> bool {
        debug_assert!(n < self.len);
        if self.contains(n) {
            return false;
        }
        self.bits[(n / u64::BITS) as usize] |= 1 << (n % u64::BITS);
        self.count += 1;
        true
    }

    /// How many are in the set.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// How many could be.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }

    /// True if all are.
    pub(crate) fn is_full(&self) -> bool {
        self.count == self.len
    }

    /// The numbers in the set, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let found = self.next(at, true)?;
            at = found + 1;
            Some(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn a_set_survives_the_wire(len in 1u32..400, numbers in prop::collection::btree_set(0u32..400, 0..200)) {
            let numbers: BTreeSet<u32> = numbers.into_iter().filter(|&n| n < len).collect();
            let mut set = Positions::none(len);
            for &n in &numbers {
                prop_assert!(set.insert(n));
            }
            let (payload, cut) = set.to_payload();
            prop_assert!(!cut);
            let read = Positions::from_payload(len, &payload);
            let mut rest = Positions::none(len);
            (0..len).filter(|n| !numbers.contains(n)).for_each(|n| _ = rest.insert(n));
            prop_assert!(set.fills(&rest) && rest.fills(&set));
            prop_assert_eq!(set.fills(&set), numbers.len() as u32 == len);
            prop_assert_eq!(read.iter().collect::<BTreeSet<_>>(), numbers.clone());
            prop_assert_eq!((read.count() as usize, read.is_full()), (numbers.len(), numbers.len() as u32 == len));
            prop_assert!((0..len + 70).all(|n| read.contains(n) == numbers.contains(&n)));
        }

        #[test]
        fn hostile_spans_stay_within_the_length(payload in prop::collection::vec(any::<u8>(), 0..64), len in 0u32..300) {
            prop_assert!(Positions::from_payload(len, &payload).iter().all(|n| n < len));
        }
    }

    #[test]
    fn what_does_not_fit_a_frame_is_said_to_be_there_up_to_the_end() {
        let mut set = Positions::none(5000);
        (0..5000).step_by(2).for_each(|n| _ = set.insert(n));
        let (payload, cut) = set.to_payload();
        let read = Positions::from_payload(5000, &payload);
        assert_eq!((payload.len(), cut), (DEFAULT_MAX_PAYLOAD, true));
        assert!((0..5000).all(|n| read.contains(n) == (n % 2 == 0 || n > 1022)), "{read:?}");
        let mut set = Positions::none(1023);
        (0..1023).step_by(2).for_each(|n| _ = set.insert(n));
        assert_eq!((set.to_payload().0.len(), set.to_payload().1), (DEFAULT_MAX_PAYLOAD, false));
        assert!(Positions::all(77).is_full());
    }
}
