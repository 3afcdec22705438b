//! Frames that have come in, taken out of the socket many at a time.
//!
//! The kernel copies each frame into one of the places of a batch; what the port hands out are slices of it. Memory whose
//! frames are gone is used again at once, while the processor's cache still holds it.

use super::sys::{BATCH, Lens};
use arrayvec::ArrayVec;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};

/// Bytes that are taken in at once, about: few enough for the second-level cache.
const BATCH_BYTES: usize = 128 << 10;

/// Frames that are taken in at once at least, once one has come. When so many wait, more are asked for the next time, and one when none
/// came: to ask for many costs time also when none comes.
const FEW: usize = 4;

/// How many batches are remembered, for the time when their frames are gone.
const REMEMBERED: usize = 16;

/// Frames that have been taken in, and have not been handed out yet.
pub(super) struct Inbox {
    /// Bytes of a place: the largest frame.
    place: usize,
    batch: Bytes,
    lens: Lens,
    next: usize,
    used: VecDeque<Bytes>,
    /// Memory that the next batch will fill.
    ready: Option<BytesMut>,
    /// How many frames the next batch takes.
    asked: usize,
    /// No more waited, or probably none: fewer came than were asked for, or the one that was.
    was_all: bool,
}

impl Inbox {
    /// An inbox for frames of at most so many bytes.
    pub(super) fn new(largest: usize) -> Inbox {
        let (place, lens) = (largest.next_multiple_of(64), ArrayVec::new());
        Inbox {
            place,
            batch: Bytes::new(),
            lens,
            next: 0,
            used: VecDeque::new(),
            ready: None,
            asked: 1,
            was_all: false,
        }
    }

    /// The next frame that has been taken in, from its Ethernet header on.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let len = *self.lens.get(self.next)?;
        let start = self.next * self.place;
        self.next += 1;
        Some(self.batch.slice(start..start + len.min(self.place)))
    }

    /// Takes in frames that wait in the socket, by `receive`, if there are none here. Returns how many bytes of them there are.
    pub(super) fn fill(
        &mut self,
        receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut Lens) -> io::Result<()>,
    ) -> io::Result<usize> {
        if self.next == self.lens.len() {
            self.refill(receive)?;
        }
        Ok(self.lens[self.next..].iter().sum())
    }

    /// True, once, when the last frame of a batch has been handed out behind which no more waited: to ask again would be in vain.
    pub(super) fn end_of_all(&mut self) -> bool {
        self.next == self.lens.len() && std::mem::take(&mut self.was_all)
    }

    fn refill(&mut self, receive: impl FnOnce(&mut [IoSliceMut<'_>], &mut Lens) -> io::Result<()>) -> io::Result<()> {
        let mut memory = self.ready.take().unwrap_or_else(|| self.memory());
        let mut places: ArrayVec<IoSliceMut<'_>, BATCH> = ArrayVec::new();
        places.extend(memory.chunks_exact_mut(self.place).take(self.asked.min(BATCH)).map(IoSliceMut::new));
        self.lens.clear();
        self.next = 0;
        let came = receive(&mut places, &mut self.lens);
        let (asked, got) = (places.len(), self.lens.len());
        drop(places);
        if got > 0 {
            self.batch = memory.freeze();
            self.was_all = got < asked || asked == 1;
            self.asked = if got == asked { (2 * asked).max(FEW) } else { got.max(FEW) };
        } else {
            self.ready = Some(memory);
            self.asked = 1;
        }
        came.or_else(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
            _ => Err(error),
        })
    }

    /// Memory for a batch: that of the newest one whose frames are gone.
    fn memory(&mut self) -> BytesMut {
        let last = std::mem::take(&mut self.batch);
        if !last.is_empty() {
            self.used.push_back(last);
        }
        if self.used.len() > REMEMBERED {
            self.used.pop_front();
        }
        for index in (0..self.used.len()).rev() {
            match self.used.remove(index).map(Bytes::try_into_mut) {
                Some(Ok(memory)) => return memory,
                Some(Err(kept)) => self.used.insert(index, kept),
                None => {}
            }
        }
        let places = (BATCH_BYTES / self.place).clamp(2, BATCH);
        BytesMut::zeroed(places * self.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Receives the next of these frames.
    fn fill(inbox: &mut Inbox, frames: &mut VecDeque<Vec<u8>>) -> usize {
        let came = |places: &mut [IoSliceMut<'_>], lens: &mut Lens| {
            let take = |place: &mut IoSliceMut<'_>| {
                let frame = frames.pop_front()?;
                let len = frame.len().min(place.len());
                place[..len].copy_from_slice(&frame[..len]);
                Some(frame.len())
            };
            lens.extend(places.iter_mut().map_while(take));
            if lens.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        };
        inbox.fill(came).unwrap()
    }

    proptest! {
        #[test]
        fn every_frame_comes_out_once_and_those_that_are_kept_stay(
            sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 14..1600), 0..400),
            kept in any::<u64>(),
        ) {
            let (mut inbox, mut frames) = (Inbox::new(1514), VecDeque::from(sent.clone()));
            let mut came: Vec<(usize, Bytes)> = Vec::new();
            let mut number = 0;
            while fill(&mut inbox, &mut frames) > 0 {
                while let Some(frame) = inbox.pop() {
                    // What does not fit is cut off.
                    prop_assert_eq!(&frame[..], &sent[number][..sent[number].len().min(1536)]);
                    if kept >> (number % 64) & 1 == 1 {
                        came.push((number, frame));
                    }
                    number += 1;
                }
            }
            prop_assert_eq!(number, sent.len());
            for (number, frame) in came {
                prop_assert_eq!(&frame[..], &sent[number][..sent[number].len().min(1536)]);
            }
        }
    }

    #[test]
    fn memory_whose_frames_are_gone_is_used_again() {
        let mut inbox = Inbox::new(1514);
        let mut places = Vec::new();
        for _ in 0..100 {
            fill(&mut inbox, &mut VecDeque::from([vec![1; 100]]));
            let first = inbox.pop().unwrap();
            if !places.contains(&first.as_ptr()) {
                places.push(first.as_ptr());
            }
        }
        assert_eq!(places.len(), 1);
    }

    #[test]
    fn an_error_is_passed_on_and_nothing_has_come() {
        let mut inbox = Inbox::new(1514);
        let error = inbox.fill(|_, _| Err(io::Error::from_raw_os_error(libc::ENETDOWN))).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENETDOWN));
        assert_eq!((inbox.pop(), fill(&mut inbox, &mut VecDeque::new())), (None, 0));
    }
}
