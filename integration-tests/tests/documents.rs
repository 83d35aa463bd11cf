//! What documents point at is there: links between them and into the code, and the files that
//! CONTRIBUTING.md names.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Directories in which nothing is looked for: what is built, and what git keeps.
const LEFT_OUT: [&str; 3] = ["target", ".git", "wadi-demo"];

fn documents(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !LEFT_OUT.contains(&&*name) {
            documents(&path, out);
        } else if path.extension().is_some_and(|e| e == "md") {
            out.push(path);
        }
    }
}

/// A document without its blocks and spans of code.
fn prose(text: &str) -> String {
    let mut fenced = false;
    let mut out = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && !line.starts_with("    ") {
            let spans = line.split('`').step_by(2);
            out.extend(spans);
            out.push('\n');
        }
    }
    out
}

/// Where a document's links lead that lead to no other site.
fn links(text: &str) -> Vec<String> {
    prose(text)
        .split("](")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_string()))
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .collect()
}

/// The anchors that a document's headings have.
fn anchors(text: &str) -> BTreeSet<String> {
    let of = |title: &str| -> String {
        title
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };

    let titles = text.lines().filter(|line| line.starts_with('#'));
    titles
        .map(|line| of(line.trim_start_matches('#').trim()))
        .collect()
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let mut all = Vec::new();
    documents(root(), &mut all);
    let (mut looked_at, mut broken) = (0, Vec::new());

    for document in all {
        let text = read(&document);
        for link in links(&text) {
            looked_at += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                document.clone()
            } else {
                document.parent().unwrap().join(path)
            };

            let there =
                target.exists() && (anchor.is_empty() || anchors(&read(&target)).contains(anchor));
            if !there {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }

    assert!(looked_at > 100, "only {looked_at} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A word of the glossary, and what stands under it.
fn words() -> Vec<(String, String)> {
    let text = read(&root().join("docs/glossary.md"));
    let entries = text.split("\n## ").skip(1);
    entries
        .map(|entry| {
            let (word, says) = entry.split_once('\n').unwrap();
            (word.to_string(), says.to_string())
        })
        .collect()
}

#[test]
fn every_word_of_the_glossary_says_where_it_lives() {
    for (word, says) in words() {
        let into_code = |link: &String| link.contains("/crates/") || link.contains("/proto/");
        assert!(
            links(&says).iter().any(into_code),
            "{word} has no link to the file where it lives"
        );

        let sentences = prose(&says);
        assert!(
            sentences.trim().len() > 40,
            "{word} is not explained: {sentences:?}"
        );
    }
}

#[test]
fn the_glossary_is_in_the_order_of_the_alphabet_and_has_the_words_of_the_house() {
    let words: Vec<String> = words().into_iter().map(|(word, _)| word).collect();
    let mut sorted = words.clone();
    sorted.sort_by_key(|word| word.to_lowercase());
    assert_eq!(words, sorted);

    let wanted = "anchor|author view|ballast|bundle|carry|checkpoint|cohort|command|commit|\
        cosignature|cut|disk budget|dossier|effective length|entry|epoch|excerpt|fork|frontier|\
        lane|log|receipt|record|repair queue|scrub|sequencer|verdict|watermark";
    for word in wanted.split('|') {
        assert!(words.iter().any(|w| w == word), "no word {word:?}");
    }
}

/// The files that recipes tell to change. `rule_name` and the like stand for what is new.
#[test]
fn the_files_that_recipes_name_are_there() {
    let text = read(&root().join("CONTRIBUTING.md"));
    let mut missing = Vec::new();
    let mut named = 0;
    for span in text.split('`').skip(1).step_by(2) {
        let is_path = [
            "crates/",
            "docs/",
            "fuzz/",
            "integration-tests/",
            "proto/",
            "scripts/",
        ]
        .iter()
        .any(|top| span.starts_with(top));
        if is_path && !span.contains(|c: char| c.is_whitespace() || "*<{…".contains(c)) {
            named += 1;
            if !root().join(span).exists() {
                missing.push(span);
            }
        }
    }

    assert!(named > 40, "only {named} files are named");
    assert!(missing.is_empty(), "CONTRIBUTING.md names {missing:#?}");
}
