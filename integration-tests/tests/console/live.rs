//! Pages that are live: what changes at the hub shows where somebody looks, by a stream that ends
//! with its session and of which nobody takes more than a few.

use integration_tests::{PATIENCE, Site, World, browser::Browser, pages::Pages};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};

/// A hub with a crossing.
fn country() -> World {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub").listen;
    world.start("trb", &[("hub", hub)]);
    world
}

/// A truck that was weighed by one who attested himself: the hub finds R22.
fn weigh_alone(trb: &Site, plate: &str) {
    let id = trb.truck(plate);
    let weighed = json!({
        "type": "weighed", "scale": "S1", "gross_kg": 31_000,
        "attested_by": "OF-1", "attester_department": "CUS",
    });
    trb.say(&id, "OPS", weighed).expect("weighed");
}

/// A token of an auditor, which can be revoked by its name.
fn auditor(hub: &Site, officer: &str) -> String {
    let said = json!({"say": "officer", "officer": officer, "department": "HUB"});
    hub.post("/v1/control", &said).expect("registered");
    let scope = json!({"is": "officer", "officer": officer, "department": "HUB"});
    let body = json!({"name": officer, "scope": scope, "person": format!("Auditor {officer}")});
    let issued = hub.post("/v1/tokens", &body).expect("a token");
    issued["token"].as_str().expect("a token").to_string()
}

/// A stream that was begun with a session's cookie.
struct LiveStream {
    status: u16,
    lines: Box<dyn Iterator<Item = String>>,
}

impl LiveStream {
    fn open(site: &Site, bearer: &str, query: &str) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .build()
            .into();
        let answer = agent
            .get(format!("{}/console/live?{query}", site.url()))
            .header("cookie", format!("wadi={bearer}; wadi-language=en"))
            .call()
            .expect("an answer");
        let status = answer.status().as_u16();
        let lines = BufReader::new(answer.into_body().into_reader()).lines();
        Self {
            status,
            lines: Box::new(lines.map_while(Result::ok)),
        }
    }

    /// The next event and its data.
    fn next(&mut self) -> Option<(String, Value)> {
        let event = self.lines.find_map(|line| {
            let name = line.strip_prefix("event: ")?;
            Some(name.to_string())
        })?;
        let data = self.lines.find_map(|line| {
            let data = line.strip_prefix("data: ")?;
            serde_json::from_str(data).ok()
        })?;
        Some((event, data))
    }

    fn text(self) -> String {
        self.lines.collect::<Vec<_>>().join("\n")
    }
}

/// Takes away whatever would read the page anew by the clock: only the stream can do it then.
fn stop_clocks(browser: &Browser) {
    browser.evaluate(
        "(() => { const later = window.setTimeout; \
         window.setTimeout = (work, ms) => (ms > 4000 ? 0 : later(work, ms)); \
         for (let n = later(() => {}, 0); n > 0; n--) clearTimeout(n); \
         window.loadedOnce = true; })()",
    );
}

#[test]
fn what_changes_at_the_hub_shows_on_open_pages_without_loading_anew() {
    let world = country();
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let bearer = auditor(hub, "AU-1");
    weigh_alone(trb, "22-A-00001");
    world.wait("the first is found", || {
        hub.get("/v1/findings").unwrap()["findings"][0]["rule"] == "R22"
    });

    let browser = Browser::open(hub, "en");
    browser.sign_in(&bearer);
    browser.go("/console/findings");
    browser.wait("one row", |b| b.texts("tr[data-row]").len() == 1);
    stop_clocks(&browser);
    weigh_alone(trb, "22-A-00002");
    browser.wait("another row", |b| b.texts("tr[data-row]").len() == 2);

    // What somebody has ticked stays, and the page says that there is more.
    browser.click("tr[data-row] input[type=checkbox]");
    weigh_alone(trb, "22-A-00003");
    browser.see("has changed since it was shown");
    assert_eq!(browser.texts("tr[data-row]").len(), 2);
    assert!(browser.has("tr[data-row] input:checked"));
    assert_eq!(browser.evaluate("window.loadedOnce"), true);

    browser.click_text("Show what is new");
    browser.wait("all rows", |b| b.texts("tr[data-row]").len() == 3);
    assert_eq!(browser.complaints(), [""; 0]);

    // The board, too: a link that goes is seen at once.
    browser.go("/console/sites");
    browser.wait("it is up", |b| b.text("#board").contains("up"));
    stop_clocks(&browser);
    trb.stop();
    browser.wait("it is dark", |b| b.text("#board").contains("dark"));
    assert_eq!(browser.evaluate("window.loadedOnce"), true);
}

#[test]
fn a_stream_tells_what_changed_and_ends_with_its_session() {
    let world = country();
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let bearer = auditor(hub, "AU-1");
    let known = hub.get("/v1/whoami").unwrap()["live"]["findings"].clone();

    let browser = Browser::open(hub, "en");
    browser.sign_in(&bearer);
    browser.go("/console/findings");
    let mut stream = LiveStream::open(hub, &bearer, &format!("findings={known}"));
    assert_eq!(stream.status, 200);
    weigh_alone(trb, "22-A-00001");
    let (event, numbers) = stream.next().expect("a word");
    assert_eq!(event, "changed");
    assert_ne!(numbers["findings"], known);
    assert_eq!(numbers.as_object().unwrap().len(), 1, "what was asked for");

    // Whoever knew an older number is told at once.
    let mut late = LiveStream::open(hub, &bearer, "findings=0");
    assert_eq!(late.next().expect("a word").0, "changed");

    hub.delete("/v1/tokens/AU-1").unwrap();
    let mut ends = std::iter::from_fn(|| stream.next());
    assert!(ends.any(|(event, _)| event == "ended"));
    assert!(stream.next().is_none(), "it says more after its end");
    // The page leaves with it.
    browser.arrive("/console/sign-in");
}

#[test]
fn nobody_takes_more_streams_than_a_few_and_pages_go_on_without() {
    let world = country();
    let hub = world.site("hub");
    let bearer = auditor(hub, "AU-1");
    let mut streams: Vec<LiveStream> = (0..4)
        .map(|_| LiveStream::open(hub, &bearer, "links=0"))
        .collect();
    for stream in &mut streams {
        assert_eq!(stream.status, 200);
        assert_eq!(stream.next().expect("a word").0, "changed");
    }

    let refused = LiveStream::open(hub, &bearer, "links=0");
    assert_eq!(refused.status, 429);
    let page = refused.text();
    assert!(page.contains("too_many_streams"), "{page}");
    assert!(page.contains("Too many live pages"), "{page}");

    // Others have theirs, and what is no part is refused.
    let other = auditor(hub, "AU-2");
    assert_eq!(LiveStream::open(hub, &other, "links=0").status, 200);
    assert_eq!(LiveStream::open(hub, &other, "doors=1").status, 400);
    let nobody = LiveStream::open(hub, "wadi_00", "links=0");
    assert_eq!(nobody.status, 303, "it has to sign in");

    // A page without a stream asks by itself.
    let browser = Browser::open(hub, "en");
    browser.sign_in(&bearer);
    browser.go("/console/sites");
    browser.evaluate("window.loadedOnce = true");
    world.site("trb").stop();
    browser.wait("it is dark", |b| b.text("#board").contains("dark"));
    assert_eq!(browser.evaluate("window.loadedOnce"), true);

    // A place that was given up is somebody else's.
    drop(streams);
    world.wait("a place is free", || {
        LiveStream::open(hub, &bearer, "links=0").status == 200
    });
    let pages = Pages::with_token(hub, &bearer, "en");
    assert_eq!(pages.get("/console/sites").status, 200);
}
