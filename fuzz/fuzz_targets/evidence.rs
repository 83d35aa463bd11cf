//! `evidence` of `decoders.rs`: `cargo +nightly fuzz run evidence`.

#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("evidence", bytes));
