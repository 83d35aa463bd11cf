//! The figures of `docs/performance.md`: each prints what it measured beside a floor measured in
//! the same run.

mod console;
mod hostile;
mod hub;
mod idle;
mod link;
mod link_plot;
mod pair;

use crate::failure::{Exit, Failure};
use clap::Subcommand;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{os::unix::fs::FileExt, path::Path, sync::Arc, time::Instant};
use wadi_log::{Crossing, Enrolment, LogKey, Role, RootKey, Scope};
use wadi_node::{Node, NodeKeys, Start, SystemClock, Target, Write};
use wadi_record::{Draft, Passage};
use wadi_store::prelude::*;
use wadi_store::{SqliteStore, StoreKey, TemporaryServer};

#[derive(Subcommand)]
pub enum BenchCommand {
    /// Durable acknowledged writes a second at one site, beside bare SQLite inserts under the same
    /// fsync setting.
    Site {
        /// Writes by each writer count.
        #[arg(long, default_value_t = 2_000)]
        writes: usize,
        /// Writers at once in the second part.
        #[arg(long, default_value_t = 200)]
        writers: usize,
    },
    /// A hub takes the records of six synthetic sites in, end to end: verified, merged, projected,
    /// durable, and reconciled; then each stage alone.
    Hub {
        /// sqlite, or postgres: a server of its own, started from the system's binaries.
        #[arg(long, default_value = "sqlite")]
        store: String,
        /// Records; each is an entry of its own and an edit.
        #[arg(long, default_value_t = 10_000)]
        records: usize,
        /// Give every record a finding, which the hub publishes by an entry of its own: the hard
        /// case.
        #[arg(long)]
        contradictory: bool,
        /// Encrypt the hub's database, as `database_encrypted` does.
        #[arg(long)]
        encrypted: bool,
    },
    /// A site and a hub that were apart for the common workload meet again over a thin link: bytes
    /// and seconds until both hold everything, cosigned.
    Link(link::LinkArgs),
    /// A hub under attack by a member with valid papers, a kind after the other: what each byte of
    /// the attacker costs, and how long an honest site's posts take to show at the hub, with the
    /// attack and without.
    Hostile(hostile::HostileArgs),
    /// First byte and size of the console's pages and of the interface's lists from a hub of many
    /// records, beside the bars that they have to keep.
    Console(console::ConsoleArgs),
    /// A site and a hub on which nothing happens: their shares of a core, and the bytes on the
    /// link, while it stands and while it is down.
    Idle(idle::IdleArgs),
}

pub(crate) struct Bench {
    pub(crate) root: LogKey,
    pub(crate) dir: tempfile::TempDir,
    /// The key of databases, where they are encrypted.
    pub(crate) store_key: Option<StoreKey>,
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            root: LogKey::from_seed(&rand::random()),
            dir: tempfile::tempdir()?,
            store_key: None,
        })
    }

    pub(crate) fn enrol(
        &self,
        name: &str,
        role: Role,
        crossing: Crossing,
    ) -> Result<(LogKey, Enrolment), Failure> {
        let key = LogKey::from_seed(&rand::random());
        let scope = if role == Role::Hub {
            Scope::all()
        } else {
            Scope::of_crossing(crossing)
        };

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

    pub(crate) async fn node(
        &self,
        (log_key, me): (LogKey, Enrolment),
        known: Vec<Enrolment>,
    ) -> Result<Arc<Node>, Failure> {
        let dir = self.dir.path().join(&me.name);
        std::fs::create_dir_all(&dir)?;
        let store = SqliteStore::open_with(&dir, me.node(), self.store_key.as_ref()).await?;
        self.node_on(store, (log_key, me), known).await
    }

    pub(crate) async fn node_on(
        &self,
        store: Arc<dyn Store>,
        (log_key, me): (LogKey, Enrolment),
        known: Vec<Enrolment>,
    ) -> Result<Arc<Node>, Failure> {
        let keys = NodeKeys {
            log_key,
            root: RootKey(self.root.public()),
        };

        Ok(Node::start(Start {
            keys,
            me,
            known,
            store,
            clock: Arc::new(SystemClock::real()),
            scrub: Default::default(),
            suspects: Default::default(),
            budgets: Default::default(),
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

/// Bytes of a slot of the file that stands for the anchor.
const BARE_SLOT_BYTES: usize = 4_096;

fn write(n: usize) -> Write {
    Write::by("OF-0001", "PORT", Target::New(None), draft(n))
}

fn new_store_key() -> StoreKey {
    StoreKey::new(std::array::from_fn(|_| rand::random()))
}

pub async fn run(command: BenchCommand, json: bool) -> Result<Exit, Failure> {
    let mut in_words: fn(&Value) -> String = crate::print::pretty;
    let value = match command {
        BenchCommand::Link(args) => {
            in_words = link_plot::table;
            link::link(args).await?
        }
        BenchCommand::Hostile(args) => hostile::hostile(args).await?,
        BenchCommand::Console(args) => console::console(args).await?,
        BenchCommand::Idle(args) => idle::idle(args).await?,
        BenchCommand::Site { writes, writers } => site(writes, writers).await?,
        BenchCommand::Hub {
            store,
            records,
            contradictory,
            encrypted,
        } => {
            let server_dir = tempfile::tempdir()?;
            let server = match store.as_str() {
                "sqlite" => None,
                "postgres" => Some(TemporaryServer::start(&server_dir.path().join("pg"))?),
                other => {
                    return Err(Failure::usage(
                        "unknown_store",
                        format!("{other:?} is none of sqlite, postgres"),
                    ));
                }
            };

            let mut bench = Bench::new()?;
            bench.store_key = encrypted.then(new_store_key);
            hub::hub(&bench, records, contradictory, server.as_ref()).await?
        }
    };

    crate::print::print_answer(json, &value, in_words);
    Ok(Exit::Done)
}

/// What is synced for a bare insert.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BareSyncs {
    /// The database's WAL alone.
    Database,
    /// A slot of a second file behind it, too, as a node syncs its anchor.
    AnchorToo,
}

/// Bare inserts of the same number of bytes a second, one commit each, WAL and synchronous FULL:
/// what the disk allows one writer.
async fn bare_inserts(dir: &Path, count: usize, syncs: BareSyncs) -> Result<f64, Failure> {
    let failed = |e: sqlx::Error| Failure::new("bench", e.to_string());
    let name = match syncs {
        BareSyncs::Database => "bare",
        BareSyncs::AnchorToo => "bare-anchored",
    };
    let anchor = std::fs::File::create(dir.join(format!("{name}.anchor")))?;
    anchor.write_all_at(&[0; 2 * BARE_SLOT_BYTES], 0)?;
    anchor.sync_all()?;
    let options = SqliteConnectOptions::new()
        .filename(dir.join(format!("{name}.sqlite")))
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .synchronous(sqlx::sqlite::SqliteSynchronous::Full)
        .disable_statement_logging();

    let mut conn = SqliteConnection::connect_with(&options)
        .await
        .map_err(failed)?;
    sqlx::query("CREATE TABLE bare (id INTEGER PRIMARY KEY, bytes BLOB)")
        .execute(&mut conn)
        .await
        .map_err(failed)?;

    let bytes = vec![7u8; 400];
    let started = Instant::now();
    for n in 0..count {
        sqlx::query("INSERT INTO bare (bytes) VALUES (?1)")
            .bind(&bytes)
            .execute(&mut conn)
            .await
            .map_err(failed)?;

        if syncs == BareSyncs::AnchorToo {
            let slot = (n % 2 * BARE_SLOT_BYTES) as u64;
            anchor.write_all_at(&[7; BARE_SLOT_BYTES], slot)?;
            anchor.sync_data()?;
        }
    }

    Ok(count as f64 / started.elapsed().as_secs_f64())
}

async fn site(writes: usize, writers: usize) -> Result<Value, Failure> {
    let bench = Bench::new()?;
    let papers = bench.enrol("trb", Role::Crossing, "TRB".parse()?)?;
    let node = bench.node(papers, vec![]).await?;
    let bare = bare_inserts(bench.dir.path(), writes, BareSyncs::Database).await?;
    let anchored = bare_inserts(bench.dir.path(), writes, BareSyncs::AnchorToo).await?;
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
        "bare_sqlite_inserts_per_s": round(bare),
        "bare_with_the_same_syncs_per_s": round(anchored),
        "one_writer_per_s": round(one),
        "writers": writers,
        "many_writers_per_s": round(many),
        "one_writer_ratio": round(one / bare),
        "many_writers_ratio": round(many / bare),
        "one_writer_ratio_of_same_syncs": round(one / anchored),
        "many_writers_ratio_of_same_syncs": round(many / anchored),
    }))
}

pub(crate) fn cpu_s() -> f64 {
    cpu_s_of("self")
}

/// Seconds of processors that a process has taken, by its id.
pub(crate) fn cpu_s_of(process: &str) -> f64 {
    // utime and stime, in ticks of 1/100 s (proc(5)).
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after = stat.rsplit(") ").next().unwrap_or_default();
    let fields: Vec<f64> = after.split(' ').filter_map(|f| f.parse().ok()).collect();

    fields
        .get(10)
        .zip(fields.get(11))
        .map_or(0.0, |(u, s)| (u + s) / 100.0)
}

pub(crate) fn rss_bytes() -> u64 {
    rss_bytes_of("self")
}

/// Bytes of memory that a process holds, by its id.
pub(crate) fn rss_bytes_of(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find(|l| l.starts_with("VmRSS:"))
        .unwrap_or_default();

    line.split_whitespace()
        .nth(1)
        .and_then(|k| k.parse::<u64>().ok())
        .unwrap_or(0)
        * 1024
}
