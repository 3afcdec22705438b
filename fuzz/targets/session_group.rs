//! `cargo +nightly fuzz run session_group`
#![no_main]
#![allow(dead_code, reason = "the other way of a transfer has a target of its own")]

#[path = "../bodies/session.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run_group(data));
