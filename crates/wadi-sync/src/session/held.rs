//! What a session holds in memory because of its peer. It is counted, and whoever drives the
//! session bounds it together with what else the peer has the node hold.

use super::{LIST_ITEMS_MAX, PeerLog, Session, reading::LaneReader};

/// What a log takes that only the peer named, about.
const PEER_LOG_BYTES: usize = 160;
/// What a range or a log of a short list takes, about.
const LISTED_BYTES: usize = 64;

/// The short lists of a session are full at this, whatever a peer sends.
const LISTS_BYTES_MAX: usize = 4 * LIST_ITEMS_MAX * LISTED_BYTES;

impl Session {
    /// Bytes that it holds because of its peer, about: streams of blocks both ways with what they
    /// expect, blocks that wait for the store, what is in flight, and what the peer says to hold.
    /// What this node itself holds and knows is not counted.
    pub fn held_bytes(&self) -> usize {
        let readers: usize = self.readers.values().map(LaneReader::held_bytes).sum();
        let own = self.start.as_ref().map_or(0, |s| s.frontier.0.len());
        let named = self.logs.len().saturating_sub(own) * PEER_LOG_BYTES;
        let searches = self.logs.values().filter_map(PeerLog::search_bytes);
        let lists = self.carrying.listed() + self.unknown_authors.listed();

        readers
            + self.window.held_bytes()
            + named
            + searches.sum::<usize>()
            + self.exchange.held_bytes()
            + (lists * LISTED_BYTES).min(LISTS_BYTES_MAX)
    }

    /// Whether blocks that came wait for what the store tells: what they take is given back.
    pub fn waits_for_store(&self) -> bool {
        self.readers.values().any(LaneReader::waits)
    }
}
