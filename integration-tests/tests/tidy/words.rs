//! Names and lines: no two types of one name, and no line that is too wide.

use std::collections::{BTreeMap, BTreeSet};

use super::{TESTS_ROOM, root, sources, without_comments_and_strings, without_tests};

/// Names that two types have, and why. A name that no two types have any more has no place here.
const SHARED_NAMES: &[(&str, &str)] = &[
    ("DbConn", "what text for both engines calls the engine's"),
    ("DbRow", "what text for both engines calls the engine's"),
    ("Engine", "what text for both engines calls the engine"),
    ("Writer", "each engine's own, private to it"),
    (
        "Known",
        "each private to its file: what a connection and what the shared terms have read",
    ),
    (
        "Put",
        "as it is said in a log, and as it was settled in a record",
    ),
];

/// Columns of a line at most, as `rustfmt.toml` has it. rustfmt breaks neither texts nor comments.
const LINE_COLUMNS_MAX: usize = 100;
/// Files of lines that are wider, and how many each has at most: they only become fewer. What a
/// schema's migrations say stays as it is.
const WIDE_LINES: &[(&str, usize)] = &[
    ("crates/wadi-node/src/door/disk.rs", 3),
    ("crates/wadi-node/src/door/error/mod.rs", 3),
    ("crates/wadi-node/src/door/error/write.rs", 2),
    ("crates/wadi-node/src/door/known_time.rs", 8),
    ("crates/wadi-node/src/door/losses.rs", 2),
    ("crates/wadi-node/src/door/suspects.rs", 1),
    ("crates/wadi-node/src/pipeline/account.rs", 1),
    ("crates/wadi-node/src/pipeline/commit.rs", 3),
    ("crates/wadi-node/src/pipeline/mend.rs", 2),
    ("crates/wadi-node/src/pipeline/sequencer.rs", 1),
    ("crates/wadi-record/src/check_digits.rs", 1),
    ("crates/wadi-record/tests/foreign_text.rs", 5),
    ("crates/wadi-store/src/postgres/connect.rs", 1),
    ("crates/wadi-store/src/postgres/look.rs", 3),
    ("crates/wadi-store/src/postgres/schema.rs", 23),
    ("crates/wadi-store/src/sqlite/schema.rs", 17),
];

/// The types that a file declares for its crate or its module, without those of its tests.
fn types_of(text: &str) -> Vec<String> {
    let code = without_tests(&without_comments_and_strings(text));
    let mut out = Vec::new();

    for line in code.lines() {
        // What is indented is a member of a trait, or stays in its function.
        let declared = match line.strip_prefix("pub") {
            Some(rest) if rest.starts_with('(') => rest.split_once(") ").map_or("", |(_, d)| d),
            Some(rest) => rest.trim_start(),
            None => line,
        };

        let mut words = declared.split(|c: char| c.is_whitespace() || "<(;{:=".contains(c));
        if matches!(
            words.next(),
            Some("struct" | "enum" | "union" | "trait" | "type")
        ) {
            out.extend(words.next().map(String::from));
        }
    }

    out
}

/// Names that types of several files have, each with these files.
fn shared_names(files: &[(&str, &str)]) -> BTreeMap<String, BTreeSet<String>> {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in files {
        let is_test = file.ends_with("tests.rs") || file.contains(&format!("/{TESTS_ROOM}/"));
        if is_test {
            continue;
        }

        for name in types_of(text) {
            named.entry(name).or_default().insert((*file).to_string());
        }
    }

    named.retain(|_, files| files.len() > 1);
    named
}

#[test]
fn no_two_types_have_one_name() {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        sources(&entry.unwrap().path().join("src"), &mut files);
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();

    let mut shared = shared_names(&files);
    for (name, why) in SHARED_NAMES {
        assert!(
            shared.remove(*name).is_some(),
            "no two types are named {name} any more ({why}): take it off the list"
        );
    }

    assert!(
        shared.is_empty(),
        "the less central one gets another name: {shared:#?}"
    );
}

#[test]
fn types_of_one_name_are_found() {
    let tree = [
        (
            "a/src/lib.rs",
            "pub struct Head(u8);\npub(crate) enum Kind { A }\npub(super) struct Alone<'a> {\n}",
        ),
        (
            "b/src/lib.rs",
            "struct Head<T> {\n}\n// struct Kind;\nconst TEXT: &str = \"\nstruct Kind;\";\n\
             impl Iterator for Head {\n    type Alone = u8;\n}\n\
             #[cfg(test)]\nmod tests {\nstruct Kind;\n}",
        ),
        ("b/src/tests/mod.rs", "struct Kind;"),
        ("b/src/kind_tests.rs", "struct Kind;"),
    ];

    let shared = shared_names(&tree);
    let files: Vec<&str> = shared["Head"].iter().map(String::as_str).collect();
    assert_eq!(shared.len(), 1);
    assert_eq!(files, ["a/src/lib.rs", "b/src/lib.rs"]);

    let others = [
        ("c.rs", "pub trait Store: Send {\n}\ntype Rows = u8;"),
        ("d.rs", "type Store = u8;\nunion Rows {\n}"),
    ];
    assert_eq!(
        shared_names(&others).into_keys().collect::<Vec<_>>(),
        ["Rows", "Store"]
    );
}

/// Lines of a text that are too wide, counted from one.
fn wide_lines(text: &str) -> Vec<usize> {
    let is_wide = |line: &str| line.chars().count() > LINE_COLUMNS_MAX;
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| is_wide(line))
        .map(|(n, _)| n)
        .collect()
}

#[test]
fn no_line_is_too_wide() {
    let mut files = Vec::new();
    for dir in ["crates", "integration-tests", "fuzz"] {
        sources(&root().join(dir), &mut files);
    }

    let mut wider: BTreeSet<String> = BTreeSet::new();
    let mut found: Vec<String> = Vec::new();
    for (path, text) in files {
        let path = path.strip_prefix(&format!("{}/", root().display()));
        let path = path.expect("it lies below the root").to_string();
        let wide = wide_lines(&text);
        if wide.is_empty() {
            continue;
        }

        let known = WIDE_LINES.iter().find(|(file, _)| *file == path);
        if wide.len() > known.map_or(0, |(_, lines)| *lines) {
            found.push(format!("{path} {wide:?}"));
        }
        wider.insert(path);
    }

    assert!(
        found.is_empty(),
        "lines of more than {LINE_COLUMNS_MAX} columns: {}",
        found.join(", ")
    );

    for (file, _) in WIDE_LINES {
        assert!(
            wider.contains(*file),
            "{file} has no wide line any more: take it off the list"
        );
    }
}

#[test]
fn wide_lines_are_found() {
    let fits = "é".repeat(LINE_COLUMNS_MAX);
    let text = format!("{fits}\n{fits}x\n\n// {fits}\n");
    assert_eq!(wide_lines(&text), [2, 4]);
}
