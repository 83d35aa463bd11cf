//! What a token that reads some crossings or kinds alone is told beside records, and what an
//! officer is told of other departments' tokens for releases.

use integration_tests::{OPERATOR, Site, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Somebody who reads what a token of this scope does, narrowed so.
fn bearer(site: &Site, name: &str, scope: Value, reads: Value) -> Site {
    let body = json!({"name": name, "scope": scope, "person": name, "reads": reads});
    let issued = site.post("/v1/tokens", &body).expect("a token");
    site.as_bearer(issued["token"].as_str().expect("text"))
}

fn reader(site: &Site, name: &str, reads: Value) -> Site {
    let body = json!({"name": name, "scope": {"is": "reader"}, "reads": reads});
    let issued = site.post("/v1/tokens", &body).expect("a token");
    site.as_bearer(issued["token"].as_str().expect("text"))
}

fn code(answer: Result<Value, Value>) -> String {
    let problem = answer.expect_err("refused");
    problem["code"].as_str().unwrap_or_default().to_string()
}

/// What a member of each line of a list says.
fn each(list: &Value, member: &str) -> BTreeSet<String> {
    let lines = list.as_array().into_iter().flatten();
    lines
        .filter_map(|line| line[member].as_str())
        .map(String::from)
        .collect()
}

fn names<const N: usize>(all: [&str; N]) -> BTreeSet<String> {
    all.map(String::from).into()
}

/// A hub that hears of Traibeel and Al-Qaem.
fn country() -> World {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub").listen;
    world.start("trb", &[("hub", hub)]);
    world.start("qam", &[("hub", hub)]);
    world.site("trb").truck("11-A-00001");
    world.site("qam").truck("22-A-00001");
    world.settle(&["hub", "trb", "qam"]);
    world
}

#[test]
fn a_token_of_one_crossing_is_told_of_no_other() {
    let world = country();
    let hub = world.site("hub");
    let officers = [
        ("OF-T", json!("TRB")),
        ("OF-Q", json!("QAM")),
        ("OF-A", Value::Null),
    ];
    for (officer, crossing) in officers {
        let said = json!({
            "say": "officer", "officer": officer, "department": "PORT", "crossing": crossing,
        });
        hub.post("/v1/control", &said).expect("registered");
    }
    let at_trb = reader(hub, "of trb", json!({"crossings": ["TRB"]}));

    // What is of the whole country is refused.
    for path in [
        "/v1/refusals",
        "/v1/refusals?open=true",
        "/v1/resyncs",
        "/v1/resyncs/RS-1",
        "/v1/sites/qam/contacts",
    ] {
        assert_eq!(code(at_trb.get(path)), "not_readable", "{path}");
    }

    let has_both = |status: &Value| {
        let marks = &status["watermarks"];
        marks["TRB"].is_i64() && marks["QAM"].is_i64() && status["withheld"].is_null()
    };
    world.wait("the hub has heard of both", || {
        hub.get("/v1/sites").is_ok_and(|status| has_both(&status))
    });
    let told = at_trb.get("/v1/sites").expect("the status");
    assert_eq!(each(&told["peers"], "node"), names(["trb"]), "{told}");
    assert_eq!(each(&told["scopes"], "crossing"), names(["TRB"]), "{told}");
    let marks = told["watermarks"].as_object().expect("watermarks");
    assert_eq!(marks.keys().collect::<Vec<_>>(), ["TRB"]);
    let withheld = json!(["forks", "cuts", "last_refused", "costs", "alarms"]);
    assert_eq!(told["withheld"], withheld);
    assert_eq!(told["alarms"], json!([]));
    at_trb.get("/v1/sites/trb/contacts").expect("its own");

    let members = at_trb.get("/v1/members").expect("members");
    let known = each(&members["members"], "node");
    assert!(known.contains("hub") && known.contains("trb"), "{known:?}");
    assert!(!known.contains("qam"), "{known:?}");
    let acts = at_trb.get("/v1/members/acts").expect("acts");
    let of = each(&acts["acts"], "node");
    assert!(of.contains("trb") && !of.contains("qam"), "{of:?}");
    let officers = at_trb.get("/v1/officers").expect("officers");
    let known = each(&officers["officers"], "officer");
    assert_eq!(known, names(["OF-A", "OF-T"]));

    // Who reads all crossings and kinds is told all that.
    let plain = reader(hub, "plain", Value::Null);
    for path in ["/v1/refusals", "/v1/resyncs", "/v1/sites/qam/contacts"] {
        plain.get(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
    let told = plain.get("/v1/sites").expect("the status");
    let peers = each(&told["peers"], "node");
    assert_eq!(peers, names(["man", "mun", "qam", "rab", "trb", "wld"]));
    let officers = plain.get("/v1/officers").expect("officers");
    let known = each(&officers["officers"], "officer");
    assert_eq!(known, names(["OF-A", "OF-Q", "OF-T"]));
}

#[test]
fn a_token_of_some_kinds_and_an_auditors_that_is_narrowed_read_nothing_of_all() {
    let world = country();
    let hub = world.site("hub");
    let passages = reader(hub, "passages", json!({"kinds": ["passage"]}));
    for path in ["/v1/refusals", "/v1/resyncs", "/v1/release-tokens"] {
        assert_eq!(code(passages.get(path)), "not_readable", "{path}");
    }
    let told = passages.get("/v1/sites").expect("the status");
    let lanes = each(&told["scopes"], "lane");
    assert!(
        lanes.contains("passage") && !lanes.contains("hold"),
        "{lanes:?}"
    );

    let auditor = json!({"is": "officer", "officer": "AU-1", "department": "HUB"});
    let auditor = bearer(hub, "auditor", auditor, json!({"crossings": ["TRB"]}));
    for path in [
        "/v1/looks",
        "/v1/reads",
        "/v1/sign-ins",
        "/v1/bundles/acts",
        "/v1/refusals",
    ] {
        assert_eq!(code(auditor.get(path)), "not_readable", "{path}");
    }

    let operator = json!({"is": "operator"});
    let of_trb = json!({"crossings": ["TRB"]});
    let operator = bearer(hub, "operator of trb", operator, of_trb);
    for path in [
        "/metrics",
        "/v1/compare",
        "/v1/compare/logs",
        "/v1/bundles/receipt",
        "/v1/verify/trb",
        "/v1/bundles/none/parts/1",
    ] {
        assert_eq!(code(operator.get(path)), "not_readable", "{path}");
    }

    // That something changed, what is in force and what it is called tell of no record.
    for path in ["/v1/policy", "/v1/authority", "/v1/words", "/v1/whoami"] {
        passages.get(path).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
}

#[test]
fn a_token_for_a_release_is_read_where_it_may_be_spent_and_by_whose_it_is() {
    let world = country();
    let hub = world.site("hub");
    let issue = |scope: &str, department: &str, crossing: Value| {
        let wanted = json!({
            "scope": scope, "department": department, "crossing": crossing, "hours": 9,
            "reason": "storm",
        });
        let path = format!("/v1/release-tokens?person={}", OPERATOR.replace(' ', "%20"));
        let issued = hub.post(&path, &wanted).expect("issued");
        issued["token"].as_str().expect("an id").to_string()
    };
    let hold = |site: &Site| {
        let placed = json!({
            "type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order",
        });
        let hold = json!({
            "kind": "hold", "officer": "OF-7", "department": "SEC", "events": [placed],
            "fields": {"type": "SECURITY", "legal_basis": "order"},
        });
        let written = site.post("/v1/records", &hold).expect("held");
        written["record"].as_str().expect("an id").to_string()
    };
    let said = json!({"say": "officer", "officer": "OF-7", "department": "SEC"});
    hub.post("/v1/control", &said).expect("registered");
    world.settle(&["hub", "trb", "qam"]);
    let (of_trb, of_qam) = (hold(world.site("trb")), hold(world.site("qam")));
    world.settle(&["hub", "trb", "qam"]);

    let anywhere = issue("SECURITY", "SEC", Value::Null);
    let at_trb = issue("VETERINARY", "VET", json!("TRB"));
    let at_qam = issue("SECURITY", "SEC", json!("QAM"));
    let one_of_trb = issue(&of_trb, "SEC", Value::Null);
    let one_of_qam = issue(&of_qam, "SEC", Value::Null);
    let shown = |who: &Site| {
        let told = who.get("/v1/release-tokens").expect("tokens");
        each(&told["release_tokens"], "token")
    };

    let all = [&anywhere, &at_trb, &at_qam, &one_of_trb, &one_of_qam].map(|id| id.as_str());
    assert_eq!(shown(&reader(hub, "plain", Value::Null)), names(all));
    let narrowed = reader(
        hub,
        "of trb",
        json!({"crossings": ["TRB"], "kinds": ["hold"]}),
    );
    let wanted = [&anywhere, &at_trb, &one_of_trb].map(|id| id.as_str());
    assert_eq!(shown(&narrowed), names(wanted));
    let of_vet = reader(hub, "of vet", json!({"hold_types": ["VETERINARY"]}));
    assert_eq!(shown(&of_vet), names([at_trb.as_str()]));

    // An officer is told of those of the own department; the commission of all.
    let officer = |number: &str, department: &str| {
        let scope = json!({"is": "officer", "officer": number, "department": department});
        shown(&bearer(hub, number, scope, Value::Null))
    };
    let of_sec = [&anywhere, &at_qam, &one_of_trb, &one_of_qam].map(|id| id.as_str());
    assert_eq!(officer("OF-7", "SEC"), names(of_sec));
    assert_eq!(officer("OF-8", "VET"), names([at_trb.as_str()]));
    assert_eq!(officer("OF-9", "CUS"), names([]));
    assert_eq!(officer("AU-1", "HUB"), names(all));
}
