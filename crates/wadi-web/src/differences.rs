//! In what this node's records differ from a peer's: the records and the fields.

use crate::{Problem, Token, answers::DifferencesAnswer, limits, pages};
use axum::{
    Json,
    extract::{Path, Query, State, rejection::QueryRejection},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use utoipa::IntoParams;
use wadi_log::{Crossing, Lane, LogError};
use wadi_node::{DifferingRecord, Node};

/// Records of one answer at most.
const RECORDS_MAX: u32 = 100;

/// Of what to tell.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct DifferencesQuery {
    /// The lane and crossing alone, as `passage/TRB`.
    scope: Option<String>,
    /// At most so many records; 100 by default and at most.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A lane of a crossing by its text.
fn scope_of(text: &str) -> Result<(Lane, Crossing), Problem> {
    let bad = || {
        crate::problem::unprocessable(
            "unknown_value",
            format!("{text:?} is no lane of a crossing, as passage/TRB"),
        )
    };
    let (lane, crossing) = text.split_once('/').ok_or_else(bad)?;
    let lane: Result<Lane, LogError> = lane.parse();
    let crossing: Result<Crossing, LogError> = crossing.parse();
    Ok((lane.map_err(|_| bad())?, crossing.map_err(|_| bad())?))
}

/// A record's fields by name; of a contested one all its values.
fn fields_of(record: &Value) -> BTreeMap<String, Value> {
    let members = |name: &str| record[name].as_object().into_iter().flatten();
    let mut out: BTreeMap<String, Value> = members("fields")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for (name, claims) in members("contested") {
        let values = claims.as_array().into_iter().flatten();
        let values: Vec<&Value> = values.map(|claim| &claim["value"]).collect();
        out.insert(name.clone(), json!(values));
    }

    out
}

/// The ids of a record's events, each with its type.
fn events_of(record: &Value) -> BTreeMap<&str, &str> {
    let events = record["events"].as_array().into_iter().flatten();
    let named = events.filter_map(|e| Some((e["id"].as_str()?, e["type"].as_str()?)));
    named.collect()
}

/// In what a record differs.
fn differing_json(id: String, here: &Value, there: Option<&Value>, lacking: usize) -> Value {
    let nothing = Value::Null;
    let other = there.unwrap_or(&nothing);
    let (mine, theirs) = (fields_of(here), fields_of(other));
    let names: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
    let fields: Vec<Value> = names
        .into_iter()
        .filter(|name| mine.get(*name) != theirs.get(*name))
        .map(|name| json!({"field": name, "here": mine.get(name), "there": theirs.get(name)}))
        .collect();

    let known = events_of(other);
    let events: Vec<&str> = events_of(here)
        .into_iter()
        .filter(|(id, _)| !known.contains_key(id))
        .map(|(_, name)| name)
        .collect();
    json!({
        "record": id,
        "id": here["id"],
        "kind": here["kind"],
        "crossing": here["crossing"],
        "state_here": here["state"],
        "state_there": there.map(|record| &record["state"]),
        "lacking": lacking,
        "fields": fields,
        "events": events,
        "withheld": here.get("withheld").cloned().unwrap_or_else(|| json!([])),
    })
}

/// In what this node and a peer in contact differ: the logs, and the records of which the peer
/// lacks entries, each as it is here and as the peer's entries make it. What the peer holds and
/// this node lacks is counted by log alone. For the operator.
#[utoipa::path(
    get,
    path = "/v1/differences/{peer}",
    params(("peer" = String, Path, description = "the peer's name"), DifferencesQuery),
    tag = "compare",
    responses(
        (status = 200, description = "in what they differ", body = DifferencesAnswer),
        (status = 403, body = Problem),
        (status = 404, description = "no such node is enrolled", body = Problem),
        (status = 503, description = "the peer is not in contact", body = Problem),
    ),
)]
pub(crate) async fn differences(
    State(node): State<Arc<Node>>,
    token: Token,
    Path(peer): Path<String>,
    query: Result<Query<DifferencesQuery>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    token.operator()?;
    let Query(query) = query?;
    let scope = query.scope.as_deref().map(scope_of).transpose()?;
    let limit = pages::rows_or(query.limit, RECORDS_MAX)?;
    if limit > RECORDS_MAX {
        let why =
            format!("limit: {limit} is not from 1 to {RECORDS_MAX}; name a lane of a crossing");
        return Err(crate::problem::unprocessable("bad_limit", why));
    }

    let _turn = limits::expensive(&token).await?;
    let found = node
        .reads()
        .differences_with(&peer, scope, limit as usize)
        .await?;

    let both = found.records.iter();
    let both: Vec<&Value> = both
        .flat_map(|record| std::iter::once(&record.here).chain(&record.there))
        .collect();
    let named = token.named_in(&node, &both).await?;
    let reading = token.reading(&node)?;
    reading.go_by(named);
    let shown = |record: DifferingRecord| {
        let mut here = record.here;
        let is_read = reading.show_record(&mut here);
        let there = record.there.and_then(|mut there| {
            let is_read = reading.show_record(&mut there);
            is_read.then_some(there)
        });

        let id = record.id.to_string();
        is_read.then(|| differing_json(id, &here, there.as_ref(), record.lacking))
    };
    let records: Vec<Value> = found.records.into_iter().filter_map(shown).collect();
    let logs = found.logs.iter();
    let logs = logs.filter(|l| reading.shows_lane(l.log.lane, &l.log.crossing.to_string()));
    let logs = logs.map(|l| {
        json!({
            "log": l.log.origin(),
            "lane": l.log.lane.name(),
            "crossing": l.log.crossing.to_string(),
            "state": l.state,
            "here": l.here,
            "there": l.there,
        })
    });
    let mut answer = Map::new();
    answer.insert("peer".into(), peer.into());
    answer.insert("logs".into(), logs.collect());
    answer.insert("records".into(), records.into());
    answer.insert("has_more".into(), found.has_more.into());
    answer.insert("bytes".into(), found.bytes.into());
    Ok(Json(answer.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told_of_a_record() {
        let here = json!({
            "id": "TRB-P-1", "kind": "passage", "crossing": "TRB", "state": "CLEARED",
            "fields": {"plate": "11A1", "note": "new"},
            "contested": {"gross_kg": [{"value": 1}, {"value": 2}]},
            "events": [{"id": "a", "type": "arrived"}, {"id": "b", "type": "weighed"}],
        });
        let there = json!({
            "state": "OPEN", "fields": {"plate": "11A1", "gross_kg": 1},
            "contested": {}, "events": [{"id": "a", "type": "arrived"}],
        });
        let told = differing_json("ff".into(), &here, Some(&there), 2);
        assert_eq!(
            told["fields"],
            json!([
                {"field": "gross_kg", "here": [1, 2], "there": 1},
                {"field": "note", "here": "new", "there": null},
            ])
        );
        assert_eq!(told["events"], json!(["weighed"]));
        assert_eq!(
            (&told["state_here"], &told["state_there"]),
            (&json!("CLEARED"), &json!("OPEN"))
        );

        let whole = differing_json("ff".into(), &here, None, 3);
        assert_eq!(whole["state_there"], Value::Null);
    }

    #[test]
    fn a_scope_is_a_lane_of_a_crossing() {
        assert!(scope_of("passage/TRB").is_ok());
        for bad in ["passage", "lorry/TRB", "passage/", "passage/trebil", "/"] {
            assert_eq!(scope_of(bad).unwrap_err().code, "unknown_value", "{bad}");
        }
    }
}
