//! What is known of one log at the peer.

use crate::forks::ForkSearch;

/// Times a peer may report a gap in one log before its blocks stop for this session.
const GAPS_MAX: u32 = 8;

/// How a log travels to the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Both may see it.
    Shared,
    /// The peer keeps it for a hub, and does not read it: so much it acknowledged.
    Carried(u64),
}

/// What is known of one log at the peer.
#[derive(Debug, Default)]
pub(crate) struct PeerLog {
    /// Entries durable at the peer.
    pub(crate) theirs: u64,
    /// Entries sent, acknowledged or not.
    pub(crate) sent: u64,
    /// What the peer holds is a prefix of what is held here.
    pub(crate) checked: bool,
    /// Nothing more of it in this session.
    pub(crate) stuck: bool,
    /// Gaps that the peer reported, one after the other.
    gaps: u32,
    /// Boxed: hardly any log has one, and a peer may name many logs.
    pub(crate) fork_search: Option<Box<ForkSearch>>,
}

impl PeerLog {
    /// Bytes that the search for a fork takes; none where there is none.
    pub(crate) fn search_bytes(&self) -> Option<usize> {
        self.fork_search.as_ref().map(|search| search.held_bytes())
    }

    /// Whatever made the log rest is asked anew.
    pub(crate) fn begin_anew(&mut self) {
        self.stuck = false;
        self.gaps = 0;
        self.fork_search = None;
    }

    /// The peer holds this much, which is a prefix of what is held here, or all of it; nothing of
    /// it is on its way.
    pub(crate) fn holds(&mut self, size: u64) {
        self.theirs = size;
        self.sent = size;
        self.checked = true;
    }

    /// The peer sent this much itself, and it was proven to be a prefix of what is held here.
    pub(crate) fn brought(&mut self, size: u64) {
        self.theirs = self.theirs.max(size);
        self.sent = self.sent.max(size);
        self.checked |= self.fork_search.is_none();
    }

    /// The peer holds this much, which is a prefix of what is held here, as another link learned.
    pub(crate) fn held_there(&mut self, size: u64) {
        if self.fork_search.is_none() {
            self.theirs = self.theirs.max(size);
            self.sent = self.sent.max(size);
            self.checked = true;
        }
    }

    /// A block that ended at `to` is durable at the peer, which holds `size` entries as it says.
    /// Nothing that it says moves a log beyond what was sent to it.
    pub(crate) fn acknowledged(&mut self, size: u64, to: u64) {
        self.theirs = self.theirs.max(size.min(self.sent)).max(to);
        self.gaps = 0;
    }

    /// The peer lacks what comes after `size`: it is sent from there. False where it said so too
    /// often, and nothing changes.
    pub(crate) fn rewind(&mut self, size: u64) -> bool {
        if self.gaps >= GAPS_MAX {
            return false;
        }

        let held = size.min(self.sent);
        self.theirs = held;
        self.sent = held;
        self.gaps += 1;
        true
    }
}

/// Where the next block of a log begins, if one may be sent; `log` is none where the peer never
/// named it, and nothing was sent.
pub(crate) fn next_block_at(log: Option<&PeerLog>, way: Way) -> Option<u64> {
    if log.is_some_and(|l| l.stuck || l.fork_search.is_some()) {
        return None;
    }

    match (log, way) {
        (None, Way::Shared) => Some(0),
        (Some(l), Way::Shared) => l.checked.then_some(l.sent),
        // A carried block is sent only when the one before it is durable at the neighbour.
        (Some(l), Way::Carried(held)) if l.sent > held => None,
        (_, Way::Carried(held)) => Some(held),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_moves_a_log_no_further_than_what_was_sent_and_back_eight_times() {
        let mut log = PeerLog::default();
        log.holds(10);
        log.sent = 30;
        log.acknowledged(99, 20);
        assert_eq!((log.theirs, log.sent), (30, 30));

        for _ in 0..GAPS_MAX {
            assert!(log.rewind(12));
        }

        assert_eq!((log.theirs, log.sent), (12, 12));
        assert!(!log.rewind(5), "nobody reports gaps without end");
        assert_eq!(log.sent, 12);

        log.sent = 20;
        log.acknowledged(20, 20);
        assert!(log.rewind(15), "an acknowledgement ends the count");
    }

    #[test]
    fn blocks_go_on_where_the_last_ended_and_carried_ones_wait_for_the_one_before() {
        assert_eq!(next_block_at(None, Way::Shared), Some(0));
        assert_eq!(next_block_at(None, Way::Carried(4)), Some(4));

        let mut log = PeerLog {
            sent: 7,
            ..PeerLog::default()
        };

        assert_eq!(next_block_at(Some(&log), Way::Shared), None, "not checked");
        assert_eq!(next_block_at(Some(&log), Way::Carried(4)), None);
        assert_eq!(next_block_at(Some(&log), Way::Carried(7)), Some(7));

        log.checked = true;
        assert_eq!(next_block_at(Some(&log), Way::Shared), Some(7));
        log.stuck = true;
        assert_eq!(next_block_at(Some(&log), Way::Shared), None);
        log.begin_anew();
        assert_eq!(next_block_at(Some(&log), Way::Shared), Some(7));
    }
}
