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
    let draft = CustomsEntry::store("Agent", "A-1")
        .int("invoice_minor", 500)
        .text("goods.1.hs_code", "4011.20")
        .int("goods.1.gross_g", 9_000)
        .event("registered", json!({"registration_no": "N-1"}));
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
    let (mut man, first, id) = declared();
    let mut hub = desk(2, "HUB", Role::Hub, Lane::Customs, "MAN");
    let assessed = man.say(
        "of-cus",
        Some(id),
        &[first.reference],
        CustomsEntry::assess(500, "IQD"),
    );

    let code = |code: &str| corrected(CustomsEntry::on().text("goods.2.hs_code", code));
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

/// A blank form, or half of one, is nothing to assess.
#[test]
fn goods_that_nobody_declared_or_registered_are_not_let_go() {
    let registered = || json!({"registration_no": "N-1"});
    let blank = || CustomsEntry::store("Agent", "A-1");
    let whole = || {
        blank()
            .text("goods.1.hs_code", "4011.20")
            .int("goods.1.gross_g", 9_000)
            .int("goods.1.statistical_value_minor", 500)
    };
    let told = |first: Draft| {
        let mut man = desk(1, "MAN", Role::Crossing, Lane::Customs, "MAN");
        let first = man.say("of-cus", None, &[], first);
        let id = RecordId::of_first(&first.reference);
        let mut say = |based_on: &JudgedChange, draft| {
            man.say("of-cus", Some(id), &[based_on.reference], draft)
        };
        let assessed = say(&first, CustomsEntry::assess(0, "IQD"));
        let gone = say(&assessed, released());
        lacks(&build(&[&first, &assessed, &gone]))
    };
    let registering = |draft: Draft| draft.event("registered", registered());

    assert_eq!(told(registering(whole())), []);
    assert_eq!(
        told(registering(
            blank()
                .text("goods.1.hs_code", "4011.20")
                .int("goods.1.net_g", 9_000)
                .int("invoice_minor", 500)
        )),
        []
    );
    assert_eq!(told(whole()), one("entry.released", Lack::Registration));

    for first in [
        blank(),
        blank().int("invoice_minor", 500),
        blank()
            .int("goods.1.gross_g", 9_000)
            .int("invoice_minor", 500),
        blank()
            .text("goods.1.hs_code", "4011.20")
            .int("invoice_minor", 500),
        blank()
            .text("goods.1.hs_code", "4011.20")
            .int("goods.1.gross_g", 9_000),
        whole().text("goods.2.description", "and the rest"),
    ] {
        let lack = one("entry.released", Lack::Goods);
        assert_eq!(told(registering(first)), lack);
    }
}

/// What was assessed is lowered by two pairs of eyes.
#[test]
fn less_is_assessed_with_a_supervisors_reason() {
    let reasoned = |duty: i64, reason: &str| {
        let data = json!({"duty_minor": duty, "currency": "IQD", "reason": reason});
        CustomsEntry::on().event("assessed", data)
    };
    let (mut man, first, id) = declared();
    let mut say = |officer: &str, based_on: &JudgedChange, draft| {
        man.say(officer, Some(id), &[based_on.reference], draft)
    };
    let assessed = say("of-cus", &first, CustomsEntry::assess(500, "IQD"));

    for (officer, again, is_told) in [
        ("of-cus", CustomsEntry::assess(499, "IQD"), true),
        ("of-cus", reasoned(499, "a slip of the pen"), true),
        ("of-cus-2", CustomsEntry::assess(499, "IQD"), true),
        ("of-cus-2", reasoned(499, "."), true),
        ("of-cus", CustomsEntry::assess(500, "USD"), true),
        ("of-cus-2", reasoned(499, "a slip of the pen"), false),
        ("of-cus", CustomsEntry::assess(501, "IQD"), false),
        ("of-cus", CustomsEntry::assess(500, "IQD"), false),
    ] {
        let what = format!("{officer} {again:?}");
        let again = say(officer, &assessed, again);
        let record = build(&[&first, &assessed, &again]);
        let wanted = match is_told {
            true => one("assessed", Lack::ReasonToLower),
            false => vec![],
        };
        assert_eq!(lacks(&record), wanted, "{what}");
        let is_flagged = state(&record).flags.contains("ASSESSED_UNDULY");
        assert_eq!(is_flagged, is_told, "{what}");
    }

    // A supervisor corrected what it rests on, and said why.
    let corrected = say(
        "of-cus-2",
        &assessed,
        corrected(CustomsEntry::on().int("invoice_minor", 1)),
    );
    let again = say("of-cus", &corrected, CustomsEntry::assess(1, "IQD"));
    let record = build(&[&first, &assessed, &corrected, &again]);
    assert_eq!(lacks(&record), []);

    // That explains one assessment, and not the next.
    let once_more = say("of-cus", &again, CustomsEntry::assess(0, "IQD"));
    let record = build(&[&first, &assessed, &corrected, &again, &once_more]);
    assert_eq!(lacks(&record), one("assessed", Lack::ReasonToLower));

    // Who assesses anew what a supervisor stood for says nothing new.
    let exempt = say(
        "of-cus-2",
        &assessed,
        reasoned(0, "aid of the Red Crescent"),
    );
    let anew = say("of-cus", &exempt, CustomsEntry::assess(0, "IQD"));
    assert_eq!(lacks(&build(&[&first, &assessed, &exempt, &anew])), []);
}

#[test]
fn what_the_items_say_of_their_duty_is_assessed() {
    let told = |currency: &str, duty: i64, items: &[i64], reason: Option<(&str, &str)>| {
        let (mut man, first, id) = declared();
        let mut fields = CustomsEntry::on();
        for (n, minor) in items.iter().enumerate() {
            fields = fields.int(&format!("goods.{}.duty_minor", n + 1), *minor);
        }
        if !currency.is_empty() {
            fields = fields.text("currency", currency);
        }
        let fields = fields.text("note", "checked");
        let fields = man.say("of-cus", Some(id), &[first.reference], fields);
        let (officer, reason) = reason.unwrap_or(("of-cus", ""));
        let mut data = json!({"duty_minor": duty, "currency": "IQD"});
        if !reason.is_empty() {
            data["reason"] = reason.into();
        }
        let draft = CustomsEntry::on().event("assessed", data);
        let assessed = man.say(officer, Some(id), &[fields.reference], draft);
        lacks(&build(&[&first, &fields, &assessed]))
    };
    let below = one("assessed", Lack::ReasonBelowItems);

    assert_eq!(told("IQD", 99, &[60, 40], None), below);
    assert_eq!(told("", 99, &[60, 40], None), below, "of no currency");
    assert_eq!(
        told("USD", 0, &[60, 40], None),
        below,
        "nothing is nothing in all"
    );
    assert_eq!(told("USD", 99, &[60, 40], None), [], "in another one");
    assert_eq!(told("IQD", 100, &[60, 40], None), []);
    assert_eq!(told("IQD", 0, &[], None), [], "no item tells any");
    assert_eq!(told("IQD", 0, &[0], None), []);

    let reason = |officer| Some((officer, "exempt by order 12"));
    assert_eq!(told("IQD", 0, &[60], reason("of-cus-2")), []);
    assert_eq!(told("IQD", 0, &[60], reason("of-cus")), below);
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

/// A truck that went out and came back carries other goods: its clearing is used up.
#[test]
fn a_clearing_is_good_for_one_exit() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, id) = admitted(&mut trb);
    let mut say =
        |based_on: &JudgedChange, draft| trb.say("of-port", Some(id), &[based_on.reference], draft);
    let cleared = || Passage::on().event("cleared", json!({}));
    let out = || Passage::on().gate_out("G2", "R2");

    let waved = say(&first, cleared());
    let left = say(&waved, out());
    let outer = say(&left, out());
    let both_gates = build(&[&first, &waved, &left, &outer]);
    assert_eq!(lacks(&both_gates), [], "an inner and an outer gate");

    let back = say(&outer, Passage::on().gate_in("G1", "R3"));
    let came_back = build(&[&first, &waved, &left, &outer, &back]);
    assert_eq!(state(&came_back).name, "ADMITTED");

    let gone = say(&back, out());
    let record = build(&[&first, &waved, &left, &outer, &back, &gone]);
    assert_eq!(lacks(&record), one("gate.out", Lack::Clearance));
    assert!(state(&record).flags.contains("FORCED_EXIT"));

    let anew = say(&back, cleared());
    let orderly = say(&anew, out());
    let record = build(&[&first, &waved, &left, &outer, &back, &anew, &orderly]);
    assert_eq!(lacks(&record), []);

    // An old screen does not bring it back: the return stands in the same log.
    let stale = say(&outer, out());
    let record = build(&[&first, &waved, &left, &outer, &back, &stale]);
    assert_eq!(lacks(&record), one("gate.out", Lack::Clearance));
}

/// Who is sent back at a counter goes out by a gate, too: with no clearing, and not inland.
#[test]
fn whoever_was_sent_back_is_led_out_without_a_clearing() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, id) = admitted(&mut trb);
    let mut say =
        |based_on: &JudgedChange, draft| trb.say("of-port", Some(id), &[based_on.reference], draft);
    let back = || Passage::on().event("turned_back", json!({"reason": "no papers"}));
    let out = || Passage::on().gate_out("G2", "R2");

    let sent = say(&first, back());
    let led_out = say(&sent, out());
    let record = build(&[&first, &sent, &led_out]);
    assert_eq!(lacks(&record), []);
    assert_eq!(state(&record).name, "TURNED_BACK");

    let cleared = say(&sent, Passage::on().event("cleared", json!({})));
    let let_go = say(&cleared, out());
    let record = build(&[&first, &sent, &cleared, &let_go]);
    assert_eq!(lacks(&record), []);
    assert_eq!(state(&record).name, "EXITED", "it was let in after all");

    let came_again = say(&sent, Passage::on().gate_in("G1", "R3"));
    let forced = say(&came_again, out());
    let record = build(&[&first, &sent, &came_again, &forced]);
    assert_eq!(lacks(&record), one("gate.out", Lack::Clearance));
    assert_eq!(state(&record).name, "EXITED");

    let inland = json!({"gate": "G2", "read": "R2", "direction": "in"});
    let inland = say(&sent, Passage::on().event("gate.out", inland));
    let record = build(&[&first, &sent, &inland]);
    assert_eq!(lacks(&record), one("gate.out", Lack::Clearance));

    let mut other = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, id) = admitted(&mut other);
    let gone = other.say("of-port", Some(id), &[first.reference], out());
    let later = other.say("of-port", Some(id), &[gone.reference], back());
    let record = build(&[&first, &gone, &later]);
    assert_eq!(lacks(&record), one("gate.out", Lack::Clearance));
    assert_eq!(state(&record).name, "EXITED", "said when it was gone");
}

/// The forms of an outage are typed in whatever order they lie in.
#[test]
fn a_clearing_on_paper_that_is_typed_after_the_exit_on_paper_held() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (mut first, id) = admitted(&mut trb);
    let out = Passage::on().gate_out("G2", "R2");
    let mut out = trb.say("of-port", Some(id), &[first.reference], out);
    let cleared = Passage::on().event("cleared", json!({}));
    let mut cleared = trb.say("of-port", Some(id), &[out.reference], cleared);

    const HOUR_MS: u64 = 3_600_000;
    let typed_ms = 100 * HOUR_MS;
    let mut lacking = |out_hours_ago: u64, cleared_hours_ago: u64, typed_later: u64| {
        let ago = |hours: u64| i64::try_from(typed_ms - hours * HOUR_MS).ok();
        first.common.happened_ms = Some(0);
        for said in [&mut out, &mut cleared] {
            said.common.wall_ms = i64::try_from(typed_ms).unwrap();
        }
        out.common.happened_ms = ago(out_hours_ago);
        cleared.common.happened_ms = ago(cleared_hours_ago);
        cleared.common.wall_ms += i64::try_from(typed_later * HOUR_MS).unwrap();
        lacks(&build(&[&first, &out, &cleared]))
    };

    let forced = || one("gate.out", Lack::Clearance);
    assert_eq!(lacking(18, 19, 0), []);
    assert_eq!(lacking(18, 17, 0), forced(), "it was cleared later");
    assert_eq!(lacking(0, 1, 0), forced(), "the exit was typed at once");
    assert_eq!(lacking(18, 19, 48), forced(), "two days later");
}

#[test]
fn a_clearing_holds_until_it_says() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let (first, id) = admitted(&mut trb);
    let cleared = Passage::on().event("cleared", json!({"until": 100_000}));
    let cleared = trb.say("of-port", Some(id), &[first.reference], cleared);

    let out = Passage::on().gate_out("G2", "R2");
    let mut out = trb.say("of-port", Some(id), &[cleared.reference], out);
    for (left_ms, rest) in [
        (100_000, vec![]),
        // Within the clocks' doubt.
        (700_000, vec![]),
        (700_001, one("gate.out", Lack::Clearance)),
    ] {
        out.common.happened_ms = Some(left_ms);
        assert_eq!(lacks(&build(&[&first, &cleared, &out])), rest, "{left_ms}");
    }
}

/// Limits for what goes inland, or through, run whether or not somebody told which way it goes.
#[test]
fn whoever_lets_out_what_tells_no_direction_is_told() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let mut begun = |draft| {
        let first = trb.say("of-port", None, &[], draft);
        build(&[&first])
    };
    let told = |record: &Record, draft: Draft| {
        let unknown = || std::collections::BTreeSet::<Crossing>::new();
        draft.doubts(&DraftContext {
            now_ms: 1_767_225_600_000,
            ahead_ms: 3_600_000,
            said_ms: 1_767_225_600_000,
            record: Some(record),
            crossings: &unknown,
        })
    };
    let out = || Passage::on().gate_out("G2", "R2");
    let nothing: [&str; 0] = [];

    let silent = begun(Passage::on().gate_in("G1", "R1"));
    let why = "direction: nobody told whether it goes in or out, and it is taken for going in";
    assert_eq!(told(&silent, out()), [why]);
    assert_eq!(told(&silent, out().text("direction", "out")), nothing);
    assert_eq!(told(&silent, Passage::on().text("note", "x")), nothing);

    let by_field = begun(Passage::announce("in"));
    assert_eq!(told(&by_field, out()), nothing);
    let members = json!({"gate": "G1", "read": "R1", "direction": "in"});
    let by_gate = begun(Passage::on().event("gate.in", members));
    assert_eq!(told(&by_gate, out()), nothing);
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
