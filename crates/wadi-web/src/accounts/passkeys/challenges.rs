//! Challenges that were given and not answered yet. Each is answered once, for minutes, and there
//! are never more than so many, so that whoever asks for them without end costs nothing and takes
//! nobody else's away.

use std::{collections::VecDeque, sync::Mutex};

/// Challenges at once.
const ALL_MAX: usize = 2_048;
/// The same to one address, or to one session: many who sign in may share an address.
const OF_ONE_MAX: usize = 64;

/// Challenges of one kind, the oldest first.
#[derive(Debug)]
pub(super) struct Challenges<T>(Mutex<VecDeque<GivenChallenge<T>>>);

#[derive(Debug)]
struct GivenChallenge<T> {
    challenge: u128,
    /// To whom it was given.
    to: String,
    /// The node's time at which it ends, Unix milliseconds.
    until_ms: i64,
    /// What its answer is judged by.
    state: T,
}

impl<T> Default for Challenges<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Challenges<T> {
    /// Keeps one that is given. Where somebody has too many, their own oldest is forgotten.
    pub(super) fn give(&self, challenge: u128, to: &str, (now_ms, until_ms): (i64, i64), state: T) {
        let mut given = self.0.lock().expect("no panic holds it");
        given.retain(|one| now_ms < one.until_ms);
        let of_one = given.iter().filter(|one| one.to == to).count();
        if of_one >= OF_ONE_MAX
            && let Some(oldest) = given.iter().position(|one| one.to == to)
        {
            given.remove(oldest);
        }
        if given.len() >= ALL_MAX {
            given.pop_front();
        }

        given.push_back(GivenChallenge {
            challenge,
            to: to.into(),
            until_ms,
            state,
        });
    }

    /// Takes one that is answered: to whom it was given, and what its answer is judged by. None
    /// where it was taken before, has ended, or was never given.
    pub(super) fn take(&self, challenge: u128, now_ms: i64) -> Option<(String, T)> {
        let mut given = self.0.lock().expect("no panic holds it");
        let at = given.iter().position(|one| one.challenge == challenge)?;
        let taken = given.remove(at)?;
        (now_ms < taken.until_ms).then_some((taken.to, taken.state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: (i64, i64) = (0, 1_000);

    #[test]
    fn a_challenge_is_answered_once_and_in_its_time() {
        let given = Challenges::default();
        given.give(1, "a", TIMES, "first");
        given.give(2, "a", TIMES, "second");
        assert_eq!(given.take(1, 999), Some(("a".into(), "first")));
        assert_eq!(given.take(1, 999), None, "it was answered");
        assert_eq!(given.take(2, 1_000), None, "it has ended");
        assert_eq!(given.take(3, 0), None, "it was never given");
    }

    #[test]
    fn whoever_asks_without_end_takes_nobodys_challenge_but_their_own() {
        let given = Challenges::default();
        given.give(0, "a", TIMES, ());
        for n in 1..=1_000 {
            given.give(n, "greedy", TIMES, ());
        }
        assert!(given.take(0, 1).is_some());
        assert_eq!(given.0.lock().unwrap().len(), OF_ONE_MAX);
        assert!(given.take(1_000, 1).is_some(), "the newest of the greedy");

        // From many addresses: there are never more than so many.
        for n in 2_000..10_000_u128 {
            given.give(n, &n.to_string(), TIMES, ());
        }
        assert_eq!(given.0.lock().unwrap().len(), ALL_MAX);
        given.give(1, "late", (1_000, 2_000), ());
        assert_eq!(given.0.lock().unwrap().len(), 1, "what has ended is gone");
    }
}
