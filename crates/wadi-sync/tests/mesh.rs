//! Sessions over virtual links: five nodes, logs that grow, links that drop everything in flight at
//! any moment, messages and blocks on streams that overtake each other. In the end all hold what
//! they may see, and nothing more.

mod members;

use members::{Member, ROOT, member};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wadi_log::*;
use wadi_sync::*;

/// One end of a connection: the session, and what is on its way to it, a queue a stream.
struct End {
    session: Session,
    messages: VecDeque<Message>,
    frames: BTreeMap<Lane, VecDeque<Vec<u8>>>,
}

struct World {
    members: Vec<Member>,
    /// Times that a store was asked what a frame leaves out.
    asked: usize,
    /// Frames by their first byte.
    frames: BTreeMap<u8, usize>,
    /// Blocks refused because they could not be rebuilt.
    unresolved: usize,
    ends: BTreeMap<(usize, usize), End>,
    remembered: BTreeMap<(usize, usize), Frontier>,
}

impl World {
    fn connect(&mut self, a: usize, b: usize) {
        for (me, peer) in [(a, b), (b, a)] {
            let session = Session::new(self.members[peer].key.node());
            let session = session.speaking(self.members[me].codec);
            self.ends.insert(
                (me, peer),
                End {
                    session,
                    messages: VecDeque::new(),
                    frames: BTreeMap::new(),
                },
            );
        }

        for (me, peer) in [(a, b), (b, a)] {
            let m = &self.members[me];
            // A node's complete earlier epochs are folded, as one folds what a hub has cosigned to
            // its end.
            let newest = |n: &NodeId| {
                self.members
                    .iter()
                    .find(|m| m.key.node() == *n)
                    .map_or(0, |m| m.epoch)
            };

            let complete = |l: &&LogId| {
                let owner = self.members.iter().find(|m| m.key.node() == l.node);
                owner.is_some_and(|o| {
                    o.peaks.get(*l).map(Peaks::size) == m.peaks.get(*l).map(Peaks::size)
                })
            };

            let closed = m
                .peaks
                .keys()
                .filter(|l| l.epoch.0[0] < newest(&l.node))
                .filter(complete)
                .copied()
                .collect();

            let snapshot = Snapshot {
                root: RootKey(LogKey::from_seed(&ROOT).public()),
                me: m.enrolment.clone(),
                peer_holds_me: false,
                members: m.control.enrolments().cloned().collect(),
                frontier: m.frontier(),
                closed,
                hub_time_s: 0,
                forks: vec![],
                uncosigned: BTreeSet::new(),
                remembered: self.remembered.get(&(me, peer)).cloned(),
                late: false,
                rate_bits_s: None,
            };

            self.feed(me, peer, Input::Connected(Box::new(snapshot)));
        }
    }

    fn cut(&mut self, a: usize, b: usize) {
        self.ends.remove(&(a, b));
        self.ends.remove(&(b, a));
    }

    /// Hands an input to one end, and carries out what it asks for.
    fn feed(&mut self, me: usize, peer: usize, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let Some(end) = self.ends.get_mut(&(me, peer)) else {
                return;
            };
            for output in end.session.handle(input) {
                match output {
                    Output::SendMessage(m) => {
                        // Over bytes, as on the wire.
                        let m = Message::decode(&m.encode()).unwrap();
                        if let Message::Ack {
                            refused: Some(reason),
                            ..
                        } = &m
                        {
                            self.unresolved += usize::from(*reason == RefuseReason::Unresolved);
                        }
                        if let Some(other) = self.ends.get_mut(&(peer, me)) {
                            other.messages.push_back(m);
                        }
                    }
                    Output::SendFrame { lane, bytes } => {
                        // Two nodes speak the best version that both know.
                        let [ours, theirs] = [me, peer].map(|n| self.members[n].codec);
                        assert_eq!(bytes[0], ours.min(theirs).mark());
                        *self.frames.entry(bytes[0]).or_default() += 1;
                        if let Some(other) = self.ends.get_mut(&(peer, me)) {
                            other.frames.entry(lane).or_default().push_back(bytes);
                        }
                    }
                    Output::AskStore(query) => {
                        let m = &self.members[me];
                        let answer = match &query {
                            Query::Block { log, from } => QueryAnswer::Block(m.block(log, *from)),
                            Query::Roots { log, sizes, .. } => {
                                QueryAnswer::Roots(m.roots(log, sizes))
                            }
                            Query::HeldForBlock { keys, .. } => {
                                QueryAnswer::Held(m.held_parts(keys))
                            }
                            Query::HeldForFrame { keys, .. } => {
                                // Now and then the store does not give it.
                                self.asked += 1;
                                QueryAnswer::Held(match self.asked % 5 {
                                    0 => HeldParts::default(),
                                    _ => m.held_parts(keys),
                                })
                            }
                            Query::Branch { .. } => QueryAnswer::Branch(None),
                            Query::Carried { .. }
                            | Query::Stretches { .. }
                            | Query::Tree { .. }
                            | Query::Sketch { .. }
                            | Query::Pick { .. }
                            | Query::Digests => QueryAnswer::Block(None),
                        };

                        inputs.push_back(Input::StoreAnswered(query, answer));
                    }
                    Output::IngestBlock(block) => inputs.extend(self.ingest(me, peer, block)),
                    Output::LearnMembers(all) => {
                        for e in all {
                            if self.members[me].control.enrol(e.clone()).unwrap() {
                                let peers: Vec<usize> = self
                                    .ends
                                    .keys()
                                    .filter(|(m, _)| *m == me)
                                    .map(|(_, p)| *p)
                                    .collect();

                                for other in peers {
                                    self.feed(me, other, Input::NewMembers(vec![e.clone()]));
                                }
                            }
                        }
                    }
                    Output::RememberFrontier(held) => {
                        drop(self.remembered.insert((me, peer), *held))
                    }
                    Output::CloseConnection { code, why } => panic!("{code}: {why}"),
                    _ => {}
                }
            }
        }
    }

    fn ingest(&mut self, me: usize, peer: usize, mut block: Block) -> Option<Input> {
        let m = &mut self.members[me];
        let log = block.checkpoint.checkpoint.log;
        assert!(
            m.takes(&log),
            "{} was sent a log outside its grant",
            m.enrolment.name
        );

        let to = block.checkpoint.checkpoint.size;
        let held = m.peaks.get(&log).cloned().unwrap_or_default();
        let refused = |code: &str| {
            Some(Input::BlockRefused {
                log,
                held: held.size(),
                reason: RefuseReason::from_code(code),
            })
        };

        let Some(author) = m.control.enrolment(&log.node).cloned() else {
            return refused("not_enrolled");
        };
        let tip = if to <= held.size() {
            Tip {
                size: held.size(),
                root: held.root(),
            }
        } else {
            if block.from < held.size() {
                block.entries.drain(..(held.size() - block.from) as usize);
                block.from = held.size();
            }

            match verify_block(block, &held, &author) {
                Err(LogError::Gap { .. }) => return refused("gap"),
                Err(other) => panic!("an honest block is refused: {other}"),
                Ok(taken) => {
                    m.peaks.insert(log, taken.peaks().clone());
                    m.keep(log, held.size(), &taken);
                    Tip {
                        size: taken.peaks().size(),
                        root: taken.peaks().root(),
                    }
                }
            }
        };

        let checkpoint = m.blocks[&log].last().unwrap().checkpoint.checkpoint.clone();
        let cosignature = m.key.cosign(&checkpoint, 1);
        let others: Vec<usize> = self
            .ends
            .keys()
            .filter(|(a, b)| *a == me && *b != peer)
            .map(|(_, b)| *b)
            .collect();

        for other in others {
            self.feed(me, other, Input::LogsGrew(vec![(log, tip)]));
        }

        Some(Input::BlockCommitted {
            log,
            to,
            tip,
            cosignature,
        })
    }

    /// Lets one thing arrive; false when nothing is on its way.
    fn step(&mut self, r: &mut StdRng) -> bool {
        let mut ready: Vec<(usize, usize, Option<Lane>)> = Vec::new();
        for ((me, peer), end) in &self.ends {
            if !end.messages.is_empty() {
                ready.push((*me, *peer, None));
            }
            let greeted = end.session.is_greeted();
            let lanes = end.frames.iter().filter(|(_, q)| !q.is_empty() && greeted);
            ready.extend(lanes.map(|(l, _)| (*me, *peer, Some(*l))));
        }

        if ready.is_empty() {
            return false;
        }

        let (me, peer, lane) = ready[r.random_range(0..ready.len())];
        let end = self.ends.get_mut(&(me, peer)).unwrap();
        let input = match lane {
            None => Input::MessageReceived(end.messages.pop_front().unwrap()),
            Some(lane) => {
                let bytes = end.frames.get_mut(&lane).unwrap().pop_front().unwrap();
                Input::FrameReceived { lane, bytes }
            }
        };

        self.feed(me, peer, input);
        true
    }
}

const LINKS: [(usize, usize); 5] = [(1, 0), (2, 0), (2, 1), (3, 0), (4, 0)];

/// What a world came to.
struct WorldOutcome {
    frames: BTreeMap<u8, usize>,
    unresolved: usize,
}

fn run(seed: u64) -> WorldOutcome {
    let mut r = StdRng::seed_from_u64(seed);
    let mut members = vec![
        member(2, "hub", Role::Hub, "HUB"),
        member(3, "trb", Role::Crossing, "TRB"),
        member(4, "qam", Role::Crossing, "QAM"),
        member(5, "trb-2", Role::Crossing, "TRB"),
        member(6, "army", Role::Observer, ""),
    ];

    // In most worlds some have the software of last year.
    for member in members.iter_mut().filter(|_| !seed.is_multiple_of(4)) {
        if r.random_bool(0.3) {
            member.codec = CodecVersion::Zstd;
        }
    }

    let mut world = World {
        members,
        asked: 0,
        frames: BTreeMap::new(),
        unresolved: 0,
        ends: BTreeMap::new(),
        remembered: BTreeMap::new(),
    };

    for _ in 0..r.random_range(40..400) {
        let (a, b) = LINKS[r.random_range(0..LINKS.len())];
        match r.random_range(0..20) {
            0 => world.cut(a, b),
            1 | 2 if !world.ends.contains_key(&(a, b)) => world.connect(a, b),
            3..=5 => {
                let who = r.random_range(0..5);
                if let Some((log, tip)) = world.members[who].write(&mut r) {
                    let peers: Vec<usize> = world
                        .ends
                        .keys()
                        .filter(|(m, _)| *m == who)
                        .map(|(_, p)| *p)
                        .collect();

                    for peer in peers {
                        world.feed(who, peer, Input::LogsGrew(vec![(log, tip)]));
                    }
                }
            }
            // A node starts again: a new epoch.
            6 if r.random_bool(0.2) => world.members[a].epoch += 1,
            _ => {
                for _ in 0..r.random_range(1..6) {
                    world.step(&mut r);
                }
            }
        }
    }

    for (a, b) in LINKS {
        if !world.ends.contains_key(&(a, b)) {
            world.connect(a, b);
        }
    }

    let mut steps = 0;
    while world.step(&mut r) {
        steps += 1;
        assert!(
            steps < 100_000,
            "the sessions never come to rest; WADI_SEED={seed}"
        );
    }

    let mut all = Frontier::default();
    for m in &world.members {
        for (log, tip) in m.frontier().0 {
            let held = all.0.entry(log).or_insert(tip);
            if held.size < tip.size {
                *held = tip;
            }
        }
    }

    for m in &world.members {
        let wanted: BTreeMap<LogId, Tip> = all
            .0
            .iter()
            .filter(|(l, _)| m.takes(l))
            .map(|(l, t)| (*l, *t))
            .collect();

        assert_eq!(
            m.frontier().0,
            wanted,
            "{} does not hold what it may; WADI_SEED={seed}",
            m.enrolment.name
        );
    }

    WorldOutcome {
        frames: world.frames,
        unresolved: world.unresolved,
    }
}

#[test]
fn whatever_the_links_do_all_hold_what_they_may_in_the_end() {
    let seeds = match std::env::var("WADI_SEED").ok().and_then(|s| s.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None if std::env::var("WADI_LONG").is_ok_and(|l| l == "1") => 0..10_000,
        None => 0..400,
    };

    let all: Vec<WorldOutcome> = seeds.map(run).collect();
    if all.len() > 1 {
        for version in CodecVersion::ALL {
            let mark = version.mark();
            assert!(
                all.iter().any(|o| o.frames.contains_key(&mark)),
                "{version:?}"
            );
        }
        assert!(all.iter().any(|o| o.unresolved > 0), "a store always told");
    }
}
