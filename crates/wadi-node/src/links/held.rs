//! What the peer of a link has this node hold in memory, counted and bounded together with what its
//! other links hold. Where little room is left its links read in turn, and seldom; where there is
//! none, nothing. Where nothing gives any back then, the link ends that holds the most, and begins
//! anew with nothing; the others go on.

use super::{Arriving, Link};
use crate::door::held_of_peers::HeldPart;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long a link waits for room that another link of the peer may give back.
const ROOM_WAIT: Duration = Duration::from_secs(3);

/// How often something is read where little room is left.
const TIGHT_PAUSE: Duration = Duration::from_millis(20);

/// What a link holds because of its peer.
pub(super) struct LinkHolding {
    part: HeldPart,
    /// Since when there is no room for what comes next, and nothing here gives any back.
    full_since: Option<Instant>,
    /// When something is read again, where little room is left.
    turn_at: Option<Instant>,
}

impl LinkHolding {
    /// Nothing is held yet.
    pub(super) fn new(part: HeldPart) -> Self {
        Self {
            part,
            full_since: None,
            turn_at: None,
        }
    }

    /// Whether what is read next has room, whatever the other links read.
    pub(super) fn has_room(&self) -> bool {
        self.part.has_room()
    }

    /// So much is held now, and some of it is given back by itself or not. Whether there was no
    /// room for too long.
    fn count(&mut self, bytes: usize, drains: bool, now: Instant) -> bool {
        let is_within = self.part.set(bytes);
        if drains || is_within && self.part.has_room_for_one() {
            self.full_since = None;
            return false;
        }

        let since = *self.full_since.get_or_insert(now);
        now.saturating_duration_since(since) >= ROOM_WAIT && self.part.is_largest()
    }
}

impl Link<'_> {
    /// When the next thing is read of the peer, where little room is left; none where it is read at
    /// once, or not at all.
    pub(super) fn turn_at(&mut self, now: Instant) -> Option<Instant> {
        if self.reads_at.is_some() || self.held.has_room() {
            self.held.turn_at = None;
            return None;
        }
        Some(*self.held.turn_at.get_or_insert(now + TIGHT_PAUSE))
    }

    /// Reads one thing of the peer, if there is room for it, which is taken until all is counted
    /// again. Whether the connection has ended.
    pub(super) async fn read_in_turn(&mut self, incoming: &mut mpsc::Receiver<Arriving>) -> bool {
        self.held.turn_at = None;
        if incoming.is_closed() && incoming.is_empty() {
            return true;
        }

        let may_read = self.ingesting.has_room() && self.held.part.reserve();
        if may_read && let Ok(arriving) = incoming.try_recv() {
            self.hear_peer(arriving).await;
        }
        false
    }

    /// Counts what is held; where there was no room for too long, the link ends.
    pub(super) async fn count_held(&mut self) {
        let waiting = self.ingesting.held_bytes();
        let questions = self.answers.questions.held_bytes();
        let held = self.session.held_bytes() + waiting + questions;
        let drains = waiting > 0 || questions > 0 || self.session.waits_for_store();
        if !self.held.count(held, drains, Instant::now()) {
            return;
        }

        let why = "the peer has this node hold more than it may; the link begins anew";
        let peer = self.peer.to_string();
        self.door
            .note_refusal(peer.clone(), "peer_memory".into(), why.into(), peer)
            .await;
        self.ending.closed = Some(why.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::held_of_peers::{PEER_ALLOWANCE_BYTES, PeerHoldings};
    use std::sync::Arc;
    use wadi_log::NodeId;

    #[test]
    fn a_link_that_is_full_waits_for_what_drains_and_ends_where_nothing_does() {
        let holdings: Arc<PeerHoldings> = Arc::default();
        let mut link = LinkHolding::new(holdings.part(NodeId([3; 16])));
        let now = Instant::now();
        assert!(!link.count(1_000_000, false, now));
        assert!(link.has_room());

        // Blocks that wait for the disk are given back.
        let full = PEER_ALLOWANCE_BYTES;
        assert!(!link.count(full, true, now));
        assert!(!link.has_room(), "nothing more is read");
        assert!(!link.count(full, true, now + 10 * ROOM_WAIT));

        // What the peer's streams hold is not.
        assert!(!link.count(full, false, now));
        assert!(!link.count(full, false, now + ROOM_WAIT / 2));
        assert!(link.count(full, false, now + ROOM_WAIT));
        assert!(!link.count(full / 2, false, now + ROOM_WAIT));
        assert!(link.has_room());
    }
}
