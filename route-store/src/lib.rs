//! A node's route record in NVRAM, and files that survive a power cut.

pub mod atomic_file;
