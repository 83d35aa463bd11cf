//! Records, made of their entries: out of memory, the store, and what a commit brings.

use crate::{
    door::{
        error::{NodeError, WriteError},
        excerpt::EXCERPT_LOST,
    },
    pipeline::{
        commit::Commit,
        projecting::project,
        sequencer::{Sequencer, TASK},
    },
};
use std::collections::{BTreeSet, HashSet};
use wadi_log::{Body, RecordId, Reference, VerifiedEntry};
use wadi_record::Record;
use wadi_store::{RecordRow, StoreError};

/// How a record's row stands beside the record as it is built anew.
#[derive(PartialEq, Eq)]
enum RowStanding {
    /// As it should, or nobody can tell yet.
    Right,
    /// There is a row, and no record.
    Gone,
    /// Otherwise, or there is none.
    Otherwise,
}

/// Terms in their order, each once.
fn once_each(terms: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let all: BTreeSet<_> = terms.into_iter().collect();
    all.into_iter().collect()
}

impl Sequencer {
    /// Builds records afresh and writes those that stood differently, or should not stand at all.
    /// One of which an entry is on its way back stands as it was made when all of it was there.
    pub(super) async fn rederive(
        &mut self,
        g: &mut Commit,
        ids: Vec<RecordId>,
        mend: bool,
    ) -> Result<u64, StoreError> {
        let mut count = 0;
        let before: HashSet<RecordId> = g.touched.ids().into_iter().collect();
        let missing = self.wants.lock().expect("no panic holds it").missing();
        let lost: BTreeSet<String> = self
            .store
            .local_all(&EXCERPT_LOST)
            .await?
            .into_iter()
            .map(|l| l.key)
            .collect();

        for id in ids.into_iter().filter(|id| !before.contains(id)) {
            if self.is_damaged(&id, &missing, &lost).await? {
                continue;
            }

            let compared = self.compare_row(g, id, !missing.is_empty()).await?;
            count += u64::from(compared != RowStanding::Right);
            if compared == RowStanding::Gone && mend {
                g.batch.repair.records_gone.push(id);
            }

            if compared == RowStanding::Otherwise && mend {
                g.touched.insert(id);
            } else {
                g.records.remove(&id);
                g.unjudged.remove(&id);
            }
        }

        Ok(count)
    }

    /// Builds a record anew and compares it with its row as it stands. Where something is missing,
    /// an entry that is on its way back may be gone from the index, too: until then what stands is
    /// the last that anybody can read of it.
    async fn compare_row(
        &mut self,
        g: &mut Commit,
        id: RecordId,
        is_something_missing: bool,
    ) -> Result<RowStanding, StoreError> {
        self.records.pop(&id);
        g.records.remove(&id);
        match self.build(g, id).await {
            // What it is judged by is on its way back.
            Err(StoreError::Damaged { .. }) => return Ok(RowStanding::Right),
            built => built?,
        };

        // A row that does not read stands differently, too.
        let stood = match self.store.record(&id).await {
            Err(error) if error.is_rot() => Some(None),
            stood => stood?.map(Some),
        };
        let now = g.records.get(&id).map(|record| project(record).0);

        let fewer = |stood: &RecordRow| now.as_ref().is_none_or(|now| now.entries < stood.entries);
        if is_something_missing && stood.as_ref().and_then(Option::as_ref).is_some_and(fewer) {
            return Ok(RowStanding::Right);
        }

        let (stood, mut now) = match (stood, now) {
            (None, None) => return Ok(RowStanding::Right),
            (Some(_), None) => return Ok(RowStanding::Gone),
            (None | Some(None), Some(_)) => return Ok(RowStanding::Otherwise),
            (Some(Some(stood)), Some(now)) => (stood, now),
        };

        let terms = self.store.terms_of(&[id]).await?;
        let terms = terms.into_iter().map(|(_, what, value)| (what, value));
        let stood = RecordRow {
            changed: now.changed,
            waiting: now.waiting.clone(),
            terms: once_each(terms),
            ..stood
        };
        now.terms = once_each(now.terms);

        Ok(match stood == now {
            true => RowStanding::Right,
            false => RowStanding::Otherwise,
        })
    }

    /// A record's record: of this group, of memory, or out of the store.
    pub(crate) async fn record<'g>(
        &mut self,
        g: &'g mut Commit,
        id: RecordId,
    ) -> Result<Option<&'g mut Record>, StoreError> {
        if !g.records.contains_key(&id) {
            match self.records.pop(&id) {
                Some(record) => drop(g.records.insert(id, record)),
                None => self.build(g, id).await?,
            }
        }

        Ok(g.records.get_mut(&id))
    }

    pub(super) async fn record_at(
        &mut self,
        g: &mut Commit,
        record: RecordId,
        at: &[Reference],
        time_ms: Option<i64>,
    ) -> Result<serde_json::Value, NodeError> {
        let record = self
            .record(g, record)
            .await?
            .ok_or_else(|| NodeError::NoRecord(record.to_string()))?;
        if let Some(unknown) = at.iter().find(|r| record.row(r).is_none()) {
            return Err(NodeError::UnknownEntry(unknown.to_string()));
        }

        let then = match time_ms {
            Some(time_ms) => record.at_time(time_ms),
            None => record.as_of(at),
        };
        let nothing = || NodeError::NoRecord(format!("{} at that time", record.printed()));

        then.map(|b| b.json()).ok_or_else(nothing)
    }

    /// The record's document, saved by Automerge.
    pub(super) async fn document_of(
        &mut self,
        g: &mut Commit,
        record: RecordId,
    ) -> Result<Vec<u8>, NodeError> {
        let held = self.record(g, record).await?;
        let held = held.ok_or_else(|| NodeError::NoRecord(record.to_string()))?;

        held.saved()
            .map_err(|refusal| WriteError::Refused(refusal).into())
    }

    /// Reads what the store holds of these records at once, for building those that memory does not
    /// have. A record that this group has touched is not read again: what was read holds until the
    /// group is committed.
    pub(crate) async fn prefetch(
        &self,
        g: &mut Commit,
        ids: BTreeSet<RecordId>,
    ) -> Result<(), StoreError> {
        let unknown = |id: &RecordId| {
            !g.records.contains_key(id)
                && !self.records.contains(id)
                && self.changes_in_flight(id).is_empty()
                && !g.prefetched.contains_key(id)
                && !g.touched.contains(id)
        };

        let ids: Vec<RecordId> = ids.into_iter().filter(unknown).collect();
        if ids.len() < 2 {
            return Ok(());
        }

        g.prefetched.extend(ids.iter().map(|id| (*id, Vec::new())));
        for (id, stored) in self.store.entries_of(&ids).await? {
            g.prefetched.entry(id).or_default().push(stored.entry);
        }

        Ok(())
    }

    /// Builds a record from the store and from what this group brought.
    async fn build(&mut self, g: &mut Commit, id: RecordId) -> Result<(), StoreError> {
        let mut entries = match g.prefetched.remove(&id) {
            Some(entries) => entries,
            None => self
                .store
                .record_entries(&id)
                .await?
                .into_iter()
                .map(|s| s.entry)
                .collect(),
        };

        let stored: HashSet<Reference> = match self.changes_in_flight(&id) {
            [] => HashSet::new(),
            _ => entries.iter().map(VerifiedEntry::reference).collect(),
        };

        let in_flight = self.changes_in_flight(&id).iter();
        // The commit may have become durable between the two.
        entries.extend(
            in_flight
                .filter(|e| !stored.contains(&e.reference()))
                .cloned(),
        );
        entries.extend(g.fresh.get(&id).into_iter().flatten().cloned());
        let mut rows = Vec::with_capacity(entries.len());
        g.unjudged.remove(&id);
        for entry in &entries {
            if !matches!(entry.entry().map(|e| &e.body), Some(Body::Change(_))) {
                continue;
            }

            match self.said(entry).await? {
                Ok(said) => rows.push(said),
                Err(missing) => g
                    .unjudged
                    .entry(id)
                    .or_default()
                    .push((entry.reference(), missing)),
            }
        }

        if let Some(record) = Record::build(id, rows) {
            g.records.insert(id, record);
        }

        Ok(())
    }

    /// Builds a record afresh: verdicts on its entries, or what they are judged by, have moved.
    pub(crate) async fn rebuild(&mut self, g: &mut Commit, id: RecordId) -> Result<(), StoreError> {
        self.records.pop(&id);
        g.records.remove(&id);
        g.touched.insert(id);
        self.build(g, id).await
    }

    /// Adds one change of a peer to its record.
    pub(crate) async fn add_change(
        &mut self,
        g: &mut Commit,
        entry: &VerifiedEntry,
        record: RecordId,
    ) -> Result<(), StoreError> {
        let reference = entry.reference();
        wadi_store::defence::trip(TASK, entry.bytes());
        g.batch.project.about.push((record, reference));
        g.touched.insert(record);

        let known = self.record(g, record).await?.is_some();
        g.fresh.entry(record).or_default().push(entry.clone());
        match self.said(entry).await? {
            Err(missing) => g
                .unjudged
                .entry(record)
                .or_default()
                .push((reference, missing)),
            Ok(said) if known => g.records.get_mut(&record).expect("known").add(said),
            Ok(said) => {
                let built = Record::build(record, [said]).expect("one row");
                g.records.insert(record, built);
            }
        }

        Ok(())
    }
}
