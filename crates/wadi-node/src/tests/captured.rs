//! Traibeel's node is in other hands, which hold its keys: what they make a hub believe, and what
//! is found of it.

mod blamed;
mod devices;

use crate::{
    door::write::Target,
    node::Node,
    tests::{
        order::{Country, blocks, deliver, found, found_country, looked},
        reconciler::{hear_all, of_rule, write},
    },
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, atomic::Ordering},
};
use wadi_log::{
    Block, Body, Change, Common, Crossing, Entry, Epoch, Hash, Head, Lane, LogId, LogKey, Peaks,
    PolicyEntry, RecordId, Reference, Seen, VerifiedBlock, VerifiedEntry,
};
use wadi_record::{Draft, HoldType, Passage, Policy, QuarantineHold};

/// The seed of the keys of Traibeel's node.
const TRB_SEED: u8 = 10;

pub(crate) type Logs = BTreeMap<LogId, Vec<Block>>;

/// One log of Traibeel's, as its captors write it.
struct Forger {
    key: LogKey,
    log: LogId,
    peaks: Peaks,
    wall_ms: i64,
    hub_time_s: i64,
    blocks: Vec<Block>,
}

impl Forger {
    fn new(epoch: u8, lane: Lane, wall_ms: i64) -> Self {
        let key = LogKey::from_seed(&[TRB_SEED; 32]);
        let crossing: Crossing = "TRB".parse().unwrap();
        let log = LogId {
            node: key.node(),
            epoch: Epoch([epoch; 8]),
            lane,
            crossing,
        };

        Self {
            key,
            log,
            peaks: Peaks::default(),
            wall_ms,
            hub_time_s: 0,
            blocks: Vec::new(),
        }
    }

    fn put(&mut self, department: &str, body: Body) -> Reference {
        let common = Common {
            wall_ms: self.wall_ms,
            officer: if department.is_empty() { "" } else { "OF-1" }.into(),
            department: department.into(),
            ..Default::default()
        };
        self.put_as(common, body)
    }

    fn put_as(&mut self, common: Common, body: Body) -> Reference {
        let entry = Entry { common, body };
        let own = VerifiedEntry::author(self.log, self.peaks.size(), &entry).unwrap();
        self.seal(&[entry], vec![]);
        own.reference()
    }

    fn seal(&mut self, entries: &[Entry], lists: Vec<(Lane, Crossing, u64)>) {
        let from = self.peaks.clone();
        let block =
            VerifiedBlock::author(&self.key, self.log, &from, entries, self.hub_time_s, lists)
                .unwrap();
        self.blocks.push(Block {
            from: from.size(),
            entries: block.entries().iter().map(|e| e.bytes().to_vec()).collect(),
            checkpoint: block.checkpoint().clone(),
        });
        self.peaks = block.peaks().clone();
    }

    fn say(
        &mut self,
        department: &str,
        record: Option<RecordId>,
        based_on: &[Reference],
        draft: Draft,
    ) -> Reference {
        let (puts, events) = draft.check().unwrap();
        let change = Change {
            record,
            based_on: based_on.to_vec(),
            puts,
            events,
        };
        self.put(department, Body::Change(change))
    }

    fn saw(&mut self, mut heads: Vec<Head>) -> Reference {
        heads.sort_by_key(|head| head.log);
        self.put("", Body::Seen(Seen { heads }))
    }

    fn logs(&self) -> Logs {
        BTreeMap::from([(self.log, self.blocks.clone())])
    }
}

/// The control log of a hub that says a policy, and its head.
pub(crate) async fn policy(hub: &Node, policy: Policy) -> (Logs, Head) {
    let body = Body::Policy(PolicyEntry {
        revision: 1,
        text: policy.text(),
    });
    let at = hub.write_control(vec![body], "AU-1").await.unwrap()[0];
    let mut logs = Logs::new();
    blocks(hub, &mut BTreeMap::new(), &mut logs).await;
    let tip = hub.frontier().0[&at.log];
    let head = Head {
        log: at.log,
        size: tip.size,
        root: tip.root,
    };
    (logs, head)
}

/// What the captors release: a hold on a truck on which Al-Qaem has another one, of which they
/// claim to have seen so much.
fn release(truck: RecordId, control: Head, claimed: Head, wall_ms: i64) -> (Forger, RecordId) {
    let mut trb = Forger::new(77, Lane::Hold, wall_ms);
    trb.saw(vec![control, claimed]);
    let placed = QuarantineHold::place(HoldType::Customs, "order 4").link(&truck.to_string(), "x");
    let placed = trb.say("CUS", None, &[], placed);
    let id = RecordId::of_first(&placed);
    let found = QuarantineHold::on().event("search.found", json!({"findings": "nothing"}));
    let found = trb.say("CUS", Some(id), &[placed], found);
    let released = QuarantineHold::release(&[placed.event_id(0)], "OF-2");
    trb.say("CUS", Some(id), &[found], released);
    (trb, id)
}

struct Scene {
    country: Country,
    sites: Vec<Arc<Node>>,
    hub: Arc<Node>,
    policy: Logs,
    control: Head,
    truck: RecordId,
    /// What Al-Qaem wrote: its hold on the truck, and more later.
    early: Logs,
    late: Logs,
    /// The hold log of Al-Qaem as it stands in the end.
    holds: Head,
}

async fn scene(dir: &Path) -> Scene {
    let (country, sites) = found_country(dir).await;
    let hub = country.node(dir, 2, "hub").await;
    let nobody_is_registered = Policy {
        registered_officers: false,
        ..Policy::default()
    };
    let (policy, control) = policy(&hub, nobody_is_registered).await;
    let truck = Passage::announce("in").plate("11-A-1", "IQ");
    let truck = write(&sites[1], "PORT", Target::New(None), truck).await;
    let hold = || {
        QuarantineHold::place(HoldType::Customs, "order 5").link(&truck.to_string(), "suspected")
    };
    write(&sites[1], "CUS", Target::New(None), hold()).await;
    let (mut taken, mut early, mut late) = (BTreeMap::new(), Logs::new(), Logs::new());
    blocks(&sites[1], &mut taken, &mut early).await;

    write(&sites[1], "CUS", Target::New(None), hold()).await;
    blocks(&sites[1], &mut taken, &mut late).await;
    let frontier = sites[1].frontier();
    let (log, tip) = frontier
        .0
        .iter()
        .find(|(l, _)| l.lane == Lane::Hold)
        .unwrap();
    let holds = Head {
        log: *log,
        size: tip.size,
        root: tip.root,
    };

    Scene {
        country,
        sites,
        hub,
        policy,
        control,
        truck,
        early,
        late,
        holds,
    }
}

async fn alarms(hub: &Node) -> Vec<String> {
    let all = hub.reads().alarms().await.unwrap();
    all.into_iter().map(|alarm| alarm.text).collect()
}

/// The hub's own time has come so far.
fn hear_hub(hub: &Node, now_ms: i64) {
    let mut heard = hub.heard_in_tests.lock().unwrap();
    heard.insert("HUB".into(), now_ms);
    drop(heard);
    hub.reconcile.notify_one();
}

async fn deliver_all(hub: &Node, all: &[&Logs]) {
    for logs in all {
        deliver(hub, logs, &mut StdRng::seed_from_u64(1), false).await;
        looked(hub).await;
    }
}

fn now(scene: &Scene) -> i64 {
    scene.country.clock.0.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_claims_to_have_seen_what_is_not_there_silences_no_finding_and_is_one() {
    for (size, root, is_lie) in [
        (1 << 60, Some(Hash([0; 32])), true),
        (1, Some(Hash([0; 32])), true),
        (0, None, false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let scene = scene(dir.path()).await;
        let claimed = match root {
            Some(root) => Head {
                log: scene.holds.log,
                size,
                root,
            },
            None => scene.holds,
        };

        let (trb, _) = release(scene.truck, scene.control, claimed, now(&scene));
        hear_all(&scene.hub);
        hear_hub(&scene.hub, i64::MAX);
        deliver_all(&scene.hub, &[&scene.early, &scene.late, &trb.logs()]).await;
        looked(&scene.hub).await;

        let unseen = of_rule(&scene.hub, "R01").await;
        let claims = of_rule(&scene.hub, "R33").await;
        assert_eq!(unseen.is_empty(), !is_lie, "size {size}: R01");
        assert_eq!(claims.is_empty(), !is_lie, "size {size}: R33");
        assert!(claims.iter().all(|f| f.phase == "FIRM"), "{claims:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_lookouts_are_of_registered_officers_a_captured_node_has_no_truck_stopped_elsewhere()
{
    for lets_anybody in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (country, sites) = found_country(dir.path()).await;
        let qam = &sites[1];
        let mut trb = Forger::new(77, Lane::Hold, country.clock.0.load(Ordering::Relaxed));
        if !lets_anybody {
            let hub = country.node(dir.path(), 2, "hub").await;
            let strict = Policy {
                registered_lookouts: true,
                ..Policy::default()
            };
            let (logs, control) = policy(&hub, strict).await;
            deliver(qam, &logs, &mut StdRng::seed_from_u64(1), false).await;
            trb.saw(vec![control]);
        }

        let lookout = QuarantineHold::place(HoldType::Customs, "order 9");
        trb.say("CUS", None, &[], lookout.text("target.term", "11-A-1"));
        deliver(qam, &trb.logs(), &mut StdRng::seed_from_u64(1), false).await;

        let truck = Passage::announce("in").plate("11-A-1", "IQ");
        let truck = write(qam, "PORT", Target::New(None), truck).await;
        let record = qam.reads().record(&truck).await.unwrap();
        assert_eq!(record["detained_by"].is_array(), lets_anybody, "{record}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_author_saw_and_the_hub_has_yet_to_hear_is_believed_once_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(dir.path()).await;
    let (trb, _) = release(scene.truck, scene.control, scene.holds, now(&scene));

    // The release first, while Al-Qaem is heard only half.
    let trb = trb.logs();
    deliver_all(&scene.hub, &[&scene.early, &trb]).await;
    assert_eq!(of_rule(&scene.hub, "R33").await.len(), 1, "it waits");
    assert_eq!(of_rule(&scene.hub, "R33").await[0].phase, "PENDING");
    deliver_all(&scene.hub, &[&scene.late]).await;
    looked(&scene.hub).await;
    assert_eq!(of_rule(&scene.hub, "R33").await, [], "it has come");
    assert_eq!(of_rule(&scene.hub, "R01").await, []);

    // Another hub hears it in another order, and finds the same.
    let other = scene
        .country
        .node(&dir.path().join("other"), 2, "hub")
        .await;
    deliver_all(&other, &[&scene.policy, &scene.early, &scene.late, &trb]).await;
    assert_eq!(found(&scene.hub).await, found(&other).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_of_control_entries_that_are_not_there_is_named_with_whoever_makes_it() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(dir.path()).await;
    let control = Head {
        size: 1 << 60,
        ..scene.control
    };
    let (trb, id) = release(scene.truck, control, scene.holds, now(&scene));
    deliver_all(&scene.hub, &[&trb.logs()]).await;

    assert!(
        scene.hub.store.record(&id).await.unwrap().is_none(),
        "nothing is judged"
    );
    for _ in 0..12 {
        looked(&scene.hub).await;
    }
    let alarms = alarms(&scene.hub).await;
    let told = alarms
        .iter()
        .any(|a| a.contains("node trb says") && a.contains("of hub"));
    assert!(told, "{alarms:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_hubs_time_out_of_a_log_backdates_nothing_past_its_control_log() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(dir.path()).await;
    let now_ms = now(&scene);
    let crossing: Crossing = "TRB".parse().unwrap();

    // Its control log names the hub's time of a minute ago, and lists the log that is begun now.
    let mut control = Forger::new(78, Lane::Control, now_ms);
    control.hub_time_s = now_ms / 1_000 - 60;
    let boot = wadi_log::Boot {
        software: "wadi".into(),
        previous: vec![],
    };
    let common = Common {
        wall_ms: now_ms,
        ..Default::default()
    };
    let body = Body::Boot(boot);
    control.seal(
        &[Entry { common, body }],
        vec![(Lane::Passage, crossing, 0)],
    );

    // What it writes then, it dates to the day before.
    let mut trb = Forger::new(78, Lane::Passage, now_ms - 24 * 3_600_000);
    trb.say("PORT", None, &[], Passage::announce("in").plate("1", "IQ"));
    deliver_all(&scene.hub, &[&control.logs(), &trb.logs()]).await;

    let found = of_rule(&scene.hub, "R20").await;
    assert_eq!(found.len(), 1, "it was written after the hub's word");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_control_log_may_not_say_is_about_no_record_whenever_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(dir.path()).await;
    let now_ms = now(&scene);

    // A change has no place in a control log. This one is dated to the day before.
    let mut control = Forger::new(78, Lane::Control, now_ms - 24 * 3_600_000);
    control.hub_time_s = now_ms / 1_000 - 60;
    let plate = Passage::on().plate("1", "IQ");
    control.say("PORT", Some(scene.truck), &[], plate.clone());
    control.say("PORT", Some(scene.truck), &[], plate);

    // One hub hears of the truck before it, the other afterwards.
    let other = scene
        .country
        .node(&dir.path().join("other"), 2, "hub")
        .await;
    let forged = control.logs();
    let orders = [
        (&scene.hub, [&scene.early, &forged]),
        (&other, [&forged, &scene.early]),
    ];
    for (hub, order) in orders {
        deliver_all(hub, &order).await;
        assert_eq!(of_rule(hub, "R20").await, [], "it counts for nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_never_started_is_named_with_what_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(dir.path()).await;
    let claimed = Head {
        size: 1 << 60,
        ..scene.holds
    };
    let (trb, _) = release(scene.truck, scene.control, claimed, now(&scene));
    deliver_all(&scene.hub, &[&scene.early, &scene.late, &trb.logs()]).await;

    // Al-Qaem's node names no hub's time: nobody knows how far it is heard. Two days pass.
    hear_hub(&scene.hub, now(&scene) + 48 * 3_600_000);
    for _ in 0..12 {
        looked(&scene.hub).await;
    }
    let alarms = alarms(&scene.hub).await;
    let told = |a: &String| a.contains("node qam of QAM was never heard") && a.contains("findings");
    assert!(alarms.iter().any(told), "{alarms:?}");
    assert_eq!(scene.sites.len(), 3);
}
