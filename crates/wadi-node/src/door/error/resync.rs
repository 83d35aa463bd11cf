//! Why a resync cannot do what it was asked.

use super::ErrorClass;
use crate::door::resync_state::{ResyncAct, ResyncState};
use thiserror::Error;

/// Why a resync cannot do what it was asked; nothing was changed.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ResyncError {
    /// No peer was named, and there is no hub to take in its place.
    #[error("no hub is enrolled here: {}", NAME_A_PEER)]
    NoHub,
    /// A node compares itself with others.
    #[error("{node} is this node itself; {}", NAME_ANOTHER)]
    WithItself {
        /// The node's name.
        node: String,
    },
    /// No node of that name is enrolled.
    #[error("no node {name:?} is enrolled here; {}", PEERS)]
    UnknownPeer {
        /// The name.
        name: String,
    },
    /// No crossing's node of that name is enrolled.
    #[error("no crossing's node {site:?} is enrolled here")]
    UnknownSite {
        /// The crossing, or the node's name.
        site: String,
    },
    /// There is none of that id.
    #[error("no resync {id:?}; {}", RESYNCS)]
    NoSuchResync {
        /// The id.
        id: String,
    },
    /// Only a plan is approved.
    #[error("{id} is {state:?}; {}", NEW_PLAN)]
    NotPlanned {
        /// The resync.
        id: String,
        /// How it stands.
        state: ResyncState,
    },
    /// What the plan says does not hold any more.
    #[error("{}: {}", .0, NEW_PLAN)]
    PlanStale(#[source] StalePlan),
    /// It cannot be steered that way as it stands.
    #[error("{id} is {state:?}: it cannot {act} now")]
    WrongState {
        /// The resync.
        id: String,
        /// How it stands.
        state: ResyncState,
        /// What was asked.
        act: ResyncAct,
    },
    /// There is no such act.
    #[error("a resync does not {act}; {}", ACTS)]
    UnknownAct {
        /// What was asked.
        act: String,
    },
    /// A text is longer than an entry may hold.
    #[error("{what} has {bytes} bytes; the limit is {max}")]
    TooLong {
        /// Which text.
        what: &'static str,
        /// Its bytes.
        bytes: usize,
        /// The limit, bytes.
        max: usize,
    },
    /// The peer cannot be asked.
    #[error("{peer} is not in contact: nothing can be said about it but what was compared last")]
    PeerDark {
        /// The peer's name.
        peer: String,
    },
    /// Only a hub orders resyncs for others.
    #[error("only a hub orders a resync for another site")]
    OrderedByHub,
}

/// What of a plan does not hold any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StalePlan {
    /// Too much may have happened since.
    #[error("the plan is more than a day old")]
    TooOld,
    /// A log lost entries.
    #[error("{log} held {planned} entries and holds {now}")]
    Shrank {
        /// The log's origin.
        log: String,
        /// Its entries when the plan was made.
        planned: u64,
        /// Its entries now.
        now: u64,
    },
    /// A log of the plan is known to be forked now.
    #[error("{log} was found forked since")]
    Forked {
        /// The log's origin.
        log: String,
    },
}

const NAME_A_PEER: &str = "name a peer";
const NAME_ANOTHER: &str = "name a peer, or a site to order it for";
const PEERS: &str = "`wadi status` names the peers";
const RESYNCS: &str = "`wadi resync status` lists them";
const NEW_PLAN: &str = "make a new plan";
const ACTS: &str = "run, pause, resume and cancel are what there is";

impl ResyncError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoHub => "no_hub",
            Self::WithItself { .. } => "resync_with_itself",
            Self::UnknownPeer { .. } => "unknown_peer",
            Self::UnknownSite { .. } => "unknown_site",
            Self::NoSuchResync { .. } => "no_such_resync",
            Self::NotPlanned { .. } => "resync_not_planned",
            Self::PlanStale(_) => "plan_stale",
            Self::WrongState { .. } => "resync_state",
            Self::UnknownAct { .. } => "unknown_act",
            Self::TooLong { .. } => "too_long",
            Self::PeerDark { .. } => "peer_dark",
            Self::OrderedByHub => "not_a_hub",
        }
    }

    /// What kind of trouble it is: what is not there is not found, a peer that is dark may be back
    /// in a moment, and all else is refused alike, which programs rely on.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoSuchResync { .. } | Self::UnknownPeer { .. } => ErrorClass::NotFound,
            Self::PeerDark { .. } => ErrorClass::Unavailable,
            _ => ErrorClass::Forbidden,
        }
    }

    /// What can be done about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::NoHub => Some(NAME_A_PEER),
            Self::WithItself { .. } => Some(NAME_ANOTHER),
            Self::UnknownPeer { .. } => Some(PEERS),
            Self::NoSuchResync { .. } => Some(RESYNCS),
            Self::NotPlanned { .. } | Self::PlanStale(_) => Some(NEW_PLAN),
            Self::UnknownAct { .. } => Some(ACTS),
            _ => None,
        }
    }
}
