//! `bundle_body` of `decoders.rs`: `cargo +nightly fuzz run bundle_body`.

#![no_main]

#[path = "../decoders.rs"]
mod decoders;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| decoders::decode("bundle_body", bytes));
