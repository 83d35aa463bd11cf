//! Pairs of sessions that tell and compare frontiers: in parts, anew, and since a common past.

use super::{exchange::UNKNOWN_LOGS_MAX, *};
use crate::{Input, MESSAGE_BYTES_MAX, Snapshot};
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
            Input::Connected(Box::new(Snapshot {
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
                rate_bits_s: None,
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
                    Output::SendMessage(m) => {
                        let encoded = m.encode();
                        assert!(encoded.len() <= MESSAGE_BYTES_MAX);
                        bytes += encoded.len() as u64;
                        queue.push((
                            !mine,
                            Input::MessageReceived(Message::decode(&encoded).unwrap()),
                        ));
                    }
                    Output::RememberFrontier(f) => kept.push(*f),
                    Output::AskStore(_) => asked += 1,
                    Output::CloseConnection { code, why } => panic!("{code}: {why}"),
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
        session.handle(Input::Connected(Box::new(Snapshot {
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
    let (bytes, kept, _) = Pair::run(&trb, &hub, mine.clone(), Frontier::default(), [None, None]);
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
