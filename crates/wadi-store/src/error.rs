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
    #[error(
        "SQLite {found} is linked; 3.51.3 or newer is needed (older ones can corrupt a WAL on reset)"
    )]
    LibraryTooOld {
        /// Its version.
        found: String,
    },
    /// The database belongs to another node. It was not touched.
    #[error(
        "this database belongs to node {found}, the keys in the configuration to node {expected}"
    )]
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
    #[error(
        "writing failed, the state on disk is unknown until it is verified at the next start: {0}"
    )]
    Failed(String),
    /// The batch does not fit what is stored; nothing of it was written.
    #[error("the batch does not follow what is stored: {0}")]
    Conflict(String),
    /// The database does not do what was asked for another reason.
    #[error("database: {0}")]
    Database(String),
    /// The file is damaged, or is no database of a node.
    #[error("the database does not read: {0}")]
    Malformed(String),
    /// The database server does not answer.
    #[error(
        "the database does not answer: {0}; writes wait a minute for it, then fail and can be repeated"
    )]
    Down(String),
    /// A statement took too long and was undone.
    #[error("the database is too slow: {0}; nothing was written, try again")]
    Slow(String),
    /// The database takes no writes.
    #[error("the database is read-only: {0}; is this its standby server?")]
    ReadOnly(String),
    /// The server is too old.
    #[error("PostgreSQL {found} is too old: 15 or newer is needed")]
    ServerTooOld {
        /// Its version.
        found: String,
    },
    /// The server would acknowledge what it has not synced.
    #[error("{0} on this server: what it acknowledges could be lost; turn both on")]
    Unsafe(String),
    /// A program of PostgreSQL's that is needed is not there.
    #[error(
        "{tool} is not installed: it comes with PostgreSQL's client programs; on Debian: apt-get install postgresql-client"
    )]
    ToolMissing {
        /// The program.
        tool: &'static str,
    },
    /// A program of PostgreSQL's did not do what it was asked.
    #[error("{tool}: {why}")]
    ToolFailed {
        /// The program.
        tool: &'static str,
        /// What it said.
        why: String,
    },
    /// A database that has to be empty is not. It was not touched.
    #[error("{0} is not an empty database: make a new one, and name it in the configuration")]
    NotEmpty(String),
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
            // What peers do about it is the same.
            Self::Database(_) | Self::Malformed(_) => "database_error",
            Self::Open { .. } => "database_open",
            Self::Down(_) => "database_down",
            Self::Slow(_) => "database_slow",
            Self::ReadOnly(_) => "database_read_only",
            Self::ServerTooOld { .. } => "postgres_too_old",
            Self::ToolMissing { .. } => "tool_missing",
            Self::ToolFailed { .. } => "tool_failed",
            Self::NotEmpty(_) => "database_not_empty",
            Self::Unsafe(_) => "database_unsafe",
            Self::Closed => "store_closed",
        }
    }

    /// Whether what lies on the disk is not what was written.
    pub fn is_rot(&self) -> bool {
        matches!(self, Self::Malformed(_) | Self::Damaged { .. })
    }

    /// Whether the same may go well in a moment: nobody may take it for an answer.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Down(_) | Self::Slow(_) | Self::Full(_) | Self::ReadOnly(_)
        )
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        let code = match &error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                return Self::Down(text);
            }
            sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => return Self::Down(text),
            sqlx::Error::PoolClosed => return Self::Closed,
            sqlx::Error::RowNotFound
            | sqlx::Error::Decode(_)
            | sqlx::Error::ColumnDecode { .. } => {
                return Self::Malformed(text);
            }
            other => other
                .as_database_error()
                .and_then(|e| e.code())
                .unwrap_or_default(),
        };

        // PostgreSQL's SQLSTATE has five characters (PostgreSQL, appendix A); SQLite's extended
        // codes have fewer.
        match (code.len(), &code[..code.len().min(2)]) {
            (5, "08") => Self::Down(text),
            // A statement's time is up, or a lock's.
            (5, _) if code == "57014" || code == "55P03" => Self::Slow(text),
            (5, "57") => Self::Down(text),
            (5, _) if code == "53100" => Self::Full(text),
            // It has all the sessions that it may have.
            (5, _) if code == "53300" => Self::Down(text),
            (5, _) if code == "25006" => Self::ReadOnly(text),
            (5, _) => Self::Database(text),
            // SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_DATA and SQLITE_IOERR_CORRUPTFS: the disk
            // answers, and the file is cut off or rotten. A start that only tries again would end
            // there for ever.
            _ if matches!(code.as_ref(), "522" | "8202" | "8458") => Self::Malformed(text),
            _ => match code.parse::<u32>().map(|c| c & 0xff) {
                Ok(13) => Self::Full(text),
                // SQLITE_IOERR: after a failed write or sync nobody knows what the disk holds.
                Ok(10) => Self::Failed(text),
                // SQLITE_CORRUPT and SQLITE_NOTADB; and SQLITE_ERROR, which statements that are
                // always the same come to where a table is not what it should be.
                Ok(1 | 11 | 26) => Self::Malformed(text),
                _ => Self::Database(text),
            },
        }
    }
}
