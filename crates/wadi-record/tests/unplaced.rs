//! Stories of holds that begin with no placement: they hold like any other, and are let go by the
//! department that owns their type.

mod desk;

use desk::{because, build, desk};
use serde_json::json;
use wadi_log::*;
use wadi_record::*;

#[test]
fn what_a_device_began_is_adjudicated_and_released_by_the_department_of_its_type() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let warm = json!({"slot": "C4", "temp_c": 15.5});
    let warm = QuarantineHold::on().event("store.temperature", warm);
    let first = qam.device("THERMO-4", None, &[], warm);
    let id = RecordId::of_first(&first.reference);
    let begun = build(&[&first]);
    assert_eq!(state(&begun).open_holds, [UNPLACED]);
    assert_eq!(holds(&begun)[0].hold, None);

    let typed = QuarantineHold::on().text("type", "VETERINARY");
    let typed = because(typed, "poultry in slot C4");
    let typed = qam.say("of-vet", Some(id), &[first.reference], typed);
    let members = json!({
        "sample": "S1",
        "result": "r",
        "outcome": "satisfactory",
        "attested_by": "of-vet-2",
        "attester_department": "VET",
    });
    let result = QuarantineHold::on().event("result.issued", members);
    let result = qam.say("of-vet", Some(id), &[typed.reference], result);
    let rows = [&first, &typed, &result];
    let record = build(&rows);
    assert_eq!(holds(&record)[0].hold, Some(HoldType::Veterinary));

    let release = || QuarantineHold::release(&[UNPLACED.into()], "of-vet-2");
    for (officer, shown, lets_go) in [
        ("of-cus", &result, false),
        ("of-sec", &result, false),
        // Whoever had not seen the result.
        ("of-vet", &typed, false),
        ("of-vet", &result, true),
    ] {
        let said = qam.say(officer, Some(id), &[shown.reference], release());
        let record = build(&[rows[0], rows[1], rows[2], &said]);
        assert_eq!(!state(&record).is_open(), lets_go, "{officer}");
        assert_eq!(!held_now(&record.json()), lets_go, "fold and rules agree");
    }

    // It may be rejected, too, and the goods destroyed.
    let rejected = QuarantineHold::on().event("rejected", json!({"reason": "spoilt"}));
    let by_customs = qam.say("of-cus", Some(id), &[result.reference], rejected.clone());
    let by_owner = qam.say("of-vet", Some(id), &[result.reference], rejected);
    let record = build(&[rows[0], rows[1], rows[2], &by_customs]);
    assert_ne!(state(&record).name, "REJECTED");
    let record = build(&[rows[0], rows[1], rows[2], &by_owner]);
    assert_eq!(state(&record).name, "REJECTED");
}

#[test]
fn of_no_type_it_is_the_commissions_to_end_and_a_placed_hold_is_not_let_go_by_that_name() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let mut hub = desk(2, "HUB", Role::Hub, Lane::Hold, "QAM");
    let warm = json!({"slot": "C4", "temp_c": 15.5});
    let warm = QuarantineHold::on().event("store.temperature", warm);
    let first = qam.device("THERMO-4", None, &[], warm);
    let id = RecordId::of_first(&first.reference);
    let found = QuarantineHold::on().event("search.found", json!({"findings": "nothing"}));
    let searched = qam.say("of-sec", Some(id), &[first.reference], found);
    let release = |second: &str| QuarantineHold::release(&[UNPLACED.into()], second);

    let at_site = qam.say("of-sec", Some(id), &[searched.reference], release("of-vet"));
    assert!(state(&build(&[&first, &searched, &at_site])).is_open());
    let at_hub = hub.say("of-hub", Some(id), &[searched.reference], release("of-sec"));
    assert!(!state(&build(&[&first, &searched, &at_hub])).is_open());

    let placed = QuarantineHold::place(HoldType::Security, "order 7");
    let placed = hub.say("of-hub", None, &[], placed);
    let id = RecordId::of_first(&placed.reference);
    let found = QuarantineHold::on().event("search.found", json!({"findings": "nothing"}));
    let searched = hub.say("of-sec", Some(id), &[placed.reference], found);
    let said = hub.say("of-hub", Some(id), &[searched.reference], release("of-sec"));
    let record = build(&[&placed, &searched, &said]);
    assert!(state(&record).is_open(), "it names no hold of this record");
}

#[test]
fn a_hold_is_of_every_type_that_it_was_said_to_be_of() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let mut hub = desk(2, "HUB", Role::Hub, Lane::Hold, "QAM");
    let warm = json!({"slot": "C4", "temp_c": 15.5});
    let warm = QuarantineHold::on().event("store.temperature", warm);
    let first = qam.device("THERMO-4", None, &[], warm);
    let id = RecordId::of_first(&first.reference);
    let types = |record: &Record| Vec::from_iter(record.told_types());
    assert_eq!(types(&build(&[&first])), [""; 0]);
    assert_eq!(build(&[&first]).json()["hold_types"], json!([]));

    let typed = |of: &str| because(QuarantineHold::on().text("type", of), "looked at anew");
    let poultry = qam.say("of-vet", Some(id), &[first.reference], typed("VETERINARY"));
    let toys = hub.say("of-hub", Some(id), &[poultry.reference], typed("CUSTOMS"));
    let record = build(&[&first, &poultry, &toys]);
    assert_eq!(record.text("type").as_deref(), Some("CUSTOMS"));
    let told = ["CUSTOMS", "VETERINARY"];
    assert_eq!(types(&record), told);
    assert_eq!(record.json()["hold_types"], json!(told));
    let kept = told.map(|of| ("told_type".to_string(), of.to_string()));
    let all = terms(&record);
    assert!(kept.iter().all(|term| all.contains(term)), "{all:?}");

    // What somebody had no right to say makes it none of that type.
    let by_clerk = qam.say("of-cus", Some(id), &[poultry.reference], typed("SECURITY"));
    let record = build(&[&first, &poultry, &by_clerk]);
    assert_eq!(types(&record), ["VETERINARY"]);

    // What placed it tells, too.
    let placed = QuarantineHold::place(HoldType::Security, "order 7");
    let placed = qam.say("of-sec", None, &[], placed);
    assert_eq!(types(&build(&[&placed])), ["SECURITY"]);
}
