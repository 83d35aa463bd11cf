//! The same in a real browser: by keyboard alone, with a double click, without script, in both
//! languages and at both widths.

use super::{GATE_IN, GATE_OUT, HOLD, WEIGHED, officer::token, passages};
use fantoccini::key::Key;
use integration_tests::{World, browser::Browser};
use serde_json::json;

fn tab() -> String {
    char::from(Key::Tab).to_string()
}

fn enter() -> String {
    char::from(Key::Enter).to_string()
}

/// What the browser complained of, but for the picture that it asks each host for by itself.
fn complaints(browser: &Browser) -> Vec<String> {
    let mut all = browser.complaints();
    all.retain(|told| !told.contains("favicon.ico"));
    all
}

#[test]
fn a_truck_is_recorded_by_keyboard_alone_at_a_dark_crossing_and_then_held() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world.settle(&["hub", "trb"]);
    world.site("hub").kill();

    let trb = world.site("trb");
    let browser = Browser::open(trb, "en");
    browser.sign_in(&token(trb, "OF-1", "PORT"));
    browser.go(GATE_IN);
    browser.find("[name='f.vehicle.plate_raw']:focus");

    // Plate, country, two that are left out, what it travels for, gate, its way, no read, reason.
    browser.press("12-B-34567");
    for keys in ["IQ", "", "", "goods", "G1", "into", "", "dust"] {
        browser.press(&tab());
        if !keys.is_empty() {
            browser.press(keys);
        }
    }
    browser.press(&enter());
    browser.see("Recorded");
    browser.see("12-B-34567");
    browser.find("[name='f.vehicle.plate_raw']:focus");
    assert_eq!(
        browser.attribute("[name='m.gate']", "value").as_deref(),
        Some("G1")
    );
    let all = passages(trb);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["fields"]["purpose"], "goods");
    assert_eq!(all[0]["fields"]["direction"], "in");
    assert_eq!(all[0]["events"][0]["data"]["reason"], "dust");
    browser.pictures("today-form-made");

    let vet = Browser::open(trb, "ar");
    vet.sign_in(&token(trb, "OF-2", "VET"));
    vet.go(HOLD);
    vet.fill("[name=about]", "12-B-34567");
    vet.fill("[name='m.legal_basis']", "قانون الحجر البيطري");
    vet.press(&enter());
    vet.see("تم التدوين");
    vet.go("/console/today/say/hold/sample.taken");
    vet.fill("[name=on]", "١٢-B-٣٤٥٦٧");
    vet.fill("[name='m.sample']", "S-1");
    vet.press(&enter());
    vet.see("تم التدوين");

    browser.go(GATE_OUT);
    browser.fill("[name=on]", "12-B-34567");
    browser.fill("[name='m.gate']", "G2");
    browser.fill("[name='m.reason']", "the driver left");
    browser.press(&enter());
    browser.see("قانون الحجر البيطري");
    browser.go("/console/today");
    browser.see("unknown while the link is dark");
    browser.pictures("today");

    world.boot("hub");
    world.settle(&["hub", "trb"]);
    let hold = &world
        .site("hub")
        .get("/v1/records?kind=hold")
        .expect("holds")["records"][0];
    assert_eq!(hold["state"], "SAMPLED");
    assert_eq!(complaints(&browser), [""; 0]);
}

#[test]
fn a_double_click_records_once_and_a_form_without_script_too() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let id = trb.truck("12-B-34567");

    let browser = Browser::open(trb, "ar");
    browser.sign_in(&token(trb, "OF-9", "OPS"));
    for (script, gross, count) in [(true, "٣١٬٢٤٠", 2), (false, "31,300", 3)] {
        browser.set_script(script);
        browser.go(WEIGHED);
        browser.fill("[name=on]", "١٢-B-٣٤٥٦٧");
        browser.fill("[name='m.gross_kg']", gross);
        browser.fill("[name='m.scale']", "S1");
        browser.press(&enter());
        browser.see("تم التدوين");
        let record = trb.record(&id).expect("the truck");
        assert_eq!(record["events"].as_array().expect("events").len(), count);
    }
    browser.set_script(true);

    browser.go(WEIGHED);
    browser.fill("[name=on]", "12-B-34567");
    browser.fill("[name='m.gross_kg']", "31400");
    browser.fill("[name='m.scale']", "S1");
    browser.evaluate("const b = document.querySelector('.today-send'); b.click(); b.click(); 0");
    browser.see("تم التدوين");
    let record = trb.record(&id).expect("the truck");
    let events = record["events"].as_array().expect("events");
    assert_eq!(events.len(), 4, "{events:?}");
    assert_eq!(
        events[1]["data"],
        json!({"gross_kg": 31_240, "scale": "S1"})
    );

    assert_eq!(complaints(&browser), [""; 0]);

    // What is wrong stands beside its field, where the keyboard is.
    browser.go(WEIGHED);
    browser.fill("[name=on]", "12-B-34567");
    browser.fill("[name='m.gross_kg']", "31,4");
    browser.fill("[name='m.scale']", "S1");
    browser.press(&enter());
    browser.see("يُقرأ بوجهين");
    browser.find("[name='m.gross_kg']:focus");
    browser.pictures("today-form-wrong");
    browser.go(&format!("/console/today/slip/{id}"));
    browser.pictures("today-slip");
    browser.go("/console/today/forms?paper=1");
    browser.pictures("today-forms");
}
