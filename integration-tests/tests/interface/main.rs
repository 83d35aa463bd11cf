//! The HTTP API and the command line: what they answer, to whom, and what they refuse.

mod api;
mod at_the_prompt;
mod bad_input;
mod contract;
mod dark_releases;
mod examples;
mod export;
mod foreseen;
mod front_door;
mod hold_types;
mod languages;
mod mended_imports;
mod narrowed;
mod odd_requests;
mod operators;
mod passkeys;
mod reading;
mod repeats;
mod secrets;
mod written;
