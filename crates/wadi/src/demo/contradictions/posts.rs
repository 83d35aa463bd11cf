//! How the people of the stories write: records, events, and what several stories begin with.

use super::{CUSTOMS, Contradictions, GATE, StoryEnd};
use crate::demo::goods::container;
use crate::{cli::client::Client, failure::Failure};

use rand::RngExt;

use serde_json::{Value, json};

impl Contradictions {
    pub(super) fn number(&self) -> u32 {
        self.random.borrow_mut().random_range(10_000..100_000)
    }

    pub(super) fn container(&self) -> String {
        container(&mut self.random.borrow_mut())
    }

    /// Begins a record of the client's own crossing; its printed id.
    pub(super) fn new_record(
        &self,
        at: &Client,
        who: (&str, &str),
        kind: &str,
        fields: Value,
        events: Value,
    ) -> Result<String, Failure> {
        let body = json!({
            "kind": kind,
            "officer": who.0,
            "department": who.1,
            "fields": fields,
            "events": events,
        });
        let answer = at.post("/v1/records", &body)?;
        Ok(answer["id"].as_str().unwrap_or_default().to_string())
    }

    pub(super) fn post_event(
        &self,
        at: &Client,
        who: (&str, &str),
        id: &str,
        event: Value,
    ) -> StoryEnd {
        let body = json!({"officer": who.0, "department": who.1, "events": [event]});
        at.post(&format!("/v1/records/{id}/events"), &body)
            .map(drop)
    }

    /// The same of some hours ago, out of the paper book.
    pub(super) fn post_past_event(
        &self,
        at: &Client,
        who: (&str, &str),
        id: &str,
        hours_ago: i64,
        event: Value,
    ) -> StoryEnd {
        let now_ms = at.get("/v1/sites")?["now_ms"].as_i64().unwrap_or(0);
        let body = json!({
            "officer": who.0,
            "department": who.1,
            "events": [event],
            "happened_at_ms": now_ms - hours_ago * 3_600_000,
            "happened_source": "paper",
        });

        at.post(&format!("/v1/records/{id}/events"), &body)
            .map(drop)
    }

    pub(super) fn truck(&self, at: &Client, fields: Value) -> Result<String, Failure> {
        self.truck_let_in_by(at, GATE, fields)
    }

    /// The same through another crossing's gate, which its own officers keep.
    pub(super) fn truck_let_in_by(
        &self,
        at: &Client,
        gate: (&str, &str),
        fields: Value,
    ) -> Result<String, Failure> {
        let mut all = json!({
            "direction": "in", "purpose": "passengers", "vehicle.plate_country": "JO",
            "vehicle.plate_raw": format!("31-A-{}", self.number()),
        });
        let mut seal = None;
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), fields) {
            all.extend(more);
            seal = all.remove("seal.1");
        }

        let came = json!([{"type": "gate.in", "gate": "G1", "read": "ANPR"}]);
        let id = self.new_record(at, gate, "passage", all, came)?;

        // Seals are read by customs.
        if let Some(seal) = seal {
            let (officer, department) = CUSTOMS;
            let fields = json!({"seal.1": seal});
            let body = json!({"officer": officer, "department": department, "fields": fields});
            at.post(&format!("/v1/records/{id}/events"), &body)?;
        }

        Ok(id)
    }

    pub(super) fn leaves(&self, at: &Client, id: &str) -> StoryEnd {
        self.post_event(
            at,
            GATE,
            id,
            json!({"type": "gate.out", "gate": "G2", "read": "ANPR"}),
        )
    }

    pub(super) fn entry(&self, fields: Value) -> Result<String, Failure> {
        let number = self.number();
        let mut all = json!({
            "office": "TRB01", "declaration_type": "IM4", "declarant": "Al-Badiya Clearing",
            "declarant_ref": format!("B-{number}"), "currency": "USD",
        });
        if let (Some(all), Value::Object(more)) = (all.as_object_mut(), fields) {
            all.extend(more);
        }

        let registered = json!([{"type": "registered", "registration_no": format!("B{number}")}]);
        self.new_record(&self.trb, CUSTOMS, "customs-entry", all, registered)
    }

    /// A hold on a passage, by agricultural quarantine; its id and that of its placement.
    pub(super) fn place_hold(
        &self,
        passage: &str,
        more: Value,
    ) -> Result<(String, String), Failure> {
        let mut events = vec![
            json!({
                "type": "hold.placed",
                "type_of_hold": "AGRICULTURAL",
                "legal_basis": "Law 76/2012",
            }),
            json!({"type": "link", "record": passage, "why": "cargo"}),
        ];

        events.extend(more.as_array().cloned().unwrap_or_default());
        let fields = json!({
            "type": "AGRICULTURAL",
            "legal_basis": "Law 76/2012",
            "certificate.ref": format!("PC-{}", self.number()),
        });
        let id = self.new_record(
            &self.trb,
            ("TRB-agr-1", "AGR"),
            "hold",
            fields,
            events.into(),
        )?;

        let shown = self.trb.get(&format!("/v1/records/{id}"))?;
        Ok((
            id,
            shown["open_holds"][0]
                .as_str()
                .unwrap_or_default()
                .to_string(),
        ))
    }

    pub(super) fn sampled(&self, passage: &str) -> Result<(String, String), Failure> {
        let result = json!({
            "type": "result.issued",
            "sample": "S1",
            "result": "no pests",
            "outcome": "satisfactory",
            "lab": "L1",
            "attested_by": "TRB-agr-2",
            "attester_department": "AGR",
        });

        self.place_hold(
            passage,
            json!([{"type": "sample.taken", "sample": "S1"}, result]),
        )
    }

    pub(super) fn releases(&self, hold: &(String, String)) -> StoryEnd {
        let released =
            json!({"type": "released", "holds": [hold.1], "second_officer": "TRB-agr-2"});
        self.post_event(&self.trb, ("TRB-agr-1", "AGR"), &hold.0, released)
    }
}
