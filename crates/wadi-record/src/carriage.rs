//! What a hold holds: the one place that decides it.
//!
//! A hold holds what its links name and what carries a term that it looks out for. One that holds a
//! customs entry holds the passages that carry the goods of it, too: those that the entry names, or
//! that name it, and those that share a container or a transit reference with it, or a plate within
//! the time that a counterpart has. Contested values count, and what a gate's camera read: what may
//! be meant is held.
//!
//! Rules ask [`KnownBy`]. The store has no policy and no projections: it takes [`SOUGHT`] and
//! [`carried_terms`] from here, and asks its index of terms the same.

use crate::{Kind, Policy, TermValue, event_type, normal::member_term, project::terms_of_texts};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// Terms that a lookout may look for.
pub const SOUGHT: [&str; 5] = ["plate", "container", "vin", "document", "goods"];
/// Times further from 1970 than this are near none, milliseconds: 31,000 years.
const CARRIAGE_TIME_MS_MAX: i64 = 1_000_000_000_000_000;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// A term that a customs entry shares with the passages that carry its goods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CarriedTerm {
    /// Its name.
    pub what: &'static str,
    /// Only where both records began within so many milliseconds.
    pub within_ms: i64,
}

/// The terms that a customs entry shares with the passages that carry its goods.
pub fn carried_terms(policy: &Policy) -> [CarriedTerm; 3] {
    let far_ms = i64::from(policy.dossier_window_h).saturating_mul(HOUR_MS);
    // A truck comes back, with other goods.
    let near_ms = i64::from(policy.counterpart_h).saturating_mul(2 * HOUR_MS);
    let term = |what, within_ms: i64| CarriedTerm {
        what,
        within_ms: within_ms.min(CARRIAGE_TIME_MS_MAX),
    };

    [
        term("container", far_ms),
        term("plate", near_ms),
        term("transit", far_ms),
    ]
}

/// What holds know a record by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownBy {
    id: String,
    kind: Option<Kind>,
    born_ms: i64,
    terms: BTreeSet<(String, String)>,
}

impl KnownBy {
    /// What a record is known by, of its projection as [`crate::Record::json`] gives it. `id` is
    /// its full id; `born_ms` is when it first happened, as claimed, Unix milliseconds.
    pub fn of(id: &str, born_ms: i64, projection: &Json) -> Self {
        let texts = texts_of(projection);
        let mut terms: BTreeSet<(String, String)> = terms_of_texts(&texts)
            .map(|(what, value)| (what.to_string(), crate::term(&value)))
            .collect();

        let events = projection["events"].as_array().into_iter().flatten();
        terms.extend(events.filter(|e| restricts(e)).flat_map(terms_said));

        Self {
            id: id.into(),
            kind: Kind::ALL
                .into_iter()
                .find(|kind| projection["kind"] == kind.name()),
            born_ms,
            terms,
        }
    }

    /// Whether a hold names it, or looks out for what it carries.
    pub fn is_named_by(&self, hold: &KnownBy) -> bool {
        let can_be_held = matches!(self.kind, Some(Kind::Passage | Kind::CustomsEntry));
        if !can_be_held || hold.kind != Some(Kind::QuarantineHold) {
            return false;
        }

        let mut targets = hold.values("target");
        hold.links_to(self)
            || targets.any(|target| SOUGHT.iter().any(|what| self.has(what, target)))
    }

    /// Whether it is a passage that carries the goods of a customs entry.
    pub fn carries(&self, entry: &KnownBy, policy: &Policy) -> bool {
        if self.kind != Some(Kind::Passage) || entry.kind != Some(Kind::CustomsEntry) {
            return false;
        }

        let is_told =
            |of: &KnownBy| of.born_ms.unsigned_abs() <= CARRIAGE_TIME_MS_MAX.unsigned_abs();
        let apart_ms = entry.born_ms.abs_diff(self.born_ms);
        let shares = |term: &CarriedTerm| {
            let is_near = apart_ms <= term.within_ms.unsigned_abs();
            let mut values = entry.values(term.what);
            is_near
                && is_told(entry)
                && is_told(self)
                && values.any(|value| self.has(term.what, value))
        };

        entry.links_to(self) || self.links_to(entry) || carried_terms(policy).iter().any(shares)
    }

    fn values<'a>(&'a self, what: &'a str) -> impl Iterator<Item = &'a str> {
        let of_what = self.terms.iter().filter(move |(own, _)| own == what);
        of_what.map(|(_, value)| value.as_str())
    }

    fn has(&self, what: &str, value: &str) -> bool {
        self.values(what).any(|own| own == value)
    }

    fn links_to(&self, other: &KnownBy) -> bool {
        self.has("link", &other.id)
    }
}

/// The terms that the members of an event make, in their normal forms: what it links, and the
/// plates, containers and documents that somebody, or a camera, saw.
fn terms_said(event: &Json) -> impl Iterator<Item = (String, String)> {
    let row = event["type"].as_str().and_then(event_type);
    let named = row.map_or(&[][..], |row| row.terms).iter();
    named.filter_map(|named| {
        let TermValue::Member(member) = named.value else {
            return None;
        };

        let said = member_term(named.what, event["data"][member].as_str()?);
        (!said.is_empty()).then(|| (named.what.to_string(), crate::term(&said)))
    })
}

/// An event that counts, or would but for a cut behind which its author stands.
fn restricts(event: &Json) -> bool {
    event["refused"].is_null() && (event["counts"] == true || event["quarantined"] == true)
}

/// All texts of a projection's fields, settled and contested.
fn texts_of(projection: &Json) -> BTreeMap<&str, Vec<&str>> {
    let mut texts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in projection["fields"].as_object().into_iter().flatten() {
        texts.entry(name).or_default().extend(value.as_str());
    }

    for (name, claims) in projection["contested"].as_object().into_iter().flatten() {
        let claims = claims.as_array().into_iter().flatten();
        let values = claims.filter_map(|claim| claim["value"].as_str());
        texts.entry(name).or_default().extend(values);
    }

    texts
}
