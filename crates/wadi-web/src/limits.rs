//! What reads a lot at once takes its turn, so that many who ask for it keep nobody from recording.

use crate::{Problem, Token};
use axum::http::StatusCode;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

/// Expensive reads at once: records as of a time, histories, evidence, pages of lists and of
/// comparisons.
const EXPENSIVE_MAX: usize = 4;
/// The same of one token: whoever asks without end leaves others their turns.
const EXPENSIVE_OF_ONE_MAX: usize = 2;
/// How long one waits for its turn before its caller is told to come again.
const PATIENCE: Duration = Duration::from_secs(20);

static EXPENSIVE: Semaphore = Semaphore::const_new(EXPENSIVE_MAX);
static EXPENSIVE_OF: Mutex<BTreeMap<String, Weak<Semaphore>>> = Mutex::new(BTreeMap::new());

/// Followers of the stream of changes: each keeps a connection, of which there are 256.
static FOLLOWERS: StreamPlaces = StreamPlaces {
    all_max: 64,
    of_one_max: 16,
    what: "the stream of changes is",
    otherwise: "try again later",
    taken: Mutex::new(BTreeMap::new()),
};
/// Streams of what changes on a page: each keeps a connection. Browsers open six to a host at most,
/// and some have to be left for pages.
static LIVE: StreamPlaces = StreamPlaces {
    all_max: 64,
    of_one_max: 4,
    what: "streams of what changes are",
    otherwise: "ask for the pages now and then",
    taken: Mutex::new(BTreeMap::new()),
};

fn busy(why: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", why)
}

/// The turn of an expensive read; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct ReadTurn {
    _own: OwnedSemaphorePermit,
    _of_all: SemaphorePermit<'static>,
}

/// The turn of an expensive read for a token.
pub(crate) async fn expensive(token: &Token) -> Result<ReadTurn, Problem> {
    expensive_within(token.hash(), PATIENCE).await
}

async fn expensive_within(token: &str, patience: Duration) -> Result<ReadTurn, Problem> {
    let until = Instant::now() + patience;
    let refused = || {
        busy("too many lists, histories and looks into the past are asked for at once; try again")
    };

    let own = timeout_at(until, turns_of(token).acquire_owned()).await;
    let own = own.ok().and_then(Result::ok).ok_or_else(refused)?;
    let of_all = timeout_at(until, EXPENSIVE.acquire()).await;

    Ok(ReadTurn {
        _own: own,
        _of_all: of_all.ok().and_then(Result::ok).ok_or_else(refused)?,
    })
}

/// The turns of one token. They are kept as long as somebody has one or waits for one.
fn turns_of(token: &str) -> Arc<Semaphore> {
    let mut all = EXPENSIVE_OF.lock().expect("no panic holds it");
    if let Some(turns) = all.get(token).and_then(Weak::upgrade) {
        return turns;
    }

    all.retain(|_, turns| turns.strong_count() > 0);
    let turns = Arc::new(Semaphore::new(EXPENSIVE_OF_ONE_MAX));
    all.insert(token.into(), Arc::downgrade(&turns));
    turns
}

/// StreamPlaces that keep a connection each, so many of all callers and fewer of one.
pub(crate) struct StreamPlaces {
    all_max: usize,
    of_one_max: usize,
    /// What is followed, for a refusal.
    what: &'static str,
    /// What a caller can do instead, for a refusal.
    otherwise: &'static str,
    /// How many each token has, by its hash.
    taken: Mutex<BTreeMap<String, usize>>,
}

/// A place among those who follow; it is free again when this is dropped.
pub(crate) struct StreamPlace {
    of: &'static StreamPlaces,
    /// The hash of the token that has it.
    token: String,
}

impl StreamPlaces {
    fn take(&'static self, token: &str) -> Result<StreamPlace, Problem> {
        let mut taken = self.taken.lock().expect("no panic holds it");
        if taken.get(token).is_some_and(|own| *own >= self.of_one_max) {
            return Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_streams",
                format!(
                    "{} followed {} times with this token, and no more may be; end one, or {}",
                    self.what, self.of_one_max, self.otherwise
                ),
            ));
        }
        if taken.values().sum::<usize>() >= self.all_max {
            return Err(busy(&format!(
                "{} followed by as many as may at once; {}",
                self.what, self.otherwise
            )));
        }

        *taken.entry(token.into()).or_default() += 1;
        Ok(StreamPlace {
            of: self,
            token: token.into(),
        })
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().expect("no panic holds it");
        if let Some(count) = taken.get_mut(&self.token) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.token);
            }
        }
    }
}

/// A place among those who follow the changes.
pub(crate) fn follower(token: &Token) -> Result<StreamPlace, Problem> {
    FOLLOWERS.take(token.hash())
}

/// A place among the streams of what changes on a page.
pub(crate) fn live_follower(token: &Token) -> Result<StreamPlace, Problem> {
    LIVE.take(token.hash())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_follows_a_few_streams_all_of_them_so_many_and_a_place_is_free_again() {
        for places in [&LIVE, &FOLLOWERS] {
            let take = |token: &str| places.take(token);
            let code =
                |taken: Result<StreamPlace, Problem>| taken.err().map(|p| (p.status, p.code));

            let mut own: Vec<StreamPlace> = (0..places.of_one_max)
                .map(|_| take("one").unwrap())
                .collect();
            assert_eq!(code(take("one")), Some((429, "too_many_streams".into())));

            let others: Vec<StreamPlace> = (places.of_one_max..places.all_max)
                .map(|n| take(&format!("other {n}")).unwrap())
                .collect();
            assert_eq!(code(take("late")), Some((503, "busy".into())));

            own.pop();
            drop(take("late").unwrap());
            drop((own, others));
            assert!(
                places.taken.lock().unwrap().is_empty(),
                "a place is kept for nobody"
            );
        }
    }

    #[tokio::test]
    async fn one_token_leaves_others_their_turns_and_those_past_the_bound_wait_and_are_told() {
        let short = Duration::from_millis(20);
        let code = |turn: Result<ReadTurn, Problem>| turn.err().map(|p| p.code);
        let mut turns = Vec::new();
        for _ in 0..EXPENSIVE_OF_ONE_MAX {
            turns.push(expensive_within("greedy", PATIENCE).await.unwrap());
        }
        let more = expensive_within("greedy", short).await;
        assert_eq!(code(more).as_deref(), Some("busy"));

        for n in EXPENSIVE_OF_ONE_MAX..EXPENSIVE_MAX {
            let other = format!("other {n}");
            turns.push(expensive_within(&other, PATIENCE).await.unwrap());
        }
        let more = expensive_within("late", short).await;
        assert_eq!(code(more).as_deref(), Some("busy"));

        turns.pop();
        drop(expensive_within("late", PATIENCE).await.unwrap());

        drop(turns);
        drop(turns_of("afterwards"));
        assert_eq!(
            EXPENSIVE_OF.lock().unwrap().len(),
            1,
            "turns are kept for nobody"
        );
    }
}
