//! What a write is answered with: what it changed, and what speaks against it, at the API and at
//! the prompt.

use integration_tests::{Site, World, run};
use serde_json::{Value, json};

/// A token of an officer of a department.
fn officer(site: &Site, department: &str) -> String {
    let number = format!("OF-{department}");
    let scope = json!({"is": "officer", "officer": number, "department": department});
    let answer = site.post("/v1/tokens", &json!({"name": department, "scope": scope}));
    let answer = answer.expect("a token");
    answer["token"].as_str().expect("text").to_string()
}

fn lookout(site: &Site, term: &str) -> String {
    let placed = json!({"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "L"});
    let body = json!({"kind": "hold", "officer": "OF-7", "department": "SEC", "events": [placed],
        "fields": {"type": "SECURITY", "legal_basis": "L", "target.term": term}});
    let placed = site.post("/v1/records", &body).expect("a lookout");
    placed["id"].as_str().expect("an id").to_string()
}

#[test]
fn who_lets_a_truck_out_is_told_loud_what_it_came_to() {
    let mut world = World::default();
    world.start_with_officer("OF-7", "SEC");
    let trb = world.site("trb");
    let truck = trb.truck("11-A-1");
    let hold = lookout(trb, "11A1");

    let event = ["record", "event", &truck, "gate.out", "gate=G2", "read=R2"];
    let who = ["--officer", "OF-1", "--department", "PORT"];
    let said = run(&trb.dir, &[&event[..], &who[..]].concat());
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.status.code(), Some(5), "{text}");
    assert!(
        text.starts_with(&format!("*** DETAINED by {hold} (")),
        "{text}"
    );
    let detained = format!(
        "*** look again: gate.out: DETAINED by {hold}, a SECURITY hold of SEC: it must not leave \
         before that is released"
    );
    for line in [
        "  state: ADMITTED -> EXITED",
        "  is now FORCED_EXIT",
        detained.as_str(),
        "*** look again: gate.out: a forced exit, which is a finding (R31): the vehicle was not \
         cleared, or is so no longer",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }

    // What decides nothing is told who detains it, and is no decision on what is held.
    let noted = trb.set(&truck, "note", json!("n"), None).expect("a note");
    assert_eq!(noted["warnings"], json!([]), "{noted}");
    let note = json!([{"field": "note", "before": [], "after": ["n"]}]);
    assert_eq!(noted["changed"]["fields"], note);
    assert_eq!(noted["changed"]["state"], Value::Null, "it stayed");
}

#[test]
fn whoever_ends_a_hold_alone_is_told_at_once() {
    let mut world = World::default();
    world.start_with_officer("OF-7", "CUS");
    let trb = world.site("trb");
    let placed = json!({"type": "hold.placed", "type_of_hold": "CUSTOMS", "legal_basis": "L"});
    let body = json!({"kind": "hold", "officer": "OF-7", "department": "CUS",
        "events": [placed], "fields": {"type": "CUSTOMS", "legal_basis": "L"}});
    let placed = trb.post("/v1/records", &body).expect("a hold");
    let hold = placed["id"].as_str().expect("an id");

    let event = ["record", "event", hold, "seized", "seizure_no=S-1"];
    let who = ["--officer", "OF-7", "--department", "CUS"];
    let said = run(&trb.dir, &[&event[..], &who[..]].concat());
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{text}");
    let line = "*** look again: seized: OF-7 alone ended the hold that the same officer placed, \
                and no second officer is named: if its vehicle goes inland, that is a finding \
                (R02), unless somebody else writes before what came off it";
    assert!(text.lines().any(|told| told == line), "{text}");
}

#[test]
fn every_way_to_write_tells_what_it_changed_and_a_repeat_changes_nothing() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");

    let clerk = officer(trb, "PORT");
    let body = json!({"kind": "passage", "fields": {"direction": "in", "note": "n"}});
    let write = || trb.post_as(&clerk, Some("K-1"), "/v1/records", &body);
    let first = write().expect("written");
    let begun = json!({"before": null, "after": "ANNOUNCED"});
    assert_eq!(first["changed"]["state"], begun, "{first}");
    let again = write().expect("written before");
    assert_eq!(again["repeated"], true);
    assert!(again["changed"].is_null(), "{again}");

    let line = json!({"op": "new", "id": "I-1", "set": {"plate": "22B2", "direction": "in"}});
    let imported = trb.post_text("/v1/imports", &format!("{line}\n"));
    let imported = imported.expect("imported");
    let changed = &imported["lines"][0]["changed"];
    assert_eq!(changed["state"], begun, "{imported}");
    let fields = changed["fields"].as_array().expect("fields");
    let direction = json!({"field": "direction", "before": [], "after": ["in"]});
    assert!(fields.contains(&direction), "{imported}");

    // Of many fields the first ones are told, and the rest is counted.
    let seals: serde_json::Map<String, Value> = (1..=60)
        .map(|n| (format!("seal.{n}"), json!(format!("SL-{n}"))))
        .collect();
    let body = json!({"kind": "passage", "officer": "OF-C", "department": "CUS", "fields": seals});
    let sealed = trb.post("/v1/records", &body).expect("sealed");
    let changed = &sealed["changed"];
    assert_eq!(changed["fields"].as_array().map(Vec::len), Some(50));
    assert_eq!(changed["more"], 10, "{changed}");
}

#[test]
fn what_a_change_shows_of_travellers_is_for_those_who_read_of_them() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let (port, passports) = (officer(trb, "PORT"), officer(trb, "PAS"));
    let bus = json!({"kind": "passage", "fields": {"direction": "in",
        "person.1.nationality": "IRQ"}});
    let begun = trb.post_as(&port, None, "/v1/records", &bus);
    let begun = begun.expect("a bus");
    assert_eq!(begun["withheld"], json!(["person.1.nationality"]));
    let direction = json!([{"field": "direction", "before": [], "after": ["in"]}]);
    assert_eq!(begun["changed"]["fields"], direction);

    let path = format!(
        "/v1/records/{}/events",
        begun["id"].as_str().expect("an id")
    );
    let change = |token: &str, nationality: &str| {
        let fields = json!({"person.1.nationality": nationality});
        let body = json!({"fields": fields});
        trb.post_as(token, None, &path, &body).expect("changed")
    };
    let seen = change(&passports, "IRN");
    let line = json!([{"field": "person.1.nationality", "before": ["IRQ"], "after": ["IRN"]}]);
    assert_eq!(seen["changed"]["fields"], line, "{seen}");
    assert!(seen["withheld"].is_null());

    let kept = change(&port, "JOR");
    assert_eq!(kept["withheld"], json!(["person.1.nationality"]));
    assert!(!kept.to_string().contains("IRN"), "{kept}");

    // What stood there before was read by it, and is counted.
    let counted = || {
        let reads = trb.get("/v1/reads").expect("reads");
        let lines = reads["reads"].as_array().expect("lines").clone();
        let line = lines.into_iter().find(|line| line["token"] == "PAS");
        line.and_then(|line| line["persons"].as_u64())
    };
    world.wait("the look is counted", || counted() == Some(1));
}
