//! Disks that rot, outages that end, and operators who force a resync: told to real processes.

use integration_tests::{Cable, Site, World, run, run_json};
use serde_json::{Value, json};
use sqlx::Connection;
use std::path::Path;

/// Runs statements on the database of a node that does not run.
fn on_disk(dir: &Path, statements: &[&str]) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    runtime.block_on(async {
        let path = format!("sqlite://{}", dir.join("node.sqlite").display());
        let mut conn = sqlx::SqliteConnection::connect(&path).await.unwrap();
        let mut changed = 0;
        for statement in statements {
            let done = sqlx::query(sqlx::AssertSqlSafe((*statement).to_string()))
                .execute(&mut conn)
                .await
                .unwrap();
            changed += done.rows_affected();
        }

        conn.close().await.unwrap();
        changed
    })
}

/// Waits until a resync leaves the states in which something still happens.
fn resync_ends(world: &World, site: &Site, id: &str) -> Value {
    let ask = || site.get(&format!("/v1/resyncs/{id}")).unwrap_or_default();
    let at_rest = |r: &Value| {
        ["planned", "done", "failed", "paused", "cancelled"]
            .contains(&r["state"].as_str().unwrap_or(""))
    };

    world.wait(&format!("{id} comes to rest"), || at_rest(&ask()));
    ask()
}

fn plan(world: &World, site: &Site) -> Value {
    let begun = site
        .post(
            "/v1/resyncs",
            &json!({"reason": "after the outage", "by": "OP-1"}),
        )
        .unwrap();

    resync_ends(world, site, begun["id"].as_str().unwrap())
}

/// Rot of every kind in Traibeel's own passages: bytes flipped, rows gone, bytes and hash replaced
/// together, a kept hash and the index by record changed, a record's projection overwritten.
const ROT: [&str; 6] = [
    "UPDATE entries SET bytes = CAST(substr(bytes, 1, 50) || x'ff' || substr(bytes, 52) AS BLOB) \
     WHERE seq IN (7, 8, 30) AND substr(log, 25, 1) = x'03' AND main = 1",
    "DELETE FROM entries WHERE seq BETWEEN 40 AND 44 AND substr(log, 25, 1) = x'03' AND main = 1",
    "UPDATE tree SET hash = randomblob(32)",
    "DELETE FROM record_entries WHERE seq = 12",
    "UPDATE records SET json = replace(json, '11-A-00003', '99-Z-99999') \
     WHERE json LIKE '%11-A-00003%'",
    "DELETE FROM terms WHERE value = '11A00005'",
];

#[test]
fn what_rots_on_a_disk_is_found_by_a_plan_that_changes_nothing_and_mended_by_its_run() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let ids: Vec<String> = (0..80)
        .map(|n| trb.truck(&format!("11-A-{n:05}")))
        .collect();

    world.settle(&["hub", "trb"]);
    let before: Vec<Value> = ids
        .iter()
        .map(|id| trb.record(id).unwrap()["fields"].clone())
        .collect();

    // In order: what lies on the disk is what is compared.
    trb.stop();
    assert!(on_disk(&trb.dir, &ROT) >= 10);

    world.boot("trb");
    world.wait("the hub is in contact", || {
        trb.get("/v1/sites").unwrap()["peers"][0]["connected"] == true
    });

    let planned = plan(&world, trb);
    assert_eq!(planned["state"], "planned", "{planned}");
    assert_eq!(planned["compared"], true);
    assert_eq!(planned["damaged_entries"], 8, "{planned}");
    assert!(planned["rederived"].as_u64().unwrap() >= 2, "{planned}");

    let kinds = planned["logs"][0]["kinds"].clone();
    assert_eq!(kinds, json!(["missing", "rotten"]), "{planned}");
    assert!(
        planned["compare_bytes"].as_u64().unwrap() < 4_500,
        "{planned}"
    );

    // Nothing was changed by it: planning again finds the same.
    let again = plan(&world, trb);
    assert_eq!(
        (&again["damaged_entries"], &again["rederived"]),
        (&planned["damaged_entries"], &planned["rederived"])
    );
    assert_ne!(
        run(&trb.dir, &["resync", "verify"]).status.code(),
        Some(0),
        "it is not equal, and says so"
    );

    let id = planned["id"].as_str().unwrap().to_string();
    trb.post(&format!("/v1/resyncs/{id}/run"), &json!({"by": "OP-2"}))
        .unwrap();

    let done = resync_ends(&world, trb, &id);
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(
        (&done["outcome"]["mended"], &done["outcome"]["unmended"]),
        (&json!(8), &json!(0)),
        "{done}"
    );

    assert_eq!(done["outcome"]["approved_by"], "OP-2");

    let after: Vec<Value> = ids
        .iter()
        .map(|id| trb.record(id).unwrap()["fields"].clone())
        .collect();
    assert_eq!(after, before, "every record stands as it did");

    let found = trb.get("/v1/records?plate=11-A-00005").unwrap();
    assert_eq!(
        found["records"].as_array().unwrap().len(),
        1,
        "and is found by its plate"
    );

    let verified = run_json(&trb.dir, &["resync", "verify"]);
    assert_eq!(verified["equal"], true);
    assert_eq!(trb.get("/v1/sites").unwrap()["alarms"], json!([]));

    // An approved plan is approved once, and a report is an entry that the hub holds.
    let twice = trb
        .post(&format!("/v1/resyncs/{id}/run"), &json!({"by": "OP-2"}))
        .unwrap_err();
    assert_eq!(twice["code"], "resync_not_planned");

    world.settle(&["hub", "trb"]);
    trb.stop();
    hub.stop();

    let root = integration_tests::papers().join("certs/root.pub");
    for site in [trb, hub] {
        let audited = run_json(
            &site.dir,
            &["audit", "verify", ".", "--root", root.to_str().unwrap()],
        );
        assert_eq!(audited["damaged"], 0, "{audited}");
    }
}

/// A plan under a token, in the name of somebody whom it names, once it is made; else the problem.
fn plan_as(world: &World, site: &Site, token: &str, by: &str) -> Result<String, Value> {
    let body = json!({"reason": "after the outage", "by": by});
    let begun = site.post_as(token, None, "/v1/resyncs", &body)?;
    let id = begun["id"].as_str().unwrap().to_string();
    assert_eq!(resync_ends(world, site, &id)["state"], "planned");
    Ok(id)
}

#[test]
fn who_plans_a_resync_and_who_approves_it_are_two_persons_by_their_tokens() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let trb = world.site("trb");
    world.settle(&["hub", "trb"]);
    let machines = trb.token();
    let run = |token: &str, id: &str, by: &str| {
        let path = format!("/v1/resyncs/{id}/run");
        trb.post_as(token, None, &path, &json!({"by": by}))
    };
    let refused = |answer: Result<Value, Value>| answer.unwrap_err()["code"].clone();

    // A machine's own token is nobody's: it names a person, who is told to be named by it.
    let body = json!({"reason": "after the outage"});
    let nobody = trb.post("/v1/resyncs", &body).unwrap_err();
    assert_eq!(nobody["code"], "person_missing", "{nobody}");
    let id = plan_as(&world, trb, &machines, "Layla").unwrap();
    assert_eq!(refused(run(&machines, &id, "")), "person_missing");
    run(&machines, &id, "Layla").unwrap();
    let done = resync_ends(&world, trb, &id);
    let told = [
        "planned_by",
        "planned_by_token",
        "approved_by",
        "approved_by_token",
    ];
    assert_eq!(
        told.map(|member| done[member].clone()),
        ["Layla", "operator", "Layla", "operator"].map(Value::from),
        "one person suffices where the machine knows no second one"
    );

    // Of two persons with tokens of their own, neither is both.
    let (layla, omar) = (trb.token_of("Layla"), trb.token_of("Omar"));
    let id = plan_as(&world, trb, &layla, "").unwrap();
    assert_eq!(refused(run(&layla, &id, "")), "own_proposal");
    assert_eq!(refused(run(&layla, &id, "Omar")), "other_person");
    assert_eq!(refused(run(&machines, &id, "Omar")), "own_token_needed");
    let second = trb.token_of("LAYLA");
    assert_eq!(
        refused(run(&second, &id, "")),
        "own_proposal",
        "written otherwise"
    );

    let claimed = plan_as(&world, trb, &machines, "Omar").unwrap();
    assert_eq!(refused(run(&layla, &claimed, "")), "own_token_needed");

    run(&omar, &id, "").unwrap();
    let done = resync_ends(&world, trb, &id);
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(
        told.map(|member| done[member].clone()),
        ["Layla", "", "Omar", ""].map(Value::from)
    );

    // Once a token is revoked, its person approves nothing, and is nobody's second.
    let tokens = trb.get("/v1/tokens").unwrap()["tokens"].clone();
    for token in tokens
        .as_array()
        .unwrap()
        .iter()
        .filter(|t| t["person"] == "Omar")
    {
        let name = token["name"].as_str().unwrap().replace(' ', "%20");
        trb.delete(&format!("/v1/tokens/{name}")).unwrap();
    }
    let id = plan_as(&world, trb, &layla, "").unwrap();
    run(&layla, &id, "").unwrap();
}

#[test]
fn a_hub_orders_a_resync_and_the_dark_site_carries_it_out_at_its_next_contact() {
    let mut world = World::default();
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("qam", &[("hub", cable.address)]);

    let (hub, qam) = (world.site("hub"), world.site("qam"));
    (0..30).for_each(|n| drop(qam.truck(&format!("22-B-{n:05}"))));
    world.settle(&["hub", "qam"]);
    cable.pull();

    let late: Vec<String> = (0..5).map(|n| qam.truck(&format!("33-C-{n:05}"))).collect();
    let refused = qam
        .post("/v1/resyncs", &json!({"site": "TRB", "by": "OP-7"}))
        .unwrap_err();
    assert_eq!(refused["code"], "not_a_hub");
    assert_eq!(
        hub.post("/v1/resyncs", &json!({"site": "XXX", "by": "OP-7"}))
            .unwrap_err()["code"],
        "unknown_site"
    );

    let ordered = run_json(
        &hub.dir,
        &[
            "resync", "plan", "--site", "QAM", "--reason", "outage", "--by", "OP-7",
        ],
    );

    assert_eq!(ordered["state"], "ordered");

    qam.stop();
    on_disk(
        &qam.dir,
        &[
            "DELETE FROM entries WHERE seq BETWEEN 10 AND 12 AND substr(log, 25, 1) = x'03' \
             AND main = 1",
        ],
    );

    world.boot("qam");
    cable.plug();
    let id = ordered["id"].as_str().unwrap().to_string();
    world.wait("the site reports", || {
        hub.get(&format!("/v1/resyncs/{id}")).unwrap()["state"] == "done"
    });

    let told = hub.get(&format!("/v1/resyncs/{id}")).unwrap()["outcome"].clone();
    assert_eq!(
        (&told["equal"], &told["unmended"]),
        (&json!(true), &json!(0)),
        "{told}"
    );

    // Found by the resync, or at the contact before it, when the log could not be offered.
    assert!(qam.refusals().contains(&"entry_damaged".to_string()));
    assert_eq!(
        (&told["approved_by"], &told["reason"]),
        (&json!("OP-7"), &json!("outage"))
    );
    assert!(
        late.iter().all(|id| hub.record(id).is_ok()),
        "what was local was shipped first"
    );
}

#[test]
fn a_plan_is_stale_once_the_world_moved_on_and_a_resync_is_paused_resumed_and_cancelled() {
    let mut world = World::default();
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("trb", &[("hub", cable.address)]);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    (0..20).for_each(|n| drop(trb.truck(&format!("11-A-{n:05}"))));
    world.settle(&["hub", "trb"]);
    trb.stop();

    let copy = trb.dir.join("copy");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(trb.dir.join("node.sqlite"), copy.join("node.sqlite")).unwrap();
    world.boot("trb");
    cable.pull();

    // Dark: the plan says what is damaged here, and that the rest is unknown.
    (0..4).for_each(|n| drop(trb.truck(&format!("44-D-{n:05}"))));
    world.wait("the link is down", || {
        trb.get("/v1/sites").unwrap()["peers"][0]["connected"] == false
    });

    let planned = plan(&world, trb);
    assert_eq!(
        (&planned["state"], &planned["compared"]),
        (&json!("planned"), &json!(false)),
        "{planned}"
    );

    let verify = run(&trb.dir, &["--json", "resync", "verify"]);
    assert!(String::from_utf8_lossy(&verify.stdout).contains("peer_dark"));

    // Run in the dark it waits, and tells for what.
    let id = planned["id"].as_str().unwrap().to_string();
    trb.post(&format!("/v1/resyncs/{id}/run"), &json!({"by": "OP-1"}))
        .unwrap();

    let ask = || trb.get(&format!("/v1/resyncs/{id}")).unwrap();
    world.wait("it says what it waits for", || {
        ask()["waits_for"]
            .as_str()
            .unwrap_or("")
            .contains("in contact")
    });

    let body = json!({"by": "OP-1"});
    let steer = |act: &str| trb.post(&format!("/v1/resyncs/{id}/{act}"), &body);
    assert_eq!(steer("pause").unwrap()["state"], "paused");
    assert_eq!(steer("pause").unwrap_err()["code"], "resync_state");
    assert_eq!(steer("dance").unwrap_err()["code"], "unknown_act");

    // A power cut later it is still paused, and goes on when told to.
    trb.kill();
    world.boot("trb");
    assert_eq!(ask()["state"], "paused");
    assert_eq!(steer("resume").unwrap()["state"], "shipping");

    cable.plug();
    assert_eq!(resync_ends(&world, trb, &id)["state"], "done");

    // A plan of yesterday's database: the log that it saw is no longer that long.
    let planned = plan(&world, trb);
    let logs = planned["logs"].as_array().unwrap().len();
    trb.truck("55-E-00001");
    trb.stop();
    for name in ["node.sqlite-wal", "node.sqlite-shm"] {
        let _ = std::fs::remove_file(trb.dir.join(name));
    }

    let id = planned["id"].as_str().unwrap();
    let kept = std::fs::read(trb.dir.join("node.sqlite")).unwrap();
    std::fs::copy(copy.join("node.sqlite"), trb.dir.join("node.sqlite")).unwrap();
    cable.pull();
    world.boot("trb");

    let gone = trb
        .post(&format!("/v1/resyncs/{id}/run"), &body)
        .unwrap_err();
    assert_eq!(
        (&gone["code"], &gone["status"]),
        (&json!("no_such_resync"), &json!(404)),
        "the old copy does not know it; {logs} logs differed"
    );

    trb.stop();
    for name in ["node.sqlite-wal", "node.sqlite-shm"] {
        let _ = std::fs::remove_file(trb.dir.join(name));
    }

    std::fs::write(trb.dir.join("node.sqlite"), kept).unwrap();
    cable.plug();
    world.boot("trb");

    let cancelled = trb
        .post(&format!("/v1/resyncs/{id}/cancel"), &body)
        .unwrap();
    assert_eq!(cancelled["state"], "cancelled");

    world.settle(&["hub", "trb"]);
    assert!(
        hub.get("/v1/sites").unwrap()["forks"]
            .as_array()
            .unwrap()
            .is_empty()
    );
}

/// Everything in the table that cannot be rebuilt, of the crossing's own logs.
fn entries_of(site: &Site) -> Vec<(Vec<u8>, i64, Vec<u8>, Vec<u8>)> {
    let papers = integration_tests::papers().join("certs/nodes/trb/enrolment");
    let text = std::fs::read_to_string(papers).unwrap();
    let bytes = wadi_log::unhex(text.trim()).unwrap();
    let node = wadi_log::Enrolment::from_bytes(&bytes).unwrap().node();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    runtime.block_on(integration_tests::network::entries_on_disk(&site.dir, node))
}

#[test]
fn a_resync_that_is_cut_at_any_point_ends_byte_equal() {
    use rand::{RngExt, SeedableRng};
    let began = std::time::Instant::now();
    let seed = integration_tests::seed();
    let mut r = rand::rngs::StdRng::seed_from_u64(seed);
    let mut world = World::default();

    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let trb = world.site("trb");
    let body = integration_tests::operations(0, 120);

    trb.post_text("/v1/imports", &body).unwrap();
    world.settle(&["hub", "trb"]);
    trb.stop();

    let whole = entries_of(trb);
    let (pristine, damaged) = (trb.dir.join("whole"), trb.dir.join("damaged"));
    integration_tests::network::copy_dir(&trb.dir, &pristine);
    on_disk(
        &trb.dir,
        &[
            "DELETE FROM entries WHERE seq % 7 = 3 AND substr(log, 25, 1) = x'03' AND main = 1",
            "UPDATE entries SET bytes = CAST(substr(bytes, 1, 40) || x'00' || substr(bytes, \
             42) AS BLOB) \
             WHERE seq % 11 = 5 AND substr(log, 25, 1) = x'03' AND main = 1",
        ],
    );

    integration_tests::network::copy_dir(&trb.dir, &damaged);
    let (mut tried, mut differing) = (0, 0);
    for _ in 0..integration_tests::network::trials(3, 100) {
        tried += 1;
        for name in ["node.sqlite-wal", "node.sqlite-shm"] {
            let _ = std::fs::remove_file(trb.dir.join(name));
        }

        integration_tests::network::copy_dir(&damaged, &trb.dir);
        world.boot("trb");
        world.wait("the hub is in contact", || {
            trb.get("/v1/sites").unwrap()["peers"][0]["connected"] == true
        });

        let planned = plan(&world, trb);
        let id = planned["id"].as_str().unwrap().to_string();
        trb.post(&format!("/v1/resyncs/{id}/run"), &json!({"by": "OP-1"}))
            .unwrap();

        // The power fails once or twice on the way.
        for _ in 0..r.random_range(1..3) {
            std::thread::sleep(std::time::Duration::from_millis(r.random_range(0..900)));
            trb.kill();
            world.boot("trb");
        }

        let done = resync_ends(&world, trb, &id);
        assert_eq!(done["state"], "done", "WADI_SEED={seed} {done}");

        world.settle(&["hub", "trb"]);
        trb.stop();
        let now = entries_of(trb);

        // Boots and reports came to it; what was there is there, byte for byte.
        let held: std::collections::BTreeSet<_> = now.into_iter().collect();
        differing += u64::from(!whole.iter().all(|e| held.contains(e)));
        assert_eq!(differing, 0, "WADI_SEED={seed}");
    }

    integration_tests::network::tell_gate("resync_cut", tried, differing, 0, 0, began);
}
