//! A tester who tries whatever the description allows, and what it does not.

use super::{assert_succeeds, python, scripts};
use integration_tests::{Site, World};
use std::{path::Path, process::Command};

/// Whatever the description allows, and what it does not: tried by schemathesis from a seed.
#[test]
fn a_tester_who_tries_whatever_is_described_finds_nothing() {
    let Some(python) = python() else { return };
    let seed = std::env::var("WADI_SEED").unwrap_or_else(|_| "20261126".into());
    let examples = match std::env::var("WADI_LONG").as_deref() {
        Ok("1") => "200",
        _ => "10",
    };

    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world.site("trb").truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    // Both at once: whoever tries them is one process on one core.
    std::thread::scope(|scope| {
        for name in ["hub", "trb"] {
            let (site, dir) = (world.site(name), world.dir());
            let (python, seed) = (&python, &seed);
            scope.spawn(move || try_whatever_is_described(site, dir, python, seed, examples));
        }
    });
}

fn try_whatever_is_described(site: &Site, dir: &Path, python: &Path, seed: &str, examples: &str) {
    let tried = Command::new(python.with_file_name("schemathesis"))
        .current_dir(dir)
        .env("SCHEMATHESIS_HOOKS", scripts().join("hooks.py"))
        .args(["run", &format!("{}/openapi.json", site.url()), "--no-color"])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", site.token()),
        ])
        .args(["--seed", seed, "--max-examples", examples])
        .args(["--phases", "examples,coverage,fuzzing"])
        // Their answers are streams that do not end, and whoever tries them waits for an end.
        // What they refuse is told in `api.rs` and `front_door.rs`.
        .args(["--exclude-path", "/v1/changes"])
        .args(["--exclude-path", "/v1/live"])
        // It asks that whatever a schema allows is accepted. What a value means is in the tables
        // of fields, events and members, a cursor is one that was given, and a record's id has a
        // check character: more than a schema can say. All other checks are made.
        .args(["--exclude-checks", "positive_data_acceptance"])
        .output()
        .expect("schemathesis runs");

    println!("seed {seed} at {}", site.url());
    assert_succeeds(&tried);
    assert_eq!(site.get("/readyz").expect("it is up")["status"], "ready");
}
