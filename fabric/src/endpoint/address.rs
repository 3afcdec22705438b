//! Paths as payloads: how a frame tells its receiver the way back.

use crate::id::UniqueId;
use crate::protocol::Path;
use crate::route::Route;
use crate::wire::endpoint::PathForm;
use bytes::Bytes;

/// The form and the bytes of a path that a frame of `sender` sets out on.
pub(super) fn encode(path: &Path, sender: UniqueId) -> (PathForm, Bytes) {
    match path {
        Path::Hops(route) => (PathForm::Hops, Bytes::copy_from_slice(route.as_bytes())),
        // A group is answered to the card that sent to it.
        Path::Card(_) | Path::Group(_) => (PathForm::Card, Bytes::copy_from_slice(&sender.0.to_le_bytes())),
    }
}

/// The way back of a path that a frame set out on; `None` if the bytes are not such a path.
pub(super) fn way_back(form: PathForm, bytes: &[u8]) -> Option<Path> {
    match form {
        PathForm::Hops => Route::from_bytes(bytes).ok().map(|route| Path::Hops(route.reversed())),
        PathForm::Card => Some(Path::Card(UniqueId(u64::from_le_bytes(bytes.try_into().ok()?)))),
    }
}
