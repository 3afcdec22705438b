//! Which image a node boots: the normal one while it has attempts left, then the fallback.
//!
//! | what the record says | normal image offered | boots | record becomes |
//! |---|---|---|---|
//! | nothing, or another image | yes | normal | this image, 1 attempt begun |
//! | this image, not proven, 1 attempt begun | yes | normal | 2 attempts begun |
//! | this image, not proven, 2 attempts begun | yes | fallback | unchanged |
//! | this image, proven, seen to fail less than twice since | yes | normal | unchanged |
//! | this image, proven, seen to fail twice since | yes | fallback | unchanged |
//! | anything | no | fallback | unchanged |
//!
//! An attempt is recorded before the image gets control, so one that never comes back has been counted. A proven image
//! is not counted any more: 1,000 reboots of it cost no write. It counts again from the first time that it is *seen* to
//! fail, by the program that waited for it to become ready. The fallback is the last resort: it is booted as often as it
//! takes, and never written down. An image that the record does not name has all its attempts, so that an update resets
//! the counter by itself.

use std::fmt;
use std::str::FromStr;

/// How many times an image is tried that does not become ready.
pub const MAX_ATTEMPTS: u8 = 2;

/// Which image: the first four bytes of its manifest's BLAKE3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageTag(pub [u8; 4]);

/// How the image that was tried last has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// The image.
    pub image: ImageTag,
    /// Attempts begun; of a proven image, how often it was seen to fail since it last became ready. At most 3.
    pub begun: u8,
    /// It has become ready on this node.
    pub proven: bool,
}

/// The images that a node is offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// The image to boot.
    pub normal: Option<ImageTag>,
    /// There is an image to boot if the normal one does not become ready.
    pub fallback: bool,
}

/// What to boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The normal image.
    Normal,
    /// The fallback: no normal image is offered, or it has used up its attempts.
    Fallback,
    /// Nothing: wait for another offer.
    Nothing,
}

/// What to boot, and what the record must say before it gets control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What to boot.
    pub boot: Choice,
    /// What to write into the record, if it does not say so already.
    pub record: Option<Attempts>,
}

impl Offers {
    /// What to boot, given what the record says.
    pub fn choose(&self, record: Option<Attempts>) -> Decision {
        let last_resort = if self.fallback { Choice::Fallback } else { Choice::Nothing };
        let Some(normal) = self.normal else { return Decision { boot: last_resort, record } };
        match record {
            Some(tried) if tried.image == normal && tried.begun >= MAX_ATTEMPTS => {
                Decision { boot: last_resort, record }
            }
            Some(tried) if tried.image == normal && tried.proven => Decision { boot: Choice::Normal, record },
            Some(tried) if tried.image == normal => {
                let next = Attempts { begun: tried.begun + 1, ..tried };
                Decision { boot: Choice::Normal, record: Some(next) }
            }
            _ => {
                let first = Attempts { image: normal, begun: 1, proven: false };
                Decision { boot: Choice::Normal, record: Some(first) }
            }
        }
    }

    /// What to boot if the attempt cannot be written down: not an image that may fail for ever, if there is a choice.
    pub fn choose_unrecorded(&self) -> Choice {
        match (self.fallback, self.normal) {
            (true, _) => Choice::Fallback,
            (false, Some(_)) => Choice::Normal,
            (false, None) => Choice::Nothing,
        }
    }
}

impl Attempts {
    /// The record after `image` has become ready.
    pub fn after_ready(self, image: ImageTag) -> Attempts {
        if self.image == image { Attempts { begun: 0, proven: true, ..self } } else { self }
    }

    /// The record after `image` was seen not to become ready in its time.
    pub fn after_failure(self, image: ImageTag) -> Attempts {
        // The attempt of an image that is not proven was counted when it began.
        let counts = self.image == image && self.proven && self.begun < MAX_ATTEMPTS;
        if counts { Attempts { begun: self.begun + 1, ..self } } else { self }
    }

    /// True if the image is not tried again.
    pub fn is_exhausted(&self) -> bool {
        self.begun >= MAX_ATTEMPTS
    }
}

impl fmt::Display for ImageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// Text that is not an image's tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an image's tag: expected 8 hexadecimal digits")]
pub struct TagError(String);

impl FromStr for ImageTag {
    type Err = TagError;

    fn from_str(text: &str) -> Result<ImageTag, TagError> {
        let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let tag = u32::from_str_radix(text, 16).ok().filter(|_| digits).ok_or_else(|| TagError(text.to_owned()))?;
        Ok(ImageTag(tag.to_be_bytes()))
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.proven, self.begun) {
            (true, 0) => write!(f, "{}, proven", self.image),
            (true, failed) => write!(f, "{}, proven, {failed} of {MAX_ATTEMPTS} failures since", self.image),
            (false, begun) => write!(f, "{}, not proven, {begun} of {MAX_ATTEMPTS} attempts begun", self.image),
        }
    }
}

#[cfg(test)]
#[path = "boot_tests.rs"]
mod tests;
