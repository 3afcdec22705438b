//! Unique ids of network cards.

use std::fmt;

/// The 64-bit unique id of a host's network card, as a MAC address or GUID is.
///
/// It says which card answered, never which node it is: a node's number belongs to its location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueId(pub u64);

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#018x}", self.0)
    }
}
