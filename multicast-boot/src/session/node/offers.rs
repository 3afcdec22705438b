//! Offers: a node judges one, and begins the session if it is good.

use super::BootNode;
use super::entrance::Offered;
use super::images::Trial;
use super::reporting::Reporting;
use super::session::Session;
use crate::image::{ImageError, Manifest, SignedManifest};
use std::time::Duration;
use twowire_fabric::time::Time;
use twowire_fabric::wire::Packet;
use twowire_fabric::wire::boot::{Answer, Offering, Stage};

impl BootNode {
    pub(super) fn on_offer(&mut self, now: Time, packet: &Packet) {
        let Some(offered) = self.entrance.read_offer(packet) else { return };
        if let Some(session) = &mut self.session {
            if session.id == offered.session {
                session.root_heard = now;
                return self.entrance.confirm(&offered);
            }
            // While a session moves no other offer is heard: somebody could otherwise lead nodes away from it.
            if !session.is_left_by_root(now, &self.config.timing) {
                self.counters.refused_offers += 1;
                return;
            }
        }
        if offered.offering == Offering::Nothing {
            self.has_no_image = self.session.is_none();
            return;
        }
        let unproven = offered.challenge.and_then(|challenge| self.identity.objection(&challenge));
        let answer = offered.objection.or(unproven).unwrap_or_else(|| self.judge(now, &offered));
        self.refused = (answer != Answer::Accepts).then_some(answer);
        self.counters.refused_offers += u64::from(self.refused.is_some());
        self.entrance.answer(now, &offered, answer);
    }

    /// Checks an offer and, if it is good, begins the session.
    fn judge(&mut self, now: Time, offered: &Offered) -> Answer {
        let manifest = match SignedManifest::verify(&offered.signed_manifest, &self.key) {
            Ok(manifest) => manifest,
            Err(ImageError::WrongKey { .. }) => return Answer::WrongKey,
            Err(_) => return Answer::BadManifest,
        };
        let begun = self.weigh(&manifest, offered.offering).and_then(|trial| self.begin(now, offered, manifest, trial));
        begun.map_or_else(|refusal| refusal, |()| Answer::Accepts)
    }

    /// Begins the session: with what an earlier one has brought of the same image, or with an empty store.
    fn begin(&mut self, now: Time, offered: &Offered, manifest: Manifest, trial: Trial) -> Result<(), Answer> {
        let carriage = self.entrance.carriage(offered, manifest.shape()).ok_or(Answer::BadManifest)?;
        let interval = Duration::from_millis(offered.report_ms.max(1).into());
        let report = Reporting::new(interval, now + interval.mul_f64(self.rng.f64()));
        let (id, seed) = (offered.session, self.rng.u64(..));
        let (resumed, earlier) = match self.leave_session() {
            Some(old) if old.mover.manifest().root() == manifest.root() => {
                (old.mover.resume(id, carriage, seed).map(|mover| (mover, old.stage)), None)
            }
            old => (None, old.map(|old| old.mover.into_old_image())),
        };
        let (mover, stage) = match resumed {
            Some(resumed) => resumed,
            None => {
                let store = self.stores.open(&manifest).ok_or(Answer::NoRoom)?;
                (carriage.mover(id, manifest, store, earlier, seed), Stage::Joined)
            }
        };
        self.session = Some(Session::new(now, offered.clone(), trial, mover, stage, report));
        self.has_no_image = false;
        Ok(())
    }

    /// Takes the session out, and keeps what it has counted.
    pub(super) fn leave_session(&mut self) -> Option<Session> {
        let old = self.session.take()?;
        self.counters += old.mover.counters();
        Some(old)
    }
}
