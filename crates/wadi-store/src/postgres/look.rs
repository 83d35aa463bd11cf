//! What a look at a database finds, and what was lost of it.

use super::{
    PostgresStore,
    both::at_rest::said_key,
    connect::{WRITER_LOCK, check_server, meta, open_to_read, schema},
};
use crate::{
    LocalScope, StoreError,
    anchor::{self, Anchor, AnchorFile, AnchorState},
};
use sqlx::{Connection, PgConnection, Row};
use std::path::Path;
use wadi_log::{Enrolment, LogId, Tip};

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
    /// Whether it says that it is encrypted.
    pub encrypted: bool,
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
        let mut encrypted = false;
        if schema.is_some() {
            commits = meta(&mut conn, "commits").await? as u64;
            encrypted = said_key(&mut conn).await?.is_some();
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
            encrypted,
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

/// A database restored from an older backup is remembered as such until the lost heads are held
/// again.
pub(super) async fn remember_loss(
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
