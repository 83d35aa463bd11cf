//! Every alarm that the sources can raise has its name in both languages.
//!
//! What they are about is read out of the sources: what stands where one is raised.

mod sources;

use sources::{crates, every_source};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};
use wadi_words::{Group, Language, every_text};

/// What stands before that which an alarm is about.
const RAISERS: [&str; 3] = [".set_alarm(", ".trouble(", ".map(of("];

/// The first argument of a call, whose parenthesis is open.
fn first_argument(text: &str) -> &str {
    let mut depth = 0_i32;
    let end = text.find(|c: char| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth < 0 || depth == 0 && c == ','
    });
    text[..end.unwrap_or(text.len())].trim()
}

/// The literals between two words of a source.
fn literals_between(text: &str, begins: &str, ends: &str) -> Vec<String> {
    let Some((_, after)) = text.split_once(begins) else {
        return Vec::new();
    };
    let body = after.split_once(ends).map_or(after, |(body, _)| body);
    body.split('"')
        .skip(1)
        .step_by(2)
        .map(String::from)
        .collect()
}

/// A constant's text: of this file, else of another one.
fn constant(name: &str, own: &str, all: &[(PathBuf, String)]) -> Option<String> {
    let begins = format!("const {name}: &str = ");
    let mut texts = std::iter::once(own).chain(all.iter().map(|(_, text)| text.as_str()));
    texts.find_map(|text| literals_between(text, &begins, ";").into_iter().next())
}

/// What the argument stands for.
fn abouts_of(argument: &str, own: &str, all: &[(PathBuf, String)]) -> Vec<String> {
    let in_file = |name: &str, begins: &str, ends: &str| {
        let file = all.iter().find(|(path, _)| path.ends_with(name));
        let (_, text) = file.unwrap_or_else(|| panic!("{name} is gone"));
        literals_between(text, begins, ends)
    };

    match argument {
        literal if literal.starts_with('"') => vec![literal.trim_matches('"').into()],
        // Tasks without which a node goes on are left off. Where any other one ends, the node does.
        "task" => in_file("door/suspects.rs", "const DISPENSABLE", "];"),
        "chain.name()" => in_file("api/local_chain.rs", "fn name(&self)", "\n    }"),
        name if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => {
            let known = constant(name, own, all);
            vec![known.unwrap_or_else(|| panic!("nobody knows what {name} is"))]
        }
        other => panic!("nobody knows what the alarm about {other} is called"),
    }
}

/// What alarms are about, as entries and screens name them, and a file that raises each.
fn every_alarm() -> BTreeMap<String, PathBuf> {
    let all = every_source();
    let mut raised = BTreeMap::new();
    for (path, text) in &all {
        for raiser in RAISERS {
            for (at, _) in text.match_indices(raiser) {
                let argument = first_argument(&text[at + raiser.len()..]);
                for about in abouts_of(argument, text, &all) {
                    raised.insert(about.replace([' ', '-'], "_"), path.clone());
                }
            }
        }
    }

    raised
}

#[test]
fn every_alarm_that_a_node_raises_has_its_words() {
    let raised = every_alarm();
    assert!(raised.len() > 30, "only {raised:?} were found");
    for found in ["clone", "silent_nodes", "sign_ins", "scrubber", "callers"] {
        assert!(raised.contains_key(found), "{found} was not found");
    }

    for language in Language::ALL {
        let missing: Vec<_> = raised
            .iter()
            .filter(|(about, _)| !language.has(Group::Alarm, about))
            .collect();
        assert!(
            missing.is_empty(),
            "crates/wadi-words/catalogue/{}/nodes.ftl does not name {missing:#?}",
            language.tag()
        );
    }
}

/// What the page for operators has a line of its table for, as alarms are named in entries.
fn alarms_on_the_page() -> Vec<String> {
    let page = crates().join("../docs/operating.md");
    let text = std::fs::read_to_string(page).expect("docs/operating.md");
    let (_, table) = text
        .split_once("### Every alarm")
        .expect("the page lists alarms");
    let (table, _) = table.split_once("\n#").expect("another section follows");
    let lines = table.lines().filter_map(|line| line.strip_prefix("| `"));
    lines
        .filter_map(|line| line.split_once('`'))
        .map(|(about, _)| about.replace([' ', '-'], "_"))
        .collect()
}

#[test]
fn every_alarm_has_a_line_on_the_page_for_operators_and_the_page_names_no_other() {
    let listed = alarms_on_the_page();
    let named: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(named.len(), listed.len(), "one stands there twice");

    let raised = every_alarm();
    let missing: Vec<_> = raised.keys().filter(|a| !named.contains(a)).collect();
    assert!(missing.is_empty(), "docs/operating.md has no {missing:?}");
    let stale: Vec<_> = listed.iter().filter(|a| !raised.contains_key(*a)).collect();
    assert!(stale.is_empty(), "no source raises {stale:?}");
}

/// As screens look it up: by what it is about, with blanks as nodes tell it, or without.
#[test]
fn every_alarm_is_looked_up_by_what_it_is_about() {
    for about in every_alarm().into_keys() {
        for name in [about.clone(), about.replace('_', " ")] {
            for language in Language::ALL {
                let title = language.alarm(&name);
                assert_ne!(title, name, "{language:?}");
            }

            assert_ne!(
                Language::Arabic.alarm(&name),
                Language::English.alarm(&name),
                "{name}"
            );
        }
    }
}

#[test]
fn nothing_is_named_that_no_source_raises() {
    let raised: BTreeSet<String> = every_alarm().into_keys().collect();
    let named = every_text(Language::English).remove(&Group::Alarm);
    let stale: Vec<_> = named
        .expect("alarms")
        .into_keys()
        .filter(|about| !raised.contains(about))
        .collect();
    assert!(stale.is_empty(), "no source raises {stale:?}");
}

#[test]
fn what_an_alarm_is_about_is_found_in_each_way_in_which_it_is_given() {
    let own = r#"
        const ABOUT: &str = "silent nodes";
        node.set_alarm(ABOUT, (!named.is_empty()).then(|| named.join("; ")));
    "#;
    assert_eq!(first_argument("ABOUT, (!named.is_empty())"), "ABOUT");
    assert_eq!(first_argument("chain.name(), None)"), "chain.name()");
    assert_eq!(first_argument("\n  \"spool\",\n Some(why))"), "\"spool\"");
    assert_eq!(first_argument("INTEGRITY)).collect(), 1"), "INTEGRITY");
    assert_eq!(abouts_of("ABOUT", own, &[]), ["silent nodes"]);
    assert_eq!(abouts_of("\"spool\"", own, &[]), ["spool"]);
}
