//! Acts of legal weight that lack what they need: said all the same they are kept and count, for a
//! truck that left has left and money that was paid was paid. They are flagged, whoever says them
//! is told, and rules report them.
//!
//! The fold of states and the rules of reconciliation ask here. What an act lacks is judged by what
//! its author had seen; what speaks against it counts from what its own log had said before, too,
//! so that nobody gets around it by being based on an old screen.

mod assessments;
mod goods;

use crate::{
    Guarded, Kind,
    ancestry::Past,
    clearings::Clearings,
    events::guarding,
    fields::known_field,
    judged_change::{EventView, Verdict},
    record::Record,
    sent_back::SentBack,
    sight::Sight,
    state::{Checks, counted, restricting},
};
use assessments::Assessments;
use goods::DeclaredGoods;
use serde_json::{Value as Json, json};
use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashMap},
};
use wadi_log::{LogId, Reference};

/// Acts of one record that are told each for itself. More of them tell nothing more.
const UNFOUNDED_MAX: usize = 100;

/// What an act lacks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lack {
    /// An assessment, seen by whoever takes money or lets goods go; or it was opened again by a
    /// change that nobody has assessed.
    Assessment,
    /// Goods to assess: an item at least, each with its code, a mass and a value.
    Goods,
    /// The registration of the entry, from which on somebody is liable for what it says.
    Registration,
    /// A supervisor's reason to assess less than stood before, or in another currency.
    ReasonToLower,
    /// A supervisor's reason to assess less than the items themselves say.
    ReasonBelowItems,
    /// The settling of legal fields that were contested.
    SettledFields,
    /// The answer to a question of customs.
    Answer,
    /// The release of the entry.
    Release,
    /// The clearing of the passage: one that its limit has not ended, and with which the vehicle
    /// did not go out and come back before.
    Clearance,
    /// The closing of a check.
    ClosedCheck,
    /// A look into what a scanner found strange.
    CheckOfAnomaly,
}

impl Lack {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Assessment => "assessment",
            Self::Goods => "declared goods",
            Self::Registration => "registration",
            Self::ReasonToLower => "reason to lower",
            Self::ReasonBelowItems => "reason below items",
            Self::SettledFields => "settled fields",
            Self::Answer => "answer",
            Self::Release => "release",
            Self::Clearance => "clearance",
            Self::ClosedCheck => "closed check",
            Self::CheckOfAnomaly => "check of an anomaly",
        }
    }
}

/// An act that counts, and what it lacks.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Unfounded<'a> {
    pub(crate) event: &'a EventView,
    pub(crate) lacks: Vec<Lack>,
}

impl Unfounded<'_> {
    /// The act as it stands in the record's projection.
    pub(crate) fn json(&self) -> Json {
        json!({
            "id": self.event.id,
            "lacks": self.lacks.iter().map(|l| l.name()).collect::<Vec<_>>(),
        })
    }
}

/// All such acts of a record, in the order of its events.
pub(crate) fn unfounded<'a>(record: &'a Record, sight: &Sight<'_>) -> Vec<Unfounded<'a>> {
    match record.kind() {
        Some(Kind::Passage) => unfounded_exits(record, sight),
        Some(Kind::CustomsEntry) => unfounded_forms(record, sight),
        _ => Vec::new(),
    }
}

fn unfounded_exits<'a>(record: &'a Record, sight: &Sight<'_>) -> Vec<Unfounded<'a>> {
    let mut exits = counted(record, &["gate.out"]).peekable();
    if exits.peek().is_none() {
        return Vec::new();
    }

    let checks = Checks::of(record);
    let clearings = Clearings::of(record, sight);
    let sent_back = SentBack::of(record);
    let exits = exits.filter(|event| !sent_back.is_led_out(sight, event));
    let exits = exits.filter_map(|event| {
        let lacks = checks.lacking(record, sight, event, &clearings)?;
        Some(Unfounded {
            event,
            lacks: vec![lacks],
        })
    });

    exits.take(UNFOUNDED_MAX).collect()
}

fn unfounded_forms<'a>(record: &'a Record, sight: &Sight<'_>) -> Vec<Unfounded<'a>> {
    let mut by_entry: BTreeMap<Reference, Vec<&EventView>> = BTreeMap::new();
    for event in counted(
        record,
        &["assessed", "paid", "entry.released", "entry.exited"],
    ) {
        by_entry.entry(event.reference).or_default().push(event);
    }

    // Many entries were not even assessed yet.
    if by_entry.is_empty() {
        return Vec::new();
    }

    Declaration::of(record, sight).unfounded(&by_entry)
}

/// What a customs entry's acts of legal weight rest on.
struct Declaration<'a, 'r> {
    record: &'a Record,
    sight: &'r Sight<'r>,
    /// Entries with an assessment, and with a release, that count.
    assessed: Past,
    released: Past,
    /// Entries that register it.
    registered: Past,
    /// Entries with a present value that an assessment would rest on and that nobody has assessed.
    unassessed: Past,
    /// Questions, and the entries that answer each.
    queries: Vec<(&'a EventView, Past)>,
    assessments: Assessments<'a>,
    goods: DeclaredGoods<'a>,
}

/// What the author of an entry had seen of an assessment and of what speaks against it.
struct Screen {
    assessed: bool,
    released: bool,
    registered: bool,
    /// A change after the last assessment.
    changed: bool,
    contested: bool,
    /// A question that nobody had answered.
    asked: bool,
    /// What it shows, with what the entry itself puts.
    shown: Past,
    /// The same, with all that its log knew of.
    known: Past,
    /// Whether goods were declared on it: asked once, however many acts one entry says.
    declared: OnceCell<bool>,
}

impl<'a, 'r> Declaration<'a, 'r> {
    fn of(record: &'a Record, sight: &'r Sight<'_>) -> Declaration<'a, 'r> {
        let mut answers: HashMap<&str, Past> = HashMap::new();
        for answer in counted(record, &["query.answered"]) {
            if let Some(query) = answer.text("query") {
                answers
                    .entry(query)
                    .or_default()
                    .insert(sight.number(answer));
            }
        }

        let queries = restricting(record, &["queried"]);
        let queries = queries.map(|q| (q, answers.remove(q.id.as_str()).unwrap_or_default()));

        Declaration {
            record,
            sight,
            assessed: sight.entries(counted(record, &["assessed"])),
            released: sight.entries(counted(record, &["entry.released"])),
            registered: sight.entries(counted(record, &["registered"])),
            unassessed: unassessed(record, sight),
            queries: queries.collect(),
            assessments: Assessments::of(record, sight),
            goods: DeclaredGoods::of(record),
        }
    }

    /// Those of these acts that lack something.
    fn unfounded(&self, by_entry: &BTreeMap<Reference, Vec<&'a EventView>>) -> Vec<Unfounded<'a>> {
        let mut out = Vec::new();
        let mut own: HashMap<LogId, Past> = HashMap::new();

        // Rows stand in the order of their logs, so that what each log had said before grows along.
        for (said, verdict) in self.record.rows() {
            let now = self.record.now();
            let reference = &said.reference;
            let (Some(number), Some(shown)) = (now.number(reference), now.shown(reference)) else {
                continue;
            };

            let known = own.entry(reference.log).or_default();
            known.unite(shown);
            if let Some(forms) = by_entry.get(reference) {
                let screen = self.screen(number, shown, known);
                let found = forms.iter().map(|event| Unfounded {
                    event,
                    lacks: self.lacking(event, &screen),
                });
                out.extend(found.filter(|act| !act.lacks.is_empty()));
            }

            if out.len() >= UNFOUNDED_MAX {
                break;
            }

            if *verdict == Verdict::Counts {
                known.insert(number);
            }
        }

        out.truncate(UNFOUNDED_MAX);
        out
    }

    /// What somebody had seen who wrote this entry with these on the screen, and whose log knew of
    /// those.
    fn screen(&self, own: u32, shown: &Past, known: &Past) -> Screen {
        let with_own = |past: &Past| {
            let mut past = past.clone();
            past.insert(own);
            past
        };
        let is_open = |(query, answers): &(&EventView, Past)| {
            known.contains(self.sight.number(query)) && !answers.meets(known)
        };

        Screen {
            assessed: shown.meets(&self.assessed),
            released: shown.meets(&self.released),
            registered: shown.meets(&self.registered),
            changed: known.meets(&self.unassessed),
            contested: self.knew_contested(known),
            asked: self.queries.iter().any(is_open),
            shown: with_own(shown),
            known: with_own(known),
            declared: OnceCell::new(),
        }
    }

    fn lacking(&self, event: &EventView, screen: &Screen) -> Vec<Lack> {
        let said_before = |kind: &str| {
            let mut with_it = self.record.now().events.of(&event.reference);
            with_it.any(|e| e.ordinal < event.ordinal && e.kind() == kind && e.counts())
        };

        match event.kind() {
            "entry.exited" => {
                let is_released = screen.released || said_before("entry.released");
                return those_lacking([(!is_released, Lack::Release)]);
            }
            "assessed" => return self.lacking_to_assess(event, screen),
            _ => {}
        }

        let is_assessed = (screen.assessed || said_before("assessed")) && !screen.changed;
        // Money may be taken while a question is open, or before the registration; goods stay.
        let is_release = event.kind() == "entry.released";
        let is_asked = is_release && screen.asked && !said_before("query.answered");
        let is_registered = screen.registered || said_before("registered");
        let declared = || self.goods.are_declared(&screen.shown);
        let are_declared = *screen.declared.get_or_init(declared);

        those_lacking([
            (!is_assessed, Lack::Assessment),
            (!are_declared, Lack::Goods),
            (is_release && !is_registered, Lack::Registration),
            (screen.contested, Lack::SettledFields),
            (is_asked, Lack::Answer),
        ])
    }

    /// Whoever assesses less than stood before, or than the items say, has a supervisor's reason.
    fn lacking_to_assess(&self, event: &EventView, screen: &Screen) -> Vec<Lack> {
        if self.assessments.is_stood_for(self.sight, event, screen) {
            return Vec::new();
        }

        let duty = event.int("duty_minor").unwrap_or_default();
        let of_items = self
            .goods
            .duty(&screen.known, duty, event.text("currency"))
            .unwrap_or(duty);

        those_lacking([
            (
                self.assessments.are_lowered(self.sight, event, screen),
                Lack::ReasonToLower,
            ),
            (duty < of_items, Lack::ReasonBelowItems),
        ])
    }

    fn knew_contested(&self, known: &Past) -> bool {
        let document = &self.record.now().document;
        let legal = document.forked().filter(|name| self.record.is_legal(name));

        legal
            .map(|name| document.claims_within(name, known))
            .any(|claims| {
                let mut values = claims.into_iter().map(|put| self.record.value(put));
                values
                    .next()
                    .is_some_and(|first| values.any(|v| v != first))
            })
    }
}

fn those_lacking(all: impl IntoIterator<Item = (bool, Lack)>) -> Vec<Lack> {
    all.into_iter()
        .filter_map(|(is_lacking, lack)| is_lacking.then_some(lack))
        .collect()
}

/// Entries with a present value that an assessment rests on, put by somebody whom no assessor had
/// seen: once there was an assessment, they open it again.
pub(crate) fn unassessed(record: &Record, sight: &Sight<'_>) -> Past {
    let is_assessment =
        |e: &&EventView| guarding(Guarded::Assessment).any(|k| k == e.kind()) && e.counts();
    let assessments = || record.events().filter(is_assessment);
    let mut out = Past::default();
    if assessments().next().is_none() {
        return out;
    }

    let mut seen = sight.entries(assessments());
    let assessing: BTreeSet<Reference> = assessments().map(|e| e.reference).collect();
    for reference in &assessing {
        if let Some(shown) = record.now().shown(reference) {
            seen.unite(shown);
        }
    }

    let rests_on = |name: &&String| {
        let row = record.kind().and_then(|kind| known_field(kind, name));
        row.is_some_and(|row| row.guarded == Guarded::Assessment)
    };
    let document = &record.now().document;
    for name in document.field_names().filter(rests_on) {
        let claims = document.claims(name).into_iter();
        claims
            .filter(|put| !seen.contains(put.entry))
            .for_each(|put| out.insert(put.entry));
    }

    out
}
