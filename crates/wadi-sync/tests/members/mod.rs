//! Nodes of the mesh: what each holds, and what its store answers.

use rand::{RngExt, rngs::StdRng};
use std::collections::BTreeMap;
use wadi_log::*;
use wadi_sync::*;

pub const ROOT: [u8; 32] = [1; 32];

pub struct Member {
    pub key: LogKey,
    pub enrolment: Enrolment,
    pub blocks: BTreeMap<LogId, Vec<Block>>,
    pub peaks: BTreeMap<LogId, Peaks>,
    pub control: Control,
    pub epoch: u8,
    pub codec: CodecVersion,
}

pub fn member(seed: u8, name: &str, role: Role, crossing: &str) -> Member {
    let key = LogKey::from_seed(&[seed; 32]);
    let code: Option<Crossing> = crossing.parse().ok();
    let scope = match (role, code) {
        (Role::Hub, _) => Scope::all(),
        (Role::Observer, _) => Scope(vec![
            Grant {
                lanes: Lane::Control.bit(),
                crossing: None,
            },
            Grant {
                lanes: Lane::Passage.bit(),
                crossing: "TRB".parse().ok(),
            },
        ]),
        (_, code) => Scope::of_crossing(code.unwrap()),
    };

    let enrolment = Enrolment {
        name: name.into(),
        role,
        crossing: code,
        log_key: key.public(),
        tls_key: [0; 32],
        scope,
        serial: 1,
        issued_s: 0,
        root_signature: [0; 64],
    }
    .issue(&LogKey::from_seed(&ROOT))
    .unwrap();

    let mut control = Control::new(RootKey(LogKey::from_seed(&ROOT).public()));
    control.enrol(enrolment.clone()).unwrap();

    Member {
        key,
        enrolment,
        blocks: BTreeMap::new(),
        peaks: BTreeMap::new(),
        control,
        epoch: 1,
        codec: CodecVersion::Columns,
    }
}

impl Member {
    pub fn frontier(&self) -> Frontier {
        Frontier(
            self.peaks
                .iter()
                .map(|(l, p)| {
                    (
                        *l,
                        Tip {
                            size: p.size(),
                            root: p.root(),
                        },
                    )
                })
                .collect(),
        )
    }

    pub fn takes(&self, log: &LogId) -> bool {
        self.enrolment.scope.takes_log(log) || log.node == self.key.node()
    }

    /// Writes a few entries into one of its own logs.
    pub fn write(&mut self, r: &mut StdRng) -> Option<(LogId, Tip)> {
        let crossing = match self.enrolment.role {
            Role::Observer => return None,
            Role::Hub => ["TRB", "QAM"][r.random_range(0..2)].parse().unwrap(),
            Role::Crossing => self.enrolment.crossing.unwrap(),
        };

        let lane = Lane::ALL[r.random_range(1..5)];
        let log = LogId {
            node: self.key.node(),
            epoch: Epoch([self.epoch; 8]),
            lane,
            crossing,
        };

        let known = self.changes_of(lane);
        let entries: Vec<Entry> = (0..r.random_range(1..5))
            .map(|_| {
                let long = if r.random_bool(0.05) { 1_500 } else { 100 };
                let value = Value::Text("x".repeat(r.random_range(1..long)));
                let on = known.get(r.random_range(0..known.len().max(1) * 2));
                let change = Change {
                    record: on.map(|(_, record)| *record),
                    based_on: on.iter().map(|(last, _)| *last).collect(),
                    puts: vec![Put {
                        key: "note".into(),
                        value,
                    }],
                    ..Default::default()
                };

                Entry {
                    common: Common::default(),
                    body: Body::Change(change),
                }
            })
            .collect();

        let held = self.peaks.entry(log).or_default();
        let written = VerifiedBlock::author(&self.key, log, held, &entries, 0, vec![]).unwrap();
        let from = held.size();
        *held = written.peaks().clone();

        let tip = Tip {
            size: held.size(),
            root: held.root(),
        };

        self.keep(log, from, &written);
        Some((log, tip))
    }

    /// Entries of a lane that are held, with the records that they speak of.
    pub fn changes_of(&self, lane: Lane) -> Vec<(Reference, RecordId)> {
        let mut out = Vec::new();
        for (log, blocks) in self.blocks.iter().filter(|(log, _)| log.lane == lane) {
            for (seq, bytes) in (0..).zip(blocks.iter().flat_map(|b| &b.entries)) {
                let leaf = leaf_hash(bytes);
                let at = Reference {
                    log: *log,
                    seq,
                    leaf,
                };
                if let Ok(Reading::Entry(Entry {
                    body: Body::Change(change),
                    ..
                })) = Entry::read(bytes)
                {
                    let record = change.record.unwrap_or_else(|| RecordId::of_first(&at));
                    out.push((at, record));
                }
            }
        }
        out
    }

    /// What the store tells of what a block leaves out.
    pub fn held_parts(&self, keys: &[HeldKey]) -> HeldParts {
        let mut held = HeldParts::default();
        for key in keys {
            match *key {
                HeldKey::Entry(log, seq) => {
                    let all = self.changes_of(log.lane);
                    let found = all.iter().find(|(at, _)| (at.log, at.seq) == (log, seq));
                    held.entries.extend(found.map(|(at, record)| {
                        let record = Some(*record);
                        let leaf = at.leaf;
                        ((log, seq), HeldEntry { leaf, record })
                    }));
                }
                HeldKey::Root(log, size) => {
                    let root = self.roots(&log, &[size]).remove(&size);
                    held.roots.extend(root.map(|root| ((log, size), root)));
                }
                HeldKey::Peaks(log, size) => {
                    let mut peaks = Peaks::default();
                    let blocks = self.blocks.get(&log).into_iter().flatten();
                    let entries = blocks.flat_map(|b| &b.entries).take(size as usize);
                    entries.for_each(|e| drop(peaks.append(leaf_hash(e))));
                    if peaks.size() == size {
                        held.peaks.insert((log, size), peaks);
                    }
                }
            }
        }
        held
    }

    pub fn keep(&mut self, log: LogId, from: u64, block: &VerifiedBlock) {
        let entries = block.entries().iter().map(|e| e.bytes().to_vec()).collect();
        self.blocks.entry(log).or_default().push(Block {
            from,
            entries,
            checkpoint: block.checkpoint().clone(),
        });
    }

    /// What the store answers: the block that covers a position, cut to begin there.
    pub fn block(&self, log: &LogId, from: u64) -> Option<Block> {
        let all = self.blocks.get(log)?;
        let found = all
            .iter()
            .find(|b| b.from <= from && b.checkpoint.checkpoint.size > from)?;
        let mut block = found.clone();

        block.entries.drain(..(from - block.from) as usize);
        block.from = from;
        Some(block)
    }

    pub fn roots(&self, log: &LogId, sizes: &[u64]) -> BTreeMap<u64, Hash> {
        let (mut peaks, mut out) = (Peaks::default(), BTreeMap::new());
        for entry in self
            .blocks
            .get(log)
            .into_iter()
            .flatten()
            .flat_map(|b| &b.entries)
        {
            peaks.append(leaf_hash(entry));
            if sizes.contains(&peaks.size()) {
                out.insert(peaks.size(), peaks.root());
            }
        }

        out
    }
}
