//! `cosignature` of `decoders.rs`: `cargo +nightly fuzz run cosignature`.

#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("cosignature", bytes));
