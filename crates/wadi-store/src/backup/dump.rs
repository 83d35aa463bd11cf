//! A dump of a database on PostgreSQL, made and read in by the server's own programs.

use super::{CopyFacts, copy::COUNTS, unreadable};
use crate::{StoreError, at_rest::CellCipher, audit::tips, postgres, temporary};
use sqlx::{ConnectOptions, Connection, PgConnection, Row, postgres::PgConnectOptions};
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Stdio,
    str::FromStr,
};
use tokio::process::Command;
use wadi_log::unhex;

pub(super) async fn postgres_facts(conn: &mut PgConnection) -> Result<CopyFacts, StoreError> {
    let none = || StoreError::Database("it holds no node's records".into());
    let schema = postgres::schema(conn).await?.ok_or_else(none)?;
    let commits = postgres::meta(conn, "commits").await? as u64;
    let counts = sqlx::query(COUNTS).fetch_one(&mut *conn).await?;
    let (entries, records) = (
        counts.get::<i64, _>("entries") as u64,
        counts.get::<i64, _>("records") as u64,
    );

    // How far logs go lies in clear.
    let cipher = CellCipher::default();
    let logs = tips(&mut postgres::ConnAudit { conn, cipher }).await?;
    Ok(CopyFacts {
        node: None,
        schema,
        commits,
        records,
        entries,
        logs,
    })
}

/// How PostgreSQL's programs find a database, as variables: a password does not stand in the list
/// of processes.
pub(super) fn variables(url: &str) -> Result<Vec<(&'static str, String)>, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|e| StoreError::Open {
        path: postgres::hide_password(url),
        why: e.to_string(),
    })?;
    let host = options.get_socket().map_or_else(
        || options.get_host().to_string(),
        |s| s.display().to_string(),
    );

    let mut out = vec![
        ("PGHOST", host),
        ("PGPORT", options.get_port().to_string()),
        ("PGUSER", options.get_username().to_string()),
        ("PGDATABASE", database(&options)),
        ("PGAPPNAME", "wadi".to_string()),
    ];

    let url = options.to_url_lossy();
    out.extend(url.password().map(|p| ("PGPASSWORD", unescape(p))));
    for (key, value) in url.query_pairs() {
        let name = match &*key {
            "sslmode" => "PGSSLMODE",
            "sslrootcert" => "PGSSLROOTCERT",
            "sslcert" => "PGSSLCERT",
            "sslkey" => "PGSSLKEY",
            _ => continue,
        };

        out.push((name, value.into_owned()));
    }

    Ok(out)
}

/// As the server takes it where none is named: the user's.
pub(super) fn database(options: &PgConnectOptions) -> String {
    options
        .get_database()
        .unwrap_or(options.get_username())
        .to_string()
}

/// `%41` as `A`.
pub(super) fn unescape(text: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digits = after
            .get(..2)
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(unhex);

        match digits {
            Some(byte) if *first == b'%' => {
                out.extend(byte);
                rest = &after[2..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }

    String::from_utf8_lossy(&out).into_owned()
}

/// One of PostgreSQL's programs: the server's own version, where it is installed, or else the
/// newest.
pub(super) fn program(tool: &'static str, major: Option<u32>) -> Result<Command, StoreError> {
    let own = major.map(|m| PathBuf::from(format!("/usr/lib/postgresql/{m}/bin")));
    let found = own
        .into_iter()
        .chain(temporary::directories())
        .map(|d| d.join(tool))
        .find(|p| p.is_file());

    let mut command = Command::new(found.ok_or(StoreError::ToolMissing { tool })?);
    command.stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

pub(super) fn tool_failed(tool: &'static str, said: &str) -> StoreError {
    let said = said.trim();
    if said.contains("No space left on device") {
        return StoreError::Full(said.to_string());
    }

    let why = if said.is_empty() {
        "it stopped without a word".to_string()
    } else {
        said.to_string()
    };

    StoreError::ToolFailed { tool, why }
}

pub(super) async fn finish(tool: &'static str, mut command: Command) -> Result<(), StoreError> {
    let done = command
        .output()
        .await
        .map_err(|e| tool_failed(tool, &e.to_string()))?;
    if done.status.success() {
        Ok(())
    } else {
        Err(tool_failed(tool, &String::from_utf8_lossy(&done.stderr)))
    }
}

/// Copies a database on PostgreSQL into a file with `pg_dump`, and syncs it; what the copy holds is
/// read by the same snapshot. Nobody who writes to it waits.
pub async fn dump_postgres(url: &str, to: &Path) -> Result<CopyFacts, StoreError> {
    let (mut conn, major) = postgres::open_to_dump(url).await?;
    let mut command = program("pg_dump", Some(major))?;
    let mut tx = conn
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let facts = postgres_facts(&mut tx).await?;
    let snapshot: String = sqlx::query_scalar("SELECT pg_export_snapshot()")
        .fetch_one(&mut *tx)
        .await?;

    command
        .args(["--format=custom", "--no-owner", "--no-privileges"])
        .arg(format!("--snapshot={snapshot}"));
    command.arg("--file").arg(to).envs(variables(url)?);
    finish("pg_dump", command).await?;
    tx.rollback().await?;
    File::open(to)
        .and_then(|f| f.sync_all())
        .map_err(|e| unreadable(to, e))?;

    Ok(facts)
}

/// Fills an empty database on PostgreSQL out of a file that `pg_dump` wrote, whole or not at all;
/// returns what it holds then.
pub async fn fill_postgres(url: &str, from: &Path) -> Result<CopyFacts, StoreError> {
    let (mut conn, major) = postgres::open_empty(url).await?;
    let options = PgConnectOptions::from_str(url).map_err(|e| StoreError::Open {
        path: postgres::hide_password(url),
        why: e.to_string(),
    })?;
    let mut command = program("pg_restore", Some(major))?;

    command.args([
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
    ]);

    command
        .arg(format!("--dbname={}", database(&options)))
        .arg(from)
        .envs(variables(url)?);
    finish("pg_restore", command).await?;

    let facts = postgres_facts(&mut conn).await?;
    conn.close().await?;
    Ok(facts)
}
