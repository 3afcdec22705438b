//! Paths as payloads: how a frame tells its receiver the way back.

use crate::id::UniqueId;
use crate::protocol::{LanePath, Path};
use crate::route::Route;
use crate::wire::endpoint::PathForm;
use bytes::Bytes;

/// The form and the bytes of a path that a frame of `sender` sets out on.
pub(super) fn encode(path: &Path, sender: UniqueId) -> (PathForm, Bytes) {
    match path {
        Path::Hops(route) => (PathForm::Hops, Bytes::copy_from_slice(route.as_bytes())),
        Path::Lane(LanePath { route, to, from }) => {
            (PathForm::Lane, [&to.to_be_bytes(), &from.to_be_bytes(), route.as_bytes()].concat().into())
        }
        // A group is answered to the card that sent to it.
        Path::Card(_) | Path::Group(_) => (PathForm::Card, Bytes::copy_from_slice(&sender.0.to_le_bytes())),
    }
}

/// The way back of a path that a frame set out on; `None` if the bytes are not such a path.
pub(super) fn way_back(form: PathForm, bytes: &[u8]) -> Option<Path> {
    match form {
        PathForm::Hops => Route::from_bytes(bytes).ok().map(|route| Path::Hops(route.reversed())),
        PathForm::Lane => {
            let ([to, to_low, from, from_low], hops) = bytes.split_first_chunk()?;
            let [to, from] = [[*to, *to_low], [*from, *from_low]].map(u16::from_be_bytes);
            let path = LanePath { route: Route::from_bytes(hops).ok()?, to, from };
            Some(Path::Lane(path.reversed()))
        }
        PathForm::Card => Some(Path::Card(UniqueId(u64::from_le_bytes(bytes.try_into().ok()?)))),
    }
}
