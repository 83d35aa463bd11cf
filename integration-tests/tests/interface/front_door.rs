//! Who comes to the front door: whoever writes is told what it came to, whoever asks for what does
//! not exist is told so, and callers who have nothing to say keep out nobody.

use integration_tests::{Site, World, run, run_json, wadi};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

fn code(answer: Result<Value, Value>) -> String {
    answer.expect_err("it should have been refused")["code"]
        .as_str()
        .unwrap_or_default()
        .to_string()
}

fn lookout(site: &Site, term: &str) -> String {
    let placed = json!({"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "L"});
    let body = json!({"kind": "hold", "officer": "OF-7", "department": "SEC", "events": [placed],
        "fields": {"type": "SECURITY", "legal_basis": "L", "target.term": term}});
    site.post("/v1/records", &body).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_string()
}

#[test]
fn whoever_writes_is_told_what_it_came_to() {
    let mut world = World::default();
    world.start_with_officer("OF-7", "SEC");
    let trb = world.site("trb");
    let hold = lookout(trb, "11-A-1");
    let is_detained = |answer: &Value| {
        let flags = answer["flags"]
            .as_array()
            .is_some_and(|f| f.contains(&json!("DETAINED")));
        flags
            && answer["detained_by"]
                .as_array()
                .is_some_and(|holds| !holds.is_empty())
    };

    let body = json!({
        "kind": "passage",
        "officer": "OF-1",
        "department": "PORT",
        "fields": {"direction": "in", "vehicle.plate_raw": "11 A 1"},
        "events": [{"type": "gate.in", "gate": "G", "read": "R"}],
    });
    let written = trb.post("/v1/records", &body).unwrap();
    assert!(
        is_detained(&written) && written["state"] == "ADMITTED",
        "{written}"
    );

    let free = trb.truck("22-B-2");
    let other_hold = lookout(trb, "22-B-2");
    let noted = trb.set(&free, "note", json!("n"), None).unwrap();
    assert!(
        is_detained(&noted) && noted["detained_by"][0]["hold"] == other_hold.as_str(),
        "{noted}"
    );

    let line =
        json!({"op": "new", "id": "I-1", "set": {"plate": "11A1", "direction": "in"}}).to_string();
    std::fs::write(trb.dir.join("i.ndjson"), format!("{line}\n")).unwrap();

    let output = run(&trb.dir, &["--json", "import", "i.ndjson"]);
    assert_eq!(output.status.code(), Some(5), "what is detained is told");
    let imported: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(is_detained(&imported["detained"][0]), "{imported}");
    assert_eq!(imported["states"]["ANNOUNCED"], 1);

    let said = run(
        &trb.dir,
        &[
            "record",
            "event",
            &free,
            "parked",
            "bay=B1",
            "--officer",
            "O",
            "--department",
            "PORT",
        ],
    );

    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.status.code(), Some(5), "{text}");
    let told = format!("*** DETAINED by {other_hold} (SECURITY of SEC, L, since ");
    assert!(text.starts_with(&told), "{text}");
    assert!(!text.contains("22B2"), "what is sought is not told: {text}");
    assert!(
        text.contains("IN_PROCESS DETAINED") && text.contains(&other_hold),
        "{text}"
    );

    // They are found by that, in the API and at the prompt, and no others are.
    trb.truck("33-C-3");
    let listed = trb.get("/v1/records?state=DETAINED").unwrap();
    assert_eq!(listed["records"].as_array().unwrap().len(), 3, "{listed}");
    assert!(
        listed["records"]
            .as_array()
            .unwrap()
            .iter()
            .all(is_detained)
    );

    let listed = run_json(&trb.dir, &["record", "list", "--state", "detained"]);
    assert_eq!(listed["records"].as_array().unwrap().len(), 3);

    // By a link, too.
    let other = trb.truck("44-D-4");
    let link = json!({"type": "link", "record": other});
    trb.post(
        &format!("/v1/records/{hold}/events"),
        &json!({"officer": "OF-7", "department": "SEC", "events": [link]}),
    )
    .unwrap();

    assert_eq!(
        trb.get("/v1/records?state=DETAINED").unwrap()["records"]
            .as_array()
            .unwrap()
            .len(),
        4
    );

    let at_hand = trb.record(&other).unwrap();
    assert!(is_detained(&at_hand), "{at_hand}");
}

#[test]
fn a_truck_whose_goods_are_held_stands_on_the_board_with_who_asked_for_it() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let post = |kind: &str, department: &str, fields: Value, events: Value| {
        let body = json!({"kind": kind, "officer": "OF-1", "department": department,
            "fields": fields, "events": events});
        let written = trb.post("/v1/records", &body).unwrap();
        written["id"].as_str().unwrap().to_string()
    };

    let came = json!([{"type": "gate.in", "gate": "G", "read": "R"}]);
    let fields = json!({"direction": "in", "vehicle.plate_raw": "55-E-5",
        "container.1": "CSQU 305438-3"});
    let truck = post("passage", "PORT", fields, came);
    let goods = json!({"container.1": "CSQU3054383"});
    let entry = post("customs-entry", "CUS", goods, json!([]));
    let placed = json!([
        {"type": "hold.placed", "type_of_hold": "CUSTOMS", "legal_basis": "order 12"},
        {"type": "link", "record": trb.record(&entry).unwrap()["record"]},
    ]);
    let fields = json!({"type": "CUSTOMS", "legal_basis": "order 12"});
    let hold = post("hold", "CUS", fields, placed);

    // Both are on the board.
    let board = trb.get("/v1/records?state=DETAINED").unwrap();
    let board = board["records"].as_array().unwrap();
    let listed = |id: &str| board.iter().find(|r| r["id"] == id);
    assert_eq!(board.len(), 2, "{board:?}");
    let placed_ms = listed(&entry).unwrap()["detained_by"][0]["placed_ms"].clone();
    assert!(placed_ms.is_i64());
    let told = json!({"hold": hold, "type": "CUSTOMS", "department": "CUS",
        "legal_basis": "order 12", "placed_ms": placed_ms});
    assert_eq!(listed(&entry).unwrap()["detained_by"], json!([told]));
    let mut through = told.clone();
    through["through"] = entry.as_str().into();
    assert_eq!(listed(&truck).unwrap()["detained_by"], json!([through]));

    let at_prompt = run_json(&trb.dir, &["record", "list", "--state", "DETAINED"]);
    assert_eq!(at_prompt["records"].as_array().unwrap().len(), 2);

    let event = ["record", "event", &truck, "parked", "bay=B1"];
    let who = ["--officer", "O", "--department", "PORT"];
    let said = run(&trb.dir, &[&event[..], &who[..]].concat());
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.status.code(), Some(5), "{text}");
    let loud = format!("*** DETAINED by {hold} (CUSTOMS of CUS, order 12, since ");
    assert!(text.starts_with(&loud), "{text}");
    let way = format!(") through {entry}\n*** it must not leave");
    assert!(text.contains(&way), "{text}");
}

#[test]
fn a_filter_whose_value_does_not_exist_is_no_empty_list() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub");
    for (path, near) in [
        ("/v1/records?state=DETANED", "DETAINED"),
        ("/v1/records?state=in_proces", "IN_PROCESS"),
        ("/v1/records?kind=pasage", "passage"),
        ("/v1/records?crossing=HUG", "HUB"),
        ("/v1/findings?rule=R99", ""),
        ("/v1/findings?phase=FIRMS", "FIRM"),
        ("/v1/findings?state=OPENED", "OPEN"),
        ("/v1/findings?crossing=HUBB", "HUB"),
        ("/v1/findings?severity=9", ""),
        ("/v1/members/acts?node=hubb", "hub"),
    ] {
        let error = hub.get(path).expect_err(path);
        assert_eq!(
            (&error["code"], &error["status"]),
            (&json!("unknown_value"), &json!(422)),
            "{path}: {error}"
        );

        let detail = error["detail"].as_str().unwrap();
        assert!(
            detail.contains("there are: ")
                && (near.is_empty() || detail.contains(&format!("did you mean {near:?}"))),
            "{detail}"
        );
    }

    assert_eq!(
        code(hub.get("/v1/records?plate=1&container=2")),
        "bad_query"
    );
    let no_log = hub.get("/v1/quarantine?log=wadi.log/v1/zz");
    assert_eq!(code(no_log), "unknown_value");

    for arguments in [
        &["record", "list", "--state", "DETANED"][..],
        &["findings", "list", "--rule", "R99"],
        &["export", "--kind", "lorry"],
    ] {
        let output = run(&hub.dir, arguments);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn others_words_neither_move_the_cursor_nor_reckon_in_a_spreadsheet() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let by = |officer: &str| {
        json!({
            "kind": "passage",
            "officer": officer,
            "department": "PORT",
            "fields": {"direction": "in"},
        })
    };

    for name in [
        "OF\n3\u{1b}[2J",
        "OF-\u{202e}3",
        "OF\u{0}",
        "x".repeat(129).as_str(),
    ] {
        assert_eq!(
            code(trb.post("/v1/records", &by(name))),
            "bad_value",
            "{name:?}"
        );
    }

    assert_eq!(
        code(trb.post(
            "/v1/tokens",
            &json!({"name": "a\u{7}", "scope": {"is": "reader"}})
        )),
        "bad_value"
    );

    let device = json!({"name": "d", "scope": {"is": "device", "device": "S\u{9b}1"}});
    assert_eq!(code(trb.post("/v1/tokens", &device)), "bad_value");

    trb.post("/v1/records", &by("عمر-3")).unwrap();

    let mut noted = by("OF-3");
    let evil = "=1+1\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\r\nfree";
    noted["fields"]["note"] = json!(evil);
    noted["fields"]["vehicle.plate_raw"] = json!("11\u{1b}[2J\u{202e}A\n1");

    let id = trb.post("/v1/records", &noted).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_string();
    let remark = json!({"type": "remark", "text": evil});

    trb.say(&id, "PORT", remark).unwrap();
    for arguments in [
        &["record", "list"][..],
        &["record", "show", &id],
        &["record", "history", &id],
        &["--json", "record", "show", &id],
        &["--json", "record", "list"],
        &[
            "record",
            "set",
            &id,
            "--set",
            "lane=3",
            "--officer",
            "O",
            "--department",
            "PORT",
        ],
        &["status"],
    ] {
        let output = run(&trb.dir, arguments);
        let text =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
        let hidden = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.chars().any(hidden), "{arguments:?}: {text:?}");
    }

    for note in [
        "=cmd|' /C calc'!A0",
        "+1+1",
        "-2+3",
        "@SUM(1)",
        "\t=1+1",
        "\r=1+1",
        "'quoted",
        "＝1",
    ] {
        let mut noted = by("OF-3");
        noted["fields"]["note"] = json!(note);
        noted["fields"]["lane"] = json!(-3);
        trb.post("/v1/records", &noted).unwrap();
    }

    run_json(&trb.dir, &["export", "--format", "csv", "-o", "all.csv"]);
    let csv = std::fs::read_to_string(trb.dir.join("all.csv")).unwrap();
    for cell in [
        "'=cmd|",
        "'+1+1",
        "'-2+3",
        "'@SUM",
        "'\t=1+1",
        "\"'\r=1+1",
        "''quoted",
        "'＝1",
    ] {
        assert!(csv.contains(cell), "{cell:?} is not in {csv}");
    }

    assert!(
        !csv.contains(",=") && !csv.contains(",@") && !csv.contains(",+") && csv.contains(",-3,"),
        "{csv}"
    );
}

#[test]
fn a_reader_who_has_read_enough_and_a_proxy_are_no_trouble() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    (0..40).for_each(|n| drop(trb.truck(&format!("11-A-{n}"))));

    for arguments in [
        &["record", "list"][..],
        &["audit", "verify"],
        &["export"],
        &["pki", "list", "--dir", "certs"],
    ] {
        let mut child = Command::new(wadi())
            .current_dir(if arguments[0] == "pki" {
                integration_tests::papers()
            } else {
                &trb.dir
            })
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();

        drop(child.stdout.take());
        let mut told = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut told)
            .unwrap();

        let status = child.wait().unwrap();
        assert!(
            status.code().is_some() && !told.contains("panicked"),
            "{arguments:?}: {status} {told}"
        );
    }

    let output = Command::new(wadi())
        .current_dir(&trb.dir)
        .arg("status")
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("http_proxy", "http://127.0.0.1:9")
        .env("NO_PROXY", "")
        .env("no_proxy", "")
        .output()
        .unwrap();

    assert!(
        matches!(output.status.code(), Some(0 | 3)),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn flood(world: &World, site: &Site, count: usize, word: &[u8]) {
    let address = site
        .url()
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .to_string();

    let mut mute = Vec::new();
    for _ in 0..count {
        let Ok(mut stream) = TcpStream::connect(&address) else {
            // As many as this process may have: some are left for what follows.
            mute.truncate(mute.len().saturating_sub(32));
            break;
        };

        let _ = stream.write_all(word);
        mute.push(stream);
    }

    assert!(mute.len() > count / 2, "{} of {count} callers", mute.len());

    for n in 0..5 {
        world.wait("the API answers", || site.get("/readyz").is_ok());
        site.truck(&format!("22-B-{n}"));
    }

    let heard = site.listen("/v1/changes", 1);
    assert_eq!(heard.len(), 1);
}

#[test]
fn callers_who_say_nothing_or_half_of_it_keep_out_nobody() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    flood(
        &world,
        trb,
        1_100,
        b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Le",
    );

    flood(&world, trb, 200, b"");
}

#[test]
fn what_was_said_of_a_time_to_come_or_of_masses_that_disagree_is_looked_at() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let mut body = json!({
        "kind": "passage",
        "officer": "OF-1",
        "department": "PORT",
        "fields": {"direction": "in"},
        "happened_at_ms": 2_909_260_800_000_i64,
    });
    let written = trb.post("/v1/records", &body).unwrap();
    assert!(
        written["warnings"][0].as_str().unwrap().contains("clock"),
        "{written}"
    );

    body["happened_at_ms"] = json!(1_700_000_000_000_i64);
    assert_eq!(
        trb.post("/v1/records", &body).unwrap()["warnings"],
        json!([])
    );

    let weigh = |weighed: &str| {
        let text = r#"{"kind":"passage","officer":"O","department":"OPS",
            "fields":{"direction":"in"},"events":[{"type":"weighed","scale":"S",WEIGHED}]}"#;
        trb.post_text("/v1/records", &text.replace("WEIGHED", weighed))
    };

    weigh(r#""gross_kg":31240.0"#).unwrap();
    assert_eq!(code(weigh(r#""gross_kg":31240.5"#)), "bad_value");

    let net = weigh(r#""gross_kg":40000,"tare_kg":10000,"net_kg":20000"#).unwrap_err();
    assert!(net["detail"].as_str().unwrap().contains("net_kg"), "{net}");
    assert_eq!(
        code(weigh(r#""gross_kg":40000,"calibration_due":"24.11.2020""#)),
        "bad_value"
    );
}

/// Whoever follows the cursor reads every record once, however many one answer has room for.
#[test]
fn pages_without_a_limit_hold_what_one_answer_has_room_for_and_lead_to_every_record() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let written: BTreeSet<String> = (0..130)
        .map(|n| trb.truck(&format!("11-A-{n:05}")))
        .collect();

    let begin = format!("after={}", "0".repeat(64));
    for (query, cursor, next) in [
        ("fields=id", "before", "next_before"),
        ("kind=passage", "before", "next_before"),
        ("fields=id,state&from_ms=0", "older", "next_older"),
        (&format!("fields=id&{begin}"), "after", "next_after"),
    ] {
        let (mut read, mut pages) = (Vec::new(), Vec::new());
        let mut path = format!("/v1/records?{query}");
        loop {
            let bytes = trb.bytes(&path);
            assert!(bytes.len() <= 50_000, "{path}: {}", bytes.len());
            let page: Value = serde_json::from_slice(&bytes).unwrap();
            let records = page["records"].as_array().unwrap();
            pages.push(records.len());
            read.extend(
                records
                    .iter()
                    .map(|r| r["id"].as_str().unwrap().to_string()),
            );

            let further = match &page[next] {
                Value::Null => break,
                Value::String(text) => text.clone(),
                number => number.to_string(),
            };
            let query = query.split("&after=").next().unwrap();
            path = format!("/v1/records?{query}&{cursor}={further}");
        }

        assert_eq!(read.len(), 130, "{query}: each once");
        assert_eq!(BTreeSet::from_iter(read), written, "{query}");
        match query.starts_with("fields") {
            true => assert_eq!(pages, [100, 30], "{query}: short ones"),
            false => assert!(pages[0] < 100, "{query}: whole ones are long"),
        }
    }
}

#[test]
fn nobody_speaks_in_the_nodes_own_name_nor_signs_what_means_nothing() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub");
    let refused = |path: &str, body: &Value, code: &str, why: &str| {
        let problem = hub.post(path, body).expect_err(why);
        assert_eq!(problem["code"], code, "{problem}");
        assert!(problem["detail"].to_string().contains(why), "{problem}");
    };

    // A clerk who calls himself the node would have what he says taken for the node's.
    for name in ["system", "SYSTEM", "Sys-Tem"] {
        let day = json!({"kind": "site-day", "officer": name, "department": "IT"});
        refused("/v1/records", &day, "bad_value", "is the node itself");
        let officer = json!({"say": "officer", "officer": name, "department": "VET"});
        refused("/v1/control", &officer, "bad_value", "is the node itself");
        let scope = json!({"is": "officer", "officer": name, "department": "IT"});
        let token = json!({"name": "x", "scope": scope});
        refused("/v1/tokens", &token, "bad_value", "is the node itself");
    }

    // Findings are published by the hub, and typed in by nobody.
    let auditor = json!({"say": "officer", "officer": "AU-1", "department": "HUB"});
    hub.post("/v1/control", &auditor).expect("registered");
    let truck = hub.truck("77-B-00042");
    let finding = json!({
        "officer": "AU-1", "department": "HUB",
        "events": [{
            "type": "finding", "finding": "ab".repeat(16), "rule": "R02", "phase": "FIRM",
            "evidence": "ab".repeat(32), "text": "forged",
        }],
    });
    let events = format!("/v1/records/{truck}/events");
    refused(&events, &finding, "no_authority", "by no person");

    // What counts is admitted by nobody: it would count past a cut that is made later.
    let record = hub.record(&truck).expect("a record");
    let entry = &record["heads"][0];
    for (entries, why) in [
        (json!([entry]), "in no quarantine"),
        (json!([]), "there are none"),
    ] {
        let admit = json!({"say": "admit", "entries": entries, "reason": "r"});
        refused("/v1/control", &admit, "bad_control", why);
    }
}
