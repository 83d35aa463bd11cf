//! States: pure folds over the events of a record that count.
//!
//! Nothing here is last-writer-wins. Concurrent decisions resolve to the restrictive outcome: a
//! release clears only the holds that it names, and what lies past a cut may restrict, never
//! release.

use crate::{
    Department, Effect, EventType, Kind,
    clearings::{Clearings, is_on_paper},
    contained::{Trip, contained, trip},
    event_index::is_alarm,
    event_type,
    events::CHANNELS,
    forms::{Lack, Unfounded, unassessed, unfounded},
    held::{Placement, UNPLACED, holds},
    judged_change::EventView,
    record::Record,
    sent_back::SentBack,
    sight::Sight,
};
use std::collections::{BTreeSet, HashMap};

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
pub fn state(record: &Record) -> State {
    contained(|| Fold::of(record).state).unwrap_or_else(|| unreadable(record))
}

/// The state of a record whose events cannot be folded: of a hold it is held on to what it held.
pub(crate) fn unreadable(record: &Record) -> State {
    let is_hold = record.kind() == Some(Kind::QuarantineHold);
    State {
        name: "UNREADABLE",
        flags: BTreeSet::new(),
        open_holds: is_hold.then(|| UNPLACED.to_string()).into_iter().collect(),
    }
}

/// The same, with how often it was asked what an author had seen: for tests of what a fold costs.
#[doc(hidden)]
pub fn fold(record: &Record) -> (State, u64) {
    let fold = Fold::of(record);
    (fold.state, fold.asked)
}

/// What folding a record comes to: its state, and what that rests on.
pub(crate) struct Fold<'a> {
    pub(crate) state: State,
    /// Acts of legal weight that lack what they need.
    pub(crate) unfounded: Vec<Unfounded<'a>>,
    /// All holds of the record; empty for what is no hold.
    pub(crate) placements: Vec<Placement>,
    /// Names of contested fields, ascending.
    pub(crate) contested: Vec<String>,
    /// How often it was asked what an author had seen.
    asked: u64,
}

impl<'a> Fold<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        trip(Trip::Folding, record.changes());
        let sight = Sight::of(record);
        let placements = holds(record);
        let contested = record.contested();
        let unfounded = unfounded(record, &sight);
        let mut state = State {
            name: "OPEN",
            flags: BTreeSet::new(),
            open_holds: Vec::new(),
        };

        match record.kind() {
            Some(Kind::Passage) => passage(record, &sight, &mut state),
            Some(Kind::QuarantineHold) => hold_state(record, &placements, &mut state),
            Some(Kind::CustomsEntry) => entry(record, &sight, &contested, &mut state),
            Some(Kind::SiteDay) => site_day(record, &mut state),
            None if record.is_foreign() => state.name = "FOREIGN",
            None => {}
        }

        state.flags.extend(unfounded.iter().filter_map(flag_of));

        if !contested.is_empty() {
            state.flags.insert("CONTESTED");
        }

        if record.changed_puts().any(|put| put.after.is_some()) {
            state.flags.insert("CHANGED_AFTER");
        }

        if record.events().any(|e| e.refusal.is_some()) || record.refused_puts().next().is_some() {
            state.flags.insert("REFUSED_ACTS");
        }

        Self {
            state,
            unfounded,
            placements,
            contested,
            asked: sight.asked(),
        }
    }
}

/// The flag of an act that lacks what it needs.
fn flag_of(act: &Unfounded<'_>) -> Option<&'static str> {
    match act.event.kind() {
        // A hold may have looked into it: that stands on another record.
        "gate.out" if act.lacks == [Lack::CheckOfAnomaly] => None,
        "gate.out" | "entry.exited" => Some("FORCED_EXIT"),
        "assessed" => Some("ASSESSED_UNDULY"),
        "paid" => Some("PAID_UNDULY"),
        "entry.released" => Some("RELEASED_UNDULY"),
        _ => None,
    }
}

/// Events that count in full, of some types.
pub(crate) fn counted<'a>(
    record: &'a Record,
    kinds: &'a [&str],
) -> impl Iterator<Item = &'a EventView> {
    record
        .events()
        .filter(move |e| kinds.contains(&e.kind()) && e.counts())
}

/// Events of some types that count where they restrict: those past a cut among them.
pub(crate) fn restricting<'a>(
    record: &'a Record,
    kinds: &'a [&str],
) -> impl Iterator<Item = &'a EventView> {
    debug_assert!(
        kinds.iter().all(|k| restricts(k)),
        "{kinds:?} do not restrict"
    );

    record
        .events()
        .filter(move |e| kinds.contains(&e.kind()) && e.restricts())
}

/// Whether the table lets an event of that type restrict. What lowers a lane tells which lane
/// holds, so that past a cut it holds at least that one.
fn restricts(kind: &str) -> bool {
    let effect = event_type(kind).map(|t| t.effect);
    effect == Some(Effect::Restricts) || kind == "lane.lowered"
}

/// Events that count in full, of the types whose rows are like that.
fn counting(
    record: &Record,
    is_wanted: impl Fn(&EventType) -> bool,
) -> impl Iterator<Item = &EventView> {
    record
        .events()
        .filter(move |e| e.counts() && event_type(e.kind()).is_some_and(&is_wanted))
}

fn passage(record: &Record, sight: &Sight<'_>, state: &mut State) {
    let has = |kind: &str| counted(record, &[kind]).next().is_some();
    let checks = Checks::of(record);
    let is_check_open = !checks.open().is_empty();
    if is_check_open {
        state.flags.insert("CHECK_OPEN");
    }

    if !checks.is_looked_into(sight, |_| true) {
        state.flags.insert("ANOMALY");
    }

    // With what it went out and came back it does not go again.
    let cleared = !is_check_open && Clearings::of(record, sight).stands(sight);
    let diverted_to: BTreeSet<Option<&str>> = counted(record, &["diverted"])
        .map(|e| e.text("to"))
        .collect();

    // A truck may go out by one gate and come back: the later of the two, by what its author had
    // seen, tells. Who was sent back is led out by a gate, too.
    let seen_coming_in = sight.together(counted(record, &["gate.in"]));
    let sent_back = SentBack::of(record);
    let out = counted(record, &["gate.out"])
        .any(|o| !sight.is_among(o, &seen_coming_in) && !sent_back.is_led_out(sight, o));
    let voided = has("voided");
    if voided && out {
        state.flags.insert("VOIDED_AFTER_EXIT");
    }

    state.name = if voided && !out {
        "VOID"
    } else if out {
        "EXITED"
    } else if restricting(record, &["turned_back"]).next().is_some() {
        "TURNED_BACK"
    } else if has("abandoned") {
        "ABANDONED"
    } else if !diverted_to.is_empty() && has("arrived") {
        "ARRIVED_ELSEWHERE"
    } else if !diverted_to.is_empty() {
        "DIVERTED"
    } else if cleared {
        "CLEARED"
    } else if counting(record, |t| t.under_way).next().is_some() {
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

/// Whether an entry stands before another in one log.
pub(crate) fn is_earlier_in_log(event: &EventView, later: &EventView) -> bool {
    event.reference.log == later.reference.log && event.reference.seq < later.reference.seq
}

/// The checks that departments opened on a passage, and what closed each.
pub(crate) struct Checks<'a> {
    opened: Vec<&'a EventView>,
    /// What a scanner found strange.
    anomalies: Vec<&'a EventView>,
    closed_by: HashMap<&'a str, Vec<&'a EventView>>,
}

impl<'a> Checks<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        let mut closed_by: HashMap<&str, Vec<&EventView>> = HashMap::new();
        for closed in counted(record, &["check.closed"]) {
            if let Some(check) = closed.text("check") {
                closed_by.entry(check).or_default().push(closed);
            }
        }

        Self {
            opened: restricting(record, &["check.opened"]).collect(),
            anomalies: restricting(record, &["scanned"])
                .filter(|e| is_alarm(e))
                .collect(),
            closed_by,
        }
    }

    fn open(&self) -> Vec<&'a EventView> {
        self.opened
            .iter()
            .copied()
            .filter(|o| !self.closed_by.contains_key(o.id.as_str()))
            .collect()
    }

    /// Whether customs or security looked into each anomaly that is among those wanted: with a
    /// check opened by somebody who had seen it.
    fn is_looked_into(&self, sight: &Sight<'_>, is_wanted: impl Fn(&EventView) -> bool) -> bool {
        let by_owner = |o: &&&EventView| {
            matches!(
                o.department,
                Some(Department::Cus | Department::Sec | Department::Hub)
            )
        };
        let seen = sight.together(self.opened.iter().filter(by_owner).copied());
        let wanted = self.anomalies.iter().filter(|a| is_wanted(a));
        wanted.into_iter().all(|a| sight.is_among(a, &seen))
    }

    /// What somebody who let it out had not seen, or had seen open.
    pub(crate) fn lacking(
        &self,
        record: &Record,
        sight: &Sight<'_>,
        out: &EventView,
        clearings: &Clearings<'_>,
    ) -> Option<Lack> {
        if !clearings.let_out(record, sight, out) {
            return Some(Lack::Clearance);
        }

        // What stands before it in its node's own log was on that node's screens, whatever screen
        // its author claims to have had.
        let knew = |e: &EventView| sight.saw(out, e) || is_earlier_in_log(e, out);
        let saw_open = self.opened.iter().any(|o| {
            let closed = self.closed_by.get(o.id.as_str()).into_iter().flatten();
            knew(o)
                && !closed
                    .into_iter()
                    .any(|c| knew(c) || is_on_paper(record, out, c))
        });

        if saw_open {
            return Some(Lack::ClosedCheck);
        }

        let is_looked_into = self.is_looked_into(sight, knew);
        (!is_looked_into).then_some(Lack::CheckOfAnomaly)
    }
}

fn hold_state(record: &Record, placements: &[Placement], state: &mut State) {
    let open: Vec<&Placement> = placements.iter().filter(|p| p.open).collect();
    state.open_holds = open.iter().map(|p| p.id.clone()).collect();

    let has = |kind: &str| counted(record, &[kind]).next().is_some();
    state.name = if placements.is_empty() {
        "OPEN"
    } else if open.is_empty() && placements.iter().any(Placement::is_conditional) {
        "CONDITIONAL"
    } else if open.is_empty() {
        match counting(record, |t| t.effect == Effect::Ends)
            .last()
            .map(EventView::kind)
        {
            Some("re_exported") => "RE_EXPORTED",
            Some("destroyed") => "DESTROYED",
            Some("seized") => "SEIZED",
            _ => "RELEASED",
        }
    } else if open.iter().any(|p| p.reopened) {
        "RECALLED"
    } else if restricting(record, &["rejected"]).next().is_some() {
        "REJECTED"
    } else if has("release.requested") {
        "RELEASE_REQUESTED"
    } else if counting(record, EventType::is_of_laboratory)
        .next()
        .is_some()
    {
        "RESULT_IN"
    } else if has("sample.taken") {
        "SAMPLED"
    } else {
        "PLACED"
    };

    if record
        .events()
        .any(|e| e.kind() == "released" && e.refusal.is_some())
    {
        state.flags.insert("RELEASE_REFUSED");
    }

    if record.text("target.term").is_some() {
        state.flags.insert("LOOKOUT");
    }
}

fn entry(record: &Record, sight: &Sight<'_>, contested: &[String], state: &mut State) {
    let has = |kind: &str| counted(record, &[kind]).next().is_some();
    // Of several channels the strictest holds, unless a supervisor who had seen it lowered it.
    let seen_lowering = sight.together(counted(record, &["lane.lowered"]));
    let rank = |e: &EventView| CHANNELS.iter().position(|l| Some(*l) == e.text("lane"));
    let standing = restricting(record, &["lane.assigned", "lane.lowered"])
        .filter(|assigned| !sight.is_among(assigned, &seen_lowering))
        .filter_map(rank)
        .max();
    if let Some(rank) = standing {
        state.flags.insert(CHANNELS[rank]);
    }

    let answered: BTreeSet<&str> = counted(record, &["query.answered"])
        .filter_map(|a| a.text("query"))
        .collect();
    let open_query = restricting(record, &["queried"]).any(|q| !answered.contains(q.id.as_str()));
    if open_query {
        state.flags.insert("QUERY");
    }

    if restricting(record, &["cancel.requested"]).next().is_some() {
        state.flags.insert("CANCEL_REQUESTED");
    }

    // A change that nobody has assessed opens the assessment again.
    let is_assessed = has("assessed")
        && !contested.iter().any(|n| record.is_legal(n))
        && unassessed(record, sight).is_empty();

    // Goods that were let go are not called back by a word.
    let let_go = has("entry.released") || has("entry.exited");
    if has("cancelled") && let_go {
        state.flags.insert("CANCELLED_AFTER_RELEASE");
    }

    state.name = if has("cancelled") && !has("paid") && !let_go {
        "CANCELLED"
    } else if has("entry.exited") {
        "EXITED"
    } else if has("entry.released") {
        "RELEASED"
    } else if has("paid") {
        "PAID"
    } else if is_assessed {
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

fn site_day(record: &Record, state: &mut State) {
    for (down, up, flag) in [
        ("power.lost", "power.back", "POWER_LOST"),
        ("link.down", "link.up", "LINK_DOWN"),
    ] {
        let back = counted(record, &[up]).count();
        if restricting(record, &[down]).count() > back {
            state.flags.insert(flag);
        }
    }

    if restricting(record, &["water.breach"]).next().is_some() {
        state.flags.insert("WATER_BREACH");
    }
}
