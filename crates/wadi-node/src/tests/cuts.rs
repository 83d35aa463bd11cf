//! What forks by the thousand cost a hub, and cuts in every order over six nodes and two hubs.

use crate::{door::command::Command, node::Node, tests::order::Country};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::atomic::Ordering,
};
use wadi_log::{
    Admit, Block, Body, Branch, Change, Checkpoint, Common, Cosignature, Crossing, Cut, CutTarget,
    Entry, Epoch, ForkProof, Hash, Head, Lane, LogId, LogKey, NodeId, Peaks, Put, Reference,
    SignedCheckpoint, Value, VerifiedBlock, leaf_hash,
};

/// Logs whose forks are proven in the flood.
const FLOOD: u64 = 2_000;

fn entry(body: Body) -> Entry {
    Entry {
        common: Common {
            officer: "OF-1".into(),
            department: "PORT".into(),
            wall_ms: 1_767_225_600_000,
            ..Common::default()
        },
        body,
    }
}

fn passage(plate: &str) -> Entry {
    let put = |key: &str, value: &str| Put {
        key: key.into(),
        value: Value::Text(value.into()),
    };
    entry(Body::Change(Change {
        puts: vec![put("direction", "in"), put("vehicle.plate_raw", plate)],
        ..Change::default()
    }))
}

fn log_of(key: &LogKey, epoch: u64, lane: Lane, crossing: &str) -> LogId {
    LogId {
        node: key.node(),
        epoch: Epoch(epoch.to_be_bytes()),
        lane,
        crossing: crossing.parse::<Crossing>().unwrap(),
    }
}

/// A block of these entries on top of what is there.
fn block(key: &LogKey, log: LogId, on: &Peaks, entries: &[Entry]) -> (Block, VerifiedBlock) {
    let written = VerifiedBlock::author(key, log, on, entries, 0, vec![]).unwrap();
    let block = Block {
        from: on.size(),
        entries: written
            .entries()
            .iter()
            .map(|e| e.bytes().to_vec())
            .collect(),
        checkpoint: written.checkpoint().clone(),
    };
    (block, written)
}

/// A proof that a log's first entry was signed twice.
fn forked_at_start(key: &LogKey, log: LogId, texts: [&[u8]; 2]) -> ForkProof {
    let branch = |text: &[u8]| {
        let mut peaks = Peaks::default();
        peaks.append(leaf_hash(text));
        let checkpoint = Checkpoint {
            log,
            size: 1,
            root: peaks.root(),
            hub_time_s: 0,
            logs: vec![],
        };
        Branch {
            checkpoint: key.sign(checkpoint),
            leaf: leaf_hash(text),
            path: vec![],
        }
    };

    ForkProof::new(0, branch(texts[0]), branch(texts[1]))
}

async fn done(node: &Node) {
    // Whatever was put before is carried out, and durable, when a local key is.
    node.set_local(vec![], vec![]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_by_the_thousand_end_in_one_cut_of_their_node() {
    let dir = tempfile::tempdir().unwrap();
    let country = Country::of(&[("trb", "TRB")], &["hub"]);
    let hub = country.node(dir.path(), 2, "hub").await;
    let trb = LogKey::from_seed(&[10; 32]);
    let logs: Vec<LogId> = (1..=FLOOD)
        .map(|n| log_of(&trb, n, Lane::Passage, "TRB"))
        .collect();

    // Of logs of which nothing is held a few proofs are taken, and nothing comes of them.
    let proofs: Vec<ForkProof> = logs
        .iter()
        .map(|log| forked_at_start(&trb, *log, [b"one", b"another"]))
        .collect();
    for some in proofs.chunks(100) {
        hub.put(Command::Forks(some.to_vec(), trb.node())).await;
    }
    hub.put(Command::CutForks).await;
    done(&hub).await;
    hub.with_control(|c| {
        assert!((1..8).contains(&c.forks().len()), "{}", c.forks().len());
        assert!(!c.has_cuts());
    });

    // Now it has them, and an honest one beside them.
    let honest = log_of(&trb, FLOOD + 1, Lane::Passage, "TRB");
    let mut answers = Vec::new();
    let mut bytes = BTreeMap::new();
    for (n, log) in logs.iter().chain([&honest]).enumerate() {
        let (block, _) = block(
            &trb,
            *log,
            &Peaks::default(),
            &[passage(&format!("11-A-{n}"))],
        );
        bytes.insert(*log, block.entries[0].clone());
        answers.push(hub.ingest(block, trb.node()).await);
    }
    for answer in answers {
        answer.await.unwrap();
    }

    let counted = hub.logs_counted.load(Ordering::Relaxed);
    for log in &logs {
        let proof = forked_at_start(&trb, *log, [&bytes[log], b"yet another"]);
        hub.put(Command::Forks(vec![proof], trb.node())).await;
        hub.put(Command::CutForks).await;
    }
    done(&hub).await;

    let counted = hub.logs_counted.load(Ordering::Relaxed) - counted;
    hub.with_control(|c| {
        assert_eq!(c.forks().len(), FLOOD as usize);
        assert!(c.is_cut(&trb.node()), "it is cut as a node");
        assert_eq!(c.cut_bound(&honest).unwrap().size, 1, "what it held counts");

        let cuts = c.cuts().count();
        assert!(
            cuts <= 7 + 8,
            "{cuts} cuts: seven logs, then the node in parts"
        );
    });
    assert!(
        counted <= 12 * FLOOD,
        "{counted} logs were counted anew for {FLOOD} forks"
    );

    let refusals = hub.store.refusals(10_000).await.unwrap();
    let forked = refusals.iter().filter(|r| r.code == "forked").count();
    assert!(forked <= 9, "{forked} lines for one node's forks");
    hub.stop().await;
}

/// What happens in a country at random: who said it, and what is carried to whom.
struct Story {
    blocks: Vec<Block>,
    proofs: Vec<ForkProof>,
    cosigned: Vec<(SignedCheckpoint, Cosignature)>,
}

/// A log in the making, of which blocks are cut off.
struct Pen<'a> {
    key: &'a LogKey,
    log: LogId,
    peaks: Peaks,
}

impl Pen<'_> {
    fn write(&mut self, story: &mut Story, entries: &[Entry]) -> Vec<Reference> {
        let (block, written) = block(self.key, self.log, &self.peaks, entries);
        self.peaks = written.peaks().clone();
        story.blocks.push(block);
        written.entries().iter().map(|e| e.reference()).collect()
    }

    fn head(&self, size: u64, roots: &BTreeMap<(LogId, u64), Hash>) -> Head {
        Head {
            log: self.log,
            size,
            root: roots[&(self.log, size)],
        }
    }
}

fn draw_story(r: &mut StdRng, country: &Country) -> Story {
    let mut story = Story {
        blocks: vec![],
        proofs: vec![],
        cosigned: vec![],
    };
    let keys: Vec<LogKey> = (10..14u8).map(|n| LogKey::from_seed(&[n; 32])).collect();
    let hubs: Vec<LogKey> = (2..4u8).map(|n| LogKey::from_seed(&[n; 32])).collect();
    let codes = ["TRB", "QAM", "MAN", "RAB"];

    // Every crossing's trucks; each head is known at every size.
    let mut roots = BTreeMap::new();
    let mut pens: Vec<Pen> = Vec::new();
    let mut said: Vec<Reference> = Vec::new();
    for (key, code) in keys.iter().zip(codes) {
        let mut pen = Pen {
            key,
            log: log_of(key, 1, Lane::Passage, code),
            peaks: Peaks::default(),
        };
        for n in 0..r.random_range(4..12) {
            said.extend(pen.write(&mut story, &[passage(&format!("{code}-{n}"))]));
            roots.insert((pen.log, pen.peaks.size()), pen.peaks.root());
            if r.random_range(0..3) == 0 {
                let hub = &hubs[r.random_range(0..2)];
                let checkpoint = story.blocks.last().unwrap().checkpoint.clone();
                let cosignature = hub.cosign(&checkpoint.checkpoint, 1_767_225_600);
                story.cosigned.push((checkpoint, cosignature));
            }
        }
        pens.push(pen);
    }

    // A thief forks one of them from the start.
    if r.random() {
        let pen = &pens[r.random_range(0..pens.len())];
        let first = story
            .blocks
            .iter()
            .find(|b| b.checkpoint.checkpoint.log == pen.log)
            .unwrap();
        let texts: [&[u8]; 2] = [&first.entries[0], b"forged"];
        story.proofs.push(forked_at_start(pen.key, pen.log, texts));
    }

    // Two hubs say what they please of the crossings; the second is captured, and cut.
    let mut words: Vec<Pen> = hubs
        .iter()
        .map(|key| Pen {
            key,
            log: log_of(key, 1, Lane::Control, "HUB"),
            peaks: Peaks::default(),
        })
        .collect();
    let mut cuts: BTreeMap<NodeId, Vec<Reference>> = BTreeMap::new();
    for _ in 0..r.random_range(3..14) {
        let pen = &pens[r.random_range(0..pens.len())];
        let node = pen.key.node();
        let size = r.random_range(0..=pen.peaks.size());
        let heads = match size {
            0 => vec![],
            size => vec![pen.head(size, &roots)],
        };
        let target = match r.random() {
            true => CutTarget::Node(node),
            false => CutTarget::Log(pen.log),
        };
        let known = cuts.entry(node).or_default();
        let mut extends: Vec<Reference> = known.iter().filter(|_| r.random()).copied().collect();
        extends.sort();

        let body = match r.random_range(0..6) {
            0 => Body::Admit(Admit {
                entries: vec![said[r.random_range(0..said.len())]],
                reason: "seen".into(),
            }),
            1 => Body::Cut(Cut {
                extends,
                lifted: true,
                ..Cut::of(target, vec![], "a mistake".into())
            }),
            _ => Body::Cut(Cut {
                extends,
                ..Cut::of(target, heads, "drawn".into())
            }),
        };

        let is_cut = matches!(body, Body::Cut(_));
        let at = words[r.random_range(0..2)].write(&mut story, &[entry(body)]);
        if is_cut {
            known.extend(at);
        }
    }

    // The root cuts the captured hub somewhere; a crossing carries it.
    if r.random_range(0..3) > 0 && words[1].peaks.size() > 0 {
        let upto = r.random_range(0..words[1].peaks.size());
        let heads = match upto {
            0 => vec![],
            size => vec![Head {
                log: words[1].log,
                size,
                root: root_of(&story, &words[1].log, size),
            }],
        };
        let target = CutTarget::Node(hubs[1].node());
        let cut = Cut::of(target, heads, "captured".into()).issue(country.root());
        let mut pen = Pen {
            key: &keys[1],
            log: log_of(&keys[1], 1, Lane::Control, codes[1]),
            peaks: Peaks::default(),
        };
        pen.write(&mut story, &[entry(Body::Cut(cut))]);
    }

    story
}

fn root_of(story: &Story, log: &LogId, size: u64) -> Hash {
    let heads = story.blocks.iter().map(|b| &b.checkpoint.checkpoint);
    let mut heads = heads.filter(|head| head.log == *log && head.size == size);
    heads.next().expect("each entry is a block of its own").root
}

/// What a node comes to: how much of each log counts, and its records.
async fn comes_to(node: &Node) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for row in node.store.logs().await.unwrap() {
        let counts = node.counts_to(&row.log).await.unwrap().min(1_000);
        if row.log.node != node.id() {
            out.insert(format!("{} {counts}", row.log.origin()));
        }
    }

    for id in node.store.record_ids().await.unwrap() {
        let row = node.store.record(&id).await.unwrap().unwrap();
        let json: serde_json::Value = serde_json::from_str(&row.json).unwrap();
        out.insert(format!(
            "{id} {} {} {}",
            json["state"], json["flags"], json["fields"]
        ));
    }

    out
}

/// Delivers a story in an order of its own, log by log in sequence; some in runs, as on a stick.
async fn hear(node: &Node, story: &Story, r: &mut StdRng) {
    let mut queues: BTreeMap<LogId, VecDeque<Block>> = BTreeMap::new();
    for block in &story.blocks {
        let log = block.checkpoint.checkpoint.log;
        queues.entry(log).or_default().push_back(block.clone());
    }

    let mut cosigned: Vec<_> = story.cosigned.iter().collect();
    cosigned.shuffle(r);
    let peer = LogKey::from_seed(&[10; 32]).node();
    while !queues.is_empty() {
        let logs: Vec<LogId> = queues.keys().copied().collect();
        let log = logs[r.random_range(0..logs.len())];
        let queue = queues.get_mut(&log).unwrap();
        for _ in 0..r.random_range(1..5) {
            let Some(block) = queue.pop_front() else {
                break;
            };
            node.ingest(block, peer).await.await.unwrap();
        }
        if queue.is_empty() {
            queues.remove(&log);
        }

        if r.random_range(0..4) == 0 {
            node.put(Command::Forks(story.proofs.clone(), peer)).await;
        }
        if let Some((checkpoint, cosignature)) = cosigned.pop() {
            let checkpoint = Box::new(checkpoint.clone());
            node.put(Command::Cosigned(checkpoint, *cosignature)).await;
        }
    }

    for (checkpoint, cosignature) in cosigned {
        let checkpoint = Box::new(checkpoint.clone());
        node.put(Command::Cosigned(checkpoint, *cosignature)).await;
    }
    node.put(Command::Forks(story.proofs.clone(), peer)).await;
    done(node).await;
}

/// Draws countries from a seed, and has six listeners hear each in orders of their own.
async fn judge_alike(seed: u64, countries: usize) {
    println!("WADI_SEED={seed}");
    let mut r = StdRng::seed_from_u64(seed);
    let codes = [
        ("trb", "TRB"),
        ("qam", "QAM"),
        ("man", "MAN"),
        ("rab", "RAB"),
    ];

    for _ in 0..countries {
        let dir = tempfile::tempdir().unwrap();
        let country = Country::of(&codes, &["hub", "hub2"]);
        let story = draw_story(&mut r, &country);

        // Six listeners; two start anew in between.
        let mut first: Option<BTreeSet<String>> = None;
        for n in 0..6u8 {
            let at = dir.path().join(format!("listener-{n}"));
            let listener = country.node(&at, 14, "mun").await;
            hear(&listener, &story, &mut r).await;
            let mut came = comes_to(&listener).await;
            if n % 3 == 2 {
                listener.stop().await;
                drop(listener);
                let again = country.node(&at, 14, "mun").await;
                assert_eq!(came, comes_to(&again).await, "a start changes nothing");
                came = comes_to(&again).await;
                again.stop().await;
            } else {
                listener.stop().await;
            }

            match &first {
                None => first = Some(came),
                Some(first) => {
                    let differ: Vec<_> = first.symmetric_difference(&came).take(6).collect();
                    assert!(differ.is_empty(), "node {n} judges otherwise: {differ:#?}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn six_nodes_and_two_hubs_judge_alike_in_whatever_order_they_hear_of_cuts() {
    let seed = std::env::var("WADI_SEED").ok().and_then(|s| s.parse().ok());
    let is_long = std::env::var("WADI_LONG").as_deref() == Ok("1");
    let (began, tried) = (std::time::Instant::now(), if is_long { 100 } else { 4 });
    judge_alike(seed.unwrap_or_else(|| rand::rng().random()), tried).await;

    let line = serde_json::json!({
        "name": "cuts", "tried": tried, "lost": 0, "undetected": 0, "exits": 0,
        "seconds": began.elapsed().as_secs(),
    });
    println!("GATE {line}");
}

/// Of this seed a listener hears of a cut, and then that the hub which said it is cut, before it
/// hears of the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_bound_that_fell_before_its_log_came_bounds_nothing() {
    judge_alike(2, 1).await;
}
