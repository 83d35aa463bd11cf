//! The forced resync: planned, approved, run, verified. It first ships everything local, and never
//! replaces.
//!
//! A plan really compares: everything held is read through, then compared with the peer, and
//! nothing is changed. A run carries it out in steps, each of which may be repeated: after a power
//! cut it goes on where it was. A hub orders one for a site by a signed entry; the site carries it
//! out at its next contact and reports by an entry of its own.

use crate::{
    door::{
        Door,
        error::{NodeError, ResyncError, StalePlan},
        peers::Compared,
        resync_state::{ResyncAct, ResyncState},
        signatory::Signatory,
    },
    ledger::repair::joined,
    upkeep::{
        resync_row::{PlannedLog, Resync, Steering},
        scrub::{DamageOf, Round, Scrub},
    },
};
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::Notify;
use wadi_log::{Body, Difference, Enrolment, Frontier, LogId, NodeId, ResyncOrder, Role, Tip};
use wadi_store::{Batch, LocalState};

/// A plan older than that is made anew, milliseconds of the node's clock.
const PLAN_AGE_MS_MAX: i64 = 24 * 3_600_000;
/// Bytes of an entry on the wire, as the common workload comes to (docs/performance.md).
const ENTRY_WIRE_BYTES: u64 = 110;
/// Ranges of one log that a plan names.
const RANGES_MAX: usize = 1_000;
/// Resyncs listed.
const LIST_MAX: usize = 200;
/// Acts by which somebody steered a resync that are remembered.
const STEERINGS_MAX: usize = 32;
/// Bytes of a reason, or of a name, at most.
const TEXT_BYTES_MAX: usize = 2_000;

/// Plans, orders and steers resyncs.
pub struct Resyncs {
    pub(crate) door: Arc<Door>,
    pub(crate) scrub: Arc<Scrub>,
    /// Who changes a resync's state has it alone.
    pub(crate) step: tokio::sync::Mutex<()>,
    pub(crate) wake: Arc<Notify>,
}

impl Resyncs {
    pub(crate) fn new(door: Arc<Door>, scrub: Arc<Scrub>) -> Self {
        Self {
            door,
            scrub,
            step: tokio::sync::Mutex::new(()),
            wake: Arc::default(),
        }
    }

    /// The id of a resync that is begun now, at that time by this node's clock, Unix milliseconds.
    fn new_id(&self, made_ms: i64) -> String {
        let node: String = self.door.id().to_string().chars().take(6).collect();
        format!("RS-{made_ms}-{node}")
    }

    /// Begins to compare with a peer (the hub, where none is named); what differs is written down,
    /// and nothing else is changed. A disk of years takes its time: [`Self::get`] tells when it
    /// is planned.
    pub async fn plan(
        self: &Arc<Self>,
        peer: Option<&str>,
        reason: &str,
        by: impl Into<Signatory>,
    ) -> Result<Resync, NodeError> {
        let by = by.into();
        check_length("reason", reason)?;
        check_length("by", &by.name)?;
        let name = match peer {
            Some(name) => self.enrolled(name)?.name,
            None => self.own_hub().ok_or(ResyncError::NoHub)?,
        };

        if name == self.door.me.name {
            return Err(ResyncError::WithItself { node: name }.into());
        }

        let made_ms = self.door.now_ms();
        let id = self.new_id(made_ms);

        let plan = Resync {
            state: ResyncState::Planning,
            node: self.door.me.name.clone(),
            peer: name,
            approved_by: String::new(),
            planned_by_token: by.by_token,
            ..Resync::begun(id, reason, &by.name, made_ms, None)
        };

        self.keep_row(&plan).await?;
        let (resyncs, mut drawn) = (self.clone(), plan.clone());
        tokio::spawn(async move {
            if let Err(error) = resyncs.draw_plan(&mut drawn).await {
                drawn.state = ResyncState::Failed;
                drawn.outcome = json!({ "code": error.code(), "why": error.to_string() });
            }

            if let Err(error) = resyncs.change(&mut drawn).await {
                tracing::error!(%error, "a plan could not be written down");
            }
        });

        Ok(plan)
    }

    /// Reads everything through, compares, and says what differs.
    async fn draw_plan(&self, plan: &mut Resync) -> Result<(), NodeError> {
        // What is proven while the rest is read may not be in it any more, and makes the plan
        // stale.
        plan.forked = self
            .door
            .with_control(|c| c.forks().keys().map(LogId::origin).collect());

        let damage = self
            .scrub
            .run(Round {
                bytes_s: None,
                mend: false,
            })
            .await?;

        let scrubbed = self.door.scrub_status();
        let compared = match self.door.connected(Some(&plan.peer)) {
            Some(id) => self.door.compare(id).await?,
            None => None,
        };
        let counts = self.door.store.counts().await?;

        plan.compared = compared.is_some();
        (plan.scrubbed_entries, plan.rederived) = (scrubbed.entries, scrubbed.rederived);
        (plan.waiting, plan.refused) = (counts.waiting, counts.refused);
        plan.compare_bytes = compared.as_ref().map_or(0, |c| c.bytes);

        let mine = match &compared {
            Some(c) => c.mine.clone(),
            None => self.door.frontier_on_disk().await?,
        };

        plan_damage(plan, damage, &mine, compared.as_ref());
        self.plan_differences(plan, &mine, compared);

        plan.send_bytes = plan.send_entries * ENTRY_WIRE_BYTES;
        plan.fetch_bytes = (plan.fetch_entries + plan.damaged_entries) * ENTRY_WIRE_BYTES;
        plan.seconds = self.rate_of(&plan.peer).map(|rate| {
            // Both directions run at once; the longer one counts.
            plan.send_bytes.max(plan.fetch_bytes) as f64 * 8.0 / rate as f64
        });
        plan.outcome = json!({ "through_s": self.door.time.hub_time_s() });
        plan.state = ResyncState::Planned;

        Ok(())
    }

    /// What differs between this node's logs and the peer's.
    fn plan_differences(&self, plan: &mut Resync, mine: &Frontier, compared: Option<Compared>) {
        let forks = self.door.with_control(|c| {
            c.forks()
                .iter()
                .map(|(l, f)| (*l, f.at))
                .collect::<BTreeMap<_, _>>()
        });

        let differences = compared.map(|c| c.differences).unwrap_or_default();
        if plan.compared {
            plan.equal_logs = mine
                .0
                .keys()
                .filter(|l| !differences.contains_key(l))
                .count() as u64;
        }

        for (log, difference) in differences {
            let held = mine.0.get(&log).map_or(0, |t: &Tip| t.size);
            let (state, theirs, range) = match difference {
                Difference::Ahead { theirs } => ("ahead", theirs.size, (theirs.size, held)),
                Difference::Behind { theirs } => ("behind", theirs.size, (held, theirs.size)),
                Difference::Forked { theirs } => (
                    "forked",
                    theirs.size,
                    (forks.get(&log).copied().unwrap_or(0), held),
                ),
            };

            let entries = range.1 - range.0;
            match state {
                "ahead" => plan.send_entries += entries,
                "behind" => plan.fetch_entries += entries,
                _ => {}
            }

            plan.logs.push(PlannedLog {
                log: log.origin(),
                state: state.into(),
                mine: held,
                theirs: Some(theirs),
                ranges: vec![range],
                entries,
                kinds: vec![],
            });
        }
    }

    /// The hub's name: the one in contact, or one that this node knows as a peer, or any; of a pair
    /// the other one, and none that was cut.
    fn own_hub(&self) -> Option<String> {
        let near: Vec<NodeId> = self
            .door
            .peers
            .lock()
            .expect("no panic holds it")
            .keys()
            .copied()
            .collect();

        let connected = self.door.connected(None);
        self.door.with_control(|c| {
            let me = self.door.id();
            let is_hub = |id: &NodeId| *id != me && c.is_witness(id);
            let any = || c.enrolments().map(Enrolment::node).find(is_hub);
            let hub = connected
                .or_else(|| near.into_iter().find(is_hub))
                .or_else(any)?;
            c.enrolment(&hub).map(|e| e.name.clone())
        })
    }

    /// The enrolment of a name.
    pub(super) fn enrolled(&self, name: &str) -> Result<Enrolment, NodeError> {
        let unknown = || ResyncError::UnknownPeer { name: name.into() };
        let found = self.door.with_control(|c| c.by_name(name).cloned());
        Ok(found.ok_or_else(unknown)?)
    }

    fn rate_of(&self, name: &str) -> Option<u64> {
        let id = self
            .door
            .with_control(|c| c.by_name(name).map(Enrolment::node))?;
        self.door
            .peers
            .lock()
            .expect("no panic holds it")
            .get(&id)?
            .rate_bits_s
            .filter(|r| *r > 0)
    }

    /// Writes a resync down as it stands.
    pub(crate) async fn keep_row(&self, resync: &Resync) -> Result<(), NodeError> {
        let json = serde_json::to_string(resync).unwrap_or_default();
        let batch = Batch::from(LocalState {
            resyncs: vec![(resync.id.clone(), json)],
            ..LocalState::default()
        });

        self.door
            .ask(|reply| crate::door::command::Command::Mend(Box::new(batch), None, reply))
            .await
    }

    /// The last resyncs, the newest first.
    pub async fn list(&self) -> Result<Vec<Resync>, NodeError> {
        let mut all = self.all().await?;
        all.truncate(LIST_MAX);
        Ok(all)
    }

    /// All resyncs, the newest first.
    pub(crate) async fn all(&self) -> Result<Vec<Resync>, NodeError> {
        let rows = self.door.store.resyncs().await?;
        let mut all: Vec<Resync> = rows
            .iter()
            .filter_map(|(_, json)| serde_json::from_str(json).ok())
            .collect();

        all.sort_by_key(|r| std::cmp::Reverse((r.made_ms, r.id.clone())));
        Ok(all)
    }

    /// One resync, however long ago it was.
    pub async fn get(&self, id: &str) -> Result<Resync, NodeError> {
        let rows = self.door.store.resyncs().await?;
        let found = rows
            .iter()
            .find(|(key, _)| key == id)
            .and_then(|(_, json)| serde_json::from_str(json).ok());

        Ok(found.ok_or_else(|| ResyncError::NoSuchResync { id: id.into() })?)
    }

    /// Approves a plan and begins to carry it out.
    pub async fn run(&self, id: &str, by: impl Into<Signatory>) -> Result<Resync, NodeError> {
        let by = by.into();
        check_length("by", &by.name)?;
        let _step = self.step.lock().await;
        let mut plan = self.get(id).await?;
        if plan.state != ResyncState::Planned {
            let (id, state) = (plan.id, plan.state);
            return Err(ResyncError::NotPlanned { id, state }.into());
        }

        self.check_plan(&plan).await?;
        (plan.approved_by, plan.approved_by_token) = (by.name, by.by_token);
        plan.state = ResyncState::Shipping;
        self.change(&mut plan).await?;
        self.wake.notify_one();

        Ok(plan)
    }

    /// A plan is good as long as what it says still holds: logs only grew, and nothing that was
    /// whole is damaged.
    async fn check_plan(&self, plan: &Resync) -> Result<(), NodeError> {
        let stale = |why| Err(ResyncError::PlanStale(why).into());

        if self.door.now_ms().saturating_sub(plan.made_ms) > PLAN_AGE_MS_MAX {
            return stale(StalePlan::TooOld);
        }

        let held = self.door.frontier_on_disk().await?;
        for planned in &plan.logs {
            let now = held
                .0
                .iter()
                .find(|(l, _)| l.origin() == planned.log)
                .map_or(0, |(_, t)| t.size);

            if now < planned.mine {
                return stale(StalePlan::Shrank {
                    log: planned.log.clone(),
                    planned: planned.mine,
                    now,
                });
            }
        }

        let forked: Vec<String> = self
            .door
            .with_control(|c| c.forks().keys().map(LogId::origin).collect());
        if let Some(log) = forked.iter().find(|log| !plan.forked.contains(log)) {
            return stale(StalePlan::Forked { log: log.clone() });
        }

        Ok(())
    }

    /// Orders a resync for a site: an entry of this hub's, which the site carries out at its next
    /// contact.
    pub async fn order(
        &self,
        site: &str,
        reason: &str,
        by: impl Into<Signatory>,
    ) -> Result<Resync, NodeError> {
        let by = by.into();
        check_length("reason", reason)?;
        check_length("by", &by.name)?;
        let crossing = site.to_uppercase().parse().ok();
        let target = self.door.with_control(|c| {
            let mut all = c
                .enrolments()
                .filter(|e| e.role == Role::Crossing && !c.is_cut(&e.node()));
            all.find(|e| e.name == site || (crossing.is_some() && e.crossing == crossing))
                .cloned()
        });

        let target = target.ok_or_else(|| ResyncError::UnknownSite { site: site.into() })?;
        if self.door.me.role != Role::Hub {
            return Err(ResyncError::OrderedByHub.into());
        }

        let made_ms = self.door.now_ms();
        let id = self.new_id(made_ms);

        let order = ResyncOrder {
            id: id.clone(),
            crossing: target.crossing.unwrap_or(wadi_log::Crossing::HUB),
            reason: reason.into(),
            approved_by: by.name.clone(),
        };

        let written = self
            .door
            .write_control(vec![Body::ResyncOrder(order)], by.clone())
            .await?;
        let order = written.first().map(ToString::to_string);
        let resync = Resync {
            state: ResyncState::Ordered,
            node: target.name,
            peer: self.door.me.name.clone(),
            waits_for: "the site's next contact, and its report".into(),
            planned_by_token: by.by_token.clone(),
            approved_by_token: by.by_token,
            ..Resync::begun(id, reason, &by.name, made_ms, order)
        };

        self.keep_row(&resync).await?;
        Ok(resync)
    }

    pub(crate) async fn change(&self, resync: &mut Resync) -> Result<(), NodeError> {
        resync.changed_ms = self.door.now_ms();
        self.keep_row(resync).await
    }

    /// Pauses, resumes or cancels. What was already mended stays: each step is whole.
    pub async fn steer(
        &self,
        id: &str,
        act: ResyncAct,
        by: impl Into<Signatory>,
    ) -> Result<Resync, NodeError> {
        let by = by.into();
        check_length("by", &by.name)?;
        let _step = self.step.lock().await;
        let mut resync = self.get(id).await?;
        resync.state = match (act, resync.state) {
            (ResyncAct::Pause, state) if state.runs() => ResyncState::Paused,
            (ResyncAct::Resume, ResyncState::Paused) => ResyncState::Shipping,
            (ResyncAct::Cancel, state)
                if state.runs() || matches!(state, ResyncState::Planned | ResyncState::Paused) =>
            {
                ResyncState::Cancelled
            }
            (act, state) => {
                let id = resync.id;
                return Err(ResyncError::WrongState { id, state, act }.into());
            }
        };

        resync.steered.push(Steering {
            act: act.to_string(),
            by: by.name,
            by_token: by.by_token,
            at_ms: self.door.clock.now_ms(),
        });
        let beyond = resync.steered.len().saturating_sub(STEERINGS_MAX);
        resync.steered.drain(..beyond);

        self.change(&mut resync).await?;
        self.wake.notify_one();
        Ok(resync)
    }
}

/// Own logs and what of them a hub has cosigned: nothing local is shipped before the two are equal.
pub(crate) fn unshipped(door: &Door, peer: NodeId) -> u64 {
    let frontier = door.frontier();
    let to_hub = door.with_control(|c| c.role(&peer) == Some(Role::Hub));
    if door.me.role == Role::Hub || !to_hub {
        // What the peer lacks of what it may take.
        return door
            .peers
            .lock()
            .expect("no panic holds it")
            .get(&peer)
            .map_or(u64::MAX, |p| p.unsent);
    }

    let own = frontier.0.iter().filter(|(l, _)| l.node == door.id());
    door.with_control(|c| {
        // Of a forked log no hub takes what stands on the branch that does not count; it asks for
        // that itself.
        let own = own.filter(|(l, _)| !c.forks().contains_key(*l));
        // The control log's head is signed anew with each contact: its entries count, not its
        // newest signature.
        own.map(|(l, t)| t.size.saturating_sub(c.cosigned(l).map_or(0, |t| t.size)))
            .sum::<u64>()
    })
}

/// What people say stands in entries, which have an end.
fn check_length(what: &'static str, text: &str) -> Result<(), NodeError> {
    if text.len() <= TEXT_BYTES_MAX {
        return Ok(());
    }

    Err(ResyncError::TooLong {
        what,
        bytes: text.len(),
        max: TEXT_BYTES_MAX,
    }
    .into())
}

/// Lanes in words, for outcomes.
/// What is damaged here of each log, and what the peer holds of it.
fn plan_damage(plan: &mut Resync, damage: DamageOf, mine: &Frontier, compared: Option<&Compared>) {
    for (log, all) in damage {
        let theirs = compared.and_then(|c| match c.differences.get(&log) {
            Some(
                Difference::Ahead { theirs }
                | Difference::Behind { theirs }
                | Difference::Forked { theirs },
            ) => Some(theirs.size),
            None => mine.0.get(&log).map(|t| t.size),
        });

        let mut ranges = joined(all.iter().map(|(from, to, _)| (*from, *to)).collect());
        let entries: u64 = ranges.iter().map(|(from, to)| to - from).sum();
        ranges.truncate(RANGES_MAX);

        let mut kinds: Vec<String> = all.iter().map(|(_, _, kind)| (*kind).to_string()).collect();
        kinds.sort();
        kinds.dedup();
        plan.damaged_entries += entries;
        plan.logs.push(PlannedLog {
            log: log.origin(),
            state: "damaged".into(),
            mine: mine.0.get(&log).map_or(0, |t| t.size),
            theirs,
            ranges,
            entries,
            kinds,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_no_entry_holds_is_refused_with_its_length() {
        assert!(check_length("the reason", &"x".repeat(TEXT_BYTES_MAX)).is_ok());

        let refused = check_length("the reason", &"é".repeat(TEXT_BYTES_MAX)).unwrap_err();
        assert_eq!(refused.code(), "too_long");
        assert!(refused.to_string().contains("4000"), "{refused}");
    }

    #[test]
    fn what_is_damaged_is_planned_once_for_each_entry() {
        let log = LogId {
            node: NodeId([1; 16]),
            epoch: wadi_log::Epoch([1; 8]),
            lane: wadi_log::Lane::Passage,
            crossing: wadi_log::Crossing::HUB,
        };
        let tip = |size| Tip {
            size,
            root: wadi_log::Hash::default(),
        };
        let mine = Frontier(BTreeMap::from([(log, tip(20))]));
        let found = vec![(3, 5, "rotten"), (4, 8, "missing"), (12, 13, "rotten")];
        let mut plan = Resync::begun("R-1".into(), "test", "OP-1", 0, None);

        plan_damage(&mut plan, DamageOf::from([(log, found)]), &mine, None);

        let planned = &plan.logs[0];
        assert_eq!(planned.ranges, [(3, 8), (12, 13)]);
        assert_eq!((planned.entries, plan.damaged_entries), (6, 6));
        assert_eq!(planned.kinds, ["missing", "rotten"]);
        assert_eq!((planned.mine, planned.theirs), (20, None));
    }
}
