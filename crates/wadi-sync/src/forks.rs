//! The search for forks: where two holders of one log first differ, and the proof of it.

use crate::{
    Session,
    message::Message,
    session::{Output, Query, note_refusal},
};
use std::collections::BTreeMap;
use wadi_log::{Branch, ForkProof, Hash, LogId};

/// Sizes probed in one round of a search: each round divides what is left by nine.
pub(crate) const PROBES_PER_ROUND: u64 = 8;

/// Bytes of the proofs in one message, about: whoever forks all their logs makes nobody's message
/// too long.
const PROOFS_BYTES: usize = 64 * 1024;

/// What a root of a search takes, and a log that a checkpoint lists, about.
const ROOT_BYTES: usize = 64;
const LISTED_BYTES: usize = 16;

/// The search for the first position at which two holders differ.
#[derive(Debug)]
pub(crate) struct ForkSearch {
    /// The largest size at which both are known to be equal.
    equal: u64,
    /// The smallest size at which they are known to differ, or the peer's size.
    differ: u64,
    /// Roots of this round, as far as they have come.
    mine: Option<BTreeMap<u64, Hash>>,
    theirs: Option<BTreeMap<u64, Hash>>,
    /// What proves the fork at `equal`, as far as it has come.
    my_branch: Option<Branch>,
    their_branch: Option<Branch>,
}

/// Whose answer it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    Mine,
    Theirs,
}

/// What a search comes to next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// The other half of the round is on its way.
    Wait,
    /// What the peer holds is a prefix of what is held here.
    Prefix,
    /// The peer does not answer what was asked.
    Unproven,
    /// Both are equal up to this position, and differ there.
    ForkAt(u64),
    /// Roots at these sizes tell more.
    Probe(Vec<u64>),
}

impl ForkSearch {
    /// A search below the peer's size. Where its root at that size is known, it is the first to be
    /// compared.
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

    /// Bytes that it takes, about.
    pub(crate) fn held_bytes(&self) -> usize {
        let roots = [&self.mine, &self.theirs].into_iter().flatten();
        let roots: usize = roots.map(|roots| roots.len() * ROOT_BYTES).sum();
        let branches = [&self.my_branch, &self.their_branch].into_iter().flatten();
        let branches: usize = branches
            .map(|b| {
                let listed = b.checkpoint.checkpoint.logs.len() * LISTED_BYTES;
                b.path.len() * size_of::<Hash>() + listed
            })
            .sum();
        size_of::<Self>() + roots + branches
    }

    /// Roots came.
    fn add_roots(&mut self, side: Side, roots: BTreeMap<u64, Hash>) {
        match side {
            Side::Mine => self.mine = Some(roots),
            Side::Theirs => self.theirs = Some(roots),
        }
    }

    /// A branch came; false where it was not asked for.
    fn add_branch(&mut self, side: Side, at: u64, branch: Branch) -> bool {
        if at != self.equal {
            return false;
        }

        match side {
            Side::Mine => self.my_branch = Some(branch),
            Side::Theirs => self.their_branch = Some(branch),
        }

        true
    }

    /// One step: narrows the stretch between the largest size known equal and the smallest known to
    /// differ.
    fn advance(&mut self) -> Step {
        match (self.mine.take(), self.theirs.take()) {
            (Some(mine), Some(theirs)) => {
                let compared = self.narrow(&mine, &theirs);
                if self.equal == self.differ {
                    return Step::Prefix;
                }

                if !compared {
                    return Step::Unproven;
                }
            }
            (None, None) => {}
            (mine, theirs) => {
                self.mine = mine;
                self.theirs = theirs;
                return Step::Wait;
            }
        }

        if self.differ - self.equal == 1 {
            Step::ForkAt(self.equal)
        } else {
            Step::Probe(self.probes())
        }
    }

    /// Compares the roots of a round; false where there was none to compare.
    fn narrow(&mut self, mine: &BTreeMap<u64, Hash>, theirs: &BTreeMap<u64, Hash>) -> bool {
        let mut compared = false;
        for (size, root) in theirs.range(self.equal + 1..=self.differ) {
            match mine.get(size) {
                Some(own) if own == root => {
                    self.equal = *size;
                    compared = true;
                }
                Some(_) => {
                    self.differ = *size;
                    return true;
                }
                None => {}
            }
        }

        compared
    }

    /// Sizes that divide what is left.
    fn probes(&self) -> Vec<u64> {
        let span = self.differ - self.equal;
        let mut sizes: Vec<u64> = (1..=PROBES_PER_ROUND)
            .map(|n| self.equal + (span * n / (PROBES_PER_ROUND + 1)).max(n.min(span - 1)))
            .collect();

        sizes.retain(|s| *s > self.equal && *s < self.differ);
        sizes.dedup();
        sizes
    }

    /// The proof, once both branches are there.
    fn proof(&self) -> Option<ForkProof> {
        let mine = self.my_branch.clone()?;
        let theirs = self.their_branch.clone()?;
        Some(ForkProof::new(self.equal, mine, theirs))
    }
}

impl Session {
    /// Sends the proofs of logs that the peer may see, in as many messages as they need.
    pub(crate) fn send_forks(&self, proofs: Vec<ForkProof>, out: &mut Vec<Output>) {
        let mut part = Vec::new();
        let mut bytes = 0;
        for proof in proofs.into_iter().filter(|p| self.visible(&p.log())) {
            bytes += proof.to_bytes().len();
            part.push(proof);
            if bytes >= PROOFS_BYTES {
                let full = std::mem::take(&mut part);
                out.push(Output::SendMessage(Message::ForkProofs(full)));
                bytes = 0;
            }
        }

        if !part.is_empty() {
            out.push(Output::SendMessage(Message::ForkProofs(part)));
        }
    }

    /// Roots of a log came, from the store or from the peer: the search goes on, if there is one.
    pub(crate) fn add_roots(
        &mut self,
        side: Side,
        log: LogId,
        roots: BTreeMap<u64, Hash>,
        out: &mut Vec<Output>,
    ) {
        if let Some(search) = self.fork_search_of(&log) {
            search.add_roots(side, roots);
            self.advance_fork_search(log, out);
        }
    }

    /// A branch of a log came, from the store or from the peer: with both, the fork is proven.
    pub(crate) fn add_branch(
        &mut self,
        side: Side,
        log: LogId,
        at: u64,
        branch: Branch,
        out: &mut Vec<Output>,
    ) {
        if let Some(search) = self.fork_search_of(&log)
            && search.add_branch(side, at, branch)
            && let Some(proof) = search.proof()
        {
            self.logs.entry(log).or_default().fork_search = None;
            out.push(Output::SendMessage(Message::ForkProofs(vec![
                proof.clone(),
            ])));
            out.push(Output::TakeForks(vec![proof]));
        }
    }

    fn fork_search_of(&mut self, log: &LogId) -> Option<&mut ForkSearch> {
        self.logs.get_mut(log)?.fork_search.as_deref_mut()
    }

    /// One step of the search in a log.
    pub(crate) fn advance_fork_search(&mut self, log: LogId, out: &mut Vec<Output>) {
        let Some(search) = self.fork_search_of(&log) else {
            return;
        };
        let step = search.advance();
        let link = self.logs.entry(log).or_default();

        match step {
            Step::Wait => {}
            Step::Prefix => {
                link.fork_search = None;
                link.checked = true;
                self.pump(out);
            }
            Step::Unproven => {
                // The log rests for this session.
                link.fork_search = None;
                link.stuck = true;
                note_refusal(
                    out,
                    log.origin(),
                    "fork_unproven",
                    "roots differ, and the peer does not show where",
                );
            }
            Step::ForkAt(at) => {
                link.stuck = true;
                out.push(Output::SendMessage(Message::WantBranch { log, at }));
                out.push(Output::AskStore(Query::Branch {
                    log,
                    at,
                    for_peer: false,
                }));
            }
            Step::Probe(sizes) => {
                link.stuck = true;
                out.push(Output::SendMessage(Message::Probe {
                    log,
                    sizes: sizes.clone(),
                }));
                out.push(Output::AskStore(Query::Roots {
                    log,
                    sizes,
                    for_peer: false,
                }));
            }
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
            peer_holds_me: false,
            members: vec![me, peer.clone()],
            frontier: Frontier::default(),
            closed: BTreeSet::new(),
            hub_time_s: 0,
            forks: (0..1_000).map(proof).collect(),
            uncosigned: BTreeSet::new(),
            remembered: None,
            late: false,
            rate_bits_s: None,
        };

        let mut told = 0;
        for output in Session::new(peer.node()).handle(Input::Connected(Box::new(start))) {
            let Output::SendMessage(message) = output else {
                continue;
            };
            assert!(message.encode().len() <= MESSAGE_BYTES_MAX);

            if let Message::ForkProofs(proofs) = message {
                told += proofs.len();
            }
        }

        assert_eq!(told, 1_000);
    }

    /// Roots of a log of so many entries that differs from another from `fork` on.
    fn roots(sizes: &[u64], fork: u64, branch: u8) -> BTreeMap<u64, Hash> {
        let root = |size: &u64| {
            let mark = if *size > fork { branch } else { 0 };
            (*size, Hash([mark; 32]))
        };
        sizes.iter().map(root).collect()
    }

    #[test]
    fn a_fork_in_a_million_entries_is_found_in_seven_rounds() {
        for fork in [0, 1, 499_999, 999_999] {
            let mut search = ForkSearch::new(1_000_000, None);
            let mut rounds = 0;
            let at = loop {
                match search.advance() {
                    Step::Probe(sizes) => {
                        rounds += 1;
                        search.add_roots(Side::Theirs, roots(&sizes, fork, 1));
                        assert_eq!(search.advance(), Step::Wait);
                        search.add_roots(Side::Mine, roots(&sizes, fork, 2));
                    }
                    Step::ForkAt(at) => break at,
                    other => panic!("{other:?}"),
                }
            };

            assert_eq!(at, fork);
            assert!(rounds <= 7, "{rounds} rounds");
        }
    }

    #[test]
    fn an_equal_root_ends_a_search_and_so_does_a_peer_that_answers_something_else() {
        let theirs = roots(&[40], 100, 1);
        let mut search = ForkSearch::new(40, Some(theirs.clone()));
        assert_eq!(search.advance(), Step::Wait);
        search.add_roots(Side::Mine, theirs);
        assert_eq!(search.advance(), Step::Prefix);

        let mut search = ForkSearch::new(40, None);
        assert!(matches!(search.advance(), Step::Probe(_)));
        search.add_roots(Side::Mine, roots(&[10, 20], 0, 1));
        search.add_roots(Side::Theirs, BTreeMap::new());
        assert_eq!(search.advance(), Step::Unproven);
    }
}
