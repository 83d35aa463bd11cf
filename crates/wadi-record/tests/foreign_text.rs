//! Text and numbers that anybody may send: nothing here slices, sums or parses its way into a
//! panic.

mod desk;

use desk::{build, desk};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use wadi_log::{Lane, RecordId, Role, Value};
use wadi_record::*;

/// Every name of a field, of this version and of none, with a number or something else in it.
fn field_name() -> impl Strategy<Value = (Kind, String)> {
    let known = prop::sample::select(FIELDS).prop_flat_map(|row| {
        let number = prop_oneof![Just("1".to_string()), "[0-9٣é]{0,5}"];
        (prop::sample::select(row.kinds), number)
            .prop_map(move |(kind, n)| (kind, row.name.replace('N', &n)))
    });
    prop_oneof![4 => known, 1 => (prop::sample::select(&Kind::ALL[..]), ".{0,20}")]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,90}",
        "[٠-٩é<A-Z0-9\u{10348}+.\n]{0,130}",
        "[a-f0-9é]{60,66}"
    ]
}

/// Beside a draft nothing is known but the time.
fn nothing_known(now_ms: i64) -> DraftContext<'static> {
    DraftContext {
        now_ms,
        ahead_ms: 0,
        said_ms: now_ms,
        record: None,
        crossings: &BTreeSet::new,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_value_breaks_a_check_or_a_projection((kind, field) in field_name(), text in any_text(), number: i64) {
        for value in [Value::Text(text.clone()), Value::Int(number)] {
            let _ = (check_put(kind, &field, &value), warnings(&field, &value));
        }
        let forms = [
            normalise_plate, normalise_reference, normalise_document, normalise_hs_code, normalise_country,
            normalise_target,
        ];
        for form in forms {
            prop_assert_eq!(form(&form(&text)), form(&text));
        }
        for now_ms in [number, i64::MAX] {
            let zone = Zone::read(&text, now_ms);
            prop_assert!(!zone.failed() || zone.warnings().next().is_some());
        }
        let doubts = Draft::new(kind).text(&field, text.as_str()).doubts(&nothing_known(number));
        prop_assert!(doubts.len() <= 1);
        let _ = (goods_terms(&text, &text), plate_shape(&normalise_plate(&text)), term(&text));
        let _ = (Policy::read(&text), text.parse::<Kind>(), text.parse::<Department>());

        // What a newer version takes is not checked here, and merged and shown all the same.
        let mut site = desk(1, "TRB", Role::Crossing, kind.lane(), "TRB");
        let mut first = site.say("of-port", None, &[], Draft::new(kind).text("note", "n"));
        first.change.puts = vec![wadi_log::Put { key: field, value: Value::Text(text) }];
        first.common.wall_ms = number;
        let record = build(&[&first]);
        let _ = (record.json(), record.blame_json(), terms(&record), state(&record).line());
    }

    #[test]
    fn no_event_breaks_a_check_or_a_fold(
        event in 0..EVENTS.len(),
        text in any_text(),
        number: i64,
        times in (any::<i64>(), any::<i64>()),
        lane in prop::sample::select(&Lane::ALL[..]),
    ) {
        let Some(kind) = Kind::of_lane(lane) else { return Ok(()) };
        let mut members = json!({"type": EVENTS[event].name});
        for (n, member) in EVENTS[event].members.iter().enumerate() {
            members[member.name] = if n % 2 == 0 { Json::from(text.as_str()) } else { Json::from(number) };
        }
        let members_of = members.as_object().unwrap();
        let draft = Draft { kind, fields: Default::default(), events: vec![members_of.clone()] };
        let _ = (check_event(kind, members_of), draft.doubts(&nothing_known(number)));

        let mut site = desk(1, "TRB", Role::Crossing, lane, "TRB");
        let mut first = site.say("of-port", None, &[], Draft::new(kind).text("note", "n"));
        first.change.events = vec![serde_json_canonicalizer::to_string(&members).unwrap(), text];
        first.common.wall_ms = times.0;
        let id = RecordId::of_first(&first.reference);
        let mut second = site.say("of-port", Some(id), &[first.reference], Draft::new(kind).text("note", "m"));
        second.common.wall_ms = times.1;
        second.change.events = first.change.events.clone();
        let record = build(&[&first, &second]);
        let json = record.json();
        let _ = (record.blame_json(), terms(&record), state(&record).line(), held_at(&json, number), held_now(&json));
    }
}
