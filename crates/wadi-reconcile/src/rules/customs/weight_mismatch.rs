//! R03: declared against weighed mass beyond tolerance; weighings that spread; mass changed after
//! the assessment.

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    numbers::{apart, hours_ms, total, whole},
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
    SpreadOf = "R03-spread-of" {
        record: record, what: code, times: number, least: number, most: number,
    }
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
    if entries.iter().any(|e| e.was_written_before(anchor)) {
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
        let weighing = latest_net(truck, dossier.policy.weight_permille)?;
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

        // The next truck with the rest of the goods may still be on its way.
        let lets_go = ["entry.released", "entry.exited"];
        let is_let_go = entries.iter().any(|e| e.any(&lets_go).next().is_some());
        // So may the truck whose weighing customs disputed, on its way back to a scale.
        let may_change = net < declared_kg || trucks.iter().any(|(t, (w, _))| t.is_disputed(w));
        let due_ms = match may_change && !is_let_go {
            true => at_ms.saturating_add(hours_ms(dossier.policy.counterpart_h)),
            false => at_ms,
        };

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
        .until(crossings, due_ms.max(anchor.ended_ms()))
    })
}

/// Of a record's attested weighings the latest of its load, with the net mass; where all call it
/// empty, the latest of these.
fn latest_net(weighed: &Facts, permille: u32) -> Option<(Fact<'_>, i64)> {
    let all: Vec<(Fact<'_>, i64)> = weighed
        .weighings()
        .filter(Fact::attested)
        .filter_map(|w| Some((w, w.net_kg()?)))
        .collect();
    let mut laden = all.iter().rev();
    let laden = laden.find(|(w, _)| !says_empty(w, permille));
    laden.or(all.last()).copied()
}

/// The entry against the latest attested weighing that stands on it, and on no truck.
fn weighed_itself(dossier: &Dossier) -> Option<Contradiction> {
    let entry = &dossier.anchor;
    let declared_kg = entry.sum("goods", "gross_g")? / 1_000;
    let (weighing, net) = latest_net(entry, dossier.policy.weight_permille)?;

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

/// Whether a weighing itself calls the truck empty: it weighed no more than its tare.
fn says_empty(weighed: &Fact<'_>, permille: u32) -> bool {
    let gross = weighed.int("gross_kg");
    match (gross, weighed.int("tare_kg"), weighed.int("net_kg")) {
        (Some(gross), Some(tare), _) => !beyond(tare, gross, permille),
        (Some(gross), None, Some(net)) => !beyond(gross.saturating_sub(net), gross, permille),
        (None, _, Some(net)) => net <= 0,
        _ => false,
    }
}

/// Whether a weighing tells a gross alone, and another one, of the laden truck, tells that mass as
/// its tare: it was weighed empty on its way out. What nobody attested does not explain away what
/// somebody did.
fn is_tare_of_another(weighed: &Fact<'_>, all: &[Fact<'_>], permille: u32) -> bool {
    let Some(gross) = weighed.int("gross_kg") else {
        return false;
    };
    let is_alone = weighed.int("tare_kg").or(weighed.int("net_kg")).is_none();

    is_alone
        && all.iter().any(|other| {
            let weighs = other.attested() || !weighed.attested();
            let tare = other.int("tare_kg");
            let is_same = tare.is_some_and(|tare| !beyond(tare, gross, permille));
            weighs && is_same && !says_empty(other, permille)
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
    let all: Vec<Fact<'_>> = weighed.weighings().collect();
    let is_laden =
        |w: &&Fact<'_>| !says_empty(w, permille) && !is_tare_of_another(w, &all, permille);
    let laden: Vec<&Fact<'_>> = all.iter().filter(is_laden).collect();

    let gross: Vec<i64> = laden.iter().filter_map(|w| w.int("gross_kg")).collect();
    let net: Vec<i64> = laden.iter().filter_map(|w| w.net_kg()).collect();
    let tare: Vec<i64> = all.iter().filter_map(|w| w.int("tare_kg")).collect();

    // A scale errs by what stands on it: net and tare may differ by what the gross may.
    let greatest = gross
        .iter()
        .max()
        .or(net.iter().max())
        .or(tare.iter().max())?;
    let allowed = greatest
        .saturating_mul(i64::from(permille))
        .checked_div(1_000)?;
    let judged = [("gross", gross), ("net", net), ("tare", tare)];
    let (what, masses, least, most) = judged.into_iter().find_map(|(what, masses)| {
        let (least, most) = (*masses.iter().min()?, *masses.iter().max()?);
        (apart(least, most) > allowed).then_some((what, masses, least, most))
    })?;

    let (record, times) = (weighed.printed(), whole(masses.len()));
    let says = match what {
        "gross" => Says::Spread {
            record,
            times,
            least,
            most,
        },
        _ => Says::SpreadOf {
            record,
            what,
            times,
            least,
            most,
        },
    };

    let at_ms = weighed.last_ms("weighed").unwrap_or_default();
    let evidence = match what {
        "gross" => json!({"gross_kg": masses}),
        "net" => json!({"net_kg": masses}),
        _ => json!({"tare_kg": masses}),
    };

    Some(Contradiction::new("spread", at_ms, says, evidence))
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

    fn ticket(at_ms: i64, attested: bool, masses: serde_json::Value) -> serde_json::Value {
        let mut e = event("weighed", at_ms, masses);
        e["attested"] = attested.into();
        e
    }

    #[test]
    fn net_and_tare_spread_as_well_and_nobody_alone_calls_a_truck_empty() {
        let found = |tickets: &[(bool, serde_json::Value)]| {
            let events: Vec<_> = tickets
                .iter()
                .zip(1..)
                .map(|((attested, masses), at_ms)| ticket(at_ms, *attested, masses.clone()))
                .collect();
            firm("R03", passage("P1", json!({}), &events), vec![])
        };
        let of = |gross: i64, tare: i64| json!({"gross_kg": gross, "tare_kg": tare});
        let gross = |gross: i64| json!({"gross_kg": gross});
        let first = || (true, of(45_000, 15_000));

        let other_tare = [first(), (true, of(45_000, 25_000))];
        assert_eq!(found(&other_tare), [Phase::Firm]);
        let net_alone = [first(), (true, json!({"net_kg": 20_000}))];
        assert_eq!(found(&net_alone), [Phase::Firm]);
        assert_eq!(found(&[first(), (true, json!({"net_kg": 30_500}))]), []);
        assert_eq!(found(&[first(), (true, of(45_900, 15_100))]), []);

        let less = || (true, of(35_000, 15_000));
        let called_empty = [first(), less(), (false, of(45_000, 45_000))];
        assert_eq!(found(&called_empty), [Phase::Firm]);
        let alone = [(true, gross(45_000)), (true, gross(35_000))];
        let as_tare = [&alone[..], &[(false, of(60_000, 45_000))]].concat();
        assert_eq!(found(&as_tare), [Phase::Firm]);

        let empty_again = [first(), (false, of(15_100, 15_100))];
        assert_eq!(found(&empty_again), [], "empty on the way out");
        assert_eq!(found(&[first(), (true, gross(15_100))]), []);
        assert_eq!(
            found(&[(false, of(45_000, 15_000)), (false, gross(15_100))]),
            []
        );
    }

    #[test]
    fn the_rest_of_the_goods_has_a_day_to_come() {
        let declared =
            |more: &[serde_json::Value]| entry("E1", json!({"goods.1.gross_g": 40_000_000}), more);
        let truck = || vec![passage("P1", json!({}), &[weighed(5, 30_000, true)])];
        let due_ms = 5 + 24 * crate::HOUR_MS;
        let found = |anchor: Facts, ms| phases("R03", &dossier(anchor, truck(), ms));

        assert_eq!(found(declared(&[]), due_ms - 1), [Phase::Pending]);
        assert_eq!(found(declared(&[]), due_ms), [Phase::Firm]);
        let released = declared(&[event("entry.released", 9, json!({}))]);
        assert_eq!(found(released, 9), [Phase::Firm], "nothing more may come");
    }

    #[test]
    fn an_empty_truck_on_its_way_out_is_not_what_was_declared() {
        let declared = entry("E1", json!({"goods.1.gross_g": 20_000_000}), &[]);
        let tickets = [
            weighed(5, 30_000, true),
            ticket(6, true, json!({"gross_kg": 10_000, "tare_kg": 10_000})),
        ];
        let truck = |tickets: &[serde_json::Value]| vec![passage("P1", json!({}), tickets)];
        assert_eq!(firm("R03", declared.clone(), truck(&tickets)), []);
        let came_empty = truck(&tickets[1..]);
        assert_eq!(firm("R03", declared, came_empty), [Phase::Firm]);
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
    }

    #[test]
    fn a_weighing_that_is_disputed_counts_until_the_truck_is_weighed_again() {
        let declared =
            |more: &[serde_json::Value]| entry("E1", json!({"goods.1.gross_g": 20_000_000}), more);
        let disputed = event("weighing.disputed", 7, json!({"weighing": "weighed@5"}));
        let truck = |more: &[serde_json::Value]| {
            let first = [weighed(5, 40_000, true), disputed.clone()];
            vec![passage("P1", json!({}), &[&first[..], more].concat())]
        };
        let found = |more: &[serde_json::Value]| firm("R03", declared(&[]), truck(more));

        assert_eq!(found(&[]), [Phase::Firm], "and never weighed again");
        assert_eq!(found(&[weighed(9, 30_000, true)]), []);
        assert_eq!(
            found(&[weighed(9, 30_000, false)]),
            [Phase::Firm],
            "nobody stands for the second one"
        );
        let before = [
            weighed(3, 30_000, true),
            weighed(5, 40_000, true),
            disputed.clone(),
        ];
        assert_eq!(
            firm(
                "R03",
                declared(&[]),
                vec![passage("P1", json!({}), &before)]
            ),
            [Phase::Firm],
            "the other one was there when it was weighed"
        );

        let due_ms = 5 + 24 * crate::HOUR_MS;
        let waits = |anchor, ms| phases("R03", &dossier(anchor, truck(&[]), ms));
        assert_eq!(waits(declared(&[]), due_ms - 1), [Phase::Pending]);
        let released = declared(&[event("entry.released", 9, json!({}))]);
        assert_eq!(waits(released, 9), [Phase::Firm]);

        let spread = [weighed(5, 40_000, true), weighed(6, 30_000, true)];
        let passage_of =
            |more: &[serde_json::Value]| passage("P1", json!({}), &[&spread[..], more].concat());
        assert_eq!(firm("R03", passage_of(&[disputed]), vec![]), []);
        let last = event("weighing.disputed", 7, json!({"weighing": "weighed@6"}));
        assert_eq!(firm("R03", passage_of(&[last]), vec![]), [Phase::Firm]);
    }
}
