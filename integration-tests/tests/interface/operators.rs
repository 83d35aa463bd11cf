//! Operators: whose token said what, and what an act would change before it is said.

use integration_tests::{OPERATOR, PATIENCE, Site, World, run, run_json};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    sync::mpsc,
    time::{Duration, Instant},
};

fn issue(site: &Site, body: Value) -> String {
    let issued = site.post("/v1/tokens", &body).unwrap();
    issued["token"].as_str().unwrap().to_string()
}

/// An answer to somebody who reads under a token.
fn answer_to(site: &Site, token: &str, path: &str) -> ureq::http::Response<ureq::Body> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let request = agent.get(format!("{}{path}", site.url()));
    request
        .header("authorization", format!("Bearer {token}"))
        .call()
        .unwrap()
}

/// The status of what is read under a token, and its text.
fn read_as(site: &Site, token: &str, path: &str) -> (u16, String) {
    let mut answer = answer_to(site, token, path);
    let status = answer.status().as_u16();
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    (status, text)
}

/// The stream of changes under a token.
fn follow(site: &Site, token: &str) -> impl BufRead {
    let answer = answer_to(site, token, "/v1/changes");
    assert_eq!(answer.status().as_u16(), 200);
    BufReader::new(answer.into_body().into_reader())
}

#[test]
fn a_token_is_a_persons_ends_by_itself_and_takes_its_streams_along_when_it_is_revoked() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");

    let gate = json!({"is": "officer", "officer": "OF-9", "department": "PORT"});
    let zaid = json!({"name": "zaid", "scope": gate, "person": "Zaid", "days": 30});
    let token = issue(trb, zaid);
    assert_eq!(read_as(trb, &token, "/v1/records").0, 200);

    // A number is one person's, and a person has one.
    let other_number = json!({"is": "officer", "officer": "OF-8", "department": "PORT"});
    for (name, scope, person) in [("two", other_number, "Zaid"), ("three", gate, "Omar")] {
        let second = json!({"name": name, "scope": scope, "person": person});
        let refused = trb.post("/v1/tokens", &second).unwrap_err();
        assert_eq!(refused["code"], "other_person", "{refused}");
    }

    let kept = || {
        let listed = trb.get("/v1/tokens").unwrap();
        let all = listed["tokens"].as_array().unwrap();
        all.iter().find(|t| t["name"] == "zaid").unwrap().clone()
    };
    world.wait("its use is noted", || kept()["last_used_ms"].is_i64());
    let kept = kept();
    let day = 86_400_000;
    let (created, ends) = (kept["created_ms"].as_i64(), kept["expires_ms"].as_i64());
    assert_eq!(ends, created.map(|ms| ms + 30 * day), "{kept}");
    assert_eq!(kept["person"], "Zaid");

    let listed = run(&trb.dir, &["token", "list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("officer OF-9 PORT"), "{listed}");

    // The stream goes on until the token is revoked, and not until somebody writes.
    trb.truck("11-A-1");
    let ended = std::thread::scope(|scope| {
        let token = &token;
        let (began, begun) = mpsc::channel();
        let stream = scope.spawn(move || {
            let mut lines = follow(trb, token).lines().map_while(Result::ok);
            lines.find(|line| line.starts_with("data: ")).unwrap();
            began.send(()).unwrap();

            lines.for_each(drop);
            Instant::now()
        });
        begun.recv_timeout(PATIENCE).expect("the stream begins");
        assert!(!stream.is_finished(), "a stream ended by itself");

        trb.delete("/v1/tokens/zaid").unwrap();
        let revoked = Instant::now();
        stream.join().unwrap().saturating_duration_since(revoked)
    });
    assert!(ended < Duration::from_secs(4), "{ended:?}");
    assert_eq!(read_as(trb, &token, "/v1/records").0, 401);
}

#[test]
fn the_stream_of_an_officer_who_is_revoked_ends_and_leaves_nothing_out() {
    let mut world = World::default();
    world.start_with_officer("OF-9", "PORT");
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let gate = json!({"is": "officer", "officer": "OF-9", "department": "PORT"});
    let token = &issue(
        trb,
        json!({"name": "zaid", "scope": gate, "person": "Zaid"}),
    );
    let first = trb.truck("11-A-00001");

    std::thread::scope(|scope| {
        let (began, begun) = mpsc::channel();
        let stream = scope.spawn(move || {
            let mut lines = follow(trb, token).lines().map_while(Result::ok);
            lines.find(|line| line.starts_with("data: ")).unwrap();
            began.send(()).unwrap();
            lines.for_each(drop);
        });
        begun.recv_timeout(PATIENCE).expect("the stream begins");

        let said = json!({
            "say": "officer", "officer": "OF-9", "department": "PORT", "revoked": true,
        });
        hub.post("/v1/control", &said).unwrap();
        // Nobody writes meanwhile: it ends by itself.
        world.wait("the stream ends", || stream.is_finished());
    });
    assert_eq!(read_as(trb, token, "/v1/records").0, 403);

    // In office again, whoever goes on hears of what was written meanwhile.
    let second = trb.truck("11-A-00002");
    let said = json!({"say": "officer", "officer": "OF-9", "department": "PORT"});
    hub.post("/v1/control", &said).unwrap();
    world.wait("the site has heard of it", || {
        read_as(trb, token, "/v1/records").0 == 200
    });
    let told = trb.listen_as(token, "/v1/changes", 2);
    for id in [first, second] {
        assert!(told.iter().any(|record| record["id"] == id), "{told:?}");
    }
}

#[test]
fn what_is_said_at_a_hub_carries_the_person_and_is_foreseen() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub").listen;
    world.start("trb", &[("hub", hub)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    trb.truck("11-A-1");
    world.settle(&["hub", "trb"]);

    let nobody = json!({"name": "nobody", "scope": {"is": "operator"}});
    let refused = hub.post("/v1/tokens", &nobody).unwrap_err();
    assert_eq!(refused["code"], "person_missing");
    let layla = json!({"name": "layla", "scope": {"is": "operator"}, "person": "Layla"});
    let layla = issue(hub, layla);

    // One value is set, and the others stay.
    let said =
        |pair: &str, more: &[&str]| run_json(&hub.dir, &[&["policy", "set", pair], more].concat());
    said("hold_deadline_h=48", &[]);
    let dry = said("distances_km.QAM-TRB=261", &["--dry-run"]);
    assert_eq!(
        dry["would"]["values"],
        json!([{"key": "distances_km.QAM-TRB", "from": 260, "to": 261}])
    );
    said("distances_km.QAM-TRB=261", &[]);

    std::fs::write(hub.dir.join("policy.json"), r#"{"recall_h": 7}"#).unwrap();
    let diff = run_json(&hub.dir, &["policy", "diff", "policy.json"]);
    assert_eq!(diff["would"]["values"][0]["key"], "recall_h", "{diff}");
    run_json(&hub.dir, &["say", "policy", "policy.json"]);

    // Under the machine's own token it is the person whom that named, and is told as a claim.
    let nobody = json!({"say": "policy", "policy": {"recall_h": 8}});
    let refused = hub.post("/v1/control", &nobody).unwrap_err();
    assert_eq!(refused["code"], "person_missing", "{refused}");
    let shown = run_json(&hub.dir, &["policy", "show"]);
    assert_eq!(
        (&shown["by"], &shown["by_token"]),
        (&json!(OPERATOR), &json!("operator"))
    );
    let policy = &shown["policy"];
    assert_eq!(
        (
            &shown["revision"],
            &policy["hold_deadline_h"],
            &policy["recall_h"]
        ),
        (&json!(3), &json!(48), &json!(7))
    );
    let distances = json!({"MAN-MUN": 78, "MUN-TRB": 629, "QAM-TRB": 261});
    assert_eq!(policy["distances_km"], distances);

    let own = json!({"say": "policy", "policy": {"recall_h": 9}});
    hub.post_as(&layla, None, "/v1/control", &own).unwrap();
    let shown = run_json(&hub.dir, &["policy", "show"]);
    assert_eq!(
        (&shown["by"], &shown["by_token"]),
        (&json!("Layla"), &json!(""))
    );

    // A cut is shown, not made; then made, and told of.
    let cut = ["say", "cut", "trb", "--reason", "overrun"];
    let dry = run_json(&hub.dir, &[&cut[..], &["--dry-run"]].concat());
    assert_eq!(dry["would"]["node"], "trb");
    assert!(
        dry["would"]["entries_that_count_on"].as_u64().unwrap() > 0,
        "{dry}"
    );
    let is_cut = || {
        let members = run_json(&hub.dir, &["members"]);
        let all = members["members"].as_array().unwrap().clone();
        all.iter().any(|m| m["node"] == "trb" && m["cut"] == true)
    };
    assert!(!is_cut(), "a dry run cuts nothing");

    let body = json!({"say": "cut_node", "node": "trb", "reason": "overrun", "all": true});
    let refused = hub.post("/v1/control", &body).unwrap_err();
    assert_eq!(refused["code"], "person_missing", "{refused}");
    assert!(!is_cut(), "nobody's word cuts nothing");
    let named = "/v1/control?person=Omar";
    let refused = hub.post_as(&layla, None, named, &body).unwrap_err();
    assert_eq!(refused["code"], "other_person", "{refused}");
    hub.post_as(&layla, None, "/v1/control", &body).unwrap();
    assert!(is_cut());

    // Each act carries its person, and says whether their own token said so.
    let said_by = |act: &str| {
        let told = run_json(&hub.dir, &["audit", "members"]);
        let all = told["acts"].as_array().unwrap().clone();
        let found = all.into_iter().find(|a| a["act"] == act);
        let found = found.unwrap_or_else(|| panic!("{act}: {told:#}"));
        json!([found["by"], found["by_token"]])
    };
    assert_eq!(said_by("cut"), json!(["Layla", ""]));

    let set_aside = || hub.get("/v1/quarantine").unwrap()["entries"][0]["entry"].clone();
    world.wait("what it said is set aside", || set_aside().is_string());
    let admit = json!({"say": "admit", "entries": [set_aside()], "reason": "seen on camera"});
    let refused = hub.post("/v1/control", &admit).unwrap_err();
    assert_eq!(refused["code"], "person_missing", "{refused}");
    hub.post_as(&layla, None, "/v1/control", &admit).unwrap();
    assert_eq!(said_by("admitted"), json!(["Layla", ""]));

    let uncut = ["say", "uncut", "trb", "--reason", "a drill"];
    run_json(&hub.dir, &[&uncut[..], &["--person", "ليلى حسن"]].concat());
    assert_eq!(said_by("uncut"), json!(["ليلى حسن", "operator"]));

    let closure = [
        "say",
        "closure",
        "TRB",
        "1700000000",
        "--reason",
        "flood",
        "--dry-run",
    ];
    let dry = run_json(&hub.dir, &closure);
    assert_eq!(dry["would"]["nodes"], json!(["trb"]), "{dry}");
    assert_eq!(dry["would"]["closed_before_s"], Value::Null);

    // Nobody speaks as another one.
    let body = json!({"site": "TRB", "reason": "r", "by": "Omar"});
    let refused = hub.post_as(&layla, None, "/v1/resyncs", &body).unwrap_err();
    assert_eq!(refused["code"], "other_person");
    // A dry run tells it, too.
    let said = json!({"say": "policy", "policy": {"recall_h": 9}});
    let path = "/v1/control?dry_run=true&person=Omar";
    let refused = hub.post_as(&layla, None, path, &said).unwrap_err();
    assert_eq!(refused["code"], "other_person");
    let path = "/v1/control?dry_run=true&person=Layla";
    hub.post_as(&layla, None, path, &said).unwrap();

    run_json(
        &hub.dir,
        &["say", "officer", "OF-1", "PORT", "--name", "Zaid"],
    );
    let officers = run_json(&hub.dir, &["officers"]);
    assert_eq!(officers["officers"][0]["officer"], "OF-1", "{officers}");
}

/// Letters that nothing compresses much, always the same ones.
fn noise(letters: usize, mut seed: u64) -> String {
    (0..letters)
        .map(|_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b'0' + (seed >> 33) as u8 % 74)
        })
        .filter(char::is_ascii_alphanumeric)
        .collect()
}

#[test]
fn a_link_that_is_paid_by_the_byte_shows_what_for_and_tells_when_its_month_ends() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub_link = format!(
        "[[peer]]\nname = \"hub\"\naddress = \"{}\"\nmonth_mib = 1\n",
        world.site("hub").listen
    );
    world.prepare("trb", &[], &hub_link);
    world.boot("trb");
    let trb = world.site("trb");
    let link = || trb.get("/v1/sites").unwrap()["peers"][0]["traffic"].clone();
    let alarms = || trb.get("/v1/sites").unwrap()["alarms"].to_string();

    // A truck goes over: what it cost is told by what it was for.
    trb.truck("11-A-1");
    world.settle(&["hub", "trb"]);
    world.wait("it is counted", || {
        link()["day"]["blocks_passage"]["sent"].as_u64() > Some(0)
    });
    let told = link();
    let sent = |purpose: &str| told["day"][purpose]["sent"].as_u64().unwrap_or(0);
    assert!(sent("handshake") > 1_000, "{told}");
    assert!(sent("frontier") > 100, "{told}");
    assert!(sent("packets") > 100, "{told}");
    assert_eq!(told["month_bytes_max"], 1 << 20);
    assert!(!alarms().contains("budget"), "{}", alarms());

    // The hub acknowledges with its cosignature, and counts its own end.
    let from_hub = world.site("hub").get("/v1/sites").unwrap();
    let peers = from_hub["peers"].as_array().unwrap();
    let of_trb = peers.iter().find(|p| p["node"] == "trb").unwrap();
    let cosigned = &of_trb["traffic"]["day"]["cosignatures"]["sent"];
    assert!(cosigned.as_u64() > Some(0), "{of_trb}");

    // All of it is what was on the wire: nothing is counted twice or left out.
    let day = told["day"].as_object().unwrap().values();
    let all: u64 = day.map(|ways| ways["sent"].as_u64().unwrap()).sum();
    assert_eq!(told["month"]["sent"].as_u64(), Some(all), "{told}");

    let truck = trb.truck("11-A-2");
    for n in 0..400 {
        trb.set(&truck, "note", noise(6_000, n).into(), None)
            .unwrap();
    }
    world.wait("somebody is told", || alarms().contains("month's budget"));
    let health = trb.get("/healthz").unwrap();
    let about = health["alarms"].to_string();
    assert!(about.contains("metered"), "{health}");

    let table = run(&trb.dir, &["status", "--traffic"]);
    let text = String::from_utf8_lossy(&table.stdout);
    assert!(text.contains("blocks passage"), "{text}");
    assert!(text.contains("at most 1 MiB a month"), "{text}");

    let metrics = read_as(trb, &trb.token(), "/metrics").1;
    let line = "wadi_link_day_bytes{node=\"hub\",purpose=\"handshake\",way=\"sent\"}";
    assert!(metrics.contains(line), "{metrics}");
    assert!(
        metrics.contains("wadi_link_month_bytes{node=\"hub\""),
        "{metrics}"
    );

    // What is over is not held back, and is counted on after a start.
    let before = link()["month"]["sent"].as_u64();
    world.settle(&["hub", "trb"]);
    world.wait("it was written down", || {
        link()["month"]["sent"].as_u64() > before
    });
    trb.stop();
    world.boot("trb");
    world.wait("it is told at once", || alarms().contains("month's budget"));
}

#[test]
fn null_gives_back_the_default_of_a_value_within_another_and_an_empty_list_is_warned_of() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub");
    let set = |pair: &str| run_json(&hub.dir, &["policy", "set", pair]);
    let shown = || run_json(&hub.dir, &["policy", "show"]);
    let diff = || run_json(&hub.dir, &["policy", "diff"])["not_default"].clone();

    let default = shown()["default"].clone();
    for (key, value) in [
        ("hold_owners.SECURITY", "[\"CUS\"]"),
        ("hold_owners.SECURITY", "[]"),
        ("acts.cleared", "[\"RAD\"]"),
        ("acts.cleared", "[]"),
        ("distances_km.QAM-TRB", "300"),
        ("distances_km.MAN-TRB", "500"),
    ] {
        let said = set(&format!("{key}={value}"));
        let is_warned = said["warnings"][0]
            .as_str()
            .is_some_and(|why| why.contains(key));
        assert_eq!(is_warned, value == "[]", "{key}={value}: {said}");
        let told = diff();
        assert_eq!(
            (told[0]["key"].as_str(), &told[1]),
            (Some(key), &Value::Null)
        );

        set(&format!("{key}=null"));
        assert_eq!(shown()["policy"], default, "{key}={value}");
        assert_eq!(diff(), json!([]));
    }

    // What is mistyped gives nothing back, and says so.
    let slip = run(&hub.dir, &["policy", "set", "hold_owners.SECURTY=null"]);
    let why = String::from_utf8_lossy(&slip.stderr).into_owned();
    assert!(!slip.status.success() && why.contains("SECURITY"), "{why}");
}
