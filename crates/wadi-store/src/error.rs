//! What can go wrong with a store.

use thiserror::Error;

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database was written by a newer version. It was not touched.
    #[error(
        "the database has schema {found}, this version knows {known}: run the newer wadi, or \
         restore a backup made by this one"
    )]
    NewerSchema {
        /// Its schema.
        found: i64,
        /// The newest known here.
        known: i64,
    },
    /// The linked SQLite has a bug that corrupts databases.
    #[error(
        "SQLite {found} is linked; 3.51.3 or newer is needed (older ones can corrupt a WAL on \
         reset)"
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
        "the database does not answer: {0}; writes wait a minute for it, then fail and can be \
         repeated"
    )]
    Down(String),
    /// A statement took too long and was undone.
    #[error("the database is too slow: {0}; nothing was written, try again")]
    Slow(String),
    /// The database takes no writes.
    #[error(
        "the database is read-only: {0}; is this its standby server, or a disk that was mounted to \
         be read?"
    )]
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
        "{tool} is not installed: it comes with PostgreSQL's client programs; on Debian: apt-get \
         install postgresql-client"
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
    /// The database is encrypted, and its key is not given.
    #[error(
        "the database is encrypted: say `database_encrypted = true` in the configuration of a node \
         whose papers hold its key, store.key"
    )]
    Encrypted,
    /// The database is encrypted by another key.
    #[error(
        "the database is encrypted by another key than this store.key: put the one in its place \
         with which it was encrypted"
    )]
    WrongKey,
    /// The database is to be encrypted, and is not. It was not touched.
    #[error(
        "the configuration says `database_encrypted = true`, and the database lies there in clear: \
         run `wadi node encrypt`"
    )]
    NotEncrypted,
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
            Self::Encrypted => "database_encrypted",
            Self::WrongKey => "store_key_wrong",
            Self::NotEncrypted => "database_not_encrypted",
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

/// What an extended result code of SQLite's means, whichever library met it.
fn by_sqlite_code(code: u32, text: String) -> StoreError {
    match (code, code & 0xff) {
        // SQLITE_IOERR_SHORT_READ, SQLITE_IOERR_DATA and SQLITE_IOERR_CORRUPTFS: the disk answers,
        // and the file is cut off or rotten. A start that only tries again would end there for
        // ever.
        (522 | 8202 | 8458, _) => StoreError::Malformed(text),
        (_, 13) => StoreError::Full(text),
        // SQLITE_BUSY and SQLITE_LOCKED: somebody else holds the file. SQLITE_READONLY: it, or what
        // it lies on, takes no writes.
        (_, 5 | 6) => StoreError::Slow(text),
        (_, 8) => StoreError::ReadOnly(text),
        // SQLITE_IOERR: after a failed write or sync nobody knows what the disk holds.
        (_, 10) => StoreError::Failed(text),
        // SQLITE_CORRUPT and SQLITE_NOTADB; and SQLITE_ERROR, which statements that are always the
        // same come to where a table is not what it should be.
        (_, 1 | 11 | 26) => StoreError::Malformed(text),
        _ => StoreError::Database(text),
    }
}

/// What a state of PostgreSQL's means (PostgreSQL, appendix A).
fn by_sqlstate(code: &str, text: String) -> StoreError {
    match code {
        // A statement's time is up, or a lock's.
        "57014" | "55P03" => StoreError::Slow(text),
        "53100" => StoreError::Full(text),
        // It has all the sessions that it may have.
        "53300" => StoreError::Down(text),
        "25006" => StoreError::ReadOnly(text),
        _ if code.starts_with("08") || code.starts_with("57") => StoreError::Down(text),
        _ => StoreError::Database(text),
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

        // A state of PostgreSQL's has five characters; SQLite's extended codes have fewer.
        match code.parse::<u32>() {
            _ if code.len() == 5 => by_sqlstate(&code, text),
            Ok(code) => by_sqlite_code(code, text),
            Err(_) => Self::Database(text),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error;

        let text = error.to_string();
        match &error {
            Error::SqliteFailure(failure, _) => {
                let code = failure.extended_code;
                by_sqlite_code(code.unsigned_abs(), format!("(code: {code}) {text}"))
            }
            // A cell that is not what its column holds.
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::QueryReturnedNoRows
            | Error::Utf8Error(..) => Self::Malformed(text),
            _ => Self::Database(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{ConnectOptions, Connection, Executor, sqlite::SqliteConnectOptions};
    use std::path::Path;

    /// What both libraries say of the last of these statements; those before it go well.
    async fn both(path: &Path, statements: &[&'static str]) -> [StoreError; 2] {
        let (last, before) = statements.split_last().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .disable_statement_logging();

        let through_sqlx = async {
            let mut conn = sqlx::SqliteConnection::connect_with(&options).await?;
            for sql in before {
                conn.execute(*sql).await?;
            }
            conn.execute(*last).await.map(|_| ())
        }
        .await;

        let through_rusqlite = || {
            let conn = rusqlite::Connection::open(path)?;
            conn.execute_batch(&statements.join(";"))
        };

        [
            through_sqlx.unwrap_err().into(),
            through_rusqlite().unwrap_err().into(),
        ]
    }

    #[tokio::test]
    async fn an_error_of_sqlite_means_the_same_through_both_libraries() {
        let dir = tempfile::tempdir().unwrap();
        let garbage = dir.path().join("garbage");
        std::fs::write(&garbage, "this is no database, and never was one").unwrap();
        let fresh = |name: &str| dir.path().join(name);

        let no_table = both(&fresh("a"), &["SELECT * FROM nowhere"]).await;
        let full = [
            "DROP TABLE IF EXISTS t",
            "CREATE TABLE t (x)",
            "PRAGMA max_page_count = 2",
            "INSERT INTO t VALUES (zeroblob(100000))",
        ];
        let full = both(&fresh("b"), &full).await;
        let twice = [
            "DROP TABLE IF EXISTS t",
            "CREATE TABLE t (x UNIQUE)",
            "INSERT INTO t VALUES (1), (1)",
        ];
        let twice = both(&fresh("c"), &twice).await;
        let no_database = both(&garbage, &["SELECT * FROM sqlite_schema"]).await;
        let read_only = ["PRAGMA query_only = 1", "CREATE TABLE t (x)"];
        let read_only = both(&fresh("d"), &read_only).await;

        for error in no_table.iter().chain(&no_database) {
            assert!(matches!(error, StoreError::Malformed(_)), "{error:?}");
        }
        for error in &full {
            assert!(matches!(error, StoreError::Full(_)), "{error:?}");
        }
        for error in &twice {
            assert!(matches!(error, StoreError::Database(_)), "{error:?}");
        }
        for error in &read_only {
            assert!(matches!(error, StoreError::ReadOnly(_)), "{error:?}");
        }
    }

    #[test]
    fn rot_is_told_from_a_disk_that_fails() {
        let of = |code: i32| {
            let failure = rusqlite::ffi::Error::new(code);
            StoreError::from(rusqlite::Error::SqliteFailure(failure, None))
        };

        // CORRUPT, CORRUPT_INDEX, NOTADB, IOERR_SHORT_READ, IOERR_DATA, IOERR_CORRUPTFS.
        for code in [11, 779, 26, 522, 8202, 8458] {
            assert!(matches!(of(code), StoreError::Malformed(_)), "{code}");
        }
        // IOERR, and those of reading, writing and syncing.
        for code in [10, 266, 778, 1034] {
            assert!(matches!(of(code), StoreError::Failed(_)), "{code}");
        }
        assert!(matches!(of(13), StoreError::Full(_)));
        // BUSY, BUSY_SNAPSHOT, LOCKED; READONLY, READONLY_DBMOVED.
        for code in [5, 517, 6] {
            assert!(matches!(of(code), StoreError::Slow(_)), "{code}");
        }
        for code in [8, 1032] {
            assert!(matches!(of(code), StoreError::ReadOnly(_)), "{code}");
        }
    }
}
