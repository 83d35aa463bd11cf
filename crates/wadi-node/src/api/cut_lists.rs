//! What an answer tells of a record with very many entries.
//!
//! The projection that is stored holds all of it, for rules look at all of it. An answer holds of
//! each list as much as people read, and says how long those lists are of which it left something
//! out. The history of the record has the rest, page by page.

use crate::door::based_on::base_of_heads;
use serde_json::{Map, Value as Json};

/// Lines of a list that are told.
const LINES_MAX: usize = 1_000;
/// Claims of one contested field that are told.
const CLAIMS_MAX: usize = 100;
/// Lists of which the first lines are told. Of the events, which stand in the order in which they
/// happened, it is the latest.
const LISTS: [&str; 8] = [
    "placements",
    "unfounded",
    "put_by",
    "captured",
    "warnings",
    "refused",
    "refused_fields",
    "time_reversals",
];

/// Cuts the lists of a record to what an answer tells, and names those that were cut in
/// `truncated`, with how many lines each has.
pub(super) fn cut_lists(record: &mut Json) {
    let mut cut = Map::new();
    for list in LISTS {
        if let Some(lines) = record.get_mut(list) {
            keep_first(lines, list, LINES_MAX, &mut cut);
        }
    }
    keep_latest_events(record, &mut cut);
    keep_heads(record, &mut cut);

    let contested = record.get_mut("contested").and_then(Json::as_object_mut);
    for (field, claims) in contested.into_iter().flatten() {
        keep_first(claims, &format!("contested.{field}"), CLAIMS_MAX, &mut cut);
    }

    if !cut.is_empty() {
        record["truncated"] = cut.into();
    }
}

fn keep_first(list: &mut Json, name: &str, most: usize, cut: &mut Map<String, Json>) {
    if let Some(lines) = list.as_array_mut().filter(|lines| lines.len() > most) {
        cut.insert(name.into(), lines.len().into());
        lines.truncate(most);
    }
}

fn keep_latest_events(record: &mut Json, cut: &mut Map<String, Json>) {
    let events = record.get_mut("events").and_then(Json::as_array_mut);
    if let Some(events) = events.filter(|events| events.len() > LINES_MAX) {
        cut.insert("events".into(), events.len().into());
        events.drain(..events.len() - LINES_MAX);
    }
}

/// Of the heads those stay on which a write is based that names none.
fn keep_heads(record: &mut Json, cut: &mut Map<String, Json>) {
    let Some(heads) = record.get_mut("heads").and_then(Json::as_array_mut) else {
        return;
    };
    let all = heads.iter().filter_map(|head| head.as_str()?.parse().ok());
    let named = base_of_heads(all.collect());
    if named.len() < heads.len() {
        cut.insert("heads".into(), heads.len().into());
        *heads = named.iter().map(|head| head.to_string().into()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_holds_as_much_as_people_read_and_says_what_it_left_out() {
        let events: Vec<Json> = (0..1_500).map(|n| json!({"at_ms": n})).collect();
        let claims = |count: u32| (0..count).map(|n| json!({"value": n})).collect::<Vec<_>>();
        let mut record = json!({
            "events": events,
            "contested": {"container.1": claims(10_000), "vehicle.plate": claims(2)},
            "refused": [{"entry": "e1"}],
        });

        cut_lists(&mut record);
        assert_eq!(record["events"].as_array().map(Vec::len), Some(1_000));
        assert_eq!(record["events"][999]["at_ms"], 1_499, "the latest");
        let told = &record["contested"];
        assert_eq!(told["container.1"].as_array().map(Vec::len), Some(100));
        assert_eq!(told["vehicle.plate"].as_array().map(Vec::len), Some(2));
        assert_eq!(
            record["truncated"],
            json!({"events": 1_500, "contested.container.1": 10_000})
        );
    }

    #[test]
    fn an_everyday_record_is_told_whole() {
        let record = json!({
            "events": [{"at_ms": 1}],
            "contested": {"seal.1": [{"value": "A"}, {"value": "B"}]},
            "heads": [],
        });
        let mut told = record.clone();
        cut_lists(&mut told);
        assert_eq!(told, record);
    }
}
