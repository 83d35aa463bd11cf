//! What a database has to be before anything is done with it, and what is set right in it.

use super::schema::MIGRATIONS;
use crate::{
    StoreError,
    anchor::{self, Anchor, AnchorState},
};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::{fs::File, os::unix::fs::FileExt, path::Path};
use wadi_log::{NodeId, hex};

pub(super) async fn check_library(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()")
        .fetch_one(conn)
        .await?;
    let parts: Vec<u32> = found.split('.').filter_map(|p| p.parse().ok()).collect();
    if parts.as_slice() < [3, 51, 3].as_slice() {
        Err(StoreError::LibraryTooOld { found })
    } else {
        Ok(())
    }
}

/// The schema of a database. One of a newer version is not read.
pub(crate) async fn schema(conn: &mut SqliteConnection) -> Result<i64, StoreError> {
    let known = MIGRATIONS.len() as i64;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(conn)
        .await?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }

    if found < 0 {
        return Err(StoreError::Malformed(format!(
            "its schema is said to be {found}"
        )));
    }

    Ok(found)
}

/// Bytes of a database file's header of which these checks know.
const HEADER_BYTES: usize = 20;
/// The newest file format that SQLite writes (file format, 1.3.3).
const FORMAT_MAX: u8 = 2;

/// A file format of the future is rot: this version's SQLite has written the file. It would open it
/// for reading alone, and every write would fail.
pub(super) fn check_header(path: &Path) -> Result<(), StoreError> {
    let mut header = [0u8; HEADER_BYTES];
    let there = File::open(path).is_ok_and(|file| file.read_exact_at(&mut header, 0).is_ok());
    if there
        && header.starts_with(b"SQLite format 3\0")
        && header[18..].iter().any(|format| *format > FORMAT_MAX)
    {
        return Err(StoreError::Malformed(format!(
            "its header names the file formats {:?}",
            &header[18..]
        )));
    }

    Ok(())
}

/// The schema as the database itself says it, beside its header; none where an older version wrote
/// it.
async fn said_schema(conn: &mut SqliteConnection) -> Option<i64> {
    let said = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'schema'")
        .fetch_optional(conn)
        .await;
    said.ok().flatten()
}

/// Commits so far. The cursor of the newest change is set right where it lies behind the records
/// that were changed by it: whoever follows the changes would miss what comes next.
pub(super) async fn check_counters(conn: &mut SqliteConnection) -> Result<u64, StoreError> {
    let held = meta(conn, "commits").await?;
    let held = u64::try_from(held)
        .map_err(|_| StoreError::Malformed(format!("it is said to hold {held} commits")))?;
    let changed = meta(conn, "changed").await?;
    let last: Option<i64> = sqlx::query_scalar("SELECT max(changed) FROM records")
        .fetch_one(&mut *conn)
        .await?;

    if let Some(last) = last.filter(|last| *last > changed) {
        tracing::error!(
            changed,
            last,
            "the cursor of changes was damaged; it is set right"
        );

        sqlx::query("UPDATE meta SET value = ?1 WHERE key = 'changed'")
            .bind(last)
            .execute(conn)
            .await?;
    }

    Ok(held)
}

pub(super) async fn migrate(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let found = schema(conn).await;
    if let Err(StoreError::NewerSchema { found, known }) = found
        && said_schema(conn)
            .await
            .is_some_and(|said| said <= known && (said ^ found).count_ones() == 1)
    {
        // One bit away from what the database itself says: the header is rotten.
        return Err(StoreError::Malformed(format!(
            "its header says schema {found}, the database an older one"
        )));
    }

    let found = found?;
    for (n, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(*sql).execute(&mut *tx).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA user_version = {}", n + 1)))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }

    let known = MIGRATIONS.len() as i64;
    if said_schema(conn).await != Some(known) {
        let wrote = sqlx::query("INSERT OR REPLACE INTO meta VALUES ('schema', ?1)")
            .bind(known)
            .execute(conn)
            .await;

        match wrote.map_err(StoreError::from) {
            // A disk without room for it does not keep the node from starting; the next start says
            // it.
            Ok(_) | Err(StoreError::Full(_)) => {}
            // A sync that failed may have lost what the migrations wrote as well.
            Err(error) => return Err(error),
        }
    }

    Ok(())
}

/// A lost tail is remembered in the database until its heads are held again: the next start must
/// not take what is left for whole. From here on the counter goes on above what was ever
/// acknowledged, so that no later loss hides behind it.
pub(super) async fn remember_loss(
    conn: &mut SqliteConnection,
    state: AnchorState,
) -> Result<AnchorState, StoreError> {
    if let AnchorState::LostTail {
        anchored,
        held,
        heads,
    } = &state
    {
        let anchor = Anchor {
            commits: *anchored,
            heads: heads.clone(),
        };
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;

        for (key, bytes) in [
            ("lost_tail", anchor::encode(&anchor)),
            ("lost_held", held.to_be_bytes().to_vec()),
        ] {
            sqlx::query("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")
                .bind(key)
                .bind(bytes)
                .execute(&mut *tx)
                .await?;
        }

        sqlx::query("UPDATE meta SET value = ?1 WHERE key = 'commits'")
            .bind(*anchored as i64)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        return Ok(state);
    }

    let lost: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'lost_tail'")
            .fetch_optional(&mut *conn)
            .await?;
    let held: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'lost_held'")
            .fetch_optional(&mut *conn)
            .await?;

    let held = held
        .and_then(|h| h.try_into().ok())
        .map_or(0, u64::from_be_bytes);

    Ok(match lost.and_then(|l| anchor::decode(&l)) {
        Some(a) => AnchorState::LostTail {
            anchored: a.commits,
            held,
            heads: a.heads,
        },
        None => state,
    })
}

pub(super) async fn check_node(
    conn: &mut SqliteConnection,
    node: NodeId,
) -> Result<(), StoreError> {
    let found: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'node'")
        .fetch_optional(&mut *conn)
        .await?;
    match found {
        Some(found) if found == node.to_string() => Ok(()),
        Some(found) => {
            let enrolled: Vec<Vec<u8>> = sqlx::query_scalar("SELECT node FROM nodes")
                .fetch_all(conn)
                .await?;
            let holds = |name: &str| enrolled.iter().any(|node| hex(node) == name);

            // Every database holds its own node's enrolment.
            if holds(&node.to_string()) && !holds(&found) {
                let why =
                    format!("it is said to belong to node {found}, of which it knows nothing");
                return Err(StoreError::Malformed(why));
            }

            Err(StoreError::OtherNode {
                found,
                expected: node.to_string(),
            })
        }
        None => {
            sqlx::query("INSERT INTO meta VALUES ('node', ?1)")
                .bind(node.to_string())
                .execute(conn)
                .await?;
            Ok(())
        }
    }
}

pub(crate) async fn meta(conn: &mut SqliteConnection, key: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = ?1")
        .bind(key)
        .fetch_one(conn)
        .await?)
}
