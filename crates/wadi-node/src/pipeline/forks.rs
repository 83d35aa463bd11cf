//! Proofs of forked logs, and what a hub says of them: it cuts single logs, and of a node whose
//! logs fork by the dozen the node.

use crate::{
    door::{error::NodeError, event::Event, signatory::Signatory},
    ledger::FORKED_LOGS_MAX,
    pipeline::{commit::Commit, sequencer::Sequencer},
};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Body, Cut, CutTarget, ForkProof, Head, Lane, LogId, NodeId, Role, Tip};
use wadi_store::{StoreError, defence};

/// Heads that a cut of a node names at most, in as many entries as that takes. Whoever opens more
/// logs than that loses those with the fewest entries.
const NODE_CUT_HEADS_MAX: usize = 2_048;

impl Sequencer {
    /// Takes proofs of forks. Of logs of which nothing is held a few are taken, which tell that the
    /// node's key is in other hands; they change nothing else, and whoever has a key may sign as
    /// many as it likes. The others are told again when something is held.
    pub(crate) async fn take_forks(
        &mut self,
        g: &mut Commit,
        proofs: Vec<ForkProof>,
        peer: NodeId,
    ) {
        let proofs = match self.of_held_logs(proofs, &peer).await {
            Ok(proofs) => proofs,
            Err(error) => {
                tracing::error!(%error, "it could not be read which forks bear on what is held");
                return;
            }
        };

        for proof in proofs
            .into_iter()
            .filter(|_| !wadi_store::defence::off("fork-proof"))
        {
            self.take_fork(g, proof, &peer);
        }
    }

    /// The proofs of logs of which something is held: the log, single entries, or blocks carried
    /// for others. What this node hands itself comes out of a database that was set aside.
    async fn of_held_logs(
        &self,
        proofs: Vec<ForkProof>,
        peer: &NodeId,
    ) -> Result<Vec<ForkProof>, StoreError> {
        let (mut held, rest): (Vec<ForkProof>, Vec<ForkProof>) =
            proofs.into_iter().partition(|proof| {
                let log = proof.log();
                *peer == self.ledger.node()
                    || log.node == self.ledger.node()
                    || self.ledger.held(&log) > 0
                    || self.ledger.is_forked(&log)
            });

        if !rest.is_empty() {
            let mut beside: BTreeSet<LogId> = self.store.loose_logs().await?.into_iter().collect();
            let carried = self.store.carried_ranges().await?;
            beside.extend(carried.into_iter().map(|(log, ..)| log));
            let mut known: BTreeMap<NodeId, usize> = BTreeMap::new();
            held.extend(rest.into_iter().filter(|proof| {
                let node = proof.log().node;
                let known = known
                    .entry(node)
                    .or_insert_with(|| self.forked_logs(&node).len());
                *known += 1;
                beside.contains(&proof.log()) || *known < FORKED_LOGS_MAX
            }));
        }

        Ok(held)
    }

    fn take_fork(&mut self, g: &mut Commit, proof: ForkProof, peer: &NodeId) {
        let log = proof.log();
        let author = self.ledger.control().enrolment(&log.node).cloned();

        let Some(author) = author else { return };
        if let Err(error) = proof.verify(&author) {
            let why = format!("{}: {error}", log.origin());
            self.note(g, log.node.to_string(), error.code(), why, peer.to_string());
            return;
        }

        let (before, known) = {
            let control = self.ledger.control_mut();
            let before = control.forks().contains_key(&log);
            let news = control.learn_fork(proof);
            (before, control.forks().get(&log).filter(|_| news).cloned())
        };

        let Some(proof) = known else { return };
        if !before {
            self.note_fork(g, &proof, &author.name, peer);
        }

        self.move_bound(g, log);
        g.forked.insert(log);
        g.batch.append.forks.push(proof.clone());
        g.events.push(Event::Forks(vec![proof]));
    }

    /// Tells of a fork that is new. Of a node with many forked logs one line is kept, however many
    /// they are.
    fn note_fork(&mut self, g: &mut Commit, proof: &ForkProof, author: &str, peer: &NodeId) {
        let log = proof.log();
        let is_flood = self.forked_logs(&log.node).len() > FORKED_LOGS_MAX;
        let subject = match is_flood {
            true => log.node.to_string(),
            false => log.origin(),
        };

        let why = format!("{author} signed two entries at position {}", proof.at);
        tracing::warn!(log = %log, at = proof.at, "a log is forked");
        self.note(g, subject, "forked", why, peer.to_string());

        if log.node == self.ledger.node() {
            // Whoever else writes under this node's key, this process goes on in an epoch of its
            // own.
            self.ledger.end_epoch();
        }
    }

    /// More or less of a log may count. On a hub's control log hang verdicts of all others.
    pub(crate) fn move_bound(&self, g: &mut Commit, log: LogId) {
        let of_hub = self.ledger.control().role(&log.node) == Some(Role::Hub);
        if of_hub && log.lane == Lane::Control {
            g.verdicts_moved = true;
        } else {
            g.bounds_moved.insert(log);
        }
    }

    /// Notes what may count otherwise by a control entry which was just learned.
    pub(crate) fn move_said(&self, g: &mut Commit, body: &Body) {
        match body {
            Body::Cut(Cut {
                target: CutTarget::Log(log),
                ..
            }) => self.move_bound(g, *log),
            Body::Admit(admit) => g.bounds_moved.extend(admit.entries.iter().map(|e| e.log)),
            Body::Cut(_) | Body::Enrolment(_) => g.verdicts_moved = true,
            _ => {}
        }
    }

    /// A node's forked logs up to as many as make it one that is cut as a whole, and one more.
    fn forked_logs(&self, node: &NodeId) -> Vec<LogId> {
        let forks = self.ledger.control().forks_of(node);
        forks
            .take(FORKED_LOGS_MAX + 1)
            .map(ForkProof::log)
            .collect()
    }

    /// Cuts the logs whose fork is known and which no cut stands against. A hub does that when it
    /// has compared with the peer and lacks no control entries that the peer has: one that comes
    /// back empty hears of old forks before it hears of its own cuts, and would cut at the little
    /// that it holds by then.
    pub(crate) async fn cut_forks(&mut self, g: &mut Commit) {
        if self.me.role != Role::Hub || wadi_store::defence::off("cut") {
            return;
        }

        let forked: BTreeSet<NodeId> = {
            let forks = self.ledger.control().forks();
            forks.keys().map(|log| log.node).collect()
        };

        for node in forked {
            self.cut_forks_of(g, node).await;
        }
    }

    /// A hub's own logs are for the root to cut.
    async fn cut_forks_of(&mut self, g: &mut Commit, node: NodeId) {
        let (is_cut, of_hub) = {
            let control = self.ledger.control();
            (
                control.is_cut(&node),
                control.role(&node) == Some(Role::Hub),
            )
        };

        if is_cut || of_hub {
            return;
        }

        let logs = self.forked_logs(&node);
        let few = logs.len() < FORKED_LOGS_MAX || defence::off("forked-node-cut");
        let written = if few {
            self.cut_logs(g, &logs).await
        } else {
            self.cut_forked_node(g, node).await
        };

        if let Err(error) = written {
            tracing::error!(%error, "the cut of a forked log could not be written");
        }
    }

    async fn cut_logs(&mut self, g: &mut Commit, logs: &[LogId]) -> Result<(), NodeError> {
        for log in logs {
            // Of one of which nothing is held nothing is known that could count.
            let is_known = self.ledger.held(log) > 0
                || self
                    .ledger
                    .control()
                    .cosigned_by(log, &self.ledger.node())
                    .is_some();
            if !is_known || self.ledger.control().cut_bound(log).is_some() {
                continue;
            }

            let heads = self.witnessed_end(log).into_iter().collect();
            let reason = "the log was forked: the branch that this hub cosigned first counts";
            let cut = Cut::of(CutTarget::Log(*log), heads, reason.into());
            self.write_control(g, vec![Body::Cut(cut)], Signatory::default())
                .await?;
        }

        Ok(())
    }

    /// Cuts a node at what this hub holds of it, and each forked log at what it cosigned of that.
    async fn cut_forked_node(&mut self, g: &mut Commit, node: NodeId) -> Result<(), NodeError> {
        let forked: BTreeMap<LogId, Option<Head>> = {
            let forks = self.ledger.control().forks_of(&node);
            let logs: Vec<LogId> = forks.map(ForkProof::log).collect();
            logs.into_iter()
                .map(|log| (log, self.witnessed_end(&log)))
                .collect()
        };

        let held = self.ledger.logs_of(&node);
        let plain = held
            .filter(|(log, head)| head.peaks.size() > 0 && !forked.contains_key(log))
            .map(|(log, head)| Head {
                log: *log,
                size: head.peaks.size(),
                root: head.peaks.root(),
            });

        let heads: Vec<Head> = plain.chain(forked.values().copied().flatten()).collect();
        let reason = format!(
            "{FORKED_LOGS_MAX} or more of its logs were forked: what this hub cosigned first counts"
        );
        let cut = Cut::of(CutTarget::Node(node), longest(heads), reason);
        let bodies = cut.in_parts().into_iter().map(Body::Cut).collect();
        self.write_control(g, bodies, Signatory::default())
            .await
            .map(drop)
    }

    /// Where a forked log ends for this hub: at what it has cosigned itself, and where that is
    /// less, at the end of what both branches agree on.
    fn witnessed_end(&self, log: &LogId) -> Option<Head> {
        let proof = self.ledger.control().forks().get(log)?;
        let held = self.ledger.head(log).map(|h| Tip {
            size: h.peaks.size(),
            root: h.peaks.root(),
        });

        // What it cosigned and lost since counts as what it holds.
        let cosigned = self.ledger.control().cosigned_by(log, &self.ledger.node());
        let longest = held
            .into_iter()
            .chain(cosigned)
            .filter(|tip| tip.size > proof.at)
            .max_by_key(|tip| tip.size)
            .map(|tip| (tip.size, tip.root));

        let (size, root) = longest.or_else(|| proof.agreed())?;
        let log = *log;
        Some(Head { log, size, root })
    }
}

/// The longest of them, ascending by log.
fn longest(mut heads: Vec<Head>) -> Vec<Head> {
    heads.sort_by_key(|head| (std::cmp::Reverse(head.size), head.log));
    heads.truncate(NODE_CUT_HEADS_MAX);
    heads.sort_by_key(|head| head.log);
    heads
}
