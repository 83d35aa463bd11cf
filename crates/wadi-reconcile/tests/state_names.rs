//! What rules call the states of records is what the folds of records call them.

use std::path::Path;
use wadi_record::STATE_NAMES;

fn sources(dir: &Path, out: &mut Vec<(String, String)>) {
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            out.push((path.display().to_string(), code.into()));
        }
    }
}

/// The names that a source compares with a state: those in quotes from where it asks for one to the
/// end of the statement.
fn compared(code: &str) -> Vec<&str> {
    let is_name =
        |text: &&str| text.len() > 3 && text.bytes().all(|c| c.is_ascii_uppercase() || c == b'_');
    let asked = code.split(".state()").skip(1);

    asked
        .map(|rest| rest.split(';').next().unwrap_or_default())
        .flat_map(|statement| statement.split('"').skip(1).step_by(2))
        .filter(is_name)
        .collect()
}

#[test]
fn rules_ask_for_states_that_there_are() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    sources(&src.join("rules"), &mut all);
    let dossier = std::fs::read_to_string(src.join("dossier.rs")).unwrap();
    all.push(("dossier.rs".into(), dossier));

    let mut found = 0;
    for (path, code) in &all {
        for name in compared(code) {
            found += 1;
            assert!(STATE_NAMES.contains(&name), "{path}: {name} is no state");
        }
    }
    assert!(found > 15, "only {found} were found");
}
