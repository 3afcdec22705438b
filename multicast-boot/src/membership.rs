//! How a node proves that it belongs to the cluster, where the cluster has a secret.
//!
//! The front end names a nonce for each transfer; a node answers with a tag over it and over who it is and what it says. Without the
//! secret nobody can make a tag, and a tag that was overheard is of no use in another transfer, for another card, number, start or
//! answer.

use crate::image::key_file::{self, KEY_LEN};
use crate::image::{KeyError, KeyId, KeyTextError};
use std::fmt;
use std::path::Path;
use twowire_fabric::id::{NodeNumber, UniqueId};
use twowire_fabric::wire::boot::{Answer, Challenge, PROOF_LEN};
use zerocopy::byteorder::little_endian::{I32, U32, U64};
use zerocopy::{Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes of a secret.
pub const SECRET_LEN: usize = KEY_LEN;

const FILE_HEADER: &str = "twowire cluster secret 1";

/// Keep the uses of the secret apart.
const TAG_CONTEXT: &str = "Twowire 2026 membership tag 1";
const ID_CONTEXT: &str = "Twowire 2026 cluster secret id 1";

/// What all members of a cluster know, and nobody else does.
#[derive(Clone)]
pub struct ClusterSecret {
    key: [u8; blake3::KEY_LEN],
    id: KeyId,
}

/// Who a node says that it is, and what it says to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The number that the front end made up for this transfer.
    pub nonce: u64,
    /// The unique id of the node's card. It counts where the node has no number: a number is its place's, whatever card is in it.
    pub id: UniqueId,
    /// The node's number; the front end's where it has none yet.
    pub node: NodeNumber,
    /// Another number each time that the node starts.
    pub incarnation: u32,
    /// Its answer.
    pub answer: Answer,
}

/// What is hashed.
///
/// ```text
/// 0       8           16     20            24       25
/// | nonce | unique id | node | incarnation | answer |
/// ```
#[derive(IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Layout {
    nonce: U64,
    id: U64,
    node: I32,
    incarnation: U32,
    answer: u8,
}
const _: () = assert!(size_of::<Layout>() == 25);

/// Proves a claim: half of a BLAKE3 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub [u8; PROOF_LEN]);

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterSecret({})", self.id)
    }
}

impl ClusterSecret {
    /// The secret of these bytes, which must be random.
    pub fn new(bytes: &[u8; SECRET_LEN]) -> ClusterSecret {
        let id = blake3::derive_key(ID_CONTEXT, bytes);
        let id = KeyId(*id.first_chunk().expect("a hash is longer than an id"));
        ClusterSecret { key: blake3::derive_key(TAG_CONTEXT, bytes), id }
    }

    /// Makes a new secret in a file that only its owner may read, and that does not exist yet.
    pub(crate) fn create(path: &Path) -> Result<ClusterSecret, KeyError> {
        let bytes = key_file::random()?;
        let secret = ClusterSecret::new(&bytes);
        key_file::create(path, 0o600, &key_file::text(FILE_HEADER, secret.id, &bytes))?;
        Ok(secret)
    }

    /// Reads a secret's file. One that the group or others may read is refused.
    pub fn load(path: &Path) -> Result<ClusterSecret, KeyError> {
        key_file::read_secret(path, ClusterSecret::parse)
    }

    fn parse(text: &str) -> Result<ClusterSecret, KeyTextError> {
        let (id, bytes) = key_file::parse(text, FILE_HEADER)?;
        let secret = ClusterSecret::new(&bytes);
        key_file::check_id(id, secret.id).map(|()| secret)
    }

    /// The text of a secret's file, once it is known to be one: for a copy of it.
    pub(crate) fn read_text(path: &Path) -> Result<String, KeyError> {
        key_file::read_secret(path, |text| ClusterSecret::parse(text).map(|_| text.to_owned()))
    }

    /// Which secret this is. Everybody may know it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// A key for another use of the secret, which `context` names: no other use has the same.
    pub fn key_for(&self, context: &str) -> [u8; blake3::KEY_LEN] {
        blake3::derive_key(context, &self.key)
    }

    /// What a front end asks of the nodes of a transfer. The nonce must be random.
    pub fn challenge(&self, nonce: u64) -> Challenge {
        // 0 says that there is no challenge.
        Challenge { secret: u64::from_le_bytes(self.id.0).max(1), nonce }
    }

    fn hash(&self, claim: &Claim) -> blake3::Hash {
        let id = if claim.node == NodeNumber::FRONT_END { claim.id.0 } else { 0 };
        let layout = Layout {
            nonce: claim.nonce.into(),
            id: id.into(),
            node: claim.node.0.into(),
            incarnation: claim.incarnation.into(),
            answer: claim.answer as u8,
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

    const CLAIM: Claim =
        Claim { nonce: 1, id: UniqueId(0xa1), node: NodeNumber(17), incarnation: 5, answer: Answer::Accepts };

    #[test]
    fn a_tag_proves_its_claim_and_no_other() {
        let secret = ClusterSecret::new(&[7; SECRET_LEN]);
        let tag = secret.tag(&CLAIM);
        assert!(secret.verifies(&CLAIM, &tag));
        for other in [
            Claim { nonce: 2, ..CLAIM },
            Claim { node: NodeNumber(18), ..CLAIM },
            Claim { node: NodeNumber::FRONT_END, ..CLAIM },
            Claim { incarnation: 6, ..CLAIM },
            Claim { answer: Answer::TooOld, ..CLAIM },
        ] {
            assert!(!secret.verifies(&other, &tag), "{other:?}");
        }
        assert!(!ClusterSecret::new(&[8; SECRET_LEN]).verifies(&CLAIM, &tag));
        for bit in 0..8 * PROOF_LEN {
            let mut forged = tag;
            forged.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!secret.verifies(&CLAIM, &forged), "bit {bit}");
        }
    }

    #[test]
    fn the_card_counts_where_the_node_has_no_number() {
        let secret = ClusterSecret::new(&[7; SECRET_LEN]);
        let replaced = |claim: Claim| Claim { id: UniqueId(0xa2), ..claim };
        assert!(secret.verifies(&replaced(CLAIM), &secret.tag(&CLAIM)));
        let unnumbered = Claim { node: NodeNumber::FRONT_END, ..CLAIM };
        assert!(!secret.verifies(&replaced(unnumbered), &secret.tag(&unnumbered)));
    }

    /// The layout is what other programs rely on.
    #[test]
    fn the_bytes_that_are_hashed() {
        let key = blake3::derive_key("Twowire 2026 membership tag 1", &[7; 32]);
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&1u64.to_le_bytes());
        bytes.extend_from_slice(&0u64.to_le_bytes());
        bytes.extend_from_slice(&17i32.to_le_bytes());
        bytes.extend_from_slice(&5u32.to_le_bytes());
        bytes.push(1);
        let expected = blake3::keyed_hash(&key, &bytes);
        assert_eq!(ClusterSecret::new(&[7; SECRET_LEN]).tag(&CLAIM).0, expected.as_bytes()[..16]);
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_is_kept_in_a_file_that_only_its_owner_reads() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let secret = ClusterSecret::create(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let loaded = ClusterSecret::load(&path).unwrap();
        assert_eq!((loaded.id(), loaded.tag(&CLAIM)), (secret.id(), secret.tag(&CLAIM)));
        assert_eq!(format!("{secret:?}"), format!("ClusterSecret({})", secret.id()), "the secret is not shown");
        let error = ClusterSecret::create(&path).unwrap_err().to_string();
        assert!(error.contains("never overwritten"), "{error}");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("key ", "key 0")).unwrap();
        let error = ClusterSecret::load(&path).unwrap_err().to_string();
        assert!(error.contains("line 3: expected `key`"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).unwrap();
        let error = ClusterSecret::load(&path).unwrap_err().to_string();
        assert!(error.contains("mode 604"), "{error}");
    }
}
