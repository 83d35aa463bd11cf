//! What programs send that somebody else wrote: two headers for one, numbers and names that nobody
//! asked for, filters that say nothing. Nothing is dropped in silence.

use integration_tests::{PATIENCE, World, run};
use serde_json::{Value, json};

fn code(answer: Result<Value, Value>) -> String {
    answer.expect_err("it should have been refused")["code"]
        .as_str()
        .unwrap_or_default()
        .to_string()
}

fn passage(more: Value) -> Value {
    let mut draft = json!({
        "kind": "passage",
        "officer": "OF-1",
        "department": "PORT",
        "fields": {"direction": "in"},
    });
    let members = draft.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    draft
}

#[test]
fn an_import_that_is_sent_again_with_its_key_writes_nothing_twice() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let token = trb.token();
    let import = |key, line: &Value| trb.post_as(&token, key, "/v1/imports", line).unwrap();

    let line = passage(json!({}));
    assert_eq!(import(Some("I-1"), &line)["written"], 1);
    assert_eq!(import(Some("I-1"), &line)["repeated"], 1);

    let other = passage(json!({"fields": {"direction": "out"}}));
    assert_eq!(
        import(Some("I-1"), &other)["lines"][0]["code"],
        "key_reused"
    );

    // Without any key it is written again, and whoever sends it is told so.
    let warned = import(None, &line);
    assert_eq!(warned["written"], 1);
    let told = warned["lines"][0]["warnings"][0]
        .as_str()
        .unwrap_or_default();
    assert!(told.contains("without a `key`"), "{warned}");
    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 2);
}

#[test]
fn a_key_is_refused_where_none_is_kept() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub");
    let token = hub.token();
    let release = json!({
        "scope": "SECURITY", "department": "SEC", "hours": 2, "reason": "storm",
    });
    let said = json!({"say": "officer", "officer": "OF-9", "department": "VET"});
    let read = json!({"name": "r", "scope": {"is": "reader"}});
    for (path, body) in [
        ("/v1/release-tokens?person=Layla", &release),
        ("/v1/control", &said),
        ("/v1/tokens", &read),
    ] {
        let keyed = hub.post_as(&token, Some("K-1"), path, body);
        assert_eq!(code(keyed), "bad_idempotency_key", "{path}");
        hub.post_as(&token, None, path, body).unwrap();
    }
    let issued = hub.get("/v1/release-tokens").unwrap()["release_tokens"].clone();
    assert_eq!(issued.as_array().unwrap().len(), 1);
}

/// Whoever makes a file chooses its ids: none of them is another record's.
#[test]
fn an_import_takes_over_nothing_that_is_meant_for_another_record() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let begun = trb.post("/v1/records", &passage(json!({}))).unwrap();
    let full = begun["record"].as_str().unwrap().to_string();
    let printed = trb.record(&full).unwrap()["id"].clone();
    let import = |line: Value| trb.post("/v1/imports", &line).unwrap()["lines"][0].clone();

    for id in [&json!(full), &printed] {
        let line = json!({"op": "new", "id": id, "set": {"plate": "72-EV-1"}});
        assert_eq!(import(line)["code"], "bad_value", "{id}");
        let line = passage(json!({"key": id}));
        assert_eq!(import(line)["code"], "bad_value", "{id}");
    }
    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 1);

    let line = json!({"op": "set", "id": printed, "set": {"note": "seen"}});
    let written = trb.post("/v1/imports", &line).unwrap();
    assert_eq!(written["written"], 1, "{written}");
    assert_eq!(trb.record(&full).unwrap()["fields"]["note"], "seen");
}

#[test]
fn what_would_be_dropped_is_refused() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let post = |more: Value| trb.post("/v1/records", &passage(more));

    // A number or a session that no device gives makes no repeat known.
    assert_eq!(code(post(json!({"device_seq": 3}))), "bad_value");
    assert_eq!(code(post(json!({"device_session": "b1"}))), "bad_value");

    let scope = json!({"is": "device", "device": "SC-1"});
    let issued = trb.post("/v1/tokens", &json!({"name": "SC-1", "scope": scope}));
    let device = issued.unwrap()["token"].as_str().unwrap().to_string();
    let by_device = |draft: &Value| trb.post_as(&device, None, "/v1/records", draft);
    let named = passage(json!({"device_seq": 1}));
    assert_eq!(code(by_device(&named)), "officer_given");
    let draft = json!({"kind": "passage", "device_seq": 1, "fields": {"direction": "in"}});
    by_device(&draft).unwrap();

    // One of two values given for one field; a member of an operation that there is not.
    let arguments = ["record", "new", "passage", "--officer", "O", "--department"];
    let twice = ["PORT", "--set", "direction=in", "--set", "direction=out"];
    let output = run(&trb.dir, &[&arguments[..], &twice[..]].concat());
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let line = json!({"op": "new", "id": "O-1", "sett": {}, "set": {"direction": "in"}});
    let told = trb.post("/v1/imports", &line).unwrap();
    assert_eq!(told["lines"][0]["code"], "bad_operation");

    // Names and words in which nobody sees anything.
    for officer in ["  ", "OF-1 ", "\u{A0}OF-1"] {
        assert_eq!(code(post(json!({"officer": officer}))), "bad_value");
    }
    let exit = json!({"type": "gate.out", "gate": "G1", "reason": "  "});
    assert_eq!(code(post(json!({"events": [exit]}))), "bad_value");
    assert_eq!(code(post(json!({"happened_at_ms": -1}))), "bad_value");

    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 1);
}

#[test]
fn a_question_that_asks_nothing_is_told_so() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");

    for nothing in ["plate=", "plate=--", "plate=%00", "container=%20", "q=%2A"] {
        let path = format!("/v1/records?{nothing}");
        assert_eq!(code(trb.get(&path)), "nothing_sought", "{nothing}");
    }
    assert_eq!(
        code(trb.get("/v1/records?from_ms=5&until_ms=4")),
        "bad_query"
    );

    let wrong = trb.get("/v1/records?plat=23A1").unwrap_err();
    let detail = wrong["detail"].as_str().unwrap();
    assert!(detail.contains("did you mean \"plate\"?"), "{detail}");
    let wrong = trb
        .post("/v1/records", &json!({"device_seq": -1}))
        .unwrap_err();
    assert!(wrong["detail"].as_str().unwrap().starts_with("device_seq:"));
}

#[test]
fn a_zone_that_no_reader_found_says_nothing_of_a_document() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let hash = "ab".repeat(32);
    let draft = passage(json!({
        "fields": {"direction": "in", "person.1.document_hash": hash},
        "check_mrz": [" \r\n"],
    }));

    let answer = trb.post("/v1/records", &draft).unwrap();
    let told = answer["warnings"].to_string();
    assert!(told.contains("was empty, and says nothing"), "{told}");
    let shown = trb.record(answer["id"].as_str().unwrap()).unwrap();
    assert_eq!(shown["fields"]["person.1.document_check"], Value::Null);
}

/// Whatever is too long is refused as anything else is: by a problem with a stable code.
#[test]
fn what_is_too_long_is_told_as_a_problem() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let bearer = format!("Bearer {}", trb.token());

    let long = json!({"kind": "passage", "fields": {"note": "x".repeat(400_000)}});
    let body = agent
        .post(format!("{}/v1/records", trb.url()))
        .header("authorization", &bearer)
        .header("content-type", "application/json")
        .send(long.to_string());
    let many = (0..70).fold(agent.get(format!("{}/v1/sites", trb.url())), |asked, n| {
        asked.header(format!("x-{n}"), "y")
    });
    let head = many.header("authorization", &bearer).call();

    for (answer, status, code) in [(body, 413, "body_too_large"), (head, 431, "head_too_large")] {
        let mut answer = answer.expect("an answer");
        assert_eq!(answer.status().as_u16(), status);
        let kind = answer.headers().get("content-type");
        assert_eq!(kind.unwrap().as_bytes(), b"application/problem+json");
        let told = answer.body_mut().read_to_string().unwrap();
        let problem: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
    }
    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 0);
}

/// What is left of a plate without a letter is another truck's.
#[test]
fn a_plate_of_which_a_letter_was_lost_is_no_other_plate() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let read = |plate: &str| {
        let fields = json!({"direction": "in", "vehicle.plate_raw": plate});
        trb.post("/v1/records", &passage(json!({"fields": fields})))
            .unwrap()
    };
    let found = |plate: &str| {
        let list = trb.get(&format!("/v1/records?plate={plate}")).unwrap();
        list["records"].as_array().map_or(0, Vec::len)
    };

    for lost in ["51 \u{FFFD} 75667", "51 ? 75667", "51 □ 75667"] {
        let told = read(lost)["warnings"].to_string();
        assert!(told.contains("a place that nobody read"), "{lost}: {told}");
    }
    assert_eq!(found("5175667"), 0, "nobody knows whose it is");

    read("51-75667");
    assert_eq!(found("5175667"), 1);

    for (query, why) in [
        ("plate=51%20%C8%20n", "bad_encoding"),
        ("q=51%20%C8%20n", "bad_encoding"),
        ("plate=51%20%3F%2075667", "nothing_sought"),
        ("plate=UNKNOWN", "nothing_sought"),
        ("plate=%D8%A8%D8%AF%D9%88%D9%86", "nothing_sought"),
    ] {
        let asked = trb.get(&format!("/v1/records?{query}"));
        assert_eq!(code(asked), why, "{query}");
    }
}

/// A zone is nobody's where nobody is named beside it, and its sender is told.
#[test]
fn a_zone_without_a_traveller_beside_it_is_told_of_nobody() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let zone = "P<IRQERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n\
                L898902C36IRQ7408122F3012040<<<<<<<<<<<<<<08";

    let answer = trb
        .post("/v1/records", &passage(json!({"check_mrz": [zone]})))
        .unwrap();
    let told = answer["warnings"].to_string();
    assert!(told.contains("no check is recorded"), "{told}");

    let lines: Vec<&str> = zone.lines().collect();
    let more = json!({
        "fields": {"direction": "in", "person.1.document_hash": "ab".repeat(32)},
        "check_mrz": lines,
    });
    let mut draft = passage(more);
    draft["department"] = "PAS".into();
    draft["officer"] = "OF-2".into();
    let answer = trb.post("/v1/records", &draft).unwrap();
    let shown = trb.record(answer["id"].as_str().unwrap()).unwrap();
    assert_eq!(shown["fields"]["person.1.document_check"], "passed");
}
