//! Reads for mending, once for both engines: what lies there unchecked, and the other branches of forked logs.

use super::{DbRow, Engine};
use crate::{BranchRow, CosignedHead, Mending, RawEntry, StoreError};
use async_trait::async_trait;
use sqlx::Row;
use wadi_log::{Cosignature, Hash, LogId, RecordId, Reference, SignedCheckpoint, VerifiedEntry};

fn damaged(error: wadi_log::LogError) -> StoreError {
    StoreError::Damaged { entry: error.to_string() }
}

fn branch_row(row: &DbRow) -> Result<BranchRow, StoreError> {
    let leaves: Vec<u8> = row.get(3);
    Ok(BranchRow {
        log: LogId::from_slice(row.get(0)).map_err(damaged)?,
        from: row.get::<i64, _>(1) as u64,
        checkpoint: SignedCheckpoint::from_bytes(row.get(2)).map_err(damaged)?,
        leaves: leaves.chunks(32).map(Hash::from_slice).collect::<Result<_, _>>().map_err(damaged)?,
    })
}

#[async_trait]
impl Mending for Engine {
    async fn raw_entries(&self, log: &LogId, from: u64, rows_max: u32) -> Result<Vec<RawEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, leaf, bytes FROM entries WHERE log = $1 AND seq >= $2 AND main = 1 ORDER BY seq LIMIT $3",
        )
        .bind(&log.to_bytes()[..])
        .bind(from as i64)
        .bind(i64::from(rows_max))
        .fetch_all(&self.readers)
        .await?;
        // A cell of the wrong type is rot, too: it reads as nothing, and nothing has no leaf's hash.
        let raw = |r: &DbRow| RawEntry {
            seq: r.try_get::<i64, _>(0).map_or(u64::MAX, |seq| seq as u64),
            leaf: r.try_get(1).unwrap_or_default(),
            bytes: r.try_get(2).unwrap_or_default(),
        };
        Ok(rows.iter().map(raw).collect())
    }

    async fn raw_tree(
        &self,
        log: &LogId,
        level: u8,
        from: u64,
        rows_max: u32,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
        let rows =
            sqlx::query("SELECT idx, hash FROM tree WHERE log = $1 AND level = $2 AND idx >= $3 ORDER BY idx LIMIT $4")
                .bind(&log.to_bytes()[..])
                .bind(i64::from(level))
                .bind(from as i64)
                .bind(i64::from(rows_max))
                .fetch_all(&self.readers)
                .await?;
        let raw =
            |r: &DbRow| (r.try_get::<i64, _>(0).map_or(u64::MAX, |idx| idx as u64), r.try_get(1).unwrap_or_default());
        Ok(rows.iter().map(raw).collect())
    }

    async fn checkpoint_before(&self, log: &LogId, seq: u64) -> Result<Option<SignedCheckpoint>, StoreError> {
        let signed: Option<Vec<u8>> = sqlx::query_scalar(
            "SELECT signed FROM checkpoints WHERE log = $1 AND size <= $2 ORDER BY size DESC LIMIT 1",
        )
        .bind(&log.to_bytes()[..])
        .bind(seq as i64)
        .fetch_optional(&self.readers)
        .await?;
        signed.map(|bytes| SignedCheckpoint::from_bytes(&bytes).map_err(damaged)).transpose()
    }

    async fn cosigned_over(&self, log: &LogId, seq: u64, rows_max: u32) -> Result<Vec<CosignedHead>, StoreError> {
        let rows = sqlx::query(
            "SELECT k.signed, c.cosignature FROM cosigned c JOIN checkpoints k ON k.log = c.log AND k.size = c.size \
             WHERE c.log = $1 AND c.size > $2 ORDER BY c.size LIMIT $3",
        )
        .bind(&log.to_bytes()[..])
        .bind(seq as i64)
        .bind(i64::from(rows_max))
        .fetch_all(&self.readers)
        .await?;
        let read = |r: &DbRow| {
            Ok(CosignedHead {
                checkpoint: SignedCheckpoint::from_bytes(r.get(0)).map_err(damaged)?,
                cosignature: Cosignature::from_slice(r.get(1)).map_err(damaged)?,
            })
        };
        rows.iter().map(read).collect()
    }

    async fn index(&self, log: &LogId, from: u64, to: u64) -> Result<Vec<(RecordId, u64, Vec<u8>)>, StoreError> {
        let rows =
            sqlx::query("SELECT record, seq, leaf FROM record_entries WHERE log = $1 AND seq >= $2 AND seq < $3")
                .bind(&log.to_bytes()[..])
                .bind(from as i64)
                .bind(to.min(i64::MAX as u64) as i64)
                .fetch_all(&self.readers)
                .await?;
        let read = |r: &DbRow| {
            let record: Vec<u8> = r.try_get(0).unwrap_or_default();
            let record = RecordId::from_slice(&record).unwrap_or(RecordId([0; 32]));
            (record, r.try_get::<i64, _>(1).map_or(u64::MAX, |seq| seq as u64), r.try_get(2).unwrap_or_default())
        };
        Ok(rows.iter().map(read).collect())
    }

    async fn is_main(&self, r: &Reference) -> Result<Option<bool>, StoreError> {
        let main: Option<i64> =
            sqlx::query_scalar("SELECT main FROM entries WHERE log = $1 AND seq = $2 AND leaf = $3")
                .bind(&r.log.to_bytes()[..])
                .bind(r.seq as i64)
                .bind(&r.leaf.0[..])
                .fetch_optional(&self.readers)
                .await?;
        Ok(main.map(|m| m == 1))
    }

    async fn branches(&self, log: Option<&LogId>) -> Result<Vec<BranchRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT log, start, checkpoint, leaves FROM branches WHERE $1 IS NULL OR log = $1 ORDER BY log, leaf",
        )
        .bind(log.map(|l| l.to_bytes().to_vec()))
        .fetch_all(&self.readers)
        .await?;
        // One that is rotten is none: it is asked for again.
        let read = |r: &DbRow| {
            let row = branch_row(r);
            row.inspect_err(|error| tracing::error!(%error, "a branch of a forked log is damaged")).ok()
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    async fn branch_entries(
        &self,
        branch: &BranchRow,
        from: u64,
        bytes_max: usize,
    ) -> Result<Vec<VerifiedEntry>, StoreError> {
        let (mut out, mut bytes) = (Vec::new(), 0);
        let at = from.saturating_sub(branch.from) as usize;
        for (leaf, seq) in branch.leaves.iter().skip(at).zip(from.max(branch.from)..) {
            let reference = Reference { log: branch.log, seq, leaf: *leaf };
            let Some(entry) = crate::Store::entry(self, &reference).await? else { break };
            bytes += entry.bytes().len();
            if bytes > bytes_max && !out.is_empty() {
                break;
            }
            out.push(entry);
        }
        Ok(out)
    }

    async fn structure(&self) -> Result<Vec<String>, StoreError> {
        self.structure_damage().await
    }

    async fn resyncs(&self) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query("SELECT id, json FROM resyncs ORDER BY id").fetch_all(&self.readers).await?;
        Ok(rows.iter().map(|r| (r.get(0), r.get(1))).collect())
    }
}
