//! Offers: a node asks for one, judges it, and answers.

use super::super::assembly::Assembly;
use super::super::trees::TreeNode;
use super::reporting::Reporting;
use super::{BootNode, Session};
use crate::image::{ImageError, Manifest, SignedManifest};
use bytes::Bytes;
use std::time::Duration;
use twowire_fabric::protocol::Transmit;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Answer, Join, Offer, Stage};

/// How a node asks for an offer, and what it has to answer.
pub(super) struct Asking {
    /// An answer to send: the session and what to say.
    pub(super) due: Option<(u32, Answer)>,
    /// When it asks next; `None` before it knows when it could.
    at: Option<Time>,
    interval: Duration,
    /// Joins sent: each takes another path.
    count: usize,
}

impl Asking {
    pub(super) fn new(first: Duration) -> Asking {
        Asking { due: None, at: None, interval: first, count: 0 }
    }
}

impl BootNode {
    pub(super) fn on_offer(&mut self, now: Time, offer: &Offer, signed: &Bytes) {
        let Some(location) = &self.location else { return };
        if offer.to != location.own() {
            return;
        }
        let same_epoch = offer.epoch == location.epoch();
        if let Some(session) = &mut self.session {
            if session.id == offer.session {
                session.root_heard = now;
                self.asking.due = Some((offer.session, Answer::Accepts));
                return;
            }
            // While a session moves no other offer is heard: somebody could otherwise lead nodes away from it.
            if now - session.root_heard < self.config.timing.root_silence {
                self.counters.refused_offers += 1;
                return;
            }
        }
        let answer = if same_epoch { self.judge(now, offer, signed) } else { Answer::WrongEpoch };
        self.refused = (answer != Answer::Accepts).then_some(answer);
        self.counters.refused_offers += u64::from(self.refused.is_some());
        self.asking.due = Some((offer.session, answer));
    }

    /// Checks an offer and, if it is good, begins the session.
    fn judge(&mut self, now: Time, offer: &Offer, signed: &Bytes) -> Answer {
        let manifest = match SignedManifest::verify(signed, &self.key) {
            Ok(manifest) if manifest.version() < self.config.oldest_version => return Answer::TooOld,
            Ok(manifest) => manifest,
            Err(ImageError::WrongKey { .. }) => return Answer::WrongKey,
            Err(_) => return Answer::BadManifest,
        };
        let Some((assembly, stage)) = self.assembly_for(manifest) else { return Answer::NoRoom };
        let interval = Duration::from_millis(offer.report_ms.max(1).into());
        let mut report = Reporting::new(interval, now + interval.mul_f64(self.rng.f64()));
        if stage > Stage::Joined {
            report.needs_answer();
        }
        let mover = TreeNode::new(offer.session, self.config.even_interval(), self.rng.u64(..));
        self.session = Some(Box::new(Session {
            id: offer.session,
            assembly,
            mover: Box::new(mover),
            revision: 0,
            stage,
            stage_since: now,
            may_hand_over: false,
            root_heard: now,
            report,
        }));
        self.deadline = now;
        Answer::Accepts
    }

    /// What an earlier session has brought of the same image, or an empty store.
    fn assembly_for(&mut self, manifest: Manifest) -> Option<(Assembly, Stage)> {
        if let Some(old) = self.session.take() {
            self.counters.forwarded += old.mover.forwarded();
            if old.assembly.manifest().root() == manifest.root() {
                return Some((old.assembly, old.stage));
            }
        }
        let store = self.stores.open(&manifest)?;
        Some((Assembly::new(manifest, store), Stage::Joined))
    }

    /// The join that is due.
    pub(super) fn poll_join(&mut self) -> Option<Transmit> {
        let (session, answer) = self.asking.due.take()?;
        let location = self.location.as_ref()?;
        let join = Join {
            session,
            from: location.own(),
            incarnation: self.incarnation,
            epoch: location.epoch(),
            answer,
            key_id: u64::from_le_bytes(self.key.id().0),
        };
        self.asking.count += 1;
        self.send_to_root(join, self.asking.count - 1)
    }

    /// A node that has had no offer asks for one; not at once, for an offer may be on its way to all who got their
    /// routes together.
    pub(super) fn time_asking(&mut self, now: Time) {
        if self.session.is_some() || self.location.is_none() {
            return;
        }
        let asking = &mut self.asking;
        let mut at = *asking.at.get_or_insert_with(|| now + asking.interval.mul_f64(0.5 + 0.5 * self.rng.f64()));
        if at <= now && asking.due.is_none() {
            asking.due = Some((0, Answer::Asks));
            at = now + asking.interval;
            asking.interval = (2 * asking.interval).min(self.config.timing.ask_max);
        }
        asking.at = Some(at);
        self.wake_at(at);
    }
}
