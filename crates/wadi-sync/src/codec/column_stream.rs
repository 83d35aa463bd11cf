//! A stream of blocks in columns: what both ends remember of it, and the order in which the values
//! of a block are said.
//!
//! Both ends remember what the frames said, in their order, and never what follows from the store
//! of one of them: so they expect the same, whatever else they hold. Hashes are not expected at
//! all. They are left out, or stand word for word.

use super::{
    columns::{ColumnId, Columns, column_of},
    model::context_of,
    names::NameTable,
    range_coder::{BitCoder, CostPart},
    wire_entry::{
        BOOT_KIND, CHANGE_KIND, SEEN_KIND, WITH_RUN, WireBody, WireChange, WireEntry, WireHead,
    },
};
use crate::SyncError;
use std::collections::{HashMap, VecDeque};
use wadi_log::{Checkpoint, Crossing, Epoch, Hash, Lane, LogId, NodeId, SignedCheckpoint};

/// Records' newest entries by which further ones are likely to go on.
pub(super) const OPEN_ENTRIES: usize = 64;
/// Bytes that a reference or a head comes to.
pub(super) const REFERENCE_BYTES: usize = 76;
/// Bytes of a body of an unknown kind that are worth expecting; the rest stands word for word.
const EXPECTED_BYTES_MAX: usize = 4 * 1024;

/// How a hash is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HashForm {
    /// It follows from the stream.
    Stream,
    /// It follows from what the receiver holds.
    Held,
    /// Word for word.
    Said([u8; 32]),
}

/// Which forms the end that encodes may use. The other end reads them.
pub(super) trait Forms {
    /// Of a leaf.
    fn leaf(&self, log: &LogId, seq: u64, leaf: &[u8; 32]) -> HashForm;
    /// Whether a record is the one of an entry that is said to be known.
    fn is_record_of(&self, log: &LogId, seq: u64, record: &[u8; 32]) -> bool;
    /// Of the root of another log.
    fn root(&self, log: &LogId, size: u64, root: &[u8; 32]) -> HashForm;
}

/// How a change names its record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum RecordForm {
    /// It begins one.
    New,
    /// The one that its first dependency changes.
    OfDependency,
    /// The one that its first dependency begins.
    BegunByDependency,
    /// Word for word.
    Said([u8; 32]),
}

/// An entry as it was said, its hashes in the forms in which they were.
#[derive(Clone, Debug)]
pub(super) enum SaidEntry {
    Verbatim(Vec<u8>),
    Parts {
        /// With nothing in place of hashes that were left out.
        entry: WireEntry,
        record: RecordForm,
        /// Of dependencies or heads, in order.
        hashes: Vec<HashForm>,
    },
}

/// What is remembered of a log.
#[derive(Clone, Copy, Default)]
struct LogMemory {
    end: u64,
    wall_ms: i64,
    referenced: u64,
}

/// A time's bases: what it may lie near to.
#[derive(Clone, Copy, Default)]
pub(super) struct TimeMemory {
    pub(super) last: i64,
    pub(super) costs: [u32; 3],
    pub(super) signs: [bool; 3],
}

/// What both ends remember.
#[derive(Clone)]
pub(super) struct ColumnStream {
    pub(super) columns: Columns,
    pub(super) keys: NameTable,
    pub(super) shapes: NameTable,
    nodes: NameTable,
    epochs: NameTable,
    logs: Vec<LogId>,
    log_memory: HashMap<LogId, LogMemory>,
    last_log: u32,
    pub(super) open: VecDeque<(LogId, u64)>,
    pub(super) times: HashMap<ColumnId, TimeMemory>,
    devices: HashMap<u32, u64>,
    hub_time_s: i64,
}

/// Logs, times and devices that are remembered at most: those beyond are said in full.
const LOGS_MAX: usize = 250;
/// What is remembered of one of these takes, about: of a log, and of a time or a device.
const LOG_BYTES: usize = 96;
const COUNTER_BYTES: usize = 64;
pub(super) const TIMES_MAX: usize = 512;

pub(super) fn bad(why: &str) -> SyncError {
    SyncError::BadBlock(why.into())
}

pub(super) fn column(name: &str) -> ColumnId {
    column_of(name.as_bytes(), 0)
}

impl ColumnStream {
    pub(super) fn new() -> Self {
        Self {
            columns: Columns::new(),
            keys: NameTable::default(),
            shapes: NameTable::default(),
            nodes: NameTable::default(),
            epochs: NameTable::default(),
            logs: Vec::new(),
            log_memory: HashMap::new(),
            last_log: 0,
            open: VecDeque::new(),
            times: HashMap::new(),
            devices: HashMap::new(),
            hub_time_s: 0,
        }
    }

    /// Bytes that the stream takes, about.
    pub(super) fn held_bytes(&self) -> usize {
        let names = [&self.keys, &self.shapes, &self.nodes, &self.epochs];
        let names: usize = names.into_iter().map(NameTable::held_bytes).sum();
        let logs = self.logs.len() * (size_of::<LogId>() + LOG_BYTES);
        let counters = (self.times.len() + self.devices.len()) * COUNTER_BYTES;
        self.columns.held_bytes() + names + logs + counters
    }

    /// Forgets whose logs were spoken of: a dictionary teaches what is said, and not by whom.
    pub(super) fn forget_logs(&mut self) {
        self.columns.doubt();
        self.nodes = NameTable::default();
        self.epochs = NameTable::default();
        self.logs.clear();
        self.log_memory.clear();
        self.last_log = 0;
        self.open.clear();
        self.devices.clear();
        self.hub_time_s = 0;
        self.times.values_mut().for_each(|time| time.last = 0);
    }

    /// A log: one of those before, or a new one.
    pub(super) fn log<C: BitCoder>(
        &mut self,
        c: &mut C,
        given: &LogId,
    ) -> Result<LogId, SyncError> {
        const NEW: u32 = 255;
        self.columns.take_room(1)?;
        let at = self.logs.iter().position(|log| C::ENCODES && log == given);
        let at = at.map_or(NEW, |at| at as u32);
        let context = context_of(&[column("log"), self.last_log]);
        let at = self.columns.choice(c, context, 8, at);
        if at != NEW {
            self.last_log = at;
            let log = self.logs.get(at as usize).copied();
            return log.ok_or_else(|| bad("it names a log that was never named"));
        }

        let node = self.name(c, Origin::Nodes, &given.node.0)?;
        let epoch = self.name(c, Origin::Epochs, &given.epoch.0)?;
        let lane = self
            .columns
            .choice(c, column("log.lane"), 3, given.lane as u32);
        let crossing = column("log.crossing");
        let crossing = self
            .columns
            .text(c, crossing, given.crossing.bytes(), None)?;
        let log = LogId {
            node: NodeId::from_slice(&node).map_err(|e| bad(&e.to_string()))?,
            epoch: Epoch(epoch.try_into().map_err(|_| bad("epoch"))?),
            lane: Lane::from_u8(lane as u8).map_err(|e| bad(&e.to_string()))?,
            crossing: Crossing::from_slice(&crossing).map_err(|e| bad(&e.to_string()))?,
        };

        if self.logs.len() < LOGS_MAX {
            self.last_log = self.logs.len() as u32;
            self.logs.push(log);
        }
        Ok(log)
    }

    /// A node's or an epoch's name.
    fn name<C: BitCoder>(
        &mut self,
        c: &mut C,
        table: Origin,
        given: &[u8],
    ) -> Result<Vec<u8>, SyncError> {
        let (names, bytes, context) = match table {
            Origin::Nodes => (&mut self.nodes, 16, column("log.node")),
            Origin::Epochs => (&mut self.epochs, 8, column("log.epoch")),
        };
        let at = names.place_of(given).filter(|_| C::ENCODES);
        let at = at.unwrap_or(NameTable::NEW);
        let at = self.columns.choice(c, context, 8, at);
        if at != NameTable::NEW {
            let name = names.get(at).map(<[u8]>::to_vec);
            return name.ok_or_else(|| bad("it names a node that was never named"));
        }

        let name = c.raw(given, bytes)?;
        names.push(&name);
        Ok(name)
    }

    /// What a block begins with: its log, where it starts, how many entries it has.
    pub(super) fn front(
        &mut self,
        c: &mut impl BitCoder,
        given: (LogId, u64, usize),
    ) -> Result<(LogId, u64, usize), SyncError> {
        c.begin(CostPart::Blocks);
        let log = self.log(c, &given.0)?;
        let end = self.log_memory.get(&log).map_or(0, |memory| memory.end);
        let ahead = given.1.wrapping_sub(end) as i64;
        let ahead = self.columns.number(c, column("block.ahead"), ahead)?;
        let count = column("block.entries");
        let count = self.columns.number(c, count, given.2 as i64)?;
        Ok((
            log,
            end.wrapping_add(ahead as u64),
            usize::try_from(count).unwrap_or(usize::MAX),
        ))
    }

    /// The checkpoint at a block's end; its root in the form in which it is said.
    pub(super) fn checkpoint(
        &mut self,
        c: &mut impl BitCoder,
        given: &SignedCheckpoint,
        (log, size): (LogId, u64),
        root: HashForm,
    ) -> Result<(SignedCheckpoint, HashForm), SyncError> {
        c.begin(CostPart::Blocks);
        let head = &given.checkpoint;
        let later = head.hub_time_s.wrapping_sub(self.hub_time_s);
        let later = self.columns.number(c, column("head.hub_time"), later)?;
        self.hub_time_s = self.hub_time_s.wrapping_add(later);
        let count = column("head.logs");
        let count = self.columns.number(c, count, head.logs.len() as i64)?;
        let mut logs = Vec::new();

        for n in 0..count.max(0) as usize {
            let first = (Lane::Control, Crossing::HUB, 0);
            let (lane, crossing, size) = head.logs.get(n).copied().unwrap_or(first);
            self.columns.take_room(16)?;
            let lane = self.columns.choice(c, column("head.lane"), 3, lane as u32);
            let name = column("head.crossing");
            let crossing = self.columns.text(c, name, crossing.bytes(), None)?;
            let size = self
                .columns
                .number(c, column_of(&crossing, lane + 1_000), size as i64)?;
            logs.push((
                Lane::from_u8(lane as u8).map_err(|e| bad(&e.to_string()))?,
                Crossing::from_slice(&crossing).map_err(|e| bad(&e.to_string()))?,
                size as u64,
            ));
        }

        let root = self.hash(c, column("head.root"), root)?;
        c.begin(CostPart::Signatures);
        let signature = c.raw(&given.signature, 64)?;
        let memory = self.log_memory(log);
        memory.end = size;

        Ok((
            SignedCheckpoint {
                checkpoint: Checkpoint {
                    log,
                    size,
                    root: Hash::default(),
                    hub_time_s: self.hub_time_s,
                    logs,
                },
                signature: signature.try_into().map_err(|_| bad("signature"))?,
            },
            root,
        ))
    }

    /// A hash in one of its forms.
    pub(super) fn hash(
        &mut self,
        c: &mut impl BitCoder,
        column: ColumnId,
        given: HashForm,
    ) -> Result<HashForm, SyncError> {
        let form = match given {
            HashForm::Stream => 0,
            HashForm::Held => 1,
            HashForm::Said(_) => 2,
        };
        c.begin(CostPart::Hashes);
        Ok(match self.columns.choice(c, column, 2, form) {
            0 => HashForm::Stream,
            1 => HashForm::Held,
            2 => HashForm::Said(raw_hash(c, given)?),
            _ => return Err(bad("it says a hash in no known form")),
        })
    }

    /// An entry at a position.
    pub(super) fn entry<C: BitCoder>(
        &mut self,
        c: &mut C,
        forms: &impl Forms,
        (log, seq): (LogId, u64),
        given: &[u8],
    ) -> Result<SaidEntry, SyncError> {
        self.columns.begin_entry();
        c.begin(CostPart::Others);
        let parts = WireEntry::read(given).filter(|e| C::ENCODES && e.has_plain_texts());
        let verbatim = column("entry.verbatim");
        if self.columns.flag(c, verbatim, parts.is_none()) {
            let length = column("entry.length");
            let length = self.columns.number(c, length, given.len() as i64)?;
            let length = usize::try_from(length).map_err(|_| bad("a length below zero"))?;
            self.columns.take_room(length)?;
            return Ok(SaidEntry::Verbatim(c.raw(given, length)?));
        }

        let given = parts.unwrap_or_default();
        let mut entry = self.common(c, log, &given)?;
        let (mut record, mut hashes) = (RecordForm::New, Vec::new());
        match entry.kind {
            CHANGE_KIND if self.is_typed(c, 1, &given) => {
                let none = WireChange::default();
                let change = match &given.body {
                    WireBody::Change(change) => change,
                    _ => &none,
                };
                let change = self.change(c, forms, (log, seq), change, entry.wall_ms)?;
                (record, hashes) = (change.1, change.2);
                entry.body = WireBody::Change(change.0);
            }
            kind @ (BOOT_KIND | SEEN_KIND) if self.is_typed(c, 2, &given) => {
                let (text, heads) = match &given.body {
                    WireBody::Heads(text, heads) => (&text[..], &heads[..]),
                    _ => (&b""[..], &[][..]),
                };
                let text = match kind {
                    BOOT_KIND => self.columns.text(c, column("boot"), text, None)?,
                    _ => Vec::new(),
                };
                let heads = self.heads(c, forms, heads, &mut hashes)?;
                entry.body = WireBody::Heads(text, heads);
            }
            kind => {
                let bytes = match &given.body {
                    WireBody::Other(bytes) => &bytes[..],
                    _ => &[],
                };
                entry.body = WireBody::Other(self.other_body(c, kind, bytes)?);
            }
        }

        Ok(SaidEntry::Parts {
            entry,
            record,
            hashes,
        })
    }

    fn is_typed(&mut self, c: &mut impl BitCoder, part: u32, given: &WireEntry) -> bool {
        let typed = !matches!(given.body, WireBody::Other(_));
        let name = column_of(b"entry.typed", part);
        self.columns.flag(c, name, typed)
    }

    /// What all entries have.
    fn common(
        &mut self,
        c: &mut impl BitCoder,
        log: LogId,
        given: &WireEntry,
    ) -> Result<WireEntry, SyncError> {
        c.begin(CostPart::Authors);
        let cols = &mut self.columns;
        let with_run = match given.device_run.is_empty() {
            true => 0,
            false => WITH_RUN,
        };
        let said = (given.kind | with_run) as i64;
        let said = cols.number(c, column("entry.kind"), said)? as u64;
        let (kind, has_run) = (said & !WITH_RUN, said & WITH_RUN != 0);
        let department = cols.text(c, column("entry.department"), &given.department, None)?;
        let officer = cols.text(c, column("entry.officer"), &given.officer, None)?;
        let device = cols.text(c, column("entry.device"), &given.device, None)?;
        let device_run = match has_run {
            true => cols.text(c, column("entry.device_run"), &given.device_run, None)?,
            false => Vec::new(),
        };
        let doubt = cols.number(c, column("entry.doubt"), given.doubt_ms as i64)?;
        let hash = column_of(&device, 7);
        let before = self.devices.get(&hash).copied().unwrap_or(0);
        let ahead = given.device_seq.wrapping_sub(before) as i64;
        let ahead = self.columns.number(c, column("entry.device_seq"), ahead)?;
        let device_seq = before.wrapping_add(ahead as u64);
        if self.devices.len() < TIMES_MAX || self.devices.contains_key(&hash) {
            self.devices.insert(hash, device_seq);
        }

        c.begin(CostPart::Times);
        let wall_ms = self.log_memory(log).wall_ms;
        let later = given.wall_ms.wrapping_sub(wall_ms);
        let later = self.columns.number(c, column("entry.wall"), later)?;
        let wall_ms = wall_ms.wrapping_add(later);
        self.log_memory(log).wall_ms = wall_ms;

        let differs = given.happened_ms.is_some();
        let differs = self.columns.flag(c, column("entry.happened"), differs);
        let (mut happened_ms, mut happened_source) = (None, Vec::new());
        if differs {
            let name = column("entry.happened_ms");
            let given_ms = given.happened_ms.unwrap_or(0);
            happened_ms = Some(self.time(c, name, given_ms, wall_ms, wall_ms)?);
            let name = column("entry.source");
            happened_source = self.columns.text(c, name, &given.happened_source, None)?;
        }

        Ok(WireEntry {
            kind,
            wall_ms,
            doubt_ms: doubt as u64,
            happened_ms,
            happened_source,
            officer,
            department,
            device,
            device_seq,
            device_run,
            body: WireBody::default(),
        })
    }

    fn other_body(
        &mut self,
        c: &mut impl BitCoder,
        kind: u64,
        given: &[u8],
    ) -> Result<Vec<u8>, SyncError> {
        c.begin(CostPart::Others);
        let name = column_of(b"entry.body", kind as u32);
        let long = given.len() > EXPECTED_BYTES_MAX;
        if !self.columns.flag(c, column("entry.long"), long) {
            return self.columns.bytes(c, name, given);
        }

        let length = self.columns.number(c, name, given.len() as i64)?;
        let length = usize::try_from(length).map_err(|_| bad("a length below zero"))?;
        self.columns.take_room(length)?;
        c.raw(given, length)
    }

    fn heads(
        &mut self,
        c: &mut impl BitCoder,
        forms: &impl Forms,
        given: &[WireHead],
        hashes: &mut Vec<HashForm>,
    ) -> Result<Vec<WireHead>, SyncError> {
        c.begin(CostPart::References);
        let count = column("heads.count");
        let count = self.columns.number(c, count, given.len() as i64)?;
        let mut heads = Vec::new();
        for n in 0..count.max(0) as usize {
            self.columns.take_room(REFERENCE_BYTES)?;
            let given = given.get(n).cloned().unwrap_or_else(|| WireHead {
                log: nowhere(),
                size: 0,
                root: [0; 32],
            });
            c.begin(CostPart::References);
            let log = self.log(c, &given.log)?;
            let before = self.log_memory(log).referenced;
            let ahead = given.size.wrapping_sub(before) as i64;
            let ahead = self.columns.number(c, column("heads.size"), ahead)?;
            let size = before.wrapping_add(ahead as u64);

            self.log_memory(log).referenced = size;
            let root = forms.root(&given.log, given.size, &given.root);
            hashes.push(self.hash(c, column("heads.root"), root)?);
            heads.push(WireHead {
                log,
                size,
                root: [0; 32],
            });
        }

        Ok(heads)
    }

    fn log_memory(&mut self, log: LogId) -> &mut LogMemory {
        let known = self.log_memory.len() < LOGS_MAX || self.log_memory.contains_key(&log);
        self.log_memory
            .entry(if known { log } else { nowhere() })
            .or_default()
    }
}

#[derive(Clone, Copy)]
enum Origin {
    Nodes,
    Epochs,
}

/// A log that nobody has: what stands in place of none.
pub(super) fn nowhere() -> LogId {
    LogId {
        node: NodeId([0; 16]),
        epoch: Epoch([0; 8]),
        lane: Lane::Control,
        crossing: Crossing::HUB,
    }
}

pub(super) fn raw_hash(c: &mut impl BitCoder, given: HashForm) -> Result<[u8; 32], SyncError> {
    let given = match given {
        HashForm::Said(hash) => hash,
        _ => [0; 32],
    };
    c.raw(&given, 32)?
        .try_into()
        .map_err(|_| bad("a hash is not 32 bytes"))
}
