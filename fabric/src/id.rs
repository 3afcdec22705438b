//! Unique ids of network cards.

use std::fmt;
use std::str::FromStr;

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

/// The number of a node; it belongs to the node's location, whatever card is plugged in there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeNumber(pub i32);

impl NodeNumber {
    /// The front end.
    pub const FRONT_END: NodeNumber = NodeNumber(-1);

    /// 0 for the front end, 1 for node 0, and so on.
    pub fn index(self) -> usize {
        usize::try_from(self.0 + 1).expect("no number is below the front end's")
    }

    /// The number whose [`NodeNumber::index`] this is.
    pub fn from_index(index: usize) -> NodeNumber {
        NodeNumber(i32::try_from(index).expect("fewer than 2^31 nodes") - 1)
    }
}

impl fmt::Display for NodeNumber {
    /// `n17`, or `master` for the front end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == NodeNumber::FRONT_END { f.write_str("master") } else { write!(f, "n{}", self.0) }
    }
}

/// Text that is no node's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a node's name: expected `master`, or `n` and a number, as in `n17`")]
pub struct NotANode(pub String);

impl FromStr for NodeNumber {
    type Err = NotANode;

    fn from_str(name: &str) -> Result<NodeNumber, NotANode> {
        if name == "master" {
            return Ok(NodeNumber::FRONT_END);
        }
        let number = name.strip_prefix('n').and_then(|digits| digits.parse().ok()).map(NodeNumber);
        // Only the canonical form is a name: not `n+1`, `n-1` or `n01`.
        number.filter(|n| n.0 >= 0 && n.to_string() == name).ok_or_else(|| NotANode(name.to_owned()))
    }
}
