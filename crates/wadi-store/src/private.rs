//! Files that only the node's own user may read: databases, anchors, tokens, keys and copies of
//! them. They are created so, whatever the umask is, and what an older version or a copy left open
//! to others is closed at the next start.
//!
//! SQLite gives `-wal` and `-shm` the mode of the database beside them, so a database is created
//! here before SQLite sees it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Mode of a file with something secret in it.
const FILE: u32 = 0o600;
/// Mode of a directory of such files.
const DIR: u32 = 0o700;
/// What others need of a directory to pass through it.
const PASSAGE: u32 = 0o011;
/// What others than the owner may do.
const OTHERS: u32 = 0o077;
/// Names that are tried for a file that is being written: others may lie there since a crash.
const NAMES_MAX: u32 = 1_000;
/// What a node's directory holds of its own; the rest of it is its operator's.
const OWN: [&str; 9] = [
    "node.sqlite",
    "anchor",
    "operator.token",
    "ballast",
    "lock",
    "clean",
    "rebuild",
    "restore.",
    "set-aside",
];

/// Options that create a file, where there is none, for its owner alone.
pub fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(FILE);
    options
}

/// Writes a file for its owner alone, whole or not at all, in the place of one that may be there,
/// and syncs it. Nothing is written into what lies there, or where a link leads.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (unfinished, mut file) = create_beside(path)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&unfinished, path));

    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// Creates a file that is not there yet, for its owner alone. Whatever has the name already, a link
/// that leads nowhere among it, stays as it is.
///
/// # Errors
///
/// `AlreadyExists` where something has the name.
pub fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE).open(path)
}

/// Creates a file beside another one, under a name that nothing has: others may write in that
/// directory, too, and lay something under a name that they can foresee.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let mut tried = 0;
    loop {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}-{number}.part", std::process::id()));
        let name = PathBuf::from(name);

        tried += 1;
        match create_new(&name) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && tried < NAMES_MAX => {}
            made => return made.map(|file| (name, file)),
        }
    }
}

/// Creates an empty file for its owner alone, unless there is one.
pub fn create(path: &Path) -> io::Result<File> {
    options().write(true).truncate(false).open(path)
}

/// Makes the names in a file's directory survive a power cut.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Makes a directory for its owner alone, and those that it lies in where they are missing.
pub fn create_dir_all(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIR).create(path)
}

/// Lets others pass through a directory to what they own in it, and not list it.
pub fn allow_passage(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    fs::set_permissions(path, fs::Permissions::from_mode(mode | PASSAGE))
}

/// The mode of a file that others than its owner may read, write or run; nothing of any other.
pub fn exposed(path: &Path) -> Option<u32> {
    let mode = fs::symlink_metadata(path)
        .ok()
        .filter(|m| !m.is_symlink())?
        .permissions()
        .mode()
        & 0o7777;

    (mode & OTHERS != 0).then_some(mode)
}

/// Takes from others what they may do with a file or a directory, and says so in the log.
pub fn close(path: &Path) {
    let Some(mode) = exposed(path) else { return };
    let closed = fs::set_permissions(path, fs::Permissions::from_mode(mode & !OTHERS));
    match closed {
        Ok(()) => {
            tracing::warn!(
                path = %path.display(),
                was = format!("{mode:o}"),
                "others could read this: its mode is set right",
            );
        }
        Err(error) => {
            tracing::error!(
                path = %path.display(),
                mode = format!("{mode:o}"),
                %error,
                "others can read this: chmod go= it",
            );
        }
    }
}

/// The same for everything that a node's directory holds of its own.
pub fn close_all(dir: &Path) {
    let entries = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);

    for entry in entries {
        let name = entry.file_name();
        if OWN
            .iter()
            .any(|own| name.to_string_lossy().starts_with(own))
        {
            close_below(&entry.path());
        }
    }
}

fn close_below(path: &Path) {
    close(path);
    if !path.is_symlink() && path.is_dir() {
        let entries = fs::read_dir(path)
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        entries.for_each(|entry| close_below(&entry.path()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use crate::{AnchorFile, SqliteStore};
    use wadi_log::LogKey;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn open_to_others(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.path();
            found.extend(exposed(&path).map(|mode| format!("{} {mode:o}", path.display())));
            if path.is_dir() {
                found.extend(open_to_others(&path));
            }
        }

        found
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whatever_a_store_creates_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let node = LogKey::from_seed(&[3; 32]).node();
        let store = SqliteStore::open(dir.path(), node).await.unwrap();
        for name in [
            "node.sqlite",
            "node.sqlite-wal",
            "node.sqlite-shm",
            "anchor",
        ] {
            assert_eq!(
                format!("{:o}", mode(&dir.path().join(name))),
                "600",
                "{name}"
            );
        }

        crate::copy_sqlite(&dir.path().join("node.sqlite"), &dir.path().join("copy"))
            .await
            .unwrap();
        store.close().await;
        drop(store);

        // What does not open is set aside, and begun anew.
        fs::write(
            dir.path().join("node.sqlite"),
            "this is no database, and never was one",
        )
        .unwrap();

        let store = SqliteStore::open_or_set_aside(dir.path(), node, "T")
            .await
            .unwrap();
        store.close().await;
        assert!(dir.path().join("set-aside/T/why").exists());
        assert_eq!(open_to_others(dir.path()), Vec::<String>::new());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_others_could_read_is_closed_at_the_next_start_and_nothing_of_the_operators() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let node = LogKey::from_seed(&[3; 32]).node();
        let store = SqliteStore::open(dir.path(), node).await.unwrap();

        store.close().await;
        drop(store);
        fs::create_dir_all(at("set-aside/old")).unwrap();

        let written = [
            "set-aside/old/node.sqlite",
            "node.sqlite.before-restore-T",
            "operator.token",
            "node.toml",
        ];

        written
            .iter()
            .for_each(|name| fs::write(at(name), "x").unwrap());

        let own = ["node.sqlite", "anchor", "set-aside", "set-aside/old"]
            .iter()
            .chain(&written[..3]);
        own.clone().for_each(|name| {
            fs::set_permissions(at(name), fs::Permissions::from_mode(0o777)).unwrap()
        });
        fs::set_permissions(at("node.toml"), fs::Permissions::from_mode(0o644)).unwrap();

        let store = SqliteStore::open(dir.path(), node).await.unwrap();
        store.close().await;
        for name in own {
            assert_eq!(mode(&at(name)) & OTHERS, 0, "{name}");
        }

        assert_eq!(mode(&at("node.toml")), 0o644);
    }

    #[test]
    fn what_is_written_over_is_closed_and_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(
            (mode(&path), fs::read_to_string(&path).unwrap()),
            (0o600, "new".into())
        );

        let others = dir.path().join("others");
        fs::write(&others, "x").unwrap();
        fs::set_permissions(&others, fs::Permissions::from_mode(0o644)).unwrap();

        // Nor is one written through, where it leads to a file or nowhere.
        for leads_to in [&others, &dir.path().join("nowhere")] {
            let link = dir.path().join("link");
            std::os::unix::fs::symlink(leads_to, &link).unwrap();
            assert!(create_new(&link).is_err());
            write(&link, b"new").unwrap();
            assert!(!link.is_symlink() && mode(&link) == 0o600);
            fs::remove_file(&link).unwrap();
        }
        assert_eq!(fs::read_to_string(&others).unwrap(), "x");
        assert!(!dir.path().join("nowhere").exists());

        std::os::unix::fs::symlink(&others, dir.path().join("node.sqlite")).unwrap();
        close_all(dir.path());
        assert_eq!(mode(&others), 0o644);

        let deep = dir.path().join("a/b");
        create_dir_all(&deep).unwrap();
        assert_eq!((mode(&deep), mode(&dir.path().join("a"))), (0o700, 0o700));

        AnchorFile::open(&deep.join("anchor")).unwrap();
        assert_eq!(mode(&deep.join("anchor")), 0o600);
    }
}
