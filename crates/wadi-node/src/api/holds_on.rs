//! Holds on a record: asked for by themselves, so that nothing else that names the record can push
//! a hold out of sight.

use crate::{api::Reads, door::error::NodeError};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Lane, RecordId};
use wadi_record::SOUGHT;
use wadi_store::{HoldTerms, RecordRow};

/// Holds on one record, or for one term, that are looked at, the open ones first. More than anybody
/// honest ever places.
const HOLDS_MAX: u32 = 4_096;

/// What is told of a hold to whoever asks what it holds: who asked for it, why, and since when.
/// What a lookout seeks is not in it.
fn described(row: &RecordRow) -> Json {
    let whole: Json = serde_json::from_str(&row.json).unwrap_or_default();
    let placements = whole["placements"].as_array().into_iter().flatten();
    let open = placements
        .filter(|placement| placement["open"] == true)
        .min_by_key(|placement| placement["placed_ms"].as_i64());
    let open = open.unwrap_or(&Json::Null);

    let legal_basis = match &whole["fields"]["legal_basis"] {
        Json::Null => {
            let mut events = whole["events"].as_array().into_iter().flatten();
            let placed = events.find(|event| event["id"] == open["id"]);
            placed.map_or(Json::Null, |event| event["data"]["legal_basis"].clone())
        }
        settled => settled.clone(),
    };

    let mut told = json!({
        "hold": row.printed,
        "type": open["type"],
        "department": open["department"],
        "legal_basis": legal_basis,
        "placed_ms": open["placed_ms"],
    });

    // Who reads holds of some types alone reads one that is of those whatever it is said to be.
    let types = &whole["hold_types"];
    if *types != json!([open["type"]]) {
        told["types"] = types.clone();
    }
    told
}

impl Reads {
    /// By which terms holds hold records now, for a filter of records.
    pub fn hold_terms(&self) -> HoldTerms {
        self.door.hold_terms()
    }

    /// The open holds that hold these records, each told with who asked for it, why, since when,
    /// and through which record: that name them or look out for what they carry, and of a passage
    /// those on the customs entries of what it carries, and on passages whose goods went on to it.
    pub(crate) async fn held_by(
        &self,
        rows: &[RecordRow],
    ) -> Result<BTreeMap<RecordId, Vec<Json>>, NodeError> {
        let can_be_held = [Lane::Passage as u8, Lane::Customs as u8];
        let ids: Vec<RecordId> = rows
            .iter()
            .filter(|row| can_be_held.contains(&row.lane))
            .map(|row| row.id)
            .collect();

        let store = &self.door.store;
        let all = store.detained(&ids, &self.hold_terms()).await?;
        let holds: BTreeSet<RecordId> = all.iter().map(|line| line.hold).collect();
        let holds: Vec<RecordId> = holds.into_iter().collect();
        let told: BTreeMap<RecordId, Json> = store
            .records_by_id(&holds)
            .await?
            .iter()
            .map(|hold| (hold.id, described(hold)))
            .collect();

        let mut held: BTreeMap<RecordId, Vec<Json>> = BTreeMap::new();
        for line in all {
            // One that was there a moment ago may be mended away.
            let Some(mut one) = told.get(&line.hold).cloned() else {
                continue;
            };

            if let Some(entry) = line.through {
                one["through"] = entry.into();
            }
            held.entry(line.record).or_default().push(one);
        }

        let since = |one: &Json| (one["placed_ms"].as_i64(), one["hold"].to_string());
        held.values_mut().for_each(|all| all.sort_by_key(since));
        Ok(held)
    }

    /// Holds that name a passage or an entry, or are lookouts for something it carries, released
    /// ones among them.
    pub(crate) async fn holds_on(&self, row: &RecordRow) -> Result<Vec<RecordRow>, NodeError> {
        if row.lane != Lane::Passage as u8 && row.lane != Lane::Customs as u8 {
            return Ok(Vec::new());
        }

        let carried = self.door.store.terms_of(&[row.id]).await?;
        let looked_for = carried
            .into_iter()
            .filter(|(_, what, _)| SOUGHT.contains(&what.as_str()));
        let mut terms: Vec<(String, String)> = looked_for
            .map(|(_, _, value)| ("target".to_string(), value))
            .collect();

        terms.push(("link".into(), row.id.to_string()));
        terms.sort_unstable();
        terms.dedup();

        let hits = self.door.store.holds(&terms, HOLDS_MAX).await?;
        let mut ids: Vec<RecordId> = hits.into_iter().map(|h| h.record).collect();
        ids.sort_unstable();
        ids.dedup();

        Ok(self.door.store.records_by_id(&ids).await?)
    }
}
