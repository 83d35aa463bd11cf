//! One cause, one finding: what somebody repeats is counted, and a decision on it stands.

use crate::{causes::FINDINGS_MAX, tests::*, *};
use serde_json::{Value as Json, json};

fn refused(kind: &str, officer: &str, n: i64, code: &str) -> Json {
    let mut e = event(kind, n, json!({"holds": ["x"]}));
    e["officer"] = officer.into();

    // Two hundred and fifty of them ride in one entry.
    e["entry"] = format!("trb/log{}@{}:leaf", n / 1_000_000, n / 250).into();
    e["id"] = format!("event {n}").into();
    e["counts"] = false.into();
    e["refused"] = json!({"code": code, "why": "PORT may not say it"});

    e
}

fn found(events: &[Json]) -> Vec<Finding> {
    let all = reconcile(&dossier(hold("H1", json!({}), events), vec![], i64::MAX));
    all.into_iter().filter(|f| f.rule.code == "R21").collect()
}

fn repeated(count: i64) -> Vec<Finding> {
    let all: Vec<Json> = (0..count)
        .map(|n| refused("released", "OF-9", n, "no_authority"))
        .collect();
    found(&all)
}

#[test]
fn fifteen_thousand_refusals_of_one_officer_are_one_finding_that_names_the_ends() {
    let all = repeated(15_000);
    assert_eq!(all.len(), 1);

    let evidence = &all[0].contradiction.evidence;
    assert_eq!(evidence["count"], 15_000);
    assert_eq!(evidence["events"]["of"], 60);
    assert_eq!(evidence["events"]["first"].as_array().unwrap().len(), 10);
    assert_eq!(evidence["events"]["last"][9], "trb/log0@59:leaf");
    assert!(
        all[0].text.ends_with("(and 14999 more of this kind)"),
        "{}",
        all[0].text
    );
}

#[test]
fn a_repetition_undoes_no_decision_and_a_flood_does() {
    let digest = |count| repeated(count)[0].evidence_digest.clone();
    let same_id = repeated(1)[0].id == repeated(15_000)[0].id;
    assert!(same_id);
    assert_ne!(digest(1), digest(2));
    assert_eq!(digest(2), digest(9));
    assert_ne!(digest(9), digest(10));
    assert_eq!(digest(1_000), digest(9_999));
}

#[test]
fn another_officer_another_act_and_another_reason_are_other_causes() {
    let both = |a: Json, b: Json| found(&[a, b]).len();
    let one = || refused("released", "OF-9", 1, "no_authority");
    assert_eq!(
        both(one(), refused("released", "OF-8", 2, "no_authority")),
        2
    );
    assert_eq!(both(one(), refused("seized", "OF-9", 2, "no_authority")), 2);
    assert_eq!(
        both(one(), refused("released", "OF-9", 2, "no_second_officer")),
        2
    );

    // Whoever invents an officer for each act is told by the log that says it.
    let invented: Vec<Json> = (0..500)
        .map(|n| refused("released", &format!("OF-{n}"), n, "unregistered_officer"))
        .collect();
    assert_eq!(found(&invented).len(), 1);
}

#[test]
fn too_many_causes_are_told_in_one_line_beyond_the_first_hundred() {
    let all: Vec<Json> = (0..400)
        .map(|n| refused("released", &format!("OF-{n:03}"), n, "no_authority"))
        .collect();
    let found = found(&all);
    assert_eq!(found.len(), FINDINGS_MAX + 1);

    let rest = found.last().unwrap();
    assert_eq!(rest.contradiction.evidence["count"], 300);
    assert!(rest.text.starts_with("300 more findings"), "{}", rest.text);

    assert_eq!(rest.phase, Phase::Firm);
}

#[test]
fn a_repetition_makes_no_firm_finding_wait_again() {
    let stray = |at: i64| event("fuelled", at, json!({}));
    let truck = |more: &[Json]| {
        let gates = [
            event("gate.in", HOUR_MS, json!({})),
            event("gate.out", 2 * HOUR_MS, json!({})),
        ];
        passage("P1", json!({}), &[&gates, more].concat())
    };

    let at = |truck: Facts| {
        let all = reconcile(&dossier(truck, vec![], 4 * HOUR_MS));
        all.into_iter().find(|f| f.rule.code == "R05").unwrap()
    };
    let once = at(truck(&[stray(3 * HOUR_MS)]));
    let twice = at(truck(&[stray(3 * HOUR_MS), stray(5 * HOUR_MS)]));
    assert_eq!((once.phase, twice.phase), (Phase::Firm, Phase::Firm));
    assert_eq!(
        (&once.id, &once.evidence_digest),
        (&twice.id, &twice.evidence_digest),
        "the second may be explained yet"
    );

    let waiting = at(truck(&[stray(6 * HOUR_MS), stray(5 * HOUR_MS)]));
    assert_eq!(
        (waiting.phase, waiting.contradiction.through_ms),
        (Phase::Pending, 5 * HOUR_MS)
    );
}

#[test]
fn a_sentence_and_its_evidence_are_of_bounded_length() {
    let claims: Vec<Json> = (0..200)
        .map(|n| json!({"value": "ن".repeat(16_000), "at_ms": n}))
        .collect();
    let contested =
        entry("E1", json!({}), &[]).with("contested", json!({"goods.1.hs_code": claims}));
    let d = dossier(contested, vec![], 0);
    let found = reconcile(&d)
        .into_iter()
        .find(|f| f.rule.code == "R13")
        .unwrap();
    assert!(found.json(&d.anchor).to_string().len() < 32_000);
    assert_eq!(found.contradiction.evidence["claims"]["of"], 200);
}

#[test]
fn a_dossier_that_was_cut_says_so_in_its_findings_and_changes_none_of_them() {
    let whole = dossier(
        passage(
            "P1",
            json!({}),
            &[event("weighed", 5, json!({"attested_by": "OF-1"}))],
        ),
        vec![],
        9,
    );

    let mut cut = whole.clone();
    cut.cut
        .insert("passage".into(), DossierCut { taken: 64, of: 400 });
    let one = |d: &Dossier| {
        reconcile(d)
            .into_iter()
            .find(|f| f.rule.code == "R22")
            .unwrap()
    };

    assert_eq!(
        (one(&whole).id, one(&whole).evidence_digest),
        (one(&cut).id, one(&cut).evidence_digest)
    );
    assert!(
        one(&cut)
            .text
            .ends_with("[only 64 of 400 records of kind passage were looked at]")
    );

    assert_eq!(
        one(&cut).json(&cut.anchor)["dossier_cut"],
        json!({"passage": {"taken": 64, "of": 400}})
    );
    assert!(one(&whole).json(&whole.anchor)["dossier_cut"].is_null());
}
