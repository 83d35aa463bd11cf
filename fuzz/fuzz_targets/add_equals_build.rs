//! Adding entries one by one and building the record whole end in the same record, whatever bytes
//! the entries are made of.
//!
//! ```text
//! cargo +nightly fuzz run add_equals_build
//! ```

#![no_main]

#[path = "../../crates/wadi-record/tests/drawn/mod.rs"]
mod drawn;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drawn::add_equals_build(bytes, &mut drawn::Met::default()));
