//! The commission's certificates: revoked ones are not let in, renewed ones are, and a CA is never overwritten.

use integration_tests::{World, run, run_json};
use serde_json::json;

#[test]
fn a_revoked_certificate_is_not_let_in_and_a_renewed_one_is() {
    let ca = tempfile::tempdir().unwrap();
    run_json(ca.path(), &["pki", "init"]);
    run_json(ca.path(), &["pki", "issue", "hub", "--role", "hub"]);
    run_json(ca.path(), &["pki", "issue", "trb", "--crossing", "TRB"]);
    let again = run(ca.path(), &["--json", "pki", "init"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stdout).contains("ca_exists"));
    let twice = run(ca.path(), &["--json", "pki", "issue", "trb", "--crossing", "TRB"]);
    assert!(String::from_utf8_lossy(&twice.stdout).contains("node_exists"));
    run_json(ca.path(), &["pki", "revoke", "trb"]);
    let nodes = ca.path().join("certs/nodes");
    let mut world = World::default();
    world.start_with("hub", &nodes.join("hub"), &[]);
    // The node that was revoked does not know it yet: somebody has its papers.
    std::fs::remove_file(nodes.join("trb/crl.pem")).unwrap();
    world.start_with("trb", &nodes.join("trb"), &[("hub", world.site("hub").listen)]);
    let id = world.site("trb").truck("11-A-00001");
    let hub = world.site("hub");
    world.wait("the hub shows that it was not let in", || hub.refusals().contains(&"not_let_in".to_string()));
    assert!(hub.record(&id).is_err());
    // The commission finds the node in good hands and renews its certificate: the same keys, another serial number.
    world.site("trb").stop();
    run_json(ca.path(), &["pki", "renew", "trb"]);
    world.boot("trb");
    world.wait("the hub hears it again", || hub.record(&id).is_ok());
    let listed = run_json(ca.path(), &["pki", "list"]);
    assert_eq!(listed["nodes"].as_array().unwrap().len(), 2);
}

#[test]
fn a_certificate_that_expired_during_an_outage_still_lets_its_node_hand_in_what_it_holds() {
    let ca = tempfile::tempdir().unwrap();
    run_json(ca.path(), &["pki", "init"]);
    run_json(ca.path(), &["pki", "issue", "hub", "--role", "hub"]);
    run_json(ca.path(), &["pki", "issue", "trb", "--crossing", "TRB"]);
    run_json(ca.path(), &["pki", "renew", "trb", "--days", "0"]);
    let nodes = ca.path().join("certs/nodes");
    let mut world = World::default();
    world.start_with("hub", &nodes.join("hub"), &[]);
    // Said by the hub while the site was away: it is not for whoever has an old certificate.
    let hub = world.site("hub");
    hub.post("/v1/control", &json!({"say": "officer", "officer": "OF-9", "department": "VET"})).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    world.start_with("trb", &nodes.join("trb"), &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let ids: Vec<String> = (0..5).map(|n| trb.truck(&format!("11-A-{n:05}"))).collect();
    world.wait("the hub hears what it holds", || ids.iter().all(|id| hub.record(id).is_ok()));
    world.wait("the site knows that it is safe", || ids.iter().all(|id| trb.record(id).unwrap()["safety"] == "at_hub"));
    let alarms = trb.get("/v1/sites").unwrap()["alarms"].to_string();
    assert!(alarms.contains("certificate has expired"), "{alarms}");
    assert!(hub.refusals().contains(&"certificate_expired".to_string()), "the hub shows it, too");
    let holds_hubs_word = || {
        let scopes = trb.get("/v1/sites").unwrap()["scopes"].clone();
        scopes.as_array().unwrap().iter().any(|s| s["crossing"] == "HUB")
    };
    assert!(!holds_hubs_word(), "it takes nothing");
    let checked = run(&trb.dir, &["node", "check"]);
    assert!(String::from_utf8_lossy(&checked.stderr).contains("expired"), "{checked:?}");
    trb.stop();
    run_json(ca.path(), &["pki", "renew", "trb"]);
    world.boot("trb");
    world.wait("renewed, it takes the hub's word", holds_hubs_word);
    assert_eq!(trb.get("/v1/sites").unwrap()["alarms"], json!([]));
}
