//! Those who may sign in here, and who looked at what.

mod accounts;
mod audits;
mod invitation;
mod own;
mod passkeys;

pub(crate) use invitation::Begun;

use crate::Console;
use axum::{
    Router,
    routing::{get, post},
};

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/people", get(own::show))
        .route("/console/people/password", post(own::change_password))
        .route("/console/people/sessions", post(own::end_session))
        .route("/console/people/passkeys", post(passkeys::add))
        .route(
            "/console/people/passkeys/challenge",
            post(passkeys::challenge),
        )
        .route("/console/people/passkeys/remove", post(passkeys::remove))
        .route("/console/people/passkeys/{id}/remove", get(passkeys::ask))
        .route(
            "/console/people/accounts",
            get(accounts::show).post(accounts::invite),
        )
        .route("/console/people/accounts/act", post(accounts::act))
        .route("/console/people/sign-ins", get(audits::sign_ins))
        .route("/console/people/looks", get(audits::looks))
        .route("/console/people/looks/reading", post(audits::read_looks))
        .route(
            "/console/invitation",
            get(invitation::show).post(invitation::accept),
        )
        .route(
            "/console/link",
            get(invitation::show_link).post(invitation::follow_link),
        )
}
