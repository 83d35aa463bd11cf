//! States: pure folds over the events of a record that count.
//!
//! Nothing here is last-writer-wins. Concurrent decisions resolve to the restrictive outcome: a release clears only the
//! holds that it names, and what lies past a cut may restrict, never release.

use crate::{
    Kind,
    authority::speaks_against,
    book::{Book, EventView},
    events::LANES,
};
use std::collections::BTreeSet;

/// What a record has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// The state's name, as in the table of states.
    pub name: &'static str,
    /// What else holds, beside the state: `CANCEL_REQUESTED`, `RED`, `POWER_LOST`, …
    pub flags: BTreeSet<&'static str>,
    /// Ids of placements of holds that no release has cleared.
    pub open_holds: Vec<String>,
}

impl State {
    /// Whether something is still held.
    pub fn is_open(&self) -> bool {
        !self.open_holds.is_empty()
    }
    /// Name and flags in one line.
    pub fn line(&self) -> String {
        let mut out = self.name.to_string();
        for flag in &self.flags {
            out.push(' ');
            out.push_str(flag);
        }
        out
    }
}

/// Folds a record's events.
pub fn state(book: &Book) -> State {
    let mut state = State { name: "OPEN", flags: BTreeSet::new(), open_holds: Vec::new() };
    match book.kind() {
        Some(Kind::Passage) => passage(book, &mut state),
        Some(Kind::QuarantineHold) => hold(book, &mut state),
        Some(Kind::CustomsEntry) => entry(book, &mut state),
        Some(Kind::SiteDay) => site_day(book, &mut state),
        None => {}
    }
    if !book.contested().is_empty() {
        state.flags.insert("CONTESTED");
    }
    if book.events().any(|e| e.refusal.is_some()) {
        state.flags.insert("REFUSED_ACTS");
    }
    state
}

/// Events that count in full, of some types.
fn of<'a>(book: &'a Book, kinds: &'a [&str]) -> impl Iterator<Item = &'a EventView> {
    book.events().filter(move |e| kinds.contains(&e.kind()) && e.counts())
}

/// Events of some types that count where they restrict: those past a cut among them.
fn restricting<'a>(book: &'a Book, kinds: &'a [&str]) -> impl Iterator<Item = &'a EventView> {
    book.events().filter(move |e| kinds.contains(&e.kind()) && e.restricts())
}

/// Types of events that show a passage to be under way.
const UNDER_WAY: [&str; 15] = [
    "weighed",
    "scanned",
    "gate.read",
    "parked",
    "unparked",
    "unloaded",
    "reloaded",
    "transhipped",
    "fuelled",
    "stayed",
    "sighted",
    "check.opened",
    "check.closed",
    "status.noted",
    "person.admitted",
];

fn passage(book: &Book, state: &mut State) {
    let has = |kind: &str| of(book, &[kind]).next().is_some();
    let open_check = restricting(book, &["check.opened"])
        .any(|o| !of(book, &["check.closed"]).any(|c| c.text("check") == Some(&o.id)));
    if open_check {
        state.flags.insert("CHECK_OPEN");
    }
    let cleared = has("cleared") && !open_check;
    let diverted_to: BTreeSet<Option<&str>> = of(book, &["diverted"]).map(|e| e.text("to")).collect();
    // A truck may go out by one gate and come back: the later of the two, by what its author had seen, tells.
    let out = of(book, &["gate.out"]).any(|o| !followed_by(book, o, "gate.in"));
    state.name = if restricting(book, &["voided"]).next().is_some() {
        "VOID"
    } else if out {
        if !of(book, &["gate.out"]).all(|o| seen_by(book, o, "cleared")) {
            state.flags.insert("FORCED_EXIT");
        }
        "EXITED"
    } else if restricting(book, &["turned_back"]).next().is_some() {
        "TURNED_BACK"
    } else if has("abandoned") {
        "ABANDONED"
    } else if !diverted_to.is_empty() && has("arrived") {
        "ARRIVED_ELSEWHERE"
    } else if !diverted_to.is_empty() {
        "DIVERTED"
    } else if cleared {
        "CLEARED"
    } else if of(book, &UNDER_WAY).next().is_some() {
        "IN_PROCESS"
    } else if has("gate.in") {
        "ADMITTED"
    } else {
        "ANNOUNCED"
    };
    if diverted_to.len() > 1 {
        state.flags.insert("DIVERTED_TWICE");
    }
    if has("handed_over") {
        state.flags.insert("HANDED_OVER");
    }
}

/// Whether an event of that type was made by somebody who had seen this one.
fn followed_by(book: &Book, event: &EventView, kind: &str) -> bool {
    of(book, &[kind]).any(|e| {
        let said = book.row(&e.reference).map(|(s, _)| s);
        said.is_some_and(|s| book.past(&s.change.based_on).contains(&event.reference))
    })
}

/// Whether the author of this event had seen one of that type.
fn seen_by(book: &Book, event: &EventView, kind: &str) -> bool {
    let Some((said, _)) = book.row(&event.reference) else { return false };
    let past = book.past(&said.change.based_on);
    of(book, &[kind]).any(|e| past.contains(&e.reference))
}

fn hold(book: &Book, state: &mut State) {
    const ENDS: [&str; 3] = ["re_exported", "destroyed", "seized"];
    let placed: Vec<&EventView> = book.placed().collect();
    let releases: Vec<&EventView> = of(book, &["released"]).collect();
    let ends: Vec<&EventView> = of(book, &ENDS).collect();
    let past = |e: &EventView| {
        let said = book.row(&e.reference).map(|(s, _)| s);
        said.map(|s| book.past(&s.change.based_on)).unwrap_or_default()
    };
    // An end of the goods ends the holds that whoever ended them had seen; one placed meanwhile stays open.
    let ended: BTreeSet<_> = ends.iter().flat_map(|e| past(e)).collect();
    let is_open = |p: &&EventView| {
        !releases.iter().any(|r| r.texts("holds").contains(&p.id.as_str())) && !ended.contains(&p.reference)
    };
    state.open_holds = placed.iter().copied().filter(is_open).map(|p| p.id.clone()).collect();
    // A result that speaks against a release which did not know it reopens what was released.
    let against =
        || restricting(book, &["result.issued", "result.amended", "rad.adjudicated"]).filter(|e| speaks_against(e));
    let overtaken = |release: &EventView| {
        let seen = past(release);
        against().any(|bad| !seen.contains(&bad.reference))
    };
    let recalled = restricting(book, &["recalled"]).next().is_some() || releases.iter().any(|r| overtaken(r));
    let has = |kind: &str| of(book, &[kind]).next().is_some();
    let conditional: Vec<&str> = of(book, &["conditional"]).flat_map(|e| e.texts("holds")).collect();
    let nothing_placed = placed.is_empty();
    if recalled && state.open_holds.is_empty() && !releases.is_empty() {
        state.open_holds = releases.iter().flat_map(|r| r.texts("holds")).map(String::from).collect();
    }
    state.name = if state.open_holds.is_empty() && !nothing_placed {
        match ends.last().map(|e| e.kind()) {
            Some("re_exported") => "RE_EXPORTED",
            Some("destroyed") => "DESTROYED",
            Some("seized") => "SEIZED",
            _ => "RELEASED",
        }
    } else if recalled && !releases.is_empty() {
        "RECALLED"
    } else if restricting(book, &["rejected"]).next().is_some() {
        "REJECTED"
    } else if !nothing_placed && state.open_holds.iter().all(|h| conditional.contains(&h.as_str())) {
        "CONDITIONAL"
    } else if has("release.requested") {
        "RELEASE_REQUESTED"
    } else if ["result.issued", "result.amended", "rad.adjudicated"].iter().any(|k| has(k)) {
        "RESULT_IN"
    } else if has("sample.taken") {
        "SAMPLED"
    } else {
        "PLACED"
    };
    if nothing_placed {
        // A hold whose placement does not count, or has not come, restricts all the same.
        state.open_holds.push("unplaced".into());
    }
    if book.events().any(|e| e.kind() == "released" && e.refusal.is_some()) {
        state.flags.insert("RELEASE_REFUSED");
    }
    if book.text("target.term").is_some() {
        state.flags.insert("LOOKOUT");
    }
}

fn entry(book: &Book, state: &mut State) {
    let has = |kind: &str| of(book, &[kind]).next().is_some();
    // Of several lanes the strictest holds, unless a supervisor who had seen it lowered it.
    let lowered: Vec<&EventView> = of(book, &["lane.lowered"]).collect();
    let rank = |e: &EventView| LANES.iter().position(|l| Some(*l) == e.text("lane"));
    let standing = restricting(book, &["lane.assigned", "lane.lowered"])
        .filter(|a| !lowered.iter().any(|l| l.id != a.id && followed_by_event(book, a, l)))
        .filter_map(rank)
        .max();
    if let Some(rank) = standing {
        state.flags.insert(LANES[rank]);
    }
    let open_query = restricting(book, &["queried"])
        .any(|q| !of(book, &["query.answered"]).any(|a| a.text("query") == Some(q.id.as_str())));
    if open_query {
        state.flags.insert("QUERY");
    }
    if restricting(book, &["cancel.requested"]).next().is_some() {
        state.flags.insert("CANCEL_REQUESTED");
    }
    state.name = if has("cancelled") && !has("paid") {
        "CANCELLED"
    } else if has("entry.exited") {
        "EXITED"
    } else if has("entry.released") {
        "RELEASED"
    } else if has("paid") {
        "PAID"
    } else if has("assessed") {
        "ASSESSED"
    } else if has("registered") {
        "REGISTERED"
    } else {
        "STORED"
    };
    if has("entry.released") && (open_query || state.flags.contains("CANCEL_REQUESTED")) {
        state.flags.insert("RELEASED_WHILE_OPEN");
    }
}

fn followed_by_event(book: &Book, event: &EventView, later: &EventView) -> bool {
    let said = book.row(&later.reference).map(|(s, _)| s);
    said.is_some_and(|s| book.past(&s.change.based_on).contains(&event.reference))
}

fn site_day(book: &Book, state: &mut State) {
    for (down, up, flag) in [("power.lost", "power.back", "POWER_LOST"), ("link.down", "link.up", "LINK_DOWN")] {
        let back = of(book, &[up]).count();
        if restricting(book, &[down]).count() > back {
            state.flags.insert(flag);
        }
    }
    if restricting(book, &["water.breach"]).next().is_some() {
        state.flags.insert("WATER_BREACH");
    }
}
