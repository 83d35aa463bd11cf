//! One contradiction for each rule, told by the people of Traibeel, Al-Qaem and the hub while the
//! demonstration's traffic runs: what the auditors are there to find.

mod posts;
mod scenes;

use crate::{cli::client::Client, failure::Failure};
use rand::{SeedableRng, rngs::StdRng};
use serde_json::json;
use std::{
    cell::RefCell,
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// Officers are registered at the hub, and that has to reach the crossings first.
const REGISTRATION_PAUSE: Duration = Duration::from_secs(4);
/// Times a story is told at once whose last act was refused or did not get through, and how often
/// it is come back to.
const ATTEMPTS_MAX: usize = 6;
const ROUNDS_MAX: usize = 10;

pub struct Contradictions {
    hub: Client,
    trb: Client,
    qam: Client,
    stop: Arc<AtomicBool>,
    random: RefCell<StdRng>,
    /// The token for a release while dark, once it is issued.
    token: RefCell<Option<String>>,
    /// What was shown, a sentence each.
    scenes: Arc<Mutex<Vec<String>>>,
}

type StoryEnd = Result<(), Failure>;

impl Contradictions {
    pub fn new(
        hub: Client,
        trb: Client,
        qam: Client,
        seed: u64,
        stop: Arc<AtomicBool>,
        scenes: Arc<Mutex<Vec<String>>>,
    ) -> Self {
        Self {
            hub,
            trb,
            qam,
            stop,
            random: RefCell::new(StdRng::seed_from_u64(seed ^ 0xc0de)),
            token: RefCell::default(),
            scenes,
        }
    }

    /// Shows what defends, then tells all, one after the other, until done or stopped.
    pub fn run(self) {
        std::thread::sleep(REGISTRATION_PAUSE);
        let stories: [(&str, fn(&Self) -> StoryEnd); 33] = [
            ("field", Self::refused_field),
            ("token", Self::dark_release),
            ("R01", Self::released_unseen_hold),
            ("R02", Self::passed_while_held),
            ("R03", Self::weight_mismatch),
            ("R04", Self::impossible_journey),
            ("R05", Self::presence_outside_stay),
            ("R06", Self::diversion_open),
            ("R07", Self::near_duplicate_vehicle),
            ("R08", Self::duplicate_reference),
            ("R09", Self::seal_broken),
            ("R10", Self::result_overdue),
            ("R11", Self::released_against_result),
            ("R12", Self::radiation_unresolved),
            ("R13", Self::contested_field),
            ("R14", Self::money_against_state),
            ("R15", Self::missing_counterpart),
            ("R16", Self::package_count),
            ("R17", Self::certificate_missing),
            ("R18", Self::custody_broken),
            ("R19", Self::lane_ignored),
            ("R20", Self::clock_or_sequence),
            ("R21", Self::no_authority),
            ("R22", Self::self_attested),
            ("R23", Self::calibration_expired),
            ("R24", Self::check_digit),
            ("R25", Self::person_in_out),
            ("R26", Self::inland_overdue),
            ("R27", Self::transit_open),
            ("R28", Self::undervalued),
            ("R30", Self::override_outlier),
            ("R31", Self::left_uncleared),
            ("R32", Self::changed_after),
        ];

        // What cannot be told yet, as at a dark crossing that has not heard of its officers, is
        // told after all others.
        let mut untold = VecDeque::from(stories.map(|(rule, tell)| (rule, tell, 1)));
        while let Some((rule, tell, round)) = untold.pop_front() {
            if !self.is_told(rule, tell) && round < ROUNDS_MAX {
                untold.push_back((rule, tell, round + 1));
            }
        }
    }

    /// Tells a story, some times over where it is refused or does not get through; whether it was
    /// told, or the demonstration ends.
    fn is_told(&self, rule: &str, tell: fn(&Self) -> StoryEnd) -> bool {
        for _ in 0..ATTEMPTS_MAX {
            if self.stop.load(Ordering::Relaxed) {
                return true;
            }

            match tell(self) {
                Ok(()) => return true,
                Err(failure) => {
                    tracing::debug!(rule, code = failure.code, why = failure.why, "told again");
                    std::thread::sleep(Duration::from_millis(700));
                }
            }
        }

        false
    }

    fn released_unseen_hold(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        let hold = self.sampled(&truck)?;
        let passage = self.trb.get(&format!("/v1/records/{truck}"))?["record"].clone();

        // The hub's word is on its way while the release is signed.
        let body = json!({
            "kind": "hold", "crossing": "TRB", "officer": "HUB-1", "department": "HUB",
            "fields": {"type": "SECURITY", "legal_basis": "order 14"},
            "events": [
                {"type": "hold.placed", "type_of_hold": "SECURITY", "legal_basis": "order 14"},
                {"type": "link", "record": passage, "why": "intelligence"},
            ],
        });

        self.hub.post("/v1/records", &body)?;
        self.releases(&hold)
    }

    fn passed_while_held(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        self.place_hold(&truck, json!([]))?;
        self.leaves(&self.trb, &truck)
    }

    fn weight_mismatch(&self) -> StoryEnd {
        let container = self.container();
        let truck = self.truck(
            &self.trb,
            json!({"container.1": container, "seal.1": format!("JO{}", self.number())}),
        )?;
        let weighed = json!({
            "type": "weighed",
            "scale": "S2",
            "gross_kg": 41_000,
            "tare_kg": 14_000,
            "attested_by": "TRB-cus-2",
            "attester_department": "CUS",
        });

        self.post_event(&self.trb, OPERATOR, &truck, weighed)?;
        self.entry(json!({
            "container.1": container,
            "goods.1.hs_code": "7214.20",
            "goods.1.gross_g": 20_000_000,
        }))
        .map(drop)
    }

    fn impossible_journey(&self) -> StoryEnd {
        let plate = json!({"vehicle.plate_raw": format!("32-A-{}", self.number())});
        self.truck_let_in_by(&self.qam, QAM_GATE, plate.clone())?;
        self.truck(&self.trb, plate).map(drop)
    }

    fn presence_outside_stay(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        self.leaves(&self.trb, &truck)?;

        // A quarter of an hour later, in the demonstration's time.
        std::thread::sleep(Duration::from_millis(400));
        self.post_event(
            &self.trb,
            OPERATOR,
            &truck,
            json!({"type": "fuelled", "plate": "31-A-1", "litres": 300.0}),
        )
    }

    fn diversion_open(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        self.post_event(
            &self.trb,
            GATE,
            &truck,
            json!({"type": "diverted", "to": "QAM", "reason": "bridge closed"}),
        )
    }

    fn near_duplicate_vehicle(&self) -> StoryEnd {
        let number = self.number();
        self.truck(
            &self.trb,
            json!({"vehicle.plate_raw": format!("33-O-{number}")}),
        )?;
        self.truck(
            &self.trb,
            json!({"vehicle.plate_raw": format!("33-0-{number}")}),
        )
        .map(drop)
    }

    fn duplicate_reference(&self) -> StoryEnd {
        let reference = json!({"declarant_ref": format!("D-{}", self.number())});
        self.entry(reference.clone())?;
        self.entry(reference).map(drop)
    }

    fn seal_broken(&self) -> StoryEnd {
        let truck = self.truck(
            &self.trb,
            json!({"purpose": "goods", "container.1": self.container()}),
        )?;
        self.leaves(&self.trb, &truck)
    }

    fn result_overdue(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        self.place_hold(&truck, json!([{"type": "sample.taken", "sample": "S1"}]))
            .map(drop)
    }

    fn released_against_result(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        let hold = self.sampled(&truck)?;
        self.releases(&hold)?;
        let amended = json!({
            "type": "result.amended",
            "sample": "S1",
            "result": "fruit fly",
            "outcome": "unsatisfactory",
        });
        self.post_event(&self.trb, ("TRB-agr-1", "AGR"), &hold.0, amended)
    }

    fn radiation_unresolved(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        let fields = json!({"type": "RADIOLOGICAL", "legal_basis": "Law 99/1980"});
        let events = json!([
            {"type": "hold.placed", "type_of_hold": "RADIOLOGICAL", "legal_basis": "Law 99/1980"},
            {"type": "link", "record": truck, "why": "portal"},
            {"type": "rad.alarm", "gamma": 812.5, "lane": 2},
        ]);

        self.new_record(&self.trb, ("TRB-rad-1", "RAD"), "hold", fields, events)
            .map(drop)
    }

    fn contested_field(&self) -> StoryEnd {
        let id = self.entry(json!({"goods.1.hs_code": "4011.20"}))?;
        let shown = self.trb.get(&format!("/v1/records/{id}"))?["heads"].clone();
        for (officer, code) in [("TRB-cus-1", "4011.20"), ("TRB-cus-2", "4012.11")] {
            let body = json!({
                "officer": officer,
                "department": "CUS",
                "fields": {"goods.1.hs_code": code},
                "based_on": shown,
            });
            self.trb.post(&format!("/v1/records/{id}/events"), &body)?;
        }

        Ok(())
    }

    fn money_against_state(&self) -> StoryEnd {
        let id = self.entry(assessable())?;
        self.post_event(
            &self.trb,
            CUSTOMS,
            &id,
            json!({"type": "assessed", "duty_minor": 500_000, "currency": "IQD"}),
        )?;

        let paid = json!({
            "type": "paid",
            "amount_minor": 50_000,
            "currency": "IQD",
            "receipt": format!("M{}", self.number()),
        });
        self.post_event(&self.trb, CUSTOMS, &id, paid)
    }

    fn missing_counterpart(&self) -> StoryEnd {
        self.entry(json!({"container.1": self.container()}))
            .map(drop)
    }

    fn package_count(&self) -> StoryEnd {
        self.entry(json!({"total_packages": 100, "goods.1.packages": 60, "goods.2.packages": 30}))
            .map(drop)
    }

    fn certificate_missing(&self) -> StoryEnd {
        self.entry(json!({"goods.1.hs_code": "0803.90"}))?;
        // And one for more than its certificate covers.
        let covered = json!({
            "goods.1.hs_code": "0803.90", "goods.1.net_g": 26_000_000,
            "certificate.1": format!("PC-{}", self.number()), "certificate.1.net_g": 20_000_000,
        });

        self.entry(covered).map(drop)
    }

    fn custody_broken(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        let warm = json!([
            {"type": "store.in", "slot": "C4", "quantity": 12, "temp_c": 4.0},
            {"type": "store.temperature", "slot": "C4", "temp_c": 15.5},
        ]);
        self.place_hold(&truck, warm).map(drop)
    }

    fn lane_ignored(&self) -> StoryEnd {
        let id = self.entry(assessable())?;
        for event in [
            json!({"type": "lane.assigned", "lane": "RED"}),
            json!({"type": "assessed", "duty_minor": 1_000, "currency": "IQD"}),
            json!({
                "type": "paid",
                "amount_minor": 1_000,
                "currency": "IQD",
                "receipt": format!("L{}", self.number()),
            }),
            json!({"type": "entry.released"}),
        ] {
            self.post_event(&self.trb, CUSTOMS, &id, event)?;
        }

        Ok(())
    }

    fn clock_or_sequence(&self) -> StoryEnd {
        let device = format!("portal-{}", self.number());
        for seq in [1, 2, 4, 4] {
            let truck = self.truck(&self.trb, json!({}))?;
            self.post_event(
                &self.trb,
                OPERATOR,
                &truck,
                json!({"type": "gate.read", "device": device, "device_seq": seq}),
            )?;
        }

        Ok(())
    }

    fn no_authority(&self) -> StoryEnd {
        let shift =
            |kind: &str| json!({"type": kind, "officer": "TRB-night-1", "department": "PORT"});
        let day = self.new_record(
            &self.trb,
            GATE,
            "site-day",
            json!({"date": "2026-03-01", "note": "night gate"}),
            json!([]),
        )?;

        self.post_past_event(&self.trb, GATE, &day, 6, shift("shift.on"))?;
        self.post_past_event(&self.trb, GATE, &day, 3, shift("shift.off"))?;
        let fields = json!({
            "direction": "in",
            "vehicle.plate_raw": format!("34-A-{}", self.number()),
            "purpose": "empty",
        });
        let came = json!([{"type": "gate.in", "gate": "G1", "read": "ANPR"}]);
        let truck = self.new_record(&self.trb, ("TRB-night-1", "PORT"), "passage", fields, came)?;

        self.post_event(
            &self.trb,
            ("TRB-night-1", "PORT"),
            &truck,
            json!({"type": "gate.out", "gate": "G2", "read": "ANPR"}),
        )
    }

    fn self_attested(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        let weighed = json!({
            "type": "weighed",
            "scale": "S2",
            "gross_kg": 30_000,
            "attested_by": OPERATOR.0,
            "attester_department": "CUS",
        });
        self.post_event(&self.trb, OPERATOR, &truck, weighed)
    }

    fn calibration_expired(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        let weighed = json!({
            "type": "weighed",
            "scale": "S9",
            "gross_kg": 30_000,
            "calibration_due": "2026-01-31",
        });
        self.post_event(&self.trb, OPERATOR, &truck, weighed)
    }

    fn check_digit(&self) -> StoryEnd {
        self.truck(&self.trb, json!({"container.1": "CSQU3054384"}))
            .map(drop)
    }

    fn person_in_out(&self) -> StoryEnd {
        let document = format!("{:064x}", self.number());
        for _ in 0..2 {
            let fields = json!({
                "direction": "in",
                "purpose": "passengers",
                "person.1.document_hash": document,
            });
            let admitted = json!([{"type": "person.admitted", "document_hash": document}]);
            self.new_record(&self.trb, ("TRB-pas-1", "PAS"), "passage", fields, admitted)?;
        }

        Ok(())
    }

    fn inland_overdue(&self) -> StoryEnd {
        let container = self.container();
        let truck = self.truck(
            &self.trb,
            json!({"container.1": container, "seal.1": format!("JO{}", self.number())}),
        )?;

        self.entry(json!({"container.1": container}))?;
        self.leaves(&self.trb, &truck)
    }

    fn transit_open(&self) -> StoryEnd {
        let reference = format!("TIR-{}", self.number());
        let truck = self.truck(
            &self.trb,
            json!({"transit.ref": reference, "declared_exit": "MUN"}),
        )?;
        self.leaves(&self.trb, &truck)
    }

    fn undervalued(&self) -> StoryEnd {
        for value in [9_800, 10_100, 10_000, 9_900, 10_200, 1_500] {
            let goods = json!({
                "goods.1.hs_code": "8471.30",
                "goods.1.net_g": 100_000,
                "goods.1.statistical_value_minor": value * 100,
            });
            self.entry(goods)?;
        }

        Ok(())
    }

    fn override_outlier(&self) -> StoryEnd {
        for _ in 0..6 {
            let truck = self.truck(&self.trb, json!({}))?;
            let forced = json!({"type": "gate.out", "gate": "G2", "reason": "camera down"});
            self.post_event(&self.trb, ("TRB-gate-9", "PORT"), &truck, forced)?;
        }
        Ok(())
    }

    fn left_uncleared(&self) -> StoryEnd {
        let truck = self.truck(&self.trb, json!({}))?;
        let check = json!({"type": "check.opened", "check": "documents"});
        self.post_event(&self.trb, CUSTOMS, &truck, check)?;
        self.leaves(&self.trb, &truck)
    }

    fn changed_after(&self) -> StoryEnd {
        let id = self.entry(json!({"goods.1.hs_code": "4011.20", "goods.1.origin": "CN"}))?;
        let assessed = json!({"type": "assessed", "duty_minor": 500_000, "currency": "IQD"});
        self.post_event(&self.trb, CUSTOMS, &id, assessed)?;

        let reason = json!({"type": "fields.corrected", "reason": "another certificate of origin"});
        let body = json!({
            "officer": "TRB-cus-2",
            "department": "CUS",
            "fields": {"goods.1.origin": "JO"},
            "events": [reason],
        });
        self.trb
            .post(&format!("/v1/records/{id}/events"), &body)
            .map(drop)
    }
}

/// Goods that an assessment may rest on.
fn assessable() -> serde_json::Value {
    json!({"goods.1.hs_code": "4011.20", "goods.1.gross_g": 9_000_000, "invoice_minor": 900_000})
}

const GATE: (&str, &str) = ("TRB-gate-2", "PORT");
const QAM_GATE: (&str, &str) = ("QAM-gate-2", "PORT");
const CUSTOMS: (&str, &str) = ("TRB-cus-1", "CUS");
const OPERATOR: (&str, &str) = ("TRB-ops-1", "OPS");
