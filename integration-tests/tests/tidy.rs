//! The house's table: what a crate must never import.

use std::{collections::BTreeSet, path::Path};

const NEVER: &[(&str, &[&str])] = &[
    ("wadi-log", &["tokio", "sqlx", "quinn", "automerge", "rand"]),
    (
        "wadi-sync",
        &["tokio", "sqlx", "quinn", "automerge", "rand"],
    ),
    ("wadi-record", &["tokio", "sqlx", "quinn", "prost", "rand"]),
    (
        "wadi-reconcile",
        &["tokio", "sqlx", "quinn", "prost", "automerge", "rand"],
    ),
    ("wadi-store", &["quinn", "axum", "automerge"]),
    ("wadi-node", &["quinn", "axum", "sqlx"]),
    ("wadi-net", &["sqlx", "axum", "wadi-record"]),
    (
        "wadi-web",
        &["wadi-store", "sqlx", "quinn", "automerge", "prost"],
    ),
];
/// Lines of a source file at most: what can be read in one sitting.
const FILE_LINES_MAX: usize = 600;
/// Files that are longer, and why. A file that is no longer too long has no place here.
const LONGER_FILES: &[(&str, &str)] = &[
    (
        "crates/wadi-node/src/bundle_export.rs",
        "holds more than one concern, and is still to be parted",
    ),
    (
        "crates/wadi-node/src/commit.rs",
        "holds more than one concern, and is still to be parted",
    ),
    (
        "crates/wadi-node/src/known_time.rs",
        "holds more than one concern, and is still to be parted",
    ),
    (
        "crates/wadi-node/src/node.rs",
        "holds more than one concern, and is still to be parted",
    ),
    (
        "crates/wadi-node/src/reconciler.rs",
        "holds more than one concern, and is still to be parted",
    ),
    (
        "crates/wadi-node/src/resync_run.rs",
        "holds more than one concern, and is still to be parted",
    ),
    (
        "crates/wadi-node/src/room.rs",
        "holds more than one concern, and is still to be parted",
    ),
    (
        "crates/wadi-node/src/salvage.rs",
        "holds more than one concern, and is still to be parted",
    ),
    (
        "crates/wadi-node/src/scrub.rs",
        "holds more than one concern, and is still to be parted",
    ),
];
/// What would let a clock or chance into the pure crates through the standard library.
const PURE: &[&str] = &["wadi-log", "wadi-sync", "wadi-record", "wadi-reconcile"];
const IMPURE: &[&str] = &[
    "SystemTime",
    "Instant::now",
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn dependencies(name: &str) -> BTreeSet<String> {
    let text =
        std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let all = ["dependencies", "build-dependencies"];

    // Building may use what running may not; only what is linked counts.
    all[..1]
        .iter()
        .filter_map(|k| table.get(*k)?.as_table())
        .flat_map(|t| t.keys().cloned())
        .collect()
}

fn sources(dir: &Path, out: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push((
                path.display().to_string(),
                std::fs::read_to_string(&path).unwrap(),
            ));
        }
    }
}

#[test]
fn a_step_down_never_up() {
    for (name, never) in NEVER {
        let found = dependencies(name);
        for forbidden in *never {
            assert!(
                !found
                    .iter()
                    .any(|d| d == forbidden || d.starts_with(&format!("{forbidden}-"))),
                "{name} imports {forbidden}"
            );
        }
    }
}

#[test]
fn the_core_knows_no_clock_disk_or_socket() {
    for name in PURE {
        let mut files = Vec::new();
        sources(&root().join("crates").join(name).join("src"), &mut files);
        for (path, text) in files {
            for word in IMPURE {
                assert!(!text.contains(word), "{path} uses {word}");
            }
        }
    }
}

#[test]
fn automerge_is_named_in_one_file() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    let naming: Vec<&str> = files
        .iter()
        .filter(|(_, t)| t.contains("automerge::"))
        .map(|(p, _)| p.rsplit('/').next().unwrap())
        .collect();

    assert_eq!(naming, ["document.rs"]);
}

#[test]
fn nothing_panics_the_process_away() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(!text.contains("panic = \"abort\""));
}

#[test]
fn every_configuration_key_is_documented() {
    let config = std::fs::read_to_string(root().join("crates/wadi/src/config.rs")).unwrap();
    let docs = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let keys = config
        .split("const KEYS")
        .nth(1)
        .unwrap()
        .split("impl Config")
        .next()
        .unwrap();

    for key in keys.split('"').skip(1).step_by(2) {
        assert!(
            docs.contains(&format!("`{key}`")),
            "{key} is not in docs/configuration.md"
        );
    }
}

#[test]
fn no_source_file_is_too_long_to_read_in_one_sitting() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    sources(&root().join("integration-tests"), &mut files);

    let mut longer = BTreeSet::new();
    for (path, text) in files {
        let path = path.strip_prefix(&format!("{}/", root().display()));
        let path = path.expect("it lies below the root").to_string();
        let lines = text.lines().count();
        if lines <= FILE_LINES_MAX {
            continue;
        }

        let is_excepted = LONGER_FILES.iter().any(|(file, _)| *file == path);
        assert!(is_excepted, "{path} has {lines} lines");
        longer.insert(path);
    }

    for (file, why) in LONGER_FILES {
        assert!(
            longer.contains(*file),
            "{file} is not too long any more ({why}): take it off the list"
        );
    }
}

#[test]
fn every_rule_has_its_page() {
    let pages = std::fs::read_to_string(root().join("docs/rules.md")).unwrap();
    for rule in wadi_reconcile::RULES
        .iter()
        .chain([&wadi_reconcile::RULE_FAILED])
    {
        let title = format!("## {} {}\n", rule.code, rule.name);
        assert!(
            pages.contains(&title),
            "docs/rules.md has no page {title:?}"
        );
    }
}
