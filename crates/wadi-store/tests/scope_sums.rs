//! What the records of each scope come to is kept while they change: whatever was written, taken
//! away, refused or asked meanwhile, it is what reading all records gives. On both engines.

use std::{collections::BTreeSet, path::Path, sync::Arc};
use wadi_log::{Hash, Lane, LogKey, NodeId, RecordId};
use wadi_store::{
    Batch, LogStore, PostgresStore, ProjectedRows, RecordRow, Repair, SqliteStore, Store,
    TemporaryServer,
};

fn node() -> NodeId {
    LogKey::from_seed(&[9; 32]).node()
}

fn id(n: u64) -> RecordId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    RecordId(id)
}

/// A record in its so-manieth version: what it says, its state and where it belongs all move.
fn record(n: u64, version: u64) -> RecordRow {
    let crossings = ["TRB", "KLX", "NOR"];
    RecordRow {
        id: id(n),
        printed: format!("P-{n}"),
        lane: if n.is_multiple_of(2) {
            Lane::Passage as u8
        } else {
            Lane::Hold as u8
        },
        crossing: crossings[(n % 3) as usize].into(),
        state: format!("S{}", (n + version) % 5),
        open: false,
        contested: false,
        json: "{}".into(),
        digest: Hash(id(n ^ (version << 32)).0),
        entries: version as u32,
        at_ms: 0,
        born_ms: 0,
        terms: Vec::new(),
        waiting: Vec::new(),
        changed: 0,
    }
}

fn batch(records: Vec<RecordRow>) -> Batch {
    Batch {
        project: ProjectedRows {
            records,
            ..ProjectedRows::default()
        },
        ..Batch::default()
    }
}

fn without(gone: Vec<RecordId>) -> Batch {
    Batch {
        repair: Repair {
            records_gone: gone,
            ..Repair::default()
        },
        ..Batch::default()
    }
}

/// Holds what is kept against what lies on the disk.
async fn compare(store: &dyn Store, after: &str) {
    let kept = store.digests().await.unwrap();
    let read = store.digests_anew().await.unwrap();
    assert_eq!(kept, read, "after {after}");
}

async fn a_crossing_works(store: Arc<dyn Store>) {
    let store = store.as_ref();
    compare(store, "nothing").await;
    store.commit(batch(vec![record(0, 1)])).await.unwrap();
    compare(store, "the first record").await;

    for version in 1..4 {
        let some = (0..40_u64).filter(|n| !n.is_multiple_of(version + 1));
        let rows = some.map(|n| record(n, version)).collect();
        store.commit(batch(rows)).await.unwrap();
        compare(store, "records that change").await;
    }

    store
        .commit(without(vec![id(3), id(4), id(999)]))
        .await
        .unwrap();
    compare(store, "records that went").await;
    let told = store.digests().await.unwrap();
    assert_eq!(told.iter().map(|(_, _, n, ..)| n).sum::<i64>(), 35);

    let mut back = batch(vec![record(3, 9), record(5, 9)]);
    back.repair.records_gone = vec![id(5)];
    store.commit(back).await.unwrap();
    compare(store, "records that went and came").await;
}

/// Many write at once while others ask for the first time.
async fn many_write_and_ask(store: Arc<dyn Store>) {
    let mut tasks = Vec::new();
    for writer in 0..4_u64 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for version in 1..12 {
                let rows = (0..25).map(|n| record(writer * 100 + n, version)).collect();
                store.commit(batch(rows)).await.unwrap();
            }
        }));
    }

    for _ in 0..3 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for _ in 0..10 {
                let told = store.digests().await.unwrap();
                let records: i64 = told.iter().map(|(_, _, n, ..)| n).sum();
                assert!((0..=100).contains(&records), "{records}");
                tokio::task::yield_now().await;
            }
        }));
    }

    for task in tasks {
        task.await.unwrap();
    }

    compare(store.as_ref(), "all of it").await;
    let scopes: BTreeSet<(u8, String)> = store
        .digests()
        .await
        .unwrap()
        .into_iter()
        .map(|(lane, crossing, ..)| (lane, crossing))
        .collect();
    assert_eq!(scopes.len(), 6, "two lanes at three crossings");
}

async fn sqlite(dir: &Path) -> Arc<SqliteStore> {
    SqliteStore::open(dir, node()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_what_lies_on_the_disk_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    a_crossing_works(sqlite(dir.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_right_while_many_write_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    many_write_and_ask(sqlite(dir.path()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_what_lies_on_the_disk_on_postgres() {
    let dir = tempfile::tempdir().unwrap();
    let server = TemporaryServer::start(&dir.path().join("pg"))
        .expect("PostgreSQL is installed: ./scripts/test installs it");
    for (name, many) in [("one", false), ("many", true)] {
        let url = server.create(name).unwrap();
        let own = tempfile::tempdir().unwrap();
        let store = PostgresStore::open(&url, own.path(), node(), || {})
            .await
            .unwrap();
        match many {
            true => many_write_and_ask(store.clone()).await,
            false => a_crossing_works(store.clone()).await,
        }
        store.close().await;
    }
}
