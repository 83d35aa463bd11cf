//! Records that a hostile or broken author wrote: no rule ends on one, and one that does ends for
//! itself.

use crate::{contained::judge_each, tests::*, *};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use wadi_record::EVENTS;
use wadi_words::Language;

/// A rule that fails on whatever lies before it, as one with a fault would.
const FAULTY: Rule = Rule {
    code: "R98",
    name: "faulty",
    severity: 1,
    sentences: &[],
    judge: |_| panic!("مخالفة: the record's own text"),
};
const SOUND: Rule = Rule {
    code: "R99",
    name: "sound",
    severity: 2,
    sentences: &[],
    judge: |d| vec![Contradiction::new("it", 5, said(&d.anchor.id), json!({}))],
};
const WITH_A_FAULT: &[Rule] = &[SOUND, FAULTY, SOUND];

#[test]
fn a_rule_that_fails_is_a_finding_of_its_own_and_the_others_go_on() {
    let d = dossier(
        passage("P1", json!({"vehicle.plate": "مركبة"}), &[]).with("id", json!("TRB-P-1")),
        vec![],
        0,
    );

    let found = judge_each(WITH_A_FAULT, &d);
    let codes: Vec<&str> = found.iter().map(|f| f.rule.code).collect();
    assert_eq!(codes, ["R99", "R00", "R99"]);

    let failure = &found[1];
    assert_eq!((failure.phase, failure.rule.severity), (Phase::Firm, 1));
    assert_eq!(
        failure.contradiction.evidence,
        json!({"rule": "R98", "record": "TRB-P-1"})
    );

    let text = &failure.text;
    assert!(
        text.contains("R98") && text.contains("TRB-P-1") && text.is_ascii(),
        "{text}"
    );

    // What the faulty rule found before stands, and what the others found does not stand by that.
    assert!(stands_unjudged(&d, &found, "R98"));
    assert!(!stands_unjudged(&d, &found, "R99") && !stands_unjudged(&d, &found, "R00"));
}

#[test]
fn a_record_that_does_not_read_is_told_and_what_was_found_with_it_stands() {
    let nested = format!("{{\"events\":{}{}}}", "[".repeat(200), "]".repeat(200));
    for text in ["", "[1]", "null", "{\"id\":", nested.as_str()] {
        let broken = Facts::read("H1".into(), "TRB-H-1", "hold", "TRB", text, 7);
        assert!(broken.is_unreadable(), "{text:?}");

        let own = dossier(broken.clone(), vec![], 0);
        let found = reconcile(&own);
        assert_eq!(
            found.iter().map(|f| f.rule.code).collect::<Vec<_>>(),
            ["R00"]
        );
        assert!(stands_unjudged(&own, &found, "R02"));

        // What it held does not leave unseen because the hold does not read any more.
        let truck = dossier(passage("P1", json!({}), &[]), vec![broken], 0);
        assert!(stands_unjudged(&truck, &reconcile(&truck), "R02"));
    }

    let whole = Facts::read(
        "H1".into(),
        "TRB-H-1",
        "hold",
        "TRB",
        "{\"kind\":\"hold\"}",
        7,
    );

    assert!(!whole.is_unreadable() && whole.began_ms() == 7);
}

/// A small source of chance that everybody can replay.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Texts that cut badly, compare oddly, or are not what they are taken for.
const TEXTS: [&str; 20] = [
    "",
    "P0",
    "P1",
    "P2",
    "TRB",
    "QAM",
    "OF-1",
    "in",
    "out",
    "goods",
    "aوثيقة-سفر-طويلة",
    "١١-أ-١٢٣٤٥",
    "🚚🚚🚚🚚🚚",
    "\u{0}\u{202e}x",
    "9223372036854775807",
    "2026-02-28",
    "-9223372036854775808-1-1",
    "0803.90",
    "satisfactory",
    "unsatisfactory",
];
const NUMBERS: [i64; 12] = [
    i64::MIN,
    i64::MIN + 1,
    -1,
    0,
    1,
    2,
    1_000,
    3_600_000,
    1 << 40,
    i64::MAX / 2,
    i64::MAX - 1,
    i64::MAX,
];
const FIELDS: [&str; 34] = [
    "direction",
    "purpose",
    "vehicle.plate",
    "vehicle.vin",
    "trailer.plate",
    "container.1",
    "container.2",
    "seal.1",
    "transit.ref",
    "declared_exit",
    "person.1.document_hash",
    "person.2.document_hash",
    "target.term",
    "hs_code",
    "quantity",
    "unit",
    "certificate.ref",
    "certificate.net_g",
    "certificate.1",
    "certificate.1.net_g",
    "due_at_ms",
    "declarant",
    "declarant_ref",
    "total_packages",
    "currency",
    "invoice_minor",
    "goods.1.hs_code",
    "goods.1.gross_g",
    "goods.1.net_g",
    "goods.1.packages",
    "goods.1.statistical_value_minor",
    "goods.2.hs_code",
    "goods.2.gross_g",
    "goods.2.net_g",
];
const MEMBERS: [&str; 44] = [
    "record",
    "holds",
    "to",
    "from",
    "officer",
    "sample",
    "outcome",
    "code",
    "secondary",
    "gross_kg",
    "tare_kg",
    "net_kg",
    "scale",
    "calibration_due",
    "packages",
    "quantity",
    "slot",
    "temp_c",
    "amount_minor",
    "duty_minor",
    "currency",
    "due_at",
    "token",
    "scope",
    "entries",
    "documents",
    "states",
    "seals",
    "seal_before",
    "reason",
    "operator",
    "attested_by",
    "second_officer",
    "witness",
    "weighing",
    "lane",
    "check",
    "plate",
    "container",
    "document_hash",
    "term",
    "finding",
    "evidence",
    "phase",
];
const KINDS: [&str; 8] = [
    "passage",
    "passage",
    "passage",
    "hold",
    "hold",
    "customs-entry",
    "customs-entry",
    "مجهول",
];
const STATES: [&str; 8] = [
    "",
    "EXITED",
    "CANCELLED",
    "RELEASED",
    "VOID",
    "ADMITTED",
    "DESTROYED",
    "TURNED_BACK",
];
const FLAGS: [&str; 5] = [
    "RED",
    "HANDED_OVER",
    "CANCEL_REQUESTED",
    "DETAINED",
    "CONTESTED",
];

fn value(r: &mut Chance, depth: usize) -> Json {
    match r.below(if depth == 0 { 6 } else { 9 }) {
        0..3 => (*r.of(&TEXTS)).into(),
        3 | 4 => (*r.of(&NUMBERS)).into(),
        5 => r
            .of(&[
                json!(null),
                json!(true),
                json!(u64::MAX),
                json!(-0.5),
                json!(1e308),
                json!(2.5),
            ])
            .clone(),
        6 | 7 => (0..r.below(3)).map(|_| value(r, depth - 1)).collect(),
        _ => (0..r.below(3))
            .map(|_| (r.of(&MEMBERS).to_string(), value(r, depth - 1)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

/// What a field or member holds where its author means it: few values, so that records meet.
fn meant(r: &mut Chance, name: &str) -> Json {
    let texts: &[&str] = match name {
        "vehicle.plate" | "trailer.plate" => &["11O123", "110123"],
        "vehicle.vin" => &["1M8GDM9AXKP042788", "1M8GDM9A1KP042788"],
        "direction" => &["in", "out"],
        "record" => &["P0", "P1", "P2"],
        "goods.1.hs_code" | "hs_code" => &["0803.90", "8517.13"],
        "target.term" => &["11O123", "aوثيقة-سفر-طويلة"],
        "person.1.document_hash" | "person.2.document_hash" => &["aوثيقة-سفر-طويلة"],
        "currency" => &["IQD"],
        "purpose" => &["goods"],
        "transit.ref" | "declarant_ref" | "declarant" | "seal.1" | "certificate.1"
        | "certificate.ref" => &["C1"],
        "container.1" | "container.2" => &["MSKU1", "MSKU2"],
        _ => return (*r.of(&NUMBERS)).into(),
    };

    (*r.of(texts)).into()
}

fn event_of(r: &mut Chance) -> Json {
    const COMMON: [&str; 6] = [
        "gate.in",
        "gate.out",
        "link",
        "released",
        "rad.adjudicated",
        "weighed",
    ];

    let mut data = serde_json::Map::new();
    if r.below(2) == 0 {
        data.insert("record".into(), meant(r, "record"));
    }

    for _ in 0..r.below(8) {
        data.insert(r.of(&MEMBERS).to_string(), value(r, 2));
    }

    let mut e = json!({
        "type": if r.below(3) == 0 { *r.of(&COMMON) } else { r.of(EVENTS).name },
        "at_ms": r.of(&NUMBERS),
        "counts": r.below(4) > 0,
        "data": data,
        "id": r.of(&TEXTS),
        "officer": r.of(&TEXTS),
        "entry": r.of(&TEXTS),
        "device": r.of(&TEXTS),
        "device_seq": r.of(&[0, 1, 2, 11, u64::MAX - 1, u64::MAX]),
        "attested": r.below(2) == 0,
    });

    if r.below(5) == 0 {
        let code = *r.of(&["no_authority", "unregistered_officer", "unseen_hold", "رفض"]);
        e["refused"] = json!({"code": code, "why": r.of(&TEXTS)});
        e["counts"] = false.into();
    }

    if r.below(8) == 0 {
        let member = *r.of(&[
            "type",
            "at_ms",
            "data",
            "id",
            "officer",
            "entry",
            "device_seq",
            "refused",
            "quarantined",
        ]);

        e[member] = value(r, 2);
    }

    e
}

fn placement_of(r: &mut Chance) -> Json {
    let end = |r: &mut Chance| json!({"at_ms": r.of(&NUMBERS), "reopened_ms": value(r, 0)});
    let ends: Vec<Json> = (0..r.below(2)).map(|_| end(r)).collect();
    json!({
        "id": r.of(&TEXTS),
        "entry": r.of(&TEXTS),
        "placed_ms": r.of(&NUMBERS),
        "open": r.below(2) == 0,
        "ends": ends,
    })
}

fn record(r: &mut Chance, id: &str) -> Facts {
    let mut fields = serde_json::Map::new();
    for _ in 0..r.below(16) {
        let name = *r.of(&FIELDS);
        let value = match r.below(8) {
            0 => value(r, 1),
            1 => json!(r.of(&TEXTS)),
            2 => json!(r.of(&NUMBERS)),
            _ => meant(r, name),
        };

        fields.insert(name.to_string(), value);
    }

    let events: Vec<Json> = (0..r.below(14)).map(|_| event_of(r)).collect();
    let mut json = json!({
        "fields": fields,
        "events": events,
        "state": r.of(&STATES),
        "flags": [r.of(&FLAGS)],
        "born_ms": r.of(&NUMBERS),
        "placements": (0..r.below(3)).map(|_| placement_of(r)).collect::<Vec<_>>(),
        "contested": {
            *r.of(&FIELDS): [{"value": value(r, 1), "at_ms": r.of(&NUMBERS)}, value(r, 1)],
        },
        "put_by": [{"entry": r.of(&TEXTS), "fields": [r.of(&FIELDS), r.of(&TEXTS)]}],
        "warnings": [r.of(&TEXTS)],
        "after_assessment": ["goods.1.net_g", r.of(&TEXTS)],
        "time_reversals": [{"entry": r.of(&TEXTS), "node": r.of(&TEXTS), "by_ms": r.of(&NUMBERS)}],
        "refused": [{"entry": r.of(&TEXTS), "code": "foreign_crossing", "why": r.of(&TEXTS)}],
    });

    if r.below(10) == 0 {
        let member = *r.of(&[
            "fields",
            "events",
            "state",
            "flags",
            "contested",
            "refused",
            "warnings",
            "placements",
            "put_by",
        ]);

        json[member] = value(r, 2);
    }

    let crossing = *r.of(&["TRB", "TRB", "QAM", "", "حدود"]);
    let kind = *r.of(&KINDS);
    facts(id, kind, crossing, json)
}

/// Makes a record an entry of bananas at some price, so that there is a market.
fn declare(r: &mut Chance, record: &mut Facts) {
    let price = *r.of(&NUMBERS);
    let fields = json!({
        "goods.1.hs_code": "0803.90",
        "goods.1.net_g": 1_000,
        "goods.1.statistical_value_minor": price,
    });
    *record = record
        .clone()
        .with("fields", fields)
        .with("kind", json!("customs-entry"));
}

fn case(r: &mut Chance) -> Dossier {
    let anchor = record(r, "P0");
    let linked = (1..r.below(6))
        .map(|n| record(r, &format!("P{n}")))
        .collect();
    let mut d = dossier(anchor, linked, *r.of(&NUMBERS));

    d.peers = (0..r.below(8))
        .map(|n| record(r, &format!("Q{n}")))
        .collect();
    d.revoked.insert(r.of(&TEXTS).to_string(), *r.of(&NUMBERS));
    d.knew
        .insert((r.of(&TEXTS).to_string(), r.of(&TEXTS).to_string()));
    d.claims.push(crate::ClaimedHead {
        decision: r.of(&TEXTS).to_string(),
        seen: r.of(&TEXTS).to_string(),
        node: r.of(&TEXTS).to_string(),
        claimed: r.of(&TEXTS).to_string(),
        of: r.of(&TEXTS).to_string(),
        crossing: r.of(&TEXTS).to_string(),
        size: u64::MAX,
        is_there: false,
    });
    d.clock_doubts.push(crate::ClockDoubt {
        entry: r.of(&TEXTS).to_string(),
        node: r.of(&TEXTS).to_string(),
        said_ms: *r.of(&NUMBERS),
        happened: r.below(2) == 0,
        after_ms: (r.below(2) == 0).then(|| *r.of(&NUMBERS)),
        before_ms: *r.of(&NUMBERS),
    });
    if r.below(6) == 0 {
        let all = std::iter::once(&mut d.anchor).chain(&mut d.peers);
        all.for_each(|record| declare(r, record));
    }

    if r.below(2) == 0 {
        let limit = *r.of(&[0, 1, u32::MAX]);
        let p = &mut d.policy;
        (p.counterpart_h, p.diversion_h, p.inland_h, p.transit_h) = (limit, limit, limit, limit);
        (p.hold_deadline_h, p.store_out_h, p.recall_h, p.shift_h) = (limit, limit, limit, limit);
        (
            p.clock_doubt_s,
            p.lookalike_h,
            p.forced_window_h,
            p.forced_max,
        ) = (limit, limit, limit, limit.min(3));

        (
            p.weight_permille,
            p.undervalue_permille,
            p.peers_min,
            p.sequence_back,
        ) = (limit, limit, limit.min(3), limit);

        p.speed_kmh = limit;
    }

    d
}

/// What a finding says is read in Arabic, from what its answer has of it, and a hostile text in it
/// turns nothing.
fn assert_read_in_arabic(found: &Finding, json: &Json) {
    let sentence = Sentence::deserialize(&json["sentence"]).expect("it reads");
    assert_eq!(sentence, found.contradiction.sentence);
    let told = Language::Arabic.finding_text(&sentence);
    let told = told.unwrap_or_else(|| panic!("{} is told in Arabic", sentence.id));

    let (opened, closed) = (told.matches('\u{2068}'), told.matches('\u{2069}'));
    assert_eq!(opened.count(), closed.count(), "{told:?}");
    assert!(!told.contains(['\u{0}', '\u{202e}']), "{told:?}");
}

#[test]
fn no_rule_ends_on_anything_that_a_record_may_hold() {
    // Read when the test is built: this crate asks nothing of its surroundings while it runs.
    let seed = option_env!("WADI_SEED")
        .and_then(|s| s.parse().ok())
        .unwrap_or(20_261_125);
    println!("WADI_SEED={seed}");

    let mut fired = BTreeSet::new();
    for n in 0..20_000 {
        let d = case(&mut Chance(seed + n));
        for found in reconcile(&d) {
            assert_ne!(found.rule.code, "R00", "case {n}: {} of {d:#?}", found.text);

            let json = found.json(&d.anchor);
            assert!(json.to_string().len() < 100_000);
            assert_read_in_arabic(&found, &json);
            fired.insert(found.rule.code);
        }
    }

    // A story in which nothing is ever found would hold nothing.
    assert!(fired.len() >= 28, "only {fired:?} found anything");
}

#[test]
fn terms_of_any_text_ask_for_a_bounded_number_of_others() {
    let mut r = Chance(7);
    for _ in 0..2_000 {
        let whats = [
            "plate",
            "target",
            "link",
            "device_seq",
            "goods",
            "hs",
            "acts",
            "شيء",
        ];

        let terms: Vec<(String, String)> = (0..r.below(40))
            .map(|_| {
                (
                    r.of(&whats).to_string(),
                    format!("{}#{}", r.of(&TEXTS), r.of(&NUMBERS)),
                )
            })
            .collect();

        let most = terms.len() * 401 + 1;
        assert!(
            asks(
                "self",
                &terms,
                &Policy {
                    sequence_back: u32::MAX,
                    ..Policy::default()
                }
            )
            .len()
                <= most
        );
    }
}
