//! Telling and comparing frontiers: in full, folded, or only what changed since both last held the
//! same; in parts where they are long; and once more from the beginning where somebody forces it.

use crate::{
    Session,
    forks::ForkSearch,
    message::{Message, SyncError},
    session::{LIST_MAX, Output, PeerLog, Query, refuse},
};
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::{Difference, Folded, Frontier, LogId, NodeId, compare};

/// Logs named in one message: some 45 bytes each, so that a message stays below its limit.
const PART_LOGS: usize = 2_000;
/// Logs that are not held here and that a peer's frontier may name. What it names beyond them is
/// not heeded: the peer sends of them what this node takes all the same.
const NEWS_MAX: usize = 65_536;
/// Nodes whose closed logs a peer's frontier may fold.
const FOLDED_MAX: usize = 4_096;
/// A frontier of more logs than these is not remembered.
const REMEMBERED_MAX: usize = 4_000;

/// What a frontier message says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrontierPart {
    /// It answers `Unfold`: all logs of those nodes, closed ones too, are named one by one.
    pub unfolded: bool,
    /// It names only what differs from the frontier that both remember.
    pub since: bool,
    /// More parts of it follow.
    pub more: bool,
}

/// What came of a peer's frontier until now.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    told: FrontierPart,
    whole: Folded,
    /// Logs of it that are not held here.
    news: usize,
    /// Logs that were left out of it.
    left_out: u64,
}

impl Session {
    /// Sends a frontier in as many parts as it needs.
    fn send_frontier(folded: Folded, told: FrontierPart, out: &mut Vec<Output>) {
        let mut open = folded.open.into_iter().peekable();
        let mut closed = folded.closed;
        loop {
            let part: BTreeMap<_, _> = open.by_ref().take(PART_LOGS).collect();
            let more = open.peek().is_some();

            // Digests of closed logs go with the last part.
            let closed = if more {
                BTreeMap::new()
            } else {
                std::mem::take(&mut closed)
            };

            let folded = Folded { open: part, closed };
            out.push(Output::Send(Message::Frontier {
                folded,
                told: FrontierPart { more, ..told },
            }));

            if !more {
                return;
            }
        }
    }

    /// Tells this node's frontier, once: only what changed, where both remember the same past.
    pub(crate) fn tell_frontier(&mut self, out: &mut Vec<Output>) {
        if std::mem::replace(&mut self.told_frontier, true) {
            return;
        }

        self.unfolded.clear();
        let mine = self.visible_frontier();
        if let Some(past) = self.common_past() {
            let changed = |(log, tip): &(&LogId, &wadi_log::Tip)| past.0.get(log) != Some(tip);
            let mut open: BTreeMap<_, _> = mine
                .0
                .iter()
                .filter(changed)
                .map(|(l, t)| (*l, *t))
                .collect();

            // What is held no more is told, too: holding nothing of a log is an empty tree.
            let empty = self.mine(&LogId {
                node: NodeId([0; 16]),
                ..any_log()
            });

            open.extend(
                past.0
                    .keys()
                    .filter(|l| !mine.0.contains_key(l))
                    .map(|l| (*l, empty)),
            );

            let folded = Folded {
                open,
                closed: BTreeMap::new(),
            };

            Self::send_frontier(
                folded,
                FrontierPart {
                    since: true,
                    ..FrontierPart::default()
                },
                out,
            );

            return;
        }

        let closed = self
            .start
            .as_ref()
            .map(|s| s.closed.clone())
            .unwrap_or_default();

        Self::send_frontier(mine.fold(&closed), FrontierPart::default(), out);
    }

    /// Whether both remember the same past: neither has lost what it was told in it.
    pub fn shares_past(&self) -> bool {
        self.common_past().is_some()
    }

    /// The frontier that both ends remember to have held alike.
    fn common_past(&self) -> Option<&Frontier> {
        let past = self.start.as_ref()?.remembered.as_ref()?;
        (self.peer_remembers == Some(past.digest())).then_some(past)
    }

    /// Compares everything once more, from what was read anew: nothing rests that rested before.
    pub(crate) fn recompare(&mut self, frontier: Frontier, out: &mut Vec<Output>) {
        let Some(start) = &mut self.start else { return };
        start.frontier = frontier;
        self.logs.values_mut().for_each(PeerLog::begin_anew);
        self.comparing = Some(BTreeMap::new());
        out.push(Output::Send(Message::Recompare));

        // The peer answers with its own; each compares by itself.
        self.told_frontier = true;
        self.unfolded.clear();
        let closed = self
            .start
            .as_ref()
            .map(|s| s.closed.clone())
            .unwrap_or_default();

        Self::send_frontier(
            self.visible_frontier().fold(&closed),
            FrontierPart::default(),
            out,
        );
    }

    /// The peer compares everything once more: its frontier follows.
    pub(crate) fn compared_anew(&mut self) {
        self.told_frontier = false;
        self.peer_remembers = None;
        self.partial = None;
        self.logs.values_mut().for_each(PeerLog::begin_anew);
    }

    /// Takes a part of the peer's frontier, and compares when it is the last.
    pub(crate) fn frontier_part(
        &mut self,
        part: Folded,
        told: FrontierPart,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let mut partial = self.partial.take().unwrap_or(Partial {
            told,
            ..Partial::default()
        });
        if (partial.told.unfolded, partial.told.since) != (told.unfolded, told.since) {
            return Err(SyncError::BadMessage(
                "parts of two frontiers in turn".into(),
            ));
        }

        self.heed(part, &mut partial);
        if told.more {
            self.partial = Some(partial);
            return Ok(());
        }

        let Partial {
            mut whole,
            left_out,
            ..
        } = partial;

        if left_out > 0 {
            let why = format!(
                "{left_out} of the logs that the peer names are not heeded: it names too many"
            );
            refuse(out, self.peer_node().to_string(), "frontier_too_long", &why);
        }

        if told.since {
            let Some(past) = self.common_past() else {
                return Err(SyncError::BadMessage(
                    "a frontier since a past that is not remembered here".into(),
                ));
            };

            let mut open = past.0.clone();
            open.extend(whole.open);
            whole.open = open;
        }

        self.frontier(whole, told, out);
        Ok(())
    }

    /// Keeps of a part what can matter here, and of that no more than there is room for.
    fn heed(&self, part: Folded, partial: &mut Partial) {
        for (log, tip) in part.open {
            if !self.visible(&log) {
                continue;
            }

            let is_news = self.mine(&log).size == 0 && !partial.whole.open.contains_key(&log);
            if is_news && partial.news >= NEWS_MAX {
                partial.left_out += 1;
                continue;
            }

            partial.news += usize::from(is_news);
            partial.whole.open.insert(log, tip);
        }

        for (node, folded) in part.closed {
            if partial.whole.closed.len() < FOLDED_MAX {
                partial.whole.closed.insert(node, folded);
            }
        }
    }

    fn frontier(&mut self, folded: Folded, told: FrontierPart, out: &mut Vec<Output>) {
        // A peer that did not know this node before compares, whatever the digests.
        self.tell_frontier(out);
        // Where only changes are told, every log is known by name: nothing is folded.
        let closed = self
            .start
            .as_ref()
            .filter(|_| !told.since)
            .map(|s| s.closed.clone())
            .unwrap_or_default();

        let mine = self.visible_frontier();
        let theirs = Folded {
            open: folded
                .open
                .into_iter()
                .filter(|(log, tip)| tip.size > 0 && self.visible(log))
                .collect(),
            closed: folded.closed,
        };

        if told.unfolded {
            // All logs of these nodes, closed ones too, are named: what is not named is not held.
            let nodes: BTreeSet<NodeId> = theirs
                .open
                .keys()
                .map(|l| l.node)
                .chain(self.unfolding.clone())
                .collect();

            let part = Frontier(
                mine.0
                    .iter()
                    .filter(|(l, _)| nodes.contains(&l.node))
                    .map(|(l, t)| (*l, *t))
                    .collect(),
            );

            let (differences, _) = compare(&part, &BTreeSet::new(), &theirs);
            self.unfolding.clear();
            self.take_differences(&part, differences, out);
        } else {
            let (differences, unfold) = compare(&mine, &closed, &theirs);
            self.agreed = true;

            // A node's closed logs that only the peer holds are pushed by the peer; those to be
            // pushed from here, or held by both and different, have to be named.
            if !unfold.is_empty() {
                self.unfolding = unfold.clone();
                out.push(Output::Send(Message::Unfold(unfold.into_iter().collect())));
            }

            self.take_differences(&mine, differences, out);
            self.ask_for_cosignatures(out);
        }

        if self.unfolding.is_empty()
            && let Some(all) = self.comparing.take()
        {
            out.push(Output::Compared(all));
        }

        self.pump(out);
        self.in_step(out);
    }

    fn take_differences(
        &mut self,
        mine: &Frontier,
        differences: BTreeMap<LogId, Difference>,
        out: &mut Vec<Output>,
    ) {
        for (log, tip) in &mine.0 {
            if !differences.contains_key(log) && !self.unfolding.contains(&log.node) {
                let link = self.logs.entry(*log).or_default();
                (link.theirs, link.sent, link.checked) = (tip.size, link.sent.max(tip.size), true);
            }
        }

        if let Some(all) = &mut self.comparing {
            all.extend(differences.iter().map(|(log, d)| (*log, *d)));
        }

        for (log, difference) in differences {
            let link = self.logs.entry(log).or_default();
            match difference {
                // What is on its way to the peer need not be sent again.
                Difference::Ahead { theirs }
                    if link.checked && link.theirs <= theirs.size && theirs.size < link.sent =>
                {
                    link.theirs = theirs.size;
                }
                Difference::Ahead { theirs } => {
                    (link.theirs, link.sent) = (theirs.size, theirs.size);
                    link.checked = theirs.size == 0;
                    if !link.checked {
                        // Their root has to be mine at that size; the answer is compared with it.
                        let mut roots = BTreeMap::new();
                        roots.insert(theirs.size, theirs.root);
                        link.fork_search = Some(ForkSearch::new(theirs.size, Some(roots)));
                        out.push(Output::Ask(Query::Roots {
                            log,
                            sizes: vec![theirs.size],
                            for_peer: false,
                        }));
                    }
                }
                Difference::Behind { theirs } => {
                    (link.theirs, link.sent, link.checked) = (theirs.size, theirs.size, true);
                }
                Difference::Forked { theirs } => {
                    (link.theirs, link.stuck) = (theirs.size, true);
                    link.fork_search = Some(ForkSearch::new(theirs.size, None));
                    self.fork_search(log, out);
                }
            }
        }
    }

    /// Answers `Unfold`.
    pub(crate) fn unfold(&mut self, nodes: &[NodeId], out: &mut Vec<Output>) {
        // Once after each telling of a frontier: a short question must not bring a long answer
        // again and again.
        let wanted: BTreeSet<NodeId> = nodes
            .iter()
            .take(LIST_MAX)
            .filter(|n| !self.unfolded.contains(n))
            .copied()
            .collect();

        if wanted.is_empty() || self.unfolded.len() >= LIST_MAX {
            return;
        }

        self.unfolded.extend(&wanted);
        let mine = self.visible_frontier();
        let open = mine
            .0
            .into_iter()
            .filter(|(l, _)| wanted.contains(&l.node))
            .collect();

        let folded = Folded {
            open,
            closed: BTreeMap::new(),
        };

        Self::send_frontier(
            folded,
            FrontierPart {
                unfolded: true,
                ..FrontierPart::default()
            },
            out,
        );
    }

    /// What both hold alike now, to be remembered until the next contact; nothing where it is
    /// remembered already.
    pub(crate) fn remember(&mut self, out: &mut Vec<Output>) {
        let held = self.visible_frontier();
        let digest = held.digest();
        if !held.0.is_empty() && held.0.len() <= REMEMBERED_MAX && self.remembered != Some(digest) {
            self.remembered = Some(digest);
            out.push(Output::Remember(Box::new(held)));
        }
    }
}

fn any_log() -> LogId {
    LogId {
        node: NodeId([0; 16]),
        epoch: wadi_log::Epoch([0; 8]),
        lane: wadi_log::Lane::Control,
        crossing: wadi_log::Crossing::HUB,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, MESSAGE_BYTES_MAX, Snapshot};
    use wadi_log::{Crossing, Enrolment, Epoch, Hash, Lane, LogKey, Role, RootKey, Scope, Tip};

    fn member(seed: u8, role: Role, crossing: &str) -> Enrolment {
        let crossing: Crossing = crossing.parse().unwrap();
        Enrolment {
            name: format!("node-{seed}"),
            role,
            crossing: Some(crossing),
            log_key: LogKey::from_seed(&[seed; 32]).public(),
            tls_key: [0; 32],
            scope: Scope::all(),
            serial: 1,
            issued_s: 0,
            root_signature: [0; 64],
        }
        .issue(&LogKey::from_seed(&[1; 32]))
        .unwrap()
    }

    fn logs(of: &Enrolment, count: u32, size: u64) -> Frontier {
        let log = |n: u32| {
            let mut epoch = [0; 8];
            epoch[..4].copy_from_slice(&n.to_be_bytes());
            LogId {
                node: of.node(),
                epoch: Epoch(epoch),
                lane: Lane::Passage,
                crossing: "TRB".parse().unwrap(),
            }
        };

        Frontier(
            (0..count)
                .map(|n| {
                    (
                        log(n),
                        Tip {
                            size,
                            root: Hash([size as u8; 32]),
                        },
                    )
                })
                .collect(),
        )
    }

    struct Pair(Session, Session);

    impl Pair {
        /// Runs two sessions until nothing is on its way; returns the bytes of messages, and what
        /// is to be remembered.
        fn run(
            me: &Enrolment,
            peer: &Enrolment,
            mine: Frontier,
            theirs: Frontier,
            past: [Option<Frontier>; 2],
        ) -> (u64, Vec<Frontier>, usize) {
            let mut pair = Pair(Session::new(peer.node()), Session::new(me.node()));
            let snapshot = |who: &Enrolment, frontier: Frontier, remembered| {
                Input::Start(Box::new(Snapshot {
                    root: RootKey(LogKey::from_seed(&[1; 32]).public()),
                    me: who.clone(),
                    members: vec![me.clone(), peer.clone()],
                    frontier,
                    closed: BTreeSet::new(),
                    hub_time_s: 0,
                    forks: vec![],
                    uncosigned: BTreeSet::new(),
                    remembered,
                    late: false,
                    rate_bits_s: 0,
                }))
            };

            let [a, b] = past;
            let mut queue: Vec<(bool, Input)> = vec![
                (true, snapshot(me, mine, a)),
                (false, snapshot(peer, theirs, b)),
            ];
            let (mut bytes, mut kept, mut asked) = (0, vec![], 0);

            while !queue.is_empty() {
                let (mine, input) = queue.remove(0);
                let session = if mine { &mut pair.0 } else { &mut pair.1 };
                for output in session.handle(input) {
                    match output {
                        Output::Send(m) => {
                            let encoded = m.encode();
                            assert!(encoded.len() <= MESSAGE_BYTES_MAX);
                            bytes += encoded.len() as u64;
                            queue
                                .push((!mine, Input::Received(Message::decode(&encoded).unwrap())));
                        }
                        Output::Remember(f) => kept.push(*f),
                        Output::Ask(_) => asked += 1,
                        Output::Close { code, why } => panic!("{code}: {why}"),
                        _ => {}
                    }
                }
            }

            (bytes, kept, asked)
        }
    }

    #[test]
    fn nothing_that_is_said_before_hello_is_heeded() {
        let (hub, trb) = (
            member(2, Role::Hub, "HUB"),
            member(3, Role::Crossing, "TRB"),
        );

        for message in [
            Message::Unfold(vec![trb.node()]),
            Message::AskDigests,
            Message::Recompare,
        ] {
            let mut session = Session::new(trb.node());
            session.handle(Input::Start(Box::new(Snapshot {
                root: RootKey(LogKey::from_seed(&[1; 32]).public()),
                me: hub.clone(),
                members: vec![hub.clone(), trb.clone()],
                frontier: logs(&trb, 3, 7),
                closed: BTreeSet::new(),
                hub_time_s: 0,
                forks: vec![],
                uncosigned: BTreeSet::new(),
                remembered: None,
                late: false,
                rate_bits_s: 0,
            })));

            let done = session.handle(Input::Received(message));
            assert!(
                matches!(
                    done[..],
                    [Output::Close {
                        code: "out_of_order",
                        ..
                    }]
                ),
                "{done:?}"
            );
        }
    }

    #[test]
    fn a_frontier_of_five_thousand_open_logs_is_told_in_parts() {
        let (hub, trb) = (
            member(2, Role::Hub, "HUB"),
            member(3, Role::Crossing, "TRB"),
        );
        let mine = logs(&trb, 5_000, 7);
        let (bytes, kept, _) =
            Pair::run(&trb, &hub, mine.clone(), Frontier::default(), [None, None]);
        assert!(bytes > 200_000, "they are named one by one: {bytes}");
        assert!(kept.is_empty());
    }

    #[test]
    fn a_peer_that_names_logs_without_number_is_heeded_up_to_a_bound_and_stays_connected() {
        let (hub, trb) = (
            member(2, Role::Hub, "HUB"),
            member(3, Role::Crossing, "TRB"),
        );
        let mut session = Session::new(trb.node());
        let start = Snapshot {
            root: RootKey(LogKey::from_seed(&[1; 32]).public()),
            me: hub.clone(),
            members: vec![hub.clone(), trb.clone()],
            frontier: logs(&trb, 3, 7),
            closed: BTreeSet::new(),
            hub_time_s: 0,
            forks: vec![],
            uncosigned: BTreeSet::new(),
            remembered: None,
            late: false,
            rate_bits_s: 0,
        };

        session.handle(Input::Start(Box::new(start)));
        session.handle(Input::Received(Message::Hello {
            version: 1,
            enrolment: Box::new(trb.clone()),
            digest: Hash([9; 32]),
            members: Hash([9; 32]),
            hub_time_s: 0,
            remembers: Hash::default(),
            rate_bits_s: 0,
        }));

        // Each part names 2,000 logs, three of which are held here.
        let mut refused = Vec::new();
        for part in 0..100u32 {
            let mut named = logs(&trb, 3, 7).0;
            let news = (0..1_997).map(|n| {
                let mut epoch = [1; 8];
                epoch[..4].copy_from_slice(&(part * 2_000 + n).to_be_bytes());
                let log = *logs(&trb, 1, 1).0.keys().next().unwrap();

                (
                    LogId {
                        epoch: Epoch(epoch),
                        ..log
                    },
                    Tip {
                        size: 5,
                        root: Hash([5; 32]),
                    },
                )
            });

            named.extend(news);
            let folded = Folded {
                open: named,
                closed: BTreeMap::new(),
            };
            let told = FrontierPart {
                more: part < 99,
                ..FrontierPart::default()
            };

            for output in session.handle(Input::Received(Message::Frontier { folded, told })) {
                match output {
                    Output::Refuse { code, why, .. } => refused.push((code, why)),
                    Output::Close { why, .. } => panic!("closed: {why}"),
                    _ => {}
                }
            }
        }

        assert_eq!(session.logs.len(), NEWS_MAX + 3);
        assert_eq!(refused.len(), 1);
        assert_eq!(refused[0].0, "frontier_too_long");
        assert!(
            refused[0]
                .1
                .starts_with(&format!("{} of the logs", 100 * 1_997 - NEWS_MAX)),
            "{}",
            refused[0].1
        );

        assert!(
            std::mem::size_of::<PeerLog>() <= 64,
            "a log that a peer names takes little"
        );
    }

    #[test]
    fn closed_logs_are_named_one_by_one_once_however_often_a_peer_asks() {
        let (hub, trb) = (
            member(2, Role::Hub, "HUB"),
            member(3, Role::Crossing, "TRB"),
        );
        let mut session = Session::new(trb.node());

        session.handle(Input::Start(Box::new(Snapshot {
            root: RootKey(LogKey::from_seed(&[1; 32]).public()),
            me: hub.clone(),
            members: vec![hub.clone(), trb.clone()],
            frontier: logs(&trb, 300, 7),
            closed: BTreeSet::new(),
            hub_time_s: 0,
            forks: vec![],
            uncosigned: BTreeSet::new(),
            remembered: None,
            late: false,
            rate_bits_s: 0,
        })));

        session.handle(Input::Received(Message::Hello {
            version: 1,
            enrolment: Box::new(trb.clone()),
            digest: Hash([9; 32]),
            members: Hash([9; 32]),
            hub_time_s: 0,
            remembers: Hash::default(),
            rate_bits_s: 0,
        }));

        let mut answers = |message: Message| {
            let done = session.handle(Input::Received(message));
            done.iter()
                .filter(|o| matches!(o, Output::Send(Message::Frontier { .. })))
                .count()
        };

        let asked: usize = (0..1_000)
            .map(|_| answers(Message::Unfold(vec![trb.node()])))
            .sum();
        assert_eq!(asked, 1);

        // When everything is compared once more, it may be asked once more.
        answers(Message::Recompare);
        let frontier = Message::Frontier {
            folded: Folded::default(),
            told: FrontierPart::default(),
        };
        assert_eq!(answers(frontier), 1);
        assert_eq!(answers(Message::Unfold(vec![trb.node()])), 1);
    }

    #[test]
    fn only_what_changed_is_told_where_both_remember_the_same_past() {
        let (hub, trb) = (
            member(2, Role::Hub, "HUB"),
            member(3, Role::Crossing, "TRB"),
        );
        let past = logs(&trb, 600, 7);
        let mut now = past.clone();
        let grown = *now.0.keys().next().unwrap();

        now.0.insert(
            grown,
            Tip {
                size: 9,
                root: Hash([9; 32]),
            },
        );

        let full = Pair::run(&trb, &hub, now.clone(), past.clone(), [None, None]);
        let since = Pair::run(
            &trb,
            &hub,
            now.clone(),
            past.clone(),
            [Some(past.clone()), Some(past.clone())],
        );

        assert_eq!(full.2, since.2, "both find the same difference");
        assert!(since.2 > 0);
        assert!(
            since.0 * 20 < full.0,
            "{} bytes in place of {}",
            since.0,
            full.0
        );

        // Where one of the two has forgotten, everything is told, and the same is found.
        let half = Pair::run(&trb, &hub, now, past.clone(), [Some(past.clone()), None]);
        assert_eq!(half.2, full.2);

        // Both hold the same: nothing is told, and it is remembered on both sides.
        let same = Pair::run(&trb, &hub, past.clone(), past.clone(), [None, None]);
        assert_eq!(same.1, [past.clone(), past]);
        assert!(same.0 < 700, "{} bytes for two Hellos", same.0);
    }
}
