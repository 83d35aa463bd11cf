//! What there is room for on the disk, as all of a node sees it.
//!
//! In this order it is given up: the software's own logs; what is carried or taken for others;
//! findings, which can be made again. Local capture goes on until the end, and at the very end that
//! of holds alone, in the room that the ballast gives up.

use crate::door::error::NodeError;
use serde_json::{Value as Json, json};
use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};
use wadi_log::Lane;
use wadi_store::StoreError;

/// A write that found the disk full makes it count as full for so long, whatever it says of itself.
const HIT: Duration = Duration::from_secs(10);

/// How long a hold waits for the ballast to be given up.
const WAY: Duration = Duration::from_secs(5);

/// How much room there is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum RoomLevel {
    /// Enough.
    #[default]
    Fine,
    /// Less than is asked for: nothing is carried, and of others' logs only control entries, holds
    /// and customs are taken.
    Low,
    /// A quarter of that: of others only control entries and holds are taken, and findings wait.
    Scarce,
    /// A sixteenth of that: the ballast is given up, and holds alone are recorded.
    Full,
}

impl RoomLevel {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Low => "low",
            Self::Scarce => "scarce",
            Self::Full => "full",
        }
    }

    /// What is given up, for people.
    pub fn gives_up(self) -> &'static str {
        match self {
            Self::Fine => "nothing",
            Self::Low => {
                "nothing is carried for neighbours, and passages and site days of other nodes stay with them"
            }
            Self::Scarce => {
                "only control entries and holds of other nodes are taken, and findings wait"
            }
            Self::Full => "only holds are recorded",
        }
    }

    /// Whether blocks are carried for neighbours.
    pub fn carries(self) -> bool {
        self == Self::Fine
    }

    /// Whether other nodes' entries of a lane are taken.
    pub fn takes(self, lane: Lane) -> bool {
        match self {
            Self::Fine => true,
            Self::Low => lane <= Lane::Customs,
            Self::Scarce => lane <= Lane::Hold,
            Self::Full => lane == Lane::Control,
        }
    }

    /// Whether records handed over are taken.
    pub fn takes_excerpts(self) -> bool {
        self <= Self::Low
    }

    /// Whether findings are looked for.
    pub fn reconciles(self) -> bool {
        self <= Self::Low
    }

    /// Whether this node's own entries of a lane are written.
    pub fn captures(self, lane: Lane) -> bool {
        self < Self::Full || lane <= Lane::Hold
    }
}

/// What a look at the disk found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// Bytes that may still be written.
    pub free: u64,
    /// Bytes that the ballast holds.
    pub ballast: u64,
    /// Whether a write found the disk full just now.
    pub hit_full: bool,
}

#[derive(Debug, Default)]
struct Stand {
    found: Look,
    place: String,
    /// Whether somebody looks at the disk: nothing is given up where nobody would take it up again.
    kept: bool,
    hit_full: Option<Instant>,
}

/// How a node stands for room, as all its parts see it.
#[derive(Debug)]
pub struct DiskBudget {
    level: watch::Sender<RoomLevel>,
    stand: Mutex<Stand>,
    pub(crate) asked: Notify,
}

impl Default for DiskBudget {
    fn default() -> Self {
        Self {
            level: watch::Sender::new(RoomLevel::Fine),
            stand: Mutex::default(),
            asked: Notify::new(),
        }
    }
}

impl DiskBudget {
    /// The level.
    pub fn level(&self) -> RoomLevel {
        *self.level.borrow()
    }

    /// Whether this node may write an entry of that lane; if not, why, and what to do.
    pub fn check(&self, lane: Lane) -> Result<(), NodeError> {
        if self.level().captures(lane) {
            return Ok(());
        }

        let stand = self.stand.lock().expect("no panic holds it");
        let why = format!(
            "only holds are recorded until there is room again; free some on the disk of {}, which has {} MiB left",
            stand.place,
            stand.found.free >> 20
        );

        Err(StoreError::Full(why).into())
    }

    /// What is degraded, for status; none where nothing is.
    pub fn degraded(&self) -> Option<Json> {
        let level = self.level();
        if level == RoomLevel::Fine {
            return None;
        }

        let stand = self.stand.lock().expect("no panic holds it");
        let why = format!(
            "the disk of {} has {} MiB left: {}",
            stand.place,
            stand.found.free >> 20,
            level.gives_up()
        );

        Some(json!({
            "level": level.name(), "why": why, "free_bytes": stand.found.free, "ballast_bytes": stand.found.ballast,
        }))
    }

    /// The store says how a write failed.
    pub(crate) fn heard(&self, error: &StoreError) {
        if let StoreError::Full(_) = error {
            self.stand.lock().expect("no panic holds it").hit_full = Some(Instant::now());
            self.asked.notify_one();
        }
    }

    /// Waits until the ballast is given up. Whether it was.
    pub(crate) async fn make_way(&self) -> bool {
        if !self.stand.lock().expect("no panic holds it").kept {
            return false;
        }

        let mut level = self.level.subscribe();
        let full = async {
            while *level.borrow_and_update() != RoomLevel::Full {
                if level.changed().await.is_err() {
                    return false;
                }
            }
            true
        };

        tokio::time::timeout(WAY, full).await.unwrap_or(false)
    }

    pub(crate) fn hit_full(&self) -> bool {
        let hit = self.stand.lock().expect("no panic holds it").hit_full;
        hit.is_some_and(|at| at.elapsed() < HIT)
    }

    /// Takes in what the keeper found at its place; the level before it.
    pub(crate) fn settle(&self, place: &Path, found: Look, level: RoomLevel) -> RoomLevel {
        let mut stand = self.stand.lock().expect("no panic holds it");
        (stand.found, stand.kept) = (found, true);
        if stand.place.is_empty() {
            stand.place = place.display().to_string();
        }

        drop(stand);
        self.level.send_replace(level)
    }
}
