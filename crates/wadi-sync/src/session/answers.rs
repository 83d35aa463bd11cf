//! What the store answers.

use super::{Output, Query, QueryAnswer, Session};
use crate::{
    forks::Side,
    message::{Message, SCOPES_MAX, ScopeSum, SyncError},
};

impl Session {
    pub(super) fn use_answer(
        &mut self,
        query: Query,
        answer: QueryAnswer,
        out: &mut Vec<Output>,
    ) -> Result<(), SyncError> {
        self.window.loaded(&query);
        match (query, answer) {
            (Query::Block { log, from }, QueryAnswer::Block(Some(block))) => {
                self.send_due_block(log, from, block, out)?;
                self.pump(out);
            }
            (Query::HeldForBlock { log, from, .. }, answer) => {
                self.send_parked(log, from, answer, out)?;
                self.pump(out);
            }
            (Query::HeldForFrame { lane, .. }, answer) => {
                return self.resume_frames(lane, answer, out);
            }
            (Query::Block { log, from }, _) if from < self.own_tip(&log).size => {
                self.rest_log(
                    log,
                    "unreadable",
                    "the store does not give the next block of this log",
                    out,
                );
                self.pump(out);
            }
            (Query::Carried { log, .. }, answer) => {
                if let QueryAnswer::Carried(Some((block, bytes))) = answer {
                    self.send_carried(log, block, bytes, out)?;
                }
                self.pump(out);
            }
            (Query::Roots { log, for_peer, .. }, QueryAnswer::Roots(roots)) => {
                if for_peer {
                    out.push(Output::SendMessage(Message::Roots { log, roots }));
                } else {
                    self.add_roots(Side::Mine, log, roots, out);
                }
            }
            (Query::Branch { log, at, for_peer }, QueryAnswer::Branch(Some(branch))) => {
                if for_peer {
                    let branch = Box::new(branch);
                    out.push(Output::SendMessage(Message::BranchAt { log, at, branch }));
                } else {
                    self.add_branch(Side::Mine, log, at, branch, out);
                }
            }
            (query, answer) => self.answer_peer(query, answer, out),
        }

        Ok(())
    }

    /// Tells the peer what the store says to its question about a tree, or about what records come
    /// to.
    fn answer_peer(&self, query: Query, answer: QueryAnswer, out: &mut Vec<Output>) {
        match (query, answer) {
            (Query::Stretches { .. }, QueryAnswer::Stretches(fetched)) => {
                out.push(Output::SendMessage(Message::Fetched(fetched)));
            }
            (Query::Digests, QueryAnswer::Digests(sums)) => self.send_digests(sums, out),
            (Query::Tree { log, tip, salt, .. }, QueryAnswer::Tree(hashes)) => {
                out.push(Output::SendMessage(Message::TreeIs {
                    log,
                    tip,
                    salt,
                    hashes,
                }))
            }
            (Query::Sketch { log, tip, salt, .. }, QueryAnswer::Sketch(sketch)) => {
                out.push(Output::SendMessage(Message::SketchIs {
                    log,
                    tip,
                    salt,
                    sketch,
                }))
            }
            (Query::Pick { .. }, QueryAnswer::Picked(picked)) => {
                out.push(Output::SendMessage(Message::Picked(picked)));
            }
            _ => {}
        }
    }

    /// Of what the peer takes as a whole, and no more: a sum over part of a lane would equal
    /// nothing.
    fn send_digests(&self, sums: Vec<ScopeSum>, out: &mut Vec<Output>) {
        let takes = |s: &ScopeSum| {
            self.peer()
                .is_some_and(|p| p.scope.takes(s.lane, s.crossing))
        };

        let sums = sums.into_iter().filter(takes).take(SCOPES_MAX).collect();
        out.push(Output::SendMessage(Message::Digests(sums)));
    }
}
