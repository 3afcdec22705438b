//! Memory for messages on their way out, used again: fresh memory for each would cost more than the copy into it.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// A shorter message gets memory of its own.
const LEAST: usize = 4 << 10;
/// Bytes of a piece of pooled memory, short and long; a longer message gets memory of its own.
const PLACES: [usize; 2] = [16 << 10, 65 << 10];
/// Most bytes of pieces of one length that are kept.
const KEPT: usize = 2 << 20;

/// Pieces of one length.
type Kept = Vec<Box<[u8]>>;

/// Memory that messages gave back, by its length.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool(Arc<Mutex<[Kept; PLACES.len()]>>);

/// A message in memory of a pool.
struct Pooled {
    memory: Box<[u8]>,
    len: usize,
    pool: Pool,
}

impl Pool {
    /// A message of `len` bytes, which `fill` writes.
    pub(super) fn message(&self, len: usize, fill: impl FnOnce(&mut [u8])) -> Bytes {
        let Some(class) = PLACES.iter().position(|&place| len <= place).filter(|_| len >= LEAST) else {
            let mut message = vec![0; len];
            fill(&mut message);
            return message.into();
        };
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner)[class].pop();
        let mut memory = kept.unwrap_or_else(|| vec![0; PLACES[class]].into());
        fill(&mut memory[..len]);
        Bytes::from_owner(Pooled { memory, len, pool: self.clone() })
    }
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let place = self.memory.len();
        let class = usize::from(place > PLACES[0]);
        let kept = &mut self.pool.0.lock().unwrap_or_else(PoisonError::into_inner)[class];
        if kept.len() * place < KEPT {
            kept.push(std::mem::take(&mut self.memory));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_once_its_message_is_gone() {
        let pool = Pool::default();
        let first = pool.message(LEAST, |bytes| bytes.fill(1));
        let second = pool.message(PLACES[1], |bytes| bytes.fill(2));
        assert_ne!(first.as_ptr(), second.as_ptr());
        let (place, part) = (first.as_ptr(), first.slice(5..10));
        drop(first);
        assert_ne!(pool.message(LEAST, |_| {}).as_ptr(), place, "a part of it is still held");
        drop(part);
        let third = pool.message(LEAST + 1, |bytes| bytes.fill(3));
        assert_eq!((third.as_ptr(), &third[..]), (place, &[3; LEAST + 1][..]));
        assert_eq!(second, vec![2; PLACES[1]]);
        let place = second.as_ptr();
        drop(second);
        assert_eq!(pool.message(PLACES[0] + 1, |_| {}).as_ptr(), place, "a long one for a long one");
    }

    #[test]
    fn short_and_long_messages_are_whole() {
        for len in [0, 1, LEAST - 1, PLACES[1] + 1] {
            assert_eq!(Pool::default().message(len, |bytes| bytes.fill(7)), vec![7; len]);
        }
    }
}
