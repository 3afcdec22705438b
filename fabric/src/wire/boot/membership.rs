//! By what a node proves that it belongs to the cluster, where the cluster has a secret.

use zerocopy::byteorder::little_endian::U64;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of the proof in a [`Join`](super::Join) or an [`Enlist`](super::Enlist).
pub const PROOF_LEN: usize = 16;

/// What a front end asks a node to prove: that it knows the cluster's secret or, where there is none, that it gets the
/// frames for its place.
///
/// ```text
/// 0           8           16
/// | secret    | nonce     |
/// ```
///
/// Zeros say that nothing is to be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The id of the secret, so that a node with another one can say so; 0 where the nonce is only to be sent back.
    pub secret: u64,
    /// Another number for each transfer; one that is to be sent back is another one for each node as well, and not 0.
    pub nonce: u64,
}

impl Challenge {
    /// The proof, where it is the nonce itself.
    pub fn echo(&self) -> Option<[u8; PROOF_LEN]> {
        let mut proof = [0; PROOF_LEN];
        proof[..size_of::<u64>()].copy_from_slice(&self.nonce.to_le_bytes());
        (self.secret == 0).then_some(proof)
    }
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

    pub(super) fn read(self) -> Option<Challenge> {
        let (secret, nonce) = (self.secret.get(), self.nonce.get());
        (secret != 0 || nonce != 0).then_some(Challenge { secret, nonce })
    }
}
