//! A node's route record in NVRAM: its own number, and how to reach the front end.
//!
//! The document is `docs/route-record.md`; these modules are its one home in code. Each knows only those above it.
//!
//! | module | what it is |
//! |---|---|
//! | [`hops`], [`record`] | the record and its bytes |
//! | [`medium`] | where the bytes are kept: a file, memory |
//! | [`store`] | two slots on a medium: which one counts, and how an update survives a power cut |
//! | [`atomic_file`] | files that appear whole or not at all |

pub mod atomic_file;
pub mod hops;
pub mod medium;
pub mod record;
pub mod store;

pub use hops::{Hops, HopsError};
pub use medium::{FileMedium, Medium, MemoryMedium};
pub use record::{Record, RecordError};
pub use store::{Current, LoadError, Slot, SlotState, Store, WriteError, Written};
