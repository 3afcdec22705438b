//! The fabric of a Twowire cluster: everything that its crates share below the level of a job.
//!
//! Read the modules in this order; each knows only those above it.
//!
//! | module | what it is |
//! |---|---|
//! | [`time`], [`id`], [`route`] | instants, unique ids, source routes |
//! | [`wire`] | every byte that crosses a cable (`docs/wire-format.md`) |
//! | [`protocol`] | the sans-IO trait of a state machine, and the `Port` that moves its frames |
//! | [`responder`] | the host's side of discovery: answers probes |
//! | [`middleware`] | faults, traces and captures around any `Port` |
//! | [`endpoint`] | messages, reliable and in order for each peer, over a port |
//! | [`topology`] | the graph of crossbars, hosts and cables; its text format and generators |
//! | [`routes`] | the table of routes that a node holds, and how it comes to the node |
//! | [`map`] | the mapped fabric: numbers, the routes of all pairs, and how they are loaded |
//! | [`spec`] | `FABRIC`, as command lines name it |
//! | [`provider`] | opens the port that a `FABRIC` names |
//! | [`sim`] | the simulator: a fabric and its hosts in virtual time, with faults |
//! | [`routed_host`] | a host that is mapped and loaded with routes, and does nothing else |
//! | [`xbar`] | crossbars in real time, in a process of their own |
//! | `raw` | a port on an Ethernet device (Linux only) |
//!
//! `conformance` (feature `conformance`) is what every provider of ports must pass.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod endpoint;
pub mod id;
pub mod map;
pub mod middleware;
#[cfg(target_os = "linux")]
pub mod parent;
pub mod prefetch;
#[cfg(feature = "program")]
pub mod program;
pub mod protocol;
#[cfg(target_os = "linux")]
pub mod provider;
#[cfg(target_os = "linux")]
pub mod raw;
pub mod responder;
pub mod route;
pub mod routed_host;
pub mod routes;
pub mod sim;
pub mod spec;
pub mod time;
pub mod topology;
pub mod wire;
#[cfg(target_os = "linux")]
pub mod xbar;
