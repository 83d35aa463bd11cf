//! Takes back what a database that was set aside still tells: what nobody else ever had comes back
//! this way, and peers bring the rest.
//!
//! Its blocks come in as a peer's do, proven by their roots and their authors' signatures. A head
//! of an own log that the anchor or a boot vouches for is signed anew where its checkpoint is gone:
//! the same head a second time is no fork. Where an entry is missing, those after it wait until a
//! peer has brought it. All of that is a key of this node, from which status tells it, until
//! everything is held again; a start before that reads the old database once more.

use crate::door::{
    Door,
    command::{BlockOutcome, Command},
    error::NodeError,
    losses::{Report, SCOPE, lacks},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use wadi_log::{
    Body, Checkpoint, Epoch, ForkProof, Lane, LogId, Peaks, RecordId, Reference, Role,
    SignedCheckpoint, Tip,
};
use wadi_store::{AnchorState, Found, LocalKey, LocalScope, Salvage, SetAside, StoreError};

/// An old database up to that size is read at once, before the node answers; of a larger one only
/// what is urgent.
const AT_ONCE_BYTES: u64 = 512 * 1024 * 1024;
/// Entries of a part of a larger one, at most: about 100 bytes of memory each.
const PART_ENTRIES: u64 = 500_000;
/// Blocks read ahead of the sequencer.
const BLOCKS_AHEAD: usize = 16;
/// Blocks at the sequencer at once, to share commits.
const IN_FLIGHT: usize = 64;
/// Keys looked at together.
const KEYS_AT_ONCE: usize = 256;
/// How often it is looked whether what was missing has come.
const LOOK: Duration = Duration::from_secs(2);

/// An old database on its way back.
struct Reading {
    name: String,
    path: PathBuf,
    report: Report,
    kept: Report,
    salvage: Option<Arc<Salvage>>,
    /// What was found of this node's own logs.
    own: Arc<Found>,
    /// Logs that are read later, part by part.
    rest: Vec<BTreeSet<LogId>>,
    grown: BTreeSet<LogId>,
    /// Whether keys were left out because what they stand for is not held.
    keys_wait: bool,
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NodeError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| NodeError::Stopping)
}

/// The entry that a sender's key stands for.
fn entry_of(value: &str) -> Option<Reference> {
    let mut parts = value.split(' ');
    parts.next()?.parse::<RecordId>().ok()?;
    parts.next()?.parse().ok()
}

/// Takes back what databases that were set aside still tell.
pub struct Salvager {
    door: Arc<Door>,
}

impl Salvager {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        Self { door }
    }

    /// Takes back what databases that were set aside still tell, before anybody writes: the first
    /// write names where this node's last epoch ended. Of a large one the bulk follows in the
    /// background.
    pub async fn take_back(self: &Arc<Self>, old: Vec<SetAside>) {
        let mut readings = Vec::new();
        for aside in old {
            let mut reading = match self.begin(&aside).await {
                Ok(Some(reading)) => reading,
                Ok(None) => continue,
                Err(error) => {
                    tracing::error!(%error, dir = %aside.dir.display(), "a database that was set aside is not read");
                    continue;
                }
            };

            match self.read_back(&mut reading).await {
                Ok(()) => {
                    tracing::warn!(report = ?reading.report, "read back from a database that was set aside")
                }
                Err(error) => {
                    tracing::error!(%error, dir = %aside.dir.display(), "a database that was set aside does not read");
                }
            }

            readings.push(reading);
        }

        if !readings.is_empty() {
            tokio::spawn(follow(Arc::downgrade(self), readings));
        }
    }

    async fn begin(&self, aside: &SetAside) -> Result<Option<Reading>, NodeError> {
        let known = self.door.store.local(&SCOPE, &aside.name).await?;
        let dir = aside.dir.display().to_string();
        let report: Report = known
            .as_deref()
            .and_then(|k| serde_json::from_str(k).ok())
            .unwrap_or_default();
        if report.healed {
            return Ok(None);
        }

        if known.is_none() {
            let why = format!("{}; it was set aside, and a new one was begun", aside.why);
            self.door
                .note_refusal(dir.clone(), "database_set_aside".into(), why, String::new())
                .await;
        }

        let report = Report {
            dir,
            why: aside.why.clone(),
            ..report
        };

        Ok(Some(Reading {
            name: aside.name.clone(),
            path: aside.database(),
            report,
            kept: Report::default(),
            salvage: None,
            own: Arc::default(),
            rest: Vec::new(),
            grown: BTreeSet::new(),
            keys_wait: false,
        }))
    }

    /// Reads an old database: all of a small one, the urgent part of a large one.
    async fn read_back(&self, r: &mut Reading) -> Result<(), NodeError> {
        self.keep(r).await?;
        let path = r.path.clone();
        let opened = blocking(move || Salvage::open(&path)).await?;
        let failed = |e: std::io::Error| StoreError::Open {
            path: r.path.display().to_string(),
            why: e.to_string(),
        };
        let salvage = Arc::new(opened.map_err(failed)?);

        r.salvage = Some(salvage.clone());
        let of = salvage.clone();
        let sizes = blocking(move || of.survey()).await?;
        let (first, rest) = self.parts(salvage.bytes(), sizes);

        (r.report.parts, r.report.parts_read) = (rest.len() + 1, 0);
        r.rest = rest;
        self.keep(r).await?;

        let (of, me) = (salvage.clone(), self.door.id());
        let found =
            blocking(move || of.scan(&|log: &LogId| log.node == me || first.contains(log))).await?;
        (r.report.pages, r.report.unreadable_pages) = (found.pages, found.unreadable_pages);

        let mut found = self.take(r, &salvage, found).await?;
        if let Some(found) = Arc::get_mut(&mut found) {
            found.logs.retain(|log, _| log.node == me);
        }

        r.own = found;
        self.take_keys(r, &salvage).await?;
        r.report.parts_read = 1;
        self.measure(r).await?;

        self.keep(r).await
    }

    /// Which logs are read first, and those of each later part.
    fn parts(
        &self,
        bytes: u64,
        sizes: BTreeMap<LogId, u64>,
    ) -> (BTreeSet<LogId>, Vec<BTreeSet<LogId>>) {
        let urgent = |log: &LogId| {
            bytes <= AT_ONCE_BYTES || log.node == self.door.id() || log.lane <= Lane::Hold
        };
        let (mut first, mut rest, mut part, mut entries) =
            (BTreeSet::new(), Vec::new(), BTreeSet::new(), 0);

        for (log, size) in sizes {
            if urgent(&log) {
                first.insert(log);
                continue;
            }

            if entries + size > PART_ENTRIES && !part.is_empty() {
                rest.push(std::mem::take(&mut part));
                entries = 0;
            }

            part.insert(log);
            entries += size;
        }

        if !part.is_empty() {
            rest.push(part);
        }

        (first, rest)
    }

    /// Takes what was found: members first, then the logs, then what was said about them.
    async fn take(
        &self,
        r: &mut Reading,
        salvage: &Arc<Salvage>,
        found: Found,
    ) -> Result<Arc<Found>, NodeError> {
        let signed = found
            .enrolments
            .values()
            .flatten()
            .filter(|e| e.verify(&self.door.keys.root).is_ok());

        let enrolments: Vec<_> = signed.cloned().collect();
        r.report.enrolments = enrolments.len() as u64;
        self.door
            .put(Command::Learn(enrolments, self.door.id()))
            .await;

        // Nothing to write: an answer says that what was put before it is done.
        self.door.set_local(vec![], vec![]).await?;
        let mut found = Arc::new(found);
        r.report.entries += self.place(salvage, &mut found, &mut r.grown).await?;
        r.report.logs = r.grown.len();

        for all in found.cosignatures.values() {
            if let Some(c) = all.iter().find(|c| self.door.is_signed(c)) {
                r.report.cosignatures += 1;
                self.door
                    .put(Command::Cosigned(
                        Box::new(c.checkpoint.clone()),
                        c.cosignature,
                    ))
                    .await;
            }
        }

        // A hub answers a fork that it learns of with a cut at what it holds, which may be nothing
        // yet: it hears of forks from its own cuts, which are back by now, and from peers.
        if self.door.me.role != Role::Hub {
            let proven = |p: &&ForkProof| {
                self.door.with_control(|c| {
                    c.enrolment(&p.log().node)
                        .is_some_and(|author| p.verify(author).is_ok())
                })
            };

            let proofs: Vec<ForkProof> = found
                .forks
                .values()
                .flatten()
                .filter(proven)
                .cloned()
                .collect();

            self.door.put(Command::Forks(proofs, self.door.id())).await;
        }

        Ok(found)
    }

    /// Puts entries into their places, on top of what is held, until no more of them find one.
    /// Returns how many did.
    async fn place(
        &self,
        salvage: &Arc<Salvage>,
        found: &mut Arc<Found>,
        grown: &mut BTreeSet<LogId>,
    ) -> Result<u64, NodeError> {
        let mut all = 0;
        loop {
            let vouched = self.vouched().await?;
            if let Some(found) = Arc::get_mut(found) {
                self.sign_anew(found, &vouched);
            }

            let rows = self.door.store.logs().await?;
            let held: BTreeMap<LogId, Peaks> =
                rows.into_iter().map(|row| (row.log, row.peaks)).collect();
            let mut logs: Vec<LogId> = found.logs.keys().copied().collect();

            logs.sort_by_key(|log| (log.lane, log.node != self.door.id(), *log));
            let mut taken = 0;
            for log in logs {
                let peaks = held.get(&log).cloned().unwrap_or_default();
                let goes_on = found
                    .logs
                    .get(&log)
                    .is_some_and(|of| of.entries.contains_key(&peaks.size()));
                if !goes_on || !(self.door.me.scope.takes_log(&log) || log.node == self.door.id()) {
                    continue;
                }

                let Some(author) = self
                    .door
                    .with_control(|c| c.enrolment(&log.node).map(|e| e.log_key))
                else {
                    continue;
                };
                let count = self
                    .place_log(salvage.clone(), Arc::clone(found), log, peaks, author)
                    .await?;

                if count > 0 {
                    grown.insert(log);
                    taken += count;
                }
            }

            if taken == 0 {
                return Ok(all);
            }

            all += taken;
        }
    }

    async fn place_log(
        &self,
        salvage: Arc<Salvage>,
        found: Arc<Found>,
        log: LogId,
        held: Peaks,
        author: [u8; 32],
    ) -> Result<u64, NodeError> {
        let (send, mut blocks) = mpsc::channel(BLOCKS_AHEAD);
        let reader = tokio::task::spawn_blocking(move || {
            let proven = |c: &SignedCheckpoint| c.verify(&author).is_ok();
            for block in found.blocks(&salvage, &log, &held, proven) {
                if send.blocking_send(block).is_err() {
                    return;
                }
            }
        });

        let (mut taken, mut refused) = (0, false);
        let mut answers: VecDeque<(u64, oneshot::Receiver<BlockOutcome>)> = VecDeque::new();
        loop {
            let block = if refused { None } else { blocks.recv().await };
            let more = block.is_some();
            if let Some(block) = block {
                let count = block.entries.len() as u64;
                answers.push_back((count, self.door.ingest(block, self.door.id()).await));
            }

            while answers.len() > IN_FLIGHT || !more && !answers.is_empty() {
                let Some((count, answer)) = answers.pop_front() else {
                    break;
                };
                match answer.await.map_err(|_| NodeError::Stopping)? {
                    BlockOutcome::Durable { .. } => taken += count,
                    BlockOutcome::Refused { code, .. } => {
                        tracing::warn!(log = %log, code, "a block of a database that was set aside is refused");
                        refused = true;
                    }
                }
            }

            if !more {
                break;
            }
        }

        drop(blocks);
        let _ = reader.await;
        Ok(taken)
    }

    /// Heads that this node has signed, whether or not a checkpoint is left of them: those of the
    /// anchor, and those that its boots name.
    async fn vouched(&self) -> Result<Vec<(LogId, Tip)>, NodeError> {
        let mut out = match self.door.store.anchor_state() {
            AnchorState::LostTail { heads, .. } => heads.clone(),
            _ => Vec::new(),
        };

        for row in self.door.store.logs().await? {
            if row.log.node != self.door.id() || row.log.lane != Lane::Control {
                continue;
            }

            let first = self
                .door
                .store
                .entries(&row.log, 0, 1)
                .await
                .unwrap_or_default();
            if let Some(Body::Boot(boot)) =
                first.first().and_then(|e| e.entry.entry()).map(|e| &e.body)
            {
                out.extend(boot.previous.iter().map(|h| {
                    (
                        h.log,
                        Tip {
                            size: h.size,
                            root: h.root,
                        },
                    )
                }));
            }
        }

        out.retain(|(log, _)| log.node == self.door.id());
        Ok(out)
    }

    fn sign_anew(&self, found: &mut Found, vouched: &[(LogId, Tip)]) {
        for (log, tip) in vouched {
            let Some(of) = found.logs.get_mut(log) else {
                continue;
            };
            let all = of.checkpoints.entry(tip.size).or_default();
            let is_it = |c: &SignedCheckpoint| {
                c.checkpoint.root == tip.root && c.verify(&self.door.me.log_key).is_ok()
            };

            if !all.iter().any(is_it) {
                let head = Checkpoint {
                    log: *log,
                    size: tip.size,
                    root: tip.root,
                    hub_time_s: 0,
                    logs: Vec::new(),
                };

                all.push(self.door.keys.log_key.sign(head));
            }
        }
    }

    /// What is still missing of this node's own logs, and how much of what was found waits for it.
    async fn measure(&self, r: &mut Reading) -> Result<(), NodeError> {
        let mut ends: BTreeMap<LogId, u64> = BTreeMap::new();
        for (log, tip) in self.vouched().await? {
            let end = ends.entry(log).or_insert(0);
            *end = (*end).max(tip.size);
        }

        for (log, of) in r
            .own
            .logs
            .iter()
            .filter(|(log, _)| log.node == self.door.id())
        {
            let signed = |all: &[SignedCheckpoint]| {
                all.iter().any(|c| c.verify(&self.door.me.log_key).is_ok())
            };
            let last = of
                .checkpoints
                .iter()
                .rev()
                .find(|(_, all)| signed(all))
                .map_or(0, |(size, _)| *size);

            let end = ends.entry(*log).or_insert(0);
            *end = (*end).max(last);
        }

        let frontier = self.door.frontier();
        (r.report.missing, r.report.left) = (0, 0);
        for (log, end) in ends {
            let held = frontier.0.get(&log).map_or(0, |tip| tip.size);
            if held < end {
                r.report.missing += end - held;
                let found = r
                    .own
                    .logs
                    .get(&log)
                    .map_or(0, |of| of.entries.range(held..end).count());

                r.report.left += found as u64;
            }
        }

        r.report.logs = r.grown.len();
        Ok(())
    }

    /// Takes back the keys that have a meaning on this node alone: tokens that were not revoked,
    /// how far devices have counted, and senders' keys whose entries are held. What was said since
    /// then stands.
    async fn take_keys(&self, r: &mut Reading, salvage: &Arc<Salvage>) -> Result<(), NodeError> {
        let (send, mut chunks) = mpsc::channel::<Vec<LocalKey>>(4);
        let of = salvage.clone();
        let reader = tokio::task::spawn_blocking(move || {
            let mut chunk = Vec::new();
            of.local_keys(|key| {
                chunk.push(key);
                if chunk.len() == KEYS_AT_ONCE {
                    let _ = send.blocking_send(std::mem::take(&mut chunk));
                }
            });

            let _ = send.blocking_send(chunk);
        });

        let (mut tokens, mut revoked) = (Vec::new(), BTreeSet::new());
        while let Some(chunk) = chunks.recv().await {
            let mut keys = Vec::new();
            for key in chunk {
                let wanted = match &key.scope {
                    LocalScope::Token => {
                        tokens.push(key.clone());
                        false
                    }
                    LocalScope::TokenRevoked => {
                        revoked.insert(key.key.clone());
                        true
                    }
                    LocalScope::Device | LocalScope::DeviceSession => self.is_further(&key).await?,
                    LocalScope::Epoch => self.is_own_epoch(&key).await?,
                    LocalScope::Import
                    | LocalScope::ImportOp
                    | LocalScope::DeviceNumber
                    | LocalScope::Idempotency(_) => self.stands(&key, &mut r.keys_wait).await?,
                    LocalScope::Anchor
                    | LocalScope::Bundle
                    | LocalScope::ExcerptLost
                    | LocalScope::Excerpts
                    | LocalScope::Hub
                    | LocalScope::Projection
                    | LocalScope::Reconcile
                    | LocalScope::Replica
                    | LocalScope::SetAside
                    | LocalScope::Unpublished => false,
                };

                if wanted {
                    keys.push(key);
                }
            }

            r.report.local += keys.len() as u64;
            if !keys.is_empty() {
                self.door.set_local(keys, vec![]).await?;
            }
        }

        let _ = reader.await;
        let mut keys = Vec::new();
        for token in tokens {
            let value = serde_json::from_str::<serde_json::Value>(&token.value);
            let reads = token.key.len() == 64 && value.is_ok_and(|v| v.is_object());
            let known = self
                .door
                .store
                .local(&LocalScope::Token, &token.key)
                .await?
                .is_some()
                || self
                    .door
                    .store
                    .local(&LocalScope::TokenRevoked, &token.key)
                    .await?
                    .is_some();

            if reads && !known && !revoked.contains(&token.key) {
                keys.push(token);
            }
        }

        r.report.local += keys.len() as u64;
        self.door.set_local(keys, vec![]).await
    }

    async fn is_further(&self, key: &LocalKey) -> Result<bool, NodeError> {
        let Ok(seq) = key.value.parse::<u64>() else {
            return Ok(false);
        };
        let known = self.door.store.local(&key.scope, &key.key).await?;

        Ok(known
            .and_then(|k| k.parse().ok())
            .is_none_or(|known: u64| known < seq))
    }

    async fn is_own_epoch(&self, key: &LocalKey) -> Result<bool, NodeError> {
        let own = key.key == self.door.id().to_string() && key.value.parse::<Epoch>().is_ok();
        Ok(own && self.door.store.local(&key.scope, &key.key).await?.is_none())
    }

    /// Whether the entry that a sender's key stands for is held, and nothing was written under that
    /// key since.
    async fn stands(&self, key: &LocalKey, waits: &mut bool) -> Result<bool, NodeError> {
        let Some(entry) = entry_of(&key.value) else {
            return Ok(false);
        };
        if self.door.store.local(&key.scope, &key.key).await?.is_some() {
            return Ok(false);
        }

        let held = self
            .door
            .store
            .entry(&entry)
            .await
            .is_ok_and(|e| e.is_some());
        *waits |= !held;
        Ok(held)
    }

    async fn keep(&self, r: &mut Reading) -> Result<(), NodeError> {
        if r.kept != r.report {
            let value = serde_json::to_string(&r.report).unwrap_or_default();
            let key = LocalKey {
                scope: SCOPE,
                key: r.name.clone(),
                value,
            };

            self.door.set_local(vec![key], vec![]).await?;
            r.kept = r.report.clone();
        }

        Ok(())
    }

    async fn read_part(&self, r: &mut Reading, part: BTreeSet<LogId>) -> Result<(), NodeError> {
        let Some(salvage) = r.salvage.clone() else {
            return Ok(());
        };
        let of = salvage.clone();
        let found = blocking(move || of.scan(&|log: &LogId| part.contains(log))).await?;

        self.take(r, &salvage, found).await?;
        r.report.parts_read += 1;
        self.keep(r).await
    }

    /// Looks whether what was missing has come, and whether by now everything is held again.
    async fn go_on(&self, r: &mut Reading) -> Result<(), NodeError> {
        let Some(salvage) = r.salvage.clone() else {
            return Ok(());
        };
        if r.report.left > 0 {
            r.report.entries += self.place(&salvage, &mut r.own, &mut r.grown).await?;
        }

        self.measure(r).await?;
        let anchored = match self.door.store.anchor_state() {
            AnchorState::LostTail { heads, .. } => !lacks(heads, &self.door.frontier()),
            _ => true,
        };

        if r.report.missing == 0
            && r.report.parts_read == r.report.parts
            && anchored
            && self.door.compared()
        {
            if std::mem::take(&mut r.keys_wait) {
                self.take_keys(r, &salvage).await?;
            }

            r.report.healed = true;
            tracing::info!(
                dir = r.report.dir,
                "everything that the database held that was set aside is held again"
            );
        }

        self.keep(r).await
    }
}

/// Reads what is left of old databases, and goes on until everything is held again.
async fn follow(salvager: Weak<Salvager>, mut readings: Vec<Reading>) {
    for r in &mut readings {
        while let Some(part) = r.rest.pop() {
            let Some(salvager) = salvager.upgrade() else {
                return;
            };
            match salvager.read_part(r, part).await {
                Err(NodeError::Stopping) => return,
                Err(error) => {
                    tracing::error!(%error, "a part of a database that was set aside does not read")
                }
                Ok(()) => {}
            }
        }
    }

    while !readings.is_empty() {
        tokio::time::sleep(LOOK).await;
        let Some(salvager) = salvager.upgrade() else {
            return;
        };
        for r in &mut readings {
            match salvager.go_on(r).await {
                Err(NodeError::Stopping) => return,
                Err(error) => {
                    tracing::warn!(%error, "what a database held that was set aside could not be looked at")
                }
                Ok(()) => {}
            }
        }

        readings.retain(|r| !r.report.healed);
    }
}
