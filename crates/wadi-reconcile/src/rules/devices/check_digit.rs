//! R24: check digits that do not agree (ISO 6346, ISO 3779), or did not when a document was read
//! (ICAO 9303). Advisory: what an officer saw is recorded as seen.

use crate::{Contradiction, Dossier, Facts, Rule, sentences};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R24",
    name: "check_digit",
    severity: 3,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Container = "R24-container" { container: name, why: detail }
    LoadingUnit = "R24-loading-unit" { container: name, found: name, expected: name }
    VinCheck = "R24-vin-check" { vin: name }
    Vin = "R24-vin" { vin: name }
    Document = "R24-document" { n: name }
    Other = "R24-other" { warning: text }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let warnings = anchor.json["warnings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|w| w.as_str());

    warnings
        .map(|w| {
            Contradiction::new(w, anchor.began_ms(), read(w), json!({"warning": w}))
                .citing(anchor, put_by(anchor, w))
        })
        .collect()
}

/// The entries that put what a warning is about: the text that it begins with, or what was read
/// off the traveller's document.
fn put_by<'a>(anchor: &'a Facts, warning: &'a str) -> Vec<&'a str> {
    let person = warning.strip_suffix(DOCUMENT);
    let of_document = person.map(|person| format!("{person}.document_"));
    let is_about = move |name: &str| match &of_document {
        Some(document) => name.starts_with(document),
        None => anchor.field(name).is_some_and(|text| {
            let rest = warning.strip_prefix(text);
            rest.is_some_and(|rest| rest.starts_with(": "))
        }),
    };

    anchor.put_by(is_about).collect()
}

/// How a record's projection words its warnings (`wadi_record::warnings`).
const CONTAINER: &str = ": not a valid ISO 6346 container number (";
const LOADING_UNIT: &str = ": not a valid EN 13044-1 loading unit number (check digit is ";
const EXPECTED: &str = ", expected ";
const VIN_CHECK: &str =
    ": its check digit does not agree (ISO 3779, as used in North America and China)";
const VIN: &str = ": not a valid ISO 3779 vehicle number";
const DOCUMENT: &str = ": the machine-readable zone of the document failed its check (ICAO 9303)";

/// What a warning says. One that another version worded differently is said as it stands.
fn read(warning: &str) -> Says<'_> {
    let container = warning.rsplit_once(CONTAINER);
    let container = container.and_then(|(number, why)| Some((number, why.strip_suffix(')')?)));
    let unit = warning.rsplit_once(LOADING_UNIT).and_then(|(unit, rest)| {
        let (found, expected) = rest.strip_suffix(')')?.split_once(EXPECTED)?;
        Some((unit, found, expected))
    });
    let person = warning.strip_suffix(DOCUMENT);

    if let Some((container, found, expected)) = unit {
        Says::LoadingUnit {
            container,
            found,
            expected,
        }
    } else if let Some((container, why)) = container {
        Says::Container { container, why }
    } else if let Some(vin) = warning.strip_suffix(VIN_CHECK) {
        Says::VinCheck { vin }
    } else if let Some(vin) = warning.strip_suffix(VIN) {
        Says::Vin { vin }
    } else if let Some(n) = person.and_then(|person| person.strip_prefix("person.")) {
        Says::Document { n }
    } else {
        Says::Other { warning }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    #[test]
    fn every_warning_that_a_record_gives_is_read() {
        let text = |text: &str| wadi_log::Value::Text(text.into());
        let warned = [
            ("container.1", "CSQU3054384", "R24-container"),
            ("container.1", "ATBE1003092", "R24-loading-unit"),
            ("vehicle.vin", "1M8GDM9A1KP042788", "R24-vin-check"),
            ("vehicle.vin", "WVGZZZ5NZJM13139", "R24-vin"),
            ("person.2.document_check", "failed", "R24-document"),
        ];
        for (field, value, id) in warned {
            let warning = wadi_record::warnings(field, &text(value)).expect("a warning");
            let sentence = wadi_words::Sentence::from(read(&warning));
            assert_eq!(sentence.id, id);
            assert_eq!(crate::sentence::english(&sentence), warning);
        }

        let other = wadi_words::Sentence::from(read("X: of another version"));
        assert_eq!(other.id, "R24-other");
    }

    #[test]
    fn a_wrong_digit_is_a_finding_of_the_lowest_severity() {
        let truck = |container: &str| {
            let warnings =
                wadi_record::warnings("container.1", &wadi_log::Value::Text(container.into()));
            passage("P1", json!({}), &[])
                .with("warnings", json!(warnings.into_iter().collect::<Vec<_>>()))
        };

        assert_eq!(firm("R24", truck("CSQU3054384"), vec![]), [Phase::Firm]);
        assert_eq!(firm("R24", truck("CSQU3054383"), vec![]), []);
    }

    #[test]
    fn a_document_whose_zone_failed_its_check_is_one_for_each_traveller() {
        let travellers = |checks: &[&str]| {
            let warning = |(n, check): (usize, &&str)| {
                let check = wadi_log::Value::Text(check.to_string());
                wadi_record::warnings(&format!("person.{}.document_check", n + 1), &check)
            };
            let warnings: Vec<String> = checks.iter().enumerate().filter_map(warning).collect();
            passage("P1", json!({}), &[]).with("warnings", json!(warnings))
        };

        assert_eq!(firm("R24", travellers(&["failed"]), vec![]), [Phase::Firm]);
        assert_eq!(
            firm("R24", travellers(&["failed", "passed", "failed"]), vec![]),
            [Phase::Firm, Phase::Firm]
        );
        assert_eq!(
            firm("R24", travellers(&["passed"]), vec![]),
            [],
            "read again, and it agreed"
        );
    }

    #[test]
    fn whoever_put_what_looks_wrong_is_cited() {
        let text = |text: &str| wadi_log::Value::Text(text.into());
        let fields = json!({
            "container.1": "CSQU3054384",
            "person.1.document_hash": "ab",
            "person.1.document_check": "failed",
            "person.2.document_check": "failed",
        });
        let put = [
            ("container", vec!["container.1"]),
            (
                "first",
                vec!["person.1.document_hash", "person.1.document_check"],
            ),
            ("second", vec!["person.2.document_check"]),
        ];
        let lines: Vec<_> = put
            .iter()
            .map(|(entry, fields)| json!({"entry": entry, "fields": fields}))
            .collect();
        let warned = |field: &str, value: &str| {
            let warning = wadi_record::warnings(field, &text(value)).expect("a warning");
            let truck = passage("P1", fields.clone(), &[]).with("put_by", json!(lines));
            cited("R24", truck.with("warnings", json!([warning])), vec![])
        };

        let of = |entry: &str| [side("P1", &[entry])];
        assert_eq!(warned("container.1", "CSQU3054384"), of("container"));
        assert_eq!(warned("person.1.document_check", "failed"), of("first"));
        assert_eq!(warned("person.2.document_check", "failed"), of("second"));
    }
}
