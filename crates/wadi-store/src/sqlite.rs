//! The store on SQLite: WAL, synchronous FULL, one writer task that groups waiting batches into one commit.
//!
//! SQLite reports neither rotten pages nor a torn WAL tail by itself: entries are checked against their leaf hash on
//! every read, and the anchor tells a lost tail.

use crate::{
    Batch, Store, StoreError,
    anchor::{self, Anchor, AnchorFile, AnchorState},
    rows::*,
    schema::MIGRATIONS,
    sqlite_write::write_batch,
};
use async_trait::async_trait;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous},
};
use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use wadi_log::{
    Cosignature, Enrolment, ForkProof, Hash, LogId, NodeId, Peaks, RecordId, Reference, SignedCheckpoint, Subtree,
    TILE_LEVELS, Tip, VerifiedEntry, node_hash,
};

/// Batches that may wait for the writer; more, and their senders wait.
const QUEUE_MAX: usize = 64;
/// WAL frames after which SQLite moves them into the database file.
const WAL_AUTOCHECKPOINT: &str = "2000";

/// A store in a file.
pub struct SqliteStore {
    node: NodeId,
    readers: SqlitePool,
    queue: mpsc::Sender<Job>,
    anchor_state: AnchorState,
    writer: Mutex<Option<tokio::task::JoinHandle<()>>>,
}

enum Job {
    Commit(Box<Batch>, oneshot::Sender<Result<(), StoreError>>),
    Close(oneshot::Sender<()>),
}

impl SqliteStore {
    /// Opens or creates `node.sqlite` and `anchor` in a directory, for the node of that id.
    pub async fn open(dir: &Path, node: NodeId) -> Result<Arc<Self>, StoreError> {
        let path = dir.join("node.sqlite");
        let open_error = |e: sqlx::Error| StoreError::Open { path: path.display().to_string(), why: e.to_string() };
        let existed = path.exists();
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .page_size(8192)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .pragma("wal_autocheckpoint", WAL_AUTOCHECKPOINT)
            .disable_statement_logging();
        let mut conn = SqliteConnection::connect_with(&options).await.map_err(open_error)?;
        check_library(&mut conn).await?;
        migrate(&mut conn).await?;
        check_node(&mut conn, node).await?;
        let held = meta(&mut conn, "commits").await? as u64;
        let (file, found) = AnchorFile::open(&dir.join("anchor"))?;
        let anchored = found.as_ref().map_or(0, |a| a.commits);
        let anchored_heads = found.as_ref().map(|a| a.heads.clone()).unwrap_or_default();
        let anchor_state = match found {
            None if !existed || held == 0 => AnchorState::New,
            None => AnchorState::Unanchored,
            Some(a) if held < a.commits => AnchorState::LostTail { anchored: a.commits, held, heads: a.heads.clone() },
            Some(_) => AnchorState::Whole,
        };
        let anchor_state = remember_loss(&mut conn, anchor_state).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone().read_only(true).create_if_missing(false))
            .await
            .map_err(open_error)?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let commits = held.max(anchored);
        let heads = anchored_heads.into_iter().collect();
        let writer = Writer { conn, options, file, commits, heads, failed: None };
        let handle = tokio::spawn(writer.run(jobs));
        Ok(Arc::new(Self { node, readers, queue, anchor_state, writer: Mutex::new(Some(handle)) }))
    }
}

async fn check_library(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let found: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(conn).await?;
    let parts: Vec<u32> = found.split('.').filter_map(|p| p.parse().ok()).collect();
    if parts.as_slice() < [3, 51, 3].as_slice() { Err(StoreError::LibraryTooOld { found }) } else { Ok(()) }
}

async fn migrate(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    let found: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *conn).await?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for (n, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(*sql).execute(&mut *tx).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA user_version = {}", n + 1))).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// A lost tail is remembered in the database until its heads are held again: the next start must not take what is left
/// for whole. From here on the counter goes on above what was ever acknowledged, so that no later loss hides behind it.
async fn remember_loss(conn: &mut SqliteConnection, state: AnchorState) -> Result<AnchorState, StoreError> {
    if let AnchorState::LostTail { anchored, held, heads } = &state {
        let anchor = Anchor { commits: *anchored, heads: heads.clone() };
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
        for (key, bytes) in [("lost_tail", anchor::encode(&anchor)), ("lost_held", held.to_be_bytes().to_vec())] {
            sqlx::query("INSERT OR REPLACE INTO meta VALUES (?1, ?2)").bind(key).bind(bytes).execute(&mut *tx).await?;
        }
        sqlx::query("UPDATE meta SET value = ?1 WHERE key = 'commits'")
            .bind(*anchored as i64)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        return Ok(state);
    }
    let lost: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'lost_tail'").fetch_optional(&mut *conn).await?;
    let held: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'lost_held'").fetch_optional(&mut *conn).await?;
    let held = held.and_then(|h| h.try_into().ok()).map_or(0, u64::from_be_bytes);
    Ok(match lost.and_then(|l| anchor::decode(&l)) {
        Some(a) => AnchorState::LostTail { anchored: a.commits, held, heads: a.heads },
        None => state,
    })
}

async fn check_node(conn: &mut SqliteConnection, node: NodeId) -> Result<(), StoreError> {
    let found: Option<String> =
        sqlx::query_scalar("SELECT value FROM meta WHERE key = 'node'").fetch_optional(&mut *conn).await?;
    match found {
        Some(found) if found == node.to_string() => Ok(()),
        Some(found) => Err(StoreError::OtherNode { found, expected: node.to_string() }),
        None => {
            sqlx::query("INSERT INTO meta VALUES ('node', ?1)").bind(node.to_string()).execute(conn).await?;
            Ok(())
        }
    }
}

pub(crate) async fn meta(conn: &mut SqliteConnection, key: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT value FROM meta WHERE key = ?1").bind(key).fetch_one(conn).await?)
}

/// The one task that writes.
struct Writer {
    conn: SqliteConnection,
    options: SqliteConnectOptions,
    file: AnchorFile,
    commits: u64,
    heads: BTreeMap<LogId, Tip>,
    failed: Option<StoreError>,
}

impl Writer {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::new();
        while jobs.recv_many(&mut waiting, QUEUE_MAX).await > 0 {
            let (mut group, mut closing) = (Vec::new(), Vec::new());
            for job in waiting.drain(..) {
                match job {
                    Job::Commit(batch, reply) => group.push((batch, reply)),
                    Job::Close(reply) => closing.push(reply),
                }
            }
            self.commit_group(group).await;
            if !closing.is_empty() {
                let _ = self.conn.close().await;
                for reply in closing {
                    let _ = reply.send(());
                }
                return;
            }
        }
    }

    async fn commit_group(&mut self, group: Vec<(Box<Batch>, oneshot::Sender<Result<(), StoreError>>)>) {
        if group.is_empty() {
            return;
        }
        let outcome = match &self.failed {
            Some(error) => Err(error.clone()),
            None => self.write(&group).await,
        };
        match outcome {
            Ok(each) => {
                for ((_, reply), result) in group.into_iter().zip(each) {
                    let _ = reply.send(result);
                }
            }
            Err(error) => {
                if let StoreError::Failed(_) = error {
                    tracing::error!(%error, "writing failed; the node has to stop and verify");
                    self.failed = Some(error.clone());
                }
                // A statement that failed may have left the connection inside a transaction that SQLite has undone: a new
                // connection knows where it stands.
                if self.failed.is_none() {
                    match SqliteConnection::connect_with(&self.options).await {
                        Ok(conn) => self.conn = conn,
                        Err(e) => self.failed = Some(StoreError::Failed(e.to_string())),
                    }
                }
                for (_, reply) in group {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    /// One transaction for all; a batch that does not fit is undone alone.
    async fn write(
        &mut self,
        group: &[(Box<Batch>, oneshot::Sender<Result<(), StoreError>>)],
    ) -> Result<Vec<Result<(), StoreError>>, StoreError> {
        let mut tx = self.conn.begin_with("BEGIN IMMEDIATE").await?;
        let mut each = Vec::with_capacity(group.len());
        let mut heads = self.heads.clone();
        for (batch, _) in group {
            let mut part = tx.begin().await?;
            match write_batch(&mut part, batch).await {
                Ok(()) => {
                    part.commit().await?;
                    heads.extend(batch.own_heads.iter().copied());
                    each.push(Ok(()));
                }
                Err(error @ (StoreError::Failed(_) | StoreError::Full(_))) => return Err(error),
                Err(error) => {
                    part.rollback().await?;
                    each.push(Err(error));
                }
            }
        }
        sqlx::query("UPDATE meta SET value = ?1 WHERE key = 'commits'")
            .bind(self.commits as i64 + 1)
            .execute(&mut *tx)
            .await?;
        // A failed COMMIT may have reached the disk or not: only verifying tells. ENOSPC while the WAL grows is the one
        // that SQLite undoes whole.
        tx.commit().await.map_err(|e| match StoreError::from(e) {
            full @ StoreError::Full(_) => full,
            other => StoreError::Failed(other.to_string()),
        })?;
        self.commits += 1;
        // An epoch's logs replace those of the epoch before it.
        if let Some(epoch) = group.iter().flat_map(|(b, _)| &b.own_heads).map(|(l, _)| l.epoch).next_back() {
            heads.retain(|l, _| l.epoch == epoch);
        }
        self.heads = heads;
        let anchor = Anchor { commits: self.commits, heads: self.heads.iter().map(|(l, t)| (*l, *t)).collect() };
        // The database is synced: only now may the anchor say so, and only then are writers told.
        self.file.write(&anchor)?;
        Ok(each)
    }
}

fn log_of(row: &SqliteRow, at: usize) -> Result<LogId, StoreError> {
    LogId::from_slice(row.get(at)).map_err(damaged)
}

fn damaged(error: wadi_log::LogError) -> StoreError {
    StoreError::Damaged { entry: error.to_string() }
}

/// log, seq, leaf, bytes, received_ms, main.
fn stored_entry(row: &SqliteRow) -> Result<StoredEntry, StoreError> {
    let leaf = Hash::from_slice(row.get(2)).map_err(damaged)?;
    let reference = Reference { log: log_of(row, 0)?, seq: row.get::<i64, _>(1) as u64, leaf };
    let entry = VerifiedEntry::recheck(reference, row.get(3))
        .map_err(|_| StoreError::Damaged { entry: reference.to_string() })?;
    Ok(StoredEntry { entry, received_ms: row.get(4), main: row.get::<i64, _>(5) == 1 })
}

const RECORD_COLUMNS: &str = "r.id, r.printed, r.lane, r.crossing, r.state, r.open, r.contested, r.json, r.digest, r.entries, r.at_ms, r.changed";

fn record_row(row: &SqliteRow) -> Result<RecordRow, StoreError> {
    Ok(RecordRow {
        id: RecordId::from_slice(row.get(0)).map_err(damaged)?,
        printed: row.get(1),
        lane: row.get::<i64, _>(2) as u8,
        crossing: row.get(3),
        state: row.get(4),
        open: row.get(5),
        contested: row.get(6),
        json: row.get(7),
        digest: Hash::from_slice(row.get(8)).map_err(damaged)?,
        entries: row.get::<i64, _>(9) as u32,
        at_ms: row.get(10),
        changed: row.get(11),
        terms: Vec::new(),
        waiting: Vec::new(),
    })
}

fn record_id(row: &SqliteRow) -> Result<RecordId, StoreError> {
    RecordId::from_slice(row.get(0)).map_err(damaged)
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job::Commit(Box::new(batch), reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    fn anchor_state(&self) -> &AnchorState {
        &self.anchor_state
    }

    fn node(&self) -> NodeId {
        self.node
    }

    async fn logs(&self) -> Result<Vec<LogRow>, StoreError> {
        let rows =
            sqlx::query("SELECT log, size, peaks, checkpoint, grew_ms FROM logs").fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                Ok(LogRow {
                    log: log_of(row, 0)?,
                    peaks: Peaks::from_parts(row.get::<i64, _>(1) as u64, row.get(2)).map_err(damaged)?,
                    checkpoint: SignedCheckpoint::from_bytes(row.get(3)).map_err(damaged)?,
                    grew_ms: row.get(4),
                })
            })
            .collect()
    }

    async fn entries(&self, log: &LogId, from: u64, bytes_max: usize) -> Result<Vec<StoredEntry>, StoreError> {
        // Entries are at least some 40 bytes, mostly 200 to 400: this many rows are never far too many or too few.
        let limit = (bytes_max / 64).clamp(1, 4096) as i64;
        let rows = sqlx::query(
            "SELECT log, seq, leaf, bytes, received_ms, main FROM entries WHERE log = ?1 AND seq >= ?2 AND main = 1 \
             ORDER BY seq LIMIT ?3",
        )
        .bind(&log.to_bytes()[..])
        .bind(from as i64)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let (mut out, mut bytes) = (Vec::new(), 0);
        for row in &rows {
            let entry = stored_entry(row)?;
            bytes += entry.entry.bytes().len();
            if bytes > bytes_max && !out.is_empty() {
                break;
            }
            out.push(entry);
        }
        Ok(out)
    }

    async fn entry(&self, r: &Reference) -> Result<Option<VerifiedEntry>, StoreError> {
        let row = sqlx::query(
            "SELECT log, seq, leaf, bytes, received_ms, main FROM entries WHERE log = ?1 AND seq = ?2 AND leaf = ?3",
        )
        .bind(&r.log.to_bytes()[..])
        .bind(r.seq as i64)
        .bind(&r.leaf.0[..])
        .fetch_optional(&self.readers)
        .await?;
        row.map(|r| stored_entry(&r).map(|e| e.entry)).transpose()
    }

    async fn record_entries(&self, record: &RecordId) -> Result<Vec<StoredEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.log, e.seq, e.leaf, e.bytes, e.received_ms, e.main FROM record_entries r \
             JOIN entries e ON e.log = r.log AND e.seq = r.seq AND e.leaf = r.leaf WHERE r.record = ?1",
        )
        .bind(&record.0[..])
        .fetch_all(&self.readers)
        .await?;
        // One rotten entry does not hold up the rest of its record; it is told, and found by every audit until repaired.
        let readable = rows.iter().filter_map(|row| match stored_entry(row) {
            Ok(entry) => Some(entry),
            Err(error) => {
                tracing::error!(code = error.code(), %error, "a stored entry is damaged");
                None
            }
        });
        Ok(readable.collect())
    }

    async fn records_of_log(&self, log: &LogId, from: u64) -> Result<Vec<RecordId>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT record FROM record_entries WHERE log = ?1 AND seq >= ?2")
            .bind(&log.to_bytes()[..])
            .bind(from.min(i64::MAX as u64) as i64)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record_id).collect()
    }

    async fn subtrees(&self, log: &LogId, wanted: &[Subtree]) -> Result<HashMap<Subtree, Hash>, StoreError> {
        let mut out = HashMap::new();
        for subtree in wanted {
            if let std::collections::hash_map::Entry::Vacant(place) = out.entry(*subtree) {
                place.insert(self.subtree(log, *subtree).await?);
            }
        }
        Ok(out)
    }

    async fn checkpoints(&self, log: &LogId, from: u64) -> Result<Vec<SignedCheckpoint>, StoreError> {
        let rows = sqlx::query("SELECT signed FROM checkpoints WHERE log = ?1 AND size > ?2 ORDER BY size LIMIT 64")
            .bind(&log.to_bytes()[..])
            .bind(from as i64)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|r| SignedCheckpoint::from_bytes(r.get(0)).map_err(damaged)).collect()
    }

    async fn cosignatures(&self, log: Option<&LogId>) -> Result<Vec<CosignedHead>, StoreError> {
        let rows = sqlx::query("SELECT checkpoint, cosignature FROM cosignatures WHERE ?1 IS NULL OR log = ?1")
            .bind(log.map(|l| l.to_bytes().to_vec()))
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|r| {
                Ok(CosignedHead {
                    checkpoint: SignedCheckpoint::from_bytes(r.get(0)).map_err(damaged)?,
                    cosignature: Cosignature::from_slice(r.get(1)).map_err(damaged)?,
                })
            })
            .collect()
    }

    async fn seen(&self, log: &LogId) -> Result<Vec<VerifiedEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT e.log, e.seq, e.leaf, e.bytes, e.received_ms, e.main FROM seen s \
             JOIN entries e ON e.log = s.log AND e.seq = s.seq AND e.leaf = s.leaf WHERE s.log = ?1 ORDER BY s.seq",
        )
        .bind(&log.to_bytes()[..])
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|r| stored_entry(r).map(|e| e.entry)).collect()
    }

    async fn enrolments(&self) -> Result<Vec<Enrolment>, StoreError> {
        let rows = sqlx::query("SELECT enrolment FROM nodes").fetch_all(&self.readers).await?;
        rows.iter().map(|r| Enrolment::from_bytes(r.get(0)).map_err(damaged)).collect()
    }

    async fn forks(&self) -> Result<Vec<ForkProof>, StoreError> {
        let rows = sqlx::query("SELECT proof FROM forks").fetch_all(&self.readers).await?;
        rows.iter().map(|r| ForkProof::from_bytes(r.get(0)).map_err(damaged)).collect()
    }

    async fn record(&self, id: &RecordId) -> Result<Option<RecordRow>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("SELECT {RECORD_COLUMNS} FROM records r WHERE r.id = ?1")))
            .bind(&id.0[..])
            .fetch_optional(&self.readers)
            .await?;
        row.map(|r| record_row(&r)).transpose()
    }

    async fn records_printed(&self, printed: &str) -> Result<Vec<RecordId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM records WHERE printed = ?1 LIMIT 16")
            .bind(printed)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record_id).collect()
    }

    async fn records(&self, f: &RecordFilter) -> Result<Vec<RecordRow>, StoreError> {
        let (what, value) = f.term.clone().unzip();
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RECORD_COLUMNS} FROM records r WHERE (?1 IS NULL OR r.lane = ?1) AND (?2 IS NULL OR r.crossing = ?2) \
             AND (?3 IS NULL OR ' ' || r.state || ' ' LIKE '% ' || ?3 || ' %') AND (?4 = 0 OR r.contested = 1) \
             AND (?5 IS NULL OR r.changed < ?5) \
             AND (?6 IS NULL OR EXISTS (SELECT 1 FROM terms t WHERE t.record = r.id AND t.what = ?6 AND t.value = ?7)) \
             ORDER BY r.changed DESC LIMIT ?8"
        )))
        .bind(f.lane.map(i64::from))
        .bind(f.crossing.as_deref())
        .bind(f.state.as_deref())
        .bind(f.contested)
        .bind(f.before)
        .bind(what)
        .bind(value)
        .bind(i64::from(f.limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(record_row).collect()
    }

    async fn record_ids(&self) -> Result<Vec<RecordId>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT record FROM record_entries").fetch_all(&self.readers).await?;
        rows.iter().map(record_id).collect()
    }

    async fn by_term(&self, what: &str, value: &str, limit: u32) -> Result<Vec<RecordRow>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RECORD_COLUMNS} FROM terms t JOIN records r ON r.id = t.record WHERE t.what = ?1 AND t.value = ?2 \
             ORDER BY r.id LIMIT ?3"
        )))
        .bind(what)
        .bind(value)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(record_row).collect()
    }

    async fn terms_of(&self, id: &RecordId) -> Result<Vec<(String, String)>, StoreError> {
        let terms = sqlx::query_as("SELECT what, value FROM terms WHERE record = ?1 ORDER BY what, value")
            .bind(id.0.to_vec())
            .fetch_all(&self.readers)
            .await?;
        Ok(terms)
    }

    async fn changes(&self, after: i64, limit: u32) -> Result<Vec<ChangeRow>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {RECORD_COLUMNS} FROM records r WHERE r.changed > ?1 ORDER BY r.changed LIMIT ?2"
        )))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|r| record_row(r).map(|record| ChangeRow { cursor: record.changed, record })).collect()
    }

    async fn digests(&self) -> Result<Vec<(u8, String, i64, Hash, Hash)>, StoreError> {
        use sha2::{Digest, Sha256};
        let rows = sqlx::query("SELECT lane, crossing, id, digest, state FROM records ORDER BY lane, crossing, id")
            .fetch_all(&self.readers)
            .await?;
        let mut out: BTreeMap<(u8, String), (i64, Sha256, Sha256)> = BTreeMap::new();
        for row in &rows {
            let key = (row.get::<i64, _>(0) as u8, row.get::<String, _>(1));
            let (count, documents, states) = out.entry(key).or_insert((0, Sha256::new(), Sha256::new()));
            *count += 1;
            let (id, digest, state): (Vec<u8>, Vec<u8>, String) = (row.get(2), row.get(3), row.get(4));
            documents.update(&id);
            documents.update(&digest);
            states.update(&id);
            states.update(state.as_bytes());
            states.update([0]);
        }
        let hash = |h: Sha256| Hash(h.finalize().into());
        Ok(out.into_iter().map(|((lane, crossing), (n, d, s))| (lane, crossing, n, hash(d), hash(s))).collect())
    }

    async fn refusals(&self, limit: u32) -> Result<Vec<RefusalRow>, StoreError> {
        let rows =
            sqlx::query("SELECT subject, code, why, peer, at_ms FROM refusals ORDER BY at_ms DESC, id DESC LIMIT ?1")
                .bind(i64::from(limit))
                .fetch_all(&self.readers)
                .await?;
        let read = |r: &SqliteRow| RefusalRow {
            subject: r.get(0),
            code: r.get(1),
            why: r.get(2),
            peer: r.get(3),
            at_ms: r.get(4),
        };
        Ok(rows.iter().map(read).collect())
    }

    async fn waiting(&self, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        let rows = sqlx::query("SELECT record, log, seq, leaf, missing FROM waiting LIMIT ?1")
            .bind(i64::from(limit))
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|r| {
                let missing: Option<Vec<u8>> = r.get(4);
                Ok(Waiting {
                    record: record_id(r)?,
                    entry: Reference {
                        log: log_of(r, 1)?,
                        seq: r.get::<i64, _>(2) as u64,
                        leaf: Hash::from_slice(r.get(3)).map_err(damaged)?,
                    },
                    missing: missing.map(|m| Reference::from_slice(&m).map_err(damaged)).transpose()?,
                })
            })
            .collect()
    }

    async fn records_waiting_for(&self, entries: &[Reference]) -> Result<Vec<RecordId>, StoreError> {
        let mut out = Vec::new();
        for entry in entries {
            let rows = sqlx::query("SELECT DISTINCT record FROM waiting WHERE missing = ?1")
                .bind(&entry.to_bytes()[..])
                .fetch_all(&self.readers)
                .await?;
            for row in &rows {
                out.push(record_id(row)?);
            }
        }
        Ok(out)
    }

    async fn findings(&self, anchor: Option<&RecordId>) -> Result<Vec<FindingRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, rule, severity, phase, anchor, evidence, json FROM findings WHERE ?1 IS NULL OR anchor = ?1 \
             ORDER BY severity, rule, id",
        )
        .bind(anchor.map(|a| a.0.to_vec()))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|r| {
                Ok(FindingRow {
                    id: r.get(0),
                    rule: r.get(1),
                    severity: r.get::<i64, _>(2) as u8,
                    phase: r.get(3),
                    anchor: RecordId::from_slice(r.get(4)).map_err(damaged)?,
                    evidence: r.get(5),
                    json: r.get(6),
                })
            })
            .collect()
    }

    async fn peers(&self) -> Result<Vec<PeerRow>, StoreError> {
        let rows = sqlx::query("SELECT node, json FROM peers").fetch_all(&self.readers).await?;
        rows.iter()
            .map(|r| Ok(PeerRow { node: NodeId::from_slice(r.get(0)).map_err(damaged)?, json: r.get(1) }))
            .collect()
    }

    async fn carried_ranges(&self) -> Result<Vec<(LogId, u64, u64)>, StoreError> {
        let rows =
            sqlx::query("SELECT log, start, size FROM carried ORDER BY log, start").fetch_all(&self.readers).await?;
        rows.iter().map(|r| Ok((log_of(r, 0)?, r.get::<i64, _>(1) as u64, r.get::<i64, _>(2) as u64))).collect()
    }

    async fn carried_block(&self, log: &LogId, from: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = sqlx::query_scalar("SELECT bytes FROM carried WHERE log = ?1 AND start = ?2")
            .bind(log.to_bytes().to_vec())
            .bind(from as i64)
            .fetch_optional(&self.readers)
            .await?;
        Ok(bytes)
    }

    async fn loose_logs(&self) -> Result<Vec<LogId>, StoreError> {
        let rows = sqlx::query("SELECT DISTINCT log FROM entries WHERE main = 2").fetch_all(&self.readers).await?;
        rows.iter().map(|r| log_of(r, 0)).collect()
    }

    async fn local(&self, scope: &str, key: &str) -> Result<Option<String>, StoreError> {
        let value = sqlx::query_scalar("SELECT value FROM local WHERE scope = ?1 AND key = ?2")
            .bind(scope.to_string())
            .bind(key.to_string())
            .fetch_optional(&self.readers)
            .await?;
        Ok(value)
    }

    async fn local_all(&self, scope: &str) -> Result<Vec<LocalKey>, StoreError> {
        let rows = sqlx::query("SELECT scope, key, value FROM local WHERE scope = ?1 ORDER BY key")
            .bind(scope)
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.iter().map(|r| LocalKey { scope: r.get(0), key: r.get(1), value: r.get(2) }).collect())
    }

    async fn handed_over_to(&self, crossing: &str) -> Result<Vec<RecordId>, StoreError> {
        let rows = sqlx::query("SELECT record FROM terms WHERE what = 'handed_over' AND value = ?1")
            .bind(crossing)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(record_id).collect()
    }

    async fn counts(&self) -> Result<StoreCounts, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT coalesce(sum(size), 0) FROM logs) + (SELECT count(*) FROM entries WHERE main <> 1), \
             (SELECT count(*) FROM records), (SELECT count(*) FROM waiting), (SELECT count(*) FROM refusals), \
             (SELECT coalesce(sum(length(bytes)), 0) FROM carried), (SELECT count(*) FROM findings)",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(StoreCounts {
            entries: row.get(0),
            records: row.get(1),
            waiting: row.get(2),
            refused: row.get(3),
            carried_bytes: row.get(4),
            findings: row.get(5),
        })
    }

    async fn close(&self) {
        // Readers first: the last to leave moves the WAL into the database, and readers may not write.
        self.readers.close().await;
        let (reply, done) = oneshot::channel();
        if self.queue.send(Job::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
        let handle = self.writer.lock().expect("no panic holds it").take();
        if let Some(handle) = handle {
            let _ = handle.await;
        }
    }
}

impl SqliteStore {
    /// A perfect subtree's root, out of the nearest level that is kept below it.
    async fn subtree(&self, log: &LogId, wanted: Subtree) -> Result<Hash, StoreError> {
        let base = if wanted.level == 0 { 0 } else { (wanted.level - 1) / TILE_LEVELS * TILE_LEVELS };
        let base = if wanted.level.is_multiple_of(TILE_LEVELS) { wanted.level } else { base };
        let up = wanted.level - base;
        let (first, count) = (wanted.index << up, 1i64 << up);
        let sql = if base == 0 {
            "SELECT leaf FROM entries WHERE log = ?1 AND seq >= ?2 AND seq < ?3 AND main = 1 AND ?4 = 0 ORDER BY seq"
        } else {
            "SELECT hash FROM tree WHERE log = ?1 AND idx >= ?2 AND idx < ?3 AND level = ?4 ORDER BY idx"
        };
        let rows = sqlx::query(sql)
            .bind(&log.to_bytes()[..])
            .bind(first as i64)
            .bind(first as i64 + count)
            .bind(i64::from(base))
            .fetch_all(&self.readers)
            .await?;
        if rows.len() as i64 != count {
            return Err(StoreError::Conflict(format!("{log} does not hold {wanted:?}")));
        }
        let mut hashes =
            rows.iter().map(|r| Hash::from_slice(r.get(0)).map_err(damaged)).collect::<Result<Vec<_>, _>>()?;
        while hashes.len() > 1 {
            hashes = hashes.chunks(2).map(|c| node_hash(&c[0], &c[1])).collect();
        }
        Ok(hashes[0])
    }
}
