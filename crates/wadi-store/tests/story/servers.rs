//! The story on PostgreSQL, and what is PostgreSQL's alone: a standby, and servers that go away.

use super::*;

async fn postgres(url: &str, dir: &Path, seed: u8) -> Result<Arc<PostgresStore>, StoreError> {
    std::fs::create_dir_all(dir).unwrap();
    PostgresStore::open(url, dir, LogKey::from_seed(&[seed; 32]).node(), || {
        println!("waiting for the writer's lock")
    })
    .await
}

fn server(dir: &Path) -> TemporaryServer {
    TemporaryServer::start(&dir.join("pg"))
        .expect("PostgreSQL is installed: ./scripts/test installs it")
}

fn note(n: u32) -> Batch {
    let local = vec![LocalKey {
        scope: LocalScope::Device,
        key: n.to_string(),
        value: String::new(),
    }];

    Batch::from(LocalState {
        keys: local,
        ..LocalState::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_on_postgres() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let url = server.create("wadi").unwrap();
    let store: Arc<dyn Store> = postgres(&url, &dir.path().join("hub"), 9).await.unwrap();
    let (log, references) = tell(&store).await;

    store.close().await;
    let store: Arc<dyn Store> = postgres(&url, &dir.path().join("hub"), 9).await.unwrap();
    opened_again(&store, log, &references).await;

    // Text that PostgreSQL cannot hold, and terms longer than an index takes, come from hostile
    // peers.
    let odd = RefusalRow {
        subject: "a\0b".into(),
        code: "odd".into(),
        why: "\0".into(),
        peer: "p".into(),
        at_ms: 9,
        times: 1,
    };

    store
        .commit(Batch::from(LocalState {
            refusals: vec![odd],
            ..LocalState::default()
        }))
        .await
        .unwrap();

    assert_eq!(store.refusals(1).await.unwrap()[0].subject, "a\u{FFFD}b");
    refusals_by_page(&store).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_grew_moves_to_postgres_with_everything_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let url = server.create("wadi").unwrap();
    let hub = dir.path().join("hub");

    std::fs::create_dir_all(&hub).unwrap();
    let me = LogKey::from_seed(&[9; 32]).node();
    let old: Arc<dyn Store> = SqliteStore::open(&hub, me).await.unwrap();
    let (log, references) = tell(&old).await;
    let held = everything(&old).await;

    old.close().await;
    // A byte that rotted on the way is not carried over: nothing is, until it is mended.
    let path = format!("sqlite://{}", hub.join("node.sqlite").display());
    let rot = "UPDATE entries SET bytes = CAST(bytes || x'00' AS BLOB) WHERE seq = 77";
    let mend = "UPDATE entries SET bytes = substr(bytes, 1, length(bytes) - 1) WHERE seq = 77";

    for (sql, refused) in [(rot, true), (mend, false)] {
        let mut file = <sqlx::SqliteConnection as sqlx::Connection>::connect(&path)
            .await
            .unwrap();
        sqlx::query(sql).execute(&mut file).await.unwrap();
        sqlx::Connection::close(file).await.unwrap();

        let moved = move_store(&hub, &url, me, None, |_| ()).await;
        assert_eq!(moved.is_err(), refused, "{moved:?}");

        match moved {
            Err(error) => assert_eq!(
                (error.code(), error.to_string().contains("@77")),
                ("entry_damaged", true)
            ),
            Ok(moved) => assert_eq!((moved.entries, moved.logs), (210, 3)),
        }
    }

    let new: Arc<dyn Store> = postgres(&url, &hub, 9).await.unwrap();
    assert_eq!(everything(&new).await, held);

    opened_again(&new, log, &references).await;
    new.commit(note(1)).await.unwrap();
    new.close().await;

    // The old file is kept, and neither is moved again nor is another one moved on top of what is
    // there.
    assert!(hub.join("node.sqlite.moved").exists() && !hub.join("node.sqlite").exists());
    assert_eq!(
        move_store(&hub, &url, me, None, |_| ())
            .await
            .unwrap_err()
            .code(),
        "database_open"
    );

    let other = dir.path().join("other");
    std::fs::create_dir_all(&other).unwrap();
    SqliteStore::open(&other, me).await.unwrap().close().await;
    assert_eq!(
        move_store(&other, &url, me, None, |_| ())
            .await
            .unwrap_err()
            .code(),
        "store_conflict"
    );

    assert!(other.join("node.sqlite").exists());
}

/// All that a store tells, in an order that does not depend on the engine.
pub(super) async fn everything(store: &Arc<dyn Store>) -> Vec<String> {
    let mut out = Vec::new();
    for row in store.logs().await.unwrap() {
        out.push(format!("{row:?}"));
        let entries = store.entries(&row.log, 0, 1 << 20).await.unwrap();
        out.extend(entries.iter().map(|e| format!("{e:?}")));
        let checkpoints = store.checkpoints(&row.log, 0).await.unwrap();
        out.extend(checkpoints.iter().map(|c| format!("{c:?}")));
    }

    for id in store.record_ids().await.unwrap() {
        out.push(format!(
            "{:?} {:?}",
            store.record(&id).await.unwrap(),
            store.terms_of(&[id]).await.unwrap()
        ));
    }

    out.push(format!("{:?}", store.cosignatures(None).await.unwrap()));
    out.push(format!(
        "{:?}",
        store
            .findings(&FindingFilter {
                limit: 99,
                ..Default::default()
            })
            .await
            .unwrap()
    ));

    out.push(format!(
        "{:?} {:?}",
        store.refusals(9).await.unwrap(),
        store.peers().await.unwrap()
    ));

    out.push(format!(
        "{:?} {:?}",
        store.carried_ranges().await.unwrap(),
        store.local_all(&LocalScope::Import).await.unwrap()
    ));

    out.push(format!(
        "{:?} {:?}",
        store.waiting(9).await.unwrap(),
        store.counts().await.unwrap()
    ));

    out.sort();
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_waits_and_takes_over_and_the_first_does_not_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(dir.path());
    let url = server.create("wadi").unwrap();
    let first = postgres(&url, &dir.path().join("one"), 1).await.unwrap();

    first.commit(note(1)).await.unwrap();
    let standby = tokio::spawn({
        let (url, dir) = (url.clone(), dir.path().join("two"));
        async move { postgres(&url, &dir, 2).await }
    });
    let waited = tokio::time::timeout(Duration::from_secs(1), async {
        while !standby.is_finished() {
            tokio::task::yield_now().await
        }
    });

    assert!(waited.await.is_err(), "two daemons wrote to one database");

    // The first one's session is cut off, as by a network that parted: the standby has the lock
    // before it is back.
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks \
               WHERE locktype = 'advisory' AND granted";
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&url)
        .await
        .unwrap();

    sqlx::query(cut).execute(&mut admin).await.unwrap();
    let second = standby.await.unwrap().unwrap();
    second.commit(note(2)).await.unwrap();

    let late = first.commit(note(3)).await.unwrap_err();
    assert_eq!(late.code(), "write_failed", "{late}");

    let keys: Vec<String> = second
        .local_all(&LocalScope::Device)
        .await
        .unwrap()
        .into_iter()
        .map(|l| l.key)
        .collect();

    assert_eq!(keys, ["1", "2"]);
    second.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_restarts_costs_time_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server(dir.path());
    let url = server.create("wadi").unwrap();
    let store = postgres(&url, &dir.path().join("hub"), 1).await.unwrap();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 0..300 {
                store.commit(note(n)).await.unwrap();
            }
        }
    });

    for at_once in [false, true] {
        let before = store.local_all(&LocalScope::Device).await.unwrap().len();
        while store.local_all(&LocalScope::Device).await.unwrap().len() < before + 20 {
            tokio::task::yield_now().await;
        }

        tokio::task::block_in_place(|| {
            server.stop(at_once);
            server.launch().unwrap();
        });

        while store.local_all(&LocalScope::Device).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    writer.await.unwrap();
    assert_eq!(
        store.local_all(&LocalScope::Device).await.unwrap().len(),
        300
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_will_not_do_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server(dir.path());
    let url = server.create("wadi").unwrap();
    let hub = dir.path().join("hub");

    postgres(&url, &hub, 1).await.unwrap().close().await;
    let mut admin = <sqlx::PgConnection as sqlx::Connection>::connect(&server.url("postgres"))
        .await
        .unwrap();

    // Read-only, as a standby server is.
    sqlx::query("ALTER DATABASE wadi SET default_transaction_read_only = on")
        .execute(&mut admin)
        .await
        .unwrap();

    let store = postgres(&url, &hub, 1).await.unwrap();
    assert_eq!(
        store.commit(note(1)).await.unwrap_err().code(),
        "database_read_only"
    );
    assert!(
        store
            .local_all(&LocalScope::Device)
            .await
            .unwrap()
            .is_empty(),
        "it can still be read"
    );

    store.close().await;
    sqlx::query("ALTER DATABASE wadi RESET default_transaction_read_only")
        .execute(&mut admin)
        .await
        .unwrap();

    // Unsafe: it would acknowledge what it has not synced.
    sqlx::query("ALTER DATABASE wadi SET synchronous_commit = off")
        .execute(&mut admin)
        .await
        .unwrap();
    assert_eq!(
        postgres(&url, &hub, 1).await.err().unwrap().code(),
        "database_unsafe"
    );

    sqlx::query("ALTER DATABASE wadi RESET synchronous_commit")
        .execute(&mut admin)
        .await
        .unwrap();

    // Restored from an older backup: the anchor knows of commits that the database does not.
    let store = postgres(&url, &hub, 1).await.unwrap();
    store.commit(note(2)).await.unwrap();
    store.close().await;

    let mut inside = <sqlx::PgConnection as sqlx::Connection>::connect(&url)
        .await
        .unwrap();
    sqlx::query("UPDATE meta SET value = value - 1 WHERE key = 'commits'")
        .execute(&mut inside)
        .await
        .unwrap();

    for _ in 0..2 {
        let store = postgres(&url, &hub, 1).await.unwrap();
        assert!(
            matches!(store.anchor_state(), AnchorState::LostTail { .. }),
            "and it is told until it is mended"
        );
        store.close().await;
    }

    // Of a newer version.
    sqlx::query("UPDATE meta SET value = 99 WHERE key = 'schema'")
        .execute(&mut inside)
        .await
        .unwrap();
    assert_eq!(
        postgres(&url, &hub, 1).await.err().unwrap().code(),
        "database_newer"
    );

    // Down.
    server.stop(false);
    let error = postgres(&url, &hub, 1).await.err().unwrap();
    assert_eq!(error.code(), "database_open", "{error}");
}
