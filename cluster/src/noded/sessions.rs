//! Who an agent talks to: front ends that have proved to know the secret, and such that have yet to.
//!
//! A hello says that its author knows the secret, but anybody may have heard it before and say it again. Only a message under the key that follows from
//! the agent's own nonce proves it. So places are kept for those who have proved themselves: when all are taken, the one who has waited for
//! longest without a proof makes room.

use super::link::Link;
use super::part::Part;
use super::store::Incoming;
use super::wire::Message;
use std::collections::BTreeMap;
use twowire_fabric::id::UniqueId;

/// Most connections with front ends.
const MOST: usize = 64;

/// A front end.
pub(super) struct Session {
    pub(super) link: Link,
    pub(super) lanes: Vec<u16>,
    pub(super) part: Option<Part>,
    /// The files that it sends.
    pub(super) incoming: Option<Incoming>,
    /// It has sent a message that only who knows the secret can make.
    proven: bool,
    /// How many came before it.
    number: u64,
}

impl Session {
    /// True once it has sent what only who knows the secret can make.
    pub(super) fn is_proven(&self) -> bool {
        self.proven
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Sessions {
    all: BTreeMap<UniqueId, Session>,
    greeted: u64,
}

/// What became of somebody new.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// There was a place.
    Free,
    /// This one, who has proved nothing, made room.
    InPlaceOf(UniqueId),
    /// All places are taken by front ends that have proved themselves.
    Full,
}

impl Sessions {
    pub(super) fn get_mut(&mut self, peer: UniqueId) -> Option<&mut Session> {
        self.all.get_mut(&peer)
    }

    pub(super) fn contains(&self, peer: UniqueId) -> bool {
        self.all.contains_key(&peer)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.all.values()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.all.values_mut()
    }

    pub(super) fn remove(&mut self, peer: UniqueId) -> Option<Session> {
        self.all.remove(&peer)
    }

    /// Removes all; who they were.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = UniqueId> + use<> {
        std::mem::take(&mut self.all).into_keys()
    }

    /// The message of a front end that is known; the first one proves that it knows the secret.
    pub(super) fn open(&mut self, peer: UniqueId, bytes: &[u8]) -> Option<Message> {
        let session = self.all.get_mut(&peer)?;
        let message = session.link.open(bytes)?;
        session.proven = true;
        Some(message)
    }

    /// Makes room for one more.
    pub(super) fn make_room(&mut self) -> Admission {
        if self.all.len() < MOST {
            return Admission::Free;
        }
        let unproven = self.all.iter().filter(|(_, session)| !session.proven);
        let Some((&oldest, _)) = unproven.min_by_key(|(_, session)| session.number) else { return Admission::Full };
        self.all.remove(&oldest);
        Admission::InPlaceOf(oldest)
    }

    /// Adds somebody who has said hello.
    pub(super) fn greet(&mut self, peer: UniqueId, link: Link) {
        self.greeted += 1;
        let session =
            Session { link, lanes: Vec::new(), part: None, incoming: None, proven: false, number: self.greeted };
        self.all.insert(peer, session);
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Channel, Ends, NONCE, Secret, Side};
    use super::*;

    fn channel(peer: u64, side: Side) -> Channel {
        let ends = Ends { front: UniqueId(peer), agent: UniqueId(0) };
        Secret([7; 32]).channel(side, ends, &[1; NONCE], &[2; NONCE])
    }

    fn greet(sessions: &mut Sessions, peer: u64) {
        sessions.greet(UniqueId(peer), Link::new(UniqueId(peer), channel(peer, Side::Agent)));
    }

    #[test]
    fn hellos_that_are_said_again_keep_nobody_out() {
        let mut sessions = Sessions::default();
        for peer in 1..=MOST as u64 {
            assert_eq!(sessions.make_room(), Admission::Free);
            greet(&mut sessions, peer);
        }
        let proof = channel(1, Side::FrontEnd).seal(&Message::InputTaken.to_bytes());
        assert!(sessions.open(UniqueId(2), &proof).is_none(), "somebody else's");
        assert!(sessions.open(UniqueId(1), &proof).is_some());
        for newcomer in 1000..1200 {
            assert!(matches!(sessions.make_room(), Admission::InPlaceOf(peer) if peer != UniqueId(1)));
            greet(&mut sessions, newcomer);
            assert!(sessions.contains(UniqueId(newcomer)) && sessions.contains(UniqueId(1)));
        }
        assert_eq!(sessions.make_room(), Admission::InPlaceOf(UniqueId(1200 - MOST as u64 + 1)), "the oldest");
        assert_eq!(sessions.iter().count(), MOST - 1);
    }

    #[test]
    fn who_has_proved_to_know_the_secret_keeps_its_place() {
        let mut sessions = Sessions::default();
        for peer in 1..=MOST as u64 {
            greet(&mut sessions, peer);
            let proof = channel(peer, Side::FrontEnd).seal(&Message::InputTaken.to_bytes());
            assert!(sessions.open(UniqueId(peer), &proof).is_some());
        }
        assert_eq!(sessions.make_room(), Admission::Full);
    }
}
