//! Block frames as they come: read in the order of their stream, put together with what the store
//! tells, and answered in the order of their logs.

use super::{Output, Query, QueryAnswer, Session, note_refusal, send_refusal};
use crate::{
    codec::{BlockDecoder, HeldKey, HeldParts, ReadFrame, SaidFrame, Unresolved},
    message::SyncError,
    refuse_reason::RefuseReason,
    sealed_block::SealedBlock,
};
use std::collections::{BTreeMap, VecDeque};
use wadi_log::{Block, Lane, LogId};

/// Bytes of frames of a lane that wait until the store has answered for the one before them. A
/// sender has less than this in flight.
const WAITING_BYTES_MAX: usize = 512 * 1024;
/// What was said of a block takes so much, about, until the store has answered: its texts and what
/// lies around them.
const SAID_BYTES: usize = 256 * 1024;

/// A lane's stream of frames.
#[derive(Default)]
pub(super) struct LaneReader {
    decoder: BlockDecoder,
    /// What was said of a block, while the store is asked for the rest.
    asked: Option<SaidFrame>,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
}

impl LaneReader {
    /// Bytes that it takes, about.
    pub(super) fn held_bytes(&self) -> usize {
        let asked = self.asked.as_ref().map_or(0, |_| SAID_BYTES);
        self.decoder.held_bytes() + self.waiting_bytes + asked
    }

    /// Whether a block waits for what the store tells.
    pub(super) fn waits(&self) -> bool {
        self.asked.is_some()
    }
}

/// Blocks of each log that are not answered yet, in order. A refusal of this session's own waits
/// for those that the driver has in hand: the sender counts answers.
#[derive(Default)]
pub(super) struct AnswerOrder(BTreeMap<LogId, VecDeque<DueAnswer>>);

enum DueAnswer {
    /// The driver answers.
    Driver,
    /// This session refuses it; so much is held.
    Refusal(u64),
}

impl AnswerOrder {
    fn handed_out(&mut self, log: LogId) {
        self.0.entry(log).or_default().push_back(DueAnswer::Driver);
    }

    /// Whether a refusal may be said at once.
    fn refuse(&mut self, log: LogId, held: u64) -> bool {
        let Some(due) = self.0.get_mut(&log) else {
            return true;
        };
        due.push_back(DueAnswer::Refusal(held));
        false
    }

    /// The driver has answered for a log: what is refused behind that block.
    fn answered(&mut self, log: &LogId) -> Vec<u64> {
        let mut refused = Vec::new();
        let Some(due) = self.0.get_mut(log) else {
            return refused;
        };

        due.pop_front();
        while let Some(DueAnswer::Refusal(held)) = due.front() {
            refused.push(*held);
            due.pop_front();
        }
        if due.is_empty() {
            self.0.remove(log);
        }

        refused
    }
}

impl Session {
    pub(super) fn receive_frame(
        &mut self,
        lane: Lane,
        bytes: Vec<u8>,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        if self.peer.is_none() || self.start.is_none() {
            return Err(SyncError::OutOfOrder("a block"));
        }

        let reader = self.readers.entry(lane).or_default();
        if reader.asked.is_none() {
            return self.read_frame(lane, &bytes, out);
        }

        reader.waiting_bytes += bytes.len();
        if reader.waiting_bytes > WAITING_BYTES_MAX {
            return Err(SyncError::BadBlock(format!(
                "more than {WAITING_BYTES_MAX} bytes of blocks wait for one before them"
            )));
        }
        reader.waiting.push_back(bytes);
        Ok(())
    }

    fn read_frame(
        &mut self,
        lane: Lane,
        bytes: &[u8],
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        if SealedBlock::is_one(bytes) {
            return self.take_sealed(lane, SealedBlock::decode(bytes)?, out);
        }

        let reader = self.readers.entry(lane).or_default();
        let said = match reader.decoder.read(bytes)? {
            ReadFrame::Whole(block) => return self.take_block(lane, block, out),
            ReadFrame::Said(said) => said,
        };

        let mut keys: Vec<HeldKey> = said.asks().into_iter().collect();
        keys.retain(|key| self.visible(&key.reach().0));
        if keys.is_empty() {
            return self.rebuild_block(lane, said, &HeldParts::default(), out);
        }

        let reader = self.readers.entry(lane).or_default();
        reader.asked = Some(said);
        out.push(Output::AskStore(Query::HeldForFrame { lane, keys }));
        Ok(())
    }

    /// The store told what a block left out; it and those behind it go on.
    pub(super) fn resume_frames(
        &mut self,
        lane: Lane,
        answer: QueryAnswer,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let held = answer.into_held();
        let reader = self.readers.entry(lane).or_default();
        if let Some(said) = reader.asked.take() {
            self.rebuild_block(lane, said, &held, out)?;
        }

        loop {
            let reader = self.readers.entry(lane).or_default();
            if reader.asked.is_some() {
                return Ok(());
            }

            let Some(bytes) = reader.waiting.pop_front() else {
                return Ok(());
            };
            reader.waiting_bytes -= bytes.len();
            self.read_frame(lane, &bytes, out)?;
        }
    }

    fn rebuild_block(
        &mut self,
        lane: Lane,
        said: SaidFrame,
        held: &HeldParts,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let reader = self.readers.entry(lane).or_default();
        match reader.decoder.rebuild(said, held)? {
            Ok(block) => self.take_block(lane, block, out),
            Err(Unresolved { log, from }) => {
                let held = self.own_tip(&log).size.min(from);
                if self.answer_order.refuse(log, held) {
                    send_refusal(out, log, held, RefuseReason::Unresolved);
                }
                Ok(())
            }
        }
    }

    fn take_block(
        &mut self,
        lane: Lane,
        block: Block,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let log = block.checkpoint.checkpoint.log;
        if self.takes_on(lane, log, out)? {
            out.push(Output::IngestBlock(block));
        }
        Ok(())
    }

    /// A block that the peer carried for its author; the driver opens it.
    fn take_sealed(
        &mut self,
        lane: Lane,
        sealed: SealedBlock,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        if self.takes_on(lane, sealed.log(), out)? {
            out.push(Output::OpenCarried(sealed));
        }
        Ok(())
    }

    /// Whether a block of a log that came on a lane's stream is handed out; it is refused
    /// otherwise.
    fn takes_on(
        &mut self,
        lane: Lane,
        log: LogId,
        out: &mut Vec<Output>,
    ) -> Result<bool, SyncError> {
        if log.lane != lane {
            return Err(SyncError::BadBlock(
                "it came on another lane's stream".into(),
            ));
        }

        if self.may_take_here(&log) {
            self.answer_order.handed_out(log);
            return Ok(true);
        }

        note_refusal(
            out,
            log.origin(),
            "outside_grant",
            "the peer sent a log that this node may not take",
        );
        send_refusal(out, log, 0, RefuseReason::OutsideGrant);
        Ok(false)
    }

    /// The driver has answered for a block: refusals that waited behind it are said.
    pub(super) fn refuse_behind(&mut self, log: LogId, out: &mut Vec<Output>) {
        for held in self.answer_order.answered(&log) {
            send_refusal(out, log, held, RefuseReason::Unresolved);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, NodeId};

    #[test]
    fn a_refusal_waits_for_the_blocks_before_it_and_for_no_other_log() {
        let log = |node: u8| LogId {
            node: NodeId([node; 16]),
            epoch: Epoch([1; 8]),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        };
        let mut order = AnswerOrder::default();
        assert!(order.refuse(log(1), 0), "nothing is in hand");

        order.handed_out(log(1));
        assert!(order.refuse(log(2), 0));
        assert!(!order.refuse(log(1), 5));
        order.handed_out(log(1));
        assert!(!order.refuse(log(1), 6));
        assert!(!order.refuse(log(1), 7));

        assert_eq!(order.answered(&log(1)), [5]);
        assert_eq!(order.answered(&log(1)), [6, 7]);
        assert!(order.answered(&log(1)).is_empty());
        assert!(order.refuse(log(1), 8));
    }
}
