//! A binary range coder: each bit costs what its prediction makes it worth, and a frame ends within
//! two bytes of that. Zstd needs about twelve bytes a frame before it says anything.
//!
//! The coded part grows from the front of a frame. Bytes that nothing predicts (signatures, hashes)
//! lie at its end, backwards from the last one, so that neither part needs a length.

use crate::SyncError;

/// Bits of a prediction.
pub(super) const PREDICTION_BITS: u32 = 16;

/// One end of the coder. What is coded is written once, for both ends: it hands in what it has and
/// goes on with what comes out, which the decoding end reads in its place.
pub(super) trait BitCoder {
    /// Whether this end has the values. The other end hands in anything.
    const ENCODES: bool;

    /// What comes next belongs to a part, for whoever measures.
    fn begin(&mut self, _: CostPart) {}

    /// One bit, which is 1 with a probability of `ones` of 65,536.
    fn bit(&mut self, ones: u32, given: bool) -> bool;

    /// So many bytes that nothing predicts.
    ///
    /// # Errors
    ///
    /// [`SyncError::BadBlock`] where the frame does not hold so many.
    fn raw(&mut self, given: &[u8], count: usize) -> Result<Vec<u8>, SyncError>;
}

/// What bytes are spent on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CostPart {
    /// Where a block stands, and what its checkpoint says.
    Blocks,
    /// Signatures of checkpoints.
    Signatures,
    /// Hashes that do not follow from what the receiver holds.
    Hashes,
    /// Kind, officer, department, device.
    Authors,
    /// The author's clock, and when it happened.
    Times,
    /// Which records and entries are built upon.
    References,
    /// Keys of fields, types and members of events.
    Keys,
    /// Whole numbers.
    Numbers,
    /// Texts.
    Texts,
    /// Bodies of kinds that have no columns, and what is said word for word.
    Others,
}

impl CostPart {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Blocks,
        Self::Signatures,
        Self::Hashes,
        Self::Authors,
        Self::Times,
        Self::References,
        Self::Keys,
        Self::Numbers,
        Self::Texts,
        Self::Others,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Signatures => "signatures",
            Self::Hashes => "hashes",
            Self::Authors => "authors",
            Self::Times => "times",
            Self::References => "references",
            Self::Keys => "keys",
            Self::Numbers => "numbers",
            Self::Texts => "texts",
            Self::Others => "others",
        }
    }
}

/// Counts what each part costs, in bits; it writes nothing.
pub(super) struct CostCounter {
    part: CostPart,
    pub(super) bits: [f64; CostPart::ALL.len()],
}

impl CostCounter {
    pub(super) fn new() -> Self {
        Self {
            part: CostPart::Blocks,
            bits: [0.0; CostPart::ALL.len()],
        }
    }
}

impl BitCoder for CostCounter {
    const ENCODES: bool = true;

    fn begin(&mut self, part: CostPart) {
        self.part = part;
    }

    fn bit(&mut self, ones: u32, given: bool) -> bool {
        let ones = f64::from(ones) / f64::from(1u32 << PREDICTION_BITS);
        let likely = if given { ones } else { 1.0 - ones };
        self.bits[self.part as usize] -= likely.log2();
        given
    }

    fn raw(&mut self, given: &[u8], count: usize) -> Result<Vec<u8>, SyncError> {
        self.bits[self.part as usize] += 8.0 * count as f64;
        Ok(given.to_vec())
    }
}

/// Splits an interval; what lies below is a 1. The result lies in `low..high`.
fn split(low: u64, high: u64, ones: u32) -> u64 {
    low + ((high - low) >> PREDICTION_BITS) * u64::from(ones)
}

/// Whether the first bytes of both are the same: that byte is settled.
fn is_settled(low: u64, high: u64) -> bool {
    (low ^ high) >> 56 == 0
}

/// Writes a frame.
pub(super) struct RangeEncoder {
    low: u64,
    high: u64,
    front: Vec<u8>,
    back: Vec<u8>,
}

impl RangeEncoder {
    pub(super) fn new() -> Self {
        Self {
            low: 0,
            high: u64::MAX,
            front: Vec::new(),
            back: Vec::new(),
        }
    }

    /// The frame: the fewest bytes that say which interval is meant, whatever follows them, and the
    /// raw bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        for count in 0..=8u32 {
            let free = u64::MAX.checked_shr(8 * count).unwrap_or(0);
            let first = self.low.checked_add(free).map(|sum| sum & !free);
            if let Some(first) = first
                && first | free <= self.high
            {
                self.front.extend(&first.to_be_bytes()[..count as usize]);
                break;
            }
        }

        self.front.extend(self.back.iter().rev());
        self.front
    }
}

impl BitCoder for RangeEncoder {
    const ENCODES: bool = true;

    fn bit(&mut self, ones: u32, given: bool) -> bool {
        let middle = split(self.low, self.high, ones);
        if given {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }

        while is_settled(self.low, self.high) {
            self.front.push((self.low >> 56) as u8);
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
        }

        given
    }

    fn raw(&mut self, given: &[u8], count: usize) -> Result<Vec<u8>, SyncError> {
        debug_assert_eq!(given.len(), count);
        self.back.extend(given);
        Ok(given.to_vec())
    }
}

/// Reads a frame.
pub(super) struct RangeDecoder<'a> {
    low: u64,
    high: u64,
    value: u64,
    bytes: &'a [u8],
    at: usize,
    /// Where the raw bytes begin that were not read yet.
    back: usize,
}

impl<'a> RangeDecoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut this = Self {
            low: 0,
            high: u64::MAX,
            value: 0,
            bytes,
            at: 0,
            back: bytes.len(),
        };
        for _ in 0..8 {
            this.value = this.value << 8 | u64::from(this.next_byte());
        }

        this
    }

    /// Past the end there are zeros: the last bytes of the coded part say the same, whatever
    /// follows.
    fn next_byte(&mut self) -> u8 {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        byte
    }
}

impl BitCoder for RangeDecoder<'_> {
    const ENCODES: bool = false;

    fn bit(&mut self, ones: u32, _: bool) -> bool {
        let middle = split(self.low, self.high, ones);
        let bit = self.value <= middle;
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }

        while is_settled(self.low, self.high) {
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
            self.value = self.value << 8 | u64::from(self.next_byte());
        }

        bit
    }

    fn raw(&mut self, _: &[u8], count: usize) -> Result<Vec<u8>, SyncError> {
        let from = self
            .back
            .checked_sub(count)
            .ok_or_else(|| SyncError::BadBlock("it ends within its raw bytes".into()))?;

        let bytes = self.bytes[from..self.back].iter().rev().copied().collect();
        self.back = from;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_raw_bytes_come_back_and_cost_what_they_are_worth() {
        let bits: Vec<(u32, bool)> = (0..4_000u32)
            .map(|n| {
                let ones = [1, 655, 32_768, 65_000, 65_535][n as usize % 5];
                (ones, (n.wrapping_mul(2_654_435_761) >> 16) < ones)
            })
            .collect();

        let mut encoder = RangeEncoder::new();
        for (n, (ones, bit)) in bits.iter().enumerate() {
            encoder.bit(*ones, *bit);
            if n % 1_000 == 0 {
                encoder.raw(&[n as u8, 2, 3], 3).unwrap();
            }
        }

        let frame = encoder.finish();
        let worth: f64 = bits
            .iter()
            .map(|(ones, bit)| {
                let p = f64::from(*ones) / 65_536.0;
                -(if *bit { p } else { 1.0 - p }).log2()
            })
            .sum();
        let most = worth / 8.0 + 12.0 + 2.0;
        assert!((frame.len() as f64) < most, "{} of {most}", frame.len());

        let mut decoder = RangeDecoder::new(&frame);
        for (n, (ones, bit)) in bits.iter().enumerate() {
            assert_eq!(decoder.bit(*ones, false), *bit);
            if n % 1_000 == 0 {
                assert_eq!(decoder.raw(&[], 3).unwrap(), [n as u8, 2, 3]);
            }
        }
    }

    #[test]
    fn an_end_is_found_whatever_follows() {
        for after in [0x00, 0x7f, 0xff] {
            for count in 0..200 {
                let mut encoder = RangeEncoder::new();
                let bit = |n: usize| n.is_multiple_of(3) || n.is_multiple_of(7);
                for n in 0..count {
                    encoder.bit(20_000, bit(n));
                }

                let mut frame = encoder.finish();
                frame.extend([after; 9]);
                let mut decoder = RangeDecoder::new(&frame);
                for n in 0..count {
                    assert_eq!(decoder.bit(20_000, false), bit(n), "{n} of {count}");
                }
            }
        }
    }
}
