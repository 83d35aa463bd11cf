//! The story in encrypted databases, on both engines: it is the same, and the disk does not tell
//! it. Then databases that are encrypted after it was told, and brought back into clear.

use super::*;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the story says of trucks, and nobody may read who has the disk alone.
const SAID: [&str; 4] = ["truck 3", "11A1", r#"{"fields""#, "OF-1"];

fn key(n: u8) -> StoreKey {
    StoreKey::new([n; 64])
}

fn me() -> NodeId {
    LogKey::from_seed(&[9; 32]).node()
}

async fn sqlite(dir: &Path, key: Option<&StoreKey>) -> Result<Arc<dyn Store>, StoreError> {
    let store: Arc<dyn Store> = SqliteStore::open_with(dir, me(), key).await?;
    Ok(store)
}

async fn postgres(
    url: &str,
    dir: &Path,
    key: Option<&StoreKey>,
) -> Result<Arc<dyn Store>, StoreError> {
    std::fs::create_dir_all(dir).unwrap();
    let store: Arc<dyn Store> =
        PostgresStore::open_encrypted(url, dir, me(), key, || println!("waiting")).await?;
    Ok(store)
}

fn code<T>(outcome: Result<T, StoreError>) -> &'static str {
    outcome.err().map_or("opened", |error| error.code())
}

/// Which of the texts stand anywhere in the files below a directory.
fn told_below(dir: &Path, texts: &[&str]) -> Vec<String> {
    let mut told = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            told.extend(told_below(&path, texts));
            continue;
        }

        let bytes = std::fs::read(&path).unwrap_or_default();
        let stands = |text: &str| bytes.windows(text.len()).any(|w| w == text.as_bytes());
        let found = texts.iter().filter(|text| stands(text));
        told.extend(found.map(|text| format!("{text} in {}", path.display())));
    }

    told
}

/// The story says of officers only what findings do.
fn say_more() -> Batch {
    let key = LocalKey {
        scope: LocalScope::Look,
        key: "0001".into(),
        value: r#"{"officer":"OF-1"}"#.into(),
    };
    Batch::from(LocalState {
        keys: vec![key],
        resyncs: vec![("r".into(), r#"{"by":"OF-1"}"#.into())],
        ..LocalState::default()
    })
}

#[tokio::test]
async fn the_story_in_an_encrypted_file_is_the_same_and_its_disk_does_not_tell_it() {
    let dir = tempfile::tempdir().unwrap();
    for (name, key) in [("clear", None), ("encrypted", Some(key(1)))] {
        let dir = dir.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        let store = sqlite(&dir, key.as_ref()).await.unwrap();
        let (log, references) = tell(&store).await;
        store.commit(say_more()).await.unwrap();

        // While it runs, most of it lies in the WAL.
        let running = told_below(&dir, &SAID);
        store.close().await;
        let stopped = told_below(&dir, &SAID);
        match &key {
            None => assert!(
                running.len() >= 4 && stopped.len() >= 4,
                "the test can fail"
            ),
            Some(_) => assert_eq!((running, stopped), (vec![], vec![])),
        }

        let store = sqlite(&dir, key.as_ref()).await.unwrap();
        opened_again(&store, log, &references).await;
        let kept = store.local(&LocalScope::Look, "0001").await.unwrap();
        assert_eq!(kept.as_deref(), Some(r#"{"officer":"OF-1"}"#));
        assert_eq!(store.resyncs().await.unwrap()[0].1, r#"{"by":"OF-1"}"#);
        assert_eq!(store.structure().await.unwrap(), Vec::<String>::new());
        store.close().await;
    }

    let [clear, encrypted] = ["clear", "encrypted"].map(|name| dir.path().join(name));
    assert_eq!(code(sqlite(&encrypted, None).await), "database_encrypted");
    assert_eq!(
        code(sqlite(&encrypted, Some(&key(2))).await),
        "store_key_wrong"
    );
    assert_eq!(
        code(sqlite(&clear, Some(&key(1))).await),
        "database_not_encrypted"
    );
    sqlite(&clear, None).await.unwrap().close().await;
    sqlite(&encrypted, Some(&key(1)))
        .await
        .unwrap()
        .close()
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_on_postgres_in_an_encrypted_database_is_the_same_and_lies_in_no_table() {
    let dir = tempfile::tempdir().unwrap();
    let server = TemporaryServer::start(&dir.path().join("pg")).expect("PostgreSQL is installed");
    let (url, hub) = (server.create("wadi").unwrap(), dir.path().join("hub"));
    let store = postgres(&url, &hub, Some(&key(1))).await.unwrap();
    let (log, references) = tell(&store).await;
    store.commit(say_more()).await.unwrap();
    store.close().await;

    assert_eq!(told_by_server(&url).await, Vec::<String>::new());
    let looked = PostgresStore::look(&url, &hub).await.unwrap();
    assert!(looked.encrypted);
    assert_eq!(code(postgres(&url, &hub, None).await), "database_encrypted");
    assert_eq!(
        code(postgres(&url, &hub, Some(&key(2))).await),
        "store_key_wrong"
    );

    let store = postgres(&url, &hub, Some(&key(1))).await.unwrap();
    opened_again(&store, log, &references).await;
    store.close().await;

    // An audit reads it by the key, and a dump of it as well.
    assert_eq!(code(audit_postgres(&url, None).await), "database_encrypted");
    let mut audit = audit_postgres(&url, Some(&key(1))).await.unwrap();
    let entries = audit.entries(&log, 0).await.unwrap();
    assert!(entries.len() == 205 && entries.iter().all(|e| leaf_hash(&e.bytes).0 == e.leaf[..]));

    let copy = dir.path().join("copy.pgdump");
    dump_postgres(&url, &copy).await.unwrap();
    assert_eq!(
        code(audit_dump(&copy, None, |_| ()).await),
        "database_encrypted"
    );
    let read = audit_dump(&copy, Some(&key(1)), |_| ()).await.unwrap();
    assert_eq!((read.entries, read.damage), (210, vec![]));
    let wrong = audit_dump(&copy, Some(&key(2)), |_| ()).await.unwrap();
    assert_eq!(wrong.damage.len() as u64, wrong.entries);
}

/// Which of the texts stand in a table of a database on PostgreSQL.
async fn told_by_server(url: &str) -> Vec<String> {
    let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&mut conn)
            .await
            .unwrap();

    let mut told = Vec::new();
    for table in tables {
        for text in SAID {
            // As text, and as bytes are written out in hexadecimal.
            let sql = format!(
                "SELECT count(*) FROM {table} t WHERE strpos(t::text, $1) > 0 \
                 OR strpos(t::text, $2) > 0"
            );
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
                .bind(text.replace('"', "\"\""))
                .bind(hex(text.as_bytes()))
                .fetch_one(&mut conn)
                .await
                .unwrap();
            if rows > 0 {
                told.push(format!("{text} in {table}"));
            }
        }
    }

    told
}

#[tokio::test]
async fn a_database_is_encrypted_after_years_and_brought_back_and_nothing_of_it_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let store = sqlite(dir, None).await.unwrap();
    let (log, references) = tell(&store).await;
    store.commit(say_more()).await.unwrap();
    let held = everything(&store).await;
    store.close().await;
    assert!(told_below(dir, &SAID).len() >= 4);

    let done = recode_sqlite(dir, me(), &key(1), true, |_| ())
        .await
        .unwrap();
    assert_eq!(done.unwrap().entries, 210);
    assert_eq!(told_below(dir, &SAID), Vec::<String>::new());
    let files: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|f| f.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!files.iter().any(|f| f.contains("encrypting")), "{files:?}");

    // Once more changes nothing, and another key does nothing at all.
    let again = recode_sqlite(dir, me(), &key(1), true, |_| ())
        .await
        .unwrap();
    assert_eq!(again, None);
    let other = recode_sqlite(dir, me(), &key(2), true, |_| ()).await;
    assert_eq!(code(other), "store_key_wrong");

    let store = sqlite(dir, Some(&key(1))).await.unwrap();
    opened_again(&store, log, &references).await;
    assert_eq!(everything(&store).await, held);
    store.close().await;

    let done = recode_sqlite(dir, me(), &key(1), false, |_| ())
        .await
        .unwrap();
    assert!(done.is_some());
    let store = sqlite(dir, None).await.unwrap();
    opened_again(&store, log, &references).await;
    assert_eq!(everything(&store).await, held);
    store.close().await;
}

#[tokio::test]
async fn a_conversion_that_is_cut_off_anywhere_leaves_the_database_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let store = sqlite(dir, None).await.unwrap();
    let (log, references) = tell(&store).await;
    let held = everything(&store).await;
    store.close().await;

    // As the plug is pulled: what works on the new file does not come to its end.
    for cut_at in 1..=6 {
        let heard = AtomicU64::new(0);
        let cut = move |_| assert!(heard.fetch_add(1, Ordering::Relaxed) < cut_at, "cut off");
        let cut_off = recode_sqlite(dir, me(), &key(1), true, cut).await;
        assert_eq!(code(cut_off), "write_failed", "after {cut_at} parts");

        assert!(dir.join("node.sqlite.encrypting").exists());
        assert_eq!(
            code(sqlite(dir, Some(&key(1))).await),
            "database_not_encrypted"
        );
        let store = sqlite(dir, None).await.unwrap();
        let left = dir.join("node.sqlite.encrypting").exists();
        assert!(!left, "half a copy, of whatever comes back in clear");
        assert_eq!(everything(&store).await, held);
        store.close().await;
    }

    let done = recode_sqlite(dir, me(), &key(1), true, |_| ())
        .await
        .unwrap();
    assert!(done.is_some());
    let store = sqlite(dir, Some(&key(1))).await.unwrap();
    opened_again(&store, log, &references).await;
    assert_eq!(everything(&store).await, held);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_on_postgres_is_encrypted_brought_back_and_moved_there_encrypted() {
    let dir = tempfile::tempdir().unwrap();
    let server = TemporaryServer::start(&dir.path().join("pg")).expect("PostgreSQL is installed");
    let (url, hub) = (server.create("wadi").unwrap(), dir.path().join("hub"));
    std::fs::create_dir(&hub).unwrap();

    // An encrypted file moves as it is.
    let store = sqlite(&hub, Some(&key(1))).await.unwrap();
    let (log, references) = tell(&store).await;
    store.commit(say_more()).await.unwrap();
    let held = everything(&store).await;
    store.close().await;
    let moving = move_store(&hub, &url, me(), None, |_| ()).await;
    assert_eq!(code(moving), "database_encrypted");
    let key = key(1);
    let moved = move_store(&hub, &url, me(), Some(&key), |_| ())
        .await
        .unwrap();
    assert_eq!((moved.entries, moved.logs), (210, 3));
    assert_eq!(told_by_server(&url).await, Vec::<String>::new());

    let open = async |key: Option<&StoreKey>| {
        let store = postgres(&url, &hub, key).await.unwrap();
        opened_again(&store, log, &references).await;
        assert_eq!(everything(&store).await, held);
        store
    };
    let store = open(Some(&key)).await;
    let busy = recode_postgres(&url, &key, false, |_| ()).await;
    assert_eq!(code(busy), "store_conflict", "a daemon writes to it");
    store.close().await;

    let done = recode_postgres(&url, &key, false, |_| ()).await.unwrap();
    assert_eq!(done.unwrap().entries, 210);
    open(None).await.close().await;
    assert!(told_by_server(&url).await.len() >= 4, "the test can fail");

    let done = recode_postgres(&url, &key, true, |_| ()).await.unwrap();
    assert!(done.is_some());
    assert_eq!(told_by_server(&url).await, Vec::<String>::new());
    open(Some(&key)).await.close().await;
    let again = recode_postgres(&url, &key, true, |_| ()).await.unwrap();
    assert_eq!(again, None);
}

#[tokio::test]
async fn one_rotten_cell_is_one_rotten_row_and_a_rotten_word_about_the_key_is_set_right() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let key = key(1);
    let store = sqlite(dir, Some(&key)).await.unwrap();
    let (log, references) = tell(&store).await;
    let filter = RecordFilter {
        limit: 100,
        ..RecordFilter::default()
    };
    let before = store.records(&filter).await.unwrap();
    store.close().await;

    let spoil = async |sql: &'static str| {
        let mut conn = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(dir.join("node.sqlite"))
            .connect()
            .await
            .unwrap();
        let done = sqlx::query(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        done.rows_affected()
    };
    let entry = "UPDATE entries SET bytes = CAST(substr(bytes, 1, 20) || x'ff' || \
                 substr(bytes, 22) AS BLOB) WHERE seq = 2 AND main = 1 AND substr(log, 26, 3) = \
                 CAST('TRB' AS BLOB)";
    assert_eq!(spoil(entry).await, 1);
    // A record's JSON, a term, and what is said of the key.
    assert!(spoil("UPDATE records SET json = '~1' || substr(json, 4) || 'A'").await > 0);
    assert_eq!(
        spoil("UPDATE meta SET value = value + 1 WHERE key = 'encrypted'").await,
        1
    );

    let store = sqlite(dir, Some(&key)).await.unwrap();
    assert!(store.entry(&references[2]).await.unwrap_err().is_rot());
    assert!(store.entry(&references[3]).await.unwrap().is_some());
    let raw = store.raw_entries(&log, 0, 10).await.unwrap();
    let rotten = raw.iter().filter(|e| leaf_hash(&e.bytes).0 != e.leaf[..]);
    assert_eq!(rotten.map(|e| e.seq).collect::<Vec<_>>(), [2]);

    let now = store.records(&filter).await.unwrap();
    assert_eq!(now.len(), before.len(), "the list goes on");
    assert!(now.iter().all(|row| row.json.is_empty()));

    // Written again, a record is whole again; its terms are compared as they lie there.
    let row = before[0].clone();
    let terms = store.terms_of(&[row.id]).await.unwrap();
    let terms: Vec<_> = terms
        .into_iter()
        .map(|(_, what, value)| (what, value))
        .collect();
    store
        .commit(Batch::from(ProjectedRows {
            records: vec![RecordRow {
                terms: terms.clone(),
                ..row.clone()
            }],
            ..ProjectedRows::default()
        }))
        .await
        .unwrap();
    let again = store.record(&row.id).await.unwrap().unwrap();
    assert_eq!(again.json, row.json);
    store.close().await;

    // A key of this node's that rotted is damage of the structure, as one that is no text.
    let store = sqlite(dir, Some(&key)).await.unwrap();
    store.commit(say_more()).await.unwrap();
    store.close().await;
    assert!(spoil("UPDATE local SET value = value || 'A' WHERE scope = 'look'").await > 0);
    let store = sqlite(dir, Some(&key)).await.unwrap();
    assert!(
        store
            .local(&LocalScope::Look, "0001")
            .await
            .unwrap_err()
            .is_rot()
    );
    assert_eq!(store.structure().await.unwrap().len(), 1);
    store.close().await;
}

#[tokio::test]
async fn what_an_encrypted_database_that_was_set_aside_still_tells_is_read_by_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let key = key(1);
    let store = sqlite(dir, Some(&key)).await.unwrap();
    let (log, _) = tell(&store).await;
    store.commit(say_more()).await.unwrap();
    store.close().await;

    std::fs::write(dir.join(REBUILD_MARKER), "somebody found it damaged\n").unwrap();
    let store = SqliteStore::open_or_set_aside_with(dir, me(), Some(&key), "t")
        .await
        .unwrap();
    assert_eq!(store.counts().await.unwrap().entries, 0);
    let aside = SetAside::all(dir).remove(0);
    assert_eq!(told_below(dir, &SAID), Vec::<String>::new());

    let old = store.old_database(&aside.database()).unwrap();
    let found = old.scan(&|_| true);
    assert_eq!(found.logs[&log].entries.len(), 205);
    let (leaf, place) = found.logs[&log].entries[&7][0];
    assert_eq!(leaf_hash(&old.read(&place).unwrap()), leaf);

    let mut keys = Vec::new();
    old.local_keys(|key| keys.push((key.scope, key.value)));
    let look = (LocalScope::Look, r#"{"officer":"OF-1"}"#.to_string());
    assert!(keys.contains(&look), "{keys:?}");

    // Without the key it tells of no entry.
    let blind = Salvage::open(&aside.database()).unwrap();
    let found = blind.scan(&|_| true);
    assert!(found.logs.values().all(|log| log.entries.is_empty()));
    store.close().await;
}
