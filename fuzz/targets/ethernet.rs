//! `cargo +nightly fuzz run ethernet`
#![no_main]

#[path = "../bodies/ethernet.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
