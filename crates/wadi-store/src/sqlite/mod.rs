//! The store on SQLite: WAL, synchronous FULL, one writer on a thread of its own that groups waiting
//! batches into one commit.
//!
//! SQLite reports neither rotten pages nor a torn WAL tail by itself: entries are checked against
//! their leaf hash on every read, and the anchor tells a lost tail.

#[path = "../audit_reads.rs"]
mod audit_reads;
#[path = "../mends.rs"]
mod mends;
#[path = "../neighbours.rs"]
mod neighbours;
#[path = "../reads.rs"]
mod reads;
mod writer;

use crate::{
    StoreError,
    anchor::{self, Anchor, AnchorFile, AnchorState},
    defence, private,
    queue::{Progress, Queue},
    readable::check_readable,
    schema::MIGRATIONS,
    tables,
};
use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection, SqlitePool,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
    },
};
use std::{fmt::Display, fs::File, os::unix::fs::FileExt, path::Path, sync::Arc, time::Duration};
use wadi_log::{NodeId, hex};
use writer::{STATEMENTS, Writer};

type Engine = SqliteStore;
type DbRow = SqliteRow;
type DbConn = SqliteConnection;
/// A list of lists as rows `j`, each with its `value`.
const EACH: &str = "json_each($1) AS j";

/// How long a statement waits for whoever else has the database.
const BUSY: Duration = Duration::from_secs(10);

/// A store in a file.
pub struct SqliteStore {
    node: NodeId,
    readers: SqlitePool,
    queue: Queue,
    anchor_state: AnchorState,
    /// Whether it is this start that found a tail lost.
    pub(crate) lost_anew: bool,
}

impl SqliteStore {
    /// Opens or creates `node.sqlite` and `anchor` in a directory, for the node of that id.
    pub async fn open(dir: &Path, node: NodeId) -> Result<Arc<Self>, StoreError> {
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

        let options = SqliteConnectOptions::new()
            .filename(&path)
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
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();

        let mut conn = SqliteConnection::connect_with(&options)
            .await
            .map_err(open_error(&path))?;

        check_library(&mut conn).await?;
        migrate(&mut conn).await?;
        check_node(&mut conn, node).await?;
        check_readable(&mut conn).await?;

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
        let writer = Writer::open(&path, progress).map_err(open_error(&path))?;
        conn.close().await.map_err(open_error(&path))?;
        let queue = Queue::start_on_thread(writer)?;

        Ok(Arc::new(Self {
            node,
            readers,
            queue,
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

                found.truncate(20);
            }
        }

        Ok(found)
    }
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

/// The database of a node that does not run, for moving it: nothing is created.
pub(crate) async fn open_to_move(
    path: &Path,
    node: NodeId,
) -> Result<SqliteConnection, StoreError> {
    let open_error = |e: sqlx::Error| StoreError::Open {
        path: path.display().to_string(),
        why: e.to_string(),
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .disable_statement_logging();

    let mut conn = SqliteConnection::connect_with(&options)
        .await
        .map_err(open_error)?;
    check_library(&mut conn).await?;
    migrate(&mut conn).await?;
    check_node(&mut conn, node).await?;

    Ok(conn)
}

/// A database for an audit: nothing is created or written, and what a daemon writes meanwhile is
/// not seen.
pub(crate) async fn open_to_audit(path: &Path) -> Result<SqliteConnection, StoreError> {
    let open_error = |e: sqlx::Error| StoreError::Open {
        path: path.display().to_string(),
        why: e.to_string(),
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .disable_statement_logging();

    let mut conn = SqliteConnection::connect_with(&options)
        .await
        .map_err(open_error)?;
    let known = MIGRATIONS.len() as i64;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut conn)
        .await
        .map_err(open_error)?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }

    sqlx::query("PRAGMA query_only = 1")
        .execute(&mut conn)
        .await?;
    sqlx::raw_sql("BEGIN").execute(&mut conn).await?;

    Ok(conn)
}

/// A database as it lies there, a copy or a node's own, for whoever compares or copies it: not a
/// byte of the file changes, not even where what lies in its WAL could be moved into it. What a
/// daemon writes meanwhile is seen.
pub(crate) async fn open_to_read(path: &Path) -> Result<SqliteConnection, StoreError> {
    let open_error = |e: sqlx::Error| StoreError::Open {
        path: path.display().to_string(),
        why: e.to_string(),
    };
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(true)
        .busy_timeout(BUSY)
        .disable_statement_logging();

    let mut conn = SqliteConnection::connect_with(&options)
        .await
        .map_err(open_error)?;
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

async fn check_library(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(conn)
        .await?;
    let parts: Vec<u32> = found.split('.').filter_map(|p| p.parse().ok()).collect();
    if parts.as_slice() < [3, 51, 3].as_slice() {
        Err(StoreError::LibraryTooOld { found })
    } else {
        Ok(())
    }
}

/// The schema of a database. One of a newer version is not read.
pub(crate) async fn schema(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    let known = MIGRATIONS.len() as i64;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(conn)
        .await?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }

    if found < 0 {
        return Err(StoreError::Malformed(format!(
            "its schema is said to be {found}"
        )));
    }

    Ok(found)
}

/// Bytes of a database file's header of which these checks know.
const HEADER_BYTES: usize = 20;
/// The newest file format that SQLite writes (file format, 1.3.3).
const FORMAT_MAX: u8 = 2;

/// A file format of the future is rot: this version's SQLite has written the file. It would open it
/// for reading alone, and every write would fail.
fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = [0u8; HEADER_BYTES];
    let there = File::open(path).is_ok_and(|file| file.read_exact_at(&mut header, 0).is_ok());
    if there
        && header.starts_with(b"SQLite format 3\0")
        && header[18..].iter().any(|format| *format > FORMAT_MAX)
    {
        return Err(StoreError::Malformed(format!(
            "its header names the file formats {:?}",
            &header[18..]
        )));
    }

    Ok(())
}

/// The schema as the database itself says it, beside its header; none where an older version wrote
/// it.
async fn said_schema(conn: &mut SqliteConnection) -> Option<i64> {
    let said = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'schema'")
        .fetch_optional(conn)
        .await;
    said.ok().flatten()
}

/// Commits so far. The cursor of the newest change is set right where it lies behind the records
/// that were changed by it: whoever follows the changes would miss what comes next.
async fn check_counters(conn: &mut SqliteConnection) -> Result<u64, StoreError> {
    let held = meta(conn, "commits").await?;
    let held = u64::try_from(held)
        .map_err(|_| StoreError::Malformed(format!("it is said to hold {held} commits")))?;
    let changed = meta(conn, "changed").await?;
    let last: Option<i64> = sqlx::query_scalar("SELECT max(changed) FROM records")
        .fetch_one(&mut *conn)
        .await?;

    if let Some(last) = last.filter(|last| *last > changed) {
        tracing::error!(
            changed,
            last,
            "the cursor of changes was damaged; it is set right"
        );

        sqlx::query("UPDATE meta SET value = ?1 WHERE key = 'changed'")
            .bind(last)
            .execute(conn)
            .await?;
    }

    Ok(held)
}

async fn migrate(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let found = schema(conn).await;
    if let Err(StoreError::NewerSchema { found, known }) = found
        && said_schema(conn)
            .await
            .is_some_and(|said| said <= known && (said ^ found).count_ones() == 1)
    {
        // One bit away from what the database itself says: the header is rotten.
        return Err(StoreError::Malformed(format!(
            "its header says schema {found}, the database an older one"
        )));
    }

    let found = found?;
    for (n, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(*sql).execute(&mut *tx).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA user_version = {}", n + 1)))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }

    let known = MIGRATIONS.len() as i64;
    if said_schema(conn).await != Some(known) {
        let wrote = sqlx::query("INSERT OR REPLACE INTO meta VALUES ('schema', ?1)")
            .bind(known)
            .execute(conn)
            .await;

        match wrote.map_err(StoreError::from) {
            // A disk without room for it does not keep the node from starting; the next start says
            // it.
            Ok(_) | Err(StoreError::Full(_)) => {}
            // A sync that failed may have lost what the migrations wrote as well.
            Err(error) => return Err(error),
        }
    }

    Ok(())
}

/// A lost tail is remembered in the database until its heads are held again: the next start must
/// not take what is left for whole. From here on the counter goes on above what was ever
/// acknowledged, so that no later loss hides behind it.
async fn remember_loss(
    conn: &mut SqliteConnection,
    state: AnchorState,
) -> Result<AnchorState, StoreError> {
    if let AnchorState::LostTail {
        anchored,
        held,
        heads,
    } = &state
    {
        let anchor = Anchor {
            commits: *anchored,
            heads: heads.clone(),
        };
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;

        for (key, bytes) in [
            ("lost_tail", anchor::encode(&anchor)),
            ("lost_held", held.to_be_bytes().to_vec()),
        ] {
            sqlx::query("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")
                .bind(key)
                .bind(bytes)
                .execute(&mut *tx)
                .await?;
        }

        sqlx::query("UPDATE meta SET value = ?1 WHERE key = 'commits'")
            .bind(*anchored as i64)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        return Ok(state);
    }

    let lost: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'lost_tail'")
            .fetch_optional(&mut *conn)
            .await?;
    let held: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'lost_held'")
            .fetch_optional(&mut *conn)
            .await?;

    let held = held
        .and_then(|h| h.try_into().ok())
        .map_or(0, u64::from_be_bytes);

    Ok(match lost.and_then(|l| anchor::decode(&l)) {
        Some(a) => AnchorState::LostTail {
            anchored: a.commits,
            held,
            heads: a.heads,
        },
        None => state,
    })
}

async fn check_node(conn: &mut SqliteConnection, node: NodeId) -> Result<(), StoreError> {
    let found: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'node'")
        .fetch_optional(&mut *conn)
        .await?;
    match found {
        Some(found) if found == node.to_string() => Ok(()),
        Some(found) => {
            let enrolled: Vec<Vec<u8>> = sqlx::query_scalar("SELECT node FROM nodes")
                .fetch_all(conn)
                .await?;
            let holds = |name: &str| enrolled.iter().any(|node| hex(node) == name);

            // Every database holds its own node's enrolment.
            if holds(&node.to_string()) && !holds(&found) {
                let why =
                    format!("it is said to belong to node {found}, of which it knows nothing");
                return Err(StoreError::Malformed(why));
            }

            Err(StoreError::OtherNode {
                found,
                expected: node.to_string(),
            })
        }
        None => {
            sqlx::query("INSERT INTO meta VALUES ('node', ?1)")
                .bind(node.to_string())
                .execute(conn)
                .await?;
            Ok(())
        }
    }
}

pub(crate) async fn meta(conn: &mut SqliteConnection, key: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = ?1")
        .bind(key)
        .fetch_one(conn)
        .await?)
}
