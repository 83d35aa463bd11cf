//! The commission's certificates: revoked ones are not let in, renewed ones are, and a CA is never overwritten.

use integration_tests::{World, run, run_json};

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
