//! A receiver: puts symbols in their place, restores and verifies, and says what it lacks when it is asked.

mod inherit;

use super::code::Decoder;
use super::gathering::{Gathering, Taken};
use super::geometry::{Geometry, Part, all_symbols};
use crate::image::reuse::{OldImage, Reuse};
use crate::image::{CHUNK, Manifest, PAGE_CHUNKS, TreeError, TreeVerifier};
use crate::session::{ChunkStore, HeldImage};
use bytes::{Bytes, BytesMut};
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
    /// Symbols that came with all the others'.
    pub received: u64,
    /// Symbols that came to this receiver alone.
    pub to_one: u64,
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

/// The chunks of a page as their symbols come.
struct Page {
    /// How many of its blocks are not full.
    open: u8,
    /// The store may have its chunks from an earlier start; they have not been looked at.
    is_found: bool,
    /// From its first symbol until it is verified.
    bytes: Option<BytesMut>,
}

/// Memory for pages, used again and again.
#[derive(Default)]
struct Pool {
    free: Vec<BytesMut>,
}

impl Pool {
    fn take(&mut self, len: usize) -> BytesMut {
        let mut bytes = self.free.pop().unwrap_or_else(|| BytesMut::zeroed(len));
        bytes.resize(len, 0);
        bytes
    }

    /// Takes a page back, if nobody else holds a part of it.
    fn give(&mut self, bytes: Bytes) {
        if let Ok(bytes) = bytes.try_into_mut()
            && self.free.len() < POOLED
        {
            self.free.push(bytes);
        }
    }
}

/// Pages of memory that are kept for later ones, at most.
const POOLED: usize = 16;

/// One node's copy of the image as it comes.
pub struct Receiver {
    session: u32,
    own: NodeNumber,
    geometry: Geometry,
    verifier: TreeVerifier,
    manifest: Manifest,
    store: Box<dyn ChunkStore>,
    /// The search through an older image, and what it has found.
    reuse: Option<Box<Reuse>>,
    pool: Pool,
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
    /// Parts of the image were there when the session began.
    found_parts: bool,
    /// The newest poll that has to be answered, with what had come before it, and what had been lost in bursts.
    answer: Option<(Poll, u64, u64)>,
    counters: ReceiverCounters,
}

impl Receiver {
    /// A receiver of the image of a manifest whose signature has been checked. What the store has of it already is
    /// verified, page by page, and not asked for; nor is what the node has in an older image.
    pub fn new(
        session: u32,
        own: NodeNumber,
        manifest: Manifest,
        geometry: Geometry,
        store: Box<dyn ChunkStore>,
        old: Option<OldImage>,
    ) -> Receiver {
        let shape = manifest.shape();
        let reuse = old.map(|old| Box::new(Reuse::new(old, shape)));
        let list = |block| (block, GatheredList::new(&geometry, block));
        let page = |page| Page {
            open: geometry.blocks_of_page(page).len() as u8,
            is_found: store.left_chunk(page * PAGE_CHUNKS as u32).is_some(),
            bytes: None,
        };
        Receiver {
            session,
            own,
            geometry,
            verifier: TreeVerifier::new(&manifest),
            blocks: (0..geometry.payload_blocks()).map(|block| Gathering::new(geometry.symbols(block))).collect(),
            lists: (0..shape.top_count()).map(|piece| list(geometry.top_block(piece))).collect(),
            pages: (0..shape.page_count()).map(page).collect(),
            pool: Pool::default(),
            waiting: Vec::new(),
            parity_room: PARITY_ROOM,
            decoder: Decoder::default(),
            next: None,
            full_below: 0,
            found_parts: reuse.is_some(),
            reuse,
            answer: None,
            counters: ReceiverCounters::default(),
            manifest,
            store,
        }
    }

    /// The same image, cut in another way, with what has been verified of it.
    pub fn cut_anew(self, session: u32, own: NodeNumber, geometry: Geometry) -> Receiver {
        let old = self.store.old_image();
        Receiver::new(session, own, self.manifest, geometry, self.store, old)
    }

    /// Goes on in another session of the same image, cut in the same way, with all that it has.
    pub fn resume(&mut self, session: u32, own: NodeNumber) {
        (self.session, self.own) = (session, own);
        (self.next, self.answer) = (None, None);
        self.found_parts = self.verifier.verified_count() > 0;
        self.counters = ReceiverCounters::default();
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

    /// True if nothing has come.
    pub fn is_empty(&self) -> bool {
        self.counters.received + self.counters.to_one == 0 && self.verifier.verified_count() == 0
    }

    /// The image, once all of it is verified.
    pub fn image(&self) -> Option<HeldImage<'_>> {
        self.is_complete().then(|| HeldImage::new(&self.manifest, self.store.as_ref()))
    }

    /// The signed manifest's content.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The node has got its number.
    pub(crate) fn set_own(&mut self, own: NodeNumber) {
        self.own = own;
    }

    /// The node's number.
    pub fn own(&self) -> NodeNumber {
        self.own
    }

    /// The hash folded from what was verified; `None` before all was.
    pub fn root(&self) -> Option<blake3::Hash> {
        self.verifier.root_of_received()
    }

    /// Takes a symbol.
    pub fn on_symbol(&mut self, symbol: &Symbol, bytes: &Bytes) {
        if symbol.session != self.session {
            return;
        }
        self.count(symbol);
        let taken = match self.blocks.get(symbol.block as usize).map(Gathering::is_full) {
            Some(true) => Taken::Duplicate,
            Some(false) => self.take_for_payload(symbol, bytes),
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
    fn count(&mut self, symbol: &Symbol) {
        if symbol.to_one {
            self.counters.to_one += 1;
            return;
        }
        self.counters.received += 1;
        let sequence = symbol.sequence;
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

    fn take_for_payload(&mut self, symbol: &Symbol, bytes: &Bytes) -> Taken {
        let (geometry, page) = (self.geometry, self.geometry.page_of(symbol.block));
        let (of_page, block) = (geometry.place_of_page(page), geometry.place(symbol.block));
        let (pool, reuse) = (&mut self.pool, self.reuse.as_deref());
        let memory =
            self.pages[page as usize].bytes.get_or_insert_with(|| inherit::memory(pool, reuse, page, of_page.len()));
        let place = &mut memory[block.start - of_page.start..block.end - of_page.start];
        let (room, decoder) = (&mut self.parity_room, &mut self.decoder);
        self.blocks[symbol.block as usize].take(&geometry, place, symbol.index, bytes, room, decoder)
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
            self.look_at_found();
            self.look_at_old_image();
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

    /// Verifies the pages of which an earlier start has left something in the store, as far as the top lists are here.
    fn look_at_found(&mut self) {
        for page in 0..self.pages.len() as u32 {
            if !self.pages[page as usize].is_found || !self.verifier.has_top_of(page) {
                continue;
            }
            self.pages[page as usize].is_found = false;
            let mut bytes = self.pool.take(0);
            let first = page * PAGE_CHUNKS as u32;
            (first..first + PAGE_CHUNKS as u32)
                .map_while(|index| self.store.left_chunk(index))
                .for_each(|chunk| bytes.extend_from_slice(&chunk));
            let whole = bytes.len() == self.geometry.place_of_page(page).len();
            if whole && self.verifier.verify_chunks_of_page(page, &bytes) == Some(true) {
                self.found_parts = true;
                for block in self.geometry.blocks_of_page(page) {
                    self.blocks[block as usize].fill(&mut self.parity_room);
                }
                (self.pages[page as usize].open, self.pages[page as usize].bytes) = (0, None);
            }
            self.pool.give(bytes.freeze());
        }
    }

    /// Verifies a page all of whose blocks are full, and stores it. Returns false if a list is missing for it; a page
    /// that turns out to be wrong is no longer full.
    fn verify(&mut self, page: u32) -> bool {
        let Some(bytes) = &self.pages[page as usize].bytes else { return true };
        match self.verifier.verify_chunks_of_page(page, bytes) {
            None => return false,
            Some(true) => self.keep(page),
            Some(false) if self.verifier.page(page).is_none() => {
                self.want_page(page);
                return false;
            }
            Some(false) => self.drop_wrong_chunks(page),
        }
        true
    }

    /// Stores the chunks of a page that has been verified.
    fn keep(&mut self, page: u32) {
        let Some(bytes) = self.pages[page as usize].bytes.take() else { return };
        let bytes = bytes.freeze();
        self.store.put_run(page * PAGE_CHUNKS as u32, &bytes);
        self.pool.give(bytes);
    }

    fn want_page(&mut self, page: u32) {
        let (block, geometry) = (self.geometry.page_block(page), self.geometry);
        self.lists.entry(block).or_insert_with(|| GatheredList::new(&geometry, block));
    }

    /// Forgets the symbols that lie in wrong chunks of a page whose list is here.
    fn drop_wrong_chunks(&mut self, page: u32) {
        let Some(bytes) = &self.pages[page as usize].bytes else { return };
        let mut wrong: BTreeMap<u32, u64> = BTreeMap::new();
        for (index, bytes) in (page * PAGE_CHUNKS as u32..).zip(bytes.chunks(CHUNK)) {
            if self.verifier.is_right(index, bytes) == Some(false) {
                let start = index as usize * CHUNK;
                let block = self.geometry.block_at(start);
                let offset = start - self.geometry.place(block).start;
                *wrong.entry(block).or_default() |= self.geometry.symbols_over(offset..offset + bytes.len());
            }
        }
        for (block, symbols) in wrong {
            let dropped = symbols & all_symbols(self.geometry.symbols(block));
            self.blocks[block as usize].forget(dropped, &mut self.parity_room);
            self.pages[page as usize].open += 1;
            self.full_below = self.full_below.min(block);
            self.counters.rejected += u64::from(dropped.count_ones());
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
            holds: self.found_parts,
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
        // What the store may have is not asked for before the top lists show what of it is right.
        let may_find = self.reuse.as_ref().is_some_and(|reuse| !reuse.is_done());
        let is_found = |block: u32| may_find || self.pages[self.geometry.page_of(block) as usize].is_found;
        for block in (self.full_below..end).filter(|&block| !is_full(&block) && !is_found(block)) {
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
