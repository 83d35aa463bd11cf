//! What people read on a terminal, in the language of their environment (`LC_ALL`, `LC_MESSAGES`,
//! `LANG`). Codes stay, and a text stands beside its code. In English nothing is added: the codes
//! are English, and scripts read what they always read. `--json` is never translated.

use crate::{
    failure::Failure,
    print::{self, member_text, shown},
};
use comfy_table::Table;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::OnceLock};
use wadi_words::{Filling, Group, Language, Sentence};

/// The language of whoever runs this process.
pub(crate) fn language() -> Language {
    static LANGUAGE: OnceLock<Language> = OnceLock::new();
    *LANGUAGE.get_or_init(Language::of_environment)
}

/// A code with its text beside it; the code alone in English, and where nothing is said of it.
pub(crate) fn beside(group: Group, code: &str) -> String {
    beside_in(language(), group, code)
}

/// [`beside`] in a language.
pub(crate) fn beside_in(language: Language, group: Group, code: &str) -> String {
    match language != Language::English && language.has(group, code) {
        true => format!("{} ({})", shown(code), language.title(group, code)),
        false => shown(code).into_owned(),
    }
}

/// Text for a line that is escaped whole, where the marks around a value would be shown as codes.
fn without_isolates(text: String) -> String {
    text.replace(['\u{2068}', '\u{2069}'], "")
}

/// Why something was not taken, by its code and its English reason.
pub(crate) fn reason(code: &str, english: &str) -> String {
    let told = language().problem_detail(code, english);
    told.map_or_else(|| shown(english).into_owned(), without_isolates)
}

/// What looks wrong about a write that was taken.
pub(crate) fn warning(english: &str) -> String {
    let told = language().warning(english);
    told.map_or_else(|| shown(english).into_owned(), without_isolates)
}

/// What an alarm says, which a node tells in English.
pub(crate) fn alarm(english: &str) -> String {
    let told = language().alarm_text(english);
    told.unwrap_or_else(|| shown(english).into_owned())
}

/// What the command line says, by its name without `console-cli-`, in the language of whoever reads
/// it. What is put into it is escaped by then.
pub(crate) fn said<'a>(
    name: &str,
    fillings: impl IntoIterator<Item = (&'a str, String)>,
) -> String {
    said_in(language(), name, fillings)
}

/// [`said`] in a language.
pub(crate) fn said_in<'a>(
    language: Language,
    name: &str,
    fillings: impl IntoIterator<Item = (&'a str, String)>,
) -> String {
    let fillings = fillings.into_iter();
    let fillings = fillings.map(|(place, value)| (place, Filling::from(value)));
    language.sentence(&format!("cli-{name}"), fillings)
}

/// A table whose columns are headed in the language of whoever reads it, by the names of the
/// headings without `console-cli-head-`. A sign stands as it is.
pub(crate) fn table<const N: usize>(names: [&str; N]) -> Table {
    let heads = names.map(|name| head_in(language(), name));
    print::table(heads.each_ref().map(String::as_str))
}

fn head_in(language: Language, name: &str) -> String {
    match name.chars().any(char::is_alphabetic) {
        true => said_in(language, &format!("head-{name}"), []),
        false => name.into(),
    }
}

/// A sentence of the catalogue where somebody reads another language than English; in English what
/// was always said here.
pub(crate) fn told<'a>(
    language: Language,
    name: &str,
    fillings: impl IntoIterator<Item = (&'a str, Filling<'a>)>,
    english: impl FnOnce() -> String,
) -> String {
    match language {
        Language::English => english(),
        other => other.sentence(name, fillings),
    }
}

/// How a failure is told on standard error: in English its reason and its code, in another language
/// what it is called and what to do before them.
pub(crate) fn failure_text(failure: &Failure) -> String {
    failure_text_in(language(), failure)
}

fn failure_text_in(language: Language, failure: &Failure) -> String {
    if language == Language::English || !language.has(Group::Problem, &failure.code) {
        return failure.to_string();
    }

    let why = language.problem_detail(&failure.code, &failure.why);
    let why = why.map_or_else(|| failure.why.clone(), without_isolates);
    let help = language.problem_help(&failure.code);
    let help = help.map(|help| format!("\n  {help}")).unwrap_or_default();
    format!(
        "{} [{}]{help}\n  {}",
        language.problem_title(&failure.code),
        failure.code,
        why
    )
}

/// What a record came to, before its JSON is printed for a person; nothing in English.
pub(crate) fn record_text(record: &Value) -> Option<String> {
    record_text_in(language(), record)
}

fn record_text_in(language: Language, record: &Value) -> Option<String> {
    if language == Language::English {
        return None;
    }

    let word = |group, member: &str| {
        let code = record[member].as_str()?;
        Some(beside_in(language, group, code))
    };
    let flags = record["flags"].as_array().into_iter().flatten();
    let flags = flags
        .filter_map(Value::as_str)
        .map(|flag| beside_in(language, Group::State, flag));

    let all: Vec<String> = [
        word(Group::Kind, "kind"),
        word(Group::State, "state"),
        word(Group::Safety, "safety"),
    ]
    .into_iter()
    .flatten()
    .chain(flags)
    .chain(published_in(language, record))
    .collect();
    Some(all.join("\n")).filter(|text| !text.is_empty())
}

/// What a finding says: in English its text, in another language its sentence where this version
/// knows it.
pub(crate) fn found_text(finding: &Value) -> String {
    found_text_in(language(), finding)
}

/// [`found_text`] in a language.
pub(crate) fn found_text_in(language: Language, finding: &Value) -> String {
    // A published one stands in an event, which holds its sentence as a text.
    let sentence = match &finding["sentence"] {
        Value::String(text) => serde_json::from_str(text).ok(),
        json => Sentence::deserialize(json).ok(),
    };
    let told = sentence
        .filter(|_| language != Language::English)
        .and_then(|sentence| language.finding_text(&sentence));
    told.unwrap_or_else(|| member_text(finding, "text"))
}

/// What the hub found on a record and published there: of each finding what was said last, unless
/// that withdrew it.
fn published_in(language: Language, record: &Value) -> Vec<String> {
    let events = record["events"].as_array().into_iter().flatten();
    let published = events.filter(|e| e["type"] == "finding" && e["counts"] == true);
    let mut latest: BTreeMap<&str, &Value> = BTreeMap::new();
    for said in published.map(|e| &e["data"]) {
        latest.insert(said["finding"].as_str().unwrap_or_default(), said);
    }

    let standing = latest.values().filter(|said| said["phase"] != "WITHDRAWN");
    let line = |said: &&Value| {
        let rule = beside_in(
            language,
            Group::Rule,
            said["rule"].as_str().unwrap_or_default(),
        );
        format!("{rule}: {}", found_text_in(language, said))
    };
    standing.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Language::{Arabic, English};
    use serde_json::json;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn english_is_what_it_was_before_there_were_languages() {
        let failure = Failure::new("unseen_hold", "hold X was not seen");
        assert_eq!(failure_text_in(English, &failure), failure.to_string());
        assert_eq!(beside_in(English, Group::State, "EXITED"), "EXITED");
        assert_eq!(record_text_in(English, &json!({"state": "EXITED"})), None);
    }

    /// The sources of this crate without their tests, in one text.
    fn all_sources(dir: &Path, out: &mut String) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                all_sources(&path, out);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                let (own, _) = text
                    .split_once("#[cfg(test)]\nmod tests")
                    .unwrap_or((&text, ""));
                out.push_str(own);
            }
        }
    }

    /// The literals of a list, up to its end.
    fn literals(list: &str) -> impl Iterator<Item = &str> {
        let list = list.split(']').next().unwrap_or_default();
        list.split('"').skip(1).step_by(2)
    }

    #[test]
    fn every_heading_and_sentence_is_in_the_catalogue_and_none_is_left_over() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut sources = String::new();
        all_sources(&crates.join("wadi/src"), &mut sources);

        let heads = sources.split("words::table([").skip(1).flat_map(literals);
        let heads = heads.filter(|head| head.chars().any(char::is_alphabetic));
        let heads: BTreeSet<String> = heads.map(|head| format!("head-{head}")).collect();
        let said = sources.split("words::said(\"").skip(1);
        let said = said.filter_map(|rest| Some(rest.split_once('"')?.0.to_string()));
        let asked: BTreeSet<String> = said.chain(heads.clone()).collect();
        assert!(asked.contains("head-builds-on") && asked.contains("alarm-at"));

        for language in ["en", "ar"] {
            let file = format!("wadi-words/catalogue/{language}/command_line.ftl");
            let text = std::fs::read_to_string(crates.join(&file)).unwrap();
            let lines = text.lines();
            let names: BTreeSet<&str> = lines
                .filter_map(|line| line.strip_prefix("console-cli-")?.split_once(" = "))
                .map(|(name, _)| name)
                .collect();
            let missing: Vec<_> = asked
                .iter()
                .filter(|a| !names.contains(a.as_str()))
                .collect();
            assert!(missing.is_empty(), "{file} has no {missing:?}");

            // A name may be chosen among several before it is asked for.
            let is_used =
                |name: &str| heads.contains(name) || sources.contains(&format!("\"{name}\""));
            let stale: Vec<_> = names.iter().filter(|name| !is_used(name)).collect();
            assert!(stale.is_empty(), "{file}: nobody asks for {stale:?}");
        }
    }

    #[test]
    fn headings_are_in_the_language_of_whoever_reads_them() {
        assert_eq!(head_in(English, "builds-on"), "builds on");
        assert_eq!(head_in(Arabic, "builds-on"), "يبني على");
        assert_eq!(head_in(Arabic, "#"), "#");
        assert_eq!(head_in(Arabic, ""), "");
        let held = |language| said_in(language, "knew-hold", [("hold", "TRB-H-1".into())]);
        assert_eq!(held(English), "hold TRB-H-1 had reached this node");
        assert!(held(Arabic).contains("\u{2068}TRB-H-1\u{2069}"));
    }

    #[test]
    fn an_arabic_speaker_reads_a_failure_with_its_code_and_its_reason() {
        let failure = Failure::new("unseen_hold", "hold X was not seen");
        let told = failure_text_in(Arabic, &failure);
        let mut lines = told.lines();
        assert_eq!(lines.next(), Some("حجز لم يُطلع عليه [unseen_hold]"));
        assert!(lines.next().unwrap().contains("يُفتح السجل من جديد"));
        assert_eq!(lines.next(), Some("  hold X was not seen"));

        let unknown = Failure::new("of_tomorrow", "why");
        assert_eq!(failure_text_in(Arabic, &unknown), "why [of_tomorrow]");
    }

    #[test]
    fn a_finding_is_told_by_its_sentence_and_one_without_by_its_text() {
        let sentence = json!({"id": "R02-left", "values": {
            "passage": {"record": "TRB-P-1"}, "hold": {"record": "TRB-H\u{202e}1"},
        }});
        let text = "TRB-P-1 left while hold TRB-H-1 was open";
        let finding = json!({"rule": "R02", "text": text, "sentence": sentence});
        assert_eq!(found_text_in(English, &finding), text);
        let told = found_text_in(Arabic, &finding);
        assert!(
            told.contains("الحجز \u{2068}TRB-H\\u{202e}1\u{2069}"),
            "{told:?}"
        );

        for unknown in [
            json!(null),
            json!("{"),
            json!({"id": "of-tomorrow", "values": {}}),
        ] {
            let finding = json!({"text": "x\u{202e}y", "sentence": unknown});
            assert_eq!(found_text_in(Arabic, &finding), "x\\u{202e}y");
        }

        // On its record it stands as it was published, and until it is withdrawn.
        let said = |id: &str, phase: &str| {
            json!({"type": "finding", "counts": true, "data": {
                "finding": id, "rule": "R02", "phase": phase, "text": text,
                "sentence": sentence.to_string(),
            }})
        };
        let events = [said("a", "FIRM"), said("b", "FIRM"), said("b", "WITHDRAWN")];
        let shown = record_text_in(Arabic, &json!({"kind": "passage", "events": events}));
        let wanted = format!("passage (عبور)\nR02 (خرج وهو محجوز): {told}");
        assert_eq!(shown, Some(wanted));
    }

    #[test]
    fn a_code_keeps_its_place_and_a_hostile_one_turns_nothing() {
        let exited = beside_in(Arabic, Group::State, "EXITED");
        assert_eq!(exited, "EXITED (خرج من المنفذ)");
        assert_eq!(beside_in(Arabic, Group::State, "X\u{202e}Y"), "X\\u{202e}Y");

        let record = json!({"kind": "passage", "state": "EXITED", "flags": ["DETAINED", "NEW"]});
        let told = record_text_in(Arabic, &record).unwrap();
        assert_eq!(
            told,
            "passage (عبور)\nEXITED (خرج من المنفذ)\nDETAINED (موقوف بموجب حجز قائم)\nNEW"
        );
    }
}
