//! What R32 finds, and what it does not.

use super::*;
use crate::{Phase, reconcile, tests::*};

fn change(field: &str, before: &str, at_ms: i64, after: Option<&str>) -> Json {
    json!({
        "field": field,
        "before": [before],
        "value": "99Z1",
        "officer": "OF-1",
        "department": "PORT",
        "at_ms": at_ms,
        "entry": format!("entry@{at_ms}"),
        "after": after,
        "reason": null,
    })
}

fn truck(changes: &[Json]) -> Facts {
    passage("P1", json!({"vehicle.plate": "99Z1"}), &[]).with("changed_after", json!(changes))
}

fn lookout(term: &str, placed_ms: i64, more: &[Json]) -> Facts {
    let placed = event("hold.placed", placed_ms, json!({}));
    let events = [&[placed], more].concat();
    hold("H1", json!({"target.term": term}), &events)
}

#[test]
fn what_rested_on_it_in_the_record_is_enough() {
    for after in ["cleared", "link"] {
        let changed = truck(&[change("vehicle.plate", "11A1", 5, Some(after))]);
        assert_eq!(
            firm("R32", changed.clone(), vec![]),
            [Phase::Firm],
            "{after}"
        );
        assert_eq!(phases("R32", &dossier(changed, vec![], 0)), [Phase::Firm]);
    }

    let goods = |field: &str| {
        let changes = json!([change(field, "1", 5, Some("assessed"))]);
        entry("E1", json!({}), &[]).with("changed_after", changes)
    };
    assert_eq!(firm("R32", goods("goods.1.hs_code"), vec![]), [Phase::Firm]);

    let mass = goods("goods.1.net_g").with("after_assessment", json!(["goods.1.net_g"]));
    assert_eq!(firm("R32", mass, vec![]), [], "R03 tells it");
    assert_eq!(firm("R32", truck(&[]), vec![]), []);
}

#[test]
fn what_others_have_seen_is_not_taken_back_as_an_error() {
    let found = |(officer, department, attested): (&str, &str, bool), mut said: Json| {
        said["officer"] = officer.into();
        said["department"] = department.into();
        said["attested"] = attested.into();
        let voided = event("voided", 9, json!({"reason": "a typing error"}));
        let truck = passage("P1", json!({}), &[said, voided]);
        assert_eq!(firm("R32", truck.clone(), vec![]), [], "it stands");
        firm("R32", truck.state_is("VOID"), vec![])
    };

    let weighed = || event("weighed", 5, json!({"gross_kg": 45_000}));
    assert_eq!(found(("OF-2", "OPS", true), weighed()), [Phase::Firm]);
    let check = event("check.opened", 5, json!({"check": "documents"}));
    assert_eq!(found(("OF-2", "CUS", false), check), [Phase::Firm]);
    let strange = event("scanned", 5, json!({"anomaly": true}));
    assert_eq!(found(("OF-2", "OPS", false), strange), [Phase::Firm]);

    assert_eq!(found(("OF-2", "OPS", false), weighed()), [], "unattested");
    assert_eq!(found(("OF-1", "PORT", true), weighed()), [], "its own");
    let read = event("gate.read", 5, json!({"device": "ANPR"}));
    assert_eq!(found(("", "", false), read), [], "a camera's slip");
}

#[test]
fn changes_by_one_officer_for_one_cause_are_one_finding() {
    let changes: Vec<Json> = (0..9)
        .map(|n| change("vehicle.plate", "11A1", n, Some("cleared")))
        .collect();
    assert_eq!(firm("R32", truck(&changes), vec![]).len(), 1);
}

#[test]
fn changes_beyond_those_told_are_counted() {
    let changes = [change("vehicle.plate", "11A1", 1, Some("cleared"))];
    let found = |in_all: u64| {
        let truck = truck(&changes).with("changed_after_count", in_all.into());
        let all = reconcile(&dossier(truck, vec![], 0));
        let found = all.into_iter().find(|f| f.rule.code == "R32").unwrap();
        found.contradiction
    };

    let all_told = found(1);
    assert_eq!(all_told.evidence["changes_in_all"], Json::Null);
    assert!(!crate::sentence::english(&all_told.sentence).contains("such changes"));
    let more = found(250);
    assert_eq!(more.evidence["changes_in_all"], 250);
    let told = crate::sentence::english(&more.sentence);
    assert!(told.contains("the record has 250 such changes"), "{told}");
}

#[test]
fn a_lookout_that_had_matched_tells_of_the_plate_that_was_changed_away() {
    let changed = || truck(&[change("vehicle.plate", "11-A-1", 50, None)]);
    let found = |hold: Facts| firm("R32", changed(), vec![hold]);
    assert_eq!(found(lookout("11 A 1", 10, &[])), [Phase::Firm]);

    let waits = dossier(changed(), vec![lookout("11A1", 10, &[])], 49);
    assert_eq!(
        phases("R32", &waits),
        [Phase::Pending],
        "a release may be on its way"
    );

    let mut backdated = change("vehicle.plate", "11-A-1", 5, None);
    backdated["entered_ms"] = 50.into();
    assert_eq!(
        firm("R32", truck(&[backdated]), vec![lookout("11 A 1", 10, &[])]),
        [Phase::Firm],
        "it was written when the lookout stood"
    );

    assert_eq!(found(lookout("11A2", 10, &[])), [], "it looked for another");
    assert_eq!(found(lookout("11A1", 60, &[])), [], "it was placed later");
    let released = event("released", 40, json!({"holds": ["hold.placed@10"]}));
    assert_eq!(found(lookout("11A1", 10, &[released])), [], "it was over");
    assert_eq!(
        firm("R32", changed(), vec![]),
        [],
        "a misread plate, and nothing rests on it"
    );
}

#[test]
fn goods_of_a_held_entry_rest_on_the_container_that_carried_them() {
    let goods = || entry("E1", json!({"container.1": "CSQU3054383"}), &[]);
    let hold = |more: &[Json]| {
        let placed = [
            event("hold.placed", 10, json!({})),
            event("link", 10, json!({"record": "E1"})),
        ];
        hold("H1", json!({}), &[&placed, more].concat())
    };
    let found = |before: &str, hold: Facts| {
        let changed = truck(&[change("container.1", before, 50, None)]);
        firm("R32", goods(), vec![changed, hold])
    };

    assert_eq!(found("CSQU 305438-3", hold(&[])), [Phase::Firm]);
    assert_eq!(
        found("MSCU1234565", hold(&[])),
        [],
        "it carried other goods"
    );
    let released = event("released", 40, json!({"holds": ["hold.placed@10"]}));
    assert_eq!(found("CSQU3054383", hold(&[released])), [], "it was over");

    let linked = change("container.1", "CSQU3054383", 50, Some("link"));
    let told_there = firm("R32", goods(), vec![truck(&[linked]), hold(&[])]);
    assert_eq!(told_there, [], "the truck's own finding tells it");
}

#[test]
fn what_names_the_truck_rests_on_it_from_then_on() {
    let changed = || truck(&[change("container.1", "CSQU3054383", 50, None)]);
    let linked = |at_ms: i64| event("link", at_ms, json!({"record": "P1"}));
    let goods = |at_ms| entry("E1", json!({}), &[linked(at_ms)]);
    assert_eq!(firm("R32", changed(), vec![goods(40)]), [Phase::Firm]);
    assert_eq!(
        firm("R32", changed(), vec![goods(51)]),
        [],
        "linked afterwards"
    );
    let cancelled = |at_ms: i64| {
        let cancelled = event("cancelled", at_ms, json!({}));
        entry("E1", json!({}), &[linked(40), cancelled]).state_is("CANCELLED")
    };
    assert_eq!(firm("R32", changed(), vec![cancelled(45)]), []);
    assert_eq!(
        firm("R32", changed(), vec![cancelled(60)]),
        [Phase::Firm],
        "it stood by then"
    );
}

#[test]
fn a_lookout_for_goods_is_not_shaken_off_by_another_origin() {
    let goods = |field: &str, before: &str, now: (&str, &str)| {
        let fields = json!({"goods.hs_code": now.0, "goods.origin": now.1});
        let changes = json!([change(field, before, 5, None)]);
        passage("P1", fields, &[]).with("changed_after", changes)
    };
    let sought = || vec![lookout("0701+EC", 1, &[])];

    let origin = goods("goods.origin", "EC", ("0701.90", "TR"));
    assert_eq!(firm("R32", origin, sought()), [Phase::Firm]);
    let code = goods("goods.hs_code", "0701.90", ("252329", "EC"));
    assert_eq!(firm("R32", code, sought()), [Phase::Firm]);

    let other = goods("goods.origin", "CO", ("0701.90", "TR"));
    assert_eq!(firm("R32", other, sought()), [], "nobody sought that");
    let later = goods("goods.origin", "EC", ("0701.90", "TR"));
    assert_eq!(firm("R32", later, vec![lookout("0701+EC", 9, &[])]), []);
}

#[test]
fn both_halves_of_what_goods_are_known_by_may_change_at_once() {
    let changes = json!([
        change("goods.1.hs_code", "0701", 5, None),
        change("goods.1.origin", "EC", 5, None),
    ]);
    let fields = json!({"goods.1.hs_code": "2523", "goods.1.origin": "TR"});
    let declared = entry("E1", fields, &[]).with("changed_after", changes);

    let sought = || vec![lookout("0701+EC", 1, &[])];
    assert_eq!(firm("R32", declared.clone(), sought()).len(), 1);
    assert_eq!(firm("R32", declared, vec![lookout("0701+TR", 1, &[])]), []);
}

#[test]
fn what_a_traveller_was_admitted_by_is_told() {
    let field = "person.1.nationality";
    let changed = truck(&[change(field, "IQ", 5, Some("person.admitted"))]);
    let all = reconcile(&dossier(changed, vec![], 0));
    let found = all.iter().find(|f| f.rule.code == "R32").expect("told");
    assert_eq!(found.phase, Phase::Firm);
    assert!(
        found.text.contains("after the traveller had been admitted"),
        "{}",
        found.text
    );
}

#[test]
fn a_seal_that_is_changed_after_the_clearing_is_told_and_a_lawful_resealing_is_not() {
    let resealed = |value: Json| {
        let mut put = change("seal.1", "AA-11", 50, Some("cleared"));
        put["value"] = value;
        put
    };
    let with = |put: Json, events: &[Json]| {
        passage("P1", json!({}), events).with("changed_after", json!([put]))
    };
    let swapped = || with(resealed("BB22".into()), &[]);
    assert_eq!(firm("R32", swapped(), vec![]), [Phase::Firm]);
    assert_eq!(
        phases("R32", &dossier(swapped(), vec![], 49)),
        [Phase::Pending],
        "a search may be on its way"
    );

    let search = |data: Json, at_ms: i64, entered_ms: i64| {
        let mut found = event("search.found", at_ms, data);
        found["entered_ms"] = entered_ms.into();
        let link = event("link", 1, json!({"record": "P1"}));
        vec![hold("H1", json!({}), &[link, found])]
    };
    let searched = |seal: &str| json!({"findings": "none", "seal_after": seal});
    assert_eq!(
        firm("R32", swapped(), search(searched("bb-22"), 45, 45)),
        []
    );
    assert_eq!(
        firm("R32", swapped(), search(searched("CC33"), 45, 45)),
        [Phase::Firm],
        "it closed another seal"
    );
    assert_eq!(
        firm("R32", swapped(), search(searched("BB22"), 45, 9_000_000)),
        [Phase::Firm],
        "somebody wrote it long after"
    );

    let reloaded = |department: &str| {
        let mut said = event("reloaded", 45, json!({"packages": 1, "seals": ["BB22"]}));
        said["department"] = department.into();
        firm("R32", with(resealed("BB22".into()), &[said]), vec![])
    };
    assert_eq!(reloaded("CUS"), []);
    assert_eq!(reloaded("OPS"), [Phase::Firm], "the operator's word");

    // Once the truck is gone nobody loads it again, whatever time he says it is of.
    let loaded_at = |entered_ms: i64| {
        let mut said = event("reloaded", 45, json!({"packages": 1, "seals": ["BB22"]}));
        said["department"] = "CUS".into();
        said["entered_ms"] = entered_ms.into();
        let mut put = resealed("BB22".into());
        put["entered_ms"] = entered_ms.into();
        let left = event("gate.out", 48, json!({}));
        firm("R32", with(put, &[said, left]), vec![])
    };
    assert_eq!(loaded_at(500), [], "beside the exit, by another clock");
    assert_eq!(loaded_at(7_200_000), [Phase::Firm], "two hours after it");

    let opened = || with(resealed(Json::Null), &[]);
    assert_eq!(firm("R32", opened(), vec![]), [Phase::Firm]);
    let open = |seal: &str| search(json!({"findings": "none", "seal_before": seal}), 45, 45);
    assert_eq!(firm("R32", opened(), open("AA11")), []);
    assert_eq!(firm("R32", opened(), open("ZZ99")), [Phase::Firm]);
}

#[test]
fn a_duty_that_is_lowered_once_it_was_paid_or_let_go_is_told() {
    let lowered = |after: Option<&str>| {
        let changes = json!([change("goods.1.duty_minor", "900", 5, after)]);
        let goods = entry("E1", json!({}), &[]).with("changed_after", changes);
        let found = reconcile(&dossier(goods, vec![], 0));
        let of_rule = found.into_iter().find(|f| f.rule.code == "R32");
        of_rule.map(|f| (f.phase, f.text))
    };

    for (after, says) in [
        ("assessed", "after the assessment"),
        ("paid", "after it was paid"),
        ("entry.released", "after the release"),
    ] {
        let (phase, text) = lowered(Some(after)).expect("it is told");
        assert_eq!(phase, Phase::Firm, "{after}");
        assert!(text.contains(says), "{text}");
    }
    assert_eq!(lowered(None), None, "nothing rested on it");
}

#[test]
fn what_nobody_had_said_before_the_assessment_is_told_as_such() {
    let put = |before: &[&str]| {
        let mut put = change("certificate.1", "", 5, Some("assessed"));
        put["before"] = json!(before);
        let goods = entry("E1", json!({}), &[]).with("changed_after", json!([put]));
        let found = reconcile(&dossier(goods, vec![], 0));
        let of_rule = found.into_iter().find(|f| f.rule.code == "R32");
        of_rule.expect("it is told").text
    };

    let captured = put(&[]);
    assert!(captured.contains("which held nothing"), "{captured}");
    assert!(!put(&["EC-1"]).contains("which held nothing"));
}
