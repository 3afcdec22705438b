//! The ring under every interleaving of its two sides, and every order in which the memory model lets one see the other's writes.

use super::{Consumer, HEADER, LINE, Producer, SHORT_HEADER, UNIT, Word};
use crate::transport::shm::place::Memory;
use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicU64;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

/// Units of the ring: few, so that it is soon full and laps are short.
const COUNT: usize = 8;
const NUMBERS: usize = UNIT / 8;
/// Units of its first part.
const NEAR: u64 = 4;
/// Messages with so many bytes in their prefix use all of it.
const LONG: usize = 16;

/// The first eight bytes of a unit may be a word that the other side looks at; the rest must never be touched by both sides at once, which loom
/// finds out.
struct Unit {
    first: AtomicU64,
    rest: [UnsafeCell<u64>; NUMBERS - 1],
}

struct Model {
    units: [Unit; COUNT],
    read: AtomicU64,
}

// SAFETY: loom reports what two threads touch at the same time.
unsafe impl Sync for Model {}

impl Model {
    fn new() -> &'static Model {
        // What an earlier user of the memory left must not matter behind the first word.
        let rest = || [0; NUMBERS - 1].map(|_| UnsafeCell::new(u64::MAX));
        let unit = |index| Unit { first: AtomicU64::new(if index == 0 { 0 } else { u64::MAX }), rest: rest() };
        Box::leak(Box::new(Model { units: std::array::from_fn(unit), read: AtomicU64::new(0) }))
    }

    fn place(&self, unit: u64, offset: usize) -> (&Unit, usize) {
        let number = unit as usize * NUMBERS + offset / 8;
        (&self.units[number / NUMBERS % COUNT], number % NUMBERS)
    }
}

impl Memory for &Model {
    fn count(&self) -> u64 {
        COUNT as u64
    }

    fn reach(&self, bytes: usize) -> u64 {
        if bytes < LONG { NEAR } else { COUNT as u64 }
    }

    fn word(&self, unit: u64, ordering: Ordering) -> u64 {
        self.place(unit, 0).0.first.load(ordering)
    }

    fn set_word(&self, unit: u64, value: u64, ordering: Ordering) {
        self.place(unit, 0).0.first.store(value, ordering);
    }

    fn number(&self, unit: u64, offset: usize) -> u64 {
        match self.place(unit, offset) {
            (unit, 0) => unit.first.load(Ordering::Relaxed),
            // SAFETY: loom reports a race.
            (unit, index) => unit.rest[index - 1].with(|number| unsafe { *number }),
        }
    }

    fn set_number(&self, unit: u64, offset: usize, value: u64) {
        match self.place(unit, offset) {
            (unit, 0) => unit.first.store(value, Ordering::Relaxed),
            // SAFETY: loom reports a race.
            (unit, index) => unit.rest[index - 1].with_mut(|number| unsafe { *number = value }),
        }
    }

    /// The model has numbers in place of bytes: its messages have no payload.
    fn pieces(&self, _unit: u64, _offset: usize, len: usize) -> [(*mut u8, usize); 2] {
        assert_eq!(len, 0);
        [(NonNull::dangling().as_ptr(), 0); 2]
    }

    fn read(&self) -> u64 {
        self.read.load(Ordering::Acquire)
    }

    fn set_read(&self, units: u64) {
        self.read.store(units, Ordering::Release);
    }

    fn prefetch(&self, _unit: u64) {}
    fn prefetch_to_write(&self, _unit: u64) {}
}

/// A message that says its number, with so many numbers behind it.
fn message(number: u64, numbers: usize) -> (Word, Vec<u64>) {
    let prefix = (0..numbers as u64).map(|index| 100 * number + index).collect();
    (Word { kind: 1, prefix: 8 * numbers as u8, payload: 0, tag: number as i32 }, prefix)
}

/// The context of a message: every other one has that of the one before it.
fn context(number: u64) -> u64 {
    number / 2
}

/// Sends messages with so many numbers each through a ring, under all interleavings.
fn all_arrive(messages: &'static [usize]) {
    let mut model = loom::model::Builder::new();
    // Each more makes it take many times as long; two find every mistake that was planted.
    model.preemption_bound = Some(2);
    model.check(move || {
        let memory = Model::new();
        let writer = loom::thread::spawn(move || {
            let mut ring = Producer::new(memory);
            for (number, &numbers) in (1..).zip(messages) {
                let (word, prefix) = message(number, numbers);
                while !ring.push(word, context(number), &prefix, |_, _| {}) {
                    loom::thread::yield_now();
                }
            }
        });
        let mut ring = Consumer::new(memory);
        for (number, &numbers) in (1..).zip(messages) {
            let head = loop {
                match ring.peek() {
                    Some(head) => break head,
                    None => loom::thread::yield_now(),
                }
            };
            let (word, prefix) = message(number, numbers);
            let got: Vec<u64> = (0..numbers).map(|index| head.prefix(index)).collect();
            assert_eq!((head.word, head.context, got), (word, context(number), prefix));
            let begins_near = head.unit % (COUNT as u64) < NEAR;
            assert!(begins_near || 8 * numbers >= LONG, "message {number}");
            ring.consume(&head);
        }
        writer.join().unwrap();
    });
}

#[test]
fn messages_of_one_unit_arrive_over_two_laps() {
    all_arrive(&[0, 1, 2, 0, 1, 2]);
}

#[test]
fn what_a_longer_message_left_is_no_header() {
    // The last number of the first lies where the header of the last is looked for, in the second lap.
    assert_eq!(HEADER + 2 * 8, 2 * UNIT);
    let ends: Vec<u64> = ends(&[(24, true), (0, true), (24, false), (0, true), (24, false), (0, true)]);
    assert_eq!(ends[4], COUNT as u64 + 2);
    all_arrive(&[3, 0, 3, 0, 3, 0]);
}

#[test]
fn short_messages_stay_in_the_first_part() {
    // The second is long, and the third would begin beyond that part.
    assert_eq!(ends(&[(0, true), (24, true)])[1], NEAR);
    all_arrive(&[0, 3, 0, 3, 0]);
    all_arrive(&[2, 2, 0, 0]);
}

/// Where messages of so many bytes end, each with its context or without.
fn ends(messages: &[(u8, bool)]) -> Vec<u64> {
    let end = |start: &mut u64, &(prefix, with_context): &(u8, bool)| {
        let word = Word { kind: 1, prefix, payload: 0, tag: 0 };
        *start = word.end(*start, if with_context { HEADER } else { SHORT_HEADER });
        Some(*start)
    };
    messages.iter().scan(0, end).collect()
}

#[test]
fn messages_touch_as_few_lines_as_they_can() {
    let of = |bytes: u8| ends(&[(bytes, false); 6]);
    assert_eq!(of(8), [1, 2, 3, 4, 5, 6], "four to a line");
    assert_eq!(of(24), [2, 4, 6, 8, 10, 12], "two to a line");
    for bytes in [40, 56] {
        assert_eq!(of(bytes), [1, 2, 3, 4, 5, 6].map(|line| line * LINE), "{bytes} bytes: one to a line");
    }
    assert_eq!(of(64), [5, 10, 15, 20, 25, 30], "two lines each, wherever it begins");
    assert_eq!(of(80), [2, 4, 6, 8, 10, 12].map(|line| line * LINE), "two lines, none of them shared");
    assert_eq!(ends(&[(8, false), (24, false), (24, false)]), [1, 3, 2 * LINE], "what begins late ends with a line");
}
