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
