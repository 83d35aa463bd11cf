//! The facts behind a finding, in words.

use crate::{moment::Moment, records::record_path};
use serde_json::Value;
use wadi_words::Language;

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
    pub moment: Option<Moment>,
    pub path: Option<String>,
    pub is_code: bool,
    /// How far it is below the first ones, 0 to 3.
    pub depth: usize,
}

/// What a member of the evidence is called.
fn fact_name(language: Language, member: &str) -> String {
    for group in ["findings-fact", "records-member"] {
        let id = format!("{group}-{member}");
        let named = language.sentence(&id, []);
        if named != id {
            return named;
        }
    }

    member.replace('_', " ")
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

    let told = match member {
        "type" => language.event(text),
        "field" => language.field(text),
        "department" => language.department(text),
        "code" => language.problem_title(text),
        "lacks" => {
            let id = format!("findings-lack-{text}");
            let said = language.sentence(&id, []);
            if said == id { text.clone() } else { said }
        }
        _ => text.chars().take(CHARS_MAX).collect(),
    };
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
        assert_eq!(named("left through a gate").depth, 0);
        assert_eq!((named("OF-2").depth, named("<b>").depth), (1, 1));
        assert!(lines.iter().any(|l| l.moment.is_some()));
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
