//! Why a standing proof does not go on.

use twowire_fabric::topology::TopologyError;

/// Why a new epoch is refused. It is undone: the routes are those of before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An entry that the tables do not have, or that is changed twice.
    #[error("the repair changes an entry of {crossbar} for {to} that is not there, or changes it twice")]
    NoSuchEntry {
        /// The crossbar's name, or its index if there is none.
        crossbar: String,
        /// The destination's.
        to: String,
    },
    /// A crossbar sends frames where they do not arrive.
    #[error("{crossbar} sends frames to {to} where they do not arrive within {max} hops", max = twowire_fabric::route::MAX_HOPS)]
    DoesNotArrive {
        /// The crossbar.
        crossbar: String,
        /// The destination.
        to: String,
    },
    /// Two hosts are connected, but no route arrives.
    #[error("{from} and {to} are connected, but no route arrives")]
    Missing {
        /// A host.
        from: String,
        /// A host that it cannot reach.
        to: String,
    },
    /// The routes can deadlock, alone or together with those that are in use.
    #[error("routes can deadlock, with those in use, over a cycle of {} cables: {}", .0.len(), .0.join(", "))]
    Cycle(Vec<String>),
}

/// Why routes have no standing proof, or a change does not fit into one: a full proof is needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStanding {
    /// The routes are a list.
    #[error("the routes were listed one by one")]
    Listed,
    /// A host has several cables, or one to another host.
    #[error("{0} has several cables, or one that leads to no crossbar")]
    Rails(String),
    /// A cable came back before the routes that it broke were repaired.
    #[error("a cable at {0} has come back before its routes were repaired")]
    Returned(String),
    /// The tables have no place for it.
    #[error("a cable at {0} is where there was none before: which way is down is not known there")]
    NewCable(String),
    /// The tables have no entries of it.
    #[error("crossbar {0} is new")]
    NewCrossbar(String),
    /// The change contradicts the topology.
    #[error(transparent)]
    Topology(#[from] TopologyError),
}
