//! Copies of a node's database: made while it is written to, read for what they hold, and put in
//! the place of the present one, which is kept under another name.
//!
//! No anchor is touched here. A copy holds less than was acknowledged since it was made; that the
//! anchor says so is how the node finds out, and fetches the rest back from its peers.

mod copy;
mod dump;
mod dump_audit;
#[cfg(test)]
mod tests;

pub use copy::{CopyReader, copy_sqlite};
pub use dump::{dump_postgres, fill_postgres};
pub use dump_audit::{DumpAudit, audit_dump};

use crate::{REBUILD_MARKER, StoreError, postgres, private, sqlite};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};
use wadi_log::{LogId, NodeId, Tip};

/// Under which name a copy lies in a node's directory until it is put in the place of
/// `node.sqlite`.
pub const COMING: &str = "node.sqlite.restoring";

/// The file that stands in a node's directory from before the first renaming until after the last.
const MARKER: &str = "restore.unfinished";

/// What may lie beside a database file and belongs to it.
const BESIDE: [&str; 4] = ["-wal", "-wal-before", "-shm", "-journal"];

/// What a database says that it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyFacts {
    /// Whose it is. One on PostgreSQL may be a pair's, and does not say.
    pub node: Option<NodeId>,
    /// The version of its schema.
    pub schema: i64,
    /// Commits so far.
    pub commits: u64,
    /// Records.
    pub records: u64,
    /// Entries, on whichever branch.
    pub entries: u64,
    /// Size and root of each log, ascending.
    pub logs: Vec<(LogId, Tip)>,
}

/// The newest schema that this version knows, of a database in a file or on PostgreSQL.
pub fn known_schema(on_postgres: bool) -> i64 {
    if on_postgres {
        postgres::MIGRATIONS.len() as i64
    } else {
        sqlite::MIGRATIONS.len() as i64
    }
}

fn unreadable(path: &Path, e: std::io::Error) -> StoreError {
    match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StoreError::Full(format!("{}: {e}", path.display()))
        }
        _ => StoreError::Open {
            path: path.display().to_string(),
            why: e.to_string(),
        },
    }
}

fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| unreadable(dir, e))
}

/// Whether a restore was cut off between two renamings: the directory's database is not to be
/// opened until it is done.
pub fn restore_unfinished(dir: &Path) -> bool {
    dir.join(MARKER).exists()
}

/// Puts the copy that lies in a node's directory as [`COMING`] in the place of `node.sqlite`. The
/// present database is kept, with what lies beside it, as `node.sqlite.before-restore-TIME`;
/// returns where. Cut off by a crash, it is done by doing it again: in between
/// [`restore_unfinished`] holds.
pub fn put_in_place(dir: &Path, time: &str) -> Result<Option<PathBuf>, StoreError> {
    let marker = dir.join(MARKER);
    // A marker that was not written to its end was not followed by any renaming.
    let begun = fs::read_to_string(&marker)
        .ok()
        .filter(|name| name.ends_with('\n'));
    let name = match begun {
        Some(name) => name.trim_end().to_string(),
        None => {
            let name = free_name(dir, format!("node.sqlite.before-restore-{time}"));
            private::write(&marker, format!("{name}\n").as_bytes())
                .map_err(|e| unreadable(&marker, e))?;
            sync_dir(dir)?;
            name
        }
    };

    // What it says is said of the present database: the next start would set aside the copy.
    let rebuild = dir.join(REBUILD_MARKER);
    if let Err(e) = fs::remove_file(&rebuild)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        return Err(unreadable(&rebuild, e));
    }

    let rename = |from: &Path, to: &Path| fs::rename(from, to).map_err(|e| unreadable(from, e));
    // What belongs to the old file goes first: beside the new one it would be taken for the new
    // one's.
    for ending in BESIDE.into_iter().chain([""]) {
        let from = dir.join(format!("node.sqlite{ending}"));
        if from.exists() {
            rename(&from, &dir.join(free_name(dir, format!("{name}{ending}"))))?;
        }
    }

    sync_dir(dir)?;
    rename(&dir.join(COMING), &dir.join("node.sqlite"))?;
    sync_dir(dir)?;
    fs::remove_file(&marker).map_err(|e| unreadable(&marker, e))?;
    sync_dir(dir)?;

    let kept = dir.join(name);
    Ok(kept.exists().then_some(kept))
}

/// That name, or where it is taken the first with a number.
fn free_name(dir: &Path, name: String) -> String {
    let numbered = (2u32..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.clone())
        .chain(numbered)
        .find(|n| !dir.join(n).exists())
        .expect("some number is free")
}
