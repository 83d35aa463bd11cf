//! What single defences are for: each has a test here that fails once it is turned off.

use super::{
    assaults::raw_frame,
    forge::sign_onto,
    hostile_texts::DAY_MS,
    links::HostileLink,
    world::{country, start},
};
use integration_tests::network::{Country, fails_without, until};
use std::{sync::Arc, time::Duration};
use wadi_log::*;
use wadi_node::{Arriving, Node};
use wadi_sync::{Message, encode_plain};

/// A defence, the test that fails without it, and what becomes of a node then.
const DEFENCES: &[(&str, &str, &str)] = &[
    (
        "block-signature",
        "a_head_that_its_author_did_not_sign_is_refused",
        "anybody writes in anybody's log",
    ),
    (
        "block-entries-max",
        "a_block_of_more_entries_than_one_may_have_ends_its_link",
        "eight kilobytes fill a gigabyte of disk",
    ),
    (
        "inflated-bytes-max",
        "a_frame_that_inflates_past_its_bound_ends_its_link",
        "a kilobyte on the wire takes all memory",
    ),
    (
        "entry-bytes-max",
        "an_entry_past_its_bound_is_refused",
        "an entry may be of any size",
    ),
    (
        "control-right",
        "a_site_that_says_what_is_the_hubs_is_refused_by_name",
        "what a site may not say is not told to anybody",
    ),
    (
        "grant",
        "a_log_outside_the_grant_is_refused",
        "a site is filled with what is not meant for it",
    ),
    (
        "enrolled-peer",
        "who_shows_no_enrolment_of_this_commission_is_let_go",
        "strangers are heard",
    ),
    (
        "peer-certificate",
        "who_comes_with_another_certificate_is_let_go",
        "a certificate of one member speaks for another",
    ),
    (
        "one-row-a-refusal",
        "refusals_of_one_kind_are_one_row",
        "each refused entry costs a row for ever",
    ),
    (
        "no-circles",
        "an_entry_that_leans_on_its_own_future_is_refused_for_it",
        "two nodes may order a record differently",
    ),
    (
        "questions-max",
        "a_peer_that_asks_without_end_is_let_go",
        "questions of one peer wait without bound",
    ),
    (
        "hub-time-bound",
        "a_hub_that_says_a_year_to_come_is_not_believed",
        "a dead clock battery locks the country out",
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
                let test = format!("defences::{test}");
                assert!(fails_without(defence, &test), "without {defence}, {why}");
            });
        }
    });
}

/// A node, and a link of a captured member's to it.
pub(crate) async fn beset(node: &str, by: &str) -> (Country, Arc<Node>, HostileLink) {
    let country = country();
    let node = start(&country, node).await;
    let link = HostileLink::open(&country, &node, by).await;
    (country, node, link)
}

pub(crate) fn log_of(key: &LogKey, lane: Lane, crossing: &str) -> LogId {
    LogId {
        node: key.node(),
        epoch: Epoch([5; 8]),
        lane,
        crossing: crossing.parse().expect("a code"),
    }
}

/// A block at the beginning of a log of that member's.
pub(crate) fn block(
    country: &Country,
    (by, code): (&str, &str),
    lane: Lane,
    entries: Vec<Vec<u8>>,
) -> Block {
    let key = country.key(by);
    let log = log_of(&key, lane, code);
    let head = (DAY_MS / 1_000, vec![]);
    sign_onto(&key, log, &mut Peaks::default(), entries, head)
}

pub(crate) fn crumbs(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|n| vec![n as u8]).collect()
}

pub(crate) fn entry(body: Body) -> Vec<u8> {
    let common = Common {
        wall_ms: DAY_MS,
        officer: "OF-9".into(),
        department: "PORT".into(),
        ..Default::default()
    };
    Entry { common, body }.encode().expect("an entry")
}

/// Waits until a refusal of that code is shown.
pub(crate) async fn shows(node: &Node, code: &str) {
    for _ in 0..600 {
        let all = node.store().refusals(1_000).await.expect("refusals");
        if all.iter().any(|refusal| refusal.code == code) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }

    panic!("{code} is not shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_its_author_did_not_sign_is_refused() {
    let (country, node, mut link) = beset("hub", "man").await;
    let mut forged = block(&country, ("trb", "TRB"), Lane::Passage, crumbs(3));
    forged.checkpoint.signature[7] ^= 1;
    link.send_block(&forged).await;
    assert_eq!(link.answer().await, Some(Some("bad_signature".into())));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_of_more_entries_than_one_may_have_ends_its_link() {
    let (country, node, mut link) = beset("hub", "man").await;
    let most = block(
        &country,
        ("man", "MAN"),
        Lane::Site,
        crumbs(BLOCK_ENTRIES_MAX),
    );
    let whole = raw_frame(&encode_plain(&most));
    link.throw(Arriving::Frame(Lane::Site, whole)).await;
    assert_eq!(link.answer().await, Some(None), "as many as there may be");

    let more = block(
        &country,
        ("man", "MAN"),
        Lane::Passage,
        crumbs(BLOCK_ENTRIES_MAX + 1),
    );
    let frame = raw_frame(&encode_plain(&more));
    link.throw(Arriving::Frame(Lane::Passage, frame)).await;
    assert_eq!(link.answer().await, None, "and one more");
    shows(&node, "bad_block").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_inflates_past_its_bound_ends_its_link() {
    let (country, node, mut link) = beset("hub", "man").await;
    let large = vec![vec![7; 30 * 1024]; 5];
    let large = block(&country, ("man", "MAN"), Lane::Passage, large);
    let frame = raw_frame(&encode_plain(&large));
    link.throw(Arriving::Frame(Lane::Passage, frame)).await;
    assert_eq!(link.answer().await, None);
    shows(&node, "bad_block").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_past_its_bound_is_refused() {
    let (country, node, mut link) = beset("hub", "man").await;
    let large = vec![vec![7; ENTRY_BYTES_MAX + 1]];
    let large = block(&country, ("man", "MAN"), Lane::Passage, large);
    link.send_block(&large).await;
    let answer = link.answer().await.expect("the link stays");
    assert!(answer.is_some(), "it was taken");
    assert_eq!(node.store().counts().await.expect("counts").entries, 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_says_what_is_the_hubs_is_refused_by_name() {
    let (country, node, mut link) = beset("hub", "man").await;
    let policy = entry(Body::Policy(PolicyEntry {
        revision: 9,
        text: "{}".into(),
    }));
    link.send_block(&block(
        &country,
        ("man", "MAN"),
        Lane::Control,
        vec![policy],
    ))
    .await;
    assert_eq!(
        link.answer().await,
        Some(None),
        "it stands in its author's log"
    );
    shows(&node, "no_right").await;
    assert!(node.with_control(|c| c.policy(|_| u64::MAX).is_none()));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_outside_the_grant_is_refused() {
    let (country, node, mut link) = beset("trb-2", "man").await;
    link.send_block(&block(&country, ("man", "MAN"), Lane::Passage, crumbs(2)))
        .await;
    assert_eq!(link.answer().await, Some(Some("outside_grant".into())));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_no_enrolment_of_this_commission_is_let_go() {
    let country = country();
    let node = start(&country, "hub").await;
    let key = LogKey::from_seed(&[99; 32]);
    let ghost = Enrolment {
        log_key: key.public(),
        ..country.member("man").clone()
    };
    let ghost = ghost
        .issue(&LogKey::from_seed(&[98; 32]))
        .expect("plain parts");
    let link = HostileLink::with(&node, &ghost);
    link.greet(&ghost).await;
    assert!(link.ends().await);
    shows(&node, "not_enrolled").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_with_another_certificate_is_let_go() {
    let country = country();
    let node = start(&country, "hub").await;
    let other = Enrolment {
        tls_key: [1; 32],
        ..country.member("man").clone()
    };
    let link = HostileLink::with(&node, &other);
    link.greet(country.member("man")).await;
    assert!(link.ends().await);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_one_kind_are_one_row() {
    let (country, node, mut link) = beset("hub", "man").await;
    link.send_block(&block(&country, ("man", "MAN"), Lane::Passage, crumbs(400)))
        .await;
    assert_eq!(link.answer().await, Some(None));
    let rows = node.store().refusals(1_000).await.expect("refusals");
    let times: u64 = rows.iter().map(|row| row.times).sum();
    assert!(times >= 400 && rows.len() <= 4, "{} rows", rows.len());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_leans_on_its_own_future_is_refused_for_it() {
    let (country, node, mut link) = beset("hub", "man").await;
    let log = log_of(&country.key("man"), Lane::Passage, "MAN");
    let put = |value: &str| Put {
        key: "note".into(),
        value: Value::Text(value.into()),
    };
    let said = |record: Option<RecordId>, based_on: Vec<Reference>, value: &str| {
        entry(Body::Change(Change {
            record,
            based_on,
            puts: vec![put(value)],
            events: vec![],
        }))
    };
    let at = |seq: u64, bytes: &[u8]| Reference {
        log,
        seq,
        leaf: leaf_hash(bytes),
    };

    let first = said(None, vec![], "first");
    let id = RecordId::of_first(&at(0, &first));
    let last = said(Some(id), vec![at(0, &first)], "last");
    let leaning = said(Some(id), vec![at(2, &last)], "leaning");
    let entries = vec![first, leaning, last];
    link.send_block(&block(&country, ("man", "MAN"), Lane::Passage, entries))
        .await;
    assert_eq!(link.answer().await, Some(None));

    let shown = node
        .reads()
        .record(&id)
        .await
        .expect("a record")
        .to_string();
    assert!(shown.contains("its own log says only later"), "{shown}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_asks_without_end_is_let_go() {
    let (country, node, mut link) = beset("hub", "man").await;
    let held = block(&country, ("man", "MAN"), Lane::Passage, crumbs(500));
    let log = held.checkpoint.checkpoint.log;
    link.send_block(&held).await;
    assert_eq!(link.answer().await, Some(None));

    for at in 0..500 {
        let asked = Message::WantBranch { log, at };
        link.throw(Arriving::Message(asked)).await;
    }
    assert!(link.ends().await);
    shows(&node, "too_many_questions").await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_says_a_year_to_come_is_not_believed() {
    const FAR_S: i64 = 4_000_000_000;
    let country = country();
    let node = start(&country, "trb-2").await;
    let mut link = HostileLink::with(&node, country.member("hub"));
    link.greet_at(country.member("hub"), FAR_S).await;
    // What was said before it is done once the block is answered.
    link.send_block(&block(&country, ("hub", "HUB"), Lane::Control, crumbs(1)))
        .await;
    assert_eq!(link.answer().await, Some(None));
    until("the hub was heard", async || {
        !node.status().await.expect("a status").alarms.is_empty() || node.time().hub_time_s() > 0
    })
    .await;
    let hub_time_s = node.time().hub_time_s();
    assert!(hub_time_s < FAR_S / 2, "{hub_time_s}");
    node.stop().await;
}
