//! Resyncs: planned, looked at, approved, steered, followed.

use super::{
    answers::{ResyncRead, ResyncsRead},
    frame, is_hub, is_operator,
};
use crate::{
    Console, answer,
    answer::see_other,
    api::Refused,
    claimed::claim_words,
    frame::PageFrame,
    moment::Moment,
    sites::{
        answers::SitesRead,
        when::{bytes, length},
    },
    values,
    visitor::{PageQuery, Visitor},
};
use askama::Template;
use axum::{
    Form,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;
use serde_json::json;

const PATH: &str = "/console/control/resyncs";

/// Logs and ranges on a page at most; how many more there are is said.
const LOGS_SHOWN: usize = 100;
/// What can be done with a resync.
const ACTS: [&str; 4] = ["run", "pause", "resume", "cancel"];

/// A resync in the list.
struct ResyncLine {
    read: ResyncRead,
    state: String,
    kind: &'static str,
    changed: Moment,
}

impl ResyncLine {
    fn new(f: &PageFrame, read: ResyncRead) -> Self {
        Self {
            state: f.say(&format!("control-resync-{}", read.state)),
            kind: match read.state.as_str() {
                "done" => "good",
                "failed" => "bad",
                "cancelled" => "plain",
                "planned" | "paused" => "warn",
                _ => "note",
            },
            changed: Moment::of_ms(read.changed_ms),
            read,
        }
    }
}

#[derive(Template)]
#[template(path = "control_resyncs.html")]
struct ResyncsPage {
    f: PageFrame,
    resyncs: Vec<ResyncLine>,
    peers: Vec<String>,
    chosen: String,
    reason: String,
    may_plan: bool,
    may_order: bool,
    problem: Option<Refused>,
}

/// Which site the form begins with.
#[derive(Default, Deserialize)]
pub(super) struct SiteChosen {
    #[serde(default)]
    site: String,
}

/// The list, with the forms to plan one and to order one.
pub(super) async fn show_list(
    State(console): State<Console>,
    visitor: Visitor,
    PageQuery(chosen): PageQuery<SiteChosen>,
) -> Response {
    list_page(&console, &visitor, chosen.site, String::new(), None).await
}

async fn list_page(
    console: &Console,
    visitor: &Visitor,
    chosen: String,
    reason: String,
    problem: Option<Refused>,
) -> Response {
    let (api, asker) = (&console.api, &visitor.asker);
    let read: Result<ResyncsRead, Refused> = api.get(asker, "/v1/resyncs").await;
    let sites: Result<SitesRead, Refused> = api.get(asker, "/v1/sites").await;
    let (read, sites) = match (read, sites) {
        (Ok(read), Ok(sites)) => (read, sites),
        (Err(refused), _) | (_, Err(refused)) => return refused.page(visitor),
    };

    let f = frame(visitor, "control-resyncs");
    let status = answer::status_beside(problem.as_ref());
    answer::page_with(
        status,
        &ResyncsPage {
            resyncs: read
                .resyncs
                .into_iter()
                .map(|r| ResyncLine::new(&f, r))
                .collect(),
            peers: sites.peers.into_iter().map(|p| p.node).collect(),
            chosen,
            reason,
            may_plan: is_operator(&f),
            may_order: is_operator(&f) && is_hub(&f),
            problem,
            f,
        },
    )
}

/// What is to be planned or ordered.
#[derive(Deserialize)]
pub(super) struct PlanForm {
    /// plan or order.
    what: String,
    #[serde(default)]
    site: String,
    reason: String,
}

/// Begins a plan at this node, or orders a resync of a site.
pub(super) async fn plan(
    State(console): State<Console>,
    visitor: Visitor,
    Form(form): Form<PlanForm>,
) -> Response {
    let reason = form.reason.trim();
    let body = match form.what.as_str() {
        "order" => json!({"site": form.site, "reason": reason}),
        _ if form.site.is_empty() => json!({"reason": reason}),
        _ => json!({"peer": form.site, "reason": reason}),
    };

    let made = console
        .api
        .post::<ResyncRead>(&visitor.asker, "/v1/resyncs", &body, None)
        .await;
    match made {
        Ok(resync) => see_other(&format!("{PATH}/{}", resync.id)),
        Err(refused) if refused.status == StatusCode::UNAUTHORIZED.as_u16() => {
            refused.page(&visitor)
        }
        Err(refused) => {
            let reason = form.reason.clone();
            list_page(&console, &visitor, form.site, reason, Some(refused)).await
        }
    }
}

/// One log of a plan in words.
struct PlanLog {
    log: String,
    state: String,
    mine: u64,
    theirs: String,
    ranges: String,
    entries: u64,
}

/// Who steered a resync, and how.
struct SteeredLine {
    act: String,
    by: String,
    claim: Option<String>,
    at: Moment,
}

#[derive(Template)]
#[template(path = "control_resync.html")]
struct ResyncPage {
    f: PageFrame,
    line: ResyncLine,
    made: Moment,
    logs: Vec<PlanLog>,
    more_logs: usize,
    cost: String,
    seconds: String,
    is_live: bool,
    acts: Vec<&'static str>,
    done: u64,
    of: u64,
    steered: Vec<SteeredLine>,
    planned_claim: Option<String>,
    approved_claim: Option<String>,
    outcome: Vec<(String, String)>,
    is_equal: Option<bool>,
}

impl ResyncPage {
    /// The sentence that names an act.
    fn act_name(&self, act: &str) -> &'static str {
        match act {
            "run" => "control-act-run",
            "pause" => "control-act-pause",
            "resume" => "control-act-resume",
            _ => "control-act-cancel",
        }
    }
}

async fn read_one(console: &Console, visitor: &Visitor, id: &str) -> Result<ResyncRead, Refused> {
    let path = format!("/v1/resyncs/{}", values::query_escaped(id));
    console.api.get(&visitor.asker, &path).await
}

/// One resync, with its comparison, how far it has come, and what came of it.
pub(super) async fn show(
    State(console): State<Console>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Response {
    match read_one(&console, &visitor, &id).await {
        Ok(read) => answer::page(&resync_page(&visitor, read)),
        Err(refused) => refused.page(&visitor),
    }
}

fn resync_page(visitor: &Visitor, read: ResyncRead) -> ResyncPage {
    let f = frame(visitor, "control-resync");
    let log = |l: &super::answers::ResyncLogRead| PlanLog {
        log: l.log.clone(),
        state: f.say(&format!("control-log-{}", l.state)),
        mine: l.mine,
        theirs: l
            .theirs
            .map_or_else(|| f.say("sites-unknown"), |n| n.to_string()),
        ranges: ranges_text(&l.ranges),
        entries: l.entries,
    };
    let claim = |by: &str, by_token: &str| claim_words(f.language, by, by_token);
    let steered = |s: &super::answers::SteeredRead| SteeredLine {
        act: f.say(&format!("control-act-{}", s.act)),
        by: s.by.clone(),
        claim: claim(&s.by, &s.by_token),
        at: Moment::of_ms(s.at_ms),
    };
    let acts = match is_operator(&f) {
        true => acts_of(&read.state, f.who.node == read.node),
        false => Vec::new(),
    };

    ResyncPage {
        made: Moment::of_ms(read.made_ms),
        logs: read.logs.iter().take(LOGS_SHOWN).map(log).collect(),
        more_logs: read.logs.len().saturating_sub(LOGS_SHOWN),
        cost: format!(
            "↑ {} · ↓ {}",
            bytes(read.send_bytes as f64),
            bytes(read.fetch_bytes as f64)
        ),
        seconds: match read.seconds {
            Some(s) => length(&f, (s * 1_000.0) as i64),
            None => f.say("sites-unknown"),
        },
        is_live: !matches!(
            read.state.as_str(),
            "planned" | "done" | "failed" | "cancelled"
        ),
        acts,
        done: read.progress.iter().map(|p| p.done).sum(),
        of: read
            .progress
            .iter()
            .map(|p| p.to.saturating_sub(p.from))
            .sum(),
        steered: read.steered.iter().map(steered).collect(),
        planned_claim: claim(&read.planned_by, &read.planned_by_token),
        approved_claim: claim(&read.approved_by, &read.approved_by_token),
        outcome: outcome_lines(&f, &read.outcome),
        is_equal: read.outcome["equal"].as_bool(),
        line: ResyncLine::new(&f, read),
        f,
    }
}

fn ranges_text(ranges: &[(u64, u64)]) -> String {
    let shown = ranges.iter().take(6);
    let mut text: Vec<String> = shown
        .map(|(from, to)| format!("{from}–{}", to.saturating_sub(1).max(*from)))
        .collect();
    if ranges.len() > 6 {
        text.push(format!("… ({})", ranges.len()));
    }
    text.join(" ")
}

/// What can be done with a resync in that state. One that another node carries out is steered
/// there.
fn acts_of(state: &str, is_here: bool) -> Vec<&'static str> {
    match state {
        "planned" => vec!["run", "cancel"],
        "paused" if is_here => vec!["resume", "cancel"],
        "shipping" | "comparing" | "mending" | "verifying" if is_here => vec!["pause", "cancel"],
        _ => Vec::new(),
    }
}

/// What was found at the end: members that people read, in words.
fn outcome_lines(f: &PageFrame, outcome: &serde_json::Value) -> Vec<(String, String)> {
    let shown = [
        "why",
        "logs",
        "logs_differing",
        "scopes",
        "scopes_differing",
        "damaged",
        "mended",
        "unmended",
        "wrong_here",
    ];
    shown
        .into_iter()
        .filter_map(|key| {
            let value = outcome.get(key)?;
            let text = match value.as_array() {
                Some(list) => {
                    let all: Vec<&str> = list.iter().filter_map(|v| v.as_str()).collect();
                    all.join(" · ")
                }
                None => super::policy::value_text(value),
            };
            Some((f.say(&format!("control-outcome-{key}")), text))
        })
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

/// A question before something is done.
#[derive(Template)]
#[template(path = "control_ask.html")]
struct AskPage {
    f: PageFrame,
    what: String,
    line: ResyncLine,
    act: String,
    back: String,
}

/// Asks once more, with what will be done.
pub(super) async fn ask(
    State(console): State<Console>,
    visitor: Visitor,
    Path((id, act)): Path<(String, String)>,
) -> Response {
    if !ACTS.contains(&act.as_str()) {
        return see_other(PATH);
    }
    match read_one(&console, &visitor, &id).await {
        Ok(read) => {
            let f = frame(&visitor, &format!("control-act-{act}"));
            answer::page(&AskPage {
                what: f.say(&format!("control-act-{act}-about")),
                back: format!("{PATH}/{}", read.id),
                line: ResyncLine::new(&f, read),
                act,
                f,
            })
        }
        Err(refused) => refused.page(&visitor),
    }
}

/// Does it.
pub(super) async fn act(
    State(console): State<Console>,
    visitor: Visitor,
    Path((id, act)): Path<(String, String)>,
) -> Response {
    let id = values::query_escaped(&id);
    let path = format!("/v1/resyncs/{id}/{}", values::query_escaped(&act));
    let done = console
        .api
        .post::<ResyncRead>(&visitor.asker, &path, &json!({}), None)
        .await;
    match done {
        Ok(_) => see_other(&format!("{PATH}/{id}")),
        Err(refused) => refused.page(&visitor),
    }
}
