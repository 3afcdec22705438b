//! The text files that hold keys: how they are read, written, and why they are refused.

use super::key::KeyId;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use twowire_route_store::atomic_file;

/// Key files are a few hundred bytes; a longer file is something else.
const MAX_FILE: u64 = 4096;

/// Bytes of a key in a file.
pub(crate) const KEY_LEN: usize = 32;

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

/// A new key's bytes, from the operating system's random generator.
pub(crate) fn random() -> Result<[u8; KEY_LEN], KeyError> {
    let mut bytes = [0; KEY_LEN];
    getrandom::fill(&mut bytes).map_err(KeyError::Random)?;
    Ok(bytes)
}

/// Writes a new key file. One that exists is not overwritten.
pub(crate) fn create(path: &Path, mode: u32, text: &str) -> Result<(), KeyError> {
    atomic_file::create_new(path, mode, &[text.as_bytes()]).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists(path.to_owned()),
        _ => KeyError::Write { path: path.to_owned(), source },
    })
}

/// Reads what the text of a file says.
pub(crate) fn read<K>(path: &Path, parse: impl FnOnce(&str) -> Result<K, KeyTextError>) -> Result<K, KeyError> {
    let text = read_text(path)?;
    parse(&text).map_err(|what| KeyError::Text { path: path.to_owned(), what })
}

/// The same, where nobody else may know it: a file that the group or others may read is refused.
pub(crate) fn read_secret<K>(path: &Path, parse: impl FnOnce(&str) -> Result<K, KeyTextError>) -> Result<K, KeyError> {
    check_permissions(path)?;
    read(path, parse)
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

/// The text of a key file.
pub(crate) fn text(header: &str, id: KeyId, key: &[u8; KEY_LEN]) -> String {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{header}\nid {id}\nkey {hex}\n")
}

/// Reads the three lines of a key file; comments and empty lines may stand between them.
pub(crate) fn parse(text: &str, header: &'static str) -> Result<(KeyId, [u8; KEY_LEN]), KeyTextError> {
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

/// Refuses a key that has not the id that its file names.
pub(crate) fn check_id(stated: KeyId, actual: KeyId) -> Result<(), KeyTextError> {
    if stated == actual { Ok(()) } else { Err(KeyTextError::Id { stated, actual }) }
}
