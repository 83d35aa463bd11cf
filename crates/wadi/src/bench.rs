//! The figures of `docs/performance.md`: each prints what it measured beside a floor measured in the same run.

use crate::failure::{Exit, Failure};
use clap::Subcommand;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use wadi_log::{Crossing, Enrolment, LogKey, Role, RootKey, Scope};
use wadi_node::{Arriving, Leaving, Node, NodeKeys, Start, SystemClock, Target, Write, run_link};
use wadi_record::{Draft, Passage};
use wadi_store::{PostgresStore, SqliteStore, Store, TemporaryServer};

#[derive(Subcommand)]
pub enum BenchCommand {
    /// Durable acknowledged writes a second at one site, beside bare SQLite inserts under the same fsync setting.
    Site {
        /// Writes by each writer count.
        #[arg(long, default_value_t = 2_000)]
        writes: usize,
        /// Writers at once in the second part.
        #[arg(long, default_value_t = 200)]
        writers: usize,
    },
    /// A hub takes a site's records in, end to end: sent, verified, merged, projected, durable, and reconciled.
    Hub {
        /// sqlite, or postgres: a server of its own, started from the system's binaries.
        #[arg(long, default_value = "sqlite")]
        store: String,
        /// Records; each is an entry of its own and an edit.
        #[arg(long, default_value_t = 10_000)]
        records: usize,
    },
}

struct Bench {
    root: LogKey,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        Ok(Self { root: LogKey::from_seed(&rand::random()), dir: tempfile::tempdir()? })
    }

    fn enrol(&self, name: &str, role: Role, crossing: Crossing) -> Result<(LogKey, Enrolment), Failure> {
        let key = LogKey::from_seed(&rand::random());
        let scope = if role == Role::Hub { Scope::all() } else { Scope::of_crossing(crossing) };
        let enrolment = Enrolment {
            name: name.into(),
            role,
            crossing: Some(crossing),
            log_key: key.public(),
            tls_key: [0; 32],
            scope,
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        };
        Ok((key, enrolment.issue(&self.root)?))
    }

    async fn node(&self, (log_key, me): (LogKey, Enrolment), known: Vec<Enrolment>) -> Result<Arc<Node>, Failure> {
        let dir = self.dir.path().join(&me.name);
        std::fs::create_dir_all(&dir)?;
        let store = SqliteStore::open(&dir, me.node()).await?;
        self.node_on(store, (log_key, me), known).await
    }

    async fn node_on(
        &self,
        store: Arc<dyn Store>,
        (log_key, me): (LogKey, Enrolment),
        known: Vec<Enrolment>,
    ) -> Result<Arc<Node>, Failure> {
        let keys = NodeKeys { log_key, root: RootKey(self.root.public()) };
        Ok(Node::start(Start {
            keys,
            me,
            known,
            store,
            clock: Arc::new(SystemClock::real()),
            scrub: Default::default(),
        })
        .await?)
    }
}

fn draft(n: usize) -> Draft {
    Passage::announce("in")
        .plate(&format!("{}-A-{:05}", 11 + n % 80, n % 100_000), "IQ")
        .text("container.1", format!("MSCU{:07}", n % 10_000_000))
        .text("purpose", "goods")
        .text("goods.hs_code", "0803.90")
        .text("note", "documents complete")
        .gate_in("G1", &format!("ANPR-{n}"))
}

fn write(n: usize) -> Write {
    Write::by("OF-0001", "PORT", Target::New(None), draft(n))
}

pub async fn run(command: BenchCommand, json: bool) -> Result<Exit, Failure> {
    let value = match command {
        BenchCommand::Site { writes, writers } => site(writes, writers).await?,
        BenchCommand::Hub { store, records } => {
            let server_dir = tempfile::tempdir()?;
            let server = match store.as_str() {
                "sqlite" => None,
                "postgres" => Some(TemporaryServer::start(&server_dir.path().join("pg"))?),
                other => return Err(Failure::usage("unknown_store", format!("{other:?} is none of sqlite, postgres"))),
            };
            hub(records, server.as_ref()).await?
        }
    };
    if json {
        println!("{value}");
    } else {
        println!("{}", serde_json::to_string_pretty(&value).unwrap_or_default());
    }
    Ok(Exit::Done)
}

/// Bare inserts of the same number of bytes, one commit each, WAL and synchronous FULL: what the disk allows one writer.
async fn bare_inserts(dir: &Path, count: usize) -> Result<f64, Failure> {
    let failed = |e: sqlx::Error| Failure::new("bench", e.to_string());
    let options = SqliteConnectOptions::new()
        .filename(dir.join("bare.sqlite"))
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
        .disable_statement_logging();
    let mut conn = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    sqlx::query("CREATE TABLE bare (id INTEGER PRIMARY KEY, bytes BLOB)").execute(&mut conn).await.map_err(failed)?;
    let bytes = vec![7u8; 400];
    let started = Instant::now();
    for _ in 0..count {
        sqlx::query("INSERT INTO bare (bytes) VALUES (?1)").bind(&bytes).execute(&mut conn).await.map_err(failed)?;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

async fn site(writes: usize, writers: usize) -> Result<Value, Failure> {
    let bench = Bench::new()?;
    let papers = bench.enrol("trb", Role::Crossing, "TRB".parse()?)?;
    let node = bench.node(papers, vec![]).await?;
    let bare = bare_inserts(bench.dir.path(), writes).await?;
    let started = Instant::now();
    for n in 0..writes {
        node.write(write(n)).await?;
    }
    let one = writes as f64 / started.elapsed().as_secs_f64();
    let started = Instant::now();
    let each = writes.div_ceil(writers).max(10);
    let mut tasks = tokio::task::JoinSet::new();
    for w in 0..writers {
        let node = node.clone();
        tasks.spawn(async move {
            for n in 0..each {
                node.write(write(writes + w * each + n)).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.map_err(|e| Failure::new("bench", e.to_string()))??;
    }
    let many = (each * writers) as f64 / started.elapsed().as_secs_f64();
    node.stop().await;
    let round = |x: f64| (x * 100.0).round() / 100.0;
    Ok(json!({
        "bare_sqlite_inserts_per_s": round(bare), "one_writer_per_s": round(one), "writers": writers,
        "many_writers_per_s": round(many), "one_writer_ratio": round(one / bare), "many_writers_ratio": round(many / bare),
    }))
}

/// Connects two nodes in this process by channels in place of QUIC streams; counts the bytes of blocks.
fn connect(a: &Arc<Node>, b: &Arc<Node>, bytes: &Arc<std::sync::atomic::AtomicU64>) {
    let (to_b, from_a) = mpsc::channel(64);
    let (to_a, from_b) = mpsc::channel(64);
    for (node, peer, mine, theirs) in [(a, b, from_b, to_b), (b, a, from_a, to_a)] {
        let (out, mut leaving) = mpsc::channel(64);
        let bytes = bytes.clone();
        tokio::spawn(run_link(node.clone(), peer.id(), [0; 32], mine, out));
        tokio::spawn(async move {
            while let Some(item) = leaving.recv().await {
                let arriving = match item {
                    Leaving::Message(m) => {
                        bytes.fetch_add(m.encode().len() as u64, std::sync::atomic::Ordering::Relaxed);
                        Arriving::Message(m)
                    }
                    Leaving::Frame(lane, frame) => {
                        bytes.fetch_add(frame.len() as u64, std::sync::atomic::Ordering::Relaxed);
                        Arriving::Frame(lane, frame)
                    }
                };
                if theirs.send(arriving).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn cpu_s() -> f64 {
    // utime and stime, in ticks of 1/100 s (proc(5)).
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or_default();
    let fields: Vec<f64> = after.split(' ').filter_map(|f| f.parse().ok()).collect();
    fields.get(10).zip(fields.get(11)).map_or(0.0, |(u, s)| (u + s) / 100.0)
}

fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|k| k.parse::<u64>().ok()).unwrap_or(0) * 1024
}

async fn hub(records: usize, server: Option<&TemporaryServer>) -> Result<Value, Failure> {
    let bench = Bench::new()?;
    let site_papers = bench.enrol("trb", Role::Crossing, "TRB".parse()?)?;
    let hub_papers = bench.enrol("hub", Role::Hub, Crossing::HUB)?;
    let known = vec![site_papers.1.clone(), hub_papers.1.clone()];
    let site = bench.node(site_papers, known.clone()).await?;
    let mut edits = Vec::new();
    for start in (0..records).step_by(1_000) {
        for done in site.write_all((start..records.min(start + 1_000)).map(write).collect()).await {
            let written = done?;
            let draft = Passage::on().text("seal.1", format!("JO{:07}", edits.len())).weigh("S1", 31_000, None);
            edits.push(Write::by("OF-0002", "OPS", Target::On(written.record), draft));
        }
    }
    for part in edits.chunks(1_000) {
        for done in site.write_all(part.to_vec()).await {
            done?;
        }
    }
    let hub = match server {
        None => bench.node(hub_papers, known).await?,
        Some(server) => {
            let dir = bench.dir.path().join("hub");
            std::fs::create_dir_all(&dir)?;
            let store = PostgresStore::open(&server.create("wadi")?, &dir, hub_papers.1.node(), || ()).await?;
            bench.node_on(store, hub_papers, known).await?
        }
    };
    let bytes = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let (cpu, started) = (cpu_s(), Instant::now());
    connect(&site, &hub, &bytes);
    let wanted: u64 = site.heads_of(&site.id()).iter().map(|h| h.size).sum();
    let held = |n: &Arc<Node>| n.heads_of(&site.id()).iter().map(|h| h.size).sum::<u64>();
    while held(&hub) < wanted {
        if started.elapsed() > Duration::from_secs(3_600) {
            return Err(Failure::new("bench", "the hub did not take everything within an hour"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let durable_s = started.elapsed().as_secs_f64();
    while !hub.store().changes(hub.reconciled(), 1).await?.is_empty() {
        if started.elapsed() > Duration::from_secs(3_600) {
            return Err(Failure::new("bench", "the hub did not reconcile everything within an hour"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let cpu = cpu_s() - cpu;
    let rss = rss_bytes();
    hub.stop().await;
    site.stop().await;
    let disk = match server {
        None => std::fs::metadata(bench.dir.path().join("hub/node.sqlite"))?.len(),
        Some(server) => server.database_bytes("wadi").await?,
    };
    let changes = (2 * records) as f64;
    Ok(json!({
        "store": if server.is_some() { "postgres" } else { "sqlite" }, "records": records,
        "durable_per_s": (changes / durable_s).round(), "changes_per_s": (changes / seconds).round(),
        "cpu_us_per_change": (cpu * 1e6 / changes).round(), "rss_bytes": rss,
        "disk_bytes_per_change": (disk as f64 / changes).round(),
        "wire_bytes_per_change": (bytes.load(std::sync::atomic::Ordering::Relaxed) as f64 / changes).round(),
    }))
}
