//! The sender: the image once to the whole group, then what is lacking, as long as anybody lacks anything.

use super::code::{Encoder, PARITY};
use super::config::SenderConfig;
use super::flow::Flow;
use super::geometry::{Geometry, Part, all_symbols};
use super::needs::Needs;
use crate::image::PackedImage;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;
use twowire_fabric::protocol::{Group, Path, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::boot::{Poll, Status, Symbol, parse_lacks};

/// Blocks that one answer may ask for: more is asked for in the next one.
const BLOCKS_PER_ANSWER: u32 = 256;

/// What a sender has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderCounters {
    /// Source symbols sent for the first time.
    pub sources: u64,
    /// Source symbols sent again.
    pub repeats: u64,
    /// Those of them that went to the one receiver that missed them.
    pub to_one: u64,
    /// Parity symbols.
    pub parity: u64,
    /// Polls.
    pub polls: u64,
    /// Answers to polls that were taken.
    pub answers: u64,
    /// Bytes of the symbols.
    pub bytes: u64,
}

/// Where in its life a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// It will be sent, or is being sent: nobody need ask for it.
    Pending,
    /// The sequence number after its last symbol: an answer to an older poll says nothing about it.
    Before(u64),
}

/// Sends one image to a group.
pub struct Sender {
    config: SenderConfig,
    session: u32,
    group: Group,
    image: PackedImage,
    geometry: Geometry,
    encoder: Encoder,
    flow: Flow,
    needs: Needs,
    sent: Vec<Sent>,
    /// For each block the parity symbols of it that have been sent.
    parity_sent: Vec<u8>,
    /// The next block that has not been sent, in the order lists, payload.
    lists_left: std::ops::Range<u32>,
    payload_left: std::ops::Range<u32>,
    /// Everybody held parts of the payload, so it was not sent but for what is asked for.
    payload_skipped: bool,
    /// Symbols of the block that is being sent, and to whom.
    queue: VecDeque<(Path, u16, Bytes)>,
    current: u32,
    sequence: u64,
    /// The last symbol went to one receiver: the next poll has a number of its own, so that its answers are known to be
    /// later.
    step_due: bool,
    /// Where each receiver is reached alone.
    receivers: Vec<Path>,
    /// Blocks that are due for the first time come in turns with blocks that are repeated.
    repeat_turn: bool,
    /// The next poll when nothing is asked for.
    idle_at: Time,
    idle: Duration,
    poll_again: bool,
    counters: SenderCounters,
}

impl Sender {
    /// A sender of this image to this group. Nothing is sent before a receiver is counted on.
    pub fn new(config: SenderConfig, session: u32, group: Group, image: PackedImage, geometry: Geometry) -> Sender {
        let mut sent = vec![Sent::Pending; geometry.block_count() as usize];
        // Pages are only sent when somebody asks for them.
        sent[geometry.page_block(0) as usize..].fill(Sent::Before(0));
        Sender {
            session,
            group,
            encoder: Encoder::default(),
            flow: Flow::new(config, geometry.symbol_len()),
            needs: Needs::default(),
            parity_sent: vec![0; sent.len()],
            sent,
            lists_left: geometry.top_block(0)..geometry.page_block(0),
            payload_left: 0..geometry.payload_blocks(),
            payload_skipped: false,
            queue: VecDeque::new(),
            current: 0,
            sequence: 0,
            step_due: false,
            receivers: Vec::new(),
            repeat_turn: false,
            idle_at: Time::ZERO,
            idle: config.idle_first,
            poll_again: false,
            counters: SenderCounters::default(),
            image,
            geometry,
            config,
        }
    }

    /// Counts on the receiver of this number, which is reached there, from now on.
    pub fn add_receiver(&mut self, index: usize, path: Path) {
        if self.receivers.len() <= index {
            self.receivers.resize(index + 1, Path::Group(self.group));
        }
        self.receivers[index] = path;
        self.flow.add(index);
        self.poll_again = true;
    }

    /// No longer waits for the receiver of this number: it has all, or has failed.
    pub fn remove_receiver(&mut self, now: Time, index: usize) {
        self.flow.remove(now, index);
    }

    /// What it has counted.
    pub fn counters(&self) -> SenderCounters {
        self.counters
    }

    /// The geometry of the image.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// Symbols that may be on their way at the moment.
    pub fn window(&self) -> u64 {
        self.flow.window()
    }

    /// Takes a receiver's answer.
    pub fn on_status(&mut self, now: Time, index: usize, status: &Status, payload: &[u8]) {
        let ago = (self.sequence as u32).wrapping_sub(status.sequence);
        let Some(asked) = self.sequence.checked_sub(u64::from(ago)) else { return };
        if status.session != self.session || !self.flow.answer(now, index, asked, status) {
            return;
        }
        self.counters.answers += 1;
        let mut room = BLOCKS_PER_ANSWER;
        for lack in parse_lacks(payload) {
            let blocks = u32::from(lack.blocks).clamp(1, room.max(1));
            for block in lack.block..lack.block.saturating_add(blocks) {
                let known = |sent: &Sent| matches!(sent, Sent::Before(sequence) if asked >= *sequence);
                if self.sent.get(block as usize).is_some_and(known) {
                    self.needs.add(index, block, self.geometry.symbols(block), &lack);
                }
            }
            room = room.saturating_sub(blocks);
            if room == 0 {
                break;
            }
        }
        if !self.needs.is_empty() {
            self.idle = self.config.idle_first;
        }
    }

    /// The next frame, if one may be sent now.
    pub fn poll_transmit(&mut self, now: Time) -> Option<Transmit> {
        if self.flow.active() == 0 {
            return None;
        }
        if self.poll_again || self.flow.poll_is_due(self.sequence) {
            return Some(self.poll(now));
        }
        if !self.flow.has_room(self.sequence) {
            return None;
        }
        if self.queue.is_empty() && !self.next_block() {
            let unpolled = self.flow.has_unpolled(self.sequence);
            return unpolled.then(|| self.poll(now));
        }
        let (path, index, bytes) = self.queue.pop_front()?;
        let (sequence, to_one) = (self.sequence as u32, path != Path::Group(self.group));
        let symbol = Symbol { session: self.session, sequence, block: self.current, index, to_one };
        if to_one {
            self.flow.on_sent_to_one();
            self.counters.to_one += 1;
        } else {
            self.sequence += 1;
        }
        self.step_due = to_one;
        self.counters.bytes += bytes.len() as u64;
        if self.queue.is_empty() {
            self.sent[self.current as usize] = Sent::Before(self.sequence + u64::from(to_one));
        }
        Some(Transmit::new(path, Packet::with_payload(symbol, bytes)))
    }

    fn poll(&mut self, now: Time) -> Transmit {
        self.poll_again = false;
        self.counters.polls += 1;
        self.sequence += u64::from(std::mem::take(&mut self.step_due));
        let (stride, class) = self.flow.poll(now, self.sequence);
        self.idle_at = now + self.idle;
        let (session, sequence) = (self.session, self.sequence as u32);
        // The block that is being sent is not below the horizon.
        let in_hand = !self.queue.is_empty() && self.current + 1 == self.payload_left.start;
        let horizon = self.payload_left.start - u32::from(in_hand);
        Transmit::new(Path::Group(self.group), Packet::new(Poll { session, sequence, horizon, stride, class }))
    }

    /// Queues the symbols of the next block. Returns false if there is none.
    fn next_block(&mut self) -> bool {
        if let Some(list) = self.lists_left.next() {
            self.queue_first(list, self.parity_ahead(list));
            return true;
        }
        if self.payload_left.start == 0 && self.flow.passed() < self.sequence && !self.payload_left.is_empty() {
            // Only the answers to the lists show whether the payload has to be sent at all.
            return self.repeat_block();
        }
        self.begin_payload();
        self.repeat_turn = !self.repeat_turn || self.payload_left.is_empty();
        if self.repeat_turn && self.repeat_block() {
            return true;
        }
        match self.payload_left.next() {
            Some(block) => {
                self.queue_first(block, self.parity_ahead(block));
                true
            }
            None => self.repeat_block(),
        }
    }

    /// Before the first block of the payload: if everybody has parts of the image already, only what is asked for is sent.
    fn begin_payload(&mut self) {
        if self.payload_left.start > 0 || self.payload_left.is_empty() {
            return;
        }
        self.flow.begin_payload();
        if self.flow.all_hold() {
            self.payload_left.start = self.payload_left.end;
            self.payload_skipped = true;
            self.sent[..self.payload_left.end as usize].fill(Sent::Before(self.sequence));
            self.poll_again = true;
        }
    }

    /// Parity symbols that are sent with a block at once, because of the losses that were seen.
    fn parity_ahead(&self, block: u32) -> u16 {
        let symbols = self.geometry.symbols(block);
        let (most, any) = self.flow.expected_losses(symbols);
        if self.parity_pays(symbols, any as u16, most as u16) { (most.ceil() as u16).min(PARITY) } else { 0 }
    }

    /// True if it is cheaper to send `parity` symbols than `sources`.
    fn parity_pays(&self, symbols: u16, sources: u16, parity: u16) -> bool {
        sources > parity + symbols * self.config.restore_cost / 16
    }

    fn queue_first(&mut self, block: u32, parity: u16) {
        let symbols = self.geometry.symbols(block);
        self.current = block;
        self.queue_sources(block, all_symbols(symbols), Path::Group(self.group));
        self.counters.sources += u64::from(symbols);
        self.queue_parity(block, parity);
    }

    /// Queues what is lacking of a block about which everybody has been heard. Returns false if there is none.
    fn repeat_block(&mut self) -> bool {
        let passed = self.flow.passed();
        let heard = |block: u32| matches!(self.sent[block as usize], Sent::Before(sequence) if sequence <= passed);
        let Some((block, need)) = self.needs.take(heard) else { return false };
        self.current = block;
        self.sent[block as usize] = Sent::Pending;
        let (symbols, sources, most) = (self.geometry.symbols(block), need.missing.count_ones() as u16, need.most);
        let left = PARITY - u16::from(self.parity_sent[block as usize]);
        if most <= left && self.parity_pays(symbols, sources, most) {
            self.queue_parity(block, most);
        } else {
            // What has not been sent to all, the others may lack too: they may just not have said so yet.
            let was_sent = !self.payload_skipped && matches!(self.geometry.part(block), Some(Part::Payload(_)));
            let to_group = if was_sent { need.shared() } else { need.missing };
            self.queue_sources(block, to_group, Path::Group(self.group));
            let to_one = need.of_one().filter(|_| was_sent);
            to_one.for_each(|(receiver, own)| self.queue_sources(block, own, self.receivers[receiver]));
            self.counters.repeats += u64::from(sources);
        }
        true
    }

    /// Queues these source symbols of a block, a bit each.
    fn queue_sources(&mut self, block: u32, wanted: u64, path: Path) {
        let indices = (0..self.geometry.symbols(block)).filter(|index| wanted >> index & 1 == 1);
        self.queue.extend(indices.map(|index| (path, index, source(&self.image, &self.geometry, block, index))));
    }

    /// Queues so many parity symbols that have not been sent yet, or as many as there are.
    fn queue_parity(&mut self, block: u32, count: u16) {
        if count == 0 {
            return;
        }
        let symbols = self.geometry.symbols(block);
        let sources: Vec<Bytes> = (0..symbols).map(|index| source(&self.image, &self.geometry, block, index)).collect();
        let parity = self.encoder.parity(&sources, self.geometry.symbol_len());
        let sent = &mut self.parity_sent[block as usize];
        let fresh = parity.into_iter().zip(symbols..).skip((*sent).into()).take(count.into());
        let before = self.queue.len();
        self.queue.extend(fresh.map(|(bytes, index)| (Path::Group(self.group), index, bytes)));
        let queued = self.queue.len() - before;
        *sent += queued as u8;
        self.counters.parity += queued as u64;
    }

    /// When [`Sender::on_timeout`] has something to do.
    pub fn next_timeout(&self) -> Option<Time> {
        if self.flow.active() == 0 {
            return None;
        }
        Some(self.flow.next_timeout().unwrap_or(self.idle_at))
    }

    /// Repeats polls, and leaves behind those that are silent.
    pub fn on_timeout(&mut self, now: Time) {
        if self.flow.active() == 0 {
            return;
        }
        if self.flow.next_timeout().is_some() {
            self.poll_again |= self.flow.on_timeout(now);
        } else if self.idle_at <= now {
            self.idle = (2 * self.idle).min(self.config.idle_max);
            self.idle_at = now + self.idle;
            self.poll_again = true;
        }
    }
}

/// The bytes of a source symbol: a part of the image, shared.
fn source(image: &PackedImage, geometry: &Geometry, block: u32, index: u16) -> Bytes {
    let bytes = match geometry.part(block) {
        Some(Part::Payload(block)) => image.payload().slice(geometry.place(block)),
        Some(Part::Top(piece)) => image.tree().top(piece).unwrap_or_default(),
        Some(Part::Page(page)) => image.tree().page(page).unwrap_or_default(),
        None => Bytes::new(),
    };
    bytes.slice(geometry.symbol(bytes.len(), index))
}
