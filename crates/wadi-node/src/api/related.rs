//! Which other records belong with one: that carry the same, or name each other.

use crate::{api::Reads, door::error::NodeError};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use wadi_log::RecordId;
use wadi_store::{RecordFilter, SoughtBy};

/// Terms by which records belong together. What a lookout seeks, and who a traveller is, is not
/// among them.
const SHARED: [&str; 9] = [
    "plate",
    "container",
    "seal",
    "vin",
    "transit",
    "declarant_ref",
    "registration",
    "receipt",
    "certificate",
];
/// Records that are told of at most.
const RELATED_MAX: usize = 40;

/// Records that belong with one.
#[derive(Clone, PartialEq, Debug)]
pub struct Related {
    /// Each with what it shares (`by`), the latest first.
    pub records: Vec<Json>,
    /// Whether there are more.
    pub cut: bool,
}

impl Reads {
    /// The records that belong with one; of holds those of these types alone, where some are named.
    pub async fn related(
        &self,
        id: &RecordId,
        hold_types: Option<Vec<String>>,
    ) -> Result<Related, NodeError> {
        let own = self.door.store.terms_of(&[*id]).await?;
        let shared: BTreeSet<(String, String)> = own
            .iter()
            .filter(|(_, what, _)| SHARED.contains(&what.as_str()))
            .map(|(_, what, value)| (what.clone(), value.clone()))
            .collect();
        let links: BTreeSet<RecordId> = own
            .iter()
            .filter(|(_, what, _)| what == "link")
            .filter_map(|(_, _, value)| value.parse().ok())
            .collect();

        let mut sought = vec![SoughtBy::Term {
            what: "link".into(),
            value: id.to_string(),
        }];
        sought.extend(links.iter().map(|link| SoughtBy::Ids {
            from: *link,
            to: *link,
            of: None,
        }));
        sought.extend(shared.iter().map(|(what, value)| SoughtBy::Term {
            what: what.clone(),
            value: value.clone(),
        }));

        let filter = RecordFilter {
            sought,
            hold_types,
            by_beginning: true,
            // One for the record itself, and one to see whether there are more.
            limit: RELATED_MAX as u32 + 2,
            ..RecordFilter::default()
        };
        let mut rows = self.door.store.records(&filter).await?;
        rows.retain(|row| row.id != *id);
        let cut = rows.len() > RELATED_MAX;
        rows.truncate(RELATED_MAX);

        let ids: Vec<RecordId> = rows.iter().map(|row| row.id).collect();
        let theirs = self.door.store.terms_of(&ids).await?;
        let records = rows.iter().map(|row| {
            let of_row = theirs.iter().filter(|(record, ..)| *record == row.id);
            let mut by: Vec<Json> = of_row
                .filter(|(_, what, value)| {
                    shared.contains(&(what.clone(), value.clone()))
                        || what == "link" && *value == id.to_string()
                })
                .map(|(_, what, value)| match what.as_str() {
                    "link" => json!({"what": "named_by", "value": row.printed}),
                    what => json!({"what": what, "value": value}),
                })
                .collect();
            if links.contains(&row.id) {
                by.push(json!({"what": "names", "value": row.printed}));
            }

            let whole: Json = serde_json::from_str(&row.json).unwrap_or_default();
            json!({
                "id": row.printed,
                "record": row.id.to_string(),
                "kind": whole["kind"],
                "crossing": row.crossing,
                "state": whole["state"],
                "flags": whole["flags"],
                "begun_ms": row.born_ms,
                "by": by,
            })
        });

        Ok(Related {
            records: records.collect(),
            cut,
        })
    }
}
