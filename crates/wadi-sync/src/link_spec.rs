//! What tells the links between two nodes apart, where there are several: their names, what they
//! cost, and which lanes they are for. Whoever dials tells it in its `Hello`, and hears it back
//! from a peer that knows of such links.

use crate::pb;
use wadi_log::Lane;

/// Characters of a link's name at most.
pub const LINK_NAME_CHARS_MAX: usize = 32;

/// Some of the lanes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct LaneSet(u32);

impl LaneSet {
    /// None of them.
    pub const NONE: Self = Self(0);

    /// All lanes.
    pub fn all() -> Self {
        Lane::ALL.into_iter().collect()
    }

    /// The lanes that go before the others: control entries and holds.
    pub fn urgent() -> Self {
        Lane::ALL.into_iter().filter(|l| is_urgent(*l)).collect()
    }

    /// All others.
    pub fn bulk() -> Self {
        Lane::ALL.into_iter().filter(|l| !is_urgent(*l)).collect()
    }

    /// Whether a lane is among them.
    pub fn contains(self, lane: Lane) -> bool {
        self.0 & lane.bit() != 0
    }

    /// The lanes of both.
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of the others are among them.
    pub fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The lanes, the most urgent first.
    pub fn lanes(self) -> impl Iterator<Item = Lane> {
        Lane::ALL.into_iter().filter(move |l| self.contains(*l))
    }
}

impl FromIterator<Lane> for LaneSet {
    fn from_iter<I: IntoIterator<Item = Lane>>(lanes: I) -> Self {
        Self(lanes.into_iter().fold(0, |mask, lane| mask | lane.bit()))
    }
}

/// Whether a lane goes before the others.
pub fn is_urgent(lane: Lane) -> bool {
    lane <= Lane::Hold
}

/// How a link is paid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum LinkCost {
    /// The same, whatever goes over it.
    #[default]
    Flat,
    /// By the byte.
    Metered,
}

impl LinkCost {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Flat, Self::Metered];

    /// The name, as the configuration has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Metered => "metered",
        }
    }
}

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkPurpose {
    /// Control entries and holds.
    Urgent,
    /// Everything else.
    Bulk,
    /// Everything.
    All,
}

impl LinkPurpose {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Bulk, Self::All];

    /// The name, as the configuration has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Bulk => "bulk",
            Self::All => "all",
        }
    }

    /// The lanes.
    pub fn lanes(self) -> LaneSet {
        match self {
            Self::Urgent => LaneSet::urgent(),
            Self::Bulk => LaneSet::bulk(),
            Self::All => LaneSet::all(),
        }
    }

    /// What links that cost so are for where nobody says.
    pub const fn usual(cost: LinkCost) -> Self {
        match cost {
            LinkCost::Flat => Self::All,
            LinkCost::Metered => Self::Urgent,
        }
    }
}

/// One of several links between two nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkSpec {
    /// Its name, which no other link between the two has.
    pub name: String,
    /// How it is paid.
    pub cost: LinkCost,
    /// What it is for.
    pub purpose: LinkPurpose,
}

impl LinkSpec {
    /// The lanes whose logs are compared and sent over it. Urgent ones go over any link where no
    /// better one stands: a hold is worth more than a bill.
    pub fn scope(&self) -> LaneSet {
        self.purpose.lanes().union(LaneSet::urgent())
    }

    /// How well it serves a lane, less being better; none where the lane does not go over it.
    pub fn rank(&self, lane: Lane) -> Option<u8> {
        let is_meant = self.purpose.lanes().contains(lane);
        match (is_urgent(lane), self.cost, is_meant) {
            (true, LinkCost::Metered, true) => Some(0),
            (true, LinkCost::Flat, true) => Some(1),
            (true, LinkCost::Flat, false) => Some(2),
            (true, LinkCost::Metered, false) => Some(3),
            (false, LinkCost::Flat, true) => Some(0),
            (false, LinkCost::Metered, true) => Some(1),
            (false, _, false) => None,
        }
    }
}

/// Whether a link may have this name: letters of `a` to `z`, digits, `-` and `_`.
pub fn is_link_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    !name.is_empty() && name.chars().count() <= LINK_NAME_CHARS_MAX && name.chars().all(fits)
}

pub(crate) fn link_out(link: Option<&LinkSpec>) -> Option<pb::Link> {
    link.map(|link| pb::Link {
        name: link.name.clone(),
        metered: link.cost == LinkCost::Metered,
        urgent: link.purpose != LinkPurpose::Bulk,
        bulk: link.purpose != LinkPurpose::Urgent,
    })
}

/// A link as a peer tells it; none where it makes no sense, and the peer has one link then.
pub(crate) fn link_in(told: Option<&pb::Link>) -> Option<LinkSpec> {
    let told = told.filter(|link| is_link_name(&link.name))?;
    let purpose = match (told.urgent, told.bulk) {
        (true, true) => LinkPurpose::All,
        (true, false) => LinkPurpose::Urgent,
        (false, true) => LinkPurpose::Bulk,
        (false, false) => return None,
    };

    Some(LinkSpec {
        name: told.name.clone(),
        cost: match told.metered {
            true => LinkCost::Metered,
            false => LinkCost::Flat,
        },
        purpose,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(cost: LinkCost, purpose: LinkPurpose) -> LinkSpec {
        LinkSpec {
            name: "vsat".into(),
            cost,
            purpose,
        }
    }

    #[test]
    fn urgent_lanes_take_the_dear_link_first_and_any_link_last_and_bulk_none_that_is_not_for_it() {
        use LinkCost::{Flat, Metered};
        use LinkPurpose::{All, Bulk, Urgent};
        let rank = |cost, purpose, lane| link(cost, purpose).rank(lane);

        let urgent = [
            (Metered, Urgent),
            (Flat, All),
            (Flat, Bulk),
            (Metered, Bulk),
        ];
        let ranks = urgent.map(|(cost, purpose)| rank(cost, purpose, Lane::Hold));
        assert_eq!(ranks, [Some(0), Some(1), Some(2), Some(3)]);

        let bulk = [
            (Flat, All),
            (Metered, All),
            (Metered, Urgent),
            (Flat, Urgent),
        ];
        let ranks = bulk.map(|(cost, purpose)| rank(cost, purpose, Lane::Passage));
        assert_eq!(ranks, [Some(0), Some(1), None, None]);
    }

    #[test]
    fn a_link_reads_back_as_it_was_told_and_nonsense_is_no_link() {
        for cost in LinkCost::ALL {
            for purpose in LinkPurpose::ALL {
                let told = link(cost, purpose);
                let out = link_out(Some(&told));
                assert_eq!(link_in(out.as_ref()), Some(told));
            }
        }

        let told = link_out(Some(&link(LinkCost::Flat, LinkPurpose::All))).unwrap();
        for name in ["", "VSAT", "vsat\u{202e}", "a b", &"x".repeat(33)] {
            let odd = pb::Link {
                name: name.into(),
                ..told.clone()
            };
            assert_eq!(link_in(Some(&odd)), None, "{name:?}");
        }
        let nothing = pb::Link {
            urgent: false,
            bulk: false,
            ..told
        };
        assert_eq!(link_in(Some(&nothing)), None);
        assert_eq!(link_in(None), None);
    }

    #[test]
    fn what_goes_over_a_link_is_what_it_is_for_and_what_is_urgent() {
        let scope = |purpose| link(LinkCost::Metered, purpose).scope();
        assert_eq!(scope(LinkPurpose::Urgent), LaneSet::urgent());
        assert_eq!(scope(LinkPurpose::Bulk), LaneSet::all());
        assert!(scope(LinkPurpose::All).covers(LaneSet::bulk()));
        assert!(!LaneSet::urgent().covers(LaneSet::bulk()) && LaneSet::NONE.is_empty());
        let urgent: Vec<Lane> = LaneSet::urgent().lanes().collect();
        assert_eq!(urgent, [Lane::Control, Lane::Hold]);
    }
}
