//! R07, over the cohort of a plate's neighbourhood: plates that differ by characters cameras take
//! for each other, and one plate with two vehicle numbers.

use crate::{
    Contradiction, Dossier, Facts, Rule,
    numbers::{apart, hours_ms},
    sentences,
};
use serde_json::json;
use wadi_record::{member_term, normalise_plate, plate_shape, says_nothing};

pub(crate) const RULE: Rule = Rule {
    code: "R07",
    name: "near_duplicate_vehicle",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    TwoPlates = "R07-two-plates" { theirs: name, own: name }
    TwoNumbers = "R07-two-numbers" { plate: name, theirs: name, own: name }
    Misread = "R07-misread" { own: name, theirs: name }
}

fn plate(p: &Facts) -> Option<String> {
    p.field("vehicle.plate")
        .map(|text| member_term("plate", text))
        .filter(|p| !p.is_empty())
}

fn vin(p: &Facts) -> Option<&str> {
    p.field("vehicle.vin").filter(|text| !says_nothing(text))
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let (true, Some(own)) = (anchor.is_passage(), plate(anchor)) else {
        return Vec::new();
    };
    let others = dossier
        .peers
        .iter()
        .chain(&dossier.linked)
        .filter(|p| p.is_passage());

    let earlier = others.filter(|p| p.was_written_before(anchor));
    // Two near-equal plates at one crossing further apart than this are two trucks; nearer, they
    // may be one, misread.
    let together_ms = hours_ms(dossier.policy.lookalike_h);

    earlier
        .filter_map(|p| check(anchor, &own, p, together_ms))
        .collect()
}

fn check(anchor: &Facts, own: &str, other: &Facts, together_ms: i64) -> Option<Contradiction> {
    let theirs = plate(other)?;
    let vins = (vin(anchor), vin(other));
    let one_vin = matches!(vins, (Some(a), Some(b)) if normalise_plate(a) == normalise_plate(b));
    let says = if one_vin && theirs != own {
        Says::TwoPlates {
            theirs: &theirs,
            own,
        }
    } else if theirs == own {
        let (Some(a), Some(b)) = vins else {
            return None;
        };
        (normalise_plate(a) != normalise_plate(b)).then_some(Says::TwoNumbers {
            plate: own,
            theirs: b,
            own: a,
        })?
    } else {
        let near = plate_shape(&theirs) == plate_shape(own)
            && anchor.crossing() == other.crossing()
            && apart(anchor.began_ms(), other.began_ms()) < together_ms;
        near.then_some(Says::Misread {
            own,
            theirs: &theirs,
        })?
    };

    let evidence =
        json!({"plates": [own, theirs], "vins": [vins.0, vins.1], "other": other.printed()});
    let found = Contradiction::new(other.id.clone(), anchor.began_ms(), says, evidence)
        .citing(anchor, named_by(anchor))
        .citing(other, named_by(other));

    Some(found)
}

/// The entries that tell which vehicle it is.
fn named_by(p: &Facts) -> impl Iterator<Item = &str> {
    p.put_by(|name| matches!(name, "vehicle.plate" | "vehicle.vin"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    fn met(first: serde_json::Value, second: serde_json::Value, hours: i64) -> Dossier {
        let seen = |at_ms| [event("gate.in", at_ms, json!({}))];
        let mut d = dossier(passage("P2", second, &seen(hours * HOUR_MS)), vec![], 0);
        d.peers.push(passage("P1", first, &seen(0)));
        d
    }

    fn found(first: serde_json::Value, second: serde_json::Value, hours: i64) -> Vec<Phase> {
        phases("R07", &met(first, second, hours))
    }

    #[test]
    fn it_fires_on_a_plate_misread_and_on_one_plate_with_two_vehicle_numbers() {
        let plate = |p: &str| json!({"vehicle.plate": p});
        assert_eq!(found(plate("11O123"), plate("110123"), 1), [Phase::Firm]);
        assert_eq!(
            found(plate("11O123"), plate("110124"), 1),
            [],
            "another plate"
        );

        assert_eq!(
            found(plate("11O123"), plate("110123"), 13),
            [],
            "another day's truck"
        );

        let vin = |v: &str| json!({"vehicle.plate": "11A1", "vehicle.vin": v});
        assert_eq!(
            found(vin("1M8GDM9AXKP042788"), vin("1M8GDM9A1KP042788"), 99),
            [Phase::Firm]
        );
        assert_eq!(
            found(vin("1M8GDM9AXKP042788"), vin("1m8gdm9axkp042788"), 99),
            []
        );

        let replated = json!({"vehicle.plate": "77B2", "vehicle.vin": "1M8GDM9AXKP042788"});
        assert_eq!(found(vin("1M8GDM9AXKP042788"), replated, 99), [Phase::Firm]);
    }

    #[test]
    fn a_number_that_says_that_there_is_none_is_nobodys() {
        let numbered = |plate: &str, vin: &str| json!({"vehicle.plate": plate, "vehicle.vin": vin});
        let known = numbered("11A1", "1M8GDM9AXKP042788");
        for none in ["UNKNOWN", "N/A", "000", "بدون"] {
            let (one, other) = (numbered("11A1", none), numbered("77B2", none));
            assert_eq!(found(one.clone(), other, 99), [], "{none}");
            assert_eq!(found(one, known.clone(), 99), [], "{none}");
        }
    }

    #[test]
    fn how_long_two_plates_may_be_one_is_the_policys_to_say() {
        let plate = |p: &str| json!({"vehicle.plate": p});
        let mut d = met(plate("11O123"), plate("110123"), 13);
        assert_eq!(
            phases("R07", &d),
            [],
            "twelve hours, where the policy says nothing"
        );

        d.policy.lookalike_h = 14;
        assert_eq!(phases("R07", &d), [Phase::Firm]);

        d.policy.lookalike_h = 13;
        assert_eq!(phases("R07", &d), []);
    }

    #[test]
    fn the_plates_and_numbers_of_both_are_cited() {
        let plate = |p: &str| json!({"vehicle.plate": p});
        assert_eq!(
            cited_of("R07", &met(plate("11O123"), plate("110123"), 1), "cites"),
            [side("P1", &["fields of P1"]), side("P2", &["fields of P2"])]
        );
    }
}
