//! What comes from peers: blocks, enrolments, fork proofs, cosignatures and the hub's
//! time.

use crate::door::proofs::{known_root, record_of};
use crate::door::{
    budget_limits::Cost, clock_doubts::Doubtful, command::BlockOutcome, event::Event,
};
use crate::ledger::hub_time::How;
use crate::pipeline::{commit::Commit, sequencer::Sequencer};
use std::time::Instant;
use wadi_log::{
    Block, Body, Cosignature, Enrolment, Lane, LogError, NodeId, RecordId, Role, SignedCheckpoint,
    Tip, VerifiedBlock, VerifiedEntry, verify_block,
};
use wadi_record::Policy;
use wadi_store::{CosignedHead, StoreError};
use wadi_sync::RefuseReason;

impl Sequencer {
    /// Takes a block that a peer brought, where it is proven and goes on where its log ends.
    pub(crate) async fn ingest(
        &mut self,
        g: &mut Commit,
        mut block: Block,
        peer: NodeId,
    ) -> Result<BlockOutcome, BlockOutcome> {
        let head = block.checkpoint.checkpoint.clone();
        let log = head.log;
        let held = self.ledger.held(&log);
        let refused = |code: &str| BlockOutcome::Refused {
            held,
            reason: RefuseReason::from_code(code),
        };
        let author = self.ledger.control().enrolment(&log.node).cloned();

        let Some(author) = author else {
            let why = format!("a block of node {}, which is not enrolled here", log.node);
            // Counted by who brought it: the names of strangers are as many as anybody invents.
            self.note(g, peer.to_string(), "not_enrolled", why, peer.to_string());
            return Err(refused("not_enrolled"));
        };

        let newer = self.names_newer(&block.checkpoint);
        if head.size < held || (head.size == held && !(block.entries.is_empty() && newer)) {
            return self.hold_already(&block, &author).ok_or(refused("gap"));
        }

        if block.from < held {
            // Its first part came another way; the root proves the rest on top of what is held.
            block.entries.drain(..(held - block.from) as usize);
            block.from = held;
        }

        let block = match verify_block(block, &self.ledger.peaks(&log), &author) {
            Ok(block) => block,
            Err(error) => {
                let why = format!("{}: {error}", log.origin());
                let about = log.node.to_string();
                self.note(g, about, error.code(), why, peer.to_string());
                return Err(refused(match error {
                    LogError::Gap { .. } => "gap",
                    _ => error.code(),
                }));
            }
        };

        if let Err(error) = self.take_entries(g, &block, peer).await {
            let code = error.code();
            g.broken = Some(error);
            return Err(refused(code));
        }

        self.charge_author(g, &block, author.role, held == 0);
        self.look_for_second_holder(g, &block, peer);
        let perhaps_spares = Self::perhaps_spares(&block);
        let (tip, cosignature) = self.keep_block(g, block);
        if log.lane == Lane::Control
            && let Err(error) = self.retry_unjudged(g, log).await
        {
            let code = error.code();
            g.broken = Some(error);
            return Err(refused(code));
        }

        for node in perhaps_spares {
            self.end_spare(g, node).await;
        }

        self.move_watermark(g, &log.node);
        if self.ledger.control().bound(&log).is_some() {
            self.move_bound(g, log);
        }

        Ok(BlockOutcome::Durable {
            tip,
            cosignature: Box::new(cosignature),
        })
    }

    /// The answer to a block whose head is held already: taking it again changes nothing. That it
    /// is the same, equal frontiers prove; another branch is the search for forks' to find. None
    /// where no head is held.
    fn hold_already(&self, block: &Block, author: &Enrolment) -> Option<BlockOutcome> {
        let head = &block.checkpoint.checkpoint;
        let mut checkpoint = self.ledger.head(&head.log)?.checkpoint.clone()?;
        let peaks = self.ledger.peaks(&head.log);
        let tip = Tip {
            size: peaks.size(),
            root: peaks.root(),
        };

        // Of one head there may be two signatures, with an older and a newer hub time: the one that
        // was offered is what the cosignature has to fit.
        if (head.size, head.root) == (tip.size, tip.root)
            && block.checkpoint.verify(&author.log_key).is_ok()
        {
            checkpoint = block.checkpoint.clone();
        }

        Some(BlockOutcome::Durable {
            tip,
            cosignature: Box::new(self.cosign(&checkpoint)),
        })
    }

    /// Takes the entries of a proven block into what is known, one after the other.
    async fn take_entries(
        &mut self,
        g: &mut Commit,
        block: &VerifiedBlock,
        peer: NodeId,
    ) -> Result<(), StoreError> {
        let spoken_of = block.entries().iter().filter_map(record_of).collect();
        self.prefetch(g, spoken_of).await?;

        for entry in block.entries() {
            self.take_entry(g, entry, peer).await?;
        }

        Ok(())
    }

    /// What lasts of a block is charged to its author, whoever brought it.
    fn charge_author(&self, g: &mut Commit, block: &VerifiedBlock, role: Role, opens_log: bool) {
        let (author, now) = (block.checkpoint().checkpoint.log.node, Instant::now());
        let entries = block.entries();
        let bytes = entries.iter().map(|entry| entry.bytes().len()).sum();

        if opens_log {
            self.budgets.charge(author, role, Cost::Logs, 1.0, now);
        }
        self.budgets
            .charge_stored(author, role, (entries.len(), bytes), now);

        let row = self.budgets.row_due(author, now, self.clock.now_ms());
        g.batch.local.keys.extend(row);
    }

    /// Nobody but this process writes in its present epoch: entries of it that come from elsewhere
    /// mean that somebody else has the key.
    fn look_for_second_holder(&mut self, g: &mut Commit, block: &VerifiedBlock, peer: NodeId) {
        let log = block.checkpoint().checkpoint.log;
        if log.node != self.ledger.node()
            || Some(log.epoch) != self.ledger.epoch()
            || block.entries().is_empty()
        {
            return;
        }

        let why =
            "somebody else has written in this node's present epoch: its key is in other hands"
                .to_string();
        tracing::error!(log = %log, "{why}");
        // One row for the author, however many logs it opens.
        let why = format!("{}: {why}", log.origin());
        let about = log.node.to_string();
        self.note(g, about, "key_in_other_hands", why, peer.to_string());
        self.ledger.end_epoch();
    }

    /// Puts a proven block at the end of its log, with this node's cosignature over it.
    fn keep_block(&mut self, g: &mut Commit, block: VerifiedBlock) -> (Tip, Cosignature) {
        let log = block.checkpoint().checkpoint.log;
        let tip = Tip {
            size: block.peaks().size(),
            root: block.peaks().root(),
        };

        let cosignature = self.cosign(block.checkpoint());
        if self.me.role == Role::Hub {
            g.batch.append.kept_heads.push(block.checkpoint().clone());
            self.ledger.take_named_time(&block.checkpoint().checkpoint);
            self.note_clock_doubts(g, &block, &cosignature);
        }

        self.learn_cosignature(g, block.checkpoint().clone(), cosignature);
        self.ledger.extend(&block);

        if block.entries().is_empty()
            && log.node != self.ledger.node()
            && self.me.role == Role::Crossing
        {
            // A neighbour whose hub is dark signed its head anew: this node shows it to the hub.
            self.time.to_show(log);
            g.events.push(Event::Refreshed(log));
        }

        g.batch.append.blocks.push(block);
        g.grown.insert(log, tip);
        (tip, cosignature)
    }

    async fn take_entry(
        &mut self,
        g: &mut Commit,
        verified: &VerifiedEntry,
        peer: NodeId,
    ) -> Result<(), StoreError> {
        let reference = verified.reference();
        // Counted by author: whoever writes a thousand such entries fills one row with them.
        let author = match wadi_store::defence::off("one-row-a-refusal") {
            true => reference.to_string(),
            false => reference.log.node.to_string(),
        };
        let refuse = |sequencer: &Self, g: &mut Commit, e: &LogError| {
            sequencer.note(
                g,
                author.clone(),
                e.code(),
                format!("{reference}: {e}"),
                peer.to_string(),
            );
        };

        let entry = match (verified.reading(), verified.entry()) {
            (Err(error), _) => {
                // Signed by its author, and no entry: it stands in the log, and counts for nothing.
                refuse(self, g, error);
                return Ok(());
            }
            (_, None) => {
                let why = format!(
                    "{reference}: an entry of a later version is kept until the software is renewed"
                );
                self.note(g, author.clone(), "later_version", why, peer.to_string());
                return Ok(());
            }
            (_, Some(entry)) => entry,
        };

        let right = match wadi_store::defence::off("control-right") {
            true => Ok(()),
            false => self.ledger.control().check_right(&reference.log, entry),
        };

        if let Err(error) = right {
            refuse(self, g, &error);
            return Ok(());
        }

        match &entry.body {
            Body::Change(change) => {
                let record = change
                    .record
                    .unwrap_or_else(|| RecordId::of_first(&reference));
                self.add_change(g, verified, record).await?;
            }
            Body::Seen(seen) => {
                self.take_seen(reference, &seen.heads).await?;
                g.batch.project.seen.push(reference);
            }
            _ => self.learn_control(g, verified),
        }

        Ok(())
    }

    /// Notes entries whose times lie outside what the hub's word allows: before the hub time that
    /// their node had named, or after this hub has them.
    fn note_clock_doubts(&mut self, g: &mut Commit, block: &VerifiedBlock, had: &Cosignature) {
        let log = block.checkpoint().checkpoint.log;
        if log.node == self.ledger.node() {
            return;
        }

        let had_s = i64::try_from(had.time_s).unwrap_or(i64::MAX);
        let before = self.ledger.head(&log).and_then(|h| h.checkpoint.as_ref());
        let named_s = before.map_or(0, |c| c.checkpoint.hub_time_s);
        let own_s = self.time.named_s(named_s, Some(had_s));
        let doubt_ms = self.clock_doubt_ms();
        let (time, ledger, known) = (&self.time, &mut self.ledger, &self.clock_doubts);
        let doubtful = block.entries().iter().filter_map(|entry| {
            // Whoever leaves the hub's time out of a log's own heads has named it in those of its
            // control log, which list how far the log had come.
            let listed_s = ledger.named_before(&log, entry.reference().seq);
            let named_s = own_s.max(time.named_s(listed_s, Some(had_s)));
            let after_ms = (named_s > 0).then(|| named_s.saturating_mul(1_000));
            // The hub signs whole seconds: what it had within one it had at its end.
            let before_ms = had_s.saturating_add(1).saturating_mul(1_000);
            let doubtful = Doubtful::of_entry(entry, after_ms, before_ms, doubt_ms)?;

            // What its log may not say is about no record, whichever it names.
            ledger.control().check_right(&log, entry.entry()?).ok()?;
            known.takes(&entry.reference()).then_some(doubtful)
        });
        for doubtful in doubtful {
            g.batch.local.keys.push(doubtful.key());
            g.doubtful.push(doubtful);
        }

        g.batch
            .local
            .keys_gone
            .extend(self.clock_doubts.keys_gone());
    }

    /// By how much clocks may differ without a word, by the policy, milliseconds.
    pub(super) fn clock_doubt_ms(&mut self) -> i64 {
        let newest = self.ledger.control().policy(|_| u64::MAX);
        let reference = newest.map(|(reference, _)| *reference);
        if let Some((of, doubt_ms)) = self.clock_doubt
            && of == reference
        {
            return doubt_ms;
        }

        let policy = newest.and_then(|(_, p)| Policy::read(&p.text).ok());
        let doubt_ms = i64::from(policy.unwrap_or_default().clock_doubt_s) * 1_000;
        self.clock_doubt = Some((reference, doubt_ms));
        doubt_ms
    }

    fn cosign(&self, checkpoint: &SignedCheckpoint) -> Cosignature {
        self.keys
            .log_key
            .cosign(&checkpoint.checkpoint, self.time.signing_s())
    }

    fn learn_cosignature(
        &mut self,
        g: &mut Commit,
        checkpoint: SignedCheckpoint,
        cosignature: Cosignature,
    ) {
        let head = &checkpoint.checkpoint;
        let tip = Tip {
            size: head.size,
            root: head.root,
        };
        let at_s = i64::try_from(cosignature.time_s).unwrap_or(i64::MAX);
        if self
            .ledger
            .learn_cosigned(cosignature.witness, head.log, tip, at_s)
        {
            self.move_bound(g, head.log);
        }

        g.batch.append.cosignatures.push(CosignedHead {
            checkpoint,
            cosignature,
        });
    }

    /// A cosignature of a checkpoint that this node signed, sent, carried or heard of.
    pub(crate) async fn take_cosignature(
        &mut self,
        g: &mut Commit,
        checkpoint: SignedCheckpoint,
        cosignature: Cosignature,
    ) {
        let log = checkpoint.checkpoint.log;
        let (author, witness) = {
            let control = self.ledger.control();
            (
                control.enrolment(&log.node).cloned(),
                control.enrolment(&cosignature.witness).cloned(),
            )
        };

        let (Some(author), Some(witness)) = (author, witness) else {
            return;
        };
        let is_signed = || match wadi_store::defence::off("cosignature") {
            true => Ok(()),
            false => cosignature.verify(&checkpoint.checkpoint, &witness.log_key),
        };
        let checked = checkpoint
            .verify(&author.log_key)
            .and_then(|()| is_signed());
        if let Err(error) = checked {
            let why = format!("{}: {error}", log.origin());
            self.note(g, log.node.to_string(), error.code(), why, witness.name);
            return;
        }

        // One that is cut witnesses nothing: what it signs puts no time to anything, and ends no
        // carrying.
        let is_witness = self.ledger.control().is_witness(&cosignature.witness);
        if is_witness {
            g.batch
                .local
                .carried_done
                .push((log, checkpoint.checkpoint.size));
            g.events.push(Event::HubCosigned(
                Box::new(checkpoint.clone()),
                cosignature,
            ));
            self.take_hub_time(g, cosignature.witness, cosignature.time_s as i64, How::Past);
        }

        if is_witness && self.holds_head(&checkpoint).await {
            g.batch.append.kept_heads.push(checkpoint.clone());
        }

        self.learn_cosignature(g, checkpoint, cosignature);
    }

    /// Whether a head is one of the log as it is held, and not of another branch.
    async fn holds_head(&self, checkpoint: &SignedCheckpoint) -> bool {
        let head = &checkpoint.checkpoint;
        let Some(held) = self
            .ledger
            .head(&head.log)
            .filter(|held| head.size <= held.peaks.size())
        else {
            return false;
        };

        if head.size == held.peaks.size() {
            return head.root == held.peaks.root();
        }

        let root = known_root(&*self.store, &head.log, head.size).await;
        root.is_ok_and(|root| root == Some(head.root))
    }

    pub(crate) fn learn(&mut self, g: &mut Commit, enrolments: Vec<Enrolment>, peer: NodeId) {
        for e in enrolments {
            let name = e.name.clone();
            let learned = self.ledger.control_mut().enrol(e.clone());

            match learned {
                Ok(true) => {
                    g.batch.append.enrolments.push(e.clone());
                    g.events.push(Event::Members(vec![e]));
                    g.verdicts_moved = true;
                }
                Ok(false) => {}
                Err(error) => {
                    let why = format!("the enrolment of {name:?}: {error}");
                    self.note(g, peer.to_string(), error.code(), why, peer.to_string());
                }
            }
        }
    }
}
