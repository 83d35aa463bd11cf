//! Who belongs to the commission, as a session tells and hears it.

use super::LIST_ITEMS_MAX;
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Enrolment, Hash, LogId, NodeId, Peaks};

/// Logs whose blocks came before their author was known here, with what is held of them: blocks
/// overtake members, as each lane has a stream of its own.
#[derive(Debug, Default)]
pub(crate) struct UnknownAuthors(BTreeMap<LogId, u64>);

impl UnknownAuthors {
    /// A block of the log was refused for want of its author. What is beyond the bound is asked for
    /// on the next connection.
    pub(crate) fn refused(&mut self, log: LogId, held: u64) {
        if self.0.len() < LIST_ITEMS_MAX {
            self.0.insert(log, held);
        }
    }

    /// These nodes are known now: their logs are asked for again, from what is held of each.
    pub(crate) fn take_known(&mut self, nodes: &BTreeSet<NodeId>) -> Vec<(LogId, u64)> {
        let (known, unknown) = std::mem::take(&mut self.0)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(log, _)| nodes.contains(&log.node));
        self.0 = unknown;
        known.into_iter().collect()
    }
}

/// The digest of all enrolments held, whatever their order.
pub(crate) fn members_digest(members: &[Enrolment]) -> Hash {
    let mut all: Vec<Vec<u8>> = members.iter().map(Enrolment::to_bytes).collect();
    all.sort();
    all.dedup();

    let mut peaks = Peaks::default();
    for enrolment in &all {
        peaks.append(wadi_log::leaf_hash(enrolment));
    }

    peaks.root()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane};

    fn log(node: u8, epoch: u32) -> LogId {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&epoch.to_be_bytes());
        LogId {
            node: NodeId([node; 16]),
            epoch: Epoch(bytes),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        }
    }

    #[test]
    fn a_log_is_asked_for_again_once_when_its_author_is_known() {
        let mut unknown = UnknownAuthors::default();
        unknown.refused(log(1, 0), 5);
        unknown.refused(log(2, 0), 7);

        let known = BTreeSet::from([NodeId([1; 16])]);
        assert_eq!(unknown.take_known(&known), [(log(1, 0), 5)]);
        assert!(unknown.take_known(&known).is_empty());

        for epoch in 0..2 * LIST_ITEMS_MAX as u32 {
            unknown.refused(log(1, epoch), 0);
        }

        assert_eq!(unknown.take_known(&known).len(), LIST_ITEMS_MAX - 1);
    }
}
