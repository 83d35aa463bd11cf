//! What a task was at when it ended: set aside at the next start, so that one bad thing cannot end
//! a node again and again.
//!
//! A task that panics takes the process down in order. Before that, what it was at is written to
//! `suspects.json` in the data directory. The next start refuses that block, excerpt or write by
//! name and shows it; all else goes on. Where a whole group is suspected, the next start works
//! things off one at a time, so that a second panic names the one. A new version of the software
//! tries everything again, and so does an operator who removes the file.

use serde::{Deserialize, Serialize};
use std::{
    io,
    path::{Path, PathBuf},
};
use wadi_log::{LogId, RecordId};

/// What whoever sent it is told of something that is set aside.
pub(crate) const SET_ASIDE: &str = "set_aside";
/// The file's name in a data directory.
const FILE: &str = "suspects.json";
/// Suspects kept at most: the oldest go first, for a node that ends so often needs a person.
const SUSPECTS_MAX: usize = 64;
/// Ends of a task that the node can do without, after which it is left off until somebody looks.
const ENDS_MAX: u32 = 3;
/// Tasks without which a node still records and syncs.
const DISPENSABLE: [&str; 5] = ["scrubber", "resyncs", "spool", "replica_digests", "room"];
/// Characters kept of a reason: a panic may quote what came from outside.
const WHY_CHARS_MAX: usize = 300;

/// Something that a task was at when it ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Suspect {
    /// A block of a log: entries from one position up to another.
    Block {
        /// The log's origin.
        log: String,
        /// Its first position.
        from: u64,
        /// The position after its last.
        to: u64,
    },
    /// An excerpt of a record.
    Excerpt {
        /// The record's id.
        record: String,
    },
    /// A write of this node's own, by the hash of what was to be written.
    Write {
        /// SHA-256, hexadecimal.
        digest: String,
    },
    /// A record that was looked at.
    Record {
        /// Its id.
        record: String,
    },
}

impl Suspect {
    /// A block of a log.
    pub(crate) fn block(log: &LogId, from: u64, to: u64) -> Self {
        Self::Block {
            log: log.origin(),
            from,
            to,
        }
    }
}

impl std::fmt::Display for Suspect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Block { log, from, to } => write!(f, "entries {from}..{to} of {log}"),
            Self::Excerpt { record } => write!(f, "an excerpt of {record}"),
            Self::Write { digest } => write!(f, "the write with digest {digest}"),
            Self::Record { record } => write!(f, "record {record}"),
        }
    }
}

/// An end of a task.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskEnd {
    /// The task's name.
    pub task: String,
    /// The panic's message, or that it ended without one.
    pub why: String,
    /// What it was at.
    pub at: Vec<Suspect>,
    /// When, Unix milliseconds.
    pub at_ms: i64,
    /// How often it ended since the last stop in order.
    pub times: u32,
}

/// What a start knows of the ends before it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Suspects {
    /// The software that ended so: another version tries again.
    software: String,
    /// The last end of each task, and all that named exactly one thing.
    ends: Vec<TaskEnd>,
}

impl Suspects {
    /// Reads what earlier ends left in a data directory; nothing where there is no file, or one of
    /// another version.
    pub fn read(data: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(Self::path(data)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };

        // One that does not read was cut off by the same power cut that ended the process.
        let kept: Self = serde_json::from_str(&text).unwrap_or_default();
        Ok(if kept.software == software() {
            kept
        } else {
            Self::default()
        })
    }

    /// Adds an end, and writes it down before the process goes.
    pub fn write(&self, data: &Path, end: TaskEnd) -> io::Result<()> {
        let mut ends = self.ends.clone();
        let times = ends
            .iter()
            .filter(|e| e.task == end.task)
            .map(|e| e.times)
            .max()
            .unwrap_or(0)
            .saturating_add(1);

        let why = end.why.chars().take(WHY_CHARS_MAX).collect();

        // An end with one suspect is kept for good; one with many is replaced by what the next
        // start finds out.
        ends.retain(|e| e.at.len() == 1 || e.task != end.task);
        ends.push(TaskEnd { times, why, ..end });
        let surplus = ends.len().saturating_sub(SUSPECTS_MAX);
        ends.drain(..surplus);

        Self {
            software: software(),
            ends,
        }
        .replace(data)
    }

    /// A stop in order: tasks that were left off are tried again, and nothing is worked off one at
    /// a time any more. What was set aside by name stays so.
    pub fn settle(&self, data: &Path) -> io::Result<()> {
        if self.ends.is_empty() {
            return Ok(());
        }

        let mut ends = self.ends.clone();
        ends.retain(|e| e.at.len() == 1);
        ends.iter_mut().for_each(|e| e.times = 0);

        Self {
            software: software(),
            ends,
        }
        .replace(data)
    }

    fn path(data: &Path) -> PathBuf {
        data.join(FILE)
    }

    /// Takes the place of what the file held, whole or not at all.
    fn replace(&self, data: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        let written = data.join(format!("{FILE}.new"));
        std::fs::write(&written, bytes)?;
        std::fs::File::open(&written)?.sync_all()?;
        std::fs::rename(&written, Self::path(data))?;
        std::fs::File::open(data)?.sync_all()
    }

    /// What is set aside, with the end that it comes from.
    pub fn set_aside(&self) -> impl Iterator<Item = (&Suspect, &TaskEnd)> {
        self.ends
            .iter()
            .filter(|e| e.at.len() == 1)
            .filter_map(|e| Some((e.at.first()?, e)))
    }

    /// Whether a task of the last start ended and did not name one thing: things are worked off one
    /// at a time.
    pub fn careful(&self, task: &str) -> bool {
        self.ends
            .iter()
            .any(|e| e.task == task && e.times > 0 && e.at.len() != 1)
    }

    /// Why a task is left off, if it is: it ended again and again, and the node can do without.
    pub fn left_off(&self, task: &str) -> Option<String> {
        let end = self
            .ends
            .iter()
            .rfind(|e| e.task == task && e.times >= ENDS_MAX)?;

        DISPENSABLE.contains(&task).then(|| {
            let times = end.times;
            format!(
                "{task} ended {times} times in a row ({}): it is left off until the node is stopped in order",
                end.why
            )
        })
    }

    /// What people are told of it; nothing where nothing is set aside.
    pub fn alarm(&self) -> Option<String> {
        let named: Vec<String> = self
            .set_aside()
            .map(|(what, end)| format!("{what} ({}: {})", end.task, end.why))
            .collect();

        (!named.is_empty()).then(|| {
            format!(
                "set aside because a task ended over it, until the software is renewed: {}",
                named.join("; ")
            )
        })
    }

    /// Whether this part of a log overlaps what is set aside.
    pub(crate) fn has_block(&self, log: &LogId, from: u64, to: u64) -> bool {
        self.set_aside().any(|(what, _)| match what {
            Suspect::Block {
                log: of,
                from: a,
                to: b,
            } => *of == log.origin() && from < *b && *a < to,
            _ => false,
        })
    }

    /// Whether an excerpt of this record is set aside.
    pub(crate) fn has_excerpt(&self, id: &RecordId) -> bool {
        self.set_aside().any(|(what, _)| {
            *what
                == Suspect::Excerpt {
                    record: id.to_string(),
                }
        })
    }

    /// Whether this very write is set aside.
    pub(crate) fn has_write(&self, digest: &str) -> bool {
        self.set_aside()
            .any(|(what, _)| matches!(what, Suspect::Write { digest: d } if d == digest))
    }

    /// Whether looking at this record is set aside.
    pub(crate) fn has_record(&self, id: &RecordId) -> bool {
        self.set_aside().any(|(what, _)| {
            *what
                == Suspect::Record {
                    record: id.to_string(),
                }
        })
    }

    /// Whether nothing at all is known of earlier ends.
    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

fn software() -> String {
    env!("CARGO_PKG_VERSION").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane, LogKey};

    fn log() -> LogId {
        let crossing: Crossing = "TRB".parse().unwrap();
        LogId {
            node: LogKey::from_seed(&[7; 32]).node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing,
        }
    }

    fn end(task: &str, at: Vec<Suspect>) -> TaskEnd {
        TaskEnd {
            task: task.into(),
            why: "a slice inside a character".into(),
            at,
            at_ms: 1,
            times: 0,
        }
    }

    #[test]
    fn the_block_that_ended_the_desk_is_set_aside_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let before = Suspects::read(dir.path()).unwrap();
        before
            .write(
                dir.path(),
                end("sequencer", vec![Suspect::block(&log(), 4, 9)]),
            )
            .unwrap();

        let after = Suspects::read(dir.path()).unwrap();
        assert!(
            after.has_block(&log(), 4, 9) && after.has_block(&log(), 8, 20),
            "also when it is cut otherwise"
        );
        assert!(!after.has_block(&log(), 0, 4) && !after.has_block(&log(), 9, 20));
        assert!(!after.has_block(
            &LogId {
                lane: Lane::Hold,
                ..log()
            },
            4,
            9
        ));

        assert!(after.alarm().unwrap().contains("entries 4..9 of"));
        assert!(!after.careful("sequencer"), "it is known which one it was");
    }

    #[test]
    fn a_group_that_ended_the_desk_is_worked_off_one_by_one_next_time() {
        let dir = tempfile::tempdir().unwrap();
        let two = vec![Suspect::block(&log(), 0, 4), Suspect::block(&log(), 4, 9)];
        Suspects::default()
            .write(dir.path(), end("sequencer", two))
            .unwrap();

        let after = Suspects::read(dir.path()).unwrap();
        assert!(after.careful("sequencer") && !after.has_block(&log(), 0, 4));

        after
            .write(
                dir.path(),
                end("sequencer", vec![Suspect::block(&log(), 4, 9)]),
            )
            .unwrap();

        let third = Suspects::read(dir.path()).unwrap();
        assert!(
            third.has_block(&log(), 4, 9)
                && !third.has_block(&log(), 0, 4)
                && !third.careful("sequencer")
        );
    }

    #[test]
    fn a_task_that_ends_again_and_again_is_left_off_until_a_stop_in_order() {
        let dir = tempfile::tempdir().unwrap();
        for ends in 0..=3 {
            let known = Suspects::read(dir.path()).unwrap();
            assert_eq!(
                known.left_off("scrubber").is_some(),
                ends >= 3,
                "after {ends} ends"
            );

            known.write(dir.path(), end("scrubber", vec![])).unwrap();
            let known = Suspects::read(dir.path()).unwrap();
            known.write(dir.path(), end("sequencer", vec![])).unwrap();
        }

        let known = Suspects::read(dir.path()).unwrap();
        assert!(
            known.left_off("sequencer").is_none(),
            "a node without its sequencer is none"
        );

        known.settle(dir.path()).unwrap();
        assert!(
            Suspects::read(dir.path())
                .unwrap()
                .left_off("scrubber")
                .is_none()
        );
    }

    #[test]
    fn a_renewed_software_tries_everything_again() {
        let dir = tempfile::tempdir().unwrap();
        Suspects::default()
            .write(
                dir.path(),
                end("sequencer", vec![Suspect::block(&log(), 4, 9)]),
            )
            .unwrap();

        let path = dir.path().join(FILE);
        let older = std::fs::read_to_string(&path)
            .unwrap()
            .replace(&software(), "0.0.1");

        std::fs::write(&path, older).unwrap();
        assert!(Suspects::read(dir.path()).unwrap().is_empty());

        std::fs::write(&path, "{\"softw").unwrap();
        assert!(
            Suspects::read(dir.path()).unwrap().is_empty(),
            "a file that was cut off ends nothing"
        );
    }
}
