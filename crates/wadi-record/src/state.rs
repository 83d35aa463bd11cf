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
use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    rc::Rc,
};
use wadi_log::Reference;

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

/// What the authors of events had on their screens, each walked once.
struct Pasts<'a> {
    book: &'a Book,
    known: RefCell<HashMap<Reference, Rc<BTreeSet<Reference>>>>,
}

impl<'a> Pasts<'a> {
    fn of(book: &'a Book) -> Self {
        Self { book, known: RefCell::default() }
    }
    fn past(&self, event: &EventView) -> Rc<BTreeSet<Reference>> {
        let mut known = self.known.borrow_mut();
        let walk = || match self.book.row(&event.reference) {
            Some((said, _)) => Rc::new(self.book.past(&said.change.based_on)),
            None => Rc::default(),
        };
        known.entry(event.reference).or_insert_with(walk).clone()
    }
    /// Whether the author of `later` had seen `event`, or says both in one entry, `event` first.
    fn saw(&self, later: &EventView, event: &EventView) -> bool {
        self.past(later).contains(&event.reference)
            || later.reference == event.reference
                && self.book.row(&event.reference).is_some_and(|(said, _)| {
                    let place = |e: &EventView| said.change.events.iter().position(|t| *t == e.text);
                    place(event) < place(later)
                })
    }
}

fn passage(book: &Book, state: &mut State) {
    let has = |kind: &str| of(book, &[kind]).next().is_some();
    let pasts = Pasts::of(book);
    let closed: BTreeSet<&str> = of(book, &["check.closed"]).filter_map(|c| c.text("check")).collect();
    let open_check = restricting(book, &["check.opened"]).any(|o| !closed.contains(o.id.as_str()));
    if open_check {
        state.flags.insert("CHECK_OPEN");
    }
    let cleared = has("cleared") && !open_check;
    let diverted_to: BTreeSet<Option<&str>> = of(book, &["diverted"]).map(|e| e.text("to")).collect();
    // A truck may go out by one gate and come back: the later of the two, by what its author had seen, tells.
    let out = of(book, &["gate.out"]).any(|o| !of(book, &["gate.in"]).any(|i| pasts.saw(i, o)));
    let voided = has("voided");
    if voided && out {
        state.flags.insert("VOIDED_AFTER_EXIT");
    }
    // Whoever let it out had to see it cleared, and no check open.
    let orderly = |o: &EventView| {
        let seen_closed: BTreeSet<&str> =
            of(book, &["check.closed"]).filter(|c| pasts.saw(o, c)).filter_map(|c| c.text("check")).collect();
        of(book, &["cleared"]).any(|c| pasts.saw(o, c))
            && !restricting(book, &["check.opened"]).any(|c| pasts.saw(o, c) && !seen_closed.contains(c.id.as_str()))
    };
    state.name = if voided && !out {
        "VOID"
    } else if out {
        if !of(book, &["gate.out"]).all(orderly) {
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

fn hold(book: &Book, state: &mut State) {
    const ENDS: [&str; 3] = ["re_exported", "destroyed", "seized"];
    let pasts = Pasts::of(book);
    let placed: Vec<&EventView> = book.placed().collect();
    // A recall, or a result that speaks against it, reopens what was released by somebody who did not know of it.
    let against: Vec<&EventView> =
        restricting(book, &["recalled", "result.issued", "result.amended", "rad.adjudicated"])
            .filter(|e| e.kind() == "recalled" || speaks_against(e))
            .collect();
    let releases: Vec<&EventView> = of(book, &["released"]).collect();
    let (overtaken, standing): (Vec<&EventView>, Vec<&EventView>) =
        releases.iter().partition(|r| against.iter().any(|bad| !pasts.saw(r, bad)));
    let ends: Vec<&EventView> = of(book, &ENDS).collect();
    // An end of the goods ends the holds that whoever ended them had seen; one placed meanwhile stays open.
    let ended: BTreeSet<Reference> =
        ends.iter().flat_map(|e| pasts.past(e).iter().copied().collect::<Vec<_>>()).collect();
    let cleared: BTreeSet<&str> = standing.iter().flat_map(|r| r.texts("holds")).collect();
    let is_open = |p: &&EventView| !cleared.contains(p.id.as_str()) && !ended.contains(&p.reference);
    state.open_holds = placed.iter().copied().filter(is_open).map(|p| p.id.clone()).collect();
    let reopened: BTreeSet<&str> = overtaken.iter().flat_map(|r| r.texts("holds")).collect();
    let recalled = state.open_holds.iter().any(|h| reopened.contains(h.as_str()));
    // A hold whose first placement does not count, or has not come, restricts all the same.
    let unplaced = !placed.iter().any(|p| Some(p.reference) == book.first()) && ends.is_empty();
    if unplaced {
        state.open_holds.push("unplaced".into());
    }
    let has = |kind: &str| of(book, &[kind]).next().is_some();
    let conditional: Vec<&str> = of(book, &["conditional"]).flat_map(|e| e.texts("holds")).collect();
    state.name = if state.open_holds.is_empty() {
        match ends.last().map(|e| e.kind()) {
            Some("re_exported") => "RE_EXPORTED",
            Some("destroyed") => "DESTROYED",
            Some("seized") => "SEIZED",
            _ => "RELEASED",
        }
    } else if recalled {
        "RECALLED"
    } else if restricting(book, &["rejected"]).next().is_some() {
        "REJECTED"
    } else if state.open_holds.iter().all(|h| conditional.contains(&h.as_str())) {
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
    if book.events().any(|e| e.kind() == "released" && e.refusal.is_some()) {
        state.flags.insert("RELEASE_REFUSED");
    }
    if book.text("target.term").is_some() {
        state.flags.insert("LOOKOUT");
    }
}

fn entry(book: &Book, state: &mut State) {
    let has = |kind: &str| of(book, &[kind]).next().is_some();
    let pasts = Pasts::of(book);
    // Of several lanes the strictest holds, unless a supervisor who had seen it lowered it.
    let lowered: Vec<&EventView> = of(book, &["lane.lowered"]).collect();
    let rank = |e: &EventView| LANES.iter().position(|l| Some(*l) == e.text("lane"));
    let standing = restricting(book, &["lane.assigned", "lane.lowered"])
        .filter(|a| !lowered.iter().any(|l| l.id != a.id && pasts.saw(l, a)))
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
    } else if has("assessed") && !book.contested().iter().any(|n| book.is_legal(n)) {
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
