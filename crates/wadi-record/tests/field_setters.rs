//! Stories of who may set a field at all, and of what is changed after a decision rested on it.

mod desk;

use desk::{because, build, changed, desk, refused, truck};
use serde_json::json;
use wadi_log::*;
use wadi_record::*;

const GUARDED: &str = "guarded_field";

#[test]
fn nobody_sets_a_field_whom_its_row_does_not_name() {
    const FOREIGN: &str = "no_authority";
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let first = trb.say("stranger", None, &[], Passage::announce("in"));
    let id = RecordId::of_first(&first.reference);
    let shown = [first.reference];
    let mut put = |who: (&str, &str, &str), field: &str, value: &str| {
        let said = trb.say_as(who, Some(id), &shown, Passage::on().text(field, value));
        refused(&build(&[&first, &said]), &said)
    };

    assert_eq!(put(("clerk", "PORT", ""), "seal.1", "S1"), [FOREIGN]);
    assert_eq!(put(("clerk", "CUS", ""), "seal.1", "S1"), [""; 0]);
    assert_eq!(
        put(("clerk", "VET", ""), "vehicle.plate", "11A1"),
        [FOREIGN]
    );
    assert_eq!(put(("clerk", "OPS", ""), "vehicle.plate", "11A1"), [""; 0]);
    assert_eq!(put(("clerk", "", ""), "vehicle.plate", "11A1"), [FOREIGN]);
    assert_eq!(
        put(("clerk", "NAVY", ""), "note", "n"),
        ["unknown_department"]
    );
    assert_eq!(put(("clerk", "K9", ""), "note", "n"), [""; 0]);

    // An officer of one department does not set the fields of another one by saying so.
    assert_eq!(put(("of-vet", "CUS", ""), "seal.1", "S1"), [FOREIGN]);
    // The commission speaks from its own node.
    assert_eq!(put(("of-hub", "HUB", ""), "seal.1", "S1"), [FOREIGN]);

    assert_eq!(put(("", "", "ANPR-1"), "vehicle.plate", "11A1"), [""; 0]);
    assert_eq!(put(("", "", "ANPR-1"), "declared_exit", "TRB"), [FOREIGN]);
    assert_eq!(put(("", "", "ANPR-1"), "goods.hs_code", "0803"), [FOREIGN]);

    // What the record holds already is nobody's to refuse.
    assert_eq!(put(("clerk", "VET", ""), "direction", "in"), [""; 0]);
    assert_eq!(put(("clerk", "VET", ""), "direction", "out"), [FOREIGN]);
}

#[test]
fn a_policy_may_name_others_for_a_field() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let mut first = trb.say(
        "stranger",
        None,
        &[],
        Passage::announce("in").text("seal.1", "S1"),
    );
    assert_eq!(refused(&build(&[&first]), &first), ["no_authority"]);

    let mut policy = Policy::default();
    let seals = ("passage seal.N".to_string(), vec![Department::Port]);
    policy.fields.extend([seals]);
    assert_eq!(policy.unknown_names(), [""; 0]);
    first.judge.policy = policy.clone().into();
    assert_eq!(refused(&build(&[&first]), &first), [""; 0]);

    policy.fields.insert("passage seal.1".into(), vec![]);
    policy.acts.insert("gate.inn".into(), vec![]);
    assert_eq!(policy.unknown_names(), ["gate.inn", "passage seal.1"]);
}

#[test]
fn a_declarants_import_ends_with_the_registration() {
    let mut man = desk(1, "MAN", Role::Crossing, Lane::Customs, "MAN");
    let import = ("", "", "IMPORT-1");
    let first = man.say_as(import, None, &[], CustomsEntry::store("Agent", "A-1"));
    let id = RecordId::of_first(&first.reference);
    let more = || CustomsEntry::on().int("invoice_minor", 600);
    let early = man.say_as(import, Some(id), &[first.reference], more());
    assert_eq!(refused(&build(&[&first, &early]), &early), [""; 0]);

    let registered = CustomsEntry::on().event("registered", json!({"registration_no": "N"}));
    let registered = man.say("of-cus", Some(id), &[first.reference], registered);
    let late = man.say_as(import, Some(id), &[registered.reference], more());
    let by_customs = man.say("of-cus", Some(id), &[registered.reference], more());
    let record = build(&[&first, &registered, &late]);
    assert_eq!(refused(&record, &late), ["no_authority"]);
    let record = build(&[&first, &registered, &by_customs]);
    assert_eq!(refused(&record, &by_customs), [""; 0]);
}

#[test]
fn what_a_link_rests_on_is_changed_by_those_who_may_say_why() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, admitted, id) = truck(&mut trb);
    let linked = Passage::on().link("aa", "carries it");
    let linked = trb.say("of-cus", Some(id), &[admitted.reference], linked);
    let rows = [&first, &admitted, &linked];
    let other = || Passage::on().text("vehicle.plate", "99Z1");
    let said = || because(other(), "misread");

    for (officer, draft, counts) in [
        ("of-port", other(), false),
        ("of-port", said(), false),
        ("of-cus", said(), false),
        ("of-cus-2", other(), false),
        ("of-cus-2", said(), true),
        ("of-sec", said(), true),
    ] {
        let act = trb.say(officer, Some(id), &[linked.reference], draft);
        let record = build(&[rows[0], rows[1], rows[2], &act]);
        assert_eq!(refused(&record, &act).is_empty(), counts, "{officer}");

        let left_a_trace = changed(&record, &act) == [("vehicle.plate".into(), Some("link"))];
        assert_eq!(left_a_trace, counts, "{officer}");
        assert_eq!(state(&record).flags.contains("CHANGED_AFTER"), counts);
    }

    // Where the link stands on another record, whoever writes is told by the node that holds it.
    let record = build(&[&first, &admitted]);
    let by_port = trb.say("of-port", Some(id), &[admitted.reference], other());
    assert_eq!(record.objection_to(&by_port, false), None);
    assert!(matches!(
        record.objection_to(&by_port, true),
        Some(Objection::Refused(r)) if r.code == GUARDED
    ));
}

#[test]
fn a_change_after_a_decision_is_told_with_what_was_there_and_a_correction_before_is_not() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, admitted, id) = truck(&mut trb);
    let other = |plate: &str| Passage::on().text("vehicle.plate", plate);
    let misread = trb.say(
        "of-port",
        Some(id),
        &[admitted.reference],
        other("11A12346"),
    );
    let cleared = Passage::on().event("cleared", json!({}));
    let cleared = trb.say("of-port", Some(id), &[misread.reference], cleared);
    let rows = [&first, &admitted, &misread, &cleared];
    let record = build(&rows);
    assert_eq!(state(&record).name, "CLEARED");
    assert!(!state(&record).flags.contains("CHANGED_AFTER"));
    assert!(terms(&record).contains(&("was".into(), "11A12345".into())));

    let after = trb.say("of-port", Some(id), &[cleared.reference], other("99Z1"));
    let written_otherwise = other("11 a 12346");
    let same = trb.say("of-port", Some(id), &[cleared.reference], written_otherwise);
    let record = build(&[rows[0], rows[1], rows[2], rows[3], &after]);
    let told = record.json()["changed_after"][0].clone();
    let said = json!([told["field"], told["before"], told["value"], told["after"]]);
    assert_eq!(
        said,
        json!(["vehicle.plate", ["11A12346"], "99Z1", "cleared"])
    );
    assert!(state(&record).flags.contains("CHANGED_AFTER"));

    let record = build(&[rows[0], rows[1], rows[2], rows[3], &same]);
    assert_eq!(changed(&record, &same), [], "it says the same");
}

#[test]
fn changes_beyond_those_that_are_told_are_counted() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, admitted, id) = truck(&mut trb);
    let cleared = Passage::on().event("cleared", json!({}));
    let cleared = trb.say("of-port", Some(id), &[admitted.reference], cleared);
    let mut all = vec![first, admitted, cleared];
    for n in 0..120 {
        let plate = Passage::on().text("vehicle.plate", format!("22B{n}"));
        let based_on = all.last().unwrap().reference;
        all.push(trb.say("of-port", Some(id), &[based_on], plate));
    }

    let record = build(&all.iter().collect::<Vec<_>>());
    let json = record.json();
    assert_eq!(json["changed_after"].as_array().unwrap().len(), 100);
    assert_eq!(json["changed_after_count"], record.changed_puts().count());
    assert_eq!(json["changed_after_count"], 120);
}

#[test]
fn a_record_tells_when_each_of_its_seals_was_first_written_down() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, admitted, id) = truck(&mut trb);
    let mut seal = |shown: Reference, field: &str, value: &str| {
        let put = Passage::on().text(field, value);
        trb.say("of-cus", Some(id), &[shown], put)
    };
    let one = seal(admitted.reference, "seal.1", "AA11");
    let two = seal(one.reference, "seal.2", "BB19");
    let again = seal(two.reference, "seal.3", "AA11");

    let json = build(&[&first, &admitted, &one, &two, &again]).json();
    let line = |said: &JudgedChange, seal: &str| {
        json!({
            "seal": seal,
            "entered_ms": said.common.wall_ms,
            "entry": said.reference.to_string(),
        })
    };
    assert_eq!(
        json["seals_recorded"],
        json!([line(&one, "AA11"), line(&two, "BB19")])
    );
    assert_eq!(json["seals"], json!(["AA11", "BB19"]));
}

#[test]
fn goods_of_a_hold_that_change_after_its_release_are_told() {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let placed = QuarantineHold::place(HoldType::Veterinary, "law").text("origin", "TR");
    let first = qam.say("of-vet", None, &[], placed);
    let id = RecordId::of_first(&first.reference);
    let members = json!({
        "sample": "S1",
        "result": "r",
        "outcome": "satisfactory",
        "attested_by": "of-vet-2",
        "attester_department": "VET",
    });
    let result = QuarantineHold::on().event("result.issued", members);
    let result = qam.say("of-vet", Some(id), &[first.reference], result);
    let origin = || QuarantineHold::on().text("origin", "SY");
    let before = qam.say("of-vet", Some(id), &[result.reference], origin());
    assert_eq!(changed(&build(&[&first, &result, &before]), &before), []);

    let release = QuarantineHold::release(&[first.reference.event_id(0)], "of-vet-2");
    let released = qam.say("of-vet", Some(id), &[result.reference], release);
    let after = qam.say("of-vet", Some(id), &[released.reference], origin());
    let record = build(&[&first, &result, &released, &after]);
    assert_eq!(state(&record).name, "RELEASED");
    assert_eq!(
        changed(&record, &after),
        [("origin".into(), Some("released"))]
    );

    // What nobody had said when it was let go is told as well, and what was said before is not.
    let certificate = || QuarantineHold::on().text("certificate.ref", "EC-77");
    let early = qam.say("of-vet", Some(id), &[result.reference], certificate());
    assert_eq!(changed(&build(&[&first, &result, &early]), &early), []);
    let late = qam.say("of-vet", Some(id), &[released.reference], certificate());
    let record = build(&[&first, &result, &released, &late]);
    assert_eq!(
        changed(&record, &late),
        [("certificate.ref".into(), Some("released"))]
    );
    assert_eq!(record.json()["changed_after"][0]["before"], json!([]));
}

#[test]
fn a_record_tells_when_what_it_did_not_begin_with_was_captured() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, admitted, id) = truck(&mut trb);
    let purpose = |text: &str| Passage::on().text("purpose", text);
    let goods = trb.say("of-port", Some(id), &[admitted.reference], purpose("goods"));
    let empty = trb.say("of-port", Some(id), &[goods.reference], purpose("empty"));
    let cleared = Passage::on().clear("container.1");
    let cleared = trb.say("of-port", Some(id), &[empty.reference], cleared);

    let captured = |rows: &[&JudgedChange]| build(rows).json()["captured"].clone();
    let line = |said: &JudgedChange, fields: &[&str]| {
        json!({
            "entered_ms": said.common.wall_ms,
            "fields": fields,
        })
    };
    let at_gate = captured(&[&first, &admitted]);
    assert_eq!(at_gate, json!([line(&admitted, &["container.1"])]));

    let told = captured(&[&first, &admitted, &goods, &empty, &cleared]);
    assert_eq!(
        told,
        json!([line(&goods, &["purpose"])]),
        "first said, and what is gone is none"
    );
}

#[test]
fn what_a_traveller_was_admitted_by_is_told_once_it_changes_and_a_correction_before_is_not() {
    const DOCUMENT: &str = "person.1.document_hash";
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let hash = |digit: &str| digit.repeat(64);
    let coach = Passage::announce("in")
        .text(DOCUMENT, hash("a"))
        .text("person.1.nationality", "IQ")
        .text("person.2.document_hash", hash("c"))
        .text("person.2.nationality", "IQ");
    let first = trb.say("of-pas", None, &[], coach);
    let id = RecordId::of_first(&first.reference);

    let nationality =
        |n: u8, code: &str| Passage::on().text(&format!("person.{n}.nationality"), code);
    let corrected = nationality(1, "SY");
    let before = trb.say("of-pas", Some(id), &[first.reference], corrected);
    assert_eq!(changed(&build(&[&first, &before]), &before), []);

    let admission = Passage::on().event("person.admitted", json!({"document_hash": hash("a")}));
    let admitted = trb.say("of-pas", Some(id), &[first.reference], admission);
    let mut after = |who: (&str, &str, &str), draft: Draft| {
        let said = trb.say_as(who, Some(id), &[admitted.reference], draft);
        let record = build(&[&first, &admitted, &said]);
        assert_eq!(refused(&record, &said), [""; 0]);
        let told = changed(&record, &said);
        let is_flagged = state(&record).flags.contains("CHANGED_AFTER");
        assert_eq!(is_flagged, !told.is_empty());
        told
    };

    let passports = ("of-pas", "PAS", "");
    let one = |field: &str| [(field.to_string(), Some("person.admitted"))];
    let other_document = Passage::on().text(DOCUMENT, hash("b"));
    assert_eq!(after(passports, other_document), one(DOCUMENT));
    let told = after(passports, nationality(1, "SY"));
    assert_eq!(told, one("person.1.nationality"));

    assert_eq!(after(passports, nationality(1, "IQ")), [], "as it was");
    assert_eq!(
        after(passports, nationality(2, "SY")),
        [],
        "the next traveller is still asked"
    );
    assert_eq!(
        after(("", "", "READER-1"), nationality(1, "SY")),
        [],
        "a machine read it again"
    );
    let added = Passage::on().text("person.1.document_type", "P");
    assert_eq!(after(passports, added), [], "nothing stood there");
}

#[test]
fn a_seal_that_is_changed_after_the_clearing_is_told() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, admitted, id) = truck(&mut trb);
    let seal = |number: &str| Passage::on().text("seal.1", number);
    let sealed = trb.say("of-cus", Some(id), &[admitted.reference], seal("AA11"));
    let again = trb.say("of-cus", Some(id), &[sealed.reference], seal("BB22"));
    assert_eq!(
        changed(&build(&[&first, &admitted, &sealed, &again]), &again),
        [],
        "nothing rested on it"
    );

    let cleared = Passage::on().event("cleared", json!({}));
    let cleared = trb.say("of-port", Some(id), &[sealed.reference], cleared);
    let mut after = |draft: Draft| {
        let said = trb.say("of-cus", Some(id), &[cleared.reference], draft);
        let record = build(&[&first, &admitted, &sealed, &cleared, &said]);
        assert_eq!(refused(&record, &said), [""; 0]);
        let sought = terms(&record).into_iter().any(|(what, _)| what == "was");
        assert!(!sought, "a seal is nobody's to look out for");
        changed(&record, &said)
    };

    let told = [("seal.1".to_string(), Some("cleared"))];
    assert_eq!(after(seal("BB22")), told);
    assert_eq!(after(Passage::on().clear("seal.1")), told);
    assert_eq!(after(seal("aa-11")), [], "it says the same");
    assert_eq!(after(Passage::on().text("seal.2", "CC33")), [], "one more");
}

#[test]
fn a_duty_that_is_lowered_once_somebody_rested_on_it_is_told_whatever_that_was() {
    let mut man = desk(1, "MAN", Role::Crossing, Lane::Customs, "MAN");
    let duty = |minor: i64| CustomsEntry::on().int("goods.1.duty_minor", minor);
    let declared = CustomsEntry::store("Agent", "A-1")
        .int("goods.1.duty_minor", 900)
        .event("registered", json!({"registration_no": "N-1"}));
    let first = man.say("of-cus", None, &[], declared);
    let id = RecordId::of_first(&first.reference);

    let slip = man.say("of-cus", Some(id), &[first.reference], duty(800));
    let record = build(&[&first, &slip]);
    assert_eq!(changed(&record, &slip), [], "nothing rested on it");

    let assessed = json!({"duty_minor": 900, "currency": "IQD"});
    let paid = json!({"amount_minor": 900, "currency": "IQD", "receipt": "R1"});
    for (kind, members) in [
        ("assessed", assessed),
        ("paid", paid),
        ("entry.released", json!({})),
    ] {
        let settled = CustomsEntry::on().event(kind, members);
        let settled = man.say("of-cus", Some(id), &[first.reference], settled);
        let mut after = |draft: Draft| {
            let draft = because(draft, "a slip of the pen");
            let said = man.say("of-cus-2", Some(id), &[settled.reference], draft);
            let record = build(&[&first, &settled, &said]);
            assert_eq!(refused(&record, &said), [""; 0], "{kind}");
            changed(&record, &said)
        };

        let told = |field: &str| [(field.to_string(), Some(kind))];
        assert_eq!(after(duty(100)), told("goods.1.duty_minor"), "{kind}");
        assert_eq!(after(duty(900)), [], "{kind}: it stood there");
        let office = CustomsEntry::on().text("office", "MAN-2");
        assert_eq!(after(office), told("office"), "{kind}: nothing stood there");
    }
}

#[test]
fn a_record_tells_which_entries_put_what_stands_there() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, admitted, id) = truck(&mut trb);
    let other = Passage::on()
        .text("vehicle.plate", "22B1")
        .clear("direction");
    let other = trb.say("of-port", Some(id), &[admitted.reference], other);

    let line = |said: &JudgedChange, fields: &[&str]| {
        json!({
            "entry": said.reference.to_string(),
            "officer": said.common.officer,
            "fields": fields,
        })
    };
    let json = build(&[&first, &admitted, &other]).json();
    assert_eq!(
        json["put_by"],
        json!([
            line(&first, &["vehicle.plate_country", "vehicle.plate_raw"]),
            line(&admitted, &["container.1"]),
            line(&other, &["vehicle.plate"]),
        ])
    );
}
