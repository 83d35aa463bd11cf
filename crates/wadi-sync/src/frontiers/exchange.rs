//! Where the telling of frontiers stands, and what each end remembers of the last contact.

use super::{FrontierPart, LIST_ITEMS_MAX};
use crate::message::SyncError;
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Difference, Folded, Frontier, Hash, LogId, NodeId, Tip};

/// Logs that are not held here and that a peer's frontier may name. What it names beyond them is
/// not heeded: the peer sends of them what this node takes all the same. Each takes some 270 bytes
/// until both frontiers are compared, and 160 from there on.
pub(super) const UNKNOWN_LOGS_MAX: usize = 32_768;
/// What a log takes that a peer's frontier names, until it is compared, about.
const NAMED_LOG_BYTES: usize = 112;
/// Nodes whose closed logs a peer's frontier may fold.
const FOLDED_NODES_MAX: usize = 4_096;
/// A frontier of more logs than these is not remembered.
const REMEMBERED_LOGS_MAX: usize = 4_000;

/// The exchange of frontiers with one peer.
#[derive(Debug, Default)]
pub(crate) struct FrontierExchange {
    /// This node's frontier was told.
    told: bool,
    /// Nodes whose closed logs differ: the peer was asked to name them one by one.
    unfolding: BTreeSet<NodeId>,
    /// Nodes whose closed logs the peer was told one by one since the frontier was told.
    unfolded: BTreeSet<NodeId>,
    /// Parts of the peer's frontier that have come.
    partial: Option<PartialFrontier>,
    /// What differs, while this node has everything compared once more.
    comparing: Option<BTreeMap<LogId, Difference>>,
}

impl FrontierExchange {
    /// Begins to tell the frontier; false where it was told already.
    pub(super) fn begin_telling(&mut self) -> bool {
        if self.told {
            return false;
        }

        self.told = true;
        self.unfolded.clear();
        true
    }

    /// This node compares everything once more: its frontier is told by the way.
    pub(super) fn compare_anew(&mut self) {
        self.told = true;
        self.unfolded.clear();
        self.comparing = Some(BTreeMap::new());
    }

    /// The peer compares everything once more: its frontier follows, and is answered.
    pub(super) fn peer_compares_anew(&mut self) {
        self.told = false;
        self.partial = None;
    }

    /// Whether the closed logs of some node are still to be named one by one.
    pub(crate) fn is_unfolding(&self) -> bool {
        !self.unfolding.is_empty()
    }

    /// Whether the closed logs of this node are still to be named one by one.
    pub(crate) fn unfolds(&self, node: &NodeId) -> bool {
        self.unfolding.contains(node)
    }

    /// The peer has to name the closed logs of these nodes.
    pub(super) fn await_unfolded(&mut self, nodes: BTreeSet<NodeId>) {
        self.unfolding = nodes;
    }

    /// The peer named them; returns whose they were.
    pub(super) fn end_unfolding(&mut self) -> BTreeSet<NodeId> {
        std::mem::take(&mut self.unfolding)
    }

    /// Of which nodes the closed logs are named when the peer asks. Once after each telling of a
    /// frontier: a short question must not bring a long answer again and again.
    pub(super) fn unfold(&mut self, nodes: &[NodeId]) -> BTreeSet<NodeId> {
        let wanted: BTreeSet<NodeId> = nodes
            .iter()
            .take(LIST_ITEMS_MAX)
            .filter(|n| !self.unfolded.contains(n))
            .copied()
            .collect();

        if self.unfolded.len() >= LIST_ITEMS_MAX {
            return BTreeSet::new();
        }

        self.unfolded.extend(&wanted);
        wanted
    }

    /// Notes what differs, where everything is compared once more.
    pub(super) fn note_differences(&mut self, differences: &BTreeMap<LogId, Difference>) {
        if let Some(all) = &mut self.comparing {
            all.extend(differences);
        }
    }

    /// What comparing everything once more came to, when no log is left to be named.
    pub(super) fn take_compared(&mut self) -> Option<BTreeMap<LogId, Difference>> {
        if self.is_unfolding() {
            return None;
        }

        self.comparing.take()
    }

    /// What has come of the peer's frontier before this part.
    ///
    /// # Errors
    ///
    /// The part belongs to another frontier than the ones before it.
    pub(super) fn continue_part(
        &mut self,
        part: FrontierPart,
    ) -> Result<PartialFrontier, SyncError> {
        let partial = self
            .partial
            .take()
            .unwrap_or_else(|| PartialFrontier::new(part));

        if partial.first.unfolded != part.unfolded || partial.first.since != part.since {
            return Err(SyncError::BadMessage(
                "parts of two frontiers in turn".into(),
            ));
        }

        Ok(partial)
    }

    /// Bytes that the parts take that have come, about.
    pub(crate) fn held_bytes(&self) -> usize {
        let partial = self.partial.as_ref();
        let logs = partial.map_or(0, |p| p.whole.open.len() + p.whole.closed.len());
        let differing = self.comparing.as_ref().map_or(0, BTreeMap::len);
        (logs + differing) * NAMED_LOG_BYTES
    }

    /// More parts follow.
    pub(super) fn keep_part(&mut self, partial: PartialFrontier) {
        self.partial = Some(partial);
    }
}

/// What came of a peer's frontier until now.
#[derive(Debug)]
pub(crate) struct PartialFrontier {
    /// What the first part said of itself.
    first: FrontierPart,
    pub(super) whole: Folded,
    /// Logs of it that are not held here.
    unknown_logs: usize,
    /// Logs that were left out of it.
    pub(super) left_out: u64,
}

impl PartialFrontier {
    fn new(first: FrontierPart) -> Self {
        Self {
            first,
            whole: Folded::default(),
            unknown_logs: 0,
            left_out: 0,
        }
    }

    /// Keeps a log that the peer names, if there is room for it.
    pub(super) fn add_log(&mut self, log: LogId, tip: Tip, is_held: bool) {
        let is_new = !is_held && !self.whole.open.contains_key(&log);
        if is_new && self.unknown_logs >= UNKNOWN_LOGS_MAX {
            self.left_out += 1;
            return;
        }

        self.unknown_logs += usize::from(is_new);
        self.whole.open.insert(log, tip);
    }

    /// Keeps the digest over a node's closed logs, if there is room for it.
    pub(super) fn add_closed(&mut self, node: NodeId, folded: (u64, Hash)) {
        if self.whole.closed.len() < FOLDED_NODES_MAX {
            self.whole.closed.insert(node, folded);
        }
    }
}

/// What each end remembers of what both held alike.
#[derive(Debug, Default)]
pub(crate) struct FrontierMemory {
    /// The digest of what the peer remembers.
    peer_remembers: Option<Hash>,
    /// The digest of what was last given to be remembered here.
    given: Option<Hash>,
}

impl FrontierMemory {
    /// The peer says what it remembers, or that it remembers nothing.
    pub(crate) fn note_peers(&mut self, digest: Option<Hash>) {
        self.peer_remembers = digest;
    }

    /// Whether the peer remembers this, too.
    pub(super) fn is_shared(&self, past: &Frontier) -> bool {
        self.peer_remembers == Some(past.digest())
    }

    /// Whether this is worth remembering, and was not given to be remembered just before.
    pub(super) fn is_news(&mut self, held: &Frontier) -> bool {
        if held.0.is_empty() || held.0.len() > REMEMBERED_LOGS_MAX {
            return false;
        }

        let digest = Some(held.digest());
        std::mem::replace(&mut self.given, digest) != digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane};

    fn log(node: u8) -> LogId {
        LogId {
            node: NodeId([node; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        }
    }

    fn tip(size: u64) -> Tip {
        Tip {
            size,
            root: Hash([size as u8; 32]),
        }
    }

    #[test]
    fn a_frontier_is_told_once_and_again_when_the_peer_compares_anew() {
        let mut exchange = FrontierExchange::default();
        assert!(exchange.begin_telling() && !exchange.begin_telling());
        let node = NodeId([1; 16]);
        assert_eq!(exchange.unfold(&[node]), BTreeSet::from([node]));
        assert!(exchange.unfold(&[node]).is_empty());

        exchange.peer_compares_anew();
        assert!(exchange.begin_telling());
        assert_eq!(exchange.unfold(&[node]), BTreeSet::from([node]));
    }

    #[test]
    fn differences_are_handed_out_when_every_log_was_named() {
        let mut exchange = FrontierExchange::default();
        assert_eq!(exchange.take_compared(), None, "nobody asked");

        exchange.compare_anew();
        exchange.await_unfolded(BTreeSet::from([NodeId([1; 16])]));
        let differences = BTreeMap::from([(log(1), Difference::Behind { theirs: tip(3) })]);
        exchange.note_differences(&differences);
        assert_eq!(exchange.take_compared(), None);

        exchange.end_unfolding();
        assert_eq!(exchange.take_compared(), Some(differences));
        assert_eq!(exchange.take_compared(), None);
    }

    #[test]
    fn parts_of_two_frontiers_do_not_mix() {
        let mut exchange = FrontierExchange::default();
        let full = FrontierPart::default();
        let since = FrontierPart {
            since: true,
            ..full
        };

        let begun = exchange.continue_part(full).unwrap();
        exchange.keep_part(begun);
        assert!(exchange.continue_part(since).is_err());
    }

    #[test]
    fn the_same_past_is_given_to_be_remembered_once() {
        let mut memory = FrontierMemory::default();
        let past = Frontier(BTreeMap::from([(log(1), tip(3))]));
        assert!(!memory.is_news(&Frontier::default()));
        assert!(memory.is_news(&past) && !memory.is_news(&past));

        assert!(!memory.is_shared(&past));
        memory.note_peers(Some(past.digest()));
        assert!(memory.is_shared(&past));
        memory.note_peers(None);
        assert!(!memory.is_shared(&past));
    }
}
