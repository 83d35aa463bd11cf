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

/// The search for the first position at which two holders differ.
#[derive(Debug)]
pub(crate) struct Hunt {
    pub(crate) equal: u64,
    pub(crate) differ: u64,
    pub(crate) mine: Option<BTreeMap<u64, Hash>>,
    pub(crate) theirs: Option<BTreeMap<u64, Hash>>,
    pub(crate) my_branch: Option<Branch>,
    pub(crate) their_branch: Option<Branch>,
}

impl Hunt {
    pub(crate) fn new(differ: u64, theirs: Option<BTreeMap<u64, Hash>>) -> Self {
        Self { equal: 0, differ, mine: None, theirs, my_branch: None, their_branch: None }
    }
}

impl Session {
    /// One step of the search: narrows the stretch between the largest size known equal and the smallest known to differ.
    pub(crate) fn hunt(&mut self, log: LogId, out: &mut Vec<Output>) {
        let Some(link) = self.logs.get_mut(&log) else { return };
        let Some(hunt) = &mut link.hunt else { return };
        if let (Some(mine), Some(theirs)) = (&hunt.mine, &hunt.theirs) {
            let mut compared = false;
            let (mut equal, mut differ) = (hunt.equal, hunt.differ);
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
            (hunt.equal, hunt.differ) = (equal, differ);
            (hunt.mine, hunt.theirs) = (None, None);
            if hunt.equal == hunt.differ {
                // What they hold is a prefix of what is held here.
                link.hunt = None;
                link.checked = true;
                self.pump(out);
                return;
            }
            if !compared {
                // The peer does not answer what was asked: the log rests for this session.
                link.hunt = None;
                link.stuck = true;
                refuse(out, log.origin(), "fork_unproven", "roots differ, and the peer does not show where");
                return;
            }
        } else if hunt.mine.is_some() || hunt.theirs.is_some() {
            return; // the other half is on its way
        }
        link.stuck = true;
        let (equal, differ) = (hunt.equal, hunt.differ);
        if differ - equal == 1 {
            out.push(Output::Send(Message::WantBranch { log, at: equal }));
            out.push(Output::Ask(Query::Branch { log, at: equal, for_peer: false }));
            return;
        }
        let span = differ - equal;
        let mut sizes: Vec<u64> =
            (1..=PROBES).map(|n| equal + (span * n / (PROBES + 1)).max(n.min(span - 1))).collect();
        sizes.retain(|s| *s > equal && *s < differ);
        sizes.dedup();
        out.push(Output::Send(Message::Probe { log, sizes: sizes.clone() }));
        out.push(Output::Ask(Query::Roots { log, sizes, for_peer: false }));
    }

    pub(crate) fn prove(&mut self, log: LogId, out: &mut Vec<Output>) {
        let Some(link) = self.logs.get_mut(&log) else { return };
        if let Some(Hunt { my_branch: Some(_), their_branch: Some(_), .. }) = &link.hunt
            && let Some(hunt) = link.hunt.take()
            && let (Some(mine), Some(theirs)) = (hunt.my_branch, hunt.their_branch)
        {
            let proof = ForkProof::new(hunt.equal, mine, theirs);
            out.push(Output::Send(Message::ForkProofs(vec![proof.clone()])));
            out.push(Output::TakeForks(vec![proof]));
        }
    }
}
