//! Reads a database as it lies there, for verifying it: nothing is checked on the way, and nothing
//! is written.
//!
//! Whatever is written meanwhile, the reader sees the database as it stood when it was opened. It
//! reads page by page, so that an audit takes the same memory however much is held.

use crate::{StoreError, StoreKey, postgres, sqlite};
use async_trait::async_trait;
use std::path::Path;
use wadi_log::{LogId, Peaks, Tip};

/// A log as it is recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditLog {
    /// The log's id.
    pub log: Vec<u8>,
    /// Its recorded size.
    pub size: u64,
    /// Its recorded peaks.
    pub peaks: Vec<u8>,
    /// Its last checkpoint.
    pub checkpoint: Vec<u8>,
}

pub(crate) fn odd(what: &str) -> impl Fn(wadi_log::LogError) -> StoreError + '_ {
    move |e| StoreError::Damaged {
        entry: format!("{what}: {e}"),
    }
}

impl AuditLog {
    /// Its size and root, as they are recorded.
    pub fn tip(&self) -> Result<(LogId, Tip), StoreError> {
        let log = LogId::from_slice(&self.log).map_err(odd("log"))?;
        let peaks = Peaks::from_parts(self.size, &self.peaks).map_err(odd("peaks"))?;
        Ok((
            log,
            Tip {
                size: self.size,
                root: peaks.root(),
            },
        ))
    }
}

/// An entry of a log's main branch, or of another one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// The log's id.
    pub log: Vec<u8>,
    /// Its position.
    pub seq: u64,
    /// Its hash, as it is recorded.
    pub leaf: Vec<u8>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A cosignature with what it signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditCosignature {
    /// The log's id.
    pub log: Vec<u8>,
    /// The witness's id.
    pub witness: Vec<u8>,
    /// The checkpoint.
    pub checkpoint: Vec<u8>,
    /// The cosignature.
    pub cosignature: Vec<u8>,
}

/// A database opened for reading alone. Lists come in pages, each after the last one of the page
/// before; an empty page is the end.
#[async_trait]
pub trait AuditReader: Send {
    /// Enrolments as stored: node and bytes.
    async fn enrolments(&mut self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError>;
    /// Logs.
    async fn logs(&mut self, after: Option<&AuditLog>) -> Result<Vec<AuditLog>, StoreError>;
    /// Entries of a log's main branch from a position on.
    async fn entries(&mut self, log: &LogId, from: u64) -> Result<Vec<AuditEntry>, StoreError>;

    /// Entries that stand outside their logs: of excerpts, and of branches that are not held as the
    /// log.
    async fn loose_entries(
        &mut self,
        after: Option<&AuditEntry>,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// The checkpoints kept of a log, of sizes beyond the first one given and up to the second, at
    /// most a page of them.
    async fn checkpoints(
        &mut self,
        log: &LogId,
        beyond: u64,
        through: u64,
    ) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Cosignatures.
    async fn cosignatures(
        &mut self,
        after: Option<&AuditCosignature>,
    ) -> Result<Vec<AuditCosignature>, StoreError>;
}

/// Size and root of each log, as they are recorded, ascending.
pub(crate) async fn tips(reader: &mut dyn AuditReader) -> Result<Vec<(LogId, Tip)>, StoreError> {
    let mut out = Vec::new();
    let mut page = reader.logs(None).await?;
    while !page.is_empty() {
        for row in &page {
            out.push(row.tip()?);
        }
        page = reader.logs(page.last()).await?;
    }

    Ok(out)
}

/// Opens `node.sqlite` in a directory.
///
/// # Errors
///
/// [`StoreError::Encrypted`] where it takes a key to read it, and none is given.
pub async fn audit_sqlite(
    dir: &Path,
    key: Option<&StoreKey>,
) -> Result<Box<dyn AuditReader>, StoreError> {
    let path = dir.join("node.sqlite");
    Ok(Box::new(sqlite::open_to_audit(&path, key).await?))
}

/// Opens a PostgreSQL database; errors as [`audit_sqlite`] has them.
pub async fn audit_postgres(
    url: &str,
    key: Option<&StoreKey>,
) -> Result<Box<dyn AuditReader>, StoreError> {
    Ok(Box::new(postgres::open_to_audit(url, key).await?))
}
