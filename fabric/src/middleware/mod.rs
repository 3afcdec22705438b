//! Layers around any [`Port`](crate::protocol::Port), so that every program can have them on every provider.
//!
//! Each is itself a `Port`: `Trace::new(FaultInjector::new(port, …), …)`. The outer layer sees what the program
//! sends and what reaches it; the inner ones what happens to it on the way.

pub mod fault;
pub mod pcap;
pub mod trace;

pub use fault::{FaultCounts, FaultInjector, Faults};
pub use pcap::{Pcap, PcapWriter};
pub use trace::Trace;

#[cfg(test)]
mod tests;
