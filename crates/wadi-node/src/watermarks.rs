//! How far each crossing has been received: a late truck is not a missing truck.

use crate::{commit::Group, desk::Desk};
use std::collections::BTreeMap;
use wadi_log::{Lane, LogId, NodeId, Role};
use wadi_store::StoreError;

impl Desk {
    /// How far each node has been received, in hub seconds, by what its control checkpoints name. No checkpoint has heard of a
    /// later time than this hub's own: one that says so lies.
    fn received_s(&self, node: &NodeId) -> i64 {
        let now_s = self.clock.now_ms() / 1_000;
        let control = self.control.read().expect("no panic holds it");
        let boots = control.boots();
        let complete = |log: &LogId| {
            let ends = boots.get(log);
            ends.is_none_or(|e| e.iter().all(|(l, size)| self.held(l) >= *size))
        };
        let time = |(log, held): (&LogId, &crate::desk::Held)| {
            let head = &held.checkpoint.as_ref()?.checkpoint;
            let listed = |(lane, crossing, size): &(Lane, wadi_log::Crossing, u64)| {
                self.held(&LogId { lane: *lane, crossing: *crossing, ..*log }) >= *size
            };
            (complete(log) && head.logs.iter().all(listed)).then_some(head.hub_time_s.min(now_s))
        };
        let own = self.logs.iter().filter(|(l, _)| l.node == *node && l.lane == Lane::Control);
        own.filter_map(time).max().unwrap_or(0)
    }

    /// The watermark of every crossing: over all its nodes, or its closure.
    pub(crate) fn find_watermarks(&mut self) {
        let nodes: Vec<(NodeId, String)> = {
            let control = self.control.read().expect("no panic holds it");
            let crossings = control.enrolments().filter(|e| e.role == Role::Crossing && !control.is_cut(&e.node()));
            crossings.filter_map(|e| Some((e.node(), e.crossing?.to_string()))).collect()
        };
        let mut out: BTreeMap<String, i64> = BTreeMap::new();
        for (node, crossing) in nodes {
            let received_ms = self.received_s(&node).saturating_mul(1_000);
            let held = out.entry(crossing).or_insert(received_ms);
            *held = (*held).min(received_ms);
        }
        let control = self.control.read().expect("no panic holds it");
        // A closure stands for a crossing's nodes, also where all of them were cut.
        let crossings: std::collections::BTreeSet<wadi_log::Crossing> =
            control.enrolments().filter(|e| e.role == Role::Crossing).filter_map(|e| e.crossing).collect();
        for crossing in crossings {
            if let Some(closed_s) = control.closed_s(crossing) {
                let received_ms = out.entry(crossing.to_string()).or_insert(i64::MIN);
                *received_ms = (*received_ms).max(closed_s.saturating_mul(1_000));
            }
        }
        drop(control);
        // The hub holds whatever it said itself.
        out.insert("HUB".into(), self.clock.now_ms());
        *self.watermarks.write().expect("no panic holds it") = out;
    }

    /// A node's control log, or what it lists, has come further: findings that waited for it are looked at again.
    pub(crate) fn move_watermark(&mut self, g: &mut Group, node: &NodeId) {
        if self.me.role != Role::Hub {
            return;
        }
        let crossing = {
            let control = self.control.read().expect("no panic holds it");
            control.enrolment(node).and_then(|e| e.crossing).map(|c| c.to_string())
        };
        let Some(crossing) = crossing else { return };
        let of = |desk: &Self| desk.watermarks.read().expect("no panic holds it").get(&crossing).copied();
        let before = of(self);
        self.find_watermarks();
        g.watermark_moved |= of(self) != before;
    }

    /// Entries that waited for entries of a control log are judged as far as those have come.
    pub(crate) async fn retry_unjudged(&mut self, g: &mut Group, log: LogId) -> Result<(), StoreError> {
        let held = self.held(&log);
        g.retry.extend(self.store.waiting_on(&log, held).await?);
        let fresh = g.unjudged.iter().flat_map(|(id, all)| all.iter().map(|(_, missing)| (*id, *missing)));
        let come = fresh.filter(|(_, missing)| missing.log == log && missing.seq < held);
        g.retry.extend(come.map(|(id, _)| id).collect::<Vec<_>>());
        Ok(())
    }
}
