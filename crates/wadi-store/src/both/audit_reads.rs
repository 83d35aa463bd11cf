//! What an audit reads, as it lies there.

use super::{DbConn, DbRow, cells::cell};
use crate::{
    StoreError,
    at_rest::CellCipher,
    audit::{AuditCosignature, AuditEntry, AuditLog, AuditReader},
};
use async_trait::async_trait;
use std::borrow::BorrowMut;
use wadi_log::LogId;

/// Rows of a page: of entries, at most some 16 MB.
const PAGE: i64 = 500;

/// A database that is read as it lies there.
pub(crate) struct ConnAudit<C = DbConn> {
    pub(crate) conn: C,
    pub(crate) cipher: CellCipher,
}

fn entry(row: &DbRow, cipher: &CellCipher) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        log: cell(row, "log")?,
        seq: cell::<i64>(row, "seq")? as u64,
        leaf: cell(row, "leaf")?,
        bytes: cipher.entry(cell(row, "bytes")?),
    })
}

/// Positions and sizes as the tables hold them.
fn column(n: u64) -> i64 {
    n.min(i64::MAX as u64) as i64
}

#[async_trait]
impl<C: BorrowMut<DbConn> + Send> AuditReader for ConnAudit<C> {
    async fn enrolments(&mut self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let rows = sqlx::query("SELECT node, enrolment FROM nodes ORDER BY node")
            .fetch_all(self.conn.borrow_mut())
            .await?;
        rows.iter()
            .map(|r| Ok((cell(r, "node")?, cell(r, "enrolment")?)))
            .collect()
    }

    async fn logs(&mut self, after: Option<&AuditLog>) -> Result<Vec<AuditLog>, StoreError> {
        // Nothing stands before the empty id.
        let after = after.map(|a| a.log.clone()).unwrap_or_default();
        let rows = sqlx::query(
            "SELECT log, size, peaks, checkpoint FROM logs WHERE log > $1 ORDER BY log LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(self.conn.borrow_mut())
        .await?;

        let read = |r: &DbRow| {
            Ok(AuditLog {
                log: cell(r, "log")?,
                size: cell::<i64>(r, "size")? as u64,
                peaks: cell(r, "peaks")?,
                checkpoint: cell(r, "checkpoint")?,
            })
        };

        rows.iter().map(read).collect()
    }

    async fn entries(&mut self, log: &LogId, from: u64) -> Result<Vec<AuditEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT log, seq, leaf, bytes FROM entries WHERE log = $1 AND seq >= $2 AND main = 1 \
             ORDER BY seq, leaf LIMIT $3",
        )
        .bind(log.to_bytes().to_vec())
        .bind(column(from))
        .bind(PAGE)
        .fetch_all(self.conn.borrow_mut())
        .await?;

        rows.iter().map(|row| entry(row, &self.cipher)).collect()
    }

    async fn loose_entries(
        &mut self,
        after: Option<&AuditEntry>,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (log, seq, leaf) = match after {
            Some(a) => (a.log.clone(), column(a.seq), a.leaf.clone()),
            None => (Vec::new(), 0, Vec::new()),
        };
        let rows = sqlx::query(
            "SELECT log, seq, leaf, bytes FROM entries \
             WHERE main <> 1 AND (log, seq, leaf) > ($1, $2, $3) \
             ORDER BY log, seq, leaf LIMIT $4",
        )
        .bind(log)
        .bind(seq)
        .bind(leaf)
        .bind(PAGE)
        .fetch_all(self.conn.borrow_mut())
        .await?;

        rows.iter().map(|row| entry(row, &self.cipher)).collect()
    }

    async fn checkpoints(
        &mut self,
        log: &LogId,
        beyond: u64,
        through: u64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = sqlx::query(
            "SELECT signed FROM checkpoints WHERE log = $1 AND size > $2 AND size <= $3 \
             ORDER BY size LIMIT $4",
        )
        .bind(log.to_bytes().to_vec())
        .bind(column(beyond))
        .bind(column(through))
        .bind(PAGE)
        .fetch_all(self.conn.borrow_mut())
        .await?;

        rows.iter().map(|r| cell(r, "signed")).collect()
    }

    async fn cosignatures(
        &mut self,
        after: Option<&AuditCosignature>,
    ) -> Result<Vec<AuditCosignature>, StoreError> {
        let (log, witness) = after
            .map(|a| (a.log.clone(), a.witness.clone()))
            .unwrap_or_default();
        let rows = sqlx::query(
            "SELECT log, witness, checkpoint, cosignature FROM cosignatures \
             WHERE (log, witness) > ($1, $2) \
             ORDER BY log, witness LIMIT $3",
        )
        .bind(log)
        .bind(witness)
        .bind(PAGE)
        .fetch_all(self.conn.borrow_mut())
        .await?;

        let read = |r: &DbRow| {
            Ok(AuditCosignature {
                log: cell(r, "log")?,
                witness: cell(r, "witness")?,
                checkpoint: cell(r, "checkpoint")?,
                cosignature: cell(r, "cosignature")?,
            })
        };

        rows.iter().map(read).collect()
    }
}
