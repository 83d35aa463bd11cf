//! Databases that no longer open, or are gone: real nodes set aside what is left, take back what
//! only they had said, and get the rest from the hub.

use integration_tests::{Cable, Site, World, run_json};
use serde_json::{Value, json};
use std::path::Path;

const PAGE: usize = 8192;

fn alarms(site: &Site) -> String {
    site.get("/v1/sites").unwrap_or_default()["alarms"].to_string()
}

fn is_calm(site: &Site) -> bool {
    alarms(site) == "[]"
}

/// The epoch in which a record was last written.
fn epoch(site: &Site, id: &str) -> String {
    let record = site.record(id).unwrap();
    record["heads"][0]
        .as_str()
        .unwrap()
        .split('/')
        .nth(3)
        .unwrap()
        .to_string()
}

fn all_here(site: &Site, ids: &[String]) -> bool {
    ids.iter().all(|id| site.record(id).is_ok())
}

fn trucks(site: &Site, series: &str, count: u32) -> Vec<String> {
    (0..count)
        .map(|n| site.truck(&format!("{series}-{n:05}")))
        .collect()
}

/// Rubbish over the first page, in the file and wherever the WAL has it: SQLite can make nothing of
/// the rest.
fn spoil_first_page(dir: &Path) {
    let path = dir.join("node.sqlite");
    let mut file = std::fs::read(&path).unwrap();
    file[..PAGE].fill(0xa5);
    std::fs::write(&path, &file).unwrap();

    let path = dir.join("node.sqlite-wal");
    let Ok(mut wal) = std::fs::read(&path) else {
        return;
    };
    for frame in (32..wal.len().saturating_sub(24 + PAGE - 1)).step_by(24 + PAGE) {
        if wal[frame..frame + 4] == [0, 0, 0, 1] {
            wal[frame + 24..frame + 24 + PAGE].fill(0xa5);
        }
    }

    std::fs::write(&path, &wal).unwrap();
}

fn contains(page: &[u8], text: &str) -> bool {
    page.windows(text.len()).any(|w| w == text.as_bytes())
}

/// Zeros over a page that holds entries of the one series of plates and none of the other.
fn zero_a_page(dir: &Path, of: &str, not_of: &str) {
    let path = dir.join("node.sqlite");
    let mut file = std::fs::read(&path).unwrap();
    let is_it = |p: &[u8]| {
        p[0] == 0x0a && contains(p, "gate.in") && contains(p, of) && !contains(p, not_of)
    };
    let found: Vec<usize> = file
        .chunks_exact(PAGE)
        .enumerate()
        .filter(|(_, p)| is_it(p))
        .map(|(n, _)| n)
        .collect();

    let page = *found
        .get(found.len() / 2)
        .expect("a page with those entries alone");
    file[page * PAGE..(page + 1) * PAGE].fill(0);
    std::fs::write(&path, &file).unwrap();
}

/// What was set aside in a node's directory: the directories' names and the files in them.
fn set_aside(site: &Site) -> Vec<(String, Vec<String>)> {
    let names = |dir: &Path| -> Vec<String> {
        let all = std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .filter_map(Result::ok);
        let mut all: Vec<String> = all
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();

        all.sort();
        all
    };

    let parent = site.dir.join("set-aside");
    names(&parent)
        .into_iter()
        .map(|name| (name.clone(), names(&parent.join(name))))
        .collect()
}

fn written_under_a_key(site: &Site, token: &str, key: &str) -> Value {
    let body = json!({
        "kind": "passage",
        "fields": {"direction": "in", "vehicle.plate_raw": "99-K-00001"},
    });
    site.post_as(token, Some(key), "/v1/records", &body)
        .unwrap()["id"]
        .clone()
}

#[test]
fn a_database_whose_first_page_is_rubbish_gives_back_what_nobody_else_has() {
    let mut world = World::default();
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("trb", &[("hub", cable.address)]);

    let (trb, hub) = (world.site("trb"), world.site("hub"));
    hub.post(
        "/v1/control",
        &json!({"say": "officer", "officer": "OF-1", "department": "PORT"}),
    )
    .unwrap();

    let synced = trucks(trb, "11-A", 20);
    world.settle(&["hub", "trb"]);

    // A stop in order moves the WAL into the file; what is written after it is in the WAL alone.
    trb.stop();
    cable.pull();
    world.boot("trb");

    let officer = json!({"is": "officer", "officer": "OF-1", "department": "PORT"});
    let token = trb
        .post("/v1/tokens", &json!({"name": "gate", "scope": officer}))
        .unwrap()["token"]
        .clone();
    let token = token.as_str().unwrap();
    let once = written_under_a_key(trb, token, "k1");
    let revoked = trb
        .post("/v1/tokens", &json!({"name": "old", "scope": officer}))
        .unwrap()["token"]
        .clone();

    trb.delete("/v1/tokens/old").unwrap();
    let alone = trucks(trb, "22-B", 30);
    let before = epoch(trb, &alone[0]);
    trb.kill();
    spoil_first_page(&trb.dir);

    let spoilt = std::fs::read(trb.dir.join("node.sqlite")).unwrap();
    world.boot("trb");

    // Nobody but the old file had these.
    assert!(
        all_here(trb, &alone) && all_here(trb, &synced),
        "{}",
        alarms(trb)
    );

    assert!(trb.refusals().contains(&"database_set_aside".to_string()));

    let told = alarms(trb);
    assert!(
        told.contains("set-aside") && told.contains("not a database"),
        "{told}"
    );

    let aside = set_aside(trb);
    assert_eq!(aside.len(), 1);
    assert!(aside[0].1.contains(&"why".to_string()), "{aside:?}");

    let kept = std::fs::read(
        trb.dir
            .join("set-aside")
            .join(&aside[0].0)
            .join("node.sqlite"),
    )
    .unwrap();

    assert_eq!(kept[..PAGE], spoilt[..PAGE]);
    // Who may speak, what was said under which key, and who may not any more.
    assert_eq!(written_under_a_key(trb, token, "k1"), once);

    let denied = trb
        .post_as(revoked.as_str().unwrap(), None, "/v1/records", &json!({}))
        .unwrap_err();
    assert_eq!(denied["code"], "unauthorised");

    // The officer's registration came from the hub's own log, which is back, too.
    let later = trucks(trb, "33-C", 5);
    assert_ne!(epoch(trb, &later[0]), before);

    trb.say(
        &later[0],
        "PORT",
        json!({"type": "handed_over", "to": "QAM", "reason": "bridge closed"}),
    )
    .unwrap();

    cable.plug();
    world.settle(&["hub", "trb"]);
    for ids in [&synced, &alone, &later] {
        assert!(all_here(hub, ids) && all_here(trb, ids));
    }

    assert_eq!(hub.get("/v1/sites").unwrap()["forks"], json!([]));

    world.wait("the alarm ends", || is_calm(trb));
    // It stays ended, and what was set aside stays where it is.
    trb.stop();
    world.boot("trb");
    assert!(is_calm(trb), "{}", alarms(trb));
    assert_eq!(set_aside(trb), aside);
}

#[test]
fn what_stands_behind_a_missing_page_comes_back_when_the_hub_has_filled_the_gap() {
    let mut world = World::default();
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("trb", &[("hub", cable.address)]);

    let (trb, hub) = (world.site("trb"), world.site("hub"));
    let synced = trucks(trb, "11-A", 80);
    world.settle(&["hub", "trb"]);
    cable.pull();

    let alone = trucks(trb, "22-B", 80);
    trb.stop();
    zero_a_page(&trb.dir, "11-A-", "22-B-");
    spoil_first_page(&trb.dir);
    world.boot("trb");

    let told = alarms(trb);
    assert!(
        told.contains("positions of this node's own logs are missing"),
        "{told}"
    );
    assert!(
        !all_here(trb, &alone),
        "there is nothing that they could stand on"
    );

    // The site works on meanwhile.
    let later = trucks(trb, "33-C", 5);
    assert!(all_here(trb, &later));

    cable.plug();
    world.wait(
        "what the hub had and what only the old file had are back",
        || all_here(trb, &synced) && all_here(trb, &alone),
    );
    world.settle(&["hub", "trb"]);
    for ids in [&synced, &alone, &later] {
        assert!(all_here(hub, ids));
    }

    world.wait("the alarm ends", || is_calm(trb));
    assert_eq!(hub.get("/v1/sites").unwrap()["forks"], json!([]));
}

#[test]
fn a_database_that_was_deleted_is_filled_from_the_hub_and_from_its_wal() {
    let mut world = World::default();
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("trb", &[("hub", cable.address)]);

    let (trb, hub) = (world.site("trb"), world.site("hub"));
    let synced = trucks(trb, "11-A", 20);
    world.settle(&["hub", "trb"]);

    let before = epoch(trb, &synced[0]);
    cable.pull();
    trb.kill();
    for name in ["node.sqlite", "node.sqlite-wal", "node.sqlite-shm"] {
        let _ = std::fs::remove_file(trb.dir.join(name));
    }

    world.boot("trb");
    // The anchor tells, until everything is held again.
    assert!(
        alarms(trb).contains("acknowledged commits"),
        "{}",
        alarms(trb)
    );

    assert!(set_aside(trb).is_empty());

    let later = trucks(trb, "22-B", 5);
    assert_ne!(epoch(trb, &later[0]), before);

    cable.plug();
    world.wait("the hub brings it back", || all_here(trb, &synced));
    world.settle(&["hub", "trb"]);
    assert!(all_here(hub, &later));

    world.wait("the alarm ends", || is_calm(trb));
    // Once more, but its WAL is left: SQLite would delete that unread.
    cable.pull();
    let alone = trucks(trb, "33-C", 10);
    trb.kill();
    std::fs::remove_file(trb.dir.join("node.sqlite")).unwrap();
    world.boot("trb");
    assert!(all_here(trb, &alone), "{}", alarms(trb));

    let aside = set_aside(trb);
    assert!(
        aside.len() == 1 && aside[0].1.contains(&"node.sqlite-wal".to_string()),
        "{aside:?}"
    );

    cable.plug();
    world.settle(&["hub", "trb"]);
    assert!(all_here(hub, &alone) && all_here(trb, &synced));

    world.wait("the alarm ends", || is_calm(trb));
}

#[test]
fn a_database_that_is_deleted_under_a_running_node_costs_no_record() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let acknowledged = trucks(trb, "22-A", 20);
    for name in ["node.sqlite", "node.sqlite-wal", "node.sqlite-shm"] {
        std::fs::remove_file(trb.dir.join(name)).expect("it is there");
    }

    // Nothing is acknowledged into a file that nobody will find again; the node says so and stops.
    let body = json!({
        "kind": "passage", "officer": "OF-1", "department": "PORT",
        "fields": {"vehicle.plate": "22-A-00099", "direction": "in"},
    });
    let answer = trb.post("/v1/records", &body);
    assert!(answer.is_err(), "it was acknowledged: {answer:?}");
    world.wait("the node has stopped", || trb.has_ended());
    assert_eq!(trb.ended(), Some(4));
    let log = std::fs::read_to_string(trb.dir.join("stderr.log")).expect("a log");
    assert!(log.contains("was moved, deleted or replaced"), "{log}");

    world.boot("trb");
    assert!(all_here(trb, &acknowledged));
    let listed = trb.get("/v1/records?plate=22-A-00099").expect("a list");
    assert_eq!(listed["records"].as_array().map(Vec::len), Some(0));
    trb.truck("22-A-00099");
    let verified = run_json(&trb.dir, &["audit", "verify", "--config", "node.toml"]);
    assert_eq!(verified["damaged"], 0, "{verified}");
}
