//! Those who work on while all of this goes on: a site of the same crossing whose key nobody has,
//! and the hub's registrations.

use super::{
    forge::{Delivery, sign_onto},
    hostile_texts::DAY_MS,
};
use wadi_log::*;

/// A record that an honest site wrote.
#[derive(Clone, Copy)]
pub(crate) struct HonestRecord {
    pub(crate) id: RecordId,
    pub(crate) first: Reference,
    /// Whether the captured node of the same crossing may write on it, as it may on any.
    pub(crate) is_shared: bool,
}

/// An honest site at work.
pub(crate) struct HonestSite {
    name: &'static str,
    key: LogKey,
    log: LogId,
    peaks: Peaks,
    pub(crate) records: Vec<HonestRecord>,
}

impl HonestSite {
    pub(crate) fn new(name: &'static str, key: LogKey, crossing: &str) -> Self {
        let log = LogId {
            node: key.node(),
            epoch: Epoch([3; 8]),
            lane: Lane::Passage,
            crossing: crossing.parse().expect("a code"),
        };

        Self {
            name,
            key,
            log,
            peaks: Peaks::default(),
            records: Vec::new(),
        }
    }

    /// Some trucks come in, and some that came before go on.
    pub(crate) fn chapter(&mut self, trucks: usize) -> Vec<Delivery> {
        let mut out = Vec::new();
        for _ in 0..trucks {
            let n = self.records.len();
            let plate = format!("11-H-{n:05}");
            let puts = vec![
                put("direction", "in"),
                put("vehicle.plate", &plate),
                put("vehicle.plate_country", "IQ"),
            ];
            let gate_in = format!("{{\"gate\":\"G1\",\"read\":\"R{n}\",\"type\":\"gate.in\"}}");
            let first = self.say(None, puts, vec![gate_in], &mut out);
            let id = RecordId::of_first(&first);
            self.records.push(HonestRecord {
                id,
                first,
                is_shared: n.is_multiple_of(4),
            });

            if n % 3 == 2 {
                let before = self.records[n - 1];
                let note = vec![put("note", "the driver waits at the office")];
                self.say(Some(before), note, vec![], &mut out);
            }
        }

        out
    }

    fn say(
        &mut self,
        on: Option<HonestRecord>,
        puts: Vec<Put>,
        events: Vec<String>,
        out: &mut Vec<Delivery>,
    ) -> Reference {
        let entry = Entry {
            common: Common {
                wall_ms: DAY_MS + self.peaks.size() as i64 * 1_000,
                officer: "OF-1".into(),
                department: "PORT".into(),
                ..Default::default()
            },
            body: Body::Change(Change {
                record: on.map(|record| record.id),
                based_on: on.map(|record| record.first).into_iter().collect(),
                puts,
                events,
            }),
        };

        let bytes = entry.encode().expect("an honest entry");
        let reference = Reference {
            log: self.log,
            seq: self.peaks.size(),
            leaf: leaf_hash(&bytes),
        };
        let head = (DAY_MS / 1_000, vec![]);
        let block = sign_onto(&self.key, self.log, &mut self.peaks, vec![bytes], head);
        out.push(Delivery {
            by: self.name,
            block,
        });
        reference
    }
}

fn put(key: &str, value: &str) -> Put {
    Put {
        key: key.into(),
        value: Value::Text(value.into()),
    }
}

/// What the hub wrote in an earlier epoch: who is an officer of what.
pub(crate) fn registrations(hub: &LogKey, by: &'static str) -> Delivery {
    let log = LogId {
        node: hub.node(),
        epoch: Epoch([1; 8]),
        lane: Lane::Control,
        crossing: Crossing::HUB,
    };
    let officers = [
        ("OF-1", "PORT"),
        ("OF-2", "CUS"),
        ("OF-7", "VET"),
        ("OF-9", "SEC"),
    ];
    let entries = officers.map(|(officer, department)| {
        let entry = Entry {
            common: Common {
                wall_ms: DAY_MS,
                officer: "AU-1".into(),
                department: "HUB".into(),
                ..Default::default()
            },
            body: Body::Officer(OfficerEntry {
                officer: officer.into(),
                department: department.into(),
                crossing: None,
                supervisor: officer == "OF-7",
                revision: 1,
                revoked: false,
                name: "an officer".into(),
            }),
        };
        entry.encode().expect("a registration")
    });

    let head = (DAY_MS / 1_000, vec![]);
    let mut peaks = Peaks::default();
    Delivery {
        by,
        block: sign_onto(hub, log, &mut peaks, entries.into(), head),
    }
}
