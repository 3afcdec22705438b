//! Messages on their way in: data frames put in order, fragments put together.

use super::config::{EndpointConfig, MAX_WINDOW};
use super::event::Violation;
use super::sequence::expand;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// The window of a peer while too many messages wait here to be taken.
const TIGHT_WINDOW: u64 = 8;

#[derive(Debug)]
struct Segment {
    remaining: u32,
    payload: Bytes,
}

#[derive(Debug)]
struct Partial {
    buffer: BytesMut,
    remaining: usize,
}

/// What a data frame turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// The next one in order.
    InOrder,
    /// New, with a gap before it.
    Early,
    /// Received before.
    Duplicate,
    /// Beyond what this side offered to take in.
    BeyondWindow,
}

/// A message, and the sequence number after its last frame.
pub(super) struct Completed {
    pub(super) message: Bytes,
    pub(super) end: u64,
}

/// The receiving half of a connection.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    /// The first sequence number that has not arrived.
    next: u64,
    /// Frames from `next` on; the first one is always missing.
    early: VecDeque<Option<Segment>>,
    partial: Option<Partial>,
    completed: VecDeque<(Bytes, u64)>,
    /// Messages given out that their owner has not taken.
    untaken: usize,
    /// Everything before this sequence number is taken, if there is an untaken message.
    taken: u64,
    /// The window's end, as last offered. It never moves back.
    edge: u64,
}

impl Receiver {
    pub(super) fn new(window: u16) -> Receiver {
        Receiver { edge: window.into(), ..Receiver::default() }
    }

    /// The low 32 bits of the first sequence number that has not arrived.
    pub(super) fn ack(&self) -> u32 {
        self.next as u32
    }

    /// True if there is a gap.
    pub(super) fn has_gap(&self) -> bool {
        !self.early.is_empty()
    }

    /// Takes a data frame in. Messages that it completes wait for [`Receiver::pop_completed`].
    pub(super) fn accept(
        &mut self,
        sequence: u32,
        remaining: u32,
        payload: &Bytes,
        config: &EndpointConfig,
    ) -> Result<Arrived, Violation> {
        let Some(sequence) = expand(self.next, sequence) else { return Ok(Arrived::Duplicate) };
        if sequence < self.next {
            return Ok(Arrived::Duplicate);
        }
        if sequence >= self.edge {
            return Ok(Arrived::BeyondWindow);
        }
        let segment = Segment { remaining, payload: payload.clone() };
        let index = (sequence - self.next) as usize;
        if index == 0 {
            self.early.pop_front();
            self.append(segment, config)?;
            while let Some(Some(_)) = self.early.front() {
                let segment = self.early.pop_front().flatten();
                segment.map_or(Ok(()), |s| self.append(s, config))?;
            }
            return Ok(Arrived::InOrder);
        }
        if self.early.len() <= index {
            self.early.resize_with(index + 1, || None);
        }
        if self.early[index].is_some() {
            return Ok(Arrived::Duplicate);
        }
        self.early[index] = Some(segment);
        Ok(Arrived::Early)
    }

    fn append(&mut self, segment: Segment, config: &EndpointConfig) -> Result<(), Violation> {
        let (remaining, len) = (segment.remaining as usize, segment.payload.len());
        if len > remaining || (len == 0 && remaining > 0) {
            return Err(Violation::FragmentLength { len, remaining });
        }
        self.next += 1;
        let Some(partial) = &mut self.partial else { return self.begin(segment, config) };
        if remaining != partial.remaining {
            return Err(Violation::Fragment { remaining, expected: partial.remaining });
        }
        partial.buffer.extend_from_slice(&segment.payload);
        partial.remaining -= len;
        if partial.remaining == 0
            && let Some(whole) = self.partial.take()
        {
            self.complete(whole.buffer.freeze());
        }
        Ok(())
    }

    fn begin(&mut self, segment: Segment, config: &EndpointConfig) -> Result<(), Violation> {
        let (total, len) = (segment.remaining as usize, segment.payload.len());
        if total > config.max_message {
            return Err(Violation::MessageTooLong { len: total, max: config.max_message });
        }
        if total == len {
            self.complete(segment.payload);
            return Ok(());
        }
        let mut buffer = BytesMut::with_capacity(total);
        buffer.extend_from_slice(&segment.payload);
        self.partial = Some(Partial { buffer, remaining: total - len });
        Ok(())
    }

    fn complete(&mut self, message: Bytes) {
        self.completed.push_back((message, self.next));
    }

    /// The next message, in order. It counts as untaken until [`Receiver::take`].
    pub(super) fn pop_completed(&mut self) -> Option<Completed> {
        let (message, end) = self.completed.pop_front()?;
        if self.untaken == 0 {
            // A window that is open by the frames of an earlier partial message stays open: `edge` never moves back.
            self.taken = end - 1;
        }
        self.untaken += 1;
        Some(Completed { message, end })
    }

    /// The owner has taken the message that ended before `end`.
    pub(super) fn take(&mut self, end: u64) {
        self.untaken -= 1;
        self.taken = self.taken.max(end);
    }

    fn wanted_edge(&self, window: u16, tight: bool) -> u64 {
        let start = if self.untaken == 0 { self.next } else { self.taken };
        let window = u64::from(window.min(MAX_WINDOW));
        self.edge.max(start + if tight { window.min(TIGHT_WINDOW) } else { window })
    }

    /// Frames from `next` on that the peer may send, by what was offered last.
    fn offered(&self) -> u64 {
        self.edge.saturating_sub(self.next)
    }

    /// True if the window could open so far that the peer should be told.
    pub(super) fn wants_update(&self, window: u16, tight: bool) -> bool {
        let wanted = self.wanted_edge(window, tight);
        let more = wanted - self.edge.min(wanted);
        more > 0 && (self.offered() == 0 || more >= u64::from(window) / 2)
    }

    /// Offers a window, as far as memory allows; frames from `next` on.
    pub(super) fn offer(&mut self, window: u16, tight: bool) -> u16 {
        self.edge = self.wanted_edge(window, tight);
        u16::try_from(self.offered()).unwrap_or(u16::MAX)
    }

    /// Which frames beyond the first missing one have arrived, as the payload of an acknowledgement wants it.
    pub(super) fn bitmap(&self) -> Vec<u8> {
        let beyond = self.early.len().saturating_sub(1);
        let mut bitmap = vec![0u8; beyond.div_ceil(8)];
        for (i, segment) in self.early.iter().skip(1).enumerate() {
            if segment.is_some() {
                bitmap[i / 8] |= 1 << (i % 8);
            }
        }
        bitmap
    }
}
