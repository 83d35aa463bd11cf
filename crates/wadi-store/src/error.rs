//! What can go wrong with a store.

use thiserror::Error;

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database was written by a newer version. It was not touched.
    #[error(
        "the database has schema {found}, this version knows {known}: run the newer wadi, or restore a backup made by this one"
    )]
    NewerSchema {
        /// Its schema.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// The linked SQLite has a bug that corrupts databases.
    #[error("SQLite {found} is linked; 3.51.3 or newer is needed (older ones can corrupt a WAL on reset)")]
    LibraryTooOld {
        /// Its version.
        found: String,
    },
    /// The database belongs to another node. It was not touched.
    #[error("this database belongs to node {found}, the keys in the configuration to node {expected}")]
    OtherNode {
        /// Its node.
        found: String,
        /// The node asked for.
        expected: String,
    },
    /// An entry read back does not have the hash it was stored under.
    #[error("stored entry {entry} is damaged: its bytes no longer have the hash that was proven")]
    Damaged {
        /// The entry.
        entry: String,
    },
    /// The disk is full. Nothing of the batch was written.
    #[error("the disk is full: {0}")]
    Full(String),
    /// A write or a sync failed: what is on disk is unknown. The process has to stop and verify.
    #[error("writing failed, the state on disk is unknown until it is verified at the next start: {0}")]
    Failed(String),
    /// The batch does not fit what is stored; nothing of it was written.
    #[error("the batch does not follow what is stored: {0}")]
    Conflict(String),
    /// The database does not do what was asked for another reason.
    #[error("database: {0}")]
    Database(String),
    /// The file could not be opened.
    #[error("cannot open {path}: {why}")]
    Open {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NewerSchema { .. } => "database_newer",
            Self::LibraryTooOld { .. } => "sqlite_too_old",
            Self::OtherNode { .. } => "database_of_other_node",
            Self::Damaged { .. } => "entry_damaged",
            Self::Full(_) => "disk_full",
            Self::Failed(_) => "write_failed",
            Self::Conflict(_) => "store_conflict",
            Self::Database(_) => "database_error",
            Self::Open { .. } => "database_open",
            Self::Closed => "store_closed",
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code =
            error.as_database_error().and_then(|e| e.code()).and_then(|c| c.parse::<u32>().ok()).map(|c| c & 0xff);
        match code {
            Some(13) => Self::Full(error.to_string()),
            // SQLITE_IOERR: after a failed write or sync nobody knows what the disk holds.
            Some(10) => Self::Failed(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }
}
