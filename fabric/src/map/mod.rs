//! The mapped fabric: its hosts have numbers, each pair of them has routes, and every node gets its own.
//!
//! | module | what it is |
//! |---|---|
//! | [`FabricMap`] | a topology whose hosts have numbers |
//! | [`RouteSet`] | the routes of all pairs |
//! | [`routes_text`] | reads the text format of routes |
//! | [`distribute`] | the front end's side of route loading (`docs/route-loading.md`) |

pub mod distribute;
mod fabric_map;
mod route_set;
pub mod routes_text;

pub use fabric_map::{FabricMap, FabricMapError};
pub use route_set::{Attachment, Entry, Layer, Link, Listed, ListedBuilder, NO_PORT, RouteRef, RouteSet, Tables};
