//! The console: pages for those who audit, operate and stand at a gate.
//!
//! The console is a client of the HTTP API in the same process: each page asks `/v1/…` with the
//! visitor's own token, so it shows and does what the API would show that person and let that
//! person do, and nothing more. Pages are HTML made here, whole without script. What is on them is
//! told in the visitor's language by `wadi-words`.

#![warn(missing_docs)]
#![deny(clippy::string_slice)]

mod answer;
mod api;
mod assets;
mod chart;
mod claimed;
mod control;
mod digits;
mod expected;
mod findings;
mod found_sentence;
mod frame;
mod home;
mod live;
mod moment;
mod people;
mod records;
mod sign_in;
mod sites;
mod today;
mod values;
mod visitor;

use axum::{
    Router,
    middleware::from_fn,
    routing::{any, get, post},
};
use tower_http::compression::CompressionLayer;

/// Whether a browser's request came over TLS: an extension of the request, which whoever serves the
/// routes sets. Without it, it did not.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OverTls(pub bool);

/// What all pages rest on.
#[derive(Clone)]
pub(crate) struct Console {
    /// The routes of the HTTP API, asked in this process.
    api: api::Api,
}

/// The console's routes, all under `/console`. `api` is the table of the HTTP API's routes.
pub fn router(api: Router) -> Router {
    let console = Console {
        api: api::Api::new(api),
    };

    Router::new()
        .route("/console", get(home::show))
        .route("/console/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/console/sign-in/challenge", post(sign_in::challenge))
        .route("/console/sign-out", post(sign_in::leave))
        .route("/console/language", post(frame::switch_language))
        .route("/console/live", get(live::follow))
        .route("/console/assets/{name}", get(assets::serve))
        .merge(today::routes())
        .merge(records::routes())
        .merge(findings::routes())
        .merge(sites::routes())
        .merge(control::routes())
        .merge(people::routes())
        .route("/console/{*elsewhere}", any(home::nowhere))
        .layer(from_fn(visitor::forms_are_ours))
        .layer(from_fn(answer::strict_headers))
        .layer(CompressionLayer::new().gzip(true))
        .with_state(console)
}
