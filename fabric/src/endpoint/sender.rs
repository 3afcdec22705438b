//! Messages on their way out: cut into data frames, held until they have arrived.

use super::event::{MessageId, Violation};
use super::sequence::expand;
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};

/// A transmission: the path's number and the transmit number on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transmission {
    pub(super) path: u8,
    pub(super) number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    InFlight,
    Lost,
    Arrived,
}

/// A data frame that has been sent at least once and is not below every gap.
#[derive(Clone, Debug)]
struct Frame {
    payload: Bytes,
    remaining: u32,
    /// The message that ends with this frame, and its length.
    ends: Option<(MessageId, usize)>,
    state: State,
    latest: Transmission,
    /// The transmission before the latest one.
    earlier: Option<Transmission>,
}

#[derive(Clone, Debug)]
struct Queued {
    id: MessageId,
    message: Bytes,
    offset: usize,
}

/// A data frame to put into a packet.
pub(super) struct Fragment {
    pub(super) sequence: u64,
    pub(super) remaining: u32,
    pub(super) payload: Bytes,
    /// It was sent before.
    pub(super) again: bool,
}

/// What became known about one frame.
pub(super) struct Arrival {
    /// The transmission that was last made of it.
    pub(super) latest: Transmission,
    /// It counted as in flight, and no longer does.
    pub(super) was_in_flight: bool,
    /// Bytes of its payload.
    pub(super) len: usize,
    /// It had been sent once only, so that it is sure which transmission arrived.
    pub(super) sent_once: bool,
    /// The transmission that had been taken for lost.
    pub(super) earlier: Option<Transmission>,
}

/// The sending half of a connection.
#[derive(Debug, Default)]
pub(super) struct Sender {
    queue: VecDeque<Queued>,
    frames: VecDeque<Frame>,
    /// Sequence number of the first of `frames`.
    base: u64,
    lost: BTreeSet<u64>,
    /// The peer takes in no frame from here on.
    edge: u64,
    held_bytes: usize,
    held_messages: usize,
    next_id: u64,
}

impl Sender {
    /// Bytes of messages that are not delivered.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Messages that are not delivered.
    pub(super) fn held_messages(&self) -> usize {
        self.held_messages
    }

    /// Queues a message.
    pub(super) fn push(&mut self, message: Bytes) -> MessageId {
        let id = MessageId(self.next_id);
        self.next_id += 1;
        self.held_bytes += message.len();
        self.held_messages += 1;
        self.queue.push_back(Queued { id, message, offset: 0 });
        id
    }

    /// Forgets every message; the numbers of messages go on.
    pub(super) fn purge(&mut self) {
        *self = Sender { next_id: self.next_id, ..Sender::default() };
    }

    /// A new connection begins: the queue stays, sequence numbers start at 0.
    pub(super) fn start(&mut self, window: u16) {
        debug_assert!(self.frames.is_empty(), "messages of an earlier connection are purged");
        self.edge = window.into();
    }

    /// True if a frame could be sent now as far as the peer's window is concerned.
    pub(super) fn has_frame(&self) -> bool {
        !self.lost.is_empty() || (!self.queue.is_empty() && self.next() < self.edge)
    }

    /// True if the peer's window is the only thing that holds back what is queued.
    pub(super) fn is_shut_out(&self) -> bool {
        self.frames.is_empty() && !self.queue.is_empty() && self.next() >= self.edge
    }

    /// True if there is a frame to send, whether or not the peer takes it in now.
    pub(super) fn has_backlog(&self) -> bool {
        !self.lost.is_empty() || !self.queue.is_empty()
    }

    fn next(&self) -> u64 {
        self.base + self.frames.len() as u64
    }

    /// The next frame to send, in the transmission `number` on `path`: one that was lost, or a new one.
    pub(super) fn take_frame(&mut self, max_payload: usize, transmission: Transmission) -> Option<Fragment> {
        if let Some(sequence) = self.lost.pop_first() {
            let frame = &mut self.frames[(sequence - self.base) as usize];
            frame.earlier = Some(frame.latest);
            frame.latest = transmission;
            frame.state = State::InFlight;
            return Some(Fragment {
                sequence,
                remaining: frame.remaining,
                payload: frame.payload.clone(),
                again: true,
            });
        }
        let sequence = self.next();
        if sequence >= self.edge {
            return None;
        }
        let queued = self.queue.front_mut()?;
        let remaining = queued.message.len() - queued.offset;
        let len = remaining.min(max_payload);
        let payload = queued.message.slice(queued.offset..queued.offset + len);
        queued.offset += len;
        let ends = (len == remaining).then_some((queued.id, queued.message.len()));
        if ends.is_some() {
            self.queue.pop_front();
        }
        let remaining = remaining as u32;
        let frame = Frame {
            payload: payload.clone(),
            remaining,
            ends,
            state: State::InFlight,
            latest: transmission,
            earlier: None,
        };
        self.frames.push_back(frame);
        Some(Fragment { sequence, remaining, payload, again: false })
    }

    /// True if this transmission of this frame is the latest one and its fate is unknown.
    pub(super) fn is_in_flight(&self, sequence: u64, transmission: Transmission) -> bool {
        let index = sequence.checked_sub(self.base);
        index
            .and_then(|i| self.frames.get(i as usize))
            .is_some_and(|f| f.state == State::InFlight && f.latest == transmission)
    }

    /// A frame in flight is taken for lost: it will be sent again. Returns the bytes of its payload.
    pub(super) fn lose(&mut self, sequence: u64) -> usize {
        let frame = &mut self.frames[(sequence - self.base) as usize];
        frame.state = State::Lost;
        self.lost.insert(sequence);
        frame.payload.len()
    }

    /// Everything below `ack` has arrived, and so have the frames of `bitmap` beyond it. Calls `arrived` for each frame of
    /// which this is news.
    pub(super) fn acknowledge(
        &mut self,
        ack: u32,
        bitmap: &[u8],
        mut arrived: impl FnMut(Arrival),
    ) -> Result<(), Violation> {
        let Some(ack) = expand(self.base, ack) else { return Err(Violation::Acknowledgement) };
        let end = match bitmap.last() {
            Some(last) => ack + 1 + bitmap.len() as u64 * 8 - u64::from(last.leading_zeros()),
            None => ack,
        };
        if end > self.next() {
            return Err(Violation::Acknowledgement);
        }
        for sequence in self.base..ack {
            self.arrive(sequence, &mut arrived);
        }
        for (i, &byte) in bitmap.iter().enumerate() {
            let mut bits = byte;
            while bits != 0 {
                let sequence = ack + 1 + i as u64 * 8 + u64::from(bits.trailing_zeros());
                bits &= bits - 1;
                if sequence >= self.base {
                    self.arrive(sequence, &mut arrived);
                }
            }
        }
        Ok(())
    }

    fn arrive(&mut self, sequence: u64, arrived: &mut impl FnMut(Arrival)) {
        let frame = &mut self.frames[(sequence - self.base) as usize];
        if frame.state == State::Arrived {
            return;
        }
        let was_in_flight = frame.state == State::InFlight;
        if !was_in_flight {
            self.lost.remove(&sequence);
        }
        frame.state = State::Arrived;
        let len = std::mem::take(&mut frame.payload).len();
        let earlier = if was_in_flight { frame.earlier } else { Some(frame.latest) };
        arrived(Arrival { latest: frame.latest, was_in_flight, len, sent_once: frame.earlier.is_none(), earlier });
    }

    /// The peer takes in `window` frames from `ack` on. Its window never shrinks: an older word is ignored.
    pub(super) fn open_window(&mut self, ack: u32, window: u16) {
        if let Some(ack) = expand(self.base, ack) {
            self.edge = self.edge.max(ack + u64::from(window));
        }
    }

    /// Forgets the frames below the first gap; the message of the next one that ended there, if any is left.
    pub(super) fn next_delivered(&mut self) -> Option<MessageId> {
        while self.frames.front().is_some_and(|f| f.state == State::Arrived) {
            let frame = self.frames.pop_front()?;
            self.base += 1;
            if let Some((id, len)) = frame.ends {
                self.held_bytes -= len;
                self.held_messages -= 1;
                return Some(id);
            }
        }
        None
    }
}
