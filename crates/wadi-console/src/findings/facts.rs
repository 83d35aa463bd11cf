//! The facts behind a finding, in words.

use super::words::crossing_name;
use crate::{moment::Moment, records::record_path};
use serde_json::Value;
use wadi_words::{Filling, Group, Language};

/// Lines that a page shows; the rest is in the finding's file.
const LINES_MAX: usize = 80;
/// Letters of one value.
const CHARS_MAX: usize = 300;
/// How deep lists and objects are followed.
const DEPTH_MAX: usize = 4;

/// One fact: a name and a value. A value of several is told by the lines after it.
pub(super) struct FactLine {
    pub name: String,
    pub text: String,
    /// The code that the text names.
    pub code: Option<String>,
    pub moment: Option<Moment>,
    pub path: Option<String>,
    pub is_code: bool,
    /// How far it is below the first ones, 0 to 3.
    pub depth: usize,
}

/// What a member of the evidence is called.
fn fact_name(language: Language, member: &str) -> String {
    ["findings-fact", "records-member"]
        .into_iter()
        .find_map(|group| worded(language, group, member))
        .unwrap_or_else(|| member.replace('_', " "))
}

/// What the catalogue says of a name in a group of the console's sentences; none where nothing.
fn worded(language: Language, group: &str, name: &str) -> Option<String> {
    let id = format!("{group}-{}", name.replace(' ', "-"));
    Some(language.sentence(&id, [])).filter(|said| *said != id)
}

/// What a value is called that is a code; none where it is none, or one that nobody knows.
fn code_name(language: Language, member: &str, code: &str) -> Option<String> {
    let group = match member {
        "type" | "after" => Group::Event,
        "field" | "fields" => Group::Field,
        "department" => Group::Department,
        "code" => Group::Problem,
        "rule" => Group::Rule,
        "state" => Group::State,
        "missing" => Group::Kind,
        "lacks" => return worded(language, "records-lack", code),
        "as" => return worded(language, "records-member", code),
        "direction" => return worded(language, "records-word", code),
        "what" => return worded(language, "findings-what", code.trim_start_matches("the ")),
        "to" | "from" | "exit" | "ended_at" | "crossing" | "crossings" => {
            return Some(crossing_name(language, code)).filter(|name| name != code);
        }
        _ => return None,
    };

    language
        .has(group, code)
        .then(|| language.title(group, code))
}

/// A finding's evidence as lines.
pub(super) fn fact_lines(
    language: Language,
    evidence: &Value,
    records: &[String],
) -> Vec<FactLine> {
    let mut out = Vec::new();
    if let Value::Object(all) = evidence {
        for (member, value) in all {
            tell(language, member, value, 0, records, &mut out);
        }
    }

    out.truncate(LINES_MAX);
    out
}

fn tell(
    language: Language,
    member: &str,
    value: &Value,
    depth: usize,
    records: &[String],
    out: &mut Vec<FactLine>,
) {
    if out.len() > LINES_MAX || depth >= DEPTH_MAX || value.is_null() {
        return;
    }

    let name = fact_name(language, member);
    let line = |text: String| FactLine {
        name: name.clone(),
        text,
        code: None,
        moment: None,
        path: None,
        is_code: false,
        depth,
    };
    match value {
        Value::Object(all) => {
            out.push(line(String::new()));
            for (member, value) in all {
                tell(language, member, value, depth + 1, records, out);
            }
        }
        Value::Array(all) if all.iter().any(|v| v.is_object() || v.is_array()) => {
            for one in all {
                tell(language, member, one, depth, records, out);
            }
        }
        Value::Array(all) => {
            for one in all {
                out.push(scalar(language, member, one, records, &line));
            }
        }
        one => out.push(scalar(language, member, one, records, &line)),
    }
}

fn scalar(
    language: Language,
    member: &str,
    value: &Value,
    records: &[String],
    line: &dyn Fn(String) -> FactLine,
) -> FactLine {
    if let (Some(ms), "by_ms") = (value.as_i64(), member) {
        let seconds = Filling::from(ms / 1_000);
        return line(language.sentence("findings-seconds", [("n", seconds)]));
    }

    if let Some(ms) = value.as_i64().filter(|_| member.ends_with("_ms")) {
        return FactLine {
            moment: Some(Moment::of_ms(ms)),
            ..line(String::new())
        };
    }

    let Value::String(text) = value else {
        let flag = value.as_bool();
        let word = flag.map(|yes| if yes { "records-yes" } else { "records-no" });
        return line(word.map_or_else(|| value.to_string(), |id| language.sentence(id, [])));
    };

    if let Some(named) = code_name(language, member, text) {
        return FactLine {
            code: Some(text.clone()),
            ..line(named)
        };
    }

    let told = text.chars().take(CHARS_MAX).collect();
    FactLine {
        path: records.contains(text).then(|| record_path(text, "")),
        is_code: records.contains(text) || is_reference(text),
        ..line(told)
    }
}

/// Whether a text is the reference of an entry, or a hash.
fn is_reference(text: &str) -> bool {
    text.len() >= 24 && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn facts_are_told_by_their_names_and_times_as_times() {
        let evidence = json!({
            "hold": "TRB-H-1", "left_ms": 1_772_341_200_000_i64, "type": "gate.out",
            "claims": [{"officer": "OF-1", "value": "<b>"}, {"officer": "OF-2", "value": 3}],
        });
        let lines = fact_lines(Language::English, &evidence, &["TRB-H-1".into()]);
        let named = |text: &str| lines.iter().find(|l| l.text == text).unwrap();
        assert_eq!(
            named("TRB-H-1").path.as_deref(),
            Some("/console/records/TRB-H-1")
        );
        let gate = named("left through a gate");
        assert_eq!((gate.depth, gate.code.as_deref()), (0, Some("gate.out")));
        assert_eq!((named("OF-2").depth, named("<b>").depth), (1, 1));
        assert!(lines.iter().any(|l| l.moment.is_some()));
    }

    #[test]
    fn codes_are_told_in_the_language_of_the_page_and_stand_beside() {
        let evidence = json!({
            "missing": "customs-entry", "lacks": ["closed check", "of tomorrow"], "to": "QAM",
            "what": "the day", "field": "container.3", "state": "PAID", "as": "witness",
            "code": "no_authority", "by_ms": -7_000,
        });
        let lines = fact_lines(Language::Arabic, &evidence, &[]);
        let told = |code: &str| {
            let line = lines.iter().find(|l| l.code.as_deref() == Some(code));
            line.unwrap_or_else(|| panic!("{code}")).text.clone()
        };
        assert_eq!(told("customs-entry"), "بيان جمركي");
        assert_eq!(told("closed check"), "إغلاق التدقيق");
        assert_eq!(told("QAM"), "القائم");
        assert_eq!(told("the day"), "يوم المنفذ");
        assert_eq!(told("container.3"), "الحاوية \u{2068}3\u{2069}");
        assert_eq!(told("PAID"), "مدفوع الرسوم");
        assert_eq!(told("no_authority"), "لا صلاحية لهذا الإجراء");
        assert!(!told("witness").is_ascii());

        // An adjudication's code is a number, and a length of time no moment.
        let unknown = lines
            .iter()
            .find(|l| l.text == "of tomorrow")
            .expect("told");
        assert_eq!(unknown.code, None);
        let by = lines.iter().find(|l| l.text.contains("-7")).expect("told");
        assert!(by.moment.is_none() && by.text.contains('ث'));
    }

    #[test]
    fn evidence_without_an_end_is_told_to_a_bound() {
        let mut deep = json!({"x": 1});
        for _ in 0..100 {
            deep = json!({ "x": [deep, {"y": "ع".repeat(10_000)}] });
        }
        let wide = json!({"claims": vec!["x"; 10_000], "deep": deep});
        let lines = fact_lines(Language::Arabic, &wide, &[]);
        assert_eq!(lines.len(), LINES_MAX);
    }
}
