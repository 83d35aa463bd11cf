//! Reconciling at the hub: it follows the records' changes, makes dossiers of what changed, and
//! keeps the findings.
//!
//! A task of its own beside the sequencer. How far it has come is committed with the findings, so
//! that a crash costs no record its look; a dossier is a pure function of the store, so looking
//! twice changes nothing. Dossiers of many records are read together, by a bounded number of
//! statements, and each is asked for once. It wakes when a record changed, when a crossing was
//! heard further, and by itself now and then: time passes, and makes findings firm, without anybody
//! writing anything.

use crate::{
    door::{Door, HandedIn, error::NodeError, event::Event, suspects::Suspect},
    hub::{
        claims::{self, WaitingClaims},
        dossiers::{Gathered, Parts},
        due,
        found::{self, DossierFindings},
        publishing::Unpublished,
        silent,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};
use tokio::sync::Notify;
use wadi_log::{Control, Lane, RecordId};
use wadi_reconcile::{AskedOnce, Dossier, Facts, RULE_FAILED, unheard_limit_ms};
use wadi_record::Kind;
use wadi_store::{
    Batch, FindingFilter, FindingRow, LocalKey, LocalScope, RecordRow, Store, StoreError,
};

/// The reconciler's name among the tasks.
pub(crate) const TASK: &str = "reconciler";
/// Changes looked at together.
const CHANGES: u32 = 256;
/// Anchors whose dossiers are read together, and kept with one commit.
const ANCHORS: usize = 256;

/// Pause after a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked whether a time has passed that something waits for.
const TICK: Duration = Duration::from_secs(5);
/// Once in so many rests it is looked who holds up what: a minute, where nothing happens.
const LOOK_FOR_SILENT: u32 = 12;
/// What a finding tells: by another number every record is looked at afresh. And where it is kept.
const FINDINGS_VERSION: &str = "9";
const VERSION: &str = "version";
/// Records with crowded dossiers that are remembered, to be counted.
const CROWDED_MAX: usize = 1_024;
/// The alarms, by what they are about.
const CROWDED: &str = "dossiers cut";
const FAILED: &str = "rules failed";

pub(crate) struct Reconciler {
    node: Weak<Door>,
    store: Arc<dyn Store>,
    wake: Arc<Notify>,
    /// Through which change it has looked.
    cursor: i64,
    /// Through which change what it found is durable.
    kept_cursor: i64,
    /// Through which change the terms of records are taken in; none once all are.
    terms_cursor: Option<i64>,
    /// What it found last, on its way to the disk while it looks further.
    pending: Option<Pending>,
    /// Through which times crossings were heard when it was last looked at what waits for them.
    heard: BTreeMap<String, i64>,
    unpublished: Unpublished,
    /// Records whose dossiers somebody seems to fill, by their printed ids.
    crowded: BTreeMap<RecordId, String>,
    /// How often it has come to rest.
    rests: u32,
    /// What authors claim to have seen, and this hub cannot tell yet.
    claims: WaitingClaims,
}

/// What was found on some anchors, and is not durable yet.
struct Pending {
    /// Whoever looks at one of these asks what was found on it before, and waits.
    anchors: HashSet<RecordId>,
    /// The cursor that is kept with it.
    cursor: Option<i64>,
    rows: HandedIn,
}

impl Reconciler {
    pub(crate) fn new(node: &Arc<Door>, wake: Arc<Notify>) -> Self {
        Self {
            node: Arc::downgrade(node),
            store: node.store.clone(),
            wake,
            cursor: 0,
            kept_cursor: 0,
            terms_cursor: Some(0),
            pending: None,
            heard: BTreeMap::new(),
            unpublished: Unpublished::default(),
            crowded: BTreeMap::new(),
            rests: 0,
            claims: WaitingClaims::default(),
        }
    }

    pub(crate) async fn run(mut self) {
        while let Err(error) = self.recall_cursor().await {
            tracing::error!(%error, "the reconciler cannot read how far it has come");
            tokio::time::sleep(PAUSE).await;
        }

        loop {
            let Some(node) = self.node.upgrade() else {
                return;
            };
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
                    let _ = tokio::time::timeout(TICK, self.wake.notified()).await;
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

    /// How far it had come, and what was left to say, when the node stopped.
    async fn recall_cursor(&mut self) -> Result<(), StoreError> {
        let scope = LocalScope::Reconcile;
        let version = self.store.local(&scope, VERSION).await?;
        let mut cursor = self.store.local(&scope, "cursor").await?;
        cursor = cursor.filter(|_| version.as_deref() == Some(FINDINGS_VERSION));
        self.cursor = cursor.and_then(|c| c.parse().ok()).unwrap_or(0);
        self.kept_cursor = self.cursor;
        self.claims = WaitingClaims::recall(&*self.store).await?;
        self.unpublished = Unpublished::read(&self.store.local_all(&Unpublished::scope()).await?);
        if let Some(node) = self.node.upgrade() {
            self.alarm_of_failures(&node).await?;
        }

        Ok(())
    }

    /// Looks at the next changes, or at findings whose time has come. Returns whether there was
    /// anything.
    async fn step(&mut self, node: &Arc<Door>) -> Result<bool, StoreError> {
        if node.recheck.load(Ordering::Relaxed) {
            self.land_pending(node).await?;
            node.recheck.store(false, Ordering::Relaxed);
            self.cursor = 0;
            self.kept_cursor = 0;
        }

        let is_reading = self.take_terms(node).await?;
        let changed = self.store.changed(self.cursor, CHANGES).await?;
        if let Some((cursor, _)) = changed.last().copied() {
            let ids: Vec<RecordId> = changed.into_iter().map(|(_, id)| id).collect();
            self.look_around(node, &ids, cursor).await?;
            self.cursor = cursor;
            return Ok(true);
        }

        self.land_pending(node).await?;

        let heard = self.heard_now(node);
        // What would be firm without a crossing that there was none of may have to wait for it now,
        // and the other way round. What was firm before stays so.
        let has_others = !self.heard.is_empty() && !self.heard.keys().eq(heard.keys());
        if has_others {
            node.recheck.store(true, Ordering::Relaxed);
        }

        if self.rests.is_multiple_of(LOOK_FOR_SILENT) {
            silent::alarm_of_silent_nodes(node, &heard).await?;
            silent::alarm_of_closed_crossings(node);
            silent::alarm_of_lost_policies(node);
            claims::alarm_of_claimed_control(node).await?;
        }
        self.rests = self.rests.wrapping_add(1);

        let mut due: BTreeSet<RecordId> = self.unpublished.due(node.now_ms()).into_iter().collect();
        due.extend(self.claims.due(node));
        due.extend(node.clock_doubts.due());
        for (after_ms, through_ms) in due::passed(&self.heard, &heard) {
            due.extend(self.store.findings_due(after_ms, through_ms).await?);
        }
        let limit_ms = unheard_limit_ms(&node.policy_now());
        if let Some((after_ms, through_ms)) = due::waited_out(&self.heard, &heard, limit_ms) {
            due.extend(self.store.findings_due(after_ms, through_ms).await?);
        }

        let due: Vec<RecordId> = due.into_iter().collect();
        self.look_at(node, &due, Gathered::default(), None).await?;
        self.land_pending(node).await?;
        self.heard = heard;

        Ok(is_reading || has_others || !due.is_empty())
    }

    /// Takes in the terms of the next records that were written before this start. Returns whether
    /// there are more.
    async fn take_terms(&mut self, node: &Door) -> Result<bool, StoreError> {
        let Some(cursor) = self.terms_cursor else {
            return Ok(false);
        };
        self.terms_cursor = match node.shared_terms.read_in(&*self.store, cursor).await {
            Ok(further) => further,
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => {
                // It only saves questions: without it all of them are asked.
                tracing::warn!(%error, "the terms held do not read; each is asked for");
                None
            }
        };

        Ok(self.terms_cursor.is_some())
    }

    /// Through which time each crossing is heard by now. The hub has all of its own words at any
    /// time.
    fn heard_now(&self, node: &Door) -> BTreeMap<String, i64> {
        let mut heard = node.view().watermarks.as_ref().clone();
        #[cfg(test)]
        heard.extend(
            node.heard_in_tests
                .lock()
                .expect("no panic holds it")
                .clone(),
        );
        let hub = heard.entry("HUB".into()).or_insert(i64::MIN);
        *hub = node.time().now_ms().max(*hub);
        heard
    }

    /// Looks at these records and at all whose dossiers they belong to.
    async fn look_around(
        &mut self,
        node: &Arc<Door>,
        ids: &[RecordId],
        cursor: i64,
    ) -> Result<(), StoreError> {
        let mut gathered = Gathered::default();
        let gone = self.store.terms_gone_of(ids).await?;
        gathered.ask_for(node, ids, gone).await?;
        let anchors: Vec<RecordId> = gathered.anchors().into_iter().collect();

        self.look_at(node, &anchors, gathered, Some(cursor)).await
    }

    /// Makes the dossiers of these anchors and keeps what the rules find, and in the end the cursor
    /// with it.
    async fn look_at(
        &mut self,
        node: &Arc<Door>,
        anchors: &[RecordId],
        mut gathered: Gathered,
        cursor: Option<i64>,
    ) -> Result<(), StoreError> {
        let mut failures = false;
        let mut parts = anchors.chunks(ANCHORS).peekable();
        let mut is_kept = cursor.is_none();

        while let Some(part) = parts.next() {
            let unasked: Vec<RecordId> = part
                .iter()
                .filter(|id| !gathered.has(id))
                .copied()
                .collect();

            gathered.ask_for(node, &unasked, Vec::new()).await?;
            let is_pending = |p: &Pending| part.iter().any(|id| p.anchors.contains(id));
            if self.pending.as_ref().is_some_and(is_pending) {
                self.land_pending(node).await?;
            }

            let mut looked = self.judge_anchors(node, part, &gathered).await?;
            self.publish_findings(node, &mut looked).await?;
            failures |= looked.failures;

            // Only the last part has all that was changed behind it.
            let cursor = cursor.filter(|_| parts.peek().is_none());
            is_kept |= cursor.is_some();
            self.keep_findings(node, looked.batch, part, cursor).await?;
        }

        if let Some(cursor) = cursor.filter(|_| !is_kept) {
            let batch = Batch {
                at_ms: node.now_ms(),
                ..Batch::default()
            };
            self.keep_findings(node, batch, &[], Some(cursor)).await?;
        }

        if failures {
            self.land_pending(node).await?;
            self.alarm_of_failures(node).await?;
        }

        Ok(())
    }

    /// Hands what was found to the sequencer once what was found before it is durable, and looks
    /// further meanwhile.
    async fn keep_findings(
        &mut self,
        node: &Arc<Door>,
        mut batch: Batch,
        anchors: &[RecordId],
        cursor: Option<i64>,
    ) -> Result<(), StoreError> {
        self.land_pending(node).await?;
        if let Some(cursor) = cursor {
            keep_cursor(&mut batch, cursor);
        }

        self.pending = Some(Pending {
            anchors: anchors.iter().copied().collect(),
            cursor,
            rows: node.hand_in(batch).await,
        });
        Ok(())
    }

    /// Waits until what was found last is durable. Where it failed, the changes since the last
    /// cursor that was kept are looked at once more.
    async fn land_pending(&mut self, node: &Door) -> Result<(), StoreError> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        if let Err(error) = pending.rows.durable().await {
            self.cursor = self.kept_cursor;
            return Err(error);
        }

        if let Some(cursor) = pending.cursor {
            self.kept_cursor = cursor;
            node.reconciled.send_replace(cursor);
        }
        Ok(())
    }

    /// What the rules find on these anchors.
    async fn judge_anchors(
        &mut self,
        node: &Arc<Door>,
        anchors: &[RecordId],
        gathered: &Gathered,
    ) -> Result<DossierFindings, StoreError> {
        let policy = node.policy_now();
        let watermarks = self.heard_now(node);
        let mut looked = DossierFindings {
            batch: Batch {
                at_ms: node.now_ms(),
                ..Batch::default()
            },
            ..DossierFindings::default()
        };

        let mut before: HashMap<RecordId, Vec<FindingRow>> = HashMap::new();
        for f in self.store.findings_of(anchors).await? {
            before.entry(f.anchor).or_default().push(f);
        }

        for id in anchors {
            // A look at this record once ended the reconciler: its findings stand as they are, and
            // the alarm names it.
            if node.suspects.has_record(id) {
                continue;
            }

            node.tasks.at(
                TASK,
                vec![Suspect::Record {
                    record: id.to_string(),
                }],
            );

            let Some(anchor) = gathered.facts_of(id).cloned() else {
                looked
                    .batch
                    .local
                    .keys_gone
                    .extend(self.unpublished.forget(*id));
                continue;
            };
            let Parts {
                linked,
                peers,
                cut,
                crowded,
            } = gathered.parts(id);

            self.note_crowded(node, *id, &anchor, crowded);
            let officers: BTreeSet<&str> = anchor.said().map(|e| e.officer()).collect();
            let (revoked, keys_taken_back) = node.with_control(|c| ended(c, officers.into_iter()));

            let before = before.remove(id).unwrap_or_default();
            let known = claims::known(node, *id, &anchor, &linked, &mut self.claims).await?;
            let dossier = Dossier {
                anchor,
                linked,
                peers,
                watermarks: watermarks.clone(),
                policy: policy.clone(),
                revoked,
                keys_taken_back,
                knew: known.knew,
                claims: known.claims,
                clock_doubts: node.clock_doubts.of_record(id, |n| node.name_of(n)),
                cut,
                asked: AskedOnce::default(),
            };

            found::compare_with_before(*id, &dossier, before, node, &mut looked);
        }

        node.tasks.at(TASK, Vec::new());
        Ok(looked)
    }

    /// First said, then kept: should the power fail in between, it is found said already.
    async fn publish_findings(
        &mut self,
        node: &Arc<Door>,
        looked: &mut DossierFindings,
    ) -> Result<(), StoreError> {
        let writes: Vec<_> = looked
            .editions
            .iter()
            .flat_map(|e| e.writes.iter().cloned())
            .collect();

        let mut answers = node.write_all(writes).await.into_iter();
        for edition in &looked.editions {
            let mut failed = false;
            for done in answers.by_ref().take(edition.writes.len()) {
                match done {
                    Ok(_) => {}
                    // These records are looked at once more; what was said of them is found said.
                    Err(NodeError::Store(error)) if error.is_passing() => return Err(error),
                    Err(error) => {
                        failed = true;
                        let record = edition.record;
                        tracing::warn!(
                            %error,
                            %record,
                            "a finding could not be published; it is tried again",
                        );
                    }
                }
            }

            match edition.note_left(node, &mut self.unpublished, failed) {
                Some(Ok(key)) => looked.batch.local.keys.push(key),
                Some(Err(gone)) => looked.batch.local.keys_gone.push(gone),
                None => {}
            }
        }

        Ok(())
    }

    /// Somebody fills the dossier of a record, or no longer does.
    fn note_crowded(&mut self, node: &Door, id: RecordId, anchor: &Facts, crowded: bool) {
        let known = self.crowded.contains_key(&id);
        if known == crowded || crowded && self.crowded.len() >= CROWDED_MAX {
            return;
        }

        match crowded {
            true => drop(self.crowded.insert(id, anchor.printed().to_string())),
            false => drop(self.crowded.remove(&id)),
        }

        let alarm = self.crowded.values().next().map(|first| {
            let count = self.crowded.len();
            format!(
                "more records than anybody honest makes belong to {count} records, {first} among \
                 them; of those the rules saw only the nearest, and all their open holds",
            )
        });

        node.set_alarm(CROWDED, alarm);
    }

    /// Says, or stops saying, that rules failed on records.
    async fn alarm_of_failures(&self, node: &Door) -> Result<(), StoreError> {
        let rule = Some(RULE_FAILED.code.to_string());
        let filter = FindingFilter {
            rule,
            limit: 1,
            ..FindingFilter::default()
        };

        let count: i64 = self
            .store
            .finding_counts(&filter)
            .await?
            .iter()
            .map(|(_, _, _, n)| *n)
            .sum();

        let first = self.store.findings(&filter).await?;
        let alarm = first.first().map(|f| {
            let record = f.anchor;
            format!(
                "rules failed on records {count} times, on {record} among them: see the findings \
                 of rule {}",
                f.rule,
            )
        });

        node.set_alarm(FAILED, alarm);
        Ok(())
    }
}

/// When these officers were revoked, and the keys of theirs that were taken back, by the keys'
/// fingerprints; Unix milliseconds by the hub's clock.
fn ended<'a>(
    control: &Control,
    officers: impl Iterator<Item = &'a str>,
) -> (BTreeMap<String, i64>, BTreeMap<String, i64>) {
    let (mut revoked, mut keys) = (BTreeMap::new(), BTreeMap::new());
    for officer in officers {
        revoked.extend(control.revoked_ms(officer).map(|ms| (officer.into(), ms)));
        let taken_back = control.keys_taken_back(officer).into_iter();
        keys.extend(taken_back.map(|(key, ms)| (key.fingerprint(), ms)));
    }

    (revoked, keys)
}

/// How far the changes were looked at. Terms that went before are asked for no more.
fn keep_cursor(batch: &mut Batch, cursor: i64) {
    batch.project.gone_seen = Some(cursor);
    let kept = [
        (VERSION, FINDINGS_VERSION.into()),
        ("cursor", cursor.to_string()),
    ];
    batch.local.keys.extend(kept.map(|(key, value)| LocalKey {
        scope: LocalScope::Reconcile,
        key: key.into(),
        value,
    }));
}

/// A record as the rules see it.
pub(crate) fn facts(row: &RecordRow) -> Facts {
    let kind = Lane::from_u8(row.lane)
        .ok()
        .and_then(Kind::of_lane)
        .map_or("", Kind::name);

    Facts::read(
        row.id.to_string(),
        &row.printed,
        kind,
        &row.crossing,
        &row.json,
        row.born_ms,
    )
}
