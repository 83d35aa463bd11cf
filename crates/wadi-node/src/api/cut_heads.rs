//! Where a cut of a node would fall that keeps what a hub had cosigned by a time.

use crate::{api::Reads, door::proofs::known_root};
use wadi_log::{Head, LogId, NodeId};
use wadi_store::{CosignedHead, StoreError};

/// Cosigned heads of a log that are read at once.
const PAGE: u32 = 256;
/// Heads of a log that are held against the branch which is held, from the last one back.
const HEADS_COMPARED: usize = 64;

impl Reads {
    /// The last head of each log of a node that a hub had cosigned at or before a time, Unix
    /// seconds by that hub: what it said by then and nobody can have changed since. Logs of which
    /// no hub had anything by then are left out.
    pub async fn heads_cosigned_by(
        &self,
        node: &NodeId,
        time_s: u64,
    ) -> Result<Vec<Head>, StoreError> {
        let logs: Vec<LogId> = self.door.heads_of(node).iter().map(|h| h.log).collect();
        let mut out = Vec::new();
        for log in logs {
            out.extend(self.head_cosigned_by(&log, time_s).await?);
        }

        Ok(out)
    }

    async fn head_cosigned_by(&self, log: &LogId, time_s: u64) -> Result<Option<Head>, StoreError> {
        let mut heads: Vec<Head> = Vec::new();
        let mut from = 0;
        loop {
            let page = self.door.store.cosigned_over(log, from, PAGE).await?;
            let is_last = page.len() < PAGE as usize;
            let before = heads.len();
            heads.extend(
                page.iter()
                    .filter(|c| c.cosignature.time_s <= time_s && self.is_by_witness(c))
                    .map(head_of),
            );

            // A hub cosigns what is longer later: a page without any is followed by none.
            let next = page.last().map(|c| c.checkpoint.checkpoint.size);
            match next.filter(|_| !is_last && heads.len() > before) {
                // Of the last size there may be more on the next page.
                Some(size) => from = size.saturating_sub(1).max(from + 1),
                None => break,
            }
        }

        for head in heads.into_iter().rev().take(HEADS_COMPARED) {
            // Heads of a branch that was the log once may be among them.
            if known_root(&*self.door.store, log, head.size).await? == Some(head.root) {
                return Ok(Some(head));
            }
        }

        Ok(None)
    }

    /// Whether a hub that is not cut signed it.
    fn is_by_witness(&self, head: &CosignedHead) -> bool {
        self.door.with_control(|c| {
            let witness = &head.cosignature.witness;
            let key = c.enrolment(witness).map(|e| e.log_key);
            let is_signed = key.is_some_and(|key| {
                head.cosignature
                    .verify(&head.checkpoint.checkpoint, &key)
                    .is_ok()
            });
            c.is_witness(witness) && is_signed
        })
    }
}

fn head_of(cosigned: &CosignedHead) -> Head {
    let head = &cosigned.checkpoint.checkpoint;
    Head {
        log: head.log,
        size: head.size,
        root: head.root,
    }
}
