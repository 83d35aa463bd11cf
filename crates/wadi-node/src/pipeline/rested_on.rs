//! What a write would change, or spend, that other records rest on, as far as this node knows: the
//! record alone does not tell.

use crate::{
    door::{error::NodeError, hold_terms::hold_terms},
    pipeline::{author::refusal, commit::Commit, sequencer::Sequencer},
};
use wadi_log::{Body, Put, RecordId, Reference};
use wadi_record::{
    Kind, Objection, Policy, Record, Refusal, SIGN_IT, SignedDecisions, event_type, is_matched,
    term, tokens_named,
};
use wadi_store::StoreError;

impl Sequencer {
    /// Refuses a token for a release that was spent before, or has ended by the best known time, as
    /// far as this node knows: a clock that was set back lengthens none.
    pub(super) async fn check_unspent(
        &self,
        g: &Commit,
        events: &[String],
    ) -> Result<(), NodeError> {
        let best_s = self.time.best_ms().div_euclid(1_000);
        let now_s = best_s.max(self.time.heard_s());
        for id in tokens_named(events) {
            let spends = |record: &Record| {
                let mut events = record.events().filter(|e| e.restricts());
                events.any(|e| e.text("token") == Some(&id))
            };
            let known = self.store.by_term("token", &term(&id), None, 1).await?;
            let is_spent =
                !known.is_empty() || self.is_named_in_flight(&id) || g.records.values().any(spends);
            if is_spent {
                let why = format!("token {id} was spent before");
                return Err(refusal(Objection::Refused(Refusal {
                    code: "token_spent",
                    why,
                })));
            }

            let held = self.ledger.control().release_token(&id, |_| u64::MAX);
            if held.is_some_and(|issued| issued.token.expires_s <= now_s) {
                let why = format!("token {id} has expired by the hub's time");
                return Err(refusal(Objection::Refused(Refusal {
                    code: "token_expired",
                    why,
                })));
            }
        }

        Ok(())
    }

    /// Whether what is sequenced and not durable yet names a token: the store does not tell of it
    /// yet, and the commit in the making no longer.
    fn is_named_in_flight(&self, token: &str) -> bool {
        let Some(flight) = &self.in_flight else {
            return false;
        };

        let changes = flight.overlay.changes.values().flatten();
        let mut events = changes.filter_map(|said| match &said.entry()?.body {
            Body::Change(change) => Some(&change.events),
            _ => None,
        });
        events.any(|events| tokens_named(events).contains(token))
    }

    /// Whether these puts would change what a link or a lookout of another record rests on, as far
    /// as this node knows.
    pub(super) async fn is_matched(
        &self,
        g: &Commit,
        id: RecordId,
        puts: &[Put],
    ) -> Result<bool, StoreError> {
        let Some(record) = g.records.get(&id) else {
            return Ok(false);
        };
        let Some(kind) = record.kind() else {
            return Ok(false);
        };

        let is_change = |put: &Put| is_matched(kind, &put.key) && record.field(&put.key).is_some();
        if !puts.iter().any(is_change) {
            return Ok(false);
        }

        // Every entry is linked with its truck: of goods a lookout alone is asked for.
        let linked = match kind {
            Kind::CustomsEntry => Vec::new(),
            _ => self.store.by_term("link", &id.to_string(), None, 1).await?,
        };
        if !linked.is_empty() {
            return Ok(true);
        }

        // Goods of a held entry hold the truck that carries them by what it is known by, too.
        let terms = hold_terms(&Policy::default());
        let held = self.store.detained(&[id], &terms).await?;
        Ok(!held.is_empty())
    }
}

/// What whoever decided is told, where the policy asks for a signature that the entry has not.
pub(super) fn unsigned_warnings(record: &Record, entry: &Reference) -> Vec<String> {
    let Some((said, _)) = record.row(entry) else {
        return Vec::new();
    };
    if said.judge.policy.signed_decisions != SignedDecisions::Warn {
        return Vec::new();
    }

    let own = record.events().filter(|event| event.reference == *entry);
    let unsigned = own.filter(|event| {
        let lets_go = event_type(event.kind()).is_some_and(|t| t.lets_go());
        lets_go && event.signed_by.is_none()
    });
    unsigned
        .map(|event| {
            format!(
                "{}: not signed by the officer's own key, which the policy asks for; {SIGN_IT}",
                event.kind()
            )
        })
        .collect()
}

/// What whoever changed something is told that a decision rests on.
pub(super) fn change_warnings(record: &Record, entry: &Reference, is_matched: bool) -> Vec<String> {
    let own = record.changed_puts().filter(|put| put.entry == *entry);
    let rested = own.filter_map(|put| {
        let after = put.after.or(is_matched.then_some("a link or a lookout"))?;
        if put.field.starts_with("seal.") {
            // A seal that was opened by right has another one in its place.
            return Some(format!(
                "{}: changed after {after} rested on it; that is a finding (R32), unless a search \
                 or customs at a reloading names the new seal",
                put.field
            ));
        }

        Some(format!(
            "{}: changed after {after} rested on it; that is a finding (R32)",
            put.field
        ))
    });

    rested.collect()
}
