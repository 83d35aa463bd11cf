//! What counts: a pure function of the control entries held.
//!
//! [`Control`] takes in control entries in any order and answers, for every entry of every log,
//! whether it counts. The answer depends on which control entries, fork proofs and hub cosignatures
//! are held, never on when they came.

mod acts;
mod bearing;
mod cuts;
mod hub_times;
mod officer_keys;
mod spares;

use crate::{
    Body, Crossing, Cut, Enrolment, Entry, ForkProof, Hash, Lane, LogError, LogId, NodeId,
    OfficerEntry, PolicyEntry, Reference, Role, RootKey,
    entry::{Closure, IssuedToken},
    frontier::Tip,
    shared::Shared,
};
use std::collections::{BTreeMap, BTreeSet};

pub use acts::{MemberAct, SaidMemberAct};

/// A cut, and the entry that says it.
#[derive(Clone, PartialEq, Debug)]
pub struct CutFact {
    /// Where it stands.
    pub reference: Reference,
    /// What it says.
    pub cut: Cut,
}

/// Whether an entry counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogVerdict {
    /// It counts.
    Counts,
    /// It lies past a cut, or past the last hub-cosigned head of a forked log: kept and shown; it
    /// may still restrict, never release.
    Quarantined,
}

/// What the holder of a log knows of the branch it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogState {
    /// Entries held on the main branch.
    pub size: u64,
    /// The main branch's root at the size that [`Control::bound`] asks about, where it is held that
    /// far.
    pub root_at_bound: Option<Hash>,
}

/// The last position that counts of a log, as cuts or hub cosignatures put it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    /// Entries that count.
    pub size: u64,
    /// On the branch with this root; `None` where the size is 0.
    pub root: Option<Hash>,
}

/// The control facts held. A copy costs little, and shares what neither changes.
#[derive(Clone, Debug)]
pub struct Control {
    root: RootKey,
    enrolments: Shared<BTreeMap<NodeId, Enrolment>>,
    cuts: Shared<cuts::Cuts>,
    admitted: Shared<BTreeMap<Reference, BTreeSet<Reference>>>,
    officers: Shared<BTreeMap<String, BTreeMap<Reference, OfficerEntry>>>,
    revoked_ms: Shared<BTreeMap<String, i64>>,
    officer_keys: Shared<officer_keys::OfficerKeys>,
    policies: Shared<BTreeMap<Reference, PolicyEntry>>,
    closures: Shared<BTreeMap<Reference, Closure>>,
    tokens: Shared<BTreeMap<Reference, IssuedToken>>,
    forks: Shared<BTreeMap<LogId, ForkProof>>,
    cosigned: Shared<BTreeMap<LogId, Shared<BTreeMap<NodeId, Tip>>>>,
    standing: Shared<BTreeMap<LogId, u64>>,
    boots: Shared<BTreeMap<LogId, BTreeMap<LogId, u64>>>,
    spares: Shared<spares::Spares>,
    said: Shared<BTreeMap<Reference, acts::SaidAct>>,
    hub_times: Shared<hub_times::HubTimes>,
}

impl Control {
    /// Nothing but the commission's root.
    pub fn new(root: RootKey) -> Self {
        Self {
            root,
            enrolments: Shared::default(),
            cuts: Shared::default(),
            admitted: Shared::default(),
            officers: Shared::default(),
            revoked_ms: Shared::default(),
            officer_keys: Shared::default(),
            policies: Shared::default(),
            closures: Shared::default(),
            tokens: Shared::default(),
            forks: Shared::default(),
            cosigned: Shared::default(),
            standing: Shared::default(),
            boots: Shared::default(),
            spares: Shared::default(),
            said: Shared::default(),
            hub_times: Shared::default(),
        }
    }

    /// The commission's root.
    pub fn root(&self) -> &RootKey {
        &self.root
    }

    /// Takes in an enrolment that the root signed. Returns whether it is news.
    pub fn enrol(&mut self, enrolment: Enrolment) -> Result<bool, LogError> {
        if !crate::defence::off("enrolment-root") {
            enrolment.verify(&self.root)?;
        }
        let node = enrolment.node();

        if self.has_enrolment(&enrolment) {
            return Ok(false);
        }

        self.enrolments.insert(node, enrolment);
        Ok(true)
    }

    /// Whether an enrolment, or one that holds in its place, was taken in.
    pub fn has_enrolment(&self, enrolment: &Enrolment) -> bool {
        // Of two enrolments of a node the larger serial holds, and of equal ones the smaller bytes:
        // any order, one result.
        let newer = |old: &Enrolment| {
            (enrolment.serial, std::cmp::Reverse(enrolment.to_bytes()))
                > (old.serial, std::cmp::Reverse(old.to_bytes()))
        };
        let held = self.enrolments.get(&enrolment.node());
        held.is_some_and(|old| !newer(old))
    }

    /// Whether a node may say that in that log, from the entry's own bytes and the enrolments
    /// alone.
    pub fn check_right(&self, log: &LogId, entry: &Entry) -> Result<(), LogError> {
        let author = self
            .enrolment(&log.node)
            .ok_or_else(|| LogError::NotEnrolled(log.node.to_string()))?;
        let no = |why: String| Err(LogError::NoRight(why));
        if author.role == Role::Observer {
            return no(format!("{} is an observer: it writes nothing", author.name));
        }

        let control = log.lane == Lane::Control;
        match &entry.body {
            Body::Seen(_) | Body::Unknown { .. } => Ok(()),
            Body::Change(_) if control => no("changes do not stand in a control log".into()),
            Body::Change(_) => Ok(()),
            _ if !control => no("control entries stand in a control log".into()),
            Body::Boot(b) if b.previous.iter().any(|h| h.log.node != log.node) => {
                no("a boot names another node's logs".into())
            }
            Body::Boot(_) | Body::ResyncReport(_) | Body::Alarm(_) | Body::ChainHead(_) => Ok(()),
            Body::Enrolment(e) => e.verify(&self.root).and(match author.role {
                Role::Hub => Ok(()),
                _ => no(format!("{} is no hub: it enrols nobody", author.name)),
            }),
            Body::Cut(c) if c.root_signature.is_some() && !c.is_root_signed(&self.root) => {
                Err(LogError::BadSignature { what: "cut" })
            }
            // Whoever is a member may carry what the root signed: a captured hub is the one that
            // will not.
            Body::Cut(c) if c.root_signature.is_some() => Ok(()),
            Body::Cut(c) if self.is_against_hub(c) => {
                no("a cut against a hub needs the root's signature".into())
            }
            _ if author.role == Role::Hub => Ok(()),
            _ => no(format!(
                "{} is no hub: it writes no control facts",
                author.name
            )),
        }
    }

    /// Takes in an entry of a control log that passed [`Self::check_right`]. Order does not matter;
    /// taking one in twice changes nothing. Returns whether verdicts, authority or membership may
    /// have changed.
    pub fn learn(&mut self, reference: Reference, entry: &Entry) -> bool {
        self.note_act(reference, entry);
        // What a log has seen is not told by its control facts, and comes here at a start alone.
        if !matches!(entry.body, Body::Seen(_)) {
            self.note_hub_time(&reference, entry.common.wall_ms);
        }

        match &entry.body {
            Body::Enrolment(e) => self.enrol(e.clone()).unwrap_or(false),
            Body::Officer(o) => {
                if o.revoked {
                    let at = self
                        .revoked_ms
                        .entry(o.officer.clone())
                        .or_insert(entry.common.wall_ms);
                    *at = (*at).max(entry.common.wall_ms);
                }

                self.officers
                    .entry(o.officer.clone())
                    .or_default()
                    .insert(reference, o.clone())
                    .is_none()
            }
            Body::Policy(p) => self.policies.insert(reference, p.clone()).is_none(),
            Body::Cut(c) => self.cuts.learn(reference, c, &self.root),
            Body::Admit(a) => self
                .admitted
                .insert(reference, a.entries.iter().copied().collect())
                .is_none(),
            Body::Closure(c) => self.closures.insert(reference, c.clone()).is_none(),
            Body::ReleaseToken(t) => {
                let issued = IssuedToken {
                    token: t.clone(),
                    officer: entry.common.officer.clone(),
                    department: entry.common.department.clone(),
                    by_token: entry.common.device.clone(),
                };
                self.tokens.insert(reference, issued).is_none()
            }
            Body::Spare(s) => self.spares.learn(reference, s),
            Body::OfficerKey(k) => self.learn_officer_key(reference, k, entry.common.wall_ms),
            // A boot is the first entry of its epoch, and speaks of another one.
            Body::Boot(b)
                if reference.seq == 0 && b.previous_epoch() != Some(reference.log.epoch) =>
            {
                let previous = b.previous.iter().map(|h| (h.log, h.size)).collect();
                self.boots.entry(reference.log).or_insert(previous);
                false
            }
            _ => false,
        }
    }

    /// Takes in a fork proof that was verified. Of several proofs of one log the one with the
    /// earliest fork is kept, and of each of its branches the furthest that any proof shows:
    /// whatever came first, all holders know the same of it.
    pub fn learn_fork(&mut self, proof: ForkProof) -> bool {
        let log = proof.log();
        let rank = |p: &ForkProof| (p.at, p.one.leaf, p.other.leaf);
        let new = rank(&proof);
        let known = self.forks.get(&log).map(rank);
        if known.is_some_and(|known| known < new) {
            return false;
        }

        if known == Some(new)
            && let Some(held) = self.forks.get_mut(&log)
        {
            return held.take_longer(&proof);
        }

        self.forks.insert(log, proof);
        true
    }

    /// Whether all that a fork proof shows was taken in.
    pub fn has_fork(&self, proof: &ForkProof) -> bool {
        let rank = |p: &ForkProof| (p.at, p.one.leaf, p.other.leaf);
        let held = self.forks.get(&proof.log());
        held.is_some_and(|held| match rank(held).cmp(&rank(proof)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => !held.clone().take_longer(proof),
            std::cmp::Ordering::Greater => false,
        })
    }

    /// Takes in a head that a node has cosigned; the longest of each witness is kept. Whether the
    /// witness is a hub is asked when it matters.
    pub fn learn_cosigned(&mut self, witness: NodeId, log: LogId, tip: Tip) -> bool {
        let known = self.cosigned_by(&log, &witness);
        let longer = known.is_none_or(|old| (old.size, old.root) < (tip.size, tip.root));
        if longer {
            self.cosigned.entry(log).or_default().insert(witness, tip);
        }

        longer
    }

    /// Says how many entries count of a control log's branch as held, so that facts past it do not.
    pub fn stand(&mut self, log: LogId, counts_to: u64) {
        self.standing.insert(log, counts_to);
    }

    /// The enrolment in force.
    pub fn enrolment(&self, node: &NodeId) -> Option<&Enrolment> {
        self.enrolments.get(node)
    }

    /// All enrolments in force.
    pub fn enrolments(&self) -> impl Iterator<Item = &Enrolment> {
        self.enrolments.values()
    }

    /// A node by its name. Names are for people; of two nodes with one name the smaller id is
    /// found.
    pub fn by_name(&self, name: &str) -> Option<&Enrolment> {
        self.enrolments.values().find(|e| e.name == name)
    }

    /// A node's role.
    pub fn role(&self, node: &NodeId) -> Option<Role> {
        self.enrolment(node).map(|e| e.role)
    }

    /// Fork proofs held.
    pub fn forks(&self) -> &BTreeMap<LogId, ForkProof> {
        &self.forks
    }

    /// The logs of a node that are known to be forked.
    pub fn forks_of(&self, node: &NodeId) -> impl Iterator<Item = &ForkProof> {
        let node = *node;
        self.forks
            .range(LogId::first_of(node)..)
            .take_while(move |(log, _)| log.node == node)
            .map(|(_, proof)| proof)
    }

    /// Whether a node's word counts as a hub's: that of a hub which is not cut. Nobody can tell
    /// what a captured hub signed before it was captured from what it signs with a false time.
    pub fn is_witness(&self, node: &NodeId) -> bool {
        self.role(node) == Some(Role::Hub)
            && (!self.is_cut(node) || crate::defence::off("cut-witness"))
    }

    /// The longest head of a log that a hub has cosigned.
    pub fn cosigned(&self, log: &LogId) -> Option<Tip> {
        self.longest(log, |witness| self.is_witness(witness))
    }

    fn longest(&self, log: &LogId, by: impl Fn(&NodeId) -> bool) -> Option<Tip> {
        let tips = self.cosigned.get(log)?.iter();
        tips.filter(|(witness, _)| by(witness))
            .map(|(_, tip)| *tip)
            .max_by_key(|tip| (tip.size, tip.root))
    }

    /// The longest head of a log that one node has cosigned.
    pub fn cosigned_by(&self, log: &LogId, witness: &NodeId) -> Option<Tip> {
        self.cosigned.get(log)?.get(witness).copied()
    }

    /// How far any witness but `owner` itself has cosigned a log. One that is cut witnesses
    /// nothing.
    pub fn witnessed(&self, log: &LogId, owner: &NodeId) -> u64 {
        self.longest(log, |witness| witness != owner && !self.is_cut(witness))
            .map_or(0, |tip| tip.size)
    }

    /// When a crossing closed, in hub seconds.
    pub fn closed_s(&self, crossing: Crossing) -> Option<i64> {
        self.closures
            .iter()
            .filter(|(r, c)| c.crossing == crossing && self.fact_counts(r))
            .map(|(_, c)| c.closed_s)
            .min()
    }

    /// Logs of which single entries were admitted, whether the admissions stand or not.
    pub fn admitted_logs(&self) -> BTreeSet<LogId> {
        let entries = self.admitted.values().flatten();
        entries.map(|entry| entry.log).collect()
    }

    /// Where the cuts and admissions held stand, in one order everywhere: what verdicts hang on
    /// beside the logs themselves.
    pub fn cuts_and_admissions(&self) -> impl Iterator<Item = &Reference> {
        self.cuts.references().chain(self.admitted.keys())
    }

    /// Logs whose epoch a later boot of their node has closed, where at least as much is held as
    /// the boot names.
    pub fn closed_logs(&self, held: impl Fn(&LogId) -> u64) -> BTreeSet<LogId> {
        let mut out = BTreeSet::new();
        for previous in self.boots.values() {
            out.extend(
                previous
                    .iter()
                    .filter(|(log, size)| held(log) >= **size)
                    .map(|(log, _)| *log),
            );
        }

        out
    }

    /// What the node's boots say of the ends of its earlier epochs.
    pub fn boots(&self) -> &BTreeMap<LogId, BTreeMap<LogId, u64>> {
        &self.boots
    }

    /// The position whose root the log's holder must know to answer [`Self::counts_to`]: by cuts,
    /// or, on a forked log, by the longest cosignature of a hub that is not cut and does not own
    /// it. Where there is none, what both branches agree on counts of a hub's log and of one that a
    /// hub cosigned which was cut since; of another one nothing does.
    pub fn bound(&self, log: &LogId) -> Option<Bound> {
        self.cut_bound(log).or_else(|| {
            let fork = self.forks.get(log)?;
            let by_other = |witness: &NodeId| *witness != log.node;
            let of_hub = |node: &NodeId| self.role(node) == Some(Role::Hub);
            let agreed = || {
                let was_witnessed = self.longest(log, |w| by_other(w) && of_hub(w)).is_some();
                fork.agreed().filter(|_| was_witnessed || of_hub(&log.node))
            };

            let tip = self
                .longest(log, |w| by_other(w) && self.is_witness(w))
                .map(|tip| (tip.size, tip.root));
            let (size, root) = tip.or_else(agreed).unzip();
            Some(Bound {
                size: size.unwrap_or(0),
                root,
            })
        })
    }

    /// How many entries count of the branch of a log that is held. Everything, where there is
    /// neither cut nor fork.
    pub fn counts_to(&self, log: &LogId, state: LogState) -> u64 {
        let Some(bound) = self.bound(log) else {
            return u64::MAX;
        };
        let fork_at = self.forks.get(log).map(|f| f.at);
        if bound.size == 0 || bound.root.is_none() {
            return 0;
        }

        match state.root_at_bound {
            Some(root) if Some(root) == bound.root => bound.size,
            // Held on another branch than the one that counts: the two agree up to the fork, if it
            // is proven where.
            Some(_) => fork_at.map_or(0, |at| at.min(bound.size)),
            // Not held that far yet: a prefix of the right branch unless a fork is known.
            None => fork_at.map_or(bound.size, |at| at.min(bound.size)),
        }
    }

    /// Whether an entry counts, given how many of its log's branch do.
    pub fn verdict(&self, reference: &Reference, counts_to: u64) -> LogVerdict {
        // No hub admits what a hub said past its own cut: it could have prepared both.
        let of_hub = self.role(&reference.log.node) == Some(Role::Hub);
        let admitted = || {
            !of_hub
                && self
                    .admitted
                    .iter()
                    .any(|(by, set)| set.contains(reference) && self.fact_counts(by))
        };

        if reference.seq < counts_to || admitted() || crate::defence::off("past-cut") {
            LogVerdict::Counts
        } else {
            LogVerdict::Quarantined
        }
    }

    /// Whether a control fact was said by a hub within what counts of its log.
    pub fn fact_counts(&self, reference: &Reference) -> bool {
        self.role(&reference.log.node) == Some(Role::Hub)
            && self
                .standing
                .get(&reference.log)
                .is_none_or(|to| reference.seq < *to)
            && self
                .root_bound(&reference.log)
                .is_none_or(|(size, _)| reference.seq < size)
    }

    /// The policy in force for somebody who had taken in `covered` of each control log.
    pub fn policy(&self, covered: impl Fn(&LogId) -> u64) -> Option<(&Reference, &PolicyEntry)> {
        self.policies
            .iter()
            .filter(|(r, _)| r.seq < covered(&r.log) && self.fact_counts(r))
            .max_by_key(|(r, p)| (p.revision, r.leaf))
    }

    /// Policies of the revision in force that lost to it: hubs signed them without knowing of each
    /// other, and nobody meant what one of them says to be gone.
    pub fn policies_lost(&self) -> impl Iterator<Item = &Reference> {
        let held = self.policy(|_| u64::MAX);
        let lost = move |p: &PolicyEntry| {
            held.is_some_and(|(_, held)| p.revision == held.revision && p.text != held.text)
        };
        let all = self.policies.iter();
        all.filter(move |(r, p)| lost(p) && self.fact_counts(r))
            .map(|(r, _)| r)
    }

    /// An officer's registrations in force for somebody who had taken in `covered` of each control
    /// log.
    pub fn officer(&self, officer: &str, covered: impl Fn(&LogId) -> u64) -> Option<&OfficerEntry> {
        self.officers
            .get(officer)?
            .iter()
            .filter(|(r, _)| r.seq < covered(&r.log) && self.fact_counts(r))
            .max_by_key(|(r, o)| officer_order(r, o))
            .map(|(_, o)| o)
    }

    /// When an officer who is revoked now was revoked, by the hub's clock, Unix milliseconds.
    pub fn revoked_ms(&self, officer: &str) -> Option<i64> {
        let newest = self.officer(officer, |_| u64::MAX)?;
        self.revoked_ms
            .get(officer)
            .copied()
            .filter(|_| newest.revoked)
    }

    /// All officers' newest registrations.
    pub fn officers(&self) -> impl Iterator<Item = &OfficerEntry> {
        self.officers.values().filter_map(|all| {
            all.iter()
                .max_by_key(|(r, o)| officer_order(r, o))
                .map(|(_, o)| o)
        })
    }
}

/// Which of an officer's registrations holds: the newest. Of two that hubs signed without knowing
/// of each other, the revocation: nothing that lets go wins by chance.
fn officer_order(reference: &Reference, officer: &OfficerEntry) -> (u64, bool, Hash) {
    (officer.revision, officer.revoked, reference.leaf)
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
