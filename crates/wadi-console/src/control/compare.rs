//! Comparing this node with a peer: what both come to, by digest, over the link that stands.

use super::{
    answers::{
        DifferencesRead, DifferingFieldRead, DifferingLogRead, DifferingRecordRead, VerifyRead,
    },
    frame, is_operator,
};
use crate::{
    Console, answer,
    api::Refused,
    frame::PageFrame,
    moment::Moment,
    records::{
        record_path,
        words::{ShownValue, field_value},
    },
    sites::{
        answers::{ScopeRead, SitesRead},
        lane_word,
        when::bytes,
    },
    values,
    visitor::{PageQuery, Visitor},
};
use askama::Template;
use axum::{extract::State, response::Response};
use serde::Deserialize;

/// Whom to compare with.
#[derive(Default, Deserialize)]
pub(super) struct CompareForm {
    #[serde(default)]
    peer: String,
    #[serde(default)]
    whole: String,
    /// Whether to show the records that differ.
    #[serde(default)]
    records: String,
    /// A lane of a crossing alone, as `passage/TRB`.
    #[serde(default)]
    scope: String,
}

/// A record that differs, in words.
struct DifferingLine {
    path: String,
    id: String,
    kind: String,
    state_here: String,
    /// None where the peer has no such record.
    state_there: Option<String>,
    lacking: u64,
    fields: Vec<DifferingFieldLine>,
    /// Events that the peer lacks, by their names.
    events: Vec<String>,
    is_withheld: bool,
}

/// A field that differs, in words.
struct DifferingFieldLine {
    name: String,
    here: ShownValue,
    there: ShownValue,
}

/// A log of which the peer holds what this node does not.
struct LogLine {
    lane: String,
    crossing: String,
    log: String,
    state: String,
    here: u64,
    there: u64,
}

/// In what both differ, as far as this node holds it.
struct RecordsLines {
    lines: Vec<DifferingLine>,
    /// Logs of which nothing is known here but how much of them is there.
    unknown: Vec<LogLine>,
    has_more: bool,
    bytes: String,
}

/// What is held of a lane of a crossing, and whether the peer holds the same.
struct ScopeLine {
    /// Lane and crossing, as the interface names them.
    scope: String,
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
    records: Option<RecordsLines>,
    /// When the peer was in contact last, where it is not now.
    dark_since: Option<Moment>,
    is_dark: bool,
}

impl ComparePage {
    /// The page with the records of all lanes, or of one.
    fn records_path(&self, scope: &str) -> String {
        let scope = match scope {
            "" => String::new(),
            scope => format!("&scope={}", values::query_escaped(scope)),
        };
        let peer = values::query_escaped(&self.peer);
        format!("/console/control/compare?peer={peer}&records=yes{scope}")
    }
}

/// The page; with a peer named, what comparing came to.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    PageQuery(form): PageQuery<CompareForm>,
) -> Response {
    let sites: SitesRead = match console.api.get(&visitor.asker, "/v1/sites").await {
        Ok(sites) => sites,
        Err(refused) => return refused.page(&visitor),
    };
    let is_whole = !form.whole.is_empty();
    let (mut found, mut records, mut problem) = (None, None, None);
    let f = frame(&visitor, "control-compare");
    if !form.peer.is_empty() {
        let peer = values::query_escaped(&form.peer);
        if form.records.is_empty() {
            let path = format!("/v1/verify/{peer}?quick={}", !is_whole);
            match console.api.get::<VerifyRead>(&visitor.asker, &path).await {
                Ok(verified) => found = Some(verified),
                Err(refused) => problem = Some(refused),
            }
        } else {
            let scope = match form.scope.as_str() {
                "" => String::new(),
                scope => format!("?scope={}", values::query_escaped(scope)),
            };
            let path = format!("/v1/differences/{peer}{scope}");
            match console.api.get(&visitor.asker, &path).await {
                Ok(read) => records = Some(records_lines(&f, &read)),
                Err(refused) => problem = Some(refused),
            }
        }
    }

    let peer = sites.peers.iter().find(|p| p.node == form.peer);
    let dark = peer.filter(|p| !p.connected);
    let scope = |s: &ScopeRead| scope_line(&f, s, found.as_ref());
    let status = answer::status_beside(problem.as_ref());
    let page = ComparePage {
        is_dark: dark.is_some(),
        dark_since: dark.and_then(|p| Moment::if_any(p.last_contact_ms)),
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
        records,
        f,
    };
    answer::page_with(status, &page)
}

/// In what both differ, in words.
fn records_lines(f: &PageFrame, read: &DifferencesRead) -> RecordsLines {
    let line = |l: &DifferingLogRead| LogLine {
        lane: lane_word(f, &l.lane),
        crossing: l.crossing.clone(),
        log: l.log.clone(),
        state: f.say(&format!("control-log-{}", l.state)),
        here: l.here,
        there: l.there,
    };
    let is_unknown = |l: &&DifferingLogRead| l.state != "ahead";
    RecordsLines {
        lines: read.records.iter().map(|r| differing_line(f, r)).collect(),
        unknown: read.logs.iter().filter(is_unknown).map(line).collect(),
        has_more: read.has_more,
        bytes: bytes(read.bytes as f64),
    }
}

fn differing_line(f: &PageFrame, read: &DifferingRecordRead) -> DifferingLine {
    let language = f.language;
    let field = |one: &DifferingFieldRead| DifferingFieldLine {
        name: language.field(&one.field),
        here: field_value(language, &one.field, &one.here),
        there: field_value(language, &one.field, &one.there),
    };
    DifferingLine {
        path: record_path(&read.record, ""),
        id: read.id.clone(),
        kind: language.kind(&read.kind),
        state_here: language.state(&read.state_here),
        state_there: read.state_there.as_deref().map(|s| language.state(s)),
        lacking: read.lacking,
        // Of a record that is not there at all every field differs: that is said once.
        fields: match read.state_there {
            Some(_) => read.fields.iter().map(field).collect(),
            None => Vec::new(),
        },
        events: read.events.iter().map(|e| language.event(e)).collect(),
        is_withheld: !read.withheld.is_empty(),
    }
}

fn scope_line(f: &PageFrame, scope: &ScopeRead, found: Option<&VerifyRead>) -> ScopeLine {
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let name = format!("{}/{}", scope.lane, scope.crossing);
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
        differs: found.map(|v| v.scopes_differing.contains(&name)),
        scope: name,
    }
}
