//! R04: one plate or container at two crossings sooner than the distance allows.

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    numbers::{apart, hours_ms},
    sentences,
};
use serde_json::json;
use wadi_record::member_term;

pub(crate) const RULE: Rule = Rule {
    code: "R04",
    name: "impossible_journey",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    TwoPlaces = "R04-two-places" {
        what: name, there: crossing, here: crossing, minutes: number, km: number, needed: number,
    }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    // One that was recorded in error tells of no truck.
    let is_voided = |p: &Facts| p.state() == "VOID";
    if !anchor.is_passage() || is_voided(anchor) {
        return Vec::new();
    }

    let elsewhere = dossier
        .of("passage")
        .filter(|p| p.crossing() != anchor.crossing() && !is_voided(p));

    // Of the two records the later one carries the finding.
    let earlier = elsewhere.filter(|p| p.was_written_before(anchor));
    earlier.filter_map(|p| check(dossier, p)).collect()
}

/// Whether the record is told together with another one as a vehicle at two places at once: that it
/// came twice has the same cause.
pub(crate) fn is_told_with(dossier: &Dossier, other: &Facts) -> bool {
    let is_elsewhere = other.crossing() != dossier.anchor.crossing() && other.state() != "VOID";
    is_elsewhere && check(dossier, other).is_some()
}

fn check(dossier: &Dossier, other: &Facts) -> Option<Contradiction> {
    let anchor = &dossier.anchor;
    let same = shared(anchor, other)?;
    let mut pair = [anchor.crossing(), other.crossing()];
    pair.sort_unstable();

    let km = *dossier.policy.distances_km.get(&pair.join("-"))?;
    let needed_ms = hours_ms(km)
        .checked_div(i64::from(dossier.policy.speed_kmh.max(1)))
        .unwrap_or(i64::MAX);
    let (gap_ms, here_ms, there_ms) = nearest(&times(anchor), &times(other))?;

    (gap_ms < needed_ms).then(|| {
        Contradiction::new(
            other.id.clone(),
            here_ms,
            Says::TwoPlaces {
                what: &same,
                there: other.crossing(),
                here: anchor.crossing(),
                minutes: gap_ms / 60_000,
                km: km.into(),
                needed: needed_ms / 60_000,
            },
            json!({
                "what": same,
                "other": other.printed(),
                "here_ms": here_ms,
                "there_ms": there_ms,
                "km": km,
            }),
        )
        .citing(anchor, seen_by(anchor, &same, here_ms))
        .citing(other, seen_by(other, &same, there_ms))
    })
}

/// What proves that a vehicle was there. Once a record is handed over nobody can say at which
/// crossing an event of it happened; what was written before happened at its own.
fn proofs(p: &Facts) -> impl Iterator<Item = Fact<'_>> {
    let handed_over = p.of_types(|t| t.name == "handed_over");
    let until_ms = handed_over.map(|e| e.said_from_ms()).min();
    p.of_types(|t| t.proves_presence)
        .filter(move |e| until_ms.is_none_or(|ms| e.known_from_ms() < ms))
}

/// When a vehicle was there, by what proves it, ascending.
fn times(p: &Facts) -> Vec<i64> {
    let mut times: Vec<i64> = proofs(p).map(|e| e.at_ms()).collect();
    times.sort_unstable();
    times
}

/// The entries that prove that a vehicle was there at a time, and those that tell which it was.
fn seen_by<'a>(p: &'a Facts, same: &'a str, at_ms: i64) -> impl Iterator<Item = &'a str> {
    let proofs = proofs(p).filter(move |e| e.at_ms() == at_ms);
    let named = p.put_where(move |name, text| {
        let is_known_by = matches!(name, "vehicle.plate" | "trailer.plate");
        (is_known_by || name.starts_with("container.")) && member_term("plate", text) == same
    });
    proofs.map(|e| e.entry()).chain(named)
}

/// Of all pairs of times, both ascending, the one that lies closest together: gap, one, other.
fn nearest(here: &[i64], there: &[i64]) -> Option<(i64, i64, i64)> {
    let gaps = here.iter().flat_map(|h| {
        let after = there.partition_point(|t| t < h);
        let before = after.checked_sub(1);
        let neighbours = before
            .into_iter()
            .chain([after])
            .filter_map(|n| there.get(n));

        neighbours.map(move |t| (apart(*h, *t), *h, *t))
    });

    gaps.min()
}

fn shared(a: &Facts, b: &Facts) -> Option<String> {
    let terms = |p: &Facts| -> Vec<String> {
        let plates = ["vehicle.plate", "trailer.plate"]
            .into_iter()
            .filter_map(|f| p.field(f));
        plates
            .chain(p.texts("container", ""))
            .map(|text| member_term("plate", text))
            .filter(|term| !term.is_empty())
            .collect()
    };

    let theirs = terms(b);
    terms(a).into_iter().find(|t| theirs.contains(t))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phase, tests::*};

    #[test]
    fn the_closest_of_all_pairs_is_found_without_looking_at_all() {
        assert_eq!(nearest(&[10, 50, 90], &[0, 58, 70]), Some((8, 50, 58)));
        assert_eq!(
            nearest(&[i64::MIN, i64::MAX], &[0]),
            Some((i64::MAX, i64::MIN, 0))
        );
        assert_eq!(nearest(&[], &[0]), None);
    }

    fn found(minutes: i64, plate: &str, crossing: &str) -> Vec<Phase> {
        let seen = |at_ms| [event("gate.in", at_ms, json!({}))];
        let first = passage("P1", json!({"vehicle.plate": "22A1"}), &seen(0)).at(crossing);
        firm(
            "R04",
            passage(
                "P2",
                json!({"vehicle.plate": plate}),
                &seen(minutes * 60_000),
            ),
            vec![first],
        )
    }

    #[test]
    fn it_fires_when_a_truck_would_have_had_to_fly() {
        // 260 km at 110 km/h take 141 minutes.
        assert_eq!(found(140, "22A1", "QAM"), [Phase::Firm]);
        assert_eq!(found(142, "22A1", "QAM"), []);
        assert_eq!(found(140, "22A2", "QAM"), [], "another truck");
        assert_eq!(found(1, "22A1", "WLD"), [], "no distance is laid down");
    }

    #[test]
    fn what_was_typed_in_error_flies_nowhere_and_a_hand_over_hides_nothing_before_it() {
        let plate = json!({"vehicle.plate": "22A1"});
        let seen = |at_ms| event("gate.in", at_ms, json!({}));
        let here = || passage("P2", plate.clone(), &[seen(60_000)]);
        let there = |events: &[serde_json::Value]| passage("P1", plate.clone(), events).at("QAM");
        let found = |first: Facts| firm("R04", here(), vec![first]);
        assert_eq!(found(there(&[seen(0)])), [Phase::Firm]);
        assert_eq!(found(there(&[seen(0)]).state_is("VOID")), []);
        let in_error = here().state_is("VOID");
        assert_eq!(firm("R04", in_error, vec![there(&[seen(0)])]), []);

        for none in ["UNKNOWN", "N/A", "0", "بدون"] {
            let with = json!({"vehicle.plate": none});
            let first = passage("P1", with.clone(), &[seen(0)]).at("QAM");
            let second = passage("P2", with, &[seen(60_000)]);
            assert_eq!(firm("R04", second, vec![first]), [], "{none} is no plate");
        }

        let mut claimed = seen(0);
        claimed["entered_ms"] = 90_000.into();
        let late = there(std::slice::from_ref(&claimed));
        assert_eq!(found(late.clone()), [], "whoever wrote second carries it");
        assert_eq!(firm("R04", late, vec![here()]), [Phase::Firm]);

        let over = |at_ms| event("handed_over", at_ms, json!({"to": "TRB"}));
        let handed = |at_ms| there(&[seen(0), over(at_ms)]);
        assert_eq!(found(handed(30_000)), [Phase::Firm], "it was there before");
        assert_eq!(found(handed(-1)), [], "nobody can say where it was by then");
    }

    #[test]
    fn what_saw_the_vehicle_at_either_crossing_is_cited() {
        let plate = json!({"vehicle.plate": "22A1"});
        let seen = |kind: &str, at_ms| event(kind, at_ms, json!({}));
        let first = passage("P1", plate.clone(), &[seen("gate.in", 0)]).at("QAM");
        let events = [seen("gate.in", 60_000), seen("parked", 3_000_000)];
        let second = passage("P2", plate, &events);

        assert_eq!(
            cited("R04", second, vec![first]),
            [
                side("P1", &["entry gate.in@0", "fields of P1"]),
                side("P2", &["entry gate.in@60000", "fields of P2"]),
            ]
        );
    }
}
