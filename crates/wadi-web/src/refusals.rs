//! What was refused, and what was made of it: an operator dismisses a refusal with a reason, and it
//! is shown again once more of the same came.

use crate::{
    Problem, Token,
    answers::{RefusalLineAnswer, RefusalsAnswer},
    pages,
    problem::unprocessable,
    strict::StrictBody,
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};
use utoipa::{IntoParams, ToSchema};
use wadi_node::{Node, RefusalPage, RefusalPlace, RefusalRow};

/// Refusals that one page looks through for those which are not dismissed: what it costs is
/// bounded, and its cursor leads on behind the last that was looked at.
const SEARCHED_MAX: u32 = 5_000;
/// Characters of a cursor at most: two numbers of 64 bits with their signs, and a point.
const CURSOR_CHARS_MAX: usize = 41;
/// Characters of a reason.
const REASON_CHARS_MIN: usize = 3;
const REASON_CHARS_MAX: usize = 400;

/// Which refusals to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RefusalQuery {
    /// At most so many, 500 at most. Where it is left out, as many as fit in 50,000 bytes.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only those that nobody dismissed since they came last.
    open: bool,
    /// Only those behind this cursor: `next_after` of the page before.
    after: Option<String>,
}

/// The refusal that a page begins behind: its time and row, as `next_after` has them.
fn read_cursor(text: &str) -> Result<RefusalPlace, Problem> {
    let read = || {
        let (at_ms, id) = text.split_once('.')?;
        Some(RefusalPlace {
            at_ms: at_ms.parse().ok()?,
            id: id.parse().ok()?,
        })
    };

    read().ok_or_else(|| {
        let why = format!("{text:?} is no cursor: give `next_after` as it came");
        unprocessable("bad_cursor", why)
    })
}

fn cursor(place: RefusalPlace) -> String {
    format!("{}.{}", place.at_ms, place.id)
}

/// A dismissal, as it is kept.
#[derive(Serialize, Deserialize)]
struct Dismissal {
    by: String,
    reason: String,
    at_ms: i64,
    /// How often it had been refused then.
    times: u64,
}

/// What was refused of whom: the key of its dismissal.
fn dismissal_key(subject: &str, code: &str) -> String {
    format!("{code} {subject}")
}

fn refusal_json(row: &RefusalRow, dismissal: Option<&Dismissal>) -> Value {
    // One that came again asks for somebody once more.
    let dismissal = dismissal.filter(|d| d.times >= row.times);
    json!({
        "subject": row.subject,
        "code": row.code,
        "why": row.why,
        "peer": row.peer,
        "at_ms": row.at_ms,
        "times": row.times,
        "dismissed": dismissal.map(|d| json!({"by": d.by, "reason": d.reason, "at_ms": d.at_ms})),
    })
}

/// What was refused, and why: the newest first. A page may have fewer lines than asked for, and
/// none, while its cursor leads on.
#[utoipa::path(
    get,
    path = "/v1/refusals",
    params(RefusalQuery),
    tag = "sites",
    responses(
        (status = 200, description = "refusals", body = RefusalsAnswer),
        (status = 422, description = "no cursor, or no limit", body = Problem),
    ),
)]
pub(crate) async fn refusals(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<RefusalQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    // Whose it was and why is told of every kind and crossing.
    token.reading(&node)?.all_records()?;
    let Query(RefusalQuery { limit, open, after }) = query?;
    let most = pages::rows_or(limit, pages::ROWS_MAX)?;
    let after = after.as_deref().map(read_cursor).transpose()?;
    let read = if open { SEARCHED_MAX } else { most };
    let page = node.reads().refusals_after(after, read).await?;
    let dismissals: BTreeMap<String, Dismissal> = node
        .dismissals()
        .all()
        .await?
        .into_iter()
        .filter_map(|(key, kept)| Some((key, serde_json::from_str(&kept).ok()?)))
        .collect();

    Ok(Json(page_json(&page, &dismissals, open, most, limit)))
}

/// A page of the list of what was read for it.
fn page_json(
    page: &RefusalPage,
    dismissals: &BTreeMap<String, Dismissal>,
    open: bool,
    most: u32,
    limit: Option<u32>,
) -> Value {
    let mut places = Vec::new();
    let mut told = Vec::new();
    for (place, row) in &page.rows {
        let dismissal = dismissals.get(&dismissal_key(&row.subject, &row.code));
        let line = refusal_json(row, dismissal);
        if !open || line["dismissed"].is_null() {
            places.push(*place);
            told.push(line);
        }
    }

    // What does not fit any more is behind the last line; else behind all that was looked at.
    let found = told.len();
    told.truncate(most as usize);
    let beside = json!({"refusals": [], "next_after": "x".repeat(CURSOR_CHARS_MAX)});
    told.truncate(pages::fitting(told.iter(), &beside, limit));
    let next = match told.len() < found {
        true => told.len().checked_sub(1).map(|last| places[last]),
        false => page.next,
    };

    json!({"refusals": told, "next_after": next.map(cursor)})
}

/// Which refusal is dismissed, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DismissBody {
    /// What was refused, as the list names it.
    subject: String,
    /// The refusal's code.
    code: String,
    /// How often it had been refused when it was looked at: one that came again since is not
    /// dismissed unseen.
    times: u64,
    /// Why nothing more is to be done about it: 3 to 400 characters.
    #[schema(min_length = 3, max_length = 400)]
    reason: String,
}

/// Dismisses a refusal. It stands as before, with who dismissed it and why; should the same be
/// refused again, it asks for somebody once more.
#[utoipa::path(
    post,
    path = "/v1/refusals/dismiss",
    request_body = DismissBody,
    tag = "sites",
    responses(
        (status = 200, description = "dismissed", body = RefusalLineAnswer),
        (status = 403, body = Problem),
        (status = 404, description = "nothing such was refused", body = Problem),
        (status = 409, description = "it was refused again since", body = Problem),
        (status = 422, description = "no reason", body = Problem),
    ),
)]
pub(crate) async fn dismiss(
    State(node): State<Arc<Node>>,
    token: Token,
    StrictBody { said: body, .. }: StrictBody<DismissBody>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let reason = body.reason.trim();
    if !(REASON_CHARS_MIN..=REASON_CHARS_MAX).contains(&reason.chars().count()) {
        let why = format!("reason: {REASON_CHARS_MIN} to {REASON_CHARS_MAX} characters");
        return Err(unprocessable("bad_value", why));
    }

    let row = node.reads().refusal(&body.subject, &body.code).await?;
    let row = row.ok_or_else(|| {
        let why = format!(
            "nothing of {:?} was refused as {:?}",
            body.subject, body.code
        );
        Problem::new(StatusCode::NOT_FOUND, "no_such_refusal", why)
    })?;
    if row.times != body.times {
        let why = format!(
            "it has been refused {} times by now, and {} times when it was looked at",
            row.times, body.times
        );
        return Err(Problem::new(StatusCode::CONFLICT, "refusal_moved", why));
    }

    let dismissal = Dismissal {
        by: token.who(),
        reason: reason.into(),
        at_ms: node.now_ms(),
        times: row.times,
    };
    let kept = serde_json::to_string(&dismissal).unwrap_or_default();
    let key = dismissal_key(&row.subject, &row.code);
    node.dismissals().change(&key, |_| (Some(kept), ())).await?;
    node.dismiss_refused_callers(&row.subject, &row.code);
    tracing::info!(
        subject = row.subject,
        code = row.code,
        by = dismissal.by,
        "a refusal was dismissed"
    );
    Ok(Json(refusal_json(&row, Some(&dismissal))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: i64) -> (RefusalPlace, RefusalRow) {
        let place = RefusalPlace { at_ms: n, id: n };
        let row = RefusalRow {
            subject: format!("node {n}"),
            code: "gap".into(),
            why: "it leans on what is not there".into(),
            peer: "trb".into(),
            at_ms: n,
            times: 1,
        };
        (place, row)
    }

    fn page(from: i64, until: i64, next: Option<i64>) -> RefusalPage {
        RefusalPage {
            rows: (until..=from).rev().map(row).collect(),
            next: next.map(|n| RefusalPlace { at_ms: n, id: n }),
        }
    }

    fn dismissed(numbers: impl Iterator<Item = i64>) -> BTreeMap<String, Dismissal> {
        let dismissal = |n: i64| {
            let of = Dismissal {
                by: "layla".into(),
                reason: "a drill".into(),
                at_ms: n,
                times: 1,
            };
            (dismissal_key(&format!("node {n}"), "gap"), of)
        };
        numbers.map(dismissal).collect()
    }

    fn lines(answer: &Value) -> usize {
        answer["refusals"].as_array().map_or(0, Vec::len)
    }

    #[test]
    fn a_page_of_open_ones_leads_on_behind_the_last_shown_or_all_that_was_looked_at() {
        // The newest sixty are dismissed; forty open ones are found, of which ten are shown.
        let page_of_100 = page(100, 1, Some(1));
        let none = dismissed(41..=100);
        let first = page_json(&page_of_100, &none, true, 10, Some(10));
        assert_eq!(lines(&first), 10);
        assert_eq!(first["refusals"][0]["subject"], "node 40");
        assert_eq!(first["next_after"], "31.31");

        // All that was found is shown: the rest lies behind what was looked at.
        let all = page_json(&page_of_100, &none, true, 500, Some(500));
        assert_eq!((lines(&all), &all["next_after"]), (40, &json!("1.1")));

        // Nothing is open there, and older ones may be.
        let empty = page_json(&page_of_100, &dismissed(1..=100), true, 10, Some(10));
        assert_eq!((lines(&empty), &empty["next_after"]), (0, &json!("1.1")));

        let last = page_json(&page(3, 1, None), &BTreeMap::new(), true, 10, Some(10));
        assert_eq!((lines(&last), &last["next_after"]), (3, &Value::Null));
    }

    #[test]
    fn a_page_without_a_limit_ends_where_it_is_long_and_leads_on_from_there() {
        let answer = page_json(&page(500, 1, None), &BTreeMap::new(), false, 500, None);
        let shown = lines(&answer) as i64;
        assert!((1..500).contains(&shown), "{shown}");
        assert!(answer.to_string().len() <= pages::PAGE_BYTES);

        let last = 500 - shown + 1;
        assert_eq!(answer["next_after"], format!("{last}.{last}"));
        let next = answer["next_after"].as_str().expect("a cursor");
        let place = read_cursor(next).unwrap_or_else(|_| panic!("{next} reads"));
        assert_eq!((place.at_ms, place.id), (last, last));
        for odd in ["", "1", "1.", "x.1", "1.2.3", "9999999999999999999999.1"] {
            assert!(read_cursor(odd).is_err(), "{odd}");
        }
    }
}
