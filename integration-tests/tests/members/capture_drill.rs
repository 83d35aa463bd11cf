//! A node is captured and answers with valid keys: what it lied is set aside, what was witnessed
//! before stays, and another node takes its place. And the same of a hub.

use integration_tests::{
    World, issue_papers,
    network::{Country, Wire, agree, connect, until},
    papers, run, run_json,
};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use wadi_log::{Admit, Body, Cut, CutTarget, RecordId, Role};
use wadi_node::{Clock, Node, Target, Write};
use wadi_record::{HoldType, Passage, QuarantineHold};

const HOUR_MS: i64 = 3_600_000;

/// The story's clock, the same on every wall.
struct HandClock(AtomicI64);

impl HandClock {
    fn at(now_ms: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now_ms)))
    }

    fn go_on(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

async fn truck(node: &Node, plate: &str) -> RecordId {
    let draft = Passage::announce("in")
        .plate(plate, "IQ")
        .gate_in("G1", plate);
    let write = Write::by("OF-1", "PORT", Target::New(None), draft);
    node.write(write).await.unwrap().record
}

async fn holds(node: &Node, id: &RecordId) -> bool {
    node.reads().record(id).await.is_ok()
}

/// Whether all that is said of a record counts.
async fn counts(node: &Node, id: &RecordId) -> bool {
    let record = node.reads().record(id).await.unwrap_or_default();
    !record.is_null() && !record["refused"].to_string().contains("past_cut")
}

async fn quarantined(node: &Node) -> Vec<String> {
    let (found, _) = node.reads().quarantined(None, None).await.unwrap();
    found.into_iter().map(|q| q.entry).collect()
}

async fn heads_then(hub: &Node, of: &Node, then_ms: i64) -> Vec<wadi_log::Head> {
    let then_s = u64::try_from(then_ms / 1_000).unwrap();
    hub.reads()
        .heads_cosigned_by(&of.id(), then_s)
        .await
        .unwrap()
}

#[tokio::test]
async fn the_lies_of_a_day_are_set_aside_and_a_successor_takes_up_the_records() {
    let country = Country::of(&[
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("trb2", Role::Crossing, "TRB"),
        ("qam", Role::Crossing, "QAM"),
    ]);
    let clock = HandClock::at(1_790_000_000_000);
    let hub = country.start_with("hub", clock.clone()).await;
    let trb = country.start_with("trb", clock.clone()).await;
    let qam = country.start_with("qam", clock.clone()).await;
    let wires = [connect(&hub, &trb), connect(&hub, &qam)];

    // A day like any other.
    let mut honest = Vec::new();
    for n in 0..5 {
        honest.push(truck(&trb, &format!("11-A-{n}")).await);
        clock.go_on(HOUR_MS);
    }
    until("the hub has cosigned all of it", async || {
        hub.heads_of(&trb.id()) == trb.heads_of(&trb.id()) && holds(&hub, &honest[4]).await
    })
    .await;

    // It is overrun at dusk, and goes on to sync.
    let captured_ms = clock.now_ms() + 60_000;
    clock.go_on(HOUR_MS);
    let mut lies = Vec::new();
    for n in 0..24 {
        lies.push(truck(&trb, &format!("66-A-{n}")).await);
        clock.go_on(HOUR_MS);
    }
    until("the hub took the lies", async || {
        hub.heads_of(&trb.id()) == trb.heads_of(&trb.id()) && holds(&hub, &lies[23]).await
    })
    .await;
    assert!(counts(&hub, &lies[0]).await, "nobody can tell");

    // A cut at what the hub holds would keep all of them. This one falls at dusk.
    let heads = heads_then(&hub, &trb, captured_ms).await;
    let kept: u64 = heads.iter().map(|head| head.size).sum();
    let held: u64 = hub.heads_of(&trb.id()).iter().map(|head| head.size).sum();
    assert!(kept >= 5 && held - kept >= 24, "{kept} of {held}");

    let target = CutTarget::Node(trb.id());
    let cut = Cut::of(target, heads, "overrun at dusk".into());
    let parts = cut.in_parts().into_iter().map(Body::Cut).collect();
    hub.write_control(parts, "AU-1").await.unwrap();

    until("the link to it is closed", async || wires[0].is_over()).await;
    until("its lies are set aside", async || {
        quarantined(&hub).await.len() == 24
    })
    .await;
    for id in &honest {
        assert!(counts(&hub, id).await, "what was witnessed stays");
    }
    for id in &lies {
        assert!(!counts(&hub, id).await, "a lie counts");
    }

    // Nothing more comes of it, whichever way it dials.
    let again = connect(&hub, &trb);
    until("it is shown out", async || again.is_over()).await;
    let set_aside = quarantined(&hub).await.len();

    // One of them was true: the camera at the next post saw the truck.
    let (found, _) = hub.reads().quarantined(None, None).await.unwrap();
    let of = lies[3].to_string();
    let seen = found
        .iter()
        .find(|q| q.record.as_deref() == Some(of.as_str()));
    let entries = vec![seen.unwrap().entry.parse().unwrap()];
    let reason = "seen on the camera of the next post".into();
    let admit = Body::Admit(Admit { entries, reason });
    hub.write_control(vec![admit], "AU-1").await.unwrap();
    until("it is admitted", async || counts(&hub, &lies[3]).await).await;
    assert_eq!(quarantined(&hub).await.len(), set_aside - 1);

    // Another machine takes the crossing's place, with papers of its own.
    let successor = country.start_with("trb2", clock.clone()).await;
    let _wire = connect(&hub, &successor);
    until("it takes up the records", async || {
        holds(&successor, &honest[0]).await && counts(&successor, &lies[3]).await
    })
    .await;
    let out = Passage::on().gate_out("G2", "out-1");
    let write = Write::by("OF-2", "PORT", Target::On(honest[0]), out);
    successor.write(write).await.unwrap();
    until("the hub hears it out", async || {
        let record = hub.reads().record(&honest[0]).await.unwrap();
        record["events"].to_string().contains("out-1") || record.to_string().contains("out-1")
    })
    .await;
    until("all judge alike", async || {
        agree(&hub, &successor).await && agree(&hub, &qam).await
    })
    .await;
    assert_eq!(quarantined(&successor).await, quarantined(&hub).await);
    drop(wires);
}

#[tokio::test]
async fn a_cut_that_was_a_mistake_is_taken_back() {
    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let (hub, trb) = (country.start("hub").await, country.start("trb").await);
    let wire = connect(&hub, &trb);
    let before = truck(&trb, "11-A-1").await;
    until("the hub has it", async || holds(&hub, &before).await).await;

    let target = CutTarget::Node(trb.id());
    let cut = Cut::of(target, vec![], "a mistake".into());
    let at = hub
        .write_control(vec![Body::Cut(cut)], "AU-1")
        .await
        .unwrap();
    until("nothing of it counts", async || {
        !counts(&hub, &before).await
    })
    .await;
    until("its link is closed", async || wire.is_over()).await;
    drop(wire);

    let lift = Cut {
        extends: at,
        lifted: true,
        ..Cut::of(target, vec![], "it was another node".into())
    };
    hub.write_control(vec![Body::Cut(lift)], "AU-1")
        .await
        .unwrap();
    let _wire = connect(&hub, &trb);
    until("all of it counts again, there too", async || {
        counts(&hub, &before).await && !trb.with_control(|c| c.is_cut(&trb.id()))
    })
    .await;
    let after = truck(&trb, "11-A-2").await;
    until("and what it says from then on", async || {
        holds(&hub, &after).await && counts(&hub, &after).await
    })
    .await;
    assert!(quarantined(&hub).await.is_empty());
}

/// Neighbours learn from each other, or by stick, that their only hub is captured.
#[tokio::test]
async fn crossings_learn_from_each_other_and_by_stick_that_their_hub_is_captured() {
    let country = Country::of(&[
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("qam", Role::Crossing, "QAM"),
        ("man", Role::Crossing, "MAN"),
    ]);
    let hub = country.start("hub").await;
    let mut sites = Vec::new();
    for name in ["trb", "qam", "man"] {
        sites.push(country.start(name).await);
    }
    let [trb, qam, man] = &sites[..] else {
        panic!("three crossings");
    };
    let wires: Vec<Wire> = sites.iter().map(|site| connect(&hub, site)).collect();
    let first = truck(trb, "11-A-1").await;
    until("the hub has it", async || holds(&hub, &first).await).await;

    // The hub is in other hands: it cuts an honest crossing.
    let honest = hub.heads_of(&hub.id());
    let spite = Cut::of(CutTarget::Node(trb.id()), vec![], "spite".into());
    hub.write_control(vec![Body::Cut(spite)], "AU-1")
        .await
        .unwrap();
    until("all believe it", async || {
        sites[1..]
            .iter()
            .all(|s| s.with_control(|c| c.is_cut(&trb.id())))
    })
    .await;

    // Whom a node believes to be cut, it does not talk to.
    let by_wire = connect(trb, qam);
    until("the neighbour hangs up", async || by_wire.is_over()).await;

    // The root cuts the hub at what it said before, and no hub is there to carry it.
    let cut = Cut::of(
        CutTarget::Node(hub.id()),
        honest,
        "the hub is captured".into(),
    );
    let signed = country.sign_cut(cut);
    man.write_control(vec![Body::Cut(signed)], "AU-1")
        .await
        .unwrap();

    let knows = |site: &Node| site.with_control(|c| c.is_cut(&hub.id()) && !c.is_cut(&trb.id()));
    let _by_wire = connect(man, qam);
    until("the neighbour hears it", async || knows(qam)).await;

    let planned = qam.bundles().plan("trb", None, None).await.unwrap();
    for part in 1..=planned.parts {
        let bytes = qam.bundles().part(&planned.bundle, part).await.unwrap();
        trb.bundles().import(&bytes).await.unwrap();
    }
    until("the one that was cut reads it off the stick", async || {
        knows(trb)
    })
    .await;
    let _again = connect(trb, qam);
    let order = QuarantineHold::place(HoldType::Veterinary, "order 7");
    let write = Write::by("OF-1", "VET", Target::New(None), order);
    let held = trb.write(write).await.unwrap().record;
    until("it is talked to again", async || holds(qam, &held).await).await;
    for (site, wire) in sites.iter().zip(wires) {
        let told = format!("{} talks to the hub no more", site.me().name);
        until(&told, async || wire.is_over()).await;
    }
}

#[test]
fn a_cut_closes_a_link_that_stands_and_is_taken_back_by_command() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub_at = world.site("hub").listen;
    world.start("trb", &[("hub", hub_at)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let truck = trb.truck("11-A-00001");
    world.wait("the hub has it", || hub.record(&truck).is_ok());

    let up = || {
        let peers = hub.get("/v1/sites").unwrap_or_default()["peers"].clone();
        let all = peers.as_array().cloned().unwrap_or_default();
        all.iter()
            .any(|p| p["node"] == "trb" && p["connected"] == true)
    };
    world.wait("it is up", up);

    let dry = run_json(&hub.dir, &["say", "cut", "trb", "--all", "--dry-run"]);
    assert_eq!(dry["would"]["entries_that_count_on"], 0, "{dry}");
    assert!(
        dry["would"]["entries_set_aside"].as_u64().unwrap() > 0,
        "{dry}"
    );
    let early = [
        "say",
        "cut",
        "trb",
        "--since",
        "2020-01-01T00:00:00Z",
        "--dry-run",
    ];
    let dry = run_json(&hub.dir, &early);
    assert_eq!(dry["would"]["entries_that_count_on"], 0, "{dry}");
    let since = |when: &str| {
        let cut = ["--json", "say", "cut", "trb", "--since", when, "--dry-run"];
        run(&hub.dir, &cut)
    };
    let ahead = String::from_utf8_lossy(&since("2099-01-01T00:00:00Z").stderr).into_owned();
    assert!(ahead.contains("still to come"), "{ahead}");
    world.wait("what the hub has cosigned by now counts on", || {
        let dry = since(&format!("{:.0}", jiff::Timestamp::now()));
        let dry: Value = serde_json::from_slice(&dry.stdout).unwrap_or_default();
        dry["would"]["entries_that_count_on"].as_u64() > Some(0)
    });
    assert!(up(), "a dry run cuts nothing");

    run_json(&hub.dir, &["say", "cut", "trb", "--all", "--yes"]);
    world.wait("its link is closed", || !up());
    world.wait("it is not let in again", || {
        let status = hub.get("/v1/sites").unwrap_or_default();
        status.to_string().contains("cut_node")
    });
    assert!(!up());

    run_json(
        &hub.dir,
        &["say", "uncut", "trb", "--reason", "a mistake", "--yes"],
    );
    world.wait("it is let in again", up);
    let wrong = ["say", "uncut", "trb", "--reason", "twice", "--yes"];
    assert!(!run(&hub.dir, &wrong).status.success(), "it is not cut");
}

#[test]
fn the_root_cuts_a_hub_on_its_own_machine_and_any_node_carries_it() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("hub2", &[]);
    let hubs = ["hub", "hub2"].map(|name| (name, world.site(name).listen));
    world.start("trb", &hubs);
    let (hub, hub2, trb) = (world.site("hub"), world.site("hub2"), world.site("trb"));
    let truck = trb.truck("11-A-00001");
    world.wait("both hubs have it", || {
        hub.record(&truck).is_ok() && hub2.record(&truck).is_ok()
    });

    // The heads come from a node that holds them, the signature from the root's machine.
    let dry = run_json(&trb.dir, &["say", "cut", "hub2", "--dry-run"]);
    assert_eq!(dry["would"]["is_hub"], json!(true), "{dry}");
    let heads = world.dir().join("heads.json");
    std::fs::write(&heads, dry.to_string()).unwrap();
    let (heads, file) = (heads.display().to_string(), world.dir().join("cut"));
    let file = file.display().to_string();
    let sign = [
        "pki", "cut", "hub2", "--heads", &heads, "--reason", "captured", "-o", &file,
    ];
    let signed = run_json(papers(), &sign);
    assert_eq!(
        signed["entries_that_count_on"],
        dry["would"]["entries_that_count_on"]
    );

    let said = run_json(&trb.dir, &["say", "cut", "--signed", &file, "--yes"]);
    assert!(said["entries"][0].is_string(), "{said}");
    let is_cut = |site: &integration_tests::Site| {
        let members = site.get("/v1/members").unwrap_or_default()["members"].clone();
        let all = members.as_array().cloned().unwrap_or_default();
        all.iter()
            .any(|m| m["node"] == "hub2" && m["cut"] == Value::Bool(true))
    };
    world.wait("the other hub hears of it", || is_cut(hub));
    assert!(is_cut(trb));

    // What nobody signed is carried by nobody.
    let refused = run(&trb.dir, &["say", "cut", "hub", "--yes"]);
    assert!(!refused.status.success());
}

#[test]
fn who_is_revoked_is_shown_out_while_all_run_and_the_others_stay() {
    let commission = issue_papers();
    let of = |name: &str| commission.path().join("certs/nodes").join(name);
    let mut world = World::default();
    world.start_with("hub", &of("hub"), &[]);
    let hub_at = world.site("hub").listen;
    world.start_with("man", &of("man"), &[("hub", hub_at)]);
    world.start_with("trb", &of("trb"), &[("hub", hub_at)]);
    let hub = world.site("hub");
    let up = |name: &str| {
        let peers = hub.get("/v1/sites").unwrap_or_default()["peers"].clone();
        let all = peers.as_array().cloned().unwrap_or_default();
        all.iter()
            .any(|p| p["node"] == name && p["connected"] == true)
    };
    world.wait("both are up", || up("man") && up("trb"));

    run_json(commission.path(), &["pki", "revoke", "qam"]);
    let older = std::fs::read(of("hub").join("crl.pem")).unwrap();
    run_json(commission.path(), &["pki", "revoke", "man"]);
    world.wait("it is shown out", || !up("man"));
    world.wait("the hub says why", || {
        let status = hub.get("/v1/sites").unwrap_or_default();
        status.to_string().contains("certificate_revoked")
    });
    world.wait("it is not let in again", || {
        let status = hub.get("/v1/sites").unwrap_or_default();
        status.to_string().contains("not_let_in")
    });
    assert!(!up("man") && up("trb"));

    // A list that does not read, or is gone, is not one that revokes nobody.
    let list = of("hub").join("crl.pem");
    let whole = std::fs::read(&list).unwrap();
    let told = |why: &str| {
        let sites = hub.get("/v1/sites").unwrap_or_default().to_string();
        sites.contains("are not taken up") && sites.contains(why)
    };
    std::fs::write(&list, [0x30, 0x82, 0xff, 0xfe]).unwrap();
    world.wait("it is told that the list does not read", || told("UTF-8"));
    std::fs::remove_file(&list).unwrap();
    world.wait("it is told that the list is gone", || told("is gone"));
    std::fs::write(&list, older).unwrap();
    world.wait("it is told that the list is older", || {
        told("1 certificates that were revoked would be let in again")
    });
    assert!(!up("man") && up("trb"));
    std::fs::write(&list, whole).unwrap();
    world.wait("all is well again", || !told(""));

    // Renewed papers are taken up, too: the next handshake goes by them.
    run_json(commission.path(), &["pki", "renew", "trb"]);
    let truck = world.site("trb").truck("11-A-00001");
    world.wait("the link goes on", || hub.record(&truck).is_ok());
}
