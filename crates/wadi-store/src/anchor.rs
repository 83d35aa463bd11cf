//! The anchor: a small file outside the database that says how far the database had come.
//!
//! A database ahead of its anchor is an ordinary crash between the two syncs. One behind it has
//! lost what was acknowledged: SQLite itself drops a torn or rotten WAL tail without a word. Two
//! slots are written in turn, each with its checksum, so that a torn write leaves the other.

use crate::{StoreError, defence, private};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};
use wadi_log::{Hash, LogId, Tip};

/// Bytes of a slot: one sector of any disk.
const SLOT_BYTES: usize = 4096;
const MAGIC: &[u8; 8] = b"wadianc1";
/// Heads that fit into a slot; a node writes few logs of its own in one epoch.
const HEADS_MAX: usize = (SLOT_BYTES - 8 - 8 - 2 - 32) / (28 + 8 + 32);

/// How far the database had come when it was last acknowledged.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Anchor {
    /// Commits so far.
    pub commits: u64,
    /// Heads of this node's own newest logs.
    pub heads: Vec<(LogId, Tip)>,
}

/// What opening a database found beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AnchorState {
    /// Neither database nor anchor was there.
    New,
    /// The database is as far as its anchor, or ahead of it by commits that were never
    /// acknowledged.
    Whole,
    /// The database lies behind: acknowledged commits are missing.
    LostTail {
        /// Commits that the anchor knows of.
        anchored: u64,
        /// Commits that the database holds.
        held: u64,
        /// Own heads that the anchor knows of.
        heads: Vec<(LogId, Tip)>,
    },
    /// There is a database and no readable anchor: nobody can tell whether it is whole.
    Unanchored,
}

/// The file.
pub struct AnchorFile {
    file: File,
    path: PathBuf,
}

impl AnchorFile {
    /// Opens or creates the anchor and reads the newer of its two slots that is whole.
    pub fn open(path: &Path) -> Result<(Self, Option<Anchor>), StoreError> {
        let why = |e: std::io::Error| StoreError::Open {
            path: path.display().to_string(),
            why: e.to_string(),
        };
        let fresh = !path.exists();
        let file = private::options()
            .read(true)
            .write(true)
            .truncate(false)
            .open(path)
            .map_err(why)?;

        if fresh {
            // Written, not only lengthened: a slot that the disk has given can be written when it
            // is full.
            file.write_all_at(&[0; 2 * SLOT_BYTES], 0).map_err(why)?;
            file.sync_all().map_err(why)?;
        }

        // The names have to survive, too: this file's, and the database's beside it, which SQLite
        // syncs without asking whether that worked.
        private::sync_parent(path).map_err(why)?;
        let newest = newest(&file);

        Ok((
            Self {
                file,
                path: path.into(),
            },
            newest,
        ))
    }

    /// What an anchor says, for looking at it alone: nothing is created.
    pub fn read(path: &Path) -> Result<Option<Anchor>, StoreError> {
        match File::open(path) {
            Ok(file) => Ok(newest(&file)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::Open {
                path: path.display().to_string(),
                why: e.to_string(),
            }),
        }
    }

    /// Writes the slot that is not the newest, and syncs it. Called after the database was synced,
    /// never before.
    pub fn write(&self, anchor: &Anchor) -> Result<(), StoreError> {
        let failed =
            |e: std::io::Error| StoreError::Failed(format!("{}: {e}", self.path.display()));
        let at = (anchor.commits % 2) * SLOT_BYTES as u64;
        self.file
            .write_all_at(&encode(anchor), at)
            .map_err(failed)?;

        if defence::off("anchor-fsync") {
            Ok(())
        } else {
            self.file.sync_data().map_err(failed)
        }
    }
}

/// The newer of the two slots that is whole.
fn newest(file: &File) -> Option<Anchor> {
    let mut newest: Option<Anchor> = None;
    for slot in 0..2 {
        let mut bytes = vec![0; SLOT_BYTES];
        if file
            .read_exact_at(&mut bytes, slot * SLOT_BYTES as u64)
            .is_ok()
            && let Some(anchor) = decode(&bytes)
            && newest.as_ref().is_none_or(|n| n.commits < anchor.commits)
        {
            newest = Some(anchor);
        }
    }

    newest
}

pub(crate) fn encode(anchor: &Anchor) -> Vec<u8> {
    let mut out = Vec::with_capacity(SLOT_BYTES);
    out.extend(MAGIC);
    out.extend(anchor.commits.to_be_bytes());

    let heads = &anchor.heads[..anchor.heads.len().min(HEADS_MAX)];
    out.extend((heads.len() as u16).to_be_bytes());
    for (log, tip) in heads {
        out.extend(log.to_bytes());
        out.extend(tip.size.to_be_bytes());
        out.extend(tip.root.0);
    }

    out.resize(SLOT_BYTES - 32, 0);
    let sum = Sha256::digest(&out);
    out.extend(sum);

    out
}

pub(crate) fn decode(bytes: &[u8]) -> Option<Anchor> {
    let (body, sum) = bytes.split_at_checked(SLOT_BYTES - 32)?;
    if Sha256::digest(body)[..] != *sum || body[..8] != *MAGIC {
        return None;
    }

    let number = |at: usize| u64::from_be_bytes(body[at..at + 8].try_into().expect("8 bytes"));
    let count = u16::from_be_bytes([body[16], body[17]]) as usize;
    let head = |n: usize| {
        let at = 18 + n * 68;
        let log = LogId::from_slice(&body[at..at + 28]).ok()?;
        Some((
            log,
            Tip {
                size: number(at + 28),
                root: Hash::from_slice(&body[at + 36..at + 68]).ok()?,
            },
        ))
    };

    let heads = (0..count.min(HEADS_MAX)).map(head).collect::<Option<_>>()?;
    Some(Anchor {
        commits: number(8),
        heads,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_slot_leaves_the_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchor");
        let (file, found) = AnchorFile::open(&path).unwrap();
        assert_eq!(found, None);
        assert_eq!(AnchorFile::read(&path).unwrap(), None);
        assert_eq!(AnchorFile::read(&dir.path().join("none")).unwrap(), None);
        assert!(!dir.path().join("none").exists());

        for commits in 1..=5 {
            file.write(&Anchor {
                commits,
                heads: vec![],
            })
            .unwrap();
        }

        assert_eq!(AnchorFile::open(&path).unwrap().1.unwrap().commits, 5);
        assert_eq!(AnchorFile::read(&path).unwrap().unwrap().commits, 5);

        let mut bytes = std::fs::read(&path).unwrap();
        bytes[SLOT_BYTES + 9] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(AnchorFile::open(&path).unwrap().1.unwrap().commits, 4);
    }
}
