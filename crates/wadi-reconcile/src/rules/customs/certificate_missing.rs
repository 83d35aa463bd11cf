//! R17: a quarantine commodity without certificate; a certificate used twice, or for more than it
//! covers.

use crate::{Contradiction, Dossier, Facts, Rule, numbers::hours_ms, sentences};
use serde_json::json;
use std::collections::BTreeMap;
use wadi_record::{lies_under, normalise_reference, normalise_unit, says_nothing};

pub(crate) const RULE: Rule = Rule {
    code: "R17",
    name: "certificate_missing",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Missing = "R17-missing" { entry: record, goods: names }
    Reused = "R17-reused" { certificate: name, other: record }
    Exceeded = "R17-exceeded" {
        certificate: name, covers: number, used: number, records: records,
    }
    ExceededGrams = "R17-exceeded-grams" {
        certificate: name, covers: number, used: number, records: records,
    }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    if !stands(anchor) {
        return Vec::new();
    }

    let mut out = if anchor.is_customs_entry() {
        missing_or_reused(dossier)
    } else {
        Vec::new()
    };

    out.extend(
        named_once(certificates(anchor).into_iter().map(|(c, _)| c))
            .into_iter()
            .filter_map(|reference| exceeded(dossier, reference)),
    );

    out
}

/// References, each once however often and however it is written.
fn named_once<'a>(references: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut by_form = BTreeMap::new();
    for reference in references {
        by_form
            .entry(normalise_reference(reference))
            .or_insert(reference);
    }

    by_form.into_values().collect()
}

/// Whether two references are one certificate's. One of signs alone is the same only as itself.
fn is_same(one: &str, other: &str) -> bool {
    let form = normalise_reference(one);
    one == other || !form.is_empty() && form == normalise_reference(other)
}

/// Whether a record uses up the certificates that it names: an entry that was not cancelled, a hold
/// whose goods came in.
fn stands(r: &Facts) -> bool {
    match r.kind() {
        "customs-entry" => r.state() != "CANCELLED",
        "hold" => !["RE_EXPORTED", "DESTROYED", "SEIZED"].contains(&r.state()),
        _ => false,
    }
}

/// Whether goods of that code need a certificate.
fn needs(dossier: &Dossier, code: &str) -> bool {
    dossier
        .policy
        .certificate_chapters
        .iter()
        .any(|c| lies_under(code, c))
}

fn missing_or_reused(dossier: &Dossier) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    let codes: Vec<&str> = entry
        .texts("goods", "hs_code")
        .into_iter()
        .filter(|c| needs(dossier, c))
        .collect();

    let mut own = entry.texts("certificate", "");
    own.retain(|text| !says_nothing(text));
    let names_one = !own.is_empty();
    let on_hold = dossier
        .named_holds()
        .filter_map(|hold| hold.field("certificate.ref"))
        .any(|text| !says_nothing(text));
    let mut out = Vec::new();

    if !codes.is_empty() && !names_one && !on_hold {
        let due_ms = entry
            .began_ms()
            .saturating_add(hours_ms(dossier.policy.counterpart_h));
        out.push(
            Contradiction::new(
                "missing",
                entry.began_ms(),
                Says::Missing {
                    entry: entry.printed(),
                    goods: &codes,
                },
                json!({"hs_codes": codes, "due_ms": due_ms}),
            )
            .until([entry.crossing()], due_ms),
        );
    }

    let live = |o: &&Facts| o.is_customs_entry() && o.state() != "CANCELLED";
    let others = dossier.linked.iter().filter(live);
    let earlier = others.filter(|o| (o.began_ms(), &o.id) < (entry.began_ms(), &entry.id));

    // Of all that used it before the last one is named.
    for reference in named_once(own.into_iter()) {
        let names = |o: &&Facts| {
            o.texts("certificate", "")
                .iter()
                .any(|c| is_same(c, reference))
        };
        let used = earlier.clone().filter(names);
        if let Some(other) = used.max_by_key(|o| (o.began_ms(), o.id.clone())) {
            out.push(
                Contradiction::new(
                    format!("reused {reference}"),
                    entry.began_ms(),
                    Says::Reused {
                        certificate: reference,
                        other: other.printed(),
                    },
                    json!({"certificate": reference, "other": other.printed()}),
                )
                .until([other.crossing(), entry.crossing()], entry.began_ms()),
            );
        }
    }

    out
}

/// The certificates that an entry or a hold names, and the net mass that each covers, grams, where
/// that is told.
fn certificates(r: &Facts) -> Vec<(&str, Option<i64>)> {
    let fields = r.json["fields"].as_object().into_iter().flatten();
    let named = fields.filter_map(|(name, value)| {
        let which = name
            .strip_prefix("certificate.")
            .filter(|w| !w.contains('.'))?;
        let covers = if which == "ref" {
            "certificate.net_g".to_string()
        } else {
            format!("{name}.net_g")
        };

        let reference = value.as_str().filter(|text| !says_nothing(text))?;
        Some((reference, r.int(&covers)))
    });

    named.collect()
}

/// What an entry declares under its only certificate: the net mass of the goods that need one, or
/// their gross mass where no net mass is told. Of several certificates nobody can tell which covers
/// what.
fn declared_g(dossier: &Dossier, entry: &Facts) -> Option<i64> {
    let named = certificates(entry).into_iter().map(|(named, _)| named);
    if named_once(named.filter(|text| !says_nothing(text))).len() != 1 {
        return None;
    }

    let fields = entry.json["fields"].as_object().into_iter().flatten();
    let masses = fields.filter_map(|(name, code)| {
        let item = name
            .strip_suffix(".hs_code")
            .filter(|i| i.starts_with("goods."))?;
        if !needs(dossier, code.as_str()?) {
            return None;
        }

        entry
            .int(&format!("{item}.net_g"))
            .filter(|grams| *grams > 0)
            .or_else(|| entry.int(&format!("{item}.gross_g")))
    });

    masses.reduce(i64::saturating_add)
}

/// What a hold keeps, where its unit is one of mass (UNECE Rec 20).
fn held_g(hold: &Facts) -> Option<i64> {
    let grams = match normalise_unit(hold.field("unit")?).as_str() {
        "GRM" => 1,
        "KGM" => 1_000,
        "TNE" => 1_000_000,
        _ => return None,
    };

    Some(hold.int("quantity")?.saturating_mul(grams))
}

/// All that was declared or held under one certificate against what it covers.
fn exceeded(dossier: &Dossier, reference: &str) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let names =
        |r: &&Facts| stands(r) && certificates(r).iter().any(|(c, _)| is_same(c, reference));
    let using: Vec<&Facts> = dossier
        .linked
        .iter()
        .chain([anchor])
        .filter(names)
        .collect();

    // The last entry carries the finding, or the last hold where there is no entry.
    let carrier = using
        .iter()
        .max_by_key(|r| (r.is_customs_entry(), r.began_ms(), r.id.clone()))?;
    if carrier.id != anchor.id {
        return None;
    }

    // Where it was told differently the smaller mass holds.
    let told = using
        .iter()
        .flat_map(|r| certificates(r))
        .filter(|(c, _)| is_same(c, reference));
    let covers = told.filter_map(|(_, covers)| covers).min()?;
    let declared = using
        .iter()
        .filter(|r| r.is_customs_entry())
        .filter_map(|r| declared_g(dossier, r));

    let held = using
        .iter()
        .filter(|r| r.is_hold())
        .filter_map(|r| held_g(r));

    // Goods that are held were mostly declared as well: the greater of the two sums counts.
    let used = declared
        .reduce(i64::saturating_add)
        .max(held.reduce(i64::saturating_add))?;
    let allowed = i64::from(dossier.policy.weight_permille).saturating_mul(covers);
    if used.saturating_sub(covers).saturating_mul(1_000) <= allowed {
        return None;
    }

    let through_ms = using.iter().map(|r| r.ended_ms()).max()?;
    let mut records: Vec<&str> = using.iter().map(|r| r.printed()).collect();
    records.sort_unstable();

    // In kilograms where that is exact.
    let is_whole = covers % 1_000 == 0 && used % 1_000 == 0;
    let says = match is_whole {
        true => Says::Exceeded {
            certificate: reference,
            covers: covers / 1_000,
            used: used / 1_000,
            records: &records,
        },
        false => Says::ExceededGrams {
            certificate: reference,
            covers,
            used,
            records: &records,
        },
    };

    let evidence =
        json!({"certificate": reference, "covers_g": covers, "used_g": used, "records": records});
    let found = Contradiction::new(
        format!("exceeded {reference}"),
        anchor.began_ms(),
        says,
        evidence,
    );

    // One of them may have been cancelled, or put right, where nobody has heard of it yet.
    Some(found.until(using.iter().map(|r| r.crossing()), through_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    fn declared(id: &str, code: &str, certificate: Option<&str>, at_ms: i64) -> Facts {
        let mut fields = json!({"goods.1.hs_code": code});
        if let Some(c) = certificate {
            fields["certificate.1"] = c.into();
        }
        entry(id, fields, &[event("registered", at_ms, json!({}))])
    }

    #[test]
    fn bananas_need_a_certificate_and_have_a_day_to_show_it() {
        let bare = declared("E1", "0803.90", None, 0);
        assert_eq!(
            phases("R17", &dossier(bare.clone(), vec![], 24 * HOUR_MS - 1)),
            [Phase::Pending]
        );
        assert_eq!(firm("R17", bare.clone(), vec![]), [Phase::Firm]);
        assert_eq!(
            firm("R17", declared("E1", "8517.13", None, 0), vec![]),
            [],
            "telephones need none"
        );

        assert_eq!(
            firm("R17", declared("E1", "80390", None, 0), vec![]),
            [Phase::Firm],
            "of chapter 08, whose zero was lost"
        );

        let shown = |events: &[serde_json::Value]| {
            vec![hold("H1", json!({"certificate.ref": "C1"}), events)]
        };
        let names = event("link", 1, json!({"record": "E1"}));
        assert_eq!(
            firm("R17", bare.clone(), shown(&[names])),
            [],
            "it lies with the quarantine"
        );
        let found = firm("R17", bare, shown(&[]));
        assert_eq!(found, [Phase::Firm], "a lookout for such goods is no paper");

        for nothing in ["-", "none", "000", "بدون"] {
            let entry = declared("E1", "0803.90", Some(nothing), 0);
            assert_eq!(firm("R17", entry, vec![]), [Phase::Firm], "{nothing}");
        }
    }

    #[test]
    fn one_certificate_serves_one_consignment() {
        let first = declared("E1", "0803.90", Some("C1"), 1);
        assert_eq!(
            firm(
                "R17",
                declared("E2", "0803.90", Some("C1"), 2),
                vec![first.clone()]
            ),
            [Phase::Firm]
        );

        assert_eq!(
            firm(
                "R17",
                declared("E2", "0803.90", Some("C2"), 2),
                vec![first.clone()]
            ),
            []
        );

        assert_eq!(
            firm(
                "R17",
                declared("E2", "0803.90", Some("c-1 "), 2),
                vec![first]
            ),
            [Phase::Firm],
            "the same one, written otherwise"
        );
    }

    /// An entry of bananas, so many kilograms, under certificates and what each covers, kilograms.
    fn bananas(id: &str, kg: i64, certificates: &[(&str, Option<i64>)], at_ms: i64) -> Facts {
        let mut fields = json!({"goods.1.hs_code": "0803.90", "goods.1.net_g": kg * 1_000});
        for (n, (reference, covers)) in certificates.iter().enumerate() {
            fields[format!("certificate.{}", n + 1)] = (*reference).into();
            if let Some(kg) = covers {
                fields[format!("certificate.{}.net_g", n + 1)] = (kg * 1_000).into();
            }
        }

        entry(id, fields, &[event("registered", at_ms, json!({}))])
    }

    fn kept(id: &str, fields: serde_json::Value, at_ms: i64) -> Facts {
        hold(id, fields, &[event("hold.placed", at_ms, json!({}))])
    }

    #[test]
    fn a_certificate_covers_so_much_and_no_more() {
        let told = |kg| bananas("E1", kg, &[("C1", Some(20_000))], 5);
        assert_eq!(
            phases("R17", &dossier(told(20_601), vec![], 4)),
            [Phase::Pending]
        );
        assert_eq!(firm("R17", told(20_601), vec![]), [Phase::Firm]);
        assert_eq!(
            firm("R17", told(20_600), vec![]),
            [],
            "within three in a hundred"
        );

        assert_eq!(
            firm("R17", bananas("E1", 90_000, &[("C1", None)], 5), vec![]),
            [],
            "nobody told what it covers"
        );

        let two = [("C1", Some(20_000)), ("C2", Some(1))];
        assert_eq!(
            firm("R17", bananas("E1", 90_000, &two, 5), vec![]),
            [],
            "which of the two covers them?"
        );

        assert_eq!(firm("R17", told(90_000).state_is("CANCELLED"), vec![]), []);

        let gross = json!({
            "goods.1.hs_code": "0803.90", "goods.1.gross_g": 30_000_000, "certificate.1": "C1",
            "certificate.1.net_g": 20_000_000,
        });
        assert_eq!(
            firm("R17", entry("E1", gross, &[]), vec![]),
            [Phase::Firm],
            "only the gross mass is told"
        );

        let steel = json!({
            "goods.1.hs_code": "7214.20", "goods.1.net_g": 90_000_000, "certificate.1": "C1",
            "certificate.1.net_g": 20_000_000,
        });
        assert_eq!(
            firm("R17", entry("E1", steel, &[]), vec![]),
            [],
            "steel needs none"
        );
    }

    #[test]
    fn all_that_goes_by_one_certificate_is_added_up_and_the_last_one_carries_it() {
        let first = bananas("E1", 15_000, &[("C1", None)], 1);
        let second = |kg| bananas("E2", kg, &[("C1", Some(20_000))], 2);
        let exceeded = |anchor: Facts, linked: Vec<Facts>| {
            let found = crate::reconcile(&dossier(anchor, linked, i64::MAX));
            found
                .iter()
                .filter(|f| f.contradiction.discriminator == "exceeded C1")
                .count()
        };

        assert_eq!(exceeded(second(6_000), vec![first.clone()]), 1);
        assert_eq!(
            exceeded(first.clone(), vec![second(6_000)]),
            0,
            "the later one carries it"
        );

        assert_eq!(exceeded(second(5_000), vec![first.clone()]), 0);
        assert_eq!(
            exceeded(second(6_000), vec![first.clone().state_is("CANCELLED")]),
            0
        );

        // What the quarantine has told of the certificate counts, too; what it holds was declared
        // already.
        let paper = json!({
            "certificate.ref": "C1",
            "certificate.net_g": 10_000_000,
            "quantity": 15,
            "unit": "TNE",
        });
        assert_eq!(
            exceeded(first.clone(), vec![kept("H1", paper.clone(), 9)]),
            1
        );
        assert_eq!(
            exceeded(kept("H1", paper.clone(), 9), vec![first]),
            0,
            "the entry carries it"
        );

        assert_eq!(
            exceeded(kept("H1", paper.clone(), 9), vec![]),
            1,
            "held, and not declared yet"
        );

        for unit in ["t", "tne ", "طن"] {
            let mut written = paper.clone();
            written["unit"] = unit.into();
            assert_eq!(exceeded(kept("H1", written, 9), vec![]), 1, "{unit}");
        }

        assert_eq!(
            exceeded(kept("H1", paper.clone(), 9).state_is("RE_EXPORTED"), vec![]),
            0,
            "it never came in"
        );

        let boxes = json!({
            "certificate.ref": "C1",
            "certificate.net_g": 10_000_000,
            "quantity": 90,
            "unit": "XBX",
        });
        assert_eq!(
            exceeded(kept("H1", boxes, 9), vec![]),
            0,
            "boxes are no mass"
        );
    }

    #[test]
    fn every_crossing_that_used_it_is_waited_for() {
        let mut d = dossier(
            bananas("E2", 6_000, &[("C1", Some(20_000))], 2),
            vec![bananas("E1", 15_000, &[("C1", None)], 1).at("QAM")],
            2,
        );

        let phase = |d: &Dossier| {
            let found = crate::reconcile(d);
            found
                .iter()
                .find(|f| f.contradiction.discriminator == "exceeded C1")
                .map(|f| f.phase)
        };

        assert_eq!(phase(&d), Some(Phase::Firm));

        d.watermarks.insert("QAM".into(), 1);
        assert_eq!(phase(&d), Some(Phase::Pending));
    }
}
