//! What people and machines get wrong: a clear error with a stable code, the good kept, nothing
//! lost.

use integration_tests::{World, papers, run};
use serde_json::{Value, json};

fn code(answer: Result<Value, Value>) -> String {
    answer.expect_err("it should have been refused")["code"]
        .as_str()
        .unwrap_or_default()
        .to_string()
}

#[test]
fn the_api_says_what_is_wrong_and_what_to_do() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let passage = |fields: Value| {
        json!({
            "kind": "passage",
            "officer": "OF-1",
            "department": "PORT",
            "fields": fields,
        })
    };
    let post = |body: Value| trb.post("/v1/records", &body);
    assert_eq!(
        code(trb.post_text("/v1/records", "{\"kind\": ")),
        "broken_json"
    );
    assert_eq!(code(post(json!({"knid": "passage"}))), "bad_body");
    assert_eq!(
        code(post(
            json!({"kind": "lorry", "officer": "O", "department": "PORT"})
        )),
        "unknown_kind"
    );

    let error = post(passage(json!({"vehicle.plat": "1"}))).unwrap_err();
    assert_eq!(error["code"], "unknown_field");
    assert!(
        error["detail"].as_str().unwrap().contains("vehicle.plate"),
        "{error}"
    );
    assert_eq!(error["status"], 422);
    assert_eq!(code(post(passage(json!({"direction": "up"})))), "bad_value");
    assert_eq!(code(post(passage(json!({})))), "empty_draft");

    let mut foreign = passage(json!({"direction": "in"}));
    foreign["crossing"] = "QAM".into();
    assert_eq!(code(post(foreign)), "foreign_crossing");

    let id = trb.truck("11-A-00001");
    let vet = trb.say(
        &id,
        "VET",
        json!({"type": "gate.out", "gate": "G1", "read": "R1"}),
    );

    assert_eq!(code(vet), "no_authority");
    assert_eq!(
        code(trb.say(&id, "NAVY", json!({"type": "parked", "bay": "1"}))),
        "unknown_department"
    );
    assert_eq!(
        code(trb.say(&id, "PORT", json!({"type": "parkd", "bay": "1"}))),
        "unknown_event"
    );
    assert_eq!(
        code(trb.say(&id, "PORT", json!({"type": "parked"}))),
        "bad_value"
    );
    assert_eq!(code(trb.record("TRB-P-0000000000000")), "malformed");
    assert_eq!(code(trb.get("/v1/recods")), "no_such_route");

    let huge = passage(json!({"note": "x".repeat(400_000)}));
    assert_eq!(code(post(huge)), "body_too_large");
    assert_eq!(
        code(post(passage(json!({"note": "x".repeat(20_000)})))),
        "limit_exceeded"
    );

    // None of that left a trace, and the node goes on.
    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 1);
    trb.truck("11-A-00002");
}

#[test]
fn the_same_key_twice_is_one_write() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let issued = trb
        .post(
            "/v1/tokens",
            &json!({"name": "scale-1", "scope": {"is": "device", "device": "scale-1"}}),
        )
        .unwrap();

    assert!(issued["token"].as_str().unwrap().starts_with("wadi_"));

    let line = json!({
        "kind": "passage",
        "key": "K1",
        "officer": "O",
        "department": "PORT",
        "fields": {"direction": "in"},
    });
    let text = format!("{line}\n");
    let first = trb.post_text("/v1/imports", &text).unwrap();
    let again = trb.post_text("/v1/imports", &text).unwrap();
    assert_eq!(
        (&first["written"], &again["repeated"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(first["lines"][0]["entry"], again["lines"][0]["entry"]);
    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 1);
}

#[test]
fn broken_json_in_line_7_of_10_costs_that_line_alone() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let mut lines: Vec<String> = (0..10)
        .map(|n| {
            json!({
                "op": "new",
                "id": format!("k{n}"),
                "set": {"plate": format!("11-{n:05}"), "gross_kg": 9000 + n, "status": "weighed"},
            })
            .to_string()
        })
        .collect();

    lines[6] = "{\"op\": \"new\", \"id\": ".into();
    let file = trb.dir.join("ops.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();

    let output = run(
        &trb.dir,
        &["--json", "import", "ops.jsonl", "--config", "node.toml"],
    );
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        output.status.code(),
        Some(3),
        "some lines were bad: {value}"
    );

    assert_eq!((&value["written"], &value["bad"]), (&json!(9), &json!(1)));
    assert_eq!(
        (
            &value["bad_lines"][0]["line"],
            &value["bad_lines"][0]["code"]
        ),
        (&json!(7), &json!("broken_json"))
    );

    // Mended and sent again, only the mended line is written.
    lines[6] = json!({"op": "new", "id": "k6", "set": {"plate": "11-00006"}}).to_string();
    lines.push(
        json!({
            "op": "set",
            "id": "k3",
            "set": {"tare_kg": 8000, "note": "second axle", "cleared_at": "2026-03-01T10:00:00Z"},
        })
        .to_string(),
    );
    std::fs::write(&file, lines.join("\n")).unwrap();

    let output = run(&trb.dir, &["--json", "import", "ops.jsonl"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&value["written"], &value["repeated"], &value["bad"]),
        (&json!(2), &json!(9), &json!(0)),
        "{value}"
    );
}

#[test]
fn a_spool_keeps_the_good_and_explains_the_bad() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let spool = trb.dir.join("spool");

    world.wait("the spool is open", || spool.join("bad").exists());
    let good = json!({
        "kind": "passage",
        "device": "ANPR-1",
        "device_seq": 1,
        "fields": {"direction": "in"},
    });
    std::fs::write(spool.join("a.json"), good.to_string()).unwrap();
    std::fs::write(spool.join("half.json"), "{\"kind\": \"pass").unwrap();
    std::fs::write(
        spool.join("wrong.json"),
        json!({
            "kind": "passage",
            "device": "ANPR-1",
            "device_seq": 2,
            "fields": {"colour": "red"},
        })
        .to_string(),
    )
    .unwrap();

    world.wait("the good one is done", || {
        spool.join("done/a.json").exists()
    });
    world.wait("the wrong one is told apart", || {
        spool.join("bad/wrong.json.reason").exists()
    });

    let why = std::fs::read_to_string(spool.join("bad/wrong.json.reason")).unwrap();
    assert!(why.starts_with("unknown_field"), "{why}");

    world.wait("the half-written one is given up", || {
        spool.join("bad/half.json.reason").exists()
    });

    let why = std::fs::read_to_string(spool.join("bad/half.json.reason")).unwrap();
    assert!(why.starts_with("broken_json"), "{why}");
    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 1);
}

/// The story of a clerk who can write into the scales' directory and would rather be an inspector.
#[test]
fn a_spool_speaks_for_nobody_but_whom_it_was_configured_for() {
    let mut world = World::default();
    world.prepare("trb", &[], "");
    let dir = world.site("trb").dir.clone();
    let text = std::fs::read_to_string(dir.join("node.toml")).unwrap();
    let places = "[[spool]]\ndir = \"scales\"\ndevices = [\"SC-1\"]\n\
                  [[spool]]\ndir = \"port\"\nofficer = \"PRT-4\"\ndepartment = \"PORT\"\n";
    let text = text.replace("spool = \"spool\"\n", "") + places;
    std::fs::write(dir.join("node.toml"), text).unwrap();
    world.boot("trb");
    let trb = world.site("trb");

    let (scales, port) = (dir.join("scales"), dir.join("port"));
    world.wait("both are open", || {
        scales.join("bad").exists() && port.join("bad").exists()
    });

    let by = |who: Value| {
        let mut draft = json!({"kind": "passage", "fields": {"direction": "in"}});
        draft
            .as_object_mut()
            .unwrap()
            .extend(who.as_object().unwrap().clone());
        draft.to_string()
    };
    let scale = |device: &str| by(json!({"device": device, "device_seq": 1}));
    let officer = |who: &str, of: &str| by(json!({"officer": who, "department": of}));

    // One name in both directories is no repeat of the other.
    std::fs::write(scales.join("a.json"), scale("SC-1")).unwrap();
    std::fs::write(port.join("a.json"), by(json!({}))).unwrap();
    std::fs::write(port.join("named.json"), officer("PRT-4", "PORT")).unwrap();
    std::fs::write(scales.join("other.json"), scale("SC-2")).unwrap();
    std::fs::write(scales.join("chief.json"), officer("CUS-1", "CUS")).unwrap();
    std::fs::write(port.join("chief.json"), officer("CUS-1", "CUS")).unwrap();
    std::fs::write(port.join("scale.json"), scale("SC-1")).unwrap();

    for file in [
        scales.join("done/a.json"),
        port.join("done/a.json"),
        port.join("done/named.json"),
    ] {
        world.wait(&format!("{} is taken", file.display()), || file.exists());
    }

    for (file, named) in [
        (scales.join("bad/other.json.reason"), "SC-2"),
        (scales.join("bad/chief.json.reason"), "no device"),
        (port.join("bad/chief.json.reason"), "CUS-1"),
        (port.join("bad/scale.json.reason"), "SC-1"),
    ] {
        world.wait(&format!("{} is told", file.display()), || file.exists());
        let why = std::fs::read_to_string(&file).unwrap();
        assert!(why.starts_with("spool_speaker: "), "{why}");
        assert!(why.contains(named), "{why}");
    }

    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 3);
}

#[test]
fn papers_passphrases_and_databases_that_do_not_fit_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let nodes = papers().join("certs/nodes");
    let write = |papers: &std::path::Path| {
        let text =
            format!("papers = {papers:?}\nlisten = \"127.0.0.1:0\"\nhttp = \"127.0.0.1:0\"\n");
        std::fs::write(dir.path().join("node.toml"), text).unwrap();
    };

    let check = |expected: &str| {
        let output = run(dir.path(), &["--json", "node", "check"]);
        let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert!(!output.status.success());
        assert_eq!(value["error"], expected, "{value}");
        value["detail"].as_str().unwrap_or_default().to_string()
    };

    write(&dir.path().join("nowhere"));
    assert!(check("unreadable_papers").contains("nowhere"));

    // A certificate that does not read is found when the node starts.
    let broken = dir.path().join("broken");
    std::fs::create_dir_all(&broken).unwrap();
    for name in ["log.key", "root.pub", "enrolment", "ca.pem", "tls.key"] {
        std::fs::copy(nodes.join("trb").join(name), broken.join(name)).unwrap();
    }

    std::fs::write(
        broken.join("tls.pem"),
        "-----BEGIN CERTIFICATE-----\nnot base64\n-----END CERTIFICATE-----\n",
    )
    .unwrap();

    write(&broken);
    let output = run(dir.path(), &["--json", "node", "run"]);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    assert_eq!(value["error"], "bad_identity", "{value}");

    // The database is another node's, or a newer version's: it is not touched.
    write(&nodes.join("trb"));
    run(dir.path(), &["node", "check"]);
    let _ = std::fs::remove_file(dir.path().join("node.sqlite"));
    let mut world = World::default();

    world.start("qam", &[]);
    world.site("qam").truck("1");
    world.site("qam").stop();
    std::fs::copy(
        world.site("qam").dir.join("node.sqlite"),
        dir.path().join("node.sqlite"),
    )
    .unwrap();

    check("database_of_other_node");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    runtime.block_on(async {
        use sqlx::Connection;
        let url = format!("sqlite://{}", dir.path().join("node.sqlite").display());
        let mut conn = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("PRAGMA user_version = 99")
            .execute(&mut conn)
            .await
            .unwrap();
    });

    assert!(check("database_newer").contains("99"));

    // The passphrase.
    let output = std::process::Command::new(integration_tests::wadi())
        .args([
            "--json",
            "pki",
            "issue",
            "late",
            "--crossing",
            "TRB",
            "--dir",
        ])
        .arg(papers().join("certs"))
        .env("WADI_PASSPHRASE", "wrong horse")
        .output()
        .unwrap();

    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["error"], "wrong_passphrase");
    assert!(!papers().join("certs/nodes/late").exists());
}

#[test]
fn a_line_longer_than_any_request_costs_that_line_alone_and_a_long_file_comes_in_parts() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let new = |id: &str, note: &str| {
        json!({"op": "new", "id": id, "set": {"direction": "in", "note": note}}).to_string()
    };

    // Lines of twenty kilobytes, five hundred of which no request takes, and one of nine megabytes
    // where a line break is missing.
    let mut lines: Vec<String> = (0..1_200).map(|n| new(&format!("L{n}"), "")).collect();
    lines
        .iter_mut()
        .for_each(|line| *line += &" ".repeat(20_000));
    lines[700] = new("L700", &"x".repeat(9 * 1024 * 1024));
    let file = world.dir().join("long.ndjson");
    std::fs::write(&file, lines.join("\n")).unwrap();

    let imported = integration_tests::run(&trb.dir, &["import", file.to_str().unwrap(), "--json"]);
    assert_eq!(imported.status.code(), Some(3), "{imported:?}");
    let told: Value = serde_json::from_slice(&imported.stdout).unwrap();
    assert_eq!((&told["written"], &told["bad"]), (&json!(1_199), &json!(1)));
    let bad = &told["bad_lines"][0];
    assert_eq!(
        (&bad["line"], &bad["code"]),
        (&json!(701), &json!("line_too_long"))
    );
}
