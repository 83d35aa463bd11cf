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
    revocations: watch::Sender<u64>,
}

impl Tokens {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        Self {
            door,
            changing: tokio::sync::Mutex::default(),
            used: Mutex::default(),
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

    /// Writes a token that is there anew; one that was revoked meanwhile stays away.
    pub async fn renew(&self, token: KeptToken) -> Result<(), NodeError> {
        let _changing = self.changing.lock().await;
        match self.scope_of(&token.hash).await? {
            Some(_) => self.put(token).await,
            None => Ok(()),
        }
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
        self.revocations.send_modify(|count| *count += 1);
        Ok(())
    }
}
