//! Moves a hub's database from SQLite to PostgreSQL: every table, in one transaction, every entry checked against its hash
//! before it is written and every log against its signed root after. The file it came from is kept under another name.

use crate::{StoreError, anchor::AnchorFile, postgres, postgres_write::clean, sqlite};
use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection, postgres::PgArguments, sqlite::SqliteRow};
use std::path::{Path, PathBuf};
use wadi_log::{Hash, LogId, NodeId, Peaks, SignedCheckpoint, leaf_hash};

/// Rows written at once, and the bytes after which fewer are.
const ROWS: usize = 2_000;
const BYTES: usize = 4 << 20;

#[derive(Clone, Copy)]
enum Of {
    Bytes,
    Int,
    Text,
    Flag,
}
use Of::{Bytes, Flag, Int, Text};

type Table = (&'static str, &'static [(&'static str, Of)]);

/// All tables but `meta`, which the engines fill each in its own way.
const TABLES: &[Table] = &[
    ("nodes", &[("node", Bytes), ("enrolment", Bytes)]),
    (
        "logs",
        &[
            ("log", Bytes),
            ("size", Int),
            ("peaks", Bytes),
            ("checkpoint", Bytes),
            ("unkept_bytes", Int),
            ("grew_ms", Int),
        ],
    ),
    (
        "entries",
        &[("log", Bytes), ("seq", Int), ("leaf", Bytes), ("bytes", Bytes), ("main", Int), ("received_ms", Int)],
    ),
    ("tree", &[("log", Bytes), ("level", Int), ("idx", Int), ("hash", Bytes)]),
    ("checkpoints", &[("log", Bytes), ("size", Int), ("signed", Bytes), ("kept", Int)]),
    (
        "cosignatures",
        &[
            ("log", Bytes),
            ("witness", Bytes),
            ("size", Int),
            ("time_s", Int),
            ("checkpoint", Bytes),
            ("cosignature", Bytes),
        ],
    ),
    ("seen", &[("log", Bytes), ("seq", Int), ("leaf", Bytes)]),
    ("forks", &[("log", Bytes), ("proof", Bytes)]),
    ("record_entries", &[("record", Bytes), ("log", Bytes), ("seq", Int), ("leaf", Bytes)]),
    (
        "records",
        &[
            ("id", Bytes),
            ("printed", Text),
            ("lane", Int),
            ("crossing", Text),
            ("state", Text),
            ("open", Flag),
            ("contested", Flag),
            ("json", Text),
            ("digest", Bytes),
            ("entries", Int),
            ("at_ms", Int),
            ("born_ms", Int),
            ("changed", Int),
        ],
    ),
    ("terms", &[("record", Bytes), ("what", Text), ("value", Text), ("born_ms", Int)]),
    ("waiting", &[("log", Bytes), ("seq", Int), ("leaf", Bytes), ("record", Bytes), ("missing", Bytes)]),
    ("refusals", &[("subject", Text), ("code", Text), ("why", Text), ("peer", Text), ("at_ms", Int), ("times", Int)]),
    (
        "findings",
        &[
            ("id", Text),
            ("rule", Text),
            ("severity", Int),
            ("phase", Text),
            ("state", Text),
            ("crossing", Text),
            ("assignee", Text),
            ("anchor", Bytes),
            ("evidence", Text),
            ("at_ms", Int),
            ("due_ms", Int),
            ("json", Text),
        ],
    ),
    ("peers", &[("node", Bytes), ("json", Text)]),
    ("carried", &[("log", Bytes), ("start", Int), ("size", Int), ("bytes", Bytes)]),
    ("local", &[("scope", Text), ("key", Text), ("value", Text)]),
    ("resyncs", &[("id", Text), ("json", Text)]),
];

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

/// Moves `node.sqlite` of a directory, whose node must not run, into an empty PostgreSQL database. Nothing of the old one is
/// lost: it is kept as `node.sqlite.moved`. After an error nothing was moved. `progress` hears of each entry.
pub async fn move_store(
    dir: &Path,
    url: &str,
    node: NodeId,
    mut progress: impl FnMut(u64) + Send,
) -> Result<Moved, StoreError> {
    let from = dir.join("node.sqlite");
    let kept = dir.join("node.sqlite.moved");
    if kept.exists() {
        let why = "a database was moved from here before; put that file away first".to_string();
        return Err(StoreError::Open { path: kept.display().to_string(), why });
    }
    let mut source = sqlite::open_to_move(&from, node).await?;
    let commits = sqlite::meta(&mut source, "commits").await?;
    let changed = sqlite::meta(&mut source, "changed").await?;
    let (_, anchored) = AnchorFile::open(&dir.join("anchor"))?;
    if anchored.as_ref().is_some_and(|a| a.commits > commits as u64) || sqlite::lost_tail(&mut source).await? {
        let why =
            "the database lacks what it acknowledged: run the node until it has fetched its tail back, then move it";
        return Err(StoreError::Conflict(why.into()));
    }
    let mut target = postgres::open_to_fill(url).await?;
    let mut tx = target.begin().await?;
    let (mut rows, mut entries) = (0, 0);
    for table in TABLES {
        let copied = copy(&mut source, &mut tx, table, |n| {
            entries += n;
            progress(n);
        })
        .await?;
        let there: i64 =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {}", table.0))).fetch_one(&mut *tx).await?;
        if there as u64 != copied {
            let why = format!("{copied} rows of {} were written, {there} are there: is the database empty?", table.0);
            return Err(StoreError::Conflict(why));
        }
        rows += copied;
    }
    for (key, value) in [("commits", commits), ("changed", changed)] {
        sqlx::query("UPDATE meta SET value = $1 WHERE key = $2").bind(value).bind(key).execute(&mut *tx).await?;
    }
    let logs = check_logs(&mut tx).await?;
    tx.commit().await?;
    target.close().await?;
    // From here on the new database is the node's. The last connection leaves the old one whole in one file.
    source.close().await?;
    let failed = |e: std::io::Error| StoreError::Failed(format!("{}: {e}", from.display()));
    std::fs::rename(&from, &kept).map_err(failed)?;
    std::fs::File::open(dir).and_then(|d| d.sync_all()).map_err(failed)?;
    Ok(Moved { entries, logs, rows, kept })
}

/// Cells of one column, as PostgreSQL takes them.
enum Cells {
    Bytes(Vec<Option<Vec<u8>>>),
    Int(Vec<i64>),
    Text(Vec<String>),
    Flag(Vec<bool>),
}

impl Cells {
    fn of(kind: Of) -> Self {
        match kind {
            Bytes => Self::Bytes(Vec::new()),
            Int => Self::Int(Vec::new()),
            Text => Self::Text(Vec::new()),
            Flag => Self::Flag(Vec::new()),
        }
    }
    /// Takes a cell; its size in bytes.
    fn push(&mut self, row: &SqliteRow, at: usize) -> Result<usize, StoreError> {
        Ok(match self {
            Self::Bytes(cells) => {
                let cell: Option<Vec<u8>> = row.try_get(at)?;
                let size = cell.as_ref().map_or(0, Vec::len);
                cells.push(cell);
                size
            }
            Self::Int(cells) => {
                cells.push(row.try_get(at)?);
                8
            }
            Self::Text(cells) => {
                let cell: String = row.try_get(at)?;
                cells.push(clean(&cell));
                cell.len()
            }
            Self::Flag(cells) => {
                cells.push(row.try_get(at)?);
                1
            }
        })
    }
}

/// Copies one table; `entries_done` hears how many entries were checked and written.
async fn copy(
    source: &mut SqliteConnection,
    target: &mut PgConnection,
    (table, columns): &Table,
    mut entries_done: impl FnMut(u64) + Send,
) -> Result<u64, StoreError> {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let is_entries = *table == "entries";
    let mut stream = sqlx::query(AssertSqlSafe(format!("SELECT {names} FROM {table}"))).fetch(source);
    let empty = || columns.iter().map(|(_, of)| Cells::of(*of)).collect::<Vec<_>>();
    let (mut cells, mut held, mut bytes, mut total) = (empty(), 0, 0, 0);
    loop {
        let row = stream.try_next().await?;
        if let Some(row) = &row {
            if is_entries {
                check_entry(row)?;
            }
            for (at, column) in cells.iter_mut().enumerate() {
                bytes += column.push(row, at)?;
            }
            held += 1;
        }
        if held >= ROWS || bytes >= BYTES || (row.is_none() && held > 0) {
            insert(target, table, columns, &names, std::mem::replace(&mut cells, empty())).await?;
            total += held as u64;
            if is_entries {
                entries_done(held as u64);
            }
            (held, bytes) = (0, 0);
        }
        if row.is_none() {
            return Ok(total);
        }
    }
}

async fn insert(
    target: &mut PgConnection,
    table: &str,
    columns: &[(&str, Of)],
    names: &str,
    cells: Vec<Cells>,
) -> Result<(), StoreError> {
    let lists: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(n, (_, of))| {
            let of = match of {
                Bytes => "bytea",
                Int => "bigint",
                Text => "text",
                Flag => "boolean",
            };
            format!("${}::{of}[]", n + 1)
        })
        .collect();
    let sql = format!("INSERT INTO {table} ({names}) SELECT * FROM UNNEST({})", lists.join(", "));
    let mut query = sqlx::query::<sqlx::Postgres>(AssertSqlSafe(sql));
    for column in cells {
        query = bind(query, column);
    }
    query.execute(target).await?;
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

fn bind(query: Query<'_>, cells: Cells) -> Query<'_> {
    match cells {
        Cells::Bytes(cells) => query.bind(cells),
        Cells::Int(cells) => query.bind(cells),
        Cells::Text(cells) => query.bind(cells),
        Cells::Flag(cells) => query.bind(cells),
    }
}

fn check_entry(row: &SqliteRow) -> Result<(), StoreError> {
    let (log, seq, leaf, bytes): (Vec<u8>, i64, Vec<u8>, Vec<u8>) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    if leaf_hash(&bytes).0[..] == leaf[..] {
        return Ok(());
    }
    let log = LogId::from_slice(&log).map_or_else(|_| wadi_log::hex(&log), |l| l.origin());
    Err(StoreError::Damaged { entry: format!("{log}@{seq}") })
}

/// Reads every log back as it was written and compares its root with the one its author signed.
async fn check_logs(target: &mut PgConnection) -> Result<u64, StoreError> {
    let odd = |e: wadi_log::LogError| StoreError::Damaged { entry: e.to_string() };
    let logs = sqlx::query("SELECT log, size, peaks, checkpoint FROM logs").fetch_all(&mut *target).await?;
    for row in &logs {
        let log: Vec<u8> = row.get(0);
        let recorded = Peaks::from_parts(row.get::<i64, _>(1) as u64, row.get(2)).map_err(odd)?;
        let signed = SignedCheckpoint::from_bytes(row.get(3)).map_err(odd)?;
        let mut peaks = Peaks::default();
        let mut stream = sqlx::query("SELECT leaf FROM entries WHERE log = $1 AND main = 1 ORDER BY seq")
            .bind(&log)
            .fetch(&mut *target);
        while let Some(entry) = stream.try_next().await? {
            peaks.append(Hash::from_slice(entry.get(0)).map_err(odd)?);
        }
        if peaks != recorded || peaks.root() != signed.checkpoint.root {
            return Err(StoreError::Damaged {
                entry: format!("{}: its root is not the one signed", signed.checkpoint.log),
            });
        }
    }
    Ok(logs.len() as u64)
}
