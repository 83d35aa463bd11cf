//! What the console holds against bad days and bad visitors: sessions that end by time, cookies
//! over TLS, two at once, a database that is away, searches that match very many, and markup
//! wherever somebody can write. Each of these fails where its defence is taken away.

use integration_tests::{
    PATIENCE, Site, World, browser::Browser, operations, pages::Pages, run_json,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, io::BufRead};
use wadi_store::TemporaryServer;

const PASSWORD: &str = "four lorries at dusk";
const HOUR_MS: i64 = 3_600_000;

/// This machine's clock, Unix milliseconds.
fn real_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_millis() as i64
}

/// The line of a configuration by which a node's clock is so many hours ahead of this machine's.
fn clock_line(hours: i64) -> String {
    let real_ms = real_ms();
    let origin_ms = real_ms + hours * HOUR_MS;
    format!("clock = {{ origin_ms = {origin_ms}, real_ms = {real_ms}, scale = 1.0 }}")
}

/// Stops a node and starts it so many hours later.
fn later(world: &World, name: &str, hours: i64) {
    let site = world.site(name);
    site.stop();
    let path = site.dir.join("node.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    let lines = text.lines().map(|line| match line.starts_with("clock = ") {
        true => clock_line(hours),
        false => line.to_string(),
    });
    std::fs::write(&path, lines.collect::<Vec<_>>().join("\n")).expect("written");
    world.boot(name);
}

/// A hub whose clock a test sets, with an auditor.
fn hub_with_clock() -> World {
    let mut world = World::default();
    world.prepare("hub", &[], &clock_line(0));
    world.boot("hub");
    let said = json!({"say": "officer", "officer": "AU-1", "department": "HUB"});
    world
        .site("hub")
        .post("/v1/control", &said)
        .expect("registered");
    world
}

fn invite(site: &Site, officer: &str) -> String {
    let command = ["account", "invite", officer, "--department", "HUB"];
    let path = run_json(&site.dir, &command)["path"].clone();
    let path = path.as_str().expect("a path").to_string();
    path.split_once("code=").expect("a code").1.to_string()
}

fn accept(site: &Site, code: &str) -> Result<Value, Value> {
    let body = json!({"code": code, "password": PASSWORD});
    site.post("/v1/invitations/accept", &body)
}

/// A session of an auditor's; its token.
fn session(site: &Site) -> String {
    let session = accept(site, &invite(site, "AU-1")).expect("a session");
    session["token"].as_str().expect("a token").to_string()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(PATIENCE))
        .build()
        .into()
}

/// A page with headers of one's own: its status, its headers and its text.
fn page(site: &Site, path: &str, headers: &[(&str, &str)]) -> (u16, ureq::http::HeaderMap, String) {
    let mut request = agent().get(format!("{}{path}", site.url()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = request.call().expect("an answer");
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    (answer.status().as_u16(), answer.headers().clone(), text)
}

fn status_of(site: &Site, path: &str, bearer: &str, more: &[(&str, &str)]) -> u16 {
    let cookie = format!("wadi={bearer}");
    let headers = [&[("cookie", cookie.as_str())], more].concat();
    page(site, path, &headers).0
}

/// When a token was used last, as it is written down.
fn used_ms(site: &Site) -> i64 {
    let tokens = site.get("/v1/tokens").unwrap();
    let mut all = tokens["tokens"].as_array().expect("tokens").iter();
    let session = all.find(|t| t["name"].as_str().unwrap_or("").starts_with("session-"));
    session.map_or(0, |t| t["last_used_ms"].as_i64().unwrap_or(0))
}

#[test]
fn a_session_that_nobody_uses_ends_whatever_its_screen_asks_for_by_itself() {
    let world = hub_with_clock();
    let hub = world.site("hub");
    let bearer = session(hub);
    assert_eq!(status_of(hub, "/console/findings", &bearer, &[]), 200);
    world.wait("its use is written down", || used_ms(hub) > 0);

    // A screen that asks by itself is answered, and does not count.
    later(&world, "hub", 3);
    let by_itself = [("wadi-unattended", "1")];
    assert_eq!(
        status_of(hub, "/console/findings", &bearer, &by_itself),
        200
    );
    later(&world, "hub", 5);
    assert_eq!(
        status_of(hub, "/console/findings", &bearer, &by_itself),
        303
    );
    assert_eq!(
        hub.as_bearer(&bearer).get("/v1/whoami").unwrap_err()["code"],
        "session_over"
    );

    // The page says where to sign in, and leads back.
    let cookie = format!("wadi={bearer}");
    let (_, headers, _) = page(hub, "/console/findings?rule=R22", &[("cookie", &cookie)]);
    assert_eq!(
        headers["location"],
        "/console/sign-in?next=%2Fconsole%2Ffindings%3Frule%3DR22"
    );
}

#[test]
fn a_session_ends_after_twelve_hours_however_much_it_is_used() {
    let world = hub_with_clock();
    let hub = world.site("hub");
    let bearer = session(hub);
    for hours in [3, 6, 9, 11] {
        later(&world, "hub", hours);
        let before = used_ms(hub);
        assert_eq!(
            status_of(hub, "/console/findings", &bearer, &[]),
            200,
            "{hours}"
        );
        world.wait("its use is written down", || used_ms(hub) > before);
    }

    later(&world, "hub", 13);
    assert_eq!(status_of(hub, "/console/findings", &bearer, &[]), 303);
}

#[test]
fn a_cookie_of_a_console_over_tls_is_given_to_tls_alone() {
    let mut world = World::default();
    world.prepare("hub", &[], "http_tls = true");
    world.launch("hub");
    let hub = world.site("hub");
    world.wait("it answers over TLS", || {
        integration_tests::run(&hub.dir, &["--json", "status"])
            .status
            .success()
    });

    // Browsers of today take no certificate of such a key; OpenSSL does.
    let address = hub.url().replace("http://", "");
    let asked = std::process::Command::new("python3")
        .args([
            "-c",
            "import http.client, ssl, sys; \
             c = http.client.HTTPSConnection(sys.argv[1], \
             context=ssl._create_unverified_context()); \
             c.request('POST', '/console/sign-in', 'token=' + sys.argv[2], \
             {'content-type': 'application/x-www-form-urlencoded'}); \
             r = c.getresponse(); print(r.status, r.headers['set-cookie'])",
        ])
        .args([&address, &hub.token()])
        .output()
        .expect("python runs");
    let told = String::from_utf8_lossy(&asked.stdout).into_owned();
    assert!(told.starts_with("303 __Host-wadi="), "{told}{asked:?}");
    for part in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/;"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_browser_is_shown_a_certificate_that_it_knows_and_programs_see_the_nodes_own() {
    let mut world = World::default();
    let names = "http_tls = true\nhttp_certificate = \"web.pem\"\nhttp_key = \"web.key\"";
    world.prepare("hub", &[], names);
    let hub = world.site("hub");

    let check = || integration_tests::run(&hub.dir, &["node", "check"]);
    let refused = String::from_utf8_lossy(&check().stderr).into_owned();
    assert!(refused.contains("bad_certificate"), "{refused}");

    let made = |name: &str| {
        let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
                         -subj /CN=localhost -keyout web.key -out";
        let openssl = std::process::Command::new("openssl")
            .args(arguments.split_whitespace())
            .arg(name)
            .current_dir(&hub.dir)
            .output();
        assert!(openssl.expect("openssl runs").status.success());
    };
    made("another.pem");
    let others_key = std::fs::read(hub.dir.join("web.key")).unwrap();
    made("web.pem");
    let own_key = std::fs::read(hub.dir.join("web.key")).unwrap();

    std::fs::write(hub.dir.join("web.key"), others_key).unwrap();
    let refused = String::from_utf8_lossy(&check().stderr).into_owned();
    assert!(refused.contains("bad_certificate"), "{refused}");

    std::fs::write(hub.dir.join("web.key"), own_key).unwrap();
    assert!(check().status.success(), "{:?}", check());
    world.launch("hub");
    // The command line trusts the commission's authority alone.
    world.wait("it answers over TLS", || {
        integration_tests::run(&hub.dir, &["--json", "status"])
            .status
            .success()
    });

    let browser = Browser::open_at(&hub.url().replace("http://", "https://"), "en");
    browser.go("/console/sign-in");
    browser.see("Sign in");
}

#[test]
fn of_two_invitations_at_once_one_holds_and_a_code_is_used_by_one() {
    let world = hub_with_clock();
    let hub = world.site("hub");
    let scope = json!({"is": "officer", "officer": "AU-1", "department": "HUB"});
    let body = json!({"account": "AU-1", "scope": scope});
    let invited: Vec<String> = std::thread::scope(|scope| {
        let ask = || {
            let said = hub
                .post("/v1/accounts/invitations", &body)
                .expect("invited");
            said["code"].as_str().expect("a code").to_string()
        };
        let asked: Vec<_> = (0..2).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|a| a.join().unwrap()).collect()
    });

    let accounts = hub.get("/v1/accounts").unwrap();
    assert_eq!(
        accounts["accounts"].as_array().map(Vec::len),
        Some(1),
        "{accounts}"
    );
    let opened: Vec<bool> = std::thread::scope(|scope| {
        let codes = invited.iter().chain(&invited);
        let tried: Vec<_> = codes
            .map(|c| scope.spawn(|| accept(hub, c).is_ok()))
            .collect();
        tried.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(opened.iter().filter(|is| **is).count(), 1, "{opened:?}");
}

#[test]
fn while_the_database_is_away_pages_say_so_and_nothing_that_was_typed_is_lost() {
    let mut world = World::default();
    let mut server =
        TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    let url = server.create("wadi").unwrap();
    world.prepare("hub", &[], &format!("database = {url:?}"));
    world.boot("hub");
    let hub = world.site("hub");

    let id = hub.truck("22-A-00077");
    let scope = json!({"is": "officer", "officer": "OF-9", "department": "OPS"});
    let issued = hub
        .post("/v1/tokens", &json!({"name": "OF-9", "scope": scope}))
        .unwrap();
    let browser = Browser::open(hub, "en");
    browser.sign_in(issued["token"].as_str().expect("a token"));
    browser.go("/console/today/say/passage/weighed?department=OPS");
    browser.fill("[name=on]", "22 A 00077");
    browser.fill("[name='m.gross_kg']", "31240");
    browser.fill("[name='m.scale']", "S1");
    server.stop(true);
    browser.click(".today-send");
    browser.see("database_down");
    assert_eq!(
        browser.attribute("[name='m.gross_kg']", "value").as_deref(),
        Some("31240")
    );

    // Other pages say what is wrong, in the language of whoever reads, and keep the session.
    let pages = |language| {
        let cookie = format!("wadi={}; wadi-language={language}", hub.token());
        page(hub, "/console/records", &[("cookie", cookie.as_str())])
    };
    let (status, headers, text) = pages("ar");
    assert_eq!(status, 503);
    assert!(
        headers.get("set-cookie").is_none(),
        "the session is thrown away"
    );
    assert!(
        text.contains("dir=\"rtl\"") && text.contains("database_down"),
        "{text}"
    );

    server.launch().unwrap();
    world.wait("it is back by itself", || pages("en").0 == 200);
    browser.click("form button.primary");
    browser.see("Recorded");
    let record = hub.record(&id).unwrap();
    let events = record["events"].as_array().expect("events");
    let weighed = events.iter().filter(|e| e["type"] == "weighed").count();
    assert_eq!(weighed, 1, "{record}");
}

/// Somebody who has a node's database open in a tool, and forgot to end what was begun there.
fn hold_database(site: &Site) -> std::process::Child {
    let script = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1], isolation_level=None); \
                  d.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()";
    let mut tool = std::process::Command::new("python3")
        .args(["-c", script])
        .arg(site.dir.join("node.sqlite"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python runs");
    let mut told = String::new();
    std::io::BufReader::new(tool.stdout.take().expect("piped"))
        .read_line(&mut told)
        .expect("a line");
    assert_eq!(told.trim(), "held");
    tool
}

#[test]
fn while_somebody_else_holds_a_crossings_database_what_was_typed_waits_in_its_form() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let id = trb.truck("22-A-00077");
    let scope = json!({"is": "officer", "officer": "OF-9", "department": "OPS"});
    let issued = trb
        .post("/v1/tokens", &json!({"name": "OF-9", "scope": scope}))
        .expect("issued");
    let browser = Browser::open(trb, "ar");
    browser.sign_in(issued["token"].as_str().expect("a token"));
    browser.go("/console/today/say/passage/weighed?department=OPS");
    browser.fill("[name=on]", "22 A 00077");
    browser.fill("[name='m.gross_kg']", "31240");
    browser.fill("[name='m.scale']", "S1");

    let mut tool = hold_database(trb);
    browser.click(".today-send");
    browser.see("database_slow");
    assert_eq!(
        browser.attribute("[name='m.gross_kg']", "value").as_deref(),
        Some("31240")
    );

    // Reading goes on.
    let cookie = format!("wadi={}; wadi-language=en", trb.token());
    let (status, _, text) = page(
        trb,
        &format!("/console/records/{id}"),
        &[("cookie", cookie.as_str())],
    );
    assert_eq!(status, 200, "{text}");

    drop(tool.stdin.take());
    tool.wait().expect("it ends");
    browser.click("form button.primary");
    browser.wait("it is recorded", |_| {
        let record = trb.record(&id).expect("a record");
        let events = record["events"].as_array().expect("events").clone();
        events.iter().filter(|e| e["type"] == "weighed").count() == 1
    });
}

#[test]
fn a_search_that_matches_very_many_comes_in_pages_that_stay_small() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub");
    const COUNT: usize = 450;
    // As many trucks with one plate: it came every day.
    let lines: String = operations(1, COUNT as u32)
        .lines()
        .map(|line| {
            let mut said: Value = serde_json::from_str(line).expect("JSON");
            said["plate"] = "22-A-00001".into();
            format!("{said}\n")
        })
        .collect();
    hub.post_text("/v1/imports", &lines).expect("written");

    let pages = Pages::of_operator(hub, "en");
    let (mut path, mut seen, mut count) = (
        "/console/records?q=22a+00001".to_string(),
        BTreeSet::new(),
        0,
    );
    loop {
        let page = pages.get(&path);
        assert_eq!(page.status, 200, "{path}");
        assert!(page.html.len() < 120_000, "{} bytes", page.html.len());
        count += 1;
        assert!(count <= COUNT, "the pages have no end");
        let found = page.html.split("href=\"/console/records/").skip(1);
        let ids = found.filter_map(|rest| rest.split(['"', '?']).next());
        seen.extend(ids.filter(|id| !id.starts_with("file")).map(str::to_string));

        let Some((_, rest)) = page.html.split_once("rel=\"next\" href=\"") else {
            break;
        };
        let href = rest.split('"').next().expect("a path");
        path = href.replace("&#38;", "&").replace("&amp;", "&");
    }
    assert_eq!(seen.len(), COUNT);
    assert!(count > 1, "one page holds all of them");
}

/// What becomes markup, or an end of whatever it stands in.
const MARKUP: &str = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>";

#[test]
fn nothing_that_somebody_writes_becomes_markup() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub");
    let id = hub.truck("22-A-00001");
    let remark = json!({"type": "remark", "text": MARKUP});
    hub.say(&id, "PORT", remark).expect("said");
    let held = json!({
        "kind": "hold", "officer": "OF-2", "department": "SEC",
        "events": [{"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": MARKUP}],
    });
    let held = hub.post("/v1/records", &held).expect("held");
    let held = held["record"].as_str().expect("a record");

    let escaped =
        "%22%27%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%3Cscript%3Ealert(2)%3C/script%3E";
    let cookie = format!("wadi={}; wadi-language=en", hub.token());
    let language = format!("wadi={}; wadi-language={MARKUP}", hub.token());
    let paths = [
        format!("/console/records/{id}"),
        format!("/console/records/{id}/history"),
        format!("/console/records/{id}/fields"),
        format!("/console/records/{held}"),
        format!("/console/records/{held}/history"),
        format!("/console/records/{escaped}"),
        format!("/console/records?q={escaped}"),
        format!("/console/records?state={escaped}&kind={escaped}&crossing={escaped}"),
        format!("/console/findings?rule={escaped}&assignee={escaped}"),
        format!("/console/sites/{escaped}"),
        format!("/console/control/compare?peer={escaped}&scope={escaped}&records=yes"),
        format!("/console/people/looks?who={escaped}&record={escaped}"),
        format!("/console/sign-in?next={escaped}"),
        format!("/console/nothing/{escaped}"),
    ];
    for path in paths {
        for (cookie, referer) in [(&cookie, "http://x/\"><script>"), (&language, MARKUP)] {
            let headers = [
                ("cookie", cookie.as_str()),
                ("referer", referer),
                ("accept-language", "en\"><script>alert(3)</script>"),
                ("user-agent", MARKUP),
                ("x-forwarded-host", "\"><script>alert(4)</script>"),
            ];
            let (_, told, text) = page(hub, &path, &headers);
            for bad in ["<img src=x", "<script>alert", "onerror=alert(1)>"] {
                assert!(!text.contains(bad), "{path}: {bad}\n{text}");
            }
            for (name, value) in &told {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                assert!(!value.contains("<script"), "{path}: {name}: {value}");
            }
        }
    }

    // Names of files hold nothing that somebody wrote.
    for path in [
        format!("/console/records/file?format=csv&q={escaped}"),
        format!("/console/records/{id}/evidence"),
        "/console/records/file?format=csv".to_string(),
    ] {
        let (_, told, _) = page(hub, &path, &[("cookie", cookie.as_str())]);
        let Some(name) = told.get("content-disposition") else {
            continue;
        };
        let name = name.to_str().expect("visible ASCII");
        let file = name.split_once("filename=").map_or("", |(_, file)| file);
        let plain = |c: char| c.is_ascii_alphanumeric() || "\"-_.".contains(c);
        assert!(
            !file.is_empty() && file.chars().all(plain),
            "{path}: {name}"
        );
    }
}

#[test]
fn every_answer_of_the_console_keeps_browsers_strict() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub");
    let cookie = format!("wadi={}", hub.token());
    let (_, _, beginning) = page(hub, "/console", &[("cookie", cookie.as_str())]);
    let of_asset = |begin: &str| {
        let rest = beginning.split_once(begin).expect("an asset").1;
        rest.split('"').next().unwrap_or_default().to_string()
    };
    let styles = of_asset("rel=\"stylesheet\" href=\"");
    let script = of_asset("<script src=\"");

    for path in [
        "/console",
        "/console/sign-in",
        "/console/records",
        "/console/findings",
        "/console/sites",
        "/console/people",
        "/console/control",
        "/console/records/none",
        "/console/nowhere",
        "/console/live?links=0&nothing=1",
        &styles,
        &script,
    ] {
        let (_, headers, text) = page(hub, path, &[("cookie", cookie.as_str())]);
        let policy = headers
            .get("content-security-policy")
            .map(|v| v.to_str().unwrap());
        let policy = policy.unwrap_or_else(|| panic!("{path} has no policy"));
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{path}: {part}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        // No page has what such a policy would forbid.
        for inline in ["<style", " style=", " onclick=", "javascript:"] {
            assert!(
                path.contains("/assets/") || !text.contains(inline),
                "{path}: {inline}"
            );
        }
        let is_kept = headers["cache-control"] != "no-store";
        assert_eq!(is_kept, path.contains("/assets/"), "{path}");
    }
}
