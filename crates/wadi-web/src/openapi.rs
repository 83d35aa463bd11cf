//! The OpenAPI 3.1 document.

use crate::{
    DraftBody, Problem, Token, bundles, changes, compare, findings, imports, quarantine, records, resyncs, sites,
};
use axum::{http::header, response::IntoResponse};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("opaque").build();
        let components = api.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
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
        sites::issue_token, sites::revoke_token, sites::control
    ),
    components(schemas(Problem, DraftBody, Token)),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Document;

pub(crate) async fn document() -> impl IntoResponse {
    let json = Document::openapi().to_pretty_json().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], json)
}
