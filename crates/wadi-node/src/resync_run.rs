//! Carries resyncs out, one step after the other: ships, compares, mends, verifies, reports. Each step may be repeated, so
//! that a power cut costs no more than the step it fell into.

use crate::{
    error::NodeError,
    node::{Event, Node},
    resync::{RangeProgress, Resync, ResyncState, unshipped},
    scrub::Round,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, Weak, atomic::Ordering},
    time::Duration,
};
use wadi_log::{Body, NodeId, Reference, ResyncOrder, ResyncReport, Role};

/// How often a step looks again at what it waits for.
const LOOK: Duration = Duration::from_millis(500);
/// Looks without progress after which what no peer holds is given up, and told.
const IDLE_LOOKS_MAX: u32 = 240;
/// Looks without progress after which shipping mends what may hold it up.
const SHIP_LOOKS: u32 = 10;
/// Looks for which verifying waits that both sides come to rest.
const REST_LOOKS_MAX: u32 = 120;

/// Orders and reports as the control logs have them.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    pub(crate) orders: BTreeMap<Reference, ResyncOrder>,
    /// By order: who reported, and what.
    pub(crate) reports: BTreeMap<Reference, BTreeMap<NodeId, String>>,
}

impl Orders {
    /// Takes in an entry of a control log whose author may say it.
    pub(crate) fn learn(&mut self, at: Reference, body: &Body) -> bool {
        match body {
            Body::ResyncOrder(order) => self.orders.insert(at, order.clone()).is_none(),
            Body::ResyncReport(report) => {
                self.reports.entry(report.order).or_default().insert(at.log.node, report.text.clone()).is_none()
            }
            _ => false,
        }
    }
}

pub(crate) struct Runner {
    node: Weak<Node>,
    orders: Arc<Mutex<Orders>>,
}

impl Runner {
    pub(crate) fn new(node: &Arc<Node>) -> Self {
        Self { node: Arc::downgrade(node), orders: node.orders.clone() }
    }

    pub(crate) async fn run(self) {
        let Some(wake) = self.node.upgrade().map(|n| n.resync_wake.clone()) else { return };
        if let Some(node) = self.node.upgrade() {
            // A plan that a power cut fell into says nothing.
            for mut plan in node.resyncs().await.unwrap_or_default() {
                if plan.state == ResyncState::Planning {
                    plan.state = ResyncState::Failed;
                    plan.outcome = json!({ "why": "the node stopped while it was planned: make a new plan" });
                    let _ = node.change_resync(&mut plan).await;
                }
            }
        }
        loop {
            {
                let Some(node) = self.node.upgrade() else { return };
                if let Err(error) = self.round(&node).await {
                    tracing::warn!(%error, "a resync waits");
                }
            }
            tokio::select! {
                () = wake.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn round(&self, node: &Arc<Node>) -> Result<(), NodeError> {
        self.take_orders(node).await?;
        let all = node.resyncs().await?;
        // One at a time, the oldest first.
        let next = all.into_iter().rev().find(|r| r.state.runs() && r.node == node.me.name);
        match next {
            Some(resync) => self.carry_out(node, resync).await,
            None => Ok(()),
        }
    }

    /// Orders for this crossing that it has not begun yet, and reports on orders that this hub gave.
    async fn take_orders(&self, node: &Arc<Node>) -> Result<(), NodeError> {
        let (orders, reports) = {
            let held = self.orders.lock().expect("no panic holds it");
            if held.orders.is_empty() {
                return Ok(());
            }
            (held.orders.clone(), held.reports.clone())
        };
        let known = node.resyncs().await?;
        for (at, order) in orders {
            let reported = reports.get(&at);
            let row = known.iter().find(|r| r.id == order.id);
            let for_me = node.me.role == Role::Crossing && node.me.crossing == Some(order.crossing);
            if for_me && row.is_none() && reported.is_none_or(|r| !r.contains_key(&node.id())) {
                tracing::warn!(order = %order.id, by = %order.approved_by, "the hub orders a resync");
                let hub = node.with_control(|c| c.enrolment(&at.log.node).map(|e| e.name.clone())).unwrap_or_default();
                let made_ms = node.now_ms();
                let begun = Resync::begun(order.id, &order.reason, &order.approved_by, made_ms, Some(at.to_string()));
                node.keep_resync(&Resync { node: node.me.name.clone(), peer: hub, ..begun }).await?;
            } else if let (Some(row), Some(reports)) = (row, reported)
                && row.state == ResyncState::Ordered
                && let Some((_, text)) = reports.iter().next()
            {
                let mut done = row.clone();
                let told: Value = serde_json::from_str(text).unwrap_or_default();
                let failed = told["equal"] != true;
                done.state = if failed { ResyncState::Failed } else { ResyncState::Done };
                done.waits_for = String::new();
                done.outcome = told;
                node.change_resync(&mut done).await?;
            }
        }
        Ok(())
    }

    /// One resync from the step it stands at to its end, or until it is paused or cancelled.
    async fn carry_out(&self, node: &Arc<Node>, mut r: Resync) -> Result<(), NodeError> {
        let ships_first = !wadi_store::defence::off("ship-before-resync");
        if r.state == ResyncState::Shipping && ships_first && !self.ship(node, &mut r).await? {
            return Ok(());
        }
        if r.state == ResyncState::Shipping {
            self.step(node, &mut r, ResyncState::Comparing, "").await?;
        }
        if r.state == ResyncState::Comparing {
            let Some(peer) = self.contact(node, &mut r).await? else { return Ok(()) };
            let Some(compared) = node.compare(peer).await? else { return Ok(()) };
            r.compared = true;
            r.compare_bytes += compared.bytes;
            self.step(node, &mut r, ResyncState::Mending, "").await?;
        }
        if r.state == ResyncState::Mending && !self.mend(node, &mut r).await? {
            return Ok(());
        }
        if r.state == ResyncState::Verifying {
            return self.verify_and_report(node, &mut r).await;
        }
        Ok(())
    }

    /// Waits until everything local is at the peer. Returns false when it was paused or cancelled meanwhile.
    async fn ship(&self, node: &Arc<Node>, r: &mut Resync) -> Result<bool, NodeError> {
        let (mut before, mut idle) = (u64::MAX, 0);
        loop {
            let left = match node.connected(Some(&r.peer)) {
                Some(peer) => unshipped(node, peer),
                None => u64::MAX,
            };
            if left == 0 {
                return Ok(true);
            }
            idle = if left < before { 0 } else { idle + 1 };
            before = left;
            if idle >= SHIP_LOOKS && left < u64::MAX {
                // What cannot be shipped may stand behind damage of its own log. Mending takes nothing away, so it may go
                // first; after it the logs that rested are offered again.
                idle = 0;
                node.scrub(Round { bytes_s: None, mend: true }).await?;
                if let Some(peer) = node.connected(Some(&r.peer)) {
                    let _ = node.compare(peer).await?;
                }
            }
            let waits_for = match left {
                u64::MAX => {
                    format!("{} to be in contact; nothing is compared before everything local is there", r.peer)
                }
                n => format!("{n} entries of this node that {} does not hold yet", r.peer),
            };
            if !self.still(node, r, &waits_for).await? {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn contact(&self, node: &Arc<Node>, r: &mut Resync) -> Result<Option<NodeId>, NodeError> {
        loop {
            if let Some(peer) = node.connected(Some(&r.peer)) {
                return Ok(Some(peer));
            }
            let waits_for = format!("{} to be in contact", r.peer);
            if !self.still(node, r, &waits_for).await? {
                return Ok(None);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Reads everything through, has what is damaged fetched back, and waits until it is there.
    async fn mend(&self, node: &Arc<Node>, r: &mut Resync) -> Result<bool, NodeError> {
        let damage = node.scrub(Round { bytes_s: None, mend: true }).await?;
        let found = node.scrub_status();
        (r.scrubbed_entries, r.rederived) = (found.entries, r.rederived.max(found.rederived));
        if r.progress.is_empty() {
            let runs = damage.iter().flat_map(|(log, all)| all.iter().map(move |(from, to, _)| (log, *from, *to)));
            r.progress = runs.map(|(log, from, to)| RangeProgress { log: log.origin(), from, to, done: 0 }).collect();
            r.damaged_entries = r.progress.iter().map(|p| p.to - p.from).sum();
        }
        let (mut idle, mut before) = (0, u64::MAX);
        loop {
            let missing = node.wants.lock().expect("no panic holds it").missing();
            for p in &mut r.progress {
                let ranges = missing.iter().filter(|(l, _)| l.origin() == p.log).flat_map(|(_, all)| all);
                let left: u64 = ranges.map(|(a, b)| (*b).min(p.to).saturating_sub((*a).max(p.from))).sum();
                p.done = (p.to - p.from).saturating_sub(left);
            }
            let left: u64 = missing.values().flatten().map(|(from, to)| to - from).sum();
            if left == 0 {
                break;
            }
            idle = if left < before { 0 } else { idle + 1 };
            before = left;
            if idle > IDLE_LOOKS_MAX && node.connected(Some(&r.peer)).is_some() {
                r.outcome = json!({ "unmended": left, "why": "no peer in contact holds these entries" });
                break;
            }
            if !self.still(node, r, &format!("{left} damaged entries to come back")).await? {
                return Ok(false);
            }
            tokio::time::sleep(LOOK).await;
        }
        self.step(node, r, ResyncState::Verifying, "").await?;
        Ok(true)
    }

    async fn verify_and_report(&self, node: &Arc<Node>, r: &mut Resync) -> Result<(), NodeError> {
        let Some(_) = self.contact(node, r).await? else { return Ok(()) };
        let mut verified = Value::Null;
        for _ in 0..REST_LOOKS_MAX {
            verified = node.verify_with(&r.peer, false).await?;
            if verified["equal"] == true {
                break;
            }
            if !self.still(node, r, "both sides to come to rest").await? {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        let unmended = r.outcome["unmended"].as_u64().unwrap_or(0);
        let mut outcome = verified;
        outcome["resync"] = r.id.as_str().into();
        outcome["reason"] = r.reason.as_str().into();
        outcome["planned_by"] = r.planned_by.as_str().into();
        outcome["approved_by"] = r.approved_by.as_str().into();
        outcome["damaged"] = r.damaged_entries.into();
        outcome["mended"] = r.damaged_entries.saturating_sub(unmended).into();
        outcome["unmended"] = unmended.into();
        outcome["rederived"] = r.rederived.into();
        if unmended > 0 {
            outcome["equal"] = false.into();
        }
        let order = r.order.as_deref().and_then(|o| o.parse().ok());
        // What an operator ordered on the spot has no order's entry: the report names none.
        let none = Reference { log: node.own_report_log(), seq: 0, leaf: Default::default() };
        let text = serde_json_canonicalizer::to_string(&outcome).unwrap_or_default();
        let report = ResyncReport { order: order.unwrap_or(none), text };
        node.write_control(vec![Body::ResyncReport(report)], &r.approved_by).await?;
        r.outcome = outcome;
        let state = if r.outcome["equal"] == true { ResyncState::Done } else { ResyncState::Failed };
        self.step(node, r, state, "").await?;
        let _ = node.events.send(Event::Records);
        Ok(())
    }

    /// Goes on to a step, unless somebody paused or cancelled meanwhile.
    async fn step(&self, node: &Arc<Node>, r: &mut Resync, to: ResyncState, waits_for: &str) -> Result<(), NodeError> {
        let _step = node.resync_step.lock().await;
        let now = node.resync(&r.id).await?.state;
        if now.runs() {
            r.state = to;
            r.waits_for = waits_for.into();
            node.change_resync(r).await?;
        } else {
            r.state = now;
        }
        Ok(())
    }

    /// Notes what is waited for; false when somebody paused or cancelled it.
    async fn still(&self, node: &Arc<Node>, r: &mut Resync, waits_for: &str) -> Result<bool, NodeError> {
        let _step = node.resync_step.lock().await;
        let kept = node.resync(&r.id).await?;
        if !kept.state.runs() {
            r.state = kept.state;
            return Ok(false);
        }
        if kept.waits_for != waits_for || kept.progress != r.progress {
            r.waits_for = waits_for.into();
            node.change_resync(r).await?;
        }
        Ok(true)
    }
}

impl Node {
    /// Whether this node and a peer in contact hold the same of all that both take: logs by size and root, documents and
    /// states by digest, through the newest hub time known. Reading everything through first makes it a proof: without that
    /// it is as good as the last scrub.
    pub async fn verify_with(self: &Arc<Self>, peer: &str, read_through: bool) -> Result<Value, NodeError> {
        let dark = || NodeError::Refused {
            code: "peer_dark".into(),
            why: format!("{peer} is not in contact: nothing can be said about it but what was compared last"),
        };
        let id = self.connected(Some(peer)).ok_or_else(dark)?;
        let mut wrong_here = self.wants.lock().expect("no panic holds it").missing_count();
        if read_through {
            self.scrub(Round { bytes_s: None, mend: false }).await?;
            let found = self.scrub_status();
            wrong_here = wrong_here.max(found.damaged) + found.rederived + found.remade;
        }
        let compared = self.compare(id).await?.ok_or_else(dark)?;
        let theirs = self.digests_of(id).await.ok_or_else(dark)?;
        let mine = self.own_digests().await;
        let they_take = self.with_control(|c| c.enrolment(&id).map(|e| e.scope.clone()));
        let mut differing = Vec::new();
        let mut scopes = 0;
        for own in mine.iter().filter(|s| they_take.as_ref().is_some_and(|t| t.takes(s.lane, s.crossing))) {
            let their = theirs.iter().find(|t| (t.lane, t.crossing) == (own.lane, own.crossing));
            scopes += 1;
            let none = own.entries == 0 && their.is_none();
            if !none && their != Some(own) {
                differing.push(format!("{}/{}", crate::resync::lane_name(own.lane), own.crossing));
            }
        }
        let missing_here =
            |t: &&wadi_sync::ScopeSum| !mine.iter().any(|s| (s.lane, s.crossing) == (t.lane, t.crossing));
        differing.extend(theirs.iter().filter(missing_here).map(|t| format!("{}/{}", t.lane, t.crossing)));
        let own_time = match self.me.role {
            Role::Hub => self.now_ms() / 1000,
            _ => self.hub_time_s.load(Ordering::Relaxed),
        };
        Ok(json!({
            "peer": peer,
            "equal": compared.differences.is_empty() && differing.is_empty() && wrong_here == 0,
            "through_s": own_time,
            "logs": compared.mine.0.len(),
            "logs_differing": compared.differences.len(),
            "scopes": scopes,
            "scopes_differing": differing,
            "wrong_here": wrong_here,
            "read_through": read_through,
            "bytes": compared.bytes,
        }))
    }

    /// The log that a report without an order names: this node's own, at no position of it.
    fn own_report_log(&self) -> wadi_log::LogId {
        wadi_log::LogId {
            node: self.id(),
            epoch: wadi_log::Epoch([0; 8]),
            lane: wadi_log::Lane::Control,
            crossing: self.me.crossing.unwrap_or(wadi_log::Crossing::HUB),
        }
    }
}
