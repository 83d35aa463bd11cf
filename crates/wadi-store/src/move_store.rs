//! Moves a hub's database from SQLite to PostgreSQL: every table, in one transaction, every entry
//! checked against its hash before it is written and every log against its signed root after. The
//! file it came from is kept under another name.

use crate::{
    StoreError, StoreKey,
    anchor::AnchorFile,
    at_rest::CellCipher,
    postgres, sqlite,
    tables::{self, Rows, TABLES, Table},
};
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection, sqlite::SqliteRow};
use std::path::{Path, PathBuf};
use wadi_log::{Hash, LogId, NodeId, Peaks, SignedCheckpoint, leaf_hash};

/// Rows written at once, and the bytes after which fewer are.
const ROWS: usize = 2_000;
const BYTES: usize = 4 << 20;

/// What was moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// Entries, each checked against its hash.
    pub entries: u64,
    /// Logs, each checked against its signed root.
    pub logs: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Where the old database is kept.
    pub kept: PathBuf,
}

/// Moves `node.sqlite` of a directory, whose node must not run, into an empty PostgreSQL database.
/// Nothing of the old one is lost: it is kept as `node.sqlite.moved`. After an error nothing was
/// moved. What is encrypted by a key stays so. `progress` hears of each entry.
pub async fn move_store(
    dir: &Path,
    url: &str,
    node: NodeId,
    key: Option<&StoreKey>,
    mut progress: impl FnMut(u64) + Send,
) -> Result<Moved, StoreError> {
    let from = dir.join("node.sqlite");
    let kept = dir.join("node.sqlite.moved");
    if kept.exists() {
        let why = "a database was moved from here before; put that file away first".to_string();
        return Err(StoreError::Open {
            path: kept.display().to_string(),
            why,
        });
    }

    let mut source = sqlite::open_to_move(&from, node).await?;
    let cipher = sqlite::open_cipher(&mut source, key).await?;
    let commits = sqlite::meta(&mut source, "commits").await?;
    let changed = sqlite::meta(&mut source, "changed").await?;
    let (_, anchored) = AnchorFile::open(&dir.join("anchor"))?;

    if anchored
        .as_ref()
        .is_some_and(|a| a.commits > commits as u64)
        || sqlite::lost_tail(&mut source).await?
    {
        let why = "the database lacks what it acknowledged: run the node until it has fetched its \
                   tail back, then move it";
        return Err(StoreError::Conflict(why.into()));
    }

    let mut target = postgres::open_to_fill(url).await?;
    let mut tx = target.begin().await?;
    let (mut rows, mut entries) = (0, 0);
    for table in TABLES {
        let copied = copy(&mut source, &mut tx, table, &cipher, |n| {
            entries += n;
            progress(n);
        })
        .await?;

        check_count(&mut tx, table.name, copied).await?;
        rows += copied;
    }

    say_counters(&mut tx, commits, changed).await?;
    postgres::say_key(&mut tx, key).await?;
    let logs = check_logs(&mut tx).await?;
    tx.commit().await?;
    target.close().await?;

    // From here on the new database is the node's. The last connection leaves the old one whole in
    // one file.
    source.close().await?;
    let failed = |e: std::io::Error| StoreError::Failed(format!("{}: {e}", from.display()));
    std::fs::rename(&from, &kept).map_err(failed)?;
    std::fs::File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(failed)?;

    Ok(Moved {
        entries,
        logs,
        rows,
        kept,
    })
}

/// Refuses a table that holds other rows than those that were copied into it.
async fn check_count(
    target: &mut PgConnection,
    table: &str,
    copied: u64,
) -> Result<(), StoreError> {
    let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    let there: i64 = sqlx::query_scalar(count).fetch_one(target).await?;
    if there as u64 == copied {
        return Ok(());
    }

    let why =
        format!("{copied} rows of {table} were written, {there} are there: is the database empty?");
    Err(StoreError::Conflict(why))
}

async fn say_counters(
    target: &mut PgConnection,
    commits: i64,
    changed: i64,
) -> Result<(), StoreError> {
    for (key, value) in [("commits", commits), ("changed", changed)] {
        sqlx::query("UPDATE meta SET value = $1 WHERE key = $2")
            .bind(value)
            .bind(key)
            .execute(&mut *target)
            .await?;
    }

    Ok(())
}

/// Copies one table; `entries_done` hears how many entries were checked and written.
async fn copy(
    source: &mut SqliteConnection,
    target: &mut PgConnection,
    table: &'static Table,
    cipher: &CellCipher,
    mut entries_done: impl FnMut(u64) + Send,
) -> Result<u64, StoreError> {
    let is_entries = table.name == tables::ENTRIES.name;
    let mut stream = sqlx::query(AssertSqlSafe(format!(
        "SELECT {} FROM {}",
        table.names(),
        table.name
    )))
    .fetch(source);

    let (mut rows, mut total) = (Rows::of(table), 0);
    loop {
        let row = stream.try_next().await?;
        if let Some(row) = &row {
            if is_entries {
                check_entry(row, cipher)?;
            }
            sqlite::copy_row(&mut rows, row)?;
        }

        let held = rows.len();
        if held >= ROWS || rows.bytes_held() >= BYTES || (row.is_none() && held > 0) {
            postgres::insert(target, std::mem::replace(&mut rows, Rows::of(table)), "").await?;
            total += held as u64;
            if is_entries {
                entries_done(held as u64);
            }
        }

        if row.is_none() {
            return Ok(total);
        }
    }
}

fn check_entry(row: &SqliteRow, cipher: &CellCipher) -> Result<(), StoreError> {
    let (log, seq, leaf, bytes): (Vec<u8>, i64, Vec<u8>, Vec<u8>) = (
        row.try_get("log")?,
        row.try_get("seq")?,
        row.try_get("leaf")?,
        row.try_get("bytes")?,
    );

    if leaf_hash(&cipher.entry(bytes)).0[..] == leaf[..] {
        return Ok(());
    }

    let log = LogId::from_slice(&log).map_or_else(|_| wadi_log::hex(&log), |l| l.origin());
    Err(StoreError::Damaged {
        entry: format!("{log}@{seq}"),
    })
}

/// Reads every log back as it was written and compares its root with the one its author signed.
async fn check_logs(target: &mut PgConnection) -> Result<u64, StoreError> {
    let odd = |e: wadi_log::LogError| StoreError::Damaged {
        entry: e.to_string(),
    };
    let logs = sqlx::query("SELECT log, size, peaks, checkpoint FROM logs")
        .fetch_all(&mut *target)
        .await?;

    for row in &logs {
        let log: Vec<u8> = row.get("log");
        let size = row.get::<i64, _>("size") as u64;
        let recorded = Peaks::from_parts(size, row.get("peaks")).map_err(odd)?;
        let signed = SignedCheckpoint::from_bytes(row.get("checkpoint")).map_err(odd)?;
        let mut peaks = Peaks::default();
        let mut stream =
            sqlx::query("SELECT leaf FROM entries WHERE log = $1 AND main = 1 ORDER BY seq")
                .bind(&log)
                .fetch(&mut *target);
        while let Some(entry) = stream.try_next().await? {
            peaks.append(Hash::from_slice(entry.get("leaf")).map_err(odd)?);
        }

        if peaks != recorded || peaks.root() != signed.checkpoint.root {
            return Err(StoreError::Damaged {
                entry: format!("{}: its root is not the one signed", signed.checkpoint.log),
            });
        }
    }

    Ok(logs.len() as u64)
}
