//! A stream of blocks in columns: what both ends remember of it, and the order in which the values
//! of a block are said.
//!
//! Both ends remember what the frames said, in their order, and never what follows from the store
//! of one of them: so they expect the same, whatever else they hold. Hashes are not expected at
//! all. They are left out, or stand word for word.

use super::{
    columns::{ColumnId, Columns, column_of},
    event_shape::{HoleValue, fill_shape, holes_of, split_event},
    model::context_of,
    names::Names,
    range_coder::{BitCoder, Part},
    wire_entry::{
        BOOT_KIND, CHANGE_KIND, SEEN_KIND, WireBody, WireChange, WireEntry, WireHead,
        WireReference, WireValue,
    },
};
use crate::SyncError;
use std::collections::{HashMap, VecDeque};
use wadi_log::{Checkpoint, Crossing, Epoch, Hash, Lane, LogId, NodeId, SignedCheckpoint};

/// Records' newest entries by which further ones are likely to go on.
const OPEN_ENTRIES: usize = 64;
/// Bytes that a reference or a head comes to.
const REFERENCE_BYTES: usize = 76;
/// Numbers from here on are times in milliseconds, if anything.
const TIME_LEAST: u64 = 100_000_000_000;
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
struct TimeMemory {
    last: i64,
    costs: [u32; 3],
    signs: [bool; 3],
}

/// What both ends remember.
#[derive(Clone)]
pub(super) struct ColumnStream {
    pub(super) columns: Columns,
    keys: Names,
    shapes: Names,
    nodes: Names,
    epochs: Names,
    logs: Vec<LogId>,
    log_memory: HashMap<LogId, LogMemory>,
    last_log: u32,
    open: VecDeque<(LogId, u64)>,
    times: HashMap<ColumnId, TimeMemory>,
    devices: HashMap<u32, u64>,
    hub_time_s: i64,
}

/// Logs, times and devices that are remembered at most: those beyond are said in full.
const LOGS_MAX: usize = 250;
const TIMES_MAX: usize = 512;

fn bad(why: &str) -> SyncError {
    SyncError::BadBlock(why.into())
}

fn column(name: &str) -> ColumnId {
    column_of(name.as_bytes(), 0)
}

impl ColumnStream {
    pub(super) fn new() -> Self {
        Self {
            columns: Columns::new(),
            keys: Names::default(),
            shapes: Names::default(),
            nodes: Names::default(),
            epochs: Names::default(),
            logs: Vec::new(),
            log_memory: HashMap::new(),
            last_log: 0,
            open: VecDeque::new(),
            times: HashMap::new(),
            devices: HashMap::new(),
            hub_time_s: 0,
        }
    }

    /// Forgets whose logs were spoken of: a dictionary teaches what is said, and not by whom.
    pub(super) fn forget_logs(&mut self) {
        self.columns.doubt();
        self.nodes = Names::default();
        self.epochs = Names::default();
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
        let at = at.unwrap_or(Names::NEW);
        let at = self.columns.choice(c, context, 8, at);
        if at != Names::NEW {
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
        c.begin(Part::Blocks);
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
        c.begin(Part::Blocks);
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
        c.begin(Part::Signatures);
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
    fn hash(
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
        c.begin(Part::Hashes);
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
        c.begin(Part::Others);
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
        c.begin(Part::Authors);
        let cols = &mut self.columns;
        let kind = cols.number(c, column("entry.kind"), given.kind as i64)? as u64;
        let department = cols.text(c, column("entry.department"), &given.department, None)?;
        let officer = cols.text(c, column("entry.officer"), &given.officer, None)?;
        let device = cols.text(c, column("entry.device"), &given.device, None)?;
        let doubt = cols.number(c, column("entry.doubt"), given.doubt_ms as i64)?;
        let hash = column_of(&device, 7);
        let before = self.devices.get(&hash).copied().unwrap_or(0);
        let ahead = given.device_seq.wrapping_sub(before) as i64;
        let ahead = self.columns.number(c, column("entry.device_seq"), ahead)?;
        let device_seq = before.wrapping_add(ahead as u64);
        if self.devices.len() < TIMES_MAX || self.devices.contains_key(&hash) {
            self.devices.insert(hash, device_seq);
        }

        c.begin(Part::Times);
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
            body: WireBody::default(),
        })
    }

    fn other_body(
        &mut self,
        c: &mut impl BitCoder,
        kind: u64,
        given: &[u8],
    ) -> Result<Vec<u8>, SyncError> {
        c.begin(Part::Others);
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
        c.begin(Part::References);
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
            c.begin(Part::References);
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

    fn change(
        &mut self,
        c: &mut impl BitCoder,
        forms: &impl Forms,
        at: (LogId, u64),
        given: &WireChange,
        wall_ms: i64,
    ) -> Result<(WireChange, RecordForm, Vec<HashForm>), SyncError> {
        c.begin(Part::References);
        let count = column("change.dependencies");
        let count = self.columns.number(c, count, given.based_on.len() as i64)?;
        let mut hashes = Vec::new();
        let mut based_on = Vec::new();
        for n in 0..count.max(0) as usize {
            self.columns.take_room(REFERENCE_BYTES)?;
            let given = given.based_on.get(n).cloned();
            let given = given.unwrap_or_else(|| WireReference {
                log: nowhere(),
                seq: 0,
                leaf: [0; 32],
            });
            c.begin(Part::References);
            let (log, seq) = self.reference(c, at, (given.log, given.seq))?;
            let leaf = forms.leaf(&given.log, given.seq, &given.leaf);
            hashes.push(self.hash(c, column("change.leaf"), leaf)?);
            based_on.push(WireReference {
                log,
                seq,
                leaf: [0; 32],
            });
        }

        let record = self.record(c, forms, given)?;
        if self.open.len() == OPEN_ENTRIES {
            self.open.pop_back();
        }
        self.open.push_front(at);

        let is_new = record == RecordForm::New;
        let puts = self.puts(c, &given.puts, wall_ms, is_new)?;
        let events = self.events(c, &given.events, wall_ms, is_new)?;
        let change = WireChange {
            record: None,
            based_on,
            puts,
            events,
        };

        Ok((change, record, hashes))
    }

    /// Where a dependency stands: among the newest entries that nothing has built upon yet, or
    /// anywhere.
    fn reference<C: BitCoder>(
        &mut self,
        c: &mut C,
        (own, own_seq): (LogId, u64),
        given: (LogId, u64),
    ) -> Result<(LogId, u64), SyncError> {
        let open = self.open.iter().position(|at| C::ENCODES && *at == given);
        let near = column("change.near");
        if !self.open.is_empty() && self.columns.flag(c, near, open.is_some()) {
            let rank = open.unwrap_or(0) as u32;
            let rank = self.columns.choice(c, column("change.rank"), 6, rank);
            let found = self.open.remove(rank as usize);
            return found.ok_or_else(|| bad("it builds on an entry that was never said"));
        }

        let (log, seq) = given;
        let log = self.log(c, &log)?;
        if log == own {
            let back = own_seq.wrapping_sub(seq) as i64;
            let back = self.columns.number(c, column("change.back"), back)?;
            return Ok((log, own_seq.wrapping_sub(back as u64)));
        }

        let seq = self.columns.number(c, column("change.seq"), seq as i64)?;
        Ok((log, seq as u64))
    }

    fn record(
        &mut self,
        c: &mut impl BitCoder,
        forms: &impl Forms,
        given: &WireChange,
    ) -> Result<RecordForm, SyncError> {
        let first = given.based_on.first();
        let form = match (&given.record, first) {
            (None, _) => RecordForm::New,
            (Some(record), Some(dependency)) => {
                let WireReference { log, seq, leaf } = dependency;
                if forms.is_record_of(log, *seq, record) {
                    RecordForm::OfDependency
                } else if begins(log, *seq, leaf) == *record {
                    RecordForm::BegunByDependency
                } else {
                    RecordForm::Said(*record)
                }
            }
            (Some(record), None) => RecordForm::Said(*record),
        };
        let number = match form {
            RecordForm::New => 0,
            RecordForm::OfDependency => 1,
            RecordForm::BegunByDependency => 2,
            RecordForm::Said(_) => 3,
        };

        c.begin(Part::Hashes);
        let name = column("change.record");
        Ok(match self.columns.choice(c, name, 2, number) {
            0 => RecordForm::New,
            1 => RecordForm::OfDependency,
            2 => RecordForm::BegunByDependency,
            _ => {
                let given = match form {
                    RecordForm::Said(record) => record,
                    _ => [0; 32],
                };
                RecordForm::Said(raw_hash(c, HashForm::Said(given))?)
            }
        })
    }

    fn puts(
        &mut self,
        c: &mut impl BitCoder,
        given: &[(Vec<u8>, WireValue)],
        wall_ms: i64,
        is_new: bool,
    ) -> Result<Vec<(Vec<u8>, WireValue)>, SyncError> {
        let mut puts: Vec<(Vec<u8>, WireValue)> = Vec::new();
        let mut before = u32::from(is_new) << 8;
        let mut last_time = wall_ms;
        while let Some((key, at)) = self.next_name(
            c,
            NameList::Keys,
            given.get(puts.len()).map(|(key, _)| &key[..]),
            before,
        )? {
            before = u32::from(is_new) << 8 | at;
            let name = column_of(&key, 1);
            let none = WireValue::Null;
            let given = given.get(puts.len()).map_or(&none, |(_, value)| value);
            let form = match given {
                WireValue::Text(_) => 0,
                WireValue::Int(_) => 1,
                WireValue::Null => 2,
                WireValue::Flag(_) => 3,
            };

            let form = self.columns.choice(c, column_of(&key, 2), 2, form);
            let value = match (form, given) {
                (0, given) => {
                    let text = match given {
                        WireValue::Text(text) => &text[..],
                        _ => b"",
                    };
                    // Of two keys of which one goes on where the other ends, the values may, too.
                    let like = puts.iter().rev().find_map(|(other, value)| match value {
                        WireValue::Text(text) if key.starts_with(other) => Some(&text[..]),
                        _ => None,
                    });
                    c.begin(Part::Texts);
                    WireValue::Text(self.columns.text(c, name, text, like)?)
                }
                (1, given) => {
                    let int = match given {
                        WireValue::Int(int) => *int,
                        _ => 0,
                    };
                    WireValue::Int(self.amount(c, name, int, wall_ms, &mut last_time)?)
                }
                (2, _) => WireValue::Null,
                (_, given) => {
                    let flag = *given == WireValue::Flag(true);
                    WireValue::Flag(self.columns.flag(c, name, flag))
                }
            };
            puts.push((key, value));
        }

        Ok(puts)
    }

    fn events(
        &mut self,
        c: &mut impl BitCoder,
        given: &[Vec<u8>],
        wall_ms: i64,
        is_new: bool,
    ) -> Result<Vec<Vec<u8>>, SyncError> {
        let mut events = Vec::new();
        let mut before = u32::from(is_new) << 8;
        let mut last_time = wall_ms;
        loop {
            let text = given.get(events.len());
            // An event without a shape is one with an empty shape and one value.
            let parts = text.map(|text| {
                split_event(text)
                    .unwrap_or_else(|| (Vec::new(), vec![HoleValue::Text(text.clone())]))
            });
            let shape = parts.as_ref().map(|(shape, _)| &shape[..]);
            let Some((shape, at)) = self.next_name(c, NameList::Shapes, shape, before)? else {
                return Ok(events);
            };

            before = u32::from(is_new) << 8 | at;
            let given = parts.map_or(Vec::new(), |(_, values)| values);
            if shape.is_empty() {
                let whole = match given.first() {
                    Some(HoleValue::Text(text)) => &text[..],
                    _ => b"",
                };
                events.push(self.columns.text(c, column("event.whole"), whole, None)?);
                continue;
            }

            let mut values = Vec::new();
            for (n, hole) in holes_of(&shape).into_iter().enumerate() {
                let given = given.get(n);
                values.push(if hole.is_number {
                    let number = match given {
                        Some(HoleValue::Number(number)) => *number,
                        _ => 0,
                    };
                    let number = self.amount(c, hole.column, number, wall_ms, &mut last_time)?;
                    HoleValue::Number(number)
                } else {
                    let text = match given {
                        Some(HoleValue::Text(text)) => &text[..],
                        _ => b"",
                    };
                    c.begin(Part::Texts);
                    HoleValue::Text(self.columns.text(c, hole.column, text, None)?)
                });
            }
            events.push(fill_shape(&shape, &values));
        }
    }

    /// The next key or shape of a list, expected from the one before it; none at the list's end.
    fn next_name<C: BitCoder>(
        &mut self,
        c: &mut C,
        table: NameList,
        given: Option<&[u8]>,
        before: u32,
    ) -> Result<Option<(Vec<u8>, u32)>, SyncError> {
        const LIST_END: u32 = 254;
        c.begin(Part::Keys);
        let (names, name) = match table {
            NameList::Keys => (&mut self.keys, column("change.key")),
            NameList::Shapes => (&mut self.shapes, column("change.shape")),
        };
        let at = match given {
            None => LIST_END,
            Some(name) => match C::ENCODES {
                true => names.place_of(name).unwrap_or(Names::NEW),
                false => Names::NEW,
            },
        };
        let context = context_of(&[name, before]);
        let at = self.columns.choice(c, context, 8, at);
        if at == LIST_END {
            return Ok(None);
        }

        if at == Names::NEW {
            let text = self.columns.text(c, name, given.unwrap_or(b""), None)?;
            let at = names.push(&text);
            return Ok(Some((text, at)));
        }

        let known = names.get(at).map(<[u8]>::to_vec);
        let known = known.ok_or_else(|| bad("it names a key that was never said"))?;
        self.columns.take_room(known.len())?;
        Ok(Some((known, at)))
    }

    /// A number, which is a time where it is as large as one.
    fn amount(
        &mut self,
        c: &mut impl BitCoder,
        name: ColumnId,
        given: i64,
        wall_ms: i64,
        last_time: &mut i64,
    ) -> Result<i64, SyncError> {
        c.begin(Part::Numbers);
        let is_time = given.unsigned_abs() >= TIME_LEAST;
        if !self.columns.flag(c, context_of(&[name, 1]), is_time) {
            return self.columns.number(c, name, given);
        }

        let time = self.time(c, name, given, wall_ms, *last_time)?;
        *last_time = time;
        Ok(time)
    }

    /// A time, by what it lies near to: the last one of its column, the entry's, or the last one of
    /// the entry; whichever was nearest so far.
    fn time(
        &mut self,
        c: &mut impl BitCoder,
        name: ColumnId,
        given: i64,
        wall_ms: i64,
        last_time: i64,
    ) -> Result<i64, SyncError> {
        let mut memory = self.times.get(&name).copied().unwrap_or_default();
        let bases = [last_time, memory.last, wall_ms];
        let nearest = (0..3).min_by_key(|n| memory.costs[*n]).unwrap_or(0);
        let later = given.wrapping_sub(bases[nearest]);
        let later = self
            .columns
            .number(c, context_of(&[name, 2, nearest as u32]), later)?;
        let time = bases[nearest].wrapping_add(later);

        for (n, base) in bases.into_iter().enumerate() {
            let later = time.wrapping_sub(base);
            let bits = 64 - later.unsigned_abs().leading_zeros();
            let turned = (later < 0) != memory.signs[n];
            let cost = bits * 16 + if turned { 16 } else { 0 };
            memory.costs[n] = (memory.costs[n] * 7 + cost * 8) / 8;
            memory.signs[n] = later < 0;
        }
        memory.last = time;
        if self.times.len() < TIMES_MAX || self.times.contains_key(&name) {
            self.times.insert(name, memory);
        }

        Ok(time)
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

#[derive(Clone, Copy)]
enum NameList {
    Keys,
    Shapes,
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

/// The record that an entry begins.
pub(super) fn begins(log: &LogId, seq: u64, leaf: &[u8; 32]) -> [u8; 32] {
    let first = wadi_log::Reference {
        log: *log,
        seq,
        leaf: Hash(*leaf),
    };
    wadi_log::RecordId::of_first(&first).0
}

fn raw_hash(c: &mut impl BitCoder, given: HashForm) -> Result<[u8; 32], SyncError> {
    let given = match given {
        HashForm::Said(hash) => hash,
        _ => [0; 32],
    };
    c.raw(&given, 32)?
        .try_into()
        .map_err(|_| bad("a hash is not 32 bytes"))
}
