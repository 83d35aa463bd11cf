//! Mending at the sequencer: entries that come back to their places, and other branches of forked
//! logs, which the one that counts replaces as the log.

use crate::{
    door::{
        event::Event,
        proofs::{given, peaks_at, peaks_with, record_of, root_at},
    },
    ledger::repair::Why,
    pipeline::{
        commit::{Commit, MovedVerdicts},
        outcome_of,
        sequencer::Sequencer,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};
use wadi_log::{
    Block, Body, Branch, ENTRY_BYTES_MAX, ForkProof, Hash, Lane, LogId, NodeId, Peaks, RecordId,
    Reference, SignedCheckpoint, VerifiedBlock, VerifiedEntry, VerifiedStretch, proof,
    verify_block, verify_stretch,
};
use wadi_store::{BranchRow, StoreError};
use wadi_sync::Fetched;

/// Entries of a branch that are loaded at once when it becomes the log: longer ones stay beside it.
const SWITCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Whether a branch is the same as another, and ends beyond it.
fn is_further(held: &BranchRow, other: &BranchRow) -> bool {
    (held.log, held.from, held.leaves.first()) == (other.log, other.from, other.leaves.first())
        && held.checkpoint.checkpoint.size > other.checkpoint.checkpoint.size
}

/// Where a stretch begins and ends, and its leaves.
fn place_of(stretch: &VerifiedStretch) -> (u64, u64, Vec<Hash>) {
    let from = stretch.entries()[0].reference().seq;
    let entries = stretch.entries().iter();
    let leaves: Vec<Hash> = entries.map(|e| e.reference().leaf).collect();
    (from, from + leaves.len() as u64, leaves)
}

impl Sequencer {
    /// Whether an entry of a record is missing or rotten, and on its way back.
    pub(crate) async fn is_damaged(
        &self,
        id: &RecordId,
        missing: &BTreeMap<LogId, Vec<(u64, u64)>>,
        lost: &BTreeSet<String>,
    ) -> Result<bool, StoreError> {
        if missing.is_empty() && lost.is_empty() {
            return Ok(false);
        }

        let waits = |(log, seq): &(LogId, u64)| {
            missing
                .get(log)
                .is_some_and(|all| all.iter().any(|(from, to)| (*from..*to).contains(seq)))
        };

        Ok(lost.contains(&id.to_string()) || self.store.places(id).await?.iter().any(waits))
    }

    /// Takes entries that were asked for: each proven in the tree that was asked about.
    pub(crate) async fn take_stretches(&mut self, g: &mut Commit, fetched: Fetched, peer: NodeId) {
        let Fetched {
            log,
            tip,
            stretches,
            absent,
        } = fetched;

        let wanted = {
            let wants = self.wants.lock().expect("no panic holds it");
            wants
                .get(&log, &tip.root)
                .map(|w| (w.signed.clone(), w.why, w.ranges.clone()))
        };

        // Nobody asked for it, or it came from elsewhere meanwhile.
        let Some((signed, why, mut again)) = wanted else {
            return;
        };
        let Some(author) = self.ledger.control().enrolment(&log.node).cloned() else {
            return;
        };

        let (mut came, mut wrong) = (Vec::new(), false);
        for stretch in stretches {
            let verified = match verify_stretch(stretch, &signed, &author) {
                Ok(verified) => verified,
                Err(error) => {
                    let why = format!("{}: {error}", log.origin());
                    self.note(g, log.node.to_string(), error.code(), why, peer.to_string());
                    wrong = true;
                    continue;
                }
            };

            came.push(place_of(&verified));
            if let Err(error) = self.take_stretch(g, verified, why).await {
                g.broken = Some(error);
                return;
            }
        }

        let nothing_more = wrong || !absent.is_empty() || came.is_empty();
        let done = self.wants.lock().expect("no panic holds it").answered(
            (log, tip.root),
            peer,
            &came,
            nothing_more,
            Instant::now(),
        );

        match done.map(|want| (want.why, want.leaves)) {
            Some((Why::Branch { at }, leaves)) => {
                tracing::warn!(log = %log, at, "the other branch of a forked log is held whole now");
                again = vec![(at, signed.checkpoint.size)];
                let leaves = leaves.into_iter().filter(|(seq, _)| *seq >= at);
                let branch = BranchRow {
                    log,
                    from: at,
                    checkpoint: signed.clone(),
                    leaves: leaves.map(|(_, leaf)| leaf).collect(),
                };
                self.keep_branch(g, branch).await;

                g.bounds_moved.insert(log);
                g.branched.insert(log);
            }
            Some((Why::Mend, _)) => g.events.push(Event::Mended(log)),
            None => {}
        }

        // It is here when it is durable: should the commit fail, all of it is wanted as before.
        let wants = self.wants.clone();
        g.done.push(Box::new(move |outcome| {
            if outcome.is_err() {
                wants
                    .lock()
                    .expect("no panic holds it")
                    .add(signed, why, &again);
            }
        }));
    }

    /// Takes the entries of a proven stretch.
    pub(crate) async fn take_stretch(
        &mut self,
        g: &mut Commit,
        verified: VerifiedStretch,
        why: Why,
    ) -> Result<(), StoreError> {
        for entry in verified.entries() {
            self.take_mended(g, entry, why).await?;
        }

        match why {
            Why::Mend => g.batch.repair.mended.push(verified),
            Why::Branch { .. } => g.batch.repair.side.push(verified),
        }

        Ok(())
    }

    /// Keeps a whole branch. One that came later, and had begun earlier, does not shorten what is
    /// held; nor does it stand beside a log that it became the beginning of meanwhile, or that may
    /// yet grow to it.
    async fn keep_branch(&mut self, g: &mut Commit, branch: BranchRow) {
        let held = self.store.branches(Some(&branch.log)).await;
        let held = held.unwrap_or_default();
        let further = held
            .iter()
            .chain(&g.batch.repair.branches)
            .any(|b| is_further(b, &branch));
        if !further && !self.is_of_the_log(&g.batch.append.blocks, &branch).await {
            g.batch.repair.branches.push(branch);
        }
    }

    async fn take_mended(
        &mut self,
        g: &mut Commit,
        entry: &VerifiedEntry,
        why: Why,
    ) -> Result<(), StoreError> {
        let reference = entry.reference();
        let may = {
            let control = self.ledger.control();
            entry
                .entry()
                .is_some_and(|e| control.check_right(&reference.log, e).is_ok())
        };

        if !may {
            // It stands in its place, and says nothing, as where it came with its log.
            return Ok(());
        }

        if matches!(why, Why::Branch { .. }) {
            // Of three branches two may have more in common than the proof tells: what stands in
            // the log is no other branch's.
            let brings = g
                .batch
                .append
                .blocks
                .iter()
                .filter(|b| b.log() == reference.log);
            let comes = brings
                .flat_map(|b| b.entries())
                .any(|e| e.reference() == reference);
            if !comes && self.store.is_main(&reference).await? != Some(true) {
                self.side.insert(reference);
            }
        }

        match (record_of(entry), why) {
            (Some(record), Why::Mend) => {
                g.batch.project.about.push((record, reference));
                g.fresh.entry(record).or_default().push(entry.clone());
                g.retry.insert(record);
            }
            (Some(record), Why::Branch { .. }) => self.add_change(g, entry, record).await?,
            (None, Why::Mend) if matches!(entry.entry().map(|e| &e.body), Some(Body::Seen(_))) => {
                g.batch.project.seen.push(reference);
                self.ledger.forget_seen(&reference.log);
            }
            // A control entry that was rotten is read again with the log; one of another branch
            // says nothing.
            _ => g.reload |= matches!(why, Why::Mend) && reference.log.lane == Lane::Control,
        }

        Ok(())
    }

    /// Puts the branches of a fork that are not held here on the list of what is wanted.
    pub(crate) async fn want_branches(&mut self, proof: &ForkProof) -> Result<(), StoreError> {
        let log = proof.log();
        if !self.me.scope.takes_log(&log) && log.node != self.ledger.node() {
            return Ok(());
        }

        let held = self.store.branches(Some(&log)).await?;
        for branch in [&proof.one, &proof.other] {
            let head = &branch.checkpoint.checkpoint;
            let main = match self.ledger.held(&log) {
                size if size >= head.size => {
                    root_at(&*self.store, &log, head.size).await? == Some(head.root)
                }
                // A branch that this node's log may yet grow to, if it is the one that it stands on
                // at the fork.
                size if size > proof.at => self.leaf_at(&log, proof.at).await == Some(branch.leaf),
                _ => true,
            };

            let beside = held.iter().any(|b| {
                b.leaves.first() == Some(&branch.leaf)
                    && b.from == proof.at
                    && b.checkpoint.checkpoint.size >= head.size
            });

            if !main && !beside {
                let range = [(proof.at, head.size)];
                let why = Why::Branch { at: proof.at };
                self.wants.lock().expect("no panic holds it").add(
                    branch.checkpoint.clone(),
                    why,
                    &range,
                );
            }
        }

        Ok(())
    }

    /// Whether a branch and the log agree as far as both go: then it is the log's beginning, or
    /// what the log grows to. The ledger counts what this commit brings, and the store does not hold
    /// it yet.
    async fn is_of_the_log(&self, brought: &[VerifiedBlock], branch: &BranchRow) -> bool {
        let held = self.ledger.held(&branch.log);
        if held <= branch.from {
            return false;
        }

        let store = &*self.store;
        let Some(mut peaks) = peaks_with(store, brought, &branch.log, branch.from).await else {
            return false;
        };
        let common = held.min(branch.checkpoint.checkpoint.size);
        let within = (common - branch.from) as usize;

        branch
            .leaves
            .iter()
            .take(within)
            .for_each(|leaf| drop(peaks.append(*leaf)));

        let of_log = peaks_with(store, brought, &branch.log, common).await;
        of_log.is_some_and(|log| log.root() == peaks.root())
    }

    async fn leaf_at(&self, log: &LogId, seq: u64) -> Option<Hash> {
        Some(
            self.store
                .entries(log, seq, 1)
                .await
                .ok()?
                .first()?
                .entry
                .reference()
                .leaf,
        )
    }

    /// Whether an entry stands on another branch than the one that is held as its log.
    pub(crate) async fn is_side(&self, reference: &Reference) -> Result<bool, StoreError> {
        let at = self
            .ledger
            .control()
            .forks()
            .get(&reference.log)
            .map(|f| f.at);

        if at.is_none_or(|at| reference.seq < at) || self.ledger.head(&reference.log).is_none() {
            return Ok(false);
        }

        if self.side.contains(reference) {
            return Ok(true);
        }

        Ok(self.store.is_main(reference).await? == Some(false))
    }

    /// Where the branch that counts is held beside the log, it becomes the log. Returns the logs
    /// that changed.
    async fn switch_branches(&mut self, moved: &MovedVerdicts) -> Result<Vec<LogId>, StoreError> {
        let mut branches = Vec::new();
        if moved.of_all {
            branches = self.store.branches(None).await?;
        } else {
            for log in moved.of.iter().filter(|log| self.ledger.is_forked(log)) {
                branches.extend(self.store.branches(Some(log)).await?);
            }
        }

        let mut switched = Vec::new();
        for branch in branches {
            let log = branch.log;
            let (bound, first) = {
                let control = self.ledger.control();
                (
                    control.cut_bound(&log),
                    control.forks().get(&log).map(|f| f.one.leaf),
                )
            };

            let Some(bound) = bound else { continue };
            let Some(at_fork) = peaks_at(&*self.store, &log, branch.from).await else {
                continue;
            };
            let becomes = if bound.size > branch.from && bound.root.is_some() {
                let mut peaks = at_fork.clone();
                let upto = (bound.size - branch.from) as usize;
                branch
                    .leaves
                    .iter()
                    .take(upto)
                    .for_each(|l| drop(peaks.append(*l)));

                peaks.size() == bound.size
                    && Some(peaks.root()) == bound.root
                    && root_at(&*self.store, &log, bound.size).await? != bound.root
            } else {
                // Neither branch counts past the fork: that everybody holds the same, the first of
                // the two is the log.
                branch.leaves.first() == first.as_ref()
                    && self.leaf_at(&log, branch.from).await != first
            };

            if becomes && self.switch(&branch, &at_fork).await? {
                switched.push(log);
            }
        }

        Ok(switched)
    }

    async fn switch(&mut self, branch: &BranchRow, at_fork: &Peaks) -> Result<bool, StoreError> {
        let log = branch.log;
        let author = self.ledger.control().enrolment(&log.node).cloned();

        let (Some(author), Some(old)) = (
            author,
            self.ledger.head(&log).and_then(|h| h.checkpoint.clone()),
        ) else {
            return Ok(false);
        };

        let entries = self
            .store
            .branch_entries(branch, branch.from, SWITCH_BYTES_MAX)
            .await?;
        if entries.len() != branch.leaves.len() {
            self.tell_if_too_long(&log, &entries);
            return Ok(false);
        }

        let block = Block {
            from: branch.from,
            entries: entries.iter().map(|e| e.bytes().to_vec()).collect(),
            checkpoint: branch.checkpoint.clone(),
        };

        let block = match verify_block(block, at_fork, &author) {
            Ok(block) => block,
            Err(error) => {
                tracing::error!(log = %log, %error, "a branch held beside its log does not verify");
                return Ok(false);
            }
        };

        let mut leaves = Vec::new();
        let mut from = Some(branch.from);
        while let Some(at) = from {
            let part = self.store.raw_entries(&log, at, 512).await?;
            from = part.last().and_then(|last| last.seq.checked_add(1));
            leaves.extend(part.iter().filter_map(|e| Hash::from_slice(&e.leaf).ok()));
        }

        let mut batch = self.new_batch();
        batch.repair.branches_gone.push((log, branch.leaves[0]));
        let mut whole = at_fork.clone();
        leaves.iter().for_each(|l| drop(whole.append(*l)));

        // Where something of it is missing, it is asked for as any branch that is not held.
        if !leaves.is_empty() && whole.root() == old.checkpoint.root {
            if let Some(proof) = self.further_proof(branch.from, &old, leaves[0]).await? {
                batch.append.forks.push(proof.clone());
                let _ = self.events.send(Event::Forks(vec![proof]));
            }

            batch.repair.branches.push(BranchRow {
                log,
                from: branch.from,
                checkpoint: old,
                leaves,
            });
        }

        let is_seen =
            |e: &&VerifiedEntry| matches!(e.entry().map(|e| &e.body), Some(Body::Seen(_)));
        batch.project.seen.extend(
            block
                .entries()
                .iter()
                .filter(is_seen)
                .map(VerifiedEntry::reference),
        );

        batch.repair.switches.push(block);
        outcome_of(self.hand_to_store(batch).await)?;
        self.wants.lock().expect("no panic holds it").switched(&log);
        tracing::warn!(log = %log, from = branch.from, "the branch that counts is the log now");

        Ok(true)
    }

    /// A branch that counts and is too long to become the log asks for somebody.
    fn tell_if_too_long(&self, log: &LogId, read: &[VerifiedEntry]) {
        let bytes: usize = read.iter().map(|e| e.bytes().len()).sum();
        if bytes + ENTRY_BYTES_MAX <= SWITCH_BYTES_MAX {
            return;
        }

        let why = format!(
            "the branch of {} that counts is longer than {} MiB, and stays beside the log: what it \
             says is in quarantine until it is admitted (`wadi say admit --log`)",
            log.origin(),
            SWITCH_BYTES_MAX >> 20
        );

        tracing::error!("{why}");
        self.tasks.trouble("branches", Some(why));
    }

    /// The proof of a fork, where the branch that was the log until now ends beyond what is known
    /// of it: it may have grown since the fork was proven, and all have to hold the same of it.
    async fn further_proof(
        &mut self,
        at: u64,
        old: &SignedCheckpoint,
        leaf: Hash,
    ) -> Result<Option<ForkProof>, StoreError> {
        let head = &old.checkpoint;
        let ranges = proof::inclusion_ranges(at, head.size);
        let wanted: Vec<_> = ranges.iter().flat_map(|r| proof::subtrees(*r)).collect();
        let Some(parts) = given(self.store.subtrees(&head.log, &wanted).await)? else {
            return Ok(None);
        };
        let Ok(path) = proof::assemble(&ranges, &parts) else {
            return Ok(None);
        };

        let control = self.ledger.control_mut();
        let Some(known) = control.forks().get(&head.log).filter(|f| f.at == at) else {
            return Ok(None);
        };
        let branch = Branch {
            checkpoint: old.clone(),
            leaf,
            path,
        };

        let others = [&known.one, &known.other]
            .into_iter()
            .find(|b| b.leaf != leaf);
        let Some(other) = others.cloned() else {
            return Ok(None);
        };
        let news = control.learn_fork(ForkProof::new(at, branch, other));

        Ok(control.forks().get(&head.log).filter(|_| news).cloned())
    }

    /// After a commit: asks for branches that fork proofs name, and lets the one that counts become
    /// the log.
    pub(crate) async fn follow_forks(
        &mut self,
        touched: &BTreeSet<LogId>,
        moved: &MovedVerdicts,
    ) -> Result<Vec<LogId>, StoreError> {
        let proofs: Vec<ForkProof> = {
            let forks = self.ledger.control().forks();
            let of = touched.iter().filter_map(|log| forks.get(log));
            of.cloned().collect()
        };

        for proof in &proofs {
            self.want_branches(proof).await?;
        }

        let any_fork = !self.ledger.control().forks().is_empty();

        if any_fork && (moved.of_all || !moved.of.is_empty()) {
            return self.switch_branches(moved).await;
        }

        Ok(Vec::new())
    }
}
