//! `sealed_block` of `decoders.rs`: `cargo +nightly fuzz run sealed_block`.

#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("sealed_block", bytes));
