//! Saying a control fact in two steps: what it would change is shown first, and signed then.

use super::{answers::ControlRead, answers::PolicyRead, frame, policy::value_text};
use crate::{
    Console, answer, answer::see_other, api::Refused, frame::PageFrame, values, visitor::Visitor,
};
use askama::Template;
use axum::{Form, extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Lines of an effect that are shown at most; how many more there are is said.
const LINES_MAX: usize = 200;

/// One line of what a control fact would change.
pub(super) struct EffectLine {
    /// What changes.
    pub key: String,
    /// What it is now, where something is replaced.
    pub from: Option<String>,
    /// What it would be.
    pub to: String,
}

/// What a control fact would change, to be signed or left.
#[derive(Template)]
#[template(path = "control_sign.html")]
struct SignPage {
    f: PageFrame,
    warning: String,
    lines: Vec<EffectLine>,
    more: usize,
    is_difference: bool,
    body: String,
    revision: String,
    back: &'static str,
}

/// What is to be said, and where the visitor comes from.
pub(super) struct Intent {
    /// The body of `/v1/control`.
    pub body: Value,
    /// The sentence that is the page's title.
    pub title: &'static str,
    /// The sentence that warns of what cannot be taken back.
    pub warning: &'static str,
    /// Where it goes on afterwards.
    pub back: &'static str,
    /// The policy's revision that it was made on.
    pub revision: Option<u64>,
}

/// Shows what it would change, with a form that signs it.
pub(super) async fn look(console: &Console, visitor: &Visitor, intent: Intent) -> Response {
    let path = "/v1/control?dry_run=true";
    let asked = console
        .api
        .post::<ControlRead>(&visitor.asker, path, &intent.body, None)
        .await;
    let would = match asked {
        Ok(read) => read.would,
        Err(refused) => return refused.page(visitor),
    };

    let f = frame(visitor, intent.title);
    let is_difference = would["change"] == "policy";
    let mut lines = match is_difference {
        true => difference_lines(&would["values"]),
        false => effect_lines(&f, &would),
    };
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);

    let mut warning = f.say(intent.warning);
    let told = would["warnings"].as_array().into_iter().flatten();
    for why in told.filter_map(Value::as_str) {
        warning += &format!(" {why}.");
    }

    answer::page(&SignPage {
        warning,
        lines,
        more,
        is_difference,
        body: intent.body.to_string(),
        revision: intent.revision.map_or_else(String::new, |r| r.to_string()),
        back: intent.back,
        f,
    })
}

fn difference_lines(changed: &Value) -> Vec<EffectLine> {
    let line = |change: &Value| EffectLine {
        key: change["key"].as_str().unwrap_or_default().into(),
        from: Some(value_text(&change["from"])),
        to: value_text(&change["to"]),
    };
    changed.as_array().into_iter().flatten().map(line).collect()
}

/// Members of an effect that are sentences of the interface, which the page's warning says in the
/// visitor's language; and what only names the kind of change.
const NOT_SHOWN: [&str; 5] = [
    "change",
    "entries_that_stop_counting",
    "from_when",
    "warnings",
    "what",
];

/// Members of an effect, each in a line, those of a list each in its own. Whom it is about comes
/// first, and long lists last.
fn effect_lines(f: &PageFrame, would: &Value) -> Vec<EffectLine> {
    let members = would.as_object().into_iter().flatten();
    let mut shown: Vec<(&String, &Value)> = members
        .filter(|(key, value)| !NOT_SHOWN.contains(&key.as_str()) && !value.is_null())
        .collect();
    shown.sort_by_key(|(key, value)| (*key != "node", value.is_array()));

    shown
        .into_iter()
        .flat_map(|(key, value)| {
            let line = |value: &Value| EffectLine {
                key: f.say(&format!("control-effect-{key}")),
                from: None,
                to: effect_text(f, value),
            };
            match value.as_array() {
                Some(list) => list.iter().map(line).collect::<Vec<_>>(),
                None => vec![line(value)],
            }
        })
        .collect()
}

/// A value of an effect in words; of an object, its values beside each other.
fn effect_text(f: &PageFrame, value: &Value) -> String {
    match value {
        Value::Bool(true) => f.say("control-yes"),
        Value::Bool(false) => f.say("control-no"),
        Value::Object(members) if members.contains_key("supervisor") => officer_text(f, members),
        Value::Object(members) => {
            let said = members.values().filter(|v| {
                v.as_str().is_some_and(|text| !text.is_empty()) || v.is_number() || v.is_array()
            });
            let said: Vec<String> = said.map(|v| effect_text(f, v)).collect();
            said.join(" · ")
        }
        Value::Array(list) => {
            let said: Vec<String> = list.iter().map(|v| effect_text(f, v)).collect();
            said.join(" ")
        }
        other => value_text(other),
    }
}

/// A registration: whose it is, for which department and where, and whether it stands.
fn officer_text(f: &PageFrame, officer: &Map<String, Value>) -> String {
    let text = |member: &str| {
        officer
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let is = |member: &str| officer.get(member) == Some(&Value::Bool(true));
    let crossing = match text("crossing") {
        "" => f.say("control-any"),
        code => f.crossing(code),
    };
    let rank = match is("supervisor") {
        true => f.say("control-supervisor"),
        false => String::new(),
    };
    let standing = match is("revoked") {
        true => f.say("control-revoked"),
        false => f.say("control-registered"),
    };

    let said = [
        String::from(text("officer")),
        String::from(text("name")),
        f.language.department(text("department")),
        crossing,
        rank,
        standing,
    ];
    let said: Vec<String> = said.into_iter().filter(|word| !word.is_empty()).collect();
    said.join(" · ")
}

/// What was shown, and is signed now.
#[derive(Deserialize)]
pub(super) struct SignForm {
    body: String,
    back: String,
    #[serde(default)]
    revision: String,
}

/// Says it. A policy that somebody else changed meanwhile is not written over unseen.
pub(super) async fn sign(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<SignForm>,
) -> Response {
    match say(&console, &visitor, &form).await {
        Ok(()) => see_other(values::own_path(&form.back)),
        Err(refused) => refused.page(&visitor),
    }
}

async fn say(console: &Console, visitor: &Visitor, form: &SignForm) -> Result<(), Refused> {
    let refuse = |status, code: &str, why: &str| {
        let detail = visitor.language().sentence(why, []);
        Refused::new(visitor.language(), status, code, detail)
    };
    let body: Value = serde_json::from_str(&form.body)
        .map_err(|_| refuse(StatusCode::BAD_REQUEST, "bad_control", "control-not-read"))?;

    if let Ok(revision) = form.revision.parse::<u64>() {
        let now: PolicyRead = console.api.get(&visitor.asker, "/v1/policy").await?;
        if now.revision != revision {
            let (status, why) = (StatusCode::CONFLICT, "control-policy-changed");
            return Err(refuse(status, "policy_changed", why));
        }
    }

    let written = console
        .api
        .post::<Value>(&visitor.asker, "/v1/control", &body, None);
    written.await.map(drop)
}
