//! What the anchor and the hashes are for: with either check turned off, the loss or the rot that
//! it finds goes unnoticed.

use std::{path::Path, process::Command};
use wadi_log::*;
use wadi_store::prelude::*;
use wadi_store::{Anchor, AnchorFile, AnchorState, Append, Batch, SqliteStore, defence};

fn key() -> LogKey {
    LogKey::from_seed(&[7; 32])
}

/// Opens a store and writes into the file `found` what it finds there. Runs in the child process
/// only.
#[test]
fn child() {
    let Ok(dir) = std::env::var("WADI_DEFENCES_CHILD") else {
        return;
    };
    let dir = Path::new(&dir);
    let reference: Reference = std::fs::read_to_string(dir.join("reference"))
        .unwrap()
        .parse()
        .unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();

    runtime.block_on(async {
        let store = SqliteStore::open(dir, key().node()).await.unwrap();
        let lost = matches!(store.anchor_state(), AnchorState::LostTail { .. });
        let rotten = matches!(store.entry(&reference).await, Err(e) if e.code() == "entry_damaged");
        std::fs::write(dir.join("found"), format!("lost {lost} rotten {rotten}")).unwrap();
        store.close().await;
    });
}

/// A store whose anchor is ahead of it, and whose one entry has a flipped bit.
async fn spoil(dir: &Path) {
    let store = SqliteStore::open(dir, key().node()).await.unwrap();
    let log = LogId {
        node: key().node(),
        epoch: Epoch([1; 8]),
        lane: Lane::Passage,
        crossing: "TRB".parse().unwrap(),
    };

    let change = Change {
        puts: vec![Put {
            key: "note".into(),
            value: Value::Text("a truck".into()),
        }],
        ..Default::default()
    };

    let entry = Entry {
        common: Common::default(),
        body: Body::Change(change),
    };
    let block = VerifiedBlock::author(&key(), log, &Peaks::default(), &[entry], 0, vec![]).unwrap();
    let reference = block.entries()[0].reference();

    store
        .commit(Batch::from(Append {
            blocks: vec![block],
            ..Append::default()
        }))
        .await
        .unwrap();

    store.close().await;
    std::fs::write(dir.join("reference"), reference.to_string()).unwrap();
    let (anchor, found) = AnchorFile::open(&dir.join("anchor")).unwrap();
    anchor
        .write(&Anchor {
            commits: found.unwrap().commits + 3,
            heads: vec![],
        })
        .unwrap();

    use sqlx::Connection;
    let path = format!("sqlite://{}", dir.join("node.sqlite").display());
    let mut conn = sqlx::SqliteConnection::connect(&path).await.unwrap();
    let mut bytes: Vec<u8> = sqlx::query_scalar("SELECT bytes FROM entries")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let last = bytes.len() - 1;

    bytes[last] ^= 1;
    sqlx::query("UPDATE entries SET bytes = ?1")
        .bind(bytes)
        .execute(&mut conn)
        .await
        .unwrap();

    conn.close().await.unwrap();
}

/// What a child finds with these defences turned off.
fn found(off: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(spoil(dir.path()));

    let status = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--test-threads=1"])
        .env("WADI_DEFENCES_CHILD", dir.path())
        .env("WADI_DEFENCE_OFF", off)
        .status();

    assert!(status.unwrap().success());
    std::fs::read_to_string(dir.path().join("found")).unwrap()
}

#[test]
fn a_lost_tail_and_a_rotten_entry_are_found_by_the_anchor_and_the_hash() {
    assert_eq!(found(""), "lost true rotten true");
    if defence::SWITCHABLE {
        assert_eq!(found("anchor-check"), "lost false rotten true");
        assert_eq!(found("hash-on-read"), "lost true rotten false");
    }
}
