//! What reads a lot at once takes its turn, so that many who ask for it keep nobody from recording.

use crate::Problem;
use axum::http::StatusCode;
use std::{collections::BTreeMap, sync::Mutex, time::Duration};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Expensive reads at once: records as of a time, histories, evidence, pages of lists and of
/// comparisons.
const EXPENSIVE_MAX: usize = 4;
/// Followers of the stream of changes at once: each keeps a connection.
const FOLLOWERS_MAX: usize = 64;
/// How long one waits for its turn before its caller is told to come again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Streams of what changes on a page, at once: each keeps a connection, of which there are 256.
const LIVE_MAX: usize = 64;
/// The same of one token. Browsers open six connections to a host at most: some have to be left for
/// pages.
const LIVE_OF_ONE_MAX: usize = 4;

static EXPENSIVE: Semaphore = Semaphore::const_new(EXPENSIVE_MAX);
static FOLLOWERS: Semaphore = Semaphore::const_new(FOLLOWERS_MAX);
static LIVE: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

fn busy(why: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", why)
}

/// The turn of an expensive read; it ends when what is returned is dropped.
pub(crate) async fn expensive() -> Result<SemaphorePermit<'static>, Problem> {
    expensive_within(PATIENCE).await
}

async fn expensive_within(patience: Duration) -> Result<SemaphorePermit<'static>, Problem> {
    match tokio::time::timeout(patience, EXPENSIVE.acquire()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(busy(
            "too many lists, histories and looks into the past are asked for at once; try again",
        )),
    }
}

/// A place among those who follow the changes; it is free again when what is returned is dropped.
pub(crate) fn follower() -> Result<SemaphorePermit<'static>, Problem> {
    FOLLOWERS
        .try_acquire()
        .map_err(|_| busy("as many follow the changes as may at once; try again later"))
}

/// A place among the streams of what changes; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct LivePlace {
    /// The hash of the token that it is of.
    token: String,
}

impl Drop for LivePlace {
    fn drop(&mut self) {
        let mut places = LIVE.lock().expect("no panic holds it");
        if let Some(count) = places.get_mut(&self.token) {
            *count -= 1;
            if *count == 0 {
                places.remove(&self.token);
            }
        }
    }
}

/// A place for another stream of what changes, for the token of that hash.
pub(crate) fn live_follower(token: &str) -> Result<LivePlace, Problem> {
    let mut places = LIVE.lock().expect("no panic holds it");
    if places.get(token).is_some_and(|own| *own >= LIVE_OF_ONE_MAX) {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_streams",
            format!(
                "{LIVE_OF_ONE_MAX} streams of what changes are followed with this token, and no \
                 more may be; end one, or ask for the pages now and then"
            ),
        ));
    }
    if places.values().sum::<usize>() >= LIVE_MAX {
        return Err(busy(
            "as many follow what changes as may at once; ask for the pages now and then",
        ));
    }

    *places.entry(token.into()).or_default() += 1;
    Ok(LivePlace {
        token: token.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_follows_a_few_streams_all_of_them_so_many_and_a_place_is_free_again() {
        let mut own: Vec<LivePlace> = (0..LIVE_OF_ONE_MAX)
            .map(|_| live_follower("one").unwrap())
            .collect();
        let refused = live_follower("one").unwrap_err();
        assert_eq!((refused.status, &*refused.code), (429, "too_many_streams"));

        let others: Vec<LivePlace> = (LIVE_OF_ONE_MAX..LIVE_MAX)
            .map(|n| live_follower(&format!("other {n}")).unwrap())
            .collect();
        assert_eq!(live_follower("late").unwrap_err().code, "busy");

        own.pop();
        drop(live_follower("late").unwrap());
        drop((own, others));
        assert!(
            LIVE.lock().unwrap().is_empty(),
            "a place is kept for nobody"
        );
    }

    #[tokio::test]
    async fn those_past_the_bound_wait_and_are_told_and_a_turn_that_ends_lets_one_in() {
        let mut turns = Vec::new();
        for _ in 0..EXPENSIVE_MAX {
            turns.push(expensive().await.unwrap());
        }

        assert_eq!(
            expensive_within(Duration::from_millis(20))
                .await
                .unwrap_err()
                .code,
            "busy"
        );

        turns.pop();
        drop(expensive().await.unwrap());

        let mut followers = Vec::new();
        for _ in 0..FOLLOWERS_MAX {
            followers.push(follower().unwrap());
        }

        assert_eq!(follower().unwrap_err().status, 503);
    }
}
