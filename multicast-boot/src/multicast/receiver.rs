//! A receiver: puts symbols in their place, restores and verifies, and says what it lacks when it is asked.

mod answers;
mod inherit;
mod memory;
mod pages;

use super::code::Decoder;
use super::gathering::{Gathering, Taken};
use super::geometry::{Geometry, Part};
use crate::image::reuse::{OldImage, Reuse};
use crate::image::{Manifest, PAGE_CHUNKS, TreeVerifier};
use crate::session::{ChunkStore, HeldImage};
use bytes::Bytes;
use memory::{Pool, STRIPE};
use pages::Page;
use std::collections::BTreeMap;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::wire::boot::{Poll, Symbol};

/// Bytes that parity symbols may take up while they wait.
const PARITY_ROOM: usize = 16 << 20;

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
    /// There may be pages that an earlier start has left, and that can be verified by now.
    may_have_left: bool,
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
            memory: None,
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
            may_have_left: false,
            found_parts: reuse.is_some(),
            reuse,
            answer: None,
            counters: ReceiverCounters::default(),
            manifest,
            store,
        }
    }

    /// The same image, cut in another way: begun anew, with what an earlier start has left in the store. What came since comes again.
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

    fn take_for_payload(&mut self, symbol: &Symbol, bytes: &Bytes) -> Taken {
        let (geometry, page) = (self.geometry, self.geometry.page_of(symbol.block));
        let block = geometry.place(symbol.block);
        let (pool, reuse) = (&mut self.pool, self.reuse.as_deref());
        let memory =
            self.pages[page as usize].memory.get_or_insert_with(|| inherit::memory(pool, reuse, &geometry, page));
        let (room, decoder) = (&mut self.parity_room, &mut self.decoder);
        let gathering = &mut self.blocks[symbol.block as usize];
        let taken = gathering.take(&geometry, memory.part(block.clone()), symbol.index, bytes, room, decoder);
        if matches!(taken, Taken::Kept | Taken::Full) {
            let came = geometry.symbol(block.len(), symbol.index);
            for start in (came.start / STRIPE * STRIPE..came.end).step_by(STRIPE) {
                let stripe = start..block.len().min(start + STRIPE);
                if gathering.holds(geometry.symbols_over(stripe)) {
                    memory.hash(block.start + start);
                }
            }
        }
        taken
    }

    fn take_for_list(&mut self, symbol: &Symbol, bytes: &Bytes) -> Taken {
        self.want_what_others_asked_for(symbol.block);
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
}

impl GatheredList {
    fn new(geometry: &Geometry, block: u32) -> GatheredList {
        GatheredList { gathering: Gathering::new(geometry.symbols(block)), bytes: vec![0; geometry.len(block)] }
    }
}
