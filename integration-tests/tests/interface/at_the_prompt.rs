//! What is typed at a prompt: a text stays the text, a member is given once, and a time or a
//! heading that is another than was meant is refused.

use integration_tests::{World, run, run_json};
use serde_json::{Value, json};
use std::process::Stdio;

/// Runs a command that is refused; its code.
fn refused(dir: &std::path::Path, arguments: &[&str]) -> String {
    let output = run(dir, &[&["--json"], arguments].concat());
    assert!(!output.status.success(), "{arguments:?}");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Value = serde_json::from_str(told.lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("{arguments:?}: {told}"));
    told["error"].as_str().unwrap_or_default().to_string()
}

#[test]
fn a_plate_that_reads_as_a_number_is_the_plate_and_a_member_is_given_once() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let by = ["--officer", "OF-1", "--department", "PORT"];
    let new = ["record", "new", "passage"];
    let set = [
        "--set",
        "direction=in",
        "--set",
        "vehicle.plate_raw=22E123",
        "--set",
        "lane=3",
    ];
    let written = run_json(&trb.dir, &[&new[..], &set, &by].concat());
    let id = written["id"].as_str().unwrap();
    let record = trb.get(&format!("/v1/records/{id}")).unwrap();
    assert_eq!(record["fields"]["vehicle.plate_raw"], "22E123", "{record}");
    assert_eq!(record["fields"]["vehicle.plate"], "22E123", "{record}");
    assert_eq!(record["fields"]["lane"], 3, "{record}");

    let weighed = ["record", "event", id, "gate.in", "gate=1", "read=12E7"];
    run_json(&trb.dir, &[&weighed[..], &by].concat());
    let record = trb.get(&format!("/v1/records/{id}")).unwrap();
    let event = record["events"][0]["data"].clone();
    assert_eq!(
        (&event["gate"], &event["read"]),
        (&json!("1"), &json!("12E7")),
        "{record}"
    );

    let twice = r#"{"type":"weighed","scale":"S","gross_kg":1000,"gross\u005fkg":99000}"#;
    let said = [&["record", "set", id, "--event", twice][..], &by].concat();
    assert_eq!(refused(&trb.dir, &said), "duplicate_member");
}

#[test]
fn a_policy_a_closure_and_a_cut_are_refused_where_they_say_something_else_than_was_meant() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world.settle(&["hub", "trb"]);
    let hub = world.site("hub");

    let twice = [
        "policy",
        "set",
        "hold_deadline_h=60",
        "hold_deadline_h=70",
        "--yes",
    ];
    assert_eq!(refused(&hub.dir, &twice), "duplicate_member");
    let heading = ["policy", "set", "certificate_chapters=[\"8\"]", "--yes"];
    assert_eq!(refused(&hub.dir, &heading), "bad_control");

    let now_ms = hub.get("/v1/sites").unwrap()["now_ms"].as_i64().unwrap();
    let closure =
        |time: &str| ["say", "closure", "TRB", time, "--reason", "r", "--yes"].map(String::from);
    let later = (now_ms / 1_000 + 86_400).to_string();
    for time in [now_ms.to_string().as_str(), "1", later.as_str()] {
        let said = closure(time);
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        assert_eq!(refused(&hub.dir, &said), "bad_control", "{time}");
    }
    for since_ms in [now_ms / 1_000, now_ms + 86_400_000] {
        let cut = json!({"say": "cut_node", "node": "trb", "reason": "r", "since_ms": since_ms});
        let told = hub.post("/v1/control", &cut).unwrap_err();
        assert_eq!(told["code"], "bad_control", "{told}");
    }

    // As people write a time, and of the past, it is said.
    let said = closure("2026-03-01T08:00:00Z");
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    run_json(&hub.dir, &said);
    let members = hub.get("/v1/members").unwrap()["members"].clone();
    let trb = members
        .as_array()
        .unwrap()
        .iter()
        .find(|m| m["node"] == "trb");
    assert_eq!(trb.unwrap()["closed_s"], 1_772_352_000, "{members}");
}

#[test]
fn who_watches_through_a_pipe_that_closes_is_let_go() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let mut watching = std::process::Command::new(integration_tests::wadi())
        .current_dir(&trb.dir)
        .args(["status", "--watch"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    drop(watching.stdout.take());

    let watching = std::cell::RefCell::new(watching);
    let ended = || watching.borrow_mut().try_wait().expect("it is ours");
    world.wait("it ends by itself", || ended().is_some());
    assert!(ended().unwrap().success());
}
