//! Signing in to the console in a real browser.

use integration_tests::{World, browser::Browser};

#[test]
fn an_operator_signs_in_with_a_token_and_out_again() {
    let mut world = World::default();
    world.start("trb", &[]);
    let site = world.site("trb");

    let browser = Browser::open(site, "ar");
    browser.go("/console/today");
    browser.arrive("/console/sign-in");
    assert_eq!(browser.attribute("html", "dir").as_deref(), Some("rtl"));
    browser.pictures("sign-in");

    browser.sign_in(&site.token());
    browser.see("trb");
    browser.click("form[action='/console/sign-out'] button");
    browser.arrive("/console/sign-in");
    assert_eq!(browser.cookie("wadi"), None);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_browser_without_script_signs_in() {
    let mut world = World::default();
    world.start("trb", &[]);
    let site = world.site("trb");

    let browser = Browser::open(site, "en");
    browser.set_script(false);
    browser.sign_in(&site.token());
    browser.see("Sign out");
    browser.speak("ar");
    browser.see("خروج");
}
