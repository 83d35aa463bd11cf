//! A task that ends takes its process down in order, and the next start leaves alone what it ended
//! over. Nobody is left with a process that lives and does nothing.

use integration_tests::{Site, World};
use serde_json::{Value, json};
use std::ffi::OsString;

/// Something that the hub's sequencer does not survive, in the words of the fault that a debug
/// build can be given.
const POISON: &str = "POISON-7";

fn tripped() -> Vec<(&'static str, OsString)> {
    vec![("WADI_TRIP", format!("sequencer:{POISON}").into())]
}

fn hold(site: &Site) -> String {
    let body = json!({
        "kind": "hold",
        "officer": "OF-1",
        "department": "VET",
        "fields": {"type": "VETERINARY", "legal_basis": "law"},
        "events": [{"type": "hold.placed", "type_of_hold": "VETERINARY", "legal_basis": "law"}],
    });

    site.post("/v1/records", &body).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_string()
}

fn suspects(site: &Site) -> Value {
    let text = std::fs::read_to_string(site.dir.join("suspects.json")).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

#[test]
fn a_block_that_ends_the_hubs_desk_is_set_aside_and_all_else_goes_on() {
    let mut world = World::default();
    world.prepare("hub", &[], "");
    world.launch_with("hub", &tripped());
    world.wait("the hub is ready", || {
        world.site("hub").get("/readyz").is_ok()
    });

    let address = world.site("hub").listen;
    world.start("trb", &[("hub", address)]);
    world.start("qam", &[("hub", address)]);

    let (hub, trb, qam) = (world.site("hub"), world.site("trb"), world.site("qam"));
    trb.truck("11-A-00001");
    world.settle(&["hub", "trb", "qam"]);

    // The sequencer ends over this truck, and the process with it, with a code that tells.
    trb.truck(POISON);
    assert_eq!(
        hub.ended(),
        Some(1),
        "the process goes, and its service starts it again"
    );

    let log = std::fs::read_to_string(hub.dir.join("stderr.log")).unwrap();
    assert!(
        log.contains("sequencer ended") && log.contains("[task_ended]"),
        "{log}"
    );
    assert_eq!(suspects(hub)["ends"][0]["task"], "sequencer");

    // The service starts it again, with the fault still in it. Where several blocks were suspected,
    // it ends once more.
    for start in 0.. {
        assert!(start < 3, "it ends again and again: {}", suspects(hub));

        world.launch_with("hub", &tripped());
        let in_order = || {
            hub.get("/v1/sites")
                .is_ok_and(|s| s["alarms"].to_string().contains("set aside"))
        };

        world.wait("the hub is up, or has ended once more", || {
            in_order() || hub.has_ended()
        });
        if !hub.has_ended() {
            break;
        }

        hub.ended();
    }

    // That block is shown and refused by name; other logs, other crossings and the hub's own acts
    // go on.
    world.wait("the block is refused by name", || {
        hub.refusals().contains(&"set_aside".to_string())
    });

    let held = hold(trb);
    let truck = qam.truck("22-B-00001");
    world.wait("a hold of the same crossing comes", || {
        hub.record(&held).is_ok()
    });
    world.wait("another crossing's truck comes", || {
        hub.record(&truck).is_ok()
    });
    assert!(hub.get("/readyz").is_ok(), "it can work");
    assert!(
        trb.get("/v1/sites").unwrap()["unsent"].as_u64().unwrap() > 0,
        "the site knows that the hub lacks something"
    );

    // The fault is mended. Once somebody lets the suspect go, everything comes.
    hub.stop();
    assert_eq!(
        suspects(hub)["ends"][0]["at"].as_array().map(Vec::len),
        Some(1),
        "a stop in order keeps what is set aside"
    );

    std::fs::remove_file(hub.dir.join("suspects.json")).unwrap();
    world.boot("hub");
    world.settle(&["hub", "trb", "qam"]);
    assert!(
        !hub.get("/v1/sites").unwrap()["alarms"]
            .to_string()
            .contains("set aside")
    );
}

#[test]
fn a_write_that_ends_the_sites_own_desk_is_refused_by_name_after_it() {
    let mut world = World::default();
    world.prepare("trb", &[], "");
    world.launch_with("trb", &[("WADI_TRIP", format!("write:{POISON}").into())]);

    let trb = world.site("trb");
    world.wait("the site is ready", || trb.get("/readyz").is_ok());
    let kept = trb.truck("11-A-00001");

    let body = json!({
        "kind": "passage",
        "officer": "OF-1",
        "department": "PORT",
        "fields": {"direction": "in", "note": POISON},
    });
    assert!(trb.post("/v1/records", &body).is_err());
    assert_eq!(trb.ended(), Some(1));

    world.launch_with("trb", &[("WADI_TRIP", format!("write:{POISON}").into())]);
    world.wait("the site is ready again", || trb.get("/readyz").is_ok());
    assert_eq!(
        trb.post("/v1/records", &body).unwrap_err()["code"],
        "set_aside"
    );
    assert!(trb.record(&kept).is_ok(), "what was acknowledged is kept");

    trb.truck("11-A-00002");
}

#[test]
fn a_log_whose_reader_is_gone_or_does_not_read_stops_nobody() {
    let mut world = World::default();
    world.prepare("trb", &[], "log = \"trace\"");
    let trb = world.site("trb");

    // The reader is gone: every line fails.
    drop(world.launch_unread("trb"));
    world.wait("the site answers", || trb.get("/healthz").is_ok());
    trb.truck("11-A-00001");
    std::fs::write(trb.dir.join("spool/bad.json"), "{bad").unwrap();

    let draft = json!({
        "kind": "passage",
        "device": "SC-9",
        "device_seq": 1,
        "fields": {"direction": "in"},
    });
    std::fs::write(trb.dir.join("spool/good.json"), draft.to_string()).unwrap();
    world.wait("the spool is worked off", || {
        trb.dir.join("spool/done/good.json").exists()
    });
    world.wait("whoever asks hears of it", || {
        let refused = trb.get("/readyz").err();
        refused.is_some_and(|p| p["detail"].to_string().contains("lines are lost"))
    });
    trb.truck("11-A-00002");
    trb.stop();

    // The reader is there and does not read: the pipe is full after 64 KiB.
    let unread = world.launch_unread("trb");
    world.wait("the site answers again", || trb.get("/healthz").is_ok());
    for n in 0..200 {
        trb.truck(&format!("12-A-{n:05}"));
    }

    drop(unread);
    assert!(!trb.has_ended());
}

#[test]
fn a_spool_that_cannot_be_used_is_an_alarm_and_not_ready_until_it_can() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let spool = trb.dir.join("spool");
    // What is still being made cannot be taken away.
    let made = || ["done", "bad"].iter().all(|dir| spool.join(dir).is_dir());
    world.wait("the spool is made", made);
    std::fs::remove_dir_all(&spool).unwrap();
    std::fs::write(&spool, "a file in its place").unwrap();
    world.wait("whoever asks hears of it", || {
        let refused = trb.get("/readyz").err();
        refused.is_some_and(|p| p["detail"].to_string().contains("spool"))
    });

    let health = trb.get("/healthz").unwrap();
    assert_eq!(health["alarms"], json!(["spool"]), "{health}");
    let status = trb.get("/v1/sites").unwrap();
    assert!(
        status["alarms"].to_string().contains("cannot be used"),
        "{status}"
    );

    std::fs::remove_file(&spool).unwrap();
    world.wait("it is in order again", || {
        let health = trb.get("/healthz").unwrap_or_default();
        trb.get("/readyz").is_ok() && health["status"] == "ok"
    });
}

#[test]
fn a_node_whose_database_another_program_has_is_not_ready_and_ready_again_after_it() {
    use sqlx::Connection;
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    trb.truck("11-A-00001");

    let path = format!("sqlite://{}", trb.dir.join("node.sqlite").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lock = runtime.block_on(async {
        let mut lock = sqlx::SqliteConnection::connect(&path).await.unwrap();
        let begun = sqlx::query("BEGIN IMMEDIATE").execute(&mut lock).await;
        begun.unwrap();
        lock
    });

    // Something has to be written for anybody to notice.
    let writes = std::thread::spawn({
        let (url, token) = (trb.url(), trb.token());
        move || {
            let draft = json!({"kind": "passage", "officer": "OF-1", "department": "PORT",
                "fields": {"direction": "in"}});
            let agent: ureq::Agent = ureq::Agent::config_builder()
                .http_status_as_error(false)
                .build()
                .into();
            let sent = agent
                .post(format!("{url}/v1/records"))
                .header("authorization", format!("Bearer {token}"))
                .header("content-type", "application/json")
                .send(draft.to_string());
            sent.map(|answer| answer.status().as_u16())
        }
    });
    world.wait("whoever asks hears that nothing can be written", || {
        trb.get("/readyz")
            .is_err_and(|p| p["code"] == "cannot_write")
    });

    runtime.block_on(lock.close()).unwrap();
    world.wait("it is ready again", || trb.get("/readyz").is_ok());
    let answered = writes.join().unwrap().unwrap();
    assert!(answered == 201 || answered == 503, "{answered}");
}
