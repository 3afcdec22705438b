//! `cargo +nightly fuzz run topology`
#![no_main]

#[path = "../bodies/topology.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
