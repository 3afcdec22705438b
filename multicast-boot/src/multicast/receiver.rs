//! A receiver: puts symbols in their place, restores and verifies, and says what it lacks when it is asked.

use super::buffer::PayloadBuffer;
use super::code::Decoder;
use super::gathering::{Gathering, Taken};
use super::geometry::{Geometry, Part, all_symbols};
use crate::image::{CHUNK, Manifest, PAGE_CHUNKS, TreeError, TreeVerifier};
use bytes::Bytes;
use std::collections::BTreeMap;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::wire::boot::{LACK_LEN, Lack, Poll, Status, Symbol, put_lack};

/// Bytes that parity symbols may take up while they wait.
const PARITY_ROOM: usize = 16 << 20;

/// So many symbols lost in a row are a buffer that overran, not the errors of a cable.
const BURST: u32 = 16;

/// What a receiver has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverCounters {
    /// Symbols that came.
    pub received: u64,
    /// Symbols that brought nothing new.
    pub duplicates: u64,
    /// Symbols that were lost on the way here, as far as their numbers tell.
    pub lost: u64,
    /// Those of them that were lost sixteen or more in a row.
    pub overrun: u64,
    /// Symbols of no use, and those dropped because what they made up was not what was signed.
    pub rejected: u64,
}

/// A list as its symbols come.
struct GatheredList {
    gathering: Gathering,
    bytes: Vec<u8>,
}

/// What is known of the chunks of a page.
#[derive(Clone, Copy)]
struct Page {
    /// How many of its blocks are not full.
    open: u8,
    /// Its bytes are what an earlier start left in the buffer, and have not been verified.
    is_found: bool,
}

/// One node's copy of the image as it comes.
pub struct Receiver {
    session: u32,
    own: NodeNumber,
    geometry: Geometry,
    verifier: TreeVerifier,
    buffer: Box<dyn PayloadBuffer>,
    blocks: Vec<Gathering>,
    /// Lists that are wanted: by their block.
    lists: BTreeMap<u32, GatheredList>,
    pages: Vec<Page>,
    /// Pages that are full and wait for their top list, or, where they are wrong, for their list of values.
    waiting: Vec<u32>,
    parity_room: usize,
    decoder: Decoder,
    /// The sequence number after the highest that came.
    next: Option<u32>,
    /// Every block below it is full.
    full_below: u32,
    /// The buffer held something at the start.
    found_parts: bool,
    /// The newest poll that has to be answered, with what had come before it, and what had been lost in bursts.
    answer: Option<(Poll, u64, u64)>,
    counters: ReceiverCounters,
}

impl Receiver {
    /// A receiver of the image of a manifest whose signature has been checked. The buffer has the payload's length.
    pub fn new(
        session: u32,
        own: NodeNumber,
        manifest: &Manifest,
        geometry: Geometry,
        buffer: Box<dyn PayloadBuffer>,
    ) -> Receiver {
        let shape = manifest.shape();
        let list = |block| (block, GatheredList::new(&geometry, block));
        let page = |page| Page { open: geometry.blocks_of_page(page).len() as u8, is_found: false };
        let mut receiver = Receiver {
            session,
            own,
            geometry,
            verifier: TreeVerifier::new(manifest),
            blocks: (0..geometry.payload_blocks()).map(|block| Gathering::new(geometry.symbols(block))).collect(),
            lists: (0..shape.top_count()).map(|piece| list(geometry.top_block(piece))).collect(),
            pages: (0..shape.page_count()).map(page).collect(),
            waiting: Vec::new(),
            parity_room: PARITY_ROOM,
            decoder: Decoder::default(),
            next: None,
            full_below: 0,
            found_parts: false,
            answer: None,
            counters: ReceiverCounters::default(),
            buffer,
        };
        if receiver.buffer.may_hold_parts() {
            receiver.believe_all();
        }
        receiver
    }

    /// Goes on in another session of the same image, cut in the same way, with all that it has.
    pub fn resume(&mut self, session: u32, own: NodeNumber) {
        (self.session, self.own) = (session, own);
        (self.next, self.answer) = (None, None);
        self.found_parts = true;
        self.counters = ReceiverCounters { rejected: self.counters.rejected, ..ReceiverCounters::default() };
    }

    /// Takes the buffer's content for the payload, until the top lists show what of it is right.
    fn believe_all(&mut self) {
        self.blocks.iter_mut().for_each(|block| block.fill(&mut self.parity_room));
        self.pages.fill(Page { open: 0, is_found: true });
        self.waiting = (0..self.pages.len() as u32).collect();
        self.found_parts = true;
    }

    /// The session that it takes part in.
    pub fn session(&self) -> u32 {
        self.session
    }

    /// The geometry of the image.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// What it has counted in this session.
    pub fn counters(&self) -> ReceiverCounters {
        self.counters
    }

    /// True if all of the image is here and verified.
    pub fn is_complete(&self) -> bool {
        self.verifier.is_complete()
    }

    /// How much of the image is here and verified, in percent; 100 only if it is all.
    pub fn percent(&self) -> u8 {
        let shape = self.geometry.shape();
        (u64::from(self.verifier.verified_count()) * 100 / u64::from(shape.chunk_count())) as u8
    }

    /// The payload, once all of it is verified.
    pub fn payload(&self) -> Option<&[u8]> {
        self.is_complete().then(|| self.buffer.bytes())
    }

    /// The hash folded from what was verified; `None` before all was.
    pub fn root(&self) -> Option<blake3::Hash> {
        self.verifier.root_of_received()
    }

    /// The verified bytes of a source symbol, to send to another node.
    pub fn symbol(&self, block: u32, index: u16) -> Option<Bytes> {
        let place = self.geometry.place(block);
        let held = matches!(self.geometry.part(block)?, Part::Payload(_)) && self.is_verified(block);
        let range = self.geometry.symbol(place.len(), index);
        (held && !range.is_empty()).then(|| Bytes::copy_from_slice(&self.buffer.bytes()[place][range]))
    }

    /// True if this block of the payload is verified.
    fn is_verified(&self, block: u32) -> bool {
        self.verifier.is_verified((self.geometry.place(block).start / CHUNK) as u32)
    }

    /// Takes a symbol.
    pub fn on_symbol(&mut self, symbol: &Symbol, bytes: &Bytes) {
        if symbol.session != self.session {
            return;
        }
        self.count(symbol.sequence);
        let taken = match self.blocks.get_mut(symbol.block as usize) {
            Some(block) => {
                let place = &mut self.buffer.bytes_mut()[self.geometry.place(symbol.block)];
                block.take(&self.geometry, place, symbol.index, bytes, &mut self.parity_room, &mut self.decoder)
            }
            None => self.take_for_list(symbol, bytes),
        };
        match taken {
            Taken::Kept => {}
            Taken::Duplicate => self.counters.duplicates += 1,
            Taken::Wrong => self.counters.rejected += 1,
            Taken::Full => self.on_full(symbol.block),
        }
    }

    /// Counts a symbol, and those before it that did not come.
    fn count(&mut self, sequence: u32) {
        self.counters.received += 1;
        let Some(next) = self.next else {
            self.next = Some(sequence.wrapping_add(1));
            return;
        };
        // One that was overtaken was counted as lost.
        if sequence.wrapping_sub(next) as i32 >= 0 {
            self.count_gap(sequence.wrapping_sub(next));
            self.next = Some(sequence.wrapping_add(1));
        }
    }

    fn count_gap(&mut self, gap: u32) {
        self.counters.lost += u64::from(gap);
        if gap >= BURST {
            self.counters.overrun += u64::from(gap);
        }
    }

    fn take_for_list(&mut self, symbol: &Symbol, bytes: &Bytes) -> Taken {
        match self.lists.get_mut(&symbol.block) {
            Some(GatheredList { gathering, bytes: place }) => {
                let room = &mut self.parity_room;
                gathering.take(&self.geometry, place, symbol.index, bytes, room, &mut self.decoder)
            }
            None if self.geometry.part(symbol.block).is_none() => Taken::Wrong,
            None => Taken::Duplicate,
        }
    }

    /// A block has all its bytes.
    fn on_full(&mut self, block: u32) {
        match self.geometry.part(block) {
            Some(Part::Payload(block)) => {
                let page = self.geometry.page_of(block);
                self.pages[page as usize].open -= 1;
                if self.pages[page as usize].open == 0 && !self.verify(page) {
                    self.waiting.push(page);
                }
            }
            Some(Part::Top(_) | Part::Page(_)) => self.try_lists(),
            None => {}
        }
    }

    /// Takes the lists that are full, those of the top first, and then looks at the pages that waited.
    fn try_lists(&mut self) {
        let full: Vec<u32> = self.lists.iter().filter(|(_, list)| list.gathering.is_full()).map(|(&b, _)| b).collect();
        let mut taken = false;
        for block in full {
            taken |= self.try_list(block);
        }
        if taken {
            let waiting = std::mem::take(&mut self.waiting);
            self.waiting = waiting.into_iter().filter(|&page| !self.verify(page)).collect();
        }
    }

    /// Verifies a list that is full. Returns true if it was right.
    fn try_list(&mut self, block: u32) -> bool {
        let Some(list) = self.lists.get_mut(&block) else { return false };
        let bytes = Bytes::copy_from_slice(&list.bytes);
        let verified = match self.geometry.part(block) {
            Some(Part::Top(piece)) => self.verifier.accept_top(piece, &bytes),
            Some(Part::Page(page)) => self.verifier.accept_page(page, &bytes),
            _ => return false,
        };
        match verified {
            Ok(()) => {
                self.lists.remove(&block);
                true
            }
            Err(TreeError::NotYet { .. }) => false,
            Err(_) => {
                self.counters.rejected += u64::from(self.geometry.symbols(block));
                list.gathering = Gathering::new(self.geometry.symbols(block));
                false
            }
        }
    }

    /// Verifies a page all of whose blocks are full. Returns false if a list is missing for it; a page that turns out
    /// to be wrong is no longer full.
    fn verify(&mut self, page: u32) -> bool {
        let bytes = &self.buffer.bytes()[self.geometry.place_of_page(page)];
        match self.verifier.verify_chunks_of_page(page, bytes) {
            None => return false,
            Some(true) => {}
            // Little of it may be right, so asking for all of it is cheaper than looking for what is.
            Some(false) if self.pages[page as usize].is_found => self.drop_symbols(page, |_| u64::MAX),
            Some(false) if self.verifier.page(page).is_none() => {
                self.want_page(page);
                return false;
            }
            Some(false) => self.drop_wrong_chunks(page),
        }
        self.pages[page as usize].is_found = false;
        true
    }

    fn want_page(&mut self, page: u32) {
        let (block, geometry) = (self.geometry.page_block(page), self.geometry);
        self.lists.entry(block).or_insert_with(|| GatheredList::new(&geometry, block));
    }

    /// Forgets the symbols that lie in wrong chunks of a page whose list is here.
    fn drop_wrong_chunks(&mut self, page: u32) {
        let mut wrong: BTreeMap<u32, u64> = BTreeMap::new();
        let place = self.geometry.place_of_page(page);
        let chunks = self.buffer.bytes()[place.clone()].chunks(CHUNK);
        for (index, bytes) in (page * PAGE_CHUNKS as u32..).zip(chunks) {
            if self.verifier.is_right(index, bytes) == Some(false) {
                let start = index as usize * CHUNK;
                let block = self.geometry.block_at(start);
                let offset = start - self.geometry.place(block).start;
                *wrong.entry(block).or_default() |= self.geometry.symbols_over(offset..offset + bytes.len());
            }
        }
        self.drop_symbols(page, |block| wrong.get(&block).copied().unwrap_or(0));
    }

    /// Forgets symbols of the blocks of a page, all of which are full.
    fn drop_symbols(&mut self, page: u32, symbols: impl Fn(u32) -> u64) {
        let is_found = self.pages[page as usize].is_found;
        for block in self.geometry.blocks_of_page(page) {
            let dropped = symbols(block) & all_symbols(self.geometry.symbols(block));
            if dropped == 0 {
                continue;
            }
            self.blocks[block as usize].forget(dropped, &mut self.parity_room);
            self.pages[page as usize].open += 1;
            self.full_below = self.full_below.min(block);
            self.counters.rejected += if is_found { 0 } else { u64::from(dropped.count_ones()) };
        }
    }

    /// Takes a poll.
    pub fn on_poll(&mut self, poll: &Poll) {
        if poll.session != self.session {
            return;
        }
        let next = *self.next.get_or_insert(poll.sequence);
        let gap = poll.sequence.wrapping_sub(next);
        if (gap as i32) > 0 {
            self.count_gap(gap);
            self.next = Some(poll.sequence);
        }
        if poll.asks(self.own) {
            self.answer = Some((*poll, self.counters.received, self.counters.overrun));
        }
    }

    /// The answer to the newest poll, if it has not been given: with a payload of at most so many bytes.
    pub fn poll_status(&mut self, max_payload: usize) -> Option<(Status, Bytes)> {
        let (poll, received, overrun) = self.answer.take()?;
        let mut payload = Vec::new();
        for lack in self.lacks(poll.horizon, max_payload / LACK_LEN) {
            put_lack(&mut payload, lack);
        }
        let status = Status {
            session: self.session,
            from: self.own,
            sequence: poll.sequence,
            received: received as u32,
            overrun: overrun as u32,
            complete: self.is_complete(),
            holds: self.found_parts && self.verifier.verified_count() > 0,
        };
        Some((status, payload.into()))
    }

    /// What it lacks of the lists that it wants and of the blocks below `horizon`: so much of it at most.
    fn lacks(&mut self, horizon: u32, max: usize) -> Vec<Lack> {
        let lists = self.lists.iter().filter(|(_, list)| !list.gathering.is_full());
        let mut lacks: Vec<Lack> = lists.map(|(&block, list)| list.gathering.lack(block)).take(max).collect();
        let is_full = |block: &u32| self.blocks.get(*block as usize).is_some_and(Gathering::is_full);
        self.full_below = (self.full_below..).find(|block| !is_full(block)).unwrap_or(self.full_below);
        let end = horizon.min(self.blocks.len() as u32);
        for block in (self.full_below..end).filter(|block| !is_full(block)) {
            let gathering = &self.blocks[block as usize];
            let blank = gathering.is_blank(self.geometry.symbols(block));
            if let Some(run) = lacks.last_mut().filter(|run| blank && extends(run, block, &self.geometry)) {
                run.blocks += 1;
            } else if lacks.len() < max {
                lacks.push(gathering.lack(block));
            } else {
                break;
            }
        }
        lacks
    }
}

/// True if `run` says that nothing of its blocks has come, and this block is the next one.
fn extends(run: &Lack, block: u32, geometry: &Geometry) -> bool {
    let blank = run.count == geometry.symbols(run.block);
    blank && run.block + u32::from(run.blocks) == block && run.blocks < u16::MAX
}

impl GatheredList {
    fn new(geometry: &Geometry, block: u32) -> GatheredList {
        GatheredList { gathering: Gathering::new(geometry.symbols(block)), bytes: vec![0; geometry.len(block)] }
    }
}
