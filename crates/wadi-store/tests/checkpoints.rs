//! Which checkpoints are kept: between two of them lie no more bytes and no more entries than a
//! block may have.

use wadi_log::*;
use wadi_store::prelude::*;
use wadi_store::{Append, Batch, SqliteStore};

fn key() -> LogKey {
    LogKey::from_seed(&[6; 32])
}

fn log() -> LogId {
    LogId {
        node: key().node(),
        epoch: Epoch([1; 8]),
        lane: Lane::Passage,
        crossing: "TRB".parse().unwrap(),
    }
}

/// The shortest entries there are: a few bytes, which say next to nothing.
fn short(n: u64) -> Entry {
    let puts = vec![Put {
        key: "n".into(),
        value: Value::Int(n as i64 % 100),
    }];

    Entry {
        common: Common::default(),
        body: Body::Change(Change {
            puts,
            ..Change::default()
        }),
    }
}

#[tokio::test]
async fn a_log_of_the_shortest_entries_is_cut_into_blocks_that_a_peer_takes() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path(), key().node()).await.unwrap();
    let mut peaks = Peaks::default();
    let mut entries = 0;

    for n in 0..400 {
        // One to twelve entries a commit, each commit with a checkpoint of its own.
        let run: Vec<Entry> = (0..1 + n % 12).map(|m| short(n + m)).collect();
        let block = VerifiedBlock::author(&key(), log(), &peaks, &run, 0, vec![]).unwrap();
        assert!(
            block.entries().iter().all(|e| e.bytes().len() < 20),
            "they are short"
        );

        peaks = block.peaks().clone();
        entries += run.len() as u64;
        store
            .commit(Batch::from(Append {
                blocks: vec![block],
                ..Append::default()
            }))
            .await
            .unwrap();
    }

    let mut at = 0;
    while at < entries {
        let next = store.checkpoints(&log(), at).await.unwrap();
        let next = next
            .first()
            .expect("the log ends at a checkpoint")
            .checkpoint
            .size;

        assert!(
            next - at <= BLOCK_ENTRIES_MAX as u64,
            "{at}..{next} can be no block"
        );

        at = next;
    }

    assert_eq!(at, entries);
    store.close().await;
}
