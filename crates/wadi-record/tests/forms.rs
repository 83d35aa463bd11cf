//! Stories of acts of legal weight that lack what they need: kept, counted, flagged and told.

mod desk;

use desk::{Desk, build, desk};
use serde_json::json;
use wadi_log::*;
use wadi_record::*;

/// What each act of a record lacks, by the act's type.
fn lacks(record: &Record) -> Vec<(String, Vec<String>)> {
    let json = record.json();
    let kind_of = |id: &str| {
        let mut events = record.events();
        events.find(|e| e.id == id).unwrap().kind().to_string()
    };
    let names = |line: &serde_json::Value| {
        let lacks = line["lacks"].as_array().unwrap().iter();
        lacks.map(|l| l.as_str().unwrap().to_string()).collect()
    };

    let lines = json["unfounded"].as_array().unwrap().iter();
    lines
        .map(|line| (kind_of(line["id"].as_str().unwrap()), names(line)))
        .collect()
}

fn one(kind: &str, lack: Lack) -> Vec<(String, Vec<String>)> {
    vec![(kind.into(), vec![lack.name().into()])]
}

/// An entry that is declared, and the desk of those who go on with it.
fn declared() -> (Desk, JudgedChange, RecordId) {
    let mut man = desk(1, "MAN", Role::Crossing, Lane::Customs, "MAN");
    let draft = CustomsEntry::store("Agent", "A-1").int("invoice_minor", 500);
    let first = man.say("of-cus", None, &[], draft);
    let id = RecordId::of_first(&first.reference);

    (man, first, id)
}

fn paid() -> Draft {
    let members = json!({"amount_minor": 500, "currency": "IQD", "receipt": "R1"});
    CustomsEntry::on().event("paid", members)
}

fn released() -> Draft {
    CustomsEntry::on().event("entry.released", json!({}))
}

/// A change of what an assessment rests on, with its reason.
fn corrected(draft: Draft) -> Draft {
    draft.event("fields.corrected", json!({"reason": "a slip of the pen"}))
}

#[test]
fn money_and_goods_wait_for_an_assessment() {
    let (mut man, first, id) = declared();
    let mut say =
        |based_on: &JudgedChange, draft| man.say("of-cus", Some(id), &[based_on.reference], draft);

    let early = say(&first, paid());
    let record = build(&[&first, &early]);
    assert_eq!(lacks(&record), one("paid", Lack::Assessment));
    assert_eq!(state(&record).line(), "PAID PAID_UNDULY");

    let gone = say(&first, released());
    let record = build(&[&first, &gone]);
    assert_eq!(lacks(&record), one("entry.released", Lack::Assessment));
    assert_eq!(state(&record).line(), "RELEASED RELEASED_UNDULY");

    // An assessment that comes afterwards mends nothing; one that was seen is all it takes.
    let late = say(&gone, CustomsEntry::assess(500, "IQD"));
    assert_eq!(lacks(&build(&[&first, &gone, &late])).len(), 1);

    let assessed = say(&first, CustomsEntry::assess(500, "IQD"));
    let due = say(&assessed, paid());
    let done = say(&due, released());
    let record = build(&[&first, &assessed, &due, &done]);
    assert_eq!(lacks(&record), []);
    assert_eq!(state(&record).line(), "RELEASED");

    let left = say(&due, CustomsEntry::on().event("entry.exited", json!({})));
    let record = build(&[&first, &assessed, &due, &left]);
    assert_eq!(lacks(&record), one("entry.exited", Lack::Release));
    assert!(state(&record).flags.contains("FORCED_EXIT"));
}

#[test]
fn a_change_after_the_assessment_opens_it_again() {
    let (mut man, first, id) = declared();
    let mut say = |based_on: &JudgedChange, draft| {
        man.say("of-cus-2", Some(id), &[based_on.reference], draft)
    };

    let assessed = say(&first, CustomsEntry::assess(500, "IQD"));
    assert_eq!(state(&build(&[&first, &assessed])).name, "ASSESSED");

    // Consignee and origin carry an assessment no less than the value.
    for change in [
        CustomsEntry::on().int("invoice_minor", 1),
        CustomsEntry::on().text("consignee", "Another"),
        CustomsEntry::on().text("goods.1.origin", "TR"),
    ] {
        let changed = say(&assessed, corrected(change));
        assert_ne!(
            state(&build(&[&first, &assessed, &changed])).name,
            "ASSESSED"
        );

        // Not even on an old screen: what its log said before, its node knew.
        for shown in [&changed, &assessed] {
            let due = say(shown, paid());
            let record = build(&[&first, &assessed, &changed, &due]);
            assert_eq!(lacks(&record), one("paid", Lack::Assessment));
        }

        let again = say(&changed, CustomsEntry::assess(400, "IQD"));
        let due = say(&again, paid());
        let record = build(&[&first, &assessed, &changed, &again, &due]);
        assert_eq!(lacks(&record), []);
    }

    let remark = say(&assessed, CustomsEntry::on().text("note", "seen"));
    assert_eq!(
        state(&build(&[&first, &assessed, &remark])).name,
        "ASSESSED",
        "nothing rests on a note"
    );
}

#[test]
fn nothing_is_let_go_over_a_contested_field_or_an_open_question() {
    let mut man = desk(1, "MAN", Role::Crossing, Lane::Customs, "MAN");
    let mut hub = desk(2, "HUB", Role::Hub, Lane::Customs, "MAN");
    let first = man.say("of-cus", None, &[], CustomsEntry::store("Agent", "A-1"));
    let id = RecordId::of_first(&first.reference);
    let assessed = man.say(
        "of-cus",
        Some(id),
        &[first.reference],
        CustomsEntry::assess(500, "IQD"),
    );

    let code = |code: &str| corrected(CustomsEntry::on().text("goods.1.hs_code", code));
    let here = man.say("of-cus-2", Some(id), &[assessed.reference], code("4011.20"));
    let there = hub.say("of-hub", Some(id), &[assessed.reference], code("4012.11"));
    let both = [here.reference, there.reference];
    let gone = man.say("of-cus", Some(id), &both, released());
    let record = build(&[&first, &assessed, &here, &there, &gone]);
    let told = lacks(&record);
    assert!(
        told[0].1.contains(&Lack::SettledFields.name().to_string()),
        "{told:?}"
    );

    let asked = CustomsEntry::on().event("queried", json!({"question": "origin?"}));
    let asked = man.say("of-cus", Some(id), &[assessed.reference], asked);
    let hasty = man.say("of-cus", Some(id), &[asked.reference], released());
    let record = build(&[&first, &assessed, &asked, &hasty]);
    assert_eq!(lacks(&record), one("entry.released", Lack::Answer));

    let answer = json!({"query": asked.reference.event_id(0), "answer": "EC"});
    let answer = CustomsEntry::on().event("query.answered", answer);
    let answer = man.say("of-cus", Some(id), &[asked.reference], answer);
    let done = man.say("of-cus", Some(id), &[answer.reference], released());
    assert_eq!(
        lacks(&build(&[&first, &assessed, &asked, &answer, &done])),
        []
    );
}

/// A truck that came in.
fn admitted(trb: &mut Desk) -> (JudgedChange, RecordId) {
    let draft = Passage::announce("in").gate_in("G1", "R1");
    let first = trb.say("of-port", None, &[], draft);
    let id = RecordId::of_first(&first.reference);
    (first, id)
}

#[test]
fn a_truck_with_an_anomaly_is_looked_into_before_it_goes() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let strange = json!({"image_sha256": "ab".repeat(32), "anomaly": true});
    let (first, id) = admitted(&mut trb);
    let scan = trb.device(
        "SONAR-1",
        Some(id),
        &[first.reference],
        Passage::on().event("scanned", strange),
    );
    assert!(state(&build(&[&first, &scan])).flags.contains("ANOMALY"));

    let mut say = |officer: &str, based_on: &JudgedChange, draft| {
        trb.say(officer, Some(id), &[based_on.reference], draft)
    };
    let cleared = || Passage::on().event("cleared", json!({}));
    let out = || Passage::on().gate_out("G2", "R2");

    let waved = say("of-port", &scan, cleared());
    let left = say("of-port", &waved, out());
    let record = build(&[&first, &scan, &waved, &left]);
    assert_eq!(lacks(&record), one("gate.out", Lack::CheckOfAnomaly));

    // Its own gate looks into nothing; customs does.
    for (officer, rest) in [
        ("of-port", one("gate.out", Lack::CheckOfAnomaly)),
        ("of-cus", vec![]),
    ] {
        let opened = Passage::on().event("check.opened", json!({"check": "hand search"}));
        let opened = say(officer, &scan, opened);
        let closed = json!({"check": opened.reference.event_id(0)});
        let closed = say(
            officer,
            &opened,
            Passage::on().event("check.closed", closed),
        );
        let waved = say("of-port", &closed, cleared());
        let left = say("of-port", &waved, out());
        let record = build(&[&first, &scan, &opened, &closed, &waved, &left]);
        assert_eq!(lacks(&record), rest, "{officer}");
    }
}

/// Whoever lets a truck out names what was on the screen. An old one is no excuse for what the same
/// node's log held by then.
#[test]
fn an_old_screen_hides_no_check_that_stands_in_the_same_log() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, id) = admitted(&mut trb);
    let cleared = Passage::on().event("cleared", json!({}));
    let cleared = trb.say("of-port", Some(id), &[first.reference], cleared);
    let check = Passage::on().event("check.opened", json!({"check": "documents"}));
    let check = trb.say("of-sec", Some(id), &[cleared.reference], check);

    let out = Passage::on().gate_out("G2", "R2");
    let out = trb.say("of-port", Some(id), &[cleared.reference], out);
    let record = build(&[&first, &cleared, &check, &out]);
    assert_eq!(state(&record).name, "EXITED");
    assert!(state(&record).flags.contains("FORCED_EXIT"));
}

/// Goods that were let go are not called back by a word.
#[test]
fn an_entry_that_was_released_is_not_cancelled() {
    let mut man = desk(1, "MAN", Role::Crossing, Lane::Customs, "MAN");
    let first = man.say("of-cus", None, &[], CustomsEntry::store("Agent", "A-1"));
    let id = RecordId::of_first(&first.reference);
    let cancelled = || CustomsEntry::on().event("cancelled", json!({"reason": "a slip"}));
    let early = man.say("of-cus-2", Some(id), &[first.reference], cancelled());
    assert_eq!(state(&build(&[&first, &early])).name, "CANCELLED");

    let released = CustomsEntry::on().event("entry.released", json!({}));
    let released = man.say("of-cus-2", Some(id), &[first.reference], released);
    let late = man.say("of-cus-2", Some(id), &[released.reference], cancelled());
    let record = build(&[&first, &released, &late]);
    assert_ne!(state(&record).name, "CANCELLED");
    assert!(state(&record).flags.contains("CANCELLED_AFTER_RELEASE"));
}
