//! What the reconciler does with records that somebody fills, repeats or breaks, and how it comes
//! to look again.

use crate::{
    door::write::{Target, Write},
    hub::publishing::AN_HOUR,
    node::Node,
    tests::order::{Country, MINUTE, blocks, deliver, found_country, looked},
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use wadi_log::{
    Block, Body, Change, Common, Crossing, Entry, Epoch, Lane, LogId, LogKey, Peaks, PolicyEntry,
    RecordId, Role, VerifiedBlock,
};
use wadi_record::{HoldType, Passage, Policy, QuarantineHold};
use wadi_store::{Batch, FindingFilter, FindingRow, LocalKey, LocalScope, ProjectedRows};

/// The seed of the keys of Traibeel's node.
const TRB_SEED: u8 = 10;

pub(crate) async fn hear(hub: &Node, site: &Node, taken: &mut BTreeMap<LogId, u64>) {
    let mut logs = BTreeMap::new();
    blocks(site, taken, &mut logs).await;
    deliver(hub, &logs, &mut StdRng::seed_from_u64(1), false).await;
    looked(hub).await;
}

/// Findings of a rule at a hub.
pub(crate) async fn of_rule(hub: &Node, rule: &str) -> Vec<FindingRow> {
    let filter = FindingFilter {
        rule: Some(rule.into()),
        limit: 10_000,
        ..Default::default()
    };
    hub.store.findings(&filter).await.unwrap()
}

/// Waits until something is so, a minute at most.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so().await {
        assert!(Instant::now() < deadline, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn write(
    site: &Node,
    department: &str,
    target: Target,
    draft: wadi_record::Draft,
) -> RecordId {
    site.write(Write::by("OF-1", department, target, draft))
        .await
        .unwrap()
        .record
}

/// Many records at once.
async fn write_many(
    site: &Node,
    department: &str,
    drafts: Vec<wadi_record::Draft>,
) -> Vec<RecordId> {
    let writes = drafts
        .into_iter()
        .map(|d| Write::by("OF-1", department, Target::New(None), d))
        .collect();

    site.write_all(writes)
        .await
        .into_iter()
        .map(|w| w.unwrap().record)
        .collect()
}

/// Every crossing is heard through any time.
pub(crate) fn hear_all(hub: &Node) {
    let crossings = ["TRB", "QAM", "MAN"].map(String::from);
    *hub.heard_in_tests.lock().unwrap() = crossings.map(|c| (c, i64::MAX)).into();
    hub.reconcile.notify_one();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_open_hold_is_found_among_four_hundred_records_that_name_the_truck() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let trb = &sites[0];
    let mut taken = BTreeMap::new();
    let step = || country.clock.0.fetch_add(MINUTE, Ordering::Relaxed);

    let truck = Passage::announce("in")
        .plate("11-A-1", "IQ")
        .gate_in("G1", "R1");
    let truck = write(trb, "PORT", Target::New(None), truck).await;

    step();
    let name = |n: usize| {
        Passage::announce("in")
            .plate(&format!("22-B-{n}"), "IQ")
            .link(&truck.to_string(), "seen with")
    };

    write_many(trb, "PORT", (0..400).map(name).collect()).await;
    let hold =
        QuarantineHold::place(HoldType::Customs, "order 4").link(&truck.to_string(), "suspected");
    let hold = write(trb, "CUS", Target::New(None), hold).await;

    step();
    let out = json!({"gate": "G2", "read": "R2", "reason": "camera down"});
    write(
        trb,
        "PORT",
        Target::On(truck),
        Passage::on().event("gate.out", out),
    )
    .await;

    hear(&hub, trb, &mut taken).await;
    hear_all(&hub);
    looked(&hub).await;

    let found = of_rule(&hub, "R02").await;
    assert_eq!(
        found.iter().map(|f| f.phase.as_str()).collect::<Vec<_>>(),
        ["FIRM"]
    );

    let open = hub.store.record(&hold).await.unwrap().unwrap().printed;
    assert!(found[0].json.contains(&open), "{}", found[0].json);

    let json: Json = serde_json::from_str(&found[0].json).unwrap();
    assert_eq!(json["dossier_cut"]["passage"]["of"], 400, "{json}");
    assert!(
        json["text"]
            .as_str()
            .unwrap()
            .contains("of 400 records of kind passage"),
        "{json}"
    );

    let alarms = hub.status().await.unwrap().alarms;
    assert!(
        alarms
            .iter()
            .any(|a| a.contains("more records than anybody honest makes")),
        "{alarms:?}"
    );

    for node in [&hub, trb] {
        let record = node.reads().record(&truck).await.unwrap();
        assert!(
            record["flags"]
                .as_array()
                .unwrap()
                .contains(&json!("DETAINED")),
            "{}",
            record["flags"]
        );

        assert_eq!(record["detained_by"].as_array().unwrap().len(), 1);
        assert_eq!(record["detained_by"][0]["hold"], json!(open));
    }
}

/// Entries of one crossing's hold log as somebody with its key would write them, whatever they say.
fn forged(
    key: &LogKey,
    record: RecordId,
    on: &[wadi_log::Reference],
    count: usize,
    event: &str,
) -> Vec<Block> {
    let crossing: Crossing = "TRB".parse().unwrap();
    let log = LogId {
        node: key.node(),
        epoch: Epoch([9; 8]),
        lane: Lane::Hold,
        crossing,
    };

    let mut peaks = Peaks::default();
    let mut out = Vec::new();
    for _ in 0..count {
        let change = Change {
            record: Some(record),
            based_on: on.to_vec(),
            events: vec![event.to_string(); 250],
            puts: vec![],
        };

        let common = Common {
            wall_ms: 5,
            officer: "OF-9".into(),
            department: "PORT".into(),
            ..Default::default()
        };

        let entry = Entry {
            common,
            body: Body::Change(change),
        };
        let block = VerifiedBlock::author(key, log, &peaks, &[entry], 7, vec![]).unwrap();

        out.push(Block {
            from: peaks.size(),
            entries: block.entries().iter().map(|e| e.bytes().to_vec()).collect(),
            checkpoint: block.checkpoint().clone(),
        });

        peaks = block.peaks().clone();
    }

    out
}

/// How many entries a hub has written into logs of holds.
fn said_on_holds(hub: &Node) -> u64 {
    let frontier = hub.frontier();
    let own = frontier
        .0
        .iter()
        .filter(|(log, _)| log.node == hub.id() && log.lane == Lane::Hold);
    own.map(|(_, tip)| tip.size).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifteen_thousand_refused_releases_of_one_officer_are_one_finding() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let mut taken = BTreeMap::new();
    let hold = write(
        &sites[0],
        "CUS",
        Target::New(None),
        QuarantineHold::place(HoldType::Customs, "order 4"),
    )
    .await;

    hear(&hub, &sites[0], &mut taken).await;
    let before = said_on_holds(&hub);

    let first: Vec<_> = hub
        .store
        .record_entries(&hold)
        .await
        .unwrap()
        .iter()
        .map(|e| e.entry.reference())
        .collect();

    let key = LogKey::from_seed(&[TRB_SEED; 32]);
    let event = r#"{"holds":["x"],"second_officer":"OF-8","type":"released"}"#;
    for (n, block) in forged(&key, hold, &first, 60, event)
        .into_iter()
        .enumerate()
    {
        let _ = hub.ingest(block, key.node()).await.await;
        if n % 7 == 0 {
            looked(&hub).await;
        }
    }

    looked(&hub).await;

    let found = of_rule(&hub, "R21").await;
    assert_eq!(found.len(), 1, "{found:#?}");

    let json: Json = serde_json::from_str(&found[0].json).unwrap();
    assert_eq!(json["evidence"]["count"], 15_000, "{json}");
    assert_eq!(json["evidence"]["events"]["of"], 60);
    assert_eq!(
        json["evidence"]["events"]["first"]
            .as_array()
            .unwrap()
            .len(),
        10
    );

    let all = hub
        .store
        .findings(&FindingFilter {
            limit: 1_000,
            ..Default::default()
        })
        .await
        .unwrap();

    assert!(all.len() <= 5, "{} findings", all.len());

    let said = said_on_holds(&hub) - before;
    assert!((1..=12).contains(&said), "the hub said {said} entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_for_an_hour_is_said_in_the_next_ones_over_a_restart_too() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let mut taken = BTreeMap::new();
    let mut draft = Passage::announce("in")
        .plate("11-A-1", "IQ")
        .gate_in("G1", "R1");
    for n in 1..=60 {
        draft = draft.text(&format!("container.{n}"), format!("MSKU{n:07}"));
    }

    let truck = write(&sites[0], "PORT", Target::New(None), draft).await;
    hear(&hub, &sites[0], &mut taken).await;

    let wrong = of_rule(&hub, "R24").await.len();
    assert!(wrong > AN_HOUR, "only {wrong} check digits are wrong");

    let published = async |hub: &Node| {
        let filter = FindingFilter {
            rule: Some("R24".into()),
            limit: 1_000,
            ..Default::default()
        };
        hub.findings().published(&filter).await.unwrap().1.len()
    };

    assert!(published(&hub).await <= AN_HOUR);

    let alarm = |alarms: Vec<String>| {
        alarms
            .into_iter()
            .any(|a| a.contains("wait to be published"))
    };

    assert!(alarm(hub.status().await.unwrap().alarms));

    let entries = hub.store.record(&truck).await.unwrap().unwrap().entries;
    assert!(entries <= 6, "{entries} entries on the record");

    hub.stop().await;
    let hub = country.node(dir.path(), 2, "hub").await;
    for _ in 0..4 {
        country.clock.0.fetch_add(61 * MINUTE, Ordering::Relaxed);
        looked(&hub).await;
        looked(&hub).await;
    }

    assert_eq!(published(&hub).await, wrong, "all of them in the end");
    assert!(!alarm(hub.status().await.unwrap().alarms));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_older_version_found_is_found_anew_at_the_first_start_of_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let draft = Passage::announce("in").text("container.1", "MSKU0000001");
    let truck = write(&sites[0], "PORT", Target::New(None), draft).await;
    hear(&hub, &sites[0], &mut BTreeMap::new()).await;
    looked(&hub).await;

    let found = of_rule(&hub, "R24").await.remove(0);
    let said: Json = serde_json::from_str(&found.json).unwrap();
    assert_eq!(said["sentence"]["id"], "R24-container", "{said}");
    let entries = hub.store.record(&truck).await.unwrap().unwrap().entries;

    // As a version left it that knew no sentences.
    let mut older = said.clone();
    older.as_object_mut().unwrap().remove("sentence");
    let mut batch = Batch::default();
    batch.findings.changed.push(FindingRow {
        json: older.to_string(),
        ..found.clone()
    });
    batch.local.keys.push(LocalKey {
        scope: LocalScope::Reconcile,
        key: "version".into(),
        value: "1".into(),
    });
    hub.store.commit(batch).await.unwrap();
    hub.stop().await;

    let hub = country.node(dir.path(), 2, "hub").await;
    let is_new = async || of_rule(&hub, "R24").await == [found.clone()];
    until("the finding says its sentence", is_new).await;
    looked(&hub).await;
    let told = hub.store.record(&truck).await.unwrap().unwrap().entries;
    assert_eq!(told, entries, "what was published is not published again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_does_not_read_is_told_and_what_was_found_before_stands() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let mut taken = BTreeMap::new();
    let draft = |container: &str| {
        Passage::announce("in")
            .plate("11-A-1", "IQ")
            .text("container.1", container)
    };

    let broken = write(&sites[0], "PORT", Target::New(None), draft("MSKU0000001")).await;
    write(&sites[0], "PORT", Target::New(None), draft("MSKU0000002")).await;
    hear(&hub, &sites[0], &mut taken).await;
    assert_eq!(of_rule(&hub, "R24").await.len(), 2);

    let row = hub.store.record(&broken).await.unwrap().unwrap();
    let terms = hub
        .store
        .terms_of(&[broken])
        .await
        .unwrap()
        .into_iter()
        .map(|(_, what, value)| (what, value))
        .collect();

    let row = wadi_store::RecordRow {
        json: "[1]".into(),
        terms,
        ..row
    };

    hub.store
        .commit(Batch::from(ProjectedRows {
            records: vec![row],
            ..ProjectedRows::default()
        }))
        .await
        .unwrap();

    // The row is read, as after a restart: what was written lies in memory as it was.
    hub.projections.clear();
    looked(&hub).await;
    assert_eq!(
        of_rule(&hub, "R24").await.len(),
        2,
        "what was found before stands"
    );

    // That it failed was said on the record, and saying so made the record again from its entries.
    let healed = hub.store.record(&broken).await.unwrap().unwrap().json;
    assert!(
        healed.contains("\"R00\"") && healed.contains("MSKU0000001"),
        "{healed}"
    );

    looked(&hub).await;
    assert_eq!(of_rule(&hub, "R00").await.len(), 0, "it reads again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_of_the_hubs_own_passes_without_anybody_writing_anything() {
    let dir = tempfile::tempdir().unwrap();
    let (country, _sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let placed = QuarantineHold::place(HoldType::Customs, "order 4");

    hub.write(Write::by("HU-1", "HUB", Target::New(None), placed))
        .await
        .unwrap();

    let phases = async |hub: &Arc<Node>| -> Vec<String> {
        of_rule(hub, "R10")
            .await
            .into_iter()
            .map(|f| f.phase)
            .collect()
    };

    until("a pending finding", async || {
        phases(&hub).await == ["PENDING"]
    })
    .await;
    looked(&hub).await;
    country
        .clock
        .0
        .fetch_add(73 * 60 * MINUTE, Ordering::Relaxed);
    until("a firm one, by the time alone", async || {
        phases(&hub).await == ["FIRM"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watermark_that_moves_makes_firm_what_waited_for_it_and_nothing_else_is_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites): (Country, _) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let mut taken = BTreeMap::new();
    let truck = Passage::announce("in")
        .plate("11-A-1", "IQ")
        .gate_in("G1", "R1");
    let truck = write(&sites[0], "PORT", Target::New(None), truck).await;
    let hold =
        QuarantineHold::place(HoldType::Customs, "order 4").link(&truck.to_string(), "suspected");

    write(&sites[0], "CUS", Target::New(None), hold).await;
    country.clock.0.fetch_add(MINUTE, Ordering::Relaxed);
    let out = json!({"gate": "G2", "read": "R2", "reason": "camera down"});
    write(
        &sites[0],
        "PORT",
        Target::On(truck),
        Passage::on().event("gate.out", out),
    )
    .await;

    hear(&hub, &sites[0], &mut taken).await;
    assert_eq!(country.members_of(Role::Hub), [hub.id()]);

    let phases = async |hub: &Node| -> Vec<String> {
        of_rule(hub, "R02")
            .await
            .into_iter()
            .map(|f| f.phase)
            .collect()
    };

    assert_eq!(phases(&hub).await, ["PENDING"]);

    hear_all(&hub);
    until("a firm one", async || phases(&hub).await == ["FIRM"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_is_gone_by_as_soon_as_it_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let mut taken = BTreeMap::new();

    let hold = QuarantineHold::place(HoldType::Customs, "order 4");
    write(&sites[0], "CUS", Target::New(None), hold).await;
    hear(&hub, &sites[0], &mut taken).await;
    let due = async || of_rule(&hub, "R10").await[0].due_ms;
    let (by_default, default_h) = (due().await, Policy::default().hold_deadline_h);

    // Nothing but the policy changes, and the reconciler has nothing else to do.
    for (revision, hours) in (1..).zip([5, 50, 6, 40]) {
        let policy = Policy {
            hold_deadline_h: hours,
            ..Policy::default()
        };
        let body = Body::Policy(PolicyEntry {
            revision,
            text: policy.text(),
        });
        hub.write_control(vec![body], "AU-1").await.unwrap();

        let sooner_ms = i64::from(default_h - hours) * 60 * MINUTE;
        until("the new deadline", async || {
            due().await == by_default - sooner_ms
        })
        .await;
    }

    for node in sites.iter().chain([&hub]) {
        node.stop().await;
    }
}
