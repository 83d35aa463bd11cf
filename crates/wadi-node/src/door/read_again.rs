//! Plates and containers that may be misread: one that looks like what a lookout seeks, or a plate
//! that looks like that of a vehicle that is inside (R07). Whoever writes it down is told to read
//! it again, and not what is sought.

use super::Door;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use wadi_log::{Lane, RecordId};
use wadi_record::{Draft, Value, field_term, member_term, plate_shape, term};
use wadi_store::{StoreError, TermQuery};

/// Plates and containers of one write that are looked at.
const READ_MAX: usize = 32;
/// Warnings of this kind that one write is answered with.
const WARNED_MAX: usize = 8;
/// Lookouts, and passages, of one shape that are looked at.
const NEAR_MAX: u32 = 16;
const HOUR_MS: i64 = 3_600_000;

/// Members of events that are read off a vehicle or a container, and what each is looked up as.
const MEMBERS: [(&str, &str); 4] = [
    ("plate", "plate"),
    ("plate_raw", "plate"),
    ("to_plate", "plate"),
    ("container", "container"),
];

/// States of a passage whose vehicle is inside.
const INSIDE: [&str; 3] = ["ADMITTED", "IN_PROCESS", "CLEARED"];

/// A plate or a container that a draft holds.
pub(super) struct ReadOff {
    /// The field, or the event and its member.
    place: String,
    /// As it was written.
    text: String,
    what: &'static str,
    /// As it is compared.
    value: String,
}

impl ReadOff {
    /// Its shape, as an index has it: what is misread for each other has one.
    fn shape(&self) -> String {
        term(&plate_shape(&self.value))
    }
}

/// The plates and containers of a draft, each once.
pub(super) fn read_off(draft: &Draft) -> Vec<ReadOff> {
    let of_fields = draft.fields.iter().filter_map(|(name, value)| {
        let Value::Text(text) = value else {
            return None;
        };
        let (what, value) = field_term(name, text)?;
        Some(ReadOff {
            place: name.clone(),
            text: text.clone(),
            what,
            value,
        })
    });

    let of_events = draft.events.iter().flat_map(|event| {
        let kind = event.get("type").and_then(Json::as_str).unwrap_or_default();
        MEMBERS.iter().filter_map(move |&(member, what)| {
            let text = event.get(member).and_then(Json::as_str)?;
            Some(ReadOff {
                place: format!("{kind}.{member}"),
                text: text.into(),
                what,
                value: member_term(what, text),
            })
        })
    });

    let mut seen = BTreeSet::new();
    of_fields
        .chain(of_events)
        .filter(|read| matches!(read.what, "plate" | "container") && !read.value.is_empty())
        .filter(|read| seen.insert((read.what, read.value.clone())))
        .take(READ_MAX)
        .collect()
}

/// Whether a row's line of state and flags is that of a vehicle that is inside.
pub(super) fn is_inside(state: &str) -> bool {
    let name = state.split(' ').next().unwrap_or_default();
    INSIDE.contains(&name)
}

impl Door {
    /// What is told of plates and containers that look like others that matter here.
    pub(super) async fn read_again_warnings(
        &self,
        read: &[ReadOff],
        own: RecordId,
        crossing: &str,
        at_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        if read.is_empty() {
            return Ok(Vec::new());
        }

        // Most plates look like nobody else's: the store is not asked about those.
        let may_be =
            |what, one: &ReadOff| self.shared_terms.may_be_shared(&own, what, &one.shape());
        let alike = |what| read.iter().filter(move |one| may_be(what, one));
        let sought = self.near_lookouts(alike("target_shape").collect()).await?;
        let plates = alike("plate_shape").filter(|one| one.what == "plate");
        let inside = self
            .lookalikes_inside(plates.collect(), own, crossing, at_ms)
            .await?;
        Ok(sought.into_iter().chain(inside).take(WARNED_MAX).collect())
    }

    /// Those that look like what an open lookout seeks, and are not that: what is sought itself is
    /// detained.
    async fn near_lookouts(&self, read: Vec<&ReadOff>) -> Result<Vec<String>, StoreError> {
        if read.is_empty() {
            return Ok(Vec::new());
        }

        let shapes: Vec<(String, String)> = read
            .iter()
            .map(|one| ("target_shape".into(), one.shape()))
            .collect();
        let hits = self.store.holds(&shapes, NEAR_MAX).await?;
        let open: Vec<(usize, RecordId)> = hits
            .into_iter()
            .filter(|hit| hit.open)
            .map(|hit| (hit.asker, hit.record))
            .collect();
        if open.is_empty() {
            return Ok(Vec::new());
        }

        let ids: BTreeSet<RecordId> = open.iter().map(|(_, hold)| *hold).collect();
        let ids: Vec<RecordId> = ids.into_iter().collect();
        let terms = self.store.terms_of(&ids).await?;
        let is_near = |n: usize, one: &ReadOff| {
            let own = term(&one.value);
            let seeks_it = |hold: &RecordId| {
                let mut terms = terms.iter();
                terms.any(|(id, what, value)| id == hold && what == "target" && *value == own)
            };
            let mut of_shape = open.iter().filter(|(asker, _)| *asker == n);
            of_shape.any(|(_, hold)| !seeks_it(hold))
        };

        let near = read.iter().enumerate().filter(|(n, one)| is_near(*n, one));
        let told = near.map(|(_, one)| {
            format!(
                "{}: {:?}: read it again, letter by letter: it looks like one that is sought",
                one.place, one.text
            )
        });
        Ok(told.collect())
    }

    /// Plates that look like that of another vehicle that is inside.
    async fn lookalikes_inside(
        &self,
        plates: Vec<&ReadOff>,
        own: RecordId,
        crossing: &str,
        at_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        if plates.is_empty() {
            return Ok(Vec::new());
        }

        // Further apart than this the rule takes them for two vehicles.
        let together_ms = i64::from(self.policy_now().lookalike_h).saturating_mul(HOUR_MS);
        let queries: Vec<TermQuery> = plates
            .iter()
            .enumerate()
            .map(|(asker, plate)| TermQuery {
                asker,
                what: "plate_shape".into(),
                value: plate.shape(),
                at_ms,
                between_ms: (
                    at_ms.saturating_sub(together_ms),
                    at_ms.saturating_add(together_ms),
                ),
                by_kind: true,
                only_lane: Some(Lane::Passage as u8),
                most: NEAR_MAX,
            })
            .collect();
        let hits = self.store.near(&queries).await?;
        let ids: BTreeSet<RecordId> = hits
            .iter()
            .map(|hit| hit.record)
            .filter(|id| *id != own)
            .collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }

        // One that bears a plate of this very write is the same vehicle.
        let ids: Vec<RecordId> = ids.into_iter().collect();
        let values: BTreeSet<String> = plates.iter().map(|plate| term(&plate.value)).collect();
        let terms = self.store.terms_of(&ids).await?;
        let same: BTreeSet<RecordId> = terms
            .into_iter()
            .filter(|(_, what, value)| what == "plate" && values.contains(value))
            .map(|(id, ..)| id)
            .collect();
        let others: Vec<RecordId> = ids.into_iter().filter(|id| !same.contains(id)).collect();
        if others.is_empty() {
            return Ok(Vec::new());
        }

        let mut rows = self.store.records_by_id(&others).await?;
        rows.retain(|row| row.crossing == crossing && is_inside(&row.state));
        let mut out = Vec::new();
        for (asker, plate) in plates.iter().enumerate() {
            let of_plate = hits.iter().filter(|hit| hit.asker == asker);
            let found = of_plate.filter_map(|hit| rows.iter().find(|row| row.id == hit.record));
            out.extend(found.take(1).map(|_| {
                // Which one it is, is read by whoever may.
                format!(
                    "{}: {:?}: read it again: a vehicle is inside with a plate that looks like it \
                     (R07)",
                    plate.place, plate.text
                )
            }));
        }

        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_record::Passage;

    #[test]
    fn plates_and_containers_of_a_draft_are_read_once_each() {
        let draft = Passage::announce("in")
            .text("vehicle.plate_raw", "11-A-1")
            .text("vehicle.plate", "11 a 1")
            .text("container.1", "CSQU 305438-3")
            .text("seal.1", "S1")
            .text("trailer.plate", "unknown");
        let read = read_off(&draft);
        let told: Vec<(&str, &str)> = read
            .iter()
            .map(|one| (one.what, one.value.as_str()))
            .collect();
        assert_eq!(told, [("container", "CSQU3054383"), ("plate", "11A1")]);
    }

    #[test]
    fn a_vehicle_is_inside_from_its_admission_until_it_leaves() {
        for state in ["ADMITTED", "IN_PROCESS CHECK_OPEN", "CLEARED"] {
            assert!(is_inside(state), "{state}");
        }
        for state in ["ANNOUNCED", "EXITED FORCED_EXIT", "VOID", ""] {
            assert!(!is_inside(state), "{state}");
        }
    }
}
