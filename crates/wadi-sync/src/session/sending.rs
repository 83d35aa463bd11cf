//! What goes to the peer: which blocks, when, and what its answers to them come to.

use super::{
    Output, Query, QueryAnswer, Session, note_refusal,
    peer_log::{PeerLog, Way, next_block_at},
    window::DueBlock,
};
use crate::{
    codec::{HeldKey, HeldParts, fits_frame},
    message::{Message, SyncError},
    refuse_reason::RefuseReason,
    sealed_block::CarriedBlock,
};
use std::collections::BTreeMap;
use wadi_log::{Block, Cosignature, Enrolment, LogId};

impl Session {
    /// Asks for the next block to send, the most urgent lane first, as long as the window is open.
    pub(crate) fn pump(&mut self, out: &mut Vec<Output>) {
        if !self.phase.is_running() {
            return;
        }

        let due = self.due_blocks();
        if due.is_empty() && self.window.has_room_for_bulk() {
            // What is kept for others goes when nothing of this node's own is due.
            if let Some(range) = self.carrying.next_wanted() {
                let query = Query::Carried {
                    log: range.log,
                    from: range.from,
                };
                if self.window.load(&query) {
                    out.push(Output::AskStore(query));
                }
            }

            return;
        }

        for block in self.window.choose(due) {
            let DueBlock { log, from, .. } = block;
            self.logs.entry(log).or_default().checked |= from == 0;
            out.push(Output::AskStore(Query::Block { log, from }));
        }
    }

    /// The logs of which a block may be sent.
    fn due_blocks(&self) -> Vec<DueBlock> {
        let all = self.start.iter().flat_map(|s| &s.frontier.0);
        all.filter(|(log, _)| self.lanes_here.sends(log.lane) && !self.waits_for_cut(log))
            .filter_map(|(log, tip)| {
                let from = next_block_at(self.logs.get(log), self.way_of(log)?)?;
                (from < tip.size).then(|| DueBlock::new(*log, from))
            })
            .collect()
    }

    /// How a log travels to the peer; none where it does not, or not yet.
    fn way_of(&self, log: &LogId) -> Option<Way> {
        if !self.visible(log) {
            return self.carrying.given(log).map(Way::Carried);
        }

        (!self.exchange.unfolds(&log.node)).then_some(Way::Shared)
    }

    /// The uplink is down: the peer keeps what the hub lacks of these own logs.
    ///
    /// Nothing is given to one that takes no sealed blocks: it could read them.
    pub(super) fn give_to_carry(&mut self, from: BTreeMap<LogId, u64>, out: &mut Vec<Output>) {
        if !self.carrying.takes_sealed() && !from.is_empty() {
            if self.carrying.has_to_tell() {
                let why = "it carries open blocks alone, which it could read: nothing is given to \
                           it for the hub until its software is renewed";
                note_refusal(out, self.peer_node().to_string(), "carries_open", why);
            }
            return;
        }

        // Taken out for the moment in which the session is asked what both may see.
        let mut carrying = std::mem::take(&mut self.carrying);
        let new = carrying.give(from, |log| self.visible(log));
        self.carrying = carrying;

        for (log, at) in new {
            self.logs.entry(log).or_default().sent = at;
        }

        self.pump(out);
    }

    /// The store gave the next block of a log that was due.
    pub(super) fn send_due_block(
        &mut self,
        log: LogId,
        from: u64,
        block: Block,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let given = self.carrying.given(&log).filter(|_| !self.visible(&log));
        let Some(held) = given else {
            return self.send_block(log, block, out);
        };

        if held == from {
            // Held back until the neighbour has it; CarryAck goes on from there.
            self.logs.entry(log).or_default().sent = block.checkpoint.checkpoint.size;
            out.push(Output::SealCarried(block));
        }

        Ok(())
    }

    /// The store gave a block that is kept for others and that the peer, a hub, wants. It lies here
    /// as it came: nothing is left out, and a refusal is about it.
    pub(super) fn send_carried(
        &mut self,
        log: LogId,
        block: CarriedBlock,
        bytes: Vec<u8>,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        self.window.say_in_full(&log);
        self.carrying.hand(log);
        let sealed = match block {
            CarriedBlock::Open(block) => return self.send_block(log, block, out),
            CarriedBlock::Sealed(sealed) => sealed,
        };

        if !self.carrying.takes_sealed() {
            let why = "its software does not open what is sealed to it: renew it";
            note_refusal(out, self.peer_node().to_string(), "carried_unopened", why);
            return Ok(());
        }

        let to = sealed.range.to;
        self.window.send_sealed(log, to, bytes.len());
        self.logs.entry(log).or_default().sent = to;
        out.push(Output::SendFrame {
            lane: log.lane,
            bytes,
        });
        Ok(())
    }

    pub(super) fn send_block(
        &mut self,
        log: LogId,
        block: Block,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        if !fits_frame(&block) {
            // It would end the peer's patience with this node, each time anew, and every other
            // log's with it.
            self.rest_log(
                log,
                "block_too_large",
                "the next block of this log is larger than a frame takes",
                out,
            );
            return Ok(());
        }

        let keys: Vec<HeldKey> = self
            .window
            .asks_of(&log, &block)?
            .into_iter()
            .filter(|key| self.is_held_there(key))
            .collect();
        if keys.is_empty() {
            return self.send_frame(log, block, &HeldParts::default(), out);
        }

        // What the peer holds is left out where this node's store tells the same.
        let from = block.from;
        let query = Query::HeldForBlock { log, from, keys };
        self.window.park(&query, log, block);
        out.push(Output::AskStore(query));
        Ok(())
    }

    /// Whether the peer is known to hold what a block could leave out. Of a log of which it holds
    /// more than this node does, it holds this node's part unless the log is forked: then it cannot
    /// rebuild the block, and says so.
    fn is_held_there(&self, key: &HeldKey) -> bool {
        let (log, reach) = key.reach();
        let own = self.own_tip(&log).size;
        let is_prefix = |l: &PeerLog| l.checked || l.theirs >= own;
        let known = self.logs.get(&log);

        self.visible(&log)
            && known.is_some_and(|l| {
                is_prefix(l) && l.fork_search.is_none() && l.theirs >= reach && own >= reach
            })
    }

    /// The store told what a block may leave out.
    pub(super) fn send_parked(
        &mut self,
        log: LogId,
        from: u64,
        answer: QueryAnswer,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let held = answer.into_held();
        match self.window.unpark(log, from) {
            Some(block) => self.send_frame(log, block, &held, out),
            None => Ok(()),
        }
    }

    fn send_frame(
        &mut self,
        log: LogId,
        block: Block,
        held: &HeldParts,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        // Its node was cut while the block was read: it is read again when the peer knows.
        if self.waits_for_cut(&log) {
            return Ok(());
        }

        let to = block.checkpoint.checkpoint.size;
        let bytes = self.window.send(log, block, held)?;
        self.logs.entry(log).or_default().sent = to;
        out.push(Output::SendFrame {
            lane: log.lane,
            bytes,
        });

        Ok(())
    }

    /// Nothing more of a log in this session; it is shown why.
    pub(super) fn rest_log(&mut self, log: LogId, code: &str, why: &str, out: &mut Vec<Output>) {
        self.logs.entry(log).or_default().stuck = true;
        note_refusal(out, log.origin(), code, why);
    }

    /// A hub that holds all of an own log and whose cosignature was lost on the way is shown the
    /// head again.
    pub(crate) fn show_uncosigned(&mut self, out: &mut Vec<Output>) {
        if !self.peer_is_hub() {
            return;
        }

        let logs = self.start.as_ref().map(|s| s.uncosigned.clone());
        for log in logs.into_iter().flatten() {
            self.show_head(log, out);
        }
    }

    /// Shows the head of a log that the peer holds to its end.
    pub(super) fn show_head(&mut self, log: LogId, out: &mut Vec<Output>) {
        let size = self.own_tip(&log).size;
        let at_end = self
            .logs
            .get(&log)
            .is_some_and(|l| l.theirs == size && l.sent == size && !l.stuck);

        if self.phase.is_running() && at_end && self.visible(&log) {
            let query = Query::Block { log, from: size };
            if self.window.load(&query) {
                out.push(Output::AskStore(query));
            }
        }
    }

    /// A block that was sent is durable at the peer, which holds `size` entries of the log.
    pub(super) fn block_taken(
        &mut self,
        log: LogId,
        size: u64,
        cosignature: Option<Cosignature>,
        out: &mut Vec<Output>,
    ) {
        let Some(answered) = self.window.answered(&log) else {
            return;
        };
        let link = self.logs.entry(log).or_default();
        link.acknowledged(size, answered.to);
        self.tell_other_links(log, out);

        if let (Some(cosignature), Some(checkpoint)) = (cosignature, answered.checkpoint)
            && answered.to == size
        {
            out.push(Output::TakeCosignature {
                checkpoint: Box::new(checkpoint),
                cosignature,
            });
        }

        self.pump(out);
        self.note_in_step(out);
    }

    /// The peer does not take a block that was sent, or asks for a log again.
    pub(super) fn block_refused(
        &mut self,
        log: LogId,
        size: u64,
        reason: RefuseReason,
        out: &mut Vec<Output>,
    ) {
        if reason == RefuseReason::Retry {
            self.retry_log(log, size, out);
            return;
        }

        let Some(answered) = self.window.answered(&log) else {
            return;
        };
        if !answered.void && !self.heed_refusal(log, size, &reason, out) {
            return;
        }

        self.pump(out);
        self.note_in_step(out);
    }

    /// What a refusal means for its log; false where the session ends.
    fn heed_refusal(
        &mut self,
        log: LogId,
        size: u64,
        reason: &RefuseReason,
        out: &mut Vec<Output>,
    ) -> bool {
        if matches!(reason, RefuseReason::Other { .. }) && self.carrying.take_handed(&log) {
            out.push(Output::CarriedRefused(log));
        }

        let link = self.logs.entry(log).or_default();
        match reason {
            // What was left out may have been rebuilt wrongly: once more, and in full.
            RefuseReason::Unresolved | RefuseReason::Other { .. }
                if self.window.say_in_full(&log) && link.rewind(size) =>
            {
                self.window.void(&log);
            }
            RefuseReason::Gap => {
                if link.rewind(size) {
                    self.window.void(&log);
                } else {
                    self.rest_refused(log, size, reason, out);
                }
            }
            RefuseReason::NotEnrolled => {
                // It rests until the peer, having learned of the author, asks for it again.
                link.stuck = true;
                self.window.void(&log);

                let members = self.start.iter().flat_map(|s| &s.members);
                let author: Vec<Enrolment> =
                    members.filter(|e| e.node() == log.node).cloned().collect();
                out.push(Output::SendMessage(Message::Members(author)));
            }
            RefuseReason::OverBudget => {
                // It rests until the peer asks for it again; what is on its way is refused, too.
                self.window.void(&log);
                self.rest_refused(log, size, reason, out);
            }
            _ if reason.is_store_trouble() => {
                // Not the log's fault: the next connection tries again.
                self.phase.close();
                out.push(Output::CloseConnection {
                    code: "peer_store",
                    why: format!("the peer cannot store: {reason}"),
                });

                return false;
            }
            _ => self.rest_refused(log, size, reason, out),
        }

        true
    }

    fn rest_refused(
        &mut self,
        log: LogId,
        size: u64,
        reason: &RefuseReason,
        out: &mut Vec<Output>,
    ) {
        let why = format!("the peer does not take this log beyond {size} entries");
        self.rest_log(log, reason.code(), &why, out);
    }

    /// What made a log rest at the peer has passed: it goes on from what is held there.
    fn retry_log(&mut self, log: LogId, size: u64, out: &mut Vec<Output>) {
        if let Some(link) = self.logs.get_mut(&log)
            && link.fork_search.is_none()
            && link.rewind(size)
        {
            link.stuck = false;
            self.window.void(&log);
            self.pump(out);
        }
    }
}
