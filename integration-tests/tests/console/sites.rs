//! The board of sites: told to real processes, read as a browser without script reads it.

use integration_tests::{Cable, World, browser::Browser, pages::Pages};

/// A hub and Traibeel, whose link can be pulled.
fn desert() -> (World, Cable) {
    let mut world = World::default();
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("trb", &[("hub", cable.address)]);
    (world, cable)
}

/// The row of a node in the board's table.
fn row_of(html: &str, name: &str) -> String {
    let link = format!("href=\"/console/sites/{name}\"");
    let (_, rest) = html.rsplit_once(&link).expect("the node is on the board");
    let (row, _) = rest.split_once("</tr>").expect("a row");
    row.to_string()
}

#[test]
fn the_board_shows_a_crossing_that_goes_dark_and_comes_back() {
    let (world, cable) = desert();
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    trb.truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let english = Pages::of_operator(hub, "en");
    let board = || row_of(&english.get("/console/sites").html, "trb");
    world.wait("it is up", || board().contains("badge-good"));
    let up = board();
    assert!(up.contains(">up<"), "{up}");
    assert!(up.contains(" days"), "the certificate's days: {up}");
    assert!(up.contains("<bdi>0.1.0</bdi>"), "its software: {up}");
    let own = row_of(&english.get("/console/sites").html, "hub");
    assert!(own.contains(" days"), "its own certificate: {own}");
    assert!(own.contains("agrees with the hub"), "its own clock: {own}");
    world.wait("the crossing knows its own clock", || {
        trb.get("/v1/sites").unwrap()["clock_ahead_s"].is_i64()
    });

    cable.pull();
    world.wait("it is dark", || board().contains(">dark<"));
    let dark = board();
    assert!(dark.contains("badge-plain"), "no alarm: {dark}");
    assert!(
        dark.contains("unknown"),
        "what it lacks nobody knows: {dark}"
    );

    // When the link will be up nobody knows yet, and it is said so, wherever it is asked.
    let id = trb.truck("11-A-00002");
    let record = trb.record(&id).unwrap();
    assert_ne!(record["safety"], "at_hub", "{record}");
    assert!(record["expected_at_hub"].is_null(), "{record}");
    assert!(trb.get("/v1/sites").unwrap()["expected_at_hub"].is_null());
    let status = integration_tests::run(&trb.dir, &["status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("expected at the hub: unknown"), "{status}");
    let page = Pages::of_operator(trb, "en").get(&format!("/console/records/{id}"));
    assert!(
        page.html.contains("when it will be at the hub is unknown"),
        "{}",
        page.html
    );

    let arabic = Pages::of_operator(hub, "ar").get("/console/sites").html;
    assert!(arabic.contains("dir=\"rtl\"") && arabic.contains(">منقطع<"));

    cable.plug();
    world.wait("it is back", || board().contains(">up<"));
}

#[test]
fn a_site_has_a_page_with_its_contacts_and_one_that_nobody_knows_has_none() {
    let (world, _cable) = desert();
    let hub = world.site("hub");
    world.site("trb").truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let pages = Pages::of_operator(hub, "ar");
    world.wait("a contact is remembered", || {
        let known = hub.get("/v1/sites/trb/contacts").unwrap();
        known["contacts"][0]["received_bytes"].as_u64() > Some(0)
    });
    let page = pages.get("/console/sites/trb");
    assert_eq!(page.status, 200);
    assert!(page.html.contains("class=\"chart\""), "{}", page.html);
    assert!(page.html.contains("أوقات الاتصال"));
    assert!(!page.html.contains("style="));

    let none = pages.get("/console/sites/%3Cb%3Enobody");
    assert_eq!(none.status, 404);
    assert!(!none.html.contains("<b>nobody"), "a name became markup");
}

#[test]
fn a_page_is_small_and_the_map_is_kept_by_its_name() {
    let (world, _cable) = desert();
    let pages = Pages::of_operator(world.site("hub"), "ar");
    let board = pages.get("/console/sites").html;
    assert!(board.len() < 40_000, "{}", board.len());

    let (_, rest) = board.split_once("<image href=\"").expect("a map");
    let (path, _) = rest.split_once('"').unwrap();
    let picture = pages.get(path);
    assert_eq!(picture.status, 200);
    assert!(picture.html.starts_with("<svg"));
}

#[test]
fn what_a_link_did_is_remembered_after_a_restart() {
    let (world, _cable) = desert();
    let hub = world.site("hub");
    world.wait("a contact is remembered", || {
        let known = hub.get("/v1/sites/trb/contacts").unwrap();
        known["contacts"][0]["received_bytes"].as_u64() > Some(0)
    });
    let before = hub.get("/v1/sites/trb/contacts").unwrap();
    let began = before["contacts"][0]["began_ms"].clone();

    hub.stop();
    world.boot("hub");
    let after = hub.get("/v1/sites/trb/contacts").unwrap();
    assert_eq!(after["contacts"][0]["began_ms"], began, "{after}");
}

#[test]
fn somebody_who_watches_the_board_sees_a_link_go_and_come_without_loading_anew() {
    let (world, cable) = desert();
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    trb.truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let browser = Browser::open(hub, "ar");
    browser.sign_in(&hub.token());
    browser.go("/console/sites");
    browser.see("متصل");
    browser.pictures("sites");
    browser.evaluate("window.loadedOnce = true");

    cable.pull();
    browser.see("منقطع");
    cable.plug();
    browser.wait("it is back", |b| !b.text("#board").contains("منقطع"));
    assert_eq!(
        browser.evaluate("window.loadedOnce"),
        true,
        "it was loaded anew"
    );

    browser.go("/console/sites/trb");
    browser.find(".chart svg");
    browser.pictures("sites-one");
    assert_eq!(browser.complaints(), [""; 0]);

    browser.set_script(false);
    browser.go("/console/sites");
    browser.see("متصل");
    browser.click("tbody th a[href='/console/sites/trb']");
    browser.arrive("/console/sites/trb");
}

#[test]
fn a_link_that_comes_at_its_hour_is_expected_then_on_every_page_alike() {
    let (world, cable) = desert();
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    world.settle(&["hub", "trb"]);
    cable.pull();
    trb.stop();

    // Up for ten minutes each day, the last time 22 hours ago: next in two hours.
    let id = hub.get("/v1/sites").unwrap()["id"].clone();
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_millis() as i64;
    let day_ms = 86_400_000_i64;
    let contact = |days: i64| {
        let began_ms = now_ms - days * day_ms + 7_200_000;
        serde_json::json!({
            "began_ms": began_ms, "ended_ms": began_ms + 600_000,
            "sent_bytes": 9, "received_bytes": 9,
        })
    };
    let contacts: Vec<_> = (1..=6).rev().map(contact).collect();
    let kept = serde_json::json!({"contacts": contacts, "backlog": []});
    let remembered = std::process::Command::new("python3")
        .args([
            "-c",
            "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); \
             d.execute(\"INSERT OR REPLACE INTO local (scope, key, value) \" \
             \"VALUES ('contact', ?, ?)\", sys.argv[2:]); d.commit()",
        ])
        .arg(trb.dir.join("node.sqlite"))
        .args([id.as_str().expect("an id").to_string(), kept.to_string()])
        .status();
    assert!(remembered.expect("python runs").success());
    world.boot("trb");

    let record = trb.truck("11-A-00003");
    let told = trb.get("/v1/sites").unwrap();
    let expected = &told["expected_at_hub"];
    let at_ms = expected["at_ms"].as_i64().expect("a time");
    assert!((at_ms - now_ms - 7_200_000).abs() < 300_000, "{expected}");
    assert_eq!(
        (&expected["by"], &expected["wrong_by_ms"]),
        (&"hour_of_day".into(), &0.into())
    );
    assert_eq!(
        told["peers"][0]["next_contact"]["at_ms"], expected["at_ms"],
        "{told}"
    );
    assert_eq!(told["peers"][0]["dark_as_usual"], true, "{told}");
    let of_record = &trb.record(&record).unwrap()["expected_at_hub"];
    assert_eq!(of_record["by"], "hour_of_day", "{of_record}");

    let lanes = told["unsent_by_lane"].as_array().expect("lanes");
    let passages = lanes.iter().find(|l| l["lane"] == "passage");
    let passages = passages.expect("the truck waits in its lane");
    assert_eq!(passages["expected_at_hub"]["by"], "hour_of_day", "{told}");

    let status = integration_tests::run(&trb.dir, &["status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("by this hour of earlier days"), "{status}");
    let of_passages = format!("  {} of lane passage: about ", passages["unsent"]);
    assert!(status.contains(&of_passages), "{status}");
    let pages = Pages::of_operator(trb, "ar");
    for path in [
        "/console/sites".to_string(),
        "/console/today".to_string(),
        format!("/console/records/{record}"),
    ] {
        let page = pages.get(&path).html;
        assert!(
            page.contains("بحسب هذه الساعة في الأيام السابقة"),
            "{path}: {page}"
        );
        assert!(
            page.contains("صدق مثل هذا التقدير من قبل"),
            "{path}: {page}"
        );
    }
}
