//! What a record says. Its bytes are in [`crate::codec`].

use crate::boot::{Attempts, ImageTag};
use crate::codec::{self, MAX_RECORD};
use crate::hops::Hops;

/// The highest count of [`Record::left_out`]: as many, or more.
pub const MAX_LEFT_OUT: u8 = 7;

/// What a node keeps: its own number, its routes to the front end, and how its last image has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    epoch: u32,
    node: u32,
    primary: Hops,
    alternates: Vec<Hops>,
    left_out: u8,
    attempts: Option<Attempts>,
    floor: u64,
}

/// Why a record cannot be made, or does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The same route twice.
    #[error("the route {0} is given twice: an alternate must be another route")]
    Twice(Hops),
    /// A route of no hops beside others: a node that is plugged into the front end has no crossbar to go through.
    #[error("a route of no hops (`-`) is the only one that its node can have: give no alternates")]
    NotAlone,
    /// Not even the master route fits.
    #[error("the master route needs a record of {needed} bytes, but there is room for {room}: use a larger medium")]
    TooLarge {
        /// Bytes of the record without alternates.
        needed: usize,
        /// Bytes that fit.
        room: usize,
    },
}

impl Record {
    /// A record of one master route and its alternates, which must all differ. No image was tried, and none is too old.
    pub fn new(epoch: u32, node: u32, primary: Hops, alternates: Vec<Hops>) -> Result<Record, RecordError> {
        let record = Record { epoch, node, primary, alternates, left_out: 0, attempts: None, floor: 0 };
        let routes: Vec<&Hops> = record.routes().collect();
        if let Some((_, twice)) = routes.iter().enumerate().find(|(i, route)| routes[..*i].contains(route)) {
            return Err(RecordError::Twice(**twice));
        }
        if routes.len() > 1 && routes.iter().any(|route| route.as_bytes().is_empty()) {
            return Err(RecordError::NotAlone);
        }
        Ok(record)
    }

    /// The same, with what is known of the image that was tried last.
    pub fn with_attempts(mut self, attempts: Option<Attempts>) -> Record {
        self.attempts = attempts;
        self
    }

    /// The record after an image has become ready; of which version it is, if that is known: then older ones are not booted
    /// any more. `None` if the record does not name the image: it is the fallback, or is not counted.
    pub fn after_ready(&self, image: ImageTag, version: Option<u64>) -> Option<Record> {
        let tried = self.attempts.filter(|attempts| attempts.image == image)?;
        let floor = self.floor.max(version.unwrap_or(0));
        Some(self.clone().with_attempts(Some(tried.after_ready(image))).with_floor(floor))
    }

    /// The same, with the oldest version of an image that may be booted.
    pub fn with_floor(mut self, floor: u64) -> Record {
        self.floor = floor;
        self
    }

    /// The same, saying that alternates were left out already.
    pub(crate) fn with_left_out(mut self, left_out: u8) -> Record {
        self.left_out = left_out.min(MAX_LEFT_OUT);
        self
    }

    /// The epoch of the routes.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The node's own number.
    pub fn node(&self) -> u32 {
        self.node
    }

    /// The master route: to the front end.
    pub fn primary(&self) -> &Hops {
        &self.primary
    }

    /// Other routes to the front end, in the order in which to try them.
    pub fn alternates(&self) -> &[Hops] {
        &self.alternates
    }

    /// The master route, then its alternates.
    pub fn routes(&self) -> impl Iterator<Item = &Hops> {
        std::iter::once(&self.primary).chain(&self.alternates)
    }

    /// How many alternates were left out for want of room; [`MAX_LEFT_OUT`] stands for that many or more.
    pub fn left_out(&self) -> u8 {
        self.left_out
    }

    /// How the image that was tried last has done; `None` if none was tried.
    pub fn attempts(&self) -> Option<Attempts> {
        self.attempts
    }

    /// The oldest version of an image that may be booted; 0 if any may.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// The record as it fits `room` bytes: its last alternates are left out, and counted.
    pub fn fit(&self, room: usize) -> Result<Record, RecordError> {
        let room = room.min(MAX_RECORD);
        let mut record = self.clone();
        while codec::encoded_len(&record) > room {
            if record.alternates.pop().is_none() {
                return Err(RecordError::TooLarge { needed: codec::encoded_len(&record), room });
            }
            record.left_out = (record.left_out + 1).min(MAX_LEFT_OUT);
        }
        Ok(record)
    }
}
