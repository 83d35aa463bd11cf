//! One story told to both engines: a hub takes in two crossings' logs, projects, finds, forgets,
//! and is opened again. After it, what PostgreSQL alone can do wrong: a second daemon, a server
//! that restarts, refuses or is full of odd text.

mod derived;
mod encrypted;
mod servers;

use derived::{detained, findings, records, waits};
use servers::everything;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use wadi_log::*;
use wadi_store::*;

struct Crossing {
    key: LogKey,
    log: LogId,
    peaks: Peaks,
}

fn crossing(seed: u8, code: &str) -> Crossing {
    let key = LogKey::from_seed(&[seed; 32]);
    let log = LogId {
        node: key.node(),
        epoch: Epoch([seed; 8]),
        lane: Lane::Passage,
        crossing: code.parse().unwrap(),
    };

    Crossing {
        key,
        log,
        peaks: Peaks::default(),
    }
}

impl Crossing {
    fn block(&mut self, from: u32, count: u32) -> VerifiedBlock {
        let entry = |n: u32| {
            let value = Value::Text(format!("truck {n}"));
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

        let entries: Vec<Entry> = (from..from + count).map(entry).collect();
        let block =
            VerifiedBlock::author(&self.key, self.log, &self.peaks, &entries, 7, vec![]).unwrap();
        self.peaks = block.peaks().clone();

        block
    }
}

fn row(first: &Reference, born_ms: i64, terms: &[(&str, &str)]) -> RecordRow {
    let id = RecordId::of_first(first);
    RecordRow {
        id,
        printed: id.print(first.log.crossing, first.log.lane),
        lane: first.log.lane as u8,
        crossing: first.log.crossing.to_string(),
        state: "ADMITTED CONTESTED".into(),
        open: false,
        contested: true,
        json: r#"{"fields":{}}"#.into(),
        digest: Hash(id.0),
        entries: 1,
        at_ms: born_ms + 5,
        born_ms,
        terms: terms
            .iter()
            .map(|(w, v)| (w.to_string(), v.to_string()))
            .collect(),
        waiting: vec![],
        changed: 0,
    }
}

fn finding(id: &str, anchor: RecordId, severity: u8, phase: &str, at_ms: i64) -> FindingRow {
    FindingRow {
        id: id.into(),
        rule: "R02".into(),
        severity,
        phase: phase.into(),
        state: "OPEN".into(),
        crossing: "TRB".into(),
        assignee: String::new(),
        anchor,
        evidence: "e".into(),
        at_ms,
        due_ms: at_ms + 10,
        json: "{}".into(),
        disposition: "".into(),
        decided_ms: 0,
    }
}

/// The story; the store as it is left.
async fn tell(store: &Arc<dyn Store>) -> (LogId, Vec<Reference>) {
    let (mut trb, mut qam) = (crossing(1, "TRB"), crossing(2, "QAM"));
    let first = trb.block(0, 5);
    let references: Vec<Reference> = first.entries().iter().map(|e| e.reference()).collect();
    let second = trb.block(5, 200);
    let about: Vec<_> = references
        .iter()
        .map(|r| (RecordId::of_first(r), *r))
        .collect();

    let near = [("plate", "11A1"), ("container", "C1")];
    let rows = references
        .iter()
        .enumerate()
        .map(|(n, r)| row(r, n as i64 * 1_000, &near))
        .collect();

    let batch = Batch {
        at_ms: 1,
        own_heads: vec![(
            trb.log,
            Tip {
                size: trb.peaks.size(),
                root: trb.peaks.root(),
            },
        )],
        append: Append {
            blocks: vec![first.clone(), second],
            ..Append::default()
        },
        project: ProjectedRows {
            about: about.clone(),
            records: rows,
            ..ProjectedRows::default()
        },
        ..Batch::default()
    };

    store.commit(batch).await.unwrap();
    // What does not follow is refused whole; what stands beside it in one group is not touched.
    let other = qam.block(0, 3);
    let gap = Batch::from(Append {
        blocks: vec![crossing(1, "TRB").block(0, 1)],
        ..Append::default()
    });
    let fits = Batch {
        at_ms: 2,
        append: Append {
            blocks: vec![other.clone()],
            ..Append::default()
        },
        ..Batch::default()
    };

    let (refused, taken) = tokio::join!(store.commit(gap), store.commit(fits));
    assert_eq!(refused.unwrap_err().code(), "store_conflict");

    taken.unwrap();
    let logs: BTreeMap<LogId, u64> = store
        .logs()
        .await
        .unwrap()
        .iter()
        .map(|l| (l.log, l.peaks.size()))
        .collect();

    assert_eq!(logs, BTreeMap::from([(trb.log, 205), (qam.log, 3)]));

    // Entries, subtrees and checkpoints of a log, for sending and proving.
    let part = store.entries(&trb.log, 203, 1 << 20).await.unwrap();
    assert_eq!(
        part.iter()
            .map(|e| e.entry.reference().seq)
            .collect::<Vec<_>>(),
        [203, 204]
    );

    assert_eq!(
        store
            .entry(&references[3])
            .await
            .unwrap()
            .unwrap()
            .reference(),
        references[3]
    );

    let wanted = proof::subtrees((0, 205));
    let parts = store.subtrees(&trb.log, &wanted).await.unwrap();
    assert_eq!(
        proof::assemble(&[(0, 205)], &parts).unwrap()[0],
        trb.peaks.root()
    );

    leaves_and_tiles(store, &trb, &references).await;
    let checkpoints = store.checkpoints(&trb.log, 0).await.unwrap();
    assert_eq!(checkpoints.last().unwrap().checkpoint.size, 205);

    // An excerpt's entry stands loose until its log brings it.
    let mut man = crossing(3, "MAN");
    let late = man.block(0, 2);
    let loose = vec![late.entries()[0].clone()];
    store
        .commit(Batch {
            at_ms: 3,
            append: Append {
                loose: loose.clone(),
                ..Append::default()
            },
            ..Batch::default()
        })
        .await
        .unwrap();

    assert_eq!(store.loose_logs().await.unwrap(), [man.log]);

    store
        .commit(Batch {
            at_ms: 4,
            append: Append {
                blocks: vec![late.clone()],
                loose,
                ..Append::default()
            },
            ..Batch::default()
        })
        .await
        .unwrap();

    assert_eq!(store.loose_logs().await.unwrap(), []);
    assert_eq!(store.counts().await.unwrap().entries, 210);

    // A cosignature only ever extends what its witness signed before.
    let hub = LogKey::from_seed(&[9; 32]);
    for (block, time_s) in [(&late, 20), (&late, 10)] {
        let checkpoint = block.checkpoint().clone();
        let cosignature = hub.cosign(&checkpoint.checkpoint, time_s);
        let cosignatures = vec![CosignedHead {
            checkpoint,
            cosignature,
        }];

        store
            .commit(Batch::from(Append {
                cosignatures,
                ..Append::default()
            }))
            .await
            .unwrap();
    }

    let kept = store.cosignatures(Some(&man.log)).await.unwrap();
    assert_eq!(
        kept.iter()
            .map(|c| c.cosignature.time_s)
            .collect::<Vec<_>>(),
        [20]
    );

    records(store, &about).await;
    detained(store, &about).await;
    waits(store, &about[0].1).await;
    findings(store, about[0].0).await;
    small_things(store, &trb, about[0].0, references[0]).await;

    (trb.log, references)
}

/// The leaves of a run and the roots of its tiles, as whoever looks for lost entries reads them.
async fn leaves_and_tiles(store: &Arc<dyn Store>, trb: &Crossing, first: &[Reference]) {
    let some = store.leaves(&trb.log, 1, 4).await.unwrap();
    let expected: Vec<(u64, Hash)> = first[1..4].iter().map(|r| (r.seq, r.leaf)).collect();
    assert_eq!(some, expected);
    assert_eq!(store.leaves(&trb.log, 205, 300).await.unwrap(), []);

    let all = store.leaves(&trb.log, 0, u64::MAX).await.unwrap();
    let mut peaks = Peaks::default();
    let mut kept = Vec::new();
    for (_, leaf) in &all {
        kept.extend(peaks.append(*leaf));
    }
    assert_eq!(peaks.root(), trb.peaks.root());

    let tiles = store.raw_tree(&trb.log, TILE_LEVELS, 1, 10).await.unwrap();
    let expected = kept
        .iter()
        .filter(|(s, _)| s.level == TILE_LEVELS && s.index >= 1);
    let expected: Vec<(u64, Vec<u8>)> = expected.map(|(s, h)| (s.index, h.0.to_vec())).collect();
    assert_eq!(tiles, expected);
    assert_eq!(tiles.len(), 2);
}

async fn small_things(
    store: &Arc<dyn Store>,
    trb: &Crossing,
    record: RecordId,
    missing: Reference,
) {
    let local = |key: &str, value: &str| LocalKey {
        scope: LocalScope::Import,
        key: key.into(),
        value: value.into(),
    };

    let refusal = |why: &str, at_ms| RefusalRow {
        subject: "s".into(),
        code: "gap".into(),
        why: why.into(),
        peer: "p".into(),
        at_ms,
        times: 1,
    };

    let node = trb.log.node;
    let batch = Batch {
        project: ProjectedRows {
            waiting: vec![Waiting {
                record,
                entry: Reference {
                    seq: 900,
                    ..missing
                },
                missing: Some(missing),
            }],
            ..ProjectedRows::default()
        },
        local: LocalState {
            keys: vec![local("k", "1"), local("k", "2"), local("gone", "1")],
            refusals: vec![refusal("one", 1), refusal("two", 2)],
            peers: vec![
                PeerRow {
                    node,
                    json: "1".into(),
                },
                PeerRow {
                    node,
                    json: "2".into(),
                },
            ],
            carry: vec![Carried {
                log: trb.log,
                from: 0,
                to: 5,
                bytes: vec![1, 2],
            }],
            ..LocalState::default()
        },
        ..Batch::default()
    };

    store.commit(batch).await.unwrap();
    let gone = vec![(LocalScope::Import, "gone".to_string())];
    let batch = Batch::from(LocalState {
        keys_gone: gone,
        carried_done: vec![(trb.log, 4)],
        ..LocalState::default()
    });

    store.commit(batch).await.unwrap();
    assert_eq!(
        store
            .local(&LocalScope::Import, "k")
            .await
            .unwrap()
            .as_deref(),
        Some("2")
    );
    assert_eq!(
        store.local_all(&LocalScope::Import).await.unwrap(),
        [local("k", "2")]
    );

    let refused = store.refusals(10).await.unwrap();
    assert_eq!(
        refused
            .iter()
            .map(|r| (r.why.as_str(), r.times))
            .collect::<Vec<_>>(),
        [("two", 2)]
    );

    assert_eq!(
        store.peers().await.unwrap(),
        [PeerRow {
            node,
            json: "2".into()
        }]
    );

    assert_eq!(store.carried_ranges().await.unwrap(), [(trb.log, 0, 5)]);
    assert_eq!(
        store.carried_block(&trb.log, 0).await.unwrap(),
        Some(vec![1, 2])
    );
    assert_eq!(
        store.records_waiting_for(&[missing]).await.unwrap(),
        [record]
    );
    assert_eq!(store.waiting(10).await.unwrap().len(), 1);
    assert_eq!(
        store.waiting_on(&missing.log, missing.seq).await.unwrap(),
        []
    );
    assert_eq!(
        store
            .waiting_on(&missing.log, missing.seq + 1)
            .await
            .unwrap(),
        [record]
    );

    let other = LogId {
        epoch: Epoch([77; 8]),
        ..missing.log
    };
    assert_eq!(store.waiting_on(&other, u64::MAX).await.unwrap(), []);
}

async fn opened_again(store: &Arc<dyn Store>, log: LogId, references: &[Reference]) {
    assert_eq!(*store.anchor_state(), AnchorState::Whole);
    assert_eq!(store.entries(&log, 0, 1 << 20).await.unwrap().len(), 205);
    for r in references {
        assert!(store.entry(r).await.unwrap().is_some());
    }
}

/// Every refusal is on one page, also where many came in one millisecond.
async fn refusals_by_page(store: &Arc<dyn Store>) {
    let refusal = |n: usize| RefusalRow {
        subject: format!("paged {n}"),
        code: "gap".into(),
        why: "w".into(),
        peer: "p".into(),
        at_ms: 100 + i64::from(n >= 12),
        times: 1,
    };
    let many = Batch::from(LocalState {
        refusals: (0..25).map(refusal).collect(),
        ..LocalState::default()
    });
    store.commit(many).await.unwrap();

    let (mut subjects, mut after) = (Vec::new(), None);
    loop {
        let page = store.refusals_after(after, 4).await.unwrap();
        assert!(page.rows.len() <= 4);
        subjects.extend(page.rows.into_iter().map(|(_, row)| row.subject));
        after = page.next;
        if after.is_none() {
            break;
        }
    }

    let all = store.refusals(1_000).await.unwrap();
    let all: Vec<String> = all.into_iter().map(|row| row.subject).collect();
    assert_eq!(subjects, all);
    assert_eq!(all.iter().filter(|s| s.starts_with("paged")).count(), 25);
}

#[tokio::test]
async fn the_story_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let me = LogKey::from_seed(&[9; 32]).node();
    let store: Arc<dyn Store> = SqliteStore::open(dir.path(), me).await.unwrap();
    let (log, references) = tell(&store).await;

    store.close().await;
    let store: Arc<dyn Store> = SqliteStore::open(dir.path(), me).await.unwrap();
    opened_again(&store, log, &references).await;
    refusals_by_page(&store).await;
    store.close().await;
}

#[tokio::test]
async fn a_large_block_goes_out_for_itself_whatever_stands_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path(), NodeId([9; 16]))
        .await
        .unwrap();
    let large = |of: &mut Crossing| {
        let put = |key: &str| Put {
            key: key.into(),
            value: Value::Text("x".repeat(15_000)),
        };
        let change = Change {
            puts: vec![put("note"), put("purpose")],
            ..Default::default()
        };

        let entry = Entry {
            common: Common::default(),
            body: Body::Change(change),
        };
        let block = VerifiedBlock::author(&of.key, of.log, &of.peaks, &[entry], 7, vec![]).unwrap();

        of.peaks = block.peaks().clone();
        block
    };

    for together in [false, true] {
        let mut of = crossing(u8::from(together) + 1, "TRB");
        let blocks = vec![
            of.block(0, 1),
            of.block(1, 50),
            large(&mut of),
            of.block(52, 1),
        ];

        if together {
            store
                .commit(Batch::from(Append {
                    blocks,
                    ..Append::default()
                }))
                .await
                .unwrap();
        } else {
            for block in blocks {
                store
                    .commit(Batch::from(Append {
                        blocks: vec![block],
                        ..Append::default()
                    }))
                    .await
                    .unwrap();
            }
        }

        let kept = store.checkpoints(&of.log, 0).await.unwrap();
        assert_eq!(
            kept.iter().map(|c| c.checkpoint.size).collect::<Vec<_>>(),
            [1, 51, 52, 53],
            "{together}"
        );
    }

    store.close().await;
}
