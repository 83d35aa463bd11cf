//! What the API lists. Each page is a fixed number of statements, however many rows it has.

use crate::{
    api::Reads,
    door::error::{FindingError, NodeError},
};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use wadi_log::{Hash, LogId, RecordId};
use wadi_store::{
    CaseFilter, CaseRow, ChangeRow, FindingFilter, FindingRow, LocalScope, RecordFilter, RecordRow,
    RefusalPage, RefusalPlace, RefusalRow,
};

/// Where the keys of imports' senders are kept, each with the record that it stands for.
const IMPORTED: LocalScope = LocalScope::Import;

/// The members of a record that a list shows.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// All, where nothing is named.
    named: Option<BTreeSet<&'static str>>,
}

impl Members {
    /// Every member that a record may have.
    pub const NAMES: [&'static str; 35] = [
        "id",
        "record",
        "kind",
        "crossing",
        "state",
        "flags",
        "unreadable",
        "detained_by",
        "open_holds",
        "placements",
        "hold_types",
        "unfounded",
        "seals",
        "seals_recorded",
        "device_numbers",
        "written_ms",
        "fields",
        "put_by",
        "captured",
        "contested",
        "events",
        "heads",
        "warnings",
        "refused",
        "refused_fields",
        "waiting",
        "waiting_count",
        "time_reversals",
        "after_assessment",
        "changed_after",
        "changed_after_count",
        "safety",
        "changed",
        "begun_ms",
        "last_ms",
    ];

    /// These, as far as they are members of records; the others are left out.
    pub fn named<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let known = |name: &str| Self::NAMES.into_iter().find(|n| *n == name);
        Self {
            named: Some(names.into_iter().filter_map(known).collect()),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.named.as_ref().is_none_or(|n| n.contains(name))
    }

    /// Takes out what was not named.
    pub fn leave_in(&self, record: &mut Json) {
        if let (Some(named), Some(members)) = (&self.named, record.as_object_mut()) {
            members.retain(|name, _| named.contains(name.as_str()));
        }
    }
}

/// A record of a list, with the cursors that lead on from it.
#[derive(Clone, PartialEq, Debug)]
pub struct ListedRecord {
    /// The cursor in the order of ids.
    pub id: RecordId,
    /// The cursor in the order of changes.
    pub changed: i64,
    /// When it begins, Unix milliseconds: with the id, the cursor in the order of beginnings.
    pub born_ms: i64,
    /// The members that were asked for.
    pub json: Json,
}

/// How many findings there are of one rule, phase and state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FindingCount {
    /// The rule's code.
    pub rule: String,
    /// The phase.
    pub phase: String,
    /// The state of their life.
    pub state: String,
    /// How many.
    pub count: i64,
}

/// A log as it is held here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldLog {
    /// The log.
    pub log: LogId,
    /// Its entries.
    pub size: u64,
    /// Its root at that size.
    pub root: Hash,
}

impl Reads {
    /// A page of records.
    pub async fn list_records(
        &self,
        filter: &RecordFilter,
        members: &Members,
    ) -> Result<Vec<ListedRecord>, NodeError> {
        let rows = self.door.store.records(filter).await?;
        let all = self.records_json(&rows, members).await?;
        let listed = rows.iter().zip(all).map(|(row, json)| ListedRecord {
            id: row.id,
            changed: row.changed,
            born_ms: row.born_ms,
            json,
        });

        Ok(listed.collect())
    }

    /// A page of findings: a hub's own.
    pub async fn findings(&self, filter: &FindingFilter) -> Result<Vec<FindingRow>, NodeError> {
        Ok(self.door.store.findings(filter).await?)
    }

    /// How many findings a filter takes, whatever its cursor and its limit.
    pub async fn finding_counts(
        &self,
        filter: &FindingFilter,
    ) -> Result<Vec<FindingCount>, NodeError> {
        let mut counts = self.door.store.finding_counts(filter).await?;
        counts.sort();
        let named = |(rule, phase, state, count)| FindingCount {
            rule,
            phase,
            state,
            count,
        };

        Ok(counts.into_iter().map(named).collect())
    }

    /// A page of cases: findings about one truck, container or officer.
    pub async fn cases(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, NodeError> {
        Ok(self.door.store.cases(filter).await?)
    }

    /// The records of a case, those that began first at the front, each with how many of its
    /// findings cite it.
    pub async fn case_records(
        &self,
        what: &str,
        value: &str,
        limit: u32,
    ) -> Result<Vec<(RecordRow, i64)>, NodeError> {
        Ok(self.door.store.case_records(what, value, limit).await?)
    }

    /// The anchor records of these findings, each once.
    pub async fn anchors_of(&self, found: &[FindingRow]) -> Result<Vec<RecordRow>, NodeError> {
        let ids: BTreeSet<RecordId> = found.iter().map(|f| f.anchor).collect();
        let ids: Vec<RecordId> = ids.into_iter().collect();
        Ok(self.door.store.records_by_id(&ids).await?)
    }

    /// One finding.
    pub async fn finding(&self, id: &str) -> Result<FindingRow, NodeError> {
        let gone = || FindingError::NoSuchFinding { id: id.into() };
        Ok(self.door.store.finding(id).await?.ok_or_else(gone)?)
    }

    /// What was refused, from behind a place on, the newest first.
    pub async fn refusals_after(
        &self,
        after: Option<RefusalPlace>,
        limit: u32,
    ) -> Result<RefusalPage, NodeError> {
        Ok(self.door.store.refusals_after(after, limit).await?)
    }

    /// What was refused of one subject for one reason.
    pub async fn refusal(
        &self,
        subject: &str,
        code: &str,
    ) -> Result<Option<RefusalRow>, NodeError> {
        Ok(self.door.store.refusal(subject, code).await?)
    }

    /// Records changed after a cursor, in the order of their change.
    pub async fn changes(&self, after: i64, limit: u32) -> Result<Vec<ChangeRow>, NodeError> {
        Ok(self.door.store.changes(after, limit).await?)
    }

    /// The logs that are held here.
    pub async fn held_logs(&self) -> Result<Vec<HeldLog>, NodeError> {
        let rows = self.door.store.logs().await?;
        let held = rows.iter().map(|row| HeldLog {
            log: row.log,
            size: row.peaks.size(),
            root: row.peaks.root(),
        });

        Ok(held.collect())
    }

    /// Bytes that the database takes on its disk.
    pub async fn database_bytes(&self) -> Result<u64, NodeError> {
        Ok(self.door.store.database_bytes().await?)
    }

    /// How many records are held: it is answered as long as the store is.
    pub async fn record_count(&self) -> Result<i64, NodeError> {
        Ok(self.door.store.counts().await?.records)
    }

    /// The record that a sender's key began in an import here.
    pub async fn imported_record(&self, key: &str) -> Result<Option<RecordId>, NodeError> {
        let kept = self.door.store.local(&IMPORTED, key).await?;
        match kept.as_deref().and_then(|value| value.split(' ').next()) {
            Some(record) => Ok(Some(self.find_record(record).await?)),
            None => Ok(None),
        }
    }
}
