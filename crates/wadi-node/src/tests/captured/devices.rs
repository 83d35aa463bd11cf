//! A captured node speaks as any device of its crossing: what that comes to, and what is found.

use super::*;

/// What a scale says at that number of its own.
fn scale_says(trb: &mut Forger, on: RecordId, number: u64, after: &[Reference], draft: Draft) {
    let (puts, events) = draft.check().unwrap();
    let change = Change {
        record: Some(on),
        based_on: after.to_vec(),
        puts,
        events,
    };
    let common = Common {
        wall_ms: trb.wall_ms,
        device: "scale-1".into(),
        device_seq: number,
        ..Default::default()
    };
    trb.put_as(common, Body::Change(change));
}

fn weighed(gross_kg: i64) -> Draft {
    Passage::on().event("weighed", json!({"scale": "S1", "gross_kg": gross_kg}))
}

/// Of each event of that type on a record, whether it counts.
async fn counted(hub: &Node, record: &RecordId, kind: &str) -> Vec<bool> {
    let row = hub.store.record(record).await.unwrap().unwrap();
    let row: serde_json::Value = serde_json::from_str(&row.json).unwrap();
    let events = row["events"].as_array().unwrap().iter();
    let said = events.filter(|e| e["type"] == kind);
    said.map(|e| e["counts"] == true).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_as_a_scale_repeats_its_numbers_and_lets_nothing_go() {
    let dir = tempfile::tempdir().unwrap();
    let scene = scene(dir.path()).await;
    let mut trb = Forger::new(77, Lane::Passage, now(&scene));
    let came = Passage::announce("in")
        .plate("44-D-4", "IQ")
        .gate_in("G1", "R1");
    let came = trb.say("PORT", None, &[], came);
    let truck = RecordId::of_first(&came);

    // What the scale read, and what the captors would have it have read.
    scale_says(&mut trb, truck, 7, &[came], weighed(31_000));
    deliver_all(&scene.hub, &[&trb.logs()]).await;
    assert_eq!(of_rule(&scene.hub, "R20").await, []);
    scale_says(&mut trb, truck, 7, &[came], weighed(19_000));

    // No device clears a truck, nor speaks of one of another crossing.
    let cleared = Passage::on().event("cleared", json!({}));
    scale_says(&mut trb, truck, 8, &[came], cleared);
    scale_says(&mut trb, scene.truck, 9, &[], weighed(19_000));
    deliver_all(&scene.hub, &[&scene.early, &trb.logs()]).await;
    looked(&scene.hub).await;

    let found = of_rule(&scene.hub, "R20").await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].anchor, truck);

    let weighings = counted(&scene.hub, &truck, "weighed").await;
    assert_eq!(weighings, [true, true], "nobody can tell which");
    assert_eq!(counted(&scene.hub, &truck, "cleared").await, [false]);
    let elsewhere = counted(&scene.hub, &scene.truck, "weighed").await;
    assert!(!elsewhere.contains(&true), "{elsewhere:?}");
}
