//! What reads a lot at once takes its turn, so that many who ask for it keep nobody from recording.

use crate::Problem;
use axum::http::StatusCode;
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Expensive reads at once: records as of a time, histories, evidence, pages of lists and of
/// comparisons.
const EXPENSIVE_MAX: usize = 4;
/// Followers of the stream of changes at once: each keeps a connection.
const FOLLOWERS_MAX: usize = 64;
/// How long one waits for its turn before its caller is told to come again.
const PATIENCE: Duration = Duration::from_secs(20);

static EXPENSIVE: Semaphore = Semaphore::const_new(EXPENSIVE_MAX);
static FOLLOWERS: Semaphore = Semaphore::const_new(FOLLOWERS_MAX);

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

#[cfg(test)]
mod tests {
    use super::*;

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
