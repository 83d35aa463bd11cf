//! Two sessions as nodes run them, over quinn and rustls on a modelled link, in virtual time.
//! Stores are maps, and a commit takes no time: what is measured is what sessions and link do.

use crate::{LinkRate, thin_link_tests::end};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};
use wadi_lab::{HUB, Heading, LinkProfile, SITE, VirtualWorld};
use wadi_log::*;
use wadi_sync::*;

/// As `streams.rs` has them.
const MESSAGE_PRIORITY: i32 = 100;
/// How often a session is told what its link holds.
const LINK_PERIOD: Duration = Duration::from_millis(200);

fn root() -> LogKey {
    LogKey::from_seed(&[1; 32])
}

/// One end: its key, its store, and its session.
struct SessionEnd {
    key: LogKey,
    me: Enrolment,
    blocks: BTreeMap<LogId, Vec<Block>>,
    peaks: BTreeMap<LogId, Peaks>,
    session: Session,
}

impl SessionEnd {
    fn new(seed: u8, role: Role, crossing: &str, peer_seed: u8) -> Self {
        let key = LogKey::from_seed(&[seed; 32]);
        let code: Option<Crossing> = crossing.parse().ok();
        let scope = match role {
            Role::Hub => Scope::all(),
            _ => Scope::of_crossing(code.expect("a crossing")),
        };
        let me = Enrolment {
            name: crossing.to_lowercase(),
            role,
            crossing: code,
            log_key: key.public(),
            tls_key: [0; 32],
            scope,
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        };
        let peer = LogKey::from_seed(&[peer_seed; 32]).node();

        Self {
            me: me.issue(&root()).expect("plain parts"),
            key,
            blocks: BTreeMap::new(),
            peaks: BTreeMap::new(),
            session: Session::new(peer),
        }
    }

    /// Writes blocks of entries of which no two are alike.
    fn write(&mut self, lane: Lane, blocks: u64) {
        let log = LogId {
            node: self.key.node(),
            epoch: Epoch([1; 8]),
            lane,
            crossing: "TRB".parse().expect("a crossing"),
        };
        for n in 0..blocks {
            let entries: Vec<Entry> = (0..10).map(|m| entry(n * 10 + m)).collect();
            let held = self.peaks.entry(log).or_default();
            let block = VerifiedBlock::author(&self.key, log, held, &entries, 0, vec![]);
            let block = block.expect("an honest block");
            let from = held.size();
            *held = block.peaks().clone();
            self.keep(log, from, &block);
        }
    }

    fn keep(&mut self, log: LogId, from: u64, block: &VerifiedBlock) {
        let entries = block.entries().iter().map(|e| e.bytes().to_vec());
        self.blocks.entry(log).or_default().push(Block {
            from,
            entries: entries.collect(),
            checkpoint: block.checkpoint().clone(),
        });
    }

    fn tip(&self, log: &LogId) -> Tip {
        let peaks = self.peaks.get(log).cloned().unwrap_or_default();
        Tip {
            size: peaks.size(),
            root: peaks.root(),
        }
    }

    fn snapshot(&self, members: Vec<Enrolment>) -> Snapshot {
        let tips = self.peaks.keys().map(|log| (*log, self.tip(log)));
        Snapshot {
            root: RootKey(root().public()),
            me: self.me.clone(),
            peer_holds_me: false,
            members,
            frontier: Frontier(tips.collect()),
            closed: BTreeSet::new(),
            hub_time_s: 0,
            forks: vec![],
            uncosigned: BTreeSet::new(),
            remembered: None,
            late: false,
            rate_bits_s: Some(256_000),
        }
    }

    /// The block that begins at a position.
    fn block(&self, log: &LogId, from: u64) -> Option<Block> {
        self.blocks
            .get(log)?
            .iter()
            .find(|b| b.from == from)
            .cloned()
    }

    fn roots(&self, log: &LogId, sizes: &[u64]) -> BTreeMap<u64, Hash> {
        let mut peaks = Peaks::default();
        let mut roots = BTreeMap::new();
        let blocks = self.blocks.get(log).into_iter().flatten();
        for entry in blocks.flat_map(|b| &b.entries) {
            peaks.append(leaf_hash(entry));
            if sizes.contains(&peaks.size()) {
                roots.insert(peaks.size(), peaks.root());
            }
        }
        roots
    }

    fn ingest(&mut self, block: Block, author: &Enrolment) -> Input {
        let log = block.checkpoint.checkpoint.log;
        let to = block.checkpoint.checkpoint.size;
        let held = self.peaks.get(&log).cloned().unwrap_or_default();
        let taken = verify_block(block, &held, author).expect("an honest block in its order");
        self.peaks.insert(log, taken.peaks().clone());
        self.keep(log, held.size(), &taken);
        Input::BlockCommitted {
            log,
            to,
            tip: self.tip(&log),
            cosignature: self.key.cosign(&taken.checkpoint().checkpoint, 1),
        }
    }
}

/// Text that hardly compresses.
fn entry(n: u64) -> Entry {
    let hash = leaf_hash(&n.to_be_bytes());
    let text: String = hash.0.iter().map(|b| format!("{b:02x}")).collect();
    let put = Put {
        key: "note".into(),
        value: Value::Text(text),
    };
    Entry {
        common: Common::default(),
        body: Body::Change(Change {
            puts: vec![put],
            ..Default::default()
        }),
    }
}

/// Both ends and their world.
struct SessionWorld {
    world: VirtualWorld,
    ends: [SessionEnd; 2],
}

impl SessionWorld {
    fn connect(link: &str, seed: u64, ends: [SessionEnd; 2]) -> Self {
        let profile: LinkProfile = link.parse().expect("a kind of link");
        let rate = profile.provisioned_bits_s();
        let told = LinkRate::default();
        let site = LinkRate::provisioned(rate);
        let mut world = VirtualWorld::new(profile, seed, end(site), end(told.clone()));
        world.connect();
        told.peer_told(rate);

        let members: Vec<Enrolment> = ends.iter().map(|e| e.me.clone()).collect();
        let mut both = Self { world, ends };
        for of in [SITE, HUB] {
            let snapshot = both.ends[of].snapshot(members.clone());
            both.feed(of, Input::Connected(Box::new(snapshot)));
        }
        both
    }

    fn feed(&mut self, of: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for output in self.ends[of].session.handle(input) {
                match output {
                    Output::SendMessage(m) => {
                        self.world.send_content(of, MESSAGE_PRIORITY, m.encode());
                    }
                    Output::SendFrame { lane, bytes } => {
                        self.world.send_content(of, 10 - lane as i32, bytes);
                    }
                    Output::AskStore(query) => {
                        let answer = match &query {
                            Query::Block { log, from } => {
                                QueryAnswer::Block(self.ends[of].block(log, *from))
                            }
                            Query::Roots { log, sizes, .. } => {
                                QueryAnswer::Roots(self.ends[of].roots(log, sizes))
                            }
                            other => panic!("nothing else is asked for: {other:?}"),
                        };
                        inputs.push_back(Input::StoreAnswered(query, answer));
                    }
                    Output::IngestBlock(block) => {
                        let author = self.ends[1 - of].me.clone();
                        inputs.push_back(self.ends[of].ingest(block, &author));
                    }
                    Output::CloseConnection { code, why } => panic!("{code}: {why}"),
                    _ => {}
                }
            }
        }
    }

    /// Runs until both hold the same and every block is acknowledged. How long that took.
    fn converge(&mut self, most: Duration) -> Duration {
        let began = self.world.elapsed();
        let mut link_due = began;
        let is_done = |both: &Self| {
            let idle = both.ends.iter().all(|e| e.session.is_idle());
            idle && both.ends[SITE].peaks == both.ends[HUB].peaks
        };
        while !is_done(self) {
            assert!(self.world.elapsed() - began < most, "not converged");
            self.world
                .run_until(LINK_PERIOD, |w| w.has_content(SITE) || w.has_content(HUB));

            for of in [SITE, HUB] {
                for (priority, bytes) in self.world.take_content(of) {
                    let input = match priority {
                        MESSAGE_PRIORITY => {
                            Input::MessageReceived(Message::decode(&bytes).expect("a message"))
                        }
                        lane => Input::FrameReceived {
                            lane: Lane::from_u8((10 - lane) as u8).expect("a lane"),
                            bytes,
                        },
                    };
                    self.feed(of, input);
                }
            }

            if self.world.elapsed() >= link_due {
                link_due = self.world.elapsed() + LINK_PERIOD;
                for of in [SITE, HUB] {
                    let holds = self.world.window(of).unwrap_or(0);
                    self.feed(of, Input::LinkHolds(holds));
                }
            }
        }

        self.world.elapsed() - began
    }
}

/// How long two sessions take over a link, and what rate and bytes alone would need.
fn convergence(link: &str, site_blocks: u64, hub_blocks: u64) -> (f64, f64) {
    convergence_of(link, site_blocks, hub_blocks, 1)
}

/// The same, with losses from a seed.
fn convergence_of(link: &str, site_blocks: u64, hub_blocks: u64, seed: u64) -> (f64, f64) {
    let mut site = SessionEnd::new(2, Role::Crossing, "TRB", 3);
    let mut hub = SessionEnd::new(3, Role::Hub, "HUB", 2);
    site.write(Lane::Passage, site_blocks);
    hub.write(Lane::Hold, hub_blocks);

    let mut both = SessionWorld::connect(link, seed, [site, hub]);
    let before = Heading::BOTH.map(|way| both.world.counters(way).offered.bytes);
    let taken = both.converge(Duration::from_secs(3_600)).as_secs_f64();
    let after = Heading::BOTH.map(|way| both.world.counters(way).offered.bytes);

    let bytes = [0, 1].map(|n| after[n] - before[n]);
    let profile: LinkProfile = link.parse().expect("a kind of link");
    let needed = bytes[0].max(bytes[1]) as f64 * 8.0 / profile.up.rate_bits_s;
    println!("{link}: {taken:.2} s; {bytes:?} bytes up and down need {needed:.2} s");
    (taken, needed)
}

#[test]
fn sessions_converge_in_hardly_more_than_their_bytes_need() {
    for link in ["vsat-256", "vsat-512"] {
        let (taken, needed) = convergence(link, 300, 100);
        assert!(taken <= 1.5 * needed + 1.8, "{link}: {taken} s, {needed}");
    }
}

#[test]
fn sessions_fill_a_fat_link_far_away() {
    let (taken, needed) = convergence("vsat-10m", 6_000, 0);
    assert!(taken <= 1.5 * needed + 1.8, "{taken} s, {needed}");
}

/// Measured, and slower than that: each block is acknowledged by a message of its own, and at
/// 64 kbit/s a window of four packets leaves hardly any for what goes the other way.
#[test]
fn sessions_use_the_thinnest_link() {
    let (taken, needed) = convergence("vsat-64", 300, 100);
    assert!(taken <= 2.0 * needed, "{taken} s, {needed}");
}

#[test]
fn sessions_bear_loss() {
    for link in [
        "vsat-256,loss=5%",
        "vsat-256,burst=10%x4",
        "sandstorm",
        "hf-32",
    ] {
        // What is lost is luck, and one lost probe in a fade costs seconds: the middle of nine.
        let mut beyond: Vec<f64> = (1..=9)
            .map(|seed| convergence_of(link, 100, 30, seed))
            .map(|(taken, needed)| taken - 2.5 * needed)
            .collect();
        beyond.sort_by(f64::total_cmp);
        assert!(beyond[4] <= 6.0, "{link}: {beyond:?}");
        assert!(beyond[8] <= 20.0, "{link}: {beyond:?}");
    }
}
