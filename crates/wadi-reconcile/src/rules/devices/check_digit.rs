//! R24: check digits that do not agree (ISO 6346, ISO 3779), or did not when a document was read
//! (ICAO 9303). Advisory: what an officer saw is recorded as seen.

use crate::{Contradiction, Dossier, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R24",
    name: "check_digit",
    severity: 3,
    judge,
};

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let warnings = anchor.json["warnings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|w| w.as_str());

    warnings
        .map(|w| Contradiction::new(w, anchor.began_ms(), w.to_string(), json!({"warning": w})))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

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
}
