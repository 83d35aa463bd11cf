//! R28, over the cohort of an HS code: a declared value a kilogram far below its peers'.

use crate::{
    Contradiction, Dossier, Facts, Rule,
    cited::{CITED_RECORDS_MAX, CitedEntries, cite},
    sentences,
};
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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
fn peer_prices(dossier: &Dossier) -> impl Iterator<Item = PeerPrice<'_>> {
    let entries = dossier.peers.iter().chain(&dossier.linked);
    let valued = entries
        .filter(|e| e.is_customs_entry() && stands_for_a_price(e))
        .filter_map(|e| Some((currency(e)?, e)));

    valued.flat_map(|(money, entry)| {
        prices(entry).into_iter().map(move |price| PeerPrice {
            entry,
            money,
            price,
        })
    })
}

/// What the same goods cost others, by one mass: it is found once, however many items of an entry
/// are held against it.
#[derive(Default)]
struct GoodsMarket<'a> {
    /// By currency.
    peers: BTreeMap<&'a str, Vec<PeerPrice<'a>>>,
    /// By currency, where the peers are many enough.
    medians: BTreeMap<&'a str, f64>,
}

impl<'a> GoodsMarket<'a> {
    fn find_medians(&mut self, peers_min: u32) {
        // A policy that asks for no peers has no median either.
        let enough = (peers_min as usize).max(1);
        for (money, peers) in &self.peers {
            if peers.len() < enough {
                continue;
            }

            let mut all: Vec<f64> = peers.iter().map(|peer| peer.price.per_kg).collect();
            all.sort_by(f64::total_cmp);
            self.medians.insert(*money, all[all.len() / 2]);
        }
    }

    /// The currency and the median that a price is held against. Whoever leaves the currency out is
    /// held against the one that speaks for him most.
    fn median_for(&self, own: Option<&str>) -> Option<(&'a str, f64)> {
        let found = match own {
            Some(own) => self.medians.get_key_value(own),
            None => self.medians.iter().min_by(|a, b| a.1.total_cmp(b.1)),
        };
        found.map(|(money, median)| (*money, *median))
    }

    /// The entries that put what the peers cost, of as many records as are told.
    fn cited(&self, money: &str) -> CitedEntries {
        let peers = self.peers.get(money).into_iter().flatten();
        let mut peers: Vec<&PeerPrice<'_>> = peers.collect();
        peers.sort_by(|a, b| a.entry.printed().cmp(b.entry.printed()));

        let mut out = CitedEntries::new();
        for peer in peers {
            if out.len() >= CITED_RECORDS_MAX && !out.contains_key(peer.entry.printed()) {
                break;
            }
            cite(&mut out, peer.entry, valued_by(peer.entry, &peer.price));
        }

        out
    }
}

/// What others pay for what these prices are of, by the goods and the mass.
fn markets<'a>(
    dossier: &'a Dossier,
    declared: &[Price],
) -> BTreeMap<(String, Mass), GoodsMarket<'a>> {
    let wanted = declared.iter().map(|p| (p.hs_code.as_str(), p.mass));
    let wanted: BTreeSet<(&str, Mass)> = wanted.collect();
    let mut out: BTreeMap<(String, Mass), GoodsMarket<'a>> = BTreeMap::new();

    for peer in peer_prices(dossier) {
        if wanted.contains(&(peer.price.hs_code.as_str(), peer.price.mass)) {
            let goods = (peer.price.hs_code.clone(), peer.price.mass);
            let market = out.entry(goods).or_default();
            market.peers.entry(peer.money).or_default().push(peer);
        }
    }

    out.values_mut()
        .for_each(|market| market.find_medians(dossier.policy.peers_min));
    out
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

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if !anchor.is_customs_entry() {
        return Vec::new();
    }

    let permille = f64::from(dossier.policy.undervalue_permille);
    let declared = prices(anchor);
    let markets = markets(dossier, &declared);
    let mut cited: BTreeMap<(&str, Mass), CitedEntries> = BTreeMap::new();
    let mut found: BTreeMap<&str, Contradiction> = BTreeMap::new();

    for price in &declared {
        // One item is told once, by its net mass where that says it.
        if found.contains_key(price.item.as_str()) {
            continue;
        }

        let goods = (price.hs_code.clone(), price.mass);
        let market = markets.get(&goods);
        let held_against = market.and_then(|market| {
            let (money, median) = market.median_for(currency(anchor))?;
            Some((market, money, median))
        });
        let is_below = |median: f64| price.per_kg * 1_000.0 < median * permille;
        let Some((market, money, median)) = held_against.filter(|(.., m)| is_below(*m)) else {
            continue;
        };

        let mut told = undervalued(anchor, price, (money, median));
        // All that an entry declares is held against one currency of a market.
        let peers = cited.entry((price.hs_code.as_str(), price.mass));
        told.peers = peers.or_insert_with(|| market.cited(money)).clone();
        found.insert(price.item.as_str(), told);
    }

    found.into_values().collect()
}

/// The finding of one item, beside the median of its peers in a currency.
fn undervalued(anchor: &Facts, price: &Price, (money, median): (&str, f64)) -> Contradiction {
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

    Contradiction::new(price.item.clone(), anchor.began_ms(), says, evidence)
        .citing(anchor, valued_by(anchor, price))
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
