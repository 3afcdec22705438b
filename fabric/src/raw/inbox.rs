//! Frames that have come in, taken out of the kernel's blocks.
//!
//! The ring stalls at a block that is not given back, and frames may be kept for as long as somebody likes. So a block is
//! copied at once, whole, into memory that is used again when its frames are gone; the frames are slices of the copy.
//! For who keeps none the frames are slices of the block itself, which is given back when they are gone.

use super::port::BLOCK_BYTES;
use super::sys::Ring;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use zerocopy::{FromBytes, Immutable, KnownLayout};

/// The start of what the kernel says of each frame (`struct tpacket3_hdr`), in the host's byte order.
#[derive(FromBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Description {
    next_offset: u32,
    seconds: u32,
    nanoseconds: u32,
    captured_len: u32,
    len: u32,
    status: u32,
    frame_offset: u16,
    network_offset: u16,
}

/// The frames of one block that have not been taken yet.
pub(super) struct Frames {
    bytes: Bytes,
    next: usize,
    left: u32,
}

impl Frames {
    /// The `left` frames of a block, the first of which is described at `next`.
    pub(super) fn new(bytes: Bytes, next: usize, left: u32) -> Frames {
        Frames { bytes, next, left }
    }
}

impl Iterator for Frames {
    type Item = Bytes;

    /// The next frame, from its Ethernet header on. What points out of the block ends it.
    fn next(&mut self) -> Option<Bytes> {
        self.left = self.left.checked_sub(1)?;
        let (description, _) = Description::read_from_prefix(self.bytes.get(self.next..)?).ok()?;
        let start = self.next.checked_add(description.frame_offset.into())?;
        let end = start.checked_add(description.captured_len as usize)?;
        if description.next_offset == 0 {
            self.left = 0;
        }
        self.next = self.next.checked_add(description.next_offset as usize)?;
        (end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
    }
}

/// Copies of blocks, whose memory is used again.
#[derive(Default)]
struct Copies(VecDeque<Bytes>);

impl Copies {
    /// How many are remembered.
    const MOST: usize = 16;

    fn copy(&mut self, bytes: &[u8]) -> Bytes {
        // The oldest one is the first whose frames are gone.
        let oldest =
            self.0.pop_front().and_then(|copy| copy.try_into_mut().map_err(|kept| self.0.push_front(kept)).ok());
        let mut copy = oldest.unwrap_or_else(|| BytesMut::with_capacity(BLOCK_BYTES));
        copy.clear();
        copy.extend_from_slice(bytes);
        let copy = copy.freeze();
        self.0.push_back(copy.clone());
        if self.0.len() > Copies::MOST {
            self.0.pop_front();
        }
        copy
    }
}

/// The ring of a port, and the block that it is reading.
pub(super) struct Inbox {
    ring: Ring,
    /// None where frames are lent.
    copies: Option<Copies>,
    current: Frames,
}

impl Inbox {
    pub(super) fn new(ring: Ring, lends: bool) -> Inbox {
        let copies = (!lends).then(Copies::default);
        Inbox { ring, copies, current: Frames::new(Bytes::new(), 0, 0) }
    }

    /// The next frame that has come in.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.current.next() {
                return Some(frame);
            }
            // Its memory may serve for the next one.
            self.current = Frames::new(Bytes::new(), 0, 0);
            let block = self.ring.take()?;
            let (first, frames) = (block.first(), block.frames());
            let bytes = match &mut self.copies {
                Some(copies) => copies.copy(block.as_ref()),
                None => Bytes::from_owner(block),
            };
            self.current = Frames::new(bytes, first, frames);
        }
    }

    /// True if [`Inbox::pop`] would return a frame without waiting.
    pub(super) fn is_ready(&self) -> bool {
        self.current.left > 0 || self.ring.is_ready()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A block as the kernel writes it: frames of these bytes, each with its description.
    fn block(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (i, frame) in frames.iter().enumerate() {
            let len = (82 + frame.len()).next_multiple_of(16);
            let next = if i + 1 < frames.len() { len as u32 } else { 0 };
            let mut entry = vec![0; len];
            entry[0..4].copy_from_slice(&next.to_ne_bytes());
            entry[12..16].copy_from_slice(&(frame.len() as u32).to_ne_bytes());
            entry[24..26].copy_from_slice(&82u16.to_ne_bytes());
            entry[82..82 + frame.len()].copy_from_slice(frame);
            bytes.extend(entry);
        }
        bytes
    }

    proptest! {
        #[test]
        fn every_frame_of_a_block_is_found(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..8)) {
            let found: Vec<Bytes> = Frames::new(block(&frames).into(), 0, frames.len() as u32).collect();
            prop_assert_eq!(found, frames);
        }

        #[test]
        fn a_block_of_any_bytes_ends(bytes in prop::collection::vec(any::<u8>(), 0..300), next in 0usize..400, left in 0u32..50) {
            prop_assert!(Frames::new(bytes.into(), next, left).count() <= left as usize);
        }
    }
}
