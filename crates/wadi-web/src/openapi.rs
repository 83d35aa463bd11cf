//! The OpenAPI 3.1 document.

use crate::{
    DraftBody, Problem, Token, accounts, authority, bundles, changes, compare, control, country,
    day, differences, finding_acts, finding_cases, finding_desk, findings, imports, in_force,
    language, live, looks, members, metrics, quarantine, record_files, record_lists, records,
    refusals, release_tokens, resyncs, sites, statements, tokens, whoami,
};
use axum::{
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Map, Value as Json, json};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ContentBuilder, PathItem, Ref, RefOr, Response, ResponseBuilder,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("opaque")
            .build();
        let components = api.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

/// Names each operation by its tag and its function: two functions of one name are two operations.
struct Names;

impl Modify for Names {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for path in api.paths.paths.values_mut() {
            for operation in operations_of(path) {
                let tag = operation
                    .tags
                    .iter()
                    .flatten()
                    .next()
                    .cloned()
                    .unwrap_or_default();

                let name = operation.operation_id.take().unwrap_or_default();
                operation.operation_id = Some(format!("{tag}_{name}"));
            }
        }
    }
}

/// Says of each answer what it is, as the standard asks for, and of problems that they are
/// problems.
struct AnswerTexts;

impl Modify for AnswerTexts {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for path in api.paths.paths.values_mut() {
            for operation in operations_of(path) {
                for (status, answer) in &mut operation.responses.responses {
                    if let RefOr::T(answer) = answer {
                        describe(status, answer);
                    }
                }
            }
        }
    }
}

/// What every operation has in common: who asks without a token that holds is told so, and whatever
/// else goes wrong is a problem, too. Those of health and of signing in ask for no token.
struct CommonAnswers;

impl Modify for CommonAnswers {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for path in api.paths.paths.values_mut() {
            for operation in operations_of(path) {
                let mut tags = operation.tags.iter().flatten();
                let is_open = tags.any(|tag| tag == "health" || tag == "sign-in");
                let answers = &mut operation.responses.responses;
                if is_open {
                    operation.security = Some(Vec::new());
                } else {
                    let unauthorised = problem_answer("no token that is known here, or that holds");
                    answers.insert("401".into(), unauthorised);
                }

                let other = problem_answer("anything else that goes wrong: its `code` says what");
                answers.insert("default".into(), other);
            }
        }
    }
}

fn problem_answer(description: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name("Problem");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let answer = ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content);
    RefOr::T(answer.build())
}

/// The operations of a path.
fn operations_of(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let operations = [
        &mut path.get,
        &mut path.post,
        &mut path.put,
        &mut path.patch,
        &mut path.delete,
    ];

    operations.into_iter().flatten()
}

fn describe(status: &str, answer: &mut Response) {
    if answer.description.is_empty() {
        let known = status
            .parse()
            .ok()
            .and_then(|code: u16| StatusCode::from_u16(code).ok()?.canonical_reason());
        answer.description = known.unwrap_or("an answer").to_lowercase();
    }

    if !status.starts_with('2')
        && let Some(problem) = answer.content.shift_remove("application/json")
    {
        answer
            .content
            .insert("application/problem+json".into(), problem);
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "wadi", description = "Records of border crossings, kept in step."),
    paths(
        record_lists::list, record_files::file, records::create, records::show,
        records::append, records::history,
        records::document,
        records::evidence, records::related, records::verification, changes::changes, live::live,
        compare::page, compare::logs, compare::root, compare::record,
        differences::differences,
        country::checkpoint, country::vkeys, country::tile, country::proofs,
        bundles::plan, bundles::part, bundles::import, bundles::acts, bundles::receipt,
        imports::import, quarantine::list,
        resyncs::list, resyncs::show, resyncs::plan, resyncs::act, resyncs::verify,
        sites::sites, sites::contacts, findings::list, findings::show, finding_acts::act,
        statements::draft_statement, statements::act_statement,
        finding_acts::assign,
        findings::recheck, finding_desk::desk, finding_desk::save_view, finding_desk::forget_view,
        finding_desk::snooze, finding_desk::wake, finding_cases::cases, finding_cases::case,
        finding_cases::statistics, refusals::refusals, refusals::dismiss,
        sites::healthz, sites::readyz, metrics::metrics, tokens::tokens,
        tokens::reads,
        tokens::issue_token, tokens::revoke_token, tokens::device_anew,
        release_tokens::release_tokens, release_tokens::issue_release_token, control::control,
        in_force::policy, in_force::officers, members::members, members::acts, language::words,
        whoami::whoami,
        authority::authority, day::day,
        accounts::invite, accounts::accounts, accounts::act, accounts::remove, accounts::sign_ins,
        accounts::sessions::sign_in, accounts::sessions::show_invitation,
        accounts::sessions::accept_invitation, accounts::sessions::sessions,
        accounts::sessions::end_session, accounts::sessions::change_password,
        accounts::sessions::own_link, accounts::sessions::choose_language,
        accounts::passkeys::routes::sign_in_ways, accounts::passkeys::routes::sign_in_challenge,
        accounts::passkeys::routes::passkeys, accounts::passkeys::routes::passkey_challenge,
        accounts::passkeys::routes::add_passkey, accounts::passkeys::routes::remove_passkey,
        looks::looks, looks::read_whole
    ),
    components(schemas(Problem, DraftBody, Token)),
    modifiers(&Bearer, &Names, &AnswerTexts, &CommonAnswers),
    security(("bearer" = []))
)]
struct ApiDocument;

pub(crate) async fn document() -> impl IntoResponse {
    let json = serde_json::to_string_pretty(&whole()).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], json)
}

/// The routes, and every event and field as the tables have them: `event.TYPE`, and `fields.KIND`
/// for each kind of record.
fn whole() -> Json {
    let mut document = serde_json::to_value(ApiDocument::openapi()).unwrap_or_default();
    let tables = wadi_record::schema::json();
    let rows = |table: &str| tables[table].as_object().cloned().unwrap_or_default();

    let mut types = Vec::new();
    let schemas = &mut document["components"]["schemas"];
    for (name, event) in rows("events") {
        types.push(json!({"$ref": format!("#/components/schemas/event.{name}")}));
        schemas[format!("event.{name}")] = event;
    }
    for (kind, fields) in rows("fields") {
        let fields = fields.as_object().cloned().unwrap_or_default();
        schemas[format!("fields.{kind}")] = fields_schema(&fields);
    }

    schemas["Event"] = json!({
        "description": "One event of a record, of one of these types.",
        "oneOf": types,
    });

    let events = &mut schemas["DraftBody"]["properties"]["events"];
    events["items"] = json!({"$ref": "#/components/schemas/Event"});

    document
}

/// The fields of a kind of record. `N` in a name stands for any number from 1 to 999.
fn fields_schema(fields: &Map<String, Json>) -> Json {
    let (mut named, mut numbered) = (Map::new(), Map::new());
    for (name, field) in fields {
        if name.split('.').any(|part| part == "N") {
            let parts = name.split('.').map(|part| match part {
                "N" => "[1-9][0-9]{0,2}",
                part => part,
            });
            let pattern = parts.collect::<Vec<_>>().join("\\.");
            numbered.insert(format!("^{pattern}$"), field.clone());
        } else {
            named.insert(name.clone(), field.clone());
        }
    }

    json!({
        "type": "object",
        "properties": named,
        "patternProperties": numbered,
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn references<'v>(value: &'v Value, out: &mut BTreeSet<&'v str>) {
        match value {
            Value::Object(map) => {
                out.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|v| references(v, out));
            }
            Value::Array(list) => list.iter().for_each(|v| references(v, out)),
            _ => {}
        }
    }

    #[test]
    fn every_event_and_field_is_described() {
        let document = whole();
        let schemas = &document["components"]["schemas"];
        for event in wadi_record::EVENTS {
            let described = &schemas[format!("event.{}", event.name)];
            assert_eq!(described["properties"]["type"]["const"], event.name);
        }

        for field in wadi_record::FIELDS {
            for kind in field.kinds {
                let of_kind = &schemas[format!("fields.{}", kind.name())];
                let pattern = format!("^{}$", field.name.replace('.', "\\."))
                    .replace("\\.N", "\\.[1-9][0-9]{0,2}");
                let described = [
                    &of_kind["properties"][field.name],
                    &of_kind["patternProperties"][pattern],
                ];
                assert!(described.iter().any(|d| d.is_object()), "{}", field.name);
            }
        }
    }

    #[test]
    fn operations_have_names_of_their_own_and_references_lead_somewhere() {
        let text = serde_json::to_string(&whole()).unwrap();
        if let Some(file) = std::env::var_os("WADI_OPENAPI_OUT") {
            std::fs::write(file, &text).unwrap();
        }

        let document: Value = serde_json::from_str(&text).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let operations: Vec<&str> = paths
            .values()
            .flat_map(|path| path.as_object().unwrap().values())
            .filter_map(|operation| operation["operationId"].as_str())
            .collect();

        assert_eq!(
            operations.iter().collect::<BTreeSet<_>>().len(),
            operations.len(),
            "{operations:?}"
        );

        let answers = paths
            .values()
            .flat_map(|p| p.as_object().unwrap().values())
            .filter_map(|o| o["responses"].as_object());

        for (status, answer) in answers.flatten() {
            assert!(
                answer["description"]
                    .as_str()
                    .is_some_and(|d| !d.is_empty()),
                "{status} {answer}"
            );

            assert!(
                status.starts_with('2') || answer["content"]["application/json"].is_null(),
                "{status} {answer}"
            );
        }

        let mut found = BTreeSet::new();
        references(&document, &mut found);

        for reference in found {
            let at = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(at).is_some(), "{reference}");
        }
    }
}
