//! The forge: whoever holds two members' keys, and writes with them what nobody should have to
//! read. Every entry is hashed rightly and every head signed rightly; what lies inside is drawn
//! from a seed.

use super::{
    hostile_kinds::HostileKind,
    hostile_samples::{BODY_KINDS, Surroundings, body, change, common, encoded},
    hostile_texts::{DAY_MS, number, text},
    wire_fields::{spoilt_bytes, spoilt_field},
};
use rand::{Rng, RngExt, SeedableRng, prelude::IndexedRandom, rngs::StdRng};
use std::collections::BTreeMap;
use wadi_log::*;
use wadi_record::Kind;

/// Bytes of the entries of a block: what travels as one frame.
const BLOCK_BYTES: usize = 72 * 1024;
/// Entries of one record that a flood adds, before it takes another one: what more of them cost is
/// measured elsewhere.
const FLOOD_ENTRIES: usize = 240;

/// A block, and who brings it.
#[derive(Clone)]
pub(crate) struct Delivery {
    /// The name of the member over whose link it comes.
    pub(crate) by: &'static str,
    /// The block.
    pub(crate) block: Block,
}

/// A captured member: its name, key and crossing.
pub(crate) struct Captive {
    pub(crate) name: &'static str,
    pub(crate) key: LogKey,
    pub(crate) crossing: Crossing,
}

/// Makes hostile entries by the chapter.
pub(crate) struct Forge {
    r: StdRng,
    captives: Vec<Captive>,
    /// Logs that go on: where each ends, and of which captive it is.
    logs: BTreeMap<LogId, (usize, Peaks)>,
    pub(crate) around: Surroundings,
    /// What the captives may not touch by right, and try to.
    pub(crate) forbidden: Surroundings,
    flooded: Option<(RecordId, LogId, usize)>,
    /// Entries made, by kind.
    pub(crate) counts: BTreeMap<HostileKind, u64>,
}

/// Signs entries onto a log as its author would, whatever they are.
pub(crate) fn sign_onto(
    key: &LogKey,
    log: LogId,
    peaks: &mut Peaks,
    entries: Vec<Vec<u8>>,
    (hub_time_s, logs): (i64, Vec<(Lane, Crossing, u64)>),
) -> Block {
    let from = peaks.size();
    for bytes in &entries {
        peaks.append(leaf_hash(bytes));
    }

    let head = Checkpoint {
        log,
        size: peaks.size(),
        root: peaks.root(),
        hub_time_s,
        logs,
    };
    Block {
        from,
        entries,
        checkpoint: key.sign(head),
    }
}

impl Forge {
    pub(crate) fn new(seed: u64, captives: Vec<Captive>) -> Self {
        Self {
            r: StdRng::seed_from_u64(seed),
            captives,
            logs: BTreeMap::new(),
            around: Surroundings::default(),
            forbidden: Surroundings::default(),
            flooded: None,
            counts: BTreeMap::new(),
        }
    }

    /// So many hostile entries at least, of all kinds.
    pub(crate) fn chapter(&mut self, entries: u64) -> Vec<Delivery> {
        let mut out = Vec::new();
        let mut made = 0;
        while made < entries {
            let kind = HostileKind::drawn(&mut self.r);
            for delivery in self.deliveries(kind) {
                made += delivery.block.entries.len() as u64;
                out.push(delivery);
            }
        }

        out
    }

    /// One thing of that kind: a block, or several logs that lean on each other.
    pub(crate) fn deliveries(&mut self, kind: HostileKind) -> Vec<Delivery> {
        let out = match kind {
            HostileKind::Tangle => self.tangle(),
            HostileKind::Epochs => (0..12).map(|_| self.block_of(kind, 2)).collect(),
            HostileKind::Flood => vec![self.flood()],
            HostileKind::Crumbs => vec![self.block_of(kind, BLOCK_ENTRIES_MAX)],
            HostileKind::Sizes => vec![self.block_of(kind, 12)],
            HostileKind::Heads => (0..3).map(|_| self.block_of(kind, 4)).collect(),
            _ => vec![self.block_of(kind, 160)],
        };

        let made: usize = out.iter().map(|d| d.block.entries.len()).sum();
        *self.counts.entry(kind).or_default() += made as u64;
        out
    }

    /// A log for entries of that kind: mostly one that goes on, now and then a new one.
    fn log_for(&mut self, kind: HostileKind) -> LogId {
        let lanes = kind.lanes();
        let at = self.r.random_range(0..self.captives.len());
        let lane = *lanes.choose(&mut self.r).expect("each kind has a lane");
        let goes_on: Vec<LogId> = self
            .logs
            .iter()
            .filter(|(log, (of, _))| *of == at && log.lane == lane)
            .map(|(log, _)| *log)
            .collect();

        if kind != HostileKind::Epochs
            && self.r.random_bool(0.7)
            && let Some(log) = goes_on.choose(&mut self.r)
        {
            return *log;
        }

        self.new_log(at, lane, kind == HostileKind::Foreign)
    }

    fn new_log(&mut self, at: usize, lane: Lane, foreign: bool) -> LogId {
        let captive = &self.captives[at];
        let codes = ["TRB", "TRB", "MAN", "QAM", "HUB"];
        let crossing = match foreign || self.r.random_bool(0.2) {
            true => codes
                .choose(&mut self.r)
                .expect("five")
                .parse()
                .expect("a code"),
            false => captive.crossing,
        };

        let log = LogId {
            node: captive.key.node(),
            epoch: Epoch(self.r.random()),
            lane,
            crossing,
        };
        self.logs.insert(log, (at, Peaks::default()));
        self.around.note_log(log);
        log
    }

    fn block_of(&mut self, kind: HostileKind, most: usize) -> Delivery {
        let log = self.log_for(kind);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while entries.len() < most {
            let entry = self.entry(kind, &log);
            bytes += entry.len();
            if bytes > BLOCK_BYTES && !entries.is_empty() {
                break;
            }
            entries.push(entry);
        }

        self.sign(kind, log, entries)
    }

    fn sign(&mut self, kind: HostileKind, log: LogId, entries: Vec<Vec<u8>>) -> Delivery {
        let head = match kind {
            HostileKind::Heads => self.absurd_head(&log),
            _ => (DAY_MS / 1_000, vec![]),
        };
        let (at, peaks) = self.logs.get_mut(&log).expect("the log was begun");
        let captive = &self.captives[*at];
        for (seq, bytes) in (peaks.size()..).zip(&entries) {
            let entry = Reference {
                log,
                seq,
                leaf: leaf_hash(bytes),
            };
            // Few of the many are named later on, so that what is named lies far back, too.
            if self.r.random_bool(0.1) {
                self.around.note_entry(entry);
            }
            if self.r.random_bool(0.03) && begins_record(bytes) {
                self.around
                    .note_record(RecordId::of_first(&entry), log.lane);
            }
        }

        Delivery {
            by: captive.name,
            block: sign_onto(&captive.key, log, peaks, entries, head),
        }
    }

    /// A time and sizes that nobody believes, in the shape that a head has to have.
    fn absurd_head(&mut self, log: &LogId) -> (i64, Vec<(Lane, Crossing, u64)>) {
        let r = &mut self.r;
        let time_s = match r.random() {
            true => number(r),
            false => DAY_MS / 1_000,
        };
        let mut logs: Vec<(Lane, Crossing, u64)> = Vec::new();
        for lane in Lane::ALL.into_iter().filter(|_| log.lane == Lane::Control) {
            for code in ["MAN", "QAM", "TRB"] {
                if lane != Lane::Control && r.random_bool(0.3) {
                    logs.push((lane, code.parse().expect("a code"), number(r) as u64));
                }
            }
        }

        (time_s, logs)
    }

    /// The bytes of an entry of that kind, for that log.
    fn entry(&mut self, kind: HostileKind, log: &LogId) -> Vec<u8> {
        let r = &mut self.r;
        let any = r.random_range(1..=BODY_KINDS);
        match kind {
            HostileKind::Field => {
                let good = encoded(r, &self.around, any, log).unwrap_or_default();
                spoilt_field(r, &good)
            }
            HostileKind::Bytes => {
                let good = encoded(r, &self.around, any, log).unwrap_or_default();
                spoilt_bytes(r, good)
            }
            HostileKind::Noise => noise(r),
            HostileKind::Crumbs => vec![r.random(); r.random_range(0..3)],
            HostileKind::Kinds => later_kind(r),
            HostileKind::Seen => encoded(r, &self.around, 3, log).unwrap_or_default(),
            HostileKind::Facts => {
                let kind = *[4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
                    .choose(r)
                    .expect("some");
                encoded(r, &self.around, kind, log).unwrap_or_default()
            }
            HostileKind::Sizes => at_its_largest(r),
            HostileKind::Foreign => {
                // Of its own crossing's records the first captive may say what it likes.
                let is_of_another = log.node != self.captives[0].key.node();
                let of = match is_of_another && r.random_bool(0.8) {
                    true => &self.forbidden,
                    false => &self.around,
                };
                foreign_act(r, of)
            }
            HostileKind::Said
            | HostileKind::Epochs
            | HostileKind::Heads
            | HostileKind::Tangle
            | HostileKind::Flood => {
                let entry = Entry {
                    common: common(r),
                    body: body(r, &self.around, 1, log),
                };
                entry.encode().unwrap_or_default()
            }
        }
    }

    /// Small entries on one record, as many as a block has room for.
    fn flood(&mut self) -> Delivery {
        let kind = HostileKind::Flood;
        let going = self.flooded.take();
        let (record, log, so_far) = match going {
            Some((record, log, so_far)) if so_far < FLOOD_ENTRIES => (Some(record), log, so_far),
            _ => (None, self.log_for(kind), 0),
        };

        let mut entries = Vec::new();
        let mut id = record;
        let at = self.logs[&log].1.size();
        for n in 0..FLOOD_ENTRIES / 2 {
            let put = Put {
                key: "note".into(),
                value: Value::Text(format!("{}", self.r.random_range(0..9))),
            };
            let entry = Entry {
                common: Common {
                    wall_ms: DAY_MS,
                    officer: "OF-9".into(),
                    department: "PORT".into(),
                    ..Default::default()
                },
                body: Body::Change(Change {
                    record: id,
                    puts: vec![put],
                    ..Default::default()
                }),
            };
            let bytes = entry.encode().expect("a small entry");
            let seq = at + n as u64;
            let leaf = leaf_hash(&bytes);
            id = id.or_else(|| Some(RecordId::of_first(&Reference { log, seq, leaf })));
            entries.push(bytes);
        }

        let record = id.expect("it was begun");
        self.flooded = Some((record, log, so_far + entries.len()));
        self.sign(kind, log, entries)
    }

    /// Three new logs whose entries were made in any order, so that each may lean on what stands
    /// earlier or later, in its own log or in another's: circles, gaps and lies.
    fn tangle(&mut self) -> Vec<Delivery> {
        let kind = HostileKind::Tangle;
        let of = self.r.random_range(0..self.captives.len());
        let lane = *kind.lanes().choose(&mut self.r).expect("some lanes");
        let logs: Vec<LogId> = (0..3).map(|_| self.new_log(of, lane, false)).collect();
        let mut places: Vec<(LogId, u64)> = Vec::new();
        for log in &logs {
            let most = self.r.random_range(1..50);
            places.extend((0..most).map(|seq| (*log, seq)));
        }

        let of_lane = Kind::of_lane(lane).unwrap_or(Kind::Passage);
        let mut made: BTreeMap<(LogId, u64), Vec<u8>> = BTreeMap::new();
        let mut near = Surroundings::default();
        near.logs.extend(&logs);
        let mut id = None;
        while !places.is_empty() {
            let (log, seq) = places.swap_remove(self.r.random_range(0..places.len()));
            let r = &mut self.r;
            let mut said = change(r, &near, of_lane, id);
            if id.is_none() {
                said.based_on.clear();
            }
            let entry = Entry {
                common: common(r),
                body: Body::Change(said),
            };

            let bytes = entry.encode().unwrap_or_else(|_| noise(r));
            let leaf = leaf_hash(&bytes);
            let reference = Reference { log, seq, leaf };
            if id.is_none() && begins_record(&bytes) {
                let first = RecordId::of_first(&reference);
                near.note_record(first, lane);
                id = Some(first);
            }
            near.note_entry(reference);
            made.insert((log, seq), bytes);
        }

        let mut by_log: BTreeMap<LogId, Vec<Vec<u8>>> = BTreeMap::new();
        for ((log, _), bytes) in made {
            by_log.entry(log).or_default().push(bytes);
        }
        let signed = by_log.into_iter().flat_map(|(log, entries)| {
            // Some of it comes in several blocks, so that others come between.
            let parts = match self.r.random() {
                true => entries.len(),
                false => entries.len().div_ceil(3),
            };
            let parts: Vec<Vec<Vec<u8>>> = entries.chunks(parts).map(<[_]>::to_vec).collect();
            let signed = parts.into_iter().map(|part| self.sign(kind, log, part));
            signed.collect::<Vec<_>>()
        });
        signed.collect()
    }
}

/// Whether an entry is one that a record begins with.
fn begins_record(bytes: &[u8]) -> bool {
    match Entry::read(bytes) {
        Ok(Reading::Entry(entry)) => {
            matches!(&entry.body, Body::Change(change) if change.record.is_none())
        }
        _ => false,
    }
}

fn noise(r: &mut StdRng) -> Vec<u8> {
    let length = match r.random_range(0..8) {
        0 => 0,
        1 => 1,
        2 => r.random_range(0..2_000),
        _ => r.random_range(0..120),
    };
    let mut bytes = vec![0; length];
    r.fill_bytes(&mut bytes);
    if r.random() && !bytes.is_empty() {
        // It begins as an entry does.
        let start = [0x08, 0x01, 0x10, r.random_range(0..20)];
        bytes.splice(0..0, start);
    }

    bytes
}

/// Kinds and versions that nobody knows yet.
fn later_kind(r: &mut StdRng) -> Vec<u8> {
    let kind = *[15, 16, 127, 128, 1 << 20, u32::MAX]
        .choose(r)
        .expect("some");
    let bytes: Vec<u8> = (0..r.random_range(0..400)).map(|_| r.random()).collect();
    let entry = Entry {
        common: common(r),
        body: Body::Unknown { kind, bytes },
    };
    let mut out = entry.encode().unwrap_or_default();
    if r.random() && out.len() > 1 {
        out[1] = *[0, 2, 3, 0x7f, 0x80, 0xff].choose(r).expect("some");
    }

    out
}

/// As large as the format lets it be, or a little larger.
fn at_its_largest(r: &mut StdRng) -> Vec<u8> {
    let mut change = Change::default();
    match r.random_range(0..4) {
        0 => {
            let n = r.random_range(PUTS_MAX - 1..PUTS_MAX + 2);
            change.puts = (0..n)
                .map(|n| Put {
                    key: format!("goods.{n:04}.net_g"),
                    value: Value::Int(number(r)),
                })
                .collect();
        }
        1 => {
            let n = r.random_range(PUTS_MAX - 1..PUTS_MAX + 2);
            change.events = (0..n).map(|_| format!("{{\"type\":\"x{}\"}}", n)).collect();
        }
        2 => {
            let more = r.random_range(0..2);
            let value = Value::Text("ح".repeat(VALUE_BYTES_MAX / 2 + more));
            change.puts = vec![Put {
                key: "note".into(),
                value,
            }];
        }
        _ => {
            let inner = "9,".repeat(EVENT_BYTES_MAX / 2 - 20);
            change.events = vec![format!("{{\"holds\":[{inner}9],\"type\":\"released\"}}")];
        }
    }

    let entry = Entry {
        common: common(r),
        body: Body::Change(change),
    };
    // What is past a bound goes in as bytes, as somebody with another encoder would write it.
    entry.encode().unwrap_or_else(|_| vec![8, 1, 16, 1, 90, 0])
}

/// What lets go, hands over or blames, said on records that are none of the author's.
fn foreign_act(r: &mut StdRng, of: &Surroundings) -> Vec<u8> {
    let id = of.record(r);
    let other = of.record(r);
    let events = [
        format!("{{\"holds\":[\"{other}\"],\"reason\":\"x\",\"type\":\"released\"}}"),
        "{\"reason\":\"x\",\"to\":\"QAM\",\"type\":\"handed_over\"}".into(),
        format!("{{\"record\":\"{other}\",\"type\":\"link\",\"why\":\"x\"}}"),
        "{\"gate\":\"G2\",\"read\":\"R2\",\"type\":\"gate.out\"}".into(),
        "{\"reason\":\"x\",\"type\":\"void\"}".into(),
        "{\"reason\":\"x\",\"type\":\"cancelled\"}".into(),
        format!("{{\"token\":\"{}\",\"type\":\"released\"}}", text(r).len()),
    ];
    let said = Change {
        record: Some(id),
        based_on: of.entries.choose(r).copied().into_iter().collect(),
        puts: vec![Put {
            key: "vehicle.plate".into(),
            value: Value::Text(format!("FALSE-{}", r.random_range(0..9))),
        }],
        events: vec![events.choose(r).expect("seven").clone()],
    };

    let department = *["PORT", "SEC", "CUS", "VET", "HUB"]
        .choose(r)
        .expect("five");
    let entry = Entry {
        common: Common {
            wall_ms: DAY_MS + r.random_range(0..3_600_000),
            officer: "OF-1".into(),
            department: department.into(),
            ..Default::default()
        },
        body: Body::Change(said),
    };
    entry.encode().unwrap_or_default()
}
