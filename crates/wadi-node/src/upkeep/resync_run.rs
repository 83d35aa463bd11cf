//! Carries resyncs out, one step after the other: ships, compares, mends, verifies, reports. Each
//! step may be repeated, so that a power cut costs no more than the step it fell into.

use crate::{
    door::{
        command::Command, error::NodeError, event::Event, orders::Orders,
        resync_state::ResyncState, signatory::Signatory,
    },
    upkeep::{
        resync::{Resyncs, unshipped},
        resync_row::{RangeProgress, Resync},
        scrub::Round,
    },
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};
use tokio::sync::Notify;
use wadi_log::{Body, LogId, NodeId, Reference, ResyncReport};
use wadi_store::{Batch, Repair};

/// How often a step looks again at what it waits for.
const LOOK: Duration = Duration::from_millis(500);
/// Looks without progress after which what no peer holds is given up, and told.
const IDLE_LOOKS_MAX: u32 = 240;
/// Looks without progress after which shipping mends what may hold it up.
const SHIP_LOOKS: u32 = 10;
/// So many at most, where that did not help: comparing costs a frontier each way.
const SHIP_LOOKS_MAX: u32 = 600;
/// How often it is looked whether a peer that is dark is in contact.
const DARK_LOOK: Duration = Duration::from_secs(5);

const REASON_CHARS: usize = 500;
/// Looks for which verifying waits that both sides come to rest.
const REST_LOOKS_MAX: u32 = 120;

pub(crate) struct Runner {
    pub(super) resyncs: Weak<Resyncs>,
    pub(super) wake: Arc<Notify>,
    pub(super) healed: bool,
    pub(super) orders: Arc<Mutex<Orders>>,
    /// How many orders and reports there were when they were last looked at.
    pub(super) heard: Mutex<Option<(usize, usize)>>,
}

impl Runner {
    pub(crate) fn new(resyncs: &Arc<Resyncs>) -> Self {
        Self {
            resyncs: Arc::downgrade(resyncs),
            wake: resyncs.wake.clone(),
            healed: false,
            orders: resyncs.door.orders.clone(),
            heard: Mutex::default(),
        }
    }

    pub(crate) async fn run(mut self) {
        if let Some(resyncs) = self.resyncs.upgrade() {
            // A plan that a power cut fell into says nothing.
            for mut plan in resyncs.all().await.unwrap_or_default() {
                if plan.state == ResyncState::Planning {
                    plan.state = ResyncState::Failed;
                    plan.outcome =
                        json!({ "why": "the node stopped while it was planned: make a new plan" });
                    let _ = resyncs.change(&mut plan).await;
                }
            }
        }

        // Nothing is read while there is nothing to do: until somebody wakes it, or an order or a
        // report comes.
        let mut pause = Some(LOOK);
        loop {
            {
                let Some(resyncs) = self.resyncs.upgrade() else {
                    return;
                };
                if !self.healed && resyncs.door.is_healed() {
                    // The loss is made good: from here on a later one is told from it.
                    let batch = Batch::from(Repair {
                        healed: true,
                        ..Repair::default()
                    });

                    self.healed = resyncs
                        .door
                        .ask(|reply| Command::Mend(Box::new(batch), None, reply))
                        .await
                        .is_ok();
                }

                if pause.is_some() || self.hears() {
                    pause = self.round(&resyncs).await.unwrap_or_else(|error| {
                        tracing::warn!(%error, "a resync waits");
                        Some(LOOK)
                    });
                }
            }

            tokio::select! {
                () = self.wake.notified() => pause = Some(LOOK),
                () = tokio::time::sleep(pause.unwrap_or(LOOK)) => {}
            }
        }
    }

    /// One look; how long to pause before the next, where there is anything left to do.
    async fn round(&self, resyncs: &Resyncs) -> Result<Option<Duration>, NodeError> {
        self.take_orders(resyncs).await?;
        let all = resyncs.all().await?;

        // One at a time, the oldest first of those whose peers are in contact: one that is dark for
        // days holds up no other.
        let mut running: Vec<Resync> = all
            .into_iter()
            .rev()
            .filter(|r| r.state.runs() && r.node == resyncs.door.me.name)
            .collect();

        if running.is_empty() {
            return Ok(None);
        }

        let in_contact = |r: &Resync| resyncs.door.connected(Some(&r.peer)).is_some();
        let at = running.iter().position(in_contact).unwrap_or(0);
        let next = running.swap_remove(at);
        let pause = if in_contact(&next) { LOOK } else { DARK_LOOK };

        self.carry_out(resyncs, next).await?;
        Ok(Some(pause))
    }

    /// One resync from the step it stands at to its end, or until it is paused or cancelled.
    async fn carry_out(&self, resyncs: &Resyncs, mut r: Resync) -> Result<(), NodeError> {
        let ships_first = !wadi_store::defence::off("ship-before-resync");
        if r.state == ResyncState::Shipping && ships_first && !self.ship(resyncs, &mut r).await? {
            return Ok(());
        }

        if r.state == ResyncState::Shipping {
            self.step(resyncs, &mut r, ResyncState::Comparing, "")
                .await?;
        }

        if r.state == ResyncState::Comparing {
            let Some(peer) = self.contact(resyncs, &mut r).await? else {
                return Ok(());
            };
            let Some(compared) = resyncs.door.compare(peer).await? else {
                return Ok(());
            };

            r.compared = true;
            r.compare_bytes += compared.bytes;
            self.step(resyncs, &mut r, ResyncState::Mending, "").await?;
        }

        if r.state == ResyncState::Mending && !self.mend(resyncs, &mut r).await? {
            return Ok(());
        }

        if r.state == ResyncState::Verifying {
            return self.verify_and_report(resyncs, &mut r).await;
        }

        Ok(())
    }

    /// Waits until everything local is at the peer. Returns false when that is not in contact, or
    /// when it was paused or cancelled meanwhile.
    async fn ship(&self, resyncs: &Resyncs, r: &mut Resync) -> Result<bool, NodeError> {
        let (mut before, mut idle, mut patience, mut mended) = (u64::MAX, 0, SHIP_LOOKS, false);
        loop {
            let Some(peer) = resyncs.door.connected(Some(&r.peer)) else {
                let what = "nothing is compared before everything local is there";
                self.still(resyncs, r, &format!("{} to be in contact; {what}", r.peer))
                    .await?;
                return Ok(false);
            };

            let left = unshipped(&resyncs.door, peer);
            if left == 0 {
                return Ok(true);
            }

            if left < before {
                (idle, patience) = (0, SHIP_LOOKS);
            } else {
                idle += 1;
            }

            before = left;
            if idle >= patience && left < u64::MAX {
                // What cannot be shipped may stand behind damage of its own log. Mending takes
                // nothing away, so it may go first; after it the logs that rested are offered
                // again.
                (idle, patience) = (0, (2 * patience).min(SHIP_LOOKS_MAX));
                if !std::mem::replace(&mut mended, true) {
                    resyncs
                        .scrub
                        .run(Round {
                            bytes_s: None,
                            mend: true,
                        })
                        .await?;
                }

                let _ = resyncs.door.compare(peer).await?;
            }

            let waits_for = match left {
                u64::MAX => format!("{} to say what it holds", r.peer),
                n => format!("{n} entries of this node that {} does not hold yet", r.peer),
            };
            if !self.still(resyncs, r, &waits_for).await? {
                return Ok(false);
            }

            tokio::time::sleep(LOOK).await;
        }
    }

    async fn contact(
        &self,
        resyncs: &Resyncs,
        r: &mut Resync,
    ) -> Result<Option<NodeId>, NodeError> {
        let peer = resyncs.door.connected(Some(&r.peer));
        if peer.is_none() {
            self.still(resyncs, r, &format!("{} to be in contact", r.peer))
                .await?;
        }
        Ok(peer)
    }

    /// Reads everything through, has what is damaged fetched back, and waits until it is there.
    async fn mend(&self, resyncs: &Resyncs, r: &mut Resync) -> Result<bool, NodeError> {
        let damage = resyncs
            .scrub
            .run(Round {
                bytes_s: None,
                mend: true,
            })
            .await?;

        let found = resyncs.door.scrub_status();
        (r.scrubbed_entries, r.rederived) = (found.entries, r.rederived.max(found.rederived));
        if r.progress.is_empty() {
            let runs = damage
                .iter()
                .flat_map(|(log, all)| all.iter().map(move |(from, to, _)| (log, *from, *to)));
            r.progress = runs
                .map(|(log, from, to)| RangeProgress {
                    log: log.origin(),
                    from,
                    to,
                    done: 0,
                })
                .collect();

            r.damaged_entries = r.progress.iter().map(|p| p.to - p.from).sum();
        }

        let (mut idle, mut before) = (0, u64::MAX);
        loop {
            let missing = resyncs
                .door
                .wants
                .lock()
                .expect("no panic holds it")
                .missing();
            note_done(&mut r.progress, &missing);

            let left: u64 = missing.values().flatten().map(|(from, to)| to - from).sum();
            if left == 0 {
                break;
            }

            idle = if left < before { 0 } else { idle + 1 };
            before = left;
            if idle > IDLE_LOOKS_MAX && resyncs.door.connected(Some(&r.peer)).is_some() {
                r.outcome =
                    json!({ "unmended": left, "why": "no peer in contact holds these entries" });
                break;
            }

            if !self
                .still(resyncs, r, &format!("{left} damaged entries to come back"))
                .await?
            {
                return Ok(false);
            }

            tokio::time::sleep(LOOK).await;
        }

        self.step(resyncs, r, ResyncState::Verifying, "").await?;
        Ok(true)
    }

    async fn verify_and_report(&self, resyncs: &Resyncs, r: &mut Resync) -> Result<(), NodeError> {
        let Some(_) = self.contact(resyncs, r).await? else {
            return Ok(());
        };
        let mut verified = Value::Null;

        for _ in 0..REST_LOOKS_MAX {
            verified = resyncs.verify_with(&r.peer, false).await?;
            if verified["equal"] == true {
                break;
            }

            if !self.still(resyncs, r, "both sides to come to rest").await? {
                return Ok(());
            }

            tokio::time::sleep(LOOK).await;
        }

        let unmended = r.outcome["unmended"].as_u64().unwrap_or(0);
        let mut outcome = verified;
        outcome["resync"] = r.id.as_str().into();
        outcome["reason"] = r
            .reason
            .chars()
            .take(REASON_CHARS)
            .collect::<String>()
            .into();

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
        let none = Reference {
            log: resyncs.own_report_log(),
            seq: 0,
            leaf: Default::default(),
        };

        let text = serde_json_canonicalizer::to_string(&outcome).unwrap_or_default();
        let report = ResyncReport {
            order: order.unwrap_or(none),
            text,
        };

        let approved = Signatory {
            by_token: r.approved_by_token.clone(),
            ..Signatory::person(r.approved_by.as_str())
        };
        resyncs
            .door
            .write_control(vec![Body::ResyncReport(report)], approved)
            .await?;
        r.outcome = outcome;

        let state = if r.outcome["equal"] == true {
            ResyncState::Done
        } else {
            ResyncState::Failed
        };

        self.step(resyncs, r, state, "").await?;
        let _ = resyncs.door.events.send(Event::RecordsAnew);
        Ok(())
    }

    /// Goes on to a step, unless somebody paused or cancelled meanwhile.
    async fn step(
        &self,
        resyncs: &Resyncs,
        r: &mut Resync,
        to: ResyncState,
        waits_for: &str,
    ) -> Result<(), NodeError> {
        let _step = resyncs.step.lock().await;
        let now = resyncs.get(&r.id).await?.state;
        if now.runs() {
            r.state = to;
            r.waits_for = waits_for.into();
            resyncs.change(r).await?;
        } else {
            r.state = now;
        }

        Ok(())
    }

    /// Notes what is waited for; false when somebody paused or cancelled it.
    async fn still(
        &self,
        resyncs: &Resyncs,
        r: &mut Resync,
        waits_for: &str,
    ) -> Result<bool, NodeError> {
        // While one waits, the reports of others and orders are heard.
        self.take_orders(resyncs).await?;
        let _step = resyncs.step.lock().await;
        let kept = resyncs.get(&r.id).await?;
        if !kept.state.runs() {
            r.state = kept.state;
            return Ok(false);
        }

        if kept.waits_for != waits_for || kept.progress != r.progress {
            r.waits_for = waits_for.into();
            resyncs.change(r).await?;
        }

        Ok(true)
    }
}

/// Notes how much of each damaged range is back, by the ranges that are still missing: of each log
/// in order, and apart from each other.
fn note_done(progress: &mut [RangeProgress], missing: &BTreeMap<LogId, Vec<(u64, u64)>>) {
    let by_log: HashMap<String, &Vec<(u64, u64)>> = missing
        .iter()
        .map(|(log, ranges)| (log.origin(), ranges))
        .collect();

    for range in progress {
        let all = by_log.get(&range.log).map_or(&[][..], |all| all.as_slice());
        let first = all.partition_point(|(_, to)| *to <= range.from);
        let touching = all[first..].iter().take_while(|(from, _)| *from < range.to);
        let left: u64 = touching
            .map(|(from, to)| (*to).min(range.to).saturating_sub((*from).max(range.from)))
            .sum();

        range.done = (range.to - range.from).saturating_sub(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ResyncAct,
        tests::order::{blocks, deliver, found_country},
    };
    use rand::{SeedableRng, rngs::StdRng};
    use wadi_log::{Crossing, Epoch, Lane};

    #[test]
    fn how_much_of_each_damaged_range_is_back_is_told() {
        let log = |lane| LogId {
            node: NodeId([1; 16]),
            epoch: Epoch([1; 8]),
            lane,
            crossing: "TRB".parse::<Crossing>().unwrap(),
        };
        let range = |lane, from, to| RangeProgress {
            log: log(lane).origin(),
            from,
            to,
            done: 0,
        };
        let mut progress = vec![
            range(Lane::Passage, 0, 5),
            range(Lane::Passage, 10, 20),
            range(Lane::Passage, 30, 31),
            range(Lane::Hold, 10, 20),
        ];
        let missing = BTreeMap::from([(log(Lane::Passage), vec![(3, 4), (8, 12), (18, 25)])]);
        note_done(&mut progress, &missing);

        let done: Vec<u64> = progress.iter().map(|p| p.done).collect();
        assert_eq!(done, [4, 6, 1, 10]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_a_sites_resync_that_site_reports_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let (country, sites) = found_country(dir.path()).await;
        let hub = country.node(dir.path(), 2, "hub").await;
        let ordered = hub.resyncs().order("TRB", "outage", "OP-1").await.unwrap();
        let order: Reference = ordered.order.as_deref().unwrap().parse().unwrap();
        let (mut taken, mut r) = (BTreeMap::new(), StdRng::seed_from_u64(1));

        for (at, state) in [
            (1, ResyncState::Ordered),
            (2, ResyncState::Ordered),
            (0, ResyncState::Done),
        ] {
            let report = ResyncReport {
                order,
                text: r#"{"equal":true}"#.into(),
            };

            sites[at]
                .write_control(vec![Body::ResyncReport(report)], "OP-1")
                .await
                .unwrap();

            let mut logs = BTreeMap::new();
            blocks(&sites[at], &mut taken, &mut logs).await;
            deliver(&hub, &logs, &mut r, false).await;
            tokio::time::sleep(3 * LOOK).await;

            let now = hub.resyncs().get(&ordered.id).await.unwrap().state;
            assert_eq!(
                now,
                state,
                "{} speaks of Traibeel's resync",
                sites[at].me().name
            );
        }

        hub.stop().await;
        for site in sites {
            site.stop().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_old_resync_is_found_behind_many_newer_ones() {
        let dir = tempfile::tempdir().unwrap();
        let (_country, sites) = found_country(dir.path()).await;
        let trb = &sites[0];
        for n in 0..220 {
            let state = if n == 0 {
                ResyncState::Paused
            } else {
                ResyncState::Cancelled
            };

            let begun = Resync::begun(format!("RS-{n:04}"), "outage", "OP-1", n, None);
            trb.resyncs()
                .keep_row(&Resync {
                    state,
                    node: "trb".into(),
                    peer: "hub".into(),
                    ..begun
                })
                .await
                .unwrap();
        }

        assert!(
            trb.resyncs()
                .list()
                .await
                .unwrap()
                .iter()
                .all(|r| r.id != "RS-0000"),
            "the list ends before it"
        );

        assert_eq!(
            trb.resyncs()
                .steer("RS-0000", ResyncAct::Resume, "OP-1")
                .await
                .unwrap()
                .state,
            ResyncState::Shipping
        );

        let waits = async || trb.resyncs().get("RS-0000").await.unwrap().waits_for;
        for _ in 0..100 {
            if waits().await.contains("in contact") {
                break;
            }
            tokio::time::sleep(LOOK / 5).await;
        }

        assert!(waits().await.contains("in contact"), "it is carried out");
    }
}
