//! Evidence as an outsider checks it: with our own verifier and with one written from
//! docs/evidence.md alone. Both have to agree, on the good file and on every one that somebody
//! tampered with, the hub's own operators included.

mod file;
mod finding;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use file::File;
use integration_tests::{Cable, World, papers, run, run_json};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

fn hex(bytes: &[u8]) -> String {
    wadi_log::hex(bytes)
}

fn key_of(name: &str) -> SigningKey {
    let path = papers().join(name).join("log.key");
    let seed = wadi_log::unhex(std::fs::read_to_string(path).unwrap().trim()).unwrap();
    SigningKey::from_bytes(&seed.try_into().unwrap())
}

/// What both verifiers make of a file: (valid, code, entries, witnessed).
fn verdicts(dir: &Path, text: &[u8], root: &Path) -> [(bool, String, u64, u64); 2] {
    let file = dir.join("tampered.evidence");
    std::fs::write(&file, text).unwrap();
    let (file, root) = (file.to_str().unwrap(), root.to_str().unwrap());
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("verify_evidence.py");
    let ours = run(
        dir,
        &["--json", "audit", "verify-evidence", file, "--root", root],
    );

    let python = std::env::var("WADI_PYTHON").unwrap_or_else(|_| "python3".into());
    let theirs = Command::new(python)
        .arg(script)
        .args([file, "--root", root, "--json"])
        .output()
        .unwrap();

    let both = [ours, theirs].map(|output| {
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let last: Value = serde_json::from_str(text.lines().last().unwrap_or_default())
            .unwrap_or_else(|e| panic!("{e}: {text}{errors}"));
        let valid = last["valid"].as_bool().unwrap();
        assert_eq!(
            output.status.code(),
            Some(if valid { 0 } else { 4 }),
            "{text}{errors}"
        );

        let mut statements = last["statements"].as_array().cloned().unwrap_or_default();
        statements.sort_by_key(|said| said["entry"].to_string());

        let code = last["code"].as_str().unwrap_or_default().to_string();
        let number = |member: &str| last[member].as_u64().unwrap_or(0);
        (
            (valid, code, number("entries"), number("witnessed")),
            statements,
        )
    });

    // They read the same words in it, too: events, values, and what does not count.
    let [(ours, our_words), (theirs, their_words)] = both;
    assert_eq!(our_words, their_words);
    assert_eq!(our_words.len() as u64, ours.2);
    [ours, theirs]
}

#[test]
fn an_outsider_checks_a_record_and_finds_every_way_of_tampering() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    hub.post(
        "/v1/control",
        &json!({"say": "officer", "officer": "OF-8", "department": "OPS"}),
    )
    .unwrap();

    world.settle(&["hub", "trb"]);
    // Other trucks before and after: the record's entries stand in the midst of a log.
    (0..7).for_each(|n| drop(trb.truck(&format!("22-A-{n:05}"))));
    let id = trb.truck("22-A-77777");
    let weighed = json!({"type": "weighed", "scale": "S1", "gross_kg": 31_000});
    let body = json!({"officer": "OF-8", "department": "OPS", "events": [weighed]});

    trb.post(&format!("/v1/records/{id}/events"), &body)
        .unwrap();
    trb.set(&id, "note", json!("a \"second\" look, السائق"), None)
        .unwrap();
    (0..5).for_each(|n| drop(trb.truck(&format!("33-A-{n:05}"))));
    world.settle(&["hub", "trb"]);
    hub.say(&id, "HUB", json!({"type": "remark", "text": "seen"}))
        .ok();
    world.settle(&["hub", "trb"]);

    let dir = hub.dir.clone();
    run_json(&dir, &["audit", "evidence", &id, "-o", "case.evidence"]);
    let good = std::fs::read_to_string(dir.join("case.evidence")).unwrap();
    let root = papers().join("certs/nodes/hub/root.pub");
    let entries = hub.get(&format!("/v1/records/{id}/history")).unwrap()["entries"]
        .as_array()
        .unwrap()
        .len() as u64;
    assert!(entries >= 3);

    for verdict in verdicts(&dir, good.as_bytes(), &root) {
        assert_eq!(
            verdict,
            (true, String::new(), entries, entries),
            "every entry is vouched for by the hub"
        );
    }

    let shown = run(
        &dir,
        &[
            "audit",
            "verify-evidence",
            "case.evidence",
            "--root",
            root.to_str().unwrap(),
        ],
    );

    let shown = String::from_utf8_lossy(&shown.stdout).to_string();
    assert!(
        shown.contains("VALID") && shown.contains("OF-1") && shown.contains("weighed"),
        "{shown}"
    );

    let (hub_key, stranger) = (key_of("certs/nodes/hub"), key_of("other/nodes/stranger"));
    let file = File::read(&good);
    assert_eq!(
        file.sealed(&hub_key).len(),
        file.text().len(),
        "the test seals as the hub does"
    );

    let edit = |change: &dyn Fn(&mut File)| {
        let mut file = file.clone();
        change(&mut file);
        file.sealed(&hub_key)
    };

    let records = file.of_record();
    let based_on_first = records.len() - 1;
    let begins = |n: &&usize| {
        let bytes = STANDARD
            .decode(file.0[**n]["entry"]["bytes"].as_str().unwrap())
            .unwrap();
        match wadi_log::Entry::read(&bytes) {
            Ok(wadi_log::Reading::Entry(wadi_log::Entry {
                body: wadi_log::Body::Change(c),
                ..
            })) => c.record.is_none(),
            other => panic!("{other:?}"),
        }
    };

    let first = *records
        .iter()
        .find(begins)
        .expect("the record has a beginning");
    let checkpoint = file.all("checkpoint")[0];
    let note = |f: &File| f.0[checkpoint]["checkpoint"].as_str().unwrap().to_string();
    let flip = |text: &str| {
        let mut bytes = STANDARD.decode(text).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        STANDARD.encode(bytes)
    };

    let without_line = |n: usize| {
        let mut file = file.clone();
        file.0.remove(n);
        file.text()
    };

    let middle = good.len() / 2;
    let other = edit(&|f| f.0[0]["record"] = json!("0".repeat(64)));
    let hidden = records[based_on_first];
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("nothing at all", "malformed", vec![]),
        (
            "cut in the middle of a line",
            "malformed",
            good.as_bytes()[..good.len() - 9].to_vec(),
        ),
        (
            "not UTF-8",
            "malformed",
            [
                &good.as_bytes()[..middle],
                &[0xff],
                &good.as_bytes()[middle..],
            ]
            .concat(),
        ),
        (
            "a member nobody knows",
            "malformed",
            edit(&|f| f.0[1]["more"] = json!(1)).into_bytes(),
        ),
        (
            "an entry without its position",
            "malformed",
            edit(&|f| drop(f.0[first]["entry"].as_object_mut().unwrap().remove("seq")))
                .into_bytes(),
        ),
        (
            "Windows line ends",
            "malformed",
            good.replace('\n', "\r\n").into_bytes(),
        ),
        (
            "of another format",
            "not_evidence",
            edit(&|f| f.0[0]["evidence"] = json!("wadi.evidence/v2")).into_bytes(),
        ),
        (
            "the seal torn off",
            "cut",
            without_line(file.0.len() - 1).into_bytes(),
        ),
        (
            "a line taken out",
            "changed",
            without_line(first).into_bytes(),
        ),
        (
            "one digit changed",
            "changed",
            good.replacen("\"counts\":true", "\"counts\":false", 1)
                .into_bytes(),
        ),
        ("two lines swapped", "changed", {
            let mut f = file.clone();
            f.0.swap(1, 2);
            f.text().into_bytes()
        }),
        (
            "an entry's bytes changed and sealed again",
            "bad_proof",
            edit(&|f| {
                f.0[first]["entry"]["bytes"] =
                    json!(flip(f.0[first]["entry"]["bytes"].as_str().unwrap()))
            })
            .into_bytes(),
        ),
        (
            "an entry moved to another place",
            "bad_proof",
            edit(&|f| f.0[first]["entry"]["seq"] = json!(0)).into_bytes(),
        ),
        (
            "two entries' bytes swapped",
            "bad_proof",
            edit(&|f| {
                let a = f.0[first]["entry"]["bytes"].take();
                let b = f.0[hidden]["entry"]["bytes"].take();
                f.0[first]["entry"]["bytes"] = b;
                f.0[hidden]["entry"]["bytes"] = a;
            })
            .into_bytes(),
        ),
        (
            "an entry that nobody proves",
            "bad_proof",
            edit(&|f| f.0[first]["entry"]["proofs"] = json!([])).into_bytes(),
        ),
        (
            "an entry told twice",
            "bad_proof",
            edit(&|f| {
                let again = f.0[first].clone();
                f.0.insert(first, again)
            })
            .into_bytes(),
        ),
        (
            "a checkpoint's hub time moved",
            "bad_checkpoint",
            edit(&|f| {
                let timed = |n: &&usize| {
                    f.0[**n]["checkpoint"]
                        .as_str()
                        .unwrap()
                        .contains("hub-time ")
                };
                let at = *f.all("checkpoint").iter().find(timed).unwrap();
                let n = f.0[at]["checkpoint"].as_str().unwrap().to_string();
                let (a, b) = n.split_once("hub-time ").unwrap();
                f.0[at]["checkpoint"] = json!(format!("{a}hub-time 1{b}"))
            })
            .into_bytes(),
        ),
        (
            "a checkpoint that nobody signed",
            "bad_checkpoint",
            edit(&|f| {
                let n = note(f);
                let at = n.find("\n\n").unwrap();
                f.0[checkpoint]["checkpoint"] = json!(&n[..at + 2])
            })
            .into_bytes(),
        ),
        (
            "an author whose enrolment is gone",
            "bad_checkpoint",
            edit(&|f| {
                let gone = f.all("enrolment");
                gone.iter().rev().for_each(|n| drop(f.0.remove(*n)))
            })
            .into_bytes(),
        ),
        (
            "an enrolment changed",
            "bad_enrolment",
            edit(&|f| {
                let n = f.all("enrolment")[0];
                f.0[n]["enrolment"] = json!(flip(f.0[n]["enrolment"].as_str().unwrap()))
            })
            .into_bytes(),
        ),
        (
            "sealed again by a stranger",
            "bad_seal",
            file.sealed(&stranger).into_bytes(),
        ),
        ("of another record", "other_record", other.into_bytes()),
        (
            "the record's beginning left out",
            "other_record",
            edit(&|f| drop(f.0.remove(first))).into_bytes(),
        ),
    ];

    for (what, code, text) in cases {
        for (verdict, who) in verdicts(&dir, &text, &root)
            .into_iter()
            .zip(["ours", "theirs"])
        {
            assert_eq!(
                (verdict.0, verdict.1.as_str()),
                (false, code),
                "{what}, by {who}"
            );
        }
    }

    // Each entry but the last is built upon by a later one: none of them can be left out unseen,
    // whoever seals the file.
    let gaps = records
        .iter()
        .filter(|n| **n != first)
        .map(|n| edit(&|f| drop(f.0.remove(*n))));
    let found: Vec<_> = gaps
        .map(|text| verdicts(&dir, text.as_bytes(), &root))
        .collect();
    assert!(
        found
            .iter()
            .all(|[ours, theirs]| ours.1 == theirs.1 && ours.0 == theirs.0),
        "{found:?}"
    );

    assert_eq!(
        found.iter().filter(|f| f[0].1 == "incomplete").count(),
        found.len() - 1,
        "{found:?}"
    );

    // Another commission's root vouches for nothing here.
    let foreign = papers().join("other/nodes/stranger/root.pub");
    for verdict in verdicts(&dir, good.as_bytes(), &foreign) {
        assert_eq!((verdict.0, verdict.1.as_str()), (false, "bad_enrolment"));
    }

    let missing = run(
        &dir,
        &[
            "audit",
            "verify-evidence",
            "no-such-file",
            "--root",
            root.to_str().unwrap(),
        ],
    );

    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn an_auditor_sees_who_set_what_and_what_an_officer_could_have_known() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub_at = world.site("hub").listen;
    let cable = Cable::to(hub_at);

    world.start("trb", &[("hub", cable.address)]);
    world.start("qam", &[("hub", hub_at)]);
    let (hub, trb, qam) = (world.site("hub"), world.site("trb"), world.site("qam"));
    let early = trb.truck("77 B 00042");

    let officer = json!({"say": "officer", "officer": "OF-9", "department": "SEC"});
    hub.post("/v1/control", &officer).unwrap();
    world.settle(&["hub", "trb", "qam"]);
    // While Traibeel is dark, Al-Qaem puts out a lookout for the plate; Traibeel lets the truck go.
    cable.pull();
    let shown = trb.record(&early).unwrap()["heads"].clone();
    hub.set(&early, "note", json!("ask for papers"), Some(&shown))
        .unwrap();

    let hold = json!({
        "kind": "hold", "officer": "OF-9", "department": "SEC",
        "fields": {"type": "SECURITY", "legal_basis": "order 12", "target.term": "77B00042"},
        "events": [{"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order 12"}],
    });

    let hold = qam.post("/v1/records", &hold).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_string();

    trb.set(&early, "note", json!("empty"), None).unwrap();
    trb.set(&early, "note", json!("empty, but for a spare wheel"), None)
        .unwrap();
    trb.say(
        &early,
        "PORT",
        json!({"type": "gate.out", "gate": "G2", "read": "R9"}),
    )
    .unwrap();

    world.wait("the hub has the lookout", || hub.record(&hold).is_ok());
    cable.plug();
    world.settle(&["hub", "trb", "qam"]);
    trb.say(
        &early,
        "PORT",
        json!({"type": "gate.out", "gate": "G2", "read": "R10"}),
    )
    .unwrap();

    world.settle(&["hub", "trb", "qam"]);

    let history = hub.get(&format!("/v1/records/{early}/history")).unwrap();
    let entries = history["entries"].as_array().unwrap();
    let gate_outs: Vec<&Value> = entries
        .iter()
        .filter(|e| e["events"][0]["type"] == "gate.out")
        .collect();
    let note = &history["fields"]["note"];
    let by_hub = entries
        .iter()
        .find(|e| e["node"] == "hub" && e["puts"]["note"].is_string())
        .unwrap();

    let knew = |at: usize| gate_outs[at]["knew"].clone();
    assert_eq!(gate_outs.len(), 2);
    assert_eq!(
        (
            &knew(0)["holds"][0]["hold"],
            &knew(0)["holds"][0]["taken_in"]
        ),
        (&json!(hold), &json!(false))
    );

    assert_eq!(
        knew(0)["not_shown"],
        json!([by_hub["entry"]]),
        "the hub's question had not come"
    );

    assert_eq!(knew(1)["holds"][0]["taken_in"], true);
    assert_eq!(knew(1)["claimed_control"], json!({}));
    for at in [0, 1] {
        assert_eq!(knew(at)["holds"][0]["claimed"], false);
    }
    assert_eq!(knew(1)["not_shown"], json!([]));

    // It joins both branches: by itself, or on top of what the hub found on them meanwhile.
    let mut past = BTreeSet::new();
    let mut queue = vec![gate_outs[1]["entry"].clone()];
    while let Some(next) = queue.pop() {
        let entry = entries.iter().find(|e| e["entry"] == next).unwrap();
        if past.insert(next.to_string()) {
            queue.extend(entry["based_on"].as_array().unwrap().iter().cloned());
        }
    }

    for branch in [by_hub, gate_outs[0]] {
        assert!(past.contains(&branch["entry"].to_string()), "{branch}");
    }

    assert_eq!(gate_outs[0]["stands"]["counts"], true);
    assert!(
        gate_outs[0]["witnessed"]
            .as_array()
            .unwrap()
            .contains(&json!("hub"))
    );

    assert!(gate_outs[0]["not_after_s"].is_i64());

    // Who set the note: the second value at Traibeel replaced the first, and the hub's contests it.
    let of = |value: &str| {
        note.as_array()
            .unwrap()
            .iter()
            .find(|s| s["value"] == value)
            .unwrap()
            .clone()
    };

    assert_eq!(of("empty")["stands"], false);

    let last = of("empty, but for a spare wheel");
    assert_eq!(
        (&last["stands"], &last["replaced"][0]["value"]),
        (&json!(true), &json!("empty"))
    );
    assert_eq!(last["contested_by"], json!([by_hub["entry"]]));

    let text = run(&hub.dir, &["record", "history", &early]);
    let text = String::from_utf8_lossy(&text.stdout).to_string();
    assert!(
        text.contains("CONTESTED by #") && text.contains("had NOT reached this node"),
        "{text}"
    );

    // Every format holds every record.
    for format in ["ndjson", "csv", "parquet"] {
        let arguments = [
            "export", "--format", format, "-o", "all.out", "--kind", "passage", "--force",
        ];
        let trailer = run_json(&hub.dir, &arguments);
        assert_eq!(
            (
                &trailer["export"]["rows"],
                &trailer["export"]["filter"]["kind"]
            ),
            (&json!(1), &json!("passage"))
        );

        assert!(std::fs::metadata(hub.dir.join("all.out")).unwrap().len() > 100);
    }
}
