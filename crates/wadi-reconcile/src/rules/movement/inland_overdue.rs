//! R26: goods let inland before their entry was released, and not cleared within the limit (72
//! hours by default).

use crate::{Contradiction, Dossier, Facts, Rule, numbers::hours_ms, sentences};
use serde_json::json;
use wadi_record::says_nothing;

pub(crate) const RULE: Rule = Rule {
    code: "R26",
    name: "inland_overdue",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Inland = "R26-inland" { passage: record, entry: record }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    let settled = entry.has("entry.released") || entry.has("cancelled");

    if !entry.is_customs_entry() || settled {
        return Vec::new();
    }

    let inbound = dossier
        .journey("passage")
        .filter(|p| p.is_inbound() && p.state() != "TURNED_BACK");
    // A transit is terminated at its exit and not cleared inland: R27 looks at the truck that says
    // so, too.
    let in_transit = |p: &Facts| entry.shares(p, "transit.ref") && p.was_told("transit.ref");
    let inland = inbound.filter(|p| !in_transit(p));
    let left = inland.filter_map(|p| Some((p, p.last_ms("gate.out")?)));
    let left = left.filter(|(p, left_ms)| !is_earlier_trip(dossier, p, *left_ms));
    let left = left.filter(|(p, left_ms)| !is_trip_of_another(dossier, p, *left_ms));
    let left = left.filter(|(p, _)| !is_later_trip(dossier, p) && !left_without(dossier, p));
    let left = left.filter(|(p, left_ms)| !is_linked_afterwards(dossier, p, *left_ms));

    let went: Vec<(&Facts, i64)> = left.collect();
    let brings_other = |truck: &Facts| {
        let mut first = went.iter();
        first.any(|first| brings_another(entry, *first, truck))
    };
    let told = went.iter().filter(|(truck, _)| !brings_other(truck));

    told.map(|&(truck, left_ms)| {
        let due_ms = left_ms.saturating_add(hours_ms(dossier.policy.inland_h));
        Contradiction::new(
            truck.id.clone(),
            left_ms,
            Says::Inland {
                passage: truck.printed(),
                entry: entry.printed(),
            },
            json!({"passage": truck.printed(), "left_ms": left_ms, "due_ms": due_ms}),
        )
        .until([entry.crossing(), "HUB"], due_ms)
        .citing(entry, entry.begun_by())
        .citing(truck, left_by(truck, left_ms))
    })
    .collect()
}

/// The entries that tell that a truck went inland.
fn left_by(truck: &Facts, left_ms: i64) -> impl Iterator<Item = &str> {
    let exits = truck
        .events("gate.out")
        .filter(move |e| e.at_ms() == left_ms);
    let way = truck.put_by(|name| name == "direction");
    exits.map(|e| e.entry()).chain(way)
}

/// Whether a truck that has nothing of the entry but a plate had left with its goods before, and
/// came again with an entry of its own.
fn is_later_trip(dossier: &Dossier, truck: &Facts) -> bool {
    let entry = &dossier.anchor;
    let shares_goods = truck.is_linked_to(entry) || truck.shares_any(entry, "container");
    if shares_goods {
        return false;
    }

    let (own, declared) = (truck.known_by(), entry.known_by());
    own.is_later_trip(&declared, &dossier.beside(), &dossier.policy)
}

/// Whether a truck came again, with a container that neither the entry nor its first trip names:
/// the finding stands on that first trip, and its next entry may name the container alone.
fn brings_another(entry: &Facts, (first, left_ms): (&Facts, i64), truck: &Facts) -> bool {
    let shares = ["container", "seal"]
        .iter()
        .any(|what| truck.shares_any(entry, what) || truck.shares_any(first, what));
    let is_later = left_ms >= entry.began_ms() && left_ms < truck.began_ms();

    is_later
        && !shares
        && !truck.containers_told().is_empty()
        && !truck.is_linked_to(entry)
        && !entry.shares(truck, "transit.ref")
        && first.shares_vehicle(truck)
}

/// Whether all goods were unloaded from a truck before each of its exits, as into a bonded store.
fn left_without(dossier: &Dossier, truck: &Facts) -> bool {
    let mut exits = truck.events("gate.out");
    exits.all(|out| truck.left_without(&dossier.anchor, dossier, &out))
}

/// Whether a truck had left before the entry began, with other goods: long before, or with those of
/// an entry that was there by then. One that left shortly before, and of which there is no other
/// entry, went ahead of its papers.
fn is_earlier_trip(dossier: &Dossier, truck: &Facts, left_ms: i64) -> bool {
    let entry = &dossier.anchor;
    let before_ms = entry.began_ms().saturating_sub(left_ms);
    if before_ms <= 0 || truck.is_linked_to(entry) {
        return false;
    }

    let is_of_truck = |other: &Facts| {
        truck.is_linked_to(other)
            || truck.shares_any(other, "container")
            || truck.shares_vehicle(other) && dossier.is_near(truck, other)
    };
    let mut others = dossier.of("customs-entry");
    let is_declared =
        others.any(|e| e.state() != "CANCELLED" && e.began_ms() <= left_ms && is_of_truck(e));

    is_declared || before_ms > dossier.near_ms()
}

/// Whether a truck that has nothing of the entry but its vehicle left with the goods of another
/// entry, which was released by then, and came again with none but this one: it was registered
/// ahead of the later trip. As long as there is none, the truck may have brought both.
fn is_trip_of_another(dossier: &Dossier, truck: &Facts, left_ms: i64) -> bool {
    let entry = &dossier.anchor;
    if truck.is_linked_to(entry) || truck.shares_any(entry, "container") {
        return false;
    }

    let is_of = |truck: &Facts, other: &Facts| {
        truck.is_linked_to(other)
            || truck.shares_any(other, "container")
            || truck.shares_vehicle(other) && dossier.is_near(truck, other)
    };
    let was_released = |other: &Facts| {
        let mut released = other.events("entry.released");
        other.state() != "CANCELLED" && released.any(|e| e.known_from_ms() <= left_ms)
    };
    let others = || {
        let all = dossier.of("customs-entry");
        all.filter(move |e| e.id != entry.id)
    };
    let has_own = others().any(|e| was_released(e) && is_of(truck, e));
    let has_none = |later: &Facts| {
        let mut left = others().filter(|e| e.state() != "CANCELLED" && !was_released(e));
        !left.any(|e| is_of(later, e))
    };

    let mut later = dossier
        .journey("passage")
        .filter(|p| p.id != truck.id && p.is_inbound() && p.began_ms() > left_ms);
    has_own && later.any(|p| p.shares_vehicle(truck) && is_of(p, entry) && has_none(p))
}

/// Whether a truck was said to carry these goods only once it had left, though the entry names
/// another vehicle or container: nobody at the gate could know of it, and nothing else shows it.
fn is_linked_afterwards(dossier: &Dossier, truck: &Facts, left_ms: i64) -> bool {
    let entry = &dossier.anchor;
    let exits = truck.events("gate.out").filter(|e| e.at_ms() == left_ms);
    let known_ms = exits.map(|e| e.known_from_ms()).max().unwrap_or(left_ms);

    let is_same = truck.shares_vehicle(entry) || truck.shares_any(entry, "seal");
    let shares = truck.shares_any(entry, "container") || is_same && dossier.is_near(truck, entry);
    let containers = entry.texts("container", "").into_iter();
    let mut carriers = containers.chain(entry.field("vehicle.plate"));
    let names_other = carriers.any(|text| !says_nothing(text));

    names_other && !shares && !truck.was_linked_by(entry, known_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HOUR_MS, Phase, tests::*};

    #[test]
    fn a_trip_before_the_entry_is_another_one() {
        let left = |id: &str, hour: i64, fields: serde_json::Value| {
            let out = event("gate.out", hour * HOUR_MS, json!({}));
            let came = event("gate.in", (hour - 1) * HOUR_MS, json!({}));
            passage(id, fields, &[came, out])
        };
        let declared = |id: &str, hour: i64, fields: serde_json::Value| {
            entry(
                id,
                fields,
                &[event("registered", hour * HOUR_MS, json!({}))],
            )
        };
        let today = || declared("E2", 100, json!({}));
        let earlier = || declared("E1", 81, json!({}));
        let inward = || json!({"direction": "in"});

        let first_trip = || left("P1", 82, inward());
        assert_eq!(firm("R26", today(), vec![first_trip(), earlier()]), []);
        assert_eq!(
            firm("R26", today(), vec![first_trip()]),
            [Phase::Firm],
            "nothing else was declared of it: it went ahead of its papers"
        );
        assert_eq!(
            firm("R26", today(), vec![left("P2", 101, inward()), earlier()]),
            [Phase::Firm],
            "it left after the entry began"
        );

        let boxed = |plate: &str| json!({"container.1": "C1", "vehicle.plate": plate});
        let by_container = declared("E2", 600, boxed("22B2"));
        let long_ago = left("P1", 110, boxed("11A1"));
        assert_eq!(firm("R26", by_container, vec![long_ago]), []);
    }

    #[test]
    fn a_truck_that_is_linked_with_a_strangers_goods_once_it_is_gone_did_not_take_them() {
        let found = |linked_ms: i64, plate: &str| {
            let link = event("link", linked_ms, json!({"record": "P1"}));
            let goods = entry("E1", json!({"vehicle.plate": plate}), &[link]);
            let left = event("gate.out", 100, json!({"direction": "in"}));
            firm("R26", goods, vec![passage("P1", json!({}), &[left])])
        };

        assert_eq!(found(900, "22B2"), []);
        assert_eq!(found(90, "22B2"), [Phase::Firm], "it was known at the gate");
        assert_eq!(found(900, "11A1"), [Phase::Firm], "it is its own truck");
        assert_eq!(found(900, "-"), [Phase::Firm], "it names no other");
    }

    #[test]
    fn a_trip_that_has_an_entry_of_its_own_took_nothing_of_the_first_inland() {
        let left = |id: &str, hour: i64| {
            let out = event("gate.out", hour * HOUR_MS, json!({}));
            let came = event("gate.in", (hour - 1) * HOUR_MS, json!({}));
            passage(id, json!({"direction": "in"}), &[came, out])
        };
        let declared = |id: &str, hour: i64| {
            let registered = event("registered", hour * HOUR_MS, json!({}));
            entry(id, json!({}), &[registered])
        };
        let trips = || vec![left("P1", 2), left("P2", 26)];

        let found = |others: Vec<Facts>| firm("R26", declared("E1", 0), others).len();
        assert_eq!(found([trips(), vec![declared("E2", 24)]].concat()), 1);
        assert_eq!(found(trips()), 2, "it may have brought the rest");
        let alone = vec![left("P2", 26), declared("E2", 24)];
        assert_eq!(found(alone), 1, "nobody took the first ones");
    }

    #[test]
    fn a_later_trip_with_another_container_brought_nothing_of_the_first() {
        let left = |id: &str, hour: i64, container: &str| {
            let out = event("gate.out", hour * HOUR_MS, json!({}));
            let came = event("gate.in", (hour - 1) * HOUR_MS, json!({}));
            let fields = json!({"direction": "in", "container.1": container});
            passage(id, fields, &[came, out])
        };
        let found = |others: Vec<Facts>| {
            let registered = event("registered", 0, json!({}));
            let goods = entry("E1", json!({"container.1": "C1"}), &[registered]);
            firm("R26", goods, others).len()
        };

        assert_eq!(found(vec![left("P1", 2, "C1"), left("P2", 26, "C2")]), 1);
        let rest = vec![left("P1", 2, "C1"), left("P2", 26, "C1")];
        assert_eq!(found(rest), 2, "it has the container of the entry");
        assert_eq!(found(vec![left("P2", 26, "C2")]), 1, "there is no first");
    }

    #[test]
    fn an_entry_that_was_registered_ahead_is_of_the_trip_that_has_none_else() {
        let left = |id: &str, hour: i64| {
            let out = event("gate.out", hour * HOUR_MS, json!({}));
            let came = event("gate.in", (hour - 1) * HOUR_MS, json!({}));
            passage(id, json!({"direction": "in"}), &[came, out])
        };
        let declared = |id: &str, released: Option<i64>| {
            let registered = event("registered", 0, json!({}));
            let released = released.map(|h| event("entry.released", h * HOUR_MS, json!({})));
            let events: Vec<_> = std::iter::once(registered).chain(released).collect();
            entry(id, json!({}), &events)
        };
        let count = |others: Vec<Facts>| firm("R26", declared("E2", None), others).len();
        let (own, trips) = (declared("E1", Some(1)), [left("P1", 3), left("P2", 47)]);

        assert_eq!(count([&trips[..], std::slice::from_ref(&own)].concat()), 1);
        let alone = vec![left("P1", 3), own.clone()];
        assert_eq!(count(alone), 1, "it may have brought both");
        assert_eq!(count(trips.to_vec()), 2, "the first had no other");
        let late = declared("E1", Some(4));
        let waits = [&trips[..], &[late]].concat();
        assert_eq!(count(waits), 2, "it was not released yet");
    }

    #[test]
    fn a_direction_that_nobody_told_hides_nothing() {
        let found = |fields, way| {
            let out = event("gate.out", 100, json!({"direction": way}));
            let truck = vec![passage("P1", fields, &[out])];
            firm("R26", entry("E1", json!({}), &[]), truck)
        };
        assert_eq!(found(json!({}), "in"), [Phase::Firm]);
        assert_eq!(found(json!({}), ""), [Phase::Firm]);
        assert_eq!(found(json!({}), "out"), []);
        assert_eq!(found(json!({"direction": "out"}), "in"), []);
    }

    #[test]
    fn goods_inland_have_three_days() {
        let truck = || {
            vec![passage(
                "P1",
                json!({"direction": "in"}),
                &[event("gate.out", 100, json!({}))],
            )]
        };

        let open = entry("E1", json!({}), &[]);
        assert_eq!(
            phases("R26", &dossier(open.clone(), truck(), 99 + 72 * HOUR_MS)),
            [Phase::Pending]
        );
        assert_eq!(firm("R26", open, truck()), [Phase::Firm]);

        let released = entry("E1", json!({}), &[event("entry.released", 50, json!({}))]);
        assert_eq!(firm("R26", released, truck()), []);

        let transit = |reference| entry("E1", json!({"transit.ref": reference}), &[]);
        let in_transit = passage(
            "P1",
            json!({"direction": "in", "transit.ref": "T-1"}),
            &[event("gate.out", 100, json!({}))],
        );
        assert_eq!(firm("R26", transit("t 1"), vec![in_transit]), []);
        for reference in ["T-1", "-"] {
            let found = firm("R26", transit(reference), truck());
            assert_eq!(found, [Phase::Firm], "its truck says nothing of a transit");
        }

        let captured = json!([{"entered_ms": 48 * HOUR_MS, "fields": ["transit.ref"]}]);
        let fields = json!({"direction": "in", "transit.ref": "T-1"});
        let later = passage("P1", fields, &[event("gate.out", 100, json!({}))]);
        let later = vec![later.with("captured", captured)];
        let found = firm("R26", transit("T-1"), later);
        assert_eq!(found, [Phase::Firm], "it says so when it is gone");
    }

    #[test]
    fn the_exit_and_the_entry_are_cited() {
        let registered = event("registered", 50, json!({}));
        let out = [90, 100].map(|at_ms| event("gate.out", at_ms, json!({})));
        let truck = passage("P1", json!({"direction": "in"}), &out);
        assert_eq!(
            cited("R26", entry("E1", json!({}), &[registered]), vec![truck]),
            [
                side("E1", &["entry registered@50"]),
                side("P1", &["entry gate.out@100", "fields of P1"]),
            ]
        );
    }
}
