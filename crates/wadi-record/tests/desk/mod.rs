//! Desks at which entries are made by hand.

#![allow(dead_code, reason = "each test uses its part")]

use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use wadi_log::*;
use wadi_record::*;

/// A network in which entries are made by hand, without keys: the record does not look at proofs.
pub struct Desk {
    pub author: Author,
    /// Tokens for releases that the node holds.
    pub tokens: BTreeMap<String, HeldToken>,
    log: LogId,
    seq: u64,
}

/// A node's desk, and its log of records of one crossing.
pub fn desk(n: u8, crossing: &str, role: Role, lane: Lane, of: &str) -> Desk {
    let node = NodeId([n; 16]);
    Desk {
        author: Author {
            node,
            name: format!("node-{n}"),
            role,
            crossing: crossing.parse().ok(),
        },
        tokens: BTreeMap::new(),
        log: LogId {
            node,
            epoch: Epoch([n; 8]),
            lane,
            crossing: of.parse().unwrap(),
        },
        seq: 0,
    }
}

/// Officers whom the hub has registered, and whether each is a supervisor.
pub const OFFICERS: [(&str, Department, bool); 10] = [
    ("of-port", Department::Port, false),
    ("of-vet", Department::Vet, false),
    ("of-vet-2", Department::Vet, false),
    ("of-cus", Department::Cus, false),
    ("of-cus-2", Department::Cus, true),
    ("of-hub", Department::Hub, true),
    ("of-sec", Department::Sec, false),
    ("of-pas", Department::Pas, false),
    ("of-rad", Department::Rad, false),
    ("of-rad-2", Department::Rad, false),
];

impl Desk {
    /// Says something as an officer; a stranger is of PORT.
    pub fn say(
        &mut self,
        officer: &str,
        record: Option<RecordId>,
        based_on: &[Reference],
        draft: Draft,
    ) -> JudgedChange {
        let department = OFFICERS
            .iter()
            .find(|o| o.0 == officer)
            .map_or("PORT", |o| o.1.code());
        self.say_as((officer, department, ""), record, based_on, draft)
    }

    /// Says something as a device, with nobody beside it.
    pub fn device(
        &mut self,
        device: &str,
        record: Option<RecordId>,
        based_on: &[Reference],
        draft: Draft,
    ) -> JudgedChange {
        self.say_as(("", "", device), record, based_on, draft)
    }

    /// Says something as an officer, of a department, with a device.
    pub fn say_as(
        &mut self,
        (officer, department, device): (&str, &str, &str),
        record: Option<RecordId>,
        based_on: &[Reference],
        draft: Draft,
    ) -> JudgedChange {
        let (puts, events) = draft.check().unwrap();
        let mut based_on = based_on.to_vec();
        based_on.sort();

        let change = Change {
            record,
            based_on,
            puts,
            events,
        };

        let common = Common {
            wall_ms: 1_000 * self.seq as i64,
            officer: officer.into(),
            department: department.into(),
            device: device.into(),
            ..Default::default()
        };

        let entry = Entry {
            common: common.clone(),
            body: Body::Change(change.clone()),
        };
        let leaf = leaf_hash(&entry.encode().unwrap());
        let reference = Reference {
            log: self.log,
            seq: self.seq,
            leaf,
        };

        self.seq += 1;
        let officers = OFFICERS.iter().map(|(name, department, supervisor)| {
            let o = Officer {
                department: Some(*department),
                crossing: None,
                supervisor: *supervisor,
                revoked: false,
                keys: Default::default(),
            };

            (name.to_string(), o)
        });

        let judge = Judge {
            author: self.author.clone(),
            policy: Arc::new(Policy::default()),
            officers: Arc::new(officers.collect::<BTreeMap<_, _>>()),
            tokens: Arc::new(self.tokens.clone()),
        };

        JudgedChange {
            reference,
            common,
            change,
            verdict: LogVerdict::Counts,
            judge,
        }
    }
}

/// What a record shows.
pub fn view(record: &Record) -> (String, String, [u8; 32]) {
    (
        record.json().to_string(),
        state(record).line(),
        record.digest(),
    )
}

/// The record of these entries.
pub fn build(rows: &[&JudgedChange]) -> Record {
    let id = RecordId::of_first(
        &rows
            .iter()
            .find(|r| r.change.record.is_none())
            .unwrap()
            .reference,
    );

    Record::build(id, rows.iter().map(|r| (*r).clone())).unwrap()
}

/// What became of one put: the code under which it was refused, if it was.
pub fn refused(record: &Record, entry: &JudgedChange) -> Vec<&'static str> {
    record
        .refused_puts()
        .filter(|p| p.entry == entry.reference)
        .map(|p| p.refusal.code)
        .collect()
}

/// The same, with the reason why it changes what a decision rests on.
pub fn because(draft: Draft, reason: &str) -> Draft {
    draft.event("fields.corrected", json!({"reason": reason}))
}

/// Which fields an entry changed, and after what.
pub fn changed(record: &Record, entry: &JudgedChange) -> Vec<(String, Option<&'static str>)> {
    let all = record.changed_puts().filter(|p| p.entry == entry.reference);
    all.map(|p| (p.field.clone(), p.after)).collect()
}

/// A truck that a camera read and a clerk let in, whom nobody has registered.
pub fn truck(trb: &mut Desk) -> (JudgedChange, JudgedChange, RecordId) {
    let first = trb.device(
        "ANPR-1",
        None,
        &[],
        Passage::announce("in").plate("11-A-12345", "IQ"),
    );

    let id = RecordId::of_first(&first.reference);
    let gate_in = Passage::on()
        .gate_in("G1", "R1")
        .text("container.1", "CSQU3054383");
    let admitted = trb.say("stranger", Some(id), &[first.reference], gate_in);

    (first, admitted, id)
}
