//! Gates: restores of any age, forks in any order, and what each defence is for. `scripts/prove`
//! runs them at full size.

mod thief;

use integration_tests::network::*;
use integration_tests::seed;
use rand::{RngExt, SeedableRng, prelude::IndexedRandom, rngs::StdRng, seq::SliceRandom};
use std::{sync::Arc, time::Instant};
use thief::{Thief, feed};
use wadi_log::*;
use wadi_node::{Node, Target, Write};
use wadi_record::{Draft, HoldType, Passage, QuarantineHold};
use wadi_store::RecordFilter;

fn truck(n: usize) -> Draft {
    Passage::announce("in")
        .plate(&format!("11-A-{n:05}"), "IQ")
        .gate_in("G1", &format!("R{n}"))
}

async fn write(node: &Node, draft: Draft) -> Reference {
    node.write(Write::by("OF-1", "PORT", Target::New(None), draft))
        .await
        .expect("written")
        .entry
}

async fn plates(node: &Node) -> Vec<String> {
    let rows = node
        .store()
        .records(&RecordFilter {
            limit: 10_000,
            ..Default::default()
        })
        .await
        .expect("records");

    let mut all: Vec<String> = rows
        .iter()
        .filter_map(|r| {
            serde_json::from_str::<serde_json::Value>(&r.json).ok()?["fields"]["vehicle.plate"]
                .as_str()
                .map(String::from)
        })
        .collect();

    all.sort();
    all
}

/// A site's directory copied again and again while it works, and then put back at any age, with the
/// anchor of that day, with today's, or gone altogether: it goes on without fork, gets back what it
/// lost, and keeps what it writes meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_any_age_is_restored_without_fork_or_loss() {
    let began = Instant::now();
    let seed = seed();
    let mut r = StdRng::seed_from_u64(seed);
    let (mut tried, mut lost, mut undetected) = (0, 0, 0);

    for _ in 0..trials(6, 300) {
        let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
        let hub = country.start("hub").await;
        let mut copies = Vec::new();
        let mut n = 0;

        for _ in 0..r.random_range(2..5) {
            let trb = country.start("trb").await;
            let wire = connect(&trb, &hub);
            for _ in 0..r.random_range(1..12) {
                write(&trb, truck(n)).await;
                n += 1;
                if r.random_bool(0.2) {
                    let to = country.dir().join(format!("copy-{}", copies.len()));
                    // As a running machine is imaged: database, WAL and anchor as they lie there.
                    copy_dir(&country.dir_of("trb"), &to);
                    copies.push(to);
                }
            }

            until("the hub has it", async || plates(&hub).await.len() == n).await;
            drop(wire);
            trb.stop().await;
        }

        let dir = country.dir_of("trb");
        let anchor = std::fs::read(dir.join("anchor")).unwrap();
        let whole = plates(&hub).await;
        std::fs::remove_dir_all(&dir).unwrap();

        let behind = match copies.choose(&mut r) {
            Some(copy) if r.random_bool(0.8) => {
                copy_dir(copy, &dir);
                true
            }
            _ => false,
        };

        // The anchor lies on another disk, and survived; or it was imaged, too; or both are gone.
        let knows = r.random_bool(0.6);
        std::fs::create_dir_all(&dir).unwrap();
        if knows {
            std::fs::write(dir.join("anchor"), &anchor).unwrap();
        }

        tried += 1;
        let trb = country.start("trb").await;
        let told = !trb.status().await.unwrap().alarms.is_empty();
        undetected += u64::from(knows && !told && plates(&trb).await != whole);

        // Dark for a while, it writes on.
        write(&trb, truck(n)).await;
        let wire = connect(&trb, &hub);
        until("both hold everything", async || {
            plates(&hub).await.len() == n + 1
                && plates(&trb).await.len() == n + 1
                && agree(&trb, &hub).await
        })
        .await;

        let forks = hub.with_control(|c| c.forks().len());
        let now = plates(&trb).await;
        lost += u64::from(forks > 0 || !whole.iter().all(|p| now.contains(p)));
        assert_eq!(
            lost, 0,
            "WADI_SEED={seed}; a copy was restored: {behind}, with its anchor: {knows}; forks: \
             {forks}"
        );
        assert_eq!(undetected, 0, "WADI_SEED={seed}");

        drop(wire);
        trb.stop().await;
        hub.stop().await;
    }

    tell_gate("restores", tried, lost, undetected, 0, began);
}

/// Two branches of one of Traibeel's logs reach the hub, a neighbour, an observer and a second node
/// of the crossing in any order, some before and some after the proof and the cut, over whatever
/// links come up first. In the end all hold the same documents, the ghosts count nowhere, and all
/// have them to show.
#[tokio::test(flavor = "multi_thread")]
async fn forks_come_to_the_same_documents_whatever_each_node_saw_first() {
    let began = Instant::now();
    let seed = seed();
    let mut r = StdRng::seed_from_u64(seed);
    let (mut tried, mut differing, mut unproven) = (0, 0, 0);

    for _ in 0..trials(5, 200) {
        tried += 1;
        let country = Country::of(&[
            ("hub", Role::Hub, "HUB"),
            ("trb", Role::Crossing, "TRB"),
            ("trb-2", Role::Crossing, "TRB"),
            ("qam", Role::Crossing, "QAM"),
            ("army", Role::Observer, ""),
        ]);

        let trb = country.start("trb").await;
        let lane_of_fork = if r.random() {
            Lane::Passage
        } else {
            Lane::Hold
        };

        for n in 0..12 {
            let draft = match lane_of_fork {
                Lane::Hold => {
                    QuarantineHold::place(HoldType::Veterinary, "law").text("note", format!("n{n}"))
                }
                _ => truck(n),
            };

            let department = if lane_of_fork == Lane::Hold {
                "VET"
            } else {
                "PORT"
            };

            trb.write(Write::by("OF-1", department, Target::New(None), draft))
                .await
                .expect("written");
        }

        let rows = trb.store().logs().await.unwrap();
        let row = rows
            .into_iter()
            .find(|l| l.log.lane == lane_of_fork)
            .unwrap();
        let honest = trb.store().entries(&row.log, 0, 1 << 20).await.unwrap();
        let honest: Vec<Vec<u8>> = honest
            .into_iter()
            .map(|e| e.entry.bytes().to_vec())
            .collect();

        // The thief took the key and a copy of the first entries.
        let at = r.random_range(0..honest.len());
        let mut thief = Thief::of(&country, "trb", row.log);
        if at > 0 {
            thief.take(honest[..at].to_vec());
        }

        (0..r.random_range(1..15)).for_each(|n| thief.ghost(n));
        let mut nodes: Vec<Arc<Node>> = Vec::new();
        for name in ["hub", "trb-2", "qam", "army"] {
            nodes.push(country.start(name).await);
        }

        // Some hear the thief first. The hub hears the honest crossing first, or the thief: what it
        // cosigned first counts.
        let takers: Vec<&Arc<Node>> = nodes
            .iter()
            .filter(|n| n.me().scope.takes_log(&row.log))
            .collect();
        let mut heard: Vec<&Arc<Node>> = takers.iter().filter(|_| r.random()).copied().collect();
        if heard.is_empty() {
            // Somebody does, or there is no fork.
            heard.extend(takers.choose(&mut r));
        }

        for node in heard {
            feed(&country, node, &thief.blocks).await;
        }

        nodes.push(trb);
        let mut wires = Vec::new();
        let mut pairs: Vec<(usize, usize)> = (0..5)
            .flat_map(|a| (a + 1..5).map(move |b| (a, b)))
            .collect();

        pairs.shuffle(&mut r);
        for (n, (a, b)) in pairs.into_iter().enumerate() {
            wires.push(connect(&nodes[a], &nodes[b]));
            tokio::time::sleep(std::time::Duration::from_millis(r.random_range(0..120))).await;
            if n == 4 && !nodes[0].with_control(|c| c.forks().contains_key(&row.log)) && r.random()
            {
                // The thief goes on after all.
                thief.ghost(99);
                feed(&country, &nodes[0], &thief.blocks).await;
            }
        }

        let held_both = async |node: &Node| {
            let beside = node.store().branches(Some(&row.log)).await.unwrap();
            beside.len() == 1
        };
        let mut settled = false;

        for round in 0..60 {
            let mut calm = true;
            for node in nodes.iter().filter(|n| n.me().scope.takes_log(&row.log)) {
                calm &= node.with_control(|c| {
                    c.forks().contains_key(&row.log) && c.cut_bound(&row.log).is_some()
                });
                calm &= held_both(node).await;
            }

            for node in &nodes[1..] {
                calm &= agree(node, &nodes[0]).await;
            }

            if calm {
                settled = true;
                break;
            }

            // Links that rest for a fork begin anew, as they do in the desert.
            if round % 8 == 7 {
                wires.clear();
                for a in 0..5 {
                    for b in a + 1..5 {
                        wires.push(connect(&nodes[a], &nodes[b]));
                    }
                }
            }

            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }

        let proven = nodes[0].with_control(|c| c.forks().contains_key(&row.log));
        unproven += u64::from(!proven);
        differing += u64::from(!settled);
        if !settled {
            for node in &nodes {
                let beside = node.store().branches(Some(&row.log)).await.unwrap();
                println!(
                    "{}: fork {}, cut {:?}, beside {:?}, log {:?}\n  {:?}",
                    node.me().name,
                    node.with_control(|c| c.forks().get(&row.log).map(|f| f.at))
                        .is_some(),
                    node.with_control(|c| c.cut_bound(&row.log)),
                    beside
                        .iter()
                        .map(|b| (b.from, b.checkpoint.checkpoint.size))
                        .collect::<Vec<_>>(),
                    node.store()
                        .logs()
                        .await
                        .unwrap()
                        .iter()
                        .find(|l| l.log == row.log)
                        .map(|l| (l.peaks.size(), l.peaks.root())),
                    scopes(node)
                        .await
                        .into_values()
                        .filter(|s| s.lane == row.log.lane.to_string())
                        .collect::<Vec<_>>(),
                );
            }
        }

        assert_eq!(
            (differing, unproven),
            (0, 0),
            "WADI_SEED={seed}; trial {tried}, fork at {at} of {lane_of_fork:?}"
        );

        // The ghosts are there to be shown; one that is admitted counts at every node, and the rest
        // do not.
        let (quarantined, _) = nodes[0]
            .reads()
            .quarantined(Some(&row.log.origin()), None)
            .await
            .unwrap();
        let one: Reference = quarantined
            .choose(&mut r)
            .expect("something is in quarantine")
            .entry
            .parse()
            .unwrap();

        let admit = Admit {
            entries: vec![one],
            reason: "it was there after all".into(),
        };

        nodes[0]
            .write_control(vec![Body::Admit(admit)], "AU-1")
            .await
            .unwrap();
        until("all count what was admitted", async || {
            for node in nodes.iter().filter(|n| n.me().scope.takes_log(&row.log)) {
                let (rest, _) = node
                    .reads()
                    .quarantined(Some(&row.log.origin()), None)
                    .await
                    .unwrap();
                if rest.len() + 1 != quarantined.len() || !agree(node, &nodes[0]).await {
                    return false;
                }
            }

            true
        })
        .await;

        drop(wires);
        // The honest node goes on in an epoch of its own, and is heard.
        write(&nodes[4], truck(500)).await;
        let wire = connect(&nodes[4], &nodes[0]);
        until("the honest node is heard", async || {
            plates(&nodes[0]).await.iter().any(|p| p.contains("00500"))
        })
        .await;
        drop(wire);

        for node in nodes {
            node.stop().await;
        }
    }

    tell_gate("forks", tried, differing, unproven, 0, began);
}

#[test]
fn each_of_these_gates_turns_red_without_its_defence() {
    if !wadi_store::defence::SWITCHABLE {
        return;
    }

    let restores = "a_backup_of_any_age_is_restored_without_fork_or_loss";
    let forks = "forks_come_to_the_same_documents_whatever_each_node_saw_first";
    assert!(
        fails_without("new-epoch", restores),
        "a restored node that continues its old log forks it"
    );
    assert!(
        fails_without("fork-proof", forks),
        "without proofs nobody learns of a fork"
    );
    assert!(
        fails_without("cut", forks),
        "without a cut both branches stand"
    );

    let ships = "a_resync_ships_before_it_does_anything_else";
    assert!(
        fails_without("ship-before-resync", ships),
        "what is local alone may be lost while it mends"
    );
}

/// A hub that is in contact and takes nothing in: its disk is full, say. A resync has to wait with
/// everything else until what is local alone is safe there.
#[tokio::test(flavor = "multi_thread")]
async fn a_resync_ships_before_it_does_anything_else() {
    use tokio::sync::mpsc;
    use wadi_node::{Arriving, Leaving, ResyncState, run_link};
    use wadi_sync::Message;

    let country = Country::of(&[("hub", Role::Hub, "HUB"), ("trb", Role::Crossing, "TRB")]);
    let trb = country.start("trb").await;
    for n in 0..5 {
        write(&trb, truck(n)).await;
    }

    let hub = country.member("hub");
    let (to, incoming) = mpsc::channel(64);
    let (out, mut from) = mpsc::channel(64);
    let link = tokio::spawn(run_link(
        trb.door().clone(),
        hub.node(),
        hub.tls_key,
        incoming,
        out,
    ));

    let [hello, nothing] = Message::opening(hub, 1);
    for message in [hello, nothing.clone()] {
        to.send(Arriving::Message(message)).await.unwrap();
    }
    let answers = tokio::spawn(async move {
        while let Some(leaving) = from.recv().await {
            // It compares as often as it is asked to, and acknowledges nothing.
            if matches!(leaving, Leaving::Message(Message::Recompare)) {
                let _ = to.send(Arriving::Message(nothing.clone())).await;
            }
        }
    });

    let plan = trb
        .resyncs()
        .plan(None, "after the outage", "OP-1")
        .await
        .unwrap();

    until("it is planned", async || {
        trb.resyncs().get(&plan.id).await.unwrap().state == ResyncState::Planned
    })
    .await;
    trb.resyncs().run(&plan.id, "OP-2").await.unwrap();

    let mut told = false;
    for _ in 0..120 {
        let now = trb.resyncs().get(&plan.id).await.unwrap();
        assert_eq!(
            now.state,
            ResyncState::Shipping,
            "it went on while entries were on this disk alone: {now:?}"
        );

        told |= now.waits_for.contains("does not hold yet");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }

    assert!(told, "it says what it waits for");

    link.abort();
    answers.abort();
    trb.stop().await;
}

/// A plan is approved on what it says. Since then one of the logs was found forked: it has to be
/// made anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_the_world_has_moved_on_from_is_not_run() {
    use wadi_node::ResyncState;
    let members = [
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("trb-2", Role::Crossing, "TRB"),
    ];

    let country = Country::of(&members);
    let (hub, trb) = (country.start("hub").await, country.start("trb").await);
    for n in 0..6 {
        write(&trb, truck(n)).await;
    }

    let wire = connect(&trb, &hub);
    until("the hub has it", async || {
        plates(&hub).await.len() == 6 && agree(&trb, &hub).await
    })
    .await;

    let plan = hub
        .resyncs()
        .plan(Some("trb"), "a look", "OP-1")
        .await
        .unwrap();

    until("it is planned", async || {
        hub.resyncs().get(&plan.id).await.unwrap().state == ResyncState::Planned
    })
    .await;

    let row = trb
        .store()
        .logs()
        .await
        .unwrap()
        .into_iter()
        .find(|l| l.log.lane == Lane::Passage)
        .unwrap();

    let honest = trb.store().entries(&row.log, 0, 1 << 20).await.unwrap();
    drop(wire);
    let mut thief = Thief::of(&country, "trb", row.log);
    thief.take(
        honest[..3]
            .iter()
            .map(|e| e.entry.bytes().to_vec())
            .collect(),
    );

    thief.ghost(1);
    // The crossing's second node heard the thief; the hub learns of it from there.
    let witness = country.start("trb-2").await;
    feed(&country, &witness, &thief.blocks).await;

    let wire = connect(&witness, &hub);
    until("the fork is proven", async || {
        hub.with_control(|c| c.forks().contains_key(&row.log))
    })
    .await;

    let stale = hub.resyncs().run(&plan.id, "OP-2").await.unwrap_err();
    assert_eq!(stale.code(), "plan_stale", "{stale}");
    assert_eq!(
        hub.resyncs().get(&plan.id).await.unwrap().state,
        ResyncState::Planned,
        "and nothing was begun"
    );

    drop(wire);
    for node in [hub, trb, witness] {
        node.stop().await;
    }
}
