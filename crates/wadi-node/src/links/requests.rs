//! What this node wants to know of the peer, and who waits for the answer.

use super::{Link, LinkAsk};
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use wadi_log::{Difference, LogId};
use wadi_sync::{Input, Message, ScopeSum};

/// Bytes around the hashes of a `TreeIs`, about: its length, the log, the tip and the salt.
const TREE_FRAME_BYTES: u64 = 90;

/// A comparison that somebody waits for.
struct Comparing {
    reply: oneshot::Sender<(BTreeMap<LogId, Difference>, u64)>,
    /// Bytes of messages before it.
    bytes_before: u64,
}

/// Hashes of a tree that somebody waits for.
struct TreeRequest {
    salt: u64,
    /// Bytes of the question.
    bytes: u64,
    reply: oneshot::Sender<(Vec<u8>, u64)>,
}

/// Who waits for which answer of the peer: one of each kind, and a later request takes the place of
/// an earlier one.
#[derive(Default)]
pub(super) struct Requests {
    comparing: Option<Comparing>,
    digests: Option<oneshot::Sender<Vec<ScopeSum>>>,
    tree: Option<TreeRequest>,
}

impl Requests {
    /// Comparing came to an end, after so many bytes of messages in all.
    pub(super) fn compared(&mut self, differences: BTreeMap<LogId, Difference>, bytes: u64) {
        if let Some(c) = self.comparing.take() {
            let _ = c.reply.send((differences, bytes - c.bytes_before));
        }
    }

    /// The peer said what its records come to.
    pub(super) fn digests_came(&mut self, sums: Vec<ScopeSum>) {
        if let Some(reply) = self.digests.take() {
            let _ = reply.send(sums);
        }
    }

    /// Hashes of a tree came; those of another question are nobody's.
    pub(super) fn tree_came(&mut self, salt: u64, hashes: Vec<u8>) {
        if let Some(tree) = self.tree.take_if(|t| t.salt == salt) {
            let bytes = tree.bytes + hashes.len() as u64 + TREE_FRAME_BYTES;
            let _ = tree.reply.send((hashes, bytes));
        }
    }
}

impl Link<'_> {
    pub(super) fn start_request(&mut self, ask: LinkAsk) {
        match ask {
            LinkAsk::Compare(frontier, reply) => {
                self.requests.comparing = Some(Comparing {
                    reply,
                    bytes_before: self.session.message_bytes(),
                });
                self.inputs
                    .push_back(Input::CompareAnew(Box::new(frontier)));
            }
            LinkAsk::Digests(reply) => {
                self.requests.digests = Some(reply);
                self.inputs.push_back(Input::AskDigests);
            }
            LinkAsk::Tree {
                log,
                tip,
                salt,
                asks,
                reply,
            } => {
                let bytes = Message::Tree {
                    log,
                    tip,
                    salt,
                    asks: asks.clone(),
                }
                .encode()
                .len() as u64
                    + 4;

                self.requests.tree = Some(TreeRequest { salt, bytes, reply });
                self.inputs.push_back(Input::AskTree {
                    log,
                    tip,
                    salt,
                    asks,
                });
            }
        }
    }

    /// Asks the peer for what this node lacks and both may see, one message at a time.
    pub(super) fn fetch_wanted(&mut self) {
        if !self.session.is_greeted() {
            return;
        }

        let wanted = self.door.wants.lock().expect("no panic holds it").ask(
            self.peer,
            |log| self.session.visible(log),
            std::time::Instant::now(),
        );

        if let Some((log, tip, ranges)) = wanted {
            self.inputs
                .push_back(Input::FetchEntries { log, tip, ranges });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_another_question_are_nobodys() {
        let (reply, mut answer) = oneshot::channel();
        let mut requests = Requests {
            tree: Some(TreeRequest {
                salt: 7,
                bytes: 10,
                reply,
            }),
            ..Requests::default()
        };

        requests.tree_came(8, vec![1]);
        assert!(answer.try_recv().is_err());
        requests.tree_came(7, vec![1, 2]);
        assert_eq!(
            answer.try_recv().unwrap(),
            (vec![1, 2], 12 + TREE_FRAME_BYTES)
        );
    }
}
