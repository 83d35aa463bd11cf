//! Names and lines: no two types of one name, and no line that is too wide to be read.

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
