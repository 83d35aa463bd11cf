//! An auditor at the console: finds a truck, reads what was said of it, looks at it as it was, and
//! proves it; in both languages, without script.

mod visitor;

use integration_tests::{Site, World, browser::Browser, operations, papers, run};
use serde_json::{Value, json};
use visitor::{Visitor, escaped, links};

/// Bytes of a page that a browser needs for its first view, compressed, at most.
const FIRST_VIEW_MAX: usize = 14 * 1024;
const HASH: &str = "abababababababababababababababababababababababababababababababab";

/// A truck whose note two officers wrote without having seen each other's word, with a weighing
/// and a value that nobody may set.
fn disputed_truck(site: &Site, plate: &str) -> String {
    let id = site.truck(plate);
    let shown = site.record(&id).expect("the truck")["heads"].clone();
    for seal in ["JO00000001", "JO00000002"] {
        site.set(&id, "note", json!(seal), Some(&shown))
            .expect("a note");
    }

    let weighed = json!({"type": "weighed", "scale": "S1", "gross_kg": 31_000, "tare_kg": 14_000});
    site.say(&id, "OPS", weighed).expect("a weighing");
    id
}

fn hold_on(site: &Site, id: &str) -> String {
    let record = site.record(id).expect("the truck")["record"].clone();
    let hold = json!({
        "kind": "hold", "officer": "OF-C", "department": "CUS",
        "fields": {"type": "CUSTOMS", "legal_basis": "art. 12 <i>"},
        "events": [
            {"type": "hold.placed", "type_of_hold": "CUSTOMS", "legal_basis": "art. 12"},
            {"type": "link", "record": record},
        ],
    });
    let written = site.post("/v1/records", &hold).expect("a hold");
    written["id"].as_str().expect("an id").to_string()
}

#[test]
fn an_auditor_finds_a_truck_reads_its_history_and_proves_it() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let id = disputed_truck(trb, "22-أ-12345");
    trb.truck("22-أ-99999");
    let hold = hold_on(trb, &id);
    world.settle(&["hub", "trb"]);

    for language in ["ar", "en"] {
        let auditor = Visitor::of(hub, language);
        for typed in ["٢٢ أ ١٢٣٤٥", "22ا12345", &id, &id[..9]] {
            let found = auditor.read(&format!("/console/records?q={}", escaped(typed)));
            assert!(found.contains(&id), "{typed}: {found}");
            assert!(!found.contains("99999"), "{typed}");
            assert_eq!(links(&found, "/console/records/TRB-P-").len(), 1, "{typed}");
        }

        let record = auditor.read(&format!("/console/records/{id}"));
        let says = |page: &str, arabic: &str, english: &str| {
            let text = if language == "ar" { arabic } else { english };
            assert!(page.contains(text), "{text}: {page}");
        };
        says(&record, "dir=\"rtl\"", "dir=\"ltr\"");
        says(&record, "متنازع على قيمه", "contested");
        says(&record, "موقوف", "Held: ");
        says(&record, "31,000", "31,000");
        assert!(record.contains("JO00000001") && record.contains("JO00000002"));
        assert!(
            record.contains(&hold) && record.contains("art. 12"),
            "{record}"
        );

        let history = auditor.read(&format!("/console/records/{id}/history"));
        assert_eq!(history.matches("<tr id=\"e").count(), 4, "{history}");
        says(&history, "المسارات", "Where lanes part");
        assert!(
            history.contains("<path d=\"M7 0C"),
            "a branch is drawn as one: {history}"
        );
        let before_seals = &links(&history, "?at=")[0];
        let then = auditor.read(before_seals);
        assert!(
            !then.contains("JO00000001") && !then.contains("JO00000002"),
            "{then}"
        );
        says(&then, "القيد اللاحق", "Entry after");
        let later = auditor.read(&links(&then, "?at=")[0]);
        assert!(later.contains("JO0000000"), "{later}");

        let fields = auditor.read(&format!("/console/records/{id}/fields"));
        says(&fields, "متنازع عليها", "contested");
        let proof = auditor.read(&format!("/console/records/{id}/proof"));
        says(&proof, "الإثبات صحيح", "The proof holds");
        assert_eq!(proof.matches("badge-good").count(), 8, "{proof}");
    }

    let evidence = Visitor::of(hub, "ar").page(&format!("/console/records/{id}/evidence"));
    let disposition = evidence.headers["content-disposition"]
        .to_str()
        .expect("text");
    assert!(
        disposition.starts_with(&format!("attachment; filename=\"{id}-")),
        "{disposition}"
    );
    let file = world.dir().join("evidence");
    std::fs::write(&file, &evidence.bytes).expect("written");
    let root = papers().join("certs/root.pub");
    let verified = run(
        world.dir(),
        &[
            "audit",
            "verify-evidence",
            file.to_str().expect("text"),
            "--root",
            root.to_str().expect("text"),
        ],
    );
    let told = String::from_utf8_lossy(&verified.stdout);
    assert!(
        verified.status.success() && told.contains("VALID"),
        "{told}"
    );
}

#[test]
fn markup_in_a_field_stays_text_on_every_page() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg/onload=1>";
    let body = json!({
        "kind": "passage", "officer": "OF-1", "department": "PORT",
        "fields": {
            "direction": "in", "vehicle.plate_raw": "22-A-<b>1</b>", "note": evil,
            "container.1": "<u>MSCU</u>1234565",
        },
        "events": [
            {"type": "gate.in", "gate": "<i>G1</i>", "read": evil},
            {"type": "remark", "text": evil},
        ],
    });
    let written = trb.post("/v1/records", &body).expect("written");
    let id = written["id"].as_str().expect("an id").to_string();
    let path = format!("/console/records/{id}");
    let at = links(
        &Visitor::of(trb, "en").read(&format!("{path}/history")),
        "?at=",
    );

    for language in ["ar", "en"] {
        let visitor = Visitor::of(trb, language);
        for page in [
            path.clone(),
            format!("{path}/history"),
            format!("{path}/fields"),
            at[0].clone(),
            "/console/records".into(),
            format!("/console/records?q={}", escaped("22-A-<b>1</b>")),
            format!(
                "/console/records?q={}&from={}",
                escaped(evil),
                escaped(evil)
            ),
        ] {
            let text = visitor.read(&page);
            for markup in [
                "<script>alert",
                "<img",
                "<svg/",
                "<b>1",
                "<i>G1",
                "<u>MSCU",
                "'><",
            ] {
                assert!(!text.contains(markup), "{markup} on {page}: {text}");
            }
        }

        let shown = visitor.read(&path);
        assert!(
            shown.contains("&#60;script&#62;alert(1)"),
            "it is shown as it was said: {shown}"
        );
    }

    // In a path, it is a record that is not there.
    let gone = Visitor::of(trb, "en").page("/console/records/%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    assert!(
        gone.status >= 400 && !gone.text.contains("<script>alert"),
        "{}",
        gone.text
    );
}

#[test]
fn a_search_that_matches_many_says_so_and_pages_on() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    trb.post_text("/v1/imports", &operations(1, 120))
        .expect("imported");
    let auditor = Visitor::of(trb, "en");

    for search in [
        "/console/records?kind=passage",
        "/console/records?kind=passage&from=2020-01-01",
    ] {
        let (mut path, mut seen, mut pages) = (search.to_string(), Vec::new(), 0);
        loop {
            let page = auditor.read(&path);
            seen.extend(links(&page, "/console/records/TRB-P-"));
            pages += 1;
            let next = page.split("rel=\"next\"").nth(1);
            let Some(next) = next else { break };
            assert!(page.contains("The first 50; there are more."), "{page}");
            assert!(page.contains("narrow the search"), "{page}");
            path = links(next, "/console/records?")[0].clone();
        }
        assert_eq!((pages, seen.len()), (3, 120));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 120, "each stands on one page");
    }

    let file = auditor.page("/console/records/file?format=csv&kind=passage");
    assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        file.text.lines().count(),
        121,
        "a line each below the names of the columns"
    );
    let file = auditor.read("/console/records/file?format=ndjson&q=22A00007");
    assert_eq!(file.lines().count(), 1);
    let one: Value = serde_json::from_str(file.lines().next().expect("a line")).expect("JSON");
    assert_eq!(one["fields"]["vehicle.plate"], "22A00007");

    let weight = auditor.weight("/console/records?kind=passage");
    assert!(weight <= FIRST_VIEW_MAX, "the search takes {weight} bytes");
}

#[test]
fn a_list_of_a_day_is_as_it_was_known_then() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let id = trb.truck("22-A-00001");
    let auditor = Visitor::of(trb, "en");
    let now = || {
        trb.get("/v1/whoami").expect("who")["now_ms"]
            .as_i64()
            .expect("a time")
    };
    let begun_ms = trb.record(&id).expect("the truck")["begun_ms"]
        .as_i64()
        .expect("a time");

    let then = now();
    world.wait("time goes on", || now() > then);
    trb.set(&id, "vehicle.plate", json!("22A00001"), None)
        .expect("a plate");
    trb.say(
        &id,
        "PORT",
        json!({"type": "gate.out", "gate": "G2", "read": "R1"}),
    )
    .expect("it leaves");
    let other = trb.truck("22-A-00002");

    let list = format!("/console/records?known={then}");
    let page = auditor.read(&list);
    assert!(page.contains(&id) && !page.contains(&other), "{page}");
    assert!(
        page.contains("admitted") && !page.contains("badge-good"),
        "{page}"
    );
    assert_eq!(
        page,
        auditor.read(&list),
        "the address gives the same list again"
    );

    let record = auditor.read(&format!("/console/records/{id}?known={then}"));
    assert!(
        record.contains("The record as this node knew it at"),
        "{record}"
    );
    assert!(!record.contains("left through a gate"), "{record}");
    let today = auditor.read(&format!("/console/records/{id}"));
    assert!(today.contains("left through a gate"), "{today}");

    let early = auditor.page(&format!(
        "/console/records/{id}?known={}",
        begun_ms - 60_000
    ));
    assert_eq!(early.status, 404);
    assert!(
        early.text.contains("Not known at that time"),
        "{}",
        early.text
    );
    let left = auditor.read(&format!("/console/records?known={then}&state=EXITED"));
    assert!(left.contains("Nothing found"), "{left}");
}

#[test]
fn holds_are_listed_by_department_and_what_they_hold_by_them() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let id = trb.truck("22-A-00001");
    let free = trb.truck("22-A-00002");
    let hold = hold_on(trb, &id);
    let auditor = Visitor::of(trb, "en");

    let holds = auditor.read("/console/records?department=CUS");
    assert!(holds.contains(&hold) && !holds.contains(&id), "{holds}");
    let held = auditor.read("/console/records?department=CUS&hold_type=CUSTOMS&held=1");
    assert!(
        held.contains(&id) && !held.contains(&hold) && !held.contains(&free),
        "{held}"
    );
    let of_others = auditor.read("/console/records?department=VET&held=1");
    assert!(of_others.contains("Nothing found"), "{of_others}");

    // The hold leads to its truck, and the truck to its hold.
    let of_hold = auditor.read(&format!("/console/records/{hold}"));
    assert!(of_hold.contains(&id), "{of_hold}");
    assert!(of_hold.contains("art. 12 &#60;i&#62;"), "{of_hold}");
}

#[test]
fn what_is_withheld_is_told_calmly() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let bus = json!({
        "kind": "passage", "officer": "OF-PORT", "department": "PORT",
        "fields": {"direction": "in", "vehicle.plate": "11A00042", "person.1.document_hash": HASH},
    });
    let written = trb.post("/v1/records", &bus).expect("written");
    let id = written["id"].as_str().expect("an id").to_string();
    let scope = json!({"is": "officer", "officer": "OF-PORT", "department": "PORT"});
    let issued = trb
        .post("/v1/tokens", &json!({"name": "clerk", "scope": scope}))
        .expect("a token");

    for (language, title, not_sought) in [
        ("en", "Some of it is not shown to you", "does not read them"),
        ("ar", "بعض محتواه غير معروض لك", "لا يطّلع عليها"),
    ] {
        let mut visitor = Visitor::of(trb, language);
        let found = visitor.read(&format!("/console/records?q=sha256:{HASH}"));
        assert!(
            found.contains(&id),
            "whoever reads travellers finds them: {found}"
        );

        visitor.token = issued["token"].as_str().expect("text").into();
        for page in ["", "/history", "/fields"] {
            let text = visitor.read(&format!("/console/records/{id}{page}"));
            assert!(
                text.contains(title) && !text.contains(HASH),
                "{page}: {text}"
            );
        }

        let found = visitor.read(&format!("/console/records?q={HASH}"));
        assert!(
            found.contains(not_sought) && !found.contains(&id),
            "{found}"
        );
        for whole in ["/evidence", "/proof", "/document"] {
            let refused = visitor.page(&format!("/console/records/{id}{whole}"));
            assert_eq!(refused.status, 403, "{whole}");
            assert!(!refused.text.contains(HASH), "{}", refused.text);
        }
    }
}

#[test]
fn bad_input_is_answered_by_a_page_that_keeps_what_was_typed() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let id = trb.truck("22-A-00001");
    let visitor = Visitor::of(trb, "en");

    let none = visitor.page("/console/records?q=--%20/");
    assert_eq!(none.status, 422);
    assert!(none.text.contains("Nothing to search for") && none.text.contains("value=\"-- /\""));
    let unread = visitor.read("/console/records?from=yesterday&known=soon");
    assert!(unread.contains("A day does not read") && unread.contains("value=\"yesterday\""));
    let absent = visitor.read("/console/records?q=99Z99999");
    assert!(
        absent.contains("Nothing found") && absent.contains("99Z99999"),
        "{absent}"
    );
    let near = visitor.read("/console/records?q=22A0OOO1&near=1");
    assert!(near.contains(&id), "a camera's slip: {near}");

    for (path, status) in [
        ("/console/records?kind=lorry", 422),
        ("/console/records?older=never", 422),
        ("/console/records?q=%", 422),
        ("/console/records?before=never", 400),
        ("/console/records?known=1&held=1", 422),
        ("/console/records/TRB-P-0000000000000", 400),
        ("/console/records/none/history?page=x", 422),
        ("/console/people/sign-ins?before=x", 422),
        ("/console/people/looks?before=-1", 422),
        ("/console/control/compare?peer=a&peer=b", 422),
        ("/console/findings/cases?kind=a&kind=b", 422),
        ("/console/records/none/proof", 400),
    ] {
        let page = visitor.page(path);
        assert!(page.text.contains("<html"), "{path}: {}", page.text);
        assert_eq!(page.status, status, "{path}: {}", page.text);
    }
    for path in [
        format!("/console/records/{id}/history?page=99999"),
        "/console/records?limit=9&x=%00&crossing=".into(),
        format!("/console/records?q={}", escaped(&"ع".repeat(200))),
    ] {
        visitor.read(&path);
    }

    let at = visitor.page(&format!("/console/records/{id}?at=nothing"));
    assert_eq!(at.status, 422, "{}", at.text);
    let nobody = Visitor {
        token: String::new(),
        ..visitor
    };
    let away = nobody.page(&format!("/console/records/{id}"));
    assert_eq!(away.status, 303);
    assert!(
        away.headers["location"]
            .to_str()
            .expect("text")
            .contains("sign-in")
    );
}

#[test]
fn a_long_record_fits_into_a_first_view() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let id = disputed_truck(trb, "22-A-00001");
    hold_on(trb, &id);
    for n in 0..60 {
        let weighed = json!({"type": "weighed", "scale": "S1", "gross_kg": 30_000 + n});
        trb.say(&id, "OPS", weighed).expect("a weighing");
    }

    for language in ["ar", "en"] {
        let visitor = Visitor::of(trb, language);
        for page in ["", "/history", "/fields", "/proof"] {
            let weight = visitor.weight(&format!("/console/records/{id}{page}"));
            println!("{language} {page}: {weight} bytes");
            assert!(
                weight <= FIRST_VIEW_MAX,
                "{page} takes {weight} bytes in {language}"
            );
        }
        let pages = links(
            &visitor.read(&format!("/console/records/{id}/history")),
            "?page=2",
        );
        assert_eq!(pages.len(), 1, "the rest stands on a page of its own");
    }
}

#[test]
fn in_a_browser_an_auditor_goes_from_a_plate_to_its_proof() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let id = disputed_truck(trb, "22-أ-12345");
    let second = json!({"type": "weighed", "scale": "S2", "gross_kg": 30_400, "tare_kg": 14_000});
    trb.say(&id, "OPS", second).expect("a second weighing");
    hold_on(trb, &id);
    world.settle(&["hub", "trb"]);

    let browser = Browser::open(hub, "ar");
    browser.sign_in(&hub.token());
    browser.go("/console/records");
    browser.fill("#q", "٢٢ أ ١٢٣٤٥");
    browser.click("form.search button.primary");
    browser.see(&id);
    browser.pictures("records");

    browser.click(&format!("a[href='/console/records/{id}']"));
    browser.arrive(&format!("/console/records/{id}"));
    browser.see("art. 12");
    browser.find(".chart svg");
    browser.pictures("record");

    browser.click(".tabs a[href$='/history']");
    browser.arrive(&format!("/console/records/{id}/history"));
    browser.find(".lanes");
    browser.pictures("record-history");

    browser.click("a[href*='?at=']");
    browser.find(".steps");
    assert!(
        !browser.source().contains("JO00000001"),
        "before the seals were read"
    );
    browser.find(".steps input[type=range]");
    browser.pictures("record-as-of");
    browser.click(".steps a[rel=next]");
    browser.see("JO0000000");

    browser.click(".tabs a[href$='/fields']");
    browser.arrive(&format!("/console/records/{id}/fields"));
    browser.pictures("record-fields");
    browser.click(".tabs a[href$='/proof']");
    browser.see("الإثبات صحيح");
    browser.pictures("record-proof");
    browser.set_dark(true);
    browser.check_access("a proof in the dark");
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_browser_without_script_looks_at_a_record_as_it_was() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let id = disputed_truck(trb, "22-A-00001");

    let browser = Browser::open(trb, "en");
    browser.set_script(false);
    browser.sign_in(&trb.token());
    browser.go("/console/records");
    browser.fill("#q", "22a00001");
    browser.click("form.search button.primary");
    browser.see("One record");
    browser.click(&format!("a[href='/console/records/{id}']"));
    browser.click(".tabs a[href$='/history']");
    browser.find(".lanes");
    browser.click("a[href*='?at=']");
    browser.find(".steps select");
    assert!(
        !browser.has(".steps input[type=range]"),
        "a slider needs script"
    );
    browser.click(".steps a[rel=next]");
    browser.see("JO0000000");
    browser.click(".steps button");
    browser.see("JO0000000");
}
