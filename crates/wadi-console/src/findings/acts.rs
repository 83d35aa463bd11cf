//! What is done with findings: forms of the queue, of a finding's page, and of cases.

use super::{
    FindingRights, QUEUE,
    answers::{AssignedTold, SeenFinding},
    finding::{self, TypedAct, api_path},
    finding_path, queue,
};
use crate::{
    Console,
    answer::see_other,
    api::{Raw, Refused},
    values::{own_path, query_escaped},
    visitor::Visitor,
};
use axum::{
    Form,
    extract::{Path, State},
    response::Response,
};
use serde_json::{Value, json};
use wadi_words::Filling;

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;
/// Hours for which a firm finding is put aside where nothing else is named.
const SNOOZE_HOURS: i64 = 24;

/// The fields of a form, in the order in which they came: a name may come several times.
pub(crate) struct FormFields(Vec<(String, String)>);

impl FormFields {
    fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, value)| value.trim())
    }

    fn all(&self, name: &str) -> Vec<String> {
        let of_name = self.0.iter().filter(|(n, _)| n == name);
        of_name.map(|(_, value)| value.clone()).collect()
    }
}

/// Where a form leads back to.
fn back_of(form: &FormFields) -> &str {
    match form.get("back") {
        "" => QUEUE,
        back => own_path(back),
    }
}

/// The query of a path.
fn query_of(path: &str) -> Option<&str> {
    path.split_once('?').map(|(_, query)| query)
}

/// Gives findings to somebody: those that are ticked, or the one whose button was pressed, to the
/// visitor.
pub(crate) async fn assign(
    State(console): State<Console>,
    visitor: Visitor,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    let form = FormFields(pairs);
    let rights = FindingRights::of(&visitor);
    let one = form.get("one");
    let (findings, to) = match one {
        "" => (form.all("finding"), form.get("to").to_string()),
        one => (vec![one.to_string()], String::new()),
    };
    let to = match to.as_str() {
        "" => rights.own.clone(),
        _ => to,
    };

    let back = back_of(&form);
    let language = visitor.language();
    let refuse = |code: &str, name: &str| {
        Refused::new(
            language,
            axum::http::StatusCode::UNPROCESSABLE_ENTITY,
            code,
            language.sentence(name, []),
        )
    };
    let refused = match (findings.is_empty(), to.is_empty()) {
        (true, _) => Some(refuse("nothing_chosen", "findings-nothing-chosen")),
        (false, true) => Some(refuse("no_officer", "findings-name-somebody")),
        (false, false) => None,
    };
    if let Some(refused) = refused {
        return told_back(&console, &visitor, back, refused).await;
    }

    let mut body = json!({"findings": findings, "to": to});
    if rights.names_officer {
        body["officer"] = form.get("officer").into();
    }
    let path = "/v1/findings/assign";
    match console
        .api
        .post::<AssignedTold>(&visitor.asker, path, &body, None)
        .await
    {
        Ok(told) if told.refused.is_empty() => see_other(back),
        Ok(told) => queue::page(&console, &visitor, query_of(back), None, told.refused).await,
        Err(refused) => told_back(&console, &visitor, back, refused).await,
    }
}

/// The queue with what was refused, where the visitor came from it; else a page of its own.
async fn told_back(console: &Console, visitor: &Visitor, back: &str, refused: Refused) -> Response {
    let is_queue = back == QUEUE || back.starts_with(&format!("{QUEUE}?"));
    match is_queue && refused.status != 401 {
        true => queue::page(console, visitor, query_of(back), Some(refused), Vec::new()).await,
        false => refused.page(visitor),
    }
}

/// The body of an act, of the fields of its form.
fn act_body(form: &FormFields) -> Value {
    let optional = |name: &str| match form.get(name) {
        "" => Value::Null,
        text => text.into(),
    };
    let (reason, version) = (form.get("reason"), optional("version"));
    match form.get("act") {
        "propose" => json!({
            "act": "propose", "waive": form.get("waive") == "yes", "reason": reason,
            "version": version,
        }),
        "reject" => json!({
            "act": "decide", "approve": false, "reason": reason, "version": version,
        }),
        "undo" => json!({
            "act": "undo", "event": optional("event"), "reason": reason, "version": version,
        }),
        _ => json!({
            "act": "decide", "approve": true, "disposition": optional("disposition"),
            "duplicate_of": optional("duplicate_of"), "reason": reason, "version": version,
        }),
    }
}

/// Proposes, decides or undoes. What was refused is told on the finding's page, as it stands now,
/// with what was typed.
pub(crate) async fn act(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    let form = FormFields(pairs);
    let path = api_path(&id, "/acts");
    let body = act_body(&form);
    match console
        .api
        .post::<Value>(&visitor.asker, &path, &body, None)
        .await
    {
        Ok(_) if form.get("back").is_empty() => see_other(&finding_path(&id)),
        Ok(_) => see_other(back_of(&form)),
        Err(refused) if refused.status == 401 => refused.page(&visitor),
        Err(refused) => {
            let typed = TypedAct {
                act: form.get("act").into(),
                reason: form.get("reason").into(),
                disposition: form.get("disposition").into(),
                duplicate_of: form.get("duplicate_of").into(),
                waive: form.get("waive") == "yes",
                back: form.get("back").into(),
            };
            finding::page(&console, &visitor, &id, typed, Some(refused)).await
        }
    }
}

/// Puts a finding aside, or takes it up again: until what it waits for has come, or for some hours
/// of the hub's time.
pub(crate) async fn snooze(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    let form = FormFields(pairs);
    let done = match form.get("until") {
        "now" => console
            .api
            .delete(&visitor.asker, &api_path(&id, "/snooze"))
            .await
            .map(|_: Raw| ()),
        until => put_aside(&console, &visitor, &id, until).await,
    };
    match done {
        Ok(()) => see_other(back_of(&form)),
        Err(refused) if refused.status == 401 => refused.page(&visitor),
        Err(refused) => {
            let typed = TypedAct {
                back: form.get("back").into(),
                ..TypedAct::default()
            };
            finding::page(&console, &visitor, &id, typed, Some(refused)).await
        }
    }
}

async fn put_aside(
    console: &Console,
    visitor: &Visitor,
    id: &str,
    until: &str,
) -> Result<(), Refused> {
    let found: SeenFinding = console.api.get(&visitor.asker, &api_path(id, "")).await?;
    let wait = found.waits_for.filter(|_| found.phase == "PENDING");
    let body = match (until.parse::<i64>(), wait) {
        (Err(_), Some(wait)) => {
            json!({"crossings": wait.crossings, "through_ms": wait.through_ms})
        }
        (hours, _) => {
            let hours = hours.unwrap_or(SNOOZE_HOURS).clamp(1, 24 * 30);
            let through_ms = visitor.who.now_ms.saturating_add(hours * HOUR_MS);
            json!({"crossings": ["HUB"], "through_ms": through_ms})
        }
    };
    let path = api_path(id, "/snooze");
    console
        .api
        .post::<Value>(&visitor.asker, &path, &body, None)
        .await
        .map(|_| ())
}

/// Saves the view, or forgets one.
pub(crate) async fn arrange_views(
    State(console): State<Console>,
    visitor: Visitor,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Response {
    let form = FormFields(pairs);
    let back = back_of(&form);
    let done = match form.get("forget") {
        "" => {
            let body = json!({"name": form.get("name"), "query": form.get("query")});
            let path = "/v1/findings/desk/views";
            console
                .api
                .post::<Value>(&visitor.asker, path, &body, None)
                .await
                .map(|_| ())
        }
        name => {
            let path = format!("/v1/findings/desk/views/{}", query_escaped(name));
            let gone = console.api.delete(&visitor.asker, &path).await;
            gone.map(|_: Raw| ())
        }
    };
    match done {
        Ok(()) => see_other(back),
        Err(refused) => told_back(&console, &visitor, back, refused).await,
    }
}

impl super::answers::NotAssignedTold {
    /// What was refused, in the visitor's language.
    pub(super) fn told(&self, language: wadi_words::Language) -> String {
        let title = language.problem_title(&self.code);
        language.sentence(
            "findings-not-assigned-line",
            [
                ("what", Filling::from(title)),
                ("why", Filling::from(self.why.as_str())),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> FormFields {
        let owned = |(n, v): &(&str, &str)| (n.to_string(), v.to_string());
        FormFields(pairs.iter().map(owned).collect())
    }

    #[test]
    fn an_act_is_said_with_the_version_that_was_shown() {
        let decided = act_body(&form(&[
            ("act", "approve"),
            ("disposition", "duplicate"),
            ("duplicate_of", " ab "),
            ("version", "e.1"),
        ]));
        assert_eq!(decided["version"], "e.1");
        assert_eq!(decided["duplicate_of"], "ab");
        assert_eq!(decided["approve"], true);
        assert_eq!(act_body(&form(&[("act", "reject")]))["approve"], false);
        // Nothing chosen is sent as nothing, and refused there.
        assert_eq!(
            act_body(&form(&[("act", "approve")]))["disposition"],
            Value::Null
        );
    }

    #[test]
    fn forms_lead_back_into_the_console_alone() {
        assert_eq!(back_of(&form(&[("back", "//evil.example")])), "/console");
        assert_eq!(back_of(&form(&[])), QUEUE);
    }
}
