//! What there is no room for is refused before anything of it is built.

use crate::{
    door::{
        command::{BlockOutcome, Command},
        disk::RoomLevel,
    },
    pipeline::sequencer::Sequencer,
};
use wadi_sync::RefuseReason;

impl Sequencer {
    /// Answers what there is no room for, before anything of it is built; returns the rest.
    pub(crate) fn admit(&self, item: Command) -> Option<Command> {
        let level = self.room.level();
        if level == RoomLevel::Fine {
            return Some(item);
        }

        match item {
            Command::Write(write, reply) => match self.room.check(write.draft.kind.lane()) {
                Ok(()) => Some(Command::Write(write, reply)),
                Err(error) => {
                    let _ = reply.send(Err(error));
                    None
                }
            },
            Command::Ingest(block, peer, reply) => {
                let log = block.checkpoint.checkpoint.log;
                let own = log.node == self.ledger.node();
                let room = if own {
                    level.captures(log.lane)
                } else {
                    level.takes(log.lane)
                };

                if room {
                    return Some(Command::Ingest(block, peer, reply));
                }

                let _ = reply.send(BlockOutcome::Refused {
                    held: self.ledger.held(&log),
                    reason: RefuseReason::DiskLow,
                });

                None
            }
            Command::Excerpt { reply, .. } if !level.takes_excerpts() => {
                let _ = reply.send(false);
                None
            }
            Command::Carry(_, reply) if !level.carries() => {
                let _ = reply.send(false);
                None
            }
            other => Some(other),
        }
    }
}
