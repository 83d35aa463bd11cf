//! What a node told of one of its chains, in the control logs of its epochs.

use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Hash, LogId};

/// Heads that are remembered: three years of one a day, six weeks of one an hour.
pub(super) const HEADS_MAX: usize = 1_000;
/// Epochs that are remembered.
const EPOCHS_MAX: usize = 64;

/// Heads of one chain.
#[derive(Debug, Default)]
pub(super) struct ToldChain {
    heads: BTreeSet<(u64, Hash)>,
    /// By control log: the lowest and the highest number that it tells.
    spans: BTreeMap<LogId, (u64, u64)>,
    two_histories: bool,
}

impl ToldChain {
    /// Takes in a head, from whichever control log of the node, in whatever order.
    pub(super) fn learn(&mut self, log: LogId, lines: u64, hash: Hash) -> bool {
        let at_lines = (lines, Hash([0; 32]))..=(lines, Hash([255; 32]));
        let others = self.heads.range(at_lines).any(|(_, other)| *other != hash);

        let span = self.spans.entry(log).or_insert((lines, lines));
        *span = (span.0.min(lines), span.1.max(lines));
        let (low, high) = *span;
        // A node that starts again goes on where its last epoch ended: one that tells on both sides
        // of what another epoch tells is two.
        let mut elsewhere = self.spans.iter().filter(|(other, _)| **other != log);
        let overlaps = elsewhere.any(|(_, (l, h))| low < *h && *l < high);
        self.two_histories |= others || overlaps;

        let is_new = self.heads.insert((lines, hash));
        if self.heads.len() > HEADS_MAX {
            self.heads.pop_first();
        }
        if self.spans.len() > EPOCHS_MAX {
            let oldest = self.spans.iter().min_by_key(|(_, (_, high))| *high);
            if let Some(log) = oldest.map(|(log, _)| *log) {
                self.spans.remove(&log);
            }
        }

        is_new
    }

    /// Numbers of lines and their hashes, ascending.
    pub(super) fn heads(&self) -> impl DoubleEndedIterator<Item = (u64, Hash)> {
        self.heads.iter().copied()
    }

    /// Whether no one history has all that was told.
    pub(super) fn has_two_histories(&self) -> bool {
        self.two_histories
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane, NodeId};

    fn log(epoch: u8) -> LogId {
        LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([epoch; 8]),
            lane: Lane::Control,
            crossing: Crossing::HUB,
        }
    }

    /// Whether these, each an epoch, a number and a hash, are two histories, in any order.
    fn are_two(told: &[(u8, u64, u8)]) -> bool {
        let of = |turned: bool| {
            let mut told = told.to_vec();
            if turned {
                told.reverse();
            }
            let mut chain = ToldChain::default();
            for (epoch, lines, hash) in told {
                chain.learn(log(epoch), lines, Hash([hash; 32]));
            }
            chain.has_two_histories()
        };
        assert_eq!(of(false), of(true));
        of(false)
    }

    #[test]
    fn a_hub_that_starts_again_has_one_history() {
        assert!(!are_two(&[
            (1, 5, 5),
            (1, 9, 9),
            (2, 12, 12),
            (3, 20, 20),
            (3, 21, 21)
        ]));
        assert!(!are_two(&[(1, 5, 5), (1, 5, 5), (2, 5, 5), (2, 6, 6)]));
        assert!(!are_two(&[]));
    }

    #[test]
    fn a_hub_that_shows_two_histories_is_seen_by_whoever_has_both() {
        // One number, two roots: in one log or in two.
        assert!(are_two(&[(1, 5, 5), (1, 5, 6)]));
        assert!(are_two(&[(1, 5, 5), (2, 5, 6)]));
        // Never the same number: each goes on past where the other was.
        assert!(are_two(&[(1, 5, 5), (1, 9, 9), (2, 7, 7), (2, 11, 11)]));
        assert!(are_two(&[(1, 5, 5), (1, 9, 9), (2, 7, 7)]));
    }

    #[test]
    fn a_node_without_end_takes_bounded_room() {
        let mut chain = ToldChain::default();
        for n in 0..3_000u64 {
            let epoch = Epoch(n.to_be_bytes());
            chain.learn(LogId { epoch, ..log(0) }, n, Hash([n as u8; 32]));
        }
        assert_eq!(
            (chain.heads.len(), chain.spans.len()),
            (HEADS_MAX, EPOCHS_MAX)
        );
        assert!(!chain.has_two_histories());
    }
}
