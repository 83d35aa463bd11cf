//! Reconciling at the hub: it follows the records' changes, makes dossiers of what changed, and keeps the findings.
//!
//! A task of its own beside the desk. How far it has come is committed with the findings, so that a crash costs no record
//! its look; a dossier is a pure function of the store, so looking twice changes nothing. Dossiers of many records are read
//! together, by a bounded number of statements.

use crate::{
    error::NodeError,
    judging::SeenIndex,
    node::{Event, Node},
    write::{Target, Write},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, RwLock, Weak, atomic::Ordering},
    time::Duration,
};
use tokio::sync::Notify;
use wadi_log::{Body, Hash, Lane, LogId, RecordId, Reference, VerifiedEntry};
use wadi_reconcile::{Dossier, Facts, Finding, Phase, asks, life, reconcile};
use wadi_record::{Draft, Kind, Policy, SYSTEM_OFFICER};
use wadi_store::{Batch, FindingRow, LocalKey, RecordRow, Store, StoreError, TermQuery};

/// Records that share one term with another, of which a dossier takes those nearest in time.
const PER_TERM: u32 = 32;
/// Records linked to one that a dossier takes at most.
const LINKED_MAX: usize = 64;
/// Records of its cohorts: a device's numbers before and after, and what shares a plate's shape or an HS code.
const PEERS_MAX: usize = 512;
/// Changes looked at together.
const CHANGES: u32 = 256;
/// Anchors whose dossiers are read together.
const ANCHORS: usize = 256;
/// Entries read at once where one that is looked for is damaged.
const SEEN_PAGE: u32 = 512;
/// Times beyond these, some hundred million years from now, are nobody's: no sum of them overflows in any engine.
const TIME_MS_MAX: i64 = 1 << 61;
/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Reconciler {
    node: Weak<Node>,
    store: Arc<dyn Store>,
    watermarks: Arc<RwLock<BTreeMap<String, i64>>>,
    wake: Arc<Notify>,
    cursor: i64,
    heard: BTreeMap<String, i64>,
}

/// What one record's dossier is made of.
struct Asked {
    linked: BTreeSet<RecordId>,
    peers: BTreeSet<RecordId>,
}

impl Reconciler {
    pub(crate) fn new(node: &Arc<Node>, watermarks: Arc<RwLock<BTreeMap<String, i64>>>, wake: Arc<Notify>) -> Self {
        let (store, heard) = (node.store.clone(), BTreeMap::new());
        Self { node: Arc::downgrade(node), store, watermarks, wake, cursor: 0, heard }
    }

    pub(crate) async fn run(mut self) {
        loop {
            match self.store.local("reconcile", "cursor").await {
                Ok(cursor) => {
                    self.cursor = cursor.and_then(|c| c.parse().ok()).unwrap_or(0);
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, "the reconciler cannot read how far it has come");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        loop {
            let Some(node) = self.node.upgrade() else { return };
            if !node.room.level().reconciles() {
                // Findings can be made again when there is room.
                drop(node);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            match self.step(&node).await {
                Ok(true) => {}
                Ok(false) => {
                    node.reconciler_rests.fetch_add(1, Ordering::Relaxed);
                    drop(node);
                    self.wake.notified().await;
                }
                Err(error) => {
                    tracing::error!(%error, "reconciling failed; it is tried again");
                    node.room.heard(&error);
                    if let StoreError::Failed(why) = error {
                        let _ = node.events.send(Event::Failed(why));
                    }
                    drop(node);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Looks at the next changes, or at findings whose time has come. Returns whether there was anything.
    async fn step(&mut self, node: &Arc<Node>) -> Result<bool, StoreError> {
        if node.recheck.swap(false, Ordering::Relaxed) {
            self.cursor = 0;
        }
        let changes = self.store.changes(self.cursor, CHANGES).await?;
        if let Some(last) = changes.last() {
            let cursor = last.cursor;
            let rows: Vec<RecordRow> = changes.into_iter().map(|c| c.record).collect();
            let anchors = self.with_neighbours(rows).await?;
            self.look(node, anchors, Some(cursor)).await?;
            self.cursor = cursor;
            node.reconciled.store(cursor, Ordering::Relaxed);
            return Ok(true);
        }
        let heard = self.watermarks.read().expect("no panic holds it").clone();
        if heard == self.heard {
            return Ok(false);
        }
        let through = heard.values().copied().max().unwrap_or(0);
        let due = self.store.findings_due(through).await?;
        let rows = self.rows(&due).await?;
        self.look(node, rows, None).await?;
        self.heard = heard;
        Ok(true)
    }

    async fn rows(&self, ids: &[RecordId]) -> Result<Vec<RecordRow>, StoreError> {
        let mut out = Vec::with_capacity(ids.len());
        for part in ids.chunks(ANCHORS) {
            out.extend(self.store.records_by_id(part).await?);
        }
        Ok(out)
    }

    /// These records and all whose dossiers they belong to.
    async fn with_neighbours(&self, rows: Vec<RecordRow>) -> Result<Vec<RecordRow>, StoreError> {
        let ids: Vec<RecordId> = rows.iter().map(|r| r.id).collect();
        let gone = self.store.terms_gone_of(&ids).await?;
        let (asked, mut known) = self.ask(&rows, gone).await?;
        let wanted: BTreeSet<RecordId> = asked
            .iter()
            .flat_map(|a| a.linked.iter().chain(&a.peers))
            .chain(rows.iter().map(|r| &r.id))
            .copied()
            .collect();
        known.extend(rows.into_iter().map(|r| (r.id, r)));
        Ok(wanted.iter().filter_map(|id| known.remove(id)).collect())
    }

    /// Which records belong into the dossiers of these, and the rows of them; those that did by terms since gone, too.
    async fn ask(
        &self,
        rows: &[RecordRow],
        gone: Vec<(RecordId, String, String, i64)>,
    ) -> Result<(Vec<Asked>, HashMap<RecordId, RecordRow>), StoreError> {
        let ids: Vec<RecordId> = rows.iter().map(|r| r.id).collect();
        let mut terms: HashMap<RecordId, Vec<(String, String)>> = HashMap::new();
        for (id, what, value) in self.store.terms_of(&ids).await? {
            terms.entry(id).or_default().push((what, value));
        }
        let mut before: HashMap<RecordId, BTreeMap<i64, Vec<(String, String)>>> = HashMap::new();
        for (id, what, value, born_ms) in gone {
            before.entry(id).or_default().entry(born_ms).or_default().push((what, value));
        }
        let policy = self.policy();
        let window_ms = i64::from(policy.dossier_window_h) * 3_600_000;
        let (mut queries, mut cohort, mut named) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut asked = Vec::with_capacity(rows.len());
        for (asker, row) in rows.iter().enumerate() {
            let mut each = vec![(row.born_ms, terms.remove(&row.id).unwrap_or_default())];
            each.extend(before.remove(&row.id).unwrap_or_default());
            let mut linked = BTreeSet::new();
            for (born_ms, own) in each {
                // What an author claims: anything at all.
                let born_ms = born_ms.clamp(-TIME_MS_MAX, TIME_MS_MAX);
                let links =
                    own.iter().filter(|(what, _)| what == "link").filter_map(|(_, id)| id.parse::<RecordId>().ok());
                linked.extend(links.take(LINKED_MAX));
                for ask in asks(&row.id.to_string(), &own, &policy) {
                    let (asker_no, between_ms) = (queries.len(), (born_ms - window_ms, born_ms + window_ms));
                    queries.push(TermQuery { asker: asker_no, what: ask.what.into(), value: ask.value, between_ms });
                    cohort.push((asker, ask.cohort));
                }
            }
            named.extend(linked.iter().copied());
            asked.push(Asked { linked, peers: BTreeSet::new() });
        }
        let mut known: HashMap<RecordId, RecordRow> = HashMap::new();
        for (query, row) in self.store.near(&queries, PER_TERM).await? {
            let (asker, of_cohort) = cohort[query];
            let into = if of_cohort { &mut asked[asker].peers } else { &mut asked[asker].linked };
            into.insert(row.id);
            known.insert(row.id, row);
        }
        let missing: Vec<RecordId> = named.into_iter().filter(|id| !known.contains_key(id)).collect();
        for row in self.rows(&missing).await? {
            known.insert(row.id, row);
        }
        for (asked, row) in asked.iter_mut().zip(rows) {
            asked.linked.remove(&row.id);
            asked.peers.remove(&row.id);
            asked.peers.retain(|id| !asked.linked.contains(id));
        }
        Ok((asked, known))
    }

    fn policy(&self) -> Policy {
        self.node.upgrade().map(|n| n.policy_now()).unwrap_or_default()
    }

    /// Makes the dossiers of these anchors and keeps what the rules find, and the cursor with it.
    async fn look(&self, node: &Arc<Node>, anchors: Vec<RecordRow>, cursor: Option<i64>) -> Result<(), StoreError> {
        let policy = self.policy();
        let watermarks = self.watermarks.read().expect("no panic holds it").clone();
        let mut batch = Batch { at_ms: node.now_ms(), ..Batch::default() };
        let mut publish = Vec::new();
        for part in anchors.chunks(ANCHORS) {
            let (asked, rows) = self.ask(part, Vec::new()).await?;
            let mut facts: HashMap<RecordId, Facts> = rows.values().map(|r| (r.id, facts(r))).collect();
            let ids: Vec<RecordId> = part.iter().map(|r| r.id).collect();
            let mut before: HashMap<RecordId, Vec<FindingRow>> = HashMap::new();
            for f in self.store.findings_of(&ids).await? {
                before.entry(f.anchor).or_default().push(f);
            }
            for (row, asked) in part.iter().zip(asked) {
                let anchor = facts.entry(row.id).or_insert_with(|| self::facts(row)).clone();
                let take = |ids: &BTreeSet<RecordId>, most| -> Vec<Facts> {
                    ids.iter().filter_map(|id| facts.get(id)).take(most).cloned().collect()
                };
                let (linked, peers) = (take(&asked.linked, LINKED_MAX), take(&asked.peers, PEERS_MAX));
                let revoked = node.with_control(|c| {
                    let officers: BTreeSet<&str> = anchor.said().map(|e| e.officer()).collect();
                    officers.into_iter().filter_map(|o| Some((o.to_string(), c.revoked_ms(o)?))).collect()
                });
                let knew = self.knew(&anchor, &linked).await?;
                let (policy, watermarks) = (policy.clone(), watermarks.clone());
                let dossier = Dossier { anchor, linked, peers, watermarks, policy, revoked, knew };
                let before = before.remove(&row.id).unwrap_or_default();
                keep(row.id, &dossier, before, &mut batch, &mut publish);
            }
        }
        // First said, then kept: should the power fail in between, it is found said already.
        for (write, done) in publish.iter().zip(node.write_all(publish.clone()).await) {
            match done {
                Ok(_) => {}
                // These records are looked at once more; what was said of them is found said.
                Err(NodeError::Store(error)) if error.is_passing() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, target = ?write.target, "a finding could not be published");
                }
            }
        }
        if let Some(cursor) = cursor {
            batch.gone_seen = Some(cursor);
            let value = cursor.to_string();
            batch.local.push(LocalKey { scope: "reconcile".into(), key: "cursor".into(), value });
        }
        if batch.is_empty() { Ok(()) } else { self.store.commit(batch).await }
    }

    /// Of a hold's releases: which placements of linked holds their authors had taken in.
    async fn knew(&self, anchor: &Facts, linked: &[Facts]) -> Result<BTreeSet<(String, String)>, StoreError> {
        let mut out = BTreeSet::new();
        if !anchor.is_hold() {
            return Ok(out);
        }
        let placed: Vec<Reference> = linked
            .iter()
            .filter(|h| h.is_hold())
            .flat_map(|h| h.events("hold.placed"))
            .filter_map(|e| e.entry().parse().ok())
            .collect();
        let released: Vec<Reference> = anchor.events("released").filter_map(|e| e.entry().parse().ok()).collect();
        for decision in released.iter().filter(|_| !placed.is_empty()) {
            let index = seen_index(&*self.store, &decision.log).await?;
            for other in &placed {
                let covered = index.covered(decision.seq, &other.log) > other.seq;
                // What its own node said before, it knew.
                if covered || other.log.node == decision.log.node {
                    out.insert((decision.to_string(), other.to_string()));
                }
            }
        }
        Ok(out)
    }
}

/// What a log's author had taken in, out of the store.
pub(crate) async fn seen_index(store: &dyn Store, log: &LogId) -> Result<SeenIndex, StoreError> {
    let mut index = SeenIndex::default();
    let all = match store.seen(log).await {
        // One that is rotten holds up neither the rest nor its own mending.
        Err(StoreError::Damaged { .. }) => seen_that_read(store, log).await?,
        all => all?,
    };
    for entry in all {
        if let Some(Body::Seen(seen)) = entry.entry().map(|e| &e.body) {
            index.push(entry.reference().seq, &seen.heads);
        }
    }
    Ok(index)
}

/// The `Seen` entries of a log that still read, as they lie there.
async fn seen_that_read(store: &dyn Store, log: &LogId) -> Result<Vec<VerifiedEntry>, StoreError> {
    let (mut out, mut from) = (Vec::new(), 0);
    loop {
        let page = store.raw_entries(log, from, SEEN_PAGE).await?;
        let Some(last) = page.last().map(|raw| raw.seq) else { return Ok(out) };
        for raw in page {
            let Ok(leaf) = Hash::from_slice(&raw.leaf) else { continue };
            if let Ok(entry) = VerifiedEntry::recheck(Reference { log: *log, seq: raw.seq, leaf }, raw.bytes)
                && matches!(entry.entry().map(|e| &e.body), Some(Body::Seen(_)))
            {
                out.push(entry);
            }
        }
        let Some(next) = last.checked_add(1) else { return Ok(out) };
        from = next;
    }
}

/// A record as the rules see it.
pub(crate) fn facts(row: &RecordRow) -> Facts {
    let mut json: serde_json::Value = serde_json::from_str(&row.json).unwrap_or_default();
    json["born_ms"] = row.born_ms.into();
    Facts { id: row.id.to_string(), json: Arc::new(json) }
}

/// What the rules find on one anchor: rows that changed, those that are gone, and what has to be said of it.
fn keep(id: RecordId, dossier: &Dossier, before: Vec<FindingRow>, batch: &mut Batch, publish: &mut Vec<Write>) {
    let anchor = &dossier.anchor;
    let mut gone: BTreeMap<String, &FindingRow> = before.iter().map(|f| (f.id.clone(), f)).collect();
    for found in reconcile(dossier) {
        gone.remove(&found.id);
        let now = (found.phase.name().to_string(), found.evidence_digest.clone());
        if found.phase == Phase::Firm && found.life.published.as_ref() != Some(&now) {
            publish.extend(say(id, anchor, &found.id, found.rule.code, &now, &found.contradiction.text));
        }
        let row = finding_row(id, anchor, &found);
        if !before.contains(&row) {
            batch.findings.push(row);
        }
    }
    for (finding, row) in gone {
        let said = life(anchor, &finding, &row.evidence).published;
        if let Some((_, evidence)) = said.filter(|(phase, _)| phase != WITHDRAWN) {
            let now = (WITHDRAWN.to_string(), evidence);
            publish.extend(say(id, anchor, &finding, &row.rule, &now, "what has come since explains it"));
        }
        batch.findings_gone.push(finding);
    }
}

/// The phase of a finding that was published and that something explained since.
const WITHDRAWN: &str = "WITHDRAWN";

fn finding_row(anchor: RecordId, facts: &Facts, found: &Finding) -> FindingRow {
    FindingRow {
        id: found.id.clone(),
        rule: found.rule.code.into(),
        severity: found.rule.severity,
        phase: found.phase.name().into(),
        state: found.life.state.into(),
        crossing: facts.crossing().into(),
        assignee: found.life.assignee.clone(),
        anchor,
        evidence: found.evidence_digest.clone(),
        at_ms: found.contradiction.at_ms,
        due_ms: found.contradiction.through_ms,
        json: found.json(facts).to_string(),
    }
}

/// The hub's word on the anchor record, so that the site concerned sees it.
fn say(
    id: RecordId,
    anchor: &Facts,
    finding: &str,
    rule: &str,
    (phase, evidence): &(String, String),
    text: &str,
) -> Option<Write> {
    let kind: Kind = anchor.kind().parse().ok()?;
    let said = serde_json::json!({
        "finding": finding, "rule": rule, "phase": phase, "evidence": evidence,
        "text": text.chars().take(500).collect::<String>(),
    });
    Some(Write::by(SYSTEM_OFFICER, "HUB", Target::On(id), Draft::new(kind).event("finding", said)))
}

impl Node {
    /// The policy now in force.
    pub(crate) fn policy_now(&self) -> Policy {
        self.with_control(|c| c.policy(|_| u64::MAX).and_then(|(_, p)| Policy::read(&p.text).ok())).unwrap_or_default()
    }

    /// A record's kind by its lane's number.
    pub(crate) fn kind_of(row: &RecordRow) -> Option<Kind> {
        Lane::from_u8(row.lane).ok().and_then(Kind::of_lane)
    }
}
