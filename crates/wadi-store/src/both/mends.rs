//! Reads for mending: what lies there unchecked, and the other branches of
//! forked logs.

use super::{
    DbRow, Engine,
    at_rest::secret,
    cells::{cell, damaged, record_id},
};
use crate::{
    BranchRow, CosignedHead, EntrySource, RawCosignature, RawEntry, RawLoose, RepairSource,
    Salvage, StoreError, at_rest::SecretCell, tables::RESYNCS,
};
use async_trait::async_trait;
use sqlx::Row;
use std::{io, path::Path};
use wadi_log::{Cosignature, Hash, LogId, RecordId, Reference, SignedCheckpoint, VerifiedEntry};

/// log, start, checkpoint, leaves; nothing where it does not read.
fn branch_row(row: &DbRow) -> Option<BranchRow> {
    let leaves: Vec<u8> = cell(row, "leaves").ok()?;
    Some(BranchRow {
        log: LogId::from_slice(cell(row, "log").ok()?).ok()?,
        from: u64::try_from(cell::<i64>(row, "start").ok()?).ok()?,
        checkpoint: SignedCheckpoint::from_bytes(cell(row, "checkpoint").ok()?).ok()?,
        leaves: leaves
            .chunks(32)
            .map(Hash::from_slice)
            .collect::<Result<_, _>>()
            .ok()?,
    })
}

#[async_trait]
impl RepairSource for Engine {
    async fn raw_entries(
        &self,
        log: &LogId,
        from: u64,
        rows_max: u32,
    ) -> Result<Vec<RawEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, leaf, bytes FROM entries WHERE log = $1 AND seq >= $2 AND main = 1 \
             ORDER BY seq LIMIT $3",
        )
        .bind(&log.to_bytes()[..])
        .bind(from as i64)
        .bind(i64::from(rows_max))
        .fetch_all(&self.readers)
        .await?;

        // A cell of the wrong type is rot, too: it reads as nothing, and nothing has no leaf's
        // hash.
        let raw = |r: &DbRow| RawEntry {
            seq: r
                .try_get::<i64, _>("seq")
                .map_or(u64::MAX, |seq| seq as u64),
            leaf: r.try_get("leaf").unwrap_or_default(),
            bytes: self.cipher.entry(r.try_get("bytes").unwrap_or_default()),
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
        let rows = sqlx::query(
            "SELECT idx, hash FROM tree WHERE log = $1 AND level = $2 AND idx >= $3 \
             ORDER BY idx LIMIT $4",
        )
        .bind(&log.to_bytes()[..])
        .bind(i64::from(level))
        .bind(from as i64)
        .bind(i64::from(rows_max))
        .fetch_all(&self.readers)
        .await?;

        let raw = |r: &DbRow| {
            (
                r.try_get::<i64, _>("idx")
                    .map_or(u64::MAX, |idx| idx as u64),
                r.try_get("hash").unwrap_or_default(),
            )
        };

        Ok(rows.iter().map(raw).collect())
    }

    async fn leaves(
        &self,
        log: &LogId,
        from: u64,
        to: u64,
    ) -> Result<Vec<(u64, Hash)>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, leaf FROM entries \
             WHERE log = $1 AND seq >= $2 AND seq < $3 AND main = 1 ORDER BY seq",
        )
        .bind(&log.to_bytes()[..])
        .bind(from as i64)
        .bind(to.min(i64::MAX as u64) as i64)
        .fetch_all(&self.readers)
        .await?;

        let read = |r: &DbRow| {
            let seq = u64::try_from(r.try_get::<i64, _>("seq").ok()?).ok()?;
            let leaf: Vec<u8> = r.try_get("leaf").ok()?;
            Some((seq, Hash::from_slice(&leaf).ok()?))
        };

        Ok(rows.iter().filter_map(read).collect())
    }

    async fn checkpoint_before(
        &self,
        log: &LogId,
        seq: u64,
    ) -> Result<Option<SignedCheckpoint>, StoreError> {
        let row = sqlx::query(
            "SELECT signed FROM checkpoints WHERE log = $1 AND size <= $2 \
             ORDER BY size DESC LIMIT 1",
        )
        .bind(&log.to_bytes()[..])
        .bind(seq as i64)
        .fetch_optional(&self.readers)
        .await?;

        row.map(|r| SignedCheckpoint::from_bytes(cell(&r, "signed")?).map_err(damaged))
            .transpose()
    }

    async fn cosigned_over(
        &self,
        log: &LogId,
        seq: u64,
        rows_max: u32,
    ) -> Result<Vec<CosignedHead>, StoreError> {
        let rows = sqlx::query(
            "SELECT k.signed, c.cosignature FROM cosigned c \
             JOIN checkpoints k ON k.log = c.log AND k.size = c.size \
             WHERE c.log = $1 AND c.size > $2 ORDER BY c.size LIMIT $3",
        )
        .bind(&log.to_bytes()[..])
        .bind(seq as i64)
        .bind(i64::from(rows_max))
        .fetch_all(&self.readers)
        .await?;

        let read = |r: &DbRow| {
            Ok(CosignedHead {
                checkpoint: SignedCheckpoint::from_bytes(cell(r, "signed")?).map_err(damaged)?,
                cosignature: Cosignature::from_slice(cell(r, "cosignature")?).map_err(damaged)?,
            })
        };

        rows.iter().map(read).collect()
    }

    async fn index(
        &self,
        log: &LogId,
        from: u64,
        to: u64,
    ) -> Result<Vec<(RecordId, u64, Vec<u8>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT record, seq, leaf FROM record_entries \
             WHERE log = $1 AND seq >= $2 AND seq < $3",
        )
        .bind(&log.to_bytes()[..])
        .bind(from as i64)
        .bind(to.min(i64::MAX as u64) as i64)
        .fetch_all(&self.readers)
        .await?;

        let read = |r: &DbRow| {
            let record: Vec<u8> = r.try_get("record").unwrap_or_default();
            let record = RecordId::from_slice(&record).unwrap_or(RecordId([0; 32]));
            (
                record,
                r.try_get::<i64, _>("seq")
                    .map_or(u64::MAX, |seq| seq as u64),
                r.try_get("leaf").unwrap_or_default(),
            )
        };

        Ok(rows.iter().map(read).collect())
    }

    async fn goes_on(&self, log: &LogId) -> Result<bool, StoreError> {
        // One statement, and so one moment: a log that grows meanwhile does not look as if it had
        // lost its head.
        let found = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM logs l \
             JOIN entries e ON e.log = l.log AND e.seq = l.size \
             WHERE l.log = $1 AND e.main = 1)",
        )
        .bind(log.to_bytes().to_vec())
        .fetch_one(&self.readers)
        .await?;

        Ok(found)
    }

    async fn raw_checkpoints(
        &self,
        log: &LogId,
        from: i64,
        rows_max: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT size, signed FROM checkpoints WHERE log = $1 AND size >= $2 \
             ORDER BY size LIMIT $3",
        )
        .bind(log.to_bytes().to_vec())
        .bind(from)
        .bind(i64::from(rows_max))
        .fetch_all(&self.readers)
        .await?;

        rows.iter()
            .map(|r| Ok((cell(r, "size")?, cell(r, "signed")?)))
            .collect()
    }

    async fn raw_cosignatures(
        &self,
        after: Option<&RawCosignature>,
        rows_max: u32,
    ) -> Result<Vec<RawCosignature>, StoreError> {
        // Nothing stands before the empty key.
        let (log, witness) = after
            .map(|a| (a.log.clone(), a.witness.clone()))
            .unwrap_or_default();
        let rows = sqlx::query(
            "SELECT log, witness, size, time_s, checkpoint, cosignature FROM cosignatures \
             WHERE (log, witness) > ($1, $2) ORDER BY log, witness LIMIT $3",
        )
        .bind(log)
        .bind(witness)
        .bind(i64::from(rows_max))
        .fetch_all(&self.readers)
        .await?;

        let read = |r: &DbRow| {
            Ok(RawCosignature {
                log: cell(r, "log")?,
                witness: cell(r, "witness")?,
                size: cell(r, "size")?,
                time_s: cell(r, "time_s")?,
                checkpoint: cell(r, "checkpoint")?,
                cosignature: cell(r, "cosignature")?,
            })
        };

        rows.iter().map(read).collect()
    }

    async fn raw_enrolments(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let rows = sqlx::query("SELECT node, enrolment FROM nodes")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|r| Ok((cell(r, "node")?, cell(r, "enrolment")?)))
            .collect()
    }

    async fn raw_forks(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let rows = sqlx::query("SELECT log, proof FROM forks")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|r| Ok((cell(r, "log")?, cell(r, "proof")?)))
            .collect()
    }

    async fn raw_branches(&self) -> Result<Vec<(Vec<u8>, Vec<u8>, Option<BranchRow>)>, StoreError> {
        let rows = sqlx::query("SELECT log, start, checkpoint, leaves, leaf FROM branches")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|r| Ok((cell(r, "log")?, cell(r, "leaf")?, branch_row(r))))
            .collect()
    }

    async fn raw_loose(
        &self,
        after: Option<&RawLoose>,
        rows_max: u32,
    ) -> Result<Vec<RawLoose>, StoreError> {
        let (log, seq, leaf) = match after {
            Some(a) => (a.log.clone(), a.seq, a.leaf.clone()),
            None => (Vec::new(), 0, Vec::new()),
        };
        let rows = sqlx::query(
            "SELECT log, seq, leaf, bytes, main FROM entries \
             WHERE main <> 1 AND (log, seq, leaf) > ($1, $2, $3) \
             ORDER BY log, seq, leaf LIMIT $4",
        )
        .bind(log)
        .bind(seq)
        .bind(leaf)
        .bind(i64::from(rows_max))
        .fetch_all(&self.readers)
        .await?;

        let read = |r: &DbRow| {
            Ok(RawLoose {
                log: cell(r, "log")?,
                seq: cell(r, "seq")?,
                leaf: cell(r, "leaf")?,
                bytes: self.cipher.entry(cell(r, "bytes")?),
                excerpt: cell::<i64>(r, "main")? == 2,
            })
        };

        rows.iter().map(read).collect()
    }

    async fn dangling(&self) -> Result<Vec<RecordId>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT r.record FROM record_entries r WHERE r.log NOT IN (SELECT log \
             FROM logs) AND NOT EXISTS (SELECT 1 FROM entries e \
             WHERE e.log = r.log AND e.seq = r.seq AND e.leaf = r.leaf)",
        )
        .fetch_all(&self.readers)
        .await?;

        rows.iter().map(|r| record_id(r, "record")).collect()
    }

    async fn places(&self, record: &RecordId) -> Result<Vec<(LogId, u64)>, StoreError> {
        let rows = sqlx::query("SELECT log, seq FROM record_entries WHERE record = $1")
            .bind(record.0.to_vec())
            .fetch_all(&self.readers)
            .await?;
        let place = |r: &DbRow| {
            let log = LogId::from_slice(cell(r, "log").ok()?).ok()?;
            Some((log, u64::try_from(cell::<i64>(r, "seq").ok()?).ok()?))
        };

        Ok(rows.iter().filter_map(place).collect())
    }

    async fn record_rows(
        &self,
        after: &RecordId,
        rows_max: u32,
    ) -> Result<Vec<RecordId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM records WHERE id > $1 ORDER BY id LIMIT $2")
            .bind(after.0.to_vec())
            .bind(i64::from(rows_max))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|r| record_id(r, "id")).collect()
    }

    async fn is_main(&self, r: &Reference) -> Result<Option<bool>, StoreError> {
        let main: Option<i64> = sqlx::query_scalar(
            "SELECT main FROM entries WHERE log = $1 AND seq = $2 AND leaf = $3",
        )
        .bind(&r.log.to_bytes()[..])
        .bind(r.seq as i64)
        .bind(&r.leaf.0[..])
        .fetch_optional(&self.readers)
        .await?;

        Ok(main.map(|m| m == 1))
    }

    async fn branches(&self, log: Option<&LogId>) -> Result<Vec<BranchRow>, StoreError> {
        let query = match log {
            Some(log) => sqlx::query(
                "SELECT log, start, checkpoint, leaves FROM branches WHERE log = $1 \
                 ORDER BY log, leaf",
            )
            .bind(log.to_bytes().to_vec()),
            None => sqlx::query(
                "SELECT log, start, checkpoint, leaves FROM branches ORDER BY log, leaf",
            ),
        };

        let rows = query.fetch_all(&self.readers).await?;

        // One that is rotten is none: it is asked for again.
        let read = |row: &DbRow| {
            let read = branch_row(row);
            if read.is_none() {
                tracing::error!("a branch of a forked log is damaged");
            }
            read
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
            let reference = Reference {
                log: branch.log,
                seq,
                leaf: *leaf,
            };

            let Some(entry) = EntrySource::entry(self, &reference).await? else {
                break;
            };
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
        let rows = sqlx::query("SELECT id, json FROM resyncs ORDER BY id")
            .fetch_all(&self.readers)
            .await?;

        // One that does not read is one that was never planned: a plan can be made anew.
        let at = SecretCell::new(&RESYNCS, "json", "");
        let read = |r: &DbRow| Some((cell(r, "id").ok()?, secret(r, &self.cipher, at).ok()?));
        Ok(rows.iter().filter_map(read).collect())
    }

    fn old_database(&self, path: &Path) -> io::Result<Salvage> {
        Salvage::open_with(path, self.cipher.clone())
    }
}
