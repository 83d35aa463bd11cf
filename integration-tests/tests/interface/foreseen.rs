//! What an admission would change is told before it is said, and nothing is changed by asking.

use integration_tests::{Site, World, run, run_json};
use serde_json::{Value, json};

const REASON: &str = "seen on the camera";

/// A command that asks what an admission would change.
fn asks_of_admitting<'a>(which: &[&'a str]) -> Vec<&'a str> {
    [&["say", "admit"], which, &["--reason", REASON, "--dry-run"]].concat()
}

/// What a hub set aside.
fn set_aside(hub: &Site) -> Vec<Value> {
    let told = hub.get("/v1/quarantine").expect("quarantine");
    told["entries"].as_array().expect("entries").clone()
}

#[test]
fn an_admission_tells_which_entries_and_records_would_begin_to_count() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let trucks = ["11-A-00001", "22-B-00002"].map(|plate| trb.truck(plate));
    let full = |id: &String| trb.record(id).expect("a truck")["record"].clone();
    let [first, second] = [&trucks[0], &trucks[1]].map(full);
    world.settle(&["hub", "trb"]);

    let layla = json!({"name": "layla", "scope": {"is": "operator"}, "person": "Layla Hasan"});
    let layla = hub.post("/v1/tokens", &layla).expect("a token")["token"].clone();
    let layla = layla.as_str().expect("text");
    let cut = json!({"say": "cut_node", "node": "trb", "reason": "overrun", "all": true});
    hub.post_as(layla, None, "/v1/control", &cut)
        .expect("it is cut");
    let of = |record: &Value| {
        let mut all = set_aside(hub).into_iter();
        all.find(|found| found["record"] == *record)
    };
    let counts = |truck: &str| {
        let record = hub.record(truck).unwrap_or_default();
        record["fields"]["direction"] == "in"
    };
    world.wait("what it said is set aside", || {
        let is_told = of(&first).is_some() && of(&second).is_some();
        is_told && !counts(&trucks[0]) && !counts(&trucks[1])
    });

    // One entry: what it says, and the one record that it would change.
    let before = set_aside(hub);
    let found = of(&first).expect("it is set aside");
    let entry = found["entry"].as_str().expect("its name");
    let admit = json!({"say": "admit", "entries": [entry], "reason": REASON});
    let foreseen = || {
        let path = "/v1/control?dry_run=true";
        let told = hub.post_as(layla, None, path, &admit).expect("foreseen");
        told["would"].clone()
    };
    let would = json!({
        "change": "admission",
        "entries_that_begin_to_count": 1,
        "records_that_change": [first],
        "entries": [found],
        "not_in_quarantine_here": [],
    });
    assert_eq!(foreseen(), would);

    // The same at the prompt, for people and for programs; and all of a log at once.
    let dry = run_json(&hub.dir, &asks_of_admitting(&[entry]));
    assert_eq!(dry["would"], would, "{dry}");
    let shown = run(&hub.dir, &asks_of_admitting(&[entry]));
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    let record = first.as_str().expect("an id");
    assert!(shown.status.success() && text.contains(record), "{text}");
    let log = found["log"].as_str().expect("a log");
    let dry = run_json(&hub.dir, &asks_of_admitting(&["--log", log]));
    let changes = dry["would"]["records_that_change"].as_array();
    let changes = changes.expect("records");
    assert!(
        changes.contains(&first) && changes.contains(&second),
        "{dry}"
    );

    assert_eq!(set_aside(hub), before, "a dry run admits nothing");
    assert!(!counts(&trucks[0]) && !counts(&trucks[1]));

    // Said, it comes as it was told; and asked again, it would change nothing more.
    hub.post_as(layla, None, "/v1/control", &admit)
        .expect("it is admitted");
    world.wait("the one truck counts", || counts(&trucks[0]));
    assert!(!counts(&trucks[1]));
    let again = foreseen();
    assert_eq!(again["entries_that_begin_to_count"], 0, "{again}");
    assert_eq!(again["records_that_change"], json!([]));
    assert_eq!(again["not_in_quarantine_here"], json!([entry]));
}
