//! Stories of officers who sign what they decide with keys of their own, and of those who would
//! have others' decisions pass for theirs.

mod desk;

use desk::{Desk, build, desk};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};
use wadi_log::*;
use wadi_record::*;
use wadi_store::defence::{SWITCHABLE, fails_without};

/// The key of the customs officer, and one of nobody here.
const HIS: [u8; 32] = [41; 32];
const ANOTHERS: [u8; 32] = [42; 32];

/// Defences, each with the story that fails without it.
const DEFENCES: [(&str, &str); 4] = [
    (
        "signed-decisions",
        "where_signatures_are_asked_for_a_decision_without_one_does_not_count",
    ),
    (
        "officer-keys",
        "a_key_that_is_not_the_officers_or_was_taken_back_signs_nothing",
    ),
    (
        "decision-signature",
        "a_signature_is_good_for_one_decision_on_one_record_by_one_officer",
    ),
    (
        "signed-within",
        "a_decision_that_was_signed_is_not_kept_for_another_day",
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

/// A hold of customs at Trebil, placed and searched.
struct Held {
    trb: Desk,
    placed: JudgedChange,
    found: JudgedChange,
    id: RecordId,
}

fn held() -> Held {
    // Records know no environment: what is turned off is handed in.
    wadi_store::defence::off("signed-decisions");
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Hold, "TRB");
    let placed = QuarantineHold::place(HoldType::Customs, "order 7");
    let placed = trb.say("of-cus", None, &[], placed);
    let id = RecordId::of_first(&placed.reference);
    let found = QuarantineHold::on().event("search.found", json!({"findings": "nothing"}));
    let found = trb.say("of-cus", Some(id), &[placed.reference], found);

    Held {
        trb,
        placed,
        found,
        id,
    }
}

impl Held {
    /// A seizure, not signed.
    fn seizure(&mut self, number: &str) -> JudgedChange {
        let draft = QuarantineHold::on().event("seized", json!({"seizure_no": number}));
        let based_on = [self.found.reference];
        let mut said = self.trb.say("of-cus", Some(self.id), &based_on, draft);
        said.common.wall_ms = 1_000_000;
        self.judged(said, SignedDecisions::Required, &[HIS])
    }

    /// The same entry judged by a policy and by keys of the officer's.
    fn judged(
        &self,
        mut said: JudgedChange,
        asked: SignedDecisions,
        seeds: &[[u8; 32]],
    ) -> JudgedChange {
        said.judge.policy = Arc::new(Policy {
            signed_decisions: asked,
            ..Policy::default()
        });

        let keys: BTreeSet<SshKey> = seeds
            .iter()
            .map(|seed| SshSignature::sign(seed, "any", b"").key)
            .collect();
        let mut officers = (*said.judge.officers).clone();
        officers.get_mut("of-cus").unwrap().keys = keys;
        said.judge.officers = Arc::new(officers);
        said
    }

    fn record(&self, said: &JudgedChange) -> Record {
        build(&[&self.placed, &self.found, said])
    }

    /// How the decision stands: the code under which it is refused, none where it counts.
    fn refused(&self, said: &JudgedChange) -> Option<&'static str> {
        let record = self.record(said);
        let seized = record.events().find(|e| e.kind() == "seized").unwrap();
        let code = seized.refusal.as_ref().map(|r| r.code);
        assert_eq!(
            state(&record).name == "SEIZED",
            code.is_none(),
            "{:?}",
            seized.refusal
        );
        code
    }
}

/// The statement of an entry, as the key signs it at that time.
fn statement(said: &JudgedChange, signed_at_ms: i64) -> String {
    let log = said.reference.log;
    let statement = DecisionStatement {
        node: log.node,
        crossing: log.crossing,
        lane: log.lane,
        record: said.change.record.unwrap(),
        based_on: &said.change.based_on,
        puts: &said.change.puts,
        events: &said.change.events,
        common: &said.common,
        signed_at_ms,
    };
    statement.text().unwrap()
}

/// The same entry with a signature in it.
fn with(mut said: JudgedChange, signature: &SshSignature, signed_at_ms: i64) -> JudgedChange {
    let event = serde_json::Value::Object(signature_event(signature, signed_at_ms));
    let text = serde_json_canonicalizer::to_string(&event).unwrap();
    said.change.events.push(text);
    said
}

/// The same entry, signed at that time.
fn signed(said: JudgedChange, seed: &[u8; 32], signed_at_ms: i64) -> JudgedChange {
    let text = statement(&said, signed_at_ms);
    let signature = SshSignature::sign(seed, DECISION_NAMESPACE, text.as_bytes());
    with(said, &signature, signed_at_ms)
}

#[test]
fn where_signatures_are_asked_for_a_decision_without_one_does_not_count() {
    let mut held = held();
    let seizure = held.seizure("7");
    assert_eq!(held.refused(&seizure), Some("decision_unsigned"));

    let by_him = signed(seizure.clone(), &HIS, 999_000);
    assert_eq!(held.refused(&by_him), None);
    let record = held.record(&by_him);
    let key = SshSignature::sign(&HIS, "any", b"").key;
    assert_eq!(record.signed_by(&by_him.reference), Some(key));
    let told = &record.signatures_json()[&by_him.reference];
    assert_eq!(told["state"], "signed");

    // Where nothing is asked for it counts either way, and says that it is not signed.
    for asked in [SignedDecisions::None, SignedDecisions::Warn] {
        let unsigned = held.judged(seizure.clone(), asked, &[HIS]);
        assert_eq!(held.refused(&unsigned), None);
        let told = &held.record(&unsigned).signatures_json()[&unsigned.reference];
        assert_eq!(told["state"], "unsigned");
    }

    // What holds something back needs none: a truck is held at once.
    assert_eq!(held.record(&by_him).objection(&held.placed.reference), None);
}

#[test]
fn a_key_that_is_not_the_officers_or_was_taken_back_signs_nothing() {
    let mut held = held();
    let seizure = held.seizure("7");

    let by_another = signed(seizure.clone(), &ANOTHERS, 999_000);
    assert_eq!(held.refused(&by_another), Some("decision_key"));

    let taken_back = held.judged(
        signed(seizure.clone(), &HIS, 999_000),
        SignedDecisions::Required,
        &[],
    );
    assert_eq!(held.refused(&taken_back), Some("decision_key"));

    // Asked for or not, a signature that is none is told: the decision stands as one without.
    let unasked = held.judged(by_another, SignedDecisions::None, &[HIS]);
    assert_eq!(held.refused(&unasked), None);
    let record = held.record(&unasked);
    let told = &record.signatures_json()[&unasked.reference];
    assert_eq!(told["state"], "bad");
    assert_eq!(told["code"], "decision_key");
    assert_eq!(record.signed_by(&unasked.reference), None);
}

#[test]
fn a_signature_is_good_for_one_decision_on_one_record_by_one_officer() {
    let mut held = held();
    let seizure = held.seizure("7");
    let at_ms = 999_000;
    let text = statement(&seizure, at_ms);
    let his = SshSignature::sign(&HIS, DECISION_NAMESPACE, text.as_bytes());
    assert_eq!(held.refused(&with(seizure.clone(), &his, at_ms)), None);

    // Moved to another decision, record, screen, time, officer or node.
    let other_decision = held.seizure("8");
    let mut other_screen = seizure.clone();
    other_screen.change.based_on = vec![held.placed.reference];
    let mut other_time = seizure.clone();
    other_time.common.happened_ms = Some(5);
    let mut more = seizure.clone();
    more.change.puts.push(Put {
        key: "note".into(),
        value: Value::Text("all of it".into()),
    });
    let mut other_department = seizure.clone();
    other_department.common.department = "HUB".into();

    for moved in [other_decision, other_screen, other_time, more] {
        let moved = with(moved, &his, at_ms);
        assert_eq!(held.refused(&moved), Some("decision_signature"));
    }
    let told = own_signature(
        &seizure.reference,
        &other_department.common,
        &with(seizure.clone(), &his, at_ms).change,
    );
    assert!(!told.unwrap().unwrap().holds, "of another department");

    let mut other_node = seizure.reference;
    other_node.log.node = NodeId([9; 16]);
    let change = with(seizure.clone(), &his, at_ms).change;
    let told = own_signature(&other_node, &seizure.common, &change);
    assert!(!told.unwrap().unwrap().holds, "of another node");

    let mut other_record = change.clone();
    other_record.record = Some(RecordId([9; 32]));
    let told = own_signature(&seizure.reference, &seizure.common, &other_record);
    assert!(!told.unwrap().unwrap().holds, "of another record");

    // Said at another time than it was signed for, and signed for something else altogether.
    let later = with(seizure.clone(), &his, at_ms + 1);
    assert_eq!(held.refused(&later), Some("decision_signature"));
    let for_git = SshSignature::sign(&HIS, "git", text.as_bytes());
    let for_git = with(seizure.clone(), &for_git, at_ms);
    assert_eq!(held.refused(&for_git), Some("decision_signature"));

    // Twice is none, and so is one that is not written as it has to be.
    let twice = with(with(seizure.clone(), &his, at_ms), &his, at_ms);
    assert_eq!(held.refused(&twice), Some("decision_signature"));
    let mut wrapped = seizure;
    let event = json!({
        "type": "decision.signed", "signed_at_ms": at_ms,
        "signature": his.armored(DECISION_NAMESPACE),
    });
    let event = serde_json_canonicalizer::to_string(&event).unwrap();
    wrapped.change.events.push(event);
    assert_eq!(held.refused(&wrapped), Some("decision_signature"));
}

#[test]
fn a_decision_that_was_signed_is_not_kept_for_another_day() {
    let mut held = held();
    let seizure = held.seizure("7");
    let said_ms = seizure.common.wall_ms;
    for (signed_ms, refused) in [
        (said_ms, None),
        (said_ms - SIGNED_WITHIN_MS, None),
        (said_ms - SIGNED_WITHIN_MS - 1, Some("decision_signature")),
        (said_ms + 60_000, None),
        (said_ms + 60_001, Some("decision_signature")),
    ] {
        let said = signed(seizure.clone(), &HIS, signed_ms);
        assert_eq!(held.refused(&said), refused, "{}", said_ms - signed_ms);
    }
}

#[test]
fn a_signature_comes_to_the_same_in_whatever_order_entries_come() {
    let mut held = held();
    let seizure = held.seizure("7");
    let good = signed(seizure.clone(), &HIS, 999_000);
    let bad = signed(seizure, &ANOTHERS, 999_000);
    for said in [good, bad] {
        let rows = [&held.placed, &held.found, &said];
        let whole = desk::view(&build(&rows));
        for order in [[2, 0, 1], [1, 2, 0], [2, 1, 0]] {
            let mut record = Record::build(held.id, [rows[order[0]].clone()]).unwrap();
            record.add(rows[order[1]].clone());
            record.add(rows[order[2]].clone());
            assert_eq!(desk::view(&record), whole);
        }
    }
}

#[test]
fn foreign_bytes_in_the_place_of_a_signature_are_refused_and_nothing_breaks() {
    let mut held = held();
    let seizure = held.seizure("7");
    for (signature, at_ms) in [
        (json!("A".repeat(10_000)), json!(999_000)),
        (json!(""), json!(999_000)),
        (json!(7), json!(999_000)),
        (json!(["x"]), json!("now")),
        (json!("U1NIU0lH"), json!(i64::MIN)),
    ] {
        let event = json!({
            "type": "decision.signed", "signature": signature, "signed_at_ms": at_ms,
        });
        let mut said = seizure.clone();
        let event = serde_json_canonicalizer::to_string(&event).unwrap();
        said.change.events.push(event);
        assert_eq!(held.refused(&said), Some("decision_signature"));
    }

    // Text that names the event and is none.
    for event in [
        r#"{"note":"decision.signed"}"#,
        r#"{"type":["decision.signed"]}"#,
        r#""decision.signed""#,
        "decision.signed",
    ] {
        let mut said = seizure.clone();
        said.change.events.push(event.into());
        assert_ne!(held.refused(&said), Some("decision_signature"), "{event}");
    }
}
