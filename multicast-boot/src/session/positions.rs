//! A set of positions of one tree's stream.

use bytes::Bytes;
use twowire_fabric::wire::DEFAULT_MAX_PAYLOAD;
use twowire_fabric::wire::boot::{Span, parse_spans, put_span};

/// Bytes of a [`Span`] on the wire.
const SPAN_LEN: usize = 8;

/// A set of the numbers from 0 up to a fixed length, one bit each.
#[derive(Clone, Debug)]
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

    /// The spans of the numbers in the set, as many as fit a frame: the first ones.
    pub(crate) fn to_payload(&self) -> Bytes {
        let mut payload = Vec::new();
        let mut at = 0;
        while payload.len() + SPAN_LEN <= DEFAULT_MAX_PAYLOAD {
            let Some(start) = self.next(at, true) else { break };
            let end = self.next(start, false).unwrap_or(self.len);
            put_span(&mut payload, Span { start, end });
            at = end;
        }
        payload.into()
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
            let read = Positions::from_payload(len, &set.to_payload());
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
    fn what_does_not_fit_a_frame_is_left_out() {
        let mut set = Positions::none(5000);
        (0..5000).step_by(2).for_each(|n| _ = set.insert(n));
        let read = Positions::from_payload(5000, &set.to_payload());
        assert_eq!(read.count(), 512);
        assert!(Positions::all(77).is_full());
    }
}
