//! What changes by itself while somebody looks at it, as server-sent events: not what it is by now,
//! only that it is to be asked for anew.

use crate::{Problem, Token, accounts::check_registered, limits};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    response::sse::{self, KeepAlive, Sse},
};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::sync::watch;
use utoipa::IntoParams;
use wadi_node::{LivePart, LiveVersions, Node};

/// How long to gather changes before they are told: many come together.
const GATHERED: Duration = Duration::from_millis(300);
/// The least time between two words on a stream: what changes all the while is told so often.
const WORD_PAUSE: Duration = Duration::from_secs(2);
/// How often to look whether the right to follow has ended by its time.
const RIGHT_EVERY: Duration = Duration::from_secs(5);
/// How often to say that the stream stands.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The parts to follow. A part that is named is followed; its number is the one that whoever asks
/// has it of, as `/v1/whoami` and this stream give it, and 0 where that is none.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct LiveQuery {
    /// Records as they are listed.
    records: Option<u64>,
    /// Findings; a hub's alone.
    findings: Option<u64>,
    /// How links and peers stand.
    links: Option<u64>,
    /// Resyncs and their progress.
    resyncs: Option<u64>,
    /// What was refused.
    refusals: Option<u64>,
}

impl LiveQuery {
    fn known(&self, part: LivePart) -> Option<u64> {
        match part {
            LivePart::Records => self.records,
            LivePart::Findings => self.findings,
            LivePart::Links => self.links,
            LivePart::Resyncs => self.resyncs,
            LivePart::Refusals => self.refusals,
        }
    }
}

/// The numbers of all parts by their names.
pub(crate) fn versions_json(versions: &LiveVersions) -> Value {
    let number = |part: LivePart| (part.name().to_string(), json!(versions.of(part)));
    LivePart::ALL
        .into_iter()
        .map(number)
        .collect::<Map<_, _>>()
        .into()
}

/// One who follows what changes.
struct LiveFollower {
    node: Arc<Node>,
    token: Token,
    live: watch::Receiver<LiveVersions>,
    revocations: watch::Receiver<u64>,
    /// The parts that are followed, each with the number that was told last.
    told: Vec<(LivePart, u64)>,
    /// Whether nothing more is said.
    is_over: bool,
    _place: limits::StreamPlace,
}

/// Why a stream of changes says nothing for a while, or no more.
enum Awaited {
    Changes(Value),
    /// The right to follow has ended.
    Ended,
    /// Nobody knows whether it has: the database is away.
    Unknown,
}

impl LiveFollower {
    /// The numbers of the followed parts that are others than those that were told.
    fn changes(&mut self) -> Option<Value> {
        let now = *self.live.borrow_and_update();
        let mut changed = Map::new();
        for (part, told) in &mut self.told {
            if now.of(*part) != *told {
                *told = now.of(*part);
                changed.insert(part.name().into(), json!(*told));
            }
        }

        (!changed.is_empty()).then(|| changed.into())
    }

    /// Whether it may follow on. The token is read anew where one was revoked, or this one seems to
    /// have ended: it may have been used since.
    async fn right(&mut self) -> Option<Awaited> {
        let is_revoked = self.revocations.has_changed().unwrap_or(true);
        if is_revoked || self.token.has_expired(&self.node) {
            self.revocations.mark_unchanged();
            match self.token.read_anew(&self.node).await {
                Ok(Some(token)) if !token.has_expired(&self.node) => self.token = token,
                Ok(_) => return Some(Awaited::Ended),
                Err(_) => return Some(Awaited::Unknown),
            }
        }

        let scope = &self.token.scope;
        let is_unregistered =
            self.token.session.is_some() && check_registered(&self.node, scope).is_err();
        let reading = self.token.reading(&self.node);
        let is_out_of_office = reading.is_err_and(|problem| problem.code == "revoked_officer");
        (is_unregistered || is_out_of_office).then_some(Awaited::Ended)
    }

    /// Waits for something to say.
    async fn next(&mut self) -> Awaited {
        loop {
            if let Some(end) = self.right().await {
                return end;
            }
            if let Some(changes) = self.changes() {
                return Awaited::Changes(changes);
            }

            tokio::select! {
                _ = self.live.changed() => tokio::time::sleep(GATHERED).await,
                // Waiting for it counts as having seen it.
                _ = self.revocations.changed() => self.revocations.mark_changed(),
                () = tokio::time::sleep(RIGHT_EVERY) => {}
            }
        }
    }
}

/// What changed, as it changes: `changed` with the numbers of the parts that did; `ended` where the
/// right to follow has ended, and nothing after it. What a part is by now is asked for at its own
/// address. A token follows a few streams at once, and all of them together a bounded number.
#[utoipa::path(
    get,
    path = "/v1/live",
    params(LiveQuery),
    tag = "sites",
    responses(
        (
            status = 200,
            description = "server-sent events",
            content_type = "text/event-stream",
            body = String,
        ),
        (status = 429, description = "the token follows as many as it may", body = Problem),
        (status = 503, description = "as many follow as may at once", body = Problem),
    ),
)]
pub(crate) async fn live(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<LiveQuery>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<sse::Event, Infallible>>>, Problem> {
    token.no_device()?;
    let Query(query) = query?;
    let place = limits::live_follower(&token)?;
    let known = |part: LivePart| Some((part, query.known(part)?));
    let mut follower = LiveFollower {
        revocations: node.tokens().revocations(),
        live: node.live(),
        told: LivePart::ALL.into_iter().filter_map(known).collect(),
        node,
        token,
        is_over: false,
        _place: place,
    };
    // What changed, or was revoked, before this began is seen at the first look.
    follower.revocations.mark_changed();

    let stream = unfold((follower, false), |(mut follower, has_spoken)| async move {
        if follower.is_over {
            return None;
        }
        if has_spoken {
            pause(&mut follower).await;
        }

        let event = match follower.next().await {
            Awaited::Changes(numbers) => sse::Event::default()
                .event("changed")
                .data(numbers.to_string()),
            Awaited::Ended => {
                follower.is_over = true;
                sse::Event::default().event("ended").data("{}")
            }
            Awaited::Unknown => return None,
        };
        Some((Ok(event), (follower, true)))
    });

    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// Lets a moment go by after a word; one whose right is taken away meanwhile is told at once.
async fn pause(follower: &mut LiveFollower) {
    tokio::select! {
        () = tokio::time::sleep(WORD_PAUSE) => {}
        _ = follower.revocations.changed() => follower.revocations.mark_changed(),
    }
}
