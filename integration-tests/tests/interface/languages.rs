//! An officer and an auditor who read Arabic are told in Arabic, and programs what they always
//! were.

use integration_tests::{PATIENCE, Site, World, run, run_json, wadi};
use serde_json::{Value, json};
use std::process::{Command, Output, Stdio};

/// Runs a wadi command in a language, as the environment says it.
fn run_in(language: &str, site: &Site, arguments: &[&str]) -> Output {
    let output = Command::new(wadi())
        .current_dir(&site.dir)
        .args(arguments)
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env("LANG", language)
        .stdin(Stdio::null())
        .output();
    output.expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What a node answers to an event, or to a question where there is none, in a language.
struct Told {
    content_language: String,
    vary: String,
    body: Value,
}

fn tell(site: &Site, accepts: Option<&str>, path: &str, body: Option<&Value>) -> Told {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let (url, bearer) = (
        format!("{}{path}", site.url()),
        format!("Bearer {}", site.token()),
    );

    let language = accepts.unwrap_or_default();
    let mut answer = match body {
        Some(body) => {
            let request = agent.post(url).header("authorization", bearer);
            let request = request.header("content-type", "application/json");
            request
                .header("accept-language", language)
                .send(body.to_string())
        }
        None => {
            let request = agent.get(url).header("authorization", bearer);
            request.header("accept-language", language).call()
        }
    }
    .expect("an answer");

    let header = |name: &str| {
        let value = answer.headers().get(name);
        value.map_or(String::new(), |v| text(v.as_bytes()))
    };
    let (content_language, vary) = (header("content-language"), header("vary"));
    let body = answer.body_mut().read_to_string().expect("a body");
    Told {
        content_language,
        vary,
        body: serde_json::from_str(&body).expect("JSON"),
    }
}

#[test]
fn an_officer_is_refused_and_reads_why_in_arabic() {
    let mut world = World::default();
    world.start("trb", &[]);
    let trb = world.site("trb");
    let truck = trb.truck("٢٢ أ ١٢٣٤٥");

    // Customs let nothing out through a gate: that is the crossing directorate's to say.
    let path = format!("/v1/records/{truck}/events");
    let event = json!({"type": "gate.out", "gate": "G1", "read": "R9"});
    let body = json!({"officer": "OF-3", "department": "CUS", "events": [event]});
    let arabic = tell(trb, Some("ar-IQ, ar;q=0.9, en;q=0.5"), &path, Some(&body));
    assert_eq!(
        (arabic.content_language.as_str(), arabic.vary.as_str()),
        ("ar", "accept-language")
    );
    assert_eq!(arabic.body["title"], "لا صلاحية لهذا الإجراء");
    let help = arabic.body["help"].as_str().expect("help");
    assert!(help.contains("الدائرة"), "{help}");

    // What programs go by is the same in every language.
    let english = tell(trb, None, &path, Some(&body));
    assert_eq!(english.content_language, "en");
    assert_eq!(english.body["title"], "No authority for this");
    for member in ["type", "code", "status"] {
        assert_eq!(arabic.body[member], english.body[member], "{member}");
    }
    assert_eq!(english.body["detail"], "CUS may not say gate.out");
    let detail = arabic.body["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("الجمارك") && !detail.contains("may not"),
        "{detail}"
    );

    // What looks wrong about a write that was taken, too.
    let odd = json!({
        "officer": "OF-1", "department": "PORT", "fields": {"container.1": "CSQU3054384"},
    });
    let warned = tell(trb, Some("ar"), &path, Some(&odd)).body["warnings"].clone();
    assert!(
        warned[0].as_str().expect("one").contains("رقم حاوية"),
        "{warned}"
    );

    // The same at the terminal: in Arabic what it is called and what to do, then the reason.
    let said = ["record", "event", &truck, "gate.out", "gate=G1", "read=R9"];
    let by = ["--officer", "OF-3", "--department", "CUS"];
    let arguments = [&said[..], &by[..]].concat();
    let arabic = run_in("ar_IQ.UTF-8", trb, &arguments);
    let told = text(&arabic.stderr);
    assert!(
        told.starts_with("wadi: لا صلاحية لهذا الإجراء [no_authority]\n"),
        "{told}"
    );
    assert!(
        told.contains("الدائرة") && !told.contains("may not say"),
        "{told}"
    );

    let english = run_in("C", trb, &arguments);
    assert_eq!(
        text(&english.stderr),
        "wadi: CUS may not say gate.out [no_authority]\n"
    );
    assert_eq!(arabic.status.code(), english.status.code());

    // Of a file that is imported each line, at the terminal as by the API.
    let line = json!({
        "kind": "passage", "key": "k1", "officer": "OF-1", "department": "PORT",
        "fields": {"colour": "red"},
    });
    std::fs::write(trb.dir.join("lines.ndjson"), line.to_string()).expect("it is written");
    let import = ["import", "lines.ndjson"];
    let told = text(&run_in("ar_IQ.UTF-8", trb, &import).stderr);
    let in_english = text(&run_in("C", trb, &import).stderr);
    assert!(told.contains("[unknown_field]"), "{told}");
    assert!(in_english.contains("[unknown_field]"), "{in_english}");
    assert!(
        in_english.contains("has no field") && !told.contains("has no field"),
        "{told}{in_english}"
    );
    let api = tell(trb, Some("ar"), "/v1/imports", Some(&line)).body["lines"][0].clone();
    assert_eq!(api["code"], "unknown_field", "{api}");
    let marks = ['\u{2068}', '\u{2069}'];
    let detail = api["detail"].as_str().expect("a detail").replace(marks, "");
    assert!(told.contains(&detail), "{told}: {api}");

    // A script reads what it always read, whatever the language.
    let show = ["record", "show", &truck];
    for arguments in [&arguments[..], &["record", "list"], &show] {
        let as_json = [&["--json"], arguments].concat();
        let scripts = ["ar_IQ.UTF-8", "C"].map(|l| text(&run_in(l, trb, &as_json).stdout));
        assert_eq!(scripts[0], scripts[1], "{arguments:?}");
    }

    // Lists and records show codes, and their texts beside them.
    let list = text(&run_in("ar_IQ.UTF-8", trb, &["record", "list"]).stdout);
    assert!(list.contains("ADMITTED (دخل المنفذ)"), "{list}");
    assert!(list.contains("local_only (في هذه العقدة وحدها)"), "{list}");
    let shown = text(&run_in("ar_IQ.UTF-8", trb, &["record", "show", &truck]).stdout);
    assert!(
        shown.starts_with("passage (عبور)\nADMITTED (دخل المنفذ)\n"),
        "{shown}"
    );

    for language in ["C", "POSIX", "en_GB.UTF-8", ""] {
        for arguments in [&["record", "list"][..], &["record", "show", &truck]] {
            let told = run_in(language, trb, arguments).stdout;
            let as_ever = run(&trb.dir, arguments).stdout;
            assert_eq!(text(&told), text(&as_ever), "LANG={language}");
            assert!(!text(&told).contains("دخل"), "LANG={language}");
        }
    }
}

#[test]
fn an_auditor_reads_a_findings_rule_in_arabic() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let (hub, trb) = (world.site("hub"), world.site("trb"));

    let truck = trb.truck("22-A-00001");
    let weighed = json!({
        "type": "weighed", "scale": "S1", "gross_kg": 31_000, "device_seq": 1,
        "attested_by": "OF-1", "attester_department": "CUS",
    });
    trb.say(&truck, "CUS", weighed).expect("written");

    let found = || {
        let all = hub.get("/v1/findings?rule=R22").unwrap_or_default();
        all["findings"][0]["finding"].as_str().map(String::from)
    };
    world.wait("the hub finds it", || found().is_some());
    let finding = found().expect("found");

    let list = text(&run_in("ar_IQ.UTF-8", hub, &["findings", "list"]).stdout);
    for word in ["R22 (شاهد على نفسه)", "FIRM (ثابتة)", "OPEN (مفتوحة)"] {
        assert!(list.contains(word), "{word}: {list}");
    }

    let shown = text(&run_in("ar_IQ.UTF-8", hub, &["findings", "show", &finding]).stdout);
    let first = format!("{finding}  R22 (شاهد على نفسه)");
    assert_eq!(shown.lines().next(), Some(first.as_str()), "{shown}");
    let rule = "من قام بالإجراء هو نفسه المصادق عليه";
    assert!(shown.lines().any(|line| line.starts_with(rule)), "{shown}");
    assert!(!shown.contains("\"finding\""), "no JSON: {shown}");

    // It says in Arabic what was found, at the hub and, once it is published, at the crossing.
    let told = format!(
        "الموظف \u{2068}OF-1\u{2069} هو من قام بالإجراء على السجل \u{2068}{truck}\u{2069} وهو نفسه \
         \u{2068}المصادق عليه\u{2069}: \u{2068}وزن المركبة\u{2069}"
    );
    assert!(shown.lines().any(|line| line == told), "{shown}");
    let wide = |site: &Site| text(&run_in("ar_IQ.UTF-8", site, &["findings", "list"]).stdout);
    assert!(wide(hub).contains(&told), "{}", wide(hub));
    world.wait("the crossing is told in Arabic", || {
        wide(trb).contains(&told)
    });
    let record = text(&run_in("ar_IQ.UTF-8", trb, &["record", "show", &truck]).stdout);
    let line = format!("R22 (شاهد على نفسه): {told}");
    assert!(record.lines().any(|l| l == line), "{record}");

    // Programs read the English text as ever, and the sentence beside it.
    for site in [hub, trb] {
        let found = site.get(&format!("/v1/findings/{finding}")).expect("found");
        let english = format!("OF-1 is both performer and attested_by of weighed on {truck}");
        assert_eq!(found["text"], english.as_str());
        let values = json!({
            "officer": {"officer": "OF-1"}, "role": {"code": "attested_by"},
            "event": {"event": "weighed"}, "record": {"record": truck},
        });
        let sentence = json!({"id": "R22-attested", "values": values});
        assert_eq!(found["sentence"], sentence);
    }

    let as_json = run_in(
        "ar_IQ.UTF-8",
        hub,
        &["--json", "findings", "show", &finding],
    );
    assert!(as_json.stdout.starts_with(b"{"), "{as_json:?}");

    let english = text(&run_in("C", hub, &["findings", "show", &finding]).stdout);
    let told = format!("OF-1 is both performer and attested_by of weighed on {truck}");
    assert!(english.lines().any(|line| line == told), "{english}");
    for part in ["R22 (", "FIRM (", "OPEN (", "Nobody has done anything yet."] {
        assert!(english.contains(part), "{part}: {english}");
    }

    // What a record's history says stands in words, too, beside its codes.
    let history = |language| text(&run_in(language, trb, &["record", "history", &truck]).stdout);
    let arabic = history("ar_IQ.UTF-8");
    for word in ["weighed (", "gross_kg (", "CUS ("] {
        assert!(arabic.contains(word), "{word}: {arabic}");
    }
    assert!(history("C").contains("weighed "), "{}", history("C"));
    assert!(!history("C").contains("weighed ("), "{}", history("C"));

    // A screen asks for all words at once.
    let words = tell(hub, Some("ar"), "/v1/words", None);
    assert_eq!(
        (words.content_language.as_str(), words.vary.as_str()),
        ("ar", "accept-language")
    );
    assert_eq!(words.body["direction"], "rtl");
    assert_eq!(words.body["words"]["rule"]["R22"]["title"], "شاهد على نفسه");
    assert_eq!(
        words.body["words"]["department"]["VET"]["title"],
        "الحجر البيطري"
    );
    let english = tell(hub, Some("fr"), "/v1/words", None);
    assert_eq!(english.body["language"], "en");
    assert_eq!(
        english.body["words"]["event"]["gate.out"]["title"],
        "left through a gate"
    );

    let scope = json!({"is": "device", "device": "ANPR-1", "department": "PORT"});
    let device = json!({"name": "anpr", "scope": scope});
    let issued = trb.post("/v1/tokens", &device).expect("a token");
    let refused = trb.get_as(issued["token"].as_str().expect("a token"), "/v1/words");
    assert_eq!(
        refused.expect_err("a device reads nothing")["code"],
        "not_for_devices"
    );
}

/// A hold of security at a node that was let go: what was known then is told. Its id.
fn released_hold(site: &Site) -> String {
    for officer in ["OF-7", "OF-8"] {
        let said = json!({"say": "officer", "officer": officer, "department": "SEC"});
        site.post("/v1/control", &said).expect("registered");
    }

    let by = |event: Value| json!({"officer": "OF-7", "department": "SEC", "events": [event]});
    let placed = json!({"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order"});
    let mut hold = by(placed);
    hold["kind"] = "hold".into();
    hold["fields"] = json!({"type": "SECURITY", "legal_basis": "order"});
    let id = site.post("/v1/records", &hold).expect("held")["id"].clone();
    let id = id.as_str().expect("an id").to_string();

    let events = format!("/v1/records/{id}/events");
    let found = json!({"type": "search.found", "findings": "nothing"});
    site.post(&events, &by(found)).expect("searched");
    let placement = site.record(&id).expect("the hold")["open_holds"][0].clone();
    let end = json!({"type": "released", "holds": [placement], "second_officer": "OF-8"});
    site.post(&events, &by(end)).expect("released");
    id
}

#[test]
fn tables_are_headed_in_the_language_of_whoever_reads_them() {
    let mut world = World::default();
    world.start("hub", &[]);
    world.start("trb", &[("hub", world.site("hub").listen)]);
    let hub = world.site("hub");
    hub.truck("22-A-00001");
    let id = released_hold(hub);
    world.wait("the hub has heard of the crossing", || {
        hub.get("/v1/sites")
            .is_ok_and(|status| status["watermarks"]["TRB"].is_i64())
    });

    let tables = [
        (
            &["findings", "list"][..],
            ["الملاحظة", "الثبوت", "المعروض"],
            ["finding ", "phase", " findings"],
        ),
        (
            &["record", "list"][..],
            ["المعرّف", "اللوحة", "موضع الحفظ"],
            [" id ", "plate", "safe"],
        ),
        (
            &["record", "history", &id][..],
            ["يبني على", "وقت المركز", "ما كان لصاحب القيد"],
            ["builds on", "hub time", "could have known"],
        ),
        (
            &["status"][..],
            ["السجلات", "آخر اتصال", "التأخر"],
            ["records ", "last contact", "behind"],
        ),
    ];
    for (arguments, arabic, english) in tables {
        let told = text(&run_in("ar_IQ.UTF-8", hub, arguments).stdout);
        for word in arabic {
            assert!(told.contains(word), "{word}: {told}");
        }
        for word in english {
            assert!(!told.contains(word), "{word}: {told}");
        }

        let told = text(&run_in("C", hub, arguments).stdout);
        for word in english {
            assert!(told.contains(word), "{word}: {told}");
        }

        // Programs read the same in every language.
        let as_json = [&["--json"], arguments].concat();
        let told = text(&run_in("ar_IQ.UTF-8", hub, &as_json).stdout);
        assert!(told.starts_with('{'), "{told}");
        for word in arabic {
            assert!(!told.contains(word), "{word}: {told}");
        }
    }

    // What is exported has the names that it always had.
    let exported = text(&run_in("ar_IQ.UTF-8", hub, &["export", "--format", "csv"]).stdout);
    let head = exported.lines().next().unwrap_or_default();
    assert!(head.is_ascii() && head.contains("state"), "{head}");
}

#[test]
fn the_language_of_a_person_is_the_same_at_the_next_sign_in_and_that_of_a_token_goes_with_it() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub");

    let invited = json!({"scope": {"is": "reader"}, "account": "amira", "person": "Amira"});
    let invited = hub.post("/v1/accounts/invitations", &invited).unwrap();
    let password = "four lorries at dusk";
    let accepted = json!({"code": invited["code"], "password": password});
    hub.post("/v1/invitations/accept", &accepted).unwrap();
    let sign_in = || {
        let with = json!({"account": "amira", "password": password});
        let begun = hub.post("/v1/sessions", &with).unwrap();
        begun["token"].as_str().unwrap().to_string()
    };

    let first = hub.as_bearer(&sign_in());
    assert_eq!(first.get("/v1/whoami").unwrap()["language"], Value::Null);
    let wrong = first.post("/v1/language", &json!({"language": "fr"}));
    assert_eq!(wrong.unwrap_err()["code"], "bad_value");
    first
        .post("/v1/language", &json!({"language": "ar"}))
        .unwrap();

    // At another browser, and at the one that was signed in.
    let again = hub.as_bearer(&sign_in());
    for session in [&first, &again] {
        assert_eq!(session.get("/v1/whoami").unwrap()["language"], "ar");
        let refused = session.get("/v1/sites/nobody/contacts").unwrap_err();
        let english = hub.get("/v1/sites/nobody/contacts").unwrap_err();
        assert_eq!(refused["code"], english["code"]);
        assert_ne!(refused["title"], english["title"], "{refused}");
    }

    // An operator's own token has none; one that is issued may have one.
    let issued = ["token", "issue", "screen", "--language", "ar"];
    let issued = run_json(&hub.dir, &issued);
    let screen = hub.as_bearer(issued["token"].as_str().unwrap());
    assert_eq!(screen.get("/v1/whoami").unwrap()["language"], "ar");
    let asked = tell(&screen, Some("en"), "/v1/words", None);
    assert_eq!(
        asked.body["language"], "en",
        "what is asked for goes before"
    );
    assert_eq!(screen.get("/v1/words").unwrap()["language"], "ar");
}
