//! DiskBudget on the disk: what is given up first when it runs out, and the ballast that keeps the
//! last of it for holds.
//!
//! In this order: the software's own logs; what is carried or taken for others; findings, which can
//! be made again. Local capture goes on until the end, and at the very end that of holds alone, in
//! the room that the ballast gives up. What there is no room for is refused before anything of it
//! is built: a peer keeps it and offers it again, an officer is told.

use crate::door::{
    Door,
    disk::{Look, RoomLevel},
    event::Event,
};
use rustix::{fs::FallocateFlags, io::Errno};
use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinHandle;
use wadi_store::{Batch, LocalState, StoreError};

/// How often the disk is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Bytes of the ballast written at once, where the file system cannot set them aside otherwise.
const CHUNK: usize = 1 << 20;

/// What a node asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RoomPlan {
    /// Bytes of the ballast.
    pub ballast: u64,
    /// Free bytes, the whole ballast apart, below which room is low.
    pub low: u64,
}

/// What is to be done with the ballast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BallastMove {
    /// It is as it has to be.
    Keep,
    /// It is laid down, or made as large as is asked for.
    Lay,
    /// It is given up.
    Release,
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl RoomPlan {
    /// Bytes below which a level begins.
    pub fn begins(&self, level: RoomLevel) -> u64 {
        match level {
            RoomLevel::Fine => u64::MAX,
            RoomLevel::Low => self.low,
            RoomLevel::Scarce => self.low / 4,
            RoomLevel::Full => self.low / 16,
        }
    }

    /// Free bytes, were the ballast whole. Giving it up makes no level better.
    pub fn spare(&self, look: &Look) -> i64 {
        signed(look.free)
            .saturating_add(signed(look.ballast))
            .saturating_sub(signed(self.ballast))
    }

    fn level_of(&self, spare: i64) -> RoomLevel {
        let begun = |level: &RoomLevel| spare < signed(self.begins(*level));
        [RoomLevel::Full, RoomLevel::Scarce, RoomLevel::Low]
            .into_iter()
            .find(begun)
            .unwrap_or(RoomLevel::Fine)
    }

    /// The level after a look. It gets worse at once, and better only with an eighth to spare: it
    /// does not flutter.
    pub fn level(&self, before: RoomLevel, look: &Look) -> RoomLevel {
        if look.hit_full {
            return RoomLevel::Full;
        }

        let spare = self.spare(look);
        let now = self.level_of(spare);

        if now >= before {
            now
        } else {
            self.level_of(spare - spare / 8).min(before)
        }
    }

    /// What a level asks of the ballast.
    pub fn ballast(&self, level: RoomLevel, look: &Look) -> BallastMove {
        match level {
            RoomLevel::Full if look.ballast > 0 => BallastMove::Release,
            RoomLevel::Full => BallastMove::Keep,
            _ if look.ballast != self.ballast => BallastMove::Lay,
            _ => BallastMove::Keep,
        }
    }
}

/// Looks after the room in a node's directory: it watches the disk, and lays or gives up the
/// ballast.
pub struct RoomKeeper {
    dir: PathBuf,
    plan: RoomPlan,
    level: RoomLevel,
    found: Look,
}

impl RoomKeeper {
    /// Looks for the first time. Before the store is opened: on a full disk it needs what the
    /// ballast gives up.
    pub fn open(dir: &Path, plan: RoomPlan) -> Self {
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.into());
        let mut keeper = Self {
            dir,
            plan,
            level: RoomLevel::Fine,
            found: Look::default(),
        };

        keeper.measure_disk(false);
        keeper
    }

    /// The level that was found last.
    pub fn level(&self) -> RoomLevel {
        self.level
    }

    /// Goes on looking for a running door, until the task is aborted. `on_level` hears of each new
    /// level.
    pub fn keep(
        self,
        door: &Arc<Door>,
        on_level: impl Fn(RoomLevel) + Send + 'static,
    ) -> Option<JoinHandle<()>> {
        self.tell_level(door, &on_level);
        door.spawn_watched("room", self.run(door.clone(), on_level))
    }

    async fn run(mut self, door: Arc<Door>, on_level: impl Fn(RoomLevel) + Send + 'static) {
        loop {
            if self.level >= RoomLevel::Scarce {
                drop_carried(&door).await;
            }

            let _ = tokio::time::timeout(LOOK, door.room.asked.notified()).await;
            let hit_full = door.room.hit_full();
            let looked = tokio::task::spawn_blocking(move || {
                self.measure_disk(hit_full);
                self
            });
            match looked.await {
                Ok(keeper) => self = keeper,
                Err(_) => return,
            }

            self.tell_level(&door, &on_level);
        }
    }

    /// Looks at the disk, and moves the ballast as the level asks.
    fn measure_disk(&mut self, hit_full: bool) {
        let free = match free_bytes(&self.dir) {
            Ok(free) => free,
            Err(error) => {
                tracing::warn!(
                    %error,
                    dir = %self.dir.display(),
                    "the disk does not say how much room it has",
                );
                return;
            }
        };

        let path = self.dir.join("ballast");
        let look = Look {
            free,
            ballast: ballast_bytes(&path),
            hit_full,
        };

        self.level = self.plan.level(self.level, &look);
        let moved = match self.plan.ballast(self.level, &look) {
            BallastMove::Keep => Ok(()),
            BallastMove::Lay => lay_ballast(&path, self.plan.ballast),
            BallastMove::Release => release_ballast(&path),
        };

        if let Err(error) = moved {
            tracing::warn!(
                %error,
                ballast = %path.display(),
                "the ballast could not be laid or given up",
            );
        }

        self.found = Look {
            free: free_bytes(&self.dir).unwrap_or(free),
            ballast: ballast_bytes(&path),
            hit_full,
        };
    }

    /// Tells the node's parts what was found.
    fn tell_level(&self, door: &Door, on_level: &impl Fn(RoomLevel)) {
        let (before, now) = (
            door.room.settle(&self.dir, self.found, self.level),
            self.level,
        );
        let free_mib = self.found.free >> 20;
        if now > before {
            tracing::warn!(
                room = now.name(),
                free_mib,
                "the disk is filling: {}",
                now.gives_up()
            );

            on_level(now);
        } else if now < before {
            on_level(now);
            tracing::info!(
                room = now.name(),
                free_mib,
                "there is more room on the disk again"
            );

            let _ = door.events.send(Event::RoomAgain);
            door.reconcile.notify_one();
        }
    }
}

/// Drops what is carried: the owners have it still, for a carrier's acknowledgement never counts as
/// the hub's.
async fn drop_carried(door: &Door) {
    let Ok(ranges) = door.store.carried_ranges().await else {
        return;
    };
    if ranges.is_empty() {
        return;
    }

    let carried_done = ranges.into_iter().map(|(log, _, to)| (log, to)).collect();
    if let Err(error) = door
        .keep(Batch::from(LocalState {
            carried_done,
            ..LocalState::default()
        }))
        .await
    {
        tracing::warn!(%error, "what is carried could not be dropped");
        if let StoreError::Failed(why) = error {
            let _ = door.events.send(Event::Failed(why));
        }
    }
}

fn free_bytes(dir: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(dir)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn ballast_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |m| m.len())
}

/// Sets the ballast's bytes aside on the disk: a sparse file would hold no room.
fn lay_ballast(path: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;

    if file.metadata()?.len() > bytes {
        file.set_len(bytes)?;
    }

    let laid = match bytes {
        0 => Ok(()),
        _ => match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill_with_noise(&file, bytes),
            done => done.map_err(io::Error::from),
        },
    };

    let laid = laid.and_then(|()| file.sync_all());
    if laid.is_err() {
        let _ = file.set_len(0);
    }

    laid
}

/// Writes bytes that no file system can make smaller.
fn fill_with_noise(mut file: &File, bytes: u64) -> io::Result<()> {
    use std::io::Write;
    file.set_len(0)?;
    let mut noise = vec![0u8; CHUNK];
    rand::fill(&mut noise[..]);

    let mut left = bytes;
    while left > 0 {
        let part = left.min(CHUNK as u64);
        file.write_all(&noise[..part as usize])?;
        left -= part;
    }

    Ok(())
}

fn release_ballast(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(0)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::Lane;

    const MIB: u64 = 1 << 20;
    const PLAN: RoomPlan = RoomPlan {
        ballast: 64 * MIB,
        low: 512 * MIB,
    };

    fn look(free_mib: u64, ballast_mib: u64) -> Look {
        Look {
            free: free_mib * MIB,
            ballast: ballast_mib * MIB,
            hit_full: false,
        }
    }

    #[test]
    fn levels_follow_what_is_free_with_the_ballast_whole() {
        let level = |look: Look| PLAN.level(RoomLevel::Fine, &look);
        assert_eq!(level(look(4_000, 64)), RoomLevel::Fine);
        assert_eq!(level(look(512, 64)), RoomLevel::Fine);
        assert_eq!(level(look(511, 64)), RoomLevel::Low);
        assert_eq!(level(look(127, 64)), RoomLevel::Scarce);
        assert_eq!(level(look(31, 64)), RoomLevel::Full);

        // What the ballast gave up is room for holds, and for nothing else.
        assert_eq!(level(look(31 + 64, 0)), RoomLevel::Full);
        assert_eq!(level(look(0, 0)), RoomLevel::Full);

        // A write that found the disk full knows better than what the disk says.
        assert_eq!(
            level(Look {
                hit_full: true,
                ..look(4_000, 64)
            }),
            RoomLevel::Full
        );
    }

    #[test]
    fn a_level_gets_better_only_with_some_to_spare() {
        for (before, free_mib, after) in [
            (RoomLevel::Low, 520, RoomLevel::Low),
            (RoomLevel::Low, 600, RoomLevel::Fine),
            (RoomLevel::Full, 33, RoomLevel::Full),
            (RoomLevel::Full, 40, RoomLevel::Scarce),
            (RoomLevel::Full, 4_000, RoomLevel::Fine),
            (RoomLevel::Scarce, 130, RoomLevel::Scarce),
            (RoomLevel::Low, 10, RoomLevel::Full),
        ] {
            assert_eq!(
                PLAN.level(before, &look(free_mib, 64)),
                after,
                "{before:?} with {free_mib} MiB"
            );
        }
    }

    #[test]
    fn what_is_given_up_first_is_what_can_be_had_again() {
        let lanes = |of: &dyn Fn(Lane) -> bool| Lane::ALL.into_iter().filter(|l| of(*l)).count();
        let mut before = [5, 5, 1, 1, 1];
        for level in [
            RoomLevel::Fine,
            RoomLevel::Low,
            RoomLevel::Scarce,
            RoomLevel::Full,
        ] {
            let (captures, takes) = (lanes(&|l| level.captures(l)), lanes(&|l| level.takes(l)));
            let rest =
                [level.carries(), level.takes_excerpts(), level.reconciles()].map(usize::from);
            let now = [captures, takes, rest[0], rest[1], rest[2]];
            assert!(
                now.iter().zip(before).all(|(n, b)| *n <= b),
                "{level:?} gives back what was given up"
            );

            // What is said here is kept longer than what others have.
            assert!(takes <= captures);
            before = now;
        }

        assert!(
            RoomLevel::Scarce.captures(Lane::Passage) && !RoomLevel::Full.captures(Lane::Customs)
        );
        assert!(
            RoomLevel::Full.captures(Lane::Hold)
                && RoomLevel::Full.takes(Lane::Control)
                && !RoomLevel::Full.takes(Lane::Hold)
        );
    }

    #[test]
    fn the_ballast_is_really_set_aside_and_given_up() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ballast");
        for bytes in [3 * MIB, MIB, 2 * MIB] {
            lay_ballast(&path, bytes).unwrap();
            let meta = std::fs::metadata(&path).unwrap();
            assert_eq!(meta.len(), bytes);
            assert!(meta.blocks() * 512 >= bytes, "it is sparse");
        }

        release_ballast(&path).unwrap();
        assert_eq!(ballast_bytes(&path), 0);

        fill_with_noise(
            &OpenOptions::new().write(true).open(&path).unwrap(),
            MIB + 5,
        )
        .unwrap();

        assert_eq!(ballast_bytes(&path), MIB + 5);
    }

    #[test]
    fn a_keeper_lays_the_ballast_and_gives_it_up_when_a_write_found_the_disk_full() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ballast");

        // So little is asked for that any disk has it.
        let mut keeper = RoomKeeper::open(
            dir.path(),
            RoomPlan {
                ballast: MIB,
                low: 16,
            },
        );

        assert_eq!(
            (keeper.level(), ballast_bytes(&path)),
            (RoomLevel::Fine, MIB)
        );

        keeper.measure_disk(true);
        assert_eq!((keeper.level(), ballast_bytes(&path)), (RoomLevel::Full, 0));

        keeper.measure_disk(false);
        assert_eq!(
            (keeper.level(), ballast_bytes(&path)),
            (RoomLevel::Fine, MIB)
        );

        // More is asked for than any disk has.
        let keeper = RoomKeeper::open(
            dir.path(),
            RoomPlan {
                ballast: MIB,
                low: u64::MAX,
            },
        );

        assert_eq!((keeper.level(), ballast_bytes(&path)), (RoomLevel::Full, 0));
    }
}
