//! What single defences of the node's inside are for: each has a test that fails without it.

use wadi_store::defence::{SWITCHABLE, fails_without};

/// A defence, the test that fails without it, and what becomes of a node then.
const DEFENCES: [(&str, &str, &str); 9] = [
    (
        "turns",
        "pipeline::turns::tests::own_commands_go_first_and_then_everybody_has_a_turn",
        "whatever one peer floods the queue with is worked off before anybody else",
    ),
    (
        "light-peers",
        "pipeline::room::tests::a_peer_with_one_truck_waits_for_no_flood",
        "a crossing's one truck waits for all that another brings into the same commit",
    ),
    (
        "carried-share",
        "links::carried::tests::one_neighbour_fills_its_own_part_and_no_other",
        "one neighbour takes all the room that is there for carrying",
    ),
    (
        "forked-node-cut",
        "tests::cuts::forks_by_the_thousand_end_in_one_cut_of_their_node",
        "each forked log costs a cut of its own, for ever",
    ),
    (
        "named-times",
        "ledger::named_times::tests::\
         what_stands_past_a_listed_size_was_written_after_the_time_that_was_named",
        "whoever leaves the hub time out backdates as far as he likes",
    ),
    (
        "borne-out",
        "tests::captured::blamed::\
         who_forges_what_an_officer_had_taken_in_blames_nobody_and_is_found",
        "a captured node blames officers for what it never heard",
    ),
    (
        "urgent-reserve",
        "door::budgets::tests::\
         a_flood_of_passages_holds_up_no_hold_and_a_flood_of_holds_does",
        "a flood of passages keeps holds and cuts waiting",
    ),
    (
        "ingest-room",
        "links::ingesting::tests::whoever_sends_faster_than_the_disk_writes_has_little_waiting",
        "what a peer sends piles up in memory while the disk is slow",
    ),
    (
        "peer-memory",
        "links::held::tests::\
         a_link_that_is_full_waits_for_what_drains_and_ends_where_nothing_does",
        "each buffer of each link of a peer is filled at once",
    ),
];

#[test]
fn each_of_these_tests_fails_without_its_defence() {
    if !SWITCHABLE {
        return;
    }

    for (defence, test, why) in DEFENCES {
        assert!(fails_without(defence, test), "without {defence}, {why}");
    }
}
