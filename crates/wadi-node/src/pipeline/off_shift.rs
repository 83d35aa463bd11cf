//! Whether whoever acts is on shift, by the shift books of the crossing: the same rule as R21.

use crate::{
    door::write::Write,
    pipeline::{commit::Commit, sequencer::Sequencer},
};
use serde_json::Value as Json;
use std::collections::BTreeSet;
use wadi_log::{Crossing, Lane, RecordId};
use wadi_record::{Policy, SHIFT_EVENTS, ShiftTurn, event_type, is_off_shift, member_term, term};
use wadi_store::{StoreError, TermQuery};

/// Site days that are looked at: more than name an officer within the time of two shifts.
const DAYS_MAX: u32 = 6;
/// A site day tells of shifts so long after it began.
const DAY_MS: i64 = 36 * HOUR_MS;
const HOUR_MS: i64 = 3_600_000;

/// The acts of a write that are done on shift.
fn acts_on_shift(write: &Write) -> BTreeSet<&str> {
    let events = write.draft.events.iter();
    events
        .filter_map(|event| event.get("type").and_then(Json::as_str))
        .filter(|kind| event_type(kind).is_some_and(|row| row.needs_shift))
        .collect()
}

impl Sequencer {
    /// The policy now in force.
    pub(super) fn policy_now(&self) -> Policy {
        let newest = self.ledger.control().policy(|_| u64::MAX);
        let read = newest.and_then(|(_, policy)| Policy::read(&policy.text).ok());
        read.unwrap_or_default()
    }

    /// What an officer is told who acts off shift. Only where shifts are kept at the crossing that
    /// the record is of, and name the officer.
    pub(super) async fn shift_warnings(
        &mut self,
        g: &mut Commit,
        write: &Write,
        crossing: Crossing,
        at_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        let acts = acts_on_shift(write);
        if acts.is_empty() || write.officer.is_empty() {
            return Ok(Vec::new());
        }

        let policy = self.policy_now();
        let turns = self
            .turns_of(g, &write.officer, crossing, at_ms, &policy)
            .await?;
        if !is_off_shift(&turns, at_ms, &policy) {
            return Ok(Vec::new());
        }

        let officer = &write.officer;
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
        &mut self,
        g: &mut Commit,
        officer: &str,
        crossing: Crossing,
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
        let days: Vec<RecordId> = hits.into_iter().map(|hit| hit.record).collect();
        let mut turns = Vec::new();
        for id in days {
            let Some(day) = self.record(g, id).await? else {
                continue;
            };
            if day.crossing() != crossing {
                continue;
            }

            let shifts = day.events().filter(|event| {
                let is_shift = SHIFT_EVENTS.contains(&event.kind());
                is_shift && event.counts() && event.text("officer") == Some(officer)
            });
            turns.extend(shifts.map(|event| ShiftTurn::of(event.kind(), event.at_ms)));
        }

        turns.sort_by_key(|turn| turn.at_ms);
        Ok(turns)
    }
}
