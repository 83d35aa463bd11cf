//! `block_frame` of `decoders.rs`: `cargo +nightly fuzz run block_frame`.

#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("block_frame", bytes));
