//! Masses of one draft that speak against each other.

use crate::Draft;
use serde_json::Value as Json;

impl Draft {
    /// Weighings of one draft by which a vehicle is heavier empty than laden. Each is what a scale
    /// or a paper says, and is kept as it was said.
    pub(super) fn weighings_disagree(&self) -> Option<String> {
        let kg = |member: &'static str| {
            let weighed = self
                .events
                .iter()
                .filter(|event| event.get("type").and_then(Json::as_str) == Some("weighed"));
            weighed.filter_map(move |event| event.get(member).and_then(Json::as_i64))
        };

        let (gross, tare) = (kg("gross_kg").max()?, kg("tare_kg").min()?);
        (tare > gross)
            .then(|| format!("weighed.tare_kg: {tare} kg empty is more than the gross, {gross} kg"))
    }
}

#[cfg(test)]
mod tests {
    use crate::Passage;
    use serde_json::json;

    #[test]
    fn a_vehicle_that_is_heavier_empty_than_laden_is_told() {
        let weighed = |gross: i64, tare: i64| {
            let draft = Passage::on()
                .event("weighed", json!({"scale": "S", "gross_kg": gross}))
                .event("weighed", json!({"scale": "S", "tare_kg": tare}));
            draft.weighings_disagree()
        };

        assert_eq!(
            weighed(12_340, 13_000).unwrap(),
            "weighed.tare_kg: 13000 kg empty is more than the gross, 12340 kg"
        );
        assert_eq!(weighed(13_000, 13_000), None);
        assert_eq!(weighed(31_240, 14_000), None);
    }
}
