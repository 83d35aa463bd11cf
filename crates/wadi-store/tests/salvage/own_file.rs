//! A database whose file is taken away under the node that writes it: nothing more is acknowledged,
//! and what was comes back by itself.

use super::*;

/// A store with one block, of an author who goes on.
async fn begun(dir: &Path) -> (std::sync::Arc<SqliteStore>, Author) {
    let mut author = Author::new(5, Lane::Passage);
    let store = SqliteStore::open(dir, author.key.node()).await.unwrap();
    store.commit(author.batch(&mut random(), 2)).await.unwrap();
    (store, author)
}

/// What a start after it finds: how far the author's log is held, and what was set aside.
async fn next_start(dir: &Path, author: &Author) -> (u64, Vec<SetAside>) {
    let store = SqliteStore::open_or_set_aside(dir, author.key.node(), "t")
        .await
        .unwrap();
    assert!(
        matches!(store.anchor_state(), AnchorState::Whole),
        "{:?}",
        store.anchor_state()
    );
    let held = author.entries.iter().map(VerifiedEntry::reference);
    let mut count = 0;
    for reference in held {
        count += u64::from(store.entry(&reference).await.unwrap().is_some());
    }
    store.close().await;

    (count, SetAside::all(dir))
}

fn take_away(dir: &Path) {
    for name in ["node.sqlite", "node.sqlite-wal", "node.sqlite-shm"] {
        std::fs::remove_file(dir.join(name)).unwrap();
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_was_deleted_and_all_that_was_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (store, mut author) = begun(dir).await;
    let acknowledged = author.peaks.size();
    take_away(dir);

    let refused = store.commit(author.batch(&mut random(), 1)).await;
    let refused = refused.expect_err("it was acknowledged, and is nowhere");
    assert_eq!(refused.code(), "write_failed");
    assert!(
        refused.to_string().contains("node.sqlite.rescued"),
        "{refused}"
    );
    // Nor is anything later.
    let later = store.commit(Batch::default()).await;
    assert_eq!(later.unwrap_err().code(), "write_failed");
    store.close().await;

    assert_eq!(next_start(dir, &author).await, (acknowledged, vec![]));
}

#[tokio::test]
async fn a_file_that_was_put_in_its_place_is_kept_and_not_taken_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    let dir = dir.path();

    // An older copy, as a backup would be, moved over the database of a running node.
    let (store, mut author) = begun(dir).await;
    let older = other.path().join("older.sqlite");
    std::fs::copy(dir.join("node.sqlite"), &older).unwrap();
    let bytes = std::fs::read(&older).unwrap();
    store.commit(author.batch(&mut random(), 1)).await.unwrap();
    let acknowledged = author.peaks.size();
    std::fs::rename(&older, dir.join("node.sqlite")).unwrap();

    let refused = store.commit(author.batch(&mut random(), 1)).await;
    assert_eq!(refused.unwrap_err().code(), "write_failed");
    store.close().await;

    let (held, aside) = next_start(dir, &author).await;
    assert_eq!(held, acknowledged);
    assert_eq!(aside.len(), 1);
    assert_eq!(std::fs::read(aside[0].database()).unwrap(), bytes);
}

#[tokio::test]
async fn a_directory_that_is_gone_is_said_to_be_gone() {
    let parent = tempfile::tempdir().unwrap();
    let (dir, moved) = (parent.path().join("data"), parent.path().join("moved"));
    std::fs::create_dir(&dir).unwrap();
    let (store, mut author) = begun(&dir).await;
    let acknowledged = author.peaks.size();
    std::fs::rename(&dir, &moved).unwrap();

    let refused = store.commit(author.batch(&mut random(), 1)).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("could not be copied"), "{refused}");
    store.close().await;
    assert_eq!(next_start(&moved, &author).await.0, acknowledged);
}

#[test]
fn the_first_of_these_fails_without_its_defence() {
    if wadi_store::defence::SWITCHABLE {
        let test = "own_file::\
            nothing_is_acknowledged_into_a_file_that_was_deleted_and_all_that_was_comes_back";
        assert!(
            wadi_store::defence::fails_without("own-file", test),
            "what is written into a deleted file is acknowledged"
        );
    }
}
