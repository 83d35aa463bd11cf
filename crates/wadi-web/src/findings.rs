//! Findings: lists with exact counts, and what auditors do with them.

use crate::{
    Problem, Token,
    answers::{FindingAnswer, FindingPageAnswer, RecheckAnswer},
    filters, finding_cases, finding_desk, limits, pages,
    problem::unprocessable,
    reading::ReadRight,
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use utoipa::IntoParams;
use wadi_log::Role;
use wadi_node::{
    ChosenFindings, Disposition, FindingFilter, FindingRow, Node, NodeError, finding_version,
};

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
    /// OPEN, ASSIGNED, PENDING_RESOLUTION, RESOLVED or WAIVED; UNDECIDED for the first three.
    state: Option<String>,
    /// Who looks into it.
    assignee: Option<String>,
    /// What it was decided to be: true, explained, false_alarm or duplicate.
    disposition: Option<String>,
    /// Only those of a case, as `plate:11A00042`, `container:…`, `officer:…`, `record:…` or
    /// `outage:…`.
    about: Option<String>,
    /// Of those that the caller put aside: `with`, `without` or `only`.
    snoozed: Option<String>,
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

/// The states of a finding's life, and what stands for several of them.
const STATES: [&str; 6] = [
    "UNDECIDED",
    "OPEN",
    "ASSIGNED",
    "PENDING_RESOLUTION",
    "RESOLVED",
    "WAIVED",
];
/// The phases.
const PHASES: [&str; 2] = ["PENDING", "FIRM"];

/// The finding that a page begins after: its severity, time and id, as `next_after` has them.
fn read_cursor(text: &str) -> Result<(u8, i64, String), Problem> {
    let parts: Vec<&str> = text.splitn(3, '.').collect();
    let read = || {
        Some((
            parts.first()?.parse().ok()?,
            parts.get(1)?.parse().ok()?,
            parts.get(2)?.to_string(),
        ))
    };

    read().ok_or_else(|| {
        let why = format!("{text:?} is no cursor: give `next_after` as it came");
        unprocessable("bad_cursor", why)
    })
}

/// Until when findings were found that are older than so many hours, Unix milliseconds.
fn found_before(hours: Option<i64>, now_ms: i64) -> Result<Option<i64>, Problem> {
    if hours.is_some_and(|hours| hours < 0) {
        return Err(unprocessable("bad_query", "older_than_h: from 0 hours on"));
    }

    Ok(hours.map(|h| now_ms.saturating_sub(h.saturating_mul(3_600_000))))
}

async fn filter(q: FindingQuery, node: &Node, token: &Token) -> Result<FindingFilter, Problem> {
    let now_ms = node.time().best_ms();
    let ids = snoozed(q.snoozed.as_deref(), node, token).await?;
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

    let after = q.after.as_deref().map(read_cursor).transpose()?;
    let mut filter = FindingFilter {
        disposition: q
            .disposition
            .map(|name| filters::one("disposition", &name, Disposition::ALL.map(|d| d.name())))
            .transpose()?,
        about: None,
        ids,
        from_ms: None,
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
        until_ms: found_before(q.older_than_h, now_ms)?,
        after,
        limit: pages::rows(q.limit)?,
    };
    if let Some(about) = &q.about {
        finding_cases::narrow(&mut filter, about, node).await?;
    }

    Ok(filter)
}

/// What the caller put aside, as a part of a filter.
async fn snoozed(
    wanted: Option<&str>,
    node: &Node,
    token: &Token,
) -> Result<Option<ChosenFindings>, Problem> {
    let wanted = match wanted {
        None => return Ok(None),
        Some(wanted) => filters::one("choice", wanted, ["with", "without", "only"])?,
    };
    let desk = node.findings().desk(&finding_desk::person(token)).await?;
    let ids: Vec<String> = desk.snoozed.into_iter().map(|s| s.finding).collect();
    Ok(match wanted.as_str() {
        "without" => Some(ChosenFindings::Without(ids)),
        "only" => Some(ChosenFindings::Only(ids)),
        _ => None,
    })
}

/// A finding's row as an answer. `heard` tells through when crossings are received: what a pending
/// one still waits for is named.
fn row_json(row: &FindingRow, heard: &BTreeMap<String, i64>) -> Value {
    let mut json: Value = serde_json::from_str(&row.json).unwrap_or_default();
    json["state"] = row.state.as_str().into();
    json["assignee"] = row.assignee.as_str().into();
    let last = json["life"]["last"].as_str().unwrap_or_default();
    json["version"] = finding_version(&row.evidence, last).into();
    let through_ms = json["waits_for"]["through_ms"].as_i64();
    if let Some(through_ms) = through_ms {
        let crossings = json["waits_for"]["crossings"].as_array();
        let missing: Vec<Value> = crossings
            .into_iter()
            .flatten()
            .filter(|c| {
                let heard = c.as_str().and_then(|code| heard.get(code));
                heard.is_none_or(|ms| *ms < through_ms)
            })
            .cloned()
            .collect();
        json["waits_for"]["missing"] = missing.into();
    }

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
    reading.all_records()?;
    let limit = query.limit;
    let filter = filter(query, &node, &token).await?;
    let _turn = limits::expensive(&token).await?;
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
    let heard = node.findings().heard();
    let listed = rows.iter().map(|row| {
        (
            cursor(row.severity, row.at_ms, &row.id),
            row_json(row, &heard),
        )
    });

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
    reading.all_records()?;
    let mut finding = match node.me().role {
        Role::Hub => row_json(&node.findings().fresh(&id).await?, &node.findings().heard()),
        _ => node.findings().published_one(&id).await?,
    };

    reading.show_finding(&mut finding);
    Ok(Json(finding))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_older_than_less_than_no_time() {
        assert_eq!(found_before(None, 5).unwrap(), None);
        assert_eq!(found_before(Some(1), 3_600_001).unwrap(), Some(1));
        assert_eq!(found_before(Some(-1), 5).unwrap_err().code, "bad_query");
    }
}
