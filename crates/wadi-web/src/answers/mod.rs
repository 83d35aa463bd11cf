//! What the API answers, as its description has it.
//!
//! Answers are made where they are told, out of the node's own types and of records' JSON; these
//! types describe them to whoever writes a client, member by member. A test holds real answers of a
//! hub and a site against the description, so that neither goes its own way.

// They describe; nobody makes one.
#![allow(dead_code)]

mod accounts;
mod authority;
mod control;
mod day;
mod findings;
mod history;
mod links;
mod records;
mod refusals;
mod sites;
mod words;
mod written;

pub(crate) use accounts::*;
pub(crate) use authority::*;
pub(crate) use control::*;
pub(crate) use day::*;
pub(crate) use findings::*;
pub(crate) use history::*;
pub(crate) use links::*;
pub(crate) use records::*;
pub(crate) use refusals::*;
pub(crate) use sites::*;
pub(crate) use words::*;
pub(crate) use written::*;
