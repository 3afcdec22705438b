//! Why there is no map.

use super::model::Contradiction;
use twowire_fabric::id::UniqueId;
use twowire_fabric::route::Route;

/// Why a discovery has no map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// It is not done yet.
    #[error("discovery is not done: {0} probes have been sent")]
    NotDone(u64),
    /// Nothing answers at the front end's own port.
    #[error("nothing answers at the front end's port after {probes} probes: is its cable plugged in?")]
    NoCable {
        /// Probes that were sent.
        probes: u64,
    },
    /// A probe without hops came back: the port is cabled to itself.
    #[error("the front end's port leads back to itself: take off the loopback plug")]
    LoopedBack,
    /// Two hosts with one unique id.
    #[error(
        "unique id {id} is in two places, at the ends of routes {} and {} from the front end: \
         give one of the two cards an id of its own", routes[0], routes[1]
    )]
    DuplicateId {
        /// The id.
        id: UniqueId,
        /// A route to each of the two hosts; `-` for the front end itself.
        routes: Box<[Route; 2]>,
    },
    /// The answers contradicted one another each time that discovery was started anew.
    #[error("the fabric changed during each of {attempts} attempts to map it; at last, {last}")]
    Unstable {
        /// How often discovery was started.
        attempts: u32,
        /// What ended the last attempt.
        last: Contradiction,
    },
    /// More probes than [`DiscoveryConfig::max_probes`](super::DiscoveryConfig::max_probes) were needed.
    #[error("gave up after {0} probes: raise the limit if the fabric is that large")]
    TooManyProbes(u64),
}
