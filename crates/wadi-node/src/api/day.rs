//! A crossing's day: what began there within a time, and which holds are open there.

use crate::{
    api::{Reads, lists::Members},
    door::error::NodeError,
};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use wadi_log::{Crossing, Lane};
use wadi_record::Kind;
use wadi_store::{BornFilter, RecordRow};

/// How many records of one kind and state began within a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DayCount {
    /// The kind of record.
    pub kind: Kind,
    /// The state's name.
    pub state: String,
    /// How many.
    pub count: i64,
}

/// A record of a day, and when it began and last changed, as claimed.
#[derive(Clone, PartialEq, Debug)]
pub struct DayRecord {
    /// When it first happened, Unix milliseconds.
    pub began_ms: i64,
    /// When it last happened, Unix milliseconds.
    pub last_ms: i64,
    /// The members that were asked for.
    pub json: Json,
}

impl Reads {
    /// How many records of a crossing began within a time, by kind and state.
    pub async fn day_counts(&self, filter: &BornFilter) -> Result<Vec<DayCount>, NodeError> {
        let mut all: BTreeMap<(u8, String), i64> = BTreeMap::new();
        for (lane, line, count) in self.door.store.born_counts(filter).await? {
            // The state comes first in its line, then the flags.
            let state = line.split(' ').next().unwrap_or_default().to_string();
            *all.entry((lane, state)).or_default() += count;
        }

        let told = all.into_iter().filter_map(|((lane, state), count)| {
            let kind = Kind::of_lane(Lane::from_u8(lane).ok()?)?;
            Some(DayCount { kind, state, count })
        });
        Ok(told.collect())
    }

    /// The records of a crossing that began within a time, those that began last first.
    pub async fn day_records(
        &self,
        filter: &BornFilter,
        members: &Members,
    ) -> Result<Vec<DayRecord>, NodeError> {
        let rows = self.door.store.born(filter).await?;
        self.with_times(rows, members).await
    }

    /// The holds that are open at a crossing: its own, and those of the commission.
    pub async fn open_holds(
        &self,
        crossing: &str,
        limit: u32,
        members: &Members,
    ) -> Result<Vec<DayRecord>, NodeError> {
        let hub = Crossing::HUB.to_string();
        let rows = self.door.store.open_holds([crossing, &hub], limit).await?;
        self.with_times(rows, members).await
    }

    async fn with_times(
        &self,
        rows: Vec<RecordRow>,
        members: &Members,
    ) -> Result<Vec<DayRecord>, NodeError> {
        let all = self.records_json(&rows, members).await?;
        let told = rows.iter().zip(all).map(|(row, json)| DayRecord {
            began_ms: row.born_ms,
            last_ms: row.at_ms,
            json,
        });
        Ok(told.collect())
    }
}
