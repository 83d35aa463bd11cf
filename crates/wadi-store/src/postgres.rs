//! The store on PostgreSQL, for a hub that grows: one text of reads with SQLite, batched writes,
//! one writer at a time.
//!
//! The session that writes holds an advisory lock for as long as it lives. A second daemon on the
//! same database waits for it; a daemon whose session broke has to take it again before it writes
//! on, and stops where another has it. So whatever writes is alone, and after a broken connection
//! the counter of commits tells whether the last one arrived.

#[path = "audit_reads.rs"]
mod audit_reads;
#[path = "mends.rs"]
mod mends;
#[path = "neighbours.rs"]
mod neighbours;
#[path = "reads.rs"]
mod reads;

use crate::{
    Batch, LocalScope, StoreError,
    anchor::{self, Anchor, AnchorFile, AnchorState},
    defence,
    postgres_schema::MIGRATIONS,
    queue::{GroupWriter, Progress, Queue},
    tables::{Cells, Of, Rows},
    writes::{Answer, Arg, Cell, Known, WriteConnection, write_batch, write_counters},
};
use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions, Connection, PgConnection, PgPool, Postgres, Row,
    TypeInfo,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
};
use std::{
    path::Path,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};
use wadi_log::{Enrolment, LogId, NodeId, Tip};

type Engine = PostgresStore;
type DbRow = PgRow;
type DbConn = PgConnection;
/// A list of lists as rows `j`, each with its `value`.
const EACH: &str = "json_array_elements($1::json) AS j(value)";

/// Names the writer's lock among the database's advisory locks: "wadi" in ASCII.
const WRITER_LOCK: i64 = 0x7761_6469;
/// How often a standby asks whether the writer's lock is free.
const ASK: Duration = Duration::from_millis(250);
/// A server that restarts is waited for so long; then the group fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// A server that takes a connection and says nothing is given up after so long.
const CONNECT: Duration = Duration::from_secs(10);
/// A server may take so long to notice that the session which had the lock is gone.
const NOTICE: Duration = Duration::from_secs(15);
/// The least version: MERGE-free SQL, `unhex` as a function, hash partitions; 15 is what Debian's
/// stable brings.
const VERSION_MIN: i32 = 150_000;
/// A read that takes longer is given up, milliseconds.
const READ_TIMEOUT: &str = "30000";
/// A write that takes longer is given up and undone, milliseconds.
const WRITE_TIMEOUT: &str = "120000";

/// Rows into their table by one statement, each column an array.
pub(crate) async fn insert(
    conn: &mut DbConn,
    rows: Rows,
    conflict: &str,
) -> Result<(), StoreError> {
    if rows.len() == 0 {
        return Ok(());
    }

    let array = |(n, (_, of)): (usize, &(&str, Of))| {
        let of = match of {
            Of::Bytes => "bytea",
            Of::Int => "bigint",
            Of::Text => "text",
            Of::Flag => "boolean",
        };

        format!("${}::{of}[]", n + 1)
    };

    let arrays: Vec<String> = rows.table.columns.iter().enumerate().map(array).collect();
    let (table, names) = (rows.table.name, rows.table.names());
    let sql = format!(
        "INSERT INTO {table} ({names}) SELECT * FROM UNNEST({}) {conflict}",
        arrays.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));

    for column in rows.cells {
        query = match column {
            Cells::Bytes(cells) => query.bind(cells),
            Cells::Int(cells) => query.bind(cells),
            Cells::Text(cells) => query.bind(cells),
            Cells::Flag(cells) => query.bind(cells),
        };
    }

    query.execute(conn).await?;
    Ok(())
}

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    node: NodeId,
    readers: PgPool,
    queue: Queue,
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

fn options(url: &str, timeout: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(open_error(url))?;
    // What the URL itself sets, as `options[statement_timeout]=5000`, holds: somebody knows the
    // server better.
    let said = options.get_options().unwrap_or_default().to_string();
    let ours = [
        ("statement_timeout", timeout),
        // A daemon whose machine went away without a word must not hold the lock for hours.
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
    ];

    let ours = ours.into_iter().filter(|(name, _)| !said.contains(*name));
    Ok(options
        .application_name("wadi")
        .options(ours)
        .disable_statement_logging())
}

fn open_error(url: &str) -> impl Fn(sqlx::Error) -> StoreError + '_ {
    move |e| StoreError::Open {
        path: hide_password(url),
        why: e.to_string(),
    }
}

/// A session, made within a time.
async fn session(
    options: &PgConnectOptions,
    within: Duration,
) -> Result<PgConnection, sqlx::Error> {
    match tokio::time::timeout(within, PgConnection::connect_with(options)).await {
        Ok(connected) => connected,
        Err(_) => {
            let why = format!("no answer within {within:?}");
            Err(sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                why,
            )))
        }
    }
}

/// A URL for people: without its password.
pub(crate) fn hide_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.into(),
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
        Self::open_patiently(url, dir, node, PATIENCE, on_wait).await
    }

    /// The same with another patience: for so long a server that is away is waited for.
    pub async fn open_patiently(
        url: &str,
        dir: &Path,
        node: NodeId,
        patience: Duration,
        on_wait: impl FnOnce() + Send,
    ) -> Result<Arc<Self>, StoreError> {
        crate::private::close_all(dir);
        let writing = options(url, WRITE_TIMEOUT)?;
        let mut conn = session(&writing, CONNECT.min(patience))
            .await
            .map_err(open_error(url))?;

        check_server(&mut conn).await?;
        let mut on_wait = Some(on_wait);
        let mut away: Option<Instant> = None;
        loop {
            match take_lock(&mut conn).await {
                Ok(true) => break,
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
                    if let Ok(fresh) = session(&writing, CONNECT.min(patience)).await {
                        conn = fresh;
                    }
                }
                Err(error) => return Err(error),
            }

            tokio::time::sleep(ASK).await;
        }

        migrate(&mut conn).await?;
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
            .connect_with(options(url, READ_TIMEOUT)?)
            .await
            .map_err(open_error(url))?;

        let progress = Progress {
            file,
            commits: held.max(anchored),
            heads: anchored_heads.into_iter().collect(),
        };

        let queue = Queue::start(Writer {
            conn: Some(conn),
            known: Known::default(),
            options: writing,
            patience,
            read_only: false,
            progress,
        });

        Ok(Arc::new(Self {
            node,
            readers,
            queue,
            anchor_state,
        }))
    }
}

/// An empty database that no daemon writes to, with its tables made, for filling it. The lock is
/// this session's.
pub(crate) async fn open_to_fill(url: &str) -> Result<PgConnection, StoreError> {
    // Filling it takes as long as it takes: the statements are bounded by their rows.
    let mut conn = session(&options(url, "0")?, CONNECT)
        .await
        .map_err(open_error(url))?;
    check_server(&mut conn).await?;
    if !take_lock(&mut conn).await? {
        return Err(StoreError::Conflict(
            "a daemon writes to that database: name an empty one".into(),
        ));
    }

    migrate(&mut conn).await?;
    if meta(&mut conn, "commits").await? != 0 {
        return Err(StoreError::Conflict(
            "that database holds a node's records already: name an empty one".into(),
        ));
    }

    Ok(conn)
}

/// A session for dumping a database that a daemon may write to meanwhile, and the server's major
/// version.
pub(crate) async fn open_to_dump(url: &str) -> Result<(PgConnection, u32), StoreError> {
    // Counting what a large database holds takes as long as it takes.
    let mut conn = session(&options(url, "0")?, CONNECT)
        .await
        .map_err(open_error(url))?;

    // While a dump reads by this session's snapshot, the session itself says nothing.
    sqlx::query("SET idle_in_transaction_session_timeout = 0")
        .execute(&mut conn)
        .await?;

    let major = server_major(&mut conn).await?;
    Ok((conn, major))
}

/// A database without a table, and the server's major version. No daemon begins to write to it
/// while this session lives.
pub(crate) async fn open_empty(url: &str) -> Result<(PgConnection, u32), StoreError> {
    let mut conn = session(&options(url, "0")?, CONNECT)
        .await
        .map_err(open_error(url))?;
    check_server(&mut conn).await?;

    let tables: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema'))",
    )
    .fetch_one(&mut conn)
    .await?;

    if tables || !take_lock(&mut conn).await? {
        return Err(StoreError::NotEmpty(hide_password(url)));
    }

    let major = server_major(&mut conn).await?;
    Ok((conn, major))
}

async fn server_major(conn: &mut PgConnection) -> Result<u32, StoreError> {
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(conn)
        .await?;
    Ok(version.unsigned_abs() / 10_000)
}

/// A session that reads, and sees the database as it stands at this moment whatever is written
/// meanwhile.
pub(crate) async fn open_to_read(url: &str) -> Result<PgConnection, StoreError> {
    let mut conn = session(&options(url, READ_TIMEOUT)?, CONNECT)
        .await
        .map_err(open_error(url))?;
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .execute(&mut conn)
        .await?;
    Ok(conn)
}

/// The same for an audit: a database that holds no node's records is none to audit.
pub(crate) async fn open_to_audit(url: &str) -> Result<PgConnection, StoreError> {
    let mut conn = open_to_read(url).await?;
    match schema(&mut conn).await? {
        Some(_) => Ok(conn),
        None => Err(StoreError::Open {
            path: hide_password(url),
            why: "it holds no node's records".into(),
        }),
    }
}

/// What a look at a database found.
#[derive(Clone, PartialEq, Debug)]
pub struct Looked {
    /// Its schema; none where nothing was ever stored in it.
    pub schema: Option<i64>,
    /// Commits so far.
    pub commits: u64,
    /// Whether a daemon writes to it now.
    pub written_to: bool,
    /// Whether it takes no writes.
    pub read_only: bool,
    /// How it stands to the anchor.
    pub anchor: AnchorState,
    /// Enrolments held in it, those that read.
    pub enrolments: Vec<Enrolment>,
}

impl PostgresStore {
    /// Looks at a database and at the anchor in `dir`: nothing is written, and whoever writes to it
    /// is not waited for.
    pub async fn look(url: &str, dir: &Path) -> Result<Looked, StoreError> {
        // The anchor first: a daemon that writes meanwhile takes the database beyond it, and never
        // it beyond the database.
        let anchored = AnchorFile::read(&dir.join("anchor"))?;
        let mut conn = open_to_read(url).await?;
        check_server(&mut conn).await?;

        let schema = schema(&mut conn).await?;
        // The writer's lock stands among the locks in two halves.
        let written_to: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
             WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
             AND l.classid::bigint = $1 AND l.objid::bigint = $2)",
        )
        .bind(WRITER_LOCK >> 32)
        .bind(WRITER_LOCK & 0xffff_ffff)
        .fetch_one(&mut conn)
        .await?;

        let read_only: bool = sqlx::query_scalar(
            "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean",
        )
        .fetch_one(&mut conn)
        .await?;

        let (mut commits, mut enrolments, mut remembered) = (0, Vec::new(), None);
        if schema.is_some() {
            commits = meta(&mut conn, "commits").await? as u64;
            remembered = remembered_loss(&mut conn).await?;
            let rows = sqlx::query("SELECT enrolment FROM nodes")
                .fetch_all(&mut conn)
                .await?;

            enrolments = rows
                .iter()
                .filter_map(|r| Enrolment::from_bytes(r.get(0)).ok())
                .collect();
        }

        // A loss that a daemon found before lasts until all that the anchor vouched for is held
        // again.
        if let Some(AnchorState::LostTail { heads, .. }) = &remembered
            && !lacks(&mut conn, heads).await?
        {
            remembered = None;
        }

        let anchor = match (anchored, remembered) {
            (Some(a), _) if commits < a.commits => AnchorState::LostTail {
                anchored: a.commits,
                held: commits,
                heads: a.heads,
            },
            (_, Some(lost)) => lost,
            (Some(_), None) => AnchorState::Whole,
            (None, None) => AnchorState::New,
        };

        conn.close().await?;
        Ok(Looked {
            schema,
            commits,
            written_to,
            read_only,
            anchor,
            enrolments,
        })
    }
}

/// Whether any of these heads is not held; of none at all nobody can say.
async fn lacks(conn: &mut PgConnection, heads: &[(LogId, Tip)]) -> Result<bool, StoreError> {
    for (log, tip) in heads {
        let size: Option<i64> = sqlx::query_scalar("SELECT size FROM logs WHERE log = $1")
            .bind(log.to_bytes().to_vec())
            .fetch_optional(&mut *conn)
            .await?;
        if size.is_none_or(|held| (held as u64) < tip.size) {
            return Ok(true);
        }
    }

    Ok(heads.is_empty())
}

async fn check_server(conn: &mut PgConnection) -> Result<(), StoreError> {
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int")
        .fetch_one(&mut *conn)
        .await?;
    if version < VERSION_MIN {
        return Err(StoreError::ServerTooOld {
            found: format!("{}.{}", version / 10_000, version % 10_000),
        });
    }

    let (fsync, commit): (String, String) =
        sqlx::query_as("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
            .fetch_one(conn)
            .await?;
    if fsync == "off" || commit == "off" {
        return Err(StoreError::Unsafe(format!(
            "fsync is {fsync} and synchronous_commit is {commit}"
        )));
    }

    Ok(())
}

async fn take_lock(conn: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(WRITER_LOCK)
        .fetch_one(conn)
        .await?)
}

/// The schema of a database; none where nothing was ever stored in it. One of a newer version is
/// not read.
pub(crate) async fn schema(conn: &mut PgConnection) -> Result<Option<i64>, StoreError> {
    let known = MIGRATIONS.len() as i64;
    let fresh: bool = sqlx::query_scalar("SELECT to_regclass('meta') IS NULL")
        .fetch_one(&mut *conn)
        .await?;
    if fresh {
        return Ok(None);
    }

    let found = meta(conn, "schema").await?;
    if found > known {
        Err(StoreError::NewerSchema { found, known })
    } else {
        Ok(Some(found))
    }
}

async fn migrate(conn: &mut PgConnection) -> Result<(), StoreError> {
    let found = schema(conn).await?.unwrap_or(0);
    for (n, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let mut tx = conn.begin().await?;
        sqlx::raw_sql(*sql).execute(&mut *tx).await?;
        sqlx::query("UPDATE meta SET value = $1 WHERE key = 'schema'")
            .bind(n as i64 + 1)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }

    Ok(())
}

/// A database restored from an older backup is remembered as such until the lost heads are held
/// again.
async fn remember_loss(
    conn: &mut PgConnection,
    state: AnchorState,
) -> Result<AnchorState, StoreError> {
    if let AnchorState::LostTail {
        anchored,
        held,
        heads,
    } = &state
    {
        let lost = anchor::encode(&Anchor {
            commits: *anchored,
            heads: heads.clone(),
        });
        let mut tx = conn.begin().await?;

        sqlx::query(
            "INSERT INTO local VALUES ($2, 'lost', $1) ON CONFLICT (scope, key) DO UPDATE SET value = $1",
        )
        .bind(format!("{held} {}", wadi_log::hex(&lost)))
        .bind(LocalScope::Anchor.to_string())
        .execute(&mut *tx)
        .await?;

        sqlx::query("UPDATE meta SET value = $1 WHERE key = 'commits'")
            .bind(*anchored as i64)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        return Ok(state);
    }

    Ok(remembered_loss(conn).await?.unwrap_or(state))
}

async fn remembered_loss(conn: &mut PgConnection) -> Result<Option<AnchorState>, StoreError> {
    let lost: Option<String> =
        sqlx::query_scalar("SELECT value FROM local WHERE scope = $1 AND key = 'lost'")
            .bind(LocalScope::Anchor.to_string())
            .fetch_optional(conn)
            .await?;
    let read = |text: &str| {
        let (held, bytes) = text.split_once(' ')?;
        Some((
            held.parse().ok()?,
            anchor::decode(&wadi_log::unhex(bytes)?)?,
        ))
    };

    let lost = lost.as_deref().and_then(read);
    Ok(lost.map(|(held, a): (u64, Anchor)| AnchorState::LostTail {
        anchored: a.commits,
        held,
        heads: a.heads,
    }))
}

pub(crate) async fn meta(conn: &mut PgConnection, key: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
        .bind(key)
        .fetch_one(conn)
        .await?)
}

/// A cell as its column has it; a type that no column of the tables has is no cell.
fn answer_cell(row: &PgRow, at: usize) -> Result<Cell, StoreError> {
    Ok(match row.column(at).type_info().name() {
        "BYTEA" => Cell::Bytes(row.try_get(at)?),
        "INT8" => Cell::Int(row.try_get(at)?),
        "TEXT" => Cell::Text(row.try_get(at)?),
        _ => Cell::Other,
    })
}

type Statement<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

fn bound<'q>(sql: &str, args: &[Arg<'_>]) -> Statement<'q> {
    let mut statement = sqlx::query(AssertSqlSafe(sql.to_string()));
    for arg in args {
        statement = match arg {
            Arg::Bytes(bytes) => statement.bind(*bytes),
            Arg::Int(number) => statement.bind(*number),
            Arg::Text(text) => statement.bind(*text),
        };
    }

    statement
}

/// The session inside a transaction, and what is known of the tables behind it.
struct WriterSession<'c> {
    conn: &'c mut PgConnection,
    known: &'c mut Known,
}

#[async_trait]
impl WriteConnection for WriterSession<'_> {
    fn each(&self) -> &'static str {
        EACH
    }

    async fn execute(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<u64, StoreError> {
        let done = bound(sql, args).execute(&mut *self.conn).await?;
        Ok(done.rows_affected())
    }

    async fn rows(&mut self, sql: &str, args: &[Arg<'_>]) -> Result<Vec<Answer>, StoreError> {
        let rows = bound(sql, args).fetch_all(&mut *self.conn).await?;
        let Some(first) = rows.first() else {
            return Ok(Vec::new());
        };

        let names: Arc<[String]> = first.columns().iter().map(|c| c.name().into()).collect();
        let answer = |row: &PgRow| {
            let cells = (0..names.len()).map(|at| answer_cell(row, at));
            Ok(Answer::new(names.clone(), cells.collect::<Result<_, _>>()?))
        };

        rows.iter().map(answer).collect()
    }

    async fn insert(&mut self, rows: Rows, conflict: &str) -> Result<(), StoreError> {
        insert(self.conn, rows, conflict).await
    }

    fn known(&mut self) -> &mut Known {
        self.known
    }
}

/// Writes a group in one transaction. `sent` is what became of each batch, once nothing but COMMIT
/// is left.
async fn write_group(
    conn: &mut PgConnection,
    known: &mut Known,
    group: &[Box<Batch>],
    commits: u64,
    sent: &mut Option<Vec<Result<(), StoreError>>>,
) -> Result<(), StoreError> {
    let mut tx = conn.begin().await?;
    let mut each = Vec::with_capacity(group.len());

    for batch in group {
        let before = known.clone();
        let mut part = tx.begin().await?;
        let mut session = WriterSession {
            conn: &mut part,
            known,
        };

        match write_batch(&mut session, batch).await {
            Ok(()) => {
                part.commit().await?;
                each.push(Ok(()));
            }
            Err(error @ StoreError::Conflict(_)) => {
                *known = Known::undone_to(&before);
                part.rollback().await?;
                each.push(Err(error));
            }
            Err(error) => return Err(error),
        }
    }

    let mut session = WriterSession {
        conn: &mut tx,
        known,
    };
    write_counters(&mut session, commits).await?;
    *sent = Some(each);
    tx.commit().await?;

    Ok(())
}

/// The one session that writes; none while the server is away.
struct Writer {
    conn: Option<PgConnection>,
    known: Known,
    options: PgConnectOptions,
    patience: Duration,
    /// The last statement was refused because the session may only read.
    read_only: bool,
    progress: Progress,
}

/// How a group failed.
enum Trouble {
    /// The statements failed; the server has undone all.
    Undone(StoreError),
    /// The connection broke, or COMMIT was not answered well: the server may then have committed
    /// this outcome.
    Broken(StoreError, Option<Vec<Result<(), StoreError>>>),
}

impl Writer {
    /// One attempt at the transaction.
    async fn attempt(
        &mut self,
        group: &[Box<Batch>],
    ) -> Result<Vec<Result<(), StoreError>>, Trouble> {
        let commits = self.progress.commits + 1;
        let Some(conn) = &mut self.conn else {
            return Err(Trouble::Broken(
                StoreError::Down("no connection".into()),
                None,
            ));
        };

        let mut sent = None;
        let done = write_group(conn, &mut self.known, group, commits, &mut sent).await;
        if done.is_err() {
            self.known = Known::default();
        }

        match (done, sent) {
            (Ok(()), each) => Ok(each.unwrap_or_default()),
            // Once COMMIT was sent, the counter alone tells whether it arrived, whatever the server
            // said last: where the disk of its own log is full it ends with those words.
            (Err(error), Some(each)) => Err(Trouble::Broken(error, Some(each))),
            (Err(error @ StoreError::Down(_)), None) => Err(Trouble::Broken(error, None)),
            (Err(error), None) => {
                self.read_only = matches!(error, StoreError::ReadOnly(_));
                Err(Trouble::Undone(error))
            }
        }
    }

    /// A new session with the lock. Another daemon that has it meanwhile is for good: this one
    /// stops.
    async fn connect(&mut self) -> Result<(), StoreError> {
        self.conn = None;
        let mut conn = session(&self.options, CONNECT.min(self.patience)).await?;
        check_server(&mut conn).await?;
        if !take_lock(&mut conn).await? {
            return Err(StoreError::Failed(
                "the connection to the database broke, and another daemon has taken over since"
                    .into(),
            ));
        }

        self.conn = Some(conn);
        self.read_only = false;
        Ok(())
    }

    /// A session keeps the settings that it began with: whether the database takes writes again, a
    /// new one tells. The lock goes over to it.
    async fn renew(&mut self) -> Result<(), StoreError> {
        let mut fresh = session(&self.options, CONNECT.min(self.patience)).await?;
        let read_only: bool =
            sqlx::query_scalar("SELECT current_setting('transaction_read_only')::boolean")
                .fetch_one(&mut fresh)
                .await?;

        if read_only {
            let _ = fresh.close().await;
            return Err(StoreError::ReadOnly(
                "it was so a moment ago, and still is".into(),
            ));
        }

        check_server(&mut fresh).await?;
        if let Some(mut old) = self.conn.take() {
            let _ = sqlx::query("SELECT pg_advisory_unlock($1)")
                .bind(WRITER_LOCK)
                .execute(&mut old)
                .await;
            let _ = old.close().await;
        }

        if take_lock(&mut fresh).await? {
            self.conn = Some(fresh);
            self.read_only = false;
            return Ok(());
        }

        let _ = fresh.close().await;
        self.connect_patiently(StoreError::ReadOnly("it takes writes again".into()))
            .await
    }

    async fn connect_patiently(&mut self, why: StoreError) -> Result<(), StoreError> {
        tracing::warn!(%why, "the database is away; trying again");
        let begun = Instant::now();
        loop {
            match self.connect().await {
                Ok(()) => return Ok(()),
                // The server may not have noticed yet that the old session is gone.
                Err(failed @ StoreError::Failed(_)) if begun.elapsed() > NOTICE => {
                    return Err(failed);
                }
                Err(StoreError::Failed(_)) => {}
                Err(error) if begun.elapsed() > self.patience => return Err(error),
                Err(_) => {}
            }

            tokio::time::sleep(ASK).await;
        }
    }
}

#[async_trait]
impl GroupWriter for Writer {
    async fn write(
        &mut self,
        group: &[Box<Batch>],
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        if self.conn.is_none() {
            self.connect_patiently(StoreError::Down(
                "not connected since the last write".into(),
            ))
            .await?;
        } else if self.read_only {
            self.renew().await?;
        }

        let mut last = StoreError::Down("the connection broke".into());
        for _ in 0..3 {
            let outcome = self.attempt(group).await;
            match outcome {
                Ok(each) => {
                    self.progress.advance(group, &each)?;
                    return Ok(each);
                }
                Err(Trouble::Undone(error)) => return Err(error),
                Err(Trouble::Broken(error, sent)) => {
                    self.connect_patiently(error.clone()).await?;
                    last = error;
                    let conn = self.conn.as_mut().expect("just connected");
                    let arrived = meta(conn, "commits").await? as u64 > self.progress.commits;

                    if let Some(each) = sent.filter(|_| arrived) {
                        self.progress.advance(group, &each)?;
                        return Ok(each);
                    }
                }
            }
        }

        Err(last)
    }

    async fn reopen(&mut self) -> Result<(), StoreError> {
        // The transaction was undone with its guard. A session that does not answer is opened anew
        // with the next group.
        if let Some(conn) = &mut self.conn
            && conn.ping().await.is_err()
        {
            self.conn = None;
        }
        Ok(())
    }

    async fn close(self) {
        if let Some(conn) = self.conn {
            let _ = conn.close().await;
        }
    }
}
