//! Reads a database as it lies there, for verifying it: nothing is checked on the way, and nothing is written.

use crate::{CosignedHead, StoreError};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions};
use std::path::Path;
use wadi_log::{Cosignature, Hash, LogId, NodeId, Peaks, SignedCheckpoint};

/// A log as it is recorded.
pub struct AuditLog {
    /// The log.
    pub log: LogId,
    /// Its recorded size.
    pub size: u64,
    /// Its recorded peaks.
    pub peaks: Peaks,
    /// Its last checkpoint.
    pub checkpoint: SignedCheckpoint,
}

/// A database opened for reading alone.
pub struct AuditReader(pub(crate) SqliteConnection);

pub(crate) fn odd(what: &str) -> impl Fn(wadi_log::LogError) -> StoreError + '_ {
    move |e| StoreError::Damaged { entry: format!("{what}: {e}") }
}

impl AuditReader {
    /// Opens `node.sqlite` in a directory.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("node.sqlite");
        let failed = |e: sqlx::Error| StoreError::Open { path: path.display().to_string(), why: e.to_string() };
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(false).disable_statement_logging();
        let mut conn = SqliteConnection::connect_with(&options).await.map_err(failed)?;
        sqlx::query("PRAGMA query_only = 1").execute(&mut conn).await?;
        Ok(Self(conn))
    }

    /// Enrolments as stored: node and bytes.
    pub async fn enrolments(&mut self) -> Result<Vec<(NodeId, Vec<u8>)>, StoreError> {
        let rows = sqlx::query("SELECT node, enrolment FROM nodes").fetch_all(&mut self.0).await?;
        rows.iter().map(|r| Ok((NodeId::from_slice(r.get(0)).map_err(odd("node"))?, r.get(1)))).collect()
    }

    /// All logs.
    pub async fn logs(&mut self) -> Result<Vec<AuditLog>, StoreError> {
        let rows =
            sqlx::query("SELECT log, size, peaks, checkpoint FROM logs ORDER BY log").fetch_all(&mut self.0).await?;
        let read = |r: &sqlx::sqlite::SqliteRow| {
            let size = r.get::<i64, _>(1) as u64;
            Ok(AuditLog {
                log: LogId::from_slice(r.get(0)).map_err(odd("log"))?,
                size,
                peaks: Peaks::from_parts(size, r.get(2)).map_err(odd("peaks"))?,
                checkpoint: SignedCheckpoint::from_bytes(r.get(3)).map_err(odd("checkpoint"))?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Entries of a log's main branch as stored: position, leaf and bytes, unchecked.
    pub async fn entries(
        &mut self,
        log: &LogId,
        from: u64,
        limit: u32,
    ) -> Result<Vec<(u64, Hash, Vec<u8>)>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, leaf, bytes FROM entries WHERE log = ?1 AND seq >= ?2 AND main = 1 ORDER BY seq LIMIT ?3",
        )
        .bind(&log.to_bytes()[..])
        .bind(from as i64)
        .bind(i64::from(limit))
        .fetch_all(&mut self.0)
        .await?;
        rows.iter()
            .map(|r| Ok((r.get::<i64, _>(0) as u64, Hash::from_slice(r.get(1)).map_err(odd("leaf"))?, r.get(2))))
            .collect()
    }

    /// The checkpoints kept of a log.
    pub async fn checkpoints(&mut self, log: &LogId) -> Result<Vec<SignedCheckpoint>, StoreError> {
        let rows = sqlx::query("SELECT signed FROM checkpoints WHERE log = ?1 ORDER BY size")
            .bind(&log.to_bytes()[..])
            .fetch_all(&mut self.0)
            .await?;
        rows.iter().map(|r| SignedCheckpoint::from_bytes(r.get(0)).map_err(odd("checkpoint"))).collect()
    }

    /// All cosignatures.
    pub async fn cosignatures(&mut self) -> Result<Vec<CosignedHead>, StoreError> {
        let rows = sqlx::query("SELECT checkpoint, cosignature FROM cosignatures").fetch_all(&mut self.0).await?;
        let read = |r: &sqlx::sqlite::SqliteRow| {
            Ok(CosignedHead {
                checkpoint: SignedCheckpoint::from_bytes(r.get(0)).map_err(odd("checkpoint"))?,
                cosignature: Cosignature::from_slice(r.get(1)).map_err(odd("cosignature"))?,
            })
        };
        rows.iter().map(read).collect()
    }
}
