//! Findings in the console, over HTTP: two auditors propose and decide, one comes too late, a
//! finding is put aside and comes back, and whoever may not is told why.

mod arabic;

use fantoccini::key::Key;
use integration_tests::{Site, World, browser::Browser};
use serde_json::{Value, json};

/// A session of the console, as a browser without script has it.
struct PageReader<'a> {
    site: &'a Site,
    bearer: String,
    language: &'static str,
}

/// An answer: its status, where it leads, and its page.
struct ReadPage {
    status: u16,
    location: String,
    text: String,
}

impl<'a> PageReader<'a> {
    fn of(site: &'a Site, bearer: &str) -> Self {
        Self {
            site,
            bearer: bearer.into(),
            language: "en",
        }
    }

    fn in_arabic(self) -> Self {
        Self {
            language: "ar",
            ..self
        }
    }

    fn send(&self, path: &str, form: Option<&[(&str, &str)]>) -> ReadPage {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        let url = format!("{}{path}", self.site.url());
        let cookie = format!("wadi={}; wadi-language={}", self.bearer, self.language);
        let sent = match form {
            None => agent.get(&url).header("cookie", &cookie).call(),
            Some(pairs) => agent
                .post(&url)
                .header("cookie", &cookie)
                .send_form(pairs.iter().copied()),
        };
        let mut answer = sent.expect("the console answers");
        let location = answer.headers().get("location");
        ReadPage {
            status: answer.status().as_u16(),
            location: location
                .and_then(|to| to.to_str().ok())
                .unwrap_or_default()
                .into(),
            text: answer.body_mut().read_to_string().expect("a page"),
        }
    }

    fn see(&self, path: &str) -> String {
        let page = self.send(path, None);
        assert_eq!(page.status, 200, "{path}: {} {}", page.location, page.text);
        page.text
    }

    /// Sends a form of the page at `from`, with what that page's forms carry.
    fn send_form(&self, from: &str, to: &str, more: &[(&str, &str)]) -> ReadPage {
        let page = self.see(from);
        let hidden = |name: &str| hidden(&page, name);
        let (proof, version) = (hidden("proof"), hidden("version"));
        let mut pairs = vec![("proof", proof.as_str()), ("version", version.as_str())];
        pairs.extend(more);
        self.send(to, Some(&pairs))
    }
}

/// What a page's hidden field of a name holds; empty where it has none.
fn hidden(page: &str, name: &str) -> String {
    let begins = format!("name=\"{name}\" value=\"");
    let after = page.split_once(begins.as_str()).map(|(_, rest)| rest);
    let value = after.and_then(|rest| rest.split('"').next());
    value.unwrap_or_default().into()
}

/// A token of an auditor's own.
fn auditor(hub: &Site, officer: &str) -> String {
    let scope = json!({"is": "officer", "officer": officer, "department": "HUB"});
    let body = json!({"name": officer, "scope": scope, "person": format!("Auditor {officer}")});
    let issued = hub.post("/v1/tokens", &body).expect("a token");
    issued["token"].as_str().expect("a token").to_string()
}

/// A hub with a site, three auditors, and a truck that was weighed by one who attested himself: a
/// finding of R22.
fn world_with_findings(trucks: u32) -> World {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub").listen;
    world.start("trb", &[("hub", hub)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    for officer in ["AU-1", "AU-2", "AU-3"] {
        let said = json!({"say": "officer", "officer": officer, "department": "HUB"});
        hub.post("/v1/control", &said).expect("registered");
    }

    for n in 1..=trucks {
        let id = trb.truck(&format!("22-A-{n:05}"));
        let weighed = json!({
            "type": "weighed", "scale": "S1", "gross_kg": 31_000,
            "attested_by": "OF-1", "attester_department": "CUS",
        });
        trb.say(&id, "OPS", weighed).expect("weighed");
    }

    world.wait("the hub finds it of every truck", || {
        let found = hub.get("/v1/findings?rule=R22").unwrap_or_default();
        found["count"] == trucks
    });
    world
}

fn findings(hub: &Site) -> Vec<Value> {
    let found = hub
        .get("/v1/findings?rule=R22&limit=100")
        .expect("findings");
    found["findings"].as_array().expect("a list").clone()
}

fn path_of(finding: &Value) -> String {
    let id = finding["finding"].as_str().expect("an id");
    format!("/console/findings/{id}")
}

#[test]
fn two_auditors_settle_a_finding_and_the_one_who_comes_late_is_told_what_was_decided() {
    let world = world_with_findings(1);
    let hub = world.site("hub");
    let [first, second, third] =
        ["AU-1", "AU-2", "AU-3"].map(|who| PageReader::of(hub, &auditor(hub, who)));
    let finding = findings(hub).remove(0);
    let path = path_of(&finding);
    let acts = format!("{path}/acts");

    let queue = first.see("/console/findings");
    assert!(
        queue.contains(&path) && queue.contains("1 finding"),
        "{queue}"
    );
    assert!(first.see(&path).contains("Take it"));
    let taken = first.send_form(
        "/console/findings",
        "/console/findings/assign",
        &[("one", finding["finding"].as_str().expect("an id"))],
    );
    assert_eq!(
        (taken.status, taken.location.as_str()),
        (303, "/console/findings")
    );
    assert!(first.see("/console/findings?assignee=AU-1").contains(&path));

    // Who proposed does not decide, and is told so kindly; nothing that was typed is lost.
    let reason = "<b>the scale was ours</b>";
    let proposed = first.send_form(&path, &acts, &[("act", "propose"), ("reason", reason)]);
    assert_eq!(proposed.status, 303, "{}", proposed.text);
    assert!(first.see(&path).contains("This proposal is yours"));
    let own = first.send_form(
        &path,
        &acts,
        &[
            ("act", "approve"),
            ("disposition", "true"),
            ("reason", "mine"),
        ],
    );
    assert_eq!(own.status, 403);
    assert!(
        own.text.contains("Another person decides it"),
        "{}",
        own.text
    );

    // Two look at the page at the same time, and both decide.
    let shown = third.see(&path);
    assert!(shown.contains("&#60;b&#62;the scale") && !shown.contains("<b>the scale"));
    let undisposed = second.send_form(&path, &acts, &[("act", "approve")]);
    assert_eq!(undisposed.status, 422);
    assert!(
        undisposed.text.contains("no_disposition"),
        "{}",
        undisposed.text
    );

    let decided = second.send_form(&path, &acts, &[("act", "approve"), ("disposition", "true")]);
    assert_eq!(decided.status, 303, "{}", decided.text);
    let (proof, version) = (hidden(&shown, "proof"), hidden(&shown, "version"));
    let late = third.send(
        &acts,
        Some(&[
            ("proof", &proof),
            ("version", &version),
            ("act", "approve"),
            ("disposition", "false_alarm"),
        ]),
    );
    assert_eq!(late.status, 409, "{}", late.text);
    for told in [
        "Somebody was there before you",
        "AU-2 decided it",
        "Approved: true",
    ] {
        assert!(late.text.contains(told), "{told}: {}", late.text);
    }

    // What the first one decided stands, and it is counted.
    let stands = hub.get(&format!(
        "/v1/findings/{}",
        finding["finding"].as_str().expect("an id")
    ));
    let stands = stands.expect("the finding");
    assert_eq!(stands["life"]["disposition"], "true");
    assert_eq!(stands["state"], "RESOLVED");
    let figures = hub
        .get("/v1/findings/statistics?rule=R22")
        .expect("figures");
    assert_eq!(
        (&figures["total"]["found"], &figures["total"]["true"]),
        (&json!(1), &json!(1))
    );
    let page = third.see("/console/findings/statistics");
    assert!(
        page.contains("R22") && page.contains("By officer"),
        "{page}"
    );
    assert!(!first.see("/console/findings").contains(&path));
    assert!(
        first
            .see("/console/findings?state=RESOLVED")
            .contains(&path)
    );
    let in_arabic = PageReader::of(hub, &first.bearer).in_arabic();
    let arabic = in_arabic.see(&path);
    assert!(
        arabic.contains("مخالفة مثبتة") && arabic.contains("dir=\"rtl\""),
        "{arabic}"
    );

    // An undone decision leaves the proposal to be decided.
    let undone = second.send_form(
        &path,
        &acts,
        &[("act", "undo"), ("reason", "the wrong one")],
    );
    assert_eq!(undone.status, 303, "{}", undone.text);
    assert!(third.see(&path).contains("Approve"));
}

/// Of two decisions that are sent at the same moment on what both pages showed, one is taken.
#[test]
fn of_two_who_decide_at_the_same_moment_one_is_taken_and_the_other_told() {
    let world = world_with_findings(1);
    let hub = world.site("hub");
    let finding = findings(hub).remove(0);
    let (path, api) = (
        path_of(&finding),
        format!(
            "/v1/findings/{}",
            finding["finding"].as_str().expect("an id")
        ),
    );
    let first = PageReader::of(hub, &auditor(hub, "AU-1"));
    let proposed = first.send_form(
        &path,
        &format!("{path}/acts"),
        &[("act", "propose"), ("reason", "x")],
    );
    assert_eq!(proposed.status, 303);

    let version = hub.get(&api).expect("the finding")["version"].clone();
    let version = version.as_str().expect("a version");
    let answers = std::thread::scope(|scope| {
        let decide = |officer: &'static str, was: &'static str| {
            let session = PageReader::of(hub, &auditor(hub, officer));
            let path = path.clone();
            scope.spawn(move || {
                let proof = hidden(&session.see(&path), "proof");
                let form = [
                    ("proof", proof.as_str()),
                    ("version", version),
                    ("act", "approve"),
                    ("disposition", was),
                ];
                session.send(&format!("{path}/acts"), Some(&form)).status
            })
        };
        let both = [decide("AU-2", "true"), decide("AU-3", "explained")];
        both.map(|one| one.join().expect("it answers"))
    });

    let mut answers = answers.to_vec();
    answers.sort_unstable();
    assert_eq!(answers, [303, 409]);
    let life = hub.get(&api).expect("the finding")["life"].clone();
    let decisions = life["acts"].as_array().expect("acts").iter();
    assert_eq!(
        decisions.filter(|act| act["act"] == "decided").count(),
        1,
        "{life}"
    );
}

#[test]
fn an_auditor_keeps_views_and_puts_findings_aside_until_they_come_back() {
    let world = world_with_findings(2);
    let hub = world.site("hub");
    let [first, second] = ["AU-1", "AU-2"].map(|who| PageReader::of(hub, &auditor(hub, who)));
    let (aside, other) = (path_of(&findings(hub)[0]), path_of(&findings(hub)[1]));

    let saved = first.send_form(
        "/console/findings?rule=R22",
        "/console/findings/views",
        &[("name", "self-attested <i>"), ("query", "rule=R22")],
    );
    assert_eq!(saved.status, 303, "{}", saved.text);
    let queue = first.see("/console/findings");
    assert!(queue.contains("self-attested &#60;i&#62;"), "{queue}");
    assert!(!second.see("/console/findings").contains("self-attested"));
    let nameless = first.send_form(
        "/console/findings",
        "/console/findings/views",
        &[("name", " "), ("query", "rule=R22")],
    );
    assert_eq!(nameless.status, 422);

    let snoozed = first.send_form(
        "/console/findings",
        &format!("{aside}/snooze"),
        &[("until", "4")],
    );
    assert_eq!(snoozed.status, 303, "{}", snoozed.text);
    let queue = first.see("/console/findings");
    assert!(!queue.contains(&aside) && queue.contains(&other) && queue.contains("1 put aside"));
    assert!(second.see("/console/findings").contains(&aside));
    assert!(first.see("/console/findings?snoozed=only").contains(&aside));

    // It comes back by itself once what it waits for has passed.
    let now = hub.get("/v1/whoami").expect("a time")["now_ms"]
        .as_i64()
        .expect("a time");
    let id = aside.rsplit('/').next().expect("an id");
    let soon = json!({"crossings": ["HUB"], "through_ms": now + 2_000});
    let token = &first.bearer;
    hub.post_as(token, None, &format!("/v1/findings/{id}/snooze"), &soon)
        .expect("it is put aside");
    assert!(!first.see("/console/findings").contains(&aside));
    world.wait("it is back", || {
        first.see("/console/findings").contains(&aside)
    });
}

#[test]
fn a_truck_and_an_officer_are_cases_whose_findings_are_assigned_together() {
    let world = world_with_findings(3);
    let hub = world.site("hub");
    let first = PageReader::of(hub, &auditor(hub, "AU-1"));
    let list = first.see("/console/findings/cases");
    assert!(list.contains("22A00001"), "{list}");
    let officers = first.see("/console/findings/cases?kind=officer");
    assert!(
        officers.contains("/console/findings/cases/officer/OF-1"),
        "{officers}"
    );

    let case = "/console/findings/cases/officer/OF-1";
    let page = first.see(case);
    assert!(page.contains("3 findings, 3 not settled"), "{page}");
    let all = findings(hub);
    let mut form: Vec<(&str, &str)> = vec![("to", "AU-2"), ("back", case)];
    form.extend(
        all.iter()
            .map(|f| ("finding", f["finding"].as_str().expect("an id"))),
    );
    let assigned = first.send_form(case, "/console/findings/assign", &form);
    assert_eq!(
        (assigned.status, assigned.location.as_str()),
        (303, case),
        "{}",
        assigned.text
    );
    assert!(findings(hub).iter().all(|f| f["assignee"] == "AU-2"));

    form.push(("finding", "none"));
    let told = first.send_form(case, "/console/findings/assign", &form);
    assert!(
        told.text.contains("These could not be assigned"),
        "{}",
        told.text
    );
    let nothing = first.send_form(case, "/console/findings/assign", &[("to", "AU-2")]);
    assert_eq!(nothing.status, 422);
    let none = first.send("/console/findings/cases/plate/NONE", None);
    assert_eq!(none.status, 404);
    assert!(none.text.contains("No such case"), "{}", none.text);
}

#[test]
fn whoever_may_not_settle_findings_is_told_why() {
    let world = world_with_findings(1);
    let hub = world.site("hub");
    let path = path_of(&findings(hub)[0]);
    let acts = format!("{path}/acts");
    let operator = PageReader::of(hub, &hub.token());
    let page = operator.see(&path);
    assert!(page.contains("each signs in for themselves") && !page.contains("propose-reason"));
    let form = [("act", "propose"), ("reason", "x")];
    let refused = operator.send_form(&path, &acts, &form);
    assert_eq!(refused.status, 403);
    assert!(
        refused.text.contains("own_token_needed"),
        "{}",
        refused.text
    );

    let token = json!({
        "name": "gate", "scope": {"is": "officer", "officer": "OF-7", "department": "PORT"},
    });
    let issued = hub.post("/v1/tokens", &token).expect("a token");
    let gate = PageReader::of(hub, issued["token"].as_str().expect("a token"));
    let page = gate.send(&path, None);
    let is_told = page.text.contains("commission") || page.status == 403;
    assert!(
        is_told && !page.text.contains("propose-reason"),
        "{}",
        page.text
    );

    // Without the page's proof no form is taken.
    let foreign = operator.send(&acts, Some(&form));
    assert_eq!(foreign.status, 403);
    assert!(foreign.text.contains("foreign_form"), "{}", foreign.text);

    // A filter that does not exist leaves the page, and says so.
    let typo = operator.send("/console/findings?crossing=TRX", None);
    assert_eq!(typo.status, 422);
    assert!(typo.text.contains("TRX") && typo.text.contains("name=\"crossing\""));
}

/// Whether the keyboard is at a row of the queue.
fn is_at_row(browser: &Browser) -> bool {
    let at = "document.activeElement.classList.contains('row-link')";
    browser.evaluate(at) == true
}

/// Goes to the first row by keyboard, where the keyboard is at none.
fn go_to_row(browser: &Browser) {
    browser.wait("the keyboard is at a row", |browser| {
        let is_there = is_at_row(browser);
        if !is_there {
            browser.press("j");
        }
        is_there
    });
}

#[test]
fn two_auditors_propose_and_decide_in_their_browsers_in_both_languages() {
    let world = world_with_findings(2);
    let hub = world.site("hub");
    let finding = findings(hub).remove(0);
    let path = path_of(&finding);

    let first = Browser::open(hub, "ar");
    first.sign_in(&auditor(hub, "AU-1"));
    first.go("/console/findings");
    first.see("شاهد على نفسه");
    first.pictures("findings");
    first.click(&format!("a.row-link[href^='{path}']"));
    first.arrive(&path);
    first.pictures("finding");
    first.fill("#propose-reason", "الميزان ميزاننا");
    first.click("button[name=act][value=propose]");
    first.arrive("/console/findings");

    let second = Browser::open(hub, "en");
    second.sign_in(&auditor(hub, "AU-2"));
    second.go("/console/findings?state=PENDING_RESOLUTION");
    second.click(&format!("a[href^='{path}'][data-key=d]"));
    second.see("الميزان ميزاننا");
    second.pictures("finding-decide");
    second.click("input[name=disposition][value=explained]");
    second.fill("#decide-reason", "seen on paper");
    second.click("button[name=act][value=approve]");
    second.arrive("/console/findings");
    second.go(&path);
    second.see("Approved: explained");

    for (page, name) in [
        ("/console/findings/cases", "findings-cases"),
        ("/console/findings/cases/officer/OF-1", "findings-case"),
        ("/console/findings/statistics", "findings-statistics"),
    ] {
        first.go(page);
        first.pictures(name);
    }
    for browser in [&first, &second] {
        assert_eq!(browser.complaints(), [""; 0]);
    }
}

#[test]
fn ten_findings_are_worked_through_by_keyboard_alone() {
    let world = world_with_findings(10);
    let hub = world.site("hub");
    let enter = char::from(Key::Enter);
    let tab = char::from(Key::Tab);

    let first = Browser::open(hub, "en");
    first.sign_in(&auditor(hub, "AU-1"));
    first.go("/console/findings?rule=R22");
    for n in 0..10 {
        go_to_row(&first);
        if n > 0 {
            first.press("j");
        }
        first.press("p");
        first.find("#propose-reason:focus");
        first.press(&format!("case {n}{tab}{tab}{enter}"));
        first.arrive("/console/findings");
    }
    let proposed = hub
        .get("/v1/findings?state=PENDING_RESOLUTION")
        .expect("findings");
    assert_eq!(proposed["count"], 10);

    let second = Browser::open(hub, "ar");
    second.sign_in(&auditor(hub, "AU-2"));
    second.go("/console/findings?state=PENDING_RESOLUTION");
    second.press("?");
    second.find("details#keys[open]");
    for left in (0..10).rev() {
        go_to_row(&second);
        second.press("d");
        second.find("input[name=disposition]:focus");
        second.press(&format!(" {enter}"));
        second.arrive("/console/findings");
        let count = format!("/v1/findings?state=PENDING_RESOLUTION&limit={}", left + 1);
        assert_eq!(hub.get(&count).expect("findings")["count"], left);
    }
    let settled = hub.get("/v1/findings?disposition=true").expect("findings");
    assert_eq!(settled["count"], 10);
    assert_eq!(second.complaints(), [""; 0]);
}

#[test]
fn without_script_the_same_is_done_by_links_and_buttons() {
    let world = world_with_findings(2);
    let hub = world.site("hub");
    let path = path_of(&findings(hub)[0]);
    let browser = Browser::open(hub, "en");
    browser.set_script(false);
    browser.sign_in(&auditor(hub, "AU-1"));
    browser.go("/console/findings");
    browser.click("input[name=finding]");
    browser.fill("#to", "AU-2");
    browser.click_text("Assign what is ticked");
    browser.see("AU-2");
    browser.click(&format!("a[href^='{path}'][data-key=p]"));
    browser.fill("#propose-reason", "by hand");
    browser.click("button[name=act][value=propose]");
    browser.see("waits for a decision");
    assert!(browser.has("details#keys summary"));
    browser.click(&format!("button[formaction='{path}/snooze']"));
    browser.see("1 put aside");
}
