//! What the fields of a record said by a time.
//!
//! A field that holds nothing may still be captured when the vehicle is gone, by whoever may set
//! it, and nobody is told of it: that adds to what is known of the truck. But nobody at the gate
//! rested on it. Where a field explains why nothing is wrong, a rule asks what it said when the
//! vehicle was let go; a value that came later, or took another's place later, explains nothing.

use crate::{Fact, Facts};
use std::collections::{BTreeMap, BTreeSet};
use wadi_record::{Value, field_term, warnings};

/// The entries of one form are typed one after another: what is written within so much of an act
/// stood beside it, milliseconds.
const TYPED_TOGETHER_MS: i64 = 600_000;

impl Facts {
    /// When a vehicle was let go first, out by a gate or to another crossing, by what is said and
    /// by when that was written, Unix milliseconds.
    pub(crate) fn let_go_ms(&self) -> Option<i64> {
        let acts = self.any(&["gate.out", "diverted"]);
        acts.map(|e| e.known_from_ms()).min()
    }

    /// When something was put first into a field that had held nothing since the record began, by
    /// the clock of the node that wrote it, Unix milliseconds.
    pub(crate) fn captured_ms(&self, name: &str) -> Option<i64> {
        let mut lines = self.json["captured"].as_array().into_iter().flatten();
        let line = lines.find(|line| {
            let mut fields = line["fields"].as_array().into_iter().flatten();
            fields.any(|field| field == name)
        });

        line?["entered_ms"].as_i64()
    }

    /// What a field said by a time, by what was written then: nothing where it was captured later,
    /// and what stood there before where it was changed later.
    pub(crate) fn field_by(&self, name: &str, known_ms: i64) -> Option<&str> {
        let until_ms = known_ms.saturating_add(TYPED_TOGETHER_MS);
        if self.captured_ms(name).is_some_and(|ms| ms > until_ms) {
            return None;
        }

        let changes = self.json["changed_after"].as_array().into_iter().flatten();
        let of_field = changes.filter(|change| change["field"] == name);
        let timed = of_field.map(|change| {
            let said_ms = change["at_ms"].as_i64().unwrap_or(0);
            let entered_ms = change["entered_ms"].as_i64().unwrap_or(said_ms);
            (entered_ms.max(said_ms), change)
        });
        let later = timed.filter(|(changed_ms, _)| *changed_ms > until_ms);
        let Some((_, first)) = later.min_by_key(|(changed_ms, _)| *changed_ms) else {
            return self.field(name);
        };

        match first["before"].as_array().map(Vec::as_slice) {
            Some([only]) => only.as_str(),
            _ => None,
        }
    }

    /// What a field of an entry said when duty was assessed on it first, or says where none was.
    pub(crate) fn field_when_assessed(&self, name: &str) -> Option<&str> {
        let assessed = self.events("assessed").map(|e| e.known_from_ms());
        match assessed.min() {
            Some(known_ms) => self.field_by(name, known_ms),
            None => self.field(name),
        }
    }

    /// What a field said when the vehicle was let go, or says where it is still here.
    pub(crate) fn field_when_let_go(&self, name: &str) -> Option<&str> {
        match self.let_go_ms() {
            Some(known_ms) => self.field_by(name, known_ms),
            None => self.field(name),
        }
    }

    /// Whether a field was told by the time at which the vehicle was let go.
    pub(crate) fn was_told(&self, name: &str) -> bool {
        let until_ms = self.let_go_ms().unwrap_or(i64::MAX);
        let until_ms = until_ms.saturating_add(TYPED_TOGETHER_MS);
        self.captured_ms(name).is_none_or(|ms| ms <= until_ms)
    }

    /// Whether both were about one vehicle when each was let go.
    pub(crate) fn shared_vehicle(&self, other: &Facts) -> bool {
        !self.vehicles_told().is_disjoint(&other.vehicles_told())
    }

    /// The vehicles that it was about when it was let go, as they are compared.
    pub(crate) fn vehicles_told(&self) -> BTreeSet<(&'static str, String)> {
        self.vehicles_of(|name| self.was_told(name))
    }

    /// Whether both had one container when each was let go.
    pub(crate) fn shared_container(&self, other: &Facts) -> bool {
        !self.containers_told().is_disjoint(&other.containers_told())
    }

    /// The containers that it had when it was let go, as they are compared.
    pub(crate) fn containers_told(&self) -> BTreeSet<String> {
        let fields = self.json["fields"].as_object().into_iter().flatten();
        let told = fields
            .filter(|(name, _)| name.starts_with("container.") && self.was_told(name))
            .filter_map(|(name, value)| Some(field_term(name, value.as_str()?)?.1));
        told.collect()
    }

    /// The containers that this record names, as they are compared, each with since when that was
    /// written, Unix milliseconds: those whose numbers have the right check digit. What a gate's
    /// machine read while the vehicle was there was always so.
    pub(crate) fn containers_known(&self) -> BTreeMap<String, i64> {
        let begun_ms = self.written_ms();
        let fields = self.json["fields"].as_object().into_iter().flatten();
        let told = fields.filter_map(|(name, value)| {
            let text = value.as_str().filter(|_| name.starts_with("container."))?;
            let since_ms = self.captured_ms(name).unwrap_or(begun_ms);
            let changed_ms = self.changed_ms(name).unwrap_or(since_ms);
            Some((container_number(text)?, since_ms.max(changed_ms)))
        });

        let gone_ms = self.let_go_ms().unwrap_or(i64::MAX);
        let gone_ms = gone_ms.saturating_add(TYPED_TOGETHER_MS);
        let reads = self.events("gate.read");
        let reads = reads.filter(|e| e.known_from_ms() <= gone_ms);
        let read = reads.filter_map(|e| container_number(e.text("container")?));

        let mut all = BTreeMap::new();
        for (number, since_ms) in told.chain(read.map(|number| (number, i64::MIN))) {
            known_first(&mut all, number, since_ms);
        }
        all
    }

    /// When a field was changed last after somebody had rested on it, Unix milliseconds.
    fn changed_ms(&self, name: &str) -> Option<i64> {
        let changes = self.json["changed_after"].as_array().into_iter().flatten();
        let of_field = changes.filter(|change| change["field"] == name);
        let written = of_field.filter_map(|change| change["entered_ms"].as_i64());
        written.max()
    }
}

/// Takes in since when something is known: the earliest time holds.
pub(crate) fn known_first(all: &mut BTreeMap<String, i64>, what: String, since_ms: i64) {
    let known = all.entry(what).or_insert(since_ms);
    *known = since_ms.min(*known);
}

/// Whether what is written since a time, Unix milliseconds, was there when a weighing was written.
/// Whoever has seen what a scale shows types as many boxes as he needs.
pub(crate) fn stood_beside(since_ms: i64, weighed: &Fact<'_>) -> bool {
    since_ms <= weighed.entered_ms().saturating_add(TYPED_TOGETHER_MS)
}

/// A container's number as it is compared, where its check digit is right.
fn container_number(text: &str) -> Option<String> {
    const FIELD: &str = "container.1";
    let is_right = warnings(FIELD, &Value::Text(text.into())).is_none();
    let (_, number) = field_term(FIELD, text)?;
    is_right.then_some(number)
}

#[cfg(test)]
mod tests {
    use crate::{HOUR_MS, tests::*};
    use serde_json::{Value as Json, json};

    const LEFT_MS: i64 = HOUR_MS;

    /// A truck that left, and one field of it that was captured at a time.
    fn left(field: &str, value: &str, captured_ms: i64) -> crate::Facts {
        let captured = json!([{"entered_ms": captured_ms, "fields": [field]}]);
        let out = event("gate.out", LEFT_MS, json!({}));
        passage("P1", json!({(field): value}), &[out]).with("captured", captured)
    }

    #[test]
    fn what_is_captured_when_the_vehicle_is_gone_was_not_said_when_it_left() {
        let said = |captured_ms| {
            let truck = left("purpose", "passengers", captured_ms);
            truck.field_when_let_go("purpose").map(String::from)
        };
        assert_eq!(said(LEFT_MS - 1).as_deref(), Some("passengers"));
        assert_eq!(said(LEFT_MS + 600_000).as_deref(), Some("passengers"));
        assert_eq!(said(LEFT_MS + 600_001), None);

        let here = passage("P1", json!({"purpose": "empty"}), &[]).with(
            "captured",
            json!([{"entered_ms": 9, "fields": ["purpose"]}]),
        );
        assert_eq!(here.field_when_let_go("purpose"), Some("empty"));
    }

    #[test]
    fn what_was_changed_since_is_told_as_it_stood() {
        let changed = |entered_ms: i64, before: Json| {
            let change = json!({
                "field": "direction",
                "before": before,
                "value": "out",
                "at_ms": 0,
                "entered_ms": entered_ms,
            });
            let out = event("gate.out", LEFT_MS, json!({}));
            passage("P1", json!({"direction": "out"}), &[out])
                .with("changed_after", json!([change]))
        };

        let later = changed(9 * HOUR_MS, json!(["in"]));
        assert_eq!(later.field_when_let_go("direction"), Some("in"));
        assert!(later.is_inbound());
        let before = changed(LEFT_MS, json!(["in"]));
        assert!(!before.is_inbound(), "the gate knew it");
        let contested = changed(9 * HOUR_MS, json!(["in", "out"]));
        assert_eq!(contested.field_when_let_go("direction"), None);
    }

    #[test]
    fn a_direction_that_is_captured_later_takes_no_truck_out_of_the_country() {
        assert!(left("direction", "out", 48 * HOUR_MS).is_inbound());
        assert!(!left("direction", "out", LEFT_MS).is_inbound());
    }

    #[test]
    fn a_container_that_is_captured_later_makes_no_two_trucks_one_load() {
        let other = || {
            passage(
                "P2",
                json!({"vehicle.plate": "22B2", "container.1": "C1"}),
                &[],
            )
        };
        let is_one = |captured_ms| left("container.1", "C1", captured_ms).is_same_load(&other());
        assert!(is_one(LEFT_MS));
        assert!(!is_one(48 * HOUR_MS));

        let trailer = passage(
            "P2",
            json!({"vehicle.plate": "22B2", "trailer.plate": "T1"}),
            &[],
        );
        let hooked = |captured_ms| left("trailer.plate", "T1", captured_ms).is_same_load(&trailer);
        assert!(hooked(LEFT_MS));
        assert!(!hooked(48 * HOUR_MS));
    }

    #[test]
    fn a_purpose_that_is_captured_later_makes_no_coach_of_a_laden_truck() {
        let laden = |captured_ms| {
            let mut weighed = event("weighed", 9, json!({"net_kg": 9_000}));
            weighed["attested"] = true.into();
            let out = event("gate.out", LEFT_MS, json!({}));
            let captured = json!([{"entered_ms": captured_ms, "fields": ["purpose"]}]);
            passage("P1", json!({"purpose": "passengers"}), &[weighed, out])
                .with("captured", captured)
                .carries_goods()
        };
        assert!(!laden(LEFT_MS));
        assert!(laden(48 * HOUR_MS));
    }
}
