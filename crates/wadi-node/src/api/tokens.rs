//! The API's tokens, as a node keeps them: by their hashes, and never away from this node.

use crate::door::{Door, error::NodeError};
use std::sync::Arc;
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
}

impl Tokens {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        Self { door }
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
        let row = LocalKey {
            scope: TOKENS,
            key: token.hash,
            value: token.scope,
        };
        self.door.set_local(vec![row], vec![]).await
    }

    /// Forgets a token, and remembers under which name it was revoked. Durable when it returns.
    pub async fn revoke(&self, hash: &str, name: &str) -> Result<(), NodeError> {
        let revoked = LocalKey {
            scope: REVOKED,
            key: hash.into(),
            value: name.into(),
        };
        let gone = vec![(TOKENS, hash.to_string())];
        self.door.set_local(vec![revoked], gone).await
    }
}
