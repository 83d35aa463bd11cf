//! What a finding is about, besides its anchor: the records it cites, the trucks and containers of
//! these, and the officers whom its facts name. Findings about one of them are one case.

use crate::{Contradiction, Dossier, Facts};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use wadi_log::RecordId;
use wadi_record::{SYSTEM_OFFICER, field_term};

/// Values of one name at most: who names thousands makes no index of them.
const VALUES_MAX: usize = 32;
/// Bytes of a value at most. What is longer is no plate, and nobody's service number.
const VALUE_BYTES_MAX: usize = 64;

/// What it is about: `record` by printed ids, `plate`, `container`, `officer`.
pub(crate) type AboutTerms = BTreeMap<&'static str, BTreeSet<String>>;

/// Gathers what a contradiction is about.
pub(crate) fn gathered(dossier: &Dossier, found: &Contradiction) -> AboutTerms {
    let mut all = AboutTerms::new();
    let mut add = |what: &'static str, value: &str| {
        let held = all.entry(what).or_default();
        if !value.is_empty() && value.len() <= VALUE_BYTES_MAX && held.len() < VALUES_MAX {
            held.insert(value.into());
        }
    };

    add("record", dossier.anchor.printed());
    named(&found.evidence, "", &mut add);
    found.cites.keys().for_each(|record| add("record", record));

    let cited = all.get("record").cloned().unwrap_or_default();
    let records = std::iter::once(&dossier.anchor).chain(&dossier.linked);
    for record in records.filter(|r| cited.contains(r.printed())) {
        carried(record, &mut all);
    }

    all.retain(|_, values| !values.is_empty());
    all
}

/// Records and officers that the evidence names, wherever they stand in it.
fn named(evidence: &Json, member: &str, add: &mut impl FnMut(&'static str, &str)) {
    match evidence {
        Json::String(text) if member == "officer" && text != SYSTEM_OFFICER => {
            add("officer", text);
        }
        Json::String(text) if RecordId::check_printed(text).is_ok() => add("record", text),
        Json::Array(all) => all.iter().for_each(|one| named(one, member, add)),
        Json::Object(all) => all.iter().for_each(|(name, one)| named(one, name, add)),
        _ => {}
    }
}

/// The plates and containers of a record, however they are written.
fn carried(record: &Facts, all: &mut AboutTerms) {
    let fields = record.json["fields"].as_object().into_iter().flatten();
    for (field, value) in fields {
        let term = value.as_str().and_then(|text| field_term(field, text));
        if let Some((what @ ("plate" | "container"), value)) = term {
            let held = all.entry(what).or_default();
            if value.len() <= VALUE_BYTES_MAX && held.len() < VALUES_MAX {
                held.insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::*;
    use serde_json::json;

    #[test]
    fn a_finding_is_about_the_trucks_of_the_records_it_cites_and_the_officers_it_names() {
        let plate = |id: &str, plate: &str| passage(id, json!({"vehicle.plate": plate}), &[]);
        let lane = wadi_log::Lane::Passage;
        let printed = |n: u8| RecordId([n; 32]).print("TRB".parse().unwrap(), lane);
        let (own, cited, other) = (printed(1), printed(2), printed(3));
        let anchor = plate("P1", "22-A-1").with("id", json!(own));
        let linked = vec![
            plate("P2", "22-A-2").with("id", json!(cited)),
            plate("P3", "22-A-3").with("id", json!(other)),
        ];

        let evidence = json!({
            "claims": [{"officer": "OF-1", "value": "x"}, {"officer": "OF-2"}],
            "with": {"record": cited}, "officer": "Y".repeat(65),
        });
        let found = Contradiction::new("d", 0, said("it"), evidence);
        let about = gathered(&dossier(anchor, linked, 0), &found);

        let set = |values: &[&str]| -> BTreeSet<String> {
            values.iter().map(|v| v.to_string()).collect()
        };
        assert_eq!(about["record"], set(&[&own, &cited]));
        assert_eq!(about["officer"], set(&["OF-1", "OF-2"]));
        let plates = ["22-A-1", "22-A-2"].map(wadi_record::normalise_plate);
        assert_eq!(about["plate"], plates.into_iter().collect());
        assert!(!about.contains_key("container"));
    }

    #[test]
    fn whoever_names_thousands_makes_no_index_of_them() {
        let claims: Vec<Json> = (0..5_000)
            .map(|n| json!({"officer": format!("O{n}")}))
            .collect();
        let found = Contradiction::new("d", 0, said("it"), json!({"claims": claims}));
        let anchor = passage("P1", json!({}), &[]);
        let about = gathered(&dossier(anchor, vec![], 0), &found);
        assert_eq!(about["officer"].len(), VALUES_MAX);
    }
}
