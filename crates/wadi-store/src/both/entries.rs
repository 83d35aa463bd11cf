//! Entries, and which records they speak of.

use super::{
    DbRow, EACH, Engine,
    cells::{cell, damaged, id_list, log_of, read_or_skip, readable, record_id, stored_entry},
};
use crate::{EntrySource, StoreError, StoredEntry};
use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use wadi_log::{Enrolment, ForkProof, Hash, LogId, RecordId, Reference, VerifiedEntry};

#[async_trait]
impl EntrySource for Engine {
    async fn entry(&self, r: &Reference) -> Result<Option<VerifiedEntry>, StoreError> {
        let row = sqlx::query(
            "SELECT log, seq, leaf, bytes, received_ms, main FROM entries \
             WHERE log = $1 AND seq = $2 AND leaf = $3",
        )
        .bind(&r.log.to_bytes()[..])
        .bind(r.seq as i64)
        .bind(&r.leaf.0[..])
        .fetch_optional(&self.readers)
        .await?;

        row.map(|r| stored_entry(&r, &self.cipher).map(|e| e.entry))
            .transpose()
    }

    async fn record_entries(&self, record: &RecordId) -> Result<Vec<StoredEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.log, e.seq, e.leaf, e.bytes, e.received_ms, e.main FROM record_entries r \
             JOIN entries e ON e.log = r.log AND e.seq = r.seq AND e.leaf = r.leaf \
             WHERE r.record = $1",
        )
        .bind(&record.0[..])
        .fetch_all(&self.readers)
        .await?;

        let read = |row: &DbRow| readable(row, &self.cipher);
        Ok(rows.iter().filter_map(read).collect())
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
                log: log_of(r, "log")?,
                seq: cell::<i64>(r, "seq")? as u64,
                leaf: Hash::from_slice(cell(r, "leaf")?).map_err(damaged)?,
            };

            Ok((record_id(r, "record")?, entry, cell::<i64>(r, "main")? == 1))
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
            let id = RecordId::from_slice(cell(row, "record")?).map_err(damaged)?;
            out.extend(readable(row, &self.cipher).map(|entry| (id, entry)));
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

        rows.iter().map(|r| record_id(r, "record")).collect()
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
                out.push(record_id(row, "record")?);
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

        rows.iter().map(|r| record_id(r, "record")).collect()
    }

    async fn seen(&self, log: &LogId) -> Result<Vec<VerifiedEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.log, e.seq, e.leaf, e.bytes, e.received_ms, e.main FROM seen s \
             JOIN entries e ON e.log = s.log AND e.seq = s.seq AND e.leaf = s.leaf \
             WHERE s.log = $1 AND e.main <> 0 \
             ORDER BY s.seq",
        )
        .bind(&log.to_bytes()[..])
        .fetch_all(&self.readers)
        .await?;

        rows.iter()
            .map(|r| stored_entry(r, &self.cipher).map(|e| e.entry))
            .collect()
    }

    async fn seen_before(
        &self,
        log: &LogId,
        before: u64,
        limit: u32,
    ) -> Result<Vec<VerifiedEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.log, e.seq, e.leaf, e.bytes, e.received_ms, e.main FROM seen s \
             JOIN entries e ON e.log = s.log AND e.seq = s.seq AND e.leaf = s.leaf \
             WHERE s.log = $1 AND s.seq < $2 AND e.main <> 0 \
             ORDER BY s.seq DESC LIMIT $3",
        )
        .bind(&log.to_bytes()[..])
        .bind(before.min(i64::MAX as u64) as i64)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;

        rows.iter()
            .map(|r| stored_entry(r, &self.cipher).map(|e| e.entry))
            .collect()
    }

    async fn enrolments(&self) -> Result<Vec<Enrolment>, StoreError> {
        let rows = sqlx::query("SELECT enrolment FROM nodes")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|r| Enrolment::from_bytes(cell(r, "enrolment")?).map_err(damaged))
            .collect()
    }

    async fn forks(&self) -> Result<Vec<ForkProof>, StoreError> {
        let rows = sqlx::query("SELECT proof FROM forks")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|r| ForkProof::from_bytes(cell(r, "proof")?).map_err(damaged))
            .collect()
    }
}
