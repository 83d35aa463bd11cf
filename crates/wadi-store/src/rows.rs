//! Rows: what stands in the tables, with their types back.

use crate::LocalScope;
use crate::hold_terms::HoldTerms;
use wadi_log::{
    Cosignature, Hash, LogId, NodeId, Peaks, RecordId, Reference, SignedCheckpoint, VerifiedEntry,
};

/// A log as held.
#[derive(Clone, Debug)]
pub struct LogRow {
    /// The log.
    pub log: LogId,
    /// Peaks of its main branch: its size and root.
    pub peaks: Peaks,
    /// The checkpoint at that size.
    pub checkpoint: SignedCheckpoint,
    /// When it last grew here, Unix milliseconds.
    pub grew_ms: i64,
}

/// An entry and when it came.
#[derive(Clone, Debug)]
pub struct StoredEntry {
    /// The entry, its hash checked.
    pub entry: VerifiedEntry,
    /// When it was stored here, Unix milliseconds.
    pub received_ms: i64,
    /// Whether it stands on the branch of its log that is held.
    pub main: bool,
}

/// An entry as it lies there, nothing checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawEntry {
    /// Its position.
    pub seq: u64,
    /// The hash it was stored under; 32 bytes, unless it is rotten.
    pub leaf: Vec<u8>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// An entry beside its log's main branch as it lies there, nothing checked: of another branch, or
/// of an excerpt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawLoose {
    /// Its log.
    pub log: Vec<u8>,
    /// Its position.
    pub seq: i64,
    /// The hash it was stored under.
    pub leaf: Vec<u8>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it is an excerpt's, and not another branch's.
    pub excerpt: bool,
}

/// A cosignature as it lies there, nothing checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawCosignature {
    /// The log that its key names.
    pub log: Vec<u8>,
    /// The witness that its key names.
    pub witness: Vec<u8>,
    /// The size by which it is chosen.
    pub size: i64,
    /// The time by which it is chosen.
    pub time_s: i64,
    /// What is signed.
    pub checkpoint: Vec<u8>,
    /// By whom and when.
    pub cosignature: Vec<u8>,
}

/// Another branch of a forked log, held whole from the fork on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BranchRow {
    /// The log.
    pub log: LogId,
    /// The first position at which it differs from the main branch.
    pub from: u64,
    /// Its end, as the author signed it.
    pub checkpoint: SignedCheckpoint,
    /// The leaves from the fork to the end.
    pub leaves: Vec<Hash>,
}

/// A witness's latest cosignature of a log, and the checkpoint it signs.
#[derive(Clone, Debug)]
pub struct CosignedHead {
    /// What is signed.
    pub checkpoint: SignedCheckpoint,
    /// By whom and when.
    pub cosignature: Cosignature,
}

/// A record's projection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordRow {
    /// Its id.
    pub id: RecordId,
    /// Its printed id.
    pub printed: String,
    /// Its lane's number.
    pub lane: u8,
    /// Its crossing.
    pub crossing: String,
    /// State and flags in one line.
    pub state: String,
    /// Whether something of it is held open.
    pub open: bool,
    /// Whether fields are contested.
    pub contested: bool,
    /// The whole record as JSON.
    pub json: String,
    /// Digest of its document.
    pub digest: Hash,
    /// Entries held of it.
    pub entries: u32,
    /// When it last happened, as claimed, Unix milliseconds.
    pub at_ms: i64,
    /// When it first happened, as claimed, Unix milliseconds.
    pub born_ms: i64,
    /// Its terms, (what, value).
    pub terms: Vec<(String, String)>,
    /// Entries of it that wait, and for what; a zero leaf stands for the record's first entry.
    pub waiting: Vec<(Reference, Option<Reference>)>,
    /// The cursor of its last change; set by the store.
    pub changed: i64,
}

/// A change of a record.
#[derive(Clone, Debug)]
pub struct ChangeRow {
    /// The cursor.
    pub cursor: i64,
    /// The record's row.
    pub record: RecordRow,
}

/// An open hold that holds a record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Detention {
    /// What is held: a passage, or a customs entry.
    pub record: RecordId,
    /// The hold.
    pub hold: RecordId,
    /// The printed id of the customs entry, or of the other passage, through which it is held; none
    /// where it is held itself.
    pub through: Option<String>,
}

/// One thing that a record may be sought by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SoughtBy {
    /// A term.
    Term {
        /// What kind of term.
        what: String,
        /// Its normal form.
        value: String,
    },
    /// The beginning of an id, long enough that few records share it: the ids between these two,
    /// of a crossing and a lane where they are named.
    Ids {
        /// The first one.
        from: RecordId,
        /// The last one.
        to: RecordId,
        /// Crossing and lane.
        of: Option<(String, u8)>,
    },
}

/// Which records to list.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Lane's number.
    pub lane: Option<u8>,
    /// Crossing.
    pub crossing: Option<String>,
    /// A state's name or flag.
    pub state: Option<String>,
    /// A term, (what, value).
    pub term: Option<(String, String)>,
    /// Only contested ones.
    pub contested: bool,
    /// Only those that open holds hold, by these terms.
    pub detained: Option<HoldTerms>,
    /// Of holds, their terms: those that have each, and where detained records are asked for, those
    /// that such holds hold.
    pub of_holds: Vec<(&'static str, String)>,
    /// Of holds, only those whose types are all among these, and of what such holds hold, where
    /// `of_holds` asks for it; holds of every type, where it is left out.
    pub hold_types: Option<Vec<String>>,
    /// Those for which any one of these is true; all, where there is none.
    pub sought: Vec<SoughtBy>,
    /// In the order of their beginnings, the latest first, in place of the newest change first: an
    /// order that stays.
    pub by_beginning: bool,
    /// Only those that begin at this time or later, Unix milliseconds.
    pub from_ms: Option<i64>,
    /// Only those that begin before this time, Unix milliseconds.
    pub until_ms: Option<i64>,
    /// In the order of their beginnings, those after this one.
    pub older: Option<(i64, RecordId)>,
    /// Only changes before this cursor.
    pub before: Option<i64>,
    /// Those after this id, in the order of their ids in place of the newest change first: each
    /// exactly once, whatever changes between two pages.
    pub after: Option<RecordId>,
    /// At most so many.
    pub limit: u32,
}

/// The records of a crossing that began within a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BornFilter {
    /// The crossing.
    pub crossing: String,
    /// Lane's number; all, where it is left out.
    pub lane: Option<u8>,
    /// From then on, Unix milliseconds.
    pub from_ms: i64,
    /// Before then, Unix milliseconds.
    pub until_ms: i64,
    /// Of holds, only those whose types are all among these; of every type, where it is left out.
    pub hold_types: Option<Vec<String>>,
    /// At most so many.
    pub limit: u32,
}

/// What was refused of one author or peer for one reason: a row counts them all and shows the
/// latest, so that nobody fills a disk with what is refused to him.
#[derive(Clone, PartialEq, Debug)]
pub struct RefusalRow {
    /// Of whom, or of what: the id of the node that signed it, a log's origin, or a peer's name.
    pub subject: String,
    /// A stable code.
    pub code: String,
    /// The reason, of the latest.
    pub why: String,
    /// From whom the latest came.
    pub peer: String,
    /// When the latest came, Unix milliseconds.
    pub at_ms: i64,
    /// How often.
    pub times: u64,
}

/// Where a refusal stands in the list of them, which begins with the newest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefusalPlace {
    /// When the latest of its kind came, Unix milliseconds.
    pub at_ms: i64,
    /// Its row, for those of one millisecond.
    pub id: i64,
}

/// A stretch of the list of refusals.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct RefusalPage {
    /// The refusals with their places, the newest first. A row that does not read is left out.
    pub rows: Vec<(RefusalPlace, RefusalRow)>,
    /// The last place that was looked at; none where nothing follows it.
    pub next: Option<RefusalPlace>,
}

/// An entry that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The record.
    pub record: RecordId,
    /// The entry.
    pub entry: Reference,
    /// What it waits for; none for the record's first entry.
    pub missing: Option<Reference>,
}

/// A finding.
#[derive(Clone, PartialEq, Debug)]
pub struct FindingRow {
    /// Its id.
    pub id: String,
    /// The rule's code.
    pub rule: String,
    /// 1 is highest.
    pub severity: u8,
    /// PENDING or FIRM.
    pub phase: String,
    /// OPEN, ASSIGNED, PENDING_RESOLUTION, RESOLVED or WAIVED.
    pub state: String,
    /// The anchor record's crossing.
    pub crossing: String,
    /// Who looks into it; empty for nobody.
    pub assignee: String,
    /// The anchor record.
    pub anchor: RecordId,
    /// Digest of its evidence.
    pub evidence: String,
    /// What the decision that holds says it was; empty for none.
    pub disposition: String,
    /// When that decision was made, Unix milliseconds; 0 where none holds.
    pub decided_ms: i64,
    /// When what it is about happened, as claimed, Unix milliseconds.
    pub at_ms: i64,
    /// A pending one becomes firm when the crossings concerned are received through that time, Unix
    /// milliseconds.
    pub due_ms: i64,
    /// The finding as JSON.
    pub json: String,
}

/// Which findings to list: the most severe first, of those the oldest first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FindingFilter {
    /// The rule's code.
    pub rule: Option<String>,
    /// 1 is highest.
    pub severity: Option<u8>,
    /// The anchor record's crossing.
    pub crossing: Option<String>,
    /// PENDING or FIRM.
    pub phase: Option<String>,
    /// A state of its life; UNDECIDED for all but RESOLVED and WAIVED.
    pub state: Option<String>,
    /// Who looks into it.
    pub assignee: Option<String>,
    /// What it was decided to be.
    pub disposition: Option<String>,
    /// Only those about this: (what, value).
    pub about: Option<(String, String)>,
    /// Only these, or all but these.
    pub ids: Option<ChosenFindings>,
    /// Only what happened at that time or later, Unix milliseconds.
    pub from_ms: Option<i64>,
    /// The anchor record.
    pub anchor: Option<RecordId>,
    /// Only what happened at that time or before, Unix milliseconds.
    pub until_ms: Option<i64>,
    /// Only those after this one, (severity, at_ms, id): the last of the page before.
    pub after: Option<(u8, i64, String)>,
    /// At most so many.
    pub limit: u32,
}

/// Findings chosen by their ids.
#[derive(Clone, PartialEq, Debug)]
pub enum ChosenFindings {
    /// These alone.
    Only(Vec<String>),
    /// All but these.
    Without(Vec<String>),
}

/// One thing that a finding is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AboutRow {
    /// The finding.
    pub finding: String,
    /// `record`, `plate`, `container` or `officer`.
    pub what: String,
    /// Which.
    pub value: String,
}

/// Findings about one truck, container or officer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseRow {
    /// Which.
    pub value: String,
    /// How many findings.
    pub findings: i64,
    /// How many of them nobody has settled.
    pub undecided: i64,
    /// How many of those are firm.
    pub firm: i64,
    /// When the latest of what they are about happened, Unix milliseconds.
    pub last_ms: i64,
}

/// Which cases to list: those with the most unsettled findings first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CaseFilter {
    /// `plate`, `container` or `officer`.
    pub what: String,
    /// This one alone.
    pub value: Option<String>,
    /// Only those after this one, (unsettled, value).
    pub after: Option<(i64, String)>,
    /// At most so many.
    pub limit: u32,
}

/// What became of a finding, kept after the finding itself is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CourseRow {
    /// The finding.
    pub id: String,
    /// The rule's code.
    pub rule: String,
    /// The anchor record's crossing.
    pub crossing: String,
    /// When it was found first here, Unix milliseconds.
    pub found_ms: i64,
    /// When the decision that holds was made, Unix milliseconds; 0 where none holds.
    pub decided_ms: i64,
    /// When what had come explained it, Unix milliseconds; 0 where it stands.
    pub gone_ms: i64,
    /// What it was decided to be; empty for nothing.
    pub disposition: String,
}

/// Which courses to read: those found last come first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CourseFilter {
    /// Found at that time or later, Unix milliseconds.
    pub from_ms: i64,
    /// Found before that time, Unix milliseconds.
    pub until_ms: i64,
    /// The rule's code.
    pub rule: Option<String>,
    /// The anchor record's crossing.
    pub crossing: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Records near a time that share a term with something.
#[derive(Clone, PartialEq, Debug)]
pub struct TermQuery {
    /// The question's own number; the answers carry it.
    pub asker: usize,
    /// What is looked up: `plate`, `container`, …
    pub what: String,
    /// The term.
    pub value: String,
    /// The nearest to this time come first, Unix milliseconds.
    pub at_ms: i64,
    /// Only records that first happened between these times, Unix milliseconds.
    pub between_ms: (i64, i64),
    /// Whether each kind of record is asked for by itself, so that many of one kind push out none
    /// of another.
    pub by_kind: bool,
    /// Of kinds told apart, this one alone, by its lane.
    pub only_lane: Option<u8>,
    /// At most so many.
    pub most: u32,
}

/// A record that shares a term with something.
#[derive(Clone, PartialEq, Debug)]
pub struct TermHit {
    /// Whose question it answers.
    pub asker: usize,
    /// The record.
    pub record: RecordId,
    /// Its lane, where kinds were told apart.
    pub lane: Option<u8>,
    /// Its place among those asked for together, from 1 on: the nearest in time first.
    pub place: u64,
    /// How many those are, taken or not.
    pub of: u64,
}

/// A hold that has a term.
#[derive(Clone, PartialEq, Debug)]
pub struct HoldHit {
    /// Which of the terms it has.
    pub asker: usize,
    /// The hold.
    pub record: RecordId,
    /// Whether something of it is held open.
    pub open: bool,
    /// How many holds have the term, taken or not.
    pub of: u64,
}

/// What is remembered of a peer.
#[derive(Clone, PartialEq, Debug)]
pub struct PeerRow {
    /// The peer.
    pub node: NodeId,
    /// What is remembered, as JSON.
    pub json: String,
}

/// A block carried for a neighbour.
#[derive(Clone, PartialEq, Debug)]
pub struct Carried {
    /// The log.
    pub log: LogId,
    /// Position of its first entry.
    pub from: u64,
    /// The log's size after it.
    pub to: u64,
    /// The encoded block.
    pub bytes: Vec<u8>,
}

/// A key that has a meaning on this node only.
#[derive(Clone, PartialEq, Debug)]
pub struct LocalKey {
    /// What it is about.
    pub scope: LocalScope,
    /// The key.
    pub key: String,
    /// What it stands for.
    pub value: String,
}

/// Counts for status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoreCounts {
    /// Entries held.
    pub entries: i64,
    /// Records.
    pub records: i64,
    /// Entries that wait.
    pub waiting: i64,
    /// Refusals.
    pub refused: i64,
    /// Blocks carried for others, in bytes.
    pub carried_bytes: i64,
    /// Findings.
    pub findings: i64,
}
