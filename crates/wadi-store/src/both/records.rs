//! Records as they were derived.

use super::{
    DbRow, EACH, Engine,
    at_rest::secret_or_rot,
    cells::{bound, cell, damaged, id_list, log_of, read_or_skip, record_id, record_row},
};
use crate::{
    BornFilter, ChangeRow, Detention, HoldTerms, RecordFilter, RecordIndex, RecordRow, StoreError,
    Waiting, days,
    lists::{self, RECORD_COLUMNS},
    scope_sums::{RecordPart, Sums},
    tables::{TERMS, TERMS_GONE},
};
use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use wadi_log::{Hash, RecordId, Reference};

#[async_trait]
impl RecordIndex for Engine {
    async fn record(&self, id: &RecordId) -> Result<Option<RecordRow>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RECORD_COLUMNS} FROM records r WHERE r.id = $1"
        )))
        .bind(&id.0[..])
        .fetch_optional(&self.readers)
        .await?;

        row.map(|r| record_row(&r, &self.cipher)).transpose()
    }

    async fn records_by_id(&self, ids: &[RecordId]) -> Result<Vec<RecordRow>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RECORD_COLUMNS} FROM {EACH} JOIN records r ON r.id = unhex(j.value ->> 0) \
             ORDER BY r.id",
        )))
        .bind(id_list(ids))
        .fetch_all(&self.readers)
        .await?;

        rows.iter()
            .map(|row| record_row(row, &self.cipher))
            .collect()
    }

    async fn records(&self, f: &RecordFilter) -> Result<Vec<RecordRow>, StoreError> {
        let listing = lists::records(&self.cipher.record_filter(f));
        let rows = bound(listing).fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| record_row(row, &self.cipher))
            .collect()
    }

    async fn born(&self, f: &BornFilter) -> Result<Vec<RecordRow>, StoreError> {
        let listing = days::born(&self.cipher.born_filter(f));
        let rows = bound(listing).fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| record_row(row, &self.cipher))
            .collect()
    }

    async fn born_counts(&self, f: &BornFilter) -> Result<Vec<(u8, String, i64)>, StoreError> {
        let listing = days::born_counts(&self.cipher.born_filter(f));
        let rows = bound(listing).fetch_all(&self.readers).await?;
        let count = |r: &DbRow| {
            let lane: i64 = cell(r, "lane")?;
            Ok((lane as u8, cell(r, "state")?, cell(r, "count")?))
        };
        rows.iter().map(count).collect()
    }

    async fn open_holds(
        &self,
        crossings: [&str; 2],
        limit: u32,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let listing = bound(days::open_holds(crossings, limit));
        let rows = listing.fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| record_row(row, &self.cipher))
            .collect()
    }

    async fn records_printed(&self, printed: &str) -> Result<Vec<RecordId>, StoreError> {
        if lists::is_no_text(printed) {
            return Ok(Vec::new());
        }

        let rows = sqlx::query("SELECT id FROM records WHERE printed = $1 LIMIT 16")
            .bind(printed)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|r| record_id(r, "id")).collect()
    }

    async fn record_ids(&self) -> Result<Vec<RecordId>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT record FROM record_entries")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|r| record_id(r, "record")).collect()
    }

    async fn detained(
        &self,
        ids: &[RecordId],
        terms: &HoldTerms,
    ) -> Result<Vec<Detention>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }

        let rows = sqlx::query(AssertSqlSafe(lists::holds_on(EACH, terms)))
            .bind(id_list(ids))
            .fetch_all(&self.readers)
            .await?;

        let mut held = Vec::with_capacity(rows.len());
        for row in &rows {
            held.push(Detention {
                record: record_id(row, "record")?,
                hold: record_id(row, "hold")?,
                through: cell(row, "through")?,
            });
        }

        // Of each hold the first line: itself before through an entry.
        held.dedup_by_key(|line| (line.record, line.hold));
        Ok(held)
    }

    async fn terms_of(
        &self,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, String, String)>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT t.record, t.what, t.value FROM {EACH} \
             JOIN terms t ON t.record = unhex(j.value ->> 0) ORDER BY t.record, t.what, t.value",
        )))
        .bind(id_list(ids))
        .fetch_all(&self.readers)
        .await?;

        let term = |r: &DbRow| {
            let what: String = cell(r, "what")?;
            let value = secret_or_rot(r, &self.cipher, &TERMS, "value", &what)?;
            Ok((record_id(r, "record")?, what, value))
        };
        let mut terms = rows
            .iter()
            .map(term)
            .collect::<Result<Vec<_>, StoreError>>()?;
        if self.cipher.is_on() {
            // The statement has put what lies there in order.
            terms.sort();
        }

        Ok(terms)
    }

    async fn terms_gone_of(
        &self,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, String, String, i64)>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT t.record, t.what, t.value, t.born_ms FROM {EACH} \
             JOIN terms_gone t ON t.record = unhex(j.value ->> 0) \
             ORDER BY t.record, t.what, t.value, t.born_ms",
        )))
        .bind(id_list(ids))
        .fetch_all(&self.readers)
        .await?;

        let term = |r: &DbRow| {
            let what: String = cell(r, "what")?;
            let value = secret_or_rot(r, &self.cipher, &TERMS_GONE, "value", &what)?;
            Ok((record_id(r, "record")?, what, value, cell(r, "born_ms")?))
        };
        let read = rows.iter().filter_map(|r| read_or_skip(term(r)));
        let mut terms: Vec<(RecordId, String, String, i64)> = read.collect();
        if self.cipher.is_on() {
            terms.sort();
        }

        Ok(terms)
    }

    async fn changes(&self, after: i64, limit: u32) -> Result<Vec<ChangeRow>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RECORD_COLUMNS} FROM records r WHERE r.changed > $1 \
             ORDER BY r.changed LIMIT $2",
        )))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;

        rows.iter()
            .map(|r| {
                record_row(r, &self.cipher).map(|record| ChangeRow {
                    cursor: record.changed,
                    record,
                })
            })
            .collect()
    }

    async fn changed(&self, after: i64, limit: u32) -> Result<Vec<(i64, RecordId)>, StoreError> {
        let rows = sqlx::query(
            "SELECT r.id, r.changed FROM records r WHERE r.changed > $1 \
             ORDER BY r.changed LIMIT $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;

        let change = |r: &DbRow| Ok((cell(r, "changed")?, record_id(r, "id")?));
        rows.iter().map(change).collect()
    }

    async fn digests(&self) -> Result<Vec<(u8, String, i64, Hash, Hash)>, StoreError> {
        if let Some(kept) = self.sums.kept() {
            return Ok(kept);
        }

        let _turn = self.sums.turn.lock().await;
        if let Some(kept) = self.sums.kept() {
            return Ok(kept);
        }

        // A group that began before its moves were noted is written by the time all is read.
        self.sums.begin();
        let read = match self.queue.pass().await {
            Ok(()) => self.read_sums().await,
            Err(error) => Err(error),
        };
        match read {
            Ok((cursor, sums)) => Ok(self.sums.loaded(cursor, sums)),
            Err(error) => {
                self.sums.lose();
                Err(error)
            }
        }
    }

    async fn digests_anew(&self) -> Result<Vec<(u8, String, i64, Hash, Hash)>, StoreError> {
        let (_, sums) = self.read_sums().await?;
        Ok(sums.told())
    }

    async fn waiting(&self, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        let rows = sqlx::query("SELECT record, log, seq, leaf, missing FROM waiting LIMIT $1")
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;

        rows.iter()
            .map(|r| {
                let missing: Option<Vec<u8>> = cell(r, "missing")?;
                Ok(Waiting {
                    record: record_id(r, "record")?,
                    entry: Reference {
                        log: log_of(r, "log")?,
                        seq: cell::<i64>(r, "seq")? as u64,
                        leaf: Hash::from_slice(cell(r, "leaf")?).map_err(damaged)?,
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
                .bind(self.cipher.term("handed_over", crossing).into_owned())
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(|r| record_id(r, "record")).collect()
    }
}

impl Engine {
    /// What all records come to, and the cursor of the newest change among them: one statement, so
    /// that both are of one moment.
    async fn read_sums(&self) -> Result<(i64, Sums), StoreError> {
        let mut rows = sqlx::query(
            "SELECT lane, crossing, id, digest, state, \
             (SELECT value FROM meta WHERE key = 'changed') AS newest FROM records",
        )
        .fetch(&self.readers);

        let (mut cursor, mut sums) = (-1, Sums::default());
        while let Some(row) = rows.try_next().await? {
            cursor = cell(&row, "newest")?;
            let lane = cell::<i64>(&row, "lane")? as u8;
            let (id, digest): (Vec<u8>, Vec<u8>) = (cell(&row, "id")?, cell(&row, "digest")?);
            let state: String = cell(&row, "state")?;

            let part = RecordPart {
                id: &id,
                digest: &digest,
                state: &state,
            };
            sums.add((lane, cell(&row, "crossing")?), &part);
        }

        Ok((cursor, sums))
    }
}
