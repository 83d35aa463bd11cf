//! Records: searched, listed, one with its state, fields, and history.

mod answers;
mod files;
mod history;
mod lanes;
mod list;
mod plots;
mod proof;
mod query;
mod reasons;
mod record;
pub(crate) mod times;
mod who_set;
pub(crate) mod words;

use crate::Console;
use axum::{Router, routing::get};

/// The name of this part of the console.
const PART: &str = "records";

/// The routes of these pages.
pub(crate) fn routes() -> Router<Console> {
    Router::new()
        .route("/console/records", get(list::show))
        .route("/console/records/file", get(files::list))
        .route("/console/records/{id}", get(record::show))
        .route("/console/records/{id}/history", get(history::show))
        .route("/console/records/{id}/fields", get(who_set::show))
        .route("/console/records/{id}/proof", get(proof::show))
        .route("/console/records/{id}/evidence", get(files::evidence))
        .route("/console/records/{id}/document", get(files::document))
}

/// The path of a record's page, or of one below it.
pub(crate) fn record_path(id: &str, below: &str) -> String {
    format!(
        "/console/records/{}{below}",
        crate::values::query_escaped(id)
    )
}

/// The path of a record in the API, or of something of it.
fn api_path(id: &str, below: &str) -> String {
    format!("/v1/records/{}{below}", crate::values::query_escaped(id))
}

/// The pages of one record, as they lead to each other.
struct RecordTabs {
    /// The record's page.
    record: String,
    /// All its entries.
    history: String,
    /// Who set each field.
    fields: String,
    /// The check of its evidence.
    proof: String,
    /// Its evidence as a file.
    evidence: String,
    /// Which of them is shown.
    here: &'static str,
}

impl RecordTabs {
    fn of(id: &str, here: &'static str) -> Self {
        Self {
            record: record_path(id, ""),
            history: record_path(id, "/history"),
            fields: record_path(id, "/fields"),
            proof: record_path(id, "/proof"),
            evidence: record_path(id, "/evidence"),
            here,
        }
    }
}
