//! Stories of links, and of whose word joins two records.

mod desk;

use desk::{build, desk, refused, truck};
use serde_json::json;
use wadi_log::*;
use wadi_record::*;

/// Whether a record is found by what it is linked with, and known by it to rules.
fn is_joined(record: &Record, other: RecordId) -> bool {
    let by_term = terms(record).contains(&("link".into(), other.to_string()));
    let told = record.json();
    let links = told["events"].as_array().expect("events").iter();
    let is_told = links
        .filter(|e| e["type"] == "link")
        .any(|e| e["unjoined"].is_null());

    assert_eq!(by_term, is_told, "an index and rules agree");
    by_term
}

#[test]
fn a_hold_holds_what_its_owner_names_and_not_what_others_link_it_with() {
    let mut gate = desk(2, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (came, _, truck) = truck(&mut gate);
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Hold, "TRB");
    let placed = QuarantineHold::place(HoldType::Customs, "order 4");
    let first = trb.say("of-cus", None, &[], placed);
    let id = RecordId::of_first(&first.reference);
    let detains = |hold: &Record| {
        let truck = build(&[&came]).json();
        let truck = KnownBy::of(&came_id(&came), 0, &truck);
        truck.is_named_by(&KnownBy::of(&hold.id().to_string(), 0, &hold.json()))
    };

    for (by, counts) in [
        ("CUS", true),
        ("IT", false),
        ("K9", false),
        ("OPS", false),
        ("PORT", false),
        ("VET", false),
    ] {
        let link = QuarantineHold::on().link(&truck.to_string(), "it is it");
        let link = trb.say_as(("a clerk", by, ""), Some(id), &[first.reference], link);
        let record = build(&[&first, &link]);
        assert_eq!(refused(&record, &link), [""; 0], "{by}: it is kept");
        assert_eq!(is_joined(&record, truck), counts, "{by}");
        assert_eq!(detains(&record), counts, "{by}");
    }
}

fn came_id(came: &JudgedChange) -> String {
    RecordId::of_first(&came.reference).to_string()
}

#[test]
fn who_places_a_hold_says_what_it_holds() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Hold, "TRB");
    let truck = RecordId([7; 32]);
    let dog = json!({"dog": "D1", "handler": "H1", "target": "drugs"});
    let found = QuarantineHold::on()
        .event("k9.indicated", dog)
        .link(&truck.to_string(), "it sat down");
    let first = trb.say_as(("a handler", "K9", ""), None, &[], found);
    assert!(is_joined(&build(&[&first]), truck));

    // A record on which nobody placed anything holds nobody's truck by a stranger's word.
    let note = QuarantineHold::on().link(&truck.to_string(), "look");
    let nothing = trb.say_as(("a clerk", "IT", ""), None, &[], note);
    assert!(!is_joined(&build(&[&nothing]), truck));
}

#[test]
fn a_link_of_who_has_nothing_to_do_with_traffic_locks_no_plate() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, admitted, id) = truck(&mut trb);
    let entry = RecordId([7; 32]);
    let read_again = || Passage::on().text("vehicle.plate", "99Z1");

    for (by, counts) in [("PORT", true), ("CUS", true), ("IT", false), ("OPS", false)] {
        let link = Passage::on().link(&entry.to_string(), "carries it");
        let link = trb.say_as(("a clerk", by, ""), Some(id), &[admitted.reference], link);
        let again = trb.say("of-port", Some(id), &[link.reference], read_again());
        let record = build(&[&first, &admitted, &link, &again]);
        assert_eq!(is_joined(&record, entry), counts, "{by}");
        assert_eq!(refused(&record, &again).is_empty(), !counts, "{by}");
    }
}
