//! A finding as an outsider gets it: with an evidence file of each record that it rests on.

use super::verdicts;
use integration_tests::{World, papers, run, run_json};
use serde_json::{Value, json};

#[test]
fn a_finding_is_packed_with_every_record_that_it_rests_on() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));

    // A truck leaves while a hold on it is open.
    let truck = trb.truck("11-A-00042");
    let placed = json!({
        "type": "hold.placed", "type_of_hold": "CUSTOMS", "legal_basis": "art. 12",
    });
    let hold = json!({
        "kind": "hold", "officer": "OF-CUS", "department": "CUS",
        "fields": {"type": "CUSTOMS", "legal_basis": "art. 12"},
        "events": [placed, {"type": "link", "record": truck}],
    });
    let hold = trb.post("/v1/records", &hold).expect("a hold");
    let out = json!({
        "officer": "OF-PORT", "department": "PORT",
        "events": [{"type": "gate.out", "gate": "G2", "reason": "waved on"}],
    });
    trb.post(&format!("/v1/records/{truck}/events"), &out)
        .expect("it is gone");
    world.settle(&["hub", "trb"]);

    let found = || {
        let page = hub.get("/v1/findings?rule=R02").expect("findings");
        page["findings"][0]["finding"].as_str().map(String::from)
    };
    world.wait("the hub finds it", || found().is_some());
    let finding = found().expect("it is found");

    let packed = run_json(&hub.dir, &["audit", "evidence", &finding, "-o", "case"]);
    let records: Vec<&str> = packed["records"]
        .as_array()
        .expect("records")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let hold = hold["id"].as_str().expect("an id");
    assert!(
        records.contains(&truck.as_str()) && records.contains(&hold),
        "{packed}"
    );

    let root = papers().join("certs/nodes/hub/root.pub");
    for record in records {
        let file = hub.dir.join("case").join(format!("{record}.evidence"));
        let text = std::fs::read(&file).expect("it was written");
        for (valid, code, entries, _) in verdicts(&hub.dir, &text, &root) {
            assert!(valid && entries > 0, "{record}: {code}");
        }
    }

    let kept = std::fs::read_to_string(hub.dir.join("case/finding.json")).expect("the finding");
    let kept: Value = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(kept["finding"], json!(finding));

    let again = run(&hub.dir, &["audit", "evidence", &finding, "-o", "case"]);
    assert_eq!(again.status.code(), Some(2), "nothing is written over");
}
