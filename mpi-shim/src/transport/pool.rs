//! Memory for messages on their way out, used again: fresh memory for each would cost more than the copy into it.

use bytes::Bytes;
use std::sync::{Arc, Mutex, PoisonError};

/// A shorter message gets memory of its own.
const LEAST: usize = 4 << 10;
/// Bytes of a piece of pooled memory; a longer message gets memory of its own.
const PLACE: usize = 65 << 10;
/// Most pieces that are kept.
const KEPT: usize = 64;

/// Memory that messages gave back.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool(Arc<Mutex<Vec<Box<[u8]>>>>);

/// A message in memory of a pool.
struct Pooled {
    memory: Box<[u8]>,
    len: usize,
    pool: Pool,
}

impl Pool {
    /// A message of `len` bytes, which `fill` writes.
    pub(super) fn message(&self, len: usize, fill: impl FnOnce(&mut [u8])) -> Bytes {
        if !(LEAST..=PLACE).contains(&len) {
            let mut message = vec![0; len];
            fill(&mut message);
            return message.into();
        }
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut memory = kept.unwrap_or_else(|| vec![0; PLACE].into());
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
        let mut kept = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
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
        let second = pool.message(PLACE, |bytes| bytes.fill(2));
        assert_ne!(first.as_ptr(), second.as_ptr());
        let (place, part) = (first.as_ptr(), first.slice(5..10));
        drop(first);
        assert_ne!(pool.message(LEAST, |_| {}).as_ptr(), place, "a part of it is still held");
        drop(part);
        let third = pool.message(LEAST + 1, |bytes| bytes.fill(3));
        assert_eq!((third.as_ptr(), &third[..]), (place, &[3; LEAST + 1][..]));
        assert_eq!(second, vec![2; PLACE]);
    }

    #[test]
    fn short_and_long_messages_are_whole() {
        for len in [0, 1, LEAST - 1, PLACE + 1] {
            assert_eq!(Pool::default().message(len, |bytes| bytes.fill(7)), vec![7; len]);
        }
    }
}
