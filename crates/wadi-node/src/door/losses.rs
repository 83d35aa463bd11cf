//! What a node knows to have lost: the tail of its database, and databases that were set aside.

use crate::door::Door;
use serde::{Deserialize, Serialize};
use wadi_log::{Frontier, LogId, NodeId, Role, Tip};
use wadi_store::{AnchorState, LocalKey, LocalScope};

/// The scope of the keys that tell of databases set aside.
pub(crate) const SCOPE: LocalScope = LocalScope::SetAside;

/// What became of a database that was set aside.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    pub(crate) dir: String,
    pub(crate) why: String,
    /// Parts in which it is read, and how many of them were.
    pub(crate) parts: usize,
    pub(crate) parts_read: usize,
    pub(crate) pages: u64,
    pub(crate) unreadable_pages: u64,
    /// What was taken back.
    pub(crate) entries: u64,
    pub(crate) logs: usize,
    pub(crate) cosignatures: u64,
    pub(crate) enrolments: u64,
    pub(crate) local: u64,
    /// Positions of this node's own logs that it is known to have written and does not hold.
    pub(crate) missing: u64,
    /// Entries among what was found that wait for such.
    pub(crate) left: u64,
    /// Everything is held again.
    pub(crate) healed: bool,
}

/// What status shows of a database that was set aside, until everything is held again.
pub(crate) fn alarm(row: &LocalKey) -> Option<String> {
    let report: Report = serde_json::from_str(&row.value).unwrap_or_default();
    if report.healed {
        return None;
    }

    let Report {
        dir,
        why,
        entries,
        logs,
        parts,
        parts_read,
        missing,
        left,
        ..
    } = report;

    let mut text = format!(
        "the database was set aside as {dir} ({why}); {entries} entries of {logs} logs were read back"
    );
    if parts_read < parts {
        text += &format!(", {parts_read} of {parts} parts are read");
    }

    if missing > 0 {
        text += &format!("; {missing} positions of this node's own logs are missing");
    }

    if left > 0 {
        text += &format!("; {left} entries that were read wait for them");
    }

    Some(
        text + "; peers bring what is missing, and until this node is in step with them something may be",
    )
}

/// Whether less is held of a log than heads say that were once held.
pub(crate) fn lacks(heads: &[(LogId, Tip)], frontier: &Frontier) -> bool {
    heads
        .iter()
        .any(|(log, tip)| frontier.0.get(log).is_none_or(|held| held.size < tip.size))
}

impl Door {
    /// Whether a peer was found to hold the same since this start: a hub, or at a hub any.
    pub(crate) fn compared(&self) -> bool {
        let peers = self.peers.lock().expect("no panic holds it");
        let counts = |id: &NodeId| {
            self.me.role == Role::Hub || self.with_control(|c| c.role(id)) == Some(Role::Hub)
        };
        peers.iter().any(|(id, peer)| peer.in_step && counts(id))
    }

    /// Whether a tail that was lost is held again in full.
    pub(crate) fn is_healed(&self) -> bool {
        let frontier = self.frontier();
        match self.store.anchor_state() {
            AnchorState::LostTail { heads, .. } if heads.is_empty() => self.compared(),
            AnchorState::LostTail { heads, .. } => !lacks(heads, &frontier),
            _ => false,
        }
    }
}
