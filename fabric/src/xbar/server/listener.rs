//! The path at which a server listens.

use super::super::socket;
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another server runs there.
    #[error("{path}: an xbar runs there already; stop it, or choose another path", path = .0.display())]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{path}: this is not a socket; remove it, or choose another path", path = .0.display())]
    NotASocket(PathBuf),
    /// The path cannot be used.
    #[error("cannot listen at {path}: {reason}; choose a path of at most 107 bytes in a directory that exists and is writable", path = .path.display())]
    Listen {
        /// The path.
        path: PathBuf,
        /// Why not.
        reason: Errno,
    },
    /// The operating system refused.
    #[error("the operating system refused: {0}")]
    System(Errno),
}

/// Listens at a path. A socket is stale, and is replaced, if nobody accepts connections there.
pub(super) fn listen(path: &Path) -> Result<OwnedFd, ServeError> {
    let failed = |reason| ServeError::Listen { path: path.to_owned(), reason };
    match socket::listen_at(path) {
        Err(Errno::ADDRINUSE) => {}
        other => return other.map_err(failed),
    }
    let metadata = std::fs::symlink_metadata(path).map_err(|error| failed(errno(&error)))?;
    if !metadata.file_type().is_socket() {
        return Err(ServeError::NotASocket(path.to_owned()));
    }
    match socket::connect_to(path) {
        Err(Errno::CONNREFUSED) => {}
        Ok(_) | Err(_) => return Err(ServeError::InUse(path.to_owned())),
    }
    std::fs::remove_file(path).map_err(|error| failed(errno(&error)))?;
    socket::listen_at(path).map_err(failed)
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
