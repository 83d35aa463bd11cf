//! Columns: each key's values for themselves, with what came before in the same column as the best
//! guess of what comes next.
//!
//! Every function here is written once for both ends (see [`BitCoder`]): it is given the value by
//! the end that has it, and returns it on both.

use super::{
    model::{LETTER_CONTEXTS, Model, context_of},
    range_coder::BitCoder,
};
use crate::SyncError;
use std::{collections::HashMap, sync::Arc};

/// Values that a column remembers, at most.
const REMEMBERED_MAX: usize = 256;
/// Values that all columns together remember before each keeps to a few.
const REMEMBERED_IN_ALL: usize = 4_096;
/// Values that a column remembers when all together have many.
const REMEMBERED_LEAST: usize = 16;
/// Bytes of a value that is remembered, at most.
const REMEMBERED_BYTES: usize = 64;
/// Columns of a stream at most; those beyond share one.
const COLUMNS_MAX: usize = 512;
/// What a text that is remembered takes beside its bytes, about, and what a column does.
const TEXT_BYTES: usize = 40;
const COLUMN_BYTES: usize = 192;
/// Letters behind which a text is no longer compared with the one that it resembles.
const ASTRAY_MAX: u32 = 8;
/// No text holds this letter: it ends one.
const END: u8 = 0;

/// Names a column. Two columns of one name share their guesses and nothing else.
pub(super) type ColumnId = u32;

/// The column of a name, and of a place within it.
pub(super) fn column_of(name: &[u8], part: u32) -> ColumnId {
    let hash = name.iter().fold(0x811c_9dc5u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    context_of(&[hash, part])
}

/// What is asked of a column, so that its guesses do not mix.
#[derive(Clone, Copy)]
enum Guess {
    Same = 1,
    Negative,
    Digits,
    Digit,
    Alike,
    Again,
    Known,
    Which,
    Resembles,
    Letter,
    Length,
    Bits,
    Bit,
}

/// What a column remembers.
#[derive(Clone, Default)]
struct ColumnMemory {
    texts: Vec<Box<[u8]>>,
    hashes: Vec<u32>,
    next: usize,
    /// The last text, cut to what is remembered.
    last: Box<[u8]>,
    last_number: i64,
    /// The column whose text in the same entry was the same as this one's.
    alike: Option<ColumnId>,
    /// What the last values were found by, two bits each.
    history: u32,
}

/// All columns of a stream, and what they expect.
#[derive(Clone)]
pub(super) struct Columns {
    model: Model,
    /// Shared with all streams that began with the dictionary, until one changes it.
    columns: HashMap<ColumnId, Arc<ColumnMemory>>,
    remembered: usize,
    /// Bytes of the columns that are this stream's own, about.
    own_bytes: usize,
    /// Texts of the entry at hand.
    entry: Vec<(ColumnId, Vec<u8>)>,
    /// Bytes that may still come out of the frame at hand.
    room: usize,
}

fn too_large() -> SyncError {
    SyncError::BadBlock("it inflates to more than a block may hold".into())
}

impl Columns {
    pub(super) fn new() -> Self {
        Self {
            model: Model::new(),
            columns: HashMap::new(),
            remembered: 0,
            own_bytes: 0,
            entry: Vec::new(),
            room: 0,
        }
    }

    /// Bytes that they take, about: what is shared with other streams counts nowhere.
    pub(super) fn held_bytes(&self) -> usize {
        Model::HELD_BYTES + self.own_bytes + self.columns.len() * COLUMN_BYTES
    }

    /// What was learned so far is shared with other streams from here on.
    pub(super) fn share_all(&mut self) {
        self.own_bytes = 0;
    }

    /// What was learned so far is a first guess from here on.
    pub(super) fn doubt(&mut self) {
        self.model.doubt();
    }

    /// Begins a frame, of which so many bytes may come.
    pub(super) fn begin_frame(&mut self, room: usize) {
        self.room = room;
        self.entry.clear();
    }

    /// Begins an entry.
    pub(super) fn begin_entry(&mut self) {
        self.entry.clear();
    }

    /// Takes up so much of what may still come, before anything is allocated for it.
    ///
    /// # Errors
    ///
    /// [`SyncError::BadBlock`] where there is not so much left.
    pub(super) fn take_room(&mut self, bytes: usize) -> Result<(), SyncError> {
        self.room = self.room.checked_sub(bytes).ok_or_else(too_large)?;
        Ok(())
    }

    /// Yes or no.
    pub(super) fn flag(
        &mut self,
        coder: &mut impl BitCoder,
        column: ColumnId,
        given: bool,
    ) -> bool {
        self.model.flag(coder, column, given)
    }

    /// A number of so many bits, all values of which are equally near.
    pub(super) fn choice(
        &mut self,
        coder: &mut impl BitCoder,
        column: ColumnId,
        bits: u32,
        given: u32,
    ) -> u32 {
        self.model.choice(coder, column, bits, given)
    }

    /// A whole number: as before, or digit by digit. Decimal digits, because what people weigh,
    /// count and time is round in them.
    pub(super) fn number(
        &mut self,
        coder: &mut impl BitCoder,
        column: ColumnId,
        given: i64,
    ) -> Result<i64, SyncError> {
        self.take_room(1)?;
        let of = |ask: Guess, more: u32| context_of(&[column, ask as u32, more]);
        let state = self.column(column);
        let (last, history) = (state.last_number, state.history & 0xf);
        let same = self
            .model
            .flag(coder, of(Guess::Same, history), given == last);

        self.column(column).history = history << 2 | u32::from(same);
        if same {
            return Ok(last);
        }

        let negative = self.model.flag(coder, of(Guess::Negative, 0), given < 0);
        let magnitude = given.unsigned_abs();
        let digits = magnitude.checked_ilog10().unwrap_or(0);
        let digits = self.model.choice(coder, of(Guess::Digits, 0), 5, digits) + 1;
        let mut read = 0u64;
        let mut before = 0;

        for place in (0..digits).rev() {
            let digit = (magnitude / 10u64.saturating_pow(place) % 10) as u32;
            // Digits behind the first two stand for themselves.
            let near = if digits - place <= 2 { before } else { 0 };
            let context = of(Guess::Digit, digits << 16 | place << 8 | near);
            before = self.model.choice(coder, context, 4, digit);
            read = read.wrapping_mul(10).wrapping_add(u64::from(before));
        }

        let number = match negative {
            true => (read as i64).wrapping_neg(),
            false => read as i64,
        };
        self.column(column).last_number = number;
        Ok(number)
    }

    /// A number of which the first bits tell something, and the rest nothing: a position.
    pub(super) fn position(
        &mut self,
        coder: &mut impl BitCoder,
        column: ColumnId,
        given: u64,
    ) -> Result<u64, SyncError> {
        self.take_room(1)?;
        let of = |ask: Guess, more: u32| context_of(&[column, ask as u32, more]);
        let bits = 64 - given.leading_zeros();
        let bits = self.model.choice(coder, of(Guess::Bits, 0), 7, bits);
        if bits > 64 {
            return Err(SyncError::BadBlock("a number of more than 64 bits".into()));
        }

        let mut read = u64::from(bits > 0);
        for place in (0..bits.saturating_sub(1)).rev() {
            // Two bits behind the first are expected by those before them.
            let near = if bits - place <= 3 { read as u32 } else { 0 };
            let context = of(Guess::Bit, bits << 16 | place << 8 | near);
            let bit = self.model.flag(coder, context, given >> place & 1 == 1);
            read = read << 1 | u64::from(bit);
        }

        Ok(read)
    }

    /// A text without a zero byte: one that stands in this entry already, the last of this column,
    /// one of those before, or letter by letter. `like` is a text that it may resemble.
    pub(super) fn text(
        &mut self,
        coder: &mut impl BitCoder,
        column: ColumnId,
        given: &[u8],
        like: Option<&[u8]>,
    ) -> Result<Vec<u8>, SyncError> {
        let found = self.known_text(coder, column, given)?;
        let is_new = found.is_none();
        let text = match found {
            Some(text) => text,
            None => self.letters(coder, column, given, like, None)?,
        };

        if is_new {
            self.remember(column, &text);
        }

        let alike = match text.len() {
            0..3 => None,
            _ => self.entry.iter().find(|(_, t)| *t == text).map(|(c, _)| *c),
        };
        let state = self.column(column);
        state.alike = alike.or(state.alike);
        state.last = text[..text.len().min(REMEMBERED_BYTES)].into();
        self.entry.push((column, text.clone()));
        Ok(text)
    }

    /// A text that was said before, taken from there.
    fn known_text<C: BitCoder>(
        &mut self,
        coder: &mut C,
        column: ColumnId,
        given: &[u8],
    ) -> Result<Option<Vec<u8>>, SyncError> {
        self.take_room(1)?;
        let of = |ask: Guess, more: u32| context_of(&[column, ask as u32, more]);
        let state = self.column(column);
        let (history, alike) = (state.history & 0xf, state.alike);
        let alike = alike.and_then(|of| self.entry.iter().find(|(c, _)| *c == of));
        let mut found = None;
        let mut by = 0;

        if let Some((_, other)) = alike
            && self
                .model
                .flag(coder, of(Guess::Alike, history & 0xf), other == given)
        {
            found = Some(other.clone());
            by = 1;
        }

        let known = self.known_column(column);
        let state = Arc::make_mut(self.columns.entry(known).or_default());
        if found.is_none() && !state.texts.is_empty() {
            let last = &state.last;
            let again = last.len() < REMEMBERED_BYTES;
            if again
                && self
                    .model
                    .flag(coder, of(Guess::Again, history), **last == *given)
            {
                found = Some(last.to_vec());
                by = 2;
            } else {
                let at = if C::ENCODES {
                    state.place_of(given)
                } else {
                    None
                };
                if self
                    .model
                    .flag(coder, of(Guess::Known, history), at.is_some())
                {
                    let at = at.unwrap_or(0) as u32;
                    let at = self.model.choice(coder, of(Guess::Which, 0), 8, at);
                    let text = state.texts.get(at as usize);
                    let text = text.ok_or_else(|| {
                        SyncError::BadBlock("it names a value that was never said".into())
                    })?;
                    found = Some(text.to_vec());
                    by = 3;
                }
            }
        }

        state.history = history << 2 | by;
        if let Some(text) = &found {
            self.take_room(text.len())?;
        }
        Ok(found)
    }

    /// Bytes of any kind, which are seldom the same twice.
    pub(super) fn bytes(
        &mut self,
        coder: &mut impl BitCoder,
        column: ColumnId,
        given: &[u8],
    ) -> Result<Vec<u8>, SyncError> {
        let length = context_of(&[column, Guess::Length as u32]);
        let count = self.number(coder, length, given.len() as i64)?;
        let count = usize::try_from(count).map_err(|_| too_large())?;
        if count > self.room {
            return Err(too_large());
        }

        let bytes = self.letters(coder, column, given, None, Some(count))?;
        self.column(column).last = bytes[..count.min(REMEMBERED_BYTES)].into();
        Ok(bytes)
    }

    /// A text letter by letter, to its end or to so many of them.
    fn letters(
        &mut self,
        coder: &mut impl BitCoder,
        column: ColumnId,
        given: &[u8],
        like: Option<&[u8]>,
        count: Option<usize>,
    ) -> Result<Vec<u8>, SyncError> {
        let last = std::mem::take(&mut self.column(column).last);
        let mut text = Vec::new();
        let mut like = like.filter(|l| !l.is_empty());
        let (mut at, mut hits, mut astray) = (0, 1u32, 0);
        let mut word = 0u32;

        while count != Some(text.len()) {
            self.take_room(1)?;
            let letter = given.get(text.len()).copied().unwrap_or(END);
            if let Some(other) = like {
                let expected = other.get(at).copied().unwrap_or(END);
                let place = text.len().min(15) as u32;
                let length = other.len().min(63) as u32;
                let context =
                    context_of(&[column, Guess::Resembles as u32, place, hits & 3, length]);
                let resembles = self.model.flag(coder, context, letter == expected);

                hits = hits << 1 | u32::from(resembles);
                if resembles {
                    if expected == END {
                        break;
                    }
                    astray = 0;
                    at += 1;
                    word = next_word(word, expected);
                    text.push(expected);
                    continue;
                }
            }

            let contexts = letter_contexts(column, &text, word, &last);
            // A place in a text of one form has letters of one kind.
            let set = context_of(&[column, text.len().min(11) as u32]);
            let letter = self.model.letter(coder, &contexts, set, letter);
            if letter == END && count.is_none() {
                break;
            }

            if let Some(other) = like {
                if other.get(at + 1) == Some(&letter) {
                    at += 2;
                }
                astray += 1;
                if astray > ASTRAY_MAX {
                    like = None;
                }
            }
            word = next_word(word, letter);
            text.push(letter);
        }

        Ok(text)
    }

    fn remember(&mut self, column: ColumnId, text: &[u8]) {
        if text.len() > REMEMBERED_BYTES {
            return;
        }

        let most = match self.remembered {
            0..REMEMBERED_IN_ALL => REMEMBERED_MAX,
            _ => REMEMBERED_LEAST,
        };
        let state = self.column(column);
        let hash = text_hash(text);
        if state.texts.len() < most {
            state.texts.push(text.into());
            state.hashes.push(hash);
            self.remembered += 1;
            self.own_bytes += TEXT_BYTES + text.len();
            return;
        }

        let at = state.next % state.texts.len();
        let before = std::mem::replace(&mut state.texts[at], text.into());
        state.hashes[at] = hash;
        state.next = at + 1;
        self.own_bytes = (self.own_bytes + text.len()).saturating_sub(before.len());
    }

    fn known_column(&self, column: ColumnId) -> ColumnId {
        match self.columns.len() < COLUMNS_MAX || self.columns.contains_key(&column) {
            true => column,
            false => 0,
        }
    }

    fn column(&mut self, column: ColumnId) -> &mut ColumnMemory {
        let known = self.known_column(column);
        let memory = self.columns.entry(known).or_default();
        // What was shared is copied now.
        if Arc::strong_count(memory) > 1 {
            self.own_bytes += memory.held_bytes();
        }
        Arc::make_mut(memory)
    }
}

impl ColumnMemory {
    fn held_bytes(&self) -> usize {
        let texts = self.texts.iter().map(|text| text.len() + TEXT_BYTES);
        size_of::<Self>() + texts.sum::<usize>()
    }

    fn place_of(&self, text: &[u8]) -> Option<usize> {
        let hash = text_hash(text);
        let all = self.hashes.iter().zip(&self.texts);
        all.enumerate()
            .find(|(_, (h, t))| **h == hash && ***t == *text)
            .map(|(at, _)| at)
    }
}

fn text_hash(text: &[u8]) -> u32 {
    column_of(text, 0)
}

fn next_word(word: u32, letter: u8) -> u32 {
    match letter {
        b' ' | b'.' | b',' | b'"' | b':' => 0,
        _ => (word ^ u32::from(letter)).wrapping_mul(0x0100_0193) ^ 0x5bd1,
    }
}

/// What a letter is expected from: its place in the column, the letters before it in the column and
/// anywhere, the word that it belongs to, and what stood in its place last.
fn letter_contexts(
    column: ColumnId,
    text: &[u8],
    word: u32,
    last: &[u8],
) -> [u32; LETTER_CONTEXTS] {
    let back = |n: usize| {
        let at = text.len().checked_sub(n);
        at.map_or(0x100, |at| u32::from(text[at]))
    };
    let place = text.len().min(24) as u32;
    let ask = Guess::Letter as u32;
    let over = last.get(text.len()).map_or(0x100, |l| u32::from(*l));

    [
        context_of(&[column, ask, 0, place]),
        context_of(&[column, ask, 1, back(1)]),
        context_of(&[column, ask, 2, back(1), back(2)]),
        context_of(&[ask, 3, back(1), back(2), back(3)]),
        context_of(&[ask, 4, word, back(1)]),
        context_of(&[column, ask, 5, over, back(1)]),
    ]
}
