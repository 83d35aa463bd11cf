//! The sources of the other crates, for tests that hold the catalogue against them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The folder of all crates.
pub(crate) fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("crates/")
        .into()
}

fn files_under(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name == "tests" || name.ends_with("tests.rs") {
            continue;
        }

        if path.is_dir() {
            files_under(&path, out);
        } else if name.ends_with(".rs") {
            out.push(path);
        }
    }
}

/// A source without the tests in it.
pub(crate) fn without_tests(text: &str) -> &str {
    let mut from = 0;
    while let Some(at) = text[from..].find("#[cfg(test)]").map(|at| at + from) {
        let after = text[at..].trim_start_matches("#[cfg(test)]").trim_start();
        let line = after.lines().next().unwrap_or_default();
        if line.contains("mod ") && line.ends_with('{') {
            return &text[..at];
        }
        from = at + 1;
    }

    text
}

/// Every source of the other crates, without the tests in it, in the order of their paths.
pub(crate) fn every_source() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(crates()).expect("crates/") {
        let src = entry.expect("a crate").path().join("src");
        if src.is_dir() && !src.starts_with(env!("CARGO_MANIFEST_DIR")) {
            files_under(&src, &mut files);
        }
    }

    files.sort();
    let read = |path: PathBuf| {
        let whole = fs::read_to_string(&path).expect("a source");
        let text = without_tests(&whole).to_string();
        (path, text)
    };
    files.into_iter().map(read).collect()
}
