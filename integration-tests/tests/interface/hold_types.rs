//! A token that reads holds of some types alone: by no way does it read another one, and of a truck
//! that another one holds it hears that something does.

use integration_tests::{Site, World, run, run_json};
use serde_json::{Value, json};

const ALONE: &str = "this token reads holds of VETERINARY, CUSTOMS alone";

fn placed(of: &str) -> Value {
    json!({"type": "hold.placed", "type_of_hold": of, "legal_basis": "order 12"})
}

/// Places a hold on a truck.
fn place(site: &Site, department: &str, of: &str, on: &str) -> String {
    let body = json!({
        "kind": "hold", "officer": format!("OF-{department}"), "department": department,
        "fields": {"type": of, "legal_basis": "order 12"},
        "events": [placed(of), {"type": "link", "record": on}],
    });
    let written = site.post("/v1/records", &body).expect("a hold");
    written["id"].as_str().expect("an id").to_string()
}

/// Somebody with a token that was narrowed at the prompt.
fn observer(site: &Site) -> Site {
    let issue = ["token", "issue", "observer"];
    let types = ["--hold-types", "customs,VETERINARY"];
    let issued = run_json(&site.dir, &[&issue[..], &types].concat());
    site.as_bearer(issued["token"].as_str().expect("a token"))
}

/// The ids of the records of a list.
fn ids(list: &Value) -> Vec<String> {
    let records = list["records"].as_array().into_iter().flatten();
    let ids = records.filter_map(|record| record["id"].as_str());
    ids.map(String::from).collect()
}

fn code(answer: Result<Value, Value>) -> String {
    let problem = answer.expect_err("refused");
    problem["code"].as_str().unwrap_or_default().to_string()
}

/// A truck that customs and security hold, and a hold that both of them placed.
struct HeldTruck {
    truck: String,
    of_customs: String,
    of_security: String,
    of_both: String,
}

fn held_truck(site: &Site) -> HeldTruck {
    let truck = site.truck("11-A-00001");
    let of_customs = place(site, "CUS", "CUSTOMS", &truck);
    let of_security = place(site, "SEC", "SECURITY", &truck);
    let of_both = place(site, "CUS", "CUSTOMS", &truck);
    site.say(&of_both, "SEC", placed("SECURITY"))
        .expect("security holds it, too");
    HeldTruck {
        truck,
        of_customs,
        of_security,
        of_both,
    }
}

#[test]
fn holds_of_other_types_are_read_by_no_way() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let held = held_truck(trb);
    let reader = observer(trb);

    for id in [&held.of_security, &held.of_both] {
        for part in [
            "",
            "?known_ms=9999999999999",
            "/history",
            "/related",
            "/document",
            "/evidence",
            "/verification",
            "/country",
        ] {
            let problem = reader.get(&format!("/v1/records/{id}{part}"));
            let problem = problem.expect_err("it is not read");
            assert_eq!(problem["code"], "not_readable", "{part}");
            assert_eq!(problem["detail"], ALONE, "{part}");
        }
        let found = reader.get(&format!("/v1/records?q={id}")).expect("a list");
        assert_eq!(ids(&found), [""; 0]);
    }
    let seen = reader.get(&format!("/v1/records/{}", held.of_customs));
    assert_eq!(seen.expect("a hold")["hold_types"], json!(["CUSTOMS"]));

    // What is of records of every type is refused, and what asks for another type.
    for path in [
        "/v1/findings",
        "/v1/quarantine",
        "/v1/refusals",
        "/v1/records?hold_type=SECURITY",
        "/v1/records?held=true&hold_type=SECURITY",
    ] {
        assert_eq!(code(reader.get(path)), "not_readable", "{path}");
    }

    let all = [&held.truck, &held.of_customs];
    let is_of_it = |text: &str| {
        let others = [&held.of_security, &held.of_both];
        all.iter().all(|id| text.contains(id.as_str()))
            && !others.iter().any(|id| text.contains(id.as_str()))
    };
    for list in [
        "/v1/records",
        "/v1/records?fields=id",
        "/v1/records?known_ms=9999999999999",
        "/v1/records/file?format=ndjson",
        "/v1/records/file?format=csv",
    ] {
        let page = reader.get(list).expect("a list").to_string();
        assert!(is_of_it(&page), "{list}: {page}");
    }
    let exported = run(&trb.dir, &["export", "--token", &reader.token()]);
    let lines = String::from_utf8_lossy(&exported.stdout);
    assert!(exported.status.success() && is_of_it(&lines), "{lines}");
    let heard = json!(reader.listen("/v1/changes", 2)).to_string();
    assert!(is_of_it(&heard), "{heard}");
    let related = reader.get(&format!("/v1/records/{}/related", held.truck));
    assert_eq!(ids(&related.expect("related")), [held.of_customs.as_str()]);

    // Of a day neither the lists nor the counts tell of more.
    let now_ms = reader.get("/v1/whoami").expect("who")["now_ms"].as_i64();
    let now_ms = now_ms.expect("a time");
    let (from, until) = (now_ms - 3_600_000, now_ms + 3_600_000);
    let day = format!("/v1/day?from_ms={from}&until_ms={until}");
    let told = reader.get(&day).expect("a day");
    assert!(is_of_it(&told.to_string()), "{told}");
    let counts = told["counts"].as_array().expect("counts").iter();
    let holds = counts.filter(|line| line["kind"] == "hold");
    let counted: i64 = holds.filter_map(|line| line["count"].as_i64()).sum();
    assert_eq!(counted, 1, "{told}");

    // Whoever was not narrowed reads all of it, as before.
    let plain = run_json(&trb.dir, &["token", "issue", "plain"]);
    let plain = trb.as_bearer(plain["token"].as_str().expect("a token"));
    for id in [&held.of_customs, &held.of_security, &held.of_both] {
        plain.get(&format!("/v1/records/{id}")).expect("a hold");
    }
}

#[test]
fn of_what_holds_of_other_types_hold_it_is_told_that_something_does() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let held = held_truck(trb);
    let reader = observer(trb);
    let path = format!("/v1/records/{}", held.truck);

    let seen = reader.get(&path).expect("the truck");
    let by = seen["detained_by"].as_array().expect("holds");
    assert_eq!(by.len(), 2, "two that are not read are one line: {seen}");
    assert_eq!(by[0]["hold"], held.of_customs.as_str());
    let nothing = json!({
        "hold": "", "type": null, "department": null, "legal_basis": null, "placed_ms": null,
    });
    assert_eq!(by[1], nothing);
    assert_eq!(seen["withheld"], json!(["detained_by"]));
    let flags = seen["flags"].as_array().expect("flags");
    assert!(flags.contains(&json!("DETAINED")), "{seen}");
    let whole = trb.get(&path).expect("the truck");
    assert_eq!(whole["detained_by"].as_array().map(Vec::len), Some(3));

    // What is held is listed; by whose holds it is, of those that are read.
    let truck = [held.truck.as_str()];
    for list in [
        "held=true",
        "held=true&hold_type=CUSTOMS",
        "held=true&department=CUS",
    ] {
        let page = reader.get(&format!("/v1/records?{list}")).expect("a list");
        assert_eq!(ids(&page), truck, "{list}");
    }
    let page = reader.get("/v1/records?held=true&department=SEC");
    assert_eq!(ids(&page.expect("a list")), [""; 0]);

    // Whoever lets it out is warned, and told no more.
    let scope = json!({"is": "officer", "officer": "OF-9", "department": "PORT"});
    let reads = json!({"hold_types": ["CUSTOMS"]});
    let clerk = json!({"name": "clerk", "scope": scope, "reads": reads});
    let clerk = trb.post("/v1/tokens", &clerk).expect("a token");
    let clerk = trb.as_bearer(clerk["token"].as_str().expect("text"));
    let out = json!({"events": [{"type": "gate.out", "gate": "G2", "reason": "none"}]});
    let written = clerk.post(&format!("{path}/events"), &out);
    let written = written.expect("it went out");
    assert_eq!(written["withheld"], json!(["detained_by"]), "{written}");
    let text = written.to_string();
    let warned = "gate.out: DETAINED by a hold that this token does not read";
    assert!(
        text.contains(warned) && text.contains(&held.of_customs),
        "{text}"
    );

    let history = reader.get(&format!("{path}/history")).expect("a history");
    assert_eq!(history["withheld"], json!(["knew"]), "{history}");
    let history = history.to_string();
    for text in [&text, &history] {
        for id in [&held.of_security, &held.of_both] {
            assert!(!text.contains(id.as_str()), "{text}");
        }
    }
}

#[test]
fn pages_of_a_narrowed_token_are_full_and_end_where_its_holds_do() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let truck = trb.truck("11-A-00001");
    let mut own = Vec::new();
    for n in 0..20 {
        match n % 7 {
            3 => own.push(place(trb, "CUS", "CUSTOMS", &truck)),
            _ => drop(place(trb, "SEC", "SECURITY", &truck)),
        }
    }
    own.reverse();

    let reader = observer(trb);
    let first = reader.get("/v1/records?kind=hold&limit=2").expect("a page");
    assert_eq!(ids(&first), own[..2]);
    let next = first["next_before"].as_i64().expect("there is more");
    let rest = reader.get(&format!("/v1/records?kind=hold&limit=2&before={next}"));
    let rest = rest.expect("a page");
    assert_eq!(ids(&rest), own[2..]);
    assert_eq!(rest["next_before"], Value::Null);
}

#[test]
fn a_type_that_there_is_not_is_told_its_neighbour_and_a_token_what_it_reads() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    observer(trb);
    let listed = run(&trb.dir, &["token", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let words = "holds of CUSTOMS, VETERINARY; no travellers; no lookouts";
    assert!(listed.contains(words), "{listed}");

    let wrong = json!({"hold_types": ["CUSTOM"]});
    let body = json!({"name": "x", "scope": {"is": "reader"}, "reads": wrong});
    let problem = trb
        .post("/v1/tokens", &body)
        .expect_err("a slip of the pen");
    assert_eq!(problem["code"], "unknown_value");
    let detail = problem["detail"].as_str().expect("a reason");
    assert!(detail.contains("did you mean \"CUSTOMS\"?"), "{detail}");
}
