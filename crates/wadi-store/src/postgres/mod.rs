//! The store on PostgreSQL, for a hub that grows: one text of reads with SQLite, batched writes,
//! one writer at a time.
//!
//! The session that writes holds an advisory lock for as long as it lives. A second daemon on the
//! same database waits for it; a daemon whose session broke has to take it again before it writes
//! on, and stops where another has it. So whatever writes is alone, and after a broken connection
//! the counter of commits tells whether the last one arrived.

#[path = "../both/mod.rs"]
mod both;
mod connect;
mod convert;
mod look;
mod schema;
mod writer;

pub(crate) use both::{at_rest::say_key, audit_reads::ConnAudit};
pub(crate) use connect::{
    hide_password, meta, open_empty, open_to_audit, open_to_dump, open_to_fill, schema,
};
pub use convert::recode_postgres;
pub use look::Looked;
pub(crate) use schema::MIGRATIONS;
pub(crate) use writer::insert;

use crate::{
    StoreError, StoreKey,
    anchor::{AnchorFile, AnchorState},
    at_rest::CellCipher,
    defence,
    queue::{Progress, Queue},
    scope_sums::ScopeSums,
    writes::Known,
};
use both::at_rest::open_cipher;
use connect::{
    CONNECT, WRITE_TIMEOUT, by_index, check_server, migrate, open_error, options, reading, session,
    take_lock,
};
use look::remember_loss;
use sqlx::{
    PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use wadi_log::NodeId;
use writer::Writer;

type Engine = PostgresStore;
type DbRow = PgRow;
type DbConn = PgConnection;
/// A list of lists as rows `j`, each with its `value`.
/// Bytes that the database takes.
const DATABASE_BYTES: &str = "SELECT pg_database_size(current_database()) AS bytes";
const EACH: &str = "json_array_elements($1::json) AS j(value)";

/// How often a standby asks whether the writer's lock is free.
const ASK: Duration = Duration::from_millis(250);
/// A server that restarts is waited for so long; then the group fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    node: NodeId,
    readers: PgPool,
    queue: Queue,
    sums: Arc<ScopeSums>,
    cipher: CellCipher,
    anchor_state: AnchorState,
}

impl PostgresStore {
    /// The server checks its own pages (`data_checksums`): a damaged one is an error of whatever
    /// reads it.
    #[allow(clippy::unused_async)]
    async fn structure_damage(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

impl PostgresStore {
    /// Opens a database for a hub, once no other daemon writes to it; `anchor` is made in `dir`.
    /// `on_wait` is called once if another daemon has it.
    pub async fn open(
        url: &str,
        dir: &Path,
        node: NodeId,
        on_wait: impl FnOnce() + Send,
    ) -> Result<Arc<Self>, StoreError> {
        Self::open_with(url, dir, node, None, PATIENCE, on_wait).await
    }

    /// The same with another patience: for so long a server that is away is waited for.
    pub async fn open_patiently(
        url: &str,
        dir: &Path,
        node: NodeId,
        patience: Duration,
        on_wait: impl FnOnce() + Send,
    ) -> Result<Arc<Self>, StoreError> {
        Self::open_with(url, dir, node, None, patience, on_wait).await
    }

    /// The same as [`Self::open`], of a database that is encrypted by a key, or is to be from its
    /// beginning.
    ///
    /// # Errors
    ///
    /// [`StoreError::Encrypted`], [`StoreError::WrongKey`] and [`StoreError::NotEncrypted`] where
    /// key and database do not fit each other; nothing was changed then.
    pub async fn open_encrypted(
        url: &str,
        dir: &Path,
        node: NodeId,
        key: Option<&StoreKey>,
        on_wait: impl FnOnce() + Send,
    ) -> Result<Arc<Self>, StoreError> {
        Self::open_with(url, dir, node, key, PATIENCE, on_wait).await
    }

    async fn open_with(
        url: &str,
        dir: &Path,
        node: NodeId,
        key: Option<&StoreKey>,
        patience: Duration,
        on_wait: impl FnOnce() + Send,
    ) -> Result<Arc<Self>, StoreError> {
        crate::private::close_all(dir);
        let writing = by_index(options(url, WRITE_TIMEOUT)?);
        let mut conn = session(&writing, CONNECT.min(patience))
            .await
            .map_err(open_error(url))?;

        check_server(&mut conn).await?;
        wait_for_lock(&mut conn, &writing, patience, on_wait).await?;
        migrate(&mut conn).await?;
        let cipher = open_cipher(&mut conn, key).await?;
        let held = meta(&mut conn, "commits").await? as u64;
        let (file, found) = AnchorFile::open(&dir.join("anchor"))?;
        let anchored = found.as_ref().map_or(0, |a| a.commits);
        let anchored_heads = found.as_ref().map(|a| a.heads.clone()).unwrap_or_default();
        let state = match found {
            // The other daemon of a pair has its own anchor: a first start beside it is nothing to
            // raise an alarm for.
            None => AnchorState::New,
            Some(a) if held < a.commits && !defence::off("anchor-check") => AnchorState::LostTail {
                anchored: a.commits,
                held,
                heads: a.heads,
            },
            Some(_) => AnchorState::Whole,
        };

        let anchor_state = remember_loss(&mut conn, state).await?;
        let readers = PgPoolOptions::new()
            .max_connections(6)
            .acquire_timeout(CONNECT)
            .connect_with(reading(url)?)
            .await
            .map_err(open_error(url))?;

        let progress = Progress {
            file,
            commits: held.max(anchored),
            heads: anchored_heads.into_iter().collect(),
        };

        let sums: Arc<ScopeSums> = Arc::default();
        let writer = Writer {
            conn: Some(conn),
            cipher: cipher.clone(),
            known: Known::default(),
            options: writing,
            patience,
            read_only: false,
            progress,
        };
        let queue = Queue::start(writer, sums.clone());

        Ok(Arc::new(Self {
            node,
            readers,
            queue,
            sums,
            cipher,
            anchor_state,
        }))
    }
}

/// Waits until no other daemon writes to the database.
async fn wait_for_lock(
    conn: &mut PgConnection,
    writing: &PgConnectOptions,
    patience: Duration,
    on_wait: impl FnOnce() + Send,
) -> Result<(), StoreError> {
    let mut on_wait = Some(on_wait);
    let mut away: Option<Instant> = None;
    loop {
        match take_lock(conn).await {
            Ok(true) => return Ok(()),
            Ok(false) => {
                away = None;
                if let Some(tell) = on_wait.take() {
                    tell();
                }
            }
            // Whoever stands by outlives a server that restarts, as whoever writes does.
            Err(error @ StoreError::Down(_)) => {
                if away.get_or_insert_with(Instant::now).elapsed() > patience {
                    return Err(error);
                }
                if let Ok(fresh) = session(writing, CONNECT.min(patience)).await {
                    *conn = fresh;
                }
            }
            Err(error) => return Err(error),
        }

        tokio::time::sleep(ASK).await;
    }
}
