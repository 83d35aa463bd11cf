//! Whoever writes is told what that changed, and what speaks against the act: that nobody cleared
//! the vehicle, that the officer is off shift, that a plate looks like another one that matters.

use crate::{
    Node,
    door::write::{ChangedField, Target, Write, Written},
    tests::{
        guarded_field::officer,
        order::{blocks, deliver, found_country},
    },
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use std::collections::BTreeMap;
use wadi_log::RecordId;
use wadi_record::{Draft, HoldType, Passage, QuarantineHold, SiteDay, Value};

/// 2026-01-01, which the clocks of the country begin at.
const NOW_MS: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;

async fn said(node: &Node, who: (&str, &str), target: Target, draft: Draft) -> Written {
    node.write(Write::by(who.0, who.1, target, draft))
        .await
        .unwrap()
}

/// The hub registers an officer, and a site hears of it.
async fn register(hub: &Node, site: &Node, name: &str, department: &str) {
    let said = vec![officer(name, department)];
    hub.write_control(said, "OP-1").await.unwrap();
    let mut control = BTreeMap::new();
    blocks(hub, &mut BTreeMap::new(), &mut control).await;
    deliver(site, &control, &mut StdRng::seed_from_u64(1), false).await;
}

async fn at_gate(node: &Node, target: Target, draft: Draft) -> Written {
    said(node, ("OF-1", "PORT"), target, draft).await
}

fn told(written: &Written) -> String {
    written.warnings.join(" | ")
}

fn text(text: &str) -> Vec<Value> {
    vec![Value::Text(text.into())]
}

fn field(name: &str, before: Vec<Value>, after: Vec<Value>) -> ChangedField {
    ChangedField {
        field: name.into(),
        before,
        after,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_tells_what_it_changed_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (_country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];

    let new = Passage::announce("in").text("note", "n");
    let mut write = Write::by("OF-1", "PORT", Target::New(None), new);
    write.key = Some((crate::LocalScope::Import, "K-1".into()));
    let begun = trb.write(write.clone()).await.unwrap();
    let changed = begun.changed.unwrap();
    assert_eq!(
        (changed.state_before, changed.state),
        (None, "ANNOUNCED"),
        "nothing stood there"
    );
    let fields = [
        field("direction", vec![], text("in")),
        field("note", vec![], text("n")),
    ];
    assert_eq!(changed.fields, fields);

    let again = trb.write(write).await.unwrap();
    assert!(again.repeated && again.changed.is_none());

    // What is put and stays as it was is no change; what is cleared is one.
    let on = Target::On(begun.record);
    let more = Passage::on().text("direction", "in").clear("note");
    let changed = at_gate(trb, on.clone(), more).await.changed.unwrap();
    assert_eq!(
        (changed.state_before, changed.state),
        (Some("ANNOUNCED"), "ANNOUNCED")
    );
    assert_eq!(changed.fields, [field("note", text("n"), vec![])]);

    let came = Passage::on().gate_in("G1", "R1");
    let changed = at_gate(trb, on.clone(), came).await.changed.unwrap();
    assert_eq!(
        (changed.state_before, changed.state),
        (Some("ANNOUNCED"), "ADMITTED")
    );
    assert_eq!((changed.fields, changed.flags_came), (vec![], vec![]));

    // Two who have not seen each other contest a field.
    let mut unseen = Write::by("OF-2", "PORT", on.clone(), Passage::on().text("note", "b"));
    unseen.based_on = crate::Based::Entries(vec![begun.entry]);
    at_gate(trb, on, Passage::on().text("note", "a")).await;
    let changed = trb.write(unseen).await.unwrap().changed.unwrap();
    let both = [text("a"), text("b")].concat();
    assert_eq!(changed.fields, [field("note", text("a"), both)]);
    assert_eq!(changed.flags_came, ["CONTESTED"]);

    for node in &sites {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_tells_which_holds_it_opened_and_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (_country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let customs = ("OF-1", "CUS");

    let place = QuarantineHold::place(HoldType::Customs, "order 4");
    let placed = said(trb, customs, Target::New(None), place).await;
    let changed = placed.changed.unwrap();
    assert_eq!(changed.state, "PLACED");
    assert_eq!(changed.holds_opened, [placed.entry.event_id(0)]);

    let second = QuarantineHold::on().event(
        "hold.placed",
        json!({"type_of_hold": "CUSTOMS", "legal_basis": "order 5"}),
    );
    let placed = said(trb, customs, Target::On(placed.record), second).await;
    let changed = placed.changed.unwrap();
    assert_eq!(changed.holds_opened, [placed.entry.event_id(0)]);
    assert_eq!(changed.holds_ended, [""; 0], "the first one stands");

    for node in &sites {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ends_a_hold_alone_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let hub = country.node(dir.path(), 2, "hub").await;
    register(&hub, trb, "OF-7", "CUS").await;

    let seized_after = async |placer: &str| {
        let place = QuarantineHold::place(HoldType::Customs, "order 4");
        let placed = said(trb, (placer, "CUS"), Target::New(None), place).await;
        assert_eq!(told(&placed), "");
        let seized = QuarantineHold::on().event("seized", json!({"seizure_no": "S-1"}));
        let ended = said(trb, ("OF-7", "CUS"), Target::On(placed.record), seized).await;
        assert_eq!(ended.changed.as_ref().unwrap().holds_ended.len(), 1);
        told(&ended)
    };

    let rest = "and no second officer is named: if its vehicle goes inland, that is a finding \
                (R02), unless somebody else writes before what came off it";
    assert_eq!(
        seized_after("OF-1").await,
        format!("seized: OF-7 alone ended the hold, {rest}")
    );
    assert_eq!(
        seized_after("OF-7").await,
        format!("seized: OF-7 alone ended the hold that the same officer placed, {rest}")
    );

    for node in sites.iter().chain([&hub]) {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lets_out_what_nobody_cleared_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let hub = country.node(dir.path(), 2, "hub").await;
    register(&hub, trb, "OF-2", "PORT").await;

    let came = || Passage::announce("in").gate_in("G1", "R1");
    let out = || Passage::on().gate_out("G2", "R2");
    let forced = at_gate(trb, Target::New(None), came()).await.record;
    let left = at_gate(trb, Target::On(forced), out()).await;
    assert_eq!(
        told(&left),
        "gate.out: a forced exit, which is a finding (R31): the vehicle was not cleared, or is so \
         no longer"
    );
    assert_eq!(left.decisions, ["gate.out"]);
    assert_eq!(left.changed.unwrap().flags_came, ["FORCED_EXIT"]);

    let cleared = at_gate(trb, Target::New(None), came()).await.record;
    let clearing = Passage::on().event("cleared", json!({"until": NOW_MS + HOUR_MS}));
    let by = ("OF-2", "PORT");
    assert_eq!(
        told(&said(trb, by, Target::On(cleared), clearing).await),
        ""
    );
    let left = at_gate(trb, Target::On(cleared), out()).await;
    assert_eq!(told(&left), "", "it was cleared");

    for node in sites.iter().chain([&hub]) {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lets_out_by_a_second_record_is_told_what_is_open_on_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let hub = country.node(dir.path(), 2, "hub").await;
    let trb = &sites[0];
    register(&hub, trb, "OF-1", "PORT").await;
    let came = |plate: &str| {
        Passage::announce("in")
            .plate(plate, "IQ")
            .gate_in("G1", "R1")
    };
    let cleared = || Passage::on().event("cleared", json!({}));

    let first = at_gate(trb, Target::New(None), came("11-A-1")).await.record;
    let second = at_gate(trb, Target::New(None), came("11 a 1")).await.record;
    let free = at_gate(trb, Target::On(second), cleared()).await;
    assert_eq!(told(&free), "", "a camera and a clerk");

    let check = Passage::on().event("check.opened", json!({"check": "SEC"}));
    said(trb, ("OF-5", "SEC"), Target::On(first), check).await;
    let out = Passage::on().gate_out("G2", "R2");
    let left = at_gate(trb, Target::On(second), out).await;
    assert_eq!(
        told(&left),
        "gate.out: another record of this vehicle's stay has a check that is open, or an anomaly \
         that nobody looked into; it must not leave before that is done (R31)"
    );

    let other = at_gate(trb, Target::New(None), came("22-B-2")).await.record;
    let elsewhere = at_gate(trb, Target::On(other), cleared()).await;
    assert_eq!(told(&elsewhere), "", "another vehicle");

    hub.stop().await;
    for node in &sites {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_acts_off_shift_is_told_where_shifts_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (_country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let came = async |who: &str| {
        let draft = Passage::announce("in").gate_in("G1", "R1");
        told(&said(trb, (who, "PORT"), Target::New(None), draft).await)
    };
    assert_eq!(came("OF-1").await, "", "nobody keeps shifts");

    let clerk = ("OF-9", "PORT");
    let day = said(trb, clerk, Target::New(None), SiteDay::open("2026-01-01")).await;
    let shift = async |kind: &str, who: &str, at_ms: i64| {
        let members = json!({"officer": who, "department": "PORT"});
        let draft = SiteDay::on().event(kind, members);
        let mut write = Write::by("OF-9", "PORT", Target::On(day.record), draft);
        write.happened = Some((at_ms, "paper".into()));
        trb.write(write).await.unwrap();
    };
    shift("shift.on", "OF-1", NOW_MS - 10 * HOUR_MS).await;
    shift("shift.off", "OF-1", NOW_MS - 8 * HOUR_MS).await;
    shift("shift.on", "OF-3", NOW_MS - HOUR_MS).await;

    assert_eq!(
        came("OF-1").await,
        "gate.in: OF-1 is off shift by the shift book of this crossing; that is a finding (R21)"
    );
    assert_eq!(came("OF-3").await, "", "on shift");
    assert_eq!(came("OF-2").await, "", "of whom no shift is known");

    // What is no act of a shift is nobody's finding.
    let noted = Passage::announce("in");
    assert_eq!(told(&at_gate(trb, Target::New(None), noted).await), "");

    for node in &sites {
        node.stop().await;
    }
}

async fn plate_read(node: &Node, plate: &str) -> String {
    let draft = Passage::announce("in").text("vehicle.plate_raw", plate);
    told(&at_gate(node, Target::New(None), draft).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plate_that_looks_like_one_that_is_sought_is_to_be_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let hub = country.node(dir.path(), 2, "hub").await;
    register(&hub, trb, "OF-7", "SEC").await;
    assert_eq!(plate_read(trb, "110123").await, "", "nothing is sought");

    for sought in ["11-O-123", "CSQU3054383", "0803+EC"] {
        let lookout = QuarantineHold::place(HoldType::Security, "order 7");
        let lookout = lookout.text("target.term", sought);
        said(trb, ("OF-7", "SEC"), Target::New(None), lookout).await;
    }

    let again = "read it again, letter by letter: it looks like one that is sought";
    let near = plate_read(trb, "110123").await;
    assert_eq!(near, format!("vehicle.plate_raw: \"110123\": {again}"));
    assert!(!near.contains("11O123") && !near.contains("SEC"), "{near}");
    assert_eq!(plate_read(trb, "110124").await, "", "another plate");
    assert_eq!(plate_read(trb, "11 O 123").await, "", "it is detained");

    let box_read = Passage::announce("in").text("container.1", "C5QU 305438-3");
    let told = told(&at_gate(trb, Target::New(None), box_read).await);
    let near = format!("container.1: \"C5QU 305438-3\": {again}");
    assert!(told.contains(&near), "{told}");

    for node in &sites {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plate_that_looks_like_that_of_a_vehicle_inside_is_to_be_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let (_country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let inside = async |plate: &str| -> (RecordId, String) {
        let draft = Passage::announce("in").plate(plate, "IQ");
        let written = at_gate(trb, Target::New(None), draft.gate_in("G1", "R1")).await;
        (written.record, written.printed)
    };

    assert_eq!(plate_read(trb, "77-B-1").await, "");
    assert_eq!(
        plate_read(trb, "77-8-1").await,
        "",
        "the other is not in yet"
    );
    let (other, _) = inside("22-O-5").await;
    assert_eq!(
        plate_read(trb, "2205").await,
        "vehicle.plate_raw: \"2205\": read it again: a vehicle is inside with a plate that looks \
         like it (R07)"
    );
    assert_eq!(plate_read(trb, "22 O 5").await, "", "the same plate");
    assert_eq!(plate_read(trb, "2206").await, "", "another plate");
    assert_eq!(plate_read(&sites[1], "2205").await, "", "another crossing");

    at_gate(trb, Target::On(other), Passage::on().gate_out("G2", "R2")).await;
    assert_eq!(plate_read(trb, "2205").await, "", "it has left");

    for node in &sites {
        node.stop().await;
    }
}
