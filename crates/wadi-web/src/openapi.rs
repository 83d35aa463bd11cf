//! The OpenAPI 3.1 document.

use crate::{
    DraftBody, Problem, Token, bundles, changes, compare, findings, imports, quarantine, records,
    resyncs, sites,
};
use axum::{
    http::{StatusCode, header},
    response::IntoResponse,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        RefOr, Response,
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
            let operations = [
                &mut path.get,
                &mut path.post,
                &mut path.put,
                &mut path.patch,
                &mut path.delete,
            ];

            for operation in operations.into_iter().flatten() {
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
struct Answers;

impl Modify for Answers {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for path in api.paths.paths.values_mut() {
            let operations = [
                &mut path.get,
                &mut path.post,
                &mut path.put,
                &mut path.patch,
                &mut path.delete,
            ];

            for operation in operations.into_iter().flatten() {
                for (status, answer) in &mut operation.responses.responses {
                    if let RefOr::T(answer) = answer {
                        describe(status, answer);
                    }
                }
            }
        }
    }
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
        records::list, records::create, records::show, records::append, records::history, records::evidence,
        changes::changes, compare::page, compare::logs, compare::root, compare::record,
        bundles::plan, bundles::part, bundles::import, bundles::receipt,
        imports::import, quarantine::list, resyncs::list, resyncs::show, resyncs::plan, resyncs::act, resyncs::verify, sites::sites, findings::list, findings::show,
        findings::act, findings::assign, findings::recheck, sites::refusals, sites::healthz, sites::readyz, sites::tokens,
        sites::issue_token, sites::revoke_token, sites::control, sites::device_anew
    ),
    components(schemas(Problem, DraftBody, Token)),
    modifiers(&Bearer, &Names, &Answers),
    security(("bearer" = []))
)]
struct Document;

pub(crate) async fn document() -> impl IntoResponse {
    let json = Document::openapi().to_pretty_json().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], json)
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
    fn operations_have_names_of_their_own_and_references_lead_somewhere() {
        let text = Document::openapi().to_json().unwrap();
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
