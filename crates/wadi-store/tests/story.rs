//! One story told to both engines: a hub takes in two crossings' logs, projects, finds, forgets,
//! and is opened again. After it, what PostgreSQL alone can do wrong: a second daemon, a server
//! that restarts, refuses or is full of odd text.

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
        project: Projection {
            about: about.clone(),
            records: rows,
            ..Projection::default()
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
    findings(store, about[0].0).await;
    small_things(store, &trb, about[0].0, references[0]).await;

    (trb.log, references)
}

/// What open holds name, or look out for, is found by that: of all that is held, and of what is
/// asked about.
async fn detained(store: &Arc<dyn Store>, about: &[(RecordId, Reference)]) {
    let ids: Vec<RecordId> = about.iter().map(|(id, _)| *id).collect();
    let named = ids[1].to_string();
    let hold = |seed: u8, open: bool, terms: &[(&str, &str)]| RecordRow {
        id: RecordId([seed; 32]),
        printed: format!("TRB-H-{seed}"),
        lane: Lane::Hold as u8,
        open,
        ..row(&about[0].1, 0, terms)
    };

    let holds = vec![
        hold(201, true, &[("link", &named)]),
        hold(202, true, &[("target", "11A1")]),
        hold(
            203,
            false,
            &[("link", &ids[0].to_string()), ("target", "C1")],
        ),
        // What another wrote into a link is text.
        hold(204, true, &[("link", "zz"), ("target", "none")]),
    ];

    let gone = holds.iter().map(|h| h.id).collect();
    store
        .commit(Batch::from(Projection {
            records: holds,
            ..Projection::default()
        }))
        .await
        .unwrap();

    let looked_for = store.by_term("plate", "11A1", None, 10).await.unwrap();
    let listed = store
        .records(&RecordFilter {
            detained: true,
            limit: 50,
            ..RecordFilter::default()
        })
        .await
        .unwrap();

    let listed: std::collections::BTreeSet<RecordId> = listed.iter().map(|r| r.id).collect();
    let wanted = looked_for.iter().map(|r| r.id).chain([ids[1]]).collect();
    assert_eq!(listed, wanted);

    let of_one = store.detained(&ids[1..2]).await.unwrap();
    let by: Vec<&str> = of_one.iter().map(|(_, hold)| hold.as_str()).collect();
    assert!(
        by.contains(&"TRB-H-201") && !by.contains(&"TRB-H-203"),
        "{by:?}"
    );
    assert_eq!(store.detained(&[]).await.unwrap(), []);

    store
        .commit(Batch::from(Repair {
            records_gone: gone,
            ..Repair::default()
        }))
        .await
        .unwrap();

    assert!(store.detained(&ids).await.unwrap().is_empty());
}

async fn records(store: &Arc<dyn Store>, about: &[(RecordId, Reference)]) {
    let ids: Vec<RecordId> = about.iter().map(|(id, _)| *id).collect();
    assert_eq!(
        store.record_entries(&ids[2]).await.unwrap()[0]
            .entry
            .reference(),
        about[2].1
    );

    assert_eq!(store.entries_of(&ids).await.unwrap().len(), 5);
    assert_eq!(store.records_by_id(&ids[..2]).await.unwrap().len(), 2);
    assert_eq!(store.terms_of(&ids[..2]).await.unwrap().len(), 4);
    assert_eq!(
        store.by_term("plate", "11A1", None, 3).await.unwrap().len(),
        3
    );
    assert_eq!(store.record_ids().await.unwrap().len(), 5);

    let printed = store.record(&ids[1]).await.unwrap().unwrap().printed;
    assert_eq!(store.records_printed(&printed).await.unwrap(), [ids[1]]);

    // Those nearest in time first, each asker for itself, within its time and up to its limit.
    let ask = |asker, value: &str, between_ms| TermQuery {
        asker,
        what: "plate".into(),
        value: value.into(),
        between_ms,
        by_kind: false,
        most: 2,
    };

    let asked = [
        ask(0, "11A1", (900, 3_100)),
        ask(1, "11A1", (-100, 100)),
        ask(2, "none", (0, 9_999)),
    ];

    for by_kind in [false, true] {
        let asked = asked.clone().map(|q| TermQuery { by_kind, ..q });
        let found = store.near(&asked).await.unwrap();
        let hits: Vec<(usize, RecordId, u64, u64)> = found
            .iter()
            .map(|h| (h.asker, h.record, h.place, h.of))
            .collect();
        let wanted = [(0, ids[2], 1, 3), (0, ids[1], 2, 3), (1, ids[0], 1, 1)];
        assert_eq!(
            hits, wanted,
            "nearest to the middle of what was asked, and how many there were"
        );
    }

    let filter = |state: &str, limit| RecordFilter {
        lane: Some(Lane::Passage as u8),
        crossing: Some("TRB".into()),
        state: Some(state.into()),
        term: Some(("container".into(), "C1".into())),
        contested: true,
        detained: false,
        before: None,
        after: None,
        limit,
    };

    let page = store.records(&filter("CONTESTED", 2)).await.unwrap();
    let next = RecordFilter {
        before: Some(page[1].changed),
        ..filter("ADMITTED", 10)
    };
    assert_eq!(
        (page.len(), store.records(&next).await.unwrap().len()),
        (2, 3)
    );
    assert!(
        store
            .records(&filter("EXITED", 10))
            .await
            .unwrap()
            .is_empty()
    );

    // For reading them all they come in the order of their ids, page after page.
    let (mut all, mut after) = (Vec::new(), RecordId([0; 32]));
    loop {
        let page = RecordFilter {
            after: Some(after),
            limit: 2,
            ..RecordFilter::default()
        };

        let page = store.records(&page).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        all.extend(page.into_iter().map(|r| r.id));
    }

    assert!(all.len() == 5 && all.is_sorted());

    let changes = store.changes(2, 10).await.unwrap();
    assert_eq!(
        changes.iter().map(|c| c.cursor).collect::<Vec<_>>(),
        [3, 4, 5]
    );

    let digests = store.digests().await.unwrap();
    assert_eq!(
        digests
            .iter()
            .map(|d| (d.1.as_str(), d.2))
            .collect::<Vec<_>>(),
        [("TRB", 5)]
    );
}

async fn findings(store: &Arc<dyn Store>, anchor: RecordId) {
    let findings = vec![
        finding("a", anchor, 1, "FIRM", 200),
        finding("b", anchor, 1, "PENDING", 100),
        finding("c", anchor, 3, "FIRM", 50),
    ];

    store
        .commit(Batch::from(Findings {
            changed: findings,
            ..Findings::default()
        }))
        .await
        .unwrap();

    let gone = vec!["c".to_string()];
    let again = FindingRow {
        state: "ASSIGNED".into(),
        assignee: "AU-1".into(),
        ..finding("a", anchor, 1, "FIRM", 200)
    };

    store
        .commit(Batch::from(Findings {
            changed: vec![again],
            gone,
        }))
        .await
        .unwrap();

    let all = store
        .findings(&FindingFilter {
            limit: 10,
            ..Default::default()
        })
        .await
        .unwrap();

    assert_eq!(
        all.iter().map(|f| f.id.as_str()).collect::<Vec<_>>(),
        ["b", "a"],
        "the oldest first"
    );

    let after = FindingFilter {
        after: Some((1, 100, "b".into())),
        limit: 10,
        ..Default::default()
    };

    assert_eq!(store.findings(&after).await.unwrap().len(), 1);

    let mine = FindingFilter {
        assignee: Some("AU-1".into()),
        until_ms: Some(200),
        limit: 10,
        ..Default::default()
    };

    assert_eq!(store.findings(&mine).await.unwrap().len(), 1);

    let counts = store
        .finding_counts(&FindingFilter::default())
        .await
        .unwrap();
    let count =
        |phase: &str, state: &str| ("R02".to_string(), phase.to_string(), state.to_string(), 1);
    assert_eq!(
        counts,
        [count("FIRM", "ASSIGNED"), count("PENDING", "OPEN")]
    );
    assert_eq!(store.findings_due(i64::MIN, 109).await.unwrap(), []);
    assert_eq!(store.findings_due(109, 110).await.unwrap(), [anchor]);
    assert_eq!(
        store.findings_due(110, i64::MAX).await.unwrap(),
        [],
        "that time has passed before"
    );

    assert_eq!(store.findings_of(&[anchor]).await.unwrap().len(), 2);
    assert_eq!(store.finding("a").await.unwrap().unwrap().assignee, "AU-1");
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
        project: Projection {
            waiting: vec![Waiting {
                record,
                entry: Reference {
                    seq: 900,
                    ..missing
                },
                missing: Some(missing),
            }],
            ..Projection::default()
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

#[tokio::test]
async fn the_story_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let me = LogKey::from_seed(&[9; 32]).node();
    let store: Arc<dyn Store> = SqliteStore::open(dir.path(), me).await.unwrap();
    let (log, references) = tell(&store).await;

    store.close().await;
    let store: Arc<dyn Store> = SqliteStore::open(dir.path(), me).await.unwrap();
    opened_again(&store, log, &references).await;
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

        let moved = move_store(&hub, &url, me, |_| ()).await;
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
        move_store(&hub, &url, me, |_| ()).await.unwrap_err().code(),
        "database_open"
    );

    let other = dir.path().join("other");
    std::fs::create_dir_all(&other).unwrap();
    SqliteStore::open(&other, me).await.unwrap().close().await;
    assert_eq!(
        move_store(&other, &url, me, |_| ())
            .await
            .unwrap_err()
            .code(),
        "store_conflict"
    );

    assert!(other.join("node.sqlite").exists());
}

/// All that a store tells, in an order that does not depend on the engine.
async fn everything(store: &Arc<dyn Store>) -> Vec<String> {
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
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND granted";
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
