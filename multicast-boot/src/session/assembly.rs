//! A node's copy of the image while it grows: every list and chunk is verified before it is kept or passed on.

use super::held::HeldImage;
use super::positions::Positions;
use super::store::ChunkStore;
use super::stream::Stream;
use crate::image::reuse::{Found, OldImage, Reuse, SLICE};
use crate::image::{Manifest, PAGE_CHUNKS, Part, TreeError, TreeVerifier};
use bytes::Bytes;
use twowire_fabric::prefetch::prefetch;
use twowire_fabric::wire::boot::TREES;

/// Lists and chunks that wait for a list that verifies them, at most.
const MAX_WAITING: usize = 256;

/// What a node has said that it has of a tree's half: also what it does not want yet.
pub(crate) struct Claim {
    positions: Positions,
    /// [`Reuse::wants`], when it was said.
    wants: u8,
    /// It did not fit a frame.
    cut: bool,
}

/// What became of what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is kept, or waits for the list that verifies it.
    Taken,
    /// It was here already.
    Duplicate,
    /// There is no room for it to wait.
    NoRoom,
    /// It is not what was signed.
    Rejected,
}

/// Something that came before the list that verifies it.
struct Waiting {
    tree: u8,
    position: u32,
    bytes: Bytes,
}

/// The image as far as it has come.
pub(crate) struct Assembly {
    manifest: Box<Manifest>,
    stream: Stream,
    verifier: TreeVerifier,
    store: Box<dyn ChunkStore>,
    /// The search through an older image, until it has found what there is.
    reuse: Option<Box<Reuse>>,
    held: [Positions; TREES],
    waiting: Vec<Waiting>,
    /// Positions that are new since they were last taken, in the order in which they were verified.
    fresh: Vec<(u8, u32)>,
    /// Trees in which something that waited turned out to be wrong: its sender counts it as delivered.
    spoiled: [bool; TREES],
}

impl Assembly {
    /// The image of this manifest in a store; the node may have an older one.
    pub(crate) fn new(manifest: Manifest, store: Box<dyn ChunkStore>, old: Option<OldImage>) -> Assembly {
        let stream = Stream::new(manifest.shape());
        let mut assembly = Assembly {
            stream,
            verifier: TreeVerifier::new(&manifest),
            manifest: Box::new(manifest),
            reuse: old.map(|old| Box::new(Reuse::new(old, stream.shape()))),
            store,
            held: [0, 1].map(|tree| Positions::none(stream.len(tree))),
            waiting: Vec::new(),
            fresh: Vec::new(),
            spoiled: [false; TREES],
        };
        assembly.take_what_is_left();
        assembly
    }

    /// What is here, for another image.
    pub(crate) fn into_old_image(self) -> OldImage {
        let store = self.store;
        OldImage::new(self.manifest.shape().chunk_count(), move |index| store.get(index))
    }

    /// Verifies what an earlier start of the node has left in the store, and holds what is right.
    fn take_what_is_left(&mut self) {
        let lists = self.store.take_left_lists();
        if lists.is_empty() {
            return;
        }
        for (part, bytes) in lists {
            // A list that does not verify is fetched again, as if it were not there.
            let _ = self.verify(part, &bytes);
        }
        for tree in 0..TREES {
            for position in 0..self.stream.len(tree) {
                if self.is_left(tree, position) && self.held[tree].insert(position) {
                    self.fresh.push((tree as u8, position));
                }
            }
        }
    }

    /// True if what belongs to this position was left, and is right.
    fn is_left(&mut self, tree: usize, position: u32) -> bool {
        match self.stream.part(tree, position) {
            Some(Part::Chunk(index)) => {
                let left = self.store.left_chunk(index);
                left.is_some_and(|bytes| self.verifier.verify_chunk(index, &bytes).is_ok())
            }
            Some(Part::Top(piece)) => self.verifier.top(piece).is_some(),
            Some(Part::Page(page)) => self.verifier.page(page).is_some(),
            None => false,
        }
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Goes on looking through an older image for what this one has of it. Returns true if it is not through yet, and
    /// should be called again.
    pub(crate) fn look_at_old_image(&mut self) -> bool {
        let Some(mut reuse) = self.reuse.take_if(|_| !self.held.iter().all(Positions::is_full)) else { return false };
        reuse.work(&self.verifier, SLICE).into_iter().for_each(|found| self.take_found(found));
        let is_busy = reuse.is_busy();
        self.reuse = Some(reuse).filter(|reuse| !reuse.is_done());
        is_busy
    }

    fn take_found(&mut self, found: Found) {
        match found {
            Found::Page { page, list, bytes } => {
                if self.verifier.accept_found_page(page, &list).is_err() {
                    return;
                }
                self.store.put_list(Part::Page(page), &list);
                self.note(Part::Page(page));
                let first = page * PAGE_CHUNKS as u32;
                self.store.put_run(first, &bytes);
                let chunks = self.manifest.shape().page_entries(page).unwrap_or(0) as u32;
                (first..first + chunks).for_each(|index| self.note(Part::Chunk(index)));
            }
            Found::Chunk { index, bytes } => {
                self.store.put(index, bytes);
                self.verifier.remember(index);
                self.note(Part::Chunk(index));
            }
        }
    }

    /// A part is here that did not come by a tree.
    fn note(&mut self, part: Part) {
        for tree in 0..TREES {
            if let Some(position) = self.stream.position(tree, part)
                && self.held[tree].insert(position)
            {
                self.fresh.push((tree as u8, position));
            }
        }
    }

    fn wants(&self) -> u8 {
        self.reuse.as_ref().map_or(u8::MAX, |reuse| reuse.wants())
    }

    /// What need not be sent of a tree's half now, as spans for the one that feeds the node; and the claim, if it says more
    /// than is here.
    pub(crate) fn claim(&self, tree: usize) -> (Bytes, Option<Claim>) {
        let mut positions = self.held[tree].clone();
        if let Some(reuse) = &self.reuse {
            let unwanted = |&at: &u32| self.stream.part(tree, at).is_some_and(|part| !reuse.is_wanted(part));
            (0..positions.len()).filter(unwanted).for_each(|at| _ = positions.insert(at));
        }
        let (payload, cut) = positions.to_payload();
        if !cut && self.reuse.is_none() {
            return (payload, None);
        }
        let positions = Positions::from_payload(positions.len(), &payload);
        (payload, Some(Claim { positions, wants: self.wants(), cut }))
    }

    /// True if all has come that was asked for by this claim, and more is wanted by now.
    pub(crate) fn wants_more(&self, tree: usize, claim: &Claim) -> bool {
        let other = claim.cut || claim.wants != self.wants();
        other && !self.held[tree].is_full() && claim.positions.fills(&self.held[tree])
    }

    /// The positions that are here, verified.
    pub(crate) fn held(&self, tree: usize) -> &Positions {
        &self.held[tree]
    }

    /// How much of the image is here, in percent; 100 only if it is all.
    pub(crate) fn percent(&self) -> u8 {
        let (have, all) = self.held.iter().fold((0, 0), |(h, a), p| (h + u64::from(p.count()), a + u64::from(p.len())));
        (have * 100 / all) as u8
    }

    /// True if nothing is here, not even something that waits to be verified.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.held.iter().all(|held| held.count() == 0)
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.held.iter().all(Positions::is_full)
    }

    /// Positions that have become available since the last call.
    pub(crate) fn take_fresh(&mut self) -> impl Iterator<Item = (u8, u32)> + '_ {
        self.fresh.drain(..)
    }

    /// True once after something that waited in this tree turned out to be wrong.
    pub(crate) fn take_spoiled(&mut self, tree: usize) -> bool {
        std::mem::take(&mut self.spoiled[tree])
    }

    /// Takes what came at a position.
    pub(crate) fn accept(&mut self, tree: u8, position: u32, bytes: &Bytes) -> Arrival {
        let Some(part) = self.stream.part(tree.into(), position) else { return Arrival::Rejected };
        if self.held[usize::from(tree)].contains(position) {
            return Arrival::Duplicate;
        }
        match self.verify(part, bytes) {
            Ok(()) => {
                self.hold(tree, position, part, bytes);
                Arrival::Taken
            }
            Err(TreeError::NotYet { .. }) => self.wait(tree, position, bytes),
            Err(_) => Arrival::Rejected,
        }
    }

    /// Prefetches what the next chunks need, and lies so many pointers from here: as if they came one after the other.
    pub(crate) fn prefetch(&self, depth: usize) {
        for (tree, held) in self.held.iter().enumerate() {
            let next = held.count();
            let Some(Part::Chunk(index)) = self.stream.part(tree, next) else { continue };
            if depth == 0 {
                held.prefetch(next);
                self.verifier.prefetch(index);
                prefetch(self.store.as_ref());
            } else {
                self.store.prefetch(index);
            }
        }
    }

    fn verify(&mut self, part: Part, bytes: &Bytes) -> Result<(), TreeError> {
        match part {
            Part::Top(piece) => self.verifier.accept_top(piece, bytes),
            Part::Page(page) => self.verifier.accept_page(page, bytes),
            Part::Chunk(index) => {
                let value_of = |whole| self.store.value(index, bytes, whole);
                self.verifier.verify_chunk_by(index, bytes.len(), value_of)
            }
        }
    }

    fn hold(&mut self, tree: u8, position: u32, part: Part, bytes: &Bytes) {
        match part {
            Part::Chunk(index) => self.store.put(index, bytes.clone()),
            Part::Top(_) | Part::Page(_) => self.store.put_list(part, bytes),
        }
        if self.held[usize::from(tree)].insert(position) {
            self.fresh.push((tree, position));
        }
        if !matches!(part, Part::Chunk(_)) && !self.waiting.is_empty() {
            self.try_waiting();
        }
    }

    fn wait(&mut self, tree: u8, position: u32, bytes: &Bytes) -> Arrival {
        if self.waiting.iter().any(|w| (w.tree, w.position) == (tree, position)) {
            return Arrival::Duplicate;
        }
        if self.waiting.len() == MAX_WAITING {
            return Arrival::NoRoom;
        }
        self.waiting.push(Waiting { tree, position, bytes: bytes.clone() });
        Arrival::Taken
    }

    /// After a list has come: takes what waited for it.
    fn try_waiting(&mut self) {
        for Waiting { tree, position, bytes } in std::mem::take(&mut self.waiting) {
            match self.accept(tree, position, &bytes) {
                Arrival::Taken | Arrival::Duplicate => {}
                Arrival::NoRoom | Arrival::Rejected => self.spoiled[usize::from(tree)] = true,
            }
        }
    }

    /// The bytes at a position that is held.
    pub(crate) fn bytes(&self, tree: usize, position: u32) -> Option<Bytes> {
        match self.stream.part(tree, position)? {
            Part::Top(piece) => self.verifier.top(piece).cloned(),
            Part::Page(page) => self.verifier.page(page).cloned(),
            Part::Chunk(index) => self.store.get(index),
        }
    }

    /// True if all is here and the hash folded from it is the one in the signed manifest.
    pub(crate) fn is_verified(&self) -> bool {
        self.verifier.root_of_received() == Some(self.manifest.root())
    }

    /// The image, once all chunks are held.
    pub(crate) fn image(&self) -> HeldImage<'_> {
        HeldImage::new(&self.manifest, self.store.as_ref())
    }
}
