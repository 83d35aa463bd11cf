//! R13: concurrent values of a legal field.

use crate::{Contradiction, Dossier, Rule, numbers::whole, sentences};
use serde_json::{Value as Json, json};
use wadi_record::{Kind, known_field};
use wadi_words::Sentence;

pub(crate) const RULE: Rule = Rule {
    code: "R13",
    name: "contested_field",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Contested = "R13-contested" { field: field, n: number, values: names }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let Ok(kind) = dossier.anchor.kind().parse::<Kind>() else {
        return Vec::new();
    };
    let Some(contested) = dossier.anchor.json["contested"].as_object() else {
        return Vec::new();
    };
    let legal = |name: &String| known_field(kind, name).is_some_and(|row| row.legal);
    let sentence = |name: &str, claims: &Json| {
        let values: Vec<String> = claims
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| c["value"].to_string())
            .collect();

        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        Sentence::from(Says::Contested {
            field: name,
            n: whole(values.len()),
            values: &values,
        })
    };

    let at = |claims: &Json| {
        claims
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|c| c["at_ms"].as_i64())
            .max()
    };

    // Nothing that is still on its way undoes that two officers said different things; settling it
    // is an act.
    let found = contested
        .iter()
        .filter(|(name, _)| legal(name))
        .map(|(name, claims)| {
            let evidence = json!({"field": name, "claims": claims});
            Contradiction::new(
                name.clone(),
                at(claims).unwrap_or(0),
                sentence(name, claims),
                evidence,
            )
        });

    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    #[test]
    fn it_fires_on_a_legal_field_and_not_on_a_note() {
        let claims =
            json!([{"value": "0803.90", "officer": "a"}, {"value": "0207.14", "officer": "b"}]);
        let contested =
            |field: &str| entry("E1", json!({}), &[]).with("contested", json!({field: claims}));
        assert_eq!(
            firm("R13", contested("goods.1.hs_code"), vec![]),
            [Phase::Firm]
        );
        assert_eq!(firm("R13", contested("note"), vec![]), []);
    }
}
