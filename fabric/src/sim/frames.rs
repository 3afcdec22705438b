//! Frames on their way: a slab with a free list. What every hop touches is one cache line; what only the ends touch is
//! elsewhere, and begins with the part that is always needed.

use crate::prefetch::prefetch;
use crate::route::{MAX_HOPS, Route};
use crate::wire::MAX_HEADER;
use bytes::Bytes;
use std::collections::BTreeMap;

/// No frame, no channel.
pub(super) const NONE: u32 = u32::MAX;

/// Hops that a frame carries in its cache line. Those of longer routes are looked up.
const SHORT_ROUTE: usize = 32;

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
#[repr(C, align(64))]
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
    route: [u8; SHORT_ROUTE],
}
const _: () = assert!(size_of::<Frame>() == 64);

/// The bytes after the hops.
#[derive(Clone)]
#[repr(C, align(64))]
pub(super) struct Body {
    /// The payload; of a damaged frame the header, the payload and the CRC-32 as one string. `None` in a free slot:
    /// unlike an empty one, it needs no call to be replaced.
    payload: Option<Bytes>,
    /// Bytes of the header; 0 for a damaged frame.
    header_len: u8,
    header: [u8; MAX_HEADER],
}

impl Body {
    /// The header as it left the sender; `None` for a damaged frame, whose header is in its payload.
    pub(super) fn header(&self) -> Option<&[u8]> {
        (self.header_len > 0).then(|| &self.header[..usize::from(self.header_len)])
    }

    pub(super) fn payload(&self) -> &[u8] {
        self.payload.as_deref().unwrap_or_default()
    }

    pub(super) fn take_payload(&mut self) -> Bytes {
        self.payload.take().unwrap_or_default()
    }

    pub(super) fn set_payload(&mut self, payload: Bytes) {
        self.payload = Some(payload);
    }

    /// Replaces the whole by damaged bytes.
    pub(super) fn damage(&mut self, bytes: Bytes) {
        self.header_len = 0;
        self.payload = Some(bytes);
    }
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
    long_routes: BTreeMap<u32, [u8; MAX_HOPS]>,
    free: Vec<u32>,
    lost: usize,
}

impl Frames {
    pub(super) fn new() -> Frames {
        Frames { frames: Vec::new(), bodies: Vec::new(), long_routes: BTreeMap::new(), free: Vec::new(), lost: 0 }
    }

    /// How many frames are on their way and not lost.
    pub(super) fn in_flight(&self) -> usize {
        self.frames.len() - self.free.len() - self.lost
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
        self.frames.capacity() * (size_of::<Frame>() + size_of::<Body>()) + self.free.capacity() * size_of::<u32>()
    }

    /// A new frame in its sender's card, not to leave before `start`.
    pub(super) fn insert(&mut self, route: &Route, start: u64, len: u32, header: &[u8], payload: Bytes) -> u32 {
        let index = self.take_slot();
        let hops = route.as_bytes();
        let frame = &mut self.frames[index as usize];
        (frame.tail, frame.start, frame.channel, frame.len) = (0, start, NONE, len);
        (frame.taken, frame.hops, frame.flags, frame.mishap_at) = (0, hops.len() as u8, flag::LIVE, 0);
        if hops.len() <= SHORT_ROUTE {
            frame.route[..hops.len()].copy_from_slice(hops);
        } else {
            let mut all = [0; MAX_HOPS];
            all[..hops.len()].copy_from_slice(hops);
            self.long_routes.insert(index, all);
        }
        let body = &mut self.bodies[index as usize];
        body.header_len = header.len() as u8;
        body.header[..header.len()].copy_from_slice(header);
        body.payload = Some(payload);
        index
    }

    /// A second frame, the same in everything.
    pub(super) fn duplicate(&mut self, frame: u32) -> u32 {
        let index = self.take_slot();
        self.frames[index as usize] = self.frames[frame as usize];
        self.bodies[index as usize] = self.bodies[frame as usize].clone();
        if let Some(route) = self.long_routes.get(&frame).copied() {
            self.long_routes.insert(index, route);
        }
        index
    }

    fn take_slot(&mut self) -> u32 {
        if let Some(index) = self.free.pop() {
            return index;
        }
        self.frames.push(Frame {
            tail: 0,
            start: 0,
            channel: NONE,
            len: 0,
            next: NONE,
            taken: 0,
            hops: 0,
            flags: 0,
            mishap_at: 0,
            route: [0; SHORT_ROUTE],
        });
        self.bodies.push(Body { payload: None, header_len: 0, header: [0; MAX_HEADER] });
        self.frames.len() as u32 - 1
    }

    /// Frees a frame.
    pub(super) fn remove(&mut self, frame: u32) {
        let slot = &mut self.frames[frame as usize];
        self.lost -= usize::from(slot.flags & flag::LOST != 0);
        if usize::from(slot.hops) > SHORT_ROUTE {
            self.long_routes.remove(&frame);
        }
        slot.flags = 0;
        self.bodies[frame as usize].payload = None;
        self.free.push(frame);
    }

    pub(super) fn body(&self, frame: u32) -> &Body {
        &self.bodies[frame as usize]
    }

    pub(super) fn body_mut(&mut self, frame: u32) -> &mut Body {
        &mut self.bodies[frame as usize]
    }

    /// The byte that a crossbar or host would take for a hop; `None` when all are taken.
    pub(super) fn next_hop_byte(&self, frame: u32) -> Option<u8> {
        let f = &self.frames[frame as usize];
        if f.taken >= f.hops {
            return None;
        }
        if usize::from(f.hops) <= SHORT_ROUTE {
            return Some(f.route[usize::from(f.taken)]);
        }
        self.long_routes.get(&frame).map(|route| route[usize::from(f.taken)])
    }

    /// The hops that are left, to be read or damaged.
    pub(super) fn hops_left_mut(&mut self, frame: u32) -> &mut [u8] {
        let f = &mut self.frames[frame as usize];
        let left = usize::from(f.taken)..usize::from(f.hops);
        match self.long_routes.get_mut(&frame) {
            Some(route) => &mut route[left],
            None => &mut f.route[left],
        }
    }

    /// Prefetches what each hop needs of a frame.
    pub(super) fn prefetch(&self, frame: u32) {
        self.frames.get(frame as usize).into_iter().for_each(prefetch);
    }

    /// Prefetches a frame.
    pub(super) fn prefetch_all(&self, frame: u32) {
        self.prefetch(frame);
        prefetch(&self.bodies[frame as usize]);
    }

    /// The slots of all frames that are on their way.
    pub(super) fn iter_live(&self) -> impl Iterator<Item = u32> + '_ {
        self.frames.iter().enumerate().filter(|(_, f)| f.flags & flag::LIVE != 0).map(|(i, _)| i as u32)
    }

    /// The slot of the list's last frame, if it has one.
    pub(super) fn last(&self, list: List) -> Option<u32> {
        (!list.is_empty()).then_some(list.0)
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
