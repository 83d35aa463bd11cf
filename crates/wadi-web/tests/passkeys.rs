//! Challenges of passkeys end, by the node's clock.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::Request,
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};
use tower::ServiceExt;
use wadi_log::{Crossing, Enrolment, LogKey, Role, RootKey, Scope};
use wadi_node::{Clock, Node, NodeKeys, Start};
use wadi_store::SqliteStore;
use wadi_web::{PasskeyOrigins, router};

const NOON_MS: i64 = 1_767_268_800_000;
const MINUTE_MS: i64 = 60_000;

/// A clock that is set by hand.
struct HandClock(Arc<AtomicI64>);

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

async fn crossing(dir: &Path, clock: Arc<AtomicI64>) -> Arc<Node> {
    let root = LogKey::from_seed(&[1; 32]);
    let key = LogKey::from_seed(&[2; 32]);
    let here: Crossing = "TRB".parse().unwrap();
    let me = Enrolment {
        name: "trb".into(),
        role: Role::Crossing,
        crossing: Some(here),
        log_key: key.public(),
        tls_key: [0; 32],
        scope: Scope::of_crossing(here),
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
        clock: Arc::new(HandClock(clock)),
        scrub: Default::default(),
        suspects: Default::default(),
        budgets: Default::default(),
    };
    Node::start(start).await.unwrap()
}

async fn post(app: &Router, path: &str, body: Value) -> Value {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// An answer that nobody signed: whether its challenge holds is looked at first.
fn unsigned(challenge: &Value) -> Value {
    let client = json!({
        "type": "webauthn.get", "challenge": challenge["options"]["challenge"],
        "origin": "https://trb.example", "crossOrigin": false,
    });
    let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let id = text(&[7; 32]);
    json!({"passkey": {
        "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {},
        "response": {
            "clientDataJSON": text(client.to_string().as_bytes()),
            "authenticatorData": text(&[0; 37]),
            "signature": text(&[0; 64]),
            "userHandle": text(&[7; 64]),
        },
    }})
}

#[tokio::test]
async fn a_challenge_waits_for_minutes_and_no_longer() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(NOON_MS));
    let node = crossing(dir.path(), clock.clone()).await;
    let origins = PasskeyOrigins::parse(&["https://trb.example".to_string()]).unwrap();
    let app = router(node.clone(), origins);

    let mut told = Vec::new();
    for minutes in [4, 5] {
        let challenge = post(&app, "/v1/sessions/challenge", json!({})).await;
        let given_ms = clock.load(Ordering::Relaxed);
        assert_eq!(challenge["expires_ms"], given_ms + 5 * MINUTE_MS);
        clock.fetch_add(minutes * MINUTE_MS, Ordering::Relaxed);
        told.push(post(&app, "/v1/sessions", unsigned(&challenge)).await["code"].clone());
    }
    assert_eq!(told, ["passkey_failed", "passkey_challenge_over"]);
    node.stop().await;
}
