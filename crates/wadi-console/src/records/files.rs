//! What is downloaded: lists, evidence, documents.

use super::{api_path, query::SearchQuery};
use crate::{Console, api::Raw, moment::Moment, visitor::Visitor};
use axum::{
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};

/// Hands a file on, with what it says of itself. A name is given where it has none.
fn handed_on(raw: Raw, name: &str) -> Response {
    let mut headers = HeaderMap::new();
    for header in [header::CONTENT_TYPE, header::CONTENT_DISPOSITION] {
        if let Some(value) = raw.headers.get(&header) {
            headers.insert(header, value.clone());
        }
    }

    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    if let Ok(value) = disposition {
        headers.entry(header::CONTENT_DISPOSITION).or_insert(value);
    }
    (headers, raw.body).into_response()
}

/// The name of a file of a record: of what an id may hold, and nothing else.
fn file_name(id: &str, ending: &str) -> String {
    let plain: String = id
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .take(64)
        .collect();
    format!("{plain}{ending}")
}

/// The list that is shown, as a file.
pub(super) async fn list(
    State(console): State<Console>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let query = SearchQuery::read(query.as_deref());
    let format = match query.format.as_str() {
        "ndjson" => "ndjson",
        _ => "csv",
    };
    let path = format!("/v1/records/file?format={format}&{}", query.api_filters());
    match console.api.fetch(&visitor.asker, &path).await {
        Ok(raw) => handed_on(raw, &format!("records.{format}")),
        Err(refused) => refused.page(&visitor),
    }
}

/// A record's evidence.
pub(super) async fn evidence(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let path = api_path(&id, "/evidence");
    match console.api.fetch(&visitor.asker, &path).await {
        Ok(raw) => {
            let day = Moment::of_ms(visitor.who.now_ms).utc;
            let day: String = day.chars().take(10).collect();
            handed_on(raw, &file_name(&id, &format!("-{day}.evidence")))
        }
        Err(refused) => refused.page(&visitor),
    }
}

/// A record's document, with every change since its first entry.
pub(super) async fn document(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    let path = api_path(&id, "/document");
    match console.api.fetch(&visitor.asker, &path).await {
        Ok(raw) => handed_on(raw, &file_name(&id, ".automerge")),
        Err(refused) => refused.page(&visitor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_by_plain_letters_alone() {
        let name = file_name("TRB-P-1\"\r\nX: <script>", ".evidence");
        assert_eq!(name, "TRB-P-1Xscript.evidence");
    }
}
