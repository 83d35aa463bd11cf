//! R28, over the cohort of an HS code: a declared value a kilogram far below its peers'.

use crate::{Contradiction, Dossier, Facts, Rule, sentences};
use serde_json::json;
use wadi_record::normalise_hs_code;

pub(crate) const RULE: Rule = Rule {
    code: "R28",
    name: "undervalued",
    severity: 3,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Undervalued = "R28-undervalued" { goods: name, own: name, median: name }
}

/// Declared value of an item's net or gross mass, minor units a kilogram; items in order.
fn values(entry: &Facts) -> Vec<(String, String, f64)> {
    let fields = entry.json["fields"].as_object();
    let codes = fields.into_iter().flatten().filter_map(|(name, code)| {
        let item = name.strip_suffix(".hs_code")?;
        Some((item, normalise_hs_code(code.as_str()?)))
    });

    let only = entry.texts("goods", "hs_code").len() == 1;
    codes
        .filter_map(|(item, code)| {
            let invoice = entry.int("invoice_minor").filter(|_| only);
            let value = entry
                .int(&format!("{item}.statistical_value_minor"))
                .or(invoice)?;
            let grams = entry
                .int(&format!("{item}.net_g"))
                .or(entry.int(&format!("{item}.gross_g")))?;

            (grams > 0).then(|| {
                (
                    item.to_string(),
                    code,
                    value as f64 * 1_000.0 / grams as f64,
                )
            })
        })
        .collect()
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if !anchor.is_customs_entry() {
        return Vec::new();
    }

    let mut out = Vec::new();
    for (item, code, own) in values(anchor) {
        let same =
            |p: &&Facts| p.is_customs_entry() && p.field("currency") == anchor.field("currency");
        let all = dossier
            .peers
            .iter()
            .chain(&dossier.linked)
            .filter(same)
            .flat_map(values);

        let mut peers: Vec<f64> = all
            .filter(|(_, c, _)| *c == code)
            .map(|(_, _, v)| v)
            .collect();

        // A policy that asks for no peers has no median either.
        if peers.len() < (dossier.policy.peers_min as usize).max(1) {
            continue;
        }

        peers.sort_by(f64::total_cmp);
        let median = peers[peers.len() / 2];

        if own * 1_000.0 < median * f64::from(dossier.policy.undervalue_permille) {
            out.push(Contradiction::new(
                item,
                anchor.began_ms(),
                Says::Undervalued {
                    goods: &code,
                    own: &format!("{own:.0}"),
                    median: &format!("{median:.0}"),
                },
                // The peers change with every entry; what is held against this one is its own
                // value.
                json!({"hs_code": code, "per_kg_minor": own.round()}),
            ));
        }
    }

    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn declared(id: &str, value: i64) -> Facts {
        let fields = json!({
            "goods.1.hs_code": "8517.13",
            "goods.1.net_g": 1_000,
            "goods.1.statistical_value_minor": value,
            "currency": "USD",
        });
        entry(id, fields, &[])
    }

    #[test]
    fn telephones_at_a_third_of_the_price_are_found_once_there_are_peers() {
        let found = |value, peers: i64| {
            let mut d = dossier(declared("E1", value), vec![], 0);
            d.peers = (0..peers)
                .map(|n| declared(&format!("Q{n}"), 10_000 + n))
                .collect();
            phases("R28", &d)
        };

        assert_eq!(found(3_900, 5), [Phase::Firm]);
        assert_eq!(found(4_100, 5), []);
        assert_eq!(found(3_900, 4), [], "four are no market");
    }
}
