//! R03: declared against weighed mass beyond tolerance; weighings that spread; mass changed after
//! the assessment.

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    numbers::{apart, total, whole},
    sentences,
};
use serde_json::json;

pub(crate) const RULE: Rule = Rule {
    code: "R03",
    name: "weight_mismatch",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Declared = "R03-declared" { declared: number, weighed: number, trucks: records }
    DeclaredItself = "R03-declared-itself" { declared: number, weighed: number, entry: record }
    Spread = "R03-spread" { record: record, times: number, least: number, most: number }
    AfterAssessment = "R03-after-assessment" { fields: fields, entry: record }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    match anchor.kind() {
        "passage" => spread(dossier, anchor).into_iter().collect(),
        "customs-entry" => declared(dossier)
            .into_iter()
            .chain(weighed_itself(dossier))
            .chain(spread(dossier, anchor))
            .chain(changed_after(anchor))
            .collect(),
        _ => Vec::new(),
    }
}

/// What the cargo weighed, kilograms.
fn net_kg(weighed: &Fact<'_>) -> Option<i64> {
    weighed.int("net_kg").or_else(|| {
        Some(
            weighed
                .int("gross_kg")?
                .saturating_sub(weighed.int("tare_kg")?),
        )
    })
}

fn beyond(a: i64, b: i64, permille: u32) -> bool {
    apart(a, b).saturating_mul(1_000) > a.max(b).saturating_mul(i64::from(permille))
}

/// All entries of one journey against all its trucks; of each truck's weighings the latest attested
/// one counts.
fn declared(dossier: &Dossier) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let live = |e: &&Facts| e.state() != "CANCELLED" && e.sum("goods", "gross_g").is_some();
    let entries: Vec<&Facts> = dossier
        .journey("customs-entry")
        .filter(live)
        .chain([anchor])
        .collect();

    // Of several entries on one truck the first carries the finding.
    if entries
        .iter()
        .any(|e| (e.began_ms(), &e.id) < (anchor.began_ms(), &anchor.id))
    {
        return None;
    }

    let grams: Vec<i64> = entries
        .iter()
        .filter_map(|e| e.sum("goods", "gross_g"))
        .collect();
    let declared_kg = (!grams.is_empty()).then(|| total(grams) / 1_000)?;
    let mut trucks = Vec::new();

    for truck in dossier.journey("passage") {
        // A truck of the journey that nobody weighed: the sum cannot be compared.
        let weighing = valid(truck)
            .filter(Fact::attested)
            .filter_map(|w| Some((w, net_kg(&w)?)))
            .last()?;
        trucks.push((truck, weighing));
    }

    let net = total(trucks.iter().map(|(_, (_, net))| *net));
    let at_ms = trucks.iter().map(|(_, (w, _))| w.at_ms()).max()?;

    beyond(declared_kg, net, dossier.policy.weight_permille).then(|| {
        let names: Vec<&str> = trucks.iter().map(|(t, _)| t.printed()).collect();
        let weighings: Vec<&str> = trucks.iter().map(|(_, (w, _))| w.entry()).collect();
        let crossings = trucks
            .iter()
            .map(|(t, _)| t.crossing())
            .chain([anchor.crossing()]);

        Contradiction::new(
            "declared",
            at_ms,
            Says::Declared {
                declared: declared_kg,
                weighed: net,
                trucks: &names,
            },
            json!({"declared_kg": declared_kg, "weighed_kg": net, "weighings": weighings}),
        )
        // A second weighing, or an amended declaration, may still be on its way.
        .until(crossings, at_ms.max(anchor.ended_ms()))
    })
}

/// The entry against the latest attested weighing that stands on it, and on no truck.
fn weighed_itself(dossier: &Dossier) -> Option<Contradiction> {
    let entry = &dossier.anchor;
    let declared_kg = entry.sum("goods", "gross_g")? / 1_000;
    let (weighing, net) = valid(entry)
        .filter(Fact::attested)
        .filter_map(|w| Some((w, net_kg(&w)?)))
        .last()?;

    beyond(declared_kg, net, dossier.policy.weight_permille).then(|| {
        let at_ms = weighing.at_ms();
        Contradiction::new(
            "declared itself",
            at_ms,
            Says::DeclaredItself {
                declared: declared_kg,
                weighed: net,
                entry: entry.printed(),
            },
            json!({
                "declared_kg": declared_kg,
                "weighed_kg": net,
                "weighings": [weighing.entry()],
            }),
        )
        .until([entry.crossing()], at_ms.max(entry.ended_ms()))
    })
}

/// Weighings that customs has not disputed.
fn valid(truck: &Facts) -> impl Iterator<Item = Fact<'_>> {
    truck.events("weighed").filter(|w| {
        !truck
            .events("weighing.disputed")
            .any(|d| d.text("weighing") == Some(w.id()))
    })
}

fn spread(dossier: &Dossier, weighed: &Facts) -> Option<Contradiction> {
    // A truck that was unloaded between weighs less by right.
    if weighed
        .any(&["unloaded", "reloaded", "transhipped"])
        .next()
        .is_some()
    {
        return None;
    }

    let permille = dossier.policy.weight_permille;
    let tares: Vec<i64> = valid(weighed).filter_map(|w| w.int("tare_kg")).collect();
    let empty = |gross: &i64| tares.iter().any(|t| !beyond(*t, *gross, permille));
    let gross: Vec<i64> = valid(weighed)
        .filter_map(|w| w.int("gross_kg"))
        .filter(|g| !empty(g))
        .collect();
    let (least, most) = (*gross.iter().min()?, *gross.iter().max()?);

    beyond(least, most, permille).then(|| {
        Contradiction::new(
            "spread",
            weighed.last_ms("weighed").unwrap_or_default(),
            Says::Spread {
                record: weighed.printed(),
                times: whole(gross.len()),
                least,
                most,
            },
            json!({"gross_kg": gross}),
        )
    })
}

fn changed_after(entry: &Facts) -> Option<Contradiction> {
    let all = entry.json["after_assessment"]
        .as_array()?
        .iter()
        .filter_map(|n| n.as_str());
    let mass: Vec<&str> = all.filter(|n| n.ends_with("_g")).collect();

    (!mass.is_empty()).then(|| {
        Contradiction::new(
            "after assessment",
            entry.last_ms("assessed").unwrap_or_default(),
            Says::AfterAssessment {
                fields: &mass,
                entry: entry.printed(),
            },
            json!({"fields": mass}),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn weighed(at_ms: i64, gross_kg: i64, attested: bool) -> serde_json::Value {
        let mut e = event(
            "weighed",
            at_ms,
            json!({"gross_kg": gross_kg, "tare_kg": 10_000}),
        );

        e["attested"] = attested.into();
        e
    }

    #[test]
    fn it_compares_what_was_declared_with_the_latest_attested_weighing() {
        let declared = entry("E1", json!({"goods.1.gross_g": 20_000_000}), &[]);
        let truck = |kg, attested| vec![passage("P1", json!({}), &[weighed(5, kg, attested)])];
        assert_eq!(
            phases("R03", &dossier(declared.clone(), truck(31_000, true), 4)),
            [Phase::Pending]
        );
        assert_eq!(
            firm("R03", declared.clone(), truck(31_000, true)),
            [Phase::Firm]
        );
        assert_eq!(
            firm("R03", declared.clone(), truck(30_500, true)),
            [],
            "within three in a hundred"
        );

        assert_eq!(
            firm("R03", declared.clone(), truck(31_000, false)),
            [],
            "unattested"
        );

        let again = vec![passage(
            "P1",
            json!({}),
            &[weighed(5, 31_000, true), weighed(6, 30_000, true)],
        )];

        assert_eq!(
            firm("R03", declared.clone(), again),
            [],
            "weighed again, and attested"
        );

        let second = |at, kg| passage("P2", json!({}), &[weighed(at, kg, true)]);
        let two = |kg| vec![truck(20_000, true).remove(0), second(6, kg)];
        assert_eq!(
            firm("R03", declared.clone(), two(20_000)),
            [],
            "two trucks carry it"
        );

        assert_eq!(firm("R03", declared.clone(), two(23_000)), [Phase::Firm]);

        let earlier = vec![
            truck(30_500, true).remove(0),
            second(-9_000_000_000, 44_000),
        ];
        assert_eq!(firm("R03", declared, earlier), [], "another journey");
    }

    #[test]
    fn what_only_shares_a_declarants_reference_is_another_journey() {
        let of_plate = |id: &str, plate: &str, kg: i64| {
            let fields = json!({
                "vehicle.plate": plate, "declarant_ref": "REF-7", "goods.1.gross_g": 20_000_000,
            });
            (
                entry(&format!("E{id}"), fields, &[]),
                passage(
                    &format!("P{id}"),
                    json!({"vehicle.plate": plate}),
                    &[weighed(5, kg, true)],
                ),
            )
        };
        let (honest, its_truck) = of_plate("1", "11A1", 30_000);
        let (other, other_truck) = of_plate("2", "22B2", 40_000);
        let all = |without: &str| -> Vec<Facts> {
            let all = [&honest, &its_truck, &other, &other_truck];
            all.into_iter()
                .filter(|f| f.id != without)
                .cloned()
                .collect()
        };

        assert_eq!(firm("R03", honest.clone(), all("E1")), []);
        assert_eq!(firm("R03", other.clone(), all("E2")), [Phase::Firm]);
    }

    #[test]
    fn it_fires_on_weighings_that_spread_and_on_mass_changed_after_the_assessment() {
        let truck = |second| {
            passage(
                "P1",
                json!({}),
                &[weighed(1, 30_000, false), weighed(2, second, false)],
            )
        };

        assert_eq!(firm("R03", truck(31_000), vec![]), [Phase::Firm]);
        assert_eq!(firm("R03", truck(30_500), vec![]), []);
        assert_eq!(
            firm("R03", truck(10_100), vec![]),
            [],
            "empty on the way out"
        );

        let late =
            |field: &str| entry("E1", json!({}), &[]).with("after_assessment", json!([field]));
        assert_eq!(firm("R03", late("goods.1.net_g"), vec![]), [Phase::Firm]);
        assert_eq!(firm("R03", late("goods.1.origin"), vec![]), []);
    }

    #[test]
    fn weighings_of_an_entry_are_compared_with_it_and_with_each_other() {
        let goods = |weighings: &[serde_json::Value]| {
            entry("E1", json!({"goods.1.gross_g": 20_000_000}), weighings)
        };
        let found = |weighings: &[serde_json::Value]| firm("R03", goods(weighings), vec![]);

        assert_eq!(found(&[weighed(5, 31_000, true)]), [Phase::Firm]);
        assert_eq!(found(&[weighed(5, 30_500, true)]), []);
        assert_eq!(found(&[weighed(5, 31_000, false)]), [], "unattested");
        assert_eq!(
            found(&[weighed(5, 33_000, false), weighed(6, 30_000, true)]),
            [Phase::Firm],
            "they spread"
        );

        let disputed = event("weighing.disputed", 7, json!({"weighing": "weighed@5"}));
        assert_eq!(found(&[weighed(5, 31_000, true), disputed]), []);
    }
}
