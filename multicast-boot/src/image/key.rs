//! The cluster's key pair, and the two text files that hold it.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const SECRET_HEADER: &str = "twowire secret key 1";
const PUBLIC_HEADER: &str = "twowire public key 1";

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// Key files are a few hundred bytes; a longer file is something else.
const MAX_FILE: u64 = 4096;

/// Which key: the first 8 bytes of the BLAKE3 of the public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a key could not be made, read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operating system's random generator failed.
    #[error("the operating system gave no random bytes for a key: {0}")]
    Random(getrandom::Error),
    /// The file cannot be read.
    #[error("cannot read the key file {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the key file {}: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a file already.
    #[error("{} exists: a key is never overwritten; move it away or choose another name", .0.display())]
    Exists(PathBuf),
    /// Others may read the secret.
    #[error("{} may be read by others (mode {mode:03o}): `chmod 600` it, or make a new key", .path.display())]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The text is not a key.
    #[error("{}: {what}", .path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: KeyTextError,
    },
}

/// Why a text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// The first line is another one.
    #[error("line {line}: expected `{expected}`, got `{got}`")]
    Header {
        /// The line's number, from 1.
        line: usize,
        /// The line that a key file of this kind starts with.
        expected: &'static str,
        /// What is there.
        got: String,
    },
    /// A line that is not understood.
    #[error("line {line}: expected `{expected}` and its value in hexadecimal, got `{got}`")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// The word that should be there.
        expected: &'static str,
        /// What is there.
        got: String,
    },
    /// The text ends too early.
    #[error("the file ends before its `{0}` line")]
    Truncated(&'static str),
    /// The bytes are no point of the curve.
    #[error("the key is not an ed25519 public key")]
    NotAKey,
    /// Key and id do not belong together.
    #[error("the id says {stated}, but the key's id is {actual}: the file is damaged")]
    Id {
        /// What the file says.
        stated: KeyId,
        /// What the key gives.
        actual: KeyId,
    },
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
        let text = read_text(path)?;
        let what = |what| KeyError::Text { path: path.to_owned(), what };
        text.parse().map_err(what)
    }
}

impl fmt::Display for ClusterPublicKey {
    /// The text of a `.pub` file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text(PUBLIC_HEADER, self.id(), &self.to_bytes()))
    }
}

impl std::str::FromStr for ClusterPublicKey {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<ClusterPublicKey, KeyTextError> {
        let (id, bytes) = parse(text, PUBLIC_HEADER)?;
        let key = ClusterPublicKey::from_bytes(&bytes).ok_or(KeyTextError::NotAKey)?;
        check_id(id, &key)?;
        Ok(key)
    }
}

impl ClusterSecretKey {
    /// A new key from the operating system's random generator.
    pub fn generate() -> Result<ClusterSecretKey, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(KeyError::Random)?;
        Ok(ClusterSecretKey::from_seed(&seed))
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
        check_permissions(path)?;
        let text = read_text(path)?;
        let what = |what| KeyError::Text { path: path.to_owned(), what };
        let (id, seed) = parse(&text, SECRET_HEADER).map_err(what)?;
        let key = ClusterSecretKey::from_seed(&seed);
        check_id(id, &key.public()).map_err(what)?;
        Ok(key)
    }

    /// The text of a secret key file.
    pub(super) fn secret_text(&self) -> String {
        text(SECRET_HEADER, self.public().id(), self.0.as_bytes())
    }
}

#[cfg(unix)]
fn check_permissions(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Permissions { path: path.to_owned(), mode });
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<String, KeyError> {
    use std::io::Read;
    let read = || {
        let mut text = String::new();
        fs::File::open(path)?.take(MAX_FILE).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|source| KeyError::Read { path: path.to_owned(), source })
}

fn text(header: &str, id: KeyId, key: &[u8; 32]) -> String {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{header}\nid {id}\nkey {hex}\n")
}

/// Reads the three lines of a key file; comments and empty lines may stand between them.
fn parse(text: &str, header: &'static str) -> Result<(KeyId, [u8; 32]), KeyTextError> {
    let mut lines = text
        .lines()
        .zip(1..)
        .map(|(text, line)| (text.trim(), line))
        .filter(|(t, _)| !t.is_empty() && !t.starts_with('#'));
    let (got, line) = lines.next().ok_or(KeyTextError::Truncated(header))?;
    if got != header {
        return Err(KeyTextError::Header { line, expected: header, got: shorten(got) });
    }
    let id = field(lines.next(), "id")?;
    let key = field(lines.next(), "key")?;
    if let Some((got, line)) = lines.next() {
        return Err(KeyTextError::Line { line, expected: "nothing more", got: shorten(got) });
    }
    Ok((KeyId(id), key))
}

/// The value of the line that starts with `word`.
fn field<const N: usize>(line: Option<(&str, usize)>, word: &'static str) -> Result<[u8; N], KeyTextError> {
    let (text, line) = line.ok_or(KeyTextError::Truncated(word))?;
    let value = text.strip_prefix(word).and_then(|rest| rest.strip_prefix(' ')).and_then(|hex| from_hex(hex.trim()));
    value.ok_or_else(|| KeyTextError::Line { line, expected: word, got: shorten(text) })
}

fn from_hex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != 2 * N || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The first word of a line, for an error: enough to recognise it, and not the secret that may follow.
fn shorten(text: &str) -> String {
    let word: String = text.split_whitespace().next().unwrap_or("").chars().take(24).collect();
    if word.len() < text.len() { word + "…" } else { word }
}

fn check_id(stated: KeyId, key: &ClusterPublicKey) -> Result<(), KeyTextError> {
    let actual = key.id();
    if stated != actual {
        return Err(KeyTextError::Id { stated, actual });
    }
    Ok(())
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
