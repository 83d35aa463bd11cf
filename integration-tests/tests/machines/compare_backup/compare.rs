//! Two nodes side by side.

use super::*;
use integration_tests::{Cable, World, run};
use serde_json::{Value, json};
use std::path::Path;

/// What a comparison tells: its lines, its counts, and how it exits.
pub(crate) fn compare_nodes(dir: &Path, arguments: &[&str]) -> (Vec<Value>, Value, i32) {
    let output = run(dir, &[&["--json", "audit", "compare"], arguments].concat());
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut lines: Vec<Value> = out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let counts = lines.pop().unwrap_or_default();

    (lines, counts, output.status.code().unwrap())
}

#[test]
fn two_nodes_in_step_are_equal_and_what_differs_is_told_by_name() {
    let mut world = World::default();
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("trb", &[("hub", cable.address)]);
    world.start("qam", &[("hub", world.site("hub").listen)]);

    let (trb, hub, qam) = (world.site("trb"), world.site("hub"), world.site("qam"));
    let ids: Vec<String> = (0..12)
        .map(|n| trb.truck(&format!("11-A-{n:05}")))
        .collect();

    qam.truck("22-B-00001");
    world.settle(&["hub", "trb", "qam"]);
    let (one, other) = (trb.dir.join("node.toml"), hub.dir.join("node.toml"));
    let live = || compare_nodes(world.dir(), &[text(&one), text(&other)]);
    let (lines, counts, exit) = live();
    assert_eq!(
        (exit, &counts["equal"], lines.len()),
        (0, &json!(true), 0),
        "{counts}"
    );

    // Al-Qaem's passages are not Traibeel's to take.
    assert_eq!(
        (&counts["records_a"], &counts["records_b"]),
        (&json!(12), &json!(12))
    );
    assert_eq!((&counts["a"], &counts["b"]), (&json!("trb"), &json!("hub")));
    assert!(counts["logs"].as_u64().unwrap() >= 3, "{counts}");

    // The same record said more of, and a record more, while the link is down.
    cable.pull();
    trb.set(&ids[3], "note", json!("changed here"), None)
        .unwrap();
    trb.say(
        &ids[4],
        "PORT",
        json!({"type": "gate.out", "gate": "G1", "read": "R1"}),
    )
    .ok();

    let more = trb.truck("33-C-00001");
    let (lines, counts, exit) = live();
    assert_eq!((exit, &counts["equal"]), (3, &json!(false)), "{counts}");
    assert_eq!(
        (&counts["only_a"], &counts["only_b"], &counts["forked"]),
        (&json!(1), &json!(0), &json!(0)),
        "{counts}"
    );

    assert!(
        counts["entries_differ"].as_u64().unwrap() >= 1
            && counts["fields_differ"].as_u64().unwrap() >= 1
    );
    assert!(counts["logs_differ"].as_u64().unwrap() >= 1);

    let about = |record: &str, differs: &str| {
        let found = lines
            .iter()
            .find(|l| l["record"] == record && l["differs"] == differs);
        found
            .unwrap_or_else(|| panic!("no {differs} of {record}: {lines:?}"))
            .clone()
    };

    let note = about(&ids[3], "field");
    assert_eq!(
        (&note["key"], &note["a"], &note["b"]),
        (&json!("note"), &json!("changed here"), &json!(null))
    );
    assert_eq!(about(&ids[3], "entry")["b"], "lacks it");
    assert_eq!(about(&more, "record")["a"], "held");

    let table = run(
        world.dir(),
        &[
            "audit",
            "compare",
            text(&one),
            text(&other),
            "--limit",
            "50",
        ],
    );

    assert_eq!(table.status.code(), Some(3));

    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(
        table.contains("changed here") && table.contains(&more),
        "{table}"
    );

    let few = compare_nodes(world.dir(), &[text(&one), text(&other), "--limit", "1"]);
    assert_eq!((few.0.len(), &few.1["only_a"]), (1, &json!(1)));

    // A data directory against a running node: while its own node runs, and when it lies still.
    let (url, token) = (hub.url(), hub.token());
    let lying = || compare_nodes(&trb.dir, &[".", &url, "--token-b", &token]);
    let (_, beside, exit) = lying();
    assert_eq!(
        (exit, &beside["only_a"], &beside["records_a"]),
        (3, &json!(1), &counts["records_a"]),
        "{beside}"
    );

    assert_eq!(beside["entries_differ"], counts["entries_differ"]);

    cable.plug();
    world.settle(&["hub", "trb", "qam"]);
    let (copy, _) = backup(trb, &world.dir().join("trb.sqlite"));
    trb.stop();

    let (lines, counts, exit) = lying();
    assert_eq!(
        (exit, &counts["equal"]),
        (0, &json!(true)),
        "{counts} {lines:?}"
    );

    let (_, counts, exit) = compare_nodes(&trb.dir, &[".", text(&copy)]);
    assert_eq!((exit, &counts["records_b"]), (0, &json!(13)), "{counts}");

    // Only the operator compares.
    assert_eq!(
        refused(&trb.dir, &["audit", "compare", ".", &url]).0,
        "unauthorised"
    );

    let reader = hub
        .post(
            "/v1/tokens",
            &json!({"name": "screen", "scope": {"is": "reader"}}),
        )
        .unwrap();

    let reader = reader["token"].as_str().unwrap();
    assert_eq!(
        refused(
            &trb.dir,
            &["audit", "compare", ".", &url, "--token-b", reader]
        )
        .0,
        "operator_only"
    );

    assert_eq!(
        refused(&trb.dir, &["audit", "compare", ".", "nowhere"]),
        ("no_database".into(), 2)
    );
}
