//! The HTTP porch: the record API, and the spool directory of machines that can only write files.
//!
//! Loopback by default. Errors are RFC 9457 problems with stable codes; writes take
//! `Idempotency-Key`; bearer tokens say which officer and department, or which device, is speaking.

// What others wrote is cut between letters: a cut inside a letter of two bytes is a panic.
#![deny(clippy::string_slice)]

mod accounts;
mod answers;
mod auth;
mod authority;
mod body;
mod bundles;
mod changes;
mod compare;
mod control;
mod country;
mod cuts;
mod day;
mod differences;
mod filters;
mod finding_acts;
mod finding_cases;
mod finding_desk;
mod findings;
mod foresee;
mod head_refusals;
mod import_edits;
mod imports;
mod in_force;
mod language;
mod limits;
mod live;
mod looks;
mod members;
mod metrics;
mod openapi;
mod pages;
mod policy;
mod problem;
mod proof;
mod quarantine;
mod queries;
mod read_grant;
mod reading;
mod record_files;
mod record_lists;
mod records;
mod refusals;
mod release_tokens;
mod resyncs;
mod search;
mod serve;
mod settle;
mod sites;
mod spool;
mod spool_place;
mod statements;
mod strict;
mod tokens;
mod whoami;
mod whole_numbers;
mod written;

pub use accounts::{PasskeyOrigins, SessionOf, tell_copied_passkeys};
pub use auth::{Token, TokenScope, hash_token, new_token};
pub use body::{DraftBody, operation_writes};
pub use import_edits::OperationKeys;
pub use problem::{Problem, problem_of};
pub use read_grant::{LookoutGrant, ReadGrant};
pub use record_files::no_formula;
pub use serve::{Limits, serve};
pub use spool::run_spool;
pub use spool_place::{SpoolPlace, SpoolSpeaker};
pub use strict::{decode_text, parse_json, parse_object, wide_to_utf8};

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    middleware::{from_fn, from_fn_with_state, map_response},
    routing::{delete, get, post},
};
use std::sync::Arc;
use wadi_node::Node;

/// Bytes of a request's body at most, but for imports.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Bytes of an import's body at most.
pub const IMPORT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of a bundle's part at most, and of a request that holds a receipt.
pub const PART_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a standby answers until it takes over: alive, and not ready.
pub fn standby_router() -> Router {
    Router::new()
        .route("/healthz", get(sites::standby_healthz))
        .fallback(problem::standing_by)
        .layer(from_fn(language::problems_in_words))
}

/// The one table of routes. Passkeys are offered at these origins, and at none where there are
/// none.
pub fn router(node: Arc<Node>, passkeys: Option<PasskeyOrigins>) -> Router {
    let desk = Arc::new(accounts::passkeys::PasskeyDesk::new(passkeys));
    let imports = Router::new()
        .route("/v1/imports", post(imports::import))
        .layer(DefaultBodyLimit::max(IMPORT_BYTES_MAX))
        .with_state(node.clone());
    let bundles = Router::new()
        .route("/v1/bundles", post(bundles::plan))
        .route("/v1/bundles/import", post(bundles::import))
        .route("/v1/bundles/acts", get(bundles::acts))
        .route("/v1/bundles/receipt", get(bundles::receipt))
        .route("/v1/bundles/{id}/parts/{part}", get(bundles::part))
        .layer(DefaultBodyLimit::max(PART_BYTES_MAX))
        .with_state(node.clone());

    Router::new()
        .route("/v1/records", get(record_lists::list).post(records::create))
        .route("/v1/records/file", get(record_files::file))
        .route("/v1/records/{id}", get(records::show))
        .route("/v1/records/{id}/events", post(records::append))
        .route("/v1/records/{id}/history", get(records::history))
        .route("/v1/records/{id}/document", get(records::document))
        .route("/v1/records/{id}/evidence", get(records::evidence))
        .route("/v1/records/{id}/country", get(country::proofs))
        .route("/v1/records/{id}/related", get(records::related))
        .route("/v1/records/{id}/verification", get(records::verification))
        .route("/v1/changes", get(changes::changes))
        .route("/v1/findings", get(findings::list))
        .route("/v1/findings/assign", post(finding_acts::assign))
        .route("/v1/findings/recheck", post(findings::recheck))
        .route("/v1/findings/desk", get(finding_desk::desk))
        .route("/v1/findings/desk/views", post(finding_desk::save_view))
        .route(
            "/v1/findings/desk/views/{name}",
            delete(finding_desk::forget_view),
        )
        .route("/v1/findings/cases", get(finding_cases::cases))
        .route("/v1/findings/cases/{kind}/{key}", get(finding_cases::case))
        .route("/v1/findings/statistics", get(finding_cases::statistics))
        .route("/v1/findings/{id}", get(findings::show))
        .route(
            "/v1/findings/{id}/snooze",
            post(finding_desk::snooze).delete(finding_desk::wake),
        )
        .route("/v1/findings/{id}/acts", post(finding_acts::act))
        .merge(statement_routes())
        .merge(sites_routes())
        .merge(accounts_routes())
        .route("/v1/reads", get(tokens::reads))
        .route("/v1/devices/anew", post(tokens::device_anew))
        .route(
            "/v1/release-tokens",
            get(release_tokens::release_tokens).post(release_tokens::issue_release_token),
        )
        .route("/v1/control", post(control::control))
        .route("/v1/policy", get(in_force::policy))
        .route("/v1/officers", get(in_force::officers))
        .route("/v1/members", get(members::members))
        .route("/v1/members/acts", get(members::acts))
        .route("/v1/whoami", get(whoami::whoami))
        .route("/v1/authority", get(authority::authority))
        .route("/v1/day", get(day::day))
        .route("/v1/words", get(language::words))
        .route("/healthz", get(sites::healthz))
        .route("/readyz", get(sites::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/openapi.json", get(openapi::document))
        .merge(country_routes())
        .fallback(problem::not_found)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(node.clone())
        .merge(imports)
        .merge(bundles)
        .layer(Extension(desk))
        .layer(from_fn(records::keys_are_heeded))
        .layer(from_fn_with_state(node, looks::looks_are_kept))
        .layer(from_fn(queries::queries_are_text))
        .layer(map_response(problem::every_error_is_a_problem))
        .layer(from_fn(language::problems_in_words))
}

/// The country log, as any witness or monitor reads it.
fn country_routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/tlog/checkpoint", get(country::checkpoint))
        .route("/tlog/vkeys", get(country::vkeys))
        .route("/tlog/tile/{*path}", get(country::tile))
}

/// What officers' own keys sign.
fn statement_routes() -> Router<Arc<Node>> {
    use statements::{act_statement, draft_statement};
    Router::new()
        .route("/v1/records/{id}/statement", post(draft_statement))
        .route("/v1/findings/{id}/statement", post(act_statement))
}

/// How nodes stand, in what they differ, what was refused, and what mends them.
fn sites_routes() -> Router<Arc<Node>> {
    Router::new()
        .route("/v1/live", get(live::live))
        .route("/v1/sites", get(sites::sites))
        .route("/v1/sites/{site}/contacts", get(sites::contacts))
        .route("/v1/quarantine", get(quarantine::list))
        .route("/v1/resyncs", get(resyncs::list).post(resyncs::plan))
        .route("/v1/resyncs/{id}", get(resyncs::show))
        .route("/v1/resyncs/{id}/{act}", post(resyncs::act))
        .route("/v1/verify/{peer}", get(resyncs::verify))
        .route("/v1/refusals", get(refusals::refusals))
        .route("/v1/refusals/dismiss", post(refusals::dismiss))
        .route("/v1/differences/{peer}", get(differences::differences))
        .route("/v1/compare", get(compare::page))
        .route("/v1/compare/logs", get(compare::logs))
        .route("/v1/compare/root", get(compare::root))
        .route("/v1/compare/{id}", get(compare::record))
}

/// Who signs in, with what, and who looked.
fn accounts_routes() -> Router<Arc<Node>> {
    use accounts::{passkeys::routes as passkeys, sessions};
    Router::new()
        .route("/v1/accounts", get(accounts::accounts))
        .route("/v1/accounts/invitations", post(accounts::invite))
        .route("/v1/accounts/{account}", delete(accounts::remove))
        .route("/v1/accounts/{account}/{act}", post(accounts::act))
        .route("/v1/invitations/show", post(sessions::show_invitation))
        .route("/v1/invitations/accept", post(sessions::accept_invitation))
        .route(
            "/v1/sessions",
            get(sessions::sessions).post(sessions::sign_in),
        )
        .route("/v1/sessions/ways", get(passkeys::sign_in_ways))
        .route("/v1/sessions/challenge", post(passkeys::sign_in_challenge))
        .route("/v1/sessions/link", post(sessions::own_link))
        .route("/v1/sessions/{name}", delete(sessions::end_session))
        .route(
            "/v1/passkeys",
            get(passkeys::passkeys).post(passkeys::add_passkey),
        )
        .route("/v1/passkeys/challenge", post(passkeys::passkey_challenge))
        .route("/v1/passkeys/{id}", delete(passkeys::remove_passkey))
        .route("/v1/password", post(sessions::change_password))
        .route("/v1/language", post(sessions::choose_language))
        .route("/v1/tokens", get(tokens::tokens).post(tokens::issue_token))
        .route("/v1/tokens/{name}", delete(tokens::revoke_token))
        .route("/v1/sign-ins", get(accounts::sign_ins))
        .route("/v1/looks", get(looks::looks))
        .route("/v1/looks/reading", post(looks::read_whole))
}
