//! What two nodes are compared by: records in the order of their ids with the entries held of them,
//! and roots of logs.

use crate::{
    api::Reads,
    door::{error::NodeError, proofs::root_at},
};
use serde_json::Value as Json;
use std::collections::HashMap;
use wadi_log::{Hash, LogId, RecordId, Reference};
use wadi_store::{CompareRow, RecordFilter};

impl Reads {
    /// Records after an id, in the order of their ids, each with the entries held of it.
    pub async fn compare_page(
        &self,
        after: RecordId,
        limit: u32,
    ) -> Result<Vec<CompareRow>, NodeError> {
        let filter = RecordFilter {
            after: Some(after),
            limit,
            ..RecordFilter::default()
        };

        let rows = self.door.store.records(&filter).await?;
        let ids: Vec<RecordId> = rows.iter().map(|r| r.id).collect();
        let mut held: HashMap<RecordId, Vec<Reference>> = HashMap::new();
        for (id, stored) in self.door.store.entries_of(&ids).await? {
            held.entry(id).or_default().push(stored.entry.reference());
        }

        let with_entries = |row: wadi_store::RecordRow| {
            let entries = held.remove(&row.id).unwrap_or_default();
            CompareRow::new(row, entries)
        };

        Ok(rows.into_iter().map(with_entries).collect())
    }

    /// One record as every holder of its entries has it, without what only this node knows, and the
    /// entries held of it.
    pub async fn compare_record(&self, id: &RecordId) -> Result<(Json, Vec<Reference>), NodeError> {
        let row = self
            .door
            .store
            .record(id)
            .await?
            .ok_or_else(|| NodeError::NoRecord(id.to_string()))?;

        let mut entries: Vec<Reference> = self
            .door
            .store
            .record_entries(id)
            .await?
            .iter()
            .map(|s| s.entry.reference())
            .collect();

        entries.sort();
        Ok((serde_json::from_str(&row.json).unwrap_or_default(), entries))
    }

    /// The root of a log's first `size` entries, where so many are held.
    pub async fn log_root(&self, log: &LogId, size: u64) -> Result<Option<Hash>, NodeError> {
        Ok(root_at(&*self.door.store, log, size).await?)
    }
}
