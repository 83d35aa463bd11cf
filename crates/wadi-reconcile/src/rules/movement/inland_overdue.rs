//! R26: goods let inland before their entry was released, and not cleared within the limit (72
//! hours by default).

mod left_behind;

use crate::{
    Contradiction, Dossier, Facts, Rule,
    marks::KnownMarks,
    numbers::{apart, hours_ms},
    sentences,
};
use left_behind::left_without;
use serde_json::json;
use wadi_record::{KnownBy, says_nothing};

pub(crate) const RULE: Rule = Rule {
    code: "R26",
    name: "inland_overdue",
    severity: 2,
    sentences: SENTENCES,
    judge,
};

sentences! {
    Inland = "R26-inland" { passage: record, entry: record }
    LetOutAlone = "R26-let-out-alone" { passage: record, entry: record, officer: officer }
}

fn judge(dossier: &Dossier) -> Vec<Contradiction> {
    let entry = &dossier.anchor;
    let settled = entry.has("entry.released") || entry.has("cancelled");

    if !entry.is_customs_entry() || settled {
        return Vec::new();
    }

    let journeys = Journeys::of(dossier);
    let went: Vec<(&InlandTruck<'_>, i64)> = journeys.went_inland().collect();
    let brings_other = |truck: &InlandTruck<'_>| {
        let mut first = went.iter();
        first.any(|first| journeys.brings_another(*first, truck))
    };
    let told = went.iter().filter(|(truck, _)| !brings_other(truck));

    told.map(|(truck, left_ms)| found(dossier, truck.facts, *left_ms))
        .collect()
}

/// The finding of a truck that went inland, or may have: by one officer's word alone it was sent
/// back.
fn found(dossier: &Dossier, truck: &Facts, left_ms: i64) -> Contradiction {
    let entry = &dossier.anchor;
    let due_ms = left_ms.saturating_add(hours_ms(dossier.policy.inland_h));
    let alone = dossier.let_out_alone(truck).map(|alone| alone.first());
    let mut evidence = json!({
        "passage": truck.printed(),
        "left_ms": left_ms,
        "due_ms": due_ms,
    });

    let (passage, declared) = (truck.printed(), entry.printed());
    let says = match alone {
        None => Says::Inland {
            passage,
            entry: declared,
        },
        Some(out) => {
            evidence["officer"] = out.officer().into();
            Says::LetOutAlone {
                passage,
                entry: declared,
                officer: out.officer(),
            }
        }
    };
    let back = alone
        .into_iter()
        .flat_map(|_| truck.said_by(&["turned_back"]));

    Contradiction::new(truck.id.clone(), left_ms, says, evidence)
        .until([entry.crossing(), "HUB"], due_ms)
        .citing(entry, entry.begun_by())
        .citing(truck, left_by(truck, left_ms).chain(back))
}

/// The entries that tell that a truck went inland.
fn left_by(truck: &Facts, left_ms: i64) -> impl Iterator<Item = &str> {
    let exits = truck
        .events("gate.out")
        .filter(move |e| e.at_ms() == left_ms);
    let way = truck.put_by(|name| name == "direction");
    exits.map(|e| e.entry()).chain(way)
}

/// A passage of the entry's journey, as it is held against the others.
struct InlandTruck<'a> {
    facts: &'a Facts,
    marks: &'a KnownMarks,
    began_ms: i64,
    is_inbound: bool,
    /// It tells a container, and has neither that nor a seal, a transit reference or a link of the
    /// entry's.
    has_other_goods: bool,
    other: OtherEntries,
}

/// The other entries that may be a truck's own, as far as they are alive.
#[derive(Default)]
struct OtherEntries {
    /// When the first of them began, Unix milliseconds.
    first_began_ms: Option<i64>,
    /// When the first of them was known to be released, Unix milliseconds.
    first_released_ms: Option<i64>,
    /// When the last of them was; none where one is not released.
    last_released_ms: Option<i64>,
}

impl OtherEntries {
    /// Those of a truck among all.
    fn of<'a>(own: impl Iterator<Item = &'a OtherEntry<'a>>) -> Self {
        let mut out = Self {
            last_released_ms: Some(i64::MIN),
            ..Self::default()
        };

        for entry in own {
            let earliest = |known: Option<i64>, ms: i64| known.map_or(ms, |known| known.min(ms));
            out.first_began_ms = Some(earliest(out.first_began_ms, entry.began_ms));
            if let Some(ms) = entry.released_ms {
                out.first_released_ms = Some(earliest(out.first_released_ms, ms));
            }
            let last = out.last_released_ms.zip(entry.released_ms);
            out.last_released_ms = last.map(|(last, ms)| last.max(ms));
        }

        out
    }
}

/// Another customs entry that was not cancelled.
struct OtherEntry<'a> {
    marks: &'a KnownMarks,
    began_ms: i64,
    /// When it was known to be released, Unix milliseconds.
    released_ms: Option<i64>,
}

impl<'a> OtherEntry<'a> {
    fn of(entry: &Facts, marks: &'a KnownMarks) -> Self {
        let released = entry.events("entry.released");
        Self {
            marks,
            began_ms: entry.began_ms(),
            released_ms: released.map(|e| e.known_from_ms()).min(),
        }
    }
}

/// Whether a record is of a truck: they name each other, share a container, or share the vehicle
/// within the time in which it comes once.
fn is_of(
    (own, began_ms): (&KnownMarks, i64),
    (theirs, other_ms): (&KnownMarks, i64),
    near_ms: i64,
) -> bool {
    let is_near = apart(began_ms, other_ms) <= near_ms;

    own.is_linked_to(theirs)
        || own.shares_container(theirs)
        || is_near && own.shares_vehicle(theirs)
}

/// What an entry, its trucks and the other entries are known by: each record is read once, however
/// many it is held against.
struct Journeys<'a> {
    dossier: &'a Dossier,
    /// What the entry is known by.
    marks: KnownMarks,
    known: KnownBy,
    began_ms: i64,
    near_ms: i64,
    trucks: Vec<InlandTruck<'a>>,
}

impl<'a> Journeys<'a> {
    fn of(dossier: &'a Dossier) -> Self {
        let entry = &dossier.anchor;
        let marks = KnownMarks::of(entry);
        let near_ms = dossier.near_ms();

        let is_other =
            |e: &Facts| e.is_customs_entry() && e.state() != "CANCELLED" && e.id != entry.id;
        let others = dossier.marked().filter(|(e, _)| is_other(e));
        let others: Vec<OtherEntry<'a>> = others.map(|(e, m)| OtherEntry::of(e, m)).collect();

        let passages = dossier.marked().filter(|(p, _)| p.is_passage());
        let passages = passages.filter(|(p, _)| dossier.is_of_journey(p));
        let trucks = passages.map(|(facts, own)| {
            let began_ms = facts.began_ms();
            let is_own = |other: &&OtherEntry<'_>| {
                is_of((own, began_ms), (other.marks, other.began_ms), near_ms)
            };
            let shares = own.shares_container(&marks)
                || own.shares_seal(&marks)
                || own.shares_transit(&marks)
                || own.is_linked_to(&marks);

            InlandTruck {
                facts,
                marks: own,
                began_ms,
                is_inbound: facts.is_inbound(),
                has_other_goods: !shares && !facts.containers_told().is_empty(),
                other: OtherEntries::of(others.iter().filter(is_own)),
            }
        });
        let trucks: Vec<InlandTruck<'a>> = trucks.collect();

        Self {
            dossier,
            known: entry.known_by(),
            began_ms: entry.began_ms(),
            marks,
            near_ms,
            trucks,
        }
    }

    /// The trucks that went inland with these goods, as far as each of them tells, and when.
    fn went_inland(&self) -> impl Iterator<Item = (&InlandTruck<'a>, i64)> {
        let inbound = self.trucks.iter().filter(|truck| truck.is_inbound);
        let inbound = inbound.filter(move |truck| !self.dossier.went_back(truck.facts));
        // A transit is terminated at its exit and not cleared inland: R27 looks at the truck that
        // says so, too.
        let in_transit = move |truck: &InlandTruck<'_>| {
            truck.marks.shares_transit(&self.marks) && truck.facts.was_told("transit.ref")
        };

        let inland = inbound.filter(move |truck| !in_transit(truck));
        let left = inland.filter_map(|truck| Some((truck, truck.facts.last_ms("gate.out")?)));
        left.filter(move |(truck, left_ms)| {
            !self.is_earlier_trip(truck, *left_ms)
                && !self.is_trip_of_another(truck, *left_ms)
                && !self.is_later_trip(truck)
                && !left_without(self.dossier, truck.facts)
                && !is_linked_afterwards(self.dossier, truck.facts, *left_ms)
        })
    }

    /// Whether a truck has a container of the entry, or names it or is named by it.
    fn shares_goods(&self, truck: &InlandTruck<'_>) -> bool {
        truck.marks.is_linked_to(&self.marks) || truck.marks.shares_container(&self.marks)
    }

    /// Whether a truck that has nothing of the entry but a plate had left with its goods before,
    /// and came again with an entry of its own.
    fn is_later_trip(&self, truck: &InlandTruck<'_>) -> bool {
        if self.shares_goods(truck) {
            return false;
        }

        let known = truck.facts.known_by();
        known.is_later_trip(&self.known, self.dossier.beside(), &self.dossier.policy)
    }

    /// Whether a truck came again, with a container that neither the entry nor its first trip
    /// names: the finding stands on that first trip, and its next entry may name the container
    /// alone.
    fn brings_another(
        &self,
        (first, left_ms): (&InlandTruck<'_>, i64),
        truck: &InlandTruck<'_>,
    ) -> bool {
        let is_later = left_ms >= self.began_ms && left_ms < truck.began_ms;
        let own = truck.marks;
        let before = first.marks;

        is_later
            && truck.has_other_goods
            && !own.shares_container(before)
            && !own.shares_seal(before)
            && own.shares_vehicle(before)
    }

    /// Whether a truck had left before the entry began, with other goods: long before, or with
    /// those of an entry that was there by then. One that left shortly before, and of which there
    /// is no other entry, went ahead of its papers.
    fn is_earlier_trip(&self, truck: &InlandTruck<'_>, left_ms: i64) -> bool {
        let before_ms = self.began_ms.saturating_sub(left_ms);
        if before_ms <= 0 || truck.marks.is_linked_to(&self.marks) {
            return false;
        }

        let began_ms = truck.other.first_began_ms;
        let is_declared = began_ms.is_some_and(|began_ms| began_ms <= left_ms);
        is_declared || before_ms > self.near_ms
    }

    /// Whether a truck that has nothing of the entry but its vehicle left with the goods of another
    /// entry, which was released by then, and came again with none but this one: it was registered
    /// ahead of the later trip. As long as there is none, the truck may have brought both.
    fn is_trip_of_another(&self, truck: &InlandTruck<'_>, left_ms: i64) -> bool {
        let released_ms = truck.other.first_released_ms;
        let has_own = released_ms.is_some_and(|ms| ms <= left_ms);
        if !has_own || self.shares_goods(truck) {
            return false;
        }

        let later = self.trucks.iter().filter(|later| {
            later.is_inbound && later.began_ms > left_ms && later.facts.id != truck.facts.id
        });
        let mut again = later.filter(|later| later.marks.shares_vehicle(truck.marks));
        again.any(|later| {
            let released_ms = later.other.last_released_ms;
            let has_none = released_ms.is_some_and(|ms| ms <= left_ms);
            let entry = (&self.marks, self.began_ms);
            has_none && is_of((later.marks, later.began_ms), entry, self.near_ms)
        })
    }
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
    fn a_truck_that_one_officer_sent_back_and_let_out_may_have_gone_inland() {
        let found = |gate: &str| {
            let mut out = event("gate.out", 900, json!({}));
            out["officer"] = gate.into();
            let said = [event("turned_back", 500, json!({})), out];
            let truck = passage("P1", json!({"direction": "in"}), &said);
            let linked = vec![truck.state_is("TURNED_BACK")];
            let all = crate::reconcile(&dossier(entry("E1", json!({}), &[]), linked, i64::MAX));
            let told = all.into_iter().filter(|f| f.rule.code == "R26");
            let told = told.map(|f| f.contradiction.sentence.id.to_string());
            told.collect::<Vec<_>>()
        };

        assert_eq!(found("OF-1"), ["R26-let-out-alone"]);
        assert_eq!(found("OF-2"), [""; 0], "two know that it went back");
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
