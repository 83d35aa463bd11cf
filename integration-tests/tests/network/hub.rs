//! The hub as auditors and operators know it: on PostgreSQL, with a standby, with findings that
//! live.

use integration_tests::{Cable, SITES, Site, World, operations, run, run_json};
use serde_json::{Value, json};
use wadi_store::TemporaryServer;

fn records(site: &Site) -> i64 {
    site.get("/v1/sites")
        .ok()
        .and_then(|s| s["records"].as_i64())
        .unwrap_or(-1)
}

fn stands_by(site: &Site) -> bool {
    site.get("/readyz")
        .err()
        .is_some_and(|e| e["code"] == "standing_by")
}

/// Records of a crossing's passages, as a node's status counts them.
fn passages(status: &Value, crossing: &str) -> i64 {
    let mut scopes = status["scopes"].as_array().into_iter().flatten();
    let scope = scopes.find(|s| s["lane"] == "passage" && s["crossing"] == crossing);
    scope.and_then(|s| s["records"].as_i64()).unwrap_or(-1)
}

#[test]
fn a_standby_takes_over_in_the_middle_of_six_crossings_catch_up_and_nothing_is_lost_or_doubled() {
    const EACH: u32 = 600;
    let all = i64::from(EACH) * SITES.len() as i64;
    let mut world = World::default();
    let server = TemporaryServer::start(&world.dir().join("pg")).expect("PostgreSQL is installed");
    let database = format!("database = {:?}", server.create("wadi").unwrap());

    world.prepare("hub", &[], &database);
    world.prepare("hub2", &[], &database);
    world.boot("hub");
    world.launch("hub2");
    world.wait("the second daemon stands by", || {
        stands_by(world.site("hub2"))
    });

    // Six crossings write alone, then all links come up at once.
    let mut cables = Vec::new();
    for name in SITES {
        let (one, two) = (
            Cable::to(world.site("hub").listen),
            Cable::to(world.site("hub2").listen),
        );

        one.pull();
        two.pull();
        world.prepare(name, &[("hub", one.address), ("hub2", two.address)], "");
        world.launch(name);
        cables.extend([one, two]);
    }

    let operations_of = |n: usize| operations(n as u32 * 1_000, EACH);
    for (n, name) in SITES.into_iter().enumerate() {
        let site = world.site(name);
        world.wait(&format!("{name} is ready"), || site.get("/readyz").is_ok());
        let done = site.post_text("/v1/imports", &operations_of(n)).unwrap();
        assert_eq!(
            (&done["written"], &done["bad"]),
            (&json!(EACH), &json!(0)),
            "{name}"
        );
    }

    cables.iter().for_each(Cable::plug);
    let (hub, hub2) = (world.site("hub"), world.site("hub2"));
    world.wait("the hub is in the middle of it", || {
        (30..all - 30).contains(&records(hub))
    });
    hub.kill();
    world.wait("the standby has taken over", || hub2.get("/readyz").is_ok());
    world.wait("everything has come", || records(hub2) == all);

    // Each crossing and the hub hold the same entries, documents and states; nothing waits, and
    // nothing is unsent.
    world.settle(&[&["hub2"], &SITES[..]].concat());
    let at_hub = hub2.get("/v1/sites").unwrap();
    assert_eq!(
        (&at_hub["records"], &at_hub["waiting"]),
        (&json!(all), &json!(0))
    );

    for (n, name) in SITES.into_iter().enumerate() {
        let site = world.site(name);
        // Whoever sends the same once more writes nothing.
        let again = site.post_text("/v1/imports", &operations_of(n)).unwrap();
        assert_eq!(
            (&again["written"], &again["repeated"]),
            (&json!(0), &json!(EACH)),
            "{name}"
        );

        let status = site.get("/v1/sites").unwrap();
        let crossing = name.to_uppercase();
        assert_eq!(
            (&status["records"], &status["unsent"]),
            (&json!(EACH), &json!(0)),
            "{name}"
        );

        let (here, there) = (passages(&status, &crossing), passages(&at_hub, &crossing));
        assert_eq!((here, there), (i64::from(EACH), i64::from(EACH)), "{name}");

        for plate in [0, EACH / 2, EACH - 1].map(|k| format!("22-A-{:05}", n as u32 * 1_000 + k)) {
            let found = hub2.get(&format!("/v1/records?plate={plate}")).unwrap();
            assert_eq!(found["records"].as_array().unwrap().len(), 1, "{plate}");
        }
    }

    // What the two hubs wrote one after the other is right to the last hash and signature, and so
    // is each crossing's.
    for name in [&["hub2"], &SITES[..]].concat() {
        let verified = run_json(
            &world.site(name).dir,
            &["audit", "verify", "--config", "node.toml"],
        );
        assert_eq!(
            (&verified["damaged"], &verified["first"]),
            (&json!(0), &Value::Null),
            "{name}"
        );

        let entries = if name == "hub2" { all } else { i64::from(EACH) };
        assert!(
            verified["entries"].as_i64().unwrap() > entries,
            "{name}: {verified}"
        );
    }

    // Whoever names no peer means the hub in contact, whatever it is called.
    let trb = world.site("trb");
    let verified = run(&trb.dir, &["resync", "verify", "--quick"]);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(said.starts_with("EQUAL with hub2"), "{verified:?}");

    // The first one comes back as the standby of the second.
    world.launch("hub");
    world.wait("the first daemon stands by now", || stands_by(hub));
    hub2.stop();
    world.wait("and takes over again", || records(hub) == all);
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
    assert!(
        !refused.status.success()
            && String::from_utf8_lossy(&refused.stdout).contains("already_running")
    );

    hub.stop();
    let moved: Value = serde_json::from_slice(&move_it().stdout).unwrap();
    assert!(moved["entries"].as_u64().unwrap() > 60, "{moved}");

    // Started on the old configuration it says where its records are, and begins nothing anew.
    let lost = run(&hub.dir, &["--json", "node", "run"]);
    assert!(
        String::from_utf8_lossy(&lost.stdout).contains("database_moved"),
        "{lost:?}"
    );

    let config = hub.dir.join("node.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("database = {url:?}\n{text}")).unwrap();
    world.boot("hub");

    let passages = |scopes: &Value| {
        let all = scopes.as_array().unwrap().iter();
        all.filter(|s| s["lane"] == "passage")
            .cloned()
            .collect::<Vec<_>>()
    };

    assert_eq!(
        passages(&hub.get("/v1/sites").unwrap()["scopes"]),
        passages(&before),
        "record for record the same"
    );

    trb.post_text("/v1/imports", &operations(60, 10)).unwrap();
    world.settle(&["hub", "trb"]);
    assert_eq!(records(hub), 70);
}

fn find(hub: &Site, rule: &str) -> Option<Value> {
    let all = hub.get(&format!("/v1/findings?rule={rule}")).ok()?;
    all["findings"].as_array()?.first().cloned()
}

/// An auditor's own token.
fn auditor(at: &Site, officer: &str) -> String {
    let scope = json!({"is": "officer", "officer": officer, "department": "HUB"});
    let body = json!({"name": officer, "scope": scope, "person": format!("Auditor {officer}")});
    let issued = at.post("/v1/tokens", &body).unwrap();
    issued["token"].as_str().unwrap().to_string()
}

fn acts_on(finding: &Value) -> String {
    format!("/v1/findings/{}/acts", finding["finding"].as_str().unwrap())
}

/// What an auditor does, with their own token.
fn act(at: &Site, token: &str, finding: &Value, act: Value) -> Result<Value, Value> {
    at.post_as(token, None, &acts_on(finding), &act)
}

#[test]
fn an_officer_who_attests_his_own_weighing_is_found_and_two_auditors_settle_it() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    for auditor in ["AU-1", "AU-2"] {
        hub.post(
            "/v1/control",
            &json!({"say": "officer", "officer": auditor, "department": "HUB"}),
        )
        .unwrap();
    }

    let id = trb.truck("22-A-00001");
    let weighed = |id: &str, by: &str| {
        let e = json!({
            "type": "weighed",
            "scale": "S1",
            "gross_kg": 31_000,
            "attested_by": by,
            "attester_department": "CUS",
        });
        trb.say(id, "OPS", e).unwrap()
    };

    weighed(&id, "OF-1");
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
    for auditor in ["AU-1", "AU-2"] {
        let said = json!({"say": "officer", "officer": auditor, "department": "HUB"});
        hub.post("/v1/control", &said).unwrap();
    }
    // Of an auditor whom nobody registered the finding would lie with nobody.
    let typo = json!({"findings": [finding["finding"]], "to": "AU-11", "officer": "AU-2"});
    let told = hub.post("/v1/findings/assign", &typo).unwrap();
    assert_eq!(told["refused"][0]["code"], "bad_value", "{told}");

    // In bulk: what cannot be assigned is named, and the rest is.
    let body = json!({"findings": [finding["finding"], "none"], "to": "AU-1", "officer": "AU-2"});
    let bulk = hub.post("/v1/findings/assign", &body).unwrap();
    assert_eq!(
        (
            bulk["assigned"].as_array().unwrap().len(),
            &bulk["refused"][0]["code"]
        ),
        (1, &json!("no_such_finding"))
    );

    world.wait("it is assigned", || state("ASSIGNED"));
    let decide = || json!({"act": "decide", "approve": true, "disposition": "explained"});
    let [first, second, unregistered] = ["AU-1", "AU-2", "AU-9"].map(|who| auditor(hub, who));
    assert_eq!(
        act(hub, &second, &finding, decide()).unwrap_err()["code"],
        "nothing_proposed"
    );
    let undo = json!({"act": "undo", "event": "nope", "reason": "r"});
    let told = act(hub, &second, &finding, undo).unwrap_err();
    assert_eq!(told["code"], "nothing_to_undo");
    assert!(told["detail"].to_string().contains("no act nope"), "{told}");

    let proposal = json!({"act": "propose", "waive": true, "reason": "training"});
    act(hub, &first, &finding, proposal).unwrap();

    // Whoever has this machine is not two persons by naming them.
    let mut posing = decide();
    posing["officer"] = "AU-2".into();
    assert_eq!(
        hub.post(&acts_on(&finding), &posing).unwrap_err()["code"],
        "own_token_needed"
    );

    // Who decides is not who proposed, and is an auditor whom the hub registered.
    assert_eq!(
        act(hub, &first, &finding, decide()).unwrap_err()["code"],
        "own_proposal"
    );
    assert_eq!(
        act(hub, &unregistered, &finding, decide()).unwrap_err()["code"],
        "unregistered_officer"
    );

    // An approval says what the finding was, and a duplicate of what.
    let undisposed = json!({"act": "decide", "approve": true});
    assert_eq!(
        act(hub, &second, &finding, undisposed).unwrap_err()["code"],
        "no_disposition"
    );
    for other in [Value::Null, "none".into(), finding["finding"].clone()] {
        let mut duplicate = json!({"act": "decide", "approve": true, "disposition": "duplicate"});
        duplicate["duplicate_of"] = other;
        assert_eq!(
            act(hub, &second, &finding, duplicate).unwrap_err()["code"],
            "bad_duplicate"
        );
    }

    act(hub, &second, &finding, decide()).unwrap();
    let shown = hub.get(&format!(
        "/v1/findings/{}",
        finding["finding"].as_str().unwrap()
    ));
    assert_eq!(shown.unwrap()["life"]["disposition"], "explained");
    assert_eq!(
        act(hub, &second, &finding, decide()).unwrap_err()["code"],
        "already_decided"
    );

    world.wait("it is waived", || state("WAIVED"));
    world.wait("the site hears of it", || {
        trb.get("/v1/findings").unwrap_or_default()["findings"][0]["state"] == "WAIVED"
    });
    let undo = json!({"act": "undo", "reason": "wrong one"});
    act(hub, &second, &finding, undo).unwrap();

    world.wait("it waits for its decision again", || {
        state("PENDING_RESOLUTION")
    });
    assert_eq!(
        act(trb, &auditor(trb, "AU-2"), &finding, decide()).unwrap_err()["code"],
        "not_a_hub"
    );

    // The same once more is one cause, counted; on another truck it is another finding.
    weighed(&id, "OF-1");
    world.wait("it is counted", || {
        find(hub, "R22").is_some_and(|f| f["text"].to_string().contains("1 more of this kind"))
    });

    let count = || hub.get("/v1/findings").unwrap()["count"].clone();
    assert_eq!(count(), 1);

    weighed(&trb.truck("22-A-00002"), "OF-1");
    world.wait("the second one is found", || count() == 2);

    // The counts are exact, and looking at everything afresh changes nothing.
    let before = hub.get("/v1/findings").unwrap();
    hub.post("/v1/findings/recheck", &json!({})).unwrap();
    world.settle(&["hub", "trb"]);
    assert_eq!(hub.get("/v1/findings").unwrap()["counts"], before["counts"]);

    let page = hub.get("/v1/findings?limit=1").unwrap();
    let next = page["next_after"].as_str().unwrap();
    let rest = hub
        .get(&format!("/v1/findings?limit=1&after={next}"))
        .unwrap();
    assert_ne!(
        page["findings"][0]["finding"],
        rest["findings"][0]["finding"]
    );
    assert_eq!(
        hub.get("/v1/findings?after=x").unwrap_err()["code"],
        "bad_cursor"
    );

    // Of two findings one may repeat the other: not each the other, so that nothing stays open.
    let all = before["findings"].as_array().unwrap();
    let other = all.iter().find(|f| f["finding"] != finding["finding"]);
    let other = other.unwrap();
    let duplicate = |of: &Value| {
        let mut duplicate = json!({"act": "decide", "approve": true, "disposition": "duplicate"});
        duplicate["duplicate_of"] = of.clone();
        duplicate
    };
    let propose = || json!({"act": "propose", "waive": true, "reason": "the same"});
    act(hub, &first, &finding, propose()).unwrap();
    act(hub, &second, &finding, duplicate(&other["finding"])).unwrap();
    act(hub, &first, other, propose()).unwrap();
    assert_eq!(
        act(hub, &second, other, duplicate(&finding["finding"])).unwrap_err()["code"],
        "bad_duplicate"
    );
}

#[test]
fn the_api_is_served_under_the_nodes_own_certificate() {
    let mut world = World::default();
    world.prepare("trb", &[], "http_tls = true");
    world.launch("trb");

    let dir = world.site("trb").dir.clone();
    let status = || run(&dir, &["--json", "status"]);
    world.wait("the command line reaches it over TLS", || {
        status().status.success()
    });

    let told: Value = serde_json::from_slice(&status().stdout).unwrap();
    assert_eq!(told["node"], "trb");
    assert!(
        world.site("trb").get("/readyz").is_err(),
        "it answers in the clear"
    );

    // Callers that say nothing keep nobody else waiting.
    let config = std::fs::read_to_string(dir.join("node.toml")).unwrap();
    let address = config
        .lines()
        .find_map(|l| l.strip_prefix("http = "))
        .unwrap()
        .trim_matches('"')
        .to_string();

    let _silent: Vec<_> = (0..3)
        .map(|_| std::net::TcpStream::connect(&address).unwrap())
        .collect();
    assert!(status().status.success());
}
