//! What comes again: the same is answered as before, and something else under the same key, number
//! or name is refused by name and kept. Nothing is swallowed, and nothing is written twice.

use integration_tests::{Site, World, run};
use serde_json::{Value, json};
use std::path::Path;

fn code(answer: Result<Value, Value>) -> String {
    answer.expect_err("it should have been refused")["code"]
        .as_str()
        .unwrap_or_default()
        .to_string()
}

fn device(site: &Site, name: &str) -> String {
    let scope = json!({"is": "device", "device": name});
    let issued = site
        .post("/v1/tokens", &json!({"name": name, "scope": scope}))
        .unwrap();
    issued["token"].as_str().unwrap().to_string()
}

fn weighing(number: u64, gross_kg: u64) -> Value {
    let weighed = json!({"type": "weighed", "scale": "S", "gross_kg": gross_kg});
    json!({
        "kind": "passage",
        "device_seq": number,
        "fields": {"direction": "in"},
        "events": [weighed],
    })
}

pub(crate) fn import(site: &Site, lines: &[Value]) -> Value {
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    import_bytes(site, text.join("\n").as_bytes())
}

pub(crate) fn import_bytes(site: &Site, bytes: &[u8]) -> Value {
    std::fs::write(site.dir.join("import.ndjson"), bytes).unwrap();
    let output = run(&site.dir, &["--json", "import", "import.ndjson"]);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

pub(crate) fn counted(answer: &Value) -> (u64, u64, u64) {
    let count = |member: &str| answer[member].as_u64().unwrap();
    (count("written"), count("repeated"), count("bad"))
}

#[test]
fn of_many_who_give_one_number_at_once_one_is_accepted() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let scale = device(trb, "SC-1");

    // Others' readings under one number, and the same reading sixteen times.
    let post = |body: Value| {
        let scale = &scale;
        move || trb.post_as(scale, None, "/v1/records", &body)
    };
    let together = |bodies: Vec<Value>| -> Vec<Result<Value, Value>> {
        std::thread::scope(|scope| {
            let posts: Vec<_> = bodies
                .into_iter()
                .map(|body| scope.spawn(post(body)))
                .collect();
            posts.into_iter().map(|p| p.join().unwrap()).collect()
        })
    };

    let answers = together((0..16).map(|n| weighing(1, 20_000 + n)).collect());
    assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 1);
    assert!(
        answers
            .into_iter()
            .filter_map(Result::err)
            .all(|e| e["code"] == "device_sequence" && e["status"] == 409)
    );

    let answers = together((0..16).map(|_| weighing(2, 20_000)).collect());
    let entries: std::collections::BTreeSet<String> = answers
        .iter()
        .map(|a| a.as_ref().unwrap()["entry"].to_string())
        .collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        answers
            .iter()
            .filter(|a| a.as_ref().unwrap()["repeated"] == false)
            .count(),
        1
    );

    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 2);

    // A number whose reading was refused is free again, in whatever order its fellows came.
    let mut half = weighing(5, 1);
    half["events"][0]["gross_kg"] = json!(30000.5);
    assert_eq!(
        code(trb.post_as(&scale, None, "/v1/records", &half)),
        "bad_value"
    );

    trb.post_as(&scale, None, "/v1/records", &weighing(6, 1))
        .unwrap();
    let late = trb
        .post_as(&scale, None, "/v1/records", &weighing(5, 30_000))
        .unwrap();
    assert!(
        late["warnings"][0].as_str().unwrap().contains("after 6"),
        "{late}"
    );
    assert_eq!(
        code(trb.post_as(&scale, None, "/v1/records", &weighing(0, 1))),
        "device_seq_missing"
    );
}

#[test]
fn a_counter_that_begins_anew_says_so_or_its_operator_does() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let scale = device(trb, "SC-90");
    let post = |body: &Value| trb.post_as(&scale, None, "/v1/records", body);

    // It ran over, and a glitch locks nobody out.
    for number in [9_998, 9_999, u64::MAX, 1, 2] {
        post(&weighing(number, 1_000)).unwrap();
    }

    assert_eq!(code(post(&weighing(1, 2_000))), "device_sequence");

    // It was switched off and on: the device says so.
    let mut booted = weighing(1, 2_000);
    booted["device_session"] = json!("#2");
    assert_eq!(code(post(&booted)), "bad_value", "an operator's");

    booted["device_session"] = json!("boot-2");
    let run_told = |written: &Value| {
        let path = format!("/v1/records/{}", written["id"].as_str().unwrap());
        trb.get(&path).unwrap()["events"][0]["device_run"].clone()
    };
    assert_eq!(run_told(&post(&booted).unwrap()), "boot-2");
    assert_eq!(post(&booted).unwrap()["repeated"], true);

    booted["events"][0]["gross_kg"] = json!(3_000);
    assert_eq!(code(post(&booted)), "device_sequence");

    // It cannot say so: its operator does. Numbers of before count once more, and the new run is
    // remembered by a restart.
    let said = run(&trb.dir, &["token", "anew", "SC-90"]);
    assert!(said.status.success(), "{said:?}");

    assert_eq!(run_told(&post(&weighing(1, 2_000)).unwrap()), "#1");
    for name in ["sc-90", "SC-9"] {
        let slip = run(&trb.dir, &["token", "anew", name]);
        let said = String::from_utf8_lossy(&slip.stderr).to_string();
        assert!(!slip.status.success() && said.contains("SC-90"), "{said}");
    }
    trb.stop();
    world.boot("trb");
    assert_eq!(post(&weighing(1, 2_000)).unwrap()["repeated"], true);
    assert_eq!(code(post(&weighing(1, 4_000))), "device_sequence");
}

#[test]
fn a_number_stands_for_what_was_sent_whatever_the_token_may_and_by_whichever_way_it_comes() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let token = |name: &str, fields: Option<&[&str]>| {
        let mut scope = json!({"is": "device", "device": "SC-7"});
        if let Some(fields) = fields {
            scope["fields"] = json!(fields);
        }
        let body = json!({"name": name, "scope": scope});
        trb.post("/v1/tokens", &body).unwrap()["token"]
            .as_str()
            .unwrap()
            .to_string()
    };
    let tokens = [
        token("narrow", Some(&["direction"])),
        token("wide", None),
        token("other", Some(&["direction", "lane"])),
    ];

    for (number, first) in [(1, 0), (2, 1), (3, 2)] {
        for turn in 0..tokens.len() {
            let token = &tokens[(first + turn) % tokens.len()];
            let body = weighing(number, 20_000);
            let answer = trb.post_as(token, None, "/v1/records", &body).unwrap();
            assert_eq!(answer["repeated"], turn > 0, "{number} {turn}: {answer}");

            let other = weighing(number, 21_000);
            let refused = trb.post_as(token, None, "/v1/records", &other);
            assert_eq!(code(refused), "device_sequence");
        }
    }

    // A token that was issued anew under the name of one before, too: a key is its, and its
    // device's.
    let keyed = |token: &str| {
        let body = weighing(4, 20_000);
        trb.post_as(token, Some("K4"), "/v1/records", &body)
            .unwrap()
    };
    assert_eq!(keyed(&tokens[0])["repeated"], false);
    trb.delete("/v1/tokens/narrow").unwrap();
    assert_eq!(keyed(&token("narrow", None))["repeated"], true);

    // What waited in a file when the cable was mended.
    let spool = trb.dir.join("spool");
    world.wait("the spool is open", || spool.join("bad").exists());
    let mut file = weighing(1, 20_000);
    file["device"] = json!("SC-7");
    drop_in(&spool, "one.json", file.to_string().as_bytes());
    world.wait("it is a repeat", || {
        let answer = std::fs::read_to_string(spool.join("done/one.json.answer"));
        answer.is_ok_and(|text| text.contains("\"repeated\":true"))
    });
    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 4);
}

#[test]
fn a_key_stands_for_what_it_was_given_with() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let passage = |plate: &str| {
        json!({
            "kind": "passage",
            "officer": "OF-1",
            "department": "PORT",
            "fields": {"direction": "in", "vehicle.plate_raw": plate},
        })
    };
    let post =
        |key: &str, path: &str, body: &Value| trb.post_as(&trb.token(), Some(key), path, body);
    let first = post("k1", "/v1/records", &passage("11-A-1")).unwrap();
    let again = post("k1", "/v1/records", &passage("11-A-1")).unwrap();
    assert_eq!(
        (&again["repeated"], &again["entry"]),
        (&json!(true), &first["entry"])
    );

    let other = post("k1", "/v1/records", &passage("22-B-2")).unwrap_err();
    assert_eq!(
        (&other["code"], &other["status"]),
        (&json!("key_reused"), &json!(422))
    );
    assert!(other["detail"].as_str().unwrap().contains("k1"), "{other}");

    // The same words on another record are something else, too.
    let remark = json!({
        "officer": "OF-1",
        "department": "PORT",
        "events": [{"type": "remark", "text": "t"}],
    });
    let path = |id: &Value| format!("/v1/records/{}/events", id.as_str().unwrap());
    let second = post("k2", "/v1/records", &passage("33-C-3")).unwrap();
    post("k3", &path(&first["id"]), &remark).unwrap();
    assert_eq!(
        post("k3", &path(&first["id"]), &remark).unwrap()["repeated"],
        true
    );
    assert_eq!(
        code(post("k3", &path(&second["id"]), &remark)),
        "key_reused"
    );

    // A key whose write was refused is free.
    let mut wrong = passage("44-D-4");
    wrong["fields"]["direction"] = json!("up");
    assert_eq!(code(post("k4", "/v1/records", &wrong)), "bad_value");

    post("k4", "/v1/records", &passage("44-D-4")).unwrap();
    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 3);
}

#[test]
fn lines_of_an_import_are_each_what_they_are() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let lane = |n: u32| json!({"op": "set", "id": "T-1", "set": {"lane": n}});
    let new = json!({"op": "new", "id": "T-1", "set": {"plate": "11-A-9", "direction": "in"}});
    let ends_in = |n: u32| {
        let found = trb.get("/v1/records?plate=11-A-9").unwrap();
        assert_eq!(found["records"][0]["fields"]["lane"], n, "{found}");
    };

    // There and back in one file, and that file again.
    let file = [new.clone(), lane(3), lane(4), lane(3)];
    assert_eq!(counted(&import(trb, &file)), (4, 0, 0));

    ends_in(3);
    assert_eq!(counted(&import(trb, &file)), (0, 4, 0));

    // There and back over several files.
    assert_eq!(counted(&import(trb, &[lane(4)])), (1, 0, 0));
    assert_eq!(counted(&import(trb, &[lane(3)])), (1, 0, 0));

    ends_in(3);
    // One that came before, while others came since, is said to have been left.
    let again = import(trb, &[lane(4)]);
    assert_eq!(counted(&again), (0, 1, 0));
    assert!(
        again["warned_lines"][0]["warnings"][0]
            .as_str()
            .unwrap()
            .contains("`key`"),
        "{again}"
    );

    let mut keyed = lane(4);
    keyed["key"] = json!("E-7");
    assert_eq!(counted(&import(trb, &[keyed.clone()])), (1, 0, 0));

    ends_in(4);
    keyed["set"]["lane"] = json!(5);
    let other = import(trb, &[keyed]);
    assert_eq!(
        (counted(&other), &other["bad_lines"][0]["code"]),
        ((0, 0, 1), &json!("key_reused"))
    );

    // A draft's key that comes again with something else.
    let draft = |direction: &str| {
        json!({
            "kind": "passage",
            "key": "D-1",
            "officer": "O",
            "department": "PORT",
            "fields": {"direction": direction},
        })
    };
    let twice = import(trb, &[draft("in"), draft("out"), draft("in")]);
    assert_eq!(
        (counted(&twice), &twice["bad_lines"][0]["line"]),
        ((1, 1, 1), &json!(2))
    );

    // Keys that no table holds as they are.
    let mut nul = draft("in");
    nul["key"] = json!("D\u{0}1");
    let nul = import(
        trb,
        &[
            nul,
            json!({"op": "new", "id": "W\u{0}1", "set": {"direction": "in"}}),
        ],
    );

    assert_eq!(counted(&nul), (0, 0, 2), "{nul}");
}

#[test]
fn a_key_is_the_same_key_however_its_letters_are_composed() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    // Alef with madda in one letter, and as alef with a combining mark: a file system wrote it so.
    let keyed = |key: &str| {
        json!({
            "kind": "passage", "key": key, "officer": "OF-1", "department": "PORT",
            "fields": {"direction": "in"},
        })
    };
    let (composed, decomposed) = ("دفتر \u{622}", "دفتر \u{627}\u{653}");
    assert_eq!(counted(&import(trb, &[keyed(composed)])), (1, 0, 0));
    assert_eq!(counted(&import(trb, &[keyed(decomposed)])), (0, 1, 0));
}

#[test]
fn an_edit_far_behind_in_a_file_has_the_key_of_the_whole_file() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let new = |n: usize| json!({"op": "new", "id": format!("T-{n}"), "set": {"direction": "in"}});
    let lane = |n: u32| json!({"op": "set", "id": "T-0", "set": {"lane": n}});
    let mut file = vec![new(0), lane(3), lane(4)];

    // A request holds 500 lines.
    file.extend((1..600).map(new));
    file.push(lane(3));
    assert_eq!(counted(&import(trb, &file)), (603, 0, 0));
    assert_eq!(counted(&import(trb, &file)), (0, 603, 0));
}

#[test]
fn bytes_that_are_no_text_cost_their_line_and_other_encodings_are_read_or_named() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let line = |n: u32| {
        json!({
            "op": "new",
            "id": format!("B-{n}"),
            "set": {"plate": format!("11-A-{n}"), "direction": "in"},
        })
        .to_string()
    };
    let mut bytes = Vec::new();

    for n in 1..=10 {
        let mut one = line(n).into_bytes();
        if n == 7 {
            one[40] = 0xC7;
        }
        bytes.extend(one);
        bytes.push(b'\n');
    }

    let said = import_bytes(trb, &bytes);
    assert_eq!(counted(&said), (9, 0, 1));
    assert_eq!(
        (&said["bad_lines"][0]["line"], &said["bad_lines"][0]["code"]),
        (&json!(7), &json!("bad_encoding"))
    );

    let marked = format!("\u{feff}{}\r\n{}\r\n", line(11), line(12));
    assert_eq!(counted(&import_bytes(trb, marked.as_bytes())), (2, 0, 0));

    let wide: Vec<u8> = format!("\u{feff}{}\n{}", line(13), line(14))
        .encode_utf16()
        .flat_map(u16::to_be_bytes)
        .collect();
    assert_eq!(counted(&import_bytes(trb, &wide)), (2, 0, 0));

    // A member given twice: one of the two would be lost.
    let twice = r#"{"op":"new","id":"B-15","set":{"direction":"in"},"set":{"direction":"out"}}"#;
    let said = import_bytes(trb, format!("{twice}\n{}", line(16)).as_bytes());
    assert_eq!(
        (counted(&said), &said["bad_lines"][0]["code"]),
        ((1, 0, 1), &json!("duplicate_member"))
    );

    let field = r#"{"kind":"passage","officer":"O","department":"PORT",
        "fields":{"direction":"in","direction":"out"}}"#;
    assert_eq!(
        code(trb.post_text("/v1/records", field)),
        "duplicate_member"
    );

    let token = r#"{"name":"a","name":"b","scope":{"is":"reader"}}"#;
    assert_eq!(code(trb.post_text("/v1/tokens", token)), "duplicate_member");
}

fn drop_in(spool: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(spool.join("being-written"), bytes).unwrap();
    std::fs::rename(spool.join("being-written"), spool.join(name)).unwrap();
}

#[test]
fn a_spool_loses_nothing_and_nothing_holds_it_up() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let spool = trb.dir.join("spool");

    world.wait("the spool is open", || spool.join("bad").exists());
    let reading = |number: u64, gross_kg: u64| {
        let mut body = weighing(number, gross_kg);
        body["device"] = json!("SC-1");
        body.to_string().into_bytes()
    };

    let reason =
        |name: &str| std::fs::read_to_string(spool.join("bad").join(name)).unwrap_or_default();

    // What would stop somebody who trusts names, kinds, times and bytes.
    let long = format!("a{}.json", "x".repeat(249));
    std::fs::write(spool.join(&long), "{broken").unwrap();
    std::fs::create_dir_all(spool.join("done/c.json")).unwrap();
    std::fs::create_dir(spool.join("dir.json")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", spool.join("link.json")).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(spool.join("pipe.json"))
            .status()
            .unwrap()
            .success()
    );

    std::fs::write(spool.join("empty.json"), "").unwrap();
    std::fs::write(spool.join("future.json"), "{broken").unwrap();
    let year = std::time::SystemTime::now() + std::time::Duration::from_secs(365 * 86_400);
    std::fs::File::open(spool.join("future.json"))
        .unwrap()
        .set_modified(year)
        .unwrap();

    let no_text: std::ffi::OsString =
        std::os::unix::ffi::OsStringExt::from_vec(b"\xE3\xC7.json".to_vec());
    std::fs::write(spool.join(&no_text), reading(1, 1_000)).unwrap();
    std::fs::write(spool.join("c.json"), reading(2, 1_000)).unwrap();
    std::fs::write(spool.join("UPPER.JSON"), reading(3, 1_000)).unwrap();

    let text = String::from_utf8(reading(4, 1_000)).unwrap();
    let wide: Vec<u8> = format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();

    std::fs::write(spool.join("wide.json"), &wide).unwrap();
    std::fs::write(spool.join("unmarked.json"), &wide[2..]).unwrap();
    std::fs::write(
        spool.join("marked.json"),
        format!("\u{feff}{}", text.replace(":4,", ":5,")),
    )
    .unwrap();

    std::fs::write(
        spool.join("z-twice.json"),
        text.replace("\"kind\"", "\"kind\":\"passage\",\"kind\""),
    )
    .unwrap();

    for name in ["UPPER.JSON", "c.json.1", "wide.json", "marked.json"] {
        world.wait(&format!("{name} is done"), || {
            spool.join("done").join(name).exists()
        });
    }

    world.wait("so is the one whose name is no text", || {
        spool.join("done").join(&no_text).exists()
    });
    for (name, code) in [
        ("dir.json.reason", "not_a_file"),
        ("link.json.reason", "not_a_file"),
        ("pipe.json.reason", "not_a_file"),
        ("empty.json.reason", "empty_file"),
        ("future.json.reason", "broken_json"),
        ("unmarked.json.reason", "bad_encoding: this is UTF-16"),
        ("z-twice.json.reason", "duplicate_member"),
    ] {
        world.wait(&format!("{name} says {code}"), || {
            reason(name).starts_with(code)
        });
    }

    world.wait("nothing is left", || {
        let left = std::fs::read_dir(&spool).unwrap().flatten();
        left.filter(|e| e.file_name() != "done" && e.file_name() != "bad")
            .count()
            == 0
    });

    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 5);

    // The name of before with something else is kept, the same again is a repeat, and neither is
    // written over.
    drop_in(&spool, "weight.json", &reading(10, 21_000));
    world.wait("the first is done", || {
        spool.join("done/weight.json.answer").exists()
    });
    drop_in(&spool, "weight.json", &reading(11, 29_500));
    world.wait("the second is kept", || {
        reason("weight.json.reason").starts_with("key_reused")
    });
    drop_in(&spool, "weight.json", &reading(10, 21_000));
    world.wait("the first again is done", || {
        spool.join("done/weight.json.1.answer").exists()
    });
    assert_eq!(
        std::fs::read(spool.join("done/weight.json")).unwrap(),
        reading(10, 21_000)
    );
    assert_eq!(
        std::fs::read(spool.join("bad/weight.json")).unwrap(),
        reading(11, 29_500)
    );

    let answer = |name: &str| -> Value {
        serde_json::from_str(&std::fs::read_to_string(spool.join("done").join(name)).unwrap())
            .unwrap()
    };
    assert_eq!(answer("weight.json.answer")["state"], "IN_PROCESS");
    assert_eq!(answer("weight.json.1.answer")["repeated"], true);

    // The number of before, from another file.
    drop_in(&spool, "other.json", &reading(10, 22_000));
    world.wait("the number is spent", || {
        reason("other.json.reason").starts_with("device_sequence")
    });
    assert_eq!(trb.get("/v1/sites").unwrap()["records"], 6);
}
