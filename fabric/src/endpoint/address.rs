//! Paths as payloads: how a frame tells its receiver the way back.

use crate::protocol::Path;
use crate::route::Route;
use crate::wire::endpoint::PathForm;
use bytes::Bytes;

/// The form and the bytes of a path.
pub(super) fn encode(path: &Path) -> (PathForm, Bytes) {
    match path {
        Path::Hops(route) => (PathForm::Hops, Bytes::copy_from_slice(route.as_bytes())),
    }
}

/// The way back of a path that a frame set out on; `None` if the bytes are not such a path.
pub(super) fn way_back(form: PathForm, bytes: &[u8]) -> Option<Path> {
    match form {
        PathForm::Hops => Route::from_bytes(bytes).ok().map(|route| Path::Hops(route.reversed())),
    }
}
