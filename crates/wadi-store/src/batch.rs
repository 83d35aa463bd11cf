//! What one commit writes, in five parts.
//!
//! Every part takes itself apart by name where it is asked whether it is empty, and where it takes
//! in another: a field that is forgotten there does not compile, and no write is lost by it.

use crate::LocalScope;
use crate::rows::{
    AboutRow, BranchRow, Carried, CosignedHead, FindingRow, LocalKey, PeerRow, RecordRow,
    RefusalRow, Waiting,
};
use wadi_log::{
    Enrolment, ForkProof, Hash, LogId, RecordId, Reference, SignedCheckpoint, Subtree, Tip,
    VerifiedBlock, VerifiedEntry, VerifiedStretch,
};

/// Everything that one transaction writes. Entries come in as `wadi-log` has verified them, and in
/// no other way.
///
/// A batch of one part alone is made from it: `Batch::from(part)`.
#[derive(Default, Debug)]
pub struct Batch {
    /// The node's clock, Unix milliseconds: when this came in.
    pub at_ms: i64,
    /// Whether terms that go are remembered, for the records that were held together by them: a hub
    /// does.
    pub remember_gone: bool,
    /// Heads of this node's own logs after this batch, for the anchor.
    pub own_heads: Vec<(LogId, Tip)>,
    /// What is added to logs and to what is known of them.
    pub append: Append,
    /// What is derived from entries.
    pub project: ProjectedRows,
    /// What the reconciler found.
    pub findings: FindingChanges,
    /// What has a meaning on this node alone.
    pub local: LocalState,
    /// What puts right what rotted or was lost, and which branch of a forked log counts.
    pub repair: Repair,
}

/// What is added to logs and to what is known of them.
#[derive(Default, Debug)]
pub struct Append {
    /// Blocks, each extending the log as stored, in order.
    pub blocks: Vec<VerifiedBlock>,
    /// Entries of records whose logs are not taken, or of a branch that is not the main one.
    pub loose: Vec<VerifiedEntry>,
    /// Cosignatures with what they sign; the longest of each witness is kept.
    pub cosignatures: Vec<CosignedHead>,
    /// Heads of logs as held that a hub cosigned: they are kept, for the first cosignature over an
    /// entry bounds its time for ever.
    pub kept_heads: Vec<SignedCheckpoint>,
    /// Enrolments learned.
    pub enrolments: Vec<Enrolment>,
    /// Fork proofs.
    pub forks: Vec<ForkProof>,
}

/// What is derived from entries.
#[derive(Default, Debug)]
pub struct ProjectedRows {
    /// Which record each new entry is about.
    pub about: Vec<(RecordId, Reference)>,
    /// `Seen` entries among the new ones.
    pub seen: Vec<Reference>,
    /// Changed records.
    pub records: Vec<RecordRow>,
    /// Entries that wait for control entries and whose records have no row yet.
    pub waiting: Vec<Waiting>,
    /// Changes through this cursor were looked at: the terms that went with them are forgotten.
    pub gone_seen: Option<i64>,
}

/// What the reconciler found.
#[derive(Default, Debug)]
pub struct FindingChanges {
    /// Changed findings.
    pub changed: Vec<FindingRow>,
    /// What the changed ones are about: all of it.
    pub about: Vec<AboutRow>,
    /// Findings that vanished, by their ids.
    pub gone: Vec<String>,
}

/// What has a meaning on this node alone.
#[derive(Default, Debug)]
pub struct LocalState {
    /// Local keys.
    pub keys: Vec<LocalKey>,
    /// Local keys to forget: scope and key.
    pub keys_gone: Vec<(LocalScope, String)>,
    /// What was refused, with the reason: put in by [`Batch::refuse`].
    pub refusals: Vec<RefusalRow>,
    /// What is remembered of peers.
    pub peers: Vec<PeerRow>,
    /// Blocks taken to carry.
    pub carry: Vec<Carried>,
    /// Logs whose carried blocks up to that size the hub holds.
    pub carried_done: Vec<(LogId, u64)>,
    /// Resyncs: id and JSON.
    pub resyncs: Vec<(String, String)>,
}

/// What puts right what rotted or was lost, and which branch of a forked log counts.
#[derive(Default, Debug)]
pub struct Repair {
    /// Entries of main branches that were missing or rotten: they take their places again.
    pub mended: Vec<VerifiedStretch>,
    /// Entries of other branches of forked logs.
    pub side: Vec<VerifiedStretch>,
    /// Other branches that are held whole now.
    pub branches: Vec<BranchRow>,
    /// Branches that are no other ones any more: log and first leaf.
    pub branches_gone: Vec<(LogId, Hash)>,
    /// Branches that become their logs' main ones from where they begin on; what stood there stands
    /// beside.
    pub switches: Vec<VerifiedBlock>,
    /// Kept hashes of subtrees that were missing or rotten.
    pub tree: Vec<(LogId, Subtree, Hash)>,
    /// Runs of logs, from and to a position, whose index by record is made anew: what this batch
    /// says of them in [`ProjectedRows::about`] and [`ProjectedRows::seen`] is all there is.
    pub reindexed: Vec<(LogId, u64, u64)>,
    /// Records that no entry speaks of: rot put them there.
    pub records_gone: Vec<RecordId>,
    /// Entries beside main branches that rotted, by their keys as they lie there: log, position and
    /// leaf.
    pub entries_gone: Vec<(Vec<u8>, i64, Vec<u8>)>,
    /// Checkpoints that rotted: log and size.
    pub checkpoints_gone: Vec<(LogId, i64)>,
    /// Heads whose checkpoints have to be kept again.
    pub heads: Vec<SignedCheckpoint>,
    /// Cosignatures that rotted, by their keys as they lie there: log and witness.
    pub cosignatures_gone: Vec<(Vec<u8>, Vec<u8>)>,
    /// Enrolments that rotted, by their keys as they lie there.
    pub enrolments_gone: Vec<Vec<u8>>,
    /// Fork proofs that rotted, by their keys as they lie there.
    pub forks_gone: Vec<Vec<u8>>,
    /// Other branches that rotted, by their keys as they lie there: log and first leaf.
    pub branches_rotten: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether a lost tail that is remembered is held again in full.
    pub healed: bool,
}

impl Batch {
    /// Notes a refusal; those of one subject and code are one row with a count.
    pub fn refuse(&mut self, refusal: RefusalRow) {
        self.local.refuse(refusal);
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        // The clock says when, and the anchor's heads follow from blocks: neither is a write.
        let Self {
            at_ms: _,
            remember_gone: _,
            own_heads: _,
            append,
            project,
            findings,
            local,
            repair,
        } = self;

        append.is_empty()
            && project.is_empty()
            && findings.is_empty()
            && local.is_empty()
            && repair.is_empty()
    }

    /// Takes in another batch, which is to be written with this one. The later of the two clocks
    /// counts.
    pub fn merge(&mut self, other: Self) {
        let Self {
            at_ms,
            remember_gone,
            own_heads,
            append,
            project,
            findings,
            local,
            repair,
        } = other;

        self.at_ms = self.at_ms.max(at_ms);
        self.remember_gone |= remember_gone;
        self.own_heads.extend(own_heads);
        self.append.merge(append);
        self.project.merge(project);
        self.findings.merge(findings);
        self.local.merge(local);
        self.repair.merge(repair);
    }
}

impl Append {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Self {
            blocks,
            loose,
            cosignatures,
            kept_heads,
            enrolments,
            forks,
        } = self;

        blocks.is_empty()
            && loose.is_empty()
            && cosignatures.is_empty()
            && kept_heads.is_empty()
            && enrolments.is_empty()
            && forks.is_empty()
    }

    /// Takes in another part, to be written after this one.
    pub fn merge(&mut self, other: Self) {
        let Self {
            blocks,
            loose,
            cosignatures,
            kept_heads,
            enrolments,
            forks,
        } = other;

        self.blocks.extend(blocks);
        self.loose.extend(loose);
        self.cosignatures.extend(cosignatures);
        self.kept_heads.extend(kept_heads);
        self.enrolments.extend(enrolments);
        self.forks.extend(forks);
    }
}

impl ProjectedRows {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Self {
            about,
            seen,
            records,
            waiting,
            gone_seen,
        } = self;

        about.is_empty()
            && seen.is_empty()
            && records.is_empty()
            && waiting.is_empty()
            && gone_seen.is_none()
    }

    /// Takes in another part, to be written after this one. The later cursor counts.
    pub fn merge(&mut self, other: Self) {
        let Self {
            about,
            seen,
            records,
            waiting,
            gone_seen,
        } = other;

        self.about.extend(about);
        self.seen.extend(seen);
        self.records.extend(records);
        self.waiting.extend(waiting);
        self.gone_seen = self.gone_seen.max(gone_seen);
    }
}

impl FindingChanges {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Self {
            changed,
            about,
            gone,
        } = self;

        changed.is_empty() && about.is_empty() && gone.is_empty()
    }

    /// Takes in another part, to be written after this one.
    pub fn merge(&mut self, other: Self) {
        let Self {
            changed,
            about,
            gone,
        } = other;

        self.changed.extend(changed);
        self.about.extend(about);
        self.gone.extend(gone);
    }
}

impl LocalState {
    fn refuse(&mut self, refusal: RefusalRow) {
        let same = |r: &&mut RefusalRow| r.subject == refusal.subject && r.code == refusal.code;

        match self.refusals.iter_mut().rev().find(same) {
            Some(before) => {
                *before = RefusalRow {
                    times: before.times.saturating_add(refusal.times),
                    ..refusal
                }
            }
            None => self.refusals.push(refusal),
        }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Self {
            keys,
            keys_gone,
            refusals,
            peers,
            carry,
            carried_done,
            resyncs,
        } = self;

        keys.is_empty()
            && keys_gone.is_empty()
            && refusals.is_empty()
            && peers.is_empty()
            && carry.is_empty()
            && carried_done.is_empty()
            && resyncs.is_empty()
    }

    /// Takes in another part, to be written after this one.
    pub fn merge(&mut self, other: Self) {
        let Self {
            keys,
            keys_gone,
            refusals,
            peers,
            carry,
            carried_done,
            resyncs,
        } = other;

        self.keys.extend(keys);
        self.keys_gone.extend(keys_gone);
        self.peers.extend(peers);
        self.carry.extend(carry);
        self.carried_done.extend(carried_done);
        self.resyncs.extend(resyncs);

        for refusal in refusals {
            self.refuse(refusal);
        }
    }
}

impl Repair {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        let Self {
            mended,
            side,
            branches,
            branches_gone,
            switches,
            tree,
            reindexed,
            records_gone,
            entries_gone,
            checkpoints_gone,
            heads,
            cosignatures_gone,
            enrolments_gone,
            forks_gone,
            branches_rotten,
            healed,
        } = self;

        mended.is_empty()
            && side.is_empty()
            && branches.is_empty()
            && branches_gone.is_empty()
            && switches.is_empty()
            && tree.is_empty()
            && reindexed.is_empty()
            && records_gone.is_empty()
            && entries_gone.is_empty()
            && checkpoints_gone.is_empty()
            && heads.is_empty()
            && cosignatures_gone.is_empty()
            && enrolments_gone.is_empty()
            && forks_gone.is_empty()
            && branches_rotten.is_empty()
            && !healed
    }

    /// Takes in another part, to be written after this one.
    pub fn merge(&mut self, other: Self) {
        let Self {
            mended,
            side,
            branches,
            branches_gone,
            switches,
            tree,
            reindexed,
            records_gone,
            entries_gone,
            checkpoints_gone,
            heads,
            cosignatures_gone,
            enrolments_gone,
            forks_gone,
            branches_rotten,
            healed,
        } = other;

        self.mended.extend(mended);
        self.side.extend(side);
        self.branches.extend(branches);
        self.branches_gone.extend(branches_gone);
        self.switches.extend(switches);
        self.tree.extend(tree);
        self.reindexed.extend(reindexed);
        self.records_gone.extend(records_gone);
        self.entries_gone.extend(entries_gone);
        self.checkpoints_gone.extend(checkpoints_gone);
        self.heads.extend(heads);
        self.cosignatures_gone.extend(cosignatures_gone);
        self.enrolments_gone.extend(enrolments_gone);
        self.forks_gone.extend(forks_gone);
        self.branches_rotten.extend(branches_rotten);
        self.healed |= healed;
    }
}

/// A batch of one part alone.
macro_rules! batch_of {
    ($($part:ident: $of:ident),+) => {
        $(impl From<$of> for Batch {
            fn from($part: $of) -> Self {
                Self {
                    $part,
                    ..Self::default()
                }
            }
        })+
    };
}

batch_of!(
    append: Append,
    project: ProjectedRows,
    findings: FindingChanges,
    local: LocalState,
    repair: Repair
);

#[cfg(test)]
mod tests {
    use super::*;
    use wadi_log::{Crossing, Epoch, Lane, NodeId, leaf_hash};

    fn log() -> LogId {
        LogId {
            node: NodeId([7; 16]),
            epoch: Epoch([3; 8]),
            lane: Lane::Passage,
            crossing: Crossing::HUB,
        }
    }

    fn reference() -> Reference {
        Reference {
            log: log(),
            seq: 0,
            leaf: leaf_hash(b"entry"),
        }
    }

    fn refusal() -> RefusalRow {
        RefusalRow {
            subject: "subject".into(),
            code: "code".into(),
            why: "why".into(),
            peer: "peer".into(),
            at_ms: 1,
            times: 1,
        }
    }

    /// Of each field: a batch in which it alone is set is not empty, and neither is an empty one
    /// that took it in.
    macro_rules! each_is_a_write {
        ($($part:ident . $field:ident = $value:expr;)*) => {
            $({
                let alone = || {
                    let mut batch = Batch::default();
                    batch.$part.$field = $value;
                    batch
                };
                let name = concat!(stringify!($part), ".", stringify!($field));
                assert!(!alone().is_empty(), "{name} is not looked at");

                let mut merged = Batch::default();
                merged.merge(alone());
                assert!(!merged.is_empty(), "{name} is not taken over");
            })*
        };
    }

    #[test]
    fn every_field_is_a_write() {
        let entry =
            VerifiedEntry::recheck(reference(), b"entry".to_vec()).expect("its hash is right");

        assert!(Batch::default().is_empty());
        each_is_a_write! {
            append.loose = vec![entry.clone()];
            project.about = vec![(RecordId([1; 32]), reference())];
            project.seen = vec![reference()];
            project.waiting = vec![Waiting {
                record: RecordId([1; 32]),
                entry: reference(),
                missing: None,
            }];
            project.gone_seen = Some(0);
            findings.gone = vec!["finding".into()];
            local.keys = vec![LocalKey {
                scope: LocalScope::Token,
                key: "k".into(),
                value: "v".into(),
            }];
            local.keys_gone = vec![(LocalScope::Token, "k".into())];
            local.refusals = vec![refusal()];
            local.peers = vec![PeerRow { node: NodeId([1; 16]), json: "{}".into() }];
            local.carry = vec![Carried { log: log(), from: 0, to: 1, bytes: vec![1] }];
            local.carried_done = vec![(log(), 1)];
            local.resyncs = vec![("id".into(), "{}".into())];
            repair.branches_gone = vec![(log(), Hash::default())];
            repair.tree = vec![(log(), Subtree { level: 0, index: 0 }, Hash::default())];
            repair.reindexed = vec![(log(), 0, 1)];
            repair.records_gone = vec![RecordId([1; 32])];
            repair.entries_gone = vec![(vec![1], 0, vec![2])];
            repair.checkpoints_gone = vec![(log(), 0)];
            repair.cosignatures_gone = vec![(vec![1], vec![2])];
            repair.enrolments_gone = vec![vec![1]];
            repair.forks_gone = vec![vec![1]];
            repair.branches_rotten = vec![(vec![1], vec![2])];
            repair.healed = true;
        }
    }

    #[test]
    fn refusals_of_one_subject_are_one_row_in_a_merged_batch() {
        let mut batch = Batch::default();
        batch.refuse(refusal());

        let mut other = Batch::default();
        other.refuse(refusal());
        batch.merge(other);

        assert_eq!(batch.local.refusals.len(), 1);
        assert_eq!(batch.local.refusals[0].times, 2);
    }

    #[test]
    fn the_later_clock_and_cursor_count() {
        let mut batch = Batch {
            at_ms: 5,
            ..Batch::from(ProjectedRows {
                gone_seen: Some(9),
                ..ProjectedRows::default()
            })
        };
        batch.merge(Batch::from(ProjectedRows {
            gone_seen: Some(4),
            ..ProjectedRows::default()
        }));

        assert_eq!((batch.at_ms, batch.project.gone_seen), (5, Some(9)));
    }
}
