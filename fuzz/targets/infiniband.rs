//! `cargo +nightly fuzz run infiniband`
#![no_main]

#[path = "../bodies/infiniband.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
