//! Backups made while a node writes, restores that lose nothing, and two nodes held side by side.

mod compare;

use compare::compare_nodes;
use integration_tests::{Cable, Site, World, papers, run, run_json};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};
use wadi_log::LogKey;
use wadi_store::TemporaryServer;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn records(site: &Site) -> u64 {
    site.get("/v1/sites")
        .map_or(0, |s| s["records"].as_u64().unwrap_or(0))
}

/// A command that has to fail: its code, and how it exits.
fn refused(dir: &Path, arguments: &[&str]) -> (String, i32) {
    let output = run(dir, &[&["--json"], arguments].concat());
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let last: Value =
        serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap_or_default();
    let code = last["error"]
        .as_str()
        .unwrap_or_else(|| panic!("{arguments:?} did not fail: {out}"))
        .to_string();

    (code, output.status.code().unwrap())
}

fn backup(site: &Site, into: &Path) -> (PathBuf, Value) {
    let made = run_json(&site.dir, &["backup", "-o", text(into)]);
    (made["file"].as_str().unwrap().into(), made)
}

#[test]
fn a_node_restored_from_a_backup_made_while_it_wrote_says_what_it_lost_and_gets_it_back() {
    let mut world = World::default();
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("trb", &[("hub", cable.address)]);

    let (trb, hub) = (world.site("trb"), world.site("hub"));
    let copies = world.dir().join("copies");
    std::fs::create_dir(&copies).unwrap();

    let writing = AtomicBool::new(true);
    let ((file, made), mut ids) = std::thread::scope(|s| {
        let writer = s.spawn(|| {
            let still = (0..5_000).take_while(|_| writing.load(Ordering::Relaxed));
            still
                .map(|n| trb.truck(&format!("22-A-{n:05}")))
                .collect::<Vec<String>>()
        });

        world.wait("some trucks are written", || records(trb) > 20);
        let backup = backup(trb, &copies);
        world.wait("and some more", || {
            records(trb) > backup.1["records"].as_u64().unwrap()
        });
        writing.store(false, Ordering::Relaxed);

        (backup, writer.join().unwrap())
    });

    assert!(
        made["records"].as_u64().unwrap() > 20
            && made["entries"].as_u64() > made["records"].as_u64(),
        "{made}"
    );

    assert_eq!(
        run_json(&trb.dir, &["backup", "verify", text(&file)])["records"],
        made["records"]
    );
    assert_eq!(
        refused(&trb.dir, &["backup", "-o", text(&file)]),
        ("backup_exists".into(), 2)
    );
    assert_eq!(
        refused(&trb.dir, &["restore", text(&file)]),
        ("already_running".into(), 1)
    );

    ids.extend((0..10).map(|n| trb.truck(&format!("33-A-{n:05}"))));
    world.settle(&["hub", "trb"]);
    trb.stop();

    // It takes a word for going back behind a database that can be read.
    let held = |name: &str| std::fs::read(trb.dir.join(name)).unwrap();
    let (database, anchor) = (held("node.sqlite"), held("anchor"));
    assert_eq!(
        refused(&trb.dir, &["restore", text(&file)]),
        ("backup_older".into(), 2)
    );
    assert_eq!(held("node.sqlite"), database);

    let restored = run_json(&trb.dir, &["restore", text(&file), "--force-older"]);
    assert_eq!(
        (&restored["anchor"], &restored["only_in_kept"]),
        (&json!("behind"), &json!(0)),
        "{restored}"
    );

    assert!(restored["missing_commits"].as_u64().unwrap() > 0);
    assert_eq!(held("anchor"), anchor, "the anchor is not touched");

    let kept = PathBuf::from(restored["kept"].as_str().unwrap());
    assert!(trb.dir.join(&kept).exists(), "{kept:?}");

    // In the dark it says what it lacks, and takes what is written.
    cable.pull();
    world.boot("trb");
    let alarms = || trb.get("/v1/sites").unwrap()["alarms"].clone();
    assert!(
        alarms().to_string().contains("acknowledged commits"),
        "{}",
        alarms()
    );

    assert_eq!(run(&trb.dir, &["status"]).status.code(), Some(4));
    assert!(
        ids.iter().any(|id| trb.record(id).is_err()),
        "the backup was older than that"
    );

    ids.extend((0..5).map(|n| trb.truck(&format!("44-A-{n:05}"))));
    cable.plug();
    world.wait("everything is fetched back", || {
        ids.iter().all(|id| trb.record(id).is_ok())
    });
    world.wait("the alarm ends", || alarms() == json!([]));
    world.settle(&["hub", "trb"]);

    for id in &ids {
        assert!(
            hub.record(id).is_ok() && trb.record(id).is_ok(),
            "{id} is lost"
        );
    }

    assert_eq!(hub.get("/v1/sites").unwrap()["forks"], json!([]));

    trb.stop();
    let root = papers().join("certs/root.pub");
    assert_eq!(
        run_json(&trb.dir, &["audit", "verify", ".", "--root", text(&root)])["damaged"],
        0
    );

    // A new disk: the papers and the copy are all that is left of the node.
    for name in ["node.sqlite", "anchor"] {
        std::fs::remove_file(trb.dir.join(name)).unwrap();
    }

    let restored = run_json(&trb.dir, &["restore", text(&file)]);
    assert_eq!(
        (&restored["anchor"], &restored["kept"]),
        (&json!("missing"), &json!(null)),
        "{restored}"
    );

    world.boot("trb");
    assert!(
        alarms().to_string().contains("anchor file is missing"),
        "{}",
        alarms()
    );

    world.wait("the hub's part of it is fetched back", || {
        ids.iter().all(|id| trb.record(id).is_ok())
    });
    world.settle(&["hub", "trb"]);
}

/// Writes a manifest anew, as somebody who has the node's key could.
fn reseal(copy: &Path, change: impl Fn(&mut Value)) {
    let seed = std::fs::read_to_string(papers().join("certs/nodes/trb/log.key")).unwrap();
    let seed: [u8; 32] = wadi_log::unhex(seed.trim()).unwrap().try_into().unwrap();
    let path = manifest(copy);
    let mut value: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();

    value.as_object_mut().unwrap().remove("signature");
    change(&mut value);
    let line = value.to_string();
    let signature =
        wadi_log::hex(&LogKey::from_seed(&seed).seal("wadi.backup/v1", line.as_bytes()));
    let open = line.strip_suffix('}').unwrap();

    std::fs::write(path, format!("{open},\"signature\":\"{signature}\"}}\n")).unwrap();
}

fn manifest(copy: &Path) -> PathBuf {
    format!("{}.manifest", copy.display()).into()
}

fn damage_an_entry(copy: &Path) {
    use sqlx::Connection;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    runtime.block_on(async {
        let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite://{}", copy.display()))
            .await
            .unwrap();
        let done = sqlx::query("UPDATE entries SET bytes = x'00' WHERE seq = 2")
            .execute(&mut conn)
            .await
            .unwrap();
        assert!(done.rows_affected() > 0);

        conn.close().await.unwrap();
    });
}

#[test]
fn what_is_no_whole_backup_of_this_node_is_refused_and_nothing_changes() {
    let mut world = World::default();
    world.start("trb", &[]);
    world.start("qam", &[]);

    let (trb, qam) = (world.site("trb"), world.site("qam"));
    (0..6).for_each(|n| drop(trb.truck(&format!("11-A-{n:05}"))));
    qam.truck("22-B-00001");

    let good = world.dir().join("good.sqlite");
    assert_eq!(backup(trb, &good).0, good);

    let other = world.dir().join("other.sqlite");
    backup(qam, &other);
    trb.truck("11-A-00009");
    trb.stop();

    let before = (
        std::fs::read(trb.dir.join("node.sqlite")).unwrap(),
        std::fs::read(trb.dir.join("anchor")).unwrap(),
    );
    let case = |name: &str| {
        let copy = world.dir().join(format!("{name}.sqlite"));
        std::fs::copy(&good, &copy).unwrap();
        std::fs::copy(manifest(&good), manifest(&copy)).unwrap();
        copy
    };

    let length = std::fs::metadata(&good).unwrap().len();
    let cut = case("cut");
    std::fs::OpenOptions::new()
        .write(true)
        .open(&cut)
        .unwrap()
        .set_len(length - 8192)
        .unwrap();

    let flipped = case("flipped");
    let mut bytes = std::fs::read(&flipped).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&flipped, bytes).unwrap();

    let tampered = case("tampered");
    let text_of = std::fs::read_to_string(manifest(&tampered)).unwrap();
    std::fs::write(
        manifest(&tampered),
        text_of.replace("\"made_s\":1", "\"made_s\":2"),
    )
    .unwrap();

    let parted = case("parted");
    std::fs::remove_file(manifest(&parted)).unwrap();
    let newer = case("newer");
    reseal(&newer, |m| m["schema"] = 999.into());

    // Whoever has the node's key can seal what they like; what its entries say is still proven one
    // by one.
    let damaged = case("damaged");
    damage_an_entry(&damaged);
    let bytes = std::fs::read(&damaged).unwrap();
    let sha256 = wadi_log::hex(&Sha256::digest(&bytes));

    reseal(&damaged, |m| {
        m["bytes"] = bytes.len().into();
        m["sha256"] = sha256.as_str().into();
    });

    let root = papers().join("certs/root.pub");
    for (copy, code, exit) in [
        (&other, "other_node", 2),
        (&cut, "copy_truncated", 4),
        (&flipped, "copy_changed", 4),
        (&tampered, "manifest_tampered", 4),
        (&parted, "no_backup", 2),
        (&newer, "database_newer", 1),
        (&damaged, "entry_damaged", 4),
    ] {
        let told = refused(&trb.dir, &["restore", text(copy), "--force-older"]);
        assert_eq!(told, (code.to_string(), exit), "{copy:?}");
        assert_eq!(
            std::fs::read(trb.dir.join("node.sqlite")).unwrap(),
            before.0,
            "{code}"
        );

        assert_eq!(
            std::fs::read(trb.dir.join("anchor")).unwrap(),
            before.1,
            "{code}"
        );

        let left: Vec<_> = std::fs::read_dir(&trb.dir)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert!(
            !left.iter().any(|n| n.to_string_lossy().contains("restor")),
            "{code}: {left:?}"
        );

        if code != "other_node" {
            assert_eq!(
                refused(
                    &trb.dir,
                    &["backup", "verify", text(copy), "--root", text(&root)]
                )
                .0,
                code
            );
        }
    }

    // The database of another node, and one of a newer version, are not backed up as this one's.
    let node_toml = std::fs::read_to_string(trb.dir.join("node.toml")).unwrap();
    let posing = node_toml.replace("certs/nodes/trb", "certs/nodes/qam");
    std::fs::write(trb.dir.join("posing.toml"), posing).unwrap();

    let as_other = ["backup", "-o", "x.sqlite", "--config", "posing.toml"];
    assert_eq!(refused(&trb.dir, &as_other), ("other_node".into(), 2));

    let left: Vec<_> = std::fs::read_dir(&trb.dir)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        !left
            .iter()
            .any(|n| n.to_string_lossy().starts_with("x.sqlite")),
        "{left:?}"
    );

    // And a restore that was cut off between two renamings is not started on, but done again.
    std::fs::write(
        trb.dir.join("restore.unfinished"),
        "node.sqlite.before-restore-X\n",
    )
    .unwrap();

    assert_eq!(refused(&trb.dir, &["node", "run"]).0, "restore_unfinished");

    let restored = run_json(&trb.dir, &["restore", text(&manifest(&good))]);
    assert_eq!(restored["anchor"], "behind");
    assert_eq!(
        std::fs::read(trb.dir.join("node.sqlite.before-restore-X")).unwrap(),
        before.0
    );

    world.boot("trb");
    assert_eq!(records(trb), 6);
}

#[test]
fn a_hub_on_postgres_is_backed_up_and_restored_into_an_empty_database() {
    let mut world = World::default();
    let server = TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    world.prepare(
        "hub",
        &[],
        &format!("database = {:?}", server.create("wadi").unwrap()),
    );

    world.boot("hub");
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let mut ids: Vec<String> = (0..30)
        .map(|n| trb.truck(&format!("11-A-{n:05}")))
        .collect();

    world.settle(&["hub", "trb"]);
    let (file, made) = backup(hub, world.dir());
    assert_eq!(
        (&made["engine"], &made["records"]),
        (&json!("postgres"), &json!(30)),
        "{made}"
    );

    assert_eq!(
        run_json(&hub.dir, &["backup", "verify", text(&file)])["entries"],
        made["entries"]
    );

    ids.extend((0..10).map(|n| trb.truck(&format!("22-A-{n:05}"))));
    hub.post(
        "/v1/control",
        &json!({"say": "officer", "officer": "OF-1", "department": "PORT"}),
    )
    .unwrap();

    world.settle(&["hub", "trb"]);
    hub.stop();

    // Never into a database that holds something.
    assert_eq!(
        refused(&hub.dir, &["restore", text(&file)]).0,
        "database_not_empty"
    );

    let empty = server.create("wadi2").unwrap();
    let config = hub.dir.join("node.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    let lines = before.lines().map(|l| match l.starts_with("database = ") {
        true => format!("database = {empty:?}\n"),
        false => format!("{l}\n"),
    });

    std::fs::write(&config, lines.collect::<String>()).unwrap();
    let mut cut = std::fs::read(&file).unwrap();
    cut.truncate(cut.len() / 2);

    let cut_file = world.dir().join("cut.pgdump");
    std::fs::write(&cut_file, cut).unwrap();
    std::fs::copy(manifest(&file), manifest(&cut_file)).unwrap();
    assert_eq!(
        refused(&hub.dir, &["restore", text(&cut_file)]),
        ("copy_truncated".into(), 4)
    );

    let restored = run_json(&hub.dir, &["restore", text(&file)]);
    assert_eq!(
        (&restored["anchor"], &restored["records"]),
        (&json!("behind"), &json!(30)),
        "{restored}"
    );

    world.boot("hub");
    world.wait("its sites bring back what it lost", || {
        ids.iter().all(|id| hub.record(id).is_ok())
    });
    // What stays is that its country log began anew.
    world.wait("the alarm of what was lost ends", || {
        let alarms = hub.get("/v1/sites").unwrap()["alarms"].clone();
        let alarms = alarms.as_array().expect("alarms").clone();
        alarms.len() == 1 && alarms[0].to_string().contains("under a new origin")
    });
    world.settle(&["hub", "trb"]);

    let (one, other) = (trb.dir.join("node.toml"), hub.dir.join("node.toml"));
    let (lines, counts, exit) = compare_nodes(world.dir(), &[text(&one), text(&other)]);
    assert_eq!(
        (exit, &counts["records_b"]),
        (0, &json!(40)),
        "{counts} {lines:?}"
    );
}
