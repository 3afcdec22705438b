//! The routes that one node holds, and how they come to it. The document is `docs/route-loading.md`.
//!
//! | module | what it is |
//! |---|---|
//! | [`RouteTable`] | one node's routes of one epoch |
//! | [`encode`], [`decode`] | the bytes that it is sent as: the part of the map that it uses, and its choices there |
//! | [`message`] | the control messages of loading: payloads of the reliable endpoint |
//! | [`agent`] | the node's side: keeps the old epoch until the new one is committed |
//!
//! The front end's side is [`crate::map::distribute`].

pub mod agent;
mod bundle;
mod choices;
mod column;
pub mod decode;
pub mod encode;
pub mod message;
mod table;

pub use agent::{AgentEvent, MasterRecord, RouteAgent};
pub use message::{Message, MessageError, Refusal};
pub use table::{RouteTable, TableTextError};
