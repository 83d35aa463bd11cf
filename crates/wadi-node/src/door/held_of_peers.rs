//! What peers have this node hold in memory: one allowance a member, over all of its links.
//!
//! Whatever a peer can fill is counted here by the part that holds it: its links count streams,
//! blocks and frontiers, and whoever carries their messages the windows of connections. Buffers may
//! each be as large as a fast link needs, but not all of them at once: past the allowance nothing
//! more is read of the peer until what waits is done, and a link that holds too much by itself
//! ends, and begins anew with nothing. Nothing is lost: what was not acknowledged is sent again.

use serde::Serialize;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};
use wadi_log::NodeId;

/// Bytes that a peer may have this node hold in all, with what is not counted one by one
/// (`docs/security.md` has the list).
pub const PEER_BYTES_MAX: usize = 64_000_000;
/// Bytes of that which are counted here. The rest is for callers who have not said yet which link
/// they come over.
pub const PEER_ALLOWANCE_BYTES: usize = 58_000_000;
/// Bytes of that which windows of connections may take beyond their least: those of four links,
/// each as wide as windows are.
pub const WINDOWS_BYTES_MAX: usize = 8 * 3 * 1024 * 1024;
/// What the next thing that is read may become before it is counted: the first block of a lane,
/// with the stream that it begins.
const STEP_BYTES: usize = 1_700_000;

/// What one peer holds, and may.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PeerMemoryUse {
    /// Bytes that are held now because of it, about.
    pub held: u64,
    /// The most that it may be.
    pub most: u64,
}

/// What all peers hold.
#[derive(Debug, Default)]
pub struct PeerHoldings(Mutex<AllParts>);

#[derive(Debug, Default)]
struct AllParts {
    /// How many parts there were so far.
    count: u64,
    /// The parts of each peer that holds something.
    by_peer: BTreeMap<NodeId, BTreeMap<u64, PartUse>>,
}

/// How much of one part is held.
#[derive(Clone, Copy, Debug, Default)]
struct PartUse {
    bytes: usize,
    kind: PartKind,
}

/// What a part is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum PartKind {
    /// What a link counts as it is filled.
    #[default]
    Link,
    /// The window of a connection. All together have a bound of their own.
    Window,
    /// What stays as it began.
    Fixed,
}

/// One part of what a peer holds. It is given back when dropped.
#[derive(Debug)]
pub struct HeldPart {
    holdings: Arc<PeerHoldings>,
    peer: NodeId,
    number: u64,
}

impl AllParts {
    /// Puts down a new part of a peer's; its number.
    fn put(&mut self, peer: NodeId, part: PartUse) -> u64 {
        self.count += 1;
        let number = self.count;
        self.by_peer.entry(peer).or_default().insert(number, part);
        number
    }

    fn of_peer(&self, peer: &NodeId) -> usize {
        let parts = self.by_peer.get(peer).into_iter().flatten();
        parts.map(|(_, part)| part.bytes).sum()
    }

    /// Bytes of each of its parts of a kind, with their numbers.
    fn of_kind(&self, peer: &NodeId, kind: PartKind) -> impl Iterator<Item = (u64, usize)> {
        let parts = self.by_peer.get(peer).into_iter().flatten();
        let of_kind = parts.filter(move |(_, part)| part.kind == kind);
        of_kind.map(|(number, part)| (*number, part.bytes))
    }
}

/// Whether so much fits into a peer's allowance.
fn fits(bytes: usize) -> bool {
    bytes <= PEER_ALLOWANCE_BYTES || wadi_store::defence::off("peer-memory")
}

impl PeerHoldings {
    fn lock(&self) -> MutexGuard<'_, AllParts> {
        self.0.lock().expect("no panic holds it")
    }

    /// Begins a part that holds so much from its beginning; none where the peer has no room for it.
    pub fn begin(self: &Arc<Self>, peer: NodeId, bytes: usize) -> Option<HeldPart> {
        let mut all = self.lock();
        if !fits(all.of_peer(&peer).saturating_add(bytes)) {
            return None;
        }

        let part = PartUse {
            bytes,
            kind: PartKind::Fixed,
        };
        let number = all.put(peer, part);
        Some(self.part_of(peer, number))
    }

    /// A link that holds nothing yet.
    pub(crate) fn part(self: &Arc<Self>, peer: NodeId) -> HeldPart {
        let number = self.lock().put(peer, PartUse::default());
        self.part_of(peer, number)
    }

    /// What a window of one of a peer's connections takes beyond its least: nothing yet.
    pub fn window(self: &Arc<Self>, peer: NodeId) -> HeldPart {
        let part = PartUse {
            bytes: 0,
            kind: PartKind::Window,
        };
        let number = self.lock().put(peer, part);
        self.part_of(peer, number)
    }

    fn part_of(self: &Arc<Self>, peer: NodeId, number: u64) -> HeldPart {
        HeldPart {
            holdings: self.clone(),
            peer,
            number,
        }
    }

    /// What a peer holds.
    pub fn of(&self, peer: &NodeId) -> PeerMemoryUse {
        PeerMemoryUse {
            held: self.lock().of_peer(peer) as u64,
            most: PEER_ALLOWANCE_BYTES as u64,
        }
    }
}

impl HeldPart {
    /// This part holds so much now. Whether all that the peer holds is within its allowance.
    pub(crate) fn set(&self, bytes: usize) -> bool {
        let mut all = self.holdings.lock();
        let parts = all.by_peer.get_mut(&self.peer);
        if let Some(part) = parts.and_then(|parts| parts.get_mut(&self.number)) {
            part.bytes = bytes;
        }

        fits(all.of_peer(&self.peer))
    }

    /// A window grows to so many bytes, or to as many as there is room for. It never shrinks: what
    /// a peer was allowed to send it may send. What it holds then.
    pub fn grow(&self, bytes: usize) -> usize {
        let mut all = self.holdings.lock();
        let held = all.of_peer(&self.peer).saturating_add(STEP_BYTES);
        let left = PEER_ALLOWANCE_BYTES.saturating_sub(held);
        let windows = all.of_kind(&self.peer, PartKind::Window);
        let windows: usize = windows.map(|(_, bytes)| bytes).sum();
        let of_windows = WINDOWS_BYTES_MAX.saturating_sub(windows);
        let most = match wadi_store::defence::off("peer-memory") {
            true => usize::MAX,
            false => left.min(of_windows),
        };

        let parts = all.by_peer.get_mut(&self.peer);
        let Some(part) = parts.and_then(|parts| parts.get_mut(&self.number)) else {
            return 0;
        };
        part.bytes += bytes.saturating_sub(part.bytes).min(most);
        part.bytes
    }

    /// Whether what each of the peer's links reads next has room, too: none has to ask.
    pub(crate) fn has_room(&self) -> bool {
        let all = self.holdings.lock();
        let links = all.of_kind(&self.peer, PartKind::Link).count();
        let next = links.saturating_mul(STEP_BYTES);
        fits(all.of_peer(&self.peer).saturating_add(next))
    }

    /// Whether what one of them reads next has room.
    pub(crate) fn has_room_for_one(&self) -> bool {
        let held = self.holdings.lock().of_peer(&self.peer);
        fits(held.saturating_add(STEP_BYTES))
    }

    /// Takes the room for what is read next, until it is counted; false where there is none.
    pub(crate) fn reserve(&self) -> bool {
        let mut all = self.holdings.lock();
        if !fits(all.of_peer(&self.peer).saturating_add(STEP_BYTES)) {
            return false;
        }

        let parts = all.by_peer.get_mut(&self.peer);
        if let Some(part) = parts.and_then(|parts| parts.get_mut(&self.number)) {
            part.bytes = part.bytes.saturating_add(STEP_BYTES);
        }
        true
    }

    /// Whether no other link of the peer holds more.
    pub(crate) fn is_largest(&self) -> bool {
        let all = self.holdings.lock();
        let links = all.of_kind(&self.peer, PartKind::Link);
        let largest = links.max_by_key(|(number, bytes)| (*bytes, *number));
        largest.is_none_or(|(number, _)| number == self.number)
    }
}

impl Drop for HeldPart {
    fn drop(&mut self) {
        let mut all = self.holdings.lock();
        if let Some(parts) = all.by_peer.get_mut(&self.peer) {
            parts.remove(&self.number);
            if parts.is_empty() {
                all.by_peer.remove(&self.peer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRB: NodeId = NodeId([3; 16]);
    const QAM: NodeId = NodeId([4; 16]);

    #[test]
    fn all_parts_of_a_peer_share_one_allowance_and_nobody_elses() {
        let holdings: Arc<PeerHoldings> = Arc::default();
        let (session, other) = (holdings.part(TRB), holdings.part(TRB));
        let session_bytes = PEER_ALLOWANCE_BYTES - 4_300_000;
        let left = PEER_ALLOWANCE_BYTES - session_bytes;
        assert!(session.set(session_bytes));
        assert!(other.reserve() && other.reserve(), "what is read next");
        assert!(!other.reserve() && !session.has_room_for_one());
        assert!(other.set(0));
        assert!(session.has_room() && session.is_largest());

        assert!(other.set(left - 1_000));
        assert!(!session.has_room(), "a block more is too much");
        assert!(session.is_largest() && !other.is_largest());
        assert!(!session.set(session_bytes + 1_001));
        assert!(holdings.begin(TRB, 1).is_none());
        assert!(holdings.begin(QAM, 1).is_some(), "another has its own");

        drop(other);
        assert_eq!(holdings.of(&TRB).held, session_bytes as u64 + 1_001);
        assert!(holdings.begin(TRB, 3_000_000).is_some());
        drop(session);
        assert_eq!(holdings.of(&TRB).held, 0);
        assert!(holdings.lock().by_peer.is_empty());
    }

    #[test]
    fn windows_share_a_bound_of_their_own_and_never_shrink() {
        let holdings: Arc<PeerHoldings> = Arc::default();
        let (receive, send) = (holdings.window(TRB), holdings.window(TRB));
        assert_eq!(receive.grow(1_500_000), 1_500_000);
        assert_eq!(receive.grow(500_000), 1_500_000);
        assert_eq!(send.grow(90_000_000), WINDOWS_BYTES_MAX - 1_500_000);
        assert_eq!(receive.grow(90_000_000), 1_500_000);

        let streams = holdings.part(QAM);
        assert!(streams.set(PEER_ALLOWANCE_BYTES - STEP_BYTES - 1_000));
        assert_eq!(
            holdings.window(QAM).grow(9_000),
            1_000,
            "blocks have room still"
        );
    }
}
