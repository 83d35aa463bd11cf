//! Logs, their checkpoints and proofs, and the way to the one write.

use super::{
    DATABASE_BYTES, DbRow, Engine,
    cells::{cell, damaged, log_of, stored_entry},
};
use crate::{
    AnchorState, Batch, CosignedHead, LogRow, LogStore, StoreCounts, StoreError, StoredEntry,
};
use async_trait::async_trait;
use std::collections::HashMap;
use wadi_log::{
    Cosignature, Hash, LogId, NodeId, Peaks, SignedCheckpoint, Subtree, TILE_LEVELS, node_hash,
};

/// size, signed: a checkpoint that is what its place says. Blocks may end at any other one just as
/// well.
fn kept_checkpoint(row: &DbRow, log: &LogId) -> Option<SignedCheckpoint> {
    let signed = SignedCheckpoint::from_bytes(cell(row, "signed").ok()?).ok()?;
    let head = &signed.checkpoint;
    let size = cell::<i64>(row, "size").ok()?;
    (head.log == *log && i64::try_from(head.size) == Ok(size)).then_some(signed)
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
        rows.iter().map(log_row).collect()
    }

    async fn database_bytes(&self) -> Result<u64, StoreError> {
        let row = sqlx::query(DATABASE_BYTES).fetch_one(&self.readers).await?;
        Ok(u64::try_from(cell::<i64>(&row, "bytes")?).unwrap_or(0))
    }

    async fn log(&self, log: &LogId) -> Result<Option<LogRow>, StoreError> {
        let sql = "SELECT log, size, peaks, checkpoint, grew_ms FROM logs WHERE log = $1";
        let row = sqlx::query(sql)
            .bind(log.to_bytes().to_vec())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(log_row).transpose()
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
            "SELECT log, seq, leaf, bytes, received_ms, main FROM entries \
             WHERE log = $1 AND seq >= $2 AND main = 1 \
             ORDER BY seq LIMIT $3",
        )
        .bind(&log.to_bytes()[..])
        .bind(from as i64)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;

        let (mut out, mut bytes) = (Vec::new(), 0);
        for row in &rows {
            let entry = stored_entry(row, &self.cipher)?;
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
        let rows = sqlx::query(
            "SELECT size, signed FROM checkpoints WHERE log = $1 AND size > $2 \
             ORDER BY size LIMIT 64",
        )
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
                    checkpoint: SignedCheckpoint::from_bytes(cell(r, "checkpoint")?)
                        .map_err(damaged)?,
                    cosignature: Cosignature::from_slice(cell(r, "cosignature")?)
                        .map_err(damaged)?,
                })
            })
            .collect()
    }

    async fn loose_logs(&self) -> Result<Vec<LogId>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT log FROM entries WHERE main <> 1")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|r| log_of(r, "log")).collect()
    }

    async fn counts(&self) -> Result<StoreCounts, StoreError> {
        // Where the sums of the scopes are in memory, they know how many records there are:
        // counting a million takes longer than all else.
        let records = match self.sums.records() {
            Some(records) => records,
            None => {
                sqlx::query_scalar("SELECT count(*) FROM records")
                    .fetch_one(&self.readers)
                    .await?
            }
        };
        let row = sqlx::query(
            "SELECT (SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM logs) + \
             (SELECT count(*) FROM entries WHERE main <> 1) AS entries, \
             (SELECT count(*) FROM waiting) AS waiting, \
             (SELECT CAST(coalesce(sum(times), 0) AS BIGINT) FROM refusals) AS refused, \
             (SELECT CAST(coalesce(sum(length(bytes) - CAST($1 AS BIGINT)), 0) AS BIGINT) \
             FROM carried) AS carried_bytes, \
             (SELECT count(*) FROM findings) AS findings",
        )
        .bind(self.cipher.more_bytes())
        .fetch_one(&self.readers)
        .await?;

        Ok(StoreCounts {
            entries: cell(&row, "entries")?,
            records,
            waiting: cell(&row, "waiting")?,
            refused: cell(&row, "refused")?,
            carried_bytes: cell(&row, "carried_bytes")?,
            findings: cell(&row, "findings")?,
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
            "SELECT leaf AS hash FROM entries \
             WHERE log = $1 AND seq >= $2 AND seq < $3 AND main = 1 AND $4 = 0 ORDER BY seq"
        } else {
            "SELECT hash FROM tree WHERE log = $1 AND idx >= $2 AND idx < $3 AND level = $4 \
             ORDER BY idx"
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

        let hash = |r: &DbRow| Hash::from_slice(cell(r, "hash")?).map_err(damaged);
        let mut hashes = rows.iter().map(hash).collect::<Result<Vec<_>, _>>()?;
        while hashes.len() > 1 {
            hashes = hashes.chunks(2).map(|c| node_hash(&c[0], &c[1])).collect();
        }

        Ok(hashes[0])
    }
}

fn log_row(row: &DbRow) -> Result<LogRow, StoreError> {
    let size = cell::<i64>(row, "size")? as u64;
    Ok(LogRow {
        log: log_of(row, "log")?,
        peaks: Peaks::from_parts(size, cell(row, "peaks")?).map_err(damaged)?,
        checkpoint: SignedCheckpoint::from_bytes(cell(row, "checkpoint")?).map_err(damaged)?,
        grew_ms: cell(row, "grew_ms")?,
    })
}
