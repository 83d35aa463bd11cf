//! Who was a member when, and by whose act; and nodes that are kept as spares.

use integration_tests::{Site, World, papers, run, run_json};
use serde_json::{Value, json};

/// An operator's token of a person.
fn layla(hub: &Site) -> String {
    let body = json!({"name": "layla", "scope": {"is": "operator"}, "person": "Layla"});
    let issued = hub.post("/v1/tokens", &body).unwrap();
    issued["token"].as_str().unwrap().into()
}

fn say(hub: &Site, token: &str, body: Value) -> Result<Value, Value> {
    hub.post_as(token, None, "/v1/control", &body)
}

fn member(site: &Site, query: &str, name: &str) -> Value {
    let members = site.get(&format!("/v1/members{query}")).unwrap_or_default();
    let all = members["members"].as_array().cloned().unwrap_or_default();
    all.into_iter()
        .find(|m| m["node"] == name)
        .unwrap_or_default()
}

fn now_ms(site: &Site) -> i64 {
    site.get("/v1/whoami").unwrap()["now_ms"].as_i64().unwrap()
}

/// Waits until the hub's clock shows another millisecond: acts are told apart by it.
fn tick(world: &World, hub: &Site) -> i64 {
    let then = now_ms(hub);
    world.wait("time goes on", || now_ms(hub) > then + 1);
    now_ms(hub)
}

#[test]
fn who_was_a_member_when_is_told_with_the_person_the_hub_and_the_entry() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub_at = world.site("hub").listen;
    world.start("man", &[("hub", hub_at)]);
    world.start("trb", &[("hub", hub_at)]);
    let (hub, man) = (world.site("hub"), world.site("man"));
    let token = layla(hub);
    let truck = man.truck("11-A-1");
    world.wait("the hub has it", || hub.record(&truck).is_ok());

    let before = tick(&world, hub);
    let cut = json!({"say": "cut_node", "node": "man", "reason": "overrun"});
    let cut = say(hub, &token, cut).unwrap()["entries"][0].clone();
    let between = tick(&world, hub);
    let uncut = json!({"say": "uncut_node", "node": "man", "reason": "it was another"});
    say(hub, &token, uncut).unwrap();
    let mut closure = json!({"say": "closure", "crossing": "RAB", "reason": "a flood"});
    closure["closed_s"] = 1_700_000_000.into();
    say(hub, &token, closure).unwrap();
    let enrolment = std::fs::read_to_string(papers().join("certs/nodes/trb/enrolment")).unwrap();
    say(
        hub,
        &token,
        json!({"say": "enrol", "enrolment": enrolment.trim()}),
    )
    .unwrap();

    let told = run_json(&hub.dir, &["audit", "members"]);
    let acts = told["acts"].as_array().unwrap().clone();
    let of = |act: &str, node: &str| {
        let found = acts.iter().find(|a| a["act"] == act && a["node"] == node);
        found
            .unwrap_or_else(|| panic!("{act} {node}: {acts:#?}"))
            .clone()
    };
    let cut_act = of("cut", "man");
    let parts = ["by", "said_at", "by_hub", "counts", "root_signed", "reason"];
    assert_eq!(
        parts.map(|part| cut_act[part].clone()),
        [
            json!("Layla"),
            json!("hub"),
            json!(true),
            json!(true),
            json!(false),
            json!("overrun")
        ]
    );
    assert_eq!(cut_act["entry"], cut);
    assert_eq!(cut_act["by_token"], "", "her own token said so");
    assert!(
        cut_act["at_ms"].as_i64() >= Some(before) && cut_act["at_ms"].as_i64() <= Some(between)
    );
    assert_eq!(of("uncut", "man")["replaces"], json!([cut]));
    let closed = acts.iter().find(|a| a["act"] == "closed").unwrap();
    assert_eq!(
        (&closed["crossing"], &closed["by"]),
        (&json!("RAB"), &json!("Layla"))
    );

    // An enrolment is the root's, and stands in the hub's log where somebody said it there.
    let enrolled = of("enrolled", "trb");
    assert_eq!(enrolled["root_signed"], true);
    assert_eq!(
        (&enrolled["by"], enrolled["entry"].is_string()),
        (&json!("Layla"), true)
    );
    let unsaid = of("enrolled", "man");
    assert_eq!(
        (&unsaid["by"], &unsaid["entry"]),
        (&json!(""), &Value::Null)
    );
    let times: Vec<i64> = acts.iter().filter_map(|a| a["at_ms"].as_i64()).collect();
    assert!(times.is_sorted(), "the oldest first");

    // What was in force then is what had been said by then, at every node alike.
    let trb = world.site("trb");
    world.wait("the site hears it", || {
        member(trb, "", "rab")["closed_s"].is_i64()
    });
    for site in [hub, trb] {
        let then = |ms: i64| member(site, &format!("?at_ms={ms}"), "man")["cut"].clone();
        let times = [then(before), then(between), then(now_ms(hub))];
        assert_eq!(
            times,
            [json!(false), json!(true), json!(false)],
            "{}",
            site.dir.display()
        );
        assert_eq!(
            member(site, "?at_ms=1000", "man"),
            Value::Null,
            "nobody was enrolled"
        );
    }

    // Pages lead to all of it, and the table reads.
    let mut paged = Vec::new();
    let mut after = String::new();
    loop {
        let page = hub
            .get(&format!("/v1/members/acts?limit=2{after}"))
            .unwrap();
        paged.extend(page["acts"].as_array().unwrap().clone());
        match page["next_after"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(paged, acts);
    let shown = run(
        &hub.dir,
        &[
            "audit",
            "members",
            "--of",
            "man",
            "--at",
            "2099-01-01T00:00:00Z",
        ],
    );
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("overrun") && shown.contains("Members as of 2099"),
        "{shown}"
    );
}

#[test]
fn a_spare_is_declared_by_a_person_and_never_of_a_node_that_was_heard() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub_at = world.site("hub").listen;
    world.start("trb", &[("hub", hub_at)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let truck = trb.truck("11-A-1");
    world.wait("the hub has it", || hub.record(&truck).is_ok());

    let spare = |node: &str| json!({"say": "spare", "node": node, "reason": "in the depot"});
    let refused = hub.post("/v1/control", &spare("wld")).unwrap_err();
    assert_eq!(refused["code"], "person_missing", "{refused}");
    let claimed = hub.post("/v1/control?person=Layla", &spare("wld"));
    let claimed = claimed.unwrap_err();
    assert_eq!(claimed["code"], "person_missing", "{claimed}");

    let token = layla(hub);
    let code = |body: Value| say(hub, &token, body).unwrap_err()["code"].clone();
    assert_eq!(code(spare("trb")), "node_was_heard");
    assert_eq!(code(spare("hub2")), "bad_control");
    assert_eq!(
        code(json!({"say": "spare", "node": "wld", "reason": " "})),
        "bad_control"
    );
    for mut blank in [
        json!({"say": "cut_node", "node": "wld"}),
        json!({"say": "uncut_node", "node": "wld"}),
        json!({"say": "succeed_node", "node": "wld", "by": "trb"}),
    ] {
        blank["reason"] = "\u{200f} ".into();
        let refused = say(hub, &token, blank).unwrap_err();
        assert!(
            refused["detail"].to_string().contains("say why"),
            "{refused}"
        );
    }

    let not_yet = json!({"say": "spare", "node": "wld", "end": true, "reason": "x"});
    assert_eq!(code(not_yet), "bad_control");
    let at_a_site = trb.post("/v1/control", &spare("wld")).unwrap_err();
    assert_eq!(at_a_site["code"], "person_missing", "{at_a_site}");

    say(hub, &token, spare("wld")).unwrap();
    assert_eq!(member(hub, "", "wld")["spare"], true);
    let told = run(&hub.dir, &["members"]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("spare"));

    // It is unpacked and started, and nobody has to say so.
    world.start("wld", &[("hub", hub_at)]);
    let (hub, wld) = (world.site("hub"), world.site("wld"));
    let truck = wld.truck("22-A-1");
    world.wait("the hub has it", || hub.record(&truck).is_ok());
    assert_eq!(member(hub, "", "wld")["spare"], false);
    let acts = hub.get("/v1/members/acts?node=wld").unwrap()["acts"].clone();
    let told: Vec<Value> = acts
        .as_array()
        .unwrap()
        .iter()
        .map(|act| json!([act["act"], act["by"]]))
        .collect();
    let expected = [
        json!(["enrolled", ""]),
        json!(["spare", "Layla"]),
        json!(["spare_ended", ""]),
    ];
    assert_eq!(told, expected);
    assert_eq!(acts[2]["replaces"][0], acts[1]["entry"]);
    world.wait("the node that runs is no spare to itself", || {
        !wld.get("/v1/sites").unwrap()["alarms"]
            .to_string()
            .contains("spare")
    });
    let again = json!({"say": "spare", "node": "wld", "reason": "in the depot"});
    let refused = hub
        .post_as(&token, None, "/v1/control", &again)
        .unwrap_err();
    assert_eq!(refused["code"], "node_was_heard");
}
