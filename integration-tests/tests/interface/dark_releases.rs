//! A token for a release while dark, as a hub issues it and sites spend it.

use integration_tests::{Cable, OPERATOR, Site, World, run_json};
use serde_json::{Value, json};

/// Where a hub's operator issues tokens under the machine's own token, in a person's name.
const TOKENS: &str = "/v1/release-tokens?person=Layla";

/// A hold of security at a site, searched: nothing was found. Its id and its placement's.
fn searched(site: &Site) -> (String, Value) {
    let placed = json!({"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order"});
    let hold = json!({
        "kind": "hold", "officer": "OF-7", "department": "SEC", "events": [placed],
        "fields": {"type": "SECURITY", "legal_basis": "order"},
    });
    let id = site.post("/v1/records", &hold).unwrap()["id"].clone();
    let id = id.as_str().unwrap().to_string();
    let found = json!({"type": "search.found", "findings": "nothing"});
    say(site, &id, found).unwrap();

    let placement = site.record(&id).unwrap()["open_holds"][0].clone();
    (id, placement)
}

fn say(site: &Site, id: &str, event: Value) -> Result<Value, Value> {
    let body = json!({"officer": "OF-7", "department": "SEC", "events": [event]});
    site.post(&format!("/v1/records/{id}/events"), &body)
}

fn release(site: &Site, (id, placement): &(String, Value), token: &str) -> Result<Value, Value> {
    let release = json!({
        "type": "released", "holds": [placement], "second_officer": "OF-8", "token": token,
    });
    say(site, id, release)
}

#[test]
fn a_site_that_is_dark_lets_one_hold_go_by_the_hubs_token_and_a_second_time_is_found() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub_at = world.site("hub").listen;
    let (to_trb, to_qam) = (Cable::to(hub_at), Cable::to(hub_at));
    world.start("trb", &[("hub", to_trb.address)]);
    world.start("qam", &[("hub", to_qam.address)]);
    let (hub, trb, qam) = (world.site("hub"), world.site("trb"), world.site("qam"));

    for officer in ["OF-7", "OF-8"] {
        let officer = json!({"say": "officer", "officer": officer, "department": "SEC"});
        hub.post("/v1/control", &officer).unwrap();
    }
    let issued = [
        "release-token",
        "issue",
        "SECURITY",
        "--department",
        "SEC",
        "--reason",
        "storm",
    ];
    let token = run_json(&hub.dir, &issued)["token"].clone();
    let token = token.as_str().unwrap();

    // It is a person's: the machine's own token is nobody's.
    let listed = hub.get("/v1/release-tokens").unwrap()["release_tokens"][0].clone();
    let issued_by = ["issued_by", "issued_for", "by_token"].map(|m| listed[m].clone());
    assert_eq!(issued_by, [OPERATOR, "HUB", "operator"].map(Value::from));

    // A site issues none, and what is asked for wrongly is told.
    let wanted = json!({
        "scope": "SECURITY", "department": "SEC", "hours": 9, "reason": "storm",
    });
    assert!(trb.post(TOKENS, &wanted).is_err());
    let nobodys = hub.post("/v1/release-tokens", &wanted).unwrap_err();
    assert_eq!(nobodys["code"], "person_missing", "{nobodys}");
    let mut endless = wanted.clone();
    endless["hours"] = json!(100_000);
    let refused = hub.post(TOKENS, &endless).unwrap_err();
    assert_eq!(refused["code"], "bad_value");

    // What nobody could ever spend is not signed.
    for (member, value, told) in [
        ("crossing", "TRV", "crossing known here"),
        ("officer", "OF-9", "did you mean"),
        ("department", "VET", "is of SEC"),
        ("reason", " ", "say why"),
    ] {
        let mut slip = wanted.clone();
        slip["officer"] = json!("OF-7");
        slip[member] = json!(value);
        let refused = hub.post(TOKENS, &slip).unwrap_err();
        assert!(refused["detail"].to_string().contains(told), "{refused}");
    }

    let shown = |site: &Site| site.get("/v1/release-tokens").unwrap()["release_tokens"].clone();
    for site in [trb, qam] {
        world.wait("the token has come", || shown(site)[0]["token"] == token);
    }

    to_trb.pull();
    to_qam.pull();

    let at_trb = searched(trb);
    let unknown = release(trb, &at_trb, &"0".repeat(64)).unwrap_err();
    assert_eq!(unknown["code"], "token_unknown");
    release(trb, &at_trb, token).unwrap();
    assert_eq!(trb.record(&at_trb.0).unwrap()["state"], "RELEASED");
    assert_eq!(shown(trb)[0]["spent_on"], json!([at_trb.0]));

    // A hold that was let go needs none, nor does what holds nothing.
    let slip = |site: &Site, id: &str| {
        let mut wanted = wanted.clone();
        wanted["scope"] = json!(id);
        let refused = site.post(TOKENS, &wanted).unwrap_err();
        refused["detail"].to_string()
    };
    let (open, placement) = searched(hub);
    let mut of_one = wanted.clone();
    of_one["scope"] = json!(open);
    hub.post(TOKENS, &of_one).unwrap();
    let end = json!({"type": "released", "holds": [placement], "second_officer": "OF-8"});
    say(hub, &open, end).unwrap();
    assert!(slip(hub, &open).contains("holds nothing back"));

    let day = json!({
        "kind": "site-day", "officer": "AU-1", "department": "HUB",
        "fields": {"date": "2026-03-01"},
    });
    let day = hub.post("/v1/records", &day).unwrap()["id"].clone();
    assert!(slip(hub, day.as_str().unwrap()).contains("and no hold"));

    // Here it is known to be spent; the other site, as dark, cannot know.
    let again = release(trb, &searched(trb), token).unwrap_err();
    assert_eq!(again["code"], "token_spent");
    release(qam, &searched(qam), token).unwrap();

    to_trb.plug();
    to_qam.plug();
    world.wait("the hub finds that it was spent twice", || {
        let all = hub.get("/v1/findings?rule=R21").unwrap();
        let all = all["findings"].as_array().unwrap().clone();
        all.iter()
            .any(|f| f["text"].as_str().unwrap().contains("spent on"))
    });
}

#[test]
fn of_many_releases_at_once_one_spends_the_token() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub_at = world.site("hub").listen;
    world.start("trb", &[("hub", hub_at)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    for officer in ["OF-7", "OF-8"] {
        let officer = json!({"say": "officer", "officer": officer, "department": "SEC"});
        hub.post("/v1/control", &officer).unwrap();
    }

    // Often enough that some stand in a commit that the disk is still writing.
    for _ in 0..6 {
        let wanted =
            json!({"scope": "SECURITY", "department": "SEC", "hours": 9, "reason": "storm"});
        let token = hub.post(TOKENS, &wanted).unwrap()["token"].clone();
        world.wait("the token has come", || {
            let all = trb.get("/v1/release-tokens").unwrap()["release_tokens"].clone();
            all.as_array().unwrap().iter().any(|t| t["token"] == token)
        });

        let holds: Vec<(String, Value)> = (0..6).map(|_| searched(trb)).collect();
        let spent = std::thread::scope(|s| {
            let token = token.as_str().unwrap();
            let asked: Vec<_> = holds
                .iter()
                .map(|hold| s.spawn(move || release(trb, hold, token)))
                .collect();
            let answers = asked.into_iter().map(|a| a.join().unwrap());
            let (done, refused): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
            for refused in refused {
                assert_eq!(refused.unwrap_err()["code"], "token_spent");
            }
            done.len()
        });
        assert_eq!(spent, 1, "a token lets one hold go");
    }
}

/// The token of an officer, as the node's operator issues it.
fn token_of(site: &Site, officer: &str, department: &str) -> String {
    let scope = json!({"is": "officer", "officer": officer, "department": department});
    let body = json!({"name": officer, "scope": scope, "person": format!("Person {officer}")});
    let issued = site.post("/v1/tokens", &body).unwrap();
    issued["token"].as_str().unwrap().into()
}

#[test]
fn security_issues_tokens_at_the_hub_for_its_own_holds_alone() {
    let mut world = World::default();
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("trb", &[("hub", cable.address)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let officer = |officer: &str, department: &str, revoked: bool| {
        let said = json!({
            "say": "officer", "officer": officer, "department": department, "revoked": revoked,
        });
        hub.post("/v1/control", &said).unwrap();
    };
    for (name, department) in [
        ("OF-7", "SEC"),
        ("OF-8", "SEC"),
        ("OF-9", "CUS"),
        ("AU-1", "HUB"),
    ] {
        officer(name, department, false);
    }

    let wanted =
        |scope: &str| json!({"scope": scope, "department": "SEC", "hours": 9, "reason": "storm"});
    let issue = |site: &Site, token: &str, scope: &str| {
        site.post_as(token, None, "/v1/release-tokens", &wanted(scope))
    };
    let refused = |answer: Result<Value, Value>| answer.unwrap_err()["code"].clone();
    let security = token_of(hub, "OF-7", "SEC");
    let customs = token_of(hub, "OF-9", "CUS");
    let stranger = token_of(hub, "OF-70", "SEC");
    assert_eq!(refused(issue(hub, &customs, "SECURITY")), "operator_only");
    assert_eq!(
        refused(issue(hub, &stranger, "SECURITY")),
        "officer_not_named"
    );
    assert_eq!(refused(issue(hub, &security, "CUSTOMS")), "no_authority");
    let at_site = token_of(trb, "OF-7", "SEC");
    assert_eq!(refused(issue(trb, &at_site, "SECURITY")), "operator_only");

    // In the name of whose token it is, and of nobody else.
    let named = |person: &str| {
        let path = format!("/v1/release-tokens?person={person}");
        hub.post_as(&security, None, &path, &wanted("SECURITY"))
    };
    for other in ["Layla", "Person%20OF-8", "OF-8"] {
        assert_eq!(refused(named(other)), "other_person", "{other}");
    }
    for own in ["Person%20OF-7", "OF-7"] {
        named(own).unwrap_or_else(|e| panic!("{own}: {e}"));
    }

    // What the commission holds back is the commission's to let go.
    let placed = json!({"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order"});
    let hold = json!({
        "kind": "hold", "officer": "AU-1", "department": "HUB", "events": [placed],
        "fields": {"type": "SECURITY", "legal_basis": "order"},
    });
    let of_hub = hub.post("/v1/records", &hold).unwrap()["id"].clone();
    let of_hub = of_hub.as_str().unwrap();
    assert_eq!(refused(issue(hub, &security, of_hub)), "no_authority");
    hub.post(TOKENS, &wanted(of_hub)).unwrap();

    // Its own it lets go: the entry says who issued the token, and the site spends it while dark.
    let token = issue(hub, &security, "SECURITY").unwrap()["token"].clone();
    let held = || {
        let all = trb.get("/v1/release-tokens").unwrap_or_default()["release_tokens"].clone();
        let all = all.as_array().cloned().unwrap_or_default();
        all.into_iter().find(|t| t["token"] == token)
    };
    world.wait("the token has come", || held().is_some());
    let told = held().unwrap();
    let issued_by = ["issued_by", "issued_for", "by_token"].map(|m| told[m].clone());
    assert_eq!(issued_by, ["OF-7", "SEC", ""].map(Value::from));

    cable.pull();
    let hold = searched(trb);
    release(trb, &hold, token.as_str().unwrap()).unwrap();
    assert_eq!(trb.record(&hold.0).unwrap()["state"], "RELEASED");

    // Whose registration ended issues none.
    officer("OF-7", "SEC", true);
    assert_eq!(
        refused(issue(hub, &security, "SECURITY")),
        "officer_not_named"
    );
}
