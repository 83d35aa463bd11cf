//! Stories of the ledger alone: no disk, no clock, no task.

use crate::ledger::{Ledger, LogHead, seen::SeenIndex};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use wadi_log::{
    Body, Boot, Change, Common, Crossing, Cut, CutTarget, Enrolment, Entry, Epoch, Head, Lane,
    LogId, LogKey, LogVerdict, PolicyEntry, Put, Reference, ReleaseToken, Role, RootKey, Scope,
    Tip, Value, VerifiedBlock, VerifiedEntry,
};
use wadi_record::Policy;

const HUB: u8 = 1;
const TREBIL: u8 = 2;
const QAIM: u8 = 3;

fn key(seed: u8) -> LogKey {
    LogKey::from_seed(&[seed; 32])
}

fn root() -> LogKey {
    key(9)
}

fn enrolment(seed: u8) -> Enrolment {
    let (name, role, crossing) = match seed {
        HUB => ("hub", Role::Hub, "HUB"),
        TREBIL => ("trb", Role::Crossing, "TRB"),
        _ => ("qam", Role::Crossing, "QAM"),
    };
    let crossing: Crossing = crossing.parse().unwrap();

    let e = Enrolment {
        name: name.into(),
        role,
        crossing: Some(crossing),
        log_key: key(seed).public(),
        tls_key: [0; 32],
        scope: Scope::all(),
        serial: 1,
        issued_s: 0,
        root_signature: [0; 64],
    };
    e.issue(&root()).unwrap()
}

fn log_of(seed: u8, epoch: u8, lane: Lane) -> LogId {
    LogId {
        node: key(seed).node(),
        epoch: Epoch([epoch; 8]),
        lane,
        crossing: enrolment(seed).crossing.unwrap(),
    }
}

/// The ledger of a node that knows all three members.
fn ledger_of(seed: u8) -> Ledger {
    let mut ledger = Ledger::new(RootKey(root().public()), enrolment(seed));
    for member in [HUB, TREBIL, QAIM] {
        ledger.control_mut().enrol(enrolment(member)).unwrap();
    }
    ledger
}

fn common(wall_ms: i64) -> Common {
    Common {
        wall_ms,
        officer: "of-1".into(),
        department: "PORT".into(),
        ..Common::default()
    }
}

fn change(note: i64) -> Entry {
    let put = Put {
        key: "note".into(),
        value: Value::Int(note),
    };

    Entry {
        common: common(note),
        body: Body::Change(Change {
            record: None,
            based_on: vec![],
            puts: vec![put],
            events: vec![],
        }),
    }
}

/// The next block of a log, as its author signs it.
fn block(ledger: &Ledger, seed: u8, log: LogId, entries: &[Entry]) -> VerifiedBlock {
    VerifiedBlock::author(&key(seed), log, &ledger.peaks(&log), entries, 0, vec![]).unwrap()
}

/// Takes an entry of a hub's control log in, as the sequencer does.
fn learn(ledger: &mut Ledger, block: &VerifiedBlock) {
    for verified in block.entries() {
        let entry = verified.entry().unwrap();
        ledger.control_mut().learn(verified.reference(), entry);
    }
    ledger.extend(block);
}

#[test]
fn an_own_entry_is_in_no_frontier_before_its_head_is_signed() {
    let mut ledger = ledger_of(TREBIL);
    let log = ledger.own_log(Epoch([7; 8]), Lane::Passage, ledger.own_crossing());
    for seq in 0..2 {
        let own = VerifiedEntry::author(log, seq, &change(1)).unwrap();
        ledger.append(&own);
    }
    assert_eq!(ledger.held(&log), 2);
    assert!(ledger.snapshot().frontier.0.is_empty());

    let peaks = ledger.peaks(&log);
    ledger.set_head(log, peaks.clone(), None);
    let tip = ledger.snapshot().frontier.0[&log];
    assert_eq!((tip.size, tip.root), (2, peaks.root()));
}

#[test]
fn a_view_stays_what_it_was_when_it_was_taken() {
    let mut ledger = ledger_of(HUB);
    let log = log_of(TREBIL, 1, Lane::Passage);
    let before = ledger.snapshot();

    let grown = block(&ledger, TREBIL, log, &[change(1)]);
    ledger.extend(&grown);
    let tip = Tip {
        size: 1,
        root: grown.peaks().root(),
    };
    ledger.learn_cosigned(key(HUB).node(), log, tip, 500);
    let after = ledger.snapshot();

    assert!(before.frontier.0.is_empty() && before.control.cosigned(&log).is_none());
    assert_eq!(after.frontier.0[&log], tip);
    assert_eq!(after.control.cosigned(&log), Some(tip));
    assert_eq!(ledger.cosigned_s(&log), Some(500));
    assert!(after.generation > before.generation);
}

#[test]
fn past_a_cut_nothing_counts_and_what_hangs_on_it_is_named_once() {
    let mut hub = ledger_of(HUB);
    let log = log_of(TREBIL, 1, Lane::Passage);
    let first = block(&hub, TREBIL, log, &[change(1), change(2)]);
    hub.extend(&first);

    let at_two = Head {
        log,
        size: 2,
        root: first.peaks().root(),
    };
    let later = block(&hub, TREBIL, log, &[change(3)]);
    hub.extend(&later);
    assert!(!hub.has_cuts() && !hub.recount(&log, None));

    let target = CutTarget::Node(key(TREBIL).node());
    let cut = Cut::of(target, vec![at_two], "the post was overrun".into());
    let says = Entry {
        common: common(10),
        body: Body::Cut(cut),
    };
    let control = block(&hub, HUB, log_of(HUB, 1, Lane::Control), &[says]);
    learn(&mut hub, &control);

    let (bound, is_within) = hub.bound(&log).unwrap();
    assert_eq!((hub.has_cuts(), bound.size, is_within), (true, 2, true));
    assert!(hub.recount(&log, Some(at_two.root)));
    assert!(
        !hub.recount(&log, Some(at_two.root)),
        "counted twice, it moved once"
    );

    let verdict = |ledger: &mut Ledger, entry: &VerifiedEntry| {
        let judged = ledger.judge(entry, &SeenIndex::default(), false);
        judged.unwrap().verdict
    };
    assert_eq!(verdict(&mut hub, &first.entries()[1]), LogVerdict::Counts);
    assert_eq!(
        verdict(&mut hub, &later.entries()[0]),
        LogVerdict::Quarantined
    );

    // What moved is told once the old count is held against the new one.
    let before = hub.uncount();
    assert!(hub.recount(&log, Some(at_two.root)));
    assert!(hub.moved_since(&before).is_empty());
    assert_eq!(hub.moved_since(&Default::default()), [log]);
}

#[test]
fn a_change_waits_for_the_control_entries_that_its_author_had_taken_in() {
    let mut site = ledger_of(TREBIL);
    let control = log_of(HUB, 1, Lane::Control);
    let policy = |text: &str| Entry {
        common: common(5),
        body: Body::Policy(PolicyEntry {
            revision: 1,
            text: text.into(),
        }),
    };

    let foreign = ledger_of(QAIM);
    let said = block(&foreign, QAIM, log_of(QAIM, 1, Lane::Passage), &[change(1)]);
    let mut seen = SeenIndex::default();
    let of_hub = block(&site, HUB, control, &[policy(r#"{"dossier_window_h":48}"#)]);
    seen.push(
        0,
        &[Head {
            log: control,
            size: 1,
            root: of_hub.peaks().root(),
        }],
    );

    let later = Reference {
        seq: 1,
        ..said.entries()[0].reference()
    };
    let entry = VerifiedEntry::recheck(later, said.entries()[0].bytes().to_vec()).unwrap();
    let missing = site.judge(&entry, &seen, false).unwrap_err();
    assert_eq!((missing.log, missing.seq), (control, 0));

    learn(&mut site, &of_hub);
    let judged = site.judge(&entry, &seen, false).unwrap();
    assert_eq!(judged.judge.policy.dossier_window_h, 48);

    // Who had taken nothing in is judged by the policy that holds where none is said.
    let before = site.judge(&said.entries()[0], &seen, false).unwrap();
    assert_eq!(*before.judge.policy, Policy::default());
}

#[test]
fn a_token_is_over_where_a_hub_had_told_so_whatever_the_clock_shows_that_spends_it() {
    let (control, holds) = (log_of(HUB, 1, Lane::Control), log_of(QAIM, 1, Lane::Hold));
    let mut site = ledger_of(TREBIL);
    let token = Entry {
        common: common(0),
        body: Body::ReleaseToken(ReleaseToken {
            crossing: None,
            department: "SEC".into(),
            officer: String::new(),
            scope: "SECURITY".into(),
            expires_s: 36_000,
            reason: "storm".into(),
        }),
    };
    let says_at = |wall_ms: i64| Entry {
        common: common(wall_ms),
        body: Body::Policy(PolicyEntry {
            revision: 1,
            text: "{}".into(),
        }),
    };
    let of_hub = [token, says_at(20_000_000), says_at(40_000_000)];
    let of_hub = block(&site, HUB, control, &of_hub);
    learn(&mut site, &of_hub);

    let id = of_hub.entries()[0].reference().leaf.to_string();
    let mut release = change(5);
    if let Body::Change(change) = &mut release.body {
        change.events = vec![format!(r#"{{"token":"{id}","type":"released"}}"#)];
    }
    let said = block(&ledger_of(QAIM), QAIM, holds, &[release]);
    let second = Reference {
        seq: 1,
        ..said.entries()[0].reference()
    };
    let entry = VerifiedEntry::recheck(second, said.entries()[0].bytes().to_vec()).unwrap();

    for (size, is_over) in [(1, false), (2, false), (3, true)] {
        let root = of_hub.peaks().root();
        let head = Head {
            log: control,
            size,
            root,
        };
        let mut seen = SeenIndex::default();
        seen.push(0, &[head]);
        let judged = site.judge(&entry, &seen, false).unwrap();
        assert_eq!(judged.judge.tokens[&id].is_over, is_over, "{size}");
    }
}

#[test]
fn what_was_lost_was_said_all_the_same() {
    let mut ledger = ledger_of(TREBIL);
    let (passages, holds) = (
        log_of(TREBIL, 4, Lane::Passage),
        log_of(TREBIL, 4, Lane::Hold),
    );
    let written = block(&ledger, TREBIL, passages, &[change(1), change(2)]);
    ledger.extend(&written);
    ledger.recall_epoch(Some(Epoch([4; 8])));

    let tip = |size| Tip {
        size,
        root: written.peaks().root(),
    };
    let lost = [
        (passages, tip(1)),
        (holds, tip(3)),
        (log_of(QAIM, 4, Lane::Hold), tip(9)),
        (log_of(TREBIL, 3, Lane::Hold), tip(9)),
    ];

    let mut ends: Vec<(LogId, u64)> = ledger
        .ends_of_last_epoch(&lost)
        .into_iter()
        .map(|head| (head.log, head.size))
        .collect();
    ends.sort();
    let mut expected = [(passages, 2), (holds, 3)];
    expected.sort();
    assert_eq!(ends, expected);

    ledger.begin_epoch(Epoch([5; 8]));
    assert!(ledger.ends_of_last_epoch(&lost).is_empty());
    ledger.end_epoch();
    assert_eq!(
        (ledger.epoch(), ledger.last_epoch()),
        (None, Some(Epoch([5; 8])))
    );
}

#[test]
fn what_a_writer_has_not_taken_in_is_named_and_holds_only_before_decisions() {
    let mut ledger = ledger_of(TREBIL);
    let own = log_of(TREBIL, 1, Lane::Passage);
    let (control, holds) = (log_of(HUB, 1, Lane::Control), log_of(QAIM, 1, Lane::Hold));
    let of_site = log_of(QAIM, 1, Lane::Control);
    for (seed, log) in [(HUB, control), (QAIM, holds), (QAIM, of_site)] {
        let grown = block(&ledger, seed, log, &[change(1)]);
        ledger.extend(&grown);
    }

    let named = |ledger: &Ledger, seen: &SeenIndex, holds| -> Vec<LogId> {
        let unseen = ledger.unseen(&own, seen, holds);
        unseen.into_iter().map(|head| head.log).collect()
    };
    let mut seen = SeenIndex::default();
    assert_eq!(named(&ledger, &seen, false), [control]);
    assert_eq!(named(&ledger, &seen, true).len(), 2);

    seen.push(0, &ledger.unseen(&own, &seen, true));
    assert!(named(&ledger, &seen, true).is_empty());
}

#[test]
fn a_crossing_is_received_as_far_as_its_last_node_and_no_further_than_what_came_with_it() {
    let mut hub = ledger_of(HUB);
    let heard_s = |head: &LogHead, _: Option<i64>| {
        let signed = head.checkpoint.as_ref().unwrap();
        signed.checkpoint.hub_time_s
    };

    // Trebil has heard the hub at 700 s, and says that three passages belong to what it wrote.
    let control = log_of(TREBIL, 1, Lane::Control);
    let listed = vec![(Lane::Passage, enrolment(TREBIL).crossing.unwrap(), 3)];
    let boot = Entry {
        common: Common::default(),
        body: Body::Boot(Boot {
            software: "wadi".into(),
            previous: vec![],
        }),
    };
    let signed = VerifiedBlock::author(
        &key(TREBIL),
        control,
        &hub.peaks(&control),
        &[boot],
        700,
        listed,
    );
    hub.extend(&signed.unwrap());
    hub.find_watermarks(900_000, heard_s);
    assert_eq!(
        hub.watermark("TRB"),
        Some(0),
        "its passages are not here yet"
    );

    let passages = log_of(TREBIL, 1, Lane::Passage);
    let came = block(&hub, TREBIL, passages, &[change(1), change(2), change(3)]);
    hub.extend(&came);
    hub.find_watermarks(900_000, heard_s);
    assert_eq!(hub.watermark("TRB"), Some(700_000));
    assert_eq!(hub.watermark("QAM"), Some(0));
    assert_eq!(hub.watermark("HUB"), Some(900_000));
}

/// Thousands of sites' blocks go through the ledger in a moment, in whatever order sites come: the
/// same is known of each log in the end.
#[test]
fn whatever_order_logs_come_in_the_same_is_known_of_each() {
    let logs: Vec<LogId> = (0..40)
        .map(|n| log_of([TREBIL, QAIM][usize::from(n % 2)], n, Lane::Passage))
        .collect();
    let seed_of = |log: &LogId| {
        if log.node == key(TREBIL).node() {
            TREBIL
        } else {
            QAIM
        }
    };
    let empty = ledger_of(HUB);
    let blocks: Vec<VerifiedBlock> = logs
        .iter()
        .map(|log| block(&empty, seed_of(log), *log, &[change(1), change(2)]))
        .collect();

    let mut forward = ledger_of(HUB);
    blocks.iter().for_each(|b| forward.extend(b));
    let known = forward.snapshot();

    let began = Instant::now();
    let mut orders = 0;
    while began.elapsed() < Duration::from_millis(200) || orders < 50 {
        let mut ledger = ledger_of(HUB);
        for n in 0..blocks.len() {
            // A stride that has no divisor in common with 40 meets each of them once.
            let stride = [1, 3, 7, 9, 11, 13, 17, 19][orders % 8];
            ledger.extend(&blocks[(orders + n * stride) % blocks.len()]);
        }

        assert_eq!(ledger.snapshot().frontier, known.frontier);
        orders += 1;
    }
}

#[test]
fn an_epoch_that_ended_is_remembered_as_the_last() {
    let mut ledger = ledger_of(TREBIL);
    let (one, two) = (Epoch([1; 8]), Epoch([2; 8]));
    assert_eq!((ledger.epoch(), ledger.last_epoch()), (None, None));

    ledger.recall_epoch(Some(one));
    assert_eq!((ledger.epoch(), ledger.last_epoch()), (None, Some(one)));

    ledger.begin_epoch(two);
    assert_eq!(
        (ledger.epoch(), ledger.last_epoch()),
        (Some(two), Some(two))
    );

    ledger.end_epoch();
    assert_eq!((ledger.epoch(), ledger.last_epoch()), (None, Some(two)));
}

#[test]
fn a_control_head_lists_the_other_logs_of_its_own_epoch() {
    let mut ledger = ledger_of(HUB);
    let grown = [
        (log_of(TREBIL, 1, Lane::Hold), 1),
        (log_of(TREBIL, 1, Lane::Passage), 2),
        (log_of(TREBIL, 2, Lane::Passage), 3),
        (log_of(QAIM, 1, Lane::Passage), 4),
    ];
    for (log, entries) in grown {
        let seed = if log.node == key(QAIM).node() {
            QAIM
        } else {
            TREBIL
        };
        let changes: Vec<Entry> = (0..entries).map(change).collect();
        let grown = block(&ledger, seed, log, &changes);
        ledger.extend(&grown);
    }

    let trebil = log_of(TREBIL, 1, Lane::Hold).crossing;
    let mut listed = ledger.lists(&log_of(TREBIL, 1, Lane::Control));
    listed.sort();
    assert_eq!(
        listed,
        [(Lane::Hold, trebil, 1), (Lane::Passage, trebil, 2)]
    );
}

#[test]
fn a_log_that_nothing_bounds_counts_whole_and_is_named_where_that_is_news() {
    let mut ledger = ledger_of(HUB);
    let log = log_of(TREBIL, 1, Lane::Passage);
    assert!(!ledger.has_cuts() && ledger.bound(&log).is_none());
    assert!(!ledger.recount(&log, None));

    let counted = |size| HashMap::from([(log, size)]);
    assert_eq!(ledger.moved_since(&counted(3)), [log]);
    assert!(ledger.moved_since(&counted(u64::MAX)).is_empty());
}

#[test]
fn what_a_seen_names_is_added_where_its_log_is_known_and_no_copy_moves() {
    let mut ledger = ledger_of(HUB);
    let (log, other) = (
        log_of(TREBIL, 1, Lane::Control),
        log_of(HUB, 1, Lane::Control),
    );
    let at = Reference {
        log,
        seq: 3,
        leaf: Default::default(),
    };
    let heads = [Head {
        log: other,
        size: 5,
        root: Default::default(),
    }];

    ledger.add_seen(&at, &heads);
    assert!(ledger.seen(&log).is_none());

    ledger.know_seen(log, Arc::new(SeenIndex::default()));
    let copy = ledger.seen(&log).unwrap();
    ledger.add_seen(&at, &heads);
    assert_eq!(copy.covered(4, &other), 0);
    assert_eq!(ledger.seen(&log).unwrap().covered(4, &other), 5);

    ledger.forget_seen(&log);
    assert!(ledger.seen(&log).is_none());
}

#[test]
fn a_reload_forgets_what_the_store_does_not_hold() {
    let mut ledger = ledger_of(HUB);
    let lost = log_of(TREBIL, 1, Lane::Passage);
    let kept = log_of(QAIM, 1, Lane::Passage);
    let grown = block(&ledger, TREBIL, lost, &[change(1)]);
    ledger.extend(&grown);
    ledger.know_seen(lost, Arc::new(SeenIndex::default()));

    let stored = block(&ledger, QAIM, kept, &[change(2), change(3)]);
    let mut read = ledger_of(HUB);
    read.extend(&stored);
    let head = read.head(&kept).unwrap().clone();
    ledger.reload(
        read.control().clone(),
        [(kept, head)],
        HashMap::from([(kept, 9)]),
    );

    assert_eq!((ledger.held(&lost), ledger.held(&kept)), (0, 2));
    assert!(ledger.seen(&lost).is_none());
    assert_eq!(ledger.cosigned_s(&kept), Some(9));
    let frontier = ledger.snapshot().frontier.clone();
    assert_eq!(frontier.0.keys().collect::<Vec<_>>(), [&kept]);
}
