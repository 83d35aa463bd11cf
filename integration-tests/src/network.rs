//! A country in one process: real nodes on real SQLite, their links made of channels that carry
//! what QUIC would. For gates that need hundreds of starts, where a process each would cost a
//! second apiece.

use crate::patience;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinHandle};
use wadi_log::*;
use wadi_node::{
    Arriving, BudgetLimits, Clock, Cost, Leaving, Limit, Node, NodeError, NodeKeys, ScopeDigest,
    Start, SystemClock, run_link,
};
use wadi_store::{REBUILD_MARKER, SetAside, SqliteStore, StoreError, StoreKey};

/// The commission and its members.
pub struct Country {
    root: LogKey,
    members: Vec<Enrolment>,
    dir: tempfile::TempDir,
    store_key: Option<StoreKey>,
}

fn key(name: &str) -> LogKey {
    let mut seed = [7; 32];
    name.bytes().enumerate().for_each(|(n, b)| seed[n] = b);
    LogKey::from_seed(&seed)
}

impl Country {
    /// A country with these members: name, role and crossing. An observer takes all control, holds
    /// and passages.
    pub fn of(members: &[(&str, Role, &str)]) -> Self {
        let root = LogKey::from_seed(&[1; 32]);
        let members = members.iter().map(|(name, role, crossing)| {
            let code: Option<Crossing> = crossing.parse().ok();
            let scope = match role {
                Role::Hub => Scope::all(),
                Role::Observer => Scope(vec![Grant {
                    lanes: Lane::Control.bit() | Lane::Hold.bit() | Lane::Passage.bit(),
                    crossing: None,
                }]),
                Role::Crossing => Scope::of_crossing(code.expect("a crossing has a code")),
            };

            let (log_key, tls_key, root_signature) = (key(name).public(), [0; 32], [0; 64]);
            let e = Enrolment {
                name: (*name).into(),
                role: *role,
                crossing: code,
                log_key,
                tls_key,
                scope,
                serial: 1,
                issued_s: 0,
                root_signature,
            };

            e.issue(&root).expect("an enrolment of plain parts")
        });

        Self {
            members: members.collect(),
            root,
            dir: tempfile::tempdir().expect("a temporary directory"),
            store_key: None,
        }
    }

    /// The same country, whose nodes encrypt their databases.
    pub fn encrypting(self) -> Self {
        Self {
            store_key: Some(StoreKey::new([0x5e; 64])),
            ..self
        }
    }

    /// The key of a member, which a thief may have, too.
    pub fn key(&self, name: &str) -> LogKey {
        key(name)
    }

    /// A cut that the commission's root signed.
    pub fn sign_cut(&self, cut: Cut) -> Cut {
        cut.issue(&self.root)
    }

    /// A member's enrolment.
    pub fn member(&self, name: &str) -> &Enrolment {
        self.members
            .iter()
            .find(|e| e.name == name)
            .unwrap_or_else(|| panic!("no member {name}"))
    }

    /// The directory of everything.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A member's directory.
    pub fn dir_of(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a member in its directory.
    pub async fn start(&self, name: &str) -> Arc<Node> {
        self.start_in(name, &self.dir_of(name))
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    async fn store_in(&self, name: &str, dir: &Path) -> Result<Arc<SqliteStore>, StoreError> {
        SqliteStore::open_with(dir, self.member(name).node(), self.store_key.as_ref()).await
    }

    /// Starts a member in some directory.
    pub async fn start_in(&self, name: &str, dir: &Path) -> Result<Arc<Node>, StoreError> {
        std::fs::create_dir_all(dir).expect("a directory");
        let store = self.store_in(name, dir).await?;
        self.start_on(name, store)
            .await
            .map_err(|e| StoreError::Conflict(e.to_string()))
    }

    /// Starts a member in its directory, with a clock of the story's.
    pub async fn start_with(&self, name: &str, clock: Arc<dyn Clock>) -> Arc<Node> {
        self.start_bounding(name, clock, BudgetLimits::default())
            .await
    }

    /// Starts a member in its directory that lets others cost it so much.
    pub async fn start_costing(&self, name: &str, budgets: BudgetLimits) -> Arc<Node> {
        let clock = Arc::new(SystemClock::real());
        self.start_bounding(name, clock, budgets).await
    }

    /// Starts a member whom others may cost whatever they like, with a clock of the story's: what
    /// is asked is how it lives through all of it, and not how it puts them off.
    pub async fn start_unspared(&self, name: &str, clock: Arc<dyn Clock>) -> Arc<Node> {
        let all = Limit {
            burst: 1e15,
            per_s: 1e12,
        };
        let budgets = Cost::ALL
            .into_iter()
            .fold(BudgetLimits::default(), |limits, cost| {
                limits.with(cost, all)
            });

        self.start_bounding(name, clock, budgets).await
    }

    async fn start_bounding(
        &self,
        name: &str,
        clock: Arc<dyn Clock>,
        budgets: BudgetLimits,
    ) -> Arc<Node> {
        let dir = self.dir_of(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        let store = self.store_in(name, &dir).await.expect("a database");

        let start = self.papers(name, store, clock);
        Node::start(Start { budgets, ..start })
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Starts a member whose papers name these members alone.
    pub async fn start_knowing(&self, name: &str, names: &[&str]) -> Arc<Node> {
        let known = names.iter().map(|name| self.member(name).clone());
        let of_few = Self {
            root: LogKey::from_seed(&[1; 32]),
            members: known.collect(),
            dir: tempfile::tempdir().expect("a temporary directory"),
            store_key: self.store_key.clone(),
        };

        let started = of_few.start_in(name, &self.dir_of(name)).await;
        started.unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    async fn start_on(&self, name: &str, store: Arc<SqliteStore>) -> Result<Arc<Node>, NodeError> {
        self.start_by(name, store, Arc::new(SystemClock::real()))
            .await
    }

    async fn start_by(
        &self,
        name: &str,
        store: Arc<SqliteStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Node>, NodeError> {
        Node::start(self.papers(name, store, clock)).await
    }

    /// What a member starts from.
    fn papers(&self, name: &str, store: Arc<SqliteStore>, clock: Arc<dyn Clock>) -> Start {
        let me = self.member(name).clone();
        let keys = NodeKeys {
            log_key: key(name),
            root: RootKey(self.root.public()),
        };
        let known = self.members.clone();

        Start {
            keys,
            me,
            known,
            store,
            clock,
            scrub: Default::default(),
            suspects: Default::default(),
            budgets: Default::default(),
        }
    }

    /// Starts a member as the daemon does, and as it is started again when it ends: what does not
    /// read is set aside, what can still be read of that is taken back, and after a stop out of
    /// order the node's own entries are verified first.
    pub async fn start_as_daemon(
        &self,
        name: &str,
        dir: &Path,
        clean: bool,
    ) -> Result<Arc<Node>, StoreError> {
        let mut last = None;
        for start in 0..4 {
            let stamp = format!("start-{start}");
            let (node, key) = (self.member(name).node(), self.store_key.as_ref());
            let store = SqliteStore::open_or_set_aside_with(dir, node, key, &stamp).await?;
            let error = match self.start_on(name, store.clone()).await {
                Ok(node) => {
                    node.salvager().take_back(SetAside::all(dir)).await;
                    let verified = if clean {
                        Ok(())
                    } else {
                        node.scrub().verify_own().await
                    };

                    let Err(error) = verified else {
                        return Ok(node);
                    };
                    node.stop().await;

                    error
                }
                Err(NodeError::Store(error)) if error.is_rot() => {
                    use wadi_store::prelude::*;
                    store.close().await;
                    error
                }
                Err(error) => return Err(StoreError::Conflict(error.to_string())),
            };

            mark_for_rebuild(dir, &error.to_string());
            last = Some(error);
        }

        Err(last.expect("it was tried"))
    }
}

/// Has the database set aside at the next start, as a daemon does that finds it damaged while it
/// runs.
pub fn mark_for_rebuild(dir: &Path, why: &str) {
    std::fs::write(dir.join(REBUILD_MARKER), format!("{why}\n")).expect("written");
}

/// A link between two nodes, until it is dropped.
pub struct Wire(Vec<JoinHandle<()>>);

impl Wire {
    /// Whether one of the two nodes has ended it.
    pub fn is_over(&self) -> bool {
        self.0[..2].iter().any(JoinHandle::is_finished)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Connects two nodes.
pub fn connect(a: &Arc<Node>, b: &Arc<Node>) -> Wire {
    let (to_a, a_in) = mpsc::channel(64);
    let (to_b, b_in) = mpsc::channel(64);
    let (a_out, from_a) = mpsc::channel(64);
    let (b_out, from_b) = mpsc::channel(64);
    let end = |node: &Arc<Node>, peer: &Arc<Node>, incoming, out| {
        let (node, peer, tls_key) = (node.clone(), peer.id(), peer.me().tls_key);
        tokio::spawn(async move {
            drop(run_link(node.door().clone(), peer, tls_key, incoming, out).await)
        })
    };

    Wire(vec![
        end(a, b, a_in, a_out),
        end(b, a, b_in, b_out),
        tokio::spawn(pass_on(from_a, to_b)),
        tokio::spawn(pass_on(from_b, to_a)),
    ])
}

async fn pass_on(mut from: mpsc::Receiver<Leaving>, to: mpsc::Sender<Arriving>) {
    while let Some(leaving) = from.recv().await {
        let arriving = match leaving {
            Leaving::Message(m) => Arriving::Message(m),
            Leaving::Frame(lane, bytes) => Arriving::Frame(lane, bytes),
        };
        if to.send(arriving).await.is_err() {
            return;
        }
    }
}

/// Waits, bounded, until something holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let patience = patience();
    let deadline = Instant::now() + patience;
    while !holds().await {
        assert!(Instant::now() < deadline, "waited {patience:?} for: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// What a node's records come to, by lane and crossing.
pub async fn scopes(node: &Node) -> BTreeMap<(String, String), ScopeDigest> {
    let status = node.status().await.expect("a status");
    status
        .scopes
        .into_iter()
        .map(|s| ((s.lane.clone(), s.crossing.clone()), s))
        .collect()
}

/// Whether two nodes hold the same of every lane and crossing that both know.
pub async fn agree(a: &Node, b: &Node) -> bool {
    let (a, b) = (scopes(a).await, scopes(b).await);
    a.iter()
        .all(|(key, scope)| b.get(key).is_none_or(|other| other == scope))
}

/// The entries of a node's database as they lie there, of one node's logs: log, position, leaf and
/// bytes.
pub async fn entries_on_disk(dir: &Path, of: NodeId) -> Vec<(Vec<u8>, i64, Vec<u8>, Vec<u8>)> {
    use sqlx::Connection;
    let path = format!("sqlite://{}?mode=ro", dir.join("node.sqlite").display());
    let mut conn = sqlx::SqliteConnection::connect(&path)
        .await
        .expect("the database opens");
    let rows = sqlx::query_as(
        "SELECT log, seq, leaf, bytes FROM entries WHERE substr(log, 1, 16) = ?1 AND main = 1 \
         ORDER BY log, seq",
    )
    .bind(of.0.to_vec())
    .fetch_all(&mut conn)
    .await;

    let rows = rows.expect("entries read");
    let _ = conn.close().await;
    rows
}

/// Copies a directory's files, not what is below it.
pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory").flatten() {
        if entry.path().is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
        }
    }
}

/// One gate's line for `scripts/prove`.
pub fn tell_gate(
    name: &str,
    tried: u64,
    lost: u64,
    undetected: u64,
    exits: u64,
    began: std::time::Instant,
) {
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "GATE {}",
        serde_json::json!({
            "name": name,
            "tried": tried,
            "lost": lost,
            "undetected": undetected,
            "exits": exits,
            "seconds": (seconds * 10.0).round() / 10.0,
        })
    );
}

/// How many trials: a few in CI, many where `WADI_LONG` asks for them.
pub fn trials(short: u64, long: u64) -> u64 {
    if std::env::var("WADI_LONG").is_ok_and(|l| l == "1") {
        long
    } else {
        short
    }
}

pub use wadi_store::defence::fails_without;
