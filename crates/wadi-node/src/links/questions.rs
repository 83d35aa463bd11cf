//! What peers ask of this node is answered one after the other, and takes no more than a share of
//! the time: ten bytes that ask may cost a second to answer.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use wadi_sync::Query;

/// Questions of one peer that wait at most. An honest one asks, and waits for the answer.
const WAITING_MAX: usize = 64;
/// How many times as long as an answer took its link rests from answering: a peer's questions take
/// a quarter of one processor at most.
const RESTS: u32 = 3;
/// The longest rest.
const REST_MAX: Duration = Duration::from_secs(30);

/// One peer's questions.
#[derive(Default)]
pub(crate) struct Questions {
    waiting: VecDeque<Query>,
    rests_until: Option<Instant>,
}

impl Questions {
    /// Whether a query is what the peer wants to know, and not what the session needs to go on.
    pub(crate) fn is_one(query: &Query) -> bool {
        match query {
            Query::Digests | Query::Tree { .. } | Query::Stretches { .. } => true,
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

    /// When the next one may be answered; none while nothing waits.
    pub(crate) fn next_at(&self, now: Instant) -> Option<Instant> {
        self.waiting.front()?;
        Some(self.rests_until.map_or(now, |until| until.max(now)))
    }

    /// The next one to be answered.
    pub(crate) fn pop(&mut self) -> Option<Query> {
        self.waiting.pop_front()
    }

    /// An answer took from `began` until now.
    pub(crate) fn answered(&mut self, began: Instant, now: Instant) {
        let rest = now
            .duration_since(began)
            .saturating_mul(RESTS)
            .min(REST_MAX);
        self.rests_until = Some(now + rest);
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

    #[test]
    fn answering_takes_a_quarter_of_the_time_whatever_a_peer_asks() {
        let (mut questions, start) = (Questions::default(), Instant::now());
        let (mut now, mut busy) = (start, Duration::ZERO);
        for n in 0..100 {
            assert!(questions.put(tree(n)));
            now = questions.next_at(now).expect("one waits");
            questions.pop().unwrap();
            let took = Duration::from_millis(20);
            questions.answered(now, now + took);
            (now, busy) = (now + took, busy + took);
        }

        assert!(
            busy <= (now - start).mul_f64(0.26),
            "{busy:?} of {:?}",
            now - start
        );
    }
}
