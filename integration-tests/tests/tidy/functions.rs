//! Functions: none is too long to be held in one's head.

use super::{root, sources, without_tests};

/// Lines of a function at most, its first and last among them.
const FUNCTION_LINES_MAX: usize = 80;
/// Functions that are longer, and how many lines each has at most: they only become shorter. Those
/// of messages and commands have an arm for each, and are read as a table.
const LONGER_FUNCTIONS: &[(&str, &str, usize)] = &[
    (
        "crates/wadi-node/src/pipeline/mend.rs",
        "take_stretches",
        82,
    ),
    (
        "crates/wadi-sync/src/session/receive.rs",
        "receive_message",
        98,
    ),
];

/// The name of the function that a line begins, with the blanks before it.
fn begun(line: &str) -> Option<(&str, &str)> {
    let text = line.trim_start();
    let indent = line.strip_suffix(text)?;
    let head = text.split_once("fn ")?;
    let is_plain = head
        .0
        .chars()
        .all(|c| c.is_ascii_lowercase() || " ()".contains(c));
    let name = head.1.split(['(', '<']).next()?;
    (is_plain && !text.ends_with(';')).then_some((indent, name))
}

/// Every function of a text as rustfmt has it: its name, and its lines.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((indent, name)) = begun(line) else {
            continue;
        };

        let end = format!("{indent}}}");
        // A promise of a trait ends at its semicolon, with no body.
        let ends =
            |l: &&str| **l == end || l.starts_with(&format!("{indent})")) && l.ends_with(';');
        if let Some(more) = lines[at..].iter().position(ends) {
            all.push((name, more + 1));
        }
    }

    all
}

#[test]
fn no_function_is_too_long_to_be_held_in_ones_head() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);

    let mut known = LONGER_FUNCTIONS.to_vec();
    let mut wrong = Vec::new();
    for (path, text) in &files {
        let path = path.strip_prefix(&format!("{}/", root().display()));
        let path = path.expect("it lies below the root");
        if path.contains("/tests/") || path.ends_with("tests.rs") {
            continue;
        }

        let text = without_tests(text);
        for (name, lines) in functions(&text) {
            if lines <= FUNCTION_LINES_MAX {
                continue;
            }

            let place = known.iter().position(|(f, n, _)| (*f, *n) == (path, name));
            match place.map(|at| known.remove(at)) {
                Some((_, _, max)) if lines == max => {}
                Some((_, _, max)) => wrong.push(format!("{path} {name}: {lines}, noted {max}")),
                None => wrong.push(format!("{path} {name}: {lines}")),
            }
        }
    }

    assert!(
        wrong.is_empty(),
        "more than {FUNCTION_LINES_MAX} lines, or fewer than are noted:\n{}",
        wrong.join("\n")
    );
    assert!(
        known.is_empty(),
        "not too long any more: take them off the list: {known:?}"
    );
}

#[test]
fn functions_are_counted_from_their_first_line_to_their_last() {
    let text = concat!(
        "pub(crate) async fn a(\n    x: u8,\n) -> u8 {\n    x\n}\n\n",
        "trait T {\n    fn b(\n        &self,\n    ) -> u8;\n\n    fn c(&self);\n}\n",
    );
    assert_eq!(functions(text), [("a", 5), ("b", 3)]);
}
