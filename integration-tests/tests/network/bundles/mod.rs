//! The stick in the truck: nodes that never meet, and files that are cut, changed, foreign, late,
//! or come twice.

mod persons;
mod refusals;

use integration_tests::{Site, World, run, run_json};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where files lie on their way.
struct Stick(PathBuf);

impl Stick {
    fn new(world: &World) -> Self {
        let dir = world.dir().join("stick");
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().into()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.0.join(name), bytes).unwrap();
        self.file(name)
    }

    /// One node's bundle for another, carried over and taken in.
    fn carry(&self, from: &Site, to: (&str, &Site)) -> Value {
        let file = self.file(&format!("for-{}", to.0));
        export(from, to.0, &file, &[]);
        import(to.1, &[&file])
    }
}

fn export(site: &Site, to: &str, file: &str, more: &[&str]) -> Value {
    run_json(
        &site.dir,
        &[
            &["bundle", "export", "--for", to, "-o", file, "--force"][..],
            more,
        ]
        .concat(),
    )
}

fn import(site: &Site, files: &[&str]) -> Value {
    run_json(&site.dir, &[&["bundle", "import"][..], files].concat())
}

/// A command that may fail: its exit code and its last line.
fn told(dir: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = run(dir, &[&["--json"][..], arguments].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let last = serde_json::from_str(text.lines().last().unwrap_or_default());

    (
        output.status.code().unwrap(),
        last.unwrap_or_else(|e| panic!("{arguments:?}: {e}: {text}{errors}")),
    )
}

fn files(made: &Value) -> Vec<String> {
    made["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["file"].as_str().unwrap().to_string())
        .collect()
}

/// What must not move when nothing new comes.
fn standing(site: &Site) -> Value {
    let status = site.get("/v1/sites").unwrap();
    json!([
        status["entries"],
        status["records"],
        status["refused"],
        status["waiting"],
        status["scopes"]
    ])
}

/// The same, once the hub has looked at what came: what it finds it says on the records.
fn calm(world: &World, site: &Site) -> Value {
    world.wait("the hub has found what there is to find", || {
        let before = standing(site);
        std::thread::sleep(std::time::Duration::from_secs(1));
        standing(site) == before
    });
    standing(site)
}

#[test]
fn a_site_and_a_hub_that_never_meet_agree_by_stick_alone() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[]);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let stick = Stick::new(&world);
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
    let sought = trb.truck("77-B-00042");
    let ids: Vec<String> = (0..40)
        .map(|n| trb.truck(&format!("11-A-{n:05}")))
        .collect();
    assert!(trb.record(&hold).is_err());

    // The truck drives to the hub …
    let (out, receipt, back) = (
        stick.file("trb.wadi"),
        stick.file("hub.receipt"),
        stick.file("hub.wadi"),
    );

    let made = export(trb, "HUB", &out, &[]);
    assert_eq!((&made["parts"], &made["left_out"]), (&json!(1), &json!([])));

    let taken = run_json(
        &hub.dir,
        &["bundle", "import", &out, "--receipt-out", &receipt],
    );
    assert_eq!(
        (&taken["taken"], &taken["waits"]),
        (&made["entries"], &json!(0)),
        "{taken}"
    );

    for id in &ids {
        assert_eq!(hub.record(id).unwrap()["state"], "ADMITTED");
    }

    assert_eq!(
        trb.record(&ids[0]).unwrap()["safety"],
        "local_only",
        "nobody has told the site yet"
    );

    // … and back.
    export(hub, "trb", &back, &[]);
    let taken = import(trb, &[&back]);
    assert!(taken["cosignatures"].as_u64().unwrap() > 0, "{taken}");

    for id in &ids {
        assert_eq!(trb.record(id).unwrap()["safety"], "at_hub");
    }

    assert_eq!(trb.get("/v1/sites").unwrap()["unsent"], 0);
    assert!(
        trb.get("/v1/sites").unwrap()["hub_time_s"]
            .as_i64()
            .unwrap()
            > 0
    );

    assert!(trb.record(&hold).is_ok(), "the hub's hold is at the site");

    let record = trb.record(&sought).unwrap();
    assert!(
        record["flags"]
            .as_array()
            .unwrap()
            .contains(&json!("DETAINED")),
        "{record}"
    );

    // With the receipt only what is new goes in.
    let late = trb.truck("22-B-00001");
    let more = export(trb, "hub", &out, &["--since-receipt", &receipt]);
    let new = more["entries"].as_u64().unwrap();
    assert!((1..10).contains(&new), "{more}");
    assert_eq!(import(hub, &[&out])["taken"], new);
    assert!(hub.record(&late).is_ok());

    // Whatever the hub finds meanwhile: a few more drives, and both hold the same.
    let mut drives = 0;
    let differ = || {
        let status = [hub, trb].map(|s| s.get("/v1/sites").unwrap());
        status[0]["scopes"] != status[1]["scopes"] || status[1]["unsent"] != 0
    };

    while differ() {
        stick.carry(trb, ("hub", hub));
        stick.carry(hub, ("trb", trb));
        drives += 1;
        assert!(drives < 8, "{}\n{}", standing(hub), standing(trb));
    }
}

#[test]
fn parts_come_in_any_order_and_a_missing_one_comes_later() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[]);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let stick = Stick::new(&world);
    let ids: Vec<String> = (0..260)
        .map(|n| trb.truck(&format!("33-C-{n:05}")))
        .collect();
    let made = export(trb, "hub", &stick.file("split"), &["--split", "16384"]);
    let parts = files(&made);
    assert!(parts.len() >= 4, "{made}");
    assert!(
        parts[0].ends_with("split.1") && parts[3].ends_with("split.4"),
        "{parts:?}"
    );
    assert!(
        parts
            .iter()
            .all(|p| std::fs::metadata(p).unwrap().len() <= 16_384),
        "{made}"
    );

    // Backwards, one by one, and the first is missing.
    let mut waited = 0;
    for part in parts[1..].iter().rev() {
        let (code, said) = told(&hub.dir, &["bundle", "import", part]);
        let waits = said["waits"].as_u64().unwrap();
        assert_eq!(code, if waits > 0 { 3 } else { 0 }, "{said}");

        if waits > 0 {
            let gap = &said["files"][0]["waiting"][0];
            assert!(gap["from"].as_u64() > gap["held"].as_u64(), "{said}");
        }

        waited += waits;
    }

    assert!(waited > 0);
    assert!(hub.record(&ids[259]).is_err());
    assert_eq!(
        hub.refusals(),
        Vec::<String>::new(),
        "waiting is no refusal"
    );

    // It is found, and the rest brought once more.
    for part in &parts {
        let said = import(hub, &[part]);
        assert_eq!(
            (&said["waits"], &said["refused"]),
            (&json!(0), &json!(0)),
            "{said}"
        );
    }

    assert!(ids.iter().all(|id| hub.record(id).is_ok()));

    // Everything again, in the wrong order: nothing changes.
    let (before, changed) = (
        calm(&world, hub),
        hub.record(&ids[7]).unwrap()["changed"].clone(),
    );
    let backwards: Vec<&str> = parts.iter().rev().map(String::as_str).collect();
    let again = import(hub, &backwards);
    assert_eq!(
        (&again["taken"], &again["waits"], &again["cosignatures"]),
        (&json!(0), &json!(0), &json!(0))
    );
    assert_eq!(again["already"], made["entries"]);
    assert_eq!(
        (
            standing(hub),
            hub.record(&ids[7]).unwrap()["changed"].clone()
        ),
        (before, changed)
    );

    // For a reader who has nothing, all of them in the wrong order go in at once.
    world.start("hub2", &[]);
    let (hub2, trb) = (world.site("hub2"), world.site("trb"));
    let made = export(trb, "hub2", &stick.file("second"), &["--split", "16384"]);
    let parts = files(&made);
    let backwards: Vec<&str> = parts.iter().rev().map(String::as_str).collect();
    let said = import(hub2, &backwards);
    assert_eq!(
        (&said["taken"], &said["waits"]),
        (&made["entries"], &json!(0)),
        "{said}"
    );

    assert!(ids.iter().all(|id| hub2.record(id).is_ok()));
}

#[test]
fn a_receipt_tells_what_is_safe_and_only_its_own_makers_word_counts() {
    let mut world = World::default();
    for name in ["hub", "hub2", "trb", "qam"] {
        world.start(name, &[]);
    }

    let [hub, hub2, trb, qam] = ["hub", "hub2", "trb", "qam"].map(|n| world.site(n));
    let stick = Stick::new(&world);
    let id = trb.truck("55-E-00001");
    qam.truck("55-E-00002");
    stick.carry(qam, ("hub", hub));
    stick.carry(trb, ("hub2", hub2));
    stick.carry(trb, ("hub", hub));

    let receipt = |by: &Site, name: &str, more: &[&str]| {
        let file = stick.file(name);
        run_json(
            &by.dir,
            &[&["bundle", "receipt", "-o", &file][..], more].concat(),
        );
        file
    };

    // The last bundle was Traibeel's: the receipt is for it.
    let good = receipt(hub, "hub-trb", &[]);
    let of_hub2 = receipt(hub2, "hub2-trb", &["--for", "trb"]);
    let for_qam = receipt(hub, "hub-qam", &["--for", "qam"]);
    let text = std::fs::read_to_string(&good).unwrap();
    let changed = stick.write(
        "changed",
        text.replacen("\"made_s\":1", "\"made_s\":2", 1).as_bytes(),
    );

    let later = stick.write(
        "later",
        text.replacen("wadi.receipt/v1", "wadi.receipt/v2", 1)
            .as_bytes(),
    );

    let cut = stick.write("cut", &text.as_bytes()[..text.len() / 2]);
    for (file, code, exit) in [
        (&of_hub2, "receipt_not_theirs", 1),
        (&for_qam, "receipt_not_for_me", 1),
        (&changed, "receipt_changed", 4),
        (&later, "receipt_version", 1),
        (&cut, "receipt_unreadable", 1),
    ] {
        let arguments = [
            "bundle",
            "export",
            "--for",
            "hub",
            "-o",
            &stick.file("none"),
            "--since-receipt",
            file,
        ];

        let (found, said) = told(&trb.dir, &arguments);
        assert_eq!((found, &said["error"]), (exit, &json!(code)), "{said}");
        assert!(!stick.0.join("none").exists());
        assert_eq!(
            trb.record(&id).unwrap()["safety"],
            "local_only",
            "a receipt that is refused tells nothing"
        );
    }

    let made = export(trb, "hub", &stick.file("rest"), &["--since-receipt", &good]);
    assert_eq!(made["entries"], 0, "it holds all of it: {made}");
    assert_eq!(trb.record(&id).unwrap()["safety"], "at_hub");
    assert_eq!(trb.get("/v1/sites").unwrap()["unsent"], 0);
    assert_eq!(import(hub, &[&stick.file("rest")])["taken"], 0);
}

#[test]
fn what_a_neighbour_carries_travels_in_its_bundle_and_the_receipt_frees_it() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[]);
    world.start("qam", &[("trb", world.site("trb").listen)]);

    let (hub, trb, qam) = (world.site("hub"), world.site("trb"), world.site("qam"));
    let stick = Stick::new(&world);
    let ids: Vec<String> = (0..30)
        .map(|n| qam.truck(&format!("66-F-{n:05}")))
        .collect();

    world.wait("the hub hears Al-Qaem out of Traibeel's bundles", || {
        stick.carry(trb, ("hub", hub));
        ids.iter().all(|id| hub.record(id).is_ok())
    });
    assert!(trb.record(&ids[0]).is_err(), "carried, not read");

    let shown = run_json(&stick.0, &["bundle", "show", &stick.file("for-hub")]);
    assert!(
        shown["logs"]
            .as_array()
            .unwrap()
            .iter()
            .any(|l| l["carried"] == true),
        "{shown}"
    );

    assert!(
        trb.get("/v1/sites").unwrap()["carried_bytes"]
            .as_u64()
            .unwrap()
            > 0,
        "nothing is deleted by an export"
    );

    let receipt = stick.file("receipt");
    run_json(&hub.dir, &["bundle", "receipt", "-o", &receipt]);
    let made = export(
        trb,
        "hub",
        &stick.file("rest"),
        &["--since-receipt", &receipt],
    );

    assert_eq!(made["left_out"], json!([]));

    world.wait("what was carried is dropped", || {
        trb.get("/v1/sites").unwrap()["carried_bytes"] == 0
    });
    world.wait("Al-Qaem knows", || {
        ids.iter()
            .all(|id| qam.record(id).unwrap()["safety"] == "at_hub")
    });
}

#[test]
fn a_handed_over_record_follows_its_truck_on_the_stick() {
    let mut world = World::default();
    for name in ["hub", "trb", "qam"] {
        world.start(name, &[]);
    }

    let (hub, trb, qam) = (world.site("hub"), world.site("trb"), world.site("qam"));
    let stick = Stick::new(&world);
    hub.post(
        "/v1/control",
        &json!({"say": "officer", "officer": "OF-1", "department": "PORT"}),
    )
    .unwrap();

    for to in [("trb", trb), ("qam", qam)] {
        stick.carry(hub, to);
    }

    let id = trb.truck("88-G-00001");
    trb.say(
        &id,
        "PORT",
        json!({"type": "handed_over", "to": "QAM", "reason": "bridge closed"}),
    )
    .unwrap();

    let other = trb.truck("88-G-00002");
    stick.carry(trb, ("hub", hub));
    let taken = stick.carry(hub, ("qam", qam));
    assert!(taken["excerpts"].as_u64().unwrap() >= 2, "{taken}");
    assert!(
        qam.record(&other).is_err(),
        "what was not handed over stays where it was born"
    );

    let before = (standing(qam), qam.record(&id).unwrap()["changed"].clone());
    let again = import(qam, &[&stick.file("for-qam")]);
    assert_eq!(
        (&again["taken"], &again["excerpts"]),
        (&json!(0), &json!(0)),
        "{again}"
    );

    assert_eq!(
        (standing(qam), qam.record(&id).unwrap()["changed"].clone()),
        before
    );

    qam.say(
        &id,
        "PORT",
        json!({"type": "gate.out", "gate": "G9", "read": "R9"}),
    )
    .unwrap();

    stick.carry(qam, ("hub", hub));
    stick.carry(hub, ("trb", trb));

    for site in [hub, trb] {
        assert_eq!(site.record(&id).unwrap()["state"], "EXITED");
    }
}
