use super::{dump::*, dump_audit::DumpReader, *};
use crate::prelude::*;
use crate::{AnchorFile, AnchorState, Append, Batch, SqliteStore};
use std::collections::HashMap;
use wadi_log::{
    Body, Change, Common, Entry, Epoch, Lane, LogKey, Peaks, Put, Value, VerifiedBlock, hex,
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
    let facts = CopyReader::open(&copy, None)
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
        !restore_unfinished(dir.path()) && fs::read(dir.path().join("anchor")).unwrap() == anchor
    );

    let before = CopyReader::open(&kept, None)
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
        "COPY public.logs (log, size, peaks, checkpoint, unkept_bytes, grew_ms) FROM stdin;".into(),
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
