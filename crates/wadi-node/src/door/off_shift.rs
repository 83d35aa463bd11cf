//! Whether whoever acts is on shift, by the shift books of the crossing: the same rule as R21.

use super::{Door, write::Write};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use wadi_log::Lane;
use wadi_record::{Policy, SHIFT_EVENTS, ShiftTurn, event_type, is_off_shift, member_term, term};
use wadi_store::{StoreError, TermQuery};

/// Site days that are looked at: more than name an officer within the time of two shifts.
const DAYS_MAX: u32 = 6;
/// A site day tells of shifts so long after it began.
const DAY_MS: i64 = 36 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;

/// The acts of a write that are done on shift.
pub(super) fn acts_on_shift(write: &Write) -> BTreeSet<String> {
    let events = write.draft.events.iter();
    events
        .filter_map(|event| event.get("type").and_then(Json::as_str))
        .filter(|kind| event_type(kind).is_some_and(|row| row.needs_shift))
        .map(String::from)
        .collect()
}

/// An officer's coming on shift or going off it, of a site day's projection; none where it does not
/// count.
fn turn_of(event: &Json, officer: &str) -> Option<ShiftTurn> {
    let kind = event["type"].as_str()?;
    let is_theirs = event["counts"] == true && event["data"]["officer"] == officer;
    let is_shift = is_theirs && SHIFT_EVENTS.contains(&kind);
    is_shift.then(|| ShiftTurn::of(kind, event["at_ms"].as_i64().unwrap_or(0)))
}

impl Door {
    /// What an officer is told who acts off shift. Only where shifts are kept at the crossing that
    /// the record is of, and name the officer.
    pub(super) async fn shift_warnings(
        &self,
        acts: &BTreeSet<String>,
        officer: &str,
        crossing: &str,
        at_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        if acts.is_empty() || officer.is_empty() {
            return Ok(Vec::new());
        }

        let policy = self.policy_now();
        let turns = self.turns_of(officer, crossing, at_ms, &policy).await?;
        if !is_off_shift(&turns, at_ms, &policy) {
            return Ok(Vec::new());
        }

        let told = acts.iter().map(|act| {
            format!(
                "{act}: {officer} is off shift by the shift book of this crossing; that is a \
                 finding (R21)"
            )
        });
        Ok(told.collect())
    }

    /// The shifts of an officer around a time at a crossing, as its site days tell them, the oldest
    /// first.
    async fn turns_of(
        &self,
        officer: &str,
        crossing: &str,
        at_ms: i64,
        policy: &Policy,
    ) -> Result<Vec<ShiftTurn>, StoreError> {
        let shift_ms = i64::from(policy.shift_h).saturating_mul(HOUR_MS);
        let before_ms = shift_ms.saturating_add(DAY_MS);
        let query = TermQuery {
            asker: 0,
            what: "shift".into(),
            value: term(&member_term("shift", officer)),
            at_ms,
            between_ms: (
                at_ms.saturating_sub(before_ms),
                at_ms.saturating_add(shift_ms),
            ),
            by_kind: true,
            only_lane: Some(Lane::Site as u8),
            most: DAYS_MAX,
        };

        let hits = self.store.near(&[query]).await?;
        let days: Vec<_> = hits.into_iter().map(|hit| hit.record).collect();
        if days.is_empty() {
            return Ok(Vec::new());
        }

        let mut days = self.store.records_by_id(&days).await?;
        days.retain(|day| day.crossing == crossing);
        let mut turns: Vec<ShiftTurn> = Vec::new();
        for day in days {
            let day: Json = serde_json::from_str(&day.json).unwrap_or_default();
            let events = day["events"].as_array().into_iter().flatten();
            turns.extend(events.filter_map(|event| turn_of(event, officer)));
        }

        turns.sort_by_key(|turn| (turn.at_ms, turn.is_on));
        Ok(turns)
    }
}
