//! The country log of a hub: heads of all logs that it holds, each day's policy and each cut, once
//! an hour and at each cut, as a C2SP log that outsiders mirror and cosign.
//!
//! What is to be published is durable first, then told in the hub's own control log (how many
//! leaves, under which root), and signed last. A hub that shows two histories has to tell two such
//! heads, and so to fork its control log, which every node holds and compares.

mod kept;
mod listing;
mod proving;
mod standing;
mod witnesses;

pub use proving::CountryProofs;
pub use witnesses::{WitnessPlan, WitnessTransport};

use crate::door::{Door, error::NodeError};
use kept::{KeptLog, key_of};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock, RwLock},
    time::Duration,
};
use wadi_country::{
    CountryHead, CountryKey, HeadSigner, TILE_WIDTH, TileAt, TileKind, TilePath, bundle,
};
use wadi_log::{Body, ChainHeadEntry, Hash, Role};
use wadi_store::{LocalKey, LocalScope};
use witnesses::WitnessMemory;

/// The alarm of a log that began anew.
pub(crate) const BEGUN_ANEW: &str = "country_anew";
/// How often it is looked whether something is due.
const LOOK_PERIOD: Duration = Duration::from_secs(5);

/// How the country log is kept, and who may read it.
#[derive(Clone)]
pub struct CountryPlan {
    /// From one listing to the next, by the hub's time.
    pub every: Duration,
    /// Whether it is read without a token.
    pub public: bool,
    /// Who is asked to cosign.
    pub witnesses: Vec<WitnessPlan>,
    /// How they are reached.
    pub transport: Arc<dyn WitnessTransport>,
}

/// A checkpoint that was signed, with the cosignatures that came so far.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Published {
    origin: String,
    size: u64,
    root: String,
    note: String,
    cosigned: usize,
}

impl Published {
    fn root(&self) -> Option<Hash> {
        Hash::from_slice(&wadi_log::unhex(&self.root)?).ok()
    }
}

/// The checkpoints that are shown: the newest, and the newest that a witness cosigned.
#[derive(Clone, Default)]
struct ShownHeads {
    newest: Option<Published>,
    cosigned: Option<Published>,
}

/// A hub's country log. On other nodes it is empty.
pub struct Country {
    door: Arc<Door>,
    plan: OnceLock<CountryPlan>,
    kept: tokio::sync::Mutex<Option<KeptLog>>,
    shown: RwLock<ShownHeads>,
    memory: tokio::sync::Mutex<BTreeMap<String, WitnessMemory>>,
}

impl Country {
    pub(crate) fn new(door: Arc<Door>) -> Self {
        Self {
            door,
            plan: OnceLock::new(),
            kept: tokio::sync::Mutex::default(),
            shown: RwLock::default(),
            memory: tokio::sync::Mutex::default(),
        }
    }

    /// Keeps the log, until the future is dropped. Any but a hub has none.
    pub async fn run(self: Arc<Self>, plan: CountryPlan) {
        let plan = self.plan.get_or_init(|| plan).clone();
        if self.door.me.role != Role::Hub {
            return std::future::pending().await;
        }

        loop {
            let done = self.turn(&plan).await;
            if let Err(error) = &done {
                tracing::warn!(%error, "the country log cannot be kept for now");
                // What could not be read or written is read anew: nobody knows what is there.
                *self.kept.lock().await = None;
            }

            let why = |error: &NodeError| {
                format!("the country log cannot be kept for now: {error}; it is tried again")
            };
            self.door
                .set_alarm("country_log", done.as_ref().err().map(why));
            tokio::time::sleep(LOOK_PERIOD.min(plan.every)).await;
        }
    }

    /// Whether it is read without a token. It is not, before its plan is known.
    pub fn is_public(&self) -> bool {
        self.plan.get().is_some_and(|plan| plan.public)
    }

    /// Lists what is due, publishes it, and asks witnesses.
    async fn turn(&self, plan: &CountryPlan) -> Result<(), NodeError> {
        let mut kept = self.kept.lock().await;
        if kept.is_none() {
            let loaded = KeptLog::load(&self.door, plan.every).await?;
            *self.shown.write().expect("no panic holds it") = loaded.shown.clone();
            *kept = Some(loaded.log);
        }

        let log = kept.as_mut().expect("it was loaded");
        if let Some((size, root)) = log.contradicted(&self.door).await? {
            let why = format!(
                "this node told of {size} leaves of its country log {} under the root {root}, \
                 which it does not hold: it begins another one",
                log.origin
            );
            *log = KeptLog::begin(&self.door, Some(&why), plan.every).await?;
            *self.shown.write().expect("no panic holds it") = ShownHeads::default();
        }

        let now_ms = self.door.time().now_ms();
        let anew = log.state.anew.as_ref().and_then(|anew| anew.alarm(now_ms));
        self.door.set_alarm(BEGUN_ANEW, anew);

        let shown = self.shown.read().expect("no panic holds it").newest.clone();
        let is_behind = shown.as_ref().is_some_and(|s| s.size != log.edge.size());
        if is_behind || log.is_due(&self.door, plan.every) {
            log.list(&self.door).await?;
            self.publish(log).await?;
        }
        drop(kept);

        self.note_standing(plan).await;
        let asked = self.ask_witnesses(plan).await;
        self.note_standing(plan).await;
        asked
    }

    /// Tells the head in the hub's own control log, and then signs it: who holds the one can ask
    /// for the other.
    async fn publish(&self, log: &KeptLog) -> Result<(), NodeError> {
        let (size, root) = (log.edge.size(), log.edge.root());
        if log.last_told(&self.door) != Some((size, root)) {
            let told = Body::ChainHead(ChainHeadEntry {
                chain: log.chain(),
                lines: size,
                head: root,
            });
            self.door.write_control(vec![told], "").await?;
        }

        let origin = log.origin.clone();
        let key = CountryKey::new(&self.door.keys.log_key, &origin);
        let head = CountryHead { origin, size, root };
        let note = head.note(
            &key,
            u64::try_from(self.door.time().now_s()).unwrap_or(1).max(1),
        );
        let published = Published {
            origin: head.origin,
            size,
            root: root.to_string(),
            note,
            cosigned: 0,
        };
        self.show(published).await
    }

    /// Keeps a checkpoint, and shows it once it is kept.
    async fn show(&self, published: Published) -> Result<(), NodeError> {
        let row = |key: &str| LocalKey {
            scope: LocalScope::Country,
            key: key_of(key, &self.door.id()),
            value: serde_json::to_string(&published).expect("plain text serialises"),
        };
        let mut rows = vec![row("published")];
        if published.cosigned > 0 {
            rows.push(row("cosigned"));
        }
        self.door.set_local(rows, vec![]).await?;

        let mut shown = self.shown.write().expect("no panic holds it");
        if published.cosigned > 0 {
            shown.cosigned = Some(published.clone());
        }
        shown.newest = Some(published);
        Ok(())
    }

    /// The newest checkpoint, a signed note with the cosignatures that came so far.
    pub fn checkpoint(&self) -> Option<String> {
        let shown = self.shown.read().expect("no panic holds it");
        shown
            .newest
            .as_ref()
            .map(|published| published.note.clone())
    }

    /// The verifier keys of the log as it is shown, one a line.
    pub fn vkeys(&self) -> Option<String> {
        let shown = self.shown.read().expect("no panic holds it");
        let origin = &shown.newest.as_ref()?.origin;
        let keys = CountryKey::new(&self.door.keys.log_key, origin).vkeys();
        Some(keys.iter().map(|key| format!("{}\n", key.text())).collect())
    }

    /// A tile or an entry bundle; nothing where the newest checkpoint does not reach that far.
    pub async fn tile(&self, path: &TilePath) -> Result<Option<Vec<u8>>, NodeError> {
        let size = {
            let shown = self.shown.read().expect("no panic holds it");
            shown.newest.as_ref().map_or(0, |published| published.size)
        };
        if !path.is_in(size) {
            return Ok(None);
        }

        let mut kept = self.kept.lock().await;
        let Some(log) = kept.as_mut() else {
            return Ok(None);
        };
        match path.kind {
            TileKind::Hashes(level) => {
                let at = TileAt {
                    level,
                    index: path.index,
                };
                let hashes = log.tile(&self.door, at).await?;
                let hashes = hashes.iter().take(path.width);
                Ok(Some(hashes.flat_map(|hash| hash.0).collect()))
            }
            TileKind::Entries => {
                let from = path.index * TILE_WIDTH as u64;
                let leaves = log.leaves(&self.door, from, path.width).await?;
                Ok(bundle(leaves.iter().map(String::as_bytes)))
            }
        }
    }
}
