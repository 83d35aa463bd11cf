use super::*;
use crate::{
    Block, Branch, Checkpoint, Common, CutTarget, Epoch, Head, LogKey, Peaks, Scope, VerifiedBlock,
    leaf_hash, proof, verify_block,
};

#[path = "control/apart_tests.rs"]
mod apart;
#[path = "control/cuts_tests.rs"]
mod cuts;
#[path = "control/hub_times_tests.rs"]
mod hub_times;
#[path = "control/keys_tests.rs"]
mod keys;

struct Network {
    control: Control,
    root: LogKey,
    hub: LogKey,
    trb: LogKey,
}

fn network() -> Network {
    let (root, hub, trb) = (
        LogKey::from_seed(&[1; 32]),
        LogKey::from_seed(&[2; 32]),
        LogKey::from_seed(&[3; 32]),
    );

    let mut control = Control::new(RootKey(root.public()));
    control
        .enrol(enrolment(&root, &hub, "hub", Role::Hub, "HUB"))
        .unwrap();
    control
        .enrol(enrolment(&root, &trb, "trb", Role::Crossing, "TRB"))
        .unwrap();

    Network {
        control,
        root,
        hub,
        trb,
    }
}

fn enrolment(root: &LogKey, key: &LogKey, name: &str, role: Role, crossing: &str) -> Enrolment {
    Enrolment {
        name: name.into(),
        role,
        crossing: crossing.parse().ok(),
        log_key: key.public(),
        tls_key: [0; 32],
        scope: Scope::all(),
        serial: 1,
        issued_s: 0,
        root_signature: [0; 64],
    }
    .issue(root)
    .unwrap()
}

fn log(key: &LogKey, lane: Lane, crossing: &str) -> LogId {
    LogId {
        node: key.node(),
        epoch: Epoch([7; 8]),
        lane,
        crossing: crossing.parse().unwrap(),
    }
}

fn entry(body: Body) -> Entry {
    Entry {
        common: Common::default(),
        body,
    }
}

fn policy(revision: u64) -> Entry {
    entry(Body::Policy(PolicyEntry {
        revision,
        text: "{}".into(),
    }))
}

fn at(log: LogId, seq: u64, entry: &Entry) -> Reference {
    Reference {
        log,
        seq,
        leaf: leaf_hash(&entry.encode().unwrap()),
    }
}

fn cut(target: CutTarget, heads: Vec<Head>, extends: Vec<Reference>) -> Entry {
    entry(Body::Cut(Cut {
        extends,
        ..Cut::of(target, heads, "captured".into())
    }))
}

#[test]
fn only_a_hub_writes_control_facts() {
    let n = network();
    let own = log(&n.trb, Lane::Control, "TRB");
    assert_eq!(
        n.control.check_right(&own, &policy(1)).unwrap_err().code(),
        "no_right"
    );

    n.control
        .check_right(&log(&n.hub, Lane::Control, "HUB"), &policy(1))
        .unwrap();

    let stranger = log(&LogKey::from_seed(&[9; 32]), Lane::Control, "TRB");
    assert_eq!(
        n.control
            .check_right(&stranger, &policy(1))
            .unwrap_err()
            .code(),
        "not_enrolled"
    );
}

#[test]
fn an_enrolment_needs_the_roots_signature() {
    let mut n = network();
    let forged = enrolment(
        &n.hub,
        &LogKey::from_seed(&[8; 32]),
        "qam",
        Role::Crossing,
        "QAM",
    );

    assert_eq!(n.control.enrol(forged).unwrap_err().code(), "bad_signature");
}

#[test]
fn past_a_cut_nothing_counts_unless_admitted() {
    let mut n = network();
    let (hub, passages) = (
        log(&n.hub, Lane::Control, "HUB"),
        log(&n.trb, Lane::Passage, "TRB"),
    );
    let root = Hash([5; 32]);
    let head = Head {
        log: passages,
        size: 10,
        root,
    };

    let cut = cut(CutTarget::Node(n.trb.node()), vec![head], vec![]);
    n.control.check_right(&hub, &cut).unwrap();
    assert!(n.control.learn(at(hub, 0, &cut), &cut));

    let counts_to = n.control.counts_to(
        &passages,
        LogState {
            size: 14,
            root_at_bound: Some(root),
        },
    );

    assert_eq!(counts_to, 10);

    let late = Reference {
        log: passages,
        seq: 12,
        leaf: Hash([6; 32]),
    };

    assert_eq!(n.control.verdict(&late, counts_to), LogVerdict::Quarantined);

    let admit = entry(Body::Admit(crate::Admit {
        entries: vec![late],
        reason: "seen on paper".into(),
    }));

    n.control.learn(at(hub, 1, &admit), &admit);
    assert_eq!(n.control.verdict(&late, counts_to), LogVerdict::Counts);

    // Unnamed logs of a cut node count to nothing.
    let holds = log(&n.trb, Lane::Hold, "TRB");
    assert_eq!(
        n.control.counts_to(
            &holds,
            LogState {
                size: 3,
                root_at_bound: None
            }
        ),
        0
    );

    assert!(n.control.is_cut(&n.trb.node()));
}

#[test]
fn of_concurrent_cuts_the_smaller_holds_and_a_later_one_may_extend() {
    let n = network();
    let (hub, passages) = (
        log(&n.hub, Lane::Control, "HUB"),
        log(&n.trb, Lane::Passage, "TRB"),
    );
    let head = |size| Head {
        log: passages,
        size,
        root: Hash([size as u8; 32]),
    };

    let wide = cut(CutTarget::Log(passages), vec![head(10)], vec![]);
    let narrow = cut(CutTarget::Log(passages), vec![head(6)], vec![]);
    let extending = cut(CutTarget::Log(passages), vec![head(12)], {
        let mut both = vec![at(hub, 0, &wide), at(hub, 1, &narrow)];
        both.sort();
        both
    });

    let all = [
        (at(hub, 0, &wide), wide),
        (at(hub, 1, &narrow), narrow),
        (at(hub, 2, &extending), extending),
    ];

    for order in [
        [0, 1, 2],
        [2, 1, 0],
        [1, 2, 0],
        [2, 0, 1],
        [0, 2, 1],
        [1, 0, 2],
    ] {
        let mut control = n.control.clone();
        for i in order {
            control.learn(all[i].0, &all[i].1);
        }
        assert_eq!(control.cut_bound(&passages).unwrap().size, 12, "{order:?}");
    }

    let mut control = n.control.clone();
    control.learn(all[0].0, &all[0].1);
    control.learn(all[1].0, &all[1].1);
    assert_eq!(control.cut_bound(&passages).unwrap().size, 6);
}

#[test]
fn a_hub_is_cut_by_the_root_alone() {
    let mut n = network();
    let hub = log(&n.hub, Lane::Control, "HUB");
    let mut against = Cut {
        target: CutTarget::Node(n.hub.node()),
        heads: vec![Head {
            log: hub,
            size: 1,
            root: Hash([1; 32]),
        }],
        extends: vec![],
        reason: "the hub was overrun".into(),
        root_signature: None,
        lifted: false,
        part_of: None,
        successor: None,
    };

    let unsigned = entry(Body::Cut(against.clone()));
    assert_eq!(
        n.control.check_right(&hub, &unsigned).unwrap_err().code(),
        "no_right"
    );

    against.root_signature = Some(n.root.sign_bytes(&against.signed_bytes()));
    let signed = entry(Body::Cut(against));
    n.control.check_right(&hub, &signed).unwrap();

    // The overrun hub cuts a crossing after its own cut: that no longer counts.
    let passages = log(&n.trb, Lane::Passage, "TRB");
    let spiteful = cut(CutTarget::Log(passages), vec![], vec![]);
    n.control.learn(at(hub, 5, &spiteful), &spiteful);
    assert_eq!(n.control.cut_bound(&passages).unwrap().size, 0);

    n.control.learn(at(hub, 6, &signed), &signed);
    assert_eq!(n.control.cut_bound(&passages), None);

    n.control.learn(at(hub, 0, &policy(3)), &policy(3));
    n.control.learn(at(hub, 7, &policy(4)), &policy(4));
    assert_eq!(n.control.policy(|_| u64::MAX).unwrap().1.revision, 3);
}

#[test]
fn policy_and_officers_are_those_that_were_covered() {
    let mut n = network();
    let hub = log(&n.hub, Lane::Control, "HUB");
    for revision in 1..4 {
        n.control
            .learn(at(hub, revision, &policy(revision)), &policy(revision));
    }

    assert_eq!(n.control.policy(|_| 3).unwrap().1.revision, 2);
    assert!(n.control.policy(|_| 0).is_none());
}

fn branch(key: &LogKey, log: LogId, leaves: &[&str], at: u64) -> Branch {
    let mut peaks = Peaks::default();
    let hashes: Vec<Hash> = leaves.iter().map(|l| leaf_hash(l.as_bytes())).collect();
    hashes.iter().for_each(|h| drop(peaks.append(*h)));

    let ranges = proof::inclusion_ranges(at, peaks.size());
    let mut subtrees = std::collections::HashMap::new();
    for s in ranges.iter().flat_map(|r| proof::subtrees(*r)) {
        let mut part = Peaks::default();
        let start = (s.index << s.level) as usize;
        hashes[start..start + (1 << s.level)]
            .iter()
            .for_each(|h| drop(part.append(*h)));
        subtrees.insert(s, part.root());
    }

    let head = Checkpoint {
        log,
        size: peaks.size(),
        root: peaks.root(),
        hub_time_s: 0,
        logs: vec![],
    };

    Branch {
        checkpoint: key.sign(head),
        leaf: hashes[at as usize],
        path: proof::assemble(&ranges, &subtrees).unwrap(),
    }
}

#[test]
fn a_stolen_key_that_forks_a_log_does_not_erase_what_the_hub_cosigned() {
    let mut n = network();
    let passages = log(&n.trb, Lane::Passage, "TRB");
    let honest = branch(&n.trb, passages, &["a", "b", "c", "d", "e"], 0);
    let stolen = branch(&n.trb, passages, &["x"], 0);
    let held_root = honest.checkpoint.checkpoint.root;
    let proof = ForkProof::new(0, honest.clone(), stolen);

    proof
        .verify(n.control.enrolment(&n.trb.node()).unwrap())
        .unwrap();
    assert_eq!(ForkProof::from_bytes(&proof.to_bytes()).unwrap(), proof);

    let state = LogState {
        size: 5,
        root_at_bound: Some(held_root),
    };

    n.control.learn_cosigned(
        n.hub.node(),
        passages,
        Tip {
            size: 5,
            root: held_root,
        },
    );

    n.control.learn_fork(proof);
    assert_eq!(n.control.counts_to(&passages, state), 5);

    // Who holds only the stolen branch counts nothing of it.
    let stolen_only = LogState {
        size: 1,
        root_at_bound: None,
    };
    assert_eq!(n.control.counts_to(&passages, stolen_only), 0);
}

#[test]
fn a_fork_proof_needs_two_signed_branches_that_differ() {
    let n = network();
    let passages = log(&n.trb, Lane::Passage, "TRB");
    let trb = n.control.enrolment(&n.trb.node()).unwrap();
    let honest = branch(&n.trb, passages, &["a", "b", "c"], 2);
    let same = branch(&n.trb, passages, &["a", "b", "c"], 2);
    assert!(ForkProof::new(2, honest.clone(), same).verify(trb).is_err());

    let mut forged = branch(&n.trb, passages, &["a", "b", "x"], 2);
    forged.checkpoint.signature[0] ^= 1;
    assert_eq!(
        ForkProof::new(2, honest, forged)
            .verify(trb)
            .unwrap_err()
            .code(),
        "bad_signature"
    );
}

#[test]
fn a_fork_proof_names_the_first_difference() {
    let n = network();
    let passages = log(&n.trb, Lane::Passage, "TRB");
    let trb = n.control.enrolment(&n.trb.node()).unwrap();
    let late = |at| {
        let honest = branch(&n.trb, passages, &["a", "b", "c", "d", "e", "f"], at);
        ForkProof::new(
            at,
            honest,
            branch(&n.trb, passages, &["a", "b", "x", "y", "z"], at),
        )
    };

    late(2).verify(trb).unwrap();
    for at in 3..5 {
        assert!(
            late(at).verify(trb).is_err(),
            "a fork at 2 is not proven by a difference at {at}"
        );
    }
}

#[test]
fn of_each_branch_of_a_fork_the_furthest_that_was_shown_is_known_in_whatever_order() {
    let n = network();
    let passages = log(&n.trb, Lane::Passage, "TRB");
    let trb = n.control.enrolment(&n.trb.node()).unwrap();
    let proof = |a: &[&str], b: &[&str]| {
        let proof = ForkProof::new(
            2,
            branch(&n.trb, passages, a, 2),
            branch(&n.trb, passages, b, 2),
        );

        proof.verify(trb).unwrap();
        proof
    };

    let early = proof(&["a", "b", "c", "d"], &["a", "b", "x"]);
    let late = proof(&["a", "b", "c"], &["a", "b", "x", "y", "z"]);
    let mut known = Vec::new();
    for order in [[&early, &late], [&late, &early]] {
        let mut control = n.control.clone();
        assert!(order.iter().all(|p| control.learn_fork((*p).clone())));
        assert!(
            order.iter().all(|p| !control.learn_fork((*p).clone())),
            "there is nothing new in either"
        );

        let both = control.forks()[&passages].clone();
        both.verify(trb).unwrap();

        // Longer, but in a log that began otherwise: no branch of this fork.
        assert!(!control.learn_fork(proof(
            &["q", "b", "c", "d", "e"],
            &["q", "b", "x", "y", "z", "w"]
        )));
        assert_eq!(control.forks()[&passages], both);

        known.push(both);
    }

    assert_eq!(known[0], known[1]);

    let mut sizes = [&known[0].one, &known[0].other].map(|b| b.checkpoint.checkpoint.size);
    sizes.sort();
    assert_eq!(sizes, [4, 5]);
}

#[test]
fn a_cut_of_the_root_that_was_replaced_does_not_come_back_when_posted_again() {
    let mut n = network();
    let hub = log(&n.hub, Lane::Control, "HUB");
    let against = |size, extends| {
        let mut cut = Cut {
            target: CutTarget::Node(n.hub.node()),
            heads: vec![Head {
                log: hub,
                size,
                root: Hash([1; 32]),
            }],
            extends,
            reason: String::new(),
            root_signature: None,
            lifted: false,
            part_of: None,
            successor: None,
        };

        cut.root_signature = Some(n.root.sign_bytes(&cut.signed_bytes()));
        entry(Body::Cut(cut))
    };

    let narrow = against(5, vec![]);
    let wide = against(50, vec![at(hub, 6, &narrow)]);
    n.control.learn(at(hub, 6, &narrow), &narrow);
    n.control.learn(at(hub, 7, &wide), &wide);
    n.control.learn(at(hub, 60, &narrow), &narrow);
    assert_eq!(n.control.cut_bound(&hub).unwrap().size, 50);

    // What the hub said before 50 counts: its cut of a captured crossing, and not its late one.
    let (passages, holds) = (
        log(&n.trb, Lane::Passage, "TRB"),
        log(&n.trb, Lane::Hold, "TRB"),
    );
    let early = cut(CutTarget::Log(passages), vec![], vec![]);
    let late = cut(CutTarget::Log(holds), vec![], vec![]);

    n.control.learn(at(hub, 20, &early), &early);
    n.control.learn(at(hub, 55, &late), &late);
    assert!(n.control.cut_bound(&passages).is_some());
    assert!(n.control.cut_bound(&holds).is_none());
}

#[test]
fn a_block_is_taken_only_whole_signed_and_in_its_place() {
    let n = network();
    let trb = n.control.enrolment(&n.trb.node()).unwrap();
    let passages = log(&n.trb, Lane::Passage, "TRB");
    let change = |n: i64| {
        entry(Body::Change(crate::Change {
            puts: vec![crate::Put {
                key: "purpose".into(),
                value: crate::Value::Int(n),
            }],
            ..Default::default()
        }))
    };

    let written = VerifiedBlock::author(
        &n.trb,
        passages,
        &Peaks::default(),
        &[change(1), change(2), change(3)],
        0,
        vec![],
    )
    .unwrap();

    let block = Block {
        from: 0,
        entries: written
            .entries()
            .iter()
            .map(|e| e.bytes().to_vec())
            .collect(),
        checkpoint: written.checkpoint().clone(),
    };

    let taken = verify_block(block.clone(), &Peaks::default(), trb).unwrap();
    assert_eq!(taken.entries(), written.entries());
    assert_eq!(
        verify_block(block.clone(), taken.peaks(), trb)
            .unwrap_err()
            .code(),
        "gap"
    );

    let mut forged = block.clone();
    forged.entries[1] = change(9).encode().unwrap();
    assert_eq!(
        verify_block(forged, &Peaks::default(), trb)
            .unwrap_err()
            .code(),
        "hash_mismatch"
    );

    let mut unsigned = block.clone();
    unsigned.checkpoint.signature[7] ^= 1;
    assert_eq!(
        verify_block(unsigned, &Peaks::default(), trb)
            .unwrap_err()
            .code(),
        "bad_signature"
    );

    let mut dropped = block;
    dropped.entries.pop();
    assert_eq!(
        verify_block(dropped, &Peaks::default(), trb)
            .unwrap_err()
            .code(),
        "hash_mismatch"
    );
}
