//! What the NVRAM says of images: which ones the node boots, and what is to be written down before one gets control.

use super::BootNode;
use super::session::Session;
use crate::image::Manifest;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Answer, Offering, Stage};
use twowire_route_store::{Attempts, Choice, ImageTag, Offers};

/// What a node's NVRAM says of images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageRecord {
    /// How the image that was tried last has done.
    pub attempts: Option<Attempts>,
    /// The oldest version that is booted.
    pub oldest: u64,
}

impl ImageRecord {
    /// The record after this image has become ready. A fallback is older on purpose, and says nothing of what is too old.
    fn after_ready(self, trial: &Trial) -> ImageRecord {
        let attempts = self.attempts.map(|attempts| attempts.after_ready(trial.tag));
        let proven = if trial.offering == Offering::Fallback { 0 } else { trial.version };
        ImageRecord { attempts, oldest: self.oldest.max(proven) }
    }

    /// The record after this image was seen not to become ready.
    fn after_failure(self, trial: &Trial) -> ImageRecord {
        ImageRecord { attempts: self.attempts.map(|attempts| attempts.after_failure(trial.tag)), ..self }
    }
}

/// The image of a session, as something that is tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    tag: ImageTag,
    version: u64,
    pub(super) offering: Offering,
    /// What the record must say before the image gets control.
    record: Option<Attempts>,
    /// The record says so: the image may get control.
    pub(super) is_begun: bool,
    /// It was seen not to become ready.
    has_failed: bool,
    /// What became of it was written down, or cannot be.
    is_settled: bool,
}

impl BootNode {
    /// The node keeps a record of images, and this is what it says. What is to be written into it is [`BootNode::record_due`].
    pub fn set_image_record(&mut self, record: ImageRecord) {
        self.images = Some(record);
    }

    /// What is to be written into the record now. The node does not go on before [`BootNode::recorded`].
    pub fn record_due(&self) -> Option<ImageRecord> {
        let (session, images) = (self.session.as_ref()?, self.images?);
        let trial = &session.trial;
        let next = match session.stage {
            Stage::Verified if session.waits_for_record => ImageRecord { attempts: trial.record, ..images },
            Stage::HandingOver if trial.has_failed && !trial.is_settled => images.after_failure(trial),
            Stage::Ready if !trial.is_settled => images.after_ready(trial),
            _ => return None,
        };
        (next != images).then_some(next)
    }

    /// What was due has been written into the record, or cannot be. Then the node boots the fallback, if there is one: an
    /// image that nobody counts might be tried for ever.
    pub fn recorded(&mut self, now: Time, is_written: bool) {
        let (Some(due), Some(session)) = (self.record_due(), self.session.as_mut()) else { return };
        if is_written {
            self.images = Some(due);
        }
        if session.stage != Stage::Verified {
            session.trial.is_settled = true;
        } else if is_written || session.trial.offering != Offering::NormalOrFallback {
            session.begin_trial(now, &self.config.timing);
        } else {
            self.cannot_record = true;
            self.give_up_image(now);
        }
    }

    /// The image of the session is not booted after all.
    fn give_up_image(&mut self, now: Time) {
        let Some(session) = self.leave_session() else { return };
        self.refused = Some(Answer::Exhausted);
        self.entrance.answer(now, &session.offered, Answer::Exhausted);
    }

    /// Phase 2 was seen not to become ready.
    pub(super) fn note_failure(&mut self) {
        if let Some(session) = self.session.as_mut().filter(|session| session.stage == Stage::HandingOver) {
            session.trial.has_failed = true;
        }
    }

    /// Says whether the image of a manifest is booted.
    pub(super) fn weigh(&self, manifest: &Manifest, offering: Offering) -> Result<Trial, Answer> {
        let (tag, version) = (manifest.tag(), manifest.version());
        let under_way = |session: &&Session| session.trial.tag == tag && session.trial.is_begun;
        if let Some(session) = self.session.as_ref().filter(under_way) {
            return Ok(session.trial);
        }
        let images = self.images.unwrap_or_default();
        let is_fallback = offering == Offering::Fallback;
        // A fallback is older on purpose, but only a node that needs it takes one that is.
        let needs_fallback = self.cannot_record || images.attempts.is_some_and(|attempts| attempts.is_exhausted());
        let recorded = if self.config.allow_older || is_fallback && needs_fallback { 0 } else { images.oldest };
        if version < self.config.oldest_version.max(recorded) {
            return Err(Answer::TooOld);
        }
        let offers = Offers { normal: (!is_fallback).then_some(tag), fallback: is_fallback };
        let decision = offers.choose(images.attempts);
        if decision.boot == Choice::Nothing || offering == Offering::NormalOrFallback && self.cannot_record {
            return Err(Answer::Exhausted);
        }
        let is_begun = self.images.is_none_or(|images| images.attempts == decision.record);
        let (has_failed, is_settled) = (false, false);
        Ok(Trial { tag, version, offering, record: decision.record, is_begun, has_failed, is_settled })
    }
}
