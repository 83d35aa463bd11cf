//! The store that the configuration names: opened, waited for by a standby, or set aside.

use crate::{config::Config, failure::Failure, pki::Papers, print::utc_file_stamp};
use std::{path::Path, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};
use wadi_log::Role;
use wadi_store::{Looked, PostgresStore, SqliteStore, Store, StoreKey};
use wadi_web::Limits;

/// The key of the database that the configuration names, where it says that it is encrypted.
///
/// # Errors
///
/// `store_key_missing` where the papers hold none.
pub(super) fn database_key<'p>(
    config: &Config,
    papers: &'p Papers,
) -> Result<Option<&'p StoreKey>, Failure> {
    match (config.database_encrypted, &papers.store_key) {
        (false, _) => Ok(None),
        (true, Some(key)) => Ok(Some(key)),
        (true, None) => Err(store_key_missing(&config.papers)),
    }
}

pub(super) fn store_key_missing(papers: &Path) -> Failure {
    let why = format!(
        "the configuration says `database_encrypted = true`, and there is no store.key in {}: put \
         the one back with which the database was encrypted; for a database that never was, `wadi \
         node encrypt` makes one",
        papers.display()
    );
    Failure::usage("store_key_missing", why)
}

/// What a PostgreSQL database holds, where this node may use it at all.
pub(super) async fn look_at_database(
    url: &str,
    config: &Config,
    papers: &Papers,
) -> Result<Looked, Failure> {
    if papers.enrolment.role != Role::Hub {
        let why = "database is for hubs: a crossing keeps its records on its own disk, in SQLite";
        return Err(Failure::usage("bad_configuration", why));
    }

    let looked = PostgresStore::look(url, &config.data).await?;
    let held = &looked.enrolments;
    if !held.is_empty() && !held.iter().any(|e| e.verify(&papers.root).is_ok()) {
        let why = "the database holds the records of another commission: none of its nodes is \
            enrolled under this root";
        return Err(Failure::new("database_of_other_node", why));
    }

    Ok(looked)
}

/// The store that the configuration names. On PostgreSQL it waits until no other daemon writes to
/// the database. On SQLite a database that does not read is set aside at the time given; without
/// one that is an error.
pub(super) async fn open_store(
    config: &Config,
    papers: &Papers,
    set_aside_at: Option<String>,
    on_wait: impl FnOnce() + Send,
) -> Result<Arc<dyn Store>, Failure> {
    let (node, key) = (papers.enrolment.node(), database_key(config, papers)?);
    match &config.database {
        None if wadi_store::restore_unfinished(&config.data) => Err(restore_unfinished()),
        None if !config.data.join("node.sqlite").exists()
            && config.data.join("node.sqlite.moved").exists() =>
        {
            Err(Failure::usage(
                "database_moved",
                "the records were moved to PostgreSQL: name it with database = \"postgres://…\" \
                 in the configuration",
            ))
        }
        None => match set_aside_at {
            Some(at) => {
                Ok(SqliteStore::open_or_set_aside_with(&config.data, node, key, &at).await?)
            }
            None => Ok(SqliteStore::open_with(&config.data, node, key).await?),
        },
        Some(url) => {
            look_at_database(url, config, papers).await?;
            Ok(PostgresStore::open_encrypted(url, &config.data, node, key, on_wait).await?)
        }
    }
}

/// The same; a standby says so over HTTP while it waits, and can be stopped.
pub(super) async fn open_or_stand_by(
    config: &Config,
    papers: &Papers,
    listener: &std::net::TcpListener,
) -> Result<Arc<dyn Store>, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let (waiting, mut waits) = tokio::sync::oneshot::channel();
    let now = utc_file_stamp(jiff::Timestamp::now().as_second());
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

pub(super) fn restore_unfinished() -> Failure {
    let why = "a restore was cut off: run `wadi restore` with the same file again, then start the \
        node; nothing is lost";
    Failure::usage("restore_unfinished", why)
}

/// The next start sets the database aside; that it has to is written where the database is not.
pub(super) fn mark_for_rebuild(config: &Config, why: &str) {
    let marker = config.data.join(wadi_store::REBUILD_MARKER);
    if let Err(error) = std::fs::write(&marker, format!("{why}\n")) {
        tracing::error!(%error, "{} could not be written", marker.display());
    }
}
