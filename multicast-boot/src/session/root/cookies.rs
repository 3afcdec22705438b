//! By what the root sees, where the cluster has no secret, that a node speaks for itself: it sends back what only who gets
//! the frames for its place can have read.

use twowire_fabric::id::NodeNumber;
use twowire_fabric::wire::boot::Challenge;

/// Makes the cookies of a transfer.
pub(super) struct Cookies([u8; blake3::KEY_LEN]);

impl Cookies {
    pub(super) fn new(rng: &mut fastrand::Rng) -> Cookies {
        Cookies(std::array::from_fn(|_| rng.u8(..)))
    }

    /// What this node has to send back.
    pub(super) fn of(&self, node: NodeNumber) -> Challenge {
        let hash = blake3::keyed_hash(&self.0, &node.0.to_le_bytes());
        let nonce = hash.as_bytes().first_chunk().map_or(1, |bytes| u64::from_le_bytes(*bytes).max(1));
        Challenge { secret: 0, nonce }
    }
}
