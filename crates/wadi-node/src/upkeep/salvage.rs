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
    command::Command,
    error::NodeError,
    losses::{Report, SCOPE, lacks},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Weak},
    time::Duration,
};
use wadi_log::{ForkProof, Lane, LogId, Role, SignedCheckpoint};
use wadi_store::{AnchorState, Found, LocalKey, Salvage, SetAside, StoreError};

/// An old database up to that size is read at once, before the node answers; of a larger one only
/// what is urgent.
const AT_ONCE_BYTES: u64 = 512 * 1024 * 1024;
/// Entries of a part of a larger one, at most: about 100 bytes of memory each.
const PART_ENTRIES: u64 = 500_000;

/// How often it is looked whether what was missing has come.
const LOOK: Duration = Duration::from_secs(2);

/// An old database on its way back.
pub(super) struct OldDatabase {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) report: Report,
    pub(super) kept: Report,
    pub(super) salvage: Option<Arc<Salvage>>,
    /// What was found of this node's own logs.
    pub(super) own: Arc<Found>,
    /// Logs that are read later, part by part.
    pub(super) rest: Vec<BTreeSet<LogId>>,
    pub(super) grown: BTreeSet<LogId>,
    /// Whether keys were left out because what they stand for is not held.
    pub(super) keys_wait: bool,
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NodeError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| NodeError::Stopping)
}

/// Takes back what databases that were set aside still tell.
pub struct Salvager {
    pub(super) door: Arc<Door>,
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
                    tracing::error!(
                        %error,
                        dir = %aside.dir.display(),
                        "a database that was set aside is not read",
                    );
                    continue;
                }
            };

            match self.read_back(&mut reading).await {
                Ok(()) => {
                    tracing::warn!(
                        report = ?reading.report,
                        "read back from a database that was set aside",
                    )
                }
                Err(error) => {
                    tracing::error!(
                        %error,
                        dir = %aside.dir.display(),
                        "a database that was set aside does not read",
                    );
                }
            }

            readings.push(reading);
        }

        if !readings.is_empty() {
            tokio::spawn(follow_databases(Arc::downgrade(self), readings));
        }
    }

    async fn begin(&self, aside: &SetAside) -> Result<Option<OldDatabase>, NodeError> {
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

        Ok(Some(OldDatabase {
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
    async fn read_back(&self, r: &mut OldDatabase) -> Result<(), NodeError> {
        self.keep_report(r).await?;
        let (path, store) = (r.path.clone(), self.door.store.clone());
        let opened = blocking(move || store.old_database(&path)).await?;
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
        self.keep_report(r).await?;

        let (of, me) = (salvage.clone(), self.door.id());
        let found =
            blocking(move || of.scan(&|log: &LogId| log.node == me || first.contains(log))).await?;
        (r.report.pages, r.report.unreadable_pages) = (found.pages, found.unreadable_pages);

        let mut found = self.take_found(r, &salvage, found).await?;
        if let Some(found) = Arc::get_mut(&mut found) {
            found.logs.retain(|log, _| log.node == me);
        }

        r.own = found;
        self.take_keys(r, &salvage).await?;
        r.report.parts_read = 1;
        self.measure_left(r).await?;

        self.keep_report(r).await
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
    async fn take_found(
        &self,
        r: &mut OldDatabase,
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

    /// What is still missing of this node's own logs, and how much of what was found waits for it.
    async fn measure_left(&self, r: &mut OldDatabase) -> Result<(), NodeError> {
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

    async fn keep_report(&self, r: &mut OldDatabase) -> Result<(), NodeError> {
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

    async fn read_part(&self, r: &mut OldDatabase, part: BTreeSet<LogId>) -> Result<(), NodeError> {
        let Some(salvage) = r.salvage.clone() else {
            return Ok(());
        };
        let of = salvage.clone();
        let found = blocking(move || of.scan(&|log: &LogId| part.contains(log))).await?;

        self.take_found(r, &salvage, found).await?;
        r.report.parts_read += 1;
        self.keep_report(r).await
    }

    /// Looks whether what was missing has come, and whether by now everything is held again.
    async fn go_on(&self, r: &mut OldDatabase) -> Result<(), NodeError> {
        let Some(salvage) = r.salvage.clone() else {
            return Ok(());
        };
        if r.report.left > 0 {
            r.report.entries += self.place(&salvage, &mut r.own, &mut r.grown).await?;
        }

        self.measure_left(r).await?;
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

        self.keep_report(r).await
    }
}

/// Reads what is left of old databases, and goes on until everything is held again.
async fn follow_databases(salvager: Weak<Salvager>, mut readings: Vec<OldDatabase>) {
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
                    tracing::warn!(
                        %error,
                        "what a database held that was set aside could not be looked at",
                    )
                }
                Ok(()) => {}
            }
        }

        readings.retain(|r| !r.report.healed);
    }
}
