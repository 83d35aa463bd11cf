//! Stories of cuts: of captured crossings and captured hubs, heard in every order.

use super::*;

/// A hub, and a second one, with what both say of the crossing at Trebil.
struct TwoHubs {
    net: Network,
    other: LogKey,
    /// Both hubs' control logs, and a neighbour's.
    c1: LogId,
    c2: LogId,
    neighbour: LogId,
    passages: LogId,
}

fn two_hubs() -> TwoHubs {
    let mut net = network();
    let (other, qam) = (LogKey::from_seed(&[4; 32]), LogKey::from_seed(&[5; 32]));
    let root = net.root.clone();
    for e in [
        enrolment(&root, &other, "hub2", Role::Hub, "HUB"),
        enrolment(&root, &qam, "qam", Role::Crossing, "QAM"),
    ] {
        net.control.enrol(e).unwrap();
    }

    TwoHubs {
        c1: log(&net.hub, Lane::Control, "HUB"),
        c2: log(&other, Lane::Control, "HUB"),
        neighbour: log(&qam, Lane::Control, "QAM"),
        passages: log(&net.trb, Lane::Passage, "TRB"),
        net,
        other,
    }
}

impl TwoHubs {
    /// A cut of Trebil's node at so many passages.
    fn cut_trb(&self, size: u64, extends: Vec<Reference>) -> Entry {
        let target = CutTarget::Node(self.net.trb.node());
        cut(target, vec![head(self.passages, size)], extends)
    }

    fn lift_trb(&self, extends: Vec<Reference>) -> Entry {
        let target = CutTarget::Node(self.net.trb.node());
        let lift = Cut {
            extends,
            lifted: true,
            ..Cut::of(target, vec![], "it was a mistake".into())
        };
        entry(Body::Cut(lift))
    }

    /// The root cuts the second hub, which is captured, at so much of its control log.
    fn root_cut(&self, size: u64, extends: Vec<Reference>) -> Entry {
        let target = CutTarget::Node(self.other.node());
        let heads = match size {
            0 => vec![],
            size => vec![head(self.c2, size)],
        };
        let mut cut = Cut {
            extends,
            ..Cut::of(target, heads, "the second hub is captured".into())
        };

        cut.root_signature = Some(self.net.root.sign_bytes(&cut.signed_bytes()));
        entry(Body::Cut(cut))
    }
}

fn head(log: LogId, size: u64) -> Head {
    Head {
        log,
        size,
        root: Hash([size as u8; 32]),
    }
}

fn tip(size: u64) -> Tip {
    Tip {
        size,
        root: Hash([size as u8; 32]),
    }
}

/// One thing that is heard.
#[derive(Clone)]
enum Fact {
    Said(Reference, Entry),
    Fork(ForkProof),
    Cosigned(NodeId, LogId, Tip),
}

fn said(log: LogId, seq: u64, entry: Entry) -> Fact {
    Fact::Said(at(log, seq, &entry), entry)
}

impl Fact {
    fn reference(&self) -> Reference {
        match self {
            Self::Said(at, _) => *at,
            _ => panic!("nobody said it"),
        }
    }

    /// Whoever hears of it counts hubs' logs anew.
    fn hear(&self, control: &mut Control, hubs: &[LogId]) {
        match self {
            Self::Said(at, entry) => {
                control.check_right(&at.log, entry).unwrap();
                control.learn(*at, entry);
            }
            Self::Fork(proof) => drop(control.learn_fork(proof.clone())),
            Self::Cosigned(witness, log, tip) => {
                control.learn_cosigned(*witness, *log, *tip);
            }
        }

        for log in hubs {
            let root_at_bound = control.bound(log).and_then(|bound| bound.root);
            let state = LogState {
                size: 50,
                root_at_bound,
            };
            control.stand(*log, control.counts_to(log, state));
        }
    }
}

/// Every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }

    let mut out = Vec::new();
    for shorter in orders(count - 1) {
        for place in 0..=shorter.len() {
            let mut order = shorter.clone();
            order.insert(place, count - 1);
            out.push(order);
        }
    }

    out
}

/// What all who heard these things hold, in whatever order: they hold the same.
fn heard(begin: &Control, hubs: &[LogId], facts: &[Fact], log: &LogId) -> Control {
    let mut known: Option<(Control, Option<Bound>)> = None;
    for order in orders(facts.len()) {
        let mut control = begin.clone();
        order
            .iter()
            .for_each(|i| facts[*i].hear(&mut control, hubs));

        let bound = control.bound(log);
        match &known {
            None => known = Some((control, bound)),
            Some((first, before)) => {
                assert_eq!(bound, *before, "{order:?}");
                let cut = |c: &Control| c.is_cut(&log.node);
                assert_eq!(cut(&control), cut(first), "{order:?}");
            }
        }
    }

    known.expect("at least one order").0
}

#[test]
fn what_a_captured_hub_extends_past_its_own_cut_replaces_nothing() {
    let n = two_hubs();
    let mut control = n.net.control.clone();
    let honest = n.cut_trb(10, vec![]);
    let late = n.cut_trb(90, vec![at(n.c1, 1, &honest)]);
    control.learn(at(n.c1, 1, &honest), &honest);

    let root_cut = n.root_cut(1, vec![]);
    control.learn(at(n.neighbour, 0, &root_cut), &root_cut);
    control.learn(at(n.c2, 3, &late), &late);
    assert_eq!(control.cut_bound(&n.passages).unwrap().size, 10);
    assert!(control.is_cut(&n.net.trb.node()));
}

#[test]
fn a_cut_on_a_branch_that_does_not_count_cuts_nothing() {
    let n = two_hubs();
    let mut control = n.net.control.clone();
    let cut = n.cut_trb(2, vec![]);
    control.learn(at(n.c1, 7, &cut), &cut);
    assert!(control.is_cut(&n.net.trb.node()));

    control.stand(n.c1, 5);
    assert!(!control.is_cut(&n.net.trb.node()));
    assert_eq!(control.cut_bound(&n.passages), None);
}

#[test]
fn any_member_carries_what_the_root_signed_and_nobody_what_it_did_not() {
    let mut n = two_hubs();
    let watcher = LogKey::from_seed(&[6; 32]);
    let root = n.net.root.clone();
    let observer = Enrolment {
        crossing: None,
        scope: Scope(vec![]),
        ..enrolment(&root, &watcher, "watcher", Role::Crossing, "TRB")
    };
    let observer = Enrolment {
        role: Role::Observer,
        ..observer
    };
    n.net.control.enrol(observer.issue(&root).unwrap()).unwrap();

    let signed = n.root_cut(1, vec![]);
    let control = &n.net.control;
    let right = |log: &LogId, entry: &Entry| {
        let no = control.check_right(log, entry).err();
        no.map(|e| e.code().to_string())
    };

    assert_eq!(right(&n.neighbour, &signed), None);
    let watched = log(&watcher, Lane::Control, "TRB");
    assert_eq!(right(&watched, &signed).as_deref(), Some("no_right"));

    let Body::Cut(mut forged) = signed.body.clone() else {
        panic!("it is a cut");
    };
    forged.heads.clear();
    let forged = entry(Body::Cut(forged));
    let refused = right(&n.neighbour, &forged);
    assert_eq!(refused.as_deref(), Some("bad_signature"));

    let unsigned = n.cut_trb(3, vec![]);
    let refused = right(&n.neighbour, &unsigned);
    assert_eq!(refused.as_deref(), Some("no_right"));
}

#[test]
fn a_node_with_more_logs_than_one_entry_names_is_cut_in_parts() {
    let n = two_hubs();
    let epoch = |i: u64| LogId {
        epoch: crate::Epoch(i.to_be_bytes()),
        ..n.passages
    };
    let heads: Vec<Head> = (1..=600).map(|i| head(epoch(i), 7)).collect();
    let whole = Cut::of(
        CutTarget::Node(n.net.trb.node()),
        heads,
        "captured, after ten years".into(),
    );

    let parts = whole.in_parts();
    assert_eq!(parts.len(), 3);
    let facts: Vec<Fact> = (0..)
        .zip(parts)
        .map(|(seq, part)| said(n.c1, seq, entry(Body::Cut(part))))
        .collect();

    let control = heard(&n.net.control, &[n.c1], &facts, &epoch(600));
    for i in [1, 256, 257, 600] {
        assert_eq!(control.cut_bound(&epoch(i)).unwrap().size, 7, "log {i}");
    }

    assert_eq!(control.cut_bound(&epoch(601)).unwrap().size, 0);
    assert!(control.is_cut(&n.net.trb.node()));

    // A part without its cut cuts nothing.
    let mut early = n.net.control.clone();
    facts[1].hear(&mut early, &[n.c1]);
    assert!(!early.is_cut(&n.net.trb.node()) && early.cut_bound(&epoch(300)).is_none());
}

#[test]
fn a_cut_is_taken_back_by_one_that_names_it() {
    let n = two_hubs();
    let trb = n.net.trb.node();
    let mut control = n.net.control.clone();
    let (wide, narrow) = (n.cut_trb(10, vec![]), n.cut_trb(4, vec![]));
    control.learn(at(n.c1, 0, &wide), &wide);
    control.learn(at(n.c2, 0, &narrow), &narrow);

    // One that names only the one leaves the other in force.
    let half = n.lift_trb(vec![at(n.c1, 0, &wide)]);
    control.learn(at(n.c1, 1, &half), &half);
    assert_eq!(control.cut_bound(&n.passages).unwrap().size, 4);

    let standing: Vec<Reference> = control.standing_cuts(&trb).into_iter().collect();
    let lift = n.lift_trb(standing);
    control.learn(at(n.c1, 2, &lift), &lift);
    assert!(!control.is_cut(&trb));
    assert_eq!(control.bound(&n.passages), None);

    // Cut anew, it is cut.
    let again = n.cut_trb(12, vec![]);
    control.learn(at(n.c1, 3, &again), &again);
    assert!(control.is_cut(&trb));
    assert_eq!(control.cut_bound(&n.passages).unwrap().size, 12);
}

#[test]
fn a_cut_of_the_roots_is_told_at_each_log_that_carries_it_whatever_came_first() {
    let n = two_hubs();
    let root_cut = n.root_cut(0, vec![]);
    // The captured hub carries it itself, too, and the neighbour twice.
    let places = [(n.c1, 7), (n.c2, 3), (n.neighbour, 4), (n.neighbour, 9)];
    let told = BTreeMap::from([(n.c1, 8), (n.c2, 4), (n.neighbour, 5)]);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let mut control = n.net.control.clone();
        for place in order {
            let (log, seq) = places[place];
            control.learn(at(log, seq, &root_cut), &root_cut);
        }

        let of_hub = control.cut_places(&n.other.node());
        assert_eq!(of_hub, std::slice::from_ref(&told), "{order:?}");
        assert_eq!(control.standing_cuts(&n.other.node()).len(), 1);
    }

    // Two hubs' own cuts of a crossing are two, and both are waited for.
    let mut control = n.net.control.clone();
    let (wide, narrow) = (n.cut_trb(10, vec![]), n.cut_trb(4, vec![]));
    control.learn(at(n.c1, 0, &wide), &wide);
    control.learn(at(n.c2, 0, &narrow), &narrow);
    assert_eq!(control.cut_places(&n.net.trb.node()).len(), 2);
}

#[test]
fn a_cut_hub_witnesses_nothing_and_no_hub_witnesses_its_own_fork() {
    let n = two_hubs();
    let trb = &n.net.trb;
    let honest = branch(trb, n.passages, &["a", "b", "c", "d", "e"], 2);
    let stolen = branch(trb, n.passages, &["a", "b", "x", "y", "z", "w"], 2);
    let (kept, forged) = (honest.checkpoint.clone(), stolen.checkpoint.clone());
    let [kept, forged] = [kept, forged].map(|c| Tip {
        size: c.checkpoint.size,
        root: c.checkpoint.root,
    });

    let mut control = n.net.control.clone();
    control.learn_fork(ForkProof::new(2, honest, stolen));
    assert_eq!(control.bound(&n.passages).unwrap().size, 0, "nobody saw it");

    // The second hub is captured, and vouches for what was stolen.
    control.learn_cosigned(n.other.node(), n.passages, forged);
    assert_eq!(control.bound(&n.passages).unwrap().root, Some(forged.root));
    assert_eq!(control.witnessed(&n.passages, &trb.node()), 6);

    let root_cut = n.root_cut(0, vec![]);
    control.learn(at(n.neighbour, 0, &root_cut), &root_cut);
    let agreed = control.bound(&n.passages).unwrap();
    assert_eq!(agreed.size, 2, "both branches agree on that much");
    assert!(agreed.root.is_some() && control.cosigned(&n.passages).is_none());
    assert_eq!(control.witnessed(&n.passages, &trb.node()), 0);

    control.learn_cosigned(n.net.hub.node(), n.passages, kept);
    assert_eq!(control.bound(&n.passages).unwrap().root, Some(kept.root));

    // Its own log forks, and the hub says which branch is its: that is nobody's to say but others'.
    let one = branch(&n.net.hub, n.c1, &["a", "b", "c"], 1);
    let own = Tip {
        size: 3,
        root: one.checkpoint.checkpoint.root,
    };
    control.learn_fork(ForkProof::new(
        1,
        one,
        branch(&n.net.hub, n.c1, &["a", "q"], 1),
    ));
    control.learn_cosigned(n.net.hub.node(), n.c1, own);
    assert_eq!(control.bound(&n.c1).unwrap().size, 1);
}

#[test]
fn cuts_of_two_hubs_of_which_one_is_captured_come_to_the_same_in_every_order() {
    let n = two_hubs();
    let late_truck = Reference {
        log: n.passages,
        seq: 12,
        leaf: Hash([12; 32]),
    };
    let admit = entry(Body::Admit(crate::Admit {
        entries: vec![late_truck],
        reason: "seen on paper".into(),
    }));

    let first = said(n.c1, 1, n.cut_trb(10, vec![]));
    let narrow = said(n.c2, 1, n.cut_trb(6, vec![]));
    let extended = said(n.c1, 2, n.cut_trb(8, vec![first.reference()]));
    let root_cut = said(n.neighbour, 0, n.root_cut(1, vec![]));
    let over = vec![extended.reference()];
    let late = said(n.c2, 3, n.cut_trb(14, over.clone()));
    let late_lift = said(n.c2, 4, n.lift_trb(over));
    let admitted = said(n.c1, 3, admit);

    let hubs = [n.c1, n.c2];
    let all = [first, narrow, extended, root_cut, late, late_lift, admitted];
    let control = heard(&n.net.control, &hubs, &all, &n.passages);

    assert_eq!(control.cut_bound(&n.passages).unwrap().size, 8);
    assert!(control.is_cut(&n.net.trb.node()));
    assert_eq!(control.verdict(&late_truck, 8), LogVerdict::Counts);
    let another = Reference {
        seq: 9,
        ..late_truck
    };
    assert_eq!(control.verdict(&another, 8), LogVerdict::Quarantined);

    // Before the root's cut is heard, the captured hub's word counts.
    let without: Vec<Fact> = all
        .iter()
        .filter(|f| f.reference() != all[3].reference())
        .cloned()
        .collect();
    let before = heard(&n.net.control, &hubs, &without[..5], &n.passages);
    assert_eq!(before.cut_bound(&n.passages).unwrap().size, 6);
}

#[test]
fn a_cut_taken_back_and_a_fork_come_to_the_same_in_every_order() {
    let n = two_hubs();
    let trb = &n.net.trb;
    let honest = branch(trb, n.passages, &["a", "b", "c", "d", "e"], 2);
    let stolen = branch(trb, n.passages, &["a", "b", "x"], 2);
    let kept = Tip {
        size: 5,
        root: honest.checkpoint.checkpoint.root,
    };

    let first = said(n.c1, 1, n.cut_trb(10, vec![]));
    let extended = said(n.c1, 2, n.cut_trb(3, vec![first.reference()]));
    let lift = said(n.c1, 3, n.lift_trb(vec![extended.reference()]));
    let all = [
        first,
        extended,
        lift,
        said(n.neighbour, 0, n.root_cut(1, vec![])),
        Fact::Fork(ForkProof::new(2, honest, stolen)),
        Fact::Cosigned(n.net.hub.node(), n.passages, kept),
        Fact::Cosigned(n.other.node(), n.passages, tip(40)),
    ];

    let hubs = [n.c1, n.c2];
    let control = heard(&n.net.control, &hubs, &all, &n.passages);
    assert!(!control.is_cut(&trb.node()));
    let bound = control.bound(&n.passages).unwrap();
    assert_eq!((bound.size, bound.root), (5, Some(kept.root)));
}
