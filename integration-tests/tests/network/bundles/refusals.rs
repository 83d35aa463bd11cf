//! Files that are wrong: each is refused by its code, and nothing of it is written.

use super::*;
use integration_tests::{World, papers, run_json};
use serde_json::json;
use wadi_log::{Enrolment, LogKey, unhex};
use wadi_sync::{Counts, Manifest, Party};

fn key_of(name: &str) -> LogKey {
    let seed = std::fs::read_to_string(papers().join(name).join("log.key")).unwrap();
    LogKey::from_seed(&unhex(seed.trim()).unwrap().try_into().unwrap())
}

fn enrolment_of(name: &str) -> Enrolment {
    let text = std::fs::read_to_string(papers().join(name).join("enrolment")).unwrap();
    Enrolment::from_bytes(&unhex(text.trim()).unwrap()).unwrap()
}

/// A part that somebody made by hand, under this node's name and that key.
fn forged(maker: &Enrolment, key: &LogKey, to: &Enrolment) -> Vec<u8> {
    let body = b"age-encryption.org/v1\nnothing that anybody can read";
    let mut manifest = Manifest {
        format: String::new(),
        bundle: "0".repeat(32),
        part: 1,
        parts: 1,
        from: Party::of(maker),
        enrolment: wadi_log::hex(&maker.to_bytes()),
        to: Party::of(to),
        made_s: 1_767_225_600,
        logs: vec![],
        counts: Counts::default(),
        bytes: 0,
        sha256: String::new(),
    };

    [manifest.seal(body, key).as_bytes(), &body[..]].concat()
}

/// What stands at a node, but for its own word on what was refused, in its control log.
fn standing_of_others(site: &Site) -> Value {
    let mut all = standing(site);
    all[0] = Value::Null;
    if let Some(scopes) = all[4].as_array_mut() {
        scopes.retain(|scope| scope["lane"] != "control");
    }
    all
}

#[test]
fn whatever_is_wrong_with_a_file_is_told_by_its_code_and_nothing_is_written() {
    let mut world = World::default();
    for name in ["hub", "trb", "qam"] {
        world.start(name, &[]);
    }

    let (hub, trb, qam) = (world.site("hub"), world.site("trb"), world.site("qam"));
    let stick = Stick::new(&world);
    let ids: Vec<String> = (0..150)
        .map(|n| trb.truck(&format!("44-D-{n:05}")))
        .collect();
    let file = stick.file("good");

    export(trb, "hub", &file, &[]);
    let good = std::fs::read(&file).unwrap();
    let line = good.iter().position(|b| *b == b'\n').unwrap() + 1;
    let parts = files(&export(
        trb,
        "hub",
        &stick.file("split"),
        &["--split", "16384"],
    ));

    let halves: Vec<Vec<u8>> = parts.iter().map(|p| std::fs::read(p).unwrap()).collect();
    let front = |part: &[u8]| part[..=part.iter().position(|b| *b == b'\n').unwrap()].to_vec();
    let text = String::from_utf8(good[..line].to_vec()).unwrap();
    let edit = |from: &str, to: &str| {
        assert!(text.contains(from), "{text}");
        [text.replacen(from, to, 1).as_bytes(), &good[line..]].concat()
    };
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        bytes
    };

    let (stranger, at_trb, at_hub) = ("other/nodes/stranger", "certs/nodes/trb", "certs/nodes/hub");
    let swapped = [
        front(&halves[0]),
        halves[1][front(&halves[1]).len()..].to_vec(),
    ]
    .concat();

    let by_stranger = forged(
        &enrolment_of(stranger),
        &key_of(stranger),
        &enrolment_of(at_hub),
    );

    let as_trb = forged(
        &enrolment_of(at_trb),
        &key_of(stranger),
        &enrolment_of(at_hub),
    );

    let nonsense = forged(
        &enrolment_of(at_trb),
        &key_of(at_trb),
        &enrolment_of(at_hub),
    );

    let before = standing_of_others(hub);
    let cases: Vec<(&str, &[&str], i32, Vec<u8>)> = vec![
        ("nothing at all", &["bundle_unreadable"][..], 1, vec![]),
        (
            "something else",
            &["bundle_unreadable"][..],
            1,
            b"{\"kind\":\"passage\"}\n".to_vec(),
        ),
        (
            "cut within the manifest",
            &["bundle_cut"][..],
            1,
            good[..line / 2].to_vec(),
        ),
        (
            "cut within the body",
            &["bundle_cut"][..],
            1,
            good[..good.len() - 100].to_vec(),
        ),
        (
            "more behind the body",
            &["bundle_changed"][..],
            4,
            [&good[..], b"x"].concat(),
        ),
        (
            "a flipped bit",
            &["bundle_changed"][..],
            4,
            flipped(line + 300),
        ),
        (
            "the last bit",
            &["bundle_changed"][..],
            4,
            flipped(good.len() - 1),
        ),
        (
            "a changed manifest",
            &["bundle_changed"][..],
            4,
            edit("\"made_s\":1", "\"made_s\":2"),
        ),
        (
            "a later version",
            &["bundle_version"][..],
            1,
            edit("wadi.bundle/v1", "wadi.bundle/v2"),
        ),
        (
            "another part's body",
            &["bundle_cut", "bundle_changed"][..],
            -1,
            swapped,
        ),
        (
            "from a node of another commission",
            &["bundle_foreign"][..],
            1,
            by_stranger,
        ),
        (
            "under a name that is not its maker's",
            &["bundle_changed"][..],
            4,
            as_trb,
        ),
        (
            "a body that nobody can read",
            &["bundle_unreadable"][..],
            1,
            nonsense,
        ),
    ];

    for (what, codes, exit, bytes) in &cases {
        let (code, said) = told(&hub.dir, &["bundle", "import", &stick.write("bad", bytes)]);
        assert!(
            codes.contains(&said["error"].as_str().unwrap_or_default()),
            "{what}: {said}"
        );
        assert!(
            *exit == code || *exit < 0 && [1, 4].contains(&code),
            "{what}: {code}"
        );
        assert!(
            said["detail"].as_str().is_some_and(|d| !d.is_empty()),
            "{what}: {said}"
        );
    }

    let (code, said) = told(&qam.dir, &["bundle", "import", &file]);
    assert_eq!(
        (code, &said["error"]),
        (1, &json!("bundle_not_for_me")),
        "{said}"
    );

    assert_eq!(
        standing_of_others(hub),
        before,
        "nothing is written from what nobody vouches for"
    );

    assert_eq!(qam.get("/v1/sites").unwrap()["records"], 0);

    // What the manifest says, anybody may read.
    let shown = run_json(&stick.0, &["bundle", "show", &file]);
    assert_eq!(
        (
            &shown["for"]["name"],
            &shown["from"]["name"],
            &shown["whole"]
        ),
        (&json!("hub"), &json!("trb"), &json!(true))
    );

    let ranges = shown["logs"].as_array().unwrap();
    assert!(
        ranges
            .iter()
            .any(|l| l["log"].as_str().unwrap().ends_with("/passage/TRB") && l["from"] == 0),
        "{shown}"
    );

    assert!(!String::from_utf8_lossy(&good).contains("44-D-00001") && !text.contains("gate.in"));

    let (code, said) = told(
        &stick.0,
        &[
            "bundle",
            "show",
            &stick.write("bad", &good[..good.len() - 1]),
        ],
    );

    assert_eq!(
        (code, &said["error"], &said["whole"]),
        (1, &json!("bundle_cut"), &json!(false))
    );

    // One bad file holds up no other.
    let (code, said) = told(
        &hub.dir,
        &[
            "bundle",
            "import",
            &stick.write("bad", &flipped(line + 9)),
            &file,
        ],
    );

    assert_eq!((code, &said["error"]), (4, &json!("bundle_changed")));
    assert!(ids.iter().all(|id| hub.record(id).is_ok()));

    // Only the operator of a machine makes bundles and takes them in.
    let reader = json!({"name": "screen", "scope": {"is": "reader"}});
    let reader = trb.post("/v1/tokens", &reader).unwrap()["token"]
        .as_str()
        .unwrap()
        .to_string();

    for (path, body) in [
        ("/v1/bundles", json!({"for": "hub"})),
        ("/v1/bundles/import", json!({})),
    ] {
        assert_eq!(
            trb.post_as(&reader, None, path, &body).unwrap_err()["code"],
            "operator_only"
        );
    }

    for (body, code) in [
        (json!({"for": "nobody"}), "unknown_node"),
        (json!({"for": "trb"}), "bundle_for_myself"),
        (json!({"for": "hub", "split": 10}), "bad_split"),
        (
            json!({"for": "hub", "since_receipt": "x"}),
            "receipt_unreadable",
        ),
    ] {
        let refused = trb
            .post("/v1/bundles?person=Layla%20Hasan", &body)
            .unwrap_err();
        assert_eq!(refused["code"], code);
    }

    assert_eq!(
        trb.get("/v1/bundles/0/parts/1").unwrap_err()["code"],
        "no_such_bundle"
    );

    let for_hub = json!({"for": "hub"});
    let planned = trb
        .post("/v1/bundles?person=Layla%20Hasan", &for_hub)
        .unwrap();
    let planned = planned["bundle"].as_str().unwrap();
    assert_eq!(
        trb.get(&format!("/v1/bundles/{planned}/parts/2"))
            .unwrap_err()["code"],
        "no_such_part"
    );

    assert_eq!(
        trb.get(&format!("/v1/bundles/{planned}/parts/x"))
            .unwrap_err()["code"],
        "no_such_part"
    );

    assert_eq!(
        qam.get("/v1/bundles/receipt").unwrap_err()["code"],
        "receipt_for_whom"
    );

    let document = trb.get("/openapi.json").unwrap();
    for route in [
        "/v1/bundles",
        "/v1/bundles/import",
        "/v1/bundles/acts",
        "/v1/bundles/receipt",
        "/v1/bundles/{id}/parts/{part}",
    ] {
        assert!(document["paths"][route].is_object(), "{route}");
    }
}
