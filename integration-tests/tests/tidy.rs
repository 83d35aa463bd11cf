//! The house's tables: what crates never import, which room of `wadi-node` imports which.

#[path = "tidy/defences.rs"]
mod defences;
#[path = "tidy/functions.rs"]
mod functions;
#[path = "tidy/words.rs"]
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

const NEVER: &[(&str, &[&str])] = &[
    ("wadi-log", &["tokio", "sqlx", "quinn", "automerge", "rand"]),
    ("wadi-country", &["tokio", "sqlx", "quinn", "rand"]),
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
    // Links without nodes: nothing of the house, so that whoever has a link may test on it.
    (
        "wadi-lab",
        &[
            "sqlx",
            "axum",
            "wadi-node",
            "wadi-store",
            "wadi-net",
            "wadi-log",
            "wadi-sync",
            "wadi-record",
        ],
    ),
    (
        "wadi-words",
        &[
            "tokio",
            "serde_json",
            "wadi-log",
            "wadi-record",
            "wadi-reconcile",
            "wadi-node",
        ],
    ),
    // A client of the HTTP API: nothing of a node around it.
    (
        "wadi-console",
        &["wadi-node", "wadi-store", "wadi-log", "sqlx", "quinn"],
    ),
    (
        "wadi-web",
        &["wadi-store", "sqlx", "quinn", "automerge", "prost"],
    ),
];
/// Lines of a source file at most: what can be read in one sitting.
const FILE_LINES_MAX: usize = 600;
/// Files that are longer, and why. A file that is no longer too long has no place here.
const LONGER_FILES: &[(&str, &str)] = &[];
/// What would let a clock or chance into the pure crates through the standard library.
const PURE: &[&str] = &[
    "wadi-log",
    "wadi-country",
    "wadi-sync",
    "wadi-record",
    "wadi-reconcile",
];
const IMPURE: &[&str] = &[
    "SystemTime",
    "Instant::now",
    "std::fs",
    "std::net",
    "std::thread",
    "std::env",
];

/// The rooms of `wadi-node` by their floors. A room imports itself and rooms of lower floors, and
/// no other room of its own floor.
const FLOORS: &[&[&str]] = &[
    &["ledger"],
    &["door"],
    &["records"],
    &["api", "bundles", "hub", "links", "pipeline", "upkeep"],
    &["parts"],
    &["lib", "node"],
];
/// Where the tests of whole nodes lie: they look into every room.
const TESTS_ROOM: &str = "tests";

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

/// A page that says which test shows a promise is worth something while that test is there.
#[test]
fn the_tests_that_the_attackers_page_names_are_there() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).unwrap();
    let is_name = |word: &&str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        word.len() > 24 && word.contains('_') && word.chars().all(fits)
    };
    let named: BTreeSet<&str> = page.split('`').filter(is_name).collect();
    assert!(named.len() > 50, "{}", named.len());

    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    sources(&root().join("integration-tests"), &mut files);
    let is_missing = |name: &&&str| {
        let head = format!("fn {name}(");
        !files.iter().any(|(_, text)| text.contains(&head))
    };
    let missing: Vec<&&str> = named.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "no test is called {missing:?}");
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

/// Rust text without its comments, strings and letters in quotes.
fn without_comments_and_strings(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let at = |n: usize| letters.get(n).copied().unwrap_or(' ');
    let mut out = String::new();
    let mut n = 0;

    while n < letters.len() {
        let is_word = n > 0 && (at(n - 1).is_alphanumeric() || at(n - 1) == '_');
        let hashes = letters[n..]
            .iter()
            .skip(1)
            .take_while(|c| **c == '#')
            .count();
        match at(n) {
            '/' if at(n + 1) == '/' => {
                while n < letters.len() && at(n) != '\n' {
                    n += 1;
                }
            }
            '/' if at(n + 1) == '*' => {
                while n < letters.len() && (at(n), at(n + 1)) != ('*', '/') {
                    n += 1;
                }
                n += 2;
            }
            'r' if !is_word && at(n + 1 + hashes) == '"' => {
                n += hashes + 2;
                let ends = |n: usize| at(n) == '"' && (1..=hashes).all(|h| at(n + h) == '#');
                while n < letters.len() && !ends(n) {
                    n += 1;
                }
                n += hashes + 1;
            }
            '"' => {
                n += 1;
                while n < letters.len() && at(n) != '"' {
                    n += if at(n) == '\\' { 2 } else { 1 };
                }
                n += 1;
            }
            // A letter in quotes, and no lifetime.
            '\'' if at(n + 1) == '\\' => {
                n += 3;
                while n < letters.len() && at(n) != '\'' {
                    n += 1;
                }
                n += 1;
            }
            '\'' if at(n + 2) == '\'' => n += 3,
            letter => {
                out.push(letter);
                n += 1;
            }
        }
    }

    out
}

/// What is compiled without tests: modules for tests are left out.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut parts = code.split("#[cfg(test)]");
    out.push_str(parts.next().unwrap_or_default());

    for part in parts {
        let mut depth = 0;
        let end = part.char_indices().find(|(_, letter)| {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            depth == 0 && matches!(letter, '}' | ';')
        });
        out.push_str(&part[end.map_or(part.len(), |(n, _)| n + 1)..]);
    }

    out
}

/// The paths of an import from where it goes on, braces and all; returns what follows it.
fn read_paths<'c>(code: &'c str, before: &str, out: &mut BTreeSet<String>) -> &'c str {
    let code = code.trim_start();
    if let Some(mut rest) = code.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if let Some(after) = rest.strip_prefix('}') {
                return after;
            }
            if rest.is_empty() {
                return rest;
            }
            rest = read_paths(rest, before, out);
        }
    }

    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '*';
    let end = code.find(|c| !is_word(c)).unwrap_or(code.len());
    let (word, rest) = code.split_at(end);
    let path = format!("{before}::{word}");
    if let Some(after) = rest.strip_prefix("::")
        && after.trim_start().starts_with(|c| is_word(c) || c == '{')
    {
        return read_paths(after, &path, out);
    }

    if word.is_empty() {
        // Nothing that an import may have here: it is stepped over.
        let mut letters = rest.chars();
        letters.next();
        return letters.as_str();
    }

    out.insert(path);
    match rest.trim_start().strip_prefix("as ") {
        Some(renamed) => renamed.trim_start_matches(is_word),
        None => rest,
    }
}

/// What a file of a crate names of the crate, from its root on. `module` is where the file lies.
fn named_by(text: &str, module: &[&str]) -> BTreeSet<String> {
    let code = without_tests(&without_comments_and_strings(text));
    let mut out = BTreeSet::new();

    for word in ["crate::", "super::"] {
        for (n, _) in code.match_indices(word) {
            let before = &code[..n];
            let is_start = !before.ends_with(|c: char| c.is_alphanumeric() || "_:$".contains(c));
            if !is_start {
                continue;
            }

            let mut rest = &code[n + word.len()..];
            let mut place = "crate".to_string();
            if word == "super::" {
                let mut up = module.len().saturating_sub(1);
                while let Some(further) = rest.strip_prefix("super::") {
                    rest = further;
                    up = up.saturating_sub(1);
                }
                place = [&["crate"], &module[..up]].concat().join("::");
            }

            read_paths(rest, &place, &mut out);
        }
    }

    out
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Imports between the rooms of a crate that its plan does not allow, each with its file and why.
fn wrong_imports(files: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut leads: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();

    for (file, text) in files {
        let module: Vec<&str> = file
            .trim_end_matches(".rs")
            .trim_end_matches("/mod")
            .split('/')
            .collect();
        let room = module[0];
        if room == TESTS_ROOM || file.ends_with("_tests.rs") {
            continue;
        }

        let Some(own) = floor(room) else {
            wrong.push(format!("{file}: the plan has no room {room}"));
            continue;
        };

        for path in named_by(text, &module) {
            let to = path.split("::").nth(1).unwrap_or_default();
            // What is no room is named at the root, which is above all of them.
            let other = if floor(to).is_some() { to } else { "lib" };
            if other == room || room == "lib" {
                continue;
            }

            leads.entry(room).or_default().insert(other.into());
            let why = match floor(other).cmp(&Some(own)) {
                std::cmp::Ordering::Less => continue,
                std::cmp::Ordering::Equal => "no room imports another of its own floor",
                std::cmp::Ordering::Greater => "that room lies above",
            };
            wrong.push(format!("{file} imports {path}: {why}"));
        }
    }

    for start in leads.keys() {
        let mut reached: BTreeSet<&str> = BTreeSet::new();
        let mut next = vec![*start];
        while let Some(room) = next.pop() {
            let further = leads.get(room).into_iter().flatten();
            next.extend(further.map(String::as_str).filter(|to| reached.insert(to)));
        }

        if reached.contains(start) {
            wrong.push(format!("{start} imports itself in a circle"));
        }
    }

    wrong
}

#[test]
fn a_room_imports_only_what_lies_below_it() {
    let src = root().join("crates/wadi-node/src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let start = format!("{}/", src.display());
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.trim_start_matches(&start), text.as_str()))
        .collect();

    assert!(files.iter().any(|(file, _)| file.starts_with("door/")));
    let wrong = wrong_imports(&files);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How often a file calls a store to commit.
fn commits_of(text: &str) -> usize {
    let code = without_tests(&without_comments_and_strings(text));
    let dense: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    ["store.commit(", "store().commit("]
        .iter()
        .map(|call| dense.matches(call).count())
        .sum()
}

#[test]
fn one_place_of_the_node_hands_batches_to_the_store() {
    let mut files = Vec::new();
    sources(&root().join("crates/wadi-node/src"), &mut files);
    let places: Vec<&str> = files
        .iter()
        .filter(|(path, _)| !path.contains(&format!("src/{TESTS_ROOM}/")))
        .flat_map(|(path, text)| std::iter::repeat_n(path.as_str(), commits_of(text)))
        .collect();

    assert!(
        places.len() == 1 && places[0].ends_with("pipeline/commit.rs"),
        "batches go through the sequencer, or through Door::keep: {places:?}"
    );

    let calls = "fn f() { self\n.store\n.commit(b); door.store().commit(b) } // store.commit(b)";
    assert_eq!(commits_of(calls), 2);
    assert_eq!(
        commits_of("#[cfg(test)] mod tests { fn f() { store.commit(b) } }"),
        0
    );
}

#[test]
fn wrong_imports_are_found_by_file_and_path() {
    let right = [
        ("lib.rs", "mod door; pub use door::Door;"),
        ("ledger/seen.rs", "use std::fmt;"),
        ("door/mod.rs", "use crate::ledger::seen::SeenIndex;"),
        ("door/write.rs", "use super::Door; use crate::door::tasks;"),
        (
            "hub/life.rs",
            r##"
            // use crate::links::Link;
            /* crate::links::Link */
            const TEXT: &str = "crate::links::Link \" crate::api";
            const RAW: &str = r#"crate::links" crate::api"#;
            const QUOTE: char = '"';
            fn of<'a>(at: &'a str) -> &'a str { at }
            use crate::{door::{Door, write::{self, Write as Written}}, ledger::*};
            #[cfg(test)]
            mod tests {
                use crate::{node::Node, links::Link};
                fn it() { if true { crate::api::x(); } }
            }
            "##,
        ),
        ("node.rs", "use crate::{hub::life, door::Door};"),
        ("tests/order.rs", "use crate::{node::Node, hub::life};"),
    ];
    assert_eq!(wrong_imports(&right), Vec::<String>::new());

    let found = |file, text| wrong_imports(&[(file, text)]);
    let same_floor = "no room imports another of its own floor";
    assert_eq!(
        found(
            "hub/life.rs",
            "use crate::{door::Door, links::{Link, due}};"
        ),
        [
            format!("hub/life.rs imports crate::links::Link: {same_floor}"),
            format!("hub/life.rs imports crate::links::due: {same_floor}"),
        ]
    );
    assert_eq!(
        found("pipeline/commit.rs", "fn f() { crate::hub::life::go() }"),
        [format!(
            "pipeline/commit.rs imports crate::hub::life::go: {same_floor}"
        )]
    );
    assert_eq!(
        found("ledger/seen.rs", "use crate::door::Door;"),
        ["ledger/seen.rs imports crate::door::Door: that room lies above"]
    );
    assert_eq!(
        found("door/tasks.rs", "use super::super::records::shelf;"),
        ["door/tasks.rs imports crate::records::shelf: that room lies above"]
    );
    assert_eq!(
        found("api/read.rs", "fn f(s: crate::Status) {}"),
        ["api/read.rs imports crate::Status: that room lies above"]
    );
    assert_eq!(
        found("attic/old.rs", ""),
        ["attic/old.rs: the plan has no room attic"]
    );

    let circle = [
        ("door/a.rs", "use crate::records::b;"),
        ("records/b.rs", "use crate::door::a;"),
    ];
    assert_eq!(
        wrong_imports(&circle),
        [
            "door/a.rs imports crate::records::b: that room lies above",
            "door imports itself in a circle",
            "records imports itself in a circle",
        ]
    );
}
