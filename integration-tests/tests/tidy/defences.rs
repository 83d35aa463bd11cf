//! Switches that turn defences off: `docs/reliability.md` tells what each of them is for, and a
//! test turns each of them off.

use super::{root, sources};
use std::collections::BTreeSet;

/// A line of the page's table.
#[derive(Debug)]
struct TableRow<'p> {
    switch: &'p str,
    /// The names of tests in it.
    tests: Vec<&'p str>,
}

/// What stands in back quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn table(page: &str) -> Vec<TableRow<'_>> {
    let rows = page.lines().skip_while(|l| !l.starts_with("| switch |"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(table_row).collect()
}

fn table_row(line: &str) -> TableRow<'_> {
    let mut words = quoted(line);
    let switch = words.next().unwrap_or_default();
    let is_name = |word: &&str| word.contains('_') && !word.contains(['.', '/']);
    TableRow {
        switch,
        tests: words.filter(is_name).collect(),
    }
}

/// The switches that a text asks for.
fn asked(text: &str) -> impl Iterator<Item = &str> {
    let named = text.split("defence::off(\"").skip(1);
    named.filter_map(|rest| rest.split('"').next())
}

/// Whether a text names a switch as one that it turns off, alone or with others.
fn turns_off(text: &str, switch: &str) -> bool {
    let count = |quoted: String| text.matches(&quoted).count();
    let asks = count(format!("off(\"{switch}\")"));
    let alone = count(format!("\"{switch}\""));
    alone > asks || count(format!(",{switch}\"")) > 0 || count(format!("\"{switch},")) > 0
}

#[test]
fn every_switch_of_a_defence_stands_in_the_table_with_a_test_that_is_there() {
    let page = std::fs::read_to_string(root().join("docs/reliability.md")).unwrap();
    let rows = table(&page);
    let mut of_sources = Vec::new();
    sources(&root().join("crates"), &mut of_sources);
    let switches: BTreeSet<&str> = of_sources
        .iter()
        .flat_map(|(_, text)| asked(text))
        .collect();
    let told: BTreeSet<&str> = rows.iter().map(|row| row.switch).collect();
    assert!(switches.len() > 30, "{switches:?}");
    assert_eq!(told.len(), rows.len(), "each stands there once: {rows:?}");
    assert_eq!(switches, told);

    let mut files = of_sources.clone();
    sources(&root().join("integration-tests"), &mut files);
    for row in &rows {
        let switch = row.switch;
        assert!(!row.tests.is_empty(), "{switch}: no test is named");
        for name in &row.tests {
            let head = format!("fn {name}(");
            let is_there = files.iter().any(|(_, text)| text.contains(&head));
            assert!(is_there, "{switch}: no test is called {name}");
        }

        let off = files
            .iter()
            .filter(|(path, _)| path.contains("/tests/") && !path.contains("/tidy/"));
        let mut off = off.filter(|(_, text)| turns_off(text, switch));
        assert!(off.next().is_some(), "{switch}: no test turns it off");
    }
}

#[test]
fn switches_are_read_of_tables_and_of_sources() {
    let page = "text\n| switch | x |\n|---|---|\n| `a-b` | x | `it_is_so` | `c_d.rs` |\n\ntext";
    let rows = table(page);
    assert_eq!((rows.len(), rows[0].switch), (1, "a-b"));
    assert_eq!(rows[0].tests, ["it_is_so"]);

    let source = "if defence::off(\"a-b\") || !wadi_log::defence::off(\"c\") {";
    assert_eq!(asked(source).collect::<Vec<_>>(), ["a-b", "c"]);
    assert!(!turns_off(source, "a-b"));
    assert!(turns_off("fails_without(\"a-b\", test)", "a-b"));
    assert!(turns_off("(\"WADI_DEFENCE_OFF\", \"a-b,c\")", "c"));
}
