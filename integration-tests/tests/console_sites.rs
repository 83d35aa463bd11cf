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

    cable.pull();
    world.wait("it is dark", || board().contains(">dark<"));
    let dark = board();
    assert!(dark.contains("badge-plain"), "no alarm: {dark}");
    assert!(
        dark.contains("unknown"),
        "what it lacks nobody knows: {dark}"
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
