//! The search for forks: where two holders of one log first differ, and the proof of it.

use crate::{
    Session,
    message::Message,
    session::{Output, Query, refuse},
};
use std::collections::BTreeMap;
use wadi_log::{Branch, ForkProof, Hash, LogId};

/// Sizes probed at once when a fork is searched out: each round divides what is left by nine.
pub(crate) const PROBES: u64 = 8;

/// Bytes of the proofs in one message, about: whoever forks all their logs makes nobody's message
/// too long.
const PROOFS_BYTES: usize = 64 * 1024;

/// The search for the first position at which two holders differ.
#[derive(Debug)]
pub(crate) struct ForkSearch {
    pub(crate) equal: u64,
    pub(crate) differ: u64,
    pub(crate) mine: Option<BTreeMap<u64, Hash>>,
    pub(crate) theirs: Option<BTreeMap<u64, Hash>>,
    pub(crate) my_branch: Option<Branch>,
    pub(crate) their_branch: Option<Branch>,
}

impl ForkSearch {
    pub(crate) fn new(differ: u64, theirs: Option<BTreeMap<u64, Hash>>) -> Box<Self> {
        Box::new(Self {
            equal: 0,
            differ,
            mine: None,
            theirs,
            my_branch: None,
            their_branch: None,
        })
    }
}

impl Session {
    /// Sends the proofs of logs that the peer may see, in as many messages as they need.
    pub(crate) fn send_forks(&self, proofs: Vec<ForkProof>, out: &mut Vec<Output>) {
        let (mut part, mut bytes) = (Vec::new(), 0);
        for proof in proofs.into_iter().filter(|p| self.visible(&p.log())) {
            bytes += proof.to_bytes().len();
            part.push(proof);
            if bytes >= PROOFS_BYTES {
                out.push(Output::Send(Message::ForkProofs(std::mem::take(&mut part))));
                bytes = 0;
            }
        }

        if !part.is_empty() {
            out.push(Output::Send(Message::ForkProofs(part)));
        }
    }

    /// One step of the search: narrows the stretch between the largest size known equal and the
    /// smallest known to differ.
    pub(crate) fn fork_search(&mut self, log: LogId, out: &mut Vec<Output>) {
        let Some(link) = self.logs.get_mut(&log) else {
            return;
        };
        let Some(fork_search) = &mut link.fork_search else {
            return;
        };

        if let (Some(mine), Some(theirs)) = (&fork_search.mine, &fork_search.theirs) {
            let mut compared = false;
            let (mut equal, mut differ) = (fork_search.equal, fork_search.differ);
            for (size, root) in theirs.range(equal + 1..=differ) {
                match mine.get(size) {
                    Some(own) if own == root => (equal, compared) = (*size, true),
                    Some(_) => {
                        (differ, compared) = (*size, true);
                        break;
                    }
                    None => {}
                }
            }

            (fork_search.equal, fork_search.differ) = (equal, differ);
            (fork_search.mine, fork_search.theirs) = (None, None);
            if fork_search.equal == fork_search.differ {
                // What they hold is a prefix of what is held here.
                link.fork_search = None;
                link.checked = true;
                self.pump(out);
                return;
            }

            if !compared {
                // The peer does not answer what was asked: the log rests for this session.
                link.fork_search = None;
                link.stuck = true;
                refuse(
                    out,
                    log.origin(),
                    "fork_unproven",
                    "roots differ, and the peer does not show where",
                );

                return;
            }
        } else if fork_search.mine.is_some() || fork_search.theirs.is_some() {
            return; // the other half is on its way
        }

        link.stuck = true;
        let (equal, differ) = (fork_search.equal, fork_search.differ);
        if differ - equal == 1 {
            out.push(Output::Send(Message::WantBranch { log, at: equal }));
            out.push(Output::Ask(Query::Branch {
                log,
                at: equal,
                for_peer: false,
            }));

            return;
        }

        let span = differ - equal;
        let mut sizes: Vec<u64> = (1..=PROBES)
            .map(|n| equal + (span * n / (PROBES + 1)).max(n.min(span - 1)))
            .collect();

        sizes.retain(|s| *s > equal && *s < differ);
        sizes.dedup();
        out.push(Output::Send(Message::Probe {
            log,
            sizes: sizes.clone(),
        }));
        out.push(Output::Ask(Query::Roots {
            log,
            sizes,
            for_peer: false,
        }));
    }

    pub(crate) fn prove(&mut self, log: LogId, out: &mut Vec<Output>) {
        let Some(link) = self.logs.get_mut(&log) else {
            return;
        };
        if let Some(ForkSearch {
            my_branch: Some(_),
            their_branch: Some(_),
            ..
        }) = link.fork_search.as_deref()
            && let Some(fork_search) = link.fork_search.take()
            && let (Some(mine), Some(theirs)) = (fork_search.my_branch, fork_search.their_branch)
        {
            let proof = ForkProof::new(fork_search.equal, mine, theirs);
            out.push(Output::Send(Message::ForkProofs(vec![proof.clone()])));
            out.push(Output::TakeForks(vec![proof]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, MESSAGE_BYTES_MAX, Snapshot};
    use std::collections::BTreeSet;
    use wadi_log::{
        Checkpoint, Crossing, Enrolment, Epoch, Frontier, Lane, LogKey, Role, RootKey, Scope,
    };

    #[test]
    fn a_thousand_forked_logs_are_told_in_messages_that_a_peer_takes() {
        let (root, key) = (LogKey::from_seed(&[1; 32]), LogKey::from_seed(&[3; 32]));
        let crossing: Crossing = "TRB".parse().unwrap();
        let member = |key: &LogKey, role: Role, crossing: Crossing| {
            let (log_key, tls_key, root_signature) = (key.public(), [0; 32], [0; 64]);
            let scope = Scope::all();
            let (name, crossing) = ("somebody".to_string(), Some(crossing));
            let (serial, issued_s) = (1, 0);

            Enrolment {
                name,
                role,
                crossing,
                log_key,
                tls_key,
                scope,
                serial,
                issued_s,
                root_signature,
            }
            .issue(&root)
            .unwrap()
        };

        let me = member(&LogKey::from_seed(&[2; 32]), Role::Hub, Crossing::HUB);
        let peer = member(&key, Role::Crossing, crossing);
        let proof = |n: u32| {
            let mut epoch = [0; 8];
            epoch[..4].copy_from_slice(&n.to_be_bytes());
            let log = LogId {
                node: key.node(),
                epoch: Epoch(epoch),
                lane: Lane::Hold,
                crossing,
            };

            let branch = |leaf: u8| {
                let root = Hash([leaf; 32]);
                let checkpoint = key.sign(Checkpoint {
                    log,
                    size: 1,
                    root,
                    hub_time_s: 0,
                    logs: vec![],
                });

                Branch {
                    checkpoint,
                    leaf: root,
                    path: vec![],
                }
            };

            ForkProof::new(0, branch(1), branch(2))
        };

        let start = Snapshot {
            root: RootKey(root.public()),
            me: me.clone(),
            members: vec![me, peer.clone()],
            frontier: Frontier::default(),
            closed: BTreeSet::new(),
            hub_time_s: 0,
            forks: (0..1_000).map(proof).collect(),
            uncosigned: BTreeSet::new(),
            remembered: None,
            late: false,
            rate_bits_s: 0,
        };

        let mut told = 0;
        for output in Session::new(peer.node()).handle(Input::Start(Box::new(start))) {
            let Output::Send(message) = output else {
                continue;
            };
            assert!(message.encode().len() <= MESSAGE_BYTES_MAX);

            if let Message::ForkProofs(proofs) = message {
                told += proofs.len();
            }
        }

        assert_eq!(told, 1_000);
    }
}
