//! Two links between a crossing and the hub, a flat one and one that is paid by the byte: nodes as
//! processes of their own over the lab's proxies. What is urgent goes over the dear one, bulk over
//! the flat one; a link that dies costs the other nothing, and nothing is lost or sent again.

use integration_tests::{World, run, run_json};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;
use wadi_lab::{LinkCommand, UdpLink};

/// A crossing that reaches the hub over two links.
struct TwoLinks {
    world: World,
    vsat: UdpLink,
    sat: UdpLink,
    runtime: Runtime,
}

impl TwoLinks {
    /// A flat link of this kind, and a dear one for this purpose.
    fn over(vsat: &str, sat: &str, purpose: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut world = World::default();
        world.start("hub", &[]);
        let hub = world.site("hub").listen;
        let open = |kind: &str| {
            let opened = UdpLink::open(hub, kind.parse().unwrap(), integration_tests::seed());
            runtime.block_on(opened).unwrap()
        };

        let (vsat, sat) = (open(vsat), open(sat));
        let links = format!(
            "[[peer]]\nname = \"hub\"\n\
             [[peer.link]]\nname = \"vsat\"\naddress = \"{}\"\n\
             [[peer.link]]\nname = \"sat\"\naddress = [\"{}\"]\ncost = \"metered\"\n\
             purpose = \"{purpose}\"\nmonth_mib = 50\n",
            vsat.address, sat.address
        );
        world.prepare("trb", &[], &links);
        world.boot("trb");

        let both = Self {
            world,
            vsat,
            sat,
            runtime,
        };
        both.world.wait("both links are up", || {
            both.link("trb", "vsat")["connected"] == true
                && both.link("trb", "sat")["connected"] == true
                && both.link("hub", "sat")["connected"] == true
        });
        both.write(1);
        both.converge(Duration::from_secs(60));
        both
    }

    fn set_up(&self, link: &UdpLink, up: bool) {
        let command = match up {
            true => LinkCommand::Up,
            false => LinkCommand::Down,
        };
        self.runtime.block_on(link.control(command)).unwrap();
    }

    /// Writes so many passages at the crossing, of which no two are alike.
    fn write(&self, count: usize) {
        let line = |_| {
            let (key, number): (u128, u32) = (rand::random(), rand::random());
            let line = json!({
                "id": format!("{key:032x}"),
                "plate": format!("{}-A-{:05}", 10 + number % 90, number / 90 % 100_000),
                "direction": "in",
                "status": "arrived",
                "gross_kg": 20_000 + number % 20_011,
                "tare_kg": 10_000 + number % 5_003,
                "officer": format!("OF-{}", number % 997),
            });
            line.to_string() + "\n"
        };

        for done in (0..count).step_by(2_000) {
            let lines: String = (done..count.min(done + 2_000)).map(line).collect();
            let answer = self.world.site("trb").post_text("/v1/imports", &lines);
            answer.unwrap();
        }
    }

    /// The same while no link takes them, so that they go in one run when one does. The flat link
    /// is dark then, and the other one, too, where it is for bulk.
    fn write_in_the_dark(&self, count: usize) {
        let takes_bulk = self.link("trb", "sat")["purpose"] != "urgent";
        self.set_up(&self.vsat, false);
        self.set_up(&self.sat, !takes_bulk);
        let is_dark = |link| self.link("trb", link)["connected"] == false;
        self.world.wait("it is dark", || {
            is_dark("vsat") && (!takes_bulk || is_dark("sat"))
        });
        self.write(count);
    }

    /// An officer holds a truck; which record that is.
    fn hold(&self) -> String {
        let said = json!({
            "kind": "hold",
            "officer": "OF-1",
            "department": "VET",
            "fields": {"type": "VETERINARY", "legal_basis": "law"},
            "events": [{
                "type": "hold.placed",
                "type_of_hold": "VETERINARY",
                "legal_basis": "law",
            }],
        });
        let answer = self.world.site("trb").post("/v1/records", &said).unwrap();
        answer["id"].as_str().unwrap().to_string()
    }

    fn hub_holds(&self, record: &str) -> bool {
        self.world.site("hub").record(record).is_ok()
    }

    /// How a node says that a link stands.
    fn link(&self, node: &str, link: &str) -> Value {
        let status = self.world.site(node).get("/v1/sites").unwrap_or_default();
        let peers = status["peers"].as_array().cloned().unwrap_or_default();
        let links = peers
            .iter()
            .filter_map(|p| p["links"].as_array())
            .flatten()
            .cloned()
            .collect::<Vec<_>>();
        links
            .into_iter()
            .find(|l| l["name"] == link)
            .unwrap_or_default()
    }

    /// Bytes that a node sent over a link today, for a purpose.
    fn sent(&self, node: &str, link: &str, purpose: &str) -> u64 {
        self.link(node, link)["traffic"]["day"][purpose]["sent"]
            .as_u64()
            .unwrap_or(0)
    }

    /// What a node holds of the crossing's passages.
    fn passages(&self, node: &str) -> Value {
        let status = self.world.site(node).get("/v1/sites").unwrap_or_default();
        let scopes = status["scopes"].as_array().cloned().unwrap_or_default();
        let of_trb = |scope: &&Value| scope["lane"] == "passage" && scope["crossing"] == "TRB";
        scopes.iter().find(of_trb).cloned().unwrap_or_default()
    }

    fn entries(&self, node: &str) -> u64 {
        self.passages(node)["entries"].as_u64().unwrap_or(0)
    }

    /// Waits until the hub holds what the crossing holds.
    fn converge(&self, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let (site, hub) = (self.passages("trb"), self.passages("hub"));
            if !site.is_null() && site == hub {
                break;
            }
            assert!(Instant::now() < deadline, "the hub lacks: {site} {hub}");
            std::thread::sleep(Duration::from_millis(100));
        }
        self.world.settle(&["hub", "trb"]);
    }

    /// What each link that stands was counted with so far, at both ends.
    fn counted(&self) -> BTreeMap<(&'static str, &'static str), Value> {
        let ends = ["trb", "hub"].map(|node| ["sat", "vsat"].map(|link| (node, link)));
        let standing = ends.into_iter().flatten().filter_map(|(node, link)| {
            let told = self.link(node, link);
            (told["connected"] == true).then(|| ((node, link), told["traffic"].clone()))
        });
        standing.collect()
    }

    /// Counters are taken every two seconds, and what keeps a link alive is counted, too: what went
    /// over a link before stands in the second count from now.
    fn told(&self) {
        for _ in 0..2 {
            let before = self.counted();
            self.world.wait("each link that stands is counted", || {
                let now = self.counted();
                before
                    .iter()
                    .all(|(end, counted)| now.get(end).is_none_or(|later| later != counted))
            });
        }
    }
}

/// The purposes of what is no urgent matter.
const BULK: [&str; 5] = [
    "blocks_customs",
    "blocks_passage",
    "blocks_site",
    "excerpts",
    "carried",
];

#[test]
fn a_hold_goes_over_the_dear_link_at_once_while_bulk_runs_on_the_flat_one() {
    let both = TwoLinks::over("vsat-64", "vsat-256", "urgent");
    both.write_in_the_dark(8_000);
    let before = both.vsat.up_bytes();
    both.set_up(&both.vsat, true);
    both.world.wait("bulk is on its way", || {
        both.vsat.up_bytes() > before + 15_000
    });

    // It overtakes what waits: most of it is still to come by then.
    let hold = both.hold();
    both.world
        .wait("the hub holds the hold", || both.hub_holds(&hold));
    assert_ne!(both.passages("trb"), both.passages("hub"), "bulk goes on");

    both.converge(Duration::from_secs(180));
    both.told();

    // To the byte: over the dear link went no bulk, either way, and over the flat one no hold.
    for node in ["trb", "hub"] {
        let day = both.link(node, "sat")["traffic"]["day"].clone();
        for purpose in BULK {
            assert!(day[purpose].is_null(), "{node}, {purpose}: {day}");
        }
    }
    assert!(both.sent("trb", "sat", "blocks_hold") > 0);
    assert_eq!(both.sent("trb", "vsat", "blocks_hold"), 0);
    assert!(both.sent("trb", "vsat", "blocks_passage") > 20_000);

    // People are told which link is which.
    let dir = &both.world.site("trb").dir;
    let text = String::from_utf8(run(dir, &["status"]).stdout).unwrap();
    assert!(text.contains("- sat (metered, urgent)"), "{text}");
    assert!(text.contains("up, sends customs, passage, site"), "{text}");
    let text = String::from_utf8(run(dir, &["status", "--traffic"]).stdout).unwrap();
    assert!(text.contains("hub, sat, at most 50 MiB"), "{text}");
    let metrics = both.world.site("trb").bytes("/metrics");
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(metrics.contains("link=\"vsat\"") && metrics.contains("link=\"sat\""));
    let status = run_json(dir, &["status"]);
    assert_eq!(
        status["peers"][0]["links"].as_array().map(Vec::len),
        Some(2)
    );
}

#[test]
fn of_two_links_one_dies_in_mid_transfer_and_the_other_goes_on_behind_what_arrived() {
    let both = TwoLinks::over("vsat-256", "vsat-256", "all");
    // What so many passages cost, measured while nothing dies.
    let count = 10_000;
    let spent = |link| both.sent("trb", link, "blocks_passage");
    both.told();
    let (held, sent) = (both.entries("hub"), spent("vsat"));
    both.write_in_the_dark(count);
    both.set_up(&both.vsat, true);
    both.converge(Duration::from_secs(180));
    both.told();
    let whole = spent("vsat") - sent;
    let entries = both.entries("hub") - held;

    // The same again; when the hub has more than half of it, the flat link dies.
    let before = both.entries("hub");
    both.write_in_the_dark(count);
    let sent = spent("sat");
    both.set_up(&both.vsat, true);
    both.world.wait("the flat link has taken bulk", || {
        both.entries("hub") > before + entries / 10
    });
    both.set_up(&both.sat, true);
    both.world
        .wait("both are up, and more than half is there", || {
            both.link("trb", "sat")["connected"] == true
                && both.entries("hub") > before + entries * 6 / 10
        });
    let alive = both.link("trb", "sat");
    both.set_up(&both.vsat, false);
    let lacking = both.entries("trb") - both.entries("hub");
    assert!(lacking > 0, "it was over before the link died");

    both.converge(Duration::from_secs(180));
    both.told();
    let again = spent("sat") - sent;
    println!(
        "{whole} B for {entries} entries; {lacking} lacked, and {again} B went over the other link"
    );

    // What the hub lacked, and what was on its way: a bandwidth-delay product, and some.
    let most = whole * lacking / entries + 24 * 1_024;
    assert!(again <= most, "{again} B, at most {most}");
    let hub = both.world.site("hub").get("/v1/sites").unwrap();
    // A handshake that the dark met is a caller that was not let in; of what was sent nothing was
    // refused.
    let refused = hub["last_refused"].as_array().into_iter().flatten();
    let of_sent: Vec<&Value> = refused.filter(|r| r["code"] != "not_let_in").collect();
    assert!(of_sent.is_empty(), "{of_sent:?}");

    // It was no news to the dear link: it never fell.
    let sat = both.link("trb", "sat");
    assert_eq!(sat["connected"], true);
    assert_eq!(sat["last_error"], alive["last_error"]);
}

#[test]
fn a_flat_link_that_comes_back_takes_bulk_over_again() {
    let both = TwoLinks::over("vsat-512", "vsat-256", "all");
    both.set_up(&both.vsat, false);
    both.world.wait("the flat link is dark", || {
        both.link("trb", "vsat")["connected"] == false
            && both.link("hub", "vsat")["connected"] == false
    });
    both.write(100);
    both.converge(Duration::from_secs(60));
    assert!(
        both.sent("trb", "sat", "blocks_passage") > 0 || {
            both.told();
            both.sent("trb", "sat", "blocks_passage") > 0
        }
    );

    both.set_up(&both.vsat, true);
    let takes_bulk = |node: &str| {
        let sends = both.link(node, "vsat")["sends"].clone();
        sends
            .as_array()
            .is_some_and(|all| all.contains(&json!("passage")))
    };
    both.world.wait("the flat link takes bulk over", || {
        takes_bulk("trb") && takes_bulk("hub")
    });
    both.told();

    let before = both.sent("trb", "sat", "blocks_passage");
    both.write(500);
    both.converge(Duration::from_secs(60));
    both.told();
    assert_eq!(both.sent("trb", "sat", "blocks_passage"), before);
}

#[test]
fn a_dear_link_for_urgent_matters_alone_brings_the_hold_and_leaves_bulk_where_it_is() {
    let both = TwoLinks::over("vsat-512", "vsat-256", "urgent");
    both.set_up(&both.vsat, false);
    both.world.wait("the flat link is dark", || {
        both.link("trb", "vsat")["connected"] == false
    });

    let before = both.entries("hub");
    both.write(50);
    let hold = both.hold();
    both.world
        .wait("the hub holds the hold", || both.hub_holds(&hold));
    assert_eq!(
        both.entries("hub"),
        before,
        "passages wait for the flat link"
    );

    both.set_up(&both.vsat, true);
    both.converge(Duration::from_secs(60));
    both.told();
    for purpose in BULK {
        assert_eq!(both.sent("trb", "sat", purpose), 0, "{purpose}");
        assert_eq!(both.sent("hub", "sat", purpose), 0, "{purpose}");
    }
}
