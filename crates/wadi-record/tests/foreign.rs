//! Stories of a crossing whose node was captured: it holds valid keys, and speaks of what is not
//! its own. It is heard, told, and moves nothing.

mod desk;

use desk::{Desk, build, desk};
use serde_json::json;
use std::sync::Arc;
use wadi_log::*;
use wadi_record::*;
use wadi_store::defence::{SWITCHABLE, fails_without};

/// Trebil, which keeps the record, the hub, and Al-Qaem, whose node somebody captured; their logs
/// of one lane of Trebil's.
fn three(lane: Lane) -> (Desk, Desk, Desk) {
    // Records know no environment: what is turned off is handed in.
    wadi_store::defence::off("foreign-acts");
    (
        desk(1, "TRB", Role::Crossing, lane, "TRB"),
        desk(2, "HUB", Role::Hub, lane, "TRB"),
        desk(3, "QAM", Role::Crossing, lane, "TRB"),
    )
}

/// Defences against a captured node, each with the story that fails without it.
const DEFENCES: [(&str, &str); 3] = [
    (
        "foreign-acts",
        "a_neighbour_opens_no_check_on_a_truck_of_another_crossing_and_links_nothing_to_it",
    ),
    (
        "foreign-records",
        "a_record_begun_in_the_name_of_another_crossing_is_none_of_its_records_and_holds_nothing",
    ),
    (
        "officers-crossing",
        "an_officer_of_another_crossing_is_refused_whatever_he_says_or_heard_and_told",
    ),
];

#[test]
fn each_of_these_stories_fails_without_its_defence() {
    if !SWITCHABLE {
        return;
    }

    for (defence, story) in DEFENCES {
        assert!(fails_without(defence, story), "without {defence}: {story}");
    }
}

fn codes(record: &Record, entry: &JudgedChange) -> Vec<&'static str> {
    let of = record.events().filter(|e| e.reference == entry.reference);
    of.map(|e| e.refusal.as_ref().map_or("counts", |r| r.code))
        .collect()
}

fn code_of(record: &Record, entry: &JudgedChange) -> &'static str {
    match record.row(&entry.reference).unwrap().1 {
        Verdict::Refused(refusal) => refusal.code,
        Verdict::Counts => "counts",
        Verdict::Waits(_) => "waits",
    }
}

fn without_notice(record: &Record) -> String {
    state(record).line().replace(" REFUSED_ACTS", "")
}

/// An entry of a captured node as it was written, past a cut of its log, and as one that leans on
/// what its own log says only later: no way around the refusal.
fn disguised(said: &JudgedChange) -> [JudgedChange; 3] {
    let mut past_cut = said.clone();
    past_cut.verdict = LogVerdict::Quarantined;

    let mut circle = said.clone();
    circle.change.based_on.push(Reference {
        seq: said.reference.seq + 5,
        ..said.reference
    });

    [said.clone(), past_cut, circle]
}

#[test]
fn a_neighbour_opens_no_check_on_a_truck_of_another_crossing_and_links_nothing_to_it() {
    let (mut trb, _, mut qam) = three(Lane::Passage);
    let announced = Passage::announce("in").plate("11-A-123", "IQ");
    let first = trb.say("of-port", None, &[], announced);
    let id = RecordId::of_first(&first.reference);
    let cleared = Passage::on().event("cleared", json!({}));
    let cleared = trb.say("of-port", Some(id), &[first.reference], cleared);
    let before = build(&[&first, &cleared]);

    let lies = Passage::on()
        .event("check.opened", json!({"check": "documents"}))
        .event("link", json!({"record": "ab".repeat(32)}))
        .event("turned_back", json!({"reason": "papers"}));
    let lies = qam.say("of-sec", Some(id), &[cleared.reference], lies);

    for lies in disguised(&lies) {
        let record = build(&[&first, &cleared, &lies]);
        assert_eq!(code_of(&record, &lies), "foreign_crossing");
        assert_eq!(codes(&record, &lies), ["foreign_crossing"; 3]);
        assert_eq!(without_notice(&record), state(&before).line());
        assert!(state(&record).flags.contains("REFUSED_ACTS"), "it is told");
        assert_eq!(terms(&record), terms(&before));
    }
}

#[test]
fn a_neighbour_holds_nothing_and_reopens_nothing_that_was_released() {
    let (mut trb, mut hub, mut qam) = three(Lane::Hold);
    let placed = QuarantineHold::place(HoldType::Veterinary, "Law 32/2013");
    let first = trb.say("of-vet", None, &[], placed);
    let id = RecordId::of_first(&first.reference);
    let result = |outcome: &str| {
        let members = json!({"sample": "S1", "result": "r", "outcome": outcome,
            "attested_by": "of-vet-2", "attester_department": "VET"});
        QuarantineHold::on().event("result.issued", members)
    };
    let good = trb.say(
        "of-vet",
        Some(id),
        &[first.reference],
        result("satisfactory"),
    );
    let released = QuarantineHold::release(&[first.reference.event_id(0)], "of-vet-2");
    let released = trb.say("of-vet", Some(id), &[good.reference], released);
    assert_eq!(state(&build(&[&first, &good, &released])).name, "RELEASED");

    let placing = json!({"type_of_hold": "VETERINARY", "legal_basis": "l"});
    let restricting = [
        QuarantineHold::on().event("hold.placed", placing),
        QuarantineHold::on().event("recalled", json!({"reason": "r"})),
        QuarantineHold::on().event("rejected", json!({"reason": "r"})),
        result("unsatisfactory"),
    ];

    for draft in restricting {
        let lie = qam.say("of-vet", Some(id), &[good.reference], draft.clone());
        for lie in disguised(&lie) {
            let record = build(&[&first, &good, &released, &lie]);
            assert_eq!(without_notice(&record), "RELEASED");
            assert!(!held_now(&record.json()), "fold and rules agree");
            assert_eq!(codes(&record, &lie), ["foreign_crossing"]);
        }

        // What the hub says, or Trebil itself past a cut, is heard.
        let by_hub = hub.say("of-vet", Some(id), &[good.reference], draft.clone());
        let [_, past_cut, _] = disguised(&trb.say("of-vet", Some(id), &[good.reference], draft));
        for heard in [by_hub, past_cut] {
            let record = build(&[&first, &good, &released, &heard]);
            assert_ne!(codes(&record, &heard), ["foreign_crossing"]);
            let is_rejection = record.events().any(|e| e.kind() == "rejected");
            assert!(state(&record).is_open() || is_rejection);
        }
    }
}

#[test]
fn whom_a_record_was_handed_over_to_restricts_it_past_a_cut_too() {
    let (mut trb, _, mut qam) = three(Lane::Passage);
    let first = trb.say("of-port", None, &[], Passage::announce("in"));
    let id = RecordId::of_first(&first.reference);
    let over = Passage::on().hand_over("QAM", "bridge closed");
    let over = trb.say("of-port", Some(id), &[first.reference], over);
    let opened = Passage::on().event("check.opened", json!({"check": "seals"}));
    let mut opened = qam.say("of-sec", Some(id), &[over.reference], opened);

    for verdict in [LogVerdict::Counts, LogVerdict::Quarantined] {
        opened.verdict = verdict;
        let record = build(&[&first, &over, &opened]);
        assert!(state(&record).flags.contains("CHECK_OPEN"), "{verdict:?}");
    }
}

#[test]
fn a_record_begun_in_the_name_of_another_crossing_is_none_of_its_records_and_holds_nothing() {
    let (mut trb, mut hub, mut qam) = three(Lane::Hold);
    let lookout = QuarantineHold::place(HoldType::Security, "order 7")
        .text("target.term", "22 A 12345")
        .event("link", json!({"record": "ab".repeat(32)}));
    let first = qam.say("of-sec", None, &[], lookout);
    let id = RecordId::of_first(&first.reference);

    let placing = json!({"type_of_hold": "SECURITY", "legal_basis": "l"});
    let placing = || QuarantineHold::on().event("hold.placed", placing.clone());
    let own = trb.say("of-sec", Some(id), &[], placing());
    let by_hub = hub.say("of-sec", Some(id), &[], placing());
    let finding = json!({"finding": "f", "rule": "R21", "phase": "FIRM", "evidence": "e"});
    let finding = QuarantineHold::on().event("finding", finding);
    let finding = hub.say("of-hub", Some(id), &[], finding);

    for rows in [
        &[&first][..],
        &[&first, &own],
        &[&first, &by_hub],
        &[&first, &own, &by_hub],
    ] {
        let record = build(rows);
        assert_eq!((record.kind(), record.listed_under()), (None, None));
        assert_eq!(terms(&record), []);
        assert_eq!(holds(&record), []);
        assert_eq!(without_notice(&record), "FOREIGN");
        assert!(!held_now(&record.json()) && !record.projection().state.is_open());
        assert_eq!(record.json()["kind"], json!(null));
        assert_eq!(record.json()["crossing"], "");
    }

    let record = build(&[&first, &own, &by_hub, &finding]);
    assert_eq!(code_of(&record, &first), "foreign_crossing");
    assert_eq!(code_of(&record, &own), "foreign_record");
    assert_eq!(code_of(&record, &by_hub), "foreign_record");
    assert_eq!(code_of(&record, &finding), "counts", "it has to be told");
}

#[test]
fn of_what_only_others_speak_nothing_is_held_before_its_first_entry_comes() {
    let (mut trb, _, mut qam) = three(Lane::Hold);
    let placed = QuarantineHold::place(HoldType::Veterinary, "law");
    let first = trb.say("of-vet", None, &[], placed);
    let id = RecordId::of_first(&first.reference);
    let remark = || QuarantineHold::on().event("remark", json!({"text": "t"}));
    let lie = qam.say("of-vet", Some(id), &[first.reference], remark());
    let own = trb.say("of-vet", Some(id), &[first.reference], remark());

    let mut record = Record::build(id, [lie.clone()]).unwrap();
    assert!(!state(&record).is_open());
    assert_eq!(state(&record).name, "OPEN");

    record.add(own.clone());
    assert_eq!(state(&record).open_holds, [UNPLACED], "Trebil speaks of it");
    let afresh = Record::build(id, [lie, own]).unwrap();
    assert_eq!(state(&record), state(&afresh));
}

#[test]
fn a_lookout_needs_a_registered_officer_and_one_truck_is_held_by_any_clerk() {
    let (mut trb, ..) = three(Lane::Hold);
    let plain = || QuarantineHold::place(HoldType::Security, "order 7");
    let lookout = || plain().text("target.term", "22 A 12345");
    let stranger = ("a clerk", "SEC", "");
    let strict = |mut said: JudgedChange| {
        said.judge.policy = Arc::new(Policy {
            registered_lookouts: true,
            ..Policy::default()
        });
        said
    };

    let placed = strict(trb.say_as(stranger, None, &[], lookout()));
    let record = build(&[&placed]);
    assert_eq!(desk::refused(&record, &placed), ["guarded_field"]);
    assert!(terms(&record).iter().all(|(what, _)| what != "target"));
    assert!(!state(&record).flags.contains("LOOKOUT"));

    let by_officer = strict(trb.say("of-sec", None, &[], lookout()));
    let record = build(&[&by_officer]);
    assert!(terms(&record).contains(&("target".into(), "22A12345".into())));

    // By link a clerk at a dark crossing holds the truck that stands before him.
    let link = plain().event("link", json!({"record": "ab".repeat(32)}));
    let linked = strict(trb.say_as(stranger, None, &[], link));
    let record = build(&[&linked]);
    assert!(state(&record).is_open());
    assert!(terms(&record).contains(&("link".into(), "ab".repeat(32))));

    // The policy says whether.
    for (of_lookouts, of_officers) in [(false, true), (true, false)] {
        let mut mild = placed.clone();
        mild.judge.policy = Arc::new(Policy {
            registered_lookouts: of_lookouts,
            registered_officers: of_officers,
            ..Policy::default()
        });
        assert!(desk::refused(&build(&[&mild]), &mild).is_empty());
    }
}

/// The entry, with all officers registered for one crossing alone.
fn registered_at(said: &JudgedChange, crossing: &str) -> JudgedChange {
    let mut said = said.clone();
    let mut officers = said.judge.officers.as_ref().clone();
    let crossing = crossing.parse().ok();
    officers.values_mut().for_each(|o| o.crossing = crossing);
    said.judge.officers = Arc::new(officers);
    said
}

#[test]
fn an_officer_of_another_crossing_is_refused_whatever_he_says_or_heard_and_told() {
    let mut lanes = 0;
    for lane in [Lane::Passage, Lane::Hold, Lane::Customs, Lane::Site] {
        let (mut trb, ..) = three(lane);
        let kind = Kind::of_lane(lane).unwrap();
        let first = trb.say("of-port", None, &[], Draft::new(kind).text("note", "n"));
        let id = RecordId::of_first(&first.reference);

        for event in EVENTS.iter().filter(|e| e.kinds.contains(&kind)) {
            let (officer, department) = match event.departments {
                Departments::Only(list) => ("an officer", list[0]),
                Departments::Any => ("an officer", Department::Vet),
            };
            let mut said = trb.say_as(
                (officer, department.code(), ""),
                Some(id),
                &[first.reference],
                Draft::new(kind).text("note", "n"),
            );
            said.change.events = vec![format!(r#"{{"type":"{}"}}"#, event.name)];
            let registration = Officer {
                department: Some(department),
                crossing: None,
                supervisor: true,
                revoked: false,
                keys: Default::default(),
            };
            said.judge.officers = Arc::new([(officer.to_string(), registration)].into());

            let away = registered_at(&said, "QAM");
            let record = build(&[&first, &away]);
            let told = record.events().find(|e| e.reference == away.reference);
            let told = told.unwrap();
            assert!(told.elsewhere, "{}", event.name);
            if event.revoked == Revoked::Refused {
                let code = told.refusal.as_ref().map(|r| r.code);
                assert_eq!(code, Some("no_authority"), "{}", event.name);
            }

            let home = registered_at(&said, "TRB");
            let record = build(&[&first, &home]);
            assert!(record.events().all(|e| !e.elsewhere), "{}", event.name);
        }
        lanes += 1;
    }
    assert_eq!(lanes, 4);

    // What holds something back is heard, and a finding.
    let (mut trb, ..) = three(Lane::Hold);
    let placed = QuarantineHold::place(HoldType::Veterinary, "law");
    let placed = trb.say("of-vet", None, &[], placed);
    let record = build(&[&registered_at(&placed, "QAM")]);
    assert!(state(&record).is_open());
    assert_eq!(record.json()["events"][0]["elsewhere"], true);

    // And he sets no field.
    let (mut trb, ..) = three(Lane::Passage);
    let set = Passage::announce("in").plate("11-A-123", "IQ");
    let set = trb.say("of-port", None, &[], set);
    let away = registered_at(&set, "QAM");
    assert_eq!(desk::refused(&build(&[&set]), &set), [""; 0]);
    assert!(!desk::refused(&build(&[&away]), &away).is_empty());
}

#[test]
fn what_the_hub_says_of_findings_is_not_said_with_a_sites_key() {
    let (mut trb, mut hub, _) = three(Lane::Passage);
    let first = trb.say("of-port", None, &[], Passage::announce("in"));
    let id = RecordId::of_first(&first.reference);
    let finding = json!({"finding": "f", "rule": "R02", "phase": "WITHDRAWN", "evidence": "e"});
    let decided = json!({"finding": "f", "evidence": "e", "proposal": "p",
        "decision": "APPROVED"});
    let acts = [
        ("finding", finding),
        ("finding.assigned", json!({"finding": "f", "assignee": "a"})),
        (
            "finding.proposed",
            json!({"finding": "f", "evidence": "e", "resolution": "WAIVED", "reason": "r"}),
        ),
        ("finding.decided", decided),
        ("finding.undone", json!({"finding": "f", "of": "x"})),
    ];

    for (kind, members) in acts {
        let event = |desk: &mut Desk, officer: &str, department: &str| {
            let mut said = desk.say_as(
                (officer, department, ""),
                Some(id),
                &[first.reference],
                Passage::on().text("note", "n"),
            );
            let mut members = members.clone();
            members["type"] = kind.into();
            let text = serde_json_canonicalizer::to_string(&members).unwrap();
            said.change.events = vec![text];
            said
        };

        for (officer, department) in [("of-hub", "HUB"), ("of-port", "PORT"), ("of-sec", "SEC")] {
            let said = event(&mut trb, officer, department);
            let record = build(&[&first, &said]);
            assert_eq!(
                codes(&record, &said),
                ["no_authority"],
                "{kind} {department}"
            );
        }

        // What its rules find the hub says by itself, and no officer of its.
        let (officer, counts) = match kind {
            "finding" => (SYSTEM_OFFICER, "no_authority"),
            _ => ("of-hub", "counts"),
        };
        let by_officer = event(&mut hub, "of-hub", "HUB");
        let told = codes(&build(&[&first, &by_officer]), &by_officer);
        assert_eq!(told, [counts], "{kind}");
        let said = event(&mut hub, officer, "HUB");
        assert_eq!(codes(&build(&[&first, &said]), &said), ["counts"], "{kind}");
    }
}
