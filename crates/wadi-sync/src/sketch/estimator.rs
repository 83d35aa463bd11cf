//! About how many positions of two rows differ, from a few hundred bytes: an estimator in strata.
//!
//! Each stratum samples a quarter of the positions of the one before and keeps a parity a bit: each
//! position flips the bit that it and its hash choose. A position that differs flips one bit here
//! and another one there, so of two parities as many bits differ as two for each difference, less
//! those that fell together (Mitzenmacher, Pagh and Pham, "Efficient Estimation for High
//! Similarities using Odd Sketches", WWW 2014; strata as in Eppstein et al., SIGCOMM 2011).

use super::mix;

/// Bits of a stratum.
const STRATUM_BITS: u64 = 512;
const STRATUM_BYTES: usize = (STRATUM_BITS / 8) as usize;
/// Positions that a stratum samples on average at most, where all of them differ: a row has as many
/// strata as come to that.
const LAST_SAMPLES_MAX: u64 = 256;
/// Of two parities bits that differ at most, as a share, for a stratum to be heeded: what is fuller
/// says little.
const DIFFERING_SHARE_MAX: f64 = 0.4;
/// How many standard deviations an estimate is taken to be off at most.
const DEVIATIONS: f64 = 3.0;

/// Parities of one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Estimator {
    salt: u64,
    strata: Vec<[u8; STRATUM_BYTES]>,
}

/// How many strata a row of so many positions has.
fn strata_of(positions: u64) -> usize {
    let (mut strata, mut samples) = (1, positions);
    while samples > LAST_SAMPLES_MAX {
        samples /= 4;
        strata += 1;
    }

    strata
}

/// Bytes of an estimator over so many positions.
pub(crate) fn estimator_bytes(positions: u64) -> usize {
    strata_of(positions) * STRATUM_BYTES
}

impl Estimator {
    /// Over a row of so many positions.
    pub(crate) fn new(salt: u64, positions: u64) -> Self {
        Self {
            salt: mix(salt, u64::from_be_bytes(*b"estimate")),
            strata: vec![[0; STRATUM_BYTES]; strata_of(positions)],
        }
    }

    pub(crate) fn add(&mut self, position: u64, value: u64) {
        // The same position is sampled by both, whatever its hash is.
        let through = (mix(self.salt, position).trailing_zeros() / 2) as usize;
        let bit = mix(self.salt ^ (value << 32), position) % STRATUM_BITS;
        for stratum in self.strata.iter_mut().take(through + 1) {
            stratum[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
    }

    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        self.strata.iter().for_each(|stratum| out.extend(stratum));
    }

    /// How many positions differ from the row of which this is the estimator, at most: the estimate
    /// and a few standard deviations. Nothing where more differ than can be told.
    pub(crate) fn differences_at_most(&self, theirs: &[u8]) -> Option<f64> {
        for (number, (mine, theirs)) in self
            .strata
            .iter()
            .zip(theirs.as_chunks::<STRATUM_BYTES>().0)
            .enumerate()
        {
            let differing: u32 = mine
                .iter()
                .zip(theirs)
                .map(|(a, b)| (a ^ b).count_ones())
                .sum();
            let share = f64::from(differing) / STRATUM_BITS as f64;
            if share <= DIFFERING_SHARE_MAX {
                return Some(at_most(share, number as i32));
            }
        }

        None
    }
}

/// An estimate out of the share of bits that differ in a stratum, and what it may be off.
fn at_most(share: f64, stratum: i32) -> f64 {
    let (bits, of_sampled) = (STRATUM_BITS as f64, 4f64.powi(-stratum));
    // Two elements a difference fell into the bits, `load` a bit.
    let load = -0.5 * (1.0 - 2.0 * share).ln();
    let sampled = load * bits / 2.0;

    let spread = (-4.0 * load).exp();
    let of_bits = bits / 4.0 * (1.0 - spread * (1.0 + 4.0 * load));
    let of_parity = of_bits * (4.0 * load).exp() / 4.0;
    let of_sampling = sampled * (1.0 - of_sampled);
    let off = (of_parity + of_sampling).max(0.0).sqrt();

    (sampled + DEVIATIONS * off) / of_sampled
}
