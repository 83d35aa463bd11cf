//! One record, made of the entries held of it.
//!
//! A [`Book`] is a pure function of its rows: in whatever order they come, late verdicts included, the result is equal
//! to building it afresh. An entry whose dependencies are not all there waits, as a row like any other, and holds up
//! nothing but what is based on it; the rest settles in the order of dependencies and of each log.

use crate::{
    Department, Kind,
    authority::{Judge, Refusal, is_attested, judge},
    document::Document,
    fields::field_type,
};
use serde_json::{Map, Value as Json};
use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
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
    /// The device's own counter; 0 where it gave none.
    pub device_seq: u64,
    /// When it happened, as claimed, Unix milliseconds.
    pub at_ms: i64,
    /// When it was entered, by the author's clock.
    pub entered_ms: i64,
    /// Why it does not count for the state.
    pub refusal: Option<Refusal>,
    /// It lies past a cut: it may restrict, never release.
    pub quarantined: bool,
    /// Somebody other than the performer, of a supervising department, stands for it.
    pub attested: bool,
}

/// What the author of an entry had on the screen.
pub(crate) struct Screen {
    /// The entries it is based on, and all that those are based on.
    pub(crate) past: BTreeSet<Reference>,
    contested: OnceCell<bool>,
}

/// Whether an entry claims to be based on what its own log says later: no honest author can.
fn depends_on_later(said: &Said) -> bool {
    said.change.based_on.iter().any(|d| d.log == said.reference.log && d.seq >= said.reference.seq)
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
    by_log: BTreeMap<LogId, BTreeSet<(u64, Hash)>>,
    missing: BTreeSet<Reference>,
    knotted: bool,
    poisoned: BTreeSet<Reference>,
    document: Document,
    events: Vec<EventView>,
}

impl Book {
    /// Builds a record from all entries held of it. Crossing and lane are those of the log of its first entry; where
    /// that has not come, those of the smallest row.
    pub fn build(id: RecordId, rows: impl IntoIterator<Item = Said>) -> Option<Self> {
        Self::build_without(id, rows.into_iter().map(|r| (r.reference, r)).collect(), BTreeSet::new())
    }

    fn build_without(id: RecordId, rows: BTreeMap<Reference, Said>, poisoned: BTreeSet<Reference>) -> Option<Self> {
        let is_first = |r: &&Said| r.change.record.is_none() && RecordId::of_first(&r.reference) == id;
        let first = rows.values().find(is_first).map(|r| r.reference);
        let stands_for = first.or_else(|| rows.keys().next().copied())?;
        let mut book = Self::empty(id, stands_for.log.crossing, stands_for.log.lane);
        book.first = first;
        book.poisoned = poisoned;
        for r in rows.keys() {
            book.by_log.entry(r.log).or_default().insert((r.seq, r.leaf));
        }
        book.rows = rows;
        match book.settle_all() {
            Ok(()) => Some(book),
            Err(culprit) => {
                // The document is half changed: build it again without the entry that broke it.
                let mut poisoned = std::mem::take(&mut book.poisoned);
                poisoned.insert(culprit);
                Self::build_without(id, book.rows, poisoned)
            }
        }
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
            missing: BTreeSet::new(),
            knotted: false,
            poisoned: BTreeSet::new(),
            document: Document::default(),
            events: Vec::new(),
        }
    }

    /// Adds an entry. Adding one twice changes nothing. Where it cannot simply follow, the record is built afresh.
    pub fn add(&mut self, said: Said) {
        let r = said.reference;
        if self.rows.get(&r) == Some(&said) {
            return;
        }
        let last_of_log = self.by_log.get(&r.log).is_none_or(|l| l.last().is_none_or(|(seq, _)| *seq < r.seq));
        let follows = self.first.is_some()
            && said.change.record.is_some()
            && last_of_log
            && !self.knotted
            && !self.missing.contains(&r);
        self.by_log.entry(r.log).or_default().insert((r.seq, r.leaf));
        self.rows.insert(r, said);
        let settled = if follows { self.settle(r) } else { Err(r) };
        if settled.is_err() {
            let rows = std::mem::take(&mut self.rows);
            let poisoned = std::mem::take(&mut self.poisoned);
            *self = Self::build_without(self.id, rows, poisoned).expect("at least one row");
        }
    }

    fn is_settled(&self, r: &Reference) -> bool {
        matches!(self.standing.get(r), Some(Row::Counts | Row::Refused(_)))
    }

    /// Settles all rows, from nothing: those whose dependencies are there, in the order of dependencies and of each log.
    fn settle_all(&mut self) -> Result<(), Reference> {
        let ready = self.complete();
        // What has to come before a row: what it is based on, and its log's previous row that counts so far.
        let mut before: BTreeMap<Reference, BTreeSet<Reference>> = BTreeMap::new();
        let mut after: BTreeMap<Reference, Vec<Reference>> = BTreeMap::new();
        for (log, places) in &self.by_log {
            let mut previous: Option<Reference> = None;
            for (seq, leaf) in places {
                let r = Reference { log: *log, seq: *seq, leaf: *leaf };
                if !ready.contains(&r) {
                    continue;
                }
                let said = &self.rows[&r];
                let mut needs: BTreeSet<Reference> = said.change.based_on.iter().copied().collect();
                needs.extend(previous);
                needs.extend(self.first.filter(|f| *f != r));
                if self.first == Some(r) || depends_on_later(said) {
                    needs.clear();
                }
                for n in &needs {
                    after.entry(*n).or_default().push(r);
                }
                before.insert(r, needs);
                if said.verdict == Verdict::Counts {
                    previous = Some(r);
                }
            }
        }
        let mut free: BTreeSet<Reference> = before.iter().filter(|(_, b)| b.is_empty()).map(|(r, _)| *r).collect();
        while !before.is_empty() {
            // Logs that were written to lean on each other in a circle are cut open at their smallest row.
            let next = free.pop_first().unwrap_or_else(|| {
                self.knotted = true;
                *before.keys().next().expect("not empty")
            });
            let needs = before.remove(&next).unwrap_or_default();
            if needs.is_empty() {
                self.settle(next)?;
            } else {
                let why = "its log and the entries it is based on lean on each other in a circle".into();
                self.standing.insert(next, Row::Refused(Refusal { code: "circle", why }));
            }
            for r in after.remove(&next).unwrap_or_default() {
                if let Some(needs) = before.get_mut(&r)
                    && needs.remove(&next)
                    && needs.is_empty()
                {
                    free.insert(r);
                }
            }
        }
        let waiting: Vec<Reference> = self.rows.keys().filter(|r| !ready.contains(*r)).copied().collect();
        for r in waiting {
            self.wait(r);
        }
        Ok(())
    }

    /// Rows whose dependencies, and theirs, are all held; none while the record's first entry is not.
    fn complete(&self) -> BTreeSet<Reference> {
        let mut out = BTreeSet::new();
        let Some(first) = self.first else { return out };
        let mut lacking: BTreeMap<Reference, usize> = BTreeMap::new();
        let mut dependents: BTreeMap<Reference, Vec<Reference>> = BTreeMap::new();
        let mut queue = vec![first];
        for (r, said) in &self.rows {
            let needed = if depends_on_later(said) { 0 } else { said.change.based_on.len() };
            if needed == 0 {
                queue.push(*r);
            } else {
                lacking.insert(*r, needed);
                for d in &said.change.based_on {
                    dependents.entry(*d).or_default().push(*r);
                }
            }
        }
        while let Some(r) = queue.pop() {
            if !out.insert(r) {
                continue;
            }
            for d in dependents.remove(&r).unwrap_or_default() {
                let left = lacking.get_mut(&d).expect("every dependent was counted");
                *left -= 1;
                if *left == 0 {
                    queue.push(d);
                }
            }
        }
        out
    }

    fn wait(&mut self, r: Reference) {
        let said = &self.rows[&r];
        let lacks = |d: &&Reference| !self.is_settled(d);
        // Nobody knows the reference of a first entry that has not come; the record's id stands for it.
        let unknown = Reference { leaf: Hash(self.id.0), seq: u64::MAX, ..r };
        let missing = said.change.based_on.iter().find(lacks).copied().unwrap_or(unknown);
        let absent: Vec<Reference> =
            said.change.based_on.iter().filter(|d| !self.rows.contains_key(d)).copied().collect();
        self.missing.extend(absent);
        self.standing.insert(r, Row::Waits(missing));
    }

    /// Settles one row whose log's earlier rows are settled; one that lacks a dependency waits. An error names a row
    /// that broke the document.
    fn settle(&mut self, r: Reference) -> Result<(), Reference> {
        let said = self.rows[&r].clone();
        if depends_on_later(&said) {
            let why = "it is based on what its own log says only later".into();
            self.standing.insert(r, Row::Refused(Refusal { code: "circle", why }));
            return Ok(());
        }
        if said.change.based_on.iter().any(|d| !self.is_settled(d)) {
            self.wait(r);
            return Ok(());
        }
        let row = self.judge_row(&said)?;
        self.standing.insert(r, row);
        Ok(())
    }

    fn judge_row(&mut self, said: &Said) -> Result<Row, Reference> {
        let reference = said.reference;
        let refused = |code, why: &str| Ok(Row::Refused(Refusal { code, why: why.into() }));
        let first = self.first.expect("nothing settles before the record's first entry");
        if self.poisoned.contains(&reference) {
            return refused("derivation_failed", "Automerge failed on the change derived from it");
        }
        let screen = Screen { past: self.past(&said.change.based_on), contested: OnceCell::new() };
        if said.verdict == Verdict::Quarantined {
            self.take_events(said, &screen, true);
            return refused("past_cut", "it lies past the cut of its log: kept, and may restrict");
        }
        if (reference.log.lane, reference.log.crossing) != (first.log.lane, first.log.crossing) {
            return refused("wrong_log", "it stands in a log of another lane or crossing than its record");
        }
        let author = &said.judge.author;
        let own = author.role == Role::Hub || author.role == Role::Crossing && author.crossing == Some(self.crossing);
        if !own && !self.was_handed_over(said, &screen) {
            self.take_events(said, &screen, true);
            return refused("foreign_crossing", "the record was not handed over to the crossing that wrote this");
        }
        let based_on = self.as_read(&said.change.based_on);
        let events = said.change.events.iter().enumerate();
        let mut puts: Vec<(String, Value)> =
            said.change.puts.iter().map(|p| (p.key.clone(), p.value.clone())).collect();
        puts.extend(events.map(|(n, text)| (format!("ev.{}", reference.event_id(n)), Value::Text(text.clone()))));
        // The derived change is well formed by construction; should Automerge fail on it all the same, this record
        // alone shows it.
        let applied = catch_unwind(AssertUnwindSafe(|| self.document.apply(reference, &based_on, &puts)));
        if !matches!(applied, Ok(Ok(()))) {
            return Err(reference);
        }
        self.take_events(said, &screen, false);
        Ok(Row::Counts)
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

    fn was_handed_over(&self, said: &Said, screen: &Screen) -> bool {
        let to = said.judge.author.crossing.map(|c| c.to_string());
        self.events.iter().any(|e| {
            e.kind() == "handed_over"
                && e.counts()
                && e.text("to") == to.as_deref()
                && screen.past.contains(&e.reference)
        })
    }

    fn take_events(&mut self, said: &Said, screen: &Screen, quarantined: bool) {
        for (n, text) in said.change.events.iter().enumerate() {
            let members = match serde_json::from_str(text) {
                // One text, one reading: a member given twice, or any other spelling, would read differently elsewhere.
                Ok(Json::Object(m)) if serde_json_canonicalizer::to_string(&m).is_ok_and(|t| t == *text) => m,
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
                device_seq: said.common.device_seq,
                at_ms: said.common.happened_ms.unwrap_or(said.common.wall_ms),
                entered_ms: said.common.wall_ms,
                refusal: None,
                quarantined,
                attested: false,
            };
            if event.device.is_empty() {
                // An officer enters what a device says: the device and its counter are members of the event.
                event.device = event.text("device").or(event.text("scale")).unwrap_or_default().into();
                event.device_seq = event.int("device_seq").and_then(|n| n.try_into().ok()).unwrap_or(0);
            }
            event.attested = is_attested(&event, &said.judge);
            event.refusal = if event.kind().is_empty() {
                Some(Refusal { code: "malformed_event", why: "it is no canonical JSON object with a type".into() })
            } else {
                judge(self, said, screen, &event).err()
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
    /// Its first entry, where that is held.
    pub fn first(&self) -> Option<Reference> {
        self.first
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

    /// The entries whose values stand for a field now.
    pub(crate) fn claimed_by(&self, name: &str) -> Vec<Reference> {
        self.document.claims(name).into_iter().map(|(_, entry)| entry).collect()
    }

    /// Everything claimed for a field now, by entry.
    pub(crate) fn claims(&self, name: &str) -> Vec<Claim> {
        self.document.claims(name).into_iter().map(|(value, entry)| self.claim(value, entry)).collect()
    }

    /// The same at dependencies as an entry gives them.
    pub(crate) fn claims_at(&self, name: &str, based_on: &[Reference]) -> Vec<Claim> {
        let at = self.as_read(based_on);
        self.document.claims_at(name, &at).into_iter().map(|(value, entry)| self.claim(value, entry)).collect()
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

    pub(crate) fn claim(&self, value: Value, entry: Reference) -> Claim {
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

    /// Whether a legal field was contested on the author's screen.
    pub(crate) fn shows_contested(&self, said: &Said, screen: &Screen) -> bool {
        *screen.contested.get_or_init(|| {
            let at = self.as_read(&said.change.based_on);
            self.field_names()
                .into_iter()
                .filter(|n| self.is_legal(n))
                .any(|n| matches!(self.as_field(self.document.claims_at(&n, &at)), Some(Field::Contested(_))))
        })
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
                Some(said) if !self.is_settled(&r) && seen.insert(r) => queue.extend(&said.change.based_on),
                Some(_) => {}
                None => {
                    out.insert(r);
                }
            }
        }
        out
    }

    /// The record as somebody saw it who had seen these entries.
    pub fn as_of(&self, at: &[Reference]) -> Option<Self> {
        let mut past = self.past(at);
        // What a log said before belongs to what its node could show.
        let earlier = at.iter().flat_map(|r| {
            let places = self.by_log.get(&r.log).into_iter().flat_map(|l| l.range(..(r.seq, Hash::default())));
            places.map(|(seq, leaf)| Reference { log: r.log, seq: *seq, leaf: *leaf })
        });
        let earlier: Vec<Reference> = earlier.chain(self.first).collect();
        past.extend(self.past(&earlier));
        Self::build(self.id, past.iter().map(|r| self.rows[r].clone()))
    }

    /// The record out of the entries that were made, by their authors' clocks, at that time or before.
    pub fn at_time(&self, wall_ms: i64) -> Option<Self> {
        Self::build(self.id, self.rows.values().filter(|s| s.common.wall_ms <= wall_ms).cloned())
    }
}
