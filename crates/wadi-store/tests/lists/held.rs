//! What is held, reckoned by hand: by looking at all rows.

use super::*;
use wadi_store::{CarriedWithin, HoldTerms, MovedWithin};

pub(super) fn hold_terms() -> HoldTerms {
    HoldTerms {
        sought: vec!["plate", "goods"],
        carried: vec![
            CarriedWithin {
                what: "container",
                within_ms: 300,
            },
            CarriedWithin {
                what: "plate",
                within_ms: 1,
            },
        ],
        moved: vec![MovedWithin {
            from: "container",
            to: "plate",
            said: None,
            within_ms: 1_000,
        }],
        emptied: Some(GIVEN_UP),
        ..HoldTerms::default()
    }
}

fn has(r: &RecordRow, what: &str, value: &str) -> bool {
    r.terms.iter().any(|(w, v)| w == what && v == value)
}

/// Whether a hold names a record, or looks out for it.
pub(super) fn is_named(hold: &RecordRow, r: &RecordRow) -> bool {
    let mut terms = hold.terms.iter();
    terms.any(|(what, value)| match what.as_str() {
        "link" => *value == r.id.to_string(),
        _ => has(r, "plate", value) || has(r, "goods", value),
    })
}

/// Whether a record is said to have left before a time.
fn left_before(r: &RecordRow, at_ms: i64) -> bool {
    r.state.starts_with("EXITED") && r.at_ms < at_ms
}

/// Whether the goods of one passage went on to another.
fn went_on(first: &RecordRow, to: &RecordRow) -> bool {
    let is_told = |term: &MovedWithin| {
        let mut own = first.terms.iter().filter(|(what, _)| what == term.from);
        own.any(|(_, value)| has(to, term.to, value))
            && (first.born_ms - to.born_ms).abs() <= term.within_ms
    };

    first.id != to.id
        && hold_terms().moved.iter().any(is_told)
        && !left_before(first, to.born_ms)
        && !left_before(to, first.born_ms)
}

/// Whether a hold on the one, an entry or a passage, holds a passage with it.
pub(super) fn is_held_through(
    all: &[RecordRow],
    hold: &RecordRow,
    one: &RecordRow,
    passage: &RecordRow,
) -> bool {
    let is_of_it = match one.lane == Lane::Customs as u8 {
        true => is_carried(all, one, passage) && !left_before(passage, one.born_ms),
        false => went_on(one, passage),
    };
    is_named(hold, one) && is_of_it && !left_before(passage, hold.born_ms)
}

/// Whether the entry's own vehicle had given up a term of it before another passage began.
fn is_given_up(all: &[RecordRow], entry: &RecordRow, value: &str, passage: &RecordRow) -> bool {
    let is_own = |r: &RecordRow| {
        let mut own = entry.terms.iter().filter(|(w, _)| w == GIVEN_UP.own);
        own.any(|(what, value)| has(r, what, value))
    };
    let mut others = all.iter().filter(|r| {
        r.lane == Lane::Passage as u8 && r.id != passage.id && has(r, GIVEN_UP.emptied, value)
    });
    others.any(|r| {
        let is_gone = r.state.starts_with("EXITED");
        let after_ms = if is_gone { 0 } else { GIVEN_UP.after_ms };
        is_own(r) && r.at_ms >= entry.born_ms && r.at_ms + after_ms < passage.born_ms
    })
}

/// Whether a passage carries the goods of an entry.
fn is_carried(all: &[RecordRow], entry: &RecordRow, passage: &RecordRow) -> bool {
    let shares = |term: &CarriedWithin| {
        let mut own = entry.terms.iter().filter(|(what, _)| what == term.what);
        let is_near = (entry.born_ms - passage.born_ms).abs() <= term.within_ms;
        is_near
            && own.any(|(what, value)| {
                let may_go = what == GIVEN_UP.what;
                has(passage, what, value) && !(may_go && is_given_up(all, entry, value, passage))
            })
    };

    has(entry, "link", &passage.id.to_string())
        || has(passage, "link", &entry.id.to_string())
        || hold_terms().carried.iter().any(shares)
}

/// What open holds hold, by looking at all rows.
pub(super) fn detained_by_hand(all: &[RecordRow]) -> BTreeSet<RecordId> {
    let of = |lane: Lane| all.iter().filter(move |r| r.lane == lane as u8);
    let holds: Vec<&RecordRow> = of(Lane::Hold).filter(|h| h.open).collect();
    let named = |r: &&RecordRow| holds.iter().any(|hold| is_named(hold, r));
    let entries: Vec<&RecordRow> = of(Lane::Customs).filter(named).collect();
    let firsts: Vec<&RecordRow> = of(Lane::Passage).filter(named).collect();

    let is_held = |r: &&RecordRow| {
        let mut through = entries.iter().chain(&firsts);
        named(r) || through.any(|one| holds.iter().any(|hold| is_held_through(all, hold, one, r)))
    };
    let passages = of(Lane::Passage).filter(is_held);
    passages
        .chain(entries.iter().copied())
        .map(|r| r.id)
        .collect()
}
