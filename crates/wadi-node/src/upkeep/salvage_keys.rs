//! Keys of a database that was set aside which have a meaning on this node alone.

use crate::{
    door::error::NodeError,
    upkeep::salvage::{OldDatabase, Salvager},
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::mpsc;
use wadi_log::{Epoch, RecordId, Reference};
use wadi_store::{LocalKey, LocalScope, Salvage};

/// Keys looked at together.
const KEYS_AT_ONCE: usize = 256;

/// The entry that a sender's key stands for.
fn entry_of(value: &str) -> Option<Reference> {
    let mut parts = value.split(' ');
    parts.next()?.parse::<RecordId>().ok()?;
    parts.next()?.parse().ok()
}

impl Salvager {
    /// Takes back the keys that have a meaning on this node alone: tokens that were not revoked,
    /// how far devices have counted, and senders' keys whose entries are held. What was said since
    /// then stands.
    pub(super) async fn take_keys(
        &self,
        r: &mut OldDatabase,
        salvage: &Arc<Salvage>,
    ) -> Result<(), NodeError> {
        let (send, mut chunks) = mpsc::channel::<Vec<LocalKey>>(4);
        let of = salvage.clone();
        let reader = tokio::task::spawn_blocking(move || {
            let mut chunk = Vec::new();
            of.local_keys(|key| {
                chunk.push(key);
                if chunk.len() == KEYS_AT_ONCE {
                    let _ = send.blocking_send(std::mem::take(&mut chunk));
                }
            });

            let _ = send.blocking_send(chunk);
        });

        let (mut tokens, mut revoked) = (Vec::new(), BTreeSet::new());
        while let Some(chunk) = chunks.recv().await {
            let mut keys = Vec::new();
            for key in chunk {
                match key.scope {
                    LocalScope::Token => tokens.push(key.clone()),
                    LocalScope::TokenRevoked => drop(revoked.insert(key.key.clone())),
                    _ => {}
                }

                if self.is_wanted(&key, &mut r.keys_wait).await? {
                    keys.push(key);
                }
            }

            r.report.local += keys.len() as u64;
            if !keys.is_empty() {
                self.door.set_local(keys, vec![]).await?;
            }
        }

        let _ = reader.await;
        self.take_tokens(r, tokens, &revoked).await
    }

    /// Whether a key is taken back as it is.
    async fn is_wanted(&self, key: &LocalKey, keys_wait: &mut bool) -> Result<bool, NodeError> {
        Ok(match &key.scope {
            // Those that were not revoked are taken together.
            LocalScope::Token => false,
            LocalScope::TokenRevoked => true,
            // What the hub's word was when it first had an entry, nobody finds again.
            LocalScope::ClockDoubt => true,
            // An older habit is better than none; one that was kept since is newer.
            LocalScope::DeviceHabit => {
                let kept = self.door.store.local(&key.scope, &key.key).await?;
                kept.is_none()
            }
            // What somebody put on a desk since is newer.
            LocalScope::FindingDesk => {
                let kept = self.door.store.local(&key.scope, &key.key).await?;
                kept.is_none()
            }
            LocalScope::Device | LocalScope::DeviceSession => self.is_further(key).await?,
            LocalScope::Epoch => self.is_own_epoch(key).await?,
            LocalScope::Import
            | LocalScope::ImportOp
            | LocalScope::DeviceNumber
            | LocalScope::Idempotency(_) => self.stands(key, keys_wait).await?,
            // An old page must not bring a removed account or an old password back, nor
            // lines of a chain that was begun anew: the set-aside file keeps them.
            LocalScope::Account
            | LocalScope::Look
            | LocalScope::SignIn
            | LocalScope::SignInPause
            | LocalScope::Anchor
            | LocalScope::Budget
            | LocalScope::Bundle
            | LocalScope::BundleAct
            | LocalScope::Contact
            // A tree that lost leaves is not gone on with: another log begins.
            | LocalScope::Country
            | LocalScope::CountryLeaf
            | LocalScope::CountryListed
            | LocalScope::CountryTile
            | LocalScope::Cursor
            | LocalScope::ExcerptLost
            | LocalScope::Excerpts
            | LocalScope::Hub
            | LocalScope::Projection
            | LocalScope::Reconcile
            | LocalScope::RefusalDismissed
            | LocalScope::Replica
            | LocalScope::SetAside
            | LocalScope::Unpublished => false,
        })
    }

    /// Takes back the tokens that were not revoked, there or here.
    async fn take_tokens(
        &self,
        r: &mut OldDatabase,
        tokens: Vec<LocalKey>,
        revoked: &BTreeSet<String>,
    ) -> Result<(), NodeError> {
        let store = &self.door.store;
        let mut keys = Vec::new();
        for token in tokens {
            let value = serde_json::from_str::<serde_json::Value>(&token.value);
            let reads = token.key.len() == 64 && value.is_ok_and(|v| v.is_object());
            let held = store.local(&LocalScope::Token, &token.key).await?;
            let gone = store.local(&LocalScope::TokenRevoked, &token.key).await?;

            let is_known = held.is_some() || gone.is_some();
            if reads && !is_known && !revoked.contains(&token.key) {
                keys.push(token);
            }
        }

        r.report.local += keys.len() as u64;
        self.door.set_local(keys, vec![]).await
    }

    async fn is_further(&self, key: &LocalKey) -> Result<bool, NodeError> {
        let Ok(seq) = key.value.parse::<u64>() else {
            return Ok(false);
        };
        let known = self.door.store.local(&key.scope, &key.key).await?;

        Ok(known
            .and_then(|k| k.parse().ok())
            .is_none_or(|known: u64| known < seq))
    }

    async fn is_own_epoch(&self, key: &LocalKey) -> Result<bool, NodeError> {
        let own = key.key == self.door.id().to_string() && key.value.parse::<Epoch>().is_ok();
        Ok(own && self.door.store.local(&key.scope, &key.key).await?.is_none())
    }

    /// Whether the entry that a sender's key stands for is held, and nothing was written under that
    /// key since.
    async fn stands(&self, key: &LocalKey, waits: &mut bool) -> Result<bool, NodeError> {
        let Some(entry) = entry_of(&key.value) else {
            return Ok(false);
        };
        if self.door.store.local(&key.scope, &key.key).await?.is_some() {
            return Ok(false);
        }

        let held = self
            .door
            .store
            .entry(&entry)
            .await
            .is_ok_and(|e| e.is_some());
        *waits |= !held;
        Ok(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Lane, LogId, NodeId};

    #[test]
    fn a_senders_key_names_its_record_and_then_its_entry() {
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        };
        let entry = Reference {
            log,
            seq: 7,
            leaf: Default::default(),
        };
        let record = RecordId([2; 32]);

        assert_eq!(entry_of(&format!("{record} {entry}")), Some(entry));
        assert_eq!(entry_of(&format!("{record} {entry} more")), Some(entry));
        for odd in [
            format!("{entry} {record}"),
            record.to_string(),
            String::new(),
        ] {
            assert_eq!(entry_of(&odd), None, "{odd}");
        }
    }
}
