//! Which packets the radio loses: each for itself, or in bursts after Gilbert and Elliott.

use rand::{RngExt, rngs::StdRng};

/// How packets are lost on one way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PacketLoss {
    /// Each packet for itself, with this probability below 1.
    Independent(f64),
    /// A way that is good or bad, and changes with time (Gilbert 1960, Elliott 1963). The time is
    /// counted in what a full packet takes at the way's rate, sent or not: a fade passes while
    /// nobody sends.
    Bursty {
        /// Probability that a good way turns bad within a packet's time.
        to_bad: f64,
        /// Probability that a bad way turns good within a packet's time.
        to_good: f64,
        /// Probability that a packet is lost while the way is good.
        lost_if_good: f64,
        /// Probability that a packet is lost while the way is bad.
        lost_if_bad: f64,
    },
}

impl PacketLoss {
    /// Nothing is lost.
    pub const NONE: Self = Self::Independent(0.0);

    /// Bursts in which every packet is lost, so long on the mean, that take this share (below 1) of
    /// all packets.
    pub fn bursts(share: f64, packets: f64) -> Self {
        let to_good = 1.0 / packets.max(1.0);
        // Of a chain with these transitions, to_bad / (to_bad + to_good) is the share of the bad.
        let to_bad = (share * to_good / (1.0 - share)).min(1.0);

        Self::Bursty {
            to_bad,
            to_good,
            lost_if_good: 0.0,
            lost_if_bad: 1.0,
        }
    }

    /// The share of packets that is lost in the long run.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Independent(share) => share,
            Self::Bursty {
                to_bad,
                to_good,
                lost_if_good,
                lost_if_bad,
            } => {
                let bad = match to_bad + to_good {
                    0.0 => 0.0,
                    both => to_bad / both,
                };
                bad * lost_if_bad + (1.0 - bad) * lost_if_good
            }
        }
    }
}

/// The state of one way: what was lost last bears on what is lost next.
#[derive(Debug, Default)]
pub(crate) struct LossState {
    is_bad: bool,
}

impl LossState {
    /// Whether the next packet is lost, which comes so many packets' times after the one before. As
    /// many draws are made whatever comes of them, so that one seed gives one fate.
    pub(crate) fn next_is_lost(
        &mut self,
        loss: &PacketLoss,
        packets: f64,
        rng: &mut StdRng,
    ) -> bool {
        match *loss {
            PacketLoss::Independent(share) => rng.random_bool(share),
            PacketLoss::Bursty {
                to_bad,
                to_good,
                lost_if_good,
                lost_if_bad,
            } => {
                // What is left of the present state fades as its powers do.
                let kept = (1.0 - to_bad - to_good).max(0.0).powf(packets);
                let bad = match to_bad + to_good {
                    0.0 => 0.0,
                    both => to_bad / both,
                };
                let is_bad = f64::from(u8::from(self.is_bad));
                self.is_bad = rng.random_bool((bad + (is_bad - bad) * kept).clamp(0.0, 1.0));
                rng.random_bool(if self.is_bad {
                    lost_if_bad
                } else {
                    lost_if_good
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn fate(loss: PacketLoss, seed: u64) -> Vec<bool> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut state = LossState::default();
        (0..100_000)
            .map(|_| state.next_is_lost(&loss, 1.0, &mut rng))
            .collect()
    }

    #[test]
    fn a_fade_passes_while_nobody_sends() {
        let loss = PacketLoss::bursts(0.1, 100.0);
        let lost_after = |packets| {
            let mut rng = StdRng::seed_from_u64(1);
            let lost = (0..10_000).filter(|_| {
                let mut state = LossState { is_bad: true };
                state.next_is_lost(&loss, packets, &mut rng)
            });
            lost.count()
        };

        assert!((9_850..9_930).contains(&lost_after(1.0)), "of 100 packets");
        assert!((900..1_100).contains(&lost_after(10_000.0)), "as ever");
    }

    /// Mean length of runs of lost packets.
    fn burst_packets(fate: &[bool]) -> f64 {
        let runs = fate.windows(2).filter(|w| w[1] && !w[0]).count() + usize::from(fate[0]);
        fate.iter().filter(|lost| **lost).count() as f64 / runs as f64
    }

    #[test]
    fn one_seed_gives_one_fate_and_both_kinds_lose_what_they_should() {
        let kinds = [PacketLoss::Independent(0.1), PacketLoss::bursts(0.1, 4.0)];
        for loss in kinds {
            assert_eq!(fate(loss, 7), fate(loss, 7));
            assert_ne!(fate(loss, 7), fate(loss, 8));

            let lost = fate(loss, 7).into_iter().filter(|lost| *lost).count();
            assert!((9_400..10_600).contains(&lost), "{loss:?}: {lost}");
            assert!((loss.mean() - 0.1).abs() < 1e-9);
        }
    }

    #[test]
    fn bursts_are_as_long_as_they_are_said_to_be() {
        let bursty = burst_packets(&fate(PacketLoss::bursts(0.1, 4.0), 3));
        assert!((3.7..4.3).contains(&bursty), "{bursty}");

        let alone = burst_packets(&fate(PacketLoss::Independent(0.1), 3));
        assert!((1.05..1.17).contains(&alone), "{alone}");
    }

    #[test]
    fn a_way_that_never_turns_bad_loses_nothing() {
        assert!(!fate(PacketLoss::bursts(0.0, 8.0), 1).contains(&true));
        assert!(!fate(PacketLoss::NONE, 1).contains(&true));
    }
}
