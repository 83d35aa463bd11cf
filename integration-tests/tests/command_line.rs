//! What the command line shows people, as files to look through: the help of every command, and
//! some tables.
//!
//! They lie in `integration-tests/snapshots`. Where what is shown changes on purpose, renew them
//! and look at the difference before it is committed:
//!
//! ```text
//! cargo build --workspace && SNAPSHOTS=overwrite cargo test --workspace --test command_line
//! ```

use integration_tests::{World, papers, run, wadi};
use serde_json::{Value, json};
use snapbox::{Assert, Data, assert::Action};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const RENEW: &str = "where that is meant, renew the files: cargo build --workspace && \
    SNAPSHOTS=overwrite cargo test --workspace --test command_line";

fn snapshots() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots")
}

/// Holds a text against its file.
fn hold(file: &Path, text: &str) {
    let assert = Assert::new().action_env("SNAPSHOTS");
    if assert.selected_action() == Action::Overwrite {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        // Written here: the file is what is shown, to the byte, and no pattern of it.
        std::fs::write(file, text).unwrap();
        return;
    }

    let name = file
        .strip_prefix(snapshots())
        .unwrap()
        .display()
        .to_string();
    let Ok(expected) = std::fs::read_to_string(file) else {
        panic!("there is no {name}; {RENEW}");
    };

    let expected = Data::text(expected).raw();
    let outcome = assert.try_eq(Some(&name), Data::text(text.to_string()).raw(), expected);
    if let Err(difference) = outcome {
        panic!("{difference}\n{RENEW}");
    }
}

/// A command's help, as wide as on a terminal of 100 columns.
fn help(command: &[String]) -> String {
    let output = Command::new(wadi())
        .args(command)
        .arg("--help")
        .env("COLUMNS", "100")
        .env_remove("WADI_TOKEN")
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands below one, as its help lists them.
fn below(help: &str) -> Vec<String> {
    let list = help.split("\nCommands:\n").nth(1).unwrap_or_default();
    list.lines()
        .take_while(|line| !line.is_empty())
        // What is indented further goes on with the line before.
        .filter_map(|line| line.strip_prefix("  ").filter(|l| !l.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(String::from)
        .collect()
}

/// Walks the tree of commands; the files that belong to it.
fn walk(command: &mut Vec<String>, files: &mut BTreeSet<String>) {
    let help = help(command);
    let name = format!(
        "{}.txt",
        [&["wadi".to_string()], &command[..]].concat().join("-")
    );
    hold(&snapshots().join("help").join(&name), &help);
    files.insert(name);

    for next in below(&help) {
        command.push(next);
        walk(command, files);
        command.pop();
    }
}

#[test]
fn help_is_as_it_was() {
    let mut files = BTreeSet::new();
    walk(&mut Vec::new(), &mut files);
    assert!(files.len() > 40, "few commands were found: {files:?}");

    let found = std::fs::read_dir(snapshots().join("help")).unwrap();
    for file in found {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(
            files.contains(&name),
            "snapshots/help/{name} is of a command that is no more: delete it"
        );
    }
}

/// Puts a word of the same length in the place of what each run draws anew.
fn steady(text: &str, drawn: &[(&str, char)]) -> String {
    let mut out = text.to_string();
    for (drawn, letter) in drawn {
        out = out.replace(drawn, &letter.to_string().repeat(drawn.chars().count()));
    }
    out
}

fn shown(dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn tables_are_as_they_were() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub").listen;
    world.start("trb", &[("hub", hub)]);
    let trb = world.site("trb");

    let truck = trb.truck("11-A-12345");
    let hold_of_cargo = json!({
        "kind": "hold", "officer": "OF-2", "department": "VET",
        "fields": {"type": "VETERINARY", "legal_basis": "Law 76/2012"},
        "events": [
            {"type": "hold.placed", "type_of_hold": "VETERINARY", "legal_basis": "Law 76/2012"},
            {"type": "link", "record": truck, "why": "cargo"},
        ],
    });
    let answer = trb.post("/v1/records", &hold_of_cargo).unwrap();
    let hold_id = answer["id"].as_str().unwrap();
    let safe = |id: &str| trb.record(id).unwrap()["safety"] == "at_hub";
    world.settle(&["hub", "trb"]);
    world.wait("the hub has everything", || safe(&truck) && safe(hold_id));

    let ids = [(truck.as_str(), 'P'), (hold_id, 'H')];
    let list = steady(&shown(&trb.dir, &["record", "list"]), &ids);
    hold(&snapshots().join("tables/record-list.txt"), &list);

    let dir = papers();
    let certs: Value = integration_tests::run_json(dir, &["pki", "list", "--dir", "certs"]);
    let nodes: Vec<String> = certs["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|node| node["node"].as_str().map(String::from))
        .collect();
    let nodes: Vec<(&str, char)> = nodes.iter().map(|n| (n.as_str(), 'N')).collect();
    let list = steady(&shown(dir, &["pki", "list", "--dir", "certs"]), &nodes);
    hold(&snapshots().join("tables/pki-list.txt"), &list);

    let empty = shown(&world.site("trb").dir, &["findings", "list"]);
    hold(&snapshots().join("tables/findings-list-empty.txt"), &empty);
}

/// Every command that ends by itself, as a daemon's directory lets it be tried.
const TRIED: &[&[&str]] = &[
    &["status"],
    &["record", "list"],
    &["findings", "list"],
    &["policy", "show"],
    &["officers"],
    &["members"],
    &["schema"],
    &["token", "list"],
    &["resync", "status"],
    &["audit", "quarantine"],
    &["audit", "verify", "--config", "node.toml"],
    &["export"],
    &["node", "check"],
    &["import", "/dev/null"],
    &["record", "show", "nothing"],
    &["release-token", "list"],
    &["nonsense"],
];

#[test]
fn output_fits_its_reader_who_may_go_at_any_time_and_a_full_disk_is_told() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub");
    hub.truck("11-A-00001");

    for command in TRIED {
        for json in [&[][..], &["--json"]] {
            let mut tried = Command::new(integration_tests::wadi());
            tried.current_dir(&hub.dir).args(*command).args(json);
            tried.stdin(Stdio::null()).stderr(Stdio::piped());

            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let gone = tried.stdout(writer).output().unwrap();
            let told = String::from_utf8_lossy(&gone.stderr).into_owned();
            assert!(gone.status.code().is_some(), "{command:?} {gone:?}");
            assert!(!told.contains("panicked"), "{command:?} {told}");
        }
    }

    for columns in ["30", "80"] {
        for command in [&["schema"][..], &["members"], &["record", "list"]] {
            let mut tried = Command::new(integration_tests::wadi());
            tried
                .current_dir(&hub.dir)
                .args(command)
                .env("COLUMNS", columns);
            let printed = tried.stdin(Stdio::null()).output().unwrap().stdout;
            let widest = String::from_utf8(printed).unwrap();
            let widest = widest.lines().max_by_key(|line| line.chars().count());
            let widest = widest.unwrap_or_default();
            let fits = widest.chars().count() <= columns.parse().unwrap();
            assert!(fits, "{command:?} in {columns} columns: {widest}");
        }
    }

    for command in [&["schema"][..], &["policy", "show", "--json"], &["status"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
        let mut tried = Command::new(integration_tests::wadi());
        tried
            .current_dir(&hub.dir)
            .args(command)
            .stdin(Stdio::null());
        let lost = tried.stdout(full.unwrap()).output().unwrap();
        let told = String::from_utf8_lossy(&lost.stderr).into_owned();
        assert_eq!(lost.status.code(), Some(1), "{command:?} {told}");
        assert!(told.contains("[unwritable]"), "{command:?} {told}");
    }
}
