//! How a node proves that it belongs to the cluster, where the cluster has a secret.
//!
//! The front end names a nonce for each transfer; a node answers with a tag over it and over who it is. Without the secret nobody
//! can make a tag, and a tag that was overheard is of no use in another transfer, for another card, number or start.

use twowire_fabric::id::{NodeNumber, UniqueId};
use zerocopy::byteorder::little_endian::{I32, U64};
use zerocopy::{Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a secret.
pub const SECRET_LEN: usize = 32;

/// Bytes of a tag: half of a BLAKE3 hash.
pub const TAG_LEN: usize = 16;

/// Keeps this use of the secret apart from any other.
const CONTEXT: &str = "Twowire 2026 membership tag 1";

/// What all members of a cluster know, and nobody else does.
#[derive(Clone)]
pub struct ClusterSecret {
    key: [u8; blake3::KEY_LEN],
}

/// Who a node says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The number that the front end made up for this transfer.
    pub nonce: u64,
    /// The unique id of the node's card.
    pub id: UniqueId,
    /// The node's number.
    pub node: NodeNumber,
    /// Another number each time that the node starts.
    pub incarnation: u64,
}

/// What is hashed.
///
/// ```text
/// 0       8           16     20            28
/// | nonce | unique id | node | incarnation |
/// ```
#[derive(IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Layout {
    nonce: U64,
    id: U64,
    node: I32,
    incarnation: U64,
}
const _: () = assert!(size_of::<Layout>() == 28);

/// Proves a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub [u8; TAG_LEN]);

impl ClusterSecret {
    /// The secret of these bytes, which must be random.
    pub fn new(bytes: &[u8; SECRET_LEN]) -> ClusterSecret {
        ClusterSecret { key: blake3::derive_key(CONTEXT, bytes) }
    }

    fn hash(&self, claim: &Claim) -> blake3::Hash {
        let layout = Layout {
            nonce: claim.nonce.into(),
            id: claim.id.0.into(),
            node: claim.node.0.into(),
            incarnation: claim.incarnation.into(),
        };
        blake3::keyed_hash(&self.key, layout.as_bytes())
    }

    /// The tag of a claim: what a node sends.
    pub fn tag(&self, claim: &Claim) -> Tag {
        let hash = self.hash(claim);
        Tag(*hash.as_bytes().first_chunk().expect("a hash is longer than a tag"))
    }

    /// True if somebody who knows the secret made the tag of this claim. How long it takes says nothing of the right tag.
    pub fn verifies(&self, claim: &Claim, tag: &Tag) -> bool {
        let expected = self.tag(claim);
        // Hashing both under the secret once more makes the comparison blind to how many bytes were right.
        blake3::keyed_hash(&self.key, &expected.0) == blake3::keyed_hash(&self.key, &tag.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Claim = Claim { nonce: 1, id: UniqueId(0xa1), node: NodeNumber(17), incarnation: 5 };

    #[test]
    fn a_tag_proves_its_claim_and_no_other() {
        let secret = ClusterSecret::new(&[7; SECRET_LEN]);
        let tag = secret.tag(&CLAIM);
        assert!(secret.verifies(&CLAIM, &tag));
        for other in [
            Claim { nonce: 2, ..CLAIM },
            Claim { id: UniqueId(0xa2), ..CLAIM },
            Claim { node: NodeNumber(18), ..CLAIM },
            Claim { incarnation: 6, ..CLAIM },
        ] {
            assert!(!secret.verifies(&other, &tag), "{other:?}");
        }
        assert!(!ClusterSecret::new(&[8; SECRET_LEN]).verifies(&CLAIM, &tag));
        for bit in 0..8 * TAG_LEN {
            let mut forged = tag;
            forged.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!secret.verifies(&CLAIM, &forged), "bit {bit}");
        }
    }

    /// The layout is what other programs rely on.
    #[test]
    fn the_bytes_that_are_hashed() {
        let key = blake3::derive_key("Twowire 2026 membership tag 1", &[7; 32]);
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&1u64.to_le_bytes());
        bytes.extend_from_slice(&0xa1u64.to_le_bytes());
        bytes.extend_from_slice(&17i32.to_le_bytes());
        bytes.extend_from_slice(&5u64.to_le_bytes());
        let expected = blake3::keyed_hash(&key, &bytes);
        assert_eq!(ClusterSecret::new(&[7; SECRET_LEN]).tag(&CLAIM).0, expected.as_bytes()[..16]);
    }
}
