use super::*;
use crate::{Kind, Passage};
use serde_json::json;

/// 2026-03-01.
const NOW_MS: i64 = 1_772_323_200_000;
const HOUR_MS: i64 = 3_600_000;

fn doubts(draft: &Draft) -> Vec<String> {
    let known = || ["TRB", "QAM", "HUB"].map(|c| c.parse().unwrap()).into();
    draft.doubts(&DraftContext {
        now_ms: NOW_MS,
        ahead_ms: HOUR_MS,
        said_ms: NOW_MS,
        record: None,
        crossings: &known,
    })
}

#[test]
fn what_is_unlikely_is_told_and_what_is_usual_is_not() {
    let usual = Passage::announce("in")
        .plate("22 A 12345", "IQ")
        .text("person.1.nationality", "XXB")
        .int("arrived_at_ms", 1_772_323_200_000)
        .event("weighed", json!({"scale": "S", "gross_kg": 44_000}));
    assert_eq!(doubts(&usual), Vec::<String>::new());

    let strange = Passage::announce("in")
        .plate("22 \u{410}B 12345", "QQ")
        .text("person.1.nationality", "ZZ")
        .text("seal.1", "--")
        .int("arrived_at_ms", 1_772_323_200)
        .event("weighed", json!({"scale": "S", "gross_kg": 440_000}));
    let told = doubts(&strange).join("\n");
    for what in [
        "vehicle.plate_raw: lookalike letter",
        "vehicle.plate_country: QQ",
        "person.1.nationality: ZZ",
        "seal.1: \"--\" holds neither",
        "arrived_at_ms: 1772323200 is 1970-01-21",
        "weighed.gross_kg: 440000 kg is unusual",
    ] {
        assert!(told.contains(what), "{what}: {told}");
    }
}

#[test]
fn what_speaks_against_itself_is_told() {
    let told = |draft: Draft| doubts(&draft).join("\n");
    let entry = || Draft::new(Kind::CustomsEntry);

    for (draft, why) in [
        (
            Passage::on()
                .text("vehicle.plate", "99Z99")
                .text("vehicle.plate_raw", "11-A-11"),
            "another plate than the one that was read",
        ),
        (
            entry()
                .int("goods.2.gross_g", 1_000)
                .int("goods.2.net_g", 2_000),
            "goods.2.net_g: 2000 g net is more than the gross, 1000 g",
        ),
        (entry().text("currency", "ZZZ"), "ISO 4217 has no currency"),
        (
            Draft::new(Kind::SiteDay).text("date", "1405-09-06"),
            "days are of the Gregorian calendar",
        ),
        (
            Draft::new(Kind::QuarantineHold).text("target.term", "ab".repeat(31)),
            "and this has 62",
        ),
        (
            Passage::on().event("weighed", json!({"scale": "S"})),
            "no mass is given",
        ),
        (
            Passage::on().event(
                "weighed",
                json!({"scale": "S", "gross_kg": 1, "calibration_due": "2600-01-01"}),
            ),
            "weighed.calibration_due: 2600-01-01",
        ),
    ] {
        assert!(told(draft.clone()).contains(why), "{why}: {}", told(draft));
    }

    let in_order = entry()
        .int("goods.1.gross_g", 1_000)
        .int("goods.1.net_g", 1_000)
        .text("currency", "IQD");
    assert_eq!(told(in_order), "");
    assert_eq!(
        told(Draft::new(Kind::QuarantineHold).text("target.term", "CSQU3054383")),
        ""
    );
}

#[test]
fn what_has_happened_is_told_where_it_lies_ahead_and_what_is_due_is_not() {
    let in_thirty_years = NOW_MS + 30 * 365 * 24 * HOUR_MS;
    let hash = "ab".repeat(32);
    let said = |at: i64| {
        [
            ("arrived_at_ms", Passage::on().int("arrived_at_ms", at)),
            (
                "sighted.from",
                Passage::on().event("sighted", json!({"camera": "C", "from": at})),
            ),
            (
                "sighted.until",
                Passage::on().event("sighted", json!({"camera": "C", "until": at})),
            ),
            (
                "stayed.check_in",
                Passage::on().event("stayed", json!({"document_hash": hash, "check_in": at})),
            ),
            (
                "status.noted.cleared_at",
                Passage::on().event("status.noted", json!({"status": "S", "cleared_at": at})),
            ),
        ]
    };

    for (name, draft) in said(in_thirty_years) {
        draft.check().unwrap();
        let told = doubts(&draft).join("\n");
        let begins = format!("{name}: {in_thirty_years} is 2056-");
        assert!(told.starts_with(&begins), "{name}: {told}");
        assert!(told.contains("lies ahead"), "{name}: {told}");
    }

    let of_fields = crate::FIELDS
        .iter()
        .filter(|row| row.value == FieldType::Time);
    let of_events = crate::EVENTS.iter().flat_map(|event| {
        let is_time = |m: &&Member| matches!(m.value, ValueType::Time | ValueType::Day);
        let times = event.members.iter().filter(is_time);
        times.map(|m| format!("{}.{}", event.name, m.name))
    });
    let times: Vec<String> = of_fields
        .map(|row| row.name.to_string())
        .chain(of_events)
        .collect();
    let is_time = |name: &&str| times.iter().any(|time| time == name);
    assert!(DEADLINES.iter().all(is_time), "{times:?}");

    for at in [NOW_MS - HOUR_MS, NOW_MS, NOW_MS + HOUR_MS] {
        for (name, draft) in said(at) {
            assert_eq!(doubts(&draft), Vec::<String>::new(), "{name} {at}");
        }
    }

    for due in [
        Draft::new(Kind::QuarantineHold).int("due_at_ms", in_thirty_years),
        Passage::on().event("cleared", json!({"until": in_thirty_years})),
        Draft::new(Kind::QuarantineHold).event(
            "sample.taken",
            json!({"sample": "S", "due_at": in_thirty_years}),
        ),
        Draft::new(Kind::SiteDay).event(
            "certificate.expiry",
            json!({"certificate": "C", "expires_at": in_thirty_years}),
        ),
    ] {
        due.check().unwrap();
        assert_eq!(doubts(&due), Vec::<String>::new(), "{due:?}");
    }
}

#[test]
fn a_deadline_that_lies_behind_when_it_is_set_is_told() {
    let hold = || Draft::new(Kind::QuarantineHold);
    let behind = |ms: i64| {
        let day = match ms < NOW_MS {
            true => "2025-12-31",
            false => "2026-12-31",
        };
        [
            ("due_at_ms", hold().int("due_at_ms", ms)),
            (
                "cleared.until",
                Passage::on().event("cleared", json!({"until": ms})),
            ),
            (
                "sample.taken.due_at",
                hold().event("sample.taken", json!({"sample": "S", "due_at": ms})),
            ),
            (
                "weighed.calibration_due",
                Passage::on().event(
                    "weighed",
                    json!({"scale": "S", "gross_kg": 1, "calibration_due": day}),
                ),
            ),
        ]
    };

    for (name, draft) in behind(NOW_MS - HOUR_MS) {
        let told = doubts(&draft).join("\n");
        assert!(told.starts_with(&format!("{name}: ")), "{name}: {told}");
        assert!(told.contains("lies behind already"), "{name}: {told}");
    }
    for (name, draft) in behind(NOW_MS) {
        assert_eq!(doubts(&draft), Vec::<String>::new(), "{name}");
    }

    // A paper of last week set a deadline of yesterday.
    let late = hold().int("due_at_ms", NOW_MS - 24 * HOUR_MS);
    let of_paper = late.doubts(&DraftContext {
        now_ms: NOW_MS,
        ahead_ms: HOUR_MS,
        said_ms: NOW_MS - 7 * 24 * HOUR_MS,
        record: None,
        crossings: &BTreeSet::new,
    });
    assert_eq!(of_paper, Vec::<String>::new());

    assert!(is_deadline(None, "due_at_ms") && is_deadline(Some("cleared"), "until"));
    assert!(!is_deadline(Some("sighted"), "until") && !is_deadline(None, "arrived_at_ms"));
    assert!(READ_OFF_DEADLINES.iter().all(|d| DEADLINES.contains(d)));
    assert!(is_read_off_deadline(Some("weighed"), "calibration_due"));
    assert!(!is_read_off_deadline(Some("cleared"), "until"));
}

#[test]
fn a_day_of_the_site_does_not_lie_ahead() {
    let told = |day: &str| doubts(&Draft::new(Kind::SiteDay).text("date", day)).join("\n");
    assert!(told("2062-03-01").contains("date: 2062-03-01 lies ahead"));
    for day in ["2026-03-01", "2026-02-01"] {
        assert_eq!(told(day), "", "{day}");
    }
}

#[test]
fn a_direction_is_in_or_out_and_a_gate_says_the_one_of_its_passage() {
    let gate = |event: &str, way: &str| {
        let members = json!({"gate": "G1", "read": "R1", "direction": way});
        Passage::on().event(event, members)
    };
    for way in ["خروج", "outbound", "exit"] {
        let told = gate("gate.out", way).check().unwrap_err().to_string();
        assert!(told.contains("is none of in, out"), "{told}");
    }
    for way in ["in", "out", "OUT", " In "] {
        gate("gate.out", way).check().unwrap();
    }

    let against = gate("gate.in", "out").text("direction", "in");
    let told = doubts(&against).join("\n");
    assert!(
        told.contains("gate.in.direction: \"out\" is not how"),
        "{told}"
    );
    for usual in [
        gate("gate.in", "in").text("direction", "in"),
        gate("gate.in", "IN").text("direction", "in"),
        gate("gate.out", "out").text("direction", "in"),
        gate("gate.in", "out"),
    ] {
        assert_eq!(doubts(&usual), Vec::<String>::new(), "{usual:?}");
    }
}

#[test]
fn what_is_held_and_sought_is_told_where_no_rule_and_no_search_knows_it() {
    let hold = || Draft::new(Kind::QuarantineHold);
    let told = |draft: Draft| doubts(&draft).join("\n");
    for (draft, why) in [
        (
            hold().int("quantity", 5),
            "quantity: a number without a unit",
        ),
        (
            hold().int("quantity", 5).text("unit", "رطل"),
            "unit: \"رطل\" is no unit that is known here",
        ),
        (
            hold().int("quantity", 5).text("unit", "lb"),
            "unit: \"lb\" is taken for LBR",
        ),
        (
            Passage::on().text("vehicle.plate_raw", "NO_READ"),
            "vehicle.plate_raw: \"NO_READ\" says",
        ),
        (
            Passage::on().text("vehicle.plate_raw", "ملك"),
            "vehicle.plate_raw: \"ملك\" holds no digit, and hardly any plate",
        ),
        (
            Passage::on().text("vehicle.plate_raw", "51 ؟ 75667"),
            "vehicle.plate_raw: \"51 ؟ 75667\" has a place that nobody read",
        ),
        (
            Draft::new(Kind::CustomsEntry).text("declarant_ref", "?? n/26"),
            "declarant_ref: \"?? n/26\" has a place",
        ),
        (
            hold().text("target.term", "0803/CL"),
            "goods are sought with a plus sign, as 0803+CL",
        ),
        (
            hold().text("target.term", "CSQU3054384"),
            "target.term: CSQU3054384: not a valid ISO 6346",
        ),
        (
            Passage::on().event(
                "gate.read",
                json!({"device": "D", "device_seq": 1, "container": "CSQU3054384"}),
            ),
            "gate.read.container: CSQU3054384: not a valid ISO 6346",
        ),
        (
            Passage::on().text("seal.1", "SL1, SL2"),
            "seal.1: \"SL1, SL2\" holds a comma",
        ),
    ] {
        assert!(told(draft.clone()).contains(why), "{why}: {}", told(draft));
    }

    for usual in [
        hold().int("quantity", 5).text("unit", "KGM"),
        hold().text("target.term", "0803+CL"),
        hold().text("target.term", "CSQU3054383"),
    ] {
        assert_eq!(told(usual.clone()), "", "{usual:?}");
    }
}

#[test]
fn a_crossing_that_nobody_knows_is_told_with_the_nearest() {
    let diverted = |to: &str| Passage::on().event("diverted", json!({"to": to}));
    for (draft, why) in [
        (
            diverted("XXX"),
            "diverted.to: no crossing \"XXX\" is known here; there are: HUB, QAM, TRB",
        ),
        (diverted("QAN"), "did you mean \"QAM\"?"),
        (
            Passage::on().text("declared_exit", "XXX"),
            "declared_exit: no crossing \"XXX\" is known here",
        ),
        (
            Passage::on().hand_over("TRA", "r"),
            "handed_over.to: no crossing \"TRA\" is known here; did you mean \"TRB\"?",
        ),
    ] {
        draft.check().unwrap();
        let told = doubts(&draft).join("\n");
        assert!(told.contains(why), "{why}: {told}");
    }

    let known = diverted("QAM").text("declared_exit", "TRB");
    assert_eq!(doubts(&known), Vec::<String>::new());
}

#[test]
fn a_letter_of_another_alphabet_is_told_in_whatever_is_compared() {
    let entry = || Draft::new(Kind::CustomsEntry);
    for (draft, why) in [
        (
            Passage::on().text("transit.ref", "T-102А"),
            "lookalike letter: 'А'",
        ),
        (
            Passage::on().text("vehicle.plate_raw", "2Ꭺ B 12"),
            "lookalike letter: 'Ꭺ'",
        ),
        (
            Passage::on().text("vehicle.plate_raw", "ԱB12"),
            "foreign letter: 'Ա'",
        ),
        (
            entry().text("container.1", "CSQU305438З"),
            "container.1: foreign letter: 'З'",
        ),
        (
            entry().text("declarant_ref", "R-1О1"),
            "declarant_ref: lookalike letter",
        ),
        (
            Passage::on().event("fuelled", json!({"plate": "ꓮB123", "litres": 10})),
            "fuelled.plate: lookalike letter: 'ꓮ'",
        ),
        (
            Passage::on().event("unloaded", json!({"packages": 1, "seals": ["S1", "Ѕ2B"]})),
            "unloaded.seals: lookalike letter: 'Ѕ'",
        ),
    ] {
        let told = doubts(&draft).join("\n");
        assert!(told.contains(why), "{why}: {told}");
    }

    let usual = Passage::on()
        .text("transit.ref", "٢٤-IQ-أ")
        .text("vehicle.plate_raw", "А123ВС77")
        .text("note", "Ꭺ note in Ꮪome АБC");
    assert_eq!(doubts(&usual), Vec::<String>::new());
}

#[test]
fn what_says_that_there_is_none_is_told_wherever_a_number_belongs() {
    let told = |draft: Draft| doubts(&draft).join("\n");
    let entry = || Draft::new(Kind::CustomsEntry);
    let paid = |receipt: &str| {
        let data = json!({"amount_minor": 5, "currency": "IQD", "receipt": receipt});
        entry().event("paid", data)
    };

    for (draft, why) in [
        (
            Passage::announce("in").plate("N/A", "IQ"),
            "vehicle.plate_raw: \"N/A\" says",
        ),
        (
            Passage::on().text("vehicle.plate_raw", "غير معروف"),
            "counts as none: leave",
        ),
        (
            Passage::on().text("vehicle.vin", "UNKNOWN"),
            "vehicle.vin: \"UNKNOWN\" says",
        ),
        (Passage::on().text("seal.1", "XXX"), "seal.1: \"XXX\" says"),
        (
            entry().text("declarant_ref", "N/A"),
            "declarant_ref: \"N/A\" says",
        ),
        (
            entry().text("transit.ref", "none"),
            "transit.ref: \"none\" says",
        ),
        (
            Passage::on().event("unloaded", json!({"packages": 1, "seals": ["S1", "none"]})),
            "unloaded.seals: \"none\" says that there is none, and counts as none",
        ),
        (paid("-"), "paid.receipt: \"-\" holds neither"),
        (paid("N/A"), "paid.receipt: \"N/A\" says that there is none"),
        (paid("cash"), "paid.receipt: \"cash\" holds no digit"),
        (
            entry().event("registered", json!({"registration_no": "لا يوجد"})),
            "registered.registration_no: \"لا يوجد\" says that there is none",
        ),
        (
            Passage::on().text("person.1.document_hash", "0".repeat(64)),
            "is a hash of nothing",
        ),
        (
            Passage::on().event("person.admitted", json!({"document_hash": "f".repeat(64)})),
            "person.admitted.document_hash",
        ),
        (
            Draft::new(Kind::QuarantineHold).text("legal_basis", "N/A"),
            "legal_basis: \"N/A\" names neither an order nor a law",
        ),
        (
            Draft::new(Kind::QuarantineHold).event(
                "hold.placed",
                json!({"type_of_hold": "SECURITY", "legal_basis": "."}),
            ),
            "hold.placed.legal_basis: \".\" names neither",
        ),
    ] {
        assert!(told(draft.clone()).contains(why), "{why}: {}", told(draft));
    }

    for number in [
        Passage::announce("in").plate("22 A 12345", "IQ"),
        Passage::on().text("seal.1", "00100"),
        Passage::on().text("seal.1", "abc"),
        paid("T/77"),
        entry().text("declarant_ref", "later-1"),
        Draft::new(Kind::QuarantineHold).text("legal_basis", "Law 23/1984"),
    ] {
        assert_eq!(told(number.clone()), "", "{number:?}");
    }
}

#[test]
fn what_is_no_certificate_is_told() {
    let told = |draft: Draft| doubts(&draft).join("\n");
    let entry = |certificate: &str| {
        Draft::new(Kind::CustomsEntry)
            .text("declarant", "Rafidain 7")
            .text("declarant_ref", "D-101")
            .text("goods.1.hs_code", "0714.10")
            .text("certificate.1", certificate)
    };

    for (certificate, why) in [
        ("n/a", "certificate.1: \"n/a\" says that there is none"),
        (
            "phytosanitary",
            "certificate.1: \"phytosanitary\" holds no digit",
        ),
        ("01/03/2026", "certificate.1: \"01/03/2026\" is a day"),
        (
            "071410",
            "certificate.1: \"071410\" is what goods.1.hs_code holds",
        ),
        (
            "d 101",
            "certificate.1: \"d 101\" is what declarant_ref holds",
        ),
        (
            "RAFIDAIN-7",
            "certificate.1: \"RAFIDAIN-7\" is what declarant holds",
        ),
    ] {
        assert!(
            told(entry(certificate)).contains(why),
            "{why}: {}",
            told(entry(certificate))
        );
    }

    for certificate in ["PC-2026/17", "0714", "103/2026", "ش/١٢"] {
        assert_eq!(told(entry(certificate)), "", "{certificate}");
    }
}

#[test]
fn a_text_in_which_nobody_sees_anything_is_none() {
    let gate = |members: Json| Passage::on().event("gate.out", members);
    for draft in [
        gate(json!({"gate": "G1", "reason": "   "})),
        gate(json!({"gate": " ", "read": "R1"})),
        gate(json!({"gate": "G1", "read": "\u{200B}\u{200F}"})),
        Passage::on().text("note", " \u{A0}"),
        Passage::on().text("vehicle.plate_raw", "\u{200F}"),
        Draft::new(Kind::QuarantineHold).event(
            "hold.placed",
            json!({"type_of_hold": "SECURITY", "legal_basis": "\t"}),
        ),
    ] {
        let told = draft.check().unwrap_err();
        assert_eq!(told.code(), "bad_value", "{draft:?}");
        assert!(told.to_string().contains("empty"), "{told}");
    }

    gate(json!({"gate": "G1", "reason": "-"})).check().unwrap();
}

#[test]
fn what_is_impossible_is_refused_with_the_reason() {
    let entry = |field: &str, value| Draft::new(Kind::CustomsEntry).int(field, value);
    let hold = |term: &str| Draft::new(Kind::QuarantineHold).text("target.term", term);
    for (draft, why) in [
        (entry("goods.1.gross_g", -1), "less than nothing"),
        (entry("invoice_minor", -1), "less than nothing"),
        (entry("total_packages", -3), "less than nothing"),
        (Passage::on().int("arrived_at_ms", -1), "no time"),
        (hold("--"), "nothing matches it"),
        (hold("80390+EC"), "leading zero was lost"),
        (
            Draft::new(Kind::SiteDay).text("date", "2026-02-30"),
            "no day",
        ),
        (
            Draft::new(Kind::SiteDay).text("date", "2025-02-29"),
            "no day",
        ),
        (
            Passage::on().event("weighed", json!({"scale": "S", "gross_kg": -5})),
            "less than nothing",
        ),
        (
            Passage::on().event("weighed", json!({"scale": "S", "gross_kg": 4_400_000})),
            "out of all range",
        ),
        (
            Passage::on().event("weighed", json!({"scale": "S", "gross_kg": 1, "net_kg": 2})),
            "net_kg: 2 is more than the gross 1",
        ),
        (
            Passage::on().event(
                "weighed",
                json!({"scale": "S", "gross_kg": 1, "tare_kg": 2}),
            ),
            "tare_kg: 2 is more than the gross 1",
        ),
        (
            Passage::on().event("scanned", json!({"image_sha256": "xyz"})),
            "expected a SHA-256",
        ),
        (
            Passage::on().event(
                "stayed",
                json!({"document_hash": "ab".repeat(32), "check_in": 9, "check_out": 5}),
            ),
            "5 is before `check_in`, 9",
        ),
    ] {
        let told = draft.check().unwrap_err();
        assert_eq!(told.code(), "bad_value");
        assert!(told.to_string().contains(why), "{why}: {told}");
    }
}
