//! Every read of the store, once for both engines: compiled as a part of `sqlite.rs` and as a part
//! of `postgres.rs`, whose dialects share this text. What they do not share (`EACH`, how a list of
//! JSON becomes rows) each of them names itself.

use super::{DbRow, EACH, Engine};
use crate::{
    AnchorState, Batch, EntrySource, FindingIndex, LocalKeys, LocalScope, LogStore, RecordIndex,
    StoreError, defence,
    lists::{
        self, FINDING_COLUMNS, HELD_LANES, HOLD_LANE, LOOKED_FOR, Listing, RECORD_COLUMNS, Value,
    },
    rows::*,
};
use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Decode, Row, Type};
use std::collections::{BTreeMap, HashMap};
use wadi_log::{
    Cosignature, Enrolment, ForkProof, Hash, LogId, NodeId, Peaks, RecordId, Reference,
    SignedCheckpoint, Subtree, TILE_LEVELS, VerifiedEntry, leaf_hash, node_hash,
};

/// A cell, of the type that its column has. A cell that rotted into something else is an error, and
/// ends nothing.
pub(super) fn cell<'r, T>(row: &'r DbRow, at: usize) -> Result<T, StoreError>
where
    T: Decode<'r, <DbRow as Row>::Database> + Type<<DbRow as Row>::Database>,
{
    Ok(row.try_get(at)?)
}

fn log_of(row: &DbRow, at: usize) -> Result<LogId, StoreError> {
    LogId::from_slice(cell(row, at)?).map_err(damaged)
}

pub(super) fn damaged(error: wadi_log::LogError) -> StoreError {
    StoreError::Damaged {
        entry: error.to_string(),
    }
}

/// log, seq, leaf, bytes, received_ms, main.
fn stored_entry(row: &DbRow) -> Result<StoredEntry, StoreError> {
    let leaf = Hash::from_slice(cell(row, 2)?).map_err(damaged)?;
    let bytes: Vec<u8> = cell(row, 3)?;
    let leaf = if defence::off("hash-on-read") {
        leaf_hash(&bytes)
    } else {
        leaf
    };

    let reference = Reference {
        log: log_of(row, 0)?,
        seq: cell::<i64>(row, 1)? as u64,
        leaf,
    };

    let entry = VerifiedEntry::recheck(reference, bytes).map_err(|_| StoreError::Damaged {
        entry: reference.to_string(),
    })?;

    Ok(StoredEntry {
        entry,
        received_ms: cell(row, 4)?,
        main: cell::<i64>(row, 5)? == 1,
    })
}

/// One rotten entry does not hold up the rest of its record; it is told, and found by every audit
/// until repaired.
fn readable(row: &DbRow) -> Option<StoredEntry> {
    stored_entry(row)
        .inspect_err(
            |error| tracing::error!(code = error.code(), %error, "a stored entry is damaged"),
        )
        .ok()
}

/// One rotten row of what can be made again does not hold up the others.
fn read_or_skip<T>(row: Result<T, StoreError>) -> Option<T> {
    row.inspect_err(
        |error| tracing::error!(code = error.code(), %error, "a stored row does not read"),
    )
    .ok()
}

/// What a statement takes as `EACH`.
pub(super) fn json_list(rows: &impl serde::Serialize) -> String {
    serde_json::to_string(rows).expect("lists of text and numbers serialise")
}

fn id_list(ids: &[RecordId]) -> String {
    json_list(&ids.iter().map(|id| [id.to_string()]).collect::<Vec<_>>())
}

type Db = <DbRow as Row>::Database;

/// A listing's statement with its values.
fn bound<'q>(listing: Listing) -> sqlx::query::Query<'q, Db, <Db as sqlx::Database>::Arguments> {
    let mut statement = sqlx::query(AssertSqlSafe(listing.sql));
    for value in listing.values {
        statement = match value {
            Value::Int(number) => statement.bind(number),
            Value::Text(text) => statement.bind(text),
            Value::Bytes(bytes) => statement.bind(bytes),
        };
    }

    statement
}

fn finding_row(r: &DbRow) -> Result<FindingRow, StoreError> {
    Ok(FindingRow {
        id: cell(r, 0)?,
        rule: cell(r, 1)?,
        severity: cell::<i64>(r, 2)? as u8,
        phase: cell(r, 3)?,
        state: cell(r, 4)?,
        crossing: cell(r, 5)?,
        assignee: cell(r, 6)?,
        anchor: RecordId::from_slice(cell(r, 7)?).map_err(damaged)?,
        evidence: cell(r, 8)?,
        at_ms: cell(r, 9)?,
        due_ms: cell(r, 10)?,
        json: cell(r, 11)?,
    })
}

pub(super) fn record_row(row: &DbRow) -> Result<RecordRow, StoreError> {
    Ok(RecordRow {
        id: RecordId::from_slice(cell(row, 0)?).map_err(damaged)?,
        printed: cell(row, 1)?,
        lane: cell::<i64>(row, 2)? as u8,
        crossing: cell(row, 3)?,
        state: cell(row, 4)?,
        open: cell(row, 5)?,
        contested: cell(row, 6)?,
        json: cell(row, 7)?,
        digest: Hash::from_slice(cell(row, 8)?).map_err(damaged)?,
        entries: cell::<i64>(row, 9)? as u32,
        at_ms: cell(row, 10)?,
        changed: cell(row, 11)?,
        born_ms: cell(row, 12)?,
        terms: Vec::new(),
        waiting: Vec::new(),
    })
}

pub(super) fn record_id(row: &DbRow) -> Result<RecordId, StoreError> {
    RecordId::from_slice(cell(row, 0)?).map_err(damaged)
}

/// size, signed: a checkpoint that is what its place says. Blocks may end at any other one just as
/// well.
fn kept_checkpoint(row: &DbRow, log: &LogId) -> Option<SignedCheckpoint> {
    let signed = SignedCheckpoint::from_bytes(cell(row, 1).ok()?).ok()?;
    let head = &signed.checkpoint;
    let size = cell::<i64>(row, 0).ok()?;
    (head.log == *log && i64::try_from(head.size) == Ok(size)).then_some(signed)
}

#[async_trait]
impl EntrySource for Engine {
    async fn entry(&self, r: &Reference) -> Result<Option<VerifiedEntry>, StoreError> {
        let row = sqlx::query(
            "SELECT log, seq, leaf, bytes, received_ms, main FROM entries WHERE log = $1 AND seq = $2 AND leaf = $3",
        )
        .bind(&r.log.to_bytes()[..])
        .bind(r.seq as i64)
        .bind(&r.leaf.0[..])
        .fetch_optional(&self.readers)
        .await?;

        row.map(|r| stored_entry(&r).map(|e| e.entry)).transpose()
    }

    async fn record_entries(&self, record: &RecordId) -> Result<Vec<StoredEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.log, e.seq, e.leaf, e.bytes, e.received_ms, e.main FROM record_entries r \
             JOIN entries e ON e.log = r.log AND e.seq = r.seq AND e.leaf = r.leaf WHERE r.record = $1",
        )
        .bind(&record.0[..])
        .fetch_all(&self.readers)
        .await?;

        Ok(rows.iter().filter_map(readable).collect())
    }

    async fn entry_places(
        &self,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, Reference, bool)>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT re.record, e.log, e.seq, e.leaf, e.main FROM {EACH} \
             JOIN record_entries re ON re.record = unhex(j.value ->> 0) \
             JOIN entries e ON e.log = re.log AND e.seq = re.seq AND e.leaf = re.leaf"
        )))
        .bind(id_list(ids))
        .fetch_all(&self.readers)
        .await?;

        let place = |r: &DbRow| {
            let entry = Reference {
                log: log_of(r, 1)?,
                seq: cell::<i64>(r, 2)? as u64,
                leaf: Hash::from_slice(cell(r, 3)?).map_err(damaged)?,
            };

            Ok((record_id(r)?, entry, cell::<i64>(r, 4)? == 1))
        };

        Ok(rows.iter().filter_map(|r| read_or_skip(place(r))).collect())
    }

    async fn entries_of(
        &self,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, StoredEntry)>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT e.log, e.seq, e.leaf, e.bytes, e.received_ms, e.main, re.record FROM {EACH} \
             JOIN record_entries re ON re.record = unhex(j.value ->> 0) \
             JOIN entries e ON e.log = re.log AND e.seq = re.seq AND e.leaf = re.leaf"
        )))
        .bind(id_list(ids))
        .fetch_all(&self.readers)
        .await?;

        let mut out = Vec::with_capacity(rows.len());
        for row in &rows {
            let id = RecordId::from_slice(cell(row, 6)?).map_err(damaged)?;
            out.extend(readable(row).map(|entry| (id, entry)));
        }

        Ok(out)
    }

    async fn records_of_log(&self, log: &LogId, from: u64) -> Result<Vec<RecordId>, StoreError> {
        let rows =
            sqlx::query("SELECT DISTINCT record FROM record_entries WHERE log = $1 AND seq >= $2")
                .bind(&log.to_bytes()[..])
                .bind(from.min(i64::MAX as u64) as i64)
                .fetch_all(&self.readers)
                .await?;

        rows.iter().map(record_id).collect()
    }

    async fn records_waiting_for(
        &self,
        entries: &[Reference],
    ) -> Result<Vec<RecordId>, StoreError> {
        let mut out = Vec::new();
        for entry in entries {
            let rows = sqlx::query("SELECT DISTINCT record FROM waiting WHERE missing = $1")
                .bind(&entry.to_bytes()[..])
                .fetch_all(&self.readers)
                .await?;
            for row in &rows {
                out.push(record_id(row)?);
            }
        }

        Ok(out)
    }

    async fn waiting_on(&self, log: &LogId, before: u64) -> Result<Vec<RecordId>, StoreError> {
        // Encoded, references of one log ascend with their positions.
        let at = |seq: u64| {
            Reference {
                log: *log,
                seq,
                leaf: Hash::default(),
            }
            .to_bytes()
            .to_vec()
        };

        let rows =
            sqlx::query("SELECT DISTINCT record FROM waiting WHERE missing >= $1 AND missing < $2")
                .bind(at(0))
                .bind(at(before))
                .fetch_all(&self.readers)
                .await?;

        rows.iter().map(record_id).collect()
    }

    async fn seen(&self, log: &LogId) -> Result<Vec<VerifiedEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.log, e.seq, e.leaf, e.bytes, e.received_ms, e.main FROM seen s \
             JOIN entries e ON e.log = s.log AND e.seq = s.seq AND e.leaf = s.leaf WHERE s.log = $1 AND e.main <> 0 \
             ORDER BY s.seq",
        )
        .bind(&log.to_bytes()[..])
        .fetch_all(&self.readers)
        .await?;

        rows.iter()
            .map(|r| stored_entry(r).map(|e| e.entry))
            .collect()
    }

    async fn enrolments(&self) -> Result<Vec<Enrolment>, StoreError> {
        let rows = sqlx::query("SELECT enrolment FROM nodes")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|r| Enrolment::from_bytes(cell(r, 0)?).map_err(damaged))
            .collect()
    }

    async fn forks(&self) -> Result<Vec<ForkProof>, StoreError> {
        let rows = sqlx::query("SELECT proof FROM forks")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|r| ForkProof::from_bytes(cell(r, 0)?).map_err(damaged))
            .collect()
    }
}

#[async_trait]
impl RecordIndex for Engine {
    async fn record(&self, id: &RecordId) -> Result<Option<RecordRow>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RECORD_COLUMNS} FROM records r WHERE r.id = $1"
        )))
        .bind(&id.0[..])
        .fetch_optional(&self.readers)
        .await?;

        row.map(|r| record_row(&r)).transpose()
    }

    async fn records_by_id(&self, ids: &[RecordId]) -> Result<Vec<RecordRow>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RECORD_COLUMNS} FROM {EACH} JOIN records r ON r.id = unhex(j.value ->> 0) ORDER BY r.id"
        )))
        .bind(id_list(ids))
        .fetch_all(&self.readers)
        .await?;

        rows.iter().map(record_row).collect()
    }

    async fn records(&self, f: &RecordFilter) -> Result<Vec<RecordRow>, StoreError> {
        let rows = bound(lists::records(f)).fetch_all(&self.readers).await?;
        rows.iter().map(record_row).collect()
    }

    async fn records_printed(&self, printed: &str) -> Result<Vec<RecordId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM records WHERE printed = $1 LIMIT 16")
            .bind(printed)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record_id).collect()
    }

    async fn record_ids(&self) -> Result<Vec<RecordId>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT record FROM record_entries")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record_id).collect()
    }

    async fn detained(&self, ids: &[RecordId]) -> Result<Vec<(RecordId, String)>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT DISTINCT q.record, h.printed FROM (SELECT r.id AS record, l.record AS hold FROM {EACH} \
             JOIN records r ON r.id = unhex(j.value ->> 0) JOIN terms l ON l.what = 'link' AND l.value = j.value ->> 0 \
             UNION ALL SELECT t.record, g.record FROM {EACH} JOIN terms t ON t.record = unhex(j.value ->> 0) \
             AND t.what IN {LOOKED_FOR} JOIN terms g ON g.what = 'target' AND g.value = t.value) AS q \
             JOIN records h ON h.id = q.hold AND h.lane = {HOLD_LANE} AND h.open \
             JOIN records r ON r.id = q.record AND r.lane IN {HELD_LANES:?} ORDER BY q.record, h.printed"
        )))
        .bind(id_list(ids))
        .fetch_all(&self.readers)
        .await?;

        rows.iter()
            .map(|r| Ok((record_id(r)?, cell(r, 1)?)))
            .collect()
    }

    async fn terms_of(
        &self,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, String, String)>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT t.record, t.what, t.value FROM {EACH} JOIN terms t ON t.record = unhex(j.value ->> 0) \
             ORDER BY t.record, t.what, t.value"
        )))
        .bind(id_list(ids))
        .fetch_all(&self.readers)
        .await?;

        rows.iter()
            .map(|r| Ok((record_id(r)?, cell(r, 1)?, cell(r, 2)?)))
            .collect()
    }

    async fn terms_gone_of(
        &self,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, String, String, i64)>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT t.record, t.what, t.value, t.born_ms FROM {EACH} JOIN terms_gone t ON t.record = unhex(j.value ->> 0) \
             ORDER BY t.record, t.what, t.value, t.born_ms"
        )))
        .bind(id_list(ids))
        .fetch_all(&self.readers)
        .await?;

        let term = |r: &DbRow| Ok((record_id(r)?, cell(r, 1)?, cell(r, 2)?, cell(r, 3)?));
        Ok(rows.iter().filter_map(|r| read_or_skip(term(r))).collect())
    }

    async fn changes(&self, after: i64, limit: u32) -> Result<Vec<ChangeRow>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RECORD_COLUMNS} FROM records r WHERE r.changed > $1 ORDER BY r.changed LIMIT $2"
        )))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;

        rows.iter()
            .map(|r| {
                record_row(r).map(|record| ChangeRow {
                    cursor: record.changed,
                    record,
                })
            })
            .collect()
    }

    async fn digests(&self) -> Result<Vec<(u8, String, i64, Hash, Hash)>, StoreError> {
        use sha2::{Digest, Sha256};
        let rows = sqlx::query(
            "SELECT lane, crossing, id, digest, state FROM records ORDER BY lane, crossing, id",
        )
        .fetch_all(&self.readers)
        .await?;

        let mut out: BTreeMap<(u8, String), (i64, Sha256, Sha256)> = BTreeMap::new();
        for row in &rows {
            let key = (cell::<i64>(row, 0)? as u8, cell::<String>(row, 1)?);
            let (count, documents, states) =
                out.entry(key).or_insert((0, Sha256::new(), Sha256::new()));
            *count += 1;

            let (id, digest, state): (Vec<u8>, Vec<u8>, String) =
                (cell(row, 2)?, cell(row, 3)?, cell(row, 4)?);
            documents.update(&id);
            documents.update(&digest);
            states.update(&id);
            states.update(state.as_bytes());
            states.update([0]);
        }

        let hash = |h: Sha256| Hash(h.finalize().into());
        Ok(out
            .into_iter()
            .map(|((lane, crossing), (n, d, s))| (lane, crossing, n, hash(d), hash(s)))
            .collect())
    }

    async fn waiting(&self, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        let rows = sqlx::query("SELECT record, log, seq, leaf, missing FROM waiting LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;

        rows.iter()
            .map(|r| {
                let missing: Option<Vec<u8>> = cell(r, 4)?;
                Ok(Waiting {
                    record: record_id(r)?,
                    entry: Reference {
                        log: log_of(r, 1)?,
                        seq: cell::<i64>(r, 2)? as u64,
                        leaf: Hash::from_slice(cell(r, 3)?).map_err(damaged)?,
                    },
                    missing: missing
                        .map(|m| Reference::from_slice(&m).map_err(damaged))
                        .transpose()?,
                })
            })
            .collect()
    }

    async fn handed_over_to(&self, crossing: &str) -> Result<Vec<RecordId>, StoreError> {
        let rows =
            sqlx::query("SELECT record FROM terms WHERE what = 'handed_over' AND value = $1")
                .bind(crossing)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(record_id).collect()
    }
}

#[async_trait]
impl FindingIndex for Engine {
    async fn finding(&self, id: &str) -> Result<Option<FindingRow>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {FINDING_COLUMNS} FROM findings f WHERE f.id = $1"
        )))
        .bind(id.to_string())
        .fetch_optional(&self.readers)
        .await?;

        row.map(|r| finding_row(&r)).transpose()
    }

    async fn findings_of(&self, anchors: &[RecordId]) -> Result<Vec<FindingRow>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {FINDING_COLUMNS} FROM {EACH} JOIN findings f ON f.anchor = unhex(j.value ->> 0) ORDER BY f.id"
        )))
        .bind(id_list(anchors))
        .fetch_all(&self.readers)
        .await?;

        Ok(rows
            .iter()
            .filter_map(|r| read_or_skip(finding_row(r)))
            .collect())
    }

    async fn findings(&self, f: &FindingFilter) -> Result<Vec<FindingRow>, StoreError> {
        let rows = bound(lists::findings(f)).fetch_all(&self.readers).await?;
        Ok(rows
            .iter()
            .filter_map(|r| read_or_skip(finding_row(r)))
            .collect())
    }

    async fn finding_counts(
        &self,
        f: &FindingFilter,
    ) -> Result<Vec<(String, String, String, i64)>, StoreError> {
        let listing = bound(lists::finding_counts(f));
        let rows = listing.fetch_all(&self.readers).await?;
        let count = |r: &DbRow| Ok((cell(r, 0)?, cell(r, 1)?, cell(r, 2)?, cell(r, 3)?));
        Ok(rows.iter().filter_map(|r| read_or_skip(count(r))).collect())
    }

    async fn findings_overdue(&self, through_ms: i64) -> Result<i64, StoreError> {
        let row =
            sqlx::query("SELECT COUNT(*) FROM findings WHERE phase = 'PENDING' AND due_ms <= $1")
                .bind(through_ms)
                .fetch_one(&self.readers)
                .await?;
        cell(&row, 0)
    }
}

#[async_trait]
impl LocalKeys for Engine {
    async fn local(&self, scope: &LocalScope, key: &str) -> Result<Option<String>, StoreError> {
        let value = sqlx::query_scalar("SELECT value FROM local WHERE scope = $1 AND key = $2")
            .bind(scope.to_string())
            .bind(key.to_string())
            .fetch_optional(&self.readers)
            .await?;
        Ok(value)
    }

    async fn local_all(&self, scope: &LocalScope) -> Result<Vec<LocalKey>, StoreError> {
        let rows = sqlx::query("SELECT key, value FROM local WHERE scope = $1 ORDER BY key")
            .bind(scope.to_string())
            .fetch_all(&self.readers)
            .await?;

        rows.iter()
            .map(|r| {
                Ok(LocalKey {
                    scope: scope.clone(),
                    key: cell(r, 0)?,
                    value: cell(r, 1)?,
                })
            })
            .collect()
    }

    async fn peers(&self) -> Result<Vec<PeerRow>, StoreError> {
        let rows = sqlx::query("SELECT node, json FROM peers")
            .fetch_all(&self.readers)
            .await?;
        let peer = |r: &DbRow| {
            Ok(PeerRow {
                node: NodeId::from_slice(cell(r, 0)?).map_err(damaged)?,
                json: cell(r, 1)?,
            })
        };

        // What is remembered of a peer saves bytes; without it everything is compared.
        Ok(rows.iter().filter_map(|r| read_or_skip(peer(r))).collect())
    }

    async fn refusals(&self, limit: u32) -> Result<Vec<RefusalRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT subject, code, why, peer, at_ms, times FROM refusals ORDER BY at_ms DESC, id DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;

        let read = |r: &DbRow| {
            Ok(RefusalRow {
                subject: cell(r, 0)?,
                code: cell(r, 1)?,
                why: cell(r, 2)?,
                peer: cell(r, 3)?,
                at_ms: cell(r, 4)?,
                times: cell::<i64>(r, 5)?.try_into().unwrap_or(0),
            })
        };

        Ok(rows.iter().filter_map(|r| read_or_skip(read(r))).collect())
    }

    async fn carried_ranges(&self) -> Result<Vec<(LogId, u64, u64)>, StoreError> {
        let rows = sqlx::query("SELECT log, start, size FROM carried ORDER BY log, start")
            .fetch_all(&self.readers)
            .await?;
        let range = |r: &DbRow| {
            Ok((
                log_of(r, 0)?,
                cell::<i64>(r, 1)? as u64,
                cell::<i64>(r, 2)? as u64,
            ))
        };

        rows.iter().map(range).collect()
    }

    async fn carried_block(&self, log: &LogId, from: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = sqlx::query_scalar("SELECT bytes FROM carried WHERE log = $1 AND start = $2")
            .bind(log.to_bytes().to_vec())
            .bind(from as i64)
            .fetch_optional(&self.readers)
            .await?;
        Ok(bytes)
    }
}

#[async_trait]
impl LogStore for Engine {
    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.queue.commit(batch).await
    }

    fn anchor_state(&self) -> &AnchorState {
        &self.anchor_state
    }

    async fn logs(&self) -> Result<Vec<LogRow>, StoreError> {
        let rows = sqlx::query("SELECT log, size, peaks, checkpoint, grew_ms FROM logs")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(LogRow {
                    log: log_of(row, 0)?,
                    peaks: Peaks::from_parts(cell::<i64>(row, 1)? as u64, cell(row, 2)?)
                        .map_err(damaged)?,
                    checkpoint: SignedCheckpoint::from_bytes(cell(row, 3)?).map_err(damaged)?,
                    grew_ms: cell(row, 4)?,
                })
            })
            .collect()
    }

    async fn entries(
        &self,
        log: &LogId,
        from: u64,
        bytes_max: usize,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        // Entries are at least some 40 bytes, mostly 200 to 400: this many rows are never far too
        // many or too few.
        let limit = (bytes_max / 64).clamp(1, 4096) as i64;
        let rows = sqlx::query(
            "SELECT log, seq, leaf, bytes, received_ms, main FROM entries WHERE log = $1 AND seq >= $2 AND main = 1 \
             ORDER BY seq LIMIT $3",
        )
        .bind(&log.to_bytes()[..])
        .bind(from as i64)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;

        let (mut out, mut bytes) = (Vec::new(), 0);
        for row in &rows {
            let entry = stored_entry(row)?;
            bytes += entry.entry.bytes().len();
            if bytes > bytes_max && !out.is_empty() {
                break;
            }
            out.push(entry);
        }

        Ok(out)
    }

    async fn subtrees(
        &self,
        log: &LogId,
        wanted: &[Subtree],
    ) -> Result<HashMap<Subtree, Hash>, StoreError> {
        let mut out = HashMap::new();
        for subtree in wanted {
            if let std::collections::hash_map::Entry::Vacant(place) = out.entry(*subtree) {
                place.insert(self.subtree(log, *subtree).await?);
            }
        }

        Ok(out)
    }

    async fn checkpoints(
        &self,
        log: &LogId,
        from: u64,
    ) -> Result<Vec<SignedCheckpoint>, StoreError> {
        let rows =
            sqlx::query("SELECT size, signed FROM checkpoints WHERE log = $1 AND size > $2 ORDER BY size LIMIT 64")
                .bind(&log.to_bytes()[..])
                .bind(from as i64)
                .fetch_all(&self.readers)
                .await?;

        Ok(rows
            .iter()
            .filter_map(|r| kept_checkpoint(r, log))
            .collect())
    }

    async fn cosignatures(&self, log: Option<&LogId>) -> Result<Vec<CosignedHead>, StoreError> {
        let all = "SELECT checkpoint, cosignature FROM cosignatures";
        let of_log = "SELECT checkpoint, cosignature FROM cosignatures WHERE log = $1";
        let query = match log {
            Some(log) => sqlx::query(of_log).bind(log.to_bytes().to_vec()),
            None => sqlx::query(all),
        };

        let rows = query.fetch_all(&self.readers).await?;
        rows.iter()
            .map(|r| {
                Ok(CosignedHead {
                    checkpoint: SignedCheckpoint::from_bytes(cell(r, 0)?).map_err(damaged)?,
                    cosignature: Cosignature::from_slice(cell(r, 1)?).map_err(damaged)?,
                })
            })
            .collect()
    }

    async fn loose_logs(&self) -> Result<Vec<LogId>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT log FROM entries WHERE main <> 1")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|r| log_of(r, 0)).collect()
    }

    async fn counts(&self) -> Result<StoreCounts, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM logs) + (SELECT count(*) FROM entries WHERE main <> 1), \
             (SELECT count(*) FROM records), (SELECT count(*) FROM waiting), (SELECT CAST(coalesce(sum(times), 0) AS BIGINT) FROM refusals), \
             (SELECT CAST(coalesce(sum(length(bytes)), 0) AS BIGINT) FROM carried), (SELECT count(*) FROM findings)",
        )
        .fetch_one(&self.readers)
        .await?;

        Ok(StoreCounts {
            entries: cell(&row, 0)?,
            records: cell(&row, 1)?,
            waiting: cell(&row, 2)?,
            refused: cell(&row, 3)?,
            carried_bytes: cell(&row, 4)?,
            findings: cell(&row, 5)?,
        })
    }

    async fn close(&self) {
        // Readers first: the last to leave moves the WAL into the database, and readers may not
        // write.
        self.readers.close().await;
        self.queue.close().await;
    }

    fn node(&self) -> NodeId {
        self.node
    }
}

impl Engine {
    /// A perfect subtree's root, out of the nearest level that is kept below it.
    async fn subtree(&self, log: &LogId, wanted: Subtree) -> Result<Hash, StoreError> {
        let base = if wanted.level == 0 {
            0
        } else {
            (wanted.level - 1) / TILE_LEVELS * TILE_LEVELS
        };

        let base = if wanted.level.is_multiple_of(TILE_LEVELS) {
            wanted.level
        } else {
            base
        };

        let up = wanted.level - base;
        let (first, count) = (wanted.index << up, 1i64 << up);
        let sql = if base == 0 {
            "SELECT leaf FROM entries WHERE log = $1 AND seq >= $2 AND seq < $3 AND main = 1 AND $4 = 0 ORDER BY seq"
        } else {
            "SELECT hash FROM tree WHERE log = $1 AND idx >= $2 AND idx < $3 AND level = $4 ORDER BY idx"
        };

        let rows = sqlx::query(sql)
            .bind(&log.to_bytes()[..])
            .bind(first as i64)
            .bind(first as i64 + count)
            .bind(i64::from(base))
            .fetch_all(&self.readers)
            .await?;

        if rows.len() as i64 != count {
            return Err(StoreError::Conflict(format!(
                "{log} does not hold {wanted:?}"
            )));
        }

        let hash = |r: &DbRow| Hash::from_slice(cell(r, 0)?).map_err(damaged);
        let mut hashes = rows.iter().map(hash).collect::<Result<Vec<_>, _>>()?;
        while hashes.len() > 1 {
            hashes = hashes.chunks(2).map(|c| node_hash(&c[0], &c[1])).collect();
        }

        Ok(hashes[0])
    }
}
