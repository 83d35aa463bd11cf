//! What a commit takes along, and when it is handed to the store.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

fn any_log() -> Option<LogId> {
    let log = LogId {
        node: wadi_log::NodeId([1; 16]),
        epoch: wadi_log::Epoch([1; 8]),
        lane: wadi_log::Lane::Hold,
        crossing: wadi_log::Crossing::HUB,
    };
    Some(log)
}

#[test]
fn only_a_commit_that_leaves_nothing_to_follow_up_is_written_beside_the_next() {
    let plain = || Commit::new(Batch::default());
    assert!(plain().is_plain());

    let follow_ups: [fn(&mut Commit); 8] = [
        |g| g.verdicts_moved = true,
        |g| g.bounds_moved.extend(any_log()),
        |g| g.reload = true,
        |g| g.is_exclusive = true,
        |g| g.broken = Some(StoreError::Closed),
        |g| g.retry.extend([RecordId([1; 32])]),
        |g| g.later.extend([RecordId([1; 32])]),
        |g| g.entry_weight = usize::MAX,
    ];
    let (last, others) = follow_ups.split_last().unwrap();
    for change in others {
        let mut commit = plain();
        change(&mut commit);
        assert!(!commit.is_plain());
    }

    let mut full = plain();
    last(&mut full);
    assert!(full.is_full() && full.is_plain());
}

#[test]
fn whoever_built_on_a_commit_that_failed_is_told() {
    let mut commit = Commit::new(Batch::default());
    let told = Arc::new(AtomicU32::new(0));
    for _ in 0..3 {
        let told = told.clone();
        commit.done.push(Box::new(move |outcome| {
            assert!(matches!(outcome, Err(StoreError::Closed)));
            told.fetch_add(1, Ordering::Relaxed);
        }));
    }

    commit.fail(&StoreError::Closed);
    assert_eq!(told.load(Ordering::Relaxed), 3);
}
