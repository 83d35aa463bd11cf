//! What the coder expects: predictions of single bits, which learn from what has come, and the
//! numbers, choices and letters that are made of them.
//!
//! All of it is whole numbers, so that two machines of different makes expect the same.

use super::range_coder::BitCoder;
use std::sync::OnceLock;

/// Predictions of numbers, choices and flags: 256 KiB.
const SLOTS_LOG2: u32 = 16;
/// Predictions of letters: 512 KiB, in lines of half a letter each.
const LETTER_SLOTS_LOG2: u32 = 17;
/// Places of a line. The first holds the context that the line is of.
const LINE: usize = 16;
/// A prediction is an average over the last so many bits, about.
const COUNT_MAX: u32 = 255;
/// What was learned from the dictionary counts for so many bits at most: a stream that is otherwise
/// soon goes its own way.
const PRIMED_COUNT_MAX: u32 = 30;
/// Bits of a probability within a slot, above those of the count.
const SLOT_SHIFT: u32 = 10;
/// A prediction is never surer than this, of 65,536.
const SUREST: u32 = 24;

/// Contexts from which a letter is expected.
pub(super) const LETTER_CONTEXTS: usize = 6;
/// Sets of weights by which these are mixed.
const WEIGHT_SETS: usize = 1_024;
/// One, in a weight.
const WEIGHT_ONE: i32 = 1 << 16;
/// How fast weights follow.
const WEIGHT_RATE: i32 = 10;

/// A probability of 22 bits and a count of 10.
type BitSlot = u32;
const UNKNOWN: BitSlot = 1 << 31;
/// Bytes of all slots, and of all weights.
const SLOTS_BYTES: usize = ((1 << SLOTS_LOG2) + (1 << LETTER_SLOTS_LOG2)) * size_of::<BitSlot>();
const WEIGHTS_BYTES: usize = WEIGHT_SETS * size_of::<[i32; LETTER_CONTEXTS]>();

fn ones_of(slot: BitSlot) -> u32 {
    (slot >> 16).clamp(SUREST, 65_536 - SUREST)
}

/// What is looked up for each bit.
struct Tables {
    /// Shares by which the n-th bit moves a probability, of 65,536.
    shares: [i64; COUNT_MAX as usize + 1],
    /// ln(p / (1 - p)) of a probability of 12 bits, 8 bits behind the point.
    stretched: [i16; 4_096],
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut stretched = [2_047i16; 4_096];
        let mut next = 0;
        for x in -2_047..=2_047 {
            let upto = squash(x);
            for at in next..=upto {
                stretched[at as usize] = x as i16;
            }
            next = next.max(upto + 1);
        }

        Tables {
            shares: std::array::from_fn(|n| 65_536 * 10 / (n as i64 * 10 + 15)),
            stretched,
        }
    })
}

fn learn(slot: &mut BitSlot, bit: bool, tables: &Tables) {
    let count = *slot & ((1 << SLOT_SHIFT) - 1);
    let probability = i64::from(*slot >> SLOT_SHIFT);
    let goal = if bit { (1 << 22) - 1 } else { 0 };
    let moved = probability + (((goal - probability) * tables.shares[count as usize]) >> 16);
    *slot = (moved as u32) << SLOT_SHIFT | (count + 1).min(COUNT_MAX);
}

/// The probability, of 4,096, whose ln(p / (1 - p)) this is, 8 bits behind the point.
fn squash(x: i32) -> i32 {
    const KNOTS: [i32; 33] = [
        1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1_101, 1_546, 2_047, 2_549, 2_994,
        3_348, 3_607, 3_785, 3_901, 3_975, 4_024, 4_050, 4_068, 4_079, 4_085, 4_089, 4_092, 4_093,
        4_094,
    ];
    if x > 2_047 {
        return 4_095;
    }
    if x < -2_047 {
        return 0;
    }

    let weight = x & 127;
    let at = ((x >> 7) + 16) as usize;
    (KNOTS[at] * (128 - weight) + KNOTS[at + 1] * weight + 64) >> 7
}

/// Where the line of a context begins: one of two places, of which the less known is given up where
/// neither is the context's.
fn line_of(letters: &mut [BitSlot], context: u32) -> usize {
    let first = (context as usize * LINE) & ((1 << LETTER_SLOTS_LOG2) - 1);
    let second = first ^ LINE;
    for line in [first, second] {
        if letters[line] == context {
            return line;
        }
    }

    let known = |line: usize| letters[line + 1] & ((1 << SLOT_SHIFT) - 1);
    let line = if known(first) <= known(second) {
        first
    } else {
        second
    };
    letters[line..line + LINE].fill(UNKNOWN);
    letters[line] = context;
    line
}

/// Mixes words into one that names a context.
pub(super) fn context_of(words: &[u32]) -> u32 {
    let mut hash = 0x9e37_79b9u32;
    for word in words {
        hash = (hash ^ word).wrapping_mul(0x85eb_ca6b);
        hash ^= hash >> 15;
        hash = hash.wrapping_mul(0xc2b2_ae35);
        hash ^= hash >> 13;
    }
    hash
}

/// All predictions of a stream.
#[derive(Clone)]
pub(super) struct Model {
    tables: &'static Tables,
    slots: Vec<BitSlot>,
    letters: Vec<BitSlot>,
    weights: Vec<[i32; LETTER_CONTEXTS]>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            tables: tables(),
            slots: vec![UNKNOWN; 1 << SLOTS_LOG2],
            letters: vec![UNKNOWN; 1 << LETTER_SLOTS_LOG2],
            weights: vec![[WEIGHT_ONE * 3 / 10; LETTER_CONTEXTS]; WEIGHT_SETS],
        }
    }

    /// Bytes that the predictions of a stream take; they neither grow nor shrink.
    pub(super) const HELD_BYTES: usize = SLOTS_BYTES + WEIGHTS_BYTES;

    /// Takes what was learned so far as a first guess.
    pub(super) fn doubt(&mut self) {
        let lines = self.letters.chunks_exact_mut(LINE);
        for slot in lines.flat_map(|l| &mut l[1..]).chain(&mut self.slots) {
            let count = *slot & ((1 << SLOT_SHIFT) - 1);
            *slot = *slot - count + count.min(PRIMED_COUNT_MAX);
        }
    }

    /// A bit as expected in a context.
    pub(super) fn flag(&mut self, coder: &mut impl BitCoder, context: u32, given: bool) -> bool {
        self.bit_at(coder, context, given)
    }

    fn bit_at(&mut self, coder: &mut impl BitCoder, place: u32, given: bool) -> bool {
        let slot = &mut self.slots[place as usize & ((1 << SLOTS_LOG2) - 1)];
        let bit = coder.bit(ones_of(*slot), given);
        learn(slot, bit, self.tables);
        bit
    }

    /// A number of so many bits, the highest first, each as expected behind those before it.
    pub(super) fn choice(
        &mut self,
        coder: &mut impl BitCoder,
        context: u32,
        bits: u32,
        given: u32,
    ) -> u32 {
        let mut node = 1;
        for n in (0..bits).rev() {
            let bit = self.bit_at(coder, context.wrapping_add(node), given >> n & 1 == 1);
            node = node << 1 | u32::from(bit);
        }

        node - (1 << bits)
    }

    /// A letter, expected from several contexts; how far each is trusted is learned in a set.
    pub(super) fn letter(
        &mut self,
        coder: &mut impl BitCoder,
        contexts: &[u32; LETTER_CONTEXTS],
        set: u32,
        given: u8,
    ) -> u8 {
        let weights = &mut self.weights[set as usize % WEIGHT_SETS];
        let tables = self.tables;
        let mut node = 1u32;

        let mut lines = [0; LETTER_CONTEXTS];

        for n in (0..8).rev() {
            if n % 4 == 3 {
                lines = contexts.map(|c| line_of(&mut self.letters, context_of(&[c, node])));
            }
            let within = if n >= 4 {
                node
            } else {
                node & (0xf >> (n + 1)) | 1 << (3 - n)
            };
            let places = lines.map(|line| line + within as usize);
            let votes =
                places.map(|at| i32::from(tables.stretched[self.letters[at] as usize >> 20]));
            let sum: i64 = votes
                .iter()
                .zip(weights.iter())
                .map(|(vote, weight)| i64::from(*vote) * i64::from(*weight))
                .sum();

            let expected = squash((sum >> 16).clamp(-2_047, 2_047) as i32);
            let ones = (expected as u32 * 16 + 8).clamp(SUREST, 65_536 - SUREST);
            let bit = coder.bit(ones, given >> n & 1 == 1);
            let error = ((i32::from(bit) << 12) - expected) * WEIGHT_RATE;

            for (weight, vote) in weights.iter_mut().zip(votes) {
                *weight = weight.saturating_add((vote * error + 0x2000) >> 14);
            }
            for at in places {
                learn(&mut self.letters[at], bit, tables);
            }
            node = node << 1 | u32::from(bit);
        }

        node as u8
    }
}
