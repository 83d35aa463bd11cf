//! Cases, and what findings came to. A case is what findings are about: a truck, a container, an
//! officer, an outage. It is never stored: it follows from the findings that there are.

use crate::{
    Problem, Token,
    answers::{CaseAnswer, CasePageAnswer, FindingFiguresAnswer},
    filters, limits, pages,
    problem::unprocessable,
};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;
use wadi_node::{
    CaseFilter, CaseRow, FigureQuery, FindingFilter, FindingRow, Node, RecordRow, SiteOutage,
};

/// Kinds of cases.
const KINDS: [&str; 4] = ["plate", "container", "officer", "outage"];
/// What findings are about, besides outages.
const ABOUT: [&str; 4] = ["plate", "container", "officer", "record"];
/// Records that a case tells.
const RECORDS_MAX: u32 = 200;
/// Milliseconds of the longest time that figures are asked for: ten years.
const FIGURES_MS_MAX: i64 = 3_660 * 24 * 3_600_000;
/// Milliseconds of the time that figures are of, where none is named: a year.
const FIGURES_MS: i64 = 366 * 24 * 3_600_000;

/// Narrows a filter to a case: `KIND:KEY`.
pub(crate) async fn narrow(
    filter: &mut FindingFilter,
    about: &str,
    node: &Node,
) -> Result<(), Problem> {
    let (what, value) = about.split_once(':').unwrap_or((about, ""));
    if what == "outage" {
        let outage = outage_of(node, value).await?;
        filter.from_ms = Some(outage.from_ms);
        filter.until_ms = outage.until_ms.or(filter.until_ms);
        filter.crossing = Some(outage.crossing);
        return Ok(());
    }

    let what = filters::one("thing that findings are about", what, ABOUT)?;
    filter.about = Some((what, value.to_string()));
    Ok(())
}

async fn outage_of(node: &Node, key: &str) -> Result<SiteOutage, Problem> {
    let all = node.reads().outages().await?;
    let found = all.into_iter().find(|outage| outage.key() == key);
    found.ok_or_else(|| no_such_case("outage", key))
}

fn no_such_case(kind: &str, key: &str) -> Problem {
    let why = format!("no findings about {kind} {key:?}, or none any more");
    Problem::new(StatusCode::NOT_FOUND, "no_such_case", why)
}

/// Which cases to list: those with the most unsettled findings first; outages, the latest first.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct CaseQuery {
    /// plate, container, officer or outage; plate where it is left out.
    kind: Option<String>,
    /// Only those after this cursor: `next_after` of the page before.
    after: Option<String>,
    /// At most so many, 500 at most; 100 where it is left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

fn case_json(kind: &str, row: &CaseRow) -> Value {
    json!({
        "kind": kind,
        "key": row.value,
        "findings": row.findings,
        "undecided": row.undecided,
        "firm": row.firm,
        "last_ms": row.last_ms,
    })
}

/// An outage as a case, with how many findings are of its time and its crossing.
async fn outage_json(node: &Node, outage: &SiteOutage) -> Result<Value, Problem> {
    let filter = FindingFilter {
        crossing: Some(outage.crossing.clone()),
        from_ms: Some(outage.from_ms),
        until_ms: outage.until_ms,
        ..FindingFilter::default()
    };
    let counts = node.reads().finding_counts(&filter).await?;
    let is_open = |state: &str| !matches!(state, "RESOLVED" | "WAIVED");
    let all: i64 = counts.iter().map(|c| c.count).sum();
    let open = counts.iter().filter(|c| is_open(&c.state));
    let undecided: i64 = open.clone().map(|c| c.count).sum();
    let firm: i64 = open.filter(|c| c.phase == "FIRM").map(|c| c.count).sum();

    Ok(json!({
        "kind": "outage",
        "key": outage.key(),
        "findings": all,
        "undecided": undecided,
        "firm": firm,
        "last_ms": outage.until_ms.unwrap_or(outage.from_ms),
        "crossing": outage.crossing,
        "of": outage.of,
        "from_ms": outage.from_ms,
        "until_ms": outage.until_ms,
    }))
}

/// Cases: findings about one truck, container, officer or outage, with their counts; a hub's alone.
#[utoipa::path(
    get,
    path = "/v1/findings/cases",
    params(CaseQuery),
    tag = "findings",
    responses(
        (status = 200, description = "a page of cases", body = CasePageAnswer),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn cases(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<CaseQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    token.reading(&node)?.all_records()?;
    let kind = query.kind.as_deref().unwrap_or("plate");
    let kind = filters::one("kind of case", kind, KINDS)?;
    let limit = pages::rows(query.limit)?;
    let _turn = limits::expensive(&token).await?;
    if kind == "outage" {
        let mut cases = Vec::new();
        for outage in node.reads().outages().await? {
            cases.push(outage_json(&node, &outage).await?);
        }

        return Ok(Json(json!({"cases": cases, "next_after": null})));
    }

    let after = match &query.after {
        None => None,
        Some(text) => {
            let read = text
                .split_once('.')
                .and_then(|(undecided, value)| Some((undecided.parse().ok()?, value.to_string())));
            let why = || format!("{text:?} is no cursor: give `next_after` as it came");
            Some(read.ok_or_else(|| unprocessable("bad_cursor", why()))?)
        }
    };
    let filter = CaseFilter {
        what: kind.clone(),
        value: None,
        after,
        limit,
    };
    let rows = node.reads().cases(&filter).await?;
    let last = rows.last().filter(|_| rows.len() as u32 == limit);
    let next = last.map(|row| format!("{}.{}", row.undecided, row.value));
    let cases: Vec<Value> = rows.iter().map(|row| case_json(&kind, row)).collect();
    Ok(Json(json!({"cases": cases, "next_after": next})))
}

/// One case: its counts, and its records in the order in which they began. Its findings are listed
/// by `/v1/findings?about=KIND:KEY`.
#[utoipa::path(
    get,
    path = "/v1/findings/cases/{kind}/{key}",
    tag = "findings",
    params(
        ("kind" = String, Path, description = "plate, container, officer or outage"),
        ("key" = String, Path, description = "which, as the list has it"),
    ),
    responses(
        (status = 200, description = "the case", body = CaseAnswer),
        (status = 404, body = Problem),
    ),
)]
pub(crate) async fn case(
    State(node): State<Arc<Node>>,
    token: Token,
    Path((kind, key)): Path<(String, String)>,
) -> Result<Json<Value>, Problem> {
    token.reading(&node)?.all_records()?;
    let kind = filters::one("kind of case", &kind, KINDS)?;
    let _turn = limits::expensive(&token).await?;
    if kind == "outage" {
        let outage = outage_of(&node, &key).await?;
        let mut case = outage_json(&node, &outage).await?;
        case["records"] = outage_records(&node, &outage).await?.into();
        return Ok(Json(case));
    }

    let filter = CaseFilter {
        what: kind.clone(),
        value: Some(key.clone()),
        after: None,
        limit: 1,
    };
    let rows = node.reads().cases(&filter).await?;
    let row = rows.first().ok_or_else(|| no_such_case(&kind, &key))?;
    let mut case = case_json(&kind, row);
    let records = node.reads().case_records(&kind, &key, RECORDS_MAX).await?;
    let records = records.iter().map(|(row, cited)| record_json(row, *cited));
    case["records"] = records.collect();
    Ok(Json(case))
}

/// The anchors of findings of an outage.
async fn outage_records(node: &Node, outage: &SiteOutage) -> Result<Vec<Value>, Problem> {
    let filter = FindingFilter {
        crossing: Some(outage.crossing.clone()),
        from_ms: Some(outage.from_ms),
        until_ms: outage.until_ms,
        limit: RECORDS_MAX,
        ..FindingFilter::default()
    };
    let found = node.reads().findings(&filter).await?;
    let mut rows = node.reads().anchors_of(&found).await?;
    rows.sort_by_key(|row| (row.born_ms, row.id));
    let cited = |row: &RecordRow| {
        let is_its = |f: &&FindingRow| f.anchor == row.id;
        i64::try_from(found.iter().filter(is_its).count()).unwrap_or(i64::MAX)
    };
    Ok(rows
        .iter()
        .map(|row| record_json(row, cited(row)))
        .collect())
}

/// What a case tells of a record.
fn record_json(row: &RecordRow, findings: i64) -> Value {
    let json: Value = serde_json::from_str(&row.json).unwrap_or_default();
    json!({
        "record": row.printed,
        "kind": json["kind"],
        "crossing": row.crossing,
        "state": json["state"],
        "flags": json["flags"],
        "born_ms": row.born_ms,
        "at_ms": row.at_ms,
        "findings": findings,
    })
}

/// Which findings to count.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct FigureParams {
    /// Found at that time or later, Unix milliseconds; a year before the end where it is left out.
    from_ms: Option<i64>,
    /// Found before that time, Unix milliseconds; now where it is left out.
    until_ms: Option<i64>,
    /// A rule's code, as R02.
    rule: Option<String>,
    /// Crossing's code.
    crossing: Option<String>,
}

/// What findings came to, by rule, crossing, officer and month: how many were found, explained
/// themselves, were decided and as what, and how long that took; and which fields are contested. A
/// hub's alone; those that are gone are counted, too.
#[utoipa::path(
    get,
    path = "/v1/findings/statistics",
    params(FigureParams),
    tag = "findings",
    responses(
        (status = 200, description = "the figures", body = FindingFiguresAnswer),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn statistics(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<FigureParams>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(query) = query?;
    token.reading(&node)?.all_records()?;
    let until_ms = query
        .until_ms
        .unwrap_or_else(|| node.time().best_ms().saturating_add(1));
    let from_ms = query
        .from_ms
        .unwrap_or_else(|| until_ms.saturating_sub(FIGURES_MS));
    if from_ms >= until_ms || until_ms.saturating_sub(from_ms) > FIGURES_MS_MAX {
        let why = "the time begins before it ends, and is ten years long at most";
        return Err(unprocessable("bad_query", why));
    }

    let codes = wadi_reconcile::RULES
        .iter()
        .chain([&wadi_reconcile::RULE_FAILED])
        .map(|rule| rule.code);
    let query = FigureQuery {
        from_ms,
        until_ms,
        rule: query
            .rule
            .map(|rule| filters::one("rule", &rule, codes))
            .transpose()?,
        crossing: query
            .crossing
            .map(|code| filters::crossing(&node, &code))
            .transpose()?,
    };
    let _turn = limits::expensive(&token).await?;
    Ok(Json(node.reads().finding_figures(&query).await?))
}
