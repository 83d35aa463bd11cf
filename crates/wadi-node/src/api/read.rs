//! What people and programs read.

use crate::{
    api::{Reads, cut_lists::cut_lists, lists::Members},
    door::{
        command::Command,
        error::{NodeError, SetAsideWork, WriteError},
    },
};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use wadi_log::{Lane, NodeId, RecordId, Reference, Role};
use wadi_record::{Kind, Record};
use wadi_store::{RecordRow, StoredEntry};

/// Where a record is safe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// On this node alone.
    LocalOnly,
    /// At another node too, which is no hub.
    Carried,
    /// At a hub, by its own word: a cosignature, its own log, or what it held when in step.
    AtHub,
}

/// The flag of what an open hold names, or looks out for: it is derived when a record is read, and
/// stored nowhere.
pub const DETAINED: &str = "DETAINED";

/// Says of a record that it is detained, and by which holds.
fn mark_detained(record: &mut Json, holds: Vec<Json>) {
    if holds.is_empty() {
        return;
    }

    if let Some(flags) = record["flags"].as_array_mut() {
        flags.push(DETAINED.into());
    }

    record["detained_by"] = holds.into();
}

/// Who said a control entry, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SaidBy {
    /// The person or the officer in whose name; empty where the node did by itself.
    pub officer: String,
    /// The token that named that person, where it is nobody's own; else empty.
    pub by_token: String,
    /// By the author's clock, Unix milliseconds.
    pub at_ms: i64,
}

impl Reads {
    /// Who said a control entry, and when. None where it is not held, or of a later version.
    pub async fn said_by(&self, at: &Reference) -> Result<Option<SaidBy>, NodeError> {
        let found = self.door.store.entries(&at.log, at.seq, 1).await?;
        let entry = found.first().filter(|e| e.entry.reference() == *at);
        let entry = entry.and_then(|e| e.entry.entry());
        Ok(entry.map(|e| SaidBy {
            officer: e.common.officer.clone(),
            by_token: e.common.device.clone(),
            at_ms: e.common.wall_ms,
        }))
    }

    /// A record's id from its printed or full form.
    pub async fn find_record(&self, text: &str) -> Result<RecordId, NodeError> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }

        let text = text.to_uppercase();
        RecordId::check_printed(&text)?;

        match self.door.store.records_printed(&text).await?.as_slice() {
            [] => Err(NodeError::NoRecord(text)),
            [one] => Ok(*one),
            many => Err(NodeError::Ambiguous {
                id: text,
                all: many.iter().map(ToString::to_string).collect(),
            }),
        }
    }

    /// A record's id and kind, from its printed or full form.
    pub async fn find_kind(&self, text: &str) -> Result<(RecordId, Kind), NodeError> {
        let id = self.find_record(text).await?;
        let row = self.door.store.record(&id).await?;
        let kind = row
            .and_then(|r| Lane::from_u8(r.lane).ok())
            .and_then(Kind::of_lane);
        Ok((id, kind.ok_or_else(|| NodeError::NoRecord(id.to_string()))?))
    }

    /// A record as JSON, with what only this node knows: where it is safe, when it is expected at a
    /// hub where it is not there, and whether a hold on it is open.
    pub async fn record(&self, id: &RecordId) -> Result<Json, NodeError> {
        let row = self
            .door
            .store
            .record(id)
            .await?
            .ok_or_else(|| NodeError::NoRecord(id.to_string()))?;
        let mut json = self.record_json(&row).await?;
        if json["safety"] != json!(Safety::AtHub) {
            let lane = Lane::from_u8(row.lane).ok();
            json["expected_at_hub"] = json!(lane.and_then(|l| self.lane_expected_at_hub(l)));
        }

        Ok(json)
    }

    /// A row as JSON, as [`Self::record`] gives it.
    pub async fn record_json(&self, row: &RecordRow) -> Result<Json, NodeError> {
        let all = self
            .records_json(std::slice::from_ref(row), &Members::default())
            .await?;
        all.into_iter()
            .next()
            .ok_or_else(|| NodeError::NoRecord(row.id.to_string()))
    }

    /// Rows as JSON, in their order. However many there are, their holds and their entries are
    /// asked for once, and only where they are wanted.
    pub(crate) async fn records_json(
        &self,
        rows: &[RecordRow],
        members: &Members,
    ) -> Result<Vec<Json>, NodeError> {
        let ids: Vec<RecordId> = rows.iter().map(|row| row.id).collect();
        let mut held = match members.has("flags") || members.has("detained_by") {
            true => self.held_by(rows).await?,
            false => BTreeMap::new(),
        };
        let least = match members.has("safety") {
            true => self.least_safety(&ids).await?,
            false => BTreeMap::new(),
        };

        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            let mut json: Json = serde_json::from_str(&row.json).unwrap_or_default();
            mark_detained(&mut json, held.remove(&row.id).unwrap_or_default());
            json["safety"] = json!(least.get(&row.id).unwrap_or(&Safety::LocalOnly));
            json["changed"] = row.changed.into();
            json["begun_ms"] = row.born_ms.into();
            json["last_ms"] = row.at_ms.into();
            members.leave_in(&mut json);
            cut_lists(&mut json);
            out.push(json);
        }

        Ok(out)
    }

    /// Where each of these records is safe: where its least safe entry is.
    async fn least_safety(
        &self,
        ids: &[RecordId],
    ) -> Result<BTreeMap<RecordId, Safety>, NodeError> {
        let mut out: BTreeMap<RecordId, Safety> = BTreeMap::new();
        for (id, entry, main) in self.door.store.entry_places(ids).await? {
            let safety = self.safety_at(&entry, main);
            let least = out.entry(id).or_insert(safety);
            *least = safety.min(*least);
        }

        Ok(out)
    }

    /// State, flags, open holds and heads of records as they stand now, for the answers to writes,
    /// and what tells who reads them.
    pub async fn standings(&self, ids: &[RecordId]) -> Result<BTreeMap<RecordId, Json>, NodeError> {
        let rows = self.door.store.records_by_id(ids).await?;
        let mut held = self.held_by(&rows).await?;
        let mut out = BTreeMap::new();
        for row in rows {
            let whole: Json = serde_json::from_str(&row.json).unwrap_or_default();
            let members = ["state", "flags", "heads", "kind", "crossing", "hold_types"];
            let members = members.map(|member| (member.to_string(), whole[member].clone()));
            let mut json = Json::Object(members.into_iter().collect());
            mark_detained(&mut json, held.remove(&row.id).unwrap_or_default());
            out.insert(row.id, json);
        }

        Ok(out)
    }

    /// Where one entry is safe. What a hub wrote itself is at the hub; of what others wrote, it is
    /// said so by the hub's cosignature or by what it held when it was last in step.
    pub fn safety(&self, entry: &Reference) -> Safety {
        let control = self.door.view().control.clone();
        let (author, is_own) = (entry.log.node, entry.log.node == self.door.id());
        let is_hub = |n: &NodeId| control.role(n) == Some(Role::Hub) && !control.is_cut(n);
        let is_cosigned = control
            .cosigned(&entry.log)
            .is_some_and(|tip| entry.seq < tip.size);
        let is_told = !is_own && self.door.hub_holdings.hold(&entry.log, entry.seq, is_hub);

        if is_cosigned || is_told || is_hub(&author) || self.door.me.role == Role::Hub {
            Safety::AtHub
        } else if !is_own || control.witnessed(&entry.log, &self.door.id()) > entry.seq {
            Safety::Carried
        } else {
            Safety::LocalOnly
        }
    }

    /// The same of a stored entry: one that stands on another branch than its log's has none of
    /// what was said of the log.
    pub(crate) fn safety_of(&self, stored: &StoredEntry) -> Safety {
        self.safety_at(&stored.entry.reference(), stored.main)
    }

    fn safety_at(&self, entry: &Reference, main: bool) -> Safety {
        // An entry of a log that is not held came in a record handed over, under a hub's signature.
        let is_handed_over = !main && !self.door.frontier().0.contains_key(&entry.log);
        match self.is_beside_at(entry, main) {
            true if self.door.me.role == Role::Hub => Safety::AtHub,
            true => Safety::Carried,
            false if is_handed_over => Safety::AtHub,
            false => self.safety(entry),
        }
    }

    /// Whether an entry stands on another branch of a forked log than the one that is held as the
    /// log.
    pub(crate) fn is_beside(&self, stored: &StoredEntry) -> bool {
        self.is_beside_at(&stored.entry.reference(), stored.main)
    }

    fn is_beside_at(&self, r: &Reference, main: bool) -> bool {
        let held = self.door.frontier().0.contains_key(&r.log);

        !main
            && held
            && self
                .door
                .with_control(|c| c.forks().get(&r.log).is_some_and(|f| f.at <= r.seq))
    }

    /// A record's document as any Automerge tool opens it.
    pub async fn document(&self, id: &RecordId) -> Result<Vec<u8>, NodeError> {
        let record = *id;
        let apart = self
            .door
            .ask(|reply| Command::Document { record, reply })
            .await?;

        let saved = weigh_apart(apart, SetAsideWork::History, |record| record.saved()).await?;
        saved.map_err(|refusal| WriteError::Refused(refusal).into())
    }

    /// A record as of entries of it, or as of a time by its authors' clocks.
    pub async fn record_at(
        &self,
        id: &RecordId,
        at: &[Reference],
        time_ms: Option<i64>,
    ) -> Result<Json, NodeError> {
        let (record, at) = (*id, at.to_vec());
        let asked = |reply| Command::At {
            record,
            at,
            time_ms,
            reply,
        };
        let then = self.door.ask(asked).await?;

        let told = |record: &Record| {
            let mut json = record.json();
            cut_lists(&mut json);
            json
        };
        weigh_apart(then, SetAsideWork::Past, told).await
    }
}

/// What a record comes to, found beside the sequencer: a record may have so many entries that
/// everybody's writes would wait for one reader's question.
async fn weigh_apart<T: Send + 'static>(
    record: Record,
    work: SetAsideWork,
    look: impl FnOnce(&Record) -> T + Send + 'static,
) -> Result<T, NodeError> {
    let id = record.id().to_string();
    let looked = tokio::task::spawn_blocking(move || look(&record)).await;

    looked.map_err(|error| {
        tracing::error!(record = id, %error, "a record could not be looked at");
        NodeError::SetAside(work)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_hold_names_is_marked() {
        let mut record = json!({"flags": ["RED"]});
        mark_detained(&mut record, Vec::new());
        assert_eq!(record, json!({"flags": ["RED"]}));

        mark_detained(&mut record, vec![json!({"hold": "TRB-H-1"})]);
        assert_eq!(
            record,
            json!({"flags": ["RED", DETAINED], "detained_by": [{"hold": "TRB-H-1"}]})
        );
    }
}
