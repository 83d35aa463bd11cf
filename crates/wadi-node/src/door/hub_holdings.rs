//! What hubs hold of others' logs, as they said when both were last in step. Of its own logs a node
//! goes by hubs' cosignatures alone.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Mutex,
};
use wadi_log::{Frontier, LogId, NodeId};

/// How many entries of each log a hub holds, by hub.
#[derive(Debug, Default)]
pub(crate) struct HubHoldings(Mutex<BTreeMap<NodeId, HashMap<LogId, u64>>>);

impl HubHoldings {
    /// A hub and this node hold that alike now. It takes the place of what they held before: a hub
    /// that was restored from an old copy holds less.
    pub(crate) fn are_alike(&self, hub: NodeId, held: &Frontier) {
        let sizes = held.0.iter().map(|(log, tip)| (*log, tip.size)).collect();
        self.0.lock().expect("no panic holds it").insert(hub, sizes);
    }

    /// Whether a hub among these holds the entry at a position of a log.
    pub(crate) fn hold(&self, log: &LogId, seq: u64, counts: impl Fn(&NodeId) -> bool) -> bool {
        let hubs = self.0.lock().expect("no panic holds it");
        hubs.iter()
            .filter(|(hub, _)| counts(hub))
            .any(|(_, sizes)| sizes.get(log).is_some_and(|size| seq < *size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane, Peaks, Tip};

    #[test]
    fn the_newest_word_of_a_hub_counts_unless_it_was_cut() {
        let crossing: Crossing = "TRB".parse().unwrap();
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Hold,
            crossing,
        };
        let of = |size| {
            let root = Peaks::default().root();
            Frontier(BTreeMap::from([(log, Tip { size, root })]))
        };
        let (hub, holdings) = (NodeId([9; 16]), HubHoldings::default());
        assert!(!holdings.hold(&log, 0, |_| true));

        holdings.are_alike(hub, &of(5));
        assert!(holdings.hold(&log, 4, |_| true) && !holdings.hold(&log, 5, |_| true));
        assert!(!holdings.hold(&log, 4, |other| *other != hub), "it was cut");

        holdings.are_alike(hub, &of(3));
        assert!(!holdings.hold(&log, 4, |_| true), "it was restored");
    }
}
