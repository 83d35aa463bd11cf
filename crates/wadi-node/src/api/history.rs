//! A record's history: the graph of its entries with who, when and between which hub times, who set
//! each field, and what an officer could have known at a decision.

use crate::{
    api::{
        Reads,
        borne_out::{HeldRoots, TakenIn},
        history_order::{HistoryPlace, in_order},
        known::received_ms,
        read::Safety,
    },
    door::{
        command::{Account, Command, DecidedOn, HistoryPart},
        error::NodeError,
    },
};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Body, LogId, NodeId, RecordId, Reference, Role};
use wadi_record::RecordError;
use wadi_store::{RecordRow, StoredEntry};

/// One entry in a record's history.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct HistoryLine {
    pub entry: String,
    pub node: String,
    pub officer: String,
    pub department: String,
    pub device: String,
    pub claimed_ms: i64,
    pub happened_ms: Option<i64>,
    pub received_ms: i64,
    /// Not before this hub time, Unix seconds: named by the checkpoint over it.
    pub not_before_s: Option<i64>,
    /// Not after this hub time, Unix seconds: cosigned by a hub.
    pub not_after_s: Option<i64>,
    pub safety: Safety,
    /// Names of the nodes that cosigned a head over it.
    pub witnessed: Vec<String>,
    /// Whether it counts; the code and the reason where it does not.
    pub stands: Json,
    /// Of an entry that decides, or is signed by its officer: how that signature stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Json>,
    pub based_on: Vec<String>,
    pub puts: BTreeMap<String, Json>,
    pub events: Vec<Json>,
    /// At a decision: what its author could have known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knew: Option<Knew>,
}

/// What the author of a decision could have known.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Knew {
    /// Entries of this record that were made by others and that the screen did not show; of a
    /// record with thousands of decisions 50 for each.
    pub not_shown: Vec<String>,
    /// Holds that concern the record: the hold, the entry that placed it, whether it was taken in
    /// at the node, and whether the node says so without being borne out by what is held here.
    pub holds: Vec<Json>,
    /// Control logs, and how far they had been taken in: policies, officers, cuts.
    pub control: BTreeMap<String, u64>,
    /// Control logs of which the node says that it had taken in more, and how much: what is held
    /// here does not bear it out, or not yet.
    pub claimed_control: BTreeMap<String, u64>,
}

/// A record's history.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct History {
    /// The record.
    pub record: String,
    /// Its entries, the oldest claim first, and none before what it is based on or follows in its
    /// log; `based_on` makes them a graph.
    pub entries: Vec<HistoryLine>,
    /// The entry behind which the next page begins; none at the end.
    pub next_after: Option<String>,
    /// Of each field what was put into it: by whom, what it replaced, whether it stands, who
    /// contests it. On the first page, of each the latest thousand.
    pub fields: Json,
    /// Of fields into which more was put, how many of the oldest were left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, usize>,
}

/// Entries of one page of a history.
const HISTORY_PAGE: usize = 1_000;

impl Reads {
    /// A record's history, whole.
    pub async fn history(&self, id: &RecordId) -> Result<History, NodeError> {
        self.history_within(id, None, usize::MAX).await
    }

    /// A page of a record's history: the entries that are told behind that one, or the first. What
    /// was put into the fields stands on the first page.
    ///
    /// # Errors
    ///
    /// `bad_value` where that is none of its entries.
    pub async fn history_page(
        &self,
        id: &RecordId,
        after: Option<&str>,
    ) -> Result<History, NodeError> {
        self.history_within(id, after, HISTORY_PAGE).await
    }

    pub(crate) async fn history_within(
        &self,
        id: &RecordId,
        after: Option<&str>,
        most: usize,
    ) -> Result<History, NodeError> {
        let stored = self.door.store.record_entries(id).await?;
        let places: Vec<HistoryPlace<'_>> = stored.iter().filter_map(place).collect();
        let order = in_order(&places);
        let told = |n: &usize| places[*n].entry;
        let from = match after {
            None => 0,
            Some(after) => order
                .iter()
                .position(|n| told(n).to_string() == after)
                .map(|last| last + 1)
                .ok_or_else(|| no_entry(after))?,
        };

        let page: Vec<Reference> = order.iter().skip(from).take(most).map(told).collect();
        let has_more = order.len() - from > page.len();
        let next_after = page.last().filter(|_| has_more);
        let next_after = next_after.map(ToString::to_string);

        let part = HistoryPart {
            entries: page.iter().copied().collect(),
            has_fields: after.is_none(),
        };
        let by_entry: BTreeMap<Reference, &StoredEntry> =
            stored.iter().map(|s| (s.entry.reference(), s)).collect();
        let page = page.iter().filter_map(|entry| by_entry.get(entry).copied());
        let page: Vec<&StoredEntry> = page.collect();
        let (entries, account) = self.history_lines(id, &page, part).await?;

        Ok(History {
            record: id.to_string(),
            entries,
            next_after,
            fields: account.fields.fields.into(),
            left_out: account.fields.left_out,
        })
    }

    /// What is told of these entries, in their order, and what the sequencer tells of the record.
    async fn history_lines(
        &self,
        id: &RecordId,
        page: &[&StoredEntry],
        part: HistoryPart,
    ) -> Result<(Vec<HistoryLine>, Account), NodeError> {
        let account = self
            .door
            .ask(|reply| Command::Account {
                record: *id,
                part,
                reply,
            })
            .await?;
        let row = self
            .door
            .store
            .record(id)
            .await?
            .ok_or_else(|| NodeError::NoRecord(id.to_string()))?;

        let placed: Vec<(String, Reference)> = self
            .holds_on(&row)
            .await?
            .iter()
            .flat_map(placements)
            .collect();

        let mut roots = HeldRoots::of(&self.door);
        let mut entries = Vec::new();
        for stored in page {
            let line = self.history_line(stored, &account, &placed, &mut roots);
            entries.extend(line.await?);
        }

        Ok((entries, account))
    }

    /// What is told of one entry; nothing where it is none of a record.
    async fn history_line(
        &self,
        stored: &StoredEntry,
        account: &Account,
        placed: &[(String, Reference)],
        roots: &mut HeldRoots<'_>,
    ) -> Result<Option<HistoryLine>, NodeError> {
        let reference = stored.entry.reference();
        let Some(entry) = stored.entry.entry() else {
            return Ok(None);
        };
        let Body::Change(change) = &entry.body else {
            return Ok(None);
        };
        let c = &entry.common;

        // The hub's time that its author had heard when it signed the log without the entry: one
        // named later may be of days after it.
        let before = self
            .door
            .store
            .checkpoint_before(&reference.log, reference.seq)
            .await?;
        let beside = self.is_beside(stored);
        let mut cosigned = self.door.store.cosignatures(Some(&reference.log)).await?;

        // What was said of the log was not said of another branch of it.
        cosigned.retain(|c| !beside && c.checkpoint.checkpoint.size > reference.seq);
        let by_hub = |w: &NodeId| self.door.with_control(|c| c.role(w) == Some(Role::Hub));
        let first = self.first_cosigned(&reference).await?.filter(|_| !beside);
        let first = first.map(|c| c.cosignature.time_s as i64);
        let of_hubs = cosigned.iter().filter(|c| by_hub(&c.cosignature.witness));
        let not_after_s = of_hubs
            .map(|c| c.cosignature.time_s as i64)
            .chain(first)
            .min();

        let knew = match account.decisions.get(&reference) {
            Some(on) => Some(knew(&reference, on, placed, roots).await?),
            None => None,
        };

        Ok(Some(HistoryLine {
            entry: reference.to_string(),
            node: self.door.name_of(&reference.log.node),
            officer: c.officer.clone(),
            department: c.department.clone(),
            device: c.device.clone(),
            claimed_ms: c.wall_ms,
            happened_ms: c.happened_ms,
            received_ms: received_ms(stored, self.door.now_ms()),
            not_before_s: before
                .map(|c| c.checkpoint.hub_time_s)
                .filter(|t| *t > 0 && may_follow(*t, not_after_s)),
            not_after_s,
            safety: self.safety_of(stored),
            witnessed: cosigned
                .iter()
                .map(|c| self.door.name_of(&c.cosignature.witness))
                .collect(),
            stands: account.stands.get(&reference).cloned().unwrap_or_default(),
            signature: account.signatures.get(&reference).cloned(),
            based_on: change.based_on.iter().map(ToString::to_string).collect(),
            puts: change
                .puts
                .iter()
                .map(|p| (p.key.clone(), put_json(&p.value)))
                .collect(),
            events: change
                .events
                .iter()
                .map(|e| serde_json::from_str(e).unwrap_or_else(|_| e.as_str().into()))
                .collect(),
            knew,
        }))
    }
}

/// What puts an entry of a record in its place; nothing for one of none.
fn place(stored: &StoredEntry) -> Option<HistoryPlace<'_>> {
    let entry = stored.entry.entry()?;
    match &entry.body {
        Body::Change(change) => Some(HistoryPlace {
            entry: stored.entry.reference(),
            common: &entry.common,
            change,
        }),
        _ => None,
    }
}

/// The error where a page is to begin behind what is no entry of the record.
fn no_entry(after: &str) -> RecordError {
    RecordError::BadValue {
        field: "after".into(),
        why: format!("{after:?} is no entry of this history"),
    }
}

/// Whether a hub time that an author named can be so: nobody has heard of a time after the one at
/// which a hub had the entry.
fn may_follow(not_before_s: i64, not_after_s: Option<i64>) -> bool {
    not_after_s.is_none_or(|not_after_s| not_before_s <= not_after_s)
}

/// The entries that placed a hold, with its printed id.
fn placements(hold: &RecordRow) -> Vec<(String, Reference)> {
    let json: Json = serde_json::from_str(&hold.json).unwrap_or_default();
    let placements = json["placements"].as_array().into_iter().flatten();
    placements
        .filter_map(|p| Some((hold.printed.clone(), p["entry"].as_str()?.parse().ok()?)))
        .collect()
}

/// What the author of a decision could have known, as far as it is borne out.
async fn knew(
    decision: &Reference,
    on: &DecidedOn,
    placed: &[(String, Reference)],
    roots: &mut HeldRoots<'_>,
) -> Result<Knew, NodeError> {
    let placed_in: BTreeSet<LogId> = placed.iter().map(|(_, entry)| entry.log).collect();
    let mut taken_in = BTreeMap::new();
    for log in placed_in {
        let told = roots.taken_in(&on.seen, decision.seq, &log).await?;
        taken_in.insert(log, told);
    }

    let (mut control, mut claimed_control) = (BTreeMap::new(), BTreeMap::new());
    for log in roots.control_logs(&on.seen) {
        let told = roots.taken_in(&on.seen, decision.seq, &log).await?;
        if told.borne_out > 0 {
            control.insert(log.origin(), told.borne_out);
        }
        if told.claimed > told.borne_out {
            claimed_control.insert(log.origin(), told.claimed);
        }
    }

    Ok(Knew {
        not_shown: on.not_shown.iter().map(ToString::to_string).collect(),
        holds: known_holds(decision, placed, &taken_in),
        control,
        claimed_control,
    })
}

/// What the node of a decision had taken in of each placement of a hold.
fn known_holds(
    decision: &Reference,
    placed: &[(String, Reference)],
    taken_in: &BTreeMap<LogId, TakenIn>,
) -> Vec<Json> {
    let told = |(hold, entry): &(String, Reference)| {
        let of = taken_in.get(&entry.log).copied().unwrap_or_default();
        // What its own node had said before, it knew.
        let is_known = entry.log.node == decision.log.node || of.borne_out > entry.seq;
        json!({
            "hold": hold,
            "placed": entry.to_string(),
            "taken_in": is_known,
            "claimed": !is_known && of.claimed > entry.seq,
        })
    };
    placed.iter().map(told).collect()
}

fn put_json(value: &wadi_log::Value) -> Json {
    match value {
        wadi_log::Value::Null => Json::Null,
        wadi_log::Value::Text(t) => t.as_str().into(),
        wadi_log::Value::Int(i) => (*i).into(),
        wadi_log::Value::Flag(b) => (*b).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane};

    fn at(node: u8, lane: Lane, seq: u64) -> Reference {
        let log = LogId {
            node: NodeId([node; 16]),
            epoch: Epoch([1; 8]),
            lane,
            crossing: Crossing::HUB,
        };
        Reference {
            log,
            seq,
            leaf: Default::default(),
        }
    }

    #[test]
    fn no_entry_is_of_after_the_time_at_which_a_hub_had_it() {
        assert!(may_follow(10, None));
        assert!(may_follow(10, Some(10)));
        assert!(!may_follow(11, Some(10)));
    }

    #[test]
    fn an_officer_knew_of_holds_taken_in_and_of_those_of_the_own_node() {
        let decision = at(1, Lane::Hold, 9);
        let (heard, forged) = (at(2, Lane::Hold, 4), at(3, Lane::Hold, 4));
        let told = |borne_out, claimed| TakenIn { borne_out, claimed };
        let taken_in = BTreeMap::from([
            (heard.log, told(5, 5)),
            // It says that it had all of it: nothing bears that out past the first two.
            (forged.log, told(2, 1 << 60)),
        ]);
        let placed = [
            ("own", at(1, Lane::Hold, 2)),
            ("heard", heard),
            ("later", at(2, Lane::Hold, 5)),
            ("early", at(3, Lane::Hold, 1)),
            ("forged", forged),
            ("elsewhere", at(4, Lane::Hold, 0)),
        ]
        .map(|(hold, entry)| (hold.to_string(), entry));

        let holds = known_holds(&decision, &placed, &taken_in);
        let told: Vec<(bool, bool)> = holds
            .iter()
            .map(|h| (h["taken_in"] == true, h["claimed"] == true))
            .collect();
        let (known, unknown, claimed) = ((true, false), (false, false), (false, true));
        assert_eq!(told, [known, known, unknown, known, claimed, unknown]);
    }

    #[test]
    fn values_are_shown_as_json_has_them() {
        use wadi_log::Value;
        let shown = [
            Value::Null,
            Value::Text("a".into()),
            Value::Int(-1),
            Value::Flag(true),
        ]
        .map(|value| put_json(&value));
        assert_eq!(shown, [Json::Null, json!("a"), json!(-1), json!(true)]);
    }
}
