//! What a node knows of the time, with a clock that a test moves by hand.

use super::*;
use std::sync::atomic::{AtomicI64, Ordering};

const YEAR_S: i64 = 365 * DAY_S;
const TRUE_S: i64 = 1_780_272_000;
const HUB: NodeId = NodeId([1; 16]);

/// A clock and the steady one beside it, seconds.
#[derive(Default)]
struct Hand {
    machine_s: AtomicI64,
    steady_s: AtomicI64,
}

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        self.machine_s.load(Ordering::Relaxed) * 1_000
    }

    fn steady_ms(&self) -> i64 {
        self.steady_s.load(Ordering::Relaxed) * 1_000
    }

    fn floor_s(&self) -> i64 {
        TRUE_S - YEAR_S / 2
    }
}

fn known(is_hub: bool, off_s: i64) -> (KnownTime, Arc<Hand>) {
    let hand = Arc::new(Hand::default());
    hand.machine_s.store(TRUE_S + off_s, Ordering::Relaxed);
    (KnownTime::new(hand.clone(), is_hub), hand)
}

fn pass(hand: &Hand, seconds: i64) {
    hand.machine_s.fetch_add(seconds, Ordering::Relaxed);
    hand.steady_s.fetch_add(seconds, Ordering::Relaxed);
}

#[test]
fn neither_clock_alone_makes_papers_expire() {
    for years in -50..=50 {
        let off_s = years * YEAR_S;
        // A wrong hub before a right machine.
        let (site, _) = known(false, 0);
        site.hear(HUB, TRUE_S + off_s, How::Live);
        assert!(site.expiry_s() <= TRUE_S, "a hub off by {years} years");

        // A wrong machine that hears a right hub.
        let (site, hand) = known(false, off_s);
        for _ in 0..40 {
            site.hear(
                HUB,
                TRUE_S + hand.steady_s.load(Ordering::Relaxed),
                How::Live,
            );
            pass(&hand, 30);
        }

        assert!(
            site.expiry_s() <= TRUE_S + 1_800,
            "a machine off by {years} years: {}",
            date(site.expiry_s())
        );

        assert!(site.expiry_s() >= TRUE_S - YEAR_S / 2);
        assert_eq!(
            site.alarm().is_some(),
            years != 0,
            "{years}: {:?}",
            site.alarm()
        );
    }
}

#[test]
fn papers_expire_where_the_machine_says_so_and_nothing_speaks_against_it() {
    let (site, hand) = known(false, 0);
    assert_eq!(site.expiry_s(), TRUE_S);

    site.hear(HUB, TRUE_S, How::Live);
    pass(&hand, 100 * DAY_S);
    assert_eq!(
        site.expiry_s(),
        TRUE_S + 100 * DAY_S,
        "the steady clock bears it out"
    );

    // After a restart in the dark.
    let remembered = site.remember();
    let (site, _) = known(false, 300 * DAY_S);
    site.recall(remembered.as_deref());
    assert_eq!(site.expiry_s(), TRUE_S + 300 * DAY_S);
    assert_eq!(site.alarm(), None, "a long outage is no wrong clock");
}

#[test]
fn what_is_remembered_reads_back_and_whatever_does_not_read_is_nothing() {
    let (site, _) = known(false, 0);
    assert_eq!(site.remember(), None);

    site.hear(HUB, TRUE_S, How::Live);
    let text = site.remember().unwrap();
    let (again, _) = known(false, 0);
    again.recall(Some(&text));
    assert_eq!((again.heard_s(), again.heard_of()), (TRUE_S, Some(HUB)));

    // As older versions wrote it.
    again.recall(Some("1780000000"));
    assert_eq!((again.heard_s(), again.heard_of()), (1_780_000_000, None));

    for rot in [
        "",
        " ",
        "x",
        "-5 1",
        "99999999999999999999",
        "1780000000 x y",
    ] {
        again.recall(Some(rot));
        assert!([0, 1_780_000_000].contains(&again.heard_s()), "{rot:?}");
    }
}

#[test]
fn a_head_that_names_a_time_to_come_tells_nothing() {
    let (hub, _) = known(true, 0);
    assert_eq!(hub.named_s(TRUE_S - 50, Some(TRUE_S - 20)), TRUE_S - 50);
    assert_eq!(hub.named_s(TRUE_S + 10 * YEAR_S, Some(TRUE_S - 20)), 0);
    assert_eq!(
        hub.named_s(TRUE_S - 10, Some(TRUE_S - 20)),
        TRUE_S - 20,
        "clocks that agree"
    );

    let (site, _) = known(false, 0);
    assert_eq!(site.named_s(TRUE_S + 10 * YEAR_S, None), 0);
}

#[test]
fn the_hub_is_asked_and_named_about_every_thirty_seconds_and_at_once_after_a_correction() {
    let (site, hand) = known(false, 0);
    let log = LogId {
        node: NodeId([2; 16]),
        epoch: wadi_log::Epoch([0; 8]),
        lane: wadi_log::Lane::Control,
        crossing: wadi_log::Crossing::HUB,
    };

    assert!(!site.refresh_due() && !site.ask_due());

    pass(&hand, REFRESH_S);
    assert!(site.ask_due(), "nothing was heard");
    assert!(!site.ask_due(), "it was asked just now");

    site.hear(HUB, TRUE_S + REFRESH_S, How::Live);
    assert!(site.refresh_due(), "no head names anything");

    site.signed_head(log, TRUE_S + REFRESH_S);
    assert!(!site.refresh_due() && !site.names_old());

    site.hear(HUB, TRUE_S + REFRESH_S + 10, How::Live);
    assert!(
        !site.refresh_due() && site.names_old(),
        "ten seconds are not worth it"
    );

    // A head that names what was wrong.
    let (site, _) = known(false, 0);
    site.recall(Some(&(TRUE_S + 10 * YEAR_S).to_string()));
    site.signed_head(log, TRUE_S + 10 * YEAR_S);
    assert!(!site.refresh_due());
    assert_eq!(
        site.hear(HUB, TRUE_S, How::Live),
        TimeVerdict::Corrected {
            was_s: TRUE_S + 10 * YEAR_S
        }
    );

    assert!(site.refresh_due());
}

#[test]
fn lengths_of_time_are_said_as_people_do() {
    let said: Vec<String> = [90, 7_200, 3 * DAY_S, 10 * YEAR_S].map(span).into();
    assert_eq!(said, ["1 minutes", "2 hours", "3 days", "10 years"]);
}
