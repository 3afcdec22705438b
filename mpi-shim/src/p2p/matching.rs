//! Matching: which receive takes which message.
//!
//! Two queues. A message takes the earliest posted receive that fits it; a receive takes the earliest unexpected message that
//! fits. A queue is a list that is searched from its beginning, as long as such searches end soon; once one does not, the queue is
//! indexed by what is asked for, until it is empty. So thousands of entries or sources do not slow it down.

use super::Plane;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// In place of a source or a tag: any.
pub(super) const ANY: i32 = i32::MIN;

/// A search that goes further than this makes the queue an indexed one.
const FAR: usize = 16;

/// What is matched: a communicator's context (with its plane), the sending process, and the tag; in receives the last two may be [`ANY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Context and plane.
    pub context: u64,
    /// The sending process's number.
    pub source: i32,
    /// The tag.
    pub tag: i32,
}

impl Key {
    /// What the message belongs to.
    #[inline]
    pub fn plane(&self) -> Plane {
        if self.context & 1 == Plane::Collective as u64 { Plane::Collective } else { Plane::User }
    }

    /// True if a receive that asks for `self` takes a message with `message`.
    #[inline]
    pub fn takes(&self, message: &Key) -> bool {
        self.context == message.context
            && (self.source == message.source || self.source == ANY)
            && (self.tag == message.tag || self.tag == ANY)
    }

    /// What receives can ask for to get a message with this key, the most special first.
    fn askings(self) -> [Key; 4] {
        let Key { source, tag, .. } = self;
        [
            self,
            Key { source, tag: ANY, ..self },
            Key { source: ANY, tag, ..self },
            Key { source: ANY, tag: ANY, ..self },
        ]
    }
}

/// Receives that wait for their messages, in the order in which they were posted.
#[derive(Debug)]
pub(super) struct Posted<T> {
    list: VecDeque<(Key, T)>,
    index: FxHashMap<Key, VecDeque<(u64, T)>>,
    indexed: usize,
    next: u64,
}

impl<T> Default for Posted<T> {
    fn default() -> Self {
        Posted { list: VecDeque::new(), index: FxHashMap::default(), indexed: 0, next: 0 }
    }
}

impl<T: Copy + PartialEq> Posted<T> {
    /// True if no receive waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.indexed == 0
    }

    /// Puts a receive behind all others.
    #[inline]
    pub(super) fn post(&mut self, key: Key, receive: T) {
        if self.indexed == 0 {
            return self.list.push_back((key, receive));
        }
        self.post_indexed(key, receive);
    }

    #[cold]
    fn build_index(&mut self) {
        for (key, receive) in std::mem::take(&mut self.list) {
            self.post_indexed(key, receive);
        }
    }

    fn post_indexed(&mut self, key: Key, receive: T) {
        self.index.entry(key).or_default().push_back((self.next, receive));
        self.next += 1;
        self.indexed += 1;
    }

    /// Takes the earliest receive for a message.
    #[inline]
    pub(super) fn take(&mut self, message: &Key) -> Option<T> {
        if self.indexed == 0 {
            // Mostly messages come in the order in which they are asked for.
            if self.list.front().is_some_and(|(key, _)| key.takes(message)) {
                return self.list.pop_front().map(|(_, receive)| receive);
            }
            let place = self.list.iter().position(|(key, _)| key.takes(message));
            let found = place.and_then(|place| self.list.remove(place)).map(|(_, receive)| receive);
            if place.unwrap_or(self.list.len()) > FAR {
                self.build_index();
            }
            return found;
        }
        let first = |asking: &Key| Some((self.index.get(asking)?.front()?.0, *asking));
        let (_, asking) = message.askings().iter().filter_map(first).min_by_key(|&(number, _)| number)?;
        self.pop(&asking)
    }

    fn pop(&mut self, asking: &Key) -> Option<T> {
        let queue = self.index.get_mut(asking)?;
        let (_, receive) = queue.pop_front()?;
        if queue.is_empty() {
            self.index.remove(asking);
        }
        self.indexed -= 1;
        Some(receive)
    }

    /// Takes a receive back; false if it has a message already.
    pub(super) fn cancel(&mut self, key: &Key, receive: T) -> bool {
        if let Some(place) = self.list.iter().position(|&(_, other)| other == receive) {
            self.list.remove(place);
            return true;
        }
        let Some(queue) = self.index.get_mut(key) else { return false };
        let Some(place) = queue.iter().position(|&(_, other)| other == receive) else { return false };
        queue.remove(place);
        if queue.is_empty() {
            self.index.remove(key);
        }
        self.indexed -= 1;
        true
    }
}

/// Messages that nobody has asked for yet, in the order in which they came.
#[derive(Debug)]
pub(super) struct Unexpected<T> {
    list: VecDeque<(Key, T)>,
    index: Index<T>,
}

/// Messages by number, and for each thing that can be asked for the numbers of those that fit, some of which may be gone.
#[derive(Debug)]
struct Index<T> {
    messages: FxHashMap<u64, (Key, T)>,
    fitting: FxHashMap<Key, VecDeque<u64>>,
    next: u64,
    gone: usize,
}

impl<T> Default for Unexpected<T> {
    fn default() -> Self {
        let index = Index { messages: FxHashMap::default(), fitting: FxHashMap::default(), next: 0, gone: 0 };
        Unexpected { list: VecDeque::new(), index }
    }
}

impl<T> Unexpected<T> {
    /// True if there is none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty() && self.index.messages.is_empty()
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.list.len() + self.index.messages.len()
    }

    /// Puts a message behind all others.
    #[inline]
    pub(super) fn add(&mut self, key: Key, message: T) {
        if self.index.messages.is_empty() {
            return self.list.push_back((key, message));
        }
        self.index.add(key, message);
    }

    #[cold]
    fn build_index(&mut self) {
        for (key, message) in std::mem::take(&mut self.list) {
            self.index.add(key, message);
        }
    }

    /// Takes the earliest message for a receive.
    #[inline]
    pub(super) fn take(&mut self, asked: &Key) -> Option<(Key, T)> {
        if self.index.messages.is_empty() {
            let place = self.list.iter().position(|(key, _)| asked.takes(key));
            let found = place.and_then(|place| self.list.remove(place));
            if place.unwrap_or(self.list.len()) > FAR {
                self.build_index();
            }
            return found;
        }
        let number = self.index.first(asked)?;
        self.index.take(number)
    }

    /// The earliest message for a receive, which stays.
    #[inline]
    pub(super) fn find(&mut self, asked: &Key) -> Option<(&Key, &T)> {
        if self.index.messages.is_empty() {
            let place = self.list.iter().position(|(key, _)| asked.takes(key));
            if place.unwrap_or(self.list.len()) <= FAR {
                return self.list.get(place?).map(|(key, message)| (key, message));
            }
            self.build_index();
        }
        let number = self.index.first(asked)?;
        self.index.messages.get(&number).map(|(key, message)| (key, message))
    }
}

impl<T> Index<T> {
    fn add(&mut self, key: Key, message: T) {
        let number = self.next;
        self.next += 1;
        for asking in key.askings() {
            self.fitting.entry(asking).or_default().push_back(number);
        }
        self.messages.insert(number, (key, message));
    }

    /// The number of the earliest message that fits; forgets those before it that are gone.
    fn first(&mut self, asked: &Key) -> Option<u64> {
        let numbers = self.fitting.get_mut(asked)?;
        while let Some(&number) = numbers.front() {
            if self.messages.contains_key(&number) {
                return Some(number);
            }
            numbers.pop_front();
        }
        self.fitting.remove(asked);
        None
    }

    fn take(&mut self, number: u64) -> Option<(Key, T)> {
        let message = self.messages.remove(&number)?;
        self.gone += 1;
        if self.messages.is_empty() {
            self.fitting.clear();
            self.gone = 0;
        } else if self.gone > 2 * self.messages.len() + 1024 {
            self.forget_the_gone();
        }
        Some(message)
    }

    fn forget_the_gone(&mut self) {
        self.gone = 0;
        let messages = &self.messages;
        self.fitting.retain(|_, numbers| {
            numbers.retain(|number| messages.contains_key(number));
            !numbers.is_empty()
        });
    }
}

#[cfg(test)]
mod tests;
