//! The stream that tells a page which of its parts changed: the API's own, with the session of the
//! page. The script asks for the page then; without script, or without the stream, a page is what
//! it was when it was loaded.

use crate::{Console, visitor::Visitor};
use axum::{
    extract::{RawQuery, State},
    http::header,
    response::{IntoResponse, Response},
};

/// Bytes of the query at most: a few parts with their numbers.
const QUERY_BYTES_MAX: usize = 400;

/// The stream of a page; a refusal as any page has it, on which the script asks now and then.
pub(crate) async fn follow(
    State(console): State<Console>,
    visitor: Visitor,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.filter(|query| query.len() <= QUERY_BYTES_MAX);
    let path = format!("/v1/live?{}", query.unwrap_or_default());
    match console.api.stream(&visitor.asker, &path).await {
        Ok(body) => ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response(),
        Err(refused) => refused.page(&visitor),
    }
}
