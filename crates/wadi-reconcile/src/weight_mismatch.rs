//! R03: declared against weighed mass beyond tolerance; weighings that spread; mass changed after the assessment.

use crate::{Contradiction, Dossier, Fact, Facts, Rule};
use serde_json::json;

pub(crate) const RULE: Rule = Rule { code: "R03", name: "weight_mismatch", severity: 1, judge };

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    match anchor.kind() {
        "passage" => spread(dossier, anchor).into_iter().collect(),
        "customs-entry" => {
            dossier.of("passage").filter_map(|p| declared(dossier, p)).chain(changed_after(anchor)).collect()
        }
        _ => Vec::new(),
    }
}

/// What the cargo weighed, kilograms.
fn net_kg(weighed: &Fact<'_>) -> Option<i64> {
    weighed.int("net_kg").or_else(|| Some(weighed.int("gross_kg")? - weighed.int("tare_kg")?))
}

fn beyond(a: i64, b: i64, permille: u32) -> bool {
    (a - b).abs().saturating_mul(1_000) > a.max(b).saturating_mul(i64::from(permille))
}

/// Of several weighings the latest attested one counts.
fn declared(dossier: &Dossier, passage: &Facts) -> Option<Contradiction> {
    let declared_kg = dossier.anchor.sum("goods", "gross_g")? / 1_000;
    let weighings: Vec<(Fact<'_>, i64)> =
        passage.events("weighed").filter(Fact::attested).filter_map(|w| Some((w, net_kg(&w)?))).collect();
    let (weighing, net) = weighings.last()?;
    beyond(declared_kg, *net, dossier.policy.weight_permille).then(|| {
        Contradiction::new(
            format!("declared {}", passage.id),
            weighing.at_ms(),
            format!("{declared_kg} kg declared, {net} kg weighed on {}", passage.printed()),
            json!({"declared_kg": declared_kg, "weighed_kg": net, "weighing": weighing.entry()}),
        )
        // A second weighing, or an amended declaration, may still be on its way.
        .until([passage.crossing(), dossier.anchor.crossing()], weighing.at_ms().max(dossier.anchor.ended_ms()))
    })
}

fn spread(dossier: &Dossier, passage: &Facts) -> Option<Contradiction> {
    let gross: Vec<i64> = passage.events("weighed").filter_map(|w| w.int("gross_kg")).collect();
    let (least, most) = (*gross.iter().min()?, *gross.iter().max()?);
    beyond(least, most, dossier.policy.weight_permille).then(|| {
        Contradiction::new(
            "spread",
            passage.last_ms("weighed").unwrap_or_default(),
            format!("{} was weighed {} times, from {least} to {most} kg", passage.printed(), gross.len()),
            json!({"gross_kg": gross}),
        )
    })
}

fn changed_after(entry: &Facts) -> Option<Contradiction> {
    let all = entry.json["after_assessment"].as_array()?.iter().filter_map(|n| n.as_str());
    let mass: Vec<&str> = all.filter(|n| n.ends_with("_g")).collect();
    (!mass.is_empty()).then(|| {
        Contradiction::new(
            "after assessment",
            entry.last_ms("assessed").unwrap_or_default(),
            format!("{} was changed after the assessment of {}", mass.join(", "), entry.printed()),
            json!({"fields": mass}),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    fn weighed(at_ms: i64, gross_kg: i64, attested: bool) -> serde_json::Value {
        let mut e = event("weighed", at_ms, json!({"gross_kg": gross_kg, "tare_kg": 10_000}));
        e["attested"] = attested.into();
        e
    }

    #[test]
    fn it_compares_what_was_declared_with_the_latest_attested_weighing() {
        let declared = entry("E1", json!({"goods.1.gross_g": 20_000_000}), &[]);
        let truck = |kg, attested| vec![passage("P1", json!({}), &[weighed(5, kg, attested)])];
        assert_eq!(phases("R03", &dossier(declared.clone(), truck(31_000, true), 4)), [Phase::Pending]);
        assert_eq!(firm("R03", declared.clone(), truck(31_000, true)), [Phase::Firm]);
        assert_eq!(firm("R03", declared.clone(), truck(30_500, true)), [], "within three in a hundred");
        assert_eq!(firm("R03", declared.clone(), truck(31_000, false)), [], "unattested");
        let again = vec![passage("P1", json!({}), &[weighed(5, 31_000, true), weighed(6, 30_000, true)])];
        assert_eq!(firm("R03", declared, again), [], "weighed again, and attested");
    }

    #[test]
    fn it_fires_on_weighings_that_spread_and_on_mass_changed_after_the_assessment() {
        let truck = |second| passage("P1", json!({}), &[weighed(1, 30_000, false), weighed(2, second, false)]);
        assert_eq!(firm("R03", truck(31_000), vec![]), [Phase::Firm]);
        assert_eq!(firm("R03", truck(30_500), vec![]), []);
        let late = |field: &str| entry("E1", json!({}), &[]).with("after_assessment", json!([field]));
        assert_eq!(firm("R03", late("goods.1.net_g"), vec![]), [Phase::Firm]);
        assert_eq!(firm("R03", late("goods.1.origin"), vec![]), []);
    }
}
