//! The very file that a running node writes. Whoever moves, deletes or replaces it does not stop
//! the node's connection: that goes on writing to a file that has no name any more, and what it
//! acknowledges is gone with the process. So the writer looks before each group, and copies what it
//! holds before it stops.

use crate::{StoreError, private};
use rusqlite::Connection;
use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What the database's name ends in where its content was copied from under the node.
const RESCUED: &str = "sqlite.rescued";
/// The same while it is copied: a copy that was cut short is nobody's.
const UNFINISHED: &str = "sqlite.rescuing";

/// Where a copy lies that was made of a database that lost its name.
pub(crate) fn rescued(database: &Path) -> PathBuf {
    database.with_extension(RESCUED)
}

/// A database's file, by what the file system knows it by.
pub(super) struct OwnFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl OwnFile {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let found = fs::metadata(path)?;
        Ok(Self {
            path: path.into(),
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// Nothing, while the name still leads to this file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] where it leads elsewhere or nowhere. All that the connection holds
    /// was copied by then, and the error says where to, or why not.
    pub(super) fn check(&self, conn: &Connection) -> Result<(), StoreError> {
        let is_own = match fs::metadata(&self.path) {
            Ok(found) => (found.dev(), found.ino()) == (self.device, self.inode),
            // Whether a disk fails SQLite tells better.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if is_own {
            return Ok(());
        }

        let copied = match copy(conn, &self.path) {
            Ok(place) => format!(
                "all that was acknowledged is copied to {}, which the next start takes in its \
                 place",
                place.display()
            ),
            Err(why) => format!("what it holds could not be copied: {why}"),
        };
        Err(StoreError::Failed(format!(
            "{} was moved, deleted or replaced while the node ran; {copied}",
            self.path.display()
        )))
    }
}

/// Copies what a connection reads, durably, to where the next start looks for it.
fn copy(conn: &Connection, database: &Path) -> Result<PathBuf, String> {
    let (unfinished, place) = (
        database.with_extension(UNFINISHED),
        database.with_extension(RESCUED),
    );
    let failed = |e: io::Error| format!("{}: {e}", unfinished.display());

    // SQLite copies into an empty file alone, whose mode it keeps.
    if let Err(error) = fs::remove_file(&unfinished)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(failed(error));
    }
    private::create(&unfinished).map_err(failed)?;

    let name = unfinished.to_str().ok_or("its name is not UTF-8")?;
    conn.execute("VACUUM INTO ?1", [name])
        .map_err(|e| e.to_string())?;
    File::open(&unfinished)
        .and_then(|f| f.sync_all())
        .and_then(|()| fs::rename(&unfinished, &place))
        .and_then(|()| private::sync_parent(database))
        .map_err(failed)?;
    Ok(place)
}
