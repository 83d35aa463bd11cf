//! What people read, in their language: the names of states, kinds, events, fields, departments and
//! rules, what went wrong with what to do about it, and the sentences of findings.
//!
//! The texts lie in `catalogue/`, a folder for each language, as Project Fluent writes them. The
//! codes that programs rely on are never translated: a text stands beside its code. A name that no
//! catalogue has reads as it is written.

#![warn(missing_docs)]
#![deny(clippy::string_slice)]

mod catalogue;
mod detail;
mod group;
mod language;
mod lookups;
mod sentence;

pub use catalogue::{Text, every_text};
pub use detail::DetailPiece;
pub use group::Group;
pub use language::Language;
pub use lookups::Filling;
pub use sentence::{Sentence, SentencePart, SentenceValue};
