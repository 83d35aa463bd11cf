//! Who reads what: a traveller's papers, what somebody is looking for, and which kinds of records
//! of which crossings.

use integration_tests::{Site, World, run, run_json};
use serde_json::{Value, json};

const HASH: &str = "abababababababababababababababababababababababababababababababab";

/// Issues a token; what it reads may be named.
fn issue(site: &Site, name: &str, scope: Value, reads: Value) -> String {
    let body = json!({"name": name, "scope": scope, "reads": reads});
    let answer = site.post("/v1/tokens", &body).expect("a token");
    answer["token"].as_str().expect("text").to_string()
}

fn officer(site: &Site, department: &str) -> String {
    let number = format!("OF-{department}");
    let scope = json!({"is": "officer", "officer": number, "department": department});
    issue(site, department, scope, Value::Null)
}

fn withheld(answer: &Value) -> Vec<&str> {
    let names = answer["withheld"].as_array();
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn code(answer: Result<Value, Value>) -> String {
    let problem = answer.expect_err("refused");
    problem["code"].as_str().expect("a code").to_string()
}

/// A bus with a traveller, and a lookout for a plate.
fn record_both(trb: &Site) -> (String, String) {
    let bus = json!({
        "kind": "passage", "officer": "OF-PORT", "department": "PORT",
        "fields": {
            "direction": "in",
            "vehicle.plate": "11A00042",
            "person.1.document_hash": HASH,
            "person.1.nationality": "IRQ",
        },
    });
    let admitted = json!({
        "officer": "OF-PAS", "department": "PAS",
        "events": [{"type": "person.admitted", "document_hash": HASH}],
    });
    let lookout = json!({
        "kind": "hold", "officer": "OF-SEC", "department": "SEC",
        "fields": {"type": "SECURITY", "legal_basis": "order 12", "target.term": "77B00042"},
    });

    let id = |body: &Value| {
        let written = trb.post("/v1/records", body).expect("written");
        written["record"].as_str().expect("an id").to_string()
    };
    let (bus, lookout) = (id(&bus), id(&lookout));
    trb.post(&format!("/v1/records/{bus}/events"), &admitted)
        .expect("the traveller is admitted");
    (bus, lookout)
}

#[test]
fn a_traveller_and_a_lookout_are_shown_to_those_who_have_to_know() {
    let mut world = World::default();
    world.start_with_officer("OF-SEC", "SEC");
    let trb = world.site("trb");
    let (bus, lookout) = record_both(trb);
    let path = |id: &str| format!("/v1/records/{id}");

    // A gate's clerk sees the bus and not who sits in it; the passport office sees both.
    let (port, passports) = (officer(trb, "PORT"), officer(trb, "PAS"));
    let seen = trb.get_as(&port, &path(&bus)).expect("the bus");
    assert_eq!(
        seen["fields"],
        json!({"direction": "in", "vehicle.plate": "11A00042"})
    );
    assert_eq!(seen["events"][0]["data"], json!({}));
    let names = [
        "person.1.document_hash",
        "person.1.nationality",
        "person.admitted",
    ];
    assert_eq!(withheld(&seen), names);
    let seen = trb.get_as(&passports, &path(&bus)).expect("the bus");
    assert_eq!(seen["fields"]["person.1.document_hash"], HASH);
    assert_eq!(withheld(&seen), [""; 0]);

    // What a lookout seeks is its owners' to read; that there is one, everybody's.
    let (customs, security) = (officer(trb, "CUS"), officer(trb, "SEC"));
    let seen = trb.get_as(&customs, &path(&lookout)).expect("the hold");
    assert_eq!(withheld(&seen), ["target.term"]);
    assert_eq!(seen["fields"]["legal_basis"], "order 12");
    let seen = trb.get_as(&security, &path(&lookout)).expect("the hold");
    assert_eq!(seen["fields"]["target.term"], "77B00042");

    // By no other way either: lists, the history, the stream, the whole document and its proofs.
    for list in ["/v1/records", "/v1/records?fields=fields"] {
        let page = trb.get_as(&port, list).expect("a list").to_string();
        assert!(!page.contains(HASH) && !page.contains("77B00042"), "{page}");
    }
    for id in [&bus, &lookout] {
        let history = trb.get_as(&port, &format!("{}/history", path(id)));
        let history = history.expect("a history").to_string();
        assert!(
            !history.contains(HASH) && !history.contains("77B00042"),
            "{history}"
        );
        assert!(history.contains("withheld"), "{history}");
        for whole in ["document", "evidence"] {
            let asked = trb.get_as(&port, &format!("{}/{whole}", path(id)));
            assert_eq!(code(asked), "withheld");
        }
    }
    let heard = json!(trb.listen_as(&port, "/v1/changes", 2)).to_string();
    assert!(
        !heard.contains(HASH) && !heard.contains("77B00042"),
        "{heard}"
    );
}

#[test]
fn what_was_cleared_is_given_to_nobody_whole_and_who_moved_reads_no_longer() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub_at = world.site("hub").listen;
    world.start("trb", &[("hub", hub_at)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let said = |officer: &str, department: &str| {
        let body = json!({"say": "officer", "officer": officer, "department": department});
        hub.post("/v1/control", &body).expect("said");
    };

    // A nationality that was typed in error, and taken out.
    let bus = json!({
        "kind": "passage", "officer": "OF-PORT", "department": "PORT",
        "fields": {"direction": "in", "person.1.nationality": "IRN"},
    });
    let bus = trb.post("/v1/records", &bus).expect("written")["record"].clone();
    let bus = format!("/v1/records/{}", bus.as_str().expect("an id"));
    let away = json!({
        "officer": "OF-PAS", "department": "PAS", "fields": {"person.1.nationality": null},
    });
    trb.post(&format!("{bus}/events"), &away).expect("cleared");

    let clerk = officer(trb, "AGR");
    let seen = trb.get_as(&clerk, &bus).expect("the bus");
    assert_eq!(withheld(&seen), [""; 0], "nothing stands there");
    for whole in ["document", "evidence"] {
        let asked = trb.get_as(&clerk, &format!("{bus}/{whole}"));
        assert_eq!(code(asked), "withheld", "{whole}");
    }

    // Security's officer becomes a clerk of the gate.
    said("OF-SEC", "SEC");
    let lookout = json!({
        "kind": "hold", "officer": "OF-SEC", "department": "SEC",
        "fields": {"type": "SECURITY", "legal_basis": "order 12", "target.term": "77B00042"},
    });
    world.wait("the registration has come", || {
        trb.post("/v1/records", &lookout).is_ok()
    });
    let token = officer(trb, "SEC");
    let list = "/v1/records?kind=hold";
    let page = trb.get_as(&token, list).expect("a list").to_string();
    assert!(page.contains("77B00042"), "{page}");

    said("OF-SEC", "PORT");
    world.wait("the move has come", || trb.get_as(&token, list).is_err());
    assert_eq!(code(trb.get_as(&token, list)), "revoked_officer");
}

#[test]
fn a_token_reads_what_its_issuer_named_and_a_machine_nothing() {
    let mut world = World::default();
    world.start_with_officer("OF-SEC", "SEC");
    let trb = world.site("trb");
    let (bus, lookout) = record_both(trb);
    let reader = json!({"is": "reader"});
    let bus_path = format!("/v1/records/{bus}");

    let plain = issue(trb, "screen", reader.clone(), Value::Null);
    let seen = trb.get_as(&plain, &bus_path).expect("the bus");
    assert!(
        !withheld(&seen).is_empty(),
        "who names nothing reads no traveller"
    );

    let granted = json!({"persons": true, "kinds": ["passage"]});
    let health = issue(trb, "health", reader.clone(), granted);
    let seen = trb.get_as(&health, &bus_path).expect("the bus");
    assert_eq!(seen["fields"]["person.1.nationality"], "IRQ");
    let hold_path = format!("/v1/records/{lookout}");
    assert_eq!(code(trb.get_as(&health, &hold_path)), "not_readable");
    assert_eq!(
        code(trb.get_as(&health, "/v1/records?kind=hold")),
        "not_readable"
    );
    for of_all_kinds in ["/v1/findings", "/v1/quarantine"] {
        assert_eq!(code(trb.get_as(&health, of_all_kinds)), "not_readable");
    }
    let page = trb.get_as(&health, "/v1/records").expect("passages");
    assert_eq!(page["records"].as_array().expect("records").len(), 1);
    let heard = trb.listen_as(&health, "/v1/changes", 1);
    assert_eq!(heard[0]["record"], json!(bus));

    // An officer's token can be narrowed, and not widened.
    let narrow = |name: &str, department: &str, reads: Value| {
        let scope = json!({"is": "officer", "officer": name, "department": department});
        issue(trb, name, scope, reads)
    };
    let narrowed = narrow("OF-7", "PAS", json!({"persons": false}));
    let seen = trb.get_as(&narrowed, &bus_path).expect("the bus");
    assert!(!withheld(&seen).is_empty());
    let widened = narrow("OF-8", "PORT", json!({"persons": true, "lookouts": true}));
    let seen = trb.get_as(&widened, &bus_path).expect("the bus");
    assert!(!withheld(&seen).is_empty());

    // A scale says what it weighs, hears what that came to, and reads nothing.
    let scale = json!({"is": "device", "device": "S1"});
    let scale = issue(trb, "scale", scale, Value::Null);
    for path in [
        "/v1/records",
        &bus_path,
        "/v1/findings",
        "/v1/sites",
        "/v1/members",
    ] {
        assert_eq!(code(trb.get_as(&scale, path)), "not_for_devices", "{path}");
    }
    let weighed = json!({
        "device_seq": 1,
        "events": [{"type": "weighed", "scale": "S1", "gross_kg": 31_000, "device_seq": 1}],
    });
    let events = format!("{bus_path}/events");
    trb.post_as(&scale, None, &events, &weighed)
        .expect("it is weighed");

    let body = json!({"name": "x", "scope": reader, "reads": {"kinds": ["lorry"]}});
    assert_eq!(code(trb.post("/v1/tokens", &body)), "unknown_value");
}

#[test]
fn auditors_see_how_often_each_token_was_shown_what_is_not_everybodys() {
    let mut world = World::default();
    world.start_with_officer("OF-SEC", "SEC");
    let trb = world.site("trb");
    let (bus, lookout) = record_both(trb);
    let (passports, security) = (officer(trb, "PAS"), officer(trb, "SEC"));
    let (auditor, clerk) = (officer(trb, "HUB"), officer(trb, "PORT"));

    let times = |token: &str, id: &str, times: usize| {
        for _ in 0..times {
            trb.get_as(token, &format!("/v1/records/{id}"))
                .expect("a record");
        }
    };
    times(&passports, &bus, 3);
    times(&passports, &lookout, 2);
    times(&security, &lookout, 2);
    times(&clerk, &bus, 5);

    let counted = |name: &str| {
        let reads = trb.get_as(&auditor, "/v1/reads").expect("reads");
        let lines = reads["reads"].as_array().expect("lines").clone();
        let line = lines.into_iter().find(|line| line["token"] == name);
        let line = line.expect("a line");
        (line["persons"].as_u64(), line["lookouts"].as_u64())
    };
    // What is on its way to the disk is counted as soon as it is there.
    world.wait("reads are counted", || counted("PAS") == (Some(3), Some(0)));
    world.wait("reads are counted", || counted("SEC") == (Some(0), Some(2)));
    assert_eq!(
        counted("PORT"),
        (Some(0), Some(0)),
        "nothing was shown to it"
    );
    assert_eq!(code(trb.get_as(&clerk, "/v1/reads")), "operator_only");

    // What is given whole is one look, and no JSON.
    let _ = trb.get_as(&passports, &format!("/v1/records/{bus}/document"));
    world.wait("reads are counted", || counted("PAS").0 > Some(3));
    assert_eq!(counted("PAS"), (Some(4), Some(0)));
}

#[test]
fn an_officer_who_was_revoked_reads_nothing_any_more() {
    let mut world = World::default();
    world.start_with_officer("OF-SEC", "SEC");
    let trb = world.site("trb");
    let (_, lookout) = record_both(trb);
    let security = officer(trb, "SEC");
    let path = format!("/v1/records/{lookout}");
    trb.get_as(&security, &path).expect("a lookout of its own");

    let revoke = ["say", "officer", "OF-SEC", "SEC", "--revoke"];
    let said = run(&world.site("hub").dir, &revoke);
    assert!(said.status.success(), "{said:?}");
    world.wait("the site has heard of it", || {
        trb.get_as(&security, &path)
            .is_err_and(|problem| problem["code"] == "revoked_officer")
    });
    assert_eq!(
        code(trb.get_as(&security, "/v1/records")),
        "revoked_officer"
    );
}

#[test]
fn a_token_reads_the_crossings_and_the_lookouts_that_its_issuer_named() {
    let mut world = World::default();
    world.start_with_officer("OF-SEC", "SEC");
    world.start("qam", &[("hub", world.site("hub").listen)]);
    let (hub, trb, qam) = (world.site("hub"), world.site("trb"), world.site("qam"));
    let registered = json!({"say": "officer", "officer": "OF-CUS", "department": "CUS"});
    hub.post("/v1/control", &registered).expect("registered");
    world.settle(&["hub", "trb", "qam"]);

    let (bus, of_security) = record_both(trb);
    let of_customs = json!({
        "kind": "hold", "officer": "OF-CUS", "department": "CUS",
        "fields": {"type": "CUSTOMS", "legal_basis": "order 13", "target.term": "66C00042"},
    });
    let of_customs = trb.post("/v1/records", &of_customs).expect("written")["record"].clone();
    let of_customs = of_customs.as_str().expect("an id");
    let elsewhere = qam.truck("22-A-00001");
    world.settle(&["hub", "trb", "qam"]);

    let reader = || json!({"is": "reader"});
    let narrow = json!({"crossings": ["trb"], "persons": true, "lookouts": ["sec"]});
    let token = issue(hub, "trebil", reader(), narrow);
    let ask = |path: &str| hub.get_as(&token, path);
    let kept = hub.get("/v1/tokens").expect("tokens");
    let mut kept = kept["tokens"].as_array().expect("tokens").iter();
    let kept = kept.find(|t| t["name"] == "trebil").expect("it is kept");
    let told = json!({"kinds": [], "crossings": ["TRB"], "persons": true, "lookouts": ["SEC"]});
    assert_eq!(kept["reads"], told);

    // What began at Traibeel is read: the traveller, and what security seeks, but not customs.
    let path = |id: &str| format!("/v1/records/{id}");
    let seen = ask(&path(&bus)).expect("the bus");
    assert_eq!(seen["fields"]["person.1.document_hash"], HASH);
    let seen = ask(&path(&of_security)).expect("a lookout");
    assert_eq!(seen["fields"]["target.term"], "77B00042");
    let seen = ask(&path(of_customs)).expect("a lookout");
    assert_eq!(withheld(&seen), ["target.term"]);
    let whole = ask(&format!("{}/document", path(of_customs)));
    assert_eq!(code(whole), "withheld");

    // Of what began at Al-Qaem nothing is: not by its id, and by no way around it.
    let parts = ["", "?known_ms=9999999999999", "/history", "/related"];
    let whole = ["/document", "/evidence", "/verification", "/country"];
    for part in parts.iter().chain(&whole) {
        let asked = ask(&format!("{}{part}", path(&elsewhere)));
        assert_eq!(code(asked), "not_readable", "{part}");
    }
    for list in [
        "/v1/records?crossing=QAM",
        "/v1/records/file?crossing=QAM",
        "/v1/day?from_ms=0&until_ms=1000&crossing=QAM",
        "/v1/findings",
        "/v1/findings?crossing=TRB",
        "/v1/findings/cases",
        "/v1/findings/statistics",
        "/v1/quarantine",
    ] {
        assert_eq!(code(ask(list)), "not_readable", "{list}");
    }

    // Lists and files are of the one crossing that is read.
    for list in ["/v1/records", "/v1/records/file?format=ndjson"] {
        let page = ask(list).expect("a list").to_string();
        assert!(page.contains(&bus) && page.contains(of_customs), "{page}");
        assert!(!page.contains(&elsewhere), "{page}");
        assert!(!page.contains("66C00042"), "{page}");
    }
    let found = ask("/v1/records?q=22A00001").expect("a list");
    assert_eq!(found["records"], json!([]), "{found}");
    let exported = run(&hub.dir, &["export", "--token", &token]);
    let lines = String::from_utf8_lossy(&exported.stdout);
    assert!(exported.status.success() && lines.contains(&bus), "{lines}");
    assert!(!lines.contains(&elsewhere), "{lines}");
    for record in hub.listen_as(&token, "/v1/changes", 3) {
        assert_eq!(record["crossing"], "TRB", "{record}");
    }

    // An officer of the commission reads all lookouts, unless the token is narrowed; others never
    // more than their department's.
    let seen_by = |name: &str, department: &str, lookouts: Value, record: &str| {
        let scope = json!({"is": "officer", "officer": name, "department": department});
        let token = issue(hub, name, scope, json!({"lookouts": lookouts}));
        let seen = hub.get_as(&token, &path(record)).expect("a lookout");
        seen["fields"]["target.term"].is_string()
    };
    assert!(seen_by("AU-1", "HUB", json!(["SEC"]), &of_security));
    assert!(!seen_by("AU-2", "HUB", json!(["SEC"]), of_customs));
    assert!(seen_by("AU-3", "HUB", json!(true), of_customs));
    assert!(!seen_by("CU-1", "CUS", json!(["SEC"]), &of_security));
    assert!(!seen_by("CU-2", "CUS", json!(["SEC"]), of_customs));
    assert!(seen_by("CU-3", "CUS", json!(["CUS", "SEC"]), of_customs));
}

#[test]
fn a_token_is_narrowed_at_the_prompt_and_names_what_there_is() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world.start("qam", &[("hub", world.site("hub").listen)]);
    let (hub, trb, qam) = (world.site("hub"), world.site("trb"), world.site("qam"));
    let (here, there) = (trb.truck("11-A-00001"), qam.truck("22-A-00001"));
    world.settle(&["hub", "trb", "qam"]);

    let issue = ["token", "issue", "both"];
    let reads = ["--crossing", "TRB,QAM", "--lookouts-of", "SEC,CUS"];
    let issued = run_json(&hub.dir, &[&issue[..], &reads[..]].concat());
    let token = issued["token"].as_str().expect("a token");
    let listed = run(&hub.dir, &["token", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let words = "at QAM, TRB; no travellers; lookouts of CUS, SEC";
    assert!(listed.contains(words), "{listed}");

    // Of two crossings one has to be named, as of two kinds.
    let refused = hub.get_as(token, "/v1/records").expect_err("of which one?");
    assert_eq!(refused["code"], "not_readable");
    let why = "this token reads records of QAM, TRB alone; name one crossing";
    assert_eq!(refused["detail"], why);
    for (crossing, id) in [("TRB", &here), ("QAM", &there)] {
        let page = hub.get_as(token, &format!("/v1/records?crossing={crossing}"));
        let page = page.expect("a list").to_string();
        assert!(page.contains(id.as_str()), "{page}");
    }

    // A slip of the pen would be a token that reads nothing.
    for wrong in [
        json!({"crossings": ["TRX"]}),
        json!({"lookouts": ["SEK"]}),
        json!({"kinds": ["lorry"]}),
    ] {
        let body = json!({"name": "x", "scope": {"is": "reader"}, "reads": wrong});
        assert_eq!(
            code(hub.post("/v1/tokens", &body)),
            "unknown_value",
            "{wrong}"
        );
    }
    let both = ["token", "issue", "x", "--lookouts", "--lookouts-of", "SEC"];
    assert_eq!(run(&hub.dir, &both).status.code(), Some(2));
}

/// How often a token was shown travellers, as auditors see it.
fn persons_read(site: &Site, name: &str) -> Option<u64> {
    let reads = site.get("/v1/reads").expect("reads");
    let mut lines = reads["reads"].as_array().expect("lines").iter();
    lines.find(|line| line["token"] == name)?["persons"].as_u64()
}

#[test]
fn each_way_in_which_a_traveller_is_shown_counts_and_is_noted_with_the_record() {
    let mut world = World::default();
    world.start_with_officer("OF-SEC", "SEC");
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let (bus, _) = record_both(trb);
    let scope = json!({"is": "officer", "officer": "OF-PAS", "department": "PAS"});
    let reads = json!({"kinds": ["passage"], "persons": true});
    let passports = issue(trb, "PAS", scope, reads);

    let mut times = 0;
    for way in [
        format!("/v1/records/{bus}/history"),
        format!("/v1/records/{bus}/evidence"),
        format!("/v1/records/{bus}/verification"),
        "/v1/records/file?format=ndjson".into(),
        "/v1/records/file?format=csv".into(),
        "/v1/records?fields=fields".into(),
        // Whoever finds it by the document knows whose it is, whatever is shown.
        format!("/v1/records?q={HASH}&fields=state"),
    ] {
        trb.get_as(&passports, &way).expect("it is shown");
        times += 1;
        world.wait(&format!("{way} is counted"), || {
            persons_read(trb, "PAS") == Some(times)
        });

        let newest = trb.get("/v1/looks?limit=1").expect("looks");
        let newest = &newest["looks"][0];
        assert_eq!(newest["record"], bus.as_str(), "{way}: {newest}");
        assert_eq!(newest["what"], "person", "{way}");
    }

    let exported = run(&trb.dir, &["export", "--token", &passports]);
    let lines = String::from_utf8_lossy(&exported.stdout);
    assert!(exported.status.success() && lines.contains(HASH), "{lines}");
    world.wait("an export is counted", || {
        persons_read(trb, "PAS") == Some(times + 1)
    });
    let heard = trb.listen_as(&passports, "/v1/changes", 1);
    assert_eq!(heard[0]["record"], bus.as_str());
    world.wait("the stream is counted", || {
        persons_read(trb, "PAS") == Some(times + 2)
    });

    // What an auditor takes along with a finding is read, too.
    let weighed = json!({
        "type": "weighed", "scale": "S1", "gross_kg": 31_000,
        "attested_by": "OF-1", "attester_department": "CUS",
    });
    trb.say(&bus, "OPS", weighed).expect("it is weighed");
    let found = || {
        let page = hub.get("/v1/findings?rule=R22").expect("findings");
        page["findings"][0]["finding"].as_str().map(String::from)
    };
    world.wait("the hub finds it", || found().is_some());
    let finding = found().expect("it is found");

    let auditor = officer(hub, "HUB");
    let pack = ["audit", "evidence", &finding, "-o", "case"];
    let packed = run(&hub.dir, &[&pack[..], &["--token", &auditor]].concat());
    assert!(packed.status.success(), "{packed:?}");
    world.wait("what was packed is counted", || {
        persons_read(hub, "HUB") >= Some(1)
    });
}
