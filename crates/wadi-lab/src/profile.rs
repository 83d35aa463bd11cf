//! What links are like, by name.

use crate::{
    loss::PacketLoss,
    text::{LabError, nearest, rate, share, time},
};
use std::{str::FromStr, time::Duration};

/// What one way of a link is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WayProfile {
    /// Bits a second, IP and UDP headers counted.
    pub rate_bits_s: f64,
    /// How long a packet waits in the modem at most; what would wait longer is dropped.
    pub queue: Duration,
    /// From the modem to the other end.
    pub delay: Duration,
    /// What is added to the delay at most, each packet for itself, evenly drawn.
    pub jitter: Duration,
    /// Whether packets overtake each other by jitter; else the later one waits for the earlier.
    pub jitter_reorders: bool,
    /// Which packets are lost.
    pub loss: PacketLoss,
    /// The share of packets that arrives twice.
    pub duplicate: f64,
    /// The share of packets that is held back, so that later ones overtake them …
    pub reorder: f64,
    /// … and for how long.
    pub reorder_by: Duration,
    /// Steps of the delay, of a satellite that passes by.
    pub handover: Option<Handover>,
}

/// A delay that steps: in every other period it is longer, by as much as is drawn for the period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Handover {
    /// Length of a period.
    pub every: Duration,
    /// The least step.
    pub step_min: Duration,
    /// The largest step.
    pub step_max: Duration,
}

/// What a link is like, both ways.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkProfile {
    /// From who dials to who is dialled.
    pub up: WayProfile,
    /// Back.
    pub down: WayProfile,
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A way without loss and jitter.
const fn clear(rate_bits_s: f64, delay: Duration, queue: Duration) -> WayProfile {
    WayProfile {
        rate_bits_s,
        queue,
        delay,
        jitter: Duration::ZERO,
        jitter_reorders: false,
        loss: PacketLoss::NONE,
        duplicate: 0.0,
        reorder: 0.0,
        reorder_by: Duration::ZERO,
        handover: None,
    }
}

impl LinkProfile {
    /// Names that [`LinkProfile::named`] knows.
    pub const NAMES: [&str; 11] = [
        "vsat-64",
        "vsat-256",
        "vsat-512",
        "vsat-10m",
        "leo",
        "cellular",
        "hf-32",
        "fibre",
        "sandstorm",
        "brisk",
        "lan",
    ];

    /// Settings that can be changed behind a name.
    const SETTINGS: [&str; 8] = [
        "rate",
        "delay",
        "queue",
        "jitter",
        "loss",
        "burst",
        "duplicate",
        "reorder",
    ];

    /// A link that is alike both ways.
    pub const fn symmetric(way: WayProfile) -> Self {
        Self { up: way, down: way }
    }

    /// A profile by name. `docs/links.md` has the table.
    pub fn named(name: &str) -> Option<Self> {
        let geo = |rate| Self::symmetric(clear(rate, ms(300), ms(1_000)));
        Some(match name {
            // Geostationary, under a clear sky; loss is added behind the name.
            "vsat-64" => geo(64e3),
            "vsat-256" => geo(256e3),
            "vsat-512" => geo(512e3),
            "vsat-10m" => Self::symmetric(clear(10e6, ms(300), ms(500))),

            "leo" => {
                let way = |rate| WayProfile {
                    jitter: ms(5),
                    loss: PacketLoss::bursts(0.01, 8.0),
                    handover: Some(Handover {
                        every: Duration::from_secs(15),
                        step_min: ms(30),
                        step_max: ms(80),
                    }),
                    ..clear(rate, ms(20), ms(200))
                };
                Self {
                    up: way(10e6),
                    down: way(50e6),
                }
            }

            "cellular" => {
                let way = |rate| WayProfile {
                    jitter: ms(30),
                    loss: PacketLoss::Independent(0.005),
                    ..clear(rate, ms(40), ms(800))
                };
                Self {
                    up: way(1e6),
                    down: way(5e6),
                }
            }

            // Short wave: the interleaver takes most of a second, and fading takes packets in runs.
            "hf-32" => Self::symmetric(WayProfile {
                jitter: ms(100),
                loss: PacketLoss::bursts(0.05, 3.0),
                ..clear(32e3, ms(750), ms(3_000))
            }),

            "fibre" => Self::symmetric(clear(100e6, ms(5), ms(50))),

            // The dish in dust: half the rate, long fades, and copies from the modem's own retries.
            "sandstorm" => Self::symmetric(WayProfile {
                jitter: ms(40),
                loss: PacketLoss::bursts(0.15, 10.0),
                duplicate: 0.01,
                reorder: 0.01,
                reorder_by: ms(150),
                ..clear(128e3, ms(300), ms(1_500))
            }),

            // Loopback with a little of everything, so that a minute shows days.
            "brisk" => Self::symmetric(WayProfile {
                loss: PacketLoss::Independent(0.01),
                ..clear(8e6, ms(20), ms(500))
            }),
            "lan" => Self::symmetric(clear(1e9, ms(0), ms(200))),
            _ => return None,
        })
    }

    /// Applies a change to both ways.
    fn set(&mut self, change: impl Fn(&mut WayProfile)) {
        change(&mut self.up);
        change(&mut self.down);
    }

    fn change(&mut self, setting: &str) -> Result<(), LabError> {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        match key {
            "rate" => {
                let rate = rate(value)?;
                self.set(|way| way.rate_bits_s = rate);
            }
            "delay" => {
                let delay = time(value)?;
                self.set(|way| way.delay = delay);
            }
            "queue" => {
                let queue = time(value)?;
                self.set(|way| way.queue = queue);
            }
            "jitter" => {
                let jitter = time(value)?;
                self.set(|way| way.jitter = jitter);
            }
            "loss" => {
                let share = share(value)?;
                self.set(|way| way.loss = PacketLoss::Independent(share));
            }
            "burst" => {
                let loss = bursts(value)?;
                self.set(|way| way.loss = loss);
            }
            "duplicate" => {
                let share = share(value)?;
                self.set(|way| way.duplicate = share);
            }
            "reorder" => {
                let (part, by) = value.split_once('x').unwrap_or((value, "100ms"));
                let (share, by) = (share(part)?, time(by)?);
                self.set(|way| {
                    way.reorder = share;
                    way.reorder_by = by;
                });
            }
            _ => return Err(LabError::unknown_word(key, &Self::SETTINGS)),
        }

        Ok(())
    }

    /// The rate to provision for the link, bits a second: the smaller of both ways, because one
    /// number is told for both.
    pub fn provisioned_bits_s(&self) -> u64 {
        self.up.rate_bits_s.min(self.down.rate_bits_s) as u64
    }
}

/// `10%x4`: this share of all packets, in bursts of so many on the mean.
fn bursts(text: &str) -> Result<PacketLoss, LabError> {
    let (part, packets) = text.split_once('x').unwrap_or((text, "4"));
    let share = share(part)?;
    let packets: f64 = packets.parse().unwrap_or(0.0);
    if !(1.0..=10_000.0).contains(&packets) {
        return Err(LabError::BadValue {
            given: text.into(),
            what: "burst such as 10%x4 (a share, and packets a burst)",
        });
    }

    Ok(PacketLoss::bursts(share, packets))
}

/// A name, and behind commas what is different: `vsat-256,loss=5%`.
impl FromStr for LinkProfile {
    type Err = LabError;

    fn from_str(text: &str) -> Result<Self, LabError> {
        let mut parts = text.split(',').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let mut profile = Self::named(name).ok_or_else(|| LabError::UnknownProfile {
            given: name.into(),
            nearest: nearest(name, &Self::NAMES).unwrap_or(Self::NAMES[1]).into(),
            known: Self::NAMES.join(", "),
        })?;

        for setting in parts {
            profile.change(setting)?;
        }

        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_profile_and_a_wrong_one_is_told_the_nearest() {
        for name in LinkProfile::NAMES {
            let profile: LinkProfile = name.parse().unwrap();
            assert!(profile.up.rate_bits_s >= 32e3, "{name}");
        }

        let told = "vsat-clear".parse::<LinkProfile>().unwrap_err();
        assert_eq!(told.code(), "unknown_links");
        let told = "sandstrom".parse::<LinkProfile>().unwrap_err().to_string();
        assert!(told.contains("did you mean sandstorm?"), "{told}");
    }

    #[test]
    fn what_is_different_stands_behind_the_name() {
        let profile: LinkProfile = "vsat-256,loss=5%,jitter=20ms".parse().unwrap();
        assert_eq!(profile.up.loss, PacketLoss::Independent(0.05));
        assert_eq!(profile.down.jitter, ms(20));
        assert_eq!(profile.up.rate_bits_s, 256e3);

        let bursty: LinkProfile = "vsat-256,burst=10%x4".parse().unwrap();
        assert!((bursty.up.loss.mean() - 0.1).abs() < 1e-9);

        for bad in [
            "vsat-256,lost=5%",
            "vsat-256,loss",
            "vsat-256,loss=100%",
            "vsat-256,burst=10%x0",
            "vsat-256,rate=0",
            "vsat-256,",
        ] {
            let told = bad.parse::<LinkProfile>().unwrap_err();
            assert_eq!(told.code(), "bad_link", "{bad}: {told}");
        }
    }

    #[test]
    fn the_smaller_of_both_ways_is_provisioned() {
        let leo = LinkProfile::named("leo").unwrap();
        assert_eq!(leo.provisioned_bits_s(), 10_000_000);
    }
}
