//! One record, made of the entries held of it.
//!
//! A [`Record`] is a pure function of its rows: in whatever order they come, late verdicts
//! included, the result is equal to building it afresh. An entry whose dependencies are not all
//! there waits, as a row like any other, and holds up nothing but what is based on it; the rest
//! settles in the order of dependencies and of each log (`graph.rs`).
//!
//! An entry that may simply follow is settled when it is added. One that may not, since it comes
//! before others that are settled or tells another verdict on an entry held, leaves the record
//! unsettled until somebody looks at it: however many such entries come together, the record is
//! built afresh once.

use crate::{
    Kind,
    ancestry::Past,
    authority::Refusal,
    contained::{DERIVATION_FAILED, contained},
    document::Put,
    graph::{OWN_LATER, leans_on_own_later},
    judged_change::{ChangedPut, Claim, EventView, Field, JudgedChange, RefusedPut, Verdict},
    settle::{HeldChanges, Settled},
};
use std::{collections::BTreeSet, sync::OnceLock};
use wadi_log::{Crossing, Lane, RecordId, Reference, Value};

/// One record.
pub struct Record {
    pub(crate) id: RecordId,
    pub(crate) rows: HeldChanges,
    /// What the rows come to; empty from an addition that moves it until the next look.
    settled: OnceLock<Settled>,
    /// Entries judged in what was thrown away.
    judged_before: u64,
}

/// Why an entry does not count in full.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Objection {
    /// It, one of its events or one of its values is refused.
    Refused(Refusal),
    /// It waits for that entry; none where that is the record's first one, which has not come.
    Waits(Option<Reference>),
}

impl Record {
    /// Builds a record from all entries held of it. Crossing and lane are those of the log of its
    /// first entry; where that has not come, those of the smallest row.
    pub fn build(id: RecordId, rows: impl IntoIterator<Item = JudgedChange>) -> Option<Self> {
        let rows: HeldChanges = rows.into_iter().map(|r| (r.reference, r)).collect();
        let is_empty = rows.is_empty();
        (!is_empty).then(|| Self {
            id,
            rows,
            settled: OnceLock::new(),
            judged_before: 0,
        })
    }

    /// Adds an entry. Adding one twice changes nothing.
    pub fn add(&mut self, said: JudgedChange) {
        let added = said.reference;
        if self.rows.get(&added) == Some(&said) {
            return;
        }

        let is_new = self.rows.insert(added, said).is_none();
        if let Some(settled) = self.settled.get_mut() {
            // Where it fails, what is half settled is thrown away like what does not follow.
            let follows =
                is_new && contained(|| settled.follow(&self.rows, &added)).unwrap_or_default();
            if !follows {
                self.judged_before += settled.judged;
                self.settled.take();
            }
        }
    }

    /// Adds entries, of which the order does not matter.
    pub fn add_all(&mut self, rows: impl IntoIterator<Item = JudgedChange>) {
        rows.into_iter().for_each(|said| self.add(said));
    }

    pub(crate) fn now(&self) -> &Settled {
        self.settled
            .get_or_init(|| Settled::of(self.id, &self.rows))
    }

    /// How many times an entry was judged since this value was made: each time that the record is
    /// built afresh all of them are. For tests of what additions cost.
    #[doc(hidden)]
    pub fn judged(&self) -> u64 {
        self.judged_before + self.now().judged
    }

    /// Why an entry that is held does not count in full, where it does not.
    pub fn objection(&self, entry: &Reference) -> Option<Objection> {
        let settled = self.now();
        match settled.row(entry)? {
            Verdict::Refused(refusal) => return Some(Objection::Refused(refusal.clone())),
            Verdict::Waits(missing) => return Some(Objection::Waits(*missing)),
            Verdict::Counts => {}
        }

        let event = settled.events.of(entry).find_map(|e| e.refusal.clone());
        let put = || {
            settled
                .refused_puts
                .get(entry)?
                .first()
                .map(|p| p.refusal.clone())
        };

        event.or_else(put).map(Objection::Refused)
    }

    /// Why an entry would not count in full, were it added now. Changes nothing. `is_matched` tells
    /// that a link or a lookout of another record rests on what this one is known by.
    pub fn objection_to(&self, said: &JudgedChange, is_matched: bool) -> Option<Objection> {
        let settled = self.now();
        let Some(first) = settled.first else {
            return Some(Objection::Waits(settled.lacking(said)));
        };
        let circle = leans_on_own_later(said, &first).then_some(OWN_LATER);
        if circle.is_none() && said.change.based_on.iter().any(|d| !settled.is_settled(d)) {
            return Some(Objection::Waits(settled.lacking(said)));
        }

        let view = settled.author_view(said, circle.is_some());
        let weighed = settled.weigh(&self.rows, said, &view, circle, is_matched);
        if let Verdict::Refused(refusal) = weighed.row {
            return Some(Objection::Refused(refusal));
        }

        let event = weighed.events.into_iter().find_map(|e| e.refusal);
        let put = weighed.puts.refused.into_iter().next().map(|p| p.refusal);
        event.or(put).map(Objection::Refused)
    }

    /// The record's id.
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// Its printed id.
    pub fn printed(&self) -> String {
        self.id.print(self.crossing(), self.lane())
    }

    /// Its crossing.
    pub fn crossing(&self) -> Crossing {
        self.now().crossing
    }

    /// Its lane.
    pub fn lane(&self) -> Lane {
        self.now().lane
    }

    /// Its kind.
    pub fn kind(&self) -> Option<Kind> {
        self.now().kind()
    }

    /// Its first entry, where that is held.
    pub fn first(&self) -> Option<Reference> {
        self.now().first
    }

    /// All entries held of it.
    pub fn rows(&self) -> impl Iterator<Item = (&JudgedChange, &Verdict)> {
        let settled = self.now();
        self.rows
            .values()
            .filter_map(|said| Some((said, settled.row(&said.reference)?)))
    }

    /// What all entries held of it say.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &wadi_log::Change> {
        self.rows.values().map(|said| &said.change)
    }

    /// How one entry stands.
    pub fn row(&self, r: &Reference) -> Option<(&JudgedChange, &Verdict)> {
        Some((self.rows.get(r)?, self.now().row(r)?))
    }

    /// The entries that no other follows: what a screen that shows all of it is based on.
    pub fn heads(&self) -> Vec<Reference> {
        let settled = self.now();
        let mut heads: Vec<Reference> = settled
            .document
            .heads()
            .map(|n| *settled.entry(n))
            .collect();

        heads.sort();
        heads
    }

    /// Equal documents have equal digests.
    pub fn digest(&self) -> [u8; 32] {
        self.now().document.digest()
    }

    /// The document as any Automerge tool opens it.
    pub fn save(&self) -> Vec<u8> {
        self.now().save(&self.rows)
    }

    /// The same.
    ///
    /// # Errors
    ///
    /// Why there is none, where it cannot be made: that is a fault of this program.
    pub fn saved(&self) -> Result<Vec<u8>, Refusal> {
        contained(|| self.save()).ok_or_else(|| Refusal {
            code: DERIVATION_FAILED,
            why: "no document could be made of the record".into(),
        })
    }

    /// Events, in an order that depends on their entries alone.
    pub fn events(&self) -> impl Iterator<Item = &EventView> {
        self.now().events.iter().map(|told| &told.view)
    }

    /// What begins a hold and restricts: placements, and the alarm of a machine that the record
    /// begins with.
    pub fn placed(&self) -> impl Iterator<Item = &EventView> {
        self.now()
            .events
            .iter()
            .filter(|told| told.places)
            .map(|told| &told.view)
    }

    /// Values that were put without the right to, by entry. They are kept and do not count.
    pub fn refused_puts(&self) -> impl Iterator<Item = &RefusedPut> {
        self.now().refused_puts.values().flatten()
    }

    /// Values that were put, with the right to, in the place of others after a decision rested on
    /// their fields, or where one of another record may, by entry.
    pub fn changed_puts(&self) -> impl Iterator<Item = &ChangedPut> {
        self.now().changed_puts.values().flatten()
    }

    /// Names of fields that were ever put, ascending; cleared ones among them.
    pub fn field_names(&self) -> Vec<String> {
        self.now().document.field_names().cloned().collect()
    }

    /// A field as merged; `None` where it was never put.
    pub fn field(&self, name: &str) -> Option<Field> {
        let puts = self.now().document.claims(name);
        let first = self.value(puts.first()?);
        if puts.iter().all(|p| self.value(p) == first) {
            return Some(Field::Settled(first.clone()));
        }

        let mut claims: Vec<Claim> = puts.into_iter().map(|p| self.claim_of(p)).collect();
        claims.sort_by(|a, b| (a.entry, &a.value).cmp(&(b.entry, &b.value)));
        Some(Field::Contested(claims))
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
        let claims = self.now().document.claims(name);
        let text = |put: &Put| {
            if let Value::Text(t) = self.value(put) {
                Some(t.clone())
            } else {
                None
            }
        };

        claims.into_iter().filter_map(text).collect()
    }

    /// Everything claimed for a field now, by entry.
    pub(crate) fn claims(&self, name: &str) -> Vec<Claim> {
        self.now()
            .document
            .claims(name)
            .into_iter()
            .map(|p| self.claim_of(p))
            .collect()
    }

    pub(crate) fn value(&self, put: &Put) -> &Value {
        self.now().value(&self.rows, put)
    }

    pub(crate) fn claim_of(&self, put: &Put) -> Claim {
        self.claim(self.value(put).clone(), *self.now().entry(put.entry))
    }

    pub(crate) fn claim(&self, value: Value, entry: Reference) -> Claim {
        let said = &self.rows[&entry];
        Claim {
            value,
            entry,
            officer: said.common.officer.clone(),
            department: said.common.department.clone(),
            at_ms: said.at_ms(),
        }
    }

    /// Names of contested fields, ascending.
    pub fn contested(&self) -> Vec<String> {
        let is_contested = |n: &&String| matches!(self.field(n), Some(Field::Contested(_)));
        self.now()
            .document
            .forked()
            .filter(is_contested)
            .cloned()
            .collect()
    }

    /// Whether a field has legal weight.
    pub fn is_legal(&self, name: &str) -> bool {
        self.now().is_legal(name)
    }

    /// These entries and all that they are based on, directly or not.
    pub fn past(&self, of: &[Reference]) -> BTreeSet<Reference> {
        let settled = self.now();
        let mut seen = Past::default();
        let mut waiting = BTreeSet::new();
        let mut queue = of.to_vec();

        while let Some(r) = queue.pop() {
            if let (Some(number), Some(shown)) = (settled.number(&r), settled.shown(&r)) {
                seen.unite(shown);
                seen.insert(number);
            } else if let Some(said) = self.rows.get(&r)
                && waiting.insert(r)
            {
                queue.extend(&said.change.based_on);
            }
        }

        waiting.extend(seen.numbers().map(|n| *settled.entry(n)));
        waiting
    }

    /// The record as somebody saw it who had seen these entries.
    pub fn as_of(&self, at: &[Reference]) -> Option<Self> {
        // What a log said before belongs to what its node could show.
        let earlier = at.iter().flat_map(|r| {
            let start = Reference {
                seq: 0,
                leaf: Default::default(),
                ..*r
            };

            let end = Reference {
                leaf: Default::default(),
                ..*r
            };

            self.rows.range(start..end).map(|(r, _)| *r)
        });

        let seen: Vec<Reference> = at
            .iter()
            .copied()
            .chain(earlier)
            .chain(self.first())
            .collect();

        Self::build(
            self.id,
            self.past(&seen).iter().map(|r| self.rows[r].clone()),
        )
    }

    /// The same entries once more, for whoever looks at them elsewhere: nothing of them is weighed
    /// before that look.
    pub fn apart(&self) -> Option<Self> {
        Self::build(self.id, self.rows.values().cloned())
    }

    /// The record out of the entries that were made, by their authors' clocks, at that time or
    /// before.
    pub fn at_time(&self, wall_ms: i64) -> Option<Self> {
        Self::build(
            self.id,
            self.rows
                .values()
                .filter(|s| s.common.wall_ms <= wall_ms)
                .cloned(),
        )
    }
}
