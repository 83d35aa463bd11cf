//! How much goes into one commit, and when it goes to the store.
//!
//! A commit costs two syncs, so what peers bring is gathered: a backlog gets through sooner. But
//! whoever has a single write to make waits for the commit that it is in, and for the one before:
//! where somebody waits so behind others, commits are short.

use super::{RIDE, commit::Commit};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use wadi_log::NodeId;

/// Records touched by one commit, beyond which the rest of a group waits for the next.
pub(super) const TOUCHED_MAX: usize = 1_500;

/// What one commit takes of what peers bring.
struct PeersRoom {
    /// What their entries weigh: bytes, of which those of long entries count more
    /// ([`Command::entry_weight`]).
    ///
    /// [`Command::entry_weight`]: crate::door::command::Command::entry_weight
    weight: usize,
    /// How long their commands take. Half as much again is spent on projecting, and as much on the
    /// store.
    time: Duration,
}

/// Where nobody else waits.
const ALONE: PeersRoom = PeersRoom {
    weight: 4 * 1024 * 1024,
    time: Duration::from_millis(250),
};

/// What commands take in a commit where somebody waits behind them, at least: on a slow disk half
/// of what a commit takes there, or no backlog would get through.
pub(super) const SHORT_TIME: Duration = Duration::from_millis(25);
/// What entries weigh that take so long.
const SHORT_WEIGHT: usize = 512 * 1024;

/// A peer is light beside one that took so many times as long.
const LIGHT_PART: u32 = 16;

/// So long commits stay short after somebody waited.
const CONTENDED_FOR: Duration = Duration::from_secs(2);

/// When somebody last waited behind what others brought, and how long the store took last.
#[derive(Clone, Default)]
pub(crate) struct Contention {
    at: Option<Instant>,
    stored_us: Arc<AtomicU64>,
}

impl Contention {
    /// Somebody waits now.
    pub(super) fn note(&mut self) {
        self.at = Some(Instant::now());
    }

    /// The store took so long for a commit.
    pub(super) fn note_stored(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.stored_us.store(us, Ordering::Relaxed);
    }

    /// What peers' commands may take in a commit in which somebody waits.
    pub(super) fn short_time(&self) -> Duration {
        let stored = Duration::from_micros(self.stored_us.load(Ordering::Relaxed));
        (stored / 2).clamp(SHORT_TIME, ALONE.time)
    }

    /// Whether it was a short while ago.
    pub(super) fn is_recent(&self) -> bool {
        self.at.is_some_and(|at| at.elapsed() < CONTENDED_FOR)
    }
}

/// What a commit takes of what peers bring where somebody waits, and they may take so long.
fn short(time: Duration) -> PeersRoom {
    let times = time.as_micros() / SHORT_TIME.as_micros().max(1);
    let times = usize::try_from(times).unwrap_or(usize::MAX).max(1);
    PeersRoom {
        weight: SHORT_WEIGHT.saturating_mul(times).min(ALONE.weight),
        time,
    }
}

impl Commit {
    /// A command was worked off that a peer brought, or this node itself; nobody waits for one that
    /// may ride.
    pub(super) fn note_waiting(&mut self, from: Option<NodeId>, took: Duration, may_ride: bool) {
        if let Some(peer) = from {
            *self.took.entry(peer).or_default() += took;
            if !may_ride {
                self.awaited_by.insert(peer);
            }
        }

        self.is_awaited |= !may_ride || self.refresh || !self.is_plain();
        self.is_awaited_here |= from.is_none() && !may_ride;
    }

    /// Whether a peer who has little in it waits behind another who has much.
    pub(super) fn has_light_peer(&self) -> bool {
        let Some(heaviest) = self.took.values().max() else {
            return false;
        };

        let took = |peer| self.took.get(peer).copied().unwrap_or_default();
        let is_light = |peer| took(peer) * LIGHT_PART < *heaviest;
        self.awaited_by.iter().any(is_light) && !wadi_store::defence::off("light-peers")
    }

    /// Whether whatever comes next has to wait for the next commit.
    pub(crate) fn is_full(&self) -> bool {
        let others_wait = self.is_contended || self.is_written_here || self.has_light_peer();
        let room = if others_wait {
            short(self.short_time)
        } else {
            ALONE
        };

        self.records.len() > TOUCHED_MAX
            || self.entry_weight > room.weight
            || self.took.values().sum::<Duration>() > room.time
    }

    /// Whether it goes to the store now, where nothing is in flight. What peers brought takes along
    /// what else of theirs waits, for a commit costs two syncs; whoever writes here, or has little
    /// to say, waits for none of that.
    pub(super) fn is_due(&self, more_waits: bool) -> bool {
        let waits_for_none = self.is_awaited_here || self.has_light_peer();
        let is_awaited = self.is_awaited && (waits_for_none || !more_waits);
        is_awaited || self.is_full() || self.begun.elapsed() >= RIDE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_store::Batch;

    const FLOOD: NodeId = NodeId([1; 16]);
    const TRB: NodeId = NodeId([2; 16]);

    fn commit(took: &[(NodeId, u64)]) -> Commit {
        let mut commit = Commit::new(Batch::default());
        let took = took.iter();
        commit.took = took
            .map(|(p, ms)| (*p, Duration::from_millis(*ms)))
            .collect();
        commit.awaited_by = commit.took.keys().copied().collect();
        commit.is_awaited = true;
        commit
    }

    #[test]
    fn what_peers_brought_takes_along_what_waits_and_an_own_write_does_not() {
        let mut commit = Commit::new(Batch::default());
        assert!(!commit.is_due(false), "nobody waits for it");

        commit.is_awaited = true;
        assert!(commit.is_due(false) && !commit.is_due(true));

        commit.is_awaited_here = true;
        assert!(commit.is_due(true));

        let time_ms = ALONE.time.as_millis() as u64;
        let full = self::commit(&[(FLOOD, time_ms + 1)]);
        assert!(full.is_due(true), "it takes along no more than it may");
    }

    #[test]
    fn a_peer_with_one_truck_waits_for_no_flood() {
        assert!(!commit(&[(FLOOD, 20)]).is_due(true), "nobody else waits");
        assert!(
            !commit(&[(FLOOD, 10), (TRB, 9)]).is_due(true),
            "they share it"
        );
        assert!(commit(&[(FLOOD, 20), (TRB, 1)]).is_due(true));

        let beside = commit(&[(FLOOD, 30), (TRB, 1)]);
        assert!(beside.is_full() && !commit(&[(FLOOD, 30)]).is_full());

        // What nobody waits for makes nobody light.
        let mut rides = commit(&[(FLOOD, 20), (TRB, 1)]);
        rides.awaited_by.remove(&TRB);
        assert!(!rides.is_due(true));
    }

    #[test]
    fn commits_are_short_as_long_as_somebody_waited_a_moment_ago() {
        let mut contention = Contention::default();
        assert!(!contention.is_recent());
        contention.note();
        assert!(contention.is_recent());

        let mut short = commit(&[(FLOOD, 30)]);
        short.is_contended = true;
        assert!(short.is_full() && !commit(&[(FLOOD, 30)]).is_full());

        let mut heavy = commit(&[]);
        heavy.entry_weight = SHORT_WEIGHT + 1;
        assert!(!heavy.is_full());
        heavy.is_written_here = true;
        assert!(heavy.is_full());
    }

    #[test]
    fn on_a_slow_disk_a_short_commit_takes_half_of_what_the_disk_does() {
        let contention = Contention::default();
        assert_eq!(contention.short_time(), SHORT_TIME);
        contention.note_stored(Duration::from_millis(10));
        assert_eq!(contention.short_time(), SHORT_TIME);
        contention.note_stored(Duration::from_millis(200));
        assert_eq!(contention.short_time(), Duration::from_millis(100));
        contention.note_stored(Duration::from_secs(9));
        assert_eq!(contention.short_time(), ALONE.time);

        let mut slow = commit(&[(FLOOD, 60)]);
        slow.is_contended = true;
        assert!(slow.is_full());
        slow.short_time = Duration::from_millis(100);
        slow.entry_weight = 2 * SHORT_WEIGHT;
        assert!(!slow.is_full());
    }
}
