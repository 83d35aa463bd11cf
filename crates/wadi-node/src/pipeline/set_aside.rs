//! What an earlier start ended over is refused by name.

use crate::{
    door::{
        command::{BlockOutcome, Command},
        error::{NodeError, SetAsideWork},
        suspects::SET_ASIDE,
    },
    pipeline::{commit::Commit, sequencer::Sequencer},
};
use tokio::sync::oneshot;
use wadi_log::{Block, NodeId};
use wadi_sync::RefuseReason;

impl Sequencer {
    /// Gives back what is to be worked off. What an earlier start ended over is refused by name,
    /// and whoever waits is told.
    pub(crate) fn set_aside(&self, g: &mut Commit, item: Command) -> Option<Command> {
        if self.suspects.is_empty() {
            return Some(item);
        }

        match item {
            Command::Ingest(block, peer, reply) => {
                let head = &block.checkpoint.checkpoint;
                if !self.suspects.has_block(&head.log, block.from, head.size) {
                    return Some(Command::Ingest(block, peer, reply));
                }
                self.set_block_aside(g, &block, peer, reply);
            }
            Command::Excerpt {
                record,
                entries,
                peer,
                reply,
            } => {
                if !self.suspects.has_excerpt(&record) {
                    return Some(Command::Excerpt {
                        record,
                        entries,
                        peer,
                        reply,
                    });
                }

                let why = format!("an excerpt of {record} once ended this node's sequencer");
                self.note(g, peer.to_string(), SET_ASIDE, why, peer.to_string());
                let _ = reply.send(false);
            }
            Command::Write(write, reply) => {
                if !self.suspects.has_write(&write.digest()) {
                    return Some(Command::Write(write, reply));
                }
                let _ = reply.send(Err(NodeError::SetAside(SetAsideWork::Write)));
            }
            Command::At {
                record,
                at,
                time_ms,
                reply,
            } => {
                if !self.suspects.has_record(&record) {
                    return Some(Command::At {
                        record,
                        at,
                        time_ms,
                        reply,
                    });
                }

                let _ = reply.send(Err(NodeError::SetAside(SetAsideWork::Past)));
            }
            Command::Account {
                record,
                part,
                reply,
            } => {
                if !self.suspects.has_record(&record) {
                    return Some(Command::Account {
                        record,
                        part,
                        reply,
                    });
                }
                let _ = reply.send(Err(NodeError::SetAside(SetAsideWork::History)));
            }
            Command::Document { record, reply } => {
                if !self.suspects.has_record(&record) {
                    return Some(Command::Document { record, reply });
                }
                let _ = reply.send(Err(NodeError::SetAside(SetAsideWork::History)));
            }
            other => return Some(other),
        }

        None
    }

    /// Refuses a block over which this node's sequencer ended once.
    fn set_block_aside(
        &self,
        g: &mut Commit,
        block: &Block,
        peer: NodeId,
        reply: oneshot::Sender<BlockOutcome>,
    ) {
        let head = &block.checkpoint.checkpoint;
        let why = format!(
            "entries {}..{} of {} once ended this node's sequencer",
            block.from,
            head.size,
            head.log.origin()
        );

        self.note(
            g,
            head.log.node.to_string(),
            SET_ASIDE,
            why,
            peer.to_string(),
        );
        let _ = reply.send(BlockOutcome::Refused {
            held: self.ledger.held(&head.log),
            reason: RefuseReason::from_code(SET_ASIDE),
        });
    }
}
