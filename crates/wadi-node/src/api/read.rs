//! What people and programs read.

use crate::{
    api::{Reads, lists::Members},
    door::{
        error::NodeError,
        excerpt::{ALL_EXCERPTS, EXCERPT_LOST},
        losses::{self, lacks},
        scopes::{Digests, ScopeDigest},
        status::ScrubStatus,
    },
};
use serde::Serialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use wadi_log::{CutTarget, Lane, LogId, NodeId, RecordId, Reference, Role};
use wadi_record::Kind;
use wadi_store::{AnchorState, RecordFilter, RecordRow, StoredEntry};

/// What a quiet crossing needs at most to say that there was nothing, milliseconds; and by a clock
/// that runs fast, whose pace it cannot keep, of real ones.
const OVERDUE_MS: i64 = 60_000;
const OVERDUE_FAST_MS: i64 = 10_000;

/// Where a record is safe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// On this node alone.
    LocalOnly,
    /// At another node too, which is no hub.
    Carried,
    /// At a hub, by its own cosignature.
    AtHub,
}

/// The flag of what an open hold names, or looks out for: it is derived when a record is read, and
/// stored nowhere.
pub const DETAINED: &str = "DETAINED";

/// Says of a record that it is detained, and by which holds.
fn mark_detained(record: &mut Json, holds: Vec<String>) {
    if holds.is_empty() {
        return;
    }

    if let Some(flags) = record["flags"].as_array_mut() {
        flags.push(DETAINED.into());
    }

    record["detained_by"] = holds.into();
}

/// How a node stands.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[allow(missing_docs)]
pub struct Status {
    pub node: String,
    pub id: String,
    pub role: String,
    pub crossing: String,
    pub now_ms: i64,
    pub hub_time_s: i64,
    pub records: i64,
    pub entries: i64,
    pub waiting: i64,
    pub refused: i64,
    pub findings: i64,
    /// Pending findings whose time is past by the hub's: what they wait for has not been heard. A
    /// hub's alone.
    pub overdue: i64,
    /// Through which time each crossing is received, Unix milliseconds. A hub's alone.
    pub watermarks: BTreeMap<String, i64>,
    pub carried_bytes: i64,
    /// Entries of this node's own logs that no hub has cosigned.
    pub unsent: u64,
    /// Age of the oldest of those, milliseconds; none where all are safe.
    pub oldest_unsent_ms: Option<i64>,
    /// Alarms: what is degraded, and why.
    pub alarms: Vec<String>,
    /// How many of the alarms put in doubt what is kept; the others ask for somebody's attention.
    pub integrity_alarms: usize,
    /// What is given up for want of room on the disk: level, reason, bytes; none where nothing is.
    /// It is an alarm, too.
    pub degraded: Option<Json>,
    pub digest: String,
    /// How far everything held was read through, and what was found.
    pub scrub: ScrubStatus,
    pub scopes: Vec<ScopeDigest>,
    pub peers: Vec<Json>,
    pub forks: Vec<String>,
    pub cuts: Vec<String>,
    /// What was refused last: subject, code and reason.
    pub last_refused: Vec<Json>,
}

impl Reads {
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

    /// A record as JSON, with what only this node knows: where it is safe, and whether a hold on it
    /// is open.
    pub async fn record(&self, id: &RecordId) -> Result<Json, NodeError> {
        let row = self
            .door
            .store
            .record(id)
            .await?
            .ok_or_else(|| NodeError::NoRecord(id.to_string()))?;
        self.record_json(&row).await
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
            true => self.held_by(&ids).await?,
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
            members.leave_in(&mut json);
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

    /// State, flags, open holds and heads of records as they stand now, for the answers to writes.
    pub async fn standings(&self, ids: &[RecordId]) -> Result<BTreeMap<RecordId, Json>, NodeError> {
        let mut held = self.held_by(ids).await?;
        let mut out = BTreeMap::new();
        for row in self.door.store.records_by_id(ids).await? {
            let whole: Json = serde_json::from_str(&row.json).unwrap_or_default();
            let mut json =
                json!({"state": whole["state"], "flags": whole["flags"], "heads": whole["heads"]});
            mark_detained(&mut json, held.remove(&row.id).unwrap_or_default());
            out.insert(row.id, json);
        }

        Ok(out)
    }

    /// The printed ids of open holds that name these records, or look out for what they carry.
    async fn held_by(
        &self,
        ids: &[RecordId],
    ) -> Result<BTreeMap<RecordId, Vec<String>>, NodeError> {
        let mut held: BTreeMap<RecordId, Vec<String>> = BTreeMap::new();
        for (id, hold) in self.door.store.detained(ids).await? {
            held.entry(id).or_default().push(hold);
        }
        Ok(held)
    }

    /// Where one entry is safe.
    pub fn safety(&self, entry: &Reference) -> Safety {
        let control = self.door.view().control.clone();
        let at_hub = control
            .cosigned(&entry.log)
            .is_some_and(|tip| entry.seq < tip.size);

        if at_hub || self.door.me.role == Role::Hub {
            Safety::AtHub
        } else if entry.log.node != self.door.id()
            || control.witnessed(&entry.log, &self.door.id()) > entry.seq
        {
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
        match self.is_beside_at(entry, main) {
            true if self.door.me.role == Role::Hub => Safety::AtHub,
            true => Safety::Carried,
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

    /// A record as of entries of it, or as of a time by its authors' clocks.
    pub async fn record_at(
        &self,
        id: &RecordId,
        at: &[Reference],
        time_ms: Option<i64>,
    ) -> Result<Json, NodeError> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        self.door
            .put(crate::door::command::Command::At {
                record: *id,
                at: at.to_vec(),
                time_ms,
                reply,
            })
            .await;

        answer.await.map_err(|_| NodeError::Stopping)?
    }

    /// How the node stands.
    pub async fn status(&self) -> Result<Status, NodeError> {
        let counts = self.door.store.counts().await?;
        let frontier = self.door.frontier();
        let own = frontier.0.iter().filter(|(l, _)| l.node == self.door.id());
        let unsent: BTreeMap<LogId, u64> = {
            let control = self.door.view().control.clone();
            let cosigned = |l: &LogId| control.cosigned(l).map_or(0, |t| t.size);
            own.map(|(l, t)| (*l, t.size.saturating_sub(cosigned(l))))
                .filter(|(_, n)| *n > 0)
                .collect()
        };

        let mut oldest = None;
        for (log, count) in &unsent {
            let from = frontier.0[log].size - count;
            let first = match self.door.store.entries(log, from, 1).await {
                // That it is damaged is an alarm, which nobody would see if status ended here.
                Err(error) if error.is_rot() => continue,
                found => found?,
            };

            if let Some(first) = first.first() {
                oldest = Some(oldest.map_or(first.received_ms, |o: i64| o.min(first.received_ms)));
            }
        }

        let mut alarms = Vec::new();
        match self.door.store.anchor_state() {
            // Until everything that the anchor vouched for is held again.
            AnchorState::LostTail {
                anchored,
                held,
                heads,
            } if lacks(heads, &frontier) || heads.is_empty() && !self.door.compared() => {
                alarms.push(format!(
                    "the database was restored or damaged: it held {held} of {anchored} \
                     acknowledged commits; what is missing is fetched back from peers",
                ));
            }
            AnchorState::Unanchored => {
                let why = "the anchor file is missing: nobody can tell whether the database is \
                           whole";
                alarms.push(why.into());
            }
            _ => {}
        }

        let scrub = self.door.scrub_status();
        let missing = self
            .door
            .wants
            .lock()
            .expect("no panic holds it")
            .missing_count();

        if missing > 0 {
            alarms.push(format!(
                "{missing} entries are damaged or missing on this disk; they are fetched back from \
                 peers",
            ));
        }

        let lost = self
            .door
            .store
            .local_all(&EXCERPT_LOST)
            .await?
            .iter()
            .filter(|l| l.key != ALL_EXCERPTS)
            .count();

        if lost > 0 {
            alarms.push(format!(
                "entries of {lost} records handed over to this crossing are damaged; the hub sends \
                 them again",
            ));
        }

        if let Some(first) = scrub.structure.first() {
            alarms.push(format!(
                "the database is damaged and is set aside at the next start: {first}"
            ));
        }

        let set_aside = self.door.store.local_all(&losses::SCOPE).await?;
        alarms.extend(set_aside.iter().filter_map(losses::alarm));
        let integrity_alarms = alarms.len();
        alarms.extend(self.door.time.alarm());
        alarms.extend(
            self.door
                .alarms
                .lock()
                .expect("no panic holds it")
                .values()
                .cloned(),
        );

        let degraded = self.door.room.degraded();
        alarms.extend(
            degraded
                .iter()
                .filter_map(|d| d["why"].as_str())
                .map(String::from),
        );

        let scopes = self
            .door
            .scopes(&frontier, self.digests_now(counts.records).await?);
        let shared: Vec<&ScopeDigest> = scopes
            .iter()
            .filter(|s| s.lane == "control" || s.lane == "hold")
            .collect();
        let mut peaks = wadi_log::Peaks::default();

        for s in shared {
            let line = format!(
                "{} {} {} {} {}",
                s.lane, s.crossing, s.entries_digest, s.documents_digest, s.states_digest
            );
            peaks.append(wadi_log::leaf_hash(line.as_bytes()));
        }

        let mut peers = self.door.peers.lock().expect("no panic holds it").clone();
        if self.door.me.role == Role::Hub {
            // A site that has not been heard since this start is dark, and not absent.
            let known = self.door.with_control(|c| {
                let sites = c
                    .enrolments()
                    .filter(|e| e.role == Role::Crossing && !c.is_cut(&e.node()));
                sites.map(|e| e.node()).collect::<Vec<_>>()
            });

            for id in known {
                peers.entry(id).or_default();
            }
        }

        let name = |n: &NodeId| {
            self.door.with_control(|c| {
                c.enrolment(n)
                    .map_or_else(|| n.to_string(), |e| e.name.clone())
            })
        };

        let watermarks = self.door.view().watermarks.as_ref().clone();
        let status = Status {
            node: self.door.me.name.clone(),
            id: self.door.id().to_string(),
            role: self.door.me.role.name().into(),
            crossing: self
                .door
                .me
                .crossing
                .map(|c| c.to_string())
                .unwrap_or_default(),
            now_ms: self.door.now_ms(),
            hub_time_s: self.door.time.hub_time_s(),
            records: counts.records,
            entries: counts.entries,
            waiting: counts.waiting,
            refused: counts.refused,
            findings: counts.findings,
            overdue: self.overdue().await?,
            watermarks,
            carried_bytes: counts.carried_bytes,
            unsent: unsent.values().sum(),
            oldest_unsent_ms: oldest.map(|o| self.door.now_ms() - o),
            alarms,
            integrity_alarms,
            degraded,
            digest: peaks.root().to_string(),
            scrub,
            scopes,
            peers: peers
                .iter()
                .map(|(id, p)| {
                    json!({
                        "node": name(id),
                        "connected": p.connected,
                        "last_contact_ms": p.last_contact_ms,
                        "unsent": p.unsent,
                        "in_step": p.in_step,
                        "sent_bytes": p.sent_bytes,
                        "rtt_ms": p.rtt_ms,
                        "last_error": p.last_error,
                    })
                })
                .collect(),
            forks: self
                .door
                .with_control(|c| c.forks().keys().map(LogId::origin).collect()),
            cuts: self.door.with_control(|c| {
                let of = |target: &CutTarget| match target {
                    CutTarget::Node(node) => c
                        .enrolment(node)
                        .map_or_else(|| node.to_string(), |e| e.name.clone()),
                    CutTarget::Log(log) => log.origin(),
                };
                c.cuts()
                    .map(|f| format!("{}: {}", of(&f.cut.target), f.cut.reason))
                    .collect()
            }),
            last_refused: self
                .door
                .store
                .refusals(10)
                .await?
                .iter()
                .map(|r| {
                    json!({
                        "subject": r.subject,
                        "code": r.code,
                        "why": r.why,
                        "at_ms": r.at_ms,
                        "times": r.times,
                    })
                })
                .collect(),
        };

        Ok(status)
    }

    /// Pending findings whose time is past by more than what a quiet link needs to say that there
    /// was nothing.
    async fn overdue(&self) -> Result<i64, NodeError> {
        if self.door.me.role != Role::Hub {
            return Ok(0);
        }

        let grace_ms = OVERDUE_MS.max((OVERDUE_FAST_MS as f64 * self.door.clock.pace()) as i64);
        Ok(self
            .door
            .store
            .findings_overdue(self.door.time.now_ms().saturating_sub(grace_ms))
            .await?)
    }

    /// What the records come to, read anew where any has changed since: each reading goes through
    /// all of them.
    async fn digests_now(&self, records: i64) -> Result<Vec<Digests>, NodeError> {
        let newest = self
            .door
            .store
            .records(&RecordFilter {
                limit: 1,
                ..RecordFilter::default()
            })
            .await?;

        let of = (newest.first().map_or(0, |r| r.changed), records);
        let kept = self.digests.lock().expect("no panic holds it").clone();
        if let Some((_, digests)) = kept.filter(|(kept_of, _)| *kept_of == of) {
            return Ok(digests);
        }

        let digests = self.door.store.digests().await?;
        *self.digests.lock().expect("no panic holds it") = Some((of, digests.clone()));
        Ok(digests)
    }
}
