//! What several rules ask of passages: which way they go, whether they carry goods, what their
//! scales said, and which of them carry one load.

use crate::{Fact, Facts};
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

    /// Whether a passage goes in, or does not tell that it goes out: nobody gets around a limit by
    /// leaving the direction away.
    pub(crate) fn is_inbound(&self) -> bool {
        self.direction() != Some("out")
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

    /// Whether a passage carries goods: it says so, or names goods or a sealed container, or an
    /// attested weighing shows them, whatever purpose it tells.
    pub(crate) fn carries_goods(&self) -> bool {
        let least_kg = match self.field("purpose") {
            Some("goods") => return true,
            Some("passengers") => LADEN_WITH_PASSENGERS_KG,
            _ => LADEN_KG,
        };

        let told = |prefix: &str| {
            let texts = self.texts(prefix, "").into_iter();
            texts.filter(|text| !says_nothing(text)).count()
        };
        let (containers, seals) = (told("container"), told("seal"));
        // A scale knows the vehicle's mass, and not that of what stands on it empty.
        let empty = i64::try_from(containers.min(CONTAINERS_MAX)).unwrap_or(0);
        let least_kg = empty
            .saturating_mul(EMPTY_CONTAINER_KG)
            .saturating_add(least_kg);

        let fields = self.json["fields"].as_object().into_iter().flatten();
        let mut goods = fields.filter(|(name, _)| name.starts_with("goods."));
        let names_goods = goods.any(|(_, value)| value.as_str().is_none_or(|t| !says_nothing(t)));
        let mut attested = self.weighings().filter(Fact::attested);
        let is_laden = attested.any(|w| w.net_kg().is_some_and(|net| net >= least_kg));

        names_goods || is_laden || containers > 0 && seals > 0
    }

    /// Whether two passages carry one load: they are of one vehicle or container, name each other,
    /// or the goods of one went over to the other.
    pub(crate) fn is_same_load(&self, other: &Facts) -> bool {
        self.shares_vehicle(other)
            || self.shares_any(other, "container")
            || self.is_linked_to(other)
            || self.went_over_to(other)
            || other.went_over_to(self)
    }

    /// Whether goods of this passage went over to another's vehicle. Where nobody said to which,
    /// it may be any.
    fn went_over_to(&self, other: &Facts) -> bool {
        self.transhipped_to(other).next().is_some()
    }

    /// When goods of this passage are first said to have gone over to another's vehicle, or were
    /// written down to have, Unix milliseconds. None where the other has its container, or it was
    /// sent on itself: then no word tells since when.
    pub(crate) fn over_since_ms(&self, other: &Facts) -> Option<i64> {
        if other.shares_any(self, "container") || self.has("diverted") {
            return None;
        }

        let all = self.transhipped_to(other);
        all.map(|e| e.said_from_ms()).min()
    }

    fn transhipped_to<'a>(&'a self, other: &'a Facts) -> impl Iterator<Item = Fact<'a>> {
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
        self.events("transhipped").filter(to_plate)
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
