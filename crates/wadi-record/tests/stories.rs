//! Stories of records: officers at crossings that cannot hear each other, and what the merged
//! record says.

mod desk;

use desk::{Desk, OFFICERS, build, desk, view};
use serde_json::json;
use wadi_log::*;
use wadi_record::*;

/// A veterinary hold at Al-Qaem, placed at the site.
fn vet_hold() -> (Desk, Desk, JudgedChange, RecordId, String) {
    let mut qam = desk(1, "QAM", Role::Crossing, Lane::Hold, "QAM");
    let hub = desk(2, "HUB", Role::Hub, Lane::Hold, "QAM");
    let first = qam.say(
        "of-vet",
        None,
        &[],
        QuarantineHold::place(HoldType::Veterinary, "Law 32/2013"),
    );

    let id = RecordId::of_first(&first.reference);
    let placed = first.reference.event_id(0);
    (qam, hub, first, id, placed)
}

fn good_result() -> Draft {
    QuarantineHold::on().event(
        "result.issued",
        json!({
            "sample": "S1",
            "result": "no FMD",
            "outcome": "satisfactory",
            "attested_by": "of-vet-2",
            "attester_department": "VET",
        }),
    )
}

#[test]
fn a_hold_is_released_by_its_owner_on_an_attested_result_with_a_second_officer() {
    let (mut qam, _, first, id, placed) = vet_hold();
    let result = qam.say("of-vet", Some(id), &[first.reference], good_result());
    let release = QuarantineHold::release(std::slice::from_ref(&placed), "of-vet-2");
    let done = qam.say("of-vet", Some(id), &[result.reference], release.clone());
    assert_eq!(state(&build(&[&first, &result, &done])).name, "RELEASED");

    // Without the result on the view, by the wrong department, alone, or by somebody unknown: kept,
    // and ignored.
    for (officer, second, seen, code) in [
        ("of-vet", "of-vet-2", first.reference, "no_attested_result"),
        ("of-cus", "of-cus-2", result.reference, "no_authority"),
        ("of-vet", "of-vet", result.reference, "no_second_officer"),
        (
            "of-vet",
            "stranger",
            result.reference,
            "unregistered_officer",
        ),
        (
            "stranger",
            "of-vet",
            result.reference,
            "unregistered_officer",
        ),
    ] {
        let draft = QuarantineHold::release(std::slice::from_ref(&placed), second);
        let refused = qam.say(officer, Some(id), &[seen], draft);
        let record = build(&[&first, &result, &refused]);
        let event = record.events().find(|e| e.kind() == "released").unwrap();
        assert_eq!(event.refusal.as_ref().unwrap().code, code);
        assert!(state(&record).is_open());
        assert!(state(&record).flags.contains("RELEASE_REFUSED"));
    }
}

#[test]
fn unattested_evidence_never_releases_and_still_restricts() {
    let (mut qam, _, first, id, placed) = vet_hold();
    let unattested = QuarantineHold::on().event(
        "result.issued",
        json!({"sample": "S1", "result": "no FMD", "outcome": "satisfactory"}),
    );
    let result = qam.say("of-vet", Some(id), &[first.reference], unattested);
    let release = QuarantineHold::release(&[placed], "of-vet-2");
    let done = qam.say("of-vet", Some(id), &[result.reference], release);
    assert!(state(&build(&[&first, &result, &done])).is_open());
}

#[test]
fn a_hold_that_a_release_did_not_name_stays_open() {
    let (mut qam, mut hub, first, id, placed) = vet_hold();
    let result = qam.say("of-vet", Some(id), &[first.reference], good_result());

    // While the link is down the commission places a second hold on the same record.
    let security = QuarantineHold::on().event(
        "hold.placed",
        json!({"type_of_hold": "SECURITY", "legal_basis": "order 7"}),
    );
    let second = hub.say("of-hub", Some(id), &[first.reference], security);
    let release = QuarantineHold::release(&[placed], "of-vet-2");
    let done = qam.say("of-vet", Some(id), &[result.reference], release);
    let record = build(&[&first, &result, &second, &done]);
    assert_eq!(state(&record).open_holds, [second.reference.event_id(0)]);

    // Naming it without having seen it clears nothing.
    let both = QuarantineHold::release(
        &[first.reference.event_id(0), second.reference.event_id(0)],
        "of-vet-2",
    );
    let blind = qam.say("of-vet", Some(id), &[result.reference], both);
    let record = build(&[&first, &result, &second, &blind]);
    assert_eq!(state(&record).open_holds.len(), 2);
}

#[test]
fn a_release_is_reopened_by_a_result_it_did_not_know() {
    let (mut qam, mut hub, first, id, placed) = vet_hold();
    let result = qam.say("of-vet", Some(id), &[first.reference], good_result());
    let done = qam.say(
        "of-vet",
        Some(id),
        &[result.reference],
        QuarantineHold::release(&[placed], "of-vet-2"),
    );

    let amended = QuarantineHold::on().event(
        "result.amended",
        json!({"sample": "S1", "result": "FMD", "outcome": "unsatisfactory"}),
    );
    let amended = hub.say("of-vet", Some(id), &[result.reference], amended);
    let record = build(&[&first, &result, &done, &amended]);
    assert_eq!(state(&record).name, "RECALLED");
    assert!(state(&record).is_open());
}

/// The goods go by the portal once more, and it measures again.
#[test]
fn an_alarm_after_a_release_holds_anew_until_somebody_releases_who_knows_of_it() {
    let (mut qam, _, first, id, placed) = vet_hold();
    let result = qam.say("of-vet", Some(id), &[first.reference], good_result());
    let release = || QuarantineHold::release(std::slice::from_ref(&placed), "of-vet-2");
    let done = qam.say("of-vet", Some(id), &[result.reference], release());
    assert!(!state(&build(&[&first, &result, &done])).is_open());

    let alarm = QuarantineHold::on().event("rad.alarm", json!({"gamma": 9.0}));
    let alarm = qam.say("of-rad", Some(id), &[done.reference], alarm);
    let record = build(&[&first, &result, &done, &alarm]);
    assert!(state(&record).is_open());

    let hasty = qam.say("of-vet", Some(id), &[alarm.reference], release());
    let record = build(&[&first, &result, &done, &alarm, &hasty]);
    assert!(state(&record).is_open(), "nobody said what it measured");

    let members = json!({"code": 4, "attested_by": "of-rad-2", "attester_department": "RAD"});
    let adjudicated = QuarantineHold::on().event("rad.adjudicated", members);
    let adjudicated = qam.say("of-rad", Some(id), &[alarm.reference], adjudicated);
    let again = qam.say("of-vet", Some(id), &[adjudicated.reference], release());
    let record = build(&[&first, &result, &done, &alarm, &adjudicated, &again]);
    assert!(!state(&record).is_open());
}

#[test]
fn two_officers_of_one_node_who_did_not_see_each_other_contest() {
    let mut man = desk(1, "MAN", Role::Crossing, Lane::Customs, "MAN");
    let first = man.say("of-cus", None, &[], CustomsEntry::store("Agent", "A-1"));
    let id = RecordId::of_first(&first.reference);
    let hs = |code: &str| CustomsEntry::on().text("goods.1.hs_code", code);
    let a = man.say("of-cus", Some(id), &[first.reference], hs("0803.90"));
    let b = man.say("of-cus-2", Some(id), &[first.reference], hs("0207.14"));
    let record = build(&[&first, &a, &b]);
    let Some(Field::Contested(claims)) = record.field("goods.1.hs_code") else {
        panic!("not contested")
    };
    assert_eq!(
        claims
            .iter()
            .map(|c| c.officer.as_str())
            .collect::<Vec<_>>(),
        ["of-cus", "of-cus-2"]
    );

    assert_eq!(
        record.heads().len(),
        1,
        "one log is one line: its second entry follows its first"
    );

    // While it is contested the entry is not assessed; settled, it is.
    let early = man.say(
        "of-cus",
        Some(id),
        &record.heads(),
        CustomsEntry::assess(5_000, "IQD"),
    );

    let record = build(&[&first, &a, &b, &early]);
    assert_eq!(state(&record).name, "STORED");

    let settle = man.say("of-cus-2", Some(id), &record.heads(), hs("0803.90"));
    let record = build(&[&first, &a, &b, &early, &settle]);
    assert_eq!(
        record.field("goods.1.hs_code"),
        Some(Field::Settled(Value::Text("0803.90".into())))
    );

    let late = man.say(
        "of-cus",
        Some(id),
        &record.heads(),
        CustomsEntry::assess(5_000, "IQD"),
    );

    assert_eq!(
        state(&build(&[&first, &a, &b, &early, &settle, &late])).name,
        "ASSESSED"
    );
}

#[test]
fn cancelled_while_paid_is_both() {
    let mut man = desk(1, "MAN", Role::Crossing, Lane::Customs, "MAN");
    let mut hub = desk(2, "HUB", Role::Hub, Lane::Customs, "MAN");
    let declared = CustomsEntry::store("Agent", "A-1")
        .text("goods.1.hs_code", "0803.90")
        .int("goods.1.gross_g", 9_000)
        .int("invoice_minor", 500);
    let first = man.say("of-cus", None, &[], declared);
    let id = RecordId::of_first(&first.reference);
    let paid = CustomsEntry::on().event(
        "paid",
        json!({"amount_minor": 5, "currency": "IQD", "receipt": "R1"}),
    );

    let assessed = CustomsEntry::assess(5, "IQD");
    let assessed = man.say("of-cus", Some(id), &[first.reference], assessed);
    let paid = man.say("of-cus", Some(id), &[assessed.reference], paid);
    let cancel = CustomsEntry::on().event("cancel.requested", json!({"reason": "withdrawn"}));
    let cancel = hub.say("of-cus", Some(id), &[first.reference], cancel);
    assert_eq!(
        state(&build(&[&first, &assessed, &paid, &cancel])).line(),
        "PAID CANCEL_REQUESTED"
    );
}

#[test]
fn a_handed_over_record_takes_the_other_crossings_acts_and_no_others() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Passage, "TRB");
    let mut qam = desk(2, "QAM", Role::Crossing, Lane::Passage, "TRB");
    let first = trb.say(
        "of-port",
        None,
        &[],
        Passage::announce("in").plate("11-A-123", "IQ"),
    );

    let id = RecordId::of_first(&first.reference);
    let early = qam.say(
        "of-port",
        Some(id),
        &[first.reference],
        Passage::on().gate_out("G9", "R1"),
    );

    let record = build(&[&first, &early]);
    assert!(matches!(
        record.row(&early.reference).unwrap().1,
        Verdict::Refused(r) if r.code == "foreign_crossing"
    ));
    assert_eq!(state(&record).name, "ANNOUNCED");

    let over = trb.say(
        "of-port",
        Some(id),
        &[first.reference],
        Passage::on().hand_over("QAM", "bridge closed"),
    );

    let out = qam.say(
        "of-port",
        Some(id),
        &[over.reference],
        Passage::on().gate_out("G9", "R1"),
    );

    let record = build(&[&first, &early, &over, &out]);
    assert_eq!(state(&record).name, "EXITED");
    assert!(state(&record).flags.contains("FORCED_EXIT"));
}

#[test]
fn past_a_cut_an_entry_may_restrict_and_never_release() {
    let (mut qam, _, first, id, placed) = vet_hold();
    let result = qam.say("of-vet", Some(id), &[first.reference], good_result());
    let mut done = qam.say(
        "of-vet",
        Some(id),
        &[result.reference],
        QuarantineHold::release(&[placed], "of-vet-2"),
    );

    done.verdict = LogVerdict::Quarantined;
    let record = build(&[&first, &result, &done]);
    assert!(
        state(&record).is_open(),
        "a captured node's release past its cut clears nothing"
    );

    let mut other = first.clone();
    other.verdict = LogVerdict::Quarantined;
    let record = build(&[&other]);
    assert_eq!(
        state(&record).open_holds.len(),
        1,
        "its hold past the cut still holds"
    );

    assert!(
        record.field("type").is_none(),
        "and its document stays empty"
    );
}

#[test]
fn what_a_newer_version_says_is_kept_merged_and_shown_as_unknown() {
    let mut wld = desk(1, "WLD", Role::Crossing, Lane::Passage, "WLD");
    let mut first = wld.say("of-port", None, &[], Passage::announce("in"));
    first.change.puts.push(Put {
        key: "drone.height_m".into(),
        value: Value::Int(40),
    });
    first.change.puts.sort_by(|a, b| a.key.cmp(&b.key));
    first
        .change
        .events
        .push(r#"{"drone":"D1","type":"drone.seen"}"#.into());
    first.change.events.push("not json".into());

    let record = build(&[&first]);
    assert_eq!(record.json()["fields"]["drone.height_m"], 40);

    let events: Vec<_> = record
        .events()
        .map(|e| (e.kind().to_string(), e.json()["known"].clone()))
        .collect();
    assert!(events.contains(&("drone.seen".into(), false.into())));
    assert_eq!(
        record
            .events()
            .find(|e| e.kind().is_empty())
            .unwrap()
            .refusal
            .as_ref()
            .unwrap()
            .code,
        "malformed_event"
    );
}

#[test]
fn a_record_reads_as_of_any_entry() {
    let mut rab = desk(1, "RAB", Role::Crossing, Lane::Passage, "RAB");
    let first = rab.say(
        "of-port",
        None,
        &[],
        Passage::announce("in").text("note", "one"),
    );

    let id = RecordId::of_first(&first.reference);
    let second = rab.say(
        "of-port",
        Some(id),
        &[first.reference],
        Passage::on().text("note", "two").gate_in("G1", "R1"),
    );

    let record = build(&[&first, &second]);
    let then = record.as_of(&[first.reference]).unwrap();
    assert_eq!(then.text("note").as_deref(), Some("one"));
    assert_eq!(state(&then).name, "ANNOUNCED");
    assert_eq!(
        view(&record.as_of(&[second.reference]).unwrap()),
        view(&record)
    );
    assert_eq!(view(&record.at_time(0).unwrap()), view(&then));
    assert!(record.save().len() > 10);
}

mod laws {
    use super::*;
    use rand::{Rng, RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};

    /// A random history: four nodes (two of them the record's crossing, one the hub, one foreign),
    /// fresh and stale screens, fields and events, some entries past a cut.
    fn history(r: &mut StdRng) -> Vec<JudgedChange> {
        let lane = [Lane::Passage, Lane::Hold, Lane::Customs][r.random_range(0..3)];
        let mut desks = [
            desk(1, "TRB", Role::Crossing, lane, "TRB"),
            desk(2, "TRB", Role::Crossing, lane, "TRB"),
            desk(3, "HUB", Role::Hub, lane, "TRB"),
            desk(4, "QAM", Role::Crossing, lane, "TRB"),
        ];

        let first = match lane {
            Lane::Hold => QuarantineHold::place(HoldType::Veterinary, "law"),
            Lane::Customs => CustomsEntry::store("agent", "A-1"),
            _ => Passage::announce("in"),
        };

        let mut rows = vec![desks[0].say("of-vet", None, &[], first)];
        let id = RecordId::of_first(&rows[0].reference);
        for _ in 0..r.random_range(1..24) {
            let who = r.random_range(0..4);
            let mut view: Vec<Reference> = (0..r.random_range(1..4))
                .map(|_| rows[r.random_range(0..rows.len())].reference)
                .collect();

            view.sort();
            view.dedup();
            let officer = OFFICERS[r.random_range(0..OFFICERS.len())].0;
            let draft = draft(lane, &rows, r);
            let mut said = desks[who].say(officer, Some(id), &view, draft);
            if r.random_bool(0.1) {
                said.verdict = LogVerdict::Quarantined;
            }

            rows.push(said);
        }

        rows
    }

    fn draft(lane: Lane, rows: &[JudgedChange], r: &mut StdRng) -> Draft {
        let n = r.random_range(0..3).to_string();
        let held = rows[0].reference.event_id(0);
        match (lane, r.random_range(0..6)) {
            (_, 0) => Draft::new(Kind::of_lane(lane).unwrap()).text("note", n),
            (Lane::Passage, 1) => Passage::on().gate_in("G", "R1").text("seal.1", n),
            (Lane::Passage, 2) => Passage::on().event("cleared", json!({})),
            (Lane::Passage, 3) => Passage::on().hand_over("QAM", "r"),
            (Lane::Passage, _) => Passage::on().gate_out("G", "R1"),
            (Lane::Hold, 1) => good_result(),
            (Lane::Hold, 2) => QuarantineHold::release(&[held], "of-vet-2"),
            (Lane::Hold, 3) => QuarantineHold::on().hand_over("QAM", "r"),
            (Lane::Hold, 4) => QuarantineHold::on().event("rejected", json!({"reason": "r"})),
            (Lane::Hold, _) => QuarantineHold::on().event(
                "hold.placed",
                json!({"type_of_hold": "VETERINARY", "legal_basis": "l"}),
            ),
            (_, 1) => CustomsEntry::assess(4, "IQD"),
            (_, 2) => CustomsEntry::on().hand_over("QAM", "r"),
            (_, 3) => CustomsEntry::on().event("lane.assigned", json!({"lane": "RED"})),
            (_, 4) => {
                CustomsEntry::on().event("lane.lowered", json!({"lane": "GREEN", "reason": "r"}))
            }
            (_, _) => CustomsEntry::on().text("goods.1.hs_code", format!("080{n}.90")),
        }
    }

    fn seeds() -> std::ops::Range<u64> {
        match std::env::var("WADI_SEED").ok().and_then(|s| s.parse().ok()) {
            Some(seed) => seed..seed + 1,
            None => 0..400,
        }
    }

    #[test]
    fn any_order_of_delivery_gives_the_same_record() {
        let (mut contested, mut waited) = (0, 0);
        for seed in seeds() {
            let mut r = StdRng::seed_from_u64(seed);
            let rows = history(&mut r);
            let afresh = build(&rows.iter().collect::<Vec<_>>());
            let id = afresh.id();

            contested += usize::from(!afresh.contested().is_empty());
            for _ in 0..4 {
                let mut order: Vec<&JudgedChange> = rows.iter().collect();
                order.shuffle(&mut r);
                let mut record: Option<Record> = None;
                for (n, said) in order.iter().enumerate() {
                    match &mut record {
                        None => record = Record::build(id, [(*said).clone()]),
                        Some(b) => b.add((*said).clone()),
                    }

                    if r.random_bool(0.2) {
                        record
                            .as_mut()
                            .unwrap()
                            .add(order[r.random_range(0..=n)].clone()); // duplicates
                    }

                    if r.random_bool(0.1) {
                        // A partial record equals one built afresh of the same part.
                        let part =
                            Record::build(id, order[..=n].iter().map(|s| (*s).clone())).unwrap();
                        assert_eq!(
                            view(record.as_ref().unwrap()),
                            view(&part),
                            "WADI_SEED={seed}"
                        );

                        waited += part
                            .rows()
                            .filter(|(_, r)| matches!(r, Verdict::Waits(_)))
                            .count();
                    }
                }

                assert_eq!(view(&record.unwrap()), view(&afresh), "WADI_SEED={seed}");
            }
        }

        assert!(
            seeds().count() == 1 || contested > 50 && waited > 200,
            "too tame: {contested} {waited}"
        );
    }

    #[test]
    fn a_late_cut_or_admission_gives_what_an_early_one_gives() {
        for seed in seeds() {
            let mut r = StdRng::seed_from_u64(seed);
            let rows = history(&mut r);
            let mut record = build(&rows.iter().collect::<Vec<_>>());
            let mut changed = rows.clone();

            for said in &mut changed {
                if r.random_bool(0.3) {
                    said.verdict = match said.verdict {
                        LogVerdict::Counts => LogVerdict::Quarantined,
                        LogVerdict::Quarantined => LogVerdict::Counts,
                    };
                    record.add(said.clone());
                }
            }

            let afresh = build(&changed.iter().collect::<Vec<_>>());
            assert_eq!(view(&record), view(&afresh), "WADI_SEED={seed}");
        }
    }

    #[test]
    fn no_event_text_breaks_a_record() {
        for seed in seeds() {
            let mut r = StdRng::seed_from_u64(seed);
            let mut rows = history(&mut r);
            for said in &mut rows {
                for event in &mut said.change.events {
                    let mut bytes = event.clone().into_bytes();
                    let at = r.random_range(0..bytes.len());
                    bytes[at] = (r.next_u32() & 0x7f) as u8;
                    *event = String::from_utf8(bytes).unwrap();
                }
            }

            let record = build(&rows.iter().collect::<Vec<_>>());
            let _ = (record.json(), state(&record), terms(&record));
        }
    }
}

#[test]
fn what_one_entry_says_stands_in_the_order_in_which_it_was_said() {
    let (mut qam, _, first, id, _) = vet_hold();
    let steps = ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8"];
    let said = steps.iter().fold(QuarantineHold::on(), |draft, sample| {
        draft.event("sample.taken", json!({"sample": sample}))
    });
    let said = qam.say("of-vet", Some(id), &[first.reference], said);

    let record = build(&[&first, &said]).json();
    let events = record["events"].as_array().unwrap().iter();
    let samples: Vec<&str> = events
        .filter_map(|e| e["data"]["sample"].as_str())
        .collect();
    assert_eq!(samples, steps);
}
