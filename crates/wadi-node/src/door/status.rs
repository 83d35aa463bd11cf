//! The boards: what each part of a node notes of itself, for status to read.

use crate::door::Door;
use serde::Serialize;
use wadi_log::NodeId;

/// How a peer stands, for status.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PeerStatus {
    /// Whether connected now.
    pub connected: bool,
    /// Last contact, node's clock, Unix milliseconds; 0 for never.
    pub last_contact_ms: i64,
    /// Entries that the peer is known to lack.
    pub unsent: u64,
    /// Whether both held the same when last compared.
    pub in_step: bool,
    /// Bytes of blocks sent.
    pub sent_bytes: u64,
    /// The link's provisioned rate, bits a second, where the configuration names one.
    pub rate_bits_s: Option<u64>,
    /// Round trip of the link, milliseconds.
    pub rtt_ms: u64,
    /// Why the last connection failed or ended.
    pub last_error: String,
}

/// What is wrong with a run of entries.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Damage {
    /// The log.
    pub log: String,
    /// First position.
    pub from: u64,
    /// Position after the last.
    pub to: u64,
    /// `missing`, `rotten` or `replaced`.
    pub kind: &'static str,
}

/// How the scrub stands.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct ScrubStatus {
    /// Whether a round is under way.
    pub running: bool,
    /// When the round began, the node's clock, Unix milliseconds; 0 for never.
    pub began_ms: i64,
    /// When the last whole round ended; 0 for never.
    pub ended_ms: i64,
    /// Entries read in this round.
    pub entries: u64,
    /// Entries to read in this round.
    pub of: u64,
    /// Entries found missing, rotten or replaced in this round.
    pub damaged: u64,
    /// Where, the first fifty runs.
    pub damage: Vec<Damage>,
    /// Kept hashes and index rows made again in this round.
    pub remade: u64,
    /// Records that stood differently than their entries say, and were built again.
    pub rederived: u64,
    /// What the engine finds wrong with its pages.
    pub structure: Vec<String>,
}

impl Door {
    /// Raises an alarm of the daemon's, or ends it.
    pub fn set_alarm(&self, about: &'static str, alarm: Option<String>) {
        let mut alarms = self.alarms.lock().expect("no panic holds it");
        match alarm {
            Some(text) => drop(alarms.insert(about, text)),
            None => drop(alarms.remove(about)),
        }
    }

    /// Changes how a peer stands, for status.
    pub fn note_peer(&self, peer: NodeId, change: impl FnOnce(&mut PeerStatus)) {
        change(
            self.peers
                .lock()
                .expect("no panic holds it")
                .entry(peer)
                .or_default(),
        );
    }

    /// How the scrub stands.
    pub fn scrub_status(&self) -> ScrubStatus {
        self.scrub.lock().expect("no panic holds it").clone()
    }

    /// Has everything read through soon, as fast as the disk gives it.
    pub fn scrub_soon(&self) {
        self.scrub_now.notify_one();
    }
}
