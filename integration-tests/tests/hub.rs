//! The hub as auditors and operators know it: on PostgreSQL, with a standby, with findings that live.

use integration_tests::{Cable, Site, World, run};
use serde_json::{Value, json};
use wadi_store::TemporaryServer;

fn operations(from: u32, count: u32) -> String {
    let line = |n: u32| {
        json!({
            "id": format!("K{n}"), "plate": format!("22-A-{n:05}"), "direction": "in", "status": "arrived",
            "gross_kg": 31_000, "tare_kg": 14_000, "officer": "OF-1"
        })
    };
    (from..from + count).map(|n| line(n).to_string() + "\n").collect()
}

fn records(site: &Site) -> i64 {
    site.get("/v1/sites").ok().and_then(|s| s["records"].as_i64()).unwrap_or(-1)
}

#[test]
fn a_standby_takes_over_in_the_middle_of_the_catch_up_and_nothing_is_lost_or_doubled() {
    let mut world = World::default();
    let server = TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    let database = format!("database = {:?}", server.create("wadi").unwrap());
    world.prepare("hub", &[], &database);
    world.prepare("hub2", &[], &database);
    world.boot("hub");
    world.launch("hub2");
    let standing_by = || world.site("hub2").get("/readyz").err().is_some_and(|e| e["code"] == "standing_by");
    world.wait("the second daemon stands by", standing_by);
    // Two crossings write alone, then both links come up at once.
    let cables: Vec<(Cable, Cable)> =
        (0..2).map(|_| (Cable::to(world.site("hub").listen), Cable::to(world.site("hub2").listen))).collect();
    for (name, (one, two)) in ["trb", "qam"].into_iter().zip(&cables) {
        one.pull();
        two.pull();
        world.start(name, &[("hub", one.address), ("hub2", two.address)]);
        world.site(name).post_text("/v1/imports", &operations(0, 400)).unwrap();
    }
    for (one, two) in &cables {
        one.plug();
        two.plug();
    }
    world.wait("the hub is in the middle of it", || (50..700).contains(&records(world.site("hub"))));
    world.site("hub").kill();
    world.wait("the standby has taken over", || world.site("hub2").get("/readyz").is_ok());
    world.wait("everything has come", || records(world.site("hub2")) == 800);
    let hub2 = world.site("hub2");
    let found = hub2.get("/v1/records?plate=22-A-00007").unwrap();
    assert_eq!(found["records"].as_array().unwrap().len(), 2, "one of each crossing, and none twice");
    // The first one comes back as the standby of the second.
    world.launch("hub");
    let first = || world.site("hub").get("/readyz").err().is_some_and(|e| e["code"] == "standing_by");
    world.wait("the first daemon stands by now", first);
    hub2.stop();
    world.wait("and takes over again", || records(world.site("hub")) == 800);
}

#[test]
fn a_hub_moves_from_its_own_disk_to_postgres_and_its_sites_do_not_notice() {
    let mut world = World::default();
    let server = TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    let url = server.create("wadi").unwrap();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    trb.post_text("/v1/imports", &operations(0, 60)).unwrap();
    world.settle(&["hub", "trb"]);
    let before = hub.get("/v1/sites").unwrap()["scopes"].clone();
    let move_it = || run(&hub.dir, &["--json", "node", "move-store", "--to", &url]);
    let refused = move_it();
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stdout).contains("already_running"));
    hub.stop();
    let moved: Value = serde_json::from_slice(&move_it().stdout).unwrap();
    assert!(moved["entries"].as_u64().unwrap() > 60, "{moved}");
    // Started on the old configuration it says where its records are, and begins nothing anew.
    let lost = run(&hub.dir, &["--json", "node", "run"]);
    assert!(String::from_utf8_lossy(&lost.stdout).contains("database_moved"), "{lost:?}");
    let config = hub.dir.join("node.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("database = {url:?}\n{text}")).unwrap();
    world.boot("hub");
    let passages = |scopes: &Value| {
        let all = scopes.as_array().unwrap().iter();
        all.filter(|s| s["lane"] == "passage").cloned().collect::<Vec<_>>()
    };
    assert_eq!(passages(&hub.get("/v1/sites").unwrap()["scopes"]), passages(&before), "record for record the same");
    trb.post_text("/v1/imports", &operations(60, 10)).unwrap();
    world.settle(&["hub", "trb"]);
    assert_eq!(records(hub), 70);
}

fn find(hub: &Site, rule: &str) -> Option<Value> {
    let all = hub.get(&format!("/v1/findings?rule={rule}")).ok()?;
    all["findings"].as_array()?.first().cloned()
}

fn act(hub: &Site, finding: &Value, act: Value) -> Result<Value, Value> {
    hub.post(&format!("/v1/findings/{}/acts", finding["finding"].as_str().unwrap()), &act)
}

#[test]
fn an_officer_who_attests_his_own_weighing_is_found_and_two_auditors_settle_it() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    for auditor in ["AU-1", "AU-2"] {
        hub.post("/v1/control", &json!({"say": "officer", "officer": auditor, "department": "HUB"})).unwrap();
    }
    let id = trb.truck("22-A-00001");
    let weighed = |by: &str| {
        let e = json!({"type": "weighed", "scale": "S1", "gross_kg": 31_000, "attested_by": by, "attester_department": "CUS"});
        trb.say(&id, "OPS", e).unwrap()
    };
    weighed("OF-1");
    world.wait("the hub finds it", || find(hub, "R22").is_some());
    let finding = find(hub, "R22").unwrap();
    assert_eq!(
        (&finding["phase"], &finding["state"], &finding["severity"]),
        (&json!("FIRM"), &json!("OPEN"), &json!(1))
    );
    world.wait("the site sees it on its record", || {
        let shown = trb.get("/v1/findings").unwrap_or_default();
        shown["findings"][0]["finding"] == finding["finding"]
    });
    let state = |want: &str| find(hub, "R22").is_some_and(|f| f["state"] == want);
    // In bulk: what cannot be assigned is named, and the rest is.
    let body = json!({"findings": [finding["finding"], "none"], "to": "AU-1", "officer": "AU-2"});
    let bulk = hub.post("/v1/findings/assign", &body).unwrap();
    assert_eq!(
        (bulk["assigned"].as_array().unwrap().len(), &bulk["refused"][0]["code"]),
        (1, &json!("no_such_finding"))
    );
    world.wait("it is assigned", || state("ASSIGNED"));
    let decide = |who: &str| json!({"act": "decide", "approve": true, "officer": who});
    assert_eq!(act(hub, &finding, decide("AU-2")).unwrap_err()["code"], "nothing_proposed");
    act(hub, &finding, json!({"act": "propose", "waive": true, "reason": "training", "officer": "AU-1"})).unwrap();
    // Who decides is not who proposed, and is an auditor whom the hub registered.
    assert_eq!(act(hub, &finding, decide("AU-1")).unwrap_err()["code"], "own_proposal");
    assert_eq!(act(hub, &finding, decide("AU-9")).unwrap_err()["code"], "unregistered_officer");
    act(hub, &finding, decide("AU-2")).unwrap();
    assert_eq!(act(hub, &finding, decide("AU-2")).unwrap_err()["code"], "already_decided");
    world.wait("it is waived", || state("WAIVED"));
    world.wait("the site hears of it", || {
        trb.get("/v1/findings").unwrap_or_default()["findings"][0]["state"] == "WAIVED"
    });
    act(hub, &finding, json!({"act": "undo", "reason": "wrong one", "officer": "AU-2"})).unwrap();
    world.wait("it waits for its decision again", || state("PENDING_RESOLUTION"));
    assert_eq!(act(trb, &finding, decide("AU-2")).unwrap_err()["code"], "not_a_hub");
    // The counts are exact, and looking at everything afresh changes nothing.
    weighed("OF-1");
    let count = || hub.get("/v1/findings").unwrap()["count"].clone();
    world.wait("the second one is found", || count() == 2);
    let before = hub.get("/v1/findings").unwrap();
    hub.post("/v1/findings/recheck", &json!({})).unwrap();
    world.settle(&["hub", "trb"]);
    assert_eq!(hub.get("/v1/findings").unwrap()["counts"], before["counts"]);
    let page = hub.get("/v1/findings?limit=1").unwrap();
    let next = page["next_after"].as_str().unwrap();
    let rest = hub.get(&format!("/v1/findings?limit=1&after={next}")).unwrap();
    assert_ne!(page["findings"][0]["finding"], rest["findings"][0]["finding"]);
    assert_eq!(hub.get("/v1/findings?after=x").unwrap_err()["code"], "bad_cursor");
}

#[test]
fn the_api_is_served_under_the_nodes_own_certificate() {
    let mut world = World::default();
    world.prepare("trb", &[], "http_tls = true");
    world.launch("trb");
    let dir = world.site("trb").dir.clone();
    let status = || run(&dir, &["--json", "status"]);
    world.wait("the command line reaches it over TLS", || status().status.success());
    let told: Value = serde_json::from_slice(&status().stdout).unwrap();
    assert_eq!(told["node"], "trb");
    assert!(world.site("trb").get("/readyz").is_err(), "it answers in the clear");
    // Callers that say nothing keep nobody else waiting.
    let config = std::fs::read_to_string(dir.join("node.toml")).unwrap();
    let address = config.lines().find_map(|l| l.strip_prefix("http = ")).unwrap().trim_matches('"').to_string();
    let _silent: Vec<_> = (0..3).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    assert!(status().status.success());
}
