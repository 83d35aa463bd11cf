//! Records as this node knew them on a day: of the entries that it had taken in by then.

use crate::{
    api::{Reads, lists::ListedRecord},
    door::error::NodeError,
};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use wadi_log::{Body, RecordId, Reference};
use wadi_store::{RecordFilter, StoredEntry};

/// What of a page was known by then.
#[derive(Clone, PartialEq, Debug)]
pub struct KnownPage {
    /// The records that it knew something of, as it knew them.
    pub records: Vec<ListedRecord>,
    /// The last record that was looked at, known or not: the cursor of the next page.
    pub last: Option<(i64, RecordId)>,
    /// How many were looked at.
    pub looked_at: usize,
}

/// The entries that somebody holds who holds those, without those that wait for others then.
pub(super) fn taken_in(
    stored: &[StoredEntry],
    holds: impl Fn(&StoredEntry) -> bool,
) -> Vec<Reference> {
    let mut based_on: BTreeMap<Reference, &[Reference]> = BTreeMap::new();
    for one in stored.iter().filter(|s| holds(s)) {
        let change = match one.entry.entry().map(|entry| &entry.body) {
            Some(Body::Change(change)) => change,
            _ => continue,
        };
        based_on.insert(one.entry.reference(), &change.based_on);
    }

    // From what lacks something on to what is based on it: each entry is taken out once.
    let mut followers: BTreeMap<Reference, Vec<Reference>> = BTreeMap::new();
    let mut waiting = Vec::new();
    for (entry, of) in &based_on {
        if of.iter().any(|r| !based_on.contains_key(r)) {
            waiting.push(*entry);
        }
        for before in *of {
            followers.entry(*before).or_default().push(*entry);
        }
    }

    while let Some(entry) = waiting.pop() {
        if based_on.remove(&entry).is_some() {
            waiting.extend(followers.get(&entry).into_iter().flatten());
        }
    }

    based_on.into_keys().collect()
}

/// When this node took an entry in, Unix milliseconds.
///
/// Times of taking in never go back, for the order in which entries came is read from them: after a
/// clock that was ahead for a moment they stand ahead for as long. Then the entry's own time is
/// nearer to it, and it is not later than now.
pub(super) fn received_ms(stored: &StoredEntry, now_ms: i64) -> i64 {
    if stored.received_ms <= now_ms {
        return stored.received_ms;
    }

    let claimed = stored.entry.entry().map(|entry| entry.common.wall_ms);
    claimed.map_or(now_ms, |claimed| claimed.min(now_ms))
}

/// Whether a record has a state or flag, and contested fields where they are asked for.
fn is_wanted(record: &Json, state: Option<&str>, contested: bool) -> bool {
    let flags = record["flags"].as_array().into_iter().flatten();
    let mut words = flags.chain([&record["state"]]).filter_map(Json::as_str);
    let has_contested = record["contested"]
        .as_object()
        .is_some_and(|fields| !fields.is_empty());

    state.is_none_or(|wanted| words.any(|word| word == wanted)) && (has_contested || !contested)
}

impl Reads {
    /// A record as this node knew it at a time; nothing where it did not know of it.
    pub async fn record_known_at(
        &self,
        id: &RecordId,
        known_ms: i64,
    ) -> Result<Option<Json>, NodeError> {
        let stored = self.door.store.record_entries(id).await?;
        let now_ms = self.door.now_ms();
        let known = taken_in(&stored, |s| received_ms(s, now_ms) <= known_ms);
        self.record_of_entries(id, &known).await
    }

    /// A record as of entries of it; nothing where those do not make one.
    pub(super) async fn record_of_entries(
        &self,
        id: &RecordId,
        known: &[Reference],
    ) -> Result<Option<Json>, NodeError> {
        if known.is_empty() {
            return Ok(None);
        }

        match self.record_at(id, known, None).await {
            Ok(record) => Ok(Some(record)),
            // Its first entry came later than others of it.
            Err(NodeError::NoRecord(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A page of records as this node knew them at a time. What the filter says of kinds,
    /// crossings, times and terms is as the records stand now; the state and whether fields are
    /// contested, as they stood then.
    pub async fn list_known_at(
        &self,
        filter: &RecordFilter,
        known_ms: i64,
    ) -> Result<KnownPage, NodeError> {
        let mut now = filter.clone();
        let state = now.state.take();
        let contested = std::mem::take(&mut now.contested);
        now.by_beginning = true;

        let rows = self.door.store.records(&now).await?;
        let mut records = Vec::new();
        for row in &rows {
            let Some(json) = self.record_known_at(&row.id, known_ms).await? else {
                continue;
            };

            if is_wanted(&json, state.as_deref(), contested) {
                records.push(ListedRecord {
                    id: row.id,
                    changed: row.changed,
                    born_ms: row.born_ms,
                    json,
                });
            }
        }

        Ok(KnownPage {
            records,
            last: rows.last().map(|row| (row.born_ms, row.id)),
            looked_at: rows.len(),
        })
    }
}
