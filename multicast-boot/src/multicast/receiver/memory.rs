//! Memory for the pages of an image as their symbols come.

use super::super::geometry::{Geometry, PAGE_BYTES};
use crate::image::tree::{Value, fold, subtree_value};
use bytes::{Bytes, BytesMut};
use std::ops::Range;

/// Bytes that are hashed at once: as soon as they are here, since then the processor's cache still holds them. A page that is
/// hashed when all of it is there comes from memory, at two thirds of the speed. Every block is a whole number of stripes.
pub(super) const STRIPE: usize = 64 << 10;

/// Pages of memory that are kept for later ones, at most.
const POOLED: usize = 16;

/// The bytes of a page, and the values of those of its stripes that have been hashed.
pub(super) struct PageMemory {
    bytes: BytesMut,
    /// Where in the payload the page begins.
    start: usize,
    payload_len: usize,
    stripes: Vec<Option<Value>>,
}

impl PageMemory {
    /// The bytes of a part of the payload that lies in the page, to write what has not been hashed yet.
    pub(super) fn part(&mut self, part: Range<usize>) -> &mut [u8] {
        &mut self.bytes[part.start - self.start..part.end - self.start]
    }

    /// All bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All bytes, to change them: what has been hashed is forgotten.
    pub(super) fn change(&mut self) -> &mut [u8] {
        self.forget_values();
        &mut self.bytes
    }

    /// Bytes have turned out to be wrong, and will change.
    pub(super) fn forget_values(&mut self) {
        self.stripes.fill(None);
    }

    /// Hashes the stripe that begins at this byte of the payload, all of which is here.
    pub(super) fn hash(&mut self, start: usize) {
        let index = (start - self.start) / STRIPE;
        self.stripe(index);
    }

    fn stripe(&mut self, index: usize) -> Value {
        let (at, whole) = (index * STRIPE, self.payload_len <= STRIPE);
        let bytes = &self.bytes[at..self.bytes.len().min(at + STRIPE)];
        *self.stripes[index].get_or_insert_with(|| subtree_value((self.start + at) as u64, bytes, whole))
    }

    /// The value of the page, all of which is here.
    pub(super) fn value(&mut self) -> Value {
        let values: Vec<Value> = (0..self.stripes.len()).map(|index| self.stripe(index)).collect();
        fold(&values, self.payload_len <= PAGE_BYTES)
    }

    /// All bytes, to keep them.
    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes.freeze()
    }
}

/// Memory for pages, used again and again.
#[derive(Default)]
pub(super) struct Pool {
    free: Vec<BytesMut>,
}

impl Pool {
    /// Memory for a page, in which something else may still be.
    pub(super) fn take(&mut self, geometry: &Geometry, page: u32) -> PageMemory {
        let place = geometry.place_of_page(page);
        let mut bytes = self.free.pop().unwrap_or_else(|| BytesMut::zeroed(place.len()));
        bytes.resize(place.len(), 0);
        let payload_len = geometry.shape().payload_len() as usize;
        PageMemory { start: place.start, payload_len, stripes: vec![None; place.len().div_ceil(STRIPE)], bytes }
    }

    /// Takes a page back, if nobody else holds a part of it.
    pub(super) fn give(&mut self, bytes: Bytes) {
        if let Ok(bytes) = bytes.try_into_mut()
            && self.free.len() < POOLED
        {
            self.free.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Shape;
    use crate::image::tree::page_value;

    fn memory(payload: &[u8], page: u32) -> PageMemory {
        let geometry = Geometry::for_port(Shape::new(payload.len() as u64).unwrap(), 8930).unwrap();
        let mut memory = Pool::default().take(&geometry, page);
        let place = geometry.place_of_page(page);
        memory.part(place.clone()).copy_from_slice(&payload[place]);
        memory
    }

    #[test]
    fn the_value_of_a_page_is_that_of_its_stripes() {
        let mut rng = fastrand::Rng::with_seed(1);
        for len in
            [1, 1025, STRIPE - 1, STRIPE, STRIPE + 1, PAGE_BYTES - 1, PAGE_BYTES, 3 * PAGE_BYTES + 5 * STRIPE + 7]
        {
            let payload: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
            for (page, bytes) in (0..).zip(payload.chunks(PAGE_BYTES)) {
                let mut memory = memory(&payload, page);
                let hashed = (page as usize * PAGE_BYTES..).step_by(STRIPE).take(bytes.len().div_ceil(STRIPE));
                hashed.filter(|_| rng.bool()).for_each(|start| memory.hash(start));
                assert_eq!(memory.value(), page_value(page, bytes, len <= PAGE_BYTES), "page {page} of {len} bytes");
            }
        }
    }

    #[test]
    fn a_stripe_is_hashed_once_until_its_bytes_change() {
        let payload = vec![7; PAGE_BYTES];
        let mut page = memory(&payload, 0);
        page.hash(0);
        page.part(0..1)[0] = 8;
        assert_eq!(page.value(), page_value(0, &payload, true), "what was hashed is not looked at again");
        page.forget_values();
        assert_ne!(page.value(), page_value(0, &payload, true));
        page.change()[0] = 7;
        assert_eq!(page.value(), page_value(0, &payload, true));
    }
}
