//! Whatever order the crossings' words reach a hub in, and however often it looks in between, it
//! finds the same.

use crate::{
    door::{
        NodeKeys,
        clock::Clock,
        command::Command,
        write::{Target, Write},
    },
    node::Node,
    parts::Start,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};
use wadi_log::{Block, Crossing, Enrolment, LogId, LogKey, NodeId, RecordId, Role, RootKey, Scope};
use wadi_record::{Draft, HoldType, Kind, Passage, QuarantineHold};
use wadi_store::{FindingFilter, SqliteStore};

pub(crate) const MINUTE: i64 = 60_000;

pub(crate) struct HandClock(pub(crate) AtomicI64);

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn enrolment(root: &LogKey, name: &str, role: Role, crossing: &str, key: &LogKey) -> Enrolment {
    let crossing: Crossing = crossing.parse().unwrap();
    let scope = if role == Role::Hub {
        Scope::all()
    } else {
        Scope::of_crossing(crossing)
    };

    let (log_key, tls_key, root_signature) = (key.public(), [0; 32], [0; 64]);
    let e = Enrolment {
        name: name.into(),
        role,
        crossing: Some(crossing),
        log_key,
        tls_key,
        scope,
        serial: 1,
        issued_s: 0,
        root_signature,
    };

    e.issue(root).unwrap()
}

pub(crate) struct Country {
    root: LogKey,
    pub(crate) clock: Arc<HandClock>,
    members: Vec<Enrolment>,
}

impl Country {
    /// Crossings with keys of the seeds from 10 on, hubs with those from 2 on, and one more
    /// crossing, which says nothing, with that of 14.
    pub(crate) fn of(crossings: &[(&str, &str)], hubs: &[&str]) -> Self {
        let root = LogKey::from_seed(&[1; 32]);
        let member = |name: &str, role, code: &str, seed: usize| {
            enrolment(
                &root,
                name,
                role,
                code,
                &LogKey::from_seed(&[seed as u8; 32]),
            )
        };

        let sites = crossings.iter().enumerate();
        let sites = sites.map(|(n, (name, code))| member(name, Role::Crossing, code, n + 10));
        let hubs = hubs.iter().enumerate();
        let hubs = hubs.map(|(n, name)| member(name, Role::Hub, "HUB", n + 2));
        let listener = member("mun", Role::Crossing, "MUN", 14);
        let members = sites.chain(hubs).chain([listener]).collect();
        let clock = Arc::new(HandClock(AtomicI64::new(1_767_225_600_000)));

        Self {
            root,
            clock,
            members,
        }
    }

    pub(crate) fn root(&self) -> &LogKey {
        &self.root
    }

    pub(crate) async fn node(&self, dir: &Path, seed: u8, name: &str) -> Arc<Node> {
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir).unwrap();
        let key = LogKey::from_seed(&[seed; 32]);
        let me = self
            .members
            .iter()
            .find(|e| e.node() == key.node())
            .unwrap()
            .clone();

        let store = SqliteStore::open(&dir, me.node()).await.unwrap();
        let keys = NodeKeys {
            log_key: key,
            root: RootKey(self.root.public()),
        };
        let known = self.members.clone();
        let start = Start {
            keys,
            me,
            known,
            store,
            clock: self.clock.clone(),
            scrub: Default::default(),
            suspects: Default::default(),
            budgets: Default::default(),
        };

        let node = Node::start(start).await.unwrap();
        // Its sequencer learns of the others once it runs.
        let deadline = Instant::now() + Duration::from_secs(60);
        while node.with_control(|c| c.enrolments().count()) < self.members.len() {
            assert!(Instant::now() < deadline, "the members are not learned");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }

        node
    }

    pub(crate) fn members_of(&self, role: Role) -> Vec<NodeId> {
        self.members
            .iter()
            .filter(|e| e.role == role)
            .map(Enrolment::node)
            .collect()
    }
}

/// What a site has signed since last time, block by block.
pub(crate) async fn blocks(
    site: &Node,
    taken: &mut BTreeMap<LogId, u64>,
    into: &mut BTreeMap<LogId, Vec<Block>>,
) {
    for row in site.store.logs().await.unwrap() {
        if row.log.node != site.id() {
            continue;
        }

        let from = taken.get(&row.log).copied().unwrap_or(0);
        let entries = site.store.entries(&row.log, from, 1 << 24).await.unwrap();
        let entries: Vec<Vec<u8>> = entries
            .into_iter()
            .map(|e| e.entry.bytes().to_vec())
            .collect();

        // A control log's head is signed anew with a newer hub time, its entries the same.
        let last = into
            .get(&row.log)
            .and_then(|b| b.last())
            .map(|b| b.checkpoint.clone());

        if last.as_ref() != Some(&row.checkpoint) {
            taken.insert(row.log, row.checkpoint.checkpoint.size);
            into.entry(row.log).or_default().push(Block {
                from,
                entries,
                checkpoint: row.checkpoint,
            });
        }
    }
}

/// Officers of three crossings at work for two days: few plates, containers and devices, so that
/// records meet and contradict each other; plates are corrected, so that records part again.
async fn work(
    country: &Country,
    sites: &[Arc<Node>],
    r: &mut StdRng,
) -> BTreeMap<LogId, Vec<Block>> {
    let (mut taken, mut out) = (BTreeMap::new(), BTreeMap::new());
    let hub = country.members_of(Role::Hub)[0];
    let mut known: Vec<Vec<(RecordId, Kind)>> = vec![Vec::new(); sites.len()];
    for n in 0..150 {
        let now = country
            .clock
            .0
            .fetch_add(r.random_range(1..40) * MINUTE, Ordering::Relaxed);
        let at = r.random_range(0..sites.len());
        let site = &sites[at];
        let plate = format!("11-A-{:05}", r.random_range(0..6));
        let pick = |r: &mut StdRng, of: &[(RecordId, Kind)], kind| {
            let of: Vec<RecordId> = of
                .iter()
                .filter(|(_, k)| *k == kind)
                .map(|(id, _)| *id)
                .collect();
            (!of.is_empty()).then(|| of[r.random_range(0..of.len())])
        };

        let passage = pick(r, &known[at], Kind::Passage);
        let hold = pick(r, &known[at], Kind::QuarantineHold);
        let (target, draft, department) = match (r.random_range(0..10), passage, hold) {
            (0..3, ..) | (_, None, _) => {
                let direction = if r.random() { "in" } else { "out" };
                let mut draft = Passage::announce(direction).plate(&plate, "IQ");

                // Some are only read by a camera so far: their plates may still be corrected by any
                // officer.
                draft = match r.random() {
                    true => draft.gate_in("G1", &format!("R{n}")),
                    false => draft.event(
                        "gate.read",
                        json!({"device": "ANPR-1", "device_seq": n + 1}),
                    ),
                };

                // Most are held together by their plate alone: where that is corrected, they part.
                if r.random_range(0..3) == 0 {
                    draft = draft.text(
                        "container.1",
                        format!("MSKU12345{:02}", r.random_range(0..5)),
                    );
                }

                if r.random_range(0..3) == 0 {
                    draft = draft.text("transit.ref", format!("T{}", r.random_range(0..8)));
                }

                (Target::New(None), draft, "PORT")
            }
            (3, Some(id), _) => {
                // The plate was misread: another truck.
                let plate = if r.random() {
                    plate
                } else {
                    format!("33-X-{n:05}")
                };
                (Target::On(id), Passage::on().plate(&plate, "IQ"), "PORT")
            }
            (4, Some(id), _) => {
                let kg = r.random_range(14..40) * 1_000;
                let attested = r.random::<bool>().then_some(("OF-1", "CUS"));
                (
                    Target::On(id),
                    Passage::on().weigh("S1", kg, attested),
                    "OPS",
                )
            }
            (5, Some(id), _) => (
                Target::On(id),
                Passage::on().gate_out("G2", &format!("R{n}")),
                "PORT",
            ),
            (6, Some(id), _) => {
                let draft = QuarantineHold::place(HoldType::Customs, "order 4").event(
                    "linked",
                    json!({"record": id.to_string(), "why": "the same truck"}),
                );
                (Target::New(None), draft, "CUS")
            }
            (7, _, Some(id)) => {
                let sample = json!({
                    "sample": format!("L{}", r.random_range(0..4)),
                    "seal": "B1",
                    "to": "LAB",
                });
                (
                    Target::On(id),
                    QuarantineHold::on().event("sample.taken", sample),
                    "CUS",
                )
            }
            (8, Some(id), _) => {
                let seal = format!("S{}", r.random_range(0..8));
                (Target::On(id), Passage::on().text("seal.1", seal), "CUS")
            }
            _ => {
                let draft = Draft::new(Kind::CustomsEntry)
                    .text("office", "TRB1")
                    .text("declarant", "D1")
                    .text("declarant_ref", format!("REF-{}", r.random_range(0..6)))
                    .text(
                        "container.1",
                        format!("MSKU12345{:02}", r.random_range(0..5)),
                    )
                    .int("total_packages", r.random_range(1..9));

                (Target::New(None), draft, "CUS")
            }
        };

        let kind = draft.kind;
        // Some of it is no officer's to say, or malformed: refused here, and nothing was written.
        if let Ok(written) = site
            .write(Write::by("OF-1", department, target, draft))
            .await
            && !known[at].contains(&(written.record, kind))
        {
            known[at].push((written.record, kind));
        }

        if r.random_range(0..4) == 0 {
            // The hub was heard: the site's next head names its time.
            site.put(Command::HubTime(
                hub,
                now / 1_000,
                crate::ledger::hub_time::How::Live,
            ))
            .await;
        }

        blocks(site, &mut taken, &mut out).await;
    }

    out
}

pub(crate) type Found = BTreeSet<(String, String, String)>;

pub(crate) async fn found(hub: &Node) -> Found {
    let all = hub
        .store
        .findings(&FindingFilter {
            limit: 100_000,
            ..Default::default()
        })
        .await
        .unwrap();

    all.into_iter()
        .map(|f| (format!("{} {}", f.rule, f.id), f.phase, f.evidence))
        .collect()
}

fn same(one: &Found, other: &Found, what: &str) {
    let differ: Vec<_> = one.symmetric_difference(other).take(6).collect();
    assert!(
        differ.is_empty(),
        "{what} found something else: {differ:#?}"
    );
}

/// Waits until a hub has looked at every change, and at what came due: a rest that began before
/// this call says nothing of what came since, the one after it does.
pub(crate) async fn looked(hub: &Node) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let rests = || hub.reconciler_rests.load(Ordering::Relaxed);
    let before = rests();

    while rests() < before + 2
        || !hub
            .store
            .changes(hub.reconciled(), 1)
            .await
            .unwrap()
            .is_empty()
    {
        hub.reconcile.notify_one();
        assert!(
            Instant::now() < deadline,
            "the reconciler does not come to an end"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) async fn deliver(
    hub: &Node,
    logs: &BTreeMap<LogId, Vec<Block>>,
    r: &mut StdRng,
    look_between: bool,
) {
    let mut queues: Vec<std::collections::VecDeque<Block>> =
        logs.values().map(|b| b.iter().cloned().collect()).collect();
    let peer = hub.id();
    while !queues.is_empty() {
        let at = r.random_range(0..queues.len());
        // A run of one log, as a stream brings it.
        for _ in 0..r.random_range(1..12) {
            let Some(block) = queues[at].pop_front() else {
                break;
            };
            let _ = hub.ingest(block, peer).await.await;
        }

        if queues[at].is_empty() {
            queues.remove(at);
        }

        if look_between && r.random_range(0..6) == 0 {
            looked(hub).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_finds_the_same_in_whatever_order_it_hears() {
    let seed = std::env::var("WADI_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| rand::rng().random());

    println!("WADI_SEED={seed}");
    let mut r = StdRng::seed_from_u64(seed);

    for _ in 0..if std::env::var("WADI_LONG").as_deref() == Ok("1") {
        40
    } else {
        3
    } {
        one_country(&mut r).await;
    }
}

pub(crate) async fn found_country(dir: &Path) -> (Country, Vec<Arc<Node>>) {
    let root = LogKey::from_seed(&[1; 32]);
    let codes = [("trb", "TRB"), ("qam", "QAM"), ("man", "MAN")];
    let mut members: Vec<Enrolment> = codes
        .iter()
        .enumerate()
        .map(|(n, (name, code))| {
            enrolment(
                &root,
                name,
                Role::Crossing,
                code,
                &LogKey::from_seed(&[n as u8 + 10; 32]),
            )
        })
        .collect();

    members.push(enrolment(
        &root,
        "hub",
        Role::Hub,
        "HUB",
        &LogKey::from_seed(&[2; 32]),
    ));

    let clock = Arc::new(HandClock(AtomicI64::new(1_767_225_600_000)));
    let country = Country {
        root,
        clock,
        members,
    };

    let mut sites = Vec::new();
    for (n, (name, _)) in codes.iter().enumerate() {
        sites.push(country.node(&dir.join("sites"), n as u8 + 10, name).await);
    }

    (country, sites)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truck_whose_plate_was_misread_is_held_against_the_other_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let (mut taken, mut r) = (BTreeMap::new(), StdRng::seed_from_u64(1));
    let gate = |plate: &str, n: &str| Passage::announce("in").plate(plate, "IQ").gate_in("G1", n);
    let write = async |at: usize, target, draft| {
        country.clock.0.fetch_add(5 * MINUTE, Ordering::Relaxed);
        sites[at]
            .write(Write::by("OF-1", "PORT", target, draft))
            .await
            .unwrap()
            .record
    };

    // A camera misread it, and a clerk corrects that before the truck is let in.
    let read = Passage::announce("in").plate("11-A-1", "IQ");
    let read = read.event("gate.read", json!({"device": "ANPR-1", "device_seq": 1}));
    let misread = write(0, Target::New(None), read).await;
    write(1, Target::New(None), gate("11-A-1", "R2")).await;

    let hear = async |taken: &mut BTreeMap<LogId, u64>, r: &mut StdRng| {
        let mut logs = BTreeMap::new();
        for site in &sites {
            blocks(site, taken, &mut logs).await;
        }
        deliver(&hub, &logs, r, false).await;
        looked(&hub).await;
    };

    hear(&mut taken, &mut r).await;
    let before = found(&hub).await;
    write(0, Target::On(misread), Passage::on().plate("11-A-7", "IQ")).await;
    hear(&mut taken, &mut r).await;

    let after = found(&hub).await;
    assert!(after.len() < before.len(), "{before:#?} {after:#?}");

    hub.recheck.store(true, Ordering::Relaxed);
    hub.reconcile.notify_one();
    looked(&hub).await;
    same(&after, &found(&hub).await, "looking at everything afresh");
}

async fn one_country(r: &mut StdRng) {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let logs = work(&country, &sites, r).await;
    country
        .clock
        .0
        .fetch_add(3 * 24 * 60 * MINUTE, Ordering::Relaxed);

    let mut all: Vec<Found> = Vec::new();
    for n in 0..3 {
        // The same hub in three worlds: it hears in three orders, and looks in between in two of
        // them.
        let hub = country
            .node(&dir.path().join(format!("world-{n}")), 2, "hub")
            .await;
        deliver(&hub, &logs, r, n > 0).await;
        looked(&hub).await;

        let incremental = found(&hub).await;
        hub.recheck.store(true, Ordering::Relaxed);
        hub.reconcile.notify_one();
        looked(&hub).await;
        same(
            &incremental,
            &found(&hub).await,
            "looking at everything afresh",
        );

        all.push(incremental);
        hub.stop().await;
    }

    assert!(
        all[0].len() > 20,
        "only {} findings: the story is too tame to say anything",
        all[0].len()
    );

    same(&all[0], &all[1], "another order");
    same(&all[0], &all[2], "a third order");
    let rules: BTreeSet<&str> = all[0]
        .iter()
        .filter_map(|f| f.0.split(' ').next())
        .collect();

    println!("{} findings of {rules:?}", all[0].len());
    for site in sites {
        site.stop().await;
    }
}
