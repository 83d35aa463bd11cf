//! Findings: the queue, one with its evidence, cases, statistics.

mod acts;
mod answers;
mod cases;
mod facts;
mod finding;
mod queue;
mod statistics;
mod words;

use crate::{Console, visitor::Visitor};
use axum::{
    Router,
    routing::{get, post},
};

/// The name of this part of the console.
const PART: &str = "findings";
/// Where it begins.
const QUEUE: &str = "/console/findings";

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route(QUEUE, get(queue::show))
        .route("/console/findings/assign", post(acts::assign))
        .route("/console/findings/views", post(acts::arrange_views))
        .route("/console/findings/cases", get(cases::list))
        .route("/console/findings/cases/{kind}/{key}", get(cases::show))
        .route("/console/findings/statistics", get(statistics::show))
        .route("/console/findings/{id}", get(finding::show))
        .route("/console/findings/{id}/acts", post(acts::act))
        .route("/console/findings/{id}/snooze", post(acts::snooze))
        .route("/console/findings/{id}/file", get(finding::file))
}

/// The path of a finding's page.
fn finding_path(id: &str) -> String {
    format!("{QUEUE}/{}", crate::values::query_escaped(id))
}

/// The path of a case's page.
fn case_path(kind: &str, key: &str) -> String {
    let escaped = crate::values::query_escaped;
    format!("{QUEUE}/cases/{}/{}", escaped(kind), escaped(key))
}

/// What a visitor may do with findings.
struct FindingRights {
    /// They may be given to somebody.
    assigns: bool,
    /// Proposals, decisions and undoing: by auditors in their own names.
    settles: bool,
    /// Whoever acts names the auditor in whose name.
    names_officer: bool,
    /// The visitor's own service number; empty for none.
    own: String,
}

impl FindingRights {
    fn of(visitor: &Visitor) -> Self {
        let who = &visitor.who;
        let is_auditor = who.is == "officer" && who.department == "HUB";
        let is_hub = who.role == "hub";
        let is_operator = who.is == "operator";
        Self {
            assigns: is_hub && (is_auditor || is_operator),
            settles: is_hub && is_auditor,
            names_officer: is_operator,
            own: who.officer.clone(),
        }
    }

    /// The sentence that says why the visitor may not settle findings; nothing where they may.
    fn why_not(&self) -> Option<&'static str> {
        match (self.settles, self.names_officer) {
            (true, _) => None,
            (false, true) => Some("findings-own-token"),
            (false, false) => Some("findings-no-right"),
        }
    }
}
