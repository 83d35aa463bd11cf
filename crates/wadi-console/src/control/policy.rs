//! The policy: what is in force, since when and by whom; a new one as a form.

use super::{
    answers::PolicyRead,
    frame, is_hub, is_operator,
    sign::{Intent, look},
};
use crate::{
    Console, answer, api::Refused, claimed::claim_words, digits::latin, frame::PageFrame,
    moment::Moment, visitor::Visitor,
};
use askama::Template;
use axum::{Form, extract::State, http::StatusCode, response::Response};
use serde_json::{Map, Value, json};

/// Begins the name of a form's field that holds a value of the policy.
const FIELD: &str = "value.";

/// Values that are one of a few words, with the words.
const WORDS: [(&str, &[&str]); 1] = [("signed_decisions", &["none", "warn", "required"])];

/// One value of the policy.
struct PolicyLine {
    key: String,
    name: String,
    text: String,
    default: String,
    is_default: bool,
    kind: PolicyInput,
}

/// How a value is written in a form.
#[derive(PartialEq, Eq)]
enum PolicyInput {
    Number,
    YesNo,
    /// One of a few words, or any where none are known.
    Word(Vec<PolicyWord>),
    /// Anything else, as JSON.
    Json,
}

/// A word that a value may be.
#[derive(PartialEq, Eq)]
struct PolicyWord {
    word: &'static str,
    name: String,
}

#[derive(Template)]
#[template(path = "control_policy.html")]
struct PolicyPage {
    f: PageFrame,
    revision: u64,
    by: Option<String>,
    claim: Option<String>,
    since: Option<Moment>,
    lines: Vec<PolicyLine>,
    may_change: bool,
    problem: Option<Refused>,
}

/// A value of the policy as people read it: text without quotation marks, all else as JSON.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".into(),
        other => other.to_string(),
    }
}

fn input_of(f: &PageFrame, key: &str, value: &Value) -> PolicyInput {
    match value {
        Value::Number(_) => PolicyInput::Number,
        Value::Bool(_) => PolicyInput::YesNo,
        Value::String(_) => {
            let known = WORDS.iter().find(|(of, _)| *of == key);
            let words = known
                .into_iter()
                .flat_map(|(_, words)| words.iter().copied());
            let named = words.map(|word| PolicyWord {
                word,
                name: f.say(&format!("control-policy-word-{word}")),
            });
            PolicyInput::Word(named.collect())
        }
        _ => PolicyInput::Json,
    }
}

/// The lines of the form; what somebody typed stands in place of what is in force.
fn lines(f: &PageFrame, read: &PolicyRead, typed: &[(String, String)]) -> Vec<PolicyLine> {
    let members = read.policy.as_object().into_iter().flatten();
    let line = |(key, value): (&String, &Value)| {
        let default = read.default.get(key).cloned().unwrap_or_default();
        let name = f.say(&format!("control-policy-{key}"));
        let field = format!("{FIELD}{key}");
        let kept = typed.iter().find(|(name, _)| *name == field);
        PolicyLine {
            name: match name.starts_with("control-policy-") {
                true => key.clone(),
                false => name,
            },
            text: kept.map_or_else(|| value_text(value), |(_, text)| text.clone()),
            is_default: default == *value,
            default: value_text(&default),
            kind: input_of(f, key, value),
            key: key.clone(),
        }
    };
    let mut lines: Vec<PolicyLine> = members.map(line).collect();
    // Numbers first: they are what is changed most.
    lines.sort_by_key(|line| line.kind == PolicyInput::Json);
    lines
}

fn page(
    visitor: &Visitor,
    read: PolicyRead,
    typed: &[(String, String)],
    problem: Option<Refused>,
) -> Response {
    let f = frame(visitor, "control-policy");
    let status = match &problem {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    answer::page_with(
        status,
        &PolicyPage {
            lines: lines(&f, &read, typed),
            revision: read.revision,
            claim: claim_words(
                f.language,
                read.by.as_deref().unwrap_or_default(),
                read.by_token.as_deref().unwrap_or_default(),
            ),
            by: read.by,
            since: read.since_ms.map(Moment::of_ms),
            may_change: is_operator(&f) && is_hub(&f),
            problem,
            f,
        },
    )
}

/// The policy in force.
pub(super) async fn show(State(console): State<Console>, visitor: Visitor) -> Response {
    match console.api.get(&visitor.asker, "/v1/policy").await {
        Ok(read) => page(&visitor, read, &[], None),
        Err(refused) => refused.page(&visitor),
    }
}

/// Shows what the form would change, to be signed. What does not read stands in the form again,
/// with the reason.
pub(super) async fn look_at(
    State(console): State<Console>,
    visitor: Visitor,
    Form(typed): Form<Vec<(String, String)>>,
) -> Response {
    let read: PolicyRead = match console.api.get(&visitor.asker, "/v1/policy").await {
        Ok(read) => read,
        Err(refused) => return refused.page(&visitor),
    };
    let based = typed.iter().find(|(name, _)| name == "revision");
    let based = based.and_then(|(_, revision)| revision.parse().ok());

    match patch_of(&visitor, &read, &typed) {
        Err(problem) => page(&visitor, read, &typed, Some(problem)),
        Ok(patch) if patch.is_empty() => {
            let why = visitor.language().sentence("control-policy-same", []);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let problem = Refused::new(visitor.language(), status, "bad_control", why);
            page(&visitor, read, &typed, Some(problem))
        }
        Ok(patch) => {
            let intent = Intent {
                body: json!({"say": "policy", "policy": patch}),
                title: "control-policy-sign",
                warning: "control-policy-warning",
                back: "/console/control/policy",
                revision: based.or(Some(read.revision)),
            };
            look(&console, &visitor, intent).await
        }
    }
}

/// The values that the form has otherwise. A member that an object has no more is the default
/// again, or, where there is none, taken away.
fn patch_of(
    visitor: &Visitor,
    read: &PolicyRead,
    typed: &[(String, String)],
) -> Result<Map<String, Value>, Refused> {
    let mut patch = Map::new();
    for (name, text) in typed {
        let Some(key) = name.strip_prefix(FIELD) else {
            continue;
        };
        let Some(now) = read.policy.get(key) else {
            continue;
        };

        let value = value_typed(now, text.trim()).ok_or_else(|| {
            let language = visitor.language();
            let why = language.sentence("control-policy-unread", [("what", key.into())]);
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Refused::new(language, status, "bad_control", why)
        })?;
        if value != *now {
            patch.insert(key.into(), over(now, value));
        }
    }
    Ok(patch)
}

/// What was typed in the place of a value: a word as it is, all else as JSON.
fn value_typed(now: &Value, text: &str) -> Option<Value> {
    match now {
        Value::String(_) => Some(text.into()),
        Value::Number(_) => serde_json::from_str(&latin(text)).ok(),
        _ => serde_json::from_str(text).ok(),
    }
}

/// A patch that leaves `to` in the place of `now`: what only `now` has is null (RFC 7396).
fn over(now: &Value, to: Value) -> Value {
    let (Value::Object(old), Value::Object(mut new)) = (now, to.clone()) else {
        return to;
    };
    for name in old.keys() {
        new.entry(name).or_insert(Value::Null);
    }
    Value::Object(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_typed_without_quotation_marks() {
        assert_eq!(value_typed(&json!("none"), "warn"), Some(json!("warn")));
        assert_eq!(value_typed(&json!(72), "48"), Some(json!(48)));
        assert_eq!(value_typed(&json!(72), "٤٨"), Some(json!(48)));
        assert_eq!(value_typed(&json!(72), "many"), None);
    }

    #[test]
    fn a_member_that_was_struck_out_is_taken_away() {
        let now = json!({"QAM-TRB": 260, "MAN-MUN": 78});
        let to = json!({"QAM-TRB": 250});
        assert_eq!(over(&now, to), json!({"QAM-TRB": 250, "MAN-MUN": null}));
        assert_eq!(over(&json!(72), json!(48)), json!(48));
    }
}
