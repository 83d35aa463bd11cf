//! A peer with good papers and bad intentions: forged, replayed, gapped and forked blocks, sent to
//! a node in this process over the very link that QUIC drives. Each is refused or cut, visible, and
//! the honest rest flows on.

use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;
use wadi_log::*;
use wadi_node::{Arriving, Leaving, Node, NodeKeys, Start, SystemClock, run_link};
use wadi_store::SqliteStore;
use wadi_sync::{BlockEncoder, Input, Message, Output, Query, QueryAnswer, Session, Snapshot};

struct Commission {
    root: LogKey,
    dir: tempfile::TempDir,
}

fn enrolment(root: &LogKey, name: &str, role: Role, crossing: &str, key: &LogKey) -> Enrolment {
    let crossing: Crossing = crossing.parse().unwrap();
    let scope = if role == Role::Hub {
        Scope::all()
    } else {
        Scope::of_crossing(crossing)
    };

    Enrolment {
        name: name.into(),
        role,
        crossing: Some(crossing),
        log_key: key.public(),
        tls_key: [0; 32],
        scope,
        serial: 1,
        issued_s: 0,
        root_signature: [0; 64],
    }
    .issue(root)
    .unwrap()
}

impl Commission {
    fn new() -> Self {
        Self {
            root: LogKey::from_seed(&[1; 32]),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    async fn hub(&self) -> Arc<Node> {
        let key = LogKey::from_seed(&[2; 32]);
        let me = enrolment(&self.root, "hub", Role::Hub, "HUB", &key);
        let store = SqliteStore::open(self.dir.path(), me.node()).await.unwrap();
        let keys = NodeKeys {
            log_key: key,
            root: RootKey(self.root.public()),
        };
        let clock = Arc::new(SystemClock::real());

        Node::start(Start {
            keys,
            me,
            known: vec![],
            store,
            clock,
            scrub: Default::default(),
            suspects: Default::default(),
            budgets: Default::default(),
        })
        .await
        .unwrap()
    }
}

/// Entries of a log, signed in blocks as its author would.
struct Author {
    key: LogKey,
    enrolment: Enrolment,
    log: LogId,
    peaks: Peaks,
    blocks: Vec<Block>,
}

impl Author {
    fn new(c: &Commission, seed: u8, name: &str, crossing: &str, lane: Lane) -> Self {
        let key = LogKey::from_seed(&[seed; 32]);
        let enrolment = enrolment(&c.root, name, Role::Crossing, crossing, &key);
        let log = LogId {
            node: key.node(),
            epoch: Epoch([seed; 8]),
            lane,
            crossing: crossing.parse().unwrap(),
        };

        Self {
            key,
            enrolment,
            log,
            peaks: Peaks::default(),
            blocks: vec![],
        }
    }

    fn say(&mut self, note: &str) {
        let puts = vec![
            Put {
                key: "direction".into(),
                value: Value::Text("in".into()),
            },
            Put {
                key: "note".into(),
                value: Value::Text(note.into()),
            },
        ];

        let change = Change {
            puts,
            ..Default::default()
        };
        let common = Common {
            officer: "OF-1".into(),
            department: "PORT".into(),
            ..Default::default()
        };

        let entry = Entry {
            common,
            body: Body::Change(change),
        };
        let block =
            VerifiedBlock::author(&self.key, self.log, &self.peaks, &[entry], 0, vec![]).unwrap();

        self.blocks.push(Block {
            from: self.peaks.size(),
            entries: block.entries().iter().map(|e| e.bytes().to_vec()).collect(),
            checkpoint: block.checkpoint().clone(),
        });

        self.peaks = block.peaks().clone();
    }

    fn tip(&self) -> Tip {
        Tip {
            size: self.peaks.size(),
            root: self.peaks.root(),
        }
    }
}

/// A connection to the node, with somebody's papers at the other end.
struct Wire {
    to: mpsc::Sender<Arriving>,
    from: mpsc::Receiver<Leaving>,
    encoders: std::collections::BTreeMap<Lane, BlockEncoder>,
}

fn connect(node: &Arc<Node>, peer: &Enrolment) -> Wire {
    let (to, incoming) = mpsc::channel(64);
    let (out, from) = mpsc::channel(64);
    tokio::spawn(run_link(
        node.door().clone(),
        peer.node(),
        peer.tls_key,
        incoming,
        out,
    ));

    Wire {
        to,
        from,
        encoders: Default::default(),
    }
}

impl Wire {
    async fn hello(&mut self, peer: &Enrolment) {
        for message in Message::opening(peer, 0) {
            self.to.send(Arriving::Message(message)).await.unwrap();
        }
    }

    async fn block(&mut self, block: &Block) {
        let lane = block.checkpoint.checkpoint.log.lane;
        let encoder = self
            .encoders
            .entry(lane)
            .or_insert_with(|| BlockEncoder::new().unwrap());

        self.to
            .send(Arriving::Frame(lane, encoder.encode(block).unwrap()))
            .await
            .unwrap();
    }

    /// The next answer to a block: its size, and why it was refused.
    async fn ack(&mut self) -> (u64, String) {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.from.recv())
                .await
                .expect("an answer");
            if let Some(Leaving::Message(Message::Ack { size, refused, .. })) = next {
                let code = refused.map(|r| r.code().to_string());
                return (size, code.unwrap_or_default());
            }
        }
    }
}

async fn refusals(node: &Node) -> Vec<String> {
    node.store()
        .refusals(100)
        .await
        .unwrap()
        .into_iter()
        .map(|r| r.code)
        .collect()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }

    panic!("waited for: {what}");
}

#[tokio::test]
async fn forged_replayed_and_gapped_blocks_are_refused_and_the_honest_rest_flows_on() {
    let commission = Commission::new();
    let hub = commission.hub().await;
    let mut trb = Author::new(&commission, 3, "trb", "TRB", Lane::Passage);
    (0..4).for_each(|n| trb.say(&format!("truck {n}")));

    let mut wire = connect(&hub, &trb.enrolment);
    wire.hello(&trb.enrolment).await;
    wire.block(&trb.blocks[0]).await;
    assert_eq!(wire.ack().await, (1, String::new()));

    // A gap: the third before the second.
    wire.block(&trb.blocks[2]).await;
    assert_eq!(wire.ack().await, (1, "gap".into()));

    // A forged entry: other bytes under the same checkpoint.
    let mut forged = trb.blocks[1].clone();
    let at = forged.entries[0].len() - 3;
    forged.entries[0][at] ^= 1;
    wire.block(&forged).await;
    assert_eq!(wire.ack().await, (1, "hash_mismatch".into()));

    // A checkpoint that its author did not sign.
    let mut unsigned = trb.blocks[1].clone();
    unsigned.checkpoint.signature[0] ^= 1;
    wire.block(&unsigned).await;
    assert_eq!(wire.ack().await, (1, "bad_signature".into()));

    // The honest block, and then the same again.
    wire.block(&trb.blocks[1]).await;
    assert_eq!(wire.ack().await, (2, String::new()));

    wire.block(&trb.blocks[1]).await;
    assert_eq!(wire.ack().await.0, 2);

    until("all of it is shown", async || {
        let all = refusals(&hub).await;
        ["gap", "hash_mismatch", "bad_signature", "replayed_block"]
            .iter()
            .all(|c| all.contains(&(*c).to_string()))
    })
    .await;

    assert_eq!(hub.status().await.unwrap().records, 2);

    // Another crossing is not held up by any of that.
    let mut qam = Author::new(&commission, 4, "qam", "QAM", Lane::Passage);
    qam.say("honest");
    let mut other = connect(&hub, &qam.enrolment);
    other.hello(&qam.enrolment).await;
    other.block(&qam.blocks[0]).await;
    assert_eq!(other.ack().await, (1, String::new()));
    assert_eq!(hub.status().await.unwrap().records, 3);

    hub.stop().await;
}

#[tokio::test]
async fn a_stranger_and_a_frame_that_is_no_block_end_the_link_and_nothing_else() {
    let commission = Commission::new();
    let hub = commission.hub().await;
    let stranger_root = LogKey::from_seed(&[77; 32]);
    let key = LogKey::from_seed(&[78; 32]);
    let stranger = enrolment(&stranger_root, "trb", Role::Crossing, "TRB", &key);
    let mut wire = connect(&hub, &stranger);

    wire.hello(&stranger).await;
    until("the stranger is refused", async || {
        refusals(&hub).await.contains(&"not_enrolled".to_string())
    })
    .await;

    let trb = Author::new(&commission, 3, "trb", "TRB", Lane::Passage);
    let mut wire = connect(&hub, &trb.enrolment);
    wire.hello(&trb.enrolment).await;
    wire.to
        .send(Arriving::Frame(Lane::Passage, vec![1, 2, 3, 4]))
        .await
        .unwrap();
    until("the frame is refused", async || {
        refusals(&hub).await.contains(&"bad_block".to_string())
    })
    .await;

    // An observer's or a foreign node's signature under a hub's kind of entry counts for nothing,
    // and stays visible.
    let mut liar = Author::new(&commission, 5, "qam", "QAM", Lane::Control);
    let policy = Entry {
        common: Common::default(),
        body: Body::Policy(PolicyEntry {
            revision: 9,
            text: "{}".into(),
        }),
    };

    let block =
        VerifiedBlock::author(&liar.key, liar.log, &liar.peaks, &[policy], 0, vec![]).unwrap();
    liar.blocks.push(Block {
        from: 0,
        entries: vec![block.entries()[0].bytes().to_vec()],
        checkpoint: block.checkpoint().clone(),
    });

    let mut wire = connect(&hub, &liar.enrolment);
    wire.hello(&liar.enrolment).await;
    wire.block(&liar.blocks[0]).await;
    assert_eq!(
        wire.ack().await,
        (1, String::new()),
        "it stands in its author's log"
    );

    assert!(refusals(&hub).await.contains(&"no_right".to_string()));
    assert!(hub.with_control(|c| c.policy(|_| u64::MAX).is_none()));
    hub.stop().await;
}

/// A second holder of TRB's key, as a session: it answers probes out of its own branch.
struct Clone {
    session: Session,
    branch: Author,
    wire: Wire,
}

impl Clone {
    async fn feed(&mut self, input: Input) {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.session.handle(input) {
                match output {
                    Output::SendMessage(m) => drop(self.wire.to.send(Arriving::Message(m)).await),
                    Output::SendFrame { lane, bytes } => {
                        drop(self.wire.to.send(Arriving::Frame(lane, bytes)).await)
                    }
                    Output::AskStore(query) => {
                        let answer = self.answer(&query);
                        inputs.push_back(Input::StoreAnswered(query, answer));
                    }
                    _ => {}
                }
            }
        }
    }

    fn answer(&self, query: &Query) -> QueryAnswer {
        let leaves: Vec<Hash> = self
            .branch
            .blocks
            .iter()
            .map(|b| leaf_hash(&b.entries[0]))
            .collect();

        let root = |from: u64, to: u64| {
            let mut peaks = Peaks::default();
            leaves[from as usize..to as usize]
                .iter()
                .for_each(|l| drop(peaks.append(*l)));
            peaks.root()
        };

        match query {
            Query::Block { from, .. } => {
                QueryAnswer::Block(self.branch.blocks.get(*from as usize).cloned())
            }
            Query::Roots { sizes, .. } => {
                QueryAnswer::Roots(sizes.iter().map(|s| (*s, root(0, *s))).collect())
            }
            Query::Branch { at, .. } => {
                let size = self.branch.peaks.size();
                let path = proof::inclusion_ranges(*at, size)
                    .iter()
                    .map(|(a, b)| root(*a, *b))
                    .collect();
                let checkpoint = self.branch.blocks.last().unwrap().checkpoint.clone();

                QueryAnswer::Branch(Some(Branch {
                    checkpoint,
                    leaf: leaves[*at as usize],
                    path,
                }))
            }
            Query::HeldForBlock { .. }
            | Query::HeldForFrame { .. }
            | Query::Carried { .. }
            | Query::Stretches { .. }
            | Query::Tree { .. }
            | Query::Sketch { .. }
            | Query::Pick { .. }
            | Query::Digests => QueryAnswer::Block(None),
        }
    }
}

#[tokio::test]
async fn a_fork_is_searched_out_proven_and_cut_at_what_the_hub_cosigned() {
    let commission = Commission::new();
    let hub = commission.hub().await;
    let mut honest = Author::new(&commission, 3, "trb", "TRB", Lane::Passage);
    (0..20).for_each(|n| honest.say(&format!("truck {n}")));

    let mut wire = connect(&hub, &honest.enrolment);
    wire.hello(&honest.enrolment).await;
    for block in &honest.blocks {
        wire.block(block).await;
        assert_eq!(wire.ack().await.1, "");
    }

    drop(wire);
    // A thief of the key continues from the eighth entry with other trucks, in the same epoch.
    let mut thief = Author::new(&commission, 3, "trb", "TRB", Lane::Passage);
    (0..7).for_each(|n| thief.say(&format!("truck {n}")));
    (7..20).for_each(|n| thief.say(&format!("ghost {n}")));

    let tip = thief.tip();
    let wire = connect(&hub, &thief.enrolment);
    let mut clone = Clone {
        session: Session::new(hub.id()),
        wire,
        branch: thief,
    };

    let hub_enrolment = hub.me().clone();
    let snapshot = Snapshot {
        root: RootKey(commission.root.public()),
        me: clone.branch.enrolment.clone(),
        peer_holds_me: false,
        members: vec![hub_enrolment, clone.branch.enrolment.clone()],
        frontier: Frontier([(clone.branch.log, tip)].into()),
        closed: Default::default(),
        hub_time_s: 0,
        forks: vec![],
        uncosigned: Default::default(),
        remembered: None,
        late: false,
        rate_bits_s: None,
    };

    clone.feed(Input::Connected(Box::new(snapshot))).await;
    let log = clone.branch.log;
    for _ in 0..200 {
        if hub.with_control(|c| c.cut_bound(&log).is_some()) {
            break;
        }

        let next = tokio::time::timeout(Duration::from_millis(200), clone.wire.from.recv()).await;
        if let Ok(Some(Leaving::Message(message))) = next {
            clone.feed(Input::MessageReceived(message)).await;
        }
    }

    let proof = hub
        .with_control(|c| c.forks().get(&log).cloned())
        .expect("the fork is proven");
    assert_eq!(proof.at, 7, "the first difference");

    let bound = hub
        .with_control(|c| c.cut_bound(&log))
        .expect("the hub has cut the log");
    assert_eq!(
        (bound.size, bound.root),
        (20, Some(honest.tip().root)),
        "what it cosigned first counts"
    );

    until("the records stand as they were", async || {
        hub.status().await.unwrap().records == 20
    })
    .await;

    let status = hub.status().await.unwrap();
    assert_eq!(status.forks, [log.origin()]);
    assert_eq!(status.cuts.len(), 1);

    until("the fork is shown", async || {
        refusals(&hub).await.contains(&"forked".to_string())
    })
    .await;

    let rows = hub
        .store()
        .records(&wadi_store::RecordFilter {
            limit: 50,
            ..Default::default()
        })
        .await
        .unwrap();

    assert!(
        rows.iter().all(|r| r.json.contains("truck")),
        "no ghost truck counts"
    );

    hub.stop().await;
}

#[tokio::test]
async fn a_resync_is_ordered_by_a_hub_alone() {
    let commission = Commission::new();
    let hub = commission.hub().await;

    // Al-Qaem's node, or whoever has its key, orders one in its own control log.
    let mut qam = Author::new(&commission, 4, "qam", "QAM", Lane::Control);
    let order = ResyncOrder {
        id: "RS-1".into(),
        crossing: "TRB".parse().unwrap(),
        reason: "mischief".into(),
        approved_by: "OF-1".into(),
    };

    let entry = Entry {
        common: Common::default(),
        body: Body::ResyncOrder(order),
    };
    let block = VerifiedBlock::author(&qam.key, qam.log, &qam.peaks, &[entry], 0, vec![]).unwrap();

    qam.blocks.push(Block {
        from: 0,
        entries: vec![block.entries()[0].bytes().to_vec()],
        checkpoint: block.checkpoint().clone(),
    });

    let mut wire = connect(&hub, &qam.enrolment);
    wire.hello(&qam.enrolment).await;
    wire.block(&qam.blocks[0]).await;
    assert_eq!(
        wire.ack().await,
        (1, String::new()),
        "it stands in its author's log"
    );

    until("it is refused", async || {
        refusals(&hub).await.contains(&"no_right".to_string())
    })
    .await;
    assert!(
        hub.resyncs().list().await.unwrap().is_empty(),
        "and nobody carries it out"
    );

    hub.stop().await;
}
