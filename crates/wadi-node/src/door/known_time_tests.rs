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
fn what_people_hold_ends_by_the_hubs_word_where_the_machines_clock_is_wrong() {
    let days_off = [-20_000, -30, -2, 2, 30, 400];
    for off_s in days_off.map(|days| days * DAY_S) {
        let (site, hand) = known(false, 0);
        site.hear(HUB, TRUE_S, How::Live);
        pass(&hand, 60);
        assert_eq!(site.best_ms(), (TRUE_S + 60) * 1_000);

        // Its clock jumps while it runs, is heard to be wrong, and is set right again.
        hand.machine_s.fetch_add(off_s, Ordering::Relaxed);
        assert_eq!(site.best_ms(), (TRUE_S + 60) * 1_000, "{off_s}");
        site.hear(HUB, TRUE_S + 60, How::Live);
        pass(&hand, 60);
        assert_eq!(site.best_ms(), (TRUE_S + 120) * 1_000, "{off_s}");
        hand.machine_s.fetch_sub(off_s, Ordering::Relaxed);
        assert_eq!(site.best_ms(), (TRUE_S + 120) * 1_000, "{off_s}");

        // A hub goes by what it read before its clock jumped.
        let (hub, hand) = known(true, 0);
        assert_eq!(hub.best_ms(), TRUE_S * 1_000);
        hand.machine_s.fetch_add(off_s, Ordering::Relaxed);
        assert_eq!(hub.best_ms(), TRUE_S * 1_000, "{off_s}");
    }
}

#[test]
fn what_is_issued_by_a_wrong_clock_is_warned_of_and_ends_once_a_hub_tells_that() {
    let told = |site: &KnownTime| site.issue_warning().unwrap_or_default();
    let (site, hand) = known(false, 400 * DAY_S);
    assert!(told(&site).contains("no hub was heard"), "{}", told(&site));
    assert!(told(&site).contains("2027-"), "{}", told(&site));
    let issued_ms = site.best_ms();
    assert!(!site.was_issued_ahead(issued_ms + 9 * DAY_S * 1_000));

    site.hear(HUB, TRUE_S, How::Live);
    assert!(told(&site).contains("400 days ahead"), "{}", told(&site));
    assert!(site.was_issued_ahead(issued_ms), "a year ahead");
    assert!(!site.was_issued_ahead(site.best_ms() + 3_600_000));

    hand.machine_s.store(TRUE_S - 3 * DAY_S, Ordering::Relaxed);
    assert!(told(&site).contains("3 days behind"), "{}", told(&site));
    hand.machine_s.store(TRUE_S + 60, Ordering::Relaxed);
    assert_eq!(site.issue_warning(), None, "a minute");

    // What was heard before a start says only how late it is at least: nothing ends by it.
    let (later, _) = known(false, 0);
    later.recall(site.remember().as_deref());
    assert!(!later.was_issued_ahead(issued_ms));
    assert_eq!(known(true, 0).0.issue_warning(), None, "a hub");
}

/// The clock of a hub ran two days ahead while sites were in contact, and was set right again: the
/// sites have heard of the day after tomorrow, and a token of an hour would be over before it came.
#[test]
fn a_token_for_a_release_ends_after_the_time_that_the_hub_signed_last() {
    let ahead_s = 2 * DAY_S;
    let (hub, _) = known(true, ahead_s);
    let signed_s = hub.signing_s() as i64;
    assert_eq!(signed_s, TRUE_S + ahead_s);
    let (site, _) = known(false, ahead_s);
    site.hear(HUB, signed_s, How::Live);

    let (hub, hand) = known(true, 0);
    hub.signed_before(&[signed_s], &[]);
    hub.shows(NodeId([2; 16]), TRUE_S);
    assert_eq!(hub.best_ms(), TRUE_S * 1_000, "its clock is right again");
    assert_eq!(hub.issue_warning(), None, "for what ends at the hub");
    assert_eq!(hub.release_from_s(), signed_s);
    assert!(
        hub.release_from_s() + 3_600 > site.heard_s(),
        "it can be spent"
    );
    let told = hub.release_warning().unwrap_or_default();
    assert!(told.contains("2 days ahead"), "{told}");
    assert!(told.contains(&date(signed_s)), "{told}");

    // Once its clock has come that far all is as it was.
    pass(&hand, ahead_s + 60);
    hub.shows(NodeId([2; 16]), TRUE_S + ahead_s + 60);
    assert_eq!(hub.release_from_s(), TRUE_S + ahead_s + 60);
    assert_eq!(hub.release_warning(), None);

    // A right hub, and one that signed minutes ahead.
    let (right, _) = known(true, 0);
    right.signing_s();
    assert_eq!(right.release_from_s(), TRUE_S);
    assert_eq!(right.release_warning(), None);
    let (near, _) = known(true, 0);
    near.signed_before(&[TRUE_S + 300], &[]);
    assert_eq!(near.release_from_s(), TRUE_S + 300);
    assert_eq!(near.release_warning(), None, "clocks that agree");
}

#[test]
fn what_was_heard_before_a_start_says_only_how_late_it_is_at_least() {
    let (site, _) = known(false, 0);
    site.hear(HUB, TRUE_S, How::Live);
    let remembered = site.remember();
    for (off_s, best_s) in [
        (-50 * YEAR_S, TRUE_S),
        (-30 * DAY_S, TRUE_S),
        (30 * DAY_S, TRUE_S + 30 * DAY_S),
    ] {
        let (site, _) = known(false, off_s);
        site.recall(remembered.as_deref());
        assert_eq!(site.best_ms(), best_s * 1_000, "{off_s}");
    }

    // Who never heard a hub has its clock alone, and its papers.
    let (site, hand) = known(false, 5);
    assert_eq!(site.best_ms(), (TRUE_S + 5) * 1_000);
    hand.machine_s.store(0, Ordering::Relaxed);
    assert_eq!(site.best_ms(), hand.floor_s() * 1_000);
    pass(&hand, 90);
    assert_eq!(
        site.best_ms(),
        (hand.floor_s() + 90) * 1_000,
        "it goes on from there"
    );
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

fn control_log() -> LogId {
    LogId {
        node: HUB,
        epoch: wadi_log::Epoch([0; 8]),
        lane: wadi_log::Lane::Control,
        crossing: wadi_log::Crossing::HUB,
    }
}

#[test]
fn a_site_that_starts_in_1970_goes_by_its_papers_and_says_so() {
    let (site, hand) = known(false, -50 * YEAR_S);
    assert_eq!(site.now_s(), hand.floor_s());
    assert!(site.alarm().unwrap().contains("it cannot be right"));
    site.hear(HUB, TRUE_S, How::Live);
    assert_eq!(site.now_s(), TRUE_S);
}

#[test]
fn a_hub_whose_clock_jumps_says_so_and_nobodys_papers_expire_by_its_own_word() {
    let (hub, hand) = known(true, 0);
    assert_eq!(hub.now_s(), TRUE_S);
    hand.machine_s.fetch_add(-100 * DAY_S, Ordering::Relaxed);
    assert_eq!(hub.now_s(), TRUE_S);
    assert!(hub.alarm().unwrap().contains("the hub goes by that"));
    assert_eq!(hub.expiry_s(), TRUE_S - 100 * DAY_S);
}

#[test]
fn what_a_hub_signed_ahead_of_its_clock_is_told_and_is_never_gone_back_on() {
    let (hub, _) = known(true, 0);
    hub.signed_before(&[TRUE_S + 7_200], &[]);
    hub.shows(NodeId([3; 16]), TRUE_S);
    assert_eq!(hub.now_s(), TRUE_S, "others bear its clock out");
    assert_eq!(hub.signing_s() as i64, TRUE_S + 7_200);
    let told = hub.alarm().unwrap();
    assert!(told.contains("it signs that until then"), "{told}");

    // The store is read anew after a commit that failed.
    hub.signed_before(&[], &[]);
    assert_eq!(hub.signing_s() as i64, TRUE_S + 7_200);
}

#[test]
fn a_hub_takes_no_heads_word_for_a_time_after_its_own() {
    let (hub, _) = known(true, 0);
    assert_eq!(hub.named_s(TRUE_S + 300, None), TRUE_S);
}

#[test]
fn a_hub_that_is_not_believed_and_a_clock_that_runs_behind_are_told() {
    let (site, hand) = known(false, 0);
    site.hear(HUB, TRUE_S + 3 * YEAR_S, How::Live);
    assert!(
        site.alarm()
            .unwrap()
            .contains("nothing else bears that out")
    );
    site.hear(HUB, TRUE_S, How::Live);
    assert_eq!(site.alarm(), None);
    assert_eq!(site.clock_warning(600), None);

    hand.machine_s.fetch_add(-7_200, Ordering::Relaxed);
    assert!(site.alarm().unwrap().contains("2 hours behind"));
    assert!(site.clock_warning(600).unwrap().contains("2 hours behind"));
    assert_eq!(site.clock_warning(7_200), None, "the policy's doubt");
}

#[test]
fn a_head_is_signed_anew_for_a_time_half_a_minute_newer_and_not_at_every_start_or_word() {
    let (site, hand) = known(false, 0);
    site.hear(HUB, TRUE_S, How::Live);
    assert!(!site.refresh_due(), "it has only just started");
    pass(&hand, REFRESH_S);
    assert!(site.refresh_due());

    site.signed_head(control_log(), TRUE_S);
    site.hear(HUB, TRUE_S + REFRESH_S, How::Live);
    assert!(!site.refresh_due(), "it was signed this moment");
    let long_ago = Instant::now().checked_sub(REFRESH_PAUSE).unwrap();
    site.lock().named = Some((control_log(), TRUE_S, long_ago));
    assert!(site.refresh_due());
    site.lock().named = Some((control_log(), TRUE_S + 1, long_ago));
    assert!(!site.refresh_due());
}

#[test]
fn a_head_that_was_signed_anew_is_to_be_shown_until_a_hub_has_seen_it() {
    let (site, _) = known(false, 0);
    site.to_show(control_log());
    assert_eq!(site.unshown(), [control_log()].into());
    site.is_shown(&control_log());
    assert!(site.unshown().is_empty());
}

#[test]
fn a_writer_is_warned_of_a_clock_ahead_only_of_a_hub_that_was_heard_since_this_start() {
    let (site, hand) = known(false, 0);
    site.hear(HUB, TRUE_S, How::Live);
    hand.machine_s.fetch_add(7_200, Ordering::Relaxed);
    assert!(site.clock_warning(600).unwrap().contains("2 hours ahead"));

    let (later, hand) = known(false, 0);
    later.recall(site.remember().as_deref());
    hand.machine_s.fetch_add(7 * DAY_S, Ordering::Relaxed);
    assert_eq!(later.clock_warning(600), None, "it was dark for a week");
    let (hub, hand) = known(true, 0);
    hub.hear(HUB, TRUE_S, How::Live);
    hand.machine_s.fetch_add(-7_200, Ordering::Relaxed);
    assert_eq!(hub.clock_warning(600), None, "it is its own witness");
}
