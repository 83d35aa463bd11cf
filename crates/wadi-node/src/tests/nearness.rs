//! Being near is not mutual: whose dossiers a record belongs to though they are not in its own.

use crate::{
    door::write::{Target, Write},
    node::Node,
    tests::{
        captured::policy,
        order::{Country, Found, MINUTE, deliver, found, found_country, looked},
        reconciler::{hear, hear_all, of_rule, write},
    },
};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, atomic::Ordering},
};
use wadi_log::RecordId;
use wadi_record::{CustomsEntry, Draft, HoldType, Passage, Policy, QuarantineHold};

const HOUR: i64 = 60 * MINUTE;

/// Two hubs: one looks between the first half of what two sites say and the second, the other at
/// all of it at once.
struct TwoHubs {
    first: Arc<Node>,
    second: Arc<Node>,
    taken: BTreeMap<wadi_log::LogId, u64>,
}

impl TwoHubs {
    async fn start(country: &Country, dir: &Path) -> Self {
        Self {
            first: country.node(dir, 2, "hub").await,
            second: country.node(&dir.join("again"), 2, "hub").await,
            taken: BTreeMap::new(),
        }
    }

    /// Whether the first misses the counterpart of an entry.
    async fn misses(&self, entry: &RecordId) -> bool {
        let found = of_rule(&self.first, "R15").await;
        found.iter().any(|f| f.anchor == *entry)
    }

    /// The first hears what a site has said so far.
    async fn hear(&mut self, site: &Node) {
        hear(&self.first, site, &mut self.taken).await;
        hear_all(&self.first);
        looked(&self.first).await;
    }

    /// What the first has found, and the second, who hears all of these.
    async fn found(&self, sites: &[&Arc<Node>]) -> (Found, Found) {
        for site in sites {
            hear(&self.second, site, &mut BTreeMap::new()).await;
        }

        hear_all(&self.second);
        looked(&self.second).await;
        (found(&self.first).await, found(&self.second).await)
    }
}

/// A hundred on one plate come between: to the truck they are nearer than the one that came a day
/// before, and to that one the truck is the nearest.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_stands_alone_is_looked_at_when_its_truck_comes_beside_a_hundred_others() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let (trb, qam) = (&sites[0], &sites[1]);
    let mut hubs = TwoHubs::start(&country, dir.path()).await;
    let go_on = |ms: i64| country.clock.0.fetch_add(ms, Ordering::Relaxed);
    let entry =
        |n: usize| CustomsEntry::store("Agent", &format!("A-{n}")).text("vehicle.plate", "11-A-1");

    let alone = write(trb, "CUS", Target::New(None), entry(0)).await;
    go_on(40 * HOUR);
    let truck = Passage::announce("in")
        .plate("11-A-1", "IQ")
        .gate_in("G1", "R1");
    write(qam, "PORT", Target::New(None), truck).await;
    go_on(HOUR);
    let others: Vec<Draft> = (1..=100).map(entry).collect();
    let writes = others.into_iter();
    let writes = writes.map(|draft| Write::by("OF-1", "CUS", Target::New(None), draft));
    for written in trb.write_all(writes.collect()).await {
        written.unwrap();
    }
    hubs.hear(trb).await;
    assert!(hubs.misses(&alone).await, "nobody told of its truck yet");

    hubs.hear(qam).await;
    assert!(!hubs.misses(&alone).await, "its truck is here");

    let (first, second) = hubs.found(&[trb, qam]).await;
    assert_eq!(first, second);
    for node in sites.iter().chain([&hubs.first, &hubs.second]) {
        node.stop().await;
    }
}

/// An entry names a passage of long before. What becomes of that is looked at from the entry, too.
#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_names_a_truck_of_months_ago_is_looked_at_when_that_is_turned_back() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let (trb, qam) = (&sites[0], &sites[1]);
    let mut hubs = TwoHubs::start(&country, dir.path()).await;

    let truck = Passage::announce("in")
        .plate("11-A-1", "IQ")
        .gate_in("G1", "R1");
    let truck = write(trb, "PORT", Target::New(None), truck).await;
    let window_h = i64::from(Policy::default().dossier_window_h);
    country
        .clock
        .0
        .fetch_add(2 * window_h * HOUR, Ordering::Relaxed);
    let entry = CustomsEntry::store("Agent", "A-1").link(&truck.to_string(), "its load");
    let entry = write(qam, "CUS", Target::New(None), entry).await;
    hubs.hear(trb).await;
    hubs.hear(qam).await;
    assert!(!hubs.misses(&entry).await, "it names its passage");

    let back = Passage::on().event("turned_back", json!({"reason": "no papers"}));
    write(trb, "PORT", Target::On(truck), back).await;
    hubs.hear(trb).await;
    assert!(hubs.misses(&entry).await, "what it names has not passed");

    let (first, second) = hubs.found(&[trb, qam]).await;
    assert_eq!(first, second);
    for node in sites.iter().chain([&hubs.first, &hubs.second]) {
        node.stop().await;
    }
}

/// Two crossings look for one plate. One lets its own lookout go, and knows nothing of the other's.
#[tokio::test(flavor = "multi_thread")]
async fn a_lookout_let_go_while_another_crossings_for_the_same_plate_stands_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (country, sites) = found_country(dir.path()).await;
    let (trb, qam) = (&sites[0], &sites[1]);
    let mut hubs = TwoHubs::start(&country, dir.path()).await;
    let nobody_is_registered = Policy {
        registered_officers: false,
        ..Policy::default()
    };
    let (policy, _) = policy(&hubs.first, nobody_is_registered).await;
    for site in [trb, qam] {
        deliver(site, &policy, &mut StdRng::seed_from_u64(1), false).await;
    }

    let lookout =
        |order: &str| QuarantineHold::place(HoldType::Customs, order).text("target.term", "22-A-1");
    write(qam, "CUS", Target::New(None), lookout("order 5")).await;
    let own = write(trb, "CUS", Target::New(None), lookout("order 4")).await;
    let searched = QuarantineHold::on().event("search.found", json!({"findings": "nothing"}));
    write(trb, "CUS", Target::On(own), searched).await;
    let row = trb.store.record(&own).await.unwrap().unwrap();
    let row: serde_json::Value = serde_json::from_str(&row.json).unwrap();
    let placed = row["open_holds"][0].as_str().unwrap().to_string();
    let release = QuarantineHold::release(&[placed], "OF-2");
    write(trb, "CUS", Target::On(own), release).await;

    hubs.hear(trb).await;
    hubs.hear(qam).await;
    let found = of_rule(&hubs.first, "R01").await;
    assert_eq!(found.len(), 1, "nobody at Traibeel knew of the other one");
    assert_eq!(found[0].anchor, own);
    for node in sites.iter().chain([&hubs.first, &hubs.second]) {
        node.stop().await;
    }
}
