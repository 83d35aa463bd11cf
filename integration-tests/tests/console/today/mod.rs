//! A crossing's own console: officers record by hand, from paper too, while everything else is
//! dark.

mod browser;
mod officer;

use integration_tests::{Site, World};
use officer::{Officer, token};
use serde_json::{Value, json};

pub(crate) const GATE_IN: &str = "/console/today/say/passage/gate.in";
pub(crate) const GATE_OUT: &str = "/console/today/say/passage/gate.out";
pub(crate) const WEIGHED: &str = "/console/today/say/passage/weighed";
pub(crate) const HOLD: &str = "/console/today/say/hold/hold.placed";

/// What a gate's officer types for a truck.
fn truck(plate: &str) -> Vec<(&str, &str)> {
    vec![
        ("f.vehicle.plate_raw", plate),
        ("f.vehicle.plate_country", "iq"),
        ("f.purpose", "goods"),
        ("m.direction", "in"),
        ("m.gate", "G1"),
        ("m.reason", "the camera is dirty"),
    ]
}

/// The passages that a node holds.
pub fn passages(site: &Site) -> Vec<Value> {
    let page = site.get("/v1/records?kind=passage").expect("records");
    page["records"].as_array().expect("a list").clone()
}

#[test]
fn a_truck_is_recorded_at_a_gate_and_the_next_form_is_ready() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let port = Officer::of(trb, "OF-7", "PORT");

    // The keyboard begins at the plate.
    let form = port.get(GATE_IN);
    let plate = form
        .text
        .split("name=\"f.vehicle.plate_raw\"")
        .nth(1)
        .expect("a plate");
    assert!(
        plate
            .split('>')
            .next()
            .expect("a tag")
            .contains("autofocus"),
        "{plate}"
    );

    let sent = port.send_form(&form, GATE_IN, &truck("12-B-٣٤٥٦٧"));
    assert_eq!(sent.status, 303, "{}", sent.text);
    let made = port.get(&sent.location);
    made.shows("Recorded");
    made.shows("admitted");
    made.shows("12-B-٣٤٥٦٧");
    made.shows("value=\"G1\"");
    assert_eq!(
        made.input("f.vehicle.plate_raw").as_deref(),
        Some(""),
        "the next is another truck"
    );

    // Who clicks twice, or sends again what was sent, records once, and is told so.
    let again = port.send_form(&form, GATE_IN, &truck("12-B-٣٤٥٦٧"));
    assert_eq!(again.status, 303, "{}", again.text);
    port.get(&again.location)
        .shows("nothing was recorded twice");
    let all = passages(trb);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["fields"]["vehicle.plate"], "12B34567");
    assert_eq!(all[0]["fields"]["vehicle.plate_country"], "IQ");
    assert_eq!(all[0]["events"][0]["officer"], "OF-7");
    assert_eq!(all[0]["events"][0]["data"]["gate"], "G1");

    // The key of a form that was taken, with something else in it, is told and nothing is lost.
    let other = port.send_form(&form, GATE_IN, &truck("99-Z-11111"));
    assert_eq!(other.status, 422, "{}", other.text);
    other.shows("Sending it again records a second time");
    other.shows("99-Z-11111");
    assert_ne!(
        other.input("key"),
        form.input("key"),
        "and the page has a key of its own"
    );

    // The day and a slip show it.
    let id = all[0]["id"].as_str().expect("an id");
    port.get("/console/today").shows("12-B-٣٤٥٦٧");
    let slip = port.get(&format!("/console/today/slip/{id}"));
    slip.shows(id);
    slip.shows("12-B-٣٤٥٦٧");
    slip.shows("releases nothing");
}

#[test]
fn an_officer_is_offered_what_the_department_may_say_and_nothing_else() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let (port, vet) = (
        Officer::of(trb, "OF-1", "PORT"),
        Officer::of(trb, "OF-2", "VET"),
    );

    let (ports, vets) = (
        port.get("/console/today/forms"),
        vet.get("/console/today/forms"),
    );
    ports.shows(GATE_IN);
    vets.shows(HOLD);
    assert!(!ports.has(HOLD) && !vets.has(GATE_IN));
    let refused = vet.get(GATE_IN);
    assert_eq!(refused.status, 403, "{}", refused.text);

    // A veterinary officer places veterinary holds.
    let hold = vet.get(HOLD);
    hold.shows("value=\"VETERINARY\" selected");
    assert!(!hold.has("value=\"SECURITY\""));

    // A reader reads the day, and writes nothing.
    let reader = json!({"name": "reader", "scope": {"is": "reader"}});
    let reader = trb.post("/v1/tokens", &reader).expect("a token");
    let reader = Officer::with(trb, reader["token"].as_str().expect("text"));
    reader
        .get("/console/today")
        .shows("nothing here that you may record");
    assert_eq!(reader.get(GATE_IN).status, 403);
}

#[test]
fn at_a_dark_crossing_a_truck_is_held_and_its_exit_is_flagged_and_the_hub_hears_of_all() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world.settle(&["hub", "trb"]);
    world.site("hub").kill();
    let trb = world.site("trb");
    world.wait("the link is dark", || {
        let standing = trb.get("/v1/sites").expect("standing");
        standing["peers"]
            .as_array()
            .is_some_and(|all| all.iter().all(|p| p["connected"] == false))
    });

    let (port, vet) = (
        Officer::of(trb, "OF-1", "PORT"),
        Officer::of(trb, "OF-2", "VET"),
    );
    port.record(GATE_IN, &truck("12-B-34567"));
    let placed = [
        ("about", "12 b ٣٤٥٦٧"),
        ("m.type_of_hold", "VETERINARY"),
        ("m.legal_basis", "quarantine law, art. 9"),
        ("f.commodity", "sheep"),
    ];
    vet.record(HOLD, &placed);

    // The sample is taken of the hold that holds the truck: its plate is enough.
    let sample = [("on", "12-B-34567"), ("m.sample", "S-1")];
    vet.record("/console/today/say/hold/sample.taken", &sample);

    let today = port.get("/console/today");
    today.shows("veterinary");
    today.shows("quarantine law, art. 9");
    today.shows("unknown while the link is dark");

    // Whoever lets it out all the same is warned, and the hold stands above the next form.
    let out = [
        ("on", "12-B-34567"),
        ("m.gate", "G2"),
        ("m.reason", "the driver left"),
    ];
    let out = port.record(GATE_OUT, &out);
    out.shows("notice-warn");
    out.shows("quarantine law, art. 9");

    world.boot("hub");
    world.settle(&["hub", "trb"]);
    let held = world
        .site("hub")
        .get("/v1/records?kind=hold")
        .expect("holds");
    let hold = &held["records"][0];
    assert_eq!(hold["state"], "SAMPLED");
    assert_eq!(hold["fields"]["type"], "VETERINARY");
    assert_eq!(hold["fields"]["legal_basis"], "quarantine law, art. 9");
    let told = passages(world.site("hub"))[0]["events"].to_string();
    assert!(told.contains("the driver left"), "{told}");
    port.get("/console/today").shows("safe at the hub");
}

#[test]
fn a_release_without_a_second_officer_is_refused_and_what_was_typed_is_kept() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let vet = Officer::of(trb, "OF-2", "VET");
    let id = trb.truck("12-B-34567");
    let placed = [
        ("about", id.as_str()),
        ("m.type_of_hold", "VETERINARY"),
        ("m.legal_basis", "art. 9"),
    ];
    vet.record(HOLD, &placed);

    let form = vet.get("/console/today/say/hold/released?on=12-B-34567");
    let placement = form
        .input("m.holds")
        .expect("the one placement, to be released");
    let typed = [
        ("m.holds", placement.as_str()),
        ("m.second_officer", "OF-2"),
        ("m.reason", "healthy"),
    ];
    let refused = vet.send_form(&form, "/console/today/say/hold/released", &typed);
    assert!((400..500).contains(&refused.status), "{}", refused.status);
    refused.shows("notice-bad");
    refused.shows("value=\"healthy\"");
    assert_eq!(refused.input("m.holds"), Some(placement));
    let hold = &trb.get("/v1/records?kind=hold").expect("holds")["records"][0];
    assert_eq!(hold["state"], "PLACED");
}

#[test]
fn a_paper_backlog_is_entered_with_yesterdays_times() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let port = Officer::of(trb, "OF-1", "PORT");
    let now_ms = trb.get("/v1/sites").expect("standing")["now_ms"]
        .as_i64()
        .expect("a time");
    let yesterday = day_at_crossing(now_ms - 86_400_000);

    let path = format!("{GATE_IN}?paper=1");
    for (plate, clock, paper) in [
        ("11-A-00001", "14:05", "F-0041"),
        ("11-A-00002", "1420", "F-0042"),
        ("11-A-00003", "١٤:٣٥", "F-0043"),
    ] {
        let mut typed = truck(plate);
        typed.extend([
            ("when.day", yesterday.as_str()),
            ("when.clock", clock),
            ("when.paper", paper),
        ]);
        let made = port.record(&path, &typed);
        made.shows("was entered");
        made.shows(&format!(
            "{yesterday} {}",
            if clock == "14:05" { "14:05" } else { "14:" }
        ));
        assert_eq!(
            made.input("when.day"),
            Some(yesterday.clone()),
            "the next is of that day, too"
        );
    }

    let mut all = passages(trb);
    all.sort_by_key(|r| r["events"][0]["at_ms"].as_i64());
    assert_eq!(all.len(), 3);
    for (record, paper) in all.iter().zip(["F-0041", "F-0042", "F-0043"]) {
        let event = &record["events"][0];
        assert!(
            event["at_ms"].as_i64() < Some(now_ms - 3_600_000),
            "{event}"
        );
        assert!(event["entered_ms"].as_i64() >= Some(now_ms), "{event}");
        let told = record["events"].to_string();
        assert!(told.contains(paper), "{told}");
    }
    let day = port.get(&format!("/console/today?date={yesterday}"));
    day.shows("11-A-00002");

    // What lies ahead, what is no time, and a paper without its number are told beside their
    // inputs.
    let tomorrow = day_at_crossing(now_ms + 2 * 86_400_000);
    let mut typed = truck("11-A-00004");
    typed.extend([("when.day", tomorrow.as_str()), ("when.clock", "10:00")]);
    let wrong = port.send(&path, &typed);
    assert_eq!(wrong.status, 422);
    wrong.shows("It lies ahead");
    wrong.shows("wrong-when-paper");
    wrong.shows("11-A-00004");
    assert_eq!(passages(trb).len(), 3);
}

/// The day of a time three hours before UTC, as `2026-11-25`.
pub fn day_at_crossing(ms: i64) -> String {
    // Days from 1970 on, by the civil calendar (Howard Hinnant's algorithm).
    let days = (ms + 3 * 3_600_000).div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[test]
fn a_mass_is_typed_in_arabic_digits_and_one_that_reads_in_two_ways_is_asked_again() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let scale = Officer::of(trb, "OF-9", "OPS");
    let id = trb.truck("12-B-34567");

    let typed = [
        ("on", "١٢-b-٣٤٥٦٧"),
        ("m.gross_kg", "٣١٬٢٤٠"),
        ("m.scale", "S1"),
    ];
    let made = scale.record(WEIGHED, &typed);
    made.shows("value=\"S1\"");
    let record = trb.record(&id).expect("the truck");
    let weighed = &record["events"][1];
    assert_eq!(weighed["data"], json!({"gross_kg": 31_240, "scale": "S1"}));

    for (mass, told) in [
        ("31,24", "in two ways"),
        ("31.2", "no whole number"),
        ("heavy", "no number"),
    ] {
        let typed = [
            ("on", "12-B-34567"),
            ("m.gross_kg", mass),
            ("m.scale", "S1"),
        ];
        let wrong = scale.send(WEIGHED, &typed);
        assert_eq!(wrong.status, 422, "{mass}");
        wrong.shows(told);
        wrong.shows(&format!("value=\"{mass}\""));
        wrong.shows("aria-describedby=\"wrong-m-gross_kg\"");
        wrong.shows("href=\"#m-gross_kg\"");
    }

    // What only the interface knows to be wrong stands beside its input, too.
    let typed = [
        ("on", "12-B-34567"),
        ("m.gross_kg", "40"),
        ("m.tare_kg", "10"),
        ("m.net_kg", "20"),
        ("m.scale", "S1"),
    ];
    let wrong = scale.send(WEIGHED, &typed);
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    wrong.shows("wrong-m-net_kg");
    assert_eq!(
        trb.record(&id).expect("the truck")["events"]
            .as_array()
            .expect("events")
            .len(),
        2
    );

    // A truck that is not here, and two of one plate.
    let none = scale.send(
        WEIGHED,
        &[("on", "99-X-1"), ("m.gross_kg", "1"), ("m.scale", "S1")],
    );
    none.shows("Nothing here fits");
    let second = trb.truck("12-B-34567");
    let two = scale.send(
        WEIGHED,
        &typed[..2]
            .iter()
            .copied()
            .chain([typed[4]])
            .collect::<Vec<_>>(),
    );
    two.shows("Several fit");
    two.shows(&second);
    let picked = trb.record(&second).expect("the second")["record"].clone();
    let picked = picked.as_str().expect("an id");
    let typed = [
        ("on", "12-B-34567"),
        ("pick", picked),
        ("m.gross_kg", "40"),
        ("m.scale", "S1"),
    ];
    scale.record(WEIGHED, &typed).shows(&second);

    // Whoever types another plate after the choice means the other truck.
    let third = trb.truck("12-B-99999");
    let typed = [
        ("on", "12-B-99999"),
        ("pick", picked),
        ("m.gross_kg", "41"),
        ("m.scale", "S1"),
    ];
    scale.record(WEIGHED, &typed).shows(&third);
}

#[test]
fn a_lost_session_loses_nothing_that_was_typed_and_writes_nothing_for_anybody_else() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let mut port = Officer::of(trb, "OF-1", "PORT");
    let form = port.get(GATE_IN);

    // The token was revoked while the form was filled in.
    trb.delete("/v1/tokens/OF-1%20PORT").expect("revoked");
    let lost = port.send_form(&form, GATE_IN, &truck("12-B-<34567>"));
    assert_eq!(lost.status, 401, "{}", lost.text);
    lost.shows("The session has ended");
    lost.shows("12-B-&#60;34567&#62;");
    assert!(
        !lost.location.contains("12-B"),
        "what was typed stands in no address"
    );
    assert_eq!(
        lost.input("key"),
        form.input("key"),
        "it is the same form still"
    );

    // Without any cookie it is the same.
    let cookie = std::mem::take(&mut port.cookie);
    assert_eq!(port.send_form(&form, GATE_IN, &truck("1")).status, 401);
    port.cookie = cookie;

    // Signed in anew, the officer sees the form as it was, and sends it: nothing before that.
    port.sign_in(&token(trb, "OF-5", "PORT"));
    let back = port.send_form(&form, GATE_IN, &truck("12-B-34567"));
    assert_eq!(back.status, 200, "{}", back.text);
    back.shows("The session is another one");
    back.shows("value=\"12-B-34567\"");
    assert_eq!(passages(trb).len(), 0);
    let sent = port.send_form(&back, GATE_IN, &truck("12-B-34567"));
    assert_eq!(sent.status, 303, "{}", sent.text);
    assert_eq!(passages(trb)[0]["events"][0]["officer"], "OF-5");

    // A form of another host is refused, whatever it carries.
    let foreign = port
        .agent()
        .post(format!("{}{GATE_IN}", trb.url()))
        .header("cookie", &port.cookie)
        .header("origin", "https://evil.example")
        .send_form([("proof", back.input("proof").expect("a proof").as_str())]);
    assert_eq!(foreign.expect("an answer").status(), 403);
}

#[test]
fn markup_in_a_field_stays_text_and_nobody_makes_a_link_that_tells_warnings() {
    let mut world = World::default();
    world.start_with_officer("OF-SEC", "SEC");
    let trb = world.site("trb");
    let port = Officer::of(trb, "OF-1", "PORT");
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

    let mut typed = truck(evil);
    typed[5] = ("m.reason", evil);
    let made = port.record(GATE_IN, &typed);
    let id = passages(trb)[0]["id"].as_str().expect("an id").to_string();
    let pages = [
        made,
        port.get("/console/today"),
        port.get(&format!("/console/today/slip/{id}")),
        port.get(&format!("{WEIGHED}?on={id}")),
        port.get(&format!(
            "{GATE_IN}?f.note=%3Cscript%3Ealert(1)%3C/script%3E"
        )),
        port.send(GATE_IN, &[("f.vehicle.plate_raw", evil)]),
    ];
    for page in pages {
        assert!(
            !page.has("<script>alert") && !page.has("<img src=x"),
            "{}",
            page.text
        );
    }

    let forged = format!("{GATE_IN}?made={id}&entry=x&repeated=&w=call%20this%20number&seal=00");
    let forged = port.get(&forged);
    assert_eq!(forged.status, 200);
    assert!(
        !forged.has("call this number") && !forged.has("Recorded"),
        "{}",
        forged.text
    );
}

#[test]
fn the_day_has_its_shift_and_both_languages_and_needs_no_peer() {
    let mut world = World::default();
    // A peer that is not there, and never was.
    let nobody = "127.0.0.1:9".parse().expect("an address");
    world.start("trb", &[("hub", nobody)]);
    let trb = world.site("trb");
    let mut port = Officer::of(trb, "OF-1", "PORT");
    let shift = [("m.officer", "OF-3"), ("m.department", "VET")];
    port.record("/console/today/say/site-day/shift.on", &shift);
    port.record(
        "/console/today/say/site-day/shift.on",
        &[("m.officer", "OF-4"), shift[1]],
    );
    let off = [("m.officer", "OF-4"), ("m.department", "VET")];
    port.record("/console/today/say/site-day/shift.off", &off);
    let days = trb.get("/v1/records?kind=site-day").expect("days");
    assert_eq!(
        days["records"].as_array().expect("a list").len(),
        1,
        "one record of one day"
    );

    let today = port.get("/console/today");
    today.shows("OF-3");
    assert!(!today.has("OF-4"), "whose shift is over");

    port.language = "ar";
    let today = port.get("/console/today");
    today.shows("dir=\"rtl\"");
    today.shows("المناوبون");
    let form = port.get(GATE_IN);
    form.shows("رقم اللوحة كما قُرئ");
    assert!(
        !form.has("console-") && !form.has("today-wrong"),
        "{}",
        form.text
    );
}

#[test]
fn lookouts_are_shown_to_those_who_may_read_them() {
    let mut world = World::default();
    world.start_with_officer("OF-SEC", "SEC");
    let trb = world.site("trb");
    let port = Officer::of(trb, "OF-1", "PORT");
    let lookout = json!({
        "kind": "hold", "officer": "OF-SEC", "department": "SEC",
        "fields": {"type": "SECURITY", "legal_basis": "order 12", "target.term": "77B00042"},
        "events": [{"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order 12"}],
    });
    trb.post("/v1/records", &lookout).expect("a lookout");
    assert!(!port.get("/console/today").has("77B00042"));
    Officer::of(trb, "OF-SEC", "SEC")
        .get("/console/today")
        .shows("77B00042");
}
