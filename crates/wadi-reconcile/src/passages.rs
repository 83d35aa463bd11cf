//! What several rules ask of passages: which way they go, whether they carry goods, what their
//! scales said, and which of them carry one load.

use crate::{Dossier, Fact, Facts, HOUR_MS};
use std::collections::BTreeSet;
use wadi_record::{normalise_plate, says_nothing};

/// A net mass from which on a truck that is to be empty carries goods, kilograms. Spare wheels,
/// fuel and a driver's things weigh less.
const LADEN_KG: i64 = 1_000;
/// The same of a vehicle with passengers: a full coach carries some six tonnes of people and
/// luggage.
const LADEN_WITH_PASSENGERS_KG: i64 = 10_000;
/// What an empty container weighs at most beside a vehicle's own mass, kilograms: one of forty feet
/// weighs four tonnes, a refrigerated one five.
const EMPTY_CONTAINER_KG: i64 = 5_000;
/// Two exits of one passage that are no further apart are one, through an inner and an outer gate.
pub(crate) const BETWEEN_GATES_MS: i64 = HOUR_MS;
/// Containers that one vehicle brings at most.
const CONTAINERS_MAX: usize = 4;

impl Fact<'_> {
    /// What the cargo weighed, by what a weighing says, kilograms.
    pub(crate) fn net_kg(&self) -> Option<i64> {
        self.int("net_kg").or_else(|| {
            let (gross, tare) = (self.int("gross_kg")?, self.int("tare_kg")?);
            Some(gross.saturating_sub(tare))
        })
    }

    /// When it happened, by what is said and by when that was written.
    pub(crate) fn when_told(&self) -> WhenTold {
        WhenTold {
            at_ms: self.at_ms(),
            known_ms: self.known_from_ms(),
        }
    }

    /// Whether it is a weighing that shows a load.
    pub(crate) fn shows_a_load(&self) -> bool {
        self.net_kg().is_some_and(|net| net >= LADEN_KG)
    }

    /// How many packages it says were moved. One that says none moved nothing: no word of it
    /// explains why a mass or a count is another one.
    pub(crate) fn packages_moved(&self) -> Option<i64> {
        self.int("packages").filter(|packages| *packages > 0)
    }
}

/// When something happened, by what is said and by when that was written, Unix milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WhenTold {
    /// As claimed.
    pub(crate) at_ms: i64,
    /// When it happened or was written down, whichever is later.
    pub(crate) known_ms: i64,
}

impl WhenTold {
    /// The same as late as other clocks may have it.
    pub(crate) fn within_doubt(self, dossier: &Dossier) -> Self {
        Self {
            at_ms: dossier.within_doubt(self.at_ms),
            known_ms: dossier.within_doubt(self.known_ms),
        }
    }

    /// Whether it came no later than something else, by either.
    pub(crate) fn is_by(self, other: Self) -> bool {
        self.at_ms <= other.at_ms && self.known_ms <= other.known_ms
    }
}

/// What so many empty containers weigh at most beside so many vehicles of their own mass,
/// kilograms. A scale knows the mass of a vehicle, and not that of what stands on it empty.
pub(crate) fn empty_containers_kg(containers: usize, vehicles: usize) -> i64 {
    let carried = containers.min(CONTAINERS_MAX.saturating_mul(vehicles));
    let carried = i64::try_from(carried).unwrap_or(0);
    carried.saturating_mul(EMPTY_CONTAINER_KG)
}

/// The direction that a text tells, however it is written.
fn direction_of(text: &str) -> Option<&'static str> {
    match text.trim().to_ascii_lowercase().as_str() {
        "in" => Some("in"),
        "out" => Some("out"),
        _ => None,
    }
}

impl Facts {
    /// Whether a passage goes in or out: by its field, else by what its gates said. Where two gates
    /// differ it went in.
    pub(crate) fn direction(&self) -> Option<&'static str> {
        let said = |way: &str| {
            let mut gates = self.any(&["gate.in", "gate.out"]);
            gates.any(|e| e.text("direction").and_then(direction_of) == Some(way))
        };
        let own = self.field("direction").and_then(direction_of);

        own.or_else(|| ["in", "out"].into_iter().find(|way| said(way)))
    }

    /// Whether a passage went in when it was let go, or did not tell that it goes out: nobody gets
    /// around a limit by leaving the direction away, nor by telling another one when it is gone.
    pub(crate) fn is_inbound(&self) -> bool {
        let Some(known_ms) = self.let_go_ms() else {
            return self.direction() != Some("out");
        };
        let gates = || {
            let all = self.any(&["gate.in", "gate.out"]);
            all.filter(move |e| e.known_from_ms() <= known_ms)
        };
        let said =
            |way: &str| gates().any(|e| e.text("direction").and_then(direction_of) == Some(way));

        match self.field_by("direction", known_ms).and_then(direction_of) {
            Some(own) => own == "in",
            None => said("in") || !said("out"),
        }
    }

    /// Crossings to which a passage was handed over.
    pub(crate) fn handed_over_to(&self) -> impl Iterator<Item = &str> {
        self.events("handed_over").filter_map(|e| e.text("to"))
    }

    /// Whether a passage was handed over, and somebody there has said something of it since. Who
    /// hands a truck over to a crossing that knows nothing of it has handed over nothing.
    pub(crate) fn was_taken_over(&self) -> bool {
        let to: BTreeSet<&str> = self.handed_over_to().collect();
        let mut counting = self.said().filter(Fact::counts);
        !to.is_empty() && counting.any(|e| e.written_at().is_some_and(|at| to.contains(at)))
    }

    /// Whether customs disputed a weighing.
    pub(crate) fn is_disputed(&self, weighed: &Fact<'_>) -> bool {
        let mut disputes = self.events("weighing.disputed");
        disputes.any(|d| d.text("weighing") == Some(weighed.id()))
    }

    /// Weighings that count: all but those that customs disputed and that were made again after.
    /// Nobody voids one by a word, nor by a second one that nobody stands for.
    pub(crate) fn weighings(&self) -> impl Iterator<Item = Fact<'_>> {
        let disputes = self.events("weighing.disputed");
        let disputed: BTreeSet<&str> = disputes.filter_map(|d| d.text("weighing")).collect();
        let all = self.events("weighed");
        let (bad, good): (Vec<Fact<'_>>, Vec<Fact<'_>>) =
            all.partition(|w| disputed.contains(w.id()));

        let is_replaced = |bad: &Fact<'_>| {
            good.iter().any(|w| {
                let is_later = w.at_ms() > bad.at_ms() && w.entered_ms() >= bad.entered_ms();
                is_later && (w.attested() || !bad.attested())
            })
        };
        let replaced = bad.iter().filter(|w| is_replaced(w));
        let replaced: BTreeSet<&str> = replaced.map(Fact::id).collect();

        self.events("weighed")
            .filter(move |w| !replaced.contains(w.id()))
    }

    /// When a passage left for good: its exits since it came in last. What is written later undoes
    /// nothing of what was known when its first exit was.
    pub(crate) fn left(&self) -> Option<WhenTold> {
        let last_in_ms = self.last_ms("gate.in").unwrap_or(i64::MIN);
        let exits = self.events("gate.out");
        let exits: Vec<Fact<'_>> = exits.filter(|e| e.at_ms() >= last_in_ms).collect();

        Some(WhenTold {
            at_ms: exits.iter().map(|e| e.at_ms()).max()?,
            known_ms: exits.iter().map(|e| e.known_from_ms()).min()?,
        })
    }

    /// Events of these types by which packages were moved, said before the passage had left: what
    /// is written once it is gone explains nothing that a scale had shown.
    pub(crate) fn moved<'a>(
        &'a self,
        dossier: &Dossier,
        kinds: &'a [&'a str],
    ) -> impl Iterator<Item = Fact<'a>> + use<'a> {
        let until_ms = dossier.left_by_ms(self);
        let all = self.any(kinds).filter(|e| e.packages_moved().is_some());
        all.filter(move |e| e.known_from_ms() <= until_ms)
    }

    /// Since when attested weighings show a load, Unix milliseconds.
    pub(crate) fn laden_from_ms(&self) -> Option<i64> {
        let attested = self.weighings().filter(Fact::attested);
        let laden = attested.filter(Fact::shows_a_load);
        laden.map(|w| w.at_ms()).min()
    }

    /// Whether a passage carries goods: it says so, or names goods or a sealed container, or an
    /// attested weighing shows them, whatever purpose it tells.
    pub(crate) fn carries_goods(&self) -> bool {
        if self.field("purpose") == Some("goods") {
            return true;
        }

        // What is captured when the truck is gone makes no lighter load of it.
        let least_kg = match self.field_when_let_go("purpose") {
            Some("goods") => return true,
            Some("passengers") => LADEN_WITH_PASSENGERS_KG,
            _ => LADEN_KG,
        };

        let told = |prefix: &str| {
            let texts = self.texts(prefix, "").into_iter();
            texts.filter(|text| !says_nothing(text)).count()
        };
        let (containers, seals) = (told("container"), told("seal"));
        let empty_kg = empty_containers_kg(self.containers_told().len(), 1);
        let least_kg = empty_kg.saturating_add(least_kg);

        let fields = self.json["fields"].as_object().into_iter().flatten();
        let mut goods = fields.filter(|(name, _)| name.starts_with("goods."));
        let names_goods = goods.any(|(_, value)| value.as_str().is_none_or(|t| !says_nothing(t)));
        let mut attested = self.weighings().filter(Fact::attested);
        let is_laden = attested.any(|w| w.net_kg().is_some_and(|net| net >= least_kg));

        names_goods || is_laden || containers > 0 && seals > 0
    }

    /// Whether two passages carry one load: they were of one vehicle or container when they were
    /// let go, name each other, or the goods of one went over to the other.
    pub(crate) fn is_same_load(&self, other: &Facts) -> bool {
        self.shared_vehicle(other)
            || self.shared_container(other)
            || self.is_linked_to(other)
            || self.went_over_to(other)
            || other.went_over_to(self)
    }

    /// The same, by what was known when the other one came or left, Unix milliseconds, or is said
    /// where that was seen: nobody at the other end of the country tells later that a truck which
    /// is missing was another one.
    pub(crate) fn is_same_load_by(&self, other: &Facts, known_ms: i64) -> bool {
        let is_known = |e: &Fact<'_>, on: &Facts| {
            let written_at = e.written_at().unwrap_or(on.crossing());
            e.known_from_ms() <= known_ms || written_at == other.crossing()
        };
        let joins = |one: &Facts, two: &Facts| {
            let mut said = one.transhipped_to(two).chain(one.naming(two));
            said.any(|e| is_known(&e, one))
        };

        let is_it = self.shared_vehicle(other) || self.shared_container(other);
        is_it || joins(self, other) || joins(other, self)
    }

    /// Whether goods of this passage went over to another's vehicle. Where nobody said to which,
    /// it may be any.
    fn went_over_to(&self, other: &Facts) -> bool {
        self.transhipped_to(other).next().is_some()
    }

    /// Since when it is known that goods of this passage went over to another's vehicle, Unix
    /// milliseconds. One word that is written when that is gone says nothing of an honest truck;
    /// where the other record tells that something was loaded on it, the goods were there as soon
    /// as either was said. None where the other has its container or is a record of its vehicle,
    /// or it was sent on itself: then no word tells since when.
    pub(crate) fn over_since_ms(&self, dossier: &Dossier, other: &Facts) -> Option<i64> {
        let is_itself = other.shares_any(self, "container") || other.shares_vehicle(self);
        if is_itself || self.has("diverted") {
            return None;
        }

        let is_loaded = other.moved(dossier, &["reloaded"]).next().is_some();
        let since_ms = |e: Fact<'_>| match is_loaded {
            true => e.said_from_ms(),
            false => e.known_from_ms(),
        };
        self.transhipped_to(other).map(since_ms).min()
    }

    /// By which words goods of this passage went over to another's vehicle.
    pub(crate) fn transhipped_to<'a>(&'a self, other: &'a Facts) -> impl Iterator<Item = Fact<'a>> {
        let names = ["vehicle.plate", "vehicle.plate_raw", "trailer.plate"];
        let is_plate_of_other = move |plate: &str| {
            let plate = normalise_plate(plate);
            let theirs = names.into_iter().filter_map(|name| other.field(name));
            theirs.map(normalise_plate).any(|own| own == plate)
        };
        let to_plate = move |e: &Fact<'_>| match e.text("to_plate") {
            Some(plate) if !says_nothing(plate) => is_plate_of_other(plate),
            _ => true,
        };
        // What moves nothing moves no load.
        let moves = |e: &Fact<'_>| e.int("packages").is_none_or(|packages| packages > 0);
        let moved = self.events("transhipped").filter(moves);
        moved.filter(to_plate)
    }
}

#[cfg(test)]
mod tests {
    use crate::{HOUR_MS, Phase, tests::*};
    use serde_json::json;

    #[test]
    fn a_direction_is_the_fields_or_the_gates() {
        let told = |field: Option<&str>, gates: &[&str]| {
            let fields = field.map_or(json!({}), |way| json!({"direction": way}));
            let events: Vec<_> = gates
                .iter()
                .zip(1..)
                .map(|(way, at_ms)| event("gate.in", at_ms, json!({"direction": way})))
                .collect();
            passage("P1", fields, &events).direction()
        };

        assert_eq!(told(Some("out"), &["in"]), Some("out"));
        assert_eq!(told(None, &[" OUT"]), Some("out"));
        assert_eq!(told(None, &["out", "in"]), Some("in"));
        assert_eq!(told(None, &["sideways"]), None);
    }

    #[test]
    fn a_hold_goes_along_with_a_truck_that_is_sent_to_another_crossing() {
        let held = || {
            let link = event("link", 1, json!({"record": "P1"}));
            hold("H1", json!({}), &[link, event("hold.placed", 1, json!({}))])
        };
        let first = |events: &[serde_json::Value]| passage("P1", json!({}), events);
        let sent = || first(&[event("diverted", 2, json!({"to": "QAM"}))]);
        let second = |plate: &str| {
            let events = [
                event("arrived", 3, json!({})),
                event("gate.out", 9, json!({})),
            ];
            passage("P2", json!({"vehicle.plate": plate}), &events).at("QAM")
        };

        let found = |first, plate| firm("R02", first, vec![held(), second(plate)]);
        assert_eq!(found(sent(), "11-A-1"), [Phase::Firm]);
        assert_eq!(found(sent(), "22B2"), [], "another truck");
        let stayed = first(&[event("gate.in", 2, json!({}))]);
        assert_eq!(found(stayed, "11A1"), [], "nobody sent it on");
    }

    #[test]
    fn a_hold_on_one_record_of_a_stay_holds_the_truck_that_leaves_by_another() {
        let held = |more: &[serde_json::Value]| {
            let link = event("link", 1, json!({"record": "P1"}));
            let placed = event("hold.placed", 1, json!({}));
            hold("H1", json!({}), &[&[link, placed], more].concat())
        };
        let found = |first: &[serde_json::Value], on_hold: &[serde_json::Value]| {
            let came = event("gate.in", 0, json!({}));
            let first = passage("P1", json!({}), &[&[came], first].concat());
            let day = 24 * HOUR_MS;
            let events = [
                event("gate.in", 4 * day, json!({})),
                event("gate.out", 5 * day, json!({})),
            ];
            let second = passage("P2", json!({"vehicle.plate": "11-A-1"}), &events);
            firm("R02", first, vec![held(on_hold), second])
        };

        assert_eq!(found(&[], &[]), [Phase::Firm]);
        let released = event("released", 2, json!({"holds": ["hold.placed@1"]}));
        assert_eq!(found(&[], &[released]), []);
        let out = event("gate.out", 9, json!({}));
        assert_eq!(found(&[out], &[]).len(), 1, "the first alone, another trip");
    }

    #[test]
    fn a_word_that_goods_went_over_accuses_no_truck_that_was_gone() {
        let found = |packages: i64, entered_ms: i64, more: &[serde_json::Value]| {
            let link = event("link", 1, json!({"record": "P1"}));
            let held = hold("H1", json!({}), &[link, event("hold.placed", 1, json!({}))]);
            let moved = json!({"packages": packages, "to_plate": "22B2"});
            let mut moved = event("transhipped", 50, moved);
            moved["entered_ms"] = entered_ms.into();
            let first = passage("P1", json!({}), &[moved]);
            let out = [event("gate.out", 100, json!({}))];
            let fields = json!({"vehicle.plate": "22B2"});
            let other = passage("P2", fields, &[&out[..], more].concat());
            firm("R02", first, vec![held, other])
        };

        assert_eq!(found(5, 50, &[]), [Phase::Firm]);
        assert_eq!(found(0, 50, &[]), [], "nothing was moved");
        assert_eq!(found(5, HOUR_MS, &[]), [], "said when it was gone");
        let loaded = event("reloaded", 60, json!({"packages": 5}));
        let both = found(5, HOUR_MS, &[loaded]);
        assert_eq!(both, [Phase::Firm], "its own record tells of it");
    }

    #[test]
    fn a_container_that_was_emptied_is_held_by_its_next_goods_alone() {
        let found = |events: &[serde_json::Value]| {
            let boxed = |plate: &str| json!({"vehicle.plate": plate, "container.1": "C1"});
            let registered = event("registered", 0, json!({}));
            let goods = entry("E1", boxed("11A1"), &[registered]);
            let link = event("link", 1, json!({"record": "E1"}));
            let held = hold("H1", json!({}), &[link, event("hold.placed", 1, json!({}))]);

            let came = [event("gate.in", 0, json!({}))];
            let first = passage("P1", boxed("11A1"), &[&came[..], events].concat());
            let day = 24 * HOUR_MS;
            let again = [
                event("gate.in", 19 * day, json!({})),
                event("gate.out", 20 * day, json!({})),
            ];
            let second = passage("P2", boxed("22B2"), &again);
            firm("R02", goods, vec![held, first, second])
        };

        assert_eq!(found(&[]), [Phase::Firm]);
        let unloaded = event("unloaded", 2, json!({"packages": 9}));
        assert_eq!(found(&[unloaded]), []);
    }

    #[test]
    fn a_load_goes_over_to_the_truck_that_was_named() {
        let plate = |id: &str, plate: &str, events: &[serde_json::Value]| {
            passage(id, json!({"vehicle.plate": plate}), events)
        };
        let over = |data| [event("transhipped", 1, data)];
        let to = |plate: &str| over(json!({"packages": 1, "to_plate": plate}));
        let other = plate("P2", "22-B-2", &[]);

        assert!(!plate("P1", "11A1", &[]).is_same_load(&other));
        assert!(plate("P1", "11A1", &to("22 B 2")).is_same_load(&other));
        assert!(!plate("P1", "11A1", &to("33 C 3")).is_same_load(&other));
        assert!(plate("P1", "11A1", &over(json!({"packages": 1}))).is_same_load(&other));
    }
}
