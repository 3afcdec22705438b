//! The cluster's key pair, and the two text files that hold it.

use super::key_file::{self, KeyError, KeyTextError};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::fmt;
use std::path::Path;

const SECRET_HEADER: &str = "twowire secret key 1";
const PUBLIC_HEADER: &str = "twowire public key 1";

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// Which key: the first 8 bytes of the BLAKE3 of the public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What every node of a cluster knows: checks the signatures of its images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterPublicKey(VerifyingKey);

/// What signs a cluster's images. Its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct ClusterSecretKey(SigningKey);

impl fmt::Debug for ClusterSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterSecretKey({})", self.public().id())
    }
}

impl ClusterPublicKey {
    /// The key of these 32 bytes; `None` if they are not one, or one that fits more than one signature.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<ClusterPublicKey> {
        VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak()).map(ClusterPublicKey)
    }

    /// The key's bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// Which key this is.
    pub fn id(&self) -> KeyId {
        let hash = blake3::hash(self.0.as_bytes());
        KeyId(hash.as_bytes()[..8].try_into().expect("8 of 32 bytes"))
    }

    /// True if the secret key of this one signed `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }

    /// Reads a `.pub` file.
    pub fn load(path: &Path) -> Result<ClusterPublicKey, KeyError> {
        key_file::read(path, str::parse)
    }
}

impl fmt::Display for ClusterPublicKey {
    /// The text of a `.pub` file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&key_file::text(PUBLIC_HEADER, self.id(), &self.to_bytes()))
    }
}

impl std::str::FromStr for ClusterPublicKey {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<ClusterPublicKey, KeyTextError> {
        let (id, bytes) = key_file::parse(text, PUBLIC_HEADER)?;
        let key = ClusterPublicKey::from_bytes(&bytes).ok_or(KeyTextError::NotAKey)?;
        key_file::check_id(id, key.id()).map(|()| key)
    }
}

impl ClusterSecretKey {
    /// A new key from the operating system's random generator.
    pub fn generate() -> Result<ClusterSecretKey, KeyError> {
        Ok(ClusterSecretKey::from_seed(&key_file::random()?))
    }

    /// The key of a 32-byte seed: the same one each time, so only as secret as the seed.
    pub fn from_seed(seed: &[u8; 32]) -> ClusterSecretKey {
        ClusterSecretKey(SigningKey::from_bytes(seed))
    }

    /// The public half.
    pub fn public(&self) -> ClusterPublicKey {
        ClusterPublicKey(self.0.verifying_key())
    }

    /// Signs a message; the same message always gets the same signature.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(message).to_bytes()
    }

    /// Reads a secret key file. One that the group or others may read is refused.
    pub fn load(path: &Path) -> Result<ClusterSecretKey, KeyError> {
        key_file::read_secret(path, |text| {
            let (id, seed) = key_file::parse(text, SECRET_HEADER)?;
            let key = ClusterSecretKey::from_seed(&seed);
            key_file::check_id(id, key.public().id()).map(|()| key)
        })
    }

    /// The text of a secret key file.
    pub(super) fn secret_text(&self) -> String {
        key_file::text(SECRET_HEADER, self.public().id(), self.0.as_bytes())
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
