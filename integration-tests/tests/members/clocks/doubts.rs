//! A site whose clock is off beyond doubt: its writer is told, the hub finds it, and what people
//! hold ends by what is known better.

use super::{DAY_S, ROLLOVER_S, TEN_YEARS_S, hands_in, real_s, restart_off_by, two_nodes};
use integration_tests::{Site, World};
use serde_json::{Value, json};

/// What a site warns its writer of the clock, and what the hub finds, of a truck.
fn doubted(world: &World, plate: &str, is_off: bool) -> (bool, bool) {
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let truck = json!({
        "kind": "passage",
        "officer": "OF-1",
        "department": "PORT",
        "fields": {"direction": "in", "vehicle.plate_raw": plate},
    });
    let written = trb.post("/v1/records", &truck).unwrap();
    let id = written["id"].as_str().unwrap();
    let is_warned = written["warnings"].to_string().contains("R20");

    // Records are looked at in order: once something is found on a later one, it was looked at.
    let mut later = truck.clone();
    later["fields"]["container.1"] = "CSQU3054384".into();
    let later = trb.post("/v1/records", &later).unwrap()["id"].clone();
    world.wait("the hub has looked at it", || {
        let found = hub.get("/v1/findings?rule=R24").unwrap_or_default();
        found.to_string().contains(later.as_str().unwrap())
    });
    let is_found = || {
        let found = hub.get("/v1/findings?rule=R20").unwrap_or_default();
        found.to_string().contains(id)
    };
    // Its findings may be published with the next ones.
    if is_off {
        world.wait("the hub finds it", is_found);
    }
    (is_warned, is_found())
}

/// Starts the site again with a clock that is off by so much, and waits until it has heard a newer
/// word of the hub's.
fn hears_again_off_by(world: &World, seconds: i64) {
    let heard = || world.site("trb").get("/v1/sites").unwrap()["hub_time_s"].as_i64();
    let before = heard();
    restart_off_by(world, "trb", seconds);
    world.wait("the hub says a newer time", || {
        world.site("trb").truck("11-A-00009");
        heard() > before
    });

    // The next head of the log names that time. What is written once the hub has it stands after.
    world.site("trb").truck("11-A-00009");
    world.settle(&["hub", "trb"]);
}

#[test]
fn a_time_outside_the_hubs_word_is_found_at_once_and_told_to_its_writer_and_a_near_one_is_not() {
    let world = two_nodes();
    assert_eq!(doubted(&world, "11-A-00001", false), (false, false));

    hears_again_off_by(&world, 300);
    assert_eq!(
        doubted(&world, "11-A-00003", false),
        (false, false),
        "five minutes"
    );

    hears_again_off_by(&world, 7_200);
    assert_eq!(doubted(&world, "11-A-00005", true), (true, true), "ahead");

    hears_again_off_by(&world, -7_200);
    assert_eq!(doubted(&world, "11-A-00007", true), (true, true), "behind");

    // What was found stands when the hub starts anew and looks at everything again.
    let hub = world.site("hub");
    let count =
        |site: &Site| site.get("/v1/findings?rule=R20").unwrap_or_default()["count"].clone();
    let before = count(hub);
    assert!(before.as_i64() >= Some(2), "{before}");
    hub.stop();
    world.boot("hub");
    let again = integration_tests::run(&hub.dir, &["findings", "recheck"]);
    assert!(again.status.success(), "{again:?}");
    world.settle(&["hub", "trb"]);
    assert_eq!(count(world.site("hub")), before);
}

/// A token that only reads, and ends a day after it was issued.
fn for_a_day(site: &Site, name: &str) -> Value {
    let wanted = json!({"name": name, "scope": {"is": "reader"}, "days": 1});
    site.post("/v1/tokens", &wanted).unwrap()
}

/// Whether a time is, but for the minutes that a story takes, so many seconds from now.
fn is_in(time_s: i64, seconds: i64) -> bool {
    (time_s - real_s() - seconds).abs() < 600
}

#[test]
fn a_wrong_clock_ends_no_token_before_its_time_and_issues_none_that_has_ended() {
    let world = two_nodes();
    hands_in(&world, "11-A-00001");
    let first = for_a_day(world.site("trb"), "first");
    let first = first["token"].as_str().unwrap();

    for (n, seconds) in [TEN_YEARS_S, 2 * DAY_S, -ROLLOVER_S]
        .into_iter()
        .enumerate()
    {
        restart_off_by(&world, "trb", seconds);
        hands_in(&world, &format!("22-A-{n:05}"));
        let trb = world.site("trb");
        world.wait("the token holds", || {
            trb.get_as(first, "/v1/records").is_ok()
        });

        let issued = for_a_day(trb, &format!("off by {seconds}"));
        let ends_s = issued["expires_ms"].as_i64().unwrap() / 1_000;
        assert!(is_in(ends_s, DAY_S), "{seconds}: {issued}");
    }

    // A hub signs hours from the time that it goes by, and not from what its machine shows.
    for seconds in [5 - real_s(), TEN_YEARS_S] {
        restart_off_by(&world, "hub", seconds);
        let wanted = json!({
            "scope": "SECURITY", "department": "SEC", "hours": 2, "reason": "storm",
        });
        let path = "/v1/release-tokens?person=Layla";
        let issued = world.site("hub").post(path, &wanted).unwrap();
        assert!(
            is_in(issued["expires_s"].as_i64().unwrap(), 7_200),
            "{seconds}: {issued}"
        );
    }
}
