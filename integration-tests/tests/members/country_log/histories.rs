//! One hub, one history: over starts, losses and copies, and how two are found.

use async_trait::async_trait;
use integration_tests::network::*;
use std::{path::Path, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use wadi_log::{Cut, CutTarget, Head, Lane, Role};
use wadi_node::{CountryPlan, Node, Target, TilePath, WitnessTransport, Write};
use wadi_record::Passage;

struct NoWitness;

#[async_trait]
impl WitnessTransport for NoWitness {
    async fn add_checkpoint(&self, _url: &str, _body: String) -> Result<(u16, String), String> {
        Err("nobody is asked".into())
    }
}

/// A hub with its country log, listed so often.
struct Listing {
    hub: Arc<Node>,
    task: JoinHandle<()>,
}

impl Listing {
    async fn of(country: &Country, dir: &Path, every: Duration) -> Self {
        let hub = country.start_in("hub", dir).await.expect("the hub starts");
        let plan = CountryPlan {
            every,
            public: false,
            witnesses: vec![],
            transport: Arc::new(NoWitness),
        };
        let task = tokio::spawn(hub.country().clone().run(plan));
        Self { hub, task }
    }

    async fn often(country: &Country, dir: &Path) -> Self {
        Self::of(country, dir, Duration::from_millis(200)).await
    }

    /// Origin, size and root of the newest checkpoint.
    fn head(&self) -> Option<(String, u64, String)> {
        let note = self.hub.country().checkpoint()?;
        let mut lines = note.lines().map(String::from);
        let (origin, size) = (lines.next()?, lines.next()?.parse().ok()?);
        Some((origin, size, lines.next()?))
    }

    async fn grows_past(&self, size: u64) -> (String, u64, String) {
        until("the country log grows", async || {
            self.head().is_some_and(|(_, now, _)| now > size)
        })
        .await;
        self.head().expect("a checkpoint")
    }

    async fn leaves(&self, count: u64) -> Vec<u8> {
        let path = TilePath::parse(&format!("entries/000.p/{count}")).expect("a path");
        let bytes = self.hub.country().tile(&path).await.expect("it reads");
        bytes.expect("it is published")
    }

    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
        self.hub.stop().await;
    }
}

fn members() -> Country {
    Country::of(&[
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("qam", Role::Crossing, "QAM"),
    ])
}

async fn announce(node: &Arc<Node>, plate: &str) {
    let draft = Passage::announce("in")
        .plate(plate, "IQ")
        .gate_in("G1", plate);
    let write = Write::by("OF-1", "PORT", Target::New(None), draft);
    node.write(write).await.expect("it is written");
}

/// Waits until a site holds the hub's control log as far as it goes now.
async fn holds_what_was_told(site: &Arc<Node>, hub: &Arc<Node>) {
    let mut told = hub.heads_of(&hub.id());
    told.retain(|head| head.log.lane == Lane::Control);
    until("the site has what its hub told", async || {
        let held = site.heads_of(&hub.id());
        let has = |told: &Head| {
            held.iter()
                .any(|h| h.log == told.log && h.size >= told.size)
        };
        told.iter().all(has)
    })
    .await;
}

async fn alarms(node: &Node) -> Vec<&'static str> {
    let alarms = node.reads().alarms().await.expect("alarms");
    alarms.iter().map(|alarm| alarm.about).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sites_find_a_hub_that_shows_two_histories_when_they_meet() {
    let country = members();
    let dir = country.dir_of("hub");
    let hub = Listing::often(&country, &dir).await;
    hub.grows_past(3).await;
    hub.stop().await;

    // Its keeper lets it run twice: one hub for Traibeel, and another one for Qamar.
    let copy = country.dir().join("hub-2");
    std::fs::create_dir_all(&copy).expect("a directory");
    copy_dir(&dir, &copy);
    let for_trb = Listing::often(&country, &dir).await;
    let for_qam = Listing::often(&country, &copy).await;
    let (trb, qam) = (country.start("trb").await, country.start("qam").await);
    announce(&trb, "11-A-1").await;
    announce(&qam, "22-B-2").await;

    let wires = [connect(&trb, &for_trb.hub), connect(&qam, &for_qam.hub)];
    let (origin, size, _) = for_trb.grows_past(8).await;
    let (other, past, _) = for_qam.grows_past(size + 2).await;
    for_trb.grows_past(past + 2).await;
    assert_eq!(origin, other, "both show it as one log");
    holds_what_was_told(&trb, &for_trb.hub).await;
    holds_what_was_told(&qam, &for_qam.hub).await;
    for site in [&trb, &qam] {
        assert!(
            !alarms(site).await.contains(&"country_histories"),
            "nobody can know yet"
        );
    }

    drop(wires);
    for_trb.stop().await;
    for_qam.stop().await;
    let _wire = connect(&trb, &qam);
    until("both sites say so", async || {
        alarms(&trb).await.contains(&"country_histories")
            && alarms(&qam).await.contains(&"country_histories")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_goes_on_with_its_log_over_starts_and_with_none_that_lost_something() {
    let country = members();
    let dir = country.dir_of("hub");
    let hub = Listing::often(&country, &dir).await;
    let (origin, size, _) = hub.grows_past(4).await;
    let leaves = hub.leaves(size).await;
    hub.stop().await;

    // A copy of that day, and the site that heard of what came later.
    let early = country.dir().join("early");
    std::fs::create_dir_all(&early).expect("a directory");
    copy_dir(&dir, &early);
    let hub = Listing::often(&country, &dir).await;
    let trb = country.start("trb").await;
    let wire = connect(&trb, &hub.hub);
    let (again, later, _) = hub.grows_past(size + 6).await;
    assert_eq!(again, origin, "a start is no loss");
    assert_eq!(hub.leaves(size).await, leaves, "what was published stays");
    holds_what_was_told(&trb, &hub.hub).await;
    drop(wire);
    hub.stop().await;

    // The database is put back, and the anchor knows better: another log begins at once.
    let put_back = country.dir().join("put-back");
    std::fs::create_dir_all(&put_back).expect("a directory");
    copy_dir(&early, &put_back);
    std::fs::copy(dir.join("anchor"), put_back.join("anchor")).expect("copied");
    let hub = Listing::often(&country, &put_back).await;
    let (anew, ..) = hub.grows_past(2).await;
    assert_ne!(anew, origin);
    assert!(alarms(&hub.hub).await.contains(&"country_anew"));
    hub.stop().await;

    // The anchor is put back, too. Nobody can tell, until the site says what it was told.
    let hub = Listing::of(&country, &early, Duration::from_secs(3_600)).await;
    until("it shows what it had", async || hub.head().is_some()).await;
    let (old, shown, _) = hub.head().expect("a checkpoint");
    assert_eq!((&old, shown < later), (&origin, true));
    let _wire = connect(&trb, &hub.hub);
    until("it begins another log", async || {
        hub.head().is_some_and(|(anew, ..)| anew != origin)
    })
    .await;
    assert!(alarms(&hub.hub).await.contains(&"country_anew"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_is_listed_at_once() {
    let country = members();
    let dir = country.dir_of("hub");
    let hub = Listing::of(&country, &dir, Duration::from_secs(3_600)).await;
    let trb = country.start("trb").await;
    announce(&trb, "11-A-1").await;
    let wire = connect(&trb, &hub.hub);
    until("the hub has it", async || {
        !hub.hub.heads_of(&trb.id()).is_empty()
    })
    .await;
    assert_eq!(hub.head(), None, "an hour has not passed");

    let cut = Cut {
        target: CutTarget::Node(trb.id()),
        heads: hub.hub.heads_of(&trb.id()),
        extends: vec![],
        reason: "captured".into(),
        root_signature: None,
        lifted: false,
        successor: None,
        part_of: None,
    };
    let said = hub
        .hub
        .write_control(vec![wadi_log::Body::Cut(cut)], "OF-9")
        .await;
    let said = said.expect("the hub cuts")[0];
    let (_, size, _) = hub.grows_past(0).await;
    let leaves = String::from_utf8_lossy(&hub.leaves(size).await).into_owned();
    let leaf = format!("cut\nlog {}\nseq {}\n", said.log.origin(), said.seq);
    assert!(leaves.contains(&leaf), "{leaves}");
    assert!(
        leaves.contains("wadi.country.leaf/v1 policy\nday 2"),
        "{leaves}"
    );
    for head in hub.hub.heads_of(&trb.id()) {
        assert!(leaves.contains(&format!("head\nlog {}\n", head.log.origin())));
    }
    drop(wire);
}
