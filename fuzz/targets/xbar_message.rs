//! `cargo +nightly fuzz run xbar_message`
#![no_main]

#[path = "../bodies/xbar_message.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
