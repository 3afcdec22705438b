//! Processes of one node: rings in memory that they share, and copies out of another process's memory.
//!
//! ```text
//! pages 0…63    the launcher's board
//! page 64       how much of the free area is given out
//! processes     a line each: its id, and the word that it sleeps on
//! desks         two lines for each process: what is copied by both sides, see `together`
//! senders       for each process, a bit for each process that ever sent to it
//! tails         a line for each pair, receiver by receiver: how far it has read
//! rings         one for each pair, receiver by receiver: see `ring`
//! cells         for each two processes: see `cells`
//! free area     given out by `Segment::allocate`, mapped where it is used
//! ```
//! The memory is sparse: a page exists once somebody has written to it, so what pairs that never talk have costs nothing.
#![allow(unsafe_code)]

mod cells;
mod copy;
mod pace;
mod place;
mod ring;
mod segment;
mod sleep;
mod together;

pub use cells::{Cells, Parcel};
pub use copy::{CopyError, note_written, probe, read_from, write_to};
pub use pace::Pace;
pub use place::LONG;
pub use ring::{Consumer, Head, Producer, Word};
pub use segment::{Area, Segment};
