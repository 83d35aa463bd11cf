//! Changes as server-sent events, with a cursor.

use crate::{Problem, Token, limits};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use utoipa::IntoParams;
use wadi_node::{ChangeRow, Node};

/// From where on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// The cursor of the last change seen; `Last-Event-ID` does the same.
    after: Option<i64>,
}

/// Changes read at once.
const PAGE: u32 = 200;

/// Every record that changes, as it changes: `id` is the cursor, `data` the record. A record that
/// changed several times while nobody listened is told once, as it is now.
#[utoipa::path(
    get,
    path = "/v1/changes",
    params(ChangesQuery),
    tag = "records",
    responses(
        (
            status = 200,
            description = "server-sent events",
            content_type = "text/event-stream",
            body = String,
        ),
    ),
)]
pub(crate) async fn changes(
    State(node): State<Arc<Node>>,
    _token: Token,
    headers: HeaderMap,
    query: Result<Query<ChangesQuery>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let Query(q) = query?;
    let last = headers
        .get("last-event-id")
        .and_then(|h| h.to_str().ok()?.parse().ok());
    let after = q.after.or(last).unwrap_or(0);
    let place = limits::follower()?;
    let listener = node.listen();
    let stream = unfold(
        (node, listener, after, VecDeque::<ChangeRow>::new(), place),
        |(node, mut listener, mut after, mut page, place)| async move {
            loop {
                if let Some(change) = page.pop_front() {
                    after = change.cursor;
                    let event = Event::default()
                        .id(after.to_string())
                        .event("record")
                        .data(change.record.json);
                    return Some((Ok(event), (node, listener, after, page, place)));
                }

                match node.reads().changes(after, PAGE).await {
                    Ok(rows) if !rows.is_empty() => page.extend(rows),
                    Ok(_) => {
                        // Woken by the next commit; looked at now and then all the same, should a
                        // wake-up be missed.
                        let _ = tokio::time::timeout(Duration::from_secs(5), listener.recv()).await;
                    }
                    Err(_) => return None,
                }
            }
        },
    );

    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}
