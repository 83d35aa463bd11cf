//! Holds on a record: asked for by themselves, so that nothing else that names the record can push
//! a hold out of sight.

use crate::{api::Reads, door::error::NodeError};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Lane, RecordId};
use wadi_store::{RecordRow, TermQuery};

/// Terms that a lookout may look for.
const LOOKED_FOR: [&str; 5] = ["plate", "container", "vin", "document", "goods"];
/// Holds on one record, or for one term, that are looked at, the open ones first. More than anybody
/// honest ever places.
const HOLDS_MAX: u32 = 4_096;

/// Terms that a passage shares with the customs entry of what it carries, whenever it was made
/// within the window of a dossier.
const CARRIED_BY: [&str; 2] = ["container", "transit"];
/// Records of one term that are looked at, the nearest in time first.
const PER_TERM: u32 = 16;
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

impl Reads {
    /// The printed ids of open holds that hold these records: that name them, or look out for what
    /// they carry, and of a passage those on the customs entries of what it carries.
    pub(crate) async fn held_by(
        &self,
        rows: &[RecordRow],
    ) -> Result<BTreeMap<RecordId, Vec<String>>, NodeError> {
        let ids: Vec<RecordId> = rows.iter().map(|row| row.id).collect();
        let mut held: BTreeMap<RecordId, BTreeSet<String>> = BTreeMap::new();
        for (id, hold) in self.door.store.detained(&ids).await? {
            held.entry(id).or_default().insert(hold);
        }

        let carrying = self.entries_carried_by(rows).await?;
        let entries: BTreeSet<RecordId> = carrying.values().flatten().copied().collect();
        let entries: Vec<RecordId> = entries.into_iter().collect();
        let mut on_entries: BTreeMap<RecordId, Vec<String>> = BTreeMap::new();
        for (entry, hold) in self.door.store.detained(&entries).await? {
            on_entries.entry(entry).or_default().push(hold);
        }

        // What shares a term with a passage may be another passage: a hold on that one is its own.
        let detained: Vec<RecordId> = on_entries.keys().copied().collect();
        for row in self.door.store.records_by_id(&detained).await? {
            if row.lane != Lane::Customs as u8 {
                on_entries.remove(&row.id);
            }
        }

        for (passage, entries) in carrying {
            let holds = entries.iter().filter_map(|entry| on_entries.get(entry));
            held.entry(passage)
                .or_default()
                .extend(holds.flatten().cloned());
        }

        let listed = held.into_iter().filter(|(_, holds)| !holds.is_empty());
        Ok(listed
            .map(|(id, holds)| (id, holds.into_iter().collect()))
            .collect())
    }

    /// What may be the customs entries of what passages carry: records that name them or that they
    /// name, that share a container or a transit reference, or a plate within the time that a
    /// counterpart has.
    async fn entries_carried_by(
        &self,
        rows: &[RecordRow],
    ) -> Result<BTreeMap<RecordId, BTreeSet<RecordId>>, NodeError> {
        let passages: BTreeMap<RecordId, i64> = rows
            .iter()
            .filter(|row| row.lane == Lane::Passage as u8)
            .map(|row| (row.id, row.born_ms))
            .collect();
        let mut found: BTreeMap<RecordId, BTreeSet<RecordId>> = BTreeMap::new();
        if passages.is_empty() {
            return Ok(found);
        }

        let ids: Vec<RecordId> = passages.keys().copied().collect();
        let mut terms: Vec<(RecordId, String, String)> = self.door.store.terms_of(&ids).await?;
        terms.extend(ids.iter().map(|id| (*id, "names".into(), id.to_string())));

        let policy = self.door.policy_now();
        let far_ms = i64::from(policy.dossier_window_h).saturating_mul(HOUR_MS);
        let near_ms = i64::from(policy.counterpart_h).saturating_mul(2 * HOUR_MS);
        let (mut queries, mut askers) = (Vec::new(), Vec::new());
        for (id, what, value) in terms {
            let (what, window_ms) = match what.as_str() {
                "names" => ("link", far_ms),
                "plate" => ("plate", near_ms),
                "link" => {
                    let named: Option<RecordId> = value.parse().ok();
                    found.entry(id).or_default().extend(named);
                    continue;
                }
                other => match CARRIED_BY.into_iter().find(|known| *known == other) {
                    Some(known) => (known, far_ms),
                    None => continue,
                },
            };

            let born_ms = passages[&id];
            queries.push(TermQuery {
                asker: askers.len(),
                what: what.into(),
                value,
                between_ms: (
                    born_ms.saturating_sub(window_ms),
                    born_ms.saturating_add(window_ms),
                ),
                by_kind: true,
                most: PER_TERM,
            });
            askers.push(id);
        }

        for hit in self.door.store.near(&queries).await? {
            if let Some(id) = askers.get(hit.asker)
                && *id != hit.record
            {
                found.entry(*id).or_default().insert(hit.record);
            }
        }

        Ok(found)
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
            .filter(|(_, what, _)| LOOKED_FOR.contains(&what.as_str()));
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
