//! Encrypts a database in a file, or takes that back: into a new file beside it, which takes its
//! place once it is whole. Whatever cuts that off leaves the old one as it was.

use super::{
    both::at_rest,
    checks::{check_library, check_node, migrate},
    own_file::rescued,
    writer::put,
};
use crate::{
    REBUILD_MARKER, StoreError, StoreKey,
    at_rest::{CellCipher, FoundCells, META_KEY},
    backup, private,
    tables::{self, Of, Rows, TABLES, Table},
};
use rusqlite::{Connection, OpenFlags, types::Value};
use sqlx::{Connection as _, SqliteConnection};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use wadi_log::NodeId;

/// What the new file is called until it is whole.
const COMING: &str = "node.sqlite.encrypting";
/// What may lie beside a database file while SQLite has it open.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Rows written at once, and the bytes after which fewer are.
const ROWS: usize = 2_000;
const BYTES: usize = 4 << 20;

/// What was encrypted, or was brought back into clear.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Recoded {
    /// Entries.
    pub entries: u64,
    /// Rows of all tables that hold anything secret.
    pub rows: u64,
}

/// Which way a database goes.
#[derive(Clone, Debug)]
pub(crate) struct Recoding {
    from: CellCipher,
    to: CellCipher,
}

impl Recoding {
    /// What is to be done with a database that says that of its key and in which that was found;
    /// nothing, where it is as it is to be.
    pub(crate) fn of(
        key: &StoreKey,
        encrypt: bool,
        said: Option<i64>,
        found: FoundCells,
    ) -> Result<Option<Self>, StoreError> {
        let is_encrypted = found == FoundCells::Encrypted || said == Some(key.check());
        let (clear, sealed) = (CellCipher::default(), CellCipher::of(Some(key)));
        match (said, is_encrypted, encrypt) {
            (Some(_), false, _) => Err(StoreError::WrongKey),
            _ if found == FoundCells::Unknown && !is_encrypted => Err(StoreError::WrongKey),
            (_, true, true) | (None, false, false) => Ok(None),
            (_, true, false) => Ok(Some(Self {
                from: sealed,
                to: clear,
            })),
            (None, false, true) => Ok(Some(Self {
                from: clear,
                to: sealed,
            })),
        }
    }

    /// Rows as they are to lie there. A cell that rotted stays as it is.
    pub(crate) fn recode(&self, rows: &mut Rows) {
        rows.map_secrets(
            |cell, stored| match self.from.open_bytes(cell, stored.clone()) {
                Some(clear) => self.to.seal_bytes(cell, clear),
                None => stored,
            },
            |cell, stored| match self.from.open_text(cell, stored.clone()) {
                Some(clear) => self.to.seal_text(cell, &clear).into_owned(),
                None => stored,
            },
        );
    }
}

/// Encrypts `node.sqlite` of a directory, whose node must not run, or brings it back into clear.
/// Nothing where it is so already. After an error, or where it is cut off, the database is what it
/// was before. `progress` hears of rows.
///
/// # Errors
///
/// [`StoreError::WrongKey`] where it is encrypted by another key; [`StoreError::Open`] where
/// something lies beside it that the next start of its node has to put right first.
pub async fn recode_sqlite(
    dir: &Path,
    node: NodeId,
    key: &StoreKey,
    encrypt: bool,
    progress: impl FnMut(u64) + Send + 'static,
) -> Result<Option<Recoded>, StoreError> {
    let (path, coming) = (dir.join("node.sqlite"), dir.join(COMING));
    check_in_order(dir)?;
    discard_unfinished(dir)?;

    let mut conn = super::connect(&path, super::there(&path)).await?;
    check_library(&mut conn).await?;
    migrate(&mut conn).await?;
    check_node(&mut conn, node).await?;
    let said = at_rest::said_key(&mut conn).await?;
    let found = at_rest::found_cells(&mut conn, Some(key)).await?;
    let recoding = Recoding::of(key, encrypt, said, found)?;
    // The last connection moves the WAL into the file.
    conn.close().await?;
    let Some(recoding) = recoding else {
        return Ok(None);
    };

    make_empty(&coming).await?;
    let (from, to, said) = (path.clone(), coming.clone(), encrypt.then(|| key.check()));
    let work = move || fill(&from, &to, &recoding, said, progress);
    let filled = tokio::task::spawn_blocking(work).await;
    let done = filled.map_err(|e| StoreError::Failed(e.to_string()))??;

    put_in_place(&path, &coming)?;
    Ok(Some(done))
}

/// Takes away what a conversion or a restore that was cut off left: half a copy, of whatever is
/// encrypted in clear. Neither is ever gone on with. A restore that had begun to put its copy in
/// place is another matter: nothing starts before it is done.
pub(super) fn discard_unfinished(dir: &Path) -> Result<(), StoreError> {
    remove(&dir.join(COMING))?;
    match backup::restore_unfinished(dir) {
        true => Ok(()),
        false => remove(&dir.join(backup::COMING)),
    }
}

fn failed(path: &Path, why: impl ToString) -> StoreError {
    StoreError::Open {
        path: path.display().to_string(),
        why: why.to_string(),
    }
}

/// Whatever a start sets right is set right before: what it would take for the database's own may
/// lie beside it in clear.
fn check_in_order(dir: &Path) -> Result<(), StoreError> {
    let unfinished = [
        dir.join("node.sqlite-wal-before"),
        rescued(&dir.join("node.sqlite")),
        dir.join(REBUILD_MARKER),
    ];
    if let Some(left) = unfinished.iter().find(|path| path.exists()) {
        let why = "an earlier start has left it: start the node once, which puts it right, stop \
                   it, and try again";
        return Err(failed(left, why));
    }
    if backup::restore_unfinished(dir) {
        let why = "a restore was cut off: run `wadi restore` with the same file again first";
        return Err(failed(dir, why));
    }

    Ok(())
}

fn remove(path: &Path) -> Result<(), StoreError> {
    let beside = BESIDE.map(|ending| PathBuf::from(format!("{}{ending}", path.display())));
    for left in beside.iter().map(PathBuf::as_path).chain([path]) {
        if let Err(error) = fs::remove_file(left)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(failed(left, error));
        }
    }

    Ok(())
}

/// A new database with its tables and no rows.
async fn make_empty(path: &Path) -> Result<(), StoreError> {
    private::create(path).map_err(|e| failed(path, e))?;
    let options = super::there(path)
        .page_size(8192)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    let mut conn: SqliteConnection = super::connect(path, options).await?;
    migrate(&mut conn).await?;
    conn.close().await?;
    Ok(())
}

/// Copies all rows from one file into the other, and holds how many there are against each other.
fn fill(
    from: &Path,
    to: &Path,
    recoding: &Recoding,
    said: Option<i64>,
    mut progress: impl FnMut(u64),
) -> Result<Recoded, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags)?;
    let target = Connection::open_with_flags(to, flags)?;
    source.execute_batch("PRAGMA query_only = 1; BEGIN")?;
    // Nobody looks at the new file before it is whole: it is synced once.
    target.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")?;

    let mut done = Recoded::default();
    for table in TABLES {
        let copied = copy(&source, &target, table, recoding, &mut progress)?;
        let there: i64 =
            target.query_row(&format!("SELECT count(*) FROM {}", table.name), [], |row| {
                row.get(0)
            })?;
        if there as u64 != copied {
            let why = format!(
                "{copied} rows of {} were written, {there} are there",
                table.name
            );
            return Err(StoreError::Malformed(why));
        }

        if table.has_secrets() {
            done.rows += copied;
        }
        if table.name == tables::ENTRIES.name {
            done.entries = copied;
        }
    }

    copy_meta(&source, &target, said)?;
    target.execute_batch("COMMIT; PRAGMA journal_mode = WAL")?;
    target.close().map_err(|(_, e)| StoreError::from(e))?;
    source.execute_batch("COMMIT")?;
    source.close().map_err(|(_, e)| StoreError::from(e))?;
    Ok(done)
}

fn copy(
    source: &Connection,
    target: &Connection,
    table: &'static Table,
    recoding: &Recoding,
    progress: &mut impl FnMut(u64),
) -> Result<u64, StoreError> {
    let sql = format!("SELECT {} FROM {}", table.names(), table.name);
    let mut statement = source.prepare(&sql)?;
    let mut found = statement.query([])?;
    let (mut rows, mut total) = (Rows::of(table), 0);
    loop {
        let row = found.next()?;
        let is_end = row.is_none();
        if let Some(row) = row {
            copy_row(&mut rows, row)?;
        }

        let held = rows.len();
        if held >= ROWS || rows.bytes_held() >= BYTES || (is_end && held > 0) {
            let mut part = std::mem::replace(&mut rows, Rows::of(table));
            recoding.recode(&mut part);
            put(target, &part, "")?;
            total += held as u64;
            progress(held as u64);
        }

        if is_end {
            return Ok(total);
        }
    }
}

fn copy_row(rows: &mut Rows, row: &rusqlite::Row<'_>) -> Result<(), rusqlite::Error> {
    for (at, column) in rows.table.columns.iter().enumerate() {
        match column.of {
            Of::Bytes => rows.bytes_or_none(row.get(at)?),
            Of::Int => rows.int(row.get(at)?),
            Of::Text => rows.text(row.get::<_, String>(at)?),
            Of::Flag => rows.flag(row.get(at)?),
        };
    }

    Ok(())
}

/// Takes over what the database says of itself, but for its key.
fn copy_meta(
    source: &Connection,
    target: &Connection,
    said: Option<i64>,
) -> Result<(), StoreError> {
    let mut statement = source.prepare("SELECT key, value FROM meta WHERE key <> ?1")?;
    let mut found = statement.query([META_KEY])?;
    let put = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
    while let Some(row) = found.next()? {
        let (key, value): (String, Value) = (row.get(0)?, row.get(1)?);
        target.execute(put, (key, value))?;
    }
    if let Some(check) = said {
        target.execute(put, (META_KEY, check))?;
    }

    Ok(())
}

/// Renames the new file over the old one. A WAL that lies beside the old one would be taken for the
/// new one's.
fn put_in_place(path: &Path, coming: &Path) -> Result<(), StoreError> {
    for file in [path, coming] {
        let wal = PathBuf::from(format!("{}-wal", file.display()));
        if fs::metadata(&wal).is_ok_and(|found| found.len() > 0) {
            return Err(failed(&wal, "it was not moved into its database"));
        }
    }

    for ending in BESIDE {
        for file in [path, coming] {
            let left = PathBuf::from(format!("{}{ending}", file.display()));
            if let Err(error) = fs::remove_file(&left)
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(failed(&left, error));
            }
        }
    }

    File::open(coming)
        .and_then(|file| file.sync_all())
        .and_then(|()| fs::rename(coming, path))
        .and_then(|()| private::sync_parent(path))
        .map_err(|e| failed(path, e))
}
