//! Stories of fields on which something rests: who may set them, and what becomes of a value put
//! without the right.

mod desk;

use desk::{because, build, desk, refused, truck, view};
use serde_json::json;
use wadi_log::*;
use wadi_record::*;

const GUARDED: &str = "guarded_field";

#[test]
fn a_camera_and_a_clerk_capture_a_truck_as_ever() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, admitted, id) = truck(&mut trb);
    let trailer = Passage::on().text("trailer.plate", "12-B-1");
    let more = trb.say("stranger", Some(id), &[admitted.reference], trailer);
    let record = build(&[&first, &admitted, &more]);
    assert_eq!(record.refused_puts().count(), 0);
    assert_eq!(record.text("vehicle.plate").as_deref(), Some("11A12345"));
    assert_eq!(record.text("container.1").as_deref(), Some("CSQU3054383"));
    assert_eq!(record.text("trailer.plate").as_deref(), Some("12-B-1"));

    // A clerk corrects what a camera misread, as long as nothing came of it yet.
    let early = trb.say(
        "stranger",
        Some(id),
        &[first.reference],
        Passage::on().plate("11-A-12346", "IQ"),
    );

    assert_eq!(refused(&build(&[&first, &early]), &early), [""; 0]);
}

#[test]
fn who_let_a_truck_in_does_not_change_what_it_is_known_by() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, admitted, id) = truck(&mut trb);
    let shown = [admitted.reference];
    let other = || Passage::on().plate("99-Z-1", "IQ");
    let puts = [
        trb.say("stranger", Some(id), &shown, other()),
        trb.device("ANPR-1", Some(id), &shown, other()),
        trb.say_as(("of-port", "PORT", ""), Some(id), &shown, other()),
        trb.say("of-vet", Some(id), &shown, other()),
        trb.say(
            "stranger",
            Some(id),
            &shown,
            Passage::on().clear("container.1").clear("vehicle.plate"),
        ),
        // On an old view: what its log said before, its node knew.
        trb.say("stranger", Some(id), &[first.reference], other()),
    ];

    let counts: Vec<bool> = puts
        .iter()
        .map(|p| refused(&build(&[&first, &admitted, p]), p).is_empty())
        .collect();
    assert_eq!(counts, [false, false, true, false, false, false]);

    // What was refused is kept, shown with its reason, and moves nothing: neither field nor what
    // the truck is found by.
    let record = build(&[&first, &admitted, &puts[0]]);
    assert_eq!(refused(&record, &puts[0]), [GUARDED; 2]);
    assert_eq!(record.text("vehicle.plate").as_deref(), Some("11A12345"));
    assert!(terms(&record).contains(&("plate".into(), "11A12345".into())));
    assert!(state(&record).flags.contains("REFUSED_ACTS"));

    let json = record.json();
    let shown: Vec<_> = json["refused_fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (&p["field"], &p["code"]))
        .collect();

    assert_eq!(
        shown,
        [
            (&json!("vehicle.plate"), &json!(GUARDED)),
            (&json!("vehicle.plate_raw"), &json!(GUARDED))
        ]
    );

    let blame = record.blame_json();
    let last = blame["vehicle.plate"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["refused"]["code"], &last["stands"]),
        (&json!(GUARDED), &json!(false))
    );

    // The country, which nothing rests on, counts all the same.
    assert_eq!(record.row(&puts[0].reference).unwrap().1, &Verdict::Counts);

    // Where nothing else is in it the entry itself does not count.
    let alone = build(&[&first, &admitted, &puts[4]]);
    assert!(
        matches!(alone.row(&puts[4].reference).unwrap().1, Verdict::Refused(r) if r.code == GUARDED)
    );

    // Whoever writes it is told, and nothing is written.
    let record = build(&[&first, &admitted]);
    let before = view(&record);
    assert!(matches!(
        record.objection_to(&puts[0], false),
        Some(Objection::Refused(r)) if r.code == GUARDED
    ));
    assert_eq!(record.objection_to(&puts[2], false), None);
    assert_eq!(view(&record), before);
}

#[test]
fn a_travellers_document_is_changed_by_passports_alone() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let document = |digit: &str| Passage::on().text("person.1.document_hash", digit.repeat(64));
    let first = trb.say(
        "of-pas",
        None,
        &[],
        Passage::announce("in").text("person.1.document_hash", "a".repeat(64)),
    );

    let id = RecordId::of_first(&first.reference);
    let admitted = Passage::on().event("person.admitted", json!({"document_hash": "a".repeat(64)}));
    let admitted = trb.say("of-pas", Some(id), &[first.reference], admitted);
    let by_port = trb.say("of-port", Some(id), &[admitted.reference], document("b"));
    let by_passports = trb.say("of-pas", Some(id), &[admitted.reference], document("b"));
    let same = trb.say("of-port", Some(id), &[admitted.reference], document("a"));
    assert_eq!(
        refused(&build(&[&first, &admitted, &by_port]), &by_port),
        [GUARDED]
    );
    assert_eq!(
        refused(&build(&[&first, &admitted, &by_passports]), &by_passports),
        [""; 0]
    );
    assert_eq!(
        refused(&build(&[&first, &admitted, &same]), &same),
        [""; 0],
        "it changes nothing"
    );
}

#[test]
fn a_hold_is_described_by_its_owner() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let mut hub = desk(2, "HUB", Role::Hub, Lane::Hold, "QAM");
    let lookout =
        |of: HoldType| QuarantineHold::place(of, "order 12").text("target.term", "77B00042");

    // Who does not own the type describes no hold of it, whatever else the entry says.
    let not_owned = Draft::new(Kind::QuarantineHold)
        .text("type", "SECURITY")
        .text("target.term", "77B00042");
    let by_clerk = qam.say("stranger", None, &[], not_owned.clone());
    assert_eq!(refused(&build(&[&by_clerk]), &by_clerk), [GUARDED; 2]);

    let by_device = qam.device("SCALE-1", None, &[], not_owned);
    assert_eq!(refused(&build(&[&by_device]), &by_device), [GUARDED; 2]);

    let first = qam.say("of-sec", None, &[], lookout(HoldType::Security));
    let id = RecordId::of_first(&first.reference);
    assert_eq!(
        build(&[&first]).text("target.term").as_deref(),
        Some("77B00042")
    );

    let shown = [first.reference];
    let unsaid = || QuarantineHold::on().text("legal_basis", "order 13");
    let away = || because(unsaid(), "the order was renewed");
    let acts = [
        (qam.say("stranger", Some(id), &shown, away()), false),
        (qam.say("of-port", Some(id), &shown, away()), false),
        (
            qam.say(
                "of-vet",
                Some(id),
                &shown,
                QuarantineHold::on().text("type", "VETERINARY"),
            ),
            false,
        ),
        (
            qam.say_as(("stranger", "SEC", ""), Some(id), &shown, away()),
            false,
        ),
        (
            qam.device(
                "SCALE-1",
                Some(id),
                &shown,
                QuarantineHold::on().int("due_at_ms", 1),
            ),
            false,
        ),
        (qam.say("of-sec", Some(id), &shown, unsaid()), false),
        (qam.say("of-sec", Some(id), &shown, away()), true),
        (hub.say("of-hub", Some(id), &shown, away()), true),
    ];

    for (act, counts) in &acts {
        let record = build(&[&first, act]);
        assert_eq!(
            refused(&record, act).is_empty(),
            *counts,
            "{}",
            act.common.officer
        );

        let basis = record.text("legal_basis");
        assert_eq!(basis.as_deref() == Some("order 13"), *counts);
    }

    // What the commission placed, its own and security's officers at the hub describe.
    let first = hub.say("of-hub", None, &[], lookout(HoldType::Veterinary));
    let id = RecordId::of_first(&first.reference);
    let by_owner = qam.say("of-vet", Some(id), &[first.reference], away());
    let by_hub = hub.say("of-hub", Some(id), &[first.reference], away());
    assert_eq!(refused(&build(&[&first, &by_owner]), &by_owner), [GUARDED]);
    assert_eq!(refused(&build(&[&first, &by_hub]), &by_hub), [""; 0]);
}

#[test]
fn what_a_lookout_seeks_stands_until_the_hold_is_let_go() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let mut hub = desk(2, "HUB", Role::Hub, Lane::Hold, "QAM");
    let placed = || QuarantineHold::place(HoldType::Veterinary, "order 12");
    let first = qam.say(
        "of-vet",
        None,
        &[],
        placed().text("target.term", "77B00042"),
    );
    let id = RecordId::of_first(&first.reference);
    let shown = [first.reference];

    // Whoever makes it seek something else lets go the truck that it stopped.
    let other = QuarantineHold::on().text("target.term", "77B00043");
    let none = QuarantineHold::on().clear("target.term");
    for put in [other, none] {
        let put = because(put, "a slip of the pen");
        for act in [
            qam.say("of-vet", Some(id), &shown, put.clone()),
            hub.say("of-hub", Some(id), &shown, put.clone()),
        ] {
            let record = build(&[&first, &act]);
            assert_eq!(refused(&record, &act), [GUARDED], "{}", act.common.officer);
            assert_eq!(record.text("target.term").as_deref(), Some("77B00042"));
        }
    }

    // A hold that sought nothing may begin to.
    let plain = qam.say("of-vet", None, &[], placed());
    let id = RecordId::of_first(&plain.reference);
    let sought = QuarantineHold::on().text("target.term", "77B00042");
    let added = because(sought, "the plate came later");
    let added = qam.say("of-vet", Some(id), &[plain.reference], added);
    let record = build(&[&plain, &added]);
    assert_eq!(refused(&record, &added), [""; 0]);
    assert_eq!(record.text("target.term").as_deref(), Some("77B00042"));
}

#[test]
fn what_was_assessed_is_changed_by_supervisors_of_customs_who_say_why() {
    let mut man = desk(1, "MAN", Role::Crossing, Lane::Customs, "MAN");
    let declared = CustomsEntry::store("Agent", "A-1")
        .text("goods.1.hs_code", "0803.90")
        .int("invoice_minor", 500);
    let first = man.say_as(("", "", "IMPORT-1"), None, &[], declared);
    let id = RecordId::of_first(&first.reference);
    let corrected = CustomsEntry::on().int("invoice_minor", 600);
    let corrected = man.say_as(
        ("clerk", "CUS", ""),
        Some(id),
        &[first.reference],
        corrected,
    );

    let assessed = man.say(
        "of-cus",
        Some(id),
        &[corrected.reference],
        CustomsEntry::assess(5_000, "IQD"),
    );

    let rows = [&first, &corrected, &assessed];
    assert_eq!(build(&rows).refused_puts().count(), 0);

    let unsaid = || {
        CustomsEntry::on()
            .int("invoice_minor", 1)
            .text("goods.2.hs_code", "0207.14")
    };
    let cheaper = || because(unsaid(), "another invoice was handed in");

    for (who, counts) in [
        (("clerk", "CUS", ""), false),
        (("", "", "IMPORT-1"), false),
        (("of-cus", "CUS", ""), false),
        (("of-cus-2", "CUS", ""), true),
    ] {
        let act = man.say_as(who, Some(id), &[assessed.reference], cheaper());
        let record = build(&[rows[0], rows[1], rows[2], &act]);
        assert_eq!(refused(&record, &act).is_empty(), counts, "{who:?}");
        assert_eq!(
            record.field("invoice_minor"),
            Some(Field::Settled(Value::Int(if counts { 1 } else { 600 })))
        );
    }

    let silent = man.say("of-cus-2", Some(id), &[assessed.reference], unsaid());
    let record = build(&[rows[0], rows[1], rows[2], &silent]);
    assert_eq!(refused(&record, &silent), [GUARDED; 2], "it says no reason");
}

#[test]
fn a_hold_that_a_machines_alarm_began_is_adjudicated_and_released() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Hold, "TRB");
    let alarm = QuarantineHold::on()
        .text("type", "RADIOLOGICAL")
        .event("rad.alarm", json!({"lane": 1, "gamma": 800.5}));
    let first = trb.device("PORTAL-1", None, &[], alarm);
    let id = RecordId::of_first(&first.reference);
    let begun = build(&[&first]);
    assert_eq!(
        begun.refused_puts().count(),
        0,
        "the machine tells of what type its alarm is"
    );

    assert_eq!(state(&begun).open_holds, [first.reference.event_id(0)]);

    let members = json!({
        "code": 4,
        "isotopes": ["K-40"],
        "attested_by": "of-rad-2",
        "attester_department": "RAD",
    });
    let adjudicated = QuarantineHold::on().event("rad.adjudicated", members);
    let adjudicated = trb.say("of-rad", Some(id), &[first.reference], adjudicated);
    let release = QuarantineHold::release(&state(&begun).open_holds, "of-rad-2");
    let hasty = trb.say("of-rad", Some(id), &[first.reference], release.clone());
    assert!(
        state(&build(&[&first, &hasty])).is_open(),
        "not before it is adjudicated"
    );

    let by_customs = trb.say(
        "of-cus",
        Some(id),
        &[adjudicated.reference],
        release.clone(),
    );

    assert!(
        state(&build(&[&first, &adjudicated, &by_customs])).is_open(),
        "and not by others"
    );

    // The portal measures once more: what was adjudicated before says nothing of that.
    let anew = QuarantineHold::on().event("rad.alarm", json!({"gamma": 900.0}));
    let anew = trb.device("PORTAL-1", Some(id), &[adjudicated.reference], anew);
    let older = trb.say("of-rad", Some(id), &[anew.reference], release.clone());
    let record = build(&[&first, &adjudicated, &anew, &older]);
    assert!(state(&record).is_open(), "its adjudication is older");

    let done = trb.say("of-rad", Some(id), &[adjudicated.reference], release);
    let record = build(&[&first, &adjudicated, &done]);
    assert_eq!(state(&record).name, "RELEASED");

    // With a placement of an officer's in it, an alarm is evidence and no second hold.
    let placed = QuarantineHold::place(HoldType::Radiological, "Law 99/1980")
        .event("rad.alarm", json!({"lane": 1}));
    let placed = trb.say("of-rad", None, &[], placed);
    assert_eq!(state(&build(&[&placed])).open_holds.len(), 1);
}

#[test]
fn one_function_tells_what_is_held_now_and_then() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let mut hub = desk(2, "HUB", Role::Hub, Lane::Hold, "QAM");
    let at = |said: JudgedChange, at_ms: i64| JudgedChange {
        common: Common {
            happened_ms: Some(at_ms),
            ..said.common.clone()
        },
        ..said
    };

    let first = at(
        qam.say(
            "of-vet",
            None,
            &[],
            QuarantineHold::place(HoldType::Veterinary, "law"),
        ),
        100,
    );

    let id = RecordId::of_first(&first.reference);
    let placed = first.reference.event_id(0);
    let result = |kind: &str, outcome: &str| {
        let members = json!({
            "sample": "S1",
            "result": "r",
            "outcome": outcome,
            "attested_by": "of-vet-2",
            "attester_department": "VET",
        });
        QuarantineHold::on().event(kind, members)
    };

    let good = at(
        qam.say(
            "of-vet",
            Some(id),
            &[first.reference],
            result("result.issued", "satisfactory"),
        ),
        200,
    );

    let release = QuarantineHold::release(&[placed], "of-vet-2");
    let done = at(qam.say("of-vet", Some(id), &[good.reference], release), 300);

    // A laboratory far away amends it, and neither knows of the other.
    let amended = result("result.amended", "unsatisfactory");
    let amended = at(hub.say("of-vet", Some(id), &[good.reference], amended), 400);

    let held =
        |record: &Record| [50, 100, 299, 300, 399, 400].map(|ms| held_at(&record.json(), ms));
    let open = build(&[&first, &good]);
    assert_eq!(
        (held_now(&open.json()), held(&open)),
        (true, [false, true, true, true, true, true])
    );

    let released = build(&[&first, &good, &done]);
    assert_eq!(
        (held_now(&released.json()), held(&released)),
        (false, [false, true, true, false, false, false])
    );

    let reopened = build(&[&first, &good, &done, &amended]);
    assert_eq!(
        (held_now(&reopened.json()), held(&reopened)),
        (true, [false, true, true, false, false, true])
    );

    for record in [&open, &released, &reopened] {
        assert_eq!(
            state(record).is_open(),
            held_now(&record.json()),
            "fold and projection tell the same"
        );

        assert!(
            (50..450).all(
                |ms| held_at(&record.json(), ms) == holds(record).iter().any(|p| p.held_at(ms))
            )
        );
    }

    // Goods destroyed are held no more; a hold placed by somebody who did not know stays.
    let rejected = QuarantineHold::on().event("rejected", json!({"reason": "r"}));
    let rejected = qam.say("of-vet", Some(id), &[first.reference], rejected);
    let destroyed =
        QuarantineHold::on().event("destroyed", json!({"method": "burnt", "witness": "w"}));
    let destroyed = at(
        qam.say("of-vet", Some(id), &[rejected.reference], destroyed),
        500,
    );

    let record = build(&[&first, &rejected, &destroyed]);
    assert_eq!(
        (held_now(&record.json()), state(&record).name),
        (false, "DESTROYED")
    );

    let second = QuarantineHold::place(HoldType::Veterinary, "order 7");
    let second = at(hub.say("of-hub", Some(id), &[first.reference], second), 450);
    let record = build(&[&first, &rejected, &destroyed, &second]);
    assert!(held_now(&record.json()) && held_at(&record.json(), 600));
}
