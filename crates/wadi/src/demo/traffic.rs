//! Traffic of the demonstration: trucks, travellers, holds, laboratory results, entries, lookouts
//! and site days, out of a seed; some of it contradictory, unless `--clean`.

use super::goods::{
    COUNTRIES, GOODS, QUARANTINED_GOODS, REMARKS, TARE_KG, container, hold_department, plain,
};
use crate::{cli::client::Client, failure::Failure};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// One crossing's traffic.
pub struct Traffic {
    pub crossing: String,
    pub client: Client,
    pub hub: Client,
    pub seed: u64,
    pub clean: bool,
    pub pause: Duration,
    pub stop: Arc<AtomicBool>,
    pub written: Arc<AtomicU64>,
    pub refused: Arc<AtomicU64>,
}

/// A truck on its way through the crossing.
struct Truck {
    passage: String,
    entry: Option<String>,
    hold: Option<TruckHold>,
    plate: String,
    container: String,
    goods: usize,
    net_kg: i64,
    /// Tells this truck's tickets and receipts from all others.
    number: u32,
    step: u32,
    runs_the_gate: bool,
}

struct TruckHold {
    id: String,
    placed: String,
    result: bool,
    open: bool,
}

impl Traffic {
    fn post_as(
        &self,
        officer: &str,
        department: &str,
        path: &str,
        mut body: Value,
    ) -> Result<Value, Failure> {
        body["officer"] = format!("{}-{officer}", self.crossing).into();
        body["department"] = department.into();

        // The same words on the same record are one write: what was sent into a power cut is sent
        // again.
        let key: String = Sha256::digest(format!("{path} {body}"))[..16]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let answer = self.client.post_once(path, &body, &key);
        match &answer {
            Ok(_) => self.written.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.refused.fetch_add(1, Ordering::Relaxed),
        };

        answer
    }

    fn event(
        &self,
        officer: &str,
        department: &str,
        id: &str,
        event: Value,
    ) -> Result<Value, Failure> {
        self.post_as(
            officer,
            department,
            &format!("/v1/records/{id}/events"),
            json!({"events": [event]}),
        )
    }

    /// Runs until stopped. A node that is down, or a write that is refused, ends a step and not the
    /// traffic.
    pub fn run(self) {
        let mut r = StdRng::seed_from_u64(self.seed);
        let mut trucks: Vec<Truck> = Vec::new();
        let mut day: Option<String> = None;
        let mut turn = 0u32;

        while !self.stop.load(Ordering::Relaxed) {
            turn += 1;
            // Whoever opens the gate is on shift by then.
            if turn % 20 == 1 {
                self.site_day(&mut day, turn, &mut r);
            }

            if trucks.len() < 6 || r.random_bool(0.15) {
                trucks.extend(self.truck_arrives(&mut r));
            }

            if turn % 7 == 3 {
                let _ = self.traveller(&mut r);
            }

            if !trucks.is_empty() {
                let at = r.random_range(0..trucks.len());
                if self.step(&mut trucks[at], &mut r) {
                    trucks.swap_remove(at);
                }
            }

            std::thread::sleep(self.pause);
        }

        // Those still at the crossing are seen off: nobody is left standing with half its papers.
        for mut truck in trucks {
            for _ in 0..20 {
                if self.step(&mut truck, &mut r) {
                    break;
                }
            }
        }
    }

    /// One step of a truck; what a node that is down did not answer is tried again. True when the
    /// truck has left.
    fn step(&self, truck: &mut Truck, r: &mut StdRng) -> bool {
        let before = truck.step;
        match self.advance_truck(truck, r) {
            Ok(done) => done,
            Err(failure) => {
                if failure.code == "unreachable" {
                    truck.step = before;
                    std::thread::sleep(Duration::from_millis(300));
                }
                false
            }
        }
    }

    fn truck_arrives(&self, r: &mut StdRng) -> Option<Truck> {
        let goods = r.random_range(0..GOODS.len());
        let country = COUNTRIES[r.random_range(0..COUNTRIES.len())];
        let plate = if r.random_bool(0.3) {
            format!(
                "{} بصرة {}",
                r.random_range(1000..10000),
                r.random_range(10..99)
            )
        } else {
            format!(
                "{}-A-{:05}",
                r.random_range(11..30),
                r.random_range(0..100_000)
            )
        };

        let container = container(r);
        let body = json!({
            "kind": "passage",
            "fields": {
                "direction": "in",
                "vehicle.plate_raw": plate,
                "vehicle.plate_country": country,
                "purpose": "goods",
                "container.1": container,
                "goods.hs_code": GOODS[goods].0,
                "note": REMARKS[r.random_range(0..REMARKS.len())],
            },
            "events": [
                {
                    "type": "gate.in",
                    "gate": "G1",
                    "direction": "in",
                    "read": format!("ANPR-{}", r.random_range(1..9999)),
                },
            ],
        });

        let passage = loop {
            match self.post_as("gate-1", "PORT", "/v1/records", body.clone()) {
                Ok(passage) => break passage,
                Err(failure)
                    if failure.code == "unreachable" && !self.stop.load(Ordering::Relaxed) =>
                {
                    std::thread::sleep(Duration::from_millis(300));
                }
                Err(_) => return None,
            }
        };

        Some(Truck {
            passage: passage["id"].as_str().unwrap_or_default().into(),
            entry: None,
            hold: None,
            plate,
            container,
            goods,
            net_kg: r.random_range(8_000..26_000),
            number: r.random_range(1..100_000_000),
            step: 0,
            runs_the_gate: !self.clean && r.random_bool(0.06),
        })
    }

    /// One step of a truck's way; true when it has left.
    fn advance_truck(&self, t: &mut Truck, r: &mut StdRng) -> Result<bool, Failure> {
        t.step += 1;
        let number = t.number;
        match t.step {
            1 => {
                self.read_seal(t)?;
                self.weigh_truck(t)?;
            }
            // A truck whose entry nobody makes is a finding, once its time is up.
            2 if self.clean || r.random_bool(0.93) => self.declare_goods(t)?,
            2 => {}
            3 => {
                if let Some(entry) = t.entry.clone() {
                    self.channel_and_value(t, &entry)?;
                }
            }
            4 => {
                if t.goods < QUARANTINED_GOODS && r.random_bool(0.5) {
                    self.place_hold(t)?;
                }
            }
            5 => self.issue_result(t),
            6 => {
                if !self.release_hold(t) {
                    return Ok(false);
                }

                self.release_entry(t)?;
            }
            7 => {
                if t.hold.as_ref().is_none_or(|h| !h.open) {
                    let cleared = json!({"type": "cleared"});
                    let answer = self.event("gate-2", "PORT", &t.passage, cleared);

                    // Refused while the registration of officers is on its way: the truck waits.
                    if answer.is_err() {
                        t.step -= 1;
                    }
                }
            }
            8 if !self.clean && r.random_bool(0.08) && self.crossing == "TRB" => {
                self.divert(t)?;
                return Ok(true);
            }
            _ => {
                let out = json!({
                    "type": "gate.out",
                    "gate": "G2",
                    "direction": "in",
                    "read": format!("ANPR-{number}"),
                });
                self.event("gate-2", "PORT", &t.passage, out)?;
                return Ok(true);
            }
        }

        Ok(false)
    }

    fn weigh_truck(&self, t: &Truck) -> Result<(), Failure> {
        let weighed = json!({
            "type": "weighed",
            "scale": "S1",
            "gross_kg": t.net_kg + TARE_KG,
            "tare_kg": TARE_KG,
            "ticket": format!("T{}", t.number),
            "calibration_due": "2026-12-31",
            "attested_by": format!("{}-cus-2", self.crossing),
            "attester_department": "CUS",
        });

        self.event("ops-1", "OPS", &t.passage, weighed).map(drop)
    }

    /// Customs reads the truck's seal.
    fn read_seal(&self, t: &Truck) -> Result<(), Failure> {
        let seal = json!({"fields": {"seal.1": format!("JO{:08}", t.number)}});
        let path = format!("/v1/records/{}/events", t.passage);
        self.post_as("cus-1", "CUS", &path, seal).map(drop)
    }

    /// Makes the truck's customs entry.
    fn declare_goods(&self, t: &mut Truck) -> Result<(), Failure> {
        let number = t.number;
        let (hs, name, _, price) = GOODS[t.goods];
        let mut body = json!({
            "kind": "customs-entry",
            "fields": {
                "office": format!("{}01", self.crossing),
                "declaration_type": "IM4",
                "declarant": "Al-Rafidain Clearing",
                "declarant_ref": format!("{}-{number:08}", self.crossing),
                "container.1": t.container,
                "currency": "IQD",
                "invoice_minor": price * t.net_kg * (90 + i64::from(number % 20)) / 100,
                "vehicle.plate": plain(&t.plate),
                "goods.1.hs_code": hs,
                "goods.1.description": name,
                "goods.1.origin": "JO",
                "goods.1.gross_g": t.net_kg * 1000,
                "goods.1.packages": 10 + number % 900,
            },
            "events": [{"type": "registered", "registration_no": format!("R{number}")}],
        });

        if t.goods < QUARANTINED_GOODS {
            body["fields"]["certificate.1"] = format!("PC-{number:08}").into();
        }

        let entry = self.post_as("cus-1", "CUS", "/v1/records", body)?;
        t.entry = entry["id"].as_str().map(String::from);
        Ok(())
    }

    /// The laboratory's result on the truck's hold, where it has one.
    fn issue_result(&self, t: &mut Truck) {
        let Some(hold) = &mut t.hold else { return };
        let (dept, officer) = hold_department(t.goods);
        let result = json!({
            "type": "result.issued",
            "sample": "S1",
            "result": "no pests, no residues",
            "outcome": "satisfactory",
            "lab": "L1",
            "attested_by": format!("{}-{}-2", self.crossing, officer),
            "attester_department": dept,
        });

        let said = self.event(&format!("{officer}-1"), dept, &hold.id, result);
        hold.result = said.is_ok();
    }

    /// Lifts the truck's hold, unless it runs the gate; false where the goods have to wait.
    fn release_hold(&self, t: &mut Truck) -> bool {
        let Some(hold) = &mut t.hold else { return true };
        if t.runs_the_gate {
            return true;
        }

        let (dept, officer) = hold_department(t.goods);
        let second = format!("{}-{}-2", self.crossing, officer);
        let release = json!({"type": "released", "holds": [hold.placed], "second_officer": second});

        // Refused while the registration of officers is still on its way: the goods wait.
        hold.open = self
            .event(&format!("{officer}-1"), dept, &hold.id, release)
            .is_err();
        if hold.open {
            t.step = if hold.result { 5 } else { 4 };
        }

        !hold.open
    }

    /// The duty is paid and the entry released, where there is one.
    fn release_entry(&self, t: &mut Truck) -> Result<(), Failure> {
        let Some(entry) = t.entry.clone() else {
            return Ok(());
        };

        let paid = json!({
            "type": "paid",
            "amount_minor": 250_000,
            "currency": "IQD",
            "receipt": format!("P{}", t.number),
        });
        self.event("cus-1", "CUS", &entry, paid)?;

        let released = json!({"type": "entry.released"});
        self.event("cus-1", "CUS", &entry, released)
            .map(drop)
            .inspect_err(|_| {
                // Refused while the registration of officers is still on its way: the goods wait.
                t.step -= 1;
            })
    }

    /// The bridge at Traibeel is closed: on to Al-Qaem, and the record with it.
    fn divert(&self, t: &Truck) -> Result<(), Failure> {
        for kind in ["diverted", "handed_over"] {
            self.event(
                "gate-2",
                "PORT",
                &t.passage,
                json!({"type": kind, "to": "QAM", "reason": "bridge closed"}),
            )?;
        }

        Ok(())
    }

    fn channel_and_value(&self, t: &Truck, entry: &str) -> Result<(), Failure> {
        let channel = ["GREEN", "GREEN", "YELLOW", "RED"][t.number as usize % 4];
        self.event(
            "cus-1",
            "CUS",
            entry,
            json!({"type": "lane.assigned", "lane": channel}),
        )?;

        if channel == "RED" {
            self.event(
                "cus-2",
                "CUS",
                entry,
                json!({"type": "inspected", "result": "as declared"}),
            )?;
        }

        if !self.clean && t.number % 10 == 3 {
            // Two officers read the same screen and classify the goods differently.
            let shown = self.client.get(&format!("/v1/records/{entry}"))?["heads"].clone();
            for (officer, code) in [
                ("cus-1", GOODS[t.goods].0),
                ("cus-2", GOODS[(t.goods + 1) % GOODS.len()].0),
            ] {
                let body = json!({"fields": {"goods.1.hs_code": code}, "based_on": shown});
                self.post_as(officer, "CUS", &format!("/v1/records/{entry}/events"), body)?;
            }

            return Ok(());
        }

        self.event(
            "cus-1",
            "CUS",
            entry,
            json!({"type": "assessed", "duty_minor": 250_000, "currency": "IQD"}),
        )?;

        Ok(())
    }

    fn place_hold(&self, t: &mut Truck) -> Result<(), Failure> {
        let (dept, officer) = hold_department(t.goods);
        let hold_type = if dept == "VET" {
            "VETERINARY"
        } else {
            "AGRICULTURAL"
        };

        let body = json!({
            "kind": "hold",
            "fields": {
                "type": hold_type,
                "legal_basis": "Law 76/2012",
                "commodity": GOODS[t.goods].2,
                "hs_code": GOODS[t.goods].0,
            },
            "events": [
                {
                    "type": "hold.placed",
                    "type_of_hold": hold_type,
                    "legal_basis": "Law 76/2012",
                    "reason": "sampling",
                },
                {"type": "link", "record": t.passage, "why": "cargo"},
                {"type": "sample.taken", "sample": "S1", "test": "residues"},
            ],
        });

        let hold = self.post_as(&format!("{officer}-1"), dept, "/v1/records", body)?;
        let id = hold["id"].as_str().unwrap_or_default().to_string();
        let shown = self.client.get(&format!("/v1/records/{id}"))?;
        let placed = shown["open_holds"][0]
            .as_str()
            .unwrap_or_default()
            .to_string();

        t.hold = Some(TruckHold {
            id,
            placed,
            result: false,
            open: true,
        });

        Ok(())
    }

    fn traveller(&self, r: &mut StdRng) -> Result<(), Failure> {
        let document: String = (0..64)
            .map(|_| char::from_digit(r.random_range(0..16), 16).unwrap_or('0'))
            .collect();
        let body = json!({
            "kind": "passage",
            "fields": {
                "direction": if r.random_bool(0.5) { "in" } else { "out" }, "purpose": "passengers",
                "person.1.document_hash": document, "person.1.document_type": "P",
                "person.1.nationality": COUNTRIES[r.random_range(0..COUNTRIES.len())],
            },
            "events": [{"type": "person.admitted", "document_hash": document, "visa": "V1"}],
        });

        self.post_as("pas-1", "PAS", "/v1/records", body).map(drop)
    }

    fn site_day(&self, day: &mut Option<String>, turn: u32, r: &mut StdRng) {
        match day.clone() {
            None => *day = self.begin_site_day(),
            Some(id) if turn.is_multiple_of(3) => self.lose_power(&id, r),
            // The hub looks for a plate at every crossing, now and then.
            Some(_) => drop(self.lookout(r)),
        }
    }

    /// The site day's id, where it was taken.
    fn begin_site_day(&self) -> Option<String> {
        let shift = json!({
            "type": "shift.on",
            "officer": format!("{}-gate-1", self.crossing),
            "department": "PORT",
        });
        let body = json!({
            "kind": "site-day",
            "fields": {"date": "2026-03-01"},
            "events": [shift],
        });

        let begun = self.post_as("gate-1", "PORT", "/v1/records", body).ok()?;
        begun["id"].as_str().map(String::from)
    }

    fn lose_power(&self, day: &str, r: &mut StdRng) {
        let minutes = r.random_range(5..240);
        let lost = json!({"type": "power.lost", "source": "grid", "battery_minutes": minutes});

        if self.event("ops-1", "OPS", day, lost).is_ok() {
            let back = json!({"type": "power.back", "source": "grid"});
            let _ = self.event("ops-1", "OPS", day, back);
        }
    }

    fn lookout(&self, r: &mut StdRng) -> Result<(), Failure> {
        if self.crossing != "TRB" {
            return Ok(());
        }

        let body = json!({
            "kind": "hold",
            "crossing": "TRB",
            "officer": "HUB-1",
            "department": "HUB",
            "fields": {
                "type": "SECURITY",
                "legal_basis": "order 12",
                "target.term": format!("99A{:05}", r.random_range(0..100_000)),
            },
            "events": [
                {"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order 12"},
            ],
        });

        self.hub.post("/v1/records", &body).map(drop)
    }
}
