//! `fork_proof` of `decoders.rs`: `cargo +nightly fuzz run fork_proof`.

#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("fork_proof", bytes));
