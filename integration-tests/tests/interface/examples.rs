//! The examples of the HTTP API run as they are, against a site and its hub.

use integration_tests::{PATIENCE, Site, World};
use serde_json::{Value, json};
use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

/// A crossing whose hub has registered the officers that the examples speak as.
fn world() -> World {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let officers = [
        ("TRB-gate-1", "PORT"),
        ("TRB-vet-1", "VET"),
        ("TRB-vet-2", "VET"),
    ];
    for (officer, department) in officers {
        let said = json!({"say": "officer", "officer": officer, "department": department,
            "crossing": "TRB", "supervisor": false});
        world.site("hub").post("/v1/control", &said).unwrap();
    }

    world.settle(&["hub", "trb"]);
    world
}

/// Runs an example on a node's directory.
fn run(example: &str, site: &Site, arguments: &[&str]) -> Output {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let output = Command::new(path.join(example))
        .arg(&site.dir)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    output.expect("the example runs")
}

/// Its standard output, of an example that has to succeed.
fn told(example: &str, site: &Site, arguments: &[&str]) -> String {
    let output = run(example, site, arguments);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{example} (within {PATIENCE:?}):\n{out}\n{err}"
    );
    out
}

/// All records of a node, by kind and state.
fn states(site: &Site) -> Vec<(String, String)> {
    let page = site.get("/v1/records").unwrap();
    let text = |record: &Value, member: &str| record[member].as_str().unwrap().to_string();
    let mut states: Vec<_> = page["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| (text(record, "kind"), text(record, "state")))
        .collect();

    states.sort();
    states
}

fn one_truck_through(site: &Site, times: usize) {
    let of = |kind: &str, state: &str| (kind.to_string(), state.to_string());
    let mut wanted = vec![of("hold", "RELEASED"); times];
    wanted.extend(vec![of("passage", "EXITED"); times]);
    assert_eq!(states(site), wanted);
}

#[test]
fn the_examples_bring_a_truck_through_a_crossing() {
    let world = world();
    let trb = world.site("trb");

    let out = told("curl.sh", trb, &[]);
    one_truck_through(trb, 1);
    assert!(out.contains("\n2 records exported\n"), "{out}");
    assert!(
        out.contains("\"flags\":[\"DETAINED\"]"),
        "the truck was not detained while its cargo was held: {out}"
    );

    let file = world.dir().join("records.ndjson");
    let out = told(
        "python_client.py",
        trb,
        &["--export", file.to_str().unwrap()],
    );
    one_truck_through(trb, 2);
    assert!(out.contains("did you mean \"gate.in\"?"), "{out}");

    let exported = std::fs::read_to_string(file).unwrap();
    let mut ids: Vec<String> = exported
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "{exported}");
}

#[test]
fn an_example_ends_where_a_write_is_refused() {
    let mut world = World::default();
    // Without a hub nobody is registered: no release.
    world.start("trb", &[]);
    let trb = world.site("trb");

    for example in ["curl.sh", "python_client.py"] {
        let output = run(example, trb, &[]);
        assert!(!output.status.success(), "{example}");
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert!(told.contains("unregistered_officer"), "{example}: {told}");
    }
}

/// What benches import is taken in as it is, strange lines among it: scales and papers err.
#[test]
fn the_common_workload_is_taken_in_whole() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let dir = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/workload.py");
    let made = Command::new("python3")
        .arg(script)
        .args(["--n", "400", "--site-ops", "200", "--hub-ops", "40"])
        .args(["--overlap", "4", "--seed", "11", "--out"])
        .arg(dir.path())
        .output()
        .expect("python3 runs");
    let why = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{why}");

    for name in ["base", "site_ops", "hub_ops"] {
        let lines = std::fs::read_to_string(dir.path().join(format!("{name}.jsonl"))).unwrap();
        let answer = trb.post_text("/v1/imports", &lines).unwrap();
        let bad = answer["bad"].as_u64().unwrap();
        assert_eq!(bad, 0, "{name}: {}", answer["lines"]);
    }
}
