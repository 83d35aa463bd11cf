//! What nobody thought of fails on one record, alike on every node, and ends nothing else.

#![cfg(debug_assertions)]

mod desk;

use desk::{build, desk};
use serde_json::json;
use wadi_log::*;
use wadi_record::*;

const POISON: &str = "a word that nobody thought of";

#[test]
fn an_entry_that_fails_is_refused_and_a_record_that_fails_holds_on_to_what_it_held() {
    let mut trb = desk(1, "TRB", Role::Crossing, Lane::Hold, "TRB");
    let placed = QuarantineHold::place(HoldType::Veterinary, "law").text("target.term", "22A1");
    let first = trb.say("of-vet", None, &[], placed);
    let id = RecordId::of_first(&first.reference);
    let remark = |text: &str| QuarantineHold::on().event("remark", json!({"text": text}));
    let poison = trb.say("of-vet", Some(id), &[first.reference], remark(POISON));
    let after = trb.say("of-vet", Some(id), &[poison.reference], remark("after"));
    let rows = [&first, &poison, &after];
    let whole = build(&rows);

    // An entry on which judging fails is refused; all else counts, whichever way it came.
    trip_over(Some((Trip::Judging, POISON)));
    let afresh = build(&rows);
    let mut added = build(&[&first]);
    let objection = added.objection_to(&poison, false);
    assert!(matches!(objection, Some(Objection::Refused(r)) if r.code == "derivation_failed"));
    let _ = state(&added);
    added.add(poison.clone());
    added.add(after.clone());
    for record in [&afresh, &added] {
        let (_, verdict) = record.row(&poison.reference).unwrap();
        assert!(matches!(verdict, Verdict::Refused(r) if r.code == "derivation_failed"));
        assert_eq!(record.row(&after.reference).unwrap().1, &Verdict::Counts);
        assert!(state(record).is_open());
    }
    assert_eq!(desk::view(&afresh), desk::view(&added));

    // A record that cannot be folded is shown as one, and holds the truck that it held.
    trip_over(Some((Trip::Folding, POISON)));
    let projection = build(&rows).projection();
    assert_eq!(projection.state.name, "UNREADABLE");
    assert_eq!(projection.state.open_holds, [UNPLACED]);
    assert!(held_now(&projection.json) && projection.json["unreadable"] == true);
    assert_eq!(projection.terms, terms(&whole));
    assert_eq!(build(&rows).json(), projection.json);

    trip_over(Some((Trip::Terms, POISON)));
    assert_eq!(build(&rows).projection().state.name, "UNREADABLE");

    // One whose entries cannot be put in order has none that counts.
    trip_over(Some((Trip::Ordering, POISON)));
    let record = build(&rows);
    let is_refused = |verdict: &Verdict| match verdict {
        Verdict::Refused(refusal) => refusal.code == "derivation_failed",
        _ => false,
    };
    assert!(record.rows().all(|(_, verdict)| is_refused(verdict)));
    assert_eq!(state(&record).open_holds, [UNPLACED]);
    let _ = (record.projection(), record.heads(), record.digest());

    trip_over(None);
    assert_eq!(desk::view(&build(&rows)), desk::view(&whole));
}
