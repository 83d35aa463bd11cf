//! Cosignatures of this node's logs that were lost on their way: between the peer and this node, or
//! between the link and the disk. A standing link makes good for both: nobody has to wait for the
//! next connection to hear that everything is safe.

use super::Link;
use crate::door::command::Command;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use wadi_log::{Cosignature, LogId, NodeId, Role, SignedCheckpoint};
use wadi_sync::Input;

/// So long a cosignature may be on its way to the disk before it is handed over once more.
const TO_DISK: Duration = Duration::from_secs(3);
/// How often a link looks which own logs a hub has not cosigned to their end.
const LOOK_PERIOD: Duration = Duration::from_secs(10);
/// Cosignatures that are kept in memory until they are on the disk.
const HEARD_MAX: usize = 256;

/// A cosignature that was handed over.
struct Handed {
    at: Instant,
    checkpoint: Box<SignedCheckpoint>,
    cosignature: Cosignature,
}

/// What a link heard of cosignatures and does not find on the disk yet.
pub(super) struct Unlearned {
    heard: BTreeMap<(LogId, NodeId), Handed>,
    /// Own logs, and their sizes, that no hub had cosigned to their end at the last look.
    uncosigned: BTreeSet<(LogId, u64)>,
    looked_at: Instant,
}

impl Unlearned {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            heard: BTreeMap::new(),
            uncosigned: BTreeSet::new(),
            looked_at: now,
        }
    }

    /// A cosignature is handed over; the longest of a log and a witness is kept.
    fn hand(&mut self, checkpoint: Box<SignedCheckpoint>, cosignature: Cosignature, now: Instant) {
        let head = &checkpoint.checkpoint;
        let key = (head.log, cosignature.witness);
        let longer = self
            .heard
            .get(&key)
            .map_or(0, |h| h.checkpoint.checkpoint.size);
        let has_room = self.heard.len() < HEARD_MAX || self.heard.contains_key(&key);
        if has_room && longer <= head.size {
            let handed = Handed {
                at: now,
                checkpoint,
                cosignature,
            };
            self.heard.insert(key, handed);
        }
    }

    /// Forgets what is on the disk, and gives what is not after so long.
    fn lost(
        &mut self,
        on_disk: impl Fn(&LogId, &NodeId) -> u64,
        now: Instant,
    ) -> Vec<(Box<SignedCheckpoint>, Cosignature)> {
        self.heard
            .retain(|(log, by), h| on_disk(log, by) < h.checkpoint.checkpoint.size);
        let late = self.heard.values_mut();
        late.filter(|h| now.duration_since(h.at) >= TO_DISK)
            .map(|h| {
                h.at = now;
                (h.checkpoint.clone(), h.cosignature)
            })
            .collect()
    }

    /// Logs that stood uncosigned at the last look as they do now, where it is time to look.
    fn standing(
        &mut self,
        uncosigned: impl FnOnce() -> BTreeSet<(LogId, u64)>,
        now: Instant,
    ) -> Vec<LogId> {
        if now.duration_since(self.looked_at) < LOOK_PERIOD {
            return Vec::new();
        }

        self.looked_at = now;
        let before = std::mem::replace(&mut self.uncosigned, uncosigned());
        let still = self.uncosigned.intersection(&before);
        still.map(|(log, _)| *log).collect()
    }
}

impl Link<'_> {
    /// Hands a cosignature over to be written, and keeps one of this node's own logs until it is.
    pub(super) async fn take_cosigned(
        &mut self,
        checkpoint: Box<SignedCheckpoint>,
        cosignature: Cosignature,
    ) {
        let log = checkpoint.checkpoint.log;
        if log.node == self.door.id() {
            self.unlearned
                .hand(checkpoint.clone(), cosignature, Instant::now());
        }

        self.door
            .put_from(self.peer, Command::Cosigned(checkpoint, cosignature))
            .await;
    }

    /// Makes good for cosignatures that did not come to the disk.
    pub(super) async fn mend_cosigned(&mut self) {
        let now = Instant::now();
        let control = self.door.view().control.clone();
        let on_disk =
            |log: &LogId, by: &NodeId| control.cosigned_by(log, by).map_or(0, |tip| tip.size);
        for (checkpoint, cosignature) in self.unlearned.lost(on_disk, now) {
            self.door
                .put_from(self.peer, Command::Cosigned(checkpoint, cosignature))
                .await;
        }

        let is_hub = self.session.peer().is_some_and(|p| p.role == Role::Hub);
        if !is_hub || !self.leads() || !self.session.is_idle() {
            return;
        }

        // A hub that holds all of a log is shown its head again, and says so again.
        let frontier = self.door.frontier();
        let id = self.door.id();
        let uncosigned = || {
            let own = frontier.0.iter().filter(|(log, _)| log.node == id);
            let cosigned = |log: &LogId| control.cosigned(log).map_or(0, |tip| tip.size);
            own.filter(|(log, tip)| cosigned(log) < tip.size)
                .map(|(log, tip)| (*log, tip.size))
                .collect()
        };
        let standing = self.unlearned.standing(uncosigned, now);
        self.inputs
            .extend(standing.into_iter().map(Input::HeadRefreshed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Checkpoint, Epoch, Hash, Lane};

    fn log() -> LogId {
        LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        }
    }

    fn cosigned(size: u64) -> (Box<SignedCheckpoint>, Cosignature) {
        let checkpoint = Checkpoint {
            log: log(),
            size,
            root: Hash::default(),
            hub_time_s: 0,
            logs: Vec::new(),
        };
        let signed = SignedCheckpoint {
            checkpoint,
            signature: [0; 64],
        };
        let cosignature = Cosignature {
            witness: NodeId([9; 16]),
            time_s: 1,
            signature: [0; 64],
        };

        (Box::new(signed), cosignature)
    }

    #[test]
    fn what_does_not_come_to_the_disk_is_handed_over_again_until_it_does() {
        let began = Instant::now();
        let mut unlearned = Unlearned::new(began);
        for size in [3, 7, 5] {
            let (checkpoint, cosignature) = cosigned(size);
            unlearned.hand(checkpoint, cosignature, began);
        }

        assert!(unlearned.lost(|_, _| 0, began).is_empty(), "on its way");
        let again = unlearned.lost(|_, _| 3, began + TO_DISK);
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].0.checkpoint.size, 7, "the longest");

        assert!(unlearned.lost(|_, _| 3, began + TO_DISK).is_empty());
        assert_eq!(unlearned.lost(|_, _| 3, began + 2 * TO_DISK).len(), 1);
        assert!(unlearned.lost(|_, _| 7, began + 3 * TO_DISK).is_empty());
        assert!(unlearned.heard.is_empty());
    }

    #[test]
    fn a_log_is_shown_again_where_it_stands_uncosigned_for_two_looks() {
        let began = Instant::now();
        let mut unlearned = Unlearned::new(began);
        let of = |size| move || BTreeSet::from([(log(), size)]);
        assert!(unlearned.standing(of(4), began + LOOK_PERIOD).is_empty());
        assert!(unlearned.standing(of(4), began + LOOK_PERIOD).is_empty());

        let second = began + 2 * LOOK_PERIOD;
        assert!(unlearned.standing(of(5), second).is_empty(), "it grew");
        assert_eq!(unlearned.standing(of(5), second + LOOK_PERIOD).len(), 1);
    }
}
