//! Sets of a crossbar's ports, and what is known of a crossbar's extent.
//!
//! A port number is known only relative to the port that one came in by, modulo 128, so a set is a ring of 128 bits and
//! "the lowest port" is the one after the longest run of unused ones.

/// How many different ports a hop can tell apart.
pub(super) const RING: u8 = 128;

/// `port` moved on by `delta`, modulo 128.
pub(super) const fn moved(port: u8, delta: u8) -> u8 {
    port.wrapping_add(delta) & (RING - 1)
}

/// How far one has to move on from `from` to come to `to`, modulo 128.
pub(super) const fn distance(from: u8, to: u8) -> u8 {
    to.wrapping_sub(from) & (RING - 1)
}

/// A set of ports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PortSet(u128);

impl PortSet {
    pub(super) const EMPTY: PortSet = PortSet(0);
    pub(super) const ALL: PortSet = PortSet(u128::MAX);

    pub(super) const fn contains(self, port: u8) -> bool {
        self.0 >> port & 1 != 0
    }

    pub(super) fn insert(&mut self, port: u8) {
        self.0 |= 1 << port;
    }

    pub(super) fn remove(&mut self, port: u8) {
        self.0 &= !(1 << port);
    }

    pub(super) const fn len(self) -> u8 {
        self.0.count_ones() as u8
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn union(self, other: PortSet) -> PortSet {
        PortSet(self.0 | other.0)
    }

    pub(super) const fn minus(self, other: PortSet) -> PortSet {
        PortSet(self.0 & !other.0)
    }

    pub(super) const fn both(self, other: PortSet) -> PortSet {
        PortSet(self.0 & other.0)
    }

    /// Every port moved on by `delta`.
    pub(super) const fn moved(self, delta: u8) -> PortSet {
        PortSet(self.0.rotate_left(delta as u32))
    }

    /// The ports from 0 to 127.
    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let port = (rest != 0).then(|| rest.trailing_zeros() as u8)?;
            rest &= rest - 1;
            Some(port)
        })
    }

    /// The runs of ports outside this set, around the ring: each one's first port and its length.
    pub(super) fn gaps(self) -> impl Iterator<Item = (u8, u8)> {
        let first = self.iter().next();
        let next = move |port| self.after(port);
        let empty = self.is_empty().then_some((0, RING));
        self.iter()
            .map(move |port| (moved(port, 1), distance(moved(port, 1), next(port))))
            .map(move |(start, len)| if self.len() == 1 { (start, RING - 1) } else { (start, len) })
            .filter(move |&(_, len)| first.is_some() && len > 0)
            .chain(empty)
    }

    /// The next port of this set after `port`, around the ring; `port` itself if there is no other.
    fn after(self, port: u8) -> u8 {
        let turned = self.0.rotate_right(port as u32 + 1);
        moved(port, turned.trailing_zeros() as u8 + 1)
    }

    /// The lowest port and how many ports there are from it to the highest; `None` if the set is empty.
    pub(super) fn extent(self) -> Option<(u8, u8)> {
        if self.is_empty() {
            return None;
        }
        // The first of the longest gaps, so that equal sets have equal extents.
        let longest = self.gaps().reduce(|best, gap| if gap.1 > best.1 { gap } else { best });
        Some(longest.map_or((0, RING), |(start, len)| (moved(start, len), RING - len)))
    }

    /// The ports outside this set that could belong to the same crossbar if it has `radix` ports.
    ///
    /// `radix` consecutive ports hold the whole crossbar, so some run of `128 - radix` ports lies outside of it: a port
    /// is possible if there is such a run that does not touch it.
    pub(super) fn room(self, radix: u8) -> PortSet {
        let outside = RING - radix;
        let mut long = self.gaps().filter(|&(_, len)| len >= outside);
        let unused = PortSet::ALL.minus(self);
        let (Some((start, len)), None) = (long.next(), long.next()) else { return unused };
        let mut room = unused;
        for index in 0..len {
            if index.max(len - 1 - index) < outside {
                room.remove(moved(start, index));
            }
        }
        room
    }
}

impl FromIterator<u8> for PortSet {
    fn from_iter<I: IntoIterator<Item = u8>>(ports: I) -> PortSet {
        let mut set = PortSet::EMPTY;
        ports.into_iter().for_each(|port| set.insert(port));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(ports: &[u8]) -> PortSet {
        ports.iter().copied().collect()
    }

    #[test]
    fn the_extent_starts_after_the_longest_gap() {
        assert_eq!(PortSet::EMPTY.extent(), None);
        assert_eq!(PortSet::ALL.extent(), Some((0, 128)));
        assert_eq!(set(&[5]).extent(), Some((5, 1)));
        assert_eq!(set(&[0, 3, 127]).extent(), Some((127, 5)));
        assert_eq!(set(&[2, 9, 12]).extent(), Some((2, 11)));
    }

    #[test]
    fn room_is_what_a_radix_leaves_open() {
        assert_eq!(set(&[10]).room(4), set(&[7, 8, 9, 11, 12, 13]));
        assert_eq!(set(&[10, 12]).room(4), set(&[9, 11, 13]));
        assert_eq!(set(&[10, 11, 13]).room(4), set(&[12]));
        assert_eq!(set(&[126, 1]).room(5), set(&[125, 127, 0, 2]));
        assert_eq!(set(&[0]).room(128), PortSet::ALL.minus(set(&[0])));
        assert_eq!(set(&[0, 70]).room(72), set_of_room(set(&[0, 70]), 72));
    }

    /// The same by trying every window of `radix` ports.
    fn set_of_room(used: PortSet, radix: u8) -> PortSet {
        (0..RING)
            .filter(|&port| {
                let mut with = used;
                with.insert(port);
                !used.contains(port) && (0..RING).any(|low| with.iter().all(|p| distance(low, p) < radix))
            })
            .collect()
    }

    proptest! {
        #[test]
        fn room_agrees_with_trying_every_window(
            ports in prop::collection::vec(0u8..40, 1..8), low in 0u8..128, spare in 0u8..90,
        ) {
            let used: PortSet = ports.iter().map(|&p| moved(p, low)).collect();
            let (_, span) = used.extent().unwrap();
            let radix = (span + spare).min(RING);
            prop_assert_eq!(used.room(radix), set_of_room(used, radix));
        }
    }
}
