//! `cargo +nightly fuzz run initramfs`
#![no_main]

#[path = "../bodies/initramfs.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
