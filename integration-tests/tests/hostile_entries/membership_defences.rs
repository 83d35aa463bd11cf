//! What the defences are for on which membership, cuts and proofs rest: each has a test here that
//! fails once it is turned off.

use super::{
    defences::{beset, block, crumbs, entry, log_of, shows},
    hostile_texts::DAY_MS,
    links::HostileLink,
    silent_peer::SilentPeer,
    world::{country, start},
};
use integration_tests::network::{Country, fails_without, until};
use std::sync::Arc;
use wadi_log::*;
use wadi_node::{Arriving, Node};
use wadi_sync::{Message, encode_plain};

/// A defence, the test that fails without it, and what becomes of a node then.
const DEFENCES: &[(&str, &str, &str)] = &[
    (
        "canonical-entry",
        "an_entry_in_another_encoding_is_refused",
        "one thing is said in two ways, with two hashes",
    ),
    (
        "block-root",
        "entries_that_their_head_does_not_sign_are_refused",
        "whoever carries a block writes into it",
    ),
    (
        "enrolment-root",
        "an_enrolment_that_the_root_did_not_sign_is_not_learned",
        "members enrol whom they like",
    ),
    (
        "cosignature",
        "a_cosignature_that_its_witness_did_not_make_is_refused",
        "members date and witness in the hub's name",
    ),
    (
        "fork-signature",
        "a_fork_that_the_author_did_not_sign_is_none",
        "members have honest logs cut",
    ),
    (
        "cut-link",
        "whoever_is_cut_is_let_go_while_connected",
        "a captured node is heard until it hangs up",
    ),
    (
        "past-cut",
        "what_lies_past_a_cut_does_not_count",
        "a cut changes nothing",
    ),
    (
        "cut-first",
        "what_a_cut_node_wrote_goes_to_nobody_before_its_cut",
        "neighbours believe a captured node until they hear of the cut",
    ),
    (
        "cut-witness",
        "a_hub_that_is_cut_witnesses_nothing",
        "a captured hub dates what it likes for ever",
    ),
    (
        "late-scope",
        "who_is_late_is_given_nothing_of_others",
        "an expired certificate reads on",
    ),
    (
        "carry-foreign",
        "what_is_not_its_owners_is_not_taken_to_carry",
        "one neighbour fills the room of all others",
    ),
];

#[test]
fn each_of_these_tests_fails_without_its_defence() {
    if !wadi_store::defence::SWITCHABLE {
        return;
    }

    // Some of them wait for what does not come any more.
    std::thread::scope(|scope| {
        for (defence, test, why) in DEFENCES {
            scope.spawn(move || {
                let test = format!("membership_defences::{test}");
                assert!(fails_without(defence, &test), "without {defence}, {why}");
            });
        }
    });
}

fn passage() -> Vec<u8> {
    let put = |key: &str, value: &str| Put {
        key: key.into(),
        value: Value::Text(value.into()),
    };
    entry(Body::Change(Change {
        puts: vec![put("direction", "in"), put("note", "a truck")],
        ..Change::default()
    }))
}

/// The hub cuts a member as a whole, and nothing of it counts.
async fn cut(hub: &Node, country: &Country, member: &str) {
    let target = CutTarget::Node(country.member(member).node());
    let cut = Cut::of(target, vec![], "overrun".into());
    let said = hub.write_control(vec![Body::Cut(cut)], "AU-1").await;
    said.expect("it is cut");
}

fn hub_time_s() -> u64 {
    u64::try_from(DAY_MS / 1_000).expect("after 1970")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_in_another_encoding_is_refused() {
    let (country, node, mut link) = beset("hub", "man").await;
    let mut other = passage();
    // A field that nobody knows behind all others: it says the same, and hashes otherwise.
    other.extend([0xf8, 0x06, 0x01]);
    let said = block(&country, ("man", "MAN"), Lane::Passage, vec![other]);
    link.send_block(&said).await;
    assert_eq!(
        link.answer().await,
        Some(None),
        "it stands in its author's log"
    );
    shows(&node, "not_canonical").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_their_head_does_not_sign_are_refused() {
    let (country, node, mut link) = beset("hub", "man").await;
    let mut forged = block(&country, ("man", "MAN"), Lane::Passage, crumbs(3));
    forged.entries[1] = vec![99];
    link.send_block(&forged).await;
    assert_eq!(link.answer().await, Some(Some("hash_mismatch".into())));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_that_the_root_did_not_sign_is_not_learned() {
    let (country, node, link) = beset("hub", "man").await;
    let ghost = Enrolment {
        name: "ghost".into(),
        log_key: LogKey::from_seed(&[99; 32]).public(),
        ..country.member("man").clone()
    };
    let ghost = ghost
        .issue(&LogKey::from_seed(&[98; 32]))
        .expect("plain parts");
    let id = ghost.node();
    link.throw(Arriving::Message(Message::Members(vec![ghost])))
        .await;
    shows(&node, "bad_signature").await;
    assert!(node.with_control(|c| c.enrolment(&id).is_none()));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cosignature_that_its_witness_did_not_make_is_refused() {
    let (country, node, mut link) = beset("trb-2", "trb").await;
    let said = block(&country, ("trb", "TRB"), Lane::Passage, crumbs(2));
    link.send_block(&said).await;
    assert_eq!(link.answer().await, Some(None));

    let head = said.checkpoint;
    let log = head.checkpoint.log;
    let mut forged = country.key("hub").cosign(&head.checkpoint, hub_time_s());
    forged.time_s += 3_600;
    link.throw(Arriving::Message(Message::Cosigned {
        checkpoint: Box::new(head),
        cosignature: forged,
    }))
    .await;
    shows(&node, "bad_signature").await;
    assert!(node.with_control(|c| c.cosigned(&log).is_none()));
    node.stop().await;
}

/// A branch of one entry, signed by its author.
fn branch(key: &LogKey, log: LogId, entry: &[u8]) -> Branch {
    let mut peaks = Peaks::default();
    peaks.append(leaf_hash(entry));
    let head = Checkpoint {
        log,
        size: 1,
        root: peaks.root(),
        hub_time_s: 0,
        logs: vec![],
    };

    Branch {
        checkpoint: key.sign(head),
        leaf: leaf_hash(entry),
        path: vec![],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_the_author_did_not_sign_is_none() {
    let (country, node, captured) = beset("hub", "man").await;
    let trb = country.key("trb");
    let honest = block(&country, ("trb", "TRB"), Lane::Passage, crumbs(1));
    let log = honest.checkpoint.checkpoint.log;
    let mut link = HostileLink::open(&country, &node, "trb").await;
    link.send_block(&honest).await;
    assert_eq!(link.answer().await, Some(None));

    let ours = branch(&trb, log, &honest.entries[0]);
    let mut forged = branch(&trb, log, b"another");
    forged.checkpoint.signature[7] ^= 1;
    let proof = ForkProof::new(0, ours, forged);
    captured
        .throw(Arriving::Message(Message::ForkProofs(vec![proof])))
        .await;
    shows(&node, "bad_signature").await;
    assert!(node.with_control(|c| c.forks().is_empty()));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_cut_is_let_go_while_connected() {
    let (country, node, mut link) = beset("hub", "man").await;
    let said = block(&country, ("man", "MAN"), Lane::Passage, crumbs(1));
    link.send_block(&said).await;
    assert_eq!(link.answer().await, Some(None));

    cut(&node, &country, "man").await;
    assert!(link.ends().await);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_past_a_cut_does_not_count() {
    let (country, node, mut link) = beset("hub", "man").await;
    let said = block(&country, ("man", "MAN"), Lane::Passage, vec![passage()]);
    let id = RecordId::of_first(&Reference {
        log: said.checkpoint.checkpoint.log,
        seq: 0,
        leaf: leaf_hash(&said.entries[0]),
    });
    link.send_block(&said).await;
    assert_eq!(link.answer().await, Some(None));

    cut(&node, &country, "man").await;
    until("it is set aside", async || {
        let record = node.reads().record(&id).await.unwrap_or_default();
        record["refused"].to_string().contains("past_cut")
    })
    .await;
    node.stop().await;
}

/// A hub that holds of Traibeel's holds, and has cut it.
async fn hub_that_cut_trb() -> (Country, Arc<Node>, LogId) {
    let (country, node, mut captured) = beset("hub", "trb").await;
    let held = block(&country, ("trb", "TRB"), Lane::Hold, crumbs(3));
    captured.send_block(&held).await;
    assert_eq!(captured.answer().await, Some(None));

    cut(&node, &country, "trb").await;
    (country, node, held.checkpoint.checkpoint.log)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_node_wrote_goes_to_nobody_before_its_cut() {
    let (country, node, held) = hub_that_cut_trb().await;
    let mut man = SilentPeer::open(&country, &node, "man").await;
    let own = block(&country, ("man", "MAN"), Lane::Passage, crumbs(1));
    let first = man.blocks_before_answer(&own).await;
    assert!(!first.is_empty(), "the cut is on its way");
    let of_trb = first.iter().find(|came| came.log == held);
    assert_eq!(of_trb, None, "{first:?}");

    // It comes once the peer holds the cut.
    for came in first {
        man.acknowledge(came).await;
    }
    loop {
        let came = man.next_block().await;
        man.acknowledge(came).await;
        if came.log == held {
            break;
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_cut_witnesses_nothing() {
    let (country, node, mut link) = beset("trb-2", "trb").await;
    let said = block(&country, ("trb", "TRB"), Lane::Passage, crumbs(2));
    link.send_block(&said).await;
    assert_eq!(link.answer().await, Some(None));

    let head = said.checkpoint;
    let log = head.checkpoint.log;
    let cosignature = country.key("hub").cosign(&head.checkpoint, hub_time_s());
    link.throw(Arriving::Message(Message::Cosigned {
        checkpoint: Box::new(head),
        cosignature,
    }))
    .await;
    until("the hub's word is heard", async || {
        node.with_control(|c| c.cosigned(&log).is_some())
    })
    .await;

    // Any member carries what the root signed.
    let hub = CutTarget::Node(country.member("hub").node());
    let signed = country.sign_cut(Cut::of(hub, vec![], "it is captured".into()));
    let carried = vec![entry(Body::Cut(signed))];
    link.send_block(&block(&country, ("trb", "TRB"), Lane::Control, carried))
        .await;
    assert_eq!(link.answer().await, Some(None));
    until("its word is worth nothing", async || {
        node.with_control(|c| c.cosigned(&log).is_none())
    })
    .await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_late_is_given_nothing_of_others() {
    let (country, node, _) = hub_that_cut_trb().await;
    let mut man = SilentPeer::late(&country, &node, "man").await;
    let own = block(&country, ("man", "MAN"), Lane::Passage, crumbs(1));
    assert_eq!(man.blocks_before_answer(&own).await, []);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_its_owners_is_not_taken_to_carry() {
    let country = country();
    let node = start(&country, "trb-2").await;
    let link = HostileLink::open(&country, &node, "man").await;
    let foreign = block(&country, ("qam", "QAM"), Lane::Passage, crumbs(2));
    let log = log_of(&country.key("qam"), Lane::Passage, "QAM");
    link.throw(Arriving::Message(Message::Carry {
        log,
        block: encode_plain(&foreign),
    }))
    .await;
    shows(&node, "carry_foreign").await;
    node.stop().await;
}
