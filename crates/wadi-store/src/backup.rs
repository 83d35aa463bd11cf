//! Copies of a node's database: made while it is written to, read for what they hold, and put in
//! the place of the present one, which is kept under another name.
//!
//! No anchor is touched here. A copy holds less than was acknowledged since it was made; that the
//! anchor says so is how the node finds out, and fetches the rest back from its peers.

use crate::{
    AuditLog, AuditReader, REBUILD_MARKER, StoreError,
    audit::{odd, tips},
    postgres, private, sqlite, temporary,
};
use sqlx::{
    ConnectOptions, Connection, PgConnection, Row, SqliteConnection, postgres::PgConnectOptions,
};
use std::{
    collections::HashMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    str::FromStr,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
};
use wadi_log::{Hash, LogId, NodeId, Peaks, Tip, leaf_hash, unhex};

/// Under which name a copy lies in a node's directory until it is put in the place of
/// `node.sqlite`.
pub const COMING: &str = "node.sqlite.restoring";
/// The file that stands in a node's directory from before the first renaming until after the last.
const MARKER: &str = "restore.unfinished";
/// What may lie beside a database file and belongs to it.
const BESIDE: [&str; 4] = ["-wal", "-wal-before", "-shm", "-journal"];
/// Entries on whichever branch, and records: the same text for both engines.
const COUNTS: &str = "SELECT (SELECT CAST(coalesce(sum(size), 0) AS BIGINT) FROM logs) + \
     (SELECT count(*) FROM entries WHERE main <> 1), (SELECT count(*) FROM records)";

/// What a database says that it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopyFacts {
    /// Whose it is. One on PostgreSQL may be a pair's, and does not say.
    pub node: Option<NodeId>,
    /// The version of its schema.
    pub schema: i64,
    /// Commits so far.
    pub commits: u64,
    /// Records.
    pub records: u64,
    /// Entries, on whichever branch.
    pub entries: u64,
    /// Size and root of each log, ascending.
    pub logs: Vec<(LogId, Tip)>,
}

/// The newest schema that this version knows, of a database in a file or on PostgreSQL.
pub fn known_schema(on_postgres: bool) -> i64 {
    if on_postgres {
        postgres::MIGRATIONS.len() as i64
    } else {
        sqlite::MIGRATIONS.len() as i64
    }
}

fn unreadable(path: &Path, e: std::io::Error) -> StoreError {
    match e.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StoreError::Full(format!("{}: {e}", path.display()))
        }
        _ => StoreError::Open {
            path: path.display().to_string(),
            why: e.to_string(),
        },
    }
}

fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| unreadable(dir, e))
}

/// A database in a file, opened for reading alone: a copy, or a node's own while it lies there.
pub struct CopyReader(pub(crate) SqliteConnection);

impl CopyReader {
    /// Opens a database file, and writes nothing into it. One of a newer schema is not read.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self(sqlite::open_to_read(path).await?))
    }

    /// What an audit reads of it.
    pub fn audit(&mut self) -> &mut dyn AuditReader {
        &mut self.0
    }

    /// The node whose database it is, as it says.
    pub async fn node(&mut self) -> Result<Option<NodeId>, StoreError> {
        let node: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'node'")
            .fetch_optional(&mut self.0)
            .await?;
        node.map(|text| text.parse::<NodeId>().map_err(odd("node")))
            .transpose()
    }

    /// Size and root of each log, as they are recorded, ascending.
    pub async fn logs(&mut self) -> Result<Vec<(LogId, Tip)>, StoreError> {
        tips(&mut self.0).await
    }

    /// What the database says that it holds.
    pub async fn facts(&mut self) -> Result<CopyFacts, StoreError> {
        let schema = sqlite::schema(&mut self.0).await?;
        let node = self.node().await?;
        let commits = sqlite::meta(&mut self.0, "commits").await? as u64;
        let counts = sqlx::query(COUNTS).fetch_one(&mut self.0).await?;
        let (entries, records) = (
            counts.get::<i64, _>(0) as u64,
            counts.get::<i64, _>(1) as u64,
        );

        let logs = self.logs().await?;
        Ok(CopyFacts {
            node,
            schema,
            commits,
            records,
            entries,
            logs,
        })
    }
}

/// Copies a database in a file into an empty or absent file, as it stands at this moment, and syncs
/// the copy. Whoever writes to it meanwhile writes on; only the WAL grows until the copy is whole.
pub async fn copy_sqlite(from: &Path, to: &Path) -> Result<(), StoreError> {
    let target = to.to_str().ok_or_else(|| StoreError::Open {
        path: to.display().to_string(),
        why: "SQLite takes names in UTF-8 only".into(),
    })?;
    let mut source = CopyReader::open(from).await?;

    drop(private::create(to).map_err(|e| unreadable(to, e))?);
    // A copy page by page would begin anew with every commit of the node; this one reads by one
    // snapshot, and leaves out what was deleted.
    let copied = sqlx::query("VACUUM INTO ?1")
        .bind(target)
        .execute(&mut source.0)
        .await;
    let _ = source.0.close().await;

    copied?;
    File::open(to)
        .and_then(|f| f.sync_all())
        .map_err(|e| unreadable(to, e))
}

/// Whether a restore was cut off between two renamings: the directory's database is not to be
/// opened until it is done.
pub fn restore_unfinished(dir: &Path) -> bool {
    dir.join(MARKER).exists()
}

/// Puts the copy that lies in a node's directory as [`COMING`] in the place of `node.sqlite`. The
/// present database is kept, with what lies beside it, as `node.sqlite.before-restore-TIME`;
/// returns where. Cut off by a crash, it is done by doing it again: in between
/// [`restore_unfinished`] holds.
pub fn put_in_place(dir: &Path, time: &str) -> Result<Option<PathBuf>, StoreError> {
    let marker = dir.join(MARKER);
    // A marker that was not written to its end was not followed by any renaming.
    let begun = fs::read_to_string(&marker)
        .ok()
        .filter(|name| name.ends_with('\n'));
    let name = match begun {
        Some(name) => name.trim_end().to_string(),
        None => {
            let name = free_name(dir, format!("node.sqlite.before-restore-{time}"));
            private::write(&marker, format!("{name}\n").as_bytes())
                .map_err(|e| unreadable(&marker, e))?;
            sync_dir(dir)?;
            name
        }
    };

    // What it says is said of the present database: the next start would set aside the copy.
    let rebuild = dir.join(REBUILD_MARKER);
    if let Err(e) = fs::remove_file(&rebuild)
        && e.kind() != std::io::ErrorKind::NotFound
    {
        return Err(unreadable(&rebuild, e));
    }

    let rename = |from: &Path, to: &Path| fs::rename(from, to).map_err(|e| unreadable(from, e));
    // What belongs to the old file goes first: beside the new one it would be taken for the new
    // one's.
    for ending in BESIDE.into_iter().chain([""]) {
        let from = dir.join(format!("node.sqlite{ending}"));
        if from.exists() {
            rename(&from, &dir.join(free_name(dir, format!("{name}{ending}"))))?;
        }
    }

    sync_dir(dir)?;
    rename(&dir.join(COMING), &dir.join("node.sqlite"))?;
    sync_dir(dir)?;
    fs::remove_file(&marker).map_err(|e| unreadable(&marker, e))?;
    sync_dir(dir)?;

    let kept = dir.join(name);
    Ok(kept.exists().then_some(kept))
}

/// That name, or where it is taken the first with a number.
fn free_name(dir: &Path, name: String) -> String {
    let numbered = (2u32..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.clone())
        .chain(numbered)
        .find(|n| !dir.join(n).exists())
        .expect("some number is free")
}

async fn postgres_facts(conn: &mut PgConnection) -> Result<CopyFacts, StoreError> {
    let none = || StoreError::Database("it holds no node's records".into());
    let schema = postgres::schema(conn).await?.ok_or_else(none)?;
    let commits = postgres::meta(conn, "commits").await? as u64;
    let counts = sqlx::query(COUNTS).fetch_one(&mut *conn).await?;
    let (entries, records) = (
        counts.get::<i64, _>(0) as u64,
        counts.get::<i64, _>(1) as u64,
    );

    let logs = tips(conn).await?;
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
fn variables(url: &str) -> Result<Vec<(&'static str, String)>, StoreError> {
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
fn database(options: &PgConnectOptions) -> String {
    options
        .get_database()
        .unwrap_or(options.get_username())
        .to_string()
}

/// `%41` as `A`.
fn unescape(text: &str) -> String {
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
fn program(tool: &'static str, major: Option<u32>) -> Result<Command, StoreError> {
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

fn tool_failed(tool: &'static str, said: &str) -> StoreError {
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

async fn finish(tool: &'static str, mut command: Command) -> Result<(), StoreError> {
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

/// What a file that `pg_dump` wrote holds, for verifying it.
#[derive(Default)]
pub struct DumpAudit {
    /// Enrolments as stored: node and bytes.
    pub enrolments: Vec<(Vec<u8>, Vec<u8>)>,
    /// The logs as they are recorded, ascending, each with the tree of the entries that are held of
    /// it.
    pub logs: Vec<(AuditLog, Peaks)>,
    /// Entries, on whichever branch, each one's bytes held against its hash.
    pub entries: u64,
    /// Entries that are not what they are recorded as, or missing.
    pub damage: Vec<String>,
}

/// Reads a file that `pg_dump` wrote: every entry is held against its hash, and put into its log's
/// tree. Memory grows with the largest of the sixteen parts that entries lie in. `progress` hears
/// of entries.
pub async fn audit_dump(
    path: &Path,
    mut progress: impl FnMut(u64),
) -> Result<DumpAudit, StoreError> {
    const TOOL: &str = "pg_restore";
    let mut command = program(TOOL, None)?;
    command
        .args(["--data-only", "--file=-"])
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());

    let mut child = command
        .spawn()
        .map_err(|e| tool_failed(TOOL, &e.to_string()))?;
    let (stdout, stderr) = (
        child.stdout.take().expect("piped"),
        child.stderr.take().expect("piped"),
    );
    let said = tokio::spawn(async move {
        let (mut text, mut stderr) = (String::new(), stderr);
        let _ = stderr.read_to_string(&mut text).await;
        text
    });

    let mut reader = DumpReader::default();
    let (mut lines, mut line, mut told) = (BufReader::new(stdout), Vec::new(), 0);
    while lines
        .read_until(b'\n', &mut line)
        .await
        .map_err(|e| tool_failed(TOOL, &e.to_string()))?
        > 0
    {
        reader.take(String::from_utf8_lossy(&line).trim_end_matches('\n'))?;
        line.clear();
        if reader.audit.entries - told >= 1_000 {
            progress(reader.audit.entries - told);
            told = reader.audit.entries;
        }
    }

    let status = child
        .wait()
        .await
        .map_err(|e| tool_failed(TOOL, &e.to_string()))?;
    let said = said.await.unwrap_or_default();
    if !status.success() {
        return Err(tool_failed(TOOL, &said));
    }

    progress(reader.audit.entries - told);
    Ok(reader.finish())
}

/// Takes the lines of a dump's data one after the other: `COPY` with a table's columns, its rows,
/// and `\.`.
#[derive(Default)]
struct DumpReader {
    table: String,
    columns: Vec<String>,
    leaves: HashMap<LogId, Vec<(u64, Hash)>>,
    held: HashMap<LogId, Peaks>,
    logs: Vec<AuditLog>,
    audit: DumpAudit,
}

impl DumpReader {
    fn take(&mut self, line: &str) -> Result<(), StoreError> {
        if self.columns.is_empty() {
            let head = line
                .strip_prefix("COPY ")
                .and_then(|l| l.strip_suffix(") FROM stdin;"));
            if let Some((table, columns)) = head.and_then(|h| h.split_once(" (")) {
                self.table = table.rsplit('.').next().unwrap_or(table).to_string();
                self.columns = columns.split(", ").map(String::from).collect();
            }

            return Ok(());
        }

        if line == "\\." {
            self.columns.clear();
            self.end_of_part();
            return Ok(());
        }

        match self.table.as_str() {
            "nodes" => {
                let stored = (self.bytes(line, "node")?, self.bytes(line, "enrolment")?);
                self.audit.enrolments.push(stored);
            }
            "logs" => {
                let log = AuditLog {
                    log: self.bytes(line, "log")?,
                    size: self.number(line, "size")?,
                    peaks: self.bytes(line, "peaks")?,
                    checkpoint: self.bytes(line, "checkpoint")?,
                };

                self.logs.push(log);
            }
            table if table == "entries" || table.starts_with("entries_") => self.entry(line)?,
            _ => {}
        }

        Ok(())
    }

    fn entry(&mut self, line: &str) -> Result<(), StoreError> {
        let log = LogId::from_slice(&self.bytes(line, "log")?).map_err(odd("log"))?;
        let leaf = Hash::from_slice(&self.bytes(line, "leaf")?).map_err(odd("leaf"))?;
        let seq = self.number(line, "seq")?;
        if leaf_hash(&self.bytes(line, "bytes")?) != leaf {
            self.audit.damage.push(format!(
                "{log}@{seq}: the entry's bytes do not have its hash"
            ));
        }

        self.audit.entries += 1;
        if self.number(line, "main")? == 1 {
            self.leaves.entry(log).or_default().push((seq, leaf));
        }

        Ok(())
    }

    /// All of a log's entries lie in one part.
    fn end_of_part(&mut self) {
        for (log, mut leaves) in std::mem::take(&mut self.leaves) {
            leaves.sort();
            let mut peaks = Peaks::default();
            for (seq, leaf) in leaves {
                if seq != peaks.size() {
                    self.audit
                        .damage
                        .push(format!("{log}@{}: the entry is missing", peaks.size()));
                    break;
                }

                peaks.append(leaf);
            }

            self.held.insert(log, peaks);
        }
    }

    fn cell<'l>(&self, line: &'l str, name: &str) -> Result<&'l str, StoreError> {
        let at = self.columns.iter().position(|c| c == name);
        at.and_then(|n| line.split('\t').nth(n))
            .ok_or_else(|| self.misread(name))
    }

    fn bytes(&self, line: &str, name: &str) -> Result<Vec<u8>, StoreError> {
        let text = self.cell(line, name)?;
        text.strip_prefix("\\\\x")
            .and_then(unhex)
            .ok_or_else(|| self.misread(name))
    }

    fn number(&self, line: &str, name: &str) -> Result<u64, StoreError> {
        self.cell(line, name)?
            .parse()
            .map_err(|_| self.misread(name))
    }

    fn misread(&self, name: &str) -> StoreError {
        StoreError::Damaged {
            entry: format!("a row of {}: its {name} does not read", self.table),
        }
    }

    fn finish(mut self) -> DumpAudit {
        self.logs.sort_by(|a, b| a.log.cmp(&b.log));
        for row in self.logs {
            let held = LogId::from_slice(&row.log)
                .ok()
                .and_then(|log| self.held.remove(&log));
            self.audit.logs.push((row, held.unwrap_or_default()));
        }

        self.audit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use crate::{AnchorFile, AnchorState, Append, Batch, SqliteStore};
    use wadi_log::{
        Body, Change, Common, Entry, Epoch, Lane, LogKey, Put, Value, VerifiedBlock, hex,
    };

    fn key() -> LogKey {
        LogKey::from_seed(&[5; 32])
    }

    fn log() -> LogId {
        LogId {
            node: key().node(),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: "TRB".parse().unwrap(),
        }
    }

    fn block(peaks: &mut Peaks, count: u32) -> VerifiedBlock {
        let entry = |n: u32| {
            let put = Put {
                key: "note".into(),
                value: Value::Text(format!("truck {n}")),
            };

            Entry {
                common: Common::default(),
                body: Body::Change(Change {
                    puts: vec![put],
                    ..Default::default()
                }),
            }
        };

        let entries: Vec<Entry> = (0..count).map(entry).collect();
        let block = VerifiedBlock::author(&key(), log(), peaks, &entries, 0, vec![]).unwrap();
        *peaks = block.peaks().clone();

        block
    }

    async fn write(store: &SqliteStore, peaks: &mut Peaks, count: u32) {
        let blocks = vec![block(peaks, count)];
        let own_heads = vec![(
            log(),
            Tip {
                size: peaks.size(),
                root: peaks.root(),
            },
        )];

        store
            .commit(Batch {
                own_heads,
                append: Append {
                    blocks,
                    ..Append::default()
                },
                ..Batch::default()
            })
            .await
            .unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_copy_is_made_while_the_node_writes_and_put_back_is_found_behind_its_anchor() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(dir.path(), key().node()).await.unwrap();
        let mut peaks = Peaks::default();
        write(&store, &mut peaks, 100).await;

        let copy = dir.path().join("copy");
        let database = dir.path().join("node.sqlite");
        let (copied, ()) = tokio::join!(copy_sqlite(&database, &copy), async {
            for _ in 0..50 {
                write(&store, &mut peaks, 3).await;
            }
        });

        copied.unwrap();
        let facts = CopyReader::open(&copy)
            .await
            .unwrap()
            .facts()
            .await
            .unwrap();

        assert_eq!((facts.node, facts.logs.len()), (Some(key().node()), 1));
        assert!(
            (1..=51).contains(&facts.commits) && facts.entries == facts.logs[0].1.size,
            "{facts:?}"
        );

        // No file is written over.
        assert!(copy_sqlite(&database, &copy).await.is_err());

        write(&store, &mut peaks, 1).await;
        store.close().await;
        drop(store);

        let anchor = fs::read(dir.path().join("anchor")).unwrap();
        fs::rename(&copy, dir.path().join(COMING)).unwrap();
        let kept = put_in_place(dir.path(), "T").unwrap().unwrap();
        assert_eq!(kept, dir.path().join("node.sqlite.before-restore-T"));
        assert!(
            !restore_unfinished(dir.path())
                && fs::read(dir.path().join("anchor")).unwrap() == anchor
        );

        let before = CopyReader::open(&kept)
            .await
            .unwrap()
            .facts()
            .await
            .unwrap();

        assert_eq!((before.commits, before.entries), (52, 251));

        let store = SqliteStore::open(dir.path(), key().node()).await.unwrap();
        match store.anchor_state() {
            AnchorState::LostTail {
                anchored,
                held,
                heads,
            } => {
                assert_eq!((*anchored, *held), (52, facts.commits));
                assert_eq!(
                    heads,
                    &[(
                        log(),
                        Tip {
                            size: 251,
                            root: peaks.root()
                        }
                    )]
                );
            }
            other => panic!("{other:?}"),
        }

        store.close().await;
    }

    #[test]
    fn a_restore_cut_off_anywhere_is_done_by_doing_it_again() {
        // As a crash leaves the directory after each of its renamings.
        for renamed in 0..4 {
            let dir = tempfile::tempdir().unwrap();
            let at = |name: &str| dir.path().join(name);
            fs::write(at("node.sqlite"), "old").unwrap();
            fs::write(at("node.sqlite-wal"), "old wal").unwrap();
            fs::write(at(COMING), "new").unwrap();
            fs::write(at(MARKER), "kept\n").unwrap();
            fs::write(at(REBUILD_MARKER), "damaged\n").unwrap();

            let steps = [
                ("node.sqlite-wal", "kept-wal"),
                ("node.sqlite", "kept"),
                (COMING, "node.sqlite"),
            ];

            steps[..renamed]
                .iter()
                .for_each(|(from, to)| fs::rename(at(from), at(to)).unwrap());
            assert!(restore_unfinished(dir.path()));

            if renamed == 3 {
                fs::write(at(COMING), "new").unwrap();
            }

            assert_eq!(put_in_place(dir.path(), "T").unwrap(), Some(at("kept")));

            let text = |name: &str| fs::read_to_string(at(name)).unwrap_or_default();
            assert_eq!(
                (text("node.sqlite"), text("kept"), text("kept-wal")),
                ("new".into(), "old".into(), "old wal".into())
            );
            assert!(!at("node.sqlite-wal").exists() && !restore_unfinished(dir.path()));
            assert!(!at(REBUILD_MARKER).exists());
        }

        // A marker cut short was followed by nothing; a directory without a database keeps none.
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(MARKER), "node.sqlite.bef").unwrap();
        fs::write(dir.path().join(COMING), "new").unwrap();
        assert_eq!(put_in_place(dir.path(), "T").unwrap(), None);
        assert!(
            AnchorFile::read(&dir.path().join("anchor"))
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn passwords_go_into_the_environment_and_nowhere_else() {
        let all =
            variables("postgres://wadi:p%40ss%2Fword@db.example:6000/records?sslmode=verify-full")
                .unwrap();
        let all: HashMap<_, _> = all.into_iter().collect();
        assert_eq!(all["PGPASSWORD"], "p@ss/word");
        assert_eq!(
            (all["PGHOST"].as_str(), all["PGPORT"].as_str()),
            ("db.example", "6000")
        );
        assert_eq!(
            (all["PGDATABASE"].as_str(), all["PGSSLMODE"].as_str()),
            ("records", "verify-full")
        );

        let all: HashMap<_, _> = variables("postgres://wadi@localhost/wadi?host=/run/pg")
            .unwrap()
            .into_iter()
            .collect();
        assert_eq!(all["PGHOST"], "/run/pg");
        assert_eq!(unescape("a%4"), "a%4");
    }

    /// A dump's text as `pg_restore` writes it.
    fn dump(block: &VerifiedBlock) -> Vec<String> {
        let mut lines: Vec<String> = [
            "--",
            "COPY public.entries_7 (log, seq, leaf, bytes, main, received_ms) FROM stdin;",
        ]
        .map(String::from)
        .into();

        // Not in the order of their positions.
        for e in block.entries().iter().rev() {
            let r = e.reference();
            let (log, leaf, bytes) = (hex(&r.log.to_bytes()), hex(&r.leaf.0), hex(e.bytes()));
            lines.push(format!(
                "\\\\x{log}\t{}\t\\\\x{leaf}\t\\\\x{bytes}\t1\t9",
                r.seq
            ));
        }

        lines.push("\\.".into());
        lines.push(
            "COPY public.logs (log, size, peaks, checkpoint, unkept_bytes, grew_ms) FROM stdin;"
                .into(),
        );

        let (log, peaks) = (hex(&log().to_bytes()), hex(&block.peaks().to_bytes()));
        let checkpoint = hex(&block.checkpoint().to_bytes());
        lines.push(format!(
            "\\\\x{log}\t{}\t\\\\x{peaks}\t\\\\x{checkpoint}\t0\t0",
            block.peaks().size()
        ));
        lines.push("\\.".into());

        lines
    }

    fn read(lines: &[String]) -> DumpAudit {
        let mut reader = DumpReader::default();
        lines.iter().for_each(|line| reader.take(line).unwrap());
        reader.finish()
    }

    #[test]
    fn a_dump_is_read_entry_by_entry_and_what_is_wrong_in_it_is_named() {
        let mut peaks = Peaks::default();
        let good = dump(&block(&mut peaks, 9));
        let audit = read(&good);
        assert_eq!(
            (audit.entries, audit.logs.len(), audit.damage),
            (9, 1, vec![])
        );

        let (row, held) = &audit.logs[0];
        assert_eq!(
            (row.tip().unwrap(), held),
            (
                (
                    log(),
                    Tip {
                        size: 9,
                        root: peaks.root()
                    }
                ),
                &peaks
            )
        );

        let missing: Vec<String> = good
            .iter()
            .enumerate()
            .filter(|(n, _)| *n != 5)
            .map(|(_, l)| l.clone())
            .collect();

        assert!(read(&missing).damage[0].contains("the entry is missing"));

        let mut changed = good.clone();
        // The seventh character from the end of the bytes' cell: the row ends in `\t1\t9`.
        let at = changed[4].len() - 8;
        let other = if changed[4].as_bytes()[at] == b'0' {
            "1"
        } else {
            "0"
        };

        changed[4].replace_range(at..=at, other);
        assert_eq!(read(&changed).damage.len(), 1);
        assert!(read(&changed).damage[0].contains("do not have its hash"));

        let mut reader = DumpReader::default();
        reader.take(&good[1]).unwrap();
        assert_eq!(
            reader.take("half a row").unwrap_err().code(),
            "entry_damaged"
        );
    }
}
