//! A crossing's own day: what passed, what is held, and forms to record by hand.
//!
//! All of it is asked of this node alone, so it works as well while everything else is dark.

mod answers;
mod board;
mod draft;
mod form;
mod given;
mod made;
mod names;
mod say;
mod slip;
mod target;
mod times;

use crate::{Console, api::Refused, values::query_escaped, visitor::Visitor};
use answers::{CrossingDay, MaySay, ReadRecord};
use axum::{Router, extract::DefaultBodyLimit, routing::get};
use form::FIELDS_ALONE;
use given::FormGiven;
use wadi_words::Language;

/// Where forms are sent. They look for a form's proof themselves.
pub(crate) const FORMS: &str = "/console/today/say/";
/// Bytes of a form at most.
const FORM_BYTES_MAX: usize = 256 * 1024;

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/today", get(board::show))
        .route("/console/today/forms", get(board::forms))
        .route("/console/today/slip/{id}", get(slip::show))
        .route(
            "/console/today/say/{kind}/{event}",
            get(say::show).post(say::take),
        )
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
}

/// What the visitor may say and set. An operator names a department.
async fn authority_of(
    console: &Console,
    visitor: &Visitor,
    given: &FormGiven,
) -> Result<MaySay, Refused> {
    let department = given.code("department");
    let path = match visitor.who.is.as_str() {
        "operator" if !department.is_empty() => {
            format!("/v1/authority?department={}", query_escaped(&department))
        }
        _ => "/v1/authority".into(),
    };
    console.api.get(&visitor.asker, &path).await
}

/// A crossing's day, as many records of each kind.
async fn day_of(
    console: &Console,
    visitor: &Visitor,
    (from_ms, until_ms): (i64, i64),
    limit: u32,
) -> Result<CrossingDay, Refused> {
    let path = format!("/v1/day?from_ms={from_ms}&until_ms={until_ms}&limit={limit}");
    console.api.get(&visitor.asker, &path).await
}

/// The record of the crossing's day at a time, where it has begun.
async fn site_day(
    console: &Console,
    visitor: &Visitor,
    at_ms: i64,
) -> Result<Option<ReadRecord>, Refused> {
    let day = times::day_of(at_ms);
    let (before, after) = times::beside(day);

    // It may have begun late, or a day early by a clock that was wrong.
    let span = (times::bounds(before).0, times::bounds(after).1);
    let found = day_of(console, visitor, span, 20).await?;
    let wanted = day.to_string();
    let own = visitor.who.crossing.as_str();
    let mut days = found.site_days.into_iter().map(|line| line.record);
    Ok(days.find(|r| r.text("date") == wanted && r.crossing == own))
}

/// What a form is called.
fn form_title(language: Language, kind: &str, event: &str) -> String {
    match event {
        FIELDS_ALONE => {
            let kind = language.kind(kind);
            language.sentence("today-fields-of", [("what", kind.into())])
        }
        event => language.event(event),
    }
}
