//! Passkeys in a real browser, with an authenticator of Chromium's own: added, used, told in the
//! audit, and removed.

use integration_tests::{
    Site, World,
    browser::{Browser, VirtualAuthenticator},
    run_json,
};
use serde_json::json;

/// A password of a person who is not easily guessed.
const PASSWORD: &str = "four lorries at dusk";

/// A dark crossing whose console is read on this machine, as `http://localhost`.
fn dark_crossing() -> (World, String) {
    let mut world = World::default();
    world.prepare("trb", &[], "");
    let site = world.site("trb");
    let url = site.url();
    let (_, port) = url.rsplit_once(':').expect("a port");
    let origin = format!("http://localhost:{port}");
    let file = site.dir.join("node.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("http_passkeys = [{origin:?}]\n{text}")).unwrap();
    world.boot("trb");
    (world, origin)
}

/// Opens the account of an operator without a browser.
fn open_account(site: &Site) {
    let invited = run_json(
        &site.dir,
        &["account", "invite", "Amira Hasan", "--operator"],
    );
    let path = invited["path"].as_str().expect("a path");
    let (_, code) = path.split_once("code=").expect("a code");
    let body = json!({"code": code, "password": PASSWORD});
    site.post("/v1/invitations/accept", &body).unwrap();
}

fn add_passkey(browser: &Browser, name: &str, password: &str) {
    browser.fill("#passkey-name", name);
    browser.fill("#passkey-password", password);
    browser.click("form[data-passkey] button");
}

#[test]
fn somebody_adds_a_passkey_signs_in_with_it_and_removes_it() {
    let (world, origin) = dark_crossing();
    let site = world.site("trb");
    open_account(site);
    let browser = Browser::open_at(&origin, "ar");
    let authenticator = browser.add_authenticator(true);
    browser.sign_in_as("Amira Hasan", PASSWORD);

    browser.go("/console/people");
    browser.see("مفاتيح المرور");
    add_passkey(&browser, "<b>stick</b>", "five lorries at dusk");
    browser.see("كلمة المرور غير صحيحة");
    add_passkey(&browser, "<b>stick</b>", PASSWORD);
    browser.see("<b>stick</b>");
    assert!(!browser.has("td b"));
    browser.see("لم يُستعمل");
    browser.pictures("passkeys");
    assert_eq!(browser.credentials(&authenticator), 1);

    browser.click("form[action='/console/sign-out'] button");
    browser.arrive("/console/sign-in");
    browser.go("/console/sign-in?next=/console/people/sign-ins");
    browser.pictures("sign-in-passkey");
    browser.click("form[data-passkey] button");
    browser.arrive("/console/people/sign-ins");
    browser.see("بمفتاح مرور");
    browser.see("<b>stick</b>");
    browser.pictures("sign-ins-passkey");

    // Removing asks first.
    browser.go("/console/people#passkeys");
    browser.click("a[href$='/remove']");
    browser.see("حذف مفتاح المرور");
    browser.pictures("passkey-remove");
    browser.click("button.danger");
    browser.arrive("/console/people");
    assert!(!browser.has("a[href$='/remove']"));

    browser.click("form[action='/console/sign-out'] button");
    browser.arrive("/console/sign-in");
    browser.click("form[data-passkey] button");
    browser.see("مفتاح المرور غير مقبول");
    browser.pictures("sign-in-passkey-refused");
    browser.sign_in_as("Amira Hasan", PASSWORD);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn an_authenticator_that_verifies_nobody_adds_nothing() {
    let (world, origin) = dark_crossing();
    let site = world.site("trb");
    open_account(site);
    let browser = Browser::open_at(&origin, "en");
    let _none: VirtualAuthenticator = browser.add_authenticator(false);
    browser.sign_in_as("Amira Hasan", PASSWORD);
    browser.go("/console/people");
    add_passkey(&browser, "a stick", PASSWORD);
    browser.see("No passkey was added");
    browser.reload();
    assert!(!browser.has("a[href$='/remove']"));
}

#[test]
fn passkeys_are_shown_with_script_at_the_host_that_they_are_bound_to_and_nowhere_else() {
    let (world, origin) = dark_crossing();
    let site = world.site("trb");
    open_account(site);
    let shown = |browser: &Browser| {
        browser.go("/console/sign-in");
        browser.see("Sign in");
        browser.has("form[data-passkey]:not([hidden])")
    };

    let browser = Browser::open_at(&origin, "en");
    assert!(shown(&browser));
    browser.set_script(false);
    assert!(!shown(&browser));
    browser.sign_in_as("Amira Hasan", PASSWORD);

    let elsewhere = Browser::open(site, "en");
    assert!(!shown(&elsewhere));
    elsewhere.sign_in_as("Amira Hasan", PASSWORD);
}
