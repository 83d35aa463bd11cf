//! The daemon: a node in the role its papers give.

use crate::{
    config::Config,
    failure::{Exit, Failure},
    log_sink::Log,
    pki::Papers,
};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::broadcast::{
        Receiver,
        error::{RecvError, TryRecvError},
    },
    task::JoinHandle,
};
use tracing_subscriber::EnvFilter;
use wadi_log::Role;
use wadi_net::{Network, NetworkConfig, PeerAddress};
use wadi_node::{
    Clock, Event, Node, NodeError, NodeKeys, RoomKeeper, RoomLevel, RoomPlan, ScrubPace, Start,
    Suspects, SystemClock, TaskEnd,
};
use wadi_store::prelude::*;
use wadi_store::{AnchorState, LocalKey, LocalScope, Looked, PostgresStore, SetAside, SqliteStore};
use wadi_web::{Limits, Token, TokenScope, hash_token, new_token, router, run_spool};

/// Pause before a spool directory that could not be used is tried again.
const SPOOL_PAUSE: Duration = Duration::from_secs(5);
/// What a stop may take; the process goes then, and the next start verifies what it holds.
const STOP_MAX: Duration = Duration::from_secs(45);

#[derive(Subcommand)]
pub enum NodeCommand {
    /// Runs the node until it is told to stop.
    Run {
        /// The configuration.
        #[arg(long, default_value = "node.toml")]
        config: PathBuf,
    },
    /// Takes a hub's records from SQLite to an empty PostgreSQL database, each entry checked; the
    /// node must not run.
    MoveStore {
        /// The configuration.
        #[arg(long, default_value = "node.toml")]
        config: PathBuf,
        /// The database, as postgres://user@host/name.
        #[arg(long)]
        to: String,
    },
    /// Checks configuration, papers and database, and starts nothing.
    Check {
        /// The configuration.
        #[arg(long, default_value = "node.toml")]
        config: PathBuf,
    },
}

pub async fn run(command: NodeCommand, json: bool) -> Result<Exit, Failure> {
    match command {
        NodeCommand::Run { config } => serve(Config::read(&config)?).await,
        NodeCommand::MoveStore { config, to } => {
            move_store(&Config::read(&config)?, &to, json).await
        }
        NodeCommand::Check { config } => check(&Config::read(&config)?, json).await,
    }
}

/// Looks at everything that a start needs. A PostgreSQL database is only read, whoever writes to it
/// meanwhile.
async fn check(config: &Config, json: bool) -> Result<Exit, Failure> {
    let papers = Papers::read(&config.papers)?;
    let e = &papers.enrolment;
    e.verify(&papers.root)?;
    crate::check::papers_and_addresses(config, &papers)?;

    let peers = peers(config, &papers)?;
    let mut found = json!({"node": e.name, "role": e.role.name(), "peers": peers.len()});
    let (mut notes, mut exit) = (Vec::new(), Exit::Done);
    match &config.database {
        Some(url) => {
            let looked = look(url, config, &papers).await?;
            if looked.written_to {
                notes.push(
                    "another daemon writes to this database; one started here would stand by"
                        .to_string(),
                );
            }

            if looked.read_only {
                notes.push(
                    "the database is read-only: records can be read, and nothing be written".into(),
                );
            }

            let anchor = match &looked.anchor {
                AnchorState::LostTail { anchored, held, .. } => {
                    exit = Exit::Integrity;
                    notes.push(lost_tail(*anchored, *held));
                    "lost_tail"
                }
                AnchorState::New => "new",
                _ => "whole",
            };

            found["database"] = json!({
                "store": "postgres", "schema": looked.schema, "commits": looked.commits,
                "written_to": looked.written_to, "read_only": looked.read_only, "anchor": anchor,
            });
        }
        None if config.data.join("node.sqlite").exists()
            || wadi_store::restore_unfinished(&config.data) =>
        {
            let store = open_store(config, &papers, None, || ()).await?;
            match store.anchor_state() {
                AnchorState::LostTail { anchored, held, .. } => {
                    exit = Exit::Integrity;
                    notes.push(lost_tail(*anchored, *held));
                }
                AnchorState::Unanchored => {
                    exit = Exit::Integrity;
                    notes.push(
                        "ALARM: the anchor file is missing: nobody can tell whether the database is whole".into(),
                    );
                }
                _ => {}
            }

            store.close().await;
        }
        None => {
            let anchored =
                wadi_store::AnchorFile::read(&config.data.join("anchor"))?.map_or(0, |a| a.commits);
            if anchored > 0 {
                exit = Exit::Integrity;
                notes.push(lost_tail(anchored, 0));
            }
        }
    }

    notes.extend(certificate_alarm(
        papers.identity.ends_s(),
        jiff::Timestamp::now().as_second(),
    ));
    notes
        .iter()
        .for_each(|note| crate::print::print_error!("{note}"));

    if json {
        crate::print::print_line!("{found}");
    } else if exit == Exit::Done {
        crate::print::print_line!(
            "{} ({}, {}): configuration, papers and database are in order",
            e.name,
            e.role.name(),
            e.node()
        );
    }

    Ok(exit)
}

fn lost_tail(anchored: u64, held: u64) -> String {
    format!(
        "ALARM: the database was lost, restored or damaged: it holds {held} of {anchored} acknowledged commits; what is \
         missing is fetched back from peers once the node runs"
    )
}

/// What a PostgreSQL database holds, where this node may use it at all.
async fn look(url: &str, config: &Config, papers: &Papers) -> Result<Looked, Failure> {
    if papers.enrolment.role != Role::Hub {
        let why = "database is for hubs: a crossing keeps its records on its own disk, in SQLite";
        return Err(Failure::usage("bad_configuration", why));
    }

    let looked = PostgresStore::look(url, &config.data).await?;
    let held = &looked.enrolments;
    if !held.is_empty() && !held.iter().any(|e| e.verify(&papers.root).is_ok()) {
        let why = "the database holds the records of another commission: none of its nodes is enrolled under this root";
        return Err(Failure::new("database_of_other_node", why));
    }

    Ok(looked)
}

async fn move_store(config: &Config, to: &str, json: bool) -> Result<Exit, Failure> {
    let papers = Papers::read(&config.papers)?;
    if papers.enrolment.role != Role::Hub {
        return Err(Failure::usage(
            "not_a_hub",
            "a crossing keeps its records on its own disk, in SQLite",
        ));
    }

    let _lock = lock(config)?;
    if wadi_store::restore_unfinished(&config.data) {
        return Err(restore_unfinished());
    }

    let bar = if json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner()
    };

    bar.set_style(
        ProgressStyle::with_template("{spinner} {pos} entries  {per_sec}")
            .expect("a fixed template"),
    );

    let moved =
        wadi_store::move_store(&config.data, to, papers.enrolment.node(), |n| bar.inc(n)).await?;
    bar.finish_and_clear();
    if json {
        crate::print::print_line!(
            "{}",
            serde_json::json!({"entries": moved.entries, "logs": moved.logs, "rows": moved.rows, "kept": moved.kept})
        );
    } else {
        crate::print::print_line!(
            "{} entries of {} logs are moved, every hash and root checked. Now put\n  database = \"{to}\"\ninto the \
             configuration and start the node; the old database is kept as {}.",
            moved.entries,
            moved.logs,
            moved.kept.display()
        );
    }

    Ok(Exit::Done)
}

fn peers(config: &Config, papers: &Papers) -> Result<Vec<PeerAddress>, Failure> {
    let find = |name: &str| {
        papers
            .known
            .iter()
            .find(|e| e.name == name)
            .map(|e| e.node())
    };

    let peer = |p: &crate::config::PeerConfig| {
        let node = find(&p.name).ok_or_else(|| {
            let why = format!(
                "peer {:?} is not among the enrolments in {}/known",
                p.name,
                config.papers.display()
            );
            Failure::usage("unknown_peer", why)
        })?;

        Ok(PeerAddress {
            node,
            address: p.address.clone(),
            rate_bits_s: p.rate_kbit_s.map(|k| k * 1_000),
        })
    };

    config.peer.iter().map(peer).collect()
}

/// The operator of this machine proves that by reading a file that only they can read.
async fn operator_token(node: &Node, config: &Config) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = config.data.join("operator.token");
    if let Ok(text) = std::fs::read_to_string(&path)
        && matches!(
            node.store()
                .local(&LocalScope::Token, &hash_token(text.trim()))
                .await,
            Ok(Some(_))
        )
    {
        return Ok(());
    }

    let token = new_token(rand::random());
    let kept = Token {
        name: "operator".into(),
        scope: TokenScope::Operator,
    };
    let value = serde_json::to_string(&kept).map_err(|e| Failure::new("token", e.to_string()))?;

    node.set_local(
        vec![LocalKey {
            scope: LocalScope::Token,
            key: hash_token(&token),
            value,
        }],
        vec![],
    )
    .await?;

    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)?;

    std::io::Write::write_all(&mut file, format!("{token}\n").as_bytes())?;
    Ok(())
}

async fn serve(config: Config) -> Result<Exit, Failure> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|e| Failure::usage("bad_configuration", format!("log = {:?}: {e}", config.log)))?;
    let log = Log::start(filter);
    std::fs::create_dir_all(config.data.join("log"))?;

    let papers = Papers::read(&config.papers)?;
    crate::pki::close_secrets(&config.papers);
    let peers = peers(&config, &papers)?;

    // Two processes on one database would sign two heads: the lock is held as long as this one
    // lives.
    let _lock = lock(&config)?;
    let listener = listen_http(&config)?;
    let verify_at_start = !take_clean(&config.data);

    // A database server's disk is its own: there the ballast would keep nothing.
    let ballast = if config.database.is_some() {
        0
    } else {
        config.ballast_mib << 20
    };

    let room = RoomKeeper::open(
        &config.data,
        RoomPlan {
            ballast,
            low: config.room_low_mib << 20,
        },
    );

    let store = open_or_stand_by(&config, &papers, &listener).await?;
    let node = start_node(&config, &papers, store).await?;
    let mut events = node.listen();

    let mut helpers = Vec::new();
    helpers.extend(keep_room(room, &node, &config, &log));
    helpers.extend(node.spawn_watched("log", log.watch(node.clone())));
    if config.database.is_none() {
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = node.take_back(SetAside::all(&config.data)) => {}
            _ = terminate.recv() => {
                node.stop().await;
                return Err(Failure::new("stopped", "stopped while it read a database that was set aside"));
            }
        }
    }

    if verify_at_start {
        verify_own(&node, &config).await?;
    }

    operator_token(&node, &config).await?;

    let network = start_network(&node, &config, &papers, peers).await?;
    node.tasks().report("links", network.failed());
    helpers.extend(serve_http(&node, &config, &papers, listener)?);
    helpers.extend(
        config
            .spool
            .clone()
            .and_then(|dir| node.spawn_watched("spool", keep_spool(node.clone(), dir))),
    );

    helpers.extend(node.spawn_watched(
        "replica_digests",
        wadi_node::run_replica_digests(node.clone()),
    ));
    helpers.extend(node.spawn_watched(
        "certificate",
        watch_certificate(node.clone(), papers.identity.ends_s()),
    ));
    tracing::info!(node = %node.me().name, listen = %config.listen, http = %config.http, "running");

    let stop = until_stopped(&node, &mut events, &config).await?;
    tracing::info!("stopping");
    node.tasks().stopping();
    network.stop().await;
    helpers.iter().for_each(JoinHandle::abort);

    finish(&node, stop, &mut events, &config).await
}

/// Brings everything to disk and says how the daemon ended.
async fn finish(
    node: &Node,
    stop: Stop,
    events: &mut Receiver<Event>,
    config: &Config,
) -> Result<Exit, Failure> {
    let end = match stop {
        Stop::Failed(why) => {
            return Err(Failure {
                exit: Exit::Integrity,
                ..Failure::new("write_failed", why)
            });
        }
        Stop::Ended(end) => Some(end),
        Stop::Asked => None,
    };

    if tokio::time::timeout(STOP_MAX, node.stop()).await.is_err() {
        tracing::error!(
            "the node did not come to its end in time; the next start verifies what it holds"
        );
    }

    if let Some(why) = failed_since(events) {
        return Err(Failure {
            exit: Exit::Integrity,
            ..Failure::new("write_failed", why)
        });
    }

    let Some(end) = end else {
        if let Err(error) = node.suspects().settle(&config.data) {
            tracing::warn!(%error, "what earlier starts ended over could not be put in order");
        }
        leave_clean(&config.data);
        return Ok(Exit::Done);
    };

    // The service manager starts it again, and that start knows what to leave alone.
    let at: Vec<String> = end.at.iter().map(ToString::to_string).collect();
    let at = if at.is_empty() {
        String::new()
    } else {
        format!(", at {}", at.join("; "))
    };

    Err(Failure::new(
        "task_ended",
        format!(
            "{} ended: {}{at}; nothing that was acknowledged is lost",
            end.task, end.why
        ),
    ))
}

fn listen_http(config: &Config) -> Result<std::net::TcpListener, Failure> {
    let listener = std::net::TcpListener::bind(config.http).map_err(|e| {
        Failure::new(
            "cannot_listen",
            format!(
                "cannot listen on http {}: {e}; is another node running here?",
                config.http
            ),
        )
    })?;

    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn start_node(
    config: &Config,
    papers: &Papers,
    store: Arc<dyn Store>,
) -> Result<Arc<Node>, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(clock(config, papers));
    let suspects = Suspects::read(&config.data).unwrap_or_else(|error| {
        tracing::warn!(%error, "what earlier starts ended over does not read; nothing is set aside");
        Suspects::default()
    });
    let started = Node::start(Start {
        keys: NodeKeys {
            log_key: papers.log_key.clone(),
            root: papers.root,
        },
        me: papers.enrolment.clone(),
        known: papers.known.clone(),
        store,
        clock,
        scrub: ScrubPace {
            every: Duration::from_secs_f64(config.scrub_hours * 3_600.0),
            bytes_s: (config.scrub_mib_s * 1_048_576.0) as u64,
        },
        suspects,
    })
    .await;

    if let Err(NodeError::Store(error)) = &started
        && error.is_rot()
    {
        // It opens, and nothing can be made of it: the next start does not come this way again.
        mark_for_rebuild(config, &error.to_string());
    }

    Ok(started?)
}

/// Keeps an eye on the disk. The software's own log is the first to be given up.
fn keep_room(
    room: RoomKeeper,
    node: &Arc<Node>,
    config: &Config,
    log: &Log,
) -> Option<JoinHandle<()>> {
    let usual = config.log.clone();
    let set_filter = log.filter();
    room.keep(node, move |level| {
        let filter = match level {
            RoomLevel::Fine => usual.as_str(),
            RoomLevel::Low => "warn",
            RoomLevel::Scarce | RoomLevel::Full => "error",
        };
        set_filter(EnvFilter::new(filter));
    })
}

/// Verifies the node's own entries before anybody is answered, and before anything is shipped: what
/// lies on the disk is what was acknowledged.
async fn verify_own(node: &Arc<Node>, config: &Config) -> Result<(), Failure> {
    tracing::warn!("the last stop was not in order: the node's own entries are verified");
    match node.verify_own().await {
        Ok(()) => Ok(()),
        // A full disk, or a server that is away: nothing is damaged by that, and holds are to be
        // recorded.
        Err(error) if error.is_passing() => {
            tracing::error!(%error, "the node's own entries could not be verified; it is tried again soon");
            node.scrub_soon();
            Ok(())
        }
        Err(error) => {
            mark_for_rebuild(config, &error.to_string());
            Err(Failure {
                exit: Exit::Integrity,
                ..error.into()
            })
        }
    }
}

async fn start_network(
    node: &Arc<Node>,
    config: &Config,
    papers: &Papers,
    peers: Vec<PeerAddress>,
) -> Result<Network, Failure> {
    let network = NetworkConfig {
        listen: config.listen,
        identity: papers.identity.clone(),
        peers,
        redial: Duration::from_secs_f64(config.redial_s),
        idle: Duration::from_secs_f64(config.idle_s),
        own_links: config.own_links,
    };

    Ok(Network::start(node.clone(), network).await?)
}

fn serve_http(
    node: &Arc<Node>,
    config: &Config,
    papers: &Papers,
    listener: std::net::TcpListener,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let app = router(node.clone());
    let limits = Limits::default();
    if config.http_tls {
        let tls = crate::tls::acceptor(&papers.identity)?;
        return Ok(node.spawn_watched("http", async move {
            wadi_web::serve(listener, app, limits, move |stream| {
                let tls = tls.clone();
                async move { tls.accept(stream).await }
            })
            .await
        }));
    }

    Ok(node.spawn_watched(
        "http",
        wadi_web::serve(listener, app, limits, |stream| async { Ok(stream) }),
    ))
}

/// Works off the spool directory. One that cannot be used, or a disk that is full, passes: it is
/// looked at again, and until then whoever asks whether the node is ready hears of it.
async fn keep_spool(node: Arc<Node>, dir: PathBuf) {
    loop {
        let mut run = std::pin::pin!(run_spool(node.clone(), dir.clone()));
        let ended = match tokio::time::timeout(SPOOL_PAUSE, &mut run).await {
            Ok(ended) => ended,
            // It has worked for a while: it is in order.
            Err(_) => {
                node.tasks().trouble("spool", None);
                run.await
            }
        };

        if let Err(error) = ended {
            tracing::error!(%error, "the spool directory cannot be used; it is tried again");
            node.tasks().trouble(
                "spool",
                Some(format!("{} cannot be used: {error}", dir.display())),
            );
        }

        tokio::time::sleep(SPOOL_PAUSE).await;
    }
}

/// The store that the configuration names. On PostgreSQL it waits until no other daemon writes to
/// the database. On SQLite a database that does not read is set aside at the time given; without
/// one that is an error.
async fn open_store(
    config: &Config,
    papers: &Papers,
    set_aside_at: Option<String>,
    on_wait: impl FnOnce() + Send,
) -> Result<Arc<dyn Store>, Failure> {
    let node = papers.enrolment.node();
    match &config.database {
        None if wadi_store::restore_unfinished(&config.data) => Err(restore_unfinished()),
        None if !config.data.join("node.sqlite").exists()
            && config.data.join("node.sqlite.moved").exists() =>
        {
            Err(Failure::usage(
                "database_moved",
                "the records were moved to PostgreSQL: name it with database = \"postgres://…\" in the configuration",
            ))
        }
        None => match set_aside_at {
            Some(at) => Ok(SqliteStore::open_or_set_aside(&config.data, node, &at).await?),
            None => Ok(SqliteStore::open(&config.data, node).await?),
        },
        Some(url) => {
            look(url, config, papers).await?;
            Ok(PostgresStore::open(url, &config.data, node, on_wait).await?)
        }
    }
}

/// The same; a standby says so over HTTP while it waits, and can be stopped.
async fn open_or_stand_by(
    config: &Config,
    papers: &Papers,
    listener: &std::net::TcpListener,
) -> Result<Arc<dyn Store>, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let (waiting, mut waits) = tokio::sync::oneshot::channel();
    let now = jiff::Timestamp::now()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    let mut opening = std::pin::pin!(open_store(config, papers, Some(now), move || {
        let _ = waiting.send(());
    }));

    let asked = tokio::select! {
        store = &mut opening => return store,
        asked = &mut waits => asked,
    };
    if asked.is_err() {
        return opening.await;
    }

    tracing::info!("standing by: another daemon writes to the database");
    let listener = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
    let app = wadi_web::standby_router();
    let standing_by = tokio::spawn(wadi_web::serve(
        listener,
        app,
        Limits::default(),
        |stream| async { Ok(stream) },
    ));

    let store = tokio::select! {
        store = &mut opening => store,
        _ = terminate.recv() => Err(Failure::new("stopped", "stopped while standing by")),
    };

    standing_by.abort();
    let _ = standing_by.await;
    if store.is_ok() {
        tracing::info!("taking over");
    }

    store
}

fn restore_unfinished() -> Failure {
    let why = "a restore was cut off: run `wadi restore` with the same file again, then start the node; nothing is lost";
    Failure::usage("restore_unfinished", why)
}

/// The directory's lock, held as long as the file is open.
pub(crate) fn lock(config: &Config) -> Result<std::fs::File, Failure> {
    let path = config.data.join("lock");
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)?;

    file.try_lock().map_err(|_| {
        let why = format!(
            "{}: another process runs this node; two of them would fork its logs",
            path.display()
        );
        Failure::new("already_running", why)
    })?;

    Ok(file)
}

/// The file that a stop in order leaves behind. A start without it follows on a power cut, a kill
/// or a failed write: what is on disk has to be verified. It is its absence that says so: a disk
/// that fails or is full may take no new file.
const CLEAN: &str = "clean";

/// Whether the last stop was in order; from here on, this one is not until it is.
fn take_clean(data: &Path) -> bool {
    let fresh = !data.join("anchor").exists();
    let clean = std::fs::remove_file(data.join(CLEAN)).is_ok();
    let _ = std::fs::File::open(data).and_then(|d| d.sync_all());
    clean || fresh
}

fn leave_clean(data: &Path) {
    if let Err(error) = std::fs::write(data.join(CLEAN), "") {
        tracing::warn!(%error, "this stop cannot be told from one out of order; the next start verifies what it holds");
    }
}

/// Whether writing failed in what was heard since.
fn failed_since(events: &mut Receiver<Event>) -> Option<String> {
    loop {
        match events.try_recv() {
            Ok(Event::Failed(why)) => return Some(why),
            Ok(_) | Err(TryRecvError::Lagged(_)) => {}
            Err(_) => return None,
        }
    }
}

/// Days before its end from which a certificate is an alarm.
const CERTIFICATE_DAYS: i64 = 30;

/// What is to be said of a certificate that ends then, if anything.
fn certificate_alarm(ends_s: Option<i64>, now_s: i64) -> Option<String> {
    let left_s = ends_s?.saturating_sub(now_s);
    match left_s / 86_400 {
        _ if left_s <= 0 => Some(
            "this node's certificate has expired: it hands in what it holds and takes nothing; renew it with \
             `wadi pki renew`"
                .into(),
        ),
        days if days < CERTIFICATE_DAYS => {
            Some(format!("this node's certificate expires in {days} days; renew it with `wadi pki renew`"))
        }
        _ => None,
    }
}

/// The clock that the configuration names. It is no earlier than the papers say that they were
/// issued.
fn clock(config: &Config, papers: &Papers) -> SystemClock {
    let clock = match &config.clock {
        Some(c) => SystemClock::scaled(c.origin_ms, c.real_ms, c.scale),
        None => SystemClock::real(),
    };
    let issued = papers
        .known
        .iter()
        .chain([&papers.enrolment])
        .map(|e| e.issued_s)
        .max();

    clock.not_before(issued.max(papers.identity.begins_s()).unwrap_or(0))
}

async fn watch_certificate(node: Arc<Node>, ends_s: Option<i64>) {
    let mut said = false;
    loop {
        node.set_alarm(
            "certificate",
            certificate_alarm(ends_s, node.time().expiry_s()),
        );

        // A clock that is wrong is said in the log, too, once each time.
        let wrong = node.time().alarm();
        if let Some(alarm) = wrong.as_ref().filter(|_| !said) {
            tracing::error!("{alarm}");
        }

        said = wrong.is_some();
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

/// The next start sets the database aside; that it has to is written where the database is not.
fn mark_for_rebuild(config: &Config, why: &str) {
    let marker = config.data.join(wadi_store::REBUILD_MARKER);
    if let Err(error) = std::fs::write(&marker, format!("{why}\n")) {
        tracing::error!(%error, "{} could not be written", marker.display());
    }
}

/// Why the daemon stops.
enum Stop {
    /// It was told to.
    Asked,
    /// Writing failed, and only a new start can judge the disk.
    Failed(String),
    /// A task ended that the node lives by.
    Ended(TaskEnd),
}

/// Returns when the process has to stop. What a task that ended was at is written down first.
async fn until_stopped(
    node: &Node,
    events: &mut Receiver<Event>,
    config: &Config,
) -> Result<Stop, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let failed = async {
        loop {
            match events.recv().await {
                Ok(Event::Failed(why)) => return Stop::Failed(why),
                Ok(Event::Broken(why)) => {
                    mark_for_rebuild(config, &why);
                    return Stop::Failed(why);
                }
                // Among what was missed may have been that writing failed.
                Err(RecvError::Lagged(_)) => {
                    if let Some(why) = node.tasks().troubles().remove("store") {
                        return Stop::Failed(why);
                    }
                }
                Err(RecvError::Closed) => return Stop::Ended(node.tasks().ended().await),
                Ok(_) => {}
            }
        }
    };

    let stop = tokio::select! {
        _ = terminate.recv() => Stop::Asked,
        _ = interrupt.recv() => Stop::Asked,
        stop = failed => stop,
        end = node.tasks().ended() => Stop::Ended(end),
    };

    if let Stop::Ended(end) = &stop
        && let Err(error) = node.suspects().write(&config.data, end.clone())
    {
        tracing::error!(%error, "what the task was at could not be written down");
    }

    Ok(stop)
}
