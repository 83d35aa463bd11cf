//! `wadi node run`: the node with its network, HTTP, spool and watches, until it is told to stop.

use super::{
    lock,
    papers_watch::PapersWatch,
    peer_addresses,
    proxies::{Front, look_through},
    stop::{finish, take_clean_stop, until_stopped},
    store::{mark_for_rebuild, open_or_stand_by},
    witness_http::WitnessHttp,
};
use crate::{
    config::{Config, spool_places},
    daemon::log_sink::Log,
    failure::{Exit, Failure},
    pki::Papers,
};
use axum::middleware::from_fn_with_state;
use std::{sync::Arc, time::Duration};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use tracing_subscriber::EnvFilter;
use wadi_net::{Network, NetworkConfig, PeerAddress};
use wadi_node::{
    Clock, Node, NodeError, NodeKeys, RoomKeeper, RoomLevel, RoomPlan, ScrubPace, Start, Suspects,
    SystemClock,
};
use wadi_store::{LocalKey, LocalScope, SetAside, Store};
use wadi_web::{Limits, SpoolPlace, Token, TokenScope, hash_token, new_token, router, run_spool};

/// Pause before a spool directory that could not be used is tried again.
pub(super) const SPOOL_PAUSE: Duration = Duration::from_secs(5);

/// The operator of this machine proves that by reading a file that only they can read.
pub(super) async fn operator_token(node: &Node, config: &Config) -> Result<(), Failure> {
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
    let kept = Token::new("operator", TokenScope::Operator);
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

/// What the configuration wants in the log.
pub(super) fn log_filter(config: &Config) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(&config.log)
        .map_err(|e| Failure::usage("bad_configuration", format!("log = {:?}: {e}", config.log)))
}

pub(super) async fn serve(config: Config) -> Result<Exit, Failure> {
    let log = Log::start(log_filter(&config)?);
    std::fs::create_dir_all(config.data.join("log"))?;

    let papers = Papers::read(&config.papers)?;
    crate::pki::close_secrets(&config.papers);
    let peers = peer_addresses(&config, &papers)?;

    // Two processes on one database would sign two heads: the lock is held as long as this one
    // lives.
    let _lock = lock(&config)?;
    let listener = listen_http(&config)?;
    let verify_at_start = !take_clean_stop(&config.data);

    let room = open_room(&config);
    let store = open_or_stand_by(&config, &papers, &listener).await?;
    let node = start_node(&config, &papers, store).await?;
    let mut events = node.listen();

    let mut helpers = Vec::new();
    helpers.extend(keep_room(room, &node, &config, &log));
    helpers.extend(node.spawn_watched("log", log.watch(node.clone())));
    if config.database.is_none() {
        take_back_set_aside(&node, &config).await?;
    }

    if verify_at_start {
        verify_own(&node, &config).await?;
    }

    operator_token(&node, &config).await?;

    let network = Arc::new(start_network(&node, &config, &papers, peers).await?);
    node.tasks().report("links", network.failed());
    let tls = match config.http_tls {
        true => Some(watch::channel(super::tls::acceptor(&papers.identity, &config)?).0),
        false => None,
    };
    let accepts = tls.as_ref().map(watch::Sender::subscribe);
    wadi_web::tell_copied_passkeys(&node).await;
    helpers.extend(serve_http(&node, accepts, listener, &config)?);
    if !config.spool.is_empty() {
        let places = spool_places(&config.spool, &config.data);
        helpers.extend(node.spawn_watched("spool", keep_spool(node.clone(), places)));
    }

    helpers.extend(node.spawn_watched(
        "replica_digests",
        wadi_node::run_replica_digests(node.door().clone()),
    ));
    if config.country.keep {
        let plan = config.country.plan(Arc::new(WitnessHttp));
        helpers.extend(node.spawn_watched("country", node.country().clone().run(plan)));
    }
    let papers_watch = PapersWatch {
        node: node.clone(),
        network: network.clone(),
        tls,
        config: config.clone(),
        enrolment: papers.enrolment.clone(),
        identity: papers.identity.clone(),
    };
    helpers.extend(node.spawn_watched("certificate", papers_watch.run()));
    helpers.extend(node.spawn_watched("alarms", tell_alarms(node.clone())));
    tracing::info!(node = %node.me().name, listen = %config.listen, http = %config.http, "running");

    let stop = until_stopped(&node, &mut events, &config).await?;
    tracing::info!("stopping");
    node.tasks().stopping();
    network.stop().await;
    helpers.iter().for_each(JoinHandle::abort);

    finish(&node, stop, &mut events, &config).await
}

fn open_room(config: &Config) -> RoomKeeper {
    // A database server's disk is its own: there the ballast would keep nothing.
    let ballast = if config.database.is_some() {
        0
    } else {
        config.ballast_mib << 20
    };

    RoomKeeper::open(
        &config.data,
        RoomPlan {
            ballast,
            low: config.room_low_mib << 20,
        },
    )
}

/// Takes back what databases that were set aside hold; a stop meanwhile ends it.
async fn take_back_set_aside(node: &Arc<Node>, config: &Config) -> Result<(), Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = node.salvager().take_back(SetAside::all(&config.data)) => Ok(()),
        _ = terminate.recv() => {
            node.stop().await;
            let why = "stopped while it read a database that was set aside";
            Err(Failure::new("stopped", why))
        }
    }
}

pub(super) fn listen_http(config: &Config) -> Result<std::net::TcpListener, Failure> {
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

pub(super) async fn start_node(
    config: &Config,
    papers: &Papers,
    store: Arc<dyn Store>,
) -> Result<Arc<Node>, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(clock(config, papers));
    let suspects = Suspects::read(&config.data).unwrap_or_else(|error| {
        tracing::warn!(%error, "what earlier starts ended over does not read; nothing is set \
            aside");
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
        budgets: config.budget_limits(),
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
pub(super) fn keep_room(
    room: RoomKeeper,
    node: &Arc<Node>,
    config: &Config,
    log: &Log,
) -> Option<JoinHandle<()>> {
    let usual = config.log.clone();
    let set_filter = log.filter();
    room.keep(node.door(), move |level| {
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
pub(super) async fn verify_own(node: &Arc<Node>, config: &Config) -> Result<(), Failure> {
    tracing::warn!("the last stop was not in order: the node's own entries are verified");
    match node.scrub().verify_own().await {
        Ok(()) => Ok(()),
        // A full disk, or a server that is away: nothing is damaged by that, and holds are to be
        // recorded.
        Err(error) if error.is_passing() => {
            tracing::error!(%error, "the node's own entries could not be verified; it is tried \
                again soon");
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

pub(super) async fn start_network(
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

pub(super) fn serve_http(
    node: &Arc<Node>,
    tls: Option<watch::Receiver<TlsAcceptor>>,
    listener: std::net::TcpListener,
    config: &Config,
) -> Result<Option<JoinHandle<()>>, Failure> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let api = router(node.clone(), config.passkeys());
    let console = wadi_console::router(api.clone());
    let front = Front {
        proxies: config.http_proxies.as_slice().into(),
        over_tls: tls.is_some(),
    };
    let app = console
        .merge(api)
        .layer(from_fn_with_state(front, look_through));
    let limits = Limits::default();
    if let Some(tls) = tls {
        return Ok(node.spawn_watched("http", async move {
            wadi_web::serve(listener, app, limits, move |stream| {
                let tls = tls.borrow().clone();
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

/// Works off the spool directories. One that cannot be used, or a disk that is full, passes: it is
/// looked at again, and until then whoever asks whether the node is ready hears of it.
pub(super) async fn keep_spool(node: Arc<Node>, places: Vec<SpoolPlace>) {
    loop {
        let mut run = std::pin::pin!(run_spool(node.clone(), places.clone()));
        let ended = match tokio::time::timeout(SPOOL_PAUSE, &mut run).await {
            Ok(ended) => ended,
            // It has worked for a while: it is in order.
            Err(_) => {
                node.tasks().trouble("spool", None);
                run.await
            }
        };

        if let Err(error) = ended {
            tracing::error!(%error, "a spool directory cannot be used; it is tried again");
            node.tasks()
                .trouble("spool", Some(format!("the spool cannot be used: {error}")));
        }

        tokio::time::sleep(SPOOL_PAUSE).await;
    }
}

/// The clock that the configuration names. It is no earlier than the papers say that they were
/// issued.
pub(super) fn clock(config: &Config, papers: &Papers) -> SystemClock {
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

/// Says in the log, and to the hub, what asks for somebody.
async fn tell_alarms(node: Arc<Node>) {
    node.reads().tell_alarms().await;
}
