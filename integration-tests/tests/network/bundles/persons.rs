//! Who made a bundle, and who took it in.

use super::Stick;
use integration_tests::{OPERATOR, Site, World, run, run_json};
use serde_json::{Value, json};

fn newest(site: &Site) -> Value {
    site.get("/v1/bundles/acts").unwrap()["acts"][0].clone()
}

fn members(act: &Value, names: [&str; 5]) -> [Value; 5] {
    names.map(|name| act[name].clone())
}

#[test]
fn who_made_a_bundle_and_who_took_it_in_stands_at_each_node_in_a_chain() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let stick = Stick::new(&world);
    trb.truck("11-A-00001");

    // A machine's own token is nobody's.
    let nobody = trb.post("/v1/bundles", &json!({"for": "hub"})).unwrap_err();
    assert_eq!(nobody["code"], "person_missing", "{nobody}");
    let nobody = hub.post_bytes("/v1/bundles/import", b"x").unwrap_err();
    assert_eq!(nobody["code"], "person_missing", "{nobody}");
    assert_eq!(newest(hub), Value::Null);

    let file = stick.file("trb.wadi");
    let export = [
        "bundle", "export", "--for", "hub", "-o", &file, "--person", "Zaid",
    ];
    let made = run_json(&trb.dir, &export);
    let names = ["act", "by", "by_token", "node", "bundle"];
    let said = members(&newest(trb), names);
    assert_eq!(
        said,
        [
            json!("made"),
            json!("Zaid"),
            json!("operator"),
            json!("hub"),
            made["bundle"].clone()
        ]
    );

    // By a token of their own nobody else is named.
    let token = hub.token_of(OPERATOR);
    let import = ["bundle", "import", &file, "--token", &token];
    let other = run(&hub.dir, &[&import[..], &["--person", "Omar"]].concat());
    assert!(!other.status.success(), "{other:?}");
    run_json(&hub.dir, &import);
    let said = members(&newest(hub), names);
    assert_eq!(
        said,
        [
            json!("taken_in"),
            json!(OPERATOR),
            json!(""),
            json!("trb"),
            made["bundle"].clone()
        ]
    );

    // What was not taken in was handed in by somebody, too.
    let refused = hub.post_bytes("/v1/bundles/import?person=Zaid", b"no bundle\n");
    assert_eq!(refused.unwrap_err()["code"], "bundle_unreadable");
    let act = newest(hub);
    assert_eq!(
        members(&act, ["act", "by", "code", "node", "bundle"]),
        ["not_taken_in", "Zaid", "bundle_unreadable", "", ""].map(Value::from)
    );

    // It stands there after a start, follows line by line, and the hub hears how far it goes.
    trb.stop();
    world.boot("trb");
    assert_eq!(newest(trb)["by"], "Zaid");
    let listed = run(&hub.dir, &["audit", "bundles", "--verify"]);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_eq!(listed.status.code(), Some(0), "{text}");
    assert!(text.contains("Zaid (claimed, token operator)"), "{text}");
    assert!(text.contains("whole: lines 1 to 2"), "{text}");
    world.wait("the hub hears of the site's chain", || {
        let sites = hub.get("/v1/sites").unwrap_or_default();
        sites.to_string().contains("\"chain\":\"bundles\"")
    });

    let reader = json!({"name": "screen", "scope": {"is": "reader"}});
    let reader = hub.post("/v1/tokens", &reader).unwrap()["token"].clone();
    let refused = hub.get_as(reader.as_str().unwrap(), "/v1/bundles/acts");
    assert_eq!(refused.unwrap_err()["code"], "operator_only");
}
