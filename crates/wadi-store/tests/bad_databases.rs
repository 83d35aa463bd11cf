//! What a database can do to a hub: be away, slow, full, read-only or silent. Server and store are
//! the real ones. Each time the error has its code, what was acknowledged is there, and the same
//! write goes well afterwards, once.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::task::block_in_place;
use wadi_log::*;
use wadi_store::*;

/// How long the stores of these tests wait for a server that is away.
const PATIENCE: Duration = Duration::from_secs(3);

struct Site {
    key: LogKey,
    log: LogId,
    peaks: Peaks,
}

fn site() -> Site {
    let key = LogKey::from_seed(&[1; 32]);
    let log = LogId {
        node: key.node(),
        epoch: Epoch([1; 8]),
        lane: Lane::Passage,
        crossing: "TRB".parse().unwrap(),
    };

    Site {
        key,
        log,
        peaks: Peaks::default(),
    }
}

impl Site {
    /// The next entries of its log, some 2 KB each.
    fn block(&mut self, count: usize) -> Batch {
        let entry = |_| {
            let value = Value::Text(hex(&rand::random::<[u8; 900]>()));
            let change = Change {
                puts: vec![Put {
                    key: "note".into(),
                    value,
                }],
                ..Default::default()
            };

            Entry {
                common: Common::default(),
                body: Body::Change(change),
            }
        };

        let entries: Vec<Entry> = (0..count).map(entry).collect();
        let block =
            VerifiedBlock::author(&self.key, self.log, &self.peaks, &entries, 7, vec![]).unwrap();
        self.peaks = block.peaks().clone();

        Batch {
            at_ms: 1,
            append: Append {
                blocks: vec![block],
                ..Append::default()
            },
            ..Batch::default()
        }
    }
}

/// The same batch once more.
fn again(batch: &Batch) -> Batch {
    Batch {
        at_ms: batch.at_ms,
        append: Append {
            blocks: batch.append.blocks.clone(),
            ..Append::default()
        },
        ..Batch::default()
    }
}

async fn open_with(
    url: &str,
    dir: &Path,
    patience: Duration,
) -> Result<Arc<PostgresStore>, StoreError> {
    std::fs::create_dir_all(dir).unwrap();
    PostgresStore::open_patiently(
        url,
        dir,
        LogKey::from_seed(&[9; 32]).node(),
        patience,
        || (),
    )
    .await
}

async fn open(url: &str, dir: &Path) -> Result<Arc<PostgresStore>, StoreError> {
    open_with(url, dir, PATIENCE).await
}

fn server(dir: &Path) -> TemporaryServer {
    TemporaryServer::start(&dir.join("pg"))
        .expect("PostgreSQL is installed: ./scripts/test installs it")
}

/// Entries of the site's log that the store gives, each with its hash checked, in order.
async fn held(store: &PostgresStore, site: &Site) -> usize {
    let entries = store.entries(&site.log, 0, 64 << 20).await.unwrap();
    assert!(
        entries
            .iter()
            .enumerate()
            .all(|(n, e)| e.entry.reference().seq == n as u64)
    );

    assert_eq!(store.counts().await.unwrap().entries, entries.len() as i64);
    entries.len()
}

async fn code(store: &PostgresStore, batch: &Batch) -> &'static str {
    let error = store
        .commit(again(batch))
        .await
        .expect_err("it should not have been taken");
    assert!(error.is_passing(), "{error}");
    error.code()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_somebody_holds_costs_a_statement_its_time_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let url = server.create("wadi").unwrap();
    let hub = dir.path().join("hub");

    open(&url, &hub).await.unwrap().close().await;
    // What the URL says of the server's settings holds.
    let store = open(&format!("{url}&options[statement_timeout]=5000"), &hub)
        .await
        .unwrap();
    let mut trb = site();

    store.commit(trb.block(3)).await.unwrap();
    let next = trb.block(4);
    let mut other = PgConnection::connect(&url).await.unwrap();
    for table in ["entries", "meta"] {
        let lock = AssertSqlSafe(format!("BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE"));
        sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
        assert_eq!(code(&store, &next).await, "database_slow");
        assert_eq!(
            held(&store, &trb).await,
            3,
            "it can be read, and nothing of the group was written"
        );

        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    }

    sqlx::raw_sql("BEGIN; LOCK TABLE entries IN ACCESS EXCLUSIVE MODE")
        .execute(&mut other)
        .await
        .unwrap();

    let read = store.entries(&trb.log, 0, 1 << 20).await.unwrap_err();
    assert_eq!((read.code(), read.is_passing()), ("database_slow", true));

    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    store.commit(again(&next)).await.unwrap();
    assert_eq!(held(&store, &trb).await, 7);
    assert_eq!(
        store.commit(next).await.unwrap_err().code(),
        "store_conflict",
        "a second time it does not follow"
    );

    store.close().await;
}

/// A server on a disk that is full while a file with the returned prefix and the part's name is
/// there.
fn server_on_a_small_disk(dir: &Path) -> (TemporaryServer, PathBuf) {
    let (shim, full) = (dir.join("full_disk.so"), dir.join("full"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/full_disk.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&shim)
        .arg(&source)
        .arg("-ldl")
        .status();

    assert!(built.unwrap().success(), "the shim needs a C compiler");

    let environment = [
        ("LD_PRELOAD", shim.to_str().unwrap()),
        ("WADI_FULL", full.to_str().unwrap()),
    ];

    (
        TemporaryServer::start_with(&dir.join("pg"), &environment)
            .expect("PostgreSQL is installed"),
        full,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_undoes_the_write_and_takes_it_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (server, full) = server_on_a_small_disk(dir.path());
    let url = server.create("wadi").unwrap();
    let hub = dir.path().join("hub");
    let store = open(&url, &hub).await.unwrap();
    let mut trb = site();

    store.commit(trb.block(200)).await.unwrap();
    let mut acknowledged = 200;
    std::fs::write(full.with_extension("base"), "").unwrap();

    // What fits into pages that are there already is taken.
    let refused = loop {
        let batch = trb.block(200);
        match store.commit(again(&batch)).await {
            Ok(()) => acknowledged += 200,
            Err(error) => {
                assert_eq!(error.code(), "disk_full", "{error}");
                break batch;
            }
        }

        assert!(acknowledged < 10_000, "the disk does not fill");
    };

    assert_eq!(code(&store, &refused).await, "disk_full");
    assert_eq!(
        held(&store, &trb).await,
        acknowledged,
        "it can be read, and what was acknowledged is there"
    );

    std::fs::remove_file(full.with_extension("base")).unwrap();
    store.commit(refused).await.unwrap();
    assert_eq!(held(&store, &trb).await, acknowledged + 200);

    store.close().await;
    let store = open(&url, &hub).await.unwrap();
    assert_eq!(*store.anchor_state(), AnchorState::Whole);
    assert_eq!(held(&store, &trb).await, acknowledged + 200);

    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_a_full_disk_brings_down_has_kept_what_it_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let (mut server, full) = server_on_a_small_disk(dir.path());
    let url = server.create("wadi").unwrap();
    let store = open(&url, &dir.path().join("hub")).await.unwrap();
    let mut trb = site();

    store.commit(trb.block(20)).await.unwrap();
    std::fs::write(full.with_extension("pg_wal"), "").unwrap();

    // Its own log needs a new file for whatever comes next, and PostgreSQL does not outlive that.
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .unwrap();
    let _ = sqlx::query("SELECT pg_switch_wal()")
        .execute(&mut admin)
        .await;
    let next = trb.block(50);
    let refused = code(&store, &next).await;
    assert!(
        ["disk_full", "database_down"].contains(&refused),
        "{refused}"
    );

    // Somebody makes room and starts it again.
    std::fs::remove_file(full.with_extension("pg_wal")).unwrap();
    block_in_place(|| {
        server.stop(true);
        server.launch().unwrap();
    });
    assert_eq!(held(&store, &trb).await, 20);

    store.commit(next).await.unwrap();
    assert_eq!(held(&store, &trb).await, 70);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_away_fails_the_write_which_can_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server(dir.path());
    let url = server.create("wadi").unwrap();
    let store = open(&url, &dir.path().join("hub")).await.unwrap();
    let mut trb = site();

    store.commit(trb.block(3)).await.unwrap();
    block_in_place(|| server.stop(true));
    let (next, begun) = (trb.block(2), Instant::now());
    assert_eq!(code(&store, &next).await, "database_down");
    assert!(begun.elapsed() >= PATIENCE, "it was waited for");
    assert_eq!(store.counts().await.unwrap_err().code(), "database_down");

    // A start says so at once.
    let begun = Instant::now();
    let refused = open(&url, &dir.path().join("other")).await.err().unwrap();
    assert_eq!(
        (refused.code(), begun.elapsed() < PATIENCE),
        ("database_open", true),
        "{refused}"
    );

    assert!(
        !dir.path().join("other/anchor").exists(),
        "and leaves nothing behind"
    );

    block_in_place(|| server.launch()).unwrap();
    store.commit(next).await.unwrap();
    assert_eq!(held(&store, &trb).await, 5);

    store.close().await;
    // Somebody else listens there and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://wadi@{}/wadi", silent.local_addr().unwrap());
    let refused = open(&url, &dir.path().join("other")).await.err().unwrap();
    assert_eq!(refused.code(), "database_open");
    assert!(refused.to_string().contains("no answer"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_by_outlives_a_server_that_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server(dir.path());
    let url = server.create("wadi").unwrap();
    let first = open(&url, &dir.path().join("one")).await.unwrap();
    let mut trb = site();

    first.commit(trb.block(3)).await.unwrap();
    let standby = tokio::spawn({
        let (url, two) = (url.clone(), dir.path().join("two"));
        async move { open_with(&url, &two, Duration::from_secs(60)).await }
    });

    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!standby.is_finished(), "it stands by");

    block_in_place(|| {
        server.stop(false);
        server.launch().unwrap();
    });

    // The first one has nothing to write, and so does not come back for the lock.
    let second = tokio::time::timeout(Duration::from_secs(30), standby)
        .await
        .unwrap()
        .unwrap()
        .unwrap();

    second.commit(trb.block(2)).await.unwrap();
    assert_eq!(held(&second, &trb).await, 5);
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_writes_again_is_written_to_without_a_new_start() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let url = server.create("wadi").unwrap();
    let hub = dir.path().join("hub");
    let store = open(&url, &hub).await.unwrap();
    let mut trb = site();

    store.commit(trb.block(3)).await.unwrap();
    let mut admin = PgConnection::connect(&server.url("postgres"))
        .await
        .unwrap();

    sqlx::raw_sql("ALTER DATABASE wadi SET default_transaction_read_only = on")
        .execute(&mut admin)
        .await
        .unwrap();

    let cut =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'wadi'";
    sqlx::query(cut).execute(&mut admin).await.unwrap();

    let next = trb.block(2);
    for _ in 0..2 {
        assert_eq!(code(&store, &next).await, "database_read_only");
        assert_eq!(held(&store, &trb).await, 3);
    }

    assert!(PostgresStore::look(&url, &hub).await.unwrap().read_only);

    sqlx::raw_sql("ALTER DATABASE wadi RESET default_transaction_read_only")
        .execute(&mut admin)
        .await
        .unwrap();
    store.commit(next).await.unwrap();
    assert_eq!(held(&store, &trb).await, 5);

    let looked = PostgresStore::look(&url, &hub).await.unwrap();
    assert!(
        looked.written_to && !looked.read_only,
        "it is the one that writes still: {looked:?}"
    );

    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_a_database_waits_for_nobody_and_leaves_no_trace() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let url = server.create("wadi").unwrap();
    let hub = dir.path().join("hub");
    let look = async || PostgresStore::look(&url, &hub).await;
    let empty = look().await.unwrap();
    assert_eq!(
        (empty.schema, empty.commits, empty.written_to, &empty.anchor),
        (None, 0, false, &AnchorState::New)
    );
    assert!(!hub.exists());

    let store = open(&url, &hub).await.unwrap();
    let mut trb = site();
    store.commit(trb.block(3)).await.unwrap();

    let begun = Instant::now();
    let looked = look().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(
        looked.schema.is_some() && looked.written_to && !looked.read_only,
        "{looked:?}"
    );
    assert_eq!((looked.commits, &looked.anchor), (1, &AnchorState::Whole));

    store.commit(trb.block(1)).await.unwrap();
    store.close().await;

    // Behind its anchor, as after a backup was put back: it is told, and stays for the daemon to
    // see.
    let mut admin = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("UPDATE meta SET value = value - 1 WHERE key = 'commits'")
        .execute(&mut admin)
        .await
        .unwrap();

    for _ in 0..2 {
        let looked = look().await.unwrap();
        assert_eq!(
            looked.anchor,
            AnchorState::LostTail {
                anchored: 2,
                held: 1,
                heads: vec![]
            }
        );
    }

    // Of a newer version.
    sqlx::raw_sql("UPDATE meta SET value = 99 WHERE key = 'schema'")
        .execute(&mut admin)
        .await
        .unwrap();
    assert_eq!(look().await.unwrap_err().code(), "database_newer");
    assert_eq!(
        audit_postgres(&url, None).await.err().unwrap().code(),
        "database_newer"
    );

    let empty = server.create("empty").unwrap();
    assert_eq!(
        audit_postgres(&empty, None).await.err().unwrap().code(),
        "database_open"
    );
}
