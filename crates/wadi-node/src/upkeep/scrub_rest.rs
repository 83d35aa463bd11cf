//! What the scrub reads beside logs and records: who belongs to the network, what others signed,
//! and what is held beside logs.
//!
//! All of it is signed or has its hash. What does not verify goes; what this node can say again by
//! itself it says again, and the rest comes back from peers.

use crate::{
    door::{
        event::Event,
        excerpt::{ALL_EXCERPTS, EXCERPT_LOST},
        proofs::{peaks_at, record_of},
        status::Damage,
    },
    upkeep::scrub::{NAMED_MAX, PAGE, Round, Scrub},
};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{
    Body, Cosignature, Enrolment, ForkProof, Hash, LogId, RecordId, Reference, SignedCheckpoint,
    VerifiedEntry,
};
use wadi_store::{
    Append, Batch, BranchRow, CosignedHead, LocalKey, LocalState, RawCosignature, RawLoose, Repair,
    StoreError,
};

/// Bytes of a branch's entries read at once.
const BRANCH_BYTES: usize = 1 << 20;

/// What is held about the entries of a log that is not held itself.
struct About {
    log: LogId,
    index: BTreeSet<(RecordId, u64, Vec<u8>)>,
    /// None where one of them is rotten: it is found by itself.
    seen: Option<BTreeSet<Reference>>,
}

/// What is damaged of excerpts.
#[derive(Default)]
struct Lost {
    gone: Vec<(Vec<u8>, i64, Vec<u8>)>,
    records: BTreeSet<String>,
    damage: Vec<Damage>,
}

fn entry_of(row: &RawLoose) -> Option<VerifiedEntry> {
    let (log, leaf) = (
        LogId::from_slice(&row.log).ok()?,
        Hash::from_slice(&row.leaf).ok()?,
    );
    let reference = Reference {
        log,
        seq: u64::try_from(row.seq).ok()?,
        leaf,
    };

    VerifiedEntry::recheck(reference, row.bytes.clone()).ok()
}

fn cosigned_head(row: &RawCosignature) -> Option<CosignedHead> {
    Some(CosignedHead {
        checkpoint: SignedCheckpoint::from_bytes(&row.checkpoint).ok()?,
        cosignature: Cosignature::from_slice(&row.cosignature).ok()?,
    })
}

/// Whether a cosignature stands under the keys by which it is found and chosen.
fn in_its_place(row: &RawCosignature, c: &CosignedHead) -> bool {
    let head = &c.checkpoint.checkpoint;
    head.log.to_bytes()[..] == row.log[..]
        && c.cosignature.witness.0[..] == row.witness[..]
        && i64::try_from(head.size) == Ok(row.size)
        && i64::try_from(c.cosignature.time_s) == Ok(row.time_s)
}

impl About {
    /// Whether an entry is found by whoever looks for it. A leaf's hash says nothing of the place
    /// in which it lies.
    fn knows(&self, entry: &VerifiedEntry) -> bool {
        let r = entry.reference();
        match (record_of(entry), entry.entry().map(|e| &e.body)) {
            (Some(record), _) => self.index.contains(&(record, r.seq, r.leaf.0.to_vec())),
            (None, Some(Body::Seen(_))) => self.seen.as_ref().is_none_or(|seen| seen.contains(&r)),
            _ => true,
        }
    }

    /// The records of which an entry at a position is, or may be.
    fn records_at(&self, seq: i64) -> BTreeSet<String> {
        let at = |row: &&(RecordId, u64, Vec<u8>)| i64::try_from(row.1) == Ok(seq);
        let here: BTreeSet<String> = self
            .index
            .iter()
            .filter(at)
            .map(|(id, ..)| id.to_string())
            .collect();

        if here.is_empty() {
            self.index.iter().map(|(id, ..)| id.to_string()).collect()
        } else {
            here
        }
    }
}

impl Scrub {
    /// Reads what else is held through.
    pub(crate) async fn scrub_rest(&self, round: Round) -> Result<(), StoreError> {
        self.scrub_members(round.mend).await?;
        self.scrub_forks(round.mend).await?;
        self.scrub_cosignatures(round.mend).await?;
        self.scrub_excerpts(round.mend).await?;
        self.scrub_branches(round.mend).await
    }

    /// Enrolments: those learned from papers and peers are known, whatever became of their rows.
    async fn scrub_members(&self, mend: bool) -> Result<(), StoreError> {
        let (mut right, mut gone) = (BTreeSet::new(), Vec::new());
        for (key, bytes) in self.door.store.raw_enrolments().await? {
            let read = Enrolment::from_bytes(&bytes).ok();
            match read
                .filter(|e| e.node().0[..] == key[..] && e.verify(&self.door.keys.root).is_ok())
            {
                Some(e) => {
                    right.insert(e.node());
                }
                None => gone.push(key),
            }
        }

        if gone.is_empty() {
            return Ok(());
        }

        tracing::error!(gone = gone.len(), "enrolments were damaged");
        let enrolments = self.door.with_control(|c| {
            c.enrolments()
                .filter(|e| !right.contains(&e.node()))
                .cloned()
                .collect()
        });

        self.remake(
            Batch {
                append: Append {
                    enrolments,
                    ..Append::default()
                },
                repair: Repair {
                    enrolments_gone: gone,
                    ..Repair::default()
                },
                ..Batch::default()
            },
            None,
            mend,
        )
        .await
    }

    /// Fork proofs: peers show theirs at every contact.
    async fn scrub_forks(&self, mend: bool) -> Result<(), StoreError> {
        let stands = |proof: &ForkProof| {
            self.door.with_control(|c| {
                c.enrolment(&proof.log().node)
                    .is_none_or(|author| proof.verify(author).is_ok())
            })
        };

        let (mut right, mut gone) = (BTreeSet::new(), Vec::new());
        for (key, bytes) in self.door.store.raw_forks().await? {
            let read = ForkProof::from_bytes(&bytes).ok();
            match read.filter(|proof| proof.log().to_bytes()[..] == key[..] && stands(proof)) {
                Some(proof) => {
                    right.insert(proof.log());
                }
                None => gone.push(key),
            }
        }

        if gone.is_empty() {
            return Ok(());
        }

        tracing::error!(gone = gone.len(), "fork proofs were damaged");
        let known: Vec<ForkProof> = self
            .door
            .with_control(|c| c.forks().values().cloned().collect());
        let forks = known
            .into_iter()
            .filter(|proof| !right.contains(&proof.log()) && stands(proof))
            .collect();

        self.remake(
            Batch {
                append: Append {
                    forks,
                    ..Append::default()
                },
                repair: Repair {
                    forks_gone: gone,
                    ..Repair::default()
                },
                ..Batch::default()
            },
            None,
            mend,
        )
        .await
    }

    /// Cosignatures: this node gives its own again, and a hub is asked for those of this node's
    /// logs.
    async fn scrub_cosignatures(&self, mend: bool) -> Result<(), StoreError> {
        let heads: BTreeMap<LogId, SignedCheckpoint> = self
            .door
            .store
            .logs()
            .await?
            .into_iter()
            .map(|row| (row.log, row.checkpoint))
            .collect();

        let (mut gone, mut again, mut asked) = (Vec::new(), Vec::new(), Vec::new());
        let mut after: Option<RawCosignature> = None;
        loop {
            let page = self
                .door
                .store
                .raw_cosignatures(after.as_ref(), PAGE)
                .await?;
            let Some(last) = page.last().cloned() else {
                break;
            };

            for row in page {
                let read = cosigned_head(&row);
                let signed = read.as_ref().is_some_and(|c| self.door.is_signed(c));
                let in_place = read.as_ref().is_some_and(|c| in_its_place(&row, c));

                // Of whoever is not enrolled here nobody can say what was signed.
                if in_place && (signed || read.as_ref().is_some_and(|c| !self.knows_both(c))) {
                    continue;
                }

                if let Some(c) = read.filter(|_| signed) {
                    again.push(c);
                } else if let Ok(log) = LogId::from_slice(&row.log) {
                    let head = heads
                        .get(&log)
                        .filter(|_| self.door.with_control(|c| !c.forks().contains_key(&log)));
                    match head {
                        Some(head) if row.witness[..] == self.door.id().0[..] => {
                            again.push(self.cosign(head))
                        }
                        Some(_) if log.node == self.door.id() => asked.push(log),
                        _ => {}
                    }
                }

                gone.push((row.log, row.witness));
            }

            after = Some(last);
        }

        if gone.is_empty() {
            return Ok(());
        }

        tracing::error!(gone = gone.len(), "cosignatures were damaged");
        let batch = Batch {
            append: Append {
                cosignatures: again,
                ..Append::default()
            },
            repair: Repair {
                cosignatures_gone: gone,
                ..Repair::default()
            },
            ..Batch::default()
        };

        self.remake(batch, None, mend).await?;
        for log in asked.into_iter().filter(|_| mend) {
            let _ = self.door.events.send(Event::Refreshed(log));
        }

        Ok(())
    }

    fn knows_both(&self, c: &CosignedHead) -> bool {
        let author = c.checkpoint.checkpoint.log.node;
        self.door.with_control(|k| {
            k.enrolment(&author).is_some() && k.enrolment(&c.cosignature.witness).is_some()
        })
    }

    fn cosign(&self, head: &SignedCheckpoint) -> CosignedHead {
        let cosignature = self
            .door
            .keys
            .log_key
            .cosign(&head.checkpoint, self.door.time.signing_s());

        CosignedHead {
            checkpoint: head.clone(),
            cosignature,
        }
    }

    /// Entries beside logs, and of records handed over those that the index names and that are not
    /// there: the hub sends the record's entries again.
    async fn scrub_excerpts(&self, mend: bool) -> Result<(), StoreError> {
        let held: BTreeSet<LogId> = self.door.frontier().0.keys().copied().collect();

        let mut lost = Lost::default();
        let mut around: Option<About> = None;
        let mut after: Option<RawLoose> = None;
        loop {
            let page = self.door.store.raw_loose(after.as_ref(), PAGE).await?;
            let Some(last) = page.last().cloned() else {
                break;
            };

            for row in page {
                let log = LogId::from_slice(&row.log).ok();
                let beside = log.is_some_and(|log| held.contains(&log));
                if let Some(log) =
                    log.filter(|log| !beside && around.as_ref().is_none_or(|a| a.log != *log))
                {
                    around = Some(self.about(log).await?);
                }

                let of = around.as_ref().filter(|a| Some(a.log) == log);
                let entry = entry_of(&row);
                let right = match (&entry, of) {
                    (Some(_), _) if beside => true,
                    (Some(entry), Some(of)) => row.excerpt && of.knows(entry),
                    _ => false,
                };

                if right {
                    continue;
                }

                if !beside {
                    let mut records = of.map(|of| of.records_at(row.seq)).unwrap_or_default();
                    if records.is_empty() {
                        records.insert(ALL_EXCERPTS.to_string());
                    }
                    lost.records.extend(records);
                }

                let from = u64::try_from(row.seq).unwrap_or(0);
                let log = log.map_or_else(|| wadi_log::hex(&row.log), |log| log.to_string());
                lost.damage.push(Damage {
                    log,
                    from,
                    to: from + 1,
                    kind: "rotten",
                });

                lost.gone.push((row.log, row.seq, row.leaf));
            }

            after = Some(last);
        }

        lost.records.extend(
            self.door
                .store
                .dangling()
                .await?
                .iter()
                .map(RecordId::to_string),
        );
        self.have_excerpts_sent(lost, mend).await
    }

    async fn about(&self, log: LogId) -> Result<About, StoreError> {
        let index = self
            .door
            .store
            .index(&log, 0, i64::MAX as u64)
            .await?
            .into_iter()
            .collect();

        let seen = match self.door.store.seen(&log).await {
            Ok(seen) => Some(seen.iter().map(VerifiedEntry::reference).collect()),
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };

        Ok(About { log, index, seen })
    }

    async fn have_excerpts_sent(&self, lost: Lost, mend: bool) -> Result<(), StoreError> {
        let Lost {
            gone,
            records,
            damage,
        } = lost;

        if gone.is_empty() && records.is_empty() {
            return Ok(());
        }

        tracing::error!(
            gone = gone.len(),
            records = records.len(),
            "entries beside logs are damaged"
        );

        self.note_scrub(|s| {
            s.damaged += (damage.len() as u64).max(records.len() as u64);
            let room = NAMED_MAX.saturating_sub(s.damage.len());
            s.damage.extend(damage.into_iter().take(room));
        });

        let keys = records.iter().map(|id| LocalKey {
            scope: EXCERPT_LOST,
            key: id.clone(),
            value: String::new(),
        });

        let local = keys.collect();
        self.remake(
            Batch {
                local: LocalState {
                    keys: local,
                    ..LocalState::default()
                },
                repair: Repair {
                    entries_gone: gone,
                    ..Repair::default()
                },
                ..Batch::default()
            },
            None,
            mend,
        )
        .await?;

        if mend && !records.is_empty() {
            let why = format!(
                "entries of {} records handed over are damaged; the hub sends them again",
                records.len()
            );

            self.door
                .note_refusal(
                    "excerpts".into(),
                    "entry_damaged".into(),
                    why,
                    String::new(),
                )
                .await;

            let _ = self.door.events.send(Event::ExcerptsLost);
        }

        Ok(())
    }

    /// Other branches of forked logs: one that is not whole is asked for once more.
    async fn scrub_branches(&self, mend: bool) -> Result<(), StoreError> {
        let (mut rotten, switches) = (Vec::new(), self.switches());
        for (log, leaf, read) in self.door.store.raw_branches().await? {
            let whole = match &read {
                Some(branch) if branch.log.to_bytes()[..] == log[..] => {
                    branch
                        .leaves
                        .first()
                        .is_some_and(|first| first.0[..] == leaf[..])
                        && self.is_whole(branch).await?
                }
                _ => false,
            };

            if !whole {
                rotten.push((log, leaf));
            }
        }

        if rotten.is_empty() {
            return Ok(());
        }

        tracing::error!(
            rotten = rotten.len(),
            "branches of forked logs were damaged"
        );

        self.remake(
            Batch::from(Repair {
                branches_rotten: rotten,
                ..Repair::default()
            }),
            Some(switches),
            mend,
        )
        .await
    }

    async fn is_whole(&self, branch: &BranchRow) -> Result<bool, StoreError> {
        let (head, count) = (&branch.checkpoint.checkpoint, branch.leaves.len() as u64);
        let author = self
            .door
            .with_control(|c| c.enrolment(&branch.log.node).map(|e| e.log_key));
        let signed = author.is_none_or(|key| branch.checkpoint.verify(&key).is_ok());
        if !signed || head.log != branch.log || branch.from.checked_add(count) != Some(head.size) {
            return Ok(false);
        }

        if let Some(mut peaks) = peaks_at(&*self.door.store, &branch.log, branch.from).await {
            branch
                .leaves
                .iter()
                .for_each(|leaf| drop(peaks.append(*leaf)));
            if peaks.root() != head.root {
                return Ok(false);
            }
        }

        let mut read = 0;
        while read < count {
            match self
                .door
                .store
                .branch_entries(branch, branch.from + read, BRANCH_BYTES)
                .await
            {
                Ok(part) if part.is_empty() => return Ok(false),
                Ok(part) => read += part.len() as u64,
                Err(StoreError::Damaged { .. }) => return Ok(false),
                Err(error) => return Err(error),
            }
        }

        Ok(true)
    }
}
