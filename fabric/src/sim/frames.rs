//! Frames on their way: a slab with a free list. What every hop touches is apart from what only the ends touch.

use crate::route::{MAX_HOPS, Route};
use crate::wire::HeaderBytes;
use bytes::Bytes;

/// No frame, no channel.
pub(super) const NONE: u32 = u32::MAX;

/// What can be the matter with a frame; none of it is for most.
pub(super) mod flag {
    /// The slot holds a frame.
    pub(crate) const LIVE: u8 = 1;
    /// Lost already, and counted: it vanishes where it next would do something.
    pub(crate) const LOST: u8 = 2;
    /// Will be lost at [`super::Frame::mishap_at`].
    pub(crate) const TO_LOSE: u8 = 4;
    /// Bits will flip at [`super::Frame::mishap_at`].
    pub(crate) const TO_CORRUPT: u8 = 8;
    /// A bit of the payload will flip behind the receiver's CRC check.
    pub(crate) const TO_CORRUPT_LATE: u8 = 16;
    /// Will be handed over twice.
    pub(crate) const TO_DUPLICATE: u8 = 32;
    /// Will be held up, so that others overtake it.
    pub(crate) const TO_DELAY: u8 = 64;
    /// Everything that a cable may do to a frame.
    pub(crate) const MISHAP: u8 = LOST | TO_LOSE | TO_CORRUPT;
}

/// What each hop reads and writes.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(super) struct Frame {
    /// When its last byte is (or will be) ready to leave the place where its head is.
    pub(super) tail: u64,
    /// When its head set out on the channel it is on; before that, when it may at the earliest.
    pub(super) start: u64,
    /// The channel that its head is on, or whose input buffer holds it; [`NONE`] in the sender's card.
    pub(super) channel: u32,
    /// Bytes, counting the hops that are left.
    pub(super) len: u32,
    /// The next frame in the list that holds it.
    next: u32,
    /// Hops taken.
    pub(super) taken: u8,
    /// Hops in all.
    pub(super) hops: u8,
    pub(super) flags: u8,
    /// The channel of its way, counted from 0, on which the mishap happens.
    pub(super) mishap_at: u8,
    pub(super) route: [u8; MAX_HOPS],
}

/// The bytes after the hops.
#[derive(Clone)]
pub(super) enum Body {
    /// As they left the sender.
    Sent { header: HeaderBytes, payload: Bytes },
    /// Damaged on the way: header, payload and CRC-32 as one string.
    Damaged(Bytes),
    /// The slot is free.
    Gone,
}

/// A list of frames, linked through the slab: its last frame, whose `next` is the first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct List(u32);

impl List {
    pub(super) const EMPTY: List = List(NONE);

    pub(super) fn is_empty(self) -> bool {
        self.0 == NONE
    }
}

pub(super) struct Frames {
    frames: Vec<Frame>,
    bodies: Vec<Body>,
    free: u32,
    live: usize,
    lost: usize,
}

impl Frames {
    pub(super) fn new() -> Frames {
        Frames { frames: Vec::new(), bodies: Vec::new(), free: NONE, live: 0, lost: 0 }
    }

    /// How many frames are on their way and not lost.
    pub(super) fn in_flight(&self) -> usize {
        self.live - self.lost
    }

    /// Marks a frame as lost; false if it was.
    pub(super) fn mark_lost(&mut self, frame: u32) -> bool {
        let flags = &mut self.frames[frame as usize].flags;
        let first = *flags & flag::LOST == 0;
        *flags |= flag::LOST;
        self.lost += usize::from(first);
        first
    }

    pub(super) fn memory(&self) -> usize {
        self.frames.capacity() * (size_of::<Frame>() + size_of::<Body>())
    }

    /// A new frame in its sender's card.
    pub(super) fn insert(&mut self, route: &Route, len: u32, body: Body) -> u32 {
        let mut hops = [0; MAX_HOPS];
        hops[..route.len()].copy_from_slice(route.as_bytes());
        let frame = Frame {
            tail: 0,
            start: 0,
            channel: NONE,
            len,
            next: NONE,
            taken: 0,
            hops: route.len() as u8,
            flags: flag::LIVE,
            mishap_at: 0,
            route: hops,
        };
        self.put(frame, body)
    }

    /// A second frame, the same in everything.
    pub(super) fn duplicate(&mut self, frame: u32) -> u32 {
        let (copy, body) = (self.frames[frame as usize], self.bodies[frame as usize].clone());
        self.put(copy, body)
    }

    fn put(&mut self, frame: Frame, body: Body) -> u32 {
        self.live += 1;
        let index = self.free;
        if index == NONE {
            self.frames.push(frame);
            self.bodies.push(body);
            return self.frames.len() as u32 - 1;
        }
        self.free = self.frames[index as usize].next;
        self.frames[index as usize] = frame;
        self.bodies[index as usize] = body;
        index
    }

    /// Frees a frame and hands its body over.
    pub(super) fn remove(&mut self, frame: u32) -> Body {
        let slot = &mut self.frames[frame as usize];
        self.lost -= usize::from(slot.flags & flag::LOST != 0);
        slot.flags = 0;
        slot.next = self.free;
        self.free = frame;
        self.live -= 1;
        std::mem::replace(&mut self.bodies[frame as usize], Body::Gone)
    }

    pub(super) fn body_mut(&mut self, frame: u32) -> &mut Body {
        &mut self.bodies[frame as usize]
    }

    /// The slots of all frames that are on their way.
    pub(super) fn iter_live(&self) -> impl Iterator<Item = u32> + '_ {
        self.frames.iter().enumerate().filter(|(_, f)| f.flags & flag::LIVE != 0).map(|(i, _)| i as u32)
    }

    pub(super) fn first(&self, list: List) -> Option<u32> {
        if list.is_empty() { None } else { Some(self.frames[list.0 as usize].next) }
    }

    pub(super) fn push(&mut self, list: &mut List, frame: u32) {
        let first = match list.0 {
            NONE => frame,
            last => std::mem::replace(&mut self.frames[last as usize].next, frame),
        };
        self.frames[frame as usize].next = first;
        list.0 = frame;
    }

    pub(super) fn pop(&mut self, list: &mut List) -> Option<u32> {
        let first = self.first(*list)?;
        if first == list.0 {
            list.0 = NONE;
        } else {
            self.frames[list.0 as usize].next = self.frames[first as usize].next;
        }
        Some(first)
    }
}

impl std::ops::Index<u32> for Frames {
    type Output = Frame;
    fn index(&self, frame: u32) -> &Frame {
        &self.frames[frame as usize]
    }
}

impl std::ops::IndexMut<u32> for Frames {
    fn index_mut(&mut self, frame: u32) -> &mut Frame {
        &mut self.frames[frame as usize]
    }
}
