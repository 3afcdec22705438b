//! By what a node proves that it belongs to the cluster, where the cluster has a secret.

use crate::wire::{Kind, WireError};
use zerocopy::byteorder::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the proof in a [`Join`](super::Join) or an [`Enlist`](super::Enlist).
pub const PROOF_LEN: usize = 16;

/// What a front end with a secret asks a node to prove.
///
/// ```text
/// 0           8           16
/// | secret    | nonce     |
/// ```
///
/// Zeros say that nothing is to be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The id of the secret, so that a node with another one can say so. Not 0.
    pub secret: u64,
    /// Another number for each transfer.
    pub nonce: u64,
}

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(super) struct ChallengeLayout {
    secret: U64,
    nonce: U64,
}
const _: () = assert!(size_of::<ChallengeLayout>() == 16);

impl ChallengeLayout {
    pub(super) fn of(challenge: Option<Challenge>) -> ChallengeLayout {
        let Challenge { secret, nonce } = challenge.unwrap_or(Challenge { secret: 0, nonce: 0 });
        ChallengeLayout { secret: secret.into(), nonce: nonce.into() }
    }

    pub(super) fn read(self, kind: Kind) -> Result<Option<Challenge>, WireError> {
        match (self.secret.get(), self.nonce.get()) {
            (0, 0) => Ok(None),
            (0, nonce) => Err(WireError::Field { kind, field: "nonce", value: nonce }),
            (secret, nonce) => Ok(Some(Challenge { secret, nonce })),
        }
    }
}
