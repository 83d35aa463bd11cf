//! R28, over the cohort of an HS code: a declared value a kilogram far below its peers'.

use crate::{Contradiction, Dossier, Facts, Rule, sentences};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::{hs_subheading, is_currency, normalise_reference};

pub(crate) const RULE: Rule = Rule {
    code: "R28",
    name: "undervalued",
    severity: 3,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Undervalued = "R28-undervalued" { goods: name, own: name, median: name }
    NoCurrency = "R28-no-currency" { goods: name, own: name, median: name, currency: name }
}

/// How a mass is told.
#[derive(Clone, Copy, PartialEq)]
enum Mass {
    Net,
    Gross,
}

/// An item's declared value by one of its masses.
struct Price {
    item: String,
    /// The subheading: what a country adds to it may be left away, and parts no peers.
    hs_code: String,
    mass: Mass,
    /// Minor units of the entry's currency.
    per_kg: f64,
}

/// What each item of an entry costs a kilogram, by each mass that is told; items in order.
fn prices(entry: &Facts) -> Vec<Price> {
    let fields = entry.json["fields"].as_object();
    let codes = fields.into_iter().flatten().filter_map(|(name, code)| {
        let item = name.strip_suffix(".hs_code")?;
        Some((item, hs_subheading(code.as_str()?)))
    });

    let only = entry.texts("goods", "hs_code").len() == 1;
    let mut out = Vec::new();
    for (item, hs_code) in codes {
        let invoice = entry.int("invoice_minor").filter(|_| only);
        let value = entry
            .int(&format!("{item}.statistical_value_minor"))
            .or(invoice);

        for (mass, told) in [(Mass::Net, "net_g"), (Mass::Gross, "gross_g")] {
            let grams = entry.int(&format!("{item}.{told}")).filter(|g| *g > 0);
            if let (Some(value), Some(grams)) = (value, grams) {
                out.push(Price {
                    item: item.into(),
                    hs_code: hs_code.clone(),
                    mass,
                    per_kg: value as f64 * 1_000.0 / grams as f64,
                });
            }
        }
    }

    out
}

/// The currency that an entry is valued in; none where it names none that there is.
fn currency(entry: &Facts) -> Option<&str> {
    entry.field("currency").filter(|code| is_currency(code))
}

/// What an item of another entry costs.
struct PeerPrice<'a> {
    entry: &'a Facts,
    money: &'a str,
    price: Price,
}

impl PeerPrice<'_> {
    /// Whether it is of the same goods, by the same mass.
    fn is_peer_of(&self, price: &Price) -> bool {
        self.price.hs_code == price.hs_code && self.price.mass == price.mass
    }
}

/// Whether somebody answers for what an entry declares: it was registered. Of one that was
/// cancelled since it has to be another officer who did it: what one officer stores and takes back
/// makes no market.
fn stands_for_a_price(entry: &Facts) -> bool {
    match entry.state() {
        "STORED" => false,
        "CANCELLED" => {
            let by = |kind: &'static str| {
                let acts = entry.events(kind);
                let names = acts.map(|e| normalise_reference(e.officer()));
                names.collect::<BTreeSet<String>>()
            };
            let (registered, cancelled) = (by("registered"), by("cancelled"));
            !registered.is_empty() && registered.is_disjoint(&cancelled)
        }
        _ => true,
    }
}

/// What the peers of an entry cost, each with its currency.
fn peer_prices(dossier: &Dossier) -> Vec<PeerPrice<'_>> {
    let entries = dossier.peers.iter().chain(&dossier.linked);
    let valued = entries
        .filter(|e| e.is_customs_entry() && stands_for_a_price(e))
        .filter_map(|e| Some((currency(e)?, e)));

    valued
        .flat_map(|(money, entry)| {
            prices(entry).into_iter().map(move |price| PeerPrice {
                entry,
                money,
                price,
            })
        })
        .collect()
}

/// The entries that put what an item costs a kilogram.
fn valued_by<'a>(entry: &'a Facts, price: &'a Price) -> impl Iterator<Item = &'a str> {
    entry.put_by(move |name| {
        let of_item = name.strip_prefix(price.item.as_str());
        let is_of_price = of_item.is_some_and(|member| {
            let mass = match price.mass {
                Mass::Net => ".net_g",
                Mass::Gross => ".gross_g",
            };
            member == mass || matches!(member, ".hs_code" | ".statistical_value_minor")
        });
        is_of_price || matches!(name, "currency" | "invoice_minor")
    })
}

/// The medians of a price's peers, by currency, where they are many enough.
fn medians<'a>(
    peers: &[PeerPrice<'a>],
    price: &Price,
    dossier: &Dossier,
) -> BTreeMap<&'a str, f64> {
    let mut by_currency: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for peer in peers.iter().filter(|peer| peer.is_peer_of(price)) {
        let of_currency = by_currency.entry(peer.money).or_default();
        of_currency.push(peer.price.per_kg);
    }

    // A policy that asks for no peers has no median either.
    let enough = (dossier.policy.peers_min as usize).max(1);
    let many = by_currency
        .into_iter()
        .filter(|(_, all)| all.len() >= enough);
    many.map(|(money, mut all)| {
        all.sort_by(f64::total_cmp);
        (money, all[all.len() / 2])
    })
    .collect()
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if !anchor.is_customs_entry() {
        return Vec::new();
    }

    let permille = f64::from(dossier.policy.undervalue_permille);
    let peers = peer_prices(dossier);
    let mut found: BTreeMap<String, Contradiction> = BTreeMap::new();
    for price in prices(anchor) {
        // One item is told once, by its net mass where that says it.
        if found.contains_key(&price.item) {
            continue;
        }

        let medians = medians(&peers, &price, dossier);

        // Whoever leaves the currency out is held against the one that speaks for him most.
        let (money, median) = match currency(anchor) {
            Some(own) => (own, medians.get(own).copied()),
            None => {
                let least = medians.iter().min_by(|a, b| a.1.total_cmp(b.1));
                least.map_or(("", None), |(money, median)| (*money, Some(*median)))
            }
        };

        let Some(median) = median.filter(|m| price.per_kg * 1_000.0 < m * permille) else {
            continue;
        };

        let (own, median) = (format!("{:.0}", price.per_kg), format!("{median:.0}"));
        let goods = &price.hs_code;
        let says = match currency(anchor) {
            Some(_) => Says::Undervalued {
                goods,
                own: &own,
                median: &median,
            },
            None => Says::NoCurrency {
                goods,
                own: &own,
                median: &median,
                currency: money,
            },
        };
        // The peers change with every entry; what is held against this one is its own value.
        let evidence = json!({"hs_code": price.hs_code, "per_kg_minor": price.per_kg.round()});

        let told = Contradiction::new(price.item.clone(), anchor.began_ms(), says, evidence)
            .citing(anchor, valued_by(anchor, &price));
        let compared = peers.iter().filter(|peer| peer.is_peer_of(&price));
        let compared = compared.filter(|peer| peer.money == money);
        let told = compared.fold(told, |told, peer| {
            told.beside(peer.entry, valued_by(peer.entry, &peer.price))
        });
        found.insert(price.item, told);
    }

    found.into_values().collect()
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

    #[test]
    fn two_more_digits_part_nobody_from_the_peers() {
        let found = |code: &str| {
            let mut anchor = declared("E1", 3_900);
            std::sync::Arc::make_mut(&mut anchor.json)["fields"]["goods.1.hs_code"] = code.into();
            let mut d = dossier(anchor, vec![], 0);
            d.peers = (0..5).map(|n| declared(&format!("Q{n}"), 10_000)).collect();
            phases("R28", &d)
        };

        assert_eq!(found("8517.13.00"), [Phase::Firm]);
        assert_eq!(found("8517130000"), [Phase::Firm]);
        assert_eq!(found("8517.14.00"), [], "other goods");
    }

    #[test]
    fn a_price_is_not_hidden_behind_a_missing_currency_or_a_gram_of_net_mass() {
        let with = |id: &str, value: i64, more: serde_json::Value| {
            let mut fields = json!({
                "goods.1.hs_code": "8517.13",
                "goods.1.net_g": 1_000,
                "goods.1.gross_g": 1_200,
                "goods.1.statistical_value_minor": value,
                "currency": "USD",
            });
            for (name, put) in more.as_object().unwrap() {
                fields[name] = put.clone();
            }
            entry(id, fields, &[])
        };
        let found = |value, more| {
            let mut d = dossier(with("E1", value, more), vec![], 0);
            let dollars = (0..5).map(|n| with(&format!("Q{n}"), 10_000, json!({})));
            let dinars = (5..10).map(|n| {
                let money = json!({"currency": "IQD"});
                with(&format!("Q{n}"), 131_000_000, money)
            });
            d.peers = dollars.chain(dinars).collect();
            phases("R28", &d)
        };

        assert_eq!(found(3_900, json!({"currency": null})), [Phase::Firm]);
        assert_eq!(found(3_900, json!({"currency": "XXX"})), [Phase::Firm]);
        assert_eq!(found(3_900, json!({"goods.1.net_g": 1})), [Phase::Firm]);
        assert_eq!(
            found(10_000, json!({"currency": null})),
            [],
            "dollars, if they are meant, are what others pay"
        );
        assert_eq!(
            found(3_900, json!({"currency": "KWD"})),
            [],
            "nobody else pays in it"
        );
    }

    #[test]
    fn the_value_is_cited_and_its_peers_are_named() {
        let mut d = dossier(declared("E1", 3_900), vec![], 0);
        d.peers = (0..5).map(|n| declared(&format!("Q{n}"), 10_000)).collect();
        d.peers.push(entry(
            "Q9",
            json!({"goods.1.hs_code": "0803.90", "goods.1.net_g": 1_000, "currency": "USD",
                   "goods.1.statistical_value_minor": 5}),
            &[],
        ));

        assert_eq!(
            cited_of("R28", &d, "cites"),
            [side("E1", &["fields of E1"])]
        );
        let peers: Vec<_> = (0..5)
            .map(|n| side(&format!("Q{n}"), &[&format!("fields of Q{n}")]))
            .collect();
        assert_eq!(cited_of("R28", &d, "peers"), peers);

        let found = crate::reconcile(&d);
        let about = &found.iter().find(|f| f.rule.code == "R28").unwrap().about;
        assert!(!about["record"].contains("Q1"), "of another case");
    }

    #[test]
    fn what_one_officer_stores_and_takes_back_makes_no_market() {
        let by = |officer: &str, kind: &str, at_ms: i64| {
            let mut act = event(kind, at_ms, json!({}));
            act["officer"] = officer.into();
            act
        };
        let found = |state: &str, events: &[serde_json::Value]| {
            let mut d = dossier(declared("E1", 3_900), vec![], 0);
            d.peers = (0..5).map(|n| declared(&format!("Q{n}"), 10_000)).collect();
            let cheap = (0..8).map(|n| {
                let cheap = declared(&format!("S{n}"), 3_900).with("events", json!(events));
                cheap.state_is(state)
            });
            d.peers.extend(cheap);
            phases("R28", &d)
        };

        assert_eq!(found("STORED", &[]), [Phase::Firm]);
        let cancelled = [by("OF-1", "cancelled", 9)];
        assert_eq!(found("CANCELLED", &cancelled), [Phase::Firm]);
        let both = [by("OF-1", "registered", 1), by("of 1", "cancelled", 9)];
        assert_eq!(found("CANCELLED", &both), [Phase::Firm]);

        let others = [by("OF-1", "registered", 1), by("OF-2", "cancelled", 9)];
        assert_eq!(found("CANCELLED", &others), [], "they were declared");
        assert_eq!(found("REGISTERED", &both[..1]), []);
    }
}
