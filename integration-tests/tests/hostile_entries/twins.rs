//! Twins: two full nodes with one key, each of which writes and syncs. How the second came to be,
//! who writes first, who syncs first and what is started again between is gone through one by one.
//! Nothing that either acknowledged is lost, neither forks the other's log, and whoever hears both
//! holds the same of them.

use integration_tests::network::*;
use std::{path::PathBuf, sync::Arc, time::Instant};
use wadi_log::{RecordId, Role};
use wadi_node::{Node, Target, Write};
use wadi_record::Passage;
use wadi_store::RecordFilter;

/// How the second node came by what it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum TwinOrigin {
    /// The key and nothing else.
    KeyAlone,
    /// A copy of the directory of a node that had stopped.
    StoppedCopy,
    /// A copy of the directory while the node worked: a backup restored elsewhere.
    RunningCopy,
}

/// One story of twins.
#[derive(Clone, Copy, Debug)]
struct TwinStory {
    origin: TwinOrigin,
    /// The copy has its anchor, or lost it.
    has_anchor: bool,
    /// The twin writes before the first one does.
    twin_writes_first: bool,
    /// The twin syncs before the first one does.
    twin_syncs_first: bool,
    /// Whoever syncs second is started again before it does.
    restarts: bool,
    /// Both are in contact with the hub at once.
    together: bool,
}

/// All stories there are.
fn stories() -> Vec<TwinStory> {
    let origins = [
        TwinOrigin::KeyAlone,
        TwinOrigin::StoppedCopy,
        TwinOrigin::RunningCopy,
    ];
    let mut out = Vec::new();
    for origin in origins {
        for bits in 0..32u32 {
            let bit = |n: u32| bits & (1 << n) != 0;
            out.push(TwinStory {
                origin,
                has_anchor: bit(0),
                twin_writes_first: bit(1),
                twin_syncs_first: bit(2),
                restarts: bit(3),
                together: bit(4),
            });
        }
    }

    out
}

/// A node of the key, and where it lies.
struct Twin {
    node: Arc<Node>,
    dir: PathBuf,
}

impl Twin {
    async fn of(country: &Country, dir: PathBuf) -> Self {
        let node = country.start_in("trb", &dir).await.expect("it starts");
        Self { node, dir }
    }

    async fn restart(&mut self, country: &Country) {
        self.node.stop().await;
        self.node = country
            .start_in("trb", &self.dir)
            .await
            .expect("it starts again");
    }
}

async fn announce(node: &Node, plate: &str, said: &mut Vec<String>) -> RecordId {
    let draft = Passage::announce("in")
        .plate(plate, "IQ")
        .gate_in("G1", plate);
    let written = node
        .write(Write::by("OF-1", "PORT", Target::New(None), draft))
        .await
        .expect("written");
    said.push(plate.into());
    written.record
}

async fn note(node: &Node, on: RecordId, text: &str) {
    let draft = Passage::on().text("note", text);
    node.write(Write::by("OF-1", "PORT", Target::On(on), draft))
        .await
        .expect("a shared record is written on");
}

async fn holds_all(node: &Node, said: &[String]) -> bool {
    let filter = RecordFilter {
        limit: 1_000,
        ..Default::default()
    };
    let rows = node.store().records(&filter).await.expect("records");
    rows.len() == said.len()
        && said
            .iter()
            .all(|plate| rows.iter().any(|r| r.json.contains(plate)))
}

/// Makes the second node.
async fn twin_of(country: &Country, first: &mut Twin, story: TwinStory) -> Twin {
    let dir = country.dir().join("twin");
    match story.origin {
        TwinOrigin::KeyAlone => {}
        TwinOrigin::RunningCopy => copy_dir(&first.dir, &dir),
        TwinOrigin::StoppedCopy => {
            first.node.stop().await;
            copy_dir(&first.dir, &dir);
            first.node = country
                .start_in("trb", &first.dir)
                .await
                .expect("it starts");
        }
    }

    if !story.has_anchor {
        let _ = std::fs::remove_file(dir.join("anchor"));
    }

    Twin::of(country, dir).await
}

/// Tells one story. How many forks the hub knows of in the end.
async fn tell(story: TwinStory) -> usize {
    let country = Country::of(&[
        ("hub", Role::Hub, "HUB"),
        ("trb", Role::Crossing, "TRB"),
        ("trb-2", Role::Crossing, "TRB"),
    ]);
    let hub = country.start("hub").await;
    let neighbour = country.start("trb-2").await;
    let mut first = Twin::of(&country, country.dir_of("trb")).await;
    let mut said = Vec::new();
    let shared = announce(&first.node, "11-A-1", &mut said).await;
    announce(&first.node, "11-A-2", &mut said).await;

    // What stood before the twin came to be was safe, so that the key alone finds it again.
    let wire = connect(&first.node, &hub);
    until("the hub has what was before", async || {
        holds_all(&hub, &said).await
    })
    .await;
    drop(wire);

    let mut twin = twin_of(&country, &mut first, story).await;
    let writers = match story.twin_writes_first {
        true => [("T", &twin), ("F", &first)],
        false => [("F", &first), ("T", &twin)],
    };
    let has_shared = story.origin != TwinOrigin::KeyAlone;
    for (name, writer) in writers {
        announce(&writer.node, &format!("22-{name}-1"), &mut said).await;
        announce(&writer.node, &format!("22-{name}-2"), &mut said).await;
        if has_shared || name == "F" {
            note(&writer.node, shared, &format!("said by {name}")).await;
        }
    }

    let (one, other) = match story.twin_syncs_first {
        true => (&mut twin, &mut first),
        false => (&mut first, &mut twin),
    };
    let wire = connect(&one.node, &hub);
    let of_one = |plate: &&String| {
        !plate.starts_with("22-") || {
            let name = if story.twin_syncs_first { "T" } else { "F" };
            plate.starts_with(&format!("22-{name}"))
        }
    };
    let heard: Vec<String> = said.iter().filter(of_one).cloned().collect();
    until("the hub hears the one", async || {
        holds_all(&hub, &heard).await
    })
    .await;
    let kept = story.together.then_some(wire);

    if story.restarts {
        other.restart(&country).await;
    }
    let second = connect(&other.node, &hub);
    until("the hub hears both", async || holds_all(&hub, &said).await).await;
    drop((kept, second));

    let meeting = Meeting {
        hub,
        neighbour,
        twins: [one, other],
    };
    meeting.come_to_the_same(story, said).await
}

/// All who heard of the twins, and the twins.
struct Meeting<'t> {
    hub: Arc<Node>,
    neighbour: Arc<Node>,
    twins: [&'t mut Twin; 2],
}

impl Meeting<'_> {
    /// All meet, the twins each other's words as well. How many forks the hub knows of.
    async fn come_to_the_same(self, story: TwinStory, mut said: Vec<String>) -> usize {
        let [one, other] = self.twins.map(|twin| twin.node.clone());
        announce(&one, "33-L-1", &mut said).await;
        announce(&other, "33-L-2", &mut said).await;
        let (hub, neighbour) = (self.hub, self.neighbour);
        let wires = [&one, &other, &neighbour].map(|node| connect(node, &hub));
        until(&format!("all hold the same of {story:?}"), async || {
            for node in [&one, &other, &neighbour] {
                if !holds_all(node, &said).await || !agree(node, &hub).await {
                    return false;
                }
            }
            holds_all(&hub, &said).await
        })
        .await;

        let forks = hub.with_control(|c| c.forks().len());
        drop(wires);
        for node in [one, other, neighbour, hub] {
            assert_eq!(super::world::ended(&node).await, None, "{story:?}");
            node.stop().await;
        }

        forks
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_lose_nothing_and_fork_nothing_however_they_came_to_be() {
    let began = Instant::now();
    let all = stories();
    let count = trials(8, all.len() as u64) as usize;
    // Of fewer, some of each: the stride has no part in common with their number.
    let at = integration_tests::seed() as usize % all.len();
    let (mut tried, mut forked) = (0, 0);
    for n in 0..count {
        let story = all[(at + n * 13) % all.len()];
        forked += u64::from(tell(story).await > 0);
        tried += 1;
        assert_eq!(forked, 0, "forked: {story:?}");
    }

    tell_gate("twins", tried, forked, 0, 0, began);
}
