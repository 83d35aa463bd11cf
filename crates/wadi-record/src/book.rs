//! One record, made of the entries held of it.
//!
//! A [`Book`] is a pure function of its rows: in whatever order they come, late verdicts included, the result is equal
//! to building it afresh. An entry *settles* once it can be judged: its log's previous entry on the record has settled
//! and everything it is based on is there. Until then it waits, as a row like any other.

use crate::{
    Department, Kind,
    authority::{Judge, Refusal, judge},
    document::Document,
    fields::field_type,
};
use serde_json::{Map, Value as Json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
};
use wadi_log::{Change, Common, Crossing, Hash, Lane, LogId, RecordId, Reference, Role, Value, Verdict};

/// An entry on a record, with the verdict on it and what it is judged by.
#[derive(Clone, PartialEq, Debug)]
pub struct Said {
    /// Where it stands.
    pub reference: Reference,
    /// Who and when.
    pub common: Common,
    /// What.
    pub change: Change,
    /// Whether its log counts that far.
    pub verdict: Verdict,
    /// What it is judged by.
    pub judge: Judge,
}

/// How a row stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row {
    /// It counts and is in the document.
    Counts,
    /// It is kept and does not count.
    Refused(Refusal),
    /// Something it builds on is not held yet.
    Waits(Reference),
}

/// A value of a field and who put it.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// The value.
    pub value: Value,
    /// The entry that put it.
    pub entry: Reference,
    /// The officer.
    pub officer: String,
    /// The department.
    pub department: String,
    /// When it happened, as claimed, Unix milliseconds.
    pub at_ms: i64,
}

/// A field as merged.
#[derive(Clone, PartialEq, Debug)]
pub enum Field {
    /// One value, or several entries that agree on it.
    Settled(Value),
    /// Concurrent values that differ, each with its author.
    Contested(Vec<Claim>),
}

/// An event, and whether it counts for the state.
#[derive(Clone, PartialEq, Debug)]
pub struct EventView {
    /// Its id.
    pub id: String,
    /// The entry that says it.
    pub reference: Reference,
    /// Its members; `type` among them. Empty where the text is no JSON object.
    pub members: Map<String, Json>,
    /// The text as signed.
    pub text: String,
    /// The officer.
    pub officer: String,
    /// The department, where this version knows it.
    pub department: Option<Department>,
    /// The device.
    pub device: String,
    /// When it happened, as claimed, Unix milliseconds.
    pub at_ms: i64,
    /// When it was entered, by the author's clock.
    pub entered_ms: i64,
    /// Why it does not count for the state.
    pub refusal: Option<Refusal>,
    /// It lies past a cut: it may restrict, never release.
    pub quarantined: bool,
}

impl EventView {
    /// The type's name; empty where there is none.
    pub fn kind(&self) -> &str {
        self.text("type").unwrap_or_default()
    }
    /// A member's text.
    pub fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member).and_then(Json::as_str)
    }
    /// A member's whole number.
    pub fn int(&self, member: &str) -> Option<i64> {
        self.members.get(member).and_then(Json::as_i64)
    }
    /// A member's list of text.
    pub fn texts(&self, member: &str) -> Vec<&str> {
        let list = self.members.get(member).and_then(Json::as_array);
        list.map(|l| l.iter().filter_map(Json::as_str).collect()).unwrap_or_default()
    }
    /// Whether it counts in full.
    pub fn counts(&self) -> bool {
        self.refusal.is_none() && !self.quarantined
    }
    /// Whether it counts where it restricts.
    pub fn restricts(&self) -> bool {
        self.refusal.is_none()
    }
}

/// One record.
pub struct Book {
    id: RecordId,
    crossing: Crossing,
    lane: Lane,
    first: Option<Reference>,
    rows: BTreeMap<Reference, Said>,
    standing: BTreeMap<Reference, Row>,
    by_log: BTreeMap<LogId, BTreeMap<u64, Vec<Reference>>>,
    blocked: HashMap<Reference, Vec<Reference>>,
    document: Document,
    events: Vec<EventView>,
}

impl Book {
    /// Builds a record from all entries held of it. Crossing and lane are those of the log of its first entry, which
    /// every row of the record stands under as well; where the first is missing the rows' own are taken.
    pub fn build(id: RecordId, rows: impl IntoIterator<Item = Said>) -> Option<Self> {
        let rows: BTreeMap<Reference, Said> = rows.into_iter().map(|r| (r.reference, r)).collect();
        let first = rows.values().find(|r| r.change.record.is_none()).or_else(|| rows.values().next())?;
        let mut book = Self::empty(id, first.reference.log.crossing, first.reference.log.lane);
        book.first = first.change.record.is_none().then_some(first.reference);
        for said in rows.values() {
            book.index(said);
        }
        book.rows = rows;
        let all: Vec<Reference> = book.rows.keys().copied().collect();
        book.settle(all);
        Some(book)
    }

    fn empty(id: RecordId, crossing: Crossing, lane: Lane) -> Self {
        Self {
            id,
            crossing,
            lane,
            first: None,
            rows: BTreeMap::new(),
            standing: BTreeMap::new(),
            by_log: BTreeMap::new(),
            blocked: HashMap::new(),
            document: Document::default(),
            events: Vec::new(),
        }
    }

    /// Adds an entry. Adding one twice changes nothing. Where it cannot simply follow, the record is built afresh.
    pub fn add(&mut self, said: Said) {
        let reference = said.reference;
        if self.rows.get(&reference) == Some(&said) {
            return;
        }
        let known = self.rows.contains_key(&reference);
        let overtaken = self
            .by_log
            .get(&reference.log)
            .is_some_and(|l| l.range(reference.seq..).flat_map(|(_, r)| r).any(|r| self.is_settled(r)));
        let first_is_late = said.change.record.is_none() && !self.rows.is_empty();
        if known || overtaken || first_is_late {
            let mut rows = std::mem::take(&mut self.rows);
            rows.insert(reference, said);
            *self = Self::build(self.id, rows.into_values()).expect("at least one row");
            return;
        }
        self.index(&said);
        self.rows.insert(reference, said);
        self.settle(vec![reference]);
    }

    fn index(&mut self, said: &Said) {
        let r = said.reference;
        let at = self.by_log.entry(r.log).or_default().entry(r.seq).or_default();
        at.push(r);
        at.sort();
    }

    fn is_settled(&self, r: &Reference) -> bool {
        matches!(self.standing.get(r), Some(Row::Counts | Row::Refused(_)))
    }

    /// Settles what can be settled, following each success to those that waited for it.
    fn settle(&mut self, mut queue: Vec<Reference>) {
        queue.reverse();
        while let Some(next) = queue.pop() {
            if self.is_settled(&next) {
                continue;
            }
            let standing = self.judge_row(&next);
            if let Row::Waits(missing) = standing {
                let waiters = self.blocked.entry(missing).or_default();
                if !waiters.contains(&next) {
                    waiters.push(next);
                }
            } else if let Some(waiters) = self.blocked.remove(&next) {
                queue.extend(waiters);
            }
            self.standing.insert(next, standing);
        }
    }

    /// One row: settled, or what it waits for.
    fn judge_row(&mut self, reference: &Reference) -> Row {
        let said = &self.rows[reference];
        let Some(first) = self.first else {
            // Nobody knows the reference of a first entry that has not come; the record's id stands for it.
            return Row::Waits(Reference { leaf: Hash(self.id.0), seq: u64::MAX, ..*reference });
        };
        // Two branches of a forked log stand side by side: the one that counts is previous to what follows it.
        let previous = self.by_log[&reference.log].range(..reference.seq).next_back().map(|(_, all)| all.clone());
        for r in previous.into_iter().flatten().chain((first != *reference).then_some(first)) {
            if !self.is_settled(&r) {
                return Row::Waits(r);
            }
        }
        let refused = |code, why: &str| Row::Refused(Refusal { code, why: why.into() });
        if let Some(missing) = said.change.based_on.iter().find(|d| !self.is_settled(d)) {
            return Row::Waits(*missing);
        }
        if said.verdict == Verdict::Quarantined {
            let said = said.clone();
            self.take_events(&said, true);
            return refused("past_cut", "it lies past the cut of its log: kept, and may restrict");
        }
        if (reference.log.lane, reference.log.crossing) != (first.log.lane, first.log.crossing) {
            return refused("wrong_log", "it stands in a log of another lane or crossing than its record");
        }
        let author = &said.judge.author;
        if author.role == Role::Crossing && author.crossing != Some(self.crossing) && !self.was_handed_over(said) {
            let said = said.clone();
            self.take_events(&said, true);
            return refused("foreign_crossing", "the record was not handed over to the crossing that wrote this");
        }
        let said = said.clone();
        let based_on = self.as_read(&said.change.based_on);
        let events = said.change.events.iter().enumerate();
        let mut puts: Vec<(String, Value)> =
            said.change.puts.iter().map(|p| (p.key.clone(), p.value.clone())).collect();
        puts.extend(events.map(|(n, text)| (format!("ev.{}", reference.event_id(n)), Value::Text(text.clone()))));
        // The derived change is well formed by construction; should Automerge fail on it all the same, this record
        // alone shows it.
        let applied = catch_unwind(AssertUnwindSafe(|| self.document.apply(*reference, &based_on, &puts)));
        match applied {
            Ok(Ok(())) => {
                self.take_events(&said, false);
                Row::Counts
            }
            Ok(Err(why)) => refused("derivation_failed", &why),
            Err(_) => refused("derivation_failed", "the derivation panicked"),
        }
    }

    /// Dependencies as they are read: one that does not count stands for its log's last counting entry before it.
    fn as_read(&self, based_on: &[Reference]) -> Vec<Reference> {
        let mut out: Vec<Reference> = based_on
            .iter()
            .filter_map(|d| match self.standing.get(d) {
                Some(Row::Counts) => Some(*d),
                _ => self.document.last_before(&d.log, d.seq),
            })
            .collect();
        out.sort();
        out.dedup();
        out
    }

    fn was_handed_over(&self, said: &Said) -> bool {
        let to = said.judge.author.crossing.map(|c| c.to_string());
        let past = self.past(&said.change.based_on);
        self.events.iter().any(|e| {
            e.kind() == "handed_over" && e.counts() && e.text("to") == to.as_deref() && past.contains(&e.reference)
        })
    }

    fn take_events(&mut self, said: &Said, quarantined: bool) {
        for (n, text) in said.change.events.iter().enumerate() {
            let members = match serde_json::from_str(text) {
                Ok(Json::Object(members)) => members,
                _ => Map::new(),
            };
            let mut event = EventView {
                id: said.reference.event_id(n),
                reference: said.reference,
                members,
                text: text.clone(),
                officer: said.common.officer.clone(),
                department: said.common.department.parse().ok(),
                device: said.common.device.clone(),
                at_ms: said.common.happened_ms.unwrap_or(said.common.wall_ms),
                entered_ms: said.common.wall_ms,
                refusal: None,
                quarantined,
            };
            event.refusal = if event.kind().is_empty() {
                Some(Refusal { code: "malformed_event", why: "it is no JSON object with a type".into() })
            } else {
                judge(self, said, &event).err()
            };
            let at = self.events.partition_point(|e| (e.reference, &e.id) < (event.reference, &event.id));
            self.events.insert(at, event);
        }
    }

    /// The record's id.
    pub fn id(&self) -> RecordId {
        self.id
    }
    /// Its printed id.
    pub fn printed(&self) -> String {
        self.id.print(self.crossing, self.lane)
    }
    /// Its crossing.
    pub fn crossing(&self) -> Crossing {
        self.crossing
    }
    /// Its lane.
    pub fn lane(&self) -> Lane {
        self.lane
    }
    /// Its kind.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of_lane(self.lane)
    }
    /// All entries held of it.
    pub fn rows(&self) -> impl Iterator<Item = (&Said, &Row)> {
        self.rows.values().map(|s| (s, &self.standing[&s.reference]))
    }
    /// How one entry stands.
    pub fn row(&self, r: &Reference) -> Option<(&Said, &Row)> {
        Some((self.rows.get(r)?, self.standing.get(r)?))
    }
    /// The entries that no other follows: what a screen that shows all of it is based on.
    pub fn heads(&self) -> Vec<Reference> {
        self.document.heads()
    }
    /// Equal documents have equal digests.
    pub fn digest(&self) -> [u8; 32] {
        self.document.digest()
    }
    /// The document as any Automerge tool opens it.
    pub fn save(&self) -> Vec<u8> {
        self.document.save()
    }
    /// Events, in an order that depends on their entries alone.
    pub fn events(&self) -> impl Iterator<Item = &EventView> {
        self.events.iter()
    }
    /// Placements of holds that restrict.
    pub fn placed(&self) -> impl Iterator<Item = &EventView> {
        self.events.iter().filter(|e| e.kind() == "hold.placed" && e.restricts())
    }

    /// Names of fields that were ever put, ascending; cleared ones among them.
    pub fn field_names(&self) -> Vec<String> {
        self.document.keys().into_iter().filter(|k| !k.starts_with("ev.")).collect()
    }
    /// A field as merged; `None` where it was never put.
    pub fn field(&self, name: &str) -> Option<Field> {
        self.as_field(self.document.claims(name))
    }
    /// A settled field's text.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.field(name)? {
            Field::Settled(Value::Text(t)) => Some(t),
            _ => None,
        }
    }
    /// Every text claimed for a field, contested or not.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let claims = self.document.claims(name).into_iter();
        claims.filter_map(|(v, _)| if let Value::Text(t) = v { Some(t) } else { None }).collect()
    }

    fn as_field(&self, claims: Vec<(Value, Reference)>) -> Option<Field> {
        let (first, _) = claims.first()?;
        if claims.iter().all(|(v, _)| v == first) {
            return Some(Field::Settled(first.clone()));
        }
        let mut claims: Vec<Claim> = claims.into_iter().map(|(value, entry)| self.claim(value, entry)).collect();
        claims.sort_by(|a, b| (a.entry, &a.value).cmp(&(b.entry, &b.value)));
        Some(Field::Contested(claims))
    }

    fn claim(&self, value: Value, entry: Reference) -> Claim {
        let c = &self.rows[&entry].common;
        Claim {
            value,
            entry,
            officer: c.officer.clone(),
            department: c.department.clone(),
            at_ms: c.happened_ms.unwrap_or(c.wall_ms),
        }
    }

    /// Names of contested fields, ascending.
    pub fn contested(&self) -> Vec<String> {
        let contested = |n: &String| matches!(self.field(n), Some(Field::Contested(_)));
        self.field_names().into_iter().filter(contested).collect()
    }

    /// A legal field that is contested in what somebody saw who had seen `at`.
    pub(crate) fn contested_legal_field_at(&self, at: &[Reference]) -> Option<String> {
        let at = self.as_read(at);
        self.field_names()
            .into_iter()
            .filter(|n| self.is_legal(n))
            .find(|n| matches!(self.as_field(self.document.claims_at(n, &at)), Some(Field::Contested(_))))
    }

    /// Whether a field has legal weight.
    pub fn is_legal(&self, name: &str) -> bool {
        self.kind().and_then(|k| field_type(k, name)).is_some_and(|(_, legal)| legal)
    }

    /// These entries and all that they are based on, directly or not.
    pub fn past(&self, of: &[Reference]) -> BTreeSet<Reference> {
        let (mut out, mut queue) = (BTreeSet::new(), of.to_vec());
        while let Some(r) = queue.pop() {
            if let Some(said) = self.rows.get(&r)
                && out.insert(r)
            {
                queue.extend(&said.change.based_on);
            }
        }
        out
    }

    /// What an entry that waits is waiting for in the end: the entries not held, of all it builds on. Empty where only
    /// the record's first entry is missing.
    pub fn missing(&self, waiting: &Reference) -> BTreeSet<Reference> {
        let (mut seen, mut out, mut queue) = (BTreeSet::new(), BTreeSet::new(), vec![*waiting]);
        while let Some(r) = queue.pop() {
            match self.rows.get(&r) {
                Some(said) if seen.insert(r) && !self.is_settled(&r) => {
                    queue.extend(&said.change.based_on);
                    let before = self.by_log[&r.log].range(..r.seq).next_back();
                    queue.extend(before.into_iter().flat_map(|(_, all)| all));
                }
                Some(_) => {}
                None => drop(out.insert(r)),
            }
        }
        out
    }

    /// The record as somebody saw it who had seen these entries.
    pub fn as_of(&self, at: &[Reference]) -> Option<Self> {
        let mut past = self.past(at);
        // What a log said before belongs to what its node could show.
        let earlier: Vec<Reference> = at
            .iter()
            .flat_map(|r| self.by_log.get(&r.log).into_iter().flat_map(|l| l.range(..r.seq)).flat_map(|(_, all)| all))
            .copied()
            .collect();
        past.extend(self.past(&earlier));
        Self::build(self.id, past.iter().map(|r| self.rows[r].clone()))
    }

    /// The record out of the entries that were made, by their authors' clocks, at that time or before.
    pub fn at_time(&self, wall_ms: i64) -> Option<Self> {
        Self::build(self.id, self.rows.values().filter(|s| s.common.wall_ms <= wall_ms).cloned())
    }
}
