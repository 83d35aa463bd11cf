//! A seal that stands on two passages. It closes one door once: where it comes again on another
//! load it was taken off and put on again, or copied. One load comes by more than once with its
//! seal as it was: a transit comes in and goes out, a truck that was sent back or on comes again,
//! a trailer is fetched by another tractor, and of one arrival a camera and a clerk may begin a
//! record each. What is only announced closes nothing yet.

use super::Says;
use crate::{Contradiction, Dossier, Facts, numbers::hours_ms};
use serde_json::json;
use std::collections::BTreeSet;
use wadi_record::says_nothing;

/// The seal that an earlier passage had, where that carried another load.
pub(super) fn reused(
    dossier: &Dossier,
    seals: &BTreeSet<&str>,
    other: &Facts,
) -> Option<Contradiction> {
    let passage = &dossier.anchor;
    if [passage, other].into_iter().any(is_only_announced) {
        return None;
    }

    let mut same = seals.iter().filter(|s| other.has_among("seal", s));
    let seal = same
        .next()
        .filter(|_| !passage.shares_any(other, "container") && !is_one_load(dossier, other))?;

    Some(Contradiction::new(
        format!("reused {seal}"),
        passage.began_ms(),
        Says::Reused {
            seal,
            other: other.printed(),
        },
        json!({"seal": seal, "other": other.printed()}),
    ))
}

/// Whether nobody saw a vehicle yet: what is announced closes nothing.
fn is_only_announced(passage: &Facts) -> bool {
    let mut seen = passage.of_types(|t| t.proves_presence || t.name == "arrived");
    passage.state() == "ANNOUNCED" && seen.next().is_none()
}

/// Whether a vehicle that shares no container came by with the same load before, and nobody touched
/// it: what was recorded in error was no load at all.
fn is_one_load(dossier: &Dossier, before: &Facts) -> bool {
    let passage = &dossier.anchor;
    if [passage, before].iter().any(|p| p.state() == "VOID") {
        return true;
    }

    // A vehicle with other containers has another load.
    let has_boxes = |p: &Facts| {
        p.texts("container", "")
            .iter()
            .any(|text| !says_nothing(text))
    };
    if has_boxes(passage) && has_boxes(before) {
        return false;
    }

    // A trailer that its tractor left on the lot, and another one fetched.
    if is_untouched(before) && dossier.took_trailer(passage, before) {
        return true;
    }

    // What is said of the first journey once the second has begun is said by who knows of it.
    let mut sent = before.any(&["turned_back", "diverted"]);
    let was_sent = sent.any(|e| e.known_from_ms() <= passage.written_ms());
    let ways = [before.direction(), passage.direction()];
    let is_transit = before.shares(passage, "transit.ref") && ways == [Some("in"), Some("out")];
    let left_ms = dossier.left_by_ms(passage);
    let is_back = ways == [Some("out"), Some("in")]
        && dossier.is_near(before, passage)
        && before.was_linked_by(passage, left_ms);

    let goes_on = was_sent || is_transit || is_back || is_second_record(dossier, before);
    before.shares_vehicle(passage) && is_untouched(before) && goes_on
}

/// Whether two records are of one arrival: at one gate, within hours, and the vehicle did not leave
/// between.
fn is_second_record(dossier: &Dossier, before: &Facts) -> bool {
    let passage = &dossier.anchor;
    let apart_ms = passage.began_ms().saturating_sub(before.began_ms());
    let is_at_once = apart_ms.saturating_abs() < hours_ms(dossier.policy.lookalike_h);
    let was_gone = before
        .left()
        .is_some_and(|left| left.at_ms < passage.began_ms());

    let is_same_gate =
        before.crossing() == passage.crossing() && before.direction() == passage.direction();
    is_same_gate && is_at_once && !was_gone
}

/// Whether nothing is said by which the doors of a passage were opened.
fn is_untouched(before: &Facts) -> bool {
    let mut opened = before.any(&["unloaded", "reloaded", "transhipped"]);
    opened.next().is_none()
}

#[cfg(test)]
mod tests {
    use crate::{Facts, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;

    fn tractor(id: &str, plate: &str, trailer: &str, in_ms: i64, more: &[Json]) -> Facts {
        let gates = [
            event("gate.in", in_ms, json!({})),
            event("parked", in_ms + 1, json!({"bay": "B1"})),
            event("gate.out", in_ms + H, json!({})),
        ];
        let fields = json!({
            "direction": "in",
            "seal.1": "S1",
            "trailer.plate": trailer,
            "vehicle.plate": plate,
        });
        let told = json!([
            {"entry": "t", "officer": "OF-7", "fields": ["trailer.plate"]},
            {"entry": "s", "officer": "OF-C2", "fields": ["seal.1"]},
        ]);
        passage(id, fields, &[&gates, more].concat()).with("put_by", told)
    }

    #[test]
    fn the_seal_of_a_trailer_stays_on_it_when_another_tractor_fetches_it() {
        let found = |trailer: &str, more: &[Json]| {
            let first = tractor("P1", "11A1", "T-1", 0, more);
            let second = tractor("P2", "22B2", trailer, 20 * H, &[]);
            firm("R09", second, vec![first])
        };

        assert_eq!(found("T-1", &[]), []);
        assert_eq!(found("T-2", &[]), [Phase::Firm], "another trailer");
        let unloaded = [event("unloaded", 2, json!({"packages": 9}))];
        assert_eq!(found("T-1", &unloaded), [Phase::Firm], "it was opened");
    }
}
