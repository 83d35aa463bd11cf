//! Sites, links and people, told to real processes over real QUIC.

use integration_tests::{Cable, World, papers, run, run_json};
use serde_json::{Value, json};

#[test]
fn two_crossings_and_the_hub_agree_after_each_wrote_alone() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub").listen;
    let (trb_hub, qam_hub) = (Cable::to(hub), Cable::to(hub));

    trb_hub.pull();
    qam_hub.pull();
    world.start("trb", &[("hub", trb_hub.address)]);
    world.start("qam", &[("hub", qam_hub.address)]);

    let (trb, qam, hub) = (world.site("trb"), world.site("qam"), world.site("hub"));
    let ids: Vec<String> = (0..20)
        .map(|n| trb.truck(&format!("11-A-{n:05}")))
        .collect();
    let far: Vec<String> = (0..20)
        .map(|n| qam.truck(&format!("22-B-{n:05}")))
        .collect();
    assert_eq!(trb.record(&ids[0]).unwrap()["safety"], "local_only");

    trb_hub.plug();
    qam_hub.plug();
    world.settle(&["hub", "trb", "qam"]);
    for id in ids.iter().chain(&far) {
        assert_eq!(hub.record(id).unwrap()["state"], "ADMITTED");
    }

    world.wait("the site knows that the hub holds it", || {
        trb.record(&ids[0]).unwrap()["safety"] == "at_hub"
    });
    assert!(
        qam.record(&ids[0]).is_err(),
        "another crossing's passages are not Al-Qaem's to take"
    );

    // The same record changed at two places while the link is down: both values are shown, each
    // with who said it.
    trb_hub.pull();
    let shown = trb.record(&ids[3]).unwrap()["heads"].clone();
    trb.set(&ids[3], "seal.1", json!("JO1"), Some(&shown))
        .unwrap();
    hub.set(&ids[3], "seal.1", json!("JO2"), Some(&shown))
        .unwrap();
    trb_hub.plug();
    world.settle(&["hub", "trb", "qam"]);

    for site in [trb, hub] {
        let contested = site.record(&ids[3]).unwrap()["contested"]["seal.1"].clone();
        let values: Vec<&str> = contested
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["value"].as_str().unwrap())
            .collect();

        assert_eq!(values.len(), 2, "{contested}");
        assert!(values.contains(&"JO1") && values.contains(&"JO2"));
    }

    world.wait("the hub finds the contradiction", || {
        let found = hub.get("/v1/findings").unwrap();
        found["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["rule"] == "R13" && f["phase"] == "FIRM")
    });

    // What trb held is right to the last hash and signature; one flipped byte is named.
    trb.stop();
    let root = papers().join("certs/root.pub");
    let root = root.to_str().unwrap();
    let verified = run_json(&trb.dir, &["audit", "verify", ".", "--root", root]);
    assert_eq!(verified["damaged"], 0);
    assert!(verified["entries"].as_u64().unwrap() > 20);

    flip_a_byte_of_an_entry(&trb.dir);
    let output = run(
        &trb.dir,
        &["--json", "audit", "verify", ".", "--root", root],
    );
    assert_eq!(output.status.code(), Some(4));

    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("passage/TRB@7: the entry's bytes do not have its hash"),
        "{text}"
    );
}

fn flip_a_byte_of_an_entry(dir: &std::path::Path) {
    use sqlx::Connection;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    runtime.block_on(async {
        let path = format!("sqlite://{}", dir.join("node.sqlite").display());
        let mut conn = sqlx::SqliteConnection::connect(&path).await.unwrap();
        let row: (Vec<u8>, Vec<u8>) = sqlx::query_as(
            "SELECT log, bytes FROM entries WHERE seq = 7 AND length(bytes) > 100 AND substr(log, \
             25, 1) = x'03'",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();

        let mut bytes = row.1;
        bytes[60] ^= 1;
        sqlx::query("UPDATE entries SET bytes = ?1 WHERE log = ?2 AND seq = 7")
            .bind(bytes)
            .bind(row.0)
            .execute(&mut conn)
            .await
            .unwrap();
    });
}

#[test]
fn a_site_that_cannot_reach_the_hub_is_heard_through_its_neighbour() {
    let mut world = World::default();
    world.start("hub", &[]);
    let dark = Cable::to(world.site("hub").listen);
    dark.pull();
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world.start(
        "qam",
        &[("hub", dark.address), ("trb", world.site("trb").listen)],
    );

    let (qam, hub) = (world.site("qam"), world.site("hub"));
    let ids: Vec<String> = (0..30)
        .map(|n| qam.truck(&format!("33-C-{n:05}")))
        .collect();

    world.wait("the hub hears Al-Qaem's passages", || {
        ids.iter().all(|id| hub.record(id).is_ok())
    });

    // The hub's cosignature comes back the same way: the site knows that its records are safe.
    world.wait("Al-Qaem knows", || {
        ids.iter()
            .all(|id| qam.record(id).unwrap()["safety"] == "at_hub")
    });

    let trb = world.site("trb");
    assert!(trb.record(&ids[0]).is_err(), "carried, not read");

    world.wait("what was carried is dropped", || {
        trb.get("/v1/sites").unwrap()["carried_bytes"] == 0
    });

    let status = qam.get("/v1/sites").unwrap();
    assert_eq!(status["unsent"], 0, "{status}");
}

#[test]
fn an_observer_gets_its_grant_and_no_byte_more() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let trb = world.site("trb");
    let passage = trb.truck("44-D-00001");
    let entry = json!({
        "kind": "customs-entry",
        "officer": "OF-1",
        "department": "CUS",
        "fields": {"declarant": "A", "declarant_ref": "1"},
    });
    let entry = trb.post("/v1/records", &entry).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_string();
    let hold = json!({
        "kind": "hold",
        "officer": "OF-1",
        "department": "VET",
        "fields": {"type": "VETERINARY", "legal_basis": "law"},
        "events": [{"type": "hold.placed", "type_of_hold": "VETERINARY", "legal_basis": "law"}],
    });

    let hold = trb.post("/v1/records", &hold).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_string();

    world.settle(&["hub", "trb"]);
    world.start("army", &[("hub", world.site("hub").listen)]);
    let army = world.site("army");
    world.wait("the army sees the passage", || {
        army.record(&passage).is_ok()
    });
    assert!(army.record(&entry).is_err() && army.record(&hold).is_err());

    let scopes = army.get("/v1/sites").unwrap()["scopes"].clone();
    let lanes: Vec<&str> = scopes
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["lane"].as_str().unwrap())
        .collect();

    assert!(
        lanes.iter().all(|l| matches!(*l, "control" | "passage")),
        "{scopes}"
    );

    // It writes nothing.
    let body = json!({
        "kind": "passage",
        "officer": "X",
        "department": "PORT",
        "crossing": "TRB",
        "fields": {"direction": "in"},
    });
    assert_eq!(
        army.post("/v1/records", &body).unwrap_err()["code"],
        "foreign_crossing"
    );

    // Its database holds no other byte.
    army.stop();
    let held = std::fs::read(army.dir.join("node.sqlite")).unwrap();
    let wal = std::fs::read(army.dir.join("node.sqlite-wal")).unwrap_or_default();

    for text in [&b"VETERINARY"[..], b"declarant_ref"] {
        assert!(
            ![&held, &wal]
                .iter()
                .any(|f| f.windows(text.len()).any(|w| w == text))
        );
    }
}

#[test]
fn a_handed_over_record_follows_its_truck() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world.start("qam", &[("hub", world.site("hub").listen)]);

    let (trb, qam, hub) = (world.site("trb"), world.site("qam"), world.site("hub"));
    let officer = json!({"say": "officer", "officer": "OF-1", "department": "PORT"});
    hub.post("/v1/control", &officer).unwrap();

    let id = trb.truck("55-E-00001");
    world.wait(
        "the registration of the officer has come, and the record is handed over",
        || {
            trb.say(
                &id,
                "PORT",
                json!({"type": "handed_over", "to": "QAM", "reason": "bridge closed"}),
            )
            .is_ok()
        },
    );

    world.wait("Al-Qaem sees the record", || qam.record(&id).is_ok());
    qam.say(
        &id,
        "PORT",
        json!({"type": "gate.out", "gate": "G9", "read": "R9"}),
    )
    .unwrap();

    for site in [trb, hub] {
        world.wait("it has left", || {
            site.record(&id).unwrap()["state"] == "EXITED"
        });
    }

    // It left uncleared, so that the hub's finding comes to both of them as well.
    world.wait("both hold the same", || {
        let (a, b) = (trb.record(&id).unwrap(), qam.record(&id).unwrap());
        a["fields"] == b["fields"] && a["heads"] == b["heads"]
    });

    // Without the hand-over the other crossing may not write it.
    let other = trb.truck("55-E-00002");
    assert!(qam.record(&other).is_err());
}

#[test]
fn a_node_restored_from_an_old_copy_goes_on_without_fork_or_loss() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let (trb, hub) = (world.site("trb"), world.site("hub"));
    let before: Vec<String> = (0..5).map(|n| trb.truck(&format!("66-F-{n:05}"))).collect();
    world.settle(&["hub", "trb"]);
    trb.stop();

    let copy = world.site("trb").dir.join("copy");
    std::fs::create_dir(&copy).unwrap();
    for name in ["node.sqlite", "anchor"] {
        std::fs::copy(trb.dir.join(name), copy.join(name)).unwrap();
    }

    world.boot("trb");
    let after: Vec<String> = (5..10)
        .map(|n| trb.truck(&format!("66-F-{n:05}")))
        .collect();

    world.settle(&["hub", "trb"]);
    trb.stop();

    // A technician puts back the old disk image, database and anchor together.
    for name in ["node.sqlite", "anchor"] {
        std::fs::copy(copy.join(name), trb.dir.join(name)).unwrap();
    }

    for name in ["node.sqlite-wal", "node.sqlite-shm"] {
        let _ = std::fs::remove_file(trb.dir.join(name));
    }

    world.boot("trb");
    let later: Vec<String> = (10..15)
        .map(|n| trb.truck(&format!("66-F-{n:05}")))
        .collect();

    world.settle(&["hub", "trb"]);
    for id in before.iter().chain(&after).chain(&later) {
        assert!(
            trb.record(id).is_ok() && hub.record(id).is_ok(),
            "{id} is lost"
        );
    }

    assert_eq!(hub.get("/v1/sites").unwrap()["forks"], json!([]));

    // The database alone put back, behind its anchor: the node says so, and heals the same way.
    trb.stop();
    std::fs::copy(copy.join("node.sqlite"), trb.dir.join("node.sqlite")).unwrap();
    for name in ["node.sqlite-wal", "node.sqlite-shm"] {
        let _ = std::fs::remove_file(trb.dir.join(name));
    }

    // Alone, it cannot heal, and goes on saying so after every start.
    world.site("hub").stop();
    for _ in 0..2 {
        world.boot("trb");
        let alarms = trb.get("/v1/sites").unwrap()["alarms"].to_string();
        assert!(alarms.contains("acknowledged commits"), "{alarms}");
        trb.stop();
    }

    world.boot("hub");
    world.boot("trb");
    world.wait("everything is fetched back", || {
        later.iter().all(|id| trb.record(id).is_ok())
    });
    world.wait("the alarm ends when all of it is held again", || {
        trb.get("/v1/sites").unwrap()["alarms"] == json!([])
    });
}

#[test]
fn a_paper_backlog_is_placed_by_when_it_happened() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let id = trb.truck("77-G-00001");
    let day_ms = 86_400_000i64;
    let now = trb.get("/v1/sites").unwrap()["now_ms"].as_i64().unwrap();
    let body = json!({
        "officer": "OF-1",
        "department": "OPS",
        "happened_at_ms": now - day_ms,
        "happened_source": "paper",
        "events": [{"type": "weighed", "scale": "S1", "gross_kg": 30_000}],
    });

    trb.post(&format!("/v1/records/{id}/events"), &body)
        .unwrap();
    let record = trb.record(&id).unwrap();
    let events: Vec<&str> = record["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["type"].as_str().unwrap())
        .collect();

    assert_eq!(
        events,
        ["weighed", "gate.in"],
        "yesterday's weighing stands before today's gate"
    );

    assert!(record["events"][0]["entered_ms"].as_i64().unwrap() >= now);

    let history = trb.get(&format!("/v1/records/{id}/history")).unwrap();
    assert_eq!(history["entries"][0]["happened_ms"], now - day_ms);
}

#[test]
fn pulling_the_plug_again_and_again_loses_nothing_acknowledged() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let mut acknowledged = Vec::new();

    for round in 0..6 {
        std::thread::scope(|s| {
            let writers: Vec<_> = (0..4)
                .map(|w| {
                    s.spawn(move || {
                        let mut mine = Vec::new();
                        for n in 0..200 {
                            let body = json!({
                                "kind": "passage", "officer": "OF-1", "department": "PORT",
                                "fields": {"direction": "in", "note": format!("{round}.{w}.{n}")},
                            });
                            match trb.post("/v1/records", &body) {
                                Ok(v) => mine.push(v["id"].as_str().unwrap().to_string()),
                                Err(_) => break,
                            }
                        }

                        mine
                    })
                })
                .collect();

            // Let some writes be acknowledged, and pull the plug in the middle of the others.
            let records = || {
                trb.get("/v1/sites")
                    .map_or(0, |v| v["records"].as_u64().unwrap_or(0))
            };
            let start = records();

            world.wait("some writes", || records() > start + 10);
            trb.kill();
            writers
                .into_iter()
                .for_each(|w| acknowledged.extend(w.join().unwrap()));
        });

        world.boot("trb");
        for id in &acknowledged {
            assert!(
                trb.record(id).is_ok(),
                "{id} was acknowledged and is lost after round {round}"
            );
        }
    }

    assert!(acknowledged.len() > 60);

    trb.stop();
    let root = papers().join("certs/root.pub");
    let verified = run_json(
        &trb.dir,
        &["audit", "verify", ".", "--root", root.to_str().unwrap()],
    );
    assert_eq!(verified["damaged"], 0);
}

#[test]
fn the_demonstration_ends_with_all_nodes_in_agreement() {
    let dir = tempfile::tempdir().unwrap();
    let value = run_json(
        dir.path(),
        &["demo", "--for", "15s", "--seed", "7", "--dir", "net"],
    );
    assert_eq!(value["converged"], true, "{value}");
    assert_eq!(value["nodes"].as_array().unwrap().len(), 7);

    // It shows what defends, and the alarm of a node that lost what it knows itself by.
    let shown = value["shown"].as_array().unwrap();
    for scene in ["a field was refused", "a token for the dark was spent"] {
        let is_shown = |s: &Value| s.as_str().unwrap().starts_with(scene);
        assert!(shown.iter().any(is_shown), "{scene}: {value}");
    }
    let alarm = &value["alarms"][0];
    assert_eq!(
        (&alarm["site"], &alarm["about"]),
        (&json!("man"), &json!("integrity"))
    );
    assert!(
        alarm["text"].as_str().unwrap().contains("anchor"),
        "{alarm}"
    );

    // What is PENDING has its time ahead, and is named with it.
    assert_eq!(value["overdue"], 0);
    let findings = value["findings"].as_array().unwrap();
    let pending = findings.iter().filter(|f| f["phase"] == "PENDING");
    let pending: std::collections::BTreeSet<Option<&str>> =
        pending.map(|f| f["rule"].as_str()).collect();
    let deadlines = value["deadlines"].as_array().unwrap();
    let named = deadlines.iter().map(|d| d["rule"].as_str()).collect();
    assert_eq!(pending, named, "{value}");

    for node in value["nodes"].as_array().unwrap() {
        assert_eq!(node["digest"], value["nodes"][0]["digest"]);
        assert_eq!(node["unsent"], 0);
        assert!(node["records"].as_u64().unwrap() > 10);

        for file in ["node.toml", "node.sqlite", "anchor", "log"] {
            assert!(
                dir.path()
                    .join("net")
                    .join(node["node"].as_str().unwrap())
                    .join(file)
                    .exists(),
                "{file}"
            );
        }
    }

    let root = dir.path().join("net/certs/root.pub");
    let hub = run_json(
        dir.path(),
        &[
            "audit",
            "verify",
            "net/hub",
            "--root",
            root.to_str().unwrap(),
        ],
    );

    assert_eq!(hub["damaged"], 0);
}
