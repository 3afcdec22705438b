//! `cargo +nightly fuzz run boot_text`
#![no_main]

#[path = "../bodies/boot_text.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
