//! What stands on another record of one stay: a camera and a clerk may begin one each. Whoever
//! clears the vehicle, or lets it out, by one of them is told what is open on the other (R31); that
//! a hold on it detains this one, too, is told with the others.

use super::{Door, read_again::is_inside, write::Write};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use wadi_log::{Lane, RecordId};
use wadi_record::{Kind, STAY};
use wadi_store::{StoreError, TermQuery};

/// Acts by which a vehicle may go.
const LET_GO: [&str; 2] = ["cleared", "gate.out"];
/// Flags of a record on which something is open.
const OPEN: [&str; 2] = ["CHECK_OPEN", "ANOMALY"];
/// Other records of one vehicle at one crossing that are looked at, the nearest in time.
const NEAR_MAX: u32 = 16;
const HOUR_MS: i64 = 3_600_000;

/// The acts of a write by which a vehicle may go.
pub(super) fn acts_that_let_go(write: &Write) -> BTreeSet<String> {
    if write.draft.kind != Kind::Passage {
        return BTreeSet::new();
    }

    let events = write.draft.events.iter();
    events
        .filter_map(|event| event.get("type").and_then(Json::as_str))
        .filter(|kind| LET_GO.contains(kind))
        .map(String::from)
        .collect()
}

/// Whether a row's line of state and flags is that of a vehicle that is inside, with something
/// open.
fn is_open(state: &str) -> bool {
    is_inside(state) && state.split(' ').any(|word| OPEN.contains(&word))
}

impl Door {
    /// What is told of another record of the same stay on which something is open.
    pub(super) async fn beside_warnings(
        &self,
        acts: &BTreeSet<String>,
        own: RecordId,
        at_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        if acts.is_empty() {
            return Ok(Vec::new());
        }

        // Most vehicles have one record: the store is not asked for another.
        let terms = self.store.terms_of(&[own]).await?;
        let may_be = |what: &str, value: &str| {
            what == "plate_shape" && self.shared_terms.may_be_shared(&own, what, value)
        };
        if !terms.iter().any(|(_, what, value)| may_be(what, value)) {
            return Ok(Vec::new());
        }

        let window_ms = i64::from(self.policy_now().dossier_window_h).saturating_mul(HOUR_MS);
        let stays = terms.into_iter().filter(|(_, what, _)| what == STAY);
        let queries: Vec<TermQuery> = stays
            .enumerate()
            .map(|(asker, (_, what, value))| TermQuery {
                asker,
                what,
                value,
                at_ms,
                between_ms: (
                    at_ms.saturating_sub(window_ms),
                    at_ms.saturating_add(window_ms),
                ),
                by_kind: true,
                only_lane: Some(Lane::Passage as u8),
                most: NEAR_MAX,
            })
            .collect();
        if queries.is_empty() {
            return Ok(Vec::new());
        }

        let hits = self.store.near(&queries).await?;
        let ids: BTreeSet<RecordId> = hits.iter().map(|hit| hit.record).collect();
        let others: Vec<RecordId> = ids.into_iter().filter(|id| *id != own).collect();
        let rows = self.store.records_by_id(&others).await?;
        if !rows.iter().any(|row| is_open(&row.state)) {
            return Ok(Vec::new());
        }

        // Which one it is, is read by whoever may.
        let told = acts.iter().map(|act| {
            format!(
                "{act}: another record of this vehicle's stay has a check that is open, or an \
                 anomaly that nobody looked into; it must not leave before that is done (R31)"
            )
        });
        Ok(told.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_open_where_the_vehicle_is_inside_and_a_flag_says_so() {
        for state in ["ADMITTED CHECK_OPEN", "IN_PROCESS ANOMALY CONTESTED"] {
            assert!(is_open(state), "{state}");
        }
        for state in ["ADMITTED", "EXITED ANOMALY", "VOID CHECK_OPEN", ""] {
            assert!(!is_open(state), "{state}");
        }
    }
}
