//! Sessions with a server, and what a database has to be before anything is done with it.

use super::{
    both::{at_rest::cipher_to_read, audit_reads::ConnAudit},
    schema::MIGRATIONS,
};
use crate::{StoreError, StoreKey};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::{str::FromStr, time::Duration};

/// Names the writer's lock among the database's advisory locks: "wadi" in ASCII.
pub(super) const WRITER_LOCK: i64 = 0x7761_6469;
/// A server that takes a connection and says nothing is given up after so long.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// The least version: MERGE-free SQL, `unhex` as a function, hash partitions; 15 is what Debian's
/// stable brings.
const VERSION_MIN: i32 = 150_000;
/// A read that takes longer is given up, milliseconds.
pub(super) const READ_TIMEOUT: &str = "30000";
/// A read that waits longer for somebody's lock on a table is given up, milliseconds: it keeps a
/// place that reads of other tables need.
const LOCK_TIMEOUT: &str = "2000";
/// A write that takes longer is given up and undone, milliseconds.
pub(super) const WRITE_TIMEOUT: &str = "120000";

pub(super) fn options(url: &str, timeout: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(open_error(url))?;
    // The brackets of an IPv6 address are the URL's (RFC 3986, 3.2.2), and no part of a name.
    let host = options.get_host().to_string();
    let options = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(address) => options.host(address),
        None => options,
    };
    let ours = [
        ("statement_timeout", timeout),
        // A daemon whose machine went away without a word must not hold the lock for hours.
        ("tcp_keepalives_idle", "5"),
        ("tcp_keepalives_interval", "2"),
        ("tcp_keepalives_count", "3"),
    ];

    let options = options.application_name("wadi").disable_statement_logging();
    Ok(unless_said(options, &ours))
}

/// Sets what the URL itself does not, as `options[statement_timeout]=5000` does: somebody knows the
/// server better.
fn unless_said(options: PgConnectOptions, ours: &[(&str, &str)]) -> PgConnectOptions {
    let said = options.get_options().unwrap_or_default().to_string();
    let unsaid = ours.iter().filter(|(name, _)| !said.contains(*name));

    options.options(unsaid.copied())
}

/// For sessions of a daemon that read beside each other.
pub(super) fn reading(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options = by_index(options(url, READ_TIMEOUT)?);
    Ok(unless_said(options, &[("lock_timeout", LOCK_TIMEOUT)]))
}

/// For sessions of a daemon, whose statements find their rows by keys. The server keeps a
/// statement's plan from when its tables were small, and would read all of them for a few rows once
/// they have grown, or begin with a table that was empty. So indexes are used from the beginning,
/// and tables are joined in the order in which a statement names them, the keys first.
pub(super) fn by_index(options: PgConnectOptions) -> PgConnectOptions {
    let ours = [
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
        ("join_collapse_limit", "1"),
    ];

    unless_said(options, &ours)
}

pub(super) fn open_error(url: &str) -> impl Fn(sqlx::Error) -> StoreError + '_ {
    move |e| StoreError::Open {
        path: hide_password(url),
        why: e.to_string(),
    }
}

/// A session, made within a time.
pub(super) async fn session(
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

/// How often, and how long apart, a command tries to be the one that writes.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// A URL for people: without its password.
pub(crate) fn hide_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.into(),
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
    if !take_lock_soon(&mut conn).await? {
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
pub(crate) async fn open_to_audit(
    url: &str,
    key: Option<&StoreKey>,
) -> Result<ConnAudit, StoreError> {
    let mut conn = open_to_read(url).await?;
    match schema(&mut conn).await? {
        Some(_) => {
            let cipher = cipher_to_read(&mut conn, key).await?;
            Ok(ConnAudit { conn, cipher })
        }
        None => Err(StoreError::Open {
            path: hide_password(url),
            why: "it holds no node's records".into(),
        }),
    }
}

pub(super) async fn check_server(conn: &mut PgConnection) -> Result<(), StoreError> {
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

pub(super) async fn take_lock(conn: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
        .bind(WRITER_LOCK)
        .fetch_one(conn)
        .await?)
}

/// The same for commands: a daemon that was just stopped lets go of it a moment later, once its
/// server has noticed.
pub(super) async fn take_lock_soon(conn: &mut PgConnection) -> Result<bool, StoreError> {
    for _ in 0..LOCK_TRIES {
        if take_lock(conn).await? {
            return Ok(true);
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }

    take_lock(conn).await
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

pub(super) async fn migrate(conn: &mut PgConnection) -> Result<(), StoreError> {
    let found = schema(conn).await?.unwrap_or(0);
    for (n, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let mut tx = conn.begin().await?;
        // An index over ten years of records takes longer than any write may: given up half-way it
        // would be begun anew at each start, for ever.
        sqlx::query("SET LOCAL statement_timeout = 0")
            .execute(&mut *tx)
            .await?;
        sqlx::raw_sql(*sql).execute(&mut *tx).await?;
        sqlx::query("UPDATE meta SET value = $1 WHERE key = 'schema'")
            .bind(n as i64 + 1)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }

    Ok(())
}

pub(crate) async fn meta(conn: &mut PgConnection, key: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
        .bind(key)
        .fetch_one(conn)
        .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{postgres::EACH, temporary::TemporaryServer};
    use sqlx::AssertSqlSafe;

    #[test]
    fn a_server_is_named_by_an_ipv6_address_too_and_by_either_scheme() {
        for (url, host) in [
            ("postgres://wadi@[::1]:5432/wadi", "::1"),
            ("postgresql://wadi@[fd00::7]/wadi", "fd00::7"),
            ("postgres://wadi@10.0.0.7/wadi", "10.0.0.7"),
        ] {
            assert_eq!(options(url, "5000").unwrap().get_host(), host, "{url}");
        }
    }

    /// The plan that a server makes while the tables are empty is the one it keeps.
    #[tokio::test]
    async fn entries_of_records_are_found_by_keys_even_where_the_plan_is_made_of_empty_tables() {
        let dir = tempfile::tempdir().unwrap();
        let server =
            TemporaryServer::start(&dir.path().join("pg")).expect("PostgreSQL is installed");
        let url = server.create("wadi").unwrap();

        let ours = by_index(options(&url, READ_TIMEOUT).unwrap());
        let mut conn = session(&ours, CONNECT).await.unwrap();
        migrate(&mut conn).await.unwrap();

        let each = EACH.replace("$1", "'[]'");
        let sql = format!(
            "EXPLAIN SELECT e.bytes FROM {each} \
             JOIN record_entries re ON re.record = unhex(j.value ->> 0) \
             JOIN entries e ON e.log = re.log AND e.seq = re.seq AND e.leaf = re.leaf"
        );
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&mut conn)
            .await
            .unwrap();
        let places: Vec<usize> = ["json_array_elements", "on record_entries", "on entries"]
            .map(|part| plan.iter().position(|line| line.contains(part)).unwrap())
            .to_vec();

        assert!(places.is_sorted(), "{plan:#?}");
        assert!(
            plan.iter()
                .all(|line| !line.contains("Seq Scan") && !line.contains("Hash")),
            "{plan:#?}"
        );
    }
}
