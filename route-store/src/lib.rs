//! What a node keeps when its power goes: its own number, how to reach the front end, and how its last image has done.
//!
//! The documents are `docs/route-record.md` and `docs/nvram.md`; these modules are their one home in code. Each knows only
//! those above it.
//!
//! | module | what it is |
//! |---|---|
//! | [`hops`], [`boot`], [`record`] | what a record says; which image a node boots |
//! | [`codec`] | the bytes of a record |
//! | [`medium`] | where the bytes are kept: files, CMOS memory, EFI variables, flash, disks, mapped memory |
//! | [`store`] | two slots on a medium: which one counts, and how an update survives a power cut |
//! | [`atomic_file`] | files that appear whole or not at all |

pub mod atomic_file;
pub mod boot;
pub mod codec;
pub mod hops;
pub mod medium;
pub mod record;
mod slot;
pub mod store;
mod varint;

pub use boot::{Attempts, Choice, ImageTag, Offers};
pub use codec::SlotError;
pub use hops::{Hops, HopsError};
pub use medium::device::Device;
pub use medium::file::FileMedium;
pub use medium::memory::MemoryMedium;
pub use medium::{Access, Medium, OpenError};
pub use record::{Record, RecordError};
pub use slot::Slot;
pub use store::{Current, LoadError, SlotState, Store, WriteError, Written};
