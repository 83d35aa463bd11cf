//! Lists over HTTP: how long the first page is, that the cursors lead on to the end, and which
//! members are shown.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path, sync::Arc};
use tower::ServiceExt;
use wadi_log::{Crossing, Enrolment, LogKey, Role, RootKey, Scope};
use wadi_node::{Clock, KeptToken, Members, Node, NodeKeys, Start, Target, Write};
use wadi_record::{Draft, Kind};
use wadi_store::SqliteStore;
use wadi_web::{Token, TokenScope, hash_token, router};

const RECORDS: usize = 2_000;
const REFUSALS: usize = 600;
/// Bytes that the first page of a list may have.
const PAGE_BYTES: usize = 50_000;

struct Noon;

impl Clock for Noon {
    fn now_ms(&self) -> i64 {
        1_767_268_800_000
    }
}

async fn site(dir: &Path) -> Arc<Node> {
    let root = LogKey::from_seed(&[1; 32]);
    let key = LogKey::from_seed(&[2; 32]);
    let crossing: Crossing = "TRB".parse().unwrap();
    let me = Enrolment {
        name: "trb".into(),
        role: Role::Crossing,
        crossing: Some(crossing),
        log_key: key.public(),
        tls_key: [0; 32],
        scope: Scope::of_crossing(crossing),
        serial: 1,
        issued_s: 0,
        root_signature: [0; 64],
    };

    let me = me.issue(&root).unwrap();
    let store = SqliteStore::open(dir, me.node()).await.unwrap();
    let start = Start {
        keys: NodeKeys {
            log_key: key,
            root: RootKey(root.public()),
        },
        known: vec![me.clone()],
        me,
        store,
        clock: Arc::new(Noon),
        scrub: Default::default(),
        suspects: Default::default(),
        budgets: Default::default(),
    };
    Node::start(start).await.unwrap()
}

fn passage(n: usize) -> Write {
    let plate = format!("11-A-{n:05}");
    let draft = Draft::new(Kind::Passage)
        .text("direction", "in")
        .text("vehicle.plate", plate.replace('-', ""))
        .text("vehicle.plate_raw", plate)
        .text("vehicle.plate_country", "IQ")
        .text("note", "بضائع متنوعة، أوراق كاملة");
    Write::by("OF-1", "PORT", Target::New(None), draft)
}

struct Reader {
    app: Router,
}

impl Reader {
    async fn of(node: &Arc<Node>) -> Self {
        let token = Token::new("reader", TokenScope::Reader);
        let kept = KeptToken {
            hash: hash_token("secret"),
            scope: serde_json::to_string(&token).unwrap(),
        };

        node.tokens().keep(kept).await.unwrap();
        Self {
            app: router(node.clone(), None),
        }
    }

    /// The status of an answer, its bytes, and what it says.
    async fn get(&self, path: &str) -> (u16, usize, Value) {
        let request = Request::get(path)
            .header("Authorization", "Bearer secret")
            .body(Body::empty())
            .unwrap();
        let answer = self.app.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, bytes.len(), serde_json::from_slice(&bytes).unwrap())
    }

    /// The records of every page from here to the end: `next` of a page is `cursor` of the next.
    async fn all(&self, path: &str, first: &str, next: &str, cursor: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut at = format!("{path}{first}");
        loop {
            let (status, bytes, page) = self.get(&at).await;
            assert_eq!(status, 200, "{page}");
            assert!(bytes <= PAGE_BYTES, "{at}: {bytes} bytes");

            let records = page["records"].as_array().unwrap();
            found.extend(records.iter().map(|r| r["record"].to_string()));
            if page[next].is_null() {
                return found;
            }

            let last = page[next].to_string();
            at = format!("{path}&{cursor}={}", last.trim_matches('"'));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_two_thousand_records_are_short_and_lead_through_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let node = site(dir.path()).await;
    let writes = (0..RECORDS).map(passage).collect();
    for written in node.write_all(writes).await {
        written.unwrap();
    }

    let reader = Reader::of(&node).await;
    let (status, bytes, first) = reader.get("/v1/records").await;
    let shown = first["records"].as_array().unwrap();
    assert_eq!(status, 200);
    assert!(bytes <= PAGE_BYTES, "{bytes} bytes");
    assert!(bytes > PAGE_BYTES / 2, "{bytes} bytes");
    assert!(!first["next_before"].is_null());
    println!("the first page: {} records, {bytes} bytes", shown.len());

    // Every member that a record has can be asked for.
    let known = BTreeSet::from(Members::NAMES);
    for name in shown[0].as_object().unwrap().keys() {
        assert!(known.contains(name.as_str()), "{name}");
    }

    let by_change = reader
        .all("/v1/records?kind=passage", "", "next_before", "before")
        .await;
    let first = format!("&after={}", "0".repeat(64));
    let by_id = reader
        .all(
            "/v1/records?fields=record,state",
            &first,
            "next_after",
            "after",
        )
        .await;
    for found in [by_change, by_id] {
        let distinct: BTreeSet<&String> = found.iter().collect();
        assert_eq!((found.len(), distinct.len()), (RECORDS, RECORDS));
    }

    let (_, bytes, few) = reader.get("/v1/records?fields=id,STATE,safety").await;
    let members = few["records"][0].as_object().unwrap();
    let names: BTreeSet<&str> = members.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["id", "safety", "state"]));
    assert_eq!(few["records"][0]["safety"], "local_only");
    assert_eq!(few["records"].as_array().unwrap().len(), 100);
    println!("a hundred of three members: {bytes} bytes");

    let (_, _, more) = reader.get("/v1/records?limit=500").await;
    assert_eq!(more["records"].as_array().unwrap().len(), 500);

    let (status, _, unknown) = reader.get("/v1/records?fields=id,stat").await;
    assert_eq!((status, &unknown["code"]), (422, &"unknown_value".into()));
    assert!(unknown["detail"].to_string().contains("state"));

    let (status, _, gone) = reader.get("/v1/findings/none").await;
    assert_eq!((status, &gone["code"]), (404, &"no_such_finding".into()));
    assert!(gone.get("remedy").is_none());

    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_by_the_nodes_clock_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let node = site(dir.path()).await;
    let reader = Reader::of(&node).await;

    for (expires_ms, status) in [
        (Some(Noon.now_ms() + 1), 200),
        (None, 200),
        (Some(Noon.now_ms()), 401),
        (Some(Noon.now_ms() - 1), 401),
    ] {
        let mut token = Token::new("reader", TokenScope::Reader);
        token.expires_ms = expires_ms;
        let kept = KeptToken {
            hash: hash_token("secret"),
            scope: serde_json::to_string(&token).unwrap(),
        };
        node.tokens().keep(kept).await.unwrap();

        let (found, _, answer) = reader.get("/v1/records").await;
        assert_eq!(found, status, "{answer}");
        if status == 401 {
            assert_eq!(answer["code"], "token_expired");
        }
    }

    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_six_hundred_refusals_lead_through_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let node = site(dir.path()).await;
    for n in 0..REFUSALS {
        let why = "it leans on what is not there".to_string();
        node.note_refusal(format!("node {n}"), "gap".into(), why, "trb".into())
            .await;
    }

    // They are written with the reader's token, at the latest.
    let reader = Reader::of(&node).await;
    for path in [
        "/v1/refusals?open=false",
        "/v1/refusals?open=true",
        "/v1/refusals?limit=7",
        "/v1/refusals?open=true&limit=500",
    ] {
        let (mut at, mut subjects) = (path.to_string(), Vec::new());
        loop {
            let (status, _, page) = reader.get(&at).await;
            assert_eq!(status, 200, "{page}");
            let lines = page["refusals"].as_array().unwrap();
            subjects.extend(lines.iter().map(|line| line["subject"].to_string()));
            let Some(next) = page["next_after"].as_str() else {
                break;
            };
            at = format!("{path}&after={next}");
        }

        let distinct: BTreeSet<&String> = subjects.iter().collect();
        let found = (subjects.len(), distinct.len());
        assert_eq!(found, (REFUSALS, REFUSALS), "{path}");
    }

    let (status, _, odd) = reader.get("/v1/refusals?after=yesterday").await;
    assert_eq!((status, &odd["code"]), (422, &"bad_cursor".into()));
}
