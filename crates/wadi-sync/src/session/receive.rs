//! What comes from the peer: messages and block frames.

use super::{
    LIST_ITEMS_MAX, Output, PROTOCOL_VERSION, Query, Session, carrying::wanted_of,
    members::SHORT_HELLO_MARK, note_refusal, send_refusal,
};
use crate::{
    codec::{CodecVersion, fits_frame},
    forks::{PROBES_PER_ROUND, Side},
    message::{Message, Range, SyncError, TreeAsk},
    refuse_reason::RefuseReason,
    sealed_block::{CarriedBlock, SEALED_MARK, read_carried},
    sketch::SKETCH_MARK,
    visible::may_take,
};
use std::collections::BTreeSet;
use wadi_log::{Enrolment, Hash, LogId, NodeId, Role};

/// Enrolments in one message.
const MEMBERS_PER_MESSAGE: usize = 200;

impl Session {
    pub(super) fn receive_message(
        &mut self,
        message: Message,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        // Who speaks, and with which papers, is known before anything of it is heeded.
        let is_hello = matches!(message, Message::Hello { .. });
        if self.start.is_none() || !self.is_greeted() && !is_hello {
            return Err(SyncError::OutOfOrder("a message"));
        }

        self.note_hello(&message);
        match message {
            Message::Hello {
                version,
                enrolment,
                digest,
                members,
                hub_time_s,
                .. // its rate is for the porch, its software for the board
            } => {
                let enrolment = self.check_hello(version, enrolment.map(|e| *e))?;
                self.receive_hello(enrolment, digest, members, hub_time_s, out);
            }
            Message::Members(list) => self.receive_members(list, out),
            // The driver has to learn the members before the proofs can be verified: order is kept.
            Message::ForkProofs(proofs) => out.push(Output::TakeForks(
                proofs.into_iter().take(LIST_ITEMS_MAX).collect(),
            )),
            Message::Frontier { folded, part } => {
                return self.receive_frontier(folded, part, out);
            }
            Message::Unfold(nodes) => self.answer_unfold(&nodes, out),
            Message::Recompare => self.peer_compares_anew(),

            Message::Ack {
                log,
                size,
                cosignature,
                refused: None,
            } => self.block_taken(log, size, cosignature, out),
            Message::Ack {
                log,
                size,
                refused: Some(reason),
                ..
            } => self.block_refused(log, size, reason, out),
            Message::Cosigned {
                checkpoint,
                cosignature,
            } => out.push(Output::TakeCosignature {
                checkpoint,
                cosignature,
            }),
            Message::Excerpt {
                record,
                from,
                entries,
            } => out.push(Output::TakeExcerpt {
                record,
                from,
                entries,
            }),
            Message::ExcerptAck(amount) => out.push(Output::ExcerptAcked(amount)),

            Message::CarryOffer(ranges) => self.answer_carry_offer(&ranges, out),
            Message::CarryWant(ranges) => self.answer_carry_want(ranges, out),
            Message::Carry { log, block } => return self.receive_carried(log, block, out),
            Message::CarryAck { log, size } => {
                if self.carrying.kept(&log, size) {
                    self.pump(out);
                }
            }

            Message::Roots { log, roots } => self.add_roots(Side::Theirs, log, roots, out),
            Message::BranchAt { log, at, branch } => {
                self.add_branch(Side::Theirs, log, at, *branch, out);
            }
            answer @ (Message::Fetched(_)
            | Message::Digests(_)
            | Message::TreeIs { .. }
            | Message::SketchIs { .. }
            | Message::Picked(_)) => take_answer(answer, out),
            question @ (Message::Probe { .. }
            | Message::WantBranch { .. }
            | Message::Fetch { .. }
            | Message::Tree { .. }
            | Message::Sketch { .. }
            | Message::Pick { .. }
            | Message::AskDigests) => {
                if let Some(query) = self.query_of(question) {
                    out.push(Output::AskStore(query));
                }
            }
        }

        Ok(())
    }

    /// What a Hello tells of the peer itself: what it remembers, how it reads blocks, and what it
    /// knows of links.
    fn note_hello(&mut self, message: &Message) {
        let Message::Hello {
            remembers,
            codecs,
            link,
            ..
        } = message
        else {
            return;
        };

        self.memory.note_peers(*remembers);
        let best = CodecVersion::best_of(codecs).min(self.codec);
        self.window.use_codec(best);
        self.carrying.note_marks(codecs);
        self.peer_sketches = codecs.contains(&SKETCH_MARK);
        self.own_papers.note_marks(codecs);
        self.note_link(link.as_ref());
    }

    /// The marks of the versions of the block codec that this node reads. Version 1 alone is told
    /// by none, as earlier versions tell it.
    pub(super) fn codec_marks(&self) -> Vec<u8> {
        let known = CodecVersion::ALL.into_iter();
        let newer = known.filter(|v| *v > CodecVersion::Zstd && *v <= self.codec);
        let newer = newer.map(CodecVersion::mark);
        // Who reads columns takes blocks that are sealed, answers sketches, and reads short Hellos.
        let others = match self.codec > CodecVersion::Zstd {
            true => &[SEALED_MARK, SKETCH_MARK, SHORT_HELLO_MARK][..],
            false => &[],
        };
        newer.chain(others.iter().copied()).collect()
    }

    /// What the store is asked so that the peer's question can be answered; nothing where the
    /// question is about what the peer may not see.
    fn query_of(&self, question: Message) -> Option<Query> {
        match question {
            Message::Probe { log, sizes } if self.visible(&log) => {
                let held = self.own_tip(&log).size;
                let sizes = sizes
                    .into_iter()
                    .filter(|s| *s <= held)
                    .take(2 * PROBES_PER_ROUND as usize)
                    .collect();

                Some(Query::Roots {
                    log,
                    sizes,
                    for_peer: true,
                })
            }
            Message::WantBranch { log, at }
                if self.visible(&log) && at < self.own_tip(&log).size =>
            {
                Some(Query::Branch {
                    log,
                    at,
                    for_peer: true,
                })
            }
            Message::Fetch { log, tip, ranges } if self.visible(&log) => {
                Some(Query::Stretches { log, tip, ranges })
            }
            Message::Tree {
                log,
                tip,
                salt,
                asks,
            } if self.visible(&log) => Some(Query::Tree {
                log,
                tip,
                salt,
                parts: asks.iter().flat_map(TreeAsk::parts).collect(),
            }),
            Message::Sketch {
                log,
                tip,
                salt,
                ask,
            } if self.visible(&log) => Some(Query::Sketch {
                log,
                tip,
                salt,
                ask,
            }),
            Message::Pick { log, tip, ranges } if self.visible(&log) => {
                Some(Query::Pick { log, tip, ranges })
            }
            Message::AskDigests => Some(Query::Digests),
            _ => None,
        }
    }

    /// The peer's enrolment, the one that is held where it shows none, if it speaks this version
    /// and the enrolment is its own.
    fn check_hello(&self, version: u32, shown: Option<Enrolment>) -> Result<Enrolment, SyncError> {
        if version != PROTOCOL_VERSION {
            return Err(SyncError::Version {
                theirs: version,
                ours: PROTOCOL_VERSION,
            });
        }

        let held = self.start.iter().flat_map(|s| &s.members);
        let mut held = held.filter(|e| e.node() == self.peer_node);
        let Some(enrolment) = shown.or_else(|| held.next().cloned()) else {
            let why = format!(
                "{} showed no enrolment, and none of it is held: it shows one when it dials again",
                self.peer_node
            );
            return Err(SyncError::NotEnrolled(why));
        };

        let signed = self
            .start
            .as_ref()
            .is_some_and(|s| enrolment.verify(&s.root).is_ok());
        let is_enrolled = enrolment.node() == self.peer_node && signed;
        if !is_enrolled && !wadi_log::defence::off("enrolled-peer") {
            let why = format!(
                "{} did not show an enrolment of the commission for its own node",
                self.peer_node
            );
            return Err(SyncError::NotEnrolled(why));
        }

        Ok(enrolment)
    }

    fn receive_hello(
        &mut self,
        enrolment: Enrolment,
        digest: Hash,
        members: Hash,
        hub_time_s: i64,
        out: &mut Vec<Output>,
    ) {
        self.phase.greet();

        // Grants change by a newer enrolment: an older one that the peer prefers to show does not
        // bring them back.
        match self.peer.take().filter(|k| k.serial >= enrolment.serial) {
            Some(known) => self.peer = Some(known),
            None => {
                self.peer = Some(enrolment.clone());
                out.push(Output::LearnMembers(vec![enrolment]));
            }
        }

        self.narrow_scope(self.start.as_ref().is_some_and(|s| s.late));
        if self.peer_is_hub() && hub_time_s > 0 {
            out.push(Output::HubTime(hub_time_s));
        }

        if members != self.own_hello.members {
            let held = self
                .start
                .iter()
                .flat_map(|s| s.members.chunks(MEMBERS_PER_MESSAGE));
            out.extend(held.map(|part| Output::SendMessage(Message::Members(part.to_vec()))));
        } else {
            self.own_papers.note_equal_members();
        }

        if digest != self.own_hello.digest || !self.own_hello.knew_peer {
            self.tell_frontier(out);
            return;
        }

        for (log, tip) in &self.own_hello.frontier.0 {
            self.logs.entry(*log).or_default().holds(tip.size);
        }

        self.phase.run();
        self.show_uncosigned(out);
        self.pump(out);
        self.note_in_step(out);
    }

    fn receive_members(&mut self, list: Vec<Enrolment>, out: &mut Vec<Output>) {
        let known: BTreeSet<NodeId> = list.iter().map(Enrolment::node).collect();
        out.push(Output::LearnMembers(
            list.into_iter().take(LIST_ITEMS_MAX).collect(),
        ));

        // Now that their author is known, logs that rested are asked for again.
        for (log, size) in self.unknown_authors.take_known(&known) {
            send_refusal(out, log, size, RefuseReason::Retry);
        }
    }

    /// What of a peer's offer goes on where something ends here is wanted.
    fn answer_carry_offer(&self, ranges: &[Range], out: &mut Vec<Output>) {
        let wanted = wanted_of(ranges, |log| {
            self.may_take_here(log).then(|| self.own_tip(log).size)
        });

        if !wanted.is_empty() {
            out.push(Output::SendMessage(Message::CarryWant(wanted)));
        }
    }

    /// What is carried for somebody is for hubs: nobody else reads it, whoever asks.
    fn answer_carry_want(&mut self, ranges: Vec<Range>, out: &mut Vec<Output>) {
        let hub = self.peer.as_ref().filter(|p| p.role == Role::Hub);
        let readable = |r: &Range| hub.is_some_and(|p| may_take(p, &r.log));

        self.carrying.want(ranges.into_iter().filter(readable));
        self.pump(out);
    }

    fn receive_carried(
        &mut self,
        log: LogId,
        bytes: Vec<u8>,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        let block = read_carried(&bytes)?;

        let is_too_large = matches!(&block, CarriedBlock::Open(open) if !fits_frame(open));
        let is_foreign = log.node != self.peer_node || block.range().log != log;
        if is_foreign && !wadi_log::defence::off("carry-foreign") {
            note_refusal(
                out,
                log.origin(),
                "carry_foreign",
                "a node carries only what the owner itself hands it",
            );
        } else if is_too_large {
            note_refusal(
                out,
                log.origin(),
                "block_too_large",
                "no hub could be given what is carried so",
            );
        } else {
            out.push(Output::TakeCarried { block, bytes });
        }

        Ok(())
    }
}

/// Hands on what the peer answers about a tree or its records.
fn take_answer(answer: Message, out: &mut Vec<Output>) {
    out.push(match answer {
        Message::Fetched(fetched) => Output::TakeStretches(fetched),
        Message::Digests(sums) => Output::DigestsReceived(sums),
        Message::TreeIs {
            log,
            tip,
            salt,
            hashes,
        } => Output::TreeHashesReceived {
            log,
            tip,
            salt,
            hashes,
        },
        Message::SketchIs { salt, sketch, .. } => Output::SketchReceived { salt, sketch },
        Message::Picked(picked) => Output::PickedReceived(picked),
        _ => return,
    });
}
