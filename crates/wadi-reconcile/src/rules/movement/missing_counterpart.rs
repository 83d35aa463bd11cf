//! R15: a customs entry without its passage, a laden passage without its entry.

mod gone;
mod handed_over;
mod hooked;

use crate::{
    Contradiction, Dossier, Fact, Facts, Rule,
    numbers::{hours_ms, total},
    sentences,
};
use gone::GoneByVehicle;
use serde_json::json;
use std::cell::OnceCell;

pub(crate) const RULE: Rule = Rule {
    code: "R15",
    name: "missing_counterpart",
    severity: 1,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Missing = "R15-missing" { record: record, missing: code }
    Gone = "R15-gone" { truck: record, entry: record, own: record }
}

/// What a vehicle that nobody weighed takes of goods, kilograms.
const TRUCKLOAD_KG: i64 = 20_000;

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let mut all = missing(dossier);
    all.extend(gone::linked_to_it(dossier));
    all
}

/// The record without its counterpart.
fn missing(dossier: &Dossier) -> Vec<Contradiction> {
    let anchor = &dossier.anchor;
    let wanted = match anchor.kind() {
        "customs-entry" if anchor.state() != "CANCELLED" => "passage",
        "passage" if went_on(dossier, anchor) && anchor.carries_goods() => "customs-entry",
        _ => return Vec::new(),
    };

    let cell = OnceCell::new();
    let gone = || cell.get_or_init(|| GoneByVehicle::of(dossier));
    let is_counterpart = |r: &Facts| match anchor.is_passage() {
        true => stands(r) && may_be_its_entry(dossier, r, &gone),
        false => went_on(dossier, r),
    };
    let took_over = || hooked::took_a_trailer(dossier) || handed_over::took_over(dossier);
    let is_anothers = || anchor.is_passage() && took_over();
    if dossier.journey(wanted).any(is_counterpart) || is_anothers() {
        return Vec::new();
    }

    let due_ms = anchor
        .began_ms()
        .saturating_add(hours_ms(dossier.policy.counterpart_h));

    // A truck that was diverted is declared where it arrives. Who sends it away once its entry is
    // due, or once it has left, keeps nothing waiting.
    let until_ms = due_ms.min(dossier.left_by_ms(anchor));
    let elsewhere = anchor
        .events("diverted")
        .filter(|e| e.known_from_ms() <= until_ms)
        .filter_map(|e| e.text("to"));

    // An entry's truck may come by any crossing.
    let anywhere = if anchor.is_customs_entry() {
        dossier.everywhere()
    } else {
        vec![anchor.crossing(), "HUB"]
    };

    let concerns: Vec<&str> = elsewhere.chain(anywhere).collect();
    let says = Says::Missing {
        record: anchor.printed(),
        missing: wanted,
    };
    let evidence = json!({"record": anchor.printed(), "missing": wanted, "due_ms": due_ms});

    let found = Contradiction::new(wanted, anchor.began_ms(), says, evidence)
        .until(concerns, due_ms)
        .citing(anchor, asked_for_by(anchor));
    // What was looked at and is no counterpart is the other side.
    let others = dossier.journey(wanted);
    vec![others.fold(found, |found, other| {
        found.citing(other, other.said_by(&SETTLED_BY))
    })]
}

/// What tells why a record of the journey is no counterpart: where its goods went, whose they are,
/// and when it was linked.
const SETTLED_BY: [&str; 8] = [
    "link",
    "gate.in",
    "gate.out",
    "turned_back",
    "unloaded",
    "transhipped",
    "entry.released",
    "entry.exited",
];

/// The entries by which a record asks for a counterpart: with which it begins, which tell what is
/// carried, and which weighed it.
fn asked_for_by(record: &Facts) -> Vec<&str> {
    let tells_goods = |name: &str| {
        let told = ["goods.", "container.", "seal."];
        matches!(name, "purpose" | "transit.ref") || told.iter().any(|of| name.starts_with(*of))
    };
    let weighed = record.weighings().filter(Fact::attested);

    let begun = record.begun_by().into_iter();
    let told = begun.chain(record.put_by(tells_goods));
    told.chain(weighed.map(|e| e.entry()))
        .chain(record.said_by(&["link", "diverted"]))
        .collect()
}

fn stands(record: &Facts) -> bool {
    !matches!(record.state(), "CANCELLED" | "VOID" | "TURNED_BACK")
}

/// Whether a record stands, or is of a vehicle that by the word of the one officer who let it out
/// alone was sent back: it may have gone on.
fn went_on(dossier: &Dossier, record: &Facts) -> bool {
    stands(record) || dossier.let_out_alone(record).is_some()
}

/// Whether an entry of the journey may be that of the truck. One that shares only a container with
/// it, or that somebody named only after it had left, is not where its goods are known to have
/// gone: out before the truck came, or on a truck of its own.
fn may_be_its_entry<'s, 'd: 's>(
    dossier: &Dossier,
    entry: &Facts,
    gone: &impl Fn() -> &'s GoneByVehicle<'d>,
) -> bool {
    let truck = &dossier.anchor;
    let is_near = dossier.is_near(truck, entry)
        && (truck.shared_vehicle(entry) || truck.shares_any(entry, "seal"));
    if is_near {
        return true;
    }

    // What is out already comes on no other truck, whoever links it, and whenever.
    if was_out_before(dossier, entry) {
        return false;
    }

    // What is captured when the truck is gone is no more than a link that is said later.
    let is_transit = truck.shares(entry, "transit.ref") && truck.was_told("transit.ref");
    let is_gone = || gone().left_with_all(truck, entry).is_some();
    if is_transit || is_linked_in_time(dossier, entry) && !is_gone() {
        return true;
    }

    let has_container = truck.shared_container(entry);
    let carries_it = |other: &Facts| {
        let has_it = !has_container || other.shares_any(truck, "container");
        is_own_truck(dossier, other, entry) && has_it
            || has_container && has_it && took_it_away(dossier, other, entry)
    };
    // Goods are released before they come, but not long before; a container tells them even then.
    let is_settled = !has_container && was_released_long_before(dossier, entry);

    !is_settled && !dossier.of("passage").any(carries_it)
}

fn was_released_long_before(dossier: &Dossier, entry: &Facts) -> bool {
    let long_before_ms = dossier.anchor.began_ms().saturating_sub(dossier.near_ms());
    let released_ms = entry.last_ms("entry.released");
    released_ms.is_some_and(|ms| ms < long_before_ms)
}

/// Whether the goods of an entry were out of the country, or inland, before the truck came: it had
/// exited, or it was released long before and vehicles of its own had left with all of it.
fn was_out_before(dossier: &Dossier, entry: &Facts) -> bool {
    let truck = &dossier.anchor;
    let mut exits = entry.events("entry.exited");
    if exits.any(|e| e.at_ms() < truck.began_ms()) {
        return true;
    }

    let is_gone = |other: &&Facts| {
        let of_transit = other.shares(entry, "transit.ref")
            && stands(other)
            && !other.shares_vehicle(truck)
            && other.any(&["unloaded", "transhipped"]).next().is_none();
        let left_ms = other.last_ms("gate.out");
        let left_before = left_ms.is_some_and(|ms| ms < truck.began_ms());
        left_before && (of_transit || is_own_truck(dossier, other, entry))
    };
    let gone: Vec<&Facts> = dossier.of("passage").filter(is_gone).collect();

    let grams = entry.sum("goods", "gross_g").unwrap_or(0);
    let gone_kg = total(gone.iter().map(|other| load_kg(other)));
    let is_all = !gone.is_empty() && gone_kg.saturating_mul(1_000) >= grams;
    is_all && was_released_long_before(dossier, entry)
}

/// What a vehicle took: as it was weighed, or a truckload where it was not.
fn load_kg(truck: &Facts) -> i64 {
    let attested = truck.weighings().filter(Fact::attested);
    let weighed = attested.filter_map(|w| w.net_kg()).last();
    weighed.unwrap_or(TRUCKLOAD_KG)
}

/// Whether one of the two was said to belong to the other before the truck had left, by what is
/// said and by when it was written.
fn is_linked_in_time(dossier: &Dossier, entry: &Facts) -> bool {
    let truck = &dossier.anchor;
    truck.was_linked_by(entry, dossier.left_by_ms(truck))
}

/// Whether another vehicle came that the entry names, or that names it, or with its plate; and was
/// not unloaded for this one.
fn is_own_truck(dossier: &Dossier, other: &Facts, entry: &Facts) -> bool {
    let truck = &dossier.anchor;
    let came = other.any(&["gate.in", "gate.out"]).next().is_some();
    // Goods that wait for their next truck are loaded on it, and it says so.
    let since_ms = truck.began_ms().saturating_sub(dossier.near_ms());
    let is_loaded_here = truck.any(&["reloaded"]).next().is_some();
    let mut unloadings = other.any(&["unloaded", "transhipped"]);
    let gave_away = unloadings.any(|e| is_loaded_here || e.at_ms() >= since_ms);
    let is_of_entry =
        other.is_linked_to(entry) || other.shares_vehicle(entry) && dossier.is_near(other, entry);

    let is_another = stands(other) && !other.shares_vehicle(truck);
    is_another && came && !gave_away && is_of_entry
}

/// Whether another vehicle had left with the goods of an entry before the truck came, though the
/// entry tells no plate: it came near its beginning, and nothing was unloaded.
fn took_it_away(dossier: &Dossier, other: &Facts, entry: &Facts) -> bool {
    let truck = &dossier.anchor;
    let left_ms = other.last_ms("gate.out");
    let left_between = left_ms.is_some_and(|ms| ms >= entry.began_ms() && ms < truck.began_ms());
    let is_of_entry = other.shares_any(entry, "container") && dossier.is_near(other, entry);
    let gave_away = other.any(&["unloaded", "transhipped"]).next().is_some();

    let is_another = stands(other) && !other.shares_vehicle(truck);
    is_another && left_between && is_of_entry && !gave_away
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};
    use serde_json::Value as Json;

    const DAY_MS: i64 = 24 * HOUR_MS;

    fn found(linked: Vec<Facts>, purpose: &str, received_ms: i64) -> Vec<Phase> {
        let truck = passage(
            "P1",
            json!({"purpose": purpose}),
            &[event("gate.in", 1_000, json!({}))],
        );
        phases("R15", &dossier(truck, linked, received_ms))
    }

    #[test]
    fn a_late_entry_is_not_a_missing_one() {
        assert_eq!(found(vec![], "goods", 999 + DAY_MS), [Phase::Pending]);
        assert_eq!(found(vec![], "goods", 1_000 + DAY_MS), [Phase::Firm]);
        assert_eq!(
            found(vec![entry("E1", json!({}), &[])], "goods", 9 * DAY_MS),
            []
        );
        assert_eq!(
            found(
                vec![entry("E1", json!({}), &[]).state_is("CANCELLED")],
                "goods",
                9 * DAY_MS
            ),
            [Phase::Firm]
        );

        let last_month = entry(
            "E1",
            json!({}),
            &[event("registered", -30 * DAY_MS, json!({}))],
        );

        assert_eq!(
            found(vec![last_month], "goods", 9 * DAY_MS),
            [Phase::Firm],
            "another journey's"
        );
    }

    #[test]
    fn a_truck_that_one_officer_sent_back_and_let_out_may_have_gone_on() {
        let truck = |gate: &str| {
            let mut out = event("gate.out", 3_000, json!({}));
            out["officer"] = gate.into();
            let said = [event("turned_back", 2_000, json!({})), out];
            passage("P1", json!({"purpose": "goods"}), &said).state_is("TURNED_BACK")
        };
        let goods = || entry("E1", json!({}), &[event("registered", 1_000, json!({}))]);

        assert_eq!(firm("R15", truck("OF-1"), vec![]), [Phase::Firm]);
        assert_eq!(firm("R15", truck("OF-2"), vec![]), [], "two know of it");
        let of_entry = |gate: &str| firm("R15", goods(), vec![truck(gate)]);
        assert_eq!(of_entry("OF-1"), [], "its truck was there");
        assert_eq!(of_entry("OF-2"), [Phase::Firm], "its truck went back");
    }

    #[test]
    fn passengers_need_no_entry() {
        assert_eq!(found(vec![], "passengers", 9 * DAY_MS), []);
    }

    #[test]
    fn what_is_laden_carries_goods_whatever_it_says() {
        let found = |fields: Json, net_kg: i64, attested: bool| {
            let mut weighed = event("weighed", 2_000, json!({"net_kg": net_kg}));
            weighed["attested"] = attested.into();
            let came = event("gate.in", 1_000, json!({}));
            firm("R15", passage("P1", fields, &[came, weighed]), vec![])
        };
        let purpose = |purpose: &str| json!({"purpose": purpose});

        assert_eq!(found(json!({}), 30_000, true), [Phase::Firm]);
        assert_eq!(found(purpose("empty"), 30_000, true), [Phase::Firm]);
        assert_eq!(found(purpose("passengers"), 30_000, true), [Phase::Firm]);
        assert_eq!(found(purpose("empty"), 30_000, false), [], "unattested");
        let box_on_it = || json!({"purpose": "empty", "container.1": "CSQU3054383"});
        assert_eq!(found(box_on_it(), 3_800, true), [], "the container itself");
        assert_ne!(found(box_on_it(), 9_000, true), [], "more than a container");
        assert_eq!(found(purpose("empty"), 900, true), [], "a spare wheel");
        assert_eq!(found(purpose("passengers"), 6_000, true), [], "a coach");

        let goods = json!({"goods.hs_code": "0701"});
        assert_eq!(found(goods, 0, false), [Phase::Firm]);
        let sealed = json!({"purpose": "empty", "container.1": "C1", "seal.1": "S1"});
        assert_eq!(found(sealed, 0, false), [Phase::Firm]);
        let unsealed = json!({"purpose": "empty", "container.1": "C1", "seal.1": "none"});
        assert_eq!(found(unsealed, 0, false), [], "an empty container");
    }

    /// A truck that came after ten days and left an hour later.
    fn late_truck(fields: Json, more: &[Json]) -> Facts {
        let came = event("gate.in", 10 * DAY_MS, json!({}));
        let left = event("gate.out", 10 * DAY_MS + HOUR_MS, json!({}));
        passage("P1", fields, &[&[came, left], more].concat())
    }

    fn of_plate(plate: &str, container: &str) -> Json {
        json!({"purpose": "goods", "vehicle.plate": plate, "container.1": container})
    }

    #[test]
    fn a_link_after_the_exit_to_what_was_settled_before_excuses_nothing() {
        let linked = |hours: i64| {
            let at_ms = 10 * DAY_MS + hours * HOUR_MS;
            let link = event("link", at_ms, json!({"record": "E1"}));
            late_truck(of_plate("22B2", "C9"), &[link])
        };
        let declared = |events: &[Json]| {
            let registered = event("registered", 5 * DAY_MS, json!({}));
            entry(
                "E1",
                of_plate("11A1", "C1"),
                &[&[registered], events].concat(),
            )
        };
        let released = || declared(&[event("entry.released", 6 * DAY_MS, json!({}))]);

        assert_eq!(firm("R15", linked(2), vec![released()]), [Phase::Firm]);
        let exited = declared(&[event("entry.exited", 10 * DAY_MS - 1, json!({}))]);
        assert_eq!(firm("R15", linked(2), vec![exited]), [Phase::Firm]);
        assert_eq!(firm("R15", linked(0), vec![released()]), [], "in time");
        let beside = |minutes: i64| {
            let at_ms = 10 * DAY_MS + HOUR_MS + minutes * 60_000;
            let link = event("link", at_ms, json!({"record": "E1"}));
            late_truck(of_plate("22B2", "C9"), &[link])
        };
        let at_the_exit = firm("R15", beside(5), vec![released()]);
        assert_eq!(at_the_exit, [], "beside the exit, by another clock");
        assert_eq!(firm("R15", beside(15), vec![released()]), [Phase::Firm]);
        assert_eq!(
            firm("R15", linked(2), vec![declared(&[])]),
            [],
            "still open"
        );

        let own = event("gate.in", 5 * DAY_MS, json!({}));
        let its_truck = passage("P2", of_plate("11A1", "C1"), &[own]);
        let all = vec![declared(&[]), its_truck];
        assert_eq!(firm("R15", linked(2), all.clone()), [Phase::Firm]);
        assert_eq!(firm("R15", linked(0), all), [], "its second truck");
    }

    #[test]
    fn a_link_in_time_to_what_is_out_already_excuses_nothing() {
        let declared = |exited_ms: i64| {
            let registered = event("registered", DAY_MS, json!({}));
            let exited = event("entry.exited", exited_ms, json!({}));
            entry("E1", of_plate("11A1", "C1"), &[registered, exited])
        };
        let found = |exited_ms: i64| {
            let link = event("link", 10 * DAY_MS, json!({"record": "E1"}));
            let stranger = late_truck(of_plate("22B2", "C9"), &[link]);
            firm("R15", stranger, vec![declared(exited_ms)])
        };

        assert_eq!(found(2 * DAY_MS), [Phase::Firm]);
        assert_eq!(found(11 * DAY_MS), [], "its goods went out with this truck");
    }

    #[test]
    fn a_transit_that_is_over_declares_no_other_truck() {
        let of_transit = |plate: &str| json!({"vehicle.plate": plate, "transit.ref": "T-1"});
        let truck = || {
            let mut fields = of_transit("22B2");
            fields["purpose"] = "goods".into();
            late_truck(fields, &[])
        };
        let declared = |grams: i64| {
            let mut fields = of_transit("11A1");
            fields["goods.1.gross_g"] = grams.into();
            let events = [
                event("registered", DAY_MS, json!({})),
                event("entry.released", DAY_MS, json!({})),
            ];
            entry("E1", fields, &events)
        };
        let own = |left_ms: i64| {
            let came = event("gate.in", DAY_MS, json!({}));
            let left = event("gate.out", left_ms, json!({}));
            passage("P2", of_transit("11A1"), &[came, left])
        };

        let over = vec![declared(20_000_000), own(2 * DAY_MS)];
        assert_eq!(firm("R15", truck(), over), [Phase::Firm]);
        let rest = vec![declared(40_000_000), own(2 * DAY_MS)];
        assert_eq!(firm("R15", truck(), rest), [], "it brings the rest");
        let waits = vec![declared(20_000_000), own(11 * DAY_MS)];
        assert_eq!(firm("R15", truck(), waits), [], "the other is here yet");
        assert_eq!(firm("R15", truck(), vec![declared(20_000_000)]), []);
    }

    #[test]
    fn a_container_of_another_truck_excuses_nothing() {
        let truck = || late_truck(of_plate("22B2", "C1"), &[]);
        let goods = || {
            entry(
                "E1",
                of_plate("11A1", "C1"),
                &[event("registered", 0, json!({}))],
            )
        };
        let other = |container: &str, more: &[Json]| {
            let came = event("gate.in", 0, json!({}));
            let fields = of_plate("11A1", container);
            passage("P2", fields, &[&[came], more].concat())
        };

        assert_eq!(firm("R15", truck(), vec![goods()]), []);
        let carried = vec![goods(), other("C1", &[])];
        assert_eq!(firm("R15", truck(), carried), [Phase::Firm]);

        let partial = vec![goods(), other("C2", &[])];
        assert_eq!(
            firm("R15", truck(), partial),
            [],
            "another part of the goods"
        );
        let unloaded = |at_ms| event("unloaded", at_ms, json!({"packages": 4}));
        let moved = vec![goods(), other("C1", &[unloaded(9 * DAY_MS)])];
        assert_eq!(firm("R15", truck(), moved), [], "it was moved over");

        let long_ago = || vec![goods(), other("C1", &[unloaded(9)])];
        assert_eq!(firm("R15", truck(), long_ago()), [Phase::Firm]);
        let again = event("reloaded", 10 * DAY_MS, json!({"packages": 4}));
        let out_of_store = late_truck(of_plate("22B2", "C1"), &[again]);
        assert_eq!(
            firm("R15", out_of_store, long_ago()),
            [],
            "they lay in a store"
        );

        let of_no_plate = |came_ms: i64, left_ms: i64| {
            let registered = event("registered", 0, json!({}));
            let declared = facts(
                "E1",
                "customs-entry",
                "TRB",
                json!({"fields": {"container.1": "C1"}, "events": [registered]}),
            );
            let came = event("gate.in", came_ms, json!({}));
            let left = event("gate.out", left_ms, json!({}));
            vec![
                declared,
                passage("P2", of_plate("11A1", "C1"), &[came, left]),
            ]
        };
        assert_eq!(firm("R15", truck(), of_no_plate(1, 9)), [Phase::Firm]);
        assert_eq!(
            firm("R15", truck(), of_no_plate(-5 * DAY_MS, -4 * DAY_MS)),
            [],
            "that one had left before the entry began"
        );
    }

    #[test]
    fn what_asks_for_it_and_what_is_none_are_cited() {
        let came = event("gate.in", 10 * DAY_MS, json!({}));
        let mut weighed = event("weighed", 10 * DAY_MS + 1, json!({"net_kg": 9_000}));
        weighed["attested"] = true.into();
        let left = event("gate.out", 10 * DAY_MS + 2, json!({}));
        let link = event("link", 10 * DAY_MS + HOUR_MS, json!({"record": "E1"}));
        let events = [came, weighed, left, link];
        let entry_of = |n: usize| events[n]["entry"].as_str().unwrap();
        let truck = passage("P1", of_plate("22B2", "C9"), &events);

        let settled = [
            event("registered", 5 * DAY_MS, json!({})),
            event("entry.released", 6 * DAY_MS, json!({})),
        ];
        let other = entry("E1", of_plate("11A1", "C1"), &settled);
        let released = settled[1]["entry"].as_str().unwrap();
        let of_truck = [entry_of(0), entry_of(1), entry_of(3), "fields of P1"];
        assert_eq!(
            cited("R15", truck, vec![other]),
            [side("E1", &[released]), side("P1", &of_truck)]
        );
    }

    #[test]
    fn who_sends_a_truck_away_when_its_entry_is_due_keeps_nothing_waiting() {
        let found = |to: &str, at_ms: i64, received_ms: i64| {
            let sent = event("diverted", at_ms, json!({"to": to}));
            let truck = late_truck(of_plate("22B2", "C9"), &[sent]);
            phases("R15", &dossier(truck, vec![], received_ms))
        };
        let (left_ms, due_ms) = (10 * DAY_MS + HOUR_MS, 11 * DAY_MS);

        assert_eq!(found("XYZ", left_ms, due_ms), [Phase::Pending]);
        let waited_ms = due_ms + 2 * DAY_MS;
        assert_eq!(found("XYZ", left_ms, waited_ms), [Phase::Firm]);
        for said_ms in [left_ms + HOUR_MS, due_ms + 1] {
            assert_eq!(found("XYZ", said_ms, due_ms), [Phase::Firm], "{said_ms}");
        }
    }

    #[test]
    fn what_is_captured_when_the_truck_is_gone_makes_no_entry_of_another_truck_its_own() {
        let captured = |ms: i64| {
            let line = json!([{"entered_ms": ms, "fields": ["transit.ref"]}]);
            let mut fields = of_plate("22B2", "C9");
            fields["transit.ref"] = "T1".into();
            late_truck(fields, &[]).with("captured", line)
        };
        let others = || {
            let link = event("link", 9 * DAY_MS, json!({"record": "E1"}));
            let came = event("gate.in", 9 * DAY_MS, json!({}));
            let own = passage("P2", of_plate("11A1", "C1"), &[came, link]);
            let registered = event("registered", 9 * DAY_MS, json!({}));
            let fields = json!({"vehicle.plate": "11A1", "transit.ref": "T1"});
            vec![own, entry("E1", fields, &[registered])]
        };

        assert_eq!(firm("R15", captured(10 * DAY_MS), others()), []);
        assert_eq!(firm("R15", captured(12 * DAY_MS), others()), [Phase::Firm]);
    }
}
