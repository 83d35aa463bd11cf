//! A passkey is added, signs in and is removed, as whoever writes a client would have it.

use integration_tests::passkey::SoftPasskey;
use serde_json::{Value, json};

/// Where the console is read.
pub(super) const ORIGIN: &str = "http://localhost:7780";

/// Asks by the session: method, route, path and body.
pub(super) fn add_use_and_remove(say: &mut impl FnMut(&str, &str, &str, Option<&Value>) -> Value) {
    let mut post = |path: &str, body: Value| say("POST", path, path, Some(&body));
    let password = json!({"password": "four lorries at dusk"});
    let challenge = post("/v1/passkeys/challenge", password)["options"].clone();
    post(
        "/v1/passkeys/challenge",
        json!({"password": "five lorries"}),
    );
    let mut passkey = SoftPasskey::of(&challenge);
    let made = json!({"name": "a stick", "credential": passkey.shown(&challenge, ORIGIN)});
    let added = post("/v1/passkeys", made.clone());
    assert_eq!(added["passkeys"][0]["name"], "a stick", "{added}");
    post("/v1/passkeys", made);

    let challenge = post("/v1/sessions/challenge", json!({}))["options"].clone();
    let answer = json!({"passkey": passkey.sign(&challenge, ORIGIN)});
    let session = post("/v1/sessions", answer.clone());
    assert!(session["token"].is_string(), "{session}");
    post("/v1/sessions", answer);

    say("GET", "/v1/sessions/ways", "/v1/sessions/ways", None);
    let listed = say("GET", "/v1/passkeys", "/v1/passkeys", None);
    let id = listed["passkeys"][0]["id"].as_str().expect("an id");
    for _ in 0..2 {
        say(
            "DELETE",
            "/v1/passkeys/{id}",
            &format!("/v1/passkeys/{id}"),
            None,
        );
    }
}
