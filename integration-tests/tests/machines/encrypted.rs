//! Disks that are carried off: nodes that encrypt their databases, told to real processes. What was
//! recorded lies nowhere on the disk in clear; with the key everything is as it was, and without it
//! nothing starts.

use integration_tests::{Site, World, issue_papers, run, run_json, wadi};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use wadi_store::TemporaryServer;

const HASH: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";
/// What was recorded: a truck's plate as it was read and as it is looked for, who sat in it, what
/// somebody looks out for, the officer, and how records begin as JSON.
const RECORDED: [&str; 7] = [
    "77-B-00042",
    "77B00042",
    HASH,
    "88B00777",
    "order 12",
    "OF-SECRET",
    r#""fields":{"#,
];
const ENCRYPTED: &str = "database_encrypted = true";

/// Papers of a node of this story's own: they get a key.
fn own_papers(papers: &Path, name: &str) -> PathBuf {
    papers.join("certs/nodes").join(name)
}

/// A command that has to fail: its code.
fn refused(dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, &[&["--json"], arguments].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last: Value =
        serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default();
    assert!(
        !output.status.success(),
        "{arguments:?} did not fail: {text}"
    );
    last["error"].as_str().unwrap_or_default().into()
}

/// A bus with a traveller, and a hold whose note names another plate; their ids.
fn record_both(site: &Site) -> [String; 2] {
    let bus = json!({
        "kind": "passage", "officer": "OF-SECRET", "department": "PORT",
        "fields": {
            "direction": "in",
            "vehicle.plate_raw": "77-B-00042",
            "vehicle.plate": "77B00042",
            "person.1.document_hash": HASH,
        },
    });
    let hold = json!({
        "kind": "hold", "officer": "OF-SECRET", "department": "SEC",
        "fields": {"type": "SECURITY", "legal_basis": "order 12", "note": "for 88B00777"},
    });

    [bus, hold].map(|body| {
        let written = site.post("/v1/records", &body).expect("written");
        written["record"].as_str().expect("an id").to_string()
    })
}

/// Everything that a node recorded is there, and is found.
fn all_is_there(site: &Site, [bus, hold]: &[String; 2]) {
    let fields = |id: &str| site.record(id).expect("the record")["fields"].clone();
    assert_eq!(fields(bus)["vehicle.plate_raw"], "77-B-00042");
    assert_eq!(fields(bus)["person.1.document_hash"], HASH);
    assert_eq!(fields(hold)["legal_basis"], "order 12");

    let found = site.get("/v1/records?q=77B00042").expect("a list");
    let found = found["records"].as_array().expect("records");
    let ids: Vec<&Value> = found.iter().map(|record| &record["record"]).collect();
    assert_eq!(ids, [&json!(bus)]);
}

/// Which of the texts stand anywhere in the files of a node's data, its log apart, and in which.
fn told_below(dir: &Path) -> Vec<String> {
    let mut told = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            told.extend(told_below(&path));
            continue;
        }

        let bytes = std::fs::read(&path).unwrap_or_default();
        let raw_hash = [0xcd; 32];
        let texts = RECORDED.map(str::as_bytes);
        let all = texts.iter().copied().chain([&raw_hash[..]]);
        let found = all.filter(|text| bytes.windows(text.len()).any(|w| w == *text));
        told.extend(
            found.map(|text| format!("{} in {}", String::from_utf8_lossy(text), path.display())),
        );
    }

    told
}

/// The state of a site's database while it runs, stopped, set aside and backed up.
fn told_anywhere(world: &World, name: &str) -> Vec<String> {
    let site = world.site(name);
    let mut told = told_below(&site.dir);
    let copies = world.dir().join(format!("{name}-copies"));
    std::fs::create_dir(&copies).unwrap();
    let made = run_json(&site.dir, &["backup", "-o", copies.to_str().unwrap()]);
    let file = made["file"].as_str().unwrap();
    run_json(&site.dir, &["backup", "verify", file]);
    told.extend(told_below(&copies));

    site.stop();
    told.extend(told_below(&site.dir));
    std::fs::write(site.dir.join("rebuild"), "found damaged\n").unwrap();
    world.boot(name);
    assert!(site.dir.join("set-aside").exists());
    told.extend(told_below(&site.dir));
    told
}

#[test]
fn a_captured_disk_of_a_node_that_encrypts_tells_neither_trucks_nor_people() {
    let papers = issue_papers();
    let papers = papers.path();
    let mut world = World::default();
    world.start_with("hub", &own_papers(papers, "hub"), &[]);
    let hub = world.site("hub").listen;

    // A site that does not encrypt tells it all: the test can fail.
    world.prepare_with("rab", &own_papers(papers, "rab"), Some(hub), "");
    world.boot("rab");
    let rab = world.site("rab");
    let records = record_both(rab);
    world.settle(&["hub", "rab"]);
    let told = told_anywhere(&world, "rab");
    for text in RECORDED {
        assert!(
            told.iter().any(|line| line.starts_with(text)),
            "{text} in {told:#?}"
        );
    }
    world.wait("it has read back what was set aside", || {
        rab.record(&records[0]).is_ok()
    });

    let trb_papers = own_papers(papers, "trb");
    world.prepare_with("trb", &trb_papers, Some(hub), ENCRYPTED);
    let trb = world.site("trb");
    assert_eq!(refused(&trb.dir, &["node", "run"]), "store_key_missing");
    let made = run_json(&trb.dir, &["node", "encrypt"]);
    assert_eq!(
        (&made["key_made"], &made["changed"]),
        (&json!(true), &json!(false))
    );

    world.boot("trb");
    let records = record_both(trb);
    all_is_there(trb, &records);
    world.settle(&["hub", "rab", "trb"]);
    assert_eq!(told_anywhere(&world, "trb"), Vec::<String>::new());

    // It reads back what was set aside, agrees with its hub, and reads the same after a new start.
    world.wait("it has read that back", || trb.record(&records[0]).is_ok());
    world.settle(&["hub", "rab", "trb"]);
    all_is_there(trb, &records);
    trb.stop();
    let checked = run_json(&trb.dir, &["node", "check"]);
    assert_eq!(checked["database_encrypted"], true);
    let verified = run_json(&trb.dir, &["audit", "verify", "--config", "node.toml"]);
    assert_eq!(verified["damaged"], 0, "{verified}");
    world.boot("trb");
    all_is_there(trb, &records);
    trb.stop();

    // Without its key, or with another, it does not start, and says why.
    let key = trb_papers.join("store.key");
    let right = std::fs::read_to_string(&key).unwrap();
    assert_eq!(right.trim().len(), 128);
    std::fs::remove_file(&key).unwrap();
    assert_eq!(refused(&trb.dir, &["node", "run"]), "store_key_missing");
    assert_eq!(refused(&trb.dir, &["node", "encrypt"]), "store_key_missing");
    assert!(
        !key.exists(),
        "no new key is made for what an old one closed"
    );
    std::fs::write(&key, "ab".repeat(64)).unwrap();
    assert_eq!(refused(&trb.dir, &["node", "run"]), "store_key_wrong");
    std::fs::write(&key, "no key").unwrap();
    assert_eq!(refused(&trb.dir, &["node", "run"]), "unreadable_papers");

    // With its key and without the word for it, neither: nothing is written in clear by mistake.
    std::fs::write(&key, right).unwrap();
    let config = std::fs::read_to_string(trb.dir.join("node.toml")).unwrap();
    let without = config.replace(ENCRYPTED, "");
    std::fs::write(trb.dir.join("node.toml"), without).unwrap();
    assert_eq!(refused(&trb.dir, &["node", "run"]), "database_encrypted");
    std::fs::write(trb.dir.join("node.toml"), config).unwrap();
    world.boot("trb");
    all_is_there(trb, &records);
}

#[test]
fn the_key_is_sealed_with_the_papers_and_opens_by_their_passphrase_alone() {
    let papers = issue_papers();
    let mut world = World::default();
    let trb_papers = own_papers(papers.path(), "trb");
    world.prepare_with("trb", &trb_papers, None, ENCRYPTED);
    let trb = world.site("trb");
    let passphrase = world.dir().join("passphrase");
    std::fs::write(&passphrase, "four words of the depot\n").unwrap();

    let seal = ["node", "seal", "--work-factor", "10", "--passphrase-file"];
    let with = |arguments: &[&str]| {
        let output = Command::new(wadi())
            .current_dir(&trb.dir)
            .args([&["--json"], arguments].concat())
            .env("WADI_PAPERS_PASSPHRASE_FILE", &passphrase)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };

    // Made before the papers are sealed, it is sealed with them; made after, it is so from the
    // beginning.
    for before in [true, false] {
        for name in ["store.key", "store.key.age"] {
            let _ = std::fs::remove_file(trb_papers.join(name));
        }
        if before {
            run_json(&trb.dir, &["node", "encrypt"]);
            assert!(trb_papers.join("store.key").exists());
            let sealed = run_json(
                &trb.dir,
                &[&seal[..], &[passphrase.to_str().unwrap()]].concat(),
            );
            assert_eq!(
                sealed["sealed"].as_array().map(Vec::len),
                Some(3),
                "{sealed}"
            );
        } else {
            assert_eq!(refused(&trb.dir, &["node", "encrypt"]), "papers_sealed");
            let made = with(&["node", "encrypt", "--work-factor", "10"]);
            assert!(made.contains("\"key_made\":true"), "{made}");
        }

        assert!(!trb_papers.join("store.key").exists());
        assert!(trb_papers.join("store.key.age").exists());
        assert_eq!(refused(&trb.dir, &["node", "check"]), "papers_sealed");
        let checked = with(&["node", "check"]);
        assert!(checked.contains("\"node\":\"trb\""), "{checked}");
    }

    let given = (
        "WADI_PAPERS_PASSPHRASE_FILE",
        passphrase.clone().into_os_string(),
    );
    world.launch_with("trb", &[given]);
    world.wait("it is ready", || trb.get("/readyz").is_ok());
    let records = record_both(trb);
    all_is_there(trb, &records);
    assert_eq!(told_below(&trb.dir), Vec::<String>::new());
}

#[test]
fn a_node_that_ran_for_years_encrypts_its_database_however_often_that_is_cut_off() {
    let papers = issue_papers();
    let papers = papers.path();
    let mut world = World::default();
    world.start_with("hub", &own_papers(papers, "hub"), &[]);
    let hub = world.site("hub").listen;
    world.prepare_with("trb", &own_papers(papers, "trb"), Some(hub), "");
    world.boot("trb");
    let trb = world.site("trb");
    let lines = integration_tests::operations(0, 2_000);
    assert_eq!(
        trb.post_text("/v1/imports", &lines).unwrap()["written"],
        2_000
    );
    let records = record_both(trb);
    world.settle(&["hub", "trb"]);
    trb.stop();
    assert!(told_below(&trb.dir).len() >= RECORDED.len());

    assert_eq!(refused(&trb.dir, &["node", "encrypt"]), "bad_configuration");
    let config = std::fs::read_to_string(trb.dir.join("node.toml")).unwrap();
    let encrypted = format!("{ENCRYPTED}\n{config}");
    std::fs::write(trb.dir.join("node.toml"), &encrypted).unwrap();
    assert_eq!(refused(&trb.dir, &["node", "run"]), "store_key_missing");

    // The plug is pulled while the new file is written.
    let (coming, mut cut_off) = (trb.dir.join("node.sqlite.encrypting"), 0);
    for pause in 0..20 {
        let mut child = Command::new(wadi())
            .current_dir(&trb.dir)
            .args(["node", "encrypt"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !coming.exists() && matches!(child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }

        std::thread::sleep(Duration::from_millis(pause * 7));
        let _ = child.kill();
        child.wait().unwrap();
        if coming.exists() {
            cut_off += 1;
            assert_eq!(
                refused(&trb.dir, &["node", "check"]),
                "database_not_encrypted"
            );
        }
    }
    assert!(cut_off > 0, "none was cut off: the test can fail");

    // So does a restore from a backup in clear that was cut off: its half copy goes, too.
    let restoring = trb.dir.join("node.sqlite.restoring");
    std::fs::copy(trb.dir.join("node.sqlite"), &restoring).unwrap();
    run_json(&trb.dir, &["node", "encrypt"]);
    assert!(!coming.exists() && !restoring.exists());
    let told: Vec<String> = told_below(&trb.dir)
        .into_iter()
        .filter(|line| !line.contains("/spool/") && !line.contains("node.toml"))
        .collect();
    assert_eq!(told, Vec::<String>::new());

    std::fs::write(&restoring, "plates in clear").unwrap();
    world.boot("trb");
    assert!(!restoring.exists());
    all_is_there(trb, &records);
    world.settle(&["hub", "trb"]);
    trb.stop();

    // A backup of it is restored by the key, and back in clear it is all there.
    let copies = world.dir().join("copies");
    std::fs::create_dir(&copies).unwrap();
    let made = run_json(&trb.dir, &["backup", "-o", copies.to_str().unwrap()]);
    let file = made["file"].as_str().unwrap();
    std::fs::remove_file(trb.dir.join("node.sqlite")).unwrap();
    run_json(&trb.dir, &["restore", file]);
    world.boot("trb");
    all_is_there(trb, &records);
    trb.stop();

    let kept = trb.dir.join("node.toml");
    assert_eq!(
        refused(&trb.dir, &["node", "encrypt", "--undo"]),
        "bad_configuration"
    );
    std::fs::write(&kept, config).unwrap();
    let undone = run_json(&trb.dir, &["node", "encrypt", "--undo"]);
    assert_eq!(undone["encrypted"], false);
    world.boot("trb");
    all_is_there(trb, &records);
    assert!(told_below(&trb.dir).len() >= RECORDED.len());
}

#[test]
fn a_hub_on_postgres_is_encrypted_backed_up_restored_and_agrees_with_its_sites() {
    let papers = issue_papers();
    let papers = papers.path();
    let mut world = World::default();
    let server = TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    let (url, other) = (
        server.create("wadi").unwrap(),
        server.create("again").unwrap(),
    );
    let database = format!("database = {url:?}");
    world.prepare_with("hub", &own_papers(papers, "hub"), None, &database);
    world.boot("hub");
    let listen = world.site("hub").listen;
    world.start_with("trb", &own_papers(papers, "trb"), &[("hub", listen)]);
    let hub = world.site("hub");
    let trb = world.site("trb");
    let records = record_both(trb);
    world.settle(&["hub", "trb"]);
    hub.stop();

    let config = std::fs::read_to_string(hub.dir.join("node.toml")).unwrap();
    let config = format!("{ENCRYPTED}\n{config}");
    std::fs::write(hub.dir.join("node.toml"), &config).unwrap();
    assert_eq!(refused(&hub.dir, &["node", "run"]), "store_key_missing");
    let done = run_json(&hub.dir, &["node", "encrypt"]);
    assert_eq!(
        (&done["changed"], &done["key_made"]),
        (&json!(true), &json!(true))
    );
    world.boot("hub");
    all_is_there(hub, &records);
    trb.truck("11-A-00099");
    world.settle(&["hub", "trb"]);

    let copies = world.dir().join("copies");
    std::fs::create_dir(&copies).unwrap();
    let made = run_json(&hub.dir, &["backup", "-o", copies.to_str().unwrap()]);
    let file = made["file"].as_str().unwrap();
    assert!(run_json(&hub.dir, &["backup", "verify", file])["valid"] == true);
    assert_eq!(told_below(&copies), Vec::<String>::new());
    hub.stop();

    std::fs::write(hub.dir.join("node.toml"), config.replace(&url, &other)).unwrap();
    run_json(&hub.dir, &["restore", file]);
    world.boot("hub");
    all_is_there(hub, &records);
    world.settle(&["hub", "trb"]);
}

#[test]
fn a_check_finds_what_a_start_would_end_at() {
    let mut world = World::default();
    world.prepare("trb", &[], "database_encrypted = true");
    let trb = world.site("trb");
    let checked = || {
        let output = run(&trb.dir, &["--json", "node", "check"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text)
    };

    let (exit, told) = checked();
    assert!(
        exit == Some(2) && told.contains("store_key_missing"),
        "{told}"
    );

    let file = trb.dir.join("node.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let plain = text.replace("database_encrypted = true", "");
    for wrong in ["info,wadi_web=verbose", "nonsense=;x"] {
        std::fs::write(&file, format!("log = {wrong:?}\n{plain}")).unwrap();
        let (exit, told) = checked();
        assert!(
            exit == Some(2) && told.contains("bad_configuration"),
            "{wrong}: {told}"
        );
    }

    std::fs::write(&file, plain).unwrap();
    assert_eq!(checked().0, Some(0));
    for (name, is_dir) in [("log", false), ("lock", true), ("operator.token", true)] {
        let path = trb.dir.join(name);
        let made = match is_dir {
            true => std::fs::create_dir(&path),
            false => std::fs::write(&path, ""),
        };
        made.unwrap();
        let (exit, told) = checked();
        assert!(
            exit == Some(2) && told.contains("unwritable"),
            "{name}: {told}"
        );
        let removed = match is_dir {
            true => std::fs::remove_dir(&path),
            false => std::fs::remove_file(&path),
        };
        removed.unwrap();
    }
}
