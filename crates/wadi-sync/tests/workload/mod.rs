//! The common workload as entries, the way an import writes them: `crates/wadi-web/src/body.rs`
//! reads the same operations.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Map, Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
    process::Command,
};
use wadi_log::{
    Block, Body, Change, Checkpoint, Common, Entry, Epoch, Lane, LogId, LogKey, Peaks, Put,
    Reading, RecordId, Reference, SignedCheckpoint, Value, VerifiedBlock,
};
use wadi_sync::{HeldEntry, HeldKey, HeldParts};

/// Unix milliseconds of the first entry.
const START_MS: i64 = 1_772_341_200_000;

/// The workload's lines.
pub struct WorkloadLines {
    base: Vec<String>,
    site: Vec<String>,
    hub: Vec<String>,
    seed: u64,
}

/// Logs that both held before: what either end's store answers.
#[derive(Default)]
pub struct HeldLogs {
    entries: HashMap<(LogId, u64), HeldEntry>,
    peaks: HashMap<(LogId, u64), Peaks>,
}

impl HeldLogs {
    pub fn answer(&self, asks: BTreeSet<HeldKey>) -> HeldParts {
        let mut held = HeldParts::default();
        for ask in asks {
            match ask {
                HeldKey::Entry(log, seq) => {
                    let found = self.entries.get(&(log, seq));
                    held.entries.extend(found.map(|entry| ((log, seq), *entry)));
                }
                HeldKey::Peaks(log, size) => {
                    let found = self.peaks.get(&(log, size));
                    held.peaks.extend(found.map(|p| ((log, size), p.clone())));
                }
                HeldKey::Root(log, size) => {
                    let found = self.peaks.get(&(log, size));
                    held.roots.extend(found.map(|p| ((log, size), p.root())));
                }
            }
        }
        held
    }
}

/// A node that writes one log.
struct LogWriter {
    key: LogKey,
    log: LogId,
    peaks: Peaks,
    wall_ms: i64,
    noise: StdRng,
    waiting: Vec<Entry>,
}

impl LogWriter {
    fn new(seed: u8, crossing: &str) -> Self {
        let key = LogKey::from_seed(&[seed; 32]);
        let log = LogId {
            node: key.node(),
            epoch: Epoch([seed; 8]),
            lane: Lane::Passage,
            crossing: crossing.parse().unwrap(),
        };
        Self {
            key,
            log,
            peaks: Peaks::default(),
            wall_ms: START_MS,
            noise: StdRng::seed_from_u64(seed.into()),
            waiting: Vec::new(),
        }
    }

    fn next_seq(&self) -> u64 {
        self.peaks.size() + self.waiting.len() as u64
    }

    fn seal(&mut self) -> Option<Block> {
        if self.waiting.is_empty() {
            return None;
        }
        let entries = std::mem::take(&mut self.waiting);
        let hub_time_s = START_MS / 1_000;
        let made = VerifiedBlock::author(
            &self.key,
            self.log,
            &self.peaks,
            &entries,
            hub_time_s,
            vec![],
        )
        .unwrap();
        let from = self.peaks.size();
        self.peaks = made.peaks().clone();
        Some(Block {
            from,
            entries: made.entries().iter().map(|e| e.bytes().to_vec()).collect(),
            checkpoint: made.checkpoint().clone(),
        })
    }
}

/// Records by the sender's key: the id, and the entries that a next one is based on.
type Records = BTreeMap<String, (RecordId, Reference)>;

fn time_ms(text: &str) -> i64 {
    // 2026-03-06T16:05:07Z
    let n = |at: std::ops::Range<usize>| text[at].parse::<i64>().unwrap();
    let (y, m, d) = (n(0..4), n(5..7), n(8..10));
    let (y, m) = if m <= 2 { (y - 1, m + 9) } else { (y, m - 3) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + d - 1 - 719_468;
    (days * 86_400 + n(11..13) * 3_600 + n(14..16) * 60 + n(17..19)) * 1_000
}

/// What an import makes of an operation's members.
fn change_of(set: &Map<String, Json>) -> (String, BTreeMap<String, Value>, Vec<String>) {
    let mut officer = "import".to_string();
    let mut fields = BTreeMap::new();
    let mut events: Vec<Json> = Vec::new();
    let mut status = Map::new();
    for (name, json) in set {
        let text = || json.as_str().unwrap().to_string();
        let mut put = |key: &str, value: Value| drop(fields.insert(key.to_string(), value));
        match name.as_str() {
            "plate" => {
                let plate = text().chars().filter(|c| c.is_alphanumeric()).collect();
                put("vehicle.plate", Value::Text(plate));
                put("vehicle.plate_raw", Value::Text(text()));
            }
            "plate_cc" => put("vehicle.plate_country", Value::Text(text())),
            "container" => put("container.1", Value::Text(text())),
            "hs" => put("goods.hs_code", Value::Text(text())),
            "origin" => put("goods.origin", Value::Text(text())),
            "dest" => put("goods.destination", Value::Text(text())),
            "direction" => put("direction", Value::Text(text())),
            "seal" => put("seal.1", Value::Text(text())),
            "lane" => put("lane", Value::Int(json.as_i64().unwrap())),
            "note" if json == "" => put("note", Value::Null),
            "note" => put("note", Value::Text(text())),
            "officer" => {
                officer = text();
                put("handled_by", Value::Text(text()));
            }
            "arrived_at" => put("arrived_at_ms", Value::Int(time_ms(&text()))),
            "gross_kg" | "tare_kg" => {
                let mut event = json!({"scale": "import", "type": "weighed"});
                event[name.as_str()] = json.clone();
                events.push(event);
            }
            "status" => drop(status.insert("status".into(), json.clone())),
            "cleared_at" => drop(status.insert("cleared_at".into(), time_ms(&text()).into())),
            other => panic!("{other} is no member of the workload"),
        }
    }

    if !status.is_empty() {
        status.entry("status").or_insert("unchanged".into());
        status.insert("type".into(), "status.noted".into());
        events.push(Json::Object(status));
    }
    (
        officer,
        fields,
        events.iter().map(Json::to_string).collect(),
    )
}

impl WorkloadLines {
    /// Made by scripts/workload.py.
    pub fn make(n: usize, seed: u64) -> Self {
        let dir =
            std::env::temp_dir().join(format!("wadi-workload-{n}-{seed}-{}", std::process::id()));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/workload.py");
        let made = Command::new("python3")
            .arg(script)
            .arg("--out")
            .arg(&dir)
            .args(["--n", &n.to_string(), "--seed", &seed.to_string()])
            .output()
            .expect("python3 runs");
        assert!(made.status.success(), "{made:?}");
        let lines = |name: &str| -> Vec<String> {
            let text = std::fs::read_to_string(dir.join(name)).unwrap();
            text.lines().map(String::from).collect()
        };
        let this = Self {
            base: lines("base.jsonl"),
            site: lines("site_ops.jsonl"),
            hub: lines("hub_ops.jsonl"),
            seed,
        };
        std::fs::remove_dir_all(&dir).unwrap();
        this
    }

    fn json(&self) -> String {
        let lines = self.site.iter().chain(&self.hub);
        lines.map(|line| format!("{line}\n")).collect()
    }

    pub fn json_bytes(&self) -> usize {
        self.json().len()
    }

    pub fn json_zstd19_bytes(&self) -> usize {
        zstd::bulk::compress(self.json().as_bytes(), 19)
            .unwrap()
            .len()
    }

    /// What both held before, and the blocks that site and hub wrote during the outage: runs of so
    /// many bytes, or of one entry.
    pub fn logs(&self, run_bytes: usize) -> (HeldLogs, Vec<Block>, Vec<Block>) {
        let mut past = HeldLogs::default();
        let mut records = Records::new();
        let seed = self.seed as u8;
        let mut site = LogWriter::new(seed ^ 0x55, "TRB");
        let base = write_all(&mut site, &self.base, &mut records, 8 * 1024);
        let mut peaks = Peaks::default();
        for block in &base {
            for (seq, bytes) in (block.from..).zip(&block.entries) {
                let leaf = wadi_log::leaf_hash(bytes);
                peaks.append(leaf);
                let log = site.log;
                let record = Some(RecordId::of_first(&Reference { log, seq, leaf }));
                past.entries.insert((log, seq), HeldEntry { leaf, record });
            }
            past.peaks.insert((site.log, peaks.size()), peaks.clone());
        }

        let mut of_hub = records.clone();
        let site = write_all(&mut site, &self.site, &mut records, run_bytes);
        let mut hub = LogWriter::new(seed ^ 0x77, "TRB");
        let hub = write_all(&mut hub, &self.hub, &mut of_hub, run_bytes);
        (past, site, hub)
    }
}

fn write_all(
    author: &mut LogWriter,
    lines: &[String],
    records: &mut Records,
    run_bytes: usize,
) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut bytes = 0;
    for line in lines {
        let operation: Map<String, Json> = serde_json::from_str(line).unwrap();
        let key = operation["id"].as_str().unwrap().to_string();
        let mut set = match operation.get("set") {
            Some(set) => set.as_object().unwrap().clone(),
            None => operation.clone(),
        };
        set.remove("id");
        let (officer, fields, events) = change_of(&set);
        let known = records.get(&key).copied();
        author.wall_ms += author.noise.random_range(1..4);
        let change = Change {
            record: known.map(|(record, _)| record),
            based_on: known.iter().map(|(_, last)| *last).collect(),
            puts: fields
                .into_iter()
                .map(|(key, value)| Put { key, value })
                .collect(),
            events,
        };
        let entry = Entry {
            common: Common {
                wall_ms: author.wall_ms,
                officer,
                department: "CUS".into(),
                ..Default::default()
            },
            body: Body::Change(change),
        };
        let encoded = entry.encode().unwrap();
        if bytes > 0 && bytes + encoded.len() > run_bytes {
            blocks.extend(author.seal());
            bytes = 0;
        }
        bytes += encoded.len();
        let reference = Reference {
            log: author.log,
            seq: author.next_seq(),
            leaf: wadi_log::leaf_hash(&encoded),
        };
        let record = known.map_or_else(|| RecordId::of_first(&reference), |(record, _)| record);
        records.insert(key, (record, reference));
        author.waiting.push(entry);
    }
    blocks.extend(author.seal());
    blocks
}

/// Logs that grow by an entry at a time; both ends hold all that came before.
#[derive(Default)]
pub struct LiveLogs {
    pub past: HeldLogs,
    peaks: BTreeMap<LogId, Peaks>,
}

impl LiveLogs {
    pub fn next_block(&mut self, log: LogId, entry: Vec<u8>) -> Block {
        let peaks = self.peaks.entry(log).or_default();
        let (seq, leaf) = (peaks.size(), wadi_log::leaf_hash(&entry));
        peaks.append(leaf);
        let record = match Entry::read(&entry) {
            Ok(Reading::Entry(Entry {
                body: Body::Change(change),
                ..
            })) => {
                let first = Reference { log, seq, leaf };
                Some(change.record.unwrap_or_else(|| RecordId::of_first(&first)))
            }
            _ => None,
        };
        self.past
            .entries
            .insert((log, seq), HeldEntry { leaf, record });
        self.past.peaks.insert((log, seq + 1), peaks.clone());
        let checkpoint = Checkpoint {
            log,
            size: seq + 1,
            root: peaks.root(),
            hub_time_s: 0,
            logs: vec![],
        };
        let signature = [0; 64];
        Block {
            from: seq,
            entries: vec![entry],
            checkpoint: SignedCheckpoint {
                checkpoint,
                signature,
            },
        }
    }
}
