//! The record API as officers, devices, screens and scripts use it.

use integration_tests::{World, run_json};
use serde_json::{Value, json};

fn issue(site: &integration_tests::Site, name: &str, scope: Value) -> String {
    let answer = site
        .post("/v1/tokens", &json!({"name": name, "scope": scope}))
        .unwrap();
    answer["token"].as_str().unwrap().to_string()
}

#[test]
fn a_token_says_who_speaks_and_a_key_makes_one_write_of_many() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let officer = issue(
        trb,
        "gate",
        json!({"is": "officer", "officer": "OF-9", "department": "PORT"}),
    );

    let body = json!({"kind": "passage", "fields": {"direction": "in"}});
    let first = trb
        .post_as(&officer, Some("K-1"), "/v1/records", &body)
        .unwrap();
    let again = trb
        .post_as(&officer, Some("K-1"), "/v1/records", &body)
        .unwrap();
    assert_eq!(
        (&first["entry"], &again["repeated"]),
        (&again["entry"], &json!(true))
    );

    let id = first["id"].as_str().unwrap();
    let history = trb.get(&format!("/v1/records/{id}/history")).unwrap();
    assert_eq!(history["entries"][0]["officer"], "OF-9");

    // The record as a document that any Automerge tool opens.
    let document = trb.bytes(&format!("/v1/records/{id}/document"));
    let saved = wadi_record::read_saved(&document).expect("Automerge reads it");
    assert_eq!(
        saved.values["direction"],
        [wadi_log::Value::Text("in".into())]
    );

    let mut posing = body.clone();
    posing["officer"] = "OF-1".into();
    assert_eq!(
        trb.post_as(&officer, None, "/v1/records", &posing)
            .unwrap_err()["code"],
        "officer_given"
    );

    assert_eq!(
        trb.post_as("wadi_guess", None, "/v1/records", &body)
            .unwrap_err()["code"],
        "unauthorised"
    );

    let reader = issue(trb, "screen", json!({"is": "reader"}));
    assert_eq!(
        trb.post_as(&reader, None, "/v1/records", &body)
            .unwrap_err()["code"],
        "read_only"
    );

    assert_eq!(
        trb.post_as(
            &officer,
            None,
            "/v1/tokens",
            &json!({"name": "x", "scope": {"is": "reader"}})
        )
        .unwrap_err()["code"],
        "operator_only"
    );

    // A device says readings with its own counter; the same again is a repeat, another reading
    // under its number is refused, and what only an officer may say it may not.
    let scale = issue(trb, "scale", json!({"is": "device", "device": "scale-1"}));
    let weigh = |seq: u64| {
        json!({
            "device_seq": seq,
            "events": [{"type": "weighed", "scale": "S1", "gross_kg": 31_000, "device_seq": seq}],
        })
    };
    let path = format!("/v1/records/{id}/events");
    trb.post_as(&scale, None, &path, &weigh(7)).unwrap();
    assert_eq!(
        trb.post_as(&scale, None, &path, &weigh(7)).unwrap()["repeated"],
        true
    );

    let mut other = weigh(7);
    other["events"][0]["gross_kg"] = json!(32_000);
    assert_eq!(
        trb.post_as(&scale, None, &path, &other).unwrap_err()["code"],
        "device_sequence"
    );

    trb.post_as(&scale, None, &path, &weigh(9)).unwrap();
    let no_seq = json!({"events": [{"type": "weighed", "scale": "S1"}]});
    assert_eq!(
        trb.post_as(&scale, None, &path, &no_seq).unwrap_err()["code"],
        "device_seq_missing"
    );

    let open =
        json!({"device_seq": 10, "events": [{"type": "gate.out", "gate": "G1", "read": "R"}]});
    assert_eq!(
        trb.post_as(&scale, None, &path, &open).unwrap_err()["code"],
        "no_authority"
    );
    let exit = json!({"device_seq": 11, "fields": {"declared_exit": "TRB"}});
    assert_eq!(
        trb.post_as(&scale, None, &path, &exit).unwrap_err()["code"],
        "no_authority"
    );
}

#[test]
fn a_device_says_what_it_was_enrolled_for_and_nothing_else() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let id = trb.truck("11-A-00001");
    let path = format!("/v1/records/{id}/events");

    let scale = json!({
        "is": "device", "device": "scale-1", "events": ["weighed"], "fields": ["container.N"],
    });
    let scale = issue(trb, "scale", scale);
    let said = |seq: u64, event: Value| json!({"device_seq": seq, "events": [event]});
    let set =
        |seq: u64, field: &str, value: Value| json!({"device_seq": seq, "fields": {field: value}});
    let read = json!({"type": "gate.read", "device": "scale-1", "device_seq": 2});
    let weighed = json!({"type": "weighed", "scale": "S1", "gross_kg": 31_000});

    let say = |body| trb.post_as(&scale, None, &path, &body);
    say(said(1, weighed)).unwrap();
    assert_eq!(say(said(2, read)).unwrap_err()["code"], "not_enrolled");
    say(set(3, "container.1", json!("CSQU3054383"))).unwrap();
    let note = set(4, "note", json!("n"));
    assert_eq!(say(note).unwrap_err()["code"], "not_enrolled");

    // Nobody enrols a device for what none may, or for what there is not.
    for scope in [
        json!({"is": "device", "device": "d", "events": ["released"]}),
        json!({"is": "device", "device": "d", "fields": ["target.term"]}),
        json!({"is": "device", "device": "d", "events": ["wieghed"]}),
    ] {
        let refused = trb.post("/v1/tokens", &json!({"name": "d", "scope": scope}));
        assert_eq!(refused.unwrap_err()["code"], "bad_value");
    }
}

#[test]
fn whoever_follows_a_store_that_was_restored_or_filled_anew_is_told_to_begin_anew() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let hub = world.site("hub");
    let trb = world.site("trb");
    let first = trb.truck("11-A-00001");
    world.settle(&["hub", "trb"]);
    let seen = |count| hub.follow("/v1/changes", None, count).unwrap();
    let early = seen(1)[0].0.clone();

    // A snapshot of the machine is taken while it runs and is quiet; the same life goes on.
    let copy = world.dir().join("copy");
    integration_tests::network::copy_dir(&hub.dir, &copy);
    let cursor = format!("/v1/changes?after={early}");
    trb.truck("11-A-00002");
    world.settle(&["hub", "trb"]);
    let late = hub.follow(&cursor, None, 1).unwrap()[0].0.clone();

    // A start as it was keeps cursors: nobody missed anything.
    hub.stop();
    world.boot("hub");
    trb.truck("11-A-00003");
    world.settle(&["hub", "trb"]);
    assert_eq!(hub.follow(&cursor, Some(&late), 1).unwrap().len(), 1);

    // The machine is put back as it was, anchor and all: other changes take the numbers.
    hub.kill();
    for name in [
        "node.sqlite",
        "node.sqlite-wal",
        "node.sqlite-shm",
        "anchor",
        "clean",
    ] {
        let _ = std::fs::remove_file(hub.dir.join(name));
    }
    integration_tests::network::copy_dir(&copy, &hub.dir);
    world.boot("hub");
    world.settle(&["hub", "trb"]);
    let gone = hub.follow("/v1/changes", Some(&late), 1).unwrap_err();
    assert_eq!(gone["code"], "cursor_gone", "{gone}");
    assert_eq!(
        hub.follow(&cursor, None, 2).unwrap().len(),
        2,
        "what both have seen"
    );

    // A database that is lost is filled anew from the site: no cursor of before is good.
    hub.stop();
    for name in ["node.sqlite", "node.sqlite-wal", "node.sqlite-shm"] {
        let _ = std::fs::remove_file(hub.dir.join(name));
    }
    world.boot("hub");
    world.wait("it is filled anew", || hub.record(&first).is_ok());
    let gone = hub.follow("/v1/changes", Some(&early), 1).unwrap_err();
    assert_eq!(gone["code"], "cursor_gone", "{gone}");
    assert_eq!(seen(3).len(), 3, "a beginning anew gives everything");
}

#[test]
fn changes_stream_from_a_cursor_and_records_are_read_as_they_were() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let ids: Vec<String> = (0..3).map(|n| trb.truck(&format!("11-A-{n:05}"))).collect();
    let heard = trb.listen("/v1/changes", 3);
    let told: Vec<&str> = heard.iter().map(|v| v["id"].as_str().unwrap()).collect();
    assert_eq!(told, ids.iter().map(String::as_str).collect::<Vec<_>>());

    let heard = trb.follow("/v1/changes?after=0", None, 3).unwrap();
    let later = trb.listen(&format!("/v1/changes?after={}", heard[1].0), 1);
    assert_eq!(later[0]["id"], ids[2].as_str());

    // What was seen last wins over where the stream began.
    let began = format!("/v1/changes?after={}", heard[0].0);
    let later = trb.follow(&began, Some(&heard[1].0), 1).unwrap();
    assert_eq!(later[0].1["id"], ids[2].as_str());

    for unknown in [
        "7",
        "x",
        "-1",
        "00ff00ff00ff00ff-1",
        &format!("{}0", heard[2].0),
    ] {
        for (path, last) in [
            (format!("/v1/changes?after={unknown}"), None),
            ("/v1/changes".into(), Some(unknown)),
        ] {
            let problem = trb.follow(&path, last, 1).unwrap_err();
            assert_eq!(
                (&problem["status"], &problem["code"]),
                (&json!(410), &json!("cursor_gone"))
            );
            assert!(
                problem["remedy"]
                    .as_str()
                    .unwrap()
                    .contains("without a cursor")
            );
        }
    }

    // As of an entry, and as of a time.
    let before = trb.record(&ids[0]).unwrap();
    trb.set(&ids[0], "seal.1", json!("JO1"), None).unwrap();
    let head = before["heads"][0].as_str().unwrap();
    let then = trb
        .get(&format!("/v1/records/{}?at={head}", ids[0]))
        .unwrap();
    assert!(then["fields"]["seal.1"].is_null());
    assert_eq!(trb.record(&ids[0]).unwrap()["fields"]["seal.1"], "JO1");
}

#[test]
fn a_lookout_detains_at_the_site_at_once_and_the_command_line_tells() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let (trb, hub) = (world.site("trb"), world.site("hub"));
    let officer = json!({"say": "officer", "officer": "HUB-1", "department": "HUB"});
    hub.post("/v1/control", &officer).unwrap();

    let lookout = json!({
        "kind": "hold", "crossing": "TRB", "officer": "HUB-1", "department": "HUB",
        "fields": {"type": "SECURITY", "legal_basis": "order 12", "target.term": "77B00042"},
        "events": [{"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order 12"}],
    });

    let hold = hub.post("/v1/records", &lookout).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_string();

    world.wait("the site has the lookout", || trb.record(&hold).is_ok());
    let id = trb.truck("77-B-00042");
    let record = trb.record(&id).unwrap();
    assert!(
        record["flags"]
            .as_array()
            .unwrap()
            .contains(&json!("DETAINED")),
        "{record}"
    );

    assert_eq!(record["detained_by"][0]["hold"], hold.as_str());

    // The same through the command line, as an operator would.
    let shown = run_json(&trb.dir, &["record", "show", &id]);
    assert_eq!(shown["detained_by"][0]["hold"], hold.as_str());

    let written = run_json(
        &trb.dir,
        &[
            "record",
            "new",
            "passage",
            "--officer",
            "OF-7",
            "--department",
            "PORT",
            "--set",
            "direction=in",
            "--set",
            "lane=4",
        ],
    );

    let new = written["id"].as_str().unwrap();
    run_json(
        &trb.dir,
        &[
            "record",
            "event",
            new,
            "parked",
            "bay=B7",
            "--officer",
            "OF-7",
            "--department",
            "PORT",
        ],
    );

    let listed = run_json(&trb.dir, &["record", "list", "--state", "IN_PROCESS"]);
    assert_eq!(listed["records"][0]["id"], new);

    let history = run_json(&trb.dir, &["record", "history", new]);
    assert_eq!(history["entries"].as_array().unwrap().len(), 2);

    run_json(&trb.dir, &["export", "-o", "all.ndjson"]);
    let text = std::fs::read_to_string(trb.dir.join("all.ndjson")).unwrap();
    let trailer: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(trailer["export"]["rows"], text.lines().count() - 1);
}

#[test]
fn what_is_written_otherwise_is_found_held_and_contradicted_all_the_same() {
    let mut world = World::default();
    world.start_with_officer("OF-SEC", "SEC");

    let (trb, hub) = (world.site("trb"), world.site("hub"));
    let new =
        |kind: &str, department: &str, fields: serde_json::Value, event: serde_json::Value| {
            let officer = match department {
                "SEC" => "OF-SEC",
                _ => "OF-7",
            };
            let body = json!({
                "kind": kind, "officer": officer, "department": department,
                "fields": fields, "events": [event],
            });
            trb.post("/v1/records", &body).unwrap()
        };

    let lookout = |term: &str| {
        let fields = json!({"type": "SECURITY", "legal_basis": "order 12", "target.term": term});
        let placed = json!({
            "type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order 12",
        });
        new("hold", "SEC", fields, placed)
    };

    for term in ["23 ه 78804", "0803+EC", &"ab".repeat(32), "CSQU3054383"] {
        lookout(term);
    }

    // As cameras, scanners, brokers and clerks write them.
    for (fields, is_held) in [
        (json!({"vehicle.plate_raw": "۲۳ هـ ٧٨٨٠٤"}), true),
        (json!({"vehicle.plate_raw": "23 ت 78804"}), false),
        (
            json!({"goods.hs_code": "0803.90.10", "goods.origin": "EC"}),
            true,
        ),
        (
            json!({"goods.hs_code": "0804.30.00", "goods.origin": "EC"}),
            false,
        ),
        (
            json!({"person.1.document_hash": format!("sha256:{}", "AB".repeat(32))}),
            true,
        ),
        (json!({"container.1": "csqu 305438/3"}), true),
    ] {
        let told = new(
            "passage",
            "PORT",
            fields.clone(),
            json!({"type": "gate.in", "gate": "G1", "read": "R1"}),
        );
        let flags = told["flags"].as_array().cloned().unwrap_or_default();
        assert_eq!(
            flags.contains(&json!("DETAINED")),
            is_held,
            "{fields}: {told}"
        );

        let record = trb.record(told["id"].as_str().unwrap()).unwrap();
        for (name, raw) in fields.as_object().unwrap() {
            assert_eq!(&record["fields"][name], raw, "it is kept as it was said");
        }
    }

    let listed = trb.get("/v1/records?container=CSQU-305438-3").unwrap();
    assert_eq!(
        listed["records"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );

    // One reference in two entries, and the hub finds it.
    let declared = |reference: &str, number: &str| {
        let fields = json!({"declarant": "D", "declarant_ref": reference});
        new(
            "customs-entry",
            "CUS",
            fields,
            json!({"type": "registered", "registration_no": number}),
        )
    };
    declared("103/2026", "N1");
    declared("\u{200F}١٠٣-٢٠٢٦ ", "N2");
    world.wait("the hub finds it", || {
        hub.get("/v1/findings?rule=R08")
            .is_ok_and(|f| f["findings"].as_array().is_some_and(|all| all.len() == 1))
    });
}

#[test]
fn a_visa_is_checked_with_the_passport_that_it_lies_beside() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");

    let passport = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\r\
                    L898902C36UTO7408122F3012040<<<<<<<<<<<<<<08";
    let visa =
        "V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<L8988901C4XXX4009078F96121096ZE184226B<<<<<<";
    let wrong_visa = visa.replace("4009078", "4009079");

    for (zones, check) in [
        (vec![passport, visa], "passed"),
        (vec![passport, &wrong_visa], "failed"),
        (
            vec![&passport.replace("7408122", "7408123"), visa],
            "failed",
        ),
    ] {
        let body = json!({
            "kind": "passage", "officer": "OF-2", "department": "PAS", "check_mrz": zones,
            "fields": {"direction": "in", "person.1.document_hash": "a".repeat(64)},
        });

        let told = trb.post("/v1/records", &body).unwrap();
        let record = trb.record(told["id"].as_str().unwrap()).unwrap();
        assert_eq!(
            record["fields"]["person.1.document_check"], check,
            "{zones:?}: {told}"
        );
    }
}

#[test]
fn a_zone_that_fails_its_check_is_noted_found_and_never_kept() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let (trb, hub) = (world.site("trb"), world.site("hub"));
    let right = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\n\
                     L898902C36UTO7408122F1204159ZE184226B<<<<<10";
    let wrong = right.replace("7408122", "7408123");
    let wrong = wrong.as_str();
    let body = |zones: &[&str]| {
        json!({
            "kind": "passage", "officer": "OF-2", "department": "PAS", "check_mrz": zones,
            "fields": {
                "direction": "in", "purpose": "passengers",
                "person.2.document_hash": "b".repeat(64), "person.10.document_hash": "a".repeat(64),
            },
        })
    };

    let told = trb.post("/v1/records", &body(&[right, wrong])).unwrap();
    let id = told["id"].as_str().unwrap();
    assert!(
        told["warnings"].to_string().contains("check digit"),
        "{told}"
    );

    let fields = trb.record(id).unwrap()["fields"].clone();
    assert_eq!(
        (
            &fields["person.2.document_check"],
            &fields["person.10.document_check"]
        ),
        (&json!("passed"), &json!("failed"))
    );

    world.wait("the hub finds it", || {
        let found = hub.get("/v1/findings?rule=R24").unwrap_or_default();
        found["findings"][0]["phase"] == "FIRM"
            && found["findings"][0]["text"]
                .to_string()
                .contains("person.10")
    });

    // A word makes no false passport a right one.
    for said in [json!("passed"), Value::Null] {
        let word = json!({
            "officer": "OF-8",
            "department": "PORT",
            "fields": {"person.10.document_check": said},
        });
        let refused = trb.post(&format!("/v1/records/{id}/events"), &word);
        assert_eq!(refused.unwrap_err()["code"], "bad_value");
    }

    // Read again, by somebody who has the record before them: it agrees now, and nothing is left to
    // find.
    let again = json!({
        "officer": "OF-2",
        "department": "PAS",
        "check_mrz": [right],
        "fields": {"person.10.document_hash": "c".repeat(64)},
    });
    trb.post(&format!("/v1/records/{id}/events"), &again)
        .unwrap();
    assert_eq!(
        trb.record(id).unwrap()["fields"]["person.10.document_check"],
        "passed"
    );

    world.wait("the hub withdraws it", || {
        hub.get("/v1/findings?rule=R24")
            .is_ok_and(|f| f["findings"].as_array().is_some_and(Vec::is_empty))
    });

    // One zone and two documents: nobody can tell whose it is, and nothing is noted.
    let unclear = trb.post("/v1/records", &body(&[wrong])).unwrap();
    let fields = trb.record(unclear["id"].as_str().unwrap()).unwrap()["fields"].clone();
    assert!(
        fields["person.2.document_check"].is_null() && fields["person.10.document_check"].is_null(),
        "{fields}"
    );

    trb.stop();
    let held = std::fs::read(trb.dir.join("node.sqlite")).unwrap();
    let wal = std::fs::read(trb.dir.join("node.sqlite-wal")).unwrap_or_default();

    for text in [&b"L898902C3"[..], b"ERIKSSON"] {
        assert!(
            ![&held, &wal]
                .iter()
                .any(|f| f.windows(text.len()).any(|w| w == text))
        );
    }
}
