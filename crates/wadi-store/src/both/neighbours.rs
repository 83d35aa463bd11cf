//! Which records belong together: those that share a term, by kind and near
//! a time; holds, whenever they were placed; and whose findings are due.

use super::{
    DbRow, EACH, Engine,
    cells::{cell, json_list, record_id, record_row},
};
use crate::{
    HoldHit, Neighbours, RecordRow, StoreError, TermHit, TermQuery, lists::RECORD_COLUMNS,
};
use async_trait::async_trait;
use sqlx::AssertSqlSafe;
use wadi_log::{Lane, RecordId};

fn count(row: &DbRow, column: &str) -> Result<u64, StoreError> {
    Ok(u64::try_from(cell::<i64>(row, column)?).unwrap_or(0))
}

#[async_trait]
impl Neighbours for Engine {
    async fn near(&self, terms: &[TermQuery]) -> Result<Vec<TermHit>, StoreError> {
        if terms.is_empty() {
            return Ok(Vec::new());
        }

        let asked: Vec<_> = terms
            .iter()
            .map(|t| {
                (
                    t.asker,
                    &t.what,
                    self.cipher.term(&t.what, &t.value),
                    t.between_ms.0,
                    t.between_ms.1,
                    u8::from(t.by_kind),
                    t.most,
                    t.at_ms,
                    t.only_lane,
                )
            })
            .collect();

        // Only where kinds are told apart is the record itself looked at: of an officer's acts
        // there are very many.
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT q.asker, q.record, q.lane, q.place, q.of_all FROM (SELECT w.asker, w.most, \
             t.record, CAST(k.lane AS BIGINT) AS lane, row_number() OVER (PARTITION BY w.asker, \
             k.lane ORDER BY abs(t.born_ms - w.mid), t.record) AS place, \
             count(*) OVER (PARTITION BY w.asker, k.lane) AS of_all \
             FROM (SELECT CAST(j.value ->> 0 AS BIGINT) AS asker, j.value ->> 1 AS what, \
             j.value ->> 2 AS value, CAST(j.value ->> 3 AS BIGINT) AS lo, \
             CAST(j.value ->> 4 AS BIGINT) AS hi, CAST(j.value ->> 5 AS BIGINT) AS by_kind, \
             CAST(j.value ->> 6 AS BIGINT) AS most, CAST(j.value ->> 7 AS BIGINT) AS mid, \
             CAST(j.value ->> 8 AS BIGINT) AS only_lane FROM {EACH}) AS w \
             JOIN terms t ON t.what = w.what AND t.value = w.value \
             AND t.born_ms BETWEEN w.lo AND w.hi \
             LEFT JOIN records k ON k.id = CASE WHEN w.by_kind = 1 THEN t.record END \
             WHERE w.only_lane IS NULL OR k.lane = w.only_lane) AS q \
             WHERE q.place <= q.most ORDER BY q.asker, q.place, q.record",
        )))
        .bind(json_list(&asked))
        .fetch_all(&self.readers)
        .await?;

        let hit = |r: &DbRow| {
            let asker = cell::<i64>(r, "asker")? as usize;
            let record = record_id(r, "record")?;
            let lane = cell::<Option<i64>>(r, "lane")?;
            Ok(TermHit {
                asker,
                record,
                lane: lane.and_then(|lane| u8::try_from(lane).ok()),
                place: count(r, "place")?,
                of: count(r, "of_all")?,
            })
        };

        rows.iter().map(hit).collect()
    }

    async fn holds(
        &self,
        terms: &[(String, String)],
        most: u32,
    ) -> Result<Vec<HoldHit>, StoreError> {
        if terms.is_empty() {
            return Ok(Vec::new());
        }

        let asked: Vec<_> = terms
            .iter()
            .enumerate()
            .map(|(n, (what, value))| (n, what, self.cipher.term(what, value)))
            .collect();

        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT q.asker, q.record, q.open, q.of_all FROM (SELECT w.asker, t.record, k.open, \
             row_number() OVER (PARTITION BY w.asker ORDER BY k.open DESC, t.born_ms DESC, \
             t.record) AS place, count(*) OVER (PARTITION BY w.asker) AS of_all \
             FROM (SELECT CAST(j.value ->> 0 AS BIGINT) AS asker, j.value ->> 1 AS what, \
             j.value ->> 2 AS value FROM {EACH}) AS w JOIN terms t ON t.what = w.what \
             AND t.value = w.value JOIN records k ON k.id = t.record WHERE k.lane = $2) AS q \
             WHERE q.place <= $3 ORDER BY q.asker, q.place",
        )))
        .bind(json_list(&asked))
        .bind(i64::from(Lane::Hold as u8))
        .bind(i64::from(most))
        .fetch_all(&self.readers)
        .await?;

        let hit = |r: &DbRow| {
            let asker = cell::<i64>(r, "asker")? as usize;
            let record = record_id(r, "record")?;
            Ok(HoldHit {
                asker,
                record,
                open: cell(r, "open")?,
                of: count(r, "of_all")?,
            })
        };

        rows.iter().map(hit).collect()
    }

    async fn by_term(
        &self,
        what: &str,
        value: &str,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<Vec<RecordRow>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RECORD_COLUMNS} FROM terms t JOIN records r ON r.id = t.record \
             WHERE t.what = $1 AND t.value = $2 AND t.record > $3 ORDER BY r.id LIMIT $4",
        )))
        .bind(what)
        .bind(self.cipher.term(what, value).into_owned())
        // Nothing stands before the empty id.
        .bind(after.map_or(Vec::new(), |id| id.0.to_vec()))
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;

        rows.iter()
            .map(|row| record_row(row, &self.cipher))
            .collect()
    }

    async fn findings_due(
        &self,
        after_ms: i64,
        through_ms: i64,
    ) -> Result<Vec<RecordId>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT anchor FROM findings \
             WHERE phase = 'PENDING' AND due_ms > $1 AND due_ms <= $2",
        )
        .bind(after_ms)
        .bind(through_ms)
        .fetch_all(&self.readers)
        .await?;

        rows.iter().map(|r| record_id(r, "anchor")).collect()
    }
}
