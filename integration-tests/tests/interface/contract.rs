//! The API keeps to its description: every answer of a hub and a site has the members that it says,
//! a client that a public generator makes of it works, and a tester who tries whatever the
//! description allows, and what it does not, finds nothing.

mod passkeys;
mod tester;
mod tools;

use integration_tests::{Cable, Site, World};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tools::python;

/// The directory of the scripts.
fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi")
}

fn assert_succeeds(output: &Output) {
    let told = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// The public half of a key that nobody keeps.
const OFFICER_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMwQjmZqiRhDBvxzcYqH1NVm61I20bDOyLZ0ykZyUWV/";

/// This machine's clock, Unix milliseconds.
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("after 1970").as_millis() as i64
}

/// Asks, and notes what came.
struct Asker<'a> {
    site: &'a Site,
    answers: Vec<Value>,
}

impl<'a> Asker<'a> {
    fn of(site: &'a Site) -> Self {
        Self {
            site,
            answers: Vec::new(),
        }
    }

    /// `route` as the description has it; `path` with its parameters.
    fn ask(&mut self, method: &str, route: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.site.exchange(method, path, body);
        self.answers.push(json!({
            "method": method,
            "route": route,
            "status": status,
            "body": answer,
        }));
        answer
    }

    fn get(&mut self, route: &str, path: &str) -> Value {
        self.ask("GET", route, path, None)
    }

    fn post(&mut self, route: &str, path: &str, body: &Value) -> Value {
        self.ask("POST", route, path, Some(body))
    }

    /// What every node answers.
    fn ask_common(&mut self) {
        for route in [
            "/v1/sites",
            "/v1/quarantine",
            "/v1/resyncs",
            "/v1/bundles/acts?verify=true",
            "/v1/refusals?open=true",
            "/v1/tokens",
            "/v1/policy",
            "/v1/reads",
            "/v1/officers",
            "/v1/members",
            "/v1/members?at_ms=9999999999999",
            "/v1/members/acts",
            "/v1/members/acts?limit=2",
            "/v1/words",
            "/v1/whoami",
            "/v1/authority",
            "/v1/accounts",
            "/v1/sign-ins",
            "/v1/looks?verify=true",
            "/v1/compare",
            "/v1/compare/logs",
            "/healthz",
            "/readyz",
        ] {
            self.get(route.split('?').next().unwrap_or(route), route);
        }

        self.get("/v1/sites/{site}/contacts", "/v1/sites/hub/contacts");
        self.get("/v1/sites/{site}/contacts", "/v1/sites/nobody/contacts");

        let listed = self.get("/v1/records", "/v1/records?limit=500");
        let in_order = format!("/v1/records?after={}&limit=1", "0".repeat(64));
        self.get("/v1/records", &in_order);
        self.get("/v1/records", "/v1/records?fields=id,state&limit=2");
        self.get("/v1/records", "/v1/records?kind=lorry");
        self.get("/v1/records", "/v1/records?q=22A00042&limit=2");
        self.get("/v1/records", "/v1/records?from_ms=0&limit=1");
        self.get("/v1/records", "/v1/records?known_ms=9999999999999&limit=2");
        self.get("/v1/records", "/v1/records?q=--");
        for record in listed["records"].as_array().expect("records") {
            let id = record["record"].as_str().expect("an id");
            self.get("/v1/records/{id}", &format!("/v1/records/{id}"));
            self.get(
                "/v1/records/{id}/history",
                &format!("/v1/records/{id}/history"),
            );
            for more in ["related", "verification", "country"] {
                let route = format!("/v1/records/{{id}}/{more}");
                self.get(&route, &format!("/v1/records/{id}/{more}"));
            }
            self.get("/v1/compare/{id}", &format!("/v1/compare/{id}"));
        }

        let now = now_ms();
        let day = format!(
            "/v1/day?from_ms={}&until_ms={}&crossing=TRB",
            now - 86_400_000,
            now + 86_400_000
        );
        self.get("/v1/day", &day);
        self.get("/v1/day", "/v1/day?from_ms=2&until_ms=1&crossing=TRB");
        for department in ["PORT", "VET", "HUB"] {
            let path = format!("/v1/authority?department={department}");
            self.get("/v1/authority", &path);
        }

        let findings = self.get("/v1/findings", "/v1/findings");
        for finding in findings["findings"].as_array().expect("findings") {
            let id = finding["finding"].as_str().expect("an id");
            self.get("/v1/findings/{id}", &format!("/v1/findings/{id}"));
        }

        self.get("/v1/findings/{id}", "/v1/findings/none");
    }
}

/// A person is invited, signs in in every way, is locked and removed. What a session alone is
/// answered is asked by it.
fn sign_somebody_in(asker: &mut Asker<'_>) {
    let invitations = "/v1/accounts/invitations";
    let reader = json!({"scope": {"is": "reader"}, "person": "Amira"});
    let invited = asker.post(invitations, invitations, &reader);
    let code = json!({"code": invited["code"]});
    asker.post("/v1/invitations/show", "/v1/invitations/show", &code);
    let chosen = json!({"code": invited["code"], "password": "four lorries at dusk"});
    let accept = "/v1/invitations/accept";
    asker.post(
        accept,
        accept,
        &json!({"code": invited["code"], "password": "short"}),
    );
    let session = asker.post(accept, accept, &chosen);

    let own = asker
        .site
        .as_bearer(session["token"].as_str().expect("a token"));
    let mut say = |method: &str, route: &str, path: &str, body: Option<&Value>| {
        let (status, answer) = own.exchange(method, path, body);
        asker.answers.push(json!({
            "method": method, "route": route, "status": status, "body": answer,
        }));
        answer
    };
    say("GET", "/v1/sessions", "/v1/sessions", None);
    say("GET", "/v1/whoami", "/v1/whoami", None);
    passkeys::add_use_and_remove(&mut say);
    let link = say(
        "POST",
        "/v1/sessions/link",
        "/v1/sessions/link",
        Some(&json!({})),
    );
    let by_link = json!({"code": link["code"]});
    say("POST", "/v1/sessions", "/v1/sessions", Some(&by_link));
    let change = json!({"old": "four lorries at dusk", "new": "six lorries at dawn"});
    say("POST", "/v1/password", "/v1/password", Some(&change));
    let arabic = json!({"language": "ar"});
    say("POST", "/v1/language", "/v1/language", Some(&arabic));
    say("DELETE", "/v1/sessions/{name}", "/v1/sessions/own", None);

    let reading = "/v1/looks/reading";
    asker.post(reading, reading, &json!({}));
    let wrong = json!({"account": "amira", "password": "five lorries"});
    asker.post("/v1/sessions", "/v1/sessions", &wrong);
    let act = "/v1/accounts/{account}/{act}";
    for path in ["/v1/accounts/Amira/lock", "/v1/accounts/Amira/unlock"] {
        asker.post(act, path, &json!({}));
    }
    let account = "/v1/accounts/{account}";
    asker.ask("DELETE", account, "/v1/accounts/Amira", None);
}

/// What people do at the site: trucks, holds, an entry, contested and refused values.
fn record_everything(asker: &mut Asker<'_>) {
    let by = |department: &str, mut body: Value| {
        body["officer"] = format!("OF-{department}").into();
        body["department"] = department.into();
        body
    };
    let truck = json!({
        "kind": "passage",
        "fields": {"direction": "in", "vehicle.plate": "22A00042", "container.1": "MSCU1234565"},
        "events": [{"type": "gate.in", "gate": "G1", "read": "ANPR-1"}],
    });
    let written = asker.post("/v1/records", "/v1/records", &by("PORT", truck));
    let id = written["record"].as_str().expect("written").to_string();
    let events = format!("/v1/records/{id}/events");
    let mut say = |body: Value| asker.post("/v1/records/{id}/events", &events, &body);

    let shown = written["heads"].clone();
    for seal in ["JO1", "JO2"] {
        let fields = json!({"fields": {"seal.1": seal}, "based_on": shown});
        say(by("CUS", fields));
    }
    say(by("K9", json!({"fields": {"vehicle.plate": "22A00043"}})));
    say(by(
        "OPS",
        json!({"events": [{"type": "weighed", "scale": "S1", "gross_kg": 31_000}]}),
    ));
    say(by(
        "PORT",
        json!({"events": [{"type": "gate.out", "gate": "G2", "reason": "none"}]}),
    ));
    say(by("PORT", json!({"events": [{"type": "no.such"}]})));

    let leaves = json!({"events": [{"type": "gate.out", "gate": "G2", "reason": "none"}]});
    let statement = format!("/v1/records/{id}/statement");
    let route = "/v1/records/{id}/statement";
    asker.post(route, &statement, &by("PORT", leaves));
    asker.post(route, &statement, &by("PORT", json!({"events": []})));

    let placed = json!({
        "type": "hold.placed", "type_of_hold": "CUSTOMS", "legal_basis": "art. 12",
    });
    let hold = json!({
        "kind": "hold",
        "fields": {"type": "CUSTOMS", "legal_basis": "art. 12"},
        "events": [placed, {"type": "link", "record": id}],
    });
    asker.post("/v1/records", "/v1/records", &by("CUS", hold));

    let entry = json!({
        "kind": "customs-entry",
        "fields": {"declarant": "D-1", "declarant_ref": "R-1", "goods.1.hs_code": "080390"},
        "events": [{"type": "registered", "registration_no": "N-1"}, {"type": "paid"}],
    });
    asker.post("/v1/records", "/v1/records", &by("CUS", entry));

    let lines = "{\"id\":\"K1\",\"direction\":\"in\",\"plate\":\"22-A-00001\"}\n{\"id\":7}\n";
    let imported = Value::from(lines);
    asker.post("/v1/imports", "/v1/imports", &imported);
    asker.post("/v1/imports", "/v1/imports", &imported);
    asker.post("/v1/imports", "/v1/imports", &Value::from(""));
}

/// An auditor's desk, cases and figures.
fn work_on_findings(at_hub: &mut Asker<'_>, finding: &str, acts: &str) {
    let views = "/v1/findings/desk/views";
    at_hub.post(
        views,
        views,
        &json!({"name": "mine", "query": "state=OPEN"}),
    );
    at_hub.post(views, views, &json!({"name": "", "query": ""}));
    let (snooze, path) = (
        "/v1/findings/{id}/snooze",
        format!("/v1/findings/{finding}/snooze"),
    );
    let now = at_hub.get("/v1/whoami", "/v1/whoami")["now_ms"].as_i64();
    let later = now.expect("a time") + 3_600_000;
    let until = json!({"crossings": ["HUB"], "through_ms": later});
    at_hub.post(snooze, &path, &until);
    at_hub.post(
        snooze,
        &path,
        &json!({"crossings": ["HUB"], "through_ms": 5}),
    );
    let desk = at_hub.get("/v1/findings/desk", "/v1/findings/desk");
    assert_eq!(desk["snoozed"][0]["finding"], finding);
    let rest = at_hub.get("/v1/findings", "/v1/findings?snoozed=without");
    let only = at_hub.get("/v1/findings", "/v1/findings?snoozed=only");
    assert_eq!(only["findings"][0]["finding"], finding);
    assert_eq!(only["count"], 1);
    assert_ne!(rest["findings"][0]["finding"], finding);

    at_hub.ask("DELETE", snooze, &path, None);
    at_hub.ask(
        "DELETE",
        "/v1/findings/desk/views/{name}",
        "/v1/findings/desk/views/mine",
        None,
    );
    at_hub.ask(
        "DELETE",
        "/v1/findings/desk/views/{name}",
        "/v1/findings/desk/views/mine",
        None,
    );

    // Two persons settle it, each with a token of their own: nobody is both by naming them.
    let decide = json!({"act": "decide", "approve": true, "disposition": "true"});
    at_hub.post("/v1/findings/{id}/acts", acts, &decide);
    for kind in ["plate", "officer", "outage"] {
        at_hub.get(
            "/v1/findings/cases",
            &format!("/v1/findings/cases?kind={kind}&limit=1"),
        );
    }

    let case = "/v1/findings/cases/{kind}/{key}";
    let found = at_hub.get(case, "/v1/findings/cases/plate/22A00042");
    assert!(found["findings"].as_u64() > Some(0), "{found}");
    at_hub.get(case, "/v1/findings/cases/plate/NONE");
    at_hub.get("/v1/findings", "/v1/findings?about=plate:22A00042");
    at_hub.get("/v1/findings/statistics", "/v1/findings/statistics");
    at_hub.get(
        "/v1/findings/statistics",
        "/v1/findings/statistics?until_ms=0&from_ms=1",
    );
}

/// What an operator does there.
fn operate(asker: &mut Asker<'_>) {
    let token = json!({"name": "gate", "scope": {"is": "device", "device": "G1"}});
    let gate = asker.post("/v1/tokens", "/v1/tokens", &token);
    asker.post("/v1/tokens", "/v1/tokens", &token);
    let read = json!({"kind": "passage", "device_seq": 1, "fields": {"direction": "in"}});
    let gate = gate["token"].as_str().expect("the token");
    let written = asker.site.post_as(gate, None, "/v1/records", &read);
    written.expect("a device says what it read");
    asker.get("/v1/tokens", "/v1/tokens");
    asker.ask("DELETE", "/v1/tokens/{name}", "/v1/tokens/gate", None);
    asker.post(
        "/v1/devices/anew",
        "/v1/devices/anew",
        &json!({"device": "G1"}),
    );
    asker.post(
        "/v1/devices/anew",
        "/v1/devices/anew",
        &json!({"device": "g-1"}),
    );

    let verify = "/v1/verify/{peer}";
    asker.get(verify, "/v1/verify/hub?quick=true");
    let nobody = asker.get(verify, "/v1/verify/nobody");
    let differences = "/v1/differences/{peer}";
    for asked in [
        "hub",
        "nobody",
        "hub?scope=passage/TRB",
        "hub?scope=roof",
        "hub?limit=101",
    ] {
        asker.get(differences, &format!("/v1/differences/{asked}"));
    }

    assert_eq!(nobody["code"], "unknown_peer", "{nobody}");

    let resync = asker.post("/v1/resyncs", "/v1/resyncs", &json!({"by": "Layla"}));
    let id = resync["id"].as_str().expect("a resync").to_string();
    asker.get("/v1/resyncs/{id}", &format!("/v1/resyncs/{id}"));
    asker.get("/v1/resyncs/{id}", "/v1/resyncs/none");
    let act = "/v1/resyncs/{id}/{act}";
    asker.post(
        act,
        &format!("/v1/resyncs/{id}/dance"),
        &json!({"by": "Layla"}),
    );

    let logs = asker.get("/v1/compare/logs", "/v1/compare/logs");
    let log = logs["logs"][0].clone();
    let (origin, size) = (&log["log"], &log["size"]);
    let root = format!(
        "/v1/compare/root?log={}&size={size}",
        origin.as_str().expect("a log")
    );
    asker.get("/v1/compare/root", &root);
}

/// Dismisses the newest refusal. It may come again meanwhile: whoever looked at it then looks
/// again.
fn dismiss_one(at_hub: &mut Asker, hub: &Site) {
    let path = "/v1/refusals/dismiss";
    for _ in 0..20 {
        let newest = hub.get("/v1/refusals").expect("refusals")["refusals"][0].clone();
        let body = json!({
            "subject": newest["subject"],
            "code": newest["code"],
            "times": newest["times"],
            "reason": "it was cut, and calls all the same",
        });
        if !at_hub.ask("POST", path, path, Some(&body))["dismissed"].is_null() {
            return;
        }
    }

    panic!("it is refused more often than anybody can look at it");
}

#[test]
fn every_answer_is_as_it_is_described() {
    let Some(python) = python() else { return };
    let mut world = World::default();
    world.start("hub", &[]);
    let link = Cable::to(world.site("hub").listen);
    let passkeys = format!("http_passkeys = [{:?}]", passkeys::ORIGIN);
    world.prepare("trb", &[("hub", link.address)], &passkeys);
    world.boot("trb");
    let (hub, trb) = (world.site("hub"), world.site("trb"));

    let mut at_site = Asker::of(trb);
    record_everything(&mut at_site);
    world.settle(&["hub", "trb"]);
    operate(&mut at_site);

    let mut at_hub = Asker::of(hub);
    let resyncs = "/v1/resyncs/{id}/{act}";
    world.wait("the plan is made", || {
        let all = trb.get("/v1/resyncs").expect("resyncs");
        all["resyncs"][0]["state"] == "planned"
    });
    let planned = trb.get("/v1/resyncs").expect("resyncs")["resyncs"][0]["id"].clone();
    let run = format!("/v1/resyncs/{}/run", planned.as_str().expect("an id"));
    at_site.post(resyncs, &run, &json!({"by": "Layla"}));
    world.wait("the resync is done", || {
        let all = trb.get("/v1/resyncs").expect("resyncs");
        all["resyncs"][0]["state"] == "done"
    });

    world.wait("the hub finds the exit of a truck that was held", || {
        let findings = hub.get("/v1/findings").expect("findings");
        findings["count"].as_u64() > Some(0)
    });
    let findings = hub.get("/v1/findings").expect("findings");
    let finding = findings["findings"][0]["finding"].clone();
    let acts = format!("/v1/findings/{}/acts", finding.as_str().expect("an id"));
    for auditor in ["AU-0", "AU-1", "AU-2"] {
        let said = json!({"say": "officer", "officer": auditor, "department": "HUB"});
        hub.post("/v1/control", &said).expect("registered");
    }
    let to = json!({"act": "assign", "to": "AU-1", "officer": "AU-0"});
    at_hub.post("/v1/findings/{id}/acts", &acts, &to);
    let route = "/v1/findings/{id}/statement";
    at_hub.post(route, &acts.replace("/acts", "/statement"), &to);
    let many = json!({"findings": [finding, "none"], "to": "AU-2", "officer": "AU-0"});
    at_hub.post("/v1/findings/assign", "/v1/findings/assign", &many);
    work_on_findings(&mut at_hub, finding.as_str().expect("an id"), &acts);
    let recheck = "/v1/findings/recheck";
    at_hub.ask("POST", recheck, recheck, Some(&Value::Null));

    let officer =
        json!({"say": "officer", "officer": "OF-9", "department": "CUS", "supervisor": true});
    at_hub.post("/v1/control", "/v1/control", &officer);
    at_hub.post("/v1/control", "/v1/control?dry_run=true", &officer);
    let key = json!({"say": "officer_key", "officer": "OF-9", "key": OFFICER_KEY});
    at_hub.post("/v1/control", "/v1/control?dry_run=true", &key);
    at_hub.post("/v1/control", "/v1/control", &key);
    at_hub.get("/v1/officers", "/v1/officers");
    let release = json!({
        "scope": "SECURITY", "department": "SEC", "hours": 24, "reason": "an outage is planned",
    });
    at_hub.post(
        "/v1/release-tokens",
        "/v1/release-tokens?person=Layla%20Hasan",
        &release,
    );
    at_hub.get("/v1/release-tokens", "/v1/release-tokens");
    let cut = json!({"say": "cut_node", "node": "trb", "reason": "overrun"});
    at_hub.post("/v1/control", "/v1/control?dry_run=true", &cut);

    let for_hub = json!({"for": "hub"});
    let bundle = at_site.post("/v1/bundles", "/v1/bundles?person=Layla%20Hasan", &for_hub);
    let part = format!(
        "/v1/bundles/{}/parts/1",
        bundle["bundle"].as_str().expect("a bundle")
    );
    let bytes = trb.bytes(&part);
    let import = "/v1/bundles/import?person=Layla%20Hasan";
    let taken = hub.post_bytes(import, &bytes);
    at_hub.answers.push(json!({
        "method": "POST",
        "route": "/v1/bundles/import",
        "status": 200,
        "body": taken.expect("it is taken"),
    }));
    at_hub.get("/v1/bundles/receipt", "/v1/bundles/receipt?for=trb");
    at_hub.get("/v1/bundles/{id}/parts/{part}", "/v1/bundles/none/parts/1");

    // What it wrote alone, and a stick brings after it was cut, is kept and does not count.
    link.pull();
    trb.truck("22-A-00077");
    let stick = trb
        .post("/v1/bundles?person=Layla%20Hasan", &for_hub)
        .expect("a bundle");
    let id = stick["bundle"].as_str().expect("an id");
    let bytes = trb.bytes(&format!("/v1/bundles/{id}/parts/1"));
    at_hub.post("/v1/control", "/v1/control?person=Layla%20Hasan", &cut);
    hub.post_bytes(import, &bytes).expect("it is taken");
    let found = hub.get("/v1/quarantine").expect("quarantine");
    assert!(!found["entries"].as_array().expect("entries").is_empty());

    // A node that was cut calls, is refused, and somebody dismisses that.
    link.plug();
    world.wait("the hub refuses who was cut", || !hub.refusals().is_empty());
    dismiss_one(&mut at_hub, hub);

    sign_somebody_in(&mut at_site);
    at_site.ask_common();
    at_hub.ask_common();

    let document = trb.get("/openapi.json").expect("the description");
    let (file, answers) = (
        world.dir().join("openapi.json"),
        world.dir().join("answers"),
    );
    std::fs::write(&file, document.to_string()).expect("written");
    let all: Vec<Value> = at_site.answers.into_iter().chain(at_hub.answers).collect();
    std::fs::write(&answers, Value::from(all).to_string()).expect("written");

    assert!(
        document["openapi"]
            .as_str()
            .expect("a version")
            .starts_with("3.1")
    );
    let valid = Command::new(&python)
        .args(["-m", "openapi_spec_validator"])
        .arg(&file)
        .output()
        .expect("python runs");
    assert_succeeds(&valid);

    let checked = Command::new(&python)
        .arg(scripts().join("conformance.py"))
        .args([&file, &answers])
        .output()
        .expect("python runs");
    assert_succeeds(&checked);
}

#[test]
fn a_generated_client_brings_a_truck_through_a_gate() {
    let Some(python) = python() else { return };
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let document = trb.get("/openapi.json").expect("the description");
    let file = world.dir().join("openapi.json");
    std::fs::write(&file, document.to_string()).expect("written");

    let client = world.dir().join("client");
    let config = world.dir().join("client.yml");
    // It formats what it made with programs that need not be here.
    std::fs::write(
        &config,
        "package_name_override: wadi_client\npost_hooks: []\n",
    )
    .expect("written");
    let made = Command::new(&python)
        .args(["-m", "openapi_python_client", "generate", "--path"])
        .arg(&file)
        .arg("--config")
        .arg(&config)
        .arg("--output-path")
        .arg(&client)
        .output()
        .expect("python runs");
    assert_succeeds(&made);

    let told = Command::new(&python)
        .arg(scripts().join("client_story.py"))
        .arg(&client)
        .args([trb.url(), trb.token()])
        .output()
        .expect("python runs");
    assert_succeeds(&told);
    assert_eq!(
        trb.get("/v1/records").expect("records")["records"][0]["state"],
        "ADMITTED"
    );
}
