//! The one connection that writes, on a thread of its own: whatever a group of batches needs of
//! SQLite happens there, one call after the other.

use super::own_file::OwnFile;
use crate::{
    Batch, StoreError,
    at_rest::CellCipher,
    defence,
    queue::{GroupWriter, Progress},
    tables::{Cells, Rows},
    writes::{Answer, Arg, Cell, Known, WriteConnection, write_batch, write_counters},
};
use async_trait::async_trait;
use rusqlite::{CachedStatement, Connection, OpenFlags, types::ValueRef};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// WAL frames after which they are moved into the database file.
const WAL_FRAMES: i64 = 2_000;
/// How often so many have to be in it until readers are waited for: 128 MiB.
const LONG_TIMES: i64 = 8;
/// How long readers are waited for. One that reads for longer is not held up, and holds up nobody.
const READERS_WAIT: Duration = Duration::from_millis(250);
/// And how long at a stretch. SQLite waits for the mark at which a reader stood when it looked;
/// readers that come after the last commit may take up that mark and hand it on for ever. Whoever
/// looks anew sees that they hold up nothing.
const READERS_TURN: Duration = Duration::from_millis(50);

/// Statements kept prepared: a handful for each table.
pub(super) const STATEMENTS: usize = 256;
/// Rows that one statement may insert: few numbers, so that few statements are prepared.
const ROWS_AT_ONCE: [usize; 4] = [64, 16, 4, 1];
/// The places of values in a statement. SQLite numbers them as it meets them.
const PLACES: [&str; 4] = ["$1", "$2", "$3", "$4"];

thread_local! {
    /// Frames in the WAL after this thread's last commit.
    static FRAMES: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
}

/// The connection, and what is known of the tables behind it.
struct WriterConnection {
    conn: Connection,
    cipher: CellCipher,
    known: Known,
}

impl WriterConnection {
    fn open(path: &Path, cipher: CellCipher) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(super::BUSY)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS);

        let synchronous = if defence::off("db-fsync") {
            "OFF"
        } else {
            "FULL"
        };
        // What a batch's undoing needs stays in memory: another disk, of temporary files, may be
        // full. A rotten page is found when it is read, and not when something has been made of it.
        // The writer moves the WAL itself (`move_wal`).
        conn.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; \
             PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON; \
             PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -{};",
            super::WRITER_CACHE_KIB
        ))?;
        conn.wal_hook(Some(|_, frames| {
            FRAMES.set(i64::from(frames));
            Ok(())
        }));

        Ok(Self {
            conn,
            cipher,
            known: Known::default(),
        })
    }

    /// Begins, ends, or goes back to a point.
    fn control(&mut self, sql: &str) -> Result<(), rusqlite::Error> {
        self.conn.prepare_cached(sql)?.raw_execute()?;
        Ok(())
    }

    /// Undoes the transaction, where SQLite has not done so by itself.
    fn undo(&mut self) -> Result<(), rusqlite::Error> {
        self.known = Known::default();
        if self.conn.is_autocommit() {
            return Ok(());
        }
        self.control("ROLLBACK")
    }

    /// Moves the whole WAL into the database file and begins it anew. Readers that take turns, so
    /// that there is never none, would let it grow for ever: those that go by what lies in it are
    /// waited for, and whoever comes meanwhile reads the database file alone.
    fn empty_wal(&self) -> Result<(), rusqlite::Error> {
        let until = Instant::now() + defence::readers_wait(READERS_WAIT);
        self.conn.busy_timeout(READERS_TURN)?;
        let moved = loop {
            let held_up = self
                .conn
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                    row.get::<_, bool>("busy")
                });
            match held_up {
                Ok(true) if Instant::now() < until => {}
                moved => break moved.map(drop),
            }
        };

        self.conn.busy_timeout(super::BUSY)?;
        moved
    }

    fn bound(&self, sql: &str, args: &[Arg<'_>]) -> Result<CachedStatement<'_>, rusqlite::Error> {
        let mut statement = self.conn.prepare_cached(sql)?;
        for (place, arg) in PLACES.iter().zip(args) {
            let Some(at) = statement.parameter_index(place)? else {
                continue;
            };
            match arg {
                Arg::Bytes(bytes) => statement.raw_bind_parameter(at, bytes)?,
                Arg::Int(number) => statement.raw_bind_parameter(at, number)?,
                Arg::Text(text) => statement.raw_bind_parameter(at, text)?,
            }
        }

        Ok(statement)
    }

    fn read(&self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Answer>, rusqlite::Error> {
        let mut statement = self.bound(sql, args)?;
        let names: Arc<[String]> = statement
            .column_names()
            .into_iter()
            .map(String::from)
            .collect();

        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let cells = (0..names.len()).map(|at| Ok(cell(row.get_ref(at)?)));
            let cells = cells.collect::<Result<_, rusqlite::Error>>()?;
            found.push(Answer::new(names.clone(), cells));
        }

        Ok(found)
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(text) => match std::str::from_utf8(text) {
            Ok(text) => Cell::Text(text.to_string()),
            Err(_) => Cell::Other,
        },
        ValueRef::Null | ValueRef::Real(_) => Cell::Other,
    }
}

/// Puts rows into their table.
pub(super) fn put(conn: &Connection, rows: &Rows, conflict: &str) -> Result<(), rusqlite::Error> {
    let (mut from, total) = (0, rows.len());
    while from < total {
        let count = ROWS_AT_ONCE
            .into_iter()
            .find(|n| *n <= total - from)
            .unwrap_or(1);

        let sql = insert_sql(rows, count, conflict);
        let mut statement = conn.prepare_cached(&sql)?;
        let mut place = 0;
        for row in from..from + count {
            for column in &rows.cells {
                place += 1;
                match column {
                    Cells::Bytes(cells) => {
                        statement.raw_bind_parameter(place, cells[row].as_deref())?;
                    }
                    Cells::Int(cells) => statement.raw_bind_parameter(place, cells[row])?,
                    Cells::Text(cells) => {
                        statement.raw_bind_parameter(place, cells[row].as_str())?;
                    }
                    Cells::Flag(cells) => statement.raw_bind_parameter(place, cells[row])?,
                }
            }
        }

        statement.raw_execute()?;
        from += count;
    }

    Ok(())
}

/// A statement that inserts so many rows.
fn insert_sql(rows: &Rows, count: usize, conflict: &str) -> String {
    let places = vec!["?"; rows.cells.len()].join(", ");
    let places = vec![format!("({places})"); count].join(", ");
    let (table, names) = (rows.table.name, rows.table.names());

    format!("INSERT INTO {table} ({names}) VALUES {places} {conflict}")
}

#[async_trait]
impl WriteConnection for WriterConnection {
    fn each(&self) -> &'static str {
        super::EACH
    }

    async fn execute(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, StoreError> {
        let changed = self.bound(sql, args)?.raw_execute()?;
        Ok(changed as u64)
    }

    async fn rows(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Answer>, StoreError> {
        Ok(self.read(sql, args)?)
    }

    async fn insert(&mut self, mut rows: Rows, conflict: &str) -> Result<(), StoreError> {
        self.cipher.seal_rows(&mut rows);
        Ok(put(&self.conn, &rows, conflict)?)
    }

    fn cipher(&self) -> &CellCipher {
        &self.cipher
    }

    fn known(&mut self) -> &mut Known {
        &mut self.known
    }
}

/// Writes groups of batches.
pub(super) struct Writer {
    path: PathBuf,
    own: OwnFile,
    conn: WriterConnection,
    progress: Progress,
    /// From how many frames in the WAL on readers are waited for.
    long_from: i64,
}

impl Writer {
    pub(super) fn open(
        path: &Path,
        cipher: CellCipher,
        progress: Progress,
    ) -> Result<Self, StoreError> {
        let conn = WriterConnection::open(path, cipher)?;
        let own = OwnFile::of(path).map_err(|e| StoreError::Open {
            path: path.display().to_string(),
            why: e.to_string(),
        })?;

        Ok(Self {
            path: path.into(),
            own,
            conn,
            progress,
            long_from: defence::wal_frames(WAL_FRAMES) * LONG_TIMES,
        })
    }

    /// Writes a batch so that it can be undone alone.
    async fn write_part(&mut self, batch: &Batch) -> Result<Result<(), StoreError>, StoreError> {
        let before = self.conn.known.clone();
        self.conn.control("SAVEPOINT batch")?;

        let outcome = write_batch(&mut self.conn, batch).await;
        if let Err(error @ (StoreError::Failed(_) | StoreError::Full(_))) = outcome {
            return Err(error);
        }
        if let Err(error) = &outcome {
            // SQLite undid the whole transaction by itself: there is no point to go back to.
            if self.conn.conn.is_autocommit() {
                return Err(error.clone());
            }

            self.conn.known = Known::undone_to(&before);
            self.conn.control("ROLLBACK TO batch")?;
        }

        self.conn.control("RELEASE batch")?;
        Ok(outcome)
    }

    /// Moves the WAL into the database file once it is long. Left to do so by itself, SQLite keeps
    /// to itself that a sync of the database file failed, and syncs again with the next commit: the
    /// second sync says yes to pages that the first one lost. The group is durable by now: only a
    /// failure that puts all in doubt is told.
    fn move_wal(&mut self) -> Result<(), StoreError> {
        let (frames, short) = (FRAMES.get(), defence::wal_frames(WAL_FRAMES));
        if frames < short {
            self.long_from = short * LONG_TIMES;
            return Ok(());
        }

        let moved = match frames < self.long_from || defence::off("wal-bound") {
            true => self
                .conn
                .read("PRAGMA wal_checkpoint(PASSIVE)", &[])
                .map(drop),
            false => {
                self.long_from = frames + short * LONG_TIMES;
                self.conn.empty_wal()
            }
        };
        match moved.map_err(StoreError::from) {
            Err(failed @ StoreError::Failed(_)) => Err(failed),
            Err(error) => {
                tracing::warn!(
                    %error,
                    "the WAL could not be moved into the database file; it grows until it can"
                );
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }
}

#[async_trait]
impl GroupWriter for Writer {
    async fn write(
        &mut self,
        group: &[Box<Batch>],
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        if !defence::off("own-file") {
            self.own.check(&self.conn.conn)?;
        }

        self.conn.control("BEGIN IMMEDIATE")?;
        let mut each = Vec::with_capacity(group.len());
        match group {
            [batch] => match write_batch(&mut self.conn, batch).await {
                Ok(()) => each.push(Ok(())),
                Err(error @ (StoreError::Failed(_) | StoreError::Full(_))) => return Err(error),
                Err(error) => {
                    self.conn.undo()?;
                    return Ok(vec![Err(error)]);
                }
            },
            several => {
                for batch in several {
                    each.push(self.write_part(batch).await?);
                }
            }
        }

        write_counters(&mut self.conn, self.progress.commits + 1).await?;

        // A failed COMMIT may have reached the disk or not: only verifying tells. ENOSPC while the
        // WAL grows is the one that SQLite undoes whole.
        self.conn
            .control("COMMIT")
            .map_err(|e| match StoreError::from(e) {
                full @ StoreError::Full(_) => full,
                other => StoreError::Failed(other.to_string()),
            })?;
        self.progress.advance(group, &each)?;
        self.move_wal()?;

        Ok(each)
    }

    fn known(&mut self) -> &mut Known {
        &mut self.conn.known
    }

    async fn reopen(&mut self) -> Result<(), StoreError> {
        // A statement that failed may have left the connection inside a transaction that SQLite has
        // undone: a new connection knows where it stands.
        let cipher = self.conn.cipher.clone();
        self.conn = WriterConnection::open(&self.path, cipher)
            .map_err(|e| StoreError::Failed(e.to_string()))?;
        Ok(())
    }

    async fn close(self) {
        let _ = self.conn.conn.close();
    }
}
