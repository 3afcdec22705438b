//! The calendar: a timing wheel with one slot for each nanosecond of this epoch and the next, and a list for each later one.
//!
//! Events of equal time leave in the order in which they came, whichever of the two held them: the events of an epoch move
//! to the wheel when the one before it begins, in the order in which they came, and before anything else of theirs can be put there.

use std::collections::BTreeMap;

/// Nanoseconds that the wheel spans: four frames of 4 KiB at 2 Gb/s, so that the pace of a host that sends two copies of what it gets lies
/// within it.
const SPAN: usize = 1 << 16;

/// Nanoseconds of an epoch.
const EPOCH: u64 = SPAN as u64 / 2;
const WORDS: usize = SPAN / 64;
const NONE: u32 = u32::MAX;

/// Events of one slot; the first is there, those behind it may be [`NONE`]. Several to a node are fewer reads of memory.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
struct Node {
    next: u32,
    events: [u32; 3],
}

/// Pending events: 32 bits each, whose meaning is the owner's; [`u32::MAX`] is none.
pub(super) struct Wheel {
    now: u64,
    /// The last node of each slot's circular list.
    slots: Box<[u32; SPAN]>,
    /// One bit for each slot that is not empty, and one for each word that is not zero.
    occupied: Box<[u64; WORDS]>,
    summary: [u64; WORDS / 64],
    nodes: Vec<Node>,
    free: u32,
    near: usize,
    /// The events of later epochs with their times, by the epoch's number.
    far: BTreeMap<u64, Vec<(u64, u32)>>,
    /// How many there are, and the first epoch that has some; [`u64::MAX`] if none has.
    far_count: usize,
    far_first: u64,
}

impl Wheel {
    pub(super) fn new() -> Wheel {
        Wheel {
            now: 0,
            slots: vec![NONE; SPAN].try_into().expect("SPAN slots"),
            occupied: vec![0; WORDS].try_into().expect("WORDS words"),
            summary: [0; WORDS / 64],
            nodes: Vec::new(),
            free: NONE,
            near: 0,
            far: BTreeMap::new(),
            far_count: 0,
            far_first: u64::MAX,
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// How many events are pending.
    pub(super) fn len(&self) -> usize {
        self.near + self.far_count
    }

    /// Bytes that it has allocated.
    pub(super) fn memory(&self) -> usize {
        SPAN * 4 + WORDS * 8 + self.nodes.capacity() * size_of::<Node>() + self.far_count * size_of::<(u64, u32)>()
    }

    /// Puts an event at `at`, or at the present if that is past.
    pub(super) fn schedule(&mut self, at: u64, what: u32) {
        let at = at.max(self.now);
        let epoch = at / EPOCH;
        if epoch <= self.next_epoch() {
            self.insert(at, what);
        } else {
            self.far.entry(epoch).or_default().push((at, what));
            self.far_count += 1;
            self.far_first = self.far_first.min(epoch);
        }
    }

    /// The last epoch whose events are in the wheel.
    fn next_epoch(&self) -> u64 {
        self.now / EPOCH + 1
    }

    fn insert(&mut self, at: u64, what: u32) {
        let slot = at as usize % SPAN;
        let last = self.slots[slot];
        self.near += 1;
        if last == NONE {
            self.occupied[slot / 64] |= 1 << (slot % 64);
            self.summary[slot / 4096] |= 1 << (slot / 64 % 64);
            let node = self.new_node(what);
            self.nodes[node as usize].next = node;
            self.slots[slot] = node;
        } else if let Some(place) = self.nodes[last as usize].events.iter_mut().find(|e| **e == NONE) {
            *place = what;
        } else {
            let node = self.new_node(what);
            self.nodes[node as usize].next = std::mem::replace(&mut self.nodes[last as usize].next, node);
            self.slots[slot] = node;
        }
    }

    fn new_node(&mut self, what: u32) -> u32 {
        let fresh = Node { next: NONE, events: [what, NONE, NONE] };
        let node = self.free;
        if node == NONE {
            self.nodes.push(fresh);
            return self.nodes.len() as u32 - 1;
        }
        self.free = std::mem::replace(&mut self.nodes[node as usize], fresh).next;
        node
    }

    /// The time of the next event.
    pub(super) fn next_time(&self) -> Option<u64> {
        match self.next_slot(self.now as usize % SPAN) {
            Some(slot) => Some(self.time_of(slot)),
            None => self.far.first_key_value()?.1.iter().map(|&(at, _)| at).min(),
        }
    }

    /// Takes the next event out, if it is due at `limit` or before; its time is the new present.
    pub(super) fn pop(&mut self, limit: u64) -> Option<u32> {
        let mut slot = self.now as usize % SPAN;
        if self.slots[slot] == NONE {
            let at = self.next_time()?;
            if at > limit {
                return None;
            }
            self.advance(at);
            slot = at as usize % SPAN;
        }
        Some(self.take(slot))
    }

    /// Moves the present on to `at`, which no pending event precedes.
    pub(super) fn advance(&mut self, at: u64) {
        self.now = self.now.max(at);
        while self.far_first <= self.next_epoch() {
            let (_, events) = self.far.pop_first().expect("it is the first");
            self.far_count -= events.len();
            events.into_iter().for_each(|(at, what)| self.insert(at, what));
            self.far_first = self.far.keys().next().copied().unwrap_or(u64::MAX);
        }
    }

    fn take(&mut self, slot: usize) -> u32 {
        let last = self.slots[slot];
        let first = self.nodes[last as usize].next;
        let Node { next, events: [what, second, third] } = self.nodes[first as usize];
        self.near -= 1;
        if second != NONE {
            self.nodes[first as usize].events = [second, third, NONE];
            return what;
        }
        if first == last {
            self.slots[slot] = NONE;
            let word = &mut self.occupied[slot / 64];
            *word &= !(1 << (slot % 64));
            if *word == 0 {
                self.summary[slot / 4096] &= !(1 << (slot / 64 % 64));
            }
        } else {
            self.nodes[last as usize].next = next;
        }
        self.nodes[first as usize].next = self.free;
        self.free = first;
        what
    }

    /// Reads ahead: the next events, up to as many as `events` holds, and only those of this epoch and the next.
    pub(super) fn peek(&self, events: &mut [u32]) -> usize {
        let mut count = 0;
        let mut slot = self.next_slot(self.now as usize % SPAN);
        while let Some(at) = slot {
            let last = self.slots[at];
            let mut node = last;
            loop {
                node = self.nodes[node as usize].next;
                for &what in self.nodes[node as usize].events.iter().take_while(|e| **e != NONE) {
                    events[count] = what;
                    count += 1;
                    if count == events.len() {
                        return count;
                    }
                }
                if node == last {
                    break;
                }
            }
            let next = self.next_slot((at + 1) % SPAN);
            slot = next.filter(|&next| self.time_of(next) > self.time_of(at));
        }
        count
    }

    fn time_of(&self, slot: usize) -> u64 {
        self.now + (slot.wrapping_sub(self.now as usize) % SPAN) as u64
    }

    /// The first slot that is not empty, from `start` on and around.
    fn next_slot(&self, start: usize) -> Option<usize> {
        let (word, bit) = (start / 64, start % 64);
        let rest = self.occupied[word] & (!0 << bit);
        if rest != 0 {
            return Some(word * 64 + rest.trailing_zeros() as usize);
        }
        if self.near == 0 {
            return None;
        }
        let after = |w: usize| if w == 63 { 0 } else { !0 << (w + 1) };
        let (group, in_group) = (word / 64, word % 64);
        let groups = self.summary.len();
        let mut mask = after(in_group);
        for step in 0..=groups {
            let g = (group + step) % groups;
            let words = self.summary[g] & mask;
            if words != 0 {
                let w = g * 64 + words.trailing_zeros() as usize;
                return Some(w * 64 + self.occupied[w].trailing_zeros() as usize);
            }
            mask = !0;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a wheel must do: sort by time, and keep the order of arrival among equals.
    #[derive(Default)]
    struct Model {
        now: u64,
        count: u32,
        pending: std::collections::BTreeSet<(u64, u32)>,
    }

    proptest! {
        #[test]
        fn leaves_in_the_order_of_time_and_arrival(
            ops in prop::collection::vec((0u8..4, prop_oneof![0u64..3, 0u64..70_000, 0u64..10_000_000]), 1..200)
        ) {
            let mut wheel = Wheel::new();
            let mut model = Model::default();
            for (op, delta) in ops {
                if op < 2 {
                    wheel.schedule(model.now + delta, model.count);
                    model.pending.insert((model.now + delta, model.count));
                    model.count += 1;
                } else {
                    let limit = model.now + delta;
                    let due = model.pending.first().copied().filter(|&(at, _)| at <= limit);
                    prop_assert_eq!(wheel.next_time(), model.pending.first().map(|e| e.0));
                    prop_assert_eq!(wheel.pop(limit), due.map(|e| e.1));
                    match due {
                        Some(event) => {
                            model.pending.remove(&event);
                            model.now = event.0;
                        }
                        None => {
                            wheel.advance(limit);
                            model.now = limit;
                        }
                    }
                    prop_assert_eq!(wheel.now(), model.now);
                }
                prop_assert_eq!(wheel.len(), model.pending.len());
                let mut seen = [0; 8];
                let count = wheel.peek(&mut seen);
                let near = model.pending.iter().filter(|e| e.0 / EPOCH <= model.now / EPOCH + 1).map(|e| e.1);
                prop_assert_eq!(&seen[..count], &near.take(8).collect::<Vec<_>>()[..]);
            }
        }
    }
}
