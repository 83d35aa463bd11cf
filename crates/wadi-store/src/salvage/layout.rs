//! What a row is, by the kinds of its columns.

use super::{ROW_BYTES_MAX, pages::varint};
use CellKind::{Blob, Int, Text};
use wadi_log::LogId;

/// Columns at most of a row that is looked for.
pub(super) const COLUMNS_MAX: usize = 6;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CellKind {
    Int,
    Text,
    Blob(usize),
    Other,
}

/// A row's columns: what they are, and where in the row they stand.
pub(super) struct Layout {
    pub(super) kinds: Vec<CellKind>,
    pub(super) spans: Vec<(u64, usize, usize)>,
}

impl Layout {
    /// Reads a row's header.
    pub(super) fn of(row: &[u8]) -> Option<Self> {
        let (header, mut at) = varint(row, 0)?;
        let end = usize::try_from(header)
            .ok()
            .filter(|end| *end <= row.len())?;
        let mut start = end;
        let (mut kinds, mut spans) = (
            Vec::with_capacity(COLUMNS_MAX),
            Vec::with_capacity(COLUMNS_MAX),
        );

        while at < end {
            let (serial, next) = varint(row, at)?;
            let bytes = match serial {
                0 | 8 | 9 => 0,
                1..=4 => serial as usize,
                5 => 6,
                6 | 7 => 8,
                10 | 11 => return None,
                _ => usize::try_from((serial - 12) / 2).ok()?,
            };

            if kinds.len() == COLUMNS_MAX || bytes > ROW_BYTES_MAX {
                return None;
            }

            kinds.push(match serial {
                1..=6 | 8 | 9 => Int,
                0 | 7 => CellKind::Other,
                _ if serial.is_multiple_of(2) => Blob(bytes),
                _ => Text,
            });

            spans.push((serial, start, start + bytes));
            (start, at) = (start + bytes, next);
        }

        (at == end).then_some(Self { kinds, spans })
    }

    pub(super) fn bytes<'r>(&self, row: &'r [u8], column: usize) -> Option<&'r [u8]> {
        let (_, start, end) = *self.spans.get(column)?;
        row.get(start..end)
    }

    pub(super) fn int(&self, row: &[u8], column: usize) -> Option<i64> {
        let bytes = self.bytes(row, column)?;
        match self.spans.get(column)?.0 {
            8 => Some(0),
            9 => Some(1),
            _ => {
                let sign = if bytes.first()? & 0x80 == 0 { 0 } else { -1 };
                Some(
                    bytes
                        .iter()
                        .fold(sign, |value: i64, byte| (value << 8) | i64::from(*byte)),
                )
            }
        }
    }

    pub(super) fn log(&self, row: &[u8]) -> Option<LogId> {
        LogId::from_slice(self.bytes(row, 0)?).ok()
    }

    pub(super) fn is_entry(&self) -> bool {
        matches!(
            self.kinds[..],
            [Blob(LogId::BYTES), Int, Blob(32), Blob(_), Int, Int]
        )
    }
}
