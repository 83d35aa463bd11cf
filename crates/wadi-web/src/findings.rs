//! Findings: lists with exact counts, and what auditors do with them.

use crate::{
    Problem, Token, TokenScope,
    answers::{AssignedAnswer, FindingActAnswer, FindingAnswer, FindingPageAnswer, RecheckAnswer},
    filters, limits, pages,
    problem::unprocessable,
    reading::ReadRight,
    strict::StrictBody,
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::Arc};
use utoipa::{IntoParams, ToSchema};
use wadi_log::Role;
use wadi_node::{FindingAct, FindingFilter, FindingRow, Node, NodeError};

/// Findings that one request may assign.
const BULK_MAX: usize = 500;

/// Which findings to list: the most severe first, of those the oldest first.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct FindingQuery {
    /// A rule's code, as R02.
    rule: Option<String>,
    /// 1 is highest.
    #[param(minimum = 1, maximum = 3)]
    severity: Option<u8>,
    /// Crossing's code.
    crossing: Option<String>,
    /// PENDING or FIRM.
    phase: Option<String>,
    /// OPEN, ASSIGNED, PENDING_RESOLUTION, RESOLVED or WAIVED.
    state: Option<String>,
    /// Who looks into it.
    assignee: Option<String>,
    /// The record that they are anchored at: its full id.
    record: Option<String>,
    /// Only what happened so many hours ago or more.
    older_than_h: Option<i64>,
    /// Only those after this cursor: `next_after` of the page before.
    after: Option<String>,
    /// At most so many, 500 at most. Where it is left out, 100 or as many as fit in 50,000 bytes,
    /// whichever are fewer.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// The states of a finding's life.
const STATES: [&str; 5] = [
    "OPEN",
    "ASSIGNED",
    "PENDING_RESOLUTION",
    "RESOLVED",
    "WAIVED",
];
/// The phases.
const PHASES: [&str; 2] = ["PENDING", "FIRM"];

fn filter(q: FindingQuery, node: &Node) -> Result<FindingFilter, Problem> {
    let now_ms = node.now_ms();
    let rules = || {
        wadi_reconcile::RULES
            .iter()
            .chain([&wadi_reconcile::RULE_FAILED])
            .map(|rule| rule.code)
    };

    let severities: BTreeSet<u8> = wadi_reconcile::RULES
        .iter()
        .map(|rule| rule.severity)
        .collect();

    if let Some(severity) = q.severity.filter(|s| !severities.contains(s)) {
        let names: Vec<String> = severities.iter().map(ToString::to_string).collect();
        let names = names.iter().map(String::as_str);
        return Err(filters::unknown_value(
            "severity of a rule",
            &severity.to_string(),
            names,
        ));
    }

    let after = match q.after {
        None => None,
        Some(text) => {
            let parts: Vec<&str> = text.splitn(3, '.').collect();
            let read = || {
                Some((
                    parts.first()?.parse().ok()?,
                    parts.get(1)?.parse().ok()?,
                    parts.get(2)?.to_string(),
                ))
            };

            let bad = || {
                let why = format!("{text:?} is no cursor: give `next_after` as it came");
                unprocessable("bad_cursor", why)
            };

            Some(read().ok_or_else(bad)?)
        }
    };

    Ok(FindingFilter {
        rule: q
            .rule
            .map(|rule| filters::one("rule", &rule, rules()))
            .transpose()?,
        severity: q.severity,
        crossing: q
            .crossing
            .map(|code| filters::crossing(node, &code))
            .transpose()?,
        phase: q
            .phase
            .map(|phase| filters::one("phase", &phase, PHASES))
            .transpose()?,
        state: q
            .state
            .map(|state| filters::one("state of findings", &state, STATES))
            .transpose()?,
        assignee: q.assignee,
        anchor: q
            .record
            .map(|id| id.parse())
            .transpose()
            .map_err(NodeError::Log)?,
        until_ms: q
            .older_than_h
            .map(|h| now_ms.saturating_sub(h.saturating_mul(3_600_000))),
        after,
        limit: pages::rows(q.limit)?,
    })
}

fn row_json(row: &FindingRow) -> Value {
    let mut json: Value = serde_json::from_str(&row.json).unwrap_or_default();
    json["state"] = row.state.as_str().into();
    json["assignee"] = row.assignee.as_str().into();
    json
}

/// Findings: contradictions between records. At the hub all, with exact counts; at a site what the
/// hub published on its records.
#[utoipa::path(
    get,
    path = "/v1/findings",
    params(FindingQuery),
    tag = "findings",
    responses(
        (status = 200, description = "a page of findings", body = FindingPageAnswer),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<FindingQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    let reading = token.reading(&node)?;
    reading.all_kinds()?;
    let limit = query.limit;
    let filter = filter(query, &node)?;
    let _turn = limits::expensive().await?;
    if node.me().role != Role::Hub {
        let (count, published) = node.findings().published(&filter).await?;
        let listed = published
            .into_iter()
            .map(|p| (cursor(p.severity, p.at_ms, &p.id), p.json));
        return Ok(page(
            json!(count),
            json!([]),
            readable(&reading, listed.collect()),
            &filter,
            limit,
        ));
    }

    let rows = node.reads().findings(&filter).await?;
    let counts = node.reads().finding_counts(&filter).await?;
    let count: i64 = counts.iter().map(|c| c.count).sum();
    let counts = counts
        .iter()
        .map(|c| json!({"rule": c.rule, "phase": c.phase, "state": c.state, "count": c.count}));
    let listed = rows
        .iter()
        .map(|row| (cursor(row.severity, row.at_ms, &row.id), row_json(row)));

    Ok(page(
        json!(count),
        counts.collect(),
        readable(&reading, listed.collect()),
        &filter,
        limit,
    ))
}

/// Findings with their cursors, without what is not read of them.
fn readable(reading: &ReadRight<'_>, mut listed: Vec<(String, Value)>) -> Vec<(String, Value)> {
    for (_, finding) in &mut listed {
        reading.show_finding(finding);
    }
    listed
}

/// The cursor that leads on from a finding.
fn cursor(severity: u8, at_ms: i64, id: &str) -> String {
    format!("{severity}.{at_ms}.{id}")
}

/// The answer to a list: each finding comes with its cursor.
fn page(
    count: Value,
    counts: Value,
    listed: Vec<(String, Value)>,
    filter: &FindingFilter,
    limit: Option<u32>,
) -> Json<Value> {
    let longest = listed
        .iter()
        .map(|(cursor, _)| cursor)
        .max_by_key(|c| c.len());
    let mut answer =
        json!({"count": count, "counts": counts, "findings": [], "next_after": longest});

    let shown = pages::fitting(listed.iter().map(|(_, json)| json), &answer, limit);
    let may_be_more = shown < listed.len() || listed.len() as u32 == filter.limit;
    let (cursors, mut findings): (Vec<String>, Vec<Value>) = listed.into_iter().unzip();
    findings.truncate(shown);

    let last = shown.checked_sub(1).and_then(|at| cursors.get(at));
    answer["next_after"] = json!(last.filter(|_| may_be_more));
    answer["findings"] = findings.into();
    Json(answer)
}

/// One finding: at the hub as it stands, at a site as the hub published it.
#[utoipa::path(
    get,
    path = "/v1/findings/{id}",
    params(("id" = String, Path, description = "the finding's id")),
    tag = "findings",
    responses(
        (status = 200, description = "the finding", body = FindingAnswer),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let reading = token.reading(&node)?;
    reading.all_kinds()?;
    let mut finding = match node.me().role {
        Role::Hub => row_json(&node.reads().finding(&id).await?),
        _ => node.findings().published_one(&id).await?,
    };

    reading.show_finding(&mut finding);
    Ok(Json(finding))
}

/// What an auditor does with a finding.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "act", deny_unknown_fields)]
pub enum ActBody {
    /// Somebody is to look into it.
    Assign {
        /// Who: a service number.
        to: String,
        /// Who says so, where the token names nobody.
        #[serde(default)]
        officer: Option<String>,
    },
    /// How it should be settled, on the evidence as it stands.
    Propose {
        /// Waive it, and do not resolve it.
        #[serde(default)]
        waive: bool,
        /// Why.
        reason: String,
        /// Who says so, where the token names nobody.
        #[serde(default)]
        officer: Option<String>,
    },
    /// Another auditor's word on the proposal.
    Decide {
        /// Whether it is approved.
        approve: bool,
        /// Why.
        #[serde(default)]
        reason: String,
        /// Who says so, where the token names nobody.
        #[serde(default)]
        officer: Option<String>,
    },
    /// An earlier act never was.
    Undo {
        /// The event; the last decision or proposal where none is given.
        #[serde(default)]
        event: Option<String>,
        /// Why.
        reason: String,
        /// Who says so, where the token names nobody.
        #[serde(default)]
        officer: Option<String>,
    },
}

/// The auditor who speaks: the token's, or whom the operator names.
fn auditor(token: &Token, named: Option<String>) -> Result<String, Problem> {
    match (&token.scope, named) {
        (
            TokenScope::Officer {
                officer,
                department,
            },
            None,
        ) if department == "HUB" => Ok(officer.clone()),
        (TokenScope::Operator, Some(named)) if !named.is_empty() => Ok(named),
        (TokenScope::Operator, _) => {
            Err(unprocessable("no_officer", "name the auditor: `officer`"))
        }
        _ => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "no_authority",
            "findings are the commission's auditors' to decide",
        )),
    }
}

/// The auditor who settles findings, by their own token alone: who proposes and who decides are two
/// persons, and whoever holds this machine is not both of them.
fn settling_auditor(token: &Token, named: Option<String>) -> Result<String, Problem> {
    if token.scope == TokenScope::Operator {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "own_token_needed",
            "findings are settled by auditors with tokens of their own: `wadi token issue NAME \
             --officer AU-1 --department HUB`, and the command with --token",
        ));
    }

    auditor(token, named)
}

/// Assigns, proposes, decides or undoes; a signed event on the anchor record. Durable when it
/// answers.
#[utoipa::path(
    post,
    path = "/v1/findings/{id}/acts",
    request_body = ActBody,
    tag = "findings",
    params(("id" = String, Path, description = "the finding's id")),
    responses(
        (status = 201, description = "written", body = FindingActAnswer),
        (status = 403, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
    ),
)]
pub(crate) async fn act(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(id): Path<String>,
    body: StrictBody<ActBody>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (act, officer) = match body.said {
        ActBody::Assign { to, officer } => (FindingAct::Assign { to }, officer),
        ActBody::Propose {
            waive,
            reason,
            officer,
        } => (FindingAct::Propose { waive, reason }, officer),
        ActBody::Decide {
            approve,
            reason,
            officer,
        } => (FindingAct::Decide { approve, reason }, officer),
        ActBody::Undo {
            event,
            reason,
            officer,
        } => (FindingAct::Undo { event, reason }, officer),
    };

    let officer = match &act {
        FindingAct::Assign { .. } => auditor(&token, officer)?,
        _ => settling_auditor(&token, officer)?,
    };
    let done = node.findings().act(&id, act, &officer).await?;
    let written = json!({
        "finding": done.finding,
        "record": done.written.printed,
        "entry": done.written.entry.to_string(),
    });

    Ok((StatusCode::CREATED, Json(written)))
}

/// Findings to assign together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignBody {
    /// The findings' ids, 500 at most.
    findings: Vec<String>,
    /// Who: a service number.
    to: String,
    /// Who says so, where the token names nobody.
    #[serde(default)]
    officer: Option<String>,
}

/// Assigns many; each for itself, and each that could not be is named with its reason.
#[utoipa::path(
    post,
    path = "/v1/findings/assign",
    request_body = AssignBody,
    tag = "findings",
    responses(
        (status = 200, description = "assigned and refused", body = AssignedAnswer),
        (status = 403, body = Problem),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn assign(
    State(node): State<Arc<Node>>,
    token: Token,
    body: StrictBody<AssignBody>,
) -> Result<Json<Value>, Problem> {
    let body = body.said;
    if body.findings.len() > BULK_MAX {
        let why = format!(
            "{} findings; {BULK_MAX} at most in one request",
            body.findings.len()
        );
        return Err(unprocessable("too_many", why));
    }

    let officer = auditor(&token, body.officer)?;
    let (mut assigned, mut refused) = (Vec::new(), Vec::new());
    for id in body.findings {
        match node
            .findings()
            .act(
                &id,
                FindingAct::Assign {
                    to: body.to.clone(),
                },
                &officer,
            )
            .await
        {
            Ok(_) => assigned.push(id),
            Err(error) => {
                refused.push(json!({"finding": id, "code": error.code(), "why": error.to_string()}))
            }
        }
    }

    Ok(Json(json!({"assigned": assigned, "refused": refused})))
}

/// Looks at every record afresh. The findings come out the same; should they not, that is a defect
/// worth a report.
#[utoipa::path(
    post,
    path = "/v1/findings/recheck",
    tag = "findings",
    responses(
        (status = 202, description = "begun", body = RecheckAnswer),
        (status = 403, body = Problem),
    ),
)]
pub(crate) async fn recheck(
    State(node): State<Arc<Node>>,
    token: Token,
) -> Result<(StatusCode, Json<Value>), Problem> {
    token.operator()?;
    node.findings().recheck()?;
    Ok((StatusCode::ACCEPTED, Json(json!({"recheck": "begun"}))))
}
