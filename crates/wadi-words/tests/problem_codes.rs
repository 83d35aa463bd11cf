//! Every stable code of a problem that the sources can give has a text in both languages.
//!
//! The codes are read out of the sources: what stands where a code is given. A new way of giving
//! one is a line in [`GIVERS`].

mod sources;

use sources::{crates, every_source, without_tests};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};
use wadi_words::{Group, Language, every_text};

/// What a code follows, and under which folder of `crates/` that is one. Each star skips an
/// argument.
const GIVERS: &[(&str, &str)] = &[
    ("", "Problem::new(*"),
    ("wadi-web/src", "forbidden("),
    ("wadi-web/src/auth.rs", "=> ("),
    ("wadi-console/src", "Refused::new(**"),
    ("wadi-web/src/strict.rs", "true =>"),
    ("wadi/src", "violated("),
    ("wadi-console/src/control", "refuse(*"),
    ("wadi-console/src/findings", "refuse("),
    ("", "note_refusal(*"),
    ("", "note_refusal(**"),
    ("wadi-net/src", "refuse_member(*"),
    ("wadi-node/src/pipeline", "note(**"),
    ("wadi-node/src/bundles", "stop(*"),
    ("", "unprocessable("),
    ("", "Failure::new("),
    ("", "Failure::usage("),
    ("", "FileError::new("),
    ("", "unreadable:"),
    ("", "version:"),
    ("", "changed:"),
    ("", "const GUARDED_FIELD: &str ="),
    ("", "const SET_ASIDE: &str ="),
    ("", "const DERIVATION_FAILED: &str ="),
    ("wadi-record/src", "refusal("),
    ("wadi-record/src", "refuse("),
    ("wadi-record/src", "refused("),
    ("wadi-record/src", "code:"),
    ("wadi-record/src/authority.rs", "no("),
    ("wadi-node/src", "refused("),
    ("wadi-node/src", "code:"),
    ("wadi-log/src/evidence", "bad("),
];

/// Given by no literal of that kind: by the framework, for whoever answers no problem, by clap.
const ELSEWHERE: &[&str] = &[
    "bad_request",
    "http_error",
    "io",
    "method_not_allowed",
    "not_found",
    "task_in_trouble",
    "usage",
];

fn is_code(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// The code that a text begins with, as a literal.
fn literal(text: &str) -> Option<&str> {
    let (code, _) = text.trim_start().strip_prefix('"')?.split_once('"')?;
    is_code(code).then_some(code)
}

/// The codes behind each place where a giver stands.
fn given_by<'a>(text: &'a str, giver: &str) -> Vec<&'a str> {
    let word = giver.trim_end_matches('*');
    let skipped = giver.len() - word.len();

    text.match_indices(word)
        .filter(|(at, _)| {
            let before = text[..*at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
                || word.starts_with("FileError")
        })
        .filter_map(|(at, _)| {
            let after = &text[at + word.len()..];
            let after = after.splitn(skipped + 1, ',').nth(skipped)?;
            literal(after)
        })
        .collect()
}

/// The literals in every `fn code(&self)`.
fn in_tables(text: &str) -> Vec<&str> {
    text.match_indices("fn code(&self)")
        .flat_map(|(at, _)| {
            let body = &text[at..];
            let body = &body[..body.find("\n    }").unwrap_or(body.len())];
            body.split('"').skip(1).step_by(2).filter(|c| is_code(c))
        })
        .collect()
}

/// Every code, and a file that gives it.
fn every_code() -> BTreeMap<String, PathBuf> {
    let mut codes = BTreeMap::new();
    for (path, text) in every_source() {
        let givers = GIVERS
            .iter()
            .filter(|(under, _)| path.starts_with(crates().join(under)));

        let given = givers.flat_map(|(_, giver)| given_by(&text, giver));
        for code in given.chain(in_tables(&text)) {
            codes
                .entry(code.to_string())
                .or_insert_with(|| path.clone());
        }
    }

    codes
}

#[test]
fn every_code_has_a_text_in_both_languages() {
    let codes = every_code();
    assert!(codes.len() > 200, "only {} codes were found", codes.len());

    for language in Language::ALL {
        let missing: Vec<_> = codes
            .iter()
            .filter(|(code, _)| !language.has(Group::Problem, code))
            .collect();
        assert!(
            missing.is_empty(),
            "crates/wadi-words/catalogue/{}/problems_*.ftl say nothing of {missing:#?}",
            language.tag()
        );
    }
}

#[test]
fn nothing_is_said_of_codes_that_no_source_gives() {
    let codes = every_code();
    let given: BTreeSet<&str> = codes
        .keys()
        .map(String::as_str)
        .chain(ELSEWHERE.iter().copied())
        .collect();

    let stale: Vec<_> = every_text(Language::English)
        .remove(&Group::Problem)
        .expect("problems")
        .into_keys()
        .filter(|code| !given.contains(code.as_str()))
        .collect();
    assert!(stale.is_empty(), "no source gives {stale:?}");
}

#[test]
fn codes_are_found_in_each_way_in_which_they_are_given() {
    let source = r#"
        Problem::new(StatusCode::CONFLICT, "one", why);
        Problem::new(
            status,
            "two",
        );
        unprocessable("three", why); Failure::usage(
            "four", why);
        refuse_all("not_a_giver");
        pub fn code(&self) -> &'static str {
        match self {
            Self::A => "five",
            Self::B | Self::C => "six",
        }
    }
        #[cfg(test)]
        mod tests;
        unprocessable("seven", why);
        #[cfg(test)]
        mod more {
            unprocessable("of_a_test", why);
        }
    "#;
    let text = without_tests(source);
    let given = GIVERS.iter().flat_map(|(_, giver)| given_by(text, giver));
    let found: BTreeSet<&str> = given.chain(in_tables(text)).collect();
    let all = ["one", "two", "three", "four", "five", "six", "seven"];
    assert_eq!(found, BTreeSet::from(all));
}

/// Codes that give no English reason: the console's own, whose sentences stand in both languages,
/// and those that are told by their name alone.
const WITHOUT_REASONS: [&str; 7] = [
    "not_found",
    "nothing_chosen",
    "policy_changed",
    "disk_low",
    "excerpt_refused",
    "retry",
    "unresolved",
];

/// What stands in the place of a code where there is none: of warnings, and of alarms.
const WITHOUT_CODES: [&str; 2] = ["warning", "alarm"];

#[test]
fn every_code_that_gives_a_reason_has_it_in_both_languages() {
    let told: BTreeSet<&str> = Language::problem_details().map(|(code, _)| code).collect();
    let without = BTreeSet::from(WITHOUT_REASONS);
    let codes = every_code();

    let both: Vec<_> = told.intersection(&without).collect();
    assert!(both.is_empty(), "they have reasons: {both:?}");
    let gone: Vec<_> = without
        .iter()
        .filter(|c| !codes.contains_key(**c))
        .collect();
    assert!(gone.is_empty(), "no source gives them any more: {gone:?}");
    let neither: Vec<_> = codes
        .keys()
        .filter(|code| !told.contains(code.as_str()) && !without.contains(code.as_str()))
        .collect();
    assert!(
        neither.is_empty(),
        "details.ftl has no reason of {neither:?}"
    );
    let stale: Vec<_> = told
        .iter()
        .filter(|code| !WITHOUT_CODES.contains(code) && !codes.contains_key(**code))
        .collect();
    assert!(stale.is_empty(), "no source gives {stale:?}");
}

/// The sources as they would be said: a text that goes on in the next line is one.
fn said_in_sources() -> String {
    let mut all = String::new();
    for (_, text) in every_source() {
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            match line.strip_suffix('\\') {
                Some(begun) => {
                    all += begun.trim_start();
                    // The next line goes on with its first letter.
                    for more in lines.by_ref() {
                        match more.strip_suffix('\\') {
                            Some(begun) => all += begun.trim_start(),
                            None => {
                                all += more.trim_start();
                                break;
                            }
                        }
                    }
                }
                None => all += line.trim_start(),
            }
            all.push('\n');
        }
    }

    all.replace("\\\"", "\"")
}

#[test]
fn the_english_reasons_of_the_catalogue_are_what_the_sources_say() {
    let said = said_in_sources();
    for (code, details) in Language::problem_details() {
        for pieces in details {
            for piece in pieces {
                let wadi_words::DetailPiece::Words(words) = piece else {
                    continue;
                };
                // What stands between points may be said in two places, and quotation marks around
                // a value are its format's.
                for clause in words.split([':', ';', ',']) {
                    let clause = clause.trim_matches(['"', ' ']);
                    let is_short = clause.len() < 4;
                    assert!(
                        is_short || said.contains(clause),
                        "{code}: nobody says {clause:?}"
                    );
                }
            }
        }
    }
}
