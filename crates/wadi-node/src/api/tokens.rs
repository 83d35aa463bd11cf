//! The API's tokens, as a node keeps them: by their hashes, and never away from this node.

use crate::door::{Door, error::NodeError};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;
use wadi_store::{LocalKey, LocalScope};

const TOKENS: LocalScope = LocalScope::Token;
/// Should the database be damaged one day, an old page of it must not bring a revoked token back.
const REVOKED: LocalScope = LocalScope::TokenRevoked;

/// A token as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptToken {
    /// SHA-256 of the token, in hexadecimal.
    pub hash: String,
    /// What it may do, in its issuer's words.
    pub scope: String,
}

/// The tokens that this node keeps.
pub struct Tokens {
    door: Arc<Door>,
    /// Held while a token is written or taken away: what is noted of one never brings it back.
    changing: tokio::sync::Mutex<()>,
    /// By hash, when a use was last noted, Unix milliseconds. No longer than the tokens are many.
    used: Mutex<BTreeMap<String, i64>>,
    /// By hash, reads that are not written down yet, and when some last were, Unix milliseconds.
    reads: Mutex<BTreeMap<String, (SensitiveReads, i64)>>,
    revocations: watch::Sender<u64>,
}

/// Reads of what not everybody may read, in records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SensitiveReads {
    /// Of what tells who a traveller is.
    pub persons: u64,
    /// Of what a lookout seeks.
    pub lookouts: u64,
}

impl Tokens {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        Self {
            door,
            changing: tokio::sync::Mutex::default(),
            used: Mutex::default(),
            reads: Mutex::default(),
            revocations: watch::Sender::new(0),
        }
    }

    /// Changes whenever a token is revoked, for those who stay connected.
    pub fn revocations(&self) -> watch::Receiver<u64> {
        self.revocations.subscribe()
    }

    /// Notes that a token is used now; whether the last time was that many milliseconds ago, and
    /// is worth writing down.
    pub fn note_use(&self, hash: &str, now_ms: i64, every_ms: i64) -> bool {
        let mut used = self.used.lock().expect("no panic holds it");
        match used.get(hash) {
            // A clock that was set back counts from there.
            Some(last) if (0..every_ms).contains(&now_ms.saturating_sub(*last)) => false,
            _ => {
                used.insert(hash.to_string(), now_ms);
                true
            }
        }
    }

    /// Counts reads with a token. What is to be written down by now: more often than every so many
    /// milliseconds would be a write for each read.
    pub fn count_reads(
        &self,
        hash: &str,
        more: SensitiveReads,
        now_ms: i64,
        every_ms: i64,
    ) -> Option<SensitiveReads> {
        let mut reads = self.reads.lock().expect("no panic holds it");
        let (waiting, written_ms) = reads.entry(hash.to_string()).or_default();
        waiting.persons = waiting.persons.saturating_add(more.persons);
        waiting.lookouts = waiting.lookouts.saturating_add(more.lookouts);

        // A clock that was set back counts from there.
        if (0..every_ms).contains(&now_ms.saturating_sub(*written_ms)) {
            return None;
        }

        *written_ms = now_ms;
        Some(std::mem::take(waiting))
    }

    /// Reads with a token that are not written down yet.
    pub fn reads_waiting(&self, hash: &str) -> SensitiveReads {
        let reads = self.reads.lock().expect("no panic holds it");
        reads
            .get(hash)
            .map_or_else(Default::default, |(waiting, _)| *waiting)
    }

    /// Changes a token that is there; one that was revoked meanwhile stays away.
    pub async fn change(
        &self,
        hash: &str,
        change: impl FnOnce(String) -> String,
    ) -> Result<(), NodeError> {
        let _changing = self.changing.lock().await;
        let Some(scope) = self.scope_of(hash).await? else {
            return Ok(());
        };

        let kept = KeptToken {
            hash: hash.into(),
            scope: change(scope),
        };
        self.put(kept).await
    }

    async fn put(&self, token: KeptToken) -> Result<(), NodeError> {
        let row = LocalKey {
            scope: TOKENS,
            key: token.hash,
            value: token.scope,
        };
        self.door.set_local(vec![row], vec![]).await
    }

    /// What the token with that hash may do; nothing, where it is unknown or was revoked.
    pub async fn scope_of(&self, hash: &str) -> Result<Option<String>, NodeError> {
        Ok(self.door.store.local(&TOKENS, hash).await?)
    }

    /// All tokens.
    pub async fn all(&self) -> Result<Vec<KeptToken>, NodeError> {
        let all = self.door.store.local_all(&TOKENS).await?;
        let kept = all.into_iter().map(|row| KeptToken {
            hash: row.key,
            scope: row.value,
        });

        Ok(kept.collect())
    }

    /// Keeps a token. Durable when it returns.
    pub async fn keep(&self, token: KeptToken) -> Result<(), NodeError> {
        let _changing = self.changing.lock().await;
        self.put(token).await
    }

    /// Forgets a token that has ended by itself. Durable when it returns.
    pub async fn forget(&self, hash: &str) -> Result<(), NodeError> {
        let _changing = self.changing.lock().await;
        let gone = vec![(TOKENS, hash.to_string())];
        self.door.set_local(vec![], gone).await?;

        self.used.lock().expect("no panic holds it").remove(hash);
        self.reads.lock().expect("no panic holds it").remove(hash);
        Ok(())
    }

    /// Forgets a token, and remembers under which name it was revoked. Durable when it returns.
    pub async fn revoke(&self, hash: &str, name: &str) -> Result<(), NodeError> {
        let _changing = self.changing.lock().await;
        let revoked = LocalKey {
            scope: REVOKED,
            key: hash.into(),
            value: name.into(),
        };
        let gone = vec![(TOKENS, hash.to_string())];
        self.door.set_local(vec![revoked], gone).await?;

        self.used.lock().expect("no panic holds it").remove(hash);
        self.reads.lock().expect("no panic holds it").remove(hash);
        self.revocations.send_modify(|count| *count += 1);
        Ok(())
    }
}
