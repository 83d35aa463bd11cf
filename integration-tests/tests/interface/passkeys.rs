//! Passkeys over the API: what lets somebody in, and everything that does not.

use integration_tests::{Site, World, passkey::SoftPasskey, run};
use serde_json::{Value, json};

/// A password of a person who is not easily guessed.
const PASSWORD: &str = "four lorries at dusk";
/// Where the console is read in these stories.
const ORIGIN: &str = "http://localhost:7780";

/// A hub whose console offers passkeys.
fn hub() -> World {
    let mut world = World::default();
    world.prepare("hub", &[], &format!("http_passkeys = [{ORIGIN:?}]"));
    world.boot("hub");
    world
}

/// Invites an operator, who takes that up; the site as their session asks it.
fn person(site: &Site, name: &str) -> Site {
    let invited = json!({"scope": {"is": "operator"}, "person": name});
    let invited = site.post("/v1/accounts/invitations", &invited).unwrap();
    let chosen = json!({"code": invited["code"], "password": PASSWORD});
    let session = site.post("/v1/invitations/accept", &chosen).unwrap();
    site.as_bearer(session["token"].as_str().expect("a token"))
}

/// What a browser is given to add a passkey.
fn options_to_add(own: &Site) -> Value {
    let password = json!({"password": PASSWORD});
    own.post("/v1/passkeys/challenge", &password).unwrap()["options"].clone()
}

/// Adds a passkey to a person's account.
fn add(own: &Site, name: &str) -> SoftPasskey {
    let options = options_to_add(own);
    let passkey = SoftPasskey::of(&options);
    let body = json!({"name": name, "credential": passkey.shown(&options, ORIGIN)});
    own.post("/v1/passkeys", &body).unwrap();
    passkey
}

/// What a browser is given to sign in.
fn options_to_sign_in(site: &Site) -> Value {
    site.post("/v1/sessions/challenge", &json!({})).unwrap()["options"].clone()
}

fn sign_in(site: &Site, answer: &Value) -> Result<Value, Value> {
    site.post("/v1/sessions", &json!({"passkey": answer}))
}

/// The same with a passkey, on a page of the console.
fn sign_in_with(site: &Site, passkey: &mut SoftPasskey) -> Result<Value, Value> {
    let options = options_to_sign_in(site);
    sign_in(site, &passkey.sign(&options, ORIGIN))
}

fn code(refused: Result<Value, Value>) -> String {
    let problem = refused.expect_err("it should have been refused");
    problem["code"].as_str().unwrap_or_default().into()
}

/// Lines of the audit, the newest first.
fn audit(site: &Site, what: &str) -> Vec<Value> {
    let said = site.get("/v1/sign-ins").unwrap();
    let lines = said["sign_ins"].as_array().expect("lines").clone();
    lines.into_iter().filter(|l| l["what"] == what).collect()
}

#[test]
fn a_passkey_signs_in_once_for_each_challenge_and_the_audit_says_so() {
    let world = hub();
    let site = world.site("hub");
    let ways = site.get("/v1/sessions/ways").unwrap();
    assert_eq!(ways["passkey_host"], "localhost");

    // A session alone adds nothing that outlives it.
    let own = person(site, "Amira");
    let wrong = json!({"password": "five lorries at dusk"});
    let refused = own.post("/v1/passkeys/challenge", &wrong);
    assert_eq!(code(refused), "wrong_password");
    let by_token = site.post("/v1/passkeys/challenge", &json!({"password": PASSWORD}));
    assert_eq!(code(by_token), "no_account");

    let mut passkey = add(&own, "office stick");
    let options = options_to_sign_in(site);
    let answer = passkey.sign(&options, ORIGIN);
    let session = sign_in(site, &answer).unwrap();
    assert_eq!(session["account"], "Amira");
    assert_eq!(code(sign_in(site, &answer)), "passkey_challenge_over");

    // The session is one like any other, and the passkey was used.
    let second = site.as_bearer(session["token"].as_str().expect("a token"));
    let sessions = second.get("/v1/sessions").unwrap();
    assert_eq!(sessions["sessions"].as_array().expect("sessions").len(), 2);
    let listed = second.get("/v1/passkeys").unwrap();
    assert_eq!(listed["passkeys"][0]["name"], "office stick");
    assert!(listed["passkeys"][0]["used_ms"].is_i64(), "{listed}");
    let accounts = site.get("/v1/accounts").unwrap();
    assert_eq!(accounts["accounts"][0]["passkeys"], 1, "{accounts}");

    let signed_in = audit(site, "signed_in");
    let told = |line: &Value| (line["means"].clone(), line["passkey"].clone());
    assert_eq!(
        told(&signed_in[0]),
        (json!("passkey"), json!("office stick"))
    );
    assert_eq!(signed_in[1]["means"], "invitation");
    assert_eq!(audit(site, "passkey_added")[0]["passkey"], "office stick");
    let failed = audit(site, "failed");
    assert_eq!(failed[0]["means"], "passkey", "the answer that came twice");

    // Nothing of it is in any entry.
    let id = listed["passkeys"][0]["id"].as_str().expect("an id");
    let removed = own.delete(&format!("/v1/passkeys/{id}")).unwrap();
    assert_eq!(removed["passkeys"], json!([]));
    assert_eq!(code(second.get("/v1/sessions")), "unauthorised");
    assert_eq!(code(sign_in_with(site, &mut passkey)), "passkey_failed");
    let again = own.delete(&format!("/v1/passkeys/{id}"));
    assert_eq!(code(again), "no_such_passkey");
}

#[test]
fn what_was_signed_elsewhere_or_by_somebody_else_or_by_nobody_verified_lets_nobody_in() {
    let world = hub();
    let site = world.site("hub");
    let (amira, basim) = (person(site, "Amira"), person(site, "Basim"));
    let mut passkey = add(&amira, "office stick");
    let mut other = add(&basim, "home stick");
    let refused = |answer: &Value| code(sign_in(site, answer));
    let unlock = || site.post("/v1/accounts/Amira/unlock", &json!({})).unwrap();

    // A page that looks like the console, and one of another port.
    for origin in ["https://console.evil.example", "http://localhost:7781"] {
        let answer = passkey.sign(&options_to_sign_in(site), origin);
        assert_eq!(refused(&answer), "passkey_failed", "{origin}");
    }
    passkey.host = "evil.example".into();
    let answer = passkey.sign(&options_to_sign_in(site), ORIGIN);
    assert_eq!(refused(&answer), "passkey_failed", "bound to another host");
    passkey.host = "localhost".into();

    passkey.verifies = false;
    let answer = passkey.sign(&options_to_sign_in(site), ORIGIN);
    let told = sign_in(site, &answer).unwrap_err();
    assert_eq!(told["code"], "passkey_failed");
    assert!(told["detail"].as_str().unwrap().contains("PIN"), "{told}");
    passkey.verifies = true;
    unlock();

    // Basim's passkey, said to be Amira's; and what Amira's signed, changed.
    let own = std::mem::replace(&mut other.handle, passkey.handle.clone());
    let answer = other.sign(&options_to_sign_in(site), ORIGIN);
    assert_eq!(refused(&answer), "passkey_failed");
    other.handle = own;
    let mut answer = passkey.sign(&options_to_sign_in(site), ORIGIN);
    let honest = answer["response"]["signature"].clone();
    let next = passkey.sign(&options_to_sign_in(site), ORIGIN);
    answer["response"]["signature"] = next["response"]["signature"].clone();
    assert_eq!(refused(&answer), "passkey_failed");
    answer["response"]["signature"] = honest;
    assert_eq!(refused(&answer), "passkey_challenge_over", "it was used up");

    // A challenge that this node never gave, and an answer that is none.
    let answer = passkey.sign(&json!({"challenge": "AAAAAAAAAAAAAAAAAAAAAA"}), ORIGIN);
    assert_eq!(refused(&answer), "passkey_challenge_over");
    assert_eq!(refused(&json!({})), "passkey_unread");
    unlock();

    sign_in_with(site, &mut passkey).unwrap();
    sign_in_with(site, &mut other).unwrap();
}

#[test]
fn a_passkey_is_added_by_the_session_that_asked_and_on_the_consoles_own_page() {
    let world = hub();
    let site = world.site("hub");
    let (amira, basim) = (person(site, "Amira"), person(site, "Basim"));
    let show = |own: &Site, options: &Value, passkey: &SoftPasskey, origin: &str| {
        let credential = passkey.shown(options, origin);
        own.post(
            "/v1/passkeys",
            &json!({"name": "a stick", "credential": credential}),
        )
    };

    // Somebody else's challenge; it is used up by that.
    let options = options_to_add(&amira);
    let passkey = SoftPasskey::of(&options);
    let refused = show(&basim, &options, &passkey, ORIGIN);
    assert_eq!(code(refused), "passkey_challenge_over");
    let refused = show(&amira, &options, &passkey, ORIGIN);
    assert_eq!(code(refused), "passkey_challenge_over");

    // Neither does another session of the same person's.
    let options = options_to_add(&amira);
    let second = json!({"account": "Amira", "password": PASSWORD});
    let second = site.post("/v1/sessions", &second).unwrap();
    let second = site.as_bearer(second["token"].as_str().expect("a token"));
    let refused = show(&second, &options, &SoftPasskey::of(&options), ORIGIN);
    assert_eq!(code(refused), "passkey_challenge_over");

    let options = options_to_add(&amira);
    let refused = show(&amira, &options, &passkey, "https://console.evil.example");
    assert_eq!(code(refused), "passkey_failed");
    let options = options_to_add(&amira);
    let mut unverified = SoftPasskey::of(&options);
    unverified.verifies = false;
    let refused = show(&amira, &options, &unverified, ORIGIN);
    assert_eq!(code(refused), "passkey_failed");

    // One is added once, to one account, and so many in all.
    let options = options_to_add(&amira);
    show(&amira, &options, &passkey, ORIGIN).unwrap();
    let options = options_to_add(&basim);
    let refused = show(&basim, &options, &passkey, ORIGIN);
    assert_eq!(code(refused), "passkey_known");
    for n in 1..10 {
        add(&amira, &format!("stick {n}"));
    }
    let more = amira.post("/v1/passkeys/challenge", &json!({"password": PASSWORD}));
    assert_eq!(code(more), "too_many_passkeys");
}

#[test]
fn a_passkey_whose_counter_goes_back_is_shut_out_and_told() {
    let world = hub();
    let site = world.site("hub");
    let own = person(site, "Amira");
    let mut passkey = add(&own, "office stick");
    passkey.counter = 4;
    let session = sign_in_with(site, &mut passkey).unwrap();
    let begun = site.as_bearer(session["token"].as_str().expect("a token"));
    begun.get("/v1/sessions").unwrap();

    // A copy of it, which knows nothing of that use.
    passkey.counter = 4;
    assert_eq!(code(sign_in_with(site, &mut passkey)), "passkey_copied");
    assert_eq!(audit(site, "passkey_copied")[0]["passkey"], "office stick");
    assert_eq!(code(begun.get("/v1/sessions")), "unauthorised");
    own.get("/v1/sessions").expect("begun with the password");

    // Neither the one nor the other signs in any more, whatever it counts.
    passkey.counter = 40;
    assert_eq!(code(sign_in_with(site, &mut passkey)), "passkey_copied");
    let listed = own.get("/v1/passkeys").unwrap();
    assert_eq!(listed["passkeys"][0]["copied"], true, "{listed}");

    // It is an alarm until its owner removes it, also after a restart, and names nobody.
    let alarm = || {
        let alarms = site.get("/v1/sites").unwrap()["alarms"].to_string();
        assert!(!alarms.contains("Amira"), "{alarms}");
        alarms.contains("passkey(s)")
    };
    assert!(alarm());
    site.stop();
    world.boot("hub");
    assert!(alarm());
    let id = listed["passkeys"][0]["id"].as_str().expect("an id");
    own.delete(&format!("/v1/passkeys/{id}")).unwrap();
    assert!(!alarm());
}

#[test]
fn passkeys_end_with_their_account_and_when_it_is_invited_anew() {
    let world = hub();
    let site = world.site("hub");
    let mut passkey = add(&person(site, "Amira"), "office stick");

    site.post("/v1/accounts/Amira/lock", &json!({})).unwrap();
    assert_eq!(code(sign_in_with(site, &mut passkey)), "account_locked");
    assert_eq!(audit(site, "refused")[0]["means"], "passkey");
    site.post("/v1/accounts/Amira/unlock", &json!({})).unwrap();
    sign_in_with(site, &mut passkey).unwrap();

    // One's own change of the password leaves them.
    let own = json!({"account": "Amira", "password": PASSWORD});
    let own = site.post("/v1/sessions", &own).unwrap();
    let own = site.as_bearer(own["token"].as_str().expect("a token"));
    let changed = "six lorries at dawn";
    own.post("/v1/password", &json!({"old": PASSWORD, "new": changed}))
        .unwrap();
    sign_in_with(site, &mut passkey).unwrap();

    // Whoever is invited anew may have lost them.
    let own = person(site, "Amira");
    assert_eq!(code(sign_in_with(site, &mut passkey)), "passkey_failed");
    let mut passkey = add(&own, "another stick");
    sign_in_with(site, &mut passkey).unwrap();
    site.delete("/v1/accounts/Amira").unwrap();
    assert_eq!(code(sign_in_with(site, &mut passkey)), "passkey_failed");

    // An account of the same name is another one.
    person(site, "Amira");
    assert_eq!(code(sign_in_with(site, &mut passkey)), "passkey_failed");
}

#[test]
fn whoever_guesses_with_passkeys_waits_as_with_passwords() {
    let world = hub();
    let site = world.site("hub");
    let own = person(site, "Amira");
    let mut passkey = add(&own, "office stick");
    for _ in 0..5 {
        let answer = passkey.sign(&options_to_sign_in(site), "https://console.evil.example");
        assert_eq!(code(sign_in(site, &answer)), "passkey_failed");
    }

    let paused = sign_in_with(site, &mut passkey);
    assert_eq!(code(paused), "sign_in_paused");
    let password = json!({"account": "Amira", "password": PASSWORD});
    assert_eq!(code(site.post("/v1/sessions", &password)), "sign_in_paused");
    site.post("/v1/accounts/Amira/unlock", &json!({})).unwrap();
    sign_in_with(site, &mut passkey).unwrap();
}

#[test]
fn passkeys_are_offered_where_the_configuration_names_an_origin_and_nowhere_else() {
    let world = hub();
    let site = world.site("hub");
    let mut passkey = add(&person(site, "Amira"), "office stick");
    let answer = passkey.sign(&options_to_sign_in(site), ORIGIN);

    let file = site.dir.join("node.toml");
    let whole = std::fs::read_to_string(&file).unwrap();
    let line = format!("http_passkeys = [{ORIGIN:?}]");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let checked = run(&site.dir, &["node", "check", "--config", "node.toml"]);
        let told = String::from_utf8_lossy(&checked.stderr).into_owned();
        (checked.status.code(), told)
    };
    for (bad, why) in [
        ("https://10.0.0.7", "to no address"),
        ("https://hub.example", "nobody speaks TLS there"),
        ("localhost:7780", "https://HOST"),
    ] {
        let (status, told) = check(&whole.replace(&line, &format!("http_passkeys = [{bad:?}]")));
        assert_eq!(status, Some(2), "{told}");
        assert!(
            told.contains("http_passkeys: ") && told.contains(why),
            "{told}"
        );
    }

    // Without the key nothing of it is there.
    site.stop();
    std::fs::write(&file, whole.replace(&line, "")).unwrap();
    world.boot("hub");
    assert_eq!(
        site.get("/v1/sessions/ways").unwrap()["passkey_host"],
        Value::Null
    );
    let challenge = site.post("/v1/sessions/challenge", &json!({}));
    assert_eq!(code(challenge), "passkeys_not_offered");
    assert_eq!(code(sign_in(site, &answer)), "passkeys_not_offered");
}
