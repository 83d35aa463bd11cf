//! A crossing's day: what its own console shows first.

use crate::{
    Problem, Token, answers::DayAnswer, filters, limits, pages, problem::unprocessable,
    reading::ReadRight,
};
use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use utoipa::IntoParams;
use wadi_node::{BornFilter, DayCount, DayRecord, Members, Node};
use wadi_record::Kind;

/// Milliseconds of a day that is asked about at most: a day on which clocks are put back is longer
/// than others, and whoever asks for a week reads the list of records.
const DAY_MS_MAX: i64 = 8 * 86_400_000;
/// Rows of each list where no limit is named.
const DAY_ROWS: u32 = 25;
/// Open holds that are looked at for a token that reads those of some types alone: more than are
/// ever open at once.
const OPEN_HOLDS_MAX: u32 = 4_096;
/// The members of records that the lists show.
const SHOWN: [&str; 11] = [
    "id",
    "record",
    "kind",
    "crossing",
    "state",
    "flags",
    "detained_by",
    "fields",
    "placements",
    "hold_types",
    "safety",
];

/// Which day, of which crossing.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DayQuery {
    /// From then on, Unix milliseconds.
    from_ms: i64,
    /// Before then, Unix milliseconds: eight days later at most.
    until_ms: i64,
    /// The crossing's code; the node's own, where it is left out.
    crossing: Option<String>,
    /// At most so many records of each list, 500 at most; 25, where it is left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// What began at a crossing within a time: how many, by kind and state, and the newest of each
/// kind; and which holds are open there now.
#[utoipa::path(
    get,
    path = "/v1/day",
    params(DayQuery),
    tag = "records",
    responses(
        (status = 200, description = "the day", body = DayAnswer),
        (status = 422, body = Problem),
    ),
)]
pub(crate) async fn day(
    State(node): State<Arc<Node>>,
    token: Token,
    query: Result<Query<DayQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(q) = query?;
    let reading = token.reading(&node)?;
    let crossing = match (&q.crossing, node.me().crossing) {
        (Some(code), _) => filters::crossing(&node, code)?,
        (None, Some(own)) => own.to_string(),
        (None, None) => {
            let why = "this node has no crossing of its own; name one";
            return Err(unprocessable("bad_query", why));
        }
    };

    reading.check_crossing(&crossing)?;

    let length = q.until_ms.checked_sub(q.from_ms);
    if !length.is_some_and(|ms| (0..=DAY_MS_MAX).contains(&ms)) {
        let why = format!("until_ms is from_ms to {DAY_MS_MAX} more");
        return Err(unprocessable("bad_query", why));
    }

    let limit = pages::rows_or(q.limit, DAY_ROWS)?;
    let filter = BornFilter {
        crossing,
        lane: None,
        from_ms: q.from_ms,
        until_ms: q.until_ms,
        hold_types: reading.hold_types(),
        limit,
    };
    let _turn = limits::expensive(&token).await?;
    let held = HeldDay::read(&node, &filter).await?;
    let named = token.named_in(&node, &held.all()).await?;
    reading.go_by(named);
    Ok(Json(held.answer(&filter, &reading)))
}

/// A day as it is held, before anything is taken out.
struct HeldDay {
    counts: Vec<DayCount>,
    /// The newest of each kind.
    records: Vec<(Kind, Vec<DayRecord>)>,
    open_holds: Vec<DayRecord>,
}

impl HeldDay {
    async fn read(node: &Node, filter: &BornFilter) -> Result<Self, Problem> {
        let reads = node.reads();
        let shown = Members::named(SHOWN);
        let with_events = Members::named(SHOWN.into_iter().chain(["events"]));
        let mut records = Vec::new();
        for kind in Kind::ALL {
            let members = match kind {
                Kind::SiteDay => &with_events,
                _ => &shown,
            };
            let of_kind = BornFilter {
                lane: Some(kind.lane() as u8),
                ..filter.clone()
            };
            records.push((kind, reads.day_records(&of_kind, members).await?));
        }

        // Those that are not read are taken out of them afterwards.
        let open = match &filter.hold_types {
            Some(_) => OPEN_HOLDS_MAX,
            None => filter.limit,
        };
        Ok(Self {
            counts: reads.day_counts(filter).await?,
            records,
            open_holds: reads.open_holds(&filter.crossing, open, &shown).await?,
        })
    }

    /// All of its records.
    fn all(&self) -> Vec<&Value> {
        let of_kinds = self.records.iter().flat_map(|(_, records)| records);
        let all = of_kinds.chain(&self.open_holds);
        all.map(|one| &one.json).collect()
    }

    /// What of it is read.
    fn answer(self, filter: &BornFilter, reading: &ReadRight) -> Value {
        let reads = |kind: Kind| reading.check_kind(kind).is_ok();
        let counts = self.counts.iter().filter(|c| reads(c.kind));
        let counts: Vec<Value> = counts
            .map(|c| json!({"kind": c.kind.name(), "state": c.state, "count": c.count}))
            .collect();

        let mut answer = json!({
            "crossing": filter.crossing,
            "from_ms": filter.from_ms,
            "until_ms": filter.until_ms,
            "counts": counts,
            "open_holds": told(self.open_holds, filter.limit, reading),
        });
        for (kind, records) in self.records {
            let name = match kind {
                Kind::Passage => "passages",
                Kind::QuarantineHold => "holds",
                Kind::CustomsEntry => "entries",
                Kind::SiteDay => "site_days",
            };
            answer[name] = told(records, filter.limit, reading).into();
        }

        answer
    }
}

/// So many records that are read, without what of them is not.
fn told(records: Vec<DayRecord>, limit: u32, reading: &ReadRight) -> Vec<Value> {
    let told = records.into_iter().filter_map(|mut one| {
        let is_read = reading.show_record(&mut one.json);
        is_read
            .then(|| json!({"began_ms": one.began_ms, "last_ms": one.last_ms, "record": one.json}))
    });
    told.take(limit as usize).collect()
}
