//! `checkpoint` of `decoders.rs`: `cargo +nightly fuzz run checkpoint`.

#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("checkpoint", bytes));
