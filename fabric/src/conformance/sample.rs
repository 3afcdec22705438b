//! Frames to send.

use crate::wire::{Header, Kind, MAX_HEADER, VERSION};
use bytes::Bytes;

/// A header of every kind.
pub fn every_header() -> Vec<Header> {
    Kind::ALL.iter().map(|&kind| header(kind)).collect()
}

/// Some header of a kind: the first of a fixed series of bodies that reads as one. So a kind that is added later
/// is tried too.
fn header(kind: Kind) -> Header {
    let mut rng = fastrand::Rng::with_seed(kind as u64);
    for _ in 0..100_000 {
        let mut bytes = [0; MAX_HEADER];
        // Most fields take any value; those that are numbers of variants or must be zero take small ones.
        bytes.fill_with(|| if rng.bool() { rng.u8(0..3) } else { 0 });
        [bytes[0], bytes[1], bytes[2], bytes[3]] = [VERSION, kind as u8, 0, 0];
        if let Ok((header, ..)) = Header::parse(&bytes) {
            return header;
        }
    }
    panic!("no header of kind {kind:?} was found: its fields take few values")
}

/// Bytes that follow from their length and a salt, so that a mix-up shows.
pub fn pattern(len: usize, salt: u64) -> Bytes {
    let mut bytes = vec![0u8; len];
    fastrand::Rng::with_seed(salt ^ (len as u64) << 40).fill(&mut bytes);
    bytes.into()
}
