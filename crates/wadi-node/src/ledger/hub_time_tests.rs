//! Stories of clocks that are wrong by anything from fifty years back to fifty years ahead, told to
//! the pure judgements.

use super::*;

const YEAR_S: i64 = 365 * DAY_S + DAY_S / 4;
/// The true time in these stories: 1 June 2026.
const TRUE_S: i64 = 1_780_272_000;
/// Papers were issued half a year before.
const FLOOR_S: i64 = TRUE_S - YEAR_S / 2;
const AGREE_S: i64 = 600;
/// A site asks for the hub's time about so often.
const ASKED_S: i64 = 30;

const HUB: NodeId = NodeId([1; 16]);
const OTHER_HUB: NodeId = NodeId([2; 16]);
const NEIGHBOUR: NodeId = NodeId([3; 16]);

fn now(machine_off_s: i64, steady_s: i64) -> Now {
    Now {
        machine_s: TRUE_S + machine_off_s + steady_s,
        steady_s,
        floor_s: FLOOR_S,
        agree_s: AGREE_S,
    }
}

/// How far clocks are off: every year, the GPS rollover, and some hours and months.
fn errors() -> Vec<i64> {
    let years = (-50..=50).map(|y| y * YEAR_S);
    let odd = [
        1_024 * 7 * DAY_S,
        92 * DAY_S,
        31 * DAY_S,
        DAY_S,
        3_600,
        601,
        599,
        60,
    ]
    .into_iter();

    years.chain(odd.clone()).chain(odd.map(|s| -s)).collect()
}

/// A site's view: hears a hub whose clock is off by so much at that second.
struct Site {
    hub: HubTime,
    others: Others,
    off_s: i64,
}

impl Site {
    fn new(off_s: i64) -> Self {
        Self {
            hub: HubTime::default(),
            others: Others::default(),
            off_s,
        }
    }

    fn hears(&mut self, hub_off_s: i64, steady_s: i64) -> TimeVerdict {
        let said = TRUE_S + hub_off_s + steady_s;
        self.hub.hear(
            HUB,
            said,
            How::Live,
            &self.others,
            now(self.off_s, steady_s),
        )
    }

    /// Hears it as often as a connected site does, for so long.
    fn listens(&mut self, hub_off_s: i64, from_s: i64, for_s: i64) {
        for at in (from_s..=from_s + for_s).step_by(ASKED_S as usize) {
            self.hears(hub_off_s, at);
        }
    }

    fn is_right(&self, at_s: i64) -> bool {
        self.hub
            .believed()
            .is_some_and(|c| (c.time_s - TRUE_S - at_s).abs() <= AGREE_S)
    }
}

#[test]
fn a_right_hub_is_believed_within_ten_minutes_whatever_the_sites_clock_shows() {
    for off in errors() {
        let mut site = Site::new(off);
        site.listens(0, 0, STANDS_FAR_S + ASKED_S);
        assert!(
            site.is_right(STANDS_FAR_S + ASKED_S),
            "a site that is off by {off} s: {:?}",
            site.hub
        );
    }
}

#[test]
fn a_glitch_of_the_hub_is_forgotten_whatever_the_sites_clock_shows() {
    for off in errors() {
        for glitch in errors() {
            let mut site = Site::new(off);
            let settled = STANDS_FAR_S + ASKED_S;
            site.listens(0, 0, settled);

            let before = site.hub.believed();
            site.hears(glitch, settled + 1);

            let moved = site.hub.believed() != before;
            let near = glitch.abs() <= AGREE_S;
            let born_out = (TRUE_S + glitch + settled + 1) <= site.hub.reach(now(off, settled + 1));
            assert!(
                !moved || near || born_out,
                "a site off by {off} s takes a hub off by {glitch} s for a moment"
            );

            site.listens(0, settled + 2, STANDS_FAR_S + 2 * ASKED_S);
            let at = settled + STANDS_FAR_S;
            let right = site
                .hub
                .believed()
                .is_some_and(|c| (c.time_s - TRUE_S - at).abs() <= AGREE_S + 3 * ASKED_S);
            assert!(
                right,
                "a site off by {off} s, a hub off by {glitch} s for a moment: {:?}",
                site.hub
            );
        }
    }
}

#[test]
fn what_was_taken_before_and_is_wrong_is_forgotten_once_a_right_hub_is_heard() {
    for off in errors() {
        for taken in errors().into_iter().filter(|t| *t > AGREE_S) {
            let time_s = TRUE_S + taken;
            // As older versions wrote it down.
            let claim = TimeClaim {
                witness: None,
                time_s,
                machine_s: 0,
                steady_s: None,
            };

            let mut site = Site {
                hub: HubTime::remembered(Some(claim)),
                ..Site::new(off)
            };

            site.listens(0, 0, STANDS_S + ASKED_S);
            let settled = STANDS_S + ASKED_S;
            if (off - taken).abs() <= 2 * AGREE_S {
                // A clock as wrong as what was taken bears it out for a while.
                assert!(
                    site.hub
                        .refused()
                        .is_some_and(|(_, v)| v == TimeVerdict::WentBack)
                        || site.is_right(settled)
                );

                site.listens(0, settled, STANDS_FAR_S + ASKED_S);
                assert!(
                    site.is_right(settled + STANDS_FAR_S),
                    "a site off by {off} s that took {taken} s"
                );

                continue;
            }

            assert!(
                site.is_right(settled),
                "a site off by {off} s that took {taken} s: {:?}",
                site.hub
            );
        }
    }
}

#[test]
fn a_correction_says_what_was_believed() {
    let claim = TimeClaim {
        witness: Some(HUB),
        time_s: TRUE_S + 10 * YEAR_S,
        machine_s: TRUE_S,
        steady_s: None,
    };

    let mut site = Site {
        hub: HubTime::remembered(Some(claim)),
        ..Site::new(0)
    };
    assert_eq!(
        site.hears(0, 5),
        TimeVerdict::Corrected {
            was_s: TRUE_S + 10 * YEAR_S
        }
    );

    assert_eq!(site.hears(0, 35), TimeVerdict::Believed);
}

#[test]
fn what_a_hub_signed_once_never_takes_the_time_back() {
    let mut site = Site::new(0);
    site.hears(0, 0);
    for old in errors().into_iter().filter(|e| *e < 0) {
        let verdict = site
            .hub
            .hear(OTHER_HUB, TRUE_S + old, How::Past, &site.others, now(0, 10));
        assert!(
            matches!(verdict, TimeVerdict::Known | TimeVerdict::TooEarly),
            "{old}: {verdict:?}"
        );
    }

    assert_eq!(site.hub.believed().map(|c| c.time_s), Some(TRUE_S));
}

#[test]
fn a_site_that_only_reads_sticks_and_whose_clock_stood_still_follows_the_hub() {
    let mut site = Site::new(-92 * DAY_S);
    let verdict = site
        .hub
        .hear(HUB, TRUE_S, How::Past, &site.others, now(-92 * DAY_S, 0));
    assert_eq!(verdict, TimeVerdict::Believed);

    let far = TRUE_S + 10 * YEAR_S;
    assert_eq!(
        site.hub
            .hear(HUB, far, How::Past, &site.others, now(-92 * DAY_S, 1)),
        TimeVerdict::TooLate
    );
}

#[test]
fn another_witness_bears_a_hub_out_and_the_hub_itself_does_not() {
    let off = -92 * DAY_S;
    let mut site = Site::new(off);
    site.others.shows(HUB, TRUE_S, now(off, 0));
    assert_eq!(site.hears(0, 0), TimeVerdict::TooLate);

    site.others.shows(NEIGHBOUR, TRUE_S, now(off, 1));
    assert_eq!(site.hears(0, 1), TimeVerdict::Believed);

    // What it showed is stale after a while.
    let mut site = Site::new(off);
    site.others.shows(NEIGHBOUR, TRUE_S, now(off, 0));
    assert_eq!(site.hears(0, FRESH_S + 1), TimeVerdict::TooLate);
}

#[test]
fn a_hub_that_was_cut_is_not_gone_by() {
    let mut site = Site::new(0);
    site.hears(0, 0);
    site.hub.forget(&OTHER_HUB);
    assert!(site.hub.believed().is_some());
    site.hub.forget(&HUB);
    assert_eq!(site.hub.believed(), None);
}

/// A hub that has signed until a day ago, when it stopped.
fn hub() -> OwnTime {
    OwnTime::after(Some(TRUE_S - DAY_S))
}

#[test]
fn a_hub_never_signs_less_than_it_signed_nor_far_ahead_whatever_its_clock_does_while_it_runs() {
    for jump in errors() {
        let (mut hub, others) = (hub(), Others::default());
        let mut last = TRUE_S - DAY_S;
        let clock = |at: i64| if (100..=130).contains(&at) { jump } else { 0 };

        for at in 0..300 {
            let signed = hub.sign(&others, now(clock(at), at));
            assert!(signed >= last, "a jump by {jump} s: {signed} after {last}");
            assert!(
                (signed - TRUE_S - at).abs() <= AGREE_S,
                "a jump by {jump} s: off by {} s",
                signed - TRUE_S - at
            );

            last = signed;
        }
    }
}

#[test]
fn a_hub_that_starts_with_a_wrong_clock_goes_by_its_past_until_the_clock_is_right() {
    for off in errors() {
        let (mut hub, others) = (hub(), Others::default());
        let mut last = TRUE_S - DAY_S;
        for at in 0..100 {
            let signed = hub.sign(&others, now(off, at));
            assert!(signed >= last, "{off}: {signed} after {last}");

            // No later than what a hub that was off for a month would sign.
            assert!(
                signed <= TRUE_S + OFF_S + at,
                "{off}: {} s ahead",
                signed - TRUE_S - at
            );

            last = signed;
        }

        // Somebody sets it.
        for at in 100..200 {
            let signed = hub.sign(&others, now(0, at));
            assert!(signed >= last, "{off}: {signed} after {last}");
            last = signed;
        }

        let sensible = !(-AGREE_S..=OFF_S).contains(&off);
        let right = (last - TRUE_S - 199).abs() <= AGREE_S;
        assert!(
            right || !sensible || off > -DAY_S - AGREE_S,
            "{off}: off by {} s in the end",
            last - TRUE_S - 199
        );
    }
}

#[test]
fn sites_bear_a_hubs_clock_out_after_a_long_outage() {
    let (mut hub, mut others) = (
        OwnTime::after(Some(TRUE_S - 2 * 365 * DAY_S)),
        Others::default(),
    );
    let floor_s = TRUE_S - 3 * YEAR_S;
    let at = |steady_s: i64| Now {
        floor_s,
        ..now(0, steady_s)
    };
    assert!(hub.sign(&others, at(0)) < TRUE_S - YEAR_S, "it cannot tell");

    others.shows(NEIGHBOUR, TRUE_S + 10, at(10));
    assert_eq!(hub.sign(&others, at(10)), TRUE_S + 10);
}

#[test]
fn nobody_bears_out_a_clock_that_lies_beyond_ten_years() {
    for (off_s, is_taken) in [
        (50 * YEAR_S, false),
        (11 * YEAR_S, false),
        (9 * YEAR_S, true),
    ] {
        let (mut hub, mut others) = (OwnTime::after(Some(FLOOR_S)), Others::default());
        let at = |s| now(off_s, s);
        others.shows(NEIGHBOUR, TRUE_S + off_s + 10, at(10));

        let signed = hub.sign(&others, at(20));
        assert_eq!(signed > TRUE_S + off_s / 2, is_taken, "{off_s}");
    }
}

#[test]
fn a_new_hub_takes_a_clock_that_its_papers_allow() {
    for off in errors() {
        let (mut hub, others) = (OwnTime::default(), Others::default());
        let signed = hub.sign(&others, now(off, 0));
        let allowed = (FLOOR_S..=FLOOR_S + FAR_S).contains(&(TRUE_S + off));
        assert_eq!(
            signed,
            if allowed { TRUE_S + off } else { FLOOR_S },
            "{off}"
        );
    }
}

#[test]
fn the_past_that_counts_leaves_out_what_a_clock_that_jumped_signed() {
    let own = [TRUE_S - 5, TRUE_S, TRUE_S + 10 * YEAR_S];
    let others = [TRUE_S - 1, TRUE_S - 40, TRUE_S + 50 * YEAR_S];
    assert_eq!(OwnTime::past(&own, &others, now(0, 0)), Some(TRUE_S));

    // With a dead battery, others' word alone is enough.
    assert_eq!(
        OwnTime::past(&own, &others, now(-50 * YEAR_S, 0)),
        Some(TRUE_S)
    );

    // Where nobody else signed anything, its own word holds.
    assert_eq!(
        OwnTime::past(&own, &[], now(0, 0)),
        Some(TRUE_S + 10 * YEAR_S)
    );
    assert_eq!(OwnTime::past(&[], &others, now(0, 0)), None);
}

/// A site that hears a hub say a time that far from the true one, again every half minute, and what
/// it finds of each.
fn hears(site: &mut HubTime, off_s: i64, machine_off_s: i64, until_s: i64) -> Vec<TimeVerdict> {
    let others = Others::default();
    (0..=until_s / ASKED_S)
        .map(|n| {
            let at = now(machine_off_s, n * ASKED_S);
            site.hear(HUB, TRUE_S + off_s + n * ASKED_S, How::Live, &others, at)
        })
        .collect()
}

#[test]
fn nothing_before_the_papers_is_believed_but_for_the_day_by_which_issuers_differ() {
    let others = Others::default();
    let hear = |time_s| HubTime::default().hear(HUB, time_s, How::Live, &others, now(0, 0));
    assert_eq!(hear(FLOOR_S - DAY_S - 1), TimeVerdict::TooEarly);
    assert_eq!(hear(FLOOR_S - DAY_S), TimeVerdict::Believed);
}

#[test]
fn a_site_whose_own_clock_cannot_be_right_takes_the_hubs_word_within_bounds() {
    let nineteen_seventy = FLOOR_S - TRUE_S - 50 * YEAR_S;
    let first = |site: &mut HubTime, off_s| hears(site, off_s, nineteen_seventy, 0)[0];
    assert_eq!(first(&mut HubTime::default(), 0), TimeVerdict::Believed);
    let far = FLOOR_S - TRUE_S + AGREE_S + FAR_S;
    assert_eq!(first(&mut HubTime::default(), far), TimeVerdict::Believed);
    assert_eq!(
        first(&mut HubTime::default(), far + 1),
        TimeVerdict::TooLate
    );

    // Once a hub was heard, the next word may lie a year ahead, and no more.
    let mut site = HubTime::default();
    first(&mut site, 0);
    assert_eq!(first(&mut site, AGREE_S + NEAR_S + 1), TimeVerdict::TooLate);
    assert_eq!(first(&mut site, AGREE_S + NEAR_S), TimeVerdict::Believed);
}

#[test]
fn what_lies_years_ahead_has_to_stand_for_ten_minutes_and_beyond_ten_years_stands_for_nothing() {
    let said = hears(&mut HubTime::default(), 3 * YEAR_S, 0, STANDS_FAR_S);
    let (last, before) = said.split_last().unwrap();
    assert!(before.iter().all(|v| *v == TimeVerdict::TooLate));
    assert_eq!(*last, TimeVerdict::Believed);

    let never = hears(&mut HubTime::default(), 11 * YEAR_S, 0, 4 * STANDS_FAR_S);
    assert!(never.iter().all(|v| *v == TimeVerdict::TooLate));
}

#[test]
fn a_claim_stands_by_one_hub_saying_one_thing_and_begins_anew_when_that_was_cut() {
    let others = Others::default();
    let a_year = TRUE_S + YEAR_S;
    let hear = |site: &mut HubTime, hub, time_s, at| {
        site.hear(hub, time_s, How::Live, &others, now(0, at))
    };

    let mut site = HubTime::default();
    hear(&mut site, HUB, a_year, 0);
    let by_another = hear(&mut site, OTHER_HUB, a_year + STANDS_S, STANDS_S);
    assert_eq!(by_another, TimeVerdict::TooLate);

    let mut site = HubTime::default();
    hear(&mut site, HUB, a_year, 0);
    let another = hear(&mut site, HUB, a_year - 100 * DAY_S, STANDS_S);
    assert_eq!(another, TimeVerdict::TooLate);

    let mut site = HubTime::default();
    hear(&mut site, HUB, a_year, 0);
    site.forget(&HUB);
    let anew = hear(&mut site, HUB, a_year + STANDS_S, STANDS_S);
    assert_eq!(anew, TimeVerdict::TooLate);
    let later = hear(&mut site, HUB, a_year + 2 * STANDS_S, 2 * STANDS_S);
    assert_eq!(later, TimeVerdict::Believed);
}

#[test]
fn a_hub_that_says_less_than_it_said_has_to_stand_by_it_unless_the_machines_clock_bears_it_out() {
    // Some seconds back are nothing.
    let mut site = HubTime::default();
    hears(&mut site, 0, 0, 0);
    assert_eq!(hears(&mut site, -60, 0, 0), [TimeVerdict::Known]);

    // This machine's clock agrees with what was said before: only the hub's word moved.
    let said = hears(&mut site, -DAY_S, 0, STANDS_FAR_S);
    let (last, before) = said.split_last().unwrap();
    assert!(before.iter().all(|v| *v == TimeVerdict::WentBack));
    assert_eq!(*last, TimeVerdict::Corrected { was_s: TRUE_S });

    // A machine's clock that cannot be right bears nothing out.
    let nineteen_seventy = FLOOR_S - TRUE_S - 50 * YEAR_S;
    let mut site = HubTime::default();
    hears(&mut site, 0, nineteen_seventy, 0);
    let said = hears(&mut site, -7_200, nineteen_seventy, STANDS_S);
    assert_eq!(said[0], TimeVerdict::WentBack);
    assert_eq!(said.last(), Some(&TimeVerdict::Corrected { was_s: TRUE_S }));
}

#[test]
fn clocks_of_others_take_bounded_room() {
    let mut others = Others::default();
    let node = |n: usize| {
        let mut id = [9; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        NodeId(id)
    };
    (0..=OTHERS_MAX).for_each(|n| others.shows(node(n), TRUE_S, now(0, 0)));
    assert_eq!(others.0.len(), OTHERS_MAX);
    others.shows(node(0), TRUE_S + 5, now(0, 5));
    assert_eq!(others.0[&node(0)], (TRUE_S + 5, 5), "who is known is heard");
}

#[test]
fn a_hub_that_was_off_for_long_follows_its_clock_where_others_bear_it_out_and_that_can_be() {
    let off_since = TRUE_S - OFF_S - DAY_S;
    let alone = OwnTime::after(Some(off_since)).read(&Others::default(), now(0, 0));
    assert_eq!(alone, off_since);

    let mut others = Others::default();
    others.shows(NEIGHBOUR, TRUE_S, now(0, 0));
    let borne_out = OwnTime::after(Some(off_since)).read(&others, now(0, 0));
    assert_eq!(borne_out, TRUE_S);

    // Two clocks that agree on a time before their papers bear each other out in vain.
    let early_s = FLOOR_S - TRUE_S - YEAR_S;
    others.shows(NEIGHBOUR, TRUE_S + early_s, now(early_s, 0));
    let both_wrong = OwnTime::after(None).read(&others, now(early_s, 0));
    assert_eq!(both_wrong, FLOOR_S);
    let renewed = OwnTime::after(Some(FLOOR_S - 2 * DAY_S));
    let before = now(FLOOR_S - TRUE_S - DAY_S, 0);
    let read = renewed.clone().read(&Others::default(), before);
    assert_eq!(read, FLOOR_S, "its papers were renewed since it signed");
}

#[test]
fn a_hub_that_starts_with_a_wrong_clock_after_months_follows_it_once_it_is_set() {
    let others = Others::default();
    let signed_s = TRUE_S - 60 * DAY_S;
    let mut own = OwnTime::after(Some(signed_s));
    assert_eq!(own.read(&others, now(10 * YEAR_S, 0)), signed_s);
    assert_eq!(own.read(&others, now(10 * YEAR_S, 60)), signed_s + 60);
    assert_eq!(own.read(&others, now(0, 120)), TRUE_S + 120, "it is set");

    // One that nobody set since is no righter than it was.
    let mut own = OwnTime::after(Some(signed_s));
    assert_eq!(own.read(&others, now(0, 0)), signed_s);
    assert_eq!(own.read(&others, now(0, 60)), signed_s + 60);
}
