//! Comparing this node with a peer: what both come to, by digest, over the link that stands.

use super::{answers::VerifyRead, frame, is_operator};
use crate::{
    Console, answer,
    api::Refused,
    frame::PageFrame,
    moment::Moment,
    sites::{
        answers::{ScopeRead, SitesRead},
        lane_word,
        when::bytes,
    },
    values,
    visitor::Visitor,
};
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Response,
};
use serde::Deserialize;

/// Whom to compare with.
#[derive(Default, Deserialize)]
pub(super) struct CompareForm {
    #[serde(default)]
    peer: String,
    #[serde(default)]
    whole: String,
}

/// What is held of a lane of a crossing, and whether the peer holds the same.
struct ScopeLine {
    lane: String,
    crossing: String,
    records: u64,
    entries: u64,
    digests: [String; 3],
    /// None where nothing was compared.
    differs: Option<bool>,
}

#[derive(Template)]
#[template(path = "control_compare.html")]
struct ComparePage {
    f: PageFrame,
    peers: Vec<String>,
    peer: String,
    is_whole: bool,
    may_compare: bool,
    found: Option<VerifyRead>,
    through: Option<Moment>,
    bytes: String,
    problem: Option<Refused>,
    scopes: Vec<ScopeLine>,
}

/// The page; with a peer named, what comparing came to.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Query(form): Query<CompareForm>,
) -> Response {
    let sites: SitesRead = match console.api.get(&visitor.asker, "/v1/sites").await {
        Ok(sites) => sites,
        Err(refused) => return refused.page(&visitor),
    };
    let is_whole = !form.whole.is_empty();
    let verified = match form.peer.as_str() {
        "" => None,
        peer => {
            let peer = values::query_escaped(peer);
            let path = format!("/v1/verify/{peer}?quick={}", !is_whole);
            Some(console.api.get::<VerifyRead>(&visitor.asker, &path).await)
        }
    };
    let (found, problem) = match verified {
        None => (None, None),
        Some(Ok(found)) => (Some(found), None),
        Some(Err(problem)) => (None, Some(problem)),
    };

    let f = frame(&visitor, "control-compare");
    let scope = |s: &ScopeRead| scope_line(&f, s, found.as_ref());
    answer::page(&ComparePage {
        peers: sites.peers.iter().map(|p| p.node.clone()).collect(),
        scopes: sites.scopes.iter().map(scope).collect(),
        through: found.as_ref().map(|v| Moment::of_ms(v.through_s * 1_000)),
        bytes: found
            .as_ref()
            .map_or_else(String::new, |v| bytes(v.bytes as f64)),
        may_compare: is_operator(&f),
        peer: form.peer,
        is_whole,
        found,
        problem,
        f,
    })
}

fn scope_line(f: &PageFrame, scope: &ScopeRead, found: Option<&VerifyRead>) -> ScopeLine {
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let name = format!("{} {}", scope.lane, scope.crossing);
    ScopeLine {
        lane: lane_word(f, &scope.lane),
        crossing: scope.crossing.clone(),
        records: scope.records,
        entries: scope.entries,
        digests: [
            short(&scope.entries_digest),
            short(&scope.documents_digest),
            short(&scope.states_digest),
        ],
        differs: found.map(|v| v.scopes_differing.iter().any(|s| s.starts_with(&name))),
    }
}
