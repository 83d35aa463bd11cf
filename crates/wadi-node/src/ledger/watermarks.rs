//! How far each crossing has been received: a late truck is not a missing truck.

use crate::ledger::{Ledger, LogHead};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wadi_log::{Crossing, Lane, LogId, NodeId, Role};

/// A node of a crossing, and how far it is received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeardNode {
    /// The node.
    pub node: NodeId,
    /// Through which time it is received, Unix milliseconds; 0 where it never named one.
    pub received_ms: i64,
}

impl Ledger {
    /// How far a node has been received, in hub seconds, by what its control checkpoints name.
    fn received_s(&self, node: &NodeId, heard_s: &impl Fn(&LogHead, Option<i64>) -> i64) -> i64 {
        let boots = self.control.boots();
        let complete = |log: &LogId| {
            let ends = boots.get(log);
            ends.is_none_or(|e| e.iter().all(|(l, size)| self.held(l) >= *size))
        };
        let time = |(log, held): (&LogId, &LogHead)| {
            let head = &held.checkpoint.as_ref()?.checkpoint;
            let listed = |(lane, crossing, size): &(Lane, Crossing, u64)| {
                self.held(&LogId {
                    lane: *lane,
                    crossing: *crossing,
                    ..*log
                }) >= *size
            };

            (complete(log) && head.logs.iter().all(listed))
                .then(|| heard_s(held, self.cosigned_s(log)))
        };

        let own = self.logs_of(node).filter(|(l, _)| l.lane == Lane::Control);
        own.filter_map(time).max().unwrap_or(0)
    }

    /// Finds the watermark of every crossing: over all its nodes, or its closure. `now_ms` is the
    /// hub's own time: it holds whatever it said itself. `heard_s` is the hub time that a head
    /// names, given when this node cosigned it, as far as it tells anything; Unix seconds.
    pub(crate) fn find_watermarks(
        &mut self,
        now_ms: i64,
        heard_s: impl Fn(&LogHead, Option<i64>) -> i64,
    ) {
        let is_in_force =
            |e: &&wadi_log::Enrolment| e.role == Role::Crossing && !self.control.is_cut(&e.node());
        // Whoever holds anything of a node that is declared a spare knows better, and waits.
        let is_heard = |node: &NodeId| self.logs_of(node).next().is_some();
        let declared = self.control.declared_spares();
        let spares: BTreeSet<NodeId> = declared.filter(|node| !is_heard(node)).collect();
        let is_awaited = |e: &&wadi_log::Enrolment| is_in_force(e) && !spares.contains(&e.node());
        let nodes = self.control.enrolments().filter(is_awaited);

        let mut out: BTreeMap<String, i64> = BTreeMap::new();
        let mut slowest: BTreeMap<String, HeardNode> = BTreeMap::new();
        let mut past_closure: BTreeMap<String, HeardNode> = BTreeMap::new();
        for (node, crossing) in nodes.filter_map(|e| Some((e.node(), e.crossing?))) {
            let received_ms = self.received_s(&node, &heard_s).saturating_mul(1_000);
            let heard = HeardNode { node, received_ms };
            let closed_ms = self
                .control
                .closed_s(crossing)
                .map(|s| s.saturating_mul(1_000));
            if closed_ms.is_some_and(|closed_ms| received_ms > closed_ms) {
                let furthest = past_closure.entry(crossing.to_string()).or_insert(heard);
                if furthest.received_ms < received_ms {
                    *furthest = heard;
                }
            }

            let held = out.entry(crossing.to_string()).or_insert(received_ms);
            *held = (*held).min(received_ms);

            let slow = slowest.entry(crossing.to_string());
            let slow = slow.or_insert(heard);
            if received_ms < slow.received_ms {
                *slow = heard;
            }
        }

        // A closure stands for a crossing's nodes, also where all of them were cut.
        let crossings: BTreeSet<Crossing> = self
            .control
            .enrolments()
            .filter(|e| e.role == Role::Crossing)
            .filter_map(|e| e.crossing)
            .collect();

        for crossing in crossings {
            if let Some(closed_s) = self.control.closed_s(crossing) {
                let received_ms = out.entry(crossing.to_string()).or_insert(i64::MIN);
                *received_ms = (*received_ms).max(closed_s.saturating_mul(1_000));
            }
        }

        out.insert("HUB".into(), now_ms);
        self.watermarks = Arc::new(out);
        self.slowest = Arc::new(slowest);
        self.past_closure = Arc::new(past_closure);
    }

    /// Through which time each crossing is received, Unix milliseconds.
    pub(crate) fn watermarks(&self) -> Arc<BTreeMap<String, i64>> {
        self.watermarks.clone()
    }

    /// Through which time a crossing is received, Unix milliseconds.
    pub(crate) fn watermark(&self, crossing: &str) -> Option<i64> {
        self.watermarks.get(crossing).copied()
    }
}
