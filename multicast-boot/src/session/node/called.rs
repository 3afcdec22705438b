//! The way in where cards find one another: the node asks for a call, enlists, and is admitted with a number.

use super::super::group::FRONT_ENDS;
use super::super::mover::Carriage;
use super::super::timing::Timing;
use super::Location;
use super::call_parts::CallParts;
use super::entrance::{Admission, Entrance, Offered};
use super::identity::Identity;
use super::reporting::Attempt;
use crate::image::Shape;
use crate::multicast::Geometry;
use std::time::Duration;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::protocol::{Path, Transmit};
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Admit, Answer, Call, Challenge, Enlist};
use twowire_fabric::wire::{Header, Packet};

/// What the node has said to a call.
#[derive(Clone, Copy)]
struct Said {
    session: u32,
    root: UniqueId,
    answer: Answer,
    /// Of the root; 0 before it has sent one. It believes nothing that is said without.
    cookie: u64,
    /// What it has to prove.
    challenge: Option<Challenge>,
}

/// What a node says that has heard no call.
const ASKS: Said = Said { session: 0, root: UniqueId(0), answer: Answer::Asks, cookie: 0, challenge: None };

/// A node that is called.
pub(super) struct CalledEntrance {
    timing: Timing,
    identity: Identity,
    max_payload: usize,
    parts: CallParts,
    /// To ask with: a front end has sent it that wants to see that the node can be reached. 0 before.
    cookie: u64,
    /// What it has said to the call of its session.
    accepted: Option<Said>,
    /// What it has said to the last call that it refused.
    refused: Option<Said>,
    /// In the session; `None` until it is admitted.
    location: Option<Location>,
    due: Option<Transmit>,
    /// When it asks next, or says again what it has said.
    at: Time,
    interval: Duration,
    deadline: Time,
}

impl CalledEntrance {
    /// A node on a port with so large payloads.
    pub(super) fn new(timing: Timing, identity: Identity, max_payload: usize) -> CalledEntrance {
        CalledEntrance {
            timing,
            identity,
            max_payload,
            parts: CallParts::default(),
            cookie: 0,
            accepted: None,
            refused: None,
            location: None,
            due: None,
            at: Time::ZERO,
            interval: timing.ask_first,
            deadline: Time::ZERO,
        }
    }

    fn enlist(&self, said: &Said) -> Transmit {
        let Said { session, root, answer, cookie, challenge } = *said;
        let Identity { card, incarnation, key_id, .. } = self.identity;
        let proof = self.identity.proof(challenge, NodeNumber::FRONT_END, answer);
        let enlist = Enlist { session, card, incarnation, answer, key_id, cookie, proof };
        let path = if answer == Answer::Asks { Path::Group(FRONT_ENDS) } else { Path::Card(root) };
        Transmit::new(path, Packet::new(enlist))
    }

    fn say(&mut self, now: Time, said: Said) {
        self.due = Some(self.enlist(&said));
        self.interval = self.timing.ask_first;
        self.at = now + self.interval;
        self.deadline = now;
    }

    /// What to say next without being asked: a node that takes no part asks for a call; one that has accepted says so
    /// until it is admitted.
    fn next_saying(&self) -> Option<Transmit> {
        match &self.accepted {
            None => Some(self.enlist(&Said { cookie: self.cookie, ..ASKS })),
            Some(_) if self.location.is_some() => None,
            Some(said) => Some(self.enlist(said)),
        }
    }

    /// A front end wants to see that the node can be reached before it says what its image is.
    fn ask_again(&mut self, now: Time, admit: &Admit) {
        if self.accepted.is_none() && self.cookie != admit.cookie {
            self.cookie = admit.cookie;
            self.due = self.next_saying();
            self.deadline = now;
        }
    }

    /// The front end has sent a cookie, without which it does not believe a refusal.
    fn refuse_again(&mut self, now: Time, admit: &Admit) {
        if let Some(refused) = &mut self.refused
            && refused.session == admit.session
            && refused.cookie != admit.cookie
        {
            refused.cookie = admit.cookie;
            let said = *refused;
            self.say(now, said);
        }
    }
}

impl Entrance for CalledEntrance {
    fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }

    fn can_ask(&self) -> bool {
        true
    }

    fn read_offer(&mut self, packet: &Packet) -> Option<Offered> {
        let Header::Call(call) = packet.header else { return None };
        let signed_manifest = self.parts.take(&call, &packet.payload)?;
        Some(Offered {
            session: call.session,
            report_ms: call.report_ms,
            signed_manifest,
            offering: call.offering,
            call: Some(call),
            challenge: call.challenge,
            objection: None,
        })
    }

    fn carriage(&self, offered: &Offered, shape: Shape) -> Option<Carriage> {
        let (symbol, max_payload) = (usize::from(offered.call?.symbol), self.max_payload);
        let geometry = Geometry::new(shape, symbol).filter(|_| symbol <= max_payload)?;
        Some(Carriage::Group { geometry, max_payload })
    }

    fn answer(&mut self, now: Time, offered: &Offered, answer: Answer) {
        let Some(Call { session, root, .. }) = offered.call else { return };
        let cookie = self.refused.filter(|refused| refused.session == session).map_or(0, |refused| refused.cookie);
        let said = Said { session, root, answer, cookie, challenge: offered.challenge };
        if answer == Answer::Accepts {
            (self.accepted, self.refused, self.location) = (Some(said), None, None);
        } else {
            self.refused = Some(said);
            if self.accepted.is_some_and(|accepted| accepted.session == session) {
                (self.accepted, self.location) = (None, None);
            }
        }
        self.say(now, said);
    }

    fn on_admit(&mut self, now: Time, admit: &Admit) -> Admission {
        if admit.card != self.identity.card || admit.incarnation != self.identity.incarnation {
            return Admission::NotOurs;
        }
        if admit.session == 0 {
            self.ask_again(now, admit);
            return Admission::NotOurs;
        }
        let Some(accepted) = self.accepted.as_mut().filter(|accepted| accepted.session == admit.session) else {
            self.refuse_again(now, admit);
            return Admission::NotOurs;
        };
        let same_cookie = accepted.cookie == admit.cookie;
        if self.location.is_some() || (admit.number != NodeNumber::FRONT_END && !same_cookie) {
            return Admission::Heard;
        }
        if admit.number != NodeNumber::FRONT_END {
            self.location = Some(Location::by_card(admit.number, accepted.root));
            self.due = None;
            return Admission::Complete;
        }
        if !same_cookie {
            accepted.cookie = admit.cookie;
            let said = *accepted;
            self.say(now, said);
        }
        Admission::Heard
    }

    fn to_root(&mut self, _: u32, header: Header, attempt: Attempt) -> Option<Transmit> {
        Some(Transmit::new(self.location.as_ref()?.to_front_end(attempt.way)?, Packet::new(header)))
    }

    fn handle_timeout(&mut self, now: Time, in_session: bool, rng: &mut fastrand::Rng) {
        if !in_session {
            (self.accepted, self.location) = (None, None);
        }
        let Some(saying) = self.next_saying() else {
            self.deadline = Time::MAX;
            return;
        };
        if self.at <= now && self.due.is_none() {
            self.due = Some(saying);
            // Not all at the same time: nodes are often switched on together.
            self.at = now + self.interval.mul_f64(0.5 + rng.f64());
            self.interval = (2 * self.interval).min(self.timing.ask_max);
        }
        self.deadline = self.at;
    }

    fn poll_transmit(&mut self, _: Time) -> Option<Transmit> {
        self.due.take()
    }

    fn next_timeout(&self) -> Time {
        self.deadline
    }
}
