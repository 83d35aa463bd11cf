//! Changes in columns: what they build upon, their keys and values, their events and times.

use super::{
    column_stream::{
        ColumnStream, Forms, HashForm, OPEN_ENTRIES, REFERENCE_BYTES, RecordForm, TIMES_MAX, bad,
        column, nowhere, raw_hash,
    },
    columns::{ColumnId, column_of},
    event_shape::{HoleValue, fill_shape, holes_of, split_event},
    model::context_of,
    names::NameTable,
    range_coder::{BitCoder, CostPart},
    wire_entry::{WireChange, WireReference, WireValue},
};
use crate::SyncError;
use wadi_log::{Hash, LogId, RecordId, Reference};

/// Numbers from here on are times in milliseconds, if anything.
const TIME_LEAST: u64 = 100_000_000_000;

#[derive(Clone, Copy)]
enum NameList {
    Keys,
    Shapes,
}

impl ColumnStream {
    pub(super) fn change(
        &mut self,
        c: &mut impl BitCoder,
        forms: &impl Forms,
        at: (LogId, u64),
        given: &WireChange,
        wall_ms: i64,
    ) -> Result<(WireChange, RecordForm, Vec<HashForm>), SyncError> {
        c.begin(CostPart::References);
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
            c.begin(CostPart::References);
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
            let back = own_seq.wrapping_sub(seq);
            let back = self.columns.position(c, column("change.back"), back)?;
            return Ok((log, own_seq.wrapping_sub(back)));
        }

        let seq = self.columns.position(c, column("change.seq"), seq)?;
        Ok((log, seq))
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

        c.begin(CostPart::Hashes);
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
                    c.begin(CostPart::Texts);
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
                    c.begin(CostPart::Texts);
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
        c.begin(CostPart::Keys);
        let (names, name) = match table {
            NameList::Keys => (&mut self.keys, column("change.key")),
            NameList::Shapes => (&mut self.shapes, column("change.shape")),
        };
        let at = match given {
            None => LIST_END,
            Some(name) => match C::ENCODES {
                true => names.place_of(name).unwrap_or(NameTable::NEW),
                false => NameTable::NEW,
            },
        };
        let context = context_of(&[name, before]);
        let at = self.columns.choice(c, context, 8, at);
        if at == LIST_END {
            return Ok(None);
        }

        if at == NameTable::NEW {
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
        c.begin(CostPart::Numbers);
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
    pub(super) fn time(
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
}

/// The record that an entry begins.
pub(super) fn begins(log: &LogId, seq: u64, leaf: &[u8; 32]) -> [u8; 32] {
    let first = Reference {
        log: *log,
        seq,
        leaf: Hash(*leaf),
    };
    RecordId::of_first(&first).0
}
