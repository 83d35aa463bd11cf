//! The ports of a store, by who asks: each is a trait, and [`Store`] is all of them.

use crate::{
    AnchorState, Batch, BornFilter, BranchRow, CaseFilter, CaseRow, ChangeRow, CosignedHead,
    CourseFilter, CourseRow, Detention, FindingFilter, FindingRow, HoldHit, HoldTerms, LocalKey,
    LocalScope, LogRow, PeerRow, RawCosignature, RawEntry, RawLoose, RecordFilter, RecordRow,
    RefusalPage, RefusalPlace, RefusalRow, Salvage, StoreCounts, StoreError, StoredEntry, TermHit,
    TermQuery, Waiting,
};
use async_trait::async_trait;
use std::{collections::HashMap, io, path::Path};
use wadi_log::{
    Enrolment, ForkProof, Hash, LogId, NodeId, RecordId, Reference, SignedCheckpoint, Subtree,
    VerifiedEntry,
};

/// A store of one node: every port to it. All methods may run at the same time; writes are put in a
/// queue of bounded length.
///
/// Whoever asks less than that takes the port alone: a small fake in memory serves a test of it.
pub trait Store:
    EntrySource + RecordIndex + FindingIndex + Neighbours + LocalKeys + RepairSource + LogStore
{
}

impl<T> Store for T where
    T: EntrySource + RecordIndex + FindingIndex + Neighbours + LocalKeys + RepairSource + LogStore
{
}

/// What deriving records asks: the entries, which records they speak of, and what they are
/// judged by.
#[async_trait]
pub trait EntrySource: Send + Sync + 'static {
    /// One entry.
    async fn entry(&self, reference: &Reference) -> Result<Option<VerifiedEntry>, StoreError>;

    /// The entries held of a record, on whichever branch.
    async fn record_entries(&self, record: &RecordId) -> Result<Vec<StoredEntry>, StoreError>;

    /// The entries held of these records, on whichever branch.
    async fn entries_of(
        &self,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, StoredEntry)>, StoreError>;

    /// Where the entries held of these records lie: (record, the entry, whether it stands on the
    /// branch of its log that is held). Their bytes are not read.
    async fn entry_places(
        &self,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, Reference, bool)>, StoreError>;

    /// Records that a log speaks of from a position on.
    async fn records_of_log(&self, log: &LogId, from: u64) -> Result<Vec<RecordId>, StoreError>;

    /// Records that wait for one of these entries, or for the record's first.
    async fn records_waiting_for(&self, entries: &[Reference])
    -> Result<Vec<RecordId>, StoreError>;

    /// Records with entries that wait for a position of a log before that one.
    async fn waiting_on(&self, log: &LogId, before: u64) -> Result<Vec<RecordId>, StoreError>;

    /// Entries of a kind (`Seen`) of a log, for judging what later entries had taken in.
    async fn seen(&self, log: &LogId) -> Result<Vec<VerifiedEntry>, StoreError>;

    /// The last entries of that kind before a position of a log, the last one first, so many at
    /// most.
    async fn seen_before(
        &self,
        log: &LogId,
        before: u64,
        limit: u32,
    ) -> Result<Vec<VerifiedEntry>, StoreError>;

    /// Enrolments held.
    async fn enrolments(&self) -> Result<Vec<Enrolment>, StoreError>;

    /// Fork proofs held.
    async fn forks(&self) -> Result<Vec<ForkProof>, StoreError>;
}

/// Records as they were derived, by their ids, their terms and the order of their change.
#[async_trait]
pub trait RecordIndex: Send + Sync + 'static {
    /// One record's row.
    async fn record(&self, id: &RecordId) -> Result<Option<RecordRow>, StoreError>;

    /// The rows of these records.
    async fn records_by_id(&self, ids: &[RecordId]) -> Result<Vec<RecordRow>, StoreError>;

    /// A page of records, newest change first.
    async fn records(&self, filter: &RecordFilter) -> Result<Vec<RecordRow>, StoreError>;

    /// The records of a crossing that began within a time, those that began last first.
    async fn born(&self, filter: &BornFilter) -> Result<Vec<RecordRow>, StoreError>;

    /// How many of them there are, by lane and by the line of their state and flags; whatever the
    /// filter's limit.
    async fn born_counts(&self, filter: &BornFilter) -> Result<Vec<(u8, String, i64)>, StoreError>;

    /// The open holds of two crossings, those that began last first.
    async fn open_holds(
        &self,
        crossings: [&str; 2],
        limit: u32,
    ) -> Result<Vec<RecordRow>, StoreError>;

    /// Records by printed id; more than one where the short tail is ambiguous.
    async fn records_printed(&self, printed: &str) -> Result<Vec<RecordId>, StoreError>;

    /// Ids of all records, for rebuilding.
    async fn record_ids(&self) -> Result<Vec<RecordId>, StoreError>;

    /// The open holds that hold these passages and entries, each hold of a record once: by record
    /// and hold, ascending. One that holds a record itself is not told through an entry, too.
    async fn detained(
        &self,
        ids: &[RecordId],
        terms: &HoldTerms,
    ) -> Result<Vec<Detention>, StoreError>;

    /// The terms of these records: (record, what, value).
    async fn terms_of(
        &self,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, String, String)>, StoreError>;

    /// Terms that these records had until lately, with the time they were born: (record, what,
    /// value, Unix milliseconds).
    async fn terms_gone_of(
        &self,
        ids: &[RecordId],
    ) -> Result<Vec<(RecordId, String, String, i64)>, StoreError>;

    /// Records changed after a cursor, in the order of their change.
    async fn changes(&self, after: i64, limit: u32) -> Result<Vec<ChangeRow>, StoreError>;

    /// Which records those are: the cursor of each change and its record, in order.
    async fn changed(&self, after: i64, limit: u32) -> Result<Vec<(i64, RecordId)>, StoreError>;

    /// Per lane and crossing: records, and a digest over their documents, and one over their
    /// states.
    /// The first question reads all records; later ones are answered from memory.
    async fn digests(&self) -> Result<Vec<(u8, String, i64, Hash, Hash)>, StoreError>;

    /// The same, read from all records as they stand on the disk.
    async fn digests_anew(&self) -> Result<Vec<(u8, String, i64, Hash, Hash)>, StoreError>;

    /// Entries that wait for others.
    async fn waiting(&self, limit: u32) -> Result<Vec<Waiting>, StoreError>;

    /// Records handed over to a crossing.
    async fn handed_over_to(&self, crossing: &str) -> Result<Vec<RecordId>, StoreError>;
}

/// Findings of the reconciler.
#[async_trait]
pub trait FindingIndex: Send + Sync + 'static {
    /// One finding.
    async fn finding(&self, id: &str) -> Result<Option<FindingRow>, StoreError>;

    /// Findings whose anchors are these records.
    async fn findings_of(&self, anchors: &[RecordId]) -> Result<Vec<FindingRow>, StoreError>;

    /// A page of findings.
    async fn findings(&self, filter: &FindingFilter) -> Result<Vec<FindingRow>, StoreError>;

    /// How many there are, by rule, phase and state, of those that the filter takes.
    async fn finding_counts(
        &self,
        filter: &FindingFilter,
    ) -> Result<Vec<(String, String, String, i64)>, StoreError>;

    /// A page of cases: findings about one truck, container or officer.
    async fn cases(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, StoreError>;

    /// The records of a case, those that began first at the front, each with how many of the
    /// case's findings cite it.
    async fn case_records(
        &self,
        what: &str,
        value: &str,
        limit: u32,
    ) -> Result<Vec<(RecordRow, i64)>, StoreError>;

    /// What became of findings, those that are gone among them.
    async fn finding_courses(&self, filter: &CourseFilter) -> Result<Vec<CourseRow>, StoreError>;

    /// Whom those findings name: (finding, officer).
    async fn course_officers(
        &self,
        filter: &CourseFilter,
    ) -> Result<Vec<(String, String)>, StoreError>;

    /// Records that are contested now and began in that time, the youngest first.
    async fn contested_records(&self, filter: &CourseFilter) -> Result<Vec<RecordRow>, StoreError>;

    /// How many pending findings wait for a time up to that one.
    async fn findings_overdue(&self, through_ms: i64) -> Result<i64, StoreError>;
}

/// What has a meaning on this node alone.
#[async_trait]
pub trait LocalKeys: Send + Sync + 'static {
    /// A local key (idempotency, import, token) and what it stands for.
    async fn local(&self, scope: &LocalScope, key: &str) -> Result<Option<String>, StoreError>;

    /// All local keys of a scope.
    async fn local_all(&self, scope: &LocalScope) -> Result<Vec<LocalKey>, StoreError>;

    /// Local keys of a scope before a key, from the last one on.
    async fn local_newest(
        &self,
        scope: &LocalScope,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<LocalKey>, StoreError>;

    /// How many local keys a scope has.
    async fn local_count(&self, scope: &LocalScope) -> Result<i64, StoreError>;

    /// What is remembered of peers.
    async fn peers(&self) -> Result<Vec<PeerRow>, StoreError>;

    /// Entries refused, newest first.
    async fn refusals(&self, limit: u32) -> Result<Vec<RefusalRow>, StoreError>;

    /// The same from behind a place on, so that all of them can be read.
    async fn refusals_after(
        &self,
        after: Option<RefusalPlace>,
        limit: u32,
    ) -> Result<RefusalPage, StoreError>;

    /// What was refused of one subject for one reason.
    async fn refusal(&self, subject: &str, code: &str) -> Result<Option<RefusalRow>, StoreError>;

    /// Blocks carried for others: log, first position, size after.
    async fn carried_ranges(&self) -> Result<Vec<(LogId, u64, u64)>, StoreError>;

    /// Bytes carried for others, by log.
    async fn carried_bytes(&self) -> Result<Vec<(LogId, u64)>, StoreError>;

    /// The bytes of a carried block.
    async fn carried_block(&self, log: &LogId, from: u64) -> Result<Option<Vec<u8>>, StoreError>;
}

/// Logs, their checkpoints and proofs, and the one write.
#[async_trait]
pub trait LogStore: Send + Sync + 'static {
    /// Writes a batch in one transaction, durably, and the anchor after it. An error means that
    /// nothing of the batch was written, except [`StoreError::Failed`]: then nobody knows, and the
    /// process has to stop and verify.
    async fn commit(&self, batch: Batch) -> Result<(), StoreError>;

    /// What opening found: whether the database lies behind its anchor.
    fn anchor_state(&self) -> &AnchorState;

    /// All logs.
    async fn logs(&self) -> Result<Vec<LogRow>, StoreError>;

    /// Bytes that the database takes.
    async fn database_bytes(&self) -> Result<u64, StoreError>;

    /// One log; none where nothing of it is held.
    async fn log(&self, log: &LogId) -> Result<Option<LogRow>, StoreError>;

    /// Entries of a log's main branch from `from` on, at most `bytes_max` bytes of them but at
    /// least one.
    async fn entries(
        &self,
        log: &LogId,
        from: u64,
        bytes_max: usize,
    ) -> Result<Vec<StoredEntry>, StoreError>;

    /// Hashes of perfect subtrees of a log's main branch.
    async fn subtrees(
        &self,
        log: &LogId,
        wanted: &[Subtree],
    ) -> Result<HashMap<Subtree, Hash>, StoreError>;

    /// The checkpoints of a log that blocks may end at, after `from`, ascending.
    async fn checkpoints(
        &self,
        log: &LogId,
        from: u64,
    ) -> Result<Vec<SignedCheckpoint>, StoreError>;

    /// The latest cosignature of each witness of a log, with what it signed; of all logs where none
    /// is given.
    async fn cosignatures(&self, log: Option<&LogId>) -> Result<Vec<CosignedHead>, StoreError>;

    /// Logs of which only entries of single records are held.
    async fn loose_logs(&self) -> Result<Vec<LogId>, StoreError>;

    /// Counts for status.
    async fn counts(&self) -> Result<StoreCounts, StoreError>;

    /// Finishes what is queued and closes; the node's last act.
    async fn close(&self);

    /// The node this store belongs to, as its own keys say.
    fn node(&self) -> NodeId;
}

/// Which records belong together, and whose findings are due.
#[async_trait]
pub trait Neighbours: Send + Sync + 'static {
    /// Records that share terms, of each term (and of each kind, where the query says so) those
    /// nearest in time first, at most as many as the query takes.
    async fn near(&self, terms: &[TermQuery]) -> Result<Vec<TermHit>, StoreError>;

    /// Holds that have these terms, whenever they were placed: the open ones first, at most `most`
    /// for each term.
    async fn holds(
        &self,
        terms: &[(String, String)],
        most: u32,
    ) -> Result<Vec<HoldHit>, StoreError>;

    /// Records that have a term, in the order of their ids, after one of them.
    async fn by_term(
        &self,
        what: &str,
        value: &str,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<Vec<RecordRow>, StoreError>;

    /// Anchors of pending findings that wait for a time after the one and through the other.
    async fn findings_due(
        &self,
        after_ms: i64,
        through_ms: i64,
    ) -> Result<Vec<RecordId>, StoreError>;
}

/// What scrubbing, mending and resync read: what lies there, whether it is right or not.
#[async_trait]
pub trait RepairSource: Send + Sync + 'static {
    /// Entries of a log's main branch as they lie there, nothing checked, from a position on in
    /// their order.
    async fn raw_entries(
        &self,
        log: &LogId,
        from: u64,
        rows_max: u32,
    ) -> Result<Vec<RawEntry>, StoreError>;

    /// Kept hashes of perfect subtrees of one level, from an index on: index and hash as they lie
    /// there.
    async fn raw_tree(
        &self,
        log: &LogId,
        level: u8,
        from: u64,
        rows_max: u32,
    ) -> Result<Vec<(u64, Vec<u8>)>, StoreError>;

    /// Leaves of a log's main branch in a range, in their order: position and hash as they lie
    /// there, of those that read. Entries' bytes are not looked at.
    async fn leaves(&self, log: &LogId, from: u64, to: u64)
    -> Result<Vec<(u64, Hash)>, StoreError>;

    /// The newest kept checkpoint that its author signed before the entry at a position stood
    /// there.
    async fn checkpoint_before(
        &self,
        log: &LogId,
        seq: u64,
    ) -> Result<Option<SignedCheckpoint>, StoreError>;

    /// Kept checkpoints over a position with their cosignatures, those of the smallest size first.
    /// A head that was signed anew may stand with a cosignature of its older signature: it is for
    /// the reader to check.
    async fn cosigned_over(
        &self,
        log: &LogId,
        seq: u64,
        rows_max: u32,
    ) -> Result<Vec<CosignedHead>, StoreError>;

    /// The index of a run of a log by record, as it lies there: record, position and leaf.
    async fn index(
        &self,
        log: &LogId,
        from: u64,
        to: u64,
    ) -> Result<Vec<(RecordId, u64, Vec<u8>)>, StoreError>;

    /// Whether entries of a log's main branch lie there past its end: then its head is not the last
    /// one that was written.
    async fn goes_on(&self, log: &LogId) -> Result<bool, StoreError>;

    /// Kept checkpoints of a log from a size on: the size under which each lies, and its bytes.
    async fn raw_checkpoints(
        &self,
        log: &LogId,
        from: i64,
        rows_max: u32,
    ) -> Result<Vec<(i64, Vec<u8>)>, StoreError>;

    /// Cosignatures as they lie there, by log and witness, after one of them.
    async fn raw_cosignatures(
        &self,
        after: Option<&RawCosignature>,
        rows_max: u32,
    ) -> Result<Vec<RawCosignature>, StoreError>;

    /// Enrolments as they lie there: the node that the key names, and the bytes.
    async fn raw_enrolments(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError>;
    /// Fork proofs as they lie there: the log that the key names, and the bytes.
    async fn raw_forks(&self) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError>;
    /// Other branches of forked logs by their keys, log and first leaf, and what reads of each.
    async fn raw_branches(&self) -> Result<Vec<(Vec<u8>, Vec<u8>, Option<BranchRow>)>, StoreError>;

    /// Entries beside main branches, by log, position and leaf, after one of them.
    async fn raw_loose(
        &self,
        after: Option<&RawLoose>,
        rows_max: u32,
    ) -> Result<Vec<RawLoose>, StoreError>;

    /// Records of which the index names entries that are not there, of logs that are not held.
    async fn dangling(&self) -> Result<Vec<RecordId>, StoreError>;
    /// Where the entries of a record stand, as the index has them.
    async fn places(&self, record: &RecordId) -> Result<Vec<(LogId, u64)>, StoreError>;

    /// Ids of records that have a row, whether the rest of it reads or not, ascending after one of
    /// them.
    async fn record_rows(
        &self,
        after: &RecordId,
        rows_max: u32,
    ) -> Result<Vec<RecordId>, StoreError>;

    /// Whether an entry stands on its log's main branch; nothing where it is not held.
    async fn is_main(&self, reference: &Reference) -> Result<Option<bool>, StoreError>;

    /// The other branches held of forked logs, whole from the fork on; those that do not read are
    /// not held.
    async fn branches(&self, log: Option<&LogId>) -> Result<Vec<BranchRow>, StoreError>;

    /// Entries of such a branch from a position on, at most `bytes_max` bytes of them but at least
    /// one; fewer where one is missing.
    async fn branch_entries(
        &self,
        branch: &BranchRow,
        from: u64,
        bytes_max: usize,
    ) -> Result<Vec<VerifiedEntry>, StoreError>;

    /// What the engine itself finds wrong with its pages and indexes, in its words.
    async fn structure(&self) -> Result<Vec<String>, StoreError>;
    /// Resyncs: id and JSON.
    async fn resyncs(&self) -> Result<Vec<(String, String)>, StoreError>;
    /// A damaged database that was set aside, for reading back what it still tells: with this
    /// store's key, where it has one.
    fn old_database(&self, path: &Path) -> io::Result<Salvage>;
}
