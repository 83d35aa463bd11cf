//! Pairs of sessions that tell and compare frontiers: in parts, anew, and since a common past.

use super::{exchange::UNKNOWN_LOGS_MAX, *};
use crate::{Input, MESSAGE_BYTES_MAX, Snapshot};
use std::collections::VecDeque;
use wadi_log::{Crossing, Enrolment, Epoch, Hash, Lane, LogKey, Role, RootKey, Scope};

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

/// What two sessions said until nothing was on its way.
#[derive(Default)]
struct Said {
    /// Bytes of each message, both ways, as they were sent.
    messages: Vec<usize>,
    /// What is to be remembered.
    kept: Vec<Frontier>,
    /// Blocks that are asked of the stores.
    asked: usize,
}

impl Said {
    fn bytes(&self) -> usize {
        self.messages.iter().sum()
    }
}

impl Pair {
    fn run(
        me: &Enrolment,
        peer: &Enrolment,
        mine: Frontier,
        theirs: Frontier,
        past: [Option<Frontier>; 2],
    ) -> Said {
        Self::run_again(me, peer, [mine, theirs], past, BTreeSet::new(), false)
    }

    /// Runs two sessions of nodes that may have met before and hold each other's enrolment, and of
    /// which both know that these logs are closed.
    fn run_again(
        me: &Enrolment,
        peer: &Enrolment,
        held: [Frontier; 2],
        past: [Option<Frontier>; 2],
        closed: BTreeSet<LogId>,
        have_met: bool,
    ) -> Said {
        let mut pair = Pair(Session::new(peer.node()), Session::new(me.node()));
        let snapshot = |who: &Enrolment, frontier: Frontier, remembered| {
            Input::Connected(Box::new(Snapshot {
                root: RootKey(LogKey::from_seed(&[1; 32]).public()),
                me: who.clone(),
                peer_holds_me: have_met,
                members: vec![me.clone(), peer.clone()],
                frontier,
                closed: closed.clone(),
                hub_time_s: 0,
                forks: vec![],
                uncosigned: BTreeSet::new(),
                remembered,
                late: false,
                rate_bits_s: None,
            }))
        };

        let ([mine, theirs], [a, b]) = (held, past);
        let mut queue: VecDeque<(bool, Input)> = [
            (true, snapshot(me, mine, a)),
            (false, snapshot(peer, theirs, b)),
        ]
        .into();
        let mut said = Said::default();

        while let Some((mine, input)) = queue.pop_front() {
            let session = if mine { &mut pair.0 } else { &mut pair.1 };
            for output in session.handle(input) {
                match output {
                    Output::SendMessage(m) => {
                        let encoded = m.encode();
                        assert!(encoded.len() <= MESSAGE_BYTES_MAX);
                        said.messages.push(encoded.len());
                        queue.push_back((
                            !mine,
                            Input::MessageReceived(Message::decode(&encoded).unwrap()),
                        ));
                    }
                    Output::RememberFrontier(f) => said.kept.push(*f),
                    Output::AskStore(_) => said.asked += 1,
                    Output::CloseConnection { code, why } => panic!("{code}: {why}"),
                    _ => {}
                }
            }
        }

        said
    }
}

/// Fifty nodes with ten open logs and five hundred closed ones each.
#[test]
fn fifty_nodes_are_found_equal_by_one_message_each_way_and_different_in_one_round_trip() {
    let (hub, other) = (member(2, Role::Hub, "HUB"), member(3, Role::Hub, "HUB"));
    let (mut all, mut closed) = (Frontier::default(), BTreeSet::new());
    for seed in 100..150 {
        let of_node = logs(&member(seed, Role::Crossing, "TRB"), 510, 7);
        closed.extend(of_node.0.keys().skip(10).copied());
        all.0.extend(of_node.0);
    }
    assert_eq!((all.0.len(), closed.len()), (25_500, 25_000));

    let met = |held: [Frontier; 2]| {
        let past = [Some(all.clone()), Some(all.clone())];
        Pair::run_again(&hub, &other, held, past, closed.clone(), true)
    };
    let equal = met([all.clone(), all.clone()]);
    assert_eq!(
        equal.messages.len(),
        2,
        "a Hello each: {:?}",
        equal.messages
    );
    assert!(equal.bytes() <= 300, "{} bytes both ways", equal.bytes());
    assert_eq!(equal.asked, 0);

    let mut grown = all.clone();
    let tip = Tip {
        size: 9,
        root: Hash([9; 32]),
    };
    let log = *grown.0.keys().next().unwrap();
    grown.0.insert(log, tip);

    // The Hellos, and a frontier each: then the entries that are lacking are on their way.
    let different = met([grown, all.clone()]);
    assert_eq!(different.messages.len(), 4, "{:?}", different.messages);
    assert!(different.bytes() <= 600, "{} bytes", different.bytes());
    assert_eq!(different.asked, 1);
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
        session.handle(Input::Connected(Box::new(Snapshot {
            root: RootKey(LogKey::from_seed(&[1; 32]).public()),
            me: hub.clone(),
            peer_holds_me: false,
            members: vec![hub.clone(), trb.clone()],
            frontier: logs(&trb, 3, 7),
            closed: BTreeSet::new(),
            hub_time_s: 0,
            forks: vec![],
            uncosigned: BTreeSet::new(),
            remembered: None,
            late: false,
            rate_bits_s: None,
        })));

        let done = session.handle(Input::MessageReceived(message));
        assert!(
            matches!(
                done[..],
                [Output::CloseConnection {
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
    let said = Pair::run(&trb, &hub, mine.clone(), Frontier::default(), [None, None]);
    let bytes = said.bytes();
    assert!(bytes > 200_000, "they are named one by one: {bytes}");
    assert!(said.kept.is_empty());
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
        peer_holds_me: false,
        members: vec![hub.clone(), trb.clone()],
        frontier: logs(&trb, 3, 7),
        closed: BTreeSet::new(),
        hub_time_s: 0,
        forks: vec![],
        uncosigned: BTreeSet::new(),
        remembered: None,
        late: false,
        rate_bits_s: None,
    };

    session.handle(Input::Connected(Box::new(start)));
    let [hello, _] = Message::opening(&trb, 0);
    session.handle(Input::MessageReceived(hello));

    // Each part names 2,000 logs, three of which are held here.
    let mut refused = Vec::new();
    for nth in 0..100u32 {
        let mut named = logs(&trb, 3, 7).0;
        let news = (0..1_997).map(|n| {
            let mut epoch = [1; 8];
            epoch[..4].copy_from_slice(&(nth * 2_000 + n).to_be_bytes());
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
        let part = FrontierPart {
            more: nth < 99,
            ..FrontierPart::default()
        };

        for output in session.handle(Input::MessageReceived(Message::Frontier { folded, part })) {
            match output {
                Output::NoteRefusal { code, why, .. } => refused.push((code, why)),
                Output::CloseConnection { why, .. } => panic!("closed: {why}"),
                _ => {}
            }
        }
    }

    assert_eq!(session.logs.len(), UNKNOWN_LOGS_MAX + 3);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].0, "frontier_too_long");
    assert!(
        refused[0]
            .1
            .starts_with(&format!("{} of the logs", 100 * 1_997 - UNKNOWN_LOGS_MAX)),
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

    session.handle(Input::Connected(Box::new(Snapshot {
        root: RootKey(LogKey::from_seed(&[1; 32]).public()),
        me: hub.clone(),
        peer_holds_me: false,
        members: vec![hub.clone(), trb.clone()],
        frontier: logs(&trb, 300, 7),
        closed: BTreeSet::new(),
        hub_time_s: 0,
        forks: vec![],
        uncosigned: BTreeSet::new(),
        remembered: None,
        late: false,
        rate_bits_s: None,
    })));

    let [hello, _] = Message::opening(&trb, 0);
    session.handle(Input::MessageReceived(hello));

    let mut answers = |message: Message| {
        let done = session.handle(Input::MessageReceived(message));
        done.iter()
            .filter(|o| matches!(o, Output::SendMessage(Message::Frontier { .. })))
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
        part: FrontierPart::default(),
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

    assert_eq!(full.asked, since.asked, "both find the same difference");
    assert!(since.asked > 0);
    assert!(
        since.bytes() * 20 < full.bytes(),
        "{} bytes in place of {}",
        since.bytes(),
        full.bytes()
    );

    // Where one of the two has forgotten, everything is told, and the same is found.
    let half = Pair::run(&trb, &hub, now, past.clone(), [Some(past.clone()), None]);
    assert_eq!(half.asked, full.asked);

    // Both hold the same: nothing is told, and it is remembered on both sides.
    let same = Pair::run(&trb, &hub, past.clone(), past.clone(), [None, None]);
    assert_eq!(same.kept, [past.clone(), past]);
    assert!(same.bytes() < 700, "{} bytes for two Hellos", same.bytes());
}
