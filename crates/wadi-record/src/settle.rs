//! What a record's entries come to: which count, the document, the events.
//!
//! [`Settled`] is a pure function of the entries. An entry that nothing held here follows is
//! settled by itself; where one comes before others that were settled already, all are settled
//! afresh, once, when the record is next looked at.

use crate::{
    Kind,
    ancestry::Past,
    authority::{Refusal, is_attested, judge},
    contained::{DERIVATION_FAILED, Trip, contained, trip},
    decision::OfficerSignature,
    document::{Derived, Document, Exported, Put},
    event_index::Events,
    field_rights::{JudgedPuts, judge_puts},
    foreign::Beginning,
    graph::{Circle, OWN_LATER, leans_on_own_later, plan},
    judged_change::{ChangedPut, EventView, JudgedChange, RefusedPut, Verdict},
};
use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet, HashMap},
};
use wadi_log::{Crossing, Hash, Lane, LogId, LogVerdict, RecordId, Reference, Value};

/// All entries held of a record.
pub(crate) type HeldChanges = BTreeMap<Reference, JudgedChange>;

/// What the author of an entry had on the screen.
pub(crate) struct AuthorView {
    /// The entries it is based on, and all that those are based on.
    pub(crate) shown: Past,
    /// The entries it is based on, as they are read.
    pub(crate) based_on: Vec<u32>,
    contested: OnceCell<bool>,
}

/// What one entry comes to.
pub(crate) struct Weighed {
    pub(crate) row: Verdict,
    pub(crate) events: Vec<EventView>,
    pub(crate) puts: JudgedPuts,
}

impl Weighed {
    fn refused(refusal: Refusal, events: Vec<EventView>) -> Self {
        Self {
            row: Verdict::Refused(refusal),
            events,
            puts: JudgedPuts::default(),
        }
    }
}

fn refusal(code: &'static str, why: &str) -> Refusal {
    Refusal {
        code,
        why: why.into(),
    }
}

/// Why an entry on which something fails does not count.
fn failed() -> Refusal {
    refusal(DERIVATION_FAILED, "no change could be derived from it")
}

/// Something broke the document while this entry was applied.
struct Broken(Reference);

struct Standing {
    row: Verdict,
    /// The number under which it was settled; none where it waits.
    number: Option<u32>,
}

/// A record's entries, settled.
pub(crate) struct Settled {
    pub(crate) id: RecordId,
    pub(crate) crossing: Crossing,
    pub(crate) lane: Lane,
    pub(crate) first: Option<Reference>,
    /// Whose acts it rests on.
    pub(crate) beginning: Beginning,
    pub(crate) document: Document,
    pub(crate) events: Events,
    pub(crate) refused_puts: BTreeMap<Reference, Vec<RefusedPut>>,
    pub(crate) changed_puts: BTreeMap<Reference, Vec<ChangedPut>>,
    standing: HashMap<Reference, Standing>,
    /// Settled entries by their numbers, and what the author of each had seen.
    order: Vec<Reference>,
    shown: Vec<Past>,
    /// The last place of each log that is settled.
    last: HashMap<LogId, (u64, Hash)>,
    /// Entries that wait, by each entry that they lack.
    waiting_for: HashMap<Option<Reference>, BTreeSet<Reference>>,
    /// Entries on which the document failed.
    failed: BTreeSet<Reference>,
    /// Entries judged since the record was last built afresh.
    pub(crate) judged: u64,
}

/// Whether an entry is the one that the record is named by.
fn is_first(said: &JudgedChange, id: &RecordId) -> bool {
    said.change.record.is_none() && RecordId::of_first(&said.reference) == *id
}

impl Settled {
    /// Settles all entries from nothing. Crossing and lane are those of the log of the first entry;
    /// where that has not come, those of the smallest entry. There is at least one. Where that
    /// fails, none of them counts.
    pub(crate) fn of(id: RecordId, rows: &HeldChanges) -> Self {
        contained(|| Self::afresh(id, rows)).unwrap_or_else(|| Self::refusing_all(id, rows))
    }

    fn afresh(id: RecordId, rows: &HeldChanges) -> Self {
        trip(Trip::Ordering, rows.values().map(|said| &said.change));
        let first = rows
            .values()
            .find(|s| is_first(s, &id))
            .map(|s| s.reference);
        let mut failed = BTreeSet::new();

        loop {
            let mut settled = Self::empty(id, first, rows);
            settled.failed = failed;
            match settled.settle_all(rows) {
                Ok(()) => return settled,
                // The document is half changed: it is built again without the entry that broke it.
                Err(Broken(entry)) => {
                    failed = settled.failed;
                    failed.insert(entry);
                }
            }
        }
    }

    fn refusing_all(id: RecordId, rows: &HeldChanges) -> Self {
        let first = rows.values().find(|said| is_first(said, &id));
        let mut settled = Self::empty(id, first.map(|said| said.reference), rows);
        for reference in rows.keys() {
            let standing = Standing {
                row: Verdict::Refused(failed()),
                number: None,
            };
            settled.standing.insert(*reference, standing);
        }

        settled
    }

    fn empty(id: RecordId, first: Option<Reference>, rows: &HeldChanges) -> Self {
        let named_by = first
            .or_else(|| rows.keys().next().copied())
            .expect("a record has at least one entry");
        Self {
            id,
            crossing: named_by.log.crossing,
            lane: named_by.log.lane,
            first,
            beginning: Beginning::of(first, rows),
            document: Document::default(),
            events: Events::default(),
            refused_puts: BTreeMap::new(),
            changed_puts: BTreeMap::new(),
            standing: HashMap::new(),
            order: Vec::new(),
            shown: Vec::new(),
            last: HashMap::new(),
            waiting_for: HashMap::new(),
            failed: BTreeSet::new(),
            judged: 0,
        }
    }

    fn settle_all(&mut self, rows: &HeldChanges) -> Result<(), Broken> {
        let Some(first) = self.first else {
            rows.values().for_each(|said| self.wait(said));
            return Ok(());
        };

        let plan = plan(rows, &first);
        for (said, circle) in plan.order {
            self.settle(rows, said, circle)?;
        }

        plan.waiting.into_iter().for_each(|said| self.wait(said));
        Ok(())
    }

    /// Settles an entry just added, and what waited for it. Returns whether that was possible:
    /// where it, or what waited, comes before entries that are settled already, the record has to
    /// be settled afresh.
    pub(crate) fn follow(&mut self, rows: &HeldChanges, added: &Reference) -> bool {
        let said = &rows[added];
        let Some(first) = self.first else {
            if is_first(said, &self.id) {
                return false;
            }

            let smallest = rows.keys().next().expect("one was added");
            self.crossing = smallest.log.crossing;
            self.lane = smallest.log.lane;
            self.beginning.take_waiting(said);
            self.wait(said);
            return true;
        };

        let is_circle = leans_on_own_later(said, &first);
        if !is_circle && said.change.based_on.iter().any(|d| !self.is_settled(d)) {
            self.wait(said);
            return true;
        }

        let mut free = BTreeSet::from([*added]);
        while let Some(next) = free.pop_first() {
            let said = &rows[&next];
            let circle = leans_on_own_later(said, &first).then_some(OWN_LATER);
            let place = (next.seq, next.leaf);
            let is_before_others = self.last.get(&next.log).is_some_and(|last| *last > place);

            // What does not count moves nothing in its log.
            let moves = circle.is_none() && said.verdict == LogVerdict::Counts;
            if is_before_others && moves || self.settle(rows, said, circle).is_err() {
                return false;
            }

            for waiting in self.waiting_for.remove(&Some(next)).unwrap_or_default() {
                let said = &rows[&waiting];
                if said.change.based_on.iter().all(|d| self.is_settled(d)) {
                    free.insert(waiting);
                } else {
                    self.wait(said);
                }
            }
        }

        true
    }

    pub(crate) fn is_settled(&self, r: &Reference) -> bool {
        self.number(r).is_some()
    }

    /// The number under which an entry was settled.
    pub(crate) fn number(&self, r: &Reference) -> Option<u32> {
        self.standing.get(r)?.number
    }

    /// The entry settled under a number.
    pub(crate) fn entry(&self, number: u32) -> &Reference {
        &self.order[number as usize]
    }

    /// What the author of a settled entry had seen of the record.
    pub(crate) fn shown(&self, r: &Reference) -> Option<&Past> {
        self.shown.get(self.number(r)? as usize)
    }

    pub(crate) fn row(&self, r: &Reference) -> Option<&Verdict> {
        Some(&self.standing.get(r)?.row)
    }

    /// Its kind; none of what somebody began in another crossing's name.
    pub(crate) fn kind(&self) -> Option<Kind> {
        if self.beginning == Beginning::Foreign {
            return None;
        }
        Kind::of_lane(self.lane)
    }

    /// What an entry lacks that waits; none where that is the record's first entry, of which nobody
    /// knows the reference before it comes.
    pub(crate) fn lacking(&self, said: &JudgedChange) -> Option<Reference> {
        let mut lacking = said.change.based_on.iter().filter(|d| !self.is_settled(d));
        lacking.next().copied()
    }

    fn wait(&mut self, said: &JudgedChange) {
        let lacking = self.lacking(said);
        self.waiting_for
            .entry(lacking)
            .or_default()
            .insert(said.reference);
        self.standing.insert(
            said.reference,
            Standing {
                row: Verdict::Waits(lacking),
                number: None,
            },
        );
    }

    /// Settles one entry after all that it rests on.
    fn settle(
        &mut self,
        rows: &HeldChanges,
        said: &JudgedChange,
        circle: Option<Circle>,
    ) -> Result<(), Broken> {
        let reference = said.reference;
        let number = u32::try_from(self.order.len()).expect("a record has fewer than 2^32 entries");
        let view = self.author_view(said, circle.is_some());
        let weighed = self.weigh(rows, said, &view, circle, false);

        self.judged += 1;

        if weighed.row == Verdict::Counts {
            self.apply(said, number, &view, &weighed.puts.refused)?;
        }

        self.events.take(
            number,
            &view.shown,
            self.first == Some(reference),
            weighed.events,
        );

        let JudgedPuts { refused, changed } = weighed.puts;
        if !refused.is_empty() {
            self.refused_puts.insert(reference, refused);
        }

        if !changed.is_empty() {
            self.changed_puts.insert(reference, changed);
        }

        let last = self
            .last
            .entry(reference.log)
            .or_insert((reference.seq, reference.leaf));

        *last = (*last).max((reference.seq, reference.leaf));
        self.standing.insert(
            reference,
            Standing {
                row: weighed.row,
                number: Some(number),
            },
        );

        self.order.push(reference);
        self.shown.push(view.shown);
        Ok(())
    }

    /// What the author of an entry had on the screen. The first one's had nothing there; who is in
    /// a circle could not have seen what it names.
    pub(crate) fn author_view(&self, said: &JudgedChange, is_circle: bool) -> AuthorView {
        let mut shown = Past::default();
        let mut based_on = Vec::new();
        if !is_circle && self.first != Some(said.reference) {
            for number in said.change.based_on.iter().filter_map(|d| self.number(d)) {
                shown.unite(&self.shown[number as usize]);
                shown.insert(number);
            }
            based_on = self.as_read(&said.change.based_on);
        }

        AuthorView {
            shown,
            based_on,
            contested: OnceCell::new(),
        }
    }

    /// Judges an entry by what it rests on. Changes nothing. `is_matched` tells whoever writes now
    /// that another record rests on what this one is known by; of what is held already it tells
    /// nothing, since that is judged by this record alone.
    ///
    /// An entry on which judging fails is refused, the same on every node: what somebody wrote must
    /// not end the nodes that read it.
    pub(crate) fn weigh(
        &self,
        rows: &HeldChanges,
        said: &JudgedChange,
        view: &AuthorView,
        circle: Option<Circle>,
        is_matched: bool,
    ) -> Weighed {
        let weighed = contained(|| {
            trip(Trip::Judging, [&said.change]);
            match self.barred(rows, said, view, circle) {
                Some(barred) => barred,
                None => self.weigh_admitted(rows, said, view, is_matched),
            }
        });

        weighed.unwrap_or_else(|| Weighed::refused(failed(), Vec::new()))
    }

    /// An entry that may not count, whatever it says.
    fn barred(
        &self,
        rows: &HeldChanges,
        said: &JudgedChange,
        view: &AuthorView,
        circle: Option<Circle>,
    ) -> Option<Weighed> {
        let first = self
            .first
            .expect("nothing settles before the record's first entry");
        let log = said.reference.log;
        if (log.lane, log.crossing) != (first.log.lane, first.log.crossing) {
            let why = "it stands in a log of another lane or crossing than its record";
            return Some(Weighed::refused(refusal("wrong_log", why), Vec::new()));
        }

        // Whatever else is wrong with it: what comes from somebody who may not write here is told,
        // and neither holds anything back nor lets anything go.
        if let Some(foreign) = self.foreign(said, view) {
            let notices = (0..said.change.events.len()).map(|n| EventView {
                refusal: Some(foreign.clone()),
                ..EventView::of(said, n)
            });
            let notices = notices.collect();
            return Some(Weighed::refused(foreign, notices));
        }

        let restricting = || self.judged_events(rows, said, view, true);
        if let Some(why) = circle {
            return Some(Weighed::refused(refusal("circle", why), restricting()));
        }

        if self.failed.contains(&said.reference) {
            return Some(Weighed::refused(failed(), Vec::new()));
        }

        (said.verdict == LogVerdict::Quarantined).then(|| {
            let why = "it lies past the cut of its log: kept, and may restrict";
            Weighed::refused(refusal("past_cut", why), restricting())
        })
    }

    /// Judges what an entry says that may count.
    fn weigh_admitted(
        &self,
        rows: &HeldChanges,
        said: &JudgedChange,
        view: &AuthorView,
        is_matched: bool,
    ) -> Weighed {
        let events = self.judged_events(rows, said, view, false);
        let puts = judge_puts(self, rows, said, view, &events, is_matched);
        let says_nothing = events.is_empty()
            && !puts.refused.is_empty()
            && puts.refused.len() == said.change.puts.len();
        let row = match puts.refused.first() {
            Some(put) if says_nothing => Verdict::Refused(put.refusal.clone()),
            _ => Verdict::Counts,
        };

        Weighed { row, events, puts }
    }

    fn apply(
        &mut self,
        said: &JudgedChange,
        number: u32,
        view: &AuthorView,
        refused: &[RefusedPut],
    ) -> Result<(), Broken> {
        let derived = derived(said, number, view, refused);
        // An entry is well formed by construction; should the document fail on it all the same,
        // this record alone shows it. What is half changed then is not used: whoever gets the error
        // throws all of it away.
        let document = &mut self.document;
        match contained(|| document.apply(&derived)) {
            Some(_) => Ok(()),
            None => Err(Broken(said.reference)),
        }
    }

    /// The document as any Automerge tool opens it.
    pub(crate) fn save(&self, rows: &HeldChanges) -> Vec<u8> {
        let mut exported = Exported::default();
        for (number, reference) in self.order.iter().enumerate() {
            if self.row(reference) != Some(&Verdict::Counts) {
                continue;
            }

            let said = &rows[reference];
            let refused = self
                .refused_puts
                .get(reference)
                .map(Vec::as_slice)
                .unwrap_or_default();

            let view = self.author_view(said, false);
            exported.apply(&derived(said, number as u32, &view, refused));
        }

        exported.save()
    }

    /// Dependencies as they are read: one that does not count stands for its log's last counting
    /// entry before it.
    fn as_read(&self, based_on: &[Reference]) -> Vec<u32> {
        let read = |d: &Reference| match self.standing.get(d) {
            Some(Standing {
                row: Verdict::Counts,
                number: Some(number),
            }) => Some(*number),
            _ => self.document.last_before(&d.log, d.seq),
        };

        let numbers: BTreeSet<u32> = based_on.iter().filter_map(read).collect();
        numbers.into_iter().collect()
    }

    /// The value that a put is of.
    pub(crate) fn value<'a>(&self, rows: &'a HeldChanges, put: &Put) -> &'a Value {
        &rows[self.entry(put.entry)].change.puts[put.ordinal].value
    }

    /// Whether a legal field was contested on the author's view.
    pub(crate) fn shows_contested(&self, rows: &HeldChanges, view: &AuthorView) -> bool {
        *view.contested.get_or_init(|| {
            let legal = self.document.forked().filter(|name| self.is_legal(name));
            legal
                .map(|name| self.document.claims_at(name, &view.based_on))
                .any(|claims| {
                    let mut values = claims.into_iter().map(|put| self.value(rows, put));
                    values
                        .next()
                        .is_some_and(|first| values.any(|v| v != first))
                })
        })
    }

    /// Whether a field has legal weight.
    pub(crate) fn is_legal(&self, name: &str) -> bool {
        self.kind()
            .and_then(|k| crate::known_field(k, name))
            .is_some_and(|row| row.legal)
    }

    fn judged_events(
        &self,
        rows: &HeldChanges,
        said: &JudgedChange,
        view: &AuthorView,
        quarantined: bool,
    ) -> Vec<EventView> {
        let mut events: Vec<EventView> = (0..said.change.events.len())
            .map(|n| EventView::of(said, n))
            .collect();
        let signature = OfficerSignature::of(said);
        for event in &mut events {
            event.signed_by = signature.key();
            event.quarantined = quarantined;
            event.attested = is_attested(event, &said.judge);
            event.elsewhere = said.judge.is_elsewhere(&event.officer);
            event.refusal = if event.kind().is_empty() {
                Some(Refusal {
                    code: "malformed_event",
                    why: "it is no canonical JSON object with a type".into(),
                })
            } else {
                judge(self, rows, said, view, event)
                    .and_then(|()| signature.judge(&said.judge, event.kind()))
                    .err()
            };
        }

        events
    }
}

/// What an entry puts into the document: all but the values that it had no right to put.
fn derived<'a>(
    said: &'a JudgedChange,
    number: u32,
    view: &'a AuthorView,
    refused: &[RefusedPut],
) -> Derived<'a> {
    let is_refused = |key: &str| refused.iter().any(|r| r.field == key);
    let puts = said
        .change
        .puts
        .iter()
        .enumerate()
        .filter(|(_, p)| refused.is_empty() || !is_refused(&p.key));

    let events = said.change.events.iter().enumerate();
    Derived {
        reference: said.reference,
        number,
        based_on: &view.based_on,
        puts: puts.map(|(n, p)| (n, p.key.as_str(), &p.value)).collect(),
        events: events
            .map(|(n, text)| (format!("ev.{}", said.reference.event_id(n)), text.as_str()))
            .collect(),
    }
}
