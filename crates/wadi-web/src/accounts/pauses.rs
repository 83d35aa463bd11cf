//! Pauses of those who guess: failures are counted by account and by address, before the password
//! is looked at, so that many guesses at once are no way around. A pause ends by itself: nobody can
//! lock somebody out for good.

use crate::Problem;
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{StatusCode, request::Parts},
};
use serde::{Deserialize, Serialize};
use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
};
use wadi_node::{Node, NodeError};

/// Failures with one account before its pauses begin.
const ACCOUNT_FREE: u32 = 5;
/// Failures from one address before its pauses begin: many may share one.
const ADDRESS_FREE: u32 = 20;
/// The first pause; each further failure doubles it.
const PAUSE_MS: i64 = 30_000;
/// The longest pause.
const PAUSE_MAX_MS: i64 = 15 * 60_000;
/// After so long failures are forgotten.
const FORGOTTEN_MS: i64 = 24 * 3_600_000;
/// Accounts and addresses of which failures are kept.
const KEPT_MAX: usize = 10_000;

/// Where a request came from.
pub(crate) struct CallerAddress(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for CallerAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self(
            from.map_or_else(|| "-".into(), |at| caller_of(at.0.ip())),
        ))
    }
}

/// An address as failures are counted by: a household of IPv6 is one.
fn caller_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// Failures of one account or address.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Failures {
    failures: u32,
    last_ms: i64,
    until_ms: i64,
}

impl Failures {
    /// How long it still pauses. A clock that was set back makes no pause longer than it may be.
    fn waits_ms(&self, now_ms: i64, pace: f64) -> i64 {
        let left = self.until_ms.saturating_sub(now_ms);
        match left as f64 > PAUSE_MAX_MS as f64 * pace {
            true => 0,
            false => left.max(0),
        }
    }

    /// Counts one more, which may turn out to be none.
    fn count(&mut self, free: u32, now_ms: i64, pace: f64) {
        let real = |ms: i64| (ms as f64 * pace) as i64;
        if now_ms.saturating_sub(self.last_ms) > real(FORGOTTEN_MS) {
            self.failures = 0;
        }

        self.failures = self.failures.saturating_add(1);
        self.last_ms = now_ms;
        let beyond = self.failures.checked_sub(free);
        self.until_ms = beyond.map_or(0, |beyond| {
            let pause = PAUSE_MS.saturating_mul(1 << beyond.min(16));
            now_ms.saturating_add(real(pause.min(PAUSE_MAX_MS)))
        });
    }
}

/// An attempt that was counted as a failure, and is taken back where it is none.
pub(crate) struct Attempt {
    account: String,
    address: String,
}

fn account_key(account: &str) -> String {
    // A name that nobody has may be anything, a password among it.
    format!("account/{}", crate::hash_token(account))
}

fn paused(wait_ms: i64, pace: f64) -> Problem {
    let seconds = ((wait_ms as f64 / pace / 1_000.0).ceil() as u32).max(1);
    Problem {
        wait_s: NonZeroU32::new(seconds),
        ..Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "sign_in_paused",
            format!("too many attempts failed; the next one is looked at in {seconds} s"),
        )
    }
}

/// Counts an attempt, and refuses it while its account or its address pauses.
pub(crate) async fn begin_attempt(
    node: &Node,
    account: &str,
    from: &str,
) -> Result<Attempt, Problem> {
    let attempt = Attempt {
        account: account_key(account),
        address: format!("address/{from}"),
    };
    forget_old(node).await?;
    count_one(node, &attempt.address, ADDRESS_FREE).await?;
    count_one(node, &attempt.account, ACCOUNT_FREE).await?;
    Ok(attempt)
}

async fn count_one(node: &Node, key: &str, free: u32) -> Result<(), Problem> {
    let (now_ms, pace) = (node.time().best_ms(), node.pace());
    let counted = node.sign_in_pauses().change(key, |kept| {
        let mut failures = read_failures(kept.as_deref());
        let waits = failures.waits_ms(now_ms, pace);
        if waits > 0 {
            return (kept, Err(waits));
        }

        failures.count(free, now_ms, pace);
        (serde_json::to_string(&failures).ok(), Ok(()))
    });
    counted.await?.map_err(|waits| paused(waits, pace))
}

fn read_failures(kept: Option<&str>) -> Failures {
    kept.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

impl Attempt {
    /// It was no failure: the account's are forgotten, the address's as many as they were.
    pub(crate) async fn succeeded(self, node: &Node) -> Result<(), NodeError> {
        node.sign_in_pauses()
            .change(&self.account, |_| (None, ()))
            .await?;
        let take_back = |kept: Option<String>| {
            let mut failures = read_failures(kept.as_deref());
            failures.failures = failures.failures.saturating_sub(1);
            failures.until_ms = 0;
            (serde_json::to_string(&failures).ok(), ())
        };
        node.sign_in_pauses().change(&self.address, take_back).await
    }
}

/// Ends the pause of an account.
pub(crate) async fn end_pause(node: &Node, account: &str) -> Result<(), NodeError> {
    let key = account_key(account);
    node.sign_in_pauses().change(&key, |_| (None, ())).await
}

/// How many seconds an account pauses from now on.
pub(crate) async fn pause_s(node: &Node, account: &str) -> Result<u64, NodeError> {
    let kept = node.sign_in_pauses().value(&account_key(account)).await?;
    let waits = read_failures(kept.as_deref()).waits_ms(node.time().best_ms(), node.pace());
    Ok((waits as f64 / node.pace() / 1_000.0).ceil() as u64)
}

/// Forgets the oldest failures where they are too many.
async fn forget_old(node: &Node) -> Result<(), NodeError> {
    let table = node.sign_in_pauses();
    if table.count().await? < KEPT_MAX {
        return Ok(());
    }

    let mut all: Vec<(i64, String)> = table
        .all()
        .await?
        .into_iter()
        .map(|(key, value)| (read_failures(Some(&value)).last_ms, key))
        .collect();
    all.sort();
    all.truncate(KEPT_MAX / 4);
    table
        .take_away(all.into_iter().map(|(_, key)| key).collect())
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_after_a_few_failures_grow_and_end() {
        let mut failures = Failures::default();
        for _ in 1..ACCOUNT_FREE {
            failures.count(ACCOUNT_FREE, 1_000, 1.0);
            assert_eq!(failures.waits_ms(1_000, 1.0), 0);
        }

        failures.count(ACCOUNT_FREE, 1_000, 1.0);
        assert_eq!(failures.waits_ms(1_000, 1.0), PAUSE_MS);
        failures.count(ACCOUNT_FREE, 1_000, 1.0);
        assert_eq!(failures.waits_ms(1_000, 1.0), 2 * PAUSE_MS);
        for _ in 0..100 {
            failures.count(ACCOUNT_FREE, 1_000, 1.0);
        }
        assert_eq!(failures.waits_ms(1_000, 1.0), PAUSE_MAX_MS);
        assert_eq!(failures.waits_ms(1_000 + PAUSE_MAX_MS, 1.0), 0);
        // A clock that was set back by a year.
        assert_eq!(failures.waits_ms(-365 * 86_400_000, 1.0), 0);

        failures.count(ACCOUNT_FREE, 2_000 + FORGOTTEN_MS, 1.0);
        assert_eq!(failures.failures, 1);
    }

    #[test]
    fn a_household_is_one_address() {
        let of = |text: &str| caller_of(text.parse().unwrap());
        assert_eq!(of("10.1.2.3"), of("::ffff:10.1.2.3"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }
}
