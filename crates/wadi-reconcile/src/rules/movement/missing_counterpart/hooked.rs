//! Trailers that one tractor brought and another one takes.
//!
//! The goods on a trailer are declared for whoever brought it, and the entry may name that tractor
//! alone. While both stand there the second one takes over what the first one has: its load is
//! asked for once, at the first. What a scale shows beyond that is another load.

use super::{
    handed_over::{ShownLoad, allowed_kg},
    stands,
};
use crate::{Dossier, Fact, Facts, passages::WhenTold};

/// Whether the anchor took over a trailer with its load from a tractor that was there when it came.
pub(super) fn took_a_trailer(dossier: &Dossier) -> bool {
    let truck = &dossier.anchor;
    let Some(came_ms) = truck.first_ms("gate.in") else {
        return false;
    };

    let has_it = |other: &&Facts| {
        stands(other)
            && truck.shares(other, "trailer.plate")
            && !truck.shares(other, "vehicle.plate")
            && dossier.is_near(truck, other)
    };
    let all = dossier.of("passage").filter(has_it);
    let was_there = |other: &&Facts| {
        let came = other.first_ms("gate.in").is_some_and(|ms| ms < came_ms);
        let is_there = |left: WhenTold| dossier.within_doubt(left.at_ms) >= came_ms;
        came && other.left().is_none_or(is_there)
    };
    let earlier: Vec<&Facts> = all.filter(was_there).collect();

    // One tractor takes it: where several were there, the first of them did.
    match earlier.as_slice() {
        [first] => {
            let is_told = truck.was_told("trailer.plate");
            let is_asked = is_told && first.carries_goods();
            is_asked && weighs_no_more(dossier, first) && !has_it_yet(dossier, first)
        }
        _ => false,
    }
}

/// Whether the one that brought the trailer is weighed with its load once the anchor has left, by
/// more than the clocks of scale and gate leave in doubt: then it gave nothing.
fn has_it_yet(dossier: &Dossier, first: &Facts) -> bool {
    let gone_ms = |left: WhenTold| dossier.within_doubt(left.at_ms);
    let gone_ms = dossier.anchor.left().map(gone_ms);
    gone_ms.is_some_and(|gone_ms| ShownLoad::of(first, gone_ms).is_kept(dossier))
}

/// Whether no attested weighing shows more on the anchor than on the one that brought the trailer.
fn weighs_no_more(dossier: &Dossier, first: &Facts) -> bool {
    let net_kg = |passage: &Facts| {
        let attested = passage.weighings().filter(Fact::attested);
        attested.filter_map(|w| w.net_kg()).max()
    };
    let (Some(own), theirs) = (net_kg(&dossier.anchor), net_kg(first)) else {
        return true;
    };

    theirs.is_some_and(|theirs| {
        let allowed_kg = allowed_kg(dossier, own.max(theirs));
        own.saturating_sub(theirs) <= allowed_kg
    })
}

#[cfg(test)]
mod tests {
    use crate::{Facts, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;

    fn tractor(id: &str, plate: &str, at_ms: [i64; 2], net_kg: i64) -> Facts {
        let mut weighed = event("weighed", at_ms[0] + 1, json!({"net_kg": net_kg}));
        weighed["attested"] = true.into();
        let events: [Json; 3] = [
            event("gate.in", at_ms[0], json!({})),
            weighed,
            event("gate.out", at_ms[1], json!({})),
        ];
        let fields = json!({"vehicle.plate": plate, "trailer.plate": "T-1", "purpose": "goods"});
        passage(id, fields, &events)
    }

    #[test]
    fn a_trailer_that_another_tractor_takes_is_declared_for_the_first() {
        let first = || tractor("P1", "11A1", [0, 9 * H], 20_000);
        let found = |second: Facts, others: Vec<Facts>| firm("R15", second, others);
        let second = || tractor("P2", "22B2", [7 * H, 10 * H], 20_000);

        assert_eq!(found(second(), vec![first()]), []);
        assert_eq!(found(first(), vec![second()]), [Phase::Firm], "the first");
        assert_eq!(found(second(), vec![]), [Phase::Firm]);

        let heavier = tractor("P2", "22B2", [7 * H, 10 * H], 25_000);
        assert_eq!(found(heavier, vec![first()]), [Phase::Firm], "more goods");
        let later = tractor("P2", "22B2", [12 * H, 15 * H], 20_000);
        assert_eq!(found(later, vec![first()]), [Phase::Firm], "it had left");

        let third = tractor("P3", "33C3", [8 * H, 11 * H], 20_000);
        let taken = found(third, vec![first(), second()]);
        assert_eq!(taken, [Phase::Firm], "the second has it");
    }

    #[test]
    fn a_tractor_that_has_its_load_when_the_other_is_gone_gave_it_no_trailer() {
        let fields = |plate: &str| {
            let trailer = "T-1";
            json!({"vehicle.plate": plate, "trailer.plate": trailer, "purpose": "goods"})
        };
        let weighed = |at_ms: i64, net_kg: i64| {
            let mut weighed = event("weighed", at_ms, json!({"net_kg": net_kg}));
            weighed["attested"] = true.into();
            weighed
        };
        let found = |weighings: &[Json]| {
            let came = event("gate.in", 0, json!({}));
            let left = event("gate.out", 9 * H, json!({}));
            let first = [&[came, left], weighings].concat();
            let first = passage("P1", fields("11A1"), &first);

            let came = event("gate.in", 4 * H, json!({}));
            let left = event("gate.out", 5 * H, json!({}));
            let second = passage("P2", fields("22B2"), &[came, left]);
            firm("R15", second, vec![first])
        };

        assert_eq!(found(&[weighed(H, 20_000)]), []);
        let again = [weighed(H, 20_000), weighed(8 * H, 20_000)];
        assert_eq!(found(&again), [Phase::Firm]);
        assert_eq!(found(&[weighed(8 * H, 20_000)]), [Phase::Firm]);
        let empty = [weighed(H, 20_000), weighed(8 * H, 300)];
        assert_eq!(found(&empty), [], "it goes home without the trailer");
        let early = [weighed(H, 20_000), weighed(4 * H, 20_000)];
        assert_eq!(found(&early), [], "it was weighed before");
    }
}
