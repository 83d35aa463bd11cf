//! A hold on a customs entry holds the truck that carries its goods: it shows as detained, and
//! whoever lets it out is told.

use crate::{
    door::write::{Target, Write},
    node::Node,
    tests::order::found_country,
};
use serde_json::{Value, json};
use wadi_log::RecordId;
use wadi_record::{CustomsEntry, Draft, HoldType, Passage, QuarantineHold};

async fn say(site: &Node, department: &str, target: Target, draft: Draft) -> RecordId {
    let write = Write::by("OF-1", department, target, draft);
    site.write(write).await.unwrap().record
}

async fn detained_by(site: &Node, truck: &RecordId) -> Value {
    site.reads().record(truck).await.unwrap()["detained_by"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truck_is_detained_by_a_hold_on_the_entry_of_what_it_carries() {
    let dir = tempfile::tempdir().unwrap();
    let (_country, sites) = found_country(dir.path()).await;
    let trb = &sites[0];
    let truck = |plate: &str, container: &str| {
        Passage::announce("in")
            .plate(plate, "IQ")
            .text("container.1", container)
            .gate_in("G1", "R1")
    };
    let new = || Target::New(None);
    let carrying = say(trb, "PORT", new(), truck("11-A-1", "CSQU 305438-3")).await;
    let other = say(trb, "PORT", new(), truck("22-B-2", "MSKU1234565")).await;
    let linked = say(trb, "PORT", new(), truck("33-C-3", "TGHU1234567")).await;

    let goods = CustomsEntry::store("Agent", "A-1").text("container.1", "CSQU3054383");
    let goods = goods.link(&linked.to_string(), "carries a part of it");
    let entry = say(trb, "CUS", new(), goods).await;
    assert_eq!(detained_by(trb, &carrying).await, Value::Null);

    let hold = QuarantineHold::place(HoldType::Customs, "order 4");
    let hold = hold.link(&entry.to_string(), "goods");
    let hold = say(trb, "CUS", new(), hold).await;
    let printed = trb.reads().record(&hold).await.unwrap()["id"].clone();
    assert_eq!(detained_by(trb, &entry).await, json!([printed]));
    assert_eq!(detained_by(trb, &carrying).await, json!([printed]));
    assert_eq!(
        detained_by(trb, &linked).await,
        json!([printed]),
        "the entry names it"
    );
    assert_eq!(detained_by(trb, &other).await, Value::Null, "other goods");

    // A hold on one truck is none on the other that shares its entry.
    let own = QuarantineHold::place(HoldType::Customs, "order 5");
    say(trb, "CUS", new(), own.link(&linked.to_string(), "tyres")).await;
    assert_eq!(detained_by(trb, &carrying).await, json!([printed]));

    // Whoever lets it out is told in the answer.
    let out = Passage::on().gate_out("G2", "R2");
    say(trb, "PORT", Target::On(carrying), out).await;
    let standings = trb.reads().standings(&[carrying]).await.unwrap();
    assert_eq!(standings[&carrying]["detained_by"], json!([printed]));
    let flags = standings[&carrying]["flags"].as_array().unwrap();
    assert!(flags.contains(&json!("DETAINED")));

    for node in &sites {
        node.stop().await;
    }
}
