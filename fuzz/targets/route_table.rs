//! `cargo +nightly fuzz run route_table`
#![no_main]

#[path = "../bodies/route_table.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
