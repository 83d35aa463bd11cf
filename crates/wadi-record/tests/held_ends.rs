//! What ends a hold besides a release: conditions, a rejection after them, and goods that are gone.

mod desk;

use desk::{build, desk};
use serde_json::{Value as Json, json};
use wadi_log::*;
use wadi_record::*;

/// A veterinary hold at Al-Qaem, and the id of its placement.
fn held() -> (desk::Desk, JudgedChange, RecordId, String) {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let placed = QuarantineHold::place(HoldType::Veterinary, "law");
    let first = qam.say("of-vet", None, &[], placed);
    let id = RecordId::of_first(&first.reference);
    let placement = first.reference.event_id(0);
    (qam, first, id, placement)
}

fn said(kind: &str, members: Json) -> Draft {
    QuarantineHold::on().event(kind, members)
}

fn conditions(placement: &str) -> Draft {
    let members = json!({
        "holds": [placement],
        "conditions": "keep cold",
        "second_officer": "of-vet-2",
    });
    said("conditional", members)
}

/// The state's name, and whether the hold holds something back.
fn shown(record: &Record) -> (&'static str, bool) {
    assert_eq!(
        state(record).is_open(),
        held_now(&record.json()),
        "fold and projection tell the same"
    );
    (state(record).name, state(record).is_open())
}

#[test]
fn what_is_let_go_under_conditions_is_held_no_more_until_it_is_called_back() {
    let (mut qam, first, id, placement) = held();
    let let_go = qam.say(
        "of-vet",
        Some(id),
        &[first.reference],
        conditions(&placement),
    );
    let record = build(&[&first, &let_go]);
    assert_eq!(shown(&record), ("CONDITIONAL", false));
    assert!(state(&record).open_holds.is_empty());

    let back = qam.say(
        "of-vet",
        Some(id),
        &[let_go.reference],
        said("rejected", json!({"reason": "was not kept cold"})),
    );
    assert_eq!(shown(&build(&[&first, &let_go, &back])), ("REJECTED", true));

    let back = qam.say(
        "of-vet",
        Some(id),
        &[let_go.reference],
        said("recalled", json!({"reason": "symptoms"})),
    );
    assert_eq!(shown(&build(&[&first, &let_go, &back])), ("RECALLED", true));

    // Who lets it go knowing that it was rejected, lets it go.
    let rejected = said("rejected", json!({"reason": "no certificate"}));
    let rejected = qam.say("of-vet", Some(id), &[first.reference], rejected);
    let after = qam.say(
        "of-vet",
        Some(id),
        &[rejected.reference],
        conditions(&placement),
    );
    assert_eq!(
        shown(&build(&[&first, &rejected, &after])),
        ("CONDITIONAL", false)
    );
}

#[test]
fn of_two_holds_the_one_that_is_not_named_stays() {
    let (mut qam, first, id, placement) = held();
    let second = QuarantineHold::place(HoldType::Veterinary, "law");
    let second = qam.say("of-vet", Some(id), &[first.reference], second);
    let let_go = qam.say(
        "of-vet",
        Some(id),
        &[second.reference],
        conditions(&placement),
    );
    let record = build(&[&first, &second, &let_go]);
    assert_eq!(shown(&record), ("PLACED", true));
    assert_eq!(state(&record).open_holds, [second.reference.event_id(0)]);
}

#[test]
fn whoever_is_named_beside_the_end_of_goods_is_another_registered_officer() {
    let (mut qam, first, id, _) = held();
    let rejected = said("rejected", json!({"reason": "spoilt"}));
    let rejected = qam.say("of-vet", Some(id), &[first.reference], rejected);
    for (second, code) in [
        (None, None),
        (Some("of-cus"), None),
        (Some("OF-VET"), Some("no_second_officer")),
        (Some("W"), Some("unregistered_officer")),
    ] {
        let mut members = json!({"method": "burnt", "witness": "W"});
        if let Some(second) = second {
            members["second_officer"] = second.into();
        }

        let ended = said("destroyed", members);
        let ended = qam.say("of-vet", Some(id), &[rejected.reference], ended);
        let record = build(&[&first, &rejected, &ended]);
        let event = record.events().find(|e| e.kind() == "destroyed").unwrap();
        let refused = event.refusal.as_ref().map(|refusal| refusal.code);
        assert_eq!(refused, code, "{second:?}");
        assert_eq!(shown(&record).1, code.is_some(), "{second:?}");
    }
}

#[test]
fn a_truck_is_found_by_who_loaded_its_goods_onto_it() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Passage, "QAM");
    let truck = Passage::announce("in").plate("11-A-1", "IQ");
    let first = qam.say("of-port", None, &[], truck);
    let id = RecordId::of_first(&first.reference);
    let moved = json!({"packages": 9, "to_plate": "22 b 2"});
    let moved = Passage::on().event("transhipped", moved);
    let moved = qam.say("of-cus", Some(id), &[first.reference], moved);
    let terms = terms(&build(&[&first, &moved]));
    let of = |what: &str| -> Vec<&str> {
        let of_what = terms.iter().filter(|(own, _)| own == what);
        of_what.map(|(_, value)| value.as_str()).collect()
    };

    assert_eq!(of("moved_to"), ["22B2"]);
    assert_eq!(of("plate"), ["11A1"], "it is not that vehicle itself");
}

#[test]
fn a_truck_that_is_sent_on_is_found_where_it_comes_next() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Passage, "QAM");
    let truck = Passage::announce("in").plate("11-A-1", "IQ");
    let first = qam.say("of-port", None, &[], truck);
    let id = RecordId::of_first(&first.reference);
    let sent = Passage::on().event("diverted", json!({"to": "TRB"}));
    let sent = qam.say("of-port", Some(id), &[first.reference], sent);

    let own = || ("sent_on".to_string(), "11A1".to_string());
    assert!(terms(&build(&[&first, &sent])).contains(&own()));
    assert!(!terms(&build(&[&first])).contains(&own()));
}

#[test]
fn a_number_that_a_device_gave_to_fields_alone_is_found() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Passage, "QAM");
    let fields = Passage::on().text("vehicle.plate_raw", "11-A-1");
    let mut first = qam.device("ANPR-1", None, &[], fields);
    first.common.device_seq = 7;

    let record = build(&[&first]);
    let json = record.json();
    assert_eq!(json["device_numbers"][0]["device_seq"], 7);
    assert_eq!(json["device_numbers"][0]["device"], "ANPR-1");
    assert_eq!(json["written_ms"], first.common.wall_ms);
    let number = ("device_seq".to_string(), "QAM/ANPR-1#7".to_string());
    assert!(terms(&record).contains(&number));
}
