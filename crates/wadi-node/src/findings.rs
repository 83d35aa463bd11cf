//! Reconciling at the hub: dossiers out of the store, findings into it.

use crate::{commit::Group, commit::parse_record, desk::Desk};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Lane, LogId, NodeId, RecordId, Role};
use wadi_reconcile::{Dossier, Facts, reconcile};
use wadi_record::Policy;
use wadi_store::{FindingRow, RecordRow, StoreError};

/// Records one link away that a dossier takes at most.
const LINKED_MAX: u32 = 32;

impl Desk {
    /// How far each node has been received, in hub seconds, by what its control checkpoints name.
    fn received_s(&self, node: &NodeId) -> i64 {
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
            (complete(log) && head.logs.iter().all(listed)).then_some(head.hub_time_s)
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
            let received_ms = self.received_s(&node) * 1_000;
            let held = out.entry(crossing).or_insert(received_ms);
            *held = (*held).min(received_ms);
        }
        let control = self.control.read().expect("no panic holds it");
        for (crossing, received_ms) in &mut out {
            if let Some(closed_s) = crossing.parse().ok().and_then(|c| control.closed_s(c)) {
                *received_ms = (*received_ms).max(closed_s * 1_000);
            }
        }
        drop(control);
        // The hub holds whatever it said itself.
        out.insert("HUB".into(), self.clock.now_ms());
        self.watermarks = out;
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
        let before = self.watermarks.get(&crossing).copied();
        self.find_watermarks();
        g.watermark_moved |= self.watermarks.get(&crossing).copied() != before;
    }

    /// Looks at the findings of records that changed, and of those one link away.
    pub(crate) async fn reconcile_touched(&mut self, touched: &BTreeSet<RecordId>) {
        if let Err(error) = self.reconcile_these(touched, true).await {
            tracing::error!(%error, "reconciling failed; it is tried again with the next change");
        }
    }

    /// Looks again at findings that were PENDING.
    pub(crate) async fn reconcile_pending(&mut self) {
        let Ok(all) = self.store.findings(None).await else { return };
        // Only those whose time has come: a pending finding says in its evidence what it waits to hear through.
        let reach = self.watermarks.values().copied().max().unwrap_or(0);
        let is_due = |f: &&FindingRow| {
            let json: serde_json::Value = serde_json::from_str(&f.json).unwrap_or_default();
            let through = json["evidence"]["due_ms"].as_i64().or(json["evidence"]["left_ms"].as_i64());
            through.is_none_or(|t| t <= reach)
        };
        let pending = all.iter().filter(|f| f.phase == "PENDING").filter(is_due).map(|f| f.anchor).collect();
        if let Err(error) = self.reconcile_these(&pending, false).await {
            tracing::error!(%error, "reconciling failed; it is tried again when a watermark moves");
        }
    }

    async fn reconcile_these(&mut self, records: &BTreeSet<RecordId>, with_linked: bool) -> Result<(), StoreError> {
        let mut anchors = BTreeMap::new();
        for id in records {
            let Some(row) = self.store.record(id).await? else { continue };
            let linked = self.linked(&row).await?;
            if with_linked {
                for l in &linked {
                    anchors.entry(l.id).or_insert_with(|| (l.clone(), None));
                }
            }
            anchors.insert(*id, (row, Some(linked)));
        }
        let policy = self.policy_now();
        let mut batch = self.new_batch();
        for (id, (row, linked)) in anchors {
            let linked = match linked {
                Some(linked) => linked,
                None => self.linked(&row).await?,
            };
            let anchor = facts(&row);
            let dossier = Dossier {
                anchor: anchor.clone(),
                linked: linked.iter().map(facts).collect(),
                watermarks: self.watermarks.clone(),
                policy: policy.clone(),
            };
            let before = self.store.findings(Some(&id)).await?;
            let mut gone: BTreeSet<String> = before.iter().map(|f| f.id.clone()).collect();
            for found in reconcile(&dossier) {
                gone.remove(&found.id);
                let row = FindingRow {
                    id: found.id.clone(),
                    rule: found.rule.code.into(),
                    severity: found.rule.severity,
                    phase: found.contradiction.phase.name().into(),
                    anchor: id,
                    evidence: found.evidence_digest.clone(),
                    json: found.json(&anchor).to_string(),
                };
                if !before.contains(&row) {
                    batch.findings.push(row);
                }
            }
            batch.findings_gone.extend(gone);
        }
        if batch.is_empty() { Ok(()) } else { self.store.commit(batch).await }
    }

    fn policy_now(&self) -> Policy {
        let control = self.control.read().expect("no panic holds it");
        control.policy(|_| u64::MAX).and_then(|(_, p)| Policy::read(&p.text).ok()).unwrap_or_default()
    }

    /// The records one link away: those it names, those that name it, and those that share a term.
    async fn linked(&self, row: &RecordRow) -> Result<Vec<RecordRow>, StoreError> {
        let mut out: BTreeMap<RecordId, RecordRow> = BTreeMap::new();
        let json: serde_json::Value = serde_json::from_str(&row.json).unwrap_or_default();
        let mut named: Vec<RecordId> = Vec::new();
        for event in json["events"].as_array().into_iter().flatten() {
            if event["type"] == "link"
                && let Some(id) = event["data"]["record"].as_str().and_then(parse_record)
            {
                named.push(id);
            }
        }
        for id in named.into_iter().take(LINKED_MAX as usize) {
            if let Some(found) = self.store.record(&id).await? {
                out.insert(id, found);
            }
        }
        let mut terms = vec![("link".to_string(), row.id.to_string())];
        for (what, value) in self.store.terms_of(&row.id).await? {
            match what.as_str() {
                "plate" => terms.extend([("plate".into(), value.clone()), ("target".into(), value)]),
                "container" | "declarant_ref" | "transit" | "vin" => terms.push((what, value)),
                "target" => terms.push(("plate".into(), value)),
                _ => {}
            }
        }
        for (what, value) in terms {
            for found in self.store.by_term(&what, &value, LINKED_MAX).await? {
                out.insert(found.id, found);
            }
        }
        out.remove(&row.id);
        Ok(out.into_values().take(LINKED_MAX as usize).collect())
    }

    /// Entries that waited for control entries are judged as far as those have come.
    pub(crate) async fn retry_unjudged(&mut self, g: &mut Group, node: NodeId) {
        let Ok(waiting) = self.store.waiting(4_096).await else { return };
        let stored = waiting.into_iter().filter_map(|w| Some((w.record, w.missing?)));
        let fresh = g.unjudged.iter().flat_map(|(id, all)| all.iter().map(|(_, missing)| (*id, *missing)));
        for (id, missing) in stored.chain(fresh.collect::<Vec<_>>()) {
            if missing.log.lane == Lane::Control && missing.log.node == node && self.held(&missing.log) > missing.seq {
                g.retry.insert(id);
            }
        }
    }
}

fn facts(row: &RecordRow) -> Facts {
    let json = serde_json::from_str(&row.json).unwrap_or_default();
    Facts { id: row.id.to_string(), json }
}
