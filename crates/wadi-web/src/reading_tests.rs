//! What is taken out of answers, and counted.

use super::*;

#[test]
fn what_is_not_read_is_taken_out_and_named() {
    let mut tally = Tally::of(false, false);
    let mut record = json!({
        "fields": {"person.1.document_hash": "ab", "target.term": "22A1", "note": "n"},
        "refused_fields": [{"field": "person.2.nationality", "value": "IQ"}],
        "events": [
            {"type": "stayed", "data": {"document_hash": "ab"}},
            {"type": "parked", "data": {"bay": "1"}},
        ],
    });
    tally.take_named(record["fields"].as_object_mut());
    tally.take_listed(record["refused_fields"].as_array_mut());
    for event in record["events"].as_array_mut().unwrap() {
        tally.take_event(event, "data");
    }

    let left = json!({
        "fields": {"note": "n"},
        "refused_fields": [],
        "events": [{"type": "stayed", "data": {}}, {"type": "parked", "data": {"bay": "1"}}],
    });
    assert_eq!(record, left);
    let withheld = [
        "person.1.document_hash",
        "person.2.nationality",
        "stayed",
        "target.term",
    ];
    assert!(tally.withheld.iter().eq(withheld));
    assert!(!tally.persons_shown && !tally.lookout_shown);
}

#[test]
fn what_a_finding_says_of_a_traveller_is_taken_out_wherever_it_stands() {
    let of_field = |name: &str| {
        json!({"id": "R13-contested", "values": {"field": {"field": name}}}).to_string()
    };
    let published = |rule: &str, sentence: &str| {
        let mut said = json!({"type": "finding", "rule": rule, "text": "t"});
        said["sentence"] = sentence.into();
        said
    };
    let person = of_field("person.1.document_hash");
    for (said, is_taken) in [
        (published("R25", ""), true),
        (
            published(
                "R24",
                r#"{"id": "R24-document", "values": {"n": {"name": "1"}}}"#,
            ),
            true,
        ),
        (
            published(
                "R24",
                r#"{"id": "R24-vin", "values": {"vin": {"name": "V"}}}"#,
            ),
            false,
        ),
        (published("R13", &person), true),
        (published("R13", &of_field("seal.1")), false),
        (published("R02", "no sentence"), false),
    ] {
        let (mut raw, mut beside) = (said.clone(), json!({"type": "finding", "data": said}));
        let mut tally = Tally::of(false, true);
        tally.take_raw_event(&mut raw);
        tally.take_event(&mut beside, "data");
        for left in [&raw, &beside["data"]] {
            let is_left = left["text"].is_string() && left["sentence"].is_string();
            assert_eq!(is_left, !is_taken, "{left}");
            assert_eq!(left["rule"], said["rule"]);
        }
        assert_eq!(tally.withheld.contains("finding"), is_taken);

        // Who reads it is counted.
        let mut tally = Tally::of(true, true);
        let mut whole = said.clone();
        tally.take_raw_event(&mut whole);
        assert_eq!((&whole, tally.persons_shown), (&said, is_taken));
    }

    let found = json!({"rule": "R32", "evidence": {"field": "person.2.nationality"}});
    assert!(finding_tells_of_person(&found));
}

#[test]
fn what_a_finding_says_of_a_lookout_is_taken_out_for_who_reads_none() {
    let published = json!({
        "type": "finding",
        "rule": "R13",
        "text": "target.term has 2 values: \"77S7001\", \"77S7002\"",
        "sentence": r#"{"id": "R13-contested", "values": {"field": {"field": "target.term"}}}"#,
    });
    for reads in [false, true] {
        let mut event = published.clone();
        let mut tally = Tally::of(true, reads);
        tally.take_raw_event(&mut event);
        assert_eq!(event["text"].is_string(), reads);
        assert_eq!(event["sentence"].is_string(), reads);
        assert_eq!(tally.lookout_shown, reads);
    }
}

#[test]
fn a_warning_of_a_travellers_document_is_read_by_who_reads_of_travellers() {
    let container = "CSQU3054384: not a valid ISO 6346 container number (digit)";
    let document = wadi_record::warnings(
        "person.1.document_check",
        &wadi_log::Value::Text("failed".into()),
    );
    let all = json!([container, document.expect("a warning")]);

    let mut warnings = all.clone();
    let mut tally = Tally::of(false, false);
    tally.take_warnings(warnings.as_array_mut());
    assert_eq!(warnings, json!([container]));
    assert!(tally.withheld.contains("warnings") && !tally.persons_shown);

    let mut warnings = all.clone();
    let mut tally = Tally::of(true, false);
    tally.take_warnings(warnings.as_array_mut());
    assert_eq!((warnings, tally.persons_shown), (all, true));
}

#[test]
fn what_is_read_is_left_and_counted() {
    let mut tally = Tally::of(true, true);
    let mut fields = json!({"person.1.nationality": "IQ", "target.term": "22A1"});
    let before = fields.clone();
    tally.take_named(fields.as_object_mut());
    assert_eq!(fields, before);
    assert!(tally.persons_shown && tally.lookout_shown);
}

#[test]
fn an_officer_reads_the_lookouts_of_the_own_department_as_far_as_they_are_granted() {
    use Department::{Cus, Hub, Sec};

    let of = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_string());
        LookoutGrant::Of(names.collect())
    };
    let read = |grant: &LookoutGrant, department| {
        let lookouts = Lookouts::granted(grant).for_officer(department);
        match lookouts {
            Lookouts::All => panic!("officers read by department"),
            Lookouts::Of(departments) => Vec::from_iter(departments),
        }
    };

    let (all, none) = (LookoutGrant::Whole(true), LookoutGrant::Whole(false));
    for department in [Cus, Sec, Hub] {
        assert_eq!(read(&all, department), [department]);
        assert_eq!(read(&none, department), []);
        assert_eq!(read(&of(&[]), department), []);
    }

    // What the own department owns is left of it; the commission owns all, so it is narrowed.
    assert_eq!(read(&of(&["SEC", "CUS"]), Cus), [Cus]);
    assert_eq!(read(&of(&["SEC"]), Cus), []);
    assert_eq!(read(&of(&["HUB"]), Cus), [Cus]);
    assert_eq!(read(&of(&["SEC"]), Hub), [Sec]);
}
