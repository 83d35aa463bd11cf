//! Goods that went over from one vehicle to another while both stood there.
//!
//! They are declared for whoever brought them, and the entry may name that vehicle alone: they are
//! asked for once, at the first. One word on the first vehicle's record, whoever says it, proves
//! nothing: a scale bears it out, or, where customs say it, somebody else.

use super::stands;
use crate::{
    Dossier, Fact, Facts,
    consignment::PUT_ON,
    passages::WhenTold,
    shown_load::{ShownLoad, allowed_kg},
};
use wadi_record::{normalise_reference, says_nothing};

/// Whether the anchor took its goods over from a vehicle at which they are asked for.
pub(super) fn took_over(dossier: &Dossier) -> bool {
    let truck = &dossier.anchor;
    let gave = |from: &&Facts| {
        let is_asked = stands(from) && from.carries_goods() && dossier.is_near(truck, from);
        let mut words = from.transhipped_to(truck).filter(names_a_plate);
        is_asked && words.any(|e| is_move(dossier, from, &e))
    };
    // What each of two had from the other, neither of them brought.
    let gave_back = |from: &Facts| truck.transhipped_to(from).any(|e| names_a_plate(&e));

    let mut givers = dossier.of("passage").filter(gave);
    givers.any(|from| !gave_back(from))
}

fn names_a_plate(moved: &Fact<'_>) -> bool {
    moved.text("to_plate").is_some_and(|to| !says_nothing(to))
}

/// Whether a word tells that goods went over while both were there, as was written by then, and no
/// scale tells otherwise.
fn is_move(dossier: &Dossier, from: &Facts, moved: &Fact<'_>) -> bool {
    let truck = &dossier.anchor;
    let is_here = moved.written_at().unwrap_or(from.crossing()) == truck.crossing();
    let is_in_time = was_there(dossier, truck, moved) && was_there(dossier, from, moved);
    // What was laden before brought goods of its own.
    let was_empty = truck.laden_from_ms().is_none_or(|ms| ms >= moved.at_ms());

    let is_told = is_here && is_in_time && was_empty && moved.packages_moved().is_some();
    is_told && may_have_given(dossier, from, moved)
}

fn was_there(dossier: &Dossier, passage: &Facts, moved: &Fact<'_>) -> bool {
    let seen = passage.of_types(|t| t.proves_presence || t.name == "arrived");
    let came = seen.map(|e| e.at_ms()).min();
    let told = moved.when_told();
    let is_before = |left: WhenTold| told.is_by(left.within_doubt(dossier));

    came.is_some_and(|ms| ms <= moved.at_ms()) && passage.left().is_none_or(is_before)
}

/// Whether scales agree that one gave what the other has, and a scale or somebody else bears the
/// word out.
fn may_have_given(dossier: &Dossier, from: &Facts, moved: &Fact<'_>) -> bool {
    let shown = ShownLoad::of(from, moved.at_ms());
    let is_by_customs = moved.department() == "CUS";
    let is_weighed = shown.is_weighed_after && (is_by_customs || shown.before.is_some());
    let is_borne_out = is_weighed || is_by_customs && is_confirmed(dossier, from, moved);
    if shown.is_kept(dossier) || !is_borne_out {
        return false;
    }

    // How much it gave nobody knows where no scale had shown what it brought.
    let Some(given_kg) = shown.given_kg() else {
        return true;
    };
    let attested = dossier.anchor.weighings().filter(Fact::attested);
    let own_kg = attested.filter_map(|w| w.net_kg()).max().unwrap_or(0);
    let allowed_kg = allowed_kg(dossier, own_kg.max(given_kg));
    own_kg.saturating_sub(given_kg) <= allowed_kg
}

/// Whether a word that goods went over to the anchor does not stand alone: another officer says it,
/// too, or tells that this one was loaded, each before it left; or attested scales showed this one
/// without a load before, and with one since.
fn is_confirmed(dossier: &Dossier, from: &Facts, moved: &Fact<'_>) -> bool {
    let truck = &dossier.anchor;
    let own = normalise_reference(moved.officer());
    let is_anothers = |e: &Fact<'_>| normalise_reference(e.officer()) != own;

    let loaded = truck.moved(dossier, &PUT_ON);
    let mut loaded = loaded.filter(|e| dossier.within_doubt(e.at_ms()) >= moved.at_ms());
    let mut words = from.transhipped_to(truck).filter(names_a_plate);
    let is_said = |e: &Fact<'_>| e.packages_moved().is_some() && was_there(dossier, from, e);
    if loaded.any(|e| is_anothers(&e)) || words.any(|e| is_anothers(&e) && is_said(&e)) {
        return true;
    }

    let shown = ShownLoad::of(truck, moved.at_ms());
    shown.before.is_some() && shown.laden_after.is_some()
}

#[cfg(test)]
mod tests {
    use crate::{Facts, HOUR_MS, Phase, tests::*};
    use serde_json::{Value as Json, json};

    const H: i64 = HOUR_MS;

    fn truck(id: &str, plate: &str, events: &[Json]) -> Facts {
        let came = event("gate.in", H, json!({}));
        let left = event("gate.out", 4 * H, json!({}));
        let fields = json!({"vehicle.plate": plate, "purpose": "goods"});
        passage(id, fields, &[&[came, left], events].concat())
    }

    fn weighed(at_ms: i64, net_kg: i64) -> Json {
        let mut weighed = event("weighed", at_ms, json!({"net_kg": net_kg}));
        weighed["attested"] = true.into();
        weighed
    }

    /// Packages that go over to a truck, two hours after everything began.
    fn moved(department: &str, packages: i64, plate: &str, entered_ms: i64) -> Json {
        let data = json!({"packages": packages, "to_plate": plate});
        let mut moved = event("transhipped", 2 * H, data);
        moved["department"] = department.into();
        moved["entered_ms"] = entered_ms.into();
        moved
    }

    fn by_customs() -> Json {
        moved("CUS", 200, "22 B 2", 2 * H)
    }

    /// The word of whoever loaded the second one.
    fn loaded(officer: &str, at_ms: i64, entered_ms: i64) -> Json {
        let mut loaded = event("reloaded", at_ms, json!({"packages": 200}));
        loaded["officer"] = officer.into();
        loaded["entered_ms"] = entered_ms.into();
        loaded
    }

    #[test]
    fn goods_that_customs_moved_are_asked_for_at_the_truck_that_brought_them() {
        let first = |events: &[Json]| truck("P1", "11A1", events);
        let loaded = || loaded("OF-5", 2 * H, 2 * H);
        let second = || truck("P2", "22B2", &[loaded(), weighed(3 * H, 20_000)]);
        let found = |events: &[Json]| firm("R15", second(), vec![first(events)]);

        assert_eq!(found(&[by_customs()]), []);
        assert_eq!(found(&[]), [Phase::Firm]);
        let asked = firm("R15", first(&[by_customs()]), vec![second()]);
        assert_eq!(asked, [Phase::Firm], "the first has no entry");

        let nothing = moved("CUS", 0, "22B2", 2 * H);
        assert_eq!(found(&[nothing]), [Phase::Firm]);
        let other = moved("CUS", 200, "33C3", 2 * H);
        assert_eq!(found(&[other]), [Phase::Firm], "to another truck");
        let late = moved("CUS", 200, "22B2", 5 * H);
        assert_eq!(found(&[late]), [Phase::Firm], "said when it was gone");
        let empty = truck("P1", "11A1", &[by_customs()]);
        let empty = empty.with("fields", json!({"vehicle.plate": "11A1"}));
        assert_eq!(firm("R15", second(), vec![empty]), [Phase::Firm]);

        let own = truck("P2", "22B2", &[loaded(), weighed(H + 1, 20_000)]);
        let laden = firm("R15", own, vec![first(&[by_customs()])]);
        assert_eq!(laden, [Phase::Firm], "it was laden when it came");
    }

    #[test]
    fn the_word_of_customs_alone_moves_no_goods() {
        let with = |first: &[Json], second: &[Json]| {
            let own = [&[weighed(3 * H, 20_000)], second].concat();
            let moved = [&[by_customs()], first].concat();
            let first = truck("P1", "11A1", &moved);
            firm("R15", truck("P2", "22B2", &own), vec![first])
        };

        assert_eq!(with(&[], &[]), [Phase::Firm]);
        let laden = with(&[weighed(H + 1, 20_000)], &[]);
        assert_eq!(
            laden,
            [Phase::Firm],
            "it brought a load, and may have it yet"
        );
        assert_eq!(with(&[], &[loaded("OF-5", 2 * H, 2 * H)]), []);
        let own = with(&[], &[loaded("OF-1", 2 * H, 2 * H)]);
        assert_eq!(own, [Phase::Firm], "said by the same officer");
        let before = with(&[], &[loaded("OF-5", H + 1, H + 1)]);
        assert_eq!(before, [Phase::Firm], "goods of its own");

        let mut again = by_customs();
        again["officer"] = "OF-6".into();
        assert_eq!(with(&[again], &[]), [], "two of customs say it");
        assert_eq!(with(&[weighed(3 * H, 200)], &[]), [], "it is empty");
        let kept = with(&[weighed(3 * H, 20_000)], &[]);
        assert_eq!(kept, [Phase::Firm], "it has its load");
        assert_eq!(with(&[], &[weighed(H + 1, 300)]), [], "it came empty");
    }

    #[test]
    fn what_is_written_beside_the_exit_by_another_clock_was_written_there() {
        let at = |entered_ms: i64| {
            let own = [weighed(3 * H, 20_000), loaded("OF-5", 2 * H, entered_ms)];
            let first = truck("P1", "11A1", &[by_customs()]);
            firm("R15", truck("P2", "22B2", &own), vec![first])
        };

        assert_eq!(at(4 * H + 5 * 60_000), []);
        assert_eq!(at(4 * H + 15 * 60_000), [Phase::Firm]);
    }

    #[test]
    fn a_load_that_is_shared_out_weighs_no_more_than_was_given() {
        let found = |own_kg: i64, events: &[Json]| {
            let loaded = loaded("OF-5", 2 * H, 2 * H);
            let own = truck("P2", "22B2", &[loaded, weighed(3 * H, own_kg)]);
            let brought = [&[weighed(H + 1, 20_000)], events].concat();
            firm("R15", own, vec![truck("P1", "11A1", &brought)])
        };
        let to = |plate: &str| moved("CUS", 100, plate, 2 * H);
        let both = [to("22B2"), to("33C3")];

        assert_eq!(found(10_000, &both), []);
        assert_eq!(found(25_000, &both), [Phase::Firm]);
        let half = [to("22B2"), weighed(3 * H, 10_000)];
        assert_eq!(found(10_000, &half), []);
        assert_eq!(found(20_000, &half), [Phase::Firm]);
        let kept = [to("22B2"), weighed(3 * H, 20_000)];
        assert_eq!(found(10_000, &kept), [Phase::Firm], "it has it yet");

        let said = moved("OPS", 100, "22B2", 2 * H);
        let alone = std::slice::from_ref(&said);
        assert_eq!(found(10_000, alone), [Phase::Firm], "the operator alone");
        let borne_out = [said, weighed(3 * H, 10_000)];
        assert_eq!(found(10_000, &borne_out), []);
    }

    #[test]
    fn two_that_had_their_goods_from_each_other_brought_them_both() {
        let first = truck("P1", "11A1", &[by_customs()]);
        let back = moved("CUS", 200, "11A1", 2 * H);
        let second = truck("P2", "22B2", &[back]);
        assert_eq!(firm("R15", second, vec![first]), [Phase::Firm]);
    }
}
