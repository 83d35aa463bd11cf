//! Two whole nodes that are fed the same hostile entries in different orders hold the same records.

use crate::{
    node::Node,
    tests::order::{deliver, found_country},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::BTreeMap;
use wadi_log::{
    Block, Body, Change, Common, Crossing, Entry, Epoch, Hash, Lane, LogId, LogKey, Peaks, Put,
    RecordId, Reference, Value, VerifiedBlock, leaf_hash,
};

/// The seed of the keys of Traibeel's node, which is in other hands.
const TRB_SEED: u8 = 10;
/// Records that its captors write.
const RECORDS: usize = 60;
/// Epochs in which they write each of them.
const LOGS: usize = 3;
/// Entries of a log at most.
const ENTRIES_MAX: u64 = 6;

/// What may stand where an entry is begun, whatever is based on what.
fn body(r: &mut StdRng, record: Option<RecordId>, known: &[Reference]) -> Body {
    let mut based_on: Vec<Reference> = Vec::new();
    if record.is_some() {
        for _ in 0..r.random_range(0..4) {
            based_on.push(known[r.random_range(0..known.len())]);
        }

        // One that nobody holds.
        if r.random_range(0..12) == 0 {
            based_on.push(Reference {
                leaf: Hash(r.random()),
                ..known[0]
            });
        }
    }

    based_on.sort();
    based_on.dedup();

    let value = |r: &mut StdRng| Value::Text(format!("V{}", r.random_range(0..3)));
    let keys = ["container.1", "note", "purpose", "seal.1", "vehicle.plate"];
    let mut puts: Vec<Put> = Vec::new();
    for key in keys {
        if r.random_range(0..3) == 0 {
            puts.push(Put {
                key: key.into(),
                value: value(r),
            });
        }
    }

    let said = [
        r#"{"gate":"G1","read":"R1","type":"gate.in"}"#,
        r#"{"gate":"G2","reason":"x","type":"gate.out"}"#,
        r#"{"reason":"x","to":"QAM","type":"handed_over"}"#,
        r#"{"type":"nobody knows"}"#,
    ];

    let least = usize::from(puts.is_empty());
    let events = (0..r.random_range(least..3))
        .map(|_| said[r.random_range(0..said.len())].to_string())
        .collect();

    Body::Change(Change {
        record,
        based_on,
        puts,
        events,
    })
}

/// One record as somebody with the key would write it: entries at any place of three logs, made in
/// any order, so that each may lean on what stands earlier or later, in its own log or in
/// another's.
fn record(
    r: &mut StdRng,
    key: &LogKey,
    n: usize,
    into: &mut BTreeMap<LogId, Vec<Block>>,
) -> RecordId {
    let crossing: Crossing = "TRB".parse().unwrap();
    let log = |epoch: usize| {
        let epoch = Epoch([(n + 1) as u8, epoch as u8, 7, 7, 7, 7, 7, 7]);
        LogId {
            node: key.node(),
            epoch,
            lane: Lane::Passage,
            crossing,
        }
    };

    let mut places: Vec<(usize, u64)> = Vec::new();
    for at in 0..LOGS {
        places.extend((0..r.random_range(1..=ENTRIES_MAX)).map(|seq| (at, seq)));
    }

    let mut made: BTreeMap<(usize, u64), Entry> = BTreeMap::new();
    let mut known: Vec<Reference> = Vec::new();
    let mut id = None;

    // The first one is made first, for all others name it; wherever it stands.
    while !places.is_empty() {
        let (at, seq) = places.swap_remove(r.random_range(0..places.len()));
        let common = Common {
            wall_ms: 5,
            officer: "OF-9".into(),
            department: "PORT".into(),
            ..Default::default()
        };

        let entry = Entry {
            common,
            body: body(r, id, &known),
        };
        let leaf = leaf_hash(&entry.encode().unwrap());
        let reference = Reference {
            log: log(at),
            seq,
            leaf,
        };

        id = id.or_else(|| Some(RecordId::of_first(&reference)));
        known.push(reference);
        made.insert((at, seq), entry);
    }

    let mut peaks: BTreeMap<usize, Peaks> = BTreeMap::new();
    for ((at, _), entry) in made {
        let from = peaks.entry(at).or_default();
        let block = VerifiedBlock::author(key, log(at), from, &[entry], 7, vec![]).unwrap();
        into.entry(log(at)).or_default().push(Block {
            from: from.size(),
            entries: block.entries().iter().map(|e| e.bytes().to_vec()).collect(),
            checkpoint: block.checkpoint().clone(),
        });

        *from = block.peaks().clone();
    }

    id.unwrap()
}

/// A record as a node holds it: document, state, projection, and what waits.
async fn held(node: &Node, id: &RecordId) -> (String, Hash, String, Vec<Reference>) {
    let row = node.store.record(id).await.unwrap().unwrap();
    let waiting = node.store.waiting(100_000).await.unwrap();
    let mut waits: Vec<Reference> = waiting
        .into_iter()
        .filter(|w| w.record == *id)
        .map(|w| w.entry)
        .collect();

    waits.sort();
    (row.state, row.digest, row.json, waits)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_hear_hostile_entries_in_different_orders_hold_the_same() {
    let seed = std::env::var("WADI_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random::<u64>);

    println!("WADI_SEED={seed}");
    let mut r = StdRng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let (_country, sites) = found_country(dir.path()).await;
    let key = LogKey::from_seed(&[TRB_SEED; 32]);
    let mut logs = BTreeMap::new();
    let ids: Vec<RecordId> = (0..RECORDS)
        .map(|n| record(&mut r, &key, n, &mut logs))
        .collect();

    let [one, other] = [&sites[1], &sites[2]];
    for node in [one, other] {
        deliver(node, &logs, &mut StdRng::seed_from_u64(r.random()), false).await;
    }

    let mut refused = 0;
    for (n, id) in ids.iter().enumerate() {
        let held_here = held(one, id).await;
        assert_eq!(
            held_here,
            held(other, id).await,
            "record {n} of WADI_SEED={seed}"
        );

        refused += usize::from(held_here.2.contains("\"circle\""));
    }

    assert!(
        refused > RECORDS / 10,
        "the entries were to lean on each other in circles: {refused}"
    );
    assert_eq!(
        one.store.digests().await.unwrap(),
        other.store.digests().await.unwrap(),
        "WADI_SEED={seed}"
    );
}
