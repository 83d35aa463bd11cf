//! A hold on a customs entry holds the truck that carries its goods: it shows as detained, and
//! whoever lets it out is told.

use crate::hub::reconciler::facts;
use crate::{
    door::write::{Based, Target, Write},
    node::Node,
    tests::{
        captured::policy,
        order::{MINUTE, deliver, found_country, looked},
        reconciler::{hear, hear_all, of_rule},
    },
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
};
use wadi_log::{RecordId, Reference};
use wadi_reconcile::{Dossier, Facts, reconcile};
use wadi_record::{CustomsEntry, Draft, HoldType, Passage, Policy, QuarantineHold};
use wadi_store::{RecordFilter, RecordRow};

async fn say(site: &Node, department: &str, target: Target, draft: Draft) -> RecordId {
    let write = Write::by("OF-1", department, target, draft);
    site.write(write).await.unwrap().record
}

/// Nobody is registered here, and all may look out for something, as a site hears.
async fn let_all_look_out(hub: &Node, site: &Node) {
    let mild = Policy {
        registered_lookouts: false,
        ..Policy::default()
    };
    let (logs, _) = policy(hub, mild).await;
    deliver(site, &logs, &mut StdRng::seed_from_u64(1), false).await;
}

/// The printed ids of the holds that detain it; null for none.
async fn detained_by(site: &Node, truck: &RecordId) -> Value {
    let record = site.reads().record(truck).await.unwrap();
    holds_of(&record["detained_by"])
}

fn holds_of(detained_by: &Value) -> Value {
    match detained_by.as_array() {
        Some(all) => all.iter().map(|one| one["hold"].clone()).collect(),
        None => Value::Null,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truck_is_detained_by_a_hold_on_the_entry_of_what_it_carries() {
    let dir = tempfile::tempdir().unwrap();
    let (_country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let truck = |plate: &str, container: &str| {
        Passage::announce("in")
            .plate(plate, "IQ")
            .text("container.1", container)
            .gate_in("G1", "R1")
    };
    let new = || Target::New(None);
    let carrying = say(trb, "PORT", new(), truck("11-A-1", "CSQU 305438-3")).await;
    let other = say(trb, "PORT", new(), truck("22-B-2", "MSKU1234565")).await;
    let linked = say(trb, "PORT", new(), truck("33-C-3", "TGHU1234567")).await;

    let goods = CustomsEntry::store("Agent", "A-1").text("container.1", "CSQU3054383");
    let goods = goods.link(&linked.to_string(), "carries a part of it");
    let entry = say(trb, "CUS", new(), goods).await;
    assert_eq!(detained_by(trb, &carrying).await, Value::Null);

    let hold = QuarantineHold::place(HoldType::Customs, "order 4");
    let hold = hold.link(&entry.to_string(), "goods");
    let hold = say(trb, "CUS", new(), hold).await;
    let printed = trb.reads().record(&hold).await.unwrap()["id"].clone();
    assert_eq!(detained_by(trb, &entry).await, json!([printed]));
    assert_eq!(detained_by(trb, &carrying).await, json!([printed]));
    assert_eq!(
        detained_by(trb, &linked).await,
        json!([printed]),
        "the entry names it"
    );
    assert_eq!(detained_by(trb, &other).await, Value::Null, "other goods");

    // A hold on one truck is none on the other that shares its entry.
    let own = QuarantineHold::place(HoldType::Customs, "order 5");
    say(trb, "CUS", new(), own.link(&linked.to_string(), "tyres")).await;
    assert_eq!(detained_by(trb, &carrying).await, json!([printed]));

    // Whoever lets it out is told in the answer.
    let out = Passage::on().gate_out("G2", "R2");
    say(trb, "PORT", Target::On(carrying), out).await;
    let standings = trb.reads().standings(&[carrying]).await.unwrap();
    assert_eq!(
        holds_of(&standings[&carrying]["detained_by"]),
        json!([printed])
    );
    let flags = standings[&carrying]["flags"].as_array().unwrap();
    assert!(flags.contains(&json!("DETAINED")));

    for node in &sites {
        node.stop().await;
    }
}

/// An officer writes down another plate than the one that is looked for. The camera reads what is
/// on the truck, the pump what is fuelled.
#[tokio::test(flavor = "multi_thread")]
async fn a_truck_is_detained_by_the_plate_that_a_camera_or_a_pump_saw() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let trb = &sites[0];
    let_all_look_out(&hub, trb).await;
    let lookout = QuarantineHold::place(HoldType::Customs, "order 9");
    let lookout = lookout.text("target.term", "11-A-1");
    let lookout = say(trb, "CUS", Target::New(None), lookout).await;
    let printed = trb.reads().record(&lookout).await.unwrap()["id"].clone();

    let fuelled = json!({"plate": "١١ A 1", "litres": 200});
    let seen = [
        ("22-B-2", "gate.read", camera("11 a 1", 1)),
        ("33-C-3", "fuelled", fuelled),
    ];
    for (plate, event, members) in seen {
        let truck = Passage::announce("in")
            .plate(plate, "IQ")
            .gate_in("G1", "R1");
        let truck = say(trb, "PORT", Target::New(None), truck).await;
        assert_eq!(detained_by(trb, &truck).await, Value::Null);

        let seen = Passage::on().event(event, members);
        say(trb, "OPS", Target::On(truck), seen).await;
        assert_eq!(detained_by(trb, &truck).await, json!([printed]), "{event}");
    }

    for node in &sites {
        node.stop().await;
    }
}

fn came(plate: &str) -> Draft {
    Passage::announce("in")
        .plate(plate, "IQ")
        .gate_in("G1", "R1")
}

/// The entry of goods that a truck brings, and a hold on it, by its printed id.
async fn held_entry(site: &Node, plate: &str) -> (RecordId, Value) {
    let goods = CustomsEntry::store("Agent", plate)
        .text("vehicle.plate", plate)
        .int("total_packages", 200);
    let entry = say(site, "CUS", Target::New(None), goods).await;
    hold_on(site, &entry, "goods").await
}

/// A hold of customs' on a record, and its printed id.
async fn hold_on(site: &Node, record: &RecordId, why: &str) -> (RecordId, Value) {
    let hold = QuarantineHold::place(HoldType::Customs, "order 4");
    let hold = hold.link(&record.to_string(), why);
    let hold = say(site, "CUS", Target::New(None), hold).await;
    let printed = site.reads().record(&hold).await.unwrap()["id"].clone();
    (hold, printed)
}

/// A camera and a clerk may begin a record each of one arrival; and who begins a second one frees
/// nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_truck_is_detained_by_a_hold_on_another_record_of_its_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let pass_an_hour = || country.clock.0.fetch_add(60 * MINUTE, Ordering::Relaxed);

    let first = say(trb, "PORT", Target::New(None), came("11-A-1")).await;
    let (_, printed) = hold_on(trb, &first, "tyres").await;

    pass_an_hour();
    let second = say(trb, "PORT", Target::New(None), came("11 a 1")).await;
    assert_eq!(detained_by(trb, &second).await, json!([printed]));
    let board = RecordFilter {
        detained: Some(trb.reads().hold_terms()),
        limit: 10,
        ..RecordFilter::default()
    };
    let rows = trb.store.records(&board).await.unwrap();
    let listed: BTreeSet<RecordId> = rows.iter().map(|row| row.id).collect();
    assert_eq!(listed, BTreeSet::from([first, second]));

    pass_an_hour();
    let out = Passage::on().gate_out("G2", "R2");
    say(trb, "PORT", Target::On(first), out).await;
    pass_an_hour();
    let next_trip = say(trb, "PORT", Target::New(None), came("11-A-1")).await;
    assert_eq!(detained_by(trb, &next_trip).await, Value::Null);

    for node in &sites {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_a_store_rides_with_no_truck() {
    let dir = tempfile::tempdir().unwrap();
    let (_country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let (hold, printed) = held_entry(trb, "44-D-4").await;
    let truck = say(trb, "PORT", Target::New(None), came("44-D-4")).await;
    assert_eq!(detained_by(trb, &truck).await, json!([printed]));

    let unloaded = Passage::on().event("unloaded", json!({"packages": 200}));
    let unloaded = Write::by("OF-2", "OPS", Target::On(truck), unloaded);
    trb.write(unloaded).await.unwrap();
    assert_eq!(detained_by(trb, &truck).await, json!([printed]), "where?");

    let store = |packages: i64| {
        let members = json!({"slot": "A", "packages": packages});
        QuarantineHold::on().event("store.in", members)
    };
    say(trb, "CUS", Target::On(hold), store(150)).await;
    assert_eq!(detained_by(trb, &truck).await, json!([printed]), "not all");
    say(trb, "CUS", Target::On(hold), store(50)).await;
    assert_eq!(detained_by(trb, &truck).await, Value::Null);

    let board = RecordFilter {
        detained: Some(trb.reads().hold_terms()),
        limit: 10,
        ..RecordFilter::default()
    };
    let rows = trb.store.records(&board).await.unwrap();
    assert!(rows.iter().all(|row| row.id != truck), "the entry alone");

    for node in &sites {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truck_that_comes_again_with_an_entry_of_its_own_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let pass_an_hour = || country.clock.0.fetch_add(60 * MINUTE, Ordering::Relaxed);

    let container = ("container.1", "CSQU3054383");
    for (plate, own) in [
        ("11-A-1", ("vehicle.plate", "11-A-1")),
        ("22-B-2", container),
    ] {
        let (_hold, printed) = held_entry(trb, plate).await;
        pass_an_hour();
        let first = say(trb, "PORT", Target::New(None), came(plate)).await;
        assert_eq!(detained_by(trb, &first).await, json!([printed]));
        pass_an_hour();
        let out = Passage::on().gate_out("G2", "R2");
        say(trb, "PORT", Target::On(first), out).await;

        pass_an_hour();
        let second = came(plate).text(container.0, container.1);
        let second = say(trb, "PORT", Target::New(None), second).await;
        assert_eq!(
            detained_by(trb, &second).await,
            json!([printed]),
            "it may bring the rest"
        );
        let own = CustomsEntry::store("Agent", "A-2").text(own.0, own.1);
        say(trb, "CUS", Target::New(None), own).await;
        assert_eq!(detained_by(trb, &second).await, Value::Null, "{plate}");
    }

    for node in &sites {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_goods_went_over_detains_the_trip_that_is_there_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let pass_an_hour = || country.clock.0.fetch_add(60 * MINUTE, Ordering::Relaxed);

    let first = say(trb, "PORT", Target::New(None), came("11-A-1")).await;
    let (_, printed) = hold_on(trb, &first, "tyres").await;
    let over = || {
        let members = json!({"packages": 5, "to_plate": "22-B-2"});
        Passage::on().event("transhipped", members)
    };

    pass_an_hour();
    let gone = say(trb, "PORT", Target::New(None), came("22-B-2")).await;
    pass_an_hour();
    let out = Passage::on().gate_out("G2", "R2");
    say(trb, "PORT", Target::On(gone), out).await;
    pass_an_hour();
    say(trb, "OPS", Target::On(first), over()).await;
    assert_eq!(detained_by(trb, &gone).await, Value::Null);

    pass_an_hour();
    let later = say(trb, "PORT", Target::New(None), came("22-B-2")).await;
    assert_eq!(detained_by(trb, &later).await, Value::Null);
    pass_an_hour();
    say(trb, "OPS", Target::On(first), over()).await;
    assert_eq!(detained_by(trb, &later).await, json!([printed]));

    for node in &sites {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_off_two_trucks_into_a_store_rides_with_neither() {
    let dir = tempfile::tempdir().unwrap();
    let (_country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let mut trucks = Vec::new();
    for plate in ["11-A-1", "22-B-2"] {
        trucks.push(say(trb, "PORT", Target::New(None), came(plate)).await);
    }

    let goods = CustomsEntry::store("Agent", "A-1").int("goods.1.packages", 200);
    let goods = trucks
        .iter()
        .fold(goods, |goods, truck| goods.link(&truck.to_string(), "half"));
    let entry = say(trb, "CUS", Target::New(None), goods).await;
    let hold = QuarantineHold::place(HoldType::Customs, "order 4");
    let hold = hold.link(&entry.to_string(), "goods");
    let hold = say(trb, "CUS", Target::New(None), hold).await;
    let printed = trb.reads().record(&hold).await.unwrap()["id"].clone();
    let stored = json!({"slot": "A", "packages": 200});
    let stored = QuarantineHold::on().event("store.in", stored);
    say(trb, "CUS", Target::On(hold), stored).await;

    for truck in &trucks {
        assert_eq!(detained_by(trb, truck).await, json!([printed]));
        let unloaded = Passage::on().event("unloaded", json!({"packages": 100}));
        let unloaded = Write::by("OF-2", "OPS", Target::On(*truck), unloaded);
        trb.write(unloaded).await.unwrap();
    }
    for truck in &trucks {
        assert_eq!(detained_by(trb, truck).await, Value::Null);
    }

    for node in &sites {
        node.stop().await;
    }
}

const DAY_MS: i64 = 86_400_000;
/// Drawn terms are few, so that records share them.
const PLATES: [&str; 4] = ["11-A-1", "22-B-2", "33-C-3", "44-D-4"];
const CONTAINERS: [&str; 4] = ["CSQU3054383", "MSKU1234565", "TGHU1234567", "csqu 305438-3"];

/// What a gate's camera saw.
fn camera(plate: &str, number: i64) -> Value {
    json!({"plate_raw": plate, "device": "CAM-1", "device_seq": number})
}

/// A truck, or the entry of goods, of a drawn day.
fn drawn(draw: &mut StdRng, earlier: &[RecordId], is_truck: bool) -> Write {
    let plate = PLATES[draw.random_range(0..PLATES.len())];
    let container = CONTAINERS[draw.random_range(0..CONTAINERS.len())];
    let at_ms = 1_772_341_200_000 + draw.random_range(0..90) * DAY_MS;
    let mut draft = if is_truck {
        Passage::announce("in").plate(plate, "IQ")
    } else {
        CustomsEntry::store("Agent", "A-1").text("vehicle.plate", plate)
    };

    if draw.random_bool(0.3) {
        draft = draft.text("container.1", container);
    }
    if draw.random_bool(0.3) {
        let reference = format!("T {}", draw.random_range(0..6));
        draft = draft.text("transit.ref", &reference);
    }
    if draw.random_bool(0.3) {
        let goods = if is_truck { "goods" } else { "goods.1" };
        draft = draft
            .text(&format!("{goods}.hs_code"), "08039010")
            .text(&format!("{goods}.origin"), "EC");
    }
    if draw.random_bool(0.3) && is_truck {
        let seen = PLATES[draw.random_range(0..PLATES.len())];
        draft = draft.event("gate.read", camera(seen, draw.random_range(1..1 << 40)));
    }
    if draw.random_bool(0.5) && !earlier.is_empty() {
        let other = earlier[draw.random_range(0..earlier.len())];
        draft = draft.link(&other.to_string(), "belongs to it");
    }

    let department = if is_truck { "PORT" } else { "CUS" };
    let write = Write::by("OF-1", department, Target::New(None), draft);
    Write {
        happened: Some((at_ms, "test".into())),
        ..write
    }
}

/// What R02 finds of trucks that all left today: the truck, and the hold.
fn found_by_rule(rows: &[RecordRow]) -> BTreeSet<(String, String)> {
    let now_ms = i64::MAX / 2;
    let as_left = |row: &RecordRow| {
        let mut of = facts(row);
        let left = json!({"type": "gate.out", "id": "out", "entry": "out", "counts": true,
            "at_ms": now_ms, "data": {}});
        let json = std::sync::Arc::make_mut(&mut of.json);
        json["events"].as_array_mut().unwrap().push(left);
        of
    };
    let all: Vec<Facts> = rows.iter().map(as_left).collect();

    let mut found = BTreeSet::new();
    for anchor in &all {
        let others = all.iter().filter(|other| other.id != anchor.id);
        let dossier = Dossier {
            anchor: anchor.clone(),
            linked: others.cloned().collect(),
            peers: Vec::new(),
            watermarks: BTreeMap::new(),
            policy: Policy::default(),
            revoked: BTreeMap::new(),
            keys_taken_back: BTreeMap::new(),
            knew: BTreeSet::new(),
            cut: BTreeMap::new(),
            claims: Vec::new(),
            clock_doubts: Vec::new(),
            asked: Default::default(),
        };
        for finding in reconcile(&dossier).iter().filter(|f| f.rule.code == "R02") {
            let hold = finding.contradiction.evidence["hold"]
                .as_str()
                .unwrap()
                .to_string();
            let truck = finding.text.split(' ').next().unwrap().to_string();
            found.insert((truck, hold));
        }
    }

    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rule_the_records_and_the_board_agree_on_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;

    let hub = country.node(dir.path(), 2, "hub").await;
    let trb = &sites[0];
    let_all_look_out(&hub, trb).await;
    let mut through_entries = 0;

    for seed in 0..3 {
        let mut draw = StdRng::seed_from_u64(seed);
        // Two say the plate of one truck, and neither knows of the other.
        let first = Passage::announce("in").text("note", "seen from afar");
        let mut ids = vec![say(trb, "PORT", Target::New(None), first).await];
        let based_on = trb.store.record_entries(&ids[0]).await.unwrap();
        let based_on: Vec<Reference> = based_on.iter().map(|e| e.entry.reference()).collect();
        // The one plate is nobody else's: what is held has a plate that no clerk changes.
        for plate in [&*format!("55-E-{seed}"), PLATES[seed as usize]] {
            let draft = Passage::on().text("vehicle.plate_raw", plate);
            let write = Write::by("OF-1", "PORT", Target::On(ids[0]), draft);
            let based_on = Based::Entries(based_on.clone());
            trb.write(Write { based_on, ..write }).await.unwrap();
        }

        for n in 0..24 {
            let write = drawn(&mut draw, &ids, n % 2 == 0);
            ids.push(trb.write(write).await.unwrap().record);
        }

        for n in 0..8 {
            let hold = QuarantineHold::place(HoldType::Customs, "order 7");
            let hold = match n {
                0 => hold.text("target.term", PLATES[draw.random_range(0..4)]),
                1 => hold.text("target.term", CONTAINERS[draw.random_range(0..4)]),
                2 if seed == 1 => hold.text("target.term", "0803+EC"),
                _ => hold.link(&ids[draw.random_range(0..ids.len())].to_string(), "it"),
            };
            say(trb, "CUS", Target::New(None), hold).await;
        }

        through_entries += compare(trb).await;
    }

    assert!(through_entries > 10, "{through_entries} through an entry");
    for node in &sites {
        node.stop().await;
    }
}

/// Compares them, and says how many trucks are held through an entry.
async fn compare(site: &Node) -> usize {
    let reads = site.reads();
    let all = |detained| RecordFilter {
        detained,
        limit: 1_000,
        ..RecordFilter::default()
    };
    let rows = site.store.records(&all(None)).await.unwrap();
    let (mut at_records, mut through, mut held) = (BTreeSet::new(), 0, BTreeSet::new());
    for row in &rows {
        let record = reads.record_json(row).await.unwrap();
        for one in record["detained_by"].as_array().into_iter().flatten() {
            held.insert(row.id);
            through += usize::from(one["through"].is_string());
            if record["kind"] == "passage" {
                let hold = one["hold"].as_str().unwrap().to_string();
                at_records.insert((row.printed.clone(), hold));
            }
        }
    }

    let listed = all(Some(reads.hold_terms()));
    let board = site.store.records(&listed).await.unwrap();
    let board: BTreeSet<RecordId> = board.iter().map(|row| row.id).collect();
    assert_eq!(board, held, "the board, and each record");
    assert_eq!(
        found_by_rule(&rows),
        at_records,
        "the rule, and each record"
    );
    through
}

/// Of a hold that was placed longer ago than a dossier looks back nobody hears while its crossing
/// is dark; when it comes, the truck that left meanwhile is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn a_lookout_that_comes_late_from_a_dark_crossing_finds_the_truck_that_left_months_after_it()
{
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let (trb, qam) = (&sites[0], &sites[1]);
    let_all_look_out(&hub, qam).await;

    let lookout = QuarantineHold::place(HoldType::Customs, "order 9");
    let lookout = lookout.text("target.term", "11-A-1");
    say(qam, "CUS", Target::New(None), lookout).await;

    let window_h = i64::from(Policy::default().dossier_window_h);
    country
        .clock
        .0
        .fetch_add((window_h + 24 * 40) * 60 * MINUTE, Ordering::Relaxed);
    let left = Passage::announce("in")
        .plate("11-A-1", "IQ")
        .gate_in("G1", "R1")
        .gate_out("G2", "R2");
    say(trb, "PORT", Target::New(None), left).await;

    let (mut of_trb, mut of_qam) = (BTreeMap::new(), BTreeMap::new());
    hear(&hub, trb, &mut of_trb).await;
    hear_all(&hub);
    looked(&hub).await;
    assert_eq!(of_rule(&hub, "R02").await.len(), 0, "nobody told of it yet");

    hear(&hub, qam, &mut of_qam).await;
    let found = of_rule(&hub, "R02").await;
    let phases: Vec<&str> = found.iter().map(|f| f.phase.as_str()).collect();
    assert_eq!(phases, ["FIRM"]);

    hub.stop().await;
    for node in &sites {
        node.stop().await;
    }
}
