//! Trailers that one tractor brought and another one takes.
//!
//! The goods on a trailer are declared for whoever brought it, and the entry may name that tractor
//! alone. Where it is borne out that another one fetched it, its load is asked for once, at the
//! first. What a scale shows beyond that is another load.

use crate::{Dossier, Facts};

/// Whether the anchor took over a trailer with its load from a tractor that had brought it.
pub(super) fn took_a_trailer(dossier: &Dossier) -> bool {
    let gave =
        |giver: &Facts| giver.carries_goods() && dossier.took_trailer(&dossier.anchor, giver);
    dossier.of("passage").any(gave)
}

#[cfg(test)]
mod tests {
    use crate::{Facts, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;
    const FIRST: &str = "11A1";
    const SECOND: &str = "22B2";

    fn weighed(at_ms: i64, net_kg: i64) -> Json {
        let mut weighed = event("weighed", at_ms, json!({"net_kg": net_kg}));
        weighed["attested"] = true.into();
        weighed
    }

    /// A tractor whose trailer a clerk of the gate told.
    fn tractor(id: &str, plate: &str, [in_ms, out_ms]: [i64; 2], more: &[Json]) -> Facts {
        let gates = [
            event("gate.in", in_ms, json!({})),
            event("gate.out", out_ms, json!({})),
        ];
        let fields = json!({"vehicle.plate": plate, "trailer.plate": "T-1", "purpose": "goods"});
        let told = json!([{"entry": "t", "officer": "OF-7", "fields": ["trailer.plate"]}]);
        passage(id, fields, &[&gates, more].concat()).with("put_by", told)
    }

    /// The same, with a seal that an officer recorded at a time.
    fn sealed(truck: Facts, seal: &str, officer: &str, entered_ms: i64) -> Facts {
        let mut fields = truck.json["fields"].clone();
        fields["seal.1"] = seal.into();
        let recorded = json!([{"seal": seal, "entered_ms": entered_ms, "entry": "s"}]);
        let told = json!([
            {"entry": "t", "officer": "OF-7", "fields": ["trailer.plate"]},
            {"entry": "s", "officer": officer, "fields": ["seal.1"]},
        ]);
        let truck = truck.with("fields", fields).with("put_by", told);
        truck.with("seals_recorded", recorded)
    }

    fn by_customs(truck: Facts, seal: &str) -> Facts {
        sealed(truck, seal, "OF-C2", H)
    }

    fn parked() -> Json {
        event("parked", 1, json!({"bay": "B1"}))
    }

    fn found(second: Facts, others: Vec<Facts>) -> Vec<Phase> {
        firm("R15", second, others)
    }

    #[test]
    fn a_trailer_that_another_tractor_takes_is_declared_for_the_first() {
        let load = |ms: i64, kg: i64| [weighed(ms, kg)];
        let first = || by_customs(tractor("P1", FIRST, [0, 9 * H], &load(1, 20_000)), "S1");
        let taker = |id: &str, plate: &str, times: [i64; 2], kg: i64| {
            by_customs(tractor(id, plate, times, &load(times[0] + 1, kg)), "S1")
        };
        let second = || taker("P2", SECOND, [7 * H, 10 * H], 20_000);

        assert_eq!(found(second(), vec![first()]), []);
        assert_eq!(found(first(), vec![second()]), [Phase::Firm], "the first");
        assert_eq!(found(second(), vec![]), [Phase::Firm]);

        let heavier = taker("P2", SECOND, [7 * H, 10 * H], 25_000);
        assert_eq!(found(heavier, vec![first()]), [Phase::Firm], "more goods");
        let third = taker("P3", "33C3", [8 * H, 11 * H], 20_000);
        let taken = found(third, vec![first(), second()]);
        assert_eq!(taken, [Phase::Firm], "the second has it");
    }

    #[test]
    fn a_trailer_may_wait_on_the_lot_when_its_tractor_has_gone() {
        let first = |more: &[Json]| by_customs(tractor("P1", FIRST, [0, 3 * H], more), "S1");
        let second = |hour: i64| {
            let times = [hour * H, (hour + 1) * H];
            by_customs(tractor("P2", SECOND, times, &[]), "S1")
        };

        assert_eq!(found(second(20), vec![first(&[parked()])]), []);
        assert_eq!(found(second(72), vec![first(&[parked()])]), []);
        assert_eq!(found(second(400), vec![first(&[parked()])]), [Phase::Firm]);
        let gone = found(second(72), vec![first(&[])]);
        assert_eq!(gone, [Phase::Firm], "nobody told that it stayed");
        let alone = [weighed(1, 20_000), weighed(2, 0)];
        assert_eq!(found(second(72), vec![first(&alone)]), []);

        let back = tractor("P4", FIRST, [30 * H, 31 * H], &[]);
        let with_it = found(second(72), vec![first(&[parked()]), back]);
        assert_eq!(with_it, [Phase::Firm], "its tractor came again with it");
        let out = tractor("P5", "44D4", [30 * H, 31 * H], &[]);
        let mut fields = out.json["fields"].clone();
        fields["direction"] = "out".into();
        let abroad = vec![first(&[parked()]), out.with("fields", fields)];
        assert_eq!(found(second(72), abroad), [Phase::Firm], "it went abroad");
    }

    #[test]
    fn one_word_takes_no_trailer_that_stands_on_the_lot() {
        let load = [parked(), weighed(1, 20_000)];
        let first = || by_customs(tractor("P1", FIRST, [0, 9 * H], &load), "S1");
        let other = |more: &[Json]| tractor("P9", "99Z9", [H, 4 * H], more);

        assert_eq!(found(other(&[]), vec![first()]), [Phase::Firm]);
        let same_mass = other(&[weighed(2 * H, 20_000)]);
        assert_eq!(found(same_mass, vec![first()]), [Phase::Firm]);
        let its_own = by_customs(other(&[]), "W5");
        assert_eq!(found(its_own, vec![first()]), [Phase::Firm]);
        let by_one = sealed(other(&[]), "S1", "of-7", H);
        assert_eq!(found(by_one, vec![first()]), [Phase::Firm], "one officer");

        // Who really takes it is not told by what somebody said of another one.
        let second = || by_customs(tractor("P2", SECOND, [7 * H, 10 * H], &[]), "S1");
        assert_eq!(found(second(), vec![first(), other(&[])]), []);
        let both = found(other(&[]), vec![first(), second()]);
        assert_eq!(both, [Phase::Firm]);
    }

    #[test]
    fn a_seal_that_is_recorded_on_the_first_when_it_has_gone_bears_nothing_out() {
        let at = |entered_ms: i64| {
            let first = tractor("P1", FIRST, [0, 3 * H], &[parked()]);
            let first = sealed(first, "S1", "OF-C3", entered_ms);
            let second = tractor("P2", SECOND, [20 * H, 21 * H], &[]);
            found(by_customs(second, "S1"), vec![first])
        };
        assert_eq!(at(2 * H), []);
        assert_eq!(at(20 * H), [Phase::Firm]);
    }

    #[test]
    fn a_tractor_that_has_its_load_when_the_other_is_gone_gave_it_no_trailer() {
        let second = || by_customs(tractor("P2", SECOND, [4 * H, 5 * H], &[]), "S1");
        let with = |weighings: &[Json]| {
            let first = tractor("P1", FIRST, [0, 9 * H], weighings);
            found(second(), vec![by_customs(first, "S1")])
        };

        assert_eq!(with(&[weighed(H, 20_000)]), []);
        let again = [weighed(H, 20_000), weighed(8 * H, 20_000)];
        assert_eq!(with(&again), [Phase::Firm]);
        assert_eq!(with(&[weighed(8 * H, 20_000)]), [Phase::Firm]);
        let empty = [weighed(H, 20_000), weighed(8 * H, 300)];
        assert_eq!(with(&empty), [], "it goes home without the trailer");
        let early = [weighed(H, 20_000), weighed(4 * H, 20_000)];
        assert_eq!(with(&early), [], "it was weighed before");
    }

    #[test]
    fn a_scale_bears_it_out_where_no_seal_does() {
        let second = || tractor("P2", SECOND, [4 * H, 5 * H], &[weighed(4 * H + 1, 20_000)]);
        let with = |second: Facts, weighings: &[Json]| {
            let first = tractor("P1", FIRST, [0, 9 * H], weighings);
            found(second, vec![first])
        };
        let left = [weighed(H, 20_000), weighed(3 * H, 0)];

        assert_eq!(with(second(), &left), []);
        assert_eq!(with(second(), &left[..1]), [Phase::Firm]);
        let captured = json!([{"entered_ms": 5 * H, "fields": ["trailer.plate"]}]);
        let laden = second().with("captured", captured);
        assert_eq!(with(laden, &left), [Phase::Firm], "it was laden before");
        let came_empty = [weighed(4 * H + 1, 0), weighed(4 * H + 2, 20_000)];
        let hooked = tractor("P2", SECOND, [4 * H, 5 * H], &came_empty);
        assert_eq!(with(hooked, &left[..1]), []);
    }
}
