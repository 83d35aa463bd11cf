//! A database that does not open is set aside as it lies there, and a new one is begun. Nothing is
//! deleted: what can still be read of the old one is taken back ([`crate::Salvage`]), and the
//! anchor, which stays, tells what is missing.
//!
//! SQLite itself throws a WAL away: one whose database is empty or gone, without looking into it,
//! and of any other the frames after the first rotten one, as if they had never been written. So a
//! WAL is copied before SQLite sees it.

use crate::{SqliteStore, StoreError, StoreKey, private, sqlite::rescued};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use wadi_log::NodeId;

/// Where it is set aside, in the node's directory.
const SET_ASIDE: &str = "set-aside";
const DATABASE: &str = "node.sqlite";
const WAL: &str = "node.sqlite-wal";
/// The WAL as it was before SQLite saw it.
const WAL_BEFORE: &str = "node.sqlite-wal-before";
const INDEX: &str = "node.sqlite-shm";
/// A file beside the database that says that it does not read any more, and why: the scrub found it
/// so while it ran.
pub const REBUILD_MARKER: &str = "rebuild";
/// Says why.
const WHY: &str = "why";
/// Bytes of a WAL that holds nothing.
const WAL_HEADER_BYTES: u64 = 32;
/// How often and how many times it is looked whether SQLite has closed a database.
const CLOSING_LOOK: Duration = Duration::from_millis(10);
const CLOSING_LOOKS: u32 = 3_000;

/// A database, or a WAL, that was set aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetAside {
    /// When: its directory's name.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// Why.
    pub why: String,
}

impl SetAside {
    /// Whatever was set aside in a node's directory, the latest first.
    pub fn all(data: &Path) -> Vec<Self> {
        let entries = fs::read_dir(data.join(SET_ASIDE))
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        let dirs = entries.filter(|e| e.path().is_dir()).map(|e| Self {
            name: e.file_name().to_string_lossy().into_owned(),
            dir: e.path(),
            why: fs::read_to_string(e.path().join(WHY))
                .unwrap_or_default()
                .trim()
                .into(),
        });

        let mut all: Vec<Self> = dirs.collect();
        all.sort_by(|a, b| b.name.cmp(&a.name));
        all
    }

    /// Where the database file lies, or would lie.
    pub fn database(&self) -> PathBuf {
        self.dir.join(DATABASE)
    }
}

impl SqliteStore {
    /// As [`Self::open_or_set_aside_with`], of a database that is not encrypted.
    pub async fn open_or_set_aside(
        dir: &Path,
        node: NodeId,
        stamp: &str,
    ) -> Result<Arc<Self>, StoreError> {
        Self::open_or_set_aside_with(dir, node, None, stamp).await
    }

    /// Opens a node's database as [`SqliteStore::open_with`] does. One that does not read is set
    /// aside under `stamp`, the time, and a new one is begun; so is a WAL without its database,
    /// and one of which SQLite has dropped what was acknowledged. A copy that the last run made of
    /// a database that lost its name takes the place of whatever lies there now, which is set
    /// aside. Any other error is returned, and nothing was moved.
    pub async fn open_or_set_aside_with(
        dir: &Path,
        node: NodeId,
        key: Option<&StoreKey>,
        stamp: &str,
    ) -> Result<Arc<Self>, StoreError> {
        // What is copied keeps its mode.
        private::close_all(dir);
        if dir.join(WAL_BEFORE).exists() {
            // Left by a start that was cut short: what SQLite has made of the WAL since may be
            // less.
            if is_same(dir) {
                remove_copy(dir);
            } else {
                set_aside(
                    dir,
                    stamp,
                    &[WAL_BEFORE],
                    "a start was cut short while it read this WAL",
                )?;
            }
        }

        take_rescued(dir, stamp)?;

        if let Ok(why) = fs::read_to_string(dir.join(REBUILD_MARKER)) {
            // The marker goes last: a start that is cut short before that finds it again.
            let place = set_aside(
                dir,
                stamp,
                &[DATABASE, WAL, INDEX, REBUILD_MARKER],
                why.trim(),
            )?;

            tracing::error!(
                %why,
                dir = %place.display(),
                "the database was found damaged: it is set aside, and a new one is begun",
            );
            return Self::open_with(dir, node, key).await;
        }

        let why = if is_orphan(dir) {
            "the database is gone, its WAL is not".to_string()
        } else {
            let copied = copy_wal(dir);
            match Self::open_with(dir, node, key).await {
                Ok(store) if copied && store.lost_anew => {
                    let why = "the WAL has lost what was acknowledged";
                    let place = set_aside(dir, stamp, &[WAL_BEFORE], why)?;
                    tracing::error!(dir = %place.display(), "{why}; as it was it is set aside");
                    return Ok(store);
                }
                Ok(store) => {
                    remove_copy(dir);
                    return Ok(store);
                }
                Err(StoreError::Malformed(why)) => why,
                Err(error) => {
                    if is_same(dir) {
                        remove_copy(dir);
                    }
                    return Err(error);
                }
            }
        };

        until_closed(dir).await?;
        let place = set_aside(dir, stamp, &[DATABASE, WAL, WAL_BEFORE, INDEX], &why)?;
        tracing::error!(
            %why,
            dir = %place.display(),
            "the database does not open: it is set aside, and a new one is begun",
        );

        Self::open_with(dir, node, key).await
    }
}

/// Puts a copy that was made of a database which lost its name while its node ran back into its
/// place. The copy moves last: a start that is cut short before that finds it again.
fn take_rescued(dir: &Path, stamp: &str) -> Result<(), StoreError> {
    let place = dir.join(DATABASE);
    let copy = rescued(&place);
    if !copy.exists() {
        return Ok(());
    }

    if [DATABASE, WAL, INDEX]
        .iter()
        .any(|name| dir.join(name).exists())
    {
        let why = "it stood where the node's database was moved, deleted or replaced";
        set_aside(dir, stamp, &[DATABASE, WAL, INDEX], why)?;
    }
    tracing::error!(
        copy = %copy.display(),
        "the database was moved, deleted or replaced while the node ran; the copy that was made \
         of it takes its place",
    );

    fs::rename(&copy, &place)
        .and_then(|()| File::open(dir)?.sync_all())
        .map_err(|e| StoreError::Open {
            path: copy.display().to_string(),
            why: e.to_string(),
        })
}

/// A connection that failed is closed by its own thread, which at last deletes whatever WAL then
/// has the name of its own: it must not be that of a new database.
async fn until_closed(dir: &Path) -> Result<(), StoreError> {
    let path = dir
        .canonicalize()
        .unwrap_or_else(|_| dir.into())
        .join(DATABASE);
    let is_open = || {
        let files = fs::read_dir("/proc/self/fd")
            .into_iter()
            .flatten()
            .filter_map(Result::ok);

        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|file| file == path)
    };

    for _ in 0..CLOSING_LOOKS {
        if !is_open() {
            return Ok(());
        }
        tokio::time::sleep(CLOSING_LOOK).await;
    }

    Err(StoreError::Open {
        path: path.display().to_string(),
        why: "it does not read, and is not closed".into(),
    })
}

fn bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |m| m.len())
}

/// A WAL that holds something, beside a database that holds nothing.
fn is_orphan(dir: &Path) -> bool {
    bytes(&dir.join(DATABASE)) == 0 && bytes(&dir.join(WAL)) > WAL_HEADER_BYTES
}

/// Whether the WAL is what it was when it was copied.
fn is_same(dir: &Path) -> bool {
    let now = fs::read(dir.join(WAL));
    let before = fs::read(dir.join(WAL_BEFORE));
    matches!((now, before), (Ok(now), Ok(before)) if now == before)
}

/// Copies the WAL, durably. Without room for that the node starts all the same.
fn copy_wal(dir: &Path) -> bool {
    let (from, to) = (dir.join(WAL), dir.join(WAL_BEFORE));
    if bytes(&from) <= WAL_HEADER_BYTES {
        return false;
    }

    let copied = fs::copy(&from, &to).and_then(|_| File::open(&to)?.sync_all());
    if let Err(error) = &copied {
        tracing::warn!(%error, "the WAL could not be copied before it is opened");
        remove_copy(dir);
    }

    copied.is_ok()
}

fn remove_copy(dir: &Path) {
    let path = dir.join(WAL_BEFORE);
    if let Err(error) = fs::remove_file(&path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "a copy that is no longer needed stays");
    }
}

/// Moves what there is of these files into a directory of their own; its name and theirs survive a
/// power cut.
fn set_aside(dir: &Path, stamp: &str, names: &[&str], why: &str) -> Result<PathBuf, StoreError> {
    let parent = dir.join(SET_ASIDE);
    let numbered = |n: u32| {
        if n == 0 {
            parent.join(stamp)
        } else {
            parent.join(format!("{stamp}-{n}"))
        }
    };

    let place = (0..1_000)
        .map(numbered)
        .find(|place| !place.exists())
        .unwrap_or_else(|| parent.join(stamp));
    let failed = |e: io::Error| StoreError::Open {
        path: place.display().to_string(),
        why: e.to_string(),
    };

    move_files(dir, &place, names, why).map_err(failed)?;
    Ok(place)
}

fn move_files(dir: &Path, place: &Path, names: &[&str], why: &str) -> io::Result<()> {
    private::create_dir_all(place)?;
    private::write(&place.join(WHY), format!("{why}\n").as_bytes())?;
    for name in names {
        match fs::rename(dir.join(name), place.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }

    for changed in [place, &dir.join(SET_ASIDE), dir] {
        File::open(changed)?.sync_all()?;
    }

    Ok(())
}
