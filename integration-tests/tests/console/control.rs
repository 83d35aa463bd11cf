//! What operators do in the console: told to real processes, in forms without script.

use integration_tests::{Cable, OPERATOR, Site, World, browser::Browser, pages::Pages, run};
use serde_json::json;
use sqlx::{Connection, Row};

fn pair() -> World {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    world
}

const SIGN: &str = "/console/control/sign";
const HIDDEN: [&str; 3] = ["body", "back", "revision"];

#[test]
fn a_policy_is_changed_with_its_difference_seen_before_it_is_signed() {
    let world = pair();
    let hub = world.site("hub");
    let pages = Pages::of_operator(hub, "en");
    let at = "/console/control/policy";
    let revision = |site: &Site| site.get("/v1/policy").unwrap()["revision"].clone();

    let shown = pages.send(
        at,
        at,
        &[("revision", "0"), ("value.hold_deadline_h", "48")],
    );
    assert_eq!(shown.status, 200);
    assert!(
        shown.html.contains("<del><bdi>72</bdi></del>"),
        "{}",
        shown.html
    );
    assert!(shown.html.contains("<ins><bdi>48</bdi></ins>"));
    assert_eq!(revision(hub), 0, "nothing is signed yet");

    // Somebody else was quicker: nothing is written over unseen.
    let other = json!({"say": "policy", "policy": {"shift_h": 12}});
    hub.post("/v1/control?person=Layla%20Hasan", &other)
        .unwrap();
    let stale = pages.send_on(&shown.html, SIGN, &HIDDEN);
    assert_eq!(stale.status, 409, "{}", stale.html);
    assert_eq!(
        hub.get("/v1/policy").unwrap()["policy"]["hold_deadline_h"],
        72
    );

    let shown = pages.send(
        at,
        at,
        &[("revision", "1"), ("value.hold_deadline_h", "48")],
    );
    let signed = pages.send_on(&shown.html, SIGN, &HIDDEN);
    assert_eq!((signed.status, signed.location.as_str()), (303, at));
    let now = hub.get("/v1/policy").unwrap();
    assert_eq!(now["policy"]["hold_deadline_h"], 48);
    assert_eq!(now["policy"]["shift_h"], 12);

    let page = pages.get(at).html;
    assert!(
        page.contains("Revision 2") && page.contains(OPERATOR),
        "{page}"
    );
}

/// Whom the machine's own token named is told as a claim, and whose own token it was is not; of an
/// officer that nothing of theirs signed, too.
#[test]
fn a_name_behind_which_nobody_stands_is_told_as_claimed() {
    let world = pair();
    let hub = world.site("hub");
    let said = |hours: u32| json!({"say": "policy", "policy": {"hold_deadline_h": hours}});
    hub.post("/v1/control?person=Omar%20Aziz", &said(48))
        .unwrap();
    let truck = hub.truck("11-A-00001");

    let claims = [
        ("en", "claimed, token operator", "(claimed)"),
        ("ar", "مذكور بلا توقيع، برمز الدخول", "(مذكور بلا توقيع)"),
    ];
    for (language, by_token, unsigned) in claims {
        let pages = Pages::of_operator(hub, language);
        let policy = pages.get("/console/control/policy").html;
        assert!(policy.contains("Omar Aziz"), "{policy}");
        assert!(policy.contains(by_token), "{policy}");
        for page in ["", "/history", "/fields"] {
            let record = pages.get(&format!("/console/records/{truck}{page}")).html;
            assert!(record.contains(unsigned), "{page}: {record}");
        }
    }

    let own = hub.as_bearer(&hub.token_of(OPERATOR));
    own.post("/v1/control", &said(50)).unwrap();
    for (language, by_token, _) in claims {
        let policy = Pages::of_operator(hub, language).get("/console/control/policy");
        assert!(policy.html.contains(OPERATOR), "{}", policy.html);
        assert!(!policy.html.contains(by_token), "{}", policy.html);
    }
}

#[test]
fn what_does_not_read_as_a_value_stands_in_the_form_again() {
    let world = pair();
    let pages = Pages::of_operator(world.site("hub"), "ar");
    let at = "/console/control/policy";
    let page = pages.send(at, at, &[("value.hold_deadline_h", "سبعون <b>")]);
    assert_eq!(page.status, 422);
    assert!(page.html.contains("سبعون &#60;b&#62;"), "{}", page.html);
    let same = pages.send(at, at, &[("value.hold_deadline_h", "72")]);
    assert_eq!(same.status, 422, "nothing was changed");

    // A crossing shows its policy, and does not offer to change it.
    let site = Pages::of_operator(world.site("trb"), "ar").get(at);
    assert_eq!(site.status, 200);
    assert!(!site.html.contains("عرض الفرق"));
}

#[test]
fn an_operator_forces_a_resync_of_a_cut_off_crossing_and_watches_it_finish() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub_at = world.site("hub").listen;
    let cable = Cable::to(hub_at);
    world.start("trb", &[("hub", cable.address)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    (0..5).for_each(|n| drop(trb.truck(&format!("11-A-0000{n}"))));
    world.settle(&["hub", "trb"]);
    cable.pull();
    trb.truck("11-A-00009");

    let pages = Pages::of_operator(hub, "en");
    let at = "/console/control/resyncs";
    let fields = [
        ("what", "order"),
        ("site", "trb"),
        ("reason", "after the outage"),
    ];
    let ordered = pages.send(at, at, &fields);
    assert_eq!(ordered.status, 303, "{}", ordered.html);
    let page = pages.get(&ordered.location).html;
    assert!(
        page.contains("ordered") && page.contains("data-live"),
        "{page}"
    );

    cable.plug();
    world.wait("it is done", || {
        pages.get(&ordered.location).html.contains(">done<")
    });
    let page = pages.get(&ordered.location).html;
    assert!(page.contains("Both hold the same"), "{page}");
    assert!(!page.contains("data-live"), "nothing moves any more");
}

#[test]
fn a_plan_is_approved_on_a_page_that_says_what_it_will_do() {
    let world = pair();
    let trb = world.site("trb");
    trb.truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let pages = Pages::of_operator(trb, "ar");
    let at = "/console/control/resyncs";
    let fields = [("what", "plan"), ("site", "hub"), ("reason", "بعد الانقطاع")];
    let planned = pages.send(at, at, &fields);
    world.wait("it is planned", || {
        pages
            .get(&planned.location)
            .html
            .contains("بانتظار الاعتماد")
    });

    let run = format!("{}/run", planned.location);
    let asked = pages.get(&run);
    assert!(asked.html.contains("لا يُحذف شيء"), "{}", asked.html);
    let done = pages.send(&run, &run, &[]);
    assert_eq!(done.status, 303, "{}", done.html);
    world.wait("it is done", || {
        pages.get(&planned.location).html.contains(">تمت<")
    });

    // Twice is refused in words, and nothing happens.
    let again = pages.send(&run, &run, &[]);
    assert_eq!(again.status, 403, "{}", again.html);
    let nameless = pages.send(
        at,
        at,
        &[("what", "plan"), ("site", "nobody"), ("reason", "x")],
    );
    assert!(nameless.status >= 400 && nameless.html.contains("role=\"alert\""));
}

/// Writes other bytes, with the hash that they have, over the newest entry of a stopped node.
fn forge_newest_passage(site: &Site) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let path = format!("sqlite://{}", site.dir.join("node.sqlite").display());
        let mut conn = sqlx::SqliteConnection::connect(&path).await.unwrap();
        let newest = "SELECT log, seq, bytes FROM entries WHERE substr(log, 25, 1) = x'03' \
                      AND main = 1 ORDER BY seq DESC LIMIT 1";
        let row = sqlx::query(newest).fetch_one(&mut conn).await.unwrap();
        let (log, seq): (Vec<u8>, i64) = (row.get(0), row.get(1));
        let mut bytes: Vec<u8> = row.get(2);
        let at = bytes.len() - 3;
        bytes[at] ^= 1;

        let leaf = wadi_log::leaf_hash(&bytes);
        let forged =
            "UPDATE entries SET bytes = ?, leaf = ? WHERE log = ? AND seq = ? AND main = 1";
        let forged = sqlx::query(forged).bind(bytes).bind(leaf.0.to_vec());
        let forged = forged.bind(log).bind(seq);
        forged.execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    });
}

/// A crossing that wrote a passage in the dark, which somebody forged on its disk; its hub has
/// refused it by now.
fn forged_and_refused() -> (World, Cable) {
    let mut world = World::default();
    world.start("hub", &[]);
    let cable = Cable::to(world.site("hub").listen);
    world.start("trb", &[("hub", cable.address)]);
    let trb = world.site("trb");
    trb.truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    cable.pull();
    trb.truck("11-A-00777");
    trb.stop();
    forge_newest_passage(trb);
    world.boot("trb");
    cable.plug();
    world.wait("it is refused", || {
        let refusals = world.site("hub").refusals();
        refusals.contains(&"hash_mismatch".to_string())
    });

    (world, cable)
}

#[test]
fn a_forged_entry_is_shown_as_refused_with_the_reason_and_whose_it_was() {
    let (world, _cable) = forged_and_refused();
    let hub = world.site("hub");

    let page = Pages::of_operator(hub, "en").get("/console/control/refused");
    assert_eq!(page.status, 200);
    assert!(page.html.contains("hash_mismatch"), "{}", page.html);
    assert!(page.html.contains("<bdi>trb</bdi>"), "{}", page.html);
    let arabic = Pages::of_operator(hub, "ar").get("/console/control/refused");
    assert!(arabic.html.contains("المرفوضات"));
}

#[test]
fn a_refusal_is_dismissed_with_a_reason_until_the_same_comes_again() {
    let (world, _cable) = forged_and_refused();
    let (hub, trb) = (world.site("hub"), world.site("trb"));

    let open = || hub.get("/v1/refusals?open=true").unwrap()["refusals"].clone();
    let of = |code: &str| {
        let all = open().as_array().cloned().unwrap_or_default();
        all.into_iter().find(|refusal| refusal["code"] == code)
    };
    let row = of("hash_mismatch").expect("waited for");
    assert_eq!(run(&hub.dir, &["audit", "refusals"]).status.code(), Some(3));

    // A root that was left out was made of the forged bytes: then it is the signature that is bad.
    if let Some(first) = of("bad_signature") {
        let (subject, times) = (first["subject"].as_str(), first["times"].to_string());
        let subject = subject.expect("a subject");
        let reason = ["--reason", "the same disk"];
        let dismiss = [
            "audit",
            "dismiss",
            subject,
            "bad_signature",
            "--times",
            &times,
        ];
        let dismissed = run(&hub.dir, &[&dismiss[..], &reason].concat());
        assert!(dismissed.status.success(), "{dismissed:?}");
    }

    // Nobody dismisses what they have not seen, what is not there, or without a reason.
    let dismiss = |times: u64, code: &str, reason: &str| {
        let body =
            json!({"subject": row["subject"], "code": code, "times": times, "reason": reason});
        let refused = hub.post("/v1/refusals/dismiss", &body).unwrap_err();
        refused["code"].as_str().unwrap_or_default().to_string()
    };
    let times = row["times"].as_u64().expect("a number");
    assert_eq!(
        dismiss(times + 1, "hash_mismatch", "the disk"),
        "refusal_moved"
    );
    assert_eq!(
        dismiss(times, "hash_mismatched", "the disk"),
        "no_such_refusal"
    );
    assert_eq!(dismiss(times, "hash_mismatch", " x "), "bad_value");

    let pages = Pages::of_operator(hub, "en");
    let at = "/console/control/refused";
    let times = times.to_string();
    let fields = [
        ("subject", row["subject"].as_str().expect("a subject")),
        ("code", "hash_mismatch"),
        ("times", &times),
        ("reason", "the disk was replaced <b>"),
    ];
    let done = pages.send(at, "/console/control/dismiss", &fields);
    assert_eq!((done.status, done.location.as_str()), (303, at));
    assert_eq!(open(), json!([]));
    assert_eq!(run(&hub.dir, &["audit", "refusals"]).status.code(), Some(0));
    let audit = run(&hub.dir, &["--json", "audit", "refusals", "--all"]);
    let told = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(told.contains("the disk was replaced <b>"), "{told}");
    assert!(!pages.get(at).html.contains("hash_mismatch"));
    let all = pages.get("/console/control/refused?all=1").html;
    assert!(all.contains("the disk was replaced &#60;b&#62;"), "{all}");

    // The same comes again: it asks for somebody once more, and the dismissal is gone from it.
    trb.stop();
    world.boot("trb");
    world.wait("it is open again", || of("hash_mismatch").is_some());
    assert_eq!(
        of("hash_mismatch").expect("waited for")["dismissed"],
        json!(null)
    );
}

#[test]
fn a_node_is_cut_only_after_its_page_said_what_that_does() {
    let world = pair();
    let hub = world.site("hub");
    world.site("trb").truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let pages = Pages::of_operator(hub, "en");
    let at = "/console/control/members";
    let fields = [("node", "trb"), ("reason", "stolen <b>")];
    let asked = pages.send(at, "/console/control/cut", &fields);
    assert_eq!(asked.status, 200);
    assert!(
        asked.html.contains("does not count unless it is admitted"),
        "{}",
        asked.html
    );
    let cuts = |site: &Site| site.get("/v1/sites").unwrap()["cuts"].clone();
    assert_eq!(cuts(hub), json!([]), "nothing is signed yet");

    let signed = pages.send_on(&asked.html, SIGN, &HIDDEN);
    assert_eq!((signed.status, signed.location.as_str()), (303, at));
    let page = pages.get(at).html;
    assert!(
        page.contains(">cut<") && page.contains("stolen &#60;b&#62;"),
        "{page}"
    );

    // It was the wrong one: the cut is taken back, and stands in the log all the same.
    let fields = [("node", "trb"), ("reason", "it was qam")];
    let asked = pages.send(at, "/console/control/uncut", &fields);
    assert!(asked.html.contains("counts again"), "{}", asked.html);
    let signed = pages.send_on(&asked.html, SIGN, &HIDDEN);
    assert_eq!((signed.status, signed.location.as_str()), (303, at));
    let page = pages.get(at).html;
    assert!(!page.contains(">cut<"), "{page}");
    assert!(page.contains("taken back: it was qam"), "{page}");
}

#[test]
fn a_captured_nodes_lies_are_cut_away_from_a_time_on_or_all_of_them() {
    let world = pair();
    let hub = world.site("hub");
    world.site("trb").truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let pages = Pages::of_operator(hub, "en");
    let at = "/console/control/members";
    let cut = |counts: &str, since: &str| {
        let fields = [
            ("node", "trb"),
            ("reason", "captured"),
            ("counts", counts),
            ("since", since),
        ];
        pages.send(at, "/console/control/cut", &fields)
    };

    let wrong = cut("since", "last week");
    assert_eq!(wrong.status, 422);
    assert!(wrong.html.contains("as 2026-03-01T08:00"), "{}", wrong.html);

    // Nothing of it was cosigned by then: all that it wrote is set aside, as where nothing counts.
    for asked in [cut("since", "2020-01-01T00:00"), cut("nothing", "")] {
        assert_eq!(asked.status, 200);
        let line = asked.html.split("entries that are set aside").nth(1);
        let line = line.unwrap_or_else(|| panic!("{}", asked.html));
        assert!(!line.trim_start().starts_with("</th><td><bdi>0<"), "{line}");
    }
    let held = cut("held", "");
    let line = held.html.split("entries that are set aside").nth(1);
    let counts_on = line.is_none_or(|l| l.trim_start().starts_with("</th><td><bdi>0<"));
    assert!(counts_on, "{}", held.html);

    let signed = pages.send_on(&cut("nothing", "").html, SIGN, &HIDDEN);
    assert_eq!((signed.status, signed.location.as_str()), (303, at));
    let set_aside = run(&hub.dir, &["--json", "audit", "quarantine"]);
    assert_eq!(set_aside.status.code(), Some(3));
    let listed = String::from_utf8_lossy(&set_aside.stdout);
    assert!(listed.contains("passage"), "{listed}");
}

#[test]
fn two_nodes_are_compared_and_whoever_is_no_operator_only_reads() {
    let world = pair();
    let hub = world.site("hub");
    world.site("trb").truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let pages = Pages::of_operator(hub, "en");
    let equal = pages.get("/console/control/compare?peer=trb").html;
    assert!(equal.contains("Both hold the same"), "{equal}");
    let none = pages
        .get("/console/control/compare?peer=trb&records=yes")
        .html;
    assert!(none.contains("lacks nothing of the records"), "{none}");
    let unknown = pages.get("/console/control/compare?peer=nobody");
    assert_eq!(unknown.status, 404);
    assert!(unknown.html.contains("role=\"alert\""), "{}", unknown.html);

    // Of one that is dark it is said so, and when it was in contact last.
    world.site("trb").stop();
    world.wait("it is dark", || {
        hub.get("/v1/sites").unwrap()["peers"][0]["connected"] == false
    });
    for more in ["", "&records=yes"] {
        let dark = pages.get(&format!("/console/control/compare?peer=trb{more}"));
        assert_eq!(dark.status, 503);
        assert!(dark.html.contains("not in contact"), "{}", dark.html);
        assert!(dark.html.contains("Last contact"), "{}", dark.html);
    }

    let body = json!({"name": "reader", "scope": {"is": "reader"}});
    let token = hub.post("/v1/tokens", &body).unwrap();
    let reader = Pages::with_token(hub, token["token"].as_str().unwrap(), "en");
    for path in ["resyncs", "members", "refused", "policy", "compare"] {
        let page = reader.get(&format!("/console/control/{path}"));
        assert_eq!(page.status, 200, "{path}");
        assert!(
            !page.html.contains("class=\"danger\""),
            "{path}: {}",
            page.html
        );
    }
}

#[test]
fn records_that_differ_are_shown_field_by_field_as_far_as_this_node_knows() {
    let mut world = World::default();
    world.start("hub", &[]);
    // So narrow that what is written now is on its way for a while.
    let hub_at = world.site("hub").listen;
    let peer = format!("[[peer]]\nname = \"hub\"\naddress = \"{hub_at}\"\nrate_kbit_s = 8\n");
    world.prepare("trb", &[], &peer);
    world.boot("trb");
    let trb = world.site("trb");
    let id = trb.truck("11-A-00001");
    trb.set(&id, "lane", json!(1), None).unwrap();
    world.settle(&["hub", "trb"]);
    let mut state = 7_u64;
    let mut noise = || {
        let digit = |_: u32| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'a' + (state >> 40) as u8 % 26)
        };
        (0..1_200).map(digit).collect::<String>()
    };
    let remarks: Vec<String> = (0..30).map(|_| noise()).collect();
    std::thread::scope(|scope| {
        for (n, text) in remarks.iter().enumerate() {
            scope.spawn(move || {
                let truck = trb.truck(&format!("33-B-{n:05}"));
                let remark = json!({"type": "remark", "text": text});
                trb.say(&truck, "PORT", remark).unwrap();
            });
        }
    });
    trb.set(&id, "lane", json!(2), None).unwrap();

    let told = trb.get("/v1/differences/hub").unwrap();
    assert_eq!(told["logs"][0]["state"], "ahead", "{told}");
    let records = told["records"].as_array().expect("records");
    let changed = records.iter().find(|r| r["id"] == id.as_str());
    let changed = changed.unwrap_or_else(|| panic!("{told}"));
    let fields = changed["fields"].as_array().expect("fields");
    let lane = json!({"field": "lane", "here": 2, "there": 1});
    assert!(fields.contains(&lane), "{changed}");
    let page = Pages::of_operator(trb, "en").get("/console/control/compare?peer=hub&records=yes");
    assert_eq!(page.status, 200, "{}", page.html);
    let other = trb.get("/v1/differences/hub?scope=hold/TRB").unwrap();
    assert_eq!(other["records"], json!([]), "{other}");
}

#[test]
fn an_operator_orders_a_resync_in_a_browser_and_watches_it_finish() {
    let world = pair();
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    trb.truck("11-A-00001");
    world.settle(&["hub", "trb"]);

    let browser = Browser::open(hub, "ar");
    browser.sign_in(&hub.token_of(OPERATOR));
    browser.go("/console/control");
    browser.pictures("control");
    browser.go("/console/control/resyncs?site=trb");
    browser.fill("#reason", "بعد انقطاع طويل");
    browser.pictures("control-resyncs");
    browser.fill("#reason", "بعد انقطاع طويل");
    browser.click("button[value=order]");
    browser.find("#resync");
    browser.see("تمت");
    browser.pictures("control-resync");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_policy_is_changed_in_a_browser_without_script() {
    let world = pair();
    let hub = world.site("hub");
    let browser = Browser::open(hub, "ar");
    browser.sign_in(&hub.token_of(OPERATOR));
    browser.go("/console/control/policy");
    browser.pictures("control-policy");

    browser.set_script(false);
    browser.go("/console/control/policy");
    browser.fill("#v-hold_deadline_h", "48");
    browser.choose("#v-signed_decisions", "warn");
    browser.click("form.policy button.primary");
    browser.find("ins");
    assert!(browser.text("del").contains("72") && browser.text("ins").contains("48"));
    browser.see("warn");
    browser.set_script(true);
    browser.picture("control-policy-sign-ar-1280");
    browser.click("button.danger");
    browser.find(".policy");
    browser.see("الإصدار");

    for name in ["members", "refused"] {
        browser.go(&format!("/console/control/{name}"));
        browser.pictures(&format!("control-{name}"));
    }
    browser.go("/console/control/compare?peer=trb");
    browser.pictures("control-compare");
    assert_eq!(browser.complaints(), [""; 0]);
}
