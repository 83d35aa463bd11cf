//! A commission with two hubs: every command that means a hub, or a peer, works with either of them
//! and after one is gone.

use integration_tests::{Cable, World, run, run_json};
use serde_json::{Value, json};

fn told(world: &World, node: &str, arguments: &[&str]) -> String {
    let output = run(&world.site(node).dir, arguments);
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn every_command_works_with_a_pair_of_hubs_and_with_the_one_that_is_left() {
    let mut world = World::default();
    world.start("hub", &[]);
    let between = Cable::to(world.site("hub").listen);
    world.start("hub2", &[("hub", between.address)]);
    let (one, two) = (
        Cable::to(world.site("hub").listen),
        Cable::to(world.site("hub2").listen),
    );
    world.start("trb", &[("hub", one.address), ("hub2", two.address)]);
    let (hub, hub2, trb) = (world.site("hub"), world.site("hub2"), world.site("trb"));

    // What either hub says holds at all three.
    run_json(&hub.dir, &["say", "officer", "OF-7", "CUS"]);
    run_json(&hub2.dir, &["say", "officer", "OF-8", "CUS"]);
    run_json(&hub.dir, &["policy", "set", "hold_deadline_h=48"]);
    world.wait("the second hub has heard the policy of the first", || {
        hub2.get("/v1/policy").unwrap()["policy"]["hold_deadline_h"] == 48
    });
    run_json(&hub2.dir, &["policy", "set", "peers_min=7"]);
    let trucks: Vec<String> = (0..3).map(|n| trb.truck(&format!("22-A-{n:05}"))).collect();
    world.settle(&["hub", "hub2", "trb"]);
    for site in [hub, hub2, trb] {
        let policy = run_json(&site.dir, &["policy", "show"])["policy"].clone();
        assert_eq!(
            (&policy["hold_deadline_h"], &policy["peers_min"]),
            (&json!(48), &json!(7)),
            "the second one took nothing back"
        );
        let officers = run_json(&site.dir, &["officers"])["officers"].clone();
        assert_eq!(officers.as_array().unwrap().len(), 2);
        run_json(&site.dir, &["members"]);
        run_json(&site.dir, &["findings", "list"]);
        run_json(&site.dir, &["record", "list"]);
    }

    // Both stand in the status of the site, and the other one in that of each hub.
    let peers_of = |node: &str| -> Vec<String> {
        let peers = run_json(&world.site(node).dir, &["status"])["peers"].clone();
        let peers = peers.as_array().unwrap().clone();
        let names = peers
            .iter()
            .map(|p| p["node"].as_str().unwrap().to_string());
        names.collect()
    };
    for (node, peer) in [
        ("trb", "hub"),
        ("trb", "hub2"),
        ("hub", "hub2"),
        ("hub2", "hub"),
    ] {
        assert!(peers_of(node).contains(&peer.to_string()), "{node}: {peer}");
    }

    // With a name, and without one: a hub that names none means the other, and not itself.
    for (node, peer) in [
        ("trb", "hub"),
        ("trb", "hub2"),
        ("hub", "hub2"),
        ("hub2", "hub"),
    ] {
        let said = told(
            &world,
            node,
            &["resync", "verify", "--quick", "--peer", peer],
        );
        assert!(
            said.starts_with(&format!("EQUAL with {peer}")),
            "{node}: {said}"
        );
    }
    for (node, other) in [("hub", "hub2"), ("hub2", "hub")] {
        let said = told(&world, node, &["resync", "verify", "--quick"]);
        assert!(said.starts_with(&format!("EQUAL with {other}")), "{said}");
        let planned = run_json(
            &world.site(node).dir,
            &["resync", "plan", "--reason", "a test"],
        );
        assert_eq!(planned["peer"], other, "{planned}");
    }

    // Evidence of either is good, and a bundle is for either.
    for (n, node) in ["hub", "hub2", "trb"].into_iter().enumerate() {
        let dir = &world.site(node).dir;
        run_json(
            dir,
            &["audit", "evidence", &trucks[n], "-o", "case.evidence"],
        );
        let root = integration_tests::papers().join("certs/nodes/hub/root.pub");
        let root = root.to_str().unwrap();
        let checked = ["audit", "verify-evidence", "case.evidence", "--root", root];
        assert_eq!(run_json(dir, &checked)["valid"], true);
        run_json(dir, &["audit", "verify", "--config", "node.toml"]);
    }
    for (node, to) in [
        ("trb", "hub"),
        ("trb", "hub2"),
        ("hub", "hub2"),
        ("hub2", "trb"),
    ] {
        let file = format!("for-{to}");
        let export = ["bundle", "export", "--for", to, "-o", &file];
        let made = run_json(&world.site(node).dir, &export);
        assert!(made["entries"].is_u64(), "{node} for {to}: {made}");
    }

    // One hub is gone for good: the other one is enough.
    hub.stop();
    let id = trb.truck("22-A-00009");
    world.wait("the hub that is left has it", || hub2.record(&id).is_ok());
    world.wait("the site knows", || {
        let record: Value = trb.record(&id).unwrap();
        record["safety"] == "at_hub"
    });
    let said = told(&world, "trb", &["resync", "verify", "--quick"]);
    assert!(said.starts_with("EQUAL with hub2"), "{said}");
    let planned = run_json(&trb.dir, &["resync", "plan", "--reason", "a test"]);
    assert_eq!(planned["peer"], "hub2", "{planned}");
    run_json(&hub2.dir, &["say", "officer", "OF-9", "CUS"]);
    world.wait("the site hears of officers from it", || {
        let officers = trb.get("/v1/officers").unwrap()["officers"].clone();
        officers.as_array().unwrap().len() == 3
    });
}

/// An auditor who is known at both hubs, with a token at one of them.
fn auditor(world: &World, node: &str, name: &str) -> String {
    let dir = &world.site(node).dir;
    let command = [
        "token",
        "issue",
        name,
        "--officer",
        name,
        "--department",
        "HUB",
    ];
    let issued = run_json(dir, &command);
    issued["token"].as_str().expect("a token").to_string()
}

/// A truck that leaves although nobody let it: something for auditors to find.
fn leaves_unread(site: &integration_tests::Site, plate: &str) {
    let id = site.truck(plate);
    for event in [
        json!({"type": "gate.in", "gate": "G1", "read": "R1"}),
        json!({"type": "gate.out", "gate": "G1", "reason": "no reader"}),
    ] {
        site.say(&id, "PORT", event).ok();
    }
}

#[test]
fn what_one_hub_begins_the_other_ends_and_either_is_copied_restored_and_renewed() {
    let papers = integration_tests::issue_papers();
    let nodes = papers.path().join("certs/nodes");
    let mut world = World::default();
    world.start_with("hub", &nodes.join("hub"), &[]);
    let first = world.site("hub").listen;
    world.start_with("hub2", &nodes.join("hub2"), &[("hub", first)]);
    let second = world.site("hub2").listen;
    world.start_with(
        "trb",
        &nodes.join("trb"),
        &[("hub", first), ("hub2", second)],
    );
    let (hub, hub2, trb) = (world.site("hub"), world.site("hub2"), world.site("trb"));
    for officer in ["AU-1", "AU-2"] {
        run_json(&hub.dir, &["say", "officer", officer, "HUB"]);
    }
    leaves_unread(trb, "22-A-00001");
    world.settle(&["hub", "hub2", "trb"]);

    // Found by either, proposed at one, decided at the other, and so at both.
    let found = |node: &str| {
        let findings = world.site(node).get("/v1/findings").unwrap_or_default();
        findings["findings"][0]["finding"]
            .as_str()
            .map(String::from)
    };
    world.wait("both find the same", || {
        found("hub").is_some() && found("hub") == found("hub2")
    });
    let finding = found("hub").expect("found");
    world.wait("the second hub knows the auditors", || {
        let officers = hub2.get("/v1/officers").unwrap()["officers"].clone();
        officers.as_array().map(Vec::len) == Some(2)
    });
    let (proposer, decider) = (
        auditor(&world, "hub", "AU-1"),
        auditor(&world, "hub2", "AU-2"),
    );
    let propose = [
        "findings",
        "propose",
        &finding,
        "--reason",
        "the reader was away",
    ];
    run_json(&hub.dir, &[&propose[..], &["--token", &proposer]].concat());
    let state = |node: &str| {
        let path = format!("/v1/findings/{finding}");
        let shown = world.site(node).get(&path).unwrap_or_default();
        shown["state"].as_str().unwrap_or_default().to_string()
    };
    world.wait("the second hub has heard the proposal", || {
        state("hub2") == "PENDING_RESOLUTION"
    });
    let decide = [
        "findings",
        "decide",
        &finding,
        "--approve",
        "--disposition",
        "explained",
    ];
    run_json(&hub2.dir, &[&decide[..], &["--token", &decider]].concat());
    world.wait("it is settled at both", || {
        ["hub", "hub2"].iter().all(|node| state(node) == "RESOLVED")
    });

    // What is taken in at one is exported alike by both, and nothing of them differs.
    let lines = integration_tests::operations(1, 20);
    std::fs::write(hub2.dir.join("lines.ndjson"), lines).expect("written");
    let imported = run_json(&hub2.dir, &["import", "lines.ndjson"]);
    assert_eq!(imported["written"], 20, "{imported}");
    world.settle(&["hub", "hub2"]);
    let exported = |node: &str| -> Vec<String> {
        let output = run(
            &world.site(node).dir,
            &["export", "--format", "csv", "-o", "all.csv", "--force"],
        );
        assert!(output.status.success(), "{output:?}");
        let text = std::fs::read_to_string(world.site(node).dir.join("all.csv")).expect("a file");
        let mut ids: Vec<String> = text
            .lines()
            .filter_map(|line| Some(line.split(',').next()?.to_string()))
            .collect();
        ids.sort();
        ids
    };
    assert_eq!(exported("hub"), exported("hub2"));
    assert!(exported("hub").len() > 21);
    let (one, other) = (hub.dir.join("node.toml"), hub2.dir.join("node.toml"));
    let compare = |a: &std::path::Path, b: &std::path::Path| {
        let paths = [a, b].map(|path| path.to_str().expect("UTF-8"));
        run(
            world.dir(),
            &[&["--json", "audit", "compare"][..], &paths].concat(),
        )
    };
    world.wait("they are equal", || compare(&one, &other).status.success());

    // A copy of either is restored while the other one goes on, and gets back what it lacks.
    let copies = world.dir().join("copies");
    std::fs::create_dir(&copies).expect("made");
    for (node, peer) in [("hub2", "hub"), ("hub", "hub2")] {
        let (site, peer) = (world.site(node), world.site(peer));
        let made = run_json(
            &site.dir,
            &["backup", "-o", copies.to_str().expect("UTF-8")],
        );
        let file = made["file"].as_str().expect("a file").to_string();
        let later = trb.truck("33-B-00001");
        world.settle(&["hub", "hub2", "trb"]);
        site.stop();
        run_json(&site.dir, &["restore", &file, "--force-older"]);
        let meanwhile = trb.truck("33-B-00002");
        world.wait("the other hub goes on alone", || {
            peer.record(&meanwhile).is_ok()
        });
        world.boot(node);
        world.wait("it has what it lost, and what it missed", || {
            [&later, &meanwhile]
                .iter()
                .all(|id| site.record(id).is_ok())
        });
    }
    world.settle(&["hub", "hub2", "trb"]);

    let is_linked = |node: &str| {
        let sites = world.site(node).get("/v1/sites").unwrap_or_default();
        let peers = sites["peers"].as_array().cloned().unwrap_or_default();
        peers
            .iter()
            .any(|peer| peer["node"] == "hub2" && peer["connected"] == true)
    };
    // The certificates of both are renewed while they run; one is revoked, and the other is enough.
    for node in ["hub", "hub2"] {
        run_json(papers.path(), &["pki", "renew", node]);
    }
    let after = trb.truck("44-C-00001");
    world.wait("both still hear it", || {
        [hub, hub2].iter().all(|site| site.record(&after).is_ok()) && is_linked("trb")
    });
    run_json(papers.path(), &["pki", "revoke", "hub2"]);
    for node in ["hub", "trb"] {
        let list = nodes.join(node).join("crl.pem");
        std::fs::copy(papers.path().join("certs/crl.pem"), list).expect("copied");
    }
    world.wait("nobody has a link to the revoked one", || {
        !is_linked("hub") && !is_linked("trb")
    });
    let last = trb.truck("44-C-00002");
    world.wait("the hub that is left has it", || hub.record(&last).is_ok());
    assert!(hub2.record(&last).is_err());
    let listed = run_json(papers.path(), &["pki", "list"]);
    assert!(listed["nodes"].as_array().is_some_and(|all| all.len() >= 3));
}
