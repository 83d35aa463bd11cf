//! What peers ask of this node is answered one after the other, and takes no more than a share of
//! the time: ten bytes that ask may cost a second to answer. The share is a member's, over all of
//! its connections (`door/budgets.rs`).

use std::collections::VecDeque;
use wadi_sync::{Query, SketchAsk};

/// Questions of one peer that wait at most. An honest one asks, and waits for the answer.
const WAITING_MAX: usize = 64;
/// What a question takes whatever it asks, about.
const QUESTION_BYTES: usize = 160;

/// Bytes that a question takes, about.
fn question_bytes(query: &Query) -> usize {
    let listed = match query {
        Query::Roots { sizes, .. } => size_of_val(sizes.as_slice()),
        Query::Stretches { ranges, .. } | Query::Pick { ranges, .. } => {
            size_of_val(ranges.as_slice())
        }
        Query::Tree { parts, .. } => size_of_val(parts.as_slice()),
        Query::Sketch {
            ask: SketchAsk::Leaves { tiles, raw, .. },
            ..
        } => size_of_val(tiles.as_slice()) + size_of_val(raw.as_slice()),
        _ => 0,
    };
    QUESTION_BYTES + listed
}

/// One peer's questions.
#[derive(Default)]
pub(crate) struct Questions {
    waiting: VecDeque<Query>,
}

impl Questions {
    /// Whether a query is what the peer wants to know, and not what the session needs to go on.
    pub(crate) fn is_one(query: &Query) -> bool {
        match query {
            Query::Digests
            | Query::Tree { .. }
            | Query::Stretches { .. }
            | Query::Sketch { .. }
            | Query::Pick { .. } => true,
            Query::Roots { for_peer, .. } | Query::Branch { for_peer, .. } => *for_peer,
            Query::Block { .. }
            | Query::HeldForBlock { .. }
            | Query::HeldForFrame { .. }
            | Query::Carried { .. } => false,
        }
    }

    /// Takes a question; whether there was room. What waits already is answered once.
    pub(crate) fn put(&mut self, query: Query) -> bool {
        if self.waiting.contains(&query) {
            return true;
        }

        let room = self.waiting.len() < WAITING_MAX || wadi_store::defence::off("questions-max");
        if room {
            self.waiting.push_back(query);
        }

        room
    }

    /// Bytes that wait, about.
    pub(crate) fn held_bytes(&self) -> usize {
        self.waiting.iter().map(question_bytes).sum()
    }

    /// Whether none waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next one to be answered.
    pub(crate) fn pop(&mut self) -> Option<Query> {
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(index: u64) -> Query {
        let log = wadi_log::LogId {
            node: wadi_log::NodeId([1; 16]),
            epoch: wadi_log::Epoch([2; 8]),
            lane: wadi_log::Lane::Passage,
            crossing: wadi_log::Crossing::HUB,
        };

        Query::Branch {
            log,
            at: index,
            for_peer: true,
        }
    }

    #[test]
    fn fifty_thousand_equal_questions_are_one() {
        let mut questions = Questions::default();
        assert!((0..50_000).all(|_| questions.put(Query::Digests)));
        assert_eq!(questions.pop(), Some(Query::Digests));
        assert_eq!(questions.pop(), None);
    }

    #[test]
    fn different_ones_wait_in_bounded_number() {
        let mut questions = Questions::default();
        let taken = (0..1_000).filter(|n| questions.put(tree(*n))).count();
        assert_eq!(taken, WAITING_MAX);
    }
}
