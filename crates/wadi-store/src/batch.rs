//! What one commit writes.

use crate::rows::{
    BranchRow, Carried, CosignedHead, FindingRow, LocalKey, PeerRow, RecordRow, RefusalRow, Waiting,
};
use wadi_log::{
    Enrolment, ForkProof, Hash, LogId, RecordId, Reference, SignedCheckpoint, Subtree, Tip,
    VerifiedBlock, VerifiedEntry, VerifiedStretch,
};

/// Everything that one transaction writes. Entries come in as `wadi-log` has verified them, and in
/// no other way.
#[derive(Default, Debug)]
pub struct Batch {
    /// The node's clock, Unix milliseconds: when this came in.
    pub at_ms: i64,
    /// Blocks, each extending the log as stored, in order.
    pub blocks: Vec<VerifiedBlock>,
    /// Entries of records whose logs are not taken, or of a branch that is not the main one.
    pub loose: Vec<VerifiedEntry>,
    /// Which record each new entry is about.
    pub about: Vec<(RecordId, Reference)>,
    /// `Seen` entries among the new ones.
    pub seen: Vec<Reference>,
    /// Cosignatures with what they sign; the longest of each witness is kept.
    pub cosignatures: Vec<CosignedHead>,
    /// Heads of logs as held that a hub cosigned: they are kept, for the first cosignature over an
    /// entry bounds its time for ever.
    pub kept_heads: Vec<SignedCheckpoint>,
    /// Enrolments learned.
    pub enrolments: Vec<Enrolment>,
    /// Fork proofs.
    pub forks: Vec<ForkProof>,
    /// Changed records.
    pub records: Vec<RecordRow>,
    /// Whether terms that go are remembered, for the records that were held together by them: a hub
    /// does.
    pub remember_gone: bool,
    /// Changes through this cursor were looked at: the terms that went with them are forgotten.
    pub gone_seen: Option<i64>,
    /// Entries that wait for control entries and whose records have no row yet.
    pub waiting: Vec<Waiting>,
    /// What was refused, with the reason: put in by [`Batch::refuse`].
    pub refusals: Vec<RefusalRow>,
    /// Changed findings.
    pub findings: Vec<FindingRow>,
    /// Findings that vanished.
    pub findings_gone: Vec<String>,
    /// What is remembered of peers.
    pub peers: Vec<PeerRow>,
    /// Blocks taken to carry.
    pub carry: Vec<Carried>,
    /// Logs whose carried blocks up to that size the hub holds.
    pub carried_done: Vec<(LogId, u64)>,
    /// Local keys.
    pub local: Vec<LocalKey>,
    /// Local keys to forget: scope and key.
    pub local_gone: Vec<(String, String)>,
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
    /// says of them in `about` and `seen` is all there is.
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
    /// Resyncs: id and JSON.
    pub resyncs: Vec<(String, String)>,
    /// Heads of this node's own logs after this batch, for the anchor.
    pub own_heads: Vec<(LogId, Tip)>,
}

impl Batch {
    /// Notes a refusal; those of one subject and code are one row with a count.
    pub fn refuse(&mut self, refusal: RefusalRow) {
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
        self.blocks.is_empty()
            && self.loose.is_empty()
            && self.cosignatures.is_empty()
            && self.kept_heads.is_empty()
            && self.enrolments.is_empty()
            && self.forks.is_empty()
            && self.records.is_empty()
            && self.waiting.is_empty()
            && self.about.is_empty()
            && self.seen.is_empty()
            && self.refusals.is_empty()
            && self.findings.is_empty()
            && self.findings_gone.is_empty()
            && self.peers.is_empty()
            && self.carry.is_empty()
            && self.carried_done.is_empty()
            && self.local.is_empty()
            && self.local_gone.is_empty()
            && self.gone_seen.is_none()
            && !self.healed
            && self.mended.is_empty()
            && self.side.is_empty()
            && self.branches.is_empty()
            && self.branches_gone.is_empty()
            && self.switches.is_empty()
            && self.tree.is_empty()
            && self.reindexed.is_empty()
            && self.records_gone.is_empty()
            && self.entries_gone.is_empty()
            && self.checkpoints_gone.is_empty()
            && self.heads.is_empty()
            && self.cosignatures_gone.is_empty()
            && self.enrolments_gone.is_empty()
            && self.forks_gone.is_empty()
            && self.branches_rotten.is_empty()
            && self.resyncs.is_empty()
    }
}
