//! A node's handle: it starts and stops the parts, and leads to each of them.

use crate::{
    api::{
        Reads, chain_heads::tell_chain_heads, cursors::Cursors, local_chain::LocalChain,
        local_table::LocalTable, status::Status, tokens::Tokens,
    },
    bundles::Bundles,
    door::{Door, command::Command, command_queue::command_queue, error::NodeError},
    hub::{
        country::Country,
        life::Findings,
        reconciler::{self, Reconciler},
    },
    ledger::Ledger,
    links,
    parts::{SharedParts, Start},
    upkeep::{
        resync::Resyncs,
        resync_run::Runner,
        salvage::Salvager,
        scrub::{Scrub, ScrubPace, Scrubber},
    },
};
use std::{
    ops::Deref,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};
use wadi_log::Role;
use wadi_store::LocalScope;

/// Looks at personal data that are kept; the oldest go first.
const LOOKS_MAX: u64 = 2_000_000;
/// Lines of the audit of sign-ins that are kept.
const SIGN_INS_MAX: u64 = 20_000;
/// Lines about bundles that are kept.
const BUNDLE_ACTS_MAX: u64 = 20_000;

/// A running node: its door, and a handle for each of its parts.
pub struct Node {
    door: Arc<Door>,
    reads: Reads,
    tokens: Tokens,
    accounts: LocalTable,
    sign_in_pauses: LocalTable,
    dismissals: LocalTable,
    sign_ins: Arc<LocalChain>,
    looks: Arc<LocalChain>,
    bundle_acts: Arc<LocalChain>,
    bundles: Bundles,
    findings: Findings,
    scrub: Arc<Scrub>,
    resyncs: Arc<Resyncs>,
    salvager: Arc<Salvager>,
    country: Arc<Country>,
    sequencer: Mutex<Option<JoinHandle<()>>>,
    /// Tasks that stop at once: what each is at is begun again from its cursor.
    others: Mutex<Vec<JoinHandle<()>>>,
}

/// Starts the tasks that work beside the sequencer for as long as the node runs.
fn watched(
    door: &Arc<Door>,
    scrub: &Arc<Scrub>,
    pace: ScrubPace,
    resyncs: &Arc<Resyncs>,
) -> Vec<JoinHandle<()>> {
    let mut others = Vec::new();
    others.extend(door.spawn_watched("scrubber", Scrubber::new(scrub, pace).run()));
    others.extend(door.spawn_watched("resyncs", Runner::new(resyncs).run()));
    if door.me.role == Role::Hub {
        let task = Reconciler::new(door, door.reconcile.clone()).run();
        others.extend(door.spawn_watched(reconciler::TASK, task));
    } else {
        // A hub's reconciler does it between its rounds. It ends, and nobody waits for it.
        let (terms, store) = (door.shared_terms.clone(), door.store.clone());
        others.push(tokio::spawn(async move { terms.read_all(&*store).await }));
    }

    others
}

/// A node can do what its door can: write, listen, say who it is.
impl Deref for Node {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

impl Node {
    /// Reads what is stored and starts the sequencer.
    pub async fn start(start: Start) -> Result<Arc<Self>, NodeError> {
        start.me.verify(&start.keys.root)?;
        if start.keys.log_key.node() != start.me.node() {
            let node = start.me.name;
            return Err(NodeError::KeyMismatch { node });
        }

        let (known, pace, me) = (start.known.clone(), start.scrub, start.me.clone());
        let parts = SharedParts::new(start).await?;
        let mut ledger = Ledger::new(parts.keys.root, me.clone());
        let (publish, views) = watch::channel(ledger.snapshot());
        let mut sequencer = parts.sequencer(ledger, publish);
        sequencer.recall().await?;

        let (queue, receiver) = command_queue();
        let handle = parts.tasks.spawn("sequencer", sequencer.run(receiver));
        let door = Arc::new(parts.door(queue, views));

        links::recall_hubs(&door).await;
        door.introduce(me).await?;
        door.put(Command::Learn(known, door.id())).await;
        door.set_alarm("set_aside", door.suspects.alarm());

        let cursors = Cursors::start(&door).await?;
        let scrub = Arc::new(Scrub::new(door.clone()));
        let resyncs = Arc::new(Resyncs::new(door.clone(), scrub.clone()));
        let mut others = watched(&door, &scrub, pace, &resyncs);

        let chain = |scope, max| Arc::new(LocalChain::new(door.clone(), scope, max));
        let sign_ins = chain(LocalScope::SignIn, SIGN_INS_MAX);
        let looks = chain(LocalScope::Look, LOOKS_MAX);
        let bundle_acts = chain(LocalScope::BundleAct, BUNDLE_ACTS_MAX);
        let chains = [sign_ins.clone(), looks.clone(), bundle_acts.clone()];
        others.extend(door.spawn_watched("chain_heads", tell_chain_heads(door.clone(), chains)));

        Ok(Arc::new(Self {
            reads: Reads::new(door.clone(), cursors),
            tokens: Tokens::new(door.clone()),
            accounts: LocalTable::new(door.clone(), LocalScope::Account),
            sign_in_pauses: LocalTable::new(door.clone(), LocalScope::SignInPause),
            dismissals: LocalTable::new(door.clone(), LocalScope::RefusalDismissed),
            sign_ins,
            looks,
            bundle_acts,
            bundles: Bundles::new(door.clone()),
            findings: Findings::new(door.clone()),
            salvager: Arc::new(Salvager::new(door.clone())),
            country: Arc::new(Country::new(door.clone())),
            scrub,
            resyncs,
            sequencer: Mutex::new(Some(handle)),
            others: Mutex::new(others),
            door,
        }))
    }

    /// The one way in, for tasks that need nothing else of the node.
    pub fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// What people and programs read.
    pub fn reads(&self) -> &Reads {
        &self.reads
    }

    /// The API's tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Accounts of people who may sign in here.
    pub fn accounts(&self) -> &LocalTable {
        &self.accounts
    }

    /// Failures to sign in.
    pub fn sign_in_pauses(&self) -> &LocalTable {
        &self.sign_in_pauses
    }

    /// Refusals that somebody dismissed, and why.
    pub fn dismissals(&self) -> &LocalTable {
        &self.dismissals
    }

    /// Who signed in.
    pub fn sign_ins(&self) -> &LocalChain {
        &self.sign_ins
    }

    /// Who looked at personal data.
    pub fn looks(&self) -> &LocalChain {
        &self.looks
    }

    /// Who made a bundle, and who took one in.
    pub fn bundle_acts(&self) -> &LocalChain {
        &self.bundle_acts
    }

    /// How many times as fast as people's time this node's clock runs.
    pub fn pace(&self) -> f64 {
        self.door.clock.pace()
    }

    /// Bundles and receipts.
    pub fn bundles(&self) -> &Bundles {
        &self.bundles
    }

    /// What becomes of findings.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// Reading everything through.
    pub fn scrub(&self) -> &Arc<Scrub> {
        &self.scrub
    }

    /// Forced resyncs.
    pub fn resyncs(&self) -> &Arc<Resyncs> {
        &self.resyncs
    }

    /// Databases that were set aside.
    pub fn salvager(&self) -> &Arc<Salvager> {
        &self.salvager
    }

    /// The country log; empty on all but hubs.
    pub fn country(&self) -> &Arc<Country> {
        &self.country
    }

    /// How the node stands.
    pub async fn status(&self) -> Result<Status, NodeError> {
        self.reads.status().await
    }

    /// Finishes what is queued, closes the store and returns when all is on disk.
    pub async fn stop(&self) {
        self.door.tasks.stopping();
        let others = std::mem::take(&mut *self.others.lock().expect("no panic holds it"));
        for task in others.into_iter().rev() {
            // What it was at is begun again from its cursor at the next start.
            task.abort();
            let _ = task.await;
        }

        // What went over in the last minute counts towards the month, too.
        let mut keys = self.door.contacts.keys();
        keys.extend(self.door.budgets.rows(Instant::now(), self.door.now_ms()));
        if let Err(error) = self.door.set_local(keys, vec![]).await {
            tracing::debug!(%error, "contacts and budgets cannot be written down now");
        }

        let (reply, done) = oneshot::channel();
        let closed = self.door.queue.send(Command::Stop(reply)).await && done.await.is_ok();
        if !closed {
            // The sequencer is gone, and closes nothing any more.
            self.door.store.close().await;
        }

        let handle = self.sequencer.lock().expect("no panic holds it").take();
        if let Some(handle) = handle {
            let _ = handle.await;
        }
    }
}
