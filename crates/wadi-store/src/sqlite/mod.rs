//! The store on SQLite: WAL, synchronous FULL, one writer on a thread of its own that groups
//! waiting batches into one commit.
//!
//! SQLite reports neither rotten pages nor a torn WAL tail by itself: entries are checked against
//! their leaf hash on every read, and the anchor tells a lost tail.

#[path = "../both/mod.rs"]
mod both;
mod checks;
mod convert;
mod own_file;
mod readable;
mod schema;
mod writer;

pub(crate) use both::{
    at_rest::{cipher_to_read, copy_row, open_cipher},
    audit_reads::ConnAudit,
};
pub(crate) use checks::{meta, schema};
pub(crate) use convert::Recoding;
pub use convert::{Recoded, recode_sqlite};
pub(crate) use own_file::rescued;
pub(crate) use schema::MIGRATIONS;

use crate::{
    StoreError, StoreKey,
    anchor::{AnchorFile, AnchorState},
    at_rest::CellCipher,
    defence, private,
    queue::{Progress, Queue},
    scope_sums::ScopeSums,
    tables,
};
use both::at_rest::{local_value, secret};
use checks::{check_counters, check_header, check_library, check_node, migrate, remember_loss};
use futures_util::TryStreamExt;
use readable::check_readable;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection, SqlitePool,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use std::{fmt::Display, path::Path, sync::Arc, time::Duration};
use wadi_log::NodeId;
use writer::{STATEMENTS, Writer};

type Engine = SqliteStore;
type DbRow = SqliteRow;
type DbConn = SqliteConnection;
/// Bytes that the database takes, without what lies in its WAL.
const DATABASE_BYTES: &str = "SELECT p.page_count * s.page_size AS bytes \
                              FROM pragma_page_count AS p, pragma_page_size AS s";
/// A list of lists as rows `j`, each with its `value`.
const EACH: &str = "json_each($1) AS j";

/// How long a statement waits for whoever else has the database.
const BUSY: Duration = Duration::from_secs(10);

/// Pages that each reader keeps, KiB. A hub's reconciler asks for the same narrow parts of indexes
/// with each change, and a page that is not kept is read and copied once more.
const READER_CACHE_KIB: u32 = 6 * 1024;
/// Pages that the writer keeps, KiB: a batch that does not fit is written out and read back while
/// it is made.
const WRITER_CACHE_KIB: u32 = 8 * 1024;

/// A store in a file.
pub struct SqliteStore {
    node: NodeId,
    readers: SqlitePool,
    queue: Queue,
    sums: Arc<ScopeSums>,
    cipher: CellCipher,
    anchor_state: AnchorState,
    /// Whether it is this start that found a tail lost.
    pub(crate) lost_anew: bool,
}

impl SqliteStore {
    /// Opens or creates `node.sqlite` and `anchor` in a directory, for the node of that id.
    pub async fn open(dir: &Path, node: NodeId) -> Result<Arc<Self>, StoreError> {
        Self::open_with(dir, node, None).await
    }

    /// The same, of a database that is encrypted by a key, or is to be from its beginning.
    ///
    /// # Errors
    ///
    /// [`StoreError::Encrypted`], [`StoreError::WrongKey`] and [`StoreError::NotEncrypted`] where
    /// key and database do not fit each other; nothing was changed then.
    pub async fn open_with(
        dir: &Path,
        node: NodeId,
        key: Option<&StoreKey>,
    ) -> Result<Arc<Self>, StoreError> {
        let path = dir.join("node.sqlite");
        let existed = path.exists();
        private::close_all(dir);
        check_header(&path)?;
        if !existed {
            // SQLite would create it by the umask, and what lies beside it by the mode that it has.
            let created = private::create(&path);
            created.map_err(|e| StoreError::Open {
                path: path.display().to_string(),
                why: e.to_string(),
            })?;
        }

        let options = running(&path);
        // What a migration's undoing needs stays in memory: another disk may be full.
        let migrating = options.clone().pragma("temp_store", "MEMORY");
        let mut conn = SqliteConnection::connect_with(&migrating)
            .await
            .map_err(open_error(&path))?;

        check_library(&mut conn).await?;
        migrate(&mut conn).await?;
        check_node(&mut conn, node).await?;
        check_readable(&mut conn).await?;
        let cipher = open_cipher(&mut conn, key).await?;
        convert::discard_unfinished(dir)?;

        let held = check_counters(&mut conn).await?;
        let (file, found) = AnchorFile::open(&dir.join("anchor"))?;
        let anchored = found.as_ref().map_or(0, |a| a.commits);
        let anchored_heads = found.as_ref().map(|a| a.heads.clone()).unwrap_or_default();
        let anchor_state = match found {
            None if !existed || held == 0 => AnchorState::New,
            None => AnchorState::Unanchored,
            Some(a) if held < a.commits && !defence::off("anchor-check") => AnchorState::LostTail {
                anchored: a.commits,
                held,
                heads: a.heads,
            },
            Some(_) => AnchorState::Whole,
        };

        let lost_anew = matches!(anchor_state, AnchorState::LostTail { .. });
        let anchor_state = remember_loss(&mut conn, anchor_state).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(open_error(&path))?;

        let progress = Progress {
            file,
            commits: held.max(anchored),
            heads: anchored_heads.into_iter().collect(),
        };

        // The first connection goes when the writer's is there: the last one to leave would move
        // the WAL.
        let writer = Writer::open(&path, cipher.clone(), progress).map_err(open_error(&path))?;
        conn.close().await.map_err(open_error(&path))?;
        let sums: Arc<ScopeSums> = Arc::default();
        let queue = Queue::start_on_thread(writer, sums.clone())?;

        Ok(Arc::new(Self {
            node,
            readers,
            queue,
            sums,
            cipher,
            anchor_state,
            lost_anew,
        }))
    }
}

impl SqliteStore {
    /// What SQLite finds wrong with its pages and indexes, and what of this node's own keys does
    /// not read. It reads the whole database.
    async fn structure_damage(&self) -> Result<Vec<String>, StoreError> {
        let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(20)")
            .fetch_all(&self.readers)
            .await?;
        let mut found: Vec<String> = found.into_iter().filter(|line| line != "ok").collect();

        if found.is_empty() {
            let local = &tables::LOCAL;
            let sql = format!("SELECT {} FROM {}", local.names(), local.name);
            let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&self.readers);

            while let Some(row) = rows.try_next().await? {
                let cells = local.columns.iter().enumerate();
                found.extend(
                    cells
                        .filter_map(|(at, _)| row.try_get::<String, _>(at).err())
                        .map(|e| e.to_string()),
                );

                let scope: String = row.try_get("scope").unwrap_or_default();
                let value = secret(&row, &self.cipher, local_value(&scope));
                found.extend(
                    value
                        .err()
                        .filter(|_| self.cipher.is_on())
                        .map(|e| e.to_string()),
                );
                found.truncate(20);
            }
        }

        Ok(found)
    }
}

/// How a running node opens its database.
fn running(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .page_size(8192)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(if defence::off("db-fsync") {
            SqliteSynchronous::Off
        } else {
            SqliteSynchronous::Full
        })
        .busy_timeout(BUSY)
        // The writer moves the WAL itself (`Writer::move_wal`).
        .pragma("wal_autocheckpoint", "0")
        // A rotten page is found when it is read, and not when something has been made of it.
        .pragma("cell_size_check", "ON")
        .pragma("cache_size", format!("-{READER_CACHE_KIB}"))
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging()
}

/// What opening a database says where it failed: damage is named as such.
fn open_error<E: Display + Into<StoreError>>(path: &Path) -> impl Fn(E) -> StoreError {
    move |error| {
        let why = error.to_string();
        match error.into() {
            malformed @ StoreError::Malformed(_) => malformed,
            _ => StoreError::Open {
                path: path.display().to_string(),
                why,
            },
        }
    }
}

fn not_opened(path: &Path, error: &sqlx::Error) -> StoreError {
    StoreError::Open {
        path: path.display().to_string(),
        why: error.to_string(),
    }
}

/// How a database that is there already is opened: nothing is created.
fn there(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .disable_statement_logging()
}

async fn connect(
    path: &Path,
    options: SqliteConnectOptions,
) -> Result<SqliteConnection, StoreError> {
    SqliteConnection::connect_with(&options)
        .await
        .map_err(|e| not_opened(path, &e))
}

/// The database of a node that does not run, for moving it: nothing is created.
pub(crate) async fn open_to_move(
    path: &Path,
    node: NodeId,
) -> Result<SqliteConnection, StoreError> {
    let mut conn = connect(path, there(path)).await?;
    check_library(&mut conn).await?;
    migrate(&mut conn).await?;
    check_node(&mut conn, node).await?;

    Ok(conn)
}

/// A database for an audit: nothing is created or written, and what a daemon writes meanwhile is
/// not seen.
pub(crate) async fn open_to_audit(
    path: &Path,
    key: Option<&StoreKey>,
) -> Result<ConnAudit, StoreError> {
    let mut conn = connect(path, there(path)).await?;
    let known = MIGRATIONS.len() as i64;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut conn)
        .await
        .map_err(|e| not_opened(path, &e))?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }

    sqlx::query("PRAGMA query_only = 1")
        .execute(&mut conn)
        .await?;
    sqlx::raw_sql("BEGIN").execute(&mut conn).await?;
    let cipher = cipher_to_read(&mut conn, key).await?;

    Ok(ConnAudit { conn, cipher })
}

/// A database as it lies there, a copy or a node's own, for whoever compares or copies it: not a
/// byte of the file changes, not even where what lies in its WAL could be moved into it. What a
/// daemon writes meanwhile is seen.
pub(crate) async fn open_to_read(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options = there(path).read_only(true).busy_timeout(BUSY);
    let mut conn = connect(path, options).await?;
    schema(&mut conn).await?;

    Ok(conn)
}

/// Whether a lost tail is remembered and not yet held again.
pub(crate) async fn lost_tail(conn: &mut SqliteConnection) -> Result<bool, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM meta WHERE key = 'lost_tail')")
            .fetch_one(conn)
            .await?,
    )
}
