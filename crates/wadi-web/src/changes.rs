//! Changes as server-sent events, with a cursor.

use crate::{Problem, Token, limits};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::{broadcast, watch};
use utoipa::IntoParams;
use wadi_node::{ChangeRow, Event, Node};

/// From where on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// The cursor of the last change seen, as the stream gave it; none, or 0, from the beginning.
    /// `Last-Event-ID` does the same, and wins: it is what was seen last.
    after: Option<String>,
}

/// One who follows the changes.
struct Follower {
    node: Arc<Node>,
    token: Token,
    listener: broadcast::Receiver<Event>,
    revocations: watch::Receiver<u64>,
    _place: limits::StreamPlace,
}

/// What to do where a cursor is gone.
const BEGIN_ANEW: &str = "follow `/v1/changes` without a cursor: it gives every record as it is \
                          now, and goes on from there; take each in the place of what you hold";
/// Changes read at once.
const PAGE: u32 = 200;
/// How often a follower looks by itself, should a wake-up be missed.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Follower {
    /// Whether it may read on: its token holds, and its officer is in office. The token is read
    /// where one was revoked since, and not for each change.
    async fn may_follow(&mut self) -> bool {
        if self.token.reading(&self.node).is_err() {
            return false;
        }
        if !self.revocations.has_changed().unwrap_or(true) {
            return !self.token.has_expired(&self.node);
        }

        self.revocations.mark_unchanged();
        self.token.still_holds(&self.node).await
    }

    /// A record as this follower reads it; nothing where it does not.
    ///
    /// # Errors
    ///
    /// Where it reads nothing any more, or what is named in the record cannot be looked up: what
    /// was left out would be missed for good, should it read again later and go on from a newer
    /// cursor.
    async fn shown(&mut self, record: &str) -> Result<Option<String>, Problem> {
        let Ok(mut record) = serde_json::from_str::<Value>(record) else {
            return Ok(None);
        };

        let named = self.token.named_in(&self.node, &[&record]).await?;
        let reading = self.token.reading(&self.node)?;
        reading.go_by(named);
        Ok(reading.show_record(&mut record).then(|| record.to_string()))
    }
}

/// The change to go on after. A browser that lost its stream repeats the address that it began
/// with, and says in the header what it has seen since.
async fn after_of(node: &Node, headers: &HeaderMap, query: Option<String>) -> Result<i64, Problem> {
    let last = headers
        .get("last-event-id")
        .map(|h| String::from_utf8_lossy(h.as_bytes()));
    let last = last.filter(|text| !text.is_empty()).map(String::from);
    let Some(cursor) = last.or(query) else {
        return Ok(0);
    };

    let found = node.reads().cursor_after(&cursor).await?;
    found.map_err(|gone| Problem {
        remedy: Some(BEGIN_ANEW),
        ..Problem::new(
            StatusCode::GONE,
            "cursor_gone",
            format!("{}; {BEGIN_ANEW}", gone.why()),
        )
    })
}

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
        (
            status = 410,
            description = "the cursor is of a store that is no more: begin anew, without one",
            body = Problem,
        ),
        (status = 429, description = "the token follows as many as it may", body = Problem),
        (status = 503, description = "as many follow as may at once", body = Problem),
    ),
)]
pub(crate) async fn changes(
    State(node): State<Arc<Node>>,
    token: Token,
    headers: HeaderMap,
    query: Result<Query<ChangesQuery>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    let Query(q) = query?;
    let after = after_of(&node, &headers, q.after).await?;
    // A device is refused here, and not by a stream that says nothing.
    token.reading(&node)?;
    let place = limits::follower(&token)?;
    let mut follower = Follower {
        revocations: node.tokens().revocations(),
        listener: node.listen(),
        node,
        token,
        _place: place,
    };
    // A token that was revoked before it listened is read at the first look.
    follower.revocations.mark_changed();
    let stream = unfold(
        (follower, after, VecDeque::<ChangeRow>::new()),
        |(mut follower, mut after, mut page)| async move {
            loop {
                // Whoever lost the right to read since loses the stream, and within a page, too.
                if !follower.may_follow().await {
                    return None;
                }

                if let Some(change) = page.pop_front() {
                    after = change.cursor;
                    let record = match follower.shown(&change.record.json).await {
                        Ok(Some(record)) => record,
                        Ok(None) => continue,
                        Err(_) => return None,
                    };

                    let event = sse::Event::default()
                        .id(follower.node.reads().cursor_text(after))
                        .event("record")
                        .data(record);
                    return Some((Ok(event), (follower, after, page)));
                }

                match follower.node.reads().changes(after, PAGE).await {
                    Ok(rows) if !rows.is_empty() => page.extend(rows),
                    Ok(_) => {
                        // Woken by the next commit; looked at now and then all the same, should a
                        // wake-up be missed.
                        tokio::select! {
                            _ = follower.listener.recv() => {}
                            // Waiting for it counts as having seen it.
                            _ = follower.revocations.changed() => {
                                follower.revocations.mark_changed();
                            }
                            () = tokio::time::sleep(LOOK_AGAIN) => {}
                        }
                    }
                    Err(_) => return None,
                }
            }
        },
    );

    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(20))))
}
