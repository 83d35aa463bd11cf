//! A copy of a database on SQLite, and what one holds.

use super::{CopyFacts, unreadable};
use crate::{
    AuditReader, StoreError, StoreKey,
    audit::{odd, tips},
    private, sqlite,
};
use sqlx::{Connection, Row};
use std::{fs::File, path::Path};
use wadi_log::{LogId, NodeId, Tip};

/// Entries on whichever branch, and records: the same text for both engines.
pub(super) const COUNTS: &str = "SELECT (SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM logs) \
     + (SELECT count(*) FROM entries WHERE main <> 1) AS entries, \
     (SELECT count(*) FROM records) AS records";

/// A database in a file, opened for reading alone: a copy, or a node's own while it lies there.
pub struct CopyReader(pub(crate) sqlite::ConnAudit);

impl CopyReader {
    /// Opens a database file, and writes nothing into it. One of a newer schema is not read.
    ///
    /// # Errors
    ///
    /// [`StoreError::Encrypted`] where it takes a key to read it, and none is given.
    pub async fn open(path: &Path, key: Option<&StoreKey>) -> Result<Self, StoreError> {
        let mut conn = sqlite::open_to_read(path).await?;
        let cipher = sqlite::cipher_to_read(&mut conn, key).await?;
        Ok(Self(sqlite::ConnAudit { conn, cipher }))
    }

    /// What an audit reads of it.
    pub fn audit(&mut self) -> &mut dyn AuditReader {
        &mut self.0
    }

    /// The node whose database it is, as it says.
    pub async fn node(&mut self) -> Result<Option<NodeId>, StoreError> {
        let node: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'node'")
            .fetch_optional(&mut self.0.conn)
            .await?;
        node.map(|text| text.parse::<NodeId>().map_err(odd("node")))
            .transpose()
    }

    /// Size and root of each log, as they are recorded, ascending.
    pub async fn logs(&mut self) -> Result<Vec<(LogId, Tip)>, StoreError> {
        tips(&mut self.0).await
    }

    /// What the database says that it holds.
    pub async fn facts(&mut self) -> Result<CopyFacts, StoreError> {
        let schema = sqlite::schema(&mut self.0.conn).await?;
        let node = self.node().await?;
        let commits = sqlite::meta(&mut self.0.conn, "commits").await? as u64;
        let counts = sqlx::query(COUNTS).fetch_one(&mut self.0.conn).await?;
        let (entries, records) = (
            counts.get::<i64, _>("entries") as u64,
            counts.get::<i64, _>("records") as u64,
        );

        let logs = self.logs().await?;
        Ok(CopyFacts {
            node,
            schema,
            commits,
            records,
            entries,
            logs,
        })
    }
}

/// Copies a database in a file into an empty or absent file, as it stands at this moment, and syncs
/// the copy. Whoever writes to it meanwhile writes on; only the WAL grows until the copy is whole.
pub async fn copy_sqlite(from: &Path, to: &Path) -> Result<(), StoreError> {
    let target = to.to_str().ok_or_else(|| StoreError::Open {
        path: to.display().to_string(),
        why: "SQLite takes names in UTF-8 only".into(),
    })?;
    let mut source = sqlite::open_to_read(from).await?;

    drop(private::create(to).map_err(|e| unreadable(to, e))?);
    // A copy page by page would begin anew with every commit of the node; this one reads by one
    // snapshot, and leaves out what was deleted.
    let copied = sqlx::query("VACUUM INTO ?1")
        .bind(target)
        .execute(&mut source)
        .await;
    let _ = source.close().await;

    copied?;
    File::open(to)
        .and_then(|f| f.sync_all())
        .map_err(|e| unreadable(to, e))
}
