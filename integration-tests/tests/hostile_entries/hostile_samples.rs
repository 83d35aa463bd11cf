//! Entries as somebody writes them who knows the format and means no good: one of each kind of
//! body, with whatever references lie about.

use super::hostile_texts::{DAY_MS, event, field, number, text};
use rand::{RngExt, prelude::IndexedRandom, rngs::StdRng};
use std::collections::BTreeMap;
use wadi_log::*;
use wadi_record::Kind;

/// References and records remembered at most: the newest.
const REMEMBERED_MAX: usize = 3_000;
/// Records that are named more often than others.
const NEWEST: usize = 40;
/// Kinds of bodies that the format has.
pub(crate) const BODY_KINDS: u32 = 16;

/// What lies about to be named by a hostile entry.
#[derive(Default)]
pub(crate) struct Surroundings {
    /// Entries.
    pub(crate) entries: Vec<Reference>,
    /// Records, and the lane in which each lives.
    pub(crate) records: Vec<(RecordId, Lane)>,
    /// Logs of hubs and sites.
    pub(crate) logs: Vec<LogId>,
}

impl Surroundings {
    pub(crate) fn note_entry(&mut self, entry: Reference) {
        self.entries.push(entry);
        forget_oldest(&mut self.entries);
    }

    pub(crate) fn note_record(&mut self, id: RecordId, lane: Lane) {
        self.records.push((id, lane));
        forget_oldest(&mut self.records);
    }

    pub(crate) fn note_log(&mut self, log: LogId) {
        self.logs.push(log);
        forget_oldest(&mut self.logs);
    }

    /// An entry that is held, one of another place, or one that nobody holds.
    pub(crate) fn reference(&self, r: &mut StdRng) -> Reference {
        let held = self.entries.choose(r).copied().unwrap_or(Reference {
            log: self.log(r),
            seq: 0,
            leaf: Hash(r.random()),
        });

        match r.random_range(0..8) {
            0 => Reference {
                leaf: Hash(r.random()),
                ..held
            },
            1 => Reference {
                seq: number(r) as u64,
                ..held
            },
            2 => Reference {
                log: self.log(r),
                ..held
            },
            _ => held,
        }
    }

    pub(crate) fn log(&self, r: &mut StdRng) -> LogId {
        self.logs.choose(r).copied().unwrap_or(LogId {
            node: NodeId(r.random()),
            epoch: Epoch(r.random()),
            lane: *Lane::ALL.choose(r).expect("five"),
            crossing: "TRB".parse().expect("a code"),
        })
    }

    pub(crate) fn record(&self, r: &mut StdRng) -> RecordId {
        // Mostly one of the newest: what it costs to come back to old ones is measured elsewhere.
        let newest = self.records.len().saturating_sub(NEWEST);
        let among = match r.random_bool(0.95) {
            true => &self.records[newest..],
            false => &self.records[..],
        };
        match among.choose(r) {
            Some((id, _)) if r.random_bool(0.95) => *id,
            _ => RecordId(r.random()),
        }
    }

    fn head(&self, r: &mut StdRng) -> Head {
        Head {
            log: self.log(r),
            size: number(r) as u64,
            root: Hash(if r.random() { [0; 32] } else { r.random() }),
        }
    }

    /// Heads, ascending by log as the format asks.
    pub(crate) fn heads(&self, r: &mut StdRng, most: usize) -> Vec<Head> {
        let by_log: BTreeMap<LogId, Head> = (0..r.random_range(0..=most))
            .map(|_| self.head(r))
            .map(|head| (head.log, head))
            .collect();
        by_log.into_values().collect()
    }

    fn references(&self, r: &mut StdRng, most: usize) -> Vec<Reference> {
        let mut out: Vec<Reference> = (0..r.random_range(0..=most))
            .map(|_| self.reference(r))
            .collect();
        out.sort();
        out.dedup();
        out
    }
}

fn forget_oldest<T>(all: &mut Vec<T>) {
    if all.len() > REMEMBERED_MAX {
        all.drain(..REMEMBERED_MAX / 4);
    }
}

/// What every entry carries, with times and names that nobody would believe.
pub(crate) fn common(r: &mut StdRng) -> Common {
    let name = |r: &mut StdRng, good: &[&str]| -> String {
        match r.random_range(0..12) {
            0 => text(r).chars().take(12).collect(),
            1 => String::new(),
            _ => (*good.choose(r).expect("there are some")).into(),
        }
    };
    let time = |r: &mut StdRng| match r.random_range(0..6) {
        0 => number(r),
        _ => DAY_MS + r.random_range(-48..48) * 1_800_000,
    };

    let happened_ms = r.random_bool(0.2).then(|| time(r));
    let of_device = r.random_bool(0.2);
    Common {
        wall_ms: time(r),
        doubt_ms: if r.random_bool(0.1) { r.random() } else { 0 },
        happened_source: match happened_ms {
            Some(_) => name(r, &["paper", "camera", "device"]),
            None => String::new(),
        },
        happened_ms,
        officer: match of_device {
            true => String::new(),
            false => name(r, &["OF-1", "OF-2", "OF-9", "OF-7"]),
        },
        department: match of_device {
            true => String::new(),
            false => name(r, &["PORT", "CUS", "SEC", "VET", "HUB", "OPS"]),
        },
        device: if of_device {
            name(r, &["S1", "ANPR-1"])
        } else {
            String::new()
        },
        device_seq: if of_device { number(r) as u64 } else { 0 },
        device_run: match r.random_bool(0.1) {
            true => name(r, &["b1", "b2", "#1"]),
            false => String::new(),
        },
    }
}

/// A change on a record, or the first of one.
pub(crate) fn change(
    r: &mut StdRng,
    around: &Surroundings,
    kind: Kind,
    record: Option<RecordId>,
) -> Change {
    let names: Vec<String> = (0..3).map(|_| around.record(r).to_string()).collect();
    let mut puts: BTreeMap<String, Value> = BTreeMap::new();
    for _ in 0..r.random_range(0..4) {
        let (key, value) = field(r, kind);
        if key.len() <= KEY_BYTES_MAX {
            puts.insert(key, value);
        }
    }

    let puts: Vec<Put> = puts
        .into_iter()
        .map(|(key, value)| Put { key, value })
        .collect();
    let least = usize::from(puts.is_empty());
    let events = (0..r.random_range(least..3).max(least))
        .map(|_| event(r, kind, &names))
        .filter(|e| e.len() <= EVENT_BYTES_MAX)
        .collect();

    let mut out = Change {
        record,
        based_on: match record {
            Some(_) => around.references(r, 3),
            None => vec![],
        },
        puts,
        events,
    };
    if out.puts.is_empty() && out.events.is_empty() {
        out.events.push("{\"type\":\"x\"}".into());
    }

    out
}

/// A body of that kind.
pub(crate) fn body(r: &mut StdRng, around: &Surroundings, kind: u32, me: &LogId) -> Body {
    match kind {
        1 | 2 | 3 | 11 | 13 => members_body(r, around, kind, me),
        4..=10 | 12 => hubs_body(r, around, kind),
        15 => Body::Spare(SpareEntry {
            node: around.log(r).node,
            ends: around.references(r, 3),
            reason: short(r),
        }),
        16 => Body::OfficerKey(OfficerKeyEntry {
            officer: short(r),
            key: SshKey(r.random()),
            revision: number(r) as u64,
            taken_back: r.random(),
        }),
        _ => Body::ChainHead(ChainHeadEntry {
            chain: "looks".into(),
            lines: (number(r) as u64).max(1),
            head: Hash(r.random()),
        }),
    }
}

/// What any member may say, in its own logs.
fn members_body(r: &mut StdRng, around: &Surroundings, kind: u32, me: &LogId) -> Body {
    match kind {
        1 => {
            let of = Kind::of_lane(me.lane).unwrap_or(Kind::Passage);
            let record = r.random_bool(0.7).then(|| around.record(r));
            Body::Change(change(r, around, of, record))
        }
        2 => {
            let epoch = Epoch(r.random());
            let mut previous = around.heads(r, 5);
            previous
                .iter_mut()
                .for_each(|h| (h.log.node, h.log.epoch) = (me.node, epoch));
            previous.sort_by_key(|h| h.log);
            previous.dedup_by_key(|h| h.log);
            Body::Boot(Boot {
                software: short(r),
                previous,
            })
        }
        3 => {
            let mut heads = around.heads(r, 200);
            heads.retain(|h| matches!(h.log.lane, Lane::Control | Lane::Hold));
            Body::Seen(Seen { heads })
        }
        11 => Body::ResyncReport(ResyncReport {
            order: around.reference(r),
            text: super::hostile_texts::json(r, 3),
        }),
        _ => Body::Alarm(AlarmEntry {
            about: ["clock", "disk", "findings_held_back", "x"]
                .choose(r)
                .map(|a| a.to_string())
                .expect("four"),
            text: text(r).chars().take(200).collect(),
            at_ms: number(r),
            turn: number(r) as u64,
        }),
    }
}

/// What a hub alone may say.
fn hubs_body(r: &mut StdRng, around: &Surroundings, kind: u32) -> Body {
    match kind {
        4 => Body::Enrolment(invented_enrolment(r)),
        5 => Body::Officer(OfficerEntry {
            officer: ["OF-1", "OF-9"]
                .choose(r)
                .map(|o| o.to_string())
                .expect("two"),
            department: ["PORT", "SEC", "HUB", ""]
                .choose(r)
                .map(|d| d.to_string())
                .expect("four"),
            crossing: r.random::<bool>().then(|| any_crossing(r)),
            supervisor: r.random(),
            revision: number(r) as u64,
            revoked: r.random(),
            name: short(r),
        }),
        6 => Body::Policy(PolicyEntry {
            revision: number(r) as u64,
            text: super::hostile_texts::json(r, 3),
        }),
        7 => {
            let log = around.log(r);
            let (target, mut heads) = match r.random() {
                true => (CutTarget::Node(log.node), around.heads(r, 9)),
                false => (CutTarget::Log(log), around.heads(r, 1)),
            };
            heads.iter_mut().for_each(|h| match target {
                CutTarget::Node(node) => h.log.node = node,
                CutTarget::Log(log) => h.log = log,
            });
            heads.sort_by_key(|h| h.log);
            heads.dedup_by_key(|h| h.log);
            Body::Cut(Cut {
                target,
                heads,
                extends: around.references(r, 2),
                reason: short(r),
                root_signature: r.random::<bool>().then_some([7; 64]),
                lifted: r.random(),
                part_of: None,
                successor: None,
            })
        }
        8 => Body::Admit(Admit {
            entries: around.references(r, 200),
            reason: short(r),
        }),
        9 => Body::Closure(Closure {
            crossing: any_crossing(r),
            closed_s: number(r),
            reason: short(r),
        }),
        10 => Body::ResyncOrder(ResyncOrder {
            id: short(r),
            crossing: any_crossing(r),
            reason: short(r),
            approved_by: short(r),
        }),
        _ => Body::ReleaseToken(ReleaseToken {
            crossing: r.random::<bool>().then(|| any_crossing(r)),
            department: "SEC".into(),
            officer: short(r),
            scope: short(r),
            expires_s: number(r),
            reason: short(r),
        }),
    }
}

fn short(r: &mut StdRng) -> String {
    text(r).chars().take(15).collect()
}

fn any_crossing(r: &mut StdRng) -> Crossing {
    let code = *["TRB", "QAM", "MAN", "HUB"].choose(r).expect("four");
    code.parse().expect("a code")
}

/// An enrolment that no root signed, or one of another commission.
fn invented_enrolment(r: &mut StdRng) -> Enrolment {
    let key = LogKey::from_seed(&r.random());
    let made = Enrolment {
        name: "ghost".into(),
        role: Role::Hub,
        crossing: Some(Crossing::HUB),
        log_key: key.public(),
        tls_key: [0; 32],
        scope: Scope::all(),
        serial: number(r) as u64,
        issued_s: number(r),
        root_signature: [0; 64],
    };

    made.issue(&LogKey::from_seed(&[77; 32]))
        .expect("plain parts")
}

/// The bytes of an entry of that kind; nothing where what was drawn is none that the format has.
pub(crate) fn encoded(
    r: &mut StdRng,
    around: &Surroundings,
    kind: u32,
    me: &LogId,
) -> Option<Vec<u8>> {
    let entry = Entry {
        common: common(r),
        body: body(r, around, kind, me),
    };
    entry.encode().ok()
}

/// A good entry of each kind of body.
#[cfg(test)]
pub(crate) fn one_of_each(r: &mut StdRng) -> Vec<Vec<u8>> {
    let around = Surroundings::default();
    let me = around.log(r);
    (1..=BODY_KINDS)
        .map(|kind| {
            (0..200)
                .find_map(|_| encoded(r, &around, kind, &me))
                .unwrap_or_else(|| panic!("no good entry of kind {kind}"))
        })
        .collect()
}

#[test]
fn every_kind_of_body_is_drawn() {
    let body = Body::Unknown {
        kind: BODY_KINDS + 1,
        bytes: vec![],
    };
    let next = Entry {
        common: Common::default(),
        body,
    };
    let read = next.encode().map(|bytes| Entry::read(&bytes));
    assert!(
        matches!(read, Ok(Ok(Reading::Entry(entry))) if entry == next),
        "there is a kind more: draw it in `body`, and name its messages in `wire_fields.rs`"
    );
}
