//! Sessions where the fabric finds cards by itself: a node has no number before it comes, and so nobody knows its image.
//!
//! With one image for all, that is called to the group. With several, nobody is called: nodes ask, and get the call of their
//! image once they have shown that they can be reached at their card.

use super::super::group::{GroupConfig, GroupError, NODES};
use super::super::root::{BootRoot, Cards, Guest, SharedCards, Terms};
use super::{BootService, Served, ServedImage, gate_of, label};
use crate::image::catalogue::Purpose;
use crate::node_ranges::NodeRanges;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Path, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Admit, Answer, Call, Enlist, Offering};
use twowire_fabric::wire::{Header, Packet};

/// Answers that wait for the port; further nodes have to ask again.
const MAX_REPLIES: usize = 1024;

/// The nodes' cards.
pub(super) struct Called {
    cards: SharedCards,
    /// The front end's own.
    card: UniqueId,
    /// There is one image for all: it is called to the group.
    one_for_all: bool,
    replies: VecDeque<Transmit>,
}

impl Called {
    fn cards(&self) -> MutexGuard<'_, Cards> {
        self.cards.lock().expect("nothing panics while it holds this lock")
    }

    /// The next answer to a node.
    pub(super) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.replies.pop_front()
    }

    /// What a node is told for which there is no image.
    pub(super) fn nothing(&self, session: u32) -> Call {
        let (challenge, offering) = (None, Offering::Nothing);
        let (root, part, parts) = (self.card, 0, 1);
        Call { session, root, report_ms: 0, symbol: 0, group: NODES, challenge, offering, part, parts }
    }
}

impl BootService {
    /// A service of these images to all nodes that join, by native multicast. No node may have two images for the same
    /// purpose.
    pub fn for_group(config: &GroupConfig, images: Vec<ServedImage>, seed: u64) -> Result<BootService, GroupError> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let cards: SharedCards = Arc::new(Mutex::new(Cards::new(config, &mut rng)));
        let is_normal = |served: &&ServedImage| served.purpose == Purpose::Normal;
        let one_for_all = images.iter().filter(is_normal).all(|served| served.nodes == NodeRanges::all());
        let fallbacks: Vec<NodeRanges> =
            images.iter().filter(|served| !is_normal(served)).map(|served| served.nodes.clone()).collect();
        let mut served = Vec::new();
        for ServedImage { image, purpose, nodes } in images {
            let label = label(&image);
            let terms = if purpose == Purpose::Fallback { Terms::Fallback } else { Terms::Normal(fallbacks.clone()) };
            let config = &GroupConfig { gate: gate_of(config.gate.as_ref(), served.len()), ..config.clone() };
            let mut root = BootRoot::for_cards(config, image, Arc::clone(&cards), terms, rng.u64(..))?;
            root.stay();
            if purpose == Purpose::Fallback || !one_for_all {
                root.call_nobody(if purpose == Purpose::Normal { nodes.count_below(config.expected) } else { 0 });
                root.invite_only(|_| false);
            }
            served.push(Served::new(label, purpose, nodes, root));
        }
        let service = BootService::of(served, config.timing.join_timeout, BTreeMap::new(), 0);
        let called = Called { cards, card: config.card, one_for_all, replies: VecDeque::new() };
        Ok(BootService { called: Some(called), stays: config.stays, ..service })
    }

    /// The session that a card is to take part in, or that everybody is called to.
    pub(super) fn session_of_card(&self, card: UniqueId) -> Option<usize> {
        let known = self.called.as_ref()?.cards().known(card).and_then(|number| self.session_for(number));
        known.or_else(|| self.served.iter().position(|served| served.purpose == Purpose::Normal))
    }

    /// True if a node asks whose image depends on its number.
    pub(super) fn is_to_be_sorted(&self, enlist: &Enlist) -> bool {
        let sorts = self.called.as_ref().is_some_and(|called| !called.one_for_all);
        sorts && enlist.session == 0 && enlist.answer == Answer::Asks
    }

    /// A node asks for its image: it gets its number, and with that its session.
    pub(super) fn sort(&mut self, now: Time, enlist: &Enlist) {
        let Some(called) = &mut self.called else { return };
        let cookie = called.cards().cookie(enlist);
        if enlist.cookie != cookie {
            let (card, incarnation, number) = (enlist.card, enlist.incarnation, NodeNumber::FRONT_END);
            let admit = Admit { session: 0, card, incarnation, cookie, number };
            if called.replies.len() < MAX_REPLIES {
                called.replies.push_back(Transmit::new(Path::Card(card), Packet::new(admit)));
            }
            return;
        }
        let Some(number) = called.cards().number(enlist.card) else { return };
        let (card, paths) = (enlist.card, vec![Path::Card(enlist.card)]);
        let session = self.session_for(number).or_else(|| self.session_with(number, Purpose::Normal));
        match session.or_else(|| self.session_with(number, Purpose::Fallback)) {
            Some(index) => self.invite(now, index, Guest { number, card, paths }),
            None => {
                self.without.insert(number, paths);
                self.told.insert(number);
            }
        }
    }

    /// A node that had left for its fallback takes part in the session of its normal image again.
    pub(super) fn take_back(&mut self, now: Time, index: usize, packet: &Packet) {
        let Header::Enlist(Enlist { answer: Answer::Accepts, card, .. }) = packet.header else { return };
        let Some(called) = self.called.as_ref().filter(|_| self.served[index].purpose == Purpose::Normal) else {
            return;
        };
        let known = called.cards().known(card);
        let Some(node) = known.filter(|&node| self.served[index].root.is_invited(node)) else { return };
        let fallbacks = self.served.iter_mut().filter(|served| served.purpose == Purpose::Fallback);
        fallbacks.for_each(|fallback| fallback.root.uninvite(now, node));
    }
}
