//! What a member has a node keep, counted on the node's disk: budgets bound it only as far as they
//! charge for it.

use super::{
    defences::{beset, entry, log_of},
    forge::sign_onto,
    hostile_texts::DAY_MS,
};
use integration_tests::network::trials;
use wadi_log::*;
use wadi_node::Node;

/// Entries of a block.
const BLOCK_ENTRIES: u64 = 160;

/// As little as an entry can say that begins a record: what it costs beside its bytes weighs most.
fn record(n: u64) -> Vec<u8> {
    let note = Put {
        key: "note".into(),
        value: Value::Text(format!("{n}")),
    };
    entry(Body::Change(Change {
        puts: vec![note],
        ..Change::default()
    }))
}

/// Bytes of the disk that a node has charged a member for.
fn charged(node: &Node, member: &NodeId) -> u64 {
    let members = node.costs();
    let of_member = members.iter().find(|m| m.id == member.to_string());
    let budgets = of_member.map(|m| m.budgets.as_slice()).unwrap_or_default();
    let stored = budgets.iter().find(|b| b.budget == "stored_bytes");
    stored.map_or(0, |b| b.used)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_has_a_node_keep_is_charged_by_what_it_takes_on_the_disk() {
    let (country, node, mut link) = beset("trb-2", "trb").await;
    let key = country.key("trb");
    let log = log_of(&key, Lane::Passage, "TRB");
    let before = node.store().database_bytes().await.expect("its bytes");

    let mut peaks = Peaks::default();
    let blocks = trials(20, 400);
    for n in 0..blocks {
        let numbers = n * BLOCK_ENTRIES..(n + 1) * BLOCK_ENTRIES;
        let entries = numbers.map(record).collect();
        let head = (DAY_MS / 1_000, vec![]);
        let block = sign_onto(&key, log, &mut peaks, entries, head);
        link.send_block(&block).await;
    }
    assert!(link.settle().await.is_empty());

    let after = node.store().database_bytes().await.expect("its bytes");
    let (grown, charged) = (after - before, charged(&node, &key.node()));
    let entries = blocks * BLOCK_ENTRIES;
    println!("{entries} entries: {grown} bytes on the disk, {charged} charged");
    assert!(charged >= entries * 1_024, "each has its rows");
    assert!(grown <= 2 * charged, "{grown} bytes for {charged}");
    assert!(charged <= 4 * grown, "{charged} for {grown} bytes");
    node.stop().await;
}
