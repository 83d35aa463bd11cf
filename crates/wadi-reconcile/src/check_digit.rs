//! R24: check digits that do not agree (ISO 6346, ISO 3779). Advisory: what an officer saw is recorded as seen.

use crate::{Contradiction, Dossier, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule { code: "R24", name: "check_digit", severity: 3, judge };

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let warnings = anchor.json["warnings"].as_array().into_iter().flatten().filter_map(|w| w.as_str());
    warnings.map(|w| Contradiction::new(w, anchor.began_ms(), w.to_string(), json!({"warning": w}))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    #[test]
    fn a_wrong_digit_is_a_finding_of_the_lowest_severity() {
        let truck = |container: &str| {
            let warnings = wadi_record::warnings("container.1", &wadi_log::Value::Text(container.into()));
            passage("P1", json!({}), &[]).with("warnings", json!(warnings.into_iter().collect::<Vec<_>>()))
        };
        assert_eq!(firm("R24", truck("CSQU3054384"), vec![]), [Phase::Firm]);
        assert_eq!(firm("R24", truck("CSQU3054383"), vec![]), []);
    }
}
