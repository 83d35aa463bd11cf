//! A device that falls silent while others go on is an alarm of its node, by what is durable.

use crate::{
    door::write::{Target, Write},
    node::Node,
    tests::order::{MINUTE, found_country},
};
use std::sync::{Arc, atomic::Ordering};
use wadi_record::Passage;

/// The seed of the keys of Traibeel's node.
const TRB_SEED: u8 = 10;

async fn truck(node: &Node, device: Option<(&str, u64)>) {
    let draft = Passage::announce("in").plate("11-A-00001", "IQ");
    let mut write = Write::by("OF-1", "PORT", Target::New(None), draft);
    if let Some((device, seq)) = device {
        (write.device, write.device_seq) = (device.into(), seq);
    }
    node.write(write).await.unwrap();
}

#[tokio::test]
async fn a_gate_that_does_not_come_back_after_a_restart_is_told_by_the_habit_that_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let trb: &Arc<Node> = &sites[0];
    // More than a habit takes: what was written last may not be counted yet.
    for n in 0..23 {
        truck(trb, Some(("gate-1", n + 1))).await;
        truck(trb, Some(("invented", n + 1)).filter(|_| n < 5)).await;
    }
    trb.reads().keep_habits().await;
    trb.stop().await;

    let again = country
        .node(&dir.path().join("sites"), TRB_SEED, "trb")
        .await;
    for _ in 0..60 {
        truck(&again, None).await;
    }
    assert!(
        !alarms(&again).await.contains("gate-1"),
        "it may be booting"
    );

    country.clock.0.fetch_add(40 * MINUTE, Ordering::Relaxed);
    let told = alarms(&again).await;
    assert!(told.contains("device \"gate-1\" gave no reading"), "{told}");
    assert!(!told.contains("invented"), "five readings are no habit");

    truck(&again, Some(("gate-1", 24))).await;
    assert!(!alarms(&again).await.contains("gate-1"));
}

async fn alarms(node: &Node) -> String {
    node.status().await.unwrap().alarms.join("\n")
}

#[tokio::test]
async fn a_gate_that_is_silent_while_trucks_go_on_is_an_alarm_and_a_quiet_night_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let trb: &Arc<Node> = &sites[0];
    for n in 0..20 {
        truck(trb, Some(("gate-1", n + 1))).await;
        truck(trb, None).await;
    }

    country
        .clock
        .0
        .fetch_add(8 * 60 * MINUTE, Ordering::Relaxed);
    assert!(!alarms(trb).await.contains("gate-1"), "a quiet night");
    for _ in 0..60 {
        truck(trb, None).await;
    }
    let told = alarms(trb).await;
    assert!(told.contains("device \"gate-1\" gave no reading"), "{told}");

    truck(trb, Some(("gate-1", 21))).await;
    assert!(!alarms(trb).await.contains("gate-1"));
}
