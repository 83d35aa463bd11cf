//! What the sequencer hears of the hub's time, and how far each crossing has been received.

use crate::{
    door::{known_time::KnownTime, signatory::Signatory},
    ledger::{
        LogHead,
        hub_time::{How, TimeVerdict},
    },
    pipeline::{commit::Commit, sequencer::Sequencer},
};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{
    Body, Common, Lane, LogId, NodeId, Role, SignedCheckpoint, SpareEntry, VerifiedBlock,
};
use wadi_store::{LocalKey, LocalScope, StoreError};

/// The local key of what is believed of the hub's time, and the one that older versions kept.
const BELIEVED: (LocalScope, &str) = (LocalScope::Hub, "claim");
const BELIEVED_BEFORE: (LocalScope, &str) = (LocalScope::Hub, "time_s");

/// Declarations that one entry ends: it has room for so many.
const ENDED_MAX: usize = 256;

impl Sequencer {
    /// What this node knew of the time when it stopped: what it believed of the hub's, and what it
    /// signed itself.
    pub(crate) async fn recall_time(&self) -> Result<(), StoreError> {
        let (scope, key) = BELIEVED;
        let mut believed = self.store.local(&scope, key).await?;
        if believed.is_none() {
            let (scope, key) = BELIEVED_BEFORE;
            believed = self.store.local(&scope, key).await?;
        }

        self.time.recall(believed.as_deref());
        let mut own = Vec::new();
        let mut others: BTreeMap<NodeId, i64> = BTreeMap::new();
        for head in self.store.cosignatures(None).await? {
            let signed_s = i64::try_from(head.cosignature.time_s).unwrap_or(i64::MAX);
            if head.cosignature.witness == self.ledger.node() {
                own.push(signed_s);
            } else {
                let latest = others.entry(head.cosignature.witness).or_insert(signed_s);
                *latest = signed_s.max(*latest);
            }
        }

        let others: Vec<i64> = others.into_values().collect();
        self.time.signed_before(&own, &others);
        if let Some(alarm) = self.time.alarm() {
            tracing::error!("{alarm}");
        }

        Ok(())
    }

    /// A hub said its time: it is held against what else is known before anything goes by it.
    pub(crate) fn take_hub_time(&mut self, g: &mut Commit, hub: NodeId, time_s: i64, how: How) {
        let control = self.ledger.control();
        let speaks = control.role(&hub) == Some(Role::Hub)
            && !control.is_cut(&hub)
            && hub != self.ledger.node();
        let cut = self.time.heard_of().filter(|heard| control.is_cut(heard));

        if let Some(cut) = cut {
            self.time.forget(&cut);
        }

        if !speaks {
            return;
        }

        let verdict = self.time.hear(hub, time_s, how);
        if let TimeVerdict::Corrected { was_s } = verdict {
            let why = format!(
                "{was_s} was taken for the hub's time, which is {time_s} (Unix seconds); it is \
                 forgotten"
            );
            self.note(
                g,
                hub.to_string(),
                "hub_time_corrected",
                why,
                hub.to_string(),
            );
        }

        if matches!(
            verdict,
            TimeVerdict::Believed | TimeVerdict::Corrected { .. }
        ) && let Some(value) = self.time.remember()
        {
            let (scope, key) = BELIEVED;
            g.batch.local.keys.push(LocalKey {
                scope,
                key: key.into(),
                value,
            });
        }

        self.refresh_now(g, false);
    }

    /// Signs the control log's head anew where it names an old hub time. A crossing that has said
    /// nothing since it started says that it did: otherwise nobody could tell its silence from a
    /// dead link.
    pub(crate) fn refresh_now(&mut self, g: &mut Commit, at_once: bool) {
        let due = self.time.refresh_due() || at_once && self.time.names_old();
        if self.me.role != Role::Crossing || !due {
            return;
        }

        if self.ledger.epoch().is_none() {
            if !self.room.level().captures(Lane::Control) {
                return;
            }

            if let Err(error) = self.open_epoch(g) {
                tracing::error!(%error, "the node's control log could not be opened");
                return;
            }
        }

        self.refresh(g);
    }

    /// What is common to entries written now. A hub's word is taken for the time by others; a
    /// site's claim is what its machine shows.
    pub(crate) fn common_now(&self) -> Common {
        let wall_ms = if self.me.role == Role::Hub {
            self.time.now_ms()
        } else {
            self.clock.now_ms()
        };

        Common {
            wall_ms,
            ..Common::default()
        }
    }

    /// The hub time that the head held of a log names, as far as it tells anything. No head has
    /// heard of a later time than the one at which this hub took it: one that says so tells
    /// nothing.
    fn heard_by(&self, log: &LogId, held: &LogHead) -> i64 {
        let cosigned_s = self
            .ledger
            .cosigned_s(log)
            .filter(|_| self.me.role == Role::Hub);
        heard_s(&self.time, cosigned_s, held)
    }

    /// Whether a head names a newer hub time than the one that is held.
    pub(crate) fn names_newer(&self, head: &SignedCheckpoint) -> bool {
        let log = head.checkpoint.log;
        let Some(held) = self.ledger.head(&log) else {
            return true;
        };
        let newer = self.time.named_s(head.checkpoint.hub_time_s, None) > self.heard_by(&log, held);
        held.checkpoint.as_ref().is_none_or(|c| newer && c != head)
    }

    /// Finds through which time each crossing is received.
    pub(crate) fn find_watermarks(&mut self) {
        let (time, role) = (self.time.clone(), self.me.role);
        let heard = |held: &LogHead, cosigned_s: Option<i64>| {
            heard_s(&time, cosigned_s.filter(|_| role == Role::Hub), held)
        };

        self.ledger.find_watermarks(time.now_ms(), heard);
    }

    /// A node's control log, or what it lists, has come further: findings that waited for it are
    /// looked at again.
    pub(crate) fn move_watermark(&mut self, g: &mut Commit, node: &NodeId) {
        if self.me.role != Role::Hub {
            return;
        }

        let crossing = self.ledger.enrolment(node).and_then(|e| e.crossing);
        let Some(crossing) = crossing.map(|c| c.to_string()) else {
            return;
        };
        let before = self.ledger.watermark(&crossing);
        self.find_watermarks();
        g.watermark_moved |= self.ledger.watermark(&crossing) != before;
    }

    /// A hub said for whom is waited: what waited for others is looked at again.
    pub(crate) fn move_watermarks(&mut self, g: &mut Commit) {
        if self.me.role != Role::Hub {
            return;
        }

        let before = self.ledger.watermarks();
        self.find_watermarks();
        g.watermark_moved |= self.ledger.watermarks() != before;
    }

    /// The nodes that a block may show not to be spares: its author, and those of which it says
    /// that they are.
    pub(crate) fn perhaps_spares(block: &VerifiedBlock) -> BTreeSet<NodeId> {
        let declared = block
            .entries()
            .iter()
            .filter_map(|entry| match &entry.entry()?.body {
                Body::Spare(spare) => Some(spare.node),
                _ => None,
            });
        declared.chain([block.log().node]).collect()
    }

    /// Something is held of a node that was declared a spare: this hub says that it is one no
    /// longer, so that everybody waits for it, also who lost what it said.
    pub(crate) async fn end_spare(&mut self, g: &mut Commit, node: NodeId) {
        if self.me.role != Role::Hub {
            return;
        }

        let declared = self.ledger.control().spare_declarations(&node);
        let is_heard = self.ledger.logs_of(&node).next().is_some();
        if declared.is_empty() || !is_heard {
            return;
        }

        let ended = Body::Spare(SpareEntry {
            node,
            ends: declared.into_iter().take(ENDED_MAX).collect(),
            reason: "it was heard".into(),
        });
        let written = self.write_control(g, vec![ended], Signatory::default());
        if let Err(error) = written.await {
            tracing::error!(%error, "the end of a spare could not be written");
        }
    }

    /// Entries that waited for entries of a control log are judged as far as those have come.
    pub(crate) async fn retry_unjudged(
        &mut self,
        g: &mut Commit,
        log: LogId,
    ) -> Result<(), StoreError> {
        let held = self.ledger.held(&log);
        g.retry.extend(self.store.waiting_on(&log, held).await?);
        let fresh = g
            .unjudged
            .iter()
            .flat_map(|(id, all)| all.iter().map(|(_, missing)| (*id, *missing)));
        let come = fresh.filter(|(_, missing)| missing.log == log && missing.seq < held);

        g.retry.extend(come.map(|(id, _)| id).collect::<Vec<_>>());
        Ok(())
    }
}

/// The hub time that a head names, in seconds, as far as it tells anything.
fn heard_s(time: &KnownTime, cosigned_s: Option<i64>, held: &LogHead) -> i64 {
    held.checkpoint
        .as_ref()
        .map_or(0, |c| time.named_s(c.checkpoint.hub_time_s, cosigned_s))
}
