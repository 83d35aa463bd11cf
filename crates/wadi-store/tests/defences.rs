//! What the anchor and the hashes are for: with either check turned off, the loss or the rot that
//! it finds goes unnoticed. And that a WAL stays short however many read.

use std::{path::Path, process::Command};
use tokio::sync::mpsc;
use wadi_log::*;
use wadi_store::prelude::*;
use wadi_store::{
    Anchor, AnchorFile, AnchorState, Append, Batch, LocalKey, LocalScope, LocalState, SqliteStore,
    defence,
};

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

/// Frames after which the child moves its WAL, and how often it commits.
const WAL_FRAMES: u64 = 40;
const COMMITS: u64 = 600;
/// How long each of two readers reads at least.
const TURN: std::time::Duration = std::time::Duration::from_millis(15);

/// Writes into a store while two readers take turns, so that there is never none, and writes into
/// the file `found` how long the WAL became. Runs in the child process only.
#[test]
fn wal_child() {
    let Ok(dir) = std::env::var("WADI_WAL_CHILD") else {
        return;
    };
    let dir = Path::new(&dir);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let longest = runtime.block_on(async {
        let store = SqliteStore::open(dir, key().node()).await.unwrap();
        let path = dir.join("node.sqlite");
        let (to_second, from_first) = mpsc::channel(1);
        let (to_first, from_second) = mpsc::channel(1);
        to_second.send(()).await.unwrap();
        let first = tokio::spawn(read_in_turns(path.clone(), to_second, from_second));
        let second = tokio::spawn(read_in_turns(path, to_first, from_first));

        let mut longest = 0;
        for n in 0..COMMITS {
            let local = LocalState {
                keys: vec![LocalKey {
                    scope: LocalScope::Contact,
                    key: n.to_string(),
                    value: "a long line of what a peer said".repeat(40),
                }],
                ..LocalState::default()
            };
            store.commit(Batch::from(local)).await.unwrap();

            let wal = std::fs::metadata(dir.join("node.sqlite-wal")).unwrap();
            longest = longest.max(wal.len());
        }

        first.abort();
        second.abort();
        store.close().await;
        longest
    });
    std::fs::write(dir.join("found"), longest.to_string()).unwrap();
}

/// Reads, and leaves when the other one has begun to read.
async fn read_in_turns(
    path: std::path::PathBuf,
    to_other: mpsc::Sender<()>,
    mut from_other: mpsc::Receiver<()>,
) {
    use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};

    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut conn = SqliteConnection::connect_with(&options).await.unwrap();
    loop {
        let mut reading = conn.begin().await.unwrap();
        let _: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM local")
            .fetch_one(&mut *reading)
            .await
            .unwrap();

        if to_other.send(()).await.is_err() {
            return;
        }
        tokio::time::sleep(TURN).await;
        if from_other.recv().await.is_none() {
            return;
        }
        reading.rollback().await.unwrap();
    }
}

/// How long the WAL of a child became, pages of 8 KiB.
fn longest_wal(off: &str) -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["wal_child", "--exact", "--test-threads=1"])
        .env("WADI_WAL_CHILD", dir.path())
        .env("WADI_WAL_FRAMES", WAL_FRAMES.to_string())
        .env("WADI_READERS_WAIT_MS", "30000")
        .env("WADI_DEFENCE_OFF", off)
        .status();

    assert!(status.unwrap().success());
    let bytes: u64 = std::fs::read_to_string(dir.path().join("found"))
        .unwrap()
        .parse()
        .unwrap();
    bytes / 8_192
}

#[test]
fn a_wal_stays_short_though_somebody_reads_at_every_moment() {
    if !defence::SWITCHABLE {
        return;
    }

    let (bounded, unbounded) = (longest_wal(""), longest_wal("wal-bound"));
    println!("{bounded} pages, and {unbounded} where readers are not waited for");
    // Readers are waited for at eight times as many.
    assert!(bounded < 12 * WAL_FRAMES, "{bounded}");
    assert!(unbounded > COMMITS, "{unbounded}");
}
