//! Nodes that say by themselves what their records came to, and what the hub makes of it.

use integration_tests::{Site, World, network::*};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    time::{SystemTime, UNIX_EPOCH},
};
use wadi_log::Role;
use wadi_node::{Target, Write};
use wadi_record::{Draft, Kind, SYSTEM_OFFICER};
use wadi_store::FindingFilter;

/// An hour a second: what a node does once a day comes within half a minute.
fn fast_clock() -> String {
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis();
    format!("[clock]\norigin_ms = {now_ms}\nreal_ms = {now_ms}\nscale = 3600.0")
}

/// What was said of a scope on a crossing's site days, as the hub holds it.
fn told(hub: &Site, crossing: &str, scope: &str) -> Vec<Value> {
    let days = hub
        .get(&format!("/v1/records?kind=site-day&crossing={crossing}"))
        .unwrap_or_default();
    let days = days["records"].as_array().cloned().unwrap_or_default();
    let events = days
        .iter()
        .flat_map(|d| d["events"].as_array().cloned().unwrap_or_default());
    let digests = events.filter(|e| e["type"] == "replica.digest" && e["counts"] == true);

    digests
        .map(|e| e["data"].clone())
        .filter(|d| d["scope"] == scope)
        .collect()
}

fn findings(hub: &Site) -> Vec<Value> {
    let all = hub.get("/v1/findings?rule=R29").unwrap_or_default();
    all["findings"].as_array().cloned().unwrap_or_default()
}

#[test]
fn two_who_hold_the_same_entries_say_so_and_whoever_reads_them_otherwise_is_found() {
    let (mut world, clock) = (World::default(), fast_clock());
    world.prepare("hub", &[], &clock);
    world.boot("hub");
    world.prepare("trb", &[("hub", world.site("hub").listen)], &clock);
    world.boot("trb");

    let (hub, trb) = (world.site("hub"), world.site("trb"));
    trb.truck("88-H-00001");
    let hold = json!({
        "kind": "hold",
        "officer": "OF-1",
        "department": "VET",
        "fields": {"type": "VETERINARY", "legal_basis": "law"},
        "events": [{"type": "hold.placed", "type_of_hold": "VETERINARY", "legal_basis": "law"}],
    });

    trb.post("/v1/records", &hold).unwrap();
    // Both speak of the same entries, once these have come to rest.
    let shared = |scope: &str| {
        let of = |crossing| -> BTreeSet<String> {
            told(hub, crossing, scope)
                .iter()
                .map(|d| d["entries"].to_string())
                .collect()
        };

        of("TRB").intersection(&of("HUB")).next().is_some()
    };

    for scope in ["passage TRB", "hold TRB"] {
        world.wait(&format!("both have spoken of {scope}"), || shared(scope));
        let all: Vec<Value> = ["TRB", "HUB"]
            .into_iter()
            .flat_map(|c| told(hub, c, scope))
            .collect();

        for one in &all {
            let other = all
                .iter()
                .find(|d| d["entries"] == one["entries"] && *d != one);
            assert!(other.is_none(), "{one} {other:?}");
        }
    }

    world.settle(&["hub", "trb"]);
    assert!(findings(hub).is_empty());

    // Another day, and nothing has changed: nothing is said again.
    let told_of = || told(hub, "TRB", "passage TRB").len() + told(hub, "HUB", "passage TRB").len();
    let now_ms = || hub.get("/v1/sites").unwrap()["now_ms"].as_i64().unwrap();
    let (before, then_ms) = (told_of(), now_ms());
    world.wait("a day and some hours go by", || {
        now_ms() - then_ms > 28 * 3_600_000
    });
    assert_eq!(told_of(), before);

    // Somebody types in that Traibeel reads the same entries otherwise: a clerk knows nothing of
    // that.
    let mut otherwise = told(hub, "HUB", "passage TRB").remove(0);
    otherwise["documents"] = "00".into();
    otherwise["type"] = "replica.digest".into();

    let day = json!({
        "kind": "site-day",
        "officer": "OF-2",
        "department": "IT",
        "fields": {"date": "2026-03-01"},
        "events": [otherwise],
    });
    let refused = trb.post("/v1/records", &day).unwrap_err();
    assert_eq!(refused["code"], "no_authority", "{refused}");

    // Nor does he become the node by its name.
    let mut day = day;
    day["officer"] = "system".into();
    let refused = trb.post("/v1/records", &day).unwrap_err();
    assert_eq!(refused["code"], "bad_value", "{refused}");
    assert_eq!(findings(hub), [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_software_reads_the_same_entries_otherwise_is_found() {
    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let (hub, trb) = (country.start("hub").await, country.start("trb").await);
    let _wire = connect(&hub, &trb);

    // Each says by itself what it makes of the same entries.
    for (node, documents) in [(&hub, "5a"), (&trb, "00")] {
        let digest = json!({
            "scope": "hold TRB", "entries": "e7", "documents": documents, "states": "57",
        });
        let day = Draft::new(Kind::SiteDay)
            .text("date", "2026-03-01")
            .event("replica.digest", digest);
        let said = Write::by(SYSTEM_OFFICER, "IT", Target::New(None), day);
        node.write(said).await.unwrap();
    }

    let found = async || {
        let filter = FindingFilter {
            rule: Some("R29".into()),
            limit: 10,
            ..FindingFilter::default()
        };
        hub.store().findings(&filter).await.unwrap()
    };
    until("the hub finds it", async || !found().await.is_empty()).await;
    for finding in found().await {
        assert_eq!(finding.phase, "FIRM");
        assert!(finding.json.contains("\"00\""), "{}", finding.json);
    }
}
