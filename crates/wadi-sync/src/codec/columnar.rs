//! The block codec, version 2: blocks in columns, hashes left out where they follow from what both
//! ends hold, and each bit at what it is worth.
//!
//! A stream takes some 0.8 MiB on either side when it begins: 0.75 for what is expected, the rest
//! for values, names and hashes that came before, all of them bounded and counted (`held_bytes`): a
//! long stream has half a MiB of hashes beside it.

use super::{
    BODY_BYTES_MAX, broken,
    column_stream::{ColumnStream, Forms, HashForm, RecordForm, SaidEntry},
    dictionary::primed,
    past::{HeldKey, HeldParts, StreamEntry, StreamPast},
    range_coder::{BitCoder, CostCounter, CostPart, RangeDecoder, RangeEncoder},
    wire_entry::{WireBody, WireEntry},
};
use crate::SyncError;
use std::collections::{BTreeSet, HashMap};
use wadi_log::{
    BLOCK_ENTRIES_MAX, Block, Hash, LogId, Peaks, RecordId, SignedCheckpoint, leaf_hash,
};

/// The first byte of a frame: the dictionary's version above the codec's.
pub(super) const FRAME_MARK: u8 = super::DICTIONARY_VERSION << 4 | 2;
/// Logs of a stream whose peaks the decoder keeps, so that their roots follow.
const PEAKS_MAX: usize = 250;
/// What a log of these takes, about, and its peaks: those of a million entries.
const CHAINED_BYTES: usize = 96;
const PEAKS_BYTES: usize = 20 * size_of::<Hash>();

/// How much a block may leave out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reliance {
    /// Nothing that the receiver would have to know: what it could not rebuild is said in full.
    Nothing,
    /// What came in this stream.
    Stream,
}

/// Encodes blocks for one stream.
pub(super) struct ColumnEncoder {
    stream: Box<ColumnStream>,
    past: StreamPast,
    /// Logs whose peaks the receiver has from this stream, and at which size.
    chained: HashMap<LogId, u64>,
}

/// The forms that the encoding end may use for one block.
struct OwnForms<'a> {
    past: &'a StreamPast,
    held: &'a HeldParts,
    reliance: Reliance,
}

/// The end that decodes says nothing.
struct NoForms;

impl Forms for OwnForms<'_> {
    fn leaf(&self, log: &LogId, seq: u64, leaf: &[u8; 32]) -> HashForm {
        let same = |known: Option<Hash>| known.is_some_and(|known| known.0 == *leaf);
        if self.reliance == Reliance::Nothing {
            return HashForm::Said(*leaf);
        }

        if same(self.past.entry(log, seq).map(|e| e.leaf)) {
            return HashForm::Stream;
        }
        let held = self.held.entries.get(&(*log, seq)).map(|e| e.leaf);
        match same(held) {
            true => HashForm::Held,
            false => HashForm::Said(*leaf),
        }
    }

    fn is_record_of(&self, log: &LogId, seq: u64, record: &[u8; 32]) -> bool {
        if self.reliance == Reliance::Nothing {
            return false;
        }

        let known = self.past.entry(log, seq);
        let known = known.or_else(|| self.held.entries.get(&(*log, seq)).copied());
        known.and_then(|e| e.record) == Some(RecordId(*record))
    }

    fn root(&self, log: &LogId, size: u64, root: &[u8; 32]) -> HashForm {
        let held = self.held.roots.get(&(*log, size));
        match self.reliance != Reliance::Nothing && held.is_some_and(|held| held.0 == *root) {
            true => HashForm::Held,
            false => HashForm::Said(*root),
        }
    }
}

impl Forms for NoForms {
    fn leaf(&self, _: &LogId, _: u64, _: &[u8; 32]) -> HashForm {
        HashForm::Stream
    }

    fn is_record_of(&self, _: &LogId, _: u64, _: &[u8; 32]) -> bool {
        false
    }

    fn root(&self, _: &LogId, _: u64, _: &[u8; 32]) -> HashForm {
        HashForm::Stream
    }
}

impl ColumnEncoder {
    pub(super) fn new() -> Self {
        Self {
            stream: Box::new(primed().clone()),
            past: StreamPast::default(),
            chained: HashMap::new(),
        }
    }

    /// Bytes that the stream takes here, about.
    pub(super) fn held_bytes(&self) -> usize {
        let chained = self.chained.len() * CHAINED_BYTES;
        self.stream.held_bytes() + self.past.held_bytes() + chained
    }

    /// What a block could leave out if the receiver holds it: entries that it builds on, roots that
    /// it names, and the peaks at its beginning.
    pub(super) fn asks_of(&self, block: &Block) -> BTreeSet<HeldKey> {
        let log = block.checkpoint.checkpoint.log;
        let mut asks = BTreeSet::new();
        if block.from > 0 && self.chained.get(&log) != Some(&block.from) {
            asks.insert(HeldKey::Peaks(log, block.from));
        }

        for entry in block.entries.iter().filter_map(|e| WireEntry::read(e)) {
            match &entry.body {
                WireBody::Change(change) => {
                    let outside = change.based_on.iter().filter(|r| {
                        let own = r.log == log && r.seq >= block.from;
                        !own && self.past.entry(&r.log, r.seq).is_none()
                    });
                    asks.extend(outside.map(|r| HeldKey::Entry(r.log, r.seq)));
                }
                WireBody::Heads(_, heads) => {
                    asks.extend(heads.iter().map(|h| HeldKey::Root(h.log, h.size)));
                }
                WireBody::Other(_) => {}
            }
        }

        asks
    }

    /// One frame. The receiver is known to hold what `held` tells.
    pub(super) fn encode(
        &mut self,
        block: &Block,
        held: &HeldParts,
        reliance: Reliance,
    ) -> Result<Vec<u8>, SyncError> {
        let mut coder = RangeEncoder::new();
        self.say(&mut coder, block, held, reliance)?;

        let mut frame = coder.finish();
        frame.insert(0, FRAME_MARK);
        Ok(frame)
    }

    /// Bits that each part of a block costs. The stream goes on as if it had been sent.
    pub(super) fn cost_of(
        &mut self,
        block: &Block,
        held: &HeldParts,
    ) -> Result<[f64; CostPart::ALL.len()], SyncError> {
        let mut counter = CostCounter::new();
        self.say(&mut counter, block, held, Reliance::Stream)?;
        Ok(counter.bits)
    }

    fn say(
        &mut self,
        coder: &mut impl BitCoder,
        block: &Block,
        held: &HeldParts,
        reliance: Reliance,
    ) -> Result<(), SyncError> {
        let head = &block.checkpoint.checkpoint;
        let log = head.log;
        self.stream.columns.begin_frame(usize::MAX);
        self.stream
            .front(coder, (log, block.from, block.entries.len()))?;

        for (seq, bytes) in (block.from..).zip(&block.entries) {
            let forms = OwnForms {
                past: &self.past,
                held,
                reliance,
            };
            self.stream.entry(coder, &forms, (log, seq), bytes)?;
            let leaf = leaf_hash(bytes);
            let entry = WireEntry::read(bytes);
            self.past
                .push((log, seq), Some(stream_entry(leaf, entry.as_ref())));
        }

        let follows = block.from == 0 || self.chained.get(&log) == Some(&block.from);
        let root = match reliance {
            Reliance::Nothing => HashForm::Said(head.root.0),
            _ if follows => HashForm::Stream,
            _ if held.peaks.contains_key(&(log, block.from)) => HashForm::Held,
            _ => HashForm::Said(head.root.0),
        };
        let to = (log, head.size);
        self.stream.checkpoint(coder, &block.checkpoint, to, root)?;

        let chains = match reliance {
            Reliance::Nothing => block.from == 0,
            Reliance::Stream => follows || root == HashForm::Held,
        };
        chain(&mut self.chained, log, chains.then_some(head.size));
        Ok(())
    }
}

/// Notes the peaks of a log, or that they are not known; of so many logs and no more.
fn chain<T>(chained: &mut HashMap<LogId, T>, log: LogId, to: Option<T>) {
    match to {
        Some(to) if chained.len() < PEAKS_MAX || chained.contains_key(&log) => {
            chained.insert(log, to);
        }
        _ => drop(chained.remove(&log)),
    }
}

fn stream_entry(leaf: Hash, entry: Option<&WireEntry>) -> StreamEntry {
    match entry.map(|e| &e.body) {
        Some(WireBody::Change(change)) => StreamEntry::change(leaf, change.record.map(RecordId)),
        _ => StreamEntry::other(leaf),
    }
}

/// Decodes blocks of one stream.
pub(super) struct ColumnDecoder {
    stream: Box<ColumnStream>,
    past: StreamPast,
    peaks: HashMap<LogId, Peaks>,
}

/// A block as it was said.
#[derive(Debug)]
pub(super) struct SaidBlock {
    from: u64,
    entries: Vec<SaidEntry>,
    checkpoint: SignedCheckpoint,
    root: HashForm,
}

/// A block that cannot be rebuilt: something that it leaves out is not held here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unresolved {
    /// The block's log.
    pub log: LogId,
    /// Where it begins.
    pub from: u64,
}

impl SaidBlock {
    pub(super) fn log(&self) -> LogId {
        self.checkpoint.checkpoint.log
    }

    /// What it leaves out and the store has to tell.
    pub(super) fn asks(&self) -> BTreeSet<HeldKey> {
        let mut asks = BTreeSet::new();
        if self.root == HashForm::Held {
            asks.insert(HeldKey::Peaks(self.log(), self.from));
        }

        for said in &self.entries {
            let SaidEntry::Parts {
                entry,
                hashes,
                record,
            } = said
            else {
                continue;
            };
            let held = |n: usize| hashes.get(n) == Some(&HashForm::Held);
            match &entry.body {
                WireBody::Change(change) => {
                    // The record of a first dependency that is said in full is asked for, too.
                    let asked = |n: usize| {
                        let said = matches!(hashes.get(n), Some(HashForm::Said(_)));
                        held(n) || n == 0 && said && *record == RecordForm::OfDependency
                    };
                    let all = change.based_on.iter().enumerate();
                    let all = all.filter(|(n, _)| asked(*n));
                    asks.extend(all.map(|(_, r)| HeldKey::Entry(r.log, r.seq)));
                }
                WireBody::Heads(_, heads) => {
                    let all = heads.iter().enumerate().filter(|(n, _)| held(*n));
                    asks.extend(all.map(|(_, h)| HeldKey::Root(h.log, h.size)));
                }
                WireBody::Other(_) => {}
            }
        }

        asks
    }
}

impl ColumnDecoder {
    pub(super) fn new() -> Self {
        Self {
            stream: Box::new(primed().clone()),
            past: StreamPast::default(),
            peaks: HashMap::new(),
        }
    }

    /// Bytes that the stream takes here, about.
    pub(super) fn held_bytes(&self) -> usize {
        let chained = self.peaks.len() * (CHAINED_BYTES + PEAKS_BYTES);
        self.stream.held_bytes() + self.past.held_bytes() + chained
    }

    /// Reads one frame behind its first byte. What it inflates to is bounded before anything is
    /// allocated for it.
    pub(super) fn read(&mut self, data: &[u8]) -> Result<SaidBlock, SyncError> {
        let mut coder = RangeDecoder::new(data);
        let nobody = SignedCheckpoint {
            checkpoint: wadi_log::Checkpoint {
                log: super::column_stream::nowhere(),
                size: 0,
                root: Hash::default(),
                hub_time_s: 0,
                logs: vec![],
            },
            signature: [0; 64],
        };

        self.stream.columns.begin_frame(BODY_BYTES_MAX);
        let log = nobody.checkpoint.log;
        let (log, from, count) = self.stream.front(&mut coder, (log, 0, 0))?;
        if count > BLOCK_ENTRIES_MAX {
            return Err(broken(format!(
                "{count} entries; the limit is {BLOCK_ENTRIES_MAX}"
            )));
        }

        let size = from
            .checked_add(count as u64)
            .ok_or_else(|| broken("it ends beyond all positions"))?;
        let mut entries = Vec::with_capacity(count);
        for seq in from..size {
            let entry = self.stream.entry(&mut coder, &NoForms, (log, seq), &[])?;
            entries.push(entry);
        }

        let root = HashForm::Stream;
        let (checkpoint, root) = self
            .stream
            .checkpoint(&mut coder, &nobody, (log, size), root)?;

        Ok(SaidBlock {
            from,
            entries,
            checkpoint,
            root,
        })
    }

    /// Puts a block together from what was said and what is held here.
    ///
    /// # Errors
    ///
    /// [`Unresolved`] where something is left out that neither the stream nor the store tells. The
    /// stream goes on all the same.
    pub(super) fn rebuild(
        &mut self,
        said: SaidBlock,
        held: &HeldParts,
    ) -> Result<Block, Unresolved> {
        let log = said.log();
        let from = said.from;
        let unresolved = Unresolved { log, from };
        let mut peaks = match from {
            0 => Some(Peaks::default()),
            _ => self.peaks.remove(&log).filter(|peaks| peaks.size() == from),
        };
        if said.root == HashForm::Held {
            peaks = held.peaks.get(&(log, from)).cloned();
        }

        let mut entries = Vec::with_capacity(said.entries.len());
        let mut whole = true;
        for (seq, said) in (from..).zip(said.entries) {
            let bytes = self.rebuild_entry(said, held);
            let entry = bytes.as_ref().map(|bytes| {
                let leaf = leaf_hash(bytes);
                stream_entry(leaf, WireEntry::read(bytes).as_ref())
            });

            match (&mut peaks, &entry) {
                (Some(peaks), Some(entry)) => drop(peaks.append(entry.leaf)),
                _ => peaks = None,
            }
            self.past.push((log, seq), entry);
            whole &= bytes.is_some();
            entries.extend(bytes);
        }

        let root = match said.root {
            HashForm::Said(root) => Some(Hash(root)),
            _ => peaks.as_ref().map(Peaks::root),
        };
        chain(&mut self.peaks, log, peaks);

        let (true, Some(root)) = (whole, root) else {
            return Err(unresolved);
        };
        let mut checkpoint = said.checkpoint;
        checkpoint.checkpoint.root = root;
        Ok(Block {
            from,
            entries,
            checkpoint,
        })
    }

    fn rebuild_entry(&self, said: SaidEntry, held: &HeldParts) -> Option<Vec<u8>> {
        let (mut entry, record, hashes) = match said {
            SaidEntry::Verbatim(bytes) => return Some(bytes),
            SaidEntry::Parts {
                entry,
                record,
                hashes,
            } => (entry, record, hashes),
        };
        let known = |log: &LogId, seq: u64| {
            let here = self.past.entry(log, seq);
            here.or_else(|| held.entries.get(&(*log, seq)).copied())
        };

        match &mut entry.body {
            WireBody::Change(change) => {
                for (reference, form) in change.based_on.iter_mut().zip(&hashes) {
                    reference.leaf = match form {
                        HashForm::Said(leaf) => *leaf,
                        HashForm::Stream => self.past.entry(&reference.log, reference.seq)?.leaf.0,
                        HashForm::Held => {
                            let at = (reference.log, reference.seq);
                            held.entries.get(&at)?.leaf.0
                        }
                    };
                }

                let first = change.based_on.first();
                change.record = match record {
                    RecordForm::New => None,
                    RecordForm::Said(record) => Some(record),
                    RecordForm::OfDependency => {
                        let first = first?;
                        Some(known(&first.log, first.seq)?.record?.0)
                    }
                    RecordForm::BegunByDependency => {
                        let first = first?;
                        Some(super::column_change::begins(
                            &first.log,
                            first.seq,
                            &first.leaf,
                        ))
                    }
                };
            }
            WireBody::Heads(_, heads) => {
                for (head, form) in heads.iter_mut().zip(&hashes) {
                    head.root = match form {
                        HashForm::Said(root) => *root,
                        HashForm::Stream => return None,
                        HashForm::Held => held.roots.get(&(head.log, head.size))?.0,
                    };
                }
            }
            WireBody::Other(_) => {}
        }

        Some(entry.to_bytes())
    }
}
