//! What contradicts what: thirty-three rules, pure and one file each (`rules/`).
//!
//! A [`Dossier`] is a record with the records one link away, and with its cohorts: records of its
//! device, HS code, plate neighbourhood, officer or replica. A rule looks at one and returns
//! [`Contradiction`]s. A finding whose missing half may still be on its way is PENDING until every
//! crossing concerned is received through the time in question, and FIRM only then: a late truck is
//! not a missing truck.
//!
//! Records hold whatever their authors wrote. So text is cut between letters, sums end at the end
//! of the range of numbers, and a rule that fails all the same is contained and told.

#![deny(clippy::string_slice, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod about;
mod asked_once;
mod asks;
mod causes;
mod cited;
mod consignment;
mod contained;
mod dossier;
mod facts;
mod finding;
mod held_spans;
mod joins;
mod let_out_alone;
mod life;
mod marks;
mod numbers;
mod passages;
mod rules;
mod searches;
mod sentence;
mod shown_load;
mod still_laden;
mod stood;
mod stored;
mod text;
mod trailers;

pub use asked_once::AskedOnce;
pub use asks::{Ask, asks};
pub use contained::{RULE_FAILED, stands_unjudged};
pub use dossier::{ClaimedHead, ClockDoubt, Dossier, DossierCut, unheard_limit_ms};
pub use facts::{Fact, Facts};
pub use finding::{Contradiction, Finding, Phase, Rule};
pub use life::{Disposition, Life, life};
pub use rules::RULES;
pub use sentence::{SentenceShape, every_sentence, explained_since};
pub use wadi_words::Sentence;

pub(crate) use finding::short_hash;
pub(crate) use sentence::sentences;

/// An hour in milliseconds.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// All findings on a dossier's anchor. The same dossier gives the same findings.
pub fn reconcile(dossier: &Dossier) -> Vec<Finding> {
    contained::judge_each(RULES, dossier)
}

#[cfg(test)]
pub(crate) mod tests;
