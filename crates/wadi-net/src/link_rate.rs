//! The rate of one link: what this node has provisioned for it, and what the peer tells in its
//! `Hello`.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The least rate that is believed, bits a second: below it nothing would arrive before the idle
/// timeout.
const RATE_MIN_BITS_S: u64 = 8_000;
/// The largest rate that is believed of a peer alone. It bounds how far a window may grow; what it
/// must not shrink below has a bound of its own.
const TOLD_RATE_MAX_BITS_S: u64 = 100_000_000;

/// The rate of one connection's link. Its congestion controller reads it; clones share it.
#[derive(Clone, Debug, Default)]
pub struct LinkRate(Arc<KnownRates>);

/// Bits a second; 0 for not known.
#[derive(Debug, Default)]
struct KnownRates {
    provisioned: AtomicU64,
    told: AtomicU64,
}

impl LinkRate {
    /// A link of which this node knows the rate, bits a second.
    pub fn provisioned(bits_s: u64) -> Self {
        let rate = Self::default();
        rate.provision(bits_s);
        rate
    }

    /// This node has provisioned a rate, bits a second; 0 for not known. Whoever is called learns
    /// it with the caller's name.
    pub fn provision(&self, bits_s: u64) {
        let believed = if bits_s == 0 {
            0
        } else {
            bits_s.max(RATE_MIN_BITS_S)
        };
        self.0.provisioned.store(believed, Ordering::Relaxed);
    }

    /// The peer told the rate that it has provisioned, bits a second; 0 for not known.
    pub fn peer_told(&self, bits_s: u64) {
        let believed = if bits_s == 0 {
            0
        } else {
            bits_s.clamp(RATE_MIN_BITS_S, TOLD_RATE_MAX_BITS_S)
        };
        self.0.told.store(believed, Ordering::Relaxed);
    }

    /// What this node has provisioned itself, bits a second.
    pub fn provisioned_bits_s(&self) -> Option<u64> {
        let rate = self.0.provisioned.load(Ordering::Relaxed);
        (rate > 0).then_some(rate)
    }

    /// The smaller of what both know, bits a second.
    pub fn bits_s(&self) -> Option<u64> {
        let known = [&self.0.provisioned, &self.0.told];
        known
            .iter()
            .map(|rate| rate.load(Ordering::Relaxed))
            .filter(|rate| *rate > 0)
            .min()
    }
}
