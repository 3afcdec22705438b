//! How a root comes to know its nodes where the fabric finds cards by itself: it calls, and admits who answers.
//!
//! Nothing is kept of a card that has not answered with the cookie that was sent to it, so frames with forged ids cost a
//! frame each, and no memory.

use super::super::group::GroupConfig;
use super::control::{Control, Phase};
use super::gate::Statement;
use super::member::Member;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Path, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::boot::{Admit, Answer, Call, Enlist};

/// Answers to nodes that wait for the port; further nodes have to ask again.
const MAX_REPLIES: usize = 1024;

/// The cards of a front end's nodes: the same for all its sessions.
pub(crate) struct Cards {
    max_nodes: usize,
    /// Makes cookies.
    secret: [u8; blake3::KEY_LEN],
    /// The numbers that cards have.
    numbers: BTreeMap<UniqueId, NodeNumber>,
    taken: BTreeSet<NodeNumber>,
    next_number: NodeNumber,
}

/// Cards, for several sessions.
pub(crate) type SharedCards = Arc<Mutex<Cards>>;

impl Cards {
    /// Those that are known already.
    pub(crate) fn new(config: &GroupConfig, rng: &mut fastrand::Rng) -> Cards {
        Cards {
            max_nodes: config.max_nodes.max(config.numbers.len()),
            secret: std::array::from_fn(|_| rng.u8(..)),
            numbers: config.numbers.iter().copied().collect(),
            taken: config.numbers.iter().map(|&(_, number)| number).collect(),
            next_number: NodeNumber(0),
        }
    }

    /// Only who gets the frames for a card can know its cookie.
    pub(crate) fn cookie(&self, enlist: &Enlist) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(&enlist.card.0.to_le_bytes()).update(&enlist.incarnation.to_le_bytes());
        let hash = hasher.finalize();
        // 0 says that there is none.
        hash.as_bytes().first_chunk().map_or(1, |bytes| u64::from_le_bytes(*bytes).max(1))
    }

    /// The number that a card has.
    pub(crate) fn known(&self, card: UniqueId) -> Option<NodeNumber> {
        self.numbers.get(&card).copied()
    }

    /// The number of a card; a new card gets the lowest that is free. `None` if there are too many.
    pub(crate) fn number(&mut self, card: UniqueId) -> Option<NodeNumber> {
        if let Some(&number) = self.numbers.get(&card) {
            return Some(number);
        }
        if self.numbers.len() >= self.max_nodes {
            return None;
        }
        while !self.taken.insert(self.next_number) {
            self.next_number.0 += 1;
        }
        self.numbers.insert(card, self.next_number);
        Some(self.next_number)
    }
}

/// Admits nodes by their cards.
pub(super) struct Admission {
    call: Call,
    signed_manifest: Bytes,
    cards: SharedCards,
    replies: VecDeque<Transmit>,
    /// It calls no group.
    pub(super) is_quiet: bool,
    call_due: bool,
    call_at: Time,
    call_interval: Duration,
    call_interval_max: Duration,
}

impl Admission {
    pub(super) fn new(config: &GroupConfig, call: Call, signed_manifest: Bytes, cards: SharedCards) -> Admission {
        Admission {
            call,
            signed_manifest,
            cards,
            replies: VecDeque::new(),
            is_quiet: false,
            call_due: false,
            call_at: Time::MAX,
            call_interval: config.timing.call_first,
            call_interval_max: config.timing.call_max,
        }
    }

    /// Begins to call.
    pub(super) fn start(&mut self, now: Time) {
        if !self.is_quiet {
            self.call_at = now;
        }
    }

    /// Takes what a node says.
    pub(super) fn on_enlist(&mut self, now: Time, control: &mut Control, enlist: &Enlist) {
        if matches!(control.phase, Phase::Idle | Phase::Done) {
            return;
        }
        if enlist.answer == Answer::Asks {
            let call = Packet::with_payload(self.call, self.signed_manifest.clone());
            return self.reply(enlist.card, call);
        }
        if enlist.session != control.session {
            return;
        }
        let mut cards = self.cards.lock().expect("nothing panics while it holds this lock");
        let cookie = cards.cookie(enlist);
        let mut admit = Admit {
            session: enlist.session,
            card: enlist.card,
            incarnation: enlist.incarnation,
            cookie,
            number: NodeNumber::FRONT_END,
        };
        if enlist.cookie == cookie {
            let Enlist { card, incarnation, answer, proof, .. } = *enlist;
            let node = NodeNumber::FRONT_END;
            if !control.believes(&Statement { card, node, incarnation, answer, proof }) {
                return;
            }
            let Some(number) = cards.number(card) else { return };
            admit.number = number;
            let (offering, paths) = (control.terms.offering(number), vec![Path::Card(card)]);
            let index = control.index_or_add(number, || Member { offering, ..Member::new(number, card, paths) });
            control.on_answer(now, index, enlist.incarnation, Some(enlist.answer), enlist.key_id);
        }
        drop(cards);
        self.reply(enlist.card, Packet::new(admit));
    }

    fn reply(&mut self, card: UniqueId, packet: Packet) {
        if self.replies.len() < MAX_REPLIES {
            self.replies.push_back(Transmit::new(Path::Card(card), packet));
        }
    }

    /// The next frame to a node, or to all.
    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        if std::mem::take(&mut self.call_due) {
            let call = Packet::with_payload(self.call, self.signed_manifest.clone());
            return Some(Transmit::new(Path::Group(self.call.group), call));
        }
        self.replies.pop_front()
    }

    /// Makes a call due when it is time.
    pub(super) fn on_timeout(&mut self, now: Time) {
        if self.call_at <= now {
            self.call_due = true;
            self.call_at = now + self.call_interval;
            self.call_interval = (2 * self.call_interval).min(self.call_interval_max);
        }
    }

    /// When it calls next.
    pub(super) fn next_timeout(&self) -> Time {
        self.call_at
    }
}
