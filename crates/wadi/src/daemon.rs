//! The daemon: a node in the role its papers give.

use crate::{
    config::Config,
    failure::{Exit, Failure},
    pki::Papers,
};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::signal::unix::{SignalKind, signal};
use wadi_log::Role;
use wadi_net::{Network, NetworkConfig, PeerAddress};
use wadi_node::{Clock, Event, Node, NodeKeys, Start, SystemClock};
use wadi_store::{LocalKey, PostgresStore, SqliteStore, Store};
use wadi_web::{Token, TokenScope, hash_token, new_token, router, run_spool};

#[derive(Subcommand)]
pub enum NodeCommand {
    /// Runs the node until it is told to stop.
    Run {
        /// The configuration.
        #[arg(long, default_value = "node.toml")]
        config: PathBuf,
    },
    /// Takes a hub's records from SQLite to an empty PostgreSQL database, each entry checked; the node must not run.
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
        NodeCommand::MoveStore { config, to } => move_store(&Config::read(&config)?, &to, json).await,
        NodeCommand::Check { config } => {
            let config = Config::read(&config)?;
            let papers = Papers::read(&config.papers)?;
            papers.enrolment.verify(&papers.root)?;
            let peers = peers(&config, &papers)?;
            if config.database.is_some() || config.data.join("node.sqlite").exists() {
                let taken = || eprintln!("another daemon writes to this database; waiting for it");
                open_store(&config, &papers, taken).await?.close().await;
            }
            let e = &papers.enrolment;
            if json {
                println!("{}", serde_json::json!({"node": e.name, "role": e.role.name(), "peers": peers.len()}));
            } else {
                println!(
                    "{} ({}, {}): configuration, papers and database are in order",
                    e.name,
                    e.role.name(),
                    e.node()
                );
            }
            Ok(Exit::Done)
        }
    }
}

async fn move_store(config: &Config, to: &str, json: bool) -> Result<Exit, Failure> {
    let papers = Papers::read(&config.papers)?;
    if papers.enrolment.role != Role::Hub {
        return Err(Failure::usage("not_a_hub", "a crossing keeps its records on its own disk, in SQLite"));
    }
    let _lock = lock(config)?;
    if wadi_store::restore_unfinished(&config.data) {
        return Err(restore_unfinished());
    }
    let bar = if json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    bar.set_style(ProgressStyle::with_template("{spinner} {pos} entries  {per_sec}").expect("a fixed template"));
    let moved = wadi_store::move_store(&config.data, to, papers.enrolment.node(), |n| bar.inc(n)).await?;
    bar.finish_and_clear();
    if json {
        println!(
            "{}",
            serde_json::json!({"entries": moved.entries, "logs": moved.logs, "rows": moved.rows, "kept": moved.kept})
        );
    } else {
        println!(
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
    let find = |name: &str| papers.known.iter().find(|e| e.name == name).map(|e| e.node());
    let peer = |p: &crate::config::PeerConfig| {
        let node = find(&p.name).ok_or_else(|| {
            let why = format!("peer {:?} is not among the enrolments in {}/known", p.name, config.papers.display());
            Failure::usage("unknown_peer", why)
        })?;
        Ok(PeerAddress { node, address: p.address.clone(), rate_bits_s: p.rate_kbit_s.map(|k| k * 1_000) })
    };
    config.peer.iter().map(peer).collect()
}

/// The operator of this machine proves that by reading a file that only they can read.
async fn operator_token(node: &Node, config: &Config) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = config.data.join("operator.token");
    if let Ok(text) = std::fs::read_to_string(&path)
        && node.store().local("token", &hash_token(text.trim())).await?.is_some()
    {
        return Ok(());
    }
    let token = new_token(rand::random());
    let kept = Token { name: "operator".into(), scope: TokenScope::Operator };
    let value = serde_json::to_string(&kept).map_err(|e| Failure::new("token", e.to_string()))?;
    node.set_local(vec![LocalKey { scope: "token".into(), key: hash_token(&token), value }], vec![]).await?;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    std::io::Write::write_all(&mut file, format!("{token}\n").as_bytes())?;
    Ok(())
}

async fn serve(config: Config) -> Result<Exit, Failure> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log)
        .map_err(|e| Failure::usage("bad_configuration", format!("log = {:?}: {e}", config.log)))?;
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    std::fs::create_dir_all(config.data.join("log"))?;
    let papers = Papers::read(&config.papers)?;
    let peers = peers(&config, &papers)?;
    let clock: Arc<dyn Clock> = match &config.clock {
        Some(c) => Arc::new(SystemClock::scaled(c.origin_ms, c.real_ms, c.scale)),
        None => Arc::new(SystemClock::real()),
    };
    // Two processes on one database would sign two heads: the lock is held as long as this one lives.
    let _lock = lock(&config)?;
    let listener = std::net::TcpListener::bind(config.http).map_err(|e| {
        Failure::new(
            "cannot_listen",
            format!("cannot listen on http {}: {e}; is another node running here?", config.http),
        )
    })?;
    listener.set_nonblocking(true)?;
    let store = open_or_stand_by(&config, &papers, &listener).await?;
    let node = Node::start(Start {
        keys: NodeKeys { log_key: papers.log_key, root: papers.root },
        me: papers.enrolment,
        known: papers.known,
        store,
        clock,
    })
    .await?;
    operator_token(&node, &config).await?;
    let network = Network::start(
        node.clone(),
        NetworkConfig {
            listen: config.listen,
            identity: papers.identity.clone(),
            peers,
            redial: Duration::from_secs_f64(config.redial_s),
            idle: Duration::from_secs_f64(config.idle_s),
            own_links: config.own_links,
        },
        node.hub_time(),
    )
    .await?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let app = router(node.clone());
    let http = if config.http_tls {
        let tls = crate::tls::TlsListener::new(listener, &papers.identity)?;
        tokio::spawn(async move { axum::serve(tls, app).await })
    } else {
        tokio::spawn(async move { axum::serve(listener, app).await })
    };
    let spool = config.spool.clone().map(|dir| {
        let node = node.clone();
        tokio::spawn(async move {
            if let Err(error) = run_spool(node, dir).await {
                tracing::error!(%error, "the spool directory cannot be used");
            }
        })
    });
    tracing::info!(node = %node.me().name, listen = %config.listen, http = %config.http, "running");
    let failed = until_stopped(&node).await?;
    tracing::info!("stopping");
    network.stop().await;
    http.abort();
    if let Some(spool) = spool {
        spool.abort();
    }
    match failed {
        Some(why) => Err(Failure { exit: Exit::Integrity, ..Failure::new("write_failed", why) }),
        None => {
            node.stop().await;
            Ok(Exit::Done)
        }
    }
}

/// The store that the configuration names. On PostgreSQL it waits until no other daemon writes to the database.
async fn open_store(
    config: &Config,
    papers: &Papers,
    on_wait: impl FnOnce() + Send,
) -> Result<Arc<dyn Store>, Failure> {
    let node = papers.enrolment.node();
    match &config.database {
        None if wadi_store::restore_unfinished(&config.data) => Err(restore_unfinished()),
        None if !config.data.join("node.sqlite").exists() && config.data.join("node.sqlite.moved").exists() => {
            Err(Failure::usage(
                "database_moved",
                "the records were moved to PostgreSQL: name it with database = \"postgres://…\" in the configuration",
            ))
        }
        None => Ok(SqliteStore::open(&config.data, node).await?),
        Some(_) if papers.enrolment.role != Role::Hub => Err(Failure::usage(
            "bad_configuration",
            "database is for hubs: a crossing keeps its records on its own disk, in SQLite",
        )),
        Some(url) => Ok(PostgresStore::open(url, &config.data, node, on_wait).await?),
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
    let mut opening = std::pin::pin!(open_store(config, papers, move || {
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
    let standing_by = tokio::spawn(async move { axum::serve(listener, wadi_web::standby_router()).await });
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
    let why =
        "a restore was cut off: run `wadi restore` with the same file again, then start the node; nothing is lost";
    Failure::usage("restore_unfinished", why)
}

/// The directory's lock, held as long as the file is open.
pub(crate) fn lock(config: &Config) -> Result<std::fs::File, Failure> {
    let path = config.data.join("lock");
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
    file.try_lock().map_err(|_| {
        let why = format!("{}: another process runs this node; two of them would fork its logs", path.display());
        Failure::new("already_running", why)
    })?;
    Ok(file)
}

/// Returns when the process is told to stop, or when writing failed and only a new start can judge the disk.
async fn until_stopped(node: &Node) -> Result<Option<String>, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut events = node.listen();
    let failed = async {
        loop {
            match events.recv().await {
                Ok(Event::Failed(why)) => return Some(why),
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return None,
                _ => {}
            }
        }
    };
    Ok(tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        why = failed => why,
    })
}
