//! A slip of paper for a driver: which record, what it has come to, and when.

use super::{answers::ReadRecord, target, times};
use crate::{Console, answer::page, frame::PageFrame, visitor::Visitor};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

#[derive(Template)]
#[template(path = "today_slip.html")]
struct SlipPage {
    f: PageFrame,
    record: ReadRecord,
    /// What happened, and when.
    events: Vec<(String, String)>,
    printed: String,
    printed_utc: String,
}

/// Events that a driver is told of: those of the way through the crossing.
const TOLD: [&str; 8] = [
    "gate.in",
    "gate.out",
    "turned_back",
    "weighed",
    "cleared",
    "parked",
    "diverted",
    "arrived",
];

/// Shows the slip.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let record = match target::show(&console.api, &visitor.asker, &id).await {
        Ok(record) => record,
        Err(refused) => return refused.page(&visitor),
    };

    let language = visitor.language();
    let told = record.events.iter().filter(|e| e.counts);
    let told = told.filter_map(|e| Some((e.of.as_deref()?, e.at_ms)));
    let events = told
        .filter(|(of, _)| TOLD.contains(of))
        .map(|(of, at_ms)| (language.event(of), times::stamp(at_ms)))
        .collect();
    let title = language.sentence("today-slip-title", []);
    let now_ms = visitor.who.now_ms;
    page(&SlipPage {
        f: visitor.frame(&title, "today"),
        record,
        events,
        printed: times::stamp(now_ms),
        printed_utc: times::utc(now_ms),
    })
}
