//! Strangers who call: they are not let in, and somebody is told.

use integration_tests::{Site, World, papers, wadi};
use serde_json::{Value, json};

/// The alarms of a node about callers who were turned away.
fn alarms_of_callers(site: &Site) -> Vec<String> {
    let status = site.get("/v1/sites").unwrap_or_default();
    let all = status["alarms"].as_array().into_iter().flatten();
    all.filter_map(Value::as_str)
        .filter(|alarm| alarm.starts_with("callers were not let in"))
        .map(String::from)
        .collect()
}

/// How many calls such an alarm counts.
fn calls(alarm: &str) -> u64 {
    let counted = alarm.split_once("(calls: ").and_then(|(_, rest)| {
        let (number, _) = rest.split_once(',')?;
        number.parse().ok()
    });
    counted.unwrap_or(0)
}

#[test]
fn a_strangers_certificate_is_not_let_in() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);

    // The stranger's own CA knows neither; give it the enrolments of those that it dials.
    let forged = tempfile::tempdir().unwrap();
    let from = papers().join("other/nodes/stranger");
    for entry in std::fs::read_dir(&from)
        .unwrap()
        .filter_map(Result::ok)
        .filter(|e| e.path().is_file())
    {
        std::fs::copy(entry.path(), forged.path().join(entry.file_name())).unwrap();
    }

    std::fs::create_dir(forged.path().join("known")).unwrap();
    for name in ["hub", "trb"] {
        std::fs::copy(
            papers().join(format!("certs/nodes/{name}/enrolment")),
            forged.path().join("known").join(name),
        )
        .unwrap();
    }

    // It even trusts the commission's CA; the commission does not trust it.
    std::fs::copy(papers().join("certs/ca.pem"), forged.path().join("ca.pem")).unwrap();
    let called = ["hub", "trb"].map(|name| (name, world.site(name).listen));
    world.start_with("stranger", forged.path(), &called);

    world.site("stranger").truck("99-Z-00001");
    let hub = world.site("hub");
    world.wait("the hub shows that somebody was not let in", || {
        hub.refusals().contains(&"not_let_in".to_string())
    });
    assert_eq!(hub.get("/v1/sites").unwrap()["records"], 0);

    // Somebody is told: once, with the address, and with how often it called.
    world.wait("the alarm counts the calls", || {
        let told = alarms_of_callers(hub);
        told.len() == 1 && told[0].contains("127.0.0.1") && calls(&told[0]) > 1
    });
    let health = hub.get("/healthz").unwrap();
    assert!(
        health["alarms"].to_string().contains("\"callers\""),
        "{health}"
    );

    // What Traibeel saw of it comes to the hub as an entry of Traibeel's.
    world.wait("the hub is told of Traibeel's callers", || {
        let status = hub.get("/v1/sites").unwrap_or_default();
        let peers = status["peers"].as_array().cloned().unwrap_or_default();
        let trb = peers.iter().find(|peer| peer["node"] == "trb");
        let told = trb.and_then(|peer| peer["alarms"].as_array().cloned());
        let told: Vec<Value> = told.unwrap_or_default();
        let about: Vec<&Value> = told.iter().filter(|a| a["about"] == "callers").collect();
        about.len() == 1 && about[0]["text"].to_string().contains("127.0.0.1")
    });
    let arabic = status_in_arabic(hub);
    assert!(arabic.contains("اتصالات لم يُسمح لها"), "{arabic}");
    assert!(!arabic.contains("callers were not let in"), "{arabic}");

    // Whoever knows by now who it is dismisses it.
    world.site("stranger").stop();
    world.wait("the refusal is dismissed", || {
        let all = hub.get("/v1/refusals").unwrap_or_default();
        let rows = all["refusals"].as_array().cloned().unwrap_or_default();
        let row = rows.iter().find(|row| row["code"] == "not_let_in");
        row.is_some_and(|row| {
            let body = json!({
                "subject": row["subject"], "code": row["code"], "times": row["times"],
                "reason": "our own test",
            });
            hub.post("/v1/refusals/dismiss", &body).is_ok()
        })
    });
    world.wait("the alarm is over", || alarms_of_callers(hub).is_empty());

    // The honest rest flows on.
    let id = world.site("trb").truck("11-A-00001");
    world.wait("the hub hears Traibeel", || {
        world.site("hub").record(&id).is_ok()
    });
}

/// What `wadi status` says to somebody who reads Arabic.
fn status_in_arabic(site: &Site) -> String {
    let out = std::process::Command::new(wadi())
        .current_dir(&site.dir)
        .arg("status")
        .env("LANG", "ar_IQ.UTF-8")
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .output()
        .expect("it runs");
    String::from_utf8_lossy(&out.stdout).into_owned()
}
