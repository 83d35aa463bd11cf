//! Small tables that have a meaning on this node alone, and never leave it: its accounts, and the
//! pauses of those who guess. What stands in them is in their keeper's words.

use crate::door::{Door, error::NodeError};
use std::sync::Arc;
use wadi_store::{LocalKey, LocalScope};

/// Such a table: values by key.
pub struct LocalTable {
    door: Arc<Door>,
    scope: LocalScope,
    /// Held while a value is read and written: no change is lost between.
    changing: tokio::sync::Mutex<()>,
}

impl LocalTable {
    pub(crate) fn new(door: Arc<Door>, scope: LocalScope) -> Self {
        Self {
            door,
            scope,
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// The value of a key.
    pub async fn value(&self, key: &str) -> Result<Option<String>, NodeError> {
        Ok(self.door.store.local(&self.scope, key).await?)
    }

    /// All keys and values.
    pub async fn all(&self) -> Result<Vec<(String, String)>, NodeError> {
        let all = self.door.store.local_all(&self.scope).await?;
        Ok(all.into_iter().map(|row| (row.key, row.value)).collect())
    }

    /// How many there are.
    pub async fn count(&self) -> Result<usize, NodeError> {
        let count = self.door.store.local_count(&self.scope).await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Changes a value; nothing takes it away. What the change says besides is given back. Durable
    /// when it returns.
    pub async fn change<T>(
        &self,
        key: &str,
        change: impl FnOnce(Option<String>) -> (Option<String>, T),
    ) -> Result<T, NodeError> {
        let _changing = self.changing.lock().await;
        let before = self.value(key).await?;
        let (after, said) = change(before.clone());
        match after {
            after if after == before => {}
            Some(value) => {
                let row = LocalKey {
                    scope: self.scope.clone(),
                    key: key.into(),
                    value,
                };
                self.door.set_local(vec![row], vec![]).await?;
            }
            None => {
                let gone = vec![(self.scope.clone(), key.to_string())];
                self.door.set_local(vec![], gone).await?;
            }
        }

        Ok(said)
    }

    /// Takes keys away.
    pub async fn take_away(&self, keys: Vec<String>) -> Result<(), NodeError> {
        let _changing = self.changing.lock().await;
        let gone = keys.into_iter().map(|key| (self.scope.clone(), key));
        self.door.set_local(vec![], gone.collect()).await
    }
}
