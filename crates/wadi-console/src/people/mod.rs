//! Those who may sign in here, and who looked at what.

mod accounts;
mod audits;
mod invitation;
mod own;

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
        .route(
            "/console/people/accounts",
            get(accounts::show).post(accounts::invite),
        )
        .route("/console/people/accounts/act", post(accounts::act))
        .route("/console/people/sign-ins", get(audits::sign_ins))
        .route("/console/people/looks", get(audits::looks))
        .route(
            "/console/invitation",
            get(invitation::show).post(invitation::accept),
        )
        .route(
            "/console/link",
            get(invitation::show_link).post(invitation::follow_link),
        )
}

/// A moment for people: as Iraq's clocks show it, with UTC beside it.
pub(crate) struct WrittenTime {
    /// In Iraq, which keeps one time all year.
    pub here: String,
    /// In UTC.
    pub utc: String,
}

impl WrittenTime {
    /// Out of Unix milliseconds; nothing where there is none.
    fn of(ms: Option<i64>) -> Option<Self> {
        let at = jiff::Timestamp::from_millisecond(ms?).ok()?;
        let baghdad = jiff::tz::TimeZone::fixed(jiff::tz::offset(3));
        let here = at.to_zoned(baghdad).strftime("%Y-%m-%d %H:%M");
        let utc = at.strftime("%Y-%m-%dT%H:%M:%SZ");
        Some(Self {
            here: here.to_string(),
            utc: utc.to_string(),
        })
    }
}
