//! The kinds of hostile entries, and how often each is drawn.

use rand::{RngExt, rngs::StdRng};
use wadi_log::Lane;

/// What is hostile about an entry, or about where it stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum HostileKind {
    /// One field of a good entry spoilt, however deep: absent, twice, huge, of another type.
    Field,
    /// Bytes of a good entry spoilt.
    Bytes,
    /// No entry at all.
    Noise,
    /// One or two bytes, as many as a block takes.
    Crumbs,
    /// Fields and events of the tables with values that nobody means well with, on any record.
    Said,
    /// Dependencies in circles, on what comes later, on other logs and on nothing.
    Tangle,
    /// Acts on records that are none of the author's.
    Foreign,
    /// `Seen` with heads of any size and root.
    Seen,
    /// What only a hub may say.
    Facts,
    /// Small entries on one record.
    Flood,
    /// A log for every entry or two.
    Epochs,
    /// Kinds and versions that nobody knows yet.
    Kinds,
    /// Heads with absurd times and sizes of other logs.
    Heads,
    /// As large as the format allows, and past it.
    Sizes,
}

impl HostileKind {
    /// All of them, with how often each is drawn.
    pub(crate) const ALL: [(Self, u32); 14] = [
        (Self::Field, 24),
        (Self::Bytes, 8),
        (Self::Noise, 6),
        (Self::Crumbs, 2),
        (Self::Said, 14),
        (Self::Tangle, 18),
        (Self::Foreign, 5),
        (Self::Seen, 2),
        (Self::Facts, 6),
        (Self::Flood, 3),
        (Self::Epochs, 2),
        (Self::Kinds, 4),
        (Self::Heads, 3),
        (Self::Sizes, 2),
    ];

    pub(crate) fn drawn(r: &mut StdRng) -> Self {
        let all: u32 = Self::ALL.iter().map(|(_, share)| share).sum();
        let mut at = r.random_range(0..all);
        for (kind, share) in Self::ALL {
            if at < share {
                return kind;
            }
            at -= share;
        }

        Self::Field
    }

    /// Its name in a gate's line and in the files of cases.
    pub(crate) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .map(|(kind, _)| kind)
            .find(|kind| kind.name() == name)
    }

    /// The lanes in which it is tried.
    pub(crate) fn lanes(self) -> &'static [Lane] {
        match self {
            Self::Facts => &[Lane::Control, Lane::Control, Lane::Control, Lane::Passage],
            Self::Seen => &[Lane::Control, Lane::Hold, Lane::Passage],
            Self::Heads => &[Lane::Control, Lane::Passage],
            Self::Tangle | Self::Flood | Self::Foreign | Self::Said | Self::Sizes => &[
                Lane::Passage,
                Lane::Passage,
                Lane::Hold,
                Lane::Customs,
                Lane::Site,
            ],
            _ => &Lane::ALL,
        }
    }
}
