//! What this node wants to know of the peer, and who waits for the answer.

use super::{Link, LinkAsk};
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use wadi_log::{Difference, Hash, LogId};
use wadi_sync::{Input, Message, Picked, ScopeSum};

/// Bytes around the hashes of a `TreeIs`, or the cells of a `SketchIs`, about: its length, the log,
/// the tip and the salt.
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

/// Entries that somebody waits for: which ones.
struct PickRequest {
    log: LogId,
    root: Hash,
    from: u64,
    reply: oneshot::Sender<Vec<Vec<u8>>>,
}

/// Who waits for which answer of the peer: one of each kind, and a later request takes the place of
/// an earlier one.
#[derive(Default)]
pub(super) struct Requests {
    comparing: Option<Comparing>,
    digests: Option<oneshot::Sender<Vec<ScopeSum>>>,
    tree: Option<TreeRequest>,
    sketch: Option<TreeRequest>,
    pick: Option<PickRequest>,
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
            tree.give(hashes);
        }
    }

    /// A sketch came; that of another question is nobody's.
    pub(super) fn sketch_came(&mut self, salt: u64, cells: Vec<u8>) {
        if let Some(sketch) = self.sketch.take_if(|s| s.salt == salt) {
            sketch.give(cells);
        }
    }

    /// Entries came; those of another question are nobody's.
    pub(super) fn picked_came(&mut self, picked: Picked) {
        let is_it = |p: &mut PickRequest| {
            (p.log, p.root, p.from) == (picked.log, picked.tip.root, picked.from)
        };
        if let Some(pick) = self.pick.take_if(is_it) {
            let _ = pick.reply.send(picked.entries);
        }
    }
}

impl TreeRequest {
    /// Answers whoever waits, with the bytes both ways.
    fn give(self, told: Vec<u8>) {
        let bytes = self.bytes + told.len() as u64 + TREE_FRAME_BYTES;
        let _ = self.reply.send((told, bytes));
    }
}

/// Bytes of a message on the wire, its length in front.
fn framed_bytes(message: &Message) -> u64 {
    message.encode().len() as u64 + 4
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
                let bytes = framed_bytes(&Message::Tree {
                    log,
                    tip,
                    salt,
                    asks: asks.clone(),
                });

                self.requests.tree = Some(TreeRequest { salt, bytes, reply });
                self.inputs.push_back(Input::AskTree {
                    log,
                    tip,
                    salt,
                    asks,
                });
            }
            // Whoever waits hears at once that this peer is not to be asked.
            LinkAsk::Sketch { log, .. } | LinkAsk::Pick { log, .. }
                if !self.session.sketches(&log) => {}
            LinkAsk::Sketch {
                log,
                tip,
                salt,
                ask,
                reply,
            } => {
                let bytes = framed_bytes(&Message::Sketch {
                    log,
                    tip,
                    salt,
                    ask: ask.clone(),
                });

                self.requests.sketch = Some(TreeRequest { salt, bytes, reply });
                self.inputs.push_back(Input::AskSketch {
                    log,
                    tip,
                    salt,
                    ask,
                });
            }
            LinkAsk::Pick {
                log,
                tip,
                ranges,
                reply,
            } => {
                self.requests.pick = Some(PickRequest {
                    log,
                    root: tip.root,
                    from: ranges.first().map_or(0, |(from, _)| *from),
                    reply,
                });
                self.inputs
                    .push_back(Input::PickEntries { log, tip, ranges });
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
    fn entries_of_another_question_are_nobodys() {
        let log = LogId {
            node: wadi_log::NodeId([1; 16]),
            epoch: wadi_log::Epoch([2; 8]),
            lane: wadi_log::Lane::Passage,
            crossing: wadi_log::Crossing::HUB,
        };
        let picked = |root: u8, from: u64| Picked {
            log,
            tip: wadi_log::Tip {
                size: 9,
                root: Hash([root; 32]),
            },
            from,
            entries: vec![vec![7]],
        };

        let (reply, mut answer) = oneshot::channel();
        let mut requests = Requests {
            pick: Some(PickRequest {
                log,
                root: Hash([3; 32]),
                from: 5,
                reply,
            }),
            ..Requests::default()
        };
        requests.picked_came(picked(3, 6));
        requests.picked_came(picked(4, 5));
        assert!(answer.try_recv().is_err());
        requests.picked_came(picked(3, 5));
        assert_eq!(answer.try_recv().unwrap(), [vec![7]]);
    }

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
