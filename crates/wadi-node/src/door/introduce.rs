//! What the database has to hold of the node itself, written at each start.

use crate::door::{
    Door,
    excerpt::{ALL_EXCERPTS, EXCERPT_LOST},
};
use wadi_log::{Enrolment, Role};
use wadi_store::{AnchorState, Batch, LocalKey, LocalScope, LocalState, StoreError};

/// The local key that says which loss of the database's tail was told to the hub: scope and key.
const LOSS_TOLD: (LocalScope, &str) = (LocalScope::Excerpts, "loss_told");
/// The local key that says which version projected the records: scope and key.
const PROJECTION: (LocalScope, &str) = (LocalScope::Projection, "version");
/// What a record's projection holds; another number where it holds more or other things.
const PROJECTION_VERSION: &str = "16";

impl Door {
    /// Writes what the database has to hold of the node itself. One that is new, or lost its tail,
    /// may hold less of the records handed over to this crossing than the hub remembers.
    pub(crate) async fn introduce(&self, me: Enrolment) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        if !self.store.enrolments().await?.contains(&me) {
            batch.append.enrolments.push(me);
        }

        let loss = match self.store.anchor_state() {
            AnchorState::LostTail { anchored, held, .. } => Some(format!("{anchored} {held}")),
            AnchorState::Unanchored => Some("unanchored".into()),
            _ => None,
        };

        let (scope, key) = LOSS_TOLD;
        let told = self.store.local(&scope, key).await?;
        if self.me.role == Role::Crossing && (!batch.append.enrolments.is_empty() || told != loss) {
            let local = |scope: LocalScope, key: &str, value| LocalKey {
                scope,
                key: key.into(),
                value,
            };

            if !batch.append.enrolments.is_empty() || loss.is_some() {
                batch
                    .local
                    .keys
                    .push(local(EXCERPT_LOST, ALL_EXCERPTS, String::new()));
            }

            match loss {
                Some(loss) => batch.local.keys.push(local(scope, key, loss)),
                None => batch
                    .local
                    .keys_gone
                    .extend(told.map(|_| (scope, key.to_string()))),
            }
        }

        self.keep(batch).await?;
        self.renew_projections().await
    }

    /// Records that another version projected are projected anew by the next round of the scrub,
    /// which is now.
    async fn renew_projections(&self) -> Result<(), StoreError> {
        let (scope, key) = PROJECTION;
        if self.store.local(&scope, key).await?.as_deref() == Some(PROJECTION_VERSION) {
            return Ok(());
        }

        if self.store.counts().await?.records > 0 {
            tracing::info!("another version projected the records: they are projected anew");
            self.scrub_now.notify_one();
        }

        let version = LocalKey {
            scope,
            key: key.into(),
            value: PROJECTION_VERSION.into(),
        };

        match self
            .keep(Batch::from(LocalState {
                keys: vec![version],
                ..LocalState::default()
            }))
            .await
        {
            // A full disk keeps nobody from starting: the next start projects once more.
            Err(error) if error.is_passing() => Ok(()),
            done => done,
        }
    }
}
