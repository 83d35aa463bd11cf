//! What a hold holds: the one place that decides it.
//!
//! A hold holds what its links name and what carries a term that it looks out for. One that holds a
//! customs entry holds the passages that carry the goods of it, too: those that the entry names, or
//! that name it, and those that share a container or a transit reference with it, or a plate within
//! the time that a counterpart has. One that holds a passage holds those that its goods went on to,
//! too: the vehicle that a transhipment names, and whatever has a container of it, within the same
//! time, unless the one had left before the other began; the same vehicle wherever it comes after
//! it was diverted; and the same vehicle, or trailer, at the same crossing on another record, as
//! long as nobody wrote that it left: a camera and a clerk may begin a record each, and whoever
//! begins a second one lets nothing go. Contested values count, and what a gate's camera read: what
//! may be meant is held. A passage that had left before the entry began, or before the hold, is
//! held no more; whether it carried the goods, and passed, R02 asks. Nor is one that has nothing of
//! the entry but a container which the entry's own vehicle had given up before, for containers go
//! round; or but a plate, where the vehicle had left with that entry before and came again with one
//! of its own, by plate, container or link; nor is one that came to a transhipment's plate once
//! that was written, where that vehicle had left before: another trip was meant. What lies in a
//! store (`stored.rs`) rides with nothing. Whose links count `joins.rs` says.
//!
//! Rules ask [`KnownBy`]. The store has no policy and no projections: it takes [`SOUGHT`],
//! [`carried_terms`], [`moved_terms`], [`emptied_terms`] and [`again_terms`] from here, and asks
//! its index of terms the same. It knows when a record is said to have ended, and not when that was
//! written; of a transhipment it knows the latter.

mod said;

use crate::{
    Kind, Policy,
    joins::UNJOINED,
    project::{Terms, terms_of_texts},
    record::Record,
};
use said::{restricts, said_term, terms_said, texts_of, words_of_moves};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Terms that a lookout may look for.
pub const SOUGHT: [&str; 5] = ["plate", "container", "vin", "document", "goods"];
/// What a passage is known by whose goods went over to a vehicle that is named, and when that was
/// written, Unix milliseconds, each time.
const MOVED_TO: &str = "moved_to";
const MOVED_MS: &str = "moved_ms";
/// What a diverted passage is known by where its vehicle comes next.
const SENT_ON: &str = "sent_on";
/// What a passage is known by whose containers were emptied, or gone with it.
const EMPTIED: &str = "emptied";
/// What a passage is known by at its crossing, on whichever record its vehicle stands there.
pub const STAY: &str = "stay";
/// Events after which the goods are no more where they were.
const EMPTYING: [&str; 2] = ["unloaded", "transhipped"];
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

/// A term of a passage by which the one is found that its goods went on to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MovedTerm {
    /// Its name on the first passage.
    pub from: &'static str,
    /// Its name on the other one.
    pub to: &'static str,
    /// The name of the times by which the first one's word of it was written, where it is a word.
    pub said: Option<&'static str>,
    /// Only where both passages began within so many milliseconds.
    pub within_ms: i64,
}

/// The time within which a plate is of one journey: a truck comes back, with other goods.
fn near_ms(policy: &Policy) -> i64 {
    i64::from(policy.counterpart_h).saturating_mul(2 * HOUR_MS)
}

/// The terms by which passages are found that the goods of another went on to.
pub fn moved_terms(policy: &Policy) -> [MovedTerm; 5] {
    let near_ms = near_ms(policy);
    let far_ms = i64::from(policy.dossier_window_h).saturating_mul(HOUR_MS);
    let journey_ms = i64::from(policy.diversion_h).saturating_mul(HOUR_MS);
    let sent_on_ms = near_ms.saturating_add(journey_ms);
    let term = |from, to, within_ms: i64| MovedTerm {
        from,
        to,
        said: (from == MOVED_TO).then_some(MOVED_MS),
        within_ms: within_ms.min(CARRIAGE_TIME_MS_MAX),
    };

    [
        term(MOVED_TO, "plate", near_ms),
        term("container", "container", near_ms),
        term(SENT_ON, "plate", sent_on_ms),
        term(SENT_ON, "vin", sent_on_ms),
        // What nobody let out is there, however long.
        term(STAY, STAY, far_ms),
    ]
}

/// How a container is known that the vehicle of a customs entry gave up: what has it since carries
/// nothing of that entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EmptiedTerm {
    /// The term that the entry, and what has its container, are known by.
    pub what: &'static str,
    /// The term of the passage that gave it up.
    pub emptied: &'static str,
    /// The term that makes that passage the entry's own.
    pub own: &'static str,
    /// Where it did not leave, the container still holds for so many milliseconds: what was
    /// unloaded may be loaded again.
    pub after_ms: i64,
}

/// How containers are known that were given up.
pub fn emptied_terms(policy: &Policy) -> EmptiedTerm {
    EmptiedTerm {
        what: "container",
        emptied: EMPTIED,
        own: "plate",
        after_ms: near_ms(policy).min(CARRIAGE_TIME_MS_MAX),
    }
}

/// How it is known that a vehicle came again, with another entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AgainTerm {
    /// The term that the entry and both passages are known by.
    pub what: &'static str,
    /// The terms by one of which the other entry is the later passage's own; a link makes it so,
    /// too.
    pub own: [&'static str; 2],
    /// Only where the other entry began within so many milliseconds of the later passage.
    pub within_ms: i64,
}

/// How it is known that vehicles came again.
pub fn again_terms(policy: &Policy) -> AgainTerm {
    AgainTerm {
        what: "plate",
        own: ["plate", "container"],
        within_ms: near_ms(policy).min(CARRIAGE_TIME_MS_MAX),
    }
}

/// What follows from the other terms of a record: what the vehicle of a passage is known by where
/// it is, or once it was sent to another crossing, and which of its containers were given up.
pub(crate) fn terms_that_follow(record: &Record, terms: &[(String, String)]) -> Terms {
    if record.kind() != Some(Kind::Passage) {
        return Vec::new();
    }

    let counting = record
        .events()
        .filter(|e| e.counts() && !moves_nothing(e.int("packages")));
    let is_emptied = is_emptied(counting.map(|e| (e.kind(), e.at_ms)));
    let crossing = record
        .listed_under()
        .map_or(String::new(), |crossing| crossing.to_string());
    let mut follows = following(terms.iter(), is_emptied, &crossing);

    let restricting = record
        .events()
        .filter(|e| e.refusal.is_none() && !moves_nothing(e.int("packages")));
    let moved = restricting.filter(|e| e.kind() == "transhipped");
    follows.extend(moved.map(|e| said_term(e.at_ms.max(e.entered_ms))));
    follows
}

fn following<'a>(
    terms: impl Iterator<Item = &'a (String, String)> + Clone,
    is_emptied: bool,
    crossing: &str,
) -> Terms {
    let is_diverted = terms.clone().any(|(what, _)| what == "diverted");
    let follows = |(what, value): &(String, String)| match what.as_str() {
        "plate" | "vin" if is_diverted => Some((SENT_ON.to_string(), value.clone())),
        "plate" | "vin" if !crossing.is_empty() => {
            let stay = format!("{crossing} {value}");
            Some((STAY.to_string(), crate::term(&stay)))
        }
        "container" if is_emptied => Some((EMPTIED.to_string(), value.clone())),
        _ => None,
    };

    terms.filter_map(follows).collect()
}

/// Whether an unloading or a transhipment tells that nothing was moved.
pub(crate) fn moves_nothing(packages: Option<i64>) -> bool {
    packages.is_some_and(|packages| packages <= 0)
}

/// Whether the vehicle of a passage gave its containers up, or is gone with them: by the types of
/// its events that count, and when they are said to have happened, Unix milliseconds. Those that
/// moved nothing are none of them.
fn is_emptied<'a>(events: impl Iterator<Item = (&'a str, i64)>) -> bool {
    let mut came_ms: Option<i64> = None;
    let mut went_ms: Option<i64> = None;
    for (kind, at_ms) in events {
        match kind {
            "gate.in" => came_ms = came_ms.max(Some(at_ms)),
            "gate.out" => went_ms = went_ms.max(Some(at_ms)),
            kind if EMPTYING.contains(&kind) => return true,
            _ => {}
        }
    }

    went_ms.is_some() && came_ms <= went_ms
}

/// When the containers of a passage were given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Emptied {
    /// When it happened, as claimed, Unix milliseconds.
    at_ms: i64,
    /// The same, or when it was written down, whichever is later.
    known_ms: i64,
    /// The vehicle was gone, too.
    is_gone: bool,
}

/// The terms that a customs entry shares with the passages that carry its goods.
pub fn carried_terms(policy: &Policy) -> [CarriedTerm; 3] {
    let far_ms = i64::from(policy.dossier_window_h).saturating_mul(HOUR_MS);
    let near_ms = near_ms(policy);
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
    /// When it left, where it did and has not come back.
    left: Option<Left>,
    /// It is a customs entry that was cancelled.
    is_cancelled: bool,
    /// When its containers were given up.
    emptied: Vec<Emptied>,
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
        let counting = events.filter(|e| restricts(e) && e[UNJOINED] != true);
        terms.extend(counting.flat_map(terms_said));

        let emptied = emptied(projection);
        let crossing = projection["crossing"].as_str().unwrap_or_default();
        let following = following(terms.iter(), !emptied.is_empty(), crossing);
        terms.extend(following);
        terms.extend(words_of_moves(projection));

        Self {
            id: id.into(),
            kind: Kind::ALL
                .into_iter()
                .find(|kind| projection["kind"] == kind.name()),
            born_ms,
            left: left(projection),
            is_cancelled: projection["state"] == "CANCELLED",
            emptied,
            terms,
        }
    }

    /// Whether a hold names it, or looks out for what it carries.
    pub fn is_named_by(&self, hold: &KnownBy) -> bool {
        let can_be_held = matches!(self.kind, Some(Kind::Passage | Kind::CustomsEntry));
        if !can_be_held || hold.kind != Some(Kind::QuarantineHold) {
            return false;
        }

        hold.links_to(self) || self.is_sought_by(hold)
    }

    /// Whether a hold looks out for what it carries.
    pub fn is_sought_by(&self, hold: &KnownBy) -> bool {
        let mut targets = hold.values("target");
        targets.any(|target| SOUGHT.iter().any(|what| self.has(what, target)))
    }

    /// Whether it is a passage that carries the goods of a customs entry, as far as the two tell.
    pub fn carries(&self, entry: &KnownBy, policy: &Policy) -> bool {
        self.carries_beside(entry, &[], policy)
    }

    /// The same, beside other passages, one of which may have given up a container before, or left
    /// with these goods, and beside other entries, one of which may be its own.
    pub fn carries_beside(&self, entry: &KnownBy, others: &[KnownBy], policy: &Policy) -> bool {
        let are_joined = entry.links_to(self) || self.links_to(entry);
        let are_two = self.kind == Some(Kind::Passage) && entry.kind == Some(Kind::CustomsEntry);
        are_two && are_joined || self.shares_load(entry, others, policy)
    }

    /// The same by what the two are known by alone, and by nobody's word.
    pub fn shares_load(&self, entry: &KnownBy, others: &[KnownBy], policy: &Policy) -> bool {
        if self.kind != Some(Kind::Passage) || entry.kind != Some(Kind::CustomsEntry) {
            return false;
        }

        let given_up = emptied_terms(policy);
        let is_given_up = |term: &CarriedTerm, value: &str| {
            let mut others = others.iter();
            term.what == given_up.what
                && others.any(|other| other.had_given_up(value, entry, self, &given_up))
        };
        let again = again_terms(policy);
        let is_again = |term: &CarriedTerm, value: &str| {
            term.what == again.what && self.came_again_with(value, entry, others, &again)
        };
        let shares = |term: &CarriedTerm| {
            let mut values = entry.values(term.what);
            let is_shared = |value: &str| {
                self.has(term.what, value) && !is_given_up(term, value) && !is_again(term, value)
            };
            entry.is_near(self, term.within_ms) && values.any(is_shared)
        };

        carried_terms(policy).iter().any(shares)
    }

    /// Whether it is the entry's own vehicle, by its plate, and had given up a container of the
    /// entry before another passage began.
    fn had_given_up(
        &self,
        container: &str,
        entry: &KnownBy,
        later: &KnownBy,
        terms: &EmptiedTerm,
    ) -> bool {
        let is_before = |emptied: &Emptied| {
            let after_ms = if emptied.is_gone { 0 } else { terms.after_ms };
            emptied.at_ms >= entry.born_ms
                && emptied.known_ms.saturating_add(after_ms) < later.born_ms
        };
        let is_own = |plate| self.has(terms.own, plate);

        self.id != later.id
            && self.has(terms.emptied, container)
            && entry.values(terms.own).any(is_own)
            && self.emptied.iter().any(is_before)
    }

    /// Whether it is a later trip of the vehicle that an entry names: this had left on another
    /// record since the entry began, and there is a later entry for what it brings now. By one of
    /// the two alone nothing goes free.
    pub fn is_later_trip(&self, entry: &KnownBy, others: &[KnownBy], policy: &Policy) -> bool {
        let again = again_terms(policy);
        let values = entry.values(again.what);
        let mut shared = values.filter(|value| self.has(again.what, value));
        shared.any(|value| self.came_again_with(value, entry, others, &again))
    }

    fn came_again_with(
        &self,
        value: &str,
        entry: &KnownBy,
        others: &[KnownBy],
        again: &AgainTerm,
    ) -> bool {
        let had_left = |other: &KnownBy| {
            // A book of the gate is typed later. The exit itself is judged by when it was written.
            let since = other.left.filter(|left| left.at_ms >= entry.born_ms);
            other.kind == Some(Kind::Passage)
                && other.id != self.id
                && since.is_some_and(|left| left.at_ms < self.born_ms)
                && other.has(again.what, value)
        };
        let names = |other: &KnownBy| {
            let shares = |what: &str| self.values(what).any(|own| other.has(what, own));
            again.own.into_iter().any(shares) || other.links_to(self) || self.links_to(other)
        };
        let is_own = |other: &KnownBy| {
            other.kind == Some(Kind::CustomsEntry)
                && !other.is_cancelled
                && other.born_ms > entry.born_ms
                && other.is_near(self, again.within_ms)
                && names(other)
        };

        others.iter().any(had_left) && others.iter().any(is_own)
    }

    /// Whether both are records of one vehicle, or trailer, at one crossing, and neither had left
    /// before the other began: what stands on the one is there when the other leaves.
    pub fn is_beside(&self, other: &KnownBy, policy: &Policy) -> bool {
        let far_ms = i64::from(policy.dossier_window_h).saturating_mul(HOUR_MS);
        let mut stays = self.values(STAY);
        let are_passages = [self, other].map(|of| of.kind == Some(Kind::Passage));

        are_passages == [true; 2]
            && self.id != other.id
            && stays.any(|stay| other.has(STAY, stay))
            && self.is_near(other, far_ms.min(CARRIAGE_TIME_MS_MAX))
            && !self.left_before(other, 0)
            && !other.left_before(self, 0)
    }

    /// Whether it is a passage that the goods of another one went on to.
    pub fn took_over(&self, first: &KnownBy, policy: &Policy) -> bool {
        self.took_over_beside(first, &[], policy)
    }

    /// The same, beside other passages, one of which may be the trip of its vehicle that was meant.
    pub fn took_over_beside(&self, first: &KnownBy, others: &[KnownBy], policy: &Policy) -> bool {
        let are_passages = [self, first].map(|of| of.kind == Some(Kind::Passage));
        if are_passages != [true; 2] || self.id == first.id {
            return false;
        }

        let has_of = |term: &MovedTerm| {
            let mut values = first.values(term.from);
            let is_meant = |value: &str| {
                self.has(term.to, value)
                    && !(term.said.is_some() && self.came_after_word(value, first, others, term))
            };
            first.is_near(self, term.within_ms) && values.any(is_meant)
        };

        moved_terms(policy).iter().any(has_of)
            && !self.left_before(first, 0)
            && !first.left_before(self, 0)
    }

    /// Whether it began only once all words were written by which goods went over to a vehicle, and
    /// this had left with another record since the first one began: that trip was meant. Where
    /// none is known, the one that comes may be it.
    fn came_after_word(
        &self,
        value: &str,
        first: &KnownBy,
        others: &[KnownBy],
        term: &MovedTerm,
    ) -> bool {
        let mut said = term.said.into_iter().flat_map(|what| first.values(what));
        let is_before = |said: &str| said.parse::<i64>().is_ok_and(|ms| ms < self.born_ms);
        let had_left = |other: &KnownBy| {
            let since = other.left.filter(|left| left.at_ms >= first.born_ms);
            other.kind == Some(Kind::Passage)
                && other.id != self.id
                && other.id != first.id
                && since.is_some_and(|left| left.at_ms < self.born_ms)
                && other.has(term.to, value)
        };

        said.all(is_before) && others.iter().any(had_left)
    }

    /// Whether both began within so many milliseconds of each other, at times that can be.
    fn is_near(&self, other: &KnownBy, within_ms: i64) -> bool {
        let is_told =
            |of: &KnownBy| of.born_ms.unsigned_abs() <= CARRIAGE_TIME_MS_MAX.unsigned_abs();
        let apart_ms = self.born_ms.abs_diff(other.born_ms);
        apart_ms <= within_ms.unsigned_abs() && is_told(self) && is_told(other)
    }

    /// Whether it had left for good more than so many milliseconds before another one began.
    pub fn left_before(&self, other: &KnownBy, by_ms: i64) -> bool {
        let left_ms = self.left.map(|left| left.known_ms.saturating_add(by_ms));
        left_ms.is_some_and(|left_ms| left_ms < other.born_ms)
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

/// When a passage left for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Left {
    /// When, as claimed, Unix milliseconds.
    at_ms: i64,
    /// The same, or when it was written down, whichever is later.
    known_ms: i64,
}

/// When a passage left, out by a gate or sent back: its last exit, where it did not come back after
/// it.
fn left(projection: &Json) -> Option<Left> {
    let is_exit = |kind: &str| matches!(kind, "gate.out" | "turned_back");
    let exits = || counting(projection).filter(|said| is_exit(said.kind));
    let came = counting(projection).filter(|said| said.kind == "gate.in");

    let came_ms = came.map(|said| said.at_ms).max();
    let at_ms = exits().map(|said| said.at_ms).max()?;
    let known_ms = exits().map(|said| said.known_ms).max()?;
    let is_back = came_ms.is_some_and(|came_ms| came_ms > at_ms);
    (!is_back).then_some(Left { at_ms, known_ms })
}

/// An event that counts, and when it happened.
#[derive(Clone, Copy)]
struct Counting<'a> {
    kind: &'a str,
    /// When, as claimed, Unix milliseconds.
    at_ms: i64,
    /// The same, or when it was written down, whichever is later.
    known_ms: i64,
}

/// The events of a projection that count, but those that moved nothing.
fn counting(projection: &Json) -> impl Iterator<Item = Counting<'_>> {
    let events = projection["events"].as_array().into_iter().flatten();
    let counts = |e: &&Json| {
        let packages = e["data"]["packages"].as_i64();
        e["counts"] == true && !moves_nothing(packages)
    };
    events.filter(counts).filter_map(|e| {
        let at_ms = e["at_ms"].as_i64()?;
        let known_ms = e["entered_ms"].as_i64().map_or(at_ms, |ms| ms.max(at_ms));
        Some(Counting {
            kind: e["type"].as_str()?,
            at_ms,
            known_ms,
        })
    })
}

/// When the containers of a passage were given up: with every unloading, and with its exit, where
/// it did not come back.
fn emptied(projection: &Json) -> Vec<Emptied> {
    let all = || counting(projection);
    if !is_emptied(all().map(|said| (said.kind, said.at_ms))) {
        return Vec::new();
    }

    let unloaded = all().filter(|said| EMPTYING.contains(&said.kind));
    let unloaded = unloaded.map(|said| Emptied {
        at_ms: said.at_ms,
        known_ms: said.known_ms,
        is_gone: false,
    });

    let has_gone = all().any(|said| said.kind == "gate.out");
    let gone = left(projection).filter(|_| has_gone);
    let gone = gone.map(|left| Emptied {
        at_ms: left.at_ms,
        known_ms: left.known_ms,
        is_gone: true,
    });
    unloaded.chain(gone).collect()
}

#[cfg(test)]
mod tests;
