//! What hubs' control entries tell of how late it was.

use super::*;

const HOUR_MS: i64 = 3_600_000;

fn told(wall_ms: i64) -> Entry {
    Entry {
        common: Common {
            wall_ms,
            ..Common::default()
        },
        body: policy(1).body,
    }
}

#[test]
fn who_had_taken_in_a_later_word_of_a_hub_wrote_later_in_whatever_order_it_was_heard() {
    let n = network();
    let hub = log(&n.hub, Lane::Control, "HUB");
    // The hub's clock jumps once, and is set right again.
    let hours = [1, 2, 2, 9, 3, 4];
    let all: Vec<(Reference, Entry)> = (0..)
        .zip(hours)
        .map(|(seq, hour)| {
            let entry = told(hour * HOUR_MS);
            (at(hub, seq, &entry), entry)
        })
        .collect();

    for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2]] {
        let mut control = n.control.clone();
        for i in order {
            control.learn(all[i].0, &all[i].1);
        }

        let is_past = |hour: i64, covered: u64| control.is_past(hour * HOUR_MS, |_| covered);
        assert!(is_past(0, 1) && !is_past(0, 0), "{order:?}");
        assert!(!is_past(1, 1), "the same moment is not past");
        assert!(
            is_past(1, 2) && !is_past(2, 3) && is_past(2, 4),
            "{order:?}"
        );
        assert!(!is_past(9, 6));
    }
}

#[test]
fn a_few_minutes_tell_nothing_and_a_crossings_word_neither() {
    let mut n = network();
    let (hub, trb) = (
        log(&n.hub, Lane::Control, "HUB"),
        log(&n.trb, Lane::Control, "TRB"),
    );
    let late = told(9 * HOUR_MS);
    n.control.learn(at(trb, 0, &late), &late);
    assert!(!n.control.is_past(0, |_| u64::MAX));

    let soon = told(HOUR_MS + 60_000);
    n.control.learn(at(hub, 0, &soon), &soon);
    assert!(!n.control.is_past(HOUR_MS, |_| u64::MAX));
    assert!(n.control.is_past(HOUR_MS - 600_000, |_| u64::MAX));

    // What does not count of the hub's log tells nothing.
    n.control.stand(hub, 0);
    assert!(!n.control.is_past(0, |_| u64::MAX));
}
