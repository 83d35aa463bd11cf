//! Signing in to the console in a real browser: an officer at a crossing that nobody reaches, an
//! operator, an auditor, and those who guess.

use integration_tests::{PATIENCE, Site, World, browser::Browser, run, run_json};
use serde_json::{Value, json};

/// A password of a person who is not easily guessed.
const PASSWORD: &str = "four lorries at dusk";

/// A hub that named an officer of Traibeel, and Traibeel, which has heard of it and is dark since.
fn dark_crossing() -> World {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let officer = json!({
        "say": "officer", "officer": "OF-7", "department": "CUS", "crossing": "TRB",
        "name": "<b>Ali</b> & Co",
    });
    world.site("hub").post("/v1/control", &officer).unwrap();
    world.wait("the crossing has heard of its officer", || {
        let officers = world.site("trb").get("/v1/officers");
        officers.is_ok_and(|said| said["officers"][0]["officer"] == "OF-7")
    });

    world.site("hub").stop();
    world
}

/// Invites by the command line; the page of the invitation.
fn invite(site: &Site, arguments: &[&str]) -> String {
    let command = [&["account", "invite"], arguments].concat();
    run_json(&site.dir, &command)["path"]
        .as_str()
        .expect("a path")
        .into()
}

/// Opens the account of an officer without a browser.
fn open_account(site: &Site, arguments: &[&str]) -> Value {
    let path = invite(site, arguments);
    let (_, code) = path.split_once("code=").expect("a code");
    let body = json!({"code": code, "password": PASSWORD});
    site.post("/v1/invitations/accept", &body).unwrap()
}

#[test]
fn an_invited_officer_signs_in_at_a_dark_crossing_until_the_session_is_revoked() {
    let world = dark_crossing();
    let site = world.site("trb");
    let path = invite(site, &["OF-7", "--department", "CUS"]);

    let browser = Browser::open(site, "ar");
    browser.go(&path);
    browser.see("اختيار كلمة المرور");
    // A name is a name, and no markup.
    browser.see("<b>Ali</b> & Co");
    assert!(!browser.has("dl b"));
    browser.pictures("invitation");

    // A weak password, and two that differ, leave the invitation as it is.
    browser.fill("#chosen", "OF-7 password1");
    browser.fill("#again", "OF-7 password2");
    browser.click("form.stack button.primary");
    browser.see("كلمتا المرور مختلفتان");
    browser.fill("#chosen", "the OF-7 of trb");
    browser.fill("#again", "the OF-7 of trb");
    browser.click("form.stack button.primary");
    browser.see("كلمة المرور ضعيفة");
    browser.fill("#chosen", PASSWORD);
    browser.fill("#again", PASSWORD);
    browser.click("form.stack button.primary");
    browser.see("لوحة المتابعة");
    browser.go("/console/people");
    browser.pictures("people");

    // The link is used up.
    let other = Browser::open(site, "en");
    other.go(&path);
    other.see("The link does not hold");
    other.sign_in_as("of-7", PASSWORD);

    // The operator sees the sessions among the tokens, and revokes them.
    let tokens = site.get("/v1/tokens").unwrap();
    let names: Vec<&str> = tokens["tokens"]
        .as_array()
        .expect("tokens")
        .iter()
        .filter_map(|token| token["name"].as_str())
        .filter(|name| name.starts_with("session-OF-7-"))
        .collect();
    assert_eq!(names.len(), 2, "{tokens}");
    for name in names {
        site.delete(&format!("/v1/tokens/{name}")).unwrap();
    }

    other.go("/console/people");
    other.arrive("/console/sign-in");
    assert_eq!(other.path(), "/console/sign-in?next=%2Fconsole%2Fpeople");
    other.enter_account("OF-7", PASSWORD);
    other.arrive("/console/people");
    assert_eq!(other.complaints(), [""; 0]);
}

#[test]
fn whoever_guesses_waits_and_the_operator_ends_that() {
    let world = dark_crossing();
    let site = world.site("trb");
    open_account(site, &["OF-7", "--department", "CUS"]);

    let browser = Browser::open(site, "en");
    browser.go("/console/sign-in?next=/console/people");
    for n in 0..5 {
        browser.enter_account("OF-7", &format!("wrong lorries {n}"));
        browser.see("Account or password wrong");
        assert_eq!(
            browser.attribute("#account", "value").as_deref(),
            Some("OF-7")
        );
    }

    // The right one is not looked at meanwhile, and the page tells how long; also after a restart.
    site.stop();
    world.boot("trb");
    browser.enter_account("OF-7", PASSWORD);
    browser.see("Try again in");
    browser.pictures("sign-in-paused");

    // Whoever has no account is told the same.
    let unknown = |password: &str| {
        let body = json!({"account": "nobody", "password": password});
        site.post("/v1/sessions", &body).unwrap_err()
    };
    let told = unknown("wrong lorries 0");
    assert_eq!(told["code"], "sign_in_failed");
    let known = json!({"account": "OF-7", "password": "x"});
    assert_eq!(
        site.post("/v1/sessions", &known).unwrap_err()["code"],
        "sign_in_paused"
    );

    run_json(&site.dir, &["account", "unlock", "OF-7"]);
    browser.enter_account("OF-7", PASSWORD);
    browser.see("Sign out");

    let audit = site.get("/v1/sign-ins").unwrap();
    let lines = audit["sign_ins"].as_array().expect("lines");
    let count = |what: &str| lines.iter().filter(|line| line["what"] == what).count();
    assert_eq!((count("failed"), count("unlocked")), (6, 1), "{audit}");
    // A name that nobody has may be a password: it is not kept.
    assert!(!audit.to_string().contains("nobody"));
}

#[test]
fn an_operator_works_with_accounts_without_script() {
    let world = dark_crossing();
    let site = world.site("trb");
    let browser = Browser::open(site, "en");
    browser.set_script(false);
    browser.go("/console/people");
    browser.arrive("/console/sign-in");
    browser.pictures("sign-in");
    browser.sign_in(&site.token());

    browser.go("/console/people/accounts");
    browser.choose("#officer", "OF-7/CUS");
    browser.click("form:has(#officer) button");
    browser.see("OF-7 is invited");
    let link = browser.text(".invitation-link");
    assert!(link.starts_with("/console/invitation?code="), "{link}");

    // A person whose name is markup.
    browser.fill("#person", "<img src=x>");
    browser.click("form:has(#person) button");
    browser.see("<img src=x> is invited");
    assert!(!browser.has("main img"));
    browser.pictures("accounts");

    browser.click("tr:has(bdi) button[value=lock]");
    browser.see("locked");
    browser.go("/console/people/sign-ins");
    browser.see("OF-7");
    browser.pictures("sign-ins");

    // Nobody is removed by one slip.
    let accounts = || site.get("/v1/accounts").unwrap()["accounts"].clone();
    let count = || accounts().as_array().map_or(0, Vec::len);
    let before = count();
    browser.go("/console/people/accounts");
    browser.click("tr:has(bdi) button[value=ask-remove]");
    browser.see("open sessions end");
    assert_eq!(count(), before);
    browser.click("button[value=remove]");
    world.wait("one is removed", || count() == before - 1);
    browser.arrive("/console/people/accounts");

    browser.click("form[action='/console/sign-out'] button");
    browser.arrive("/console/sign-in");
    assert_eq!(browser.cookie("wadi"), None);
}

#[test]
fn a_form_that_is_not_the_consoles_own_is_refused() {
    let world = dark_crossing();
    let site = world.site("trb");
    let session = open_account(site, &["OF-7", "--department", "CUS"]);
    let bearer = session["token"].as_str().expect("a token");
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .build()
        .into();
    let post = |path: &str, body: &str, origin: Option<&str>| {
        let mut request = agent
            .post(format!("{}{path}", site.url()))
            .header("cookie", format!("wadi={bearer}"))
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        request.send(body).expect("an answer").status().as_u16()
    };

    let change = format!("old={PASSWORD}&new=six lorries at dawn").replace(' ', "+");
    assert_eq!(post("/console/people/password", &change, None), 403);
    let evil = Some("https://evil.example");
    assert_eq!(post("/console/sign-in", "account=a&password=b", evil), 403);
    assert_eq!(post("/console/sign-out", "proof=00", None), 403);

    // Nothing was changed: the password is what it was.
    let body = json!({"account": "OF-7", "password": PASSWORD});
    site.post("/v1/sessions", &body).unwrap();
}

#[test]
fn each_look_at_a_traveller_is_kept_in_a_chain_that_tells_what_was_changed() {
    let mut world = World::default();
    world.start("hub", &[]);
    let site = world.site("hub");
    let officer = json!({"say": "officer", "officer": "HUB-1", "department": "HUB"});
    site.post("/v1/control", &officer).unwrap();
    let passage = json!({
        "kind": "passage", "officer": "OF-1", "department": "PAS",
        "fields": {"direction": "in", "person.1.nationality": "IQ"},
    });
    let written = site.post("/v1/records", &passage).unwrap();
    let record = written["record"].as_str().expect("a record");
    for _ in 0..3 {
        site.get(&format!("/v1/records/{record}")).unwrap();
    }

    let looks = site.get("/v1/looks?verify=true").unwrap();
    assert_eq!(
        looks["looks"].as_array().expect("looks").len(),
        3,
        "{looks}"
    );
    assert_eq!(looks["looks"][0]["record"], record);
    assert_eq!(looks["verified"]["whole"], true, "{looks}");

    // By the printed id, too; an officer who saw nothing saw nothing, and nobody is not an officer.
    let printed = written["id"].as_str().expect("a printed id");
    let seen = |asked: &str| site.get(&format!("/v1/looks?{asked}"));
    let count = |looks: Value| looks["looks"].as_array().expect("looks").len();
    assert_eq!(count(seen(&format!("record={printed}")).unwrap()), 3);
    assert_eq!(count(seen("who=HUB-1").unwrap()), 0);
    let unknown = seen("who=HUB-11").unwrap_err();
    assert_eq!(unknown["code"], "unknown_value", "{unknown}");
    let why = unknown["detail"].as_str().unwrap();
    assert!(why.contains("did you mean \"HUB-1\"?"), "{why}");
    let absent = seen(&format!("record={}", "ab".repeat(32))).unwrap_err();
    assert_eq!(absent["code"], "no_such_record", "{absent}");

    let session = open_account(site, &["HUB-1", "--department", "HUB"]);
    let browser = Browser::open(site, "ar");
    browser.go("/console/sign-in?next=/console/people/looks");
    browser.enter_account("HUB-1", PASSWORD);
    browser.see("والسلسلة سليمة");
    browser.pictures("looks");
    browser.go("/console/people/looks?who=HUB-11");
    browser.see("HUB-11");
    browser.see("لعل المقصود");
    drop(session);

    // Somebody takes a look out of the database while the node is down.
    site.stop();
    on_database(
        &site.dir,
        "DELETE FROM local WHERE scope = 'look' AND key LIKE '%2'",
    );
    world.boot("hub");
    let looks = site.get("/v1/looks?verify=true").unwrap();
    assert_eq!(looks["verified"]["whole"], false, "{looks}");
    browser.reload();
    browser.see("سلسلة الاطّلاع منقطعة");
}

/// Runs SQL, and what Python says around it, on a node's database while the node is down.
fn on_database(dir: &std::path::Path, sql: &str) {
    let script = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); \
                  d.execute(sys.argv[2]); d.commit()";
    let ran = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(dir.join("node.sqlite"))
        .arg(sql)
        .status();
    assert!(ran.expect("python runs").success());
}

#[test]
fn whoever_writes_the_whole_chain_of_looks_anew_is_found_by_what_the_hub_was_told() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, site) = (world.site("hub"), world.site("trb"));
    let officer = json!({"say": "officer", "officer": "HUB-1", "department": "HUB"});
    hub.post("/v1/control", &officer).unwrap();
    let passage = json!({
        "kind": "passage", "officer": "OF-1", "department": "PAS",
        "fields": {"direction": "in", "person.1.nationality": "IQ"},
    });
    let written = site.post("/v1/records", &passage).unwrap();
    let record = written["record"].as_str().expect("a record");
    site.get(&format!("/v1/records/{record}")).unwrap();

    // The hub hears how far the chain goes, and of no look itself.
    let told = || {
        let sites = hub.get("/v1/sites").unwrap();
        let peers = sites["peers"].as_array().expect("peers").clone();
        let trb = peers.into_iter().find(|p| p["node"] == "trb")?;
        let chains = trb["chains"].as_array().expect("chains").clone();
        chains.into_iter().find(|c| c["chain"] == "looks")
    };
    world.wait("the hub is told of the chain", || told().is_some());
    let told = told().expect("waited for");
    assert_eq!(told["lines"], 1, "{told}");

    let verified = |site: &Site| site.get("/v1/looks?verify=true").unwrap()["verified"].clone();
    let before = verified(site);
    assert_eq!(before["head"], told["head"], "{before}");
    assert_eq!(
        (&before["whole"], &before["told_heads"]),
        (&json!(true), &json!(1))
    );

    // Somebody with the disk in hand names another officer, in a chain that is whole in itself.
    site.stop();
    on_database(
        &site.dir,
        "UPDATE local SET value = replace(value, '\"who\"', '\"who\":\"OF-9\",\"was\"') \
         WHERE scope = 'look'",
    );
    world.boot("trb");
    let site = world.site("trb");
    let after = verified(site);
    assert_eq!(after["broken_at"], json!(null), "whole in itself: {after}");
    assert_eq!(
        (&after["whole"], &after["contradicts_told"]),
        (&json!(false), &json!(1))
    );
    world.wait("the hub hears the site's alarm", || {
        let peers = hub.get("/v1/sites").unwrap()["peers"].to_string();
        peers.contains("line 1 of looks is not the one")
    });

    // With the lines deleted, no new look takes the number of one that was told of.
    site.stop();
    on_database(&site.dir, "DELETE FROM local WHERE scope = 'look'");
    world.boot("trb");
    let site = world.site("trb");
    site.get(&format!("/v1/records/{record}")).unwrap();
    let looks = site.get("/v1/looks?verify=true").unwrap();
    assert_eq!(looks["looks"][0]["n"], 2, "{looks}");
    assert_eq!(looks["verified"]["whole"], false, "{looks}");
    let said = run(&site.dir, &["audit", "looks", "--verify"]);
    assert_eq!(said.status.code(), Some(4), "{said:?}");
}

/// Fails to sign in, or signs in, as if through a proxy; the answer's status and its cookie.
fn sign_in_through(site: &Site, account: &str, password: &str, from: &str) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .build()
        .into();
    let form = [("account", account), ("password", password)];
    let answer = agent
        .post(format!("{}/console/sign-in", site.url()))
        .header("x-forwarded-proto", "https")
        .header("x-forwarded-for", from)
        .send_form(form)
        .expect("an answer");
    let cookie = answer.headers().get("set-cookie");
    let cookie = cookie.map(|cookie| cookie.to_str().expect("text").to_string());
    (answer.status().as_u16(), cookie.unwrap_or_default())
}

#[test]
fn a_proxy_is_believed_where_the_configuration_names_it_and_nobody_else() {
    let mut world = World::default();
    world.prepare("hub", &[], "http_proxies = [\"127.0.0.1\"]");
    world.start("trb", &[]);
    world.boot("hub");
    for name in ["hub", "trb"] {
        open_account(world.site(name), &["Amira Hasan", "--operator"]);
    }

    // What stands before the proxy's own word was written by the caller.
    let behind = world.site("hub");
    let from = "198.51.100.9, 203.0.113.7";
    let (status, cookie) = sign_in_through(behind, "Amira Hasan", PASSWORD, from);
    assert_eq!(status, 303);
    assert!(
        cookie.starts_with("__Host-wadi=") && cookie.ends_with("; Secure"),
        "{cookie}"
    );
    let signed_in = |site: &Site| {
        let said = site.get("/v1/sign-ins").unwrap();
        let lines = said["sign_ins"].as_array().expect("lines").clone();
        // The newest first: the invitation signed in, too.
        let line = lines.iter().find(|line| line["what"] == "signed_in");
        line.expect("somebody signed in")["from"].clone()
    };
    assert_eq!(signed_in(behind), "203.0.113.7");

    // Whoever guesses waits, and nobody who comes through the same proxy from elsewhere.
    for n in 0..20 {
        sign_in_through(
            behind,
            &format!("nobody {n}"),
            "wrong lorries",
            "203.0.113.8",
        );
    }
    let (status, _) = sign_in_through(behind, "Amira Hasan", PASSWORD, "203.0.113.8");
    assert_eq!(status, 429);
    let (status, _) = sign_in_through(behind, "Amira Hasan", PASSWORD, "203.0.113.9");
    assert_eq!(status, 303);

    // A node that no proxy stands before takes nobody's word.
    let open = world.site("trb");
    let (status, cookie) = sign_in_through(open, "Amira Hasan", PASSWORD, "203.0.113.7");
    assert_eq!(status, 303);
    assert!(
        cookie.starts_with("wadi=") && !cookie.contains("Secure"),
        "{cookie}"
    );
    assert_eq!(signed_in(open), "127.0.0.1");
}
