//! Holds on a record: asked for by themselves, so that nothing else that names the record can push
//! a hold out of sight.

use crate::{api::Reads, door::error::NodeError};
use wadi_log::{Lane, RecordId};
use wadi_store::RecordRow;

/// Terms that a lookout may look for.
const LOOKED_FOR: [&str; 5] = ["plate", "container", "vin", "document", "goods"];
/// Holds on one record, or for one term, that are looked at, the open ones first. More than anybody
/// honest ever places.
const HOLDS_MAX: u32 = 4_096;

impl Reads {
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
